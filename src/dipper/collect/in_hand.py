"""Entries that were admitted and of which nobody knows yet whether they will be on disk.

What the index holds of them may not go into a file: were they lost, a resend would be taken for a
copy of nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

from dipper.engine.ports import Entry


class InHand:
    """Lists of entries, by identity, from their admission until their fate is known.

    A list whose fate nobody tells stays here for good: then no file is written, and nothing lost.
    """

    def __init__(self) -> None:
        self._lists: dict[int, tuple[int, Sequence[Entry]]] = {}
        self.taken = 0
        """How many lists ever came."""

    def take(self, entries: Sequence[Entry]) -> None:
        """A list that will be appended. Taking it again changes nothing."""
        if id(entries) not in self._lists:
            self.taken += 1
            self._lists[id(entries)] = (self.taken, entries)

    def settle(self, entries: Sequence[Entry]) -> None:
        """The list is on disk, or forgotten."""
        self._lists.pop(id(entries), None)

    def has_any_of(self, first: int) -> bool:
        """Whether one of the `first` lists that ever came is still here."""
        oldest, _ = next(iter(self._lists.values()), (first + 1, ()))
        return oldest <= first
