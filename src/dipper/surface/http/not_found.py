"""What the data plane says to a path that it does not have."""

from __future__ import annotations

import msgspec

from dipper.collect.dialects.reply import Reply

NOT_FOUND = Reply(
    404,
    msgspec.json.encode(
        {
            "type": "urn:dipper:error:not_found",
            "title": "not found",
            "status": 404,
            "detail": "no such route on the data plane.",
            "code": "not_found",
            "hint": "Collection is /v1/batch, decisions are /v1/decide.",
        }
    ),
    b"application/problem+json",
)
