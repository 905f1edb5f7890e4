"""Elimination of sparse chains: order, pattern and values, at sizes that no dense matrix has."""

from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from numerics import elimination, exact, multifrontal
from numerics.chain import Chain, ChainError
from numerics.elimination import Elimination
from theory.claims import Derivation
from theory.domain import evaluate
from theory.family import built_in

TREES = {  # parent of each state
    "path": lambda n: [max(0, i - 1) for i in range(n)],
    "star": lambda n: [0] * n,
    "binary tree": lambda n: [(i - 1) // 2 if i else 0 for i in range(n)],
}


def pattern(size, pairs):
    """Offsets and neighbours of a symmetric pattern."""
    rows: list[set[int]] = [set() for _ in range(size)]
    for i, j in pairs:
        if i != j:
            rows[i].add(j)
            rows[j].add(i)
    first = np.cumsum([0, *map(len, rows)]).astype(np.int64)
    return first, np.array([j for row in rows for j in sorted(row)], dtype=np.int32)


def analysed(first, neighbour):
    order = multifrontal.minimum_degree(first, neighbour.copy())
    parent = multifrontal.elimination_tree(first, neighbour, order)
    order, parent = multifrontal.in_postorder(order, parent)
    return order, parent, *multifrontal.later_neighbours(first, neighbour, order, parent)


def by_hand(size, pairs, order):
    """Later neighbours of each step, by eliminating sets."""
    near: dict[int, set[int]] = {i: set() for i in range(size)}
    for i, j in pairs:
        if i != j:
            near[i].add(j)
            near[j].add(i)
    step = {state: k for k, state in enumerate(order)}
    out = []
    for state in order:
        rest = near.pop(state)
        for i in rest:
            near[i] = (near[i] | rest) - {i, state}
        out.append({step[i] for i in rest})
    return out


@settings(max_examples=150, deadline=None, derandomize=True)
@given(
    st.integers(1, 14).flatmap(
        lambda n: st.tuples(
            st.just(n),
            st.lists(st.tuples(st.integers(0, n - 1), st.integers(0, n - 1)), max_size=40),
        )
    )
)
def test_pattern_is_that_of_elimination(given_):
    size, pairs = given_
    order, parent, begin, sets = analysed(*pattern(size, pairs))
    assert sorted(order.tolist()) == list(range(size))
    expected = by_hand(size, pairs, order.tolist())
    found = [set(sets[begin[k] : begin[k + 1]].tolist()) for k in range(size)]
    assert found == expected
    assert parent.tolist() == [min(later, default=-1) for later in expected]
    starts = multifrontal.supernodes(begin, parent)
    assert (starts[0], starts[-1]) == (0, size)
    for low, high in pairwise(starts.tolist()):
        for k in range(low, high - 1):
            assert expected[k] == expected[k + 1] | {k + 1}


@pytest.mark.parametrize("name", TREES)
def test_trees_fill_nothing_in(name):
    size = 5000
    pairs = [(i, p) for i, p in enumerate(TREES[name](size))]
    *_, sets = analysed(*pattern(size, pairs))
    assert len(sets) == size - 1


@pytest.mark.parametrize("side", [10, 20, 40])
def test_a_grid_fills_in_far_less_than_row_by_row(side):
    """The order of rows fills in a band: side**3 entries; minimum degree is near n log n."""
    index = np.arange(side * side).reshape(side, side)
    pairs = [*zip(index[:, 1:].ravel(), index[:, :-1].ravel(), strict=True)]
    pairs += [*zip(index[1:].ravel(), index[:-1].ravel(), strict=True)]
    *_, sets = analysed(*pattern(side * side, pairs))
    n = side * side
    assert len(sets) < 1.6 * n * np.log2(n)


def ring(K, M, epsilon):
    """The ring of cliques of the built-in family, in doubles."""
    k, i, j = (x.ravel() for x in np.meshgrid(range(K), range(M), range(M), indexing="ij"))
    p = np.where(i < 2, (1 - epsilon) / M, 1 / M)
    kept = i != j
    ks = np.arange(K)
    source = [(k * M + i)[kept], ks * M, ks * M + 1]
    target = [(k * M + j)[kept], (ks + 1) % K * M + 1, (ks - 1) % K * M]
    return Chain.from_floats(
        map(str, range(K * M)),
        np.concatenate(source),
        np.concatenate(target),
        np.concatenate([p[kept], np.full(2 * K, epsilon)]),
    )


TIME = Derivation(built_in()["ring"]).claim("hitting-time").expression


@pytest.mark.parametrize("exponent", [2, 6, 12, 30, 100, 300])
@pytest.mark.parametrize(("K", "M"), [(8, 8), (16, 32), (2000, 8)])
def test_ring_of_cliques_from_its_closed_form(K, M, exponent):
    epsilon = 10.0**-exponent
    d = K // 2
    solution = elimination.mean_hitting_times(ring(K, M, epsilon), [d * M + 2])
    point = {"K": Fraction(K), "M": Fraction(M), "epsilon": Fraction(epsilon), "d": Fraction(d)}
    true = evaluate(TIME, point)
    # the closed form has 1 - epsilon and 1/M exactly; the chain has them rounded
    assert abs(solution.fraction(2) / true - 1) < 1e-13


def path(K, M, epsilon):
    """Cliques in a row, state 1 of each joined to state 0 of the next, both ways alike."""
    k, i, j = (x.ravel() for x in np.meshgrid(range(K), range(M), range(M), indexing="ij"))
    kept, ks = i != j, np.arange(K - 1)
    out = [(k * M + i)[kept], ks * M + 1, (ks + 1) * M]
    into = [(k * M + j)[kept], (ks + 1) * M, ks * M + 1]
    p = [np.full(int(kept.sum()), 1 / (2 * M)), np.full(2 * (K - 1), epsilon)]
    ends = np.array([np.concatenate(out), np.concatenate(into)])
    order = np.lexsort(ends[::-1])
    source, target = ends[:, order]
    return Chain.from_floats(map(str, range(K * M)), source, target, np.concatenate(p)[order])


@pytest.mark.parametrize("epsilon", [2.0**-20, 1e-10, 1e-300])
def test_errors_of_many_clusters_do_not_add_up(epsilon):
    """All clusters round alike, and in one precision 2,500 of them lose two digits here."""
    K, M = 2500, 8
    solution = elimination.mean_hitting_times(path(K, M, epsilon), [K * M - 1])
    # A symmetric walk on a line of resistances: the time across is the resistance of an edge times
    # the states behind it; inside a clique, times are those to a state through a complete graph.
    edge, clique = 1 / Fraction(epsilon), Fraction(2 * 2)
    behind = [k * M for k in range(1, K)]
    across = [edge * n + clique * (n - M + Fraction(M, 2)) for n in behind]
    last = clique * ((K - 1) * M + Fraction(M, 2))
    # from state 0 of the first clique, to its gate and then on from gate to gate
    true = sum(across, Fraction(0)) + last
    assert abs(solution.fraction(0) / true - 1) <= solution.relative_error_bound < 1.2e-16


def test_bounds_at_any_size_are_one_rounding():
    """Twice the precision leaves the last rounding alone, of exact entries too."""
    chain = random_sparse(300, 60, 2)
    solution = Elimination(chain, [7]).costs()
    assert solution.relative_error_bound < 1.001 * 2.0**-53
    reference = exact.mean_hitting_times(chain, [7])
    for state in range(chain.size):
        error = abs(solution.fraction(state) - reference[state])
        assert error <= solution.relative_error_bound * reference[state]


def test_entries_grow_like_the_number_of_states():
    """Time and memory are in proportion to the entries of the factor, whatever the machine."""
    per_state = [Elimination(ring(K, 8, 1e-3), [2]).begin[-1] / (8 * K) for K in (100, 1000, 10000)]
    assert max(per_state) / min(per_state) < 1.02


def random_sparse(size, exponent, seed):
    """Directed entries of sizes from 1 down to 10^-exponent, and a cycle through all states."""
    rng = np.random.default_rng(seed)
    entries = {}
    for i in range(size):
        for j in set(rng.integers(0, size, 3).tolist()) - {i}:
            entries[i, j] = Fraction(1, 8 * 10 ** int(rng.integers(0, exponent + 1)))
        entries[i, (i + 1) % size] = Fraction(1, 8)
    return Chain.from_entries(map(str, range(size)), [(i, j, p) for (i, j), p in entries.items()])


@pytest.mark.parametrize("exponent", [0, 9, 90, 290])
@pytest.mark.parametrize("seed", range(4))
def test_random_sparse_chains(exponent, seed):
    chain = random_sparse(60, exponent, seed)
    for targets in ([0], [5, 17, 59]):
        reduced = Elimination(chain, targets)
        means, reference = reduced.costs(), exact.mean_hitting_times(chain, targets)
        for state in range(chain.size):
            error = abs(means.fraction(state) - reference[state])
            assert error <= 1e-14 * reference[state]
            assert error <= means.relative_error_bound * reference[state]
    law, reference = elimination.stationary(chain), exact.stationary(chain)
    assert max(abs(law.fraction(x) / reference[x] - 1) for x in range(chain.size)) < 1e-14


def test_visits_are_the_inverse_the_other_way():
    """Row y of (I - Q)^-1 by visits, column x by costs: the same entries."""
    chain = random_sparse(40, 60, 1)
    reduced = Elimination(chain, [0, 9])
    unit = np.eye(40)
    rows = [reduced.visits(unit[y]) for y in range(40)]
    columns = [reduced.costs(unit[x]) for x in range(40)]
    diagonal = exact.expected_visits(chain, [0, 9])
    for y in range(40):
        for x in range(40):
            a, b = rows[y].fraction(x), columns[x].fraction(y)
            assert abs(a - b) <= 1e-14 * b
        assert abs(rows[y].fraction(y) - diagonal[y]) <= 1e-14 * diagonal[y]


def test_a_wrong_entry_is_noticed():
    """The tolerances above have teeth: one entry in 160 off by 1e-12 is seen."""
    chain = random_sparse(40, 9, 3)
    reference = exact.mean_hitting_times(chain, [0])
    entries = list(chain.exact_entries())
    i, j, p = entries[7]
    entries[7] = i, j, p * (1 + Fraction(1, 10**12))
    wrong = Chain.from_entries(chain.states, entries)
    solution = elimination.mean_hitting_times(wrong, [0])
    errors = [abs(solution.fraction(x) / reference[x] - 1) for x in range(1, 40)]
    assert max(errors) > 1e-14


def test_too_much_memory_is_refused_before_it_is_asked_for(monkeypatch):
    monkeypatch.setattr(elimination, "MAX_BYTES", 10**5)
    with pytest.raises(ChainError, match=r"needs about .* GB: the chain has no small separators"):
        Elimination(random_sparse(300, 3, 0), [0])
