"""What a fold is: one pass over each timeline, a bucket of subjects at a time.

A fold never sees a whole history. It starts empty, steps over buckets in any order and on any
thread, merges what two threads have found, and finishes once. So `step` and `merge` must give the
same answer for every way in which subjects are shared out; `tests/fold` holds each fold to it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol, TypeVar

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.generic]

State = TypeVar("State")
Result = TypeVar("Result", covariant=True)


class Timelines(Protocol):
    """The timelines of some subjects, as aligned arrays in timeline order.

    Subject i has the rows subjects[i] to subjects[i + 1] (at least one). A text column holds codes
    into `texts[column]`, -1 for NULL; codes of two buckets need not agree.
    """

    @property
    def keys(self) -> Sequence[bytes]: ...

    @property
    def subjects(self) -> npt.NDArray[np.int64]: ...

    @property
    def columns(self) -> Mapping[str, Array]: ...

    @property
    def texts(self) -> Mapping[str, Sequence[str]]: ...


class Fold(Protocol[State, Result]):
    """A pure pass over timelines. States may be changed in place: none is used twice."""

    def start(self) -> State:
        """The state over no subject."""

    def step(self, state: State, timelines: Timelines) -> State:
        """The state with these subjects taken in."""

    def merge(self, state: State, other: State) -> State:
        """The state over the subjects of both; no subject is in both."""

    def finish(self, state: State) -> Result:
        """The answer."""


def read_only(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The same array as one that cannot be written: kernels are compiled for that type alone,
    whether the values lie in a file's buffer or in an array of ours."""
    view = array.view()
    view.flags.writeable = False
    return view


def fold_all(fold: Fold[State, Result], buckets: Iterable[Timelines]) -> Result:
    """The fold over all buckets, one after the other."""
    state = fold.start()
    for timelines in buckets:
        state = fold.step(state, timelines)
    return fold.finish(state)
