"""A started collection on loopback with a real log in a temporary folder."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import http.client
import json
import socket
import threading
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from dipper.collect.collector import Collector
from dipper.collect.dialects import registry
from dipper.collect.duplicates import Duplicates
from dipper.collect.plan import Plan
from dipper.collect.sources import SourceKeys, Sources
from dipper.engine.embedded.log import EmbeddedLog
from dipper.engine.ports import LogWriter, Position
from dipper.engine.record import (
    CONTROL_DECODER,
    EVENT_DECODER,
    FAILED_DECODER,
    Control,
    Event,
    FailedEvent,
    RecordKind,
)
from dipper.kit.clock import system_clock
from dipper.spec.load import load_text
from dipper.spec.program import Program
from dipper.surface.http.appends import Appends
from dipper.surface.http.body import Bodies, Receive, Send
from dipper.surface.http.collection import Collection, Scope
from dipper.surface.http.connection import data_plane
from dipper.surface.http.socket import AppendServer, Neighbour

BANK = Path(__file__).parents[2] / "collect" / "bank.yml"


async def at_once(_: Position) -> None:
    """A projection that is never behind."""


class Gateway:
    """One partition's collection, served by uvicorn in a thread."""

    def __init__(
        self,
        log: EmbeddedLog,
        *,
        partition: int = 0,
        projected: Callable[[Position], Awaitable[None]] = at_once,
        gap_max_s: float = 30.0,
        sockets: Path | None = None,
        wrap: Callable[[LogWriter], LogWriter] = lambda writer: writer,
    ) -> None:
        objects = load_text(BANK.read_text("utf-8")).objects
        program = Program.from_objects([found.spec for found in objects])
        keys = {name: SourceKeys(f"wk_{name}") for name in program.of("source")}
        duplicates = Duplicates()
        with log.reader() as reader:
            duplicates.rebuild(reader.read(partition, 0, 1_000_000))
        dialects = registry.build()
        self.writer = log.writer(partition)
        self.collector = Collector(
            Sources.compile(program, keys),
            Plan.compile(program),
            duplicates,
            dialects,
            partition=partition,
            partitions=log.partitions(),
        )
        self.collector.warm()
        appends = Appends(wrap(self.writer), self.collector.admission)
        others = [number for number in range(log.partitions()) if number != partition]
        folder = sockets or Path()
        self.collection = Collection(
            self.collector,
            appends,
            dialects,
            clock=system_clock,
            projected=projected,
            partition=partition,
            neighbours={number: Neighbour(folder / f"{number}.sock") for number in others},
            bodies=Bodies(gap_max_s),
        )
        self.append_server = AppendServer(
            folder / f"{partition}.sock", appends, self.collector.count
        )
        self._listens = sockets is not None
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._server = uvicorn.Server(data_plane(self._app, taker=self.collection))
        self._started: Future[None] = Future()
        self._thread = threading.Thread(target=asyncio.run, args=(self._run(),))

    async def _app(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not await self.collection.handle(scope, receive, send):
            await send({"type": "http.response.start", "status": 404, "headers": []})
            await send({"type": "http.response.body", "body": b"not ours"})

    async def _run(self) -> None:
        if self._listens:
            await self.append_server.start()
        serving = asyncio.ensure_future(self._server.serve(sockets=[self._listener]))
        while not self._server.started:
            await asyncio.sleep(0.01)
        self._started.set_result(None)
        await serving
        await self.append_server.close()
        await self.collection.close()

    def start(self) -> Gateway:
        """Listen."""
        self._thread.start()
        self._started.result(10)
        return self

    def stop(self) -> None:
        """Finish what is under way and release the partition."""
        self._server.should_exit = True
        self._thread.join(10)
        self.writer.close()
        self._listener.close()

    def request(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: dict[str, str] | None = None,
    ) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and body of one request on a connection of its own."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        with contextlib.closing(connection):
            connection.request(method, path, body, headers or {})
            reply = connection.getresponse()
            names = {name.lower(): value for name, value in reply.getheaders()}
            return reply.status, names, reply.read()

    def post(
        self, path: str, value: Any, source: str | None = "app", *, packed: bool = False
    ) -> tuple[int, Any]:
        """Post JSON with the source's key as Basic; status and the reply's JSON or text."""
        body = value if isinstance(value, bytes) else json.dumps(value).encode()
        headers = {}
        if source is not None:
            headers["Authorization"] = basic(f"wk_{source}")
        if packed:
            body, headers["Content-Encoding"] = gzip.compress(body), "gzip"
        status, _, reply = self.request("POST", path, body, headers)
        try:
            return status, json.loads(reply)
        except ValueError:
            return status, reply.decode()


def basic(key: str) -> str:
    """The Authorization header of a write key."""
    import base64

    return "Basic " + base64.b64encode(f"{key}:".encode()).decode()


class Stored:
    """What the log holds, by kind."""

    def __init__(self, log: EmbeddedLog) -> None:
        self.events: list[Event] = []
        self.failed: list[FailedEvent] = []
        self.controls: list[Control] = []
        with log.reader() as reader:
            for partition in range(log.partitions()):
                for record in reader.read(partition, 0, 1_000_000):
                    if record.kind == RecordKind.EVENT:
                        self.events.append(EVENT_DECODER.decode(record.payload))
                    elif record.kind == RecordKind.FAILED:
                        self.failed.append(FAILED_DECODER.decode(record.payload))
                    else:
                        self.controls.append(CONTROL_DECODER.decode(record.payload))


@pytest.fixture
def log(tmp_path: Path) -> EmbeddedLog:
    """An empty log of one partition."""
    return EmbeddedLog(tmp_path / "log", 1)


@pytest.fixture
def stored(log: EmbeddedLog) -> Callable[[], Stored]:
    """Reads the log."""
    return lambda: Stored(log)


@pytest.fixture
def serve(log: EmbeddedLog) -> Iterator[Callable[..., Gateway]]:
    """Starts gateways, and stops them after the test."""
    started: list[Gateway] = []

    def start(**options: Any) -> Gateway:
        gateway = Gateway(options.pop("log", log), **options).start()
        started.append(gateway)
        return gateway

    yield start
    for gateway in started:
        gateway.stop()


@pytest.fixture
def gateway(serve: Callable[..., Gateway]) -> Gateway:
    """A started gateway."""
    return serve()
