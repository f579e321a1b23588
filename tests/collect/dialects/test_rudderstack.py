"""RudderStack's dialect."""

from __future__ import annotations

import json
from typing import Any

from dipper.collect.dialects import rudderstack


def test_its_replies_are_text() -> None:
    """Its clients take only `200 OK` and log these words."""
    assert rudderstack.SUCCESS[:2] == (200, b"OK")
    assert rudderstack.refuse(401, "unauthenticated", "x").body == b"invalid write key"
    assert rudderstack.refuse(413, "x", "y").body == b"request size exceeds max limit"
    assert rudderstack.refuse(400, "x", "the body is no JSON").body == b"the body is no JSON"


def test_traits_of_identify_stand_in_the_context(desk: Any) -> None:
    """And each event brings its own times."""
    event = {
        "type": "identify",
        "userId": "1",
        "messageId": "m",
        "originalTimestamp": "2026-11-24T05:45:55.000Z",
        "sentAt": "2026-11-24T05:45:55.500Z",
        "timestamp": "2026-11-24T05:40:00.000Z",
        "context": {"traits": {"age": 7}},
        "channel": "server",
    }
    body = json.dumps({"batch": [event], "sentAt": "2026-11-24T05:45:56Z"}).encode()
    request = rudderstack.read(body, None)
    now_us = 1_795_499_156_000_000
    found = desk.collector.collect(desk.source("web"), request.batch, now_us)
    ((_, payload),) = found.entries
    stored = json.loads(payload)
    assert stored["properties"] == {"age": 7}
    assert stored["original_us"] == 1_795_499_155_000_000
    assert stored["sent_us"] == 1_795_499_155_500_000


def test_the_source_config_names_the_source(sources: Any) -> None:
    """Enabled, with no destinations to load."""
    document = json.loads(rudderstack.settings(sources.by_key("wk_web"), "wk_web"))
    assert document["source"]["writeKey"] == "wk_web"
    assert document["source"]["enabled"] is True
    assert document["source"]["destinations"] == []
