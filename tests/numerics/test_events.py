"""From event to event: the law of the step-by-step walk, at a cost free of epsilon.

Each comparison with an exact law is one assertion that spends from the budget; what a wrong sampler
would do is planted, and must be noticed by the same assertion at the same sample size.
"""

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from fractions import Fraction

import mpmath
import numpy as np
import pytest

from numerics import elimination, events, simulate, verify
from numerics.chain import Chain, ChainError
from numerics.events import Sample, cluster_paths, exit_times, find_clusters, hitting_times
from numerics.rows import concrete
from numerics.simulate import BudgetError
from numerics.stattest import (
    Budget,
    bounded_mean_band,
    law_distance,
    law_limit,
    law_size,
    mean_band,
    survival_band,
    two_sample_distance,
    two_sample_limit,
    two_sample_size,
)
from theory.claims import Derivation
from theory.family import built_in

BUDGET = Budget(3e-7)
ALARM, MISS = 2e-9, 1e-4
DISTANCE = 0.03  # between laws that must be told apart
REPLICAS = law_size(DISTANCE, ALARM, MISS)
F = Fraction
EIGHTH = F(1, 8)


def from_rows(rows: dict[tuple[int, int], Fraction]) -> Chain:
    size = 1 + max(max(pair) for pair in rows)
    return Chain.from_entries(map(str, range(size)), ((i, j, p) for (i, j), p in rows.items()))


def corridor(epsilon: Fraction, turn: Fraction = EIGHTH) -> tuple[Chain, list[range]]:
    """Two clusters that mix in hundreds of steps and are left from several states unevenly.

    The first is a corridor 0-5 with a drift, left at 0 and at 5 for different states of the second,
    6-8, in which 8 is reached from 6 alone.
    """
    rows = {}
    for i in range(5):
        rows[i, i + 1] = turn * F(1 + i, 4)
        rows[i + 1, i] = turn / 2
    rows |= {(0, 8): epsilon / 9, (0, 7): epsilon, (5, 7): 3 * epsilon, (2, 6): epsilon / 50}
    rows |= {(6, 7): turn, (7, 6): turn / 4, (6, 8): turn / 3, (8, 7): turn}
    rows |= {(7, 1): epsilon / 2, (6, 4): epsilon, (8, 3): epsilon}
    return from_rows(rows), [range(6), range(6, 9)]


def transition_matrix(chain: Chain) -> np.ndarray:
    rates = chain.rates()
    return rates + np.diag(1 - rates.sum(axis=1))


class Law:
    """Exact survival of a hitting time, by powers."""

    def __init__(self, chain: Chain, start: int, targets: Sequence[int]):
        free = [x for x in range(chain.size) if x not in set(targets)]
        inner = transition_matrix(chain)[np.ix_(free, free)]
        row = np.zeros(len(free))
        row[free.index(start)] = 1
        tail = [1.0]
        while tail[-1] > 1e-12:
            row = row @ inner
            tail.append(float(row.sum()))
        self.tail = np.array(tail)

    def __call__(self, t: np.ndarray) -> np.ndarray:
        t = np.asarray(t)
        kept = self.tail[np.clip(t, 0, len(self.tail) - 1).astype(int)]
        return np.where(t < 0, 1.0, np.where(t >= len(self.tail), 0.0, kept))


def agrees(sample: Sample | np.ndarray, law: Callable[[np.ndarray], np.ndarray]) -> bool:
    times = sample.times if isinstance(sample, Sample) else sample
    return law_distance(times, law) <= law_limit(len(times), ALARM)


def draw(chain, start, targets, seed, clusters, n=REPLICAS, **more) -> Sample:
    return hitting_times(
        chain, start, targets, n, np.random.default_rng(seed), clusters=clusters, **more
    )


# ---------------------------------------------------------------- the law
@pytest.mark.parametrize("start", [0, 5, 7])
def test_law_of_hitting_times(start):
    """From both ends of a slow cluster, and from inside the target's cluster."""
    chain, clusters = corridor(F(1, 40))
    BUDGET.spend(ALARM)
    sample = draw(chain, start, [8], start, clusters)
    assert agrees(sample, Law(chain, start, [8]))
    assert not agrees(sample, Law(chain, 1, [8]))
    assert set(sample.states) == {8}


@pytest.mark.parametrize("epsilon", [F(1, 3), F(1, 20), F(1, 500)])
def test_law_on_random_clusters(cluster_row, epsilon):
    chain = cluster_row((4, 6, 3), epsilon, 4)
    clusters = [range(4), range(4, 10), range(10, 13)]
    BUDGET.spend(ALARM)
    law = Law(chain, 0, [11, 12])
    assert agrees(draw(chain, 0, [11, 12], 1, clusters), law)
    assert not agrees(draw(chain, 0, [11, 12], 1, clusters).times * 1.1, law)


def partitions(size: int) -> dict[str, list[Sequence[int]]]:
    return {
        "one cluster": [range(size)],
        "singletons": [[x] for x in range(size)],
        "through the clusters": [[0, 3, 7], [8], [6, 5, 1], [4, 2]],
    }


@pytest.mark.parametrize("name", partitions(9))
def test_law_does_not_depend_on_the_partition(name):
    chain, _ = corridor(F(1, 40))
    BUDGET.spend(ALARM)
    assert agrees(draw(chain, 0, [8], 2, partitions(9)[name]), Law(chain, 0, [8]))


def test_same_law_as_step_by_step():
    """The whole law against the other sampler's, from a start far from mixed."""
    chain, clusters = corridor(F(1, 40))
    n = two_sample_size(DISTANCE, BUDGET.spend(ALARM), MISS)
    steps = simulate.hitting_times(chain, 5, [8], n, np.random.default_rng(3), max_steps=10**9)
    limit = two_sample_limit(n, n, ALARM)
    jumps = draw(chain, 5, [8], 3, clusters, n)
    assert two_sample_distance(steps.times, jumps.times) <= limit
    elsewhere = draw(chain, 4, [8], 3, clusters, n)
    assert two_sample_distance(steps.times, elsewhere.times) > limit


def test_bisection_has_the_same_law(monkeypatch):
    """Every part bisected, from a start far from mixed."""
    monkeypatch.setattr(events, "_MOST_EVENTS", 0.0)
    chain, clusters = corridor(F(1, 40))
    plan = events._plan(chain, 5, [8], clusters)
    assert (plan.within >= 0).all()
    BUDGET.spend(2 * ALARM)
    assert agrees(draw(chain, 5, [8], 4, clusters), Law(chain, 5, [8]))
    out = exit_times(chain, 5, REPLICAS, np.random.default_rng(4), clusters=clusters)
    assert agrees(out, Law(chain, 5, [6, 7, 8]))


def cycle(epsilon: Fraction) -> Chain:
    """A walk around six states that cannot rest, left from state 0 alone for state 6."""
    rows = {(i, (i + s) % 6): F(1, 2) for i in range(6) for s in (1, 5)}
    rows = {(i, j): p * (1 - epsilon) if i == 0 else p for (i, j), p in rows.items()}
    return from_rows(rows | {(0, 6): epsilon, (6, 3): F(1)})


@pytest.mark.parametrize("bisect", [False, True])
def test_periodic_cluster(bisect, monkeypatch):
    """It never mixes: at even times alone can it be where it is left."""
    if bisect:
        monkeypatch.setattr(events, "_MOST_EVENTS", 0.0)
    chain, clusters = cycle(F(1, 4)), [range(6), [6]]
    plan = events._plan(chain, 0, [6], clusters)
    assert plan.horizon.tolist() == [math.inf]
    assert (plan.within >= 0).tolist() == [bisect]
    BUDGET.spend(ALARM)
    sample = draw(chain, 3, [6], 5, clusters)
    assert agrees(sample, Law(chain, 3, [6]))
    assert not agrees(sample.times - 1, Law(chain, 3, [6]))
    assert (sample.times % 2 == 0).all()
    rare = draw(cycle(F(1, 10**12)), 3, [6], 5, clusters, 2000)
    assert (rare.times % 2 == 0).all()
    # Beyond 2**53 parity is lost, and a walk that kept to one class would wait twice too long.
    tiny = F(1, 10**200)
    low, high = mean_band(6e200, 6e200 * (1 + 1e-12), 40_000, BUDGET.spend(ALARM))
    assert low <= draw(cycle(tiny), 2, [6], 6, clusters, 40_000).mean <= high


# ---------------------------------------------------------------- planted errors
def no_thinning(plan):
    plan.accept[plan.accept > 0] = 1.0
    return plan


def no_first_steps(plan):
    return plan._replace(horizon=np.zeros_like(plan.horizon))


def other_exits(plan):
    """The exits of each state with their probabilities in reverse."""
    for x in range(len(plan.exits) - 1):
        law = plan.exit_law[plan.exits[x] : plan.exits[x + 1]]
        law[:] = np.cumsum(np.diff(law, prepend=0.0)[::-1])
    return plan


def no_rows(plan):
    """Every state of a part moves as its first does."""
    for c, first in enumerate(plan.first):
        m = plan.begin[c + 1] - plan.begin[c]
        tables = plan.tables[first : first + plan.levels[c] * m * m].reshape(-1, m, m)
        tables[:] = tables[:, :1]
    return plan


@pytest.mark.parametrize("wrong", [no_thinning, no_first_steps, other_exits, no_rows])
def test_planted_plan_is_noticed(wrong, monkeypatch):
    chain, clusters = corridor(F(1, 40))
    right = events._plan
    law = Law(chain, 0, [8])
    BUDGET.spend(ALARM)
    assert agrees(draw(chain, 0, [8], 7, clusters), law)
    monkeypatch.setattr(events, "_plan", lambda *given: wrong(right(*given)))
    assert not agrees(draw(chain, 0, [8], 7, clusters), law)


def test_nothing_is_mixed_before_the_horizon(monkeypatch):
    """Tables that stand still, and a mixed law at the exit: found from the horizon on alone."""
    chain = from_rows({(0, 1): F(1, 2), (1, 0): F(1, 4), (1, 2): F(1, 2)})
    plan = events._plan(chain, 0, [2], [[0, 1], [2]])
    assert plan.accept.tolist() == [0, 1, 0]
    tables = np.tile(np.cumsum(np.eye(2), axis=1).ravel(), 10)
    still = plan._replace(
        law=np.array([0.0, 1.0]),
        horizon=np.array([8.0]),
        levels=np.array([10]),
        tables=tables,
    )
    monkeypatch.setattr(events, "_plan", lambda *given: still)
    times = draw(chain, 0, [2], 0, [[0, 1], [2]], 20_000).times
    assert times.min() == 9
    assert np.count_nonzero(times == 9) > 20  # of 20000/2^8, and one failure in a million


@pytest.mark.parametrize("shift", [0, -1, 1])
def test_planted_geometric_is_noticed(shift, monkeypatch):
    """The same code, interpreted, with times to the next potential event off by one."""
    chain, clusters = corridor(F(1, 4), F(1, 2))
    right = events._geometric
    monkeypatch.setattr(events, "_run", events._run.py_func)
    monkeypatch.setattr(events, "_geometric", lambda *given: right(*given) + shift)
    law = Law(chain, 0, [8])
    n = 3000
    if not shift:
        BUDGET.spend(ALARM)
    found = law_distance(draw(chain, 0, [8], 8, clusters, n).times, law)
    assert (found <= law_limit(n, ALARM)) == (shift == 0)


# ---------------------------------------------------------------- epsilon
def ring(epsilon: str) -> tuple[Chain, int, int, float]:
    """Ring of 8 cliques of 8 states, from bulk to far bulk, with the exact mean."""
    family = built_in()["ring"]
    point = family.domain.complete({"K": F(8), "M": F(8), "epsilon": F(epsilon), "d": F(4)})
    chain = concrete(family.explicit(point))
    e = F(epsilon)
    mean = (8 * (1 - e) + 2 * e) / (e * (1 - e)) * ((1 + e) * 8 + 8 * e)
    return chain, chain.index("0.2"), chain.index("4.2"), float(mean)


def test_cost_does_not_depend_on_epsilon():
    cost = []
    for epsilon in ("1e-3", "1e-5", "1e-8", "1e-16", "1e-300"):
        chain, start, target, mean = ring(epsilon)
        assert find_clusters(chain) == tuple(tuple(range(8 * k, 8 * k + 8)) for k in range(8))
        n = 10_000
        sample = draw(chain, start, [target], 9, None, n)
        longest = float(elimination.mean_hitting_times(chain, [target]).values.max()) * (1 + 1e-9)
        low, high = mean_band(mean, longest, n, BUDGET.spend(ALARM))
        assert low <= sample.mean <= high
        assert not low <= sample.mean * 1.3 <= high
        assert not low <= sample.mean * 0.75 <= high
        assert sample.standard_error == pytest.approx(0.8 * sample.mean / 100, rel=0.1)
        cost.append(sample.events / n)
    assert max(cost) < 1.1 * min(cost)
    assert max(cost) < 100


def test_rare_exits_of_very_different_probability():
    """Ratios of probabilities to leave are those of the exact entries, even where these underflow.

    Two states that swap; one leaves with 1e-300, the other with 1e-304 and, for a third state, with
    1e-330, which is 0 in doubles.
    """
    e = F(1, 10**300)
    chain = from_rows(
        {
            (0, 1): F(1, 3),
            (1, 0): F(1, 2),
            (0, 2): e,
            (1, 2): e / 10**4,
            (1, 3): e / 10**30,
            (2, 0): F(1),
            (3, 0): F(1),
        }
    )
    plan = events._plan(chain, 0, [2, 3], [[0, 1], [2], [3]])
    assert plan.accept[:2].tolist() == [1.0, float((e / 10**4 + e / 10**30) / e)]
    assert plan.rate.tolist() == [1e-300]
    assert np.diff(plan.exit_law[plan.exits[1] : plan.exits[2]], prepend=0).tolist() == [1.0, 0.0]
    n = 40_000
    sample = draw(chain, 0, [2, 3], 10, [[0, 1], [2], [3]], n)
    mean = float(elimination.mean_hitting_times(chain, [2, 3]).values[0])
    low, high = mean_band(mean, mean * (1 + 1e-12), n, BUDGET.spend(ALARM))
    assert low <= sample.mean <= high < 1.1 * mean


@pytest.mark.parametrize("q", [1.0, 0.5, 0.3, 1e-3])
def test_geometric_law(q):
    rate = math.inf if q == 1 else -math.log1p(-q)
    words = simulate.seed(np.random.default_rng(11), 2)
    times = np.array([events._geometric(rate, words) for _ in range(REPLICAS)])
    BUDGET.spend(ALARM)

    def survival(t):
        return (1 - q) ** np.maximum(t, 0.0)

    assert agrees(times, survival)
    assert not agrees(times + 1, survival) or q < 0.01
    assert not agrees(np.ceil(1.1 * times), survival)
    assert times.min() == 1


def test_geometric_time_of_tiny_rate():
    words = simulate.seed(np.random.default_rng(12), 2)
    times = np.array([events._geometric(1e-300, words) for _ in range(REPLICAS)])
    BUDGET.spend(ALARM)
    limit = law_limit(REPLICAS, ALARM)
    assert law_distance(times, lambda t: np.exp(-1e-300 * t)) <= limit
    # Both ends are resolved: there are as many short and long times as there should be.
    for level in (1e-3, 1 - 1e-3):
        cut = -math.log(level) * 1e300
        low, high = survival_band(level, REPLICAS, BUDGET.spend(ALARM))
        assert low <= np.mean(times > cut) <= high
    assert law_distance(times * 1.1, lambda t: np.exp(-1e-300 * t)) > limit


# ---------------------------------------------------------------- tables
def test_rows_agree_at_the_horizon_and_tables_are_powers(cluster_row):
    """With sixty digits: the difference of rows that doubles cannot see."""
    chain, clusters = corridor(F(1, 10**6))
    dense = cluster_row((7, 4), F(1, 10**6), 3)
    cases = [(chain, 0, clusters, 0), (dense, 0, [range(7), range(7, 11)], 0)]
    with mpmath.workdps(60):
        for chain, start, clusters, c in cases:
            plan = events._plan(chain, start, [chain.size - 1], clusters)
            states = plan.member[plan.begin[c] : plan.begin[c + 1]].tolist()
            m = len(states)
            entry = {(i, j): p for i, j, p in chain.exact_entries()}
            D = mpmath.zeros(m)
            for i, x in enumerate(states):
                out = sum(p for (a, b), p in entry.items() if a == x and b not in states)
                inside = [entry.get((x, y), F(0)) for y in states]
                inside[i] = 1 - out - sum(inside)
                for j, p in enumerate(inside):
                    D[i, j] = (
                        mpmath.mpf(p.numerator)
                        / p.denominator
                        / (1 - mpmath.mpf(out.numerator) / out.denominator)
                    )
            assert plan.horizon[c] == 2 ** plan.levels[c] <= 2**13
            power = D
            for k in range(plan.levels[c]):
                first = plan.first[c] + k * m * m
                table = plan.tables[first : first + m * m].reshape(m, m)
                exact = np.array(power.tolist(), dtype=np.float64).cumsum(axis=1)
                assert np.abs(table - exact).max() <= 2**k * (m + 8) * 2.0**-51
                power = power * power
            apart = max(
                sum(abs(power[i, y] - power[j, y]) for y in range(m)) / 2
                for i, j in itertools.combinations(range(m), 2)
            )
            assert apart <= events.MIXED
            law = np.array(power[0, :].tolist(), dtype=np.float64).ravel().cumsum()
            found = plan.law[plan.begin[c] : plan.begin[c + 1]]
            assert np.abs(found - law).max() <= plan.horizon[c] * (m + 8) * 2.0**-51


def test_rounding_makes_no_loops():
    """Rows that cannot stay put, whose doubles do not sum to 1: the kernel stays periodic."""
    rng = np.random.default_rng(19)
    weights = rng.integers(1, 100, size=(10, 5)).tolist()
    e = F(1, 10**40)
    rows = {
        (i, j + (5 if i < 5 else 0)): F(w, sum(row)) * (1 - e)
        for i, row in enumerate(weights)
        for j, w in enumerate(row)
    } | {(i, 10): e for i in range(10)}
    chain = from_rows(rows)
    assert (chain.rates().sum(axis=1) != 1).any()
    plan = events._plan(chain, 0, [10], [range(10), [10]])
    assert plan.horizon.tolist() == [math.inf]
    tables = plan.tables.reshape(-1, 10, 10)
    parity = np.arange(10) >= 5
    odd, even = np.diff(tables[0], prepend=0.0), np.diff(tables[-1], prepend=0.0)
    assert (odd[np.equal.outer(parity, parity)] == 0).all()
    assert (even[~np.equal.outer(parity, parity)] == 0).all()


def test_slow_part_is_bisected():
    """A part that is slow to get to its only exit, and leaves there at once.

    Stepping or thinning would take 1e12 events; the target is reached through another cluster.
    """
    slow = F(1, 10**12)
    chain = from_rows(
        {
            (0, 1): slow,
            (1, 0): slow,
            (1, 2): F(1, 2),
            (2, 3): slow / 7,
            (3, 4): F(1, 3),
            (4, 3): F(1),
            (3, 0): slow,
        }
    )
    n = 20_000
    clusters = [[0, 1, 2], [3, 4]]
    for goal, most in ((2, 3.0), (4, 60.0)):
        sample = draw(chain, 0, [goal], 13, clusters, n)
        mean = float(elimination.mean_hitting_times(chain, [goal]).values[0])
        low, high = mean_band(mean, mean * (1 + 1e-9), n, BUDGET.spend(ALARM))
        assert low <= sample.mean <= high < 1.12 * mean
        assert sample.events < most * n
    assert events._plan(chain, 0, [2], clusters).within[0] >= 0


def test_tables_are_bounded(monkeypatch):
    monkeypatch.setattr(events, "MOST_BYTES", 10_000)
    with pytest.raises(ChainError, match=r"cluster of state '0', with 6 states, .* split it into"):
        draw(cycle(F(1, 10**100)), 3, [6], 0, [range(6), [6]], 10)
    chain, start, target, _ = ring("1e-100")
    draw(chain, start, [target], 0, None, 10)


# ---------------------------------------------------------------- exits and paths
def exit_law(chain: Chain, start: int, outside: Sequence[int]) -> np.ndarray:
    """Probability to leave first for each state of `outside`."""
    P = transition_matrix(chain)
    free = [x for x in range(chain.size) if x not in outside]
    system = np.eye(len(free)) - P[np.ix_(free, free)]
    laws = np.linalg.solve(system, P[np.ix_(free, list(outside))])
    law: np.ndarray = laws[free.index(start)]
    return law


@pytest.mark.parametrize("start", [0, 4])
def test_exit_times(start):
    chain, clusters = corridor(F(1, 40))
    out = exit_times(chain, start, REPLICAS, np.random.default_rng(14), clusters=clusters)
    BUDGET.spend(ALARM)
    law = Law(chain, start, [6, 7, 8])
    assert agrees(out, law)
    assert not agrees(out, Law(chain, 4 - start, [6, 7, 8]))
    truth = exit_law(chain, start, [6, 7, 8])
    wrong = exit_law(chain, 4 - start, [6, 7, 8])
    misfits = 0
    for state, p, other in zip((6, 7, 8), truth, wrong, strict=True):
        low, high = survival_band(p, REPLICAS, BUDGET.spend(ALARM))
        assert low <= np.mean(out.states == state) <= high
        low, high = survival_band(other, REPLICAS, ALARM)
        misfits += not low <= np.mean(out.states == state) <= high
    assert misfits
    # times and places together: long stays end as they would from the law of a long stay
    low, high = bounded_mean_band(float(law.tail[:200].sum()), 200, REPLICAS, BUDGET.spend(ALARM))
    assert low <= np.minimum(out.times, 200).mean() <= high


def test_paths():
    """Their clusters, entrances and times, against exact laws; and what must hold on each path."""
    chain, clusters = corridor(F(1, 40))
    rng = np.random.default_rng(15)
    paths = cluster_paths(chain, 0, 3, REPLICAS, rng, clusters=clusters)
    assert paths.clusters.tolist() == [[0, 1, 0, 1]] * REPLICAS
    assert (paths.states[:, 0] == 0).all()
    assert (paths.times[:, 0] == 0).all()
    assert (np.diff(paths.times, axis=1) >= 1).all()
    assert np.isnan(paths.hits).all()
    BUDGET.spend(ALARM)
    assert agrees(paths.times[:, 1], Law(chain, 0, [6, 7, 8]))
    # The second stay starts from the entrance state.
    for entrance in (7, 8):
        stays = np.diff(paths.times, axis=1)[paths.states[:, 1] == entrance, 1]
        BUDGET.spend(ALARM)
        assert agrees(stays, Law(chain, entrance, range(6)))
        back = paths.states[paths.states[:, 1] == entrance, 2]
        for state, p in enumerate(exit_law(chain, entrance, range(6))):
            low, high = survival_band(p, len(back), BUDGET.spend(ALARM))
            assert low <= np.mean(back == state) <= high


def test_paths_to_a_target():
    chain, clusters = corridor(F(1, 40))
    rng = np.random.default_rng(16)
    n, most = 8000, 400
    paths = cluster_paths(chain, 0, most, n, rng, targets=[8], clusters=clusters)
    BUDGET.spend(ALARM)
    assert not np.isnan(paths.hits).any()
    assert agrees(paths.hits, Law(chain, 0, [8]))
    moves = (paths.clusters >= 0).sum(axis=1) - 1
    assert moves.min() == 1
    for r in range(0, n, 97):
        end = moves[r]
        assert paths.clusters[r].tolist() == [k % 2 for k in range(end + 1)] + [-1] * (most - end)
        assert (paths.states[r, end + 1 :] == -1).all()
        assert np.isnan(paths.times[r, end + 1 :]).all()
        # Hit where it is entered, or later inside the last cluster.
        assert paths.hits[r] >= paths.times[r, end]
        assert (paths.hits[r] == paths.times[r, end]) == (paths.states[r, end] == 8)


def test_path_ends_where_there_is_no_way_out():
    chain = from_rows({(0, 1): F(1, 10), (0, 2): F(1, 10**9), (2, 3): F(1), (3, 2): F(1)})
    paths = cluster_paths(chain, 0, 5, 100, np.random.default_rng(0), clusters=[[0], [2, 3], [1]])
    assert paths.clusters.tolist() == [[0, 2, -1, -1, -1, -1]] * 100
    assert np.isnan(paths.hits).all()


# ---------------------------------------------------------------- clusters
def test_finds_clusters():
    chain, clusters = corridor(F(1, 10**6), F(1, 2))
    assert find_clusters(chain) == tuple(map(tuple, clusters))
    cliques = [set(range(8 * k, 8 * k + 8)) for k in range(8)]
    assert [set(c) for c in find_clusters(ring("1e-300")[0])] == cliques
    # No gap, or a single probability: one cluster.
    assert find_clusters(corridor(F(1, 10))[0]) != ()
    assert find_clusters(from_rows({(0, 1): F(1, 2), (1, 0): F(1, 3)})) == ((0, 1),)
    assert find_clusters(from_rows({(0, 1): F(1), (1, 0): F(1)})) == ((0, 1),)


def test_default_clusters_are_found():
    chain, start, target, _ = ring("1e-8")
    found = draw(chain, start, [target], 1, None, 50)
    given = draw(chain, start, [target], 1, find_clusters(chain), 50)
    assert found.times.tolist() == given.times.tolist()


@pytest.mark.slow
def test_large_dense_clusters():
    """Clusters of 1000 states with an arbitrary kernel: cost and mean."""
    rng = np.random.default_rng(17)
    M, e = 1000, 1e-200
    blocks = [rng.exponential(size=(M, M)) ** 3 for _ in range(2)]
    P = np.zeros((2 * M, 2 * M))
    for k, block in enumerate(blocks):
        P[k * M : (k + 1) * M, k * M : (k + 1) * M] = 0.99 * block / block.sum(axis=1)[:, None]
    np.fill_diagonal(P, 0.0)
    for _ in range(20):
        a, b = rng.integers(M, size=2)
        P[a, M + b] = e * rng.random()
        P[M + b, a] = e * rng.random()
    i, j = np.nonzero(P)
    chain = Chain.from_floats(map(str, range(2 * M)), i, j, P[i, j])
    clusters = [range(M), range(M, 2 * M)]
    n = 4000
    sample = draw(chain, 3, [2 * M - 1], 18, clusters, n)
    values = elimination.mean_hitting_times(chain, [2 * M - 1]).values
    low, high = mean_band(values[3], float(values.max()) * (1 + 1e-9), n, BUDGET.spend(ALARM))
    assert low <= sample.mean <= high < 1.3 * values[3]


# ---------------------------------------------------------------- the interface
def test_sample_statistics():
    sample = Sample(np.array([1.0, 2.0, 6.0]), np.array([0, 0, 0]), 9)
    assert (sample.steps, sample.mean) == (9, 3.0)
    assert sample.standard_error == pytest.approx(np.sqrt(7 / 3))
    huge = Sample(1e307 * sample.times, sample.states, 9)
    assert huge.mean == pytest.approx(3e307)
    assert float(huge.steps) == pytest.approx(9e307)
    assert huge.standard_error == pytest.approx(1e307 * np.sqrt(7 / 3))
    assert Sample(np.zeros(3), sample.states, 0).standard_error == 0


def test_same_seed_same_sample_and_start_on_target():
    chain, clusters = corridor(F(1, 40))
    first, again, other = (draw(chain, 0, [8], seed, clusters, 100) for seed in (5, 5, 6))
    assert first.times.tolist() == again.times.tolist() != other.times.tolist()
    on_target = draw(chain, 8, [8, 1], 0, clusters, 3)
    assert (on_target.times.tolist(), on_target.states.tolist()) == ([0] * 3, [8] * 3)
    assert on_target.events == 0


def test_chunks_do_not_show(monkeypatch):
    chain, clusters = corridor(F(1, 40))
    whole = draw(chain, 0, [8], 7, clusters, 50)
    rng = np.random.default_rng(7)
    paths = cluster_paths(chain, 0, 4, 50, rng, targets=[8], clusters=clusters)
    monkeypatch.setattr(events, "_CHUNK", 7)
    reports: list[int] = []
    parts = draw(chain, 0, [8], 7, clusters, 50, progress=reports.append)
    assert parts.times.tolist() == whole.times.tolist()
    assert parts.events == whole.events
    assert reports == sorted(reports)
    assert reports[-1] == 50
    assert len(reports) >= whole.events // 7
    rng = np.random.default_rng(7)
    pieces = cluster_paths(chain, 0, 4, 50, rng, targets=[8], clusters=clusters)
    for name in ("clusters", "states", "times", "hits"):
        assert np.array_equal(getattr(pieces, name), getattr(paths, name), equal_nan=True)


def test_budget():
    chain, clusters = corridor(F(1, 40))
    spent = draw(chain, 0, [8], 1, clusters, 10).events
    draw(chain, 0, [8], 1, clusters, 10, max_events=spent)
    with pytest.raises(BudgetError, match="9 of 10 replicas ended within"):
        draw(chain, 0, [8], 1, clusters, 10, max_events=spent - 1)


def test_refuses():
    rng = np.random.default_rng(0)
    chain, clusters = corridor(F(1, 40))
    trap = from_rows({(0, 1): F(1, 2), (0, 2): F(1, 2), (2, 1): F(1)})
    back = {(i + 1, i): F(1, 2) for i in range(3)}
    cut_off = from_rows(back | {(i, i + 1): F(1, 10**160) for i in range(4)})
    endless = from_rows({(0, 1): F(1, 10**304), (1, 0): F(99999, 100000), (1, 2): F(1, 100000)})
    for match, call in {
        "from state '0' the chain can get to '1'": lambda: hitting_times(trap, 0, [2], 9, rng),
        "2 or more": lambda: draw(chain, 0, [8], 0, clusters, 1),
        "allows no event": lambda: draw(chain, 0, [8], 0, clusters, 9, max_events=0),
        "state number 9": lambda: draw(chain, 9, [8], 0, clusters, 9),
        "state number -1": lambda: draw(chain, 0, [-1], 0, clusters, 9),
        "no target": lambda: draw(chain, 0, [], 0, clusters, 9),
        "not a partition of the 9 states": lambda: draw(chain, 0, [8], 0, [range(6)], 9),
        "not a partition": lambda: draw(chain, 0, [8], 0, [range(6), range(5, 9)], 9),
        "is the whole chain": lambda: exit_times(chain, 0, 9, rng, clusters=[range(9)]),
        "1 or more": lambda: cluster_paths(chain, 0, 0, 9, rng),
        "the chain can get to": lambda: exit_times(trap, 1, 9, rng, clusters=[[1], [0, 2]]),
        "below 1e-305": lambda: draw(ring("1e-306")[0], 2, [34], 0, None, 9),
        "may not be left within 1.8e308": lambda: draw(cut_off, 0, [4], 0, [range(4), [4]], 9),
        "exceeds 1.8e308": lambda: draw(endless, 0, [2], 0, [[0], [1], [2]], 9),
    }.items():
        with pytest.raises(ChainError, match=match):
            call()
    # The trap does not matter to a start that cannot fall into it.
    assert hitting_times(trap, 2, [1], 10, rng).mean == 1.0


def test_the_judge_simulates_at_any_epsilon(monkeypatch):
    """Where a walk step by step would take ages; a claim that is 40 % too long is still refuted."""
    family = built_in()["ring"]
    claim = Derivation(family).claim("hitting-time")
    point = {"K": F(4), "M": F(4), "d": F(2), "epsilon": F(1, 10**100)}
    BUDGET.spend(verify.ALARM)
    evidence = verify.measure(claim, family, "simulation", point)
    assert evidence.verdict == verify.Verdict.CONSISTENT
    assert evidence.false_fail_rate == verify.ALARM
    assert claim.expression is not None
    longer = replace(claim, expression=claim.expression * F(7, 5))
    assert verify.measure(longer, family, "simulation", point).verdict == verify.Verdict.REFUTED
    # Where steps are few, they are taken: the witness that shares no idea with the others.
    monkeypatch.setattr(events, "hitting_times", None)
    BUDGET.spend(verify.ALARM)
    near = verify.measure(claim, family, "simulation", {**point, "epsilon": F(1, 10)})
    assert near.verdict == verify.Verdict.CONSISTENT
