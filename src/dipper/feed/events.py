"""Batches of a mapped file become rows that say what they mean, or what is wrong with them.

Columns are converted whole (Arrow), rows are then zipped: a loop a row with no look-ups in it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from dipper.feed.guess import snake_case
from dipper.feed.mapping import Map
from dipper.feed.row import BadRow, Row
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


def rows(
    batch: pa.RecordBatch, mapping: Map, file_digest: str, first_row: int
) -> Iterator[Row | BadRow]:
    """What each row says, in row order; `first_row` is the file's number of the first."""
    names = event_names(batch, mapping)
    times = _times(batch, mapping)
    seqs = _seqs(batch, mapping, times, first_row)
    keys = _message_ids(batch, mapping, file_digest, first_row)
    roles = list(mapping.subjects)
    ids = [_ids(batch, mapping, role) for role in roles]
    subjects = _subjects(roles, ids)
    columns = list(
        zip(*[_texts(batch.column(name)) for name in mapping.columns.values()], strict=True)
    )
    columns = columns or [()] * batch.num_rows
    properties = _properties(batch, mapping)
    for row, values in enumerate(
        zip(names, times, seqs, keys, subjects, columns, properties, strict=True)
    ):
        name, time, _, key, who, _, _ = values
        if name and time is not None and who:
            yield Row(*values)  # type: ignore[arg-type]
        else:
            raw = msgspec.json.encode(batch.slice(row, 1).to_pylist()[0], enc_hook=str).decode()
            yield BadRow(_wrong(name, time, who), raw, key, who)


def _subjects(roles: list[str], ids: list[list[str | None]]) -> list[dict[str, str]]:
    """The ids of each row by role, without those that are empty."""
    if len(roles) == 1:
        role = roles[0]
        return [{} if found is None else {role: found} for found in ids[0]]
    return [
        {role: found for role, found in zip(roles, row, strict=True) if found is not None}
        for row in zip(*ids, strict=True)
    ]


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


def _wrong(name: str | None, time: str | None, subjects: dict[str, str]) -> str:
    if not name:
        return "event: expected a name, got an empty cell"
    if time is None:
        return "time: expected a time, got an empty or unreadable cell"
    return f"subjects: expected at least one id, got {len(subjects)}"


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


def _times(batch: pa.RecordBatch, mapping: Map) -> list[str | None]:
    """RFC 3339 texts in UTC; None where a cell is empty or no time."""
    column = batch.column(mapping.time.column)
    form = mapping.time.format
    if pa.types.is_timestamp(column.type):
        if column.type.tz is None and mapping.time.zone != "UTC":
            zone = mapping.time.zone
            column = pc.assume_timezone(column, zone, ambiguous="earliest", nonexistent="earliest")
        moments = pc.cast(column, pa.timestamp("us", tz="UTC"), safe=False)
    elif form == "iso":
        zone_info = ZoneInfo(mapping.time.zone)
        found = [_iso(text, zone_info) for text in _texts(column)]
        moments = pa.array(found, pa.int64()).cast(pa.timestamp("us", tz="UTC"))
    else:
        factor = _PER_UNIT_US[form]
        found = [_epoch(value, factor) for value in column.to_pylist()]
        moments = pa.array(found, pa.int64()).cast(pa.timestamp("us", tz="UTC"))
    return pc.strftime(moments, format="%Y-%m-%dT%H:%M:%S+00:00").to_pylist()


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


def _seqs(
    batch: pa.RecordBatch, mapping: Map, times: list[str | None], first_row: int
) -> Sequence[int]:
    """The declared order among equal times, else the row number where a time is shared.

    A row that shares its time with no other has no need of one, and is judged faster without.
    """
    if mapping.seq is None:
        shared = {time for time, count in Counter(times).items() if count > 1}
        shared.update(times[:1], times[-1:])  # The rows around a batch may share these.
        return [first_row + row + 1 if time in shared else 0 for row, time in enumerate(times)]
    try:
        found = pc.cast(batch.column(mapping.seq), pa.int64())
    except pa.ArrowInvalid as error:
        raise BadInput(
            f"column '{mapping.seq}' is mapped as seq and must hold whole numbers: {error}"
        ) from error
    return pc.fill_null(found, 0).to_pylist()


def _message_ids(
    batch: pa.RecordBatch, mapping: Map, file_digest: str, first_row: int
) -> list[str]:
    if not mapping.message_id:
        short = file_digest[:16]
        return [f"{short}:{row}" for row in range(first_row, first_row + batch.num_rows)]
    parts = [_texts(batch.column(column)) for column in mapping.message_id]
    return ["/".join(value or "" for value in row) for row in zip(*parts, strict=True)]


def _properties(batch: pa.RecordBatch, mapping: Map) -> list[msgspec.Raw]:
    """JSON objects of the row's properties, without empty cells."""
    names = list(mapping.properties)
    if not names:
        return [msgspec.Raw(b"{}")] * batch.num_rows
    columns = [_typed(batch.column(item.column), item.type) for item in mapping.properties.values()]
    # A struct with unset fields encodes faster than a dictionary that is first filtered.
    shape = msgspec.defstruct(
        "Properties",
        [(f"f{place}", Any, None) for place in range(len(names))],
        rename={f"f{place}": name for place, name in enumerate(names)},
        omit_defaults=True,
        gc=False,
    )
    lines = msgspec.json.Encoder().encode_lines([shape(*row) for row in zip(*columns, strict=True)])
    return [msgspec.Raw(line) for line in lines.split(b"\n")[: batch.num_rows]]


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
