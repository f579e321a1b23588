"""A small example bank: imported once and left alone, and a copy of it with a server on top."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import shutil
import time
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import numpy as np
import pytest

from dipper.app.keys import read_keys
from dipper.app.workspace import Workspace
from dipper.kit.clock import system_clock
from dipper.surface.demo.bank import import_history, make_workspace
from dipper.surface.demo.population import make_organisations, make_persons, make_visitors
from dipper.surface.demo.server import DemoServer

PERSONS = 300
READY_S = 90.0


@pytest.fixture(scope="session")
def quiet_bank(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a bank with 90 days of history and no server; nobody may change it."""
    folder = tmp_path_factory.mktemp("quiet")
    random = np.random.default_rng(11)
    persons = make_persons(PERSONS, random)
    organisations = make_organisations(PERSONS // 2, persons, random)
    workspace = make_workspace(folder / "bank")
    everybody = persons, make_visitors(PERSONS // 10, random), organisations
    import_history(folder / "history", workspace, *everybody, system_clock(), random)
    return workspace.folder


@dataclass(frozen=True)
class Reply:
    """What came back."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def text(self) -> str:
        """The body as text."""
        return self.body.decode()

    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


def ask(
    port: int,
    method: str,
    path: str,
    body: bytes | None = None,
    headers: dict[str, str] | None = None,
) -> Reply:
    """One request on a connection of its own."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    with contextlib.closing(connection):
        connection.request(method, path, body, headers or {})
        answer = connection.getresponse()
        names = {name.lower(): value for name, value in answer.getheaders()}
        return Reply(answer.status, names, answer.read())


class ServedBank:
    """A running example bank: gateway, worker and api."""

    def __init__(self, folder: Path, log: Path) -> None:
        self.workspace = Workspace(folder)
        self.keys = read_keys(self.workspace.keys_file)
        self.server = DemoServer(folder, log)

    def start(self) -> None:
        """Start, and wait until everything answers."""
        self.server.start("gateway,worker,api")
        deadline = time.monotonic() + READY_S
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError):
                if ask(self.server.control_port, "GET", "/readyz").status == 200:
                    self._warm()
                    return
            time.sleep(0.1)
        raise AssertionError("the api did not come up")

    def _warm(self) -> None:
        """Let gateway and worker compile or load their kernels: of batches, ticks, decisions."""
        person = {"type": "track", "userId": "warm"}
        consent = {"event": "consent_given", "properties": {"purpose": "marketing"}}
        bill = {"event": "bill_paid", "properties": {"amount_fen": 500}}
        for round_ in range(3):
            batch = [person | consent, *[person | bill] * 4]
            named = [one | {"messageId": f"{round_}-{i}"} for i, one in enumerate(batch)]
            self.send({"batch": named})
            self.send({"placement": "bill_home", "ids": {"login": "warm"}}, "/v1/decide")
            time.sleep(1.2)
            self.settle()

    @property
    def token(self) -> dict[str, str]:
        """The header that opens the control plane."""
        return {"Authorization": f"Bearer {self.keys.api_token}"}

    def get(self, path: str, **headers: str) -> Reply:
        """GET on the control plane, with its token."""
        return ask(self.server.control_port, "GET", path, None, self.token | headers)

    def post(self, path: str, document: Any) -> Reply:
        """POST JSON to the control plane, with its token."""
        headers = self.token | {"Content-Type": "application/json"}
        body = document if isinstance(document, bytes) else json.dumps(document).encode()
        return ask(self.server.control_port, "POST", path, body, headers)

    def form(self, path: str, **fields: str) -> Reply:
        """POST a form to the control plane, with its token."""
        headers = self.token | {"Content-Type": "application/x-www-form-urlencoded"}
        return ask(self.server.control_port, "POST", path, urlencode(fields).encode(), headers)

    def send(self, document: Any, path: str = "/v1/batch", source: str = "scenario_server") -> Any:
        """POST to the data plane with a source's key; the reply's JSON."""
        secret = b64encode(f"{self.keys.write_keys[source]}:".encode()).decode()
        headers = {"Authorization": f"Basic {secret}", "Content-Type": "application/json"}
        body = json.dumps(document).encode()
        deadline = time.monotonic() + READY_S
        answer = ask(self.server.data_port, "POST", path, body, headers)
        while answer.status == 503 and time.monotonic() < deadline:
            # As every client does: the same again, until it is taken.
            time.sleep(0.2)
            answer = ask(self.server.data_port, "POST", path, body, headers)
        assert answer.status == 200, answer.text
        return answer.json()

    def settle(self) -> None:
        """Return when everything in the log is projected."""
        deadline = time.monotonic() + READY_S
        while time.monotonic() < deadline:
            parts = ask(self.server.control_port, "GET", "/healthz").json()["partitions"]
            if all(part["lag"] == 0 for part in parts):
                return
            time.sleep(0.02)
        raise AssertionError("the projection did not catch up")


@pytest.fixture(scope="session")
def kernels(pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory) -> str:
    """One place for compiled kernels, so that the next process and the next run find them."""
    cache = pytestconfig.cache
    folder = cache.mkdir("kernels") if cache else tmp_path_factory.mktemp("kernels")
    return os.environ.get("NUMBA_CACHE_DIR", str(folder))


@pytest.fixture(scope="session")
def served_bank(
    quiet_bank: Path, kernels: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ServedBank]:
    """A copy of the quiet bank with a server, for all tests of the session: they add to it, and
    move its clock on."""
    folder = tmp_path_factory.mktemp("served")
    shutil.copytree(quiet_bank, folder / "bank")
    bank = ServedBank(folder / "bank", folder / "server.log")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NUMBA_CACHE_DIR", kernels)
        bank.start()
    yield bank
    bank.server.stop()
