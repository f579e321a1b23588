"""A set of 64-bit fingerprints, each with a value, in flat memory: 16 bytes a place.

Open addressing with linear probing, compiled. A Python dict of the same numbers takes seven times
the memory. Small tables grow by moving; a large one stays and a larger one is opened beside it, so
that no event ever waits for millions of entries to be moved.

What is sorted in a file is not loaded for one question: the fingerprints of a keyed hash are spread
evenly, so a look at two ends says nearly where one stands (`look_up_sorted`).
"""

from __future__ import annotations

import numpy as np

from dipper.collect.kernels.compiled import kernel
from dipper.collect.unsaved import Unsaved
from dipper.engine.sorted_run import NO_PAIRS

_FIRST_SLOTS = 1 << 7
_MOVED_SLOTS_MAX = 1 << 16
_GROWTH = 8
_GONE = np.int64(-1)
"""In the place of a removed fingerprint: probing goes on behind it."""
_NO_ROWS = np.empty((0, 3), np.int64)
_U = np.uint64


def warm() -> None:
    """Compile the kernels of the index, or load them from the cache. They are small."""
    table = Fingerprints()
    table.enter(np.array([7], np.int64), np.array([1], np.int64))
    table.find(7)
    table.remove(7)
    look_up_sorted(NO_PAIRS, np.array([7], np.int64), np.zeros(1, np.int64))


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

    def enter(
        self,
        keys: np.ndarray,
        values: np.ndarray,
        known: np.ndarray | None = None,
        unsaved: Unsaved | None = None,
        day: int = 0,
    ) -> np.ndarray | None:
        """Enter many in order. None when all were new; else for each the value that it had, or 0.

        One that is known keeps its value; those with a value in `known` are not looked for at all.
        What is new is noted in `unsaved` under a day. The hot path of collection.
        """
        while self._room < len(keys):
            self._grow()
        if known is None:
            known = np.zeros(len(keys), np.int64)
        for table in self._older:
            _look_up(table, keys, known)
        rows, at = (_NO_ROWS, 0) if unsaved is None else (unsaved.room(len(keys)), unsaved.count)
        added = int(_enter(self._table, keys, values, known, rows, at, day))
        if unsaved is not None:
            unsaved.count += added
            unsaved.entered += added
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
def look_up_sorted(pairs, keys, known):
    """Fill in the values of those that have none yet from pairs in order of fingerprint.

    Interpolation between the ends; after eight steps halving, which no order of keys can lengthen.
    """
    for number in range(len(keys)):
        if known[number] != 0:
            continue
        key = keys[number] if keys[number] != 0 and keys[number] != _GONE else np.int64(1)
        low, high, steps = 0, len(pairs) - 1, 0
        while low <= high:
            first, last = pairs[low, 0], pairs[high, 0]
            if key < first or key > last:
                break
            place = (low + high) >> 1
            if steps < 8:
                span = np.float64(last) - np.float64(first) + 1.0
                share = (np.float64(key) - np.float64(first)) / span
                place = min(high, low + np.int64(share * (high - low)))
            found = pairs[place, 0]
            if found == key:
                known[number] = pairs[place, 1]
                break
            if found < key:
                low = place + 1
            else:
                high = place - 1
            steps += 1


@kernel
def _enter(table, keys, values, known, rows, at, day):
    """Enter those that are not known from another table; gives how many were new.

    Where `rows` has room at all they are noted there, from `at` on.
    """
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
            if len(rows):
                rows[at + added, 0] = day
                rows[at + added, 1] = key
                rows[at + added, 2] = values[number]
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
