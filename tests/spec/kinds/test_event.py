"""Kind `event`."""

from __future__ import annotations

from dipper.spec.kinds.event import Event


def test_required_properties_are_listed_ones(found, write) -> None:
    """What an event requires it also carries."""
    (finding,) = found(write("event", "ride_paid", properties=["biller"], required=["amount_fen"]))
    assert (finding.code, finding.path) == ("required_undeclared", ("required", 0))


def test_an_unknown_property_is_found_with_the_closest_name(found, write) -> None:
    """A misspelt property names its neighbour in the dictionary."""
    (finding,) = found(write("event", "ride_paid", properties=["amount_fem"]))
    assert finding.message == "property 'amount_fem' is not declared."
    assert finding.hint == "Did you mean 'amount_fen'?"


def test_a_reserved_event_cannot_be_redefined(codes, write) -> None:
    """Nobody declares their own `product_opened`."""
    assert codes(write("event", "product_opened")) == ["reserved_name"]


def test_a_c3_property_cannot_be_required(codes, write) -> None:
    """Every event would fail: the value is removed before the plan sees it."""
    pin = write("property", "card_pin", type="text", pi_class="C3")
    event = write("event", "pin_changed", properties=["card_pin"], required=["card_pin"])
    assert codes(pin, event) == ["never_stored", "requires_never_stored"]


def test_nothing_is_listed_twice(codes, write) -> None:
    """A property that stands twice is a slip."""
    assert codes(write("event", "ride_paid", properties=["biller", "biller"])) == ["named_twice"]


def test_from_is_a_list_of_trust_classes(found, write) -> None:
    """`from` says who may send; an unknown class is found by its place."""
    (finding,) = found(write("event", "ride_paid", **{"from": ["servr"]}))
    assert (finding.path, finding.hint) == (("from", 0), "Did you mean 'server'?")


def test_without_from_every_source_may_send(program, write) -> None:
    """The default are all trust classes of sources; the engine is none."""
    assert program.of(Event)["bill_paid"].senders == ("server", "partner")
    assert Event.model_fields["senders"].default == ("public", "server", "partner", "core")
