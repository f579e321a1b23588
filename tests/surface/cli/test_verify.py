"""Tests of `dipper verify`."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

Dipper = Callable[..., Any]


def test_an_untouched_log_is_as_written(dipper: Dipper, quiet_bank: Path) -> None:
    """Exit 0, with the number of records."""
    done = dipper("verify", quiet_bank)
    assert done.code == 0
    assert done.out.endswith("records in 1 partitions: as written.\n")


def test_one_changed_byte_is_found_and_named(
    dipper: Dipper, quiet_bank: Path, tmp_path: Path
) -> None:
    """Exit 1; the finding names file, place, partition and record."""
    folder = tmp_path / "bank"
    shutil.copytree(quiet_bank, folder, ignore=shutil.ignore_patterns("lake", "state"))
    (segment,) = (folder / "data" / "log" / "p0").glob("*.log")
    data = bytearray(segment.read_bytes())
    at = data.index(b'"bill_paid"')
    data[at + 1] ^= 1
    segment.write_bytes(data)
    done = dipper("verify", folder, "--json")
    assert done.code == 1
    (finding,) = done.json()["findings"]
    assert finding["where"].startswith(str(segment))
    assert finding["partition"] == 0
    assert finding["offset"] > 0
    text = dipper("verify", folder)
    assert (text.code, f"record {finding['offset']}" in text.out) == (1, True)
    assert "1 place is damaged" in text.out
