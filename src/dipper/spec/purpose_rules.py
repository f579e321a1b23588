"""Findings about purposes: what is derived, what an offer reads, what a policy ranks by."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from dipper.spec import lineage
from dipper.spec.bank import Bank
from dipper.spec.document import Spec
from dipper.spec.finding import Finding, warning
from dipper.spec.kinds.offer import Offer
from dipper.spec.kinds.policy import Policy

Effective = Mapping[lineage.Key, lineage.Purposes]


def derived_findings(spec: Spec, bank: Bank, effective: Effective) -> Iterator[Finding]:
    """What a tag or segment states beyond what its inputs carry."""
    own = lineage.stated(bank.program, (spec.kind, spec.name)) or frozenset()
    for key in lineage.inputs(bank.program, spec):
        carried = effective.get(key)
        # An input that may be used for nothing has a finding of its own.
        if carried is None or not carried or own <= carried:
            continue
        extra = sorted(own - carried)
        if not own & carried:
            yield Finding(
                "purpose_empty",
                f"{spec.kind} '{spec.name}' may be used for nothing: it states "
                f"{', '.join(extra)}, its input {key[0]} '{key[1]}' carries "
                f"{', '.join(sorted(carried))}.",
                ("purposes",),
                "What is derived may be used only for what all its inputs may be used for.",
            )
        else:
            yield Finding(
                "purpose_not_carried",
                f"{spec.kind} '{spec.name}' states {', '.join(extra)}, which its input "
                f"{key[0]} '{key[1]}' does not carry.",
                ("purposes",),
                f"That input carries {', '.join(sorted(carried))}.",
            )


def offer_findings(offer: Offer, bank: Bank, effective: Effective) -> Iterator[Finding]:
    """What an offer reads, at any distance, although none of its purposes allows it."""
    made_for = ", ".join(offer.purposes)
    for conflict in lineage.conflicts(bank.program, offer, offer.purposes, effective):
        if conflict.sensitive:
            yield Finding(
                "sensitive_without_separate_consent",
                f"offer '{offer.name}' is made for {made_for} and reads sensitive information: "
                f"{conflict.chain_text()}.",
                conflict.path,
                _sensitive_hint(conflict),
            )
        else:
            yield Finding(
                "purpose_not_carried",
                f"offer '{offer.name}' is made for {made_for} and reads what may not be used "
                f"for it: {conflict.chain_text()}.",
                conflict.path,
                f"It carries {_words(conflict.carried)}.",
            )


def policy_findings(policy: Policy, bank: Bank, effective: Effective) -> Iterator[Finding]:
    """A ranker reads its features for every offer that it ranks."""
    places = bank.objects("placement").values()
    served = {place.name for place in places if place.policy == policy.name}
    offers = [o for o in bank.objects("offer").values() if not served.isdisjoint(o.placements)]
    told: set[tuple[lineage.Key, ...]] = set()
    known: dict[tuple[str, ...], list[lineage.Conflict]] = {}
    for offer in offers:
        if offer.purposes not in known:
            known[offer.purposes] = lineage.conflicts(
                bank.program, policy, offer.purposes, effective
            )
        plain = []
        for conflict in known[offer.purposes]:
            if not conflict.sensitive:
                plain.append(conflict.chain[1])
            elif conflict.chain not in told:
                told.add(conflict.chain)
                yield Finding(
                    "sensitive_without_separate_consent",
                    f"policy '{policy.name}' ranks offer '{offer.name}' "
                    f"({', '.join(offer.purposes)}) by sensitive information: "
                    f"{conflict.chain_text()}.",
                    conflict.path,
                    _sensitive_hint(conflict),
                )
        if plain:
            names = ", ".join(f"{kind} {name}" for kind, name in plain[:3])
            more = f" and {len(plain) - 3} more" if len(plain) > 3 else ""
            yield warning(
                "feature_not_carried",
                f"policy '{policy.name}' ranks offer '{offer.name}' "
                f"({', '.join(offer.purposes)}) by what may not be used for it: {names}{more}.",
                ("features",),
                "Give its placement a policy of its own, or the offer a purpose that they carry.",
            )


def _sensitive_hint(conflict: lineage.Conflict) -> str:
    return (
        "Sensitive information needs a purpose with a separate consent that each link states; "
        f"the last one states {_words(conflict.carried)}."
    )


def _words(purposes: lineage.Purposes) -> str:
    return ", ".join(sorted(purposes)) if purposes else "none"
