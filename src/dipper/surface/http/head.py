"""The head of a request: the headers that matter here, read once for every part of a gateway."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable
from typing import NamedTuple

Headers = Iterable[tuple[bytes, bytes]]


class Head(NamedTuple):
    """What a request says of itself. `length` is the stated length of the body; `requested` are the
    headers that a browser asks leave for."""

    length: int | None = None
    encoding: bytes = b""
    authorization: bytes = b""
    origin: bytes = b""
    requested: bytes = b""
    is_chunked: bool = False


def read_head(headers: Headers) -> Head:
    """The head of a request from its headers, whose names are in small letters."""
    found = dict(headers)
    get = found.get
    length, encoding = get(b"content-length", b""), get(b"content-encoding", b"")
    return Head(
        int(length) if length.isdigit() else None,
        encoding.strip().lower() if encoding else b"",
        get(b"authorization", b""),
        get(b"origin", b""),
        get(b"access-control-request-headers", b""),
        b"transfer-encoding" in found,
    )


def basic_key(authorization: bytes) -> str:
    """The write key of a Basic header (`key:`), empty when there is none."""
    scheme, _, rest = authorization.partition(b" ")
    if scheme.lower() != b"basic":
        return ""
    try:
        return base64.b64decode(rest, validate=True).decode().partition(":")[0]
    except (binascii.Error, UnicodeDecodeError):
        return ""
