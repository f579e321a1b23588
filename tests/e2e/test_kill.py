"""kill -9 during collection: nothing acknowledged is lost, nothing is stored twice."""

from __future__ import annotations

import http.client
import json
import os
import random
import threading
import time
from base64 import b64encode
from pathlib import Path

import pytest

from dipper.app.init import init_workspace
from dipper.app.keys import read_keys
from dipper.app.programs import prepare
from dipper.app.workspace import Workspace
from dipper.engine.record import EVENT_DECODER, RecordKind
from dipper.kit.clock import system_clock
from dipper.surface.applying import apply
from dipper.surface.demo.server import DemoServer

ROUNDS = 20


class Sender(threading.Thread):
    """Sends batches until stopped; an event without an answer is sent again, like an SDK does."""

    def __init__(self, server: DemoServer, key: str, number: int) -> None:
        super().__init__(daemon=True)
        self.acknowledged: set[str] = set()
        self.stopped = threading.Event()
        self._server = server
        self._auth = b64encode(f"{key}:".encode()).decode()
        self._number = number

    def run(self) -> None:
        """Batches of ten events."""
        serial = 0
        while not self.stopped.is_set():
            ids = [f"s{self._number}-{serial + n}" for n in range(10)]
            serial += 10
            while not self._send(ids) and not self.stopped.is_set():
                time.sleep(0.02)

    def _send(self, ids: list[str]) -> bool:
        events = [
            {"type": "track", "event": "bill_paid", "userId": f"C{self._number}", "messageId": one,
             "timestamp": "2026-11-24T00:00:00Z", "properties": {"amount_fen": 100}}
            for one in ids
        ]  # fmt: skip
        headers = {"Authorization": f"Basic {self._auth}", "Content-Type": "application/json"}
        connection = http.client.HTTPConnection("127.0.0.1", self._server.data_port, timeout=5)
        try:
            connection.request("POST", "/v1/batch", json.dumps({"batch": events}), headers)
            status = connection.getresponse().status
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()
        if status == 200:
            self.acknowledged.update(ids)
        return status == 200


@pytest.mark.timeout(240)
@pytest.mark.parametrize("partitions", [1])
def test_no_acknowledged_event_is_lost_over_twenty_kills(tmp_path: Path, partitions: int) -> None:
    """Every acknowledged event stands in the log exactly once, whenever the server dies."""
    folder = tmp_path / "bank"
    init_workspace(folder, random_bytes=os.urandom, partitions=partitions)
    workspace = Workspace(folder)
    apply(workspace, prepare(workspace, system_clock()), system_clock)
    key = read_keys(workspace.keys_file).write_keys["server"]
    server = DemoServer(folder, tmp_path / "server.log")
    draw = random.Random(int.from_bytes(os.urandom(4), "big"))
    senders = [Sender(server, key, number) for number in range(3)]
    try:
        for number in range(ROUNDS):
            server.start("gateway")
            if number == 0:
                for sender in senders:
                    sender.start()
            time.sleep(draw.uniform(0.05, 0.6))
            server.kill()
        server.start("gateway")
        for sender in senders:
            sender.stopped.set()
            sender.join(10)
    finally:
        server.stop()
    acknowledged = set().union(*(sender.acknowledged for sender in senders))
    stored = [
        EVENT_DECODER.decode(record.payload).message_id
        for partition in range(partitions)
        for records in workspace.log.reader().read_batches(partition, 0)
        for record in records
        if record.kind == RecordKind.EVENT
    ]
    assert len(acknowledged) > ROUNDS * 10
    assert acknowledged <= set(stored)
    assert len(stored) == len(set(stored))
    assert workspace.log.custodian().verify() == []
