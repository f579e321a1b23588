"""Every error code is documented with its status, and means one thing."""

from __future__ import annotations

from pathlib import Path

import pytest

from dipper.kit import errors
from dipper.surface.cli import reference

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "reference" / "errors.md"
CODES = reference.error_codes()


def test_the_classes_found_in_the_sources_are_the_real_ones() -> None:
    """Reading the sources gives the same codes as the classes themselves."""
    found = reference.error_classes()
    for one in (errors.DipperError, *errors.DipperError.__subclasses__()):
        if one.__module__ == errors.__name__:
            assert (found[one.__name__].code, found[one.__name__].status) == (one.code, one.status)
    assert {"PluginError", "ExpressionError", "NotAllowed"} <= found.keys()


def test_the_page_is_what_the_code_declares() -> None:
    """docs/reference/errors.md is generated; `make docs` writes it anew."""
    assert PAGE.read_text("utf-8") == reference.errors_page()


@pytest.mark.parametrize("code", CODES)
def test_every_code_is_documented_with_one_status(code: str) -> None:
    """Classes that share a code share its status, and each says what it means."""
    classes = CODES[code]
    assert len({one.status for one in classes}) == 1
    assert all(one.text.endswith(".") for one in classes)
    assert f"| `{code}` | {classes[0].status} |" in PAGE.read_text("utf-8")


@pytest.mark.parametrize("code", CODES)
def test_every_code_is_named_by_a_test(code: str) -> None:
    """Somewhere a test makes it happen: by its code or by one of its classes."""
    names = {f'"{code}"', f"'{code}'", *(one.name for one in CODES[code])}
    texts = (path.read_text("utf-8") for path in (ROOT / "tests").rglob("test_*.py"))
    here = Path(__file__).name
    tests = [text for text in texts if here not in text]
    assert any(name in text for text in tests for name in names)
