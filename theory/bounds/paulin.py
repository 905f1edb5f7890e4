r"""The pseudo-spectral gap, for chains that need not be reversible.

gamma_ps = max over r >= 1 of gap((P*)^r P^r)/r, P* the time reversal; g_r is the r-th gap.

Where the maximum stops. (P*)^r P^r has eigenvalues in [0, 1] and, off the constants, the norm of
P^r squared, which is at least |lambda|^2r for every eigenvalue lambda != 1 of P, lambda_2 the
largest of these in modulus. So g_r/r <= (1 - |lambda_2|^2r)/r, which decreases in r: no r counts
from the first where this is at most the best value met, and wherever the search ends, this bounds
what is left. A periodic chain has gamma_ps = 0; any other irreducible one has g_r > 0 from some r
on.

Proofs. Let n = r j + s, 0 <= s < r, and pi(f) = 0. Then ||P^n f||^2 <= (1 - g_r)^j ||f||^2, for P*
as for P. *Distance.* The density of x's law after n steps is (P*)^n (1_x/pi(x)), so the total
variation distance is at most half its standard deviation, 1/2 sqrt((1/pi(x) - 1)(1 - g_r)^j). With
1 - r gamma <= (1 - gamma)^r and r (j + 1) > n this is at most
1/2 sqrt(1/pi(x) - 1) (1 - gamma_ps)^((n - 1/gamma_ps)/2) at the best r, Paulin's form; that is at
most delta from n = (1 + 2 log(1/(2 delta)) + log(1/pi_min - 1))/gamma_ps on.
*Contraction.* With delta_r the largest total variation distance of two rows of P^r, g_r is at least
1 - delta_r: the second eigenvalue of (P*)^r P^r is at most its contraction coefficient, which is
at most the product of those of (P*)^r and P^r. And delta_r <= 2 d(r), d the distance to pi, so
t(delta) >= (1 - 2 delta)/gamma_ps.
*Variance.* |Cov(f(X_0), f(X_k))| <= Var(f) s^floor(k/r), s = sqrt(1 - g_r). Hence the sharp form;
summed over all k it is at most n Var(f) (2 r/(1 - s) - 1), and 1 - s >= g_r/2.
*Reversible chains.* There g_r = 1 - lambda^2r, lambda = lambda_2, and r = 1 is best:
gamma_ps = gap(P^2) = gamma_* (2 - gamma_*), gamma_* = 1 - |lambda| the absolute gap.
*Watched chains.* Let P be reversible. The gap of S_C is at least that of P (stochastic
complement). For f on C, F = f on C and 0 outside, pi(C) E_S(f, f) is the least E_P(G, G) over the
G that are f on C, so at most E_P(F, F): the least eigenvalue of S_C is at least that of P. So the
absolute gap, and with it gamma_ps, does not shrink. For chains that are not reversible it may: a
set of two may swap at every visit.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import lru_cache
from math import ceil, gcd
from typing import Any

from flint import arb, fmpq, fmpq_mat, fmpq_poly

from theory.bounds.base import (
    Bound,
    Data,
    FiniteChain,
    Hypothesis,
    HypothesisFails,
    Interval,
    Number,
    gap_at_least,
    irreducible,
    reversible,
)
from theory.bounds.common import absolute, add, as_given, gap_bounds, root_above
from theory.bounds.stochastic_complement import several

Matrix = list[list[Number]]

LAST = 24
"""The last r that is tried, unless all before it have a gap of 0."""


@dataclass(frozen=True)
class PseudoGap:
    """Rational bounds of gamma_ps, the r at which the lower one is met, and g_r's lower bound."""

    lower: Fraction
    upper: Fraction
    r: int
    gap: Fraction


@lru_cache(maxsize=16)  # the bounds of one chain share it
def pseudo_spectral_gap(chain: FiniteChain) -> PseudoGap:
    """The pseudo-spectral gap of an irreducible chain of two states or more, enclosed.

    All r are tried until no later one counts, or up to `LAST`; past it, the bound above closes
    the enclosure, which is then wider than an enclosure of a gap is.

    Raises
    ------
    HypothesisFails
        The chain is not irreducible, or has one state.
    """
    irreducible.check(chain, {})
    two_states.check(chain, {})
    if period(chain) > 1:
        return PseudoGap(Fraction(0), Fraction(0), 1, Fraction(0))
    modulus = _second_modulus(chain)
    power = step = transition_matrix(chain)
    best: PseudoGap | None = None
    r = 1
    while best is None or (r <= LAST and r * best.lower < 1 - modulus ** (2 * r)):
        form = _form(chain, power)
        if best is None or gap_at_least(form, r * best.upper):
            low, high = gap_bounds(form) or (Fraction(0), Fraction(0))
            # Rounding of floats may carry a gap of 1 past 1.
            low, high = min(low, Fraction(1)), min(high, Fraction(1))
            if low > 0:
                best = PseudoGap(low / r, high / r, r, low)
        power = product(power, step)
        r += 1
    rest = (1 - modulus ** (2 * r)) / r
    return replace(best, upper=max(best.upper, rest))


def transition_matrix(chain: FiniteChain) -> Matrix:
    """P as lists of rows."""
    return [[chain.probability(x, y) for y in chain.states] for x in chain.states]


def product(a: Matrix, b: Matrix) -> Matrix:
    """The matrix product."""
    columns = list(zip(*b, strict=True))
    return [
        [
            sum((p * q for p, q in zip(row, c, strict=True) if p and q), type(row[0])(0))
            for c in columns
        ]
        for row in a
    ]


def _form(chain: FiniteChain, power: Matrix) -> FiniteChain:
    """The chain (P*)^r P^r."""
    law = chain.law
    rows: list[dict[int, Number]] = []
    for x in chain.states:
        row = {}
        for y in chain.states:
            p = add(chain, (law[z] * power[z][x] * power[z][y] for z in chain.states)) / law[x]
            if y != x and p:
                row[y] = p
        rows.append(row)
    return FiniteChain(tuple(rows), law)


def period(chain: FiniteChain) -> int:
    """The period of an irreducible chain."""
    level = {0: 0}
    queue = [0]
    for x in queue:
        for y in chain.rows[x]:
            if y not in level:
                level[y] = level[x] + 1
                queue.append(y)
    steps = [level[x] + 1 - level[y] for x, row in enumerate(chain.rows) for y in row]
    steps += [1 for x in chain.states if chain.probability(x, x) > 0]
    return gcd(*steps)


def _second_modulus(chain: FiniteChain) -> Fraction:
    """A lower bound, near it, of the largest modulus of an eigenvalue other than one 1."""
    # Floats as the rationals they are; the diagonal is what they leave, so 1 is a root.
    matrix = fmpq_mat(chain.size, chain.size)
    for x, row in enumerate(chain.rows):
        matrix[x, x] = fmpq(1)
        for y, p in row.items():
            exact = Fraction(p)
            matrix[x, y] = fmpq(exact.numerator, exact.denominator)
            matrix[x, x] -= matrix[x, y]
    rest = matrix.charpoly() / fmpq_poly([-1, 1])
    roots: Any = rest.numer().complex_roots()  # pairs of a root and its multiplicity
    largest = max((_rational(abs(root).lower()) for root, _ in roots), default=Fraction(0))
    return Fraction(int(largest * 2**64), 2**64)  # short, and no larger


def _rational(x: arb) -> Fraction:
    mantissa, exponent = x.man_exp()
    return Fraction(int(mantissa)) * Fraction(2) ** int(exponent)


# ---------------------------------------------------------------- hypotheses
def _check_two_states(chain: FiniteChain, data: Data) -> None:
    if chain.size < 2:
        raise HypothesisFails("two states", "the chain has one", "give a larger chain")


def _check_aperiodic(chain: FiniteChain, data: Data) -> None:
    d = period(chain)
    if d > 1:
        raise HypothesisFails("aperiodic", f"the period is {d}", "take the lazy chain (I + P)/2")


def _check_steps(chain: FiniteChain, data: Data) -> None:
    if not isinstance(data["n"], int) or data["n"] < 1:
        raise HypothesisFails("n is a positive integer", f"it is {data['n']}", "give 1, 2, ...")


def _check_function(chain: FiniteChain, data: Data) -> None:
    if len(data["f"]) != chain.size:
        where = f"it has {len(data['f'])} values for {chain.size} states"
        raise HypothesisFails("f is a function on the states", where, "give one value each")


def _check_distance(chain: FiniteChain, data: Data) -> None:
    if not 0 < data["delta"] < 1:
        raise HypothesisFails("0 < delta < 1", f"delta is {data['delta']}", "give a number between")


two_states = Hypothesis("two states", _check_two_states)
aperiodic = Hypothesis("aperiodic", _check_aperiodic)
steps = Hypothesis("n is a positive integer", _check_steps)
function = Hypothesis("f is a function on the states", _check_function)
distance_given = Hypothesis("0 < delta < 1", _check_distance)


# ---------------------------------------------------------------- formulas
def _contraction(chain: FiniteChain, n: int) -> Interval:
    step = power = transition_matrix(chain)
    for _ in range(n - 1):
        power = product(power, step)
    spread = max(
        add(chain, (absolute(a - b) for a, b in zip(row, other, strict=True))) / 2
        for row in power
        for other in power
    )
    return Interval(lower=(1 - spread) / n)


def _of_square(chain: FiniteChain) -> Interval:
    bounds = gap_bounds(_form(chain, transition_matrix(chain)))
    assert bounds is not None  # two states at least
    return Interval(as_given(chain, bounds[0]), as_given(chain, bounds[1]))


def _watched(chain: FiniteChain, C: Collection[int]) -> Interval:
    return Interval(lower=as_given(chain, pseudo_spectral_gap(chain).lower))


def _distance(chain: FiniteChain, n: int) -> Interval:
    best = pseudo_spectral_gap(chain)
    odds = Fraction(1 / min(chain.law) - 1)
    square = odds * (1 - best.gap) ** (n // best.r)
    return Interval(upper=as_given(chain, Fraction(root_above(square)) / 2))


def _mixing(chain: FiniteChain, delta: Number) -> Interval:
    best = pseudo_spectral_gap(chain)
    d = Fraction(delta)
    odds = Fraction(1 / min(chain.law) - 1) / (4 * d**2)
    logarithm = _rational(arb(fmpq(odds.numerator, odds.denominator)).log().upper())
    lower = max((1 - 2 * d) / best.upper, Fraction(0))
    upper = Fraction(max(ceil((1 + logarithm) / best.lower), 0))
    return Interval(as_given(chain, lower), as_given(chain, upper))


def _variance(chain: FiniteChain, f: Sequence[Number]) -> Number:
    mean = add(chain, (p * y for p, y in zip(chain.law, f, strict=True)))
    return add(chain, (p * (y - mean) ** 2 for p, y in zip(chain.law, f, strict=True)))


def _sum_variance(chain: FiniteChain, f: Sequence[Number], n: int) -> Interval:
    best = pseudo_spectral_gap(chain)
    return Interval(upper=as_given(chain, 4 * n * Fraction(_variance(chain, f)) / best.lower))


def _sum_variance_sharp(chain: FiniteChain, f: Sequence[Number], n: int) -> Interval:
    best = pseudo_spectral_gap(chain)
    ratio = min(Fraction(root_above(1 - best.gap)), Fraction(1))
    powers = [Fraction(1)]
    while len(powers) <= n // best.r:
        powers.append(
            Fraction(ceil(powers[-1] * ratio * 2**80), 2**80) if powers[-1] else powers[-1]
        )
    total = n + 2 * sum((n - k) * powers[k // best.r] for k in range(1, n))
    return Interval(upper=as_given(chain, total * Fraction(_variance(chain, f))))


PS = r"$\gamma_{ps} = \max_{r \ge 1} g_r/r$, $g_r$ the gap of $(P^*)^r P^r$"

contraction = Bound(
    id="pseudo-spectral-gap-contraction",
    title="Pseudo-spectral gap by contraction",
    statement=rf"Let {PS}. For an irreducible chain and each $n \ge 1$, "
    r"$\gamma_{ps} \ge (1 - \max_{x, y} \|P^n(x, \cdot) - P^n(y, \cdot)\|_{TV})/n$.",
    source="after D. Paulin 2015; proof with the code",
    quantity="pseudo-spectral-gap",
    sides=("lower",),
    hypotheses=(irreducible, two_states, steps),
    formula=_contraction,
    data={"n": "a number of steps"},
    equality="the de Bruijn chain of words of n bits (shift in a random bit), at n steps; three "
    "states with rows (2, 0, 3)/5, (2, 0, 3)/5 and (2, 3, 0)/5, at one step",
)

of_square = Bound(
    id="pseudo-spectral-gap-reversible",
    title="Pseudo-spectral gap of a reversible chain",
    statement=rf"Let {PS}. For an irreducible reversible chain $\gamma_{{ps}} = "
    r"\mathrm{gap}(P^2) = \gamma_* (2 - \gamma_*)$, $\gamma_*$ the absolute spectral gap.",
    source="after D. Paulin 2015; proof with the code",
    quantity="pseudo-spectral-gap",
    sides=("lower", "upper"),
    hypotheses=(irreducible, two_states, reversible),
    formula=_of_square,
    equality="always: an identity, enclosed",
)

watched = Bound(
    id="watched-pseudo-spectral-gap",
    title="Pseudo-spectral gap of a watched chain",
    statement=r"For an irreducible reversible chain and a set $C$ of two states or more, "
    r"$\gamma_{ps}(S_C) \ge \gamma_{ps}(P)$, $S_C$ the stochastic complement.",
    source="after D. Paulin 2015 and C. D. Meyer 1989; proof with the code",
    quantity="watched-pseudo-spectral-gap",
    sides=("lower",),
    hypotheses=(irreducible, reversible, several),
    formula=_watched,
    data={"C": "a set of two states or more"},
    equality="the lazy star watched on its leaves",
)

distance = Bound(
    id="pseudo-spectral-gap-distance",
    title="Distance to stationarity by the pseudo-spectral gap",
    statement=rf"Let {PS}, and $r$ attain it. For an irreducible aperiodic chain "
    r"$\max_x \|P^n(x, \cdot) - \pi\|_{TV} \le \frac12 \sqrt{1/\pi_{\min} - 1}\,"
    r"(1 - g_r)^{\lfloor n/r \rfloor/2} \le "
    r"\frac12 \sqrt{1/\pi_{\min} - 1}\,(1 - \gamma_{ps})^{(n - 1/\gamma_{ps})/2}$.",
    source="after D. Paulin 2015; proof with the code",
    quantity="distance-to-stationarity",
    sides=("upper",),
    hypotheses=(irreducible, two_states, aperiodic, steps),
    formula=_distance,
    data={"n": "a number of steps"},
    equality="the symmetric chain of two states",
)

mixing = Bound(
    id="pseudo-spectral-gap-mixing",
    title="Mixing time by the pseudo-spectral gap",
    statement=rf"Let {PS}, and $t(\delta)$ be the least $n$ with "
    r"$\max_x \|P^n(x, \cdot) - \pi\|_{TV} \le \delta$. For an irreducible aperiodic chain "
    r"$(1 - 2 \delta)/\gamma_{ps} \le t(\delta) \le \lceil "
    r"(1 + 2 \log(1/(2 \delta)) + \log(1/\pi_{\min} - 1))/\gamma_{ps} \rceil$.",
    source="D. Paulin 2015 (both sides), with 1/pi_min - 1 for 1/pi_min",
    quantity="mixing-time",
    sides=("lower", "upper"),
    hypotheses=(irreducible, two_states, aperiodic, distance_given),
    formula=_mixing,
    data={"delta": "a distance, between 0 and 1"},
)

variance = Bound(
    id="pseudo-spectral-gap-variance",
    title="Variance of a sum along a chain",
    statement=rf"Let {PS}. For an irreducible aperiodic chain started from its stationary law, "
    r"$\mathrm{Var} \sum_{i=1}^n f(X_i) \le 4 n \mathrm{Var}_\pi(f)/\gamma_{ps}$.",
    source="D. Paulin 2015",
    quantity="sum-variance",
    sides=("upper",),
    hypotheses=(irreducible, two_states, aperiodic, steps, function),
    formula=_sum_variance,
    data={"f": "a value for each state", "n": "the number of terms"},
)

variance_sharp = Bound(
    id="pseudo-spectral-gap-variance-sharp",
    title="Variance of a sum along a chain, sharp form",
    statement=rf"Let {PS}, $r$ attain it and $s = \sqrt{{1 - g_r}}$. For an irreducible aperiodic "
    r"chain started from its stationary law, $\mathrm{Var} \sum_{i=1}^n f(X_i) \le "
    r"\mathrm{Var}_\pi(f) \left(n + 2 \sum_{k=1}^{n-1} (n - k)\, s^{\lfloor k/r \rfloor}\right)$.",
    source="after D. Paulin 2015; proof with the code",
    quantity="sum-variance",
    sides=("upper",),
    hypotheses=(irreducible, two_states, aperiodic, steps, function),
    formula=_sum_variance_sharp,
    data={"f": "a value for each state", "n": "the number of terms"},
    equality="a reversible chain with lambda_2 = max |lambda|, and f its eigenfunction; "
    "independent draws",
)
