"""What becomes of each event of a request."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from dipper.collect.counts import Counts
from dipper.collect.duplicates import Duplicates
from dipper.collect.erasures import Erasures
from dipper.collect.plan import Failed
from dipper.engine.ports import Record
from dipper.engine.record import RecordKind
from dipper.kit.clock import SECOND_US

NOW_US = 1_795_499_156_000_000
Paid = Callable[..., dict[str, Any]]


def test_an_event_becomes_a_record_with_its_envelope(desk: Any, paid: Paid) -> None:
    """Ids, times, columns, properties, program: all stand in the record, the token does not."""
    dipper = {
        "scenario": "bills",
        "channel": "app",
        "campaign": "spring",
        "link": "l1",
        "placement": "home",
        "org_unit": "120001",
        "staff": "S1",
        "partner": "grid",
        "legal_entity": "bank",
        "business_date": "2026-11-24",
        "seq": 3,
        "subjects": {"case": "A-1"},
    }
    sent = paid(context={"ip": "1.2.3.4", "dipper": dipper})
    event = desk.send("server", sent, sentAt="2026-11-24T05:45:55.900Z").only
    assert event.message_id == sent["messageId"]
    assert (event.source, event.trust, event.type) == ("server", "server", "track")
    assert event.subjects == {
        "person": "customer_no:10001",
        "device": "device:d-1",
        "case": "case_no:A-1",
    }
    assert (event.original_us, event.sent_us, event.received_us, event.time_us) == (
        1_795_499_155_618_000,
        1_795_499_155_900_000,
        NOW_US,
        1_795_499_155_618_000,
    )
    for name in set(dipper) - {"subjects"}:
        assert getattr(event, name) == dipper[name]
    assert msgspec.json.decode(event.properties) == sent["properties"]
    assert event.program == desk.collector.plan.program


def test_types_map_to_reserved_events(desk: Any) -> None:
    """Each call of the SDK has its event; what it carries beside properties is kept."""
    ids = {"userId": "1", "anonymousId": "d"}
    events = desk.send(
        "server",
        {"type": "identify", "traits": {"age": 40}, "messageId": "1", **ids},
        {"type": "identify", "context": {"traits": {"age": 41}}, "messageId": "2", **ids},
        {"type": "group", "groupId": "913", "traits": {"size": 5}, "messageId": "3", **ids},
        {"type": "page", "name": "Home", "category": "Bank", "messageId": "4", **ids},
        {"type": "screen", "name": "Home", "messageId": "5", **ids},
        {"type": "alias", "previousId": "old", "userId": "1", "messageId": "6"},
    ).events
    assert [(event.event, msgspec.json.decode(event.properties)) for event in events] == [
        ("identify", {"age": 40}),
        ("identify", {"age": 41}),
        ("group", {"size": 5}),
        ("page_viewed", {"page_name": "Home", "category": "Bank"}),
        ("screen_viewed", {"page_name": "Home"}),
        ("alias", {"other_id": "customer_no:old"}),
    ]
    assert events[2].subjects["organisation"] == "org_no:913"
    assert events[5].subjects == {"person": "customer_no:1", "device": "device:old"}


def test_names_are_mapped_by_the_source_or_written_our_way(desk: Any, paid: Paid) -> None:
    """`rename` wins; else 'Order Completed' is order_completed."""
    assert desk.send("app", paid(event="付款成功")).only.event == "bill_paid"
    assert desk.send("app", paid(event="Order Completed")).only.event == "order_completed"


def test_an_event_says_nothing_and_the_spec_says_where(desk: Any, paid: Paid) -> None:
    """A repeated envelope is kept as sent; an unknown event of a lenient source is accepted."""
    event = desk.send("open_app", paid(event="Never Heard Of", properties={"Some Thing": 1})).only
    assert event.event == "never_heard_of"
    assert msgspec.json.decode(event.properties) == {"some_thing": 1}


@pytest.mark.parametrize(
    ("change", "code", "path"),
    [
        ({"event": "nothing_known"}, "unknown_event", "event"),
        ({"event": "--"}, "bad_name", "event"),
        ({"event": ...}, "bad_name", "event"),
        ({"event": 5}, "bad_envelope", "$.event"),
        ({"type": "trick"}, "bad_envelope", "$.type"),
        ({"userId": ..., "anonymousId": ...}, "no_id", ""),
        ({"userId": "x" * 256}, "bad_id", "person"),
        ({"userId": {"id": 1}}, "bad_envelope", "$.userId"),
        ({"messageId": "x" * 256}, "bad_envelope", "$.messageId"),
        ({"timestamp": "yesterday"}, "bad_time", "timestamp"),
        ({"timestamp": 1795499156}, "bad_envelope", "$.timestamp"),
        ({"sentAt": "later"}, "bad_time", "sentAt"),
        ({"properties": [1]}, "not_an_object", "properties"),
        ({"properties": {"amount_fen": "x"}}, "wrong_type", "properties.amount_fen"),
        ({"properties": {}}, "missing_property", "properties.amount_fen"),
        ({"context": {"dipper": {"scenario": 5}}}, "bad_envelope", "context.dipper"),
        ({"context": {"dipper": {"business_date": "soon"}}}, "bad_envelope", "context.dipper"),
        ({"context": {"dipper": {"subjects": {"boss": "1"}}}}, "bad_id", "boss"),
        ({"context": 5}, "bad_envelope", "$.context"),
    ],
)
def test_a_bad_event_is_kept_with_its_reason(
    desk: Any, paid: Paid, change: dict[str, Any], code: str, path: str
) -> None:
    """And the good ones beside it are taken."""
    sent = paid(**change)
    found = desk.send("app", paid(), sent, paid())
    assert found.counts == (2, 1, 0, 0)
    (failed,) = found.failed
    assert (failed.code, failed.path) == (code, path)
    assert failed.reason
    assert json.loads(failed.raw) == sent


def raw_event(properties: str, message_id: str = "raw") -> str:
    """An event with properties as written."""
    return (
        f'{{"type":"track","event":"order_completed","userId":"1","messageId":"{message_id}",'
        f'"properties":{properties}}}'
    )


@pytest.mark.parametrize(
    ("properties", "code"),
    [
        (b'{"a":"\\ud800"}', "bad_text"),
        (b'{"a":"\xff\xfe"}', "bad_text"),
        (b'{"\\udc00":1}', "bad_text"),
        (b'{"a":NaN}', "bad_number"),
        (b'{"a":-Infinity}', "bad_number"),
        (b'{"a":1e400}', "bad_number"),
        (b'{"a":' + b"9" * 5_000 + b"}", "bad_number"),
        (b'{"a":9223372036854775808}', "bad_number"),
        (b'{"a":' + b"[" * 33 + b"]" * 33 + b"}", "too_deep"),
        (b'{"a":' + b"[" * 500 + b"]" * 500 + b"}", "too_deep"),
        (b'"text"', "not_an_object"),
    ],
)
def test_poison_fails_alone(desk: Any, properties: bytes, code: str) -> None:
    """What no decoder or store could take is a failed event, and its batch goes through."""
    good = raw_event('{"a":1}', "good").encode()
    bad = raw_event("@").encode().replace(b"@", properties)
    found = desk.send_body("app", b'{"batch":[' + good + b"," + bad + b"," + good + b"]}")
    assert found.counts == (1, 1, 1, 0)
    assert found.failed[0].code == code
    assert found.failed[0].subjects == {"person": "customer_no:1"}


@pytest.mark.parametrize(
    "properties",
    [
        '{"a":"\\u0000"}',
        '{"a":1,"a":2}',
        '{"constructor":{"__proto__":1}}',
        '{"a":"' + "x" * 20_000 + '"}',
        '{"a":"\\u202e\\u200b"}',
        '{"a":"\U0001f600"}',
        '{"e\u0301":1,"\u00e9":2}',
        '{"a":-0.0,"b":1e-300}',
        "null",
        '{"":1}',
    ],
)
def test_odd_but_valid_json_is_good(desk: Any, properties: str) -> None:
    """It comes back as the same value."""
    event = desk.send_body("app", f'{{"batch":[{raw_event(properties)}]}}'.encode()).only
    assert json.loads(bytes(event.properties)) == (json.loads(properties) or {})


def test_an_event_above_the_limit_of_its_dialect_fails_alone(desk: Any, paid: Paid) -> None:
    """32 KB an event for Segment, whatever the context beside it weighs."""
    large = paid(properties={"amount_fen": 1, "note": "x" * 33_000})
    heavy = paid(context={"page": "y" * 40_000})
    found = desk.send("app", large, heavy)
    assert found.counts == (1, 1, 0, 0)
    assert found.failed[0].code == "event_too_large"


def test_events_beyond_the_batch_limit_fail(desk: Any, paid: Paid) -> None:
    """2,500 a batch; the rest is kept as failed."""
    events = [
        {"type": "track", "event": "order_completed", "userId": "1", "messageId": str(number)}
        for number in range(2_502)
    ]
    found = desk.send("app", *events)
    assert found.counts == (2_500, 2, 0, 0)
    assert {failed.code for failed in found.failed} == {"batch_too_long"}


def test_secrets_are_gone_from_good_and_failed_events(desk: Any, paid: Paid) -> None:
    """In properties, in context, in the text of what failed; the key and the token too."""
    secret = "s3cr3t77"
    properties = {"amount_fen": 1, "cardPin": secret, "face_feature": secret}
    context = {"page": {"url": f"https://x/?password={secret}"}, "dipper": {"token": secret}}
    found = desk.send(
        "app",
        paid(properties=properties, context=context),
        paid(properties={**properties, "amount_fen": "x"}, context=context, writeKey=secret),
        paid(event="nothing_known", properties={"body": json.dumps(properties)}),
        writeKey=secret,
    )
    assert found.counts == (1, 2, 0, 0)
    assert secret.encode() not in b"".join(payload for _, payload in found.entries)
    assert desk.collector.removed == {"card_pin": 1, "face_feature": 1}


def test_a_copy_is_dropped_and_counted(desk: Any, paid: Paid) -> None:
    """Of all records a request leaves, the counted ones stand in one control record."""
    first, second = paid(), paid()
    assert desk.send("app", first).counts == (1, 0, 0, 0)
    found = desk.send("app", first, second, first)
    assert found.counts == (1, 0, 2, 0)
    (control,) = found.controls
    assert (control.type, control.body) == (
        "counted",
        {"source": "app", "duplicate": 2, "refused": 0},
    )


def test_a_resend_is_a_copy_whatever_its_sending_times(desk: Any, paid: Paid) -> None:
    """Sent time, key order, white space and receipt differ in a resend and do not matter."""
    sent = paid()
    desk.send("app", sent, sentAt="2026-11-24T05:45:55Z")
    again = dict(reversed(list(sent.items()))) | {"sentAt": "2026-11-24T05:50:00Z"}
    found = desk.send("app", again, now_us=NOW_US + 240 * SECOND_US)
    assert found.counts == (0, 0, 1, 0)


def test_one_id_with_two_contents_is_reported(desk: Any, paid: Paid) -> None:
    """The other event is kept as failed, once; the first one still has its copies dropped."""
    first = paid()
    other = {**first, "properties": {"amount_fen": 2}}
    desk.send("app", first)
    failed = desk.send("app", other).only_failed
    assert (failed.code, failed.message_id) == ("conflicting_id", first["messageId"])
    assert json.loads(failed.raw)["properties"] == {"amount_fen": 2}
    assert desk.send("app", other).counts == (0, 0, 1, 0)
    assert desk.send("app", first).counts == (0, 0, 1, 0)


def test_what_the_plan_omits_still_tells_events_apart(desk: Any, paid: Paid) -> None:
    """The canonical event is the event before the plan, so its hash is kept in the record."""
    sent = paid(event="tidy_event", properties={"amount_fen": 1, "note": "a"})
    found = desk.send("app", sent)
    assert bytes(found.only.properties) == b'{"amount_fen":1}'
    assert found.only.content
    assert desk.send("app", sent).counts == (0, 0, 1, 0)
    other = {**sent, "properties": {"amount_fen": 1, "note": "b"}}
    assert desk.send("app", other).only_failed.code == "conflicting_id"


def test_a_failed_event_is_kept_once(desk: Any, paid: Paid) -> None:
    """Its resend is a duplicate, with a new sending time too."""
    bad = paid(properties={"amount_fen": "x"})
    assert desk.send("app", {**bad, "sentAt": "2026-11-24T05:45:55Z"}).counts == (0, 1, 0, 0)
    assert desk.send("app", {**bad, "sentAt": "2026-11-24T05:46:55Z"}).counts == (0, 0, 1, 0)


def test_events_without_id_are_known_by_their_content(desk: Any, paid: Paid) -> None:
    """Equal ones are copies, good or failed; their id is a hash."""
    bare = paid(messageId=..., timestamp=...)
    assert desk.send("app", bare).only.message_id
    assert desk.send("app", bare, now_us=NOW_US + SECOND_US).counts == (0, 0, 1, 0)
    assert desk.send("app", {**bare, "userId": "2"}).counts == (1, 0, 0, 0)
    bad = {**bare, "properties": {}}
    assert desk.send("app", bad, bad).counts == (0, 1, 1, 0)


def test_the_index_survives_a_restart(desk: Any, new_desk: Callable[..., Any], paid: Paid) -> None:
    """Rebuilt from the log's records it knows good, failed, omitting and nameless events."""
    events = [
        paid(),
        paid(properties={"amount_fen": "x"}),
        paid(event="tidy_event", properties={"note": "a"}),
        paid(messageId=..., timestamp=...),
    ]
    found = desk.send("app", *events)
    assert found.counts == (3, 1, 0, 0)
    duplicates = Duplicates()
    duplicates.rebuild(
        Record(0, place, RecordKind(kind), NOW_US, payload, False)
        for place, (kind, payload) in enumerate(found.entries)
    )
    assert new_desk(duplicates=duplicates).send("app", *events).counts == (0, 0, 4, 0)


def test_what_could_not_be_appended_is_new_again(desk: Any, paid: Paid) -> None:
    """After an append that failed a resend is no copy of nothing."""
    events = [paid(), paid(properties={}), paid(messageId=...)]
    found = desk.send("app", *events)
    desk.collector.admission.undo(found.entries)
    assert desk.send("app", *events).counts == found.counts


def hashed(text: str) -> str:
    """A stand-in for the keyed hash of ids."""
    return hashlib.sha256(text.encode()).hexdigest()


def test_events_of_an_erased_person_are_refused(new_desk: Callable[..., Any], paid: Paid) -> None:
    """Good and bad ones alike; nothing of them is kept but their number."""
    erased = {hashed("customer_no:10001")}
    erasures = Erasures(lambda text: hashed(text) if hashed(text) in erased else None)
    desk = new_desk(erasures=erasures)
    found = desk.send("app", paid(), paid(properties={}), paid(userId="2"), paid(userId=5))
    assert found.counts == (2, 0, 0, 2)
    assert all(b"10001" not in payload for _, payload in found.entries)
    assert found.controls[0].body == {"source": "app", "duplicate": 0, "refused": 2}


def test_a_new_consent_from_the_banks_server_ends_the_refusal(
    new_desk: Callable[..., Any], paid: Paid
) -> None:
    """It says which ids every partition must accept again; a page cannot."""
    erased = {hashed("customer_no:10001")}
    erasures = Erasures(
        lambda text: hashed(text) if hashed(text) in erased else None, can_lift=True
    )
    desk = new_desk(erasures=erasures)
    given = paid(event="consent_given", properties={"purpose": "marketing", "notice_version": "2"})
    assert desk.send("app", given).counts == (0, 0, 0, 1)
    found = desk.send("server", given)
    assert found.counts == (1, 0, 0, 0)
    assert found.collected.consents
    assert found.collected.reinstated == [hashed("customer_no:10001")]


def test_what_is_handed_over_is_refused_where_its_subject_is_erased(
    new_desk: Callable[..., Any], paid: Paid
) -> None:
    """The order may have reached this partition after the other gateway had judged the event."""
    erased = {hashed("customer_no:1")}
    erasures = Erasures(lambda text: hashed(text) if hashed(text) in erased else None)
    here, there = new_desk(erasures=erasures), new_desk()
    sent = there.send("app", paid(userId="1"), paid(userId="2"), paid(userId="1", properties={}))
    found = here.collector.admission.admit_handed(sent.entries, 1)
    assert found.counts == {"app": (1, 0, 0, 2)}
    assert not any(b"customer_no:1" in payload for _, payload in found.entries)


def test_only_consents_make_the_reply_wait(desk: Any, paid: Paid) -> None:
    """A resent consent waits like the first."""
    withdrawn = paid(event="consent_withdrawn", properties={"purpose": "marketing"})
    assert not desk.send("server", paid()).collected.consents
    assert desk.send("server", withdrawn).collected.consents
    again = desk.send("server", withdrawn)
    assert again.counts == (0, 0, 1, 0)
    assert again.collected.consents


def test_records_of_other_partitions_are_handed_over(
    new_desk: Callable[..., Any], paid: Paid
) -> None:
    """Each record is admitted by its own partition, whoever received it, and copies are found."""
    desks = [new_desk(partition=number, partitions=3) for number in range(3)]
    events = [paid(userId=str(number)) for number in range(60)]
    events += [paid(userId=str(number), properties={}) for number in range(60)]
    good = failed = duplicate = 0
    for receiver in (0, 2):
        found = desks[receiver].send("app", *events)
        counts = [found.collected.counts["app"]]
        assert sorted(found.collected.foreign) == [home for home in range(3) if home != receiver]
        for home, entries in found.collected.foreign.items():
            admitted = desks[home].collector.admission.admit_handed(entries, NOW_US)
            counts.append(admitted.counts["app"])
        total = Counts()
        for part in counts:
            total = total.plus(part)
        assert total.received == 120
        good, failed = good + total.good, failed + total.failed
        duplicate += total.duplicate
    assert (good, failed, duplicate) == (60, 60, 120)


def test_an_unreadable_request_is_one_failed_record(desk: Any) -> None:
    """Its beginning is kept without secrets and keys, with the ids that stand in it."""
    body = b'{"batch":[{"userId":"10001","anonymousId":"d-1","pin":"1234"},{"userId":"2"' + (
        b" " * 9_000
    )
    collected = desk.collector.collect_unreadable(
        desk.source("app"), body, Failed("unreadable_request", "cut off"), NOW_US
    )
    assert collected.counts == {"app": Counts(failed=1)}
    ((kind, payload),) = collected.entries
    record = msgspec.json.decode(payload)
    assert kind == RecordKind.FAILED
    assert len(record["raw"]) <= 8_192
    assert "1234" not in record["raw"]
    assert set(record["subjects"].values()) == {
        "customer_no:10001",
        "device:d-1",
        "customer_no:2",
    }


def test_totals_add_up(desk: Any, paid: Paid) -> None:
    """What was acknowledged is counted by source."""
    for source in ("app", "app", "server"):
        desk.collector.count(desk.send(source, paid(), paid(properties={})).collected.counts)
    assert desk.collector.totals == {
        "app": Counts(good=2, failed=2),
        "server": Counts(good=1, failed=1),
    }
