"""Whichever partition is read first, an erased person who came back has what was received since."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dipper.engine.embedded.state import EmbeddedState
from dipper.engine.ports import Record
from dipper.engine.record import EVENT_ENCODER, Control, Event, RecordKind
from dipper.profile.erasure import tombstone
from dipper.profile.project import project, runs
from dipper.profile.tags import TagTable, compile_tags
from dipper.spec.kinds.event import Event as EventSpec
from dipper.spec.kinds.tag import Tag
from dipper.spec.program import Program

KEY = b"k" * 32
ERASED, OTHER = "customer_no:A", "customer_no:B"
MARK = tombstone(ERASED, KEY).hex()
ROUND_US = 100
"""Each round: events, the order at 50, the new consent at 60 and later, events again."""


@pytest.fixture(scope="module")
def table() -> TagTable:
    def spec(kind: type, name: str, **fields: Any) -> Any:
        common = {
            "title": {"zh": "某", "en": "some"},
            "owners": {"business": "b", "technical": "t", "managing": "m"},
        }
        return kind.model_validate_json(msgspec.json.encode({"name": name, **common, **fields}))

    value = {"aggregate": "count", "event": "paid"}
    return compile_tags(
        Program.from_objects(
            [spec(EventSpec, "paid"), spec(Tag, "times", purposes=["service"], value=value)]
        )
    )


def event(person: str, received_us: int, number: int) -> tuple[RecordKind, bytes, int]:
    found = Event(
        event="paid" if number % 3 else "consent_given",
        message_id=f"m{person}{received_us}-{number}",
        source="s",
        trust="server",
        time_us=1_000 + number,
        received_us=received_us,
        subjects={"person": person},
        properties=msgspec.Raw(b'{"purpose":"marketing"}'),
    )
    return RecordKind.EVENT, EVENT_ENCODER.encode(found), received_us


def control(type_: str, time_us: int, ids: Any) -> tuple[RecordKind, bytes, int]:
    found = Control(type=type_, time_us=time_us, body={"ids": ids})
    return RecordKind.CONTROL, EVENT_ENCODER.encode(found), time_us


@st.composite
def logs(draw: st.DrawFn) -> tuple[list[list[Record]], int]:
    """Partitions that all have the orders and consents, each at its own place among its events,
    and the moment since which the person, if back, is accepted."""
    rounds = draw(st.integers(0, 2))
    is_back = draw(st.booleans())
    partitions = []
    for partition in range(draw(st.integers(1, 3))):
        found, number = [], partition * 1_000
        for turn in range(rounds + 1):
            start = turn * ROUND_US
            # A late one was judged before an order and handed over after it: none may count.
            late = [start - ROUND_US] if turn else []
            for received_us in draw(st.lists(st.sampled_from([start + 10, *late]), max_size=4)):
                number += 1
                found.append(event(draw(st.sampled_from([ERASED, OTHER])), received_us, number))
            if turn < rounds:
                found.append(control("erased", start + 50, [MARK]))
            if turn + 1 < rounds or (turn < rounds and is_back):
                for again in range(draw(st.integers(1, 2))):
                    since = {MARK: start + 50}
                    found.append(control("reinstated", start + 60 + again * 5, since))
        partitions.append(
            [
                Record(partition, at, kind, us, payload, False)
                for at, (kind, payload, us) in enumerate(found)
            ]
        )
    return partitions, (rounds - 1) * ROUND_US + 60 if rounds else -1


def projected(records: list[Record], table: TagTable) -> dict[str, list[tuple[bytes, bytes]]]:
    with tempfile.TemporaryDirectory() as folder:
        state = EmbeddedState(Path(folder) / "state")
        for _, run in runs(records):
            with state.read() as view:
                changes = project(run, view, table, erasure_key=KEY).changes
            state.write(changes, {})
        with state.read() as view:
            found = {name: list(view.scan(name)) for name in ("ids", "erased", "lifted")}
        state.close()
    return found


@given(logs(), st.randoms())
@settings(max_examples=80, deadline=None)
def test_partitions_may_be_read_in_any_order(table: TagTable, found: Any, draw: Any) -> None:
    """The state is the same, and holds of the erased person what was received since the last
    consent (and of everybody else all)."""
    partitions, since_us = found
    left = [list(records) for records in partitions]
    merged = []
    while any(left):
        part = draw.choice([records for records in left if records])
        merged.append(part.pop(0))
    state = projected(merged, table)
    assert state == projected([record for part in partitions for record in part], table)
    is_back = not state["erased"]
    kept = [
        record
        for record in merged
        if record.kind == RecordKind.EVENT
        and (b'"customer_no:B"' in record.payload or (is_back and record.received_us >= since_us))
    ]
    assert state["ids"] == projected(kept, table)["ids"]
