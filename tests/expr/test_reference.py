"""docs/reference/expressions.md is true: each fact that it states is evaluated here."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dipper.expr.casts import CASTS, WRITTEN
from dipper.expr.functions import DIGITS_MAX, FUNCTIONS
from dipper.expr.grammar import NESTING_MAX, TEXT_MAX

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "expressions.md"

# A part of the page that states the fact, an expression, its value.
FACTS: list[tuple[str, str, object]] = [
    ("`(9223372036854775807 + 1) - 1` is NULL", "(9223372036854775807 + 1) - 1", None),
    ("`-7 // 2` is −3", "-7 // 2", -3),
    ("NULL for a zero divisor", "7 // 0", None),
    ("−9223372036854775808 // −1", "-9223372036854775808 // -1", None),
    ("`-7 % 2` is −1", "-7 % 2", -1),
    ("NULL where `//` is", "-9223372036854775808 % -1", None),
    ("both become `double`", "7 / 2", 3.5),
    ("NULL for a zero divisor", "7 / 0", None),
    ("then its fraction cut off", "-7.5 // 2", -3.0),
    ("the exact remainder with the sign of a", "-7.5 % 2", -1.5),
    ("NULL when the result is not finite", "1e308 * 10", None),
    ("`1 / (1e308 * 10)` is NULL", "1 / (1e308 * 10)", None),
    ("`_` may group digits (`1_000`)", "1_000", 1000),
    ("`.5`", ".5", 0.5),
    ("`1e3`", "1e3", 1000.0),
    ("`round(2.5)` is 3.0", "round(2.5)", 3.0),
    ("`round(-2.5)` is −3.0", "round(-2.5)", -3.0),
    ("`CAST(2.5 AS int)` is 3", "CAST(2.5 AS int)", 3),
    ("`round(1.005, 2)` is 1.0", "round(1.005, 2)", 1.0),
    ("`-0.0 = 0.0`", "-0.0 = 0.0", True),
    ("`'Z' < 'a' < '中'`", "'Z' < 'a' AND 'a' < '中'", True),
    ("an emoji made of several counts several", "length('👨\u200d👩\u200d👧')", 5),
    ("`_` for exactly one", "'中' LIKE '_'", True),
    ("(a line break too)", "'a\nb' LIKE 'a_b'", True),
    ("backslash included", "'a%' LIKE 'a\\%'", False),
    ("`concat(a, …)` joins and skips NULLs", "concat('a', NULL, 'b')", "ab"),
    ("`a || b` joins", "'a' || NULL", None),
    ("`1 IN (2, NULL)` is NULL", "1 IN (2, NULL)", None),
    ("without ELSE NULL", "CASE WHEN FALSE THEN 1 END", None),
    ("1 and 0; `true` and `false`", "CAST(TRUE AS int)", 1),
    ("1 and 0; `true` and `false`", "CAST(FALSE AS text)", "false"),
    ("`0.1`", "CAST(0.1 AS text)", "0.1"),
    ("`100.0`", "CAST(100.0 AS text)", "100.0"),
    ("`1e+16`", "CAST(1e16 AS text)", "1e+16"),
    ("`1e-05`", "CAST(0.00001 AS text)", "1e-05"),
    ("zero is `0.0`", "CAST(-0.0 AS text)", "0.0"),
    ("1 to 30 ASCII digits, nothing else", "CAST('1.5' AS int)", None),
    ("or beginning with the point", "CAST('-.5e1' AS double)", -5.0),
    ("NULL when not finite", "CAST('1e400' AS double)", None),
    ("in ASCII letters of any case", "CAST('tRue' AS bool)", True),
    ("Spaces around a number make the cast NULL", "CAST(' 1' AS int)", None),
    ("`CAST(trim(x) AS int)`", "CAST(trim(' 1') AS int)", 1),
    ("a day that exists", "CAST('2026-02-30' || '' AS date)", None),
    (
        "without trailing zeros",
        "CAST(TIMESTAMP '2026-01-31 09:30:00.50' AS text)",
        "2026-01-31 09:30:00.5",
    ),
    ("the midnight with which the day begins", "hour(CAST(DATE '2026-01-31' AS timestamp))", 0),
    ("UTC+08:00, always", "TIMESTAMP '1970-01-01 08:00:00'", 0),
    ("years 1 to 9999", "DATE '0001-01-01'", -719_162),
    ("ASCII letters changed, all else kept", "lower('ÄB中')", "Äb中"),
    ("tab, line breaks and Unicode's spaces", "trim('\t\u3000a b\n')", "a b"),
    ("`substr('abc', -5, 3)` is `'a'`", "substr('abc', -5, 3)", "a"),
    ("−1 the last", "substr('abc', -1)", "c"),
    ("1 being the first", "substr('abc', 1, 2)", "ab"),
    ("the empty text is part of every text", "contains('', '')", True),
    ("from the left, replaced", "replace('aaa', 'aa', 'b')", "ba"),
    ("an empty `old` changes nothing", "replace('abc', '', 'x')", "abc"),
    ("NULL for the smallest int", "abs(-9223372036854775808)", None),
    ("NULL only when all are", "least(NULL, 2, 1)", 1),
    ("NULL only when all are", "greatest(CAST(NULL AS int))", None),
    ("`'week'` (Monday)", "date_trunc('week', DATE '2026-02-01')", 20_479),
    ("for timestamps `'hour'` too", "date_trunc('hour', TIMESTAMP '1970-01-01 08:59:59')", 0),
    ("1 Monday to 7 Sunday", "day_of_week(DATE '2026-02-01')", 7),
    ("0 to 23", "hour(TIMESTAMP '2026-01-31 23:59:59')", 23),
    ("negative when end is earlier", "days_between(DATE '2026-01-31', DATE '2026-01-01')", -30),
    (
        "midnights passed from start to end",
        "days_between(TIMESTAMP '2026-01-31 23:59:59', TIMESTAMP '2026-02-01 00:00:01')",
        1,
    ),
    ("the first argument that is not NULL", "coalesce(NULL, 2, 3)", 2),
    ("NULL if `a = b` is TRUE, else a", "nullif(1, 1)", None),
    ("NULL if `a = b` is TRUE, else a", "nullif(1, NULL)", 1),
]


@pytest.mark.parametrize(("stated", "text", "expected"), FACTS)
def test_the_page_states_what_happens(
    stated: str, text: str, expected: object, value: Callable[..., Any]
) -> None:
    """The page has the sentence, and the expression has that value in both executions."""
    assert stated in PAGE.read_text("utf-8")
    assert value(text) == expected


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_every_function_is_on_the_page(name: str) -> None:
    """A function that exists is in the reference."""
    assert f"`{name}(" in PAGE.read_text("utf-8")


def test_every_cast_is_on_the_page() -> None:
    """The table of casts has a row for each pair, and the page every way to write a type."""
    rows = [r.split("|") for r in PAGE.read_text("utf-8").splitlines() if r.count("|") == 4]
    written = {(r[1].strip(), t.strip()) for r in rows for t in r[2].split(",")}
    assert {(a, b) for a, targets in CASTS.items() for b in targets} <= written
    for word in {"boolean", "integer", "bigint", "varchar", *WRITTEN.values()}:
        assert f"`{word}`" in PAGE.read_text("utf-8")


def test_the_limits_are_on_the_page() -> None:
    """The numbers of the page are those of the code."""
    page = PAGE.read_text("utf-8")
    assert f"At most {TEXT_MAX:,} characters" in page
    assert f"nest at most {NESTING_MAX} deep" in page
    assert f"*literal* digits 0 to {DIGITS_MAX}" in page
