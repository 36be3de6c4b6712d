"""Trains a small GPT on the characters of a book: one process a rank, JAX on the CPU, a data x tensor mesh.

Alone:       python train.py --steps 50
Under Shoal: shoal apply -f examples/queue.yaml -f examples/train-gpt/job.yaml
"""

import argparse
import os
import sys
import time
import traceback
from functools import partial
from pathlib import Path

HERE = Path(__file__).resolve().parent

# Before JAX is imported. One thread a process: several ranks share the cores of one machine.
os.environ.setdefault("XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false")
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

try:
    import shoal
except ImportError:  # from a checkout, without pip install
    sys.path.append(str(HERE.parents[1] / "sdk" / "python"))
    import shoal

import jax  # noqa: E402
import numpy as np  # noqa: E402
from jax.sharding import NamedSharding, PartitionSpec  # noqa: E402

import data  # noqa: E402
import model  # noqa: E402
import sharding  # noqa: E402
from compilation import compile_cached  # noqa: E402
from watchdog import Watchdog  # noqa: E402

# A peer that dies closes its connections, which ends a collective at once; these are for peers that freeze.
STEP_LIMIT_S = 60.0
FIRST_STEP_LIMIT_S = 300.0
HEARTBEAT_LIMIT_S = 20


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Trains a small GPT on the characters of a book.")
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--batch", type=int, default=16, help="sequences a step, over all ranks")
    parser.add_argument("--context", type=int, default=64, help="characters a sequence")
    parser.add_argument("--learning-rate", type=float, default=2e-3)
    parser.add_argument("--checkpoint-every", type=int, default=20, help="steps")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--text", type=Path, default=HERE / "alice.txt")
    return parser.parse_args()


def join_peers(context: shoal.Context) -> None:
    """Makes one JAX runtime of all ranks."""
    if context.world_size == 1:
        return
    jax.config.update("jax_cpu_collectives_implementation", "gloo")
    jax.distributed.initialize(
        coordinator_address=os.environ["JAX_COORDINATOR_ADDRESS"],
        num_processes=int(os.environ["JAX_NUM_PROCESSES"]),
        process_id=int(os.environ["JAX_PROCESS_ID"]),
        initialization_timeout=120,
        heartbeat_timeout_seconds=HEARTBEAT_LIMIT_S,
        shutdown_timeout_seconds=15,
    )


class Trainer:
    """The state of this rank and the loop over it."""

    def __init__(self, options: argparse.Namespace, context: shoal.Context, watchdog: Watchdog) -> None:
        self._options = options
        self._context = context
        self._watchdog = watchdog
        self._store = shoal.checkpoints.ShardedCheckpoints.of(context)
        self._tokens = data.read_text(options.text)
        mesh = sharding.make_mesh(context.mesh)
        shape = model.Shape(vocabulary=data.VOCABULARY, context=options.context)
        shardings = sharding.shardings_of(mesh, model.partition_specs(shape))
        self._batch_sharding = NamedSharding(mesh, PartitionSpec("data", None))
        self._step = 0
        self._loss = float("nan")
        self._state = self._resume(shardings) if context.resume_path else self._start(shape, shardings)
        self._print_shards()
        train_step = jax.jit(
            partial(model.train_step, shape=shape, learning_rate=options.learning_rate),
            out_shardings=(shardings, NamedSharding(mesh, PartitionSpec())),
            donate_argnums=0,
        )
        self._train_step = compile_cached(train_step, self._state, self._batch_at(1), np.float32(1))

    def run(self) -> None:
        options = self._options
        is_first = True
        while self._step < options.steps:
            started_at = time.monotonic()
            self._watchdog.arm(f"step {self._step + 1}", FIRST_STEP_LIMIT_S if is_first else STEP_LIMIT_S)
            self._advance()
            self._watchdog.disarm()
            step_seconds = time.monotonic() - started_at
            # The first step connects the ranks: it would spoil every average.
            stop = self._context.progress(
                self._step,
                loss=self._loss,
                tokens=self._step * options.batch * options.context,
                step_seconds=None if is_first else step_seconds,
            )
            is_first = False
            if self._step % 10 == 0 or self._step == options.steps:
                say(f"step {self._step} loss {self._loss:.4f} {options.batch * options.context / step_seconds:.0f} tokens/s")
            if stop or self._step % options.checkpoint_every == 0 or self._step == options.steps:
                self._save()
            if stop and self._step < options.steps:
                say(f"stopped after step {self._step}, as asked")
                return
        say(f"final loss {self._loss:.6f}")

    def _start(self, shape: model.Shape, shardings: dict) -> dict:
        parameters = model.initial_parameters(shape, self._options.seed)
        if self._context.rank == 0:
            say(f"{sum(array.size for array in parameters.values()):,} parameters, {len(self._tokens):,} characters of {self._options.text.name}")
        return {
            group: {
                name: sharding.place(whole if group == "parameters" else np.zeros_like(whole), shardings[group][name])
                for name, whole in parameters.items()
            }
            for group in shardings
        }

    def _resume(self, shardings: dict) -> dict:
        folder = self._context.resume_path or ""
        manifest = shoal.checkpoints.read_manifest(folder)
        wanted = {"world_size": self._context.world_size, "mesh": self._context.mesh, "step": self._context.resume_step}
        for name, value in wanted.items():
            if manifest.get(name) != value:
                raise shoal.ShoalError(f"checkpoint {folder}: {name} is {manifest.get(name)}, this attempt has {value}")
        state, scalars = sharding.read_shard(Path(shoal.checkpoints.shard_path(folder, self._context.rank)), shardings)
        self._step, self._loss = int(scalars["step"]), scalars["loss"]
        say(f"resumed from step {self._step}, loss {self._loss:.4f}, {folder}")
        return state

    def _advance(self) -> None:
        step = self._step + 1
        self._state, loss = self._train_step(self._state, self._batch_at(step), np.float32(step))
        # Waits for the step's end on all ranks, so that progress never runs ahead of the truth.
        self._loss = float(loss)
        self._step = step

    def _batch_at(self, step: int) -> jax.Array:
        options = self._options
        whole = data.batch_at(self._tokens, seed=options.seed, step=step, batch=options.batch, context=options.context)
        return sharding.place(whole, self._batch_sharding)

    def _save(self) -> None:
        scalars = {"step": self._step, "loss": self._loss}
        self._store.save(self._step, lambda file: sharding.write_shard(file, self._state, scalars), {"mesh": self._context.mesh})

    def _print_shards(self) -> None:
        parameters = self._state["parameters"]
        shards = (
            f"{name} {array.addressable_shards[0].data.shape} of {array.shape}"
            for name, array in ((name, parameters[name]) for name in ("embedding", "0.wqkv", "0.wo", "0.w1", "0.w2"))
        )
        place = " ".join(f"{axis} {index}" for axis, index in self._context.coordinates.items())
        say(f"rank {self._context.rank} ({place or 'alone'}): {', '.join(shards)}")


def say(line: str) -> None:
    print(line, flush=True)


def main() -> None:
    context = shoal.init()
    watchdog = Watchdog()
    watchdog.arm("joining the other ranks", FIRST_STEP_LIMIT_S)
    try:
        options = parse_options()
        join_peers(context)
        Trainer(options, context, watchdog).run()
        watchdog.arm("parting from the other ranks", STEP_LIMIT_S)
        if context.world_size > 1:
            jax.distributed.shutdown()
    except shoal.ShoalError as error:
        fail(str(error))
    except Exception:
        traceback.print_exc()
        fail("this rank cannot go on")
    context.close()


def fail(message: str) -> None:
    """Leaves at once: JAX's own shutdown would wait for peers that may be gone."""
    print(f"train.py: {message}", file=sys.stderr, flush=True)
    sys.stdout.flush()
    os._exit(1)


if __name__ == "__main__":
    main()
