"""The compact trace of a decision: what cannot be computed again, and nothing else (ADR 0011).

It is the body of the event `decision_made`. Values stand in the order of the placement's inputs,
which program and tables fix, so that no name is stored; verdicts, features and words are computed
again on reading. At most 4 KB for 200 offers.
"""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np

from dipper.kit.errors import Corrupt

TRACE_VERSION = 1
TRACE_MAX = 4_096

DIGITS = b"0123456789abcdefghijklmnopqrstuvwxyz"
GATES_MAX = len(DIGITS) - 1


class Chosen(msgspec.Struct, frozen=True, array_like=True):
    """An offer in a slot: expected value in 分, and the chance with which it was drawn for it."""

    offer: str
    score: float
    probability: float


class Trace(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One decision, as stored.

    `values` and `flags` have one value an input in the placement's order: a digit for a bool ('-'
    is not known), the others as JSON. `denied` has one digit (base 36) a candidate in the order by
    name: 0 passed, else 1 + the place in `gates` of the first gate that denied. `scores` (float32)
    and `probabilities` (float16, for the first slot) are little-endian, of the ranked candidates in
    the order by name. `offers` was given; `would` is what the ranker chose where the arm gave
    something else. `passed` counts offers but not placebos. `subject` is the key in hex, empty when
    the decision must name nobody. `lot` is what its arm follows from: of the first decision of the
    policy about the subject, whichever key it had then. `model` is empty before there is one.
    """

    version: int
    decision_id: str
    now_us: int
    placement: str
    policy: str
    subject: str
    arm: str
    program: str
    tables: dict[str, str]
    model: str
    draw: float
    limit: int
    flags: str
    values: list[Any]
    gates: tuple[str, ...]
    denied: str
    gate_denials: dict[str, int]
    passed: int
    offers: tuple[Chosen, ...]
    would: tuple[Chosen, ...] = ()
    scores: bytes = b""
    probabilities: bytes = b""
    personalised: bool = True
    lot: int | None = None


_ENCODER = msgspec.json.Encoder()
_DECODER = msgspec.json.Decoder(Trace)


def encode(trace: Trace) -> bytes:
    """The trace as a JSON object: the properties of `decision_made`."""
    return _ENCODER.encode(trace)


def decode(data: bytes) -> Trace:
    """The trace in the properties of `decision_made`. Raises Corrupt for anything else."""
    try:
        trace = _DECODER.decode(data)
    except msgspec.MsgspecError as error:
        raise Corrupt(f"not a decision trace: {error}", where="decision_made") from error
    if trace.version != TRACE_VERSION:
        raise Corrupt(
            f"expected a trace of version {TRACE_VERSION}, got {trace.version}",
            where=f"decision {trace.decision_id}",
            hint="Read it with the release that wrote it, or a later one.",
        )
    return trace


_TO_DIGIT = bytes.maketrans(bytes(range(len(DIGITS))), DIGITS)
_FROM_DIGIT = bytes.maketrans(DIGITS, bytes(range(len(DIGITS))))


def pack_denied(first: np.ndarray[Any, np.dtype[np.uint8]]) -> str:
    """Digits of the first denying gates (0 passed, k the k-th gate)."""
    return first.tobytes().translate(_TO_DIGIT).decode("ascii")


def unpack_denied(denied: str) -> list[int]:
    """The numbers behind the digits of `Trace.denied`."""
    return list(denied.encode("ascii").translate(_FROM_DIGIT))


def pack_scores(scores: np.ndarray[Any, Any]) -> bytes:
    """Little-endian float32."""
    return scores.astype("<f4").tobytes()


def unpack_scores(data: bytes) -> list[float]:
    """The numbers of `Trace.scores`."""
    numbers: list[float] = np.frombuffer(data, "<f4").astype(float).tolist()
    return numbers


def pack_probabilities(probabilities: np.ndarray[Any, Any]) -> bytes:
    """Little-endian float16: three digits; those that were used stand exactly in the offers."""
    return probabilities.astype("<f2").tobytes()


def unpack_probabilities(data: bytes) -> list[float]:
    """The numbers of `Trace.probabilities`."""
    numbers: list[float] = np.frombuffer(data, "<f2").astype(float).tolist()
    return numbers
