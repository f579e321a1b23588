"""Maintenance of the log: erasure and verification over all partitions.

Where this process holds a partition's writer, erasure goes through it; closed segments may be
rewritten beside a writer of another process, the segment in its use may not.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from dipper.engine.embedded.log_disk import Counter, Disk
from dipper.engine.embedded.log_erasure import erase_closed
from dipper.engine.embedded.log_folder import HEAD, WRITER_LOCK, segment_inodes, take_lock
from dipper.engine.embedded.log_recovery import recover
from dipper.engine.embedded.log_verify import verify_partition
from dipper.engine.embedded.log_writer import EmbeddedLogWriter
from dipper.engine.ports import Damage, Position
from dipper.kit.errors import BadInput, Unavailable


class EmbeddedLogCustodian:
    """`writers` are this process's open writers by partition, looked up at each call."""

    def __init__(
        self, folder: Path, partitions: int, writers: Mapping[int, EmbeddedLogWriter], disk: Disk
    ) -> None:
        self._folder = folder
        self._partitions = partitions
        self._writers = writers
        self._disk = disk

    def erase(self, positions: Sequence[Position]) -> int:
        """Remove payload and salt of the records; gives how many lost them now.

        Raises Conflict when a writer of another process holds the segment of a position (nothing
        of that partition is erased then), BadInput for a position that does not exist.
        Repeating a call that failed is safe.
        """
        by_partition: dict[int, list[Position]] = {}
        for position in positions:
            if not 0 <= position.partition < self._partitions:
                raise BadInput(f"no partition {position.partition}")
            by_partition.setdefault(position.partition, []).append(position)
        return sum(self._erase(k, touched) for k, touched in sorted(by_partition.items()))

    def verify(self) -> list[Damage]:
        """Every place where stored bytes are not what was written; empty when all is well."""
        return [
            damage
            for k in range(self._partitions)
            for damage in verify_partition(self._folder / f"p{k}", k)
        ]

    def _erase(self, partition: int, positions: list[Position]) -> int:
        writer = self._writers.get(partition)
        if writer is not None:
            return writer.erase(positions).result()
        folder = self._folder / f"p{partition}"
        firsts = list(segment_inodes(folder))
        offsets = sorted({position.offset for position in positions})
        if not firsts or offsets[0] < firsts[0]:
            raise BadInput(f"record {offsets[0]} is not in the log", where=f"partition {partition}")
        try:
            if offsets[-1] < firsts[-1]:
                return erase_closed(self._disk, folder, partition, offsets)
            return self._erase_unheld(folder, partition, offsets)
        except OSError as error:
            raise Unavailable(
                f"the log cannot be rewritten: {error.strerror or error}", where=str(folder)
            ) from error

    def _erase_unheld(self, folder: Path, partition: int, offsets: list[int]) -> int:
        """Erase in the last segment too, holding the partition meanwhile."""
        lock = take_lock(folder / WRITER_LOCK, partition, "an erasure")
        try:
            head = Counter(folder / HEAD, writable=True)
            try:
                _, end = recover(self._disk, folder, partition, head.load())
            finally:
                head.close()
            if end is None or offsets[-1] >= end.records:
                raise BadInput(
                    f"record {offsets[-1]} is not in the log",
                    where=f"partition {partition}",
                    hint=f"It has {end.records if end else 0} records.",
                )
            return erase_closed(self._disk, folder, partition, offsets, end.records)
        finally:
            os.close(lock)
