"""Any arrival order gives the same subjects; online equals batch equals the plain definition."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
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
from dipper.kit.clock import DAY_US, HOUR_US
from dipper.profile.id_state import read_facts, read_header, records_at
from dipper.profile.project import project
from dipper.profile.subject import Subject, load_subject
from dipper.profile.tags import TagTable, compile_tags, family_of
from dipper.profile.tick import tick
from dipper.spec.kinds.event import Event as EventSpec
from dipper.spec.kinds.property import Property
from dipper.spec.kinds.segment import Segment
from dipper.spec.kinds.tag import Tag
from dipper.spec.program import Program

START = 1_790_000_000_000_000
PERSONS = ["customer_no:A", "customer_no:B", "login:l", "login:m"]
DEVICES = ["device:x", "device:y"]
CITIES = ["N", "S"]
NOW = START + 40 * DAY_US


def spec(kind: type, name: str, **fields: Any) -> Any:
    common = {
        "title": {"zh": "某", "en": "some"},
        "owners": {"business": "b", "technical": "t", "managing": "m"},
    }
    if kind in (Tag, Segment):
        fields["purposes"] = ["service"]
    return kind.model_validate_json(msgspec.json.encode({"name": name, **common, **fields}))


def tag(name: str, **value: Any) -> Any:
    return spec(Tag, name, value=value)


def objects() -> list[Any]:
    pay = {"event": "paid", "property": "fen"}
    return [
        spec(Property, "fen", type="int", pi_class="none"),
        spec(Property, "rate", type="double", pi_class="none"),
        spec(Property, "shop", type="text", pi_class="none"),
        spec(Property, "city", type="text", of="person", pi_class="none"),
        spec(EventSpec, "paid", properties=["fen", "rate", "shop"]),
        tag("count_7d", aggregate="count", event="paid", where="fen > 0", window="7d"),
        tag("count", aggregate="count", event="paid", where="fen > 0"),
        tag("sum_30d", aggregate="sum", window="30d", **pay),
        tag("rates", aggregate="sum", event="paid", property="rate"),
        tag("least", aggregate="min", **pay),
        tag("most_7d", aggregate="max", window="7d", **pay),
        tag("first_shop", aggregate="first", event="paid", property="shop"),
        tag("last_shop_7d", aggregate="last", event="paid", property="shop", window="7d"),
        tag("shops", aggregate="distinct", event="paid", property="shop"),
        spec(Segment, "payers", where="tag.count_7d >= 2"),
        spec(Segment, "northern", where="person.city = 'N' AND tag.count >= 1"),
        spec(Segment, "owners", where="holds('p')"),
    ]


@pytest.fixture(scope="module")
def table() -> TagTable:
    return compile_tags(Program.from_objects(objects()))


times = st.integers(0, 40 * 24).map(lambda hours: START + hours * HOUR_US)
finite = st.sampled_from([0.1, 0.2, 0.3, 1e15, -1e15, 3.0])
amounts = st.sampled_from([0, 1, 5, 100, 2**63 - 1])


def events() -> st.SearchStrategy[Event]:
    """Any event that a public key, a server or the core may send about few ids."""
    paid = st.fixed_dictionaries(
        {}, optional={"fen": amounts, "rate": finite, "shop": st.sampled_from("abc")}
    )
    base = {"time_us": times, "seq": st.integers(0, 1)}
    person, device = st.sampled_from(PERSONS), st.sampled_from(DEVICES)
    server = {"source": st.just("s"), "trust": st.just("server")}
    core = {"source": st.just("k"), "trust": st.just("core")}
    public = {"source": st.just("p"), "trust": st.just("public")}
    both = st.fixed_dictionaries({"person": person, "device": device})
    only = st.fixed_dictionaries({"person": person})

    def of(name: str, subjects: Any, properties: Any, extra: dict[str, Any]) -> Any:
        fields = {
            "event": st.just(name),
            "subjects": subjects,
            "properties": properties.map(lambda p: msgspec.Raw(msgspec.json.encode(p))),
            **base,
            **extra,
        }
        return st.fixed_dictionaries(fields)

    other = st.fixed_dictionaries({"other_id": st.sampled_from(PERSONS + DEVICES)})
    product = st.fixed_dictionaries({"product": st.sampled_from("pq"), "account": st.just("1")})
    city = st.fixed_dictionaries({"city": st.sampled_from(CITIES)})
    purpose = st.fixed_dictionaries({"purpose": st.just("marketing")})
    choices = [
        of("paid", only, paid, server),
        of("paid", both, paid, server),
        of("paid", st.fixed_dictionaries({"device": device}), paid, public),
        of("paid", both, paid, {**public, "claims": st.just(("person",))}),
        of("subject_bound", only, other, server),
        of("subject_unbound", only, other, server),
        of("identify", only, city, server),
        of("consent_given", only, purpose, server),
        of("consent_withdrawn", st.fixed_dictionaries({"device": device}), purpose, public),
        of("product_opened", only, product, core),
        of("product_closed", only, product, core),
    ]
    return st.one_of(choices).map(lambda fields: fields)


batches = st.lists(events(), min_size=1, max_size=14).map(
    lambda found: [
        Event(message_id=f"m{n}", received_us=START, **fields) for n, fields in enumerate(found)
    ]
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


def records(found: list[Event]) -> list[Record]:
    return [
        Record(0, n, RecordKind.EVENT, START, EVENT_ENCODER.encode(event), False)
        for n, event in enumerate(found)
    ]


def run(made: EmbeddedState, table: TagTable, found: list[Event], size: int) -> None:
    log = records(found)
    for start in range(0, len(log), size):
        with made.read() as reader:
            done = project(log[start : start + size], reader, table)
        made.write(done.changes, {0: start + size})


def subjects(made: EmbeddedState, table: TagTable) -> dict[str, Subject]:
    with made.read() as reader:
        return {text: load_subject(reader, table, [text], NOW) for text in PERSONS + DEVICES}


def facts_digest(made: EmbeddedState) -> list[tuple[bytes, bytes]]:
    """What follows from facts alone: the ids. Touched marks and announcements are of arrival."""
    with made.read() as reader:
        return list(reader.scan("ids"))


@given(batches, st.randoms(use_true_random=False), st.integers(1, 5))
@settings(max_examples=150, deadline=None)
def test_any_arrival_order_gives_the_same_state(
    table: TagTable, found: list[Event], random: Any, size: int
) -> None:
    """Permuted, some twice, in batches of any size: equal subjects and equal bytes of all ids."""
    arrived = found + found[: len(found) // 3]
    random.shuffle(arrived)
    with state() as one, state() as other:
        run(one, table, found, len(found))
        run(other, table, arrived, size)
        assert subjects(one, table) == subjects(other, table)
        assert facts_digest(one) == facts_digest(other)


@given(batches, st.integers(1, 5))
@settings(max_examples=60, deadline=None)
def test_a_replay_gives_the_same_bytes(table: TagTable, found: list[Event], size: int) -> None:
    """The same log in other batches, with a tick behind it, ends in the same digest."""
    digests = []
    for step in (size, len(found)):
        with state() as made:
            run(made, table, found, step)
            with made.read() as reader:
                ticked = tick(reader, table, None, NOW)
            made.write(ticked.changes, {0: len(found)})
            digests.append((made.dump_digest(), ticked.announcements))
    assert digests[0] == digests[1]


def canonical(made: EmbeddedState, table: TagTable) -> list[tuple[Any, ...]]:
    """The ids with the records that are of use at the last tick, however long they were kept."""
    horizon = table.families["person"].horizon(NOW)
    lifelong = table.families["person"].lifetime_mask
    found = []
    with made.read() as reader:
        for key, data in reader.scan("ids"):
            header = read_header(data)
            layout = table.families[family_of(header.kind)].layout
            rows = layout.matrix(data, records_at(header))
            useful = [r for r in rows.tolist() if r[0] > horizon or r[5] & lifelong]
            facts = read_facts(data, header)
            values = {value for row in useful for value in row[6:]}
            facts.texts = {k: v for k, v in facts.texts.items() if k in values}
            found.append((key, header.kind, header.is_proven, header.last_us, facts, useful))
    return found


@given(batches, st.randoms(use_true_random=False), st.lists(times, max_size=3))
@settings(max_examples=80, deadline=None)
def test_ticks_in_between_change_no_fact(
    table: TagTable, found: list[Event], random: Any, ticks: list[int]
) -> None:
    """Whenever the clock ticked while events arrived, what is known at the end is the same."""
    arrived = list(found)
    random.shuffle(arrived)
    with state() as one, state() as other:
        run(one, table, found, len(found))
        for made, order, moments in ((one, [], []), (other, arrived, sorted(ticks))):
            parts = np.array_split(np.arange(len(order)), len(moments) + 1)
            for part, moment in zip(parts, [*moments, NOW], strict=True):
                for n in part:
                    run(made, table, [order[n]], 1)
                with made.read() as reader:
                    made.write(tick(reader, table, None, moment).changes, {})
        assert subjects(one, table) == subjects(other, table)
        assert canonical(one, table) == canonical(other, table)


@given(batches)
@settings(max_examples=100, deadline=None)
def test_a_device_never_merges_persons(table: TagTable, found: list[Event]) -> None:
    """Without a binding of person ids, no two customers are one subject."""
    apart = [e for e in found if e.event not in ("subject_bound", "subject_unbound")]
    with state() as made:
        if apart:
            run(made, table, apart, 3)
        keys = {text: subject.key for text, subject in subjects(made, table).items()}
    assert len({keys[text] for text in PERSONS}) == len(PERSONS)


@given(batches, st.lists(times, min_size=1, max_size=3))
@settings(max_examples=100, deadline=None)
def test_a_crowd_turns_like_each_alone(
    table: TagTable, found: list[Event], moments: list[int]
) -> None:
    """Ticks by kernels over many subjects and one by one announce and store the same."""
    assert table.kinds["person"].quick is not None
    alone = replace(
        table, kinds={name: replace(kind, quick=None) for name, kind in table.kinds.items()}
    )
    with state() as one, state() as other:
        for made, compiled in ((one, table), (other, alone)):
            announced = []
            for part, moment in zip(
                np.array_split(np.arange(len(found)), len(moments)), sorted(moments), strict=True
            ):
                for n in part:
                    run(made, compiled, [found[n]], 1)
                with made.read() as reader:
                    done = tick(reader, compiled, None, moment)
                made.write(done.changes, {})
                announced += [(e.message_id, e.event) for e in done.announcements]
            made.write({"meta": {b"announced": repr(sorted(announced)).encode()}}, {})
        assert one.dump_digest() == other.dump_digest()
