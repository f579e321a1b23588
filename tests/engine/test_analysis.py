"""SQL for people: what it answers, and everything that it must refuse."""

from __future__ import annotations

import time

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dipper.engine.conformance.lake import NOW_US, Happening, table
from dipper.engine.embedded.analysis import Answer, Limits, Question, answer, locked, run_sql
from dipper.engine.embedded.analysis_check import checked
from dipper.engine.embedded.analysis_views import (
    ParquetTable,
    View,
    failed_view,
    lake_views,
    mask_of,
    table_view,
)
from dipper.engine.embedded.lake import EmbeddedLake
from dipper.engine.embedded.lake_failed import SCHEMA
from dipper.kit.errors import BadInput, DipperError, Forbidden, TooLarge

KEY = b"a key of this bank"
PROPERTIES = {"amount_fen": "int", "mobile": "text", "id_card": "text", "customer_name": "text"}
MASKS = {name: mask_of("C2", name) for name in ("mobile", "id_card", "customer_name")}


@pytest.fixture(scope="module")
def views(tmp_path_factory: pytest.TempPathFactory) -> list[View]:
    """Two customers, a firm, an undeclared property and a table of persons."""
    folder = tmp_path_factory.mktemp("sql")
    lake = EmbeddedLake(folder / "lake", PROPERTIES, {"person": 2}, clock=lambda: NOW_US)
    secret = {
        "mobile": "13812341234",
        "id_card": "110101199003077715",
        "customer_name": "张三丰",
        "amount_fen": 500,
        "extra": '{"late":7,"note":"13812341234"}',
    }
    firm = {"person": "customer_no:1", "organisation": "org_no:9"}
    rows = [
        Happening(0, "customer_no:1", NOW_US, "paid", values=secret),
        Happening(1, "customer_no:2", NOW_US, "paid", values={"amount_fen": 70, "mobile": "138"}),
        Happening(2, "customer_no:1", NOW_US + 1, "seen", roles=firm),
        Happening(2, "org_no:9", NOW_US + 1, "seen", role="organisation", first_row=False,
                  roles=firm),
    ]  # fmt: skip
    lake.append(table(lake.schema, rows), {0: 3})
    lake.declare({**PROPERTIES, "late": "int"})
    lake.append(
        table(lake.schema, [Happening(3, "customer_no:2", NOW_US, values={"late": 8})]), {0: 4}
    )
    persons = folder / "persons.parquet"
    pq.write_table(pa.table({"person": ["customer_no:1"], "city": ["120100"]}), persons)
    files = [file.path for file in lake.snapshot().files]
    return [
        *lake_views(lake.schema, files, MASKS),
        failed_view(SCHEMA, [], {}),
        table_view("persons", ParquetTable(str(persons), {"person": "id"})),
    ]


def ask(query: str, views: list[View], limits: Limits | None = None) -> Answer:
    """The question in this process: what the other process would answer."""
    files = tuple(path for view in views for path in view.files)
    named = tuple((view.name, view.sql) for view in views)
    return answer(Question(query, named, files, KEY.hex(), limits or Limits()))


def rows(query: str, views: list[View]) -> list[tuple[object, ...]]:
    found = ask(query, views)
    assert found.result is not None, found.message
    return list(found.result.rows)


# --- what it answers ------------------------------------------------------------------------


def test_a_question_runs_in_a_process_of_its_own(views: list[View]) -> None:
    """One SELECT gives names, types and rows, in its order."""
    found = run_sql(
        "SELECT event, count(*) AS n, sum(amount_fen) s FROM events GROUP BY event ORDER BY n, s",
        views,
        KEY,
    )
    assert found.columns == ("event", "n", "s")
    assert found.rows == (("seen", 1, None), ("paid", 3, 570))
    assert not found.is_truncated


def test_events_has_a_row_a_record_and_timelines_one_a_subject(views: list[View]) -> None:
    """A record of a person for a firm is one event and stands in two timelines."""
    (counts,) = rows(
        "SELECT (SELECT count(*) FROM events), (SELECT count(*) FROM timelines)", views
    )
    assert counts == (4, 5)


def test_a_property_declared_later_is_found_in_older_rows(views: list[View]) -> None:
    """Files from before and after the declaration answer alike."""
    assert rows("SELECT late FROM events WHERE late IS NOT NULL ORDER BY late", views) == [
        (7,),
        (8,),
    ]


def test_personal_properties_are_masked(views: list[View]) -> None:
    """A phone, a document number and a name are recognised and cannot be used."""
    query = "SELECT mobile, id_card, customer_name FROM events WHERE amount_fen = 500"
    assert rows(query, views) == [("138****1234", "110101********7715", "张*")]
    assert rows("SELECT mobile FROM events WHERE amount_fen = 70", views) == [("****",)]


def test_conditions_see_only_what_is_masked(views: list[View]) -> None:
    """A question cannot find out a value by asking for it."""
    assert rows("SELECT count(*) FROM events WHERE mobile = '13812341234'", views) == [(0,)]
    assert rows("SELECT count(*) FROM events WHERE mobile LIKE '%1234'", views) == [(1,)]


def test_ids_are_keyed_hashes_that_still_join(views: list[View]) -> None:
    """An id keeps its type and becomes the same hash in every view, another with another key."""
    joined = "SELECT DISTINCT e.id, p.city FROM events e JOIN persons p ON e.person = p.person"
    ((id_text, city),) = rows(joined, views)
    assert city == "120100"
    assert isinstance(id_text, str)
    kind, _, value = id_text.partition(":")
    assert (kind, len(value)) == ("customer_no", 16)
    files = tuple(path for view in views for path in view.files)
    named = tuple((view.name, view.sql) for view in views)
    other = answer(Question(joined, named, files, b"other".hex(), Limits())).result
    assert other is not None
    assert other.rows[0][0] != id_text


def test_what_was_never_declared_is_not_shown(views: list[View]) -> None:
    """Nobody has said of it that it is not personal."""
    assert rows("SELECT count(extra), count(subject) FROM timelines", views) == [(0, 5)]


def test_a_view_without_files_has_its_columns(views: list[View]) -> None:
    """A lake without failed events still answers questions about them."""
    assert rows("SELECT count(*), count(code) FROM failed_events", views) == [(0, 0)]


def test_more_rows_than_the_limit_are_cut(views: list[View]) -> None:
    """The result says so."""
    found = ask("SELECT * FROM timelines", views, Limits(rows=3)).result
    assert found is not None
    assert len(found.rows) == 3
    assert found.is_truncated


def test_cells_are_plain(views: list[View]) -> None:
    """Every type has a form in JSON; large numbers stay exact as texts."""
    query = """SELECT DATE '2026-01-31' d, TIMESTAMP '2026-01-31 09:30:00' t, 1.25::DECIMAL(9,2) m,
        170141183460469231731687303715884105727::HUGEINT h, [1, 2] l, {'a': 'x'} s, true b"""
    found = run_sql(query, views, KEY)
    assert found.rows == (
        (
            "2026-01-31",
            "2026-01-31T09:30:00",
            "1.25",
            "170141183460469231731687303715884105727",
            [1, 2],
            {"a": "x"},
            True,
        ),
    )


@pytest.mark.parametrize(
    "query",
    [
        "FROM events",
        "SELECT * EXCLUDE (extra) FROM events",
        "WITH paid AS (SELECT * FROM events WHERE event = 'paid') SELECT count(*) FROM paid",
        "SELECT event FROM events UNION SELECT event FROM timelines",
        "SELECT event, row_number() OVER (PARTITION BY person ORDER BY time) FROM events",
        "SELECT quantile_cont(amount_fen, 0.5), approx_count_distinct(person) FROM events",
        "SELECT date_trunc('day', time), strftime(time, '%Y') FROM events LIMIT 1",
        "SELECT e.event FROM events e LEFT JOIN persons p USING (person)",
        "SELECT x FROM events, unnest([1, 2]) AS u(x)",
    ],
)
def test_the_sql_that_analysts_write_is_answered(query: str, views: list[View]) -> None:
    """The check lets through what only reads views."""
    found = ask(query, views)
    assert found.result is not None, found.message


# --- what it refuses ------------------------------------------------------------------------

REFUSED = [
    ("SELECT * FROM read_csv('/etc/passwd')", "is no view"),
    ("SELECT * FROM '/etc/passwd'", "there is no view"),
    ("SELECT * FROM read_text('/proc/self/environ')", "is no view"),
    ("SELECT * FROM read_parquet('LAKE_FILE')", "is no view"),
    ("SELECT * FROM 'LAKE_FILE'", "there is no view"),
    ("SELECT * FROM parquet_metadata('x')", "is no view"),
    ("SELECT * FROM glob('/etc/*')", "is no view"),
    ("SELECT (SELECT count(*) FROM glob('/etc/*'))", "is no view"),
    ("COPY events TO '/tmp/stolen.csv'", "expected a SELECT, got COPY"),
    ("COPY (SELECT 1) TO '/tmp/stolen.csv'", "expected a SELECT, got COPY"),
    ("ATTACH '/tmp/other.db'", "expected a SELECT, got ATTACH"),
    ("SET enable_external_access = true", "expected a SELECT, got SET"),
    ("RESET lock_configuration", "expected a SELECT"),
    ("INSTALL httpfs", "expected a SELECT"),
    ("LOAD httpfs", "expected a SELECT, got LOAD"),
    ("PRAGMA database_list", "expected a SELECT, got PRAGMA"),
    ("CALL pragma_version()", "expected a SELECT, got CALL"),
    ("EXPLAIN SELECT 1", "expected a SELECT, got EXPLAIN"),
    ("SELECT getenv('HOME')", "function 'getenv'"),
    ("SELECT getvariable('mask_key')", "function 'getvariable'"),
    ("SELECT e.event.getvariable() FROM events e", "function 'getvariable'"),
    ("SELECT current_setting('allowed_paths')", "function 'current_setting'"),
    ("SELECT pg_sleep(100)", "function 'pg_sleep'"),
    ("SELECT write_log('x')", "function 'write_log'"),
    ("SELECT * FROM query('SELECT 1')", "is no view"),
    ("SELECT * FROM query_table('events')", "is no view"),
    ("SELECT * FROM duckdb_views()", "is no view"),
    ("SELECT * FROM duckdb_secrets()", "is no view"),
    ("SELECT * FROM which_secret('x', 's3')", "is no view"),
    ("SELECT * FROM information_schema.tables", "there is no view"),
    ("SELECT * FROM sqlite_master", "there is no view"),
    ("SELECT * FROM main.events", "there is no view"),
    ("SELECT * FROM event", "Did you mean 'events'?"),
    ("CREATE TABLE mine AS SELECT 1", "expected a SELECT, got CREATE"),
    ("CREATE OR REPLACE VIEW events AS SELECT 1", "expected a SELECT, got CREATE"),
    ("CREATE MACRO f(x) AS x", "expected a SELECT, got CREATE"),
    ("INSERT INTO events VALUES (1)", "expected a SELECT, got INSERT"),
    ("UPDATE events SET event = 'x'", "expected a SELECT, got UPDATE"),
    ("DELETE FROM events", "expected a SELECT, got DELETE"),
    ("DROP VIEW events", "expected a SELECT, got DROP"),
    ("WITH x AS (DELETE FROM events RETURNING *) SELECT * FROM x", "may not contain DELETE"),
    ("SELECT 1; SELECT 2", "expected one statement, got 2"),
    ("SELECT 1; DROP VIEW events", "expected one statement, got 2"),
    ("", "expected one statement, got 0"),
    ("-- nothing", "expected one statement, got 0"),
    ("WITH events AS (SELECT 1 AS id) SELECT * FROM events", "'events' is a view"),
    ("WITH Events AS (SELECT 1 AS id) SELECT * FROM events", "'events' is a view"),
    ("SELECT * FROM (WITH timelines AS (SELECT 1) SELECT * FROM timelines)", "is a view"),
    ("SELECT $1", "may not contain"),
    ("SELECT ?", "may not contain"),
    ("VALUES (1)", "expected a SELECT"),
]


@pytest.mark.parametrize(("query", "reason"), REFUSED, ids=[query[:40] for query, _ in REFUSED])
def test_everything_else_is_refused(query: str, reason: str, views: list[View]) -> None:
    """Files, settings, extensions, writes, other statements and functions that tell of the process
    are refused by the check, each with its reason."""
    query = query.replace("LAKE_FILE", views[0].files[0])
    found = ask(query, views)
    assert found.error == "forbidden"
    assert reason in f"{found.message} {found.hint}"


@pytest.mark.parametrize(
    "query",
    [
        "SELECT * FROM read_text('/etc/passwd')",
        "COPY events TO '/tmp/stolen.csv'",
        "ATTACH '/tmp/other.db'",
        "SET enable_external_access = true",
        "SET lock_configuration = false",
        "SET allowed_paths = ['/etc/passwd']",
        "INSTALL httpfs",
        "SELECT * FROM glob('/etc/*')",
        "EXPORT DATABASE '/tmp/stolen'",
    ],
)
def test_the_lock_holds_without_the_check(query: str, views: list[View]) -> None:
    """Whatever would pass the check still meets a DuckDB that reads the views' files alone."""
    import duckdb

    files = tuple(path for view in views for path in view.files)
    named = tuple((view.name, view.sql) for view in views)
    connection = locked(Question("", named, files, KEY.hex(), Limits()))
    with pytest.raises(duckdb.Error, match=r"file system operations are disabled|configuration"):
        connection.execute(query)


def test_errors_reach_the_user_as_they_are(views: list[View]) -> None:
    """The other process's refusal has its code, its words and its hint here."""
    with pytest.raises(Forbidden, match="Did you mean 'events'"):
        run_sql("SELECT * FROM evnts", views, KEY)
    with pytest.raises(BadInput, match="cannot read the query"):
        run_sql("SELECT FROM WHERE", views, KEY)
    with pytest.raises(BadInput, match="no_such_column"):
        run_sql("SELECT no_such_column FROM events", views, KEY)


ENDLESS = """WITH RECURSIVE n AS (SELECT 1 AS x UNION ALL SELECT x + 1 FROM n)
    SELECT max(x) FROM n"""


def test_a_runaway_query_ends_at_the_time_limit(views: list[View]) -> None:
    """A question without end is stopped, and says how long it ran."""
    began = time.monotonic()
    with pytest.raises(TooLarge, match=r"longer than 1 s"):
        run_sql(ENDLESS, views, KEY, Limits(seconds=1))
    assert time.monotonic() - began < 20


def test_a_query_that_wants_too_much_memory_ends(views: list[View]) -> None:
    """Memory has a limit too, and nothing is written to disk instead."""
    query = "SELECT list_sort(list(a.x || b.x)) FROM range(3000) a(x), range(3000) b(x)"
    found = ask(query.replace("range(3000)", "unnest(range(3000))"), views, Limits(memory_mb=50))
    assert found.error == "too_large"
    assert "50 MB" in found.message


def test_a_deeply_nested_query_ends_its_own_process_at_most(views: list[View]) -> None:
    """A text made to exhaust the parser is an error like others."""
    with pytest.raises(DipperError):
        run_sql("SELECT " + "(" * 40_000 + "1" + ")" * 40_000, views, KEY)


def test_only_what_was_looked_at_is_run() -> None:
    """The text that runs is written from the tree: comments and the like do not get through."""
    assert checked("SELECT /* x */ 1 -- y", {}) == "SELECT 1"


@pytest.mark.parametrize(
    ("pi_class", "name", "mask"),
    [
        ("none", "amount_fen", "none"),
        ("C1", "city", "none"),
        ("C2", "contact_mobile", "phone"),
        ("C2", "id_card", "document"),
        ("C2", "customer_name", "name"),
        ("C2", "address", "hash"),
        ("C3", "pin", "hidden"),
    ],
)
def test_the_mask_follows_class_and_name(pi_class: str, name: str, mask: str) -> None:
    """C2 is masked by its form, C3 never shown, the rest as it is."""
    assert mask_of(pi_class, name) == mask
