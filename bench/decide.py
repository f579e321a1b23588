"""How long one decision takes: 200 offers, all gates, the linear ranker, the trace encoded.

    .venv/bin/python bench/decide.py [--offers 200] [--rounds 20] [--json]

The floor is what a person would write by hand for the same rules, without declarations, traces
or reasons: one Python function with every condition in it, numpy for the scores, the same draw.
Ours and the floor run interleaved over the same people and must let the same offers through.
Target (in process): p50 at most 200 µs.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from dipper.decide.arbitration import Decider, compile_decider
from dipper.decide.rank.model import FEATURE_MAX, Model
from dipper.decide.ranking import Published
from dipper.decide.request import DecideRequest
from dipper.decide.trace import encode
from dipper.profile.assessments import Assessment
from dipper.profile.consents import ConsentState
from dipper.profile.holdings import Holding
from dipper.spec.load import load_text
from dipper.spec.program import Program
from dipper.spec.tables import TableVersion

NOW_US = 1_795_000_000_000_000
PEOPLE = 500
TAGS = 40
SEGMENTS = 20
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
        f"kind: event\nname: seen\n{HEAD}",
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
            "value: {aggregate: count, event: seen}"
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


def people(offers: list[Rule]) -> list[Person]:
    """Adults with their own tags, holdings, consents and counts."""
    draw = random.Random(11)
    found = []
    for _ in range(PEOPLE):
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


def floor_of(offers: list[Rule], model: Model) -> Callable[[Person, float], tuple[list[int], int]]:
    """The same rules as one function written out by hand, and the same ranking in numpy."""
    lines = ["def passing(age, tags, segments, held, level, valid, consent, caps):", " found = []"]
    lines += [" if not valid or not consent or caps['week'] >= 5: return found"]
    for at, rule in enumerate(offers):
        checks = [f"{rule.age_from} <= age <= {rule.age_to}"]
        checks += [f"(tags['t{rule.tag}'] >= {rule.at_least} or 's{rule.segment}' in segments)"]
        checks += [f"'{rule.product}' not in held", f"caps['{rule.line}_week'] < 3"]
        if rule.line in ("wealth", "fund", "insurance"):
            checks.append(f"level >= {rule.risk}")
        lines.append(f" if {' and '.join(checks)}: found.append({at})")
    namespace: dict[str, Any] = {}
    exec("\n".join([*lines, " return found"]), namespace)
    passing = namespace["passing"]
    worth = np.array([float(rule.value_fen) for rule in offers])
    weights, counts = model.weights, model.counts
    first = [f"t{i}" for i in range(20)]

    def decide(person: Person, draw: float) -> tuple[list[int], int]:
        consent, assessed = person.consents["marketing"], person.assessment
        found = passing(
            person.traits["age"],
            person.tags,
            person.segments,
            {holding.product for holding in person.holdings},
            assessed.level,
            assessed.valid_until_us > NOW_US,
            consent.given and consent.notice_version == "v1",
            person.caps,
        )
        if not found:
            return found, -1
        x = np.log1p(np.array([0, person.traits["age"], 0, *map(person.tags.get, first)], float))
        x[0] = 1.0
        at = np.array(found)
        expected = weights.dot(np.minimum(x, FEATURE_MAX))[at] * worth[at]
        best = expected.argmax()
        rates = 300.0 / (0.2 * worth[at].max()) * np.sqrt(len(at) * counts[at])
        chances = 1.0 / (len(at) + rates * (expected[best] - expected))
        chances[best] = 0.0
        chances[best] = 1.0 - chances.sum()
        chances = 0.98 * chances + 0.02 / len(at)
        return found, int(at[chances.cumsum().searchsorted(draw)])

    return decide


def measure(count: int, rounds: int) -> dict[str, Any]:
    """Times in µs of ours and the floor, interleaved over the same people."""
    offers = rules(count)
    program, tables = program_of(offers)
    start = time.perf_counter()
    decider = compile_decider(program, tables)
    compiled_s = time.perf_counter() - start
    published = model_of(decider, offers)
    floor = floor_of(offers, published.model)
    request = DecideRequest(placement="here", ids={"customer_no": "1"})
    ours_us, floor_us, sizes, kept = [], [], [], 0
    draw = random.Random(5)
    everybody = people(offers)
    for _ in range(rounds):
        for person in everybody:
            chance = draw.random()
            start = time.perf_counter_ns()
            decided = decider.decide(request, person, NOW_US, chance, "decision", published)
            data = encode(decided.trace)
            middle = time.perf_counter_ns()
            found, _ = floor(person, chance)
            end = time.perf_counter_ns()
            ours_us.append((middle - start) / 1000)
            floor_us.append((end - middle) / 1000)
            sizes.append(len(data))
            kept += decided.trace.passed
            if decided.trace.passed != len(found):
                raise SystemExit(
                    f"the floor lets {len(found)} through, ours {decided.trace.passed}"
                )
    return {
        "offers": count,
        "decisions": len(ours_us),
        "passed_mean": round(kept / len(ours_us), 1),
        "compile_s": round(compiled_s, 3),
        "ours_p50_us": round(float(np.percentile(ours_us, 50)), 1),
        "ours_p99_us": round(float(np.percentile(ours_us, 99)), 1),
        "floor_p50_us": round(float(np.percentile(floor_us, 50)), 1),
        "floor_p99_us": round(float(np.percentile(floor_us, 99)), 1),
        "ratio_p50": round(float(np.percentile(ours_us, 50) / np.percentile(floor_us, 50)), 2),
        "trace_max_bytes": max(sizes),
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--offers", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args()
    found = measure(chosen.offers, chosen.rounds)
    if chosen.json:
        print(json.dumps(found))
        return
    print(
        f"decide, {found['offers']} offers, {found['decisions']} decisions, "
        f"{found['passed_mean']} offers pass on average; compiled in {found['compile_s']} s"
    )
    print(f"{'':24}{'p50 µs':>10}{'p99 µs':>10}")
    print(f"{'ours, trace encoded':24}{found['ours_p50_us']:>10}{found['ours_p99_us']:>10}")
    print(f"{'by hand, no trace':24}{found['floor_p50_us']:>10}{found['floor_p99_us']:>10}")
    print(f"ratio {found['ratio_p50']}, largest trace {found['trace_max_bytes']} bytes")


if __name__ == "__main__":
    main()
