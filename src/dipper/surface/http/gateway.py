"""A gateway's process: `python -m dipper.surface.http.gateway WORKSPACE PARTITION`.

Collection opens as soon as the log and its duplicate index stand; decide answers once a program is
applied and its kernels are warm.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import socket
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import structlog

from dipper.app.keys import read_keys
from dipper.app.served import Served
from dipper.app.workspace import Workspace
from dipper.collect.admission import Admission
from dipper.collect.collector import Collector
from dipper.collect.dialects import registry as dialect_registry
from dipper.collect.erasures import KeyedHash
from dipper.collect.plan import Plan
from dipper.collect.sources import Sources
from dipper.engine.ports import Entry, LogReader, LogWriter, Position
from dipper.engine.record import CONTROL_DECODER, Control, RecordKind
from dipper.kit.clock import Clock, system_clock
from dipper.kit.errors import Conflict
from dipper.kit.hashing import hash128
from dipper.profile.subject import load_subject
from dipper.surface.http.appends import Appends
from dipper.surface.http.body import Bodies, Receive, Send
from dipper.surface.http.collection import Collection, Scope
from dipper.surface.http.deciding import Deciding
from dipper.surface.http.following import Following
from dipper.surface.http.keys import read_source_keys
from dipper.surface.http.not_found import NOT_FOUND
from dipper.surface.http.replies import send_reply
from dipper.surface.http.socket import AppendServer, Neighbour
from dipper.surface.http.takers import Takers
from dipper.surface.http.waiting import Projection
from dipper.surface.kernels import keep_kernels_in
from dipper.surface.log_index import LogIndex, known_duplicates

log = structlog.get_logger("gateway")
SAVE_LOOK_S = 1.0
SETTLED_S = 2.0


class ControlledAppends(Appends):
    """Appends that let the gateway follow the control records among them."""

    following: Following
    reader: LogReader
    partition: int
    writer: LogWriter
    index: LogIndex

    def __init__(self, writer: LogWriter, admission: Admission) -> None:
        super().__init__(writer, admission)
        self._index_turn = asyncio.Lock()

    async def erase(self, offsets: Sequence[int]) -> int:
        """Empty records of this partition, and forget their message ids."""
        read = self.reader.read
        records = [record for at in offsets for record in read(self.partition, at, 1)]
        async with self._index_turn:
            gone = self.index.forget(records)
            self.index.duplicates.runs = await asyncio.to_thread(self.index.erase, gone)
        positions = [Position(self.partition, offset) for offset in offsets]
        return await asyncio.wrap_future(self.writer.erase(positions))

    async def save_index(self) -> None:
        """Save what the index has; what is not on disk yet is waited for first."""
        unsaved = self.index.duplicates.unsaved
        assert unsaved is not None
        async with self._index_turn:
            count, mark = unsaved.count, self.mark
            if mark <= self.index.mark:
                return
            try:
                await self.settled(SETTLED_S)
            except TimeoutError:
                log.warning("the index is not saved", reason="the log is behind")
                return
            draft = self.index.draft(count, mark)
            self.index.adopt(draft, await asyncio.to_thread(self.index.write, draft))

    async def append(
        self,
        entries: Sequence[Entry],
        received_us: int,
        *,
        has_duplicates: bool = False,
        reserve: bool = False,
    ) -> int:
        """Append; a control record takes effect once it is on disk."""
        controls = _controls(entries)
        for control, _ in controls:
            self.following.admit(control)
        first = await super().append(
            entries, received_us, has_duplicates=has_duplicates, reserve=reserve
        )
        for control, payload in controls:
            self.index.follow(payload)
            self.following.follow(control)
            self.following.apply(control)
        return first


def _controls(entries: Sequence[Entry]) -> list[tuple[Control, bytes]]:
    return [
        (CONTROL_DECODER.decode(payload), payload)
        for kind, payload in entries
        if kind == RecordKind.CONTROL and not payload.startswith(b'{"type":"counted"')
    ]


class Gateway:
    """One partition's collection and decisions."""

    def __init__(self, workspace: Workspace, partition: int, clock: Clock) -> None:
        self.workspace = workspace
        self.partition = partition
        partitions = workspace.settings.storage.partitions
        erasure_key = read_keys(workspace.keys_file).erasure_key
        self._source_keys = read_source_keys(workspace.keys_file)
        self.writer = workspace.log.writer(partition)
        self.following = Following(workspace, clock, erasure_key)
        duplicates = known_duplicates(workspace, is_saved=True)
        self.index = LogIndex(workspace, partition, duplicates)
        self._open_index()
        served = self.following.programs.get(self.following.current)
        dialects = dialect_registry.build()
        self.collector = Collector(
            Sources.compile(served.program, self._source_keys),
            Plan.compile(served.program),
            duplicates,
            dialects,
            partition=partition,
            partitions=partitions,
        )
        self.following.on_program = self._adopt
        self.following.on_erasure = self._forget
        self.appends = ControlledAppends(self.writer, self.collector.admission)
        self.appends.following = self.following
        self.appends.reader = workspace.log.reader()
        self.appends.partition = partition
        self.appends.writer = self.writer
        self.appends.index = self.index
        self.appends.mark = self.index.mark
        self.projection = Projection(workspace.state)
        workspace.run.mkdir(parents=True, exist_ok=True)
        self.server = AppendServer(workspace.socket(partition), self.appends, self.collector.count)
        bodies = Bodies()
        self.collection = Collection(
            self.collector,
            self.appends,
            dialects,
            clock=self.following.now,
            projected=self.projection.applied,
            reinstatement=self.following.reinstatement,
            partition=partition,
            neighbours={
                other: Neighbour(workspace.socket(other))
                for other in range(partitions)
                if other != partition
            },
            bodies=bodies,
        )
        self.deciding = Deciding(
            lambda: self.collector.sources,
            self.collector.count,
            self.appends,
            workspace.state,
            workspace.log.reader(),
            self.following.programs,
            self.projection,
            clock=self.following.now,
            erasure_key=erasure_key,
            partition=partition,
            served=self.following.served,
            published=self.following.published,
            model=self.following.model,
            bodies=bodies,
        )
        self.taker = Takers(self.deciding, self.collection)
        self.following.apply()

    def _open_index(self) -> None:
        """Known message ids, and what control records say."""
        with self.workspace.log.reader() as reader:
            self.index.open(reader)
        for payload in self.index.controls:
            self.following.follow(CONTROL_DECODER.decode(payload))
        self.index.duplicates.turn(self.following.now())
        if not self.following.current.program:
            raise Conflict(
                "no program is applied to this log.",
                where=str(self.workspace.folder),
                hint=f"dipper apply {self.workspace.folder}",
            )

    async def _keep_index(self) -> None:
        """Save the index from time to time, and when all is served."""
        while not self._is_served.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._is_served.wait(), SAVE_LOOK_S)
            if self.index.is_due or self._is_served.is_set():
                await self.appends.save_index()

    def _adopt(self, served: Served) -> None:
        """Judge and decide by another program from now on; compiled before it is used."""
        sources = Sources.compile(served.program, self._source_keys)
        self.collector.adopt(sources, Plan.compile(served.program))
        assert served.decider is not None
        with self.workspace.state.read() as view:
            # The first fold loads or compiles the kernels.
            load_subject(view, served.tag_table, [f"login:{hash128('warm').hex()}"], 0)
        log.info("program", hash=served.current.program[:12])

    def _forget(self, erased: KeyedHash | None) -> None:
        """Refuse whoever is erased from now on, and keep no decision about anybody in memory."""
        self.collector.erasures.changed(erased)
        self.deciding.forget()

    async def app(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The ASGI application of the data plane."""
        if scope["type"] != "http":
            return
        if not (
            await self.deciding.handle(scope, receive, send)
            or await self.collection.handle(scope, receive, send)
        ):
            await send_reply(send, NOT_FOUND, b"")

    async def run(self, listener: socket.socket) -> None:
        """Serve until SIGTERM, then finish what is under way."""
        import uvicorn

        from dipper.surface.http.connection import data_plane

        self._is_served = asyncio.Event()
        keeping = asyncio.ensure_future(self._keep_index())
        await self.server.start()
        try:
            await uvicorn.Server(data_plane(self.app, taker=self.taker)).serve(sockets=[listener])
        finally:
            await self.server.close()
            await self.collection.close()
            self._is_served.set()
            await keeping
            await asyncio.to_thread(self.writer.close)


def listen(host: str, port: int) -> socket.socket:
    """A listening socket that the gateways of other partitions may share."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    listener.bind((host, port))
    listener.setblocking(False)
    return listener


def main() -> None:
    """Run one gateway."""
    folder, partition = Path(sys.argv[1]), int(sys.argv[2])
    keep_kernels_in(folder)
    import uvloop

    from dipper.surface.logging import configure
    from dipper.surface.supervisor import end_with_parent

    end_with_parent()
    configure()
    # The log's writer thread must get the interpreter as soon as a sync has returned.
    sys.setswitchinterval(0.0005)
    workspace = Workspace(folder)
    gateway = Gateway(workspace, partition, system_clock)
    if gateway.writer.opening.lost:
        log.error("synced records were lost with the machine", records=gateway.writer.opening.lost)
    gc.freeze()
    gc.set_threshold(100_000, 50, 50)
    serve = workspace.settings.serve
    listener = listen(serve.host, serve.data_port)
    runner: Any = asyncio.Runner(loop_factory=uvloop.new_event_loop)
    with runner:
        runner.run(gateway.run(listener))


if __name__ == "__main__":
    main()
