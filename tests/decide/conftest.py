"""The small bank of tests/golden/decide_bank, as a fixture."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

BANK = Path(__file__).parents[1] / "golden" / "decide_bank" / "bank.py"


def load_bank() -> ModuleType:
    """The module, once a process."""
    if "decide_bank" not in sys.modules:
        spec = importlib.util.spec_from_file_location("decide_bank", BANK)
        assert spec is not None
        assert spec.loader is not None
        sys.modules["decide_bank"] = module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    return sys.modules["decide_bank"]


@pytest.fixture(scope="session")
def bank() -> Any:
    """The bank's module."""
    return load_bank()


@pytest.fixture(scope="session")
def decider(bank: Any) -> Any:
    """The bank's decider."""
    return bank.decider()
