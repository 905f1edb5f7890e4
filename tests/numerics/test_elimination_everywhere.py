"""Every accurate solve from epsilon = 1/2 to 1e-300 and up to 10,000 states, within its bound."""

from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from flint import arb, arb_mat, ctx, fmpq

from numerics import elimination, exact, quantities
from numerics.chain import Chain, ChainError

from .test_quantities import ANY, numbers, worst_error

EPSILONS = [Fraction(1, 2), Fraction(1, 10**16), Fraction(1, 10**300)]


@pytest.mark.parametrize("quantity", ANY)
@pytest.mark.parametrize("epsilon", EPSILONS)
def test_exact_rationals_lie_in_the_bounds(quantity, epsilon, cluster_row):
    chain = cluster_row((4, 4, 3), epsilon, 0)
    true = ANY[quantity](chain, "exact")
    try:
        found = ANY[quantity](chain, "float")
    except ChainError as refusal:  # a chain has doubles for entries; some are of order epsilon^2
        assert "out of the range of a double" in str(refusal)
        assert min(p for p in numbers(true) if p) < np.finfo(float).tiny
    else:
        assert worst_error(found, true) <= bound_of(found) < 1e-13


def bound_of(answer):
    assert answer.relative_error_bound is not None
    return answer.relative_error_bound


@pytest.mark.parametrize("epsilon", EPSILONS)
def test_balls_lie_in_the_bounds(epsilon, cluster_row):
    """I - P in ball arithmetic, with an independent solver and precision: it knows no rationals."""
    chain = cluster_row((5, 3, 6), epsilon, 1)
    target, n = 7, chain.size
    with ctx.workprec(4000):
        rows = [[arb(0)] * n for _ in range(n)]
        for i, j, p in chain.exact_entries():
            entry = arb(fmpq(p.numerator, p.denominator))
            rows[i][j] -= entry
            rows[i][i] += entry
        free = [x for x in range(n) if x != target]
        system = arb_mat([[rows[i][j] for j in free] for i in free])
        balls = system.solve(arb_mat(n - 1, 1, [1] * (n - 1)))
        solution = elimination.mean_hitting_times(chain, [target])
        bound = solution.relative_error_bound
        assert bound < 1.2e-16
        for row, state in enumerate(free):
            ball, value = balls[row, 0], solution.fraction(state)
            assert ball.rel_accuracy_bits() > 200
            gap = abs(arb(fmpq(value.numerator, value.denominator)) / ball - 1)
            assert gap <= arb(bound)


def star(K, M, epsilon):
    """Cliques of M states, the hub first; states 0 of hub and leaf are joined. And what is alike.

    Returns the chain and the class of each state; state 1 of the first leaf is a class of its own.
    """
    k, i, j = (x.ravel() for x in np.meshgrid(range(K), range(M), range(M), indexing="ij"))
    kept, leaf = i != j, np.arange(1, K) * M
    inside = np.where(i == 0, (1 - epsilon) / M, 1 / M)[kept]
    out = [(k * M + i)[kept], leaf, np.zeros(K - 1, np.int64)]
    into = [(k * M + j)[kept], np.zeros(K - 1, np.int64), leaf]
    p = [inside, np.full(K - 1, epsilon), np.full(K - 1, epsilon / (K - 1))]
    ends = np.array([np.concatenate(out), np.concatenate(into)])
    order = np.lexsort(ends[::-1])
    source, target = ends[:, order]
    chain = Chain.from_floats(map(str, range(K * M)), source, target, np.concatenate(p)[order])
    label = np.tile(np.minimum(np.arange(M), 1) + 5, K)
    label[:M] = [0, *[1] * (M - 1)]
    label[M : 2 * M] = [2, 3, *[4] * (M - 2)]
    return chain, label


def lumped(chain, label):
    """The exact chain of the classes; every state of a class has the same row of them."""
    rows: list[dict[int, Fraction]] = [{} for _ in range(chain.size)]
    for i, j, p in chain.exact_entries():
        if label[i] != label[j]:
            rows[i][label[j]] = rows[i].get(label[j], Fraction(0)) + p
    first = {int(c): int(np.argmax(label == c)) for c in sorted(set(label.tolist()))}
    assert all(row == rows[first[label[i]]] for i, row in enumerate(rows))
    entries = [(c, int(d), p) for c, x in first.items() for d, p in rows[x].items()]
    return Chain.from_entries(map(str, first), entries)


CLASSWISE = {  # the same question of the chain and of its classes
    "visits": lambda c, at, m: quantities.mean_visits(c, at[0], [at[3]], m),
    "second moment": lambda c, at, m: quantities.second_moments(c, [at[3]], m),
    "committor": lambda c, at, m: quantities.committor(c, [at[3]], [at[0]], m),
}


@pytest.mark.parametrize("epsilon", [0.5, 1e-16, 1e-300])
def test_ten_thousand_states_against_their_classes(epsilon):
    chain, label = star(1250, 8, epsilon)
    small = lumped(chain, label)
    at = [int(np.argmax(label == c)) for c in range(small.size)]
    for name, ask in CLASSWISE.items():
        found, true = ask(chain, at, "float"), ask(small, range(small.size), "exact")
        assert bound_of(found) < 1e-13, name
        for value, c in zip(found.value, label.tolist(), strict=True):
            error = abs(Fraction(value) - true.value[c])
            assert error <= Fraction(bound_of(found)) * true.value[c], name
    times = elimination.mean_hitting_times(chain, [at[3]])
    true_times = exact.mean_hitting_times(small, [3])
    law, true_law = elimination.stationary(chain), exact.stationary(small)
    sizes = np.bincount(label).tolist()
    for x, c in enumerate(label.tolist()):
        error = abs(times.fraction(x) - true_times[c])
        assert error <= Fraction(times.relative_error_bound) * true_times[c]
        assert abs(law.fraction(x) * sizes[c] / true_law[c] - 1) <= law.relative_error_bound < 1e-15
    parts = [[0, 1], [2, 3, 4], [5, 6]]  # the hub, the first leaf, the others
    asked = quantities.aggregated_matrix(
        chain, [np.flatnonzero(np.isin(label, part)).tolist() for part in parts]
    )
    truth = quantities.aggregated_matrix(small, parts, "exact")
    assert worst_error(asked, truth) <= bound_of(asked) < 1e-13


def test_a_complement_of_ten_thousand_states():
    """The chain watched on one leaf: only its gate can leave, and it comes back to the gate."""
    chain, _ = star(1250, 8, 1e-300)
    leaf = range(8, 16)
    found = quantities.stochastic_complement(chain, leaf)
    assert bound_of(found) < 1e-13
    rows = {(i, j): p for i, j, p in found.value.exact_entries()}
    inside = {(i - 8, j - 8): p for i, j, p in chain.exact_entries() if i in leaf and j in leaf}
    assert rows == inside


def test_errors_are_noticed(cluster_row):
    """A value that is off by two units in the last place falls out of its bound."""
    chain = cluster_row((4, 4, 3), EPSILONS[1], 0)
    solution = elimination.mean_hitting_times(chain, [0])
    true = exact.mean_hitting_times(chain, [0])
    for x, y in pairwise(range(1, chain.size)):
        wrong = solution.fraction(x) * (1 + Fraction(1, 2**51))
        assert abs(wrong - true[x]) > solution.relative_error_bound * true[x]
        assert abs(solution.fraction(y) - true[y]) <= solution.relative_error_bound * true[y]
