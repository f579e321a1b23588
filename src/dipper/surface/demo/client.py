"""A small HTTP client for the demo's driver: keep-alive connections, a bounded number at a time.

It behaves like an SDK: a request without an answer, or answered 503, is sent again unchanged until
it is answered, so that a server killed in the middle loses nothing.
"""

from __future__ import annotations

import asyncio
import base64
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

import msgspec

from dipper.kit.errors import Unavailable

RETRY_S = 0.2
GIVE_UP_S = 60.0

T = TypeVar("T")
R = TypeVar("R")


class Answer(NamedTuple):
    """Status, body, and the time from sending to the answer of the last try."""

    status: int
    body: bytes
    seconds: float

    def json(self) -> Any:
        """The decoded body."""
        return msgspec.json.decode(self.body)


class Connection:
    """One keep-alive connection; reconnects when it was lost."""

    def __init__(self, host: str, port: int) -> None:
        self._host = host
        self._port = port
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def request(self, method: str, path: str, headers: str, body: bytes) -> Answer:
        """Send until answered. Raises Unavailable after GIVE_UP_S."""
        deadline = time.monotonic() + GIVE_UP_S
        while True:
            try:
                answer = await self._once(method, path, headers, body)
                if answer.status != 503:
                    return answer
            except (OSError, asyncio.IncompleteReadError):
                self.close()
            if time.monotonic() > deadline:
                raise Unavailable(f"no answer within {GIVE_UP_S:.0f} s.", where=f"{method} {path}")
            await asyncio.sleep(RETRY_S)

    async def _once(self, method: str, path: str, headers: str, body: bytes) -> Answer:
        if self._writer is None or self._reader is None:
            self._reader, self._writer = await asyncio.open_connection(self._host, self._port)
        started = time.perf_counter()
        head = f"{method} {path} HTTP/1.1\r\nHost: {self._host}:{self._port}\r\n{headers}"
        head += f"Content-Length: {len(body)}\r\n\r\n"
        self._writer.write(head.encode() + body)
        await self._writer.drain()
        raw = (await self._reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        length = 0
        for line in raw.split("\r\n")[1:]:
            name, _, value = line.partition(":")
            if name.lower() == "content-length":
                length = int(value)
        content = await self._reader.readexactly(length) if length else b""
        return Answer(int(raw[9:12]), content, time.perf_counter() - started)

    def close(self) -> None:
        """Drop the connection."""
        if self._writer is not None:
            self._writer.close()
        self._reader = self._writer = None


class Client:
    """A pool of connections to one server."""

    def __init__(self, host: str, port: int, connections: int) -> None:
        self._free: asyncio.Queue[Connection] = asyncio.Queue()
        self._all = [Connection(host, port) for _ in range(connections)]
        for connection in self._all:
            self._free.put_nowait(connection)

    async def post(self, path: str, key: str, document: Mapping[str, Any]) -> Answer:
        """POST a JSON document with a write key."""
        return await self._request("POST", path, key, msgspec.json.encode(document))

    async def get(self, path: str, key: str) -> Answer:
        """GET with a write key."""
        return await self._request("GET", path, key, b"")

    async def _request(self, method: str, path: str, key: str, body: bytes) -> Answer:
        secret = base64.b64encode(f"{key}:".encode()).decode()
        headers = f"Authorization: Basic {secret}\r\nContent-Type: application/json\r\n"
        connection = await self._free.get()
        try:
            return await connection.request(method, path, headers, body)
        finally:
            self._free.put_nowait(connection)

    def close(self) -> None:
        """Drop all connections."""
        for connection in self._all:
            connection.close()


async def gather_bounded(
    items: Sequence[T], work: Callable[[T], Awaitable[R]], at_once: int
) -> list[R]:
    """Run `work` over all items, at most `at_once` at a time; results in the order of items."""
    results: list[R | None] = [None] * len(items)
    queue = iter(enumerate(items))

    async def run() -> None:
        for index, item in queue:
            results[index] = await work(item)

    await asyncio.gather(*[run() for _ in range(min(at_once, len(items)))])
    return results  # type: ignore[return-value]
