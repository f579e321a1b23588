"""Which events are already in the log: a fingerprint of (source, message id) to a content hash.

Kept by day of the sender's original time, because a resend repeats it; an event without one, or
far from its receipt, is searched under yesterday and today of its receipt. The index lives in
memory, 16 bytes a place, and is rebuilt from the log before a port opens; days behind `DAYS_KEPT`
are forgotten. Fingerprints are hashed with a key of this process: nobody outside can aim at one
place of the table (ADR 0004).
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum

import msgspec
import numpy as np

from dipper.collect.canonical import recorded_hash
from dipper.collect.fingerprints import Fingerprints
from dipper.collect.kernels.hashing import siphash
from dipper.engine.ports import Record
from dipper.engine.record import RecordKind
from dipper.kit.clock import DAY_US

DAYS_KEPT = 31
NO_TIME = -1
"""In place of the original time of an event that states none."""
_BY_RECEIPT = -1


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
    """The index of one partition; one thread."""

    def __init__(self, days_kept: int = DAYS_KEPT) -> None:
        self._days_kept = days_kept
        self._days: dict[int, Fingerprints] = {}
        self._today = 0
        self._keys: dict[str, np.ndarray] = {}

    def __len__(self) -> int:
        return sum(len(day) for day in self._days.values())

    def key_of(self, source: str) -> np.ndarray:
        """The hash key of a source's fingerprints: two words that die with this process."""
        found = self._keys.get(source)
        if found is None:
            # Python draws a key for its own hashes when the process starts.
            words = (hash(("fingerprint", half, source)) for half in range(2))
            found = self._keys[source] = np.array([*words], np.int64).view(np.uint64)
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
        today = self._turn(received_us)
        day = self._day(between_us[0], today)
        if day != _BY_RECEIPT and between_us[1] // DAY_US == day:
            known = (self._days.get(day) or self._open(day)).enter(keys, contents)
            if known is None:
                return None
        else:
            known = np.array(
                [
                    self._enter(keys[place], contents[place], original_us, today)
                    for place, original_us in enumerate(originals_us.tolist())
                ]
            )
            if not known.any():
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
        today = self._turn(received_us)
        key = self._failed_key(source, message_id, content)
        return bool(self._enter(np.int64(key), np.int64(1), NO_TIME, today))

    def forget(self, kind: RecordKind, payload: bytes) -> None:
        """Take a record's entry out: its append failed, or its subject is erased."""
        key, day = self._place(kind, IDENTIFIED.decode(payload))
        table = self._days.get(day)
        if table is not None:
            table.remove(key)

    def rebuild(self, records: Iterable[Record]) -> int:
        """Enter what the log holds, in order. Gives the number of entries."""
        days: dict[int, list[tuple[int, int]]] = {}
        for record in records:
            if record.erased or record.kind == RecordKind.CONTROL:
                continue
            fields = IDENTIFIED.decode(record.payload)
            self._turn(fields.received_us)
            key, day = self._place(record.kind, fields)
            value = 1
            if record.kind == RecordKind.EVENT:
                value = recorded_hash(record.payload, fields.content)
            days.setdefault(day, []).append((key, value))
        for day, entries in days.items():
            keys, values = np.array(entries, np.int64).T
            table = self._days.get(day) or self._open(day)
            table.enter(np.ascontiguousarray(keys), np.ascontiguousarray(values))
        return len(self)

    def _place(self, kind: RecordKind, record: Identified) -> tuple[int, int]:
        """The key of a record and the day under which it stands."""
        today = record.received_us // DAY_US
        if kind == RecordKind.FAILED:
            return self._failed_key(record.source, record.message_id, record.content), today
        original_us = NO_TIME if record.original_us is None else record.original_us
        day = self._day(original_us, today)
        key = self.fingerprint(record.source, record.message_id)
        return key, today if day == _BY_RECEIPT else day

    def _failed_key(self, source: str, message_id: str, content: int) -> int:
        return self.fingerprint(source, f"failed {content} {message_id}")

    def _day(self, original_us: int, today: int) -> int:
        """The day of an event's original time, or _BY_RECEIPT without one near enough."""
        day = original_us // DAY_US
        return day if today - self._days_kept < day <= today + 1 else _BY_RECEIPT

    def _enter(self, key: np.int64, value: np.int64, original_us: int, today: int) -> int:
        """Enter one under its day. By receipt, yesterday's are searched too."""
        day = self._day(original_us, today)
        if day == _BY_RECEIPT:
            day = today
            yesterday = self._days.get(today - 1)
            known = yesterday.find(int(key)) if yesterday is not None else 0
            if known:
                return known
        table = self._days.get(day) or self._open(day)
        found = table.enter(np.array([key]), np.array([value]))
        return 0 if found is None else int(found[0])

    def _open(self, day: int) -> Fingerprints:
        table = self._days[day] = Fingerprints()
        return table

    def _turn(self, received_us: int) -> int:
        """The day of receipt; when a new one begins, the oldest are forgotten."""
        today = received_us // DAY_US
        if today > self._today:
            self._today = today
            for day in [day for day in self._days if day <= today - self._days_kept]:
                del self._days[day]
        return today
