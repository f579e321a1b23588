"""Rows of reference tables from CSV files."""

from __future__ import annotations

from pathlib import Path

import pytest

from dipper.spec.finding import Finding
from dipper.spec.kinds.table import EXAMPLE, Table
from dipper.spec.load import load_text
from dipper.spec.table_csv import parse_table, read_table
from dipper.spec.tables import TableVersion


@pytest.fixture
def spec(write) -> Table:
    columns = {
        "code": "text",
        "n": "int",
        "rate": "double",
        "day": "date",
        "at": "timestamp",
        "live": "bool",
    }
    (one,) = load_text(write("table", "things", key=["code"], columns=columns)).objects
    assert isinstance(one.spec, Table)
    return one.spec


def parse(text: str, spec: Table) -> tuple[TableVersion | None, list[Finding]]:
    return parse_table(text, spec, "2026-11-01", where="tables/things.csv")


HEADER = "code,n,rate,day,at,live\n"


def test_cells_are_what_expressions_read(spec: Table) -> None:
    """Days since 1970, microseconds since 1970 on the wall clock of +08:00, None for nothing."""
    version, found = parse(f"{HEADER}a,-3,1.5,1970-01-02,1970-01-01 08:00:01,TRUE\nb,,,,,\n", spec)
    assert not found
    assert version is not None
    assert version.lookup("a") == {
        "code": "a",
        "n": -3,
        "rate": 1.5,
        "day": 1,
        "at": 1_000_000,
        "live": True,
    }
    assert version.lookup("b") == dict.fromkeys(spec.columns) | {"code": "b"}


def test_every_bad_cell_is_told_with_its_line(spec: Table) -> None:
    """A quoted line break inside a cell does not shift the lines that follow."""
    text = f'{HEADER}"a\nb",1,2,,,\nc,x,2,,,\n\nd,1,nan,2026-02-30,,maybe\n'
    version, found = parse(text, spec)
    assert version is None
    assert [one.as_text() for one in found] == [
        "tables/things.csv:4: column 'n' expects a whole number, got 'x'.",
        "tables/things.csv:6: column 'rate' expects a number, got 'nan'.",
        "tables/things.csv:6: column 'day' expects YYYY-MM-DD, got '2026-02-30'.",
        "tables/things.csv:6: column 'live' expects true or false, got 'maybe'.",
    ]


def test_the_header_names_the_columns(spec: Table) -> None:
    """A misspelt, a missing and a doubled column are told before any row is read."""
    _, found = parse("code,n,n,rte,day,at,live\nx\n", spec)
    assert [(one.code, one.hint) for one in found] == [
        ("unknown_column", "Did you mean 'rate'?"),
        ("missing_column", ""),
        ("named_twice", ""),
    ]


def test_keys_are_there_and_unique(spec: Table) -> None:
    """Two rows of one key or a row without one are findings."""
    _, found = parse(f"{HEADER}a,1,,,,\na,2,,,,\n,3,,,,\n", spec)
    assert [(one.code, one.where) for one in found] == [
        ("duplicate_key", "tables/things.csv:3"),
        ("empty_key", "tables/things.csv:4"),
    ]


def test_rows_have_as_many_cells_as_the_header(spec: Table) -> None:
    """A comma too many is told and does not shift the cells."""
    _, found = parse(f"{HEADER}a,1,,,,,\n", spec)
    assert [one.message for one in found] == ["expected 6 cells, got 7."]


def test_numbers_stay_within_64_bits(spec: Table) -> None:
    """A longer number is no int of ours."""
    _, found = parse(f"{HEADER}a,9223372036854775808,,,,\nb,１２,,,,\n", spec)
    assert [one.code for one in found] == ["bad_cell", "bad_cell"]


def test_what_is_no_csv_is_a_finding(spec: Table) -> None:
    """An open quote, an empty file, a date that is none."""
    assert [one.code for one in parse(f'{HEADER}"a,1,,,,\n', spec)[1]] == ["bad_csv"]
    assert {one.code for one in parse("", spec)[1]} == {"missing_column"}
    _, found = parse_table(HEADER, spec, "yesterday", where="t.csv")
    assert [one.code for one in found] == ["bad_date"]


def test_files_are_utf8_with_or_without_a_mark(spec: Table, tmp_path: Path) -> None:
    """Other encodings come through a feed."""
    path = tmp_path / "things.csv"
    path.write_bytes(b"\xef\xbb\xbf" + f"{HEADER}甲,1,,,,\n".encode())
    version, _ = read_table(path, spec, "2026-11-01")
    assert version is not None
    assert version.lookup("甲") is not None
    path.write_bytes(f"{HEADER}甲,1,,,,\n".encode("gbk"))
    _, found = read_table(path, spec, "2026-11-01", where="tables/things.csv")
    assert found[0].as_text() == (
        "tables/things.csv:2: this is not UTF-8. Write it in UTF-8; a feed reads other encodings."
    )


@pytest.mark.parametrize("column", ["risk_issuer", "risk_seller"])
def test_a_product_is_rated_from_1_to_5(column: str) -> None:
    """Another number is told with its line; an empty cell says that nobody has rated it."""
    (product,) = load_text(EXAMPLE).objects
    assert isinstance(product.spec, Table)
    names = list(product.spec.columns)

    def rated(*levels: str) -> tuple[TableVersion | None, list[Finding]]:
        rows = [
            ",".join({"product": f"p{at}", column: level}.get(name, "") for name in names)
            for at, level in enumerate(levels)
        ]
        return parse("\n".join([",".join(names), *rows]) + "\n", product.spec)

    _, found = rated("0", "5", "6", "-1")
    assert [one.as_text() for one in found] == [
        f"tables/things.csv:{line}: column '{column}' expects a level from 1 to 5, got '{level}'."
        for line, level in ((2, "0"), (4, "6"), (5, "-1"))
    ]
    version, found = rated("", "1", "5")
    assert found == []
    assert version is not None
