"""Questions in SQL over all history, asked by the platform's own measuring.

Trusted SQL only: what a person types goes to the analysis process with its masks and limits. One
object answers from one version of the lake and one identity, so that the numbers of a report agree
with each other. Two views: `timelines` has one row a record and subject, `events` one a record;
`subject` is who it is today (16 bytes), and a device's rows that belong to a person are that
person's.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from dipper.engine.embedded.lake_file import columns_of
from dipper.engine.embedded.lake_properties import column_sql, missing_sql
from dipper.engine.embedded.lake_schema import ENVELOPE
from dipper.engine.embedded.runner import ReadableLake
from dipper.engine.ports import Identity, LakeFile
from dipper.kit.errors import BadInput, Unavailable
from dipper.kit.hashing import hash128

_KEY = pa.binary()


class History:
    """One version of the lake under one identity. One thread; `close` it."""

    def __init__(
        self, lake: ReadableLake, identity: Identity | None = None, threads: int | None = None
    ) -> None:
        """Without an identity everybody is who they were when their rows were written."""
        self._schema = lake.schema
        files = lake.snapshot().files
        config = {
            "threads": threads or os.cpu_count() or 1,
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
        }
        self._connection = duckdb.connect(config=config)
        self._connection.execute("SET TimeZone = 'UTC'")
        # Files never change, so what their ends say is read once.
        self._connection.execute("SET parquet_metadata_cache = true")
        self._view("own_rows", self._rows(file for file in files if file.kind != "device"))
        self._view("device_rows", self._rows(file for file in files if file.kind == "device"))
        self._identify(identity or Identity({}))

    def query(self, sql: str, parameters: Mapping[str, Any] | None = None) -> pa.Table:
        """The answer; `parameters` fill `$name`. Raises BadInput for SQL that cannot be computed,
        Unavailable when the lake was rewritten meanwhile."""
        try:
            found = self._connection.sql(sql, params=dict(parameters or {}))
            return found.to_arrow_table()
        except duckdb.IOException as error:
            raise Unavailable(
                "the lake was rewritten while it was read.",
                where="history",
                hint="Ask again: the question then sees the newest version.",
            ) from error
        except duckdb.Error as error:
            raise BadInput(f"cannot compute it: {error}", where="history") from error

    def rows(self, sql: str, parameters: Mapping[str, Any] | None = None) -> list[tuple[Any, ...]]:
        """The same as plain tuples, in the order of the query's columns."""
        table = self.query(sql, parameters)
        return list(zip(*(column.to_pylist() for column in table.columns), strict=True))

    @property
    def properties(self) -> frozenset[str]:
        """The declared properties that are columns; all others stand in `extra`."""
        return frozenset(self._schema.names) - frozenset(ENVELOPE.names)

    def close(self) -> None:
        """Release files and memory."""
        self._connection.close()

    # --- views ------------------------------------------------------------------------------

    def _view(self, name: str, sql: str) -> None:
        self._connection.execute(f"CREATE TEMP VIEW {name} AS {sql}")

    def _rows(self, files: Iterable[LakeFile]) -> str:
        """SELECT of all columns over these files; files of one number of columns are read as one.

        A property that was declared after a file was written is read from its `extra`.
        """
        groups: dict[int, list[str]] = {}
        for file in files:
            groups.setdefault(columns_of(Path(file.path)), []).append(file.path)
        if not groups:
            return self._nothing()
        return " UNION ALL ".join(self._group(count, groups[count]) for count in sorted(groups))

    def _group(self, count: int, paths: list[str]) -> str:
        known, late = self._schema.names[:count], self._schema.names[count:]
        columns = [column_sql(name) for name in known]
        columns += [
            f"{missing_sql(name, self._schema.field(name).type)} AS {column_sql(name)}"
            for name in late
        ]
        texts = ", ".join("'" + path.replace("'", "''") + "'" for path in paths)
        return (
            f"SELECT {', '.join(columns)} FROM "  # noqa: S608
            f"read_parquet([{texts}], hive_partitioning = false)"
        )

    def _nothing(self) -> str:
        """No rows, with the types of the lake's columns."""
        self._connection.register("no_rows", self._schema.empty_table())
        return "SELECT * FROM no_rows"

    def _identify(self, identity: Identity) -> None:
        owners = _owners(identity)
        remap = pa.table(
            {
                "key": pa.array(list(identity.remap), _KEY),
                "today": pa.array(list(identity.remap.values()), _KEY),
            }
        )
        self._keep("remap", remap)
        self._keep("owned", owners.filter(pa.compute.is_null(owners["claim"])))
        self._keep("claimed", self._claimed(owners.filter(pa.compute.is_valid(owners["claim"]))))
        self._view("timelines", _TIMELINES)
        self._view("events", "SELECT * FROM timelines WHERE first_row")

    def _keep(self, name: str, table: pa.Table) -> None:
        """A table of the connection's own: views outlive the Arrow object."""
        self._connection.register("given", table)
        self._connection.execute(f"CREATE TEMP TABLE {name} AS SELECT * FROM given")  # noqa: S608
        self._connection.unregister("given")

    def _claimed(self, named: pa.Table) -> pa.Table:
        """Owners by the text of the claim, which is what rows have; keys are hashes of it."""
        claims = []
        if named.num_rows:
            found = self.query("SELECT DISTINCT claim FROM device_rows WHERE claim IS NOT NULL")
            claims = found["claim"].to_pylist()
        texts = {hash128(text): text for text in claims}
        rows = [
            (device, texts[claim], person)
            for device, claim, person in zip(
                *(named[name].to_pylist() for name in ("device", "claim", "person")), strict=True
            )
            if claim in texts
        ]
        devices, written, persons = zip(*rows, strict=True) if rows else ((), (), ())
        return pa.table(
            {
                "device": pa.array(devices, _KEY),
                "claim": pa.array(written, pa.string()),
                "person": pa.array(persons, _KEY),
            }
        )


def _owners(identity: Identity) -> pa.Table:
    """The identity's owners with today's key of each person."""
    given = identity.owners
    columns: dict[str, list[Any]] = {
        name: [] if given is None else given[name].to_pylist()
        for name in ("device", "claim", "person", "from_us", "to_us")
    }
    columns["person"] = [identity.remap.get(key, key) for key in columns["person"]]
    kinds = (_KEY, _KEY, _KEY, pa.int64(), pa.int64())
    return pa.table(
        {
            name: pa.array(values, kind)
            for (name, values), kind in zip(columns.items(), kinds, strict=True)
        }
    )


_TIMELINES = """
SELECT own_rows.* REPLACE (coalesce(today, subject) AS subject), epoch_us(time) AS time_us
FROM own_rows LEFT JOIN remap ON remap.key = subject
UNION ALL
SELECT
    device_rows.* REPLACE (
        coalesce(claimed.person, owned.person, subject) AS subject,
        CASE WHEN claimed.person IS NULL AND owned.person IS NULL THEN kind ELSE 'person' END
        AS kind
    ),
    epoch_us(time) AS time_us
FROM device_rows
LEFT JOIN claimed ON claimed.device = subject AND claimed.claim = device_rows.claim
LEFT JOIN owned
ON owned.device = subject AND owned.from_us <= epoch_us(time) AND epoch_us(time) < owned.to_us
"""
