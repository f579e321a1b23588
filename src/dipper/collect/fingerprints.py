"""A set of 64-bit fingerprints, each with a value, in flat memory: 16 bytes a place.

Open addressing with linear probing, compiled. A Python dict of the same numbers takes seven times
the memory. Small tables grow by moving; a large one stays and a larger one is opened beside it, so
that no event ever waits for millions of entries to be moved.
"""

from __future__ import annotations

import numpy as np

from dipper.collect.kernels.compiled import kernel

_FIRST_SLOTS = 1 << 10
_MOVED_SLOTS_MAX = 1 << 16
_GROWTH = 8
_GONE = np.int64(-1)
"""In the place of a removed fingerprint: probing goes on behind it."""
_U = np.uint64


def warm() -> None:
    """Compile the kernels of the index, or load them from the cache. They are small."""
    table = Fingerprints()
    table.enter(np.array([7], np.int64), np.array([1], np.int64))
    table.find(7)
    table.remove(7)


class Fingerprints:
    """Fingerprint -> value. Both are int64; 0 is no value, and 0 and -1 stand for fingerprint 1."""

    __slots__ = ("_count", "_older", "_room", "_table")

    def __init__(self) -> None:
        self._table = np.zeros((_FIRST_SLOTS, 2), np.int64)
        self._room = _room(self._table)
        self._older: list[np.ndarray] = []
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def find(self, key: int) -> int:
        """The value of a fingerprint, or 0."""
        keys, known = np.array([key], np.int64), np.zeros(1, np.int64)
        for table in (self._table, *self._older):
            _look_up(table, keys, known)
        return int(known[0])

    def enter(self, keys: np.ndarray, values: np.ndarray) -> np.ndarray | None:
        """Enter many in order. None when all were new; else for each the value that it had, or 0.

        One that is known keeps its value. The hot path of collection.
        """
        while self._room < len(keys):
            self._grow()
        known = np.zeros(len(keys), np.int64)
        for table in self._older:
            _look_up(table, keys, known)
        added = int(_enter(self._table, keys, values, known))
        self._room -= added
        self._count += added
        return known if added < len(keys) else None

    def remove(self, key: int) -> bool:
        """Forget a fingerprint; whether it was there."""
        for table in (self._table, *self._older):
            if _remove(table, np.int64(key)):
                self._count -= 1
                return True
        return False

    def _grow(self) -> None:
        full = self._table
        self._table = np.zeros((len(full) * _GROWTH, 2), np.int64)
        self._room = _room(self._table)
        if len(full) > _MOVED_SLOTS_MAX:
            self._older.insert(0, full)
            return
        held = full[(full[:, 0] != 0) & (full[:, 0] != _GONE)]
        self._count -= len(held)
        self.enter(np.ascontiguousarray(held[:, 0]), np.ascontiguousarray(held[:, 1]))


def _room(table: np.ndarray) -> int:
    return len(table) * 5 // 8


@kernel
def _place(table, key):
    """Where the fingerprint stands, or the empty place where its probing ends."""
    mask = _U(len(table) - 1)
    place = _U(key) & mask
    while table[place, _U(0)] != 0 and table[place, _U(0)] != key:
        place = (place + _U(1)) & mask
    return place


@kernel
def _look_up(table, keys, known):
    """Fill in the values of those that have none yet."""
    for number in range(len(keys)):
        if known[number] == 0:
            key = keys[number] if keys[number] != 0 and keys[number] != _GONE else np.int64(1)
            place = _place(table, key)
            if table[place, _U(0)] == key:
                known[number] = table[place, _U(1)]


@kernel
def _enter(table, keys, values, known):
    """Enter those that are not known from another table; gives how many were new."""
    added = 0
    for number in range(len(keys)):
        if known[number] != 0:
            continue
        key = keys[number] if keys[number] != 0 and keys[number] != _GONE else np.int64(1)
        place = _place(table, key)
        if table[place, _U(0)] == key:
            known[number] = table[place, _U(1)]
        else:
            table[place, _U(0)] = key
            table[place, _U(1)] = values[number]
            added += 1
    return added


@kernel
def _remove(table, key):
    """Whether it was there."""
    if key == 0 or key == _GONE:
        key = np.int64(1)
    place = _place(table, key)
    if table[place, _U(0)] != key:
        return False
    table[place, _U(0)] = _GONE
    table[place, _U(1)] = 0
    return True
