"""The texts of typical mistakes, as a person reads them after `dipper check`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from dipper.expr.types import Type
from dipper.spec.check import check
from dipper.spec.kinds.table import PRODUCT_COLUMNS
from dipper.spec.load import load_folder
from dipper.spec.tables import TableVersion

HERE = Path(__file__).parent
GOLDEN = HERE / "spec_errors.txt"


def test_the_texts_of_mistakes_are_those_of_the_golden_file(
    golden: Callable[[Path, str], None],
) -> None:
    """Each says where, what is wrong, what was expected and what to do."""
    columns: dict[str, Type] = dict(PRODUCT_COLUMNS)
    row: dict[str, Any] = dict.fromkeys(columns) | {
        "product": "wealth.stable_growth",
        "class": "wealth",
        "line": "wealth",
        "risk_issuer": 2,
    }
    product = TableVersion.of(
        "product", ("product",), columns, {"wealth.stable_growth": row}, "2026-11-01"
    )
    findings = check(load_folder(HERE / "spec_mistakes"), {"product": product})
    text = "".join(f"{finding.as_text()}\n" for finding in findings)
    golden(GOLDEN, text)
    files = {path.name for path in (HERE / "spec_mistakes").glob("m*.yml")}
    assert files == {line.split("/")[1].split(":")[0] for line in text.splitlines()}
