"""The chains of the task, and what each access tells of their candidates."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

from theory.groups import orbit
from theory.results.limits.dimension import dimension, gram_by_enumeration
from theory.results.limits.isomorphism import Graph, isomorphism, neighbourhood
from theory.results.limits.problem import Problem

Vertex = tuple[int, int]


@dataclass(frozen=True)
class Instance:
    """A chain with a path whose candidate edges are truly sparse, or decoys.

    Clusters are lazy cycles: from a state one step either way, with probability 1/4 each.  In each
    cluster that it enters the path walks a stretch of w steps and leaves by candidate i, from
    position e_i, to position e_i + D_i, where the next stretch starts: of the next cluster if i is
    truly sparse, of the same one if it is a decoy.  So the ends of decoy i are D_i apart on the
    cycle.  Every candidate has probability epsilon, either way.

    Attributes
    ----------
    true : for each candidate, whether it is truly sparse.
    gaps : D_i >= 1 of each candidate.
    walk : w >= 0.
    epsilon : 0 < epsilon <= 1/4.
    aside : further sparse edges out of the first cluster, off the path.
    compact : whether positions start anew in each cluster. Clusters are then as small as this one
        instance allows, and not of one size for all; what is within r of a path is the same as
        long as 2r + 2 is at most the largest gap, so that nothing is seen round the cycle.

    Raises
    ------
    ValueError
        A number is out of its range.
    """

    true: tuple[bool, ...]
    gaps: tuple[int, ...]
    walk: int = 1
    epsilon: Fraction = Fraction(1, 1000)
    aside: int = 0
    compact: bool = False

    def __post_init__(self) -> None:
        if len(self.true) != len(self.gaps) or not self.gaps or min(self.gaps) < 1:
            raise ValueError("give every candidate a gap of at least 1")
        if self.walk < 0 or self.aside < 0 or not 0 < self.epsilon <= Fraction(1, 4):
            raise ValueError("need walk >= 0, aside >= 0 and 0 < epsilon <= 1/4")

    @cached_property
    def starts(self) -> tuple[int, ...]:
        """Where the L + 1 stretches start on the cycle."""
        found = [0]
        for leaves, gap in zip(self.true, self.gaps, strict=True):
            anew = self.compact and leaves
            found.append(gap if anew else found[-1] + self.walk + gap)
        return tuple(found)

    @property
    def end(self) -> int:
        """The last position of a stretch, on any cluster."""
        return max(self.starts) + self.walk

    @property
    def states(self) -> int:
        """M, the number of states in a cluster."""
        return self.end + max(2, max(self.gaps)) * (self.aside + 1)

    @property
    def diameter(self) -> int:
        """Of a cluster."""
        return self.states // 2

    @property
    def clusters(self) -> int:
        """K: those on the path, and one for each edge off it."""
        return 1 + sum(self.true) + self.aside

    @cached_property
    def candidates(self) -> tuple[tuple[Vertex, Vertex], ...]:
        """The two ends of each candidate."""
        levels = list(itertools.accumulate(self.true, initial=0))
        return tuple(
            ((levels[i], self.starts[i] + self.walk), (levels[i + 1], self.starts[i + 1]))
            for i in range(len(self.true))
        )

    @cached_property
    def path(self) -> tuple[Vertex, ...]:
        """The vertices of the path, in order."""
        levels = itertools.accumulate(self.true, initial=0)
        stretches = zip(levels, self.starts, strict=True)
        return tuple((c, s + j) for c, s in stretches for j in range(self.walk + 1))

    @cached_property
    def weak(self) -> Mapping[Vertex, tuple[Vertex, ...]]:
        """vertex -> the other ends of its edges of probability epsilon."""
        step = max(2, max(self.gaps))
        first = self.clusters - self.aside
        off = [((0, self.end + (j + 1) * step), (first + j, 0)) for j in range(self.aside)]
        found: dict[Vertex, tuple[Vertex, ...]] = {}
        for u, v in (*self.candidates, *off):
            found[u] = (*found.get(u, ()), v)
            found[v] = (*found.get(v, ()), u)
        return found

    def __getitem__(self, vertex: Vertex) -> dict[Vertex, Fraction]:
        """The steps from a vertex to others."""
        cluster, at = vertex
        steps = {(cluster, (at + move) % self.states): Fraction(1, 4) for move in (1, -1)}
        for other in self.weak.get(vertex, ()):
            steps[other] = steps.get(other, Fraction(0)) + self.epsilon
        return steps

    def cluster_graph(self) -> dict[Vertex, dict[Vertex, Fraction]]:
        """All vertices with their steps."""
        return {(c, p): self[c, p] for c in range(self.clusters) for p in range(self.states)}


def seen_from_path(instance: Instance, radius: int) -> dict[Vertex, dict[Vertex, Fraction]]:
    """What a learner with a neighbourhood of the path is shown; it is also told the path."""
    return neighbourhood(instance, instance.path, radius)


def alike(first: Instance, second: Instance, radius: int) -> dict[Vertex, Vertex] | None:
    """An isomorphism of what is seen from two paths, from path to path, or None."""
    roots = list(zip(first.path, second.path, strict=True))
    return isomorphism(seen_from_path(first, radius), seen_from_path(second, radius), roots)


def told_by_neighbourhood(instance: Instance, radius: int) -> tuple[bool | None, ...]:
    """For each candidate what its neighbourhood tells: truly sparse, a decoy, or None.

    It is compared with those of the same path on which only this candidate is truly sparse, or a
    decoy; the gaps are known to the learner, the rest is not.
    """
    told = list[bool | None]()
    for i, gap in enumerate(instance.gaps):
        both = [
            Instance((kind,), (gap,), instance.walk, instance.epsilon) for kind in (True, False)
        ]
        views = [seen_from_path(one, radius) for one in both]
        roots = list(zip(both[0].path, both[1].path, strict=True))
        if isomorphism(views[0], views[1], roots) is not None:
            told.append(None)
            continue
        u, v = instance.candidates[i]
        bare = _without_candidates(instance, radius)
        told.append(v not in orbit([u], bare.__getitem__))
    return tuple(told)


def _without_candidates(instance: Instance, radius: int) -> Graph:
    """What is seen, without the edges of probability epsilon."""
    view = seen_from_path(instance, radius)
    cut = Fraction(1, 4)
    return {x: {y: p for y, p in steps.items() if p >= cut} for x, steps in view.items()}


def ambiguous(gaps: Sequence[int], radius: int) -> tuple[int, ...]:
    """The candidates whose neighbourhoods tell nothing: those with D_i >= 2r + 2."""
    return tuple(i for i, gap in enumerate(gaps) if gap >= 2 * radius + 2)


LEVELS = ("none", "path", "neighbourhood", "graph")


def dimension_with_access(level: str, gaps: Sequence[int], radius: int = 0, aside: int = 0) -> int:
    """The statistical dimension with access to side information, for uniform actions.

    Parameters
    ----------
    level : ``none``: the path crosses some L of the L + aside candidates of the graph, so that any
        set of at most L of them is possible; ``path``: any set of the L on the path;
        ``neighbourhood``: what lies within ``radius`` of it is seen too; ``graph``: all of it.
    """
    L = len(gaps)
    if level == "none":
        return sum(math.comb(L + aside, k) for k in range(L + 1))
    if level == "path":
        return int(2**L)
    if level == "neighbourhood":
        return int(2 ** len(ambiguous(gaps, radius)))
    if level == "graph":
        return 1
    raise ValueError(f"unknown access {level!r}: give one of {', '.join(LEVELS)}")


def dimension_by_views(problem: Problem, gaps: Sequence[int], radius: int) -> Fraction:
    """The same for a neighbourhood, by isomorphisms of all pairs and by enumeration."""
    L = len(gaps)
    gram = gram_by_enumeration(problem, L)
    classes: list[list[int]] = []
    instances = [
        Instance(tuple(bool(s >> i & 1) for i in range(L)), tuple(gaps)) for s in range(2**L)
    ]
    for s, one in enumerate(instances):
        for group in classes:
            if alike(instances[group[0]], one, radius) is not None:
                group.append(s)
                break
        else:
            classes.append([s])
    return min(dimension([[gram[s][t] for t in group] for s in group]) for group in classes)
