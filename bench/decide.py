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
from collections.abc import Callable
from typing import Any

import numpy as np

from dipper.decide.arbitration import compile_decider
from dipper.decide.rank.model import FEATURE_MAX, Model
from dipper.decide.request import DecideRequest
from dipper.decide.trace import encode
from parts.offers import NOW_US, Person, Rule, model_of, people, program_of, rules

PEOPLE = 500


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
    everybody = people(offers, PEOPLE)
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
