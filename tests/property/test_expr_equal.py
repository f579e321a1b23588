"""Generated Python and DuckDB SQL give equal values for drawn expressions over drawn rows.

Expressions are drawn as text of a wanted type, so that parsing and typing take part. The leaves
lean to the edges: the ends of int, halves, doubles that overflow, texts that almost cast,
wildcards, first and last days, NULL.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from itertools import product
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dipper.expr.duckdb_sql import to_sql
from dipper.expr.parse import Expression, parse
from dipper.expr.python import compile_function, compile_mask
from dipper.expr.tree import Constant, constant_text
from dipper.expr.types import INT_MAX, INT_MIN, HostFunction, Scope, Type

COLUMNS: dict[str, Type] = {
    "i": "int",
    "tag.j": "int",
    "x": "double",
    "y": "double",
    "s": "text",
    "person.t": "text",
    "p": "bool",
    "q": "bool",
    "d": "date",
    "e": "date",
    "m": "timestamp",
    "n": "timestamp",
}
SCOPE = Scope(COLUMNS, {"holds": HostFunction(("text",), "bool")})
INPUTS: dict[str, Type] = {**COLUMNS, "holds('wealth.x')": "bool", "now()": "timestamp"}
ARROW = {
    "bool": pa.bool_(),
    "int": pa.int64(),
    "double": pa.float64(),
    "text": pa.string(),
    "timestamp": pa.timestamp("us"),
    "date": pa.date32(),
}

FIRST_DAY, LAST_DAY = -719_162, 2_932_896
DAY_US, ZONE_US = 86_400_000_000, 28_800_000_000
FIRST_US = FIRST_DAY * DAY_US - ZONE_US
LAST_US = (LAST_DAY + 1) * DAY_US - ZONE_US - 1

INTS = [0, 1, -1, 2, 3, -7, 10, 1000, 2**31, 2**53 + 1, -(2**53) - 1, 3 * 10**9]
INTS += [INT_MIN, INT_MIN + 1, INT_MAX, INT_MAX - 1]
DOUBLES = [0.0, -0.0, 0.5, -0.5, 1.5, 2.5, -2.5, 0.49999999999999994, 1.005, 2.675, -7.5, 3.0]
DOUBLES += [1.7976931348623157e308, -1.7976931348623157e308, 1e300, 5e-324, 1e15, 1e16, 1e-5]
DOUBLES += [9.223372036854776e18, -9.223372036854776e18, 2.0**53, 4503599627370497.5]
TEXTS = ["", " ", "a", "A", "abc", "aba", "b", "%", "_", "a%b", "\\", "it's", "\n", "\t a\u3000"]
TEXTS += ["中文", "中", "é", "e\u0301", "ß", "İ", "😀", "👨\u200d👩\u200d👧", "\uffff", "ab" * 40]
TEXTS += ["12", " 12", "-7", "+5", "1.5", "-.5", "5.", "1e400", "1e3", "9223372036854775808"]
TEXTS += ["007", "1_0", "0x1", "nan", "inf", "true", "FALSE", "t", "2024-02-29", "2024-02-30"]
TEXTS += ["0000-01-01", "9999-12-31", "2024-01-01 10:00:00", "2024-06-30T23:59:59.25"]
TEXTS += ["2024-01-01 24:00:00", "2024-01-01 10:00", "2024-1-1", "١٢"]
DAYS = [0, -1, 1, 19_782, 19_783, 11_016, FIRST_DAY, FIRST_DAY + 1, LAST_DAY]
MOMENTS = [0, -1, 1, FIRST_US, LAST_US, 1_704_038_399_999_999, 1_704_038_400_000_000]
PATTERNS = ["%", "_", "a%", "%a", "%b%", "a_a", "a%b%", "%中_", "", "\\%", "it's%", "%%a"]

VALUES: dict[Type, st.SearchStrategy[Any]] = {
    "bool": st.booleans(),
    "int": st.sampled_from(INTS) | st.integers(INT_MIN, INT_MAX) | st.integers(-20, 20),
    "double": st.sampled_from(DOUBLES)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.integers(-2000, 2000).map(lambda n: n / 8),
    "text": st.sampled_from(TEXTS) | st.text("aAb %_中😀", max_size=6),
    "date": st.sampled_from(DAYS) | st.integers(FIRST_DAY, LAST_DAY),
    "timestamp": st.sampled_from(MOMENTS) | st.integers(FIRST_US, LAST_US),
}
TYPES = st.sampled_from(list(VALUES))
ORDERED = st.sampled_from(["int", "double", "text", "date", "timestamp"])
Draw = Callable[..., Any]


@cache
def leaves(type_: Type) -> st.SearchStrategy[str]:
    """Columns, literals and NULL of a type, as text."""
    names = [name for name, t in INPUTS.items() if t == type_]
    literals = VALUES[type_].map(lambda v: f"({constant_text(Constant(type_, v))})")
    columns = st.sampled_from(names)
    return st.one_of(columns, columns, literals, st.just(f"CAST(NULL AS {type_})"))


@st.composite
def texts(draw: Draw, type_: Type, depth: int) -> str:
    """An expression of a type, at most `depth` operations deep."""
    if depth == 0 or draw(st.integers(0, 5)) == 0:
        return str(draw(leaves(type_)))
    form = draw(st.sampled_from([*FORMS[type_], *ANY_TYPE]))

    def part(t: Type) -> str:
        return str(draw(texts(t, depth - 1)))

    return str(form(draw, part, type_))


def a_number(draw: Draw) -> Type:
    return "int" if draw(st.booleans()) else "double"


def case(draw: Draw, part: Draw, t: Type) -> str:
    whens = [f"WHEN {part('bool')} THEN {part(t)}" for _ in range(draw(st.integers(1, 2)))]
    otherwise = f" ELSE {part(t)}" if draw(st.booleans()) else ""
    return f"CASE {' '.join(whens)}{otherwise} END"


def switch(draw: Draw, part: Draw, t: Type) -> str:
    tested = draw(TYPES)
    whens = [f"WHEN {part(tested)} THEN {part(t)}" for _ in range(draw(st.integers(1, 2)))]
    return f"CASE {part(tested)} {' '.join(whens)} ELSE {part(t)} END"


def arithmetic(draw: Draw, part: Draw, t: Type) -> str:
    operator = draw(st.sampled_from(["+", "-", "*", "//", "%"]))
    if t == "int":
        return f"({part('int')} {operator} {part('int')})"
    if operator in ("//", "%") and draw(st.booleans()):
        operator = "/"
    left, right = draw(
        st.sampled_from([("double", "double"), ("int", "double"), ("double", "int")])
    )
    return f"({part(left)} {operator} {part(right)})"


def compare(draw: Draw, part: Draw, t: Type) -> str:
    operator = draw(st.sampled_from(["=", "<>", "<", "<=", ">", ">="]))
    tested = draw(TYPES if operator in ("=", "<>") else ORDERED)
    other = a_number(draw) if tested in ("int", "double") else tested
    return f"({part(tested)} {operator} {part(other)})"


def is_in(draw: Draw, part: Draw, t: Type) -> str:
    tested = draw(TYPES)
    items = [part(tested) if draw(st.booleans()) else draw(leaves(tested)) for _ in range(3)]
    return f"({part(tested)} {draw(st.sampled_from(['IN', 'NOT IN']))} ({', '.join(items)}))"


def between(draw: Draw, part: Draw, t: Type) -> str:
    tested = draw(ORDERED)
    return f"({part(tested)} BETWEEN {part(tested)} AND {part(tested)})"


def is_null(draw: Draw, part: Draw, t: Type) -> str:
    return f"({part(draw(TYPES))} {draw(st.sampled_from(['IS NULL', 'IS NOT NULL']))})"


def distinct(draw: Draw, part: Draw, t: Type) -> str:
    tested, negated = draw(TYPES), draw(st.sampled_from(["", "NOT "]))
    return f"({part(tested)} IS {negated}DISTINCT FROM {part(tested)})"


def like(draw: Draw, part: Draw, t: Type) -> str:
    pattern = draw(st.sampled_from(PATTERNS) | st.text("ab%_中", max_size=5)).replace("'", "''")
    return f"({part('text')} {draw(st.sampled_from(['LIKE', 'NOT LIKE']))} '{pattern}')"


def cast(*sources: Type) -> Draw:
    def form(draw: Draw, part: Draw, t: Type) -> str:
        source = draw(st.sampled_from(sources))
        # A literal text that is no date is refused, a computed one is NULL.
        computed = " || ''" if source == "text" else ""
        return f"CAST(({part(source)}{computed}) AS {t})"

    return form


def call(name: str, *types: Type) -> Draw:
    return lambda draw, part, t: f"{name}({', '.join(part(k) for k in types)})"


def of_day(name: str, count: int = 1) -> Draw:
    def form(draw: Draw, part: Draw, t: Type) -> str:
        days = [part(draw(st.sampled_from(["date", "timestamp"]))) for _ in range(count)]
        return f"{name}({', '.join(days)})"

    return form


def date_trunc(draw: Draw, part: Draw, t: Type) -> str:
    units = ["year", "quarter", "month", "week", "day", *(["hour"] if t == "timestamp" else [])]
    return f"date_trunc('{draw(st.sampled_from(units))}', {part(t)})"


def substr(draw: Draw, part: Draw, t: Type) -> str:
    start = draw(st.integers(-4, 4).filter(bool))
    length = draw(st.sampled_from(["", ", 0", ", 1", ", 3", ", 1000000"]))
    return f"substr({part('text')}, {start}{length})"


def rounded(draw: Draw, part: Draw, t: Type) -> str:
    digits = draw(st.sampled_from(["", ", 0", ", 1", ", 2", ", 15"]))
    return f"round({part(t)}{digits})"


def of_own_type(*names: str) -> Draw:
    return lambda draw, part, t: f"{draw(st.sampled_from(names))}({part(t)})"


def of_many(*names: str) -> Draw:
    def form(draw: Draw, part: Draw, t: Type) -> str:
        count = draw(st.integers(1, 3))
        return f"{draw(st.sampled_from(names))}({', '.join(part(t) for _ in range(count))})"

    return form


def nullif(draw: Draw, part: Draw, t: Type) -> str:
    return f"nullif({part(t)}, {part(t)})"


ANY_TYPE = [case, switch, of_many("coalesce"), nullif]
LEAST = of_many("least", "greatest")
FORMS: dict[Type, list[Draw]] = {
    "bool": [
        compare,
        compare,
        is_in,
        between,
        is_null,
        distinct,
        like,
        lambda draw, part, t: f"(NOT {part('bool')})",
        lambda draw, part, t: f"({part('bool')} AND {part('bool')} AND {part('bool')})",
        lambda draw, part, t: f"({part('bool')} OR {part('bool')})",
        lambda draw, part, t: f"({part('bool')} IS TRUE)",
        cast("text"),
        call("contains", "text", "text"),
        call("starts_with", "text", "text"),
    ],
    "int": [
        arithmetic,
        arithmetic,
        lambda draw, part, t: f"(- {part('int')})",
        cast("bool", "double", "text"),
        call("length", "text"),
        call("hour", "timestamp"),
        of_own_type("abs", "floor", "ceil"),
        rounded,
        LEAST,
        of_day("year"),
        of_day("month"),
        of_day("day"),
        of_day("day_of_week"),
        of_day("days_between", 2),
    ],
    "double": [
        arithmetic,
        arithmetic,
        lambda draw, part, t: f"(- {part('double')})",
        lambda draw, part, t: f"({part('int')} / {part('int')})",
        cast("int", "text"),
        of_own_type("abs", "floor", "ceil"),
        rounded,
        LEAST,
    ],
    "text": [
        lambda draw, part, t: f"({part('text')} || {part('text')})",
        cast("bool", "int", "double", "date", "timestamp"),
        of_own_type("lower", "upper", "trim"),
        of_many("concat"),
        call("replace", "text", "text", "text"),
        substr,
        LEAST,
    ],
    "date": [cast("text", "timestamp"), date_trunc, LEAST],
    "timestamp": [cast("text", "date"), date_trunc, LEAST],
}


@st.composite
def expressions(draw: Draw) -> str:
    return str(draw(texts(draw(TYPES), draw(st.integers(1, 4)))))


ROWS = st.lists(
    st.fixed_dictionaries({n: st.none() | VALUES[t] for n, t in INPUTS.items()}),
    min_size=2,
    max_size=5,
)


def plain(expression: Expression) -> str:
    """SQL whose result is the value as Python has it."""
    sql = to_sql(expression, lambda name: '"' + name + '"')
    if expression.type == "timestamp":
        return f"epoch_us({sql})"
    if expression.type == "date":
        return f"({sql} - DATE '1970-01-01')"
    return sql


@cache
def connection() -> duckdb.DuckDBPyConnection:
    return duckdb.connect(config={"threads": "1"})


def by_duckdb(parsed: list[Expression], rows: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    schema = pa.schema([(name, ARROW[t]) for name, t in INPUTS.items()])
    connection().register("drawn", pa.Table.from_pylist(rows, schema=schema))
    query = f"SELECT {', '.join(map(plain, parsed))} FROM drawn"  # noqa: S608
    return connection().execute(query).fetchall()


def assert_equal(parsed: list[Expression], rows: list[dict[str, Any]]) -> None:
    function = compile_function(parsed, list(INPUTS))
    for row, theirs in zip(rows, by_duckdb(parsed, rows), strict=True):
        ours = function([row[name] for name in INPUTS])
        assert ours == theirs, {name: row[name] for e in parsed for name in e.inputs}
        assert [type(v) for v in ours] == [type(v) for v in theirs]


def assert_mask_equal(parsed: list[Expression], rows: list[dict[str, Any]]) -> None:
    mask = compile_mask(parsed, list(INPUTS))
    for row, theirs in zip(rows, by_duckdb(parsed, rows), strict=True):
        bits = mask([row[name] for name in INPUTS])
        assert bits == sum(1 << i for i, value in enumerate(theirs) if value is True)


@settings(max_examples=250, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(expressions(), min_size=1, max_size=3), ROWS)
def test_python_and_duckdb_give_equal_values(drawn: list[str], rows: list[dict[str, Any]]) -> None:
    """Each drawn expression has one value a row, of one class, in both executions."""
    assert_equal([parse(text, SCOPE) for text in drawn], rows)


@pytest.mark.long
@settings(max_examples=2000, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(texts("bool", 5) | texts("double", 5), min_size=1, max_size=3), ROWS)
def test_deep_expressions_give_equal_values(drawn: list[str], rows: list[dict[str, Any]]) -> None:
    """The same for deeper expressions and more of them."""
    assert_equal([parse(text, SCOPE) for text in drawn], rows)


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(texts("bool", 3), min_size=1, max_size=4), ROWS)
def test_a_mask_has_the_bits_of_what_is_true(drawn: list[str], rows: list[dict[str, Any]]) -> None:
    """Bit i of a mask is set exactly when expression i is TRUE, never when it is NULL."""
    assert_mask_equal([parse(text, SCOPE) for text in drawn], rows)


EDGES: dict[Type, list[Any]] = {
    "bool": [None, True, False],
    "int": [None, *INTS],
    "double": [None, *DOUBLES],
    "text": [None, *TEXTS],
    "date": [None, *DAYS],
    "timestamp": [None, *MOMENTS],
}
PAIRS = ["i {0} tag.j", "x {0} y", "i {0} y", "x {0} tag.j"]
# Longer than what the SQL writes twice, so it is bound by a lambda.
LONG = " + ".join(f"coalesce(i, {n})" for n in range(8))
EDGE_FORMS = [
    *(pair.format(op) for pair in PAIRS for op in ("+", "-", "*", "/", "//", "%", "=", "<", ">=")),
    *(f"i {op} ({n})" for n in (7, -7, 1, -1, 0, INT_MAX, INT_MIN) for op in ("+", "*", "//", "%")),
    *(f"x {op} ({n})" for n in (0.5, -2.5, 1e308, 5e-324, 0) for op in ("-", "/", "//", "%", "<=")),
    *(f"i {op} {n}" for n in (2.5, 3.0, 2.0**53, 2.0**63) for op in ("=", "<", ">", "<>")),
    *(f"s {op} person.t" for op in ("=", "<", ">=", "||")),
    *(f"d {op} e" for op in ("=", "<", ">=")),
    *(f"m {op} n" for op in ("<>", "<", ">=")),
    *(f"p {op} q" for op in ("=", "<>", "AND", "OR", "IS DISTINCT FROM")),
    *(f"{f}({c})" for f in ("abs", "floor", "ceil", "round") for c in ("i", "x", "x / y", "-x")),
    *(f"round(x, {n})" for n in range(16)),
    *(f"{f}({c})" for f in ("year", "month", "day", "day_of_week") for c in ("d", "m")),
    *(f"date_trunc('{u}', {c})" for u in ("year", "quarter", "month", "week", "day") for c in "dm"),
    *(f"days_between({a}, {b})" for a in "dm" for b in "en"),
    *(f"CAST(i AS {t})" for t in ("double", "text")),
    *(f"CAST({c} AS {t})" for c in ("x", "x * y", "-x") for t in ("int", "text")),
    *(f"CAST(s AS {t})" for t in ("int", "double", "bool", "date", "timestamp")),
    *(f"CAST(CAST({c} AS text) AS {t})" for c, t in [("x", "double"), ("d", "date")]),
    *("CAST(CAST(m AS text) AS timestamp)", "CAST(m AS text)", "CAST(d AS text)"),
    *("CAST(m AS date)", "CAST(d AS timestamp)", "CAST(p AS int)", "CAST(p AS text)"),
    *("-i", "-x", "hour(m)", "date_trunc('hour', m)", "NOT p", "p IS TRUE", "p IS NOT FALSE"),
    *(f"{f}(s)" for f in ("lower", "upper", "length", "trim")),
    *(f"substr(s, {n})" for n in (1, 2, -1, -3)),
    *(f"substr(s, {n}, {k})" for n in (1, 2, -1, -3, -100) for k in (0, 1, 2, 99)),
    *("contains(s, person.t)", "starts_with(s, person.t)", "replace(s, person.t, 'z')"),
    *(
        "concat(s, person.t)",
        "coalesce(i, tag.j)",
        "coalesce(i, y)",
        "nullif(x, y)",
        "nullif(i, y)",
    ),
    *(
        f"{f}({a})"
        for f in ("least", "greatest")
        for a in ("i, tag.j", "x, y", "i, y", "s, person.t")
    ),
    *("i IN (1, NULL)", "i NOT IN (1, 2.5, NULL)", "i IN (1, tag.j, NULL)", "x NOT IN (y, 0.5)"),
    *("i BETWEEN tag.j AND 10", "i NOT BETWEEN NULL AND tag.j", "x BETWEEN -0.5 AND y"),
    *("CASE i WHEN tag.j THEN 1 WHEN 3 THEN 2.5 END", "CASE WHEN p THEN 'a' WHEN q THEN 'b' END"),
    *(
        "(i + 1) - 1",
        "1 / (x * y)",
        "x * y * 0.0",
        "(x / y) % 3",
        "x - (y * y) // 2",
        "-(x * y) < 0",
    ),
    *("i IS NULL", "x * y IS NULL", "(p AND q) IS NULL", "i IS DISTINCT FROM tag.j"),
    *("(2147483647 + 1) * i", "i IN (2147483647 + 1)", "least(i, 2147483647) + 1"),
    *("i > 1 AND i < tag.j AND tag.j > 0", "NOT (i > 1 OR tag.j < 0)", "NOT (p AND NOT q)"),
    *("(i > 1 OR tag.j > 1) AND tag.j < 10", "i IS NOT NULL AND i > tag.j", "NOT (p OR q) OR q"),
    *("p AND (q OR i > 2) AND i < 9", "NOT (i IN (1, 2)) AND i > 0", "x > y OR NOT (x * y > 0)"),
    *("x > 0.5 AND i < 9", "(i > 1 AND p) OR i < 5", "i > 1 AND (i + 1) IN (tag.j, 2)"),
    f"nullif({LONG}, tag.j + i)",
    f"1 / (x + {LONG})",
    f"CAST(x * ({LONG}) AS text)",
    f"CASE {LONG} WHEN tag.j THEN i + tag.j WHEN 9 THEN nullif({LONG}, i) ELSE i // tag.j END",
    *(f"s LIKE '{p.replace(chr(39), chr(39) * 2)}'" for p in PATTERNS),
]


@pytest.mark.parametrize("text", EDGE_FORMS)
def test_every_form_is_equal_on_all_edges(text: str) -> None:
    """Each operator, cast and function agrees for all pairs of edge values, NULL among them."""
    expression = parse(text, SCOPE)
    edges = product(*(EDGES[INPUTS[name]] for name in expression.inputs))
    nothing: dict[str, Any] = dict.fromkeys(INPUTS)
    rows = [nothing | dict(zip(expression.inputs, values, strict=True)) for values in edges]
    assert_equal([expression], rows)
    if expression.type == "bool":
        assert_mask_equal([expression], rows)
