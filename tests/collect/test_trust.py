"""Who is believed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey

from dipper.collect.sources import SourceKeys, Sources
from dipper.spec.program import Program

NOW_S = 1_795_499_156
KEY = ECKey.generate_key("P-256", {"kid": "k1"})


@pytest.fixture
def desk(program: Program, new_desk: Callable[..., Any]) -> Any:
    """A collector for which the server has registered a token key."""
    keys = {name: SourceKeys(f"wk_{name}") for name in program.of("source")}
    keys["server"] = SourceKeys("wk_server", {"k1": KEY.as_dict(private=False)})
    return new_desk(sources=Sources.compile(program, keys))


def token(**changes: Any) -> str:
    """A token of the server for person 10001 on device d-1 in placement home."""
    claims = {
        "iss": "server",
        "sub": "customer_no:10001",
        "device": "d-1",
        "placement": "home",
        "exp": NOW_S + 60,
        "jti": "j",
    }
    signed = {key: value for key, value in {**claims, **changes}.items() if value is not None}
    return jwt.encode({"alg": "ES256", "kid": "k1"}, signed, KEY)


def event(name: str, **fields: Any) -> dict[str, Any]:
    """A track event from device d-1 that names person 10001."""
    return {
        "event": name,
        "userId": "10001",
        "anonymousId": "d-1",
        "messageId": name,
        "properties": {},
        **fields,
    }


def shown(
    source_token: str | None, placement: str | None = "home", **fields: Any
) -> dict[str, Any]:
    """A page that says an offer was shown."""
    dipper = {"token": source_token, "placement": placement}
    return event(
        "offer_shown",
        properties={"decision_id": "D1", "offer": "fund"},
        context={"dipper": {key: value for key, value in dipper.items() if value}},
        **fields,
    )


def test_what_a_public_source_says_of_a_person_is_a_claim(desk: Any) -> None:
    """Behaviour, identify and group are taken, and every id but the device's is a claim."""
    paid = desk.send("app", event("bill_paid", properties={"amount_fen": 1})).only
    assert paid.claims == ("person",)
    identify = event("", type="identify", traits={"age": 4}, groupId="913", messageId="i")
    found = desk.send("app", identify).only
    assert (found.event, found.trust) == ("identify", "public")
    assert found.claims == ("person", "organisation")
    alone = event("bill_paid", userId=None, messageId="n", properties={"amount_fen": 1})
    assert desk.send("app", alone).only.claims == ()


def test_what_a_server_says_of_a_person_is_no_claim(desk: Any) -> None:
    """Its ids are bound within the events that it may send."""
    assert desk.send("server", event("settled", properties={"amount_fen": 1})).only.claims == ()


@pytest.mark.parametrize(
    ("source", "name", "properties"),
    [
        ("app", "settled", {"amount_fen": 1}),
        ("app", "product_opened", {"product": "card"}),
        ("server", "product_opened", {"product": "card"}),
        ("server", "assessment_recorded", {"risk_level": 3, "valid_until": "2027-01-01"}),
        ("app", "holding_recorded", {"product": "card", "account": "1"}),
        ("app", "consent_given", {"purpose": "marketing", "notice_version": "1"}),
        ("app", "subject_bound", {"other_id": "phone:1"}),
        ("app", "offer_clicked", {"decision_id": "D1", "offer": "fund"}),
        ("core", "segment_entered", {"segment": "x"}),
        ("core", "decision_made", {"decision_id": "D1"}),
    ],
)
def test_who_is_not_believed_fails(
    desk: Any, source: str, name: str, properties: dict[str, Any]
) -> None:
    """A forged opening, consent, binding, outcome or announcement is kept as failed."""
    failed = desk.send(source, event(name, properties=properties)).only_failed
    assert (failed.code, failed.event) == ("not_believed", name)
    assert failed.subjects == {"person": "customer_no:10001", "device": "device:d-1"}


def test_a_forged_alias_from_a_public_key_fails(desk: Any) -> None:
    """A page cannot merge two persons."""
    alias = {"type": "alias", "previousId": "2", "userId": "1", "messageId": "a"}
    assert desk.send("app", alias).only_failed.code == "not_believed"
    assert desk.send("server", alias).only.claims == ()


def test_the_core_confirms(desk: Any) -> None:
    """Openings, holdings and assessments come from the core."""
    opened = event("product_opened", properties={"product": "card", "staff": "S1", "channel": "c"})
    found = desk.send("core", opened).only
    assert (found.staff, found.channel) == ("S1", "c")
    assert bytes(found.properties) == b'{"product":"card"}'


def test_a_public_source_may_withdraw_for_its_own_device_only(desk: Any) -> None:
    """The person stays a claim; without a device nobody knows for whom it speaks."""
    withdrawn = event("consent_withdrawn", properties={"purpose": "marketing"})
    found = desk.send("app", withdrawn)
    assert found.only.claims == ("person",)
    assert found.collected.consents
    lonely = desk.send("app", {**withdrawn, "anonymousId": None, "messageId": "x"})
    assert lonely.only_failed.code == "not_believed"


def test_a_token_turns_a_claim_into_a_binding(desk: Any) -> None:
    """With a valid token for that person the claim is gone; the token itself is nowhere."""
    signed = token(placement=None)
    sent = event("bill_paid", properties={"amount_fen": 1}, context={"dipper": {"token": signed}})
    found = desk.send("app", sent)
    assert found.only.claims == ()
    assert found.only.token is not None
    assert (found.only.token.verdict, found.only.token.jti) == ("valid", "j")
    assert signed.encode() not in found.entries[0].payload


@pytest.mark.parametrize(
    ("changes", "verdict"),
    [
        ({"exp": NOW_S - 1}, "expired"),
        ({"sub": "customer_no:2"}, "valid"),
        ({"device": "other"}, "valid"),
    ],
)
def test_a_token_for_somebody_else_proves_nothing(
    desk: Any, changes: dict[str, Any], verdict: str
) -> None:
    """The event stays good, the claim stays a claim, and the verdict is kept."""
    sent = event(
        "bill_paid", properties={"amount_fen": 1}, context={"dipper": {"token": token(**changes)}}
    )
    found = desk.send("app", sent).only
    assert found.claims == ("person",)
    assert found.token is not None
    assert found.token.verdict == verdict


def test_a_page_reports_outcomes_with_a_token(desk: Any) -> None:
    """Bound to subject and placement it is believed, and it may name the subject by itself."""
    assert desk.send("app", shown(token())).only.event == "offer_shown"
    found = desk.send("app", shown(token(), userId=None, messageId="2")).only
    assert found.subjects == {"device": "device:d-1", "person": "customer_no:10001"}
    assert found.claims == ()


@pytest.mark.parametrize(
    ("sent", "words"),
    [
        (shown(None), "needs a signed token"),
        (shown(token(exp=NOW_S - 1)), "expired"),
        (shown(token(sub="customer_no:2")), "another subject"),
        (shown(token(device="other")), "another device"),
        (shown(token(placement="other")), "another placement"),
        (shown(token(), placement=None), "another placement"),
        (shown("eyJhbGciOiJub25lIn0.e30."), "malformed"),
    ],
)
def test_an_outcome_without_a_fitting_token_fails(
    desk: Any, sent: dict[str, Any], words: str
) -> None:
    """The reason says what is wrong with the token, and the token is not kept."""
    found = desk.send("app", sent)
    assert found.only_failed.code == "not_believed"
    assert words in found.only_failed.reason
    assert "eyJ" not in found.only_failed.raw


@pytest.mark.parametrize("level", [-1, 0, 6, 2**40, "3", 2.5])
def test_an_assessment_without_a_level_from_1_to_5_fails(desk: Any, level: Any) -> None:
    """Whoever would read it would have to guess what it means."""
    properties = {"risk_level": level, "valid_until": "2027-01-01"}
    failed = desk.send("core", event("assessment_recorded", properties=properties)).only_failed
    assert (failed.code, failed.path) == ("wrong_type", "properties.risk_level")
    assert failed.reason.startswith("'risk_level' must be one of 1, 2, 3, 4, 5, got")
    properties["risk_level"] = 5
    again = event("assessment_recorded", properties=properties, messageId="right")
    assert desk.send("core", again).only.event == "assessment_recorded"
