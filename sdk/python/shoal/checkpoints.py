"""Sharded checkpoints on a file system that all ranks see.

    <root>/attempt-2/step-00000100/manifest.json      written by rank 0
                                   rank-00000.npz     one a rank: what this process holds, nothing of the others
                                   rank-00000.known   the controller has this rank's report

Each file is written beside its name, synced and renamed, so it is there whole or not at all; nobody waits for anybody. A checkpoint is
complete when the manifest and the shard of every rank are there. Attempts have folders of their own: one that was given up, but still
runs on a node that nobody can reach, cannot spoil the checkpoints of its successor.

A job resumes from the newest checkpoint that the controller knows, not from the newest on disk: the two differ while the controller is
away. So nothing is pruned before a newer one is known for every rank.
"""

import json
import os
import re
import shutil
import time
from dataclasses import dataclass
from typing import Any, BinaryIO, Callable, Dict, List, Optional

from .client import ShoalError
from .context import CheckpointReply, Context

MANIFEST = "manifest.json"


@dataclass(frozen=True)
class Checkpoint:
    """A folder with all its files. Newer: of a later attempt, then of a later step."""

    path: str
    attempt: int
    step: int


class ShardedCheckpoints:
    """Saves and prunes the checkpoints of one job, from inside one rank."""

    def __init__(
        self,
        directory: str,
        *,
        rank: int,
        world_size: int,
        root: Optional[str] = None,
        keep: Optional[int] = None,
        resumed_from: Optional[str] = None,
        report: Optional[Callable[[int, str, float], CheckpointReply]] = None,
    ) -> None:
        """`report(step, folder, seconds)`: tells the controller. None: there is none, a checkpoint counts as soon as it is complete."""
        self.directory = os.path.abspath(directory)
        self.root = os.path.abspath(root or directory)
        self._rank = rank
        self._world_size = world_size
        self._keep = keep
        self._resumed_from = None if resumed_from is None else os.path.abspath(resumed_from)
        self._report = report
        self._check_writable()

    @classmethod
    def of(cls, context: Context, default_directory: str = "checkpoints") -> "ShardedCheckpoints":
        """Where Shoal says; `default_directory` when the script runs alone or the job names no folder."""
        return cls(
            context.checkpoint_dir or default_directory,
            rank=context.rank,
            world_size=context.world_size,
            root=context.checkpoint_root,
            keep=context.keep,
            resumed_from=context.resume_path,
            report=None if context.client is None else lambda step, folder, seconds: context.checkpoint(step, folder, seconds=seconds),
        )

    def save(self, step: int, write: Callable[[BinaryIO], Any], description: Optional[Dict[str, Any]] = None) -> str:
        """Writes this rank's shard through `write(file)`, reports it and how long it took once it is durable, and prunes. Answers the checkpoint's folder.

        `description` goes into the manifest (of rank 0).
        """
        began_at = time.monotonic()
        folder = os.path.join(self.directory, f"step-{step:08d}")
        try:
            os.makedirs(folder, exist_ok=True)
            if self._rank == 0:
                manifest = {**(description or {}), "step": step, "world_size": self._world_size}
                _write_atomically(os.path.join(folder, MANIFEST), lambda file: file.write(json.dumps(manifest, indent=1).encode()))
            _write_atomically(shard_path(folder, self._rank), write)
            _sync_folder(self.directory)
        except OSError as error:
            raise ShoalError(f"checkpoint of step {step}: {folder}: {error.strerror or error}") from error
        if self._report is not None and self._report(step, folder, time.monotonic() - began_at).committed:
            with open(_known_path(folder, self._rank), "wb"):
                pass
        self.prune()
        return folder

    def prune(self) -> List[str]:
        """Removes all but the newest `keep` complete checkpoints; answers what it removed. Only rank 0 does anything.

        Never: the one that this attempt resumed from, and the newest one that counts (see above) with all that is newer.
        """
        if self._rank != 0 or self._keep is None:
            return []
        complete = list_complete(self.root)
        counting = [checkpoint for checkpoint in complete if self._counts(checkpoint)]
        if not counting:
            return []
        kept = {checkpoint.path for checkpoint in complete[-self._keep :]} | {self._resumed_from}
        removable = [
            checkpoint.path
            for checkpoint in _list_folders(self.root)
            if _age_key(checkpoint) < _age_key(counting[-1]) and checkpoint.path not in kept
        ]
        for path in removable:
            shutil.rmtree(path, ignore_errors=True)
        return removable

    def _counts(self, checkpoint: Checkpoint) -> bool:
        return self._report is None or all(os.path.exists(_known_path(checkpoint.path, rank)) for rank in range(self._world_size))

    def _check_writable(self) -> None:
        probe = os.path.join(self.directory, f".writable-{self._rank:05d}")
        try:
            os.makedirs(self.directory, exist_ok=True)
            with open(probe, "wb"):
                pass
            os.remove(probe)
        except OSError as error:
            raise ShoalError(f"checkpoint folder {self.directory} cannot be written: {error.strerror or error}") from error


def shard_path(folder: str, rank: int) -> str:
    return os.path.join(folder, f"rank-{rank:05d}.npz")


def _known_path(folder: str, rank: int) -> str:
    return os.path.join(folder, f"rank-{rank:05d}.known")


def read_manifest(folder: str) -> Dict[str, Any]:
    """The manifest of a complete checkpoint. ShoalError names what is missing."""
    try:
        with open(os.path.join(folder, MANIFEST), encoding="utf-8") as file:
            manifest = json.load(file)
        world_size = int(manifest["world_size"])
        step = int(manifest["step"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ShoalError(f"checkpoint {folder}: {MANIFEST} cannot be read: {error}") from error
    missing = [rank for rank in range(world_size) if not os.path.isfile(shard_path(folder, rank))]
    if missing:
        raise ShoalError(f"checkpoint {folder}: shards of ranks {missing} are missing (of {world_size})")
    return {**manifest, "step": step, "world_size": world_size}


def list_complete(root: str) -> List[Checkpoint]:
    """All complete checkpoints below the job's folder, oldest first."""
    return [checkpoint for checkpoint in _list_folders(root) if _is_complete(checkpoint.path)]


def _is_complete(folder: str) -> bool:
    try:
        read_manifest(folder)
    except ShoalError:
        return False
    return True


def _age_key(checkpoint: Checkpoint) -> "tuple[int, int]":
    return (checkpoint.attempt, checkpoint.step)


def _list_folders(root: str) -> List[Checkpoint]:
    found = _steps_in(root, 0)
    for name, number in _numbered(root, r"attempt-(\d+)"):
        found += _steps_in(os.path.join(root, name), number)
    return sorted(found, key=_age_key)


def _steps_in(folder: str, attempt: int) -> List[Checkpoint]:
    return [Checkpoint(os.path.join(folder, name), attempt, step) for name, step in _numbered(folder, r"step-(\d+)")]


def _numbered(folder: str, pattern: str) -> "list[tuple[str, int]]":
    try:
        names = os.listdir(folder)
    except FileNotFoundError:
        return []
    matches = ((name, re.fullmatch(pattern, name)) for name in names)
    return [(name, int(match.group(1))) for name, match in matches if match is not None]


def _write_atomically(path: str, write: Callable[[BinaryIO], Any]) -> None:
    partial = f"{path}.tmp-{os.getpid()}"
    try:
        with open(partial, "wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)
    except BaseException:
        try:
            os.remove(partial)
        except OSError:
            pass
        raise
    _sync_folder(os.path.dirname(path))


def _sync_folder(folder: str) -> None:
    """Makes names durable, where the file system can."""
    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError:
        return
    try:
        os.fsync(handle)
    except OSError:
        pass
    finally:
        os.close(handle)
