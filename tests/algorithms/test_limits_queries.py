"""R7: the theorem that turns dimensions into bounds on queries, and the bounds as claims."""

import itertools
import json
import math
from fractions import Fraction

import numpy as np
import pytest
from flint import fmpq, fmpq_mat

from numerics.algorithms.learners import answers, inputs
from theory import checker
from theory.certificates import NoProof, certify
from theory.domain import evaluate
from theory.groups import bits, cyclic, symmetric
from theory.results.limits import (
    accuracy_bound,
    biased,
    claims,
    dimension,
    gram_by_enumeration,
    on_or_off,
    share_caught,
    uniform,
)

F = Fraction
SWAP = 2  # (0 1)


# ---------------------------------------------------------------- the theorem
def queries_of(problem, L):
    """All queries with values 1 and -1, as centred vectors over (x, answer), and the hypotheses."""
    action = problem.action
    shown = list(itertools.product(*(problem.law(i) for i in range(L))))
    n = action.points
    truths = []
    for mask in range(2**L):
        told = []
        for x in shown:
            p = problem.base
            for i in range(L):
                if mask >> i & 1:
                    p = action.moves[x[i]][p]
            told.append(p)
        truths.append(told)
    for signs in itertools.product((-1, 1), repeat=len(shown) * n):
        rows = [signs[i * n : i * n + n] for i in range(len(shown))]
        yield rows, truths


def test_no_query_tells_of_more_sets_than_the_theorem_allows():
    for problem in (uniform(cyclic(2)), biased(cyclic(2), F(1, 2)), on_or_off(cyclic(3), [1])):
        L = 2
        dim = dimension(gram_by_enumeration(problem, L))
        n = problem.action.points
        worst = F(0)
        for rows, truths in itertools.islice(queries_of(problem, L), 0, 4096, 3):
            scale = sum((v - F(sum(row), n)) ** 2 for row in rows for v in row) / (len(rows) * n)
            if scale == 0:
                continue
            null = F(sum(map(sum, rows)), len(rows) * n)
            shifts = [
                (sum(row[a] for row, a in zip(rows, truth, strict=True)) / F(len(rows)) - null) ** 2
                for truth in truths
            ]
            # For every tolerance at once: the k-th largest shift.
            for k, square in enumerate(sorted(shifts, reverse=True), 1):
                if square:
                    worst = max(worst, k / F(2**L) * square * dim / ((n - 1) * scale))
        assert worst <= 1
        assert worst > F(1, 4)
    # Sharp where the hypotheses are uncorrelated: half the bound would be false.
    assert share_caught(F(4), 2, 1, F(1)) == F(1, 4)


def positive(matrix):
    """Whether a symmetric rational matrix is positive semidefinite, by its characteristic signs."""
    size = len(matrix)
    flint = fmpq_mat(size, size, [fmpq(x.numerator, x.denominator) for row in matrix for x in row])
    c = flint.charpoly()
    return all((-1) ** (size - i) * c[i] >= 0 for i in range(size + 1))


@pytest.mark.parametrize(
    "problem",
    [
        uniform(cyclic(2)),
        biased(symmetric(3), F(1, 2)),
        on_or_off(cyclic(3), [1]),
        on_or_off(bits(2), [1, 2]),
        on_or_off(symmetric(3), [1, SWAP]),
    ],
    ids=["uniform", "biased", "cyclic", "bits", "mixed"],
)
def test_the_largest_row_bounds_the_gram_matrix(problem):
    """Schur's test, the one inequality in the proof: R I - B and B are positive semidefinite."""
    gram = gram_by_enumeration(problem, 2 if problem.action.order == 6 else 3)
    row = max(sum(map(abs, line)) for line in gram)

    def below(r):
        return [[r * (i == j) - x for j, x in enumerate(line)] for i, line in enumerate(gram)]

    assert positive(below(row))
    assert positive(gram)
    assert not positive(below(F(9, 10)))


# ---------------------------------------------------------------- claims
@pytest.mark.parametrize("name", claims())
def test_claims_are_accepted_by_the_checker(name):
    claim = claims()[name]
    assert checker.check(claim.certificate) == claim.statement
    assert checker.text(claim.statement).startswith("For all ")


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("error", "r >= 4*n", "r >= 3*n"),
        ("error", "4*n*q <= r**2*t**2", "3*n*q <= r**2*t**2"),
        ("queries", "a*r >= 2", "a*r >= 1"),
        ("steps", "a*r >= 2", "a*r >= 1"),
        ("growth", "b < 1", "b <= 1"),
        ("apart", "D >= 2*r + 2", "D >= 2*r + 1"),
        ("meet", "D <= 2*r + 1", "D <= 2*r + 2"),
        ("size", "K <= L + 1", "K <= 3*L"),
    ],
)
def test_claims_with_a_weaker_fact_are_not_shown(name, old, new):
    statement = json.loads(json.dumps(claims()[name].statement).replace(old, new))
    assert statement != claims()[name].statement
    with pytest.raises((NoProof, checker.Refused)):
        certify(statement)


def test_the_bound_of_the_run_is_that_of_the_claims():
    """accuracy_bound is at most 3/(2n) where the claim says so, and is not far below."""
    for n in (2, 3, 5):
        r, t = F(4 * n), F(1, 4)
        dim, queries = r**2 * (n - 1), math.floor(r**2 * t**2 / (4 * n))
        assert accuracy_bound(dim, n, queries, t) <= 3 / (2 * n)
    assert accuracy_bound(F(1), 2, 1, F(1, 4)) == 1
    # The best guess without a query takes at each x the commonest answer over all sets.
    for action, L in ((cyclic(2), 3), (cyclic(3), 2), (symmetric(3), 2)):
        shown = inputs(action.order, L)
        every = itertools.product([False, True], repeat=L)
        told = np.array([answers(action, shown, inside) for inside in every])
        counts = [np.bincount(column, minlength=action.points).max() for column in told.T]
        best = np.mean(counts) / len(told)
        assert 1 / action.points < best <= accuracy_bound(F(2**L), action.points, 0, F(1))
    point = {"r": F(8), "t": F(1, 4), "a": F(1, 2)}
    least = evaluate(claims()["queries"].lower, point)
    assert least == 1
    assert share_caught(F(64), 2, int(least), F(1, 4)) == F(1, 4)
