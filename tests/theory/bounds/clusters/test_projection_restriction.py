"""The gap from projection and restriction chains: on random chains, where sharp, where false."""

import random
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from theory.bounds import projection_restriction as module
from theory.bounds.base import FiniteChain, gap_at_least
from theory.bounds.common import leaving
from theory.bounds.projection_restriction import (
    projection_restriction,
    projection_restriction_sharp,
)

F = Fraction
BOTH = [projection_restriction, projection_restriction_sharp]


def survey(clustered, seed, count):
    rng = random.Random(seed)
    return [clustered.draw(rng) for _ in range(count)]


def false_on(bounds, cases):
    """Where a bound exceeds the gap of (P + P*)/2, decided exactly."""
    return [
        (bound.id, chain.rows, clusters)
        for chain, clusters in cases
        for bound in bounds
        if not gap_at_least(chain, bound(chain, clusters=clusters).lower)
    ]


def test_holds_on_random_chains(clustered):
    assert not false_on(BOTH, survey(clustered, 1, 150))


@pytest.mark.slow
def test_holds_on_thousands_of_random_chains(clustered):
    assert not false_on(BOTH, survey(clustered, 2, 2000))


@given(data=st.data())
@settings(max_examples=60, derandomize=True)
def test_holds_on_drawn_chains(data, drawn):
    chain = drawn(data, reversible=data.draw(st.booleans()))
    cut = data.draw(st.integers(1, chain.size - 1))
    clusters = [range(cut), range(cut, chain.size)]
    assert not false_on(BOTH, [(chain, clusters)])


def test_floats_agree_with_fractions_and_with_a_dense_solver(chains, clustered):
    for chain, clusters in survey(clustered, 3, 30):
        rounded = chains.floats(chain)
        gap = clustered.symmetric_gap(clustered.matrix(rounded), rounded.law)
        for bound in BOTH:
            exact, value = (bound(c, clusters=clusters).lower for c in (chain, rounded))
            assert isinstance(value, float)
            assert value == pytest.approx(float(exact), rel=1e-6)
            assert value <= gap + 1e-9


def test_the_sharp_form_implies_the_published_one(clustered):
    for chain, clusters in survey(clustered, 4, 50):
        published, sharp = (bound(chain, clusters=clusters).lower for bound in BOTH)
        assert published <= sharp * (1 + F(1, 10**8))


def test_it_also_bounds_the_real_parts_of_the_eigenvalues(clustered):
    rng = random.Random(5)
    for _ in range(100):
        chain, clusters = clustered.draw(rng, reversible=False)
        values = np.sort(np.linalg.eigvals(clustered.matrix(chain)).real)
        bound = projection_restriction_sharp(chain, clusters=clusters).lower
        assert bound <= 1 - values[-2] + 1e-9


def test_single_states_attain_the_sharp_form(clustered):
    for chain, _ in survey(clustered, 6, 30):
        clusters = [[x] for x in chain.states]
        bound = projection_restriction_sharp(chain, clusters=clusters).lower
        assert bound == pytest.approx(float(clustered.gap(chain)), rel=1e-8)
        assert projection_restriction(chain, clusters=clusters).lower == bound / 3


@pytest.mark.parametrize("inside", [F(1, 2), F(1, 10), F(9, 10)])
def test_rare_gates_attain_the_sharp_form_in_the_limit(clustered, inside):
    for rare in (F(1, 10**2), F(1, 10**4), F(1, 10**6)):
        chain, clusters = clustered.dumbbell(rare, inside, 1 - inside)
        bound = projection_restriction_sharp(chain, clusters=clusters).lower
        assert 1 - 10 * rare < bound / clustered.gap(chain) <= 1 + F(1, 10**8)


def test_the_constants_of_the_published_form_are_sharp(clustered):
    chain, clusters = clustered.dumbbell(F(1, 10**6), F(1, 2), F(1, 2))
    value = projection_restriction(chain, clusters=clusters).lower
    assert 1 - F(1, 10**5) < value / clustered.gap(chain) <= 1


@pytest.mark.parametrize("bound", BOTH, ids=lambda bound: bound.id)
def test_a_planted_factor_is_caught(chains, clustered, bound):
    case = clustered.dumbbell(F(1, 10**6), F(1, 2), F(1, 2))
    assert not false_on([bound], [case])
    assert false_on([chains.tightened(bound, "lower", F(1, 10**4))], [case])


@pytest.mark.parametrize("bound", BOTH, ids=lambda bound: bound.id)
def test_a_smaller_leaving_rate_is_caught(clustered, monkeypatch, bound):
    case = clustered.dumbbell(F(1, 10**6), F(1, 10), F(9, 10))
    monkeypatch.setattr(module, "leaving", lambda *given: [p / 2 for p in leaving(*given)])
    assert false_on([bound], [case])


def test_the_rate_of_leaving_counts_the_exits_of_the_reversal(clustered, monkeypatch):
    # The bulks 0 and 3 are left for the gate of the other side, so that P seldom leaves a gate.
    rare = F(1, 10**4)
    chain = FiniteChain.of_rows(
        [{2: rare, 1: rare / 9}, {0: F(1, 2)}, {3: F(1, 2)}, {1: rare, 2: rare / 9}]
    )
    case = chain, [[0, 1], [2, 3]]
    assert not false_on(BOTH, [case])
    exits = leaving(*case)
    monkeypatch.setattr(module, "leaving", lambda *given: exits)
    assert false_on([projection_restriction_sharp], [case])


@pytest.mark.parametrize("bound", BOTH, ids=lambda bound: bound.id)
def test_false_without_a_positive_law(chains, refused, bound):
    chain, clusters = chains.transient(F(1, 1000)), [[0, 2], [1]]
    refused(bound, "positive law", chain, clusters=clusters)
    gap = min(1 - np.sort(np.linalg.eigvals(chains.matrix(chain)).real)[:-1])
    assert gap == pytest.approx(1 / 1000)
    # State 2 has no mass, so under pi all is as without it.
    without = chains.two_state(F(1, 2), F(1, 2))
    assert bound(without, clusters=[[0], [1]]).lower > 100 * gap


@pytest.mark.parametrize("bound", BOTH, ids=lambda bound: bound.id)
def test_false_with_clusters_that_overlap(refused, bound):
    weight = {(0, 1): 45, (0, 2): 1, (1, 2): 850}
    weight |= {(y, x): w for (x, y), w in weight.items()}
    total = [138, 895, 851]
    chain = FiniteChain.of_rows(
        [{y: F(w, total[x]) for (a, y), w in weight.items() if a == x} for x in range(3)]
    )
    clusters = [[1, 2], [1], [0]]
    refused(bound, "clusters partition the states", chain, clusters=clusters)
    unguarded = replace(bound, hypotheses=())
    assert false_on([unguarded], [(chain, clusters)])


@pytest.mark.parametrize(
    "clusters", [[[0, 1], [2]], [[0, 1, 2, 3]], [[0, 1, 2, 3], []], [[0], [9]]]
)
def test_refuses_what_is_no_partition(clustered, refused, clusters):
    chain, _ = clustered.dumbbell(F(1, 9), F(1, 2), F(1, 2))
    for bound in BOTH:
        refused(bound, "clusters partition the states", chain, clusters=clusters)


def test_says_nothing_of_a_chain_in_pieces(chains):
    chain = chains.two_classes()
    for clusters in ([[0, 1], [2]], [[0, 2], [1]]):
        assert [bound(chain, clusters=clusters).lower for bound in BOTH] == [0, 0]
