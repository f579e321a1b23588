"""SQL over all history: the subjects of today, one version, properties wherever they stand."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from random import Random

import pyarrow as pa
import pytest

from dipper.engine.conformance.lake import NOW_US, Happening, table
from dipper.engine.conformance.runner import happenings
from dipper.engine.embedded.history import History
from dipper.engine.embedded.lake import EmbeddedLake
from dipper.engine.embedded.runner import EmbeddedRunner
from dipper.engine.ports import Column, Identity, Projection
from dipper.kit.clock import DAY_US
from dipper.kit.errors import BadInput
from dipper.kit.hashing import hash128

BUCKETS = {"person": 4, "device": 2}
FIRST_US, NEVER_US = -(2**63), 2**63 - 1


def open_lake(folder: Path, *properties: str) -> EmbeddedLake:
    return EmbeddedLake(folder, dict.fromkeys(properties, "int"), BUCKETS, clock=lambda: NOW_US)


def owners(*rows: tuple[str, str | None, str, int, int]) -> pa.Table:
    """(device, claimed person, owner, from, to) by ids."""
    keys = [
        (hash128(device), claim and hash128(claim), hash128(person), begin, end)
        for device, claim, person, begin, end in rows
    ]
    names = ("device", "claim", "person", "from_us", "to_us")
    types = (pa.binary(), pa.binary(), pa.binary(), pa.int64(), pa.int64())
    return pa.table(
        [pa.array(each, kind) for each, kind in zip(zip(*keys, strict=True), types, strict=True)],
        names=list(names),
    )


def test_it_counts_as_the_runner_does(tmp_path: Path) -> None:
    """Merged ids, devices that change hands and claims give every subject the same rows."""
    lake = open_lake(tmp_path, "amount_fen")
    random = Random(3)
    persons = happenings(400, seed=1)
    devices = [
        row._replace(claim=random.choice([None, "customer_no:1", "customer_no:2"]))
        for row in happenings(300, seed=2, start=400, subjects=8, role="device")
    ]
    lake.append_sorted(table(lake.schema, persons), {0: 400})
    lake.append(table(lake.schema, devices), {0: 700})
    middle_us = NOW_US - 75 * DAY_US
    identity = Identity(
        {hash128("customer_no:3"): hash128("customer_no:4")},
        owners(
            ("device:1", None, "customer_no:3", FIRST_US, middle_us),
            ("device:1", None, "customer_no:5", middle_us, NEVER_US),
            ("device:2", "customer_no:1", "customer_no:1", FIRST_US, NEVER_US),
            ("device:2", None, "customer_no:6", FIRST_US, NEVER_US),
        ),
    )
    expected: Counter[bytes] = Counter()
    runner = EmbeddedRunner(lake, identity=identity)
    for bucket in runner.buckets(Projection("person", (Column("time", "time", "int64"),))):
        for place, key in enumerate(bucket.keys):
            expected[key] = int(bucket.subjects[place + 1] - bucket.subjects[place])
    history = History(lake, identity)
    found = history.rows(
        "SELECT subject, count(*) FROM timelines WHERE kind = 'person' GROUP BY subject"
    )
    assert dict(found) == expected
    assert history.rows("SELECT count(*) FROM events") == [(700,)]
    history.close()


def test_a_record_with_two_roles_is_one_event(tmp_path: Path) -> None:
    """`timelines` has its two rows, `events` the first of them."""
    lake = open_lake(tmp_path)
    rows = [
        Happening(0, "customer_no:1", NOW_US),
        Happening(0, "org_no:1", NOW_US, role="organisation", first_row=False),
    ]
    lake.append(table(lake.schema, rows), {0: 1})
    history = History(lake)
    assert history.rows("SELECT kind FROM events") == [("person",)]
    assert history.rows("SELECT kind FROM timelines ORDER BY kind") == [
        ("organisation",),
        ("person",),
    ]


def test_a_property_declared_later_is_found_in_older_files(tmp_path: Path) -> None:
    """It is read from what was not declared then."""
    lake = open_lake(tmp_path)
    old = Happening(0, "customer_no:1", NOW_US, values={"extra": '{"amount_fen":7}'})
    lake.append(table(lake.schema, [old]), {0: 1})
    lake.declare({"amount_fen": "int"})
    new = Happening(1, "customer_no:1", NOW_US, values={"amount_fen": 9})
    lake.append(table(lake.schema, [new]), {0: 2})
    history = History(lake)
    assert history.rows("SELECT amount_fen FROM events ORDER BY 1") == [(7,), (9,)]
    assert history.properties == {"amount_fen"}


def test_all_answers_are_of_one_version(tmp_path: Path) -> None:
    """What is appended after it was opened is not in it."""
    lake = open_lake(tmp_path)
    lake.append(table(lake.schema, [Happening(0, "customer_no:1", NOW_US)]), {0: 1})
    history = History(lake)
    lake.append(table(lake.schema, [Happening(1, "customer_no:1", NOW_US)]), {0: 2})
    assert history.rows("SELECT count(*) FROM events") == [(1,)]
    assert History(lake).rows("SELECT count(*) FROM events") == [(2,)]


def test_an_empty_lake_has_no_rows_but_its_columns(tmp_path: Path) -> None:
    """A question before the first event is answered."""
    history = History(open_lake(tmp_path, "amount_fen"))
    assert history.rows("SELECT sum(amount_fen), count(*) FROM events") == [(None, 0)]


def test_parameters_fill_names_and_bad_sql_is_the_askers_fault(tmp_path: Path) -> None:
    """A misspelt column is BadInput with DuckDB's hint."""
    lake = open_lake(tmp_path)
    lake.append(table(lake.schema, [Happening(0, "customer_no:1", NOW_US)]), {0: 1})
    history = History(lake)
    asked = "SELECT count(*) FROM events WHERE time_us = $now AND event = $event"
    assert history.rows(asked, {"now": NOW_US, "event": "paid"}) == [(1,)]
    with pytest.raises(BadInput, match="evnt"):
        history.query("SELECT evnt FROM events")
