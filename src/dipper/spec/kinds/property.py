"""A property is a named, typed value that events carry or that a person, firm or case has.

The property dictionary (属性字典) gives each name one type and one set of labels in the whole
bank, so that `amount_fen` means the same in every scenario. An event lists the names it carries; a
property that is `of: person` is also a lasting attribute, readable as `person.<name>`. What is
labelled C3 (PINs, track data, biometrics) is removed before anything is written.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from dipper.expr.types import Type
from dipper.spec.document import Name, Project, Ref, Spec, Words, refs_to
from dipper.spec.envelope import ENVELOPE_COLUMNS
from dipper.spec.finding import Finding, warning
from dipper.spec.mentions import KEYWORDS

PiClass = Literal["none", "C1", "C2", "C3"]
PropertyOf = Literal["event", "person", "organisation", "case"]


class Property(Spec):
    """One entry of the property dictionary."""

    kind = "property"
    plural = "properties"
    risk = "medium"
    approver = "managing"

    type: Type = Field(description="one type in the whole bank")
    of: PropertyOf = Field(
        default="event", description="what has it: an event, or a lasting attribute"
    )
    pi_class: PiClass = Field(description="class of personal information; C3 is never stored")
    sensitive: bool = Field(
        default=False, description="sensitive personal information (PIPL Art. 28)"
    )
    level: int | None = Field(
        default=None, ge=1, le=5, description="data security level; not given: 3 for C2, else 2"
    )
    nfra_class: Literal["core", "important", "sensitive", "general"] | None = Field(
        default=None, description="class under the NFRA's data security measures"
    )
    purposes: tuple[Name, ...] | None = Field(
        default=None,
        description="what it may be used for; not given: whatever its event may be used for",
    )
    values: tuple[Words, ...] | None = Field(default=None, description="the allowed texts")
    unit: Words | None = Field(default=None, description="unit of the number, for people")

    @property
    def effective_level(self) -> int:
        """The data security level, 1 to 5."""
        return self.level if self.level is not None else _default_level(self.pi_class)

    def refs(self) -> tuple[Ref, ...]:
        return refs_to("purpose", self.purposes, ("purposes",))

    def findings(self, project: Project) -> list[Finding]:
        return [*self._name_findings(), *self._label_findings(), *self._value_findings()]

    def _name_findings(self) -> list[Finding]:
        if self.name in ENVELOPE_COLUMNS:
            return [
                Finding(
                    "name_taken",
                    f"property '{self.name}' has the name of a column that every event has.",
                    ("name",),
                    f"Send it as the column `{self.name}`, or choose another name.",
                )
            ]
        if self.name in KEYWORDS:
            return [
                Finding(
                    "name_taken",
                    f"property '{self.name}' has the name of a word of the expression language.",
                    ("name",),
                    "Choose another name.",
                )
            ]
        return []

    def _label_findings(self) -> list[Finding]:
        found = []
        if self.pi_class == "C3":
            found.append(
                warning(
                    "never_stored",
                    f"property '{self.name}' is C3: its values are removed before any write.",
                    ("pi_class",),
                    "Stop sending it, if you can.",
                )
            )
        if self.level is not None and self.level < _default_level(self.pi_class):
            found.append(
                warning(
                    "level_low",
                    f"property '{self.name}' is {self.pi_class} but has level {self.level}.",
                    ("level",),
                    f"{self.pi_class} is level {_default_level(self.pi_class)} by the standard.",
                )
            )
        return found

    def _value_findings(self) -> list[Finding]:
        found = []
        if self.values is not None and self.type != "text":
            found.append(
                Finding(
                    "values_of_text",
                    f"property '{self.name}' is {self.type}; only a text has allowed values.",
                    ("values",),
                    "Remove `values`, or make it text.",
                )
            )
        if self.name.endswith("_fen") and self.type != "int":
            found.append(
                Finding(
                    "money_is_int",
                    f"property '{self.name}' is an amount in fen and must be int, got {self.type}.",
                    ("type",),
                    "Money is an integer of the smallest unit.",
                )
            )
        return found


def _default_level(pi_class: PiClass) -> int:
    return {"none": 2, "C1": 2, "C2": 3, "C3": 4}[pi_class]


MODEL = Property

EXAMPLE = """\
kind: property
name: amount_fen
title: {zh: 金额（分）, en: amount in fen}
owners: {business: retail, technical: data-platform, managing: data-office}
type: int
pi_class: C2
level: 3
nfra_class: general
purposes: [personalised_service]
unit: fen
---
kind: property
name: biller
title: {zh: 收费单位类型, en: kind of biller}
owners: {business: retail, technical: data-platform, managing: data-office}
type: text
pi_class: none
values: [water, power, gas, phone]
---
kind: property
name: city
title: {zh: 城市代码, en: city code}
owners: {business: retail, technical: data-platform, managing: data-office}
type: text
of: person
pi_class: C1
---
kind: property
name: age
title: {zh: 年龄, en: age}
owners: {business: retail, technical: data-platform, managing: data-office}
type: int
of: person
pi_class: C2
"""
