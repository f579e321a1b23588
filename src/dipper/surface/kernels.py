"""Where this process keeps compiled kernels. Called before anything that has kernels is imported.

Kernels are never generated from specs, so all workspaces of a user share them and compile them
once; where the user has no folder to write to, they stand in the workspace. The installation itself
may be read-only.
"""

from __future__ import annotations

import os
from pathlib import Path

from dipper.engine.embedded import numba_cache


def keep_kernels_in(workspace: Path) -> None:
    """Let kernels be found in and written to a folder of the user, else in the workspace; the
    environment (NUMBA_CACHE_DIR) comes first."""
    if os.environ.get("NUMBA_CACHE_DIR"):
        return
    try:
        numba_cache.use(numba_cache.user_folder())
    except OSError:
        numba_cache.use((workspace / "data" / "cache" / "numba").resolve())
