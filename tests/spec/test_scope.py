"""What an expression may mention where it stands."""

from __future__ import annotations

from dipper.spec.load import load_text
from dipper.spec.program import Program
from dipper.spec.scope import (
    ENVELOPE_COLUMNS,
    event_scope,
    offer_scope,
    subject_of,
    subject_scope,
    tag_types,
)


def program_of(*documents: str) -> Program:
    loaded = load_text("\n---\n".join(documents))
    assert not loaded.findings
    return Program.from_objects(one.spec for one in loaded.objects)


def test_over_an_event_its_properties_and_the_envelope(program: Program) -> None:
    """Plain names; another event's properties are not among them."""
    columns = event_scope(program, "bill_paid").columns
    assert columns["amount_fen"] == "int"
    assert columns["scenario"] == "text"
    assert columns["time"] == "timestamp"
    assert "age" not in columns
    assert "person" not in columns


def test_over_several_events_what_all_declare(program: Program) -> None:
    """Nothing is silently NULL for some of them."""
    columns = event_scope(program, "product_opened", "product_closed").columns
    assert columns["opened_on"] == "date"
    assert "closed_on" not in columns


def test_about_a_subject_tags_segments_and_attributes(program: Program) -> None:
    """Each with its prefix and type; an organisation has none of a person's."""
    scope = subject_scope(program, "person")
    assert scope.columns == {
        "tag.bills_paid_30d": "int",
        "segment.regular_payers": "bool",
        "person.age": "int",
        "person.city": "text",
    }
    assert scope.host_functions["holds"].returns == "bool"
    assert subject_scope(program, "organisation").columns == {}


def test_for_an_offer_product_and_context_in_addition(program: Program) -> None:
    """The context of a request carries properties of the dictionary."""
    columns = offer_scope(program, "person").columns
    assert columns["product.risk_issuer"] == "int"
    assert columns["context.biller"] == "text"
    assert columns["tag.bills_paid_30d"] == "int"


def test_what_is_never_stored_is_in_no_scope(write) -> None:
    """A C3 property cannot be read anywhere."""
    program = program_of(
        write("property", "card_pin", type="text", pi_class="C3"),
        write("event", "pin_changed", properties=["card_pin"]),
    )
    assert "card_pin" not in event_scope(program, "pin_changed").columns
    assert "context.card_pin" not in offer_scope(program, "person").columns


def test_formulas_are_typed_after_what_they_read(write) -> None:
    """The order of names does not matter; what cannot be typed is left out."""
    program = program_of(
        write("property", "age", type="int", of="person", pi_class="C2"),
        write("tag", "a", purposes=["p"], value={"formula": "tag.b > 1"}),
        write("tag", "b", purposes=["p"], value={"formula": "tag.c / 2"}),
        write("tag", "c", purposes=["p"], value={"attribute": "age"}),
        write("tag", "d", purposes=["p"], value={"formula": "tag.nothing"}),
        write("tag", "e", purposes=["p"], value={"formula": "tag.e"}),
    )
    assert tag_types(program) == {"a": "bool", "b": "double", "c": "int"}


def test_the_subject_of_an_offer_is_that_of_its_placements(program: Program) -> None:
    """A policy's likewise, and a tag says its own."""
    for kind, name in (("offer", "greeting"), ("policy", "learned"), ("tag", "bills_paid_30d")):
        assert subject_of(program, program.of(kind)[name]) == "person"


def test_readable_columns_are_columns_of_the_envelope() -> None:
    """No property can take the name of one."""
    assert {"scenario", "time", "person", "extra", "order_hash"} <= ENVELOPE_COLUMNS
