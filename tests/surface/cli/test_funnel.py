"""Tests of `dipper funnel`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

Dipper = Callable[..., Any]


def test_a_chain_prints_a_bar_a_step(dipper: Dipper, quiet_bank: Path) -> None:
    """The first bar is the longest; shares stand behind the counts."""
    done = dipper("funnel", "bill_viewed > bill_paid", "-w", quiet_bank, "--window", "7d")
    assert done.code == 0
    viewed, paid = done.out.splitlines()
    assert viewed.count("█") == 40 > paid.count("█") > 0
    assert "100.0% of first" in viewed
    assert "of previous" in paid


def test_json_has_the_counts(dipper: Dipper, quiet_bank: Path) -> None:
    """The same result as over HTTP."""
    arguments = ("--step", "bill_viewed", "--step", "bill_paid:bill_kind = 'tuition'")
    found = dipper("funnel", *arguments, "-w", quiet_bank, "--json").json()
    assert [step["step"] for step in found["steps"]] == [
        "bill_viewed",
        "bill_paid (bill_kind = 'tuition')",
    ]
    assert found["steps"][0]["subjects"] > found["steps"][1]["subjects"] > 0
    assert found["subject"] == "person"


def test_a_breakdown_prints_a_funnel_a_value(dipper: Dipper, quiet_bank: Path) -> None:
    """Groups below the whole."""
    done = dipper("funnel", "bill_paid", "--by", "bill_kind", "-w", quiet_bank)
    for kind in ("electricity", "water", "gas", "phone", "tuition"):
        assert f"bill_kind = {kind}" in done.out


def test_a_misspelt_event_is_misuse_with_a_hint(dipper: Dipper, quiet_bank: Path) -> None:
    """Exit 2; nothing is counted as zero in silence."""
    done = dipper("funnel", "bill_payd", "-w", quiet_bank)
    assert (done.code, done.out) == (2, "")
    assert "Did you mean 'bill_paid'?" in done.err


def test_no_step_is_misuse(dipper: Dipper, quiet_bank: Path) -> None:
    """An example is in the answer."""
    done = dipper("funnel", "-w", quiet_bank)
    assert done.code == 2
    assert "For example" in done.err
