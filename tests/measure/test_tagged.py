"""Tagged is who has a tag that says something."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from dipper.engine.embedded.state import EmbeddedState
from dipper.engine.ports import Record
from dipper.engine.record import EVENT_ENCODER, Event, RecordKind
from dipper.kit.clock import DAY_US
from dipper.kit.hashing import hash128
from dipper.measure.tagged import tagged_subjects
from dipper.profile.project import project
from dipper.profile.tags import TagTable, compile_tags
from dipper.profile.today import identity_today
from dipper.spec.kinds.event import Event as EventSpec
from dipper.spec.kinds.property import Property
from dipper.spec.kinds.purpose import Purpose
from dipper.spec.kinds.tag import Tag
from dipper.spec.program import Program

NOW_US = 1_790_000_000_000_000
COMMON = {
    "title": {"zh": "某", "en": "some"},
    "owners": {"business": "b", "technical": "t", "managing": "m"},
}
Told = Callable[..., frozenset[str]]


def spec(kind: type[Any], name: str, **fields: Any) -> Any:
    return kind.model_validate_json(msgspec.json.encode({"name": name, **COMMON, **fields}))


@pytest.fixture(scope="module")
def table() -> TagTable:
    """A count within 30 days and an attribute with a default."""
    purposes = ["service"]
    counted = {"aggregate": "count", "event": "paid", "window": "30d"}
    return compile_tags(
        Program.from_objects(
            [
                spec(Purpose, "service", basis="contract", notice_version="v1"),
                spec(Property, "city", type="text", of="person", pi_class="none"),
                spec(EventSpec, "paid"),
                spec(EventSpec, "seen"),
                spec(Tag, "payments", purposes=purposes, value=counted),
                spec(Tag, "home", purposes=purposes, default="?", value={"attribute": "city"}),
            ]
        ),
        {},
    )


@pytest.fixture
def tagged(tmp_path: Path, table: TagTable) -> Iterator[Told]:
    """Who is tagged after these events (name, person, time, properties)."""
    state = EmbeddedState(tmp_path)

    def after(*events: tuple[str, str, int, dict[str, object]]) -> frozenset[str]:
        records = [
            Record(0, offset, RecordKind.EVENT, time_us, _payload(offset, *event), False)
            for offset, event in enumerate(events)
            for time_us in (event[2],)
        ]
        with state.read() as view:
            changes = project(records, view, table).changes
        state.write(changes, {0: len(records)})
        with state.read() as view:
            today = identity_today(view).remap
            return tagged_subjects(view, table, today, NOW_US, ("person",))

    yield after
    state.close()


def _payload(
    offset: int, name: str, person: str, time_us: int, properties: dict[str, object]
) -> bytes:
    return EVENT_ENCODER.encode(
        Event(
            event=name,
            message_id=f"m{offset}",
            source="server",
            trust="server",
            time_us=time_us,
            received_us=time_us,
            subjects=_subjects(name, person),
            properties=msgspec.Raw(msgspec.json.encode(properties)),
        )
    )


def _subjects(name: str, person: str) -> dict[str, str]:
    """Who signs in does so on the one device; nobody's events are the device's alone."""
    device = {"device": "device:1"} if name == "identify" or not person else {}
    return device | ({"person": f"login:{person}"} if person else {})


def test_a_count_of_nothing_says_nothing(tagged: Told) -> None:
    """Neither what no tag counts nor what has slid out of the window tags anybody."""
    found = tagged(
        ("paid", "ann", NOW_US - DAY_US, {}),
        ("paid", "bob", NOW_US - 31 * DAY_US, {}),
        ("seen", "cay", NOW_US - DAY_US, {}),
    )
    assert found == {hash128("login:ann").hex()}


def test_an_attribute_says_something_unless_it_is_the_default(tagged: Told) -> None:
    """Somebody who is where everybody is thought to be is not tagged by it."""
    found = tagged(
        ("identify", "ann", NOW_US - DAY_US, {"city": "B"}),
        ("identify", "bob", NOW_US - DAY_US, {"city": "?"}),
    )
    assert found == {hash128("login:ann").hex()}


def test_what_only_a_device_did_tags_its_person(tagged: Told) -> None:
    """Though the person's own id has no record of it."""
    found = tagged(
        ("identify", "ann", NOW_US - 2 * DAY_US, {}),
        ("paid", "", NOW_US - DAY_US, {}),
    )
    assert found == {hash128("login:ann").hex()}


def test_joined_ids_are_one_tagged_subject(tagged: Told) -> None:
    """Under the key that names them."""
    found = tagged(
        ("paid", "ann", NOW_US - DAY_US, {}),
        ("subject_bound", "ann", NOW_US - DAY_US, {"other_id": "customer_no:1"}),
    )
    assert found == {hash128("customer_no:1").hex()}
