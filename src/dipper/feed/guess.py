"""A first map of an unknown file, with notes on what it rests on. A person reviews it.

The guess looks at names and at values: what parses as time, what repeats like an event name, what
is shaped like an id. It never decides silently: each choice is a note on top of the written map.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa

from dipper.feed.mapping import (
    EventName,
    EventTime,
    FileShape,
    Map,
    PropertyColumn,
    SubjectColumn,
    TimeFormat,
)
from dipper.feed.sniff import sniff
from dipper.feed.table import batches
from dipper.kit.clock import from_iso
from dipper.kit.errors import BadInput

SAMPLE_ROWS = 20_000

_TIME_NAMES = re.compile(r"time|date|_at$|^ts$|时间|日期", re.I)
_EVENT_NAMES = re.compile(
    r"^(event|activity|action|behaviou?r|type|event_?(name|type)|事件|行为)$", re.I
)
_SEQ_NAMES = re.compile(r"^(seq|sequence|row|row_?(no|number)|序号)$", re.I)
_MESSAGE_NAMES = re.compile(r"^(message_?id|event_?id|uuid|流水号)$", re.I)
_SUBJECTS: tuple[tuple[str, str, re.Pattern[str]], ...] = (
    (
        "case",
        "case_no",
        re.compile(r"^(case|application|ticket|loan)(_?(id|no|number))?$|案件|业务号", re.I),
    ),
    (
        "organisation",
        "org_no",
        re.compile(
            r"^(org|organi[sz]ation|company|merchant|vendor|supplier)(_?(id|no))?$|机构号|商户号",
            re.I,
        ),
    ),
    (
        "person",
        "customer_no",
        re.compile(
            r"^(customer|client|user|person|member|cust)(_?(id|no|number))?$|客户号|用户", re.I
        ),
    ),
    (
        "device",
        "device",
        re.compile(r"^(device|cookie|visitor|anonymous|session)(_?id)?$|设备", re.I),
    ),
)


def snake_case(text: str) -> str:
    """'Order Completed' and 'orderCompleted' become 'order_completed'."""
    text = re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", text.strip())
    return re.sub(r"\W+", "_", text).strip("_").lower()


def guess(path: Path, source: str) -> tuple[Map, list[str]]:
    """A map and the notes on it. Raises BadInput when no time or no subject can be found."""
    shape = sniff(path)
    sample = _sample(path, shape)
    values = {name: sample.column(name).to_pylist() for name in sample.column_names}
    notes = [
        f"Guessed from {path.name}: {shape.format}, {shape.encoding}, "
        f"{sample.num_rows} rows read. Review it."
    ]
    left = list(values)

    def take(name: str, why: str) -> str:
        left.remove(name)
        notes.append(f"{name}: {why}")
        return name

    time = _time(values, path)
    take(time.column, f"the event time, as {time.format}")
    event = _event(values, left)
    if event.column:
        take(event.column, "the event name; map its values to your tracking plan")
    else:
        notes.append(f"no column looks like an event name: every row is '{event.value}'")
    subjects = {}
    for role, id_type, pattern in _SUBJECTS:
        name = next((name for name in left if pattern.search(name)), None)
        if name is not None:
            subjects[role] = SubjectColumn(
                type=id_type, column=take(name, f"the {role}, as {id_type}")
            )
    if not subjects:
        raise BadInput(
            "no column looks like an id of a person, organisation, case or device: "
            f"{', '.join(values)}.",
            where=str(path),
            hint="Write a map with `subjects:` (see docs/guide/import.md).",
        )
    seq = next((name for name in left if _SEQ_NAMES.search(name)), None)
    if seq:
        take(seq, "the order among equal times")
    key = next((name for name in left if _MESSAGE_NAMES.search(name)), None)
    properties = {}
    for name in left:
        if name != key:
            kind = _type(values[name])
            properties[snake_case(name) or f"column_{left.index(name)}"] = PropertyColumn(
                column=name,
                type=kind,  # type: ignore[arg-type]
            )
    found = Map(
        source=source,
        file=shape,
        event=event,
        time=time,
        seq=seq,
        message_id=[key] if key else [],
        subjects=subjects,
        properties=properties,
    )
    return found, notes


def _sample(path: Path, shape: FileShape) -> pa.Table:
    first = list(itertools.islice(batches(path, shape, None), 1))
    if not first or first[0].num_rows == 0:
        raise BadInput("has no rows.", where=str(path))
    return pa.Table.from_batches(first).slice(0, SAMPLE_ROWS)


def _time(values: dict[str, list[object]], path: Path) -> EventTime:
    named = [name for name in values if _TIME_NAMES.search(name)]
    for name in [*named, *[name for name in values if name not in named]]:
        form = _time_format(values[name], loose=name in named)
        if form is not None:
            return EventTime(column=name, format=form)
    raise BadInput(
        f"no column holds times: {', '.join(values)}.",
        where=str(path),
        hint="Write a map with `time: {column: …, format: …}`.",
    )


def _time_format(column: list[object], *, loose: bool) -> TimeFormat | None:
    present = [value for value in column if value is not None][:500]
    if not present:
        return None
    if all(hasattr(value, "year") for value in present):
        return "iso"
    texts = [str(value) for value in present]
    if all(_parses(from_iso, text) for text in texts):
        return "iso" if not all(text.isdigit() for text in texts) else None
    if loose and all(re.fullmatch(r"\d{9,16}", text) for text in texts):
        digits = len(texts[0])
        return "epoch_s" if digits <= 10 else "epoch_ms" if digits <= 13 else "epoch_us"
    return None


def _event(values: dict[str, list[object]], left: list[str]) -> EventName:
    for name in left:
        distinct = {str(value) for value in values[name] if value is not None}
        if _EVENT_NAMES.search(name) and 1 <= len(distinct) <= 500:
            return EventName(
                column=name, values={text: snake_case(text) for text in sorted(distinct)}
            )
    return EventName(value="row_imported")


def _type(column: list[object]) -> str:
    present = [value for value in column if value is not None]
    if not present:
        return "text"
    if all(isinstance(value, bool) for value in present):
        return "bool"
    if all(hasattr(value, "year") for value in present):
        return "timestamp" if hasattr(present[0], "hour") else "date"
    if all(isinstance(value, int) for value in present):
        return "int"
    if all(isinstance(value, int | float) for value in present):
        return "double"
    texts = [str(value) for value in present]
    # An id with a leading zero is a text, whatever its digits.
    if all(re.fullmatch(r"-?(0|[1-9]\d{0,17})", text) for text in texts):
        return "int"
    if all(
        re.fullmatch(r"-?(0|[1-9]\d*)?\.\d+([eE][-+]?\d+)?|-?(0|[1-9]\d{0,17})", text)
        for text in texts
    ):
        return "double"
    if all(text.lower() in ("true", "false") for text in texts):
        return "bool"
    return "text"


def _parses(parse: Callable[[str], object], text: str) -> bool:
    try:
        parse(text)
    except ValueError:
        return False
    return True
