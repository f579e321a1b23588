"""Entries of the index that stand in no file yet, in the order in which they came."""

from __future__ import annotations

import numpy as np

from dipper.collect.kernels.compiled import kernel

_FIRST_ROWS = 1 << 12


class Unsaved:
    """Rows of day, fingerprint and value, in one flat array; forgotten ones have no value."""

    __slots__ = ("_rows", "count", "entered")

    def __init__(self) -> None:
        self._rows = np.empty((_FIRST_ROWS, 3), np.int64)
        self.count = 0
        """Rows that are held, forgotten ones too."""
        self.entered = 0
        """Rows that ever came."""

    def room(self, more: int) -> np.ndarray:
        """The array (int64, shape (n, 3)), with room for so many more rows behind `count`."""
        if self.count + more > len(self._rows):
            held = self._rows[: self.count]
            self._rows = np.empty((2 * (self.count + more), 3), np.int64)
            self._rows[: self.count] = held
        return self._rows

    def forget(self, day: int, key: int) -> None:
        """Take out the last entry of a fingerprint, if it is here."""
        _forget(self._rows, self.count, day, 1 if key in (0, -1) else key)

    def rows(self, count: int | None = None) -> np.ndarray:
        """A copy of what came first (all without a count), int64, shape (n, 3)."""
        rows = self._rows[: self.count if count is None else count]
        return rows[rows[:, 2] != 0]

    def drop(self, count: int) -> None:
        """Let go of the first rows: they are in a file."""
        rest = self._rows[count : self.count].copy()
        self.count = len(rest)
        self._rows[: self.count] = rest


@kernel
def _forget(rows, count, day, key):
    """From the end: what is taken back came a moment ago, as a rule."""
    for number in range(count - 1, -1, -1):
        if rows[number, 1] == key and rows[number, 0] == day and rows[number, 2] != 0:
            rows[number, 2] = 0
            return
