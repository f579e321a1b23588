"""Conditions as tables: the stack machine against SQL's three values."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dipper.fold.conditions import STACK_MAX, Act, Domain, Step, condition_table, evaluate

COMPARE = {
    Act.EQUAL: lambda a, b: a == b,
    Act.UNEQUAL: lambda a, b: a != b,
    Act.LESS: lambda a, b: a < b,
    Act.LESS_EQUAL: lambda a, b: a <= b,
    Act.GREATER: lambda a, b: a > b,
    Act.GREATER_EQUAL: lambda a, b: a >= b,
}


def bits(number: float) -> int:
    return struct.unpack("<q", struct.pack("<d", number))[0]


def run(values: list, steps: list) -> bool:
    """One condition over one row; a float column is a double, None is null."""
    stored = [bits(v) if isinstance(v, float) else v or 0 for v in values]
    numbers = np.array([stored], dtype=np.int64)
    nulls = np.array([[v is None for v in values]], dtype=np.bool_)
    return bool(evaluate(numbers, nulls, condition_table([steps]))[0, 0])


def test_unknown_is_not_true_and_its_negation_neither() -> None:
    """A comparison with null is unknown: neither it nor NOT of it makes a member."""
    compare = Step(Act.GREATER, 0, Domain.INT, 3)
    assert run([None], [compare]) is False
    assert run([None], [compare, Step(Act.NOT)]) is False
    assert run([None], [Step(Act.IS_NULL, 0)]) is True


def test_domains_decide_over_the_comparison() -> None:
    """Doubles compare as doubles, and an int against a double literal as a double."""
    assert run([2.5], [Step(Act.GREATER, 0, Domain.DOUBLE, bits(2.0))]) is True
    assert run([-2.5], [Step(Act.LESS, 0, Domain.DOUBLE, bits(-2.0))]) is True
    assert run([2], [Step(Act.LESS, 0, Domain.INT_AS_DOUBLE, bits(2.5))]) is True
    assert run([2**62], [Step(Act.GREATER, 0, Domain.INT, 2**62 - 1)]) is True


def test_a_stack_too_deep_is_refused() -> None:
    """A condition that the kernel has no room for is an error when the table is made."""
    steps = [Step(Act.IS_NULL, 0)] * (STACK_MAX + 1) + [Step(Act.AND)] * STACK_MAX
    with pytest.raises(ValueError, match="stack"):
        condition_table([steps])


small = st.one_of(st.none(), st.integers(-2, 2))
leaves = st.tuples(st.sampled_from(list(COMPARE)), st.integers(0, 2), st.integers(-2, 2))
trees = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.tuples(st.just(Act.NOT), inner),
        st.tuples(st.sampled_from([Act.AND, Act.OR]), inner, inner),
    ),
    max_leaves=8,
)


def truth(node: tuple, values: list) -> bool | None:
    """SQL's three values, None for unknown."""
    act = node[0]
    if act in COMPARE:
        value = values[node[1]]
        return None if value is None else COMPARE[act](value, node[2])
    if act is Act.NOT:
        inner = truth(node[1], values)
        return None if inner is None else not inner
    one, other = truth(node[1], values), truth(node[2], values)
    absorbing = act is Act.OR
    if one is absorbing or other is absorbing:
        return absorbing
    return None if one is None or other is None else not absorbing


def steps_of(node: tuple) -> list[Step]:
    if node[0] in COMPARE:
        return [Step(node[0], node[1], Domain.INT, node[2])]
    return [*(step for inner in node[1:] for step in steps_of(inner)), Step(node[0])]


@given(trees, st.lists(small, min_size=3, max_size=3))
@settings(max_examples=300, deadline=None)
def test_the_machine_has_sqls_three_values(node: tuple, values: list) -> None:
    """Any tree of comparisons over values and nulls is true exactly when SQL says so."""
    assert run(values, steps_of(node)) is (truth(node, values) is True)
