"""Python source of functions and casts over operands that are known not to be NULL.

Each gives (checks, value) as `dipper.expr.python_code` has them. RUNTIME is everything that the
source may name besides its own variables.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from dipper.expr import arithmetic, dates
from dipper.expr.tree import Call, Constant
from dipper.expr.types import INT_MAX, INT_MIN, NodeType
from dipper.kit.clock import DAY_US, HOUR_US

Checked = tuple[list[str], str]
NewName = Callable[[], str]

RUNTIME: dict[str, Any] = {
    "__builtins__": {},
    "abs": abs,
    "ceil_double": arithmetic.ceil_double,
    "day_of_month": dates.day_of_month,
    "divide_int": arithmetic.divide_int,
    "double_to_int": arithmetic.double_to_int,
    "double_to_text": arithmetic.double_to_text,
    "floor_double": arithmetic.floor_double,
    "fmod": math.fmod,
    "format_day": dates.format_day,
    "format_moment": dates.format_moment,
    "greatest": arithmetic.greatest,
    "least": arithmetic.least,
    "len": len,
    "lower": arithmetic.lower,
    "modulo_int": arithmetic.modulo_int,
    "month_of": dates.month_of,
    "null": None,
    "parse_day": dates.parse_day,
    "parse_moment": dates.parse_moment,
    "replace": arithmetic.replace,
    "round_digits": arithmetic.round_digits,
    "round_half_away": arithmetic.round_half_away,
    "spaces": arithmetic.SPACES,
    "str": str,
    "substr_from_end": arithmetic.substr_from_end,
    "text_to_bool": arithmetic.text_to_bool,
    "text_to_double": arithmetic.text_to_double,
    "text_to_int": arithmetic.text_to_int,
    "truncate": arithmetic.truncate,
    "truncate_day": dates.truncate_day,
    "truncate_moment": dates.truncate_moment,
    "upper": arithmetic.upper,
    "year_of": dates.year_of,
}

_DAY = f"(({{0}} + {dates.ZONE_US}) // {DAY_US})"

# (from, to) to the template of its value, and whether that value may be None.
_CASTS: dict[tuple[NodeType, NodeType], tuple[str, bool]] = {
    ("bool", "int"): ("(1 if {0} else 0)", False),
    ("bool", "text"): ("('true' if {0} else 'false')", False),
    ("int", "double"): ("({0} * 1.0)", False),
    ("int", "text"): ("str({0})", False),
    ("double", "int"): ("double_to_int({0})", True),
    ("double", "text"): ("double_to_text({0})", False),
    ("text", "int"): ("text_to_int({0})", True),
    ("text", "double"): ("text_to_double({0})", True),
    ("text", "bool"): ("text_to_bool({0})", True),
    ("text", "date"): ("parse_day({0})", True),
    ("text", "timestamp"): ("parse_moment({0})", True),
    ("date", "text"): ("format_day({0})", False),
    ("date", "timestamp"): (f"({{0}} * {DAY_US} - {dates.ZONE_US})", False),
    ("timestamp", "text"): ("format_moment({0})", False),
    ("timestamp", "date"): (_DAY, False),
}

# Functions that are one template whatever the types of their arguments.
_PLAIN = {
    "contains": "({1} in {0})",
    "days_between": "({1} - {0})",
    "hour": f"(({{0}} + {dates.ZONE_US}) // {HOUR_US} % 24)",
    "length": "len({0})",
    "lower": "lower({0})",
    "starts_with": "{0}.startswith({1})",
    "trim": "{0}.strip(spaces)",
    "upper": "upper({0})",
    "year": "year_of({0})",
    "month": "month_of({0})",
    "day": "day_of_month({0})",
    "day_of_week": "(({0} + 3) % 7 + 1)",
}
_OF_DAYS = ("days_between", "year", "month", "day", "day_of_week")


def int_range(value: str, name: str) -> str:
    """The check that an int result has 64 bits; it binds the result to `name`."""
    return f"{INT_MIN} <= ({name} := {value}) <= {INT_MAX}"


def double_range(value: str, name: str) -> str:
    """The check that a double result is finite (NaN fails it); it binds the result to `name`."""
    return f"{-arithmetic.DOUBLE_MAX} <= ({name} := {value}) <= {arithmetic.DOUBLE_MAX}"


def not_none(value: str, name: str) -> str:
    """The check that a call did not give None; it binds the result to `name`."""
    return f"({name} := {value}) is not None"


def cast_value(source: NodeType, target: NodeType, operand: str, new_name: NewName) -> Checked:
    """CAST of an operand that is not NULL."""
    template, may_fail = _CASTS[source, target]
    value = template.format(operand)
    if not may_fail:
        return [], value
    name = new_name()
    return [not_none(value, name)], name


def call_value(call: Call, operands: list[str], new_name: NewName) -> Checked:
    """A function that is NULL exactly when an operand is, or where its check says so."""
    function = call.function
    if function in _OF_DAYS:
        types = [a.type for a in call.arguments]
        operands = [
            _DAY.format(o) if t == "timestamp" else o for o, t in zip(operands, types, strict=True)
        ]
    if function in _PLAIN:
        return [], _PLAIN[function].format(*operands)
    if function == "abs" and call.type == "int":
        name = new_name()
        return [int_range(f"abs({operands[0]})", name)], name
    return [], _SPECIAL[function](call, operands)


def _number(call: Call, operands: list[str]) -> str:
    """abs, round, floor and ceil; the last three leave an int as it is."""
    if call.function == "abs":
        return f"abs({operands[0]})"
    if call.type == "int":
        return operands[0]
    if call.function != "round":
        return f"{call.function}_double({operands[0]})"
    digits = _literal(call, 1) if len(call.arguments) > 1 else 0
    if digits == 0:
        return f"round_half_away({operands[0]})"
    return f"round_digits({operands[0]}, {10.0**digits!r})"


def _replace(call: Call, operands: list[str]) -> str:
    text, old, new = operands
    if isinstance(call.arguments[1], Constant) and call.arguments[1].value:
        return f"{text}.replace({old}, {new})"
    return f"replace({text}, {old}, {new})"


def _substr(call: Call, operands: list[str]) -> str:
    text, start = operands[0], _literal(call, 1)
    length = _literal(call, 2) if len(call.arguments) > 2 else None
    if start < 0 and length is not None:
        return f"substr_from_end({text}, {start}, {length})"
    begin = start - 1 if start > 0 else start
    end = "" if length is None else begin + length
    return f"{text}[{begin}:{end}]"


def _date_trunc(call: Call, operands: list[str]) -> str:
    function = "truncate_day" if call.type == "date" else "truncate_moment"
    return f"{function}({operands[0]}, {operands[1]})"


def _literal(call: Call, index: int) -> int:
    constant = call.arguments[index]
    if not isinstance(constant, Constant) or not isinstance(constant.value, int):
        raise TypeError(f"{call.function}: argument {index + 1} is no literal int")
    return constant.value


_SPECIAL: dict[str, Callable[[Call, list[str]], str]] = {
    "abs": _number,
    "ceil": _number,
    "date_trunc": _date_trunc,
    "floor": _number,
    "replace": _replace,
    "round": _number,
    "substr": _substr,
}
