"""Chains that several test files share."""

from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest

from numerics.chain import Chain

Edge = tuple[int, int]


@pytest.fixture
def cluster_row() -> Callable[[Sequence[int], Fraction, int], Chain]:
    """Dense clusters of the given sizes in a row, neighbours joined by entries of order epsilon.

    Nothing is symmetric: weights are random, each cluster has its own gates, and each direction
    its own multiple of epsilon.
    """

    def build(sizes: Sequence[int], epsilon: Fraction, seed: int) -> Chain:
        rng = np.random.default_rng(seed)
        bounds = [0, *np.cumsum(sizes).tolist()]
        clusters = [range(a, b) for a, b in pairwise(bounds)]
        sparse: dict[Edge, Fraction] = {}
        for left, right in pairwise(clusters):
            for here, there in ((left, right), (right, left)):
                for gate in rng.choice(here, size=2, replace=False):
                    end = (int(gate), int(rng.choice(there)))
                    sparse[end] = epsilon * Fraction(int(rng.integers(1, 10)), 10)
        entries = [(i, j, p) for (i, j), p in sparse.items()]
        for cluster in clusters:
            for i in cluster:
                weights = rng.integers(1, 50, size=len(cluster)).tolist()
                inside = 1 - sum(p for (a, _), p in sparse.items() if a == i)
                entries += [
                    (i, j, inside * Fraction(w, sum(weights)))
                    for j, w in zip(cluster, weights, strict=True)
                ]
        return Chain.from_entries(map(str, range(bounds[-1])), entries)

    return build


@pytest.fixture
def graph_walk() -> Callable[[int, Iterable[Edge]], Chain]:
    """Simple random walk on an undirected graph given by its edges."""

    def build(size: int, edges: Iterable[Edge]) -> Chain:
        neighbours: list[list[int]] = [[] for _ in range(size)]
        for i, j in edges:
            neighbours[i].append(j)
            neighbours[j].append(i)
        entries = [
            (i, j, Fraction(1, len(near))) for i, near in enumerate(neighbours) for j in near
        ]
        return Chain.from_entries(map(str, range(size)), entries)

    return build
