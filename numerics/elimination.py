"""Subtraction-free state reduction: entrywise accurate at any epsilon, fast at any size.

Eliminating state k from a chain replaces, for all others, ``p_ij`` by ``p_ij + p_ik (p_kj / s_k)``
with ``s_k`` the sum of the off-diagonal entries of row k: the chain watched off k. Done on
off-diagonal entries this only adds, multiplies and divides positive numbers, so nothing cancels,
however nearly decomposable the chain is (Grassmann, Taksar and Heyman 1985, *Operations Research*
33, 1107-1116; Wales 2009, *J. Chem. Phys.* 130, 204111, as graph transformation). LU factorisation
of I - P, by contrast, loses all digits once the sparse edges fall below 1e-16.

The order of elimination, and how the entries are held, are those of `numerics.multifrontal`: time
and memory grow almost linearly with the number of states where clusters are bounded and the
meta-graph has small separators, and for one dense cluster the method is that of a dense matrix.
Numbers are held in bands (`numerics.bands`), so that no product of entries underflows.

Error bound
-----------
All is done in twice the precision, a double and a far smaller one, and rounded to a double at the
end. Count roundings, each a factor in [1 - w, 1/(1 - w)], with w = 2**-102 (r + 2)**2 and r the
most later neighbours of a state: that covers a compensated sum of r + 1 positive terms (Ogita, Rump
and Oishi 2005, *SIAM J. Sci. Comput.* 26, 1955-1988, Proposition 4.5), and more than covers a
product, an inverse and a sum of two. Eliminating a state changes the rows of its r later
neighbours, and makes each of their entries with at most 5 roundings. So the computed reduced chain
is the exact one with every entry of r rows off by at most 5 roundings, and the entrywise
perturbation theory of O'Cinneide (1993, *Numer. Math.* 65, 109-120) says what that does. By the
all-minors matrix-tree theorem a mean total cost is a ratio of sums of products, all positive, in
which each row has at most one entry and a cost stands at most once: it is off by at most 2 * 5 r +
5 roundings. Each back substitution adds at most r + 4. With n states eliminated, r_1 + ... + r_n =
m, and 2 n + 1 for the first rounding of the entries and the costs, all mean costs and visits are
off by at most

    K = 11 m + 11 n + 1 roundings,

a relative error of at most K w / (1 - K w) in every value, and 2**-53 for the last rounding: at a
million states in clusters of 8, K w is below 1e-20.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property

import numpy as np
import numpy.typing as npt

from numerics import multifrontal
from numerics.bands import WIDTH, BandArray, Scaled, split, split_doubles, split_twice
from numerics.chain import (
    Chain,
    ChainError,
    FloatArray,
    IntArray,
    check_targets,
    require_irreducible,
    require_reachable,
)
from numerics.multifrontal import Twice

MAX_BYTES = 6 * 10**9
"""Most memory that an elimination may ask for."""

Costs = Sequence[Fraction] | FloatArray | Scaled

_TINY = float(np.finfo(np.float64).tiny)
_UNIT = 2.0**-53


@dataclass(frozen=True, eq=False)
class Solution(Scaled):
    """Values >= 0, one for each of the N states, with one bound on the relative error of each.

    Attributes
    ----------
    relative_error_bound : float
        Every value v and the exact v* satisfy abs(v - v*) <= relative_error_bound * v*, v* for the
        exact rational entries of the chain.
    states : tuple of str
        Names of the states.
    what : str
        What the values are, for messages.
    """

    relative_error_bound: float
    states: tuple[str, ...] = field(repr=False)
    what: str

    @cached_property
    def values(self) -> FloatArray:
        """The values as doubles, shape (N,).

        Raises
        ------
        ChainError
            One of them leaves the range of a double, 2.2e-308 to 1.8e308.
        """
        out, lost = self._doubles()
        if lost.any():
            state = int(np.argmax(lost))
            side = "exceeds 1.8e308" if np.isinf(out[state]) else "is below 2.2e-308"
            raise ChainError(
                f"the {self.what} state {self.states[state]!r} {side}, the range of a double; "
                "read its mantissa and exponent, or use exact arithmetic"
            )
        return out

    def numbers(self) -> tuple[float | Fraction, ...]:
        """The values as doubles, and as rationals where they leave the range of one."""
        out, lost = self._doubles()
        found: list[float | Fraction] = out.tolist()
        for state in np.flatnonzero(lost).tolist():
            found[state] = self.fraction(state)
        return tuple(found)

    def _doubles(self) -> tuple[FloatArray, npt.NDArray[np.bool_]]:
        """Doubles, and where the range of one has been left."""
        with np.errstate(over="ignore", under="ignore"):
            out = np.ldexp(self.mantissa, np.clip(self.exponent, -4000, 4000).astype(np.int32))
        return out, (self.mantissa > 0.0) & ((out < _TINY) | np.isinf(out))


class Elimination:
    """All states off some targets, eliminated once, to solve for as many costs as one likes.

    Parameters
    ----------
    chain : Chain
        Chain of N states.
    targets : collection of int
        0-based target states, at least one.

    Raises
    ------
    ChainError
        If a state cannot reach the targets, a target is not a state, or more memory than
        `MAX_BYTES` would be needed.
    """

    def __init__(self, chain: Chain, targets: Collection[int]):
        self.chain = chain
        goals = check_targets(chain, targets)
        off = np.ones(chain.size, np.bool_)
        off[list(goals)] = False
        self.free: IntArray = np.flatnonzero(off)
        number = np.where(off, np.cumsum(off) - 1, -1).astype(np.int32)
        n = len(self.free)
        given = entries(chain)
        rows, target, entry, leaving = multifrontal.by_rows(chain.source, chain.target, number)
        columns, source, place = multifrontal.by_columns(rows, target)
        first, neighbour = multifrontal.symmetric(rows, target, columns, source)
        order = multifrontal.minimum_degree(first, neighbour.copy())
        parent = multifrontal.elimination_tree(first, neighbour, order)
        self.order, parent = multifrontal.in_postorder(order, parent)
        self.begin, sets = multifrontal.later_neighbours(first, neighbour, self.order, parent)
        self.starts = multifrontal.supernodes(self.begin, parent)
        widest = int(np.max(np.diff(self.begin), initial=0)) + 1
        self.relative_error_bound = error_bound(11 * len(sets) + 11 * n + 1, widest)
        need = 40 * (len(sets) + n) + 60 * widest**2
        if need > MAX_BYTES:
            raise ChainError(
                f"eliminating {n} states needs about {need / 1e9:.0f} GB: the chain has no small "
                "separators; watch it on fewer states, or take a smaller chain"
            )
        self.factor = multifrontal.eliminate(
            (rows, target, entry),
            (columns, source, place),
            given,
            self._into_targets(number, leaving, given),
            self.order,
            self.begin,
            sets,
            self.starts,
        )
        stay = self.factor[3][0][self.begin[:-1] + np.arange(n)]
        if not stay.all():  # the last state of a class that no target is reached from
            require_reachable(chain, goals)

    def _into_targets(
        self, number: multifrontal.Index, leaving: multifrontal.Index, given: Twice
    ) -> Twice:
        """Probability of a step into the targets, rounded once, from each state off them."""
        chain, n = self.chain, len(self.free)
        leave, low, band = np.zeros(n), np.zeros(n), np.zeros(n, np.int32)
        place = number[chain.source[leaving]]  # in order, as the entries of a chain are
        leave[place] = given[0][leaving]
        if len(given[1]):
            low[place], band[place] = given[1][leaving], given[2][leaving]
        states, first, count = np.unique(place, return_index=True, return_counts=True)
        for at in np.flatnonzero(count > 1).tolist():
            mine = leaving[first[at] : first[at] + count[at]].tolist()
            total = sum((exact_entry(chain, e) for e in mine), Fraction(0))
            leave[states[at]], low[states[at]], band[states[at]] = split_twice(total)
        return leave, low, band

    def costs(self, costs: Costs | None = None, what: str = "mean hitting time from") -> Solution:
        """Mean total cost until the targets are reached.

        Parameters
        ----------
        costs : N numbers >= 0, or None
            What one step from each state costs, by default 1; not read on the targets. Doubles may
            be negative; the error bound is then relative to what they cost without their signs.
        what : str
            What an error message calls the result.
        """
        return self._solve(self._start(costs), what, costs=True)

    def visits(self, start: Costs, what: str = "mean number of visits to") -> Solution:
        """Mean number of visits to each state before the targets are reached.

        Parameters
        ----------
        start : N numbers >= 0
            Weight with which the walk starts in each state, as for `costs`.
        """
        return self._solve(self._start(start), what, costs=False)

    def _solve(self, given: Twice, what: str, *, costs: bool) -> Solution:
        first, index, onward, into = self.factor
        forth, back = (into, onward) if costs else (onward, into)
        multifrontal.solve(
            self.order, self.begin, self.starts, first, index, *forth, *back, *into, *given
        )
        value, _, band = given
        return self._solution(value, band, what)

    def _solution(self, value: FloatArray, band: BandArray, what: str) -> Solution:
        mantissa = np.zeros(self.chain.size)
        exponent = np.zeros(self.chain.size, np.int64)
        mantissa[self.free], exponent[self.free] = value, WIDTH * band.astype(np.int64)
        return Solution(mantissa, exponent, self.relative_error_bound, self.chain.states, what)

    def _start(self, costs: Costs | None) -> Twice:
        n = len(self.free)
        if costs is None:
            return np.ones(n), np.zeros(n), np.zeros(n, np.int32)
        mantissa, low, band = in_bands(costs)
        return mantissa[self.free], low[self.free], band[self.free]


def in_bands(numbers: Costs) -> Twice:
    """Numbers >= 0 in twice the precision and in bands, each rounded at most once."""
    if isinstance(numbers, Scaled):
        mantissa, band = numbers.bands()
    elif isinstance(numbers, np.ndarray):
        mantissa, band = split_doubles(numbers)
    else:
        triples = [split_twice(x) for x in numbers]
        m, low, b = zip(*triples, strict=True) if triples else ((), (), ())
        return np.array(m), np.array(low), np.array(b, np.int32)
    return mantissa, np.zeros(len(mantissa)), band


def entries(chain: Chain) -> Twice:
    """Off-diagonal entries, each rounded at most once, as `multifrontal.eliminate` takes them."""
    if chain.exact is not None:
        return in_bands(chain.exact)
    mantissa, band = split_doubles(chain.probability)
    if not band.any():
        return mantissa, np.empty(0), np.empty(0, np.int32)
    return mantissa, np.zeros(len(mantissa)), band


def exact_entry(chain: Chain, number: int) -> Fraction:
    """One off-diagonal entry, exactly."""
    return Fraction(chain.probability[number]) if chain.exact is None else chain.exact[number]


def error_bound(roundings: int, widest: int) -> float:
    """Relative error of values made with so many roundings, by steps that sum so many numbers."""
    error = roundings * 2.0**-102 * (widest + 1) ** 2
    # The factor 1 + 2^-50 covers the rounding of this very expression.
    return (error / (1.0 - error) + _UNIT) * (1.0 + 2.0**-50)


def mean_hitting_times(chain: Chain, targets: Collection[int]) -> Solution:
    """Mean number of steps to reach a set of states, entrywise accurate.

    Parameters
    ----------
    chain : Chain
        Chain of N states.
    targets : collection of int
        0-based target states, at least one.

    Returns
    -------
    Solution
        Mean hitting time from each state, in steps; 0 on the targets.

    Raises
    ------
    ChainError
        As `Elimination`.
    """
    return Elimination(chain, targets).costs()


def expected_costs(
    chain: Chain, targets: Collection[int], costs: Costs, what: str = "mean cost from"
) -> Solution:
    """Mean total cost until a set of states is reached, entrywise accurate.

    A cost is paid at each time at which the walk is off the targets.

    Parameters
    ----------
    chain : Chain
        Chain of N states.
    targets : collection of int
        0-based target states, at least one.
    costs : N numbers >= 0
        Cost of one step from each state, as in `Elimination.costs`.
    what : str
        What an error message calls the result.

    Returns
    -------
    Solution
        Mean total cost from each state; 0 on the targets.

    Raises
    ------
    ChainError
        As `Elimination`; also if the costs are not N numbers >= 0.
    """
    check_costs(chain, costs)
    return Elimination(chain, targets).costs(costs, what)


def check_costs(chain: Chain, costs: Costs) -> None:
    """ChainError unless there is one cost >= 0 for each state."""
    numbers = costs.mantissa if isinstance(costs, Scaled) else costs
    if len(numbers) != chain.size or not all(c >= 0 for c in numbers):
        raise ChainError(
            f"the costs are not {chain.size} numbers that are 0 or more; give one for each state"
        )


def hitting_matrix(chain: Chain) -> tuple[Solution, ...]:
    """Mean hitting times of every state, entrywise accurate.

    Parameters
    ----------
    chain : Chain
        Irreducible chain of N states; time grows as that of N eliminations.

    Returns
    -------
    tuple of N Solution
        For each target, the mean number of steps from every state.

    Raises
    ------
    ChainError
        As `Elimination`; also if the chain is not irreducible.
    """
    require_irreducible(chain)
    return tuple(mean_hitting_times(chain, [target]) for target in range(chain.size))


@dataclass(frozen=True, eq=False)
class Watched:
    """Off-diagonal entries of a chain watched on some of its states.

    Attributes
    ----------
    states : tuple of int
        The n states, 0-based numbers in the whole chain, increasing.
    rows : tuple of n tuples of n Fraction
        Probability of the next watched state, zero on the diagonal, of any size.
    relative_error_bound : float
        Of every entry, as in `Solution`.
    """

    states: tuple[int, ...]
    rows: tuple[tuple[Fraction, ...], ...]
    relative_error_bound: float


def watched(chain: Chain, states: Collection[int]) -> Watched:
    """The chain seen only when it is in a set of states, entrywise accurate.

    Its transition matrix is the stochastic complement of the set (Meyer 1989, *SIAM Review* 31,
    240-272). One elimination, and one solve for each state of the set.

    Parameters
    ----------
    chain : Chain
        Chain of N states.
    states : collection of int
        0-based states, at least one.

    Raises
    ------
    ChainError
        As `Elimination`, for the set.
    """
    kept = check_targets(chain, states)
    reduced = Elimination(chain, kept)
    place = {state: i for i, state in enumerate(kept)}
    rows, bound = [[Fraction(0)] * len(kept) for _ in kept], 0.0
    outward: list[tuple[int, int, Fraction]] = []
    into: dict[int, dict[int, Fraction]] = {state: {} for state in kept}
    inside = np.zeros(chain.size, np.bool_)
    inside[list(kept)] = True
    for e in np.flatnonzero(inside[chain.source] | inside[chain.target]).tolist():
        i, j, p = int(chain.source[e]), int(chain.target[e]), exact_entry(chain, e)
        if i in place and j in place:
            rows[place[i]][place[j]] += p
        elif i in place:
            outward.append((place[i], j, p))
        else:
            into[j][i] = p
    for target, from_ in into.items():
        if not from_ or not outward:
            continue
        cost, exponent = np.zeros(chain.size), np.zeros(chain.size, np.int64)
        for i, p in from_.items():
            cost[i], band = split(p)
            exponent[i] = WIDTH * band
        ahead = reduced.costs(Scaled(cost, exponent), "probability of the next state from")
        bound = ahead.relative_error_bound
        for i, j, p in outward:
            if i != place[target] and ahead.mantissa[j]:
                rows[i][place[target]] += p * ahead.fraction(j)
    return Watched(kept, tuple(map(tuple, rows)), bound + 2 * _UNIT)  # rounded once more by users


def escape_probabilities(chain: Chain, targets: Collection[int]) -> Solution:
    """Probability of reaching a set before coming back, from every state, entrywise accurate.

    It is 1 over the mean number of visits to the state before the set is reached, the start
    included. One elimination, and one solve for each state.

    Parameters
    ----------
    chain : Chain
        Chain of N states.
    targets : collection of int
        0-based target states B, at least one.

    Returns
    -------
    Solution
        P_y(tau_B < tau_y^+) for each state y off B; 0 on B.

    Raises
    ------
    ChainError
        As `Elimination`.
    """
    reduced = Elimination(chain, targets)
    mantissa, exponent = np.zeros(chain.size), np.zeros(chain.size, np.int64)
    bound = 0.0
    for state in reduced.free.tolist():
        start = np.zeros(chain.size)
        start[state] = 1.0
        seen = reduced.costs(start, "mean number of visits from")
        mantissa[state] = 1.0 / seen.mantissa[state]
        exponent[state] = -seen.exponent[state]
        bound = seen.relative_error_bound
    bound = (bound + _UNIT) / (1 - bound) * (1 + 2.0**-50)
    return Solution(mantissa, exponent, bound, chain.states, "escape probability from")


def stationary(chain: Chain) -> Solution:
    """Stationary law of an irreducible chain, entrywise accurate.

    The mean numbers of visits between two visits to one state are in proportion to it.

    Parameters
    ----------
    chain : Chain
        Irreducible chain of N states.

    Returns
    -------
    Solution
        Stationary probability of each state, positive.

    Raises
    ------
    ChainError
        If the chain is not irreducible, or as `Elimination`.
    """
    require_irreducible(chain)
    ends = np.concatenate([chain.source, chain.target])
    hub = int(np.argmax(np.bincount(ends, minlength=chain.size)))
    return law_by_visits(Elimination(chain, [hub]), hub)


def law_by_visits(reduced: Elimination, hub: int) -> Solution:
    """Stationary law from the mean numbers of visits between two visits to the one target."""
    chain = reduced.chain
    start, exponent = np.zeros(chain.size), np.zeros(chain.size, np.int64)
    for e in np.flatnonzero(chain.source == hub).tolist():
        start[chain.target[e]], band = split(exact_entry(chain, e))
        exponent[chain.target[e]] = WIDTH * band
    weights = reduced.visits(Scaled(start, exponent))
    weight, exponent = weights.mantissa, weights.exponent
    weight[hub] = 1.0
    top = int(exponent[weight > 0.0].max())
    with np.errstate(under="ignore"):
        shifted = np.ldexp(weight, np.maximum(exponent - top, -2000).astype(np.int32))
    law, more = split_doubles(weight / math.fsum(shifted.tolist()))
    d = weights.relative_error_bound  # of each weight, of their sum, and 5 roundings
    bound = (2 * d + 5 * _UNIT) / (1 - d) * (1 + 2.0**-50)
    what = "stationary probability of"
    exponent = exponent - top + WIDTH * more.astype(np.int64)
    return Solution(law, exponent, bound, chain.states, what)
