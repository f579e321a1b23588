"""All that is wrong with a set of specs beside the form of each: names, types, circles, purposes.

Each rule is a function from the project to findings; none stops at the first and none depends on
another having passed. What cannot be judged because something below it is broken is left alone:
one mistake gives one finding.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from dipper.expr.problems import ExpressionError
from dipper.kit.errors import did_you_mean
from dipper.spec import lineage, purpose_rules, reserved
from dipper.spec import registry as registries
from dipper.spec.bank import Bank
from dipper.spec.document import Spec, Written
from dipper.spec.expressions import Place, parse_all
from dipper.spec.finding import Finding, in_order
from dipper.spec.kinds.offer import Offer
from dipper.spec.kinds.policy import Policy
from dipper.spec.kinds.property import Property
from dipper.spec.kinds.table import PRODUCT
from dipper.spec.kinds.tag import Tag
from dipper.spec.load import Loaded, SpecObject
from dipper.spec.mentions import mentions
from dipper.spec.program import Program
from dipper.spec.registry import Registry
from dipper.spec.scope import subject_of
from dipper.spec.tables import TableVersion


def check(
    loaded: Loaded,
    tables: Mapping[str, TableVersion] | None = None,
    registry: Registry | None = None,
) -> list[Finding]:
    """All findings of loading and of checking, in the order of files and lines.

    `tables` are the current versions of the reference tables; rules over a table that has none are
    not applied.
    """
    program = Program.from_objects(found.spec for found in loaded.objects)
    bank = Bank(
        program,
        parse_all(program),
        tables or {},
        registry or registries.build(),
        loaded.broken,
    )
    found = list(loaded.findings)
    effective = lineage.effective_purposes(program)
    for one in loaded.objects:
        for finding in _findings(one.spec, bank, effective):
            found.append(finding.at(one.where(finding.path), one.spec.kind, one.spec.name))
    found += _circle_findings(loaded.objects, bank)
    return in_order(found)


def _findings(
    spec: Spec, bank: Bank, effective: Mapping[lineage.Key, lineage.Purposes]
) -> Iterator[Finding]:
    yield from _reserved_findings(spec)
    yield from _ref_findings(spec, bank)
    yield from spec.findings(bank)
    yield from _expression_findings(spec, bank)
    yield from _mention_findings(spec, bank)
    if isinstance(spec, Tag):
        yield from _default_findings(spec, bank)
    if spec.kind in lineage.DERIVED:
        yield from purpose_rules.derived_findings(spec, bank, effective)
    if isinstance(spec, Offer):
        yield from purpose_rules.offer_findings(spec, bank, effective)
    if isinstance(spec, Policy):
        yield from purpose_rules.policy_findings(spec, bank, effective)


def _reserved_findings(spec: Spec) -> Iterator[Finding]:
    if reserved.is_reserved(spec.kind, spec.name):
        yield Finding(
            "reserved_name",
            f"{spec.kind} '{spec.name}' is built in and cannot be redefined.",
            ("name",),
            "Use it as it is, or choose another name.",
        )


def _ref_findings(spec: Spec, bank: Bank) -> Iterator[Finding]:
    """References of fields; what an expression mentions is found by typing it."""
    for ref in spec.refs():
        key = (ref.kind, ref.name)
        if ref.mentioned or bank.get(*key) is not None or key in bank.broken:
            continue
        known = bank.names(ref.kind)
        place = " in the tracking plan" if ref.kind == "event" else ""
        yield Finding(
            "unknown_reference",
            f"{ref.kind} '{ref.name}' is not {place.strip() or 'declared'}.",
            ref.path,
            did_you_mean(ref.name, known) or _listed(known, ref.kind, bank),
        )


def _listed(known: tuple[str, ...], kind: str, bank: Bank) -> str:
    plural = bank.registry.kinds[kind].plural if kind in bank.registry.kinds else f"{kind}s"
    own = [name for name in known if not reserved.is_reserved(kind, name)]
    if not own:
        return f"There are no {plural} yet."
    more = f" and {len(own) - 5} more" if len(own) > 5 else ""
    return f"The {plural} are {', '.join(own[:5])}{more}."


def _expression_findings(spec: Spec, bank: Bank) -> Iterator[Finding]:
    for written in spec.written():
        place: Place = (spec.kind, spec.name, written.path)
        error = bank.expressions.errors.get(place)
        if error is None or _reads_broken(written, bank):
            continue
        other = list(_other_subject_findings(spec, written, bank))
        yield from other or _error_findings(spec, written, error)


def _error_findings(spec: Spec, written: Written, error: ExpressionError) -> Iterator[Finding]:
    over = ""
    if written.reads == "event" and written.events:
        over = f" over {', '.join(written.events)}"
    for problem in error.problems:
        message = f"the expression of {spec.kind} '{spec.name}'{over}: {problem.message}"
        yield Finding(error.code, message, written.path, problem.hint)


def _reads_broken(written: Written, bank: Bank) -> bool:
    """Whether the text cannot be judged: what it reads has findings of its own."""
    missing = [name for name in written.events if bank.get("event", name) is None]
    return bool(missing) or any((ref.kind, ref.name) in bank.broken for ref in written.refs())


def _other_subject_findings(spec: Spec, written: Written, bank: Bank) -> Iterator[Finding]:
    """What a text reads although it is about another kind of subject: clearer than 'unknown'."""
    if written.reads == "event":
        return
    subject = written.subject or subject_of(bank.program, spec)
    for ref in written.refs():
        read = bank.get(ref.kind, ref.name) if ref.kind in lineage.DERIVED else None
        if read is not None and read.subject != subject:
            yield Finding(
                "other_subject",
                f"{ref.kind} '{ref.name}' is about {read.subject}, but {spec.kind} "
                f"'{spec.name}' is about {subject}.",
                written.path,
                f"Read a {ref.kind} whose subject is {subject}.",
            )


def _default_findings(tag: Tag, bank: Bank) -> Iterator[Finding]:
    expected = bank.expressions.tag_types.get(tag.name)
    if tag.default is None or expected is None:
        return
    given = {bool: ("bool",), int: ("int", "double"), float: ("double",)}.get(
        type(tag.default), ("text", "timestamp", "date")
    )
    if expected not in given:
        yield Finding(
            "default_of_type",
            f"tag '{tag.name}' is {expected}, but its default is {tag.default!r}.",
            ("default",),
            f"Give it a default of type {expected}, or none.",
        )


def _mention_findings(spec: Spec, bank: Bank) -> Iterator[Finding]:
    """What typing cannot see: the clock, products and lines in texts, what is never stored."""
    rows = bank.rows(PRODUCT)
    for written in spec.written():
        found = mentions(written.text)
        if written.reads == "event" and any(call.function == "now" for call in found.calls):
            yield Finding(
                "clock_in_condition",
                f"the condition of {spec.kind} '{spec.name}' reads the clock.",
                written.path,
                "Whether an event counts must not depend on when it is asked. Use a window.",
            )
        for function, column in (("holds", "product"), ("holds_line", "line")):
            known = rows.values(column) if rows is not None else None
            for name in found.literals(function):
                if known is not None and name not in known:
                    yield Finding(
                        "unknown_product",
                        f"{column} '{name}' is not in table 'product'.",
                        written.path,
                        did_you_mean(name, sorted(known)),
                    )
    for ref in spec.refs():
        read = bank.get(ref.kind, ref.name)
        if isinstance(read, Property) and read.pi_class == "C3" and spec.kind != "event":
            yield Finding(
                "reads_never_stored",
                f"{spec.kind} '{spec.name}' reads '{read.name}', which is C3 and never stored.",
                ref.path,
                "There is nothing to read: use another property.",
            )


def _circle_findings(objects: Iterable[SpecObject], bank: Bank) -> Iterator[Finding]:
    own = {(one.spec.kind, one.spec.name): one for one in objects}
    for circle in lineage.cycles(bank.program):
        chain = " -> ".join(f"{kind} {name}" for kind, name in (*circle, circle[0]))
        one = own[circle[0]]
        path = lineage.inputs(bank.program, one.spec)[circle[1 % len(circle)]]
        finding = Finding(
            "circle",
            f"{chain} is a circle: none of them can be computed first.",
            path,
            "Take one of the references out.",
        )
        yield finding.at(one.where(path), *circle[0])
