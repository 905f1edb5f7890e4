"""What an algorithm is given, what is hidden from it, and what it reports."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from numerics.chain import Chain, ChainError
from numerics.rows import concrete
from theory.domain import Point
from theory.family import Family

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Progress = Callable[[int, int], None]
"""Called with how much is done, and of how much."""


@dataclass(frozen=True, eq=False)
class Task:
    """A reasoning problem: get from a start to an answer with a model of one's own.

    Attributes
    ----------
    model : Chain
        The pretrained model; an algorithm may sample from it and read its probabilities. It has no
        labels: clusters and sparse edges are not part of it.
    start : int
        0-based start state.
    targets : tuple of int
        0-based answers, at least one.
    """

    model: Chain
    start: int
    targets: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Truth:
    """What no algorithm sees, and its results are compared with.

    Attributes
    ----------
    clusters : tuple of N int
        The cluster of each state.
    sparse_edges : frozenset of pairs of int
        The hard steps E_s: transitions between different clusters.
    """

    clusters: tuple[int, ...]
    sparse_edges: frozenset[tuple[int, int]]

    @staticmethod
    def of_clusters(chain: Chain, clusters: Sequence[int]) -> Truth:
        """The sparse edges that clusters leave."""
        pairs = zip(chain.source.tolist(), chain.target.tolist(), strict=True)
        sparse = frozenset((x, y) for x, y in pairs if clusters[x] != clusters[y])
        return Truth(tuple(clusters), sparse)


@dataclass(frozen=True)
class Report:
    """What a run prints, writes and draws.

    Attributes
    ----------
    told : what JSON holds: numbers, texts, lists and mappings of them.
    rows : name and value of each line of the table.
    figure : draws the figure.
    """

    told: Mapping[str, Any]
    rows: tuple[tuple[str, str], ...]
    figure: Callable[[], Figure]


def of_family(family: Family, point: Point) -> tuple[Task, Truth]:
    """The default problem of a family at a point, and what is hidden."""
    explicit = family.explicit(point)
    model = concrete(explicit)
    start, target = (
        explicit.states.index(end) for end in (family.start("", point), family.target("", point))
    )
    return Task(model, start, (target,)), Truth.of_clusters(model, explicit.clusters)


def require_fraction(name: str, value: Fraction, low: Fraction, high: Fraction) -> None:
    """ChainError unless a setting lies strictly between two numbers."""
    if not low < value < high:
        given, least, most = map(_short, (value, low, high))
        raise ChainError(f"{name} = {given} is out of range; choose it between {least} and {most}")


def _short(value: Fraction) -> str:
    """As it is, unless that is long."""
    text = str(value)
    if len(text) <= 24:
        return text
    return f"{Decimal(value.numerator) / Decimal(value.denominator):.3g}"
