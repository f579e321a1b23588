"""A connection of the data plane: a request whose head does not end is cut off without a reply.

uvicorn closes a kept connection that says nothing, but waits forever for one that has not asked
yet, or that sends a header byte now and then. A few thousand of those would leave no room for
anybody else. (`body` watches what comes behind the head.)

Requests of collection do not go through ASGI, whose task, events and messages cost more than what
is done with an event: their bodies are gathered here and handed over whole (ADR 0020).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from functools import partial
from typing import Any, Protocol

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from dipper.collect.dialects.reply import Reply
from dipper.surface.http.body import Bodies
from dipper.surface.http.replies import message

HEAD_MAX_S = 30.0
HEAD_MAX = 64 * 1024
_FAULT = Reply(500, b"Internal Server Error", b"text/plain; charset=utf-8")


class Taker(Protocol):
    """Takes whole requests (`collection.Collection`)."""

    bodies: Bodies

    def expect(self, url: bytes, headers: Iterable[tuple[bytes, bytes]]) -> Any:
        """What a POST with this head may become; None for one that ASGI must serve."""

    def take(
        self, expected: Any, body: bytes, answer: Callable[[Reply], None]
    ) -> Coroutine[Any, Any, None] | None:
        """Take the body; gives what must be awaited, if anything, before `answer` is called."""


class _Whole:
    """A request that is handed over whole. What uvicorn asks of a request is here too."""

    __slots__ = ("disconnected", "expected", "keep_alive", "parts", "response_complete")

    def __init__(self, expected: Any, keep_alive: bool) -> None:
        self.expected = expected
        self.keep_alive = keep_alive
        self.parts: list[bytes] = []
        self.response_complete = self.disconnected = False

    @property
    def message_event(self) -> _Whole:
        return self

    def set(self) -> None:
        """Nobody waits for a part of it."""


class Connection(HttpToolsProtocol):
    """Gives each request `head_max_s` for its head and at most 64 KB of it."""

    def __init__(
        self,
        *args: Any,
        head_max_s: float = HEAD_MAX_S,
        taker: Taker | None = None,
        **options: Any,
    ) -> None:
        super().__init__(*args, **options)
        self._head_max_s = head_max_s
        self._taker = taker
        self._whole: _Whole | None = None
        self._is_in_head = self._is_in_body = False
        self._head_size = 0
        self._deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._set_deadline()

    def connection_lost(self, exc: Exception | None) -> None:
        self._lift_deadline()
        if self._whole is not None and self._taker is not None:
            self._taker.bodies.forget(self)
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
        elif self._whole is not None and self._taker is not None:
            self._taker.bodies.watch(self)

    def on_message_begin(self) -> None:
        self._is_in_head = True
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._is_in_head, self._is_in_body = False, True
        self._head_size = 0
        self._lift_deadline()
        expected = self._expected()
        if expected is None:
            super().on_headers_complete()
        else:
            self._whole = _Whole(expected, self.parser.should_keep_alive())
            self.cycle = self._whole  # type: ignore[assignment]

    def on_body(self, body: bytes) -> None:
        if self._whole is None:
            super().on_body(body)
        else:
            self._whole.parts.append(body)

    def on_message_complete(self) -> None:
        self._is_in_body = False
        if self._whole is None:
            super().on_message_complete()
        else:
            self._hand_over(self._whole)

    def _expected(self) -> Any:
        """What a request may become whose head is read; None where ASGI must serve it.

        That is also so while another one is answered, which it must wait for, and where a client
        does not read its replies.
        """
        if (
            self._taker is None
            or self.expect_100_continue
            or self.flow.write_paused
            or (self.cycle is not None and not self.cycle.response_complete)
            or self.parser.get_method() != b"POST"
            or self.parser.get_http_version() != "1.1"
            or self.parser.should_upgrade()
        ):
            return None
        return self._taker.expect(self.url, self.headers)

    def _hand_over(self, whole: _Whole) -> None:
        assert self._taker is not None
        self._whole = None
        self._taker.bodies.forget(self)
        answer = partial(self._answer, whole)
        try:
            more = self._taker.take(whole.expected, b"".join(whole.parts), answer)
        except Exception as error:
            self._fail(whole, error)
            return
        if more is not None:
            task = self.loop.create_task(self._finish(whole, more))
            task.add_done_callback(self.tasks.discard)
            self.tasks.add(task)

    async def _finish(self, whole: _Whole, more: Coroutine[Any, Any, None]) -> None:
        try:
            await more
        except Exception as error:
            self._fail(whole, error)

    def _fail(self, whole: _Whole, error: Exception) -> None:
        """A fault of ours, answered as uvicorn answers one."""
        self.logger.error("Exception in collection\n", exc_info=error)
        whole.keep_alive = False
        self._answer(whole, _FAULT)

    def _answer(self, whole: _Whole, reply: Reply) -> None:
        if whole.response_complete or self.transport.is_closing():
            return
        whole.response_complete = True
        self.transport.write(message(reply, whole.expected.head.origin, not whole.keep_alive))
        if not whole.keep_alive:
            self.transport.close()
        self.on_response_complete()

    def _set_deadline(self) -> None:
        self._deadline = self.loop.call_later(self._head_max_s, self.transport.abort)

    def _lift_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None


def data_plane(
    app: Any, head_max_s: float = HEAD_MAX_S, *, taker: Taker | None = None
) -> uvicorn.Config:
    """How uvicorn serves the ASGI application of the data plane; `taker` is asked before it."""
    return uvicorn.Config(
        app,
        interface="asgi3",
        proxy_headers=False,
        http=partial(Connection, head_max_s=head_max_s, taker=taker),  # type: ignore[arg-type]
        lifespan="off",
        access_log=False,
        log_config=None,
        server_header=False,
        date_header=False,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=8,
        backlog=2048,
    )
