"""A small example bank with two live days behind it, all in one process and without HTTP.

The driver is the demo's own; only its client is another: it hands bodies to the collector and the
decider themselves and projects at once. So what a report says can be held against what was done.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from dipper.app.keys import read_keys
from dipper.app.served import Programs
from dipper.app.workspace import Workspace
from dipper.collect.collector import Collector
from dipper.collect.dialects import registry
from dipper.collect.duplicates import Duplicates
from dipper.collect.plan import Plan
from dipper.collect.sources import Sources
from dipper.decide.outcome import outcome_event
from dipper.decide.ranking import Published
from dipper.decide.request import DecideRequest, OutcomeRequest
from dipper.decide.trace import decode, encode
from dipper.engine.ports import Entry
from dipper.engine.record import EVENT_ENCODER, Control, Event, RecordKind
from dipper.kit.clock import DAY_US, MINUTE_US, system_clock
from dipper.kit.ids import uuid7
from dipper.measure.history import Period
from dipper.profile.subject import load_subject
from dipper.surface.append import AsWriter
from dipper.surface.demo.bank import import_history, make_bank, make_workspace
from dipper.surface.demo.client import Answer
from dipper.surface.demo.driver import Bank, Driver, step_end
from dipper.surface.demo.live_plan import LIVE_DAYS, plan_acts, plan_openings
from dipper.surface.demo.population import make_organisations, make_persons, make_visitors
from dipper.surface.demo.report_data import RunFacts, measured, report_data
from dipper.surface.http.keys import read_source_keys
from dipper.surface.worker.lake_writer import LakeWriter
from dipper.surface.worker.projector import Projector
from dipper.surface.worker.trainer import Trainer


class OneProcess:
    """Collects, decides and projects in this process, on virtual time."""

    def __init__(self, workspace: Workspace) -> None:
        self.now_us = 0
        self.workspace = workspace
        self._random = random.Random(7)
        keys = read_source_keys(workspace.keys_file)
        self._erasure_key = read_keys(workspace.keys_file).erasure_key
        self._programs = Programs(workspace)
        self._to = AsWriter(workspace, lambda: self.now_us)
        workspace.state.claim()
        self._reader = workspace.log.reader()
        self._projector = Projector(
            self._reader, workspace.state, self._programs, self._erasure_key, self._announce
        )
        served = self._projector.served
        assert served is not None
        self._served = served
        self._collector = Collector(
            Sources.compile(served.program, keys),
            Plan.compile(served.program),
            Duplicates(),
            registry.build(),
        )
        self._trainer = Trainer(workspace, self._programs)
        self._lake = LakeWriter(workspace.lake, workspace.failed_events, workspace.state, 1)
        self._models: dict[str, Published] = {}
        self._decided: dict[str, Event] = {}
        self._waiting: list[Entry] = []
        self._is_told = False

    async def post(self, path: str, key: str, document: Mapping[str, Any]) -> Answer:
        """Answers as a gateway does."""
        source = self._collector.sources.by_key(key)
        assert source is not None
        body = msgspec.json.encode(document)
        if path == "/v1/batch":
            dialect = self._collector.dialect_of(source)
            request = dialect.read(body, dialect.ROUTES[path])
            found = self._collector.collect(source, request.batch, self.now_us)
            self._append(found.entries)
            self._is_told = True
            self._collector.count(found.counts)
            return Answer(200, b"{}", 0.001)
        if path == "/v1/decide":
            return Answer(200, self._decide(msgspec.json.decode(body, type=DecideRequest)), 0.001)
        outcome = msgspec.json.decode(body, type=OutcomeRequest)
        decided = self._decided[outcome.decision_id]
        event = outcome_event(
            outcome,
            decode(bytes(decided.properties)),
            self._served.decider,
            subjects=dict(decided.subjects),
            source=source.name,
            trust=source.trust,
            received_us=self.now_us,
        )
        self._append([_entry(event)])
        return Answer(200, b"{}", 0.001)

    def _decide(self, request: DecideRequest) -> bytes:
        if self._is_told:
            self.project()
        ids = [f"{id_type}:{value}" for id_type, value in request.ids.items()]
        place = self._served.decider.place(request.placement)
        with self.workspace.state.read() as view:
            subject = load_subject(view, self._served.tag_table, ids, self.now_us)
        decision_id = uuid7(self.now_us, self._random.randbytes(10))
        decided = self._served.decider.decide(
            request,
            subject,
            self.now_us,
            self._random.random(),
            decision_id,
            self._models.get(place.policy.name),
        )
        event = Event(
            event="decision_made",
            message_id=decision_id,
            source="gateway",
            trust="engine",
            time_us=self.now_us,
            received_us=self.now_us,
            subjects={subject.kind: ids[0]},
            scenario=place.placement.scenario,
            channel=place.placement.channel,
            placement=place.placement.name,
            properties=msgspec.Raw(encode(decided.trace)),
            program=self._served.current.program,
        )
        self._decided[decision_id] = event
        self._append([_entry(event)])
        return msgspec.json.encode(decided.reply)

    def move(self, now_us: int) -> None:
        """What has been learned is published, then the clock moves, and all is projected."""
        self._append(self._trainer.publish(self.now_us))
        self.now_us = now_us
        control = Control(type="clock", time_us=now_us, body={"now_us": now_us})
        self._append([Entry(RecordKind.CONTROL, EVENT_ENCODER.encode(control))])
        self.project()

    def project(self) -> None:
        """Write what came together, and bring state, trainer and lake buffer up to it."""
        if self._waiting:
            self._to.append(0, self._waiting)
        self._waiting, self._is_told = [], False
        while step := self._projector.step().records:
            self._trainer.add(step)
            self._lake.add(step, self._served)
            for record in step:
                if b'"model_published"' in record.payload:
                    body = msgspec.json.decode(record.payload, type=Control).body
                    data = self.workspace.models.get(body["hash"])
                    self._models[body["policy"]] = Published.from_bytes(data)

    def close(self) -> None:
        """Bring the lake up to the log and release it."""
        self.project()
        self._lake.commit()
        self._to.close()
        self.workspace.state.close()

    def commit(self) -> None:
        """One commit of the lake."""
        self._lake.commit()

    def _append(self, entries: list[Entry]) -> None:
        self._waiting += entries

    def _announce(self, events: Any) -> None:
        self._to.append(0, [_entry(event) for event in events])


def _entry(event: Event) -> Entry:
    return Entry(RecordKind.EVENT, EVENT_ENCODER.encode(event))


@dataclass(frozen=True)
class Lived:
    """A bank behind its two live days."""

    workspace: Workspace
    bank: Bank
    driver: Driver
    live_start_us: int
    live_end_us: int
    imported: int


def live(
    folder: Path, persons: int, organisations: int, decisions: int, factor: float, seed: int
) -> Lived:
    """Import a history, live two days, and leave the workspace as the demo leaves it."""
    draws = np.random.default_rng(seed)
    end_us = system_clock() // MINUTE_US * MINUTE_US
    start_us = end_us - LIVE_DAYS * DAY_US
    people = make_persons(persons, draws)
    visitors = make_visitors(persons // 10, draws)
    firms = make_organisations(organisations, people, draws)
    workspace = make_workspace(folder / "bank")
    imported = import_history(
        folder / "history", workspace, people, visitors, firms, start_us, draws
    )
    workspace = Workspace(workspace.folder)
    bank = make_bank(workspace, people, visitors, firms, seed)
    steps = plan_acts(bank.everybody, start_us, decisions, factor, draws)
    house = OneProcess(workspace)
    driver = Driver(bank, house)  # type: ignore[arg-type]
    for kind, subjects in (("person", people), ("organisation", firms)):
        needs = {
            product: need
            for offer, product in bank.offer_product.items()
            if product is not None and (need := bank.offer_need[offer]) is not None
        }
        driver.expect(plan_openings(subjects, kind, needs, start_us, draws))
    asyncio.run(_drive(driver, house, steps, start_us))
    house.close()
    return Lived(Workspace(folder / "bank"), bank, driver, start_us, end_us, imported)


async def _drive(driver: Driver, house: OneProcess, steps: list[Any], start_us: int) -> None:
    for number, step in enumerate(steps):
        now_us = step_end(start_us, number)
        house.move(now_us)
        await driver.step(number, step, now_us)
        if number % 16 == 15:
            house.commit()


@pytest.fixture(scope="session")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Lived:
    """A bank of 300 persons."""
    return live(tmp_path_factory.mktemp("lived"), 300, 40, 900, 4.0, seed=11)


@pytest.fixture(scope="session")
def run(lived: Lived) -> RunFacts:
    """What a run without a loss knows of itself."""
    sent = lived.driver.tally.sent
    return RunFacts(
        seed=11,
        live_start_us=lived.live_start_us,
        live_end_us=lived.live_end_us,
        events_imported=lived.imported,
        stored_before_kill=sent // 2,
        acknowledged_before_kill=sent // 2,
        events_stored=sent,
        killed_and_recovered=True,
        replay_equal=True,
        seconds=12.5,
        floors={"decide_p50_ms": 0.5, "decide_p99_ms": 1.0, "collect_events_per_s": 1e6},
    )


@pytest.fixture(scope="session")
def data(lived: Lived, run: RunFacts) -> dict[str, Any]:
    """The report of the small bank."""
    period = Period(lived.live_start_us, lived.live_end_us)
    found = measured(lived.workspace, lived.bank, lived.driver, period)
    return report_data(lived.workspace, lived.driver, found, run)
