"""The documents that browser SDKs fetch before they send anything."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qs

from dipper.collect.dialects import rudderstack, segment
from dipper.collect.dialects.reply import Dialect, Reply
from dipper.collect.sources import Sources
from dipper.surface.http.body import Send
from dipper.surface.http.head import Head, basic_key, read_head
from dipper.surface.http.replies import send_preflight, send_reply

_SETTINGS = re.compile(r"/v1/projects/([^/]+)/settings")
_SOURCE_CONFIG = ("/sourceConfig", "/sourceConfig/")
NO_KEY = "unknown write key"


class SdkSettings:
    """Answers for the sources that are served now."""

    def __init__(self, sources: Callable[[], Sources], dialects: Mapping[str, Dialect]) -> None:
        self._sources = sources
        self._dialects = dialects

    async def handle(self, scope: Mapping[str, Any], send: Send) -> bool:
        """Answer a request of this part; False when it is another part's."""
        path = scope["path"]
        found = _SETTINGS.fullmatch(path)
        if not found and path not in _SOURCE_CONFIG:
            return False
        head = read_head(scope["headers"])
        if scope["method"] == "OPTIONS":
            await send_preflight(send, head.origin, head.requested)
            return True
        dialect: Dialect = self._dialects[segment.NAME if found else rudderstack.NAME]
        key = found[1] if found else _key_of_config(head, scope["query_string"])
        source = self._sources().by_key(key)
        if source is None:
            reply = dialect.refuse(401, "unauthenticated", NO_KEY)
        else:
            reply = Reply(200, dialect.settings(source, key))
        await send_reply(send, reply, head.origin)
        return True


def _key_of_config(head: Head, query: bytes) -> str:
    if head.authorization:
        return basic_key(head.authorization)
    return parse_qs(query.decode("latin-1")).get("writeKey", [""])[0]
