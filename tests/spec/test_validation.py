"""From plain documents to specs or findings in our words."""

from __future__ import annotations

import pytest

from dipper.spec.kinds.cap import Cap
from dipper.spec.kinds.tag import Tag
from dipper.spec.validation import validate

HEAD = {
    "name": "t",
    "title": {"zh": "标题", "en": "title"},
    "owners": {"business": "b", "technical": "t", "managing": "m"},
}
TAG = {**HEAD, "purposes": ["p"], "value": {"aggregate": "count", "event": "e"}}


def said(**fields: object) -> dict[str, str]:
    """code -> text of all findings of a tag with these fields."""
    _, found = validate(Tag, {**TAG, **fields})
    return {one.code: f"{one.message} {one.hint}".strip() for one in found}


def test_a_good_document_becomes_a_frozen_spec() -> None:
    """The spec has the fields, and they cannot be changed."""
    spec, found = validate(Tag, TAG)
    assert not found
    assert isinstance(spec, Tag)
    assert spec.value.events == ("e",)
    with pytest.raises(Exception, match="frozen"):
        spec.name = "other"


def test_all_mistakes_are_told_at_once() -> None:
    """Four fields are wrong, four findings come."""
    assert set(said(title={"zh": "标题"}, purpses=[], subject="persn", default=[])) == {
        "missing_field",
        "unknown_field",
        "bad_value",
        "wrong_type",
    }


def test_an_unknown_field_names_the_closest() -> None:
    """At every depth."""
    assert said(purpses=[])["unknown_field"] == (
        "a tag has no field 'purpses'. Did you mean 'purposes'?"
    )
    assert said(value={"agregate": "count"})["unknown_field"] == (
        "'value' of a tag has no field 'agregate'. Did you mean 'aggregate'?"
    )


def test_a_field_like_no_other_lists_the_fields() -> None:
    """Without a close word the hint says what there is."""
    assert said(title={"zh": "一", "en": "one", "qqq": "x"})["unknown_field"] == (
        "'title' of a tag has no field 'qqq'. The fields are zh, en."
    )


def test_missing_owners_have_their_own_words() -> None:
    """Who answers for it is asked for by role."""
    assert said(owners={"business": "b", "technical": "t"})["missing_owner"].startswith(
        "tag 't' has no managing owner."
    )
    _, found = validate(Tag, {key: value for key, value in TAG.items() if key != "owners"})
    assert [one.message for one in found] == ["tag 't' has no owners."]


def test_a_number_where_a_text_belongs_wants_quotes() -> None:
    """YAML reads 3 as a number."""
    document = {**HEAD, "scope": "line", "line": 3, "limit": 1, "window": "7d"}
    _, (finding,) = validate(Cap, document)
    assert finding.message == "'line' expects text, got 3."
    assert finding.hint == "Put it in quotes."


def test_types_are_never_converted() -> None:
    """True is no number, 3.0 no whole one."""
    for value, shown in [(True, "true"), (3.5, "3.5"), ([], "a list"), (None, "nothing")]:
        _, (finding,) = validate(Cap, {**HEAD, "limit": value, "window": "7d"})
        assert finding.message == f"'limit' expects a whole number, got {shown}."


def test_a_union_is_told_as_one_expectation() -> None:
    """A field that may be a name or a list says so, and a bad item is told as an item."""
    assert said(value={"aggregate": "count", "event": 7})["wrong_type"] == (
        "'value.event' expects text or a list, got 7. Put it in quotes."
    )
    assert said(value={"aggregate": "count", "event": ["a", 7]})["wrong_type"] == (
        "'value.event[1]' expects text, got 7. Put it in quotes."
    )
    assert said(value={"aggregate": "count", "event": "Bad Name"})["bad_name"] == (
        "'value.event' expects a snake_case name, got the text 'Bad Name'."
    )


def test_a_version_that_nobody_knows_is_a_finding() -> None:
    """A document of a newer release is not guessed at."""
    assert said(version=2)["unknown_version"] == (
        "tag 't' has version 2, this release knows 1 to 1. "
        "Use the release that wrote it, or a newer one."
    )
    assert validate(Tag, {**TAG, "version": 1})[0] is not None


def test_an_older_version_is_brought_up_to_date() -> None:
    """A kind's upgrades are applied one after the other to the document."""

    class Newer(Tag):
        version = 3
        upgrades = (
            lambda document: {**document, "purposes": document["for"], "for": None},
            lambda document: {key: value for key, value in document.items() if key != "for"},
        )

    old = {**{key: value for key, value in TAG.items() if key != "purposes"}, "for": ["p"]}
    spec, found = validate(Newer, old)
    assert not found
    assert spec is not None
    assert spec.purposes == ("p",)
    assert validate(Newer, {**TAG, "version": 3})[0] is not None
    assert spec.document()["version"] == 3
