"""A map says how the rows of a file become events. It is written by `guess`, reviewed by a person.

Every column of the envelope, every subject and every property names the file's column that it comes
from; nothing is mapped silently. A map is YAML, so that it can be reviewed and kept in Git.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from dipper.kit.errors import BadInput

PropertyType = Literal["text", "int", "double", "bool", "timestamp", "date"]
TimeFormat = Literal["iso", "epoch_s", "epoch_ms", "epoch_us"]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class FileShape(_Part):
    """How the bytes are to be read."""

    format: Literal["csv", "parquet", "ndjson"]
    encoding: str = "utf-8"
    delimiter: str = ","


class EventName(_Part):
    """The event of a row: one for the whole file, or from a column through a dictionary.

    A value that `values` does not list becomes its snake_case form.
    """

    value: str | None = None
    column: str | None = None
    values: dict[str, str] = {}


class EventTime(_Part):
    """The event time. Without a zone of its own a time is in `zone`."""

    column: str
    format: TimeFormat = "iso"
    zone: str = "UTC"


class SubjectColumn(_Part):
    """The id of one role: `type` is the id type, `column` holds the value."""

    type: str
    column: str


class PropertyColumn(_Part):
    """One property: the file's column and the type it is read as."""

    column: str
    type: PropertyType = "text"


class Map(_Part):
    """A whole map. `seq` and `message_id` default to the row number."""

    source: str
    file: FileShape
    event: EventName
    time: EventTime
    seq: str | None = Field(None, description="Column of the order among equal times.")
    message_id: list[str] = Field(
        [], description="Columns of the declared key; none = file and row."
    )
    subjects: dict[str, SubjectColumn]
    columns: dict[str, str] = Field({}, description="Envelope column -> the file's column.")
    properties: dict[str, PropertyColumn] = {}

    def used_columns(self) -> list[str]:
        """Every column of the file that the map reads, each once."""
        used = [self.time.column, *self.message_id, *self.columns.values()]
        used += [subject.column for subject in self.subjects.values()]
        used += [item.column for item in self.properties.values()]
        if self.event.column:
            used.append(self.event.column)
        if self.seq:
            used.append(self.seq)
        return list(dict.fromkeys(used))


def load_map(path: Path) -> Map:
    """Read a map. Raises BadInput naming every wrong field."""
    try:
        raw = YAML(typ="safe").load(path.read_text("utf-8"))
    except FileNotFoundError as error:
        raise BadInput("no such map.", where=str(path)) from error
    except (YAMLError, UnicodeDecodeError) as error:
        raise BadInput(f"not valid YAML: {error}", where=str(path)) from error
    try:
        found = Map.model_validate(raw)
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(str(step) for step in item['loc'])}: {item['msg']}"
            for item in error.errors()
        )
        raise BadInput(problems, where=str(path)) from error
    if (found.event.value is None) == (found.event.column is None):
        raise BadInput("event needs either `value` or `column`.", where=str(path))
    if not found.subjects:
        raise BadInput("at least one subject is needed.", where=str(path))
    return found


def dump_map(found: Map, notes: list[str]) -> str:
    """YAML text of a map, with what the guesser noticed as comments on top."""
    document: dict[str, Any] = found.model_dump(exclude_defaults=True)
    document["file"] = found.file.model_dump()
    buffer = io.StringIO()
    yaml = YAML()
    yaml.default_flow_style = None
    yaml.width = 100
    yaml.dump(document, buffer)
    head = "".join(f"# {note}\n" for note in notes)
    return head + buffer.getvalue()
