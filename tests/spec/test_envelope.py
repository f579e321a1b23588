"""The columns of the envelope have one order everywhere."""

from __future__ import annotations

from dipper.collect.canonical import Stored
from dipper.collect.incoming import Columns
from dipper.engine.embedded.lake_schema import ENVELOPE
from dipper.engine.record import Event
from dipper.spec.envelope import COLUMN_TEXTS, ENVELOPE_COLUMNS


def test_records_and_rows_have_the_columns_in_one_order() -> None:
    """What is sent, written, read and kept as history names the same columns in the same order."""
    for names in (
        Columns.__struct_fields__,
        Stored.__struct_fields__,
        Event.__struct_fields__,
        ENVELOPE.names,
    ):
        assert tuple(name for name in names if name in COLUMN_TEXTS) == COLUMN_TEXTS


def test_no_property_may_have_the_name_of_a_column() -> None:
    """Every column of history is reserved."""
    assert set(ENVELOPE.names) <= ENVELOPE_COLUMNS | {"account", "terminal"}
