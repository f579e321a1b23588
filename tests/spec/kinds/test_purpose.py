"""Kind `purpose`."""

from __future__ import annotations

from dipper.spec.kinds.purpose import Purpose


def test_a_separate_consent_is_a_consent(codes, write) -> None:
    """A purpose that rests on a contract has no consent that could be separate."""
    document = write(
        "purpose", "delivery", basis="contract", notice_version="1", separate_consent=True
    )
    assert codes(document) == ["basis_without_consent"]


def test_receivers_want_a_separate_consent(codes, write) -> None:
    """Giving data to another handler under a general consent is a warning."""
    document = write("purpose", "sharing", basis="consent", notice_version="1", receivers=["x"])
    assert codes(document) == ["receivers_need_separate_consent"]


def test_sensitive_data_need_a_separate_consent_or_no_consent_at_all(program) -> None:
    """A general consent does not cover them; a contract and a legal duty do."""
    plain = program.of(Purpose)["personalised_service"]
    assert not plain.covers_sensitive
    assert plain.model_copy(update={"separate_consent": True}).covers_sensitive
    assert plain.model_copy(update={"basis": "contract"}).covers_sensitive
    assert not plain.model_copy(update={"basis": "legitimate_interest"}).covers_sensitive


def test_an_unknown_purpose_is_found_where_it_is_named(found) -> None:
    """The finding stands at the entry of the list and knows the closest name."""
    found_now = found(
        instead={"purposes: [personalised_service]\nvalue": "purposes: [personal]\nvalue"}
    )
    assert ("unknown_reference", ("purposes", 0)) in [(f.code, f.path) for f in found_now]
