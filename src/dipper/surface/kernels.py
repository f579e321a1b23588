"""Where this process keeps compiled kernels: in its workspace, for the installation may be
read-only. Called before anything that has kernels is imported.
"""

from __future__ import annotations

import os
from pathlib import Path


def keep_kernels_in(workspace: Path) -> None:
    """Let kernels be found in and written to the workspace, unless the environment says where."""
    folder = (workspace / "data" / "cache" / "numba").resolve()
    os.environ.setdefault("NUMBA_CACHE_DIR", str(folder))
