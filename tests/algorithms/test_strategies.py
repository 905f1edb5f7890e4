"""Best of n, restarts and beams: their laws, and runs of them.

False alarms: each random check alarms with probability at most ALARM, and there are fewer than 100
of them in this file, so that all together do with less than 1e-8.
"""

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest

from numerics import stattest
from numerics.algorithms.strategies import (
    Law,
    beam,
    best_of,
    best_restart,
    clusters_within,
    expected_minimum,
    restart_mean,
    restarts,
)
from numerics.algorithms.task import Task, of_family
from numerics.chain import Chain, ChainError
from numerics.elimination import mean_hitting_times
from theory.catalogue import load

ALARM = 1e-10
FALSE_ALARMS = 1e-8  # of all random checks here

SIZES = {
    "complete": {"K": 4, "M": 3},
    "ring": {"K": 6, "M": 3, "d": 1},
    "path": {"K": 4, "M": 3},
    "star": {"K": 4, "M": 3},
    "unequal": {"K_1": 2, "K_2": 2, "M_1": 3, "M_2": 5},
}
FAR = {**SIZES, "ring": {"K": 6, "M": 3, "d": 3}}


def problem(name, epsilon, sizes):
    family = load(name)
    given = {k: Fraction(v) for k, v in sizes.items()}
    point = family.domain.complete({**given, "epsilon": Fraction(epsilon)})
    return of_family(family, point)


def law_of(task):
    law, place = Law.of_hitting(task.model, task.targets)
    return law, int(place[task.start])


def small_law():
    model = Chain.from_entries(
        "abcd",
        [
            (0, 1, Fraction(1, 2)),
            (1, 0, Fraction(1, 3)),
            (1, 2, Fraction(1, 5)),
            (2, 1, Fraction(1, 7)),
            (2, 3, Fraction(1, 11)),
            (3, 0, Fraction(1)),
        ],
    )
    return Task(model, 0, (3,))


def exactly(task, steps):
    """P(tau > t) for t = 0, ..., steps, exactly."""
    size = task.model.size
    rows = [[Fraction(0)] * size for _ in range(size)]
    for x, y, p in task.model.exact_entries():
        rows[x][y] = p
    for x in range(size):
        rows[x][x] = 1 - sum(rows[x], Fraction(0))
    at = [Fraction(int(x == task.start)) for x in range(size)]
    found = [Fraction(1)]
    for _ in range(steps):
        for goal in task.targets:
            at[goal] = Fraction(0)
        at = [sum((at[x] * rows[x][y] for x in range(size)), Fraction(0)) for y in range(size)]
        left = (p for x, p in enumerate(at) if x not in task.targets)
        found.append(sum(left, Fraction(0)))
    return found


def test_the_law_is_exact():
    task = small_law()
    law, place = law_of(task)
    alive = exactly(task, 70)
    for t in (0, 1, 2, 3, 7, 31, 70):
        gone, mean = law.within(t)
        assert law.survival(t)[place] == pytest.approx(float(alive[t]), rel=1e-13)
        assert gone[place].sum() == pytest.approx(float(1 - alive[t]), rel=1e-13)
        assert mean[place] == pytest.approx(float(sum(alive[:t])), rel=1e-13)
    assert law.within(2**300)[1][place] == pytest.approx(
        mean_hitting_times(task.model, task.targets).values[0], rel=1e-13
    )
    assert not law.survival(2**300).any()


@pytest.mark.parametrize("epsilon", ["1e-4", "1e-8", "1e-12"])
def test_the_law_keeps_its_accuracy_at_any_epsilon(epsilon):
    task, _ = problem("ring", epsilon, SIZES["ring"])
    law, place = law_of(task)
    exact = mean_hitting_times(task.model, task.targets).values[task.start]
    assert law.within(2**80)[1][place] == pytest.approx(exact, rel=1e-9)


# ---------------------------------------------------------------- best of n
def product_mean(task, walkers):
    """Mean time of the first of n walkers: the hitting time of the product chain."""
    rates = task.model.rates()
    law = rates + np.diag(1 - rates.sum(axis=1))
    states = list(itertools.product(range(len(law)), repeat=walkers))
    number = {s: i for i, s in enumerate(states)}
    source, target, value = [], [], []
    for s in states:
        for u in states:
            p = math.prod(law[a, b] for a, b in zip(s, u, strict=True))
            if p and s != u:
                source.append(number[s])
                target.append(number[u])
                value.append(p)
    chain = Chain.from_floats(map(str, range(len(states))), source, target, value)
    goals = [i for s, i in number.items() if set(s) & set(task.targets)]
    return mean_hitting_times(chain, goals).values[number[(task.start,) * walkers]]


@pytest.mark.parametrize("walkers", [1, 2, 3])
def test_the_first_of_n_walkers_is_that_of_the_product_chain(walkers):
    task = small_law()
    law, place = law_of(task)
    low, high = expected_minimum(law, place, walkers)
    exact = product_mean(task, walkers)
    assert low * (1 - 1e-9) <= exact <= high * (1 + 1e-9)
    assert high - low < 1e-8 * exact
    assert not low * 0.99 <= exact * 1.02 <= high * 1.01


@pytest.mark.parametrize("name", SIZES)
@pytest.mark.parametrize("epsilon", ["1e-6", "1e-4", "1e-3"])
def test_best_of_n_agrees_with_its_formula(name, epsilon):
    task, _ = problem(name, epsilon, SIZES[name])
    law, place = law_of(task)
    n = 4
    low, high = expected_minimum(law, place, n)
    assert high - low < 5e-3 * low
    runs = best_of(task, n, 4000, np.random.default_rng(1))
    assert (runs.work == n * runs.times).all()
    alive = law.survival
    for t in (int(high / 3), int(high)):
        exact = float(alive(t)[place]) ** n
        least, most = stattest.survival_band(exact, 4000, ALARM)
        assert least <= (runs.times > t).mean() <= most
        planted = float(alive(t)[place]) ** (n - 2)
        least, most = stattest.survival_band(planted, 4000, ALARM)
        assert not least <= (runs.times > t).mean() <= most
    limit = int(6 * high)
    mean = _truncated(law, place, n, limit)
    band = [stattest.bounded_mean_band(m, limit, 4000, ALARM) for m in mean]
    assert band[0][0] <= np.minimum(runs.times, limit).mean() <= band[1][1]


def _truncated(law, place, walkers, limit):
    """Bounds of E[min(tau_1, ..., tau_n, limit)], from 400 values of the law."""
    grid = [int(limit * k / 400) for k in range(401)]
    alive = [float(law.survival(t)[place]) ** walkers for t in grid]
    gaps = np.diff(grid)
    return float((gaps * alive[1:]).sum()), min(float((gaps * alive[:-1]).sum()), limit)


def test_the_gain_of_n_walkers_is_that_of_the_shape_of_the_law():
    """n walkers are n times as fast on the complete graph, less between opposite clusters."""
    epsilon, n = "1e-6", 8
    ratio = {}
    for name in ("complete", "ring"):
        task, _ = problem(name, epsilon, FAR[name])
        law, place = law_of(task)
        mean = mean_hitting_times(task.model, task.targets).values[task.start]
        ratio[name] = n * expected_minimum(law, place, n)[1] / mean
    task, _ = problem("ring", epsilon, {"K": 20, "M": 3, "d": 1})
    law, place = law_of(task)
    mean = mean_hitting_times(task.model, task.targets).values[task.start]
    near = n * expected_minimum(law, place, n)[1] / mean
    assert ratio["complete"] == pytest.approx(1, abs=2e-3)
    assert ratio["ring"] > 1.5
    assert near < 0.9


# ---------------------------------------------------------------- restarts
def test_the_mean_with_restarts_is_that_of_the_chain_with_a_clock():
    task = small_law()
    law, place = law_of(task)
    step = {(x, y): p for x, y, p in task.model.exact_entries()}
    for x in range(3):
        step[x, x] = 1 - sum((p for (a, _), p in step.items() if a == x), Fraction(0))
    for limit in (3, 4, 9):
        # State (x, t) has the number x limit + t, and t returns to 0 with x at the start.
        moves: dict[tuple[int, int], Fraction] = {}
        for t, (x, y) in itertools.product(range(limit), step):
            if x < 3 and step[x, y]:
                on = y * limit + t + 1 if t + 1 < limit else 0
                pair = x * limit + t, 3 * limit if y == 3 else on
                moves[pair] = moves.get(pair, Fraction(0)) + step[x, y]
        size = 3 * limit + 1
        rows = ((a, b, p) for (a, b), p in moves.items() if a != b)
        seen = Chain.from_entries(map(str, range(size)), rows).reachable_part(0)
        exact = mean_hitting_times(seen, [seen.states.index(str(3 * limit))]).values[0]
        assert restart_mean(law, place, limit) == pytest.approx(exact, rel=1e-12)
        assert restart_mean(law, place, limit + 1) != pytest.approx(exact, rel=1e-3)
    assert restart_mean(law, place, 2) == math.inf


@pytest.mark.parametrize("name", SIZES)
@pytest.mark.parametrize("epsilon", ["1e-6", "1e-4", "1e-3"])
def test_restarts_agree_with_their_formula(name, epsilon):
    task, _ = problem(name, epsilon, SIZES[name])
    law, place = law_of(task)
    mean = mean_hitting_times(task.model, task.targets).values[task.start]
    limit = int(mean / 2)
    runs = restarts(task, limit, 3000, np.random.default_rng(2))
    hit = float(law.within(limit)[0][place].sum())
    # The number of attempts is geometric, and the last of them ends within the limit.
    for attempts in (1, 3):
        exact = (1 - hit) ** attempts
        least, most = stattest.survival_band(exact, 3000, ALARM)
        assert least <= (runs.times > attempts * limit).mean() <= most
        least, most = stattest.survival_band(exact * 0.5, 3000, ALARM)
        assert not least <= (runs.times > attempts * limit).mean() <= most
    # Attempts of `limit` steps make it at least geometric: a time of mean m, at most that on start.
    exact = restart_mean(law, place, limit)
    longest = exact + limit
    least, most = stattest.mean_band(exact, longest, 3000, ALARM)
    assert least <= runs.times.mean() <= most
    least, most = stattest.mean_band(exact * 1.7, longest * 1.7, 3000, ALARM)
    assert not least <= runs.times.mean() <= most


def test_restarts_help_where_a_walk_may_go_astray():
    near, _ = problem("ring", "1e-6", {"K": 20, "M": 3, "d": 1})
    law, place = law_of(near)
    mean = mean_hitting_times(near.model, near.targets).values[near.start]
    limit, best = best_restart(law, place)
    assert best < mean / 2
    assert restart_mean(law, place, limit) == best
    # Without memory there is nothing to gain: the complete graph has exponential times.
    plain, _ = problem("complete", "1e-6", FAR["complete"])
    law, place = law_of(plain)
    mean = mean_hitting_times(plain.model, plain.targets).values[plain.start]
    assert best_restart(law, place)[1] == pytest.approx(mean, rel=1e-3)


# ---------------------------------------------------------------- beams
@pytest.mark.parametrize("name", FAR)
@pytest.mark.parametrize("epsilon", ["1e-9", "1e-6", "1e-3"])
def test_a_beam_crosses_when_it_is_wider_than_what_is_likelier(name, epsilon):
    task, truth = problem(name, epsilon, FAR[name])
    label = np.array(truth.clusters)
    distance = clusters_within(task.model, label, task.start)
    (target,) = task.targets
    r = int(distance[label[target]])
    sizes = np.bincount(label)
    inner, ball = int(sizes[distance < r].sum()), int(sizes[distance <= r].sum())
    rng = np.random.default_rng(3)
    wide = beam(task, ball, 200, rng)
    assert wide.steps is not None
    narrow = beam(task, inner, 2000, rng)
    assert narrow.steps is None
    assert narrow.work > 2000
    # As wide as the chain, it takes the shortest path.
    widest = beam(task, task.model.size, 200, rng)
    assert widest.steps == shortest(task)
    assert widest.steps is not None
    assert wide.steps >= widest.steps


def shortest(task):
    seen, edge, steps = {task.start}, {task.start}, 0
    after: dict[int, set[int]] = {}
    for x, y in zip(task.model.source.tolist(), task.model.target.tolist(), strict=True):
        after.setdefault(x, set()).add(y)
    while not seen & set(task.targets):
        edge = {y for x in edge for y in after[x]} - seen
        seen |= edge
        steps += 1
    return steps


def test_a_beam_of_one_follows_the_likeliest_path():
    model = Chain.from_floats("abcd", [0, 0, 1, 2], [1, 2, 3, 3], [0.6, 0.4, 0.9, 1.0])
    rng = np.random.default_rng(0)
    assert beam(Task(model, 0, (3,)), 1, 9, rng).steps == 2
    assert beam(Task(model, 0, (2,)), 1, 9, rng).steps is None
    assert beam(Task(model, 0, (2,)), 2, 9, rng).steps == 1
    assert beam(Task(model, 3, (3,)), 1, 9, rng).steps == 0


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda task, rng: best_of(task, 0, 5, rng), "ask for 1 or more"),
        (lambda task, rng: restarts(task, 0, 5, rng), "leaves no step"),
        (lambda task, rng: restarts(task, 1, 5, rng, most_attempts=50), "allow more steps"),
        (lambda task, rng: beam(task, 0, 5, rng), "keeps no state"),
    ],
)
def test_wrong_settings_are_refused(call, message):
    with pytest.raises(ChainError, match=message):
        call(small_law(), np.random.default_rng(0))
