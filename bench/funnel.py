"""A four-step funnel with a 7-day window, by scenario: ours against the floor and chDB.

    .venv/bin/python bench/funnel.py [--events 20000000] [--rounds 5] [--folder DIR] [--json]

Generated events (20 to a person, 90 days) enter the lake by `append_sorted`. Then, round by round:

- *floor*: the same columns of the same files fetched by DuckDB, a thread a core, and *codes*: read
  by pyarrow with texts left as codes, which is what ours begins with;
- *ours*: the funnel through runner and fold;
- *chdb*: ClickHouse's windowFunnel on the same files, grouped by the first entry's scenario.

All counts must be equal. Figures are medians of the rounds in seconds, by the clock and in time of
all cores (`cpu`, which neighbours on the machine disturb less); ratios are medians of the rounds'
ratios. Then fresh events are compacted, and at last comes the unkind case, all at once: 5 % fresh
rows, three runs a partition, 10 % of the persons merged since, 7 of the 90 days, against the same
question over a clean lake.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from dipper.engine.embedded.lake import EmbeddedLake
from dipper.engine.embedded.lake_file import read_file
from dipper.engine.embedded.lake_schema import timelines_schema
from dipper.engine.embedded.numba_cache import warm
from dipper.engine.embedded.runner import EmbeddedRunner
from dipper.engine.ports import Identity
from dipper.fold.funnel import reached
from dipper.kit.clock import DAY_US
from dipper.measure.funnel import FunnelResult, Step, funnel

START_US = 1_767_225_600_000_000  # 2026-01-01
DAYS = 90
EVENTS = (
    ("page_viewed", 25), ("bill_opened", 10), ("bill_paid", 10), ("offer_shown", 10),
    ("offer_clicked", 5), ("signed_in", 10), ("transfer_made", 5), ("balance_viewed", 10),
    ("searched", 5), ("help_opened", 5), ("product_viewed", 3), ("product_applied", 2),
)  # fmt: skip
STEPS = ("bill_opened", "bill_paid", "offer_shown", "offer_clicked")
SCENARIOS = ("bill_payment", "hospital", "transport", "community", "shop_till", "supplier_portal")
WINDOW_US = 7 * DAY_US
PROPERTIES = {"amount_fen": "int", "biller": "text", "balance_fen": "int", "page": "text"}
CHUNK = 1_000_000


def chunks(events: int, seed: int = 1) -> Iterator[pa.Table]:
    """Rows as the worker writes them, in the order of arrival; no two of a person share a time."""
    persons = max(1, events // 20)
    for first in range(0, events, CHUNK):
        yield _rows(
            np.random.default_rng((seed, first)), first, min(CHUNK, events - first), events, persons
        )


def _rows(rng: np.random.Generator, first: int, count: int, events: int, persons: int) -> pa.Table:
    offsets = np.arange(first, first + count)
    # Arrival follows time; distinct offsets give distinct times.
    time_us = START_US + offsets * (DAYS * DAY_US // events)
    person = rng.integers(0, persons, count)
    ids = pa.array([f"customer_no:{number:010d}" for number in range(persons)]).take(
        pa.array(person)
    )
    keys = np.empty((count, 2), np.uint64)
    keys[:, 0] = _spread(person.astype(np.uint64))
    keys[:, 1] = _spread(keys[:, 0])
    subject = pa.FixedSizeBinaryArray.from_buffers(pa.binary(16), count, [None, pa.py_buffer(keys)])
    names, weights = zip(*EVENTS, strict=True)
    moment = pa.array(time_us, pa.timestamp("us", tz="UTC"))
    text = pc.cast(pa.array(_spread(offsets.astype(np.uint64))), pa.string())
    known: dict[str, Any] = {
        "partition": np.zeros(count, np.int32),
        "offset": offsets,
        "first_row": np.ones(count, bool),
        "role": _repeat("person", count),
        "kind": _repeat("person", count),
        "subject": subject.cast(pa.binary()),
        "id": ids,
        "event": _draw(rng, names, count, weights),
        "type": _repeat("track", count),
        "time": moment,
        "original": moment,
        "sent": moment,
        "received": moment,
        "seq": np.zeros(count, np.int64),
        "order_hash": _spread(offsets.astype(np.uint64)).view(np.int64),
        "message_id": pc.binary_join_element_wise(text, text, "-"),
        "source": _draw(rng, ("app", "mini_program", "web"), count),
        "trust": _repeat("server", count),
        "scenario": _draw(rng, SCENARIOS, count),
        "channel": _draw(rng, ("app", "wechat", "counter"), count),
        "org_unit": _draw(rng, tuple(f"o{number}" for number in range(34)), count),
        "person": ids,
        "program": _repeat("c0ffee" * 10, count),
        "amount_fen": rng.integers(100, 1_000_000, count),
        "biller": _draw(rng, ("water", "power", "gas", "phone"), count),
        "balance_fen": rng.integers(0, 10_000_000, count),
        "page": _draw(rng, tuple(f"/p/{number}" for number in range(50)), count),
    }
    schema = timelines_schema(PROPERTIES)
    arrays = [
        pa.array(known[f.name]) if f.name in known else pa.nulls(count, f.type) for f in schema
    ]
    return pa.Table.from_arrays(
        [a.cast(f.type) for a, f in zip(arrays, schema, strict=True)], schema=schema
    )


def _draw(
    rng: np.random.Generator, values: tuple[str, ...], count: int, weights: Any = None
) -> pa.Array:
    shares = None if weights is None else np.array(weights) / sum(weights)
    codes = rng.choice(len(values), count, p=shares).astype(np.int32)
    return pa.array(values).take(pa.array(codes))


def _repeat(value: str, count: int) -> pa.Array:
    return pa.array([value]).take(pa.array(np.zeros(count, np.int32)))


def _spread(numbers: np.ndarray) -> np.ndarray:
    mixed = (numbers + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    return mixed ^ (mixed >> np.uint64(31))


# --- what is timed ------------------------------------------------------------------------------


def codes(paths: list[str]) -> int:
    """The columns alone, texts as codes: subject, time, event, scenario."""
    columns = ["subject", "time", "event", "scenario"]
    coded = ["subject", "event", "scenario"]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return sum(pool.map(lambda path: read_file(path, columns, coded).num_rows, paths))


def floor(paths: list[str]) -> int:
    """The same columns through DuckDB, fetched as Arrow."""
    import duckdb

    def read(share: list[str]) -> int:
        connection = duckdb.connect(config={"threads": 1})
        sql = "SELECT subject, epoch_us(time) AS t, event, scenario FROM read_parquet($path)"
        return sum(
            connection.sql(sql, params={"path": path}).to_arrow_table().num_rows for path in share
        )

    threads = os.cpu_count() or 1
    with ThreadPoolExecutor(threads) as pool:
        return sum(pool.map(read, [paths[number::threads] for number in range(threads)]))


def ours(runner: EmbeddedRunner, **period: int) -> FunnelResult:
    """The funnel as `dipper funnel` runs it."""
    steps = [Step(name) for name in STEPS]
    return funnel(runner, steps, window_us=WINDOW_US, breakdown="scenario", **period)


def chdb_funnel(folder: Path) -> dict[str | None, tuple[int, ...]]:
    """windowFunnel over the same files; scenario of the first entry -> subjects by deepest step."""
    import chdb

    conditions = ", ".join(f"event = '{name}'" for name in STEPS)
    names = ", ".join(f"'{name}'" for name in STEPS)
    columns = (
        "subject String, time DateTime64(6), event LowCardinality(String), "
        "scenario LowCardinality(String)"
    )
    micros = "toUInt64(toUnixTimestamp64Micro(time))"
    sql = f"""
        SELECT entry, level, count() FROM (
            SELECT argMinIf(scenario, time, event = '{STEPS[0]}') AS entry,
                   windowFunnel({WINDOW_US})({micros}, {conditions}) AS level
            FROM file('{folder}/person/*/*/*.parquet', Parquet, '{columns}')
            WHERE event IN ({names})
            GROUP BY subject)
        WHERE level > 0 GROUP BY entry, level FORMAT JSONCompact"""  # noqa: S608
    groups: dict[str | None, list[int]] = {}
    for entry, level, count in json.loads(str(chdb.query(sql)))["data"]:
        groups.setdefault(entry, [0] * (len(STEPS) + 1))[int(level)] = int(count)
    return {entry: reached(counts) for entry, counts in groups.items()}


def by_scenario(found: FunnelResult) -> dict[str | None, tuple[int, ...]]:
    """Subjects that reached each step, by the scenario of their entry."""
    return {group.value: tuple(s.subjects for s in group.steps) for group in found.groups}


class Taken(NamedTuple):
    """Seconds by the clock and of all cores, and what came of it."""

    wall: float
    cpu: float
    result: Any


def timed(act: Callable[[], Any]) -> Taken:
    wall, cpu = time.perf_counter(), time.process_time()
    result = act()
    return Taken(time.perf_counter() - wall, time.process_time() - cpu, result)


def compare(folder: Path, runner: EmbeddedRunner, paths: list[str], rounds: int) -> dict[str, Any]:
    """Rounds in which all take their turn; equal answers or an error."""
    acts: dict[str, Callable[[], Any]] = {
        "floor": lambda: floor(paths),
        "codes": lambda: codes(paths),
        "ours": lambda: ours(runner),
        "chdb": lambda: chdb_funnel(folder),
    }
    taken: dict[str, list[Taken]] = {name: [] for name in acts}
    for number in range(rounds + 1):
        results = {}
        for name, act in acts.items():
            found = timed(act)
            results[name] = found.result
            if number:  # The first round warms files and kernels.
                taken[name].append(found)
        if by_scenario(results["ours"]) != results["chdb"]:
            raise SystemExit(f"not equal: {by_scenario(results['ours'])} and {results['chdb']}")
    return {
        **medians(taken),
        **ratio("ours_to_floor", taken["ours"], taken["floor"]),
        **ratio("ours_to_codes", taken["ours"], taken["codes"]),
        **ratio("chdb_to_ours", taken["chdb"], taken["ours"]),
        "reached": list(results["ours"].counts),
    }


def medians(taken: Mapping[str, Sequence[Taken]]) -> dict[str, float]:
    """Seconds of each, by the clock and of all cores."""
    found = {}
    for name, each in taken.items():
        found[f"{name}_s"] = round(statistics.median(one.wall for one in each), 3)
        found[f"{name}_cpu_s"] = round(statistics.median(one.cpu for one in each), 3)
    return found


def ratio(name: str, upper: Sequence[Taken], lower: Sequence[Taken]) -> dict[str, float]:
    """Median of the rounds' ratios, by the clock and of all cores."""
    pairs = list(zip(upper, lower, strict=True))
    return {
        name: round(statistics.median(a.wall / b.wall for a, b in pairs), 2),
        f"{name}_cpu": round(statistics.median(a.cpu / b.cpu for a, b in pairs), 2),
    }


def bulk(lake: EmbeddedLake, events: int) -> dict[str, float]:
    """append_sorted over generated chunks; the generator's time is taken out."""
    wall = cpu = 0.0

    def given() -> Iterator[pa.Table]:
        nonlocal wall, cpu
        tables = chunks(events)
        while True:
            made = timed(lambda: next(tables, None))
            wall, cpu = wall + made.wall, cpu + made.cpu
            if made.result is None:
                return
            yield made.result

    found = timed(lambda: lake.append_sorted(given(), {0: events}))
    return rate("append_sorted", events, found.wall - wall, found.cpu - cpu)


def rate(name: str, events: int, wall: float, cpu: float) -> dict[str, float]:
    """Events a second by the clock, and what one event takes of a core."""
    return {
        f"{name}_s": round(wall, 2),
        f"{name}_events_per_s": round(events / wall),
        f"{name}_cpu_us_per_event": round(cpu / events * 1e6, 2),
    }


def unkind(folder: Path, events: int, rounds: int) -> dict[str, Any]:
    """5 % fresh, 3 runs a partition, 10 % of the persons merged, a week of the time: against the
    same question over the same events in a clean lake."""
    tables = list(chunks(events))
    clean = open_lake(folder / "clean")
    clean.append_sorted(tables, {0: events})
    lake = open_lake(folder / "unkind")
    rows = pa.concat_tables(tables)
    cuts = [int(events * share) for share in (0, 0.32, 0.64, 0.95, 1)]
    # Arrival follows time: shuffled, so that every run spans all of it.
    rows = rows.take(pa.array(np.random.default_rng(7).permutation(events)))
    rows = rows.set_column(1, "offset", pa.array(np.arange(events)))
    for start, end in pairwise(cuts[:4]):
        lake.append_sorted(rows.slice(start, end - start), {0: end})
    step = max(1, (cuts[4] - cuts[3]) // 20)
    for start in range(cuts[3], cuts[4], step):
        end = min(start + step, cuts[4])
        lake.append(rows.slice(start, end - start), {0: end})
    keys = sorted(set(rows["subject"].unique().to_pylist()))
    remap = dict(zip(keys[1::20], keys[::20], strict=False))
    joined = Identity(remap)
    week = {"start_us": START_US + 60 * DAY_US, "end_us": START_US + 67 * DAY_US}
    runners = {
        "week_clean": EmbeddedRunner(clean),
        "week_unkind": EmbeddedRunner(lake, identity=joined),
    }
    taken: dict[str, list[Taken]] = {name: [] for name in runners}
    for number in range(rounds + 1):
        for name, runner in runners.items():
            found = timed(partial(ours, runner, **week))
            if number:
                taken[name].append(found)
    same = by_scenario(ours(EmbeddedRunner(clean, identity=joined), **week))
    if by_scenario(found.result) != same:
        raise SystemExit(f"not equal: {by_scenario(found.result)} and {same}")
    return {
        **medians(taken),
        **ratio("unkind_to_clean", taken["week_unkind"], taken["week_clean"]),
    }


def compaction(folder: Path, events: int) -> dict[str, float]:
    """Fresh files of 20,000 events folded into sorted runs."""
    lake = open_lake(folder / "fresh")
    table = next(chunks(max(events, CHUNK)))
    count = min(events, table.num_rows)
    for start in range(0, count, 20_000):
        end = min(start + 20_000, count)
        lake.append(table.slice(start, end - start), {0: end})
    found = timed(lake.compact)
    return rate("compaction", found.result, found.wall, found.cpu)


def open_lake(folder: Path) -> EmbeddedLake:
    """A lake whose present is the end of the generated days."""
    return EmbeddedLake(folder, PROPERTIES, clock=lambda: START_US + DAYS * DAY_US)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--events", type=int, default=20_000_000)
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--folder", type=Path, help="keep the generated lake here for another run")
    options.add_argument("--json", action="store_true")
    asked = options.parse_args()
    warm()
    with tempfile.TemporaryDirectory() as temporary:
        folder = asked.folder or Path(temporary)
        lake = open_lake(folder / "main")
        found: dict[str, Any] = {"events": asked.events, "persons": max(1, asked.events // 20)}
        if lake.positions().get(0, 0) != asked.events:
            found |= bulk(lake, asked.events)
        files = lake.snapshot().files
        size = sum(os.path.getsize(file.path) for file in files)
        found |= {"files": len(files), "bytes_per_event": round(size / asked.events, 1)}
        paths = [file.path for file in files]
        found |= compare(folder / "main", EmbeddedRunner(lake), paths, asked.rounds)
        found |= compaction(Path(temporary), min(asked.events, CHUNK))
        found |= unkind(Path(temporary), min(asked.events, 4 * CHUNK), asked.rounds)
    if asked.json:
        print(json.dumps(found))
        return
    for name, value in found.items():
        print(f"{name:28} {value}")


if __name__ == "__main__":
    main()
