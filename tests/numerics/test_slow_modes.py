"""Slow modes of chains of any size, against accurate dense methods and closed forms."""

from fractions import Fraction

import mpmath
import numpy as np
import pytest
import scipy.linalg

from numerics import elimination, exact, spectrum
from numerics import slow_modes as module
from numerics.chain import Chain, ChainError
from numerics.slow_modes import is_balanced, slow_modes

from .test_multifrontal import random_sparse, ring


def value(modes, number=0):
    return mpmath.mpf(float(modes.rates[number])) * mpmath.mpf(2) ** modes.exponent


def ring_gap(K, M, epsilon):
    """From the block of the slowest Fourier mode, with 400 digits."""
    with mpmath.workdps(400):
        epsilon = mpmath.mpf(epsilon)
        z = mpmath.expjpi(mpmath.mpf(2) / K)
        block = mpmath.matrix(3, 3)
        for i in range(3):
            stay = 1 - epsilon if i < 2 else 1
            for j, count in enumerate((1, 1, M - 2)):
                block[i, j] = stay * mpmath.mpf(count) / M
        block[0, 1] += epsilon * z
        block[1, 0] += epsilon / z
        return 1 - max(x.real for x in mpmath.eig(block)[0])


@pytest.mark.parametrize("exponent", [1, 8, 40, 150])
@pytest.mark.parametrize(("K", "M"), [(8, 8), (16, 32), (500, 6)])
def test_gap_of_the_ring(K, M, exponent):
    epsilon = 10.0**-exponent
    modes = slow_modes(ring(K, M, epsilon), 2)
    with mpmath.workdps(50):
        for number in (0, 1):  # the two modes of one wave length
            assert abs(value(modes, number) / ring_gap(K, M, epsilon) - 1) < 1e-12
    assert (modes.relative_error_bound < 1e-6).all()


@pytest.mark.parametrize("exponent", [1, 10, 40])
def test_against_the_accurate_dense_method(exponent, cluster_row):
    chain = exact.additive_reversibilisation(
        cluster_row((4, 6, 5), Fraction(1, 10**exponent), exponent)
    )
    modes = slow_modes(chain, 2)
    reference = spectrum.relaxation_rates(chain, 3)[1:]
    found = np.ldexp(modes.rates, modes.exponent)
    error = np.abs(found / reference - 1)
    assert (error < 1e-12).all()
    assert (error <= modes.relative_error_bound + 1e-14).all()
    assert (modes.condition == 1).all()


@pytest.mark.parametrize("size", [12, 80])
@pytest.mark.parametrize("seed", range(3))
def test_chains_that_are_not_reversible(seed, size):
    chain = random_sparse(size, 3, seed)
    transition = chain.rates()
    np.fill_diagonal(transition, 1 - transition.sum(axis=1))
    law = np.array([float(p) for p in exact.stationary(chain)])
    root = np.sqrt(law)
    values, left, right = scipy.linalg.eig(root[:, None] * transition / root, left=True)
    order = np.argsort(np.abs(1 - values))[1:4]
    condition = 1 / np.abs(np.sum(np.conj(left) * right, axis=0))[order]
    modes = slow_modes(chain, 3)
    found = np.ldexp(modes.rates.real, modes.exponent)
    np.testing.assert_allclose(found, (1 - values[order]).real, rtol=1e-9)
    np.testing.assert_allclose(modes.condition, condition, rtol=1e-6)
    assert (modes.condition > 1.01).any()


def test_slow_modes_of_a_chain_that_circles():
    """Clusters on a directed ring of three: 1 - lambda = rate (1 - exp(2 pi i/3)), a pair."""
    rate = Fraction(1, 10**30)
    entries = [(2 * k + i, 2 * k + 1 - i, Fraction(1, 2)) for k in range(3) for i in range(2)]
    entries += [(2 * k, (2 * k + 2) % 6, rate) for k in range(3)]
    modes = slow_modes(Chain.from_entries("abcdef", entries), 2)
    with mpmath.workdps(40):
        expected = mpmath.mpf(10) ** -30 / 2 * mpmath.mpf(3) / 2
        for number in (0, 1):
            real = mpmath.mpf(float(modes.rates[number].real)) * mpmath.mpf(2) ** modes.exponent
            assert abs(real / expected - 1) < 1e-10
    assert abs(abs(modes.rates[0].imag / modes.rates[0].real) - 1 / np.sqrt(3)) < 1e-10


def test_detailed_balance_is_noticed():
    chain = ring(5, 4, 0.1)
    law = elimination.stationary(chain).values.copy()
    assert is_balanced(chain, law)
    law[3] *= 1 + 1e-6
    assert not is_balanced(chain, law)
    one_way = Chain.from_entries("abc", [(i, (i + 1) % 3, Fraction(1, 2)) for i in range(3)])
    assert not is_balanced(one_way, np.full(3, 1 / 3))


@pytest.mark.parametrize("size", [2, 3, 4])
def test_small_chains(size):
    """A cycle with probability 1/4 each way (two states: 1/2 in all)."""
    entries: dict[tuple[int, int], Fraction] = {}
    for i in range(size):
        for j in ((i + 1) % size, (i - 1) % size):
            entries[i, j] = entries.get((i, j), Fraction(0)) + Fraction(1, 4)
    chain = Chain.from_entries("abcd"[:size], [(i, j, p) for (i, j), p in entries.items()])
    gap = (1 - np.cos(2 * np.pi / size)) / 2
    modes = slow_modes(chain)
    assert np.ldexp(modes.rates[0], modes.exponent) == pytest.approx(gap, rel=1e-14)


def test_refusals():
    with pytest.raises(ChainError, match="one state"):
        slow_modes(Chain.from_entries("a", []))
    with pytest.raises(ChainError, match="not irreducible"):
        slow_modes(Chain.from_entries("ab", [(0, 1, Fraction(1))]))
    with pytest.raises(ChainError, match="out of range"):
        slow_modes(ring(3, 3, 0.1), 9)


def test_an_inverse_that_is_off_is_noticed(monkeypatch):
    """The comparison with the closed form has teeth."""
    inner = module._Inverse.on_functions
    monkeypatch.setattr(
        module._Inverse, "on_functions", lambda self, f: inner(self, f) * (1 + 1e-11)
    )
    with pytest.raises(AssertionError):
        test_gap_of_the_ring(8, 8, 8)
