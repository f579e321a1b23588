"""The quick lane of collection gives what the complete judgement gives."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dipper.collect.canonical import encode_all
from dipper.collect.dialects import segment
from dipper.collect.erasures import Erasures
from dipper.collect.judge import Judge
from dipper.collect.lane import Lane
from dipper.collect.plan import Plan
from dipper.collect.rules import Rules
from dipper.collect.sources import SourceKeys, Sources
from dipper.spec.load import load_text
from dipper.spec.program import Program

BANK = Path(__file__).parent.parent / "collect" / "bank.yml"
NOW_US = 1_795_499_156_000_000

WORDS = st.sampled_from(
    ["grid", "国家电网", "6222021234567894", "a b", "x" * 40, "pin=1234", "12:30", "", "é", "ＡＢ"]
) | st.text(max_size=6)
VALUES: dict[str, Any] = {
    "amount_fen": st.integers(-9, 9)
    | st.integers(-(2**63), 2**63 - 1)
    | st.sampled_from([1.5, "1", None, True, 2**63]),
    "biller": WORDS | st.none(),
    "account_no": WORDS,
    "fee": st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False),
    "first_time": st.booleans() | st.none(),
    "pay_way": st.sampled_from(["card", "wallet", "cash", "other"]),
    "due_on": st.sampled_from(["2026-12-01", "2026-13-01", "soon"]),
    "paid_at": st.sampled_from(["2026-11-24T05:45:55Z", "2026-11-24T05:45:55.1+08:00", "x"]),
    "cardPin": st.just("1234"),
    "colour": st.just({"r": [1, 2]}),
}
PROPERTIES = st.fixed_dictionaries({}, optional=VALUES)
IDS = st.sampled_from(["10001", " 10001 ", "a-b", "１２", "", "x" * 256, 5, None]) | WORDS
PLAIN: dict[str, Any] = {"scenario": WORDS, "channel": WORDS, "seq": st.integers(-5, 5)}
DIPPER = st.fixed_dictionaries(
    {},
    optional={
        **PLAIN,
        "business_date": st.sampled_from(["2026-11-24", "soon"]),
        "subjects": st.dictionaries(st.sampled_from(["case", "operator", "boss"]), IDS, max_size=1),
        "token": st.just("a.b.c"),
        "other": st.just(1),
    },
)
TIMES = st.sampled_from(
    [
        "2026-11-24T05:45:55.618Z",
        "2026-11-24T05:45:55.618048+00:00",
        "2026-11-24T13:45:55+08:00",
        "2026-11-24T05:45:55",
        "2026-11-24",
        "1969-01-01T00:00:00Z",
        "soon",
    ]
)
GOOD_EVENTS = st.fixed_dictionaries(
    {
        "event": st.sampled_from(["bill_paid", "Bill Paid", "付款成功"]),
        "userId": st.sampled_from(["10001", "a-b", "x" * 255]),
        "messageId": st.uuids().map(str),
        "timestamp": TIMES.filter(lambda text: text.startswith("2026")),
        "properties": st.fixed_dictionaries(
            {"amount_fen": st.integers(-(2**63), 2**63 - 1)},
            optional={name: VALUES[name] for name in ("biller", "account_no", "fee", "first_time")},
        ),
    },
    optional={
        "anonymousId": IDS,
        "context": st.fixed_dictionaries({"dipper": st.fixed_dictionaries({}, optional=PLAIN)}),
    },
)
ANY_EVENTS = st.fixed_dictionaries(
    {"event": st.sampled_from(["bill_paid", "tidy_event", "strict_event"])},
    optional={
        "type": st.sampled_from(["track", "identify", "page"]),
        "userId": IDS,
        "anonymousId": IDS,
        "groupId": IDS,
        "messageId": st.sampled_from(["m-1", "", "x" * 256]) | WORDS,
        "timestamp": TIMES,
        "originalTimestamp": TIMES,
        "sentAt": TIMES,
        "properties": PROPERTIES,
        "context": st.fixed_dictionaries({}, optional={"dipper": DIPPER, "ip": st.just("::1")}),
    },
)


def _bank() -> tuple[Sources, Plan]:
    objects = load_text(BANK.read_text("utf-8")).objects
    program = Program.from_objects([found.spec for found in objects])
    keys = {name: SourceKeys(f"wk_{name}") for name in program.of("source")}
    return Sources.compile(program, keys), Plan.compile(program)


SOURCES, PLAN = _bank()
_taken = 0


@pytest.mark.parametrize("source", ["app", "server", "phones", "open_app"])
@settings(max_examples=250, deadline=None)
@given(
    events=st.lists(GOOD_EVENTS | ANY_EVENTS, min_size=1, max_size=4),
    sent=st.none() | st.just("2026-11-24T05:45:55.9Z") | TIMES,
    ascii_only=st.booleans(),
)
def test_the_lane_agrees_with_the_complete_judgement(
    source: str, events: list[dict[str, Any]], sent: str | None, ascii_only: bool
) -> None:
    """Every event that the lane takes becomes the same bytes when it is judged completely."""
    global _taken
    body = json.dumps({"batch": events, "sentAt": sent}, ensure_ascii=ascii_only).encode()
    batch = segment.read(body, None).batch
    rules = Rules(PLAN, SOURCES.by_name[source])
    judge = Judge(rules, SOURCES.tokens, Erasures())
    for place, event in enumerate(Lane(rules).run(batch.items, batch.sent, NOW_US)):
        if event is None:
            continue
        _taken += 1
        complete = judge.judge(
            batch.items[place], lambda place=place: batch.raw(place), batch.sent, NOW_US
        )
        assert encode_all([complete]) == encode_all([event])  # type: ignore[list-item]


def test_the_lane_is_not_idle() -> None:
    """The test above means something: the lane took many of the drawn events."""
    assert _taken > 100
