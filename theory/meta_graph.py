"""Meta-graphs: how the clusters are joined, as a walk from cluster to cluster.

A meta-graph is a family whose clusters have one state each, so its hitting and return times,
stationary law and gap are derived and proved like those of any family.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import ClassVar

from theory.chain import ExplicitChain, Place, State
from theory.domain import Point
from theory.family import Exit, Family, Range


class MetaGraph(Family):
    """A walk W on the clusters, from a start to a target.

    A subclass gives ``id``, ``title``, ``domain``, :meth:`problems` with one problem,
    :meth:`walk`, :meth:`place_of`, and :meth:`ends`; its docstring is the prose of its page.
    """

    gates = "every cluster is one state"
    exits: ClassVar[tuple[Exit, ...]] = ()
    comparison: Mapping[str, Range] = {}
    exact_gap: ClassVar[bool] = False  # its spectral gap is known exactly
    ends_alike: ClassVar[bool] = False  # a symmetry exchanges start and target
    clusters_alike: ClassVar[bool] = False  # symmetries take any cluster to any other
    no_closed_form: ClassVar[str] = ""  # why there is none for the hitting time, if so

    def walk(self, point: Point) -> Mapping[tuple[int, int], Fraction]:
        """W(k, l) for all pairs k != l with a positive probability; clusters count from 0."""
        raise NotImplementedError(f"meta-graph {self.id}: define walk()")

    def place_of(self, cluster: int, point: Point) -> Place:
        """The orbit of a cluster, and its index if it has one."""
        raise NotImplementedError(f"meta-graph {self.id}: define place_of()")

    def ends(self, point: Point) -> tuple[int, int]:
        """The clusters of start and target."""
        raise NotImplementedError(f"meta-graph {self.id}: define ends()")

    def explicit(self, point: Point) -> ExplicitChain:
        """The walk; cluster k is the state (k, 0)."""
        walk = self.walk(point)
        clusters = sorted({k for pair in walk for k in pair})
        number = {k: n for n, k in enumerate(clusters)}
        moves = {(number[k], number[l]): p for (k, l), p in walk.items()}
        return ExplicitChain(tuple((k, 0) for k in clusters), moves)

    def place(self, problem: str, state: State, point: Point) -> Place:
        """The orbit of a cluster."""
        return self.place_of(state[0], point)

    def start(self, problem: str, point: Point) -> State:
        """The cluster of the start."""
        return self.ends(point)[0], 0

    def target(self, problem: str, point: Point) -> State:
        """The cluster of the target."""
        return self.ends(point)[1], 0

    def type(self, state: State) -> str:
        """There is one type."""
        return "cluster"
