"""A fresh workspace: settings, keys, a starter that answers at once, and nothing else.

The starter is small on purpose: one source, one event, one tag, one segment, one service offered in
one placement. `dipper check` finds nothing in it.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import resources
from pathlib import Path

from dipper.app.keys import write_keys
from dipper.app.settings import SETTINGS_FILE
from dipper.kit.errors import Conflict

_SETTINGS = """# Settings of this workspace, read at start (docs/reference/settings.md).
[workspace]
name = "{name}"
demo = {demo}
time_zone = "Asia/Shanghai"

[serve]
host = "127.0.0.1"
data_port = 8700
control_port = 8701

[storage]
# Fixed from the first event on.
partitions = {partitions}
"""

_IGNORED = "data/\nkeys.toml\n"


def init_workspace(
    folder: Path,
    *,
    random_bytes: Callable[[int], bytes],
    sources: list[str] | None = None,
    demo: bool = False,
    partitions: int = 1,
    starter: bool = True,
) -> None:
    """Make a workspace. Raises Conflict where one is already; touches no existing file."""
    if (folder / SETTINGS_FILE).exists():
        raise Conflict("there is a workspace already.", where=str(folder))
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "specs").mkdir(exist_ok=True)
    (folder / "tables").mkdir(exist_ok=True)
    settings = _SETTINGS.format(
        name=folder.resolve().name, demo=str(demo).lower(), partitions=partitions
    )
    (folder / SETTINGS_FILE).write_text(settings, encoding="utf-8")
    if not (folder / ".gitignore").exists():
        (folder / ".gitignore").write_text(_IGNORED, encoding="utf-8")
    if starter:
        text = resources.files("dipper.app").joinpath("starter.yml").read_text("utf-8")
        (folder / "specs" / "starter.yml").write_text(text, encoding="utf-8")
    if not (folder / "keys.toml").exists():
        write_keys(folder / "keys.toml", sources or ["web", "server", "core"], random_bytes)
