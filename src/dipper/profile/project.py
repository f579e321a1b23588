"""One step of the projection: a batch of records becomes changes of the state, and nothing else.

The step reads the log's records and the state before them; no clock, no configuration but the
compiled program. So a replay arrives at the same bytes, whatever the batches were. `runs` splits
what was read at the records behind which something else holds: those are acted on one by one.
"""

from __future__ import annotations

import struct
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

import msgspec

from dipper.engine.ports import Position, Record, StateReader
from dipper.engine.record import CONTROL_DECODER, EVENT_DECODER, Control, RecordKind
from dipper.kit.errors import Conflict
from dipper.profile.batch import Batch
from dipper.profile.erasure import erase_named, reinstate
from dipper.profile.id_state import NEVER_US
from dipper.profile.identity import Key
from dipper.profile.tags import TagTable

LAYOUT = b"layout"
LAST_TICK = b"last_tick"
_TIME = struct.Struct(">q")

# Records behind which another program, another time or another set of tombstones holds.
BARRIERS = frozenset({"spec_applied", "table_applied", "clock", "tick", "erased", "reinstated"})


@dataclass(frozen=True)
class Decided:
    """A decision that this batch has brought."""

    decision_id: str
    position: Position
    subject: str


@dataclass(frozen=True)
class Projected:
    """What a batch amounts to.

    `changes` are those of the state. `touched` are ids whose segments may have turned, with the
    earliest moment from which on. `failed` are records without effect, with the reason. `refused`
    counts events of erased subjects by source.
    """

    changes: dict[str, dict[bytes, bytes | None]]
    touched: dict[Key, int]
    failed: list[tuple[Position, str]]
    decisions: list[Decided]
    refused: dict[str, int]


def runs(records: Sequence[Record]) -> Iterator[tuple[Control | None, list[Record]]]:
    """Split into batches for `project`; a barrier comes alone, with its control record."""
    batch: list[Record] = []
    for record in records:
        control = None
        if record.kind == RecordKind.CONTROL and not record.erased:
            control = CONTROL_DECODER.decode(record.payload)
        if control is not None and control.type in BARRIERS:
            if batch:
                yield None, batch
            yield control, [record]
            batch = []
        else:
            batch.append(record)
    if batch:
        yield None, batch


def project(
    records: Sequence[Record],
    reader: StateReader,
    table: TagTable,
    *,
    erasure_key: bytes | None = None,
    skip: Collection[Position] = (),
) -> Projected:
    """The changes of one run of records (see `runs`).

    `skip` are quarantined positions. With `erasure_key` the events of erased ids are refused.
    Raises Conflict when the state has another program's layout: it must be cleared and rebuilt.
    """
    check_layout(reader, table)
    batch = Batch(reader, table, last_tick(reader), erasure_key)
    for record in records:
        if record.erased or record.kind == RecordKind.FAILED:
            continue
        if skip and (record.partition, record.offset) in skip:
            continue
        if record.kind == RecordKind.EVENT:
            try:
                event = EVENT_DECODER.decode(record.payload)
            except msgspec.DecodeError as error:
                position = Position(record.partition, record.offset)
                batch.failed.append((position, f"not an event: {error}"))
                continue
            batch.event(event, record)
        else:
            _control(batch, CONTROL_DECODER.decode(record.payload), erasure_key)
    return _projected(batch, reader, table)


def check_layout(reader: StateReader, table: TagTable) -> None:
    """Raises Conflict when the state was made for another layout of records."""
    stored = reader.get("meta", LAYOUT)
    if stored is not None and stored.decode() != table.layout:
        raise Conflict(
            "the subject state was projected with another layout of records",
            hint="Clear it and project the log again.",
        )


def last_tick(reader: StateReader) -> int:
    """The moment of the last tick, µs, or NEVER_US."""
    stored = reader.get("meta", LAST_TICK)
    return NEVER_US if stored is None else int(_TIME.unpack(stored)[0])


def pack_time(time_us: int) -> bytes:
    """A time as a value of the state."""
    return _TIME.pack(time_us)


def touched_ids(reader: StateReader) -> dict[Key, int]:
    """All ids touched since the last tick, with the earliest moment."""
    return {key: int(_TIME.unpack(value)[0]) for key, value in reader.scan("touched")}


def everyone(reader: StateReader, since_us: int) -> dict[bytes, bytes | None]:
    """All ids, as rows of `touched`: a program that was applied at a moment may turn every segment
    from then on, and turns none before."""
    return {key: pack_time(since_us) for key, _ in reader.scan("ids")}


def _control(batch: Batch, control: Control, erasure_key: bytes | None) -> None:
    if control.type == "erased":
        named = [bytes.fromhex(text) for text in control.body.get("ids", ())]
        changes = erase_named(batch.reader, batch.table, named, erasure_key, control.time_us)
    elif control.type == "reinstated":
        changes = reinstate(batch.reader, control.body["ids"], control.time_us)
    else:
        return
    for name, rows in changes.items():
        batch.changes.setdefault(name, {}).update(rows)


def _projected(batch: Batch, reader: StateReader, table: TagTable) -> Projected:
    changes = batch.finish()
    touched = batch.touched()
    if touched:
        changes["touched"] = _earlier(reader, touched)
    if reader.get("meta", LAYOUT) is None:
        changes.setdefault("meta", {})[LAYOUT] = table.layout.encode()
    decisions = [Decided(*decided) for decided in batch.decisions]
    return Projected(changes, touched, batch.failed, decisions, batch.refused)


def _earlier(reader: StateReader, touched: Mapping[Key, int]) -> dict[bytes, bytes | None]:
    changed: dict[bytes, bytes | None] = {}
    for key, since_us in touched.items():
        known = reader.view("touched", key)
        if known is None or since_us < _TIME.unpack(known)[0]:
            changed[key] = _TIME.pack(since_us)
    return changed
