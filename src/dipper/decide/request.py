"""What callers of `/v1/decide` and `/v1/outcomes` send, and what they get back.

The bodies are small and hot, so they are msgspec Structs. Whatever is wrong with one is answered in
the error form of the whole platform: where, what was expected, what came, what to do.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal, TypeVar

import msgspec

from dipper.kit.errors import BadInput, TooLarge, did_you_mean
from dipper.kit.limits import DECIDE_BODY_MAX

Name = Annotated[str, msgspec.Meta(min_length=1, max_length=128)]
Id = Annotated[str, msgspec.Meta(min_length=1, max_length=255)]
Text = Annotated[str, msgspec.Meta(max_length=1024)]
Int64 = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
Scalar = bool | Int64 | float | Text | None

OutcomeKind = Literal["shown", "clicked", "dismissed"]

OFFERS_MAX = 50


class DecideRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of `POST /v1/decide`.

    `ids` maps id type to value (`{"customer_no": "C1001"}`). `context` holds values of declared
    properties of this moment. `personalised` false asks for the same order for everybody (PI-10).
    `seen_position` is a position that the answer must have taken into account.
    """

    placement: Name
    ids: Annotated[dict[Name, Id], msgspec.Meta(min_length=1, max_length=16)]
    context: Annotated[dict[Name, Scalar], msgspec.Meta(max_length=64)] = {}
    limit: Annotated[int, msgspec.Meta(ge=1, le=OFFERS_MAX)] | None = None
    request_id: Id | None = None
    seen_position: tuple[int, int] | None = None
    personalised: bool = True


class Offered(msgspec.Struct, frozen=True, kw_only=True):
    """One offer of a reply.

    `score` is the expected value in 分 that the ranker gave it (propensity x value), `probability`
    the chance with which it was drawn for its slot, given the slots before.
    """

    offer: str
    product: str | None
    treatment: str
    title: dict[str, str]
    content: dict[str, str]
    score: float
    probability: float
    link: str | None


class Reply(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The answer of `POST /v1/decide`. `position` is set once the trace is on disk.

    `default` is the placement's own content, present when no offer is given.
    """

    decision_id: str
    subject: str
    placement: str
    arm: str
    program: str
    offers: tuple[Offered, ...]
    default: dict[str, str] | None = None
    position: tuple[int, int] | None = None


class OutcomeRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of `POST /v1/outcomes`: what happened to an offer after it was decided.

    `message_id` makes a resend harmless; `time` is RFC 3339, by default the time of receipt.
    """

    decision_id: Name
    offer: Name
    outcome: OutcomeKind
    message_id: Id | None = None
    time: Text | None = None


T = TypeVar("T", bound=msgspec.Struct)

_DECIDE = msgspec.json.Decoder(DecideRequest)
_OUTCOME = msgspec.json.Decoder(OutcomeRequest)
_AT_PATH = re.compile(r"^(?P<what>.*?)(?: - at `\$\.?(?P<path>[^`]*)`)?$", re.DOTALL)
_FIELD = re.compile(r"(?:missing required|contains unknown) field `(?P<field>[^`]+)`")


def read_decide(body: bytes) -> DecideRequest:
    """The decide request in a body. Raises BadInput or TooLarge."""
    return _read(body, _DECIDE)


def read_outcome(body: bytes) -> OutcomeRequest:
    """The outcome in a body. Raises BadInput or TooLarge."""
    return _read(body, _OUTCOME)


def _read(body: bytes, decoder: msgspec.json.Decoder[T]) -> T:
    if len(body) > DECIDE_BODY_MAX:
        raise TooLarge(
            f"expected a body of at most {DECIDE_BODY_MAX:,} bytes, got {len(body):,}",
            where="body",
        )
    try:
        return decoder.decode(body)
    except msgspec.ValidationError as error:
        raise _explained(str(error), decoder.type) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadInput(
            f"expected a JSON object, got what is not JSON: {error}",
            where="body",
            hint="Send UTF-8 JSON with Content-Type application/json.",
        ) from error


def _explained(text: str, model: Any) -> BadInput:
    """The error form of msgspec's message, which ends in "- at `$.path`"."""
    match = _AT_PATH.match(text)
    what, path = (match["what"], match["path"] or "") if match else (text, "")
    field = _FIELD.search(what)
    known = model.__struct_fields__
    hint = ""
    if field and "unknown" in what:
        hint = did_you_mean(field["field"], known) or f"Known fields: {', '.join(known)}."
    where = ".".join(part for part in ("body", path, field["field"] if field else "") if part)
    return BadInput(what[:1].lower() + what[1:], where=where.replace(".[", "["), hint=hint)
