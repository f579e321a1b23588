"""How many events a second one gateway takes, on disk before it answers.

    .venv/bin/python bench/collect.py [--seconds 3] [--rounds 3] [--json]

Ours is the gateway's collection in one process: tracking plan, trust, never-store filter,
duplicates, log with digests and chain. The floor is a bare ASGI loop: read the body, decode it into
types, append its bytes, sync by the same group commit, reply. Both run on uvicorn in a process of
their own on one core, in turns; one client process loads them over loopback with batches of 100 and
with single events. Targets: 0.6 of the floor; batches 200,000 events/s, singles 15,000/s with p99
at most 10 ms. Where other work shares the cores, the ratio of processor times is the steadier one.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import uvicorn

from parts.load import closed_loop, run
from parts.serving import (
    CLIENT_CORE,
    FloorLog,
    Server,
    begin_serving,
    body_of,
    pin,
    serve,
    serve_as,
    stop_in_order,
)

BATCH = 100
CONNECTIONS = {"batches": 8, "singles": 32}
KEY_HEADER = "Basic d2tfc2VydmVyOg=="
OWNERS = {"business": "b", "technical": "t", "managing": "m"}


# --- what is sent ---------------------------------------------------------------------------


def event(number: int) -> dict[str, Any]:
    """A payment as an SDK sends it, about 600 bytes; the message id is put in later."""
    moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime())
    return {
        "type": "track",
        "event": "bill_paid",
        "userId": f"1{number:09d}",
        "anonymousId": f"{number:08x}-4b9d-4c1b-8a3f-5d2e{number:08x}",
        "messageId": "@",
        "timestamp": f"{moment}.{number % 1000:03d}+00:00",
        "properties": {
            "amount_fen": 12_500 + number,
            "biller": "state_grid",
            "city": "120100",
            "fee": 1.25,
            "pay_way": "card",
            "first_time": number % 7 == 0,
            "account_no": f"622202020011{number:07d}",
        },
        "context": {
            "library": {"name": "analytics-python", "version": "2.4.0"},
            "ip": "10.1.2.3",
            "locale": "zh-CN",
            "timezone": "Asia/Shanghai",
            "dipper": {
                "scenario": "bill_payment",
                "channel": "app",
                "org_unit": f"12{number % 40:04d}",
                "campaign": "spring",
            },
        },
        "integrations": {},
    }


class Sender:
    """Makes requests with fresh message ids out of prepared bodies."""

    def __init__(self, kind: str, first_id: int) -> None:
        size = BATCH if kind == "batches" else 1
        path = "/v1/batch" if kind == "batches" else "/v1/track"
        self._next = first_id
        self._bodies: list[list[bytes]] = []
        for start in range(0, 2_000, size):
            events = [event(number) for number in range(start, start + size)]
            body = {"batch": events} if kind == "batches" else events[0]
            text = json.dumps(body).encode()
            pieces = text.split(b'"@"')
            length = len(text) + size * (38 - 3)
            head = (
                f"POST {path} HTTP/1.1\r\nHost: bench\r\nAuthorization: {KEY_HEADER}\r\n"
                f"Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
            ).encode()
            parts = [head + pieces[0]]
            for piece in pieces[1:]:
                parts += [b"", piece]
            self._bodies.append(parts)
        self._turn = 0

    def request(self) -> bytes:
        """The next request."""
        self._turn = (self._turn + 1) % len(self._bodies)
        parts = self._bodies[self._turn]
        number = self._next
        for place in range(1, len(parts), 2):
            parts[place] = b'"%08x-aaaa-4bbb-8ccc-%012x"' % (
                number * 2654435761 & 0xFFFFFFFF,
                number,
            )
            number += 1
        self._next = number
        return b"".join(parts)


# --- the floor ------------------------------------------------------------------------------


class FloorProperties(msgspec.Struct):
    """The types of the properties, written by hand."""

    amount_fen: int
    biller: str | None = None
    city: str | None = None
    fee: float | None = None
    pay_way: str | None = None
    first_time: bool | None = None
    account_no: str | None = None


class FloorColumns(msgspec.Struct):
    """The columns."""

    scenario: str | None = None
    channel: str | None = None
    org_unit: str | None = None
    campaign: str | None = None


class FloorContext(msgspec.Struct):
    """The context."""

    dipper: FloorColumns | None = None


class FloorEvent(msgspec.Struct, rename="camel"):
    """One event."""

    type: str
    event: str
    user_id: str
    message_id: str
    timestamp: str
    properties: FloorProperties
    anonymous_id: str | None = None
    context: FloorContext | None = None


class FloorBatch(msgspec.Struct):
    """A batch."""

    batch: list[FloorEvent]


def floor_app(folder: Path) -> Any:
    """The bare ASGI loop."""
    log = FloorLog(folder / "floor.log")
    batch, single = msgspec.json.Decoder(FloorBatch), msgspec.json.Decoder(FloorEvent)
    start = {
        "type": "http.response.start",
        "status": 200,
        "headers": [(b"content-type", b"application/json"), (b"content-length", b"16")],
    }
    end = {"type": "http.response.body", "body": b'{"success":true}'}

    async def app(scope: Any, receive: Any, send: Any) -> None:
        body = await body_of(receive)
        (batch if scope["path"] == "/v1/batch" else single).decode(body)
        await asyncio.wrap_future(log.append(body))
        await send(start)
        await send(end)

    return app


# --- ours -----------------------------------------------------------------------------------


def our_server(folder: Path) -> uvicorn.Config:
    """The gateway's collection over an embedded log, served as a gateway serves it."""
    from dipper.collect.collector import Collector
    from dipper.collect.dialects import registry
    from dipper.collect.duplicates import Duplicates
    from dipper.collect.plan import Plan
    from dipper.collect.sources import SourceKeys, Sources
    from dipper.engine.embedded.log import EmbeddedLog
    from dipper.engine.ports import Position
    from dipper.kit.clock import system_clock
    from dipper.surface.http.appends import Appends
    from dipper.surface.http.collection import Collection
    from dipper.surface.http.connection import data_plane

    program = our_program()
    sources = Sources.compile(program, {"server": SourceKeys("wk_server")})
    dialects = registry.build()
    collector = Collector(sources, Plan.compile(program), Duplicates(is_saved=True), dialects)
    collector.warm()
    appends = Appends(EmbeddedLog(folder / "log", 1).writer(0), collector.admission)

    async def at_once(_: Position) -> None:
        """Nothing here has to be projected first."""

    collection = Collection(collector, appends, dialects, clock=system_clock, projected=at_once)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await collection.handle(scope, receive, send)

    return data_plane(app, taker=collection)


def our_program() -> Any:
    """A tracking plan with the event that is sent."""
    from dipper.spec.kinds.event import Event
    from dipper.spec.kinds.property import Property
    from dipper.spec.kinds.source import Source
    from dipper.spec.program import Program

    types = {
        "amount_fen": "int",
        "biller": "text",
        "city": "text",
        "fee": "double",
        "pay_way": "text",
        "first_time": "bool",
        "account_no": "text",
    }

    def common(name: str) -> dict[str, Any]:
        return {"name": name, "title": {"zh": name, "en": name}, "owners": OWNERS}

    properties = [
        Property.model_validate({**common(name), "type": kind, "pi_class": "none"})
        for name, kind in types.items()
    ]
    paid = {**common("bill_paid"), "properties": tuple(types), "required": ("amount_fen",)}
    source = Source.model_validate({**common("server"), "trust": "server"})
    return Program.from_objects([*properties, Event.model_validate(paid), source])


# --- running --------------------------------------------------------------------------------


def serve_one(which: str, folder: Path) -> None:
    """Be one of the two servers."""
    begin_serving()
    if which == "floor":
        serve(floor_app(folder))
    else:
        serve_as(our_server(folder))


@dataclass
class Measured:
    """Medians over the rounds."""

    events_per_s: list[float] = field(default_factory=list)
    processor_us: list[float] = field(default_factory=list)
    latencies_ms: list[float] = field(default_factory=list)

    def as_dict(self) -> dict[str, float]:
        """The figures."""
        ordered = sorted(self.latencies_ms)
        return {
            "events_per_s": round(statistics.median(self.events_per_s)),
            "processor_us_per_event": round(statistics.median(self.processor_us), 2),
            "p50_ms": round(ordered[len(ordered) // 2], 3),
            "p99_ms": round(ordered[len(ordered) * 99 // 100], 3),
        }


def measure(rounds: int, seconds: float) -> dict[str, Any]:
    """Both servers, both kinds, in turns."""
    stop_in_order()
    pin(CLIENT_CORE)
    found = {kind: {"ours": Measured(), "floor": Measured()} for kind in CONNECTIONS}
    first_id = 0
    with tempfile.TemporaryDirectory(prefix="collect-", dir=".") as folder:
        servers: dict[str, Server] = {}
        try:
            for which in ("ours", "floor"):
                servers[which] = Server(__file__, which, Path(folder))
            for round_number in range(rounds + 1):
                for kind in CONNECTIONS:
                    for which, server in servers.items():
                        length = seconds if round_number else 0.5
                        before = server.processor_s()
                        request = Sender(kind, first_id).request
                        latencies, taken = run(
                            closed_loop(server.port, CONNECTIONS[kind], request, length)
                        )
                        events = len(latencies) * (BATCH if kind == "batches" else 1)
                        first_id += events + 1_000_000
                        if round_number:  # the round before warms up
                            one = found[kind][which]
                            one.events_per_s.append(events / taken)
                            spent = server.processor_s() - before
                            one.processor_us.append(spent / events * 1e6)
                            one.latencies_ms += [latency * 1e3 for latency in latencies]
        finally:
            for server in servers.values():
                server.stop()
    return {kind: _compared(both) for kind, both in found.items()}


def _compared(both: dict[str, Measured]) -> dict[str, Any]:
    ours, floor = both["ours"].as_dict(), both["floor"].as_dict()
    return {
        "ours": ours,
        "floor": floor,
        "ratio": round(ours["events_per_s"] / floor["events_per_s"], 3),
        "processor_ratio": round(
            floor["processor_us_per_event"] / ours["processor_us_per_event"], 3
        ),
    }


def show(found: dict[str, Any]) -> None:
    """A table for people."""
    print(f"{'':10}{'':8}{'events/s':>12}{'µs/event':>10}{'p50 ms':>9}{'p99 ms':>9}")
    for kind, compared in found.items():
        for which in ("ours", "floor"):
            one = compared[which]
            print(
                f"{kind:10}{which:8}{one['events_per_s']:>12,}"
                f"{one['processor_us_per_event']:>10}{one['p50_ms']:>9}{one['p99_ms']:>9}"
            )
        print(
            f"{'':10}ratio   {compared['ratio']:>12} of the floor (target 0.6), "
            f"{compared['processor_ratio']} by processor time"
        )


def main() -> None:
    """Measure, or serve for a measurement."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--serve", choices=("ours", "floor"), help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.serve:
        serve_one(chosen.serve, chosen.folder)
        return
    found = measure(chosen.rounds, chosen.seconds)
    if chosen.json:
        print(json.dumps(found))
    else:
        show(found)


if __name__ == "__main__":
    main()
