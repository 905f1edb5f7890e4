"""The complete graph with heavier or lighter edges to one cluster."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

import sympy

from theory.chain import OrbitChain, Place, orbit, row, sparse
from theory.domain import Domain, Parameter, Point, expression
from theory.family import K, Problem
from theory.meta_graph import MetaGraph

omega = sympy.Symbol("omega")


class WeightedComplete(MetaGraph):
    """Every cluster is joined to every other, to the target with weight omega, else with weight 1.

    A step takes an edge with probability proportional to its weight.  The target is found as fast
    as its edges are heavy, in no less than one step.
    """

    id = "weighted-complete"
    title = "complete graph with weighted edges to the target"
    domain = Domain(
        (
            Parameter("K", ("K >= 2",), "number of clusters"),
            Parameter("omega", ("omega > 0",), "weight of an edge to the target", integer=False),
        )
    )

    even = True

    def problems(self) -> tuple[Problem, ...]:
        """From any other cluster to the one with the weights."""
        total = omega + K - 2
        chain = OrbitChain(
            self.domain,
            {"target": orbit(1, "target"), "other": orbit(K - 1, "other")},
            (
                row("target", [sparse("other", expression(1))]),
                row("other", [sparse("target", omega / total), sparse("other", (K - 2) / total)]),
            ),
        )
        return (Problem("", chain, ("other", None), "target"),)

    def walk(self, point: Point) -> Mapping[tuple[int, int], Fraction]:
        """The target is cluster 0."""
        size, weight = int(point["K"]), point["omega"]
        total = weight + size - 2
        others = range(1, size)
        away = {(0, k): Fraction(1, size - 1) for k in others}
        back = {(k, 0): weight / total for k in others}
        return away | back | {(k, l): 1 / total for k in others for l in others if k != l}

    def place_of(self, cluster: int, point: Point) -> Place:
        """The target is cluster 0."""
        return "target" if cluster == 0 else "other", None

    def ends(self, point: Point) -> tuple[int, int]:
        """From cluster 1 to cluster 0."""
        return 1, 0
