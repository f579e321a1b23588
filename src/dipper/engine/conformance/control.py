"""What every control store does; an engine's test inherits this and says how to open one."""

from __future__ import annotations

from pathlib import Path

from dipper.engine.ports import ControlStore


class ControlSuite:
    """Inherit, and implement `open`."""

    def open(self, folder: Path) -> ControlStore:
        """A store in an empty or already used folder."""
        raise NotImplementedError

    def test_a_document_reads_back_after_reopening(self, tmp_path: Path) -> None:
        """What was put survives a close, with every JSON type."""
        store = self.open(tmp_path)
        document = {"text": "缴费", "number": 1, "list": [1.5, None, True], "object": {"a": "b"}}
        store.put("specs", "one", document)
        store.close()
        again = self.open(tmp_path)
        assert again.get("specs", "one") == document
        again.close()

    def test_putting_again_replaces(self, tmp_path: Path) -> None:
        """The last document counts."""
        store = self.open(tmp_path)
        store.put("specs", "one", {"n": 1})
        store.put("specs", "one", {"n": 2})
        assert store.items("specs") == [("one", {"n": 2})]
        store.close()

    def test_spaces_do_not_meet_and_items_come_in_key_order(self, tmp_path: Path) -> None:
        """A key of one space is unknown in another."""
        store = self.open(tmp_path)
        for key in ("b", "a"):
            store.put("left", key, {"key": key})
        store.put("right", "c", {})
        assert [key for key, _ in store.items("left")] == ["a", "b"]
        assert store.get("right", "a") is None
        store.close()

    def test_a_deleted_document_is_gone_and_deleting_nothing_is_fine(self, tmp_path: Path) -> None:
        """Twice is as good as once."""
        store = self.open(tmp_path)
        store.put("specs", "one", {})
        store.delete("specs", "one")
        store.delete("specs", "one")
        assert store.get("specs", "one") is None
        store.close()

    def test_keys_are_parameters_and_never_sql(self, tmp_path: Path) -> None:
        """A key that looks like SQL is a key."""
        store = self.open(tmp_path)
        key = "x'); DROP TABLE documents; --"
        store.put("specs", key, {"n": 1})
        assert store.get("specs", key) == {"n": 1}
        store.close()
