"""Ways to reach an answer without a memory: best of n, restarts and beams, with their laws.

*Best of n* runs n independent walkers until the first of them hits a target. *Restarts* give a
walker T steps and begin again at the start if it has not hit by then (Luby, Sinclair and Zuckerman
1993, *Inform. Process. Lett.* 47, 173-180). A *beam* of width b keeps the b states whose likeliest
path from the start is likeliest, and moves them all one step at a time; it reads the probabilities
of the model where the others draw from it.

With S(t) = P(tau > t) the means are

    best of n:  E[min] = S(0)^n + S(1)^n + ...,  at a cost of n E[min] steps,
    restarts:   E = E[min(tau, T)]/P(tau <= T).

On clusters that are uniform cliques, with a mass of sparse edges epsilon < 1/M at a gate, a beam
crosses from a cluster only when all likelier states are in it: those of all clusters that are
fewer sparse edges away. See `clusters_within`.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from numerics.algorithms.task import Task
from numerics.chain import (
    Chain,
    ChainError,
    FloatArray,
    IntArray,
    check_targets,
    require_dense,
    require_reachable,
)
from numerics.events import Clusters, Sample, hitting_times

_DECAYED = 1e-40  # what is left of a law that is over
_MOST_LEVELS = 1100


class Law:
    """The law of the time at which a walk leaves a set of m states, and of where it goes.

    Tables hold the powers Q^(2^k) of the kernel inside the set, with what happens within 2^k
    steps. They are combined by sums and products of positive numbers; while the walk is all but
    sure to stay, a power is scaled to the row sums that what has left leaves over, so that rounding
    in the diagonal does not add up. The tables take 8 m^2 bytes for each doubling of the time.

    Parameters
    ----------
    inside : float64 array, shape (..., m, m)
        Off-diagonal probabilities inside the set; the diagonal is what is left over. More axes are
        for several sets of one size, and lead all results.
    leaving : float64 array, shape (..., m, r)
        Probabilities to leave, by r ways.
    """

    def __init__(self, inside: FloatArray, leaving: FloatArray):
        power = np.array(inside, dtype=np.float64)
        own = np.arange(power.shape[-1])
        power[..., own, own] = 0.0
        rest = 1.0 - power.sum(axis=-1) - leaving.sum(axis=-1)
        power[..., own, own] = np.maximum(rest, 0.0)
        gone = np.array(leaving, dtype=np.float64)
        self._levels = [(power, gone, np.ones(power.shape[:-1]))]
        # A plan asks for the same number of steps again and again.
        self._asked: tuple[int, tuple[FloatArray, FloatArray]] | None = None

    @classmethod
    def of_hitting(cls, chain: Chain, targets: Collection[int]) -> tuple[Law, IntArray]:
        """The law of the hitting time of a set, and the place of each state in it (-1: target).

        Raises
        ------
        ChainError
            If a state cannot reach the targets, or the chain is too large for dense matrices.
        """
        goals = check_targets(chain, targets)
        require_reachable(chain, goals)
        require_dense(chain)
        rates = chain.rates()
        free = np.ones(chain.size, dtype=bool)
        free[list(goals)] = False
        place = np.where(free, np.cumsum(free) - 1, -1).astype(np.int64)
        return cls(rates[np.ix_(free, free)], rates[np.ix_(free, ~free)]), place

    def _level(self, k: int) -> tuple[FloatArray, FloatArray, FloatArray] | None:
        """Q^(2^k), ways taken and mean steps within 2^k steps; None where all have left."""
        while len(self._levels) <= k:
            power, gone, steps = self._levels[-1]
            if power.max(initial=0.0) < _DECAYED or len(self._levels) > _MOST_LEVELS:
                return None
            gone, steps = gone + power @ gone, steps + _apply(power, steps)
            power = power @ power
            left = gone.sum(axis=-1)
            early = left < 0.5
            sums = power[early].sum(axis=-1)
            power[early] *= ((1.0 - left[early]) / sums)[:, None]
            self._levels.append((power, gone, steps))
        return self._levels[k]

    def within(self, steps: int) -> tuple[FloatArray, FloatArray]:
        """What happens within a number of steps >= 0, from each state.

        Returns
        -------
        gone : float64 array, shape (..., m, r)
            Probability to leave by each way.
        mean : float64 array, shape (..., m)
            Mean of min(time, steps).
        """
        if self._asked is None or self._asked[0] != steps:
            self._asked = steps, self._within(steps)
        gone, mean = self._asked[1]
        return gone.copy(), mean.copy()

    def _within(self, steps: int) -> tuple[FloatArray, FloatArray]:
        _, gone, mean = self._levels[0]
        gone, mean = np.zeros_like(gone), np.zeros_like(mean)
        for k in range(steps.bit_length()):
            level = self._level(k)
            if level is None:
                # Nothing happens later than the last level.
                _, gone, mean = self._levels[-1]
                return gone, mean
            if steps >> k & 1:
                power, left, stay = level
                gone, mean = left + power @ gone, stay + _apply(power, mean)
        return gone, mean

    def power(self, k: int) -> FloatArray:
        """Q^(2^k), shape (..., m, m)."""
        level = self._level(k)
        return np.zeros_like(self._levels[0][0]) if level is None else level[0]

    def survival(self, steps: int) -> FloatArray:
        """Probability to stay for more than so many steps, from each state."""
        alive = np.ones(self._levels[0][0].shape[:-1])
        for k in range(steps.bit_length()):
            level = self._level(k)
            if level is None:
                return np.zeros_like(alive)
            if steps >> k & 1:
                alive = _apply(level[0], alive)
        return alive


def _apply(matrix: FloatArray, vector: FloatArray) -> FloatArray:
    """A matrix to a vector, or each of several to its own."""
    found: FloatArray = (matrix @ vector[..., None])[..., 0]
    return found


# ---------------------------------------------------------------- best of n
def expected_minimum(
    law: Law, place: int, walkers: int, width: float = 1e-3
) -> tuple[float, float]:
    """Bounds of the mean time of the first of n independent walkers, in steps.

    The sum of S(t)^n is taken term by term up to 1/width, and in blocks from there on, in which a
    nonincreasing S lies between its values at the ends.

    Parameters
    ----------
    law, place : as `Law.of_hitting` gives them.
    walkers : n >= 1.
    width : largest size of a block, relative to where it begins.
    """
    low = high = 0.0
    alive, t, here = law.survival(0), 0, 1.0
    while here * (1.0 + 2.0 * t) > 1e-12 * low:
        # A power of two, for which there is a table.
        digits = max(1, int(t * width)).bit_length() - 1
        alive = law.power(digits) @ alive
        there = float(alive[place]) ** walkers
        high += 2.0**digits * here
        low += here + (2.0**digits - 1.0) * there
        t, here = t + 2**digits, there
    # Wherever the walk is, it has left after another t steps with probability 1 - worst.
    worst = float(law.survival(t).max()) ** walkers
    return low, high + here * t / (1.0 - worst)


@dataclass(frozen=True, eq=False)
class Runs:
    """Independent runs of a strategy.

    Attributes
    ----------
    times : float64 array, shape (R,)
        Steps until the answer, of the walkers side by side.
    work : float64 array, shape (R,)
        Steps generated, of all walkers together.
    """

    times: FloatArray
    work: FloatArray


def best_of(
    task: Task,
    walkers: int,
    replicas: int,
    rng: np.random.Generator,
    *,
    clusters: Clusters | None = None,
) -> Runs:
    """Run n independent walkers until the first hits a target.

    The walkers are moved by `numerics.events`, at a cost free of epsilon.

    Raises
    ------
    ChainError
        If n < 1, or as `numerics.events.hitting_times`.
    """
    if walkers < 1:
        raise ChainError(f"{walkers} walkers cannot search; ask for 1 or more")
    sample = _times(task, replicas * walkers, rng, clusters)
    times = sample.times.reshape(replicas, walkers).min(axis=1)
    return Runs(times, walkers * times)


def _times(task: Task, count: int, rng: np.random.Generator, clusters: Clusters | None) -> Sample:
    return hitting_times(task.model, task.start, task.targets, count, rng, clusters=clusters)


# ---------------------------------------------------------------- restarts
def restart_mean(law: Law, place: int, limit: int) -> float:
    """Mean time with a restart after so many steps; infinite if no target is that near."""
    gone, mean = law.within(limit)
    hit = float(gone[place].sum())
    return float(mean[place]) / hit if hit else math.inf


def best_restart(law: Law, place: int, ratio: float = 1.05) -> tuple[int, float]:
    """The limit T of those tried with the least mean time, and that mean.

    Limits in geometric progression are tried, as far as restarts still happen.
    """
    best = (1, restart_mean(law, place, 1))
    limit = 1
    while True:
        limit = max(limit + 1, int(limit * ratio))
        mean = restart_mean(law, place, limit)
        if mean < best[1]:
            best = limit, mean
        if float(law.survival(limit)[place]) < 1e-6:
            return best


def restarts(
    task: Task,
    limit: int,
    replicas: int,
    rng: np.random.Generator,
    *,
    clusters: Clusters | None = None,
    most_attempts: int = 10**8,
) -> Runs:
    """Run one walker that begins again after every `limit` steps without a hit.

    The time of an attempt is drawn by `numerics.events`, and cut off exactly.

    Raises
    ------
    ChainError
        If limit < 1, if the attempts do not suffice, or as `numerics.events.hitting_times`.
    """
    if limit < 1:
        raise ChainError(f"a restart after {limit} steps leaves no step; allow 1 or more")
    times = np.zeros(replicas)
    done, attempts, batch = 0, 0, max(replicas, 2)
    spent = 0.0
    while done < replicas:
        if attempts >= most_attempts:
            raise ChainError(
                f"{done} of {replicas} runs ended within {attempts} attempts of {limit} steps; "
                "allow more steps before a restart"
            )
        for time in _times(task, batch, rng, clusters).times.tolist():
            if time > limit:
                spent += limit
            elif done < replicas:
                times[done] = spent + time
                done, spent = done + 1, 0.0
        attempts += batch
    return Runs(times, times)


# ---------------------------------------------------------------- beams
@dataclass(frozen=True)
class Beam:
    """A beam search.

    Attributes
    ----------
    steps : at which a target is kept for the first time, or None if that has not happened.
    work : probabilities read.
    """

    steps: int | None
    work: int


def beam(task: Task, width: int, most_steps: int, rng: np.random.Generator) -> Beam:
    """Keep the states with the likeliest paths, step by step.

    Of two paths to one state only the likelier matters. States equally likely, up to a factor
    1 + 1e-9, are kept in a random order.

    Raises
    ------
    ChainError
        If the width is below 1.
    """
    if width < 1:
        raise ChainError(f"a beam of width {width} keeps no state; ask for 1 or more")
    chain = task.model
    first = np.searchsorted(chain.source, np.arange(chain.size + 1))
    with np.errstate(divide="ignore"):
        logs = np.log(chain.probability)
        row_sums = np.bincount(chain.source, chain.probability, chain.size)
        stay = np.log(np.maximum(1.0 - row_sums, 0.0))
    score = np.full(chain.size, -np.inf)
    score[task.start] = 0.0
    work = 0
    for step in range(most_steps + 1):
        if np.isfinite(score[list(task.targets)]).any():
            return Beam(step, work)
        after = np.full(chain.size, -np.inf)
        for x in np.flatnonzero(np.isfinite(score)).tolist():
            row = slice(first[x], first[x + 1])
            np.maximum.at(after, chain.target[row], score[x] + logs[row])
            after[x] = max(after[x], score[x] + stay[x])
            work += int(first[x + 1] - first[x]) + 1
        kept = np.flatnonzero(np.isfinite(after))
        order = np.lexsort((rng.random(len(kept)), -np.round(after[kept] * 1e9)))
        score = np.full(chain.size, -np.inf)
        chosen = kept[order[:width]]
        score[chosen] = after[chosen] - after[chosen].max()
    return Beam(None, work)


def clusters_within(chain: Chain, clusters: IntArray, start: int) -> IntArray:
    """For each cluster, the number of sparse edges that a path from the start needs to it.

    On uniform cliques of M states, with epsilon < 1/M, a beam as wide as the clusters within r of
    the start together reaches all of them, and one that is no wider than those within r - 1 none
    at distance r.
    """
    label = np.asarray(clusters)
    distance = np.full(int(label.max()) + 1, -1, dtype=np.int64)
    distance[label[start]] = 0
    pairs = np.unique(np.stack([label[chain.source], label[chain.target]], axis=1), axis=0)
    edge = [label[start]]
    while edge:
        later = [int(b) for a, b in pairs.tolist() if a in edge and distance[b] < 0]
        for b in later:
            distance[b] = distance[edge[0]] + 1
        edge = sorted(set(later))
    return distance
