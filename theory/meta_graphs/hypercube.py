"""The hypercube."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from functools import cache
from math import comb
from typing import Any

import sympy

from theory.chain import OrbitChain, Place, orbit, row, sparse
from theory.domain import Domain, Point
from theory.family import Problem
from theory.meta_graphs.modes import pivot_at
from theory.meta_graphs.numbered import Numbered


class Hypercube(Numbered):
    """Clusters are words of bits; a step turns one bit over, all alike.

    From the antipode to the target, seen by the number of bits in which a cluster differs from it:
    the last steps are dear, for almost everything lies halfway.  The time is a sum of binomial
    quotients, not rational in the dimension.
    """

    stem = "hypercube"
    ends_alike = True
    clusters_alike = True
    phrase = "hypercube of dimension {}"
    sizes = (1, 10)
    built = (3,)

    @classmethod
    def attributes(cls, number: int) -> Mapping[str, Any]:
        """The slowest mode is the number of differing bits, centred."""
        chain = _levels(number)
        slow = {_name(k): str(number - 2 * k) for k in range(number + 1)}
        return {"domain": Domain(()), "pivot": pivot_at(chain, "target"), "slow_mode": slow}

    def problems(self) -> tuple[Problem, ...]:
        """From the antipode."""
        return (Problem("", _levels(self.number), (_name(self.number), None), "target"),)

    def walk(self, point: Point) -> Mapping[tuple[int, int], Fraction]:
        """The bits of a cluster's number are its word."""
        bits = [1 << n for n in range(self.number)]
        return {(k, k ^ bit): Fraction(1, len(bits)) for k in range(2**self.number) for bit in bits}

    def place_of(self, cluster: int, point: Point) -> Place:
        """The target is cluster 0."""
        return _name(cluster.bit_count()), None

    def ends(self, point: Point) -> tuple[int, int]:
        """From the word of ones to the word of zeros."""
        return 2**self.number - 1, 0


def _name(level: int) -> str:
    return f"level{level}" if level else "target"


@cache
def _levels(top: int) -> OrbitChain:
    """By the number of bits in which a cluster differs from the target."""
    rows = []
    for k in range(top + 1):
        steps = {k - 1: sympy.Rational(k, top), k + 1: sympy.Rational(top - k, top)}
        rows.append(row(_name(k), [sparse(_name(l), p) for l, p in steps.items() if p]))
    orbits = {_name(k): orbit(comb(top, k), _name(k)) for k in range(top + 1)}
    return OrbitChain(Domain(()), orbits, tuple(rows))
