"""Generated Python: what it takes, what it gives, and that it stays small and safe."""

from __future__ import annotations

import subprocess
import sys

import pytest

from dipper.expr.parse import Expression, parse
from dipper.expr.python import compile_function, compile_mask
from dipper.expr.types import HostFunction, Scope

SCOPE = Scope(
    {"a": "int", "b": "int", "x": "double", "s": "text", "p": "bool", "q": "bool"},
    {"holds": HostFunction(("text",), "bool")},
)


def read(*texts: str) -> list[Expression]:
    return [parse(text, SCOPE) for text in texts]


def test_a_function_gives_all_values_in_order() -> None:
    """One call, one tuple; inputs stand where the caller put them."""
    function = compile_function(read("a + 1", "s || '!'", "p"), ["s", "x", "p", "b", "a"])
    assert function(["hi", 0.5, True, 0, 41]) == (42, "hi!", True)
    assert function([None, None, None, None, None]) == (None, None, None)


def test_a_mask_has_a_bit_for_each_rule_that_is_true() -> None:
    """NULL and FALSE leave the bit clear, also beyond 64 rules."""
    mask = compile_mask(read("a > 1", "NOT a > 1", "a IS NULL") * 40, ["a"])
    assert mask([2]) == sum(1 << 3 * i for i in range(40))
    assert mask([1]) == sum(1 << 3 * i + 1 for i in range(40))
    assert mask([None]) == sum(1 << 3 * i + 2 for i in range(40))


def test_a_host_call_is_an_input_like_a_column() -> None:
    """Its value comes with the others, under its canonical name."""
    mask = compile_mask(read("NOT holds('wealth.x')"), ["holds('wealth.x')"])
    assert [mask([v]) for v in (True, False, None)] == [0, 1, 0]


def test_no_expressions_are_a_function_too() -> None:
    """Of no values and no bits."""
    assert compile_function([], ["a"])([1]) == ()
    assert compile_mask([], [])([]) == 0


def test_a_missing_input_is_refused_when_compiled() -> None:
    """Not when it runs."""
    with pytest.raises(ValueError, match="not among the inputs: b, s"):
        compile_function(read("a + b > 1 AND s = 'x'"), ["a"])


def test_a_mask_takes_only_conditions() -> None:
    """An int has no bit."""
    with pytest.raises(ValueError, match="a mask needs bool, got int: a \\+ 1"):
        compile_mask(read("a + 1"), ["a"])


def test_the_same_expression_may_stand_twice() -> None:
    """One parsed tree used again gives the same value again."""
    deep = read("(" * 15 + "a" + " + 1)" * 15 + " IN (b, 3)")[0]
    assert compile_function([deep, deep], ["a", "b"])([1, 16]) == (True, True)


@pytest.mark.parametrize(
    ("text", "values", "expected"),
    [
        ("a" + " + 1" * 60, [1], 61),
        ("(" * 15 + "a" + " // 2) * 3" * 15, [7], None),
        ("NOT (" * 15 + "p" + ")" * 15, [True], False),
        ("coalesce(nullif(" * 7 + "a" + ", 1), 1)" * 7, [1], 1),
        ("CASE WHEN p THEN " * 15 + "a" + " ELSE -a END" * 15, [3, True], 3),
        (" || ".join(["s"] * 500), ["x"], "x" * 500),
        (" OR ".join(f"a = {n}" for n in range(500)), [499], True),
    ],
)
def test_deep_and_long_expressions_compile(
    text: str, values: list[object], expected: object
) -> None:
    """Python's own limits of nesting are never met."""
    (expression,) = read(text)
    result = compile_function([expression], expression.inputs)(values)[0]
    if expected is None:
        value = values[0]
        assert isinstance(value, int)
        for _ in range(15):
            value = value // 2 * 3
        expected = value
    assert result == expected


def test_texts_in_rules_never_become_code() -> None:
    """Quotes, newlines and format braces stay what they are."""
    nasty = "'); import os; {0} \\\n\" __import__('os')"
    quoted = nasty.replace("'", "''")
    mask = compile_mask(read(f"s = '{quoted}'", f"s LIKE '%{quoted}%'"), ["s"])
    assert mask([nasty]) == 3
    assert mask(["x"]) == 0


def test_generated_functions_reach_no_builtins() -> None:
    """Their globals hold the arithmetic and nothing else of Python."""
    function = compile_function(read("a + 1"), ["a"])
    assert function.__globals__["__builtins__"] == {}  # type: ignore[attr-defined]


def test_importing_the_language_loads_neither_sqlglot_nor_duckdb() -> None:
    """`dipper --help` pays for neither; compiling to SQL needs no driver."""
    code = (
        "import sys, dipper.expr.parse, dipper.expr.python, dipper.expr.duckdb_sql;"
        "print(sorted({'sqlglot', 'duckdb', 'numpy', 'pyarrow'} & set(sys.modules)))"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "[]"
