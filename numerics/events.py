"""Exact simulation whose cost does not depend on epsilon: from one sparse event to the next.

States are grouped into clusters. Let q(x) be the probability with which state x leaves its cluster
C in one step, q = max q(x) over C, and D the kernel on C conditioned to stay. A step from x leaves
with probability q(x) and else follows D. The same law results if at every step, independently of
all else, a *potential event* happens with probability q; at one, the walk leaves with probability
q(x)/q, by the leaving law of x, and follows D otherwise; without one it follows D (thinning: Lewis
and Shedler 1979, *Naval Res. Logist. Quart.* 26, 403-413). So the time to the next potential event
is geometric and independent of the walk by D, which is moved that many steps at once:

- tables hold D^(2^k) for k = 0, 1, ..., and one draw for each binary digit of the number of steps
  does it, so nothing is approximated while D has not mixed;
- from the horizon H = 2^k on, where all rows of D^H agree within 1e-16 in total variation, one
  draw from their average does it. The distance d(n) between the rows of D^n is submultiplicative
  (Levin, Peres and Wilmer 2009, *Markov Chains and Mixing Times*, Lemma 4.12), so H is certain
  although rounding would hide differences of 1e-16: d(2^(k+1)) <= d(2^k)^2.

The law is right for *any* partition; a good one makes it quick. Before use a partition is refined:
targets are taken out, and each cluster is split into its strong components. So D is irreducible,
and a hit inside a cluster is an event like any other. If D is periodic, its powers never agree,
and there are tables for every time that can occur. If potential events are much more frequent than
true ones, as for a part that is slow to get to its only exit, the walk is not thinned: tables of
the probability to leave within 2^k steps locate the exit by bisection, in a number of draws that
grows with the logarithm of the time alone.

Accuracy
--------
Probabilities to leave are sums of entries, never one minus a sum, and times come from them by
inversion with log1p, so they are as accurate for q = 1e-300 as for q = 1/2. One advance has a law
within 1e-16 (mixing) of the true one in total variation, and beside it the rounding of the tables:
each squaring of a kernel on m states doubles the error that it finds and adds at most (m + 8)
2**-52 in a row, so that at most min(n, H) (m + 8) 2**-51 results for n steps; that is a bound, and
what is found is far less. Cumulative probabilities of a geometric time, and of each choice, are
right to 2**-52. Times are doubles: whole numbers, exact up to 2**53, and rounded at every event
beyond.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit
from scipy import sparse
from scipy.sparse import csgraph

from numerics.chain import Chain, ChainError, FloatArray, IntArray, check_targets
from numerics.simulate import (
    Budget,
    WordArray,
    check_task,
    require_replicas,
    rotated,
    run_in_chunks,
    seed,
)
from numerics.spectrum import blocks

MIXED = 1e-16
"""Largest total-variation distance between two rows of D^H, H the mixing horizon."""

MOST_BYTES = 2**30
"""Most memory for the tables of one simulation."""

SMALLEST = 1e-305
"""Smallest probability of leaving: times of its inverse are near the end of the doubles."""

_GAP = 10.0  # probabilities further apart than this factor may be of different order
_MOST_EVENTS = 1e3  # potential events to expect of one exit, beyond which it is bisected
_MOST_LEVELS = 1030  # tables that reach past the largest double
_LONGEST = 46.0  # no draw of an exponential time exceeds it
_CHUNK = 2_000_000  # events between two reports of progress, about a tenth of a second

Clusters = Sequence[Collection[int]]


@dataclass(frozen=True, eq=False)
class Sample:
    """Independent hitting times of one target set from one start.

    Attributes
    ----------
    times : float64 array, shape (R,)
        Hitting time of each replica, in steps, >= 0: whole numbers, exact up to 2**53.
    states : int64 array, shape (R,)
        The target state that each replica hits first.
    events : int
        Potential events drawn in total: what the simulation costs.
    """

    times: FloatArray
    states: IntArray
    events: int

    @property
    def steps(self) -> int:
        """Steps that a walk step by step would have taken, the sum of `times`."""
        return sum(map(int, self.times.tolist()))

    @property
    def mean(self) -> float:
        """Sample mean, in steps."""
        return self.steps / len(self.times)

    @property
    def standard_error(self) -> float:
        """Estimated standard deviation of `mean`, in steps."""
        # The squares of long times would overflow.
        scale = float(self.times.max()) or 1.0
        return float(np.std(self.times / scale, ddof=1) / np.sqrt(len(self.times))) * scale


@dataclass(frozen=True, eq=False)
class Paths:
    """Independent paths from cluster to cluster.

    Attributes
    ----------
    clusters : int64 array, shape (R, n + 1)
        Column 0 is the cluster of the start, column i the cluster entered by the i-th move; -1
        from the end of the path on.
    states : int64 array, shape (R, n + 1)
        The state by which each is entered; -1 from the end of the path on.
    times : float64 array, shape (R, n + 1)
        When it is entered, in steps; nan from the end of the path on.
    hits : float64 array, shape (R,)
        When the path hits a target, which ends it; nan if it does not.
    events : int
        Potential events drawn in total.
    """

    clusters: IntArray
    states: IntArray
    times: FloatArray
    hits: FloatArray
    events: int


def hitting_times(
    chain: Chain,
    start: int,
    targets: Collection[int],
    replicas: int,
    rng: np.random.Generator,
    *,
    clusters: Clusters | None = None,
    max_events: int = 10**9,
    progress: Callable[[int], None] | None = None,
) -> Sample:
    """Simulate how long the chain takes from `start` to a set of states, event by event.

    Same law as `numerics.simulate.hitting_times`, at a cost that does not depend on how rare the
    transitions between clusters are.

    Parameters
    ----------
    chain : Chain
        Chain of N states; tables take memory of order M^2 for a cluster of M states.
    start : int
        0-based start.
    targets : collection of int
        0-based target states, at least one.
    replicas : int
        Number R >= 2 of independent runs.
    rng : numpy.random.Generator
        Source of the seed; the same state of it gives the same sample.
    clusters : sequence of collections of int, optional
        A partition of the states; by default `find_clusters`. It affects the cost alone.
    max_events : int
        Most potential events over all replicas together, >= 1.
    progress : callable, optional
        Called now and then, and at the end, with the number of replicas done so far.

    Raises
    ------
    BudgetError
        If `max_events` events do not suffice.
    ChainError
        If `replicas` or `max_events` is out of range, a state does not exist, the chain can go
        from `start` to a state that cannot reach the targets, `clusters` is not a partition, its
        tables are too large, or times are out of the range of a double.
    """
    goals = check_task(chain, start, targets, replicas)
    groups = find_clusters(chain) if clusters is None else _partition(chain, clusters)
    return _sample(chain, start, goals, replicas, rng, groups, max_events, progress)


def exit_times(
    chain: Chain,
    start: int,
    replicas: int,
    rng: np.random.Generator,
    *,
    clusters: Clusters | None = None,
    max_events: int = 10**9,
    progress: Callable[[int], None] | None = None,
) -> Sample:
    """Simulate how long the chain stays in the cluster of `start`, and where it goes then.

    Parameters
    ----------
    chain, start, replicas, rng, clusters, max_events, progress
        As for `hitting_times`.

    Returns
    -------
    Sample
        `states` are the first states outside the cluster.

    Raises
    ------
    BudgetError, ChainError
        As `hitting_times`; also if the cluster is the whole chain.
    """
    (origin,) = check_targets(chain, (start,))
    groups = find_clusters(chain) if clusters is None else _partition(chain, clusters)
    outside = [state for group in groups if origin not in group for state in group]
    if not outside:
        raise ChainError(
            f"the cluster of state {chain.states[origin]!r} is the whole chain, which it cannot "
            "leave; give clusters"
        )
    check_task(chain, origin, outside, replicas)
    return _sample(chain, origin, outside, replicas, rng, groups, max_events, progress)


def cluster_paths(
    chain: Chain,
    start: int,
    moves: int,
    replicas: int,
    rng: np.random.Generator,
    *,
    targets: Collection[int] = (),
    clusters: Clusters | None = None,
    max_events: int = 10**9,
    progress: Callable[[int], None] | None = None,
) -> Paths:
    """Simulate the sequence of clusters that the chain visits, with times and entrance states.

    Parameters
    ----------
    chain, start, replicas, rng, max_events, progress
        As for `hitting_times`.
    moves : int
        Moves n >= 1 from one cluster to another after which a path ends. It ends sooner where it
        hits a target, or in a cluster that it cannot leave.
    targets : collection of int
        0-based target states; by default none.
    clusters : sequence of collections of int, optional
        A partition of the states, the clusters being numbered in its order; by default
        `find_clusters`.

    Raises
    ------
    BudgetError, ChainError
        As `hitting_times`, but targets need not be reachable; also if `moves` is out of range.
    """
    (origin,) = check_targets(chain, (start,))
    require_replicas(replicas)
    if moves < 1:
        raise ChainError(f"a path of {moves} moves is no path; ask for 1 or more")
    goals = check_targets(chain, targets) if targets else ()
    groups = find_clusters(chain) if clusters is None else _partition(chain, clusters)
    shape = (replicas, moves + 1)
    paths = Paths(
        np.full(shape, -1, dtype=np.int64),
        np.full(shape, -1, dtype=np.int64),
        np.full(shape, np.nan),
        np.full(replicas, np.nan),
        0,
    )
    ends = np.full(replicas, -1, dtype=np.int64)
    plan = _plan(chain, origin, goals, groups)
    record = _Record(paths.clusters, paths.states, paths.times)
    events = _simulate(plan, origin, record, paths.hits, ends, rng, max_events, progress)
    paths.hits[ends < 0] = np.nan
    _require_finite(paths.times[paths.clusters >= 0])
    return Paths(paths.clusters, paths.states, paths.times, paths.hits, events)


def find_clusters(chain: Chain) -> tuple[tuple[int, ...], ...]:
    """Blocks of a chain at the widest gap between its transition probabilities.

    Sorted by size, the probabilities are cut where the ratio of two neighbours is largest, and the
    blocks are those of `numerics.spectrum.blocks` above the cut. If no ratio is 10 or more, the
    whole chain is one cluster.
    """
    sizes = np.unique(chain.probability[chain.probability > 0.0])
    if len(sizes) < 2:
        return blocks(chain, 0)
    steps = np.diff(np.log(sizes))
    widest = int(np.argmax(steps))
    if steps[widest] < math.log(_GAP):
        return (tuple(range(chain.size)),)
    # Midway, since exact entries differ from their doubles by rounding.
    return blocks(chain, math.sqrt(sizes[widest]) * math.sqrt(sizes[widest + 1]))


def _partition(chain: Chain, clusters: Clusters) -> tuple[tuple[int, ...], ...]:
    groups = tuple(tuple(int(state) for state in cluster) for cluster in clusters)
    if sorted(state for group in groups for state in group) != list(range(chain.size)):
        raise ChainError(
            f"the clusters are not a partition of the {chain.size} states; list each state once"
        )
    return groups


def _sample(
    chain: Chain,
    start: int,
    goals: Collection[int],
    replicas: int,
    rng: np.random.Generator,
    groups: Sequence[Sequence[int]],
    max_events: int,
    progress: Callable[[int], None] | None,
) -> Sample:
    times = np.zeros(replicas)
    ends = np.full(replicas, -1, dtype=np.int64)
    plan = _plan(chain, start, goals, groups)
    none = np.empty((replicas, 0), dtype=np.int64)
    record = _Record(none, none, np.empty((replicas, 0)))
    events = _simulate(plan, start, record, times, ends, rng, max_events, progress)
    _require_finite(times)
    return Sample(times, ends, events)


def _require_finite(times: FloatArray) -> None:
    if not np.isfinite(times).all():
        raise ChainError(
            "a time exceeds 1.8e308, the range of a double; raise the probabilities between "
            "clusters"
        )


class _Plan(NamedTuple):
    """What the compiled sampler reads.

    A part is a strong component of a cluster off the targets: states ``begin[c]`` to
    ``begin[c + 1]`` in the order of the parts. Table k of a part of m states is the (m, m) block of
    `tables` that starts at ``first[c] + k m m``: cumulative rows of D^(2^k), or, where the part is
    bisected, of ``Q^(2^k)[x, y] h_k[y]`` with Q the kernel restricted to the part and h_k the
    probability to leave within 2^k steps, listed from ``within[c]`` on in `leaves`.
    """

    cluster: IntArray  # (N,) number in the partition
    part: IntArray  # (N,) -1 for targets and what is out of reach
    local: IntArray  # (N,) number inside the part
    accept: FloatArray  # (N,) q(x)/q
    exits: IntArray  # (N + 1,) where the exits of each state start
    exit_to: IntArray  # (L,)
    exit_law: FloatArray  # (L,) cumulative, given that the state is left
    begin: IntArray  # (C + 1,)
    member: IntArray  # states in the order of the parts
    law: FloatArray  # cumulative law of D from the horizon on, in the order of the parts
    rate: FloatArray  # (C,) -log(1 - q); 0 where there is no exit
    horizon: FloatArray  # (C,) infinite where there is none
    levels: IntArray  # (C,) number of tables
    first: IntArray  # (C,)
    tables: FloatArray
    within: IntArray  # (C,) -1 where the part is thinned
    leaves: FloatArray


def _plan(
    chain: Chain, start: int, goals: Collection[int], groups: Sequence[Sequence[int]]
) -> _Plan:
    cluster = np.empty(chain.size, dtype=np.int64)
    for number, group in enumerate(groups):
        cluster[list(group)] = number
    part = _parts(chain, start, goals, cluster)
    count = int(part.max(initial=-1)) + 1
    member = np.flatnonzero(part >= 0)
    member = member[np.argsort(part[member], kind="stable")]
    begin = np.searchsorted(part[member], np.arange(count + 1)).astype(np.int64)
    local = np.zeros(chain.size, dtype=np.int64)
    local[member] = np.arange(len(member)) - begin[part[member]]

    walking = part[chain.source] >= 0
    leaving = walking & (part[chain.source] != part[chain.target])
    exits, exit_to, exit_law, outflow = _exits(chain, leaving)

    staying = np.flatnonzero(walking & ~leaving)
    staying = staying[np.argsort(part[chain.source[staying]], kind="stable")]
    ends = np.searchsorted(part[chain.source[staying]], np.arange(count + 1))
    accept = np.zeros(chain.size)
    built = []
    room = MOST_BYTES
    for c in range(count):
        states = member[begin[c] : begin[c + 1]]
        out = [outflow.get(int(x), Fraction(0)) for x in states]
        most = max(out)
        if 0 < most < SMALLEST:
            raise ChainError(
                f"the cluster of state {chain.states[states[0]]!r} is left with a probability "
                f"below {SMALLEST}, so times are out of the range of a double; scale it up"
            )
        if most:
            accept[states] = [float(q / most) for q in out]
        entries = staying[ends[c] : ends[c + 1]]
        kernel = np.zeros((len(states), len(states)))
        kernel[local[chain.source[entries]], local[chain.target[entries]]] = chain.probability[
            entries
        ]
        made = _tables(chain, states, kernel, out, room)
        room -= made.tables.nbytes
        built.append(made)
    return _Plan(
        cluster=cluster,
        part=part,
        local=local,
        accept=accept,
        exits=exits,
        exit_to=exit_to,
        exit_law=exit_law,
        begin=begin,
        member=member,
        law=np.concatenate([np.empty(0), *(b.law for b in built)]),
        rate=np.array([b.rate for b in built]),
        horizon=np.array([b.horizon for b in built]),
        levels=np.array([len(b.tables) for b in built], dtype=np.int64),
        first=_offsets([b.tables.size for b in built]),
        tables=np.concatenate([np.empty(0), *(b.tables.ravel() for b in built)]),
        within=np.where(
            [b.leaves.size > 0 for b in built], _offsets([b.leaves.size for b in built]), -1
        ).astype(np.int64),
        leaves=np.concatenate([np.empty(0), *(b.leaves.ravel() for b in built)]),
    )


def _offsets(sizes: Sequence[int]) -> IntArray:
    return np.concatenate([[0], np.cumsum(sizes, dtype=np.int64)])[: len(sizes)].astype(np.int64)


def _parts(chain: Chain, start: int, goals: Collection[int], cluster: IntArray) -> IntArray:
    """Strong components of the clusters off the targets, as far as a walk can get; else -1."""
    walks = np.zeros(chain.size, dtype=bool)
    walks[list(chain.reachable_from(start))] = True
    walks[list(goals)] = False
    inner = walks[chain.source] & walks[chain.target]
    inner &= cluster[chain.source] == cluster[chain.target]
    # What is too small for a table is an exit, where it is refused.
    inner &= chain.probability >= SMALLEST
    graph = sparse.csr_array(
        (np.ones(int(inner.sum()), dtype=np.int8), (chain.source[inner], chain.target[inner])),
        shape=(chain.size, chain.size),
    )
    _, label = csgraph.connected_components(graph, directed=True, connection="strong")
    part = np.full(chain.size, -1, dtype=np.int64)
    _, part[walks] = np.unique(label[walks], return_inverse=True)
    return part


def _exits(
    chain: Chain, leaving: npt.NDArray[np.bool_]
) -> tuple[IntArray, IntArray, FloatArray, dict[int, Fraction]]:
    """Exits by state, with their cumulative law, and the probability of leaving, exactly."""
    chosen = np.flatnonzero(leaving)
    exact = (
        [Fraction(p) for p in chain.probability[chosen].tolist()]
        if chain.exact is None
        else [chain.exact[n] for n in chosen.tolist()]
    )
    sources = chain.source[chosen]
    outflow: dict[int, Fraction] = {}
    for x, p in zip(sources.tolist(), exact, strict=True):
        outflow[x] = outflow.get(x, Fraction(0)) + p
    share = np.array([float(p / outflow[x]) for x, p in zip(sources.tolist(), exact, strict=True)])
    exits = np.searchsorted(sources, np.arange(chain.size + 1)).astype(np.int64)
    law = np.empty(len(chosen))
    for x in outflow:
        law[exits[x] : exits[x + 1]] = _cumulative(share[None, exits[x] : exits[x + 1]])[0]
    return exits, chain.target[chosen], law, outflow


class _Tables(NamedTuple):
    rate: float
    horizon: float
    law: FloatArray
    tables: FloatArray  # (levels, m, m)
    leaves: FloatArray  # (levels + 1, m), or empty


def _tables(
    chain: Chain, states: IntArray, kernel: FloatArray, out: Sequence[Fraction], room: int
) -> _Tables:
    """Tables of one part; `kernel` holds its off-diagonal entries."""
    size = len(states)
    most = min(float(max(out)), 1.0)
    no_law, no_tables, no_leaves = np.zeros(size), np.empty((0, 0, 0)), np.empty((0, size))
    if not most:
        return _Tables(0.0, math.inf, no_law, no_tables, no_leaves)
    rate = math.inf if most == 1.0 else -math.log1p(-most)
    leaving = np.array([float(q) for q in out])
    events = _mean_events(kernel.copy(), leaving.copy(), most)
    if events > _MOST_EVENTS:
        # One factor 2 for each 1.4 of an exponential tail, and those up to the mean.
        levels = (
            math.ceil(math.log2(events / most)) + 7 if events / most < math.inf else _MOST_LEVELS
        )
        if levels * kernel.nbytes <= room:
            tables, leaves = _bisected(kernel, leaving)
            if len(tables) == _MOST_LEVELS:
                raise ChainError(
                    f"the cluster of state {chain.states[states[0]]!r} may not be left within "
                    "1.8e308 steps, the range of a double; scale its probabilities up"
                )
            return _Tables(rate, math.inf, no_law, tables, leaves)
    power = _conditioned(chain, states, kernel, out)
    longest = _LONGEST / rate + 1.0  # of a draw, with one step for an event that is rejected
    powers: list[FloatArray] = []
    distance = 1.0
    while True:
        steps = 2.0 ** len(powers)
        distance = min(distance * distance, _row_distance(power, steps))
        if distance <= MIXED:
            law = _cumulative(power.mean(axis=0)[None])[0]
            return _Tables(rate, steps, law, _stacked(powers), no_leaves)
        if steps > longest:
            return _Tables(rate, math.inf, no_law, _stacked(powers), no_leaves)
        if (len(powers) + 1) * kernel.nbytes > room:
            raise ChainError(
                f"the cluster of state {chain.states[states[0]]!r}, with {size} states, is not "
                f"mixed after {steps:.3g} steps, and its tables exceed {MOST_BYTES / 2**30:.3g} "
                "GiB; split it into clusters that mix faster, or simulate step by step"
            )
        powers.append(_cumulative(power))
        power = power @ power
        power /= power.sum(axis=1, keepdims=True)


def _stacked(tables: Sequence[FloatArray]) -> FloatArray:
    return np.array(tables) if tables else np.empty((0, 0, 0))


def _conditioned(
    chain: Chain, states: IntArray, kernel: FloatArray, out: Sequence[Fraction]
) -> FloatArray:
    """The kernel D on a part, conditioned to stay, from its off-diagonal entries."""
    size = len(states)
    # A row that is certain to be left is read after a rejected event alone, which it has none of.
    stay = np.array([float(1 - q) if q < 1 else 1.0 for q in out])
    conditioned = kernel / stay[:, None]
    rest = 1.0 - conditioned.sum(axis=1)
    for i in np.flatnonzero(rest < (size + 2) * 2.0**-50).tolist():
        # So little may be rounding, and a false loop would make a periodic kernel mix.
        row = slice(*np.searchsorted(chain.source, [states[i], states[i] + 1]))
        given = (
            map(Fraction, chain.probability[row].tolist())
            if chain.exact is None
            else chain.exact[row]
        )
        rest[i] = max(float(1 - sum(given, Fraction(0))) / stay[i], 0.0)
    conditioned[np.arange(size), np.arange(size)] = rest
    return np.asarray(conditioned / conditioned.sum(axis=1, keepdims=True))


def _row_distance(power: FloatArray, steps: float) -> float:
    """Bound of the largest total-variation distance between two rows of D^steps, rounded."""
    size = len(power)
    if size == 1:
        return 0.0
    apart = float(np.abs(power - power.mean(axis=0)).sum(axis=1).max())
    return min(1.0, apart + steps * (size + 8) * 2.0**-49)  # its rounding, four times


def _cumulative(rows: FloatArray) -> FloatArray:
    """Cumulative rows, exactly 1 from the last positive entry on; zero rows become uniform."""
    rows = np.where(rows.sum(axis=1, keepdims=True) > 0.0, rows, 1.0)
    sums = np.cumsum(rows, axis=1)
    sums /= sums[:, -1:]
    size = rows.shape[1]
    last = size - 1 - np.argmax(rows[:, ::-1] > 0.0, axis=1)
    sums[np.arange(size) >= last[:, None]] = 1.0
    return np.asarray(sums)


def _bisected(kernel: FloatArray, leaving: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Tables of a part that is bisected, and its probabilities to leave within 2^k steps."""
    power = kernel.copy()
    np.fill_diagonal(power, np.maximum(1.0 - kernel.sum(axis=1) - leaving, 0.0))
    within = [leaving]
    tables: list[FloatArray] = []
    while len(tables) < _MOST_LEVELS and (power.sum(axis=1) > MIXED / 4.0).any():
        # While the walk is all but sure to stay, what is left of a row says nothing of q.
        early = within[-1] < 0.5
        sums = power.sum(axis=1)
        power[early] *= ((1.0 - within[-1][early]) / sums[early])[:, None]
        split = power * within[-1]
        tables.append(_cumulative(split))
        within.append(within[-1] + split.sum(axis=1))
        power = power @ power
    return _stacked(tables), np.array(within)


@njit(cache=True)
def _mean_events(kernel: FloatArray, leaving: FloatArray, most: float) -> float:
    """Largest mean number of potential events until a part is left: its mean exit time times q.

    By elimination without subtractions, as `numerics.elimination`; the arrays are overwritten.
    """
    size = len(leaving)
    time = np.full(size, most)
    sums = np.empty(size)
    for k in range(size - 1, -1, -1):
        sums[k] = leaving[k] + kernel[k, :k].sum()
        if not sums[k] > 0.0:
            return np.inf
        for i in range(k):
            if kernel[i, k] > 0.0:
                share = kernel[i, k] / sums[k]
                for j in range(k):
                    kernel[i, j] += share * kernel[k, j]
                time[i] += share * time[k]
                leaving[i] += share * leaving[k]
    for k in range(size):
        for j in range(k):
            time[k] += kernel[k, j] * time[j]
        time[k] /= sums[k]
    return float(time.max())


class _Record(NamedTuple):
    """Where paths are written: shape (R, moves + 1), or (R, 0) for none."""

    clusters: IntArray
    states: IntArray
    times: FloatArray


def _simulate(
    plan: _Plan,
    start: int,
    record: _Record,
    times: FloatArray,
    ends: IntArray,
    rng: np.random.Generator,
    max_events: int,
    progress: Callable[[int], None] | None,
) -> int:
    """Run all replicas; their times and last states are written, the events returned."""
    words = seed(rng, 2)
    # Replica, state, whether an event was just rejected, moves; and the time: all there is to
    # carry from one chunk to the next.
    place = np.array([0, start, 0, 0], dtype=np.int64)
    clock = np.zeros(1)

    def run(budget: int) -> int:
        return _run(plan, start, record, times, ends, place, clock, words, budget)

    budget = Budget("events", max_events, _CHUNK, "give clusters that mix faster")
    return run_in_chunks(run, lambda: int(place[0]), len(times), budget, progress)


@njit(cache=True)
def _word(words: WordArray) -> int:
    """The next 64 bits."""
    s, t = words[0], words[1]
    result = rotated(s + t, 17) + s
    t ^= s
    words[0] = rotated(s, 49) ^ t ^ (t << np.uint64(21))
    words[1] = rotated(t, 28)
    return result  # type: ignore[no-any-return]


@njit(cache=True)
def _uniform(words: WordArray) -> float:
    """Uniform on the multiples of 2**-53 in [0, 1)."""
    return float(_word(words) >> np.uint64(11)) * 2.0**-53


@njit(cache=True)
def _geometric(rate: float, words: WordArray) -> float:
    """Time to the first event, >= 1, for one that happens with probability 1 - exp(-rate)."""
    word = _word(words)
    # Half of a uniform variable: both ends of its range are resolved finely.
    half = (float(word >> np.uint64(1)) + 0.5) * 2.0**-64
    exponential = -np.log(half) if word & np.uint64(1) else -np.log1p(-half)
    return float(1.0 + np.floor(exponential / rate))


@njit(cache=True)
def _pick(cumulative: FloatArray, begin: int, size: int, words: WordArray) -> int:
    draw = _uniform(words)
    low = 0
    high = size - 1
    while low < high:
        middle = (low + high) // 2
        if cumulative[begin + middle] > draw:
            high = middle
        else:
            low = middle + 1
    return low


@njit(cache=True)
def _advance(
    tables: FloatArray, first: int, levels: int, size: int, i: int, steps: float, words: WordArray
) -> int:
    """State of a part after a number of steps by D, from its state i."""
    rounded = -1
    for k in range(levels - 1, -1, -1):
        if k >= rounded:
            moves = steps >= 2.0**k
            if moves:
                steps -= 2.0**k
                rounded = max(rounded, k - 52)
        else:
            # Times beyond 2**53 have lost their last digits, which are as good as even.
            moves = (_word(words) >> np.uint64(63)) == np.uint64(1)
        if moves:
            i = _pick(tables, first + (k * size + i) * size, size, words)
    return i


@njit(cache=True)
def _bisect(
    tables: FloatArray,
    first: int,
    levels: int,
    size: int,
    i: int,
    leaves: FloatArray,
    words: WordArray,
) -> tuple[int, float]:
    """State from which a part is left, and the time of that step, from its state i."""
    steps = 1.0
    for k in range(levels - 1, -1, -1):
        if _uniform(words) * leaves[(k + 1) * size + i] >= leaves[k * size + i]:
            steps += 2.0**k
            i = _pick(tables, first + (k * size + i) * size, size, words)
    return i, steps


@njit(cache=True)
def _run(
    plan: _Plan,
    start: int,
    record: _Record,
    times: FloatArray,
    ends: IntArray,
    place: IntArray,
    clock: FloatArray,
    words: WordArray,
    budget: int,
) -> int:
    """Continue the replicas from `place` for at most `budget` events; return those drawn."""
    # Out of the tuple once: each look into it costs.
    cluster, part, local, accept = plan.cluster, plan.part, plan.local, plan.accept
    exits, exit_to, exit_law = plan.exits, plan.exit_to, plan.exit_law
    begin, member, law, rate, horizon = plan.begin, plan.member, plan.law, plan.rate, plan.horizon
    levels, first, tables, within = plan.levels, plan.first, plan.tables, plan.within
    path_clusters, path_states, path_times = record.clusters, record.states, record.times
    replica, state, rejected, moves = place
    time = clock[0]
    columns = path_clusters.shape[1]
    events = 0
    while True:
        if columns and moves == 0:
            path_clusters[replica, 0] = cluster[start]
            path_states[replica, 0] = start
            path_times[replica, 0] = 0.0
            moves = 1
        c = part[state]
        if c < 0 or rate[c] == 0.0 or moves == columns > 0:
            times[replica] = time
            if c < 0:
                ends[replica] = state
            replica += 1
            state, rejected, moves, time = start, 0, 0, 0.0
            if replica == len(times):
                break
            continue
        if events == budget:
            break
        events += 1
        size = begin[c + 1] - begin[c]
        i = local[state]
        if within[c] >= 0:
            leaves = plan.leaves[within[c] :]
            i, steps = _bisect(tables, first[c], levels[c], size, i, leaves, words)
            time += steps
            state = member[begin[c] + i]
        else:
            steps = _geometric(rate[c], words)
            time += steps
            # The walk stays in all these steps but the last, and stayed at a rejected event.
            steps += rejected - 1.0
            if steps >= horizon[c]:
                i = _pick(law, begin[c], size, words)
            elif steps > 0.0:
                i = _advance(tables, first[c], levels[c], size, i, steps, words)
            state = member[begin[c] + i]
            rejected = 0 if _uniform(words) < accept[state] else 1
            if rejected:
                continue
        before = cluster[state]
        exit = exits[state]
        state = exit_to[exit + _pick(exit_law, exit, exits[state + 1] - exit, words)]
        if columns and cluster[state] != before:
            path_clusters[replica, moves] = cluster[state]
            path_states[replica, moves] = state
            path_times[replica, moves] = time
            moves += 1
    place[0], place[1], place[2], place[3] = replica, state, rejected, moves
    clock[0] = time
    return events
