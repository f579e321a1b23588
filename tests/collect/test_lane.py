"""The lane: what it takes, and what it leaves to the complete judgement."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from dipper.collect.collector import Collector
from dipper.collect.dialects import registry
from dipper.collect.duplicates import Duplicates
from dipper.collect.lane import Kernel, Lane, Laned
from dipper.collect.plan import Plan
from dipper.collect.rules import Rules
from dipper.collect.sources import Sources

NOW_US = 1_795_499_156_000_000
Paid = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def kernel() -> Kernel:
    """The compiled kernel."""
    found = Kernel()
    found.warm()
    return found


@pytest.fixture
def lane(plan: Plan, sources: Sources, kernel: Kernel) -> Lane:
    """The lane of the public source."""
    return Lane(Rules(plan, sources.by_name["app"]), Duplicates().key_of("app"), kernel)


def run(lane: Lane, *events: dict[str, Any], batch_max: int = 100, **root: Any) -> Laned | None:
    """Send a batch through the lane."""
    body = json.dumps({"batch": list(events), **root}, ensure_ascii=False).encode()
    return lane.run(body, False, NOW_US, batch_max, 32_768)


def takes(lane: Lane, event: dict[str, Any]) -> bool:
    """Whether the lane writes the record of an event."""
    laned = run(lane, event)
    assert laned is not None
    return laned.is_complete


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"type": ...},
        {"userId": ...},
        {"anonymousId": None},
        {"event": "付款成功"},
        {"integrations": {"All": True}, "unheard": [1, {"of": None}]},
        {"context": {"ip": "::1", "dipper": {"scenario": "账单", "seq": 5, "unheard": 1}}},
        {"properties": {"amount_fen": -5, "fee": 1, "biller": "国家电网", "first_time": None}},
        {"properties": {"amount_fen": 5, "account_no": "6222021234567894", "due_on": "2026-12-01"}},
        {"properties": {"amount_fen": 5, "fee": 0.0}},
        {"properties": {"amount_fen": 5, "fee": 0.0005}},
        {"groupId": None, "originalTimestamp": None, "sentAt": None},
    ],
)
def test_plain_events_take_the_lane(lane: Lane, paid: Paid, change: dict[str, Any]) -> None:
    """Chinese texts, unknown members, absent ids and nulls are plain."""
    assert takes(lane, paid(**change))


@pytest.mark.parametrize(
    ("event", "properties"),
    [
        ("consent_given", {"purpose": "marketing", "notice_version": "2", "separate": True}),
        ("consent_withdrawn", {"purpose": "marketing"}),
        ("product_opened", {"product": "wealth.r2", "account": "A1", "opened_on": "2026-11-24"}),
        ("assessment_recorded", {"risk_level": 3, "valid_until": "2027-11-24"}),
    ],
)
def test_what_the_core_says_takes_the_lane(
    plan: Plan, sources: Sources, kernel: Kernel, paid: Paid, event: str, properties: dict[str, Any]
) -> None:
    """Reserved events of a source that is believed for them; consents are told apart."""
    lane = Lane(Rules(plan, sources.by_name["core"]), Duplicates().key_of("core"), kernel)
    dipper = {"subjects": {"organisation": "org_no:1a", "case": "case_no:7"}}
    laned = run(lane, paid(event=event, properties=properties, context={"dipper": dipper}))
    assert laned is not None
    assert laned.is_complete
    assert laned.has_consents == event.startswith("consent_")


@pytest.mark.parametrize(
    "change",
    [
        {"type": "page"},
        {"event": "settled"},
        {"event": "consent_withdrawn"},
        {"event": "never_heard_of"},
        {"groupId": "913"},
        {"sentAt": "2026-11-24T05:45:55Z"},
        {"messageId": ""},
        {"messageId": ...},
        {"timestamp": "2026-11-24"},
        {"timestamp": ...},
        {"userId": "", "anonymousId": ""},
        {"userId": " 1"},
        {"userId": 5},
        {"userId": "é"},
        {"properties": {}},
        {"properties": {"amount_fen": 5, "colour": 1}},
        {"properties": {"amount_fen": 5, "biller": "a=b"}},
        {"properties": {"amount_fen": 5, "biller": "4111 1111 1111 1111 123"}},
        {"properties": {"amount_fen": 5, "biller": "ＡＢ"}},
        {"properties": {"amount_fen": 5, "pay_way": "barter"}},
        {"properties": {"amount_fen": 5.0}},
        {"properties": {"amount_fen": 5, "fee": 1e-7}},
        {"properties": {"amount_fen": 5, "due_on": "2026-02-30"}},
        {"context": {"dipper": {"token": "x"}}},
        {"context": {"dipper": {"subjects": {"case": "1"}}}},
        {"context": {"dipper": {"scenario": 5}}},
        {"context": {"dipper": {"link": "https://x"}}},
        {"context": 5},
    ],
)
def test_everything_else_is_left_to_the_judgement(
    lane: Lane, paid: Paid, change: dict[str, Any]
) -> None:
    """Good or bad: the lane does not decide what it is not sure of."""
    assert not takes(lane, paid(**change))


def test_one_odd_event_closes_the_lane_for_itself_only(lane: Lane, paid: Paid) -> None:
    """Its neighbours are taken, and its text is there for the judgement."""
    odd = paid(properties={"amount_fen": "x"})
    laned = run(lane, paid(), odd, paid(userId="2", anonymousId="d-2"))
    assert laned is not None
    assert [payload is None for payload in laned.payloads] == [False, True, False]
    assert json.loads(laned.raw(1)) == odd


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b'{"batch":5}',
        b'{"batch":[5]}',
        b'{"batch":[{}],"batch":[]}',
        b'{"batch":[],"sentAt":"soon"}',
        b'{"batch":[],"sentAt":5}',
        b'{"batch":[],"writeKey":5}',
        b'{"batch":[],"context":{"dipper":{}}}',
        b'{"batch":[{"a":"\\ud800"}]}',
        b'{"batch":[{"\\u0061":1}]}',
        b'{"batch":[]}x',
        b'{"batch":[]',
    ],
)
def test_an_unusual_request_is_read_otherwise(lane: Lane, body: bytes) -> None:
    """Broken, or with something that concerns all its events."""
    assert lane.run(body, False, NOW_US, 100, 32_768) is None


def test_limits_hold(lane: Lane, paid: Paid) -> None:
    """More events than a batch may have are read otherwise; a record too long is not taken."""
    assert run(lane, *[paid()] * 3, batch_max=3) is not None
    assert run(lane, *[paid()] * 3, batch_max=2) is None
    long = paid(properties={"amount_fen": 5, "biller": "x" * 40_000})
    assert not takes(lane, long)


def test_a_large_body_finds_room(lane: Lane, paid: Paid) -> None:
    """Thousands of events and megabytes in one request."""
    events = [paid(userId=str(number), context={"x": "y" * 900}) for number in range(2_400)]
    laned = run(lane, *events, batch_max=2_500)
    assert laned is not None
    assert laned.is_complete
    assert len(set(laned.payloads)) == 2_400
    assert laned.earliest_us == laned.latest_us == 1_795_499_155_618_000


def test_a_name_that_an_sdk_writes_its_own_way_is_learned(
    plan: Plan, sources: Sources, kernel: Kernel, paid: Paid
) -> None:
    """The first one is judged; from then on the lane knows it."""
    rules = Rules(plan, sources.by_name["app"])
    lane = Lane(rules, Duplicates().key_of("app"), kernel)
    event = paid(event="Bill Paid")
    assert not takes(lane, event)
    assert rules["Bill Paid"].event == "bill_paid"
    assert takes(lane, event)


def test_while_the_kernel_compiles_everything_is_judged(
    plan: Plan, sources: Sources, desk: Any, paid: Paid
) -> None:
    """With the same result."""

    class Cold(Kernel):
        def is_warm(self) -> bool:
            return False

    collector = Collector(sources, plan, Duplicates(), registry.build())
    collector._kernel = Cold()
    body = json.dumps({"batch": [paid(), paid(userId="国")]}).encode()
    cold = collector.collect_body(sources.by_name["app"], body, None, NOW_US)
    warm = desk.collector.collect_body(sources.by_name["app"], body, None, NOW_US)
    assert cold == warm
