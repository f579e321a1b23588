"""Carries out an erasure after its record: log, lake, state, and a receipt with counts per store.

The record `erased` names ids only by keyed hash, so what belongs to them is found by reading the
log. The log is therefore emptied last: a worker that dies in the middle begins again and still
finds whose rows the lake may have. Every partition brings the order once; the receipt adds up. Whom
a new consent has brought back meanwhile keeps what was received since. A
record that other subjects share is written anew without the erased role (`restates`), before the
old one is emptied, so that their timelines keep the row and a rebuild comes to the same state.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import msgspec
import structlog

from dipper.app.served import Served
from dipper.app.workspace import Workspace
from dipper.collect.subjects import partition_of
from dipper.engine.ports import Entry, LogReader, Position, Record
from dipper.engine.record import (
    CONTROL_DECODER,
    EVENT_DECODER,
    EVENT_ENCODER,
    Control,
    Event,
    RecordKind,
)
from dipper.kit.hashing import hash128
from dipper.profile.erasure import FOREVER_US, erased_us, tombstone
from dipper.surface.append import Appender

log = structlog.get_logger("erasure")

RECEIPTS = "erasures"


class _Named(msgspec.Struct):
    """What of a record tells whose it is."""

    subjects: dict[str, str] = {}
    properties: msgspec.Raw = msgspec.Raw(b"{}")
    restates: str = ""


_NAMED = msgspec.json.Decoder(_Named)


class _Other(msgspec.Struct):
    other_id: str = ""


class Eraser:
    """Erases from everything but the subject state, which the projection has already cleaned."""

    def __init__(
        self,
        workspace: Workspace,
        erasure_key: bytes,
        served: Callable[[], Served | None],
        forget: Callable[[Sequence[str]], None] = lambda subjects: None,
    ) -> None:
        self._workspace = workspace
        self._key = erasure_key
        self._served = served
        self._forget = forget

    def erase(self, control: Control, reader: LogReader, appender: Appender) -> dict[str, Any]:
        """Do what the record orders; gives the receipt. Doing it twice changes nothing more."""
        identifier = str(control.body.get("erasure", ""))
        gone = {bytes.fromhex(text) for text in control.body["ids"]}
        ids, positions, restated = self._find(gone, reader, control.time_us)
        lake_rows = failed_rows = 0
        for until_us in set(ids.values()):
            some = sorted(text for text, end_us in ids.items() if end_us == until_us)
            lake_rows += self._workspace.lake.erase(some, until_us)
            failed_rows += self._workspace.failed_events.erase(some, until_us)
        self._workspace.state.compact()
        self._forget([hash128(text).hex() for text in ids])
        for partition, entries in restated.items():
            appender.append(partition, entries)
        records = appender.erase(positions) if positions else 0
        counts = {
            "log_records": records,
            "log_restated": sum(len(entries) for entries in restated.values()),
            "lake_rows": lake_rows,
            "failed_rows": failed_rows,
        }
        before = self._workspace.control.get(RECEIPTS, identifier) or {}
        receipt = {
            "status": "done",
            "time_us": control.time_us,
            "ids": len(control.body["ids"]),
            **{name: count + before.get(name, 0) for name, count in counts.items()},
            "models": "exempt: the next training leaves the person out",
        }
        self._workspace.control.put(RECEIPTS, identifier, receipt)
        log.info("erased", erasure=identifier, log_records=records, lake_rows=lake_rows)
        return receipt

    def resume(self, reader: LogReader, appender: Appender) -> None:
        """Finish erasures that a crash interrupted after their record was projected."""
        for identifier, document in self._workspace.control.items(RECEIPTS):
            if document["status"] == "ordered" and self._is_projected(document):
                body = {"erasure": identifier, "ids": document["hashes"]}
                control = Control(type="erased", time_us=document["time_us"], body=body)
                self.erase(control, reader, appender)

    def _is_projected(self, document: dict[str, Any]) -> bool:
        """Whether the state knows of the order; else the record is still to come."""
        marks = map(bytes.fromhex, document["hashes"])
        with self._workspace.state.read() as view:
            return all(erased_us(view, mark) >= document["time_us"] for mark in marks)

    def _find(
        self, gone: set[bytes], reader: LogReader, order_us: int
    ) -> tuple[dict[str, int | None], list[Position], dict[int, list[Entry]]]:
        """The ids with the moment from which each is accepted again (None: not yet), the records
        to empty, and what stands in for those that others keep."""
        marks: dict[str, bytes] = {}
        back: dict[bytes, int] = {}
        candidates: list[Record] = []
        already: set[str] = set()

        def is_named(text: str) -> bool:
            if text not in marks:
                marks[text] = tombstone(text, self._key)
            return marks[text] in gone

        for record in _records(reader):
            if record.kind == RecordKind.CONTROL:
                _note_reinstated(record, order_us, back)
            elif any(map(is_named, _ids_in(record))):
                candidates.append(record)
            elif b'"restates"' in record.payload:
                already.add(_NAMED.decode(record.payload).restates)
        positions: list[Position] = []
        restated: dict[int, list[Entry]] = {}
        for record in candidates:

            def is_gone(text: str, received_us: int = record.received_us) -> bool:
                return is_named(text) and received_us < back.get(marks[text], FOREVER_US)

            if not any(map(is_gone, _ids_in(record))):
                continue
            positions.append(Position(record.partition, record.offset))
            rest = self._without(record, is_gone)
            # One that died here before may have written some of them.
            if rest is not None and rest.restates not in already:
                home = partition_of(rest.subjects, reader.partitions())
                entry = Entry(RecordKind.EVENT, EVENT_ENCODER.encode(rest))
                restated.setdefault(home, []).append(entry)
        ids = {text: back.get(mark) for text, mark in marks.items() if mark in gone}
        return ids, positions, restated

    def _without(self, record: Record, is_gone: Callable[[str], bool]) -> Event | None:
        """The event as the remaining subjects keep it; None when none of them kept a row."""
        served = self._served()
        if record.kind != RecordKind.EVENT or served is None:
            return None
        event = EVENT_DECODER.decode(record.payload)
        keeping = served.roles_of(event.event)
        left = {role: text for role, text in event.subjects.items() if not is_gone(text)}
        if not any(role in keeping and role not in event.claims for role in left):
            return None
        personal = served.personal_properties
        properties = msgspec.json.decode(event.properties)
        kept = {name: value for name, value in properties.items() if name not in personal}
        return msgspec.structs.replace(
            event,
            subjects=left,
            claims=tuple(role for role in event.claims if role in left),
            properties=msgspec.Raw(msgspec.json.encode(kept)),
            token=None,
            restates=event.restates or f"{record.partition}:{record.offset}",
        )


def _records(reader: LogReader) -> Iterator[Record]:
    """All records that are not emptied."""
    for partition in range(reader.partitions()):
        start = 0
        while records := reader.read(partition, start, 5_000):
            start = records[-1].offset + 1
            for record in records:
                if not record.erased:
                    yield record


def _note_reinstated(record: Record, order_us: int, back: dict[bytes, int]) -> None:
    """Note since when ids are accepted again that the order at `order_us` has erased."""
    if not record.payload.startswith(b'{"type":"reinstated"'):
        return
    control = CONTROL_DECODER.decode(record.payload)
    for text, lifted_us in control.body["ids"].items():
        if lifted_us == order_us:
            mark = bytes.fromhex(text)
            back[mark] = min(control.time_us, back.get(mark, FOREVER_US))


def _ids_in(record: Record) -> list[str]:
    """The ids that an event names, that of a binding included."""
    named = _NAMED.decode(record.payload)
    found = [*named.subjects.values()]
    if b'"other_id"' in record.payload:
        found.append(_other_id(named))
    return [text for text in found if text]


def _other_id(named: _Named) -> str:
    try:
        return msgspec.json.decode(named.properties, type=_Other).other_id
    except msgspec.MsgspecError:
        return ""


def erasure_control(erasure: str, hashes: Sequence[bytes], now_us: int) -> Control:
    """The record that orders an erasure."""
    body = {"erasure": erasure, "ids": [found.hex() for found in hashes]}
    return Control(type="erased", time_us=now_us, body=body)
