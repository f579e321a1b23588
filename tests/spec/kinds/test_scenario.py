"""Kind `scenario`."""

from __future__ import annotations

from dipper.spec.kinds.scenario import DOMAINS, ENGLISH, Scenario


def test_a_domain_of_ones_own_is_a_warning(found, write) -> None:
    """A bank may add a domain, but a slip is named."""
    (finding,) = found(write("scenario", "school", participant="G", domain="教肓"))
    assert (finding.code, finding.severity) == ("own_domain", "warning")


def test_a_funnel_has_two_steps_or_none(codes, write) -> None:
    """One step is no funnel."""
    document = write("scenario", "s", participant="C", domain="教育", funnel=["bill_paid"])
    assert codes(document) == ["short_funnel"]


def test_a_funnel_names_events_of_the_plan(found, write) -> None:
    """Reserved events are steps too; an unknown one is found."""
    steps = ["bill_paid", "product_opened", "billpaid"]
    (finding,) = found(write("scenario", "s", participant="C", domain="教育", funnel=steps))
    assert (finding.path, finding.hint) == (("funnel", 2), "Did you mean 'bill_paid'?")


def test_the_participant_is_one_of_four(found, write) -> None:
    """G, B, C, F and nothing else."""
    (finding,) = found(write("scenario", "s", participant="X", domain="教育"))
    assert finding.message == "'participant' expects one of G, B, C, F, got the text 'X'."


def test_every_word_of_the_classification_has_english() -> None:
    """The English surface can show each allowed word."""
    for field in ("mode", "frequency", "output", "stage"):
        annotation = str(Scenario.model_fields[field].annotation)
        words = [word for word in ENGLISH if f"'{word}'" in annotation]
        assert len(words) == annotation.count("'") // 2, field
    assert DOMAINS.keys() <= ENGLISH.keys()
