"""SQL for people: one SELECT over masked views, in a process of its own, within limits.

The asking process makes the views and starts `python -m dipper.engine.embedded.analysis`; that
process checks the query (`analysis_check.py`), locks DuckDB - no file but those of the views, no
extension, no setting - runs it and answers in JSON. Whatever goes wrong in it, a crash included,
ends with it.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import msgspec

from dipper.kit.errors import BadInput, DipperError, Forbidden, TooLarge, Unavailable

if TYPE_CHECKING:
    import duckdb

    from dipper.engine.embedded.analysis_views import View

START_S = 20.0
"""What starting the process and ending a query may take beside the query itself."""


class Limits(msgspec.Struct, frozen=True):
    """What one question may use."""

    rows: int = 10_000
    seconds: float = 30.0
    memory_mb: int = 1_024
    threads: int = 2


class SqlResult(msgspec.Struct, frozen=True):
    """Rows in the order of the query; `is_truncated` when there were more than the limit."""

    columns: tuple[str, ...]
    types: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]
    is_truncated: bool
    seconds: float


class Question(msgspec.Struct, frozen=True):
    """What goes to the process."""

    query: str
    views: tuple[tuple[str, str], ...]
    files: tuple[str, ...]
    key: str
    limits: Limits


class Answer(msgspec.Struct, frozen=True):
    """What comes back: a result, or the error that the user sees."""

    result: SqlResult | None = None
    error: str = ""
    message: str = ""
    hint: str = ""


_ERRORS: dict[str, type[DipperError]] = {
    each.code: each for each in (BadInput, Forbidden, TooLarge, Unavailable)
}


def run_sql(
    query: str, views: Sequence[View], key: bytes, limits: Limits | None = None
) -> SqlResult:
    """Answer one SELECT over the views; `key` makes the keyed hashes of masked values.

    Raises BadInput for SQL that cannot be read or computed, Forbidden for anything but one SELECT
    over the views, TooLarge for what needs more time or memory than `limits`, Unavailable when the
    process could not answer.
    """
    limits = limits or Limits()
    question = Question(
        query=query,
        views=tuple((view.name, view.sql) for view in views),
        files=tuple(path for view in views for path in view.files),
        key=key.hex(),
        limits=limits,
    )
    try:
        ended = subprocess.run(
            [sys.executable, "-m", "dipper.engine.embedded.analysis"],
            input=msgspec.json.encode(question),
            capture_output=True,
            timeout=limits.seconds + START_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise _too_long(limits) from error
    if ended.returncode != 0:
        said = ended.stderr.decode(errors="replace").strip().splitlines()[-1:]
        raise Unavailable(
            f"the analysis process ended with {ended.returncode}: {' '.join(said)[:200]}",
            where="sql",
        )
    answer = msgspec.json.decode(ended.stdout, type=Answer)
    if answer.result is None:
        raise _ERRORS[answer.error](answer.message, where="sql", hint=answer.hint)
    return answer.result


def answer(question: Question) -> Answer:
    """Check and run one question in this process."""
    from dipper.engine.embedded.analysis_check import checked

    try:
        query = checked(question.query, dict(question.views))
        return Answer(_run(query, question))
    except DipperError as error:
        return Answer(None, error.code, error.message, error.hint)


def _run(query: str, question: Question) -> SqlResult:
    import duckdb

    limits = question.limits
    connection = locked(question)
    alarm = threading.Timer(limits.seconds, connection.interrupt)
    alarm.daemon = True
    began = time.monotonic()
    alarm.start()
    try:
        reader = connection.sql(query).to_arrow_reader(limits.rows + 1)
        batches, count = [], 0
        for batch in reader:
            batches.append(batch)
            count += batch.num_rows
            if count > limits.rows:
                break
    except duckdb.InterruptException as error:
        raise _too_long(limits) from error
    except duckdb.OutOfMemoryException as error:
        raise TooLarge(
            f"the query needs more than {limits.memory_mb:,} MB.",
            hint="Ask for less at once: fewer days, fewer columns.",
        ) from error
    except duckdb.Error as error:
        raise BadInput(f"cannot compute the query: {_first_lines(error)}") from error
    finally:
        alarm.cancel()
    rows = [tuple(_plain(cell) for cell in row.values()) for row in _rows(batches)]
    return SqlResult(
        columns=tuple(reader.schema.names),
        types=tuple(str(each.type) for each in reader.schema),
        rows=tuple(rows[: limits.rows]),
        is_truncated=count > limits.rows,
        seconds=round(time.monotonic() - began, 3),
    )


def locked(question: Question) -> duckdb.DuckDBPyConnection:
    """A DuckDB in memory with the views, that can read their files and change nothing."""
    import duckdb

    limits = question.limits
    connection = duckdb.connect(
        config={
            "threads": limits.threads,
            "memory_limit": f"{limits.memory_mb}MB",
            "autoload_known_extensions": False,
            "autoinstall_known_extensions": False,
            "allow_community_extensions": False,
            "python_enable_replacements": False,
        }
    )
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute("SET temp_directory = ''")
    paths = ", ".join("'" + path.replace("'", "''") + "'" for path in question.files)
    connection.execute(f"SET allowed_paths = [{paths}]")
    connection.execute(f"SET VARIABLE mask_key = '{bytes.fromhex(question.key).hex()}'")
    for name, sql in question.views:
        connection.execute(f'CREATE VIEW "{name}" AS {sql}')
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")
    return connection


def _rows(batches: Sequence[Any]) -> list[Mapping[str, Any]]:
    """Rows as lists of cells; two columns may have one name, so that names are numbered."""
    rows = []
    for batch in batches:
        numbered = batch.rename_columns([str(at) for at in range(batch.num_columns)])
        rows += numbered.to_pylist()
    return rows


def _plain(value: Any) -> Any:
    """A cell as JSON has it: what JSON does not know becomes text."""
    if isinstance(value, Decimal):
        # A sum of integers comes as a decimal without places.
        value = int(value) if value.as_tuple().exponent == 0 else str(value)
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        return str(value)
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if isinstance(value, dict):
        return {str(name): _plain(each) for name, each in value.items()}
    return value


def _too_long(limits: Limits) -> TooLarge:
    return TooLarge(
        f"the query ran longer than {limits.seconds:g} s.",
        where="sql",
        hint="Ask for less at once: fewer days, fewer columns.",
    )


def _first_lines(error: Exception) -> str:
    return " ".join(str(error).split("\n\n")[0].split())[:500]


def main() -> None:
    """Read a question from standard input, write its answer to standard output."""
    import logging

    logging.disable()  # sqlglot warns of what it cannot parse; the answer says it.
    question = msgspec.json.decode(sys.stdin.buffer.read(), type=Question)
    sys.stdout.buffer.write(msgspec.json.encode(answer(question)))
    sys.stdout.buffer.flush()
    # DuckDB's threads may still run what was interrupted: nothing here is worth waiting for.
    os._exit(0)


if __name__ == "__main__":
    main()
