"""Kind `tag`."""

from __future__ import annotations

import pytest

from dipper.spec.kinds.tag import Tag


def tag(write, value, **fields) -> str:
    return write("tag", "t", purposes=["personalised_service"], value=value, **fields)


def test_a_tag_is_computed_in_one_way(found, write) -> None:
    """None or two ways are an error that names them."""
    (none,) = found(tag(write, {}))
    assert none.message.endswith("got none.")
    (two,) = found(tag(write, {"formula": "1", "attribute": "age"}))
    assert two.message.endswith("got formula and attribute.")


def test_an_aggregate_names_its_event(codes, write) -> None:
    """There is nothing to count without one."""
    assert codes(tag(write, {"aggregate": "count"})) == ["tag_value"]


def test_a_sum_needs_a_property(codes, write) -> None:
    """Only count does without."""
    document = tag(write, {"aggregate": "sum", "event": "bill_paid"})
    assert codes(document) == ["aggregate_without_property"]


def test_a_count_takes_no_property(found, write) -> None:
    """The hint says how to count events that have it."""
    value = {"aggregate": "count", "event": "bill_paid", "property": "biller"}
    (finding,) = found(tag(write, value))
    assert finding.code == "count_of_property"
    assert "biller IS NOT NULL" in finding.hint


def test_the_property_belongs_to_the_event(found, write) -> None:
    """An event that does not carry it would never be counted."""
    value = {"aggregate": "sum", "event": ["bill_paid", "page_viewed"], "property": "amount_fen"}
    (finding,) = found(tag(write, value))
    assert finding.code == "property_not_of_event"
    assert "page_viewed" in finding.message


def test_a_sum_is_over_numbers(codes, write) -> None:
    """Texts have no sum."""
    value = {"aggregate": "sum", "event": "bill_paid", "property": "biller"}
    assert codes(tag(write, value)) == ["aggregate_of_type"]


def test_columns_of_the_envelope_can_be_aggregated(codes, write) -> None:
    """The number of channels that a person uses is a tag."""
    value = {"aggregate": "distinct", "event": "bill_paid", "property": "channel"}
    assert codes(tag(write, value)) == []


def test_an_id_cannot_be_aggregated(codes, write) -> None:
    """Ids of people are no values."""
    value = {"aggregate": "distinct", "event": "bill_paid", "property": "person"}
    assert "unknown_reference" in codes(tag(write, value))


@pytest.mark.parametrize("window", ["30", "30 days", "0d", "d", "1y"])
def test_a_window_is_a_number_and_a_unit(found, write, window: str) -> None:
    """Anything else is an error at the window."""
    value = {"aggregate": "count", "event": "bill_paid", "window": window}
    (finding,) = found(tag(write, value))
    assert (finding.code, finding.path) == ("bad_window", ("value", "window"))


def test_a_window_in_microseconds(program) -> None:
    """30d is thirty days; no window is the whole life."""
    value = program.of(Tag)["bills_paid_30d"].value
    assert value.window_us == 30 * 86_400 * 1_000_000
    assert value.model_copy(update={"window": None}).window_us is None


def test_a_condition_is_a_condition(found, write) -> None:
    """A `where` that is a number is an error at its line."""
    value = {"aggregate": "count", "event": "bill_paid", "where": "amount_fen + 1"}
    (finding,) = found(tag(write, value))
    assert (finding.code, finding.path) == ("bad_expression", ("value", "where"))
    assert "expected bool, got int" in finding.message


def test_a_condition_reads_what_all_its_events_declare(found, write) -> None:
    """Over two events only their common properties have a meaning."""
    value = {"aggregate": "count", "event": ["bill_paid", "page_viewed"], "where": "amount_fen > 1"}
    (finding,) = found(tag(write, value))
    assert "over bill_paid, page_viewed" in finding.message
    assert "column 'amount_fen' at character 1 is not known" in finding.message


def test_a_condition_does_not_read_the_clock(found, write) -> None:
    """Whether an event counts must not depend on when it is asked."""
    value = {"aggregate": "count", "event": "bill_paid", "where": "time < now()"}
    (finding,) = found(tag(write, value))
    assert (finding.code, finding.path) == ("clock_in_condition", ("value", "where"))


def test_the_event_keeps_a_row_for_the_subject(found, write) -> None:
    """An organisation's tag over events of persons would stay empty for ever."""
    value = {"aggregate": "count", "event": "bill_paid"}
    (finding,) = found(tag(write, value, subject="organisation"))
    assert finding.code == "event_without_subject"
    assert finding.hint == "Its rows are for person."


def test_an_attribute_is_of_the_subject(codes, write) -> None:
    """A person has an age; an event's amount is nobody's attribute."""
    assert codes(tag(write, {"attribute": "age"})) == []
    assert codes(tag(write, {"attribute": "amount_fen"})) == ["attribute_of_other"]


def test_a_formula_reads_tags_and_attributes(codes, write) -> None:
    """Formulas are typed over other tags."""
    assert codes(tag(write, {"formula": "tag.bills_paid_30d * 2 + person.age"})) == []


def test_a_default_has_the_type_of_the_tag(codes, write) -> None:
    """A text is no default of a count."""
    value = {"aggregate": "count", "event": "bill_paid"}
    assert codes(tag(write, value, default="none")) == ["default_of_type"]
    assert codes(tag(write, value, default=1)) == []
    assert codes(tag(write, {"formula": "person.age / 2"}, default=0.5)) == []


def test_fields_of_an_aggregate_mean_nothing_elsewhere(codes, write) -> None:
    """A window on a formula would be ignored, so it is an error."""
    assert codes(tag(write, {"formula": "person.age", "window": "30d"})) == ["tag_value"]
