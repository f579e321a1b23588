"""The expressions of a program, parsed once."""

from __future__ import annotations

from dipper.spec.expressions import Expressions, compiled, parse_all
from dipper.spec.load import load_text
from dipper.spec.program import Program


def test_every_expression_is_parsed_in_its_scope(program: Program) -> None:
    """By kind, name and field."""
    expressions = parse_all(program)
    assert not expressions.errors
    where = expressions.get("tag", "bills_paid_30d", "value", "where")
    assert where is not None
    assert (where.type, where.inputs) == ("bool", ("amount_fen",))
    feature = expressions.get("policy", "learned", "features", 1)
    assert feature is not None
    assert feature.inputs == ("person.age",)
    assert expressions.get("offer", "greeting", "eligible") is None


def test_a_program_is_parsed_once_for_each_cache(program: Program) -> None:
    """The cache is the caller's and goes by the hash."""
    cache: dict[str, Expressions] = {}
    first = compiled(program, cache)
    assert compiled(Program.from_bytes(program.to_bytes()), cache) is first
    assert compiled(program, {}) is not first


def test_errors_are_collected_and_what_reads_them_is_skipped(write) -> None:
    """One bad formula is one error; the segment over it is neither parsed nor an error."""
    loaded = load_text(
        "\n---\n".join(
            [
                write("tag", "a", purposes=["p"], value={"formula": "person.x"}),
                write("segment", "s", purposes=["p"], where="tag.a > 1"),
            ]
        )
    )
    expressions = parse_all(Program.from_objects(one.spec for one in loaded.objects))
    assert list(expressions.errors) == [("tag", "a", ("value", "formula"))]
    assert expressions.skipped == {("segment", "s", ("where",))}
    assert expressions.get("segment", "s", "where") is None
