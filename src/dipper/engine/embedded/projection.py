"""The columns of a projection over one file of the lake, each read in the cheapest right way.

A bare number is taken as it stands in the file. A text that repeats few values is read as codes,
and SQL that looks at nothing but that text is evaluated once a value, not once a row. Everything
else DuckDB computes over the file, in the order of its rows. All ways give the same arrays.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import sqlglot
from sqlglot import exp

from dipper.engine.embedded.lake_file import columns_of, read_file, whole
from dipper.engine.embedded.lake_properties import column_sql, missing_sql
from dipper.engine.embedded.lake_schema import read_as_codes
from dipper.engine.embedded.row_kernels import Values
from dipper.engine.ports import Column
from dipper.kit.errors import BadInput, Unavailable

TEXT = "text"
NO_TEXT = -1

_SQL_TYPES = {
    "bool": "BOOLEAN",
    "int8": "TINYINT",
    "int16": "SMALLINT",
    "int32": "INTEGER",
    "int64": "BIGINT",
    "uint8": "UTINYINT",
    "uint16": "USMALLINT",
    "uint32": "UINTEGER",
    "uint64": "UBIGINT",
    "float32": "FLOAT",
    "float64": "DOUBLE",
    TEXT: "VARCHAR",
}
_MOMENT = re.compile(r'epoch_us\("?(\w+)"?\)')


@dataclass
class Vocabulary:
    """Texts and their codes, growing; one for a text column of a running projection."""

    texts: list[str] = field(default_factory=list)
    _codes: dict[str, int] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def codes(self, texts: Sequence[str | None]) -> np.ndarray:
        """The codes of these texts; NULL is -1."""
        with self._lock:
            for text in texts:
                if text is not None and text not in self._codes:
                    self._codes[text] = len(self.texts)
                    self.texts.append(text)
        found = [NO_TEXT if text is None else self._codes[text] for text in texts]
        return np.array(found, np.int32)


@dataclass(frozen=True)
class Part:
    """A column of the projection and what its SQL mentions; `bare` is the column it merely is."""

    column: Column
    mentions: frozenset[str]
    bare: str | None
    vocabulary: Vocabulary | None

    @property
    def only(self) -> str | None:
        """The only column that the SQL looks at."""
        return next(iter(self.mentions)) if len(self.mentions) == 1 else None


def part_of(column: Column) -> Part:
    """Reads the SQL of a column. Raises BadInput for an unknown dtype or SQL that is none."""
    if column.dtype not in _SQL_TYPES:
        raise BadInput(
            f"column '{column.name}' has dtype '{column.dtype}', expected one of "
            f"{', '.join(_SQL_TYPES)}.",
            where="projection",
        )
    try:
        tree = sqlglot.parse_one(column.sql, read="duckdb")
    except sqlglot.ParseError as error:
        raise BadInput(f"column '{column.name}': {error}", where="projection") from error
    mentions = frozenset(each.name for each in tree.find_all(exp.Column))
    moment = _MOMENT.fullmatch(column.sql.strip())
    is_bare = isinstance(tree, exp.Column) and not tree.table
    bare = tree.name if is_bare else moment.group(1) if moment else None
    return Part(column, mentions, bare, Vocabulary() if column.dtype == TEXT else None)


class Evaluated:
    """What the readers of one projection share: one DuckDB, and what it has computed by value."""

    def __init__(self, parts: Sequence[Part]) -> None:
        self.values: dict[str, dict[str | None, Any]] = {part.column.name: {} for part in parts}
        self._lock = threading.Lock()
        self._root: duckdb.DuckDBPyConnection | None = None

    def connect(self) -> duckdb.DuckDBPyConnection:
        """A connection for one thread; it takes 20 ms to start DuckDB and none for the next."""
        with self._lock:
            if self._root is None:
                self._root = duckdb.connect(config={"threads": 1})
                self._root.execute("SET GLOBAL TimeZone = 'UTC'")
            return self._root.cursor()


class Reader:
    """Evaluates parts over files, for one thread."""

    def __init__(self, schema: pa.Schema, parts: Sequence[Part], evaluated: Evaluated) -> None:
        """`schema` is the lake's."""
        self._schema = schema
        self._coded = read_as_codes(schema)
        self._parts = parts
        self._evaluated = evaluated
        self._connection: duckdb.DuckDBPyConnection | None = None

    def read(self, path: str, plain: Sequence[str] = ()) -> tuple[pa.Table, dict[str, Values]]:
        """The `plain` columns as Arrow (texts as codes), and the parts' values, in row order.

        Raises Unavailable when the file is gone, and BadInput when SQL cannot be computed.
        """
        known = self._schema.names[: columns_of(path)]
        sources = {part.column.name: self._source(part, known) for part in self._parts}
        names = {name for name in sources.values() if name is not None} | set(plain)
        try:
            table = read_file(path, sorted(names), self._coded & names)
        except FileNotFoundError as error:
            raise Unavailable(
                "the lake was rewritten while it was read.",
                where=path,
                hint="Ask again: the question then sees the newest version.",
            ) from error
        arrays, rest = {}, []
        for part in self._parts:
            source = sources[part.column.name]
            if source is None:
                rest.append(part)
            else:
                arrays[part.column.name] = self._direct(part, table[source])
        return table, arrays | self._computed(path, known, rest)

    def _source(self, part: Part, known: Sequence[str]) -> str | None:
        """The one column from which the part comes without SQL over rows, if there is one."""
        name = part.bare or part.only
        if name is None or name not in known:
            return None
        if name in self._coded:
            return name
        return name if part.bare is not None and part.column.dtype != TEXT else None

    def _direct(self, part: Part, column: pa.ChunkedArray) -> Values:
        array = whole(column)
        if pa.types.is_dictionary(array.type):
            values = self._by_value(part, array.dictionary.to_pylist())
            codes = array.indices
            codes = codes.fill_null(len(values) - 1) if codes.null_count else codes
            return Values(values, codes.to_numpy())
        if pa.types.is_timestamp(array.type):
            array = array.view(pa.int64())
        elif pa.types.is_date32(array.type):
            array = array.view(pa.int32())
        return Values(_filled(array, part.column), None)

    def _by_value(self, part: Part, values: list[str]) -> np.ndarray:
        """The part's value for each of these texts and, at the end, for NULL."""
        wanted = [*values, None]
        if part.vocabulary is not None and part.bare is not None:
            return part.vocabulary.codes(wanted)
        known = self._evaluated.values[part.column.name]
        new = [value for value in wanted if value not in known]
        if new:
            rows = pa.table({part.bare or part.only: pa.array(new, pa.string())})
            known.update(zip(new, self._evaluate(rows, [part])[0], strict=True))
        return np.array([known[value] for value in wanted])

    def _computed(self, path: str, known: Sequence[str], parts: list[Part]) -> dict[str, Values]:
        if not parts:
            return {}
        late = [
            f"{missing_sql(field.name, field.type)} AS {column_sql(field.name)}"
            for field in self._schema
            if field.name not in known and any(field.name in part.mentions for part in parts)
        ]
        source = f"(SELECT {', '.join(['*', *late])} FROM read_parquet('{_quoted(path)}'))"  # noqa: S608
        found = self._evaluate(source, parts)
        return {
            part.column.name: Values(array, None) for part, array in zip(parts, found, strict=True)
        }

    def _evaluate(self, source: str | pa.Table, parts: Sequence[Part]) -> list[np.ndarray]:
        """The parts over all rows of a table or a FROM clause, in their order."""
        if self._connection is None:
            self._connection = self._evaluated.connect()
        casts = ", ".join(
            f"CAST(({self._sql(part)}) AS {_SQL_TYPES[part.column.dtype]}) AS c{place}"
            for place, part in enumerate(parts)
        )
        try:
            if isinstance(source, str):
                relation = self._connection.sql(f"SELECT {casts} FROM {source}")  # noqa: S608
            else:
                relation = self._connection.from_arrow(source).project(casts)
            found = relation.to_arrow_table().combine_chunks()
        except duckdb.Error as error:
            raise BadInput(
                f"cannot compute {', '.join(part.column.sql for part in parts)}: {error}",
                where="projection",
            ) from error
        return [_array(part, found[f"c{place}"]) for place, part in enumerate(parts)]

    def _sql(self, part: Part) -> str:
        """The part's SQL; a bare moment is a number of µs and a bare date of days, as `_direct`
        gives them."""
        if part.bare is None or part.bare not in self._schema.names:
            return part.column.sql
        kind = self._schema.field(part.bare).type
        if pa.types.is_timestamp(kind):
            return f"epoch_us({column_sql(part.bare)})"
        if pa.types.is_date32(kind):
            return f"{column_sql(part.bare)} - DATE '1970-01-01'"
        return part.column.sql


def _array(part: Part, column: pa.ChunkedArray) -> np.ndarray:
    array = whole(column)
    if part.vocabulary is None:
        return _filled(array, part.column)
    texts = array.dictionary_encode()
    codes = part.vocabulary.codes([*texts.dictionary.to_pylist(), None])
    return codes[texts.indices.fill_null(len(codes) - 1).to_numpy()]


def _filled(array: pa.Array, column: Column) -> np.ndarray:
    if array.null_count:
        null = bool(column.null) if pa.types.is_boolean(array.type) else column.null
        array = pc.fill_null(array, pa.scalar(null, array.type))
    return array.to_numpy(zero_copy_only=False).astype(column.dtype, copy=False)


def _quoted(path: str) -> str:
    return path.replace("'", "''")
