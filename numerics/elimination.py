"""Subtraction-free state reduction: entrywise accurate hitting times and stationary laws.

Eliminating state k from a chain replaces, for all others, ``p_ij`` by ``p_ij + p_ik (p_kj / s_k)``
with ``s_k`` the sum of the off-diagonal entries of row k: the chain watched off k. Done on
off-diagonal entries this only adds, multiplies and divides positive numbers, so nothing cancels,
however nearly decomposable the chain is (Grassmann, Taksar and Heyman 1985, *Operations Research*
33, 1107-1116; Wales 2009, *J. Chem. Phys.* 130, 204111, as graph transformation). LU factorisation
of I - P, by contrast, loses all digits once the sparse edges fall below 1e-16.

Range
-----
Subtraction-free arithmetic is accurate only while nothing underflows, and products of entries of
1e-280 do. Each number is therefore held as ``m * 2**(512 b)``, a double m in [2**-256, 2**256) and
an integer band b. Products and quotients stay inside a double before they are brought back into
the band, scaling by 2**512 is exact, and a sum loses a term only where it is 2**-512 of the other.
So no intermediate underflows or overflows, whatever the order of elimination, and only a final
value outside the range of a double is refused.

Error bound
-----------
Let u = 2**-53 and count roundings, each a factor in [1 - u, 1/(1 - u)]. One elimination step makes
each entry of the exactly reduced chain with at most 5: two for the compensated sum s_k (Ogita,
Rump and Oishi 2005, Proposition 4.5, for positive terms), one each for the quotient, the product
and the sum. So the computed reduced chain is the exact one with every entry off by at most 5
roundings, and the entrywise perturbation theory of O'Cinneide (1993, *Numer. Math.* 65, 109-120)
says what that does. By the all-minors matrix-tree theorem, a ratio of two stationary probabilities
of a chain of m + 1 states is a ratio of sums of products of m entries, and a mean hitting time
with m transient states is a ratio of sums of products of m numbers (m - 1 entries and one holding
time, over m entries), all positive. If every number is off by c roundings, either ratio is off by
at most 2 m c. Each back substitution adds at most 6. Adding up the steps from n transient (or
remaining) states to none, and 2 n for the first rounding of the entries to doubles, gives

    hitting times:   K = sum_{m=1..n} (10 (m - 1) + 6) + 2 n = 5 n^2 + 3 n
    stationary law:  the same, and 3 for the normalisation,

and a relative error of at most K u / (1 - K u) in every entry. In practice the error is a few u.

Mean costs are mean hitting times with other holding times, each rounded once: the same K. An entry
of the chain watched on a set is, with m states off the set, a ratio of sums of products of m + 1
entries over products of m; so

    chain watched on a set:  K = sum_{m=1..n} 5 (2 (m - 1) + 1) + 2 n + 1 = 5 n^2 + 2 n + 1.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import numpy.typing as npt
from numba import njit

from numerics.chain import (
    Chain,
    ChainError,
    FloatArray,
    check_targets,
    require_dense,
    require_irreducible,
    require_reachable,
)

BandArray = npt.NDArray[np.int64]

_BAND = 512
_UP = 2.0**_BAND
_DOWN = 2.0**-_BAND
_CEILING = 2.0 ** (_BAND // 2)
_FLOOR = 2.0 ** -(_BAND // 2)
_UNIT = 2.0**-53
_ZERO = Fraction(0)


@dataclass(frozen=True, eq=False)
class Solution:
    """Values with one bound on the relative error of each.

    Attributes
    ----------
    values : float64 array, shape (N,)
        One value per state of the chain.
    relative_error_bound : float
        Every entry v of `values` and the exact v* satisfy |v - v*| <= relative_error_bound * v*,
        v* for the exact rational entries of the chain.
    """

    values: FloatArray
    relative_error_bound: float


def mean_hitting_times(chain: Chain, targets: Collection[int]) -> Solution:
    """Mean number of steps to reach a set of states, entrywise accurate.

    Parameters
    ----------
    chain : Chain
        Chain of N states; time grows as N^3, memory as N^2.
    targets : collection of int
        0-based target states, at least one.

    Returns
    -------
    Solution
        Mean hitting time from each state, in steps; 0 on the targets.

    Raises
    ------
    ChainError
        If a state cannot reach the targets, a target is not a state, N is too large for a dense
        array, or a mean hitting time is too large for a double.
    """
    return _costs(chain, targets, [Fraction(1)] * chain.size, "mean hitting time")


def expected_costs(
    chain: Chain, targets: Collection[int], costs: Sequence[Fraction], what: str = "mean cost"
) -> Solution:
    """Mean total cost until a set of states is reached, entrywise accurate.

    A cost is paid at each time at which the walk is off the targets.

    Parameters
    ----------
    chain : Chain
        Chain of N states; time grows as N^3, memory as N^2.
    targets : collection of int
        0-based target states, at least one.
    costs : sequence of Fraction, length N
        Cost >= 0 of one step from each state; not read on the targets.
    what : str
        What an error message calls the result.

    Returns
    -------
    Solution
        Mean total cost from each state; 0 on the targets.

    Raises
    ------
    ChainError
        As `mean_hitting_times`; also if the costs are not N numbers >= 0, or if a positive result
        is too small for a double.
    """
    check_costs(chain, costs)
    return _costs(chain, targets, costs, what)


def check_costs(chain: Chain, costs: Sequence[Fraction]) -> None:
    """ChainError unless there is one cost >= 0 for each state."""
    if len(costs) != chain.size or min(costs) < 0:
        raise ChainError(
            f"the costs are not {chain.size} numbers that are 0 or more; give one for each state"
        )


def _costs(
    chain: Chain, targets: Collection[int], costs: Sequence[Fraction], what: str
) -> Solution:
    goals = set(check_targets(chain, targets))
    require_dense(chain)
    require_reachable(chain, goals)
    free = [state for state in range(chain.size) if state not in goals]
    order = [0] * chain.size
    for row, state in enumerate(free, 1):
        order[state] = row
    n = len(free)
    mantissa, band = _dense(chain, order, n + 1)
    # Row 0 stands for all targets at once and must not move.
    mantissa[0, :] = 0.0
    band[0, :] = 0
    time = np.zeros(n + 1)
    time_band = np.zeros(n + 1, dtype=np.int64)
    for row, state in enumerate(free, 1):
        time[row], time_band[row] = _split(costs[state])
    _reduce(mantissa, band, time, time_band, 1)
    _hitting(mantissa, band, time, time_band)
    values = np.zeros(chain.size)
    for row, state in enumerate(free, 1):
        values[state] = _in_range(time[row], int(time_band[row]), what, chain.states[state])
    return Solution(values, _bound(5 * n * n + 3 * n))


def hitting_matrix(chain: Chain) -> Solution:
    """Mean hitting time of every state from every state, entrywise accurate.

    Parameters
    ----------
    chain : Chain
        Irreducible chain of N states; time grows as N^4, memory as N^2.

    Returns
    -------
    Solution
        Values of shape (N, N): in row x and column y the mean number of steps from x to y, 0 on
        the diagonal.

    Raises
    ------
    ChainError
        As `mean_hitting_times`; also if the chain is not irreducible.
    """
    require_dense(chain)
    require_irreducible(chain)
    size = chain.size
    values = np.zeros((size, size))
    natural = _dense(chain, range(size), size)
    for target in range(size):
        order = [target, *(state for state in range(size) if state != target)]
        mantissa, band = _in_order(natural, order)
        mantissa[0, :] = 0.0
        band[0, :] = 0
        time = np.ones(size)
        time_band = np.zeros(size, dtype=np.int64)
        _reduce(mantissa, band, time, time_band, 1)
        _hitting(mantissa, band, time, time_band)
        for row, state in enumerate(order[1:], 1):
            values[state, target] = _in_range(
                time[row], int(time_band[row]), "mean hitting time", chain.states[state]
            )
    n = size - 1
    return Solution(values, _bound(5 * n * n + 3 * n))


@dataclass(frozen=True, eq=False)
class Watched:
    """Off-diagonal entries of a chain watched on some of its states.

    Attributes
    ----------
    states : tuple of int
        The n states, 0-based numbers in the whole chain, increasing.
    rows : tuple of n tuples of n Fraction
        Probability of the next watched state, zero on the diagonal: numbers with 53 significant
        bits, of any size.
    relative_error_bound : float
        Of every entry, as in `Solution`.
    """

    states: tuple[int, ...]
    rows: tuple[tuple[Fraction, ...], ...]
    relative_error_bound: float


def watched(chain: Chain, states: Collection[int]) -> Watched:
    """The chain seen only when it is in a set of states, entrywise accurate.

    Its transition matrix is the stochastic complement of the set (Meyer 1989, *SIAM Review* 31,
    240-272).

    Parameters
    ----------
    chain : Chain
        Chain of N states; time grows as N^3, memory as N^2.
    states : collection of int
        0-based states, at least one.

    Raises
    ------
    ChainError
        If a state cannot reach the set, one of the set is not a state, or N is too large for a
        dense array.
    """
    kept = check_targets(chain, states)
    require_dense(chain)
    require_reachable(chain, kept)
    mantissa, band = _watch(_dense(chain, range(chain.size), chain.size), kept)
    n = len(kept)
    rows = tuple(
        tuple(_fraction(mantissa[i, j], int(band[i, j])) if i != j else _ZERO for j in range(n))
        for i in range(n)
    )
    left = chain.size - n
    return Watched(kept, rows, _bound(5 * left * left + 2 * left + 1))


def escape_probabilities(chain: Chain, targets: Collection[int]) -> Solution:
    """Probability of reaching a set before coming back, from every state, entrywise accurate.

    Parameters
    ----------
    chain : Chain
        Chain of N states; time grows as N^4, memory as N^2.
    targets : collection of int
        0-based target states B, at least one.

    Returns
    -------
    Solution
        P_y(tau_B < tau_y^+) for each state y off B; 0 on B.

    Raises
    ------
    ChainError
        As `mean_hitting_times`; also if a probability is too small for a double.
    """
    goals = check_targets(chain, targets)
    require_dense(chain)
    require_reachable(chain, goals)
    natural = _dense(chain, range(chain.size), chain.size)
    r = len(goals)
    values = np.zeros(chain.size)
    for state in set(range(chain.size)) - set(goals):
        mantissa, band = _watch(natural, (*goals, state))
        total, total_band = _sum(mantissa[r, :r], band[r, :r])
        values[state] = _in_range(total, total_band, "escape probability", chain.states[state])
    n = chain.size - r - 1
    return Solution(values, _bound(5 * n * n + 2 * n + 3))


def _in_order(
    natural: tuple[FloatArray, BandArray], order: Sequence[int]
) -> tuple[FloatArray, BandArray]:
    """Copies with rows and columns in another order."""
    places = np.ix_(order, order)
    return natural[0][places], natural[1][places]


def _watch(
    natural: tuple[FloatArray, BandArray], kept: Sequence[int]
) -> tuple[FloatArray, BandArray]:
    """Entries between the states `kept`, in their order, once all others are eliminated."""
    size = len(natural[0])
    inside = set(kept)
    order = [*kept, *(state for state in range(size) if state not in inside)]
    mantissa, band = _in_order(natural, order)
    zeros = np.zeros(size)
    _reduce(mantissa, band, zeros, np.zeros(size, dtype=np.int64), len(kept))
    return mantissa[: len(kept), : len(kept)], band[: len(kept), : len(kept)]


def stationary(chain: Chain) -> Solution:
    """Stationary law of an irreducible chain, entrywise accurate.

    Parameters
    ----------
    chain : Chain
        Irreducible chain of N states; time grows as N^3, memory as N^2.

    Returns
    -------
    Solution
        Stationary probability of each state, positive.

    Raises
    ------
    ChainError
        If the chain is not irreducible, N is too large for a dense array, or a stationary
        probability is too small for a double.
    """
    require_dense(chain)
    require_irreducible(chain)
    n = chain.size - 1
    mantissa, band = _dense(chain, range(chain.size), chain.size)
    time = np.zeros(chain.size)
    time_band = np.zeros(chain.size, dtype=np.int64)
    _reduce(mantissa, band, time, time_band, 1)
    _weights(mantissa, band, time, time_band)
    pairs = zip(time.tolist(), time_band.tolist(), strict=True)
    values = np.array([_double(m, b) for m, b in pairs])
    smallest = int(np.argmin(values))
    if values[smallest] < np.finfo(np.float64).tiny:
        raise ChainError(
            f"the stationary probability of state {chain.states[smallest]!r} is below 2.2e-308, "
            "the range of a double; use exact arithmetic"
        )
    return Solution(values, _bound(5 * n * n + 3 * n + 3))


def _bound(roundings: int) -> float:
    # The factor 1 + 2^-50 covers the rounding of this very expression.
    error = roundings * _UNIT
    return error / (1.0 - error) * (1.0 + 2.0**-50)


def _dense(chain: Chain, order: Sequence[int], size: int) -> tuple[FloatArray, BandArray]:
    """Off-diagonal entries in bands, states renumbered by `order`, those that share one merged.

    Merged entries are added exactly, so each entry is rounded once.
    """
    mantissa = np.zeros((size, size))
    band = np.zeros((size, size), dtype=np.int64)
    merged: dict[tuple[int, int], Fraction] = {}
    for i, j, value in chain.exact_entries():
        pair = order[i], order[j]
        if pair[0] != pair[1]:
            merged[pair] = merged[pair] + value if pair in merged else value
    for pair, value in merged.items():
        mantissa[pair], band[pair] = _split(value)
    return mantissa, band


def _split(value: Fraction) -> tuple[float, int]:
    """A rational >= 0 as mantissa and band, correctly rounded."""
    band = 0
    if not value:
        return 0.0, band
    while value >= _CEILING:
        value /= 2**_BAND
        band += 1
    while (mantissa := float(value)) < _FLOOR:
        value *= 2**_BAND
        band -= 1
    return mantissa, band


def _fraction(mantissa: float, band: int) -> Fraction:
    return Fraction(mantissa) * Fraction(2) ** (_BAND * band)


def _in_range(mantissa: float, band: int, what: str, state: str) -> float:
    """``mantissa * 2**(512 band)`` as a double; ChainError if it is out of range."""
    value = _double(mantissa, band)
    if not np.isfinite(value):
        raise ChainError(
            f"the {what} from state {state!r} exceeds 1.8e308, the range of a double; use exact "
            "arithmetic"
        )
    if mantissa and value < np.finfo(np.float64).tiny:
        raise ChainError(
            f"the {what} from state {state!r} is below 2.2e-308, the range of a double; use exact "
            "arithmetic"
        )
    return value


def _double(mantissa: float, band: int) -> float:
    """The double nearest to ``mantissa * 2**(512 band)``: inf, or 0, outside the range."""
    with np.errstate(over="ignore", under="ignore"):
        return float(np.ldexp(mantissa, _BAND * max(min(band, 8), -8)))


@njit(cache=True)
def _normal(m: float, b: int) -> tuple[float, int]:
    if m >= _CEILING:
        return m * _DOWN, b + 1
    if m < _FLOOR and m > 0.0:
        return m * _UP, b - 1
    return m, b


@njit(cache=True)
def _add(m: float, b: int, other: float, other_b: int) -> tuple[float, int]:
    if other == 0.0:
        return m, b
    if m == 0.0:
        return other, other_b
    if b == other_b:
        return _normal(m + other, b)
    if b < other_b:
        m, b, other, other_b = other, other_b, m, b
    if b == other_b + 1:
        return _normal(m + other * _DOWN, b)
    return m, b


@njit(cache=True)
def _sum(m: FloatArray, b: BandArray) -> tuple[float, int]:
    """Sum of nonnegative numbers with one compensation: error at most 2 roundings."""
    top = 0
    found = False
    for j in range(len(m)):
        if m[j] > 0.0 and (not found or b[j] > top):
            top = int(b[j])
            found = True
    total = 0.0
    lost = 0.0
    for j in range(len(m)):
        if m[j] == 0.0 or b[j] < top - 1:
            continue
        term = m[j] if b[j] == top else m[j] * _DOWN
        new = total + term
        part = new - total
        lost += (total - (new - part)) + (term - part)
        total = new
    return _normal(total + lost, top)


@njit(cache=True)
def _reduce(m: FloatArray, b: BandArray, time: FloatArray, time_b: BandArray, keep: int) -> None:
    """Eliminate the last state, then the one before, until the first `keep` are left, in place.

    On return ``a[k, j]`` with j < k is the probability of going to j when k is left for a lower
    state, ``a[i, k]`` with i < k the entry into k when k was eliminated divided by the s_k of then,
    and ``time[k]`` the mean time spent before k is left for a lower state. The diagonal collects
    returns to a state and is never read: leaving is all that counts.
    """
    # A row all of whose entries lie in band 0 is plain: bands need no care, and the loop is fast.
    plain = np.empty(len(time), dtype=np.bool_)
    for i in range(len(time)):
        plain[i] = not b[i].any()
    for k in range(len(time) - 1, keep - 1, -1):
        s, s_b = _sum(m[k, :k], b[k, :k])
        least = 1.0
        for j in range(k):
            if m[k, j] > 0.0:
                m[k, j], b[k, j] = _normal(m[k, j] / s, b[k, j] - s_b)
                least = min(least, m[k, j])
        plain[k] = not b[k, :k].any()
        time[k], time_b[k] = _normal(time[k] / s, time_b[k] - s_b)
        for i in range(k):
            into = m[i, k]
            into_b = b[i, k]
            if into == 0.0:
                continue
            if plain[i] and plain[k] and into * least >= _FLOOR:
                for j in range(k):
                    m[i, j] += into * m[k, j]
            else:
                for j in range(k):
                    if m[k, j] > 0.0:
                        p, p_b = _normal(into * m[k, j], into_b + b[k, j])
                        m[i, j], b[i, j] = _add(m[i, j], b[i, j], p, p_b)
                plain[i] = not b[i, :k].any()
            p, p_b = _normal(into * time[k], into_b + time_b[k])
            time[i], time_b[i] = _add(time[i], time_b[i], p, p_b)
            m[i, k], b[i, k] = _normal(into / s, into_b - s_b)


@njit(cache=True)
def _hitting(m: FloatArray, b: BandArray, time: FloatArray, time_b: BandArray) -> None:
    """Turn the reduced times into mean hitting times of state 0, in place."""
    time[0] = 0.0
    for k in range(1, len(time)):
        terms = np.empty(k)
        terms_b = np.empty(k, dtype=np.int64)
        terms[0] = time[k]
        terms_b[0] = time_b[k]
        for j in range(1, k):
            terms[j], terms_b[j] = _normal(m[k, j] * time[j], b[k, j] + time_b[j])
        time[k], time_b[k] = _sum(terms, terms_b)


@njit(cache=True)
def _weights(m: FloatArray, b: BandArray, weight: FloatArray, weight_b: BandArray) -> None:
    """Write the stationary law of the reduced chain into `weight`."""
    weight[0] = 1.0
    weight_b[0] = 0
    for k in range(1, len(weight)):
        terms = np.empty(k)
        terms_b = np.empty(k, dtype=np.int64)
        for i in range(k):
            terms[i], terms_b[i] = _normal(weight[i] * m[i, k], weight_b[i] + b[i, k])
        weight[k], weight_b[k] = _sum(terms, terms_b)
    total, total_b = _sum(weight, weight_b)
    for k in range(len(weight)):
        weight[k], weight_b[k] = _normal(weight[k] / total, weight_b[k] - total_b)
