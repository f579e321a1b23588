"""Bulk import and rebuild: a Parquet file into log, lake and state, and the state from the log.

    .venv/bin/python bench/bulk.py [--rows 1000000] [--persons 50000] [--folder .] [--json]
    .venv/bin/python bench/bulk.py --rows 120000 --persons 5000        (in seconds)

The whole path of `dipper import`, with 60 tags and eight segments: tracking plan, trust,
never-store filter, duplicates, log, and beside it a second process that writes lake and state. Then
the state is forgotten and built again from the same log. Then the same file once more, every row of
it a copy. Every part runs in a process of its own; the time begins when that has imported its
modules.

Floors, in the same run:
- import: read the columns, write as many bytes as the log has with as many syncs; and let DuckDB
  write the rows clustered by person, as the lake has them. Nothing is judged, no state is kept.
- rebuild: read the bytes of the log and decode each payload.

Target: 300,000 events/s. Where other work shares the cores, processor time is the steadier figure.
"""

from __future__ import annotations

import argparse
import json
import mmap
import os
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from parts.serving import stop_in_order

DAYS = 90
MAP = """
source: server
file: {format: parquet}
event: {column: event}
time: {column: at}
subjects: {person: {type: customer_no, column: customer}}
columns: {channel: channel, scenario: scenario}
properties:
  amount_fen: {column: amount_fen, type: int}
  rate: {column: rate, type: double}
  biller: {column: biller}
"""
COLUMNS = ("at", "customer", "event", "channel", "scenario", "amount_fen", "rate", "biller")
WARM_ROWS = 4_000
POLL_S = 0.02


def generate(folder: Path, rows: int, persons: int) -> dict[str, Any]:
    """A file of events in the order of time, as a system exports them, of random persons."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    from parts.tags import EVENTS

    draw = np.random.default_rng(1)

    def texts(names: list[str]) -> Any:
        indices = pa.array(draw.integers(0, len(names), rows, np.int32))
        return pa.DictionaryArray.from_arrays(indices, names).cast(pa.string())

    span_us = DAYS * 86_400_000_000
    end_us = int(time.time() * 1e6) - 3_600_000_000
    at = np.sort(draw.integers(end_us - span_us, end_us, rows))
    table = pa.table(
        {
            "at": pa.array(at, pa.timestamp("us", "UTC")),
            "customer": texts([f"C{number:08}" for number in range(persons)]),
            "event": texts(list(EVENTS)),
            "channel": texts(["app", "web", "counter", "partner"]),
            "scenario": texts(["bill_payment", "transport", "hospital"]),
            "amount_fen": draw.integers(50, 100_000, rows),
            # As banks write them. Doubles of 17 digits are judged one by one, much slower.
            "rate": np.round(draw.random(rows), 4),
            "biller": texts([f"biller-{number}" for number in range(20)]),
        }
    )
    pq.write_table(table, folder / "events.parquet", row_group_size=100_000)
    return {"file_bytes": (folder / "events.parquet").stat().st_size}


def make_workspace(folder: Path) -> None:
    """A workspace with the bank of 60 tags applied."""
    from dipper.app.init import init_workspace
    from dipper.app.programs import Prepared
    from dipper.app.workspace import Workspace
    from dipper.kit.clock import system_clock
    from dipper.surface.applying import apply
    from parts.tags import bank

    init_workspace(folder / "bank", random_bytes=os.urandom, sources=["server"], starter=False)
    apply(Workspace(folder / "bank"), Prepared(bank(), {}, ()), system_clock)


# --- ours -----------------------------------------------------------------------------------


def import_file(folder: Path) -> Callable[[], dict[str, Any]]:
    """As `dipper import events.parquet --map map.yml` does it."""
    from dipper.surface.kernels import keep_kernels_in

    keep_kernels_in(folder / "bank")
    from dipper.app.workspace import Workspace
    from dipper.feed.mapping import load_map
    from dipper.kit.clock import system_clock
    from dipper.surface.bulk_import import BulkImport

    (folder / "map.yml").write_text(MAP)
    mapping = load_map(folder / "map.yml")
    workspace = Workspace(folder / "bank")

    def work() -> dict[str, Any]:
        begin = time.perf_counter()
        bulk = BulkImport(workspace, system_clock)
        try:
            imported = bulk.read(folder / "events.parquet", mapping)
            read_s = time.perf_counter() - begin
            bulk.project()
        finally:
            bulk.close()
        return {"read_s": read_s, **imported.counts._asdict()}

    return work


def rebuild(folder: Path) -> Callable[[], dict[str, Any]]:
    """As `dipper replay --rebuild` does it."""
    from dipper.surface.kernels import keep_kernels_in

    keep_kernels_in(folder / "bank")
    from dipper.app.workspace import Workspace
    from dipper.surface.replaying import rebuild_state

    workspace = Workspace(folder / "bank")
    return lambda: {"records": rebuild_state(workspace)}


def digest(folder: Path) -> dict[str, Any]:
    """What the state says, and how much the stores have."""
    from dipper.app.workspace import Workspace

    workspace = Workspace(folder / "bank")
    found = {
        "digest": workspace.state.dump_digest(),
        "lake_rows": sum(file.rows for file in workspace.lake.snapshot().files),
        "log_bytes": sum(file.stat().st_size for file in segments(folder)),
        "state_bytes": workspace.state.size_bytes(),
    }
    workspace.state.close()
    return found


# --- floors ---------------------------------------------------------------------------------


def segments(folder: Path) -> list[Path]:
    """The files of the log, in order."""
    return sorted((folder / "bank" / "data" / "log").glob("p*/*.log"))


def columns_and_log(folder: Path) -> Callable[[], dict[str, Any]]:
    """Reads the columns, and writes as many bytes as the log has, with its syncs."""
    import pyarrow.parquet as pq

    from dipper.surface.bulk_import import APPEND_RECORDS

    rows = pq.ParquetFile(folder / "events.parquet").metadata.num_rows
    size = sum(file.stat().st_size for file in segments(folder))
    chunk = bytes(size * APPEND_RECORDS // rows)

    def work() -> dict[str, Any]:
        for _ in pq.ParquetFile(folder / "events.parquet").iter_batches(columns=list(COLUMNS)):
            pass
        with (folder / "floor.log").open("wb", buffering=0) as file:
            left = size
            while left:
                left -= file.write(chunk[:left])
                os.fdatasync(file.fileno())
        return {}

    return work


def clustered(folder: Path) -> Callable[[], dict[str, Any]]:
    """DuckDB writes the same rows clustered by person."""
    import duckdb

    source, target = folder / "events.parquet", folder / "clustered.parquet"

    def work() -> dict[str, Any]:
        with duckdb.connect() as connection:
            rows = connection.read_parquet(str(source)).order('customer, "at"')
            rows.write_parquet(str(target), compression="zstd")
        return {}

    return work


def decoded(folder: Path) -> Callable[[], dict[str, Any]]:
    """Reads the log and decodes each event in it."""
    from dipper.engine.embedded.log_format import (
        FILE_HEADER_BYTES,
        HEADER,
        HEADER_BYTES,
        SALT_BYTES,
    )
    from dipper.engine.record import EVENT_DECODER, RecordKind

    def work() -> dict[str, Any]:
        events, decode, header = 0, EVENT_DECODER.decode, HEADER.unpack_from
        for path in segments(folder):
            with path.open("rb") as file, mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as data:
                at, end = FILE_HEADER_BYTES, len(data) - HEADER_BYTES
                while at < end:
                    length, _, _, kind, *_ = header(data, at)
                    if not length:
                        break
                    at += HEADER_BYTES
                    if kind == RecordKind.EVENT:
                        decode(data[at + SALT_BYTES : at + length])
                        events += 1
                    at += length
        return {"events": events}

    return work


# --- running --------------------------------------------------------------------------------

PHASES: dict[str, Callable[[Path], Callable[[], dict[str, Any]]]] = {
    "import": import_file,
    "rebuild": rebuild,
    "columns_and_log": columns_and_log,
    "clustered": clustered,
    "decoded": decoded,
}


def be_phase(name: str, folder: Path) -> dict[str, Any]:
    """Do one part and measure it: clock, processor time of this process and those it started."""
    work = PHASES[name](folder)
    begin, before = time.perf_counter(), _processor_s()
    found = work()
    taken = time.perf_counter() - begin
    return {"s": taken, "processor_s": _processor_s() - before, **found}


def _processor_s() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def run(folder: Path, *arguments: str) -> dict[str, Any]:
    """Run this file as a process of its own; gives what it found, and its peak memory in MB."""
    command = [sys.executable, __file__, "--folder", str(folder), *arguments]
    peaks: dict[int, int] = {}
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        ended = threading.Event()
        watcher = threading.Thread(target=_watch, args=(process.pid, ended, peaks))
        watcher.start()
        try:
            said = process.communicate()[0]
        finally:
            process.terminate()
            ended.set()
            watcher.join()
    if process.returncode:
        raise SystemExit(f"{' '.join(arguments)} ended with {process.returncode}")
    return {**json.loads(said), "peak_mb": [round(peak / 1024) for peak in peaks.values()]}


def _watch(process: int, ended: threading.Event, peaks: dict[int, int]) -> None:
    """Keep the largest resident size of a process and of those it starts, in KB."""
    children = Path(f"/proc/{process}/task/{process}/children")
    while not ended.wait(POLL_S):
        try:
            for one in (process, *map(int, children.read_text().split())):
                status = Path(f"/proc/{one}/status").read_text()
                peaks[one] = int(status.partition("VmHWM:")[2].split(maxsplit=1)[0])
        except (OSError, IndexError):  # It has just ended.
            continue


def measure(chosen: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """All parts, one after the other."""
    rows, persons = str(chosen.rows), str(chosen.persons)
    warm = folder / "warm"
    warm.mkdir()
    run(warm, "--generate", "--rows", str(WARM_ROWS), "--persons", "1000")
    run(warm, "--phase", "import")  # Compiles the kernels where nobody has done it yet.
    made = run(folder, "--generate", "--rows", rows, "--persons", persons)
    found = {"import": run(folder, "--phase", "import")}
    stores = run(folder, "--digest")
    found["rebuild"] = run(folder, "--phase", "rebuild")
    rebuilt = run(folder, "--digest")
    found["again"] = run(folder, "--phase", "import")
    for name in ("columns_and_log", "clustered", "decoded"):
        found[name] = run(folder, "--phase", name)
    _hold(chosen.rows, found, stores, rebuilt)
    return {
        "rows": chosen.rows,
        "persons": chosen.persons,
        "file_bytes": made["file_bytes"],
        **{name: stores[name] for name in ("log_bytes", "state_bytes")},
        **{name: _figures(part, chosen.rows) for name, part in found.items()},
        "import_ratio": _ratio(found["import"], found["columns_and_log"], found["clustered"]),
        "rebuild_ratio": _ratio(found["rebuild"], found["decoded"]),
        "target_events_per_s": 300_000,
    }


def _hold(
    rows: int, found: dict[str, Any], stores: dict[str, Any], rebuilt: dict[str, Any]
) -> None:
    """A figure counts only if everything arrived, and the rebuild came to the same state."""
    arrived = {
        "good": found["import"]["good"],
        "copies": found["again"]["duplicate"],
        "in the lake": stores["lake_rows"],
        "decoded": found["decoded"]["events"],
    }
    for what, count in arrived.items():
        if count != rows:
            raise SystemExit(f"expected {rows:,} rows {what}, got {count:,}")
    if stores["digest"] != rebuilt["digest"]:
        raise SystemExit("the rebuilt state differs from the imported one")


def _figures(part: dict[str, Any], rows: int) -> dict[str, Any]:
    return {
        "events_per_s": round(rows / part["s"]),
        "processor_us_per_event": round(part["processor_s"] / rows * 1e6, 2),
        "s": round(part["s"], 2),
        **({"read_s": round(part["read_s"], 2)} if "read_s" in part else {}),
        "peak_mb": part["peak_mb"],
    }


def _ratio(ours: dict[str, Any], *floors: dict[str, Any]) -> dict[str, float]:
    """How many times the floor's time ours takes."""
    return {
        name: round(ours[key] / sum(floor[key] for floor in floors), 2)
        for name, key in (("clock", "s"), ("processor", "processor_s"))
    }


TITLES = {
    "import": "import",
    "columns_and_log": "  floor: columns, log bytes",
    "clustered": "  floor: DuckDB clusters",
    "rebuild": "rebuild of the state",
    "decoded": "  floor: log read, decoded",
    "again": "the same file again",
}


def show(found: dict[str, Any]) -> None:
    """A table for people."""
    print(
        f"{found['rows']:,} rows of {found['persons']:,} persons: file "
        f"{found['file_bytes'] / 1e6:.0f} MB, log {found['log_bytes'] / 1e6:.0f} MB, state "
        f"{found['state_bytes'] / 1e6:.0f} MB"
    )
    print(f"{'':29}{'events/s':>11}{'CPU µs':>9}{'s':>8}{'read s':>8}  peak MB of each process")
    for name, title in TITLES.items():
        one = found[name]
        print(
            f"{title:29}{one['events_per_s']:>11,}{one['processor_us_per_event']:>9}"
            f"{one['s']:>8}{one.get('read_s', ''):>8}  {', '.join(map(str, one['peak_mb']))}"
        )
    for name in ("import", "rebuild"):
        ratio = found[f"{name}_ratio"]
        print(f"{name}: {ratio['clock']} × its floors by the clock, {ratio['processor']} by CPU")
    print(f"target {found['target_events_per_s']:,} events/s")


def main() -> None:
    """Measure, or be one part of a measurement."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--persons", type=int, default=50_000)
    parser.add_argument("--folder", type=Path, default=Path(), help="where the data goes")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--generate", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--digest", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--phase", choices=PHASES, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    stop_in_order()
    if chosen.phase:
        print(json.dumps(be_phase(chosen.phase, chosen.folder)))
    elif chosen.generate:
        make_workspace(chosen.folder)
        print(json.dumps(generate(chosen.folder, chosen.rows, chosen.persons)))
    elif chosen.digest:
        print(json.dumps(digest(chosen.folder)))
    else:
        with tempfile.TemporaryDirectory(prefix="bulk-", dir=chosen.folder) as folder:
            found = measure(chosen, Path(folder))
        print(json.dumps(found)) if chosen.json else show(found)


if __name__ == "__main__":
    main()
