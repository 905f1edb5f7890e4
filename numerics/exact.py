"""Exact rational solves on a concrete chain, by python-flint.

The entries of a chain are rationals (every float is one), so hitting times and the stationary law
are rationals too. These solves are the reference against which floating point is judged; their
cost grows with the number of states N and with the digits of the entries, and N of a few hundred
is within reach.

Eigenvalues are algebraic: they come as rational enclosures ``(low, high)``, the roots of an exact
characteristic polynomial isolated in ball arithmetic (Arb), for N of a few dozen.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterable, Sequence
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt
from flint import acb, arb, ctx, fmpq, fmpq_mat

from numerics.chain import (
    Chain,
    ChainError,
    IntArray,
    check_targets,
    require_dense,
    require_irreducible,
    require_reachable,
)


def mean_hitting_times(chain: Chain, targets: Collection[int]) -> tuple[Fraction, ...]:
    """Exact mean number of steps to reach a set of states.

    The unique solution of h = 0 on the targets and (I - P) h = 1 off them (Norris 1997, *Markov
    Chains*, Theorem 1.3.5), where I - P has as its diagonal the sum of the row's other entries.

    Parameters
    ----------
    chain : Chain
        Chain of N states.
    targets : collection of int
        0-based target states, at least one.

    Returns
    -------
    tuple of Fraction, length N
        Mean hitting time from each state, in steps; 0 on the targets.

    Raises
    ------
    ChainError
        If a state cannot reach the targets, or a target is not a state.
    """
    return expected_costs(chain, targets, [Fraction(1)] * chain.size)


def expected_costs(
    chain: Chain, targets: Collection[int], costs: Sequence[Fraction]
) -> tuple[Fraction, ...]:
    """Exact mean total cost until a set of states is reached.

    The unique solution of h = 0 on the targets and (I - P) h = c off them (Norris 1997, *Markov
    Chains*, Theorem 4.2.3).

    Parameters
    ----------
    chain : Chain
        Chain of N states.
    targets : collection of int
        0-based target states, at least one.
    costs : sequence of Fraction, length N
        Cost c of one step from each state; not read on the targets.

    Returns
    -------
    tuple of Fraction, length N
        Mean total cost from each state; 0 on the targets.

    Raises
    ------
    ChainError
        If a state cannot reach the targets, or a target is not a state.
    """
    free, system = _off(chain, targets)
    given = fmpq_mat(len(free), 1, [_fmpq(costs[i]) for i in free])
    found = system.solve(given) if free else given
    total = [Fraction(0)] * chain.size
    for row, state in enumerate(free):
        total[state] = _fraction(found[row, 0])
    return tuple(total)


def stationary(chain: Chain) -> tuple[Fraction, ...]:
    """Exact stationary law of an irreducible chain.

    Solves (I - P)^T pi = 0 with pi_0 = 1 and normalises; deleting state 0 from I - P leaves a
    nonsingular matrix exactly because the chain is irreducible.

    Returns
    -------
    tuple of Fraction, length N
        Positive probabilities that sum to 1.

    Raises
    ------
    ChainError
        If the chain is not irreducible.
    """
    require_irreducible(chain)
    weights = [Fraction(1)]
    if chain.size > 1:
        generator = _generator(chain)
        rest = range(1, chain.size)
        system = fmpq_mat([[generator[j][i] for j in rest] for i in rest])
        inflow = fmpq_mat(len(rest), 1, [-generator[0][i] for i in rest])
        solution = system.solve(inflow)
        weights += [_fraction(solution[row, 0]) for row in range(len(rest))]
    total = sum(weights)
    return tuple(weight / total for weight in weights)


def expected_visits(chain: Chain, targets: Collection[int]) -> tuple[Fraction, ...]:
    """Exact mean number of visits to each state, from itself, before a set is reached.

    The diagonal of (I - P)^-1, rows and columns off the set; time 0 counts as a visit.

    Parameters
    ----------
    chain : Chain
        Chain of N states.
    targets : collection of int
        0-based target states, at least one.

    Returns
    -------
    tuple of Fraction, length N
        0 on the targets.

    Raises
    ------
    ChainError
        If a state cannot reach the targets, or a target is not a state.
    """
    free, system = _off(chain, targets)
    inverse = system.inv() if free else system
    visits = [Fraction(0)] * chain.size
    for row, state in enumerate(free):
        visits[state] = _fraction(inverse[row, row])
    return tuple(visits)


def watched(chain: Chain, states: Collection[int]) -> Chain:
    """The chain seen only when it is in a set of states, exactly.

    Its transition matrix is the stochastic complement P_kk + P_k* (I - P_**)^-1 P_*k of the set k
    (Meyer 1989, *SIAM Review* 31, 240-272).

    Parameters
    ----------
    chain : Chain
    states : collection of int
        0-based states, at least one; they keep their names, in increasing order.

    Raises
    ------
    ChainError
        If a state cannot reach the set, or one of the set is not a state.
    """
    kept = check_targets(chain, states)
    require_reachable(chain, kept)
    rest = sorted(set(range(chain.size)) - set(kept))
    names = [chain.states[state] for state in kept]
    generator = _generator(chain)
    inside = fmpq_mat([[-generator[i][j] for j in kept] for i in kept])
    if rest:
        out = fmpq_mat([[-generator[i][j] for j in rest] for i in kept])
        back = fmpq_mat([[-generator[i][j] for j in kept] for i in rest])
        inside += out * fmpq_mat([[generator[i][j] for j in rest] for i in rest]).solve(back)
    pairs = itertools.permutations(range(len(kept)), 2)
    return derived_chain(names, ((i, j, _fraction(inside[i, j])) for i, j in pairs))


def kemeny_constant(chain: Chain) -> Fraction:
    """Exact trace of (I - P + 1 pi)^-1, less 1; see `quantities.kemeny_constant`.

    Raises
    ------
    ChainError
        If the chain is not irreducible.
    """
    law = stationary(chain)
    rows = [
        [entry + _fmpq(p) for entry, p in zip(row, law, strict=True)] for row in _generator(chain)
    ]
    inverse = fmpq_mat(rows).inv()
    return _fraction(sum((inverse[i, i] for i in range(chain.size)), fmpq(-1)))


def reversible_law(chain: Chain) -> tuple[Fraction, ...]:
    """Exact stationary law of an irreducible reversible chain.

    Detailed balance along a spanning tree determines the law; it is then checked on every pair.

    Raises
    ------
    ChainError
        If the chain is not irreducible, or not reversible, which is checked exactly.
    """
    require_irreducible(chain)
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
    return tuple(weight[state] / total for state in range(chain.size))


def _irreversible(chain: Chain, i: int, j: int) -> ChainError:
    return ChainError(
        f"the chain is not reversible: detailed balance fails between {chain.states[i]!r} and "
        f"{chain.states[j]!r}; correct the entries, exactly, or use its eigenvalues"
    )


def time_reversal(chain: Chain) -> Chain:
    """The chain P* seen backwards in time: p*(x, y) = pi(y) p(y, x) / pi(x), exactly.

    Raises
    ------
    ChainError
        If the chain is not irreducible.
    """
    law = stationary(chain)
    back = ((j, i, law[i] * value / law[j]) for i, j, value in chain.exact_entries())
    return derived_chain(chain.states, back)


def additive_reversibilisation(chain: Chain) -> Chain:
    """The chain (P + P*)/2, reversible, with the law of P, exactly (Fill 1991).

    Raises
    ------
    ChainError
        If the chain is not irreducible.
    """
    entry: dict[tuple[int, int], Fraction] = {}
    for i, j, value in (*chain.exact_entries(), *time_reversal(chain).exact_entries()):
        entry[i, j] = entry.get((i, j), Fraction(0)) + value / 2
    return derived_chain(chain.states, ((i, j, value) for (i, j), value in entry.items()))


# ---------------------------------------------------------------- eigenvalues
Enclosure = tuple[Fraction, Fraction]
"""Rationals ``(low, high)`` with a number between them."""

BITS = 128
"""Relative precision of the enclosures of eigenvalues."""

MOST_POWERS = 200
"""Most powers of a chain that the exact pseudo-spectral gap looks at."""

# Where two rates agree to more digits than enclosures have, the enclosure takes in both.
_TIE = 1 + Fraction(1, 2**100)


def relaxation_rates(chain: Chain, count: int) -> tuple[Enclosure, ...]:
    """Enclosures of 1 - lambda for the largest eigenvalues; see `spectrum.relaxation_rates`.

    Raises
    ------
    ChainError
        As `spectrum.relaxation_rates`.
    """
    check_count(chain, count)
    reversible_law(chain)
    return tuple(_real_roots(fmpq_mat(_generator(chain)))[:count])


def check_count(chain: Chain, count: int) -> None:
    """ChainError unless the chain has `count` >= 1 eigenvalues."""
    if not 1 <= count <= chain.size:
        raise ChainError(
            f"{count} eigenvalues cannot be given; ask for 1 to {chain.size}, the number of states"
        )


def require_two_states(chain: Chain) -> None:
    """ChainError if the chain has one state, and so no gap, conductance or second cluster."""
    if chain.size < 2:
        raise ChainError("a chain of one state has no spectral gap; give at least two states")


def additive_gap(chain: Chain) -> Enclosure:
    """Enclosure of the spectral gap of (P + P*)/2; see `spectrum.additive_gap`.

    Raises
    ------
    ChainError
        As `spectrum.additive_gap`.
    """
    require_two_states(chain)
    return relaxation_rates(additive_reversibilisation(chain), 2)[1]


def pseudo_spectral_gap(chain: Chain) -> Enclosure:
    """Enclosure of the pseudo-spectral gap; see `spectrum.pseudo_spectral_gap`.

    Every r = 1, 2, ... is looked at until (1 - rho^(2r))/r, which bounds all later terms, falls to
    the largest term so far; rho < 1 is the second largest modulus of an eigenvalue of P.

    Raises
    ------
    ChainError
        As `spectrum.pseudo_spectral_gap`; also if more than `MOST_POWERS` powers are needed.
    """
    require_two_states(chain)
    require_irreducible(chain)
    if not is_aperiodic(chain):
        return Fraction(0), Fraction(0)
    unit = _identity(chain.size)
    step = unit - fmpq_mat(_generator(chain))
    back = unit - fmpq_mat(_generator(time_reversal(chain)))
    with ctx.workprec(BITS):
        # The root 0 of I - P, which is simple, is the eigenvalue 1 of P. Of the others mu, the
        # least 1 - |1 - mu|^2 is 1 - rho^2, here without the loss of digits in 1 - mu.
        others = (mu for mu in _roots(unit - step) if mu != 0)
        decay = min(
            (2 * mu.real - mu.real**2 - mu.imag**2 for mu in others), key=lambda d: float(d.upper())
        )
    best = Fraction(0), Fraction(0)
    forward, backward = step, back
    for r in range(1, MOST_POWERS + 1):
        low, high = _real_roots(unit - backward * forward)[1]
        best = max(best[0], low / r), max(best[1], high / r)
        later = _later(decay, r + 1)
        if later <= best[0] * _TIE:
            return best[0], max(best[1], later)
        forward, backward = forward * step, backward * back
    raise too_many_powers(MOST_POWERS)


def _later(decay: arb, r: int) -> Fraction:
    """Upper bound of (1 - rho^(2r))/r, given 1 - rho^2."""
    with ctx.workprec(BITS):
        most = -(r * (-decay).log1p()).expm1()
        return min(_enclosure(most)[1], Fraction(1)) / r if most.is_finite() else Fraction(1, r)


def too_many_powers(most: int) -> ChainError:
    """The refusal of a pseudo-spectral gap."""
    return ChainError(
        f"the pseudo-spectral gap needs more than {most} powers of the chain, which is not "
        "reversible and mixes slowly; take it of the stochastic complement of a cluster"
    )


def transition_pattern(chain: Chain) -> npt.NDArray[np.bool_]:
    """Which entries of P are positive, the diagonal included, as an (N, N) array."""
    require_dense(chain)
    stay = [Fraction(1)] * chain.size
    for i, _, value in chain.exact_entries():
        stay[i] -= value
    pattern = np.diag(np.array([value > 0 for value in stay]))
    pattern[chain.source, chain.target] = True
    return pattern


def is_aperiodic(chain: Chain) -> bool:
    """Whether an irreducible chain is aperiodic.

    All entries of P^m are then positive for m >= (N - 1)^2 + 1 (Wielandt 1950).
    """
    pattern = transition_pattern(chain).astype(np.float64)
    power = 1
    while power <= chain.size**2:
        pattern = ((pattern @ pattern) > 0).astype(np.float64)
        power *= 2
    return bool(pattern.all())


def _real_roots(matrix: fmpq_mat) -> list[Enclosure]:
    """Eigenvalues of a matrix that has real ones only, with multiplicity, increasing."""
    roots = _roots(matrix)
    assert all(root.imag == 0 for root in roots), "a symmetrisable matrix has real eigenvalues"
    return sorted(_enclosure(root.real) for root in roots)


def _roots(matrix: fmpq_mat) -> list[acb]:
    """Eigenvalues with multiplicity, isolated to a relative precision of `BITS` bits."""
    with ctx.workprec(BITS):
        # pairs, whatever the stubs say
        found: list[Any] = [*matrix.charpoly().complex_roots()]
    return [root for root, multiplicity in found for _ in range(multiplicity)]


def _enclosure(value: arb) -> Enclosure:
    with ctx.workprec(2 * BITS):
        return _rational(value.lower()), _rational(value.upper())


def _rational(value: arb) -> Fraction:
    mantissa, exponent = value.man_exp()
    return Fraction(int(mantissa)) * Fraction(2) ** int(exponent)


def _identity(size: int) -> fmpq_mat:
    return fmpq_mat(size, size, [int(i == j) for i in range(size) for j in range(size)])


# ---------------------------------------------------------------- matrices
def _generator(chain: Chain) -> list[list[fmpq]]:
    """I - P as rows, its diagonal the exact sum of the other entries."""
    require_dense(chain)
    rows = [[fmpq(0)] * chain.size for _ in range(chain.size)]
    for i, j, value in chain.exact_entries():
        entry = _fmpq(value)
        rows[i][j] = -entry
        rows[i][i] += entry
    return rows


def _off(chain: Chain, targets: Collection[int]) -> tuple[list[int], fmpq_mat]:
    """The states off a set that is reached from everywhere, and I - P on them."""
    goals = set(check_targets(chain, targets))
    require_reachable(chain, goals)
    free = [state for state in range(chain.size) if state not in goals]
    generator = _generator(chain)
    size = len(free)
    return free, fmpq_mat(size, size, [generator[i][j] for i in free for j in free])


def derived_chain(states: Iterable[str], entries: Iterable[tuple[int, int, Fraction]]) -> Chain:
    """A chain made of a checked one, whose rows may pass 1 by the rounding allowed there."""
    kept = sorted(entry for entry in entries if entry[2])
    ends: IntArray = np.array([entry[:2] for entry in kept], dtype=np.int64).reshape(-1, 2)
    exact = tuple(value for _, _, value in kept)
    rounded = np.array([float(value) for value in exact], dtype=np.float64)
    return Chain(tuple(states), ends[:, 0].copy(), ends[:, 1].copy(), rounded, exact)


def _fmpq(value: Fraction) -> fmpq:
    return fmpq(value.numerator, value.denominator)


def _fraction(value: fmpq) -> Fraction:
    return Fraction(int(value.p), int(value.q))
