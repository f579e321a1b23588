"""What a file is, from its name and its first bytes: format, encoding, delimiter."""

from __future__ import annotations

import csv
from pathlib import Path

from dipper.feed.mapping import FileShape
from dipper.kit.errors import BadInput

SAMPLE_BYTES = 1 << 20
ENCODINGS = ("utf-8", "gb18030", "utf-16", "latin-1")
DELIMITERS = ",;\t|"


def sniff(path: Path) -> FileShape:
    """The shape of a file. Raises BadInput when it is missing, empty or nothing that we read."""
    try:
        with path.open("rb") as file:
            sample = file.read(SAMPLE_BYTES)
    except OSError as error:
        raise BadInput(f"cannot be read: {error.strerror}.", where=str(path)) from error
    if not sample:
        raise BadInput("the file is empty.", where=str(path))
    if sample.startswith(b"PAR1"):
        return FileShape(format="parquet")
    text, encoding = _decode(sample, path)
    first = text.lstrip("\ufeff \r\n\t")[:1]
    if path.suffix.lower() in (".ndjson", ".jsonl") or first == "{":
        return FileShape(format="ndjson", encoding=encoding)
    return FileShape(format="csv", encoding=encoding, delimiter=_delimiter(text, path))


def _decode(sample: bytes, path: Path) -> tuple[str, str]:
    if b"\x00" in sample and not sample.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise BadInput(
            "binary content: expected CSV, NDJSON or Parquet.",
            where=str(path),
            hint="Unpack it first, if it is compressed.",
        )
    for encoding in ENCODINGS:
        if encoding == "utf-16" and not sample.startswith((b"\xff\xfe", b"\xfe\xff")):
            continue
        for cut in range(4):  # The sample may end inside a character.
            try:
                text = sample[: len(sample) - cut].decode(encoding)
            except UnicodeDecodeError:
                continue
            return text, "utf-8-sig" if text.startswith(
                "\ufeff"
            ) and encoding == "utf-8" else encoding
    raise AssertionError("latin-1 decodes every byte")


def _delimiter(text: str, path: Path) -> str:
    """The delimiter that gives the most columns, the same number in every row of the sample."""
    lines = text.splitlines()
    lines = lines[: max(1, min(200, len(lines) - 1))]
    best = ("", 0)
    for delimiter in DELIMITERS:
        widths = {len(row) for row in csv.reader(lines, delimiter=delimiter) if row}
        if len(widths) == 1 and (width := widths.pop()) > max(1, best[1]):
            best = (delimiter, width)
    if not best[0]:
        raise BadInput(
            "no delimiter of , ; tab or | gives every row the same number of columns.",
            where=str(path),
            hint="Say it in a map: file: {format: csv, delimiter: ...}.",
        )
    return best[0]
