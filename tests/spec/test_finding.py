"""The form of a finding."""

from __future__ import annotations

from dipper.spec.finding import Finding, has_errors, in_order, path_text, warning


def test_a_finding_reads_place_message_hint() -> None:
    """The text of STYLE: where, what, what to do."""
    finding = Finding("x", "event 'pay.salry' is unknown.", ("where",), "Did you mean 'y'?")
    text = finding.at("specs/salary.yml:12").as_text()
    assert text == "specs/salary.yml:12: event 'pay.salry' is unknown. Did you mean 'y'?"


def test_a_warning_says_so_and_refuses_nothing() -> None:
    """Only errors refuse `apply`."""
    found = warning("x", "odd.").at("a.yml:1")
    assert found.as_text() == "a.yml:1: warning: odd."
    assert not has_errors([found])
    assert has_errors([found, Finding("y", "bad.")])


def test_the_machine_form_has_no_empty_members() -> None:
    """What is not known is not there."""
    assert Finding("x", "bad.", ("value", 0, "a")).as_dict() == {
        "code": "x",
        "severity": "error",
        "path": "value[0].a",
        "message": "bad.",
    }


def test_paths_are_written_as_people_write_them() -> None:
    """Fields with dots, places in lists with brackets."""
    assert path_text(("placements", 0)) == "placements[0]"
    assert path_text(("value", "where")) == "value.where"


def test_findings_come_by_file_and_line_each_once() -> None:
    """Line 9 comes before line 10, and a finding that two rules share is told once."""
    ten, nine = Finding("a", "m").at("a.yml:10"), Finding("a", "m").at("a.yml:9")
    other = Finding("a", "m").at("B.yml:1")
    assert in_order([ten, nine, other, ten]) == [other, nine, ten]
