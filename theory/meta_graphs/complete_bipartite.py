"""The complete bipartite graph."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import ClassVar

import sympy

from theory.chain import OrbitChain, Place, orbit, row, sparse
from theory.domain import Domain, Parameter, Point, expression
from theory.family import Problem
from theory.meta_graph import MetaGraph

a, b = sympy.symbols("a b")
ONE = expression(1)


class CompleteBipartite(MetaGraph):
    """Two sides; a step goes to any cluster of the other side, all alike.

    Start and target lie on one side, which every second step draws from afresh: the time does not
    depend on the size of the other side.
    """

    id = "complete-bipartite"
    title = "complete bipartite graph"
    exact_gap = True
    ends_alike = True
    domain = Domain(
        (
            Parameter("a", ("a >= 2",), "clusters on the side of start and target"),
            Parameter("b", ("b >= 1",), "clusters on the other side"),
        )
    )

    even = True
    slow_mode: ClassVar = {"target": "a - 1", "left": "-1", "right": "0"}

    def problems(self) -> tuple[Problem, ...]:
        """From one cluster to another of its side."""
        chain = OrbitChain(
            self.domain,
            {
                "target": orbit(1, "target"),
                "left": orbit(a - 1, "left"),
                "right": orbit(b, "right"),
            },
            (
                row("target", [sparse("right", ONE)]),
                row("left", [sparse("right", ONE)]),
                row("right", [sparse("target", 1 / a), sparse("left", (a - 1) / a)]),
            ),
        )
        return (Problem("", chain, ("left", None), "target"),)

    def walk(self, point: Point) -> Mapping[tuple[int, int], Fraction]:
        """Clusters 0 .. a - 1 on one side, the others on the other."""
        left = range(int(point["a"]))
        right = range(len(left), len(left) + int(point["b"]))
        there = {(k, l): Fraction(1, len(right)) for k in left for l in right}
        return there | {(l, k): Fraction(1, len(left)) for k in left for l in right}

    def place_of(self, cluster: int, point: Point) -> Place:
        """The target is cluster 0."""
        if cluster == 0:
            return "target", None
        return "left" if cluster < int(point["a"]) else "right", None

    def ends(self, point: Point) -> tuple[int, int]:
        """From cluster 1 to cluster 0."""
        return 1, 0
