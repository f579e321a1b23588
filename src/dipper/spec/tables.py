"""The rows of a reference table at one business date: typed, immutable, addressed by content.

A cell has the value that an expression reads: an int for `int`, days since 1970 for `date`,
microseconds since 1970 for `timestamp`, None where it is empty.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from dipper.expr.types import Type
from dipper.kit.errors import BadInput
from dipper.kit.hashing import canonical_json, digest

FORMAT = 1

Cell = bool | int | float | str | None
Key = Cell | tuple[Cell, ...]
Row = Mapping[str, Cell]


@dataclass(frozen=True)
class TableVersion:
    """One version of a table. `rows` maps the key (a tuple where it has several columns) to a row.

    Two versions with the same name, shape, date and rows have the same hash, whatever the order of
    the rows in their file.
    """

    name: str
    key: tuple[str, ...]
    columns: Mapping[str, Type]
    rows: Mapping[Key, Row] = field(repr=False)
    business_date: str
    hash: str

    @classmethod
    def of(
        cls,
        name: str,
        key: tuple[str, ...],
        columns: Mapping[str, Type],
        rows: Mapping[Key, Row],
        business_date: str,
    ) -> TableVersion:
        """The version with these rows; `business_date` is YYYY-MM-DD."""
        plain = cls(name, key, dict(columns), dict(rows), business_date, "")
        return cls(name, key, plain.columns, plain.rows, business_date, digest(plain.to_bytes()))

    def to_bytes(self) -> bytes:
        """Canonical JSON, rows in order of their keys; `hash` is its SHA-256."""
        ordered = sorted(self.rows, key=lambda key: canonical_json(key))
        names = sorted(self.columns)
        return canonical_json(
            {
                "format": FORMAT,
                "name": self.name,
                "key": self.key,
                "columns": dict(self.columns),
                "business_date": self.business_date,
                "cells": [[self.rows[key][name] for name in names] for key in ordered],
            }
        )

    @classmethod
    def from_bytes(cls, data: bytes) -> TableVersion:
        """The version of stored bytes. Raises BadInput."""
        try:
            stored = msgspec.json.decode(data)
            if stored["format"] != FORMAT:
                raise ValueError(f"format {stored['format']!r}, this release reads {FORMAT}")
            columns = stored["columns"]
            key = tuple(stored["key"])
            names = sorted(columns)
            rows = {}
            for cells in stored["cells"]:
                row = {
                    name: _stored(cell, columns[name])
                    for name, cell in zip(names, cells, strict=True)
                }
                rows[key_of(row, key)] = row
            return cls(stored["name"], key, columns, rows, stored["business_date"], digest(data))
        except (msgspec.DecodeError, KeyError, TypeError, ValueError) as error:
            raise BadInput(f"not a table version: {error}.", where="table version") from error

    def lookup(self, key: Key) -> Row | None:
        """The row of a key, or None. A key of several columns is a tuple in their order."""
        return self.rows.get(key)

    def values(self, column: str) -> frozenset[Any]:
        """The values that a column has; empty for a column that the table does not have."""
        if column not in self.columns:
            return frozenset()
        return frozenset(row[column] for row in self.rows.values()) - {None}


def _stored(cell: Any, type_: Type) -> Cell:
    # JSON writes 1.0 as 1.0, but another writer may not.
    return float(cell) if type_ == "double" and cell is not None else cell


def key_of(row: Row, key: tuple[str, ...]) -> Key:
    """The key of a row: the value of its key column, or a tuple of several."""
    return row[key[0]] if len(key) == 1 else tuple(row[name] for name in key)
