"""The example bank as a workspace: its specs applied, its history imported, its outside world."""

from __future__ import annotations

import os
import shutil
from importlib import resources
from pathlib import Path

import numpy as np

from dipper.app.init import init_workspace
from dipper.app.keys import read_keys
from dipper.app.programs import applied_program, applied_tables, prepare
from dipper.app.workspace import Workspace
from dipper.feed.mapping import load_map
from dipper.kit.clock import system_clock
from dipper.surface.applying import apply
from dipper.surface.bulk_import import BulkImport
from dipper.surface.cli.output import progress
from dipper.surface.demo.driver import Bank
from dipper.surface.demo.files import write_history
from dipper.surface.demo.population import Organisations, Persons, Visitors

SOURCES = ["app", "scenario_server", "core"]


def example_folder() -> Path:
    """Specs and tables of the example bank: in the checkout, or shipped with the package."""
    checkout = Path(__file__).parents[4] / "examples" / "bank"
    if checkout.is_dir():
        return checkout
    return Path(str(resources.files("dipper"))) / "_examples" / "bank"


def make_workspace(folder: Path) -> Workspace:
    """A fresh demo workspace with the example bank's specs applied."""
    shutil.rmtree(folder, ignore_errors=True)
    init_workspace(folder, random_bytes=os.urandom, sources=SOURCES, demo=True, starter=False)
    for part in ("specs", "tables"):
        shutil.copytree(example_folder() / part, folder / part, dirs_exist_ok=True)
    workspace = Workspace(folder)
    apply(workspace, prepare(workspace, system_clock()), system_clock)
    return workspace


def import_history(
    folder: Path,
    workspace: Workspace,
    persons: Persons,
    visitors: Visitors,
    organisations: Organisations,
    live_start_us: int,
    random: np.random.Generator,
) -> int:
    """Write the history as files and import them; gives the rows that became good events."""
    files = write_history(folder, persons, visitors, organisations, live_start_us, random)
    total = sum(rows for _, _, rows in files)
    bulk = BulkImport(workspace, system_clock)
    imported = before = 0
    try:
        with progress("importing 90 days", total) as done:
            for path, map_path, rows in files:
                found = bulk.read(path, load_map(map_path), lambda n, b=before: done(b + n))
                imported += found.counts.good
                before += rows
        with progress("projecting", total) as done:
            bulk.project(done)
    finally:
        bulk.close()
    return imported


def make_bank(
    workspace: Workspace,
    persons: Persons,
    visitors: Visitors,
    organisations: Organisations,
    seed: int,
) -> Bank:
    """The outside world: keys of its sources, and which need each offer serves."""
    program = applied_program(workspace)
    assert program is not None
    products = applied_tables(workspace)["product"]
    offer_product = {name: offer.product for name, offer in program.of("offer").items()}
    serves = {str(key): str(row["serves"]) for key, row in products.rows.items()}
    return Bank(
        persons=persons,
        visitors=visitors,
        organisations=organisations,
        keys=dict(read_keys(workspace.keys_file).write_keys),
        offer_need={
            name: None if product is None else serves.get(product)
            for name, product in offer_product.items()
        },
        offer_product=offer_product,
        seed=seed,
    )
