"""Decide, outcomes and traces over HTTP, against a started server with gateway and worker."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import shutil
import time
from base64 import b64encode
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey

from dipper.app.init import init_workspace
from dipper.app.keys import read_keys
from dipper.app.programs import prepare
from dipper.app.workspace import Workspace
from dipper.engine.record import EVENT_DECODER
from dipper.kit.clock import system_clock, to_iso
from dipper.kit.hashing import hash128
from dipper.surface.applying import apply
from dipper.surface.conservation import Conservation
from dipper.surface.demo.bank import SOURCES, example_folder
from dipper.surface.demo.server import DemoServer
from dipper.surface.erasing import erase

TRIES = 20
KEY = ECKey.generate_key("P-256", {"kid": "page-1"}, private=True)
PLACE = "bill_payment_result"


class Bank:
    """The example bank's specs behind a real gateway and worker."""

    def __init__(self, folder: Path) -> None:
        init_workspace(folder, random_bytes=os.urandom, sources=SOURCES, starter=False)
        for part in ("specs", "tables"):
            shutil.copytree(example_folder() / part, folder / part, dirs_exist_ok=True)
        public = KEY.as_dict(private=False)
        with (folder / "keys.toml").open("a", encoding="utf-8") as file:
            file.write("\n[[sources.scenario_server.token_keys]]\nkid = 'page-1'\n")
            parts = ", ".join(f"{name} = '{public[name]}'" for name in ("kty", "crv", "x", "y"))
            file.write(f"public_jwk = {{ {parts} }}\n")
        self.workspace = Workspace(folder)
        apply(self.workspace, prepare(self.workspace, system_clock()), system_clock)
        self.keys = read_keys(self.workspace.keys_file).write_keys
        self.server = DemoServer(folder, folder.parent / "server.log")
        self._serial = 0

    def ask(
        self, method: str, path: str, document: Any = None, authorization: str | None = None
    ) -> tuple[int, Any]:
        """Status and JSON of one request, with the server's key unless told otherwise."""
        if authorization is None:
            authorization = self.basic("scenario_server")
        body = document if isinstance(document, bytes) else json.dumps(document).encode()
        headers = {"Authorization": authorization, "Content-Type": "application/json"}
        connection = http.client.HTTPConnection("127.0.0.1", self.server.data_port, timeout=30)
        with contextlib.closing(connection):
            connection.request(method, path, None if method == "GET" else body, headers)
            answer = connection.getresponse()
            self.content_type = answer.getheader("content-type")
            return answer.status, json.loads(answer.read() or b"null")

    def basic(self, source: str) -> str:
        """The header of a source's key."""
        return "Basic " + b64encode(f"{self.keys[source]}:".encode()).decode()

    def token(self, **claims: Any) -> str:
        """The header of a token that the scenario's server has signed."""
        known = {
            "iss": "scenario_server",
            "sub": "login:tina",
            "exp": time.time() + 300,
            "jti": "1",
        }
        header = {"alg": "ES256", "kid": "page-1"}
        return "Bearer " + jwt.encode(header, known | claims, KEY, algorithms=["ES256"])

    def send(self, event: str, person: str, source: str = "scenario_server", **fields: Any) -> None:
        """One event of a person, sent until it is acknowledged."""
        self._serial += 1
        message = {"type": "track", "event": event, "messageId": f"t{self._serial}",
                   "timestamp": to_iso(system_clock()), "userId": person}  # fmt: skip
        for _ in range(TRIES):
            status, reply = self.ask(
                "POST", "/v1/batch", {"batch": [message | fields]}, self.basic(source)
            )
            if status != 503:
                break
            # A consent is answered so while the projection is late; every SDK sends it again.
            time.sleep(0.2)
        assert status == 200, reply

    def person(self, login: str, *, is_consenting: bool = True) -> None:
        """A person of 40 years, known to the bank's server; consented when this returns."""
        self.send("identify", login, type="identify", traits={"age": 40, "employment": "salaried"})
        self.consent(login, is_given=is_consenting)

    def consent(self, login: str, *, is_given: bool) -> None:
        """Give or withdraw the consent to marketing."""
        properties = {"purpose": "marketing", "notice_version": "2026-01"}
        self.send(f"consent_{'given' if is_given else 'withdrawn'}", login, properties=properties)

    def decide(self, login: str, authorization: str | None = None, **fields: Any) -> Any:
        """A decision that was answered."""
        body = {"placement": PLACE, "ids": {"login": login}} | fields
        status, reply = self.ask("POST", "/v1/decide", body, authorization)
        assert status == 200, reply
        return reply

    def verdicts(self, reply: Any) -> dict[str, dict[str, bool]]:
        """offer -> gate -> whether it passed, as the trace says."""
        status, found = self.ask("GET", f"/v1/decisions/{reply['decision_id']}")
        assert status == 200, found
        return {
            offer: {gate: verdict["passed"] for gate, verdict in gates.items()}
            for offer, gates in found["verdicts"].items()
        }

    def treated(self, name: str) -> tuple[str, Any]:
        """A person who gets an offer, with the decision."""
        for number in range(40):
            login = f"{name}{number}"
            self.person(login)
            reply = self.decide(login)
            if reply["offers"] and reply["arm"] == "treated":
                return login, reply
        raise AssertionError("nobody of forty was offered anything")

    def counts(self, source: str) -> Any:
        """What the log says became of a source's events."""
        with self.workspace.log.reader() as reader:
            found = Conservation(reader)
            found.catch_up()
            return found.by_source()[source]


@pytest.fixture(scope="module")
def bank(tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config) -> Iterator[Bank]:
    """One server for all tests of this file."""
    bank = Bank(tmp_path_factory.mktemp("deciding") / "bank")
    kernels = pytestconfig.cache.mkdir("kernels") if pytestconfig.cache else None
    with pytest.MonkeyPatch.context() as patch:
        if kernels is not None:
            patch.setenv("NUMBA_CACHE_DIR", str(kernels))
        bank.server.start()
    try:
        for _ in range(20):
            # The worker may still be loading its kernels: until then a consent is told to wait.
            with contextlib.suppress(AssertionError):
                bank.person("tina")
                break
        yield bank
    finally:
        bank.server.stop()


@pytest.mark.timeout(120)
def test_withdrawn_consent_is_obeyed_by_the_very_next_decide(bank: Bank) -> None:
    """Every time, without waiting: the acknowledgement says that it is in force."""
    bank.person("wei")
    for _ in range(5):
        assert any(gates["consent"] for gates in bank.verdicts(bank.decide("wei")).values())
        bank.consent("wei", is_given=False)
        reply = bank.decide("wei")
        assert reply["offers"] == []
        assert not any(gates["consent"] for gates in bank.verdicts(reply).values())
        bank.consent("wei", is_given=True)


def test_a_stranger_is_answered_and_offered_nothing(bank: Bank) -> None:
    """Nobody knows the person: missing means deny, and the trace says so."""
    reply = bank.decide("nobody-ever-saw-this")
    assert reply["offers"] == []
    verdicts = bank.verdicts(reply)
    assert not any(all(gates.values()) for gates in verdicts.values())


def test_an_expired_assessment_is_no_assessment(bank: Bank) -> None:
    """Funds are denied by `suitable`, though the level would do; a valid one opens them."""
    bank.person("risk")
    bound = {"type": "track", "properties": {"other_id": "login:risk"}}
    bank.send("subject_bound", "C900", "core", **bound)
    expired = {"risk_level": 5, "valid_from": "2020-01-01", "valid_until": "2021-01-01"}
    bank.send("assessment_recorded", "C900", "core", properties=expired)
    bank.consent("risk", is_given=True)
    verdicts = bank.verdicts(bank.decide("risk"))
    wealth = ("stable_growth_r2", "equity_select_r4")
    assert [verdicts[offer]["suitable"] for offer in wealth] == [False, False]
    assert verdicts["autopay"]["suitable"]
    valid = {"risk_level": 2, "valid_from": "2026-01-01", "valid_until": "2099-01-01"}
    bank.send("assessment_recorded", "C900", "core", properties=valid)
    bank.consent("risk", is_given=True)
    verdicts = bank.verdicts(bank.decide("risk"))
    assert [verdicts[offer]["suitable"] for offer in wealth] == [True, False]


def test_an_answer_takes_a_seen_position_into_account(bank: Bank) -> None:
    """A reply's position can be sent back; a partition that is not there is a bad request."""
    first = bank.decide("tina")
    again = bank.decide("tina", seen_position=first["position"])
    assert again["position"][1] > first["position"][1]
    body = {"placement": PLACE, "ids": {"login": "tina"}}
    status, problem = bank.ask("POST", "/v1/decide", body | {"seen_position": [7, 0]})
    assert (status, problem["where"]) == (400, "body.seen_position")
    status, problem = bank.ask("POST", "/v1/decide", body | {"seen_position": [0, 10**9]})
    assert (status, problem["code"]) == (503, "unavailable")


def test_a_request_id_gives_the_same_answer(bank: Bank) -> None:
    """For the same request; with another person's name it is another request."""
    first = bank.decide("tina", request_id="r1")
    assert bank.decide("tina", request_id="r1") == first
    assert bank.decide("tina", request_id="r2")["decision_id"] != first["decision_id"]
    other = bank.decide("somebody", request_id="r1")
    assert other["decision_id"] != first["decision_id"]
    assert other["subject"] != first["subject"]


def test_a_request_that_comes_twice_at_once_is_decided_once(bank: Bank) -> None:
    """A client that does not wait for its first try gets the same decision."""
    with ThreadPoolExecutor(8) as pool:
        replies = list(pool.map(lambda _: bank.decide("tina", request_id="burst"), range(8)))
    assert len({reply["decision_id"] for reply in replies}) == 1
    assert all(reply == replies[0] for reply in replies)


@pytest.mark.parametrize(
    ("authorization", "status", "code"),
    [("app", 403, "forbidden"), ("Basic d3Jvbmc6", 401, "unauthenticated"),
     ("Basic !!", 401, "unauthenticated"), ("", 401, "unauthenticated"),
     ("Bearer abc", 401, "unauthenticated")],
)  # fmt: skip
def test_who_may_not_ask_is_told_so(bank: Bank, authorization: str, status: int, code: str) -> None:
    """A public key writes behaviour and asks nothing; a wrong one does not even that."""
    header = bank.basic("app") if authorization == "app" else authorization
    for path in ("/v1/decide", "/v1/outcomes"):
        found, problem = bank.ask("POST", path, {"placement": PLACE}, header)
        assert (found, problem["code"], problem["status"]) == (status, code, status)
        assert bank.content_type == "application/problem+json"


def test_a_token_asks_for_its_subject_and_placement_only(bank: Bank) -> None:
    """Neither for another person nor elsewhere, nor with a request id of somebody else."""
    token = bank.token(placement=PLACE)
    assert bank.decide("tina", token)["placement"] == PLACE
    secret = bank.decide("wei", request_id="known")
    for body in (
        {"placement": PLACE, "ids": {"login": "wei"}},
        {"placement": PLACE, "ids": {"login": "wei"}, "request_id": "known"},
        {"placement": PLACE, "ids": {"login": "tina", "device": "d9"}},
        {"placement": "bill_home", "ids": {"login": "tina"}},
    ):
        status, problem = bank.ask("POST", "/v1/decide", body, token)
        assert (status, problem["code"]) == (403, "forbidden")
        assert secret["decision_id"] not in json.dumps(problem)
    for wrong in (bank.token(exp=time.time() - 1), bank.token(exp=time.time() + 3_600)):
        status, problem = bank.ask(
            "POST", "/v1/decide", {"placement": PLACE, "ids": {"login": "tina"}}, wrong
        )
        assert (status, problem["code"]) == (401, "unauthenticated")


def test_context_is_declared(bank: Bank) -> None:
    """A misspelt name or another type is told with its place, by a server as by a page."""
    body = {"placement": PLACE, "ids": {"login": "tina"}}
    for authorization in (None, bank.token(placement=PLACE)):
        for context, detail in (
            ({"amount_fne": 1}, "amount_fne"),
            ({"amount_fen": "1"}, "expected int, got '1'"),
        ):
            status, problem = bank.ask(
                "POST", "/v1/decide", body | {"context": context}, authorization
            )
            assert (status, problem["where"]) == (400, f"body.context.{next(iter(context))}")
            assert detail in problem["detail"]
    assert bank.decide("tina", context={"amount_fen": 12_800})["decision_id"]


def test_outcomes_are_events_of_the_decision(bank: Bank) -> None:
    """Shown and clicked are good events; a resend is a copy; what was not given is refused."""
    _, reply = bank.treated("out")
    offer = reply["offers"][0]["offer"]
    before = bank.counts("scenario_server")
    shown = {"decision_id": reply["decision_id"], "offer": offer, "outcome": "shown"}
    assert bank.ask("POST", "/v1/outcomes", shown) == (200, {"success": True})
    assert bank.ask("POST", "/v1/outcomes", shown) == (200, {"success": True})
    clicked = shown | {"outcome": "clicked"}
    assert bank.ask("POST", "/v1/outcomes", clicked) == (200, {"success": True})
    after = bank.counts("scenario_server")
    assert (after.good - before.good, after.duplicate - before.duplicate) == (2, 1)
    status, problem = bank.ask("POST", "/v1/outcomes", shown | {"offer": f"{offer}x"})
    assert (status, problem["where"]) == (400, "body.offer")
    assert offer in problem["hint"]
    status, problem = bank.ask("POST", "/v1/outcomes", shown | {"decision_id": "none"})
    assert (status, problem["code"]) == (404, "not_found")


def test_a_token_reports_outcomes_of_its_own_decision_only(bank: Bank) -> None:
    """Not of another person's, and not of another placement's; traces are not for pages."""
    login, reply = bank.treated("page")
    shown = {"decision_id": reply["decision_id"], "offer": reply["offers"][0]["offer"],
             "outcome": "shown"}  # fmt: skip
    for token in (bank.token(), bank.token(sub=f"login:{login}", placement="bill_home")):
        status, problem = bank.ask("POST", "/v1/outcomes", shown, token)
        assert (status, problem["code"]) == (403, "forbidden")
    own = bank.token(sub=f"login:{login}", placement=PLACE)
    assert bank.ask("POST", "/v1/outcomes", shown, own)[0] == 200
    status, _ = bank.ask("GET", f"/v1/decisions/{reply['decision_id']}", None, own)
    assert status == 403


def test_a_trace_is_there_as_soon_as_its_answer(bank: Bank) -> None:
    """Recomputed from the versions that it names; from memory first, later from the log."""
    reply = bank.decide("tina")
    status, found = bank.ask("GET", f"/v1/decisions/{reply['decision_id']}")
    assert status == 200
    assert found["trace"]["decision_id"] == reply["decision_id"]
    assert set(found["verdicts"]) >= {"autopay", "stable_growth_r2"}
    assert found["waterfall"]
    assert bank.ask("GET", "/v1/decisions/none")[0] == 404
    assert bank.ask("GET", "/v1/decide")[0] == 400


def test_many_ask_at_once(bank: Bank) -> None:
    """Each gets an answer of its own, and every trace is in the log."""
    with ThreadPoolExecutor(8) as pool:
        replies = list(pool.map(lambda n: bank.decide(f"crowd{n % 7}"), range(80)))
    assert len({reply["decision_id"] for reply in replies}) == 80
    assert len({tuple(reply["position"]) for reply in replies}) == 80


def test_an_erased_person_stays_away_until_a_new_consent(bank: Bank) -> None:
    """Later events are refused and counted, decisions know nobody, traces are gone; a consent
    that the bank's server brings opens the door again."""
    login, reply = bank.treated("gone")
    shown = {"decision_id": reply["decision_id"], "offer": reply["offers"][0]["offer"],
             "outcome": "shown"}  # fmt: skip
    receipt = erase(bank.workspace, f"login:{login}", system_clock)
    assert receipt["log_records"] >= 3
    before = bank.counts("scenario_server")
    bank.send("app_opened", login, properties={})
    after = bank.counts("scenario_server")
    assert (after.good, after.refused) == (before.good, before.refused + 1)
    assert after.received == before.received + 1
    assert bank.ask("GET", f"/v1/decisions/{reply['decision_id']}")[0] == 404
    assert bank.ask("POST", "/v1/outcomes", shown)[0] == 404
    assert bank.decide(login)["offers"] == []

    bank.consent(login, is_given=True)
    bank.send("identify", login, type="identify", traits={"age": 30, "employment": "salaried"})
    bank.consent(login, is_given=True)
    assert bank.counts("scenario_server").refused == after.refused
    verdicts = bank.verdicts(bank.decide(login))
    assert verdicts["autopay"]["eligible"]
    assert verdicts["autopay"]["consent"]


def test_an_erased_id_hides_no_living_person(bank: Bank) -> None:
    """Named beside another id it names nobody; alone it is decided about without a name."""
    bank.person("forgotten")
    erase(bank.workspace, "login:forgotten", system_clock)
    status, found = bank.ask(
        "POST", "/v1/decide",
        {"placement": PLACE, "ids": {"login": "forgotten", "device": "somebodys-phone"}},
    )  # fmt: skip
    assert status == 200
    assert found["subject"] == hash128("device:somebodys-phone").hex()
    assert bank.decide("forgotten")["subject"] == ""


def test_a_phone_of_an_erased_person_is_its_next_owners(bank: Bank) -> None:
    """Refused until a server names it with somebody who lives; then it names that person."""
    bank.person("seller")
    bank.send("app_opened", "seller", anonymousId="sold-phone", properties={})
    bank.consent("seller", is_given=True)
    erase(bank.workspace, "login:seller", system_clock)
    page = {"userId": None, "anonymousId": "sold-phone", "properties": {}}
    bank.send("app_opened", "", "app", **page | {"anonymousId": "another-phone"})
    refused = bank.counts("app").refused
    bank.send("app_opened", "", "app", **page)
    assert bank.counts("app").refused == refused + 1
    assert bank.decide("", ids={"device": "sold-phone"})["subject"] == ""
    bank.send("app_opened", "tina", anonymousId="sold-phone", properties={})
    bank.send("app_opened", "", "app", **page)
    assert bank.counts("app").refused == refused + 1
    bank.consent("tina", is_given=True)
    reply = bank.decide("", ids={"device": "sold-phone"})
    assert reply["subject"] == bank.decide("tina")["subject"]


def test_who_is_found_by_a_device_is_decided_about_by_name(bank: Bank) -> None:
    """The record stands with the person, and an outcome binds nobody to the device."""
    bank.send("app_opened", "tina", anonymousId="tinas-phone", properties={})
    bank.consent("tina", is_given=True)
    reply = bank.decide("", ids={"device": "tinas-phone"})
    assert reply["subject"] == bank.decide("tina")["subject"]
    partition, offset = reply["position"]
    with bank.workspace.log.reader() as reader:
        event = EVENT_DECODER.decode(reader.read(partition, offset, 1)[0].payload)
    assert event.subjects == {"person": "login:tina", "device": "device:tinas-phone"}


def test_a_token_opens_nobody_else_by_a_device(bank: Bank) -> None:
    """A phone that has passed on names its new owner: the page of another person is not told."""
    bank.send("app_opened", "tina", anonymousId="passed-on", properties={})
    bank.consent("tina", is_given=True)
    asked = {"placement": PLACE, "ids": {"device": "passed-on"}}
    tina = bank.token(device="passed-on")
    assert bank.ask("POST", "/v1/decide", asked, tina)[0] == 200
    before = bank.token(sub="login:wei", device="passed-on")
    status, problem = bank.ask("POST", "/v1/decide", asked, before)
    assert (status, problem["code"]) == (403, "forbidden")
    assert bank.decide("wei", before)["subject"] == hash128("login:wei").hex()


def test_an_unknown_placement_is_a_problem_with_a_suggestion(bank: Bank) -> None:
    """Where, what came, and the closest name."""
    body = {"placement": "bill_payment_reslt", "ids": {"login": "tina"}}
    status, problem = bank.ask("POST", "/v1/decide", body)
    assert status in (400, 404)
    assert bank.content_type == "application/problem+json"
    assert PLACE in problem["hint"]


@pytest.mark.parametrize(
    ("body", "status"),
    [(b"{", 400), (b"", 400), (b"[]", 400), (b'{"placement":"bill_home"}', 400),
     (b'{"placement":"bill_home","ids":{}}', 400), (b'{"placement":1,"ids":{"login":"a"}}', 400),
     (b'{"placement":"bill_home","ids":{"login":"a"},"extra":1}', 400), (b"[" * 50_000, 400),
     (b"x" * 10_000_000, 413)],
)  # fmt: skip
def test_a_bad_body_is_a_problem(bank: Bank, body: bytes, status: int) -> None:
    """In the error form, without a trace of ours, and the next request is served."""
    found, problem = bank.ask("POST", "/v1/decide", body)
    assert (found, problem["status"]) == (status, status)
    assert {"type", "title", "code", "detail"} <= problem.keys()
    assert "Traceback" not in json.dumps(problem)
    bank.decide("tina")


def test_a_request_id_gives_the_same_answer_after_a_crash(bank: Bank) -> None:
    """Nobody knows whether the answer got through: the resend gets it, from the trace."""
    login, _ = bank.treated("crash")
    asked = [f"c{number}" for number in range(3)]
    first = [bank.decide(login, request_id=one) for one in asked]
    bank.server.kill()
    bank.server.start()
    assert [again(bank, login, one) for one in asked] == first
    assert bank.decide(login, request_id="new")["decision_id"] != first[0]["decision_id"]


def again(bank: Bank, login: str, request_id: str) -> Any:
    """What a client does that has heard 503: come again."""
    body = {"placement": PLACE, "ids": {"login": login}, "request_id": request_id}
    for _ in range(30):
        status, reply = bank.ask("POST", "/v1/decide", body)
        if status != 503:
            return reply
        time.sleep(0.3)
    raise AssertionError("the worker did not come up")
