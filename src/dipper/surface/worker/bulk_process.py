"""Projecting in a process of its own beside a bulk import: two cores instead of one.

`python -m dipper.surface.worker.bulk_process WORKSPACE` follows the log until its standard input
is closed and everything is projected. It writes a line of JSON for every step, and at last what
went wrong, if anything did.
"""

from __future__ import annotations

import gc
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from dipper.kit.errors import DipperError, Unavailable
from dipper.surface.kernels import keep_kernels_in

if TYPE_CHECKING:
    from dipper.app.workspace import Workspace


class BulkProcess:
    """The process, seen by the one that reads and appends."""

    def __init__(self, folder: Path) -> None:
        command = [sys.executable, "-m", "dipper.surface.worker.bulk_process", str(folder)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def finish(self, progress: Callable[[int], None]) -> None:
        """Nothing more is appended: wait until all is projected.

        Raises what the process met; Unavailable when it died.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        for line in self._process.stdout:
            said: dict[str, Any] = msgspec.json.decode(line)
            if "problem" in said:
                raise DipperError.of_problem(said["problem"])
            progress(said["done"])
        if self._process.wait() != 0:
            raise Unavailable(
                f"the projecting process ended with {self._process.returncode}.",
                hint="Nothing that was read is lost: dipper serve goes on where it stopped.",
            )

    def close(self) -> None:
        """Let it end, whether all is projected or not."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.terminate()
        self._process.wait()
        self._process.stdin.close()
        self._process.stdout.close()


def project_log(
    workspace: Workspace, is_ended: Callable[[], bool], progress: Callable[[int], None]
) -> None:
    """Become the projecting process of a workspace that no worker serves, until the log ends.

    Raises Conflict when there is one.
    """
    from dipper.app.keys import read_keys
    from dipper.app.programs import applied
    from dipper.app.served import Current, Programs
    from dipper.surface.worker.bulk import follow, refuse_announcements
    from dipper.surface.worker.projector import Projector

    current = applied(workspace)
    assert current is not None
    programs = Programs(workspace)
    served = programs.get(Current(current.program, dict(current.tables)))
    workspace.state.claim()
    with workspace.log.reader() as reader:
        key = read_keys(workspace.keys_file).erasure_key
        projector = Projector(reader, workspace.state, programs, key, refuse_announcements)
        follow(workspace, served, projector, reader, is_ended, progress)


def main() -> None:
    """Follow until standard input ends."""
    folder = Path(sys.argv[1])
    keep_kernels_in(folder)
    from dipper.app.workspace import Workspace

    ended = threading.Event()

    def listen() -> None:
        sys.stdin.buffer.read()
        ended.set()

    threading.Thread(target=listen, daemon=True).start()

    def say(what: dict[str, Any]) -> None:
        sys.stdout.buffer.write(msgspec.json.encode(what) + b"\n")
        sys.stdout.buffer.flush()

    # Millions of records that refer to nothing: looking for cycles among them costs a third.
    gc.disable()
    workspace = Workspace(folder)
    try:
        project_log(workspace, ended.is_set, lambda done: say({"done": done}))
    except DipperError as error:
        say({"problem": error.as_problem()})
    finally:
        workspace.state.close()


if __name__ == "__main__":
    main()
