"""Rows of a reference table from a CSV file, typed by the table's spec.

All bad cells are collected with their line; nothing stops at the first. UTF-8 with or without a
byte order mark; other encodings come through a feed.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from dipper.expr.dates import parse_day, parse_moment
from dipper.expr.types import INT_MAX, INT_MIN, Type
from dipper.kit.errors import did_you_mean
from dipper.spec.finding import Finding
from dipper.spec.kinds.table import LEVEL_COLUMNS, PRODUCT, RISK_LEVELS, Table
from dipper.spec.tables import Cell, Key, Row, TableVersion, key_of

TABLE_FILE_MAX = 64_000_000


def read_table(
    path: Path, spec: Table, business_date: str, *, where: str = ""
) -> tuple[TableVersion | None, list[Finding]]:
    """The rows of a CSV file; None where there are findings. `where` names the file in them."""
    name = where or path.name
    if path.stat().st_size > TABLE_FILE_MAX:
        message = f"the file is larger than {TABLE_FILE_MAX:,} bytes."
        return None, [_bad("file_too_large", message, f"{name}:1", spec)]
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        hint = "Write it in UTF-8; a feed reads other encodings."
        return None, [_bad("bad_encoding", "this is not UTF-8.", f"{name}:{line}", spec, hint=hint)]
    return parse_table(text, spec, business_date, where=name)


def parse_table(
    text: str, spec: Table, business_date: str, *, where: str
) -> tuple[TableVersion | None, list[Finding]]:
    """The rows of a CSV text with a header; None where there are findings."""
    if parse_day(business_date) is None:
        message = f"business date '{business_date}' is no date; expected YYYY-MM-DD."
        return None, [_bad("bad_date", message, where, spec)]
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header = next(reader, [])
        found = _header_findings(header, spec, f"{where}:1")
        rows = {} if found else _rows(header, _lines(reader), spec, where, found)
    except csv.Error as error:
        message = f"this cannot be read as CSV: {error}."
        return None, [_bad("bad_csv", message, f"{where}:{reader.line_num}", spec)]
    if found:
        return None, found
    return TableVersion.of(spec.name, spec.key, spec.columns, rows, business_date), []


def _rows(
    header: list[str],
    records: Iterator[tuple[int, list[str]]],
    spec: Table,
    where: str,
    found: list[Finding],
) -> dict[Key, Row]:
    """The rows by key; what is wrong is added to `found`."""
    rows: dict[Key, Row] = {}
    lines: dict[Key, int] = {}
    for line, cells in records:
        place = f"{where}:{line}"
        row, problems = _row(header, cells, spec, place)
        found += problems
        if problems:
            continue
        key = key_of(row, spec.key)
        if key in rows:
            message = f"key {_shown(key)} stands in line {lines[key]} already."
            found.append(_bad("duplicate_key", message, place, spec))
        rows[key], lines[key] = row, line
    return rows


def _lines(reader: Any) -> Iterator[tuple[int, list[str]]]:
    """Each record that is not blank with the line at which it begins."""
    line = reader.line_num + 1
    for cells in reader:
        if cells and any(cell.strip() for cell in cells):
            yield line, cells
        line = reader.line_num + 1


def _header_findings(header: list[str], spec: Table, where: str) -> list[Finding]:
    found = [
        _bad(
            "unknown_column",
            f"table '{spec.name}' has no column '{name}'.",
            where,
            spec,
            hint=did_you_mean(name, spec.columns) or "Add it to the table's spec, or remove it.",
        )
        for name in header
        if name not in spec.columns
    ]
    found += [
        _bad(
            "missing_column", f"the column '{name}' of table '{spec.name}' is missing.", where, spec
        )
        for name in spec.columns
        if name not in header
    ]
    found += [
        _bad("named_twice", f"the column '{name}' stands there twice.", where, spec)
        for place, name in enumerate(header)
        if name in header[:place]
    ]
    return found


def _row(
    header: list[str], cells: list[str], spec: Table, where: str
) -> tuple[dict[str, Cell], list[Finding]]:
    if len(cells) != len(header):
        message = f"expected {len(header)} cells, got {len(cells)}."
        return {}, [_bad("row_length", message, where, spec)]
    row: dict[str, Cell] = {}
    found = []
    for name, text in zip(header, cells, strict=True):
        is_level = spec.name == PRODUCT and name in LEVEL_COLUMNS
        try:
            row[name] = _cell(text.strip(), spec.columns[name])
            if is_level and row[name] is not None and row[name] not in RISK_LEVELS:
                raise ValueError(text)
        except ValueError:
            expected = "a level from 1 to 5" if is_level else _EXPECTED[spec.columns[name]]
            message = f"column '{name}' expects {expected}, got '{text}'."
            found.append(_bad("bad_cell", message, where, spec))
    found += [
        _bad("empty_key", f"the key column '{name}' is empty.", where, spec)
        for name in spec.key
        if name in row and row[name] is None
    ]
    return row, found


_EXPECTED: dict[Type, str] = {
    "bool": "true or false",
    "int": "a whole number",
    "double": "a number",
    "text": "text",
    "timestamp": "YYYY-MM-DD HH:MM:SS",
    "date": "YYYY-MM-DD",
}


def _cell(text: str, type_: Type) -> Cell:
    """The value of a cell, None where it is empty. Raises ValueError."""
    if text == "":
        return None
    value: Cell = text
    if type_ == "bool":
        value = {"true": True, "false": False}.get(text.lower())
    elif type_ == "int":
        value = _int(text)
    elif type_ == "double":
        value = float(text)
        value = value if math.isfinite(value) else None
    elif type_ == "timestamp":
        value = parse_moment(text)
    elif type_ == "date":
        value = parse_day(text)
    if value is None:
        raise ValueError(text)
    return value


def _int(text: str) -> int | None:
    if not text.removeprefix("-").isascii() or not text.removeprefix("-").isdigit():
        return None
    number = int(text)
    return number if INT_MIN <= number <= INT_MAX else None


def _shown(key: Key) -> str:
    parts = key if isinstance(key, tuple) else (key,)
    return ", ".join(f"'{part}'" for part in parts)


def _bad(code: str, message: str, where: str, spec: Table, *, hint: str = "") -> Finding:
    return Finding(code, message, hint=hint, where=where, kind="table", name=spec.name)
