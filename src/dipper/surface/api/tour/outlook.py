"""What the clock alone will change: when somebody leaves a segment, and which event's sliding out
of its window does it.

The same moments at which ticks look (`fold.windows`), looked at ahead: between two of them nothing
can turn without an event.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from dipper.fold.records import EVENT, MASK, TIME, WORD_BITS
from dipper.fold.windows import changes_between
from dipper.kit.clock import DAY_US
from dipper.profile.gather import Gathered
from dipper.profile.tags import KindTable, TagTable

AHEAD_US = 30 * DAY_US
MOMENTS_MAX = 600


class Sliding(NamedTuple):
    """An event that leaves a window: its name, and when it happened."""

    event: str
    time_us: int


class Turning(NamedTuple):
    """A segment that turns by the clock alone, and the events behind it."""

    segment: str
    is_member: bool
    at_us: int
    sliding: tuple[Sliding, ...]


def outlook(
    found: Gathered, table: TagTable, now_us: int, ahead_us: int = AHEAD_US
) -> list[Turning]:
    """The next turn of each segment within `ahead_us`, if nothing else happens; the soonest first.

    Looks at the first 600 moments at most.
    """
    kind = table.kinds[found.kind]
    known = found.known(table.lines)
    moments = changes_between(found.rows, now_us, now_us + ahead_us, kind.segments.watch)
    values = kind.segments.at(found.rows, now_us, known)
    standing = {name: bool(values[source]) for name, source in kind.announced}
    turned: dict[str, Turning] = {}
    for at_us in moments[:MOMENTS_MAX].tolist():
        values = kind.segments.at(found.rows, at_us, known)
        for name, source in kind.announced:
            is_member = bool(values[source])
            if name not in turned and is_member != standing[name]:
                turned[name] = Turning(name, is_member, at_us, _sliding(found, kind, at_us))
        if len(turned) == len(standing):
            break
    return list(turned.values())


def _sliding(found: Gathered, kind: KindTable, at_us: int) -> tuple[Sliding, ...]:
    """The records that leave a watched window exactly at a moment."""
    watch, names = kind.segments.watch, list(kind.family.rows.makers)
    leaving: dict[int, Sliding] = {}
    for bit in np.flatnonzero(np.diff(watch.first)).tolist():
        word, place = divmod(bit, WORD_BITS)
        held = (found.rows[:, MASK + word] >> place & 1).astype(bool)
        for window_us in watch.windows[watch.first[bit] : watch.first[bit + 1]].tolist():
            if window_us:
                gone = held & (found.rows[:, TIME] + window_us == at_us)
                for row in np.flatnonzero(gone).tolist():
                    record = found.rows[row]
                    leaving[row] = Sliding(names[int(record[EVENT])], int(record[TIME]))
    return tuple(leaving[row] for row in sorted(leaving))
