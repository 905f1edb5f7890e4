"""Meta-graphs given by their edges."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any, ClassVar

from theory.chain import OrbitChain, Place
from theory.domain import Domain, Point
from theory.family import FamilyError, Problem
from theory.meta_graph import MetaGraph
from theory.meta_graphs.modes import nearest, pivot_at, slow_mode
from theory.meta_graphs.quotient import Walk, quotient

Edge = tuple[int, int] | tuple[int, int, int | str]


class EdgeList(MetaGraph):
    """A walk on a graph that is given by its edges, each cluster an orbit of its own.

    A step takes an edge with probability proportional to its weight.  A subclass gives ``id``,
    ``title`` and the attributes below; its gap is bounded from the cluster that is best for it.

    Attributes
    ----------
    edges : pairs of clusters 0, 1, ..., or triples with a weight: 1 if left out, an integer or a
        text such as ``"3/2"``.  An edge from a cluster to itself is a way to stay.
    start_cluster, target_cluster : different clusters.
    """

    domain = Domain(())
    edges: ClassVar[tuple[Edge, ...]]
    start_cluster: ClassVar[int]
    target_cluster: ClassVar[int]
    _walk: ClassVar[Walk]
    _chain: ClassVar[OrbitChain]

    def __init_subclass__(cls, **arguments: Any):
        """Read the edges, once.

        Raises
        ------
        FamilyError
            An edge is no edge, stands twice or has no positive weight, start or target is no
            cluster or both are one, or the clusters are not 0, 1, ... and all joined.
        """
        super().__init_subclass__(**arguments)
        if "edges" not in vars(cls):
            return
        weights = _weights(cls)
        total: dict[int, Fraction] = {}
        for (k, _), weight in weights.items():
            total[k] = total.get(k, Fraction(0)) + weight
        cls._walk = {(k, l): w / total[k] for (k, l), w in weights.items() if k != l}
        cls._chain = quotient(cls._walk, cls._name)
        masses: dict[Place, Fraction] = {(cls._name(k), None): w for k, w in total.items()}
        if "pivot" not in vars(cls):
            cls.pivot = pivot_at(cls._chain, nearest(cls._chain, masses))
        if "slow_mode" not in vars(cls):
            cls.slow_mode = slow_mode(cls._chain, masses, "target")

    @classmethod
    def _name(cls, cluster: int) -> str:
        return "target" if cluster == cls.target_cluster else f"cluster{cluster}"

    def problems(self) -> tuple[Problem, ...]:
        """From the start to the target."""
        start = self._name(self.start_cluster), None
        return (Problem("", self._chain, start, "target"),)

    def walk(self, point: Point) -> Mapping[tuple[int, int], Fraction]:
        """By the weights."""
        return self._walk

    def place_of(self, cluster: int, point: Point) -> Place:
        """Each cluster is an orbit."""
        return self._name(cluster), None

    def ends(self, point: Point) -> tuple[int, int]:
        """As given."""
        return self.start_cluster, self.target_cluster


def _weights(cls: type[EdgeList]) -> dict[tuple[int, int], Fraction]:
    """The weight of each ordered pair."""

    def need(condition: object, wrong: str) -> None:
        if not condition:
            raise FamilyError(f"{cls.__name__}: {wrong}")

    weights: dict[tuple[int, int], Fraction] = {}
    for edge in cls.edges:
        need(len(edge) in (2, 3), f"{edge} is no edge: write (k, l) or (k, l, weight)")
        k, l, *given = edge
        need(
            all(type(x) is int and x >= 0 for x in (k, l)), f"{edge}: number the clusters 0, 1, .."
        )
        need((k, l) not in weights, f"the edge {(k, l)} stands twice: leave one out")
        try:
            weight = Fraction(*(str(x) for x in given)) if given else Fraction(1)
        except (ValueError, ZeroDivisionError):
            weight = Fraction(0)
        need(weight > 0, f"{edge}: give a positive weight, such as 2 or '3/2'")
        weights[k, l] = weights[l, k] = weight
    clusters = sorted({k for k, _ in weights})
    need(clusters == list(range(len(clusters))), "number the clusters 0, 1, .. without a gap")
    reached, todo = {0}, [0]
    while todo:
        here = todo.pop()
        new = {l for k, l in weights if k == here} - reached
        reached |= new
        todo += new
    need(len(clusters) >= 2 and len(reached) == len(clusters), "join all clusters")
    ends = cls.start_cluster, cls.target_cluster
    need(set(ends) <= reached and len(set(ends)) == 2, "start and target are to be two clusters")
    return weights
