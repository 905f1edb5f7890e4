r"""The gap from a partition: the chain of the clusters, and the chain within each.

Let C_1..C_K be a partition, lambda the least gap of the restrictions (a single state has none),
lambda' the gap of the aggregated chain A, and gamma the largest probability of leaving a cluster.

Proof of the sharp form. Let f have variance 1, v^2 = Var of its cluster means under A's law and
u^2 = sum_k pi(C_k) Var_k f, so u^2 + v^2 = 1. The part of E(f, f) within clusters is at least
lambda u^2. On the flow between clusters, f(x) - f(y) is the difference of the means plus that of
g = f - mean. In L^2 of half that flow the first has norm at least sqrt(lambda') v, the second at
most sqrt(2 gamma) u, since (g(x) - g(y))^2 <= 2 g(x)^2 + 2 g(y)^2. So the part between clusters is
at least (sqrt(lambda') v - sqrt(2 gamma) u)^2 where this difference is >= 0, and E(f, f) is at
least the least eigenvalue of the form lambda u^2 + (sqrt(lambda') v - sqrt(2 gamma) u)^2, the
smaller root of t^2 - (lambda + 2 gamma + lambda') t + lambda lambda'; the rest of the circle,
where the difference is negative, gives no less. The theorem of Jerrum, Son, Tetali and Vigoda uses
(a + b + c)^2 <= 3 (a^2 + b^2 + c^2) in place of the triangle inequality, and is implied.

Neither reversibility nor irreducibility is needed. For a chain that is not reversible, both sides
are about (P + P*)/2: gamma then counts its exits, half the exits of P and half those of P*. With
the exits of P alone the sharp form is false. 1 - Re(lambda_2) of P is at least that gap. The
positive law is needed: a state that is left for ever at rate d adds the eigenvalue 1 - d.
"""

from __future__ import annotations

from fractions import Fraction

from theory.bounds.base import Bound, FiniteChain, Interval, positive_law
from theory.bounds.common import (
    Clusters,
    aggregated,
    as_given,
    gap_bounds,
    least_gap,
    leaving,
    partition,
    root_above,
)


def _parts(chain: FiniteChain, clusters: Clusters) -> tuple[Fraction | None, Fraction, Fraction]:
    """Lower bounds of lambda (None if infinite) and lambda', and gamma."""
    outer = gap_bounds(aggregated(chain, clusters))
    assert outer is not None  # two clusters at least
    out, back = leaving(chain, clusters), leaving(chain.reversed(), clusters)
    rate = max(Fraction(a) + Fraction(b) for a, b in zip(out, back, strict=True)) / 2
    return least_gap(chain, clusters), outer[0], rate


def _published(chain: FiniteChain, clusters: Clusters) -> Interval:
    inner, outer, rate = _parts(chain, clusters)
    bound = outer / 3
    if inner is not None and outer:
        bound = min(bound, inner * outer / (3 * rate + outer))
    return Interval(lower=as_given(chain, bound))


def _sharp(chain: FiniteChain, clusters: Clusters) -> Interval:
    inner, outer, rate = _parts(chain, clusters)
    if inner is None or not outer:
        return Interval(lower=as_given(chain, outer))
    total = inner + 2 * rate + outer
    root = root_above(total**2 - 4 * inner * outer)
    return Interval(lower=as_given(chain, 2 * inner * outer / (total + Fraction(root))))


SETTING = (
    r"Let $C_1, \dots, C_K$, $K \ge 2$, partition the states of a chain with a positive law, "
    r"$\lambda$ be the least gap of the restrictions to them ($\infty$ for single states), "
    r"$\bar\lambda$ the gap of the aggregated chain, and "
    r"$\gamma = \max_x P(x, C(x)^c)$, $C(x)$ the cluster of $x$. "
)
GENERAL = (
    r" If $P$ is not reversible, this holds of $(P + P^*)/2$, whose gap is at most "
    r"$1 - \mathrm{Re}\,\lambda_2(P)$."
)

projection_restriction = Bound(
    id="projection-restriction",
    title="Gap from projection and restriction chains",
    statement=SETTING
    + r"Then $\mathrm{gap} \ge \min\left(\frac{\bar\lambda}{3}, "
    + r"\frac{\bar\lambda \lambda}{3 \gamma + \bar\lambda}\right)$."
    + GENERAL,
    source="M. Jerrum, J.-B. Son, P. Tetali and E. Vigoda 2004, theorem 1 (Poincaré constant)",
    quantity="spectral-gap",
    sides=("lower",),
    hypotheses=(positive_law, partition),
    formula=_published,
    data={"clusters": "disjoint sets of states, two at least, that cover all"},
    equality="in the limit of rare gates: two states joined to one gate each, left from there with "
    "probability 1/2 either way, as the gates' mass goes to 0; so the constants 3 are sharp",
)

projection_restriction_sharp = Bound(
    id="projection-restriction-sharp",
    title="Gap from projection and restriction chains, sharp form",
    statement=SETTING
    + r"Then $\mathrm{gap} \ge \theta$, the smaller root of "
    + r"$\theta^2 - (\lambda + 2\gamma + \bar\lambda)\,\theta + \lambda \bar\lambda = 0$, and so "
    + r"$\mathrm{gap} \ge \lambda \bar\lambda/(\lambda + 2 \gamma + \bar\lambda)$."
    + GENERAL,
    source="after M. Jerrum, J.-B. Son, P. Tetali and E. Vigoda 2004; proof with the code",
    quantity="spectral-gap",
    sides=("lower",),
    hypotheses=(positive_law, partition),
    formula=_sharp,
    data={"clusters": "disjoint sets of states, two at least, that cover all"},
    equality="clusters of one state; and, for any ratio of the probabilities at the gates, in the "
    "limit of rare gates",
)
