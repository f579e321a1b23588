"""The built-in functions: what each takes and gives. docs/reference/expressions.md says the rest.

`resolve` gets typed arguments and returns the typed call, or None when they do not fit.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from dipper.expr.dates import units_of
from dipper.expr.operands import ORDERED, coerce, unify
from dipper.expr.tree import Call, Constant, HostCall, Node
from dipper.expr.types import HostFunction, NodeType
from dipper.kit.errors import did_you_mean

Kind = Literal["text", "number", "day", "timestamp"]
Arguments = tuple[Node, ...]

SUBSTR_MAX = 1_000_000
DIGITS_MAX = 15


@dataclass(frozen=True)
class Function:
    """One function; `parameters` is shown in errors."""

    parameters: str
    resolve: Callable[[Arguments], Node | None]


def _fit(node: Node, kind: Kind) -> Node | None:
    accepted: tuple[NodeType, ...] = {
        "text": ("text",),
        "number": ("int", "double"),
        "day": ("date", "timestamp"),
        "timestamp": ("timestamp",),
    }[kind]  # type: ignore[assignment]
    if node.type in accepted or node.type == "unknown":
        return node
    return coerce(node, accepted[0])


def _typed(name: str, kinds: tuple[Kind, ...], returns: NodeType | None) -> Function:
    """A function of fixed arguments; `returns` None means the type of the first."""

    def resolve(arguments: Arguments) -> Node | None:
        if len(arguments) != len(kinds):
            return None
        fitted = [_fit(a, k) for a, k in zip(arguments, kinds, strict=True)]
        given = tuple(a for a in fitted if a is not None)
        if len(given) != len(kinds):
            return None
        return Call(returns or given[0].type, name, given)

    shown = {"day": "date or timestamp"}
    return Function(", ".join(shown.get(k, k) for k in kinds), resolve)


def _unified(name: str, minimum: int, types: tuple[NodeType, ...], shown: str) -> Function:
    """A function whose arguments and result have one of the types."""

    def resolve(arguments: Arguments) -> Node | None:
        same = unify(arguments) if len(arguments) >= minimum else None
        if same is None or same[0].type not in (*types, "unknown"):
            return None
        return Call(same[0].type, name, same)

    return Function(shown, resolve)


def _nullif(arguments: Arguments) -> Node | None:
    same = unify(arguments) if len(arguments) == 2 else None
    return Call(same[0].type, "nullif", same) if same else None


def _concat(arguments: Arguments) -> Node | None:
    texts = tuple(t for t in (_fit(a, "text") for a in arguments) if t is not None)
    return Call("text", "concat", texts) if texts and len(texts) == len(arguments) else None


def _substr(arguments: Arguments) -> Node | None:
    if len(arguments) not in (2, 3):
        return None
    text, start, *length = arguments
    fitted = _fit(text, "text")
    limits = -SUBSTR_MAX, SUBSTR_MAX
    if fitted is None or not _literal_int(start, *limits) or start == Constant("int", 0):
        return None
    if length and not _literal_int(length[0], 0, SUBSTR_MAX):
        return None
    return Call("text", "substr", (fitted, start, *length))


def _round(arguments: Arguments) -> Node | None:
    if len(arguments) not in (1, 2):
        return None
    number = _fit(arguments[0], "number")
    if number is None or not all(_literal_int(d, 0, DIGITS_MAX) for d in arguments[1:]):
        return None
    return Call(number.type, "round", (number, *arguments[1:]))


def _date_trunc(arguments: Arguments) -> Node | None:
    if len(arguments) != 2:
        return None
    unit, day = arguments[0], _fit(arguments[1], "day")
    if day is None or not isinstance(unit, Constant) or unit.value not in units_of(day.type):
        return None
    return Call(day.type, "date_trunc", (unit, day))


def _now(arguments: Arguments) -> Node | None:
    return None if arguments else HostCall("timestamp", "now", ())


def _literal_int(node: Node, low: int, high: int) -> bool:
    if not isinstance(node, Constant) or node.type != "int" or not isinstance(node.value, int):
        return False
    return low <= node.value <= high


FUNCTIONS = {
    "abs": _typed("abs", ("number",), None),
    "ceil": _typed("ceil", ("number",), None),
    "coalesce": _unified("coalesce", 1, (*ORDERED, "bool"), "values of one type"),
    "concat": Function("text, ...", _concat),
    "contains": _typed("contains", ("text", "text"), "bool"),
    "date_trunc": Function(
        "literal 'year', 'quarter', 'month', 'week', 'day' or for timestamps 'hour', "
        "date or timestamp",
        _date_trunc,
    ),
    "day": _typed("day", ("day",), "int"),
    "day_of_week": _typed("day_of_week", ("day",), "int"),
    "days_between": _typed("days_between", ("day", "day"), "int"),
    "floor": _typed("floor", ("number",), None),
    "greatest": _unified("greatest", 1, ORDERED, "values of one type other than bool"),
    "hour": _typed("hour", ("timestamp",), "int"),
    "least": _unified("least", 1, ORDERED, "values of one type other than bool"),
    "length": _typed("length", ("text",), "int"),
    "lower": _typed("lower", ("text",), "text"),
    "month": _typed("month", ("day",), "int"),
    "now": Function("", _now),
    "nullif": Function("two values of one type", _nullif),
    "replace": _typed("replace", ("text", "text", "text"), "text"),
    "round": Function(f"number[, literal digits 0 to {DIGITS_MAX}]", _round),
    "starts_with": _typed("starts_with", ("text", "text"), "bool"),
    "substr": Function("text, literal start other than 0[, literal length]", _substr),
    "trim": _typed("trim", ("text",), "text"),
    "upper": _typed("upper", ("text",), "text"),
    "year": _typed("year", ("day",), "int"),
}

# What people write who come from another dialect.
INSTEAD = {
    "ceiling": "ceil(x)",
    "current_date": "CAST(now() AS date)",
    "current_timestamp": "now()",
    "date_diff": "days_between(start, end)",
    "datediff": "days_between(start, end)",
    "dayofweek": "day_of_week(x)",
    "extract": "year(x), month(x), day(x) or hour(x)",
    "if": "CASE WHEN condition THEN a ELSE b END",
    "ifnull": "coalesce(a, b)",
    "isodow": "day_of_week(x)",
    "left": "substr(text, 1, n)",
    "len": "length(text)",
    "nvl": "coalesce(a, b)",
    "position": "contains(text, part)",
    "right": "substr(text, -n)",
    "strpos": "contains(text, part)",
    "substring": "substr(text, start, length)",
    "today": "CAST(now() AS date)",
}

AGGREGATES = ("any_value", "avg", "count", "first", "last", "max", "median", "min", "sum")


def host_function(name: str, declared: Mapping[str, HostFunction]) -> Function | None:
    """A declared host function as one of ours: its call is an input of the expression."""
    host = declared.get(name)
    if host is None:
        return None
    takes, returns = host.arguments, host.returns

    def resolve(arguments: Arguments) -> Node | None:
        if len(arguments) != len(takes):
            return None
        fitted = [coerce(a, t) for a, t in zip(arguments, takes, strict=True)]
        literals = tuple(a for a in fitted if isinstance(a, Constant) and a.value is not None)
        return HostCall(returns, name, literals) if len(literals) == len(takes) else None

    return Function(", ".join(f"literal {t}" for t in takes), resolve)


def function_hint(name: str, declared: Mapping[str, HostFunction]) -> str:
    """What to write in place of a function that is not known, or an empty text."""
    if name in AGGREGATES:
        return "An aggregate is the value of a tag, never part of an expression."
    if name in INSTEAD:
        return f"Write {INSTEAD[name]}."
    return did_you_mean(name, [*FUNCTIONS, *declared])
