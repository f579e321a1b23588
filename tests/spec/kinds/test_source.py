"""Kind `source`."""

from __future__ import annotations


def test_an_unknown_dialect_is_found(found, write) -> None:
    """The known ones are listed and the closest is named."""
    (finding,) = found(write("source", "page", trust="public", dialect="segmnt"))
    assert finding.code == "unknown_dialect"
    assert finding.hint == "Did you mean 'segment'?"


def test_a_renamed_event_exists(found, write) -> None:
    """`rename` leads to an event of the plan."""
    (finding,) = found(write("source", "page", trust="public", rename={"Paid": "bill_pad"}))
    assert (finding.code, finding.path) == ("unknown_reference", ("rename", "Paid"))
    assert "tracking plan" in finding.message


def test_only_public_sources_claim(codes, write) -> None:
    """What a server says about ids is no claim, so `claims` there means nothing."""
    assert codes(write("source", "back", trust="server", claims="tags")) == ["claims_of_trusted"]


def test_a_browser_holds_no_trusted_key(codes, write) -> None:
    """Origins are for pages, and pages are public."""
    document = write("source", "back", trust="server", origins=["https://a.example"])
    assert codes(document) == ["origins_of_trusted"]


def test_an_origin_is_scheme_and_host(codes, write) -> None:
    """A path or a bare host is no origin; `*` is allowed."""
    document = write("source", "page", trust="public", origins=["*", "a.example", "https://a/x"])
    assert codes(document) == ["bad_origin", "bad_origin"]
