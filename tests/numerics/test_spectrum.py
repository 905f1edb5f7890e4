"""Spectral gaps: closed forms, and references of fifty digits where the gap is tiny."""

from collections.abc import Callable, Iterable
from fractions import Fraction
from itertools import combinations

import mpmath
import numpy as np
import pytest
from flint import acb_mat, ctx, fmpq

from numerics.chain import Chain, ChainError
from numerics.spectrum import eigenvalues, spectral_gap

GraphWalk = Callable[[int, Iterable[tuple[int, int]]], Chain]


def twins(size: int, epsilon: Fraction) -> Chain:
    """Two cliques of `size` states with entries 1/(size + 1), joined at one state of each."""
    inside = Fraction(1, size + 1)
    entries = [(0, size, epsilon), (size, 0, epsilon)]
    for first in (0, size):
        for i, j in combinations(range(first, first + size), 2):
            entries += [(i, j, inside), (j, i, inside)]
    return Chain.from_entries(map(str, range(2 * size)), entries)


def twins_gap(size: int, epsilon: Fraction) -> mpmath.mpf:
    """Smaller root for functions that change sign with the clique and see only the gate.

    With values a on the gate and b elsewhere, mu a = q (size - 1)(a - b) + 2 epsilon a and
    mu b = q (b - a), so mu^2 - (q size + 2 epsilon) mu + 2 epsilon q = 0.
    """
    q = mpmath.mpf(1) / (size + 1)
    e = mpmath.mpf(epsilon.numerator) / epsilon.denominator
    middle = q * size + 2 * e
    return 4 * e * q / (middle + mpmath.sqrt(middle**2 - 8 * e * q))


@pytest.mark.parametrize("size", [2, 5, 48])
@pytest.mark.parametrize("exponent", [1, 12, 100, 290])
def test_two_clusters_against_fifty_digits(size: int, exponent: int) -> None:
    epsilon = Fraction(1, 3 * 10**exponent)
    with mpmath.workdps(50):
        expected = twins_gap(size, epsilon)
        assert abs(spectral_gap(twins(size, epsilon)) / expected - 1) < 1e-13


def weighted(size: int, epsilon: Fraction, seed: int) -> Chain:
    """Reversible walk on two clusters of random integer weights, uneven, sparsely joined."""
    rng = np.random.default_rng(seed)
    conductance = np.zeros((size, size), dtype=object)
    for i, j in combinations(range(size), 2):
        same = (i < size // 3) == (j < size // 3)
        weight = Fraction(int(rng.integers(1, 30)))
        if not same:
            weight *= epsilon if rng.random() < 0.3 else 0
        conductance[i, j] = conductance[j, i] = weight
    for i in range(size):
        conductance[i, i] = Fraction(int(rng.integers(1, 30)))
    return Chain.from_entries(
        map(str, range(size)),
        [
            (i, j, conductance[i, j] / sum(conductance[i]))
            for i in range(size)
            for j in range(size)
            if conductance[i, j]
        ],
    )


@pytest.mark.parametrize("exponent", [0, 2, 12, 40])
def test_uneven_clusters_against_certified_eigenvalues(exponent: int) -> None:
    """Arb encloses all eigenvalues of I - P itself, neither symmetrised nor inverted."""
    chain = weighted(14, Fraction(1, 10**exponent), exponent)
    rows = [[fmpq(0)] * chain.size for _ in range(chain.size)]
    for i, j, p in chain.exact_entries():
        rows[i][j] = -fmpq(p.numerator, p.denominator)
        rows[i][i] -= rows[i][j]
    with ctx.workprec(600):
        found = acb_mat([[entry for entry in row] for row in rows]).eig()
        smallest, second = sorted(float(value.real.mid()) for value in found)[:2]
    assert abs(smallest) < 1e-100 < second
    assert spectral_gap(chain) == pytest.approx(second, rel=1e-13, abs=0)


@pytest.mark.parametrize("n", [2, 3, 5, 30])
def test_complete_graph_has_a_gap_above_one(n: int, graph_walk: GraphWalk) -> None:
    chain = graph_walk(n, combinations(range(n), 2))
    assert spectral_gap(chain) == pytest.approx(n / (n - 1), rel=1e-14, abs=0)


@pytest.mark.parametrize("n", [3, 4, 9, 40])
def test_cycle(n: int, graph_walk: GraphWalk) -> None:
    """The signed second eigenvalue counts: on even cycles -1 is an eigenvalue and no matter."""
    chain = graph_walk(n, [(i, (i + 1) % n) for i in range(n)])
    assert spectral_gap(chain) == pytest.approx(2 * np.sin(np.pi / n) ** 2, rel=1e-13, abs=0)


def test_birth_and_death_with_a_steep_law() -> None:
    """Ehrenfest urn of d balls, binomial law, lazy by 1/2: gap 1/d."""
    d = 60
    half = Fraction(1, 2)
    entries = [(i, i + 1, half * Fraction(d - i, d)) for i in range(d)]
    entries += [(i, i - 1, half * Fraction(i, d)) for i in range(1, d + 1)]
    chain = Chain.from_entries(map(str, range(d + 1)), entries)
    assert spectral_gap(chain) == pytest.approx(1 / d, rel=1e-13, abs=0)


@pytest.mark.parametrize("bits", range(8, 200, 16))
def test_low_precision_is_raised_not_trusted(bits: int, monkeypatch: pytest.MonkeyPatch) -> None:
    chain = weighted(14, Fraction(1, 10**30), 3)
    expected = spectral_gap(chain)
    monkeypatch.setattr("numerics.spectrum._FIRST_PRECISION", bits)
    assert spectral_gap(chain) == pytest.approx(expected, rel=1e-14, abs=0)


def test_eigenvalues_of_a_rotation() -> None:
    chain = Chain.from_entries("abc", [(i, (i + 1) % 3, Fraction(1)) for i in range(3)])
    expected = [1, *np.exp([2j * np.pi / 3, -2j * np.pi / 3])]
    np.testing.assert_allclose(eigenvalues(chain), expected, atol=1e-14)


def test_gap_agrees_with_eigenvalues_where_both_are_accurate() -> None:
    chain = weighted(20, Fraction(1, 10), 8)
    assert spectral_gap(chain) == pytest.approx(1 - eigenvalues(chain)[1].real, rel=1e-11, abs=0)


def test_refuses() -> None:
    half = Fraction(1, 2)
    rotation = [(i, (i + 1) % 3, half) for i in range(3)]
    with pytest.raises(ChainError, match=r"not reversible: .* 'a' and 'b'"):
        spectral_gap(Chain.from_entries("abc", rotation))
    back = [(j, i, half - Fraction(1, 10**30)) for i, j, _ in rotation]
    with pytest.raises(ChainError, match="not reversible"):
        spectral_gap(Chain.from_entries("abc", rotation + back))
    assert spectral_gap(
        Chain.from_entries("abc", [*rotation, *((j, i, p) for i, j, p in rotation)])
    )
    with pytest.raises(ChainError, match="not irreducible"):
        spectral_gap(Chain.from_entries("ab", []))
    with pytest.raises(ChainError, match="at least two states"):
        spectral_gap(Chain.from_entries("a", []))
    with pytest.raises(ChainError, match=r"below 2\.2e-308"):
        spectral_gap(twins(2, Fraction(1, 10**400)))
