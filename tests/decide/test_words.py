"""Conditions in words."""

from __future__ import annotations

from typing import Any

import pytest

from dipper.decide.words import Words
from dipper.expr.parse import parse
from dipper.spec.scope import offer_scope


@pytest.mark.parametrize(
    ("text", "zh", "en"),
    [
        (
            "person.age >= 18",
            "年龄 ≥ 18",
            "age ≥ 18",
        ),
        (
            "person.age BETWEEN 18 AND 60",
            "年龄在 18 至 60 之间",
            "age from 18 to 60",
        ),
        (
            "tag.bill_amount_90d > 10000",
            "近90天缴费金额 > ¥100.00",
            "bill amount in 90 days > ¥100.00",
        ),
        (
            "tag.bills_paid_30d > 3",
            "近30天缴费次数 > 3",
            "bills paid in 30 days > 3",
        ),
        (
            "NOT holds('wealth.growth')",
            "未持有「稳健增长理财」",
            "does not hold 'stable growth'",
        ),
        (
            "holds_line('wealth')",
            "持有「wealth」类产品",
            "holds a product of line 'wealth'",
        ),
        (
            "segment.regular_payers",
            "属于客群「稳定缴费客群」",
            "in segment 'regular payers'",
        ),
        (
            "NOT segment.regular_payers",
            "不属于客群「稳定缴费客群」",
            "not in segment 'regular payers'",
        ),
        (
            "context.rain",
            "是否下雨为是",
            "rain is yes",
        ),
        (
            "NOT context.rain",
            "是否下雨为否",
            "rain is no",
        ),
        (
            "person.city IN ('x', 'y')",
            "城市为「x」、「y」之一",
            "city is one of 'x', 'y'",
        ),
        (
            "person.city IS NULL",
            "城市未知",
            "city is not known",
        ),
        (
            "person.city = 'x' AND (person.age < 9 OR person.age > 12)",
            "城市 = 「x」，且（年龄 < 9，或年龄 > 12）",
            "city = 'x' and (age < 9 or age > 12)",
        ),
        (
            "NOT (person.age = 3)",
            "非（年龄 = 3）",
            "not (age = 3)",
        ),
        (
            "now() > TIMESTAMP '2026-01-01 00:00:00'",
            "当前时间 > 2026-01-01 00:00:00",
            "now > 2026-01-01 00:00:00",
        ),
        (
            "length(person.city) > 3",
            "length(城市) > 3",
            "length(city) > 3",
        ),
        (
            "person.age / 2 > 3.5",
            "(年龄 / 2.0) > 3.5",
            "(age / 2.0) > 3.5",
        ),
    ],
)
def test_condition(bank: Any, text: str, zh: str, en: str) -> None:
    """A condition reads as people speak, in both languages."""
    program, tables = bank.program(), bank.tables()
    tree = parse(text, offer_scope(program, "person")).tree
    assert Words(program, tables, "zh").condition(tree) == zh
    assert Words(program, tables, "en").condition(tree) == en
