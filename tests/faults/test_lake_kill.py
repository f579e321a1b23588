"""The lake under kill -9 and under several processes at once."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

from dipper.engine.conformance.lake import NOW_US, stored
from dipper.engine.embedded.lake import EmbeddedLake

_OPEN = """
import sys
from pathlib import Path
from dipper.engine.conformance.lake import NOW_US, Happening, table
from dipper.engine.embedded.lake import EmbeddedLake
from dipper.kit.clock import DAY_US
from dipper.kit.errors import Conflict, Unavailable

lake = EmbeddedLake(Path(sys.argv[1]), {}, {"person": 2}, clock=lambda: NOW_US)

def append(start, count=10):
    rows = [
        Happening(n, f"customer_no:{n % 7}", NOW_US - n % 90 * DAY_US)
        for n in range(start, start + count)
    ]
    lake.append(table(lake.schema, rows), {0: start + count})
"""

_WRITE = """
at = lake.positions().get(0, 0)
while True:
    append(at)
    at += 10
    print("begun", flush=True)
    if at % 50 == 0:
        lake.compact()
"""

_APPEND = """
for start in range(0, 400, 10):
    append(start)
"""

_COMPACT = """
import time
end = time.monotonic() + 60
while lake.positions().get(0, 0) < 400 and time.monotonic() < end:
    try:
        lake.compact()
    except (Conflict, Unavailable):
        pass
lake.compact()
"""


def process(code: str, folder: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", _OPEN + code, str(folder)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def open_lake(folder: Path) -> EmbeddedLake:
    return EmbeddedLake(folder, {}, {"person": 2}, clock=lambda: NOW_US)


def assert_whole(lake: EmbeddedLake) -> int:
    """The lake has every row before its position once and none behind it; gives the position."""
    reached = lake.positions().get(0, 0)
    offsets = Counter(offset for (offset,) in stored(lake.snapshot(), ["offset"]))
    assert offsets == dict.fromkeys(range(reached), 1)
    return reached


def test_a_killed_writer_leaves_a_whole_lake(tmp_path: Path) -> None:
    """Whenever a process dies that appends and compacts, the lake has exactly the rows up to its
    position, and the next process goes on from there."""
    seed = random.randrange(10**6)
    draw = random.Random(seed)
    reached = 0
    for _ in range(4):
        writer = process(_WRITE, tmp_path)
        assert writer.stdout is not None
        assert writer.stdout.readline() == "begun\n", writer.communicate()[1]
        time.sleep(draw.uniform(0.05, 1.0))
        writer.send_signal(signal.SIGKILL)
        writer.communicate()
        now = assert_whole(open_lake(tmp_path))
        assert now >= reached, f"seed {seed}"
        reached = now
    lake = open_lake(tmp_path)
    lake.compact()
    assert assert_whole(lake) == reached > 0


def test_appends_and_compactions_of_two_processes_do_not_meet(tmp_path: Path) -> None:
    """While one process appends and another compacts without a pause, no row is lost or doubled."""
    open_lake(tmp_path)
    both = [process(code, tmp_path) for code in (_APPEND, _COMPACT)]
    for each in both:
        _, said = each.communicate(timeout=200)
        assert each.returncode == 0, said
    lake = open_lake(tmp_path)
    assert assert_whole(lake) == 400
    assert all(file.bucket >= 0 for file in lake.snapshot().files)
