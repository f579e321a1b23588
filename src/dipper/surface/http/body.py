"""Bodies of requests: bounded before they are buffered, inflated within the same bound.

A client that stalls is cut off without a reply, because some clients delete their data on any 4xx
and all of them send again after a broken connection.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

GAP_MAX_S = 30.0
_TURNS = 6
GZIP = b"\x1f\x8b"
_GZIP_WINDOW = 16 + zlib.MAX_WBITS

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


class TooLarge(Exception):
    """The body is larger than `limit`; `size` is what is known of it, `is_over` says
    whether all of it has come."""

    def __init__(self, size: int, is_over: bool) -> None:
        super().__init__(f"{size} bytes")
        self.size = size
        self.is_over = is_over


class BadEncoding(Exception):
    """The body is not what its encoding says."""


class Gone(Exception):
    """The client went away, or stalled and was cut off."""


class Bodies:
    """Reads bodies and cuts off those that stall for `gap_max_s`. One event loop."""

    def __init__(self, gap_max_s: float = GAP_MAX_S) -> None:
        self._gap_max_s = gap_max_s
        self._turn = 0
        self._reading: dict[object, int] = {}
        self._sweeper: asyncio.Task[None] | None = None

    def watch(self, holder: object) -> None:
        """Something of a body came, and more will: its connection (the holder's `transport`) is
        cut off unless the next part comes in time, or `forget` is called."""
        self._reading[holder] = self._turn
        if self._sweeper is None:
            self._sweeper = asyncio.get_running_loop().create_task(self._sweep())

    def forget(self, holder: object) -> None:
        """The body is whole, or its connection gone."""
        self._reading.pop(holder, None)

    async def read(self, receive: Receive, send: Send, length: int | None, limit: int) -> bytes:
        """The whole body. `length` is its stated length. Raises TooLarge, Gone."""
        if length is not None and length > limit:
            raise TooLarge(length, False)
        # ASGI has no word for a connection: uvicorn's `send` is a method of what holds it.
        holder = getattr(send, "__self__", send)
        self.watch(holder)
        try:
            message = await receive()
            if message["type"] != "http.request":
                raise Gone
            if not message.get("more_body"):
                body = message.get("body", b"")
                if len(body) > limit:
                    raise TooLarge(len(body), True)
                return bytes(body)
            return await self._read_parts(receive, holder, message, limit)
        finally:
            self.forget(holder)

    async def close(self) -> None:
        """Stop watching."""
        if self._sweeper is not None:
            self._sweeper.cancel()
            self._sweeper = None

    async def _read_parts(
        self,
        receive: Receive,
        holder: object,
        message: Message,
        limit: int,
    ) -> bytes:
        parts = [message.get("body", b"")]
        size = len(parts[0])
        while message.get("more_body"):
            if size > limit:
                raise TooLarge(size, False)
            message = await receive()
            if message["type"] != "http.request":
                raise Gone
            part = message.get("body", b"")
            if part:
                parts.append(part)
                size += len(part)
                self.watch(holder)
        if size > limit:
            raise TooLarge(size, True)
        return b"".join(parts)

    async def _sweep(self) -> None:
        """Cut off what has not moved for too long: for so many turns of this loop."""
        while True:
            await asyncio.sleep(self._gap_max_s / _TURNS)
            self._turn += 1
            for holder, moved in list(self._reading.items()):
                if self._turn - moved > _TURNS:
                    _abort(holder)


def _abort(holder: object) -> None:
    """Break a connection without a reply."""
    transport = getattr(holder, "transport", None)
    if transport is None:
        raise RuntimeError("this server does not show its connections; run it on uvicorn")
    transport.abort()


def inflate(body: bytes, encoding: bytes, limit: int) -> bytes:
    """The body without its encoding, known by content too. Raises TooLarge, BadEncoding.

    Never holds more than `limit` bytes of the result, whatever the body claims to be.
    """
    if encoding not in (b"", b"identity", b"gzip", b"x-gzip"):
        raise BadEncoding(f"content-encoding {encoding[:32].decode('latin-1')} is not known")
    if not body.startswith(GZIP):
        return body
    parts: list[bytes] = []
    room = limit + 1
    rest = body
    try:
        while rest:
            inflater = zlib.decompressobj(_GZIP_WINDOW)
            part = inflater.decompress(rest, room)
            parts.append(part)
            room -= len(part)
            if room <= 0:
                raise TooLarge(limit + 1, True)
            if not inflater.eof:
                raise BadEncoding("the gzip body is cut off")
            rest = inflater.unused_data
    except zlib.error as error:
        raise BadEncoding(f"the body is no gzip: {error}") from None
    return b"".join(parts)
