"""`dipper serve`: starts the processes of a workspace, starts again what dies, stops all together.

A child that dies is started again after a short, growing pause; the others go on. SIGTERM and
SIGINT are handed on, and the children get ten seconds to finish what they hold. A child watches
its parent and ends when the supervisor itself is gone, so that nothing is left behind.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

ROLES = ("gateway", "worker", "api")
STOP_S = 10.0
PAUSES_S = (0.2, 0.5, 1.0, 2.0, 5.0)


@dataclass
class Child:
    """One process and how often it had to be started again."""

    name: str
    command: list[str]
    process: subprocess.Popen[bytes] | None = None
    restarts: int = 0
    due: float = 0.0
    started: float = field(default=0.0)


def commands(folder: Path, roles: tuple[str, ...], partitions: int) -> list[Child]:
    """The children that these roles need."""
    python = [sys.executable, "-m"]
    children = []
    if "gateway" in roles:
        for partition in range(partitions):
            children.append(
                Child(
                    f"gateway-{partition}",
                    [*python, "dipper.surface.http.gateway", str(folder), str(partition)],
                )
            )
    if "worker" in roles:
        children.append(Child("worker", [*python, "dipper.surface.worker.main", str(folder)]))
    if "api" in roles:
        children.append(Child("api", [*python, "dipper.surface.api.main", str(folder)]))
    return children


class Supervisor:
    """Runs children until told to stop."""

    def __init__(self, children: list[Child]) -> None:
        self.children = children
        self.stopping = threading.Event()

    def run(self) -> int:
        """Block until a signal; gives the exit code."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self.stopping.set())
        for child in self.children:
            self._start(child)
        while not self.stopping.wait(0.1):
            for child in self.children:
                self._tend(child)
        return self._stop()

    def _start(self, child: Child) -> None:
        environment = os.environ | {"DIPPER_PARENT": str(os.getpid())}
        child.process = subprocess.Popen(child.command, env=environment)
        child.started = time.monotonic()

    def _tend(self, child: Child) -> None:
        if child.process is None:
            if time.monotonic() >= child.due:
                self._start(child)
            return
        code = child.process.poll()
        if code is None:
            if child.restarts and time.monotonic() - child.started > 60:
                child.restarts = 0
            return
        pause = PAUSES_S[min(child.restarts, len(PAUSES_S) - 1)]
        print(f"{child.name} ended with {code}; starting again in {pause} s", file=sys.stderr)
        child.process = None
        child.restarts += 1
        child.due = time.monotonic() + pause

    def _stop(self) -> int:
        running = [child.process for child in self.children if child.process is not None]
        for process in running:
            process.terminate()
        deadline = time.monotonic() + STOP_S
        code = 0
        for process in running:
            try:
                process.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                code = 1
        return code


def end_with_parent() -> None:
    """Called by a child: end this process when the supervisor that started it is gone."""
    parent = int(os.environ.get("DIPPER_PARENT", "0"))
    if not parent:
        return

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(1)

    threading.Thread(target=watch, name="parent-watch", daemon=True).start()
