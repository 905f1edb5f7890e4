"""The ring with one direction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import ClassVar

from theory.chain import Move, OrbitChain, Place, Row, j, orbit, row, sparse
from theory.domain import Domain, Parameter, Point, expression
from theory.family import Cyclic, K, Problem
from theory.meta_graph import MetaGraph
from theory.meta_graphs.ring import Ring

ONE = expression(1)


class DirectedRing(MetaGraph):
    """The clusters lie on a circle; every step goes to the next one.

    Nothing is random, and nothing is reversible.  Its symmetrised walk (W + W^T)/2 is the ring's.
    """

    id = "directed-ring"
    title = "directed ring"
    clusters_alike = True
    domain = Domain(
        (
            Parameter("K", ("K >= 3",), "number of clusters"),
            Parameter("d", ("d >= 1", "d <= K - 1"), "steps to the target", default="K - 1"),
        )
    )
    drop = ("d",)
    cyclic: ClassVar[Cyclic] = Ring.cyclic
    symmetrised = True

    def problems(self) -> tuple[Problem, ...]:
        """From distance d to the target; j is the number of steps to it."""
        spans = ((1, 1), (2, K - 2), (K - 1, K - 1))
        back = [sparse("target", ONE), sparse("other", ONE, j - 1), sparse("other", ONE, j - 1)]
        onward = [sparse("other", ONE, j + 1), sparse("other", ONE, j + 1), sparse("target", ONE)]

        def rows(first: Move, steps: Sequence[Move]) -> tuple[Row, ...]:
            pairs = zip(spans, steps, strict=True)
            return row("target", [first]), *(row("other", [s], *span) for span, s in pairs)

        chain = OrbitChain(
            self.domain,
            {"target": orbit(1, "target"), "other": orbit(1, "other", 1, K - 1)},
            rows(sparse("other", ONE, K - 1), back),
        )
        reversal = rows(sparse("other", ONE, ONE), onward)
        return (Problem("", chain, ("other", "d"), "target", reversal),)

    def walk(self, point: Point) -> Mapping[tuple[int, int], Fraction]:
        """To the next cluster."""
        size = int(point["K"])
        return {(k, (k + 1) % size): Fraction(1) for k in range(size)}

    def place_of(self, cluster: int, point: Point) -> Place:
        """The target is cluster 0."""
        return ("target", None) if cluster == 0 else ("other", int(point["K"]) - cluster)

    def ends(self, point: Point) -> tuple[int, int]:
        """From the cluster d steps before the target."""
        return int(point["K"] - point["d"]), 0
