"""Fifty rules over thirty attributes: our fused function against the same rules written by hand.

    .venv/bin/python bench/expr.py [--rounds 7] [--json]

The floor is one Python function with what a careful author would write: None checks, no checks
for overflow. Both answer the same rows first, and every answer must agree. Rows have one value in
ten missing. Rounds of both alternate in one process; the best round of each counts.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from collections.abc import Callable, Sequence
from typing import Any

from dipper.expr.parse import parse
from dipper.expr.python import compile_mask
from dipper.expr.types import Scope, Type

CITIES = ("110100", "120100", "310100", "440300", "510100")
LEVELS = ("mass", "gold", "platinum", "private")
WORDS = ("wealth", "loan", "card", "fund.bond", "fund.mix", "insurance.life")

COLUMNS: dict[str, Type] = {
    **{f"tag.n{i}": "int" for i in range(14)},
    **{f"tag.x{i}": "double" for i in range(6)},
    **{f"person.t{i}": "text" for i in range(6)},
    **{f"person.b{i}": "bool" for i in range(4)},
}

# (a rule, the same by hand); {a}, {b} are numbers of attributes, {k} a constant.
SHAPES = [
    (
        "tag.n{a} >= {k} AND person.t{b} = '120100'",
        "n{a} is not None and n{a} >= {k} and t{b} == '120100'",
    ),
    (
        "tag.n{a} BETWEEN {k} AND 60 AND NOT person.b{b}",
        "n{a} is not None and {k} <= n{a} <= 60 and b{b} is False",
    ),
    (
        "tag.n{a} + tag.n{b} > {k} OR person.t{b} = 'gold'",
        "n{a} is not None and n{b} is not None and n{a} + n{b} > {k} or t{b} == 'gold'",
    ),
    (
        "person.t{b} IN ('120100', '310100', '440300') AND tag.x{a} > {k}",
        "t{b} in _CITIES and x{a} is not None and x{a} > {k}",
    ),
    (
        "tag.x{a} / tag.x{b} > 1.5 AND tag.n{k} >= 3",
        "x{a} is not None and x{b} is not None and x{b} != 0 and x{a} / x{b} > 1.5"
        " and n{k} is not None and n{k} >= 3",
    ),
    (
        "COALESCE(tag.n{a}, 0) >= {k} AND (person.b{b} OR tag.n{b} < 10)",
        "(n{a} if n{a} is not None else 0) >= {k} and (b{b} or n{b} is not None and n{b} < 10)",
    ),
    (
        "person.t{b} LIKE 'fund%' OR tag.n{a} IS NULL",
        "t{b} is not None and t{b}.startswith('fund') or n{a} is None",
    ),
    (
        "CASE WHEN person.b{b} THEN tag.n{a} ELSE tag.n{b} END > {k}",
        "(c := n{a} if b{b} else n{b}) is not None and c > {k}",
    ),
    (
        "NOT (tag.n{a} < {k} OR person.t{b} = 'mass')",
        "n{a} is not None and n{a} >= {k} and t{b} is not None and t{b} != 'mass'",
    ),
    (
        "tag.n{a} * 100 // 30 >= {k} AND tag.n{b} <> 0",
        "n{a} is not None and (n{a} * 100 // 30 if n{a} >= 0 else -(-n{a} * 100 // 30)) >= {k}"
        " and n{b} is not None and n{b} != 0",
    ),
]


def rules() -> list[tuple[str, str]]:
    """Each shape five times, over other attributes and constants."""
    made = []
    for round_ in range(5):
        for index, (ours, by_hand) in enumerate(SHAPES):
            numbers = {"a": (round_ + index) % 6, "b": (2 * round_ + index) % 4, "k": 3 + round_}
            made.append((ours.format(**numbers), by_hand.format(**numbers)))
    return made


def floor_function(conditions: Sequence[str]) -> Callable[[Sequence[Any]], int]:
    """The rules by hand as one function of the values in the order of COLUMNS."""
    names = ", ".join(name.split(".")[1] for name in COLUMNS)
    lines = [f"def floor(values):\n    {names} = values\n    m = 0"]
    lines += [f"    if {c}: m |= {1 << i}" for i, c in enumerate(conditions)]
    namespace: dict[str, Any] = {"_CITIES": frozenset(("120100", "310100", "440300"))}
    exec("\n".join([*lines, "    return m"]), namespace)
    function: Callable[[Sequence[Any]], int] = namespace["floor"]
    return function


def make_rows(count: int) -> list[tuple[Any, ...]]:
    draw = random.Random(7)
    texts = CITIES + LEVELS + WORDS

    def value(type_: Type) -> Any:
        if draw.random() < 0.1:
            return None
        if type_ == "int":
            return draw.randrange(-5, 100)
        if type_ == "double":
            return draw.uniform(-10, 100)
        return draw.random() < 0.5 if type_ == "bool" else draw.choice(texts)

    return [tuple(value(t) for t in COLUMNS.values()) for _ in range(count)]


def microseconds(function: Callable[[Sequence[Any]], int], rows: list[tuple[Any, ...]]) -> float:
    start = time.perf_counter()
    for row in rows:
        function(row)
    return (time.perf_counter() - start) * 1e6 / len(rows)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--rounds", type=int, default=7)
    arguments.add_argument("--json", action="store_true")
    options = arguments.parse_args()

    pairs, scope = rules(), Scope(COLUMNS)
    parse("TRUE", scope)  # The first call imports sqlglot.
    start = time.perf_counter()
    parsed = [parse(text, scope) for text, _ in pairs]
    parse_ms = (time.perf_counter() - start) * 1e3
    start = time.perf_counter()
    ours = compile_mask(parsed, list(COLUMNS))
    compile_ms = (time.perf_counter() - start) * 1e3
    floor = floor_function([by_hand for _, by_hand in pairs])

    rows = make_rows(20_000)
    differing = sum(ours(row) != floor(row) for row in rows)
    if differing:
        raise SystemExit(f"{differing} of {len(rows)} rows have another answer by hand")
    rounds = [(microseconds(ours, rows), microseconds(floor, rows)) for _ in range(options.rounds)]
    ours_us, floor_us = min(r[0] for r in rounds), min(r[1] for r in rounds)
    result = {
        "rules": len(pairs),
        "attributes": len(COLUMNS),
        "fused_us": round(ours_us, 2),
        "by_hand_us": round(floor_us, 2),
        "ratio": round(ours_us / floor_us, 2),
        "parse_ms": round(parse_ms, 1),
        "compile_ms": round(compile_ms, 1),
    }
    if options.json:
        print(json.dumps(result))
        return
    print(f"{result['rules']} rules over {result['attributes']} attributes, one row")
    print(f"  fused      {ours_us:6.2f} µs")
    print(f"  by hand    {floor_us:6.2f} µs")
    print(f"  ratio      {ours_us / floor_us:6.2f}")
    print(f"  once: parse {parse_ms:.0f} ms, compile {compile_ms:.0f} ms")


if __name__ == "__main__":
    main()
