"""Later events of an erased subject are refused: counted and never kept.

What an erased one shares with a living subject stays the living one's, without the erased role: an
organisation keeps what its operator did.

Which ids are erased is known only by keyed hashes, so asking costs a hash. The answers for ids that
are not erased are remembered until the next erasure.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence

KeyedHash = Callable[[str], str | None]
"""Gives the keyed hash (hex) of an id that is erased, None of any other."""

_REMEMBERED_MAX = 65_536


class Erasures:
    """The erased ids. `erased` is None while nobody was ever erased.

    `can_lift` says that whoever asks will tell all partitions of an id that is accepted again.
    """

    def __init__(self, erased: KeyedHash | None = None, *, can_lift: bool = False) -> None:
        self.can_lift = can_lift
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

    def left(
        self, subjects: Mapping[str, str], keeping: Sequence[str], claimed: Collection[str]
    ) -> dict[str, str]:
        """The ids that keep an event without the erased ones: none where it is to be refused.

        `keeping` are the roles that keep its row, of which those `claimed` are only stated. An
        event that names a person is that person's, though nobody proves it. A device that is
        bound to a living person from now on is refused no longer.
        """
        left = {role: text for role, text in subjects.items() if not self.hashes({role: text})}
        is_bound = "person" in left and "person" not in claimed
        if self.can_lift and is_bound and subjects.keys() - left.keys() == {"device"}:
            return dict(subjects)
        holders = [role for role in keeping if role in subjects] or ["device"]
        is_theirs = any(role in left for role in holders)
        is_held = any(role in left and role not in claimed for role in (*holders, "device"))
        return left if is_theirs and is_held else {}

    def changed(self, erased: KeyedHash | None) -> None:
        """Ask anew from now on: somebody was erased, or came back."""
        self._erased = erased
        self._others.clear()
