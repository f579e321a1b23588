"""A funnel in a process of its own: `python -m dipper.surface.funnel_process WORKSPACE`.

The question comes on standard input and the answer leaves on standard output, both JSON, so that
what a large question takes never weighs on the control plane, and ends with its process.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from dipper.kit.errors import DipperError, TooLarge, Unavailable
from dipper.surface.kernels import keep_kernels_in

if TYPE_CHECKING:
    from dipper.surface.funnels import FunnelAsked

SECONDS_MAX = 120.0


def ask_apart(folder: Path, asked: FunnelAsked) -> dict[str, Any]:
    """The answer as JSON has it.

    Raises BadInput and NotFound as `funnels.ask_funnel` does, TooLarge for what takes longer than
    two minutes, Unavailable when the process could not answer.
    """
    command = [sys.executable, "-m", "dipper.surface.funnel_process", str(folder)]
    try:
        ended = subprocess.run(
            command,
            input=asked.model_dump_json().encode(),
            capture_output=True,
            timeout=SECONDS_MAX,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise TooLarge(
            f"the funnel took longer than {SECONDS_MAX:g} s.",
            where="funnel",
            hint="Ask for less at once: `start` and `end` bound the time.",
        ) from error
    if ended.returncode != 0:
        raise Unavailable(f"the funnel's process ended with {ended.returncode}.", where="funnel")
    answer: dict[str, Any] = msgspec.json.decode(ended.stdout)
    if "problem" in answer:
        raise DipperError.of_problem(answer["problem"])
    found: dict[str, Any] = answer["found"]
    return found


def main() -> None:
    """Answer one question."""
    folder = Path(sys.argv[1])
    keep_kernels_in(folder)
    from dipper.app.workspace import Workspace
    from dipper.surface.explaining import served_in
    from dipper.surface.funnels import FunnelAsked, ask_funnel

    try:
        asked = FunnelAsked.model_validate_json(sys.stdin.buffer.read())
        workspace = Workspace(folder)
        answer: dict[str, Any] = {
            "found": ask_funnel(workspace, served_in(workspace), asked).as_dict()
        }
    except DipperError as error:
        answer = {"problem": error.as_problem()}
    sys.stdout.buffer.write(msgspec.json.encode(answer))


if __name__ == "__main__":
    main()
