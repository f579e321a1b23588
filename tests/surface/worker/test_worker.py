"""The worker's loop: lake, models and erasures behind a projection that may be cut off anywhere."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from dipper.decide.ranking import Published
from dipper.engine.record import Event
from dipper.kit.clock import SECOND_US
from dipper.profile.erasure import tombstone
from dipper.surface.erasing import erase
from dipper.surface.http.following import Following
from dipper.surface.replaying import replay
from dipper.surface.worker.erasing import RECEIPTS, erasure_control


class Stopped(Exception):
    """The process is gone."""


def stop(*_: Any, **__: Any) -> Any:
    """What a process does that dies here."""
    raise Stopped


def bills_in_lake(bench: Any, person: str) -> int:
    """Bills of a person in the lake."""
    import pyarrow.parquet as pq

    tables = [pq.ParquetFile(file.path).read(columns=["id", "event"])
              for file in bench.workspace.lake.snapshot().files]  # fmt: skip
    return sum(
        row == {"id": f"customer_no:{person}", "event": "bill_paid"}
        for table in tables
        for row in table.to_pylist()
    )


def test_the_lake_catches_up_after_a_crash(bench: Any) -> None:
    """A worker that died between state and lake commit leaves rows that the next one brings."""
    bench.bills("A", 4)
    worker = bench.worker()
    worker.lake.commit = stop  # type: ignore[method-assign]
    with pytest.raises(Stopped):
        bench.settle(worker)
    assert bills_in_lake(bench, "A") == 0
    bench.bills("A", 1)
    bench.settle(bench.worker())
    assert bills_in_lake(bench, "A") == 5
    bench.settle(bench.worker())
    assert bills_in_lake(bench, "A") == 5


def test_a_lake_that_fails_for_a_while_is_only_late(bench: Any) -> None:
    """The same worker commits everything later, once."""
    worker = bench.worker()
    bench.settle(worker)
    commit = worker.lake.commit
    bench.bills("A", 2)
    worker.lake.commit = stop  # type: ignore[method-assign]
    with pytest.raises(Stopped):
        bench.settle(worker)
    worker.lake.commit = commit  # type: ignore[method-assign]
    bench.bills("A", 1)
    bench.settle(worker)
    assert bills_in_lake(bench, "A") == 3


def test_an_idle_worker_writes_nothing(bench: Any) -> None:
    """Neither ticks nor notes: a quiet bank has a quiet disk."""
    bench.bills("A", 1)
    worker = bench.worker()
    bench.settle(worker)
    end = worker.reader.end(0)
    bench.settle(worker, ticks=5)
    assert worker.reader.end(0) == end
    assert not (bench.workspace.run / "projecting.json").exists()


# --- erasure --------------------------------------------------------------------------------


def order(bench: Any, person: str) -> None:
    """Order an erasure as `dipper erase` does, without waiting for it."""
    mark = tombstone(f"customer_no:{person}", bench.erasure_key)
    document = {"status": "ordered", "time_us": bench.now_us, "hashes": [mark.hex()]}
    bench.workspace.control.put(RECEIPTS, "e1", document)
    body = erasure_control("e1", [mark], bench.now_us).body
    bench.control("erased", body, range(bench.partitions))


def log_holds(bench: Any, word: str) -> bool:
    """Whether a word stands in a record of the log."""
    return any(word.encode() in payload for _, payload in bench.records())


@pytest.mark.parametrize("dies_in", ["lake", "log", "receipt"])
@pytest.mark.parametrize("partitions", [1, 3])
def test_an_interrupted_erasure_is_finished_at_start(
    make_bench: Callable[..., Any], partitions: int, dies_in: str
) -> None:
    """Wherever the worker died, the next one leaves nothing in lake and log, and a receipt."""
    bench = make_bench(partitions)
    bench.bills("ERASED", 5)
    bench.bills("OTHER", 2)
    worker = bench.worker()
    bench.settle(worker)
    order(bench, "ERASED")
    owner, name = {
        "lake": (worker.workspace.lake, "erase"),
        "log": (worker.appender, "erase"),
        "receipt": (worker.workspace.control, "put"),
    }[dies_in]
    setattr(owner, name, stop)
    with pytest.raises(Stopped):
        bench.settle(worker)
    worker = bench.worker()
    assert bench.workspace.control.get(RECEIPTS, "e1")["status"] == "ordered"
    bench.settle(worker)
    receipt = bench.workspace.control.get(RECEIPTS, "e1")
    assert receipt["status"] == "done"
    assert "hashes" not in receipt
    assert not log_holds(bench, "customer_no:ERASED")
    assert bench.ids_in_lake()["customer_no:ERASED"] == 0
    assert bills_in_lake(bench, "OTHER") == 2
    assert bench.subject("ERASED").erased
    assert replay(bench.workspace)["equal"]


def test_an_erasure_counts_every_partition_once(make_bench: Callable[..., Any]) -> None:
    """The order comes to every partition; the receipt says what all of it has emptied."""
    bench = make_bench(3)
    bench.bills("ERASED", 5)
    bench.settle(bench.worker())
    written = sum(event.subjects == {"person": "customer_no:ERASED"} for event in bench.events())
    bench.open_again()
    receipt = erase(bench.workspace, "customer_no:ERASED", bench.clock)
    assert receipt["log_records"] == written
    assert receipt["lake_rows"] >= 5
    bench.open_again()
    bench.settle(bench.worker())
    assert bench.workspace.control.get(RECEIPTS, receipt["erasure"])["log_records"] == written


def test_a_rebuild_leaves_receipts_alone(bench: Any) -> None:
    """What was erased is gone already; the receipt keeps the counts of the day."""
    bench.bills("ERASED", 5)
    bench.settle(bench.worker())
    bench.open_again()
    receipt = erase(bench.workspace, "customer_no:ERASED", bench.clock)
    bench.add_spec(
        """
---
kind: tag
name: paid_60d
title: {zh: 缴费总额, en: sum of bills}
owners: {business: retail, technical: data-platform, managing: retail-head}
purposes: [personalised_service]
value: {aggregate: sum, event: bill_paid, property: amount_fen, window: 60d}
"""
    )
    bench.open_again()
    bench.now_us += SECOND_US
    bench.apply()
    worker = bench.worker()
    bench.settle(worker)
    stored = bench.workspace.control.get(RECEIPTS, receipt["erasure"])
    assert stored["log_records"] == receipt["log_records"] > 0
    assert bench.subject("ERASED").erased
    assert replay(bench.workspace)["equal"]


def test_an_order_that_never_reached_the_log_erases_nobody(bench: Any) -> None:
    """The command failed before its record was written: what holds is the log."""
    bench.bills("A", 1)
    mark = tombstone("customer_no:A", bench.erasure_key)
    document = {"status": "ordered", "time_us": bench.now_us, "hashes": [mark.hex()]}
    bench.workspace.control.put(RECEIPTS, "e1", document)
    bench.settle(bench.worker())
    assert bills_in_lake(bench, "A") == 1
    assert log_holds(bench, "customer_no:A")


@pytest.mark.parametrize("partitions", [1, 4])
def test_what_came_after_a_new_consent_survives_the_erasure(
    make_bench: Callable[..., Any], partitions: int
) -> None:
    """A worker that was away finds order and consent in the log: it erases what was before."""
    bench = make_bench(partitions)
    bench.bills("A", 5)
    bench.settle(bench.worker())
    order(bench, "A")
    order_us = bench.now_us
    bench.now_us += SECOND_US
    mark = tombstone("customer_no:A", bench.erasure_key).hex()
    bench.control("reinstated", {"ids": {mark: order_us}}, range(partitions))
    bench.append([bench.event("bill_paid", "A", message_id="after")])
    bench.settle(bench.worker())
    subject = bench.subject("A")
    assert not subject.erased
    assert subject.tags["bills_paid_30d"] == 1
    assert bills_in_lake(bench, "A") == 1
    left = [event.message_id for event in bench.events() if event.event == "bill_paid"]
    assert left == ["after"]
    assert bench.workspace.control.get(RECEIPTS, "e1")["status"] == "done"
    assert replay(bench.workspace)["equal"]


# --- models ---------------------------------------------------------------------------------


def decided(bench: Any, person: str) -> tuple[Event, list[str]]:
    """A decision about a person, as the gateway writes it, and the offers given."""
    from dipper.decide.request import DecideRequest
    from dipper.decide.trace import encode

    decider = bench.served.decider
    request = DecideRequest(placement="bill_payment_result", ids={"customer_no": person})
    decision_id = f"d-{person}"
    found = decider.decide(request, bench.subject(person), bench.now_us, 0.5, decision_id, None)
    event = bench.event(
        "decision_made",
        person,
        message_id=decision_id,
        source="gateway",
        trust="engine",
        placement="bill_payment_result",
        properties=json.loads(encode(found.trace)),
        program=bench.served.current.program,
    )
    return event, [offered.offer for offered in found.reply.offers]


def learn(bench: Any, worker: Any, person: str) -> None:
    """A decision about a person who sees the offer and clicks it."""
    bench.bills(person, 1)
    consent = {"purpose": "personalised_service", "notice_version": "1"}
    bench.append([bench.event("consent_given", person, properties=consent)])
    bench.settle(worker)
    decision, offers = decided(bench, person)
    assert offers == ["bill_reminder"]
    bench.append([decision])
    bench.settle(worker)
    outcome = {"decision_id": decision.message_id, "offer": offers[0]}
    for name in ("offer_shown", "offer_clicked"):
        bench.append([bench.event(name, person, properties=outcome)])


def test_outcomes_publish_a_model_that_the_gateway_loads(bench: Any) -> None:
    """It comes as a control record, and whoever follows these has it by its address."""
    path = bench.workspace.specs / "starter.yml"
    path.write_text(path.read_text("utf-8").replace("ranker: random", "ranker: linear"), "utf-8")
    bench.now_us += SECOND_US
    bench.apply()
    worker = bench.worker()
    learn(bench, worker, "A")
    bench.settle(worker, ticks=12)
    published = bench.controls("model_published")
    assert published
    following = Following(bench.workspace, bench.clock, bench.erasure_key)
    for control in published:
        following.follow(control)
    model = following.published("services")
    assert isinstance(model, Published)
    assert bench.workspace.models.get(published[-1].body["hash"])
    assert following.published("another") is None


def test_an_erased_person_is_left_out_of_the_next_training(bench: Any) -> None:
    """The evidence that the running trainer holds goes with the erasure."""
    worker = bench.worker()
    learn(bench, worker, "A")
    learn(bench, worker, "B")
    bench.settle(worker, ticks=2)
    assert len(worker.trainer._choices) == 2
    order(bench, "A")
    bench.settle(worker, ticks=2)
    assert len(worker.trainer._choices) == 1


def test_a_restarted_trainer_has_the_evidence_again(bench: Any) -> None:
    """It reads decisions and outcomes from the log, from the first decision that is known."""
    worker = bench.worker()
    learn(bench, worker, "A")
    bench.settle(worker)
    known = {key: len(found) for key, found in worker.trainer._choices.items()}
    worker = bench.worker()
    bench.settle(worker)
    assert {key: len(found) for key, found in worker.trainer._choices.items()} == known
    assert sum(known.values()) == 1
    assert isinstance(msgspec.to_builtins(worker.trainer.positions), dict)
