"""The quick lane of collection gives what the complete judgement gives."""

from __future__ import annotations

import json
from datetime import date, datetime
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dipper.collect.canonical import Stored, content_hash, encode_all
from dipper.collect.dialects import segment
from dipper.collect.duplicates import Duplicates
from dipper.collect.erasures import Erasures
from dipper.collect.judge import Judge
from dipper.collect.lane import Kernel, Lane
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
SUBJECTS = st.dictionaries(
    st.sampled_from(["case", "operator", "organisation", "person", "boss"]),
    IDS
    | st.sampled_from(["org_no:1a", "case_no:", "9x:1", "phone:13800138000", "login:a b", "a:b:c"]),
    max_size=2,
)
DIPPER = st.fixed_dictionaries(
    {},
    optional={
        **PLAIN,
        "business_date": st.sampled_from(["2026-11-24", "soon"]),
        "subjects": SUBJECTS,
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
PLAIN_WORDS = st.sampled_from(
    ["grid", "国家电网", "缴费 2026", "6222021234567894", "a-b_c d", "x" * 40]
)
PLAIN_EVENTS = st.fixed_dictionaries(
    {
        "event": st.just("bill_paid"),
        "userId": st.sampled_from(["10001", "a-b"]),
        "messageId": st.uuids().map(str),
        "timestamp": st.datetimes(datetime(1970, 1, 2), datetime(2199, 1, 1)).map(
            lambda moment: moment.isoformat() + "Z"
        ),
        "properties": st.fixed_dictionaries(
            {"amount_fen": st.integers(-(10**18), 10**18)},
            optional={
                "biller": PLAIN_WORDS | st.none(),
                "account_no": PLAIN_WORDS,
                "fee": st.decimals(-(10**9), 10**9, places=2).map(float) | st.integers(-99, 99),
                "first_time": st.booleans() | st.none(),
                "pay_way": st.sampled_from(["card", "wallet", "cash"]),
                "due_on": st.dates(date(1970, 1, 1), date(2199, 12, 31)).map(str),
            },
        ),
        "context": st.fixed_dictionaries(
            {"dipper": st.fixed_dictionaries({}, optional={**PLAIN, "link": PLAIN_WORDS})}
        ),
    },
    optional={"anonymousId": st.sampled_from(["d-1", ""]), "type": st.just("track")},
)
RESERVED = st.sampled_from(
    [
        ("consent_given", {"purpose": "marketing", "notice_version": "2"}),
        ("consent_withdrawn", {"purpose": "marketing", "channel": "app"}),
        ("product_opened", {"product": "wealth.r2", "account": "A1", "opened_on": "2026-11-24"}),
        ("product_opened", {"product": "wealth.r2", "staff": "S1", "org_unit": "120100"}),
        ("assessment_recorded", {"risk_level": 3, "valid_until": "2027-11-24"}),
        ("assessment_recorded", {"risk_level": 9, "valid_until": "2027-11-24"}),
        ("subject_bound", {"other_id": "login:u1"}),
    ]
)
RESERVED_EVENTS = st.builds(
    lambda reserved, event: {**event, "event": reserved[0], "properties": reserved[1]},
    RESERVED,
    PLAIN_EVENTS,
)
MORE_SUBJECTS = st.dictionaries(
    st.sampled_from(["case", "operator", "organisation"]),
    st.sampled_from(["org_no:1a", "case_no:77", "login:u1"]),
    min_size=1,
    max_size=3,
)


@st.composite
def shop_events(draw: st.DrawFn) -> dict[str, Any]:
    """An event of a shop or a case, which may name no person at all."""
    event = dict(draw(PLAIN_EVENTS))
    if draw(st.booleans()):
        del event["userId"]
    dipper = {**event["context"]["dipper"], "subjects": draw(MORE_SUBJECTS)}
    return {**event, "context": {"dipper": dipper}}


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
DUPLICATES = Duplicates()
KERNEL = Kernel()
KERNEL.warm()
BYTES = [*b'{}[]",:\\0a19 .-+eut', 0, 10, 128, 228, 255]
_taken = 0


@pytest.mark.parametrize("source", ["app", "server", "core", "phones", "open_app"])
@settings(max_examples=250, deadline=None)
@given(
    events=st.lists(
        PLAIN_EVENTS | GOOD_EVENTS | RESERVED_EVENTS | shop_events() | ANY_EVENTS,
        min_size=1,
        max_size=4,
    ),
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
    laned = Lane(rules, DUPLICATES.key_of(rules.source.name), KERNEL).run(
        body, False, NOW_US, 100, 32_768
    )
    if laned is None:
        return
    assert len(laned.payloads) == len(batch.items) == len(events)
    assert laned.sent == batch.sent
    consents = 0
    for place, payload in enumerate(laned.payloads):
        assert json.loads(laned.raw(place)) == events[place]
        if payload is None:
            continue
        _taken += 1
        consents += events[place]["event"].startswith("consent_")
        complete = judge.judge(batch.items[place], partial(batch.raw, place), batch.sent, NOW_US)
        assert isinstance(complete, Stored), complete
        assert encode_all([complete]) == [payload]
        assert laned.contents[place] == content_hash(payload)
        assert laned.originals_us[place] == complete.original_us
        assert laned.keys[place] == DUPLICATES.fingerprint(source, complete.message_id)
    assert laned.has_consents == bool(consents)


def test_the_lane_is_not_idle() -> None:
    """The test above means something: the lane took many of the drawn events."""
    assert _taken > 200


@settings(max_examples=200, deadline=None)
@given(fee=st.floats(allow_nan=False, allow_infinity=False) | st.floats(0, 1e-3))
def test_shortest_numbers_are_copied(fee: float) -> None:
    """A number that an encoder of ours has written stays as it is, however long."""
    event = {
        "event": "bill_paid",
        "userId": "10001",
        "messageId": "m",
        "timestamp": "2026-11-24T05:45:55.618Z",
        "properties": {"amount_fen": 5, "fee": fee},
    }
    body = msgspec.json.encode({"batch": [event]})
    rules = Rules(PLAN, SOURCES.by_name["app"])
    lane = Lane(rules, DUPLICATES.key_of(rules.source.name), KERNEL)
    laned = lane.run(body, False, NOW_US, 100, 32_768, is_canonical=True)
    assert laned is not None
    batch = segment.read(body, None).batch
    complete = Judge(rules, SOURCES.tokens, Erasures()).judge(
        batch.items[0], partial(batch.raw, 0), None, NOW_US
    )
    assert isinstance(complete, Stored)
    assert laned.payloads[0] in (None, encode_all([complete])[0])
    assert laned.payloads[0] is not None or not 1e-5 <= abs(fee) < 1e15


@settings(max_examples=300, deadline=None)
@given(
    event=PLAIN_EVENTS,
    changes=st.lists(
        st.tuples(st.floats(0, 0.999), st.sampled_from("rid"), st.sampled_from(BYTES)),
        min_size=1,
        max_size=3,
    ),
)
def test_a_broken_body_is_never_taken(
    event: dict[str, Any], changes: list[tuple[float, str, int]]
) -> None:
    """Where a byte or three are wrong, the lane takes only what the strict decoder takes too."""
    body = bytearray(json.dumps({"batch": [event]}, ensure_ascii=False).encode())
    for share, act, byte in changes:
        place = int(share * len(body))
        if act == "r":
            body[place] = byte
        elif act == "i":
            body.insert(place, byte)
        else:
            del body[place]
    rules = Rules(PLAN, SOURCES.by_name["app"])
    laned = Lane(rules, DUPLICATES.key_of(rules.source.name), KERNEL).run(
        bytes(body), False, NOW_US, 100, 32_768
    )
    if laned is None:
        return
    strict = msgspec.json.decode(bytes(body), type=dict[str, msgspec.Raw])
    assert len(msgspec.json.decode(strict["batch"], type=list[msgspec.Raw])) == len(laned.payloads)
    batch = segment.read(bytes(body), None).batch
    judge = Judge(rules, SOURCES.tokens, Erasures())
    for place, payload in enumerate(laned.payloads):
        if payload is not None:
            found = judge.judge(batch.items[place], partial(batch.raw, place), batch.sent, NOW_US)
            assert isinstance(found, Stored), found
            assert encode_all([found]) == [payload]


@pytest.mark.parametrize("path", ["/v1/track", "/v1/t"])
def test_a_single_event_takes_the_lane(path: str) -> None:
    """On its own route, with its sending time and its key beside it."""
    event = {
        "event": "bill_paid",
        "userId": "10001",
        "messageId": "m",
        "timestamp": "2026-11-24T05:45:55.618Z",
        "sentAt": "2026-11-24T05:45:55.700Z",
        "writeKey": "wk",
        "properties": {"amount_fen": 5, "biller": "国家电网"},
    }
    body = json.dumps(event, ensure_ascii=True).encode()
    batch = segment.read(body, segment.ROUTES[path]).batch
    rules = Rules(PLAN, SOURCES.by_name["app"])
    laned = Lane(rules, DUPLICATES.key_of(rules.source.name), KERNEL).run(
        body, True, NOW_US, 100, 32_768
    )
    assert laned is not None
    judge = Judge(rules, SOURCES.tokens, Erasures())
    complete = judge.judge(batch.items[0], partial(batch.raw, 0), batch.sent, NOW_US)
    assert isinstance(complete, Stored)
    assert laned.payloads == encode_all([complete])
