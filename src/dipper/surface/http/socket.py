"""The local append socket: how other processes write to a gateway's partition.

The gateway is the only writer of its partition, so worker, command line and the other gateways
hand their records over here. A frame is 4 bytes of length (big-endian) and msgpack: `{entries:
[[kind, payload] ...], received_us, judged?}`; the answer is `{first, count, counts}` once all is
on disk, or `{error}`. `judged` records come from another gateway's collection and are admitted
like our own: copies are dropped and counted.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import cast

import msgspec

from dipper.collect.counts import Counts
from dipper.engine.ports import Entry
from dipper.engine.record import RecordKind
from dipper.kit.errors import DipperError, Unavailable
from dipper.surface.http.appends import Appends

FRAME_MAX = 64 << 20
_CLOSING_S = 5.0
_LENGTH = 4


class _Request(msgspec.Struct, omit_defaults=True):
    entries: list[tuple[int, bytes]]
    received_us: int
    judged: bool = False
    erase: list[int] = []


class Appended(msgspec.Struct, frozen=True, omit_defaults=True):
    """Where the entries stand: offsets `first` to `first + count - 1`; -1 and 0 if none remained.

    `counts` tells for judged records what became of them, by source.
    """

    first: int
    count: int
    counts: dict[str, Counts] = {}


class _Answer(msgspec.Struct, omit_defaults=True):
    appended: Appended | None = None
    error: str = ""


_ENCODER = msgspec.msgpack.Encoder()
_REQUESTS = msgspec.msgpack.Decoder(_Request)
_ANSWERS = msgspec.msgpack.Decoder(_Answer)


class AppendServer:
    """Listens on a gateway's socket. Runs in the gateway's event loop."""

    def __init__(
        self,
        path: Path,
        appends: Appends,
        count: Callable[[dict[str, Counts]], None] = lambda _: None,
    ) -> None:
        """`count` hears what became of judged records once they are on disk."""
        self._path = path
        self._appends = appends
        self._count = count
        self._server: asyncio.Server | None = None
        self._connections: dict[asyncio.Task[None], asyncio.StreamReader] = {}

    async def start(self) -> None:
        """Listen. A socket left behind by a process that died is replaced."""
        self._path.unlink(missing_ok=True)
        old = os.umask(0o177)
        try:
            self._server = await asyncio.start_unix_server(self._serve, self._path)
        finally:
            os.umask(old)

    async def close(self) -> None:
        """Stop listening; what was taken is answered."""
        if self._server is None:
            return
        self._server.close()
        self._server = None
        self._path.unlink(missing_ok=True)
        for reader in self._connections.values():
            reader.feed_eof()
        if self._connections:
            await asyncio.wait(self._connections, timeout=_CLOSING_S)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Frames of one connection. Appends run together, answers go out in order."""
        task = cast("asyncio.Task[None]", asyncio.current_task())
        self._connections[task] = reader
        task.add_done_callback(lambda done: self._connections.pop(done, None))
        answers: asyncio.Queue[asyncio.Future[bytes] | None] = asyncio.Queue(256)
        sending = asyncio.ensure_future(_send_in_order(writer, answers))
        try:
            while (frame := await _read_frame(reader)) is not None:
                await answers.put(asyncio.ensure_future(self._answer(frame)))
        finally:
            await answers.put(None)
            await sending
            writer.close()

    async def _answer(self, frame: bytes) -> bytes:
        try:
            appended = await self._append(_REQUESTS.decode(frame))
        except (DipperError, ValueError) as error:  # what does not decode is a ValueError too
            return _ENCODER.encode(_Answer(error=str(error)))
        return _ENCODER.encode(_Answer(appended))

    async def _append(self, request: _Request) -> Appended:
        if request.erase:
            return Appended(-1, await self._appends.erase(request.erase))
        entries = [Entry(RecordKind(kind), payload) for kind, payload in request.entries]
        counts: dict[str, Counts] = {}
        if request.judged:
            entries, counts = self._appends.admission.admit_handed(entries, request.received_us)
        if not entries:
            return Appended(-1, 0, counts)
        copies = any(found.duplicate for found in counts.values())
        first = await self._appends.append(entries, request.received_us, has_duplicates=copies)
        self._count(counts)
        return Appended(first, len(entries), counts)


class Neighbour:
    """The socket of another gateway, for records of its partition. One event loop, one connection.

    Requests are sent without waiting for the answers before them, so that they share its syncs.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._waiting: deque[asyncio.Future[Appended]] = deque()
        self._writer: asyncio.StreamWriter | None = None
        self._reading: asyncio.Task[None] | None = None
        self._gate = asyncio.Lock()

    async def hand_over(
        self, entries: Sequence[Entry], received_us: int, *, judged: bool = True
    ) -> Appended:
        """Let the other gateway admit and append judged records, or append control records as they
        are. Raises Unavailable."""
        frame = _ENCODER.encode(_Request(list(entries), received_us, judged))
        async with self._gate:
            try:
                if self._writer is None:
                    await self._connect()
                assert self._writer is not None
                answer: asyncio.Future[Appended] = asyncio.get_running_loop().create_future()
                self._waiting.append(answer)
                self._writer.write(_framed(frame))
                await self._writer.drain()
            except OSError as error:
                self._lost()
                raise _unreachable(self._path, error) from error
        return await answer

    async def close(self) -> None:
        """Close the connection; what waits for an answer hears Unavailable."""
        if self._reading is not None:
            self._reading.cancel()
        self._lost()

    async def _connect(self) -> None:
        reader, self._writer = await asyncio.open_unix_connection(self._path)
        self._reading = asyncio.ensure_future(self._read_answers(reader))

    async def _read_answers(self, reader: asyncio.StreamReader) -> None:
        try:
            while (frame := await _read_frame(reader)) is not None:
                answer = _ANSWERS.decode(frame)
                waiting = self._waiting.popleft()
                if answer.appended is not None:
                    waiting.set_result(answer.appended)
                else:
                    waiting.set_exception(Unavailable(answer.error, where=str(self._path)))
        finally:
            self._lost()

    def _lost(self) -> None:
        """The connection is gone: nobody knows what became of the requests under way."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None
        while self._waiting:
            waiting = self._waiting.popleft()
            if not waiting.done():
                waiting.set_exception(_unreachable(self._path, "connection lost"))


class AppendClient:
    """Appends from a process without an event loop (worker, command line), one call at a time."""

    def __init__(self, path: Path, timeout_s: float = 30.0) -> None:
        self._path = path
        self._timeout_s = timeout_s
        self._socket: socket.socket | None = None

    def append(
        self, entries: Sequence[Entry], received_us: int, *, judged: bool = False
    ) -> Appended:
        """Append and wait. Raises Unavailable.

        `judged` records are admitted like the gateway's own: copies are dropped and counted. After
        Unavailable the entries may be on disk or not, as after any broken connection.
        """
        return self._ask(_Request(list(entries), received_us, judged))

    def erase(self, offsets: Sequence[int]) -> int:
        """Have the gateway empty these records; gives their count. Raises Unavailable."""
        return self._ask(_Request([], 0, erase=list(offsets))).count

    def connect(self) -> None:
        """Open the connection now. Raises Unavailable when no gateway listens."""
        try:
            self._connected()
        except OSError as error:
            raise _unreachable(self._path, error) from error

    def _ask(self, request: _Request) -> Appended:
        frame = _ENCODER.encode(request)
        try:
            connection = self._connected()
            connection.sendall(_framed(frame))
            answer = _ANSWERS.decode(self._receive(connection))
        except (OSError, msgspec.DecodeError) as error:
            self.close()
            raise _unreachable(self._path, error) from error
        if answer.appended is None:
            raise Unavailable(answer.error, where=str(self._path))
        return answer.appended

    def close(self) -> None:
        """Close the connection; the next call opens it again."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _connected(self) -> socket.socket:
        if self._socket is None:
            connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            connection.settimeout(self._timeout_s)
            try:
                connection.connect(str(self._path))
            except OSError:
                connection.close()
                raise
            self._socket = connection
        return self._socket

    @staticmethod
    def _receive(connection: socket.socket) -> bytes:
        length = int.from_bytes(_exactly(connection, _LENGTH), "big")
        return _exactly(connection, length)


def _exactly(connection: socket.socket, count: int) -> bytes:
    parts = bytearray()
    while len(parts) < count:
        part = connection.recv(count - len(parts))
        if not part:
            raise ConnectionError("the gateway closed the connection")
        parts += part
    return bytes(parts)


def _framed(frame: bytes) -> bytes:
    if len(frame) > FRAME_MAX:
        raise Unavailable(f"one append may have {FRAME_MAX} bytes, got {len(frame)}")
    return len(frame).to_bytes(_LENGTH, "big") + frame


async def _read_frame(reader: asyncio.StreamReader) -> bytes | None:
    """The next frame; None when the other side has closed."""
    try:
        length = int.from_bytes(await reader.readexactly(_LENGTH), "big")
        if length > FRAME_MAX:
            return None
        return await reader.readexactly(length)
    except (asyncio.IncompleteReadError, ConnectionError):
        return None


async def _send_in_order(
    writer: asyncio.StreamWriter, answers: asyncio.Queue[asyncio.Future[bytes] | None]
) -> None:
    while (answer := await answers.get()) is not None:
        frame = await answer
        try:
            writer.write(_framed(frame))
            await writer.drain()
        except ConnectionError:
            # The asker is gone; what it asked for is done all the same.
            continue


def _unreachable(path: Path, error: object) -> Unavailable:
    return Unavailable(
        f"the gateway's socket cannot be used: {error}.", where=str(path), hint="Is it running?"
    )
