"""Plain Monte Carlo of hitting times, step by step.

No holding time is skipped and no variance reduced: this is the witness that shares no idea with
the solvers. It costs as many steps as the chain takes, hence the budget.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from numba import njit

from numerics.chain import (
    Chain,
    ChainError,
    FloatArray,
    IntArray,
    check_targets,
)

# Steps between two reports of progress, about a tenth of a second. Compiled code cannot be
# interrupted, so this is also how long Ctrl-C may have to wait.
_CHUNK = 4_000_000


class BudgetError(ChainError):
    """A simulation used up its steps before its last replica reached the target."""


@dataclass(frozen=True, eq=False)
class Sample:
    """Independent hitting times of one target set from one start.

    Attributes
    ----------
    times : int64 array, shape (R,)
        Hitting time of each replica, in steps, >= 0.
    steps : int
        Steps simulated in total, the sum of `times`.
    """

    times: IntArray
    steps: int

    @property
    def mean(self) -> float:
        """Sample mean, in steps."""
        return self.steps / len(self.times)

    @property
    def standard_error(self) -> float:
        """Estimated standard deviation of `mean`, in steps."""
        return float(np.std(self.times, ddof=1) / np.sqrt(len(self.times)))


def hitting_times(
    chain: Chain,
    start: int,
    targets: Collection[int],
    replicas: int,
    rng: np.random.Generator,
    *,
    max_steps: int = 10**9,
    progress: Callable[[int], None] | None = None,
) -> Sample:
    """Simulate how long the chain takes from `start` to a set of states.

    Each step draws one double, uniform on multiples of 2**-53, so transitions of probability
    below about 1e-13 are not drawn at their true rate; no simulation of a sensible length meets
    them.

    Parameters
    ----------
    chain : Chain
        Chain of N states.
    start : int
        0-based start.
    targets : collection of int
        0-based target states, at least one.
    replicas : int
        Number R >= 2 of independent runs.
    rng : numpy.random.Generator
        Source of randomness; the same state of it gives the same sample.
    max_steps : int
        Most steps over all replicas together, >= 1.
    progress : callable, optional
        Called now and then, and at the end, with the number of replicas done so far.

    Raises
    ------
    BudgetError
        If `max_steps` steps do not suffice.
    ChainError
        If `replicas` or `max_steps` is out of range, a state does not exist, or the chain can go
        from `start` to a state that cannot reach the targets.
    """
    goals = check_targets(chain, targets)
    if replicas < 2:
        raise ChainError(f"{replicas} replicas give no standard error; ask for 2 or more")
    if max_steps < 1:
        raise ChainError(f"a budget of {max_steps} steps allows no step; allow 1 or more")
    lost = set(chain.unreachable_from(goals)).intersection(chain.reachable_from(start))
    if lost:
        raise ChainError(
            f"unreachable target: from state {chain.states[start]!r} the chain can get to "
            f"{chain.states[min(lost)]!r}, which cannot reach it; choose another target or start"
        )
    stop = np.zeros(chain.size, dtype=np.bool_)
    stop[list(goals)] = True
    first, target, cumulative = _rows(chain)
    times = np.zeros(replicas, dtype=np.int64)
    # Replica, its state and its steps so far: all there is to carry from one chunk to the next.
    place = np.array([0, start, 0], dtype=np.int64)
    steps = 0
    while place[0] < replicas:
        if steps == max_steps:
            raise BudgetError(
                f"{place[0]} of {replicas} replicas reached the target within {max_steps} steps; "
                "raise the budget, ask for fewer replicas, or solve instead of simulating"
            )
        steps += _walk(
            first,
            target,
            cumulative,
            stop,
            start,
            times,
            place,
            min(_CHUNK, max_steps - steps),
            rng,
        )
        if progress is not None:
            progress(int(place[0]))
    return Sample(times, steps)


def _rows(chain: Chain) -> tuple[IntArray, IntArray, FloatArray]:
    """Off-diagonal entries by row: offsets, targets, cumulative probabilities.

    Small entries come first in their row, where the running sum has the finest resolution.
    """
    order = np.lexsort((chain.probability, chain.source))
    first = np.searchsorted(chain.source[order], np.arange(chain.size + 1)).astype(np.int64)
    cumulative = np.empty(len(order))
    for begin, end in itertools.pairwise(first.tolist()):
        cumulative[begin:end] = np.cumsum(chain.probability[order[begin:end]])
    return first, chain.target[order], cumulative


@njit(cache=True)
def _walk(
    first: IntArray,
    target: IntArray,
    cumulative: FloatArray,
    stop: npt.NDArray[np.bool_],
    start: int,
    times: IntArray,
    place: IntArray,
    budget: int,
    rng: np.random.Generator,
) -> int:
    """Continue the replicas from `place` for at most `budget` steps; return the steps taken."""
    replica, state, elapsed = place
    steps = 0
    while True:
        if stop[state]:
            times[replica] = elapsed
            replica += 1
            state = start
            elapsed = 0
            if replica == len(times):
                break
            continue
        if steps == budget:
            break
        draw = rng.random()
        low = first[state]
        end = first[state + 1]
        high = end
        while low < high:
            middle = (low + high) // 2
            if cumulative[middle] > draw:
                high = middle
            else:
                low = middle + 1
        if low < end:
            state = target[low]
        elapsed += 1
        steps += 1
    place[0] = replica
    place[1] = state
    place[2] = elapsed
    return steps
