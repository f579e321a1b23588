"""`/tour`: pages and forms. A form does one act for real and leads to the page that shows it."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs

from fastapi import APIRouter, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import HTMLResponse, RedirectResponse

from dipper.kit.errors import BadInput, NotFound
from dipper.surface.api.masks import mask_id
from dipper.surface.api.pages import LANGUAGES, address, language_of, page
from dipper.surface.api.persons import find
from dipper.surface.api.platform import Bank, Platform, Reading
from dipper.surface.api.tour import presets, view
from dipper.surface.api.tour.acts import Act, Stage
from dipper.surface.api.tour.cast import ROLES, Cast, Figure, asked_offer

router = APIRouter(prefix="/tour", include_in_schema=False)

FORM_MAX = 4_096
ANCHORS = {
    "decide": "why", "withdraw": "consent", "give": "consent", "send": "event", "advance": "wait",
}  # fmt: skip


class Tour:
    """The cast and the stage of one process."""

    def __init__(self, bank: Platform) -> None:
        self.cast = Cast(bank)
        self.stage = Stage(bank)


def _tour(request: Request, bank: Platform) -> Tour:
    """The process's tour, made when somebody first comes."""
    state = request.app.state
    if not hasattr(state, "tour"):
        state.tour = Tour(bank)
    found: Tour = state.tour
    return found


def _figure(tour: Tour, reading: Reading, role: str) -> Figure:
    """The figure of a role; one who has been erased since is looked for again."""
    figure = tour.cast.figure(reading, role)
    try:
        find(reading, figure.text)
    except NotFound:
        tour.cast.forget()
        figure = tour.cast.figure(reading, role)
    return figure


@router.get("")
def overview(request: Request, bank: Bank) -> Response:
    """Who there is to meet."""
    language, tour = language_of(request), _tour(request, bank)
    health = bank.health()
    with bank.read() as reading:
        style = view.style_of(bank, reading, language)
        figures = tour.cast.figures(reading)
        cards = [
            {
                "role": figure.role,
                "alias": figure.alias,
                "shown": mask_id(figure.text),
                "who": view.figure_view(style, reading, figure, find(reading, figure.text)),
            }
            for figure in figures.values()
        ]
        now = style.moment(reading.now_us)
    return HTMLResponse(
        page(
            "overview.html",
            language,
            path="/tour",
            cards=cards,
            missing=[role.line for role in ROLES if role.name not in figures],
            health=health,
            now=now,
            name=bank.workspace.settings.workspace.name,
            refresh=0,
        )
    )


@router.get("/{role}")
def figure_page(role: str, request: Request, bank: Bank) -> Response:
    """One figure, and what the visitor has just done."""
    language, tour = language_of(request), _tour(request, bank)
    act = tour.stage.act(request.query_params.get("act", ""))
    with bank.read() as reading:
        figure = _figure(tour, reading, role)
        style = view.style_of(bank, reading, language)
        shown = view.person_page(style, reading, figure)
        done = view.act_view(style, act) if act is not None and act.role == role else None
        decision = (done or {}).get("asked") or view.latest_decision(style, reading, figure)
        events = presets.presets_for(reading.served.program, figure.role.kind)
        asked = asked_offer(reading, figure, figure.role.placement)
        figures = tour.cast.figures(reading)
    is_watching = request.query_params.get("watch") == "1"
    return HTMLResponse(
        page(
            "figure.html",
            language,
            path=f"/tour/{role}",
            role=figure.role,
            alias=figure.alias,
            figures=list(figures.values()),
            act=done,
            decision=decision,
            is_fresh=done is not None and done["asked"] is not None,
            asked=None if decision is None else _asked(decision, asked),
            events=events,
            times=presets.TIMES,
            usual=presets.BY_NAME[figure.role.preset].times,
            watching=is_watching,
            refresh=2 if is_watching else 0,
            **shown,
        )
    )


def _asked(decision: Any, asked: str) -> Any:
    """The offer of 'why not': the role's own while it is held back, else the first that is."""
    line = decision.line(asked)
    if line is not None and not line.passed:
        return line
    return next((one for one in decision.lines if not one.passed), line)


@router.post("/{role}/{verb}")
async def do(role: str, verb: str, request: Request, bank: Bank) -> Response:
    """One act of a visitor; the answer leads to the page that shows it."""
    form = await _form(request)
    language = form.get("lang", "") if form.get("lang") in LANGUAGES else language_of(request)
    tour = _tour(request, bank)
    act = await run_in_threadpool(_act, bank, tour, role, verb, form)
    name = tour.stage.remember(act)
    return RedirectResponse(
        address(f"/tour/{role}", language, act=name) + f"#{ANCHORS[verb]}", status_code=303
    )


def _act(bank: Platform, tour: Tour, role: str, verb: str, form: dict[str, str]) -> Act:
    stage = tour.stage
    with bank.read() as reading:
        figure = _figure(tour, reading, role)
        purpose, _ = view.consent_of(view.style_of(bank, reading, "en"), reading, figure)
    if verb == "decide":
        return stage.decide(figure)
    if verb == "advance":
        return stage.advance(figure)
    if verb == "send":
        return stage.send(figure, *_chosen(figure, form))
    if verb in ("withdraw", "give") and purpose:
        return (
            stage.withdraw(figure, purpose) if verb == "withdraw" else stage.give(figure, purpose)
        )
    raise NotFound(f"nothing to do called '{verb}'.", where=f"/tour/{role}")


def _chosen(figure: Figure, form: dict[str, str]) -> tuple[presets.Preset, int]:
    preset = presets.BY_NAME.get(form.get("event", ""))
    times = form.get("times", "1")
    if preset is None or preset.kind != figure.role.kind:
        raise BadInput("expected one of the events on the page.", where="event")
    if not times.isdigit() or int(times) not in presets.TIMES:
        raise BadInput(f"expected one of {presets.TIMES}, got '{times}'.", where="times")
    return preset, int(times)


async def _form(request: Request) -> dict[str, str]:
    """The fields of a posted form. Raises BadInput."""
    body = await request.body()
    if len(body) > FORM_MAX:
        raise BadInput(f"expected at most {FORM_MAX} bytes.", where="body")
    try:
        fields = parse_qs(body.decode(), strict_parsing=bool(body), max_num_fields=16)
    except (UnicodeDecodeError, ValueError) as error:
        raise BadInput("expected a form.", where="body") from error
    return {name: values[-1] for name, values in fields.items()}
