"""Kind `offer`."""

from __future__ import annotations


def offer(write, name: str = "o", **fields) -> str:
    return write(
        "offer",
        name,
        **{"placements": ["bill_payment_result"], "purposes": ["personalised_service"]} | fields,
    )


def test_the_product_is_a_row_of_the_product_table(found, write) -> None:
    """An unknown product names the closest row."""
    (finding,) = found(offer(write, product="wealth.stable_grow"))
    assert (finding.code, finding.path) == ("unknown_product", ("product",))
    assert finding.hint == "Did you mean 'wealth.stable_growth'?"


def test_a_service_needs_no_product(codes, write) -> None:
    """A parking coupon is an offer too."""
    assert codes(offer(write)) == []


def test_a_product_that_needs_suitability_has_a_risk_level(codes, write) -> None:
    """Without one the gate could only ever say no."""
    assert codes(offer(write, product="fund.unrated")) == ["product_without_risk"]
    assert codes(offer(write, product="deposit.term_1y")) == []


def test_suitable_cannot_widen(found, write) -> None:
    """`suitable: TRUE` is ANDed to the built-in check; it says so."""
    (finding,) = found(offer(write, product="wealth.stable_growth", suitable="TRUE"))
    assert (finding.code, finding.severity) == ("suitable_only_narrows", "warning")
    narrower = offer(write, product="wealth.stable_growth", suitable="product.risk_issuer < 2")
    assert found(narrower) == []


def test_an_offer_is_for_one_kind_of_subject(codes, write) -> None:
    """Its conditions read one subject."""
    till = write(
        "placement",
        "till",
        scenario="bill_payment",
        channel="till",
        policy="other",
        subject="organisation",
    )
    policy = write("policy", "other", ranker="random")
    both = offer(write, placements=["bill_payment_result", "till"])
    assert codes(till, policy, both) == ["placements_of_two_subjects"]


def test_a_placebo_sells_nothing(codes, write) -> None:
    """Otherwise its interval would not hold zero."""
    assert codes(offer(write, placebo=True, value_fen=100)) == ["placebo_with_effect"]


def test_conditions_are_typed_in_the_scope_of_the_offer(found, write) -> None:
    """Product and context can be read; the field of a mistake is named."""
    good = offer(write, eligible="product.minimum_fen <= 100 OR context.biller = 'gas'")
    assert found(good) == []
    (finding,) = found(offer(write, applicable="person.agee > 1"))
    assert (finding.path, finding.hint) == (("applicable",), "Did you mean 'person.age'?")


def test_an_offer_stands_somewhere_for_something(found, write) -> None:
    """Without placements or purposes it is no offer."""
    findings = found(offer(write, placements=[], purposes=None))
    assert [(one.code, one.path) for one in findings] == [
        ("empty", ("placements",)),
        ("missing_field", ("purposes",)),
    ]
