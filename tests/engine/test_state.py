"""The subject state on LMDB."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from dipper.engine.conformance.state import StateSuite
from dipper.engine.embedded.state import EmbeddedState
from dipper.kit.errors import Conflict

OTHER_PROCESS = """
import sys
from pathlib import Path
from dipper.engine.embedded.state import EmbeddedState
state = EmbeddedState(Path(sys.argv[1]))
for line in sys.stdin:
    if line.strip() == "claim":
        try:
            state.claim()
            print("claimed", flush=True)
        except Exception as error:
            print(type(error).__name__, flush=True)
        continue
    with state.read() as reader:
        value = reader.get("ids", line.strip().encode())
        print(len(value) if value is not None else None, flush=True)
"""


class TestEmbeddedState(StateSuite):
    """The embedded engine passes the suite of the port."""

    def open_state(self, folder: Path) -> EmbeddedState:
        return EmbeddedState(folder)


class Reader:
    """Another process that reads the state when asked."""

    def __init__(self, folder: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", OTHER_PROCESS, str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def ask(self, word: str) -> str:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(word + "\n")
        self.process.stdin.flush()
        return self.process.stdout.readline().strip()

    def __enter__(self) -> Reader:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.communicate()


def test_other_processes_follow_writes_and_compactions(tmp_path: Path) -> None:
    """A reader in another process sees the next write, and the pages that replaced the old."""
    state = EmbeddedState(tmp_path)
    with Reader(tmp_path) as other:
        assert other.ask("a") == "None"
        state.write({"ids": {b"a": b"1"}}, {})
        assert other.ask("a") == "1"
        state.compact()
        state.write({"ids": {b"a": b"12"}}, {})
        assert other.ask("a") == "2"
        state.clear()
        assert other.ask("a") == "None"
    state.close()


def test_the_map_grows_when_it_is_full(tmp_path: Path) -> None:
    """A write that does not fit grows the map, and readers of other processes follow."""
    state = EmbeddedState(tmp_path, map_size=1 << 20)
    with Reader(tmp_path) as other:
        assert other.ask("a") == "None"
        state.write({"ids": {bytes([n]): bytes(100_000) for n in range(40)}}, {0: 40})
        assert other.ask("\x07") == "100000"
    with state.read() as reader:
        assert len(list(reader.scan("ids"))) == 40
    state.close()


def test_the_map_grows_while_threads_read(tmp_path: Path) -> None:
    """Readers in threads of the writer are waited for, and then go on."""
    state = EmbeddedState(tmp_path, map_size=1 << 20)
    state.write({"ids": {b"a": b"1"}}, {})
    seen: list[bytes | None] = []
    stop = threading.Event()

    # They pause as requests do: readers that spin can keep the interpreter's lock to themselves.
    def read() -> None:
        is_stopped = False
        while not is_stopped:
            with state.read() as reader:
                seen.append(reader.get("ids", b"a"))
            is_stopped = stop.wait(0.0005)

    threads = [threading.Thread(target=read) for _ in range(3)]
    for thread in threads:
        thread.start()
    for n in range(60):
        state.write({"ids": {bytes([n, 0]): bytes(100_000)}}, {})
    stop.set()
    for thread in threads:
        thread.join()
    assert set(seen) == {b"1"}
    state.close()


def test_only_one_process_writes(tmp_path: Path) -> None:
    """A second writer is refused while the first one lives."""
    state = EmbeddedState(tmp_path)
    state.claim()
    with Reader(tmp_path) as other:
        assert other.ask("claim") == Conflict.__name__
    state.close()
    with Reader(tmp_path) as other:
        assert other.ask("claim") == "claimed"


def test_a_lost_machine_loses_the_state(tmp_path: Path) -> None:
    """After another boot without a clean stop the state is thrown away; after a clean one kept."""
    state = EmbeddedState(tmp_path)
    assert state.claim() is False
    state.write({"ids": {b"a": b"1"}}, {0: 1})
    state.close()
    state = EmbeddedState(tmp_path)
    assert state.claim() is False
    with state.read() as reader:
        assert reader.positions() == {0: 1}
    (tmp_path / "boot").write_text("another boot")
    state.close()
    (tmp_path / "boot").write_text("another boot")
    state = EmbeddedState(tmp_path)
    assert state.claim() is True
    with state.read() as reader:
        assert reader.positions() == {}
    state.close()


def test_compaction_leaves_no_deleted_value(tmp_path: Path) -> None:
    """After deleting and compacting, no file of the state holds the value."""
    state = EmbeddedState(tmp_path)
    state.write({"ids": {b"gone": b"customer 4711 " * 50, b"stays": b"other"}}, {})
    state.write({"ids": {b"gone": None}}, {})
    state.compact()
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert not any(b"customer 4711" in path.read_bytes() for path in files)
    with state.read() as reader:
        assert reader.get("ids", b"stays") == b"other"
    state.close()


def test_a_snapshot_can_be_gone_on_from(tmp_path: Path) -> None:
    """A snapshot holds content and positions of its moment; restoring forgets what came after."""
    state = EmbeddedState(tmp_path / "state")
    state.write({"ids": {b"a": b"1"}}, {0: 1})
    digest = state.dump_digest()
    state.snapshot(tmp_path / "snapshots" / "1")
    state.write({"ids": {b"a": b"2"}}, {0: 2})
    state.restore(tmp_path / "snapshots" / "1")
    assert state.dump_digest() == digest
    state.close()


def test_an_unknown_table_is_an_error(tmp_path: Path) -> None:
    """Asking for a table that the state does not have raises instead of reading nothing."""
    state = EmbeddedState(tmp_path)
    with state.read() as reader, pytest.raises(KeyError):
        reader.get("idz", b"a")
    state.close()
