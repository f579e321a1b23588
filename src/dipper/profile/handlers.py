"""What the reserved events do to the facts of the ids that they are about.

Each handler gets the ids that keep the event's row and changes their facts. Everything is kept as
the last word in timeline order, so that the order of arrival does not matter.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec

from dipper.engine.ports import Position
from dipper.engine.record import Event
from dipper.profile import assessments, consents, holdings, traits
from dipper.profile.id_state import DECISIONS_MAX, NEVER_US
from dipper.profile.id_work import IdWork
from dipper.profile.identity import Binding, Link, OrderKey, keep_binding, later
from dipper.profile.segments import TURNS, Announced, Standing, read_standing, read_turned
from dipper.profile.values import decode_properties

if TYPE_CHECKING:
    from dipper.profile.batch import Batch

Handler = Callable[["Batch", Event, Position, OrderKey, list[IdWork]], None]

# Events whose ids are bound by their own handler, not for standing in one event.
BINDERS = frozenset({"subject_bound", "subject_unbound", "alias"})

_ENCODE = msgspec.msgpack.Encoder().encode


def bind(one: IdWork, other: IdWork, key: OrderKey, is_bound: bool) -> bool:
    """Two ids belong to one subject from now on, or no longer; false when they cannot."""
    if one.key == other.key:
        return True
    if one.kind == other.kind and one.kind != "device":
        for mine, theirs in ((one, other), (other, one)):
            known = mine.facts.links.get(theirs.key)
            new = later(known, Link(*key, is_bound))
            if new != known:
                mine.change(NEVER_US).links[theirs.key] = new
        return True
    if {one.kind, other.kind} != {"person", "device"}:
        return False
    person, device = (one, other) if one.kind == "person" else (other, one)
    known_bindings = device.facts.bindings
    bindings = keep_binding(known_bindings, Binding(*key, is_bound, person.key))
    if bindings != known_bindings:
        # A binding that repeats the last one gives nobody another record.
        last = known_bindings[-1] if known_bindings else None
        if last is not None and last[3:] == (is_bound, person.key) and key >= last[:3]:
            device.facts.bindings = bindings
            device.is_changed = True
        else:
            device.change(NEVER_US).bindings = bindings
        if device.key not in person.facts.devices:
            person.change(NEVER_US).devices = sorted([*person.facts.devices, device.key])
    return True


def _bound(batch: Batch, event: Event, at: Position, key: OrderKey, works: list[IdWork]) -> None:
    is_trusted = event.trust != "public" or event.token is not None
    named = [
        batch.work(text, role)
        for role, text in event.subjects.items()
        if batch.believes(event, role, is_trusted)
    ]
    other = decode_properties(event.properties).get("other_id")
    if isinstance(other, str) and ":" in other:
        named.append(batch.work(other))
    is_bound = event.event != "subject_unbound"
    if not is_trusted or len(named) < 2:
        batch.failed.append((at, f"{event.event} names no two ids that its source may bind"))
        return
    for work in named[1:]:
        if batch.refuses(named[0]) or batch.refuses(work):
            continue
        if not bind(named[0], work, key, is_bound):
            batch.failed.append((at, f"{event.event}: {named[0].kind} and {work.kind} never join"))


def _stated(batch: Batch, event: Event, at: Position, key: OrderKey, works: list[IdWork]) -> None:
    if event.trust == "public":
        return  # What a public source says of a person is a claim: it stays in the lake.
    kind = "person" if event.event == "identify" else "organisation"
    attributes = batch.table.kinds[kind].attributes
    said = traits.stated(key, decode_properties(event.properties), attributes)
    for work in works:
        if work.kind != kind:
            continue
        for name, trait in said.items():
            if traits.is_later(trait, work.facts.traits.get(name)):
                work.change(event.time_us).traits[name] = trait


def _consented(
    batch: Batch, event: Event, at: Position, key: OrderKey, works: list[IdWork]
) -> None:
    is_given = event.event == "consent_given"
    if is_given and event.trust not in ("server", "core"):
        batch.failed.append((at, "only a server or the core gives consent"))
        return
    properties = decode_properties(event.properties)
    purpose = properties.get("purpose")
    if not isinstance(purpose, str):
        batch.failed.append((at, f"{event.event} names no purpose"))
        return
    consent = consents.consent_of(key, is_given, properties)
    for work in works:
        known = work.facts.consents.get(purpose)
        if known is None or consent > known:
            work.change(event.time_us).consents[purpose] = consent


def _accounted(
    batch: Batch, event: Event, at: Position, key: OrderKey, works: list[IdWork]
) -> None:
    properties = decode_properties(event.properties)
    account = holdings.account_key(properties)
    if event.trust != "core" or account is None:
        batch.failed.append((at, f"{event.event} needs a core source and a product"))
        return
    sort, word = holdings.WORD_OF[event.event], holdings.word_of(key, properties)
    for work in works:
        known = work.facts.accounts.get(account, {}).get(sort)
        if holdings.is_later(word, known):
            work.change(event.time_us).accounts.setdefault(account, {})[sort] = word


def _assessed(batch: Batch, event: Event, at: Position, key: OrderKey, works: list[IdWork]) -> None:
    assessed = assessments.assessed_of(key, decode_properties(event.properties))
    if event.trust != "core" or assessed is None:
        batch.failed.append((at, "assessment_recorded needs a core source, level and last day"))
        return
    for work in works:
        known = work.facts.assessment
        if known is None or assessed > known:
            work.change(event.time_us).assessment = assessed


def _decided(batch: Batch, event: Event, at: Position, key: OrderKey, works: list[IdWork]) -> None:
    properties = decode_properties(event.properties)
    decision_id, policy, lot = map(properties.get, ("decision_id", "policy", "lot"))
    if event.trust != "engine" or not isinstance(decision_id, str) or not works:
        batch.failed.append((at, "decision_made needs the engine, a decision_id and a subject"))
        return
    row = _ENCODE((at.partition, at.offset, works[0].key))
    batch.changes.setdefault("decisions", {})[decision_id.encode()] = row
    batch.decisions.append((decision_id, at, works[0].text))
    for work in works:
        decided = (*key, decision_id)
        if decided not in work.facts.decisions:
            work.is_changed = True
            work.facts.decisions = sorted([*work.facts.decisions, decided])[-DECISIONS_MAX:]
        if isinstance(policy, str) and isinstance(lot, int):
            known, assigned = work.facts.assigned.get(policy), (*key, lot)
            if known is None or assigned < known:
                work.is_changed = True
                work.facts.assigned[policy] = assigned


def _turned(batch: Batch, event: Event, at: Position, key: OrderKey, works: list[IdWork]) -> None:
    if event.trust != "engine":
        batch.failed.append((at, "only the engine announces segments"))
        return
    turned = read_turned(event.properties)
    for work in works:
        rows = batch.changes.setdefault("segments", {})
        stored = rows.get(work.key) or batch.reader.get("segments", work.key)
        standing = Standing(UNKNOWN_DUE, {}) if stored is None else read_standing(stored)
        known = standing.segments.get(turned.segment)
        if known is None or event.received_us >= known.tick_us:
            standing.segments[turned.segment] = Announced(
                turned.member, event.time_us, event.received_us
            )
            rows[work.key] = standing.to_bytes()


UNKNOWN_DUE = 2**63 - 1

HANDLERS: dict[str, Handler] = {
    "subject_bound": _bound,
    "subject_unbound": _bound,
    "alias": _bound,
    "identify": _stated,
    "group": _stated,
    "consent_given": _consented,
    "consent_withdrawn": _consented,
    "product_opened": _accounted,
    "product_closed": _accounted,
    "holding_recorded": _accounted,
    "assessment_recorded": _assessed,
    "decision_made": _decided,
    **dict.fromkeys(TURNS, _turned),
}
