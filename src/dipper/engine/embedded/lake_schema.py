"""Which columns history has, and how events become its rows.

One row a record and role that keeps a row. The columns every event has come first, in an order
that only ever grows at its end; declared properties follow in the order of their declaration, so
that the number of its columns says everything about the layout of a file (`lake_files.py`).
A file that has the column of a property has no such property left in `extra`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from operator import attrgetter, ne

import msgspec
import pyarrow as pa

from dipper.engine.embedded.lake_properties import PROPERTY_TYPES, read_properties
from dipper.engine.ports import Position
from dipper.engine.record import Event
from dipper.kit.errors import BadInput
from dipper.kit.hashing import hash64
from dipper.spec.envelope import COLUMN_TEXTS

_TIME = pa.timestamp("us", tz="UTC")

ROLE_COLUMNS = (
    "person",
    "device",
    "organisation",
    "case",
    "operator",
    "on_behalf_of",
    "account",
    "terminal",
)
"""Roles whose id is a column of the role's name; any other goes as JSON into `subjects`."""

ENVELOPE = pa.schema(
    [
        ("partition", pa.int32()),
        ("offset", pa.int64()),
        ("first_row", pa.bool_()),
        ("role", pa.string()),
        ("kind", pa.string()),
        ("subject", pa.binary()),
        ("id", pa.string()),
        ("claim", pa.string()),
        ("event", pa.string()),
        ("type", pa.string()),
        ("time", _TIME),
        ("original", _TIME),
        ("sent", _TIME),
        ("received", _TIME),
        ("seq", pa.int64()),
        ("order_hash", pa.int64()),
        ("message_id", pa.string()),
        ("source", pa.string()),
        ("trust", pa.string()),
        *((name, pa.string()) for name in COLUMN_TEXTS),
        *((name, pa.string()) for name in ROLE_COLUMNS),
        ("subjects", pa.string()),
        ("program", pa.string()),
        ("extra", pa.string()),
    ]
)

PARTITIONS = ("kind", "month", "bucket")
"""Partition columns of the Delta table; only `kind` stands in the files too."""


def read_as_codes(schema: pa.Schema) -> frozenset[str]:
    """Columns that a fold reads as codes and values: keys and all texts but those that hardly ever
    repeat."""
    texts = {field.name for field in schema if field.type in (pa.string(), pa.binary())}
    return frozenset(texts - {"message_id", "extra"})


_KIND_OF_ROLE = {role: role for role in ROLE_COLUMNS} | {"operator": "person"}


def timelines_schema(properties: Mapping[str, str]) -> pa.Schema:
    """The columns of a row with these declared properties (name -> type of the spec).

    Raises BadInput for a property that has the name of a column of every event, or no known type.
    """
    schema = ENVELOPE
    for name, type_name in properties.items():
        if name in ENVELOPE.names or name in PARTITIONS:
            raise BadInput(
                f"property '{name}' has the name of a column that every event has.",
                where="lake",
                hint="Choose another name.",
            )
        if type_name not in PROPERTY_TYPES:
            raise BadInput(
                f"property '{name}' must have one of the types {', '.join(PROPERTY_TYPES)}, "
                f"got '{type_name}'.",
                where="lake",
            )
        schema = schema.append(pa.field(name, PROPERTY_TYPES[type_name]))
    return schema


def kind_of(role: str, id_text: str) -> str:
    """The kind of subject that an id names in a role; `on_behalf_of` may be a firm or a person."""
    if role == "on_behalf_of":
        return "organisation" if id_text.startswith("org_no:") else "person"
    return _KIND_OF_ROLE.get(role, role)


def rows(
    events: Sequence[tuple[Position, Event]],
    subject_of: Callable[[str, str], bytes],
    roles_of: Callable[[str], Iterable[str]],
    properties: Mapping[str, str],
) -> pa.Table:
    """The rows of these records, with the columns of `timelines_schema(properties)`.

    `subject_of(role, id)` is the 16-byte key under which the row is clustered; `roles_of(event)`
    names the roles that keep a row (ids that are only claimed keep none, a device keeps the row
    where no role does, and a record without any such id keeps one row for its first id).
    A value that has not the type of its property stays in `extra`.
    """
    kept = {name: tuple(roles_of(name)) for name in {event.event for _, event in events}}
    records: list[int] = []
    roles: list[str] = []
    for index, (_, event) in enumerate(events):
        named = _row_roles(event, kept[event.event])
        roles += named
        records += [index] * len(named)
    schema = timelines_schema(properties)
    columns = _record_columns(events)
    columns |= read_properties([event.properties for _, event in events], properties)
    if len(roles) != len(events):
        take = pa.array(records, pa.int64())
        columns = {name: column.take(take) for name, column in columns.items()}
    owners = [
        (role, events[index][1].subjects.get(role, ""))
        for index, role in zip(records, roles, strict=True)
    ]
    columns["first_row"] = pa.array([True, *map(ne, records[1:], records)][: len(records)])
    columns |= _owner_columns(owners, subject_of)
    return pa.Table.from_arrays([columns[name] for name in schema.names], schema=schema)


def _owner_columns(
    owners: list[tuple[str, str]], subject_of: Callable[[str, str], bytes]
) -> dict[str, pa.Array]:
    """What follows from (role, id) alone is computed once a pair and spread over the rows."""
    places = {pair: place for place, pair in enumerate(dict.fromkeys(owners))}
    spread = pa.array([places[pair] for pair in owners], pa.int32())
    columns = {
        "role": pa.array([role for role, _ in places], pa.string()),
        "kind": pa.array([kind_of(*pair) for pair in places], pa.string()),
        "subject": pa.array([subject_of(*pair) for pair in places], pa.binary()),
        "id": pa.array([id_text for _, id_text in places], pa.string()),
    }
    return {name: column.take(spread) for name, column in columns.items()}


def _row_roles(event: Event, kept: tuple[str, ...]) -> tuple[str, ...]:
    subjects, claims = event.subjects, event.claims
    if len(kept) == 1 and not claims and kept[0] in subjects:
        return kept
    roles = tuple(role for role in kept if role in subjects and role not in claims)
    if roles:
        return roles
    if "device" in subjects and "device" not in claims:
        return ("device",)
    # Conservation counts records: one whose ids keep no row by its spec still has one here.
    named = [role for role in subjects if role not in claims] or list(subjects)
    return (named[0],) if named else ("none",)


def _record_columns(events: Sequence[tuple[Position, Event]]) -> dict[str, pa.Array]:
    records = [event for _, event in events]
    columns = {
        "partition": pa.array([position.partition for position, _ in events], pa.int32()),
        "offset": pa.array([position.offset for position, _ in events], pa.int64()),
        "claim": pa.array([_claim(e) if e.claims else None for e in records], pa.string()),
        "order_hash": pa.array([hash64(e.message_id) for e in records], pa.int64()),
        "program": pa.array([e.program or None for e in records], pa.string()),
        "seq": pa.array([e.seq for e in records], pa.int64()),
    }
    for name in ("time", "original", "sent", "received"):
        moments = pa.array(list(map(attrgetter(f"{name}_us"), records)), pa.int64())
        columns[name] = moments.cast(_TIME)
    for name in ("event", "type", "message_id", "source", "trust", *COLUMN_TEXTS):
        columns[name] = pa.array(list(map(attrgetter(name), records)), pa.string())
    return columns | role_columns([e.subjects for e in records])


def _claim(event: Event) -> str | None:
    """The claimed person, or the first claimed id of another role."""
    claims = event.claims
    role = "person" if "person" in claims else claims[0]
    return event.subjects.get(role)


def role_columns(subjects: list[dict[str, str]]) -> dict[str, pa.Array]:
    """A column for each role, and `subjects` with the roles that have none, as JSON."""
    used = {role for each in subjects for role in each}
    columns = {}
    for role in ROLE_COLUMNS:
        values = [each.get(role) for each in subjects] if role in used else [None] * len(subjects)
        columns[role] = pa.array(values, pa.string())
    others = used.difference(ROLE_COLUMNS)
    rest = [_other_roles(each, others) if others else None for each in subjects]
    columns["subjects"] = pa.array(rest, pa.string())
    return columns


def _other_roles(subjects: dict[str, str], others: set[str]) -> str | None:
    found = {role: id_text for role, id_text in subjects.items() if role in others}
    return msgspec.json.encode(found).decode() if found else None
