"""The views that people ask in SQL, as DuckDB reads them: over the lake's files, masked.

`timelines` has one row a record and subject, `events` one a record, `failed_events` the records
that were not accepted. Ids, personal properties and what was never declared are masked in the
view, before any condition of a question sees them. Views of other tables are given as Parquet.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import pyarrow as pa

from dipper.engine.embedded.lake_file import columns_of
from dipper.engine.embedded.lake_properties import column_sql, missing_sql
from dipper.engine.embedded.lake_schema import ROLE_COLUMNS

Mask = Literal["none", "phone", "document", "name", "id", "hash", "hidden"]
"""How a column is shown: 138****1234; first six and last four; 张*; type and keyed hash of an id;
keyed hash; not at all."""

KEY_VARIABLE = "mask_key"

IDS: dict[str, Mask] = {
    "subject": "hash",
    "id": "id",
    "claim": "id",
    "subjects": "hidden",
    "extra": "hidden",
    "raw": "hidden",
    "reason": "hidden",
    **dict.fromkeys(ROLE_COLUMNS, "id"),
}
"""Masks of the columns that are there without being declared."""


@dataclass(frozen=True)
class View:
    """A view: its SQL, and the files that it may read."""

    name: str
    sql: str
    files: tuple[str, ...] = ()


@dataclass(frozen=True)
class ParquetTable:
    """Another table to ask: a Parquet file and the masks of its columns."""

    path: str
    masks: Mapping[str, Mask] = field(default_factory=dict)


def mask_of(pi_class: str, name: str) -> Mask:
    """The mask of a declared property by its class and what its name says of its form."""
    if pi_class == "none" or pi_class == "C1":
        return "none"
    if pi_class == "C3":
        return "hidden"
    words = set(name.split("_"))
    if words & {"phone", "mobile"}:
        return "phone"
    if {"id", "card"} <= words or words & {"document", "passport", "idcard"}:
        return "document"
    return "name" if "name" in words else "hash"


def mask_sql(column: str, mask: Mask) -> str:
    """The column as a reader may see it."""
    text = f"CAST({column} AS VARCHAR)"
    stars = "repeat('*', greatest(length({text}) - {shown}, 4))"
    if mask == "phone":
        middle = stars.format(text=text, shown=7)
        return _long(text, 8, f"left({text}, 3) || {middle} || right({text}, 4)")
    if mask == "document":
        middle = stars.format(text=text, shown=10)
        return _long(text, 12, f"left({text}, 6) || {middle} || right({text}, 4)")
    if mask == "name":
        return f"left({text}, 1) || '*'"
    if mask == "id":
        return f"split_part({text}, ':', 1) || ':' || {_keyed(text)}"
    if mask == "hash":
        return _keyed(text)
    return "NULL" if mask == "hidden" else column


def _long(text: str, least: int, shown: str) -> str:
    """Too short a value would be shown whole."""
    return (
        f"CASE WHEN length({text}) >= {least} THEN {shown} WHEN {text} IS NOT NULL THEN '****' END"
    )


def _keyed(text: str) -> str:
    """16 hex digits that nobody can compute without the key, and that still join."""
    key = f"getvariable('{KEY_VARIABLE}')"
    return f"left(sha256({key} || sha256({key} || {text})), 16)"


def lake_views(schema: pa.Schema, files: Sequence[str], masks: Mapping[str, Mask]) -> list[View]:
    """Views `timelines` and `events` over the lake's files; `masks` of the declared properties
    stand before those of `IDS`."""
    layouts: dict[int, list[str]] = defaultdict(list)
    for path in files:
        layouts[columns_of(path)].append(path)
    masks = IDS | dict(masks)
    parts = [_timelines(schema, count, paths, masks) for count, paths in sorted(layouts.items())]
    sql = " UNION ALL ".join(parts) if parts else f"SELECT {_no_rows(schema, masks)}"
    return [
        View("timelines", sql, tuple(files)),
        View("events", "SELECT * EXCLUDE (first_row) FROM timelines WHERE first_row"),
    ]


def failed_view(schema: pa.Schema, files: Sequence[str], masks: Mapping[str, Mask]) -> View:
    """View `failed_events`."""
    masks = IDS | dict(masks)
    if not files:
        return View("failed_events", f"SELECT {_no_rows(schema, masks)}")
    return View("failed_events", _timelines(schema, len(schema), files, masks), tuple(files))


def table_view(name: str, table: ParquetTable) -> View:
    """A view over another table."""
    masked = [
        f"{mask_sql(column_sql(column), mask)} AS {column_sql(column)}"
        for column, mask in table.masks.items()
        if mask != "none"
    ]
    replace = f" REPLACE ({', '.join(masked)})" if masked else ""
    return View(name, f"SELECT *{replace} FROM read_parquet({_list([table.path])})", (table.path,))  # noqa: S608


def _timelines(
    schema: pa.Schema, count: int, paths: Sequence[str], masks: Mapping[str, Mask]
) -> str:
    columns = []
    for place, each in enumerate(schema):
        name = column_sql(each.name)
        source = name if place < count else f"({missing_sql(each.name, each.type)})"
        columns.append(f"{mask_sql(source, masks.get(each.name, 'none'))} AS {name}")
    return f"SELECT {', '.join(columns)} FROM read_parquet({_list(paths)})"  # noqa: S608


def _no_rows(schema: pa.Schema, masks: Mapping[str, Mask]) -> str:
    columns = [
        f"CAST(NULL AS {_type_sql(each, masks)}) AS {column_sql(each.name)}" for each in schema
    ]
    return f"{', '.join(columns)} WHERE FALSE"


_SQL_TYPES = {
    pa.bool_(): "BOOLEAN",
    pa.int32(): "INTEGER",
    pa.int64(): "BIGINT",
    pa.float64(): "DOUBLE",
    pa.date32(): "DATE",
    pa.timestamp("us", tz="UTC"): "TIMESTAMPTZ",
    pa.binary(): "BLOB",
}


def _type_sql(each: pa.Field, masks: Mapping[str, Mask]) -> str:
    if masks.get(each.name, "none") != "none":
        return "VARCHAR"
    return _SQL_TYPES.get(each.type, "VARCHAR")


def _list(paths: Iterable[str]) -> str:
    return "[" + ", ".join("'" + path.replace("'", "''") + "'" for path in paths) + "]"
