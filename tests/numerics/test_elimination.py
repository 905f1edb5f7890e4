"""State reduction and exact solves: against each other and against published facts."""

from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction
from itertools import combinations, pairwise, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from numerics import elimination, exact
from numerics.chain import Chain, ChainError

ClusterRow = Callable[[Sequence[int], Fraction, int], Chain]
GraphWalk = Callable[[int, Iterable[tuple[int, int]]], Chain]

SIZES = (5, 9, 4, 12, 7, 11)
EXPONENTS = (1, 3, 9, 15, 16, 30, 120, 280)


def worst_error(values: Iterable[float | Fraction], reference: Iterable[Fraction]) -> float:
    """Largest relative error, exactly computed; zeros must agree."""
    worst = Fraction(0)
    for value, true in zip(values, reference, strict=True):
        if true == 0:
            assert value == 0.0
        else:
            worst = max(worst, abs(Fraction(value) - true) / true)
    return float(worst)


@pytest.mark.parametrize("exponent", EXPONENTS)
@pytest.mark.parametrize("seed", [0, 1])
def test_entrywise_accurate_at_any_epsilon(
    exponent: int, seed: int, cluster_row: ClusterRow
) -> None:
    chain = cluster_row(SIZES, Fraction(1, 10**exponent), seed)
    last = chain.size - 1
    for targets in ([last], [0], [20], [3, last]):
        solution = elimination.mean_hitting_times(chain, targets)
        error = worst_error(solution.values.tolist(), exact.mean_hitting_times(chain, targets))
        assert error <= solution.relative_error_bound < 2e-12
        assert error < 1e-14
    solution = elimination.stationary(chain)
    error = worst_error(solution.values.tolist(), exact.stationary(chain))
    assert error <= solution.relative_error_bound < 2e-12
    assert error < 1e-14


@pytest.mark.parametrize("exponent", [16, 30])
def test_lu_of_one_minus_p_is_wrong_there(exponent: int, cluster_row: ClusterRow) -> None:
    chain = cluster_row(SIZES, Fraction(1, 10**exponent), 0)
    last = chain.size - 1
    transition = chain.rates()
    np.fill_diagonal(transition, 1.0 - transition.sum(axis=1))
    try:
        naive = np.linalg.solve((np.eye(chain.size) - transition)[:last, :last], np.ones(last))
    except np.linalg.LinAlgError:
        return
    good = elimination.mean_hitting_times(chain, [last]).values[:last]
    assert np.max(np.abs(naive / good - 1)) > 1e-2


@settings(max_examples=300, deadline=None, derandomize=True)
@given(data=st.data())
def test_any_chain_in_any_order(data: st.DataObject) -> None:
    """Entries over hundreds of orders of magnitude: within the bound, whatever the range."""
    size = data.draw(st.integers(2, 7))
    absent = 999
    kinds = st.sampled_from([absent, absent, 0, 1, 2, 40, 90, 91, 150])
    entries = []
    for i in range(size):
        for j, exponent in enumerate(data.draw(st.lists(kinds, min_size=size, max_size=size))):
            if i != j and exponent != absent:
                entries.append((i, j, Fraction(1, size * 7**exponent)))
            elif j == (i + 1) % size:
                entries.append((i, j, Fraction(1, size)))
    chain = Chain.from_entries(map(str, range(size)), entries)
    target = data.draw(st.integers(0, size - 1))
    reference = exact.mean_hitting_times(chain, [target])
    for solution, reference in (
        (
            elimination.mean_hitting_times(chain, [target]),
            exact.mean_hitting_times(chain, [target]),
        ),
        (elimination.stationary(chain), exact.stationary(chain)),
    ):
        values = [solution.fraction(state) for state in range(size)]
        assert worst_error(values, reference) <= solution.relative_error_bound
        positive = [x for x in reference if x]
        top, tiny = Fraction(np.finfo(float).max), Fraction(np.finfo(float).tiny)
        if positive and not (tiny <= min(positive) and max(positive) <= top):
            with pytest.raises(ChainError, match="the range of a double"):
                _ = solution.values


def test_result_does_not_depend_on_the_numbering(cluster_row: ClusterRow) -> None:
    chain = cluster_row(SIZES, Fraction(1, 10**280), 2)
    order = np.random.default_rng(7).permutation(chain.size)
    place = np.argsort(order)
    shuffled = Chain.from_entries(
        [chain.states[i] for i in order],
        [(int(place[i]), int(place[j]), p) for i, j, p in chain.exact_entries()],
    )
    straight = elimination.mean_hitting_times(chain, [0]).values
    mixed = elimination.mean_hitting_times(shuffled, [int(place[0])]).values[place]
    np.testing.assert_allclose(mixed, straight, rtol=1e-14)


def rare_ring(epsilon: Fraction, rungs: int = 1) -> Chain:
    """Two states, 0 and 1, that swap at a rate of order epsilon^(rungs + 1).

    The way from one to the other climbs `rungs` states, each of which goes on with probability
    epsilon and falls back to the start with probability 1/2.
    """
    entries = []
    for start, first in ((0, 2), (1, 2 + rungs)):
        climb = [start, *range(first, first + rungs), 1 - start]
        entries += [(here, there, epsilon) for here, there in pairwise(climb)]
        entries += [(rung, start, Fraction(1, 2)) for rung in climb[1:-1]]
    return Chain.from_entries(map(str, range(2 + 2 * rungs)), entries)


@pytest.mark.parametrize(
    ("exponent", "rungs"), [(3, 1), (100, 1), (200, 1), (305, 1), (100, 3), (60, 5), (20, 15)]
)
def test_products_below_the_range_of_a_double_count(exponent: int, rungs: int) -> None:
    """A product of entries that is no double alone says that the two states weigh the same."""
    chain = rare_ring(Fraction(1, 10**exponent), rungs)
    solution = elimination.stationary(chain)
    assert worst_error(solution.values.tolist(), exact.stationary(chain)) < 1e-14
    assert solution.values[:2] == pytest.approx([0.5, 0.5], rel=0.01)


@pytest.mark.parametrize("scale", [2**255, 2**256, 2**257, 2**768])
def test_sums_over_rates_of_different_bands(scale: int) -> None:
    """Numbers are held in bands that meet at 2^-256 and 2^-768; sums must not notice."""
    parts = [Fraction(3, 2), Fraction(1), Fraction(3, 4), Fraction(1, 3)]
    out = [(4, j, part / scale) for j, part in enumerate(parts)]
    back = [(j, 4, Fraction(1, 2)) for j in range(1, 4)]
    chain = Chain.from_entries("abcde", [*out, *back])
    solution = elimination.mean_hitting_times(chain, [0])
    reference = exact.mean_hitting_times(chain, [0])
    assert worst_error(solution.values.tolist(), reference) < 1e-15


def test_entries_below_the_range_of_a_double_count() -> None:
    tiny = Fraction(1, 10**1000)
    chain = Chain.from_entries("abc", [(0, 1, tiny), (1, 0, 2 * tiny), (0, 2, tiny), (2, 0, tiny)])
    assert elimination.stationary(chain).values == pytest.approx([0.4, 0.2, 0.4], rel=1e-15, abs=0)


def test_values_outside_the_range_of_a_double_are_refused() -> None:
    chain = rare_ring(Fraction(1, 10**160))
    with pytest.raises(ChainError, match=r"from state '0' exceeds 1\.8e308.*use exact"):
        _ = elimination.mean_hitting_times(chain, [1]).values
    assert exact.mean_hitting_times(chain, [1])[0] > 10**308
    ends = Chain.from_entries("ab", [(0, 1, Fraction(1, 10**310)), (1, 0, Fraction(1))])
    with pytest.raises(ChainError, match=r"of state 'b' is below 2\.2e-308.*use exact"):
        _ = elimination.stationary(ends).values


@pytest.mark.parametrize("solver", [elimination, exact])
def test_infinite_times_and_reducible_chains_are_refused(solver) -> None:
    chain = Chain.from_entries(
        "abc", [(0, 1, Fraction(1)), (0, 2, Fraction(0)), (1, 0, Fraction(1))]
    )
    with pytest.raises(ChainError, match="unreachable target: state 'c'"):
        solver.mean_hitting_times(chain, [0])
    with pytest.raises(ChainError, match="'c' is not reached from 'a'"):
        solver.stationary(chain)
    one_way = Chain.from_entries("ab", [(0, 1, Fraction(1))])
    with pytest.raises(ChainError, match="'a' is not reached from 'b'"):
        solver.stationary(one_way)
    with pytest.raises(ChainError, match="state number 5"):
        solver.mean_hitting_times(chain, [5])
    with pytest.raises(ChainError, match="at least one"):
        solver.mean_hitting_times(chain, [])


@pytest.mark.parametrize("solver", [elimination, exact])
def test_trivial_chains(solver) -> None:
    one = Chain.from_entries("a", [])
    two = Chain.from_entries("ab", [(0, 1, Fraction(1, 4)), (1, 0, Fraction(1, 2))])

    def values(answer) -> list[float]:
        return [float(value) for value in getattr(answer, "values", answer)]

    assert values(solver.stationary(one)) == [1.0]
    assert values(solver.mean_hitting_times(one, [0])) == [0.0]
    assert values(solver.mean_hitting_times(two, [0, 1])) == [0.0, 0.0]
    assert values(solver.mean_hitting_times(two, [1])) == [4.0, 0.0]


def test_float_chains_are_taken_at_their_word() -> None:
    rng = np.random.default_rng(5)
    rates = rng.random((12, 12)) / 20
    source, target = np.nonzero(~np.eye(12, dtype=bool))
    chain = Chain.from_floats(map(str, range(12)), source, target, rates[source, target])
    solution = elimination.mean_hitting_times(chain, [4])
    assert worst_error(solution.values.tolist(), exact.mean_hitting_times(chain, [4])) < 1e-15


def check(chain: Chain, start: int, target: int, expected: int | Fraction) -> None:
    """Both solvers agree with a published mean hitting time."""
    assert exact.mean_hitting_times(chain, [target])[start] == expected
    solution = elimination.mean_hitting_times(chain, [target])
    assert worst_error([solution.values[start]], [Fraction(expected)]) < 1e-14


@pytest.mark.parametrize("n", [3, 4, 7, 12])
def test_cycle(n: int, graph_walk: GraphWalk) -> None:
    chain = graph_walk(n, [(i, (i + 1) % n) for i in range(n)])
    for distance in range(1, n):
        check(chain, 0, distance, distance * (n - distance))


@pytest.mark.parametrize("n", [3, 8, 20])
def test_complete_graph_path_and_star(n: int, graph_walk: GraphWalk) -> None:
    check(graph_walk(n, combinations(range(n), 2)), 2, 0, n - 1)
    path = graph_walk(n, pairwise(range(n)))
    check(path, 0, n - 1, (n - 1) ** 2)
    check(path, n - 1, 0, (n - 1) ** 2)
    star = graph_walk(n, [(0, leaf) for leaf in range(1, n)])
    check(star, 1, 0, 1)
    check(star, 0, 1, 2 * (n - 1) - 1)
    check(star, 2, 1, 2 * (n - 1))


@pytest.mark.parametrize(("dimension", "time"), [(2, 4), (3, 10), (4, Fraction(64, 3))])
def test_hypercube_to_the_antipode(dimension: int, time: Fraction, graph_walk: GraphWalk) -> None:
    size = 2**dimension
    edges = [
        (i, i | 1 << bit) for i, bit in product(range(size), range(dimension)) if not i >> bit & 1
    ]
    check(graph_walk(size, edges), 0, size - 1, time)


@pytest.mark.parametrize(("clique", "tail"), [(5, 3), (8, 8)])
def test_lollipop_and_barbell(clique: int, tail: int, graph_walk: GraphWalk) -> None:
    """Aldous and Fill, ch. 5: along a bridge, E = 2 (edges behind it) + 1, and they add up."""
    handle = list(pairwise(range(clique - 1, clique + tail)))
    edges = [*combinations(range(clique), 2), *handle]
    lollipop = graph_walk(clique + tail, edges)
    behind = clique * (clique - 1) // 2
    to_handle = clique - 1
    along = sum(2 * (behind + step) + 1 for step in range(tail))
    check(lollipop, 0, clique + tail - 1, to_handle + along)
    check(lollipop, clique + tail - 1, clique - 1, tail**2)

    far = range(clique + tail - 1, 2 * clique + tail - 1)
    barbell = graph_walk(2 * clique + tail - 1, [*edges, *combinations(far, 2)])
    check(barbell, 0, far[0], to_handle + along)


def random_graph(size: int, seed: int) -> list[tuple[int, int]]:
    rng = np.random.default_rng(seed)
    chords = [pair for pair in combinations(range(size), 2) if rng.random() < 0.2]
    return sorted({*chords, *pairwise(range(size))})


def test_kemeny_constant_does_not_depend_on_the_start(cluster_row: ClusterRow) -> None:
    chain = cluster_row((4, 6, 3), Fraction(1, 10**6), 3)
    law = exact.stationary(chain)
    columns = [exact.mean_hitting_times(chain, [j]) for j in range(chain.size)]
    sums = {sum(p * h[i] for p, h in zip(law, columns, strict=True)) for i in range(chain.size)}
    assert len(sums) == 1
    rough = elimination.stationary(chain).values
    times = np.array([elimination.mean_hitting_times(chain, [j]).values for j in range(chain.size)])
    np.testing.assert_allclose(rough @ times, float(sums.pop()), rtol=1e-14)


@pytest.mark.parametrize("seed", [0, 1])
def test_commute_time_is_twice_edges_times_resistance(seed: int, graph_walk: GraphWalk) -> None:
    size = 15
    edges = random_graph(size, seed)
    chain = graph_walk(size, edges)
    laplacian = np.zeros((size, size))
    for i, j in edges:
        laplacian[[i, j], [i, j]] += 1
        laplacian[[i, j], [j, i]] -= 1
    inverse = np.linalg.pinv(laplacian)
    for i, j in [(0, size - 1), (3, 7)]:
        there = elimination.mean_hitting_times(chain, [j]).values[i]
        back = elimination.mean_hitting_times(chain, [i]).values[j]
        resistance = inverse[i, i] + inverse[j, j] - 2 * inverse[i, j]
        assert there + back == pytest.approx(2 * len(edges) * resistance, rel=1e-11, abs=0)
    degrees = np.bincount(np.array(edges).ravel())
    np.testing.assert_allclose(
        elimination.stationary(chain).values, degrees / (2 * len(edges)), rtol=1e-14
    )
