"""Why somebody was offered something, or not: from the latest decision about them, or from one that
is made now and not stored.

A stored decision is explained by the versions that it names. Where there is none in which the offer
was a candidate, the decision is made here from the state as it is, with the published model, and
leaves no trace, because nobody was shown anything.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import msgspec

from dipper.app.served import Current, Programs, Served
from dipper.app.workspace import Workspace
from dipper.decide.explain import explain_on
from dipper.decide.ranking import Published
from dipper.decide.replay import recompute
from dipper.decide.request import DecideRequest
from dipper.decide.trace import Trace, decode
from dipper.engine.ports import LogReader, Position, StateReader
from dipper.engine.record import CONTROL_DECODER, EVENT_DECODER, Event, RecordKind
from dipper.kit.clock import Clock
from dipper.kit.errors import BadInput, Conflict, NotFound, did_you_mean
from dipper.kit.hashing import hash128
from dipper.kit.ids import subject_id
from dipper.profile.gather import gather, owner_now
from dipper.profile.id_state import RECORDS_MAX
from dipper.profile.subject import load_subject
from dipper.spec.kinds.offer import Offer
from dipper.spec.kinds.tag import Tag
from dipper.spec.program import Program
from dipper.surface.worker.projector import CURRENT, NOW

LANGUAGES = ("zh", "en")
READ_AT_ONCE = 20_000
MIDDLE = 0.5

_POSITION = msgspec.msgpack.Decoder(tuple[int, int, bytes])


@dataclass(frozen=True)
class Explained:
    """Sentences by language about one offer in one decision; `stored` ones were really made."""

    decision_id: str
    placement: str
    arm: str
    offer: str
    stored: bool
    sentences: dict[str, list[str]]


def person_id(text: str) -> str:
    """`idtype:value`, where a bare value is a customer number. Raises BadInput."""
    id_type, colon, value = text.partition(":")
    try:
        return subject_id(id_type, value) if colon else subject_id("customer_no", text)
    except ValueError as error:
        raise BadInput(str(error), where="PERSON") from error


def served_by(view: StateReader, programs: Programs) -> Served:
    """The program that the state was projected with. Raises Conflict before the first apply."""
    stored = view.get("meta", CURRENT)
    if stored is None:
        raise Conflict("no program is projected yet.", hint="dipper apply, then dipper serve")
    return programs.get(msgspec.msgpack.decode(stored, type=Current))


def served_in(workspace: Workspace) -> Served:
    """The same, for a command that asks once."""
    with workspace.state.read() as view:
        return served_by(view, Programs(workspace))


def now_of(view: StateReader, clock: Clock) -> int:
    """The demo's virtual time where there is one, else the machine's."""
    stored = view.get("meta", NOW)
    return clock() if stored is None else int.from_bytes(stored, "big")


def decision_event(view: StateReader, log: LogReader, decision_id: str) -> Event:
    """The record of a decision. Raises NotFound when there is none, or its person is erased."""
    stored = view.get("decisions", decision_id.encode())
    if stored is None:
        raise NotFound(f"no decision '{decision_id}'.", where="decision_id")
    partition, offset, _ = _POSITION.decode(stored)
    return event_at(log, Position(partition, offset))


def event_at(log: LogReader, position: Position) -> Event:
    """The event at a position. Raises NotFound when it is erased."""
    (record,) = log.read(position.partition, position.offset, 1)
    if record.erased:
        raise NotFound("this decision belongs to an erased person.", where="decision_id")
    return EVENT_DECODER.decode(record.payload)


def explain_offer(workspace: Workspace, person: str, offer: str, clock: Clock) -> Explained:
    """Why a person got an offer, or did not, and which of the tags that the offer reads are lower
    bounds today. Raises NotFound for an unknown person or offer."""
    programs = Programs(workspace)
    with workspace.state.read() as view, workspace.log.reader() as log:
        served = served_by(view, programs)
        spec = served.program.of(Offer).get(offer)
        if spec is None:
            hint = did_you_mean(offer, served.program.of(Offer))
            raise NotFound(f"no offer '{offer}'.", where="--offer", hint=hint)
        subject = load_subject(view, served.tag_table, [person], now_of(view, clock))
        for decision_id in decisions_of(view, served, person, now_of(view, clock)):
            trace = decode(bytes(decision_event(view, log, decision_id).properties))
            if trace.placement in spec.placements:
                found = programs.of_trace(trace.program, trace.tables)
                return _explained(found, trace, offer, subject.bounded, stored=True)
        trace = decided_now(workspace, view, log, served, person, spec, clock)
        return _explained(served, trace, offer, subject.bounded, stored=False)


def decisions_of(view: StateReader, served: Served, person: str, now_us: int) -> Sequence[str]:
    """Ids of the decisions about a person that the state remembers, the latest first.

    Raises NotFound for an id of which nothing is known.
    """
    table, key = served.tag_table, hash128(person)
    if table.kind_of(person) == "device":
        key = owner_now(view, table, key, now_us) or key
    found = gather(view, table, key)
    if found is None:
        raise NotFound(
            f"nothing is known of '{person}'.",
            where="PERSON",
            hint="An id is written idtype:value, such as login:u1; a bare value is a customer_no.",
        )
    return [decided[3] for decided in reversed(found.decisions())]


def decided_now(
    workspace: Workspace,
    view: StateReader,
    log: LogReader,
    served: Served,
    person: str,
    spec: Offer,
    clock: Clock,
) -> Trace:
    """The trace of a decision made here and not stored, at the offer's first placement."""
    if not spec.placements:
        raise Conflict(f"offer '{spec.name}' has no placement.", where="--offer")
    now_us = now_of(view, clock)
    subject = load_subject(view, served.tag_table, [person], now_us)
    place = served.decider.place(spec.placements[0])
    if subject.kind != place.placement.subject:
        raise BadInput(
            f"offer '{spec.name}' is for a subject of kind {place.placement.subject}, "
            f"'{person}' is of kind {subject.kind}.",
            where="PERSON",
        )
    id_type, _, value = person.partition(":")
    request = DecideRequest(placement=place.placement.name, ids={id_type: value})
    published = published_model(workspace, log, place.policy.name)
    return served.decider.decide(request, subject, now_us, MIDDLE, "(not stored)", published).trace


def published_model(workspace: Workspace, log: LogReader, policy: str) -> Published | None:
    """The model of a policy that is in force: the last that the log says was published."""
    end = log.end(0)
    while end > 0:
        start = max(0, end - READ_AT_ONCE)
        for record in reversed(log.read(0, start, end - start)):
            if record.kind == RecordKind.CONTROL and b'"model_published"' in record.payload:
                body = CONTROL_DECODER.decode(record.payload).body
                if body["policy"] == policy:
                    return Published.from_bytes(workspace.models.get(body["hash"]))
        end = start
    return None


def _explained(
    served: Served, trace: Trace, offer: str, bounded: Collection[str], *, stored: bool
) -> Explained:
    read = recompute(served.decider, trace).inputs
    tags = sorted(name for name in bounded if f"tag.{name}" in read)
    sentences = {
        language: [
            *explain_on(served.decider, trace, served.program, served.tables, language, offer),
            *at_least(served.program, tags, language),
        ]
        for language in LANGUAGES
    }
    return Explained(trace.decision_id, trace.placement, trace.arm, offer, stored, sentences)


def at_least(program: Program, tags: Sequence[str], language: str) -> list[str]:
    """That these tags of a busy subject may count older events than are kept."""
    if not tags:
        return []
    titles = [program.of(Tag)[name].title.of(language) for name in tags]
    if language == "zh":
        kept = f"事件过多，只保留最近 {RECORDS_MAX:,} 条"
        return [f"{kept}，因此以下标签的值只是下限：{'、'.join(titles)}"]
    kept = f"of so many events only the last {RECORDS_MAX:,} are kept"
    return [f"{kept}, so that these tags are lower bounds: {', '.join(titles)}"]
