"""The embedded control store passes the suite of control stores."""

from __future__ import annotations

from pathlib import Path

from dipper.engine.conformance.control import ControlSuite
from dipper.engine.embedded.control import EmbeddedControl


class TestEmbeddedControl(ControlSuite):
    """SQLite."""

    def open(self, folder: Path) -> EmbeddedControl:
        """A database file in the folder."""
        return EmbeddedControl(folder / "control.db")

    def test_nothing_remains_of_a_deleted_document(self, tmp_path: Path) -> None:
        """Neither in the file nor in its write-ahead log."""
        store = self.open(tmp_path)
        store.put("receipts", "one", {"secret": "abracadabra"})
        store.delete("receipts", "one")
        store.close()
        for path in tmp_path.iterdir():
            assert b"abracadabra" not in path.read_bytes()
