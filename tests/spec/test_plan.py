"""What applying a program would do."""

from __future__ import annotations

import pytest

from dipper.spec.load import load_text
from dipper.spec.plan import FieldChange, SegmentNumbers, plan
from dipper.spec.program import Program


@pytest.fixture
def changed(examples: str):
    """The example bank with other texts in it."""

    def build(instead: dict[str, str], *more: str) -> Program:
        text = examples
        for old, new in instead.items():
            assert old in text
            text = text.replace(old, new)
        loaded = load_text("\n---\n".join([text, *more]))
        return Program.from_objects(one.spec for one in loaded.objects)

    return build


def test_the_same_program_changes_nothing(program: Program) -> None:
    """And touches nothing."""
    same = plan(program, program)
    assert same.is_empty
    assert same.touched == ()


def test_the_first_program_adds_everything_that_is_not_built_in(program: Program) -> None:
    """Reserved events and properties are in every program and in no plan."""
    first = plan(None, program)
    assert first.before == ""
    assert first.count("added") == len(first.changes) > 10
    assert not any(change.name == "product_opened" for change in first.changes)


def test_a_change_is_told_field_by_field(program: Program, changed) -> None:
    """Nested fields by their path, with what was and what becomes."""
    after = changed({"window: 30d": "window: 60d"})
    (change,) = plan(program, after).changes
    assert (change.action, change.kind, change.name) == ("changed", "tag", "bills_paid_30d")
    assert change.fields == (FieldChange("value.window", "30d", "60d"),)


def test_what_depends_on_a_change_is_touched_with_the_way_to_it(program: Program, changed) -> None:
    """tag -> segment -> offer, and tag -> policy -> placement."""
    touched = plan(program, changed({"window: 30d": "window: 60d"})).touched
    ways = {(one.kind, one.name): one.chain for one in touched}
    assert ways["offer", "stable_growth_r2"] == (
        ("tag", "bills_paid_30d"),
        ("segment", "regular_payers"),
        ("offer", "stable_growth_r2"),
    )
    assert ("policy", "learned") in ways
    assert ("property", "city") not in ways
    assert not any(one.loses for one in touched)


def test_a_removal_that_is_still_named_is_a_loss(program: Program, changed, examples) -> None:
    """The offer whose condition reads the segment loses an input."""
    documents = [text for text in examples.split("---\n") if "kind: segment" not in text]
    after = load_text("---\n".join(documents))
    removed = plan(program, Program.from_objects(one.spec for one in after.objects))
    (loss,) = [one for one in removed.touched if one.loses]
    assert (loss.kind, loss.name) == ("offer", "stable_growth_r2")
    assert removed.count("removed") == 1


def test_a_new_attribute_changes_no_reserved_event(program: Program, changed, write) -> None:
    """`identify` carries it, but nobody wrote that."""
    more = write("property", "gender", type="text", of="person", pi_class="C1")
    added = plan(program, changed({}, more))
    assert [(one.kind, one.name) for one in added.changes] == [("property", "gender")]


def test_each_change_says_who_approves_it(program: Program, changed) -> None:
    """The role by kind, the person by the object."""
    (change,) = plan(program, changed({"value_fen: 12000": "value_fen: 9000"})).changes
    assert (change.risk, change.approver, change.owner) == ("high", "managing", "wealth-head")


def test_numbers_are_passed_in(program: Program, changed) -> None:
    """The plan carries what the caller counted to where the segment stands."""
    after = changed({"where: tag.bills_paid_30d >= 3": "where: tag.bills_paid_30d >= 2"})
    numbers = {"regular_payers": SegmentNumbers(3412, 87, 20_000)}
    (change,) = plan(program, after, numbers).as_dict()["changes"]
    assert change["numbers"] == {"enter": 3412, "leave": 87, "now": 20_000}
    assert change["fields"] == [
        {
            "path": "where",
            "before": "tag.bills_paid_30d >= 3 AND person.city = '120100'",
            "after": "tag.bills_paid_30d >= 2 AND person.city = '120100'",
        }
    ]
