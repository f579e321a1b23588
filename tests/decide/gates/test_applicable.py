"""Whether an offer makes sense now."""

from __future__ import annotations

import dataclasses
from typing import Any

from dipper.decide.gates import applicable
from dipper.decide.screen import judge
from dipper.expr.dates import midnight, parse_day


def at(day: str, later_us: int = 0) -> dict[str, Any]:
    number = parse_day(day)
    assert number is not None
    return {"now()": midnight(number) + later_us, "holds_line('wealth')": False}


def test_condition(decider: Any) -> None:
    """Who holds the product already is not offered it again."""
    offer = decider.place("result").by_name["autopay"]
    values = at("2026-11-24")
    assert judge(applicable, offer, {**values, "holds('payment.autopay')": False}).passed
    verdict = judge(applicable, offer, {**values, "holds('payment.autopay')": True})
    assert verdict.code == "condition_not_met"


def test_before_the_sale(decider: Any) -> None:
    """A product is not offered before the day of its sale begins in the bank's zone."""
    offer = decider.place("result").by_name["accident"]
    assert judge(applicable, offer, at("2023-01-01")).passed
    verdict = judge(applicable, offer, at("2023-01-01", -1))
    assert verdict.code == "not_yet_on_sale"
    assert verdict.facts == {"sale_from_us": at("2023-01-01")["now()"]}


def test_after_the_sale(decider: Any) -> None:
    """A product is offered through the last day of its sale and no longer."""
    offer = decider.place("result").by_name["old_note"]
    assert judge(applicable, offer, at("2025-01-01", -1)).passed
    assert judge(applicable, offer, at("2025-01-01")).code == "no_longer_on_sale"


def test_period_with_one_end(decider: Any) -> None:
    """A period of sale with an end and no beginning ends all the same; without any, never."""
    note = decider.place("result").by_name["old_note"]
    ending = dataclasses.replace(note, on_sale_from_us=None)
    assert applicable.needs(ending) == ("now()",)
    assert judge(applicable, ending, at("2019-01-01")).passed
    assert not judge(applicable, ending, at("2025-01-01")).passed
    for_ever = dataclasses.replace(ending, on_sale_until_us=None)
    assert applicable.needs(for_ever) == ()
    assert judge(applicable, for_ever, {}).passed


def test_needs(bank: Any) -> None:
    """The time is needed once, also where period and condition both read it."""
    text = (
        "kind: offer\nname: probe\nHEAD\nproduct: deposit.savings\nplacements: [home]\n"
        "purposes: [service]\napplicable: hour(now()) > 8"
    )
    probe = bank.decider(*bank.objects(text)).place("home").by_name["probe"]
    assert applicable.needs(probe) == ("now()",)


def test_time_missing(decider: Any) -> None:
    """Without the time a period of sale cannot be judged."""
    offer = decider.place("result").by_name["old_note"]
    assert judge(applicable, offer, {}).code == "input_missing"
