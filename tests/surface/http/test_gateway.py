"""A gateway over a real workspace: what it needs, what it follows, what it refuses."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from dipper.app.init import init_workspace
from dipper.app.programs import control_entries, prepare, store
from dipper.app.workspace import Workspace
from dipper.collect.collector import Collected
from dipper.engine.ports import Entry
from dipper.engine.record import EVENT_ENCODER, Control, RecordKind
from dipper.kit.errors import Conflict, DipperError, Forbidden
from dipper.surface.applying import apply
from dipper.surface.http import gateway as gateway_module
from dipper.surface.http.gateway import Gateway, listen

NOW_US = 1_790_000_000_000_000


def clock() -> int:
    """Nothing moves this time."""
    return NOW_US


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """The starter, applied."""
    init_workspace(tmp_path / "bank", random_bytes=os.urandom)
    workspace = Workspace(tmp_path / "bank")
    apply(workspace, prepare(workspace, NOW_US), clock)
    # A worker has been here: a gateway only reads the state.
    workspace.state.claim()
    workspace.state.write({}, {0: 0})
    workspace.state.close()
    return Workspace(workspace.folder)


@pytest.fixture
def opened(workspace: Workspace) -> Iterator[Callable[[], Gateway]]:
    """Opens the workspace's gateway; closes them after the test."""
    gateways: list[Gateway] = []

    def make() -> Gateway:
        gateways.append(Gateway(workspace, 0, clock))
        return gateways[-1]

    yield make
    for gateway in gateways:
        gateway.writer.close()


async def ask(gateway: Gateway, method: str, path: str) -> tuple[int, dict[bytes, bytes]]:
    """Status and headers of a request without a body."""
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    scope = {"type": "http", "method": method, "path": path, "headers": [], "query_string": b""}
    await gateway.app(scope, receive, send)  # type: ignore[arg-type]
    return sent[0]["status"], dict(sent[0]["headers"])


def entry(type_: str, **body: Any) -> Entry:
    """A control record."""
    control = Control(type=type_, time_us=NOW_US, body=body)
    return Entry(RecordKind.CONTROL, EVENT_ENCODER.encode(control))


def test_a_log_without_a_program_is_said_to_have_none(tmp_path: Path) -> None:
    """With the command that applies one."""
    init_workspace(tmp_path / "bank", random_bytes=os.urandom)
    with pytest.raises(Conflict, match="no program") as caught:
        Gateway(Workspace(tmp_path / "bank"), 0, clock)
    assert "dipper apply" in str(caught.value.hint)


def test_a_partition_has_one_gateway(opened: Callable[[], Gateway]) -> None:
    """A second one would write the same offsets."""
    opened()
    with pytest.raises(DipperError):
        opened()


def test_a_program_that_is_applied_is_served_at_once(
    opened: Callable[[], Gateway], workspace: Workspace
) -> None:
    """When the append of its record has returned, the next event is judged by it."""
    gateway = opened()
    path = workspace.specs / "starter.yml"
    text = path.read_text("utf-8").replace("unknown_events: accept", "unknown_events: fail")
    path.write_text(text, encoding="utf-8")
    prepared = prepare(workspace, NOW_US)
    stored = store(workspace, prepared)
    before = gateway.collector.plan.program
    entries = control_entries(stored, prepared.tables, clock)
    asyncio.run(gateway.appends.append(entries, NOW_US))
    served = gateway.following.served()
    assert served is not None
    assert served.current.program == stored.program
    assert gateway.collector.plan.program == stored.program != before


def test_a_refused_control_record_leaves_nothing(opened: Callable[[], Gateway]) -> None:
    """Neither in the log nor in the gateway's mind."""
    gateway = opened()
    end = gateway.appends.reader.end(0)
    with pytest.raises(Forbidden):
        asyncio.run(gateway.appends.append([entry("clock", now_us=1)], NOW_US))
    assert gateway.appends.reader.end(0) == end
    assert gateway.following.virtual_now_us is None


def test_what_was_followed_is_known_after_a_restart(
    opened: Callable[[], Gateway], workspace: Workspace
) -> None:
    """Program and erasures come back from the log."""
    gateway = opened()
    asyncio.run(gateway.appends.append([entry("erased", ids=["00" * 16])], NOW_US))
    assert gateway.collector.erasures.is_needed
    program = gateway.collector.plan.program
    gateway.writer.close()
    again = opened()
    assert again.collector.erasures.is_needed
    assert again.collector.plan.program == program


BODY = (
    b'{"batch":[{"type":"track","event":"bill_paid","userId":"C1","messageId":"m1",'
    b'"timestamp":"2026-09-20T00:00:00Z","properties":{"amount_fen":1}}]}'
)


def collect(gateway: Gateway) -> Collected:
    """What becomes of one bill."""
    source = gateway.collector.sources.by_name["server"]
    return gateway.collector.collect_body(source, BODY, None, NOW_US)


def test_an_emptied_record_may_come_again(opened: Callable[[], Gateway]) -> None:
    """Erasure takes the message id from the index: nothing of the person is left there either."""
    gateway = opened()

    async def run() -> tuple[int, int]:
        at = await gateway.appends.append(collect(gateway).entries, NOW_US)
        again = collect(gateway)
        assert again.counts["server"].duplicate == 1
        await gateway.appends.append(again.entries, NOW_US)
        erased = await gateway.appends.erase([at])
        return erased, collect(gateway).counts["server"].good

    assert asyncio.run(run()) == (1, 1)
    (record,) = gateway.appends.reader.read(0, 1, 1)
    assert record.erased


def test_an_emptied_record_is_in_no_file(opened: Callable[[], Gateway]) -> None:
    """Nor does it come back into one: not by a save, not by a restart."""
    gateway = opened()

    async def run() -> None:
        at = await gateway.appends.append(collect(gateway).entries, NOW_US)
        await gateway.appends.save_index()
        assert sum(len(run) for run in gateway.index.duplicates.runs) == 1
        await gateway.appends.erase([at])
        assert not gateway.index.duplicates.runs
        await gateway.appends.append([entry("erased", ids=["00" * 16])], NOW_US)
        await gateway.appends.save_index()

    asyncio.run(run())
    gateway.writer.close()
    again = opened()
    assert not again.index.duplicates.runs
    assert again.index.duplicates.held == 0


def test_a_start_reads_only_what_is_behind_the_index(
    opened: Callable[[], Gateway], workspace: Workspace
) -> None:
    """Message ids, program and erasures are known without the records that said them."""
    gateway = opened()

    async def run() -> None:
        await gateway.appends.append(collect(gateway).entries, NOW_US)
        await gateway.appends.append([entry("erased", ids=["00" * 16])], NOW_US)
        await gateway.appends.save_index()

    asyncio.run(run())
    program, end = gateway.collector.plan.program, gateway.appends.reader.end(0)
    gateway.writer.close()
    again = opened()
    assert again.index.mark == (end, NOW_US)
    assert again.index.duplicates.unsaved is not None
    assert again.index.duplicates.unsaved.entered == 0
    assert collect(again).counts["server"].refused + collect(again).counts["server"].duplicate == 1
    assert again.collector.erasures.is_needed
    assert again.collector.plan.program == program


def test_what_is_not_on_disk_is_in_no_file(opened: Callable[[], Gateway]) -> None:
    """Admitted and not yet appended: the save waits. Forgotten again: it is not written."""
    gateway = opened()

    async def run() -> None:
        await gateway.appends.append([entry("erased", ids=["00" * 16])], NOW_US)
        pending = collect(gateway)
        saving = asyncio.ensure_future(gateway.appends.save_index())
        await asyncio.sleep(0.1)
        assert not saving.done()
        gateway.collector.admission.undo(pending.entries)
        await saving
        assert not gateway.index.duplicates.runs
        assert gateway.index.mark == gateway.appends.mark

    asyncio.run(run())


def test_a_save_that_waits_too_long_is_left(
    opened: Callable[[], Gateway], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is written; a later one does it."""
    monkeypatch.setattr(gateway_module, "SETTLED_S", 0.05)
    gateway = opened()

    async def run() -> None:
        before = gateway.index.mark
        await gateway.appends.append([entry("erased", ids=["00" * 16])], NOW_US)
        pending = collect(gateway)
        await gateway.appends.save_index()
        assert gateway.index.mark == before
        await gateway.appends.append(pending.entries, NOW_US)
        await gateway.appends.save_index()
        assert gateway.index.mark == gateway.appends.mark > before

    asyncio.run(run())


def test_another_path_is_not_found(opened: Callable[[], Gateway]) -> None:
    """In the error form."""
    status, headers = asyncio.run(ask(opened(), "GET", "/v2/decide"))
    assert status == 404
    assert headers[b"content-type"] == b"application/problem+json"


def test_gateways_share_a_port() -> None:
    """One listens for each partition, and the kernel spreads connections over them."""
    first = listen("127.0.0.1", 0)
    second = listen("127.0.0.1", first.getsockname()[1])
    try:
        assert first.getsockname() == second.getsockname()
    finally:
        first.close()
        second.close()
