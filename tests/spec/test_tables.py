"""Versions of reference tables."""

from __future__ import annotations

import pytest

from dipper.expr.types import Type
from dipper.kit.errors import BadInput
from dipper.spec.tables import Key, Row, TableVersion

COLUMNS: dict[str, Type] = {"code": "text", "rate": "double", "until": "date", "live": "bool"}
ROWS: dict[Key, Row] = {
    "b": {"code": "b", "rate": 2.0, "until": 20_000, "live": True},
    "a": {"code": "a", "rate": None, "until": None, "live": False},
}


def version(rows: dict[Key, Row] = ROWS, date: str = "2026-11-01") -> TableVersion:
    return TableVersion.of("rates", ("code",), COLUMNS, rows, date)


def test_stored_bytes_give_the_same_version() -> None:
    """Types and empty cells survive, the hash is that of the bytes."""
    loaded = TableVersion.from_bytes(version().to_bytes())
    assert loaded == version()
    assert isinstance(loaded.rows["b"]["rate"], float)


def test_the_order_of_rows_is_nothing() -> None:
    """A feed that sorts differently gives the same version."""
    turned = dict(reversed(ROWS.items()))
    assert version(turned).hash == version().hash


def test_date_and_cells_make_the_address() -> None:
    """Another date or another cell is another version."""
    other = ROWS | {"a": {**ROWS["a"], "live": True}}
    hashes = {version().hash, version(date="2026-11-02").hash, version(other).hash}
    assert len(hashes) == 3


def test_lookup_by_one_and_by_several_columns() -> None:
    """A key of several columns is a tuple in their order."""
    assert version().lookup("b") == ROWS["b"]
    assert version().lookup("c") is None
    columns: dict[str, Type] = {"unit": "text", "year": "int"}
    rows: dict[Key, Row] = {("x", 2026): {"unit": "x", "year": 2026}}
    two = TableVersion.of("plans", ("unit", "year"), columns, rows, "2026-11-01")
    assert TableVersion.from_bytes(two.to_bytes()).lookup(("x", 2026)) == rows["x", 2026]


def test_the_values_of_a_column() -> None:
    """Empty cells are no values; neither has an unknown column any."""
    assert version().values("rate") == {2.0}
    assert version().values("nothing") == frozenset()


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b'{"format":2}'])
def test_what_is_no_version_is_refused(data: bytes) -> None:
    """Damaged bytes are an error in our form."""
    with pytest.raises(BadInput):
        TableVersion.from_bytes(data)
