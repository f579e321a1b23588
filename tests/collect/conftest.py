"""The small bank of these tests, and a collector for it."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dipper.collect.collector import Collected, Collector
from dipper.collect.dialects import registry
from dipper.collect.duplicates import Duplicates
from dipper.collect.plan import Plan
from dipper.collect.sources import Source, SourceKeys, Sources
from dipper.engine.ports import Entry
from dipper.engine.record import (
    CONTROL_DECODER,
    EVENT_DECODER,
    FAILED_DECODER,
    Control,
    Event,
    FailedEvent,
    RecordKind,
)
from dipper.spec.load import load_text
from dipper.spec.program import Program

BANK = Path(__file__).parent / "bank.yml"
NOW_US = 1_795_499_156_000_000
"""2026-11-24T05:45:56Z"""


@pytest.fixture(scope="session")
def program() -> Program:
    """The program of bank.yml."""
    loaded = load_text(BANK.read_text("utf-8"))
    assert not loaded.findings
    return Program.from_objects([found.spec for found in loaded.objects])


@pytest.fixture(scope="session")
def plan(program: Program) -> Plan:
    """Its tracking plan."""
    return Plan.compile(program)


@pytest.fixture(scope="session")
def sources(program: Program) -> Sources:
    """Its sources; the write key of source `x` is `wk_x`."""
    return Sources.compile(
        program, {name: SourceKeys(f"wk_{name}") for name in program.of("source")}
    )


class Desk:
    """A collector with what a test asks of it."""

    def __init__(self, collector: Collector) -> None:
        self.collector = collector
        collector.warm()

    def source(self, name: str) -> Source:
        """A source by name."""
        return self.collector.sources.by_name[name]

    def send(self, source: str, *events: dict[str, Any], **root: Any) -> Sorted:
        """Send events as one Segment batch, received at NOW_US unless `now_us` says otherwise."""
        now_us = root.pop("now_us", NOW_US)
        body = json.dumps({"batch": list(events), **root}).encode()
        return self.send_body(source, body, now_us=now_us)

    def send_body(self, source: str, body: bytes, now_us: int = NOW_US) -> Sorted:
        """Send the body of a batch."""
        return Sorted(self.collector.collect_body(self.source(source), body, None, now_us))


class Sorted:
    """What was collected, decoded and by kind."""

    def __init__(self, collected: Collected) -> None:
        self.collected = collected
        self.entries: list[Entry] = collected.entries
        self.events: list[Event] = []
        self.failed: list[FailedEvent] = []
        self.controls: list[Control] = []
        for kind, payload in collected.entries:
            if kind == RecordKind.EVENT:
                self.events.append(EVENT_DECODER.decode(payload))
            elif kind == RecordKind.FAILED:
                self.failed.append(FAILED_DECODER.decode(payload))
            else:
                self.controls.append(CONTROL_DECODER.decode(payload))

    @property
    def counts(self) -> tuple[int, int, int, int]:
        """good, failed, duplicate, refused of the only source."""
        (found,) = self.collected.counts.values()
        return tuple(found)  # type: ignore[return-value]

    @property
    def only(self) -> Event:
        """The only record, which is a good event."""
        assert not self.failed, self.failed
        (event,) = self.events
        return event

    @property
    def only_failed(self) -> FailedEvent:
        """The only record, which is a failed event."""
        assert not self.events
        (event,) = self.failed
        return event


@pytest.fixture
def desk(sources: Sources, plan: Plan) -> Desk:
    """A collector that has seen nothing."""
    return Desk(Collector(sources, plan, Duplicates(), registry.build()))


@pytest.fixture
def new_desk(sources: Sources, plan: Plan) -> Callable[..., Desk]:
    """Makes further collectors."""

    def make(**options: Any) -> Desk:
        chosen = options.pop("sources", sources)
        duplicates = options.pop("duplicates", None) or Duplicates()
        return Desk(Collector(chosen, plan, duplicates, registry.build(), **options))

    return make


@pytest.fixture
def paid() -> Callable[..., dict[str, Any]]:
    """Makes a `bill_paid` track event with a message id of its own."""

    def make(**fields: Any) -> dict[str, Any]:
        event = {
            "type": "track",
            "event": "bill_paid",
            "userId": "10001",
            "anonymousId": "d-1",
            "messageId": str(uuid.uuid4()),
            "timestamp": "2026-11-24T05:45:55.618Z",
            "properties": {"amount_fen": 12500, "biller": "state_grid"},
        }
        return {key: value for key, value in {**event, **fields}.items() if value is not ...}

    return make
