"""From the job's mesh to devices, from whole arrays to this process's parts of them, and back from a checkpoint."""

from pathlib import Path
from typing import Any, BinaryIO, Dict

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

AXES = ("data", "tensor")


def make_mesh(sizes: Dict[str, int]) -> Mesh:
    """One device a process, in rank order; axes that the job does not name have size 1."""
    unknown = [axis for axis in sizes if axis not in AXES and sizes[axis] != 1]
    if unknown:
        raise SystemExit(f"mesh: this program knows the axes {', '.join(AXES)}, not {', '.join(unknown)}")
    shape = tuple(sizes.get(axis, 1) for axis in AXES)
    devices = sorted(jax.devices(), key=lambda device: device.process_index)
    if int(np.prod(shape)) != len(devices):
        raise SystemExit(f"mesh: {' x '.join(f'{axis} {size}' for axis, size in zip(AXES, shape))} does not fit {len(devices)} processes")
    return Mesh(np.array(devices).reshape(shape), AXES)


def shardings_of(mesh: Mesh, specs: Dict[str, PartitionSpec]) -> Dict[str, Dict[str, NamedSharding]]:
    """Of the whole train state: the optimizer's moments lie where their parameters lie."""
    one = {name: NamedSharding(mesh, spec) for name, spec in sorted(specs.items())}
    return {"parameters": one, "mean": one, "variance": one}


def place(whole: np.ndarray, sharding: NamedSharding) -> jax.Array:
    """Puts this process's part of an array that every process holds whole onto its device."""
    return jax.make_array_from_callback(whole.shape, sharding, lambda index: whole[index])


def write_shard(file: BinaryIO, state: Dict[str, Dict[str, jax.Array]], scalars: Dict[str, Any]) -> None:
    """This process's parts only, as float32 .npz, with the whole shapes to check them against."""
    arrays: Dict[str, np.ndarray] = {f"scalar/{name}": np.asarray(value) for name, value in scalars.items()}
    for group, members in state.items():
        for name, array in members.items():
            arrays[f"{group}/{name}"] = np.asarray(array.addressable_shards[0].data)
            arrays[f"shape/{group}/{name}"] = np.asarray(array.shape)
    np.savez(file, **arrays)


def read_shard(path: Path, shardings: Dict[str, Dict[str, NamedSharding]]) -> "tuple[Dict[str, Any], Dict[str, float]]":
    """The state as `write_shard` left it, on the same mesh, and the scalars."""
    device = jax.local_devices()[0]
    with np.load(path) as saved:
        state = {
            group: {
                name: jax.make_array_from_single_device_arrays(
                    tuple(int(size) for size in saved[f"shape/{group}/{name}"]),
                    sharding,
                    [jax.device_put(saved[f"{group}/{name}"], device)],
                )
                for name, sharding in members.items()
            }
            for group, members in shardings.items()
        }
        scalars = {name.removeprefix("scalar/"): float(saved[name]) for name in saved.files if name.startswith("scalar/")}
    return state, scalars
