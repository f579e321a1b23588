"""Which ids are one subject, and whose a device's records are: pure rules over sets of bindings.

Person ids (and those of organisations, cases ...) join while their pair is bound; what counts for a
pair is its last binding in timeline order. A device never joins persons: it is bound to one person
after another, and each of its records belongs to whoever had it then.

A server names person and device in most of its events, each time binding the pair. Of those of one
pair on one day (UTC) the first and the last are kept: enough to follow a device that people share
from day to day, at most two entries a day, and still a function of the set of bindings.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from dipper.fold.records import CLAIM, TIME, Matrix
from dipper.kit.clock import DAY_US
from dipper.kit.hashing import hash128

Key = bytes
"""hash128 of an id."""

OrderKey = tuple[int, int, int]
"""(time_us, seq, order): the order inside a timeline."""

KINDS = ("person", "organisation", "case", "device", "account", "terminal")

# id type -> (subject kind, priority); every other type is a person's, priority 1.
ID_TYPES: dict[str, tuple[str, int]] = {
    "customer_no": ("person", 0),
    "org_no": ("organisation", 0),
    "case_no": ("case", 0),
    "account": ("account", 0),
    "terminal": ("terminal", 0),
    "device": ("device", 2),
}


class Link(NamedTuple):
    """The last word about a pair of ids of one kind."""

    time_us: int
    seq: int
    order: int
    is_bound: bool


class Binding(NamedTuple):
    """A person was bound to a device, or no longer, at a moment of the timeline."""

    time_us: int
    seq: int
    order: int
    is_bound: bool
    person: Key


def id_type(text: str) -> str:
    """The type of an id `idtype:value`."""
    return text.partition(":")[0]


def priority(text: str) -> int:
    """0 for core ids, 1 for logins and the like, 2 for devices."""
    return ID_TYPES.get(id_type(text), ("person", 1))[1]


def claim_of(key: Key) -> int:
    """The 8 bytes of a person's key that a record carries as its claim; never 0."""
    return int.from_bytes(key[:8], "little", signed=True) or 1


def rank(text: str) -> tuple[int, Key]:
    """(priority, hash of id): the smallest names the subject."""
    return priority(text), hash128(text)


def surviving(ids: Iterable[str]) -> str:
    """The id whose key names the subject."""
    return min(ids, key=rank)


def later(known: Link | None, new: Link) -> Link:
    """The later of two words about a pair."""
    return new if known is None or new > known else known


def component(start: Key, links_of: Callable[[Key], Mapping[Key, Link]]) -> list[Key]:
    """All ids that join with `start`, sorted. Both ids of a pair know their link."""
    found = {start}
    waiting = [start]
    while waiting:
        for other, link in links_of(waiting.pop()).items():
            if link.is_bound and other not in found:
                found.add(other)
                waiting.append(other)
    return sorted(found)


def keep_binding(bindings: Sequence[Binding], new: Binding) -> list[Binding]:
    """The bindings with a new one, in timeline order: first and last of a pair, word and day."""
    day = new.time_us // DAY_US
    same: list[Binding] = [new]
    kept: list[Binding] = []
    for binding in bindings:
        is_same = (
            binding.person == new.person
            and binding.is_bound == new.is_bound
            and binding.time_us // DAY_US == day
        )
        (same if is_same else kept).append(binding)
    kept += {min(same), max(same)}
    return sorted(kept)


class Ownership:
    """Whose a device is at each moment."""

    def __init__(self, bindings: Sequence[Binding]) -> None:
        """`bindings` in timeline order."""
        self._times: list[int] = []
        self._owners: list[Key | None] = []
        bound: dict[Key, None] = {}
        self.first: Key | None = None
        for binding in bindings:
            bound.pop(binding.person, None)
            if binding.is_bound:
                bound[binding.person] = None
                self.first = self.first or binding.person
            self._times.append(binding.time_us)
            self._owners.append(next(reversed(bound), None))
        self.bound = frozenset(bound)
        self._claims = {claim_of(person): person for person in bound}
        self.persons = frozenset(binding.person for binding in bindings)

    def at(self, time_us: int, claim: int = 0) -> Key | None:
        """The person to whom the device's record of that moment belongs; None: to the device.

        A claimed person who is bound now; else the last bound by then; before the first binding
        the first who was ever bound.
        """
        if claim in self._claims:
            return self._claims[claim]
        place = bisect_right(self._times, time_us)
        return self._owners[place - 1] if place else self.first

    @property
    def only(self) -> Key | None:
        """The person to whom everything belongs, if there was only ever one and no unbinding."""
        return self.first if len(self.persons) == 1 and None not in self._owners else None

    def rows_of(self, rows: Matrix, persons: frozenset[Key | None]) -> Matrix:
        """Those of the device's rows that belong to one of these persons (None: to nobody)."""
        if self.only is not None:
            return rows if self.only in persons else rows[:0]
        if not self._times:
            return rows if None in persons else rows[:0]
        return rows[self._belong(rows, persons)]

    def _belong(self, rows: Matrix, persons: frozenset[Key | None]) -> npt.NDArray[np.bool_]:
        owned = [self.at(int(row[TIME]), int(row[CLAIM])) in persons for row in rows]
        return np.array(owned, dtype=bool)
