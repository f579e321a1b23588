"""Tests of SQL over HTTP: what is answered, what is masked, and what is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Call = Callable[..., tuple[int, dict[str, str], bytes]]


def ask(call: Call, query: str) -> tuple[int, Any]:
    """Status and JSON of a question."""
    body = json.dumps({"sql": query}).encode()
    status, _, answer = call("POST", "/api/sql", body, content_type="application/json")
    return status, json.loads(answer)


def test_a_question_is_answered_with_columns_types_and_rows(call: Call) -> None:
    """Counts by event, the most frequent first."""
    query = "SELECT event, count(*) AS n FROM events GROUP BY 1 ORDER BY n DESC, 1"
    status, found = ask(call, query)
    assert status == 200
    assert found["columns"] == ["event", "n"]
    counts = dict(found["rows"])
    assert counts["bill_paid"] > 300
    assert list(counts.values()) == sorted(counts.values(), reverse=True)
    assert found["is_truncated"] is False


def test_ids_and_personal_texts_are_masked_and_amounts_are_not(call: Call) -> None:
    """Ids are keyed hashes that join, a sum of amounts is a number (PFI-08)."""
    asked = "SELECT DISTINCT person, community FROM events WHERE community <> '' AND person <> ''"
    status, found = ask(call, asked)
    assert status == 200
    for person, community in found["rows"]:
        kind, _, rest = person.partition(":")
        assert kind in ("login", "customer_no")
        assert len(rest) == 16
        assert len(community) == 16
    _, found = ask(call, "SELECT sum(amount_fen) FROM events WHERE event = 'bill_paid'")
    assert int(found["rows"][0][0]) > 100_000


def test_a_condition_on_a_whole_id_finds_nobody(call: Call) -> None:
    """The mask stands before the condition, so that nobody can be looked up."""
    _, found = ask(call, "SELECT count(*) FROM timelines WHERE id LIKE 'login:u%'")
    assert found["rows"] == [[0]]


@pytest.mark.parametrize(
    "query",
    [
        "SELECT * FROM read_csv('/etc/passwd')",
        "SELECT * FROM '/etc/passwd'",
        "SELECT * FROM read_parquet('{folder}/data/lake/**/*.parquet')",
        "SELECT content FROM read_text('{folder}/keys.toml')",
        "COPY events TO '{folder}/stolen.csv'",
        "COPY (SELECT 1) TO '/tmp/x'",
        "ATTACH '{folder}/data/control.db' AS control",
        "SET lock_configuration = false",
        "SET enable_external_access = true",
        "PRAGMA database_list",
        "INSTALL httpfs",
        "LOAD httpfs",
        "CREATE TABLE mine AS SELECT * FROM events",
        "DELETE FROM events",
        "SELECT 1; SELECT 2",
        "SELECT getvariable('mask_key')",
        "SELECT current_setting('temp_directory')",
        "SELECT * FROM duckdb_settings()",
        "SELECT * FROM information_schema.tables",
        "SELECT query FROM sqlite_scan('{folder}/data/control.db', 'documents')",
        "EXPORT DATABASE '{folder}/out'",
        "CALL pragma_version()",
    ],
)
def test_what_is_no_question_about_the_views_is_refused(
    call: Call, quiet_bank: Path, query: str
) -> None:
    """Reading a file, COPY, ATTACH, SET and the rest: a problem, and nothing was written."""
    before = sorted(path.name for path in quiet_bank.iterdir())
    status, found = ask(call, query.format(folder=quiet_bank))
    assert status in (400, 403)
    assert found["code"] in ("forbidden", "bad_input")
    assert found["where"] == "sql"
    assert sorted(path.name for path in quiet_bank.iterdir()) == before


@pytest.mark.parametrize(
    ("body", "pointer"), [({}, "/sql"), ({"sql": ""}, "/sql"), ({"sql": 1}, "/sql")]
)
def test_a_body_without_a_question_is_bad_input(call: Call, body: Any, pointer: str) -> None:
    """The form of the body is checked before anything is started."""
    status, _, answer = call(
        "POST", "/api/sql", json.dumps(body).encode(), content_type="application/json"
    )
    assert status == 400
    assert json.loads(answer)["errors"][0]["pointer"] == pointer
