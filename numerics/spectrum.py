"""Spectra of concrete chains: reference gap, eigenvalues, blocks and degree of coupling."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from fractions import Fraction

import numpy as np
import numpy.typing as npt
from flint import arb, arb_mat, ctx, fmpq
from scipy import sparse
from scipy.sparse import csgraph

from numerics.chain import (
    Chain,
    ChainError,
    FloatArray,
    require_dense,
    require_irreducible,
)

_FIRST_PRECISION = 256
# Enclosures this much smaller than the largest entry leave double rounding the largest error.
_TOLERANCE = 2.0**-60


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
    if chain.size < 2:
        raise ChainError("a chain of one state has no spectral gap; give at least two states")
    require_dense(chain)
    require_irreducible(chain)
    law = _reversible_law(chain)
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


def _reversible_law(chain: Chain) -> list[Fraction]:
    """Exact stationary law of an irreducible reversible chain; ChainError if it is not reversible.

    Detailed balance along a spanning tree determines the law; it is then checked on every pair.
    """
    entry = {(i, j): value for i, j, value in chain.exact_entries()}
    neighbours: list[list[int]] = [[] for _ in range(chain.size)]
    for i, j in entry:
        if (j, i) not in entry:
            raise _irreversible(chain, i, j)
        neighbours[i].append(j)
    weight = {0: Fraction(1)}
    queue = [0]
    for i in queue:
        for j in neighbours[i]:
            if j not in weight:
                weight[j] = weight[i] * entry[i, j] / entry[j, i]
                queue.append(j)
    for (i, j), value in entry.items():
        if i < j and weight[i] * value != weight[j] * entry[j, i]:
            raise _irreversible(chain, i, j)
    total = sum(weight.values())
    return [weight[state] / total for state in range(chain.size)]


def _irreversible(chain: Chain, i: int, j: int) -> ChainError:
    return ChainError(
        f"the chain is not reversible: detailed balance fails between {chain.states[i]!r} and "
        f"{chain.states[j]!r}; correct the entries, exactly, or use its eigenvalues"
    )


def _symmetric_group_inverse(
    chain: Chain, law: Sequence[Fraction]
) -> tuple[FloatArray, arb] | None:
    """The symmetrised group inverse over its largest entry, and that entry.

    None if the working precision is too low to enclose it tightly.
    """
    size = chain.size
    root = [arb(fmpq(p.numerator, p.denominator)).sqrt() for p in law]
    unit = arb_mat([[a * b for b in root] for a in root])
    entry = {(i, j): value for i, j, value in chain.exact_entries()}
    diagonal = [Fraction(0)] * size
    laplacian = arb_mat(size, size)
    for (i, j), value in entry.items():
        diagonal[i] += value
        if i < j:
            square = value * entry[j, i]
            laplacian[i, j] = -arb(fmpq(square.numerator, square.denominator)).sqrt()
            laplacian[j, i] = laplacian[i, j]
    for i, value in enumerate(diagonal):
        laplacian[i, i] = arb(fmpq(value.numerator, value.denominator))
    try:
        inverse = (laplacian + unit).inv() - unit
    except ZeroDivisionError:
        return None
    # The matrix is positive semidefinite, so its largest entry is on the diagonal.
    scale = max((inverse[i, i].mid() for i in range(size)), key=lambda value: value.mid())
    if not scale > 0:
        return None
    scaled = np.empty((size, size))
    for i in range(size):
        for j in range(size):
            ratio = inverse[i, j] / scale
            if not float(ratio.rad()) < _TOLERANCE:
                return None
            scaled[i, j] = float(ratio.mid())
    return (scaled + scaled.T) / 2.0, scale


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
    strong = [(i, j) for i, j, value in chain.exact_entries() if value > cut]
    ends = np.array(strong, dtype=np.int64).reshape(-1, 2)
    graph = sparse.csr_array(
        (np.ones(len(ends), dtype=np.int8), (ends[:, 0], ends[:, 1])),
        shape=(chain.size, chain.size),
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
