"""The tree."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

import sympy

from theory.chain import OrbitChain, Place, orbit, row, sparse
from theory.domain import Domain, Parameter, Point, expression
from theory.family import Pivot, Problem
from theory.meta_graphs.numbered import Numbered

b = sympy.Symbol("b")
ONE = expression(1)


class Tree(Numbered):
    """A root with b branches, each cluster of a branch with b more, down to the leaves.

    Away from the leaves b steps of b + 1 lead away from the root, so that the way from a leaf to it
    costs about b^depth.  The slowest mode compares one branch of the root with another.
    """

    stem = "tree"
    phrase = "tree of depth {}"
    sizes = (1, 12)
    built = (2, 3)

    @classmethod
    def attributes(cls, number: int) -> Mapping[str, Any]:
        """The mode is 1 on the start's branch and the opposite, spread, on the others."""
        levels = range(1, number + 1)
        slow = {"target": "0"}
        slow |= {f"own{k}": "b - 1" for k in levels} | {f"other{k}": "-1" for k in levels}
        branches = Parameter("b", ("b >= 2",), "branches of a cluster")
        return {"domain": Domain((branches,)), "pivot": Pivot("target"), "slow_mode": slow}

    def problems(self) -> tuple[Problem, ...]:
        """From a leaf to the root, by level, the start's branch of the root apart."""
        top = self.number
        orbits = {"target": orbit(1, "target")}
        first = [sparse("own1", 1 / b), sparse("other1", (b - 1) / b)]
        rows = [row("target", first)]
        for side, size in (("own", ONE), ("other", b - 1)):
            for k in range(1, top + 1):
                name, above = f"{side}{k}", f"{side}{k - 1}" if k > 1 else "target"
                orbits[name] = orbit(size * b ** (k - 1), name)
                below = [sparse(f"{side}{k + 1}", b / (b + 1))] if k < top else []
                rows.append(row(name, [sparse(above, 1 / (b + 1) if below else ONE), *below]))
        chain = OrbitChain(self.domain, orbits, tuple(rows))
        return (Problem("", chain, (f"own{top}", None), "target"),)

    def walk(self, point: Point) -> Mapping[tuple[int, int], Fraction]:
        """The root is cluster 0, and cluster k is followed by clusters b k + 1 .. b k + b."""
        arity = int(point["b"])
        size = sum(arity**k for k in range(self.number + 1))
        up = [(k, (k - 1) // arity) for k in range(1, size)]
        edges = [*up, *((l, k) for k, l in up)]
        degree = dict.fromkeys(range(size), 0)
        for k, _ in edges:
            degree[k] += 1
        return {(k, l): Fraction(1, degree[k]) for k, l in edges}

    def place_of(self, cluster: int, point: Point) -> Place:
        """By level, and whether cluster 1, the root of the start's branch, is an ancestor."""
        arity, level = int(point["b"]), 0
        branch = cluster
        while cluster:
            branch, cluster, level = cluster, (cluster - 1) // arity, level + 1
        if not level:
            return "target", None
        return f"{'own' if branch == 1 else 'other'}{level}", None

    def ends(self, point: Point) -> tuple[int, int]:
        """From the first leaf to the root."""
        return sum(int(point["b"]) ** k for k in range(self.number)), 0
