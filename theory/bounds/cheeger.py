r"""Cheeger's inequality: the spectral gap between two functions of the conductance.

The conductance of a chain is Phi = min Q(S, S^c)/pi(S) over the sets with 0 < pi(S) <= 1/2.

Reversibility cannot be left out. On the de Bruijn chain of words of three bits (shift in a random
bit) every eigenvalue but 1 is 0, so that 1 - lambda_2 = 1, yet 2 Phi = 1/2. What survives in
general is the inequality for (P + P*)/2, which has the same Phi. Nor can the positive law: a
state that is left for ever, at rate d, adds the eigenvalue 1 - d and does not change Phi.
Laziness and aperiodicity are not needed, as the gap is 1 - lambda_2; for 1 - max |lambda| they
would be. Irreducibility is needed only for the stationary law to be the chain's: with a law given,
the inequality says 0 = 0 on a disconnected chain. For the upper side by one set the law need not
even be positive, as more eigenvalues can only lower the gap.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from fractions import Fraction
from operator import mul

from theory.bounds.base import (
    Bound,
    Data,
    FiniteChain,
    Hypothesis,
    HypothesisFails,
    Interval,
    Number,
    positive_law,
    proper_set,
    reversible,
)

MAX_STATES = 20
"""Most states for which all sets are enumerated (half a million of them)."""


def conductance(chain: FiniteChain) -> Number:
    """The conductance, by enumeration of all sets; exact whatever the numbers are.

    Raises
    ------
    HypothesisFails
        The chain has one state, or more than `MAX_STATES`; or its law is not positive.
    """
    _check_few_states(chain, {})
    positive_law.check(chain, {})
    law = [Fraction(p) for p in chain.law]
    flows = [(x, y, Fraction(q)) for x, y, q in chain.flows()]
    scale = math.lcm(*(value.denominator for value in [*law, *(q for _, _, q in flows)]))
    mass = [int(p * scale) for p in law]
    # As much flows into a set as out of it, so the cut in Q(x, y) + Q(y, x) is twice Q(S, S^c).
    both = [[0] * chain.size for _ in chain.states]
    for x, y, q in flows:
        both[x][y] += int(q * scale)
        both[y][x] += int(q * scale)
    # A set and its complement have the same cut, so the last state may stay outside. In a Gray
    # code each set differs from the one before in one state.
    total = sum(mass)
    sign = [1] * chain.size  # -1 inside the set
    weight = cut = 0
    best, best_weight = 1, 0
    for step in range(1, 2 ** (chain.size - 1)):
        z = (step & -step).bit_length() - 1
        weight += sign[z] * mass[z]
        cut += sign[z] * sum(map(mul, both[z], sign))
        sign[z] = -sign[z]
        smaller = min(weight, total - weight)
        if cut * best_weight < best * smaller:
            best, best_weight = cut, smaller
    value = Fraction(best, 2 * best_weight)
    return value if chain.exact else float(value)


def _check_few_states(chain: FiniteChain, data: Data) -> None:
    if not 2 <= chain.size <= MAX_STATES:
        raise HypothesisFails(
            "2 to 20 states",
            f"the chain has {chain.size}, and all sets are enumerated",
            "bound the gap from above by one set (cheeger-cut), from below by paths",
        )


_few_states = Hypothesis("2 to 20 states", _check_few_states)


def _check_mass(chain: FiniteChain, data: Data) -> None:
    mass = chain.mass(data["S"])
    if not 0 < mass < 1:
        where = f"pi(S) is {mass}"
        raise HypothesisFails("0 < pi(S) < 1", where, "take a set that the chain enters and leaves")


def _both_sides(chain: FiniteChain) -> Interval:
    phi = conductance(chain)
    return Interval(phi**2 / 2, 2 * phi)


def _one_cut(chain: FiniteChain, S: Collection[int]) -> Interval:
    outside = set(chain.states) - set(S)
    return Interval(upper=chain.flow_between(S, outside) / (chain.mass(S) * chain.mass(outside)))


cheeger = Bound(
    id="cheeger",
    title="Cheeger's inequality",
    statement=(
        r"For a reversible chain with conductance $\Phi = \min_{0 < \pi(S) \le 1/2} "
        r"Q(S, S^c)/\pi(S)$, $\Phi^2/2 \le 1 - \lambda_2 \le 2\Phi$."
    ),
    source="Lawler and Sokal 1988; Sinclair and Jerrum 1989; Levin and Peres 2017, Theorem 13.10",
    quantity="spectral-gap",
    sides=("lower", "upper"),
    hypotheses=(_few_states, positive_law, reversible),
    formula=_both_sides,
    equality=(
        "upper: the two-state chain with equal rates, and the hypercube; lower: only in the limit, "
        "for the birth-and-death chain with a slight drift"
    ),
)

cheeger_cut = Bound(
    id="cheeger-cut",
    title="Cheeger's inequality, one set",
    statement=(
        r"For a reversible chain and a set $S$, $1 - \lambda_2 \le Q(S, S^c)/(\pi(S)\pi(S^c))$, "
        r"which is at most $2\,Q(S, S^c)/\pi(S)$ if $\pi(S) \le 1/2$."
    ),
    source="Lawler and Sokal 1988: the indicator of S as test function",
    quantity="spectral-gap",
    sides=("upper",),
    hypotheses=(reversible, proper_set("S"), Hypothesis("0 < pi(S) < 1", _check_mass)),
    formula=_one_cut,
    data={"S": "a set of states"},
    equality="the two-state chain, and any chain for which the indicator of S is an eigenfunction "
    "up to a constant, as a half of the hypercube",
)
