"""Every setting is documented, and the file that `init` writes sets only what exists."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from dipper.app.init import init_workspace
from dipper.app.settings import SETTINGS_FILE, setting_rows
from dipper.surface.cli import reference

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "settings.md"


@pytest.mark.parametrize(("section", "name", "text"), setting_rows())
def test_every_setting_is_documented(section: str, name: str, text: str) -> None:
    """With what it means and the variable that overrides it."""
    assert text.endswith(".")
    page = PAGE.read_text("utf-8")
    assert f"## [{section}]" in page
    assert f"`DIPPER_{section.upper()}__{name.upper()}` | {text}" in page


def test_the_page_is_what_the_code_declares() -> None:
    """docs/reference/settings.md is generated; `make docs` writes it anew."""
    assert PAGE.read_text("utf-8") == reference.settings_page()


def test_a_new_workspace_sets_only_known_settings(tmp_path: Path) -> None:
    """Its `dipper.toml` shows what most people change."""
    init_workspace(tmp_path / "bank", random_bytes=bytes)
    raw = tomllib.loads((tmp_path / "bank" / SETTINGS_FILE).read_text("utf-8"))
    shown = {(section, name) for section, values in raw.items() for name in values}
    assert shown <= {(section, name) for section, name, _ in setting_rows()}
