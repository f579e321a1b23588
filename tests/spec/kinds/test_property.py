"""Kind `property`."""

from __future__ import annotations

import pytest

from dipper.spec.kinds.property import Property


def test_a_property_takes_no_name_that_every_event_has(codes, write) -> None:
    """`channel` is a column of the envelope; a property of that name would hide it."""
    assert codes(write("property", "channel", type="text", pi_class="none")) == ["name_taken"]


def test_a_property_takes_no_word_of_the_language(codes, write) -> None:
    """`order` could not be written in an expression."""
    assert codes(write("property", "order", type="text", pi_class="none")) == ["name_taken"]


def test_a_c3_property_is_reported_as_never_stored(found, write) -> None:
    """Declaring a PIN is allowed, so that it is removed by name; it is a warning."""
    (finding,) = found(write("property", "card_pin", type="text", pi_class="C3"))
    assert (finding.code, finding.severity) == ("never_stored", "warning")


def test_what_is_never_stored_cannot_be_read(codes, write) -> None:
    """A tag over a C3 property has nothing to read."""
    pin = write("property", "pin_hint", type="text", of="person", pi_class="C3")
    tag = write("tag", "hinted", purposes=["personalised_service"], value={"attribute": "pin_hint"})
    assert codes(pin, tag) == ["never_stored", "reads_never_stored"]


def test_the_class_of_personal_information_must_be_said(found, write) -> None:
    """There is no default class: nobody declares a property without having thought of it."""
    (finding,) = found(write("property", "nickname", type="text"))
    assert (finding.code, finding.path) == ("missing_field", ("pi_class",))


def test_amounts_are_whole_fen(codes, write) -> None:
    """A property whose name ends in _fen is int."""
    assert codes(write("property", "fee_fen", type="double", pi_class="C2")) == ["money_is_int"]


def test_allowed_values_belong_to_texts(codes, write) -> None:
    """An int with allowed texts contradicts itself."""
    document = write("property", "floor", type="int", pi_class="none", values=["1", "2"])
    assert codes(document) == ["values_of_text"]


def test_a_level_below_the_standard_is_a_warning(codes, write) -> None:
    """C2 is level 3."""
    document = write("property", "income", type="int", pi_class="C2", level=2)
    assert codes(document) == ["level_low"]


@pytest.mark.parametrize(("pi_class", "level"), [("none", 2), ("C1", 2), ("C2", 3), ("C3", 4)])
def test_the_level_follows_from_the_class(program, pi_class: str, level: int) -> None:
    """Where no level is given the standard's applies."""
    known = program.of(Property)["city"]
    changed = known.model_copy(update={"pi_class": pi_class, "level": None})
    assert changed.effective_level == level


def test_one_name_has_one_type_in_the_bank(found, write) -> None:
    """A second declaration with another type says so in those words."""
    (finding,) = found(write("property", "city", type="int", of="person", pi_class="C1"))
    assert finding.code == "property_of_two_types"
    assert "city' is int here and text in bank.yml:" in finding.message


def test_a_built_in_property_cannot_be_redefined(codes, write) -> None:
    """`account` means the same in every bank."""
    assert codes(write("property", "account", type="text", pi_class="none")) == ["reserved_name"]
