"""The barbell."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import ClassVar

import sympy

from theory.chain import Move, OrbitChain, Place, orbit, row, sparse
from theory.domain import Domain, Parameter, Point, expression
from theory.family import Pivot, Problem
from theory.meta_graph import MetaGraph
from theory.meta_graphs.corridor import by_number, corridor

m, s = sympy.symbols("m s")
HALF, ONE = expression("1/2"), expression(1)


class Barbell(MetaGraph):
    """Two complete graphs, joined by a path from a cluster of the one to a cluster of the other.

    The path has 2s edges, so that there is a middle cluster.  To cross it takes order s m^2 steps:
    order K^3 where each part has order K clusters, and no graph of K is slower in order (Aldous and
    Fill, chapter 6).
    """

    id = "barbell"
    title = "barbell"
    ends_alike = True
    domain = Domain(
        (
            Parameter("m", ("m >= 3",), "clusters of each complete part"),
            Parameter("s", ("s >= 1",), "steps from a complete part to the middle"),
        )
    )
    pivot = Pivot("middle")
    slow_mode: ClassVar = {  # steps from the middle
        "inside": "-s",
        "joint": "-s",
        "near": "j - s",
        "middle": "0",
        "far": "j - s",
        "far_joint": "s",
        "far_inside": "s",
        "target": "s",
    }

    def problems(self) -> tuple[Problem, ...]:
        """From one complete part to the other; j counts steps from the first joint."""
        chains = by_number(self.domain, "s >= 1", "s", [ONE, 2 * ONE], self._chain)
        return (Problem("", chains, ("inside", None), "target"),)

    def _chain(self, domain: Domain, between: int) -> OrbitChain:
        """With 0, 1, or more clusters between the middle and either joint."""
        orbits = {
            "inside": orbit(m - 1, "inside"),
            "joint": orbit(1, "joint"),
            "middle": orbit(1, "middle"),
            "far_joint": orbit(1, "far_joint"),
            "far_inside": orbit(m - 2, "far_inside"),
            "target": orbit(1, "target"),
        }
        to_joint, among = 1 / (m - 1), (m - 2) / (m - 1)
        halves = {
            "near": (("joint", "middle"), (ONE, s - 1)),
            "far": (("middle", "far_joint"), (s + 1, 2 * s - 1)),
        }

        def towards(side: str, start: str, share: sympy.Expr) -> Move:
            """From one end of a half of the path into it, or across it if it is one edge."""
            ends, span = halves[side]
            here = ends.index(start)
            return sparse(side, share, span[here]) if between else sparse(ends[1 - here], share)

        rows = [
            row("inside", [sparse("joint", to_joint), sparse("inside", among)]),
            row("joint", [sparse("inside", (m - 1) / m), towards("near", "joint", 1 / m)]),
            row("middle", [towards("near", "middle", HALF), towards("far", "middle", HALF)]),
            row(
                "far_joint",
                [
                    towards("far", "far_joint", 1 / m),
                    sparse("target", 1 / m),
                    sparse("far_inside", (m - 2) / m),
                ],
            ),
            row(
                "far_inside",
                [
                    sparse("far_joint", to_joint),
                    sparse("target", to_joint),
                    sparse("far_inside", (m - 3) / (m - 1)),
                ],
            ),
            row("target", [sparse("far_joint", to_joint), sparse("far_inside", among)]),
        ]
        if between:
            for side, (ends, span) in halves.items():
                orbits[side] = orbit(1, side, *span)
                rows += corridor(side, [sparse(end, HALF) for end in ends], *span, between > 1)
        return OrbitChain(domain, orbits, tuple(rows))

    def walk(self, point: Point) -> Mapping[tuple[int, int], Fraction]:
        """One complete part, the path, the other complete part, one after the other."""
        size, far = int(point["m"]), int(point["m"] + 2 * point["s"]) - 1
        parts = range(size), range(far, far + size)
        pairs = [(k, l) for part in parts for k in part for l in part if l < k]
        pairs += [(k, k - 1) for k in range(size, far + 1)]
        edges = [*pairs, *((l, k) for k, l in pairs)]
        degree = {k: sum(x == k for x, _ in edges) for k in range(far + size)}
        return {(k, l): Fraction(1, degree[k]) for k, l in edges}

    def place_of(self, cluster: int, point: Point) -> Place:
        """The target follows the joint of the second complete part."""
        half = int(point["s"])
        steps = cluster - int(point["m"]) + 1
        if steps < 0:
            return "inside", None
        if steps > 2 * half:
            return "target" if steps == 2 * half + 1 else "far_inside", None
        name = {0: "joint", half: "middle", 2 * half: "far_joint"}.get(steps)
        return (name, None) if name else ("near" if steps < half else "far", steps)

    def ends(self, point: Point) -> tuple[int, int]:
        """From cluster 0 to the one after the second joint."""
        return 0, int(point["m"] + 2 * point["s"])
