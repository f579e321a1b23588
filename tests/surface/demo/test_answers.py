"""How simulated people answer: by what they need, and by what they had planned anyway."""

from __future__ import annotations

import numpy as np

from dipper.surface.demo.answers import Reaction, react
from dipper.surface.demo.hidden import Hidden, click_probability, opening_probability

COUNT = 4_000
HALF = Hidden(("saving",), np.full((COUNT, 1), 0.5), np.ones(COUNT))
SHOWN_US = 1_000_000


def answers(plans: tuple[str, ...]) -> list[Reaction]:
    """Everybody is shown the same product once."""
    return [
        react(HALF, subject, "saving", SHOWN_US, "visit", 7, product="deposit", plans=plans)
        for subject in range(COUNT)
    ]


def share(found: list[bool]) -> float:
    return sum(found) / len(found)


def test_without_a_plan_people_answer_as_their_need_says() -> None:
    """Clicks and openings have the chances of the hidden model, and an opening follows a click."""
    found = answers(())
    clicked = share([one.clicked_us is not None for one in found])
    opened = share([one.opened_us is not None for one in found])
    assert abs(clicked - click_probability(np.float64(0.5))) < 0.03
    assert abs(opened - opening_probability(np.float64(0.5))) < 0.02
    for one in found:
        if one.opened_us is not None:
            assert SHOWN_US < (one.clicked_us or 0) < one.opened_us


def test_who_had_planned_it_clicks_often_and_the_offer_causes_nothing() -> None:
    """Last click would claim what was coming anyway."""
    found = answers(("deposit",))
    assert share([one.clicked_us is not None for one in found]) > 0.8
    assert not any(one.opened_us for one in found)


def test_a_plan_for_another_product_adds_clicks_and_no_opening() -> None:
    """Exactly those open who would have without the plan."""
    curious, plain = answers(("card",)), answers(())
    assert [one.opened_us for one in curious] == [one.opened_us for one in plain]
    clicks = [sum(one.clicked_us is not None for one in found) for found in (curious, plain)]
    assert clicks[0] > 1.5 * clicks[1]


def test_an_answer_does_not_depend_on_who_was_asked_before() -> None:
    """The same subject, occasion and seed give the same answer."""
    again = [
        react(HALF, subject, "saving", SHOWN_US, "visit", 7, product="deposit")
        for subject in reversed(range(COUNT))
    ]
    assert again[::-1] == answers(())
