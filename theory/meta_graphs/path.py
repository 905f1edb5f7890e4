"""The path."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import ClassVar

import sympy

from theory.chain import Chains, Move, OrbitChain, Place, State, j, orbit, row, sparse
from theory.domain import Domain, Parameter, Point, expression
from theory.family import K, Pivot, Problem, d
from theory.meta_graph import MetaGraph
from theory.meta_graphs.corridor import by_number, corridor

HALF, ONE = expression("1/2"), expression(1)


class Path(MetaGraph):
    """The clusters lie in a row; a step goes to either neighbour alike, at an end to the only one.

    The target lies at an end.  From the other end the way costs the square of its length; a start
    nearer by costs more than the square of its distance, for the walk may go astray first.
    """

    id = "path"
    title = "path"
    domain = Domain(
        (
            Parameter("K", ("K >= 3",), "number of clusters"),
            Parameter("d", ("d >= 1", "d <= K - 1"), "steps to the target", default="K - 1"),
        )
    )
    drop = ("d",)
    # From the middle, with the function (d^2 - j^2)(5 d^2 + 1 - j^2), near a cosine: it falls by
    # 6 (d^2 - j^2).  Behind the middle it is that of the way there, mirrored.
    pivot = Pivot(
        "target",
        facts=("2*d >= K - 1", "2*d <= K"),
        bound="24/(5*K**2 + 4)",
        function={
            "target": "0",
            "start": "d**2*(5*d**2 + 1)",
            "between": "60",
            "left": "(d**2 - j**2)*(5*d**2 + 1 - j**2)",
            "right": "(d**2 - (2*d - j)**2)*(5*d**2 + 1 - (2*d - j)**2)",
            "beyond": "(2*d - 1)*(4*d**2 + 2*d)",
            "end": "(d**2 - (2*d - K + 1)**2)*(5*d**2 + 1 - (2*d - K + 1)**2)",
        },
    )
    slow_mode: ClassVar = {  # the number of the cluster
        "start": "0",
        "between": "1",
        "left": "j",
        "target": "d",
        "beyond": "d + 1",
        "right": "j",
        "end": "K - 1",
    }

    def problems(self) -> tuple[Problem, ...]:
        """From distance d to the end; j is the distance."""
        back, onward = (sparse("other", HALF, i) for i in (j - 1, j + 1))
        chain = OrbitChain(
            self.domain,
            {"target": orbit(1, "target"), "other": orbit(1, "other", 1, K - 1)},
            (
                row("target", [sparse("other", ONE, ONE)]),
                row("other", [sparse("target", HALF), onward], 1, 1),
                row("other", [back, onward], 2, K - 2),
                row("other", [sparse("other", ONE, j - 1)], K - 1, K - 1),
            ),
        )
        return (Problem("", chain, ("other", "d"), "target"),)

    def gap_problem(self) -> Problem:
        """From cluster 0 to cluster d, which serves as the middle; j is the number of the cluster.

        The rows differ with the number of clusters between start and target, and between target
        and end, if that is another one: none, one, or more.  One alone is an orbit without index.
        """

        def by_end(domain: Domain, before: int) -> Chains:
            at = d if before > 1 else expression(before + 1)
            further = [at + 1, at + 2, at + 3]
            return by_number(
                domain, "d <= K - 1", "K", further, lambda part, n: self._chain(part, before, n - 1)
            )

        chains = by_number(self.domain, "d >= 1", "d", [ONE, 2 * ONE], by_end)
        return Problem("middle", chains, ("start", None), "target")

    def _chain(self, domain: Domain, before: int, after: int) -> OrbitChain:
        """With 0, 1, or more clusters before the target and after it; -1 if it is the end."""
        stretches = {
            "left": (("start", "target"), "between", (ONE, d - 1), before),
            "right": (("target", "end"), "beyond", (d + 1, K - 2), after),
        }

        def towards(side: str, start: str, share: sympy.Expr) -> Move:
            """From one end of a stretch into it, or across it if it is one edge."""
            ends, alone, span, number = stretches[side]
            here = ends.index(start)
            if number > 1:
                return sparse(side, share, span[here])
            return sparse(alone if number else ends[1 - here], share)

        orbits = {"start": orbit(1, "start"), "target": orbit(1, "target")}
        rows = [row("start", [towards("left", "start", ONE)])]
        to_target = [towards("left", "target", HALF if after >= 0 else ONE)]
        if after >= 0:
            orbits["end"] = orbit(1, "end")
            rows.append(row("end", [towards("right", "end", ONE)]))
            to_target.append(towards("right", "target", HALF))
        rows.append(row("target", to_target))
        for side, (ends, alone, span, number) in stretches.items():
            between = [sparse(end, HALF) for end in ends]
            if number == 1:
                orbits[alone] = orbit(1, alone)
                rows.append(row(alone, between))
            if number == 2:
                orbits[side] = orbit(1, side, *span)
                rows += corridor(side, between, *span)
        return OrbitChain(domain, orbits, tuple(rows))

    def walk(self, point: Point) -> Mapping[tuple[int, int], Fraction]:
        """To either neighbour."""
        last = int(point["K"]) - 1
        steps = ((k, k + s) for k in range(last + 1) for s in (-1, 1) if 0 <= k + s <= last)
        return {(k, l): Fraction(1, 1 if k in (0, last) else 2) for k, l in steps}

    def place_of(self, cluster: int, point: Point) -> Place:
        """The target is cluster 0."""
        return ("target", None) if cluster == 0 else ("other", cluster)

    def place(self, problem: str, state: State, point: Point) -> Place:
        """Seen from the middle, cluster d is the target."""
        if problem == "":
            return self.place_of(state[0], point)
        cluster, at, last = state[0], int(point["d"]), int(point["K"]) - 1
        name = {last: "end", 0: "start", at: "target"}.get(cluster)
        if name:
            return name, None
        if cluster < at:
            return ("between", None) if at == 2 else ("left", cluster)
        return ("beyond", None) if at == last - 2 else ("right", cluster)

    def ends(self, point: Point) -> tuple[int, int]:
        """From cluster d to cluster 0."""
        return int(point["d"]), 0
