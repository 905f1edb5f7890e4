"""R7: learners by what they may see: the bounds they are held to, and the run with its report.

Statistical checks take their false-alarm rates from one budget; the seeds are fixed.
"""

import itertools
import json
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from numerics.algorithms.learners import edges_by_weight
from numerics.algorithms.limits import (
    LEARNERS,
    SEARCHES,
    Config,
    capital,
    draw,
    growth,
    interval,
    measure,
    report,
    run,
    search,
    segments,
)
from numerics.chain import ChainError
from numerics.stattest import Budget
from theory.domain import evaluate
from theory.results.limits import LEVELS, ambiguous, claims

BUDGET = Budget(1e-7)
ALARM = 2e-10
F = Fraction


# ---------------------------------------------------------------- the run
def test_capital_is_fair_and_grows_where_the_claim_is_false():
    """Its expectation over all outcomes of eight coins is 1, so Markov's inequality applies."""
    for m in (0.2, 0.5, 0.9):
        total = np.zeros(2)
        for outcome in itertools.product((0.0, 1.0), repeat=8):
            ones = sum(outcome)
            chance = m**ones * (1 - m) ** (8 - ones)
            total += chance * np.ravel(capital(np.array(outcome), np.array([m])))
        assert total == pytest.approx([1, 1])
    more, less = capital(np.full(60, 0.9), np.array([0.5]))
    assert more[0] > 1 / ALARM  # nothing is drawn, so nothing is spent
    assert less[0] < 1
    low, high = interval(np.full(40, 0.5), 0.05)
    assert low < 0.5 < high
    assert high - low < 0.2
    assert interval(np.ones(40), 0.05)[1] == 1


def beats(measured):
    """Whether accuracies show a mean above the bound, at a false-alarm rate from the budget."""
    if measured.bound >= 1:
        return False
    values, bound = np.array(measured.accuracies), np.array([measured.bound])
    return bool(capital(values, bound)[0][0] >= 1 / BUDGET.spend(ALARM))


@pytest.mark.parametrize(
    ("group", "lengths", "steps"),
    [
        ("cyclic-2", (2, 6, 8), 4),
        ("cyclic-3", (2, 6), 2),
        ("symmetric-3", (2, 5), 1),
        ("bits-2", (2, 5), 1),
    ],
)
def test_no_local_learner_beats_chance_by_more_than_its_bound(group, lengths, steps):
    config = Config(
        group, lengths, steps=steps, queries=steps, tolerance=F(12, 25), replicates=30, aside=0
    )
    rng = np.random.default_rng(20)
    bounded = 0
    for length in lengths:
        for access in ("none", "path", "neighbourhood"):
            for learner in LEARNERS:
                found = measure(config, access, learner, length, 1, rng)
                assert not beats(found)
                bounded += found.bound < 0.8
    assert bounded >= 9


def held(config, seed):
    """How many of the bounds below 1 of a whole run were held to; all learners, all accesses."""
    result = run(config, np.random.default_rng(seed))
    every = [*result.by_length, *result.by_radius, *(m for _, m in result.by_decoys)]
    assert not any(map(beats, every))
    return sum(m.bound < 1 for m in every)


def test_no_local_learner_beats_its_bound_in_a_run():
    config = Config(
        lengths=(1, 3, 8), clusters=(2,), replicates=20, steps=4, queries=4, tolerance=F(2, 5)
    )
    assert held(config, 24) > 15


@pytest.mark.slow
def test_no_local_learner_beats_its_bound_in_the_default_run():
    assert held(replace(Config(), clusters=(2,), lengths=tuple(range(1, 11))), 28) > 10


@pytest.mark.slow
def test_no_local_learner_beats_its_bound_at_fourteen():
    config = Config(lengths=(14,), replicates=40, aside=1)
    rng = np.random.default_rng(21)
    for access in ("path", "neighbourhood"):
        for learner in LEARNERS:
            found = measure(config, access, learner, 14, 1, rng)
            assert found.bound < 0.54
            assert not beats(found)


def test_a_learner_that_peeks_is_seen():
    """Planted: the neighbourhood of a radius that tells all, held to the bound of the path."""
    config = Config(lengths=(8,), steps=4, tolerance=F(2, 5), replicates=60)
    rng = np.random.default_rng(22)
    honest = measure(config, "path", "hidden", 8, 1, rng)
    peeking = measure(config, "neighbourhood", "linear", 8, config.falls, rng)
    assert honest.bound < 0.7
    assert not beats(honest)
    assert beats(replace(honest, accuracies=peeking.accuracies))


def test_the_barrier_falls_with_the_radius_and_not_before():
    config = Config(
        lengths=(9,), gaps=(6, 8), replicates=12, queries=8, tolerance=F(2, 5), steps=16
    )
    rng = np.random.default_rng(23)
    by_radius = {r: measure(config, "neighbourhood", "asking", 9, r, rng) for r in range(5)}
    assert [m.dimension for m in by_radius.values()] == [2**9, 2**9, 2**9, 2**4, 1]
    assert by_radius[2].mean < 0.8
    assert by_radius[4].accuracies == (1.0,) * 12
    finer = replace(config, tolerance=F(1, 10))
    for learner in LEARNERS:
        found = measure(finer, "neighbourhood", learner, 9, config.falls, rng)
        assert found.accuracies == (1.0,) * 12
    enough = replace(config, queries=2**4)
    assert measure(enough, "neighbourhood", "asking", 9, 3, rng).accuracies == (1.0,) * 12


def test_what_is_drawn():
    config = Config()
    rng = np.random.default_rng(5)
    for _ in range(30):
        given = draw(config, "none", 3, 1, rng)
        assert len(given.acts) == 5
        assert sum(given.acts) <= 3
        given = draw(config, "neighbourhood", 6, 3, rng)
        assert all(k is None or k == a for k, a in zip(given.known, given.acts, strict=True))
        assert sum(k is None for k in given.known) == len(ambiguous(config.gaps_of(6), 3))
    assert segments([True, True, None, False, True, None, None]) == [(0, 1), (2,), (4,), (5,), (6,)]
    assert segments([False, False]) == []


def test_without_decoys_every_learner_with_the_path_is_exact():
    """The barrier stands on the decoys alone: 2^d for d candidates that may be decoys."""
    config = Config(lengths=(8,), replicates=10, tolerance=F(1, 10), queries=16, steps=30)
    rng = np.random.default_rng(25)
    for learner in LEARNERS:
        found = measure(config, "path", learner, 8, -1, rng, 0)
        assert found.dimension == 1
        assert found.accuracies == (1.0,) * 10
    asked = [measure(config, "path", "asking", 8, -1, rng, d) for d in (4, 8)]
    assert [m.dimension for m in asked] == [2**4, 2**8]
    assert asked[0].accuracies == (1.0,) * 10
    assert asked[1].mean < 0.8


@pytest.mark.parametrize("group", ["cyclic-2", "symmetric-3", "symmetric-5", "quaternion"])
def test_whoever_reads_the_graph_is_exact(group):
    config = Config(group, (1,), aside=0)
    rng = np.random.default_rng(6)
    for clusters in (2, 3, 5, 8, 16, 64) if group == "symmetric-3" else (2, 5, 8):
        found = search(config, "reading", clusters, rng)
        assert found.exact == 1
        assert found.length == 2 * (clusters - 1)
        most = claims()["size"].upper
        assert found.operations == found.transitions
        assert found.transitions <= evaluate(most, {"L": F(found.length), "s": F(1), "D": F(8)})


def searched(group, counts, seed):
    """Rollouts with a plan that fails with probability delta, spent for each chain."""
    delta = F(1, 10**9)
    config = Config(group, (1,), aside=0, epsilon=F(1, 10**16), delta=delta)
    rng = np.random.default_rng(seed)
    found = []
    for clusters in counts:
        BUDGET.spend(float(delta))
        found.append(search(config, "search", clusters, rng))
        assert found[-1].exact == 1
    return found


@pytest.mark.parametrize("group", ["cyclic-3", "symmetric-4"])
def test_whoever_searches_by_rollouts_is_exact(group):
    searched(group, (2, 3, 4), 26)


@pytest.mark.slow
def test_search_is_exact_and_polynomial_up_to_64_clusters():
    """Steps count as K log^2 K clusters' worth, times their size: an exponent between 1 and 3."""
    found = searched("symmetric-3", (4, 8, 16, 32, 64), 27)
    assert 1 < growth([s.clusters for s in found], [s.operations for s in found]) < 3


def test_the_exponent_of_growth():
    assert growth((2, 4, 8, 64), [3 * k**2 for k in (2, 4, 8, 64)]) == pytest.approx(2)
    assert growth((2, 4), [10**30, 2 * 10**30]) == pytest.approx(1)
    config = Config(lengths=(1,), aside=0)
    read = [search(config, "reading", k, np.random.default_rng(1)) for k in (8, 16, 32)]
    # states times clusters, each proportional to K
    assert 1.8 < growth((8, 16, 32), [s.operations for s in read]) < 2.2


def test_without_a_plan_the_search_says_what_to_do():
    with pytest.raises(ChainError, match="epsilon = 1/5 is too large") as failure:
        search(Config(epsilon=F(1, 5)), "search", 3, np.random.default_rng(1))
    assert "\n" not in str(failure.value)


def test_an_epsilon_without_a_plan_is_refused_before_any_learner_runs():
    done = []
    with pytest.raises(ChainError, match="epsilon = 1/5 is too large"):
        run(Config(epsilon=F(1, 5)), np.random.default_rng(1), lambda n, of: done.append((n, of)))
    assert not done


def edges(task):
    return edges_by_weight(task, np.random.default_rng(0))


@pytest.mark.parametrize("learner", SEARCHES)
def test_a_search_that_misses_an_edge_is_seen(learner):
    config = Config("cyclic-3", (1,))
    rng = np.random.default_rng(7)
    exact = [
        search(config, learner, 5, rng, lambda task, r: frozenset(sorted(edges(task))[1:])).exact
        for _ in range(5)
    ]
    assert min(exact) < 1


SMALL = Config(
    lengths=(1, 2, 5), replicates=6, clusters=(2, 4), steps=5, queries=4, gaps=(4,), aside=1
)


def test_a_run_is_told_in_full_and_depends_on_the_seed_alone():
    seen = []
    results = [
        run(SMALL, np.random.default_rng(9), lambda done, total: seen.append((done, total)))
        for _ in range(2)
    ]
    told = [report(r).told for r in results]
    for one in told:
        for line in one["accuracy"]["graph"]:
            assert line.pop("seconds") >= 0
        assert {line.pop("seconds") != 0 for line in one["growth"].values()} == {True}
    assert told[0] == told[1]
    assert json.loads(json.dumps(told[0])) == told[0]
    assert set(told[0]["dimension"]) == set(told[0]["accuracy"]) == set(LEVELS)
    assert told[0]["dimension"]["none"] == {"1": 3, "2": 7, "5": 63}
    assert told[0]["dimension"]["path"] == {"1": 2, "2": 4, "5": 32}
    assert set(told[0]["dimension"]["graph"].values()) == {1}
    graph = told[0]["accuracy"]["graph"]
    assert [(line["learner"], line["clusters"]) for line in graph] == [
        (learner, k) for k in (2, 4) for learner in SEARCHES
    ]
    assert all(line["mean"] == 1 for line in graph)
    assert {(line["decoys"], line["dimension"]) for line in told[0]["decoys"]} == {
        (d, 2**d) for d in (0, 2, 4, 5)
    }
    for access in ("none", "path", "neighbourhood"):
        lines = told[0]["accuracy"][access]
        assert [(m["learner"], m["length"]) for m in lines] == [
            (learner, n) for n in (1, 2, 5) for learner in LEARNERS
        ]
        assert all(m["low"] <= m["mean"] <= m["high"] for m in lines)
    half = len(seen) // 2
    assert seen[:half] == [(i + 1, half) for i in range(half)]
    rows = dict(report(results[0]).rows)
    assert rows["group"] == "cyclic-2"
    assert any(name.startswith("graph, search, K = 4") for name in rows)


def test_the_figure_is_drawn():
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    drawn = report(run(SMALL, np.random.default_rng(9))).figure()
    assert [axes.get_xlabel() for axes in drawn.axes] == [
        "$L$",
        "radius $r$, $L = 5$",
        "possible decoys, path, $L = 5$",
    ]
    legend = drawn.axes[0].get_legend()
    assert legend is not None
    assert len(legend.get_texts()) >= 4
    plt.close(drawn)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"group": "cyclic-1"}, "out of range"),
        ({"group": "nothing"}, "unknown group"),
        ({"lengths": ()}, "lengths"),
        ({"lengths": (40,)}, "too long"),
        ({"group": "symmetric-5", "lengths": (3,)}, "at most 2"),
        ({"gaps": (0,)}, "gaps"),
        ({"radius": -1}, "radius"),
        ({"steps": 0}, "steps"),
        ({"queries": 0}, "queries"),
        ({"tolerance": F(1, 2)}, "tolerance"),
        ({"epsilon": F(1, 2)}, "epsilon"),
        ({"clusters": (1,)}, "clusters"),
        ({"clusters": (10**6,)}, "up to 128"),
        ({"gaps": (65,)}, "gaps up to 64"),
        ({"radius": 10**8}, "all is seen from 4 on"),
        ({"delta": F(1)}, "delta"),
        ({"width": 10**7}, "up to 10000"),
        ({"replicates": 10**9}, "up to 10000"),
    ],
)
def test_settings_out_of_range_are_refused(change, reason):
    with pytest.raises(ChainError, match=reason) as failure:
        Config(**change)
    assert "\n" not in str(failure.value)
