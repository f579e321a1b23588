"""Compiling a program: what is shared, what is refused, what asks for a rebuild."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from dipper.engine.record import EVENT_DECODER
from dipper.profile.tags import TagTable


def test_tags_of_one_condition_share_a_bit(table: TagTable) -> None:
    """Two windows over one condition are one bit; other conditions have others."""
    whole = table.kinds["person"].whole
    bit = {name: int(whole.fold.tags[place, 3]) for place, name in enumerate(whole.names)}
    assert bit["tag.bills_30d"] == bit["tag.bills"]
    assert bit["tag.first_biller"] == bit["tag.last_biller"]
    assert bit["tag.bills"] != bit["tag.amount_7d"]


def test_values_share_slots(table: TagTable) -> None:
    """A property has one slot however many tags read it; unused ones have none."""
    slots = table.families["person"].rows.slots
    assert sorted(slots) == ["amount_fen", "biller", "due_on", "rate"]
    assert sorted(slots.values()) == [0, 1, 2, 3]


def test_persons_and_devices_share_a_layout(table: TagTable) -> None:
    """A device's records can become a person's, so both have one family."""
    assert table.kinds["device"].family is table.kinds["person"].family
    assert table.kinds["device"].tag_names == table.kinds["person"].tag_names
    assert table.kinds["organisation"].family is not table.kinds["person"].family


def test_an_event_without_a_condition_leaves_no_row(bank: Any) -> None:
    """Where no tag counts an event, nothing is kept of it but its time."""
    maker = bank.table.events["bill_paid"].makers["person"]
    event = EVENT_DECODER.decode(bank.event("bill_paid", 5, person="C1").payload)
    assert maker(event, 1, 0) == (b"", 0, ())


def test_only_what_records_carry_decides_over_the_layout(
    table: TagTable, table_with: Callable[..., TagTable]
) -> None:
    """A window within what is kept, a formula or an attribute keep the layout; a condition does
    not, and neither does a longer window."""
    known = {"aggregate": "count", "event": "bill_paid", "where": "amount_fen >= 100"}
    assert table_with("new", **known, window="3d").layout == table.layout
    assert table_with("new", formula="tag.bills + 1").layout == table.layout
    assert table_with("new", attribute="age").layout == table.layout
    assert table_with("new", **{**known, "where": "amount_fen >= 7"}).layout != table.layout
    assert table_with("new", **known, window="400d").layout != table.layout


def test_a_source_says_what_its_organisation_ids_are(table: TagTable) -> None:
    """Id types have kinds: the built-in ones, and all others are persons'."""
    assert table.kind_of("customer_no:1") == "person"
    assert table.kind_of("wechat_openid:1") == "person"
    assert table.kind_of("org_no:1") == "organisation"
    assert table.kind_of("device:1") == "device"


def test_a_program_with_a_broken_expression_is_refused(table_with: Callable[..., TagTable]) -> None:
    """What the check would have refused does not compile."""
    with pytest.raises(Exception, match="unknown_name"):
        table_with("bad", formula="tag.unknown_name + 1")


def test_simple_segments_are_looked_at_in_crowds(
    table: TagTable, table_with: Callable[..., TagTable]
) -> None:
    """Comparisons of tags, attributes and holdings become tables."""
    quick = table.kinds["person"].quick
    assert quick is not None
    assert {fact.sort for fact in quick.facts} == {"trait", "holds", "holds_line"}
