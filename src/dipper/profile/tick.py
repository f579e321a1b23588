"""What the clock does: at a tick, who has entered or left a segment since the last one, and when.

Looked at are the subjects that a batch has touched and those whose timer is due. Membership is
evaluated at every moment at which a watched tag may have changed, so that each turn is announced
with its exact crossing time, and a person leaves a segment when an event slides out of its window
though nothing has happened.

What was announced stays. When a late event or a new binding contradicts an announcement, a
correction follows it; a late turn that no announcement has passed over yet is announced as a turn,
at its time.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import compress, islice

import numpy as np

from dipper.engine.ports import StateReader
from dipper.engine.record import Event
from dipper.expr.dates import truncate_moment
from dipper.fold.conditions import Flags, Numbers
from dipper.fold.tags import fold_many
from dipper.fold.windows import NEVER, changes_between, changes_of_many, evaluation_moments
from dipper.kit.clock import HOUR_US
from dipper.profile.crowd import Crowd, timer_of
from dipper.profile.evaluation import Known
from dipper.profile.gather import Gathered, gather, read_stored
from dipper.profile.id_state import ALONE, KIND_MASK, NEVER_US
from dipper.profile.identity import KINDS, Key, Ownership
from dipper.profile.project import LAST_TICK, last_tick, pack_time, touched_ids
from dipper.profile.segments import Announced, Standing, Turn, announcement, read_standing
from dipper.profile.tags import KindTable, TagTable

SUBJECTS_AT_ONCE = 2_000
MOMENTS_AT_ONCE = 256

Changed = dict[str, dict[bytes, bytes | None]]


@dataclass(frozen=True)
class Ticked:
    """Changes of the state, and what is to be appended to the log before they are written."""

    changes: Changed
    announcements: list[Event]


@dataclass
class _Due:
    """A subject to look at: what was announced of it, and from when on it may be another.

    `before` are the timers that its ids have.
    """

    found: Gathered
    key: Key
    standing: Standing
    before: dict[Key, int]
    known: Known
    since_us: int
    has_turned: bool = False


def tick(
    reader: StateReader, table: TagTable, touched: Mapping[Key, int] | None, now_us: int
) -> Ticked:
    """The turns up to `now_us`. `touched` are the ids touched since the last tick (`touched_ids`
    when None).

    The caller appends the announcements first and writes the changes, with the position behind the
    tick's record, when these are on disk. After a crash in between the same announcements come out
    again, with the same ids.
    """
    before_us = last_tick(reader)
    pending = touched_ids(reader) if touched is None else touched
    changes: Changed = {
        "meta": {LAST_TICK: pack_time(now_us)},
        "touched": dict.fromkeys(pending),
        "segments": {},
        "timers": {},
    }
    step = _Tick(reader, table, before_us if before_us != NEVER_US else now_us, now_us, changes)
    starts = step.starts(pending)
    while some := list(islice(starts, SUBJECTS_AT_ONCE)):
        part = list(step.subjects(step.unsettled(some), pending))
        for kind in dict.fromkeys(due.found.kind for due in part):
            step.look([due for due in part if due.found.kind == kind], table.kinds[kind])
    return Ticked(changes, step.announcements)


def passed_over(reader: StateReader, now_us: int) -> Ticked:
    """A tick at which time goes on and nobody is looked at: it is quarantined, or of a rebuild.

    Whoever waited for it waits no longer, else the next tick would meet the same subjects and break
    over them again: they are looked at with their next event or timer. (After a rebuild everybody
    is looked at.)
    """
    timers = reader.scan("timers", b"", (now_us + 1).to_bytes(8, "big"))
    changes: Changed = {
        "meta": {LAST_TICK: pack_time(now_us)},
        "touched": dict.fromkeys(touched_ids(reader)),
        "timers": dict.fromkeys(timer for timer, _ in timers),
    }
    return Ticked(changes, [])


class _Tick:
    """One tick from `before_us` (exclusive) to `now_us`."""

    def __init__(
        self, reader: StateReader, table: TagTable, before_us: int, now_us: int, changes: Changed
    ) -> None:
        self.reader, self.table = reader, table
        self.before_us, self.now_us = before_us, now_us
        self.changes = changes
        self.announcements: list[Event] = []
        self._seen: set[Key] = set()
        self._crowds = {
            KINDS.index(name): Crowd(reader, table, kind, before_us, now_us)
            for name, kind in table.kinds.items()
            if kind.quick is not None and name != "device"
        }

    # --- whom to look at --------------------------------------------------------------------

    def starts(self, pending: Mapping[Key, int]) -> Iterator[tuple[Key, int]]:
        """The touched ids, and the subjects whose timer is due."""
        yield from pending.items()
        end = (self.now_us + 1).to_bytes(8, "big")
        for timer, _ in self.reader.scan("timers", b"", end):
            self.changes["timers"].setdefault(timer, None)
            if timer[8:] not in pending:
                yield timer[8:], NEVER

    def unsettled(self, some: list[tuple[Key, int]]) -> list[tuple[Key, int]]:
        """Those of whom the quick look cannot say that they stand where they stood."""
        slow = []
        for key, since_us in some:
            data = self.reader.view("ids", key)
            if data is None:
                continue
            flags = data[1]
            crowd = self._crowds.get(flags & KIND_MASK) if flags & ALONE else None
            if crowd is None:
                slow.append((key, since_us))
            else:
                crowd.add(key, since_us, data)
        for crowd in self._crowds.values():
            slow += crowd.settle(self.changes)
        return slow

    def subjects(
        self, starts: Iterable[tuple[Key, int]], pending: Mapping[Key, int]
    ) -> Iterator[_Due]:
        """The subjects that these ids belong to, each once a tick."""
        for touched, touched_us in starts:
            owners = self._owners(touched)
            for start in (touched,) if owners is None else owners:
                if start in self._seen:
                    continue
                found = gather(self.reader, self.table, start)
                if found is None or not self.table.kinds[found.kind].announced:
                    continue
                self._seen.update(found.keys)
                times = [touched_us, *(pending.get(key, NEVER) for key in found.keys)]
                times += [pending.get(key, NEVER) for key, _, _ in found.devices]
                yield self._due(found, min(times))

    def _owners(self, key: Key) -> Iterable[Key] | None:
        """The persons whose records a device holds; None for an id that is its own subject."""
        stored = read_stored(self.reader, self.table, key)
        if stored is None or stored.header.kind != "device" or stored.header.is_plain:
            return None
        persons = Ownership(stored.facts().bindings).persons
        return sorted(persons) if persons else None

    def _due(self, found: Gathered, since_us: int) -> _Due:
        key = found.keys[0] if len(found.keys) == 1 else found.name()[1]
        stored = {
            own: read_standing(value)
            for own in found.keys
            if (value := self.reader.view("segments", own)) is not None
        }
        standing = stored[key] if stored.keys() == {key} else _united(stored.values())
        before = {own: said.due_us for own, said in stored.items()}
        return _Due(found, key, standing, before, found.known(self.table.lines), since_us)

    # --- what has turned --------------------------------------------------------------------

    def look(self, part: list[_Due], kind: KindTable) -> None:
        """Evaluate subjects of one kind at all moments that count, and note what has turned."""
        evaluation = kind.segments
        rows = np.concatenate([due.found.rows for due in part])
        ends = np.cumsum([len(due.found.rows) for due in part])
        begins = ends - [len(due.found.rows) for due in part]
        after = np.full(len(part), self.before_us, dtype=np.int64)
        starts, moments, following = changes_of_many(
            rows, begins, ends, after, self.now_us, evaluation.watch
        )
        since = np.array([due.since_us for due in part], dtype=np.int64)
        which, when = evaluation_moments(starts, moments, since, self.before_us, self.now_us)
        folded = fold_many(rows, begins[which], ends[which], when, evaluation.fold)
        members = _members(kind, *folded, which, when, [due.known for due in part])
        paths: list[list[tuple[int, frozenset[str]]]] = [[] for _ in part]
        for s, moment_us, now in zip(which.tolist(), when.tolist(), members, strict=True):
            paths[s].append((moment_us, now))
        for s, due in enumerate(part):
            self._announce(due, kind, paths[s])
            self._set(due, kind, int(following[s]))

    def _announce(self, due: _Due, kind: KindTable, path: list[tuple[int, frozenset[str]]]) -> None:
        members = due.standing.members & kind.rules.keys()
        for moment_us, now in path:
            turned = sorted(members ^ now)
            past = _Past(due, kind, moment_us) if turned and moment_us <= self.before_us else None
            for segment in turned:
                is_member = segment in now
                crossing_us = moment_us if past is None else past.crossing_us(segment, is_member)
                self._turn(due, kind, segment, is_member, crossing_us)
            members = now

    def _turn(
        self, due: _Due, kind: KindTable, segment: str, is_member: bool, crossing_us: int
    ) -> None:
        known = due.standing.segments.get(segment)
        turn: Turn = "segment_entered" if is_member else "segment_left"
        if known is not None and known.crossing_us >= crossing_us:
            turn = "segment_corrected"
        said = Announced(is_member, crossing_us, self.now_us)
        due.standing.segments[segment] = said
        due.has_turned = True
        text = due.found.name()[0]
        event = announcement(
            turn, text, due.found.kind, segment, kind.rules[segment], self.table.program, said
        )
        self.announcements.append(event)

    def _set(self, due: _Due, kind: KindTable, following_us: int) -> None:
        """Store what was announced, and the timer for the next change by the clock alone."""
        if kind.segments.reads_now:
            following_us = min(following_us, truncate_moment("hour", self.now_us) + HOUR_US)
        is_same = due.before.keys() == {due.key} or not due.before
        if is_same and not due.has_turned and due.standing.due_us == following_us:
            return
        due.standing.due_us = following_us
        timers, rows = self.changes["timers"], self.changes["segments"]
        for key, due_us in due.before.items():
            timers.setdefault(timer_of(due_us, key), None)
            if key != due.key:
                rows[key] = None
        if following_us != NEVER:
            timers[timer_of(following_us, due.key)] = b""
        rows[due.key] = due.standing.to_bytes()


class _Past:
    """A subject before a tick: when late turns took place. Each moment is evaluated once, whatever
    has turned, from the last one back, MOMENTS_AT_ONCE of them together."""

    def __init__(self, due: _Due, kind: KindTable, until_us: int) -> None:
        self._due, self._kind, self._until_us = due, kind, until_us
        rows = due.found.rows
        first = int(rows[0, 0]) if len(rows) else until_us
        since_us = max(due.since_us, min(first, until_us))
        moments = changes_between(rows, since_us - 1, until_us, kind.segments.watch)
        self._moments: list[int] = moments.tolist()[::-1]
        self._members: list[frozenset[str]] = []

    def crossing_us(self, segment: str, is_member: bool) -> int:
        """Back from `until_us` to where membership was another."""
        crossing_us = self._until_us
        for place, moment_us in enumerate(self._moments):
            if place == len(self._members):
                self._members += self._evaluated(place)
            if (segment in self._members[place]) != is_member:
                return crossing_us
            crossing_us = moment_us
        return crossing_us

    def _evaluated(self, place: int) -> list[frozenset[str]]:
        """To what the subject belonged at the next moments."""
        when = np.array(self._moments[place : place + MOMENTS_AT_ONCE], dtype=np.int64)
        rows, which = self._due.found.rows, np.zeros(len(when), dtype=np.int64)
        folded = fold_many(rows, which, which + len(rows), when, self._kind.segments.fold)
        return _members(self._kind, *folded, which, when, [self._due.known])


def _members(
    kind: KindTable,
    values: Numbers,
    nulls: Flags,
    which: Numbers,
    when: Numbers,
    known: Sequence[Known],
) -> list[frozenset[str]]:
    """To which announced segments subjects belong at moments (µs). For each there is what was
    folded, and whose it is: a place in `known`."""
    names = [name for name, _ in kind.announced]
    if kind.quick is not None:
        found = kind.quick.members(values, nulls, which, known)
        return [frozenset(compress(names, row)) for row in found.tolist()]
    evaluation, whose = kind.segments, which.tolist()
    plain = evaluation.plain(values, nulls, [known[s].texts for s in whose])
    members = []
    for one, s, moment_us in zip(plain, whose, when.tolist(), strict=True):
        all_values = evaluation.environment(one, known[s], moment_us)
        members.append(frozenset(name for name, source in kind.announced if all_values[source]))
    return members


def _united(standings: Iterable[Standing]) -> Standing:
    """What was announced of ids that have become one subject: of each segment the last word."""
    united = Standing(NEVER, {})
    for standing in standings:
        for segment, said in standing.segments.items():
            known = united.segments.get(segment)
            if known is None or (said.tick_us, said) > (known.tick_us, known):
                united.segments[segment] = said
    return united
