"""What a text means: its value by generated Python, held equal to DuckDB's on the way."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import duckdb
import pytest

from dipper.expr.duckdb_calls import constant_sql
from dipper.expr.duckdb_sql import to_sql
from dipper.expr.parse import parse
from dipper.expr.python import compile_function
from dipper.expr.tree import Constant
from dipper.expr.types import Scope, Type

TYPES: dict[str, Type] = {"i": "int", "x": "double", "s": "text", "p": "bool", "d": "date"}
TYPES |= {"j": "int", "y": "double", "t": "text", "q": "bool", "m": "timestamp"}


@pytest.fixture(scope="session")
def value() -> Callable[..., Any]:
    """`value(text, **inputs)`; i, j int, x, y double, s, t text, p, q bool, d date, m timestamp."""
    connection = duckdb.connect(config={"threads": "1"})

    def evaluate(text: str, **inputs: Any) -> Any:
        expression = parse(text, Scope(TYPES))
        names = list(expression.inputs)
        ours = compile_function([expression], names)([inputs[n] for n in names])[0]
        sql = to_sql(expression, lambda n: constant_sql(Constant(TYPES[n], inputs[n])))
        if expression.type == "timestamp":
            sql = f"epoch_us({sql})"
        elif expression.type == "date":
            sql = f"({sql} - DATE '1970-01-01')"
        (theirs,) = connection.execute(f"SELECT {sql}").fetchone() or ()
        assert (ours, type(ours)) == (theirs, type(theirs))
        return ours

    return evaluate
