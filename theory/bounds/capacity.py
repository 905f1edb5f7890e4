r"""Mean hitting times by capacities.

Bovier, Eckhoff, Gayrard and Klein (2002) state the identity for reversible chains. It holds for
every irreducible one if potential and starting law are those of the time reversal P*, which is
how it is stated here: the mean number of visits to x before tau_B, started from nu_{A,B}, is
pi(x) h*_{A,B}(x)/cap(A, B). With the potential of P itself it is false without reversibility.
Irreducibility is needed: where A lies in two closed classes, of which B meets one, h is 1 on the
other, which nu_{A,B} never enters.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from theory.bounds.base import (
    Bound,
    FiniteChain,
    Interval,
    Number,
    capacity,
    disjoint_sets,
    equilibrium_potential,
    irreducible,
    reversible,
)
from theory.bounds.dirichlet import boundary_values
from theory.bounds.thomson import Flow, flow_energy, unit_flow


def equilibrium_law(
    chain: FiniteChain, A: Collection[int], B: Collection[int]
) -> tuple[Number, ...]:
    """nu_{A,B}(x) = pi(x) P*_x(tau_B < tau+_A)/cap(A, B) on A, 0 elsewhere; N numbers.

    Raises
    ------
    HypothesisFails
        The chain is not irreducible, or A and B are not disjoint sets.
    """
    irreducible.check(chain, {})
    disjoint_sets("A", "B").check(chain, {"A": A, "B": B})
    back = chain.reversed()
    escape = equilibrium_potential(back, B, A)
    weight = [
        sum(q * escape[y] for y, q in back.rows[x].items()) * chain.law[x] if x in set(A) else 0
        for x in chain.states
    ]
    total = sum(weight)
    return tuple(w / total for w in weight)


def _identity(chain: FiniteChain, A: Collection[int], B: Collection[int]) -> Interval:
    h = equilibrium_potential(chain.reversed(), A, B)
    weight = sum(p * value for p, value in zip(chain.law, h, strict=True))
    mean = weight / capacity(chain, A, B)
    return Interval(mean, mean)


def _two_sided(
    chain: FiniteChain,
    A: Collection[int],
    B: Collection[int],
    f: Sequence[Number],
    flow: Flow,
) -> Interval:
    outside = chain.mass(set(chain.states) - set(B))
    return Interval(chain.mass(A) / chain.dirichlet_form(f), outside * flow_energy(chain, flow))


hitting_time_by_capacity = Bound(
    id="hitting-time-by-capacity",
    title="Mean hitting time by capacity",
    statement=(
        r"For an irreducible chain and disjoint $A$ and $B$, $\mathbb{E}_{\nu_{A,B}}[\tau_B] = "
        r"\frac{1}{\mathrm{cap}(A, B)} \sum_x \pi(x) h^*_{A,B}(x)$, where $h^*_{A,B}(x) = "
        r"\mathbb{P}^*_x(\tau_A < \tau_B)$, $\nu_{A,B}(x) = \pi(x) \mathbb{P}^*_x(\tau_B < "
        r"\tau^+_A)/\mathrm{cap}(A, B)$ on $A$, and $P^*$ is the time reversal, $P$ itself if "
        r"reversible. For $A = \{a\}$ the left side is $\mathbb{E}_a[\tau_B]$."
    ),
    source="Bovier, Eckhoff, Gayrard and Klein 2002; in general, Beltran and Landim 2012",
    quantity="mean-hitting-time",
    sides=("lower", "upper"),
    hypotheses=(irreducible, disjoint_sets("A", "B")),
    formula=_identity,
    data={"A": "a set of states", "B": "a set of states"},
    equality="always: it is an identity",
)

hitting_time_by_energies = Bound(
    id="hitting-time-by-energies",
    title="Mean hitting time by a test function and a flow",
    statement=(
        r"For a reversible irreducible chain, disjoint $A$ and $B$, $f$ with $f \ge 1$ on $A$ and "
        r"$f \le 0$ on $B$, and a unit flow $\varphi$ from $A$ to $B$, $\frac{\pi(A)}"
        r"{\mathcal{E}(f, f)} \le \mathbb{E}_{\nu_{A,B}}[\tau_B] \le (1 - \pi(B)) "
        r"\sum_{\{x, y\}} \frac{\varphi(x, y)^2}{\pi(x) P(x, y)}$. For $A = \{a\}$ the middle is "
        r"$\mathbb{E}_a[\tau_B]$."
    ),
    source="hitting-time-by-capacity with the Dirichlet and Thomson principles",
    quantity="mean-hitting-time",
    sides=("lower", "upper"),
    hypotheses=(irreducible, reversible, disjoint_sets("A", "B"), boundary_values, unit_flow),
    formula=_two_sided,
    data={
        "A": "a set of states",
        "B": "a set of states",
        "f": "N numbers, at least 1 on A and at most 0 on B",
        "flow": "(x, y) -> amount from x to y: a unit leaves A, all else is conserved off B",
    },
    equality="both sides where A and B are all states, as for the two-state chain, with the "
    "equilibrium potential and its flow",
)
