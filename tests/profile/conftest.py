"""A small bank, its state, and a driver that appends events and ticks like a worker does."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from dipper.engine.embedded.state import EmbeddedState
from dipper.engine.ports import Record
from dipper.engine.record import EVENT_ENCODER, Control, Event, RecordKind
from dipper.kit.clock import DAY_US
from dipper.profile.project import Projected, project
from dipper.profile.subject import Subject, load_subject
from dipper.profile.tags import TagTable, compile_tags
from dipper.profile.tick import Ticked, tick
from dipper.spec.kinds.cap import Cap
from dipper.spec.kinds.event import Event as EventSpec
from dipper.spec.kinds.offer import Offer
from dipper.spec.kinds.property import Property
from dipper.spec.kinds.purpose import Purpose
from dipper.spec.kinds.segment import Segment
from dipper.spec.kinds.source import Source
from dipper.spec.kinds.tag import Tag
from dipper.spec.program import Program

COMMON = {
    "title": {"zh": "某", "en": "some"},
    "owners": {"business": "b", "technical": "t", "managing": "m"},
}

DAY = DAY_US
BIG = "amount_fen >= 100"
START = 1_790_000_000_000_000
ERASURE_KEY = b"k" * 32


def spec(kind: type, name: str, **fields: Any) -> Any:
    """A spec of a kind with the fields that all have."""
    given = {"name": name, **COMMON, **fields}
    if kind in (Tag, Segment, Offer):
        given.setdefault("purposes", ["service"])
    return kind.model_validate_json(msgspec.json.encode(given))


def tag(name: str, subject: str = "person", default: Any = None, **value: Any) -> Any:
    """A tag."""
    return spec(Tag, name, subject=subject, default=default, value=value)


def bank_objects() -> list[Any]:
    """Two events, tags of every sort, segments over them, a cap of each scope."""
    of = {"pi_class": "none"}
    return [
        spec(Purpose, "service", basis="contract", notice_version="v1"),
        spec(Property, "amount_fen", type="int", **of),
        spec(Property, "rate", type="double", **of),
        spec(Property, "biller", type="text", **of),
        spec(Property, "due_on", type="date", **of),
        spec(Property, "city", type="text", of="person", **of),
        spec(Property, "age", type="int", of="person", **of),
        spec(Property, "size", type="int", of="organisation", **of),
        spec(
            EventSpec,
            "bill_paid",
            subjects=["person", "organisation"],
            properties=["amount_fen", "rate", "biller", "due_on"],
        ),
        spec(EventSpec, "page_opened", properties=["biller"]),
        spec(Source, "app", trust="public"),
        spec(Source, "trusting_app", trust="public", claims="tags"),
        spec(Source, "server", trust="server"),
        spec(Source, "core", trust="core"),
        tag("bills_30d", aggregate="count", event="bill_paid", where=BIG, window="30d"),
        tag("bills", aggregate="count", event="bill_paid", where=BIG),
        tag("amount_7d", aggregate="sum", event="bill_paid", property="amount_fen", window="7d"),
        tag("rate_sum", aggregate="sum", event="bill_paid", property="rate"),
        tag("rate_least", aggregate="min", event="bill_paid", property="rate", window="30d"),
        tag("first_biller", aggregate="first", event="bill_paid", property="biller"),
        tag("last_biller", "person", "none", aggregate="last", event="bill_paid",
            property="biller", window="30d"),
        tag("billers", aggregate="distinct", event=["bill_paid", "page_opened"], property="biller"),
        tag("last_due", aggregate="max", event="bill_paid", property="due_on"),
        tag("pages_7d", aggregate="count", event="page_opened", window="7d"),
        tag("mean_7d", "person", 0, formula="tag.amount_7d // tag.bills_30d"),
        tag("city_name", "person", "?", attribute="city"),
        tag("sales_7d", "organisation", aggregate="count", event="bill_paid", window="7d"),
        spec(Segment, "payers", where="tag.bills_30d >= 2"),
        spec(Segment, "local_payers", where="segment.payers AND person.city = 'B'"),
        spec(Segment, "holders", where="holds('wealth.a') OR holds_line('fund')"),
        spec(Segment, "idle", where="tag.pages_7d = 0 AND tag.bills >= 1"),
        spec(Segment, "shops", subject="organisation", where="tag.sales_7d >= 1"),
        spec(Cap, "all_week", limit=3, window="7d"),
        spec(Cap, "one_offer", scope="offer", offer="stable", limit=1, window="7d"),
        spec(Cap, "fund_line", scope="line", line="fund", limit=1, window="7d"),
    ]  # fmt: skip


LINES = {"fund.x": "fund", "wealth.a": "wealth"}


class Bank:
    """Appends to an imagined log of one partition and projects it at once."""

    def __init__(self, folder: Path, table: TagTable) -> None:
        self.state = EmbeddedState(folder)
        self.table = table
        self.records: list[Record] = []
        self._messages = 0

    def event(self, name: str, at_us: int, **fields: Any) -> Record:
        """A record of an event: `person=`, `device=`, `organisation=`, `operator=`; envelope
        fields by their names; `properties=` a dict."""
        self._messages += 1
        types = {"person": "customer_no", "operator": "customer_no", "device": "device"}
        types |= {"organisation": "org_no"}
        subjects = {
            role: value if ":" in value else f"{types[role]}:{value}"
            for role in types
            if (value := fields.pop(role, None)) is not None
        }
        properties = msgspec.Raw(msgspec.json.encode(fields.pop("properties", {})))
        given = {"source": "server", "trust": "server", "message_id": f"m{self._messages}"}
        event = Event(
            event=name,
            time_us=at_us,
            received_us=at_us,
            subjects=subjects,
            properties=properties,
            **{**given, **fields},
        )
        return self.record(RecordKind.EVENT, EVENT_ENCODER.encode(event))

    def control(self, type_: str, **body: Any) -> Record:
        """A control record."""
        payload = msgspec.json.encode(Control(type=type_, time_us=START, body=body))
        return self.record(RecordKind.CONTROL, payload)

    def record(self, kind: RecordKind, payload: bytes) -> Record:
        """The next record of the log."""
        record = Record(0, len(self.records), kind, START, payload, False)
        self.records.append(record)
        return record

    def project(self, *records: Record, **options: Any) -> Projected:
        """Project records and write what changes."""
        with self.state.read() as reader:
            done = project(records, reader, self.table, **options)
        self.state.write(done.changes, {0: records[-1].offset + 1})
        return done

    def pay(self, at_us: int, person: str | None = "C1", fen: int = 100, **more: Any) -> Projected:
        """A person pays a bill of `fen`."""
        properties = {"amount_fen": fen} | more.pop("properties", {})
        return self.project(
            self.event("bill_paid", at_us, person=person, properties=properties, **more)
        )

    def tick(self, now_us: int) -> Ticked:
        """Let the clock reach a moment; what is announced is projected too, as from the log."""
        with self.state.read() as reader:
            done = tick(reader, self.table, None, now_us)
        self.state.write(done.changes, {})
        announced = [
            self.record(RecordKind.EVENT, EVENT_ENCODER.encode(event))
            for event in done.announcements
        ]
        if announced:
            self.project(*announced)
        return done

    def turns(self, now_us: int) -> list[tuple[str, str, int]]:
        """Tick, and say (what, segment, when)."""
        return [
            (event.event, msgspec.json.decode(event.properties)["segment"], event.time_us)
            for event in self.tick(now_us).announcements
        ]

    def subject(self, *ids: str, now_us: int = START, **options: Any) -> Subject:
        """The subject of ids; a bare value is a customer number."""
        named = [text if ":" in text else f"customer_no:{text}" for text in ids]
        with self.state.read() as reader:
            return load_subject(reader, self.table, named, now_us, **options)


@pytest.fixture(scope="session")
def table() -> TagTable:
    """The bank's specs, compiled."""
    return compile_tags(Program.from_objects(bank_objects()), LINES)


@pytest.fixture
def bank(tmp_path: Path, table: TagTable) -> Iterator[Bank]:
    """A bank with an empty state."""
    made = Bank(tmp_path / "state", table)
    yield made
    made.state.close()


@pytest.fixture
def table_with() -> Callable[..., TagTable]:
    """The bank's specs with one more tag of a person, compiled."""

    def make(name: str, **value: Any) -> TagTable:
        return compile_tags(Program.from_objects([*bank_objects(), tag(name, **value)]), LINES)

    return make
