"""Exact rational solves on a concrete chain, by python-flint.

The entries of a chain are rationals (every float is one), so hitting times and the stationary law
are rationals too. These solves are the reference against which floating point is judged; their
cost grows with the number of states N and with the digits of the entries, and N of a few hundred
is within reach.
"""

from __future__ import annotations

from collections.abc import Collection
from fractions import Fraction

from flint import fmpq, fmpq_mat

from numerics.chain import (
    Chain,
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
    goals = set(check_targets(chain, targets))
    require_reachable(chain, goals)
    free = [state for state in range(chain.size) if state not in goals]
    times = [Fraction(0)] * chain.size
    if free:
        generator = _generator(chain)
        system = fmpq_mat([[generator[i][j] for j in free] for i in free])
        solution = system.solve(fmpq_mat(len(free), 1, [1] * len(free)))
        for row, state in enumerate(free):
            times[state] = _fraction(solution[row, 0])
    return tuple(times)


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


def _generator(chain: Chain) -> list[list[fmpq]]:
    """I - P as rows, its diagonal the exact sum of the other entries."""
    require_dense(chain)
    rows = [[fmpq(0)] * chain.size for _ in range(chain.size)]
    for i, j, value in chain.exact_entries():
        entry = fmpq(value.numerator, value.denominator)
        rows[i][j] = -entry
        rows[i][i] += entry
    return rows


def _fraction(value: fmpq) -> Fraction:
    return Fraction(int(value.p), int(value.q))
