"""The tracking plan: accept, omit or fail."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from dipper.collect.plan import Accepted, Failed, Plan


def judged(plan: Plan, event: str, properties: dict[str, Any]) -> Any:
    """Judge properties as they stand in JSON."""
    return plan.judge(event, msgspec.json.decode(msgspec.json.encode(properties)))


def test_declared_properties_are_kept_in_their_types(plan: Plan) -> None:
    """A whole number becomes a double where the dictionary says so, times become times."""
    found = judged(
        plan,
        "bill_paid",
        {"amount_fen": 1, "fee": 2, "due_on": "2026-12-01", "paid_at": "2026-11-24T05:00:00Z"},
    )
    assert isinstance(found, Accepted)
    assert found.is_whole
    assert msgspec.json.decode(msgspec.json.encode(found.properties)) == {
        "amount_fen": 1,
        "fee": 2.0,
        "due_on": "2026-12-01",
        "paid_at": "2026-11-24T05:00:00Z",
    }


def test_all_findings_are_named_at_once(plan: Plan) -> None:
    """A bad event hears everything that is wrong with it, without its values."""
    found = judged(
        plan,
        "bill_paid",
        {"fee": "secret-1", "first_time": 1, "pay_way": "secret-2", "due_on": "secret-3"},
    )
    assert isinstance(found, Failed)
    assert found.code == "wrong_type"
    for words in (
        "'fee' must be a double",
        "'first_time' must be a bool, got an integer",
        "'pay_way' must be one of card, wallet, cash",
        "'due_on' must be a date like 2026-01-31",
        "'amount_fen' is required",
    ):
        assert words in found.reason
    assert "secret" not in found.reason


def test_null_is_no_value(plan: Plan) -> None:
    """Null is no wrong type, and it does not fill what is required."""
    assert isinstance(judged(plan, "bill_paid", {"amount_fen": 1, "fee": None}), Accepted)
    found = judged(plan, "bill_paid", {"amount_fen": None})
    assert found == Failed("missing_property", "'amount_fen' is required", "properties.amount_fen")


@pytest.mark.parametrize("value", [1.5, 1.0, "1", True, [1], 2**63, -(2**63) - 1])
def test_an_int_is_a_64_bit_integer(plan: Plan, value: Any) -> None:
    """Nothing else is taken for one, and nothing is converted."""
    assert judged(plan, "bill_paid", {"amount_fen": value}).code == "wrong_type"


def test_undeclared_properties_follow_the_policy_of_the_event(plan: Plan) -> None:
    """Accept keeps them, omit drops them but not the event, fail fails."""
    accepted = judged(plan, "bill_paid", {"amount_fen": 1, "colour": {"r": 1}})
    assert accepted.properties == {"amount_fen": 1, "colour": {"r": 1}}
    omitted = judged(plan, "tidy_event", {"amount_fen": 1, "colour": "red"})
    assert (omitted.properties, omitted.whole) == (
        {"amount_fen": 1},
        {"amount_fen": 1, "colour": "red"},
    )
    failed = judged(plan, "strict_event", {"amount_fen": 1, "colour": "red"})
    assert (failed.code, failed.path) == ("undeclared_property", "properties.colour")


def test_a_wrong_type_may_be_dropped_instead(plan: Plan) -> None:
    """`on_error: omit` drops the property and keeps the event."""
    found = judged(plan, "tidy_event", {"amount_fen": "x", "biller": "grid"})
    assert found.properties == {"biller": "grid"}


def test_a_property_has_one_type_in_the_whole_bank(plan: Plan) -> None:
    """The dictionary's type counts where an event does not declare the property, too."""
    assert judged(plan, "order_completed", {"amount_fen": "x"}).code == "wrong_type"
    assert isinstance(judged(plan, "order_completed", {"amount_fen": 5}), Accepted)


def test_names_become_snake_case(plan: Plan) -> None:
    """`amountFen` is `amount_fen`; of two writings of one name the right one stays itself."""
    assert judged(plan, "bill_paid", {"amountFen": 1}).properties == {"amount_fen": 1}
    both = judged(plan, "bill_paid", {"amountFen": 1, "amount_fen": 2, "Amount Fen": 3})
    assert both.properties == {"amountFen": 1, "amount_fen": 2, "Amount Fen": 3}


def test_secrets_never_pass(plan: Plan) -> None:
    """C3 properties and secret names are removed before anything is judged, and are no finding."""
    found = judged(plan, "strict_event", {"amount_fen": 1, "face_feature": "x", "cardPin": "1234"})
    assert found.properties == {"amount_fen": 1}
    assert sorted(found.removed) == ["card_pin", "face_feature"]


def test_an_unknown_event_gets_a_hint(plan: Plan) -> None:
    """The closest name of the plan is offered."""
    found = judged(plan, "bill_payed", {})
    assert (found.code, found.path) == ("unknown_event", "event")
    assert found.reason.endswith("Did you mean 'bill_paid'?")


def test_hints_for_strangers_are_bounded(plan: Plan, program: Any) -> None:
    """Whoever sends a thousand made-up names does not buy a thousand comparisons."""
    fresh = Plan.compile(program)
    reasons = [fresh.unknown(f"bill_paid{number}").reason for number in range(1_000)]
    assert "Did you mean" in reasons[0]
    assert "Did you mean" not in reasons[-1]


def test_the_typed_decoder_refuses_what_needs_a_second_look(plan: Plan) -> None:
    """The one-pass check takes exactly what is as declared, and encodes in the order of names."""
    bill = plan.events["bill_paid"]
    raw = msgspec.Raw(b'{"pay_way":"card","amount_fen":5,"biller":null,"fee":1}')
    assert msgspec.json.encode(bill.decode(raw)) == (
        b'{"amount_fen":5,"biller":null,"fee":1.0,"pay_way":"card"}'
    )
    for refused in (
        b"{}",
        b'{"amount_fen":5,"x":1}',
        b'{"amount_fen":null}',
        b'{"amount_fen":1.0}',
    ):
        with pytest.raises(msgspec.ValidationError):
            bill.decode(msgspec.Raw(refused))


def test_traits_of_the_dictionary_are_typed(plan: Plan) -> None:
    """`identify` drops a trait of the wrong type and keeps the person."""
    found = judged(plan, "identify", {"age": "forty", "nickname": "x"})
    assert found.properties == {"nickname": "x"}
