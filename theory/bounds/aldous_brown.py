r"""Aldous and Brown: hitting times of a reversible chain that starts from its stationary law.

For a proper set A, rho is the largest eigenvalue of P on the complement of A, alpha the
quasi-stationary law, rate = 1 - rho = 1/E_alpha tau_A the killing rate, gap = 1/tau_rel. All but
`survival_exponential` follow from the spectral decomposition P_pi(tau_A > n) = sum_i c_i rho_i^n,
c_i >= 0, whose c_1, for the eigenvalue rho, satisfies 1 - rate/gap <= c_1 <= 1 - pi(A): the first
inequality is Poincare's for the eigenvector.

Reversibility cannot be left out, as the cycle that only goes round shows; only for
`survival_exponential` no such chain is known here, and it is kept because the proof uses it.
Irreducibility makes rate and gap positive; without it nothing would be said.

Time
----
Aldous and Brown work in continuous time. `survival`, `survival_exponential` are statements about
the continuized chain, which jumps by P at the times of a Poisson process of rate 1. It has the same
mean hitting times as P, in steps, and the same alpha, rate and gap, so that `mean` and `exit_time`
hold for both. `survival_steps` is the version for the chain in steps, with (1 - rate)^n for
exp(-rate t); its lower side needs a lazy chain, as otherwise an eigenvalue near -rho can make the
tail smaller at odd times. The other versions do not need laziness.

Rates
-----
rate and gap are in general irrational: they enter as rational enclosures of relative width 2^-30,
each side with the end that keeps it true. The gap may be given instead, as a number that the gap is
at least: this is checked, exactly for a rational and up to `TOLERANCE` for a float.
"""

from __future__ import annotations

from collections.abc import Collection
from fractions import Fraction
from typing import NamedTuple

from flint import arb, ctx, fmpq

from theory.bounds.base import (
    TOLERANCE,
    Bound,
    Data,
    FiniteChain,
    Hypothesis,
    HypothesisFails,
    Interval,
    Number,
    gap_at_least,
    gap_enclosure,
    irreducible,
    killing_rate_enclosure,
    lazy,
    mean_hitting_times,
    proper_set,
    reversible,
)

_PRECISION = 128


class Rates(NamedTuple):
    """Enclosure low <= rate <= high of the killing rate, and a number that the gap is at least."""

    low: Fraction
    high: Fraction
    gap: Number


def _rates(chain: FiniteChain, A: Collection[int], gap: Number | None) -> Rates:
    return Rates(*killing_rate_enclosure(chain, A), gap_enclosure(chain)[0] if gap is None else gap)


def _slowest_mass(rate: Rates) -> Number:
    """A lower bound of c_1, the weight of the slowest exponential."""
    lower = 1 - rate.high / rate.gap
    return lower if lower > 0 else Fraction(0)


def exponential(x: Number) -> tuple[Fraction, Fraction]:
    """Rational bounds of exp(-x), of relative width about 2^-120, for x >= 0."""
    exact = Fraction(x)
    with ctx.workprec(_PRECISION):
        ball = (-arb(fmpq(exact.numerator, exact.denominator))).exp()
        ends = [end.man_exp() for end in (ball.lower(), ball.upper())]
    low, high = (Fraction(int(m)) * Fraction(2) ** int(e) for m, e in ends)
    return low, high


def _outside(chain: FiniteChain, A: Collection[int]) -> Number:
    """1 - pi(A), without a subtraction."""
    return chain.mass(set(chain.states) - set(A))


def _mean(chain: FiniteChain, A: Collection[int], gap: Number | None = None) -> Interval:
    rate = _rates(chain, A, gap)
    return Interval(_slowest_mass(rate) / rate.high, _outside(chain, A) / rate.low)


def _exit_time(chain: FiniteChain, A: Collection[int], gap: Number | None = None) -> Interval:
    outside = set(chain.states) - set(A)
    low = gap_enclosure(chain)[0] if gap is None else gap
    lower = _outside(chain, A) / chain.flow_between(outside, A)
    return Interval(lower, 1 / (low * chain.mass(A)))


def _survival(
    chain: FiniteChain, A: Collection[int], t: Number, gap: Number | None = None
) -> Interval:
    rate = _rates(chain, A, gap)
    lower = _slowest_mass(rate) * exponential(rate.high * t)[0]
    return Interval(lower, _outside(chain, A) * exponential(rate.low * t)[1])


def _survival_steps(
    chain: FiniteChain, A: Collection[int], n: int, gap: Number | None = None
) -> Interval:
    rate = _rates(chain, A, gap)
    lower = _slowest_mass(rate) * (1 - rate.high) ** n
    return Interval(lower, _outside(chain, A) * (1 - rate.low) ** n)


def _survival_exponential(
    chain: FiniteChain, A: Collection[int], t: Number, gap: Number | None = None
) -> Interval:
    times = mean_hitting_times(chain, A)
    mean = sum(p * time for p, time in zip(chain.law, times, strict=True))
    error = 1 / ((gap_enclosure(chain)[0] if gap is None else gap) * mean)
    low, high = exponential(t / mean)
    return Interval(max(low - error, 0), min(high + error, 1))


def _check_gap(chain: FiniteChain, data: Data) -> None:
    gap = data.get("gap")
    slack = TOLERANCE if isinstance(gap, float) else 0
    if gap is not None and not (gap > 0 and gap_at_least(chain, gap * (1 - slack))):
        raise HypothesisFails(
            "gap is a lower bound",
            f"{gap} is not positive, or more than the spectral gap of the chain",
            "give a smaller number, or none to have the gap enclosed",
        )


def _check_time(chain: FiniteChain, data: Data) -> None:
    if not data["t"] >= 0:
        raise HypothesisFails("t is a time", f"t is {data['t']}", "give a number t >= 0")


def _check_steps(chain: FiniteChain, data: Data) -> None:
    if not isinstance(data["n"], int) or data["n"] < 0:
        where = f"n is {data['n']}"
        raise HypothesisFails("n is a number of steps", where, "give an integer n >= 0")


_HYPOTHESES = (
    irreducible,
    reversible,
    proper_set("A"),
    Hypothesis("gap is a lower bound", _check_gap),
)
_TIME = Hypothesis("t is a time", _check_time)
_STEPS = Hypothesis("n is a number of steps", _check_steps)
_SET = {"A": "a proper set of states"}
_OPTIONAL = {"gap": "a positive number that the spectral gap is at least; enclosed unless given"}
_SOURCE = "Aldous and Brown 1992, Theorem 1 and its proof"
_GIVEN = (
    r"For an irreducible reversible chain and a proper set $A$, with $\rho$ the largest eigenvalue "
    r"of $P$ on $A^c$, $r = 1 - \rho = 1/\mathbb{E}_\alpha[\tau_A]$ and $\mathrm{gap} = "
    r"1 - \lambda_2$, "
)

mean = Bound(
    id="aldous-brown-mean",
    title="Aldous-Brown: the mean hitting time from the stationary law",
    statement=_GIVEN
    + r"$\frac1r - \frac1{\mathrm{gap}} \le \mathbb{E}_\pi[\tau_A] \le \frac{1 - \pi(A)}{r}$.",
    source=_SOURCE,
    quantity="mean-hitting-time-from-stationarity",
    sides=("lower", "upper"),
    hypotheses=_HYPOTHESES,
    formula=_mean,
    data=_SET,
    optional=_OPTIONAL,
    equality="both sides for the two-state chain",
)

exit_time = Bound(
    id="aldous-brown-exit-time",
    title="Aldous-Brown: the mean exit time from the quasi-stationary law",
    statement=_GIVEN + r"$\frac{\pi(A^c)}{Q(A^c, A)} \le \mathbb{E}_\alpha[\tau_A] \le "
    r"\frac{1}{\mathrm{gap}\,\pi(A)}$.",
    source="Aldous and Brown 1992; upper side: the two sides of aldous-brown-mean; lower side: the "
    "indicator of the complement as test function",
    quantity="quasi-stationary-exit-time",
    sides=("lower", "upper"),
    hypotheses=_HYPOTHESES,
    formula=_exit_time,
    data=_SET,
    optional=_OPTIONAL,
    equality="both sides for the two-state chain; the lower one wherever A is entered with the "
    "same probability from every state outside",
)

survival = Bound(
    id="aldous-brown-survival",
    title="Aldous-Brown: the law of the hitting time, in continuous time",
    statement=_GIVEN + r"the continuized chain has, for all $t \ge 0$, $\big(1 - \frac{r}"
    r"{\mathrm{gap}}\big) e^{-r t} \le \mathbb{P}_\pi(\tau_A > t) \le (1 - \pi(A)) e^{-r t}$.",
    source=_SOURCE,
    quantity="survival-probability-continuous",
    sides=("lower", "upper"),
    hypotheses=(*_HYPOTHESES, _TIME),
    formula=_survival,
    data={**_SET, "t": "a time, t >= 0"},
    optional=_OPTIONAL,
    equality="both sides, at all t, for the two-state chain",
)

survival_steps = Bound(
    id="aldous-brown-survival-steps",
    title="Aldous-Brown: the law of the hitting time, in steps of a lazy chain",
    statement=_GIVEN
    + r"a lazy chain has, for all $n \ge 0$, $\big(1 - \frac{r}{\mathrm{gap}}\big) "
    r"(1 - r)^n \le \mathbb{P}_\pi(\tau_A > n) \le (1 - \pi(A)) (1 - r)^n$.",
    source="after Aldous and Brown 1992, with powers of the eigenvalues for exponentials",
    quantity="survival-probability-steps",
    sides=("lower", "upper"),
    hypotheses=(*_HYPOTHESES, lazy, _STEPS),
    formula=_survival_steps,
    data={**_SET, "n": "a number of steps, n >= 0"},
    optional=_OPTIONAL,
    equality="both sides, at all n, for the lazy two-state chain",
)

survival_exponential = Bound(
    id="aldous-brown-exponential",
    title="Aldous-Brown: the hitting time is nearly exponential, in continuous time",
    statement=_GIVEN
    + r"the continuized chain has, for all $t \ge 0$, $\big|\mathbb{P}_\pi(\tau_A > "
    r"t) - e^{-t/\mathbb{E}_\pi[\tau_A]}\big| \le \frac{1}{\mathrm{gap}\,\mathbb{E}_\pi[\tau_A]}$.",
    source="Aldous and Fill 2002, Proposition 3.23",
    quantity="survival-probability-continuous",
    sides=("lower", "upper"),
    hypotheses=(*_HYPOTHESES, _TIME),
    formula=_survival_exponential,
    data={**_SET, "t": "a time, t >= 0"},
    optional=_OPTIONAL,
    equality="in the limit, at t = 0, for the two-state chain that seldom enters A",
)
