"""What a dialect declares, and the replies that it gives."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, Protocol

from dipper.collect.incoming import Batch, Incoming, Kind, Unreadable
from dipper.collect.sources import Source

Route = Kind | None
"""What a path takes: events of one type, or a batch (None)."""


class Reply(NamedTuple):
    """One HTTP reply."""

    status: int
    body: bytes
    content_type: bytes = b"application/json"
    retry_after_s: int = 0


class Request(NamedTuple):
    """The events of a body, and the write key in it, if it holds one."""

    batch: Batch
    write_key: str | None


class Dialect(Protocol):
    """A member of this family: a module with these names. Limits are the client's own maximum."""

    NAME: str
    ROUTES: Mapping[str, Route]
    BODY_MAX: int
    EVENT_MAX: int
    BATCH_MAX: int
    SUCCESS: Reply

    @staticmethod
    def read(body: bytes, route: Route) -> Request:
        """Take a body apart. Raises `Unparseable`."""

    @staticmethod
    def read_event(raw: bytes, route: Route) -> Incoming | Unreadable:
        """One event of a batch, or the only one of a route."""

    @staticmethod
    def refuse(status: int, code: str, message: str) -> Reply:
        """The reply to a request that cannot be taken."""

    @staticmethod
    def settings(source: Source, write_key: str) -> bytes:
        """The configuration that the browser SDK of this dialect fetches before it sends."""


class Unparseable(Exception):
    """The body is no request of the dialect in any reading."""
