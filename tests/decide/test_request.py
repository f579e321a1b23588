"""What callers send to decide and outcomes, and how they are told what is wrong with it."""

from __future__ import annotations

import msgspec
import pytest

from dipper.decide.request import Reply, read_decide, read_outcome
from dipper.kit.errors import BadInput, TooLarge
from dipper.kit.limits import DECIDE_BODY_MAX


def test_small_request() -> None:
    """Placement and ids are enough; the rest has defaults."""
    request = read_decide(b'{"placement": "result", "ids": {"customer_no": "C1"}}')
    assert (request.placement, request.ids, request.context) == (
        "result",
        {"customer_no": "C1"},
        {},
    )
    assert (request.limit, request.personalised) == (None, True)


@pytest.mark.parametrize(
    ("body", "where", "what"),
    [
        (b"{", "body", "JSON"),
        (b"[]", "body", "expected `object`, got `array`"),
        (b'{"ids": {"customer_no": "1"}}', "body.placement", "missing required field"),
        (b'{"placement": 7, "ids": {"a": "1"}}', "body.placement", "expected `str`, got `int`"),
        (b'{"placement": "p", "ids": {}}', "body.ids", "length >= 1"),
        (b'{"placement": "p", "ids": {"a": 1}}', "body.ids[...]", "expected `str`, got `int`"),
        (b'{"placement": "p", "ids": {"a": "1"}, "limit": 0}', "body.limit", ">= 1"),
        (b'{"placement": "p", "ids": {"a": "1"}, "limit": 51}', "body.limit", "<= 50"),
        (b'{"placement": "p", "ids": {"a": "1"}, "context": {"x": [1]}}', "body.context[...]", ""),
        (
            b'{"placement": "p", "ids": {"a": "1"}, "context": {"x": 1e400}}',
            "body.context[...]",
            "",
        ),
        (b'{"placement": "p", "ids": {"a": "\xff"}}', "body", ""),
    ],
)
def test_bad_body(body: bytes, where: str, what: str) -> None:
    """Whatever is wrong is told with its place and what was expected."""
    with pytest.raises(BadInput) as caught:
        read_decide(body)
    assert caught.value.where == where
    assert what in caught.value.message


def test_unknown_field() -> None:
    """A field that there is not is named, with the one that was probably meant."""
    with pytest.raises(BadInput) as caught:
        read_decide(b'{"placement": "p", "ids": {"a": "1"}, "limits": 2}')
    assert (caught.value.where, caught.value.hint) == ("body.limits", "Did you mean 'limit'?")


def test_number_beyond_int64() -> None:
    """An integer that no property can hold is refused, not rounded."""
    with pytest.raises(BadInput):
        read_decide(b'{"placement": "p", "ids": {"a": "1"}, "context": {"x": %d}}' % 2**63)


def test_large_body() -> None:
    """A body above the limit is told its size without being read."""
    with pytest.raises(TooLarge, match="64,000"):
        read_decide(b" " * (DECIDE_BODY_MAX + 1))


def test_outcome() -> None:
    """An outcome names decision, offer and what happened, one of three."""
    found = read_outcome(b'{"decision_id": "d", "offer": "o", "outcome": "clicked"}')
    assert (found.decision_id, found.offer, found.outcome) == ("d", "o", "clicked")
    with pytest.raises(BadInput) as caught:
        read_outcome(b'{"decision_id": "d", "offer": "o", "outcome": "opened"}')
    assert caught.value.where == "body.outcome"


def test_empty_answer() -> None:
    """An answer without offers says so: `offers` is always there."""
    reply = Reply(
        decision_id="d", subject="s", placement="p", arm="control", program="h", offers=()
    )
    assert msgspec.json.decode(msgspec.json.encode(reply))["offers"] == []
