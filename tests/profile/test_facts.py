"""Consents, traits, holdings, assessments and caps."""

from __future__ import annotations

from typing import Any

import pytest

from dipper.expr.dates import midnight, parse_day

DAY = 86_400_000_000
START = 1_790_000_000_000_000


def consent(bank: Any, at_us: int, is_given: bool, **fields: Any) -> Any:
    name = "consent_given" if is_given else "consent_withdrawn"
    properties = {"purpose": "marketing", "notice_version": "v1"}
    given = {"person": "C1"} if "device" not in fields else {}
    return bank.project(bank.event(name, at_us, properties=properties, **given, **fields))


def core(bank: Any, name: str, at_us: int, **properties: Any) -> Any:
    return bank.project(
        bank.event(name, at_us, person="C1", source="core", trust="core", properties=properties)
    )


def test_a_withdrawn_consent_is_seen_at_once(bank: Any) -> None:
    """The next read after the withdrawal says so."""
    consent(bank, START, True)
    assert bank.subject("C1").consents["marketing"].given is True
    consent(bank, START + 1, False)
    state = bank.subject("C1").consents["marketing"]
    assert (state.given, state.time_us) == (False, START + 1)


def test_a_consent_that_arrives_late_does_not_undo_a_withdrawal(bank: Any) -> None:
    """The last word in timeline order holds."""
    consent(bank, START + 10, False)
    consent(bank, START, True)
    assert bank.subject("C1").consents["marketing"].given is False


def test_a_page_withdraws_for_its_device_and_its_owner(bank: Any) -> None:
    """A public withdrawal binds whoever has the device then, and nobody else; it never gives."""
    bank.project(bank.event("page_opened", START, person="C1", device="d1"))
    consent(bank, START + 1, True)
    public = {"device": "d1", "source": "app", "trust": "public"}
    consent(bank, START + 2, False, **public)
    assert bank.subject("C1").consents["marketing"].given is False
    done = consent(bank, START + 3, True, **public)
    assert done.failed
    assert bank.subject("C1").consents["marketing"].given is False


def test_the_last_statement_of_a_trait_holds(bank: Any) -> None:
    """Traits follow the timeline; undeclared ones are not kept, those of a public key neither."""
    for at_us, city in ((5, "B"), (3, "A")):
        bank.project(
            bank.event("identify", START + at_us, person="C1", properties={"city": city, "x": 1})
        )
    bank.project(
        bank.event(
            "identify",
            START + 9,
            person="C1",
            device="d1",
            source="app",
            trust="public",
            claims=("person",),
            properties={"city": "Z"},
        )
    )
    assert bank.subject("C1").traits == {"city": "B"}


def test_a_firm_has_traits_by_group(bank: Any) -> None:
    """`group` states attributes of the organisation, not of the person who sent it."""
    bank.project(
        bank.event("group", START, person="C1", organisation="O1", properties={"size": 7, "age": 3})
    )
    assert bank.subject("org_no:O1").traits == {"size": 7}
    assert bank.subject("C1").traits == {}


def test_what_is_held_follows_opening_record_and_closing(bank: Any) -> None:
    """Opened is held, recorded fills in, closed is not held, whatever arrives first."""
    core(bank, "product_closed", START + 9, product="fund.x", account="2")
    core(bank, "product_opened", START + 1, product="fund.x", account="2", opened_on="2026-09-01")
    core(bank, "product_opened", START + 1, product="wealth.a", account="1", opened_on="2026-09-01")
    core(bank, "holding_recorded", START + 2, product="wealth.a", account="1", balance_fen=500)
    subject = bank.subject("C1")
    (holding,) = subject.holdings
    assert (holding.product, holding.line, holding.balance_fen) == ("wealth.a", "wealth", 500)
    assert (holding.opened_us, holding.opened_on) == (START + 1, parse_day("2026-09-01"))
    assert "holders" in subject.segments


def test_a_product_line_can_be_held(bank: Any) -> None:
    """`holds_line` reads the line from the product table."""
    core(bank, "product_opened", START, product="fund.x")
    assert "holders" in bank.subject("C1").segments


def test_only_the_core_opens_accounts(bank: Any) -> None:
    """An opening or assessment from a server is refused with a reason and changes nothing."""
    for name in ("product_opened", "assessment_recorded"):
        properties = {"product": "fund.x", "risk_level": 5, "valid_until": "2030-01-01"}
        done = bank.project(bank.event(name, START, person="C1", properties=properties))
        assert "core" in done.failed[0][1]
    subject = bank.subject("C1")
    assert (subject.holdings, subject.assessment) == ((), None)


def test_an_assessment_is_valid_through_its_last_day(bank: Any) -> None:
    """The last recorded one holds, until the midnight in Beijing that ends its last day."""
    core(bank, "assessment_recorded", START + 5, risk_level=3, valid_until="2026-12-31")
    core(bank, "assessment_recorded", START + 1, risk_level=5, valid_until="2030-12-31")
    assessment = bank.subject("C1").assessment
    assert assessment.level == 3
    assert assessment.valid_until_us == midnight(parse_day("2027-01-01"))


@pytest.mark.parametrize("level", [0, 6, "3", 2.0])
def test_an_assessment_without_a_level_is_refused(bank: Any, level: Any) -> None:
    """A level that is none of 1 to 5 leaves the person without an assessment."""
    done = core(bank, "assessment_recorded", START, risk_level=level, valid_until="2030-01-01")
    assert done.failed
    assert bank.subject("C1").assessment is None


def test_contacts_are_counted_by_event_time(bank: Any) -> None:
    """Caps count what was shown or sent in the window, by offer and by line."""

    def shown(at_us: int, offer: str, **more: Any) -> None:
        properties = {"offer": offer, "decision_id": "d", **more}
        bank.project(bank.event("offer_shown", at_us, person="C1", properties=properties))

    shown(START, "stable")
    shown(START + DAY, "other", line="fund")
    bank.project(bank.event("contact_sent", START + DAY, person="C1"))
    assert bank.subject("C1", now_us=START + DAY).caps == {
        "all_week": 3,
        "one_offer": 1,
        "fund_line": 1,
    }
    assert bank.subject("C1", now_us=START + 7 * DAY).caps["one_offer"] == 0


def test_a_decision_is_found_again(bank: Any) -> None:
    """`decision_made` leaves where its trace stands and whose it is."""
    record = bank.event(
        "decision_made",
        START,
        person="C1",
        source="engine",
        trust="engine",
        properties={"decision_id": "D1"},
    )
    done = bank.project(record)
    assert [(d.decision_id, d.position) for d in done.decisions] == [("D1", (0, record.offset))]
    with bank.state.read() as reader:
        assert reader.get("decisions", b"D1") is not None
