"""Which values a condition needs, and what happens when one of them is missing."""

from __future__ import annotations

from typing import Any

import pytest

from dipper.decide.condition import judge_condition, make_condition, required_inputs
from dipper.expr.parse import parse
from dipper.expr.types import HostFunction, Scope

SCOPE = Scope(
    {
        "person.age": "int",
        "person.city": "text",
        "tag.paid": "int",
        "segment.rich": "bool",
        "product.minimum_fen": "int",
        "product.class": "text",
    },
    {"holds": HostFunction(("text",), "bool")},
)


def condition(text: str, **product: Any) -> Any:
    """A condition with a product's cells folded in."""
    constants = {f"product.{name}": value for name, value in product.items()}
    return make_condition(parse(text, SCOPE, expected="bool"), constants)


@pytest.mark.parametrize(
    ("text", "needed"),
    [
        ("person.age >= 18", ("person.age",)),
        ("person.age >= 18 OR segment.rich", ("person.age", "segment.rich")),
        ("NOT holds('wealth.r2')", ("holds('wealth.r2')",)),
        ("person.age IS NULL OR person.age > 18", ()),
        ("COALESCE(tag.paid, 0) > 3 AND person.age > 1", ("person.age",)),
        ("COALESCE(tag.paid, person.age) > 3", ("person.age",)),
        ("person.city IS DISTINCT FROM 'x'", ()),
    ],
)
def test_needed_inputs(text: str, needed: tuple[str, ...]) -> None:
    """A value is needed unless the text itself says what holds without it."""
    assert required_inputs(parse(text, SCOPE).tree) == needed


def test_missing_value_in_a_true_alternative() -> None:
    """A missing value denies even where SQL would find the alternative true."""
    found = condition("person.age >= 18 OR segment.rich")
    assert judge_condition(found, {"segment.rich": True, "person.age": 20}).passed
    verdict = judge_condition(found, {"segment.rich": True, "person.age": None})
    assert verdict.facts == {"missing": ("person.age",)}


def test_handled_null() -> None:
    """What the text handles is left to SQL's three values."""
    found = condition("person.age IS NULL OR person.age > 18")
    assert judge_condition(found, {"person.age": None}).passed
    assert not judge_condition(found, {"person.age": 18}).passed


def test_null_is_no() -> None:
    """A condition that is NULL denies like one that is FALSE."""
    found = condition("COALESCE(tag.paid, NULL) > 3")
    assert judge_condition(found, {"tag.paid": None}).code == "condition_not_met"


def test_product_is_folded_in() -> None:
    """The product's columns become constants, so that no decision reads them."""
    found = condition("tag.paid * 100 >= product.minimum_fen", minimum_fen=500)
    assert found.expression.inputs == ("tag.paid",)
    assert judge_condition(found, {"tag.paid": 5}).passed
    assert not judge_condition(found, {"tag.paid": 4}).passed


def test_empty_cell_of_the_product() -> None:
    """A condition that needs an empty cell of the product denies as missing, whoever asks."""
    found = condition("tag.paid >= product.minimum_fen OR TRUE", minimum_fen=None)
    assert judge_condition(found, {"tag.paid": 5}).facts == {"missing": ("product.minimum_fen",)}


def test_empty_cell_that_is_handled() -> None:
    """A condition may say what an empty cell means."""
    found = condition("product.class IS NULL", **{"class": None})
    assert judge_condition(found, {}).passed
