"""Who the tour shows: five persons and a shop, found by what the state says of them.

Nobody is written down here: each role is a condition, and the first who meets it plays it. The
names are made up; what is shown of their ids is masked. The cast is kept in memory only, so that
an erasure leaves nothing of it behind.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from dipper.decide.request import DecideRequest
from dipper.engine.embedded.runner import EmbeddedRunner
from dipper.engine.ports import Column, Projection
from dipper.kit.clock import DAY_US
from dipper.kit.errors import NotFound
from dipper.profile.gather import Gathered, gather
from dipper.profile.id_state import read_header
from dipper.profile.identity import Key, id_type
from dipper.profile.subject import Subject, subject_of
from dipper.spec.kinds.offer import Offer
from dipper.spec.kinds.source import Source
from dipper.surface.api.platform import Platform, Reading
from dipper.surface.api.tour.outlook import outlook

LOOKED_AT_MAX = 20_000
MIDDLE = 0.5


@dataclass(frozen=True)
class Candidate:
    """Somebody who may play a role; `text` is the id by which the bank's server knows them."""

    found: Gathered
    subject: Subject
    text: str
    reading: Reading


@dataclass(frozen=True)
class Role:
    """One figure of the tour. `asked` is the offer that the figure does not get.

    `called` is a made-up surname, of an organisation the whole name. Who meets `fits` is taken
    first, then who meets `nearly`.
    """

    name: str
    kind: str
    placement: str
    asked: str
    called: tuple[str, str]
    line: tuple[str, str]
    preset: str
    fits: Callable[[Candidate], bool]
    nearly: Callable[[Candidate], bool] = lambda who: False


@dataclass(frozen=True)
class Figure:
    """A role with the id of whoever plays it, and of who acts for an organisation."""

    role: Role
    text: str
    alias: tuple[str, str]
    operator: str = ""


_CALLED = {
    "f": ("{}女士", "Ms {}"),
    "m": ("{}先生", "Mr {}"),
}


def _figure(role: Role, who: Candidate) -> Figure:
    """A role played by somebody, called as their gender asks where it is known."""
    if role.kind != "person":
        return Figure(role, who.text, role.called)
    forms = _CALLED.get(str(who.subject.traits.get("gender")), ("小{}", "{}"))
    zh, en = (form.format(name) for form, name in zip(forms, role.called, strict=True))
    return Figure(role, who.text, (zh, en))


def _in(segment: str) -> Callable[[Candidate], bool]:
    return lambda who: segment in who.subject.segments


def _has(tag: str) -> Callable[[Candidate], bool]:
    return lambda who: bool(who.subject.tags.get(tag))


def _is_held_back_as_too_risky(who: Candidate) -> bool:
    assessment = who.subject.assessment
    return (
        assessment is not None
        and assessment.valid_until_us > who.reading.now_us
        and assessment.level <= 2
    )


def _shares_a_device(who: Candidate) -> bool:
    return any(len(ownership.persons) > 1 for _, _, ownership in who.found.devices)


def _leaves_within(days: int) -> Callable[[Candidate], bool]:
    def leaves(who: Candidate) -> bool:
        if not who.subject.segments:
            return False
        reading = who.reading
        turns = outlook(who.found, reading.served.tag_table, reading.now_us, days * DAY_US)
        return any(not turn.is_member for turn in turns)

    return leaves


def _was_assessed(who: Candidate) -> bool:
    return who.subject.assessment is not None


ROLES = (
    Role(
        "payer", "person", "bill_payment_result", "equity_select_r4",
        ("王", "Wang"),
        ("每月按时缴水电煤，刚刚在缴费结果页", "pays every bill on time, sees the result page"),
        "bill", _in("regular_payers"), _has("bills_paid_30d"),
    ),
    Role(
        "cautious", "person", "bill_payment_result", "equity_select_r4",
        ("李", "Li"),
        ("风险承受能力较低的老客户", "an existing customer with a low risk tolerance"),
        "bill", _is_held_back_as_too_risky, _was_assessed,
    ),
    Role(
        "seeker", "person", "bill_home", "equity_select_r4",
        ("周", "Zhou"),
        ("最近常看理财页面", "has been reading wealth pages lately"),
        "page", _in("wealth_seekers"), _has("wealth_pages_14d"),
    ),
    Role(
        "sharer", "person", "community_home", "equity_select_r4",
        ("赵", "Zhao"),
        ("和家人共用一部手机", "shares one phone with somebody at home"),
        "gate", _shares_a_device,
    ),
    Role(
        "leaver", "person", "ride_result", "equity_select_r4",
        ("孙", "Sun"),
        ("明天之前会因时间流逝离开一个客群", "leaves a segment within a day by the clock alone"),
        "ride", _leaves_within(1), _leaves_within(10),
    ),
    Role(
        "shop", "organisation", "till_report", "shop_loan",
        ("老街面馆", "Old Street Noodles"),
        ("一家小店，由店主代为操作", "a small shop; its keeper acts for it"),
        "sale", _in("busy_shops"), _has("largest_sale_30d"),
    ),
)  # fmt: skip

BY_NAME = {role.name: role for role in ROLES}


class Cast:
    """The figures of one platform, found once and looked for again when one is gone."""

    def __init__(self, bank: Platform) -> None:
        self._bank = bank
        self._figures: dict[str, Figure] = {}
        self._program = ""

    def figures(self, reading: Reading) -> dict[str, Figure]:
        """Role name -> figure, for the roles that somebody can play."""
        if not self._figures or self._program != reading.served.current.program:
            self._program = reading.served.current.program
            found = _find(reading)
            if "shop" in found:
                operator = _operator(self._bank, found["shop"].text)
                found["shop"] = replace(found["shop"], operator=operator)
            self._figures = found
        return self._figures

    def figure(self, reading: Reading, name: str) -> Figure:
        """The figure of a role. Raises NotFound."""
        figure = self.figures(reading).get(name)
        if figure is None:
            raise NotFound(f"nobody plays '{name}' here.", where=f"/tour/{name}")
        return figure

    def forget(self) -> None:
        """Look for everybody again."""
        self._figures = {}


def _find(reading: Reading) -> dict[str, Figure]:
    """Who plays each role, nobody two, in the order of their hashes."""
    places = reading.served.decider.places
    open_roles = [role for role in ROLES if role.placement in places]
    found: dict[str, Figure] = {}
    near: dict[str, Candidate] = {}
    taken: set[Key] = set()
    for who in _candidates(reading, open_roles):
        if who.subject.key in taken:
            continue
        for role in open_roles:
            if role.kind != who.subject.kind:
                continue
            if role.fits(who) and _is_offered(who, role):
                found[role.name] = _figure(role, who)
                taken.add(who.subject.key)
                open_roles.remove(role)
                break
            if role.name not in near and role.nearly(who) and _is_offered(who, role):
                near[role.name] = who
        if not open_roles:
            break
    for role in open_roles:
        instead = near.get(role.name)
        if instead is not None and instead.subject.key not in taken:
            found[role.name] = _figure(role, instead)
            taken.add(instead.subject.key)
    return {role.name: found[role.name] for role in ROLES if role.name in found}


def _candidates(reading: Reading, open_roles: Sequence[Role]) -> Iterator[Candidate]:
    """Subjects of the kinds that are still wanted and whom the bank's server knows, so many."""
    table = reading.served.tag_table
    looked_at = 0
    for key, data in reading.view.scan("ids"):
        header = read_header(data)
        if header.is_plain or all(role.kind != header.kind for role in open_roles):
            continue
        found = gather(reading.view, table, key)
        text = None if found is None else _server_id(reading, found)
        if found is not None and text is not None and found.is_proven:
            yield Candidate(found, subject_of(found, table, reading.now_us), text, reading)
        looked_at += 1
        if looked_at >= LOOKED_AT_MAX:
            return


def _is_offered(who: Candidate, role: Role) -> bool:
    """Whether the person is in the treated arm and something passes at the role's placement."""
    kind, _, value = who.text.partition(":")
    request = DecideRequest(placement=role.placement, ids={kind: value})
    decider = who.reading.served.decider
    reply = decider.decide(request, who.subject, who.reading.now_us, MIDDLE, "tour").reply
    return reply.arm == "treated" and bool(reply.offers)


def _server_id(reading: Reading, found: Gathered) -> str | None:
    """The id by which the bank's server names somebody: of the type that it declares."""
    program = reading.served.program
    types = {
        spec.person_id_type if found.kind == "person" else spec.organisation_id_type
        for spec in program.of(Source).values()
        if spec.trust == "server"
    }
    return next((text for text in found.ids() if id_type(text) in types), None)


def _operator(bank: Platform, shop: str) -> str:
    """Who last acted for an organisation, by the lake; empty where nobody ever did."""
    column = Column("operator", "operator", "text")
    literal = "'" + shop.replace("'", "''") + "'"
    projection = Projection("organisation", (column,), f"id = {literal} AND operator IS NOT NULL")
    last = ""
    with bank.lake_turn:
        for bucket in EmbeddedRunner(bank.workspace.lake).buckets(projection):
            codes = bucket.columns["operator"]
            if len(codes):
                last = bucket.texts["operator"][int(codes[-1])]
    return last


def asked_offer(reading: Reading, figure: Figure, placement: str) -> str:
    """The offer that the tour asks about, where the program has it at the placement; else none."""
    spec = reading.served.program.of(Offer).get(figure.role.asked)
    return figure.role.asked if spec is not None and placement in spec.placements else ""
