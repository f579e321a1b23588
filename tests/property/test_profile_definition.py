"""Online, batch and definition agree: tags and turns against plain Python over all events."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dipper.engine.embedded.state import EmbeddedState
from dipper.engine.ports import Record
from dipper.engine.record import EVENT_ENCODER, Event, RecordKind
from dipper.fold.records import arrange
from dipper.fold.tags import fold_many
from dipper.kit.clock import DAY_US, HOUR_US
from dipper.kit.hashing import hash64
from dipper.profile.project import project
from dipper.profile.subject import load_subject
from dipper.profile.tags import TagTable, compile_tags
from dipper.profile.tick import tick
from dipper.spec.kinds.event import Event as EventSpec
from dipper.spec.kinds.property import Property
from dipper.spec.kinds.segment import Segment
from dipper.spec.kinds.tag import Tag
from dipper.spec.program import Program

START = 1_790_000_000_000_000
PERSON = "customer_no:A"


def spec(kind: type, name: str, **fields: Any) -> Any:
    common = {
        "title": {"zh": "某", "en": "some"},
        "owners": {"business": "b", "technical": "t", "managing": "m"},
    }
    if kind in (Tag, Segment):
        fields["purposes"] = ["service"]
    return kind.model_validate_json(msgspec.json.encode({"name": name, **common, **fields}))


@pytest.fixture(scope="module")
def table() -> TagTable:
    def tag(name: str, **value: Any) -> Any:
        return spec(Tag, name, value=value)

    return compile_tags(
        Program.from_objects(
            [
                spec(Property, "fen", type="int", pi_class="none"),
                spec(Property, "rate", type="double", pi_class="none"),
                spec(EventSpec, "paid", properties=["fen", "rate"]),
                spec(EventSpec, "complained", properties=[]),
                tag("count_2d", aggregate="count", event="paid", where="fen > 10", window="2d"),
                tag("sum_5d", aggregate="sum", event="paid", property="fen", window="5d"),
                tag("rates", aggregate="sum", event="paid", property="rate"),
                tag("distinct", aggregate="distinct", event="paid", property="fen"),
                tag("complaints_3d", aggregate="count", event="complained", window="3d"),
                tag("score", formula="tag.count_2d * 10 - tag.complaints_3d"),
                spec(Segment, "good", where="tag.count_2d >= 2 AND tag.complaints_3d = 0"),
                spec(Segment, "rich", where="tag.sum_5d > 150 OR tag.score > 25"),
            ]
        )
    )


hours = st.integers(0, 12 * 24)
happenings = st.lists(
    st.tuples(
        hours,
        st.sampled_from(["paid", "paid", "complained"]),
        st.sampled_from([5, 50, 120]),
        st.sampled_from([0.1, 0.7, 1e16, -1e16]),
    ),
    max_size=14,
)


@contextmanager
def state() -> Iterator[EmbeddedState]:
    folder = Path(tempfile.mkdtemp())
    made = EmbeddedState(folder)
    try:
        yield made
    finally:
        made.close()
        shutil.rmtree(folder)


def records(happened: list[Any]) -> list[Record]:
    found = []
    for n, (hour, name, fen, rate) in enumerate(happened):
        properties = {"fen": fen, "rate": rate} if name == "paid" else {}
        event = Event(
            event=name,
            message_id=f"m{n}",
            source="s",
            trust="server",
            time_us=START + hour * HOUR_US,
            received_us=START,
            subjects={"person": PERSON},
            properties=msgspec.Raw(msgspec.json.encode(properties)),
        )
        payload = EVENT_ENCODER.encode(event)
        found.append(Record(0, n, RecordKind.EVENT, START, payload, False))
    return found


def definition(happened: list[Any], now_us: int) -> dict[str, Any]:
    """The tags by their words, over all events in timeline order."""
    ordered = sorted(
        (START + hour * HOUR_US, hash64(f"m{n}"), name, fen, rate)
        for n, (hour, name, fen, rate) in enumerate(happened)
    )
    past = [e for e in ordered if e[0] <= now_us]

    def within(days: int, name: str) -> list[Any]:
        return [e for e in past if e[2] == name and e[0] > now_us - days * DAY_US]

    paid = [e for e in past if e[2] == "paid"]
    rates: float | None = None
    for e in paid:
        rates = e[4] if rates is None else rates + e[4]
    count = sum(1 for e in within(2, "paid") if e[3] > 10)
    complaints = len(within(3, "complained"))
    return {
        "count_2d": count,
        "sum_5d": sum(e[3] for e in within(5, "paid")) or None,
        "rates": rates,
        "distinct": len({e[3] for e in paid}),
        "complaints_3d": complaints,
        "score": count * 10 - complaints,
    }


def members(tags: dict[str, Any]) -> frozenset[str]:
    found = set()
    if tags["count_2d"] >= 2 and tags["complaints_3d"] == 0:
        found.add("good")
    if (tags["sum_5d"] or 0) > 150 or tags["score"] > 25:
        found.add("rich")
    return frozenset(found)


@given(happenings, hours)
@settings(max_examples=150, deadline=None)
def test_online_is_batch_is_the_definition(table: TagTable, happened: list[Any], hour: int) -> None:
    """Event by event, all at once, as one bucket of arrays and by the words: the same values."""
    now_us = START + hour * HOUR_US
    log = records(happened)
    wanted = definition(happened, now_us)
    read = []
    for size in (1, max(1, len(log))):
        with state() as made:
            for start in range(0, len(log), size):
                with made.read() as reader:
                    done = project(log[start : start + size], reader, table)
                made.write(done.changes, {})
            with made.read() as reader:
                read.append(load_subject(reader, table, [PERSON], now_us))
    for subject in read:
        assert subject.tags == wanted
        assert subject.segments == members(wanted)
    assert read[0] == read[1]
    assert _over_arrays(table, happened, now_us) == {
        name: value for name, value in wanted.items() if name != "score"
    }


def _over_arrays(table: TagTable, happened: list[Any], now_us: int) -> dict[str, Any]:
    """The history path: rows made for a whole bucket at once, folded by the batch kernel."""
    family = table.families["person"]
    rows = [family.layout.empty()]
    for record in records(happened):
        event = msgspec.json.decode(record.payload, type=Event)
        maker = table.events[event.event].makers["person"]
        row, mask, _ = maker(event, hash64(event.message_id), 0)
        if mask:
            rows.append(family.layout.matrix(row))
    arranged = arrange(np.concatenate(rows))
    whole = table.kinds["person"].whole
    values, nulls = fold_many(
        arranged, np.array([0]), np.array([len(arranged)]), np.array([now_us]), whole.fold
    )
    plain = whole.plain(values, nulls, [{}])[0]
    return {name.removeprefix("tag."): v for name, v in zip(whole.names, plain, strict=True)}


@given(happenings, st.lists(hours, min_size=1, max_size=4))
@settings(max_examples=150, deadline=None)
def test_turns_are_announced_exactly(
    table: TagTable, happened: list[Any], tick_hours: list[int]
) -> None:
    """With events arriving in time, the announcements are the turns of the definition."""
    ticks = sorted({START - HOUR_US, *(START + hour * HOUR_US for hour in tick_hours)})
    ordered = sorted(range(len(happened)), key=lambda n: happened[n][0])
    log = records(happened)
    announced = []
    with state() as made:
        waiting = [(happened[n][0] * HOUR_US + START, log[n]) for n in ordered]
        for now_us in ticks:
            arrived = [record for at_us, record in waiting if at_us <= now_us]
            waiting = waiting[len(arrived) :]
            if arrived:
                with made.read() as reader:
                    made.write(project(arrived, reader, table).changes, {})
            with made.read() as reader:
                done = tick(reader, table, None, now_us)
            made.write(done.changes, {})
            announced += [
                (e.time_us, msgspec.json.decode(e.properties)["segment"], e.event)
                for e in done.announcements
            ]
    assert sorted(announced) == sorted(_turns(happened, ticks[-1]))


def _turns(happened: list[Any], until_us: int) -> Iterator[tuple[int, str, str]]:
    known: frozenset[str] = frozenset()
    moments = {START + hour * HOUR_US for hour, *_ in happened}
    moments |= {at + days * DAY_US for at in moments for days in (2, 3, 5)}
    for moment in sorted(m for m in moments if m <= until_us):
        now = members(definition(happened, moment))
        for segment in now ^ known:
            yield moment, segment, "segment_entered" if segment in now else "segment_left"
        known = now
