"""Tightness tables: expressions against the bounds of explicit chains, points against true values.

Both sides of every comparison come from different code: an expression from the claims of a family
and the rows of its parts, a bound from the explicit chain alone.
"""

from dataclasses import replace
from fractions import Fraction
from functools import cache
from itertools import pairwise

import pytest
import sympy

from numerics.tightness import (
    TRUTHS,
    Refusal,
    Row,
    expression_list,
    leading_table,
    points_table,
    reasons_table,
    table,
    truth,
    usual_point,
)
from theory import catalogue
from theory.attachment import ATTACHMENTS
from theory.bounds import all_bounds, canonical_paths
from theory.bounds.base import FiniteChain, HypothesisFails
from theory.claims import NoClaim
from theory.composed import Composed
from theory.domain import DomainError
from theory.enclosure import enclose
from theory.family import built_in
from theory.kernels import kernels
from theory.meta_graphs import meta_graphs
from theory.tightness import NoExpression, Tightness, expressions, walk_gap, walk_gap_at
from theory.tightness.parts import Parts
from theory.tightness.points import given, setting
from theory.tightness.spans import Span, growth, known, leading_term, simplified, value_at
from theory.tightness.theorems import RECIPES, WITHOUT

ROUNDED = Fraction(1, 2**28)  # gaps and roots in bounds are enclosed to one part in 2^30
STATES = 20  # Cheeger's inequality is checked on no more
SMALL = {"K": Fraction(3), "d": Fraction(1), "M": Fraction(3), "epsilon": Fraction(1, 4)}
SLACK = 1e-7  # of true values in floating point
epsilon, K, M, g = sympy.symbols("epsilon K M g")


def composed(name):
    family = catalogue.load(name)
    assert isinstance(family, Composed)
    return family


@cache
def rows_of(name, in_walk=False):
    return expressions(catalogue.load(name), in_walk)


@cache
def setting_at(name, point):
    return setting(catalogue.load(name), dict(point))


def points_of(family, number, largest=4):
    """Points of small chains, spread over all that there are, corners and default ones included."""
    found = [
        p for p in family.domain.points(400, seed=3, largest=largest) if family.states(p) <= STATES
    ]
    return found[:: max(1, len(found) // number)][:number]


def violations(name, rows, points, slack=ROUNDED):
    """Where a row is not the bound of the explicit chain, or its truth not the true value."""
    family, found = composed(name), []
    for point in points:
        chain, data = setting_at(name, tuple(point.items()))
        gap = walk_gap_at(family, point)
        for row in rows:
            if isinstance(row, NoExpression) or row.domain.violated(point) is not None:
                continue
            bound = all_bounds()[row.bound]
            mine = given(bound, data)
            told = getattr(bound(chain, **mine), row.side)
            low, high = row.value.at(point, gap)
            if not low * (1 - slack) <= told <= high * (1 + slack):
                found.append((row.bound, row.side, "value", dict(point)))
            true = truth(bound, chain, mine)
            low, high = row.truth.at(point, gap)
            if not float(low) * (1 - SLACK) - 1e-12 <= true <= float(high) * (1 + SLACK) + 1e-12:
                found.append((row.bound, row.side, "truth", dict(point)))
    return found


def one(name, bound, side="lower", in_walk=False):
    return next(
        r
        for r in rows_of(name, in_walk)
        if isinstance(r, Tightness) and (r.bound, r.side) == (bound, side)
    )


# ---------------------------------------------------------------- expressions are the bounds
QUICK = {
    ("clique", "ring", "gate"): 2,
    ("clique", "complete", "gate"): 2,
    ("clique", "hypercube-3", "gate"): 1,
    ("clique", "directed-ring", "gate"): 2,
    ("clique", "ring", "in-out"): 3,
    ("clique", "complete", "gates"): 2,
}
# On a decoy bounds of the gap take minutes in symbols, and nested cliques take them anyway.
LONG = {("lazy-cycle", "decoy"), ("hypercube-3", "decoy"), ("star", "decoy")}
ALL = [
    *(("clique", meta, "gate") for meta in meta_graphs()),
    *(
        (kernel, "complete", attachment)
        for kernel in kernels()
        for attachment in ATTACHMENTS
        if ATTACHMENTS[attachment].why_not(kernels()[kernel]) is None
        and kernel != "nested"
        and (kernel, attachment) not in LONG
    ),
]


@pytest.mark.parametrize("parts", QUICK, ids="/".join)
def test_expressions_are_the_bounds_of_explicit_chains(parts):
    name = "/".join(parts)
    rows, points = rows_of(name), points_of(catalogue.load(name), QUICK[parts])
    assert points
    assert any(isinstance(r, Tightness) for r in rows)
    assert violations(name, rows, points) == []


@pytest.mark.slow
@pytest.mark.parametrize("parts", dict.fromkeys(ALL), ids="/".join)
def test_expressions_are_the_bounds_on_every_composition(parts):
    name = "/".join(parts)
    points = points_of(catalogue.load(name), 6, largest=6)
    assert violations(name, rows_of(name), points) == []


def test_rational_expressions_are_met_exactly():
    """No rounding where the bound has no root in it."""
    name = "clique/ring/gate"
    rational = {
        "aggregation-hitting-time",
        "aggregation-hitting-time-commute",
        "cheeger-cut",
        "dirichlet-principle",
        "thomson-principle",
        "hitting-time-by-capacity",
        "hitting-time-by-energies",
        "stochastic-complement-law",
    }
    rows = [r for r in rows_of(name) if isinstance(r, Tightness) and r.bound in rational]
    assert {r.bound for r in rows} == rational
    points = points_of(catalogue.load(name), 4)
    for point in points:
        chain, data = setting_at(name, tuple(point.items()))
        for row in rows:
            bound = all_bounds()[row.bound]
            told = getattr(bound(chain, **given(bound, data)), row.side)
            assert row.value.at(point) == (told, told), (row.bound, row.side, point)


def test_every_expression_slightly_off_is_found():
    """Bounds and true values, larger and smaller by one part in a thousand."""
    name = "clique/complete/gate"
    points = points_of(catalogue.load(name), 3)[-1:]
    off = (sympy.Rational(1001, 1000), sympy.Rational(999, 1000))
    for row in rows_of(name):
        if isinstance(row, NoExpression) or row.domain.violated(points[0]) is not None:
            continue
        for part in ("value", "truth"):
            span = getattr(row, part)
            if not span.exact or span.lower == 0 or row.value.at(points[0])[1] == 0:
                continue  # an interval is wider than the error; no part of 0 is an error
            for by in off:
                wrong = replace(row, **{part: span.each(lambda x, by=by: x * by)})
                assert violations(name, [wrong], points), (row.bound, row.side, part)


def test_other_chain_is_found():
    """Expressions of one family do not pass for another's."""
    ring, star = "clique/ring/gate", "clique/star/gate"
    point = {"K": Fraction(4), "d": Fraction(2), "M": Fraction(3), "epsilon": Fraction(1, 5)}
    wrong = [r for r in rows_of(ring) if isinstance(r, Tightness)]
    chain, data = setting(catalogue.load(star), {n: point[n] for n in ("K", "M", "epsilon")})
    assert catalogue.load(ring).states(point) == chain.size
    row = next(r for r in wrong if r.bound == "thomson-principle")
    bound = all_bounds()[row.bound]
    assert bound(chain, **given(bound, data)).lower != row.value.at(point)[0]


# ---------------------------------------------------------------- factors and their limits
@pytest.mark.parametrize("name", ["clique/ring/gate", "clique/complete/gate"])
def test_factors_tend_to_their_leading_terms(name):
    family = composed(name)
    point = {**usual_point(family, Fraction(1, 10**9))}
    gap = walk_gap_at(family, point)
    inside = {**point, "g": gap[0]}
    seen = 0
    for row in rows_of(name):
        if isinstance(row, NoExpression):
            continue
        for end in ("lower", "upper"):
            factor, leading = getattr(row.factor, end), getattr(row.leading, end)
            if factor == sympy.oo:
                assert leading == sympy.oo
                continue
            exact, near = (float(value_at(x, inside)[0]) for x in (factor, leading))
            assert near == pytest.approx(exact, rel=1e-6), (row.bound, row.side, end)
            seen += 1
    assert seen > 40


def test_factors_are_true_values_over_bounds():
    """What the page prints in symbols is what it prints at points."""
    name = "clique/ring/gate"
    family = composed(name)
    point = usual_point(family, Fraction(1, 10))
    inside = {**point, "g": walk_gap_at(family, point)[0]}
    at_point = {(r.bound, r.side): r.factor for r in table(family, point) if isinstance(r, Row)}
    for row in rows_of(name):
        if isinstance(row, Tightness):
            low, high = (value_at(x, inside)[0] for x in (row.factor.lower, row.factor.upper))
            here = at_point[row.bound, row.side]
            assert low * (1 - 1e-6) <= here <= high * (1 + 1e-6), (row.bound, row.side)


def test_what_holds_for_every_walk_becomes_what_holds_for_one():
    walk, ring = rows_of("clique/ring/gate", in_walk=True), rows_of("clique/ring/gate")
    family = composed("clique/ring/gate")
    point = usual_point(family, Fraction(1, 10))
    H, R, D = sympy.symbols("H R D")
    d = sympy.Symbol("d")
    numbers = {H: d * (K - d), R: K, D: sympy.Integer(2)}
    inside = {**point, "g": walk_gap_at(family, point)[0]}
    for row in ring:
        same = next(
            (
                r
                for r in walk
                if (r.bound, getattr(r, "side", "")) == (row.bound, getattr(row, "side", ""))
            ),
            None,
        )
        if isinstance(row, Tightness):
            assert isinstance(same, Tightness), row.bound
            for part in ("value", "truth"):
                ours, theirs = getattr(row, part).upper, getattr(same, part).upper.subs(numbers)
                assert value_at(ours, inside)[0] == pytest.approx(
                    float(value_at(theirs, inside)[0]), rel=1e-12
                ), (row.bound, part)


def test_leading_terms_that_the_page_speaks_of():
    """Limits that follow by hand from T_A, the gap of the walk and the pairs of clusters."""
    ring, complete = "clique/ring/gate", "clique/complete/gate"
    for name in (ring, complete):
        assert one(name, "projection-restriction").leading == known(sympy.Integer(3))
        assert one(name, "projection-restriction-sharp").leading.upper == 1
        assert one(name, "dirichlet-principle", "upper").leading.upper == 1
        assert one(name, "thomson-principle").leading.upper == 1
    walk = one(ring, "cheeger-cut", "upper", in_walk=True)
    R = sympy.Symbol("R")
    assert sympy.factor(walk.leading.upper - R / (g * (R - 1))) == 0
    limit = one(ring, "cheeger-cut", "upper").leading.upper.subs(g, 1 - sympy.cos(2 * sympy.pi / K))
    domain = catalogue.load(ring).domain
    assert growth(limit, domain) == K**2 / (2 * sympy.pi**2)
    assert one(complete, "cheeger-cut", "upper").leading.upper == 1
    assert one(ring, "state-decomposition").leading.upper == 8
    assert sympy.factor(one(complete, "state-decomposition").leading.upper - (K - 1) ** 3) == 0
    assert one(ring, "hitting-time-by-energies").leading.upper == K * M / 2


def test_gap_of_the_walk_lies_in_what_is_proved_of_it():
    for meta in ("ring", "hypercube-3"):
        family = composed(f"clique/{meta}/gate")
        point = usual_point(family, Fraction(1, 10))
        proved, (low, high) = walk_gap(family), walk_gap_at(family, point)
        bounds = proved.at(point)
        assert bounds[0] * (1 - ROUNDED) <= low <= high <= bounds[1] * (1 + ROUNDED)


# ---------------------------------------------------------------- writing and limits
def test_simplified_and_leading_are_right_or_refuse():
    domain = catalogue.load("clique/complete/gate").domain
    root = sympy.sqrt((M - epsilon) ** 2 / M**2)
    assert sympy.factor(simplified(root, domain) - (M - epsilon) / M) == 0
    assert simplified(sympy.sqrt((epsilon - 2) ** 2), domain) == 2 - epsilon
    kept = simplified(sympy.Max(M, K, M + K), domain)
    assert sympy.factor(kept - M - K) == 0
    assert leading_term(sympy.Max(0, M - epsilon), domain) == M
    assert leading_term(sympy.Min(epsilon * M, 3), domain) == M * epsilon
    assert leading_term(epsilon / (1 + sympy.sqrt(1 + epsilon)), domain) == epsilon / 2
    with pytest.raises(ValueError, match="cancel"):
        leading_term(1 - sympy.sqrt(1 + epsilon), domain)
    with pytest.raises(ValueError, match="not read off"):
        growth(sympy.Max(K, M), domain)
    point = {"K": Fraction(3), "M": Fraction(5), "epsilon": Fraction(1, 2)}
    value = sympy.Max(K, M * sympy.Min(epsilon, 1)) / 2
    assert value_at(value, point) == (Fraction(3, 2), Fraction(3, 2))
    assert value_at(sympy.sqrt(M), point) == enclose(sympy.sqrt(M), point)


def test_spans():
    assert known(K).exact
    assert not Span(K, M).exact
    assert Span(K, M).each(lambda x: 2 * x) == Span(2 * K, 2 * M)
    point = {"K": Fraction(2), "M": Fraction(3)}
    assert Span(K * g, M * g).at(point, (Fraction(1, 2), Fraction(1))) == (1, 3)


# ---------------------------------------------------------------- theorems without expressions
def test_every_theorem_has_an_expression_or_a_reason():
    assert set(RECIPES) | set(WITHOUT) == set(all_bounds())
    assert not set(RECIPES) & set(WITHOUT)
    for name in ("clique/ring/gate", "clique/complete/gate", "clique/ring/in-out"):
        told = {row.bound for row in rows_of(name)}
        assert told == set(all_bounds())
        for row in rows_of(name):
            if isinstance(row, NoExpression):
                assert row.reason
                assert "\n" not in row.reason
    done = {r.bound for r in rows_of("clique/complete/gate") if isinstance(r, Tightness)}
    assert done == set(RECIPES)


def test_reversible_theorems_are_refused_where_the_chain_is_not():
    """Just those that refuse the explicit chain."""
    name = "clique/ring/in-out"
    refused = {r.bound for r in table(catalogue.load(name), SMALL) if isinstance(r, Refusal)}
    said = {
        r.bound
        for r in rows_of(name)
        if isinstance(r, NoExpression) and r.reason == "hypothesis 'reversible' fails"
    }
    assert said == refused
    assert len(said) > 10


def test_attachments_may_spoil_reversibility():
    """A decoy joins two states alike both ways, and these have unlike masses in some kernels."""
    spoilt, kept = "complete-bipartite/complete/decoy", "clique/complete/decoy"
    for name, wanted in ((spoilt, True), (kept, False)):
        fails = False
        for point in points_of(catalogue.load(name), 24, largest=6):
            chain, data = setting_at(name, tuple(point.items()))
            try:
                all_bounds()["cheeger-cut"](chain, S=data["S"])
            except HypothesisFails as error:
                fails = fails or error.hypothesis == "reversible"
        assert fails == wanted
        assert Parts(composed(name)).reversible != wanted


def test_families_that_are_no_compositions_have_no_expressions():
    with pytest.raises(NoClaim, match="kernel/meta-graph/attachment"):
        expressions(built_in()["unequal"])


# ---------------------------------------------------------------- data
def test_carried_flow_is_a_unit_flow_and_better_than_a_path():
    """A single path has the larger energy."""
    name = "clique/ring/gate"
    chain, data = setting_at(name, tuple(usual_point(catalogue.load(name), Fraction(1, 9)).items()))
    thomson = all_bounds()["thomson-principle"]
    ours = thomson(chain, **given(thomson, data)).lower
    path = canonical_paths.shortest_paths(chain)[data["start"], min(data["target"])]
    alone = dict.fromkeys(pairwise(path), Fraction(1))
    assert thomson(chain, A=data["A"], B=data["B"], flow=alone).lower < ours
    broken = dict(data["flow"])
    broken[next(iter(broken))] += Fraction(1, 100)
    with pytest.raises(HypothesisFails, match="flow is a unit flow"):
        thomson(chain, A=data["A"], B=data["B"], flow=broken)


def test_setting_outside_the_domain():
    with pytest.raises(DomainError):
        setting(built_in()["ring"], {"K": Fraction(1), "M": Fraction(4), "epsilon": Fraction(1, 2)})


# ---------------------------------------------------------------- points
@pytest.mark.parametrize("name", [*built_in(), "star/path/in-out", "lazy-cycle/complete/gate"])
def test_no_bound_is_violated_at_points(name):
    family = catalogue.load(name)
    point = usual_point(family, Fraction(1, 10))
    rows = table(family, point)
    assert {r.bound for r in rows} == set(all_bounds())
    for row in rows:
        if isinstance(row, Row):
            assert row.factor >= 1 - SLACK, row
        else:
            assert row.hypothesis in row.message


@pytest.mark.parametrize("side", ["lower", "upper"])
def test_tightened_bounds_are_violated_at_points(side, monkeypatch):
    """A bound moved past the true value has a factor below 1."""
    family = built_in()["complete"]
    bound = all_bounds()["aggregation-hitting-time"]

    def formula(chain, **data):
        told = bound.formula(chain, **data)
        return replace(told, lower=told.lower * 2, upper=told.upper / 2)

    wrong = replace(bound, formula=formula)
    monkeypatch.setattr("numerics.tightness.all_bounds", lambda: {bound.id: wrong})
    rows = table(family, usual_point(family, Fraction(1, 100)))
    assert next(r.factor for r in rows if isinstance(r, Row) and r.side == side) < 1 - SLACK


def test_true_values_of_a_chain_known_by_hand():
    """Two states, left with probabilities 1/10 and 1/5: the second eigenvalue is 7/10."""
    chain = FiniteChain.of_rows([{1: Fraction(1, 10)}, {0: Fraction(1, 5)}])
    data = {
        "A": {0}, "B": {1}, "start": 0, "target": {1}, "state": 1, "S": {0}, "n": 3, "t": 2,
        "f": [1, 0], "delta": Fraction(1, 4), "C": {0, 1}, "clusters": [[0], [1]],
        "other": FiniteChain.of_rows([{1: Fraction(1, 2)}, {0: Fraction(1, 2)}]),
    }  # fmt: skip
    variance = 2 / 9
    wanted = {
        "spectral-gap": 0.3,
        "watched-spectral-gap": 0.3,
        "pseudo-spectral-gap": 1 - 0.49,
        "watched-pseudo-spectral-gap": 1 - 0.49,
        "mean-hitting-time": 10,
        "mean-hitting-time-from-stationarity": 5 / 3,
        "quasi-stationary-exit-time": 5,
        "survival-probability-continuous": float(sympy.exp(-sympy.Rational(2, 5)) / 3),
        "survival-probability-steps": 0.8**3 / 3,
        "capacity": 1 / 15,
        "stationary-probability": 1 / 3,
        "law-distance": 1 / 3,
        "aggregation-error": 0,
        "distance-to-stationarity": 0.7**3 * 2 / 3,
        "mixing-time": 3,
        "sum-variance": variance * (3 + 2 * (2 * 0.7 + 0.49)),
    }
    assert set(wanted) == set(TRUTHS)
    for quantity, value in wanted.items():
        bound = next(b for b in all_bounds().values() if b.quantity == quantity)
        mine = {x: v for x, v in data.items() if x != "start" or quantity == "mean-hitting-time"}
        assert truth(bound, chain, mine) == pytest.approx(value, rel=1e-12, abs=1e-15), quantity
    odd = replace(bound, quantity="unheard-of")
    with pytest.raises(ValueError, match="unheard-of"):
        truth(odd, chain, data)


# ---------------------------------------------------------------- tables
def test_tables_show_every_row():
    name = "clique/ring/gate"
    family = catalogue.load(name)
    other = catalogue.load("clique/ring/in-out")
    columns = {
        "a": [table(family, SMALL)],
        "b": [table(other, SMALL)],
    }
    shown = points_table(columns)
    sides = sum(len(b.sides) for b in all_bounds().values())
    assert len(shown.splitlines()) == sides + 2
    assert "*reversible*" in shown
    rows = {"a": rows_of(name)}
    leading = leading_table(rows)
    have = [r for r in rows["a"] if isinstance(r, Tightness)]
    assert len(leading.splitlines()) == len(have) + 2
    reasons = reasons_table(rows)
    for row in rows["a"]:
        if isinstance(row, NoExpression):
            assert row.reason in reasons
    full = expression_list(have[:2])
    assert full.count("$$") == 8
