"""The objects that every program contains."""

from __future__ import annotations

from dipper.engine.record import RESERVED_EVENTS
from dipper.spec import reserved
from dipper.spec.envelope import ENVELOPE_COLUMNS
from dipper.spec.kinds.event import Event
from dipper.spec.load import load_text
from dipper.spec.program import Program


def test_the_specs_are_those_of_the_log() -> None:
    """Every reserved event of the record format has a spec, in the same order."""
    assert reserved.RESERVED_EVENTS == RESERVED_EVENTS


def test_reserved_properties_hide_no_column() -> None:
    """What holds for a bank's properties holds for ours."""
    assert not set(reserved.RESERVED_PROPERTIES) & ENVELOPE_COLUMNS


def test_reserved_events_list_known_properties() -> None:
    """And require only what they list."""
    program = Program.from_objects([])
    known = program.of("property")
    for event in program.of(Event).values():
        assert set(event.properties) <= known.keys(), event.name
        assert set(event.required) <= set(event.properties), event.name


def test_identify_carries_the_attributes_of_the_dictionary(write) -> None:
    """A person's attribute is typed wherever it is said, an organisation's in `group`."""
    text = "\n---\n".join(
        [
            write("property", "age", type="int", of="person", pi_class="C2"),
            write("property", "industry", type="text", of="organisation", pi_class="none"),
            write("property", "amount", type="int", pi_class="C2"),
        ]
    )
    program = Program.from_objects(one.spec for one in load_text(text).objects)
    assert program.of(Event)["identify"].properties == ("age",)
    assert program.of(Event)["group"].properties == ("industry",)


def test_who_may_send_what() -> None:
    """Openings are the core's, a public source gives no consent, crossings are the engine's."""
    events = Program.from_objects([]).of(Event)
    assert events["product_opened"].senders == ("core",)
    assert "public" not in events["consent_given"].senders
    assert "public" in events["consent_withdrawn"].senders
    assert events["segment_left"].senders == ("engine",)


def test_columns_that_arrive_as_properties_are_columns() -> None:
    """A core system that sends `channel` among the properties means the column."""
    for event, columns in reserved.ENVELOPE_IN_PROPERTIES.items():
        assert event in RESERVED_EVENTS
        assert set(columns) <= ENVELOPE_COLUMNS
