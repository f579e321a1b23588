"""Which events are already in the log: a fingerprint of (source, message id) to a content hash.

Kept by day of the sender's original time, because a resend repeats it; an event without one is
searched under yesterday and today of its receipt. The days around today are whole in memory, 16
bytes a place. Of other days memory holds only what no file holds yet, and sorted runs the rest;
they are read for events that claim such a day and for no others (ADR 0016).

Fingerprints are hashed with a secret key: nobody outside can aim at one place of the table. Pure:
whoever writes the runs tells the index by `saved`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from enum import IntEnum

import msgspec
import numpy as np

from dipper.collect.canonical import recorded_hashes
from dipper.collect.fingerprints import Fingerprints, look_up_sorted
from dipper.collect.kernels.hashing import siphash, siphash_each
from dipper.collect.unsaved import Unsaved
from dipper.engine.ports import Record
from dipper.engine.record import RecordKind
from dipper.engine.sorted_run import SortedRun, parts_of
from dipper.kit.clock import DAY_US

NO_TIME = -1
"""In place of the original time of an event that states none."""
DAY_MAX = 47_482
"""1 January 2100. Times behind it count for this day and those before 1970 for the first, so that
nobody can open days without end."""


class Verdict(IntEnum):
    """What the index says of an event."""

    NEW = 0
    DUPLICATE = 1
    CONFLICT = 2


class Identified(msgspec.Struct, frozen=True, gc=False):
    """The fields of a stored event or failed event by which a copy is known."""

    source: str
    received_us: int
    message_id: str = ""
    original_us: int | None = None
    content: int = 0


IDENTIFIED = msgspec.json.Decoder(Identified)


class Duplicates:
    """The index of one partition; one thread.

    `key` hashes fingerprints: the same for all processes that share runs; without one it dies with
    this process. `unsaved` is what no run holds yet; without `is_saved` nobody asks for it.
    """

    def __init__(self, key: bytes | None = None, *, is_saved: bool = False) -> None:
        # Python draws a key for its own hashes when the process starts.
        self._key = key or b"%d" % hash("fingerprint")
        self._keys: dict[str, np.ndarray] = {}
        self._today = 0
        self._near: dict[int, Fingerprints] = {}
        self._far: dict[int, Fingerprints] = {}
        self.runs: Sequence[SortedRun] = ()
        """What files hold."""
        self.unsaved = Unsaved() if is_saved else None

    @property
    def held(self) -> int:
        """Entries in memory."""
        return sum(len(table) for days in (self._near, self._far) for table in days.values())

    def key_of(self, source: str) -> np.ndarray:
        """The hash key of a source's fingerprints, two words."""
        found = self._keys.get(source)
        if found is None:
            words = hashlib.blake2b(source.encode(), key=self._key, digest_size=16).digest()
            found = self._keys[source] = np.frombuffer(words, np.uint64).copy()
        return found

    def fingerprint(self, source: str, message_id: str) -> int:
        """The fingerprint of one message id."""
        raw = message_id.encode()
        key = self.key_of(source)
        return int(siphash(key[0], key[1], np.frombuffer(raw + bytes(8), np.uint8), 0, len(raw)))

    def check(
        self,
        keys: np.ndarray,
        originals_us: np.ndarray,
        contents: np.ndarray,
        received_us: int,
        *,
        between_us: tuple[int, int],
    ) -> list[Verdict] | None:
        """Look up good events, given by fingerprint, in order, and enter the new ones.

        None when all are new, which is the usual case. A conflict (same id, other content) is not
        entered. Arrays are int64; NO_TIME stands for an event without original time. All times lie
        between the two of `between_us`, which saves looking at each when they are of one day.
        """
        if not len(keys):
            return None
        today = self.turn(received_us)
        day = between_us[0] // DAY_US
        if 0 <= day <= DAY_MAX and between_us[1] // DAY_US == day:
            known = self._enter(day, keys, contents)
        else:
            known = self._enter_mixed(keys, originals_us, contents, today)
        if known is None:
            return None
        return [
            Verdict.NEW
            if not value
            else Verdict.DUPLICATE
            if value == content
            else Verdict.CONFLICT
            for value, content in zip(known.tolist(), contents.tolist(), strict=True)
        ]

    def check_failed(self, source: str, message_id: str, content: int, received_us: int) -> bool:
        """Whether the same failed event was kept before; enters it when not.

        Failed events are known by id and content together: after a mended plan a resend may be
        good, and it must not be taken for a duplicate then.
        """
        today = self.turn(received_us)
        key = self.fingerprint(source, _failed_id(message_id, content))
        return bool(self._enter_by_receipt(np.array([key]), np.array([1]), today))

    def place(self, kind: RecordKind, payload: bytes) -> tuple[int, int]:
        """Under which day and fingerprint a record stands."""
        record = IDENTIFIED.decode(payload)
        name = record.message_id
        if kind == RecordKind.FAILED:
            name = _failed_id(name, record.content)
        return _day_of(kind, record), self.fingerprint(record.source, name)

    def forget(self, day: int, key: int) -> None:
        """Take an entry out of memory: its append failed, or its subject is erased."""
        for days in (self._near, self._far):
            if day in days:
                days[day].remove(key)
        if self.unsaved is not None:
            self.unsaved.forget(day, key)

    def rebuild(self, records: Iterable[Record]) -> int:
        """Enter what the log holds and no run does, in order. Gives the entries in memory."""
        records = [r for r in records if not r.erased and r.kind != RecordKind.CONTROL]
        found = [IDENTIFIED.decode(record.payload) for record in records]
        if not found:
            return self.held
        self.turn(max(fields.received_us for fields in found))
        values = recorded_hashes(
            [record.payload for record in records],
            # Of a failed event only the id matters, which has its content in it.
            [
                1 if record.kind == RecordKind.FAILED else fields.content
                for record, fields in zip(records, found, strict=True)
            ],
        )
        days = [_day_of(record.kind, fields) for record, fields in zip(records, found, strict=True)]
        self._enter_by_day(np.array(days), self._fingerprints(records, found), values)
        return self.held

    def adopt(self, runs: Sequence[SortedRun]) -> None:
        """Take these runs for all that files hold. Days around today are read into memory."""
        self.runs = runs
        for day in self._window():
            self._bring_near(day)

    def saved(self, count: int, runs: Sequence[SortedRun]) -> None:
        """The first `count` unsaved rows stand in these runs now: memory need not hold them."""
        assert self.unsaved is not None
        self.runs = runs
        self.unsaved.drop(count)
        self._far = {}
        rows = self.unsaved.rows()
        for day, pairs in parts_of(rows[~np.isin(rows[:, 0], [*self._near])]):
            table = self._far[day] = Fingerprints()
            table.enter(*_columns(pairs))

    def turn(self, received_us: int) -> int:
        """The day of receipt; when a new one begins, the days around it come into memory."""
        today = received_us // DAY_US
        if today > self._today:
            self._today = today
            window = self._window()
            for day in [day for day in self._near if day not in window]:
                self._far[day] = self._near.pop(day)
            for day in window:
                self._bring_near(day)
        return today

    def _window(self) -> range:
        return range(self._today - 1, self._today + 2)

    def _bring_near(self, day: int) -> None:
        """Hold a day whole, if anything is known of it."""
        parts = [run.part(day) for run in self.runs if day in run.days]
        table = self._near.get(day) or self._far.pop(day, None)
        if table is None and parts:
            table = Fingerprints()
        if table is not None:
            self._near[day] = table
            for pairs in parts:
                table.enter(*_columns(pairs))

    def _enter(self, day: int, keys: np.ndarray, values: np.ndarray) -> np.ndarray | None:
        """Enter many of one day; None when all were new, else the values that they had, or 0."""
        known = None
        table = self._near.get(day)
        if table is None:
            table = self._far.get(day) or self._open(day)
            if day not in self._near:
                known = self._in_runs(day, keys)
        return table.enter(keys, values, known, self.unsaved, day)

    def _open(self, day: int) -> Fingerprints:
        days = self._near if day in self._window() else self._far
        table = days[day] = Fingerprints()
        return table

    def _in_runs(self, day: int, keys: np.ndarray) -> np.ndarray | None:
        """The values that runs have for fingerprints of a day, or 0; None without such a run."""
        known = None
        for run in self.runs:
            if day in run.days:
                known = np.zeros(len(keys), np.int64) if known is None else known
                look_up_sorted(run.part(day), keys, known)
        return known

    def _enter_mixed(
        self, keys: np.ndarray, originals_us: np.ndarray, values: np.ndarray, today: int
    ) -> np.ndarray | None:
        """Enter events of several days. Where one has no time the order counts: one by one."""
        untimed = originals_us == NO_TIME
        days = np.clip(originals_us // DAY_US, 0, DAY_MAX)
        if not untimed.any():
            return self._enter_by_day(days, keys, values)
        known = np.zeros(len(keys), np.int64)
        for place, day in enumerate(days.tolist()):
            key, value = keys[place : place + 1], values[place : place + 1]
            if untimed[place]:
                known[place] = self._enter_by_receipt(key, value, today)
            else:
                found = self._enter(day, key, value)
                known[place] = 0 if found is None else found[0]
        return known if known.any() else None

    def _enter_by_day(
        self, days: np.ndarray, keys: np.ndarray, values: np.ndarray
    ) -> np.ndarray | None:
        known = np.zeros(len(keys), np.int64)
        order = np.argsort(days, kind="stable")
        for places in np.split(order, np.flatnonzero(np.diff(days[order])) + 1):
            found = self._enter(int(days[places[0]]), keys[places], values[places])
            if found is not None:
                known[places] = found
        return known if known.any() else None

    def _enter_by_receipt(self, key: np.ndarray, value: np.ndarray, today: int) -> int:
        """Enter one under today unless yesterday has it; the value that it had, or 0."""
        yesterday = self._near.get(today - 1) or self._far.get(today - 1)
        known = yesterday.find(int(key[0])) if yesterday is not None else 0
        if not known and today - 1 not in self._near:
            in_runs = self._in_runs(today - 1, key)
            known = 0 if in_runs is None else int(in_runs[0])
        if known:
            return known
        found = self._enter(today, key, value)
        return 0 if found is None else int(found[0])

    def _fingerprints(self, records: Sequence[Record], found: Sequence[Identified]) -> np.ndarray:
        """The fingerprints of many records, as `place` gives them."""
        by_source: dict[str, list[int]] = {}
        for place, fields in enumerate(found):
            by_source.setdefault(fields.source, []).append(place)
        keys = np.zeros(len(found), np.int64)
        for source, places in by_source.items():
            names = [
                _failed_id(found[place].message_id, found[place].content).encode()
                if records[place].kind == RecordKind.FAILED
                else found[place].message_id.encode()
                for place in places
            ]
            ends = np.cumsum([len(name) for name in names])
            text = np.frombuffer(b"".join(names) + bytes(8), np.uint8)
            key = self.key_of(source)
            keys[places] = siphash_each(key[0], key[1], text, ends)
        return keys


def _failed_id(message_id: str, content: int) -> str:
    return f"failed {content} {message_id}"


def _day_of(kind: RecordKind, record: Identified) -> int:
    """The day under which a record stands."""
    original_us = record.original_us
    if kind == RecordKind.FAILED or original_us is None or original_us == NO_TIME:
        return record.received_us // DAY_US
    return min(max(original_us // DAY_US, 0), DAY_MAX)


def _columns(pairs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return np.ascontiguousarray(pairs[:, 0]), np.ascontiguousarray(pairs[:, 1])
