"""A small example bank, imported once for the tests that need history."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from dipper.app.workspace import Workspace
from dipper.kit.clock import DAY_US, system_clock
from dipper.surface.demo.bank import import_history, make_workspace
from dipper.surface.demo.population import (
    Organisations,
    Persons,
    make_organisations,
    make_persons,
    make_visitors,
)

MakeBank = Callable[[int], tuple[Workspace, Persons, Organisations]]


@pytest.fixture
def make_bank(tmp_path: Path) -> MakeBank:
    """Builds a bank of so many persons in a folder of its own."""

    def make(count: int) -> tuple[Workspace, Persons, Organisations]:
        random = np.random.default_rng(11)
        persons = make_persons(count, random)
        organisations = make_organisations(count // 10, persons, random)
        workspace = make_workspace(tmp_path / "bank")
        start_us = system_clock() - DAY_US
        everybody = persons, make_visitors(count // 10, random), organisations
        import_history(tmp_path / "history", workspace, *everybody, start_us, random)
        return Workspace(workspace.folder), persons, organisations

    return make
