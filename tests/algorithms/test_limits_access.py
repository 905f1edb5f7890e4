"""R7: what each access tells of the candidates: isomorphisms, levels, and where barriers fall."""

import itertools
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from numerics.algorithms.limits import chain_of
from numerics.algorithms.task import Truth
from theory.groups import cyclic, symmetric
from theory.results.limits import (
    LEVELS,
    Instance,
    alike,
    ambiguous,
    dimension_by_views,
    dimension_with_access,
    is_isomorphism,
    isomorphism,
    neighbourhood,
    seen_from_path,
    structured_dimension,
    told_by_neighbourhood,
    uniform,
)

F = Fraction


# ---------------------------------------------------------------- neighbourhoods
GAPS = (4, 5, 7)
KINDS = list(itertools.product([False, True], repeat=3))


@pytest.mark.parametrize("walk", [0, 1, 2])
@pytest.mark.parametrize("radius", range(5))
def test_views_are_isomorphic_exactly_where_the_theory_says(walk, radius):
    """All pairs of hypotheses; each isomorphism is checked edge by edge."""
    for one, two in itertools.product(KINDS, repeat=2):
        first, second = (Instance(kind, GAPS, walk) for kind in (one, two))
        mapping = alike(first, second, radius)
        hidden = ambiguous(GAPS, radius)
        assert (mapping is not None) == all(
            i in hidden or one[i] == two[i] for i in range(len(GAPS))
        )
        if mapping is not None:
            roots = list(zip(first.path, second.path, strict=True))
            views = seen_from_path(first, radius), seen_from_path(second, radius)
            assert is_isomorphism(mapping, *views, roots)
            a, b = list(mapping)[:2]
            swapped = {**mapping, a: mapping[b], b: mapping[a]}
            assert not is_isomorphism(swapped, *views, roots)


def test_the_barrier_falls_where_the_ends_of_a_decoy_come_into_sight():
    """2r + 1 >= D: at half the distance, before the radius reaches the diameter."""
    for gap in range(1, 12):
        kinds = Instance((True,), (gap,)), Instance((False,), (gap,))
        stands = [r for r in range(kinds[0].diameter + 1) if alike(*kinds, r) is not None]
        assert stands == list(range((gap - 2) // 2 + 1 if gap >= 2 else 0))
        assert max(stands, default=-1) < kinds[0].diameter
        for r in range(kinds[0].diameter + 1):
            for kind, one in zip((True, False), kinds, strict=True):
                assert told_by_neighbourhood(one, r) == ((None,) if r in stands else (kind,))


@pytest.mark.parametrize("radius", range(4))
def test_the_dimension_that_a_neighbourhood_leaves(radius):
    gaps = (4, 5, 6, 8)
    for action in (cyclic(2), symmetric(3)):
        views = gaps if action.order == 2 else gaps[:3]
        told = dimension_by_views(uniform(action), views, radius)
        assert told == dimension_with_access("neighbourhood", views, radius)


def test_the_levels_of_access():
    gaps = (4, 5, 6, 8)
    told = [dimension_with_access(level, gaps, 1, aside=2) for level in LEVELS]
    assert told == [2**6 - 6 - 1, 16, 16, 1]
    few = [s for s in range(2**6) if s.bit_count() <= 4]
    assert structured_dimension(few, lambda s, t: F(s == t)) == told[0]
    diameter = Instance((True,) * 4, gaps).diameter
    assert dimension_with_access("neighbourhood", gaps, diameter) == 1
    with pytest.raises(ValueError, match="unknown access"):
        dimension_with_access("all", gaps)


def pair(cluster, start, end, epsilon=Fraction(1, 1000)):
    """Two copies of a cluster, with an edge between them, and with one inside the first."""
    graphs = []
    for other in (1, 0):
        graph = {
            (c, x): {(c, y): p for y, p in row.items()}
            for c in (0, 1)
            for x, row in cluster.items()
        }
        u, v = (0, start), (other, end)
        graph[u][v] = graph[u].get(v, Fraction(0)) + epsilon
        graph[v][u] = graph[v].get(u, Fraction(0)) + epsilon
        graphs.append((graph, (u, v)))
    return graphs


def hypercube(n):
    return {x: {x ^ 1 << i: F(1, 2 * n) for i in range(n)} for x in range(2**n)}


def torus(n):
    return {
        (x, y): {((x + a) % n, (y + b) % n): F(1, 8) for a, b in ((1, 0), (-1, 0), (0, 1), (0, -1))}
        for x in range(n)
        for y in range(n)
    }


def clique(n):
    return {x: {y: F(1, n) for y in range(n) if y != x} for x in range(n)}


@pytest.mark.parametrize(
    ("cluster", "start", "end", "distance"),
    [
        (hypercube(3), 0, 7, 3),
        (hypercube(4), 0, 15, 4),
        (hypercube(6), 0, 63, 6),
        (torus(6), (0, 0), (3, 3), 6),
        (torus(8), (0, 0), (4, 4), 8),
        (torus(5), (0, 0), (2, 2), 4),
        (clique(5), 0, 1, 1),
    ],
    ids=["cube 3", "cube 4", "cube 6", "torus 6", "torus 8", "torus 5", "clique"],
)
def test_decoys_hide_in_any_cluster_up_to_half_the_distance(cluster, start, end, distance):
    """In a clique they cannot hide at all: a counter-example to the claim without D >= 2r + 2."""
    (sparse, ends), (decoy, others) = pair(cluster, start, end)
    roots = list(zip(ends, others, strict=True))
    for radius in range(distance + 1):
        views = neighbourhood(sparse, ends, radius), neighbourhood(decoy, others, radius)
        mapping = isomorphism(*views, roots)
        assert (mapping is not None) == (distance >= 2 * radius + 2)
        assert mapping is None or is_isomorphism(mapping, *views, roots)


def test_the_search_for_an_isomorphism_is_complete():
    """Against all bijections, on random graphs of up to five vertices."""
    rng = np.random.default_rng(8)
    found = 0
    for _ in range(150):
        n = int(rng.integers(2, 6))
        weight = rng.integers(0, 3, size=(n, n))
        first = {
            i: {j: F(int(weight[i, j]), 20) for j in range(n) if j != i and weight[i, j]}
            for i in range(n)
        }
        if rng.random() < 0.5:
            names = rng.permutation(n).tolist()
            second = {names[i]: {names[j]: p for j, p in row.items()} for i, row in first.items()}
        else:
            other = rng.permutation(weight.ravel()).reshape(n, n)
            second = {
                i: {j: F(int(other[i, j]), 20) for j in range(n) if j != i and other[i, j]}
                for i in range(n)
            }
        roots = [(0, 0)] if rng.random() < 0.5 else []
        every = [dict(enumerate(p)) for p in itertools.permutations(range(n))]
        exists = any(is_isomorphism(m, first, second, roots) for m in every)
        mapping = isomorphism(first, second, roots)
        assert (mapping is not None) == exists
        assert mapping is None or is_isomorphism(mapping, first, second, roots)
        found += exists
    assert 20 < found < 130


def test_regular_graphs_that_colours_do_not_tell_apart():
    """Two triangles and a hexagon: refinement is not enough, the search is."""

    def cycles(*sizes):
        graph, at = {}, 0
        for n in sizes:
            for i in range(n):
                graph[at + i] = {at + (i + 1) % n: F(1, 4), at + (i - 1) % n: F(1, 4)}
            at += n
        return graph

    assert isomorphism(cycles(3, 3), cycles(6), []) is None
    assert isomorphism(cycles(6), cycles(6), [(0, 3)]) is not None
    assert isomorphism(cycles(3, 4), cycles(4, 3), []) is not None


def test_instances_are_chains_with_the_clusters_and_edges_they_say():
    instance = Instance((True, False, True), GAPS, aside=2)
    chain, crossings = chain_of(instance)
    assert len(chain.states) == instance.clusters * instance.states
    cluster = [i // instance.states for i in range(len(chain.states))]
    truth = Truth.of_clusters(chain, cluster)
    assert [c in truth.sparse_edges for c in crossings] == [True, False, True]
    assert len(truth.sparse_edges) == 2 * (2 + 2)
    weak = chain.probability < 0.1
    assert weak.sum() == 2 * (3 + 2)
    graph = instance.cluster_graph()
    for (u, v), gap in zip(instance.candidates, GAPS, strict=True):
        inside = {
            x: {y: p for y, p in s.items() if y[0] == x[0] and p >= F(1, 4)}
            for x, s in graph.items()
        }
        near = neighbourhood(inside, [u], gap)
        if u[0] == v[0]:
            assert v in near
            assert v not in neighbourhood(inside, [u], gap - 1)
    assert all(v in graph[u] for u, v in itertools.pairwise(instance.path))
    with pytest.raises(ValueError, match="gap"):
        Instance((True,), ())
    with pytest.raises(ValueError, match="epsilon"):
        Instance((True,), (4,), epsilon=F(1, 2))


@pytest.mark.parametrize("radius", range(3))
def test_compact_clusters_look_the_same(radius):
    """Positions that start anew in each cluster change nothing that is seen from the path."""
    for one, two in itertools.product(KINDS, repeat=2):
        first, second = Instance(one, GAPS), Instance(two, GAPS, compact=True)
        agree = all(i in ambiguous(GAPS, radius) or one[i] == two[i] for i in range(len(GAPS)))
        assert (alike(first, second, radius) is not None) == agree
    last = Instance((False, False, True), GAPS, compact=True)  # at radius 3 the ends meet
    assert alike(last, replace(last, compact=False), 2) is not None
    assert alike(last, replace(last, compact=False), 3) is None
    small = Instance((True, False, True, True), (4, 5, 4, 5), compact=True)
    assert small.states < Instance(small.true, small.gaps).states
    assert max(small.starts) + small.walk < small.states
