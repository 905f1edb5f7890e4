"""Quantities of a concrete chain that theory speaks of, each by two routes.

Every function takes a ``method``:

``"exact"``
    Rational arithmetic on the exact entries, for chains of up to a few hundred states (a few dozen
    for eigenvalues, which come as the middle of an enclosure).
``"float"``
    State reduction without subtraction (`elimination`), accurate however small the sparse entries
    are, with a bound on the relative error; for eigenvalues an accurate algorithm without one.

The two share the definition and, as far as there is a choice, not the formula: each checks the
other. States are 0-based numbers (`Chain.index` finds them); pi is the stationary law, of sum 1;
tau_B is the hitting time min{t >= 0 : X_t in B} and tau_B^+ the return time min{t >= 1 : X_t in B}.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Generic, Literal, TypeVar

import numpy as np
import numpy.typing as npt

from numerics import elimination, exact, spectrum
from numerics.bands import Scaled
from numerics.chain import (
    Chain,
    ChainError,
    check_targets,
    require_irreducible,
    require_reachable,
)

Method = Literal["exact", "float"]
Number = Fraction | float
T = TypeVar("T")

MAX_CUTS = 20
"""Most states of a chain whose conductance is found, by looking at every set."""

_UNIT = 2.0**-53
_TINY = Fraction(np.finfo(np.float64).tiny)
_HUGE = Fraction(np.finfo(np.float64).max)
_CHUNK = 2**14


@dataclass(frozen=True, eq=False)
class Answer(Generic[T]):
    """A value and a bound on its relative error.

    Attributes
    ----------
    value : Fraction or float, a tuple of them, or a Chain
    relative_error_bound : float or None
        Every number v of `value` (for a chain, every off-diagonal entry) and the true v* satisfy
        abs(v - v*) <= relative_error_bound * v*, v* for the exact entries of the chain asked about.
        0 for rationals; None where no bound is known.
    """

    value: T
    relative_error_bound: float | None


def second_moments(
    chain: Chain, targets: Collection[int], method: Method = "float"
) -> Answer[tuple[Number, ...]]:
    """Second moments E_x[tau_B^2] of the hitting time of a set.

    They solve (I - P) m = 2 h - 1 off the set, h = E[tau_B], by one step of tau_B^2 = (1 + tau')^2
    (Kemeny and Snell 1960, *Finite Markov Chains*, Theorem 3.3.5, in other words).

    Parameters
    ----------
    chain : Chain
        Chain of N states.
    targets : collection of int
        The set B, at least one state.
    method : ``"exact"`` or ``"float"``

    Returns
    -------
    Answer of N numbers
        From each state, in steps squared; 0 on the set.

    Raises
    ------
    ChainError
        If a state cannot reach the set, one of the set is not a state, or, in floating point, a
        number is out of the range of a double.
    """
    if method == "exact":
        means = exact.mean_hitting_times(chain, targets)
        return Answer(exact.expected_costs(chain, targets, [2 * h - 1 for h in means]), 0.0)
    reduced = elimination.Elimination(chain, targets)
    moments = reduced.costs(_twice_less_one(reduced.costs()), "second moment from")
    # Off the set h >= 1, so the subtraction at most doubles the relative error of h.
    error = moments.relative_error_bound
    return Answer(moments.numbers(), _compound(2 * error, error))


def _twice_less_one(solution: elimination.Solution) -> Scaled:
    """2 h - 1 for means h, each rounded once; beyond 2**60 the 1 is less than a rounding."""
    mantissa, exponent = 2 * solution.mantissa, solution.exponent.copy()
    exact_ = solution.exponent == 0
    mantissa[exact_] = np.maximum(mantissa[exact_] - 1, 0)
    return Scaled(mantissa, exponent)


def committor(
    chain: Chain, goals: Collection[int], others: Collection[int], method: Method = "float"
) -> Answer[tuple[Number, ...]]:
    """Committor P_x(tau_A < tau_B) for disjoint sets A, `goals`, and B, `others`.

    One is paid on entering A, and the walk ends on A and B.

    Parameters
    ----------
    chain : Chain
        Chain of N states.
    goals, others : collections of int
        The sets A and B, at least one state each.
    method : ``"exact"`` or ``"float"``

    Returns
    -------
    Answer of N numbers
        From each state; 1 on A, 0 on B.

    Raises
    ------
    ChainError
        If A and B meet, a state can reach neither, or one of them is not a state.
    """
    starts, ends = _disjoint(chain, goals, others)
    inside = set(starts)
    costs = [Fraction(0)] * chain.size
    for i, j, p in chain.exact_entries():
        if j in inside:
            costs[i] += p
    if method == "exact":
        values: list[Number] = list(exact.expected_costs(chain, (*starts, *ends), costs))
        bound = 0.0
    else:
        what = "hitting probability from"
        solution = elimination.expected_costs(chain, (*starts, *ends), costs, what)
        values, bound = list(solution.numbers()), solution.relative_error_bound
    for state in starts:
        values[state] = Fraction(1) if method == "exact" else 1.0
    return Answer(tuple(values), bound)


def absorption_probabilities(
    chain: Chain, targets: Collection[int], method: Method = "float"
) -> Answer[tuple[tuple[Number, ...], ...]]:
    """Probability that a set is entered at each of its states.

    Parameters
    ----------
    chain : Chain
        Chain of N states.
    targets : collection of int
        The set, at least one state.
    method : ``"exact"`` or ``"float"``

    Returns
    -------
    Answer of one tuple of N numbers for each state of the set, in increasing order
        From each state of the chain; on the set, where the walk already is.

    Raises
    ------
    ChainError
        If a state cannot reach the set, or one of the set is not a state.
    """
    goals = check_targets(chain, targets)
    if len(goals) == 1:
        require_reachable(chain, goals)
        one: Number = Fraction(1) if method == "exact" else 1.0
        return Answer(((one,) * chain.size,), 0.0)
    rows = [committor(chain, (state,), [x for x in goals if x != state], method) for state in goals]
    bounds = [row.relative_error_bound or 0.0 for row in rows]
    return Answer(tuple(row.value for row in rows), max(bounds))


def mean_visits(
    chain: Chain, state: int, targets: Collection[int], method: Method = "float"
) -> Answer[tuple[Number, ...]]:
    """Mean number of visits to a state before a set is reached: a column of (I - Q)^-1.

    Q is the transition matrix off the set; the start counts as a visit.

    Parameters
    ----------
    chain : Chain
        Chain of N states.
    state : int
        The state, off the set.
    targets : collection of int
        The set, at least one state.
    method : ``"exact"`` or ``"float"``

    Returns
    -------
    Answer of N numbers
        From each state; 0 on the set.

    Raises
    ------
    ChainError
        If the state is in the set, a state cannot reach the set, or one is not a state.
    """
    (place,), goals = _disjoint(chain, (state,), targets)
    costs = [Fraction(int(x == place)) for x in range(chain.size)]
    if method == "exact":
        return Answer(exact.expected_costs(chain, goals, costs), 0.0)
    solution = elimination.expected_costs(chain, goals, costs, "mean number of visits from")
    return Answer(solution.numbers(), solution.relative_error_bound)


def aggregated_matrix(
    chain: Chain, clusters: Sequence[Collection[int]], method: Method = "float"
) -> Answer[Chain]:
    """The chain of the clusters, A_kl = sum over x in C_k of pi_k(x) P(x, C_l).

    pi_k is the stationary law conditioned on C_k (Simon and Ando 1961, *Econometrica* 29, 111-138;
    Courtois 1977).

    Parameters
    ----------
    chain : Chain
        Irreducible chain of N states.
    clusters : sequence of collections of int
        A partition of the states.
    method : ``"exact"`` or ``"float"``

    Returns
    -------
    Answer of a Chain
        Its states are ``"0"``, ``"1"``, ... in the order of the clusters.

    Raises
    ------
    ChainError
        If the clusters are no partition, the chain is not irreducible, or, in floating point, an
        entry is too small for a double.
    """
    label = [-1] * chain.size
    for k, cluster in enumerate(clusters):
        for x in check_targets(chain, cluster):
            if label[x] >= 0:
                raise ChainError(f"state {chain.states[x]!r} is in two clusters; keep it in one")
            label[x] = k
    if -1 in label:
        missing = chain.states[label.index(-1)]
        raise ChainError(f"state {missing!r} is in no cluster; add it to one")
    if method == "exact":
        law: Sequence[Fraction] = exact.stationary(chain)
        bound = 0.0
    else:
        solution = elimination.stationary(chain)
        law = [solution.fraction(x) for x in range(chain.size)]
        bound = _compound(solution.relative_error_bound, under=solution.relative_error_bound)
    mass = [Fraction(0)] * len(clusters)
    for x, k in enumerate(label):
        mass[k] += law[x]
    flow: dict[tuple[int, int], Fraction] = {}
    for i, j, p in chain.exact_entries():
        pair = label[i], label[j]
        if pair[0] != pair[1]:
            flow[pair] = flow.get(pair, Fraction(0)) + law[i] * p
    names = [str(k) for k in range(len(clusters))]
    entries = [(k, l, f / mass[k]) for (k, l), f in sorted(flow.items())]
    if method == "exact":
        return Answer(Chain.from_entries(names, entries), 0.0)
    what = "an entry of the aggregated matrix"
    values = [_rounded(p, what) for *_, p in entries]
    ends = [k for k, *_ in entries], [l for _, l, _ in entries]
    return Answer(Chain.from_floats(names, *ends, values), bound)


@dataclass(frozen=True, eq=False)
class Difference:
    """Numbers that are differences of positive ones, whose digits may cancel.

    Attributes
    ----------
    values : tuple of Fraction
        The numbers.
    condition : tuple of float
        (a + b)/abs(a - b) for each number a - b: how much the relative error grows; infinity at 0.
    error_bound : tuple of Fraction
        Of each number, absolute.
    """

    values: tuple[Fraction, ...]
    condition: tuple[float, ...]
    error_bound: tuple[Fraction, ...]


def variances(chain: Chain, targets: Collection[int], method: Method = "float") -> Difference:
    """Variance of the hitting time of a set from each state, E[tau^2] - E[tau]^2.

    Parameters
    ----------
    chain : Chain
        Chain of N states.
    targets : collection of int
        The set, at least one state.
    method : ``"exact"`` or ``"float"``

    Returns
    -------
    Difference of N numbers
        In steps squared; 0 on the set, and wherever the time is certain.

    Raises
    ------
    ChainError
        If a state cannot reach the set, or one of the set is not a state.
    """
    if method == "exact":
        means: Sequence[Number] = exact.mean_hitting_times(chain, targets)
        error = 0.0
    else:
        solution = elimination.mean_hitting_times(chain, targets)
        means, error = solution.numbers(), _compound(*[solution.relative_error_bound] * 2)
    moments = second_moments(chain, targets, method)
    pairs = [(Fraction(m), Fraction(h) ** 2) for m, h in zip(moments.value, means, strict=True)]
    return _differences(pairs, max(error, moments.relative_error_bound or 0.0))


def fundamental_matrix(chain: Chain, method: Method = "float") -> tuple[Difference, ...]:
    """The fundamental matrix Z = (I - P + 1 pi)^-1, row by row.

    z_xy = pi_y (1 + E_pi[tau_y] - E_x[tau_y]) (Kemeny and Snell 1960, *Finite Markov Chains*,
    Theorem 4.4.7): off the diagonal its entries may cancel, and say how much.

    Parameters
    ----------
    chain : Chain
        Irreducible chain of N states; in floating point the time is that of N eliminations.
    method : ``"exact"`` or ``"float"``

    Raises
    ------
    ChainError
        If the chain is not irreducible.
    """
    n = chain.size
    if method == "exact":
        law: Sequence[Fraction] = exact.stationary(chain)
        columns = [exact.mean_hitting_times(chain, [y]) for y in range(n)]
        error = 0.0
    else:
        solution = elimination.stationary(chain)
        law = [solution.fraction(y) for y in range(n)]
        times = elimination.hitting_matrix(chain)
        columns = [tuple(h.fraction(x) for x in range(n)) for h in times]
        worst = max(h.relative_error_bound for h in times)
        error = _compound(*[solution.relative_error_bound] * 2, worst)
    ahead = [1 + sum(p * h for p, h in zip(law, c, strict=True)) for c in columns]
    return tuple(
        _differences([(law[y] * ahead[y], law[y] * columns[y][x]) for y in range(n)], error)
        for x in range(n)
    )


def _differences(pairs: Sequence[tuple[Fraction, Fraction]], error: float) -> Difference:
    """a - b for pairs of numbers, each with the same relative error."""
    values = tuple(a - b for a, b in pairs)
    sums = [a + b for a, b in pairs]
    condition = tuple(
        1.0 if not s else float(s / abs(v)) if v else math.inf
        for v, s in zip(values, sums, strict=True)
    )
    return Difference(values, condition, tuple(s * Fraction(error) for s in sums))


def return_second_moment(chain: Chain, state: int, method: Method = "float") -> Answer[Number]:
    """Second moment E_x[(tau_x^+)^2] of the return time to a state; the mean is 1/pi(x).

    Equal to (2 E_pi[tau_x] + 1)/pi(x) (Aldous and Fill, *Reversible Markov Chains*, ch. 2, after
    Kac), which is not how it is computed: one step is taken, and second moments from there.

    Parameters
    ----------
    chain : Chain
    state : int
        The state x.
    method : ``"exact"`` or ``"float"``

    Raises
    ------
    ChainError
        As `second_moments`, for the set of this one state.
    """
    moments = second_moments(chain, (state,), method)
    if method == "exact":
        means: Sequence[Number] = exact.mean_hitting_times(chain, (state,))
    else:
        means = elimination.mean_hitting_times(chain, (state,)).numbers()
    value = Fraction(1)
    for i, j, p in chain.exact_entries():
        if i == state:
            value += p * (2 * Fraction(means[j]) + Fraction(moments.value[j]))
    return _answer(value, moments.relative_error_bound, method)


def generating_function(
    chain: Chain, targets: Collection[int], s: Fraction, method: Method = "float"
) -> Answer[tuple[Number, ...]]:
    """Probability generating function E_x[s^tau_B] of the hitting time of a set.

    It is the probability of reaching the set in a chain that dies with probability 1 - s before
    each step, so it is a hitting probability and needs no subtraction. With B = `outside` of a
    cluster it is that of the exit time.

    Parameters
    ----------
    chain : Chain
        Chain of N states.
    targets : collection of int
        The set B, at least one state.
    s : Fraction
        0 < s < 1.
    method : ``"exact"`` or ``"float"``

    Returns
    -------
    Answer of N numbers
        In (0, 1] from each state; 1 on the set.

    Raises
    ------
    ChainError
        If s is out of range, a state cannot reach the set, one of the set is not a state, or, in
        floating point, a number is too small for a double.
    """
    goals = check_targets(chain, targets)
    require_reachable(chain, goals)
    if not 0 < s < 1:
        raise ChainError(f"s = {s} is out of range; give the generating function 0 < s < 1")
    found = committor(_killed(chain, Fraction(s)), goals, (chain.size,), method)
    return Answer(found.value[:-1], found.relative_error_bound)


def outside(chain: Chain, states: Collection[int]) -> tuple[int, ...]:
    """The states off a set: the exit time from a cluster is the hitting time of what it leaves out.

    Raises
    ------
    ChainError
        If the set is empty, is the whole chain, or holds a number that is not a state.
    """
    inside = set(check_targets(chain, states))
    rest = tuple(state for state in range(chain.size) if state not in inside)
    if not rest:
        raise ChainError("the set is the whole chain, which is never left; leave a state out")
    return rest


def kemeny_constant(chain: Chain, method: Method = "float") -> Answer[Number]:
    """Kemeny's constant K = sum_y pi(y) E_x[tau_y], with E_y[tau_y] = 0; x does not matter.

    In this convention K = sum 1/(1 - lambda) over the eigenvalues of P but one 1, and it is the
    trace of the fundamental matrix (I - P + 1 pi)^-1 less 1, which is the exact route; with
    return times in place of E_y[tau_y] = 0 it is one more (Kemeny and Snell 1960, *Finite Markov
    Chains*, Theorem 4.4.10; Hunter 2006, *Linear Algebra Appl.* 417, 108-123).

    Parameters
    ----------
    chain : Chain
        Irreducible chain of N states; in floating point its time is that of N eliminations.
    method : ``"exact"`` or ``"float"``

    Raises
    ------
    ChainError
        If the chain is not irreducible, or a number is out of the range of a double.
    """
    if method == "exact":
        return Answer(exact.kemeny_constant(chain), 0.0)
    law, times = elimination.stationary(chain), elimination.hitting_matrix(chain)
    terms = (law.fraction(y) * times[y].fraction(0) for y in range(chain.size))
    value = sum(terms, Fraction(0))
    bound = _compound(law.relative_error_bound, max(h.relative_error_bound for h in times))
    return _answer(value, bound, method)


def stochastic_complement(
    chain: Chain, states: Collection[int], method: Method = "float"
) -> Answer[Chain]:
    """The chain watched on a set: on a cluster its S_kk, on one state per cluster the trace q_o.

    Its transition matrix is P_kk + P_k* (I - P_**)^-1 P_*k, and its stationary law is pi
    conditioned on the set (Meyer 1989, *SIAM Review* 31, 240-272).

    Parameters
    ----------
    chain : Chain
        Chain of N states, in which the set is reached from everywhere.
    states : collection of int
        At least one state.
    method : ``"exact"`` or ``"float"``

    Returns
    -------
    Answer of a Chain
        Its states have the names they had, in the order of their numbers.

    Raises
    ------
    ChainError
        If a state cannot reach the set, one of the set is not a state, or, in floating point, an
        entry is too small for a double.
    """
    if method == "exact":
        return Answer(exact.watched(chain, states), 0.0)
    seen = elimination.watched(chain, states)
    names = [chain.states[state] for state in seen.states]
    pairs = [(i, j) for i, row in enumerate(seen.rows) for j, p in enumerate(row) if p]
    what = "an entry of the stochastic complement"
    watched = Chain.from_floats(
        names,
        [i for i, _ in pairs],
        [j for _, j in pairs],
        [_rounded(seen.rows[i][j], what) for i, j in pairs],
    )
    return Answer(watched, seen.relative_error_bound)


def escape_probability(
    chain: Chain, state: int, targets: Collection[int], method: Method = "float"
) -> Answer[Number]:
    """Probability P_x(tau_B < tau_x^+) of reaching a set before coming back.

    For B = {y} it is 1/(pi(x) (E_x[tau_y] + E_y[tau_x])) (Aldous and Fill, *Reversible Markov
    Chains*, ch. 2, Corollary 8). Exactly it is one step followed by a harmonic function; in
    floating point, an entry of the chain watched on x and B.

    Parameters
    ----------
    chain : Chain
    state : int
        The state x, not in B.
    targets : collection of int
        The set B, at least one state.
    method : ``"exact"`` or ``"float"``

    Raises
    ------
    ChainError
        If x is in B, a state cannot reach B, x or one of B is not a state, or, in floating point,
        the probability is too small for a double.
    """
    (start,), goals = _disjoint(chain, (state,), targets)
    require_reachable(chain, goals)
    if method == "exact":
        ahead = committor(chain, goals, (start,), method).value
        step = (p * Fraction(ahead[j]) for i, j, p in chain.exact_entries() if i == start)
        return Answer(sum(step, Fraction(0)), 0.0)
    seen = elimination.watched(chain, (*goals, start))
    value = sum(seen.rows[seen.states.index(start)], Fraction(0))
    return _answer(value, seen.relative_error_bound, method)


def capacity(
    chain: Chain, sources: Collection[int], targets: Collection[int], method: Method = "float"
) -> Answer[Number]:
    """Capacity cap(A, B) = sum_{a in A} pi(a) P_a(tau_B < tau_A^+) of a reversible chain.

    With pi of sum 1. Exactly it is the Dirichlet form 1/2 sum pi(x) P(x, y) (h(x) - h(y))^2 of the
    equilibrium potential h = P(tau_A < tau_B) (Bovier et al. 2002, *Comm. Math. Phys.* 228,
    219-255); in floating point, the flow of the chain watched on A and B.

    Parameters
    ----------
    chain : Chain
        Irreducible reversible chain.
    sources, targets : collections of int
        The disjoint sets A and B, at least one state each.
    method : ``"exact"`` or ``"float"``

    Raises
    ------
    ChainError
        If A or B is empty, they meet, one of them holds a number that is not a state, the chain is
        not irreducible or not reversible (which is checked exactly), or, in floating point, a
        number is out of the range of a double.
    """
    starts, goals = _disjoint(chain, sources, targets)
    weight = exact.reversible_law(chain)
    if method == "exact":
        h = [Fraction(x) for x in committor(chain, starts, goals, method).value]
        form = (weight[i] * p * (h[i] - h[j]) ** 2 for i, j, p in chain.exact_entries())
        return Answer(sum(form, Fraction(0)) / 2, 0.0)
    law = elimination.stationary(chain)
    seen = elimination.watched(chain, (*starts, *goals))
    place = {state: n for n, state in enumerate(seen.states)}
    value = sum(
        (law.fraction(a) * seen.rows[place[a]][place[b]] for a in starts for b in goals),
        Fraction(0),
    )
    bound = _compound(law.relative_error_bound, seen.relative_error_bound)
    return _answer(value, bound, method)


def effective_resistance(
    chain: Chain, first: int, second: int, method: Method = "float"
) -> Answer[Number]:
    """Effective resistance 1/cap({x}, {y}) between two states of a reversible chain.

    Conductances are pi(x) P(x, y), of sum 1 over ordered pairs, so this is the commute time
    E_x[tau_y] + E_y[tau_x] (Chandra et al. 1989). On a graph with m edges of resistance 1 it is
    2 m times the resistance in ohms.

    Parameters
    ----------
    chain : Chain
        Irreducible reversible chain.
    first, second : int
        The states x and y, different.
    method : ``"exact"`` or ``"float"``

    Raises
    ------
    ChainError
        As `capacity`.
    """
    cap = capacity(chain, (first,), (second,), method)
    bound = cap.relative_error_bound
    if bound is not None:
        bound = _compound(under=bound)
    return _answer(1 / Fraction(cap.value), bound, method)


def metastability_ratio(
    chain: Chain, representatives: Collection[int], method: Method = "float"
) -> Answer[Number]:
    """The ratio that makes a set S_o of representatives metastable if it is small.

    sup over x in S_o and y off it of P_x(tau_{S_o - x}^+ < tau_x^+) / P_y(tau_{S_o}^+ < tau_y^+)
    (Bovier, Eckhoff, Gayrard and Klein 2002, *Comm. Math. Phys.* 228, 219-255), the largest
    numerator over the smallest denominator. Exactly the latter are 1 over mean numbers of visits;
    in floating point, entries of watched chains.

    Parameters
    ----------
    chain : Chain
        Irreducible chain of N states; in floating point its time is that of N eliminations.
    representatives : collection of int
        S_o: at least two states, and not all.
    method : ``"exact"`` or ``"float"``

    Raises
    ------
    ChainError
        If S_o has fewer than two states, is the whole chain, or holds a number that is not a
        state, if the chain is not irreducible, or, in floating point, a number is out of the range
        of a double.
    """
    chosen = check_targets(chain, representatives)
    if not 2 <= len(chosen) < chain.size:
        raise ChainError(
            f"{len(chosen)} representatives of {chain.size} states leave no ratio; give two or "
            "more, and not every state"
        )
    require_irreducible(chain)
    rest = outside(chain, chosen)
    if method == "exact":
        leave = (
            escape_probability(chain, x, [y for y in chosen if y != x], method).value
            for x in chosen
        )
        visits = exact.expected_visits(chain, chosen)
        return Answer(max(leave) * max(visits[y] for y in rest), 0.0)
    seen = elimination.watched(chain, chosen)
    back = elimination.escape_probabilities(chain, chosen)
    least = min(back.fraction(y) for y in rest)
    bound = _compound(seen.relative_error_bound, under=back.relative_error_bound)
    value = max(sum(row, Fraction(0)) for row in seen.rows) / least
    return _answer(value, bound, method)


def conductance(chain: Chain, method: Method = "float") -> Answer[Number]:
    """Conductance: the least Q(S, S^c)/pi(S) over the sets S with 0 < pi(S) <= 1/2.

    Q(S, S^c) = sum over x in S and y off S of pi(x) P(x, y). Also called the bottleneck ratio or
    the Cheeger constant (Levin and Peres 2017, *Markov Chains and Mixing Times*, sec. 7.2). Every
    set is looked at. Since Q(S, S^c) = Q(S^c, S), a set and its complement are one case, divided
    by the smaller of their masses.

    Parameters
    ----------
    chain : Chain
        Irreducible chain of 2 to `MAX_CUTS` states.
    method : ``"exact"`` or ``"float"``

    Raises
    ------
    ChainError
        If the chain has one state or too many, is not irreducible, or, in floating point, a flow
        is too small for a double.
    """
    if not 2 <= chain.size <= MAX_CUTS:
        raise ChainError(
            f"the conductance of a chain of {chain.size} states cannot be found by looking at "
            f"every set; give 2 to {MAX_CUTS} states"
        )
    if method == "exact":
        return Answer(_least_cut_exactly(chain), 0.0)
    law = elimination.stationary(chain)
    flow = np.zeros((chain.size, chain.size))
    for i, j, p in chain.exact_entries():
        flow[i, j] = _rounded(law.fraction(i) * p, "a flow between states")
    # Sums of positive numbers only: 2 N - 2 roundings above, N - 1 below, 1 in flow and quotient.
    error = law.relative_error_bound
    bound = _compound(error, 4 * chain.size * _UNIT, under=error)
    return Answer(_least_cut(law.values, flow), bound)


def relaxation_rates(
    chain: Chain, count: int, method: Method = "float"
) -> Answer[tuple[Number, ...]]:
    """1 - lambda for the `count` largest eigenvalues of a reversible chain, increasing.

    The first is 0, the second the spectral gap; with K clusters, the first K are the metastable
    ones. See `spectrum.relaxation_rates`, where the parameters and errors are.
    """
    if method == "exact":
        found = [_middle(enclosure) for enclosure in exact.relaxation_rates(chain, count)]
        return Answer(tuple(x for x, _ in found), max(error for _, error in found))
    return Answer(tuple(spectrum.relaxation_rates(chain, count).tolist()), None)


def additive_gap(chain: Chain, method: Method = "float") -> Answer[Number]:
    """Spectral gap of (P + P*)/2, the convention for chains that are not reversible.

    See `spectrum.additive_gap`, where the parameters and errors are.
    """
    if method == "exact":
        return Answer(*_middle(exact.additive_gap(chain)))
    return Answer(spectrum.additive_gap(chain), None)


def pseudo_spectral_gap(chain: Chain, method: Method = "float") -> Answer[Number]:
    """Pseudo-spectral gap max_{r >= 1} gap((P*)^r P^r)/r; of a cluster, ask its complement.

    See `spectrum.pseudo_spectral_gap`, where the parameters and errors are.
    """
    if method == "exact":
        return Answer(*_middle(exact.pseudo_spectral_gap(chain)))
    return Answer(spectrum.pseudo_spectral_gap(chain), None)


# ---------------------------------------------------------------- common steps
def _killed(chain: Chain, s: Fraction) -> Chain:
    """The chain with every entry times s, and a last state where it goes with what is left."""
    grave = "dead"
    while grave in chain.states:
        grave += "'"
    entries = [(i, j, s * p) for i, j, p in chain.exact_entries()]
    entries += [(i, chain.size, 1 - s) for i in range(chain.size)]
    return exact.derived_chain((*chain.states, grave), entries)


def _disjoint(
    chain: Chain, sources: Collection[int], targets: Collection[int]
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    starts, goals = check_targets(chain, sources), check_targets(chain, targets)
    for state in starts:
        if state in goals:
            raise ChainError(
                f"state {chain.states[state]!r} is at both ends; name sets without a common state"
            )
    return starts, goals


def _least_cut_exactly(chain: Chain) -> Fraction:
    """The least ratio by exact integers, sets built up one state at a time."""
    law = exact.stationary(chain)
    n = chain.size
    flow = [[Fraction(0)] * n for _ in range(n)]
    for i, j, p in chain.exact_entries():
        flow[i][j] = law[i] * p
    scale = math.lcm(*(x.denominator for x in itertools.chain(law, *flow)))
    mass = np.array([0], dtype=object)
    cut = np.array([0], dtype=object)
    for k in range(n - 1):  # the last state is never in the set: its complement is the same case
        between = np.array([0], dtype=object)
        for i in range(k):
            step = int((flow[i][k] + flow[k][i]) * scale)
            between = np.concatenate([between, between + step])
        cut = np.concatenate([cut, cut + int(sum(flow[k]) * scale) - between])
        mass = np.concatenate([mass, mass + int(law[k] * scale)])
    smaller = np.minimum(mass[1:], scale - mass[1:])
    best = (int(cut[1]), int(smaller[0]))
    for top, bottom in zip(cut[1:].tolist(), smaller.tolist(), strict=True):
        if top * best[1] < best[0] * bottom:
            best = top, bottom
    return Fraction(*best)


def _least_cut(law: npt.NDArray[np.float64], flow: npt.NDArray[np.float64]) -> float:
    """The least ratio in doubles, every sum over all pairs anew: nothing is subtracted."""
    n = len(law)
    best = np.inf
    for first in range(1, 2 ** (n - 1), _CHUNK):
        sets = np.arange(first, min(first + _CHUNK, 2 ** (n - 1)))
        inside = (sets[:, None] >> np.arange(n) & 1).astype(np.float64)
        beyond = 1.0 - inside
        cut = ((inside @ flow) * beyond).sum(axis=1)
        best = min(best, float((cut / np.minimum(inside @ law, beyond @ law)).min()))
    return best


def _answer(value: Fraction, bound: float | None, method: Method) -> Answer[Number]:
    """An exact value, or the double nearest to it with its bound; beyond its range the rational."""
    if method == "exact":
        return Answer(value, 0.0)
    inside = not value or _TINY <= value <= _HUGE
    return Answer(float(value) if inside else value, None if bound is None else _compound(bound))


def _rounded(value: Fraction, what: str) -> float:
    if value and not _TINY <= value <= _HUGE:
        raise ChainError(
            f"{what} is out of the range of a double, 2.2e-308 to 1.8e308; use exact arithmetic"
        )
    return float(value)


def _compound(*over: float, under: float = 0.0) -> float:
    """Relative error of a product of numbers over another, rounded once more."""
    total = (1.0 + _UNIT) / (1.0 - under)
    for error in over:
        total *= 1.0 + error
    # What the rounding of this very expression may lose.
    return total - 1.0 + 2.0**-50


def _middle(enclosure: exact.Enclosure) -> tuple[Fraction, float]:
    """Middle of an enclosure of a number >= 0, and a bound on its relative error."""
    low, high = enclosure
    if low == high:
        return low, 0.0
    return (low + high) / 2, float((high - low) / low)
