"""Cliques of two sizes on the complete meta-graph."""

from __future__ import annotations

from fractions import Fraction

import sympy

from theory.chain import ExplicitChain, OrbitChain, Place, State, cliques, dense, orbit, row, sparse
from theory.domain import Domain, Parameter, Point, expression
from theory.family import Exit, Family, Problem, Range, epsilon

K_1, K_2, M_1, M_2 = sympy.symbols("K_1 K_2 M_1 M_2")


class Unequal(Family):
    r"""Some parts of the argument are easy and small, others are large.

    $K_1$ cliques of $M_1$ states and $K_2$ cliques of $M_2$ states; as on the complete graph of
    equal cliques, state 0 of each is its gate, and a sparse edge of probability
    $\epsilon/(K_1+K_2-1)$ leads from every gate to every other.  Start and target lie in clusters
    of the first size.  What counts is the mean size: a few large clusters delay the answer as much
    as many small ones of the same total.
    """

    id = "unequal"
    title = "Complete graph of cliques of two sizes"
    gates = "state 0 of k -> state 0 of each l != k, probability epsilon/(K_1 + K_2 - 1)"
    domain = Domain(
        (
            Parameter("K_1", ("K_1 >= 2",), "clusters of the first size"),
            Parameter("K_2", ("K_2 >= 1",), "clusters of the second size"),
            Parameter("M_1", ("M_1 >= 2",), "states in a cluster of the first size"),
            Parameter("M_2", ("M_2 >= 2",), "states in a cluster of the second size"),
            Parameter(
                "epsilon", ("epsilon > 0", "epsilon < 1"), "mass of the sparse edges", integer=False
            ),
        )
    )
    absent = {
        "spectral-gap": "no single state is a good pivot where clusters of two sizes are all joined"
    }
    exits = (Exit("second", ("second_bulk", None)),)
    comparison = {
        "": Range(
            ("M_1*epsilon <= 1", "M_2*epsilon <= 1"),
            "1",
            "4",
            {"K_1": "2", "K_2": "1", "M_1": "2", "M_2": "2", "epsilon": "1/2"},
        )
    }

    def problems(self) -> tuple[Problem, ...]:
        """State 1 of a cluster of the first size to state 1 of another."""
        home = {"target": expression(1), "home_gate": expression(1), "home_bulk": M_1 - 2}
        first = {"first_gate": expression(1), "first_bulk": M_1 - 1}
        second = {"second_gate": expression(1), "second_bulk": M_2 - 1}
        others = K_1 + K_2 - 1
        to_home = sparse("home_gate", epsilon / others)
        chain = OrbitChain(
            self.domain,
            {
                **{name: orbit(size, "home") for name, size in home.items()},
                **{name: orbit((K_1 - 1) * size, "first") for name, size in first.items()},
                **{name: orbit(K_2 * size, "second") for name, size in second.items()},
            },
            (
                row("target", dense(expression(1), home)),
                row(
                    "home_gate",
                    [
                        *dense(1 - epsilon, home),
                        sparse("first_gate", epsilon * (K_1 - 1) / others),
                        sparse("second_gate", epsilon * K_2 / others),
                    ],
                ),
                row("home_bulk", dense(expression(1), home)),
                row(
                    "first_gate",
                    [
                        *dense(1 - epsilon, first),
                        to_home,
                        sparse("first_gate", epsilon * (K_1 - 2) / others),
                        sparse("second_gate", epsilon * K_2 / others),
                    ],
                ),
                row("first_bulk", dense(expression(1), first)),
                row(
                    "second_gate",
                    [
                        *dense(1 - epsilon, second),
                        to_home,
                        sparse("first_gate", epsilon * (K_1 - 1) / others),
                        sparse("second_gate", epsilon * (K_2 - 1) / others),
                    ],
                ),
                row("second_bulk", dense(expression(1), second)),
            ),
        )
        return (Problem("", chain, ("first_bulk", None), "target"),)

    def explicit(self, point: Point) -> ExplicitChain:
        """Clusters of the first size come first."""
        number = int(point["K_1"]), int(point["K_2"])
        sizes = [int(point["M_1"])] * number[0] + [int(point["M_2"])] * number[1]
        share = point["epsilon"] / Fraction(sum(number) - 1)
        pairs = ((k, l) for k in range(len(sizes)) for l in range(len(sizes)))
        return cliques(sizes, {((k, 0), (l, 0)): share for k, l in pairs if k != l})

    def place(self, problem: str, state: State, point: Point) -> Place:
        """The target is state 1 of cluster 0."""
        k, i = state
        if k == 0:
            return {0: "home_gate", 1: "target"}.get(i, "home_bulk"), None
        kind = "first" if k < int(point["K_1"]) else "second"
        return f"{kind}_{'gate' if i == 0 else 'bulk'}", None

    def start(self, problem: str, point: Point) -> State:
        """State 1 of cluster 1."""
        return 1, 1
