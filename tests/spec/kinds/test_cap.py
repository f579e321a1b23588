"""Kind `cap`."""

from __future__ import annotations


def cap(write, **fields) -> str:
    return write("cap", "c", **{"limit": 3, "window": "7d"} | fields)


def test_a_cap_of_a_line_says_which(codes, write) -> None:
    """`scope: line` without a line bounds nothing."""
    assert codes(cap(write, scope="line")) == ["cap_scope"]
    assert codes(cap(write, scope="line", line="wealth")) == []


def test_a_cap_of_all_names_no_line(codes, write) -> None:
    """A line that the scope does not read would be ignored, so it is an error."""
    assert codes(cap(write, line="wealth")) == ["cap_scope"]


def test_a_cap_of_an_offer_names_an_offer(found, write) -> None:
    """The offer is a reference."""
    (finding,) = found(cap(write, scope="offer", offer="stable_growth"))
    assert (finding.code, finding.path) == ("unknown_reference", ("offer",))


def test_a_cap_counts_contacts_only(found, write) -> None:
    """Payments are no contacts."""
    (finding,) = found(cap(write, events=["bill_paid"]))
    assert finding.message == (
        "'events[0]' expects one of offer_shown, contact_sent, got the text 'bill_paid'."
    )


def test_the_window_is_a_window(codes, write) -> None:
    """A week is 7d."""
    assert codes(cap(write, window="week")) == ["bad_window"]


def test_a_limit_is_a_number(found, write) -> None:
    """A number in quotes is a text."""
    (finding,) = found(cap(write, limit="3"))
    assert finding.message == "'limit' expects a whole number, got the text '3'."
