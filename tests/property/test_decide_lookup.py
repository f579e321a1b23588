"""Conditions that are looked up give the answers of conditions that are computed."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from dipper.decide.condition import judge_condition, make_condition
from dipper.decide.inputs import FALSE, NOW, TRUE, UNKNOWN, Inputs, Values, input_of
from dipper.decide.lookup import Lookup
from dipper.expr.parse import parse
from dipper.expr.types import Scope, Type
from dipper.spec.scope import HOST_FUNCTIONS

COLUMNS: dict[str, Type] = {
    "tag.a": "int",
    "tag.b": "int",
    "tag.rate": "double",
    "person.city": "text",
    "segment.s": "bool",
    "segment.t": "bool",
    "product.line": "text",
}
SCOPE = Scope(COLUMNS, HOST_FUNCTIONS)
INPUTS = Inputs(
    tuple(
        input_of(name, SCOPE)
        for name in sorted((*COLUMNS, NOW, "holds('p1')", "holds('p2')"))
        if not name.startswith("product.")
    )
)
CONSTANTS = {"product.line": "fund"}

atoms = st.sampled_from(
    [
        "tag.a > 2",
        "tag.a BETWEEN 1 AND 3",
        "tag.a IS NULL",
        "tag.a IN (1, 4)",
        "tag.a + 1 > 3",
        "tag.a > tag.b",
        "tag.b <> 0",
        "COALESCE(tag.b, 5) = 5",
        "tag.rate >= 0.5",
        "tag.rate < tag.a",
        "CAST(tag.rate AS text) = '0.0'",
        "person.city = 'paris'",
        "person.city LIKE 'b%'",
        "person.city IS DISTINCT FROM 'rome'",
        "segment.s",
        "segment.t IS NULL",
        "holds('p1')",
        "holds('p2')",
        "now() > TIMESTAMP '1970-01-01 08:00:01'",
        "product.line = 'fund'",
        "product.line = 'loan'",
    ]
)


def combined(parts: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Longer conditions of shorter ones."""
    chains = st.tuples(st.sampled_from([" AND ", " OR "]), st.lists(parts, min_size=2, max_size=4))
    return st.one_of(
        parts.map("NOT ({})".format),
        chains.map(lambda chain: "(" + chain[0].join(chain[1]) + ")"),
    )


conditions = st.recursive(atoms, combined, max_leaves=12)
values = st.builds(
    lambda flags, a, b, rate, city, now_us: Values(
        "".join(flags),
        [
            {"tag.a": a, "tag.b": b, "tag.rate": rate, "person.city": city}[one.name]
            for one in INPUTS.others
        ],
        now_us,
    ),
    st.lists(st.sampled_from([FALSE, TRUE, UNKNOWN]), min_size=4, max_size=4),
    st.one_of(st.none(), st.integers(0, 5)),
    st.one_of(st.none(), st.integers(0, 5)),
    st.sampled_from([None, 0.0, -0.0, 0.5, 2.5]),
    st.sampled_from([None, "paris", "beijing", "rome"]),
    st.sampled_from([0, 2_000_000]),
)


@settings(deadline=None)
@given(
    st.lists(st.one_of(st.none(), conditions), min_size=1, max_size=6),
    st.lists(values, min_size=1, max_size=8),
)
def test_looked_up_equals_computed(texts: list[str | None], people: list[Values]) -> None:
    """Whoever came before, a condition holds in the lookup exactly when its gate would pass."""
    found: list[Any] = [
        None if text is None else make_condition(parse(text, SCOPE, expected="bool"), CONSTANTS)
        for text in texts
    ]
    lookup = Lookup(found, INPUTS)
    for one in people:
        held = lookup.hold(one)
        inputs = INPUTS.named(one)
        assert [bool(held >> at & 1) for at in range(len(found))] == [
            judge_condition(condition, inputs).passed for condition in found
        ]
        assert held >> len(found) == 0
