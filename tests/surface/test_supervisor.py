"""The supervisor: what dies starts again, and all stop together."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from dipper.surface.supervisor import Child, Supervisor, commands

PROGRAM = """
import sys
from dipper.surface.supervisor import Child, Supervisor
folder = sys.argv[1]
sleeps = "import os,sys,time; open(sys.argv[1] + '/pids', 'a').write(f'{os.getpid()}\\\\n')\\n"
sleeps += "from dipper.surface.supervisor import end_with_parent\\nend_with_parent()\\n"
sleeps += "time.sleep(60)"
child = Child("sleeper", [sys.executable, "-c", sleeps, folder])
sys.exit(Supervisor([child]).run())
"""


def wait_for(is_so: Callable[[], bool], seconds: float = 20) -> None:
    """Until a condition holds."""
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.02)


def pids(folder: Path) -> list[int]:
    """The children that have started so far."""
    path = folder / "pids"
    return [int(line) for line in path.read_text().split()] if path.exists() else []


def lives(pid: int) -> bool:
    """Whether a process is there and no zombie."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    return False


@pytest.fixture
def running(tmp_path: Path) -> object:
    """A supervisor of one child, in a process of its own."""
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(tmp_path)], stderr=subprocess.PIPE
    )
    wait_for(lambda: len(pids(tmp_path)) == 1)
    yield process
    for pid in [process.pid, *pids(tmp_path)]:
        with contextlib.suppress(OSError):
            os.kill(pid, signal.SIGKILL)
    process.communicate()


def test_what_dies_is_started_again(running: subprocess.Popen[bytes], tmp_path: Path) -> None:
    """By a new process, each time."""
    for number in (1, 2):
        os.kill(pids(tmp_path)[-1], signal.SIGKILL)
        wait_for(lambda number=number: len(pids(tmp_path)) == number + 1)
    assert len(set(pids(tmp_path))) == 3


def test_a_signal_stops_all_of_it(running: subprocess.Popen[bytes], tmp_path: Path) -> None:
    """SIGTERM is handed on, and the exit code is 0."""
    (child,) = pids(tmp_path)
    running.terminate()
    assert running.wait(15) == 0
    assert not lives(child)


def test_children_end_with_a_supervisor_that_was_killed(
    running: subprocess.Popen[bytes], tmp_path: Path
) -> None:
    """kill -9 of the parent leaves nothing behind."""
    (child,) = pids(tmp_path)
    running.kill()
    running.wait()
    wait_for(lambda: not lives(child))


def test_a_child_that_does_not_listen_is_killed() -> None:
    """After the time that it has to finish; the exit code says so."""
    text = "import signal,time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(60)"
    child = Child("deaf", [sys.executable, "-c", text])
    child.process = subprocess.Popen(child.command)
    time.sleep(0.5)
    supervisor = Supervisor([child])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("dipper.surface.supervisor.STOP_S", 0.3)
        assert supervisor._stop() == 1
    assert child.process.returncode == -signal.SIGKILL


def test_roles_choose_the_processes() -> None:
    """A gateway for each partition, one worker, one api; none that was not asked for."""
    names = [child.name for child in commands(Path("bank"), ("gateway", "worker", "api"), 2)]
    assert names == ["gateway-0", "gateway-1", "worker", "api"]
    assert [child.name for child in commands(Path("bank"), ("worker",), 4)] == ["worker"]
