"""The ring."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import ClassVar

from theory.chain import OrbitChain, Place, j, orbit, row, sparse
from theory.domain import Domain, Parameter, Point, expression
from theory.family import Cyclic, K, Problem
from theory.meta_graph import MetaGraph

HALF = expression("1/2")


class Ring(MetaGraph):
    """The clusters lie on a circle; a step goes to either neighbour with probability 1/2."""

    id = "ring"
    title = "ring"
    exact_gap = True
    ends_alike = True
    clusters_alike = True
    domain = Domain(
        (
            Parameter("K", ("K >= 3",), "number of clusters"),
            Parameter(
                "d",
                ("d >= 1", "d <= K - 1"),
                "steps to the cluster of the target",
                default="floor(K/2)",
            ),
        )
    )
    drop = ("d",)
    cyclic: ClassVar[Cyclic] = Cyclic(
        types={"cluster": "1"},
        law={"cluster": "1"},
        moves=(("cluster", "cluster", "+1", "1/2"), ("cluster", "cluster", "-1", "1/2")),
    )

    def problems(self) -> tuple[Problem, ...]:
        """From distance d, going up, to the target; j is the distance, going up."""
        chain = OrbitChain(
            self.domain,
            {"target": orbit(1, "target"), "other": orbit(1, "other", 1, K - 1)},
            (
                row("target", [sparse("other", HALF, expression(1)), sparse("other", HALF, K - 1)]),
                row("other", [sparse("target", HALF), sparse("other", HALF, j + 1)], 1, 1),
                row(
                    "other", [sparse("other", HALF, j - 1), sparse("other", HALF, j + 1)], 2, K - 2
                ),
                row("other", [sparse("other", HALF, j - 1), sparse("target", HALF)], K - 1, K - 1),
            ),
        )
        return (Problem("", chain, ("other", "d"), "target"),)

    def walk(self, point: Point) -> Mapping[tuple[int, int], Fraction]:
        """To either neighbour."""
        size = int(point["K"])
        return {(k, (k + s) % size): Fraction(1, 2) for k in range(size) for s in (1, -1)}

    def place_of(self, cluster: int, point: Point) -> Place:
        """The target is cluster 0."""
        return ("target", None) if cluster == 0 else ("other", cluster)

    def ends(self, point: Point) -> tuple[int, int]:
        """From cluster d to cluster 0."""
        return int(point["d"]), 0
