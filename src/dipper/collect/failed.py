"""What is kept of an event or a request that could not be accepted: its text and the reason.

Nothing is lost, and nothing is kept that must never be stored: secrets and tokens are removed from
the text first. The ids that can be read stay beside it, so that an erasure finds the record.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from dipper.collect import json_text
from dipper.collect.canonical import bytes_hash, recorded_hash, without_copy_fields
from dipper.collect.plan import Failed
from dipper.collect.sources import Source
from dipper.collect.subjects import BadId, subjects_of
from dipper.engine.record import EVENT_DECODER, FailedEvent
from dipper.guard.never_store import NeverStore
from dipper.guard.secret_texts import REMOVED
from dipper.kit.hashing import hash128

RAW_CHARACTERS_MAX = 150_000
REQUEST_CHARACTERS_MAX = 8_192
_BEYOND_CUT = 1_024
_TOKEN = re.compile(r"\beyJ[\w\-]+\.[\w\-]+(?:\.[\w\-]*)?")
_KEY = re.compile(r"(\\*[\"']?writeKey\\*[\"']?\s*[:=]\s*\\*[\"']?)[\w\-.]+")
_ID = re.compile(
    r"[\"'](userId|anonymousId|groupId)[\"']\s*:\s*(?:\"([^\"\\]{1,255})\"|(\d{1,19}))"
)


def failed_event(
    source: Source,
    raw: bytes,
    failure: Failed,
    never_store: NeverStore,
    program: str,
    received_us: int,
    *,
    event: str = "",
) -> FailedEvent:
    """The record of one event that failed. `raw` is the event's own JSON, as good as it is."""
    value = _value(raw)
    whole: Mapping[str, Any] = value if isinstance(value, dict) else {}
    canonical = _canonical(whole, raw)
    message_id = whole.get("messageId")
    if not isinstance(message_id, str) or not message_id or len(message_id) > 255:
        message_id = hash128(source.name + canonical.decode("utf-8", "replace")).hex()
    return FailedEvent(
        source=source.name,
        received_us=received_us,
        code=failure.code,
        reason=failure.reason[:2_000],
        raw=_clean_text(value, raw, never_store),
        path=failure.path[:400],
        event=event or _text_of(whole.get("event") or whole.get("type")),
        message_id=_printable(message_id),
        subjects=loose_subjects(source, whole),
        program=program,
        content=bytes_hash(canonical),
    )


def failed_as_accepted(payload: bytes, failure: Failed, content: int) -> FailedEvent:
    """The record of an event that failed only after it was accepted; `payload` is as it was then.

    `content` is its content hash, computed when 0.
    """
    event = EVENT_DECODER.decode(payload)
    return FailedEvent(
        source=event.source,
        received_us=event.received_us,
        code=failure.code,
        reason=failure.reason,
        raw=payload.decode(),
        path=failure.path,
        event=event.event,
        message_id=event.message_id,
        subjects=event.subjects,
        program=event.program,
        content=content or recorded_hash(payload, event.content),
    )


def failed_request(
    source: Source,
    body: bytes,
    failure: Failed,
    never_store: NeverStore,
    program: str,
    received_us: int,
    *,
    is_text: bool = True,
) -> FailedEvent:
    """The record of a request that is no JSON at all. Only its beginning is kept, and nothing of
    what is no text: packed bytes may hold secrets that no filter sees."""
    body_hash = bytes_hash(body + failure.reason.encode())
    if not is_text:
        body = b""
    text = body[: REQUEST_CHARACTERS_MAX + _BEYOND_CUT].decode("utf-8", "backslashreplace")
    clean = _without_tokens(never_store.clean_text(text)[0])[:REQUEST_CHARACTERS_MAX]
    return FailedEvent(
        source=source.name,
        received_us=received_us,
        code=failure.code,
        reason=failure.reason[:2_000],
        raw=clean,
        message_id=f"request-{body_hash:016x}",
        subjects=_subjects_in(clean, source),
        program=program,
        content=body_hash,
    )


def loose_subjects(source: Source, event: Mapping[str, Any]) -> dict[str, str]:
    """The ids that can be read in a bad event; none where even they are bad."""
    user, anonymous, group = (
        _given(event.get(key)) for key in ("userId", "anonymousId", "groupId")
    )
    try:
        return subjects_of(source, user, anonymous, group, None)
    except BadId:
        return {}


def _given(value: Any) -> str | int | None:
    if isinstance(value, bool) or not isinstance(value, str | int):
        return None
    return _printable(value) if isinstance(value, str) else value


def _value(raw: bytes) -> Any:
    try:
        return msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        try:
            return json_text.forgiving(raw)
        except json_text.NotJson:
            return None


def _canonical(event: Mapping[str, Any], raw: bytes) -> bytes:
    """What a resend repeats: the event without its sending times, else its bytes."""
    if not event or json_text.flaw(event):
        return raw
    return without_copy_fields(event)


def _clean_text(value: Any, raw: bytes, never_store: NeverStore) -> str:
    found = json_text.flaw(value)
    if value is None or (found and found.code == "too_deep"):
        text = raw.decode("utf-8", "backslashreplace")
        text = never_store.clean_text(text[: RAW_CHARACTERS_MAX + _BEYOND_CUT])[0]
    else:
        text = json_text.escaped(never_store.clean(_without_credentials(value))[0])
    return _without_tokens(text)[:RAW_CHARACTERS_MAX]


def _without_credentials(value: Any) -> Any:
    """An event without its write key and its token, whatever they look like."""
    if not isinstance(value, dict):
        return value
    event = {key: item for key, item in value.items() if key != "writeKey"}
    context = event.get("context")
    dipper = context.get("dipper") if isinstance(context, dict) else None
    if isinstance(context, dict) and isinstance(dipper, dict) and "token" in dipper:
        event["context"] = context | {"dipper": dipper | {"token": REMOVED}}
    return event


def _without_tokens(text: str) -> str:
    """Neither tokens nor write keys are ever stored."""
    return _KEY.sub(rf"\g<1>{REMOVED}", _TOKEN.sub(REMOVED, text))


def _subjects_in(text: str, source: Source) -> dict[str, str]:
    """All ids in a text, numbered where a role comes more than once."""
    found: dict[str, str] = {}
    names = {"userId": "user", "anonymousId": "anonymous", "groupId": "group"}
    for name, quoted, number in _ID.findall(text):
        arguments: dict[str, Any] = dict.fromkeys(names.values()) | {names[name]: quoted or number}
        try:
            subjects = subjects_of(source, **arguments, more=None)
        except BadId:
            continue
        for role, subject in subjects.items():
            if subject not in found.values():
                found[role if role not in found else f"{role}_{len(found)}"] = subject
    return found


def _text_of(value: Any) -> str:
    return _printable(value)[:128] if isinstance(value, str) else ""


def _printable(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode()
