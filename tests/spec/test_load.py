"""Reading folders of specs."""

from __future__ import annotations

from pathlib import Path

import pytest

from dipper.kit.errors import NotFound
from dipper.spec.load import SPEC_FILE_MAX, load_folder, load_text


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    specs = tmp_path / "specs"
    specs.mkdir()
    return specs


def texts(folder: Path) -> list[str]:
    return [finding.as_text() for finding in load_folder(folder).findings]


def test_a_folder_is_read_with_its_folders(folder: Path, examples: str) -> None:
    """`.yml` and `.yaml` anywhere below; other files are nobody's business."""
    (folder / "a").mkdir()
    (folder / "a" / "bank.yaml").write_text(examples, encoding="utf-8")
    (folder / "notes.txt").write_text("kind: nonsense")
    loaded = load_folder(folder)
    assert not loaded.findings
    assert len(loaded.objects) == examples.count("\nname: ")
    assert {one.file for one in loaded.objects} == {"specs/a/bank.yaml"}


def test_each_object_knows_its_lines(folder: Path) -> None:
    """A finding can say where each field stands, and where a missing one would."""
    (folder / "s.yml").write_text(
        "kind: segment\nname: s\ntitle: {zh: 一, en: one}\n"
        "owners: {business: b, technical: t, managing: m}\npurposes: [p]\nwhere: |\n  TRUE\n"
    )
    (one,) = load_folder(folder).objects
    assert one.where(("where",)) == "specs/s.yml:6"
    assert one.where(("title", "en")) == "specs/s.yml:3"
    assert one.where(("subject",)) == "specs/s.yml:1"


def test_nothing_stops_at_the_first_mistake(folder: Path, write) -> None:
    """A broken file, a stranger and a nameless thing: each has its finding, the good one loads."""
    (folder / "a.yml").write_text("kind: tag\nname: [\n")
    (folder / "b.yml").write_text("kind: tga\nname: x\n---\njust text\n---\nname: y\n")
    (folder / "c.yml").write_text(write("purpose", "p", basis="contract", notice_version="1"))
    loaded = load_folder(folder)
    assert [one.spec.name for one in loaded.objects] == ["p"]
    assert [(one.where, one.code) for one in loaded.findings] == [
        ("specs/a.yml:3", "bad_yaml"),
        ("specs/b.yml:1", "unknown_kind"),
        ("specs/b.yml:4", "not_a_spec"),
        ("specs/b.yml:6", "missing_kind"),
    ]
    assert loaded.findings[1].hint == "Did you mean 'tag'?"


def test_a_name_is_declared_once(folder: Path, write) -> None:
    """The second declaration is the finding and names the first; the first counts."""
    purpose = write("purpose", "p", basis="contract", notice_version="1")
    other = write("purpose", "p", basis="consent", notice_version="1")
    (folder / "a.yml").write_text(purpose)
    (folder / "b.yml").write_text(f"# second\n{other}")
    loaded = load_folder(folder)
    assert [one.spec.basis for one in loaded.objects] == ["contract"]
    assert texts(folder) == [
        "specs/b.yml:2: purpose 'p' is declared in specs/a.yml:1 already. "
        "Rename one of them, or take one out."
    ]


def test_what_is_read_but_invalid_is_known_as_broken(write) -> None:
    """So that nobody is told that it does not exist."""
    loaded = load_text(write("purpose", "p", basis="none", notice_version="1"))
    assert loaded.broken == {("purpose", "p")}


def test_files_that_are_no_text_or_too_large_are_findings(folder: Path) -> None:
    """Bounded, and read as UTF-8 only."""
    (folder / "a.yml").write_bytes("kind: tag\nname: 标签".encode("gbk"))
    (folder / "b.yml").write_bytes(b"#" * (SPEC_FILE_MAX + 1))
    assert texts(folder) == [
        "specs/a.yml:2: this is not UTF-8. Save the file as UTF-8.",
        "specs/b.yml:1: the file is larger than 1,000,000 bytes. Split it.",
    ]


def test_a_byte_order_mark_is_no_mistake(folder: Path, write) -> None:
    """Editors on Windows write one."""
    text = write("purpose", "p", basis="contract", notice_version="1")
    (folder / "a.yml").write_bytes(b"\xef\xbb\xbf" + text.encode())
    assert texts(folder) == []


def test_no_folder_is_an_error(tmp_path: Path) -> None:
    """That is misuse and no finding."""
    with pytest.raises(NotFound, match="there is no folder"):
        load_folder(tmp_path / "specs")
