"""The servers of a bench: each on uvicorn in a process of its own on one core, beside its client.

A bench that serves calls itself with `--serve NAME --folder FOLDER` and says its port on its
standard output. The process ends with the bench that started it.
"""

from __future__ import annotations

import asyncio
import gc
import os
import queue
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import uvicorn
import uvloop

SERVER_CORE, CLIENT_CORE = 0, 1


def pin(core: int) -> None:
    """Stay on one core, where the system allows it."""
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    if len(cores) > core:
        os.sched_setaffinity(0, {cores[core]})


def stop_in_order() -> None:
    """Let SIGTERM end this process as an error would: it ends and removes what it has made."""
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))


# --- in the server's process ----------------------------------------------------------------


def begin_serving() -> None:
    """Become a server's process. Comes before threads are started: they stay on its core."""
    from dipper.surface.supervisor import end_with_parent

    end_with_parent()
    pin(SERVER_CORE)
    sys.setswitchinterval(0.0005)  # as the gateway does


def run(serving: Callable[[socket.socket], Coroutine[Any, Any, None]]) -> None:
    """Say the port and serve on it until SIGTERM, collecting cycles as the gateway does."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=512)
    gc.freeze()
    gc.set_threshold(100_000, 50, 50)
    print(listener.getsockname()[1], flush=True)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serving(listener))


def serve(app: Any) -> None:
    """Serve a bare ASGI application."""
    serve_as(
        uvicorn.Config(
            app,
            interface="asgi3",
            http="httptools",
            lifespan="off",
            access_log=False,
            proxy_headers=False,
            server_header=False,
            date_header=False,
            log_level="warning",
        )
    )


def serve_as(config: uvicorn.Config) -> None:
    """Serve in a given way."""
    run(lambda listener: uvicorn.Server(config).serve(sockets=[listener]))


async def body_of(receive: Any) -> bytes:
    """The whole body of a request."""
    body = b""
    while True:
        message = await receive()
        body += message["body"]
        if not message["more_body"]:
            return body


class FloorLog:
    """Appends bytes: one sync in flight, what queued meanwhile goes into the next."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_CREAT | os.O_APPEND | os.O_WRONLY)
        self._queue: queue.SimpleQueue[tuple[bytes, Future[None]]] = queue.SimpleQueue()
        threading.Thread(target=self._run, daemon=True).start()

    def append(self, data: bytes) -> Future[None]:
        """Done when the bytes are on disk."""
        future: Future[None] = Future()
        self._queue.put((data, future))
        return future

    def _run(self) -> None:
        while True:
            jobs = [self._queue.get()]
            while not self._queue.empty():
                jobs.append(self._queue.get())
            os.write(self._file, b"".join(data for data, _ in jobs))
            os.fdatasync(self._file)
            for _, future in jobs:
                future.set_result(None)


# --- in the bench's process -----------------------------------------------------------------


class Server:
    """A server process; `bench` is the file that serves."""

    def __init__(self, bench: str, which: str, folder: Path, *options: str) -> None:
        command = [sys.executable, bench, "--serve", which, "--folder", str(folder), *options]
        environment = os.environ | {"DIPPER_PARENT": str(os.getpid())}
        self._process = subprocess.Popen(
            command, stdout=subprocess.PIPE, text=True, env=environment
        )
        assert self._process.stdout is not None
        said = self._process.stdout.readline()
        if not said:
            raise RuntimeError(f"the server '{which}' ended with {self._process.wait()}")
        self.port = int(said)

    def processor_s(self) -> float:
        """Processor time so far."""
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def stop(self) -> None:
        """End it."""
        self._process.terminate()
        self._process.wait(30)
