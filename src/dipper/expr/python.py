"""Many expressions as one generated Python function: what the live path runs.

The function is pure and never raises for values of the declared types (types.py and
docs/reference/expressions.md say which: None, bool, int of 64 bits, finite float, str, and for a
timestamp int µs, for a date int days since 1970). Compile once and keep it: compiling fifty rules
takes milliseconds.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from dipper.expr.parse import Expression
from dipper.expr.python_code import Code

Values = Callable[[Sequence[Any]], tuple[Any, ...]]
Mask = Callable[[Sequence[Any]], int]


def compile_function(expressions: Sequence[Expression], inputs: Sequence[str]) -> Values:
    """A function from input values, in the order of `inputs`, to the values of all expressions.

    Raises ValueError when an expression reads what is not among the inputs.
    """
    code = _code(expressions, inputs)
    results = []
    body = []
    for index, expression in enumerate(expressions):
        value = code.value(expression.tree)
        body += [*_taken(code), f"r{index} = {value}"]
        results.append(f"r{index}, ")
    return _built(code, expressions, inputs, [*body, f"return ({''.join(results)})"])


def compile_mask(
    expressions: Sequence[Expression], inputs: Sequence[str], bits: Sequence[int] | None = None
) -> Mask:
    """A function from input values to an int whose bit i is set when expression i is TRUE.

    `bits` are others that say so, an int for each expression. Raises ValueError for an expression
    that is not bool, or reads what is not among the inputs.
    """
    code = _code(expressions, inputs)
    body = ["mask = 0"]
    for index, expression in enumerate(expressions):
        if expression.type != "bool":
            raise ValueError(f"a mask needs bool, got {expression.type}: {expression.text}")
        condition, _ = code.condition(expression.tree, wanted=True)
        bit = 1 << index if bits is None else bits[index]
        # In hex: Python refuses to write very long ints in decimal.
        body += [*_taken(code), f"if {condition}: mask |= {bit:#x}"]
    return _built(code, expressions, inputs, [*body, "return mask"])


def _code(expressions: Sequence[Expression], inputs: Sequence[str]) -> Code:
    missing = {name for e in expressions for name in e.inputs} - set(inputs)
    if missing:
        raise ValueError(f"not among the inputs: {', '.join(sorted(missing))}")
    return Code({name: f"v{index}" for index, name in enumerate(inputs)})


def _taken(code: Code) -> list[str]:
    """The statements so far, which then are no longer pending."""
    statements, code.statements = code.statements, []
    return statements


def _built(
    code: Code, expressions: Sequence[Expression], inputs: Sequence[str], body: list[str]
) -> Callable[[Sequence[Any]], Any]:
    """Compiles the body after statements that take the values apart."""
    used = {name for e in expressions for name in e.inputs}
    if 2 * len(used) > len(inputs):
        names = "".join(f"v{i}, " for i in range(len(inputs)))
        taken = [f"{names} = values"]
    else:
        taken = [f"v{i} = values[{i}]" for i, name in enumerate(inputs) if name in used]
    source = "\n    ".join(["def expressions(values):", *taken, *body])
    exec(compile(source, "<expressions>", "exec"), code.namespace)
    function: Callable[[Sequence[Any]], Any] = code.namespace["expressions"]
    return function
