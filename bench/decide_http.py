"""Decisions over HTTP on one core: how many a second, and how soon at a thousand a second.

    .venv/bin/python bench/decide_http.py [--seconds 5] [--rounds 3] [--json]
    .venv/bin/python bench/decide_http.py --persons 200 --seconds 0.5 --rounds 1    (in seconds)

Ours is the gateway itself over a workspace of some thousand persons, each with tags, segments,
consent, assessment, holdings and contacts of their own: 200 offers, all gates, the linear ranker,
the trace on disk before the answer. No worker runs beside it, because one core serves and the other
asks. The floor is a bare ASGI app: read and decode the request, one LMDB point read of the same
person, append as many bytes as our trace takes, sync by the same group commit, reply with as many
bytes. Both run in turns: a closed loop over kept connections, then requests at random moments
(Poisson), whose latency counts from the moment each was due.

Targets: 4,000/s at saturation; p99 at most 2 ms at 1,000/s. Where other work shares the cores, the
ratio of processor times is the steadier figure.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import http.client
import json
import logging
import os
import statistics
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import lmdb
import msgspec
import numpy as np

from dipper.app.init import init_workspace
from dipper.app.keys import read_keys
from dipper.app.programs import Prepared
from dipper.app.workspace import Workspace
from dipper.decide.arbitration import compile_decider
from dipper.decide.trace import decode
from dipper.engine.embedded.log_format import RECORD_OVERHEAD_BYTES
from dipper.engine.ports import Entry
from dipper.engine.record import EVENT_DECODER, EVENT_ENCODER, Control, RecordKind
from dipper.kit.clock import system_clock
from dipper.kit.hashing import hash128
from dipper.surface.kernels import keep_kernels_in
from parts.load import closed_loop, poisson, run
from parts.offers import Rule, customer, history, model_of, people, program_of, rules
from parts.serving import (
    CLIENT_CORE,
    FloorLog,
    Server,
    begin_serving,
    body_of,
    pin,
    serve,
    stop_in_order,
)
from parts.serving import run as run_server

WHICH = ("ours", "floor")
SAMPLE = 200
POISSON_CONNECTIONS = 64
WARM_S = 1.0


# --- the workspace --------------------------------------------------------------------------


def fill(folder: Path, offers: list[Rule], persons: int) -> None:
    """Make the workspace: specs applied, histories in the log, all of it projected."""
    from dipper.surface.append import AsWriter
    from dipper.surface.applying import apply
    from dipper.surface.worker.bulk_process import project_log

    init_workspace(folder, random_bytes=os.urandom, sources=["server"], starter=False)
    workspace = Workspace(folder)
    program, tables = program_of(offers)
    apply(workspace, Prepared(program, tables, ()), system_clock)
    now_us = system_clock()
    model = model_of(compile_decider(program, tables), offers).model
    address = workspace.models.put(model.to_bytes())
    published = Control(
        type="model_published", time_us=now_us, body={"policy": "learned", "hash": address}
    )
    to = AsWriter(workspace, system_clock)
    try:
        to.append(0, [Entry(RecordKind.CONTROL, EVENT_ENCODER.encode(published))])
        everybody = people(offers, persons)
        for start in range(0, persons, 500):
            to.append_bulk(
                0,
                [
                    entry
                    for number, person in enumerate(everybody[start : start + 500], start)
                    for entry in history(person, number, offers, now_us)
                ],
            )
    finally:
        to.close()
    project_log(workspace, lambda: True, lambda done: None)
    workspace.state.close()


# --- the two servers ------------------------------------------------------------------------


def serve_ours(folder: Path) -> None:
    """The gateway, as `dipper serve` runs it."""
    keep_kernels_in(folder)
    from dipper.surface.http.gateway import Gateway
    from dipper.surface.logging import configure

    configure(logging.WARNING)
    gateway = Gateway(Workspace(folder), 0, system_clock)
    run_server(gateway.run)


class FloorRequest(msgspec.Struct):
    """The body of a decide request, typed by hand."""

    placement: str
    ids: dict[str, str]
    context: dict[str, str | int | float | bool] = {}


def serve_floor(folder: Path, trace_bytes: int, reply_bytes: int) -> None:
    """The bare ASGI app."""
    log = FloorLog(folder / "floor.log")
    state = next((folder / "data" / "state").glob("g*"))
    environment = lmdb.open(str(state), readonly=True, max_dbs=16, max_readers=510)
    ids = environment.open_db(b"ids", create=False)
    decoder = msgspec.json.Decoder(FloorRequest)
    trace = bytes(trace_bytes)
    start = {
        "type": "http.response.start",
        "status": 200,
        "headers": [
            (b"content-type", b"application/json"),
            (b"content-length", b"%d" % reply_bytes),
        ],
    }
    end = {"type": "http.response.body", "body": b" " * reply_bytes}

    async def app(scope: Any, receive: Any, send: Any) -> None:
        request = decoder.decode(await body_of(receive))
        key = hash128("customer_no:" + request.ids["customer_no"])
        with environment.begin(buffers=True) as transaction:
            if transaction.get(key, db=ids) is None:
                raise LookupError(request.ids)
        await asyncio.wrap_future(log.append(trace))
        await send(start)
        await send(end)

    serve(app)


# --- asking ---------------------------------------------------------------------------------


class Asker:
    """Requests for random persons."""

    def __init__(self, key: str, persons: int, seed: int) -> None:
        self._draw = Random(seed)
        credentials = base64.b64encode(f"{key}:".encode()).decode()
        self.headers = {"Authorization": f"Basic {credentials}", "Content-Type": "application/json"}
        self._requests = [self._whole(self.body(number)) for number in range(persons)]

    def request(self) -> bytes:
        """The next request."""
        return self._draw.choice(self._requests)

    @staticmethod
    def body(number: int) -> bytes:
        """The body for a person."""
        return msgspec.json.encode({"placement": "here", "ids": {"customer_no": customer(number)}})

    def _whole(self, body: bytes) -> bytes:
        lines = [f"{name}: {value}" for name, value in self.headers.items()]
        lines = ["POST /v1/decide HTTP/1.1", "Host: bench", *lines, f"Content-Length: {len(body)}"]
        return "\r\n".join([*lines, "", ""]).encode() + body


def sample(workspace: Workspace, server: Server, asker: Asker, persons: int) -> dict[str, float]:
    """Mean sizes of a trace in the log and of a reply, and how many offers pass."""
    with workspace.log.reader() as reader:
        start = reader.end(0)
    connection = http.client.HTTPConnection("127.0.0.1", server.port)
    draw, replies = Random(1), []
    for _ in range(SAMPLE):
        body = asker.body(draw.randrange(persons))
        connection.request("POST", "/v1/decide", body, asker.headers)
        reply = connection.getresponse()
        replies.append(len(reply.read()))
        if reply.status != 200:
            raise SystemExit(f"expected 200, got {reply.status}")
    connection.close()
    with workspace.log.reader() as reader:
        records = reader.read(0, start, SAMPLE)
    events = [EVENT_DECODER.decode(record.payload) for record in records]
    return {
        "trace_bytes": round(
            statistics.mean(len(one.payload) for one in records) + RECORD_OVERHEAD_BYTES
        ),
        "reply_bytes": round(statistics.mean(replies)),
        "passed_mean": round(
            statistics.mean(decode(bytes(event.properties)).passed for event in events), 1
        ),
    }


@dataclass
class Measured:
    """One server, over all rounds."""

    per_s: list[float] = field(default_factory=list)
    processor_us: list[float] = field(default_factory=list)
    poisson_ms: list[float] = field(default_factory=list)

    def as_dict(self) -> dict[str, float]:
        """The figures: medians of the rounds, percentiles of all requests."""
        p50, p99, p999 = np.percentile(self.poisson_ms, (50, 99, 99.9)).tolist()
        return {
            "requests_per_s": round(statistics.median(self.per_s)),
            "processor_us": round(statistics.median(self.processor_us), 1),
            "p50_ms": round(p50, 3),
            "p99_ms": round(p99, 3),
            "p999_ms": round(p999, 3),
        }


def in_turns(chosen: argparse.Namespace, servers: dict[str, Server], asker: Asker) -> Any:
    """Both servers in turns; what was measured, and how many decisions were answered."""
    found = {which: Measured() for which in WHICH}
    answered = dict.fromkeys(WHICH, 0)
    for which, server in servers.items():
        latencies, _ = run(closed_loop(server.port, chosen.connections, asker.request, WARM_S))
        answered[which] += len(latencies)
    for number in range(chosen.rounds):
        for which, server in servers.items():
            one, before = found[which], server.processor_s()
            latencies, taken = run(
                closed_loop(server.port, chosen.connections, asker.request, chosen.seconds)
            )
            one.per_s.append(len(latencies) / taken)
            one.processor_us.append((server.processor_s() - before) / len(latencies) * 1e6)
            answered[which] += len(latencies)
        for which, server in servers.items():
            draw = Random(number)
            latencies = run(
                poisson(
                    server.port,
                    POISSON_CONNECTIONS,
                    asker.request,
                    chosen.rate,
                    chosen.seconds,
                    draw,
                )
            )
            found[which].poisson_ms += [1e3 * latency for latency in latencies]
            answered[which] += len(latencies)
    return found, answered


def measure(chosen: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Fill a workspace, start both servers, ask."""
    begin = time.perf_counter()
    fill(folder, rules(chosen.offers), chosen.persons)
    filled_s = time.perf_counter() - begin
    pin(CLIENT_CORE)
    workspace = Workspace(folder)
    key = read_keys(workspace.keys_file).write_keys["server"]
    asker = Asker(key, chosen.persons, seed=2)
    servers: dict[str, Server] = {}
    try:
        servers["ours"] = Server(__file__, "ours", folder)
        sizes = sample(workspace, servers["ours"], asker, chosen.persons)
        servers["floor"] = Server(
            __file__,
            "floor",
            folder,
            *("--trace-bytes", str(sizes["trace_bytes"])),
            *("--reply-bytes", str(sizes["reply_bytes"])),
        )
        with workspace.log.reader() as reader:
            start = reader.end(0)
        found, answered = in_turns(chosen, servers, asker)
        with workspace.log.reader() as reader:
            stored = reader.end(0) - start
    finally:
        for server in servers.values():
            server.stop()
    if stored < answered["ours"]:
        raise SystemExit(f"{answered['ours']} decisions answered, {stored} traces in the log")
    ours, floor = found["ours"].as_dict(), found["floor"].as_dict()
    return {
        "offers": chosen.offers,
        "persons": chosen.persons,
        "filled_s": round(filled_s, 1),
        **sizes,
        "rate_per_s": chosen.rate,
        "ours": ours,
        "floor": floor,
        "ratio": round(ours["requests_per_s"] / floor["requests_per_s"], 3),
        "processor_ratio": round(floor["processor_us"] / ours["processor_us"], 3),
        "p99_ratio": round(ours["p99_ms"] / floor["p99_ms"], 2),
    }


def show(found: dict[str, Any]) -> None:
    """A table for people."""
    print(
        f"{found['offers']} offers, {found['passed_mean']} pass on average, {found['persons']} "
        f"persons, trace {found['trace_bytes']} bytes, reply {found['reply_bytes']} bytes"
    )
    spaced = f"Poisson {found['rate_per_s']:g}/s"
    print(f"{'':8}{'at saturation':>24}{spaced:>27}")
    print(f"{'':8}{'per s':>12}{'CPU µs':>12}{'p50 ms':>9}{'p99 ms':>9}{'p99.9':>9}")
    for which in WHICH:
        one = found[which]
        print(
            f"{which:8}{one['requests_per_s']:>12,}{one['processor_us']:>12}"
            f"{one['p50_ms']:>9}{one['p99_ms']:>9}{one['p999_ms']:>9}"
        )
    print(
        f"{'ratio':8}{found['ratio']:>12}{found['processor_ratio']:>12}{'':9}"
        f"{found['p99_ratio']:>9}   targets: 4,000/s, p99 2 ms"
    )


def main() -> None:
    """Measure, or serve for a measurement."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--offers", type=int, default=200)
    parser.add_argument("--persons", type=int, default=5_000)
    parser.add_argument("--seconds", type=float, default=5.0, help="of each load in a round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--rate", type=float, default=1_000.0, help="Poisson requests a second")
    parser.add_argument("--connections", type=int, default=16, help="at saturation")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--serve", choices=WHICH, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--trace-bytes", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--reply-bytes", type=int, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.serve:
        begin_serving()
        if chosen.serve == "ours":
            serve_ours(chosen.folder)
        else:
            serve_floor(chosen.folder, chosen.trace_bytes, chosen.reply_bytes)
        return
    stop_in_order()
    with tempfile.TemporaryDirectory(prefix="decide-", dir=".") as folder:
        keep_kernels_in(Path(folder))
        found = measure(chosen, Path(folder))
    if chosen.json:
        print(json.dumps(found))
    else:
        show(found)


if __name__ == "__main__":
    main()
