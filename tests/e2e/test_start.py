"""The first pages that a new user follows, word by word."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from dipper.surface.demo.server import free_port

ROOT = Path(__file__).parents[2]
FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
READY = """
for attempt in $(seq 300); do
  curl -sf http://127.0.0.1:8701/readyz >/dev/null && break
  sleep 0.1
done
"""


def script(page: str) -> str:
    """The page's commands as one script that serves in the background and ends what it began."""
    text = (ROOT / page).read_text("utf-8")
    blocks = [block for language, block in FENCE.findall(text) if not language]
    lines = [
        f"{line.split('#')[0]} >server.log 2>&1 &\nSERVER=$!{READY}"
        if "dipper serve" in line
        else line
        for line in "\necho '== next'\n".join(blocks).splitlines()
        if not line.startswith(("make ", "source "))
    ]
    return "set -e\ntrap 'kill $SERVER; wait $SERVER' EXIT\n" + "\n".join(lines)


@pytest.mark.parametrize("page", ["README.md", "README.zh-CN.md", "docs/start.md"])
def test_the_page_works_as_it_is_written(page: str, tmp_path: Path) -> None:
    """Every command succeeds; consent turns an empty answer into an offer, and it is explained."""
    data, control = str(free_port()), str(free_port())
    done = subprocess.run(
        ["bash", "-c", script(page).replace("8700", data).replace("8701", control)],
        cwd=tmp_path,
        env=os.environ
        | {
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "DIPPER_SERVE__DATA_PORT": data,
            "DIPPER_SERVE__CONTROL_PORT": control,
        },
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    answers = [line for line in done.stdout.splitlines() if '"decision_id"' in line]
    assert '"offer":"bill_reminder"' in answers[-1]
    if len(answers) > 1:
        assert '"offers":[]' in answers[0]
        assert "bill_paid" in done.stdout.split("== next")[-2]
