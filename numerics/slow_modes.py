"""The slowest modes of a chain of any size: 1 - lambda with its digits, however small it is.

The slow eigenvalues of I - P are the large ones of its group inverse Z, and Z f is a mean total
cost, the difference of those of the positive and the negative part of f, each accurate in every
entry (`numerics.elimination`). Krylov methods need no more than that. What is lost is what cancels
between the two, and that is measured.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy.linalg
from scipy.sparse.linalg import ArpackNoConvergence, LinearOperator, eigs, eigsh

from numerics.bands import Scaled
from numerics.chain import Chain, ChainError, FloatArray, require_irreducible
from numerics.elimination import Elimination, law_by_visits

ComplexArray = npt.NDArray[np.complex128]

_RESIDUAL = 1e-8  # of an eigenvector of a symmetric operator; its value is off by the square
_DENSE = 50  # states up to which the inverse is written out
_BALANCE = 1e-9  # most that detailed balance may miss, relatively
_START = 20261122  # seed of the first vector of a Krylov space


@dataclass(frozen=True, eq=False)
class SlowModes:
    """The slowest modes of a chain, the slowest first; the mode 0 is left out.

    Attributes
    ----------
    rates : float64 (complex128 if the chain is not reversible) array, shape (count,)
        1 - lambda, in units of ``2**exponent``.
    exponent : int
    condition : float64 array, shape (count,)
        Condition number of each eigenvalue: by how much a relative error of I - P, in the norm of
        the stationary law, may be magnified. 1 for a reversible chain.
    relative_error_bound : float64 array, shape (count,)
        A bound of first order, which adds up every rounding as if they had one sign.
    """

    rates: npt.NDArray[np.float64] | ComplexArray
    exponent: int
    condition: FloatArray
    relative_error_bound: FloatArray


class _Inverse:
    """The group inverse of I - P, on functions and, transposed, on weights; scaled to be small."""

    def __init__(self, chain: Chain):
        require_irreducible(chain)
        if chain.size < 2:
            raise ChainError("the chain has one state; its spectrum is 1 alone")
        # Passing the state with the largest probability takes no longer than mixing.
        # Any state of its cluster will do, within a factor that is the number of its states.
        ends = np.bincount(chain.target, minlength=chain.size)
        hub = int(np.argmax(ends))
        self.reduced = Elimination(chain, [hub])
        self.law = law_by_visits(self.reduced, hub).values
        best = int(np.argmax(self.law))
        if self.law[best] > 1000 * self.law[hub]:
            self.reduced = Elimination(chain, [best])
        self.root = np.sqrt(self.law)
        times = self.reduced.costs()
        self.exponent = int((times.exponent + np.frexp(times.mantissa)[1]).max())

    def on_functions(self, f: FloatArray) -> FloatArray:
        """Z f for f of mean 0, its mean removed, over 2**exponent."""
        h = self._scaled(self.reduced.costs(f))
        h -= self.law @ h
        return h

    def cancelled(self, f: FloatArray) -> float:
        """By how much an error of Z f is magnified as its two parts cancel."""
        parts = np.maximum(f, 0.0), np.maximum(-f, 0.0)
        up, down = (self._scaled(self.reduced.costs(part)) for part in parts)
        h = up - down
        h -= self.law @ h
        return float(np.sqrt(self.law @ (up + down) ** 2 / (self.law @ h**2)))

    def on_weights(self, w: FloatArray) -> FloatArray:
        """W Z for weights of sum 0, over 2**exponent."""
        v = self._scaled(self.reduced.visits(w))
        v -= self.law * v.sum()
        return v

    def _scaled(self, found: Scaled) -> FloatArray:
        shift = np.clip(found.exponent - self.exponent, -4000, 4000).astype(np.int32)
        with np.errstate(under="ignore"):
            out: FloatArray = np.ldexp(found.mantissa, shift)
        return out


def slow_modes(chain: Chain, count: int = 1) -> SlowModes:
    """The slowest modes of an irreducible chain.

    Parameters
    ----------
    chain : Chain
        Irreducible chain of N >= 2 states; for a reversible one the symmetric method of Lanczos is
        used, else that of Arnoldi.
    count : int
        How many, 1 to N - 1, and to N - 3 where N > 50. With K clusters, K - 1 are metastable.

    Raises
    ------
    ChainError
        If the chain is not irreducible, if `count` is out of range, as `Elimination`, or if the
        iteration does not converge.
    """
    inverse = _Inverse(chain)
    n = chain.size
    most = n - 1 if n <= _DENSE else n - 3
    if not 1 <= count <= most:
        raise ChainError(f"{count} modes are out of range; ask for 1 to {most}")
    root = inverse.root
    start = np.random.default_rng(_START).standard_normal(n)
    start -= root * (root @ start)

    def symmetrised(v: FloatArray) -> FloatArray:
        v = np.asarray(v).ravel()
        return root * inverse.on_functions((v - root * (root @ v)) / root)

    def transposed(v: FloatArray) -> FloatArray:
        v = np.asarray(v).ravel()
        return inverse.on_weights(root * (v - root * (root @ v))) / root

    reversible = is_balanced(chain, inverse.law)
    operator = LinearOperator((n, n), matvec=symmetrised, rmatvec=transposed, dtype=np.float64)
    try:
        if n <= _DENSE:
            matrix = np.column_stack([symmetrised(e) for e in np.eye(n)])
            if reversible:
                values, vectors = np.linalg.eigh((matrix + matrix.T) / 2)
                left = vectors
            else:
                values, left, vectors = scipy.linalg.eig(matrix, left=True, right=True)  # type: ignore[misc]
        elif reversible:
            ncv = min(n, max(2 * count + 2, 12))
            values, vectors = eigsh(operator, k=count, which="LA", v0=start, ncv=ncv, tol=_RESIDUAL)
            left = vectors
        else:  # one more, so that no pair is torn apart
            values, vectors = eigs(operator, k=count + 1, v0=start)
            conjugate, left = eigs(operator.adjoint(), k=count + 1, v0=start)
            left = left[:, [int(np.argmin(np.abs(conjugate - np.conj(x)))) for x in values]]
    except ArpackNoConvergence as failure:
        message = "the slow modes do not converge; ask for more or fewer of them"
        raise ChainError(message) from failure
    slowest_first = np.argsort(-np.abs(values), kind="stable")[:count]
    values, vectors, left = values[slowest_first], vectors[:, slowest_first], left[:, slowest_first]
    condition = np.ones(count)
    if not reversible:
        overlap = np.abs(np.sum(np.conj(left) * vectors, axis=0))
        norms = np.linalg.norm(left, axis=0) * np.linalg.norm(vectors, axis=0)
        condition = norms / overlap
    parts = [part / root for v in vectors.T for part in (v.real, v.imag) if np.any(part)]
    lost = np.array([max(inverse.cancelled(f) for f in parts)] * count)
    error = (inverse.reduced.relative_error_bound + n * 2.0**-53) * lost + 2 * _RESIDUAL**2
    spread = np.abs(values[0]) / np.abs(values)
    return SlowModes(1.0 / values, -inverse.exponent, condition, error * spread * condition)


def is_balanced(chain: Chain, law: FloatArray) -> bool:
    """Whether detailed balance holds, up to rounding: pi(x) P(x, y) = pi(y) P(y, x)."""
    number = chain.source * chain.size + chain.target
    back = chain.target * chain.size + chain.source
    place = np.searchsorted(number, back)
    place[place == len(number)] = 0
    if not (number[place] == back).all():
        return False
    flow = law[chain.source] * chain.probability
    return bool(np.all(np.abs(flow - flow[place]) <= _BALANCE * flow))
