"""One compute budget: when each way pays for itself, in closed form, predicted and run.

False alarms: each random check alarms with probability at most ALARM, and there are fewer than 200
of them in this file.
"""

import itertools
import json
import math
from dataclasses import replace
from fractions import Fraction
from functools import cache
from typing import Any

import numpy as np
import pytest
import sympy
from scipy import stats

from numerics import elimination
from numerics.algorithms import budget, ppo, search
from numerics.algorithms.budget import Config, Fitted, homeward
from numerics.algorithms.pretrain import rows
from numerics.algorithms.task import Task, of_family
from numerics.chain import Chain, ChainError
from numerics.stattest import bounded_mean_band, mean_band
from theory import checker
from theory.catalogue import derivation, load
from theory.claims import NoClaim
from theory.domain import evaluate
from theory.results import budget as theory
from theory.results.budget import Cost, break_even
from theory.results.distillation import JUMPS
from theory.results.policy_gradient import mass_after, updates_to
from theory.results.search import cliques_of, plan

ALARM = 1e-10
FALSE_ALARMS = 2e-8  # of all random checks here

FAMILIES = ["complete", "ring", "path", "star"]
ALIKE = ["complete", "ring", "star", "clique/torus-3/gate"]
EPSILONS = [Fraction(1, 10**k) for k in (6, 8, 10)]
SIZES: dict = {"K": 4, "M": 6, "K_1": 2, "K_2": 2, "M_1": 3, "M_2": 9, "delta": Fraction(1, 1000)}
DELTA = Fraction(1, 100)
TENTH = sympy.Rational(1, 10)


def place(name, epsilon, **sizes):
    domain = load(name).domain
    given = {n: Fraction(x) for n, x in {**SIZES, **sizes, "epsilon": epsilon}.items()}
    named = {p.name for p in domain.parameters}
    return domain.complete({n: x for n, x in given.items() if n in named})


@cache
def problem(name, epsilon):
    return of_family(load(name), place(name, epsilon))


KNOWN: dict = {}


@pytest.fixture(autouse=True, scope="module")
def _shared(derivations):
    """What other files have derived in this session is not derived again."""
    KNOWN.update(derivations)


def known(name):
    if name not in KNOWN:
        KNOWN[name] = derivation(load(name))
    return KNOWN[name]


@cache
def pays(name):
    return theory.search_pays(known(name))


# ---------------------------------------------------------------- certificates
def solved(task, model):
    return float(elimination.mean_hitting_times(model, task.targets).values[task.start])


def certificates():
    yield from theory.break_even_certificates()
    yield from theory.order_certificates()
    yield theory.memory_certificate()
    yield from theory.steps_certificates()


@pytest.mark.parametrize("proof", list(certificates()), ids=lambda p: p["statement"]["claims"][0])
def test_certificates_hold_and_none_is_larger_than_it_may_be(proof):
    assert checker.check(proof) == proof["statement"]
    (claim,) = proof["statement"]["claims"]
    sign = next(s for s in (" >= ", " <= ", " < ", " > ") if s in claim)
    left, _, right = claim.partition(sign)
    # One percent more on the smaller side, of what is positive, is refused.
    wrong = f"{left}{sign}99/100*({right})" if "<" in sign else f"{left}{sign}101/100*({right})"
    for text in (wrong, f"{right}{sign}{left}"):
        with pytest.raises(checker.Refused):
            checker.check({**proof, "statement": {**proof["statement"], "claims": [text]}})


def test_certificates_need_what_they_suppose():
    weaker = {
        "r > 8*o": "r > 7*o",
        "A > 2*q*o": "A > q*o",
        "T*o <= m*(1 + o)": "T*o <= 2*m*(1 + o)",
    }
    met = set()
    for proof in certificates():
        for fact, other in weaker.items():
            text = json.dumps(proof)
            if f'"{fact}"' in text:
                met.add(fact)
                with pytest.raises(checker.Refused):
                    checker.check(json.loads(text.replace(f'"{fact}"', f'"{other}"')))
    assert met == set(weaker)


# ---------------------------------------------------------------- break-even
def test_break_even_is_where_the_lines_meet():
    dear, cheap = Cost(Fraction(0), Fraction(100)), Cost(Fraction(900), Fraction(10))
    assert break_even(dear, cheap) == 10
    assert dear.total(10) == cheap.total(10) == 1000
    assert dear.total(9) < cheap.total(9) and dear.total(11) > cheap.total(11)
    assert break_even(cheap, dear) is None
    assert break_even(cheap, cheap) is None
    assert break_even(cheap, Cost(Fraction(900), Fraction(9))) == 0
    assert break_even(cheap, Cost(Fraction(800), Fraction(9))) == 0


@pytest.mark.parametrize("name", [*FAMILIES, "clique/torus-3/gate"])
@pytest.mark.parametrize("epsilon", EPSILONS)
def test_break_even_of_search_in_closed_form(name, epsilon):
    """The closed form, against chains solved by elimination, and its bounds free of epsilon."""
    found, point = pays(name), place(name, epsilon)
    task, truth = problem(name, epsilon)
    kinds = cliques_of(load(name), point)
    made = plan(kinds, DELTA)
    cap = Fraction(1, 50)
    steps = sum(made.steps, Fraction(0)) / 2
    value = evaluate(found.value, {**point, "S": steps, "epsilon_max": cap})
    memory = search.reweighted(task.model, truth.sparse_edges, cap)
    times = [solved(task, model) for model in (task.model, memory)]
    assert float(value) == pytest.approx(float(steps) / (times[0] - times[1]), rel=1e-9)

    # The bounds, with what they suppose.
    A = evaluate(found.hyperbola.falling, point)
    odds, later = (x / (1 - x) for x in (epsilon, cap))
    number, m = made.rounds * made.rollouts, theory.mean_exit(kinds)
    assert later > 8 * odds
    for fact in found.range:
        assert load(name).domain.gap(fact).subs({**point, "epsilon": cap}) >= 0
    lost = [k.unseen(made.rollouts, made.T_0) + k.early(made.rollouts, made.T_0) for k in kinds]
    extra = max(lost) * made.T_max
    assert (made.T_0 + 1 + extra) * epsilon <= m and max(lost) <= Fraction(1, 9)
    assert Fraction(4, 5) * number * m / odds <= made.steps[0]
    assert made.steps[1] <= 3 * number * m / odds
    low, high = number * m / (5 * A), 6 * number * m / A
    assert low <= value <= high
    # What lies between them is free of epsilon, to a percent; steps are not.
    again = evaluate(
        found.value, {**point, "S": steps / 100, "epsilon": 100 * epsilon, "epsilon_max": cap}
    )
    assert float(again / value) == pytest.approx(1, rel=0.06)
    assert checker.check(found.order) == found.order["statement"]


def test_exits_of_a_query():
    K, d = sympy.symbols("K d")
    expected = {
        "complete": K - 1,
        "ring": d * (K - d),
        "path": d * (d + 1) / 2,
        "star": 2 * (K - 1),
        "clique/torus-3/gate": sympy.Integer(8),
    }
    for name, value in expected.items():
        assert sympy.cancel(pays(name).exits - value) == 0
    for name in ALIKE:
        point = place(name, EPSILONS[0])
        m = theory.mean_exit(cliques_of(load(name), point))
        A = evaluate(pays(name).hyperbola.falling, point)
        assert evaluate(pays(name).exits, point) == A / m
        assert evaluate(pays(name).exits, point) != A / m * Fraction(101, 100)


def test_no_closed_form_without_an_order():
    for name in ("unequal", "clique/ring/split"):
        with pytest.raises(NoClaim):
            theory.search_pays(known(name))


@pytest.mark.parametrize("name", ["complete", "ring", "clique/torus-3/gate"])
@pytest.mark.parametrize("delta", [DELTA, Fraction(1, 10**4)])
def test_number_of_rollouts(name, delta):
    for epsilon, sizes in itertools.product((1e-9, 1e-12), ({}, {"K": 8}, {"M": 9})):
        (kind,) = cliques_of(load(name), place(name, Fraction(str(epsilon)), **sizes))
        made = plan([kind], delta)
        low, high = theory.rollouts(kind, delta, made)
        assert low <= made.rounds * made.rollouts <= high < 3 * low
        # For a millionth of the failures there are more.
        wrong = theory.rollouts(kind, delta / 10**6, made)
        assert not wrong[0] <= made.rounds * made.rollouts


# ---------------------------------------------------------------- distillation
def jump_law(name, labels):
    """The walk on the labels of a family, from its definition."""
    far = {
        "complete": lambda k, l: k != l,
        "ring": lambda k, l: (k - l) % labels in (1, labels - 1),
        "star": lambda k, l: (k == 0) != (l == 0),
    }[name]
    rows = [[Fraction(int(far(k, l))) for l in range(labels)] for k in range(labels)]
    return [[x / sum(row) for x in row] for row in rows]


@pytest.mark.parametrize("name", theory.SPREADS)
def test_spread_of_a_fit_in_closed_form(name):
    value = theory.SPREADS[name]
    for labels in (3, 4, 7, 10):
        for d in range(1, labels) if name == "ring" else (1,):
            start, target = (1, 2) if name == "star" else (0, d)
            exact = theory.spread(jump_law(name, labels), start, [target])
            at = {"K": Fraction(labels), "d": Fraction(d)}
            assert evaluate(value, at) == exact
            # Another distance, another number of labels, or no held steps, is another spread.
            assert evaluate(value, {**at, "K": Fraction(labels + 1)}) != exact
            if d - 1 not in (labels - d, 0):
                assert evaluate(value, {**at, "d": Fraction(d - 1)}) != exact


@pytest.mark.parametrize("name", theory.SPREADS)
@pytest.mark.parametrize("epsilon", [Fraction(1, 10**4), *EPSILONS])
def test_break_even_of_distillation_in_closed_form(name, epsilon):
    """The closed form, against label steps by the first-order error of an explicit fit."""
    found, point = theory.distillation_pays(known(name)), place(name, epsilon)
    task, truth = problem(name, epsilon)
    for accuracy in (Fraction(1, 10), Fraction(1, 50)):
        config = Config(accuracy=accuracy)
        count, model = budget.label_steps(task, truth.clusters, config)
        zeta = Fraction(stats.norm.isf(0.005) / float(accuracy)) ** 2
        query = Fitted.of(task, truth.clusters, model).mean(1.0)
        value = count / (solved(task, task.model) - query)
        closed = float(evaluate(found.value, {**point, "zeta": zeta}))
        assert closed == pytest.approx(value, rel=1e-7)
        limit = float(evaluate(found.limit, {**point, "zeta": zeta}))
        assert limit == pytest.approx(value, rel=30 * float(epsilon))


def test_order_of_the_break_even_of_distillation():
    K = sympy.Symbol("K")
    for name, order in (("complete", 1), ("ring", 1), ("star", K)):
        found = theory.distillation_pays(known(name)).order
        proof = found.certificate
        assert found.order == order and found.upper <= 4 * found.lower
        assert checker.check(proof) == proof["statement"]
        text = json.dumps(proof)
        for right, wrong in (
            (f">= ({found.lower})*", f">= ({4 * found.lower})*"),
            (f"<= ({found.upper})*", f"<= ({found.upper / 4})*"),
        ):
            assert right in text
            with pytest.raises(checker.Refused):
                checker.check(json.loads(text.replace(right, wrong)))


def test_no_closed_form_of_a_fit():
    with pytest.raises(NoClaim, match="no spread"):
        theory.distillation_pays(known("path"))


@pytest.mark.parametrize("name", [*FAMILIES, "unequal", "lazy-cycle/ring/gate"])
def test_way_back_from_a_label(name):
    """From the definition; on a clique of M states M - 1 steps, whatever epsilon is."""
    task, truth = problem(name, EPSILONS[0])
    goal = truth.clusters[task.targets[0]]
    members = [x for x, k in enumerate(truth.clusters) if k == goal]
    chain, first = homeward(task.model, members)
    answer = members.index(task.targets[0])
    mean = float(elimination.mean_hitting_times(chain, [answer]).values[first]) - 1
    p = rows(task.model)[np.ix_(members, members)]
    size = len(members)
    p = p + (1 - p.sum(axis=1))[:, None] / size
    rest = [i for i in range(size) if i != answer]
    times = np.linalg.solve(np.eye(size - 1) - p[np.ix_(rest, rest)], np.ones(size - 1))
    assert mean == pytest.approx(times.sum() / size, rel=1e-9)
    if "lazy" in name:
        assert mean > 2 * (size - 1)
    else:
        assert mean == pytest.approx(size - 1, rel=1e-12)
        assert mean != pytest.approx(size, rel=1e-2)


def test_least_steps_of_a_distilled_answer():
    """One jump, and the first draw is the answer: a share of at least 1/40 of 4000 answers."""
    task, truth = problem("complete", EPSILONS[0])
    fitted = Fitted.of(task, truth.clusters, budget.label_steps(task, truth.clusters, Config())[1])
    for price in (1.0, 5.0):
        assert fitted.sample(price, 4000, np.random.default_rng(6)).min() == price


# ---------------------------------------------------------------- gradients from a sample
@pytest.mark.parametrize("rows", [1, 8])
@pytest.mark.parametrize("batch", [10**4, 10**7])
def test_waits_of_a_row_step_by_step(rows, batch):
    """Each wait for a draw, and each update between two of them, one by one."""
    cap, size, lift = 0.02, 20, math.exp(0.2)
    mass: float | None = 1e-4
    low = high = 0.0
    while mass is not None:
        low += 1 / -math.expm1(batch * math.log1p(-mass / size))
        high += 1 + (1 + math.log(rows)) * size / (batch * mass)
        old, mass = mass, mass * lift / (1 - mass + mass * lift)
        while mass <= cap and mass / old < 1.2:
            mass *= lift / (1 - mass + mass * lift)
        mass = mass if mass <= cap else None
    steps = Fraction(1, 10), Fraction(1, 5), size, batch, rows
    found = theory.sampled_transitions(Fraction(1, 10**4), Fraction(1, 50), *steps)
    assert [float(x) / batch for x in found] == pytest.approx([low, high], rel=1e-9)
    assert low < high


def test_transitions_drawn():
    """Rounds are a hitting time of the rows' masses, whose mean only falls on the way."""
    epsilon, cap, number, batch = Fraction(1, 10**4), Fraction(1, 50), 400, 10**6
    task, truth = problem("ring", epsilon)
    steps = Fraction(1, 10), Fraction(1, 5), task.model.size, batch, len(truth.sparse_edges)
    low, high = (float(x) / batch for x in theory.sampled_transitions(epsilon, cap, *steps))
    assert 1 < high / low < 3
    config, rng = ppo.Config(epsilon_max=cap, batch=batch), np.random.default_rng(3)
    runs = [ppo.run(task, config, rng, truth.sparse_edges) for _ in range(number)]
    assert all(run.samples == batch * run.rounds for run in runs)
    mean = float(np.mean([run.rounds for run in runs]))

    def band(low, high):
        width = math.sqrt(high * math.log(2 / ALARM) / number)
        return low - 2 * math.sqrt(low) * width, mean_band(high, high, number, ALARM)[1]

    assert band(low, high)[0] <= mean <= band(low, high)[1]
    # With far less mass, or smaller batches, there are more rounds.
    few = *steps[:3], batch // 10**3, steps[4]
    for wrong, size in (((epsilon / 10**3, cap, *steps), batch), ((epsilon, cap, *few), few[3])):
        assert band(*(float(x) / size for x in theory.sampled_transitions(*wrong)))[0] > mean


# ---------------------------------------------------------------- prediction
@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize("epsilon", EPSILONS)
def test_costs_are_those_of_the_closed_forms(name, epsilon):
    """What a run predicts of each way, on four families and over four decades of epsilon."""
    result, cap = ran(name, epsilon), Fraction(1, 50)
    none, memory, rl, distilled = (way.expected for way in result.ways)
    time = known(name).claim("hitting-time").expression
    point = place(name, epsilon)

    def at(mass):
        return float(evaluate(time, {**point, "epsilon": Fraction(mass)}))

    assert (none.training, none.query) == (0, pytest.approx(at(epsilon), rel=1e-11))
    made = plan(cliques_of(load(name), point), DELTA)
    assert memory.training == pytest.approx(float(sum(made.steps)) / 2, rel=1e-6)
    assert memory.query == pytest.approx(at(cap), rel=1e-11)
    updates = updates_to(epsilon, cap, Fraction(1, 10))
    mass = mass_after(sympy.Rational(epsilon.numerator, epsilon.denominator), updates, TENTH)
    assert rl.training == memory.training
    assert rl.query == pytest.approx(at(float(mass)), rel=1e-11)
    wrong = mass_after(sympy.Rational(epsilon.numerator, epsilon.denominator), updates - 1, TENTH)
    assert rl.query != pytest.approx(at(float(wrong)), rel=1e-2)
    # J jumps, each held for 1 + (1 - a)/(a b) steps, and the way back.
    jumps = float(evaluate(JUMPS[name], point))
    meta = known(name).claim("aggregated-hitting-time").expression
    ahead = float(evaluate(meta, point))
    least = {"complete": 1, "star": 1, "ring": 2, "path": 1}[name]  # edges of the slowest label
    factor = 6 / (least * float(epsilon))
    back = distilled.query - (jumps + (ahead - jumps) / factor)
    assert back == pytest.approx(5, rel=1e-3)
    assert [w.name for w in result.ways] == list(budget.WAYS)


@cache
def ran(name, epsilon):
    task, truth = problem(name, epsilon)
    config = Config(epsilon_max=Fraction(1, 50), answers=4000)
    return budget.run(task, truth, config, np.random.default_rng(11))


# ---------------------------------------------------------------- the run
@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize("epsilon", EPSILONS)
def test_runs_agree_with_what_is_expected(name, epsilon):
    """Each within its band; all edges are found, but for probability `DELTA` of a fresh seed."""
    result = ran(name, epsilon)
    task, truth = problem(name, epsilon)
    assert (result.missed, result.false) == (0, 0)
    none, memory, rl, distilled = result.ways
    settings = result.searched.config
    rounds, limit = settings.rounds, float(settings.rollouts * settings.T_max)
    low, high = (x / rounds for x in (memory.least, memory.most))
    band = (
        bounded_mean_band(low, limit, rounds, ALARM)[0],
        bounded_mean_band(high, limit, rounds, ALARM)[1],
    )
    assert band[0] <= memory.run.training / rounds <= band[1]
    assert none.run.training == 0 and rl.run.training == memory.run.training
    models = {
        "none": task.model,
        "search": search.reweighted(task.model, truth.sparse_edges, Fraction(1, 50)),
        "rl": result.tuned.model,
    }
    for way in (none, memory, rl):
        times = elimination.mean_hitting_times(models[way.name], task.targets).values
        low, high = mean_band(way.expected.query, float(max(times)), 4000, ALARM)
        assert low <= way.run.query <= high
        assert high < 1.5 * way.expected.query and low > 0.6 * way.expected.query
    fitted = Fitted.of(task, result.distilled.labels, result.distilled.model)
    longest = float(
        elimination.mean_hitting_times(fitted.model, fitted.targets).values.max()
    ) + float(elimination.mean_hitting_times(fitted.back, fitted.answers).values.max())
    low, high = mean_band(fitted.mean(1.0) + 1, longest, 4000, ALARM)
    assert low <= distilled.run.query + 1 <= high < 1.5 * fitted.mean(1.0)
    assert distilled.run.query == pytest.approx(distilled.expected.query, rel=0.2)
    assert distilled.least <= distilled.run.training <= distilled.most
    assert distilled.most < 1.001 * distilled.least


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize("epsilon", EPSILONS)
def test_the_run_confirms_the_ranking(name, epsilon):
    """On both sides of all break-evens; ways within a quarter of each other are left in peace."""
    result = ran(name, epsilon)
    meets = [break_even(a.expected, b.expected) for a, b in itertools.permutations(result.ways, 2)]
    points = sorted(float(q) for q in meets if q)
    orders = set()
    for queries in {max(1, round(q * f)) for q in points for f in (0.5, 2, 1000)}:
        here = replace(result, config=replace(result.config, queries=queries))
        order = here.ranking
        orders.add(tuple(way.name for way in order))
        assert here.confirmed
        for first, second in itertools.combinations(order, 2):
            expected = [float(w.expected.total(queries)) for w in (first, second)]
            if expected[1] > 1.25 * expected[0]:
                assert first.run.total(queries) < second.run.total(queries)
    assert len(orders) >= 3
    assert {order[0] for order in orders} == {"none", "search", "distillation"}


def test_a_run_with_another_order_is_told():
    result = ran("ring", EPSILONS[0])
    result = replace(result, config=replace(result.config, queries=10**4))
    paid = result.ways[1].run.training
    assert result.confirmed
    for k, wrong in ((1, Cost(1e12, 1.0)), (2, Cost(paid, 1.0)), (0, Cost(0.0, 5.0))):
        ways = list(result.ways)
        ways[k] = replace(ways[k], run=wrong, standard_error=0.0)
        assert not replace(result, ways=tuple(ways)).confirmed


def test_steps_are_free_of_the_truth():
    """Without it the blocks of the model are its clusters, and everything comes out the same."""
    task, truth = problem("ring", EPSILONS[0])
    known_, blind = (
        budget.run(task, t, Config(answers=50), np.random.default_rng(4)) for t in (truth, None)
    )
    assert [w.run for w in known_.ways] == [w.run for w in blind.ways]
    assert [w.expected for w in known_.ways] == [w.expected for w in blind.ways]
    assert blind.config.epsilon_max == Fraction(1, 60)


def test_steps_before_a_label_are_counted():
    task, truth = problem("ring", EPSILONS[0])
    short, long = (
        budget.run(task, truth, Config(answers=50, burn_in=n), np.random.default_rng(4)).ways[3]
        for n in (0, 3)
    )
    for one in ("expected", "run"):
        ratio = getattr(long, one).training / getattr(short, one).training
        assert ratio == pytest.approx(4, rel=1e-3)


def test_gradients_from_batches_are_counted():
    task, truth = problem("ring", Fraction(1, 10**5))
    config = Config(epsilon_max=Fraction(1, 50), batch=10**6, answers=200)
    result = budget.run(task, truth, config, np.random.default_rng(5))
    memory, rl = result.ways[1:3]
    drawn = rl.run.training - memory.run.training
    assert drawn == result.tuned.samples > 10**6
    assert rl.least - memory.least < drawn < 3 * (rl.most - memory.most)
    assert result.confirmed
    with pytest.raises(ChainError, match="one sparse edge"):
        task, truth = problem("star", EPSILONS[0])
        budget.run(task, truth, config, np.random.default_rng(5))


# ---------------------------------------------------------------- failure modes
def test_a_cap_below_epsilon_gains_nothing():
    """Neither search nor PPO ever pays, and the report says so."""
    task, truth = problem("ring", Fraction(1, 20))
    given: dict[str, Any] = {"rounds": 50, "rollouts": 3, "T_0": 30, "T_max": 300, "answers": 100}
    result = budget.run(task, truth, Config(**given), np.random.default_rng(1))
    told = budget.report(result).told
    since = {one["strategy"]: one["break_even_queries"] for one in told["ranking"]}
    assert since["none"] is since["search"] is since["rl"] is None
    assert result.false > 0  # early exits
    with pytest.raises(ChainError, match="give rounds, rollouts"):
        budget.run(task, truth, Config(), np.random.default_rng(1))


@pytest.mark.parametrize("name", ["lazy-cycle/ring/gate", "lazy-cycle/ring/decoy", "unequal"])
def test_slow_clusters_decoys_and_unequal_ones(name):
    task, truth = problem(name, Fraction(1, 10**7))
    result = budget.run(task, truth, Config(answers=1000), np.random.default_rng(2))
    assert result.confirmed and result.missed == 0
    assert [w.name for w in result.ranking] == ["search", "rl", "distillation", "none"]


def test_missed_edges_leave_the_run_behind():
    """With too few rounds edges are missed, and the memory does not keep what was expected."""
    task, truth = problem("ring", EPSILONS[0])
    few = Config(rounds=2, rollouts=1, T_0=30, T_max=10**7, answers=200)
    result = budget.run(task, truth, few, np.random.default_rng(1))
    assert result.missed > 0
    assert result.ways[1].run.query > 10 * result.ways[1].expected.query


# ---------------------------------------------------------------- settings and report
@pytest.mark.parametrize(
    ("settings", "wrong"),
    [
        ({"queries": 0}, "queries = 0"),
        ({"answers": 1}, "answers = 1"),
        ({"burn_in": -1}, "burn_in"),
        ({"price": Fraction(-1)}, "price"),
        ({"price": Fraction(10) ** 400}, "price"),
        ({"accuracy": Fraction(1, 10**400)}, "accuracy"),
        ({"delta": Fraction(1, 10**400)}, "delta"),
        ({"accuracy": Fraction(1, 10**30)}, "label steps"),
        ({"batch": 0}, "batch of 0"),
        ({"batch": 10**30}, "batch of 1000"),
        ({"queries": 10**400}, "queries"),
        ({"answers": 10**12}, "answers"),
        ({"burn_in": 10**9}, "burn_in"),
        ({"epsilon_max": Fraction(1)}, "epsilon_max"),
        ({"accuracy": Fraction(0)}, "accuracy"),
        ({"delta": Fraction(2)}, "delta"),
    ],
)
def test_bad_settings(settings, wrong):
    task, truth = problem("ring", EPSILONS[0])
    with pytest.raises(ChainError, match=wrong):
        budget.run(task, truth, Config(**settings), np.random.default_rng(0))


def test_bad_tasks():
    task, truth = problem("ring", EPSILONS[0])
    rng = np.random.default_rng(0)
    with pytest.raises(ChainError, match="several clusters"):
        budget.run(replace(task, targets=(12, 7)), truth, Config(), rng)
    dense = Task(Chain.from_floats("ab", [0, 1], [1, 0], [0.5, 0.5]), 0, (1,))
    with pytest.raises(ChainError, match="no sparse edges"):
        budget.run(dense, None, Config(), rng)
    names, entries = task.model.states, list(task.model.exact_entries())
    last = truth.clusters[task.targets[0]]
    kept = [e for e in entries if truth.clusters[e[0]] != last or truth.clusters[e[1]] == last]
    with pytest.raises(ChainError, match="never left"):
        budget.run(replace(task, model=Chain.from_entries(names, kept)), None, Config(), rng)


def test_report_progress_and_figure():
    seen = []
    task, truth = problem("ring", EPSILONS[0])
    config = Config(queries=40, answers=50, price=Fraction(3))
    rng = np.random.default_rng(0)
    result = budget.run(task, truth, config, rng, lambda n, of: seen.append((n, of)))
    assert seen == sorted(seen) and seen[-1] == (1000, 1000)
    made = budget.report(result)
    told = json.loads(json.dumps(made.told))
    totals = [one["expected_total_steps"] for one in told["ranking"]]
    assert totals == sorted(totals) and len(totals) == 4
    for one in told["ranking"]:
        assert one["expected_total_steps"] == pytest.approx(
            one["training_steps"] + 40 * one["steps_per_query"]
        )
        low, high = one["expected_total_bounds"]
        assert low <= one["expected_total_steps"] <= high
    by_name = {one["strategy"]: one for one in told["ranking"]}
    search_, none = by_name["search"], by_name["none"]
    assert search_["break_even_queries"] == pytest.approx(
        search_["training_steps"] / (none["steps_per_query"] - search_["steps_per_query"])
    )
    assert by_name["rl"]["break_even_against"]["search"] is None  # never, in steps
    assert told["search_for_each_query_pays"] is False
    steps = Cost(0.0, 2 * float(search_["training_steps"]))
    ways = (replace(result.ways[0], expected=steps), *result.ways[1:])
    assert budget.report(replace(result, ways=ways)).told["search_for_each_query_pays"] is True
    # A distilled step at a third of the price.
    cheap = budget.run(task, truth, replace(config, price=Fraction(1)), np.random.default_rng(0))
    dear = by_name["distillation"]["steps_per_query"]
    assert dear - 5 == pytest.approx(3 * (float(cheap.ways[3].expected.query) - 5))
    assert made.figure().axes
    assert made.rows
