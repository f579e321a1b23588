"""Decide, outcomes and traces over HTTP: the part of a gateway that answers about a person.

An answer leaves only after its trace is on disk. Reading the state, folding, gates and ranking run
in the event loop: together they take less than handing them to a thread would.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple
from weakref import WeakValueDictionary

import msgspec

from dipper.app.served import Programs, Served
from dipper.collect.counts import Counts
from dipper.collect.dialects.reply import Reply
from dipper.collect.sources import Sources
from dipper.decide.outcome import outcome_event
from dipper.decide.ranking import Published
from dipper.decide.replay import recompute, replay_on
from dipper.decide.request import DecideRequest, OutcomeRequest, read_decide, read_outcome
from dipper.decide.trace import Trace, decode, encode
from dipper.decide.waterfall import waterfall
from dipper.engine.ports import Entry, LogReader, Position, SubjectState
from dipper.engine.record import EVENT_DECODER, EVENT_ENCODER, Event, RecordKind
from dipper.kit import errors
from dipper.kit.clock import Clock
from dipper.kit.errors import BadInput, DipperError, Forbidden, NotFound, Unavailable
from dipper.kit.ids import new_id, subject_id, uuid8
from dipper.kit.limits import CONSENT_WAIT_S, DECIDE_BODY_MAX
from dipper.profile.identity import surviving
from dipper.profile.subject import Subject, load_subject
from dipper.surface.http.appends import Appends
from dipper.surface.http.body import Bodies, Gone, Receive, Send, TooLarge
from dipper.surface.http.callers import Caller, Callers
from dipper.surface.http.entropy import Entropy
from dipper.surface.http.head import Head, Headers, read_head
from dipper.surface.http.replies import send_preflight, send_reply
from dipper.surface.http.turn_clock import TurnClock
from dipper.surface.http.waiting import Projection

Scope = Mapping[str, Any]

DECIDE, OUTCOMES, DECISIONS = "/v1/decide", "/v1/outcomes", "/v1/decisions/"
_DECIDE_URL = DECIDE.encode()
REMEMBERED = 20_000
_ENCODER = msgspec.json.Encoder()
_POSITION = msgspec.msgpack.Decoder(tuple[int, int, bytes])


class Asked(NamedTuple):
    """A request to decide of which only the body is missing."""

    head: Head
    who: Caller


class Deciding:
    """The decide routes of one gateway. `handle` answers what is ours and leaves the rest."""

    def __init__(
        self,
        sources: Callable[[], Sources],
        count: Callable[[Mapping[str, Counts]], None],
        appends: Appends,
        state: SubjectState,
        reader: LogReader,
        programs: Programs,
        projection: Projection,
        *,
        clock: Clock,
        erasure_key: bytes,
        partition: int,
        served: Callable[[], Served | None],
        published: Callable[[str], Published | None],
        model: Callable[[str], Published],
        bodies: Bodies,
    ) -> None:
        self._callers = Callers(sources)
        self._count = count
        self._appends = appends
        self._state = state
        self._reader = reader
        self._programs = programs
        self._projection = projection
        self._clock = clock
        self._erasure_key = erasure_key
        self._partition = partition
        self._served = served
        self._published = published
        self._model = model
        self._bodies = bodies
        self._random = Entropy()
        self._moment = TurnClock(clock)
        self._recent: OrderedDict[str, Event] = OrderedDict()
        self._answered: OrderedDict[str, bytes] = OrderedDict()
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._began = reader.end(partition)

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> bool:
        """Answer a request of this part; False when it is another part's."""
        if scope["type"] != "http":
            return False
        path: str = scope["path"]
        if path not in (DECIDE, OUTCOMES) and not path.startswith(DECISIONS):
            return False
        head = read_head(scope["headers"])
        if scope["method"] == "OPTIONS":
            await send_preflight(send, head.origin, head.requested)
            return True
        try:
            reply = await self._route(path, scope["method"], head, receive, send)
        except DipperError as error:
            reply = _problem(error)
        except Gone:
            return True
        await send_reply(send, reply, head.origin)
        return True

    def expect(self, url: bytes, headers: Headers) -> Asked | None:
        """What a POST of which the head is read may become: a request to decide whose body is taken
        whole by `take`; None for any that `handle` answers, which can tell more."""
        if url != _DECIDE_URL:
            return None
        head = read_head(headers)
        if head.length is None or head.length > DECIDE_BODY_MAX or head.is_chunked:
            return None
        try:
            who = self._callers.of(head.authorization, self._clock())
        except DipperError:
            return None
        return Asked(head, who)

    async def take(self, asked: Asked, body: bytes, answer: Callable[[Reply], None]) -> None:
        """Decide, and call `answer` once the trace is on disk."""
        try:
            reply = await self._decide(read_decide(body), asked.who, self._moment())
        except DipperError as error:
            reply = _problem(error)
        answer(reply)

    async def _route(
        self,
        path: str,
        method: str,
        head: Head,
        receive: Receive,
        send: Send,
    ) -> Reply:
        now_us = self._clock()
        who = self._callers.of(head.authorization, now_us)
        if path.startswith(DECISIONS):
            return self._trace(path.removeprefix(DECISIONS), who)
        if method != "POST":
            raise BadInput(f"expected POST, got {method}.", where=path)
        try:
            body = await self._bodies.read(receive, send, head.length, DECIDE_BODY_MAX)
        except TooLarge as error:
            raise errors.TooLarge(
                f"expected a body of at most {DECIDE_BODY_MAX:,} bytes, got {error.size:,}.",
                where="body",
            ) from error
        if path == DECIDE:
            return await self._decide(read_decide(body), who, now_us)
        return await self._outcome(read_outcome(body), who, now_us)

    # --- decide -----------------------------------------------------------------------------

    async def _decide(self, request: DecideRequest, who: Caller, now_us: int) -> Reply:
        ids = _ids(request)
        _require_bound(who, ids, request.placement)
        if request.request_id is None:
            decision_id = new_id(self._clock, self._random)
            return Reply(200, await self._decide_anew(request, who, now_us, ids, decision_id))
        # An id that a page repeats with another person's name must not give that person's answer.
        who_asks = f"{who.source.name}/{who.token is not None}"
        asked = f"{who_asks}/{request.request_id}/{request.placement}/{sorted(ids)}"
        turn = self._turns.setdefault(asked, asyncio.Lock())
        async with turn:
            body = self._answered.get(asked) or await self._answered_before(asked)
            if body is None:
                decision_id = self._decision_of(asked, self._partition)
                body = await self._decide_anew(request, who, now_us, ids, decision_id)
            _keep(self._answered, asked, body)
        return Reply(200, body)

    def _decision_of(self, asked: str, partition: int) -> str:
        """The id of the decision that a gateway makes for a request with an id of its own."""
        text = f"{asked}/{partition}".encode()
        return uuid8(hashlib.blake2b(text, key=self._erasure_key, digest_size=16).digest())

    async def _answered_before(self, asked: str) -> bytes | None:
        """The answer that a gateway gave to this request before, replayed from its trace."""
        if self._began:
            # What stood in the log when we started may not be projected yet.
            await self._await(Position(self._partition, self._began - 1))
        for partition in range(self._reader.partitions()):
            decision_id = self._decision_of(asked, partition)
            with self._state.read() as view:
                stored = view.get("decisions", decision_id.encode())
            if stored is not None:
                trace = decode(bytes(self._event_of(decision_id).properties))
                published = self._model(trace.model) if trace.model else None
                decided = replay_on(self._versions_of(trace).decider, trace, published)
                position = _POSITION.decode(stored)[:2]
                return _ENCODER.encode(msgspec.structs.replace(decided.reply, position=position))
        return None

    async def _decide_anew(
        self, request: DecideRequest, who: Caller, now_us: int, ids: list[str], decision_id: str
    ) -> bytes:
        served = self._served()
        if served is None:
            raise Unavailable("no program is applied yet.", hint="dipper apply")
        if request.seen_position is not None:
            await self._await(Position(*request.seen_position))
        place = served.decider.place(request.placement)
        with self._state.read() as view:
            subject = load_subject(view, served.tag_table, ids, now_us, self._erasure_key)
        _require_own(who, subject)
        decided = served.decider.decide(
            request,
            subject,
            now_us,
            self._random.random(),
            decision_id,
            self._published(place.policy.name),
            is_claimed=who.token is not None,
        )
        subjects = {} if subject.erased else roles_of(subject)
        event = Event(
            event="decision_made",
            message_id=decision_id,
            source="gateway",
            trust="engine",
            time_us=now_us,
            received_us=now_us,
            subjects=subjects,
            scenario=place.placement.scenario,
            channel=place.placement.channel,
            placement=place.placement.name,
            properties=msgspec.Raw(encode(decided.trace)),
            program=served.current.program,
        )
        entry = Entry(RecordKind.EVENT, EVENT_ENCODER.encode(event))
        offset = await self._appends.together([entry], now_us, reserve=True)
        _keep(self._recent, decision_id, event)
        reply = msgspec.structs.replace(decided.reply, position=(self._partition, offset))
        return _ENCODER.encode(reply)

    def forget(self) -> None:
        """Keep no decision in memory any longer: somebody was erased."""
        self._recent.clear()
        self._answered.clear()

    async def _await(self, position: Position) -> None:
        partitions = self._reader.partitions()
        if not 0 <= position.partition < partitions or position.offset < 0:
            raise BadInput(
                f"expected a position in partitions 0 to {partitions - 1}, got {tuple(position)}.",
                where="body.seen_position",
                hint="Send back the `position` of an earlier reply.",
            )
        try:
            async with asyncio.timeout(CONSENT_WAIT_S):
                await self._projection.applied(position)
        except TimeoutError:
            raise Unavailable(
                f"the projection has not reached position {tuple(position)} yet."
            ) from None

    # --- outcomes ---------------------------------------------------------------------------

    async def _outcome(self, request: OutcomeRequest, who: Caller, now_us: int) -> Reply:
        """An outcome becomes an event of the source that reports it; a resend is a copy."""
        decided = self._recent.get(request.decision_id) or self._event_of(request.decision_id)
        _require_decision(who, decided)
        trace = decode(bytes(decided.properties))
        event = outcome_event(
            request,
            trace,
            self._versions_of(trace).decider,
            subjects=_holder(decided.subjects),
            source=who.source.name,
            trust=who.source.trust,
            received_us=now_us,
            token=who.token.as_record() if who.token is not None else None,
        )
        handed = [Entry(RecordKind.EVENT, EVENT_ENCODER.encode(event))]
        entries, counts = self._appends.admission.admit_handed(handed, now_us)
        copies = any(found.duplicate for found in counts.values())
        await self._appends.append(entries, now_us, has_duplicates=copies)
        self._count(counts)
        return Reply(200, b'{"success":true}')

    # --- traces -----------------------------------------------------------------------------

    def _event_of(self, decision_id: str) -> Event:
        with self._state.read() as view:
            stored = view.get("decisions", decision_id.encode())
        if stored is None:
            raise NotFound(f"no decision '{decision_id}'.", where="decision_id")
        partition, offset, _ = _POSITION.decode(stored)
        record = self._reader.read(partition, offset, 1)[0]
        if record.erased:
            raise NotFound(
                f"decision '{decision_id}' belongs to an erased person.", where="decision_id"
            )
        return EVENT_DECODER.decode(record.payload)

    def _trace(self, decision_id: str, who: Caller) -> Reply:
        """The trace with everything recomputed from the versions that it names."""
        if who.token is not None:
            raise Forbidden(
                "a trace is for the bank's servers, not for a page.", where="Authorization"
            )
        event = self._recent.get(decision_id) or self._event_of(decision_id)
        return Reply(200, _ENCODER.encode(self.describe(event)))

    def describe(self, event: Event) -> dict[str, Any]:
        """A stored decision, with verdicts and reasons recomputed."""
        trace = decode(bytes(event.properties))
        return describe(trace, self._versions_of(trace))

    def _versions_of(self, trace: Trace) -> Served:
        """The program and tables that a trace names: nearly always those in force."""
        served = self._served()
        if served is None or not served.matches(trace.program, trace.tables):
            served = self._programs.of_trace(trace.program, trace.tables)
        return served


def _problem(error: DipperError) -> Reply:
    retry_after_s = error.retry_after_s if isinstance(error, Unavailable) else 0
    body = _ENCODER.encode(error.as_problem())
    return Reply(error.status, body, b"application/problem+json", retry_after_s)


def describe(trace: Trace, served: Served) -> dict[str, Any]:
    """A trace with every verdict recomputed, as plain data."""
    found = recompute(served.decider, trace)
    return {
        "trace": msgspec.to_builtins(trace),
        "inputs": dict(found.inputs),
        "verdicts": {
            row.offer.name: {
                gate: {"passed": verdict.passed, "code": verdict.code, "facts": verdict.facts}
                for gate, verdict in row.verdicts.items()
            }
            for row in found.rows
        },
        "waterfall": waterfall(served.decider, trace),
    }


def _keep(known: OrderedDict[str, Any], key: str, value: Any) -> None:
    known[key] = value
    if len(known) > REMEMBERED:
        known.popitem(last=False)


def _ids(request: DecideRequest) -> list[str]:
    try:
        return [subject_id(id_type, value) for id_type, value in request.ids.items()]
    except ValueError as error:
        raise BadInput(str(error), where="body.ids") from error


def roles_of(subject: Subject) -> dict[str, str]:
    """The ids of a decision by role: one of the subject's own, and the device that it was found
    by."""
    if subject.found_by in subject.ids:
        return {subject.kind: subject.found_by}
    return {subject.kind: surviving(subject.ids), "device": subject.found_by}


def _holder(subjects: Mapping[str, str]) -> dict[str, str]:
    """Whom an outcome is about: the device may be somebody else's by now, and must bind nobody."""
    own = {role: text for role, text in subjects.items() if role != "device"}
    return own or dict(subjects)


def _require_bound(who: Caller, ids: list[str], placement: str) -> None:
    """A token speaks for its subject (and device) at its placement only."""
    token = who.token
    if token is None:
        return
    allowed = {token.subject, token.device}
    if not set(ids) <= allowed or (token.placement and token.placement != placement):
        raise Forbidden(
            "the token is bound to another subject or placement.",
            where="Authorization",
            hint="Ask your server for a token of this person and placement.",
        )


def _require_own(who: Caller, subject: Subject) -> None:
    """The device of a token may be another person's by now, who is not the page's to know."""
    token = who.token
    if token is None or subject.found_by in (*subject.ids, token.subject):
        return
    if token.subject not in subject.ids:
        raise Forbidden(
            "the token's device is another person's now.",
            where="Authorization",
            hint="Ask with the id of the person to whom the token is bound.",
        )


def _require_decision(who: Caller, decided: Event) -> None:
    """A token speaks for decisions about its subject (or device) at its placement only."""
    token = who.token
    if token is None:
        return
    is_other = token.placement and token.placement != decided.placement
    if is_other or not {token.subject, token.device} & set(decided.subjects.values()):
        raise Forbidden(
            "the token is bound to another subject or placement.", where="Authorization"
        )
