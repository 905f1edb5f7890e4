"""Spectra of concrete chains: reference gap, eigenvalues, blocks and degree of coupling."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from fractions import Fraction

import numpy as np
import numpy.typing as npt
from flint import arb, arb_mat, ctx, fmpq
from numba import njit
from scipy import sparse
from scipy.sparse import csgraph

from numerics import exact
from numerics.chain import (
    Chain,
    ChainError,
    FloatArray,
    require_dense,
)
from numerics.elimination import exact_entry

_FIRST_PRECISION = 256
# Enclosures this much smaller than the largest entry leave double rounding the largest error.
_TOLERANCE = 2.0**-60
# Keeps the squares of the entries of a factor in range.
_LIFT = 2.0**200


def spectral_gap(chain: Chain) -> float:
    """Gap 1 - lambda_2 of a reversible chain, lambda_2 the second largest signed eigenvalue.

    With S = D^(1/2) P D^(-1/2) for D = diag(pi), symmetric by reversibility, and v = sqrt(pi) its
    unit eigenvector for eigenvalue 1, the matrix (I - S + v v^T)^(-1) - v v^T has eigenvalues 0
    and 1/(1 - lambda_i), i >= 2: it is the group inverse of I - P, symmetrised (Meyer 1975, *SIAM
    Review* 17, 443-464). Its norm is 1/(1 - lambda_2). So ball arithmetic (Arb) forms it, at
    whatever precision that takes, and a symmetric eigensolver in doubles, accurate relative to
    the norm, finds the gap to a relative error of about N 1e-16, however small the gap is.

    Parameters
    ----------
    chain : Chain
        Irreducible reversible chain of N >= 2 states; N of a hundred takes about a second.

    Returns
    -------
    float
        The gap, in (0, 2].

    Raises
    ------
    ChainError
        If the chain has one state, is not irreducible, or is not reversible (which is checked
        exactly), or if the gap is below 2.2e-308, the range of a double.
    """
    exact.require_two_states(chain)
    require_dense(chain)
    law = exact.reversible_law(chain)
    for bits in (_FIRST_PRECISION * 2**step for step in itertools.count()):
        with ctx.workprec(bits):
            inverse = _symmetric_group_inverse(chain, law)
            if inverse is None:
                continue
            scaled, scale = inverse
            gap = float(1 / (scale * arb(float(np.linalg.eigvalsh(scaled)[-1]))))
            break
    if gap < np.finfo(np.float64).tiny:
        raise ChainError("the spectral gap is below 2.2e-308, the range of a double; scale it up")
    return gap


def _symmetric_group_inverse(
    chain: Chain, law: Sequence[Fraction]
) -> tuple[FloatArray, arb] | None:
    """The symmetrised group inverse over its largest entry, and that entry.

    None if the working precision is too low to enclose it tightly.
    """
    size = chain.size
    root = [_arb(p).sqrt() for p in law]
    unit = arb_mat([[a * b for b in root] for a in root])
    entry = {(i, j): value for i, j, value in chain.exact_entries()}
    diagonal = [Fraction(0)] * size
    laplacian = arb_mat(size, size)
    for (i, j), value in entry.items():
        diagonal[i] += value
        if i < j:
            square = value * entry[j, i]
            laplacian[i, j] = -_arb(square).sqrt()
            laplacian[j, i] = laplacian[i, j]
    for i, value in enumerate(diagonal):
        laplacian[i, i] = _arb(value)
    try:
        inverse = (laplacian + unit).inv() - unit
    except ZeroDivisionError:
        return None
    return _rounded(inverse)


def _rounded(matrix: arb_mat) -> tuple[FloatArray, arb] | None:
    """A symmetric positive semidefinite matrix over its largest entry, and that entry.

    None if it is not enclosed tightly.
    """
    size = matrix.nrows()
    # The matrix is positive semidefinite, so its largest entry is on the diagonal.
    scale = max((matrix[i, i].mid() for i in range(size)), key=lambda value: value.mid())
    if not scale > 0:
        return None
    scaled = np.empty((size, size))
    for i in range(size):
        for j in range(size):
            ratio = matrix[i, j] / scale
            if not float(ratio.rad()) < _TOLERANCE:
                return None
            scaled[i, j] = float(ratio.mid())
    return (scaled + scaled.T) / 2.0, scale


def _arb(value: Fraction) -> arb:
    return arb(fmpq(value.numerator, value.denominator))


def additive_gap(chain: Chain) -> float:
    """Spectral gap of the additive reversibilisation (P + P*)/2, P* the time reversal of P.

    The convention for chains that are not reversible (Fill 1991, *Ann. Appl. Probab.* 1, 62-87);
    for reversible chains it is `spectral_gap`, and as accurate.

    Parameters
    ----------
    chain : Chain
        Irreducible chain of N >= 2 states; N of a hundred takes seconds.

    Returns
    -------
    float
        The gap, in (0, 2].

    Raises
    ------
    ChainError
        If the chain has one state or is not irreducible, or if the gap is below 2.2e-308, the
        range of a double.
    """
    exact.require_two_states(chain)
    return spectral_gap(exact.additive_reversibilisation(chain))


def relaxation_rates(chain: Chain, count: int) -> FloatArray:
    """1 - lambda for the largest eigenvalues of a reversible chain, each accurate relatively.

    Eliminating states from I - P, symmetrised by the stationary law and always the one that is
    left fastest, yields its Cholesky factor L D^(1/2) without a subtraction, and L is well
    conditioned; one-sided Jacobi rotations then find the singular values, whose squares are the
    rates, with a relative error of order N 1e-16 however far they spread (Demmel and Veselic
    1992, *SIAM J. Matrix Anal. Appl.* 13, 1204-1245; Demmel and Koev 2004, *Numer. Math.* 98,
    99-104, for diagonally dominant M-matrices).

    Parameters
    ----------
    chain : Chain
        Irreducible reversible chain of N states; N of a hundred takes about a second.
    count : int
        How many, 1 to N. With K clusters the first K are the metastable ones.

    Returns
    -------
    float64 array, shape (count,)
        Increasing; the first is 0, for the eigenvalue 1, and the second the spectral gap.

    Raises
    ------
    ChainError
        If `count` is out of range, if the chain is not irreducible or not reversible (which is
        checked exactly), or if a rate is below 2.2e-308, the range of a double.
    """
    exact.check_count(chain, count)
    require_dense(chain)
    law = exact.reversible_law(chain)
    if count == 1:
        return np.zeros(1)
    with ctx.workprec(_FIRST_PRECISION):
        factor = _cholesky(chain, law)
    tiny = np.finfo(np.float64).tiny
    # The least singular value is at most the length of the shortest column.
    if np.abs(factor).max(axis=0).min() ** 2 * chain.size >= tiny:
        singular = np.sort(_singular_values(factor * _LIFT)) / _LIFT
        if singular[0] ** 2 >= tiny:
            return np.array([0.0, *singular**2])[:count]
    raise ChainError("a relaxation rate is below 2.2e-308, the range of a double; scale it up")


def _cholesky(chain: Chain, law: Sequence[Fraction]) -> FloatArray:
    """G of shape (N, N - 1), G G^T the symmetrised I - P, rows in the order of elimination.

    The numbers are balls for their range of exponents alone: all are positive but for the signs
    of the off-diagonal ones, so the radii stay small.
    """
    size = chain.size
    root = [_arb(p).sqrt() for p in law]
    a = [[arb(0)] * size for _ in range(size)]
    for i, j, value in chain.exact_entries():
        # sqrt(p_ij p_ji) = p_ij sqrt(pi_i / pi_j) by detailed balance
        a[i][j] = _arb(value) * root[i] / root[j]
    left = list(range(size))
    factor = np.zeros((size, size - 1))
    for step in range(size - 1):
        leaving = {
            i: sum((a[i][j] * root[j] for j in left if j != i), arb(0)) / root[i] for i in left
        }
        k = max(left, key=lambda i: leaving[i].mid())
        left.remove(k)
        pivot = leaving[k].sqrt()
        factor[k, step] = float(pivot)
        column = {i: a[i][k] / pivot for i in left if a[i][k] != 0}
        for i, here in column.items():
            factor[i, step] = -float(here)
            for j, there in column.items():
                if i != j:
                    a[i][j] += here * there
    return factor


@njit(cache=True)
def _singular_values(matrix: FloatArray) -> FloatArray:
    """Singular values of a matrix with independent columns, by one-sided Jacobi rotations."""
    g = matrix.T.copy()
    n = len(g)
    turned = True
    while turned:
        turned = False
        for i in range(n - 1):
            for j in range(i + 1, n):
                aa = np.dot(g[i], g[i])
                bb = np.dot(g[j], g[j])
                ab = np.dot(g[i], g[j])
                if abs(ab) <= 2.0**-50 * n * np.sqrt(aa) * np.sqrt(bb):
                    continue
                turned = True
                zeta = (bb - aa) / (2.0 * ab)
                t = 1.0 / (abs(zeta) + np.hypot(1.0, zeta))
                if zeta < 0.0:
                    t = -t
                c = 1.0 / np.hypot(1.0, t)
                s = c * t
                for k in range(g.shape[1]):
                    x = g[i, k]
                    y = g[j, k]
                    g[i, k] = c * x - s * y
                    g[j, k] = s * x + c * y
    values = np.empty(n)
    for i in range(n):
        values[i] = np.sqrt(np.dot(g[i], g[i]))
    return values


def pseudo_spectral_gap(chain: Chain) -> float:
    """Pseudo-spectral gap max_{r >= 1} gap((P*)^r P^r)/r, P* the time reversal of P.

    As Paulin (2015), *Electron. J. Probab.* 20, no. 79, with gap = 1 less the second largest
    eigenvalue, counted with multiplicity; so it is 0 for periodic chains.

    Let T = P - 1 pi on L^2(pi), of norm and spectral radius rho <= 1. The r-th gap is
    1 - ||T^r||^2, which does not decrease in r and is at most 1 - rho^(2r). Two rules follow: no r
    in (a, b) yields more than gap_b/(a + 1), and none above a more than (1 - rho^(2a+2))/(a + 1),
    since (1 - x^r)/r decreases. So doubling r until the second stays below the best value ends,
    and bisection settles what lies between. For a reversible chain r = 1 is best. The radius rho
    is bounded from below by (|tr T^m|/(N - 1))^(1/m); each gap is found as in `spectral_gap`, so
    it is accurate relatively, however small.

    Parameters
    ----------
    chain : Chain
        Irreducible chain of N >= 2 states, for instance a stochastic complement.

    Returns
    -------
    float
        In [0, 1].

    Raises
    ------
    ChainError
        If the chain has one state or is not irreducible, if the gap is below 2.2e-308, the range
        of a double, or if more than `MOST_POWERS` powers would have to be looked at.
    """
    exact.require_two_states(chain)
    require_dense(chain)
    law = exact.stationary(chain)
    if not exact.is_aperiodic(chain):
        return 0.0
    for bits in (_FIRST_PRECISION * 2**step for step in itertools.count()):
        with ctx.workprec(bits):
            try:
                best = _Powers(chain, law).search(reversible=_is_reversible(chain, law))
            except _Imprecise:
                continue
        break
    if best < np.finfo(np.float64).tiny:
        raise ChainError("the pseudo-spectral gap is below 2.2e-308, the range of a double")
    return best


MOST_POWERS = 2000
"""Most powers of a chain that the pseudo-spectral gap looks at."""

_SQUARINGS = 60
# Bounds this much above the best value are taken to be no better: rounding of doubles.
_TIE = 1.0 + 2.0**-46


class _Imprecise(Exception):
    """The working precision is too low."""


class _Powers:
    """The powers of T = P - 1 pi, symmetrised, at the working precision."""

    def __init__(self, chain: Chain, law: Sequence[Fraction]) -> None:
        self.size = chain.size
        self.pattern = exact.transition_pattern(chain)
        root = [_arb(p).sqrt() for p in law]
        self.unit = arb_mat(
            [[arb(int(i == j)) for j in range(self.size)] for i in range(self.size)]
        )
        step = arb_mat([[-a * b for b in root] for a in root])
        stay = [Fraction(1)] * self.size
        for i, j, value in chain.exact_entries():
            stay[i] -= value
            step[i, j] += _arb(value) * root[i] / root[j]
        for i, value in enumerate(stay):
            step[i, i] += _arb(value)
        self.squares = [step]  # T^(2^k)
        self.looked_at = 0

    def search(self, *, reversible: bool) -> float:
        best = self.gap(self.square(0), 1)
        if reversible:
            return best
        radius = self.log_radius()
        b = 1
        # between powers a and b of which the gaps are known, with T^a
        open_between: list[tuple[int, arb_mat, int, float]] = []
        while _later(radius, b + 1) > best * _TIE:
            k = b.bit_length()
            gap = self.gap(self.square(k), 2 * b)
            open_between.append((b, self.square(k - 1), 2 * b, gap))
            best = max(best, gap / (2 * b))
            b *= 2
        while open_between:
            a, power, b, gap = open_between.pop()
            most = min(gap / (a + 1), _later(radius, a + 1))
            if b - a == 1 or most <= best * _TIE:
                continue
            half = (b - a) // 2
            middle = power * self.square(half.bit_length() - 1)
            gap_there = self.gap(middle, a + half)
            best = max(best, gap_there / (a + half))
            open_between += [(a, power, a + half, gap_there), (a + half, middle, b, gap)]
        return best

    def square(self, k: int) -> arb_mat:
        """T^(2^k)."""
        while len(self.squares) <= k:
            self.squares.append(self.squares[-1] * self.squares[-1])
        return self.squares[k]

    def gap(self, power: arb_mat, r: int) -> float:
        """1 - ||T^r||^2, given T^r."""
        self.looked_at += 1
        if self.looked_at > MOST_POWERS:
            raise exact.too_many_powers(MOST_POWERS)
        # (P*)^r P^r links two states to which P^r leads from a third; unless that connects all of
        # them, the eigenvalue 1 is multiple and the gap 0.
        reach = _boolean_power(self.pattern, min(r, self.size**2)).astype(np.float64)
        if csgraph.connected_components(reach.T @ reach > 0)[0] > 1:
            return 0.0
        try:
            inverse = _rounded((self.unit - power.transpose() * power).inv())
        except ZeroDivisionError:
            inverse = None
        if inverse is None:
            raise _Imprecise
        scaled, scale = inverse
        return float(1 / (scale * arb(float(np.linalg.eigvalsh(scaled)[-1]))))

    def log_radius(self) -> float:
        """Lower bound of log rho, at most 0."""
        best = -math.inf
        for k in range(_SQUARINGS):
            trace = sum((self.square(k)[i, i] for i in range(self.size)), arb(0)).abs_lower()
            if trace > 0:
                best = max(best, float(((trace / (self.size - 1)).log() / 2**k).lower()))
        return min(best, 0.0)


def _later(log_radius: float, r: int) -> float:
    """(1 - rho^(2r))/r, which no power from the r-th on exceeds."""
    return -math.expm1(2 * r * log_radius) / r


def _boolean_power(pattern: npt.NDArray[np.bool_], r: int) -> npt.NDArray[np.bool_]:
    result = np.eye(len(pattern), dtype=np.bool_)
    base = pattern
    while r:
        if r % 2:
            result = result.astype(np.float64) @ base > 0
        base = base.astype(np.float64) @ base > 0
        r //= 2
    return result


def _is_reversible(chain: Chain, law: Sequence[Fraction]) -> bool:
    flow = {(i, j): law[i] * value for i, j, value in chain.exact_entries()}
    return all(flow.get((j, i)) == value for (i, j), value in flow.items())


def eigenvalues(chain: Chain) -> npt.NDArray[np.complex128]:
    """All eigenvalues of the transition matrix, by decreasing real and then imaginary part.

    Found as 1 - mu for the eigenvalues mu of I - P in doubles: good to about 1e-15 absolutely
    where they are well conditioned, so 1 - lambda_2 below that is noise; see `spectral_gap`.

    Returns
    -------
    complex128 array, shape (N,)

    Raises
    ------
    ChainError
        If N is too large for a dense array.
    """
    rates = chain.rates()
    values = 1.0 - np.linalg.eigvals(np.diag(rates.sum(axis=1)) - rates).astype(np.complex128)
    return values[np.lexsort((-values.imag, -values.real))]


def blocks(chain: Chain, threshold: float | Fraction) -> tuple[tuple[int, ...], ...]:
    """Connected components of the transitions with probability above a threshold.

    Directions are ignored. For a nearly decomposable chain and a threshold between the sparse
    and the dense entries these are its blocks (Courtois 1977, *Decomposability*).

    Parameters
    ----------
    chain : Chain
    threshold : float or Fraction
        Probability per step, in [0, 1); compared exactly.

    Returns
    -------
    tuple of tuple of int
        A partition of the states; each block is increasing, and blocks go by their first state.

    Raises
    ------
    ChainError
        If the threshold is outside [0, 1).
    """
    if not 0 <= threshold < 1:
        raise ChainError(f"threshold {threshold} is not a probability; choose one in [0, 1)")
    cut = Fraction(threshold)
    # Rounding is monotone: only an entry that rounds to the rounded cut needs a closer look.
    strong = chain.probability > float(cut)
    for e in np.flatnonzero(chain.probability == float(cut)).tolist():
        strong[e] = exact_entry(chain, e) > cut
    ends = chain.source[strong], chain.target[strong]
    graph = sparse.csr_array(
        (np.ones(len(ends[0]), dtype=np.int8), ends), shape=(chain.size, chain.size)
    )
    _, labels = csgraph.connected_components(graph, directed=False)
    members: dict[int, list[int]] = {}
    for state, label in enumerate(labels.tolist()):
        members.setdefault(label, []).append(state)
    return tuple(tuple(block) for block in members.values())


def degree_of_coupling(chain: Chain, blocks: Sequence[Sequence[int]]) -> Fraction:
    """Largest probability with which a state leaves its block in one step (Courtois 1977).

    Parameters
    ----------
    chain : Chain
    blocks : sequence of sequences of int
        A partition of the states.

    Raises
    ------
    ChainError
        If `blocks` is not a partition of the states.
    """
    label = {state: number for number, block in enumerate(blocks) for state in block}
    if sorted(itertools.chain(*blocks)) != list(range(chain.size)):
        raise ChainError(
            f"the blocks are not a partition of the {chain.size} states; list each state once"
        )
    outward = [Fraction(0)] * chain.size
    for i, j, value in chain.exact_entries():
        if label[i] != label[j]:
            outward[i] += value
    return max(outward)
