"""Thomson's principle: a capacity from below by any unit flow.

Stated for any chain, with the symmetric conductances c(x, y) = (Q(x, y) + Q(y, x))/2, which for a
reversible chain are Q(x, y): the principle bounds the capacity of (P + P*)/2 from below, and
cap(A, B) of P itself is no smaller, being E(h, h) for its own equilibrium potential h, a function
of the Dirichlet class. So no hypothesis on the chain is needed; without reversibility the best
flow may stay below cap(A, B). Where A and B are not connected there is no unit flow.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from fractions import Fraction

from theory.bounds.base import (
    Bound,
    Data,
    FiniteChain,
    Hypothesis,
    HypothesisFails,
    Interval,
    Number,
    capacity,
    disjoint_sets,
    equilibrium_potential,
    same,
)

Flow = Mapping[tuple[int, int], Number]


def conductances(chain: FiniteChain) -> dict[tuple[int, int], Number]:
    """(Q(x, y) + Q(y, x))/2 by pair x < y, where it is positive."""
    out: dict[tuple[int, int], Number] = {}
    for x, y, q in chain.flows():
        if q:
            pair = min(x, y), max(x, y)
            out[pair] = out.get(pair, 0) + q / 2
    return out


def equilibrium_flow(
    chain: FiniteChain, A: Collection[int], B: Collection[int]
) -> dict[tuple[int, int], Number]:
    """The unit flow c(x, y) (h(x) - h(y))/cap(A, B) of the equilibrium potential of (P + P*)/2.

    Parameters
    ----------
    chain : its law must be positive.
    A, B : disjoint sets, connected by transitions.

    Returns
    -------
    The net flow from x to y, by pair x < y.

    Raises
    ------
    HypothesisFails
        A and B are not disjoint sets, or the law is not positive.
    ZeroDivisionError
        A and B are not connected.
    """
    disjoint_sets("A", "B").check(chain, {"A": A, "B": B})
    symmetric = chain.additive_reversibilization()
    h = equilibrium_potential(symmetric, A, B)
    strength = capacity(symmetric, A, B)
    return {(x, y): c * (h[x] - h[y]) / strength for (x, y), c in conductances(chain).items()}


def _net(flow: Flow) -> dict[tuple[int, int], Number]:
    """The flow by pair x < y."""
    net: dict[tuple[int, int], Number] = {}
    for (x, y), amount in flow.items():
        pair = min(x, y), max(x, y)
        net[pair] = net.get(pair, 0) + (amount if x <= y else -amount)
    return net


def _check_flow(chain: FiniteChain, data: Data) -> None:
    name = "flow is a unit flow"
    edges = conductances(chain)
    for (x, y), amount in _net(data["flow"]).items():
        if amount and (x, y) not in edges:
            raise HypothesisFails(
                name, f"it runs between {x} and {y}, where P does not", "keep to transitions"
            )
    # With a unit of flow added to both sides, what is compared is never about nothing.
    into: list[Number] = [1] * chain.size
    out: list[Number] = [1] * chain.size
    for (x, y), amount in _net(data["flow"]).items():
        # Taken in the direction in which it runs.
        tail, head, forward = (x, y, amount) if amount >= 0 else (y, x, -amount)
        into[head] += forward
        out[tail] += forward
    A, B = set(data["A"]), set(data["B"])
    for x in chain.states:
        if x not in A | B and not same(into[x], out[x]):
            raise HypothesisFails(
                name, f"{into[x] - 1} enters state {x} and {out[x] - 1} leaves it", "conserve it"
            )
    strength = sum((out[x] - into[x] for x in A), Fraction(0))
    if not same(strength, 1):
        raise HypothesisFails(name, f"{strength} leaves A", "divide the flow by this")


def _energy(chain: FiniteChain, A: Collection[int], B: Collection[int], flow: Flow) -> Interval:
    return Interval(1 / flow_energy(chain, flow))


def flow_energy(chain: FiniteChain, flow: Flow) -> Number:
    """D(phi), the sum of phi(x, y)^2/c(x, y) over the pairs x < y."""
    edges = conductances(chain)
    terms = (amount**2 / edges[pair] for pair, amount in _net(flow).items() if amount)
    return sum(terms, Fraction(0))


unit_flow = Hypothesis("flow is a unit flow", _check_flow)

thomson_principle = Bound(
    id="thomson-principle",
    title="Thomson's principle",
    statement=(
        r"For disjoint $A$ and $B$ and any unit flow $\varphi$ from $A$ to $B$, "
        r"$\mathrm{cap}(A, B) \ge \Big(\sum_{\{x, y\}} \varphi(x, y)^2/c(x, y)\Big)^{-1}$ with "
        r"$c(x, y) = \tfrac12 (\pi(x) P(x, y) + \pi(y) P(y, x))$."
    ),
    source="Doyle and Snell 1984, section 1.3.5; in general, Gaudilliere and Landim 2014",
    quantity="capacity",
    sides=("lower",),
    hypotheses=(disjoint_sets("A", "B"), unit_flow),
    formula=_energy,
    data={
        "A": "a set of states",
        "B": "a set of states",
        "flow": "(x, y) -> amount from x to y: a unit leaves A, all else is conserved off B",
    },
    equality="a reversible chain and the flow of the equilibrium potential",
)
