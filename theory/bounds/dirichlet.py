"""The Dirichlet principle: a capacity from above by any test function.

The class is taken as wide as the theorem allows: f >= 1 on A and f <= 0 on B, as cutting f off at
0 and 1 does not raise E(f, f). Reversibility cannot be left out: on any chain cap(A, B) is at
least the capacity of (P + P*)/2, which is the least E(f, f), and on the cycle that only goes round
it is larger. Irreducibility is needed only for the stationary law to be the chain's.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from theory.bounds.base import (
    Bound,
    Data,
    FiniteChain,
    Hypothesis,
    HypothesisFails,
    Interval,
    Number,
    at_most,
    disjoint_sets,
    reversible,
)


def _check_boundary(chain: FiniteChain, data: Data) -> None:
    f = data["f"]
    name = "f is a test function"
    if len(f) != chain.size:
        raise HypothesisFails(name, f"it has {len(f)} values", f"give {chain.size}, one a state")
    for x in sorted(data["A"]):
        if not at_most(1, f[x]):
            raise HypothesisFails(name, f"f is {f[x]} at state {x} of A", "make it at least 1 on A")
    for x in sorted(data["B"]):
        if not f[x] <= 0:
            raise HypothesisFails(name, f"f is {f[x]} at state {x} of B", "make it at most 0 on B")


def _energy(
    chain: FiniteChain, A: Collection[int], B: Collection[int], f: Sequence[Number]
) -> Interval:
    return Interval(upper=chain.dirichlet_form(f))


boundary_values = Hypothesis("f is a test function", _check_boundary)

dirichlet_principle = Bound(
    id="dirichlet-principle",
    title="Dirichlet principle",
    statement=(
        r"For a reversible chain, disjoint $A$ and $B$, and any $f$ with $f \ge 1$ on $A$ and "
        r"$f \le 0$ on $B$, $\mathrm{cap}(A, B) \le \mathcal{E}(f, f) = "
        r"\tfrac12 \sum_{x, y} \pi(x) P(x, y) (f(x) - f(y))^2$."
    ),
    source="Doyle and Snell 1984, section 1.3.5; Bovier and den Hollander 2015, chapter 7",
    quantity="capacity",
    sides=("upper",),
    hypotheses=(reversible, disjoint_sets("A", "B"), boundary_values),
    formula=_energy,
    data={
        "A": "a set of states",
        "B": "a set of states",
        "f": "N numbers, at least 1 on A and at most 0 on B",
    },
    equality="f the equilibrium potential P_x(tau_A < tau_B), and no other up to null sets",
)
