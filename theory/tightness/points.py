"""Data for every general theorem on a family at a point."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any, NamedTuple

from theory.bounds import canonical_paths
from theory.bounds.base import Bound, FiniteChain, Number, equilibrium_potential
from theory.bounds.common import aggregated, place
from theory.bounds.thomson import equilibrium_flow
from theory.domain import Point
from theory.family import Family


class Setting(NamedTuple):
    """A chain of a family at a point, and data for every theorem, by name."""

    chain: FiniteChain
    data: Mapping[str, Any]


DATA = {
    "clusters": "the clusters",
    "S": "the target's cluster",
    "C": "the target's cluster",
    "sets": "the pairs of neighbouring clusters",
    "A": "the start",
    "B": "the target",
    "start": "the start",
    "target": "the target",
    "state": "the target",
    "f": "the potential of the aggregated chain between the clusters of start and target, constant "
    "on each cluster",
    "flow": "the flow of that potential, led inside the clusters along shortest paths",
    "other": "the chain at nine tenths of epsilon",
    "t": "20",
    "n": "20",
    "delta": "1/4",
}
"""What each theorem is given, by the name of the data."""

SETS = {
    "quasi-stationary-exit-time": "all but the target's cluster",
    "mean-hitting-time-from-stationarity": "the target's cluster",
    "survival-probability-continuous": "the target's cluster",
    "survival-probability-steps": "the target's cluster",
}
"""What A is, by quantity, where it is not the start."""

SLOWER = Fraction(9, 10)


def setting(family: Family, point: Point) -> Setting:
    """The exact chain of a family at a point of its domain, with the data in ``DATA``.

    Raises
    ------
    DomainError
        The point is outside the family's domain.
    """
    point = family.domain.complete(point)
    explicit = family.explicit(point)
    chain = FiniteChain.of_explicit(explicit)
    ends = (family.start("", point), family.target("", point))
    start, target = map(explicit.states.index, ends)
    where = explicit.clusters
    clusters = [[x for x in chain.states if where[x] == k] for k in sorted(set(where))]
    at = place(clusters)
    joined = aggregated(chain, clusters)
    level = equilibrium_potential(joined, {at[start]}, {at[target]})
    near = {tuple(sorted((k, l))) for k in joined.states for l in joined.rows[k]}
    slower = family.explicit({**point, "epsilon": point["epsilon"] * SLOWER})
    home = set(clusters[at[target]])
    return Setting(
        chain,
        {
            "clusters": clusters,
            "S": home,
            "C": home,
            "sets": [clusters[k] + clusters[l] for k, l in sorted(near)],
            "A": {start},
            "B": {target},
            "start": start,
            "target": {target},
            "state": target,
            "f": [level[at[x]] for x in chain.states],
            "flow": carried_flow(chain, clusters, start, target),
            "other": FiniteChain.of_explicit(slower),
            "t": 20,
            "n": 20,
            "delta": Fraction(1, 4),
        },
    )


def given(bound: Bound, data: Mapping[str, Any]) -> dict[str, Any]:
    """What a theorem is given, out of the data of a setting; A is a cluster where `SETS` says so.

    Raises
    ------
    KeyError
        The theorem asks for something that no setting has.
    """
    mine = {name: data[name] for name in bound.data}
    if bound.quantity in SETS:
        inside = data["S"]
        everything = {x for cluster in data["clusters"] for x in cluster}
        mine["A"] = everything - inside if SETS[bound.quantity].startswith("all") else inside
    return mine


def about(bound: Bound) -> str:
    """What a theorem is given, in words."""
    words = [
        f"{name}: {SETS.get(bound.quantity, DATA[name]) if name == 'A' else DATA[name]}"
        for name in bound.data
    ]
    return "; ".join(words)


def carried_flow(
    chain: FiniteChain, clusters: Sequence[Sequence[int]], start: int, target: int
) -> dict[tuple[int, int], Number]:
    """A unit flow from start to target: between clusters that of the aggregated potential.

    Between two clusters it is spread in proportion to the flow of the chain, taken both ways;
    inside a cluster what comes in is led to where it leaves along shortest paths.

    Parameters
    ----------
    chain : irreducible.
    start, target : states of two clusters.
    """
    at = place(clusters)
    both = chain.additive_reversibilization()
    between = equilibrium_flow(aggregated(both, clusters), {at[start]}, {at[target]})
    edges = {(x, y): q for x, y, q in both.flows() if at[x] < at[y]}
    total: dict[tuple[int, int], Number] = {}
    for (x, y), q in edges.items():
        pair = at[x], at[y]
        total[pair] = total.get(pair, 0) + q
    flow: dict[tuple[int, int], Number] = {}
    rest = [Fraction(int(x == start) - int(x == target)) for x in chain.states]
    for (x, y), q in edges.items():
        amount = Fraction(between[at[x], at[y]] * q / total[at[x], at[y]])
        flow[x, y] = amount
        rest[x] -= amount
        rest[y] += amount
    paths = canonical_paths.shortest_paths(chain)
    for cluster in clusters:
        sources = [x for x in cluster if rest[x] > 0]
        for y in (y for y in cluster if rest[y] < 0):
            while rest[y] < 0:
                x = sources[-1]
                amount = min(rest[x], -rest[y])
                rest[x] -= amount
                rest[y] += amount
                for step in zip(paths[x, y], paths[x, y][1:], strict=False):
                    flow[step] = flow.get(step, 0) + amount
                if rest[x] == 0:
                    sources.pop()
    return flow
