"""Plain Monte Carlo of hitting times, step by step.

No holding time is skipped and no variance reduced: this is the witness that shares no idea with
the solvers. It costs as many steps as the chain takes, hence the budget; `numerics.events` skips
from one sparse event to the next.

Randomness
----------
A step takes one word of 64 bits of xoroshiro128++ (Blackman and Vigna 2021, *ACM Trans. Math.
Software* 47, 36), seeded from the generator that the caller gives. A row is an alias table (Walker
1977, *ACM Trans. Math. Software* 3, 253-256; Vose 1991, *IEEE Trans. Software Eng.* 17, 972-975)
in whole multiples of 2**-62, built without rounding: the law of a step is the row with every
off-diagonal probability rounded to the nearest double and down to a multiple of 2**-62.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import NamedTuple

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

WordArray = npt.NDArray[np.uint64]

# Steps between two reports of progress, about a tenth of a second. Compiled code cannot be
# interrupted, so this is also how long Ctrl-C may have to wait.
_CHUNK = 20_000_000

# Replicas that walk side by side. The steps of one depend on each other and leave the processor
# waiting; four fill it, and more run out of registers.
_LANES = 4


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

    Transitions of probability below about 1e-18 are not drawn at their true rate; no simulation
    of a sensible length meets them.

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
        Source of the seed; the same state of it gives the same sample.
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
    goals = check_task(chain, start, targets, replicas)
    times = np.zeros(replicas, dtype=np.int64)
    threshold, moves, places = _tables(chain, goals)
    lanes = min(_LANES, replicas)
    # Replica, place and steps so far of each lane, replicas given out and replicas done: with the
    # state of the streams, all there is to carry from one chunk to the next.
    walkers = np.zeros((_LANES + 1, 3), dtype=np.int64)
    walkers[:_LANES, 0] = [lane if lane < lanes else -1 for lane in range(_LANES)]
    walkers[:_LANES, 1] = places[start]
    walkers[_LANES, 0] = lanes
    if start in goals:
        walkers[_LANES, 1] = replicas
    words = seed(rng, 4)

    def walk(budget: int) -> int:
        return _walk(threshold, moves, places[start], times, walkers, words, budget)

    steps = run_in_chunks(
        walk,
        lambda: int(walkers[_LANES, 1]),
        replicas,
        Budget("steps", max_steps, _CHUNK, "solve instead of simulating"),
        progress,
    )
    return Sample(times, steps)


class Budget(NamedTuple):
    """What a simulation may spend in all, and between two reports."""

    unit: str
    most: int
    chunk: int
    instead: str


def run_in_chunks(
    advance: Callable[[int], int],
    done: Callable[[], int],
    replicas: int,
    budget: Budget,
    progress: Callable[[int], None] | None,
) -> int:
    """Advance a simulation until all replicas are done, and return what that has spent.

    Parameters
    ----------
    advance : takes what may be spent, and returns what it has spent.
    done : gives the number of replicas done so far.
    replicas, budget, progress : as for `hitting_times`.

    Raises
    ------
    BudgetError
        If the budget does not suffice.
    ChainError
        If it allows nothing.
    """
    unit, most, chunk, instead = budget
    if most < 1:
        raise ChainError(f"a budget of {most} {unit} allows no {unit[:-1]}; allow 1 or more")
    spent, ended = 0, done()
    if ended == replicas and progress is not None:
        progress(ended)
    while ended < replicas:
        if spent == most:
            raise BudgetError(
                f"{ended} of {replicas} replicas ended within {most} {unit}; raise the budget, "
                f"ask for fewer replicas, or {instead}"
            )
        spent += advance(min(chunk, most - spent))
        ended = done()
        if progress is not None:
            progress(ended)
    return spent


def check_task(
    chain: Chain, start: int, targets: Collection[int], replicas: int
) -> tuple[int, ...]:
    """The targets; ChainError unless they are certain to be reached, and replicas 2 or more."""
    goals = check_targets(chain, targets)
    require_replicas(replicas)
    require_certain(chain, start, goals)
    return goals


def require_replicas(replicas: int) -> None:
    """ChainError unless there are 2 or more."""
    if replicas < 2:
        raise ChainError(f"{replicas} replicas give no standard error; ask for 2 or more")


def require_certain(chain: Chain, start: int, targets: Collection[int]) -> None:
    """ChainError unless a walk from `start` is certain to get to `targets`."""
    lost = set(chain.unreachable_from(targets)).intersection(chain.reachable_from(start))
    if lost:
        raise ChainError(
            f"unreachable target: from state {chain.states[start]!r} the chain can get to "
            f"{chain.states[min(lost)]!r}, which cannot reach it; choose another target or start"
        )


def seed(rng: np.random.Generator, words: int) -> WordArray:
    """State of one stream of xoroshiro128++ for every two words."""
    state = rng.integers(0, 2**64, size=words, dtype=np.uint64)
    state[::2] |= np.uint64(1)  # a stream that starts from zeros stays there
    return state


@njit(inline="always")
def rotated(word: np.uint64, by: int) -> np.uint64:
    """A word rotated to the left by 1 to 63 bits."""
    return (word << np.uint64(by)) | (word >> np.uint64(64 - by))


def _tables(chain: Chain, goals: Collection[int]) -> tuple[WordArray, IntArray, IntArray]:
    """Alias tables of all rows: thresholds, moves, and the place of each state.

    The row of a state has 2**b columns from `offset` on, and its place is ``offset * 64 + 64 - b``:
    a word chooses a column by its first b bits, and one of two moves by whether it lies below the
    threshold of the column. A move is the place of the next state, or -1 for a target.
    """
    first = np.searchsorted(chain.source, np.arange(chain.size + 1)).astype(np.int64)
    # A column for every entry and one for staying, and two at least.
    bits = np.maximum(np.ceil(np.log2(np.diff(first) + 1.0)).astype(np.int64), 1)
    offset = np.concatenate([[0], np.cumsum(1 << bits)])
    places = offset[:-1] * 64 + 64 - bits
    places[list(goals)] = -1
    threshold = np.empty(offset[-1], dtype=np.uint64)
    moves = np.empty((2, offset[-1]), dtype=np.int64)
    _fill(first, chain.target, chain.probability, bits, offset, places, threshold, moves)
    return threshold, moves, places


@njit(cache=True)
def _fill(
    first: IntArray,
    target: IntArray,
    probability: FloatArray,
    bits: IntArray,
    offset: IntArray,
    places: IntArray,
    threshold: WordArray,
    moves: IntArray,
) -> None:
    whole = 1 << 62
    for state in range(len(bits)):
        n = 1 << bits[state]
        capacity = whole >> bits[state]
        row = probability[first[state] : first[state + 1]]
        # What a row holds above 1 is rounding, and is scaled away.
        scale = whole / max(row.sum(), 1.0)
        weight = np.zeros(n, dtype=np.int64)
        place = np.full(n, places[state], dtype=np.int64)
        left = whole
        for k in range(len(row)):
            weight[k] = min(np.int64(row[k] * scale), left)
            left -= weight[k]
            place[k] = places[target[first[state] + k]]
        weight[n - 1] += left
        other = place.copy()
        poor = np.empty(n, dtype=np.int64)
        rich = np.empty(n, dtype=np.int64)
        poors = riches = 0
        for k in range(n):
            if weight[k] < capacity:
                poor[poors] = k
                poors += 1
            elif weight[k] > capacity:
                rich[riches] = k
                riches += 1
        surplus = weight.copy()
        while poors:
            poors -= 1
            k = poor[poors]
            giver = rich[riches - 1]
            other[k] = place[giver]
            surplus[giver] -= capacity - surplus[k]
            weight[k] = surplus[k]
            if surplus[giver] <= capacity:
                riches -= 1
                if surplus[giver] < capacity:
                    poor[poors] = giver
                    poors += 1
        for k in range(n):
            column = offset[state] + k
            # In a full column both moves are the same, and the threshold says nothing.
            threshold[column] = np.uint64(k * capacity + min(weight[k], capacity)) << np.uint64(2)
            moves[0, column] = other[k]
            moves[1, column] = place[k]


@njit(cache=True)
def _walk(
    threshold: WordArray,
    moves: IntArray,
    start: int,
    times: IntArray,
    walkers: IntArray,
    words: WordArray,
    budget: int,
) -> int:
    """Continue the replicas from `walkers` for at most `budget` steps; return the steps taken."""
    others, kept = moves[0], moves[1]
    a0, a1, b0, b1 = words[0], words[1], words[2], words[3]
    place = walkers[:_LANES, 1].copy()
    w, x, y, z = place[0], place[1], place[2], place[3]
    full = walkers[:_LANES, 0].min() >= 0
    if full and budget < _LANES:
        return budget  # no lane is at its target, so they cannot all get there
    ticks = 0
    while full and _LANES * (ticks + 1) <= budget:
        ticks += 1
        # One draw after the other, written out: in a loop over lanes the compiler keeps the
        # streams in memory.
        word = rotated(a0 + a1, 17) + a0
        a1 ^= a0
        a0 = rotated(a0, 49) ^ a1 ^ (a1 << np.uint64(21))
        a1 = rotated(a1, 28)
        k = (w >> 6) + np.int64(word >> np.uint64(w & 63))
        w = others[k] ^ ((others[k] ^ kept[k]) & -np.int64(word < threshold[k]))
        word = rotated(b0 + b1, 17) + b0
        b1 ^= b0
        b0 = rotated(b0, 49) ^ b1 ^ (b1 << np.uint64(21))
        b1 = rotated(b1, 28)
        k = (x >> 6) + np.int64(word >> np.uint64(x & 63))
        x = others[k] ^ ((others[k] ^ kept[k]) & -np.int64(word < threshold[k]))
        word = rotated(a0 + a1, 17) + a0
        a1 ^= a0
        a0 = rotated(a0, 49) ^ a1 ^ (a1 << np.uint64(21))
        a1 = rotated(a1, 28)
        k = (y >> 6) + np.int64(word >> np.uint64(y & 63))
        y = others[k] ^ ((others[k] ^ kept[k]) & -np.int64(word < threshold[k]))
        word = rotated(b0 + b1, 17) + b0
        b1 ^= b0
        b0 = rotated(b0, 49) ^ b1 ^ (b1 << np.uint64(21))
        b1 = rotated(b1, 28)
        k = (z >> 6) + np.int64(word >> np.uint64(z & 63))
        z = others[k] ^ ((others[k] ^ kept[k]) & -np.int64(word < threshold[k]))
        if (w | x | y | z) < 0:
            place[0], place[1], place[2], place[3] = w, x, y, z
            for lane in range(_LANES):
                if place[lane] < 0:
                    times[walkers[lane, 0]] = walkers[lane, 2] + ticks
                    walkers[_LANES, 1] += 1
                    if walkers[_LANES, 0] < len(times):
                        walkers[lane, 0] = walkers[_LANES, 0]
                        walkers[_LANES, 0] += 1
                    else:
                        walkers[lane, 0] = -1
                        full = False
                    walkers[lane, 2] = -ticks
                    place[lane] = start
            w, x, y, z = place[0], place[1], place[2], place[3]
    walkers[:_LANES, 1] = w, x, y, z
    walkers[:_LANES, 2] += ticks
    steps = _LANES * ticks
    for lane in range(_LANES):
        # No replica is left to start: the others walk one by one.
        if full or walkers[lane, 0] < 0:
            continue
        w = walkers[lane, 1]
        while w >= 0 and steps < budget:
            word = rotated(a0 + a1, 17) + a0
            a1 ^= a0
            a0 = rotated(a0, 49) ^ a1 ^ (a1 << np.uint64(21))
            a1 = rotated(a1, 28)
            k = (w >> 6) + np.int64(word >> np.uint64(w & 63))
            w = others[k] ^ ((others[k] ^ kept[k]) & -np.int64(word < threshold[k]))
            walkers[lane, 2] += 1
            steps += 1
        walkers[lane, 1] = w
        if w < 0:
            times[walkers[lane, 0]] = walkers[lane, 2]
            walkers[_LANES, 1] += 1
            walkers[lane, 0] = -1
    words[0], words[1], words[2], words[3] = a0, a1, b0, b1
    return steps
