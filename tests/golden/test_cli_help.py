"""The help of the command and of every verb, as it reads in a terminal of 80 columns."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from dipper.surface.cli.main import VERBS, app

GOLDEN = Path(__file__).parent / "cli_help"
WIDTH = {"COLUMNS": "80", "TERMINAL_WIDTH": "80"}


@pytest.mark.parametrize("verb", ["", *VERBS])
def test_help(verb: str, golden: Callable[[Path, str], None]) -> None:
    """Every change of a verb's words or options is seen in a diff."""
    arguments = [verb, "--help"] if verb else ["--help"]
    found = CliRunner().invoke(app, arguments, prog_name="dipper", env=WIDTH)
    assert found.exit_code == 0, found.output
    golden(GOLDEN / f"{verb or 'dipper'}.txt", found.output)


def test_help_reads_nothing_but_the_verbs() -> None:
    """No engine, no compiler and no web framework is imported to print it, so that it is quick."""
    program = (
        "import sys\n"
        "sys.argv = ['dipper', '--help']\n"
        "from dipper.surface.cli.main import app\n"
        "try:\n    app()\nexcept SystemExit:\n    pass\n"
        "print(sorted({name.split('.')[0] for name in sys.modules}), file=sys.stderr)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | WIDTH,
    )
    heavy = ("numpy", "numba", "duckdb", "pyarrow", "lmdb", "fastapi", "pydantic", "msgspec")
    assert "dipper" in done.stderr
    assert [name for name in heavy if f"'{name}'" in done.stderr] == []
