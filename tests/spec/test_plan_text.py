"""A plan in words."""

from __future__ import annotations

from dipper.spec.load import load_text
from dipper.spec.plan import SegmentNumbers, plan
from dipper.spec.plan_text import TOUCHED_MAX, plan_text
from dipper.spec.program import Program


def program_of(text: str) -> Program:
    return Program.from_objects(one.spec for one in load_text(text).objects)


def test_a_plan_reads_in_english(examples: str, program: Program) -> None:
    """What changes, by how many persons, what is touched."""
    after = program_of(examples.replace("tag.bills_paid_30d >= 3", "tag.bills_paid_30d >= 2"))
    numbers = {"regular_payers": SegmentNumbers(3412, 87, 20_000)}
    assert plan_text(plan(program, after, numbers), "en") == (
        "0 added, 1 changed, 0 removed; 1 touched.\n"
        "~ segment regular_payers: regular payers\n"
        "    where: tag.bills_paid_30d >= 3 AND person.city = '120100' -> "
        "tag.bills_paid_30d >= 2 AND person.city = '120100'\n"
        "    3,412 persons enter, 87 leave, 20,000 are in it now\n"
        "Touched:\n"
        "    offer stable_growth_r2 (stable growth fund) through segment regular_payers\n"
    )


def test_a_plan_reads_in_chinese(examples: str, program: Program) -> None:
    """The same with the Chinese titles and words."""
    after = program_of(examples.replace("tag.bills_paid_30d >= 3", "tag.bills_paid_30d >= 2"))
    numbers = {"regular_payers": SegmentNumbers(3412, 87, 20_000)}
    text = plan_text(plan(program, after, numbers), "zh")
    assert "变更 1" in text
    assert "~ segment regular_payers: 稳定缴费客群" in text
    assert "3,412 人进入，87 人离开，现有 20,000 人" in text
    assert "offer stable_growth_r2（稳健增长理财），经由 segment regular_payers" in text


def test_nothing_is_said_so(program: Program) -> None:
    """In both languages."""
    assert plan_text(plan(program, program), "en") == "Nothing changes.\n"
    assert plan_text(plan(program, program), "zh") == "没有变化。\n"


def test_a_loss_and_the_approval_are_told(examples: str, program: Program) -> None:
    """An offer loses its segment; a removed offer wants its managing owner."""
    documents = [
        text
        for text in examples.split("---\n")
        if "kind: segment" not in text and "name: greeting" not in text
    ]
    text = plan_text(plan(program, program_of("---\n".join(documents))), "en")
    assert "- segment regular_payers" in text
    assert "offer stable_growth_r2 (stable growth fund) loses segment regular_payers" in text
    assert "To approve: retail-head (offer greeting)." in text


def test_a_long_list_is_cut_and_counted(write, program: Program, examples: str) -> None:
    """A purpose touches almost everything."""
    offers = [
        write(
            "offer", f"o{n}", placements=["bill_payment_result"], purposes=["personalised_service"]
        )
        for n in range(40)
    ]
    text = "\n---\n".join([examples, *offers])
    before = program_of(text)
    after = program_of(text.replace("notice_version: 2026-01", "notice_version: 2026-02"))
    shown = plan_text(plan(before, after), "en")
    assert f"and {len(plan(before, after).touched) - TOUCHED_MAX} more" in shown
