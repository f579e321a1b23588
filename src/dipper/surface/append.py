"""How a process that is no gateway appends: through the gateway's socket, or, while no gateway
runs, as the partition's writer itself.

A partition has one writer at a time; the lock on its folder decides who.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

from dipper.app.workspace import Workspace
from dipper.collect.counts import Counts
from dipper.engine.ports import Entry, Position
from dipper.kit.clock import Clock
from dipper.kit.errors import DipperError, Unavailable
from dipper.surface.http.socket import AppendClient

if TYPE_CHECKING:
    from dipper.engine.embedded.log_writer import EmbeddedLogWriter


class Appender(Protocol):
    """Appends to any partition and answers when all is on disk."""

    def append(self, partition: int, entries: Sequence[Entry]) -> int: ...

    def erase(self, positions: Sequence[Position]) -> int: ...

    def close(self) -> None: ...


class ThroughGateways:
    """Appends through the sockets of running gateways."""

    def __init__(self, workspace: Workspace, clock: Clock) -> None:
        self._workspace = workspace
        self._clock = clock
        self._clients: dict[int, AppendClient] = {}

    def append(self, partition: int, entries: Sequence[Entry]) -> int:
        """The offset of the first entry. Raises Unavailable when the gateway is not there."""
        return self._client(partition).append(entries, self._clock()).first

    def append_judged(self, partition: int, entries: Sequence[Entry]) -> dict[str, Counts]:
        """Append records that were judged here; gives what the gateway's index made of them."""
        return self._client(partition).append(entries, self._clock(), judged=True).counts

    def erase(self, positions: Sequence[Position]) -> int:
        """Have the gateways empty these records; gives their count."""
        return sum(
            self._client(partition).erase(offsets)
            for partition, offsets in _by_partition(positions).items()
        )

    def close(self) -> None:
        """Drop the connections."""
        for client in self._clients.values():
            client.close()
        self._clients.clear()

    def _client(self, partition: int) -> AppendClient:
        if partition not in self._clients:
            self._clients[partition] = AppendClient(self._workspace.socket(partition))
        return self._clients[partition]

    def connect(self) -> None:
        """Reach every gateway now. Raises Unavailable when one is not there."""
        for partition in range(self._workspace.settings.storage.partitions):
            self._client(partition).connect()


class AsWriter:
    """Appends as the writer of the partitions, while no gateway runs."""

    def __init__(self, workspace: Workspace, clock: Clock) -> None:
        self._workspace = workspace
        self._log = workspace.log
        self._clock = clock
        self._writers: dict[int, EmbeddedLogWriter] = {}
        try:
            for partition in range(self._log.partitions()):
                self._writers[partition] = self._log.writer(partition)
        except DipperError:
            # Another process has one of them: give back those that were free.
            self.close()
            raise

    def append(self, partition: int, entries: Sequence[Entry]) -> int:
        """The offset of the first entry."""
        return self._writers[partition].append(entries, self._clock()).result()

    def append_bulk(self, partition: int, entries: Sequence[Entry]) -> int:
        """The same for very many entries."""
        return self._writers[partition].append_now(entries, self._clock())

    def erase(self, positions: Sequence[Position]) -> int:
        """Empty these records, and forget that they were there."""
        # The index comes with kernels, and not every command needs them.
        from dipper.surface.log_index import erase_in_files

        with self._log.reader() as reader:
            for partition, offsets in _by_partition(positions).items():
                records = [record for at in offsets for record in reader.read(partition, at, 1)]
                erase_in_files(self._workspace, partition, records)
        return self._log.custodian().erase(positions)

    def close(self) -> None:
        """Release the partitions."""
        for writer in self._writers.values():
            writer.close()


def appender(workspace: Workspace, clock: Clock) -> Appender:
    """Through the gateways where they run, else as the writer."""
    through = ThroughGateways(workspace, clock)
    try:
        through.connect()
    except Unavailable:
        through.close()
        return AsWriter(workspace, clock)
    return through


def append_everywhere(to: Appender, partitions: int, entries: Sequence[Entry]) -> Mapping[int, int]:
    """Append the same entries to every partition: control records belong to all."""
    return {partition: to.append(partition, entries) for partition in range(partitions)}


def _by_partition(positions: Sequence[Position]) -> dict[int, list[int]]:
    found: dict[int, list[int]] = {}
    for position in positions:
        found.setdefault(position.partition, []).append(position.offset)
    return found
