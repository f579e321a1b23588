"""How events become rows."""

from __future__ import annotations

from typing import Any

import msgspec
import pyarrow as pa
import pytest

from dipper.engine.embedded.lake_schema import ENVELOPE, rows, timelines_schema
from dipper.engine.ports import Position
from dipper.engine.record import Event
from dipper.kit.errors import BadInput
from dipper.kit.hashing import hash64, hash128

ALL = ("person", "organisation")


def event(subjects: dict[str, str], properties: str = "{}", **fields: Any) -> Event:
    known = {
        "event": "paid",
        "message_id": "m1",
        "source": "core",
        "trust": "core",
        "time_us": 1_000,
        "received_us": 2_000,
    }
    raw = msgspec.Raw(properties.encode())
    return Event(subjects=subjects, properties=raw, **known | fields)


def made(
    *events: Event, roles: tuple[str, ...] = ("person",), properties: dict[str, str] | None = None
) -> list[dict[str, Any]]:
    records = [(Position(0, offset), each) for offset, each in enumerate(events)]
    table = rows(records, lambda _, id_text: hash128(id_text), lambda _: roles, properties or {})
    assert table.schema == timelines_schema(properties or {})
    return table.to_pylist()


def test_every_field_of_the_envelope_has_its_column() -> None:
    """Nothing that an event says by name is lost on its way into history."""
    texts = [
        "scenario", "channel", "campaign", "link", "placement", "org_unit", "staff", "partner",
        "legal_entity", "business_date",
    ]  # fmt: skip
    (row,) = made(
        event(
            {"person": "customer_no:1", "device": "device:9"},
            original_us=500,
            sent_us=600,
            seq=3,
            program="abc",
            type="identify",
            **{name: f"a {name}" for name in texts},
        )
    )
    assert [row[name] for name in texts] == [f"a {name}" for name in texts]
    assert (row["partition"], row["offset"], row["first_row"]) == (0, 0, True)
    assert (row["role"], row["kind"], row["id"]) == ("person", "person", "customer_no:1")
    assert row["subject"] == hash128("customer_no:1")
    assert (row["event"], row["type"], row["seq"]) == ("paid", "identify", 3)
    assert (row["message_id"], row["order_hash"]) == ("m1", hash64("m1"))
    assert (row["source"], row["trust"], row["program"]) == ("core", "core", "abc")
    assert (row["person"], row["device"], row["organisation"]) == (
        "customer_no:1",
        "device:9",
        None,
    )
    times = {n: row[n].microsecond for n in ("time", "original", "sent", "received")}
    assert times == {"time": 1_000, "original": 500, "sent": 600, "received": 2_000}


def test_a_record_has_a_row_for_each_role_that_keeps_one() -> None:
    """One of them, the first, stands for the record."""
    both = {"person": "customer_no:1", "organisation": "org_no:2"}
    found = made(event(both), event({"person": "customer_no:3"}), roles=ALL)
    assert [(r["offset"], r["role"], r["kind"], r["id"], r["first_row"]) for r in found] == [
        (0, "person", "person", "customer_no:1", True),
        (0, "organisation", "organisation", "org_no:2", False),
        (1, "person", "person", "customer_no:3", True),
    ]
    assert [r["organisation"] for r in found] == ["org_no:2", "org_no:2", None]


def test_a_device_keeps_the_row_where_nobody_is_named() -> None:
    """Without a person the device's timeline has the record."""
    (row,) = made(event({"device": "device:9"}))
    assert (row["role"], row["kind"], row["claim"]) == ("device", "device", None)


def test_a_claimed_person_has_no_row_but_is_a_claim_of_the_device() -> None:
    """What a public source says of the person keeps the row with the device."""
    subjects = {"person": "customer_no:1", "device": "device:9"}
    (row,) = made(event(subjects, claims=("person",)))
    assert (row["role"], row["id"], row["claim"]) == ("device", "device:9", "customer_no:1")
    assert row["person"] == "customer_no:1"


def test_every_record_has_a_row() -> None:
    """A record whose ids keep no row by its spec still has one, so that records can be counted."""
    found = made(
        event({"terminal": "terminal:4"}),
        event({"person": "customer_no:1"}, claims=("person",)),
        event({}),
    )
    assert [(r["role"], r["kind"], r["id"], r["first_row"]) for r in found] == [
        ("terminal", "terminal", "terminal:4", True),
        ("person", "person", "customer_no:1", True),
        ("none", "none", "", True),
    ]


def test_who_is_acted_for_is_a_firm_or_a_person() -> None:
    """The id's type decides whose timeline `on_behalf_of` is."""
    for id_text, kind in (("org_no:1", "organisation"), ("customer_no:1", "person")):
        (row,) = made(event({"on_behalf_of": id_text}), roles=("on_behalf_of",))
        assert row["kind"] == kind


def test_a_role_without_column_is_kept_as_json() -> None:
    """An id in a role that has no column is neither lost nor mixed with others."""
    (row,) = made(event({"person": "customer_no:1", "guarantor": "customer_no:2"}))
    assert row["subjects"] == '{"guarantor":"customer_no:2"}'


PROPERTIES = {
    "whole": "int",
    "part": "double",
    "yes": "bool",
    "word": "text",
    "moment": "timestamp",
    "day": "date",
}


def test_declared_properties_are_typed_columns() -> None:
    """Each property stands in its own column; what is not declared stays as JSON."""
    text = (
        '{"whole":-5,"part":2.5,"yes":false,"word":"网点","moment":"2026-01-01T00:00:00.000007Z",'
        '"day":"2026-02-28","other":{"a":[1]}}'
    )
    (row,) = made(event({"person": "customer_no:1"}, text), properties=PROPERTIES)
    assert (row["whole"], row["part"], row["yes"], row["word"]) == (-5, 2.5, False, "网点")
    assert row["moment"].isoformat() == "2026-01-01T00:00:00.000007+00:00"
    assert row["day"].isoformat() == "2026-02-28"
    assert row["extra"] == '{"other":{"a":[1]}}'


@pytest.mark.parametrize(
    "written",
    [
        '"whole":"5"',
        '"whole":5.0',
        '"whole":true',
        '"whole":9223372036854775808',
        '"whole":1e400',
        '"part":"2"',
        '"part":false',
        '"yes":1',
        '"word":7',
        '"moment":"yesterday"',
        '"moment":5',
        '"day":"2026-02-30"',
        '"day":"2026-02-28T00:00:00Z"',
        '"other":123456789012345678901234567890.5',
        '"other":"\\u0000 \\ud83d\\ude00"',
    ],
)
def test_a_value_of_another_type_stays_as_it_came(written: str) -> None:
    """It is no value of the column, and not one byte of it changes."""
    (row,) = made(event({"person": "p:1"}, f"{{{written}}}"), properties=PROPERTIES)
    assert row["extra"] == f"{{{written}}}"
    assert all(row[name] is None for name in PROPERTIES)


def test_an_unreadable_number_does_not_hide_its_neighbours() -> None:
    """Where one value is beyond every number, all stay as they came."""
    text = '{"whole":5,"other":1e400}'
    (row,) = made(event({"person": "p:1"}, text), properties=PROPERTIES)
    assert (row["whole"], row["extra"]) == (None, text)


def test_a_double_takes_whole_numbers() -> None:
    """JSON writes 3.0 as 3: a double property takes it."""
    (row,) = made(event({"person": "p:1"}, '{"part":3}'), properties=PROPERTIES)
    assert (row["part"], row["extra"]) == (3.0, None)


def test_no_events_give_no_rows_and_all_columns() -> None:
    """An empty batch is an empty table."""
    assert made() == []
    assert timelines_schema({}) == ENVELOPE


@pytest.mark.parametrize("name", ["event", "month", "person", "extra"])
def test_a_property_cannot_take_the_name_of_a_column(name: str) -> None:
    """Every event has these columns already."""
    with pytest.raises(BadInput, match=f"property '{name}' has the name of a column"):
        timelines_schema({name: "text"})


def test_a_property_needs_a_known_type() -> None:
    """The types of the expression language, no others."""
    with pytest.raises(BadInput, match="got 'decimal'"):
        timelines_schema({"amount": "decimal"})


def test_properties_come_behind_the_envelope_in_their_order() -> None:
    """The order of declaration is the order of columns: a file's number of columns fixes them."""
    schema = timelines_schema({"zebra": "text", "ape": "date"})
    assert schema.names[: len(ENVELOPE)] == ENVELOPE.names
    assert schema.names[len(ENVELOPE) :] == ["zebra", "ape"]
    assert schema.field("ape").type == pa.date32()
