"""A connection of the data plane: a request whose head does not end is cut off without a reply.

uvicorn closes a kept connection that says nothing, but waits forever for one that has not asked
yet, or that sends a header byte now and then. A few thousand of those would leave no room for
anybody else. (`body` watches what comes behind the head.)
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD_MAX_S = 30.0
HEAD_MAX = 64 * 1024


class Connection(HttpToolsProtocol):
    """Gives each request `head_max_s` for its head and at most 64 KB of it."""

    def __init__(self, *args: Any, head_max_s: float = HEAD_MAX_S, **options: Any) -> None:
        super().__init__(*args, **options)
        self._head_max_s = head_max_s
        self._is_in_head = self._is_in_body = False
        self._head_size = 0
        self._deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._set_deadline()

    def connection_lost(self, exc: Exception | None) -> None:
        self._lift_deadline()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        # Whoever is not being served owes a head, whatever else it sends: also the rest of a body
        # that was answered already.
        if self._is_in_head or self.cycle is None or self.cycle.response_complete:
            self._head_size += 0 if self._is_in_body else len(data)
            if self._head_size > HEAD_MAX:
                self.transport.abort()
            elif self._deadline is None and not self.transport.is_closing():
                self._set_deadline()

    def on_message_begin(self) -> None:
        self._is_in_head = True
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._is_in_head, self._is_in_body = False, True
        self._head_size = 0
        self._lift_deadline()
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._is_in_body = False
        super().on_message_complete()

    def _set_deadline(self) -> None:
        self._deadline = self.loop.call_later(self._head_max_s, self.transport.abort)

    def _lift_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None


def data_plane(app: Any, head_max_s: float = HEAD_MAX_S) -> uvicorn.Config:
    """How uvicorn serves the ASGI application of the data plane."""
    return uvicorn.Config(
        app,
        interface="asgi3",
        proxy_headers=False,
        http=partial(Connection, head_max_s=head_max_s),  # type: ignore[arg-type]
        lifespan="off",
        access_log=False,
        log_config=None,
        server_header=False,
        date_header=False,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=8,
        backlog=2048,
    )
