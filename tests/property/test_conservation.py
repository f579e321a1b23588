"""Conservation: received = good + failed + duplicate + refused, each record in exactly one."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from dipper.collect.collector import Collector
from dipper.collect.counts import Counts
from dipper.collect.dialects import registry, segment
from dipper.collect.duplicates import Duplicates
from dipper.collect.erasures import Erasures
from dipper.collect.plan import Plan
from dipper.collect.sources import SourceKeys, Sources
from dipper.engine.ports import Entry, Record
from dipper.engine.record import CONTROL_DECODER, EVENT_DECODER, FAILED_DECODER, RecordKind
from dipper.spec.load import load_text
from dipper.spec.program import Program

BANK = Path(__file__).parent.parent / "collect" / "bank.yml"
NOW_US = 1_795_499_156_000_000
ERASED = frozenset({"customer_no:7"})

EVENTS = st.fixed_dictionaries(
    {
        "event": st.sampled_from(["bill_paid", "tidy_event", "settled", "unheard_of", 5]),
        "properties": st.sampled_from(
            [{"amount_fen": 1}, {"amount_fen": 2, "note": "x"}, {"amount_fen": "x"}, {}, [], None]
        ),
    },
    optional={
        "type": st.sampled_from(["track", "identify", "alias", "odd"]),
        "userId": st.sampled_from(["1", "2", "7", "", {"a": 1}]),
        "anonymousId": st.sampled_from(["d1", "d2"]),
        "messageId": st.sampled_from([f"m{number}" for number in range(8)]),
        "timestamp": st.sampled_from(
            ["2026-11-24T05:45:55Z", "2026-11-20T05:45:55Z", "1999-01-01T00:00:00Z", "soon"]
        ),
    },
)
REQUESTS = st.tuples(
    st.sampled_from(["app", "server", "core"]),
    st.lists(EVENTS, max_size=5),
    st.booleans(),
)


def _bank() -> tuple[Sources, Plan]:
    objects = load_text(BANK.read_text("utf-8")).objects
    program = Program.from_objects([found.spec for found in objects])
    keys = {name: SourceKeys(f"wk_{name}") for name in program.of("source")}
    return Sources.compile(program, keys), Plan.compile(program)


SOURCES, PLAN = _bank()


class House:
    """Gateways of all partitions with logs that are lists."""

    def __init__(self, partitions: int) -> None:
        self.logs: list[list[Entry]] = [[] for _ in range(partitions)]
        self.counts: dict[str, Counts] = {}
        self.desks = [self._desk(number, Duplicates()) for number in range(partitions)]

    def _desk(self, partition: int, duplicates: Duplicates) -> Collector:
        erasures = Erasures(lambda text: f"hash of {text}" if text in ERASED else None)
        collector = Collector(
            SOURCES,
            PLAN,
            duplicates,
            registry.build(),
            partition=partition,
            partitions=len(self.logs),
            erasures=erasures,
        )
        collector.warm()
        return collector

    def send(self, receiver: int, source: str, events: list[dict[str, Any]]) -> None:
        """A request that one gateway receives."""
        body = json.dumps({"batch": events}).encode()
        found = self.desks[receiver].collect_body(SOURCES.by_name[source], body, None, NOW_US)
        self._keep(receiver, found.entries, dict(found.counts))
        for home, entries in found.foreign.items():
            admitted = self.desks[home].admission.admit_handed(entries, NOW_US)
            self._keep(home, admitted.entries, admitted.counts)

    def fail(self, receiver: int, source: str, events: list[dict[str, Any]]) -> None:
        """A request of which no append succeeds."""
        batch = segment.read(json.dumps({"batch": events}).encode(), None).batch
        desk = self.desks[receiver]
        desk.admission.undo(desk.collect(SOURCES.by_name[source], batch, NOW_US).entries)

    def restart(self) -> None:
        """Every gateway dies and finds its index again in its log."""
        for number, log in enumerate(self.logs):
            duplicates = Duplicates()
            duplicates.rebuild(
                Record(number, place, RecordKind(kind), NOW_US, payload, False)
                for place, (kind, payload) in enumerate(log)
            )
            self.desks[number] = self._desk(number, duplicates)

    def _keep(self, home: int, entries: list[Entry], counts: dict[str, Counts]) -> None:
        self.logs[home] += entries
        for source, found in counts.items():
            self.counts[source] = self.counts.get(source, Counts()).plus(found)

    def logged(self) -> dict[str, Counts]:
        """The same counts, from the logs alone."""
        found: dict[str, Counts] = {}
        for kind, payload in (entry for log in self.logs for entry in log):
            if kind == RecordKind.EVENT:
                source, part = EVENT_DECODER.decode(payload).source, Counts(good=1)
            elif kind == RecordKind.FAILED:
                source, part = FAILED_DECODER.decode(payload).source, Counts(failed=1)
            else:
                body = CONTROL_DECODER.decode(payload).body
                if "source" not in body:
                    continue
                source = body["source"]
                part = Counts(duplicate=body["duplicate"], refused=body["refused"])
            found[source] = found.get(source, Counts()).plus(part)
        return found


@settings(max_examples=200, deadline=None)
@given(st.lists(REQUESTS, min_size=1, max_size=8), st.integers(1, 3), st.data())
def test_every_record_is_counted_exactly_once(
    requests: list[tuple[str, list[dict[str, Any]], bool]], partitions: int, data: st.DataObject
) -> None:
    """Over any requests, partitions, restarts and failed appends, and the log says the same."""
    house = House(partitions)
    received: Counter[str] = Counter()
    for source, events, fails_first in requests:
        receiver = data.draw(st.integers(0, partitions - 1))
        if fails_first and partitions == 1:
            house.fail(receiver, source, events)
        house.send(receiver, source, events)
        received[source] += len(events)
        if data.draw(st.booleans()):
            house.restart()
    totals = {source: found.received for source, found in house.counts.items()}
    assert totals == {source: received[source] for source in totals}
    assert sum(received.values()) == sum(totals.values())
    assert house.logged() == {
        source: found for source, found in house.counts.items() if found.received
    }


@settings(max_examples=100, deadline=None)
@given(st.lists(REQUESTS, min_size=1, max_size=5))
def test_a_resend_of_everything_adds_nothing(
    requests: list[tuple[str, list[dict[str, Any]], bool]],
) -> None:
    """Sent again after a restart, every record is a duplicate or refused, and no record is new."""
    house = House(1)
    for source, events, _ in requests:
        house.send(0, source, events)
    house.restart()
    before = [entry for entry in house.logs[0] if entry[0] != RecordKind.CONTROL]
    for source, events, _ in requests:
        house.send(0, source, events)
    assert [entry for entry in house.logs[0] if entry[0] != RecordKind.CONTROL] == before
