"""R2 and R5 with constants, and A1-A4: held against explicit chains in exact arithmetic."""

import copy
import itertools
import json
from fractions import Fraction
from functools import cache

import pytest
import sympy

from numerics import exact, quantities
from numerics.rows import concrete
from numerics.verify import Verdict, certified, judge
from theory import checker
from theory.catalogue import derivation, load
from theory.chain import ExplicitChain
from theory.claims import NoClaim
from theory.composed import product_chain
from theory.domain import evaluate
from theory.meta_graphs import meta_graphs
from theory.results import assumptions as a
from theory.results.order import leading
from theory.results.rate import (
    Rate,
    phases,
    rate,
    ratio_threshold,
    threshold,
    threshold_order,
)

EPSILON = sympy.Symbol("epsilon")
GATES = [f"clique/{meta}/gate" for meta in meta_graphs()]
OTHERS = [
    *("lazy-cycle/ring/gate", "star/complete/gate", "hypercube-3/complete/gate"),
    *("clique/ring/gates", "clique/complete/decoy", "complete-bipartite/complete/gate"),
    "clique-without-loops/path/gate",
]
QUICK = {
    *(f"clique/{meta}/gate" for meta in ("ring", "complete", "path", "star", "torus-3")),
    "star/complete/gate",
}


def each(names):
    """Parameters, of which only some are quick."""
    return [n if n in QUICK else pytest.param(n, marks=pytest.mark.slow) for n in names]


ALL = [*GATES, *OTHERS]
NOT_ONE_ORDER = {"clique/weighted-complete/gate", "clique/complete/decoy"}  # without more facts


@cache
def known(name):
    return derivation(load(name))


@cache
def found(name):
    return threshold(known(name))


@cache
def findings(name):
    return a.assumptions(known(name))


def points(name, n=4, largest=7, full=()):
    """Small points of a family's domain, not all corners; no orbit of ``full`` is empty there."""
    family = known(name).family
    tried = family.domain.points(60, seed=5, largest=largest)
    tried = [p for p in tried if all(evaluate(size, p) for size in full)]
    chosen = [p for p in tried if family.states(p) <= 45]
    assert chosen
    if len(chosen) <= n:
        return chosen
    return chosen[:: max(1, len(chosen) // n)][:n]


def hitting(chain, start, target):
    numbers = concrete(chain)
    times = exact.mean_hitting_times(numbers, [chain.states.index(target)])
    return times[chain.states.index(start)]


def aggregated(family, point):
    """T_A from the explicit chain: its law, its flows, and the chain of the clusters."""
    chain = family.explicit(point)
    law = exact.stationary(concrete(chain))
    mass: dict[int, Fraction] = {}
    flow: dict[tuple[int, int], Fraction] = {}
    for (k, _), p in zip(chain.states, law, strict=True):
        mass[k] = mass.get(k, Fraction(0)) + p
    for (x, y), p in chain.transitions.items():
        pair = chain.states[x][0], chain.states[y][0]
        if pair[0] != pair[1]:
            flow[pair] = flow.get(pair, Fraction(0)) + law[x] * p
    order = sorted(mass)
    states = tuple((k, 0) for k in order)
    moves = {(order.index(k), order.index(l)): f / mass[k] for (k, l), f in flow.items()}
    ends = [(end[0], 0) for end in (family.start("", point), family.target("", point))]
    return hitting(ExplicitChain(states, moves), *ends)


# ---------------------------------------------------------------- thresholds
@pytest.mark.parametrize("name", each(ALL))
def test_threshold_claims_are_accepted(name):
    for claim in (found(name).below, found(name).above):
        assert checker.check(claim.certificate) == claim.statement
        assert set(claim.statement["domain"]["facts"]) == set(claim.domain.all_facts)
    below, above = (c.statement for c in (found(name).below, found(name).above))
    assert below["claims"] == ["v0 >= 1*v1", "v0 <= 4*v1"]
    assert above["claims"] == ["v0 >= 4*v1"]


@pytest.mark.parametrize("name", each(ALL))
def test_sign_changes_at_the_threshold(name):
    """E - 4 T_A of the explicit chain, solved exactly just below and just above."""
    family = known(name).family
    for point in points(name, 2, largest=6):
        edge = evaluate(found(name).value, {**point, "epsilon": Fraction(1, 2)})
        assert 0 < edge < 1
        for shift in (-1, 1):
            here = {**point, "epsilon": edge * (1 + shift * Fraction(1, 1000))}
            chain = family.explicit(here)
            time = hitting(chain, family.start("", here), family.target("", here))
            excess = time - 4 * aggregated(family, here)
            assert excess * shift > 0
            side = (found(name).below, found(name).above)[shift > 0]
            assert side.domain.violated(here) is None


@pytest.mark.parametrize("name", ["clique/ring/gate", "clique/path/gate", "lazy-cycle/ring/gate"])
@pytest.mark.parametrize("side", ["below", "above"])
def test_threshold_moved_by_a_hundredth_is_refused(name, side):
    claim = getattr(found(name), side)
    fact = claim.domain.facts[-1]
    assert checker.check(claim.certificate)
    for part in ("101/100", "99/100"):
        altered = json.loads(json.dumps(claim.certificate))
        wrong = f"({part})*{fact}"
        facts = altered["statement"]["domain"]["facts"]
        facts[facts.index(fact)] = wrong
        with pytest.raises(checker.Refused):
            checker.check(altered)


def test_other_factors():
    for factor in (Fraction(3, 2), 2, 10):
        one = threshold(known("clique/ring/gate"), factor)
        for claim in (one.below, one.above):
            assert checker.check(claim.certificate) == claim.statement
        ratio = known("clique/ring/gate").claim("hitting-time").expression
        ratio /= known("clique/ring/gate").claim("aggregated-hitting-time").expression
        at = sympy.cancel(ratio.subs(EPSILON, one.value))
        assert at == sympy.Rational(Fraction(factor).numerator, Fraction(factor).denominator)


def test_no_threshold():
    with pytest.raises(NoClaim, match="T_A exactly"):
        threshold(known("clique/ring/in-out"))
    with pytest.raises(NoClaim, match="at most 1"):
        threshold(known("clique/ring/gate"), 1)
    with pytest.raises(NoClaim, match="that of the clusters"):
        known("clique/ring/in-out").claim("hitting-time-bounds-threshold")
    with pytest.raises(NoClaim, match="no distance d"):
        rate(known("clique/star/gate"), near=True)


def test_threshold_is_a_claim_like_the_others():
    for name in ("clique/ring/gate", "star/complete/gate"):
        derived = known(name)
        claim = derived.claim("hitting-time-bounds-threshold")
        family = derived.family
        near = [p for p in claim.domain.points(12, seed=1) if family.states(p) <= 60][:2]
        assert near
        assert judge(claim, family, ("exact",), near).verdict == Verdict.PROVED
        tight = copy.deepcopy(claim)
        object.__setattr__(tight, "upper", claim.upper * sympy.Rational(9, 10))
        assert certified(tight).verdict == Verdict.UNDECIDED


@pytest.mark.parametrize("bound", [1, Fraction(1, 2), Fraction(1, 10)])
@pytest.mark.parametrize("name", ["clique/ring/gate", "clique/complete/gate"])
def test_metastability_threshold(name, bound):
    one = ratio_threshold(known(name), bound)
    for claim, side in ((one.below, "<="), (one.above, ">=")):
        assert checker.check(claim.certificate) == claim.statement
        assert claim.statement["claims"] == [f"v0 {side} {bound}"]
        altered = json.loads(json.dumps(claim.certificate))
        moved = Fraction(bound) * Fraction(99 if side == "<=" else 101, 100)
        altered["statement"]["claims"] = [f"v0 {side} {moved}"]
        with pytest.raises(checker.Refused):
            checker.check(altered)


# ---------------------------------------------------------------- orders
@pytest.mark.parametrize(
    "name", each(n for n in ALL if n not in NOT_ONE_ORDER | {"lazy-cycle/ring/gate"})
)
def test_order_holds_on_explicit_chains(name):
    derived = known(name)
    one = rate(derived)
    assert checker.check(one.order.certificate) == one.order.certificate["statement"]
    family, tried = derived.family, 0
    for point in points(name, 12, largest=6):
        here = {**point, "epsilon": min(point["epsilon"], Fraction(1, 7))}
        here |= {n: evaluate(sympy.sympify(x), here) for n, x in one.domain.values.items()}
        if one.domain.violated(here) or tried == 2 or family.states(here) > 60:
            continue
        tried += 1
        low, high = (
            x * evaluate(one.order.order, here) for x in (one.order.lower, one.order.upper)
        )
        assert low <= here["epsilon"] * aggregated(family, here) <= high
        tiny = {**here, "epsilon": Fraction(1, 10**9)}
        time = hitting(family.explicit(tiny), family.start("", tiny), family.target("", tiny))
        scale = evaluate(one.clusters * one.states, here)
        limit = evaluate(one.limit, here)
        assert abs(tiny["epsilon"] * time / scale / limit - 1) < Fraction(1, 10**5)
    assert tried


ORDERS = {
    ("clique/ring/gate", False): ("K**2*M", False),
    ("clique/ring/gate", True): ("K*M", True),
    ("clique/complete/gate", False): ("K*M", True),
    ("clique/star/gate", False): ("K*M", True),
    ("clique/path/gate", False): ("K**2*M", False),
    ("clique/directed-ring/gate", False): ("K*M", True),
    ("clique/directed-ring/gate", True): ("M", False),
    ("clique/barbell/gate", False): ("M*s*(m**2 + s)", False),
}


@pytest.mark.parametrize(("name", "near"), ORDERS)
def test_order_of_the_paper_or_another(name, near):
    one = rate(known(name), near)
    order, usual = ORDERS[name, near]
    assert sympy.expand(one.order.order - sympy.sympify(order)) == 0
    assert (one.usual is not None) == usual
    assert (one.escape is not None) == (not usual)
    if one.usual:
        assert checker.check(one.usual.certificate) == one.usual.certificate["statement"]


def test_altered_order_is_refused():
    one = rate(known("clique/ring/gate")).order
    for change in ((0, "(1)*", "(2)*"), (1, "(1)*", "(1/9)*")):
        number, old, new = change
        altered = json.loads(json.dumps(one.certificate))
        claims = altered["statement"]["claims"]
        claims[number] = claims[number].replace(f"({one.lower})*", old).replace(old, new)
        assert claims != one.certificate["statement"]["claims"]
        with pytest.raises(checker.Refused):
            checker.check(altered)


def test_threshold_of_slow_clusters_falls():
    cycle = known("lazy-cycle/ring/gate")
    even = {"M": "2*h"}
    one = threshold_order(cycle, found("lazy-cycle/ring/gate"), near=True, values=even)
    assert sympy.cancel(one.order - 1 / sympy.Symbol("h")) == 0
    assert checker.check(one.certificate) == one.certificate["statement"]
    ring = threshold_order(known("clique/ring/gate"), found("clique/ring/gate"))
    assert ring.order == 1
    directed = threshold_order(
        known("clique/directed-ring/gate"), found("clique/directed-ring/gate"), near=True
    )
    assert sympy.cancel(directed.order - 1 / sympy.Symbol("K")) == 0


def test_leading_terms():
    x, y = sympy.symbols("x y")
    assert sympy.expand(leading(3 * x**2 * y - 2 * x + y**2, [x, y]) - x**2 * y - y**2) == 0
    assert leading((x + 1) / (2 * x**2 + y), [x]) == 1 / x


# ---------------------------------------------------------------- phases
def test_phases():
    ring = known("clique/ring/gate")
    chosen = [
        {"K": Fraction(6), "d": Fraction(3), "M": Fraction(4), "epsilon": Fraction(n, 20)}
        for n in (1, 9, 11, 14, 19)
    ]
    told = phases(ring, chosen)
    for point, phase in zip(chosen, told, strict=True):
        chain = ring.family.explicit(point)
        time = hitting(chain, ring.family.start("", point), ring.family.target("", point))
        assert phase.rate == (time <= 4 * aggregated(ring.family, point))
        assert phase.metastable == (2 * point["epsilon"] < 1)
    assert {p.rate for p in told} == {p.metastable for p in told} == {True, False}
    assert (
        phases(known("star/complete/gate"), points("star/complete/gate", 1))[0].metastable is None
    )


# ---------------------------------------------------------------- assumptions
@pytest.mark.parametrize(
    "name", each([*ALL, "star/ring/gates", "clique/ring/in-out", "clique/ring/split"])
)
def test_masses_and_edges_of_explicit_chains(name):
    family, told = known(name).family, findings(name)
    constants = {c.symbol: c for f in told.values() for c in f.constants}
    number = 1 if name == "lazy-cycle/ring/gate" else 3
    sizes = [o.size for o in family.cluster.chain.orbits.values() if o.index is None]
    for point in points(name, number, full=sizes):
        chain = family.explicit(point)
        law = exact.stationary(concrete(chain))
        home = chain.states[0][0]
        own = [p for (k, _), p in zip(chain.states, law, strict=True) if k == home]
        scaled = [p * len(own) / sum(own) for p in own]
        low, high = (constants[c].at(point) for c in ("c_1", "c_2"))
        assert (low, high) == (min(scaled), max(scaled))
        edges = {
            (x, y): p / point["epsilon"]
            for (x, y), p in chain.transitions.items()
            if chain.states[x][0] != chain.states[y][0]
        }
        assert constants["c_3"].at(point) <= min(edges.values())
        assert constants["c_4"].at(point) >= max(edges.values())
        out = {x: sum(a == x for a, _ in edges) for x, _ in edges}
        assert constants[r"d_{\mathrm{out}}"].at(point) >= max(out.values())
        exits = {x for x, _ in edges if chain.states[x][0] == home}
        assert constants[r"n_{\mathrm{out}}"].at(point) == len(exits)


@pytest.mark.parametrize("name", each(GATES))
def test_edges_and_distance_are_attained(name):
    """Somewhere the least and largest edges are those of the formula, and always the distance."""
    family, told = known(name).family, findings(name)
    constants = {c.symbol: c.value for f in told.values() for c in f.constants}
    hit = set()
    for point in family.domain.points(20, seed=9, largest=9):
        walk = family.meta.walk(point)
        hit |= {"c_3"} if min(walk.values()) == evaluate(constants["c_3"], point) else set()
        hit |= {"c_4"} if max(walk.values()) == evaluate(constants["c_4"], point) else set()
        near: dict[int, list[int]] = {}
        for k, l in walk:
            near.setdefault(k, []).append(l)
        hit |= (
            {"d"}
            if max(map(len, near.values())) == evaluate(constants[r"d_{\mathrm{out}}"], point)
            else set()
        )
        start, target = family.meta.ends(point)
        steps, reached = 0, {start}
        while target not in reached:
            reached |= {l for k in reached for l in near[k]}
            steps += 1
        assert evaluate(constants[r"\ell"], point) == steps
    assert hit == {"c_3", "c_4", "d"}


def exit_laws(family, point):
    """From each state of cluster 0, the law of the gate by which two clusters are left."""
    inside, steps = family.attachment.explicit(family.kernel, point)
    members = sorted({i for pair in (*inside, *steps) for i in pair})
    gates = sorted({i for i, _ in steps})
    leave = {g: sum(p for (i, _), p in steps.items() if i == g) for g in gates}
    out = []
    for gate in gates:  # the gate, absorbing, against the others: a mean of an indicator
        matrix = sympy.eye(len(members))
        for (x, y), p in inside.items():
            matrix[x, y] -= sympy.Rational(p.numerator, p.denominator)
            matrix[x, x] -= 0
        for x in members:
            stay = 1 - sum(p for (b, _), p in inside.items() if b == x) - leave.get(x, Fraction(0))
            matrix[x, x] -= sympy.Rational(stay.numerator, stay.denominator)
        right = sympy.zeros(len(members), 1)
        right[gate] = sympy.Rational(leave[gate].numerator, leave[gate].denominator)
        out.append(matrix.LUsolve(right))
    return [[column[x] for column in out] for x in members]


@pytest.mark.parametrize(
    "name",
    [
        *("clique/ring/gate", "clique/ring/gates", "star/ring/gates"),
        pytest.param("lazy-cycle/ring/gate", marks=pytest.mark.slow),
    ],
)
def test_exit_laws_from_every_state(name):
    family = known(name).family
    (constant,) = findings(name)["A4"].constants
    tried = 0
    for point in points(name, 12):
        laws = exit_laws(family, point)
        assert all(sum(law) == 1 for law in laws)
        far = max(
            sum(abs(x - y) for x, y in zip(p, q, strict=True)) / 2
            for p, q in itertools.product(laws, laws)
        )
        if point.get("n", 2) >= 2:
            tried += 1
            assert far == evaluate(constant.value, point)
        if tried == 3:
            break
    assert tried


@pytest.mark.parametrize(
    "name", ["lazy-cycle/ring/gate", "hypercube-3/ring/gate", "star/ring/gate"]
)
def test_gamma_is_a_bound(name):
    """gamma_ps of the explicit stochastic complement is at least the constant."""
    family = known(name).family
    gamma = findings(name)["A1"].constants[0]
    assert gamma.bound == ">="
    for point in points(name, 2):
        inside, steps = family.attachment.explicit(family.kernel, point)
        two = product_chain(inside, steps, {(0, 1): Fraction(1), (1, 0): Fraction(1)})
        states = [n for n, (k, _) in enumerate(two.states) if k == 0]
        watched = quantities.stochastic_complement(concrete(two), states, "exact").value
        value = quantities.pseudo_spectral_gap(watched, "float").value
        assert float(evaluate(gamma.value, point)) <= float(value) * (1 + 1e-9)


STATUS = {
    "clique/ring/gate": "met met met met",
    "clique/path/gate": "met met met met",
    "clique/directed-ring/gate": "met met met met",
    "clique/complete/gate": "met broken broken met",
    "clique/star/gate": "met broken broken met",
    "lazy-cycle/ring/gate": "varies met met met",
    "clique/ring/gates": "open varies met met",
}


@pytest.mark.parametrize("name", STATUS)
def test_what_becomes_of_the_assumptions(name):
    told = findings(name)
    assert list(told) == ["A1", "A2", "A3", "A4"]
    assert " ".join(f.status for f in told.values()) == STATUS[name]
    assert all(len(f.reason.split()) > 3 for f in told.values())
    for finding in told.values():
        for constant in finding.constants:
            assert constant.latex in finding.latex
            if constant.order:
                proof = constant.order.certificate
                assert checker.check(proof) == proof["statement"]


def test_slow_clusters():
    gamma = findings("lazy-cycle/ring/gate")["A1"].constants[0]
    assert sympy.cancel(gamma.order.order * sympy.Symbol("M") ** 2) == 1
    assert isinstance(rate(known("lazy-cycle/ring/gate"), values={"M": "2*h"}), Rate)
