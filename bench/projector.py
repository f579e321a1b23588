"""The projector whole against its floor, and the point read: `python bench/projector.py --json`.

Ours: decode the log's records, identity, conditions and values of 60 tags, state of each id, write;
and once a second a tick that folds and evaluates the segments of all whom the second has touched.
The floor: as large blobs of random persons read, lengthened by a record and written back in batches
of the same size, nothing else. Both run in turns of a second in one process, each on a store of its
own; the ratio is the median over the turns. Then one person with 200 events is read and folded
again and again, with all 60 tags.
"""

from __future__ import annotations

import argparse
import gc
import json
import random
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from dipper.engine.embedded.state import EmbeddedState
from dipper.engine.ports import Record
from dipper.engine.record import EVENT_ENCODER, Event, RecordKind
from dipper.fold.tags import fold_one
from dipper.kit.clock import DAY_US, SECOND_US
from dipper.kit.hashing import hash64, hash128
from dipper.profile.id_state import NEVER_US, Facts, Header, flags_of, write
from dipper.profile.project import LAST_TICK, LAYOUT, pack_time, project
from dipper.profile.subject import load_subject
from dipper.profile.tags import TagTable, compile_tags
from dipper.profile.tick import tick
from parts.tags import EVENTS, bank

NOW = 1_790_000_000_000_000


class Stream:
    """Events of random persons, encoded as in the log, the same for the same seed."""

    def __init__(self, persons: int, seed: int) -> None:
        self._random = random.Random(seed)
        self._persons = persons
        self._count = 0

    def event(self, person: int, time_us: int) -> Event:
        """One event of a person."""
        self._count += 1
        random_ = self._random
        properties = {
            "amount_fen": random_.randrange(50, 100_000),
            "rate": random_.random(),
            "biller": f"biller-{random_.randrange(20)}",
            "page": "/somewhere/in/the/app",
        }
        return Event(
            event=EVENTS[random_.randrange(len(EVENTS))],
            message_id=f"message-{self._persons}-{self._count:012}",
            source="server",
            trust="server",
            time_us=time_us,
            received_us=time_us,
            subjects={"person": person_id(person)},
            scenario="bill_payment",
            channel="app",
            properties=msgspec.Raw(msgspec.json.encode(properties)),
            program="0" * 64,
        )

    def records(self, count: int, time_us: int) -> list[Record]:
        """Records of random persons, a microsecond apart."""
        made = []
        for n in range(count):
            event = self.event(self._random.randrange(self._persons), time_us + n)
            payload = EVENT_ENCODER.encode(event)
            made.append(Record(0, self._count, RecordKind.EVENT, time_us, payload, False))
        return made


def person_id(person: int) -> str:
    """The id of a person by number."""
    return f"customer_no:C{person:08}"


def row_of(table: TagTable, event: Event, order: int) -> bytes:
    """The record that the projector would keep of an event."""
    row, _, _ = table.events[event.event].makers["person"](event, order, 0)
    return row


def preload(table: TagTable, stores: list[EmbeddedState], persons: int, kept: int) -> int:
    """Write `kept` records over 90 days for each person into all stores. Gives bytes a person.

    The rows of 997 persons are made by the projector's own row makers and dealt out to all.
    """
    stream = Stream(persons, seed=1)
    family = table.families["person"]
    patterns = []
    for _ in range(min(persons, 997)):
        times = sorted(stream._random.sample(range(85 * DAY_US // SECOND_US), kept))
        rows = [
            row_of(table, stream.event(0, NOW - 85 * DAY_US + second * SECOND_US), order)
            for order, second in enumerate(times)
        ]
        patterns.append(b"".join(rows))
    texts = {hash64(text): text for text in (f"biller-{n}" for n in range(20))}
    meta = {LAYOUT: table.layout.encode(), LAST_TICK: pack_time(NOW)}
    size = 0
    for start in range(0, persons, 20_000):
        rows_of_ids: dict[bytes, bytes | None] = {}
        for person in range(start, min(start + 20_000, persons)):
            facts = Facts(person_id(person), texts=texts)
            body = facts.to_bytes()
            header = Header(
                1, flags_of("person", True, facts), table.layout_code, len(body), NOW - 1,
                family.horizon(NOW),
            )  # fmt: skip
            state = write(header, body, patterns[person % len(patterns)])
            rows_of_ids[hash128(person_id(person))] = state
            size = len(state)
        for store in stores:
            store.write({"ids": rows_of_ids, "meta": meta}, {0: 0})
    return size


class Ours:
    """Projects batches and ticks once a second; counts where the time goes."""

    def __init__(self, table: TagTable, state: EmbeddedState) -> None:
        self.table, self.state = table, state
        self.touched: dict[bytes, int] = {}
        self.spent = {"project": 0.0, "write": 0.0, "tick": 0.0}
        self.announced = self.ticked = 0

    def batch(self, records: list[Record]) -> None:
        begin = time.perf_counter()
        with self.state.read() as reader:
            done = project(records, reader, self.table)
        middle = time.perf_counter()
        self.state.write(done.changes, {0: records[-1].offset + 1})
        self.spent["project"] += middle - begin
        self.spent["write"] += time.perf_counter() - middle

    def settle(self) -> float:
        """A first look at everybody, after which only turns are announced. Gives seconds."""
        begin = time.perf_counter()
        with self.state.read() as reader:
            done = tick(reader, self.table, {key: NEVER_US for key, _ in reader.scan("ids")}, NOW)
        self.state.write(done.changes, {})
        return time.perf_counter() - begin

    def tick(self, now_us: int) -> None:
        begin = time.perf_counter()
        with self.state.read() as reader:
            done = tick(reader, self.table, None, now_us)
        self.state.write(done.changes, {})
        self.announced += len(done.announcements)
        self.ticked += len(done.changes["touched"])
        self.spent["tick"] += time.perf_counter() - begin


class Floor:
    """Reads the same blobs, lengthens them by a row, writes them back."""

    def __init__(self, state: EmbeddedState, row: bytes) -> None:
        self.state, self.row = state, row

    def batch(self, keys: list[bytes]) -> None:
        changed: dict[bytes, bytes | None] = {}
        with self.state.read() as reader:
            for key in keys:
                blob = changed.get(key) or reader.get("ids", key)
                changed[key] = blob + self.row  # type: ignore[operator]
        self.state.write({"ids": changed}, {})


def turns(
    table: TagTable, ours: Ours, floor: Floor, persons: int, seconds: float, batch: int
) -> dict[str, Any]:
    """Ours and the floor in turns; events a second of each, and the median ratio."""
    stream, keys_random = Stream(persons, seed=2), random.Random(3)
    keys = [hash128(person_id(person)) for person in range(persons)]
    virtual = NOW
    ratios, speeds, floors = [], [], []
    until = time.perf_counter() + seconds
    while time.perf_counter() < until or len(ratios) < 3:
        spent, events = 0.0, 0
        while spent < 1.0:
            records = stream.records(batch, virtual + int(spent * SECOND_US))
            spent += _timed(lambda records=records: ours.batch(records))
            events += batch
        virtual += SECOND_US
        spent += _timed(lambda now_us=virtual: ours.tick(now_us))
        speeds.append(events / spent)
        spent, events = 0.0, 0
        while spent < 1.0:
            chosen = keys_random.choices(keys, k=batch)
            spent += _timed(lambda chosen=chosen: floor.batch(chosen))
            events += batch
        floors.append(events / spent)
        ratios.append(speeds[-1] / floors[-1])
    return {
        "events_per_s": round(statistics.median(speeds)),
        "floor_events_per_s": round(statistics.median(floors)),
        "ratio": round(statistics.median(ratios), 3),
        "turns": len(ratios),
    }


def _timed(act: Callable[[], None]) -> float:
    begin = time.perf_counter()
    act()
    return time.perf_counter() - begin


def point_reads(table: TagTable, folder: Path, kept: int) -> dict[str, Any]:
    """Reading and folding one of 20,000 persons, and the whole subject with its dictionaries."""
    state = EmbeddedState(folder)
    preload(table, [state], 20_000, kept)
    chooser = random.Random(4)
    names = [person_id(chooser.randrange(20_000)) for _ in range(20_000)]
    layout, fold = table.families["person"].layout, table.kinds["person"].whole.fold
    folded: list[int] = []
    whole: list[int] = []
    with state.read() as reader:  # Each page is mapped into a process once, at its first reading.
        sum(len(value) for _, value in reader.scan("ids"))
    for name in names:
        begin = time.perf_counter_ns()
        with state.read() as reader:
            data = reader.view("ids", hash128(name))
            assert data is not None
            fold_one(layout.matrix(data, len(data) - kept * layout.row_bytes), NOW, fold)
        folded.append(time.perf_counter_ns() - begin)
        begin = time.perf_counter_ns()
        with state.read() as reader:
            load_subject(reader, table, [name], NOW)
        whole.append(time.perf_counter_ns() - begin)
    state.close()

    def us(values: list[int], percent: float) -> float:
        return round(float(np.percentile(values[1_000:], percent)) / 1_000, 1)

    return {
        "events": kept,
        "read_and_fold_us": {"p50": us(folded, 50), "p99": us(folded, 99)},
        "subject_us": {"p50": us(whole, 50), "p99": us(whole, 99)},
    }


def main() -> None:
    """Run and print."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--persons", type=int, default=100_000)
    arguments.add_argument("--kept", type=int, default=50)
    arguments.add_argument("--seconds", type=float, default=40.0)
    arguments.add_argument("--batch", type=int, default=2_000)
    arguments.add_argument("--folder", type=Path, default=None)
    arguments.add_argument("--json", action="store_true")
    given = arguments.parse_args()
    folder = Path(tempfile.mkdtemp(dir=given.folder))
    table = compile_tags(bank())
    try:
        stores = [EmbeddedState(folder / "ours"), EmbeddedState(folder / "floor")]
        size = preload(table, stores, given.persons, given.kept)
        ours = Ours(table, stores[0])
        row = bytes(table.families["person"].layout.row_bytes)
        warm = Stream(given.persons, seed=5)
        ours.batch(warm.records(200, NOW - SECOND_US))
        settle_s = ours.settle()
        # As the worker does: what was made by now is not looked at again by the collector.
        gc.collect()
        gc.freeze()
        floor = Floor(stores[1], row)
        result: dict[str, Any] = {
            "persons": given.persons,
            "kept": given.kept,
            "bytes_per_person": size,
            **turns(table, ours, floor, given.persons, given.seconds, given.batch),
            "target_ratio": 0.6,
            "first_look_at_all_s": round(settle_s, 1),
            "spent_s": {name: round(value, 2) for name, value in ours.spent.items()},
            "announced": ours.announced,
            "looked_at": ours.ticked,
        }
        for store in stores:
            store.close()
        result["point_read"] = point_reads(table, folder / "point", 200)
        result["point_read"]["target_p99_us"] = 30
    finally:
        shutil.rmtree(folder)
    print(json.dumps(result, indent=None if given.json else 2, ensure_ascii=False))


if __name__ == "__main__":
    main()
