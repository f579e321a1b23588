"""Work on a workspace in a second process beside this one: two cores instead of one.

The process runs `python -m MODULE WORKSPACE`. It works along with what this one does until its
standard input is closed, then finishes. A line of JSON for every step leaves on its standard
output, at last the result, or what went wrong.
"""

from __future__ import annotations

import gc
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from dipper.kit.errors import DipperError, Unavailable
from dipper.surface.kernels import keep_kernels_in

Progress = Callable[[int], None]
Work = Callable[[Path, Callable[[], bool], Progress], dict[str, Any]]
"""Works along until the callable says that the other process has ended its part; gives a result."""


class Beside:
    """The second process, seen by the first."""

    def __init__(self, module: str, folder: Path) -> None:
        command = [sys.executable, "-m", module, str(folder)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def finish(self, progress: Progress = lambda done: None) -> dict[str, Any]:
        """Nothing more comes from here: wait for the result.

        Raises what the process met; Unavailable when it died.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        for line in self._process.stdout:
            said: dict[str, Any] = msgspec.json.decode(line)
            if "problem" in said:
                raise DipperError.of_problem(said["problem"])
            if "result" in said:
                result: dict[str, Any] = said["result"]
                return result
            progress(said["done"])
        raise Unavailable(
            f"the process beside ended with {self._process.wait()}.",
            where=" ".join(self._process.args[2:]),  # type: ignore[arg-type]
        )

    def close(self) -> None:
        """End it, whether it has finished or not."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.terminate()
        self._process.wait()
        self._process.stdin.close()
        self._process.stdout.close()


def run_beside(work: Work) -> None:
    """Be the second process."""
    folder = Path(sys.argv[1])
    keep_kernels_in(folder)
    # Millions of records that refer to nothing: looking for cycles among them costs a third.
    gc.disable()
    ended = threading.Event()

    def listen() -> None:
        sys.stdin.buffer.read()
        ended.set()

    threading.Thread(target=listen, daemon=True).start()

    def say(what: dict[str, Any]) -> None:
        sys.stdout.buffer.write(msgspec.json.encode(what) + b"\n")
        sys.stdout.buffer.flush()

    try:
        say({"result": work(folder, ended.is_set, lambda done: say({"done": done}))})
    except DipperError as error:
        say({"problem": error.as_problem()})
