"""The small bank of tests/golden/decide_bank, as fixtures."""

from __future__ import annotations

from typing import Any

import pytest
from decide_bank import bank as small_bank


@pytest.fixture(scope="session")
def bank() -> Any:
    """The bank's module."""
    return small_bank


@pytest.fixture(scope="session")
def decider(bank: Any) -> Any:
    """The bank's decider."""
    return bank.decider()
