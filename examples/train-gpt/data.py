"""Characters in, batches out. A batch is a function of (seed, step) alone, so a resumed run sees what an unbroken one would."""

from pathlib import Path

import numpy as np

# Printable ASCII and the line end: fixed, so that the model's shape does not depend on the text. 96 is divisible by the tensor axis.
ALPHABET = "\n" + "".join(chr(code) for code in range(32, 127))
VOCABULARY = len(ALPHABET)


def read_text(path: Path) -> np.ndarray:
    """The text as token ids, int32 (characters,)."""
    ids = {character: index for index, character in enumerate(ALPHABET)}
    return np.array([ids[character] for character in path.read_text(encoding="ascii")], dtype=np.int32)


def batch_at(tokens: np.ndarray, *, seed: int, step: int, batch: int, context: int) -> np.ndarray:
    """The whole job's batch of this step: int32 (batch, context + 1); the last column is only a target."""
    starts = np.random.default_rng([seed, step]).integers(0, len(tokens) - context - 1, size=batch)
    return np.stack([tokens[start : start + context + 1] for start in starts])
