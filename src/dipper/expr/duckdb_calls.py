"""DuckDB SQL of literals, casts and functions over the SQL of their operands."""

from __future__ import annotations

import string

from dipper.expr import arithmetic, dates
from dipper.expr.tree import Call, Constant, constant_text
from dipper.expr.types import NodeType

# A moment as its wall clock, and back.
LOCAL = "({0} + INTERVAL 8 HOURS)"
MOMENT = "({0} - INTERVAL 8 HOURS)"

DUCKDB_TYPES: dict[NodeType, str] = {
    "bool": "BOOLEAN",
    "int": "BIGINT",
    "double": "DOUBLE",
    "text": "VARCHAR",
    "timestamp": "TIMESTAMP",
    "date": "DATE",
}


def text_sql(value: str) -> str:
    """A text as an SQL literal."""
    return "'" + value.replace("'", "''") + "'"


def constant_sql(constant: Constant) -> str:
    """A literal of exactly its type: a bare 5 would be 32 bits wide, a bare 1.5 a decimal."""
    value, type_ = constant.value, constant.type
    if value is None:
        return f"CAST(NULL AS {DUCKDB_TYPES[type_]})"
    if isinstance(value, str):
        return text_sql(value)
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, float):
        return f"CAST('{value!r}' AS DOUBLE)"
    if type_ == "date":
        return f"DATE '{dates.format_day(value)}'"
    if type_ == "timestamp":
        return f"make_timestamp({value})"
    return f"CAST({value} AS BIGINT)"


_TEXT_CASTS: dict[NodeType, str] = {
    "int": arithmetic.INT_PATTERN,
    "double": arithmetic.DOUBLE_PATTERN,
    "bool": arithmetic.BOOL_PATTERN,
    "date": dates.DAY_PATTERN,
    "timestamp": dates.MOMENT_PATTERN,
}


def cast_sql(source: NodeType, target: NodeType, operand: str) -> str:
    """CAST of a value (double to text excepted: that needs its operand twice)."""
    type_ = DUCKDB_TYPES[target]
    if source == "text":
        # Without a match the text is empty, which no cast takes.
        pattern = text_sql(f"^(?:{_TEXT_CASTS[target]})$")
        cast = f"TRY_CAST(regexp_extract({operand}, {pattern}) AS {type_})"
        return MOMENT.format(cast) if target == "timestamp" else cast
    if (source, target) == ("double", "int"):
        # CAST alone would round half to even.
        return f"TRY_CAST(round({operand}) AS BIGINT)"
    if source == "timestamp":
        return f"CAST({LOCAL.format(operand)} AS {type_})"
    cast = f"CAST({operand} AS {type_})"
    return MOMENT.format(cast) if target == "timestamp" else cast


_SPACES = " || ".join(f"chr({ord(c)})" for c in arithmetic.SPACES)
_LETTERS = text_sql(string.ascii_uppercase), text_sql(string.ascii_lowercase)

# Functions that are one template; the others are `name(operands)`.
_CALLS = {
    "day_of_week": "isodow({0})",
    "days_between": "(CAST({1} AS DATE) - CAST({0} AS DATE))",
    "lower": f"translate({{0}}, {_LETTERS[0]}, {_LETTERS[1]})",
    "trim": f"trim({{0}}, {_SPACES})",
    "upper": f"translate({{0}}, {_LETTERS[1]}, {_LETTERS[0]})",
}


def call_sql(call: Call, operands: list[str]) -> str:
    """A function; those of dates get timestamps as wall clock (`date_trunc` excepted)."""
    function = call.function
    if function in _CALLS:
        return _CALLS[function].format(*operands)
    if call.type == "int" and function in ("round", "floor", "ceil"):
        return operands[0]
    if call.type == "int" and function == "abs":
        return f"TRY(abs({operands[0]}))"
    if function == "date_trunc":
        if call.type == "date":
            return f"CAST(date_trunc({operands[0]}, {operands[1]}) AS DATE)"
        return MOMENT.format(f"date_trunc({operands[0]}, {LOCAL.format(operands[1])})")
    if function in ("round", "substr"):
        # Literals, and DuckDB wants digits of 32 bits.
        written = [constant_text(a) for a in call.arguments[1:] if isinstance(a, Constant)]
        operands = [operands[0], *written]
    return f"{function}({', '.join(operands)})"
