"""The registry of dialects."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from dipper.collect.dialects import registry, segment
from dipper.kit.errors import Conflict
from dipper.spec.kinds.source import DIALECTS


def test_the_dialects_that_specs_may_name_exist() -> None:
    """And no others."""
    assert set(registry.build()) == set(DIALECTS)


def test_a_package_adds_a_dialect_and_replaces_none() -> None:
    """A name that is taken is an error."""
    added: Any = SimpleNamespace(NAME="ours")
    assert registry.build([added])["ours"] is added
    taken: Any = SimpleNamespace(NAME=segment.NAME)
    with pytest.raises(Conflict, match="segment"):
        registry.build([taken])
