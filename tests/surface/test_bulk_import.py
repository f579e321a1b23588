"""Bulk import as the writer: the same judgement as over HTTP, then state and lake."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from dipper.app.init import init_workspace
from dipper.app.programs import prepare
from dipper.app.workspace import Workspace
from dipper.collect.counts import Counts
from dipper.feed.mapping import Map, load_map
from dipper.kit.clock import DAY_US, system_clock
from dipper.kit.errors import BadInput, Conflict
from dipper.surface import bulk_import, log_index
from dipper.surface.applying import apply
from dipper.surface.bulk_import import BulkImport
from dipper.surface.erasing import erase
from dipper.surface.replaying import rebuild_state, replay

MAP = """
source: server
file: {format: csv}
event: {value: bill_paid}
time: {column: at}
subjects: {person: {type: customer_no, column: who}}
properties: {amount_fen: {column: fen, type: int}}
"""


@pytest.fixture(params=[1, 3])
def workspace(tmp_path: Path, request: pytest.FixtureRequest) -> Workspace:
    """The starter, applied, with one partition and with three."""
    init_workspace(tmp_path / "bank", random_bytes=os.urandom, partitions=request.param)
    workspace = Workspace(tmp_path / "bank")
    apply(workspace, prepare(workspace, system_clock()), system_clock)
    return workspace


@pytest.fixture
def mapping(tmp_path: Path) -> Map:
    """The map of the files below."""
    (tmp_path / "map.yml").write_text(MAP, encoding="utf-8")
    return load_map(tmp_path / "map.yml")


def rows(tmp_path: Path, name: str, persons: str) -> Path:
    """A file with a bill for each letter, and a bad row."""
    lines = [f"C{person},2026-10-{day + 1:02}T00:00:00Z,100" for day, person in enumerate(persons)]
    path = tmp_path / name
    path.write_text(
        "\n".join(["who,at,fen", *lines, f"CX,never {name},1"]) + "\n", encoding="utf-8"
    )
    return path


def run(workspace: Workspace, path: Path, mapping: Map, later_us: int = 0) -> Counts:
    """One import in a process of its own, now or later."""
    bulk = BulkImport(Workspace(workspace.folder), lambda: system_clock() + later_us)
    try:
        counts = bulk.read(path, mapping).counts
        bulk.project()
    finally:
        bulk.close()
    return counts


def test_a_process_beside_the_reading_does_the_same(
    workspace: Workspace, mapping: Map, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Much is projected by a second process while the first one reads; nothing is different."""
    monkeypatch.setattr(bulk_import, "BESIDE_RECORDS", 1)
    monkeypatch.setattr(bulk_import, "APPEND_RECORDS", 3)
    assert run(workspace, rows(tmp_path, "a.csv", "AABBBC"), mapping) == Counts(6, 1, 0, 0)
    assert sum(file.rows for file in workspace.lake.snapshot().files) == 6
    with workspace.log.reader() as reader, workspace.state.read() as view:
        assert view.positions() == {p: reader.end(p) for p in range(reader.partitions())}
    assert replay(workspace)["equal"]


def test_what_stops_the_process_beside_is_said(
    workspace: Workspace, mapping: Map, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody else writes the state: the error is that of the other process, the log has all."""
    monkeypatch.setattr(bulk_import, "BESIDE_RECORDS", 1)
    bulk = BulkImport(workspace, system_clock)
    workspace.state.claim()
    bulk.read(rows(tmp_path, "a.csv", "AAB"), mapping)
    with pytest.raises(Conflict, match="another process writes"):
        bulk.project()
    bulk.close()
    with workspace.log.reader() as reader:
        assert sum(reader.end(p) for p in range(reader.partitions())) >= 4


def test_a_file_is_imported_once(workspace: Workspace, mapping: Map, tmp_path: Path) -> None:
    """Bad rows are failed, the same file again is all copies, and a replay is equal."""
    path = rows(tmp_path, "a.csv", "AABBBC")
    assert run(workspace, path, mapping) == Counts(6, 1, 0, 0)
    assert run(workspace, path, mapping) == Counts(0, 0, 7, 0)
    assert sum(file.rows for file in workspace.lake.snapshot().files) == 6
    assert replay(workspace)["equal"]


def test_old_history_is_known_weeks_later(
    workspace: Workspace, mapping: Map, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the day of each row, however old: from the files, and without them from the log."""
    monkeypatch.setattr(bulk_import, "APPEND_RECORDS", 3)
    monkeypatch.setattr(log_index, "SAVED_AT", 2)
    path = rows(tmp_path, "old.csv", "AABBBCDDE")
    path.write_text(path.read_text("utf-8").replace("2026-", "2011-"), encoding="utf-8")
    assert run(workspace, path, mapping) == Counts(9, 1, 0, 0)
    files = workspace.index(0)
    assert (files / "checkpoint").exists() == (workspace.settings.storage.partitions == 1)
    later = [40 * DAY_US, 80 * DAY_US]
    # The failed row states no time: it is known for two days.
    assert run(workspace, path, mapping, later[0]) == Counts(0, 1, 9, 0)
    shutil.rmtree(files, ignore_errors=True)
    assert run(workspace, path, mapping, later[1]) == Counts(0, 1, 9, 0)


def test_an_import_that_stops_saves_nothing_that_is_not_in_the_log(
    workspace: Workspace, mapping: Map, tmp_path: Path
) -> None:
    """Rows that were judged and never appended come again as new ones."""
    bulk = BulkImport(Workspace(workspace.folder), system_clock)
    path = rows(tmp_path, "a.csv", "AABBBC")

    def stop(done: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        bulk.read(path, mapping, stop)
    bulk.close()
    assert run(workspace, path, mapping) == Counts(6, 1, 0, 0)


def test_a_rebuild_comes_to_the_same_state(
    workspace: Workspace, mapping: Map, tmp_path: Path
) -> None:
    """`rebuild_state` forgets everything and projects the log again."""
    run(workspace, rows(tmp_path, "a.csv", "AABBBC"), mapping)
    before = replay(workspace)["served"]
    workspace.state.close()
    assert rebuild_state(Workspace(workspace.folder)) >= 7
    assert Workspace(workspace.folder).state.dump_digest() == before


def test_a_file_does_not_bring_an_erased_person_back(
    workspace: Workspace, mapping: Map, tmp_path: Path
) -> None:
    """The rows are refused and counted, and stand nowhere."""
    run(workspace, rows(tmp_path, "a.csv", "AAB"), mapping)
    erase(Workspace(workspace.folder), "customer_no:CA", system_clock)
    assert run(workspace, rows(tmp_path, "b.csv", "ABBB"), mapping) == Counts(3, 1, 0, 1)
    with workspace.log.reader() as reader:
        for partition in range(reader.partitions()):
            for records in reader.read_batches(partition, 0):
                assert not any(b"customer_no:CA" in record.payload for record in records)


def test_a_file_of_consents_lifts_no_erasure(
    workspace: Workspace, mapping: Map, tmp_path: Path
) -> None:
    """Old consents say nothing new: only the bank's server, as it happens, brings a person back."""
    run(workspace, rows(tmp_path, "a.csv", "AB"), mapping)
    erase(Workspace(workspace.folder), "customer_no:CA", system_clock)
    path = tmp_path / "consents.csv"
    lines = [f"C{one},2026-10-01T00:00:00Z,personalised_service,1" for one in "AB"]
    path.write_text("\n".join(["who,at,purpose,version", *lines]) + "\n", encoding="utf-8")
    text = MAP.replace("bill_paid", "consent_given")
    text = text.replace(
        "amount_fen: {column: fen, type: int}",
        "purpose: {column: purpose}, notice_version: {column: version}",
    )
    (tmp_path / "consents.yml").write_text(text, encoding="utf-8")
    assert run(workspace, path, load_map(tmp_path / "consents.yml")) == Counts(1, 0, 0, 1)


def test_without_a_program_nothing_is_imported(tmp_path: Path) -> None:
    """Nobody knows yet what the rows mean; the command that applies is named."""
    init_workspace(tmp_path / "bank", random_bytes=os.urandom)
    with pytest.raises(Conflict, match="nothing is applied") as caught:
        BulkImport(Workspace(tmp_path / "bank"), system_clock)
    assert "dipper apply" in str(caught.value.hint)


def test_a_source_that_is_not_declared_has_a_suggestion(
    workspace: Workspace, mapping: Map, tmp_path: Path
) -> None:
    """The closest name, and nothing is appended."""
    wrong = mapping.model_copy(update={"source": "servr"})
    with pytest.raises(BadInput, match="servr") as caught:
        run(workspace, rows(tmp_path, "a.csv", "A"), wrong)
    assert "server" in str(caught.value.hint)
