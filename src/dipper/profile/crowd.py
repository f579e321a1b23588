"""A crowd of subjects of one kind in a tick, each one id alone, looked at all at once.

Their stored bytes are joined to one buffer in which the kernels find header and records themselves;
nothing is decoded for those who stand where they stood.
"""

from __future__ import annotations

import numpy as np

from dipper.engine.ports import StateReader
from dipper.fold.conditions import Flags, Numbers
from dipper.fold.tags import fold_buffer
from dipper.fold.windows import NEVER, changes_in_buffer, evaluation_moments
from dipper.kit.errors import Unavailable
from dipper.profile.evaluation import Known
from dipper.profile.gather import gather
from dipper.profile.id_state import BARE, HEADER_BYTES
from dipper.profile.identity import Key
from dipper.profile.segments import NO_MEMBERS, Standing, read_head, read_members, with_due
from dipper.profile.tags import KindTable, TagTable

Changed = dict[str, dict[bytes, bytes | None]]

_NOBODY = Standing(NEVER, {}).to_bytes()


class Crowd:
    """Collects subjects of one kind; `settle` finds out who has turned."""

    def __init__(
        self, reader: StateReader, table: TagTable, kind: KindTable, before_us: int, now_us: int
    ) -> None:
        assert kind.quick is not None
        self._reader, self._table, self._kind, self._quick = reader, table, kind, kind.quick
        self._before_us, self._now_us = before_us, now_us
        # The members as stored -> their row in `_announced`, for they are few different sets.
        self._sets: dict[bytes, int] = {NO_MEMBERS: 0}
        self._announced: list[list[bool]] = [[False] * len(kind.announced)]
        self._clear()

    def _clear(self) -> None:
        self._keys: list[Key] = []
        self._since: list[int] = []
        self._states: list[memoryview | bytes] = []

    def add(self, key: Key, since_us: int, data: memoryview | bytes) -> None:
        """A subject by its stored state, which may have turned from `since_us` on."""
        self._keys.append(key)
        self._since.append(since_us)
        self._states.append(data)

    def settle(self, changes: Changed) -> list[tuple[Key, int]]:
        """Give those who have turned; of all others note the next timer. Empties the crowd."""
        keys, since, states = self._keys, self._since, self._states
        if not keys or not self._kind.announced:
            self._clear()
            return []
        stored = [self._reader.view("segments", key) for key in keys]
        heads = [(NEVER, NO_MEMBERS) if value is None else read_head(value) for value in stored]
        turned, following = self._turned(states, np.array(since, dtype=np.int64), heads)
        for place in np.flatnonzero(~turned & (following != [due for due, _ in heads])).tolist():
            key, due_us, value = keys[place], int(following[place]), stored[place]
            _set_timer(changes, key, heads[place][0], due_us)
            if value is None:
                changes["segments"][key] = with_due(_NOBODY, due_us)
            else:
                changes["segments"][key] = with_due(value, due_us)
        self._clear()
        return [(keys[place], since[place]) for place in np.flatnonzero(turned).tolist()]

    def _turned(
        self,
        states: list[memoryview | bytes],
        since: Numbers,
        heads: list[tuple[int, bytes]],
    ) -> tuple[Flags, Numbers]:
        """Who has turned at some moment, and when each may change next by the clock alone."""
        evaluation, layout = self._kind.segments, self._kind.family.layout
        buffer, at, count = self._rows(states)
        after = np.full(len(states), self._before_us, dtype=np.int64)
        starts, moments, following = changes_in_buffer(
            buffer, at, count, layout.width, after, self._now_us, evaluation.watch
        )
        which, when = evaluation_moments(starts, moments, since, self._before_us, self._now_us)
        values, nulls = fold_buffer(
            buffer, at[which], count[which], layout.width, when, evaluation.fold
        )
        members = self._quick.members(values, nulls, which, self._known(states))
        announced = self._sets_of(heads)
        turned = np.zeros(len(states), dtype=np.bool_)
        turned[which[(members != announced[which]).any(axis=1)]] = True
        return turned, following

    def _rows(self, states: list[memoryview | bytes]) -> tuple[Numbers, Numbers, Numbers]:
        """All states in one buffer, where each one's records begin, and how many there are."""
        buffer = np.frombuffer(b"".join(states), dtype=np.int64)
        ends = np.cumsum([len(state) for state in states]) // 8
        begins = np.concatenate(([0], ends[:-1]))
        heads = buffer[begins]
        if ((heads >> 16) & 0xFFFF != self._table.layout_code).any():
            raise Unavailable(
                "the subject state has another program's layout",
                hint="It is being rebuilt from the log; come again.",
            )
        at = begins + HEADER_BYTES // 8 + ((heads >> 32) + 7) // 8
        return buffer, at, (ends - at) // self._kind.family.layout.width

    def _known(self, states: list[memoryview | bytes]) -> list[Known | None]:
        if not self._quick.facts:
            return []
        known: list[Known | None] = []
        for key, state in zip(self._keys, states, strict=True):
            found = None if state[1] & BARE else gather(self._reader, self._table, key)
            known.append(None if found is None else found.known(self._table.lines))
        return known

    def _sets_of(self, heads: list[tuple[int, bytes]]) -> Flags:
        """(subjects, segments): who was announced as a member."""
        known = self._sets
        for _, members in heads:
            if members not in known:
                known[members] = len(self._announced)
                names = set(read_members(members))
                self._announced.append([name in names for name, _ in self._kind.announced])
        rows = np.array(self._announced, dtype=np.bool_)
        return rows[[known[members] for _, members in heads]]


def timer_of(due_us: int, key: Key) -> bytes:
    """The key of a timer: in order of time."""
    return due_us.to_bytes(8, "big") + key


def _set_timer(changes: Changed, key: Key, old: int, new: int) -> None:
    timers = changes["timers"]
    if old != NEVER:
        timers.setdefault(timer_of(old, key), None)
    if new != NEVER:
        timers[timer_of(new, key)] = b""
