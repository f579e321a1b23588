"""The system's randomness, taken in blocks: a call of the system for each id would cost more than
the id.
"""

from __future__ import annotations

import os

BLOCK_BYTES = 4_096


class Entropy:
    """Gives what `random.SystemRandom` gives. One thread, and no fork."""

    def __init__(self) -> None:
        self._block = b""
        self._at = 0

    def randbytes(self, count: int) -> bytes:
        """So many random bytes, at most BLOCK_BYTES."""
        start, end = self._at, self._at + count
        if end > len(self._block):
            self._block = os.urandom(BLOCK_BYTES)
            start, end = 0, count
        self._at = end
        return self._block[start:end]

    def random(self) -> float:
        """A number in [0, 1) of 53 random bits."""
        return (int.from_bytes(self.randbytes(7), "little") >> 3) * 2.0**-53
