"""The chain on orbits of a walk that is given cluster by cluster in numbers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction

import sympy

from theory.chain import OrbitChain, orbit, row, sparse
from theory.domain import Domain

Walk = Mapping[tuple[int, int], Fraction]


def quotient(walk: Walk, label: Callable[[int], str]) -> OrbitChain:
    """Rows and sizes of the orbits that a label tells apart.

    The rows are those of one cluster of each orbit; that the others have the same is for
    :func:`theory.chain.lumping_error` to say.
    """
    members: dict[str, list[int]] = {}
    for cluster in sorted({k for pair in walk for k in pair}):
        members.setdefault(label(cluster), []).append(cluster)
    rows = []
    for name, (first, *_) in members.items():
        moves: dict[str, Fraction] = {}
        for (k, l), p in walk.items():
            if k == first:
                moves[label(l)] = moves.get(label(l), Fraction(0)) + p
        stay = 1 - sum(moves.values())
        if stay:
            moves[name] = moves.get(name, Fraction(0)) + stay
        rows.append(
            row(
                name,
                [sparse(to, sympy.Rational(p.numerator, p.denominator)) for to, p in moves.items()],
            )
        )
    orbits = {name: orbit(len(clusters), name) for name, clusters in members.items()}
    return OrbitChain(Domain(()), orbits, tuple(rows))
