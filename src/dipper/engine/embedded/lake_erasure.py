"""Erasure from a table of the lake: rows of the erased ids go, rows of others lose the trace.

A file in which an id occurs in any role is written again without it. An own row goes as a whole;
in a row of somebody else the role, the claim, the personal properties and what was never declared
become empty, and the row stays, so that the other timelines and their counts do not change. Where
the row that stood for its record in view `events` goes, another row of the record stands in.
At the end only the newest version is left (`LakeTable.forget_versions`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import NamedTuple

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from dipper.engine.embedded.lake_file import read_file
from dipper.engine.embedded.lake_schema import ROLE_COLUMNS
from dipper.engine.embedded.lake_table import LakeTable, TableFile

ID_COLUMNS = ("id", "claim", *ROLE_COLUMNS)
_RECORD = ("partition", "offset", "role", "first_row")


class Touched(NamedTuple):
    """A file with the places of its rows that name an erased id, and which of those are own."""

    file: TableFile
    rows: np.ndarray
    own: np.ndarray


Clean = Callable[[pa.Table, Touched], pa.Table]
"""Takes the ids out of one file's rows."""

Redact = Callable[[Sequence[Touched]], Clean]
"""Given all that is touched, how each file is cleaned."""


def erase(table: LakeTable, ids: Sequence[str], redact: Redact, threads: int) -> int:
    """Write every file again in which an id occurs, until none is left; gives rows concerned.

    Raises Unavailable while another process compacts or erases.
    """
    erased = pa.array(sorted(set(ids)), pa.string())
    concerned = 0
    with table.rewriting(), ThreadPoolExecutor(threads) as pool:
        while True:
            with table.writing():
                found = table.read()
                all_files = list(pool.map(lambda file: _touched(table, file, erased), found.files))
                touched = [each for each in all_files if len(each.rows)]
                if not touched:
                    break
                added = list(pool.map(partial(_again, table, redact(touched)), touched))
                added = [file for file in added if file is not None]
                table.commit(added, [each.file for each in touched], base=found)
                concerned += sum(len(each.rows) for each in touched)
        table.forget_versions()
    return concerned


def _again(table: LakeTable, clean: Clean, each: Touched) -> TableFile | None:
    rows = clean(table.load(each.file, table.schema), each)
    return table.write(rows, each.file.values) if rows.num_rows else None


def redact_timelines(table: LakeTable, ids: Sequence[str], personal: Iterable[str]) -> Redact:
    """Own rows go, rows of others are emptied of the ids, `personal` and undeclared properties."""
    erased = pa.array(sorted(set(ids)), pa.string())
    emptied = [*personal, "extra"]

    def prepared(touched: Sequence[Touched]) -> Clean:
        heirs = _heirs(table, touched)

        def clean(rows: pa.Table, each: Touched) -> pa.Table:
            hit = np.zeros(rows.num_rows, bool)
            hit[each.rows] = True
            rows = _set(rows, "first_row", _first_rows(rows, heirs))
            rows = without_ids(rows, erased)
            for name in emptied:
                if name in rows.column_names:
                    rows = _set(rows, name, emptied_where(rows[name], hit))
            stay = np.ones(rows.num_rows, bool)
            stay[each.own] = False
            return rows.filter(pa.array(stay))

        return clean

    return prepared


def without_ids(rows: pa.Table, erased: pa.Array) -> pa.Table:
    """The same rows with the ids taken out of roles and claims."""
    for name in ID_COLUMNS:
        if name in rows.column_names and name != "id":
            rows = _set(rows, name, emptied_where(rows[name], _named(rows[name], erased)))
    others = rows["subjects"].cast(pa.string()).to_pylist()
    gone = set(erased.to_pylist())
    kept = [None if text is None else _without_roles(text, gone) for text in others]
    return _set(rows, "subjects", pa.array(kept, pa.string()))


def emptied_where(column: pa.ChunkedArray, where: np.ndarray) -> pa.Array:
    """The column with NULL in these rows."""
    array = column.combine_chunks()
    if not where.any():
        return array
    mask = pa.array(where)
    if pa.types.is_dictionary(array.type):
        codes = pc.if_else(mask, pa.scalar(None, array.indices.type), array.indices)
        return pa.DictionaryArray.from_arrays(codes, array.dictionary)
    return pc.if_else(mask, pa.scalar(None, array.type), array)


def _touched(table: LakeTable, file: TableFile, erased: pa.Array) -> Touched:
    known = table.schema.names[: file.columns]
    names = [name for name in (*ID_COLUMNS, "subjects") if name in known]
    rows = read_file(table.folder / file.path, names, names)
    own = _named(rows["id"], erased) if "id" in names else np.zeros(rows.num_rows, bool)
    found = own.copy()
    for name in ID_COLUMNS:
        if name in names and name != "id":
            found |= _named(rows[name], erased)
    gone = set(erased.to_pylist())
    found |= _where(rows["subjects"], lambda text: _without_roles(text, gone) != text)
    return Touched(file, np.flatnonzero(found), np.flatnonzero(own))


def _named(column: pa.ChunkedArray, erased: pa.Array) -> np.ndarray:
    """Which rows hold one of the ids."""
    array = column.combine_chunks()
    known = pc.is_in(array.dictionary, value_set=erased).to_numpy(zero_copy_only=False)
    return _by_code(array, known)


def _where(column: pa.ChunkedArray, holds: Callable[[str], bool]) -> np.ndarray:
    array = column.combine_chunks()
    known = np.array([holds(value) for value in array.dictionary.to_pylist()], bool)
    return _by_code(array, known)


def _by_code(array: pa.DictionaryArray, known: np.ndarray) -> np.ndarray:
    none = len(known)
    return np.append(known, False)[array.indices.fill_null(none).to_numpy()]


def _without_roles(text: str, gone: set[str]) -> str | None:
    roles = msgspec.json.decode(text, type=dict[str, str])
    kept = {role: id_text for role, id_text in roles.items() if id_text not in gone}
    if len(kept) == len(roles):
        return text
    return msgspec.json.encode(kept).decode() if kept else None


def _heirs(table: LakeTable, touched: Sequence[Touched]) -> dict[tuple[int, int], str]:
    """Records whose first row goes -> the role whose row stands in."""
    orphans: set[tuple[int, int]] = set()
    stay: dict[tuple[int, int], list[str]] = {}
    for each in touched:
        rows = read_file(table.folder / each.file.path, _RECORD).take(pa.array(each.rows))
        own = np.isin(each.rows, each.own)
        for row, is_own in zip(rows.to_pylist(), own, strict=True):
            record = (row["partition"], row["offset"])
            if not is_own:
                stay.setdefault(record, []).append(row["role"])
            elif row["first_row"]:
                orphans.add(record)
    return {record: min(stay[record], key=_rank) for record in orphans & stay.keys()}


def _rank(role: str) -> tuple[int, str]:
    return (ROLE_COLUMNS.index(role) if role in ROLE_COLUMNS else len(ROLE_COLUMNS), role)


def _first_rows(rows: pa.Table, heirs: dict[tuple[int, int], str]) -> pa.Array:
    if not heirs:
        return rows["first_row"].combine_chunks()
    names = zip(*(rows[name].to_pylist() for name in _RECORD), strict=True)
    return pa.array([first or heirs.get((p, at)) == role for p, at, role, first in names])


def _set(rows: pa.Table, name: str, column: pa.Array) -> pa.Table:
    return rows.set_column(rows.column_names.index(name), name, column)
