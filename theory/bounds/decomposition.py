r"""The gap from a cover by sets that may overlap.

Let A_1..A_m cover the states, Theta be the most sets that a state lies in, g the least gap of the
restrictions, and H the chain on the sets with P_H(i, j) = pi(A_i n A_j)/(Theta pi(A_i)), i != j,
of gap h; its law is pi(A_i)/Z, Z = sum_i pi(A_i). Let Theta_2 be the most sets that both ends of a
transition lie in, so Theta_2 <= Theta.

Proof of the sharp form. Let m_i be the mean and V_i the variance of f on A_i, V = sum_i pi(A_i) V_i
and m the mean of the m_i under H's law. As every state is covered, Var f <= sum_i pi(A_i)
(V_i + (m_i - m)^2) = V + Z Var_H(m_i). The last variance is at most the Dirichlet form of H over
h, which is 1/(2 h Theta Z) times the sum over i != j of pi(A_i n A_j) (m_i - m_j)^2; and
(m_i - m_j)^2 <= 2 (f(x) - m_i)^2 + 2 (f(x) - m_j)^2 at each x of the intersection, where at most
Theta - 1 other sets meet each. So Z Var_H <= 2 (Theta - 1) V/(h Theta). At last
g V <= sum of the Dirichlet forms within the sets <= Theta_2 E(f, f). Together
gap >= g h/(Theta_2 (h + 2 - 2/Theta)). The published bound g h/Theta^2 follows: h <= 1, by the
trace of H, so Theta h + 2 Theta - 2 <= Theta^2, as (Theta - 1)(Theta - 2) >= 0.

Reversibility is not needed: for a chain that is not reversible, both sides are about (P + P*)/2.
The positive law is: a state that is left for ever at rate d adds the eigenvalue 1 - d.
"""

from __future__ import annotations

from fractions import Fraction

from theory.bounds.base import (
    Bound,
    Data,
    FiniteChain,
    Hypothesis,
    HypothesisFails,
    Interval,
    Number,
    positive_law,
)
from theory.bounds.common import Clusters, as_given, gap_bounds, least_gap


def _check_cover(chain: FiniteChain, data: Data) -> None:
    sets: Clusters = data["sets"]
    title = "sets cover the states"
    for i, states in enumerate(sets):
        odd = sorted(set(states) - set(chain.states), key=str)
        if not states or odd:
            where = f"{odd} in set {i} are no states" if odd else f"set {i} is empty"
            raise HypothesisFails(title, where, f"give states 0..{chain.size - 1}")
    missing = set(chain.states) - {x for states in sets for x in states}
    if missing:
        raise HypothesisFails(title, f"{sorted(missing)} are in no set", "put them in a set")
    if len(sets) < 2:
        raise HypothesisFails(title, "there is one set", "give two at least")


cover = Hypothesis("sets cover the states", _check_cover)


def overlap_chain(chain: FiniteChain, sets: Clusters) -> tuple[FiniteChain, int]:
    """The chain H on the sets of a cover, and Theta."""
    parts = [set(states) for states in sets]
    theta = max(sum(x in part for part in parts) for x in chain.states)
    mass = [chain.mass(part) for part in parts]
    rows: list[dict[int, Number]] = [
        {
            j: chain.mass(part & other) / (theta * mass[i])
            for j, other in enumerate(parts)
            if j != i and part & other
        }
        for i, part in enumerate(parts)
    ]
    total = sum(mass)
    return FiniteChain(tuple(rows), tuple(a / total for a in mass)), theta


def shared_most(chain: FiniteChain, sets: Clusters) -> int:
    """Theta_2, the most sets that both ends of a transition lie in."""
    return max(sum(x in part and y in part for part in sets) for x, y, _ in chain.flows())


def _parts(chain: FiniteChain, sets: Clusters) -> tuple[Fraction, Fraction, int]:
    """Lower bounds of g and h, and Theta; g = 0 where there is nothing to say."""
    overlap, theta = overlap_chain(chain, sets)
    outer = gap_bounds(overlap)
    assert outer is not None  # two sets at least
    return least_gap(chain, sets) or Fraction(0), outer[0], theta


def _published(chain: FiniteChain, sets: Clusters) -> Interval:
    inner, outer, theta = _parts(chain, sets)
    return Interval(lower=as_given(chain, inner * outer / theta**2))


def _sharp(chain: FiniteChain, sets: Clusters) -> Interval:
    inner, outer, theta = _parts(chain, sets)
    if not inner * outer:
        return Interval(lower=as_given(chain, Fraction(0)))
    bound = inner * outer / (shared_most(chain, sets) * (outer + 2 - Fraction(2, theta)))
    return Interval(lower=as_given(chain, bound))


SETTING = (
    r"Let the sets $A_1, \dots, A_m$, $m \ge 2$, cover the states of a chain with a positive law, "
    r"$\Theta = \max_x \#\{i : x \in A_i\}$, $g$ be the least gap of the restrictions to them, and "
    r"$h$ the gap of the chain $P_H(i, j) = \pi(A_i \cap A_j)/(\Theta \pi(A_i))$, $i \ne j$. "
)
GENERAL = (
    r" If $P$ is not reversible, this holds of $(P + P^*)/2$, whose gap is at most "
    r"$1 - \mathrm{Re}\,\lambda_2(P)$."
)

decomposition = Bound(
    id="state-decomposition",
    title="Gap from an overlapping decomposition",
    statement=SETTING + r"Then $\mathrm{gap} \ge g h/\Theta^2$." + GENERAL,
    source="N. Madras and D. Randall 2002 (state decomposition theorem)",
    quantity="spectral-gap",
    sides=("lower",),
    hypotheses=(positive_law, cover),
    formula=_published,
    data={"sets": "sets of states, two at least, that cover all; they may overlap"},
)

decomposition_sharp = Bound(
    id="state-decomposition-sharp",
    title="Gap from an overlapping decomposition, sharp form",
    statement=SETTING
    + r"Let $\Theta_2 \le \Theta$ be the largest number of sets that contain both ends of one "
    + r"transition. Then $\mathrm{gap} \ge \frac{g h}{\Theta_2 (h + 2 - 2/\Theta)}$."
    + GENERAL,
    source="after N. Madras and D. Randall 2002; proof with the code",
    quantity="spectral-gap",
    sides=("lower",),
    hypotheses=(positive_law, cover),
    formula=_sharp,
    data={"sets": "sets of states, two at least, that cover all; they may overlap"},
    equality="in the limit of a rare gate: the path 0-1-2 covered by {0, 1} and {1, 2}, as the "
    "mass of 1 goes to 0",
)
