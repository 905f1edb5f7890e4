"""Search for sparse edges: its theory, its runs, and where it fails.

False alarms: each random check alarms with probability at most ALARM, and there are fewer than
500 of them in this file, so that all together do with less than 1e-7 (5e-8).
"""

import itertools
import json
import math
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import sympy

from numerics import stattest
from numerics.algorithms import search
from numerics.algorithms.search import Config, measured, reweighted, run
from numerics.algorithms.task import Task, Truth, of_family
from numerics.chain import Chain, ChainError
from numerics.elimination import mean_hitting_times
from theory import checker
from theory.catalogue import load
from theory.claims import Derivation, NoClaim
from theory.composed import CompositionDerivation
from theory.domain import evaluate
from theory.results import search as theory
from theory.results.search import Cliques, _least, cliques_of, plan

ALARM = 1e-10
FALSE_ALARMS = 5e-8  # of all random checks here

SIZES = {
    "complete": {"K": 3, "M": 3},
    "ring": {"K": 3, "M": 4},
    "path": {"K": 3, "M": 3},
    "star": {"K": 4, "M": 3},
    "unequal": {"K_1": 2, "K_2": 1, "M_1": 3, "M_2": 5},
}


def problem(name, epsilon, **sizes):
    """Task, truth and clusters of a family."""
    family = load(name)
    given = {k: Fraction(v) for k, v in sizes.items()}
    point = family.domain.complete({**given, "epsilon": Fraction(epsilon)})
    task, truth = of_family(family, point)
    return task, truth, family, point


def falsely(result, truth):
    return set(result.edges) - truth.sparse_edges


# ---------------------------------------------------------------- theory, by enumeration
def by_enumeration(size, gates, epsilon, rollouts, steps):
    """P(a round is bad) from the definition, path by path for sets and states."""
    stay = [1 - epsilon if x < gates else Fraction(1) for x in range(size)]
    good = Fraction(0)
    for start in range(size):
        law = {(frozenset([start]), start): Fraction(1)}
        for _ in range(steps):
            after: dict[Any, Fraction] = {}
            for (seen, x), p in law.items():
                for y in range(size):
                    key = seen | {y}, y
                    after[key] = after.get(key, Fraction(0)) + p * stay[x] / size
            law = after
        sets: dict[Any, Fraction] = {}
        for (seen, _), p in law.items():
            sets[seen] = sets.get(seen, Fraction(0)) + p
        for chosen in itertools.product(sets.items(), repeat=rollouts):
            if len(frozenset().union(*(seen for seen, _ in chosen))) == size:
                good += math.prod((p for _, p in chosen), start=Fraction(1, size))
    return 1 - good


@pytest.mark.parametrize("size, gates", [(2, 1), (3, 1), (3, 2), (4, 1)])
@pytest.mark.parametrize("rollouts, steps", [(1, 1), (1, 4), (2, 2), (3, 2)])
def test_bad_rounds_are_counted_exactly(size, gates, rollouts, steps):
    epsilon = Fraction(2, 7)
    kind = Cliques(1, size, gates, 2, epsilon)
    low, high = kind.bad(rollouts, steps)
    exact = by_enumeration(size, gates, epsilon, rollouts, steps)
    assert low <= exact <= high
    assert high - low < Fraction(1, 10**15)
    assert exact <= kind.unseen(rollouts, steps) + kind.early(rollouts, steps)
    # Another number of rollouts, or of steps, has another chance.
    for more in ((rollouts + size, steps), (rollouts, steps + size)):
        wrong = kind.bad(*more)
        assert not wrong[0] <= exact <= wrong[1]


def test_early_exits_are_counted_exactly():
    epsilon, size, gates = Fraction(1, 5), 4, 2
    kind = Cliques(1, size, gates, 1, epsilon)
    for rollouts, steps in ((1, 1), (2, 3), (5, 4)):
        # P(no rollout leaves) by state of the start.
        alive = [Fraction(1)] * size
        for _ in range(steps):
            average = sum(alive, Fraction(0)) / size
            alive = [average * ((1 - epsilon) if x < gates else 1) for x in range(size)]
        exact = 1 - sum(p**rollouts for p in alive) / size
        low, high = kind.at(theory.EARLY, N=rollouts, T_0=steps)
        assert low <= exact <= high
        bound = kind.at(theory.EARLY_BOUND, N=rollouts, T_0=steps)[1]
        assert bound / (1 + bound) ** 2 < exact <= bound
        assert high - low < Fraction(1, 10**15)


@pytest.mark.parametrize("gates, fan", [(1, 1), (1, 3), (2, 1), (2, 2)])
def test_what_happens_after_the_estimate_is_bounded_sharply(gates, fan):
    epsilon, size = Fraction(1, 6), 4
    kind = Cliques(1, size, gates, fan, epsilon)
    for steps in (1, 2, 3, 10):
        found, mean = [Fraction(0)] * size, [Fraction(0)] * size
        for _ in range(steps):  # backwards: by the first edge of gate 0, and min(time, steps)
            rest, stay = sum(found, Fraction(0)) / size, sum(mean, Fraction(0)) / size
            found = [
                (epsilon / fan if x == 0 else 0) + (1 - epsilon * (x < gates)) * rest
                for x in range(size)
            ]
            mean = [1 + (1 - epsilon * (x < gates)) * stay for x in range(size)]
        low = kind.found(steps)
        high = kind.at(theory.FOUND_MOST, L=steps)[1]
        assert abs(low - min(found)) < Fraction(1, 10**15)
        assert abs(high - max(found)) < Fraction(1, 10**15)
        least, most = kind.stay(steps)
        if steps > 1:
            assert abs(least - min(mean)) < Fraction(1, 10**15)
            assert abs(most - max(mean)) < Fraction(1, 10**15)
        assert least <= min(mean) <= max(mean) <= most


def test_what_tests_decide_is_bounded():
    epsilon, size = Fraction(1, 50), 5
    kind = Cliques(1, size, 2, 1, epsilon)
    for steps in (1, 3, 9):
        out = [Fraction(0)] * size
        away = {y: [Fraction(1)] * size for y in range(size)}
        for _ in range(steps):
            rest = sum(out, Fraction(0)) / size
            out = [epsilon * (x < 2) + (1 - epsilon * (x < 2)) * rest for x in range(size)]
            for y, p in away.items():
                rest = sum((v for x, v in enumerate(p) if x != y), Fraction(0)) / size
                away[y] = [(1 - epsilon * (x < 2)) * rest for x in range(size)]
        assert max(out) <= kind.leaves(steps) <= 2 * max(out)
        assert max(map(max, away.values())) <= kind.unmet(steps)


@pytest.mark.parametrize("name", SIZES)
def test_measured_clusters_agree_with_the_expressions(name):
    task, truth, family, point = problem(name, "1e-5", **SIZES[name])
    exact = cliques_of(family, point)
    found = measured(task.model, search.groups_of(truth.clusters))
    assert sum(k.count * k.edges for k in found) == len(truth.sparse_edges)
    assert sum(k.count * k.edges for k in exact) == len(truth.sparse_edges)

    def close(a, b):
        return a == pytest.approx(float(b), rel=1e-7)

    for one in exact:
        twins = [k for k in found if (k.size, k.edges) == (one.size, one.edges)]
        assert sum(k.count for k in twins) == one.count
        for kind in twins:
            assert close(kind.unseen(2, 9), one.unseen(2, 9)) or kind.unseen(2, 9) <= one.unseen(
                2, 9
            )
            assert close(kind.early(1, 9), one.early(1, 9))
            assert close(kind.leaves(1), Fraction(1, 10**5))
            for steps in (2, 77, 10**4, 10**9):
                assert close(kind.found(steps), one.found(steps))
                assert close(kind.stay(steps)[0], one.stay(steps)[0])
                assert close(kind.stay(steps)[1], one.stay(steps)[1])


def test_a_cluster_that_is_no_clique_is_refused():
    _, _, family, point = problem("lazy-cycle/ring/gate", "1e-5", K=3, M=6)
    with pytest.raises(NoClaim, match="no uniform clique"):
        cliques_of(family, point)


# ---------------------------------------------------------------- how many records are needed
def test_dense_meta_graphs_need_more_than_the_paper_s_rollouts():
    delta = Fraction(1, 100)
    for clusters in (2, 3, 10, 64, 10**4, 10**9):
        edges = clusters * (clusters - 1)
        _, paper = theory.rollouts_of_the_paper(clusters)
        # Fewer records than edges: no luck helps.
        assert paper < edges < theory.coupons(edges, delta)[0]
    # On the ring they suffice once K is large.
    assert theory.coupons(2 * 10**9, delta)[1] < theory.rollouts_of_the_paper(10**9)[0]
    root = sympy.Symbol("K", positive=True)
    slack = sympy.sqrt(root) - 1 / sympy.sqrt(root) - sympy.log(root)
    slope = (sympy.sqrt(root) - 1) ** 2 / (2 * root * sympy.sqrt(root))
    assert slack.subs(root, 1) == 0
    assert sympy.simplify(sympy.diff(slack, root) - slope) == 0


def test_a_plan_covers_the_coupons():
    _, _, family, point = problem("complete", "1e-9", K=16, M=16)
    found = plan(cliques_of(family, point), Fraction(1, 100))
    edges = 16 * 15
    assert found.rounds * found.rollouts >= theory.coupons(edges, Fraction(1, 100))[0]
    assert found.rounds * found.rollouts > theory.rollouts_of_the_paper(16)[1]


@pytest.mark.parametrize("robust", [False, True])
def test_a_plan_keeps_its_word_and_wastes_little(robust):
    _, _, family, point = problem("ring", "1e-8", K=8, M=8)
    kinds = cliques_of(family, point)
    delta = Fraction(1, 50)
    found = plan(kinds, delta, robust)
    assert found.robust == robust
    assert found.missed <= delta / 2
    assert found.false <= delta / 2
    if not robust:
        left = found.T_max - found.T_0
        lost = [
            k.unseen(found.rollouts, found.T_0) + k.early(found.rollouts, found.T_0) for k in kinds
        ]
        assert theory.missed(kinds, found.rounds - 1, found.rollouts, left, lost) > delta / 2
        assert theory.false_alarm(kinds, found.rounds, found.rollouts, found.T_0 - 3) > delta / 4
    tighter = plan(kinds, delta / 100, robust)
    assert tighter.rounds * tighter.rollouts > found.rounds * found.rollouts


@pytest.mark.parametrize("epsilon", ["1e-20", "1e-70", "1e-250"])
def test_the_rounds_of_a_plan_are_free_of_epsilon(epsilon):
    """However rare the edges are, only T_max grows."""
    task, _, _, _ = problem("ring", "1e-6", K=4, M=4)
    rare, _, _, _ = problem("ring", epsilon, K=4, M=4)
    usual, found = search.complete(task, Config()), search.complete(rare, Config())
    assert (found.rounds, found.rollouts, found.T_0) == (usual.rounds, usual.rollouts, usual.T_0)
    assert found.T_max is not None and usual.T_max is not None
    assert found.T_max * Fraction(epsilon) == pytest.approx(usual.T_max * 1e-6, rel=1e-3)


def test_no_plan_is_made_where_none_is_certain():
    _, _, family, point = problem("complete", "1e-2", K=8, M=8)
    kinds = cliques_of(family, point)
    for robust in (False, True):
        with pytest.raises(NoClaim, match="no plan for delta"):
            plan(kinds, Fraction(1, 100), robust)
    loose = plan(kinds, Fraction(1, 100), certain=False)
    assert loose.missed <= Fraction(1, 200) < loose.false
    with pytest.raises(NoClaim, match="between 0 and 1"):
        plan(kinds, Fraction(1))
    with pytest.raises(NoClaim, match="no sparse edges"):
        plan(measured(problem("complete", "1e-2", K=2, M=2)[0].model, [range(4)]), Fraction(1, 9))


# ---------------------------------------------------------------- speed-up
@pytest.mark.parametrize("name", ["complete", "ring", "star", "clique/ring/gate"])
def test_the_speed_up_is_proved_and_so_is_its_turning_point(name, derivations):
    family = load(name)
    derivation = derivations.get(name) or CompositionDerivation(family)
    found = theory.speed_up(derivation)
    assert checker.check(found.identity) == found.identity["statement"]
    assert found.order is not None
    assert checker.check(found.order) == found.order["statement"]
    point = family.domain.complete(
        {p: Fraction(v) for p, v in {"K": 5, "M": 7}.items()} | {"epsilon": Fraction(1, 9)}
    )
    square = evaluate(found.turning**2, point)

    def time(odds):
        return evaluate(
            derivation.claim("hitting-time").expression, {**point, "epsilon": odds / (1 + odds)}
        )

    root = Fraction(math.isqrt(int(square * 10**20)), 10**10)
    below, near, beyond = (time(root * Fraction(f)) for f in ("0.999", "1", "1.001"))
    assert near < below
    assert near < beyond
    at = {**point, "epsilon_max": root / (1 + root)}
    assert abs(evaluate(found.condition, at)) < Fraction(1, 10**6)
    assert evaluate(found.value, {**point, "epsilon_max": Fraction(1, 4)}) == time(
        Fraction(1, 8)
    ) / time(Fraction(1, 3))


def test_the_turning_point_of_the_complete_graph(derivations):
    found = theory.speed_up(derivations["complete"])
    K, M, e = sympy.symbols("K M epsilon_max")
    assert sympy.expand(found.condition - (2 * K * e**2 - M * (K - 1) * (1 - e) ** 2)) == 0
    assert sympy.simplify(found.turning**2 - M * (K - 1) / (2 * K)) == 0


def test_what_has_no_turning_point_has_no_largest_speed_up():
    with pytest.raises(NoClaim, match="falls throughout"):
        theory.speed_up(CompositionDerivation(load("clique/ring/in-out")))


@pytest.mark.parametrize("name", SIZES)
def test_the_memory_makes_the_family_at_epsilon_max(name):
    few, more = Fraction(1, 10**6), Fraction(1, 40)
    task, truth, family, point = problem(name, few, **SIZES[name])
    lifted = of_family(family, {**point, "epsilon": more})[0].model
    memory = reweighted(task.model, truth.sparse_edges, more)
    assert list(memory.exact_entries()) == list(lifted.exact_entries())
    derived = Derivation(family).claim("hitting-time").expression if name != "path" else None
    if derived is not None:
        time = mean_hitting_times(memory, task.targets).values[task.start]
        assert time == pytest.approx(
            float(evaluate(derived, {**point, "epsilon": more})), rel=1e-12
        )
    # A missing edge leaves what it had to the others: the chain is another.
    part = sorted(truth.sparse_edges)[1:]
    assert list(reweighted(task.model, part, more).exact_entries()) != list(memory.exact_entries())
    with pytest.raises(ChainError, match="not a transition"):
        reweighted(task.model, [(0, 0)], more)


# ---------------------------------------------------------------- runs and theory
def check_run(result, truth, kinds_of, epsilon):
    """Every number of the theory against one run; AssertionError where one is off.

    `kinds_of` gives the Cliques of each cluster.
    """
    settings = result.config
    R, N, T_0, left = (
        settings.rounds,
        settings.rollouts,
        settings.T_0,
        settings.T_max - settings.T_0,
    )
    groups = search.groups_of(truth.clusters)
    started = np.array([truth.clusters[x] for x in result.starts])
    good = np.array([e == groups[k] for e, k in zip(result.estimates, started, strict=True)])
    share = {k: len(g) / len(truth.clusters) for k, g in enumerate(groups)}

    def within(count, n, low, high, what):
        least = stattest.survival_band(float(low), n, ALARM)[0]
        most = stattest.survival_band(min(1.0, float(high)), n, ALARM)[1]
        assert least <= count / n <= most, (what, count / n, float(low), float(high))

    losses = {k: kinds_of[k].bad(N, T_0) for k in share}
    middle = sum(share[k] * float(losses[k][0]) for k in share)
    within(int((~good).sum()), R, middle, middle, "bad rounds")
    walked = np.clip(result.times, T_0, settings.T_max) - T_0
    for k in share:
        mine = good & (started == k)
        n = int(mine.sum()) * N
        kind = kinds_of[k]
        leave = kind.at(theory.LEFT, L=left)
        gate = 1 - (1 - epsilon) * (1 - float(leave[1]))
        within(int(np.isfinite(result.times[mine]).sum()), n, leave[0], gate, "recorded")
        for x, y in truth.sparse_edges:
            if truth.clusters[x] == k:
                took = (result.sources[mine] == x) & (result.ends[mine] == y)
                most = kind.at(theory.FOUND_MOST, L=left)[1]
                within(int(took.sum()), n, kind.found(left), most, "edge")
        low, high = (stattest.bounded_mean_band(float(m), left, n, ALARM) for m in kind.stay(left))
        assert low[0] <= walked[mine].mean() <= high[1], "steps"
    # False edges come from bad rounds alone.
    for r, i in np.argwhere(np.isfinite(result.times)).tolist():
        if good[r]:
            assert (int(result.sources[r, i]), int(result.ends[r, i])) in truth.sparse_edges
    # Searches of B rounds each: the chance to miss an edge.
    B = 8
    some = 0
    for b in range(R // B):
        block = slice(b * B, (b + 1) * B)
        pairs = set(
            zip(
                result.sources[block].ravel().tolist(),
                result.ends[block].ravel().tolist(),
                strict=True,
            )
        )
        some += bool(truth.sparse_edges - pairs)
    kinds = [kinds_of[k] for k in share]
    ones = [Cliques(1, k.size, k.gates, k.fan, k.epsilon) for k in kinds]
    most = theory.missed(ones, B, N, left, [losses[k][1] for k in share])
    rare = max(
        (
            1
            - share[k] * (1 - (1 - float(kinds_of[k].at(theory.FOUND_MOST, L=left)[1])) ** N)
            - middle
        )
        ** B
        if middle < 0.5
        else 0.0
        for k in share
    )
    within(some, R // B, max(0.0, rare), most, "missed")
    # All steps together.
    expected = search.predict(ones, settings)
    assert expected.band is not None
    limit = float(N * settings.T_max)
    low, high = (stattest.bounded_mean_band(m / R, limit, R, ALARM) for m in expected.steps)
    assert low[0] <= result.steps / R <= high[1]


def kinds_by_cluster(family, point, truth):
    found = {}
    for kind in cliques_of(family, point):
        for k, group in enumerate(search.groups_of(truth.clusters)):
            out = [e for e in truth.sparse_edges if e[0] in group]
            if (kind.size, kind.edges) == (len(group), len(out)):
                found[k] = kind
    return found


def settings_for(epsilon, **more):
    # So that about half of the rollouts record, and a fair share of the rounds is bad.
    return Config(
        rounds=600, rollouts=2, T_0=6, T_max=6 + int(Fraction(2) / Fraction(epsilon)), **more
    )


@pytest.mark.parametrize("epsilon", ["1e-6", "1e-5", "1e-4", "1e-3"])
@pytest.mark.parametrize("name", SIZES)
def test_runs_agree_with_the_theory(name, epsilon):
    task, truth, family, point = problem(name, epsilon, **SIZES[name])
    result = run(task, settings_for(epsilon), np.random.default_rng(7))
    kinds = kinds_by_cluster(family, point, truth)
    check_run(result, truth, kinds, float(epsilon))


@pytest.mark.parametrize("error", ["epsilon", "T_0", "T_max", "size", "edge", "time", "missed"])
def test_the_comparison_catches_planted_errors(error):
    _, truth, family, point = problem("ring", "1e-3", **SIZES["ring"])
    config = settings_for("1e-3")
    rates = {"epsilon": Fraction(3, 2000)}
    planted = problem("ring", rates.get(error, "1e-3"), **SIZES["ring"])[0]
    wrong = {
        "T_0": {"T_0": 4, "T_max": config.T_max - 2},
        "T_max": {"T_max": config.T_max * 2},
    }
    result = run(planted, replace(config, **wrong.get(error, {})), np.random.default_rng(7))
    kinds = kinds_by_cluster(family, point, truth)
    result = replace(result, config=config)
    if error == "size":
        kinds = {k: replace(kind, size=kind.size + 1) for k, kind in kinds.items()}
    if error == "edge":
        result = replace(result, sources=result.ends, ends=result.sources)
    if error == "time":
        result = replace(result, times=6 + (result.times - 6) / 5)
    if error == "missed":
        gone = min(truth.sparse_edges)
        took = (result.sources == gone[0]) & (result.ends == gone[1])
        result = replace(
            result,
            times=np.where(took, np.inf, result.times),
            sources=np.where(took, -1, result.sources),
        )
    with pytest.raises(AssertionError):
        check_run(result, truth, kinds, 1e-3)


# ---------------------------------------------------------------- a second implementation
def step_by_step(task, config, draw):
    """The definition, one step after the other: edge or None of each rollout, and all steps."""
    rates = task.model.rates()
    size = len(rates)
    law = np.cumsum(rates + np.diag(1 - rates.sum(axis=1)), axis=1)

    def step(x):
        return min(int(np.searchsorted(law[x], draw.random(), side="right")), size - 1)

    start = int(draw.integers(size))
    paths = []
    for _ in range(config.rollouts):
        path = [start]
        for _ in range(config.T_0):
            path.append(step(path[-1]))
        paths.append(path)
    if config.robust:
        shared = {x for x in range(size) if 2 * sum(x in p for p in paths) > config.rollouts}
    else:
        shared = {x for p in paths for x in p}
    edges, total = [], 0
    for path in paths:
        own, edge, t = set(shared), None, 0
        while edge is None and t < config.T_max:
            t += 1
            if t == len(path):
                path.append(step(path[-1]))
            x, y = path[t - 1], path[t]
            if y in own:
                continue
            back = False
            z = y
            for _ in range(config.T_1 or 0):
                z = step(z)
                total += 1
                if z in own:
                    back = True
                    break
            if back:
                own.add(y)
            else:
                edge = x, y
        edges.append(edge)
        total += max(t, config.T_0)
    return edges, total


@pytest.mark.parametrize("robust", [False, True])
def test_the_law_is_that_of_the_definition(robust):
    task, truth, _, _ = problem("ring", Fraction(1, 20), K=3, M=3)
    config = Config(
        rounds=1000, rollouts=2, T_0=3, T_max=17, robust=robust, T_1=4 if robust else None
    )
    draw = np.random.default_rng(11)
    plain = [step_by_step(task, config, draw) for _ in range(1000)]

    def agree(config):
        result = run(task, config, np.random.default_rng(12))
        R, N = config.rounds, config.rollouts
        edges = {e for found, _ in plain for e in found}
        mine = [
            [None if x < 0 else (x, y) for x, y in zip(*row, strict=True)]
            for row in zip(result.sources.tolist(), result.ends.tolist(), strict=True)
        ]
        # Shares of rounds in which rollout 0 records an edge: two samples of coins.
        limit = 2 * math.sqrt(math.log(4 / ALARM) / (2 * R))
        for edge in edges:
            shares = [
                sum(found[0] == edge for found in one) / R for one in (mine, [f for f, _ in plain])
            ]
            assert abs(shares[0] - shares[1]) <= limit, edge
        false = [
            sum(found[0] not in {*truth.sparse_edges, None} for found in one) / R
            for one in (mine, [f for f, _ in plain])
        ]
        assert abs(false[0] - false[1]) <= limit
        if not robust:
            steps = np.clip(result.times, 3, config.T_max).sum(axis=1)
            distance = stattest.two_sample_distance(steps, [t for _, t in plain])
            assert distance <= stattest.two_sample_limit(R, R, ALARM)
        mean = sum(t for _, t in plain) / R
        # Steps of a round are in [0, limit].
        most = N * (config.T_max + 5 * (config.T_1 or 0))
        assert abs(result.steps / R - mean) <= 2 * most * math.sqrt(math.log(4 / ALARM) / (2 * R))
        return result

    found = agree(config)
    assert found.tests > 0 if robust else found.tests == 0
    planted: tuple[dict[str, Any], ...] = {"T_max": 70}, {"T_1": 1} if robust else {"T_0": 9}
    for wrong in planted:
        with pytest.raises(AssertionError):
            agree(replace(config, **wrong))


def test_a_test_lasts_as_long_as_it_is_told_to():
    """From state 2, which is seldom entered, the way back takes two steps, always."""
    model = Chain.from_floats("abcd", [0, 0, 1, 2, 3], [1, 2, 0, 3, 0], [0.5, 1e-4, 0.5, 1.0, 1.0])
    given: dict[str, Any] = {"rounds": 30, "rollouts": 3, "T_0": 30, "T_max": 10**7}
    found = {
        T_1: run(
            Task(model, 0, (1,)), Config(**given, robust=True, T_1=T_1), np.random.default_rng(1)
        )
        for T_1 in (1, 2, 50)
    }
    inside = np.isin(found[1].starts, (0, 1))
    assert (found[1].ends[inside] == 2).all()
    assert found[1].test_steps == found[1].tests > 0
    for T_1 in (2, 50):
        assert found[T_1].edges == {}
        # From 0 or 1 a rollout takes state 2 in, two steps away, and then state 3; from 3 it finds
        # 3 itself one step behind 2; from 2 all states are seen.
        both, one = 3 * int(inside.sum()), 3 * int((found[1].starts == 3).sum())
        assert found[T_1].tests == 2 * both + one
        assert found[T_1].test_steps == 3 * both + one
    fresh = found[2].steps - found[2].test_steps
    assert fresh == 90 * 10**7


def test_no_rollout_outlives_its_limit():
    task, _, _, _ = problem("complete", "1e-3", K=3, M=3)
    result = run(task, Config(rounds=300, rollouts=2, T_0=5, T_max=400), np.random.default_rng(0))
    seen = result.times[np.isfinite(result.times)]
    assert seen.min() > 5
    assert seen.max() <= 400
    assert (np.isfinite(result.times) == (result.sources >= 0)).all()
    assert result.steps == sum(int(min(t, 400)) for t in result.times.ravel())
    assert np.isinf(result.times).any()


@pytest.mark.parametrize("epsilon", ["1e-5", "1e-4", "1e-3"])
@pytest.mark.parametrize("name", SIZES)
def test_robust_rounds_err_no_more_than_said(name, epsilon):
    task, truth, family, point = problem(name, epsilon, **SIZES[name])
    rounds, kinds = 300, cliques_of(family, point)
    limit = int(6 / Fraction(epsilon))
    config = Config(rounds, 5, 20, limit, True, 40)
    result = run(task, config, np.random.default_rng(8))
    pairs = zip(result.sources.tolist(), result.ends.tolist(), strict=True)
    wrong = sum(
        bool({e for e in zip(*row, strict=True) if e[0] >= 0} - truth.sparse_edges) for row in pairs
    )
    errs = theory.mistakes(kinds, 5, 20, 40)
    bound = float(sum(k.count * k.size * w for k, w in zip(kinds, errs, strict=True)))
    bound /= task.model.size
    assert wrong / rounds <= stattest.survival_band(min(bound, 1.0), rounds, ALARM)[1]
    assert bound < 0.05 or epsilon == "1e-3" or name == "unequal"
    # Without tests the same rounds err far more often than that.
    plain = run(task, replace(config, robust=False, T_1=None, T_0=2), np.random.default_rng(8))
    deceived = len(falsely(plain, truth))
    assert deceived > 0
    # Generated steps: every rollout is tested once, and sparse edges do not come back.
    low, high = search.predict(kinds, result.config).steps
    most = 5.0 * (limit + 40 * 10)  # as many tests as a cluster has states, twice
    band = [stattest.bounded_mean_band(m / rounds, most, rounds, ALARM) for m in (low, high)]
    assert band[0][0] <= result.steps / rounds <= band[1][1]
    assert result.tests >= np.isfinite(result.times).sum()


def test_large_clusters_are_not_measured(monkeypatch):
    monkeypatch.setattr(search, "MOST_BYTES", 2**15)
    task, truth, _, _ = problem("lazy-cycle/ring/gate", "1e-5", K=3, M=24)
    with pytest.raises(ChainError, match="too large to be measured"):
        measured(task.model, search.groups_of(truth.clusters))
    settings = Config(rounds=2, rollouts=1, T_0=3, T_max=9)
    result = run(task, settings, np.random.default_rng(0))
    assert search.report(task, truth, settings, result).told["predicted_steps"] is None
    # Cliques have few states that are unlike others.
    big, hidden, _, _ = problem("complete", "1e-5", K=2, M=24)
    (kind,) = measured(big.model, search.groups_of(hidden.clusters))
    assert kind.alike.sum() == 24 and len(kind.alike) < 5


# ---------------------------------------------------------------- what the algorithm sees
class Hidden:
    """Raises when anything of it is read."""

    def __getattribute__(self, name):
        raise AssertionError(f"the truth was read: {name}")


def test_the_search_uses_only_what_it_may_see():
    task, truth, _, _ = problem("ring", "1e-6", K=4, M=4)

    class Watched(Task):
        truth = Hidden()

        def __getattribute__(self, name):
            assert name in ("model", "start", "targets", "__class__", "__dict__"), name
            return super().__getattribute__(name)

    watched = Watched(task.model, task.start, task.targets)
    with pytest.raises(AssertionError, match="truth was read"):
        _ = Watched.__dict__["truth"].clusters
    found = run(watched, Config(queries=10), np.random.default_rng(3))
    assert set(found.edges) == truth.sparse_edges
    # Nor does it read names or the order of the states.
    turn = np.random.default_rng(4).permutation(task.model.size)
    moved = Chain.from_entries(
        [f"s{i}" for i in range(task.model.size)],
        ((int(turn[x]), int(turn[y]), p) for x, y, p in task.model.exact_entries()),
    )
    other = run(Task(moved, 0, (1,)), Config(), np.random.default_rng(3))
    assert set(other.edges) == {(turn[x], turn[y]) for x, y in truth.sparse_edges}


def test_a_run_is_repeated_by_its_seed():
    task, _, _, _ = problem("star", "1e-5", K=4, M=3)
    one, two, three = (run(task, Config(queries=5), np.random.default_rng(s)) for s in (1, 1, 2))
    assert (one.times == two.times).all()
    assert one.edges == two.edges
    assert one.answers is not None
    assert two.answers is not None
    assert (one.answers.times == two.answers.times).all()
    assert one.steps != three.steps


@pytest.mark.parametrize("name", ["ring", pytest.param("complete", marks=pytest.mark.slow)])
@pytest.mark.parametrize("robust", [False, True])
def test_all_sparse_edges_are_recovered(name, robust):
    """With the default plan a run fails with probability 1/100, and these seeds do not."""
    task, truth, _, _ = problem(name, "1e-6", K=16, M=16)
    config = Config(robust=robust, queries=400)
    seen = []
    result = run(task, config, np.random.default_rng(5), lambda done, of: seen.append((done, of)))
    assert seen[-1] == (result.config.rounds,) * 2
    told = search.report(task, truth, config, result).told
    assert told["edges_found"] == told["edges_true"] == len(truth.sparse_edges)
    assert told["missed"] == told["false"] == []
    assert len(told["found"]) == told["edges_found"]
    if not robust:
        assert told["missed_bound"] + told["false_bound"] <= 0.01
        low, high = told["predicted_steps_band"]
        assert low <= told["steps"] <= high
    assert told["steps"] == pytest.approx(told["predicted_steps"], rel=0.2)
    # The memory has been given every edge, so the answers come at the speed of epsilon_max.
    assert result.config.epsilon_max == Fraction(1, 160)
    assert result.memory is not None
    mean = mean_hitting_times(result.memory, task.targets)
    at, longest = mean.values[task.start], mean.values.max()
    low, high = stattest.mean_band(at, longest, 400, ALARM)
    assert low <= told["hitting_time"] <= high
    low, high = stattest.mean_band(at * 2, longest * 2, 400, ALARM)
    assert not low <= told["hitting_time"] <= high


# ---------------------------------------------------------------- where it fails
def test_large_epsilon_makes_false_edges_and_is_announced():
    task, truth, _, _ = problem("ring", "5e-3", K=4, M=8)
    result = run(task, Config(), np.random.default_rng(1))
    told = search.report(task, truth, Config(), result).told
    assert told["false"]
    assert told["false_bound"] > 0.5


def test_early_exits_deceive_the_set_and_not_the_vote():
    task, truth, _, _ = problem("ring", "5e-3", K=4, M=8)
    settings: dict[str, Any] = {"rounds": 100, "rollouts": 5, "T_0": 40, "T_max": 10**5}
    plain = run(task, Config(**settings), np.random.default_rng(2))
    robust = run(task, Config(**settings, robust=True, T_1=40), np.random.default_rng(2))
    assert len(falsely(plain, truth)) > 2 * len(truth.sparse_edges)
    # A test is wrong at times, as epsilon is large.
    assert sum(robust.edges[e] for e in falsely(robust, truth)) <= 2
    assert truth.sparse_edges <= set(robust.edges)


def test_slow_clusters_need_their_own_plan():
    """As long as a clique of that size takes, much of a cycle of 12 states has not been seen."""
    task, truth, _, _ = problem("lazy-cycle/ring/gate", "1e-7", K=3, M=12)
    clique = plan([Cliques(3, 12, 1, 2, Fraction(1, 10**7))], Fraction(1, 100))
    settings: dict[str, Any] = {
        "rounds": clique.rounds,
        "rollouts": clique.rollouts,
        "T_max": clique.T_max,
    }
    fooled = run(task, Config(**settings, T_0=clique.T_0), np.random.default_rng(1))
    assert len(falsely(fooled, truth)) > len(truth.sparse_edges)
    own = search.default_plan(task, Config())
    assert own.T_0 * own.rollouts > 4 * clique.T_0 * clique.rollouts
    assert own.missed + own.false <= Fraction(1, 100)
    result = run(task, Config(), np.random.default_rng(1))
    assert set(result.edges) == truth.sparse_edges
    # Tests save the short T_0, at the price of many of them.
    tested = Config(**settings, T_0=clique.T_0, robust=True, T_1=own.T_0 * own.rollouts)
    saved = run(task, tested, np.random.default_rng(1))
    assert set(saved.edges) == truth.sparse_edges
    assert saved.tests > 2 * saved.sources.size


def with_hidden_rooms(task, share):
    """Every cluster gets one more state, entered with a small probability from its state 1."""
    model = task.model
    entries = list(model.exact_entries())
    count = model.size
    doors = [x for x in range(count) if x % 4 == 1]
    names = [*model.states, *(f"room-{x}" for x in doors)]
    scale = {x: 1 - share for x in doors}
    moved = [(x, y, p * scale.get(x, Fraction(1))) for x, y, p in entries]
    for room, x in enumerate(doors, start=count):
        moved += [(x, room, share), (room, x, Fraction(1, 2))]
    return Task(Chain.from_entries(names, moved), task.start, task.targets), doors


def test_decoys_deceive_the_set_and_not_the_tests():
    """A decoy: an edge as rare as a sparse one, to a state of the same cluster."""
    task, truth, _, _ = problem("ring", "1e-6", K=4, M=4)
    hidden, doors = with_hidden_rooms(task, Fraction(1, 10**5))
    settings: dict[str, Any] = {"rounds": 60, "rollouts": 3, "T_0": 40, "T_max": 10**8}
    decoys = {(x, task.model.size + room) for room, x in enumerate(doors)}
    plain = run(hidden, Config(**settings), np.random.default_rng(3))
    assert falsely(plain, truth) & decoys
    robust = run(hidden, Config(**settings, robust=True, T_1=120), np.random.default_rng(3))
    assert set(robust.edges) == truth.sparse_edges
    assert robust.tests > robust.sources.size
    # A test that is too short decides nothing.
    short = run(hidden, Config(**settings, robust=True, T_1=1), np.random.default_rng(3))
    assert falsely(short, truth)


def test_decoys_between_states_that_are_seen_deceive_neither():
    task, truth, _, _ = problem("clique/ring/decoy", "1e-6", K=4, M=6, delta="1e-6")
    model = task.model
    pairs = zip(
        model.source.tolist(), model.target.tolist(), model.probability.tolist(), strict=True
    )
    rare = {(x, y) for x, y, p in pairs if p < 1e-3}
    # In this clique the decoy only adds to an edge there is; a threshold sees no difference.
    assert truth.sparse_edges <= rare
    settings: dict[str, Any] = {"rounds": 120, "rollouts": 3, "T_0": 60, "T_max": 10**8}
    robust: dict[str, Any] = {"robust": True, "T_1": 100}
    for more in ({}, robust):
        result = run(task, Config(**settings, **more), np.random.default_rng(4))
        assert set(result.edges) == truth.sparse_edges


def test_clusters_of_clusters_are_told_apart_by_the_length_of_the_test():
    task, truth, _, _ = problem("nested/ring/gate", "1e-8", K=3, K_1=3, M=3, epsilon_1="1e-3")
    settings: dict[str, Any] = {"rounds": 40, "rollouts": 3, "T_0": 60, "T_max": 10**10}
    fooled = run(task, Config(**settings), np.random.default_rng(5))
    assert falsely(fooled, truth)
    inner = run(task, Config(**settings, robust=True, T_1=100), np.random.default_rng(5))
    assert falsely(inner, truth)
    outer = run(task, Config(**settings, robust=True, T_1=10**5), np.random.default_rng(5))
    assert set(outer.edges) == truth.sparse_edges


def test_unequal_clusters_need_the_time_of_the_largest():
    sizes = {"K_1": 3, "K_2": 1, "M_1": 3, "M_2": 20}
    task, truth, family, point = problem("unequal", "1e-8", **sizes)
    small = Cliques(4, 3, 1, 3, Fraction(1, 10**8))
    short = plan([small], Fraction(1, 100))
    settings: dict[str, Any] = {
        "rounds": short.rounds,
        "rollouts": short.rollouts,
        "T_0": short.T_0,
    }
    fooled = run(task, Config(**settings, T_max=10**10), np.random.default_rng(6))
    assert falsely(fooled, truth)
    right = plan(cliques_of(family, point), Fraction(1, 100))
    assert right.T_0 * right.rollouts > 4 * short.T_0 * short.rollouts
    result = run(task, Config(), np.random.default_rng(6))
    assert set(result.edges) == truth.sparse_edges


# ---------------------------------------------------------------- settings and reports
@pytest.mark.parametrize(
    "wrong, message",
    [
        ({"rounds": 0}, "rounds = 0 is out of range"),
        ({"T_0": 5, "T_max": 5}, "leaves no step after T_0"),
        ({"delta": Fraction(1)}, "delta = 1 is out of range"),
        ({"epsilon_max": Fraction(2)}, "epsilon_max = 2 is out of range"),
        ({"queries": 1}, "ask for none, or for 2 or more"),
        ({"robust": True, "T_1": 0}, "T_1 = 0 is out of range"),
        ({"rounds": 10**9}, "do not fit into memory; take at most 10000000 rollouts"),
        ({"T_0": 10**9, "T_max": 10**10}, "at most 100000000 steps in a round"),
        ({"queries": 10**12}, "queries are too many"),
    ],
)
def test_wrong_settings_are_refused(wrong, message):
    task, _, _, _ = problem("complete", "1e-6", K=3, M=3)
    given: dict[str, Any] = {"rounds": 3, "rollouts": 1, "T_0": 4, "T_max": 50}
    with pytest.raises(ChainError, match=message):
        run(task, Config(**{**given, **wrong}), np.random.default_rng(0))


def test_a_model_without_clusters_needs_settings():
    model = Chain.from_floats("abc", [0, 1, 2], [1, 2, 0], [0.5, 0.5, 0.5])
    task = Task(model, 0, (1,))
    with pytest.raises(ChainError, match="no clusters to plan a search for"):
        run(task, Config(), np.random.default_rng(0))
    settings: dict[str, Any] = {"rounds": 3, "rollouts": 2, "T_0": 40, "T_max": 80}
    assert run(task, Config(**settings), np.random.default_rng(0)).edges == {}


def test_a_part_without_exit_holds_its_rollouts():
    """Two halves, the second of which cannot be left."""
    model = Chain.from_floats("abcd", [0, 1, 2, 3, 1], [1, 0, 3, 2, 2], [0.5, 0.5, 0.5, 0.5, 1e-4])
    config = Config(rounds=40, rollouts=2, T_0=40, T_max=10**6)
    result = run(Task(model, 0, (3,)), config, np.random.default_rng(1))
    assert set(result.edges) == {(1, 2)}
    assert np.isinf(result.times[result.starts >= 2]).all()


def test_a_report_needs_no_truth():
    task, truth, _, _ = problem("ring", "1e-6", K=4, M=4)
    config = Config(queries=20)
    result = run(task, config, np.random.default_rng(1))
    blind = search.report(task, None, config, result)
    full = search.report(task, truth, config, result)
    assert blind.told["edges_true"] is None
    assert blind.told["edges_found"] == full.told["edges_found"] == 8
    assert blind.told["predicted_steps"] == pytest.approx(full.told["predicted_steps"])
    names = {name for pair in full.told["found"] for name in pair}
    assert names <= set(task.model.states)
    gone = Truth(truth.clusters, truth.sparse_edges | {(0, 9)})
    assert search.report(task, gone, config, result).told["missed"] == [
        [task.model.states[0], task.model.states[9]]
    ]
    less = Truth(truth.clusters, frozenset(sorted(truth.sparse_edges)[1:]))
    assert len(search.report(task, less, config, result).told["false"]) == 1
    for one in (blind, full):
        figure = one.figure()
        assert figure.axes[0].get_xlabel() == "generated steps"
    assert json.loads(json.dumps(full.told)) == full.told


@pytest.mark.parametrize("near", [1, 2, 36, 37, 38, 64, 10**6])
@pytest.mark.parametrize("first", [1, 2, 37, 50])
def test_the_least_number_is_found_from_any_guess(first, near):
    asked = []

    def enough(n):
        asked.append(n)
        return n >= 37

    assert _least(enough, first, near) == max(37, first)
    assert min(asked) >= first
