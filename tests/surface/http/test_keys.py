"""The keys of sources."""

from __future__ import annotations

from pathlib import Path

import pytest

from dipper.kit.errors import BadInput, Forbidden, NotFound
from dipper.surface.http.keys import read_source_keys

KEYS = """
[sources.app]
write_key = "wk_app"

[[sources.app.token_keys]]
kid = "2026-01"
public_jwk = { kty = "EC", crv = "P-256", x = "a", y = "b" }

[sources.core]
write_key = "wk_core"

[api]
token = "other parts of the file are not ours"
"""


def write(path: Path, text: str, mode: int = 0o600) -> Path:
    """A file of keys."""
    path.write_text(text)
    path.chmod(mode)
    return path


def test_write_and_token_keys_are_read(tmp_path: Path) -> None:
    """By source; the rest of the file is left to others."""
    keys = read_source_keys(write(tmp_path / "keys.toml", KEYS))
    assert set(keys) == {"app", "core"}
    assert keys["app"].write_key == "wk_app"
    assert keys["app"].token_keys["2026-01"]["crv"] == "P-256"
    assert not keys["core"].token_keys


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o620])
def test_a_file_that_others_can_touch_is_refused(tmp_path: Path, mode: int) -> None:
    """And the hint is the command that mends it."""
    path = write(tmp_path / "keys.toml", KEYS, mode)
    with pytest.raises(Forbidden, match=rf"expected mode 0600, got {mode:04o}") as caught:
        read_source_keys(path)
    assert caught.value.hint == f"chmod 600 {path}"


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    """With what makes one."""
    with pytest.raises(NotFound, match=r"keys\.toml"):
        read_source_keys(tmp_path / "keys.toml")


@pytest.mark.parametrize(
    "text",
    [
        "[sources.app\n",
        "sources = 5",
        "[sources]\napp = 5",
        "[sources.app]\nwrite_key = 5",
        '[[sources.app.token_keys]]\nkid = "x"',
        '[sources.a]\nwrite_key = "k"\n[sources.b]\nwrite_key = "k"',
    ],
)
def test_what_is_not_understood_is_refused(tmp_path: Path, text: str) -> None:
    """Also two sources with one key, for then nobody knows who sends."""
    with pytest.raises(BadInput):
        read_source_keys(write(tmp_path / "keys.toml", text))
