"""Collection over HTTP: a bare ASGI part that a gateway puts beside its other routes.

2xx only after the records are on disk. What is ours to mend is 503 with Retry-After in every
dialect; every other reply is the dialect's own, because what a client does with it decides
whether data is lost.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple, cast

from dipper.collect.collector import Collected, Collector
from dipper.collect.dialects import segment
from dipper.collect.dialects.reply import Dialect, Reply, Route, Unparseable
from dipper.collect.plan import Failed
from dipper.collect.sources import Source
from dipper.engine.ports import Entry, Position
from dipper.kit.clock import Clock
from dipper.kit.errors import DipperError, Unavailable
from dipper.kit.limits import CONSENT_WAIT_S
from dipper.surface.http.appends import Appends
from dipper.surface.http.body import (
    GZIP,
    BadEncoding,
    Bodies,
    Gone,
    Message,
    Receive,
    Send,
    TooLarge,
    inflate,
)
from dipper.surface.http.head import Head, Headers, basic_key, read_head
from dipper.surface.http.replies import send_preflight, send_reply
from dipper.surface.http.sdk_settings import NO_KEY, SdkSettings
from dipper.surface.http.socket import Neighbour
from dipper.surface.http.turn_clock import TurnClock

Scope = Mapping[str, Any]
Answer = Callable[[Reply], None]
Projected = Callable[[Position], Awaitable[object]]
"""Returns when the projection has applied the record at a position."""
Reinstatement = Callable[[Sequence[str], int], Entry]
"""The record that tells, at a moment in µs, that erased ids (keyed hashes) are accepted again."""

_WRITE_KEY = re.compile(rb'"writeKey"\s*:\s*"([^"\\]{1,200})"')
_DRAINED_MAX = 20_000_000
"""Above it a refused body is cut off instead of being read to its end."""
_KEYS_MAX = 1_024
_SEGMENT = cast(Dialect, segment)
"""What is spoken while nobody knows whose request it is."""


class Expected(NamedTuple):
    """A request of which only the body is missing; the source of its key, if it stands there."""

    head: Head
    route: Route
    source: Source | None
    dialect: Dialect


class _Refusal(Exception):
    """A request that is not taken; carries the reply."""

    def __init__(self, reply: Reply, *, closes: bool = False) -> None:
        super().__init__(reply.status)
        self.reply = reply
        self.closes = closes


class Collection:
    """The routes of all dialects. `handle` answers what is ours and leaves the rest.

    `projected` is awaited, at most CONSENT_WAIT_S, before a consent is acknowledged. While
    `is_ready` is false everything is 503.
    """

    def __init__(
        self,
        collector: Collector,
        appends: Appends,
        dialects: Mapping[str, Dialect],
        *,
        clock: Clock,
        projected: Projected,
        reinstatement: Reinstatement | None = None,
        partition: int = 0,
        neighbours: Mapping[int, Neighbour] | None = None,
        bodies: Bodies | None = None,
    ) -> None:
        self.collector = collector
        self.is_ready = True
        self._appends = appends
        self._settings = SdkSettings(lambda: collector.sources, dialects)
        self._clock = clock
        self._projected = projected
        self._reinstatement = reinstatement
        self._partition = partition
        self._neighbours = dict(neighbours or {})
        self.bodies = bodies or Bodies()
        self._routes = {
            path: route for one in dialects.values() for path, route in one.ROUTES.items()
        }
        self._whole = {path.encode(): path for path in self._routes}
        self._keys: dict[bytes, str] = {}
        self._moment = TurnClock(clock)

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> bool:
        """Answer a request of this part; False when it is another part's."""
        if scope["type"] != "http":
            return False
        path = scope["path"]
        if path in self._routes:
            await self._handle(scope, receive, send, self._routes[path])
            return True
        return await self._settings.handle(scope, send)

    async def close(self) -> None:
        """Stop watching bodies and leave the neighbours."""
        await self.bodies.close()
        for neighbour in self._neighbours.values():
            await neighbour.close()

    async def _handle(self, scope: Scope, receive: Receive, send: Send, route: Route) -> None:
        head = read_head(scope["headers"])
        if scope["method"] == "OPTIONS":
            await send_preflight(send, head.origin, head.requested)
            return
        if scope["method"] != "POST":
            refused = _SEGMENT.refuse(405, "method_not_allowed", "use POST")
            await send_reply(send, refused, head.origin)
            return
        try:
            reply = await self._collect(head, receive, send, route)
        except _Refusal as refusal:
            await send_reply(send, refusal.reply, head.origin, closes=refusal.closes)
        except Gone:
            return
        else:
            await send_reply(send, reply, head.origin)

    def expect(self, url: bytes, headers: Headers) -> Expected | None:
        """What a POST of which the head is read may become: one whose body is taken whole by
        `take`; None for any that `handle` answers, which can tell more."""
        path = self._whole.get(url)
        if path is None or not self.is_ready:
            return None
        head = read_head(headers)
        if head.length is None or head.encoding or head.is_chunked:
            return None
        try:
            source = self._source_of_header(head.authorization)
        except _Refusal:
            return None
        dialect = self.collector.dialect_of(source) if source else _SEGMENT
        if head.length > dialect.BODY_MAX:
            return None
        return Expected(head, self._routes[path], source, dialect)

    def take(
        self, expected: Expected, body: bytes, answer: Answer
    ) -> Coroutine[Any, Any, None] | None:
        """Judge a body and call `answer` once it is stored; gives what must be awaited for that
        when more has to be done than to append."""
        head, route, source, dialect = expected
        received_us = self._moment()
        try:
            if body[:2] == GZIP:
                return self._answer_body(head, route, body, answer)
            dialect, collected = self._judge(source, dialect, body, route, received_us)
        except (Unparseable, _Refusal):
            return self._answer_body(head, route, body, answer)
        entries = collected.entries
        if not entries or collected.needs_more:
            return self._answer_stored(dialect, collected, received_us, answer)
        done = partial(self._answer_appended, dialect, collected, answer)
        self._appends.join(entries, received_us, done)
        return None

    def _answer_appended(
        self,
        dialect: Dialect,
        collected: Collected,
        answer: Answer,
        error: BaseException | None,
    ) -> None:
        if error is None:
            self.collector.count(collected.counts)
            answer(dialect.SUCCESS)
            return
        message = error.message if isinstance(error, DipperError) else "the log failed"
        answer(_unavailable(dialect, message).reply)

    async def _answer_stored(
        self, dialect: Dialect, collected: Collected, received_us: int, answer: Answer
    ) -> None:
        try:
            await self._store(dialect, collected, received_us)
        except _Refusal as refusal:
            answer(refusal.reply)
        else:
            answer(dialect.SUCCESS)

    async def _answer_body(self, head: Head, route: Route, body: bytes, answer: Answer) -> None:
        """Answer as `handle` would."""

        async def receive() -> Message:
            return {"type": "http.request", "body": body}

        async def send(_: Message) -> None:
            """Nothing is sent by who reads."""

        try:
            answer(await self._collect(head, receive, send, route))
        except _Refusal as refusal:
            answer(refusal.reply)

    async def _collect(self, head: Head, receive: Receive, send: Send, route: Route) -> Reply:
        """Read, judge, store, and only then say so."""
        source = self._source_of_header(head.authorization)
        dialect = self.collector.dialect_of(source) if source else _SEGMENT
        if not self.is_ready:
            raise _unavailable(dialect, "starting")
        body = await self._read_body(head, receive, send, dialect, source)
        received_us = self._clock()
        try:
            dialect, collected = self._judge(source, dialect, body, route, received_us)
        except Unparseable as error:
            await self._keep_unparseable(source, body, str(error), received_us)
            raise _Refusal(dialect.refuse(400, "bad_request", f"the body {error}")) from None
        await self._store(dialect, collected, received_us)
        return dialect.SUCCESS

    def _judge(
        self, source: Source | None, dialect: Dialect, body: bytes, route: Route, received_us: int
    ) -> tuple[Dialect, Collected]:
        """Judge and admit what a body holds. Without a source its key is in the body."""
        if source is not None:
            return dialect, self.collector.collect_body(source, body, route, received_us)
        request = dialect.read(body, route)
        source = self.collector.sources.by_key(request.write_key or "")
        if source is None:
            raise _Refusal(dialect.refuse(401, "unauthenticated", NO_KEY))
        dialect = self.collector.dialect_of(source)
        return dialect, self.collector.collect(source, request.batch, received_us)

    def _source_of_header(self, authorization: bytes) -> Source | None:
        """The source of a Basic key. A Bearer is no key: the key stands in the body then."""
        if not authorization or authorization[:7].lower() == b"bearer ":
            return None
        key = self._keys.get(authorization)
        if key is None:
            key = basic_key(authorization)
            if len(self._keys) >= _KEYS_MAX:
                self._keys.clear()
            self._keys[authorization] = key
        source = self.collector.sources.by_key(key)
        if source is None:
            raise _Refusal(_SEGMENT.refuse(401, "unauthenticated", NO_KEY))
        return source

    async def _read_body(
        self, head: Head, receive: Receive, send: Send, dialect: Dialect, source: Source | None
    ) -> bytes:
        limit = dialect.BODY_MAX
        body = b""
        try:
            body = await self.bodies.read(receive, send, head.length, limit)
            if head.encoding or body[:2] == GZIP:
                return inflate(body, head.encoding, limit)
        except TooLarge as error:
            reason = f"the body may have {limit} bytes, got {error.size}"
            if source is not None:
                failure = Failed("request_too_large", reason)
                await self._keep(source, body, failure, self._clock(), is_text=False)
            refused = dialect.refuse(413, "request_too_large", reason)
            closes = not error.is_over and (head.length is None or head.length > _DRAINED_MAX)
            raise _Refusal(refused, closes=closes) from None
        except BadEncoding as error:
            if source is None:
                raise _Refusal(dialect.refuse(401, "unauthenticated", NO_KEY)) from None
            failure = Failed("unreadable_request", str(error))
            await self._keep(source, body, failure, self._clock(), is_text=False)
            raise _Refusal(dialect.refuse(400, "bad_request", str(error))) from None
        return body

    async def _keep_unparseable(
        self, source: Source | None, body: bytes, reason: str, received_us: int
    ) -> None:
        """Keep a request that is no JSON, if any key says whose it is."""
        if source is None:
            found = _WRITE_KEY.search(body)
            source = self.collector.sources.by_key(found[1].decode()) if found else None
            if source is None:
                raise _Refusal(_SEGMENT.refuse(401, "unauthenticated", NO_KEY))
        await self._keep(source, body, Failed("unreadable_request", reason), received_us)

    async def _keep(
        self,
        source: Source,
        body: bytes,
        failure: Failed,
        received_us: int,
        *,
        is_text: bool = True,
    ) -> None:
        collected = self.collector.collect_unreadable(
            source, body, failure, received_us, is_text=is_text
        )
        await self._store(self.collector.dialect_of(source), collected, received_us)

    async def _store(self, dialect: Dialect, collected: Collected, received_us: int) -> None:
        """Append to this partition and hand the rest to its gateways; wait for all of it."""
        try:
            if collected.reinstated:
                await self._reinstate(collected, received_us)
            if not collected.foreign and not collected.consents:
                await self._store_here(collected, received_us)
                return
            positions = await self._store_everywhere(collected, received_us)
            if collected.consents:
                async with asyncio.timeout(CONSENT_WAIT_S):
                    for position in positions:
                        await self._projected(position)
        except DipperError as error:
            raise _unavailable(dialect, error.message) from error
        except TimeoutError:
            raise _unavailable(dialect, "a consent is stored but not yet applied") from None

    async def _reinstate(self, collected: Collected, received_us: int) -> None:
        """Let every partition know that ids are accepted again, our own last: while one of the
        others does not know, we go on refusing and a resend comes here again."""
        assert self._reinstatement is not None, "nobody is erased where nothing is followed"
        entry = self._reinstatement(collected.reinstated, received_us)
        try:
            for neighbour in self._neighbours.values():
                await neighbour.hand_over([entry], received_us, judged=False)
            await self._appends.append([entry], received_us)
        except Exception:
            self._appends.admission.undo(collected.entries)
            raise

    async def _store_here(self, collected: Collected, received_us: int) -> list[Position]:
        """Append; gives the last position, if there was anything to append."""
        entries = collected.entries
        if not entries:
            return []
        first = await self._appends.append(
            entries, received_us, has_duplicates=collected.has_duplicates
        )
        self.collector.count(collected.counts)
        return [Position(self._partition, first + len(entries) - 1)]

    async def _store_everywhere(self, collected: Collected, received_us: int) -> list[Position]:
        """All partitions at once. One that fails makes the client send again; the others then drop
        their copies."""
        handed = [
            self._hand_over(home, entries, received_us)
            for home, entries in collected.foreign.items()
        ]
        outcomes = await asyncio.gather(
            self._store_here(collected, received_us), *handed, return_exceptions=True
        )
        positions: list[Position] = []
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                raise outcome
            positions += outcome
        return positions

    async def _hand_over(
        self, home: int, entries: Sequence[Entry], received_us: int
    ) -> list[Position]:
        neighbour = self._neighbours.get(home)
        if neighbour is None:
            raise Unavailable(f"the gateway of partition {home} is not known")
        found = await neighbour.hand_over(entries, received_us)
        return [Position(home, found.first + found.count - 1)] if found.count else []


def _unavailable(dialect: Dialect, message: str) -> _Refusal:
    reply = dialect.refuse(503, "unavailable", message)
    return _Refusal(reply._replace(retry_after_s=Unavailable.retry_after_s))
