"""One partition and four, fed the same events over HTTP, come to the same subjects and counts."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import random
import time
from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest

from dipper.app.init import init_workspace
from dipper.app.keys import read_keys
from dipper.app.programs import applied, prepare
from dipper.app.served import Current, Programs
from dipper.app.workspace import Workspace
from dipper.engine.embedded.runner import EmbeddedRunner
from dipper.kit.clock import DAY_US, system_clock, to_iso
from dipper.measure.funnel import Step, funnel
from dipper.profile.subject import load_subject
from dipper.surface.applying import apply
from dipper.surface.conservation import Conservation
from dipper.surface.demo.server import DemoServer
from dipper.surface.erasing import erase
from dipper.surface.replaying import replay

PERSONS = 60
NOW_US = system_clock()


def messages() -> list[dict[str, Any]]:
    """Bills of persons who come by device, login and customer number, in any order."""
    draw = random.Random(5)
    found: list[dict[str, Any]] = []
    for person in range(PERSONS):
        customer = f"C{person:03}"
        for number in range(draw.randint(0, 6)):
            when = NOW_US - draw.randrange(20 * DAY_US)
            name = draw.choice(("bill_viewed", "bill_paid", "bill_paid"))
            found.append(
                {"type": "track", "event": name, "messageId": f"{person}-{number}",
                 "userId": customer if draw.random() < 0.7 else None,
                 "anonymousId": f"d{person}", "timestamp": to_iso(when),
                 "properties": {"amount_fen": draw.randint(100, 900)}}
            )  # fmt: skip
        if person % 3 == 0:
            other = {"other_id": f"phone:13{person:09}"}
            found.append(
                {"type": "track", "event": "subject_bound", "messageId": f"b{person}",
                 "userId": customer, "timestamp": to_iso(NOW_US - 30 * DAY_US),
                 "properties": other}
            )  # fmt: skip
    draw.shuffle(found)
    return [{key: value for key, value in one.items() if value is not None} for one in found]


def post(port: int, key: str, path: str, document: Any) -> None:
    """One request over a connection of its own."""
    secret = b64encode(f"{key}:".encode()).decode()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    with contextlib.closing(connection):
        headers = {"Authorization": f"Basic {secret}"}
        connection.request("POST", path, json.dumps(document).encode(), headers)
        answer = connection.getresponse()
        assert answer.status == 200, answer.read()


def settle(folder: Path, partitions: int) -> None:
    """Until everything is projected, also what ticks have announced, and in the lake."""
    deadline, quiet = time.monotonic() + 60, 0
    workspace = Workspace(folder)
    with workspace.log.reader() as reader:
        while quiet < 15 and time.monotonic() < deadline:
            with workspace.state.read() as view:
                reached = view.positions()
                touched = next(iter(view.scan("touched")), None)
            ends = {p: reader.end(p) for p in range(partitions)}
            is_done = touched is None and all(reached.get(p, 0) == ends[p] for p in ends)
            quiet = quiet + 1 if is_done else 0
            time.sleep(0.1)
    workspace.state.close()
    assert quiet >= 15, "the worker did not come to rest"


def await_gateways(workspace: Workspace, partitions: int) -> None:
    """Until every partition's gateway listens."""
    while not all(workspace.socket(p).exists() for p in range(partitions)):
        time.sleep(0.05)


class Outcome:
    """What a bank of so many partitions made of the messages."""

    def __init__(self, folder: Path, partitions: int) -> None:
        init_workspace(folder, random_bytes=os.urandom, partitions=partitions)
        workspace = Workspace(folder)
        apply(workspace, prepare(workspace, system_clock()), system_clock)
        self.key = read_keys(workspace.keys_file).write_keys["server"]
        self.server = DemoServer(folder, folder.parent / f"server{partitions}.log")
        self.server.start()
        try:
            await_gateways(workspace, partitions)
            self._send()
            settle(folder, partitions)
        finally:
            self.server.stop()
        self.workspace = Workspace(folder)
        self._read()

    def _send(self) -> None:
        batches = messages()
        for start in range(0, len(batches), 9):
            post(
                self.server.data_port, self.key, "/v1/batch", {"batch": batches[start : start + 9]}
            )
        # A copy of some of it, to whichever gateway answers.
        post(self.server.data_port, self.key, "/v1/batch", {"batch": batches[:5]})

    def _read(self) -> None:
        workspace = self.workspace
        current = applied(workspace)
        assert current is not None
        served = Programs(workspace).get(Current(current.program, dict(current.tables)))
        self.subjects = {}
        with workspace.state.read() as view:
            for person in range(PERSONS):
                ids = [f"customer_no:C{person:03}"]
                found = load_subject(view, served.tag_table, ids, NOW_US)
                self.subjects[person] = (found.tags, found.segments, sorted(found.ids))
        with workspace.log.reader() as reader:
            counting = Conservation(reader)
            counting.catch_up()
            self.counts = counting.by_source()["server"]
        found = funnel(EmbeddedRunner(workspace.lake), [Step("bill_viewed"), Step("bill_paid")])
        self.steps = [step.subjects for step in found.steps]
        self.replayed = replay(workspace)


@pytest.fixture(scope="module")
def outcomes(
    tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config
) -> dict[int, Outcome]:
    """The same messages through one gateway, and through four that share a port."""
    folder = tmp_path_factory.mktemp("partitions")
    kernels = pytestconfig.cache.mkdir("kernels") if pytestconfig.cache else None
    with pytest.MonkeyPatch.context() as patch:
        if kernels is not None:
            patch.setenv("NUMBA_CACHE_DIR", str(kernels))
        return {count: Outcome(folder / f"bank{count}", count) for count in (1, 4)}


@pytest.mark.timeout(180)
def test_subjects_do_not_depend_on_partitions(outcomes: dict[int, Outcome]) -> None:
    """Tags, segments and bindings of every person are the same."""
    assert outcomes[1].subjects == outcomes[4].subjects
    tags = [tags["bills_paid_30d"] for tags, _, _ in outcomes[1].subjects.values()]
    assert len(set(tags)) > 2
    assert any(segments for _, segments, _ in outcomes[1].subjects.values())


def test_counts_do_not_depend_on_partitions(outcomes: dict[int, Outcome]) -> None:
    """Received, good and duplicate records, and the steps of a funnel."""
    assert outcomes[1].counts == outcomes[4].counts
    assert outcomes[4].counts.good == len(messages())
    assert outcomes[4].counts.duplicate == 5
    assert outcomes[1].steps == outcomes[4].steps
    assert outcomes[1].steps[0] > outcomes[1].steps[1] > 0


def test_every_partition_has_its_share(outcomes: dict[int, Outcome]) -> None:
    """Four logs that verify, none of them empty of events."""
    workspace = outcomes[4].workspace
    assert workspace.log.custodian().verify() == []
    with workspace.log.reader() as reader:
        assert all(reader.end(partition) > 10 for partition in range(4))


@pytest.mark.parametrize("partitions", [1, 4])
def test_a_replay_gives_the_same_bytes(outcomes: dict[int, Outcome], partitions: int) -> None:
    """However the partitions interleave."""
    assert outcomes[partitions].replayed["equal"], outcomes[partitions].replayed


@pytest.fixture
def kernels(monkeypatch: pytest.MonkeyPatch, pytestconfig: pytest.Config) -> None:
    """The server's processes find the kernels compiled."""
    if pytestconfig.cache is not None:
        monkeypatch.setenv("NUMBA_CACHE_DIR", str(pytestconfig.cache.mkdir("kernels")))


@pytest.mark.timeout(180)
@pytest.mark.usefixtures("kernels")
def test_a_new_consent_after_an_erasure_reaches_every_gateway(tmp_path: Path) -> None:
    """Whichever gateway a later event comes to, it is accepted; a replay gives the same bytes."""
    folder = tmp_path / "bank"
    init_workspace(folder, random_bytes=os.urandom, partitions=4)
    workspace = Workspace(folder)
    apply(workspace, prepare(workspace, system_clock()), system_clock)
    key = read_keys(workspace.keys_file).write_keys["server"]
    server = DemoServer(folder, tmp_path / "server.log")

    def send(count: int = 1, event: str = "bill_paid", **properties: Any) -> None:
        """Events of one person; the kernel spreads connections over the gateways."""
        for _ in range(count):
            said = {"type": "track", "event": event, "userId": "C1", "properties": properties}
            post(server.data_port, key, "/v1/batch", {"batch": [said | {"messageId": new()}]})

    def new() -> str:
        return os.urandom(8).hex()

    server.start()
    try:
        await_gateways(workspace, 4)
        send(amount_fen=500)
        settle(folder, 4)
        erase(workspace, "customer_no:C1", system_clock)
        send(8, amount_fen=500)
        send(event="consent_given", purpose="marketing", notice_version="2")
        send(40, amount_fen=500)
        settle(folder, 4)
    finally:
        server.stop()
    workspace = Workspace(folder)
    with workspace.log.reader() as reader:
        counting = Conservation(reader)
        counting.catch_up()
        counts = counting.by_source()["server"]
    assert (counts.good, counts.refused) == (41, 8)
    current = applied(workspace)
    assert current is not None
    served = Programs(workspace).get(Current(current.program, dict(current.tables)))
    with workspace.state.read() as view:
        found = load_subject(view, served.tag_table, ["customer_no:C1"], system_clock())
    assert found.tags["bills_paid_30d"] == 40
    assert found.consents["marketing"].given
    assert replay(workspace)["equal"]
