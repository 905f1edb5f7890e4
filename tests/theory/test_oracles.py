"""Published and limiting facts that formulas and explicit chains of the families reproduce."""

from fractions import Fraction

import pytest
import sympy

from numerics import exact
from numerics.rows import concrete
from theory.claims import Derivation
from theory.domain import evaluate
from theory.family import built_in

FAMILIES = built_in()
TIMES = [
    (f.id, quantity)
    for f in FAMILIES.values()
    for quantity in Derivation(f).recipes
    if quantity.startswith(("hitting-time", "exit-time")) and "bounds" not in quantity
]
K, M, epsilon, d = sympy.symbols("K M epsilon d")


def test_two_clusters_are_path_complete_and_star(claim):
    """A hub with one leaf is a pair; the star's formula says so, though its domain starts at 3."""
    path = claim("path", "hitting-time").expression.subs(d, 1).subs(K, 2)
    complete = claim("complete", "hitting-time").expression.subs(K, 2)
    star = claim("star", "hitting-time-hub-to-leaf").expression.subs(K, 2)
    assert sympy.simplify(path - complete) == 0
    assert sympy.simplify(star - complete) == 0
    ring = claim("ring", "hitting-time").expression.subs(d, 1).subs(K, 2)
    assert sympy.simplify(ring - complete) != 0  # it has two edges each way


@pytest.mark.parametrize("quantity", ["hitting-time", "exit-time", "aggregated-hitting-time"])
def test_cliques_of_two_sizes_that_are_equal(quantity, claim):
    """They are the complete family on all clusters together; the other sizes are others."""
    K_1, K_2, M_1, M_2 = sympy.symbols("K_1 K_2 M_1 M_2")
    two = claim("unequal", quantity).expression
    one = claim("complete", quantity).expression.subs({K: K_1 + K_2, M: M_1})
    assert sympy.cancel(two.subs(M_2, M_1) - one) == 0
    if quantity != "exit-time":
        assert sympy.cancel(two - one) != 0
        mean = (K_1 * M_1 + K_2 * M_2) / (K_1 + K_2)  # what counts is the mean size
        assert sympy.cancel(two - one.subs(M_1, mean)) == 0


def test_ring_both_ways_round(claim):
    time = claim("ring", "hitting-time").expression
    assert sympy.simplify(time - time.subs(d, K - d)) == 0


def test_leaf_to_leaf_is_by_way_of_the_hub(claim):
    """By way of state 1 of the hub it takes longer than by way of its gate."""
    whole, there, back = (
        claim("star", f"hitting-time{name}").expression
        for name in ("", "-hub-to-leaf", "-leaf-to-hub")
    )
    detour = sympy.simplify(there + back - whole)
    points = FAMILIES["star"].domain.points(20, seed=1)
    assert all(evaluate(detour, point) > 0 for point in points)


@pytest.mark.parametrize(("name", "quantity"), TIMES)
def test_small_epsilon(name, quantity, claim):
    """epsilon E[tau] converges, to a positive number of order M."""
    time = claim(name, quantity).expression
    limit = sympy.limit(sympy.cancel(epsilon * time), epsilon, 0)
    assert limit.is_finite is not False
    parameters = {sympy.Symbol(p.name) for p in claim(name, quantity).domain.parameters}
    assert limit.free_symbols <= parameters - {epsilon}
    asked = claim(name, quantity).domain
    for point in asked.points(6, seed=2):
        value = evaluate(limit, point)
        assert value > 0
        near = evaluate(epsilon * time, {**point, "epsilon": Fraction(1, 10**15)})
        assert abs(near / value - 1) < Fraction(1, 10**10)


@pytest.mark.parametrize(("name", "quantity"), TIMES)
def test_epsilon_near_one(name, quantity, claim):
    """Hitting times diverge, since gates talk to gates only; to exit has become easy."""
    time = claim(name, quantity).expression
    residue = sympy.limit(sympy.cancel((1 - epsilon) * time), epsilon, 1)
    for point in claim(name, quantity).domain.points(6, seed=2):
        value = evaluate(residue, point)
        if quantity.startswith("exit-time"):
            assert value == 0
        else:
            assert value > 0
            late = evaluate(time, {**point, "epsilon": 1 - Fraction(1, 10**12)})
            assert late > 10**11


@pytest.mark.parametrize("name", FAMILIES)
def test_hitting_times_grow_with_the_cluster(name, claim):
    time, domain = claim(name, "hitting-time").expression, FAMILIES[name].domain
    sizes = [sympy.Symbol(p.name) for p in domain.parameters if p.name.startswith("M")]
    assert sizes
    for size in sizes:
        step = sympy.cancel(time.subs(size, size + 1) - time)
        assert all(evaluate(step, point) > 0 for point in domain.points(30, seed=3))


def small(name):
    family = FAMILIES[name]
    for point in family.domain.points(4, seed=8, largest=4):
        explicit = family.explicit(point)
        chain = concrete(explicit)
        columns = [exact.mean_hitting_times(chain, [target]) for target in range(chain.size)]
        yield chain, exact.stationary(chain), columns


@pytest.mark.parametrize("name", FAMILIES)
def test_kemeny_constant_does_not_depend_on_the_start(name):
    for chain, law, columns in small(name):
        sums = {
            sum(p * column[start] for p, column in zip(law, columns, strict=True))
            for start in range(chain.size)
        }
        assert len(sums) == 1
        assert sums.pop() > 0


@pytest.mark.parametrize("name", FAMILIES)
def test_reversible_with_cycle_identity(name):
    """Times round a triangle agree both ways in a reversible chain (Aldous and Fill, ch. 2)."""
    for chain, law, columns in small(name):
        flow = {(a, b): law[a] * p for a, b, p in chain.exact_entries()}
        assert all(flow[b, a] == value for (a, b), value in flow.items())

        def time(a, b, columns=columns):
            return columns[b][a]

        for b in range(1, chain.size - 1):
            onward = time(0, b) + time(b, b + 1) + time(b + 1, 0)
            assert onward == time(0, b + 1) + time(b + 1, b) + time(b, 0)


@pytest.mark.parametrize("name", FAMILIES)
def test_commute_time_across_a_bridge(name):
    """On a tree of clusters a bridge of flow w has commute time 1/w between its ends."""
    if name not in ("path", "star"):
        return
    family = FAMILIES[name]
    for point, (chain, law, columns) in zip(
        family.domain.points(4, seed=8, largest=4), small(name), strict=True
    ):
        clusters = family.explicit(point).clusters
        bridges = [(a, b, p) for a, b, p in chain.exact_entries() if clusters[a] != clusters[b]]
        assert bridges
        for a, b, p in bridges:
            assert columns[b][a] + columns[a][b] == 1 / (law[a] * p)


def test_no_return_formula(claim):
    """Mean return time to a state is 1/pi: one step, then the time home (Kac)."""
    for name in FAMILIES:
        for chain, law, columns in small(name):
            for state in range(0, chain.size, 3):
                home = sum(p * columns[state][b] for a, b, p in chain.exact_entries() if a == state)
                assert 1 + home == 1 / law[state]
