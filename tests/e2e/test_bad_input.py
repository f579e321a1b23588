"""Whatever is wrong with what comes in: the error form, nothing lost, nothing else disturbed."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import subprocess
import sys
import time
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from dipper.app.init import init_workspace
from dipper.app.keys import read_keys
from dipper.app.programs import prepare
from dipper.app.workspace import Workspace
from dipper.collect.counts import Counts
from dipper.engine.ports import Entry
from dipper.engine.record import EVENT_ENCODER, FAILED_DECODER, Control, RecordKind
from dipper.kit.clock import system_clock, to_iso
from dipper.kit.errors import Unavailable
from dipper.surface.append import ThroughGateways
from dipper.surface.applying import apply
from dipper.surface.conservation import Conservation
from dipper.surface.demo.server import DemoServer

STRICT = "\ntrust: server\nunknown_events: accept\n"


class Bank:
    """A started bank, and what was sent to it by source."""

    def __init__(self, folder: Path) -> None:
        init_workspace(folder, random_bytes=os.urandom)
        path = folder / "specs" / "starter.yml"
        text = path.read_text("utf-8").replace(STRICT, STRICT.replace("accept", "fail"))
        path.write_text(text, encoding="utf-8")
        self.workspace = Workspace(folder)
        apply(self.workspace, prepare(self.workspace, system_clock()), system_clock)
        self.keys = read_keys(self.workspace.keys_file).write_keys
        self.server = DemoServer(folder, folder.parent / "server.log")
        self.sent: dict[str, int] = dict.fromkeys(self.keys, 0)
        self._serial = 0

    def post(
        self, path: str, body: Any, source: str = "server", *, key: str = "", records: int = 0
    ) -> tuple[int, dict[str, Any]]:
        """Status and JSON; `records` is what this request adds to what was received."""
        secret = b64encode(f"{key or self.keys[source]}:".encode()).decode()
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        headers = {"Authorization": f"Basic {secret}", "Content-Type": "application/json"}
        connection = http.client.HTTPConnection("127.0.0.1", self.server.data_port, timeout=30)
        with contextlib.closing(connection):
            connection.request("POST", path, data, headers)
            answer = connection.getresponse()
            found = json.loads(answer.read() or b"{}")
        self.sent[source] += records
        return answer.status, found

    def event(self, **fields: Any) -> dict[str, Any]:
        """A good event unless a field says otherwise."""
        self._serial += 1
        known = {"type": "track", "event": "bill_paid", "userId": "C1",
                 "messageId": f"b{self._serial}", "timestamp": to_iso(system_clock()),
                 "properties": {"amount_fen": 100}}  # fmt: skip
        return known | fields

    def counts(self, source: str) -> Counts:
        """What the log says."""
        with self.workspace.log.reader() as reader:
            found = Conservation(reader)
            found.catch_up()
            return found.by_source().get(source, Counts())

    def failed(self) -> list[Any]:
        """All failed records."""
        with self.workspace.log.reader() as reader:
            return [
                FAILED_DECODER.decode(record.payload)
                for records in reader.read_batches(0, 0)
                for record in records
                if record.kind == RecordKind.FAILED
            ]


@pytest.fixture(scope="module")
def bank(tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config) -> Iterator[Bank]:
    """One server for all tests of this file."""
    bank = Bank(tmp_path_factory.mktemp("bad") / "bank")
    kernels = pytestconfig.cache.mkdir("kernels") if pytestconfig.cache else None
    with pytest.MonkeyPatch.context() as patch:
        if kernels is not None:
            patch.setenv("NUMBA_CACHE_DIR", str(kernels))
        bank.server.start()
    try:
        yield bank
        _wait_for_lake(bank)
    finally:
        bank.server.stop()
    log = (bank.workspace.folder.parent / "server.log").read_text("utf-8")
    assert "starting again" not in log, "no process may die of bad input"
    files = bank.workspace.failed_events.files()
    kept = sum(pq.ParquetFile(path).metadata.num_rows for path in files)
    assert kept == len(bank.failed())


def _wait_for_lake(bank: Bank) -> None:
    """Until the lake has what the log has now: a busy worker stops before it has caught up."""
    end = bank.workspace.log.reader().end(0)
    deadline = time.monotonic() + 60
    while bank.workspace.lake.positions().get(0, 0) < end and time.monotonic() < deadline:
        time.sleep(0.2)


@pytest.fixture(autouse=True)
def undisturbed(bank: Bank) -> Iterator[None]:
    """Around every test: good events go in and decide answers, and no record is lost."""
    yield
    assert bank.post("/v1/batch", {"batch": [bank.event()]}, records=1)[0] == 200
    body = {"placement": "bill_payment_result", "ids": {"customer_no": "C1"}}
    assert bank.post("/v1/decide", body)[0] == 200
    for source, sent in bank.sent.items():
        assert bank.counts(source).received == sent, source


@pytest.mark.timeout(120)
@pytest.mark.parametrize("body", [b"{", b"", b'{"batch":[{"userId":"C1"', b"\xff\xfe\x00", b"[1]"])
def test_a_malformed_body_is_400_and_kept(bank: Bank, body: bytes) -> None:
    """In the dialect's words, as one failed record."""
    before = bank.counts("server")
    status, reply = bank.post("/v1/batch", body, records=1)
    assert (status, reply["code"]) == (400, "bad_request")
    assert bank.counts("server").failed == before.failed + 1


def test_a_wrong_key_is_401_and_keeps_nothing(bank: Bank) -> None:
    """Whose it would be is not known, so nobody's counts change."""
    status, reply = bank.post("/v1/batch", {"batch": [bank.event()]}, key="wk_wrong")
    assert (status, reply["code"]) == (401, "unauthenticated")


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"event": "bill_payed"}, "unknown_event"),
        ({"properties": {"amount_fen": "much"}}, "wrong_type"),
        ({"properties": {}}, "missing_property"),
        ({"event": "product_opened", "properties": {"product": "x"}}, "not_believed"),
        ({"timestamp": "yesterday"}, "bad_time"),
    ],
)
def test_a_bad_event_is_kept_with_its_reason(bank: Bank, fields: dict[str, Any], code: str) -> None:
    """The request succeeds as the dialect wants it; its good neighbours are good."""
    before = bank.counts("server")
    batch = [bank.event(), bank.event(**fields), bank.event()]
    assert bank.post("/v1/batch", {"batch": batch}, records=3)[0] == 200
    after = bank.counts("server")
    assert (after.good - before.good, after.failed - before.failed) == (2, 1)
    failed = bank.failed()[-1]
    assert failed.code == code
    assert failed.reason


def test_what_a_public_key_forges_is_a_claim_or_failed(bank: Bank) -> None:
    """An identify changes no person, an opening opens nothing, a consent consents to nothing."""
    before = bank.counts("web")
    consent = {"purpose": "personalised_service", "notice_version": "1"}
    batch = [
        bank.event(type="identify", traits={"age": 99}, userId="C1", anonymousId="d1"),
        bank.event(event="product_opened", properties={"product": "x"}),
        bank.event(event="subject_bound", properties={"other_id": "customer_no:C2"}),
        bank.event(event="consent_given", properties=consent, anonymousId="d1"),
    ]
    assert bank.post("/v1/batch", {"batch": batch}, "web", records=4)[0] == 200
    after = bank.counts("web")
    assert after.failed - before.failed == 3
    assert {failed.code for failed in bank.failed()[-3:]} == {"not_believed"}
    body = {"placement": "bill_payment_result", "ids": {"customer_no": "C1"}}
    status, reply = bank.post("/v1/decide", body)
    assert (status, reply["offers"]) == (200, [])


def test_ten_megabytes_are_413(bank: Bank) -> None:
    """For a batch and for a decision; the batch is counted as one failed request."""
    status, reply = bank.post("/v1/batch", b'{"batch":[' + b" " * 10_000_000, records=1)
    assert (status, reply["code"]) == (413, "request_too_large")
    status, reply = bank.post("/v1/decide", b" " * 10_000_000)
    assert (status, reply["code"]) == (413, "too_large")


def test_an_unknown_placement_has_a_suggestion(bank: Bank) -> None:
    """problem+json with where it stands and the closest name."""
    body = {"placement": "bill_payment_reslt", "ids": {"customer_no": "C1"}}
    status, problem = bank.post("/v1/decide", body)
    assert 400 <= status < 500
    assert problem["status"] == status
    assert problem["type"].startswith("urn:dipper:error:")
    assert "bill_payment_result" in problem["hint"]


def test_a_clock_record_is_for_demo_workspaces(bank: Bank) -> None:
    """Nobody moves a bank's time: the gateway refuses the record."""
    control = Control(type="clock", time_us=0, body={"now_us": 1})
    through = ThroughGateways(bank.workspace, system_clock)
    try:
        with pytest.raises(Unavailable, match="demo"):
            through.append(0, [Entry(RecordKind.CONTROL, EVENT_ENCODER.encode(control))])
    finally:
        through.close()


# --- the command line -----------------------------------------------------------------------


def dipper(*words: str) -> subprocess.CompletedProcess[str]:
    """One command."""
    command = [sys.executable, "-m", "dipper.surface.cli.main", *words]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def write_specs(folder: Path, text: str) -> Path:
    """A fresh workspace with more specs in a file of their own."""
    init_workspace(folder, random_bytes=os.urandom)
    (folder / "specs" / "more.yml").write_text(text, encoding="utf-8")
    return folder


def test_specs_in_a_circle_and_without_owners_are_findings(tmp_path: Path) -> None:
    """All at once, each with file and line; exit 1, and apply refuses too."""
    owners = "owners: {business: a, technical: b, managing: c}\n"
    text = "".join(
        f"kind: tag\nname: {name}\ntitle: {{zh: 甲, en: a}}\n{owners}"
        f"purposes: [personalised_service]\nvalue: {{formula: tag.{other} + 1}}\n---\n"
        for name, other in (("tag_a", "tag_b"), ("tag_b", "tag_a"))
    )
    text += "kind: scenario\nname: nobodys\ntitle: {zh: 无主, en: nobody's}\nparticipant: B\n"
    folder = write_specs(tmp_path / "bank", text + "domain: 消费零售\n")
    done = dipper("check", str(folder))
    assert done.returncode == 1, done.stderr
    lines = done.stdout.splitlines()
    circle = [line for line in lines if "more.yml:" in line and "tag_a" in line and "tag_b" in line]
    assert circle, done.stdout
    assert [line for line in lines if "more.yml:" in line and "owners" in line], done.stdout
    assert "Traceback" not in done.stdout + done.stderr
    refused = dipper("apply", str(folder), "--yes")
    assert refused.returncode != 0
    assert "Traceback" not in refused.stderr


MAP = """
source: core
file: {format: csv}
event: {value: bill_paid}
time: {column: at}
subjects: {person: {type: customer_no, column: who}}
properties: {amount_fen: {column: fen, type: int}}
"""


def test_an_unreadable_file_is_a_message_and_imports_nothing(bank: Bank, tmp_path: Path) -> None:
    """No such file, bytes that are no text, a Parquet file that is none, a column that is not
    there: each names the file; with a running server nothing else is disturbed."""
    (tmp_path / "map.yml").write_text(MAP, encoding="utf-8")
    (tmp_path / "parquet.yml").write_text(MAP.replace("csv", "parquet"), encoding="utf-8")
    (tmp_path / "binary.csv").write_bytes(b"who,at,fen\n\xff\xfe\x00\x81,x,1\n")
    (tmp_path / "not.parquet").write_bytes(b"PAR0 this is none")
    (tmp_path / "other.csv").write_text("a,b\n1,2\n", encoding="utf-8")
    before = bank.counts("core")
    for name, mapping in (("none.csv", "map.yml"), ("binary.csv", "map.yml"),
                          ("not.parquet", "parquet.yml"), ("other.csv", "map.yml")):  # fmt: skip
        file = str(tmp_path / name)
        folder = str(bank.workspace.folder)
        done = dipper("import", file, "--map", str(tmp_path / mapping), "-w", folder)
        assert done.returncode in (1, 2), (name, done.stdout, done.stderr)
        assert name in done.stdout + done.stderr, (name, done.stderr)
        assert "Traceback" not in done.stderr, (name, done.stderr)
    assert bank.counts("core") == before


def test_bad_rows_of_a_file_are_failed_events(bank: Bank, tmp_path: Path) -> None:
    """The good rows are imported through the running gateway, and a second time are copies."""
    (tmp_path / "map.yml").write_text(MAP, encoding="utf-8")
    file = tmp_path / "rows.csv"
    file.write_text(
        "who,at,fen\nC7,2026-10-01T00:00:00Z,100\nC7,never,100\nC8,2026-10-02T00:00:00Z,much\n"
        "C9,2026-10-03T00:00:00Z,300\n",
        encoding="utf-8",
    )
    for expected in ({"good": 2, "failed": 2, "duplicate": 0}, {"good": 0, "duplicate": 4}):
        folder = str(bank.workspace.folder)
        words = ("import", str(file), "--map", str(tmp_path / "map.yml"), "-w", folder, "--json")
        done = dipper(*words)
        counted = json.loads(done.stdout[: done.stdout.rindex("}") + 1])
        assert counted["rows"] == 4
        assert {name: counted[name] for name in expected} == expected, counted
        bank.sent["core"] += 4
