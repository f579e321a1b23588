"""Rows of a mapped file become events, and rows that cannot become failed events with a reason.

Columns are converted whole (Arrow), rows are then zipped: a loop a row with no look-ups in it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from dipper.engine.record import Event, FailedEvent, Trust
from dipper.feed.guess import snake_case
from dipper.feed.mapping import Map
from dipper.kit.clock import from_iso, to_datetime
from dipper.kit.errors import BadInput
from dipper.kit.ids import subject_id

_ARROW = {
    "text": pa.string(),
    "int": pa.int64(),
    "double": pa.float64(),
    "bool": pa.bool_(),
}
_PER_UNIT_US = {"epoch_s": 1_000_000, "epoch_ms": 1_000, "epoch_us": 1}


@dataclass(frozen=True)
class Origin:
    """Where rows come from: the declared source, its trust, the file's digest, time of receipt."""

    source: str
    trust: Trust
    file_digest: str
    received_us: int


def events(
    batch: pa.RecordBatch, mapping: Map, origin: Origin, first_row: int
) -> Iterator[Event | FailedEvent]:
    """One event or failed event a row, in row order; `first_row` is the file's row number."""
    count = batch.num_rows
    names = event_names(batch, mapping)
    times = _times(batch, mapping)
    seqs = _seqs(batch, mapping, first_row)
    keys = _message_ids(batch, mapping, origin, first_row)
    roles = list(mapping.subjects)
    ids = list(zip(*[_ids(batch, mapping, role) for role in roles], strict=True))
    envelope = [(name, _texts(batch.column(column))) for name, column in mapping.columns.items()]
    properties = _properties(batch, mapping)
    # Only public sources make claims: what a file's source says of ids is its own word.
    claims = ("person",) if origin.trust == "public" and "person" in roles else ()
    for row in range(count):
        subjects = {role: found for role, found in zip(roles, ids[row], strict=True) if found}
        reason = _wrong(names[row], times[row], subjects)
        if reason is not None:
            yield _failed(batch, row, reason, origin, keys[row], subjects)
            continue
        columns = {name: values[row] for name, values in envelope if values[row] is not None}
        yield Event(
            event=names[row],
            message_id=keys[row],
            source=origin.source,
            trust=origin.trust,
            time_us=times[row],
            original_us=times[row],
            received_us=origin.received_us,
            seq=seqs[row],
            subjects=subjects,
            claims=claims,
            properties=properties[row],
            **columns,
        )


def event_names(batch: pa.RecordBatch, mapping: Map) -> list[str | None]:
    """The event of every row, through the map's dictionary; None where the column is empty."""
    if mapping.event.value is not None:
        return [mapping.event.value] * batch.num_rows
    column = _texts(batch.column(mapping.event.column))
    known = dict(mapping.event.values)
    for value in set(column):
        if value is not None and value not in known:
            known[value] = snake_case(value)
    return [None if value is None else known[value] for value in column]


def _wrong(name: str | None, time_us: int | None, subjects: dict[str, str]) -> str | None:
    if not name:
        return "event: expected a name, got an empty cell"
    if time_us is None:
        return "time: expected a time, got an empty or unreadable cell"
    if not subjects:
        return "subjects: expected at least one id, got empty cells"
    return None


def _failed(
    batch: pa.RecordBatch,
    row: int,
    reason: str,
    origin: Origin,
    message_id: str,
    subjects: dict[str, str],
) -> FailedEvent:
    raw = msgspec.json.encode(batch.slice(row, 1).to_pylist()[0], enc_hook=str).decode()
    return FailedEvent(
        source=origin.source,
        received_us=origin.received_us,
        code="bad_row",
        reason=reason,
        raw=raw,
        message_id=message_id,
        subjects=subjects,
    )


def _texts(column: pa.Array) -> list[str | None]:
    return pc.cast(column, pa.string()).to_pylist()


def _ids(batch: pa.RecordBatch, mapping: Map, role: str) -> list[str | None]:
    subject = mapping.subjects[role]
    known: dict[str, str | None] = {}
    found: list[str | None] = []
    for value in _texts(batch.column(subject.column)):
        if not value:
            found.append(None)
            continue
        if value not in known:
            try:
                known[value] = subject_id(subject.type, value)
            except ValueError:
                known[value] = None
        found.append(known[value])
    return found


def _times(batch: pa.RecordBatch, mapping: Map) -> list[int | None]:
    column = batch.column(mapping.time.column)
    form = mapping.time.format
    if pa.types.is_timestamp(column.type):
        zone = None if column.type.tz else mapping.time.zone
        if zone and zone != "UTC":
            column = pc.assume_timezone(column, zone, ambiguous="earliest", nonexistent="earliest")
        moment = pc.cast(column, pa.timestamp("us", tz="UTC"), safe=False)
        return pc.cast(moment, pa.int64()).to_pylist()
    if form == "iso":
        zone_info = ZoneInfo(mapping.time.zone)
        return [_iso(text, zone_info) for text in _texts(column)]
    factor = _PER_UNIT_US[form]
    return [_epoch(value, factor) for value in column.to_pylist()]


def _iso(text: str | None, zone: ZoneInfo) -> int | None:
    if not text:
        return None
    try:
        moment_us = from_iso(text)
    except ValueError:
        return None
    if "+" in text[10:] or text.endswith("Z") or "-" in text[11:]:
        return moment_us
    local = to_datetime(moment_us).replace(tzinfo=zone)
    return moment_us - int(local.utcoffset().total_seconds() * 1e6)  # type: ignore[union-attr]


def _epoch(value: Any, factor: int) -> int | None:
    try:
        return int(value) * factor
    except (TypeError, ValueError):
        return None


def _seqs(batch: pa.RecordBatch, mapping: Map, first_row: int) -> Sequence[int]:
    if mapping.seq is None:
        return range(first_row, first_row + batch.num_rows)
    try:
        found = pc.cast(batch.column(mapping.seq), pa.int64())
    except pa.ArrowInvalid as error:
        raise BadInput(
            f"column '{mapping.seq}' is mapped as seq and must hold whole numbers: {error}"
        ) from error
    return pc.fill_null(found, 0).to_pylist()


def _message_ids(batch: pa.RecordBatch, mapping: Map, origin: Origin, first_row: int) -> list[str]:
    if not mapping.message_id:
        short = origin.file_digest[:16]
        return [f"{short}:{row}" for row in range(first_row, first_row + batch.num_rows)]
    parts = [_texts(batch.column(column)) for column in mapping.message_id]
    return ["/".join(value or "" for value in row) for row in zip(*parts, strict=True)]


def _properties(batch: pa.RecordBatch, mapping: Map) -> list[msgspec.Raw]:
    names = list(mapping.properties)
    if not names:
        return [msgspec.Raw(b"{}")] * batch.num_rows
    columns = [_typed(batch.column(item.column), item.type) for item in mapping.properties.values()]
    encode = msgspec.json.Encoder().encode
    return [
        msgspec.Raw(encode({name: v for name, v in zip(names, row, strict=True) if v is not None}))
        for row in zip(*columns, strict=True)
    ]


def _typed(column: pa.Array, kind: str) -> list[Any]:
    """Values as the map's type; a cell that is none of that type stays what it was, so that the
    tracking plan names it."""
    if kind in ("timestamp", "date"):
        return [
            None if v is None else v if isinstance(v, str) else v.isoformat()
            for v in column.to_pylist()
        ]
    try:
        return pc.cast(column, _ARROW[kind]).to_pylist()
    except pa.ArrowInvalid:
        return [_single(value, kind) for value in column.to_pylist()]


def _single(value: Any, kind: str) -> Any:
    try:
        return pa.scalar(value).cast(_ARROW[kind]).as_py()
    except pa.ArrowInvalid:
        return value
