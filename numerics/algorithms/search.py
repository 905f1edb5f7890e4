"""Search for sparse edges, after Kim et al. (2025, Algorithm 2), and the memory that uses them.

In each of R rounds a start is drawn uniformly from the states, and N rollouts leave it. The states
that the rollouts of a round see in their first T_0 steps estimate the cluster of the start. From
there on a rollout ends with the first transition that leaves the estimate, which is recorded as a
sparse edge, or at time T_max.

The *robust* search estimates the cluster by the states that more than half of the rollouts of the
round have seen, so that one rollout that has left early does not spoil it, and tests whatever it
would record: one more rollout from the end of the transition has T_1 steps to come back to the
estimate. If it does, the transition was a decoy, or a state of the cluster had not been seen: its
end is taken into the rollout's estimate, and the rollout goes on. A rollout that left early is
tested and recorded in the same way.

With a *memory*, the edges found are given a total probability of epsilon_max at each state, and the
other moves of that state share the rest as before.

How it is simulated
-------------------
The first T_0 steps, and tests, are simulated step by step. The time from T_0 to the first exit from
the estimate, and the edge by which it is left, come from `numerics.events` with the estimate as a
cluster: exactly, at a cost free of epsilon, and so does generation with the memory. The algorithm's
definition allows it, since nothing else about these steps is used. Exits after T_max are cut off.
Steps are counted as if each had been generated. The search itself reads nothing of the model but
what it samples; only default settings read its probabilities (`measured`).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from numba import njit

from numerics.algorithms.strategies import Law
from numerics.algorithms.task import Progress, Report, Task, Truth, require_fraction
from numerics.chain import Chain, ChainError, FloatArray, IntArray
from numerics.events import Sample, cluster_paths, find_clusters, hitting_times
from numerics.stattest import bounded_mean_band
from theory.claims import NoClaim
from theory.results.search import Kind, Plan, expected_steps, false_alarm, missed, mistakes, plan

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Edge = tuple[int, int]
ALARM = 1e-6
"""Probability that the steps of a run are outside the band that is reported."""

MOST_ROLLOUTS, MOST_STATES, MOST_QUERIES = 10**7, 10**8, 10**7
"""Most rollouts of a run, states seen in the first T_0 steps of a round, and queries: all of them
are held in memory."""

MOST_BYTES = 2**26
"""Most memory for one level of the tables of a cluster that is measured."""

_ROUNDING = 1e-9  # of probabilities that tables give, relative


@dataclass(frozen=True)
class Config:
    """Settings of a search; what is None comes from a plan for `delta`.

    Attributes
    ----------
    rounds, rollouts : R >= 1 and N >= 1.
    T_0, T_max : steps of a rollout that estimate the cluster, >= 1, and in all, > T_0.
    robust : with a vote and tests.
    T_1 : steps of a test, >= 1.
    delta : probability of failure that the plan is for, in (0, 1).
    queries : generations from the start to the targets with the memory; 0, or 2 or more.
    epsilon_max : probability that the memory gives to the edges of a state, in (0, 1); by default
        1/10 over the median size of the estimates.
    """

    rounds: int | None = None
    rollouts: int | None = None
    T_0: int | None = None
    T_max: int | None = None
    robust: bool = False
    T_1: int | None = None
    delta: Fraction = Fraction(1, 100)
    queries: int = 0
    epsilon_max: Fraction | None = None


@dataclass(frozen=True, eq=False)
class Result:
    """What a search found.

    Attributes
    ----------
    config : the settings, complete; without tests T_1 stays None.
    edges : how often each edge was recorded.
    starts : int64 array, shape (R,)
    estimates : R tuples of states
        The estimate of each round at time T_0, increasing.
    sources, ends : int64 arrays, shape (R, N)
        The transition that each rollout recorded; -1 if none.
    times : float64 array, shape (R, N)
        When it was taken, in steps; infinite if it was not by T_max.
    steps : int
        Generated steps of the search, tests included.
    test_steps : int
        Those of the tests.
    tests : int
        Number of tests.
    memory : Chain or None
        The model with the memory, if there are queries.
    answers : Sample or None
        Hitting times with it.
    """

    config: Config
    edges: Mapping[Edge, int]
    starts: IntArray
    estimates: tuple[tuple[int, ...], ...]
    sources: IntArray
    ends: IntArray
    times: FloatArray
    steps: int
    test_steps: int
    tests: int
    memory: Chain | None
    answers: Sample | None


# ---------------------------------------------------------------- settings
@dataclass(frozen=True, eq=False)
class Measured:
    """Clusters of a model that are alike, measured from their entries; a `Kind` for plans.

    Bounds are those of `Law`, widened by 1e-9.

    Attributes
    ----------
    count, size : how many, and how many states in one.
    leave : the law of leaving one, by each of its sparse edges.
    miss : the laws of hitting a state of it or leaving, one for states that are alike.
    alike : for how many states each is that.
    edges : number of sparse edges out of one.
    """

    count: int
    size: int
    leave: Law
    miss: Law
    alike: IntArray
    edges: int

    def unseen(self, rollouts: int, steps: int) -> Fraction:
        """The sum over the states of the mean, over uniform starts, that no rollout sees it."""
        missed = (self.miss.survival(steps) ** rollouts).sum(axis=-1)
        return _above(float(self.alike @ missed) / self.size)

    def early(self, rollouts: int, steps: int) -> Fraction:
        """By a union bound over the rollouts."""
        return _above(rollouts * float(self.leave.within(steps)[0].sum(axis=1).mean()))

    def found(self, steps: int) -> Fraction:
        """The least entry of the table of exits."""
        return Fraction(float(self.leave.within(steps)[0].min()) * (1.0 - _ROUNDING))

    def stay(self, steps: int) -> tuple[Fraction, Fraction]:
        """The least and the largest."""
        mean = self.leave.within(steps)[1]
        low, high = float(mean.min()) * (1.0 - _ROUNDING), float(mean.max()) * (1.0 + _ROUNDING)
        return Fraction(low), Fraction(high)

    def unmet(self, steps: int) -> Fraction:
        """The largest over all pairs."""
        return _above(float(self.miss.survival(steps).max(initial=0.0)))

    def leaves(self, steps: int) -> Fraction:
        """The largest over all states."""
        return _above(float(self.leave.within(steps)[0].sum(axis=1).max()))


def _above(value: float) -> Fraction:
    return Fraction(value * (1.0 + _ROUNDING))


def measured(model: Chain, clusters: Iterable[Sequence[int]]) -> tuple[Measured, ...]:
    """What a plan needs to know of the clusters of a model, those that are alike together.

    Raises
    ------
    ChainError
        If the tables of a cluster, m^2 doubles for each state that is unlike others, are too large.
    """
    groups = [np.array(sorted(group), dtype=np.int64) for group in clusters]
    first = np.searchsorted(model.source, np.arange(model.size + 1))
    found: dict[tuple[bytes, ...], tuple[FloatArray, FloatArray, int]] = {}
    for group in groups:
        size = len(group)
        place = np.full(model.size, -1, dtype=np.int64)
        place[group] = np.arange(size)
        entries = np.concatenate([np.arange(first[x], first[x + 1]) for x in group])
        kept = place[model.target[entries]] >= 0
        inner, outer = entries[kept], entries[~kept]
        inside, leaving = np.zeros((size, size)), np.zeros((size, len(outer)))
        inside[place[model.source[inner]], place[model.target[inner]]] = model.probability[inner]
        leaving[place[model.source[outer]], np.arange(len(outer))] = model.probability[outer]
        key = (inside.tobytes(), leaving.tobytes())
        found[key] = inside, leaving, found.get(key, (inside, leaving, 0))[2] + 1
    return tuple(_measured(*parts) for parts in found.values())


def _measured(inside: FloatArray, leaving: FloatArray, count: int) -> Measured:
    size = len(inside)
    found: dict[tuple[bytes, bytes], tuple[FloatArray, FloatArray, int]] = {}
    for y in range(size):
        rest = np.arange(size) != y
        gone = np.stack([inside[rest, y], leaving[rest].sum(axis=1)], axis=1)
        others = inside[np.ix_(rest, rest)]
        key = others.tobytes(), gone.tobytes()
        found[key] = others, gone, found.get(key, (others, gone, 0))[2] + 1
        if len(found) * others.nbytes > MOST_BYTES:
            raise ChainError(
                f"a cluster of {size} states is too large to be measured; give rounds, rollouts, "
                "T_0 and T_max"
            )
    others, gone = (np.stack([parts[n] for parts in found.values()]) for n in (0, 1))
    alike = np.array([n for _, _, n in found.values()])
    leave, miss = Law(inside, leaving), Law(others, gone)
    return Measured(count, size, leave, miss, alike, leaving.shape[1])


def groups_of(clusters: Sequence[int]) -> tuple[tuple[int, ...], ...]:
    """The states of each cluster, from the cluster of each state."""
    found: dict[int, list[int]] = {}
    for state, cluster in enumerate(clusters):
        found.setdefault(cluster, []).append(state)
    return tuple(map(tuple, found.values()))


def complete(task: Task, config: Config) -> Config:
    """Fill in what a configuration leaves open, from a plan for the model.

    The plan reads the model: clusters are taken to be its blocks at the widest gap between its
    probabilities, and their numbers measured. Where no plan is certain to have no false edges, as
    when epsilon is large, the plan is for edges that are missed alone.

    Raises
    ------
    ChainError
        A setting is out of range, or the model has no sparse edges to plan for.
    """
    require_fraction("delta", config.delta, Fraction(0), Fraction(1))
    if config.epsilon_max is not None:
        require_fraction("epsilon_max", config.epsilon_max, Fraction(0), Fraction(1))
    if config.queries < 0 or config.queries == 1:
        raise ChainError(
            f"{config.queries} queries give no standard error; ask for none, or for 2 or more"
        )
    if config.queries > MOST_QUERIES:
        raise ChainError(f"{config.queries} queries are too many; ask for at most {MOST_QUERIES}")
    names = ["rounds", "rollouts", "T_0", "T_max", *(["T_1"] if config.robust else [])]
    given = {name: getattr(config, name) for name in names}
    for name, value in given.items():
        if value is not None and value < 1:
            raise ChainError(f"{name} = {value} is out of range; give 1 or more")
    if None in given.values():
        found = default_plan(task, config)
        given = {n: getattr(found, n) if v is None else v for n, v in given.items()}
    if given["T_max"] <= given["T_0"]:
        raise ChainError(
            f"T_max = {given['T_max']} leaves no step after T_0 = {given['T_0']}; make it larger"
        )
    if given["rounds"] * given["rollouts"] > MOST_ROLLOUTS:
        raise ChainError(
            f"{given['rounds']} rounds of {given['rollouts']} rollouts do not fit into memory; "
            f"take at most {MOST_ROLLOUTS} rollouts in all"
        )
    if given["rollouts"] * (given["T_0"] + 1) > MOST_STATES:
        raise ChainError(
            f"{given['rollouts']} rollouts of T_0 = {given['T_0']} steps do not fit into memory; "
            f"take at most {MOST_STATES} steps in a round"
        )
    return replace(config, **given)


def default_plan(task: Task, config: Config) -> Plan:
    """The plan that `complete` uses."""
    groups = find_clusters(task.model)
    if len(groups) == 1:
        raise ChainError(
            "the model has no clusters to plan a search for: all its probabilities are of one "
            "order; give rounds, rollouts, T_0 and T_max"
        )
    kinds = measured(task.model, groups)
    try:
        try:
            return plan(kinds, config.delta, config.robust)
        except NoClaim:
            return plan(kinds, config.delta, config.robust, certain=False)
    except NoClaim as error:
        raise ChainError(f"no plan: {error}; give rounds, rollouts, T_0 and T_max") from None


# ---------------------------------------------------------------- the run
def run(
    task: Task, config: Config, rng: np.random.Generator, progress: Progress | None = None
) -> Result:
    """Search for the sparse edges of a model.

    Parameters
    ----------
    task : Task
        Only its model is used, and start and targets for queries.
    config : Config
    rng : numpy.random.Generator
        The same state of it gives the same result.
    progress : callable, optional
        Called with the rounds whose T_0 steps are done, and of how many.

    Raises
    ------
    ChainError
        As `complete`, and if with queries a target cannot be reached.
    """
    settings = complete(task, config)
    found = _Search(task.model, settings, rng).run(progress)
    if not settings.queries:
        return found
    share = settings.epsilon_max or _share(found)
    memory = reweighted(task.model, found.edges, share)
    answers = hitting_times(memory, task.start, task.targets, settings.queries, rng)
    settings = replace(settings, epsilon_max=share)
    return replace(found, config=settings, memory=memory, answers=answers)


def _share(found: Result) -> Fraction:
    return Fraction(1, 10 * int(np.median([len(estimate) for estimate in found.estimates])))


def reweighted(model: Chain, edges: Iterable[Edge], epsilon_max: Fraction) -> Chain:
    """The model with a memory: found edges have a total probability epsilon_max at each state.

    In proportion to what they had; all other moves of that state, staying included, are scaled to
    the rest. A state whose found edges have more already is left alone.

    Raises
    ------
    ChainError
        If one of the edges is not a transition of the model.
    """
    chosen = set(edges)
    mass: dict[int, Fraction] = {}
    entries = list(model.exact_entries())
    for x, y, p in entries:
        if (x, y) in chosen:
            mass[x] = mass.get(x, Fraction(0)) + p
    strange = chosen - {(x, y) for x, y, _ in entries}
    if strange:
        raise ChainError(f"{min(strange)} is not a transition of the model; give some of its own")
    factor = {
        x: (epsilon_max / p, (1 - epsilon_max) / (1 - p))
        for x, p in mass.items()
        if 0 < p < epsilon_max
    }
    one = Fraction(1), Fraction(1)
    return Chain.from_entries(
        model.states,
        ((x, y, p * factor.get(x, one)[(x, y) not in chosen]) for x, y, p in entries),
    )


class _Search:
    """One run."""

    def __init__(self, model: Chain, settings: Config, rng: np.random.Generator):
        self.model, self.rng, self.settings = model, rng, settings
        rounds, rollouts, T_0, T_max = (
            settings.rounds,
            settings.rollouts,
            settings.T_0,
            settings.T_max,
        )
        assert rounds is not None and rollouts is not None
        assert T_0 is not None and T_max is not None
        self.rounds, self.rollouts, self.T_0, self.T_max = rounds, rollouts, T_0, T_max
        self.first = np.searchsorted(model.source, np.arange(model.size + 1)).astype(np.int64)
        self.walk = _cumulative(model, self.first)
        shape = rounds, rollouts
        self.sources = np.full(shape, -1, dtype=np.int64)
        self.ends = np.full(shape, -1, dtype=np.int64)
        self.times = np.full(shape, np.inf)
        self.tests = self.test_steps = 0
        self.cache: dict[tuple[int, ...], tuple[Chain, int, IntArray]] = {}

    def run(self, progress: Progress | None) -> Result:
        starts = self.rng.integers(self.model.size, size=self.rounds)
        estimates = []
        # Rollouts that have not ended, by what decides their law: (estimate, state).
        waiting: dict[tuple[tuple[int, ...], int], list[tuple[int, int, float]]] = {}
        paths = np.empty((self.rollouts, self.T_0 + 1), dtype=np.int64)
        for r, start in enumerate(starts.tolist()):
            _walk(self.first, *self.walk, start, paths, self.rng)
            estimate = self._estimate(paths)
            estimates.append(estimate)
            for i in range(self.rollouts):
                own = self._prefix(r, i, paths[i], estimate)
                if own is not None:
                    waiting.setdefault((own, int(paths[i, -1])), []).append((r, i, float(self.T_0)))
            if progress is not None:
                progress(r + 1, self.rounds)
        while waiting:
            waiting = self._advance(waiting)
        pairs = zip(self.sources.ravel().tolist(), self.ends.ravel().tolist(), strict=True)
        edges = Counter(pair for pair in pairs if pair[0] >= 0)
        walked = np.clip(self.times, self.T_0, self.T_max).ravel().tolist()
        return Result(
            config=self.settings,
            edges=dict(sorted(edges.items())),
            starts=starts,
            estimates=tuple(estimates),
            sources=self.sources,
            ends=self.ends,
            times=self.times,
            steps=sum(map(int, walked)) + self.test_steps,
            test_steps=self.test_steps,
            tests=self.tests,
            memory=None,
            answers=None,
        )

    def _estimate(self, paths: IntArray) -> tuple[int, ...]:
        """The states that one rollout has seen, or, in the robust search, most of them."""
        if not self.settings.robust:
            return tuple(np.unique(paths).tolist())
        votes = Counter(state for path in paths for state in np.unique(path).tolist())
        return tuple(sorted(state for state, n in votes.items() if 2 * n > self.rollouts))

    def _prefix(
        self, r: int, i: int, path: IntArray, estimate: tuple[int, ...]
    ) -> tuple[int, ...] | None:
        """Go through the first T_0 steps; the rollout's own estimate, or None if it has ended."""
        own = set(estimate)
        for t in np.flatnonzero(~np.isin(path, estimate)).tolist():
            # What was taken in meanwhile is no exit.
            if path[t] in own:
                continue
            if self._is_sparse(tuple(sorted(own)), int(path[t])):
                self._record(r, i, int(path[t - 1]), int(path[t]), float(t))
                return None
            own.add(int(path[t]))
        return tuple(sorted(own))

    def _advance(
        self, waiting: Mapping[tuple[tuple[int, ...], int], list[tuple[int, int, float]]]
    ) -> dict[tuple[tuple[int, ...], int], list[tuple[int, int, float]]]:
        """Move every rollout to its next exit from its estimate."""
        left: dict[tuple[tuple[int, ...], int], list[tuple[int, int, float]]] = {}
        for (estimate, state), rollouts in waiting.items():
            times, entries = self._exits(estimate, state, len(rollouts))
            for (r, i, begun), time, entry in zip(rollouts, times, entries, strict=True):
                if not begun + time <= self.T_max:
                    continue
                x, y = int(self.model.source[entry]), int(self.model.target[entry])
                if not self.settings.robust or self._is_sparse(estimate, y):
                    self._record(r, i, x, y, begun + time)
                else:
                    own = tuple(sorted((*estimate, y)))
                    left.setdefault((own, y), []).append((r, i, begun + time))
        return left

    def _record(self, r: int, i: int, x: int, y: int, time: float) -> None:
        self.sources[r, i], self.ends[r, i], self.times[r, i] = x, y, time

    def _exits(
        self, estimate: tuple[int, ...], state: int, count: int
    ) -> tuple[list[float], list[int]]:
        """Times of the first exit from an estimate, and the entries by which it is left."""
        if estimate not in self.cache:
            self.cache[estimate] = self._inside(estimate)
        chain, size, leaving = self.cache[estimate]
        if not len(leaving):
            return [math.inf] * count, [-1] * count
        parts = [range(size), range(size, chain.size)]
        place = estimate.index(state)
        # Two replicas at least; the further one is not looked at.
        paths = cluster_paths(chain, place, 1, max(count, 2), self.rng, clusters=parts)
        entered = paths.states[:count, 1]
        times = np.where(entered >= 0, paths.times[:count, 1], np.inf)
        entries = np.where(entered >= 0, leaving[entered - size], -1)
        return times.tolist(), entries.tolist()

    def _inside(self, estimate: tuple[int, ...]) -> tuple[Chain, int, IntArray]:
        """The chain on an estimate with a further state for each transition that leaves it."""
        model, size = self.model, len(estimate)
        place = np.full(model.size, -1, dtype=np.int64)
        place[list(estimate)] = np.arange(size)
        entries = np.concatenate([np.arange(self.first[x], self.first[x + 1]) for x in estimate])
        outside = place[model.target[entries]] < 0
        leaving = entries[outside]
        target = place[model.target[entries]]
        target[outside] = size + np.arange(len(leaving))
        exact = None if model.exact is None else tuple(model.exact[e] for e in entries.tolist())
        chain = Chain(
            (*map(str, range(size + len(leaving))),),
            place[model.source[entries]],
            target,
            model.probability[entries],
            exact,
        )
        return chain, size, leaving

    def _is_sparse(self, estimate: tuple[int, ...], state: int) -> bool:
        """Test a transition to a state: whether a rollout from there stays away."""
        inside = np.zeros(self.model.size, dtype=bool)
        inside[list(estimate)] = True
        most = self.settings.T_1
        assert most is not None
        steps = _return(self.first, *self.walk, state, inside, most, self.rng)
        self.tests += 1
        self.test_steps += abs(steps)
        return steps < 0


def _cumulative(model: Chain, first: IntArray) -> tuple[IntArray, FloatArray]:
    """Targets and cumulative probabilities of each row, small ones first so that none is lost."""
    order = np.lexsort((model.probability, model.source))
    sums = np.empty(len(order))
    for x in range(model.size):
        row = slice(first[x], first[x + 1])
        sums[row] = np.cumsum(model.probability[order[row]])
    return model.target[order], sums


@njit(cache=True)
def _step(first: IntArray, target: IntArray, sums: FloatArray, x: int, draw: float) -> int:
    low, high = first[x], first[x + 1]
    if low == high or draw >= sums[high - 1]:
        return x
    while low < high:
        middle = (low + high) // 2
        if sums[middle] > draw:
            high = middle
        else:
            low = middle + 1
    return int(target[low])


@njit(cache=True)
def _walk(
    first: IntArray,
    target: IntArray,
    sums: FloatArray,
    start: int,
    paths: IntArray,
    rng: np.random.Generator,
) -> None:
    """Fill one row of paths for each rollout."""
    for i in range(paths.shape[0]):
        x = start
        paths[i, 0] = x
        for t in range(1, paths.shape[1]):
            x = _step(first, target, sums, x, rng.random())
            paths[i, t] = x


@njit(cache=True)
def _return(
    first: IntArray,
    target: IntArray,
    sums: FloatArray,
    x: int,
    inside: npt.NDArray[np.bool_],
    most: int,
    rng: np.random.Generator,
) -> int:
    """Steps until a walk is inside, or minus their number if it is not within `most`."""
    for t in range(1, most + 1):
        x = _step(first, target, sums, x, rng.random())
        if inside[x]:
            return t
    return -most


# ---------------------------------------------------------------- prediction and report
@dataclass(frozen=True)
class Prediction:
    """What theory says of a search with some settings.

    Attributes
    ----------
    steps : bounds of the expected number of generated steps.
    missed : upper bound of the probability that an edge is not found; None for the robust search.
    false : upper bound of the probability of a false edge; None for the robust search.
    band : contains the number of generated steps of a run, but for probability `ALARM` (rounds are
        independent and bounded: Hoeffding 1963, Theorem 1); None for the robust search.
    """

    steps: tuple[float, float]
    missed: float | None
    false: float | None
    band: tuple[float, float] | None

    @property
    def middle(self) -> float:
        """Midway between the bounds of the steps."""
        return (self.steps[0] + self.steps[1]) / 2


def predict(kinds: Sequence[Kind], settings: Config) -> Prediction:
    """What theory says of a search on clusters, `cliques_of` a family or `measured`.

    In the robust search each rollout makes one test of T_1 steps if it records; tests that come
    back are left out.
    """
    rounds, rollouts, T_0, T_max = (
        int(getattr(settings, name) or 0) for name in ("rounds", "rollouts", "T_0", "T_max")
    )
    if settings.robust:
        T_1 = int(settings.T_1 or 0)
        errs = mistakes(kinds, rollouts, T_0, T_1)
        lost = [
            min(Fraction(1), k.early(rollouts, T_0) + w) for k, w in zip(kinds, errs, strict=True)
        ]
        low, high = expected_steps(kinds, rounds, rollouts, T_0, T_max, lost)
        bounds = float(low), float(high + rounds * rollouts * T_1)
        return Prediction(bounds, None, None, None)
    low, high = expected_steps(kinds, rounds, rollouts, T_0, T_max)
    lost = [min(Fraction(1), k.unseen(rollouts, T_0) + k.early(rollouts, T_0)) for k in kinds]
    gone = missed(kinds, rounds, rollouts, T_max - T_0, lost)
    false = false_alarm(kinds, rounds, rollouts, T_0)
    limit = float(rollouts * T_max)
    least, most = (
        bounded_mean_band(min(float(mean / rounds), limit), limit, rounds, ALARM)
        for mean in (low, high)
    )
    return Prediction(
        (float(low), float(high)),
        min(1.0, float(gone)),
        min(1.0, float(false)),
        (rounds * least[0], rounds * most[1]),
    )


def report(task: Task, truth: Truth | None, config: Config, result: Result) -> Report:
    """What a run prints, writes and draws.

    Parameters
    ----------
    truth : Truth or None
        What to compare with; without it the steps are predicted for the blocks of the model at the
        widest gap between its probabilities, and found edges are those recorded.
    config : Config
        As it was given to `run`.
    """
    model, settings = task.model, result.config
    groups = groups_of(truth.clusters) if truth else find_clusters(model)
    expected = _expected(model, groups, settings)
    recorded = set(result.edges)
    true = truth.sparse_edges if truth else frozenset(recorded)

    def named(edges: Iterable[Edge]) -> list[list[str]]:
        return [[model.states[x], model.states[y]] for x, y in sorted(edges)]

    told: dict[str, Any] = {
        "edges_found": len(recorded & true),
        "edges_true": len(true) if truth else None,
        "found": named(recorded & true),
        "missed": named(true - recorded) if truth else None,
        "false": named(recorded - true) if truth else None,
        "steps": result.steps,
        "predicted_steps": expected and expected.middle,
        "predicted_steps_bounds": expected and list(expected.steps),
        "predicted_steps_band": expected and expected.band and list(expected.band),
        "missed_bound": expected and expected.missed,
        "false_bound": expected and expected.false,
        "tests": result.tests,
        "test_steps": result.test_steps,
        "settings": {
            name: getattr(settings, name)
            for name in ("rounds", "rollouts", "T_0", "T_max", "robust", "T_1")
        },
        "delta": str(config.delta),
    }
    rows = [
        ("sparse edges found", f"{len(recorded & true)}" + (f" of {len(true)}" if truth else "")),
        *([("false edges", str(len(recorded - true)))] if truth else []),
        ("rounds and rollouts", f"{settings.rounds} of {settings.rollouts}"),
        ("T_0 and T_max", f"{settings.T_0} and {settings.T_max}"),
        *([("T_1", f"{settings.T_1}, {result.tests} tests")] if settings.robust else []),
        ("generated steps", f"{result.steps:.6g}"),
    ]
    if expected is not None:
        rows.append(("predicted", f"{expected.middle:.6g}, within {_span(expected.steps)}"))
    if expected and expected.missed is not None and expected.false is not None:
        rows += [
            ("an edge is missed", f"with probability at most {expected.missed:.2g}"),
            ("an edge is false", f"with probability at most {expected.false:.2g}"),
        ]
    if result.answers is not None:
        told |= {
            "epsilon_max": str(settings.epsilon_max),
            "queries": settings.queries,
            "hitting_time": result.answers.mean,
            "standard_error": result.answers.standard_error,
        }
        told_time = f"{result.answers.mean:.6g} +- {result.answers.standard_error:.2g} steps"
        rows.append((f"to the answer, with epsilon_max = {settings.epsilon_max}", told_time))

    def figure() -> Figure:
        return _figure(result, true if truth else None)

    return Report(told, tuple(rows), figure)


def _expected(model: Chain, groups: Sequence[Sequence[int]], settings: Config) -> Prediction | None:
    """The prediction, or None for clusters that are too large."""
    try:
        return predict(measured(model, groups), settings)
    except ChainError:
        return None


def _span(band: tuple[float, float]) -> str:
    return f"{band[0]:.6g} and {band[1]:.6g}"


def progress_of(
    result: Result, true: frozenset[Edge] | None = None
) -> tuple[FloatArray, IntArray, IntArray]:
    """Generated steps after each round, tests aside, and edges found by then, true and false.

    Without the truth all count as true.
    """
    settings = result.config
    walked = np.clip(result.times, float(settings.T_0 or 0), float(settings.T_max or 0))
    seen: set[Edge] = set()
    counts = []
    for sources, ends in zip(result.sources.tolist(), result.ends.tolist(), strict=True):
        seen |= {e for e in zip(sources, ends, strict=True) if e[0] >= 0}
        good = len(seen if true is None else seen & true)
        counts.append((good, len(seen) - good))
    found = np.array(counts, dtype=np.int64).reshape(-1, 2)
    return walked.sum(axis=1).cumsum(), found[:, 0], found[:, 1]


def _figure(result: Result, true: frozenset[Edge] | None) -> Figure:
    from matplotlib.figure import Figure

    steps, good, wrong = progress_of(result, true)
    figure = Figure(figsize=(5.2, 3.4), layout="constrained")
    axes = figure.subplots()
    axes.step(steps, good, where="post", color="C0", label="sparse edges found")
    if true is not None:
        axes.axhline(len(true), color="C7", linewidth=1, label="all of them")
        axes.step(steps, wrong, where="post", color="C1", label="false edges")
    axes.set(xlabel="generated steps", ylabel="edges", ylim=(0, None))
    axes.legend()
    return figure
