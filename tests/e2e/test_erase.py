"""After an erasure nothing of the person is left anywhere, and everything else is as it was."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from dipper.app.workspace import Workspace
from dipper.engine.record import RecordKind
from dipper.kit.clock import system_clock
from dipper.kit.errors import NotFound
from dipper.surface.demo.population import Organisations, Persons
from dipper.surface.erasing import erase
from dipper.surface.log_index import LogIndex, known_duplicates
from dipper.surface.replaying import replay

MakeBank = Callable[[int], tuple[Workspace, Persons, Organisations]]


def remains(workspace: Workspace, words: set[str]) -> list[str]:
    """Where one of the words still stands: raw bytes of every file, and what they decode to."""
    found = []
    raw = [word.encode() for word in words]
    for path in sorted(workspace.data.rglob("*")):
        if not path.is_file() or path.is_relative_to(workspace.data / "cache"):
            continue
        data = path.read_bytes()
        if any(word in data for word in raw):
            found.append(str(path))
        if path.suffix == ".parquet":
            text = json.dumps(pq.ParquetFile(path).read().to_pylist(), default=str)
            if any(word in text for word in words):
                found.append(f"{path} (decoded)")
    with workspace.log.reader() as reader:
        for partition in range(reader.partitions()):
            for records in reader.read_batches(partition, 0):
                found += [
                    f"log {partition}:{record.offset}"
                    for record in records
                    if any(word in record.payload for word in raw)
                ]
    with workspace.state.read() as view:
        for table in ("ids", "decisions", "segments", "timers", "touched", "erased", "meta"):
            for key, value in view.scan(table):
                if any(word in key or word in value for word in raw):
                    found.append(f"state {table}")
    return found


@pytest.mark.timeout(200)
def test_nothing_of_an_erased_person_is_left(make_bank: MakeBank) -> None:
    """Neither raw nor decoded, in log, lake, old versions, state or control; the rest verifies."""
    workspace, persons, organisations = make_bank(200)
    operated = int(organisations.operator[0])
    login = str(persons.login[operated])
    words = {login}
    if persons.is_existing[operated]:
        words.add(str(persons.customer_no[operated]))
    shared = list(persons.device).count(persons.device[operated]) > 1
    if not shared:
        words.add(str(persons.device[operated]))
    assert remains(workspace, words)
    before = rows_of(workspace, f"org_no:{organisations.org_no[0]}")

    receipt = erase(workspace, f"login:{login}", system_clock)

    workspace = Workspace(workspace.folder)
    assert receipt["log_records"] > 0
    assert receipt["lake_rows"] > 0
    assert remains(workspace, words) == []
    assert workspace.log.custodian().verify() == []
    # The organisation that the person acted for keeps its rows.
    assert rows_of(workspace, f"org_no:{organisations.org_no[0]}") == before
    found = replay(workspace)
    assert found["equal"], found
    with pytest.raises(NotFound):
        erase(workspace, f"login:{login}", system_clock)


def rows_of(workspace: Workspace, text: str) -> int:
    """Rows of one id in the lake."""
    return sum(
        table.column("id").to_pylist().count(text)
        for file in workspace.lake.snapshot().files
        for table in (pq.ParquetFile(file.path).read(columns=["id"]),)
    )


def test_the_index_of_events_forgets_an_erased_person(make_bank: MakeBank) -> None:
    """The files name no id, only fingerprints: those of the person's records are gone too."""
    workspace, persons, _ = make_bank(200)
    duplicates = known_duplicates(workspace, is_saved=False)
    word = f'"login:{persons.login[3]}"'.encode()
    with workspace.log.reader() as reader:
        places = {
            duplicates.place(record.kind, record.payload): word in record.payload
            for records in reader.read_batches(0, 0)
            for record in records
            if record.kind != RecordKind.CONTROL
        }
    assert in_index_files(workspace) == set(places)
    erase(workspace, f"login:{persons.login[3]}", system_clock)
    left = in_index_files(Workspace(workspace.folder))
    gone = set(places) - left
    assert {place for place, is_named in places.items() if is_named} <= gone
    assert len(gone) < len(places) / 10


def in_index_files(workspace: Workspace) -> set[tuple[int, int]]:
    """Day and fingerprint of all that the index files hold."""
    index = LogIndex(workspace, 0, known_duplicates(workspace, is_saved=True))
    with workspace.log.reader() as reader:
        index.open(reader)
    runs = index.duplicates.runs
    assert runs
    return {(day, key) for run in runs for day in run.days for key, _ in run.part(day).tolist()}


def test_an_erased_persons_records_leave_header_and_digest(make_bank: MakeBank) -> None:
    """Offsets do not move: as many records as before, some of them empty."""
    workspace, persons, _ = make_bank(200)
    login = str(persons.login[3])
    with workspace.log.reader() as reader:
        before = reader.end(0)
    receipt = erase(workspace, f"login:{login}", system_clock)
    workspace = Workspace(workspace.folder)
    with workspace.log.reader() as reader:
        records = [record for part in reader.read_batches(0, 0) for record in part]
    assert [record.offset for record in records] == list(range(len(records)))
    assert len(records) >= before + 1
    emptied = [record for record in records if record.erased]
    assert len(emptied) == receipt["log_records"]
    assert all(record.kind != RecordKind.CONTROL for record in emptied)
    assert (Path(workspace.folder) / "data").is_dir()
