"""SQL over the history of a workspace: which views there are, and how they are masked.

Text of class C2 and what is sensitive is masked in the view itself; numbers of class C2 (amounts)
stay, because a sum of them is what people ask for and none of them names anybody.
"""

from __future__ import annotations

from collections.abc import Mapping

from dipper.app.keys import read_keys
from dipper.app.workspace import Workspace
from dipper.engine.embedded.analysis import Limits, SqlResult, run_sql
from dipper.engine.embedded.analysis_views import Mask, View, failed_view, lake_views, mask_of
from dipper.engine.embedded.lake_failed import SCHEMA
from dipper.spec.kinds.property import Property
from dipper.spec.program import Program

NUMBERS = frozenset({"int", "double", "bool"})


def ask_sql(
    workspace: Workspace, program: Program, query: str, limits: Limits | None = None
) -> SqlResult:
    """Answer one SELECT over the views, in a process of its own. Raises as `run_sql` does."""
    key = read_keys(workspace.keys_file).masking_key
    return run_sql(query, views_of(workspace, program), key, limits)


def views_of(workspace: Workspace, program: Program) -> list[View]:
    """`timelines`, `events` and `failed_events` as they stand now."""
    lake, masks = workspace.lake, masks_of(program)
    files = [file.path for file in lake.snapshot().files]
    failed = failed_view(SCHEMA, workspace.failed_events.files(), masks)
    return [*lake_views(lake.schema, files, masks), failed]


def masks_of(program: Program) -> Mapping[str, Mask]:
    """The mask of each declared property."""
    return {name: _mask(spec) for name, spec in program.of(Property).items()}


def _mask(spec: Property) -> Mask:
    if spec.pi_class == "C3":
        return "hidden"
    if spec.sensitive:
        return "hash"
    if spec.type in NUMBERS:
        return "none"
    return mask_of(spec.pi_class, spec.name)
