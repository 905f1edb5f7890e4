"""The JavaScript of the playgrounds computes what the library computes, at any epsilon."""

import json
import random
import re
from fractions import Fraction

import pytest
import sympy
from py_mini_racer import MiniRacer
from sympy.printing.jscode import jscode

from numerics import playground
from numerics.algorithms import budget as runs
from numerics.algorithms import ppo
from numerics.playground import javascript
from theory import catalogue
from theory.bounds import all_bounds
from theory.claims import NoClaim
from theory.composed import Composed
from theory.domain import Domain, Parameter, evaluate
from theory.results import budget as costs
from theory.results import policy_gradient, search
from theory.results.search import cliques_of, enclose, plan
from theory.tightness import Tightness, expressions, walk_gap, walk_gap_at
from theory.tightness.spans import value_at

TOLERANCE = 1e-12
SEED = 20_240_611
FEW = ("complete", "ring", "star", "clique/ring/in-out")


@pytest.fixture(scope="module", autouse=True)
def once(derivations):
    """Derive each family once for all that is tested here."""
    kept = dict(derivations)

    def derivation(family):
        if family.id not in kept:
            kept[family.id] = original(family)
        return kept[family.id]

    original = catalogue.derivation
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(catalogue, "derivation", derivation)
        yield


@pytest.fixture(scope="module")
def engine():
    context = MiniRacer()
    context.eval(playground.library())
    yield context
    context.close()


@pytest.fixture(scope="module")
def call(engine):
    """Call a function of one object, given as source."""

    def call(source, point):
        numbers = {name: float(x) if x % 1 else int(x) for name, x in point.items()}
        return engine.eval(f"({source})({json.dumps(numbers)})")

    return call


@pytest.fixture(scope="module")
def loaded(engine):
    """Put the data of a playground into the engine, under a name."""

    def load(name, made):
        engine.eval(f"var {name} = {playground.literal(made.data)}; 0")
        return made

    return load


def points(domain, count, largest, rng):
    """Points of a domain, real parameters as doubles, spread over all orders of magnitude."""
    found: list[dict[str, Fraction]] = []
    while len(found) < count:
        point = {}
        for p in domain.parameters:
            if p.integer:
                value = round(largest ** rng.random() + rng.randrange(3))
            elif p.facts == ("g > 0",):
                value = rng.uniform(1e-3, 2)
            else:
                value = 10 ** rng.uniform(-12, -0.02)
            point[p.name] = Fraction(value)
        if domain.contains(point):
            found.append(point)
    return found


def error(got, exact):
    """Relative distance of a double to an enclosure."""
    low, high = exact
    assert low <= high
    if low == high == 0:
        return abs(got)
    return max(float(abs((Fraction(got) - end) / end)) for end in (low, high))


def worst(call, source, value, domain, largest=10**6, count=12):
    rng = random.Random(SEED)
    return max(
        error(call(source, point), value_at(value, point))
        for point in points(domain, count, largest, rng)
    )


# ---------------------------------------------------------------- expressions
TOLD = [(name, quantity) for name in FEW[:3] for quantity in ("hitting-time", "spectral-gap")]


@pytest.mark.parametrize(("family", "quantity"), TOLD)
def test_claims(claim, call, family, quantity):
    told = claim(family, quantity)
    domain = Domain(told.domain.parameters)
    for value in filter(None, (told.expression, told.lower, told.upper)):
        assert worst(call, javascript.function(value, domain), value, domain) < TOLERANCE


def test_a_wrong_expression_is_seen(claim, call):
    told = claim("ring", "hitting-time")
    K = sympy.Symbol("K")
    wrong = javascript.function(told.expression.subs(K, K + 1), told.domain)
    assert worst(call, wrong, told.expression, told.domain) > 1e-8


def test_as_it_stands_digits_are_lost(claim, call):
    """What SymPy prints of the gap has a difference of two numbers near 1."""
    told = claim("complete", "spectral-gap")
    plain = f"({{K, M, epsilon}}) => {jscode(told.expression)}"
    assert worst(call, plain, told.expression, told.domain) > 1e-6
    ours = javascript.function(told.expression, told.domain)
    assert worst(call, ours, told.expression, told.domain) < TOLERANCE


UNIT = Domain(
    (
        Parameter("n", ("n >= 1",), ""),
        Parameter("x", ("x > 0", "x < 1"), "", integer=False),
        Parameter("y", ("y > 0", "y < 1"), "", integer=False),
    )
)


@pytest.mark.parametrize(
    "text",
    [
        "1 - (1 - x)",
        "1 - (1 - x)**n",
        "(1 - x)**n",
        "1 - (1 - x*(1 - y))**n*(1 - y)",
        "sqrt(1 + x) + x*(1 - y)/(1 + x)",
        "log(1 + x*n)",
        "1 - cos(2*pi/(n + 2))",
        "1/sqrt(x) + 123456789012345678901234567890*y",
    ],
)
def test_functions(call, text):
    names = {str(s): s for s in sympy.symbols("x y n")}
    value = sympy.sympify(text, locals=names)
    source = javascript.function(value, UNIT)
    for point in points(UNIT, 25, 1000, random.Random(SEED)):
        assert error(call(source, point), enclose(value, point)) < TOLERANCE


def test_extremes(call):
    x, y = sympy.symbols("x y")
    value = sympy.Max(x, sympy.Min(1 - y, 2 * x)) / (1 + x)
    assert worst(call, javascript.function(value, UNIT), value, UNIT) < TOLERANCE


@pytest.mark.parametrize("text", ["x - y", "1 - x - y", "10**400*x", "log(x)*0 + x**2 - x*y"])
def test_what_cannot_be_kept_is_refused(text):
    names = {str(s): s for s in sympy.symbols("x y")}
    with pytest.raises(javascript.Cancels):
        javascript.function(sympy.sympify(text, locals=names), UNIT)


# ---------------------------------------------------------------- hitting times
@pytest.fixture(scope="module")
def times(loaded):
    return loaded("times", playground.hitting_time(FEW))


def fields(engine, data, family, names, point):
    """Values of some functions of a family in the engine."""
    numbers = json.dumps({k: float(x) if x % 1 else int(x) for k, x in point.items()})
    return [engine.eval(f"{data}.families['{family}'].{name}({numbers})") for name in names]


def check_times(engine, names, count=12):
    for name in names:
        family = catalogue.load(name)
        derivation = catalogue.derivation(family)
        told = [derivation.claim(q) for q in ("hitting-time", "aggregated-hitting-time")]
        between = derivation.claim("hitting-time-bounds")
        values = [*(one.expression for one in told), between.lower, between.upper]
        for point in points(family.domain, count, 64, random.Random(SEED)):
            asked = ("time", "aggregated", "lower", "upper", "bounds.holds")
            *got, holds = fields(engine, "times", name, asked, point)
            for value, one in zip(values, got, strict=True):
                assert error(one, (evaluate(value, point),) * 2) < TOLERANCE
            assert holds == (between.domain.violated(point) is None)


def test_hitting_times(engine, times):
    check_times(engine, FEW)


@pytest.mark.slow
def test_hitting_times_of_all(engine, loaded):
    loaded("times", playground.hitting_time())
    check_times(engine, playground.HITTING)


def test_bounds_are_not_claimed_everywhere(engine, times):
    near, far = ({"K": 4, "M": 4, "epsilon": x, "d": 2} for x in (0.2, 0.3))
    assert fields(engine, "times", "ring", ["bounds.holds"], near) == [True]
    assert fields(engine, "times", "ring", ["bounds.holds"], far) == [False]


@pytest.mark.parametrize("name", FEW)
def test_clusters_are_those_of_the_chain(times, name):
    family = catalogue.load(name)
    graph = times.data["families"][name]["graph"]
    for point in points(family.domain, 5, 5, random.Random(SEED)):
        shape = graph["shapes"][",".join(str(point[k]) for k in graph["keys"])]
        count, edges, *ends = shape
        explicit = family.explicit(point)
        where = explicit.clusters
        flat = times.data["graphs"][edges]
        drawn = {tuple(flat[k : k + 4]) for k in range(0, len(flat), 4)}
        assert drawn == {
            (*explicit.states[a], *explicit.states[b])
            for a, b in explicit.transitions
            if where[a] != where[b]
        }
        assert count == len(set(where))
        assert (*ends,) == (*family.start("", point), *family.target("", point))


@pytest.mark.parametrize("name", FEW)
def test_sliders_end_with_the_domain(engine, times, name):
    """At the ends of the integers' sliders one is inside the domain, and one step on outside."""
    family = catalogue.load(name)
    for found in points(family.domain, 10, 20, random.Random(SEED)):
        for k, one in enumerate(times.data["families"][name]["parameters"]):
            if not one["integer"]:
                continue
            point = {**found, "d": Fraction(1)} if "d" in found and one["name"] != "d" else found
            low, high = fields(
                engine, "times", name, (f"parameters[{k}].low", f"parameters[{k}].high"), point
            )
            assert family.domain.violated({**point, one["name"]: Fraction(low)}) is None
            assert family.domain.violated({**point, one["name"]: Fraction(low - 1)}) is not None
            if high not in (*playground.MOST.values(), 10**6):
                assert family.domain.violated({**point, one["name"]: Fraction(high)}) is None
                assert (
                    family.domain.violated({**point, one["name"]: Fraction(high + 1)}) is not None
                )


# ---------------------------------------------------------------- one compute budget
@pytest.fixture(scope="module")
def ways(loaded):
    return loaded("ways", playground.budget(("complete", "ring", "star")))


def four(engine, name, point):
    numbers = json.dumps({k: float(x) if x % 1 else int(x) for k, x in point.items()})
    code = f"JSON.stringify(play.ways(ways, ways.families['{name}'], {numbers}))"
    return json.loads(engine.eval(code))


def budget_points(family, count, seed=SEED):
    rng = random.Random(seed)
    for point in points(family.domain, count, 20, rng):
        point["epsilon"] = Fraction(10 ** rng.uniform(-9, -6))
        yield point, Fraction(10 ** rng.uniform(-3, -1))


@pytest.mark.parametrize("name", ["complete", "ring", "star"])
def test_ways_are_those_of_the_library(engine, ways, name):
    family = catalogue.load(name)
    derivation = catalogue.derivation(family)
    time = derivation.claim("hitting-time").expression
    settings = runs.Config()
    zeta = Fraction((runs.normal_quantile(settings.delta) / float(settings.accuracy)) ** 2)
    pays = costs.distillation_pays(derivation)
    planned = 0
    for point, cap in budget_points(family, 6):
        got = four(engine, name, {**point, "epsilon_max": cap})
        try:
            made = plan(cliques_of(family, point), settings.delta)
        except NoClaim:
            assert got["plan"] is None
            continue
        asked = (made.rounds, made.rollouts, made.T_0, made.T_max)
        assert asked == tuple(got["plan"][k] for k in ("rounds", "rollouts", "T_0", "T_max"))
        for mine, theirs in zip(got["plan"]["steps"], made.steps, strict=True):
            assert error(mine, (theirs, theirs)) < TOLERANCE
        step = ppo.Config().step
        updates = policy_gradient.updates_to(point["epsilon"], cap, step)
        after = policy_gradient.mass_after(
            *(sympy.Rational(x) for x in (point["epsilon"], updates, step))
        )
        mass = Fraction(str(sympy.N(after, 30)))
        assert error(got["mass"], (mass, mass)) < TOLERANCE
        none, memory, rl, distilled = got["ways"]
        assert [way["name"] for way in got["ways"]] == list(runs.WAYS)
        for way, rate in ((none, point["epsilon"]), (memory, cap), (rl, mass)):
            exact = evaluate(time, {**point, "epsilon": rate})
            assert error(way["query"], (exact, exact)) < TOLERANCE
        assert none["training"] == 0
        assert memory["training"] == rl["training"] == sum(got["plan"]["steps"]) / 2
        meets = engine.eval(f"play.breakEven({json.dumps(none)}, {json.dumps(distilled)})")
        exact = evaluate(pays.value, {**point, "zeta": zeta})
        assert error(meets, (exact, exact)) < 1e-9
        planned += 1
    assert planned > 2


@pytest.mark.parametrize("name", ["complete", "ring", "star"])
def test_label_steps_come_from_the_spread(engine, ways, name):
    """Against the spread of the explicit jump law, not its closed form."""
    family = catalogue.load(name)
    for point, cap in budget_points(family, 3):
        explicit = family.explicit(point)
        where, labels = explicit.clusters, int(point["K"])
        law = [[Fraction(0)] * labels for _ in range(labels)]
        for (a, b), p in explicit.transitions.items():
            if where[a] != where[b]:
                law[where[a]][where[b]] += p
        jumps = [[x / sum(row) for x in row] for row in law]
        start, target = (end[0] for end in (family.start("", point), family.target("", point)))
        leave = sum(law[start]) / point["M"]  # in a step, for small epsilon
        expected = (
            Fraction(ways.data["zeta"]) * labels * costs.spread(jumps, start, {target}) / leave
        )
        got = four(engine, name, {**point, "epsilon_max": cap})["ways"][-1]["training"]
        assert error(got, (expected, expected)) < 1e-9


@pytest.mark.parametrize(
    ("name", "K"),
    [(name, K) for name in playground.BUDGET for K in (2, 3, 4, 11) if (name, K) != ("star", 2)],
)
def test_kinds_of_clusters(engine, name, K):
    family = catalogue.load(name)
    point = {"K": Fraction(K), "M": Fraction(6), "epsilon": Fraction(1, 100)}
    code = f"JSON.stringify(({playground._kinds(family)})({{K: {K}, M: 6}}))"
    got = sorted(tuple(kind.values()) for kind in json.loads(engine.eval(code)))
    found = cliques_of(family, family.domain.complete(point))
    merged: dict[tuple[int, ...], int] = {}
    for count, *rest in got:
        merged[tuple(rest)] = merged.get(tuple(rest), 0) + count
    assert merged == {(k.size, k.gates, k.fan): k.count for k in found}


@pytest.mark.parametrize("name", ["complete", "ring", "star"])
@pytest.mark.parametrize("epsilon", ["0.02", "0.95"])
def test_no_plan_where_clusters_cannot_be_seen(engine, ways, name, epsilon):
    family = catalogue.load(name)
    given = {"K": Fraction(8), "M": Fraction(8), "epsilon": Fraction(float(epsilon))}
    point = family.domain.complete(given)
    got = four(engine, name, {**point, "epsilon_max": point["epsilon"]})
    assert got["plan"] is None
    assert [way["name"] for way in got["ways"]] == ["none", "distillation"]
    if epsilon == "0.02":  # enclosures take long to refuse a large one
        with pytest.raises(NoClaim, match="rollouts leave a cluster"):
            plan(cliques_of(family, point), runs.Config().delta)


def test_planned_expressions(engine, call, ways):
    """What the plan is made of, far beyond the sliders."""
    rng = random.Random(SEED)
    pieces = {
        "unseen": search.UNSEEN,
        "early": search.EARLY,
        "foundByOne": search.FOUND_LEAST[True],
        "foundByMany": search.FOUND_LEAST[False],
        "stayLeast": search.STAY_LEAST,
        "stayMost": search.STAY_MOST,
        "missed": search.MISSED,
    }
    for name, value in pieces.items():
        source = ways.data["search"][name]
        for _ in range(15):
            big = rng.choice([1, 100, 10**6])
            point = {
                **{k: Fraction(rng.randrange(2, 40)) for k in ("M", "c", "N", "T_0", "R")},
                "L": Fraction(rng.randrange(2, 40) * big),
                "epsilon": Fraction(10 ** rng.uniform(-12, -0.5)),
                **{k: Fraction(10 ** rng.uniform(-9, -0.1)) for k in "ugs"},
            }
            point["n"] = Fraction(rng.randrange(1, int(point["M"]) + 1))
            assert error(call(source, point), enclose(value, point)) < TOLERANCE, name


@pytest.mark.slow
@pytest.mark.parametrize("name", ["complete", "ring", "star"])
def test_ways_are_those_of_a_run(engine, ways, name):
    """The whole comparison, from an explicit chain by elimination."""
    import numpy as np

    from numerics.algorithms.task import of_family

    family = catalogue.load(name)
    given = {"K": Fraction(5), "M": Fraction(6), "epsilon": Fraction(1, 10**7)}
    point, cap = family.domain.complete(given), Fraction(1, 50)
    task, truth = of_family(family, point)
    config = runs.Config(epsilon_max=cap, answers=2)
    ran = runs.run(task, truth, config, np.random.default_rng(1))
    got = {way["name"]: way for way in four(engine, name, {**point, "epsilon_max": cap})["ways"]}
    for way in ran.ways:
        assert got[way.name]["query"] == pytest.approx(float(way.expected.query), rel=1e-6)
        rel = 1e-3 if way.name == "distillation" else 1e-6  # the labels' own steps are left out
        training = float(way.expected.training)
        assert got[way.name]["training"] == pytest.approx(training, rel=rel)


# ---------------------------------------------------------------- gaps
def check_gaps(engine, names):
    for name in names:
        family = catalogue.load(name)
        assert isinstance(family, Composed)
        derivation = catalogue.derivation(family)
        domain = family.domain.without(("d",))
        rows = {
            f"{row.bound}-{row.side}": row
            for row in expressions(family)
            if isinstance(row, Tightness) and all_bounds()[row.bound].quantity == "spectral-gap"
        }
        proved = derivation.claim("spectral-gap")
        for point in points(domain, 3, 24, random.Random(SEED)):
            (g,) = fields(engine, "gaps", name, ["walk"], point)
            if walk_gap(family).exact:
                low, high = value_at(walk_gap(family).lower, point)
                assert error(g, (low, high)) < TOLERANCE
            else:
                low, high = walk_gap_at(family, family.domain.complete(point))
                assert low <= Fraction(g) <= high
            wide = {**point, "g": Fraction(g)}
            truth = next(iter(rows.values())).truth.lower
            (got,) = fields(engine, "gaps", name, ["gap"], wide)
            assert error(got, value_at(truth, wide)) < TOLERANCE
            for n, (mark, row) in enumerate(rows.items()):
                said = engine.eval(f"gaps.families['{name}'].bounds[{n}].id")
                assert said == mark
                ends = list(dict.fromkeys((row.value.lower, row.value.upper)))
                asked = [f"bounds[{n}].ends[{k}]" for k in range(len(ends))]
                values = fields(engine, "gaps", name, asked, wide)
                for value, one in zip(ends, values, strict=True):
                    assert error(one, value_at(value, wide)) < TOLERANCE, mark
            for side, value in (("lower", proved.lower), ("upper", proved.upper)):
                (got,) = fields(engine, "gaps", name, [side], point)
                assert error(got, value_at(value, point)) < TOLERANCE
            (got,) = fields(engine, "gaps", name, ["ratio"], point)
            exact = evaluate(derivation.claim("metastability-ratio").expression, point)
            assert error(got, (exact, exact)) < TOLERANCE


def test_gaps(engine, loaded):
    loaded("gaps", playground.gap(("clique/star/gate",)))
    check_gaps(engine, ["clique/star/gate"])


@pytest.mark.slow
def test_gaps_of_all(engine, loaded):
    loaded("gaps", playground.gap())
    check_gaps(engine, playground.GAP)


# ---------------------------------------------------------------- the page
def test_page_needs_nothing_else(times):
    text = times._repr_html_()
    assert not re.search(r"(?:src|href)=|@import|fetch\(|XMLHttp", text)
    assert set(re.findall(r"https?://[^\"' ]+", text)) == {"http://www.w3.org/2000/svg"}
    assert text.count('class="play-formula"') == text.count("<option ") == len(FEW)
    assert text.count("</script>") == 1


def test_data_cannot_end_the_script():
    assert "</script>" not in playground.literal({"a": "</script>", "b": [True, None, 1.5]})
    assert playground.literal({"f": playground.Code("(x) => x < 1")}) == '{"f": (x) => x < 1}'


@pytest.mark.parametrize(
    ("x", "told"),
    [("5607900", "5.60790 × 10⁶"), ("0.00012", "1.20000 × 10⁻⁴"), ("1.5", "1.50000"), ("0", "0")],
)
def test_numbers_are_told_in_powers_of_ten(engine, times, x, told):
    assert engine.eval(f"play.scientific({x})") == told
