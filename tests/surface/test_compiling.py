"""Compiling all kernels when Dipper is installed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

_COMPILE = """
import sys
from pathlib import Path
from dipper.surface.compiling import compile_all
compile_all(Path(sys.argv[1]))
from numba.core.registry import CPUDispatcher
modules = [module for name, module in sys.modules.items() if name.startswith("dipper.")]
kernels = {v for m in modules for v in vars(m).values() if isinstance(v, CPUDispatcher)}
used = [k for k in kernels if k.signatures]
print(len(used), sum(sum(k.stats.cache_misses.values()) for k in used))
"""


def test_what_is_compiled_once_is_never_compiled_again(tmp_path: Path) -> None:
    """A second process that uses everything finds all kernels where the first has left them."""
    for number in (1, 2):
        command = [sys.executable, "-c", _COMPILE, str(tmp_path / f"bank-{number}")]
        said = subprocess.run(command, capture_output=True, text=True, timeout=200, check=True)
    used, compiled = map(int, said.stdout.split())
    assert used > 30
    assert compiled == 0
