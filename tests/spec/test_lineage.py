"""What is read, through how many hands, and for what."""

from __future__ import annotations

from dipper.spec import lineage
from dipper.spec.load import load_text
from dipper.spec.program import Program


def program_of(*documents: str) -> Program:
    loaded = load_text("\n---\n".join(documents))
    assert not loaded.findings
    return Program.from_objects(one.spec for one in loaded.objects)


def test_inputs_are_data_with_the_field_that_reads_them(program: Program) -> None:
    """A segment reads the tags and attributes of its text."""
    segment = program.of("segment")["regular_payers"]
    assert lineage.inputs(program, segment) == {
        ("tag", "bills_paid_30d"): ("where",),
        ("property", "city"): ("where",),
    }


def test_reading_an_event_reads_none_of_its_other_properties(program: Program) -> None:
    """Counting visits does not read the department."""
    tag = program.of("tag")["bills_paid_30d"]
    assert ("property", "biller") not in lineage.inputs(program, tag)
    assert lineage.inputs(program, program.of("event")["bill_paid"]) == {}


def test_purposes_shrink_along_the_way(program: Program, write) -> None:
    """The effective purposes are within what each input carries; None restricts nothing."""
    effective = lineage.effective_purposes(program)
    assert effective["segment", "regular_payers"] == {"personalised_service"}
    assert effective["event", "page_viewed"] is None
    assert effective["property", "age"] is None


def test_purposes_without_one_in_common_leave_none(write) -> None:
    """Each input allows something, both together allow nothing, and an offer may not read it."""
    program = program_of(
        write("purpose", "a", basis="contract", notice_version="1"),
        write("purpose", "b", basis="contract", notice_version="1"),
        write("property", "x", type="int", of="person", pi_class="none", purposes=["a"]),
        write("property", "y", type="int", of="person", pi_class="none", purposes=["b"]),
        write("tag", "t", purposes=["a", "b"], value={"formula": "person.x + person.y"}),
        write("offer", "o", placements=["p"], purposes=["a", "b"], eligible="tag.t > 1"),
    )
    assert lineage.effective_purposes(program)["tag", "t"] == frozenset()
    (conflict,) = lineage.conflicts(program, program.of("offer")["o"], ["a", "b"])
    assert conflict.chain == (("offer", "o"), ("tag", "t"))
    assert conflict.chain_text() == "offer o -> tag t"


def test_the_shortest_chain_to_sensitive_data_is_told(write) -> None:
    """There are two ways down; the direct one is shown once."""
    program = program_of(
        write("property", "x", type="int", of="person", pi_class="C2", sensitive=True),
        write("tag", "t", purposes=["a"], value={"formula": "person.x"}),
        write("segment", "s", purposes=["a"], where="tag.t > 1"),
        write("offer", "o", placements=["p"], purposes=["a"], eligible="segment.s AND tag.t > 2"),
    )
    (conflict,) = lineage.conflicts(program, program.of("offer")["o"], ["a"])
    assert conflict.sensitive
    assert conflict.chain == (("offer", "o"), ("tag", "t"), ("property", "x"))


def test_one_allowed_way_does_not_excuse_another(write) -> None:
    """A tag that carries the purpose and one that does not lead to the same event."""
    program = program_of(
        write("purpose", "care", basis="consent", notice_version="1", separate_consent=True),
        write("event", "visited", sensitive=True, purposes=["care", "other"]),
        write("tag", "good", purposes=["care"], value={"aggregate": "count", "event": "visited"}),
        write("tag", "bad", purposes=["other"], value={"aggregate": "count", "event": "visited"}),
        write("offer", "o", placements=["p"], purposes=["care"], eligible="tag.good > tag.bad"),
    )
    conflicts = lineage.conflicts(program, program.of("offer")["o"], ["care"])
    assert conflicts[0].chain == (("offer", "o"), ("tag", "bad"), ("event", "visited"))


def test_a_long_chain_needs_no_deep_stack(write) -> None:
    """Two thousand formulas over each other are followed without recursion."""
    tags = [
        write("tag", f"t{n}", purposes=["a"], value={"formula": f"tag.t{n + 1} + 1"})
        for n in range(2_000)
    ]
    last = write("tag", "t2000", purposes=["b"], value={"attribute": "age"})
    program = program_of(*tags, last)
    assert lineage.cycles(program) == []
    assert lineage.effective_purposes(program)["tag", "t0"] == frozenset()


def test_a_circle_is_told_once_from_its_smallest_member(write) -> None:
    """However it is entered."""
    program = program_of(
        write("tag", "z", purposes=["a"], value={"formula": "tag.b"}),
        write("tag", "b", purposes=["a"], value={"formula": "tag.c"}),
        write("tag", "c", purposes=["a"], value={"formula": "tag.b + tag.z"}),
    )
    assert (("tag", "b"), ("tag", "c")) in lineage.cycles(program)
    assert all(circle[0] == min(circle) for circle in lineage.cycles(program))
