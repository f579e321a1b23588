"""The vector that a ranker reads."""

from __future__ import annotations

import math
from typing import Any

import pytest

from dipper.decide.features import FeatureSpace, feature_space
from dipper.decide.inputs import Input, Inputs
from dipper.kit.clock import DAY_US
from dipper.spec.scope import offer_scope

ADDED = """
kind: property
name: since
HEAD
type: date
of: person
pi_class: C1
---
kind: property
name: seen_at
HEAD
type: timestamp
pi_class: none
---
kind: tag
name: last_city
HEAD
purposes: [service]
value: {attribute: city}
"""


@pytest.fixture(scope="module")
def space(bank: Any) -> FeatureSpace:
    """A space with every form of column."""
    program = bank.program(*bank.objects(ADDED))
    names = (
        "tag.bills_paid_30d",
        "person.age",
        "segment.regular_payers",
        "tag.last_city",
        "product.minimum_fen",
        "person.since",
        "context.seen_at",
        "context.page",
    )
    return feature_space(program, names, offer_scope(program, "person").columns)


def vector(space: FeatureSpace, now_us: int = 0, **values: Any) -> dict[str, float]:
    given = {name.replace("__", "."): value for name, value in values.items()}
    inputs = Inputs(
        tuple(
            Input(name, "bool" if name.startswith("segment.") else "int", "", "")
            for name in sorted(space.inputs)
        )
    )
    digits = {True: "1", False: "0", None: "-"}
    flags = "".join(digits[given.get(one.name)] for one in inputs.flags)
    others = [given.get(one.name) for one in inputs.others]
    numbers = space.reader(inputs).vector(inputs.known(flags, others, now_us))
    return dict(zip(space.names, numbers.tolist(), strict=True))


def test_columns(space: FeatureSpace) -> None:
    """Names and order follow from the policy; a product's column and a free text give none."""
    assert space.names == (
        "1",
        "tag.bills_paid_30d",
        "person.age",
        "person.age is missing",
        "segment.regular_payers",
        "tag.last_city=beijing",
        "tag.last_city=tianjin",
        "person.since",
        "person.since is missing",
        "context.seen_at",
        "context.seen_at is missing",
    )


def test_numbers(space: FeatureSpace) -> None:
    """Counts and amounts are squeezed by log1p, with their sign."""
    found = vector(space, tag__bills_paid_30d=9, person__age=-3)
    assert found["1"] == 1.0
    assert found["tag.bills_paid_30d"] == math.log1p(9)
    assert found["person.age"] == -math.log1p(3)
    assert found["person.age is missing"] == 0.0


def test_missing(space: FeatureSpace) -> None:
    """What is not known is 0 and says that it is missing; a count is always known."""
    found = vector(space)
    assert [name for name, number in found.items() if number] == [
        "1",
        "person.age is missing",
        "person.since is missing",
        "context.seen_at is missing",
    ]


def test_categories(space: FeatureSpace) -> None:
    """A text is one column for each value that its property declares."""
    found = vector(space, tag__last_city="tianjin", segment__regular_payers=True)
    assert (found["tag.last_city=beijing"], found["tag.last_city=tianjin"]) == (0.0, 1.0)
    assert found["segment.regular_payers"] == 1.0
    other = vector(space, tag__last_city="paris")
    assert other["tag.last_city=beijing"] == other["tag.last_city=tianjin"] == 0.0


def test_times(space: FeatureSpace) -> None:
    """Dates and moments become days before now."""
    now_us = 100 * DAY_US
    found = vector(space, now_us, person__since=93, context__seen_at=now_us - DAY_US // 2)
    assert found["person.since"] == math.log1p(7)
    assert found["context.seen_at"] == math.log1p(0.5)


def test_without(space: FeatureSpace) -> None:
    """Columns of withheld inputs are gone, those of others stay in order."""
    left = space.without({"person.age", "context.seen_at", "person.since"})
    assert left.names[1:3] == ("tag.bills_paid_30d", "segment.regular_payers")
