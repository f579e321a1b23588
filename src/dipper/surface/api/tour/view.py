"""What a page of the tour shows: plain values in one language, ready for its template."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from dipper.decide.trace import decode
from dipper.decide.words import Words
from dipper.kit.clock import DAY_US, HOUR_US, MINUTE_US, SECOND_US
from dipper.profile.gather import Gathered
from dipper.spec.kinds.cap import Cap
from dipper.spec.kinds.offer import Offer
from dipper.spec.kinds.purpose import Purpose
from dipper.spec.kinds.tag import Tag
from dipper.surface.api.masks import mask_id
from dipper.surface.api.persons import card, find, is_sensitive, is_sensitive_event
from dipper.surface.api.platform import Platform, Reading
from dipper.surface.api.tour.acts import Act, Known
from dipper.surface.api.tour.cast import Figure
from dipper.surface.api.tour.decided import Decision, decision_at, decision_of
from dipper.surface.api.tour.outlook import outlook
from dipper.surface.api.tour.timeline import Said, last_said
from dipper.surface.explaining import decision_event, decisions_of
from dipper.surface.worker.projector import NOW


@dataclass(frozen=True)
class Style:
    """How values are written for one reader: language, zone, titles."""

    bank: Platform
    words: Words
    zone: ZoneInfo

    @property
    def language(self) -> str:
        """`zh` or `en`."""
        return self.words.language

    def moment(self, time_us: int) -> str:
        """Local date and time to the minute, to the second where it is not full."""
        local = datetime.fromtimestamp(time_us / SECOND_US, UTC).astimezone(self.zone)
        return local.strftime("%Y-%m-%d %H:%M:%S" if local.second else "%Y-%m-%d %H:%M")

    def span(self, span_us: int) -> str:
        """A length of time in its largest two units."""
        days, rest = divmod(max(span_us, 0), DAY_US)
        hours, minutes = divmod(rest // MINUTE_US, HOUR_US // MINUTE_US)
        if days:
            return self.words.both(f"{days} 天 {hours} 小时", f"{days} d {hours} h")
        if hours:
            return self.words.both(f"{hours} 小时 {minutes} 分", f"{hours} h {minutes} min")
        return self.words.both(f"{minutes} 分钟", f"{minutes} min")

    def tag(self, name: str, value: Any) -> str:
        """A tag's value as people write it."""
        if isinstance(value, str):
            return value
        return self.words.value(f"tag.{name}", value)

    def title(self, kind: str, name: str) -> str:
        """The title of an object; of a sensitive one that it is hidden."""
        program = self.words.program
        spec = program.get(kind, name)
        hidden = kind in ("tag", "segment") and spec and is_sensitive(program, spec.purposes)
        if hidden or (kind == "event" and is_sensitive_event(program, name)):
            return self.hidden
        return self.words.title(kind, name)

    @property
    def hidden(self) -> str:
        """What stands for something sensitive."""
        return self.words.both("敏感信息，已隐藏", "sensitive, hidden")


def style_of(bank: Platform, reading: Reading, language: str) -> Style:
    """The style of one reader."""
    zone = ZoneInfo(bank.workspace.settings.workspace.time_zone)
    return Style(bank, Words(reading.served.program, reading.served.tables, language), zone)


def figure_view(style: Style, reading: Reading, figure: Figure, found: Gathered) -> dict[str, Any]:
    """Who a figure is: what the state holds of it, masked."""
    shown, program = card(reading, found), reading.served.program
    language = style.language
    shown["tags"] = [
        {
            "title": tag["title"][language],
            "value": style.tag(tag["name"], tag["value"]),
            "at_least": tag["at_least"],
            "events": tag.get("events"),
            "filled": tag["value"] not in (None, 0, "", program.of(Tag)[tag["name"]].default),
        }
        for tag in shown["tags"]
    ]
    shown["segments"] = [
        {
            "title": segment["title"][language] if segment["title"] else style.hidden,
            "sensitive": segment["sensitive"],
        }
        for segment in shown["segments"]
    ]
    shown["consents"] = [
        {"title": style.title("purpose", name), "given": said["given"], "name": name}
        for name, said in shown["consents"].items()
    ]
    shown["holdings"] = [
        {"title": style.words.product(held["product"]), "account": held["account"]}
        for held in shown["holdings"]
    ]
    shown["caps"] = [
        {"title": program.of(Cap)[name].title.of(language), **said}
        for name, said in shown["caps"].items()
    ]
    shown["operator"] = mask_id(figure.operator) if figure.operator else ""
    shown["shared"] = _shared(style, found)
    return shown


def _shared(style: Style, found: Gathered) -> list[dict[str, Any]]:
    """Devices that more than one person was bound to: whose each stretch of time is."""
    own = set(found.keys)
    shared = []
    for _, facts, ownership in found.devices:
        if len(ownership.persons) > 1:
            stretches = [
                {"from": style.moment(binding.time_us), "mine": binding.person in own}
                for binding in facts.bindings
                if binding.is_bound
            ]
            shared.append({"device": mask_id(facts.id), "stretches": _changes(stretches)[-6:]})
    return shared


def _changes(stretches: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Only those that begin with another person."""
    kept: list[dict[str, Any]] = []
    for stretch in stretches:
        if not kept or kept[-1]["mine"] != stretch["mine"]:
            kept.append(stretch)
    return kept


def ahead(style: Style, reading: Reading, found: Gathered) -> list[dict[str, Any]]:
    """What the clock alone will change, the soonest first."""
    return [
        {
            "segment": style.title("segment", turn.segment),
            "enters": turn.is_member,
            "at": style.moment(turn.at_us),
            "in": style.span(turn.at_us - reading.now_us),
            "events": [
                {
                    "title": style.title("event", gone.event),
                    "at": style.moment(gone.time_us),
                    "count": count,
                }
                for gone, count in Counter(turn.sliding).items()
            ],
        }
        for turn in outlook(found, reading.served.tag_table, reading.now_us)
    ]


def changes_of(style: Style, before: Known, after: Known) -> dict[str, Any]:
    """What an act has changed: tags from and to, segments entered and left."""
    return {
        "tags": [
            {
                "title": style.title("tag", name),
                "before": style.tag(name, before.tags.get(name)),
                "after": style.tag(name, value),
            }
            for name, value in after.tags.items()
            if before.tags.get(name) != value and style.title("tag", name) != style.hidden
        ],
        "entered": [style.title("segment", s) for s in sorted(after.segments - before.segments)],
        "left": [style.title("segment", s) for s in sorted(before.segments - after.segments)],
    }


def act_view(style: Style, act: Act) -> dict[str, Any]:
    """An act with everything that came of it."""
    bank, language = style.bank, style.language
    return {
        "kind": act.kind,
        "milliseconds": round(act.seconds * 1000),
        "changes": changes_of(style, act.before, act.after),
        "from": style.moment(act.before.now_us),
        "to": style.moment(act.after.now_us),
        "times": act.times,
        "preset": act.preset,
        "asked": None if act.asked is None else decision_at(bank, act.asked.position, language),
        "asked_before": None
        if act.asked_before is None
        else decision_at(bank, act.asked_before.position, language),
        "own": [
            {
                "title": style.title("event", turned.turn),
                "segment": style.title("segment", turned.segment),
                "at": style.moment(turned.time_us),
            }
            for turned in act.own
        ],
        "everybody": [
            {
                "title": style.title("event", turn),
                "segment": style.title("segment", segment),
                "count": count,
            }
            for (turn, segment), count in sorted(act.everybody.items(), key=lambda item: -item[1])
        ],
    }


def latest_decision(style: Style, reading: Reading, figure: Figure) -> Decision | None:
    """The last stored decision about a figure at its placement, if the state remembers one."""
    bank = style.bank
    for decision_id in decisions_of(reading.view, reading.served, figure.text, reading.now_us):
        trace = decode(bytes(decision_event(reading.view, bank.log, decision_id).properties))
        if trace.placement == figure.role.placement:
            return decision_of(bank, trace, style.language)
    return None


def consent_of(style: Style, reading: Reading, figure: Figure) -> tuple[str, str]:
    """The purpose on which the asked offer rests, and its title: what can be withdrawn."""
    program = reading.served.program
    offer = program.of(Offer).get(figure.role.asked)
    purposes = () if offer is None else offer.purposes
    name = next((p for p in purposes if program.of(Purpose)[p].basis == "consent"), "")
    return name, style.title("purpose", name) if name else ""


def _about(style: Style, one: Said) -> str:
    """The object that a record is about; nothing where the event itself is hidden."""
    if not one.about or style.title("event", one.event) == style.hidden:
        return ""
    return style.title(one.about_kind, one.about)


def person_page(style: Style, reading: Reading, figure: Figure) -> dict[str, Any]:
    """Everything that the page of a figure shows beside what a visitor did."""
    found = find(reading, figure.text)
    ids = [*found.ids(), *(facts.id for _, facts, _ in found.devices)]
    said = last_said(style.bank.log, ids)
    purpose, purpose_title = consent_of(style, reading, figure)
    return {
        "who": figure_view(style, reading, figure, found),
        "ahead": ahead(style, reading, found),
        "purpose": purpose,
        "purpose_title": purpose_title,
        "said": [
            {
                "at": style.moment(one.time_us),
                "title": style.title("event", one.event),
                "about": _about(style, one),
                "source": one.source,
                "turn": one.event.startswith("segment_"),
                "place": f"{one.partition}:{one.offset}",
            }
            for one in said
        ],
        "now": style.moment(reading.now_us),
        "is_virtual": reading.view.get("meta", NOW) is not None,
    }
