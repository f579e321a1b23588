"""The server under the demo: started like any other, killed without warning, started again."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

from dipper.kit.errors import Unavailable

READY_S = 120.0


def free_port() -> int:
    """A loopback port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class DemoServer:
    """`dipper serve` in a process group of its own."""

    def __init__(self, workspace: Path, log: Path) -> None:
        self.workspace = workspace
        self.data_port = free_port()
        self.control_port = free_port()
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, roles: str = "gateway,worker") -> None:
        """Start and wait until the data plane answers. Raises Unavailable."""
        environment = os.environ | {
            "DIPPER_SERVE__DATA_PORT": str(self.data_port),
            "DIPPER_SERVE__CONTROL_PORT": str(self.control_port),
        }
        command = [sys.executable, "-m", "dipper.surface.cli.main", "serve", str(self.workspace)]
        with self._log.open("ab") as out:
            self._process = subprocess.Popen(
                [*command, "--roles", roles],
                env=environment,
                stdout=out,
                stderr=out,
                start_new_session=True,
            )
        self._wait()

    def _wait(self) -> None:
        deadline = time.monotonic() + READY_S
        while time.monotonic() < deadline:
            if self._process is not None and self._process.poll() is not None:
                break
            connection = http.client.HTTPConnection("127.0.0.1", self.data_port, timeout=2)
            try:
                connection.request("GET", "/v1/decisions/none")
                connection.getresponse().read()
                return
            except OSError:
                time.sleep(0.05)
            finally:
                connection.close()
        raise Unavailable("the server did not come up.", where=str(self._log))

    def kill(self) -> None:
        """SIGKILL to every process of the server at once."""
        assert self._process is not None
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def stop(self) -> None:
        """SIGTERM, and wait until it has finished what it holds."""
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(30)
            except subprocess.TimeoutExpired:
                self.kill()
