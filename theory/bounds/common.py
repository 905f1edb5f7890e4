"""What the theorems on clusters share: partitions, restrictions, the aggregated chain, gaps."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from fractions import Fraction
from math import isqrt, sqrt

from theory.bounds.base import (
    Data,
    FiniteChain,
    Hypothesis,
    HypothesisFails,
    Number,
    gap_enclosure,
    irreducible,
)

Clusters = Sequence[Collection[int]]


def _check_partition(chain: FiniteChain, data: Data) -> None:
    title = "clusters partition the states"
    clusters: Clusters = data["clusters"]
    seen: set[int] = set()
    for k, cluster in enumerate(clusters):
        odd = sorted(set(cluster) - set(chain.states), key=str)
        if not cluster or odd:
            where = f"{odd} in cluster {k} are no states" if odd else f"cluster {k} is empty"
            raise HypothesisFails(title, where, f"give states 0..{chain.size - 1}")
        if seen & set(cluster):
            where = f"cluster {k} shares {sorted(seen & set(cluster))} with an earlier one"
            raise HypothesisFails(title, where, "put every state in one cluster")
        seen |= set(cluster)
    if len(seen) < chain.size:
        where = f"{sorted(set(chain.states) - seen)} are in no cluster"
        raise HypothesisFails(title, where, "put every state in one cluster")
    if len(clusters) < 2:
        raise HypothesisFails(title, "there is one cluster", "give two at least")


partition = Hypothesis("clusters partition the states", _check_partition)


def place(clusters: Clusters) -> dict[int, int]:
    """The number of the cluster of each state."""
    return {x: k for k, cluster in enumerate(clusters) for x in cluster}


def zero(chain: FiniteChain) -> Number:
    """0 in the chain's numbers."""
    return Fraction(0) if chain.exact else 0.0


def absolute(value: Number) -> Number:
    """The absolute value."""
    return value if value >= 0 else -value


def add(chain: FiniteChain, terms: Iterable[Number]) -> Number:
    """The sum in the chain's numbers, of no terms too."""
    return sum(terms, zero(chain))


def conditioned(chain: FiniteChain, states: Collection[int]) -> dict[int, Number]:
    """The law pi conditioned on a set, by state in increasing order."""
    total = chain.mass(states)
    return {x: chain.law[x] / total for x in sorted(set(states))}


def restriction(chain: FiniteChain, states: Collection[int]) -> FiniteChain:
    """The chain that stays put where P would leave the set; states renumbered in order.

    Its law is pi conditioned on the set, which is stationary if P is reversible; the Dirichlet
    form is that of pi P in any case.
    """
    kept = sorted(set(states))
    number = {x: n for n, x in enumerate(kept)}
    rows = tuple({number[y]: p for y, p in chain.rows[x].items() if y in number} for x in kept)
    return FiniteChain(rows, tuple(conditioned(chain, kept).values()))


def aggregated(chain: FiniteChain, clusters: Clusters) -> FiniteChain:
    """The chain A on the clusters, A_kl = sum_{x in C_k} pi_k(x) P(x, C_l); its law is pi(C_k)."""
    mass = tuple(chain.mass(cluster) for cluster in clusters)
    rows: list[dict[int, Number]] = [{} for _ in clusters]
    at = place(clusters)
    for x, y, q in chain.flows():
        if at[x] != at[y]:
            rows[at[x]][at[y]] = rows[at[x]].get(at[y], 0) + q / mass[at[x]]
    return FiniteChain(tuple(rows), mass)


def leaving(chain: FiniteChain, clusters: Clusters) -> tuple[Number, ...]:
    """The probability of leaving its cluster, from each state."""
    at = place(clusters)
    return tuple(
        add(chain, (p for y, p in chain.rows[x].items() if at[y] != at[x])) for x in chain.states
    )


def gap_bounds(chain: FiniteChain) -> tuple[Fraction, Fraction] | None:
    """Rational bounds of the gap, of (P + P*)/2 in general; None if the chain has one state.

    The law must be positive; the gap of a chain in several pieces is 0.
    """
    if chain.size < 2:
        return None
    # A restriction may be connected without being irreducible.
    both_ways = chain.additive_reversibilization()
    try:
        irreducible.check(both_ways, {})
    except HypothesisFails:
        return Fraction(0), Fraction(0)
    return gap_enclosure(both_ways)


def least_gap(chain: FiniteChain, sets: Clusters) -> Fraction | None:
    """A lower bound of the gaps of all restrictions; None if every set is a single state."""
    bounds = [gap_bounds(restriction(chain, states)) for states in sets]
    return min((pair[0] for pair in bounds if pair is not None), default=None)


def root_above(value: Number) -> Number:
    """The square root of a number >= 0; of a fraction, rounded up by at most one part in 2^64."""
    if isinstance(value, float):
        return sqrt(value)
    scaled = value.numerator * value.denominator << 128
    root = isqrt(scaled)
    return Fraction(root + (root * root < scaled), value.denominator << 64)


def as_given(chain: FiniteChain, value: Fraction) -> Number:
    """A rational in the chain's numbers."""
    return value if chain.exact else float(value)
