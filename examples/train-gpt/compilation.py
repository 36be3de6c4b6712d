"""Keeps compiled programs between runs, one file a rank.

JAX's own persistent cache serves rank 0 only here: on the CPU its key differs between processes, and only process 0 writes (jax 0.10.2,
`compiler._cache_write`). A restart would then wait for three of four ranks to compile again, some 6 s on two cores.
"""

import hashlib
import os
import pickle
import platform
from pathlib import Path
from typing import Any

import jax
import jaxlib
from jax.experimental.serialize_executable import deserialize_and_load, serialize


def cache_folder() -> Path:
    """JAX_COMPILATION_CACHE_DIR, or a folder of the user's own."""
    chosen = os.environ.get("JAX_COMPILATION_CACHE_DIR")
    return Path(chosen) if chosen else Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "shoal" / "jax"


def compile_cached(function: Any, *arguments: Any) -> Any:
    """The jitted function, compiled for these arguments; from the cache when the same program was compiled here before."""
    lowered = function.lower(*arguments)
    path = cache_folder() / f"{_key(lowered.as_text())}.pickle"
    try:
        with path.open("rb") as file:
            return deserialize_and_load(*pickle.load(file))
    except FileNotFoundError:
        pass
    except Exception as error:
        print(f"{path} cannot be used, compiling again: {error}", flush=True)
    compiled = lowered.compile()
    _write(path, compiled)
    return compiled


def _key(program: str) -> str:
    """Everything that a compiled program depends on: its text, who compiles, the machine's instructions, and its place in the job."""
    parts = [
        program,
        jax.__version__,
        jaxlib.__version__,
        os.environ.get("XLA_FLAGS", ""),
        platform.machine(),
        _cpu_flags(),
        f"{jax.process_index()} of {jax.process_count()}",
    ]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]


def _cpu_flags() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            return next((line for line in file if line.startswith(("flags", "Features"))), "")
    except OSError:
        return platform.processor()


def _write(path: Path, compiled: Any) -> None:
    """A cache that cannot be written only costs time."""
    partial = path.with_suffix(f".{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.write_bytes(pickle.dumps(serialize(compiled)))
        os.replace(partial, path)
    except Exception as error:
        print(f"{path} cannot be written: {error}", flush=True)
        partial.unlink(missing_ok=True)
