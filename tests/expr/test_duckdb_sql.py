"""SQL text: columns, literals, and a size that follows the size of the expression."""

from __future__ import annotations

import duckdb
import pytest

from dipper.expr.duckdb_sql import to_sql
from dipper.expr.parse import parse
from dipper.expr.types import HostFunction, Scope

SCOPE = Scope(
    {"a": "int", "x": "double", "s": "text", "p": "bool", "person.city": "text"},
    {"holds": HostFunction(("text",), "bool")},
)


def sql(text: str) -> str:
    return to_sql(parse(text, SCOPE), lambda name: f'"{name}"')


def test_each_input_is_what_the_caller_says() -> None:
    """By its canonical name, host calls too."""
    seen: list[str] = []

    def column(name: str) -> str:
        seen.append(name)
        return f"c{len(seen)}"

    text = "person.city = 'x' AND NOT holds('a')"
    assert to_sql(parse(text, SCOPE), column) == "(((c1) = 'x') AND (NOT (c2)))"
    assert seen == ["person.city", "holds('a')"]


def test_quotes_are_doubled() -> None:
    """A text literal cannot end early, in comparisons and patterns alike."""
    assert sql("s = 'it''s; DROP TABLE t --'") == "((\"s\") = 'it''s; DROP TABLE t --')"
    assert sql("s LIKE '%''%'") == "((\"s\") LIKE '%''%')"


def test_int_literals_are_64_bits_wide() -> None:
    """A bare literal would be computed in 32 bits."""
    assert sql("a + 1") == 'TRY(("a") + CAST(1 AS BIGINT))'


def test_a_chain_of_ints_has_one_try() -> None:
    """An overflow anywhere makes the whole chain NULL anyway."""
    assert sql("a + a * a - a // a").count("TRY(") == 1


def test_a_chain_of_doubles_is_checked_where_it_ends() -> None:
    """Infinity stays infinite or NaN through + - *, so one check does."""
    assert sql("x + x * x - x").count("isfinite") == 1
    assert sql("1 / x + x").count("isfinite") == 1
    assert 'CASE WHEN isfinite((("x") + ("x")))' in sql("1 / (x + x)")


@pytest.mark.parametrize(
    "form", ["1.5 / ({})", "nullif({}, 2.5)", "CASE {} WHEN x THEN 1.5 ELSE x END"]
)
def test_the_size_grows_with_the_depth_and_not_with_its_power(form: str) -> None:
    """An operand that is needed twice is bound, so fifteen levels stay small and run."""
    text = "x"
    for _ in range(15):
        text = form.format(text)
    assert len(sql(text)) < 10_000
    row = duckdb.execute(f"SELECT {sql(text)} FROM (SELECT 3e0 AS x)").fetchone()  # noqa: S608
    assert row is not None
    assert isinstance(row[0], float)
