"""Purposes: what is derived, what an offer reads, what a policy ranks by."""

from __future__ import annotations

import pytest

HOSPITAL = "offer cover -> segment patients -> tag visits_90d -> event visited"


@pytest.fixture
def hospital(write):
    """A sensitive scenario with an event, a tag and a segment; all purposes can be chosen."""

    def build(
        event=("care",), tag=("care",), segment=("care",), offer=("personalised_service",), **more
    ) -> list[str]:
        return [
            write("purpose", "care", basis="consent", notice_version="1", separate_consent=True),
            write("scenario", "hospital", participant="G", domain="医疗健康", sensitive=True),
            write("event", "visited", scenario="hospital", purposes=list(event)),
            write(
                "tag",
                "visits_90d",
                purposes=list(tag),
                value={"aggregate": "count", "event": "visited", "window": "90d"},
            ),
            write("segment", "patients", purposes=list(segment), where="tag.visits_90d >= 1"),
            write(
                "offer",
                "cover",
                **{
                    "placements": ["bill_payment_result"],
                    "purposes": list(offer),
                    "eligible": "segment.patients",
                }
                | more,
            ),
        ]

    return build


def test_marketing_by_hospital_events_is_an_error_with_its_chain(found, hospital) -> None:
    """The offer never names the event, but the chain is told in full."""
    (finding,) = [one for one in found(*hospital()) if one.kind == "offer"]
    assert finding.code == "sensitive_without_separate_consent"
    assert finding.severity == "error"
    assert finding.path == ("eligible",)
    assert finding.message == (
        "offer 'cover' is made for personalised_service and reads sensitive information: "
        f"{HOSPITAL}."
    )
    assert finding.hint.endswith("the last one states care.")


def test_a_separate_consent_that_every_link_states_allows_it(codes, hospital) -> None:
    """An offer made for care may read events that may be used for care."""
    assert "sensitive_without_separate_consent" not in codes(*hospital(offer=("care",)))


def test_a_general_purpose_does_not_cover_sensitive_events(found, hospital) -> None:
    """Even where the event itself lists the purpose: a general consent is not enough."""
    wide = ("personalised_service", "care")
    findings = found(*hospital(event=wide, tag=wide, segment=wide))
    assert [one.code for one in findings] == ["sensitive_without_separate_consent"]


def test_an_event_that_states_nothing_allows_nothing_sensitive(codes, hospital, write) -> None:
    """Sensitive events have to say for what they may be used."""
    documents = hospital(offer=("care",))
    documents[2] = write("event", "visited", scenario="hospital")
    assert "sensitive_without_separate_consent" in codes(*documents)


def test_a_sensitive_property_counts_like_an_event(found, write) -> None:
    """Reading a person's sensitive attribute directly is told too."""
    illness = write("property", "illness", type="text", of="person", pi_class="C2", sensitive=True)
    offer = write(
        "offer",
        "o",
        placements=["bill_payment_result"],
        purposes=["personalised_service"],
        applicable="person.illness IS NULL",
    )
    (finding,) = found(illness, offer)
    assert finding.message.endswith("offer o -> property illness.")


def test_a_policy_that_ranks_by_sensitive_tags_is_an_error(found, hospital) -> None:
    """The ranker reads its features for every offer of its placements."""
    features = {"features: [tag.bills_paid_30d, person.age]": "features: [tag.visits_90d]"}
    findings = found(*hospital()[:-1], instead=features)
    errors = [one for one in findings if one.code == "sensitive_without_separate_consent"]
    assert [(one.kind, one.path) for one in errors] == [("policy", ("features", 0))]
    assert "policy learned -> tag visits_90d -> event visited" in errors[0].message


def test_ranking_by_what_has_another_purpose_is_a_warning(found, write) -> None:
    """The bank may want a policy of its own for such a placement."""
    care = write("purpose", "care", basis="contract", notice_version="1")
    offer = write("offer", "o", placements=["bill_payment_result"], purposes=["care"])
    (finding,) = found(care, offer)
    assert (finding.code, finding.severity) == ("feature_not_carried", "warning")
    assert "'o' (care) by what may not be used for it: tag bills_paid_30d" in finding.message


def test_a_tag_states_no_more_than_its_inputs(found, write) -> None:
    """What is derived may be used only for what all inputs may be used for."""
    other = write("purpose", "marketing", basis="consent", notice_version="1")
    tag = write(
        "tag",
        "t",
        purposes=["personalised_service", "marketing"],
        value={"aggregate": "count", "event": "bill_paid"},
    )
    (finding,) = found(other, tag)
    assert (finding.code, finding.path) == ("purpose_not_carried", ("purposes",))
    assert finding.message == (
        "tag 't' states marketing, which its input event 'bill_paid' does not carry."
    )


def test_a_tag_that_can_be_used_for_nothing_is_an_error(found, write) -> None:
    """Its purposes and its input's have nothing in common."""
    other = write("purpose", "marketing", basis="consent", notice_version="1")
    tag = write(
        "tag", "t", purposes=["marketing"], value={"aggregate": "count", "event": "bill_paid"}
    )
    (finding,) = found(other, tag)
    assert finding.code == "purpose_empty"


def test_what_restricts_nothing_passes_everything(codes, write) -> None:
    """Reserved events state no purposes: a tag over clicks is for what it says."""
    other = write("purpose", "marketing", basis="consent", notice_version="1")
    tag = write(
        "tag", "t", purposes=["marketing"], value={"aggregate": "count", "event": "offer_clicked"}
    )
    assert codes(other, tag) == []


def test_an_offer_reads_what_carries_one_of_its_purposes(found, write) -> None:
    """One in common is enough; none is an error with the chain to what restricts it."""
    other = write("purpose", "marketing", basis="consent", notice_version="1")

    def offer(*purposes: str) -> str:
        return write(
            "offer",
            "o",
            placements=["bill_payment_result"],
            purposes=list(purposes),
            eligible="segment.regular_payers",
        )

    errors = [one for one in found(other, offer("marketing")) if one.severity == "error"]
    assert [one.code for one in errors] == ["purpose_not_carried"]
    assert "offer o -> segment regular_payers" in errors[0].message
    both = found(other, offer("marketing", "personalised_service"))
    assert [one for one in both if one.severity == "error"] == []
