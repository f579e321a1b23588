"""`/api/persons/{idtype}/{value}`: what is known of a subject, masked, with the events behind it.

Any id names its subject: a customer number, a login, a device (then whoever has it now), an
organisation's number. Ids, accounts and attributes are masked; who the number belongs to is what
the caller knew already.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter

from dipper.fold.records import MASK, TIME, WORD_BITS, Matrix
from dipper.kit.clock import to_iso
from dipper.kit.errors import BadInput, NotFound
from dipper.kit.hashing import hash128
from dipper.kit.ids import subject_id
from dipper.profile.gather import Gathered, gather, owner_now
from dipper.profile.subject import Subject, subject_of
from dipper.spec.kinds.cap import Cap
from dipper.spec.kinds.event import Event
from dipper.spec.kinds.property import Property
from dipper.spec.kinds.purpose import Purpose
from dipper.spec.kinds.scenario import Scenario
from dipper.spec.kinds.segment import Segment
from dipper.spec.kinds.tag import Tag
from dipper.spec.program import Program
from dipper.surface.api.masks import mask_account, mask_id, mask_trait
from dipper.surface.api.platform import Bank, Reading

router = APIRouter(prefix="/api", tags=["profile"])


@router.get("/persons/{idtype}/{value}", summary="What is known of a subject, masked")
def person(idtype: str, value: str, bank: Bank) -> dict[str, Any]:
    """Tags with the number of events behind them, segments, consents, caps, holdings."""
    try:
        text = subject_id(idtype, value)
    except ValueError as error:
        raise BadInput(str(error), where="persons") from error
    with bank.read() as reading:
        found = find(reading, text)
        return card(reading, found)


def find(reading: Reading, text: str) -> Gathered:
    """The subject that an id names now. Raises NotFound for a stranger."""
    table, key = reading.served.tag_table, hash128(text)
    if table.kind_of(text) == "device":
        key = owner_now(reading.view, table, key, reading.now_us) or key
    found = gather(reading.view, table, key)
    if found is None:
        raise NotFound("nobody is known by this id.", where="persons")
    return found


def card(reading: Reading, found: Gathered) -> dict[str, Any]:
    """Everything about a subject that may be shown, as plain data."""
    program = reading.served.program
    subject = subject_of(found, reading.served.tag_table, reading.now_us)
    properties, segments = program.of(Property), program.of(Segment)
    return {
        "kind": subject.kind,
        "ids": [mask_id(text) for text in subject.ids],
        "devices": [mask_id(facts.id) for _, facts, _ in found.devices],
        "verified": subject.verified,
        "at": to_iso(reading.now_us),
        "last_event_at": _moment(subject.last_time_us),
        "traits": {
            name: mask_trait(properties.get(name), value) for name, value in subject.traits.items()
        },
        "tags": tags_of(reading, found, subject),
        "segments": [_segment(program, segments[name]) for name in sorted(subject.segments)],
        "consents": {
            purpose: state._asdict() | {"time": to_iso(state.time_us)}
            for purpose, state in sorted(subject.consents.items())
        },
        "assessment": None
        if subject.assessment is None
        else {
            "level": subject.assessment.level,
            "valid_until": to_iso(subject.assessment.valid_until_us),
            "valid": subject.assessment.valid_until_us > reading.now_us,
        },
        "caps": {
            name: {"used": used, "limit": program.of(Cap)[name].limit}
            for name, used in sorted(subject.caps.items())
        },
        "holdings": [
            holding._asdict() | {"account": mask_account(holding.account)}
            for holding in subject.holdings
        ],
    }


def tags_of(reading: Reading, found: Gathered, subject: Subject) -> list[dict[str, Any]]:
    """The tags with their values and, for those that are folded, how many events they count.

    `at_least` marks those of a busy subject of which older events may count than are kept.
    """
    program, table = reading.served.program, reading.served.tag_table
    behind = events_behind(reading, found)
    properties = program.of(Property)
    shown = []
    for name in table.kinds[subject.kind].tag_names:
        spec, value = program.of(Tag)[name], subject.tags[name]
        read = properties.get(spec.value.attribute or spec.value.property or "")
        if isinstance(value, str) and read is not None:
            value = mask_trait(read, value)
        row = {"name": name, "title": spec.title.model_dump(), "value": value, "sensitive": False}
        row["at_least"] = name in subject.bounded
        if is_sensitive(program, spec.purposes):
            row |= {"value": None, "sensitive": True}
        elif name in behind:
            row["events"] = behind[name]
        shown.append(row)
    return shown


def is_sensitive_event(program: Program, name: str) -> bool:
    """Whether an event, or the scenario that it belongs to, is sensitive."""
    event = program.of(Event).get(name)
    scenario = None if event is None else program.of(Scenario).get(event.scenario or "")
    return (event is not None and event.sensitive) or (scenario is not None and scenario.sensitive)


def is_sensitive(program: Program, purposes: Sequence[str]) -> bool:
    """Whether all purposes ask for separate consent: then nobody sees it in passing (PI-12)."""
    known = program.of(Purpose)
    return bool(purposes) and all(known[name].separate_consent for name in purposes)


def _segment(program: Program, segment: Segment) -> dict[str, Any]:
    if is_sensitive(program, segment.purposes):
        return {"name": None, "title": None, "sensitive": True}
    return {"name": segment.name, "title": segment.title.model_dump(), "sensitive": False}


def events_behind(reading: Reading, found: Gathered) -> dict[str, int]:
    """For each folded tag how many records lie in its window and meet its condition."""
    evaluation = reading.served.tag_table.kinds[found.kind].whole
    counts = {}
    for name, (_, _, window_us, bit) in zip(
        evaluation.names, evaluation.fold.tags.tolist(), strict=True
    ):
        if name.startswith("tag."):
            rows = counted_rows(found.rows, bit, window_us, reading.now_us)
            counts[name.removeprefix("tag.")] = len(rows)
    return counts


def counted_rows(rows: Matrix, bit: int, window_us: int, now_us: int) -> Matrix:
    """The records that a condition bit counts in (now - window, now]; window 0 is all time."""
    word, place = divmod(bit, WORD_BITS)
    times = rows[:, TIME]
    inside = times <= now_us
    if window_us:
        inside &= times > now_us - window_us
    return rows[inside & (rows[:, MASK + word] >> place & 1).astype(bool)]


def _moment(time_us: int | None) -> str | None:
    return None if time_us is None else to_iso(time_us)
