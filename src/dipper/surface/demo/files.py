"""The history as the files and maps that a bank would hand over: Parquet, one map each.

What the app tracked (public), what the scenarios' servers sent, of persons and of devices that
nobody signs in with, who people are, what they have agreed to and taken back, what the core knows,
and the organisations'.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from ruamel.yaml import YAML

from dipper.feed.mapping import (
    EventName,
    EventTime,
    FileShape,
    Map,
    PropertyColumn,
    SubjectColumn,
)
from dipper.kit.clock import DAY_US, SECOND_US, to_datetime
from dipper.surface.demo.history import HISTORY_DAYS, behaviour_table
from dipper.surface.demo.population import Organisations, Persons, Visitors

NOTICE = "2026-01"
_PROPERTIES: dict[str, str] = {
    "amount_fen": "int",
    "goods_count": "int",
    "due_days": "int",
    "age": "int",
    "founded_years": "int",
    "tier": "int",
    "risk_level": "int",
    "separate": "bool",
}
_SUBJECT_COLUMNS = {
    "login": ("person", "login"),
    "customer_no": ("person", "customer_no"),
    "device": ("device", "device"),
    "org_no": ("organisation", "org_no"),
    "operator": ("operator", "login"),
}
_ENVELOPE = ("scenario", "channel", "org_unit", "staff")


def write_history(
    folder: Path,
    persons: Persons,
    visitors: Visitors,
    organisations: Organisations,
    live_start_us: int,
    random: np.random.Generator,
) -> list[tuple[Path, Path, int]]:
    """Write all files and maps; gives (file, map, rows) in the order of import."""
    folder.mkdir(parents=True, exist_ok=True)
    start_us = live_start_us - HISTORY_DAYS * DAY_US
    known = behaviour_table(persons, start_us, live_start_us, random)
    unknown = behaviour_table(visitors, start_us, live_start_us, random)
    public = [table.filter(_is_public(table)) for table in (known, unknown)]
    known, unknown = (table.filter(pc.invert(_is_public(table))) for table in (known, unknown))
    tables = [
        ("core", "core", core_rows(persons, start_us, random)),
        ("people", "scenario_server", people_rows(persons, start_us)),
        ("consents", "scenario_server", consent_rows(persons, start_us)),
        ("organisations", "scenario_server", organisation_rows(organisations, persons, start_us)),
        ("scenarios", "scenario_server", known.drop_columns(["device"])),
        ("visitors", "scenario_server", unknown),
        ("app", "app", pa.concat_tables(public, promote_options="default")),
        (
            "firms",
            "scenario_server",
            behaviour_table(organisations, start_us, live_start_us, random),
        ),
    ]
    return [_write(folder, name, source, table) for name, source, table in tables]


def _is_public(table: pa.Table) -> pa.ChunkedArray:
    return pc.is_in(
        table.column("event"),
        pa.array(["app_opened", "bill_viewed", "product_page_viewed", "searched"]),
    )


def _write(folder: Path, name: str, source: str, table: pa.Table) -> tuple[Path, Path, int]:
    file, map_path = folder / f"{name}.parquet", folder / f"{name}.map.yml"
    pq.write_table(table, file, compression="zstd")
    found = Map(
        source=source,
        file=FileShape(format="parquet"),
        event=EventName(column="event"),
        time=EventTime(column="time_us", format="epoch_us"),
        subjects={
            role: SubjectColumn(type=id_type, column=column)
            for column, (role, id_type) in _SUBJECT_COLUMNS.items()
            if column in table.column_names
        },
        columns={column: column for column in _ENVELOPE if column in table.column_names},
        properties={
            column: PropertyColumn(column=column, type=_PROPERTIES.get(column, "text"))  # type: ignore[arg-type]
            for column in table.column_names
            if column not in ("event", "time_us", *_SUBJECT_COLUMNS, *_ENVELOPE)
        },
    )
    with map_path.open("w", encoding="utf-8") as out:
        YAML().dump(found.model_dump(exclude_defaults=True), out)
    return file, map_path, table.num_rows


def _dates(days_ago: np.ndarray, today_us: int) -> list[str]:
    return [to_datetime(int(today_us - days * DAY_US)).date().isoformat() for days in days_ago]


def core_rows(persons: Persons, start_us: int, random: np.random.Generator) -> pa.Table:
    """What the core knows of existing customers: who they are, products, assessments."""
    existing = np.flatnonzero(persons.is_existing)
    bound = pa.table(
        {
            "event": pa.array(["subject_bound"] * len(existing)),
            "time_us": pa.array(np.full(len(existing), start_us)),
            "customer_no": pa.array(persons.customer_no[existing]),
            "other_id": pa.array([f"login:{login}" for login in persons.login[existing]]),
        }
    )
    tables = [bound]
    for product, holds in persons.holds.items():
        who = np.flatnonzero(holds)
        tables.append(
            pa.table(
                {
                    "event": pa.array(["product_opened"] * len(who)),
                    "time_us": pa.array(np.full(len(who), start_us + 1)),
                    "customer_no": pa.array(persons.customer_no[who]),
                    "product": pa.array([product] * len(who)),
                    "account": pa.array([f"{product}-{persons.customer_no[i]}" for i in who]),
                    "opened_on": pa.array(_dates(random.integers(100, 2000, len(who)), start_us)),
                    "channel": pa.array(["counter"] * len(who)),
                    "org_unit": pa.array(persons.outlet[who]),
                }
            )
        )
    tables.append(assessment_rows(persons, start_us))
    return pa.concat_tables(tables, promote_options="default")


def assessment_rows(persons: Persons, start_us: int) -> pa.Table:
    """Risk assessments, valid for a year from the day they were made; some have run out."""
    known = np.flatnonzero((persons.risk_level > 0) & persons.is_existing)
    today_us = start_us + HISTORY_DAYS * DAY_US
    made = persons.assessed_days_ago[known]
    return pa.table(
        {
            "event": pa.array(["assessment_recorded"] * len(known)),
            "time_us": pa.array(np.maximum(start_us, today_us - made * DAY_US)),
            "customer_no": pa.array(persons.customer_no[known]),
            "risk_level": pa.array(persons.risk_level[known]),
            "valid_from": pa.array(_dates(made, today_us)),
            "valid_until": pa.array(_dates(made - 365, today_us)),
        }
    )


def people_rows(persons: Persons, start_us: int) -> pa.Table:
    """One `identify` a person: login, device and the attributes that servers know."""
    count = len(persons)
    unknown = ~persons.has_profile
    return pa.table(
        {
            "event": pa.array(["identify"] * count),
            # Persons who share a phone signed in one after the other.
            "time_us": pa.array(start_us + np.arange(count, dtype=np.int64) * 1_000),
            "login": pa.array(persons.login),
            "device": pa.array(persons.device),
            "age": pa.array(persons.age, mask=unknown),
            "gender": pa.array(persons.gender, mask=unknown),
            "city": pa.array(persons.city, mask=unknown),
            "employment": pa.array(persons.employment, mask=unknown),
            "outlet": pa.array(persons.outlet),
        }
    )


def consent_rows(persons: Persons, start_us: int) -> pa.Table:
    """What was agreed to at registration, health apart from the rest; and what was taken back."""
    given_us = start_us + 60_000_000
    tables = [
        _consents(persons, np.flatnonzero(agreed), "consent_given", purpose, given_us)
        for purpose, agreed in (
            ("personalised_service", persons.consents_service),
            ("marketing", persons.consents_marketing),
            ("health_service", persons.consents_health),
        )
    ]
    withdrawn = np.flatnonzero(persons.withdrawn_days_ago)
    ago = persons.withdrawn_days_ago[withdrawn]
    when = start_us + (HISTORY_DAYS - ago) * DAY_US + SECOND_US * withdrawn
    tables.append(_consents(persons, withdrawn, "consent_withdrawn", "marketing", when))
    return pa.concat_tables(tables)


def _consents(
    persons: Persons, who: np.ndarray, event: str, purpose: str, when: int | np.ndarray
) -> pa.Table:
    is_separate = purpose == "health_service" and event == "consent_given"
    return pa.table(
        {
            "event": pa.repeat(event, len(who)),
            "time_us": pa.array(np.broadcast_to(when, len(who)).astype(np.int64)),
            "login": pa.array(persons.login[who]),
            "purpose": pa.repeat(purpose, len(who)),
            "notice_version": pa.repeat(NOTICE, len(who)),
            "channel": pa.repeat("app", len(who)),
            "separate": pa.repeat(is_separate, len(who)),
        }
    )


def organisation_rows(organisations: Organisations, persons: Persons, start_us: int) -> pa.Table:
    """Attributes, operators and consents of organisations."""
    count = len(organisations)
    known = pa.table(
        {
            "event": pa.array(["group"] * count),
            "time_us": pa.array(np.full(count, start_us)),
            "org_no": pa.array(organisations.org_no),
            "operator": pa.array(persons.login[organisations.operator]),
            "industry": pa.array(organisations.industry),
            "founded_years": pa.array(organisations.founded_years),
            "tier": pa.array(organisations.tier),
        }
    )
    given = np.flatnonzero(organisations.consents_marketing)
    consents = pa.table(
        {
            "event": pa.array(["consent_given"] * len(given)),
            "time_us": pa.array(np.full(len(given), start_us + 1)),
            "org_no": pa.array(organisations.org_no[given]),
            "purpose": pa.array(["marketing"] * len(given)),
            "notice_version": pa.array([NOTICE] * len(given)),
            "channel": pa.array(["counter"] * len(given)),
        }
    )
    return pa.concat_tables([known, consents], promote_options="default")
