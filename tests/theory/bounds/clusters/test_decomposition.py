"""The gap from an overlapping cover: on random chains, where sharp, where false."""

import random
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from theory.bounds import decomposition as module
from theory.bounds.base import FiniteChain, gap_at_least
from theory.bounds.decomposition import decomposition, decomposition_sharp

F = Fraction
BOTH = [decomposition, decomposition_sharp]


def survey(clustered, seed, count):
    rng = random.Random(seed)
    for _ in range(count):
        chain, clusters = clustered.draw(rng)
        yield chain, clustered.cover(rng, chain, clusters)


def false_on(bounds, cases):
    """Where a bound exceeds the gap of (P + P*)/2, decided exactly."""
    return [
        (bound.id, chain.rows, sets)
        for chain, sets in cases
        for bound in bounds
        if not gap_at_least(chain, bound(chain, sets=sets).lower)
    ]


def rare_gate(rare):
    """The path 0-1-2 whose middle state has a small mass, and a cover by its halves."""
    chain = FiniteChain.of_rows([{1: rare / 2}, {0: F(1, 2), 2: F(1, 2)}, {1: rare / 2}])
    return chain, [{0, 1}, {1, 2}]


def test_holds_on_random_chains(clustered):
    assert not false_on(BOTH, survey(clustered, 1, 150))


@pytest.mark.slow
def test_holds_on_thousands_of_random_chains(clustered):
    assert not false_on(BOTH, survey(clustered, 2, 2000))


@given(data=st.data())
@settings(max_examples=60, derandomize=True)
def test_holds_on_drawn_chains(data, drawn):
    chain = drawn(data, reversible=data.draw(st.booleans()))
    state = st.sampled_from(range(chain.size))
    sets = data.draw(st.lists(st.sets(state, min_size=1), min_size=1, max_size=3))
    sets.append(set(chain.states) - set().union(*sets) or {0})
    assert not false_on(BOTH, [(chain, sets)])


def test_floats_agree_with_fractions(chains, clustered):
    for chain, sets in survey(clustered, 3, 30):
        for bound in BOTH:
            value = bound(chains.floats(chain), sets=sets).lower
            assert isinstance(value, float)
            assert value == pytest.approx(float(bound(chain, sets=sets).lower), rel=1e-6)


def test_the_sharp_form_implies_the_published_one(clustered):
    several = 0
    for chain, sets in survey(clustered, 4, 60):
        published, sharp = (bound(chain, sets=sets).lower for bound in BOTH)
        assert published <= sharp
        several += published > 0
    assert several > 20


def test_the_gap_of_the_overlap_chain_is_at_most_one(clustered):
    for chain, sets in survey(clustered, 5, 100):
        overlap, theta = module.overlap_chain(chain, sets)
        assert (
            theta == 1
            or clustered.symmetric_gap(clustered.matrix(overlap), [float(p) for p in overlap.law])
            <= 1 + 1e-9
        )


def test_a_rare_gate_attains_the_sharp_form_in_the_limit(clustered):
    for rare in (F(1, 10**2), F(1, 10**4), F(1, 10**6)):
        chain, sets = rare_gate(rare)
        gap = clustered.gap(chain)
        assert 1 - 10 * rare < decomposition_sharp(chain, sets=sets).lower / gap <= 1
        assert decomposition(chain, sets=sets).lower / gap == pytest.approx(
            0.25, abs=float(10 * rare)
        )


def test_a_planted_factor_is_caught(chains):
    case = rare_gate(F(1, 10**6))
    assert not false_on(BOTH, [case])
    assert false_on([chains.tightened(decomposition_sharp, "lower", F(1, 10**4))], [case])
    assert false_on([chains.tightened(decomposition, "lower", F(31, 10))], [case])


def test_an_overlap_chain_without_its_factor_is_caught(monkeypatch):
    real = module.overlap_chain

    def planted(chain, sets):
        overlap, theta = real(chain, sets)
        rows = tuple({y: p * theta for y, p in row.items()} for row in overlap.rows)
        return FiniteChain(rows, overlap.law), theta

    monkeypatch.setattr(module, "overlap_chain", planted)
    assert false_on([decomposition_sharp], [rare_gate(F(1, 10**6))])


def test_a_transition_that_is_counted_once_is_caught(monkeypatch):
    # Two rare gates in a row, both in both sets.
    rare, half = F(1, 10**6), F(1, 2)
    chain = FiniteChain.of_rows(
        [{1: rare / 2}, {0: half, 2: half}, {1: half, 3: half}, {2: rare / 2}]
    )
    case = chain, [{0, 1, 2}, {1, 2, 3}]
    assert not false_on(BOTH, [case])
    monkeypatch.setattr(module, "shared_most", lambda *given: 1)
    assert false_on([decomposition_sharp], [case])


@pytest.mark.parametrize("bound", BOTH, ids=lambda bound: bound.id)
def test_false_without_a_positive_law(chains, refused, bound):
    chain, sets = chains.transient(F(1, 1000)), [{0, 1}, {1, 2, 0}]
    refused(bound, "positive law", chain, sets=sets)
    gap = min(1 - np.sort(np.linalg.eigvals(chains.matrix(chain)).real)[:-1])
    assert gap == pytest.approx(1 / 1000)
    # State 2 has no mass, so it makes no difference to the gap over pi.
    without = chains.two_state(F(1, 2), F(1, 2))
    assert bound(without, sets=[{0, 1}, {0, 1}]).lower > 100 * gap


@pytest.mark.parametrize("bound", BOTH, ids=lambda bound: bound.id)
def test_false_where_a_state_is_not_covered(refused, bound):
    slow = F(1, 10**4)
    chain = FiniteChain.of_rows(
        [{1: F(1, 2)}, {0: F(1, 4), 2: F(1, 4)}, {1: F(1, 2), 3: slow}, {2: slow}]
    )
    sets = [{0, 1}, {1, 2}]
    refused(bound, "sets cover the states", chain, sets=sets)
    assert false_on([replace(bound, hypotheses=())], [(chain, sets)])


@pytest.mark.parametrize("sets", [[{0, 1, 2}], [{0, 1, 2}, set()], [{0, 1, 2}, {7}]])
def test_refuses_what_is_no_cover(refused, sets):
    for bound in BOTH:
        refused(bound, "sets cover the states", rare_gate(F(1, 9))[0], sets=sets)
