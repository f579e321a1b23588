"""The embedded log: a folder per partition, and the doors to write, read and maintain it."""

from __future__ import annotations

from pathlib import Path

from dipper.engine.embedded.log_custodian import EmbeddedLogCustodian
from dipper.engine.embedded.log_disk import Disk
from dipper.engine.embedded.log_reader import EmbeddedLogReader
from dipper.engine.embedded.log_reserve import RESERVE_BYTES
from dipper.engine.embedded.log_writer import SEGMENT_BYTES, EmbeddedLogWriter
from dipper.kit.errors import BadInput, Conflict


class EmbeddedLog:
    """The log in `folder` with a fixed number of partitions.

    Opens no file by itself. Raises Conflict when the folder holds more partitions than that.
    """

    def __init__(
        self,
        folder: Path,
        partitions: int,
        *,
        segment_bytes: int = SEGMENT_BYTES,
        reserve_bytes: int = RESERVE_BYTES,
        disk: Disk | None = None,
    ) -> None:
        if partitions < 1:
            raise BadInput(f"a log has at least one partition, got {partitions}")
        if (folder / f"p{partitions}").exists():
            raise Conflict(
                f"the log has more than {partitions} partitions",
                where=str(folder),
                hint="The number is fixed when a workspace is made; set it back in dipper.toml.",
            )
        self._folder = folder
        self._partitions = partitions
        self._segment_bytes = segment_bytes
        self._reserve_bytes = reserve_bytes
        self._disk = disk or Disk()
        self._writers: dict[int, EmbeddedLogWriter] = {}

    def partitions(self) -> int:
        """How many partitions the log has."""
        return self._partitions

    def writer(self, partition: int) -> EmbeddedLogWriter:
        """Open the partition for writing; raises as EmbeddedLogWriter does."""
        if not 0 <= partition < self._partitions:
            raise BadInput(f"no partition {partition}", hint=f"The log has {self._partitions}.")
        writer = EmbeddedLogWriter(
            self._folder / f"p{partition}",
            partition,
            segment_bytes=self._segment_bytes,
            reserve_bytes=self._reserve_bytes,
            disk=self._disk,
            on_close=lambda: self._writers.pop(partition, None),
        )
        self._writers[partition] = writer
        return writer

    def reader(self) -> EmbeddedLogReader:
        """A reader of all partitions; works beside writers of any process."""
        return EmbeddedLogReader(self._folder, self._partitions)

    def custodian(self) -> EmbeddedLogCustodian:
        """Erasure and verification; goes through this log's own open writers where there are."""
        return EmbeddedLogCustodian(self._folder, self._partitions, self._writers, self._disk)
