"""A property that is declared late is found the same in three ways."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import duckdb
import msgspec
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from dipper.engine.embedded.lake_properties import (
    PROPERTY_TYPES,
    missing_sql,
    promote,
    read_properties,
)
from dipper.kit.clock import from_datetime

PROPERTIES = {f"a_{name}": name for name in PROPERTY_TYPES}
LATE = pa.schema([(name, PROPERTY_TYPES[type_name]) for name, type_name in PROPERTIES.items()])

moments = st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30)).map(
    lambda moment: moment.isoformat() + "Z"
)
values = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63) - 2, 2**63 + 2),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=5),
    st.sampled_from(
        [
            "2026-02-28", "2026-02-30", "2026-11-18T09:30:00+08:00", "2026-11-18 09:30:00.5",
            "2026-11-18T09:30:00.123456-11:30", "2026-11-18T25:00:00Z", "9:30", "1", "true", "1.5",
        ]
    ),
    moments,
    st.lists(st.integers(), max_size=2),
    st.dictionaries(st.text(max_size=2), st.integers(), max_size=2),
)  # fmt: skip
objects = st.dictionaries(st.sampled_from([*PROPERTIES, "other"]), values, max_size=5)


def plain(value: Any) -> Any:
    """Moments as µs, so that no session's zone is in them."""
    if isinstance(value, datetime):
        return from_datetime(value if value.tzinfo else value.replace(tzinfo=UTC))
    return value


@settings(max_examples=400, deadline=None)
@given(st.lists(objects, min_size=1, max_size=5))
def test_a_late_property_reads_alike_everywhere(documents: list[dict[str, Any]]) -> None:
    """Declared when written, moved by a rewrite, or read out of `extra` by SQL: one answer."""
    raws = [msgspec.json.encode(document) for document in documents]
    written = read_properties(raws, PROPERTIES)
    undeclared = pa.table({"extra": read_properties(raws, {})["extra"]})
    moved = promote(undeclared, LATE)
    assert moved["extra"].to_pylist() == written["extra"].to_pylist()
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    relation = connection.from_arrow(undeclared)
    for name, type_name in PROPERTIES.items():
        kind = PROPERTY_TYPES[type_name]
        expected = [plain(value) for value in written[name].to_pylist()]
        assert [plain(value) for value in moved[name].to_pylist()] == expected
        sql = missing_sql(name, kind)
        found = relation.project(f"{sql} AS found").to_arrow_table()["found"].to_pylist()
        assert [plain(value) for value in found] == expected, name


@settings(max_examples=200, deadline=None)
@given(objects)
def test_nothing_of_an_object_is_lost(document: dict[str, Any]) -> None:
    """Columns and `extra` together say what the object said, but for what was null."""
    columns = read_properties([msgspec.json.encode(document)], PROPERTIES)
    (extra,) = columns.pop("extra").to_pylist()
    left = {} if extra is None else msgspec.json.decode(extra)
    kept = {name for name, column in columns.items() if column[0].is_valid}
    assert kept | set(left) == {name for name, value in document.items() if value is not None}
    assert not kept & set(left)
    for name in kept:
        if PROPERTIES[name] in ("bool", "int", "double", "text"):
            # An int beyond 2^53 becomes the nearest double.
            exact = float(document[name]) if name == "a_double" else document[name]
            assert columns[name][0].as_py() == exact
