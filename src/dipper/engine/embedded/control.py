"""The control store on SQLite: small JSON documents by space and key, in WAL mode.

SQLAlchemy Core, so that the same statements run on PostgreSQL.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert

SCHEMA_VERSION = 1

_METADATA = sa.MetaData()
_DOCUMENTS = sa.Table(
    "documents",
    _METADATA,
    sa.Column("space", sa.Text, primary_key=True),
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("document", sa.LargeBinary, nullable=False),
)


class EmbeddedControl:
    """Implements `engine.ports.ControlStore`."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._engine = sa.create_engine(f"sqlite:///{path}")
        with self._engine.begin() as connection:
            connection.execute(sa.text("PRAGMA journal_mode=WAL"))
            connection.execute(sa.text("PRAGMA secure_delete=ON"))
        _METADATA.create_all(self._engine)

    def put(self, space: str, key: str, document: Mapping[str, Any]) -> None:
        """Write or replace one document."""
        value = msgspec.json.encode(document)
        statement = insert(_DOCUMENTS).values(space=space, key=key, document=value)
        statement = statement.on_conflict_do_update(
            index_elements=["space", "key"], set_={"document": value}
        )
        with self._engine.begin() as connection:
            connection.execute(statement)

    def get(self, space: str, key: str) -> dict[str, Any] | None:
        """One document, or None."""
        query = sa.select(_DOCUMENTS.c.document).where(
            _DOCUMENTS.c.space == space, _DOCUMENTS.c.key == key
        )
        with self._engine.connect() as connection:
            value = connection.execute(query).scalar()
        return None if value is None else msgspec.json.decode(value)

    def items(self, space: str) -> list[tuple[str, dict[str, Any]]]:
        """All documents of a space in key order."""
        query = (
            sa.select(_DOCUMENTS.c.key, _DOCUMENTS.c.document)
            .where(_DOCUMENTS.c.space == space)
            .order_by(_DOCUMENTS.c.key)
        )
        with self._engine.connect() as connection:
            return [(key, msgspec.json.decode(value)) for key, value in connection.execute(query)]

    def delete(self, space: str, key: str) -> None:
        """Remove one document, if it is there."""
        with self._engine.begin() as connection:
            connection.execute(
                sa.delete(_DOCUMENTS).where(_DOCUMENTS.c.space == space, _DOCUMENTS.c.key == key)
            )

    def close(self) -> None:
        """Fold the write-ahead log into the file and let go of it."""
        with self._engine.begin() as connection:
            connection.execute(sa.text("PRAGMA wal_checkpoint(TRUNCATE)"))
        self._engine.dispose()
