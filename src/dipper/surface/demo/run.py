"""`dipper demo`: the example bank through the whole platform, from files to the report.

History enters by bulk import; two virtual days run through the real HTTP collection and decide; in
the middle of the second day the server is killed; then everything is counted and reported. The two
days end at the moment at which the demo was started. A second process replays the log along behind
the server, so that at the end little of it is left to do.
"""

from __future__ import annotations

import asyncio
import secrets
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dipper.app.workspace import Workspace
from dipper.engine.ports import Entry
from dipper.engine.record import EVENT_ENCODER, Control, RecordKind
from dipper.kit.clock import DAY_US, MINUTE_US, system_clock
from dipper.kit.errors import Unavailable
from dipper.measure.history import Period
from dipper.surface.append import AsWriter, ThroughGateways, append_everywhere
from dipper.surface.beside import Beside
from dipper.surface.cli.output import progress
from dipper.surface.demo.bank import import_history, make_bank, make_workspace
from dipper.surface.demo.client import Client
from dipper.surface.demo.driver import BATCHES_AT_ONCE, Bank, Driver
from dipper.surface.demo.floors import disk_floors
from dipper.surface.demo.live_plan import LIVE_DAYS, STEP_US, STEPS, plan_acts, plan_openings
from dipper.surface.demo.population import (
    VISITOR_SHARE,
    make_organisations,
    make_persons,
    make_visitors,
)
from dipper.surface.demo.report_data import RunFacts, measured, report_data
from dipper.surface.demo.report_page import report_text, write_report
from dipper.surface.demo.server import DemoServer

KILL_STEP = STEPS * 3 // 4
LIVE_FACTOR = 2.95
PROJECTED_S = 60.0


@dataclass(frozen=True)
class DemoSize:
    """How many live in the example bank, and how many decisions are asked for."""

    persons: int
    organisations: int
    decisions: int


def run_demo(folder: Path, seed: int | None, size: DemoSize) -> int:
    """Run everything; gives the exit code."""
    started = time.monotonic()
    seed = secrets.randbits(31) if seed is None else seed
    live_end_us = system_clock() // MINUTE_US * MINUTE_US
    live_start_us = live_end_us - LIVE_DAYS * DAY_US
    say(f"example bank, seed {seed}: {size.persons:,} persons, {size.organisations:,} firms")
    workspace = make_workspace(folder / "bank")
    random = np.random.default_rng(seed)
    persons = make_persons(size.persons, random)
    visitors = make_visitors(round(size.persons * VISITOR_SHARE), random)
    organisations = make_organisations(size.organisations, persons, random)
    imported = import_history(
        folder / "history", workspace, persons, visitors, organisations, live_start_us, random
    )
    workspace = Workspace(workspace.folder)  # The import has closed its state.
    bank = make_bank(workspace, persons, visitors, organisations, seed)
    start_clock(workspace, live_start_us)
    server = DemoServer(workspace.folder, folder / "server.log")
    with (
        closing(Beside("dipper.surface.replaying", workspace.folder)) as replaying,
        ThreadPoolExecutor(1) as pool,
    ):
        driver, counts = asyncio.run(live(workspace, server, bank, size, live_start_us, random))
        server.stop()
        say("replaying the log to its end, and measuring meanwhile")
        replayed = pool.submit(replaying.finish)
        found = measured(workspace, bank, driver, Period(live_start_us, live_end_us))
        is_equal = replayed.result()["equal"]
    run = RunFacts(
        seed=seed,
        live_start_us=live_start_us,
        live_end_us=live_end_us,
        events_imported=imported,
        stored_before_kill=counts["stored_before_kill"],
        acknowledged_before_kill=counts["acknowledged_before_kill"],
        events_stored=stored_since(workspace, counts["first_offsets"]),
        killed_and_recovered=counts["recovered"],
        replay_equal=is_equal,
        floors=disk_floors(workspace.data),
        seconds=time.monotonic() - started,
    )
    data = report_data(workspace, driver, found, run)
    write_report(folder, data)
    print(report_text(data))
    print(f"\nreport      {folder / 'report.html'}")
    print(f"look around: dipper serve {workspace.folder}, then /tour")
    return 0


def start_clock(workspace: Workspace, now_us: int) -> None:
    """Set the virtual clock before a server starts: until then a worker ticks by the machine's
    clock, and no tick of the live days could fire behind that."""
    to = AsWriter(workspace, system_clock)
    try:
        append_everywhere(to, workspace.settings.storage.partitions, [clock_record(now_us)])
    finally:
        to.close()


def clock_record(now_us: int) -> Entry:
    """The record that moves the virtual clock."""
    control = Control(type="clock", time_us=now_us, body={"now_us": now_us})
    return Entry(RecordKind.CONTROL, EVENT_ENCODER.encode(control))


def say(text: str) -> None:
    """One line for whoever watches."""
    print(text, file=sys.stderr, flush=True)


async def live(
    workspace: Workspace,
    server: DemoServer,
    bank: Bank,
    size: DemoSize,
    live_start_us: int,
    random: np.random.Generator,
) -> tuple[Driver, dict[str, Any]]:
    """The two live days."""
    acts = plan_acts(bank.everybody, live_start_us, size.decisions, LIVE_FACTOR, random)
    server.start()
    client = Client("127.0.0.1", server.data_port, BATCHES_AT_ONCE)
    driver = Driver(bank, client)
    serves = {
        product: need
        for offer, product in bank.offer_product.items()
        if product is not None and (need := bank.offer_need[offer]) is not None
    }
    for kind, subjects in (("person", bank.persons), ("organisation", bank.organisations)):
        driver.expect(plan_openings(subjects, kind, serves, live_start_us, random))
    time_keeper = TimeKeeper(workspace)
    await asyncio.to_thread(time_keeper.wait_projected)
    reader = workspace.log.reader()
    first = {p: reader.end(p) for p in range(reader.partitions())}
    counts: dict[str, Any] = {"first_offsets": first, "recovered": False}

    async def kill_and_restart() -> None:
        await asyncio.sleep(0.02)
        counts["acknowledged_before_kill"] = driver.tally.acknowledged
        server.kill()
        counts["stored_before_kill"] = stored_since(workspace, first)
        await asyncio.to_thread(server.start)
        counts["recovered"] = True
        time_keeper.reconnect()

    with progress("two live days", STEPS) as done:
        for number in range(STEPS):
            now_us = live_start_us + (number + 1) * STEP_US
            await asyncio.to_thread(time_keeper.advance, now_us)
            halfway = kill_and_restart if number == KILL_STEP else None
            await driver.step(number, acts[number], now_us, halfway)
            await asyncio.to_thread(time_keeper.wait_projected)
            done(number + 1)
    client.close()
    return driver, counts


class TimeKeeper:
    """Moves the demo's virtual clock, and waits until the projection has caught up."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._partitions = workspace.settings.storage.partitions
        self._reader = workspace.log.reader()
        self._to = ThroughGateways(workspace, system_clock)

    def advance(self, now_us: int) -> None:
        """Append a clock record to every partition and wait until its tick was fired."""
        append_everywhere(self._to, self._partitions, [clock_record(now_us)])
        self.wait_projected()

    def wait_projected(self) -> None:
        """Return when the state stands at the end of the log. Raises Unavailable."""
        deadline = time.monotonic() + PROJECTED_S
        while time.monotonic() < deadline:
            with self._workspace.state.read() as view:
                reached = view.positions()
            if all(reached.get(p, 0) >= self._reader.end(p) for p in range(self._partitions)):
                return
            time.sleep(0.002)
        raise Unavailable(f"the projection is more than {PROJECTED_S:.0f} s behind.")

    def reconnect(self) -> None:
        """After the server was killed."""
        self._to.close()


def stored_since(workspace: Workspace, first: dict[int, int]) -> int:
    """Events of the sources, good and failed, that stand in the log from these offsets on."""
    stored = 0
    with workspace.log.reader() as reader:
        for partition, start in first.items():
            for records in reader.read_batches(partition, start):
                stored += sum(
                    record.kind != RecordKind.CONTROL and b'"trust":"engine"' not in record.payload
                    for record in records
                )
    return stored
