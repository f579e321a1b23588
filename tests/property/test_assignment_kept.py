"""The arm of a subject is that of the first decision about it, whatever is bound when."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
from decide_bank import bank as small_bank
from hypothesis import given, settings
from hypothesis import strategies as st

from dipper.decide.request import DecideRequest
from dipper.decide.trace import Trace, encode
from dipper.engine.embedded.state import EmbeddedState
from dipper.engine.ports import Record
from dipper.engine.record import EVENT_ENCODER, Event, RecordKind
from dipper.kit.clock import SECOND_US
from dipper.profile.project import project
from dipper.profile.subject import Subject, load_subject
from dipper.profile.tags import compile_tags
from dipper.surface.http.deciding import roles_of

START = 1_795_000_000_000_000
END = START + 1_000 * SECOND_US
IDS = ["customer_no:A", "customer_no:B", "login:l", "login:m", "device:x", "device:y"]
PERSONS = IDS[:4]
DECIDER = small_bank.decider()
TABLE = compile_tags(small_bank.program(), {})

ids = st.sampled_from(IDS)
acts = st.lists(
    st.one_of(
        st.tuples(st.just("decide"), st.lists(ids, min_size=1, max_size=2, unique=True)),
        st.tuples(st.just("bind"), st.lists(ids, min_size=2, max_size=2, unique=True)),
    ),
    min_size=2,
    max_size=12,
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


def bound(number: int, pair: list[str]) -> Event:
    """The bank's server binds two ids."""
    first, other = sorted(pair, key=IDS.index)
    return Event(
        event="subject_bound",
        message_id=f"m{number}",
        source="server",
        trust="server",
        time_us=START + number * SECOND_US,
        received_us=START,
        subjects={"device" if first.startswith("device") else "person": first},
        properties=msgspec.Raw(msgspec.json.encode({"other_id": other})),
    )


def made(number: int, subjects: Mapping[str, str], trace: Trace) -> Event:
    """The event of a decision, as a gateway writes it."""
    return Event(
        event="decision_made",
        message_id=f"m{number}",
        source="gateway",
        trust="engine",
        time_us=trace.now_us,
        received_us=trace.now_us,
        subjects=dict(subjects),
        properties=msgspec.Raw(encode(trace)),
    )


class Bank:
    """Serves and projects; the projection may lag behind what is asked."""

    def __init__(self, state: EmbeddedState) -> None:
        self.state = state
        self.events: list[Event] = []

    def subject(self, *named: str) -> Subject:
        with self.state.read() as reader:
            return load_subject(reader, TABLE, named, END)

    def arm(self, subject: Subject, now_us: int = END, decision_id: str = "d") -> Trace:
        request = DecideRequest(placement="result", ids={"login": "l"})
        return DECIDER.decide(request, subject, now_us, 0.5, decision_id).trace

    def act(self, what: str, named: list[str]) -> Event:
        number = len(self.events)
        if what == "bind":
            event = bound(number, named)
        else:
            subject = self.subject(*named)
            trace = self.arm(subject, START + number * SECOND_US, f"d{number}")
            event = made(number, roles_of(subject), trace)
        self.events.append(event)
        return event

    def project(self, events: list[Event]) -> None:
        records = [
            Record(0, n, RecordKind.EVENT, START, EVENT_ENCODER.encode(event), False)
            for n, event in enumerate(events)
        ]
        with self.state.read() as reader:
            done = project(records, reader, TABLE)
        self.state.write(done.changes, {0: len(records)})


def first_decisions(events: list[Event]) -> dict[str, tuple[int, str]]:
    """id -> time and arm of the first decision of an id."""
    found: dict[str, tuple[int, str]] = {}
    for event in events:
        if event.event == "decision_made":
            trace = msgspec.json.decode(bytes(event.properties))
            own = {role: text for role, text in event.subjects.items() if role != "device"}
            for text in (own or event.subjects).values():
                found[text] = min((event.time_us, trace["arm"]), found.get(text, (END, "")))
    return found


@settings(max_examples=150, deadline=None)
@given(acts, st.data())
def test_the_first_decision_fixes_the_arm(acts: Any, data: Any) -> None:
    """Ids and devices join in any order, records are projected late and in any order: who is
    served is in the arm of the first decision about any of its ids, and in that of a device that
    became the first person's."""
    with state() as one, state() as other:
        bank = Bank(one)
        waiting: list[Event] = []
        for what, named in acts:
            waiting.append(bank.act(what, named))
            if data.draw(st.booleans()):
                bank.project(data.draw(st.permutations(waiting)))
                waiting = []
        if waiting:
            bank.project(waiting)
        first = first_decisions(bank.events)
        for text in PERSONS:
            subject = bank.subject(text)
            decided = [first[own] for own in subject.ids if own in first]
            decided += [
                found
                for device, found in first.items()
                if device.startswith("device:") and belongs(bank.events, device, found[0], subject)
            ]
            if decided:
                assert bank.arm(subject).arm == min(decided)[1]
        again = Bank(other)
        again.project(data.draw(st.permutations(bank.events)))
        assert again_equals(one, other)


def belongs(events: list[Event], device: str, at_us: int, subject: Subject) -> bool:
    """Whether what a device did at a moment is the subject's: the last person bound by then, or
    the first ever bound."""
    owners = []
    for event in events:
        if event.event == "subject_bound":
            pair = {*event.subjects.values(), msgspec.json.decode(event.properties)["other_id"]}
            if device in pair and (person := pair & set(PERSONS)):
                owners.append((event.time_us, person.pop()))
    by_then = [person for time_us, person in owners if time_us <= at_us]
    owner = by_then[-1] if by_then else owners[0][1] if owners else None
    return owner in subject.ids


def again_equals(one: EmbeddedState, other: EmbeddedState) -> bool:
    """Whether two states have the same ids to the byte."""
    with one.read() as first, other.read() as second:
        return list(first.scan("ids")) == list(second.scan("ids"))
