"""The embedded log passes the log suite with one and with four partitions."""

from __future__ import annotations

from pathlib import Path

from dipper.engine.conformance.log import LogFacts, LogSuite, OpenLog
from dipper.engine.embedded.log import EmbeddedLog

KB = 1 << 10


class TestOnePartition(LogSuite):
    facts = LogFacts(partitions=1)

    def open(self, folder: Path) -> OpenLog:
        return EmbeddedLog(folder, 1, reserve_bytes=64 * KB)


class TestFourPartitions(LogSuite):
    facts = LogFacts(partitions=4)

    def open(self, folder: Path) -> OpenLog:
        return EmbeddedLog(folder, 4, reserve_bytes=64 * KB)


class TestManySegments(LogSuite):
    """The same with segments so small that nearly every group begins a new one."""

    facts = LogFacts(partitions=2)

    def open(self, folder: Path) -> OpenLog:
        return EmbeddedLog(folder, 2, segment_bytes=KB, reserve_bytes=0)
