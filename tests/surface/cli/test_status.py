"""Tests of `dipper status`."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

Dipper = Callable[..., Any]


def test_the_equation_holds_for_every_source(dipper: Dipper, quiet_bank: Path) -> None:
    """received = good + failed + duplicate + refused, in JSON."""
    done = dipper("status", quiet_bank, "--json")
    found = done.json()
    assert done.code == 0
    assert set(found["sources"]) == {"app", "core", "scenario_server"}
    for counts in found["sources"].values():
        parts = [counts[name] for name in ("good", "failed", "duplicate", "refused")]
        assert counts["received"] == sum(parts) > 0
    (part,) = found["partitions"]
    assert part["records"] == part["projected"] == part["in_lake"]
    assert (found["worker"], part["gateway"]) == (False, False)


def test_people_read_the_same(dipper: Dipper, quiet_bank: Path) -> None:
    """Partitions, the equation, a sum, stores with their sizes."""
    done = dipper("status", quiet_bank)
    assert "received = good + failed + duplicate + refused" in done.out
    assert re.search(r"^all\s+[\d,]+\s+[\d,]+\s+0\s+0\s+0$", done.out, re.M)
    assert re.search(r"^lake\s+[\d.]+ MB", done.out, re.M)
    assert "no worker runs" in done.out


def test_a_running_platform_is_ok(dipper: Dipper, served_bank: Any) -> None:
    """The command sees gateway and worker of another process."""
    served_bank.settle()
    done = dipper("status", served_bank.workspace.folder, "--json")
    assert done.code == 0
    assert done.json()["status"] == "ok"
    assert done.json()["ready"] is True


def test_a_fresh_workspace_has_a_status(dipper: Dipper, tmp_path: Path) -> None:
    """Nothing applied, nothing received; that is no error."""
    assert dipper("init", tmp_path / "bank").code == 0
    done = dipper("status", tmp_path / "bank", "--json")
    assert done.code == 0
    assert done.json()["program"] is None
    assert done.json()["sources"] == {}
    assert "none applied" in dipper("status", tmp_path / "bank").out
