"""A first map of an unknown file."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dipper.feed.guess import guess, snake_case
from dipper.feed.mapping import dump_map, load_map
from dipper.kit.errors import BadInput

CSV = """时间;客户号;行为;金额;凭证号
2026-01-02 10:00:00;0012;缴费;100;007
2026-01-02 11:00:00;0013;登录;;008
"""


def test_a_chinese_file_of_a_core_system_is_understood(tmp_path: Path) -> None:
    """Encoding, delimiter, time, person and event are found; leading zeros stay text."""
    path = tmp_path / "export.csv"
    path.write_bytes(CSV.encode("gb18030"))
    found, notes = guess(path, "core")
    assert (found.file.encoding, found.file.delimiter) == ("gb18030", ";")
    assert found.time.column == "时间"
    assert found.event.column == "行为"
    assert found.subjects["person"].column == "客户号"
    kinds = {item.column: item.type for item in found.properties.values()}
    assert kinds == {"金额": "int", "凭证号": "text"}
    assert any("客户号" in note for note in notes)


def test_a_written_map_reads_back_equal(tmp_path: Path) -> None:
    """What `dipper import` writes for review is what it later reads."""
    path = tmp_path / "a.csv"
    path.write_text("timestamp,visitorid,event\n1433193132535,11,view\n1433193132536,12,buy\n")
    found, notes = guess(path, "web")
    target = tmp_path / "a.map.yml"
    target.write_text(dump_map(found, notes), encoding="utf-8")
    assert load_map(target) == found
    assert found.time.format == "epoch_ms"


def test_parquet_types_are_kept(tmp_path: Path) -> None:
    """A typed column needs no guessing."""
    path = tmp_path / "a.parquet"
    table = pa.table(
        {
            "case_id": ["1", "2"],
            "activity": ["A Sent", "B"],
            "ts": pa.array([1, 2], pa.timestamp("us", tz="UTC")),
            "amount": [1.5, 2.0],
            "ok": [True, False],
        }
    )
    pq.write_table(table, path)
    found, _ = guess(path, "loans")
    assert found.subjects["case"].type == "case_no"
    assert found.event.values == {"A Sent": "a_sent", "B": "b"}
    assert found.properties["amount"].type == "double"
    assert found.properties["ok"].type == "bool"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "empty"),
        (b"\x00\x01\x02", "binary content"),
        (b"a,b\n1,2\n3,4\n", "no column holds times"),
        (b"time,x\n2026-01-01,1\n2026-01-02,2\n", "no column looks like an id"),
        (b"one two\nthree\n", "no delimiter"),
    ],
)
def test_what_cannot_be_guessed_is_said(tmp_path: Path, content: bytes, message: str) -> None:
    """The error names the file and what was looked for."""
    path = tmp_path / "x.csv"
    path.write_bytes(content)
    with pytest.raises(BadInput, match=message) as caught:
        guess(path, "web")
    assert str(path) in str(caught.value)


def test_a_missing_file_is_said(tmp_path: Path) -> None:
    """A path that is not there is an error of the caller."""
    with pytest.raises(BadInput, match="cannot be read"):
        guess(tmp_path / "none.csv", "web")


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Order Completed", "order_completed"),
        ("orderCompleted", "order_completed"),
        ("缴费", "缴费"),
    ],
)
def test_names_become_snake_case(text: str, name: str) -> None:
    """Names of SDKs and of files take one writing."""
    assert snake_case(text) == name
