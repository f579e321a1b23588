"""The command as people start it: a process, its output, its exit code."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest


@dataclass(frozen=True)
class Done:
    """What a command has said."""

    code: int
    out: str
    err: str

    def json(self) -> Any:
        """The output as JSON."""
        return json.loads(self.out)


Dipper = Callable[..., Done]


@pytest.fixture(scope="session")
def dipper(kernels: str) -> Dipper:
    """Runs `dipper` with arguments; nobody watches, so that there are no bars and no colours."""
    environment = os.environ | {"NUMBA_CACHE_DIR": kernels}

    def run(*arguments: str | Path) -> Done:
        command = [sys.executable, "-m", "dipper.surface.cli.main", *map(str, arguments)]
        done = subprocess.run(command, capture_output=True, env=environment, timeout=200)
        return Done(done.returncode, done.stdout.decode(), done.stderr.decode())

    return run
