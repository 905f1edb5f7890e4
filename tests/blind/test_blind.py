"""Every closed form against exact rational linear algebra on the explicit chain."""

from fractions import Fraction

import pytest
import sympy

from . import brute_force as brute
from . import complete, path, ring, star, unequal

POINTS = [
    (2, 3, Fraction(1, 2)),
    (2, 3, Fraction(99, 100)),
    (2, 4, Fraction(2, 7)),
    (2, 5, Fraction(9, 10)),
    (3, 3, Fraction(1, 3)),
    (3, 3, Fraction(97, 100)),
    (3, 4, Fraction(3, 5)),
    (4, 3, Fraction(1, 1000)),
    (4, 4, Fraction(7, 10)),
    (5, 3, Fraction(997, 1000)),
    (5, 4, Fraction(3, 8)),
    (6, 3, Fraction(5, 6)),
    (7, 3, Fraction(4, 9)),
]
POINTS_FROM_TWO_MEMBERS = [
    (2, 2, Fraction(1, 2)),
    (2, 2, Fraction(999, 1000)),
    (3, 2, Fraction(1, 4)),
    (3, 2, Fraction(95, 97)),
    (5, 2, Fraction(3, 4)),
    *POINTS,
    (3, 8, Fraction(11, 13)),
]
STAR_POINTS = [point for point in POINTS_FROM_TWO_MEMBERS if point[0] >= 3]
# K_1, M_1, K_2, M_2 and epsilon: the second size smaller, larger and equal, one cluster and many.
UNEQUAL_POINTS = [
    (2, 2, 1, 2, Fraction(1, 2)),
    (2, 2, 1, 5, Fraction(999, 1000)),
    (2, 5, 1, 2, Fraction(2, 7)),
    (2, 3, 2, 4, Fraction(1, 1000)),
    (2, 3, 4, 2, Fraction(97, 100)),
    (3, 2, 1, 4, Fraction(3, 5)),
    (3, 3, 2, 3, Fraction(1, 3)),
    (3, 4, 3, 2, Fraction(11, 13)),
    (4, 2, 2, 5, Fraction(5, 6)),
    (5, 3, 1, 6, Fraction(3, 8)),
]
# Half the width of the interval in which the gap is certified.
TOLERANCE = Fraction(1, 10**20)


def exact(value: Fraction) -> sympy.Expr:
    return sympy.Rational(value.numerator, value.denominator)


def at(formula: sympy.Expr, point: tuple[int, int, Fraction], d: int | None = None) -> sympy.Expr:
    values = {"K": point[0], "M": point[1], "epsilon": exact(point[2])}
    if d is not None:
        values["d"] = d
    return formula.subs({sympy.Symbol(name): value for name, value in values.items()})


def check_law(law: list[Fraction], expected: list[sympy.Expr]) -> None:
    assert [exact(value) for value in law] == expected


def check_off_diagonal(chain: brute.Matrix, expected: dict[tuple[int, int], sympy.Expr]) -> None:
    for k, row in enumerate(chain):
        for other, value in enumerate(row):
            if k != other:
                assert exact(value) == expected.get((k, other), 0)


def smallest_root(polynomial: sympy.Expr) -> sympy.Expr:
    """Return the smallest root of a polynomial in one variable, all of whose roots are real."""
    (g,) = polynomial.free_symbols
    return min(sympy.re(root) for root in sympy.Poly(polynomial, g).nroots(n=60, maxsteps=500))


def check_gap(matrix: brute.Matrix, law: list[Fraction], gap: sympy.Expr) -> None:
    """Certify that the second largest eigenvalue lies within TOLERANCE of 1 - gap."""
    digits = int(sympy.floor(gap.evalf(60) * 10**40))
    second = 1 - Fraction(digits, 10**40)
    assert brute.eigenvalues_above(matrix, law, second + TOLERANCE) == 1
    assert brute.eigenvalues_above(matrix, law, second - TOLERANCE) >= 2


@pytest.mark.parametrize("point", POINTS_FROM_TWO_MEMBERS)
def test_complete(point: tuple[int, int, Fraction]) -> None:
    clusters, members, _ = point
    matrix = brute.complete_chain(*point)
    law = brute.stationary(matrix)
    lumped = brute.aggregated(matrix, law, members)
    formulas = {name: at(formula, point) for name, formula in complete.FORMULAS.items()}
    time = brute.hitting_time(matrix, 1, members + 1)
    assert exact(time) == formulas["hitting-time"]
    time = brute.exit_time(matrix, members, (0, members - 1))
    assert exact(time) == formulas["exit-time"]
    time = brute.hitting_time(lumped, 0, 1)
    assert exact(time) == formulas["aggregated-hitting-time"]
    gate, bulk = (at(complete.STATIONARY[kind], point) for kind in ("gate", "bulk"))
    check_law(law, ([gate] + [bulk] * (members - 1)) * clusters)
    entry = at(complete.AGGREGATED["cluster-to-other-cluster"], point)
    pairs = [(k, other) for k in range(clusters) for other in range(clusters) if k != other]
    check_off_diagonal(lumped, dict.fromkeys(pairs, entry))
    g = sympy.Symbol("g")
    check_gap(matrix, law, smallest_root(at(complete.gap_polynomial(g), point)))
    check_gap(matrix, law, at(complete.GAP, point))


@pytest.mark.parametrize("point", POINTS)
def test_ring(point: tuple[int, int, Fraction]) -> None:
    clusters, members, _ = point
    matrix = brute.ring_chain(*point)
    law = brute.stationary(matrix)
    lumped = brute.aggregated(matrix, law, members)
    for d in range(1, clusters):
        time = brute.hitting_time(matrix, 2, brute.index((d, 2), members))
        assert exact(time) == at(ring.FORMULAS["hitting-time"], point, d)
        time = brute.hitting_time(lumped, 0, d)
        assert exact(time) == at(ring.FORMULAS["aggregated-hitting-time"], point, d)
    time = brute.exit_time(matrix, members, (0, 2))
    assert exact(time) == at(ring.FORMULAS["exit-time"], point)
    gate, bulk = (at(ring.STATIONARY[kind], point) for kind in ("gate", "bulk"))
    check_law(law, ([gate] * 2 + [bulk] * (members - 2)) * clusters)
    entry = at(ring.AGGREGATED["cluster-to-each-neighbour"], point)
    expected: dict[tuple[int, int], sympy.Expr] = {}
    for k in range(clusters):
        # With two clusters both steps lead to the same one and the entries add up.
        for other in ((k + 1) % clusters, (k - 1) % clusters):
            expected[k, other] = expected.get((k, other), sympy.Integer(0)) + entry
    check_off_diagonal(lumped, expected)
    cosine = sympy.cos(2 * sympy.pi / clusters)
    polynomial = at(ring.gap_polynomial(sympy.Symbol("g"), cosine), point)
    check_gap(matrix, law, smallest_root(polynomial))


@pytest.mark.parametrize("point", POINTS)
def test_path(point: tuple[int, int, Fraction]) -> None:
    clusters, members, _ = point
    matrix = brute.path_chain(*point)
    law = brute.stationary(matrix)
    lumped = brute.aggregated(matrix, law, members)
    for d in range(1, clusters):
        time = brute.hitting_time(matrix, 2, brute.index((d, 2), members))
        assert exact(time) == at(path.FORMULAS["hitting-time"], point, d)
        time = brute.hitting_time(lumped, 0, d)
        assert exact(time) == at(path.FORMULAS["aggregated-hitting-time"], point, d)
    gate, bulk = (at(path.STATIONARY[kind], point) for kind in ("gate", "bulk"))
    expected_law: list[sympy.Expr] = []
    expected: dict[tuple[int, int], sympy.Expr] = {}
    for k in range(clusters):
        last, end = k == clusters - 1, k in (0, clusters - 1)
        time = brute.exit_time(matrix, members, (k, 2))
        assert exact(time) == at(path.FORMULAS["exit-time" if end else "exit-time-interior"], point)
        gates = [bulk if last else gate, bulk if k == 0 else gate]
        expected_law += gates + [bulk] * (members - 2)
        entry = path.AGGREGATED["end-to-neighbour" if end else "interior-to-each-neighbour"]
        expected[k, k - 1] = expected[k, k + 1] = at(entry, point)
    check_law(law, expected_law)
    check_off_diagonal(lumped, expected)


@pytest.mark.parametrize("point", STAR_POINTS)
def test_star(point: tuple[int, int, Fraction]) -> None:
    clusters, members, _ = point
    matrix = brute.star_chain(*point)
    law = brute.stationary(matrix)
    lumped = brute.aggregated(matrix, law, members)
    formulas = {name: at(formula, point) for name, formula in star.FORMULAS.items()}
    for suffix, start, target in (("", 1, 2), ("-hub-to-leaf", 0, 1), ("-leaf-to-hub", 1, 0)):
        first, last = (brute.index((cluster, 1), members) for cluster in (start, target))
        time = brute.hitting_time(matrix, first, last)
        assert exact(time) == formulas["hitting-time" + suffix]
        time = brute.hitting_time(lumped, start, target)
        assert exact(time) == formulas["aggregated-hitting-time" + suffix]
    assert exact(brute.exit_time(matrix, members, (1, members - 1))) == formulas["exit-time"]
    assert exact(brute.exit_time(matrix, members, (0, members - 1))) == formulas["exit-time-hub"]
    kinds = {kind: at(formula, point) for kind, formula in star.STATIONARY.items()}
    hub = [kinds["hub-gate"]] + [kinds["hub-bulk"]] * (members - 1)
    leaf = [kinds["leaf-gate"]] + [kinds["leaf-bulk"]] * (members - 1)
    check_law(law, hub + leaf * (clusters - 1))
    expected: dict[tuple[int, int], sympy.Expr] = {}
    for k in range(1, clusters):
        expected[k, 0] = at(star.AGGREGATED["leaf-to-hub"], point)
        expected[0, k] = at(star.AGGREGATED["hub-to-each-leaf"], point)
    check_off_diagonal(lumped, expected)
    g = sympy.Symbol("g")
    check_gap(matrix, law, smallest_root(at(star.gap_polynomial(g), point)))
    check_gap(matrix, law, at(star.GAP, point))


@pytest.mark.parametrize("point", UNEQUAL_POINTS)
def test_unequal(point: tuple[int, int, int, int, Fraction]) -> None:
    first, first_members, second, second_members, epsilon = point
    sizes = [first_members] * first + [second_members] * second
    values = dict(zip(("K_1", "M_1", "K_2", "M_2"), point[:4], strict=True))
    parameters = {sympy.Symbol(name): value for name, value in values.items()}
    parameters[sympy.Symbol("epsilon")] = exact(epsilon)
    formulas = {name: formula.subs(parameters) for name, formula in unequal.FORMULAS.items()}
    matrix = unequal.chain(sizes, epsilon)
    assert all(sum(row) == 1 for row in matrix)
    law = brute.stationary(matrix)
    clusters = unequal.blocks(sizes)
    lumped = unequal.aggregated(matrix, law, clusters)
    time = brute.hitting_time(matrix, clusters[0][1], clusters[1][1])
    assert exact(time) == formulas["hitting-time"]
    for name, cluster in (("exit-time", clusters[0]), ("exit-time-second", clusters[-1])):
        time = brute.mean_time_to_leave(matrix, cluster[1], cluster)
        assert exact(time) == formulas[name]
    time = brute.hitting_time(lumped, 0, 1)
    assert exact(time) == formulas["aggregated-hitting-time"]
    gate, bulk = (unequal.STATIONARY[kind].subs(parameters) for kind in ("gate", "bulk"))
    check_law(law, [value for size in sizes for value in [gate] + [bulk] * (size - 1)])
    entries = {
        name: unequal.AGGREGATED[name + "-to-other-cluster"].subs(parameters)
        for name in ("first", "second")
    }
    expected = {
        (k, other): entries["first" if k < first else "second"]
        for k in range(len(sizes))
        for other in range(len(sizes))
        if k != other
    }
    check_off_diagonal(lumped, expected)


@pytest.mark.parametrize("name", complete.FORMULAS)
def test_unequal_of_one_size_is_complete(name: str) -> None:
    first, second, members = sympy.symbols("K_1 K_2 M")
    one_size = unequal.FORMULAS[name].subs({unequal.M_1: members, unequal.M_2: members})
    formula = complete.FORMULAS[name].subs({complete.K: first + second})
    assert sympy.cancel(one_size - formula) == 0
