"""Segment's HTTP Tracking API."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dipper.collect.dialects import segment
from dipper.collect.dialects.reply import Unparseable
from dipper.collect.incoming import Incoming, Unreadable, columns_of
from dipper.kit.limits import SEGMENT_BODY_MAX

NOW_US = 1_795_499_640_000_000


def items(body: bytes | str) -> list[Any]:
    """The items of a batch body."""
    raw = body.encode() if isinstance(body, str) else body
    return list(segment.read(raw, None).batch.items)


def test_all_routes_have_their_short_path() -> None:
    """The browser SDK sends to single letters."""
    assert segment.ROUTES["/v1/batch"] is segment.ROUTES["/v1/b"] is None
    for path, kind in (("t", "track"), ("i", "identify"), ("p", "page"), ("s", "screen")):
        assert segment.ROUTES[f"/v1/{path}"] == segment.ROUTES[f"/v1/{kind}"] == kind
    assert segment.ROUTES["/v1/g"] == "group"
    assert segment.ROUTES["/v1/a"] == "alias"
    assert segment.BODY_MAX == SEGMENT_BODY_MAX


def test_a_batch_keeps_its_order_its_key_and_its_sending_time() -> None:
    """And gives the text of an item when asked."""
    body = json.dumps(
        {
            "batch": [{"type": "track", "event": name} for name in "abc"],
            "sentAt": "2026-11-24T05:45:55Z",
            "writeKey": "wk",
        }
    ).encode()
    request = segment.read(body, None)
    assert request.write_key == "wk"
    assert request.batch.sent == "2026-11-24T05:45:55Z"
    assert [item.event for item in request.batch.items if isinstance(item, Incoming)] == [*"abc"]
    assert json.loads(request.batch.raw(1)) == {"type": "track", "event": "b"}


def test_a_single_event_is_of_the_type_of_its_route() -> None:
    """Whatever its body says."""
    request = segment.read(b'{"userId":"1","type":"page","writeKey":"wk","event":"x"}', "track")
    (item,) = request.batch.items
    assert isinstance(item, Incoming)
    assert (item.type, item.user_id, request.write_key) == ("track", "1", "wk")
    (odd,) = segment.read(b'{"type":"odd","event":"x"}', "track").batch.items
    assert isinstance(odd, Incoming)


def test_a_bom_is_no_part_of_json() -> None:
    """Some servers put one before the body."""
    assert len(items(b'\xef\xbb\xbf{"batch":[{}]}')) == 1


def test_the_context_of_a_batch_counts_for_each_event() -> None:
    """What an event says itself wins, key by key inside `dipper`."""
    shared = '{"dipper":{"scenario":"s","channel":"c"},"traits":{"a":1}}'
    own = '{"event":"x","context":{"dipper":{"channel":"own"},"traits":{"b":2}}}'
    for broken in ("", ',{"event":5}'):
        body = f'{{"context":{shared},"batch":[{{"event":"x"}},{own}{broken}]}}'
        plain, mixed = items(body)[:2]
        assert (columns_of(plain).scenario, columns_of(plain).channel) == ("s", "c")
        assert (columns_of(mixed).scenario, columns_of(mixed).channel) == ("s", "own")
        assert bytes(plain.context.traits) == b'{"a":1}'
        assert bytes(mixed.context.traits) == b'{"b":2}'


@pytest.mark.parametrize(
    "bad", ["5", '"x"', "null", "[]", '{"event":5}', '{"event":"\\ud800"}', '{"properties":NaN}']
)
def test_one_bad_event_does_not_fail_its_batch(bad: str) -> None:
    """It is unreadable by itself, with a code, a reason and its text."""
    good, unreadable, also_good = items(f'{{"batch":[{{"event":"a"}},{bad},{{"event":"b"}}]}}')
    assert (good.event, also_good.event) == ("a", "b")
    assert isinstance(unreadable, Unreadable)
    assert unreadable.code in ("bad_envelope", "bad_text", "bad_number")
    assert unreadable.reason
    assert unreadable.raw


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"5",
        b'"x"',
        b"{}",
        b'{"batch":{}}',
        b'{"batch":[{"event":"a"}',
        b"\x00\x01",
        b"event=x&userId=1",
        b"[" * 100_000,
        b'{"batch":[' + b"[" * 100_000,
    ],
)
def test_what_is_no_batch_in_any_reading_is_refused(body: bytes) -> None:
    """No JSON, no object, no list of events."""
    with pytest.raises(Unparseable):
        segment.read(body, None)


def test_errors_have_the_form_that_clients_parse() -> None:
    """`{code, message}`, and success is `{"success":true}`."""
    reply = segment.refuse(401, "unauthenticated", "unknown write key")
    assert (reply.status, json.loads(reply.body)) == (
        401,
        {"code": "unauthenticated", "message": "unknown write key"},
    )
    assert json.loads(segment.SUCCESS.body) == {"success": True}


def test_the_settings_document_names_the_key(sources: Any) -> None:
    """With it the browser SDK sends to us and to nobody else."""
    document = json.loads(segment.settings(sources.by_key("wk_app"), "wk_app"))
    assert document["integrations"]["Segment.io"]["apiKey"] == "wk_app"
    assert set(document["integrations"]) == {"Segment.io"}


def data(path: str) -> Path:
    """A file of the recorded data, or a skip that says why."""
    beside = Path(__file__).parents[4] / "shared" / "data"
    found = Path(os.environ.get("DIPPER_TEST_DATA", beside)) / path
    if not found.exists():
        pytest.skip(f"{found} is not there (set DIPPER_TEST_DATA)")
    return found


def test_the_payloads_of_the_published_spec_are_accepted(new_desk: Callable[..., Any]) -> None:
    """All of them that have a type and an id, each by its own route and in a batch."""
    examples = json.loads(data("oracle_segment_spec/examples.json").read_text("utf-8"))
    payloads = [
        found["payload"]
        for found in examples
        if isinstance(found.get("payload"), dict)
        and "type" in found["payload"]
        and {"userId", "anonymousId"} & found["payload"].keys()
    ]
    assert len(payloads) == 33
    for payload in payloads:
        # A page may not alias; the examples share message ids, so each has a collector of its own.
        desk = new_desk()
        source = "server" if payload["type"] == "alias" else "open_app"
        name = {"event": "order_completed"} if source == "server" else {}
        body = json.dumps(payload | name).encode()
        batch = segment.read(body, payload["type"]).batch
        found = desk.collector.collect(desk.source(source), batch, NOW_US)
        assert found.counts[source] == (1, 0, 0, 0), found.entries
        again = desk.send(source, payload | name, now_us=NOW_US)
        assert again.counts == (0, 0, 1, 0), (found.entries, again.entries)


@pytest.mark.parametrize("name", ["wire-python.jsonl", "wire-node.jsonl"])
def test_recorded_requests_of_real_sdks_are_read(desk: Any, name: str) -> None:
    """Python and Node, of Segment and RudderStack: every event is good."""
    lines = data(f"wire_captures/{name}").read_text("utf-8").splitlines()
    seen = 0
    for request in map(json.loads, lines):
        route = segment.ROUTES.get(request["path"], ...)
        if request["m"] != "POST" or route is ...:
            continue
        batch = segment.read(request["body"].encode(), route).batch
        found = desk.collector.collect(desk.source("open_app"), batch, NOW_US)
        counts = found.counts["open_app"]
        assert counts.good == counts.received == len(batch.items), found.entries
        seen += counts.good
    assert seen
