"""What every spec has in common."""

from __future__ import annotations

import msgspec

from dipper.engine.record import Event
from dipper.spec.document import Ref, Written
from dipper.spec.envelope import ENVELOPE_COLUMNS
from dipper.spec.load import load_text
from dipper.spec.program import Program


def test_references_have_kind_name_and_place(program: Program) -> None:
    """Those of fields are resolved; those of expressions are mentioned."""
    refs = program.of("offer")["stable_growth_r2"].refs()
    assert Ref("placement", "bill_payment_result", ("placements", 0)) in refs
    assert Ref("table", "product", ("product",)) in refs
    assert Ref("segment", "regular_payers", ("applicable",), mentioned=True) in refs
    assert Ref("property", "age", ("eligible",), mentioned=True) in refs


def test_an_expression_mentions_by_namespace() -> None:
    """Prefixes lead to kinds, `holds` and `product` to the table, plain names to properties."""
    text = "tag.a > 1 AND segment.b AND organisation.c = 1 AND context.d = 2 AND holds('x')"
    refs = Written(("eligible",), text, "offer").refs()
    assert {(ref.kind, ref.name) for ref in refs} == {
        ("tag", "a"),
        ("segment", "b"),
        ("property", "c"),
        ("property", "d"),
        ("table", "product"),
    }
    over = Written(("value", "where"), "amount > 1 AND scenario = 'x'", "event").refs()
    assert [(ref.kind, ref.name) for ref in over] == [("property", "amount")]


def test_a_document_says_its_kind_and_leaves_out_defaults(write) -> None:
    """The complete form states all of them."""
    (one,) = load_text(write("event", "e")).objects
    assert one.spec.document().keys() == {"kind", "name", "title", "owners"}
    complete = one.spec.document(complete=True)
    assert complete["version"] == 1
    assert complete["from"] == ["public", "server", "partner", "core"]
    assert list(complete)[:2] == ["kind", "version"]


def test_the_envelope_has_the_fields_of_the_log() -> None:
    """A property cannot take the name of a field of the record that is a column of its own."""
    fields = {field.name for field in msgspec.structs.fields(Event)}
    assert fields - ENVELOPE_COLUMNS == {"claims", "token", "content", "restates"}
