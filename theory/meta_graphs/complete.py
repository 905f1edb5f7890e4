"""The complete meta-graph."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import ClassVar

from theory.chain import OrbitChain, Place, orbit, row, sparse
from theory.domain import Domain, Parameter, Point, expression
from theory.family import Cyclic, K, Problem
from theory.meta_graph import MetaGraph


class Complete(MetaGraph):
    """Every cluster is joined to every other; a step goes to one of them, all alike."""

    id = "complete"
    title = "complete graph"
    exact_gap = True
    ends_alike = True
    clusters_alike = True
    domain = Domain((Parameter("K", ("K >= 2",), "number of clusters"),))
    cyclic: ClassVar[Cyclic] = Cyclic(
        types={"cluster": "1"}, law={"cluster": "1"}, moves=(("cluster", "cluster", "others", "1"),)
    )

    def problems(self) -> tuple[Problem, ...]:
        """From one cluster to another."""
        chain = OrbitChain(
            self.domain,
            {"target": orbit(1, "target"), "other": orbit(K - 1, "other")},
            (
                row("target", [sparse("other", expression(1))]),
                row("other", [sparse("target", 1 / (K - 1)), sparse("other", (K - 2) / (K - 1))]),
            ),
        )
        return (Problem("", chain, ("other", None), "target"),)

    def walk(self, point: Point) -> Mapping[tuple[int, int], Fraction]:
        """Uniform on the other clusters."""
        size = int(point["K"])
        pairs = ((k, l) for k in range(size) for l in range(size))
        return {(k, l): Fraction(1, size - 1) for k, l in pairs if k != l}

    def place_of(self, cluster: int, point: Point) -> Place:
        """The target is cluster 0."""
        return "target" if cluster == 0 else "other", None

    def ends(self, point: Point) -> tuple[int, int]:
        """From cluster 1 to cluster 0."""
        return 1, 0
