"""The rankers there are. A plug-in may add one and never replace one of ours."""

from __future__ import annotations

from collections.abc import Iterable

from dipper.decide.rank import linear
from dipper.decide.rank.baselines import RANDOM, SEGMENT_BEST, SINGLE_BEST
from dipper.decide.rank.ranker import Ranker
from dipper.kit.errors import Conflict


def built_in() -> dict[str, Ranker]:
    """name -> ranker of our own."""
    ours: tuple[Ranker, ...] = (linear, RANDOM, SINGLE_BEST, SEGMENT_BEST)
    return {ranker.NAME: ranker for ranker in ours}


def with_added(added: Iterable[Ranker]) -> dict[str, Ranker]:
    """name -> ranker, with those of plug-ins. Raises Conflict for a name that is taken."""
    rankers = built_in()
    for ranker in added:
        if ranker.NAME in rankers:
            raise Conflict(
                f"expected a new name for a ranker, got '{ranker.NAME}', which exists.",
                where=f"ranker '{ranker.NAME}'",
                hint="A plug-in adds rankers and never replaces one. Rename it.",
            )
        rankers[ranker.NAME] = ranker
    return rankers
