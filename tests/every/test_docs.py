"""Commands and links of the documents lead somewhere; no file names a place of one machine."""

from __future__ import annotations

import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from dipper.surface.cli import reference
from dipper.surface.cli.main import VERBS

ROOT = Path(__file__).parents[2]
HAND_WRITTEN = [
    ROOT / "README.md",
    ROOT / "README.zh-CN.md",
    ROOT / "docs" / "start.md",
    *sorted((ROOT / "docs" / "guide").glob("*.md")),
    *sorted((ROOT / "examples").rglob("README.md")),
]
PAGES = [*ROOT.glob("*.md"), *sorted((ROOT / "docs").rglob("*.md"))]
REFERENCE = ROOT / "docs" / "reference"

FENCE = re.compile(r"^```[^\n]*\n(.*?)^```", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"`((?:\.venv/bin/)?dipper [^`]+)`")
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")


def commands(path: Path) -> Iterator[list[str]]:
    """The `dipper …` commands of a page's fenced blocks, split as a shell would."""
    for block in FENCE.findall(path.read_text("utf-8")):
        for line in block.replace("\\\n", " ").splitlines():
            for part in line.split("&&"):
                words = part.split()
                if words and words[0].removeprefix(".venv/bin/") == "dipper":
                    yield shlex.split(part, comments=True)[1:]


def tracked() -> list[Path]:
    """All files under version control that are there, as far as they are text of ours."""
    done = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return [ROOT / name for name in done.stdout.split("\0") if name and (ROOT / name).is_file()]


@pytest.mark.parametrize("path", HAND_WRITTEN, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_fenced_command_is_one(path: Path) -> None:
    """The verb exists, and its parser takes the options and arguments."""
    for verb, *arguments in commands(path):
        reference.understood(verb, arguments)


@pytest.mark.parametrize("path", HAND_WRITTEN, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_command_in_the_text_has_a_verb(path: Path) -> None:
    """Words in the running text may leave out arguments, not invent verbs."""
    for text in INLINE.findall(path.read_text("utf-8")):
        verb = text.split()[1]
        assert verb in (*VERBS, "--help", "--version"), text


def test_the_documents_have_commands() -> None:
    """The search for them finds some."""
    assert len([one for path in HAND_WRITTEN for one in commands(path)]) > 10


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_leads_to_a_file(path: Path) -> None:
    """Links within the repository; addresses of the web are not asked."""
    targets = [one for one in LINK.findall(path.read_text("utf-8")) if "://" not in one]
    assert [one for one in targets if not (path.parent / one).exists()] == []


def test_the_index_lists_every_page() -> None:
    """docs/reference/index.md is generated; `make docs` writes it anew."""
    assert (REFERENCE / "index.md").read_text("utf-8") == reference.index_page(REFERENCE)


def test_decisions_are_numbered_without_gaps() -> None:
    """A number is given once, and the list names every page."""
    folder = ROOT / "docs" / "decisions"
    names = sorted(path.name for path in folder.glob("[0-9]*.md"))
    assert [int(name[:4]) for name in names] == list(range(1, len(names) + 1))
    listed = (folder / "README.md").read_text("utf-8")
    assert [name for name in names if f"({name})" not in listed] == []


def test_both_readmes_name_the_same_commands() -> None:
    """Whoever reads Chinese is told the same."""
    english, chinese = (list(commands(ROOT / name)) for name in ("README.md", "README.zh-CN.md"))
    assert english == chinese


def test_no_file_names_a_place_of_one_machine() -> None:
    """No home folder, no index of packages other than the public default."""
    wrong = re.compile(
        r"/root/|/work/(?:main|shared)|/Users/[a-z]|--(?:extra-)?index-url|trusted-host"
        r"|files\.pythonhosted|registry\.npm|(?:pypi|mirrors?)\.[a-z]+\.(?:com|cn|edu|org)"
    )
    found = [
        f"{path.relative_to(ROOT)}: {match.group()}"
        for path in tracked()
        if path != Path(__file__) and path.suffix not in (".png", ".parquet", ".bin")
        for match in [wrong.search(path.read_text("utf-8", errors="replace"))]
        if match
    ]
    assert found == []
