"""Cliques on a star."""

from __future__ import annotations

from fractions import Fraction
from typing import ClassVar

from theory.chain import ExplicitChain, OrbitChain, Place, State, cliques, dense, orbit, row, sparse
from theory.domain import Domain, Point, expression
from theory.family import Exit, Family, K, M, Pivot, Problem, Range, clique_parameters, epsilon


class Star(Family):
    r"""A hub and $K-1$ leaves: every long way leads through one cluster.

    State 0 of a leaf leads to state 0 of the hub with probability $\epsilon$; state 0 of the hub
    leads to state 0 of each leaf with probability $\epsilon/(K-1)$.  The hub is left for a leaf
    drawn at random, so that the right leaf is found after $K-1$ tries on average, each of two
    crossings.  Its slowest mode compares one leaf with another; a quotient that keeps the hub as
    its target and merges all leaves cannot see it, and shows a gap that is too large.
    """

    id = "star"
    title = "Star of cliques"
    gates = (
        "state 0 of a leaf -> state 0 of the hub, probability epsilon; "
        "state 0 of the hub -> state 0 of each leaf, probability epsilon/(K-1)"
    )
    domain = Domain(clique_parameters(3, 2))
    exits = (Exit("hub", ("hub_bulk", None)),)
    pivot = Pivot(
        "hub_gate",
        function={
            "hub_gate": "0",
            "hub_bulk": "1",
            "home_gate": "1 - epsilon",
            "home_bulk": "1",
            "target": "1",
            "gate": "1 - epsilon",
            "bulk": "1",
        },
        bound="epsilon/M",
    )
    slow_mode: ClassVar = {
        "hub_gate": "0",
        "hub_bulk": "0",
        "home_gate": "(1 - epsilon)*(K - 2)",
        "home_bulk": "K - 2",
        "target": "K - 2",
        "gate": "epsilon - 1",
        "bulk": "-1",
    }
    comparison = {
        "": Range(("M*epsilon <= 1",), "1", "3", {"K": "3", "M": "2", "epsilon": "1/2"}),
        "hub-to-leaf": Range(
            ("M*epsilon <= 1",), "1", "11/3", {"K": "3", "M": "2", "epsilon": "1/2"}
        ),
        "leaf-to-hub": Range(
            ("M*epsilon <= 1", "epsilon <= 3/7"),
            "1",
            "4",
            {"K": "3", "M": "2", "epsilon": "3/7"},
        ),
    }

    def problems(self) -> tuple[Problem, ...]:
        """Leaf to leaf, hub to leaf and leaf to hub, state 1 to state 1."""
        one = expression(1)
        home = {"target": one, "home_gate": one, "home_bulk": M - 2}
        hub = {"hub_gate": one, "hub_bulk": M - 1}
        leaf = {"gate": one, "bulk": M - 1}
        to_leaf = OrbitChain(
            self.domain,
            {name: orbit(size, "home") for name, size in home.items()}
            | {name: orbit(size, "hub") for name, size in hub.items()}
            | {name: orbit((K - 2) * size, "leaf") for name, size in leaf.items()},
            (
                row("target", dense(one, home)),
                row("home_bulk", dense(one, home)),
                row("home_gate", [*dense(1 - epsilon, home), sparse("hub_gate", epsilon)]),
                row("hub_bulk", dense(one, hub)),
                row(
                    "hub_gate",
                    [
                        *dense(1 - epsilon, hub),
                        sparse("home_gate", epsilon / (K - 1)),
                        sparse("gate", epsilon * (K - 2) / (K - 1)),
                    ],
                ),
                row("bulk", dense(one, leaf)),
                row("gate", [*dense(1 - epsilon, leaf), sparse("hub_gate", epsilon)]),
            ),
        )
        centre = {"target": one, "hub_gate": one, "hub_bulk": M - 2}
        to_hub = OrbitChain(
            self.domain,
            {name: orbit(size, "hub") for name, size in centre.items()}
            | {name: orbit((K - 1) * size, "leaf") for name, size in leaf.items()},
            (
                row("target", dense(one, centre)),
                row("hub_bulk", dense(one, centre)),
                row("hub_gate", [*dense(1 - epsilon, centre), sparse("gate", epsilon)]),
                row("bulk", dense(one, leaf)),
                row("gate", [*dense(1 - epsilon, leaf), sparse("hub_gate", epsilon)]),
            ),
        )
        return (
            Problem("", to_leaf, ("bulk", None), "target"),
            Problem("hub-to-leaf", to_leaf, ("hub_bulk", None), "target"),
            Problem("leaf-to-hub", to_hub, ("bulk", None), "target"),
        )

    def explicit(self, point: Point) -> ExplicitChain:
        """The hub is cluster 0."""
        size, eps = int(point["K"]), point["epsilon"]
        inward = {((k, 0), (0, 0)): eps for k in range(1, size)}
        outward = {((0, 0), (k, 0)): eps / Fraction(size - 1) for k in range(1, size)}
        return cliques([int(point["M"])] * size, inward | outward)

    def place(self, problem: str, state: State, point: Point) -> Place:
        """The target is state 1 of the hub, or of leaf 1."""
        k, i = state
        if problem == "leaf-to-hub":
            if k == 0:
                return {0: "hub_gate", 1: "target"}.get(i, "hub_bulk"), None
        elif k == 0:
            return "hub_gate" if i == 0 else "hub_bulk", None
        elif k == 1:
            return {0: "home_gate", 1: "target"}.get(i, "home_bulk"), None
        return "gate" if i == 0 else "bulk", None

    def start(self, problem: str, point: Point) -> State:
        """State 1 of leaf 2, or of the hub."""
        return (0, 1) if problem == "hub-to-leaf" else (2, 1)
