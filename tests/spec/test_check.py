"""Rules over all specs together."""

from __future__ import annotations

import json
import time

import pytest

from dipper.spec.check import check
from dipper.spec.load import load_text


def tag(write, name: str, formula: str, **fields) -> str:
    return write(
        "tag", name, purposes=["personalised_service"], value={"formula": formula}, **fields
    )


def segment(write, name: str, where: str) -> str:
    return write("segment", name, purposes=["personalised_service"], where=where)


def test_the_examples_are_a_bank_without_findings(found) -> None:
    """What the reference pages show can be used."""
    assert found() == []


def test_a_finding_stands_at_the_line_of_its_field(found) -> None:
    """file:line of the field itself, in a file of many documents."""
    (finding,) = found(instead={"where: tag.bills_paid_30d >= 3": "where: tag.bills >= 3"})
    number = int(finding.where.removeprefix("bank.yml:"))
    assert (finding.kind, finding.name) == ("segment", "regular_payers")
    assert number > 50
    assert finding.path == ("where",)


def test_a_circle_is_named_in_full(found, write) -> None:
    """Tag reads segment reads tag: one finding, with the whole chain."""
    documents = [
        tag(write, "a", "tag.b + 1"),
        tag(write, "b", "CASE WHEN segment.c THEN 1 ELSE 2 END"),
        segment(write, "c", "tag.a > 1"),
    ]
    (finding,) = found(*documents)
    assert finding.code == "circle"
    assert finding.message == (
        "segment c -> tag a -> tag b -> segment c is a circle: none of them can be computed first."
    )


def test_a_tag_that_reads_itself_is_a_circle(found, write) -> None:
    """The shortest one."""
    (finding,) = found(tag(write, "a", "tag.a + 1"))
    assert finding.message.startswith("tag a -> tag a is a circle")


def test_two_circles_are_two_findings(codes, write) -> None:
    """Neither hides the other."""
    documents = [
        tag(write, "a", "tag.b"),
        tag(write, "b", "tag.a"),
        tag(write, "c", "tag.d"),
        tag(write, "d", "tag.c"),
    ]
    assert codes(*documents) == ["circle", "circle"]


def test_one_mistake_gives_one_finding(codes, write) -> None:
    """What reads a tag that cannot be computed is left alone."""
    documents = [
        tag(write, "a", "person.agee + 1"),
        tag(write, "b", "tag.a + 1"),
        segment(write, "c", "tag.b > 1 AND segment.regular_payers"),
    ]
    assert codes(*documents) == ["bad_expression"]


def test_what_is_broken_is_not_called_missing(codes, write) -> None:
    """A tag with a wrong field exists; a segment over it has no finding of its own."""
    documents = [
        tag(write, "a", "person.age", subjet="person"),
        segment(write, "c", "tag.a > 1"),
    ]
    assert codes(*documents) == ["unknown_field"]


def test_all_problems_of_an_expression_are_told(codes, write) -> None:
    """Two unknown names in one text are two findings."""
    assert codes(segment(write, "c", "tag.x > 1 AND person.y = 2")) == ["bad_expression"] * 2


def test_an_unknown_reference_lists_what_there_is(found, write) -> None:
    """Where nothing is close, the first names are listed."""
    (finding,) = found(
        write("scenario", "s", participant="C", domain="教育", funnel=["qqqq", "bill_paid"])
    )
    assert finding.hint == "The events are bill_paid."


def test_without_rows_nothing_is_said_about_products(examples: str) -> None:
    """A program can be checked before its first table arrives."""
    assert check(load_text(examples)) == []


@pytest.fixture
def large_bank(write) -> str:
    """Two hundred objects of the kinds that cost most, tags and segments over each other."""
    base = [
        write("purpose", "service", basis="consent", notice_version="1"),
        write("scenario", "s", participant="C", domain="教育"),
        write("policy", "p", ranker="random"),
        write("placement", "here", scenario="s", channel="app", policy="p"),
        write("property", "amount", type="int", pi_class="C2"),
        write("property", "age", type="int", of="person", pi_class="C2"),
        write("event", "paid", properties=["amount"], scenario="s", purposes=["service"]),
    ]
    where = "amount >= 100 AND amount < 5000 AND channel IN ('app', 'web')"
    tags = [
        write(
            "tag",
            f"tag_{n}",
            purposes=["service"],
            value={"aggregate": "count", "event": "paid", "where": where, "window": "30d"},
        )
        if n % 4
        else tag(write, f"tag_{n}", f"tag.tag_{n + 1} * 2 + person.age").replace(
            "personalised_service", "service"
        )
        for n in range(100)
    ]
    segments = [
        segment(
            write, f"segment_{n}", f"tag.tag_{n} >= 3 AND person.age BETWEEN 18 AND 60"
        ).replace("personalised_service", "service")
        for n in range(53)
    ]
    offers = [
        write(
            "offer",
            f"offer_{n}",
            placements=["here"],
            purposes=["service"],
            eligible=f"person.age >= 18 AND segment.segment_{n}",
            applicable=f"NOT segment.segment_{n + 1} OR tag.tag_{n} > 5",
        )
        for n in range(40)
    ]
    return "\n---\n".join([*base, *tags, *segments, *offers])


def test_two_hundred_objects_are_checked_in_a_second(large_bank: str) -> None:
    """`check` is run at every save."""
    loaded = load_text(large_bank)
    assert len(loaded.objects) == 200
    check(loaded)  # The first run also pays for importing the parser.
    best = min(_seconds(loaded) for _ in range(3))
    assert check(loaded) == []
    assert best < 1.0, f"{best:.2f} s"


def _seconds(loaded) -> float:
    start = time.perf_counter()
    check(loaded)
    return time.perf_counter() - start


def test_findings_are_json(found) -> None:
    """The CLI's `--json` and the API pass them on as they are."""
    findings = found(instead={"tag.bills_paid_30d >= 3": "tag.nope >= 3"})
    (finding,) = json.loads(json.dumps([one.as_dict() for one in findings]))
    assert finding["kind"] == "segment"
    assert finding["path"] == "where"
