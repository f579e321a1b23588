"""Kind `segment`."""

from __future__ import annotations


def segment(write, where: str, **fields) -> str:
    return write("segment", "s", purposes=["personalised_service"], where=where, **fields)


def test_a_segment_is_a_condition(found, write) -> None:
    """A number is no condition."""
    (finding,) = found(segment(write, "tag.bills_paid_30d + 1"))
    assert (finding.code, finding.path) == ("bad_expression", ("where",))


def test_a_misspelt_tag_is_found_with_the_closest(found, write) -> None:
    """The expression's own finding knows the names in scope."""
    (finding,) = found(segment(write, "tag.bills_payed_30d > 1"))
    assert "column 'tag.bills_payed_30d'" in finding.message
    assert finding.hint == "Did you mean 'tag.bills_paid_30d'?"


def test_a_segment_of_organisations_reads_no_tag_of_persons(found, write) -> None:
    """The finding says whose tag it is instead of calling it unknown."""
    (finding,) = found(segment(write, "tag.bills_paid_30d > 1", subject="organisation"))
    assert finding.code == "other_subject"
    assert "is about person, but segment 's' is about organisation" in finding.message


def test_segments_read_segments_and_holdings(codes, write) -> None:
    """Segments combine, and holdings of products that exist can be asked."""
    text = "segment.regular_payers AND NOT holds('wealth.stable_growth') AND now() IS NOT NULL"
    assert codes(segment(write, text)) == []


def test_a_held_product_exists(found, write) -> None:
    """A text inside `holds` is checked against the product table."""
    (finding,) = found(segment(write, "holds('wealth.stable_grwth')"))
    assert finding.code == "unknown_product"
    assert finding.hint == "Did you mean 'wealth.stable_growth'?"


def test_a_held_line_exists(codes, write) -> None:
    """So is a line inside `holds_line`."""
    assert codes(segment(write, "holds_line('wealth')")) == []
    assert codes(segment(write, "holds_line('welth')")) == ["unknown_product"]
