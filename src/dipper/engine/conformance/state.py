"""What every engine of `SubjectState` must do; an engine's test inherits this class.

Tests here speak only through the port. The subclass gives `open_state`.
"""

from __future__ import annotations

from pathlib import Path

from dipper.engine.ports import SubjectState


class StateSuite:
    """Behaviours of the port. Table names are those of ARCHITECTURE.md."""

    def open_state(self, folder: Path) -> SubjectState:
        """An engine over an empty or an earlier folder."""
        raise NotImplementedError

    def test_what_is_written_is_read(self, tmp_path: Path) -> None:
        """A value written under a key is read under that key, and no other key has one."""
        state = self.open_state(tmp_path)
        state.write({"ids": {b"a": b"1", b"b": b"2"}}, {})
        with state.read() as reader:
            assert reader.get("ids", b"a") == b"1"
            assert reader.get("ids", b"c") is None
            assert reader.get("timers", b"a") is None
        state.close()

    def test_none_deletes(self, tmp_path: Path) -> None:
        """A change to None removes the key; removing what is not there changes nothing."""
        state = self.open_state(tmp_path)
        state.write({"ids": {b"a": b"1", b"b": b"2"}}, {})
        state.write({"ids": {b"a": None, b"z": None}}, {})
        with state.read() as reader:
            assert list(reader.scan("ids")) == [(b"b", b"2")]
        state.close()

    def test_scans_are_in_key_order_and_half_open(self, tmp_path: Path) -> None:
        """A scan gives start <= key < end in the order of the bytes."""
        state = self.open_state(tmp_path)
        state.write({"timers": {bytes([n]): bytes([n]) for n in (9, 200, 3, 5, 7)}}, {})
        with state.read() as reader:
            keys = [key[0] for key, _ in reader.scan("timers", b"\x05", b"\x09")]
            assert keys == [5, 7]
            assert [key[0] for key, _ in reader.scan("timers")] == [3, 5, 7, 9, 200]
        state.close()

    def test_a_view_does_not_see_later_writes(self, tmp_path: Path) -> None:
        """A reader keeps its moment while others write."""
        state = self.open_state(tmp_path)
        state.write({"ids": {b"a": b"1"}}, {0: 1})
        with state.read() as reader:
            state.write({"ids": {b"a": b"2"}}, {0: 2})
            assert reader.get("ids", b"a") == b"1"
            assert reader.positions() == {0: 1}
        with state.read() as reader:
            assert reader.get("ids", b"a") == b"2"
        state.close()

    def test_positions_move_with_the_changes(self, tmp_path: Path) -> None:
        """Positions are kept per partition and stand with the changes of their write."""
        state = self.open_state(tmp_path)
        state.write({"ids": {b"a": b"1"}}, {0: 5, 3: 2})
        state.write({"ids": {b"a": b"2"}}, {3: 9})
        with state.read() as reader:
            assert reader.positions() == {0: 5, 3: 9}
        state.close()

    def test_a_failed_write_changes_nothing(self, tmp_path: Path) -> None:
        """When one change of a write is impossible, none of them and no position is applied."""
        state = self.open_state(tmp_path)
        state.write({"ids": {b"a": b"1"}}, {0: 1})
        failed = False
        try:
            state.write({"ids": {b"a": b"2"}, "timers": {b"x" * 5_000: b"1"}}, {0: 2})
        except Exception:
            failed = True
        with state.read() as reader:
            assert failed
            assert reader.get("ids", b"a") == b"1"
            assert reader.positions() == {0: 1}
        state.close()

    def test_the_digest_names_the_content(self, tmp_path: Path) -> None:
        """Equal content has one digest whatever the order of its writes; other content another."""
        one, other = self.open_state(tmp_path / "one"), self.open_state(tmp_path / "other")
        one.write({"ids": {b"a": b"1", b"b": b"2"}}, {0: 2})
        other.write({"ids": {b"b": b"2", b"c": b"3"}}, {0: 1})
        assert one.dump_digest() != other.dump_digest()
        other.write({"ids": {b"a": b"1", b"c": None}}, {0: 2})
        assert one.dump_digest() == other.dump_digest()
        other.write({}, {0: 3})
        assert one.dump_digest() != other.dump_digest()
        one.close()
        other.close()

    def test_state_survives_closing(self, tmp_path: Path) -> None:
        """What was written is there after closing and opening again."""
        state = self.open_state(tmp_path)
        state.write({"ids": {b"a": b"1"}}, {0: 1})
        digest = state.dump_digest()
        state.close()
        again = self.open_state(tmp_path)
        assert again.dump_digest() == digest
        again.close()

    def test_compacting_keeps_the_content(self, tmp_path: Path) -> None:
        """Compaction changes neither content nor positions."""
        state = self.open_state(tmp_path)
        state.write({"ids": {bytes([n]): b"v" * 100 for n in range(200)}}, {0: 1})
        state.write({"ids": {bytes([n]): None for n in range(0, 200, 2)}}, {0: 2})
        digest = state.dump_digest()
        state.compact()
        assert state.dump_digest() == digest
        state.write({"ids": {b"new": b"1"}}, {0: 3})
        with state.read() as reader:
            assert reader.get("ids", b"new") == b"1"
        state.close()

    def test_clearing_forgets_everything(self, tmp_path: Path) -> None:
        """After clear the state equals a new one."""
        state = self.open_state(tmp_path / "used")
        empty = self.open_state(tmp_path / "new")
        state.write({"ids": {b"a": b"1"}, "meta": {b"m": b"2"}}, {0: 7})
        state.clear()
        assert state.dump_digest() == empty.dump_digest()
        state.close()
        empty.close()

    def test_a_view_reads_the_same_without_a_copy(self, tmp_path: Path) -> None:
        """`view` gives the bytes that `get` gives, or None."""
        state = self.open_state(tmp_path)
        state.write({"ids": {b"a": b"1" * 5_000, b"b": b""}}, {})
        with state.read() as reader:
            view = reader.view("ids", b"a")
            assert view is not None
            assert bytes(view) == reader.get("ids", b"a")
            assert reader.view("ids", b"c") is None
            assert bytes(reader.view("ids", b"b") or b"") == b""
            del view
        state.close()
