"""Every module says why it exists, and every layer is one that the architecture draws."""

from __future__ import annotations

import ast
import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "dipper"
MODULES = sorted(SOURCE.rglob("*.py"))


def layers() -> list[str]:
    """The layers of import-linter's contract, those that are optional too."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    (contract,) = settings["tool"]["importlinter"]["contracts"]
    return [name for row in contract["layers"] for name in re.findall(r"\w+", row)]


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_every_module_has_a_docstring(path: Path) -> None:
    """Its first sentence ends."""
    text = ast.get_docstring(ast.parse(path.read_text("utf-8")))
    assert text
    assert text.split("\n\n")[0].rstrip().endswith((".", ":", "?"))


@pytest.mark.parametrize(
    "path",
    [path for path in MODULES if path.name == "__init__.py"],
    ids=lambda path: str(path.relative_to(SOURCE)),
)
def test_packages_do_nothing_when_imported(path: Path) -> None:
    """`__init__.py` holds a docstring and nothing else."""
    body = ast.parse(path.read_text("utf-8")).body
    assert len(body) == 1


def test_every_folder_is_a_layer_with_rules() -> None:
    """A new folder that no rule of imports covers fails here and in `make check`."""
    folders = {path.parent.name for path in SOURCE.glob("*/__init__.py")}
    assert folders <= set(layers())


def test_drivers_stand_in_the_embedded_engine_alone() -> None:
    """DuckDB, LMDB, SQLAlchemy and Delta are imported nowhere else."""
    drivers = {"duckdb", "lmdb", "sqlalchemy", "deltalake"}
    outside = [path for path in MODULES if "engine/embedded" not in path.as_posix()]
    found = []
    for path in outside:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            names = [node.module] if isinstance(node, ast.ImportFrom) else []
            names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            roots = {name.split(".")[0] for name in names if name}
            found += [f"{path.relative_to(SOURCE)}: {name}" for name in roots & drivers]
    assert found == []
