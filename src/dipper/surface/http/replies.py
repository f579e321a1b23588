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
    status, body, content_type, retry_after_s = reply
    headers = _headers(len(body), content_type, retry_after_s, origin, closes)
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def message(reply: Reply, origin: bytes, closes: bool) -> bytes:
    """The same as the bytes of a message of HTTP/1.1."""
    status, body, content_type, retry_after_s = reply
    return _head(status, len(body), content_type, retry_after_s, origin, closes) + body


@lru_cache(maxsize=1_024)
def _head(
    status: int, length: int, content_type: bytes, retry_after_s: int, origin: bytes, closes: bool
) -> bytes:
    """All before the body. Replies come in few lengths, and bodies in as many as decisions."""
    line = b"HTTP/1.1 %d %b\r\n" % (status, HTTPStatus(status).phrase.encode())
    headers = _headers(length, content_type, retry_after_s, origin, closes)
    return b"".join([line, *(b"%b: %b\r\n" % header for header in headers), b"\r\n"])


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


def _headers(
    length: int, content_type: bytes, retry_after_s: int, origin: bytes, closes: bool
) -> list[Header]:
    headers: list[Header] = [
        (b"content-type", content_type),
        (b"content-length", b"%d" % length),
    ]
    if origin:
        headers += _cors(origin)
    if retry_after_s:
        headers.append((b"retry-after", b"%d" % retry_after_s))
    if closes:
        headers.append((b"connection", b"close"))
    return headers


def _cors(origin: bytes) -> list[Header]:
    return [
        (b"access-control-allow-origin", origin),
        (b"access-control-allow-credentials", b"true"),
        (b"vary", b"Origin"),
    ]
