"""Declared properties are typed columns; what is not declared stays as JSON in `extra`.

A value that has not the type of its property stays in `extra` too, byte for byte. A property that
is declared later is found in both places: `missing_sql` reads it from the `extra` of files that
were written before, and `promote` moves it when such a file is rewritten.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import Any

import msgspec
import pyarrow as pa

from dipper.kit.clock import from_iso

_MOMENT = pa.timestamp("us", tz="UTC")

PROPERTY_TYPES: dict[str, pa.DataType] = {
    "bool": pa.bool_(),
    "int": pa.int64(),
    "double": pa.float64(),
    "text": pa.string(),
    "timestamp": _MOMENT,
    "date": pa.date32(),
}
"""Type of a property -> Arrow type of its column."""

_DECODE = msgspec.json.Decoder(dict[str, Any]).decode
_DECODE_RAW = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_NONE = b"{}"


def read_properties(
    raws: Sequence[bytes | None], properties: Mapping[str, str]
) -> dict[str, pa.Array]:
    """JSON objects as one typed column a property, and column `extra` with what is left of each.

    A null property is left out of both; None and `{}` give NULL everywhere.
    """
    found: dict[str, tuple[list[int], list[Any]]] = {name: ([], []) for name in properties}
    readers = {
        name: (*_READERS[type_name], found[name][0].append, found[name][1].append)
        for name, type_name in properties.items()
    }
    extra: list[str | None] = [None] * len(raws)
    for index, raw in enumerate(raws):
        left = None
        for name, value in _decode(raw).items():
            reader = readers.get(name)
            if reader is not None:
                plain, read, add_index, add_value = reader
                typed = value if type(value) is plain else read(value)
                if typed is not None:
                    add_index(index)
                    add_value(typed)
                    continue
            # A null says nothing that its empty column does not say.
            if value is not None:
                left = [name] if left is None else [*left, name]
        if left is not None and raw is not None:
            extra[index] = _written(raw, left)
    columns = {
        name: _spread(*found[name], PROPERTY_TYPES[type_name], len(raws))
        for name, type_name in properties.items()
    }
    return columns | {"extra": pa.array(extra, pa.string())}


def promote(table: pa.Table, late: pa.Schema) -> pa.Table:
    """The same rows with columns for properties that were not declared when they were written:
    their values move out of `extra`."""
    type_names = {kind: type_name for type_name, kind in PROPERTY_TYPES.items()}
    raws = [None if raw is None else raw.encode() for raw in table["extra"].to_pylist()]
    found = read_properties(raws, {field.name: type_names[field.type] for field in late})
    table = table.drop_columns("extra")
    for name, column in found.items():
        table = table.append_column(name, column)
    return table


def completed(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """The same rows with the columns of `schema`, in its order; those it had not are empty."""
    return pa.Table.from_arrays(
        [
            table[field.name]
            if field.name in table.column_names
            else pa.nulls(table.num_rows, field.type)
            for field in schema
        ],
        names=schema.names,
    )


def column_sql(name: str) -> str:
    """A column's name as DuckDB takes it."""
    return '"' + name.replace('"', '""') + '"'


def moment_sql(fragment: str) -> str:
    """A column of moments as DuckDB's TIMESTAMP in UTC, whatever the zone of the session: the
    type that docs/reference/expressions.md fixes."""
    return f"make_timestamp(epoch_us({fragment}))"


def missing_sql(name: str, kind: pa.DataType) -> str:
    """The property in files that were written before it was declared, as DuckDB SQL over
    `extra`, of the type its column would have. For a session in UTC; of moments it knows RFC 3339
    and plain dates, while `promote` reads all that Python takes for ISO 8601."""
    path = "'$.\"" + name.replace("'", "''") + "\"'"
    text = f"json_extract_string(extra, {path})"
    type_name = f"json_type(extra, {path})"
    whole = f"{type_name} IN ('BIGINT', 'UBIGINT')"
    number = f"{type_name} IN ('BIGINT', 'UBIGINT', 'DOUBLE')"
    moment = f"regexp_full_match({text}, '{_RFC_3339}')"
    day = f"regexp_full_match({text}, '[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}')"
    cases = {
        pa.bool_(): (f"{type_name} = 'BOOLEAN'", "BOOLEAN"),
        pa.int64(): (whole, "BIGINT"),
        pa.float64(): (f"{number} AND isfinite(TRY_CAST({text} AS DOUBLE))", "DOUBLE"),
        pa.string(): (f"{type_name} = 'VARCHAR'", "VARCHAR"),
        _MOMENT: (f"{type_name} = 'VARCHAR' AND {moment}", "TIMESTAMPTZ"),
        pa.date32(): (f"{type_name} = 'VARCHAR' AND {day}", "DATE"),
    }
    condition, to = cases[kind]
    return f"CASE WHEN {condition} THEN TRY_CAST({text} AS {to}) END"


_RFC_3339 = (
    "[0-9]{4}-[0-9]{2}-[0-9]{2}([T ][0-9]{2}:[0-9]{2}:[0-9]{2}([.][0-9]{1,6})?"
    "(Z|[+-][0-9]{2}:[0-9]{2})?)?"
)


def _decode(raw: bytes | None) -> dict[str, Any]:
    if raw is None or raw == _NONE:
        return {}
    try:
        return _DECODE(raw)
    except msgspec.DecodeError:
        # A number beyond every type: each value is then left as it was written.
        return dict.fromkeys(_DECODE_RAW(raw), ...)


def _written(raw: bytes, names: list[str]) -> str:
    """The named properties, byte for byte as they came."""
    values = _DECODE_RAW(raw)
    return msgspec.json.encode({name: values[name] for name in names}).decode()


def _spread(indices: list[int], values: list[Any], kind: pa.DataType, count: int) -> pa.Array:
    if not values:
        return pa.nulls(count, kind)
    dense = pa.array(values, pa.int64()).cast(kind) if kind == _MOMENT else pa.array(values, kind)
    if len(indices) == count:
        return dense
    places: list[int | None] = [None] * count
    for place, index in enumerate(indices):
        places[index] = place
    return dense.take(pa.array(places, pa.int64()))


def _int(value: Any) -> int | None:
    return value if type(value) is int and -(2**63) <= value < 2**63 else None


def _double(value: Any) -> float | None:
    if type(value) is int and abs(value) < 2**1000:
        return float(value)
    return value if type(value) is float and math.isfinite(value) else None


def _moment(value: Any) -> int | None:
    if type(value) is not str:
        return None
    try:
        return from_iso(value)
    except ValueError:
        return None


def _date(value: Any) -> date | None:
    if type(value) is not str or len(value) != 10:
        return None
    try:
        return date.fromisoformat(value)
    except ValueError:
        return None


def _nothing(value: Any) -> None:
    return None


# Type of a property -> the Python type that is taken as it is, and the reader of other values.
_READERS: dict[str, tuple[type | None, Callable[[Any], Any]]] = {
    "bool": (bool, _nothing),
    "int": (None, _int),
    "double": (None, _double),
    "text": (str, _nothing),
    "timestamp": (None, _moment),
    "date": (None, _date),
}
