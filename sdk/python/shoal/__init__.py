"""Shoal's workload API for training scripts. Standard library only; does nothing outside Shoal."""

from . import checkpoints
from .client import ShoalError
from .context import CheckpointReply, Context, SuspendReply, init

__all__ = ["CheckpointReply", "Context", "ShoalError", "SuspendReply", "checkpoints", "init"]
__version__ = "0.1.0"
