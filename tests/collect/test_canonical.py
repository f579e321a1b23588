"""The canonical event and its hash."""

from __future__ import annotations

from typing import Any

import msgspec

from dipper.collect.canonical import (
    Stored,
    content_hash,
    encode_all,
    missing_message_id,
    recorded_hash,
)
from dipper.engine.record import EVENT_DECODER, EVENT_ENCODER, Event, TokenVerdict


def stored(**changes: Any) -> Stored:
    """An event with something in every part."""
    fields: dict[str, Any] = {
        "message_id": 'm",\\"event\\":1',
        "source": "app",
        "trust": "public",
        "time_us": 3,
        "received_us": 4,
        "sent_us": 2,
        "claims": ("person",),
        "token": TokenVerdict("valid", "server", "customer_no:1", "j"),
        "program": "p",
        "event": "bill_paid",
        "subjects": {"person": "customer_no:1"},
        "original_us": 1,
        "type": "track",
        "seq": 7,
        "scenario": "bills",
        "properties": msgspec.Raw(b'{"a":1}'),
    }
    return Stored(**{**fields, **changes})


def hashed(event: Stored) -> int:
    """The content hash of an event."""
    return content_hash(encode_all([event])[0])


def test_it_writes_the_record_that_the_log_reads() -> None:
    """`Stored` has all fields of `Event` that collection writes, and decodes into one."""
    assert set(Stored.__struct_fields__) == set(Event.__struct_fields__) - {"restates"}
    event = EVENT_DECODER.decode(encode_all([stored()])[0])
    for name in Stored.__struct_fields__:
        assert getattr(event, name) == getattr(stored(), name), name


def test_many_are_encoded_one_each() -> None:
    """A line feed in a text does not cut a payload in two."""
    events = [stored(scenario="two\nlines"), stored(scenario="\u2028 \r\n")]
    payloads = encode_all(events)
    assert [EVENT_DECODER.decode(payload).scenario for payload in payloads] == [
        "two\nlines",
        "\u2028 \r\n",
    ]
    assert encode_all([]) == []


def test_the_fields_of_the_copy_do_not_count() -> None:
    """Sent, received, program, token and message id change with a resend; the hash does not."""
    copy = stored(
        message_id="other",
        time_us=30,
        received_us=40,
        sent_us=None,
        token=None,
        program="q",
        claims=(),
        trust="server",
    )
    assert hashed(copy) == hashed(stored())


def test_everything_that_the_event_says_counts() -> None:
    """Each canonical field changes the hash."""
    same = hashed(stored())
    changes: list[dict[str, Any]] = [
        {"event": "x"},
        {"type": "page"},
        {"subjects": {"person": "customer_no:2"}},
        {"original_us": 2},
        {"seq": 8},
        {"scenario": None},
        {"channel": "app"},
        {"business_date": "2026-01-01"},
        {"properties": msgspec.Raw(b'{"a":2}')},
    ]
    hashes = {hashed(stored(**change)) for change in changes}
    assert len(hashes) == len(changes)
    assert same not in hashes


def test_a_record_gives_the_hash_again_whoever_wrote_it() -> None:
    """The index is rebuilt from records; those of other writers have another order of fields."""
    event = stored()
    (ours,) = encode_all([event])
    theirs = EVENT_ENCODER.encode(EVENT_DECODER.decode(ours))
    assert theirs != ours
    assert recorded_hash(ours, 0) == recorded_hash(theirs, 0) == content_hash(ours)
    assert recorded_hash(ours, 77) == 77


def test_an_event_without_id_gets_one_from_its_content() -> None:
    """The same event of the same source gets the same id, of another source another one."""
    assert missing_message_id(stored(received_us=99)) == missing_message_id(stored())
    assert missing_message_id(stored(source="web")) != missing_message_id(stored())
    assert missing_message_id(stored(seq=0)) != missing_message_id(stored())
