"""Connections whose request has no end of its head, over real sockets."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
import uvicorn

from dipper.collect.dialects.reply import Reply
from dipper.surface.http.body import Bodies
from dipper.surface.http.connection import HEAD_MAX, data_plane

HEAD_MAX_S = 1.0
REQUEST = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


async def slow_answer(scope: Any, receive: Any, send: Any) -> None:
    """Answers /slow after twice the time that a head may take."""
    if scope["path"] == "/slow":
        await asyncio.sleep(2 * HEAD_MAX_S)
    await send(
        {"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]}
    )
    await send({"type": "http.response.body", "body": b"ok"})


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """A server on loopback."""
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(data_plane(slow_answer, HEAD_MAX_S, taker=Echo()))
    thread = threading.Thread(target=asyncio.run, args=(server.serve(sockets=[listener]),))
    thread.start()
    yield listener.getsockname()[1]
    server.should_exit = True
    thread.join(10)
    listener.close()


@pytest.fixture
def client(port: int) -> Iterator[socket.socket]:
    """A connection."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        yield connection


def drip(client: socket.socket, data: bytes, gap_s: float = 0.05) -> bool:
    """Send byte by byte; False when the other side has closed meanwhile."""
    for byte in data:
        try:
            client.sendall(bytes([byte]))
        except OSError:
            return False
        time.sleep(gap_s)
    return True


def is_closed_silently(client: socket.socket) -> bool:
    """Whether the connection ends without a byte of an answer."""
    with contextlib.suppress(ConnectionResetError):
        return client.recv(100) == b""
    return True


def is_answered(client: socket.socket) -> bool:
    """Whether a whole answer comes."""
    answer = b""
    while not answer.endswith(b"ok"):
        part = client.recv(1_000)
        if not part:
            return False
        answer += part
    return answer.startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize("sent", [b"GET / HTTP/1.1\r\nX-Long: " + b"y" * 100, b"\r\n" * 60])
def test_a_head_that_drips_is_cut_off_without_a_reply(client: socket.socket, sent: bytes) -> None:
    """Each byte comes well within the time, the whole does not."""
    start = time.monotonic()
    assert not drip(client, sent)
    assert time.monotonic() - start > 0.9 * HEAD_MAX_S
    assert is_closed_silently(client)


def test_who_says_nothing_is_cut_off(client: socket.socket) -> None:
    """An open connection is room that another one lacks."""
    start = time.monotonic()
    assert is_closed_silently(client)
    assert time.monotonic() - start > 0.9 * HEAD_MAX_S


def test_the_second_request_of_a_connection_is_watched_too(client: socket.socket) -> None:
    """A kept connection has shown once that it can ask, which proves nothing."""
    client.sendall(REQUEST)
    assert is_answered(client)
    time.sleep(1.2 * HEAD_MAX_S)
    client.sendall(REQUEST)
    assert is_answered(client)
    assert not drip(client, REQUEST[:-2] + b"X: " + b"y" * 100)
    assert is_closed_silently(client)


def test_a_head_without_end_is_cut_off_by_its_size(client: socket.socket) -> None:
    """However fast it comes."""
    with contextlib.suppress(ConnectionError):
        client.sendall(b"GET / HTTP/1.1\r\n")
        for _ in range(2 * HEAD_MAX // 1_000):
            client.sendall(b"X: " + b"y" * 995 + b"\r\n")
    assert is_closed_silently(client)


def test_a_slow_head_that_ends_in_time_is_served(client: socket.socket) -> None:
    """And so is who waits longer for the answer than a head may take."""
    assert drip(client, REQUEST, 0.2 * HEAD_MAX_S / len(REQUEST))
    assert is_answered(client)
    client.sendall(REQUEST.replace(b"/ ", b"/slow ", 1))
    assert is_answered(client)


def test_a_body_that_goes_on_after_its_answer_is_cut_off_too(client: socket.socket) -> None:
    """Not by its size: who is refused may still be sending what it promised."""
    client.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n")
    assert is_answered(client)
    client.sendall(b"x" * 2 * HEAD_MAX)
    assert not drip(client, b"x" * 100)
    assert is_closed_silently(client)


class Echo:
    """Takes what is posted to /whole and answers with its size, or breaks where it says so."""

    def __init__(self) -> None:
        self.bodies = Bodies(HEAD_MAX_S)

    def expect(self, url: bytes, headers: Any) -> Any:
        return SimpleNamespace(head=SimpleNamespace(origin=b"")) if url == b"/whole" else None

    def take(self, expected: Any, body: bytes, answer: Callable[[Reply], None]) -> Any:
        if body == b"broken":
            raise ValueError("a fault of ours")
        reply = Reply(200, b"%d-ok" % len(body))
        asyncio.get_running_loop().call_later(0.05, answer, reply)
        return None


def whole(body: bytes) -> bytes:
    """A request that is taken whole."""
    return b"POST /whole HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)


def test_a_request_is_taken_whole_however_its_body_comes(client: socket.socket) -> None:
    """In one piece or in many, and again on the same connection."""
    client.sendall(whole(b"x" * 10))
    assert is_answered(client)
    client.sendall(whole(b"x" * 200_000))
    assert is_answered(client)
    assert drip(client, whole(b"x" * 20), 0.005)
    assert is_answered(client)


def test_pipelined_requests_are_answered_in_order(client: socket.socket) -> None:
    """The second waits for the first, whoever serves them."""
    client.sendall(whole(b"x" * 123) + REQUEST)
    answers = b""
    while answers.count(b"HTTP/1.1") < 2 or not answers.endswith(b"ok"):
        answers += client.recv(1_000)
    assert answers.index(b"123-ok") < answers.rindex(b"HTTP/1.1")


def test_a_body_that_stalls_is_cut_off_without_a_reply(client: socket.socket) -> None:
    """Though its head came in time."""
    client.sendall(whole(b"x" * 100)[:-1])
    assert is_closed_silently(client)


def test_a_fault_of_ours_is_answered_and_ends_the_connection(client: socket.socket) -> None:
    """Nobody waits for an answer that will not come."""
    client.sendall(whole(b"broken"))
    answer = b"".join(iter(lambda: client.recv(1_000), b""))
    assert answer.startswith(b"HTTP/1.1 500")
