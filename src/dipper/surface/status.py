"""How the platform stands: what is collected, projected and in the lake, and what it takes on disk.

Read from the workspace alone, so that the command line can say it whether or not anything runs. The
health of the whole is judged from the same facts.
"""

from __future__ import annotations

import fcntl
import os
import socket
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from dipper.app.programs import applied
from dipper.app.workspace import Workspace
from dipper.collect.counts import Counts
from dipper.engine.ports import LogReader
from dipper.surface.worker.projector import NOW

CONNECT_S = 0.5
_HELD = ["FLOCK", "ADVISORY", "WRITE"]
LAG_MAX = 50_000
"""Records behind which decisions would be made from what is no longer so."""


@dataclass(frozen=True)
class PartitionStatus:
    """One partition: records synced, projected and in the lake, and whether its gateway answers."""

    partition: int
    records: int
    projected: int
    in_lake: int
    gateway: bool

    @property
    def lag(self) -> int:
        """Records that are not projected yet."""
        return self.records - self.projected


@dataclass(frozen=True)
class Health:
    """What runs and how far it is."""

    partitions: tuple[PartitionStatus, ...]
    worker: bool
    virtual_now_us: int | None

    @property
    def is_healthy(self) -> bool:
        """Every gateway answers and a worker holds the state."""
        return self.worker and all(part.gateway for part in self.partitions)

    @property
    def is_ready(self) -> bool:
        """Healthy, and near enough to the end of the log to decide."""
        return self.is_healthy and all(part.lag <= LAG_MAX for part in self.partitions)

    def as_dict(self) -> dict[str, Any]:
        """The same for machines."""
        return {
            "status": "ok" if self.is_healthy else "degraded",
            "ready": self.is_ready,
            "worker": self.worker,
            "virtual_now_us": self.virtual_now_us,
            "partitions": [asdict(part) | {"lag": part.lag} for part in self.partitions],
        }


def health_of(workspace: Workspace, log: LogReader) -> Health:
    """What runs and how far it is, looked at now."""
    with workspace.state.read() as view:
        projected = view.positions()
        now = view.get("meta", NOW)
    in_lake = workspace.lake.positions()
    return Health(
        partitions=tuple(
            PartitionStatus(
                partition=number,
                records=log.end(number),
                projected=projected.get(number, 0),
                in_lake=in_lake.get(number, 0),
                gateway=gateway_answers(workspace.socket(number)),
            )
            for number in range(log.partitions())
        ),
        worker=is_held(workspace.data / "state" / "writer.lock"),
        virtual_now_us=None if now is None else int.from_bytes(now, "big"),
    )


def gateway_answers(path: Path) -> bool:
    """Whether somebody listens on a gateway's socket."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(CONNECT_S)
        try:
            connection.connect(str(path))
        except OSError:
            return False
    return True


def is_held(lock: Path) -> bool:
    """Whether a process holds a lock file: its owner lives.

    Where the system lists its locks nothing is tried, so that looking never keeps an owner out.
    """
    try:
        inode = lock.stat().st_ino
    except FileNotFoundError:
        return False
    listed = Path("/proc/locks")
    if listed.exists():
        lines = (line.split() for line in listed.read_text().splitlines())
        return any(words[1:4] == _HELD and words[5].endswith(f":{inode}") for words in lines)
    handle = os.open(lock, os.O_RDWR)
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(handle)
    return False


def status_of(workspace: Workspace, health: Health, sources: dict[str, Counts]) -> dict[str, Any]:
    """Everything that `dipper status` and `/api/status` say."""
    current = applied(workspace)
    fresh, sorted_files = lake_files(workspace)
    return health.as_dict() | {
        "workspace": workspace.settings.workspace.name,
        "demo": workspace.settings.workspace.demo,
        "program": None if current is None else current.program,
        "tables": {} if current is None else dict(current.tables),
        "sources": {name: conserved(counts) for name, counts in sources.items()},
        "lake": {"fresh_files": fresh, "sorted_files": sorted_files},
        "disk_bytes": disk_bytes(workspace),
    }


def conserved(counts: Counts) -> dict[str, int]:
    """received = good + failed + duplicate + refused."""
    return {"received": counts.received} | counts._asdict()


def lake_files(workspace: Workspace) -> tuple[int, int]:
    """Fresh and sorted files of the timelines."""
    files = workspace.lake.snapshot().files
    fresh = sum(file.bucket < 0 for file in files)
    return fresh, len(files) - fresh


def disk_bytes(workspace: Workspace) -> dict[str, int]:
    """Bytes that each store takes."""
    folders = ("log", "state", "lake", "programs", "tables", "models")
    found = {name: _size(workspace.data / name) for name in folders}
    control = [workspace.data / f"control.db{end}" for end in ("", "-wal", "-shm")]
    found["control"] = sum(file.stat().st_blocks * 512 for file in control if file.exists())
    return found


def _size(folder: Path) -> int:
    """Blocks in use, because the state's file is sparse; files that vanish meanwhile count 0."""
    total = 0
    for at, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.lstat(os.path.join(at, name)).st_blocks * 512
            except FileNotFoundError:
                continue
    return total
