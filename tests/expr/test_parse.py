"""Reading and typing: names, grouping, conversions, inputs."""

from __future__ import annotations

import pickle

import pytest

from dipper.expr.parse import Expression, parse
from dipper.expr.problems import ExpressionError
from dipper.expr.tree import Constant, HostCall, ToDouble, host_calls
from dipper.expr.types import HostFunction, Scope, Type

SCOPE = Scope(
    {
        "a": "int",
        "b": "int",
        "x": "double",
        "s": "text",
        "p": "bool",
        "q": "bool",
        "r": "bool",
        "d": "date",
        "person.city": "text",
        "tag.bills_paid_30d": "int",
        "order": "int",
        "product.class": "text",
    },
    {
        "holds": HostFunction(("text",), "bool"),
        "rate": HostFunction(("text", "date", "double"), "double"),
    },
)


def read(text: str, expected: Type | None = None) -> Expression:
    return parse(text, SCOPE, expected=expected)


def test_the_segment_of_the_manual_parses() -> None:
    """Dotted names, comparison and AND make a bool with two inputs."""
    expression = read("tag.bills_paid_30d >= 3 AND person.city = '120100'")
    assert expression.type == "bool"
    assert expression.inputs == ("person.city", "tag.bills_paid_30d")


def test_inputs_are_sorted_and_each_once() -> None:
    """Columns and host calls share one sorted list."""
    text = "x > a AND x < 9 AND NOT holds('wealth.a') AND d < CAST(now() AS date)"
    assert read(text).inputs == ("a", "d", "holds('wealth.a')", "now()", "x")


def test_a_host_call_has_a_canonical_name() -> None:
    """Case, spaces and an int for a double make no other input."""
    expression = read("RATE( 'it''s',DATE '2026-01-31',  2 ) > 0")
    assert expression.inputs == ("rate('it''s', DATE '2026-01-31', 2.0)",)
    assert host_calls(expression.tree) == (
        HostCall(
            "double",
            "rate",
            (Constant("text", "it's"), Constant("date", 20_484), Constant("double", 2.0)),
        ),
    )


def test_keywords_may_be_columns() -> None:
    """A word like order or class is a column where the scope has it, quoted or not."""
    assert read("order + \"order\" > 1 AND product.class = 'a'").inputs == (
        "order",
        "product.class",
    )


@pytest.mark.parametrize(
    ("text", "grouped"),
    [
        ("a + b * 2 // 3 % 4 - 1", "(a + (((b * 2) // 3) % 4)) - 1"),
        ("NOT p AND q OR r", "((NOT p) AND q) OR r"),
        ("p OR q AND r", "p OR (q AND r)"),
        ("a = b IS NULL", "(a = b) IS NULL"),
        ("NOT a IS NULL", "NOT (a IS NULL)"),
        ("NOT a = b", "NOT (a = b)"),
        ("a + 1 < b * 2", "(a + 1) < (b * 2)"),
        ("a BETWEEN 1 AND 2 AND p", "(a BETWEEN 1 AND 2) AND p"),
        ("p = s LIKE 'x'", "p = (s LIKE 'x')"),
        ("s || 'a' = 'ba'", "(s || 'a') = 'ba'"),
        ("-a::text = '1'", None),
        ("- a * b", "(-a) * b"),
        ("a NOT IN (1, 2)", "NOT (a IN (1, 2))"),
        ("s NOT LIKE 'x'", "NOT (s LIKE 'x')"),
        ("a == b", "a = b"),
        ("a != b", "a <> b"),
        ("p AND (q AND r)", "p AND q AND r"),
    ],
)
def test_operators_group_as_the_page_says(text: str, grouped: str | None) -> None:
    """Precedence is DuckDB's; `::` binds tighter than a sign."""
    if grouped is None:
        with pytest.raises(ExpressionError, match="'-' needs a number, got text"):
            read(text)
    else:
        assert read(text).tree == read(grouped).tree


def test_an_int_beside_a_double_becomes_one() -> None:
    """A literal at once, a column by a conversion that stands in the tree."""
    assert read("x > 2").tree == read("x > 2.0").tree
    assert any(isinstance(n, ToDouble) for n in vars(read("x > a").tree).values())


def test_expected_converts_or_refuses() -> None:
    """An int where a double is wanted becomes one, a bool where an int is wanted does not."""
    assert read("a", "double").type == "double"
    assert read("NULL", "date").tree == Constant("date", None)
    with pytest.raises(ExpressionError, match=r"expected int, got bool: p\."):
        read("p", "int")


def test_null_takes_the_type_of_its_place() -> None:
    """In a comparison, a CASE and a coalesce the other side types it."""
    assert read("a = NULL").tree == read("a = CAST(NULL AS int)").tree
    assert read("coalesce(NULL, x)").type == "double"
    assert read("CASE WHEN p THEN NULL ELSE 's' END").type == "text"


def test_the_smallest_int_can_be_written() -> None:
    """Its sign belongs to the literal."""
    assert read("-9223372036854775808").tree == Constant("int", -(2**63))


def test_date_literals_are_constants() -> None:
    """Of days since 1970 and microseconds since 1970, read at UTC+08:00."""
    assert read("DATE '1970-01-02'").tree == Constant("date", 1)
    assert read("TIMESTAMP '1970-01-01 00:00:00'").tree == Constant("timestamp", -28_800_000_000)
    assert read("CAST('1970-01-02' AS date)").tree == Constant("date", 1)


def test_a_long_chain_is_one_operation_deep() -> None:
    """Hundreds of AND terms parse; they do not nest."""
    expression = read(" AND ".join(f"a <> {n}" for n in range(600)))
    assert len(vars(expression.tree)["operands"]) == 600


def test_all_problems_come_at_once() -> None:
    """Each with its place and hint, and the error's text has them all."""
    with pytest.raises(ExpressionError) as caught:
        parse("person.ctiy = 'x' AND a = 's' AND lenght(s) > 1", SCOPE, where="payers.yml:7")
    problems = caught.value.problems
    assert [p.position for p in problems] == [1, 23, 35]
    assert problems[0].hint == "Did you mean 'person.city'?"
    assert str(caught.value).startswith("payers.yml:7: column 'person.ctiy' at character 1")
    assert caught.value.code == "bad_expression"
    assert caught.value.status == 400


def test_one_wrong_name_makes_one_problem() -> None:
    """What contains it is not blamed as well."""
    with pytest.raises(ExpressionError) as caught:
        read("coalesce(nme, 'x') || s = 'y' AND round(nme) > 2 AND CASE nme WHEN 1 THEN p END")
    assert {p.message.split("'")[1] for p in caught.value.problems} == {"nme"}


def test_expressions_are_plain_data() -> None:
    """Equal texts give equal, hashable expressions that survive pickling."""
    one, two = read("a > 1 OR s IN ('x', NULL)"), read("a > 1 OR s IN ('x', NULL)")
    assert one == two
    assert hash(one) == hash(two)
    assert pickle.loads(pickle.dumps(one)) == one
