"""A workspace: settings that are checked, keys that are private, content that cannot change."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from dipper.app.content import ContentStore
from dipper.app.init import init_workspace
from dipper.app.keys import read_keys
from dipper.app.programs import prepare, store
from dipper.app.settings import load_settings
from dipper.app.workspace import Workspace
from dipper.kit.clock import system_clock
from dipper.kit.errors import BadInput, Conflict, Corrupt, Forbidden, NotFound


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A fresh workspace."""
    init_workspace(tmp_path / "bank", random_bytes=os.urandom)
    return tmp_path / "bank"


def test_a_fresh_workspace_has_no_findings_and_can_be_stored(folder: Path) -> None:
    """The starter is right by its own rules."""
    workspace = Workspace(folder)
    prepared = prepare(workspace, system_clock())
    assert prepared.findings == ()
    stored = store(workspace, prepared)
    assert workspace.programs.get(stored.program) == prepared.program.to_bytes()


def test_an_error_in_a_spec_refuses_storing(folder: Path) -> None:
    """The message counts the findings and shows the first with file and line."""
    path = folder / "specs" / "starter.yml"
    path.write_text(path.read_text("utf-8").replace("event: bill_paid,", "event: bill_pait,"))
    workspace = Workspace(folder)
    with pytest.raises(BadInput, match=r"starter\.yml:\d+.*bill_paid"):
        store(workspace, prepare(workspace, system_clock()))


def test_init_touches_nothing_that_is_there(folder: Path) -> None:
    """A second init is refused and the keys stay."""
    before = (folder / "keys.toml").read_bytes()
    with pytest.raises(Conflict):
        init_workspace(folder, random_bytes=os.urandom)
    assert (folder / "keys.toml").read_bytes() == before


def test_keys_that_others_can_read_are_refused(folder: Path) -> None:
    """With the command that mends it."""
    assert read_keys(folder / "keys.toml").write_keys["web"].startswith("wk_web_")
    (folder / "keys.toml").chmod(0o644)
    with pytest.raises(Forbidden, match="chmod 600"):
        read_keys(folder / "keys.toml")


def test_keys_never_show_in_a_representation(folder: Path) -> None:
    """A log line or traceback with the object in it leaks nothing."""
    keys = read_keys(folder / "keys.toml")
    assert keys.api_token not in repr(keys)


def test_a_misspelt_setting_is_an_error_with_a_hint(folder: Path) -> None:
    """Silently ignoring it would be worse."""
    path = folder / "dipper.toml"
    path.write_text(path.read_text().replace("data_port", "data_prt"))
    with pytest.raises(BadInput, match=r"serve\.data_prt.*Did you mean 'serve\.data_port'"):
        load_settings(folder)


def test_the_environment_overrides_the_file(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nested names are joined by two underscores."""
    monkeypatch.setenv("DIPPER_SERVE__DATA_PORT", "9000")
    settings = load_settings(folder)
    assert settings.serve.data_port == 9000
    assert settings.serve.control_port == 8701


def test_a_folder_without_settings_is_no_workspace(tmp_path: Path) -> None:
    """The error says how to make one."""
    with pytest.raises(NotFound, match="dipper init"):
        load_settings(tmp_path)


def test_content_is_what_its_name_says(tmp_path: Path) -> None:
    """Equal content has one file; changed content is noticed; unknown content is named."""
    content = ContentStore(tmp_path, ".bin")
    address = content.put(b"abc")
    assert content.put(b"abc") == address
    assert content.get(address) == b"abc"
    content.path(address).write_bytes(b"abd")
    with pytest.raises(Corrupt):
        content.get(address)
    with pytest.raises(NotFound):
        content.get("0" * 64)
