"""The lollipop."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import ClassVar

import sympy

from theory.chain import OrbitChain, Place, orbit, row, sparse
from theory.domain import Domain, Parameter, Point, expression
from theory.family import Pivot, Problem
from theory.meta_graph import MetaGraph
from theory.meta_graphs.corridor import by_number, corridor

m, s = sympy.symbols("m s")
HALF, ONE = expression("1/2"), expression(1)


class Lollipop(MetaGraph):
    """A complete graph with a path attached to one of its clusters, the joint.

    At the joint the path is one way out of m, and on the path the complete part, with its order
    m^2 edges, draws the walk back: the end is reached after order s m^2 steps.
    """

    id = "lollipop"
    title = "lollipop"
    domain = Domain(
        (
            # a longer path than this leaves the slowest mode on the path, where the gap is proved
            Parameter("m", ("m >= 2", "m <= 4*s"), "clusters of the complete part"),
            Parameter("s", ("s >= 1",), "clusters of the path"),
        )
    )
    pivot = Pivot("joint", bound="1/(s**2 + m - 2)")
    slow_mode: ClassVar = {"inside": "0", "joint": "0", "path": "j", "target": "s"}

    def problems(self) -> tuple[Problem, ...]:
        """From the complete part to the end of the path; j counts steps from the joint."""
        chains = by_number(self.domain, "s >= 1", "s", [ONE, 2 * ONE], self._chain)
        return (Problem("", chains, ("inside", None), "target"),)

    def _chain(self, domain: Domain, between: int) -> OrbitChain:
        """With 0, 1, or more clusters between joint and end."""
        first = sparse("path", 1 / m, ONE) if between else sparse("target", 1 / m)
        last = sparse("path", ONE, s - 1) if between else sparse("joint", ONE)
        orbits = {
            "inside": orbit(m - 1, "inside"),
            "joint": orbit(1, "joint"),
            "target": orbit(1, "target"),
        }
        rows = [
            row("inside", [sparse("joint", 1 / (m - 1)), sparse("inside", (m - 2) / (m - 1))]),
            row("joint", [sparse("inside", (m - 1) / m), first]),
            row("target", [last]),
        ]
        if between:
            orbits["path"] = orbit(1, "path", 1, s - 1)
            ends = sparse("joint", HALF), sparse("target", HALF)
            rows += corridor("path", ends, ONE, s - 1, between > 1)
        return OrbitChain(domain, orbits, tuple(rows))

    def walk(self, point: Point) -> Mapping[tuple[int, int], Fraction]:
        """Clusters 0 .. m - 1 are the complete part, m - 1 the joint, the path follows."""
        size, last = int(point["m"]), int(point["m"] + point["s"]) - 1
        pairs = [(k, l) for k in range(size) for l in range(k)]
        pairs += [(k, k - 1) for k in range(size, last + 1)]
        edges = [*pairs, *((l, k) for k, l in pairs)]
        degree = {k: sum(x == k for x, _ in edges) for k in range(last + 1)}
        return {(k, l): Fraction(1, degree[k]) for k, l in edges}

    def place_of(self, cluster: int, point: Point) -> Place:
        """The target is the last cluster of the path."""
        steps = cluster - int(point["m"]) + 1
        if steps < 0:
            return "inside", None
        name = {0: "joint", int(point["s"]): "target"}.get(steps)
        return (name, None) if name else ("path", steps)

    def ends(self, point: Point) -> tuple[int, int]:
        """From cluster 0 to the last one."""
        return 0, int(point["m"] + point["s"]) - 1
