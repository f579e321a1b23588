"""Replies of the data plane, with the CORS headers that let a page of any origin send events.

A write key is no secret of the browser's user and no cookie is read, so echoing the origin gives
nothing away; the control plane has none of this.
"""

from __future__ import annotations

from functools import lru_cache
from http import HTTPStatus

from dipper.collect.dialects.reply import Reply
from dipper.surface.http.body import Send

_METHODS = b"GET, POST, OPTIONS"
_PREFLIGHT_AGE_S = b"600"
Header = tuple[bytes, bytes]


async def send_reply(send: Send, reply: Reply, origin: bytes, *, closes: bool = False) -> None:
    """Send one reply; `closes` ends the connection after it."""
    headers = _headers(reply, origin, closes)
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    await send({"type": "http.response.body", "body": reply.body})


@lru_cache(maxsize=256)
def message(reply: Reply, origin: bytes, closes: bool) -> bytes:
    """The same as the bytes of a message of HTTP/1.1."""
    head = b"HTTP/1.1 %d %b\r\n" % (reply.status, HTTPStatus(reply.status).phrase.encode())
    lines = [b"%b: %b\r\n" % header for header in _headers(reply, origin, closes)]
    return b"".join([head, *lines, b"\r\n", reply.body])


async def send_preflight(send: Send, origin: bytes, requested: bytes) -> None:
    """The reply to OPTIONS: everything that the browser asks for."""
    headers = [
        *_cors(origin or b"*"),
        (b"access-control-allow-methods", _METHODS),
        (b"access-control-allow-headers", requested or b"content-type, authorization"),
        (b"access-control-max-age", _PREFLIGHT_AGE_S),
        (b"content-length", b"0"),
    ]
    await send({"type": "http.response.start", "status": 204, "headers": headers})
    await send({"type": "http.response.body", "body": b""})


def _headers(reply: Reply, origin: bytes, closes: bool) -> list[Header]:
    headers: list[Header] = [
        (b"content-type", reply.content_type),
        (b"content-length", b"%d" % len(reply.body)),
    ]
    if origin:
        headers += _cors(origin)
    if reply.retry_after_s:
        headers.append((b"retry-after", b"%d" % reply.retry_after_s))
    if closes:
        headers.append((b"connection", b"close"))
    return headers


def _cors(origin: bytes) -> list[Header]:
    return [
        (b"access-control-allow-origin", origin),
        (b"access-control-allow-credentials", b"true"),
        (b"vary", b"Origin"),
    ]
