"""The star."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import ClassVar

from theory.chain import OrbitChain, Place, orbit, row, sparse
from theory.domain import Domain, Parameter, Point, expression
from theory.family import K, Pivot, Problem
from theory.meta_graph import MetaGraph

ONE = expression(1)


class Star(MetaGraph):
    """A hub joined to every leaf; a step leads from a leaf to the hub, from the hub to any leaf.

    The right leaf is found after as many tries as there are leaves, on average, each of two steps.
    """

    id = "star"
    title = "star"
    exact_gap = True
    ends_alike = True
    domain = Domain((Parameter("K", ("K >= 3",), "number of clusters"),))
    pivot = Pivot("hub")
    slow_mode: ClassVar = {"hub": "0", "target": "K - 2", "leaf": "-1"}

    def problems(self) -> tuple[Problem, ...]:
        """From leaf to leaf."""
        chain = OrbitChain(
            self.domain,
            {"target": orbit(1, "target"), "hub": orbit(1, "hub"), "leaf": orbit(K - 2, "leaf")},
            (
                row("target", [sparse("hub", ONE)]),
                row("hub", [sparse("target", 1 / (K - 1)), sparse("leaf", (K - 2) / (K - 1))]),
                row("leaf", [sparse("hub", ONE)]),
            ),
        )
        return (Problem("", chain, ("leaf", None), "target"),)

    def walk(self, point: Point) -> Mapping[tuple[int, int], Fraction]:
        """The hub is cluster 0."""
        leaves = range(1, int(point["K"]))
        inward = {(k, 0): Fraction(1) for k in leaves}
        return inward | {(0, k): Fraction(1, len(leaves)) for k in leaves}

    def place_of(self, cluster: int, point: Point) -> Place:
        """The target is leaf 1."""
        return {0: "hub", 1: "target"}.get(cluster, "leaf"), None

    def ends(self, point: Point) -> tuple[int, int]:
        """From leaf 2 to leaf 1."""
        return 2, 1
