"""Tests of `dipper sql`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

Dipper = Callable[..., Any]

COUNT = "SELECT event, count(*) AS n FROM events GROUP BY 1 ORDER BY n DESC, 1"


def test_a_question_prints_a_table(dipper: Dipper, quiet_bank: Path) -> None:
    """Columns as a heading, numbers with separators."""
    done = dipper("sql", COUNT, "-w", quiet_bank)
    assert done.code == 0
    heading, *rows = done.out.splitlines()
    assert heading.split() == ["event", "n"]
    assert any(row.startswith("bill_paid ") for row in rows)


def test_json_is_the_whole_result(dipper: Dipper, quiet_bank: Path) -> None:
    """Columns, types, rows, whether there were more."""
    found = dipper("sql", COUNT, "-w", quiet_bank, "--json", "--rows", "2").json()
    assert (found["columns"], len(found["rows"]), found["is_truncated"]) == (
        ["event", "n"],
        2,
        True,
    )


def test_cut_rows_are_said_on_stderr(dipper: Dipper, quiet_bank: Path) -> None:
    """Whoever pipes the rows on is told beside them."""
    done = dipper("sql", COUNT, "-w", quiet_bank, "--rows", "2")
    assert "only the first 2 rows" in done.err
    assert len(done.out.splitlines()) == 3


def test_anything_but_a_select_is_misuse(dipper: Dipper, quiet_bank: Path) -> None:
    """Exit 2 with the reason, as text or as a problem."""
    done = dipper("sql", "COPY events TO '/tmp/stolen'", "-w", quiet_bank)
    assert done.code == 2
    assert "expected a SELECT, got COPY" in done.err
    found = dipper("sql", "SELECT * FROM '/etc/passwd'", "-w", quiet_bank, "--json")
    assert (found.code, found.json()["code"]) == (2, "forbidden")


def test_a_folder_that_is_no_workspace_says_so(dipper: Dipper, tmp_path: Path) -> None:
    """Exit 2, with what to do."""
    done = dipper("sql", "SELECT 1", "-w", tmp_path)
    assert done.code == 2
    assert "dipper init" in done.err
    assert not list(tmp_path.iterdir())
