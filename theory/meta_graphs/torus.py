"""The torus."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from functools import cache
from typing import Any

from theory.chain import OrbitChain, Place
from theory.domain import Domain, Point
from theory.family import Problem
from theory.meta_graphs.modes import pivot_at, slow_mode
from theory.meta_graphs.numbered import Numbered
from theory.meta_graphs.quotient import Walk, quotient


class Torus(Numbered):
    """Clusters lie on a square grid that closes in both directions; a step goes to one of four.

    From a neighbour of the target the time is one less than the time to return, which is the number
    of clusters: the four neighbours are alike.
    """

    stem = "torus"
    ends_alike = True
    clusters_alike = True
    phrase = "torus of side {}"
    sizes = (3, 12)
    built = (3,)
    no_closed_form = (
        "from a far cluster the time is a double sum over the modes of the torus, of quotients of "
        "cosines; it is no rational function of the side"
    )

    @classmethod
    def attributes(cls, number: int) -> Mapping[str, Any]:
        """Both test functions by iteration."""
        chain = _quotient(number)
        masses: dict[Place, Fraction] = {
            (name, None): Fraction(int(o.size)) for name, o in chain.orbits.items()
        }
        return {
            "domain": Domain(()),
            "pivot": pivot_at(chain, "target"),
            "slow_mode": slow_mode(chain, masses, "target"),
        }

    def problems(self) -> tuple[Problem, ...]:
        """From a neighbour of the target."""
        return (Problem("", _quotient(self.number), (_name(1, self.number), None), "target"),)

    def walk(self, point: Point) -> Mapping[tuple[int, int], Fraction]:
        """Cluster x + side y lies at (x, y)."""
        return _walk(self.number)

    def place_of(self, cluster: int, point: Point) -> Place:
        """The target is cluster 0."""
        return _name(cluster, self.number), None

    def ends(self, point: Point) -> tuple[int, int]:
        """From cluster 1 to cluster 0."""
        return 1, 0


def _walk(side: int) -> Walk:
    square = [(x, y) for x in range(side) for y in range(side)]
    steps = ((0, 1), (1, 0), (0, -1), (-1, 0))
    return {
        (x + side * y, (x + u) % side + side * ((y + v) % side)): Fraction(1, 4)
        for x, y in square
        for u, v in steps
    }


def _name(cluster: int, side: int) -> str:
    """By the distances from the target in both directions, whichever is larger first."""
    low, high = sorted(min(x, side - x) for x in (cluster % side, cluster // side))
    return f"at-{high}-{low}" if high else "target"


@cache
def _quotient(side: int) -> OrbitChain:
    return quotient(_walk(side), lambda cluster: _name(cluster, side))
