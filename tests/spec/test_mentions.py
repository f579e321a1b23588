"""Names in expressions, read from the text alone."""

from __future__ import annotations

import pytest

from dipper.expr.parse import parse
from dipper.spec.mentions import mentions
from dipper.spec.program import Program
from dipper.spec.scope import event_scope, offer_scope

OFFER_TEXTS = [
    "person.age >= 18",
    "NOT holds('wealth.stable_growth') AND segment.regular_payers",
    "CASE WHEN tag.bills_paid_30d > 3 THEN product.risk_issuer <= 2 ELSE FALSE END",
    "person.city IN ('120100', 'tag.x') OR context.biller LIKE 'wa%'",
    "product.sale_to IS NULL OR product.sale_to >= CAST(now() AS date)",
    "coalesce(person.age, 0) BETWEEN 18 AND tag.bills_paid_30d",
    "holds_line('it''s') AND person.city <> 'not a name'",
]

EVENT_TEXTS = [
    "amount_fen >= 100",
    "biller = 'water' AND scenario = 'bill_payment'",
    "amount_fen // 100 > 5 AND NOT (channel IS NULL)",
    "lower(biller) IN ('gas', 'power')",
]


@pytest.mark.parametrize("text", OFFER_TEXTS)
def test_an_offer_text_mentions_what_its_parsed_form_reads(program: Program, text: str) -> None:
    """The scan of the text and the parser see the same names and calls."""
    _sees_the_same(text, parse(text, offer_scope(program, "person")).inputs)


@pytest.mark.parametrize("text", EVENT_TEXTS)
def test_an_event_text_mentions_what_its_parsed_form_reads(program: Program, text: str) -> None:
    """Plain names over events are seen as the parser sees them."""
    _sees_the_same(text, parse(text, event_scope(program, "bill_paid")).inputs)


def _sees_the_same(text: str, inputs: tuple[str, ...]) -> None:
    found = mentions(text)
    columns = {name for name in inputs if "(" not in name}
    assert {".".join(name) for name in found.names} == columns
    literals = {name for name in inputs if "('" in name}
    quoted = {
        f"{call.function}('{call.literal.replace(chr(39), chr(39) * 2)}')"
        for call in found.calls
        if call.literal is not None and call.function.startswith("holds")
    }
    assert quoted == literals


def test_texts_inside_quotes_are_no_names() -> None:
    """What stands between quotes is a value."""
    assert mentions("person.city = 'tag.x AND segment.y'").within("tag") == ()


def test_any_text_gives_an_answer() -> None:
    """A text that is no expression still tells its names, for lineage must not fail."""
    assert mentions("tag.a >> ((' tag.b ").within("tag") == ("a", "b")


def test_quoted_names_lose_their_quotes() -> None:
    """A name in double quotes is the same name."""
    assert mentions('"tag"."a" = 1').within("tag") == ("a",)
