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

from dipper.engine.embedded.lake_file import filled_columns, read_file
from dipper.engine.embedded.lake_schema import ROLE_COLUMNS
from dipper.engine.embedded.lake_table import LakeTable, TableFile

ID_COLUMNS = ("id", "claim", *ROLE_COLUMNS)
_NAMING = frozenset({*ID_COLUMNS, "subjects"})
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


def erase(
    table: LakeTable,
    ids: Sequence[str],
    redact: Redact,
    threads: int,
    before_us: int | None = None,
) -> int:
    """Write every file again in which an id occurs, until none is left; gives rows concerned.

    Rows received from `before_us` on stay as they are: the ids are back by then.
    Raises Unavailable while another process compacts or erases.
    """
    erased = pa.array(sorted(set(ids)), pa.string())
    look = partial(_touched, table, erased, before_us)
    concerned = 0
    with table.rewriting(), ThreadPoolExecutor(threads) as pool:
        while True:
            with table.writing():
                found = table.read()
                all_files = list(pool.map(look, found.files))
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
    theirs = [*personal, "extra"]

    def prepared(touched: Sequence[Touched]) -> Clean:
        heirs = _heirs(table, touched)

        def clean(rows: pa.Table, each: Touched) -> pa.Table:
            hit = np.zeros(rows.num_rows, bool)
            hit[each.rows] = True
            rows = _set(rows, "first_row", _first_rows(rows, heirs))
            rows = emptied(without_ids(rows, erased, hit), theirs, hit)
            stay = np.ones(rows.num_rows, bool)
            stay[each.own] = False
            return rows.filter(pa.array(stay))

        return clean

    return prepared


def without_ids(rows: pa.Table, erased: pa.Array, hit: np.ndarray) -> pa.Table:
    """The same rows with the ids taken out of roles and claims where the mask says so."""
    for name in _roles(rows):
        rows = emptied(rows, [name], _named(rows[name], erased) & hit)
    if "subjects" in rows.column_names:
        gone = set(erased.to_pylist())
        kept = [
            text if text is None or not is_hit else _without_roles(text, gone)
            for text, is_hit in zip(rows["subjects"].to_pylist(), hit.tolist(), strict=True)
        ]
        rows = _set(rows, "subjects", pa.array(kept, pa.string()))
    return rows


def emptied(rows: pa.Table, names: Iterable[str], where: np.ndarray) -> pa.Table:
    """The same rows without the values of these columns where the mask says so."""
    for name in names:
        if name in rows.column_names:
            nothing = pa.scalar(None, rows[name].type)
            rows = _set(rows, name, pc.if_else(pa.array(where), nothing, rows[name]))
    return rows


def _roles(rows: pa.Table) -> list[str]:
    return [name for name in rows.column_names if name in ID_COLUMNS and name != "id"]


def _touched(table: LakeTable, erased: pa.Array, before_us: int | None, file: TableFile) -> Touched:
    path = table.folder / file.path
    rows = read_file(path, [name for name in filled_columns(path) if name in _NAMING])
    nobody = np.zeros(file.rows, bool)
    own = _named(rows["id"], erased) if "id" in rows.column_names else nobody
    found = own.copy()
    for name in _roles(rows):
        found |= _named(rows[name], erased)
    if "subjects" in rows.column_names:
        gone = set(erased.to_pylist())
        others = rows["subjects"].to_pylist()
        found |= [text is not None and _without_roles(text, gone) != text for text in others]
    if before_us is not None:
        received = read_file(path, ["received"])["received"].cast(pa.int64()).to_numpy()
        found, own = found & (received < before_us), own & (received < before_us)
    return Touched(file, np.flatnonzero(found), np.flatnonzero(own))


def _named(column: pa.ChunkedArray, erased: pa.Array) -> np.ndarray:
    """Which rows hold one of the ids."""
    return pc.is_in(column, value_set=erased).to_numpy().astype(bool)


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


def _set(rows: pa.Table, name: str, column: pa.Array | pa.ChunkedArray) -> pa.Table:
    return rows.set_column(rows.column_names.index(name), name, column)
