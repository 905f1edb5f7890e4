"""Canonical paths on random chains, where they give the gap, and where they do not hold."""

import random
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from numerics.spectrum import spectral_gap
from theory.bounds.base import FiniteChain, Interval
from theory.bounds.canonical_paths import (
    _load,
    canonical_paths,
    canonical_paths_by_resistance,
    shortest_paths,
)

BOUNDS = [canonical_paths, canonical_paths_by_resistance]
both = pytest.mark.parametrize("bound", BOUNDS, ids=lambda bound: bound.id)


def wandering_paths(rng, chain):
    """For every ordered pair a random walk until it arrives, loops and all."""
    paths = {}
    for x in chain.states:
        for y in chain.states:
            if x != y:
                path = [x]
                while path[-1] != y:
                    path.append(rng.choice(list(chain.rows[path[-1]])))
                paths[x, y] = path
    return paths


def survey(chains, seed, count):
    """Chains with shortest or wandering paths, and the smallest 1 - Re lambda."""
    rng = random.Random(seed)
    for number in range(count):
        reversible = number % 2 == 0
        make = chains.reversible if reversible else chains.general
        chain = make(rng, rng.randint(2, 6))
        if reversible:
            gap = spectral_gap(chains.concrete(chain))
        else:
            gap = chains.spectral_gap(chain)
        data = {"paths": wandering_paths(rng, chain)} if rng.random() < 0.5 else {}
        yield (chains.floats(chain) if rng.random() < 0.5 else chain), data, gap


@both
def test_holds_on_random_chains(bound, chains):
    assert not chains.violations(bound, survey(chains, 1, 400))


@both
@pytest.mark.slow
def test_holds_on_thousands_of_random_chains(bound, chains):
    assert not chains.violations(bound, survey(chains, 2, 2000))


@both
@given(data=st.data())
@settings(max_examples=100, derandomize=True)
def test_holds_on_drawn_chains(bound, data, drawn, chains):
    chain = drawn(data, reversible=data.draw(st.booleans()))
    # A defective eigenvalue is found to a few digits only, so that of (P + P*)/2 is compared.
    gap = spectral_gap(chains.concrete(chain.additive_reversibilization()))
    assert not chains.violations(bound, [(chain, {}, gap)])


def test_shortest_paths_are_paths_with_the_fewest_steps(chains):
    rng = random.Random(3)
    for _ in range(50):
        chain = chains.general(rng, rng.randint(2, 7))
        reach = {x: {x: 0} for x in chain.states}
        for x in chain.states:
            for step in range(1, chain.size):
                for y in [y for y, d in reach[x].items() if d == step - 1]:
                    for z in chain.rows[y]:
                        reach[x].setdefault(z, step)
        paths = shortest_paths(chain)
        for (x, y), path in paths.items():
            assert (path[0], path[-1]) == (x, y)
            assert len(path) - 1 == reach[x][y]
            assert all(v in chain.rows[u] for u, v in pairwise(path))
        assert len(paths) == chain.size * (chain.size - 1)


@both
def test_attained_on_two_states_and_by_independent_draws(bound, chains):
    p, q = Fraction(2, 5), Fraction(1, 7)
    assert bound(chains.two_state(p, q)).lower == p + q
    uniform = FiniteChain.of_rows([[Fraction(1, 5)] * 5] * 5)
    assert bound(uniform).lower == 1
    law = [Fraction(1, 6), Fraction(1, 3), Fraction(1, 2)]
    assert canonical_paths(FiniteChain.of_rows([law] * 3)).lower == 1


def test_bit_by_bit_paths_on_the_hypercube(chains):
    """The example of Diaconis and Stroock: K = d (d + 1)/4, against a gap of 2/d."""
    for dimension in (1, 2, 3, 4):
        chain = chains.hypercube(dimension)
        paths = {}
        for x in chain.states:
            for y in chain.states:
                path = [x]
                for b in range(dimension):
                    if (x ^ y) >> b & 1:
                        path.append(path[-1] ^ (1 << b))
                if x != y:
                    paths[x, y] = path
        expected = Fraction(4, dimension * (dimension + 1))
        for bound in BOUNDS:  # all Q(e) are equal, so both forms are the same
            assert bound(chain, paths=paths).lower == expected


@both
def test_a_planted_factor_is_caught(bound, chains):
    chain = chains.two_state(Fraction(2, 5), Fraction(1, 7))
    cases = [chains.case(chain, float(Fraction(19, 35)))]
    assert chains.violations(chains.tightened(bound, "lower", 1e-6), cases)
    assert not chains.violations(bound, cases)


def test_the_two_forms_differ(chains):
    rng = random.Random(4)
    found = [chains.reversible(rng, 5) for _ in range(50)]
    forms = [[bound(chain).lower for bound in BOUNDS] for chain in found]
    assert any(a < b for a, b in forms)
    assert any(a > b for a, b in forms)


@both
def test_false_without_irreducibility(bound, chains):
    chain = chains.transient(Fraction(1, 50))
    claimed = bound.formula(chain, paths={(0, 1): [0, 1], (1, 0): [1, 0]}).lower
    assert claimed == 1 > Fraction(1, 50)
    assert chains.spectral_gap(chain) == pytest.approx(1 / 50)


@both
def test_false_without_a_path_for_every_pair(bound, chains):
    chain = FiniteChain.of_rows(
        [{1: Fraction(1, 2)}, {0: Fraction(1, 2), 2: Fraction(1, 100)}, {1: Fraction(1, 100)}]
    )
    paths = shortest_paths(chain)
    some = {pair: path for pair, path in paths.items() if 2 not in pair}
    assert bound.formula(chain, paths=some).lower > 2 * chains.spectral_gap(chain)
    assert bound(chain, paths=paths).lower <= chains.spectral_gap(chain)


@both
def test_no_value_on_steps_that_are_no_transitions(bound, chains):
    chain = chains.rotation(3)
    paths = {**shortest_paths(chain), (0, 2): [0, 2]}
    with pytest.raises(ZeroDivisionError):
        bound.formula(chain, paths=paths)


@both
def test_false_for_the_absolute_value_of_an_eigenvalue(bound, chains):
    """What is bounded is 1 - lambda_2; a periodic chain has no absolute gap."""
    assert bound(chains.two_state(1, 1)).lower == 2


@both
def test_a_loop_counts_twice(bound, chains):
    chain = chains.two_state(Fraction(1, 2), Fraction(1, 2))
    paths = {(0, 1): [0, 1, 0, 1], (1, 0): [1, 0]}
    # (0, 1) is taken twice by a path of three steps: K = (1/4)(3 * 2)/(1/4) = 6.
    assert bound(chain, paths=paths).lower == Fraction(1, 6)


def test_counting_a_path_too_short_is_caught(chains):
    """Without the factor |gamma| the bound would be false on the path of three states."""
    chain = FiniteChain.of_rows(
        [{1: Fraction(1, 2)}, {0: Fraction(1, 4), 2: Fraction(1, 4)}, {1: Fraction(1, 2)}]
    )

    wrong = replace(
        canonical_paths,
        formula=lambda chain: Interval(
            1 / max(q / chain.flow(*e) for e, q in _load(chain, None, lambda steps: 1).items())
        ),
    )
    cases = [chains.case(chain, spectral_gap(chains.concrete(chain)))]
    assert chains.violations(wrong, cases)
    assert not chains.violations(canonical_paths, cases)
