"""Every family of the registry: its chain lumps, all ways agree, its claims are proved.

The simulations here and in the judge are among those of the whole suite that share a false-alarm
rate of 1e-6: each here alarms falsely with probability ``ALARM`` = 1e-10, the judge's each with
1e-9, and there are fewer than forty in this file.  Seeds are fixed: what passes once passes always.
"""

from fractions import Fraction
from functools import partial

import numpy as np
import pytest
import scipy.sparse
import scipy.sparse.linalg
import sympy

from numerics import elimination, exact, simulate
from numerics.rows import concrete
from numerics.stattest import mean_band
from numerics.verify import METHODS, Verdict, applies, judge
from theory import checker, render
from theory.chain import leaf_at, leaves, lumping_error
from theory.claims import Derivation, law_at
from theory.enclosure import enclose
from theory.family import built_in

FAMILIES = built_in()
PROBLEMS = [(f.id, p.name) for f in FAMILIES.values() for p in f.problems()]
CLAIMS = [(f.id, quantity) for f in FAMILIES.values() for quantity in Derivation(f).recipes]
TIMES = [(f, q) for f, q in CLAIMS if q.startswith(("hitting-time", "exit-time", "aggregated-h"))]
TIMES = [(f, q) for f, q in TIMES if "bounds" not in q]
ALARM = 1e-10
REPLICAS = 4000

K, M, epsilon, d = sympy.symbols("K M epsilon d")
K_1, K_2 = sympy.symbols("K_1 K_2")


def problem_of(family, name):
    return next(p for p in family.problems() if p.name == name)


def name_of(problem):
    return f"hitting-time-{problem}" if problem else "hitting-time"


def parameters_of(name):
    return {p.name for p in FAMILIES[name].domain.parameters}


def points_of(family, n):
    """Points with the smallest K, M and d first, and some with epsilon near its ends."""
    extremes = []
    for corner in family.domain.points(1):
        for value in ("1/1000000000000", "999999/1000000"):
            extremes.append({**corner, "epsilon": Fraction(value)})
    return family.domain.points(n, seed=5) + extremes


def test_registry():
    assert {"complete", "path", "ring", "star", "unequal"} <= set(FAMILIES)
    assert len(CLAIMS) >= 43
    for name, family in FAMILIES.items():
        assert family.id == name
        assert family.__doc__
        assert family.title
        assert family.gates


def by_definition(name, blind, point):
    """The chain that the second derivations are checked on, and the rows of each cluster."""
    if name == "unequal":
        module = blind(name)
        sizes = [int(point[f"M_{i}"]) for i in (1, 2) for _ in range(int(point[f"K_{i}"]))]
        return module.chain(sizes, point["epsilon"]), module.blocks(sizes)
    size, brute = (int(point["K"]), int(point["M"])), blind("brute_force")
    clusters = [[brute.index((k, i), size[1]) for i in range(size[1])] for k in range(size[0])]
    return getattr(brute, f"{name}_chain")(*size, point["epsilon"]), clusters


# ---------------------------------------------------------------- rows
@pytest.mark.parametrize(("name", "problem"), PROBLEMS)
def test_explicit_chain_lumps_to_quotient(name, problem):
    family = FAMILIES[name]
    chains = problem_of(family, problem).chains
    points = points_of(family, 40)
    smallest = family.domain.points(1)[0]
    assert smallest in points
    for point in points:
        fitting = [c for c in leaves(chains) if c.domain.violated(point) is None]
        assert fitting == [leaf_at(chains, point)]
        place = partial(family.place, problem, point=point)
        assert lumping_error(family.explicit(point), fitting[0], point, place) is None, point


def test_smallest_values_are_reached():
    for family in FAMILIES.values():
        smallest = family.domain.points(1)[0]
        for parameter in family.domain.parameters:
            if parameter.integer:
                below = {**smallest, parameter.name: smallest[parameter.name] - 1}
                assert not family.domain.contains(below)


@pytest.mark.parametrize(("name", "problem"), PROBLEMS)
def test_rows_of_quotient_sum_to_one(name, problem):
    for chain in leaves(problem_of(FAMILIES[name], problem).chains):
        for row in chain.rows:
            assert sympy.simplify(sum(m.probability for m in row.moves) - 1) == 0, row


@pytest.mark.parametrize("name", FAMILIES)
def test_explicit_chain_is_the_one_of_the_definition(name, blind):
    """Against the chain that the second derivations are checked on."""
    family = FAMILIES[name]
    for point in points_of(family, 12):
        matrix, clusters = by_definition(name, blind, point)
        explicit = family.explicit(point)
        order = [clusters[k][i] for k, i in explicit.states]
        assert sorted(order) == list(range(len(matrix)))
        assert len(order) == family.states(point)
        for a, row in enumerate(order):
            for b, column in enumerate(order):
                if a != b:
                    assert explicit.transitions.get((a, b), 0) == matrix[row][column]


# ---------------------------------------------------------------- one value, five ways
@pytest.mark.parametrize(("name", "problem"), PROBLEMS)
def test_all_ways_to_a_hitting_time_agree(name, problem, claim):
    family = FAMILIES[name]
    formula = claim(name, name_of(problem)).expression
    for number, point in enumerate(points_of(family, 8)):
        value, same = enclose(formula, point)
        assert value == same
        explicit = family.explicit(point)
        chain = concrete(explicit)
        start = explicit.states.index(family.start(problem, point))
        target = explicit.states.index(family.target(problem, point))
        assert exact.mean_hitting_times(chain, [target])[start] == value, point
        dense = elimination.mean_hitting_times(chain, [target])
        error = abs(Fraction(float(dense.values[start])) - value)
        assert error <= Fraction(dense.relative_error_bound) * value, point
        if point["epsilon"] < Fraction(1, 100):
            continue  # the sparse solver forms 1 - sum, and there is too much to simulate
        assert sparse_solve(chain, target)[start] == pytest.approx(float(value), rel=1e-9)
        if number < 3:
            rng = np.random.default_rng(number)
            sample = simulate.hitting_times(chain, start, [target], REPLICAS, rng)
            longest = float(dense.values.max()) * (1 + 1e-9)
            low, high = mean_band(float(value), longest, REPLICAS, ALARM)
            assert low <= sample.mean <= high, point
            # not vacuous: 60 % more would be noticed
            assert (
                not mean_band(1.6 * float(value), 1.6 * longest, REPLICAS, ALARM)[0] <= sample.mean
            )


def sparse_solve(chain, target):
    """Mean times to hit a state, by SciPy's sparse LU factors of I - P."""
    size = chain.size
    rates = scipy.sparse.csr_array(
        (chain.probability, (chain.source, chain.target)), shape=(size, size)
    )
    system = scipy.sparse.diags_array(rates.sum(axis=1)) - rates
    others = [n for n in range(size) if n != target]
    times = np.zeros(size)
    inner = system.tocsr()[others][:, others].tocsc()
    times[others] = scipy.sparse.linalg.spsolve(inner, np.ones(size - 1))
    return times


# ---------------------------------------------------------------- claims
@pytest.mark.parametrize(("name", "quantity"), CLAIMS)
def test_certificate_is_accepted_and_claim_proved(name, quantity, claim, monkeypatch):
    asked, accepted = claim(name, quantity), []
    check = checker.check

    def record(certificate):
        statement = check(certificate)
        accepted.append((id(certificate), statement))
        return statement

    monkeypatch.setattr(checker, "check", record)
    judgement = judge(asked, FAMILIES[name])
    assert judgement.verdict == Verdict.PROVED, judgement.reason
    assert judgement.reason == ""
    assert accepted[-1] == (id(asked.certificate), asked.statement)
    used = {e.method for e in judgement.evidence}
    assert used == {"certificate", "rows", *(m for m in METHODS if applies(m, quantity))}
    verdicts = {e.method: e.verdict for e in judgement.evidence}
    assert [m for m, v in verdicts.items() if v == Verdict.PROVED] == ["certificate"]
    assert sum(e.false_fail_rate for e in judgement.evidence) <= 1e-9


# ---------------------------------------------------------------- second derivations
@pytest.mark.parametrize(("name", "quantity"), TIMES)
def test_formula_is_that_of_the_second_derivation(name, quantity, claim, blind):
    ours, theirs = claim(name, quantity).expression, blind(name).FORMULAS[quantity]
    assert {str(symbol) for symbol in ours.free_symbols} <= parameters_of(name)
    assert sympy.cancel(ours - theirs) == 0
    assert sympy.cancel(ours - theirs * (1 + epsilon / 1000)) != 0


@pytest.mark.parametrize("name", FAMILIES)
def test_second_derivation_leaves_no_formula_out(name, blind):
    known = {quantity for family, quantity in TIMES if family == name}
    assert set(blind(name).FORMULAS) == known


def test_formulas_of_the_reference(claim):
    """Two closed forms that were checked by hand on explicit chains before there was any code."""
    complete = (M * (1 - epsilon) + epsilon) * ((K - 1) + (K + 1) * epsilon)
    complete /= epsilon * (1 - epsilon)
    ring = (M * (1 - epsilon) + 2 * epsilon) / (epsilon * (1 - epsilon))
    ring *= (1 + epsilon) * d * (K - d) / 2 + K * epsilon
    for name, formula in (("complete", complete), ("ring", ring)):
        found = claim(name, "hitting-time").expression
        assert sympy.cancel(found - formula) == 0


def type_of(name, place):
    """What the second derivations call an orbit (a row of one)."""
    gate = "gate" in place or "forward" in place or "backward" in place
    if name == "path" and place in ("left_backward[0..0]", "right_forward[K - 1..K - 1]"):
        gate = False  # the member that has no sparse edge in an end cluster
    kind = "gate" if gate else "bulk"
    return f"{'hub' if place.startswith('hub') else 'leaf'}-{kind}" if name == "star" else kind


@pytest.mark.parametrize("name", FAMILIES)
def test_stationary_law_is_that_of_the_second_derivation(name, claim, blind):
    law = blind(name).STATIONARY
    entries = claim(name, "stationary").entries
    assert {type_of(name, e.place[0]) for e in entries} == set(law)
    for entry in entries:
        assert sympy.simplify(entry.value - law[type_of(name, entry.place[0])]) == 0, entry.place


@pytest.mark.parametrize("name", FAMILIES)
def test_law_and_aggregated_matrix_state_by_state(name, claim, blind):
    """The smallest parameters too, where rows fall away."""
    family, brute = FAMILIES[name], blind("brute_force")
    law_claim, matrix_claim = claim(name, "stationary"), claim(name, "aggregated-matrix")
    for point in family.domain.points(14, seed=6):
        chain, clusters = by_definition(name, blind, point)
        expected = brute.stationary(chain)
        law = law_at(law_claim, point)
        explicit = family.explicit(point)
        found = [law[family.place("", state, point)] for state in explicit.states]
        assert found == [expected[clusters[k][i]] for k, i in explicit.states], point
        matrix = render.values_at(matrix_claim, family, point)["value"]
        if name == "unequal":
            lumped = blind(name).aggregated(chain, expected, clusters)
        else:
            lumped = brute.aggregated(chain, expected, len(clusters[0]))
        assert matrix == [[str(entry) for entry in row] for row in lumped], point


def lumped_entry(name, source, target, entries):
    """Entry of the aggregated matrix, off the diagonal, from those of the second derivation."""
    if name == "complete":
        return entries["cluster-to-other-cluster"] * (K - 1 if source == "home" else 1)
    if name == "ring":
        return entries["cluster-to-each-neighbour"]
    if name == "star":
        if source != "hub":
            return entries["leaf-to-hub"]
        return entries["hub-to-each-leaf"] * (K - 2 if target == "leaf" else 1)
    if name == "unequal":
        size = "second" if source == "second" else "first"
        number = {"home": 1, "first": K_1 - 1, "second": K_2}[target]
        return entries[f"{size}-to-other-cluster"] * number
    end = source in ("left[0..0]", "right[K - 1..K - 1]")
    return entries["end-to-neighbour" if end else "interior-to-each-neighbour"]


@pytest.mark.parametrize("name", FAMILIES)
def test_aggregated_entries_are_those_of_the_second_derivation(name, claim, blind):
    theirs = blind(name).AGGREGATED
    sums = dict[str, sympy.Expr]()
    for entry in claim(name, "aggregated-matrix").entries:
        source, target = entry.place
        sums[source] = sums.get(source, 0) + entry.value
        stays = target == f"{source.partition('[')[0]}[j]" or target == source
        if not stays:
            expected = lumped_entry(name, source, target, theirs)
            assert sympy.simplify(entry.value - expected) == 0, entry.place
    assert all(sympy.simplify(total - 1) == 0 for total in sums.values())


@pytest.mark.parametrize("name", ["complete", "star"])
def test_exact_gap_is_that_of_the_second_derivation(name, claim, blind):
    ours, module = claim(name, "spectral-gap").expression, blind(name)
    assert sympy.simplify(sympy.expand(module.gap_polynomial(ours))) == 0
    for point in FAMILIES[name].domain.points(8, seed=7):
        low, high = enclose(ours, point)
        exact_point = {sympy.Symbol(n): sympy.Rational(x) for n, x in point.items()}
        middle = sympy.Rational(low + high) / 2
        theirs = module.GAP.subs(exact_point).evalf(40)
        assert abs(theirs / middle - 1) < sympy.Rational(1, 10**16), point
        assert low >= 0
