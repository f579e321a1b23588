"""The embedded log beside its floors, taken in turns in one run.

Append: the same bytes written and synced in the same groups, without hashing or checksums.
Replay: the same files read in the same chunks, nothing parsed. Times wander on a shared machine;
ratios of neighbouring turns wander less, so the median ratio is the figure to quote. `cpu` is the
processor time of all threads for one record, which wanders least.

    python bench/log.py [--turns 10] [--folder DIR] [--json]
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import statistics
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NamedTuple

from dipper.engine.embedded.log import EmbeddedLog
from dipper.engine.embedded.log_format import encode_group
from dipper.engine.ports import Entry
from dipper.engine.record import RecordKind

PAYLOAD_BYTES = 600
CHUNK_BYTES = 4 << 20
APPENDS = {1: 300, 100: 100, 1000: 40, 10_000: 8}
BULK_RECORDS = 100_000
REPLAY_RECORDS = 1_000_000
SINGLES_IN_FLIGHT = 256


@dataclass
class Line:
    """One row: medians over the turns; `ratio` is ours against the floor in records a second."""

    name: str
    ours_per_s: float
    cpu_us: float
    floor_per_s: float | None = None
    ratio: float | None = None
    note: str = ""


def make_entries(count: int) -> list[Entry]:
    draw = random.Random(1)
    texts = [draw.randbytes(PAYLOAD_BYTES // 2).hex().encode() for _ in range(min(count, 1000))]
    return [Entry(RecordKind.EVENT, texts[i % len(texts)]) for i in range(count)]


class Taken(NamedTuple):
    """Seconds on the clock and of the processor."""

    wall: float
    cpu: float


def taken(act: Callable[[], object]) -> Taken:
    wall, cpu = time.perf_counter(), time.process_time()
    act()
    return Taken(time.perf_counter() - wall, time.process_time() - cpu)


def line_of(name: str, count: int, turns: list[Taken], note: str = "") -> Line:
    """A row without a floor: the best turn."""
    wall, cpu = min(turn.wall for turn in turns), min(turn.cpu for turn in turns)
    return Line(name, count / wall, cpu / count * 1e6, note=note)


def in_turns(
    name: str, count: int, turns: int, ours: Callable[[], object], floor: Callable[[], object]
) -> Line:
    """Ours and the floor one after the other, `turns` times, the order changing each time."""
    pairs: list[tuple[Taken, Taken]] = []
    for turn in range(turns):
        if turn % 2:
            pairs.append((taken(ours), taken(floor)))
        else:
            under = taken(floor)
            pairs.append((taken(ours), under))
    return Line(
        name,
        count / statistics.median(a.wall for a, _ in pairs),
        statistics.median(a.cpu for a, _ in pairs) / count * 1e6,
        count / statistics.median(b.wall for _, b in pairs),
        statistics.median(b.wall / a.wall for a, b in pairs),
    )


def floor_writer(path: Path, groups: list[bytes]) -> Callable[[], None]:
    """Writes the groups to a file of its own, syncing after each."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def write() -> None:
        for group in groups:
            os.write(descriptor, group)
            os.fdatasync(descriptor)

    return write


def bench_encoding(turns: int) -> Line:
    entries = make_entries(20_000)
    salts = os.urandom(16 * len(entries))
    all_turns = [taken(lambda: encode_group([(entries, 1)], 0, salts)) for _ in range(turns)]
    return line_of("encode, SHA-256 and CRC", len(entries), all_turns, "one core, best turn")


def bench_appends(folder: Path, turns: int) -> list[Line]:
    """Groups of given sizes, each waited for."""
    lines = []
    for size, groups in APPENDS.items():
        entries = make_entries(size)
        data = encode_group([(entries, 1)], 0, os.urandom(16 * size)).data
        with EmbeddedLog(folder / f"g{size}", 1, reserve_bytes=0).writer(0) as writer:

            def ours(entries: list[Entry] = entries, groups: int = groups) -> None:
                for _ in range(groups):
                    writer.append(entries, 1).result()

            floor = floor_writer(folder / f"floor{size}", [data] * groups)
            lines.append(in_turns(f"append, groups of {size}", size * groups, turns, ours, floor))
        shutil.rmtree(folder / f"g{size}")
        (folder / f"floor{size}").unlink()
    return lines


def bench_bulk(folder: Path, turns: int) -> Line:
    entries = make_entries(BULK_RECORDS)
    chunk = CHUNK_BYTES // PAYLOAD_BYTES
    parts = [entries[at : at + chunk] for at in range(0, len(entries), chunk)]
    data = [encode_group([(part, 1)], 0, os.urandom(16 * len(part))).data for part in parts]
    with EmbeddedLog(folder / "bulk", 1, reserve_bytes=0).writer(0) as writer:
        floor = floor_writer(folder / "floor", data)
        line = in_turns(
            "bulk append (append_now)",
            len(entries),
            turns,
            lambda: writer.append_now(entries, 1),
            floor,
        )
    shutil.rmtree(folder / "bulk")
    return line


def bench_singles(folder: Path) -> Line:
    """Single records with many in flight, as a gateway has them: the group forms by itself."""
    entries = make_entries(1)
    count, window = 20_000, threading.Semaphore(SINGLES_IN_FLIGHT)
    with EmbeddedLog(folder / "singles", 1, reserve_bytes=0).writer(0) as writer:

        def ours() -> None:
            for _ in range(count):
                window.acquire()
                writer.append(entries, 1).add_done_callback(lambda _: window.release())
            writer.append([], 1).result()

        line = line_of("single appends", count, [taken(ours)], f"{SINGLES_IN_FLIGHT} in flight")
    shutil.rmtree(folder / "singles")
    return line


def bench_replay(folder: Path, turns: int) -> list[Line]:
    log = EmbeddedLog(folder / "replay", 1, reserve_bytes=0)
    with log.writer(0) as writer:
        for _ in range(REPLAY_RECORDS // BULK_RECORDS):
            writer.append_now(make_entries(BULK_RECORDS), 1)

    def read_all() -> None:
        count = sum(len(batch) for batch in log.reader().read_batches(0, 0))
        assert count == REPLAY_RECORDS

    def read_bytes() -> None:
        for path in (folder / "replay" / "p0").glob("*.log"):
            with path.open("rb", buffering=0) as file:
                while file.read(CHUNK_BYTES):
                    pass

    lines = [in_turns("replay", REPLAY_RECORDS, max(3, turns // 3), read_all, read_bytes)]
    lines.append(line_of("verify", REPLAY_RECORDS, [taken(log.custodian().verify)]))
    last = max((folder / "replay" / "p0").glob("*.log")).stat().st_size
    opening = [taken(lambda: log.writer(0).close())]
    lines.append(line_of("open and close", 1, opening, f"last segment {last >> 20} MiB"))
    draw, reader = random.Random(1), log.reader()
    reader.read(0, REPLAY_RECORDS - 1, 1)
    jumps = [draw.randrange(REPLAY_RECORDS) for _ in range(2000)]
    for offset in jumps:
        reader.read(0, offset, 1)
    again = [taken(lambda: [reader.read(0, offset, 1) for offset in jumps])]
    lines.append(line_of("read one record anywhere", len(jumps), again, "places known"))
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--turns", type=int, default=10)
    parser.add_argument("--folder", type=Path, help="a folder on the disk to measure")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        folder = Path(name)
        lines = [
            bench_encoding(options.turns),
            *bench_appends(folder, options.turns),
            bench_bulk(folder, options.turns),
            bench_singles(folder),
            *bench_replay(folder, options.turns),
        ]
    if options.json:
        print(
            json.dumps(
                {"bench": "log", "payload_bytes": PAYLOAD_BYTES, "lines": lines}, default=asdict
            )
        )
        return
    print(f"{'records of 600 bytes':28} {'cpu, µs':>9} {'ours/s':>11} {'floor/s':>11} {'ratio':>6}")
    for line in lines:
        floor = f"{line.floor_per_s:11,.0f}" if line.floor_per_s else " " * 11
        ratio = f"{line.ratio:6.2f}" if line.ratio else " " * 6
        ours = f"{line.name:28} {line.cpu_us:9,.2f} {line.ours_per_s:11,.0f}"
        print(f"{ours} {floor} {ratio}  {line.note}".rstrip())


if __name__ == "__main__":
    main()
