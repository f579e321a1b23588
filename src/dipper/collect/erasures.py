"""Later events of an erased subject are refused: counted and never kept.

Which ids are erased is known only by keyed hashes, so asking costs a hash. The answers for ids that
are not erased are remembered until the next erasure.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

KeyedHash = Callable[[str], str | None]
"""Gives the keyed hash (hex) of an id that is erased, None of any other."""

_REMEMBERED_MAX = 65_536


class Erasures:
    """The erased ids. `erased` is None while nobody was ever erased."""

    def __init__(self, erased: KeyedHash | None = None) -> None:
        self._erased = erased
        self._others: set[str] = set()

    @property
    def is_needed(self) -> bool:
        """Whether anybody was ever erased."""
        return self._erased is not None

    def holds(self, subjects: Mapping[str, str]) -> bool:
        """Whether one of the ids is erased."""
        if self._erased is None or self._others.issuperset(subjects.values()):
            return False
        if self.hashes(subjects):
            return True
        if len(self._others) >= _REMEMBERED_MAX:
            self._others.clear()
        self._others.update(subjects.values())
        return False

    def hashes(self, subjects: Mapping[str, str]) -> list[str]:
        """The keyed hashes of those of the ids that are erased."""
        if self._erased is None:
            return []
        return [found for found in map(self._erased, subjects.values()) if found]

    def changed(self, erased: KeyedHash | None) -> None:
        """Ask anew from now on: somebody was erased, or came back."""
        self._erased = erased
        self._others.clear()
