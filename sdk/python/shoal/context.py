"""What a rank knows of itself, and what it says to Shoal."""

import json
import math
import os
import sys
from dataclasses import dataclass, field
from typing import Any, Dict, Mapping, Optional

from .client import CALL_TIMEOUT_S, Client, ShoalError, Unreachable


@dataclass(frozen=True)
class CheckpointReply:
    """`accepted`: the agent has it, and tells the controller until that has it too. `committed`: the controller has it durable."""

    accepted: bool
    committed: bool


@dataclass(frozen=True)
class SuspendReply:
    """`stop_step`: the step after which all ranks stop; None: not proposed yet. `decided`: it will not change.

    `reason`: suspend, drain, preempt, move, resize or delete; None: not requested, or the agent does not tell. `workers`: with `resize`, how
    many workers the next attempt starts with, at once; None: it does not start at once, or with as many.
    """

    requested: bool
    grace_ms: Optional[int]
    stop_step: Optional[int]
    decided: bool
    reason: Optional[str] = None
    workers: Optional[int] = None


@dataclass
class Context:
    """One rank. Made by `init`; every field has a value outside Shoal too."""

    job: str = ""
    #: 1 for the first execution of the job.
    attempt: int = 1
    rank: int = 0
    world_size: int = 1
    local_rank: int = 0
    #: Axis -> size, the slowest varying axis first. Empty: the job declares no mesh.
    mesh: Dict[str, int] = field(default_factory=dict)
    #: Axis -> this rank's coordinate.
    coordinates: Dict[str, int] = field(default_factory=dict)
    #: None: start from nothing.
    resume_step: Optional[int] = None
    resume_path: Optional[str] = None
    #: This attempt's own folder; no other attempt writes there. None: the job names no checkpoint folder.
    checkpoint_dir: Optional[str] = None
    #: The job's folder, above those of its attempts.
    checkpoint_root: Optional[str] = None
    #: Complete checkpoints to keep. None: all.
    keep: Optional[int] = None
    #: Wanted seconds between checkpoints. None: the script's own choice.
    checkpoint_interval_s: Optional[float] = None
    #: The step after which all ranks stop, once it is known.
    stop_step: Optional[int] = None
    client: Optional[Client] = None
    _is_silent: bool = False
    #: The agent does not know the field `seconds` of a checkpoint.
    _is_told_no_seconds: bool = False
    _suspend_client: Optional[Client] = None
    #: Of the last answer: the agent holds the next call until it differs.
    _suspend_round: int = 0

    def progress(self, step: int, *, loss: Optional[float] = None, tokens: Optional[float] = None, step_seconds: Optional[float] = None) -> bool:
        """Says that `step` is done. True: save a checkpoint of exactly this step and leave with exit code 0.

        `tokens`: seen by the whole job since its first attempt. Held while the ranks agree on the step to stop at.
        """
        if self.client is None:
            return False
        body: Dict[str, Any] = {"step": int(step)}
        for name, value in (("loss", loss), ("tokens", tokens), ("step_seconds", step_seconds)):
            # JSON has no NaN; a loss that exploded must not end the call that could stop the job.
            if value is not None and math.isfinite(value):
                body[name] = float(value)
        try:
            answer = self.client.post("/v1/progress", body)
        except Unreachable as error:
            self._warn(error)
            # What was agreed before holds without an agent too.
            return self.stop_step is not None and step >= self.stop_step
        self._is_silent = False
        self.stop_step = _optional_int(answer.get("stop_step"))
        return bool(answer.get("stop")) or (self.stop_step is not None and step >= self.stop_step)

    def checkpoint(self, step: int, path: str, scope: str = "rank", seconds: Optional[float] = None) -> CheckpointReply:
        """Says that this rank's part (`rank`) or the whole checkpoint (`job`) of `step` is durable under `path`.

        `seconds`: for how long training stood still to save it; what was written beside training does not count. None: not known.
        Answers when the controller has it, or after some seconds without (`committed` False). `ShardedCheckpoints.save` calls this.
        """
        if scope not in ("rank", "job"):
            raise ShoalError(f"scope: {scope!r} is not 'rank' or 'job'")
        if self.client is None:
            return CheckpointReply(accepted=False, committed=False)
        body: Dict[str, Any] = {"step": int(step), "path": str(path), "scope": scope}
        if seconds is not None and math.isfinite(seconds) and not self._is_told_no_seconds:
            body["seconds"] = max(0.0, float(seconds))
        try:
            answer = self.client.post("/v1/checkpoint", body)
        except Unreachable as error:
            self._warn(error)
            return CheckpointReply(accepted=False, committed=False)
        except ShoalError as error:
            # An older agent: the checkpoint counts all the same.
            if "seconds" not in body or "seconds: unknown field" not in str(error):
                raise
            self._is_told_no_seconds = True
            return self.checkpoint(step, path, scope)
        return CheckpointReply(accepted=bool(answer.get("accepted", True)), committed=bool(answer.get("committed")))

    def suspend(self, wait_s: float = 30) -> SuspendReply:
        """Waits up to `wait_s` for news since the last call: whether Shoal wants the GPUs back.

        For scripts without a step loop; `progress` tells the others.
        """
        if self.client is None:
            return SuspendReply(requested=False, grace_ms=None, stop_step=None, decided=False)
        if self._suspend_client is None:
            self._suspend_client = Client(self.client.path, self.rank, timeout_s=wait_s + CALL_TIMEOUT_S)
        try:
            answer = self._suspend_client.get(f"/v1/suspend?wait_s={wait_s:g}&round={self._suspend_round}")
        except Unreachable as error:
            self._warn(error)
            answer = {}
        self._suspend_round = _optional_int(answer.get("round")) or 0
        return SuspendReply(
            requested=bool(answer.get("requested")),
            grace_ms=_optional_int(answer.get("grace_ms")),
            stop_step=_optional_int(answer.get("stop_step")),
            decided=bool(answer.get("decided")),
            reason=None if answer.get("reason") is None else str(answer.get("reason")),
            workers=_optional_int(answer.get("workers")),
        )

    def describe(self) -> Dict[str, Any]:
        """What the agent knows of this rank; {} outside Shoal or without an agent."""
        try:
            return {} if self.client is None else self.client.get("/v1/self")
        except Unreachable as error:
            self._warn(error)
            return {}

    def close(self) -> None:
        for client in (self.client, self._suspend_client):
            if client is not None:
                client.close()

    def _warn(self, error: Exception) -> None:
        if not self._is_silent:
            print(f"shoal: the agent does not answer, training goes on ({error})", file=sys.stderr, flush=True)
        self._is_silent = True


def init(environ: Optional[Mapping[str, str]] = None) -> Context:
    """Reads the environment that the agent sets. Without SHOAL_SOCKET every call of the context does nothing."""
    env = os.environ if environ is None else environ
    rank = _int(env, "RANK", 0)
    world_size = _int(env, "WORLD_SIZE", 1)
    if not 0 <= rank < world_size:
        raise ShoalError(f"RANK={rank} does not fit WORLD_SIZE={world_size}")
    mesh = _mesh(env.get("SHOAL_MESH", ""))
    path = env.get("SHOAL_SOCKET", "")
    interval = env.get("SHOAL_CHECKPOINT_INTERVAL_S", "")
    return Context(
        job=env.get("SHOAL_JOB", ""),
        attempt=_int(env, "SHOAL_ATTEMPT", 1),
        rank=rank,
        world_size=world_size,
        local_rank=_int(env, "LOCAL_RANK", 0),
        mesh=mesh,
        coordinates={axis: _int(env, f"SHOAL_MESH_{axis.upper()}", 0) for axis in mesh},
        resume_step=_optional_env_int(env, "SHOAL_RESUME_STEP"),
        resume_path=env.get("SHOAL_RESUME_PATH") or None,
        checkpoint_dir=env.get("SHOAL_CHECKPOINT_DIR") or None,
        checkpoint_root=env.get("SHOAL_CHECKPOINT_ROOT") or None,
        keep=_optional_env_int(env, "SHOAL_CHECKPOINT_KEEP"),
        checkpoint_interval_s=float(interval) if interval else None,
        client=Client(path, rank) if path else None,
    )


def _mesh(text: str) -> Dict[str, int]:
    """An object or a list of pairs; the order is the order of the axes in both."""
    if not text:
        return {}
    try:
        value = json.loads(text)
        pairs = value.items() if isinstance(value, dict) else value
        return {str(axis): int(size) for axis, size in pairs}
    except (TypeError, ValueError) as error:
        raise ShoalError(f'SHOAL_MESH={text!r} is not like {{"data":2,"tensor":2}}') from error


def _int(env: Mapping[str, str], name: str, default: int) -> int:
    value = _optional_env_int(env, name)
    return default if value is None else value


def _optional_env_int(env: Mapping[str, str], name: str) -> Optional[int]:
    text = env.get(name, "")
    if not text:
        return None
    try:
        return int(text)
    except ValueError as error:
        raise ShoalError(f"{name}={text!r} is not a whole number") from error


def _optional_int(value: Any) -> Optional[int]:
    return None if value is None else int(value)
