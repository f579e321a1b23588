"""The append socket."""

from __future__ import annotations

import os
import stat
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import msgspec
import pytest

from dipper.engine.embedded.log import EmbeddedLog
from dipper.engine.ports import Entry
from dipper.engine.record import Control, RecordKind
from dipper.kit.errors import Unavailable
from dipper.surface.http.socket import AppendClient

TICK = Entry(RecordKind.CONTROL, msgspec.json.encode(Control(type="tick", time_us=1)))


def test_another_process_appends_through_the_gateway(
    serve: Callable[..., Any], stored: Callable[[], Any], tmp_path: Path
) -> None:
    """It learns the offset of its first record; the socket is private."""
    serve(sockets=tmp_path)
    path = tmp_path / "0.sock"
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
    client = AppendClient(path)
    assert client.append([TICK, TICK], 7).first == 0
    assert client.append([TICK], 7).first == 2
    client.close()
    assert client.append([TICK], 7).first == 3
    client.close()
    assert [control.type for control in stored().controls] == ["tick"] * 4


def test_many_clients_append_at_once(
    serve: Callable[..., Any], stored: Callable[[], Any], tmp_path: Path
) -> None:
    """Each append stays together, and each gets its own offset."""
    serve(sockets=tmp_path)

    def run(_: int) -> list[int]:
        client = AppendClient(tmp_path / "0.sock")
        offsets = [client.append([TICK, TICK, TICK], 7).first for _ in range(20)]
        client.close()
        return offsets

    with ThreadPoolExecutor(4) as pool:
        offsets = [offset for found in pool.map(run, range(4)) for offset in found]
    assert sorted(offsets) == list(range(0, 240, 3))
    assert len(stored().controls) == 240


def test_a_gateway_that_is_gone_is_unavailable(serve: Callable[..., Any], tmp_path: Path) -> None:
    """Before it starts, and after it stopped under a connection; then it is found again."""
    path = tmp_path / "0.sock"
    client = AppendClient(path, timeout_s=5)
    with pytest.raises(Unavailable, match="cannot be used"):
        client.append([TICK], 7)
    gateway = serve(sockets=tmp_path)
    assert client.append([TICK], 7).first == 0
    gateway.stop()
    with pytest.raises(Unavailable):
        client.append([TICK], 7)
    assert not path.exists()
    serve(sockets=tmp_path)
    assert client.append([TICK], 7).first == 1
    client.close()


def test_a_frame_that_means_nothing_is_answered_with_an_error(
    serve: Callable[..., Any], stored: Callable[[], Any], tmp_path: Path
) -> None:
    """And the next one on the same connection is taken."""
    serve(sockets=tmp_path)
    client = AppendClient(tmp_path / "0.sock")
    broken: Any = Entry(9, b"")
    with pytest.raises(Unavailable):
        client.append([broken], 7)
    assert client.append([TICK], 7).first == 0
    client.close()
    assert len(stored().controls) == 1


def test_records_find_their_partition_whoever_receives_them(
    serve: Callable[..., Any], tmp_path: Path
) -> None:
    """Two gateways: each request is acknowledged when both logs have its records, copies drop."""
    log = EmbeddedLog(tmp_path / "two", 2)
    gateways = [serve(log=log, partition=number, sockets=tmp_path) for number in range(2)]
    events = [
        {
            "type": "track",
            "event": "bill_paid",
            "userId": str(number),
            "messageId": str(uuid.uuid4()),
            "properties": {"amount_fen": 1} if number % 4 else {},
        }
        for number in range(100)
    ]
    for gateway in gateways:
        assert gateway.post("/v1/batch", {"batch": events})[0] == 200
    counts = [gateway.collector.totals["app"] for gateway in gateways]
    total = counts[0].plus(counts[1])
    assert (total.good, total.failed, total.duplicate) == (75, 25, 100)
    with log.reader() as reader:
        kinds = [[r.kind for r in reader.read(number, 0, 1_000)] for number in range(2)]
    assert all(kind.count(RecordKind.EVENT) > 20 for kind in kinds)
    gateways[1].stop()
    status, reply = gateways[0].post("/v1/batch", {"batch": events[:50]})
    assert (status, reply["code"]) == (503, "unavailable")
