"""Which events are already in the log: a fingerprint of (source, message id) to a content hash.

Kept by day of the sender's original time, because a resend repeats it; an event without one, or
far from its receipt, is searched under yesterday and today of its receipt. The index lives in
memory, 16 bytes a place, and is rebuilt from the log before a port opens; days behind `DAYS_KEPT`
are forgotten. Fingerprints are Python's keyed string hashes: they die with the process, and
nobody outside can aim at one place of the table (ADR 0004).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import IntEnum
from typing import cast

import msgspec

from dipper.collect.canonical import recorded_hash
from dipper.collect.fingerprints import Fingerprints
from dipper.engine.ports import Record
from dipper.engine.record import RecordKind
from dipper.kit.clock import DAY_US

DAYS_KEPT = 31
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

    def __len__(self) -> int:
        return sum(len(day) for day in self._days.values())

    def check(
        self,
        source: str,
        message_ids: Sequence[str],
        originals_us: Sequence[int | None],
        contents: Sequence[int],
        received_us: int,
    ) -> list[Verdict] | None:
        """Look up good events of one source, in order, and enter the new ones.

        None when all are new, which is the usual case. A conflict (same id, other content) is not
        entered.
        """
        today = self._turn(received_us)
        salt = hash(source)
        keys = [hash(message_id) ^ salt for message_id in message_ids]
        day = self._one_day(originals_us, today)
        if day != _BY_RECEIPT:
            known = (self._days.get(day) or self._open(day)).enter_all(keys, contents)
        else:
            known = [
                self._enter(key, content, self._day(original_us, today), today)
                for key, content, original_us in zip(keys, contents, originals_us, strict=True)
            ]
        if known is None or not any(known):
            return None
        return [
            Verdict.NEW
            if not value
            else Verdict.DUPLICATE
            if value == content
            else Verdict.CONFLICT
            for value, content in zip(known, contents, strict=True)
        ]

    def check_failed(self, source: str, message_id: str, content: int, received_us: int) -> bool:
        """Whether the same failed event was kept before; enters it when not.

        Failed events are known by id and content together: after a mended plan a resend may be
        good, and it must not be taken for a duplicate then.
        """
        today = self._turn(received_us)
        key = _failed_key(source, message_id, content)
        return bool(self._enter(key, 1, _BY_RECEIPT, today))

    def forget(self, kind: RecordKind, payload: bytes) -> None:
        """Take a record's entry out: its append failed, or its subject is erased."""
        key, day = self._place(kind, IDENTIFIED.decode(payload))
        table = self._days.get(day)
        if table is not None:
            table.remove(key)

    def rebuild(self, records: Iterable[Record]) -> int:
        """Enter what the log holds, in order. Gives the number of entries."""
        for record in records:
            if record.erased or record.kind == RecordKind.CONTROL:
                continue
            fields = IDENTIFIED.decode(record.payload)
            self._turn(fields.received_us)
            key, day = self._place(record.kind, fields)
            value = 1
            if record.kind == RecordKind.EVENT:
                value = recorded_hash(record.payload, fields.content)
            (self._days.get(day) or self._open(day)).enter(key, value)
        return len(self)

    def _place(self, kind: RecordKind, record: Identified) -> tuple[int, int]:
        """The key of a record and the day under which it stands."""
        today = record.received_us // DAY_US
        if kind == RecordKind.FAILED:
            return _failed_key(record.source, record.message_id, record.content), today
        day = self._day(record.original_us, today)
        return hash(record.message_id) ^ hash(record.source), today if day == _BY_RECEIPT else day

    def _day(self, original_us: int | None, today: int) -> int:
        """The day of an event's original time, or _BY_RECEIPT without one near enough."""
        if original_us is None:
            return _BY_RECEIPT
        day = original_us // DAY_US
        return day if today - self._days_kept < day <= today + 1 else _BY_RECEIPT

    def _one_day(self, originals_us: Sequence[int | None], today: int) -> int:
        """The day of all these times, or _BY_RECEIPT when they have no single one."""
        if not originals_us or None in originals_us:
            return _BY_RECEIPT
        times = cast(Sequence[int], originals_us)
        day = self._day(min(times), today)
        return day if max(times) // DAY_US == day else _BY_RECEIPT

    def _enter(self, key: int, value: int, day: int, today: int) -> int:
        """Enter one under its day. By receipt, yesterday's are searched too."""
        known = 0
        if day == _BY_RECEIPT:
            day = today
            yesterday = self._days.get(today - 1)
            known = yesterday.find(key) if yesterday is not None else 0
        return known or (self._days.get(day) or self._open(day)).enter(key, value)

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


def _failed_key(source: str, message_id: str, content: int) -> int:
    return hash((source, message_id, content, "failed"))
