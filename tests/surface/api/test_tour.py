"""Tests of the tour against a running example bank: every act is real."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any

import pytest

from dipper.profile.gather import gather
from dipper.surface.api.platform import Platform
from dipper.surface.api.tour.cast import ROLES, Cast

PERSONS = ("payer", "cautious", "seeker", "sharer", "leaver")


class Page(HTMLParser):
    """What a test reads of a page: its text by the id of the section, its tags, its forms."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.sections: dict[str, str] = {}
        self.tags: set[str] = set()
        self.actions: list[str] = []
        self._section = ""
        self._silent = 0
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        """Sections have ids."""
        named = dict(attributes)
        self.tags.add(tag)
        self._silent += tag == "style"
        if tag == "section":
            self._section = named.get("id") or "who"
        if tag == "form":
            self.actions.append(named["action"] or "")

    def handle_endtag(self, tag: str) -> None:
        """Styles are no text."""
        self._silent -= tag == "style"

    def handle_data(self, data: str) -> None:
        """Text of the section."""
        if not self._silent and data.strip():
            self.sections[self._section] = f"{self.sections.get(self._section, '')} {data.strip()}"

    @property
    def text(self) -> str:
        """All of it."""
        return " ".join(self.sections.values())


def show(bank: Any, path: str, language: str = "en") -> Page:
    """A page."""
    joint = "&" if "?" in path else "?"
    answer = bank.get(f"{path}{joint}lang={language}")
    assert answer.status == 200, answer.text
    return Page(answer.text)


def act(bank: Any, role: str, verb: str, **fields: str) -> Page:
    """Do something; the page to which it leads."""
    answer = bank.form(f"/tour/{role}/{verb}", lang="en", **fields)
    assert answer.status == 303, answer.text
    path, _, anchor = answer.headers["location"].partition("#")
    page = Page(bank.get(path).text)
    assert anchor in page.sections
    return page


@pytest.mark.parametrize(
    ("language", "title"), [("zh", "五个人和一家店"), ("en", "Five persons and a shop")]
)
def test_the_overview_shows_everybody(served_bank: Any, language: str, title: str) -> None:
    """Five persons and a shop, in the language of the reader."""
    page = show(served_bank, "/tour", language)
    assert title in page.text
    for role in ROLES:
        assert role.line[language == "en"] in page.text
    assert ("Nobody in these data can play" in page.text) is False


@pytest.mark.parametrize("role", [*PERSONS, "shop"])
@pytest.mark.parametrize("language", ["zh", "en"])
def test_a_page_runs_no_script_and_shows_no_id(served_bank: Any, role: str, language: str) -> None:
    """Forms and links only; every id is masked (PFI-08)."""
    answer = served_bank.get(f"/tour/{role}?lang={language}")
    page = Page(answer.text)
    assert "script" not in page.tags
    assert "link" not in page.tags
    assert re.search(r"(login|org_no):\w\w\*{4}\w\w", answer.text)
    assert not re.search(r"\bu\d{6}\b|\bC\d{7}\b|\bd\d{6}\b|\bO\d{6}\b", answer.text)
    assert not re.search(r" on\w+=", answer.text)


def test_a_page_of_nobody_is_not_found(served_bank: Any) -> None:
    """A role that does not exist."""
    assert served_bank.get("/tour/nobody").status == 404


def test_a_decision_comes_with_its_waterfall_and_sentences(served_bank: Any) -> None:
    """The data plane is asked; the page shows arm, gates and why."""
    page = act(served_bank, "payer", "decide")
    why = page.sections["why"]
    assert "treated" in why
    assert "nothing is shown" not in why
    for gate in ("candidates", "purpose", "eligibility", "suitability", "consent", "contact cap"):
        assert gate in why
    assert re.search(r"passed all \d gates", why)
    decision_id = re.search(r"\b[0-9a-f]{8}-[0-9a-f-]{27}\b", why)
    assert decision_id is not None
    served_bank.settle()
    found = served_bank.get(f"/api/decisions/{decision_id[0]}").json()
    assert found["trace"]["placement"] == "bill_payment_result"


def test_the_page_says_the_sentences_in_chinese_too(served_bank: Any) -> None:
    """The last decision is there without asking again."""
    act(served_bank, "payer", "decide")
    served_bank.settle()
    page = show(served_bank, "/tour/payer", "zh")
    assert "最近一次决策" in page.sections["why"]
    assert re.search(r"通过全部 \d 项校验", page.sections["why"])


def test_why_not_the_fund_names_the_rule(served_bank: Any) -> None:
    """A fund above the person's tolerance is held back by SUIT-03, with both levels."""
    page = act(served_bank, "cautious", "decide")
    assert "SUIT-03" in page.sections["why-not"]
    assert re.search(r"R4 is above the person's C[12]", page.sections["why-not"])


def test_a_withdrawn_consent_changes_the_next_answer(served_bank: Any) -> None:
    """Within a second nothing is shown, by PI-03; given back, all is as before."""
    page = act(served_bank, "seeker", "withdraw")
    consent = page.sections["consent"]
    milliseconds = re.search(r"new answer: (\d+) ms", consent)
    assert milliseconds is not None
    assert int(milliseconds[1]) < 1_000
    before, _, after = consent.partition("→")
    assert "nothing is shown" not in before
    assert "nothing is shown" in after
    assert "PI-03" in after
    assert "✕ marketing" in page.sections["who"]
    again = act(served_bank, "seeker", "give")
    before, _, after = again.sections["consent"].partition("→")
    assert "nothing is shown" in before
    assert "nothing is shown" not in after
    assert "✓ marketing" in again.sections["who"]


def test_events_flip_tags_and_a_segment(served_bank: Any) -> None:
    """Eight rides make a commuter (seven gates a resident), and the tag says so many more."""
    who = show(served_bank, "/tour/payer").sections["who"]
    flips = {
        "commuters": ("ride", "8", "rides in 7 days"),
        "residents": ("gate", "7", "gates opened in 7 days"),
    }
    segment = next(name for name in flips if name not in who)
    event, times, tag = flips[segment]
    page = act(served_bank, "payer", "send", event=event, times=times)
    sent = page.sections["event"]
    counted = re.search(rf"{tag} (\d+) (\d+)", sent)
    assert counted is not None
    assert int(counted[2]) == int(counted[1]) + int(times)
    assert f"entered {segment}" in sent
    assert segment in page.sections["who"]


def test_a_shop_is_an_organisation(served_bank: Any) -> None:
    """Its sales are its own; its keeper acts and stays a person apart."""
    page = act(served_bank, "shop", "send", event="sale", times="40")
    sales = re.search(r"sales in 7 days (\d+) (\d+)", page.sections["event"])
    assert sales is not None
    assert int(sales[2]) == int(sales[1]) + 40
    assert re.search(r"operator login:u\d\*{4}\d\d", page.sections["who"])
    decided = act(served_bank, "shop", "decide")
    assert "till report" in decided.sections["why"]


def test_a_shared_phone_is_shown_with_both_users(served_bank: Any) -> None:
    """A device is of one person after another and merges nobody."""
    who = show(served_bank, "/tour/sharer").sections["who"]
    assert "one phone, two persons" in who
    assert "somebody else" in who


@pytest.mark.parametrize(
    "fields",
    [
        {"event": "nothing", "times": "1"},
        {"event": "sale", "times": "1"},
        {"event": "bill", "times": "1000"},
        {"event": "bill", "times": "x"},
        {},
    ],
)
def test_a_form_that_was_not_ours_is_refused(served_bank: Any, fields: dict[str, str]) -> None:
    """Only events and numbers that the page offers."""
    answer = served_bank.form("/tour/payer/send", **fields)
    assert answer.status == 400
    assert answer.json()["where"] in ("event", "times")


def test_a_person_leaves_a_segment_by_the_clock_alone(served_bank: Any) -> None:
    """The page foretells moment and event; a day later the announcement stands in the log."""
    before = show(served_bank, "/tour/leaver")
    foretold = re.search(
        r"slides out leaves (.+?) (\d{4}-\d\d-\d\d \d\d:\d\d(?::\d\d)?) in .+? (\d+ h|\d+ min)",
        before.sections["wait"],
    )
    assert foretold is not None
    segment, moment = foretold[1], foretold[2]
    for _ in range(11):
        waited = act(served_bank, "leaver", "advance").sections["wait"]
        said, _, changed = waited.partition("No event has caused")
        if segment in said.partition("→")[2]:
            break
    assert f"{moment} · segment left: {segment}" in said
    assert f"left {segment}" in changed
    page = show(served_bank, "/tour/leaver")
    assert re.search(rf"{moment} segment left {segment} engine", page.sections["log"])
    assert "virtual time stands still" in page.sections["wait"]
    assert segment not in page.sections["who"].partition("consents")[0]


def test_behind_a_moved_clock_events_and_consents_keep_their_order(served_bank: Any) -> None:
    """Virtual time stands still, yet the later word about a consent is the one that counts."""
    for _ in range(2):
        assert "✕ marketing" in act(served_bank, "leaver", "withdraw").sections["who"]
        assert "✓ marketing" in act(served_bank, "leaver", "give").sections["who"]


def test_the_log_can_be_watched(served_bank: Any) -> None:
    """The page refreshes itself without a script while somebody watches."""
    watched = served_bank.get("/tour/payer?watch=1&lang=en").text
    assert '<meta http-equiv="refresh" content="2">' in watched
    assert 'http-equiv="refresh"' not in served_bank.get("/tour/payer?lang=en").text


def test_nobody_plays_two_roles(app: Any) -> None:
    """The cast is of different subjects, all known to the bank's server."""
    bank: Platform = app.state.platform
    with bank.read() as reading:
        figures = Cast(bank).figures(reading)
        keys = set()
        for figure in figures.values():
            from dipper.kit.hashing import hash128

            found = gather(reading.view, reading.served.tag_table, hash128(figure.text))
            assert found is not None
            keys.add(found.name()[1])
    assert len(keys) == len(figures) >= 5
