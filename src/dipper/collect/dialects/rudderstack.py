"""RudderStack's HTTP API: Segment's requests with replies and limits of its own.

Its clients take only 200 for success, read replies as text, and put traits of `identify` into the
context.
"""

from __future__ import annotations

import msgspec

from dipper.collect.dialects import segment
from dipper.collect.dialects.reply import Reply
from dipper.collect.sources import Source

NAME = "rudderstack"
BODY_MAX = 4_000_000
EVENT_MAX = 32_768
BATCH_MAX = 10_000
ROUTES = segment.ROUTES
SUCCESS = Reply(200, b"OK", b"text/plain; charset=utf-8")

_WORDS = {401: "invalid write key", 413: "request size exceeds max limit"}

read = segment.read
read_event = segment.read_event


def refuse(status: int, code: str, message: str) -> Reply:
    """The words that its clients log."""
    words = _WORDS.get(status, message)
    return Reply(status, words.encode(), b"text/plain; charset=utf-8")


def settings(source: Source, write_key: str) -> bytes:
    """The document of `GET /sourceConfig`, with which its browser SDK sends."""
    silent = {"enabled": False}
    return msgspec.json.encode(
        {
            "source": {
                "id": source.name,
                "name": source.name,
                "writeKey": write_key,
                "config": {"statsCollection": {"errors": silent, "metrics": silent}},
                "enabled": True,
                "workspaceId": "dipper",
                "destinations": [],
                "connections": [],
                "dataplanes": {},
            },
            "updatedAt": "2026-01-01T00:00:00.000Z",
        }
    )
