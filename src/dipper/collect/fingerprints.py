"""A set of 64-bit fingerprints, each with a value, in flat memory: 16 bytes a place.

Open addressing with linear probing over zeroed arrays. A Python dict of the same numbers takes
seven times the memory. Small tables grow by moving; a large one stays and a larger one is opened
beside it, so that no event ever waits for millions of entries to be moved.
"""

from __future__ import annotations

from collections.abc import Sequence

_FIRST_SLOTS = 1 << 10
_MOVED_SLOTS_MAX = 1 << 16
_GROWTH = 8
_GONE = -1
"""In the place of a removed fingerprint: probing goes on behind it."""


class _Table:
    __slots__ = ("keys", "mask", "room", "values")

    def __init__(self, slots: int) -> None:
        self.keys = memoryview(bytearray(8 * slots)).cast("q")
        self.values = memoryview(bytearray(8 * slots)).cast("q")
        self.mask = slots - 1
        self.room = slots * 5 // 8


class Fingerprints:
    """Fingerprint -> value. Both are signed 64-bit; 0 is no value, and 0 and -1 no fingerprint."""

    __slots__ = ("_count", "_newest", "_older")

    def __init__(self) -> None:
        self._newest = _Table(_FIRST_SLOTS)
        self._older: list[_Table] = []
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def find(self, key: int) -> int:
        """The value of a fingerprint, or 0."""
        key = key if key < -1 or key > 0 else 1
        table = self._newest
        place = _place(table, key)
        return table.values[place] if table.keys[place] == key else self._find_older(key)

    def enter(self, key: int, value: int) -> int:
        """The value that the fingerprint has already; else 0, and it has this one from now on."""
        known = self.enter_all((key,), (value,))
        return known[0] if known else 0

    def enter_all(self, keys: Sequence[int], values: Sequence[int]) -> list[int] | None:
        """`enter` for many, in order; None when all were new. The hot path of collection."""
        while self._newest.room < len(keys):
            self._grow()
        table = self._newest
        slots, contents, mask = table.keys, table.values, table.mask
        known: list[int] = [0] * len(keys) if self._older else []
        added = 0
        for number, key in enumerate(keys):
            if -2 < key < 1:
                key = 1
            place = key & mask
            while found := slots[place]:
                if found == key:
                    known = known or [0] * len(keys)
                    known[number] = contents[place]
                    break
                place = (place + 1) & mask
            else:
                if self._older and (older := self._find_older(key)):
                    known[number] = older
                else:
                    slots[place] = key
                    contents[place] = values[number]
                    added += 1
        table.room -= added
        self._count += added
        return known if any(known) else None

    def remove(self, key: int) -> bool:
        """Forget a fingerprint; whether it was there."""
        key = key if key < -1 or key > 0 else 1
        for table in (self._newest, *self._older):
            place = _place(table, key)
            if table.keys[place] == key:
                table.keys[place] = _GONE
                table.values[place] = 0
                self._count -= 1
                return True
        return False

    def _find_older(self, key: int) -> int:
        for table in self._older:
            place = _place(table, key)
            if table.keys[place] == key:
                return table.values[place]
        return 0

    def _grow(self) -> None:
        full = self._newest
        slots = full.mask + 1
        self._newest = _Table(slots * _GROWTH)
        if slots > _MOVED_SLOTS_MAX:
            self._older.insert(0, full)
            return
        pairs = [
            (key, value)
            for key, value in zip(full.keys, full.values, strict=True)
            if key and key != _GONE
        ]
        self._count -= len(pairs)
        self.enter_all([key for key, _ in pairs], [value for _, value in pairs])


def _place(table: _Table, key: int) -> int:
    """Where the fingerprint stands, or the empty place where its probing ends."""
    keys, mask = table.keys, table.mask
    place = key & mask
    while (found := keys[place]) and found != key:
        place = (place + 1) & mask
    return place
