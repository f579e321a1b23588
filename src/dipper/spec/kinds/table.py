"""A reference table (参照表) is the shape, key, owner and validity of data that changes by itself.

Products and their issues, the organisation tree, code tables, rates: the spec says which columns
there are, the rows arrive by feed or as `tables/<name>.csv`, versioned by business date. The table
`product` is the one that offers, suitability and holdings read: its columns are fixed, and its risk
levels are 1 to 5.
"""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import Field

from dipper.expr.types import Type
from dipper.spec.document import Name, Project, Spec
from dipper.spec.finding import Finding

PRODUCT = "product"

PRODUCT_COLUMNS: dict[str, Type] = {
    "product": "text",
    "class": "text",
    "line": "text",
    "title_zh": "text",
    "title_en": "text",
    "issuer": "text",
    "risk_issuer": "int",
    "risk_seller": "int",
    "currency": "text",
    "minimum_fen": "int",
    "term_days": "int",
    "sale_from": "date",
    "sale_to": "date",
    "channels": "text",
    "serves": "text",
}


RISK_LEVELS = (1, 2, 3, 4, 5)
"""R1 to R5 of a product, C1 to C5 of a person: suitability compares them."""

LEVEL_COLUMNS = frozenset({"risk_issuer", "risk_seller"})


class Table(Spec):
    """The shape of a reference table."""

    kind = "table"
    plural = "tables"
    risk = "medium"
    approver = "technical"

    key: tuple[Name, ...] = Field(min_length=1, description="the columns that name a row")
    columns: Mapping[Name, Type] = Field(min_length=1, description="each column's type")
    validity_days: int | None = Field(
        default=None, ge=1, description="after how many days without new rows it is stale"
    )

    def findings(self, project: Project) -> list[Finding]:
        found = [
            Finding(
                "key_without_column",
                f"table '{self.name}' has the key '{name}', which is none of its columns.",
                ("key", place),
                "Add it to `columns`.",
            )
            for place, name in enumerate(self.key)
            if name not in self.columns
        ]
        return found + (self._product_findings() if self.name == PRODUCT else [])

    def _product_findings(self) -> list[Finding]:
        found = []
        if self.key != (PRODUCT,):
            found.append(
                Finding("product_key", "the key of table 'product' is [product].", ("key",))
            )
        for column, expected in PRODUCT_COLUMNS.items():
            got = self.columns.get(column)
            if got is None:
                found.append(
                    Finding(
                        "product_column",
                        f"table 'product' lacks the column '{column}'.",
                        ("columns",),
                        f"Add `{column}: {expected}`; its cells may be empty.",
                    )
                )
            elif got != expected:
                found.append(
                    Finding(
                        "product_column",
                        f"column '{column}' of table 'product' must be {expected}, got {got}.",
                        ("columns", column),
                    )
                )
        return found


MODEL = Table

EXAMPLE = """\
kind: table
name: product
title: {zh: 产品表, en: products}
owners: {business: product-office, technical: data-platform, managing: retail-head}
key: [product]
columns:
  product: text
  class: text
  line: text
  title_zh: text
  title_en: text
  issuer: text
  risk_issuer: int
  risk_seller: int
  currency: text
  minimum_fen: int
  term_days: int
  sale_from: date
  sale_to: date
  channels: text
  serves: text
validity_days: 7
"""
