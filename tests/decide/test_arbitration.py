"""A whole decision: arms, slots, limits, strangers, and what an answer says."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from dipper.kit.errors import BadInput, NotFound


def person_in(bank: Any, decider: Any, arm: str) -> Any:
    """Somebody whom the hash puts into an arm of the policy of `result`."""
    return bank.Person(key=bank.key_in(arm, decider.place("result").policy))


def test_treated(bank: Any, decider: Any) -> None:
    """The treated arm is given what the ranker chose, and the trace says nothing else."""
    decided = bank.ask(decider, person_in(bank, decider, "treated"), context={"rain": True})
    assert decided.reply.arm == "treated"
    assert [one.offer for one in decided.reply.offers] == [
        one.offer for one in decided.trace.offers
    ]
    assert len(decided.reply.offers) == 2
    assert decided.trace.would == ()
    assert decided.reply.default is None


def test_control(bank: Any, decider: Any) -> None:
    """The control arm is given nothing but the placement's default; the trace knows who would
    have got what."""
    control = person_in(bank, decider, "control")
    decided = bank.ask(decider, control)
    assert decided.reply.offers == ()
    assert decided.reply.default == {"zh": "感谢使用", "en": "thank you"}
    assert len(decided.trace.would) == 2
    assert (
        decided.trace.gate_denials
        == bank.ask(decider, person_in(bank, decider, "treated")).trace.gate_denials
    )


def test_placebo(bank: Any, decider: Any) -> None:
    """The placebo arm is given the placebo and nothing else."""
    decided = bank.ask(decider, person_in(bank, decider, "placebo"))
    assert [one.offer for one in decided.reply.offers] == ["tip"]
    assert {one.offer for one in decided.trace.would}.isdisjoint({"tip"})


def test_placebo_that_is_held_back(bank: Any, decider: Any) -> None:
    """A placebo passes the gates like any offer, or is not given."""
    placebo = person_in(bank, decider, "placebo").but(caps={"all_week": 5})
    assert bank.ask(decider, placebo).reply.offers == ()


def test_placebo_is_no_offer(bank: Any, decider: Any) -> None:
    """A placebo is never ranked, nor counted as an offer that passed."""
    decided = bank.ask(decider, person_in(bank, decider, "treated"), limit=2)
    trace = decided.trace
    assert trace.passed == trace.denied.count("0") - 1
    assert "tip" not in {one.offer for one in trace.offers}


def test_would_is_what_the_treated_get(bank: Any, decider: Any) -> None:
    """For one draw the control arm's trace holds the very offers that the treated arm gets."""
    model = bank.published(decider)
    for draw in (0.0, 0.4, 0.9):
        control = bank.ask(decider, person_in(bank, decider, "control"), draw=draw, model=model)
        treated = bank.ask(decider, person_in(bank, decider, "treated"), draw=draw, model=model)
        assert control.trace.would == treated.trace.offers


@pytest.mark.parametrize(("limit", "given"), [(None, 2), (1, 1), (2, 2), (9, 2)])
def test_limit(bank: Any, decider: Any, limit: int | None, given: int) -> None:
    """A request may ask for fewer offers than its placement allows, never for more."""
    decided = bank.ask(decider, person_in(bank, decider, "treated"), limit=limit)
    assert len(decided.reply.offers) == given
    assert len({one.offer for one in decided.reply.offers}) == given


def test_cap_inside_one_answer(bank: Any, decider: Any) -> None:
    """One answer with two offers does not take what is left of a cap twice."""
    person = person_in(bank, decider, "treated").but(
        caps={"all_week": 4, "wealth_week": 0, "autopay_month": 0}
    )
    for draw in (0.1, 0.5, 0.9):
        assert len(bank.ask(decider, person, draw=draw).reply.offers) == 1


def test_cap_of_a_line_leaves_room_for_others(bank: Any, decider: Any) -> None:
    """Where a line's cap has room for one, the other slot goes to another line."""
    wealth = {"growth_r2", "equity_r4"}
    person = person_in(bank, decider, "treated").but(
        caps={"all_week": 0, "wealth_week": 1, "autopay_month": 0}
    )
    draws = [at / 100 for at in range(100)]
    answers = [
        [one.offer for one in bank.ask(decider, person, draw=draw).reply.offers] for draw in draws
    ]
    assert any(wealth & set(answer) for answer in answers)
    assert all(len(answer) == 2 and len(wealth & set(answer)) <= 1 for answer in answers)


def test_value_is_a_lever(bank: Any, decider: Any) -> None:
    """The score is the expected value: propensity times what an opening is worth."""
    model = bank.published(decider)
    decided = bank.ask(decider, person_in(bank, decider, "treated"), model=model)
    place = decider.place("result")
    values = place.inputs.known(decided.trace.flags, decided.trace.values, bank.NOW_US)
    x = place.reader.vector(values)
    for one in decided.reply.offers:
        row = model.model.candidates([one.offer])[0]
        propensity = model.model.weights[row] @ x
        expected = propensity * place.by_name[one.offer].value_fen
        assert one.score == pytest.approx(expected)


def test_probabilities_are_logged(bank: Any, decider: Any) -> None:
    """Over many draws an offer takes the first slot as often as its logged probability says."""
    person = person_in(bank, decider, "treated")
    model = bank.published(decider)
    traces = [
        bank.ask(decider, person, draw=(at + 0.5) / 500, model=model, limit=1).trace
        for at in range(500)
    ]
    shares: dict[str, int] = {}
    logged = {}
    for trace in traces:
        (one,) = trace.offers
        shares[one.offer] = shares.get(one.offer, 0) + 1
        logged[one.offer] = one.probability
    assert len(shares) > 1
    assert all(abs(count / 500 - logged[name]) <= 0.003 for name, count in shares.items())


def test_unknown_placement(bank: Any, decider: Any) -> None:
    """A placement that there is not is answered with the one that was probably meant."""
    with pytest.raises(NotFound) as caught:
        bank.ask(decider, bank.Person(), placement="reslt")
    assert caught.value.hint == "Did you mean 'result'?"
    assert caught.value.where == "body.placement"


def test_context_of_another_type(bank: Any, decider: Any) -> None:
    """A context value of another type is the caller's mistake and is told."""
    with pytest.raises(BadInput, match="expected bool"):
        bank.ask(decider, bank.Person(), context={"rain": "yes"})


def stranger(bank: Any) -> Any:
    return bank.Person(
        key=bank.key_in("treated", bank.decider().place("result").policy),
        verified=False,
        tags={"bills_paid_30d": 0, "bill_amount_90d": None, "visits_90d": 0},
        segments=frozenset(),
        traits={},
        consents={},
        assessment=None,
        caps={"all_week": 0, "wealth_week": 0, "autopay_month": 0},
    )


def test_stranger(bank: Any, decider: Any) -> None:
    """A stranger is decided for: what needs no consent and no knowledge of them can pass."""
    decided = bank.ask(decider, stranger(bank), context={"rain": True})
    assert [one.offer for one in decided.reply.offers] == ["umbrella"]
    assert decided.trace.gate_denials.keys() >= {"eligible", "applicable", "suitable"}


def test_erased(bank: Any, decider: Any) -> None:
    """The decision about an erased person holds nothing of the person, not even the key."""
    decided = bank.ask(decider, bank.Person(key=b"\xaa" * 16, erased=True), context={"rain": True})
    assert decided.reply.subject == decided.trace.subject == ""
    assert set(decided.trace.flags) <= {"-", "1"}
    assert decided.trace.flags.count("1") == 1
    assert set(decided.trace.values) == {None}
    assert b"aaaa" not in msgspec.json.encode(decided.trace)


def test_same_order_for_everybody(bank: Any, decider: Any) -> None:
    """Without personalisation the order of what passes is the same for all (PI-10)."""
    model = bank.published(decider)
    people = [
        person_in(bank, decider, "treated").but(
            tags={**bank.Person().tags, "bills_paid_30d": paid}, traits={"age": age}
        )
        for paid, age in ((0, 20), (50, 70), (3, 33))
    ]
    answers = {
        tuple(
            one.offer
            for one in bank.ask(
                decider, person, model=model, personalised=False, draw=draw
            ).reply.offers
        )
        for person in people
        for draw in (0.0, 0.5, 0.99)
    }
    assert answers == {("savings", "accident")}


def test_no_profile_without_personalisation(bank: Any, decider: Any) -> None:
    """An offer that asks for a segment is held back: the profile is not read (ALG-03)."""
    person = person_in(bank, decider, "treated")
    place = decider.place("result")
    decided = bank.ask(decider, person, personalised=False)
    assert decided.trace.denied[place.by_name["growth_r2"].index] != "0"
    assert bank.ask(decider, person).trace.denied[place.by_name["growth_r2"].index] == "0"


def test_answer(bank: Any, decider: Any) -> None:
    """An answer carries what a page needs: product, words, link, and the versions."""
    decided = bank.ask(decider, person_in(bank, decider, "treated"), personalised=False)
    first = decided.reply.offers[0]
    assert (first.product, first.link) == ("deposit.savings", "https://bank.example/savings")
    assert first.content == {"zh": "开户有礼", "en": "open one"}
    assert decided.reply.offers[1].content == {"zh": "意外险", "en": "accident cover"}
    assert decided.reply.program == decider.program
    assert decided.reply.position is None


def test_features_that_an_offer_forbids(bank: Any, decider: Any) -> None:
    """Where a candidate's purpose forbids a feature nobody is ranked by it."""
    place = decider.place("clinic")
    assert "tag.bills_paid_30d" in place.withheld
    assert place.ranking.space.names == ("1",)
    assert "tag.bills_paid_30d" not in place.inputs.names


def test_model_of_other_features(bank: Any, decider: Any) -> None:
    """A model that was trained on other features is read by name: what is gone counts as 0."""
    clinic = bank.published(decider, "clinic")
    assert len(clinic.model.features) > 1
    decided = bank.ask(
        decider, person_in(bank, decider, "treated"), placement="clinic", model=clinic
    )
    row = clinic.model.candidates(["reminder"])[0]
    assert decided.reply.offers[0].score == pytest.approx(clinic.model.weights[row, 0] * 100)


def test_empty_placement(bank: Any) -> None:
    """A placement that no offer names answers with nothing."""
    text = "kind: placement\nname: empty\nHEAD\nscenario: bills\nchannel: app\npolicy: plain"
    decided = bank.ask(bank.decider(*bank.objects(text)), bank.Person(), placement="empty")
    assert decided.reply.offers == ()
    assert decided.trace.denied == ""
