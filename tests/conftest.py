"""What all tests share: how a golden file is compared, and rewritten by `make golden`; and compiled
kernels, which the servers under test find where this process keeps them."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from dipper.engine.embedded import numba_cache

numba_cache.use(numba_cache.user_folder())  # Before a module with kernels is imported.

Golden = Callable[[Path, str], None]


def _golden(path: Path, text: str) -> None:
    if os.environ.get("DIPPER_GOLDEN") == "write":
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    assert path.is_file(), f"{path} is missing; run `make golden`"
    assert text == path.read_text(encoding="utf-8"), f"{path.name} differs; run `make golden`"


@pytest.fixture(scope="session")
def golden() -> Golden:
    """Compares a text with a file; with DIPPER_GOLDEN=write it rewrites the file first."""
    return _golden
