"""Conditions over folded values for many subjects at once, in SQL's three values.

A condition is a short list of steps for a stack machine whose table is data: compare a column with
a literal, combine, negate. It covers what segments mostly are (tag.a >= 3 AND NOT tag.b < 10);
whatever it cannot say is evaluated one subject at a time by the generated function, with the same
results.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

Numbers = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

STACK_MAX = 32


class Act(IntEnum):
    """What a step does. Comparisons push; AND and OR take two; NOT takes one."""

    EQUAL = 0
    UNEQUAL = 1
    LESS = 2
    LESS_EQUAL = 3
    GREATER = 4
    GREATER_EQUAL = 5
    IS_NULL = 6
    AND = 7
    OR = 8
    NOT = 9
    TRUTH = 10


class Domain(IntEnum):
    """How a column is compared: as integers, as doubles, or integers turned into doubles."""

    INT = 0
    DOUBLE = 1
    INT_AS_DOUBLE = 2


class Step(NamedTuple):
    """One step; column, domain and literal (a bit pattern) are those of a comparison."""

    act: Act
    column: int = 0
    domain: Domain = Domain.INT
    literal: int = 0


@dataclass(frozen=True)
class ConditionTable:
    """Conditions as arrays: steps[first[c]:first[c + 1]] are those of condition c."""

    count: int
    steps: Numbers
    first: Numbers


def condition_table(conditions: Sequence[Sequence[Step]]) -> ConditionTable:
    """The arrays for these conditions. Raises ValueError when one needs too deep a stack."""
    for steps in conditions:
        depth = deepest = 0
        for step in steps:
            depth += -1 if step.act in (Act.AND, Act.OR) else 0 if step.act is Act.NOT else 1
            deepest = max(deepest, depth)
        if deepest > STACK_MAX:
            raise ValueError(f"a condition needs a stack of {deepest}, at most {STACK_MAX}")
    flat = [tuple(map(int, step)) for steps in conditions for step in steps]
    return ConditionTable(
        count=len(conditions),
        steps=np.array(flat, dtype=np.int64).reshape(-1, 4),
        first=np.cumsum([0, *map(len, conditions)]).astype(np.int64),
    )


def evaluate(values: Numbers, nulls: Flags, table: ConditionTable) -> Flags:
    """Which conditions are true: shape (rows, conditions), for columns of shape (rows, columns)."""
    found = np.empty((len(values), table.count), dtype=np.bool_)
    _evaluate(values, values.view(np.float64), nulls, table.steps, table.first, found)
    return found


@njit(cache=True, nogil=True)
def _evaluate(values, numbers, nulls, steps, first, found):  # type: ignore[no-untyped-def]
    """Truth is 1, falsehood 0, unknown -1."""
    stack = np.empty(STACK_MAX, dtype=np.int64)
    for row in range(values.shape[0]):
        for condition in range(first.shape[0] - 1):
            top = -1
            for s in range(first[condition], first[condition + 1]):
                act, column = steps[s, 0], steps[s, 1]
                if act <= 5:
                    top += 1
                    stack[top] = _compare(values, numbers, nulls, row, column, steps, s)
                elif act == 6:
                    top += 1
                    stack[top] = 1 if nulls[row, column] else 0
                elif act == 7:
                    top -= 1
                    stack[top] = _and(stack[top], stack[top + 1])
                elif act == 8:
                    top -= 1
                    stack[top] = _or(stack[top], stack[top + 1])
                elif act == 9:
                    stack[top] = 1 - stack[top] if stack[top] >= 0 else -1
                else:
                    top += 1
                    stack[top] = -1 if nulls[row, column] else int(values[row, column] != 0)
            found[row, condition] = stack[0] == 1


@njit(cache=True, nogil=True)
def _and(one, other):  # type: ignore[no-untyped-def]
    if one == 0 or other == 0:
        return 0
    return 1 if one == 1 and other == 1 else -1


@njit(cache=True, nogil=True)
def _or(one, other):  # type: ignore[no-untyped-def]
    if one == 1 or other == 1:
        return 1
    return 0 if one == 0 and other == 0 else -1


@njit(cache=True, nogil=True)
def _compare(values, numbers, nulls, row, column, steps, s):  # type: ignore[no-untyped-def]
    if nulls[row, column]:
        return -1
    act, domain = steps[s, 0], steps[s, 2]
    if domain == 0:
        value, literal = values[row, column], steps[s, 3]
        if act == 0:
            return int(value == literal)
        if act == 1:
            return int(value != literal)
        if act == 2:
            return int(value < literal)
        if act == 3:
            return int(value <= literal)
        return int(value > literal) if act == 4 else int(value >= literal)
    number = numbers[row, column] if domain == 1 else np.float64(values[row, column])
    bound = steps[s : s + 1, 3].copy().view(np.float64)[0]
    if act == 0:
        return int(number == bound)
    if act == 1:
        return int(number != bound)
    if act == 2:
        return int(number < bound)
    if act == 3:
        return int(number <= bound)
    return int(number > bound) if act == 4 else int(number >= bound)
