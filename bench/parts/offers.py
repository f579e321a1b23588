"""A bank of many offers with conditions of their own, and people for whom to decide.

The same bank for the decision in process and over HTTP: a linear ranker with a model, all built-in
gates, caps by week and by line, tags and segments that the conditions read.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np

from dipper.decide.arbitration import Decider
from dipper.decide.rank.model import Model
from dipper.decide.ranking import Published
from dipper.engine.ports import Entry
from dipper.engine.record import EVENT_ENCODER, Event, RecordKind
from dipper.kit.clock import DAY_US, HOUR_US
from dipper.profile.assessments import Assessment
from dipper.profile.consents import ConsentState
from dipper.profile.holdings import Holding
from dipper.spec.load import load_text
from dipper.spec.program import Program
from dipper.spec.tables import TableVersion

NOW_US = 1_795_000_000_000_000
TAGS = 40
SEGMENTS = 20
ITEMS = 8
SEEN = 60
WINDOWS = ("7d", "30d", "90d")
LINES = ("deposit", "wealth", "fund", "insurance", "loan")

HEAD = "title: {zh: a, en: a}\nowners: {business: a, technical: a, managing: a}"


@dataclass(frozen=True)
class Rule:
    """The rules of one offer, as the generator of the specs and of the floor both read them."""

    name: str
    product: str
    line: str
    risk: int
    age_from: int
    age_to: int
    tag: int
    at_least: int
    segment: int
    value_fen: int


@dataclass(frozen=True)
class Person:
    """Somebody to decide for; `dipper.decide.inputs.Subject` has the meaning of the fields."""

    key: bytes
    tags: Mapping[str, int]
    segments: frozenset[str]
    traits: Mapping[str, Any]
    holdings: tuple[Holding, ...]
    consents: Mapping[str, ConsentState]
    assessment: Assessment | None
    caps: Mapping[str, int]
    lots: Mapping[str, int]
    kind: str = "person"
    verified: bool = True
    erased: bool = False


def rules(count: int) -> list[Rule]:
    """Offers with conditions that differ from each other."""
    draw = random.Random(7)
    return [
        Rule(
            name=f"offer_{at:03}",
            product=f"p{at:03}",
            line=(line := draw.choice(LINES)),
            risk=draw.randint(1, 5) if line in ("wealth", "fund", "insurance") else 1,
            age_from=draw.randint(16, 30),
            age_to=draw.randint(50, 90),
            tag=draw.randrange(TAGS),
            at_least=draw.randint(0, 9),
            segment=draw.randrange(SEGMENTS),
            value_fen=draw.randint(100, 20_000),
        )
        for at in range(count)
    ]


def eligible(rule: Rule) -> str:
    """The condition of an offer as a bank would write it."""
    return (
        f"person.age BETWEEN {rule.age_from} AND {rule.age_to} AND "
        f"(tag.t{rule.tag} >= {rule.at_least} OR segment.s{rule.segment})"
    )


def program_of(offers: list[Rule]) -> tuple[Program, dict[str, TableVersion]]:
    """The specs of the rules, loaded like a bank's."""
    texts = [
        f"kind: purpose\nname: marketing\n{HEAD}\nbasis: consent\nnotice_version: v1",
        f"kind: property\nname: age\n{HEAD}\ntype: int\nof: person\npi_class: C2",
        f"kind: source\nname: server\n{HEAD}\ntrust: server",
        f"kind: property\nname: item\n{HEAD}\ntype: int\npi_class: none",
        f"kind: event\nname: seen\n{HEAD}\nproperties: [item]",
        f"kind: policy\nname: learned\n{HEAD}\nranker: linear\n"
        f"exploration: {{method: inverse_gap, epsilon: 0.02}}\n"
        f"features: [person.age, {', '.join(f'tag.t{i}' for i in range(20))}]",
        f"kind: placement\nname: here\n{HEAD}\nscenario: bills\nchannel: app\npolicy: learned",
        f"kind: cap\nname: week\n{HEAD}\nlimit: 5\nwindow: 7d",
        *(
            f"kind: cap\nname: {line}_week\n{HEAD}\nscope: line\nline: {line}\nlimit: 3\nwindow: 7d"
            for line in LINES
        ),
        *(
            f"kind: tag\nname: t{i}\n{HEAD}\npurposes: [marketing]\n"
            f"value: {{aggregate: count, event: seen, where: item = {i % ITEMS}, "
            f"window: {WINDOWS[i % len(WINDOWS)]}}}"
            for i in range(TAGS)
        ),
        *(
            f"kind: segment\nname: s{i}\n{HEAD}\npurposes: [marketing]\nwhere: tag.t{i} > 5"
            for i in range(SEGMENTS)
        ),
        *(
            f"kind: offer\nname: {rule.name}\n{HEAD}\nproduct: {rule.product}\n"
            f"placements: [here]\npurposes: [marketing]\nvalue_fen: {rule.value_fen}\n"
            f"eligible: {eligible(rule)}\napplicable: NOT holds('{rule.product}')"
            for rule in offers
        ),
    ]
    loaded = load_text("\n---\n".join(texts))
    if loaded.findings:
        raise SystemExit("\n".join(finding.as_text() for finding in loaded.findings))
    rows = {
        rule.product: {
            "product": rule.product,
            "class": rule.line,
            "line": rule.line,
            "risk_issuer": rule.risk,
            "risk_seller": rule.risk,
        }
        for rule in offers
    }
    columns: Any = {"product": "text", "class": "text", "line": "text"}
    columns |= {"risk_issuer": "int", "risk_seller": "int"}
    table = TableVersion.of("product", ("product",), columns, rows, "2026-11-24")
    return Program.from_objects(one.spec for one in loaded.objects), {"product": table}


def people(offers: list[Rule], count: int) -> list[Person]:
    """Adults with their own tags, holdings, consents and counts."""
    draw = random.Random(11)
    found = []
    for _ in range(count):
        held = draw.sample(offers, draw.randint(0, 4))
        found.append(
            Person(
                key=draw.randbytes(16),
                tags={f"t{i}": draw.randint(0, 12) for i in range(TAGS)},
                segments=frozenset(f"s{i}" for i in range(SEGMENTS) if draw.random() < 0.3),
                traits={"age": draw.randint(16, 80)},
                holdings=tuple(
                    Holding(rule.product, "1", rule.line, "", None, None, None, None)
                    for rule in held
                ),
                consents={"marketing": ConsentState(draw.random() < 0.95, "v1", 0, False)},
                assessment=Assessment(draw.randint(1, 5), NOW_US + 10**12),
                caps={"week": draw.randint(0, 4)}
                | {f"{n}_week": draw.randint(0, 3) for n in LINES},
                lots={"learned": draw.randrange(1000)} if draw.random() < 0.5 else {},
            )
        )
    return found


def model_of(decider: Decider, offers: list[Rule]) -> Published:
    """A model as dense as a trained one."""
    names = decider.places["here"].ranking.space.names
    draw = np.random.default_rng(3)
    weights = draw.normal(0.0, 0.01, (len(offers) + 1, len(names)))
    counts = draw.integers(100, 10_000, len(offers) + 1)
    known = tuple(rule.name for rule in offers)
    data = Model(names, known, weights, counts, 0.2).to_bytes()
    return Published.from_bytes(data)


def customer(number: int) -> str:
    """The customer number of a person."""
    return f"C{number:08}"


def history(person: Person, number: int, offers: list[Rule], now_us: int) -> Iterator[Entry]:
    """What the log has of a person: all that decisions read, as its sources sent it."""
    draw = random.Random(number)
    count = 0

    def event(name: str, trust: Any, ago_us: int, **properties: Any) -> Entry:
        nonlocal count
        count += 1
        made = Event(
            event=name,
            message_id=f"{number}-{count}",
            source=trust,
            trust=trust,
            time_us=now_us - ago_us,
            received_us=now_us,
            subjects={"person": f"customer_no:{customer(number)}"},
            type="identify" if name == "identify" else "track",
            properties=msgspec.Raw(msgspec.json.encode(properties)),
        )
        return Entry(RecordKind.EVENT, EVENT_ENCODER.encode(made))

    yield event("identify", "server", 90 * DAY_US, age=person.traits["age"])
    if person.consents["marketing"].given:
        yield event(
            "consent_given", "server", 90 * DAY_US, purpose="marketing", notice_version="v1"
        )
    if person.assessment is not None:
        level, until = person.assessment.level, "2100-01-01"
        yield event("assessment_recorded", "core", 90 * DAY_US, risk_level=level, valid_until=until)
    for holding in person.holdings:
        yield event("product_opened", "core", 80 * DAY_US, product=holding.product, account="1")
    for shown in range(person.caps["week"]):
        offer = draw.choice(offers).name
        yield event(
            "offer_shown", "server", (1 + shown) * DAY_US, decision_id=f"d{count}", offer=offer
        )
    for _ in range(SEEN):
        ago_us = HOUR_US + draw.randrange(85 * DAY_US)
        yield event("seen", "server", ago_us, item=draw.randrange(ITEMS))
