"""What each choice was truly worth, by the hidden needs."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from dipper.decide.trace import TRACE_VERSION, Chosen, Trace
from dipper.measure.decisions import Stored
from dipper.surface.demo.driver import Asked
from dipper.surface.demo.hidden import Hidden, opening_probability
from dipper.surface.demo.truth import SEGMENT_DECISIONS_MIN, Choices, judge

# Two persons: the first needs to save, the second to spend.
NEEDS = Hidden(("saving", "spending"), np.array([[0.9, 0.1], [0.1, 0.9]]), np.ones(2))
OFFERS = {"deposit": (8_000, "saving", "d"), "loan": (10_000, "spending", "l")}
OFFERS |= {"coupon": (300, None, None)}
NAMES = sorted([*OFFERS, "placebo"])
PLACE: Any = SimpleNamespace(
    candidates=[
        SimpleNamespace(name=n, value_fen=OFFERS.get(n, (0,))[0], is_placebo=n == "placebo")
        for n in NAMES
    ]
)
BANK: Any = SimpleNamespace(
    persons=SimpleNamespace(hidden=NEEDS),
    organisations=SimpleNamespace(hidden=Hidden((), np.zeros((0, 0)), np.zeros(0))),
    offer_need={name: need for name, (_, need, _) in OFFERS.items()},
    offer_product={name: product for name, (_, _, product) in OFFERS.items()},
)


def worth(offer: str, person: int) -> float:
    """Chance of an opening times its value."""
    value_fen, need, _ = OFFERS[offer]
    if need is None:
        return 0.0
    return float(opening_probability(NEEDS.of(need)[person])) * value_fen


def decision(number: int, offer: str, denied: tuple[str, ...] = (), arm: str = "treated") -> Stored:
    """A decision in which all but `denied` passed, and `offer` was given."""
    trace = Trace(
        version=TRACE_VERSION,
        decision_id=f"d{number}",
        now_us=number,
        placement="page",
        policy="p",
        subject="",
        arm=arm,
        program="",
        tables={},
        model="",
        draw=0.5,
        limit=1,
        flags="",
        values=[],
        gates=("eligible",),
        denied="".join("1" if name in denied else "0" for name in NAMES),
        gate_denials={},
        passed=3 - len(denied),
        offers=(Chosen(offer, 1.0, 1.0),),
    )
    return Stored("", "person", "bills", trace)


def judged(rows: list[tuple[Stored, int]], segments: list[frozenset[str]] | None = None) -> Choices:
    """The judgement of decisions about persons; each is a step of its own."""
    asked = [
        Asked(one.trace.decision_id, "person", person, 0, step, one.trace.arm, ())
        for step, (one, person) in enumerate(rows)
    ]
    stored = [one for one, _ in rows]
    return judge(stored, asked, BANK, lambda _: PLACE, segments or [frozenset()] * len(rows))


def test_ours_random_and_best_are_weighed_among_the_passed() -> None:
    """The placebo is no choice, a service is worth nothing, a denied offer cannot be the best."""
    found = judged([(decision(0, "deposit"), 0), (decision(1, "deposit", ("loan",)), 1)])
    assert found.ours.tolist() == pytest.approx([worth("deposit", 0), worth("deposit", 1)])
    assert found.best.tolist() == pytest.approx([worth("deposit", 0), worth("deposit", 1)])
    everything = (worth("deposit", 0) + worth("loan", 0)) / 3
    assert found.random.tolist() == pytest.approx([everything, worth("deposit", 1) / 2])
    assert found.step.tolist() == [0, 1]


def test_only_the_treated_who_got_something_are_judged() -> None:
    """Nor decisions that the driver knows nothing of."""
    rows = [(decision(0, "deposit"), 0), (decision(1, "placebo", arm="placebo"), 0)]
    assert len(judged(rows).step) == 1
    asked = [Asked("other", "person", 0, 0, 0, "treated", ())]
    assert not len(judge([rows[0][0]], asked, BANK, lambda _: PLACE, [frozenset()]).step)


def test_the_single_best_gives_everybody_the_same_order() -> None:
    """Where its first offer did not pass, the next one."""
    rows = [(decision(n, "deposit"), 1) for n in range(3)] + [
        (decision(3, "deposit", ("loan",)), 0)
    ]
    rows.append((decision(4, "loan"), 0))
    found = judged(rows)
    assert found.single.tolist() == pytest.approx(
        [worth("loan", 1)] * 3 + [worth("deposit", 0), worth("loan", 0)]
    )


def test_segments_have_orders_of_their_own_once_they_are_large() -> None:
    """Small ones get the order of everybody."""
    many = SEGMENT_DECISIONS_MIN
    rows = [(decision(n, "deposit"), n % 2) for n in range(2 * many)]
    segments = [frozenset({"savers"} if n % 2 == 0 else {"spenders"}) for n in range(2 * many)]
    found = judged(rows, segments)
    assert found.segment.tolist() == pytest.approx(found.best.tolist())
    assert found.single.mean() < found.segment.mean()
    few = judged(rows[: many // 2], segments[: many // 2])
    assert few.segment.tolist() == few.single.tolist()


def test_the_share_of_the_achievable_runs_from_random_to_best() -> None:
    """Where every choice is worth the same, there is no share."""
    best = judged([(decision(0, "deposit"), 0), (decision(1, "loan"), 1)])
    assert best.share_of_achievable == pytest.approx(1.0)
    ones = np.ones(2)
    assert Choices(np.zeros(2), ones, ones, ones, ones, ones).share_of_achievable is None
    half = Choices(np.zeros(2), 1.5 * ones, ones, ones, ones, 2 * ones)
    assert half.share_of_achievable == pytest.approx(0.5)
    assert half.pick(np.zeros(2, bool)).means() == {}
