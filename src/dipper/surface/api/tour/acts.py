"""What a visitor does on the tour, for real: requests to the data plane, and the clock of the demo.

Every act ends when the projection has seen it, and tells what was before and after. Acts are kept
in memory for the page that shows them; they name decisions by position, never a person.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections import Counter, OrderedDict
from dataclasses import dataclass, field
from typing import Any

from dipper.engine.ports import Entry, Position
from dipper.engine.record import EVENT_DECODER, EVENT_ENCODER, Control, RecordKind
from dipper.kit.clock import DAY_US, to_iso
from dipper.kit.errors import Forbidden, Unavailable
from dipper.profile.segments import TURNS, read_turned
from dipper.profile.subject import load_subject
from dipper.spec.kinds.purpose import Purpose
from dipper.surface.api.platform import Platform
from dipper.surface.api.tour.cast import Figure
from dipper.surface.api.tour.data_plane import DataPlane, server_key
from dipper.surface.api.tour.presets import Preset
from dipper.surface.append import ThroughGateways, append_everywhere

PROJECTED_S = 10.0
LOOK_S = 0.002
KEPT = 200
READ_AT_ONCE = 5_000


@dataclass(frozen=True)
class Known:
    """What is known of a figure at one moment: tags and segments."""

    tags: dict[str, Any]
    segments: frozenset[str]
    now_us: int


@dataclass(frozen=True)
class Asked:
    """A decision that was asked for: where its record stands, what it offers, how long it took."""

    position: Position
    offers: tuple[str, ...]
    seconds: float


@dataclass(frozen=True)
class Turned:
    """An announcement about the figure."""

    turn: str
    segment: str
    time_us: int


@dataclass(frozen=True)
class Act:
    """One thing that a visitor did, and what came of it."""

    kind: str
    role: str
    before: Known
    after: Known
    seconds: float
    asked_before: Asked | None = None
    asked: Asked | None = None
    preset: str = ""
    times: int = 0
    own: tuple[Turned, ...] = ()
    everybody: dict[tuple[str, str], int] = field(default_factory=dict)


class Stage:
    """Where acts are done and remembered. Threads may share it."""

    def __init__(self, bank: Platform) -> None:
        self._bank = bank
        self._acts: OrderedDict[str, Act] = OrderedDict()
        self._turn = threading.Lock()

    def remember(self, act: Act) -> str:
        """Keep an act; gives the word under which a page finds it."""
        name = secrets.token_hex(8)
        with self._turn:
            self._acts[name] = act
            if len(self._acts) > KEPT:
                self._acts.popitem(last=False)
        return name

    def act(self, name: str) -> Act | None:
        """An act that is still remembered."""
        return self._acts.get(name)

    # --- acts -------------------------------------------------------------------------------

    def decide(self, figure: Figure) -> Act:
        """Ask the data plane for a decision."""
        before = self.known(figure)
        asked = self._ask(figure)
        return Act("decide", figure.role.name, before, before, asked.seconds, asked=asked)

    def withdraw(self, figure: Figure, purpose: str) -> Act:
        """Decide, withdraw the consent, and decide again as soon as it is acknowledged."""
        return self._consent("withdraw", figure, purpose)

    def give(self, figure: Figure, purpose: str) -> Act:
        """Decide, give the consent to the notice in force, and decide again."""
        return self._consent("give", figure, purpose)

    def _consent(self, kind: str, figure: Figure, purpose: str) -> Act:
        before, asked_before = self.known(figure), self._ask(figure)
        properties: dict[str, Any] = {"purpose": purpose, "channel": "tour"}
        if kind == "give":
            properties |= self._notice(purpose)
        event = "consent_given" if kind == "give" else "consent_withdrawn"
        started = time.perf_counter()
        self._send(figure, event, properties)
        asked = self._ask(figure)
        seconds = time.perf_counter() - started
        after = self.known(figure)
        return Act(kind, figure.role.name, before, after, seconds, asked_before, asked)

    def _notice(self, purpose: str) -> dict[str, Any]:
        with self._bank.read() as reading:
            spec = reading.served.program.of(Purpose)[purpose]
        found: dict[str, Any] = {"notice_version": spec.notice_version}
        return found | ({"separate": True} if spec.separate_consent else {})

    def send(self, figure: Figure, preset: Preset, times: int) -> Act:
        """Send an event so often, and wait until it is projected."""
        before = self.known(figure)
        started = time.perf_counter()
        self._send(figure, preset.event, preset.properties, preset.scenario, times)
        self._projected()
        seconds = time.perf_counter() - started
        after = self.known(figure)
        return Act(
            "send", figure.role.name, before, after, seconds, preset=preset.name, times=times
        )

    def advance(self, figure: Figure) -> Act:
        """Move the demo's clock on by a day; gives what was announced. Raises Forbidden."""
        bank = self._bank
        if not bank.is_demo:
            raise Forbidden("only the clock of a demo workspace moves on demand.", where="tour")
        before = self.known(figure)
        now_us = before.now_us + DAY_US
        control = Control(type="clock", time_us=now_us, body={"now_us": now_us})
        entry = Entry(RecordKind.CONTROL, EVENT_ENCODER.encode(control))
        partitions = bank.log.partitions()
        to = ThroughGateways(bank.workspace, bank.clock)
        started = time.perf_counter()
        try:
            first = append_everywhere(to, partitions, [entry])
        finally:
            to.close()
        self._projected()
        seconds = time.perf_counter() - started
        own, everybody = self._announced(dict(first), figure)
        after = self.known(figure)
        return Act(
            "advance", figure.role.name, before, after, seconds, own=own, everybody=everybody
        )

    # --- what they are made of ----------------------------------------------------------------

    def known(self, figure: Figure) -> Known:
        """Tags and segments of a figure now."""
        with self._bank.read() as reading:
            subject = load_subject(
                reading.view, reading.served.tag_table, [figure.text], reading.now_us
            )
        return Known(dict(subject.tags), subject.segments, reading.now_us)

    def _ask(self, figure: Figure) -> Asked:
        kind, _, value = figure.text.partition(":")
        body = {"placement": figure.role.placement, "ids": {kind: value}}
        answer = self._data_plane().post("/v1/decide", body)
        partition, offset = answer.body["position"]
        offers = tuple(offer["offer"] for offer in answer.body["offers"])
        return Asked(Position(partition, offset), offers, answer.seconds)

    def _send(
        self,
        figure: Figure,
        event: str,
        properties: dict[str, Any],
        scenario: str = "",
        times: int = 1,
    ) -> None:
        bank = self._bank
        with bank.read() as reading:
            now = to_iso(reading.now_us)
        value = figure.text.partition(":")[2]
        message: dict[str, Any] = {"type": "track", "event": event, "properties": properties}
        # Virtual time stands still between two acts: the sequence number keeps their order.
        context: dict[str, Any] = {"seq": bank.clock()}
        if scenario:
            context["scenario"] = scenario
        if figure.role.kind == "person":
            message["userId"] = value
        else:
            operator = {"operator": figure.operator} if figure.operator else {}
            context["subjects"] = {figure.role.kind: figure.text} | operator
        message |= {"timestamp": now, "context": {"dipper": context}}
        batch = [message | {"messageId": f"tour-{secrets.token_hex(12)}"} for _ in range(times)]
        self._data_plane().post("/v1/batch", {"batch": batch, "sentAt": now})

    def _data_plane(self) -> DataPlane:
        with self._bank.read() as reading:
            key = server_key(reading.served.program, self._bank.keys.write_keys)
        return DataPlane(self._bank.workspace.settings.serve, key)

    def _projected(self) -> None:
        """Return when the state has seen what is in the log now. Raises Unavailable."""
        log = self._bank.log
        ends = {number: log.end(number) for number in range(log.partitions())}
        deadline = time.monotonic() + PROJECTED_S
        while time.monotonic() < deadline:
            with self._bank.workspace.state.read() as view:
                reached = view.positions()
            if all(reached.get(number, 0) >= end for number, end in ends.items()):
                return
            time.sleep(LOOK_S)
        raise Unavailable(
            "it is in the log, but not projected yet.", where="worker", hint="See /healthz."
        )

    def _announced(
        self, first: dict[int, int], figure: Figure
    ) -> tuple[tuple[Turned, ...], dict[tuple[str, str], int]]:
        """Announcements behind these offsets: those of the figure, and how many of each sort."""
        with self._bank.read() as reading:
            ids = load_subject(
                reading.view, reading.served.tag_table, [figure.text], reading.now_us
            ).ids
        own: list[Turned] = []
        everybody: Counter[tuple[str, str]] = Counter()
        for partition, start in first.items():
            while records := self._bank.log.read(partition, start, READ_AT_ONCE):
                start = records[-1].offset + 1
                for record in records:
                    if record.kind != RecordKind.EVENT or b'"segment_' not in record.payload:
                        continue
                    event = EVENT_DECODER.decode(record.payload)
                    if event.event in TURNS and event.trust == "engine":
                        segment = read_turned(event.properties).segment
                        everybody[event.event, segment] += 1
                        if set(event.subjects.values()) & set(ids):
                            own.append(Turned(event.event, segment, event.time_us))
        return tuple(own), dict(everybody)
