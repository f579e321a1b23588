"""A client that loads a server on loopback: in a closed loop, or at random moments.

It runs in one process on a core of its own, and knows no more of HTTP than it needs.
"""

from __future__ import annotations

import asyncio
import gc
import time
from collections import deque
from collections.abc import Callable, Coroutine
from random import Random
from typing import Any, TypeVar

import uvloop

_HEAD_END = b"\r\n\r\n"
_LENGTH = b"content-length: "
T = TypeVar("T")

Request = Callable[[], bytes]
"""Gives the next request, head and body."""


def run(load: Coroutine[Any, Any, T]) -> T:
    """Run a load to its end, with no collector of cycles in between."""
    gc.collect()
    gc.disable()
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(load)
    finally:
        gc.enable()


class _Connection(asyncio.Protocol):
    """Sends a request at a time and says when its whole reply is there."""

    def __init__(self, answered: Callable[[_Connection], None], ended: asyncio.Future[None]):
        self._answered = answered
        self._ended = ended
        self._reply = b""
        self._size = 0
        self.begin = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: Any = transport

    def send(self, request: bytes, begin: float) -> None:
        """Send; the latency counts from `begin`."""
        self.begin = begin
        self._transport.write(request)

    def close(self) -> None:
        """Close."""
        self._transport.close()

    def data_received(self, data: bytes) -> None:
        self._reply += data
        if not self._size:
            end = self._reply.find(_HEAD_END)
            if end < 0:
                return  # The head may come in pieces.
            if not self._reply.startswith(b"HTTP/1.1 200"):
                self._end(RuntimeError(self._reply[:400].decode()))
                return
            at = self._reply.index(_LENGTH) + len(_LENGTH)
            length = int(self._reply[at : self._reply.index(b"\r\n", at)])
            self._size = end + len(_HEAD_END) + length
        if len(self._reply) >= self._size:
            self._reply, self._size = b"", 0
            self._answered(self)

    def connection_lost(self, error: Exception | None) -> None:
        self._end(error or ConnectionError("closed by the server"))

    def _end(self, error: Exception) -> None:
        if not self._ended.done():
            self._ended.set_exception(error)


async def _connect(
    port: int, count: int, answered: Callable[[_Connection], None], ended: asyncio.Future[None]
) -> list[_Connection]:
    loop = asyncio.get_running_loop()
    made = []
    for _ in range(count):
        make = lambda: _Connection(answered, ended)  # noqa: E731
        made.append((await loop.create_connection(make, "127.0.0.1", port))[1])
    return made


async def closed_loop(
    port: int, connections: int, request: Request, seconds: float
) -> tuple[list[float], float]:
    """Each connection sends its next request when the reply is there.

    Latencies in s of all requests, and the seconds that they took together.
    """
    ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    latencies: list[float] = []
    open_ = connections

    def answered(connection: _Connection) -> None:
        nonlocal open_
        now = time.perf_counter()
        latencies.append(now - connection.begin)
        if now < until:
            connection.send(request(), time.perf_counter())
            return
        open_ -= 1
        if not open_ and not ended.done():
            ended.set_result(None)

    made = await _connect(port, connections, answered, ended)
    begin = time.perf_counter()
    until = begin + seconds
    for connection in made:
        connection.send(request(), time.perf_counter())
    await ended
    taken = time.perf_counter() - begin
    for connection in made:
        connection.close()
    return latencies, taken


async def poisson(
    port: int, connections: int, request: Request, rate: float, seconds: float, draw: Random
) -> list[float]:
    """Requests at random moments, `rate` a second, whether or not the replies keep up.

    Latencies in s from the moment at which a request was due, so that waiting for a free
    connection counts.
    """
    ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    latencies: list[float] = []

    def answered(connection: _Connection) -> None:
        latencies.append(time.perf_counter() - connection.begin)
        free.append(connection)

    free = await _connect(port, connections, answered, ended)
    waiting: deque[float] = deque()
    begin = time.perf_counter()
    due, until = begin, begin + seconds
    while due < until or waiting or len(free) < connections:
        now = time.perf_counter()
        while due <= now and due < until:
            waiting.append(due)
            due += draw.expovariate(rate)
        while waiting and free:
            free.pop().send(request(), waiting.popleft())
        if ended.done():
            ended.result()
        # A timer of the event loop is good to a millisecond only; the core is ours to spin on.
        await asyncio.sleep(0)
    if not ended.done():
        ended.set_result(None)
    for connection in free:
        connection.close()
    return latencies
