"""Dirichlet's and Thomson's principles and mean hitting times by capacities."""

import random
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from numerics.elimination import mean_hitting_times
from theory.bounds.base import FiniteChain, Interval, capacity, equilibrium_potential
from theory.bounds.capacity import (
    equilibrium_law,
    hitting_time_by_capacity,
    hitting_time_by_energies,
)
from theory.bounds.dirichlet import dirichlet_principle
from theory.bounds.thomson import conductances, equilibrium_flow, flow_energy, thomson_principle

THIRD = Fraction(1, 3)


def escape_capacity(chains, chain, A, B):
    """cap(A, B) from the definition, by a dense solver: sum over A of pi(x) P_x(tau_B < tau+_A)."""
    P = chains.matrix(chain)
    rest = [x for x in chain.states if x not in A | B]
    hit = np.zeros(chain.size)
    hit[list(B)] = 1
    if rest:
        inside = np.eye(len(rest)) - P[np.ix_(rest, rest)]
        hit[rest] = np.linalg.solve(inside, P[rest] @ hit)
    law = np.array([float(p) for p in chain.law])
    return float(sum(law[x] * P[x] @ hit for x in A))


def random_function(rng, chain, A, B):
    """A test function near the equilibrium potential, or far from it."""
    h = equilibrium_potential(chain, A, B)
    noise = rng.choice([0, Fraction(1, 100), 1])
    f = [value + noise * Fraction(rng.randint(-20, 20), 20) for value in h]
    for x in A:
        f[x] = 1 + noise * Fraction(rng.randint(0, 3), 3)
    for x in B:
        f[x] = -noise * Fraction(rng.randint(0, 3), 3)
    return f


def random_flow(rng, chain, A, B):
    """The equilibrium flow, or that of other conductances on the same transitions; and a loop."""
    if rng.random() < 0.3:
        return equilibrium_flow(chain, A, B)
    weight = {pair: rng.randint(1, 9) for pair in conductances(chain)}
    rows: list[dict[int, Fraction]] = [{} for _ in chain.states]
    for (x, y), w in weight.items():
        rows[x][y] = rows[y][x] = Fraction(w, 10 * chain.size)
    other = FiniteChain.of_rows(rows)
    return equilibrium_flow(other, A, B)


def survey(chains, seed, count, general=False):
    rng = random.Random(seed)
    for number in range(count):
        make = chains.general if general and number % 2 else chains.reversible
        chain = make(rng, rng.randint(2, 7))
        if rng.random() < 0.5:
            chain = chains.floats(chain)
        A, B = chains.disjoint_sets(rng, chain.size)
        yield rng, chain, {"A": A, "B": B}


def principles(chains, seed, count):
    dirichlet, thomson = [], []
    for rng, chain, sets in survey(chains, seed, count):
        truth = escape_capacity(chains, chain, **sets)
        f = random_function(rng, chain, **sets)
        dirichlet.append((chain, {**sets, "f": f}, truth))
    for rng, chain, sets in survey(chains, seed, count, general=True):
        truth = escape_capacity(chains, chain, **sets)
        flow = random_flow(rng, chain, **sets)
        thomson.append((chain, {**sets, "flow": flow}, truth))
    return dirichlet, thomson


def hitting_times(chains, seed, count):
    identity, energies = [], []
    for rng, chain, sets in survey(chains, seed, count, general=True):
        times = mean_hitting_times(chains.concrete(chain), sets["B"]).values
        law = equilibrium_law(chain, **sets)
        truth = float(sum(float(p) * time for p, time in zip(law, times, strict=True)))
        identity.append((chain, sets, truth))
        if rng.random() < 0.5:  # a single start: no law at all
            A = {min(sets["A"])}
            identity.append((chain, {**sets, "A": A}, times[min(A)]))
    for rng, chain, sets in survey(chains, seed, count):
        A = {min(sets["A"])}
        times = mean_hitting_times(chains.concrete(chain), sets["B"]).values
        data = {"A": A, "B": sets["B"]}
        f, flow = random_function(rng, chain, **data), random_flow(rng, chain, **data)
        energies.append((chain, {**data, "f": f, "flow": flow}, times[min(A)]))
    return identity, energies


def test_principles_hold_on_random_chains(chains):
    dirichlet, thomson = principles(chains, 1, 300)
    assert not chains.violations(dirichlet_principle, dirichlet)
    assert not chains.violations(thomson_principle, thomson)


def test_hitting_times_hold_on_random_chains(chains):
    identity, energies = hitting_times(chains, 2, 300)
    assert not chains.violations(hitting_time_by_capacity, identity)
    assert not chains.violations(hitting_time_by_energies, energies)


@pytest.mark.slow
def test_hold_on_thousands_of_random_chains(chains):
    dirichlet, thomson = principles(chains, 3, 2000)
    assert not chains.violations(dirichlet_principle, dirichlet)
    assert not chains.violations(thomson_principle, thomson)
    identity, energies = hitting_times(chains, 4, 2000)
    assert not chains.violations(hitting_time_by_capacity, identity)
    assert not chains.violations(hitting_time_by_energies, energies)


@given(data=st.data())
@settings(max_examples=100, derandomize=True)
def test_hold_on_drawn_chains(data, drawn, chains):
    chain = drawn(data, reversible=True)
    states = data.draw(st.permutations(range(chain.size)))
    a = data.draw(st.integers(1, chain.size - 1))
    A, B = set(states[:a]), set(states[a : data.draw(st.integers(a + 1, chain.size))])
    values = data.draw(
        st.lists(st.fractions(-2, 2, max_denominator=9), min_size=chain.size, max_size=chain.size)
    )
    f = [1 if x in A else 0 if x in B else value for x, value in enumerate(values)]
    exact = capacity(chain, A, B)
    assert dirichlet_principle(chain, A=A, B=B, f=f).upper >= exact
    flow = equilibrium_flow(chain, A, B)
    assert thomson_principle(chain, A=A, B=B, flow=flow).lower == exact


def test_capacity_is_that_of_the_definition(chains):
    for _, chain, sets in survey(chains, 5, 200, general=True):
        truth = escape_capacity(chains, chain, **sets)
        assert float(capacity(chain, **sets)) == pytest.approx(truth, rel=1e-9)


def test_equilibrium_potential_and_flow_attain_the_capacity_exactly(chains):
    rng = random.Random(6)
    for _ in range(50):
        chain = chains.reversible(rng, rng.randint(2, 7))
        A, B = chains.disjoint_sets(rng, chain.size)
        exact = capacity(chain, A, B)
        assert capacity(chain, B, A) == exact
        h = equilibrium_potential(chain, A, B)
        assert dirichlet_principle(chain, A=A, B=B, f=h).upper == exact
        flow = equilibrium_flow(chain, A, B)
        assert thomson_principle(chain, A=A, B=B, flow=flow).lower == exact


def test_any_change_of_the_extremal_function_or_flow_loses(chains):
    chain = FiniteChain.of_rows(
        [{1: THIRD, 2: THIRD}, {0: THIRD, 2: THIRD, 3: THIRD}, {0: THIRD, 1: THIRD}, {1: THIRD}]
    )
    A, B = {0}, {3}
    exact = capacity(chain, A, B)
    h = list(equilibrium_potential(chain, A, B))
    h[1] += Fraction(1, 1000)
    assert exact < dirichlet_principle(chain, A=A, B=B, f=h).upper < exact * Fraction(1001, 1000)
    flow = equilibrium_flow(chain, A, B)
    loop = {(0, 1): 1, (1, 2): 1, (2, 0): 1}
    for (x, y), amount in loop.items():
        pair, sign = ((x, y), 1) if x < y else ((y, x), -1)
        flow[pair] += sign * amount * Fraction(1, 1000)
    lower = thomson_principle(chain, A=A, B=B, flow=flow).lower
    assert exact * Fraction(999, 1000) < lower < exact


def test_effective_resistances_of_known_networks(chains):
    """pi(a) P_a(tau_b < tau+_a) times twice the number of edges is the effective conductance."""
    size = 7
    cycle = FiniteChain.of_rows(
        [{(x + 1) % size: Fraction(1, 2), (x - 1) % size: Fraction(1, 2)} for x in range(size)]
    )
    for d in range(1, size):
        assert 2 * size * capacity(cycle, {0}, {d}) == Fraction(size, d * (size - d))
    complete = FiniteChain.of_rows([[Fraction(1, 5)] * 6] * 6)
    assert 30 * capacity(complete, {0}, {4}) == 3


def test_time_is_attained_by_energies_on_two_states(chains):
    p, q = Fraction(2, 5), Fraction(1, 7)
    chain = chains.two_state(p, q)
    value = hitting_time_by_energies(chain, A={0}, B={1}, f=[1, 0], flow={(0, 1): 1})
    assert (value.lower, value.upper) == (1 / p, 1 / p)


def test_time_on_the_cycle(chains):
    size, d = 8, 3
    half = Fraction(1, 2)
    cycle = FiniteChain.of_rows([{(x + 1) % size: half, (x - 1) % size: half} for x in range(size)])
    mean = d * (size - d)
    assert hitting_time_by_capacity(cycle, A={0}, B={d}) == Interval(mean, mean)


def test_flow_may_name_both_directions(chains):
    chain = chains.two_state(THIRD, THIRD)
    flow = {(0, 1): Fraction(3, 2), (1, 0): Fraction(1, 2)}
    assert flow_energy(chain, flow) == 6
    assert thomson_principle(chain, A={0}, B={1}, flow=flow).lower == Fraction(1, 6)


@pytest.mark.parametrize(
    ("bound", "side"),
    [
        (dirichlet_principle, "upper"),
        (thomson_principle, "lower"),
        (hitting_time_by_capacity, "lower"),
        (hitting_time_by_capacity, "upper"),
        (hitting_time_by_energies, "lower"),
        (hitting_time_by_energies, "upper"),
    ],
    ids=lambda value: getattr(value, "id", value),
)
def test_a_planted_factor_is_caught(bound, side, chains):
    chain = chains.two_state(Fraction(2, 5), Fraction(1, 7))
    data = {"A": {0}, "B": {1}, "f": [1, 0], "flow": {(0, 1): 1}}
    given = {name: data[name] for name in bound.data}
    truth = (
        2.5 if bound.quantity == "mean-hitting-time" else escape_capacity(chains, chain, {0}, {1})
    )
    case = chain, given, truth
    assert not chains.violations(bound, [case])
    assert chains.violations(chains.tightened(bound, side, 1e-6), [case])


def test_dirichlet_is_false_without_reversibility(chains):
    chain = chains.rotation(5)
    exact = capacity(chain, {0}, {2})
    assert exact == Fraction(1, 5)  # it never comes back before
    f = equilibrium_potential(chain.additive_reversibilization(), {0}, {2})
    assert dirichlet_principle.formula(chain, A={0}, B={2}, f=f).upper < exact


def test_thomson_needs_no_reversibility_but_is_not_attained(chains):
    chain = chains.rotation(5)
    best = equilibrium_flow(chain, {0}, {2})
    lower = thomson_principle(chain, A={0}, B={2}, flow=best).lower
    assert lower == capacity(chain.additive_reversibilization(), {0}, {2}) < Fraction(1, 5)


def test_thomson_is_false_for_what_is_no_unit_flow(chains):
    chain = chains.reversible(random.Random(7), 5)
    exact = capacity(chain, {0}, {4})
    flow = equilibrium_flow(chain, {0}, {4})
    weak = {pair: amount / 2 for pair, amount in flow.items()}
    assert thomson_principle.formula(chain, A={0}, B={4}, flow=weak).lower == 4 * exact
    path = FiniteChain.of_rows([{1: THIRD}, {0: THIRD, 2: THIRD}, {1: THIRD}])
    leaking = {(0, 1): 1}  # the unit is lost at state 1
    assert thomson_principle.formula(path, A={0}, B={2}, flow=leaking).lower > capacity(
        path, {0}, {2}
    )
    with pytest.raises(KeyError):  # a flow off the transitions has no energy
        thomson_principle.formula(path, A={0}, B={2}, flow={(0, 2): 1})


def test_dirichlet_is_false_for_what_is_no_test_function(chains):
    chain = chains.two_state(THIRD, THIRD)
    for f in ([THIRD, 0], [1, THIRD]):
        upper = dirichlet_principle.formula(chain, A={0}, B={1}, f=f).upper
        assert upper < capacity(chain, {0}, {1})


def test_principles_need_no_irreducibility_where_a_law_is_given(chains):
    chain = chains.two_classes()
    assert dirichlet_principle(chain, A={0, 2}, B={1}, f=[1, 0, 1]).upper == capacity(
        chain, {0, 2}, {1}
    )
    assert thomson_principle(chain, A={0, 2}, B={1}, flow={(0, 1): 1}).lower == Fraction(1, 9)


def test_identity_is_false_with_the_potential_of_the_chain_itself(chains):
    """As in the reversible form; with that of the time reversal it holds on the same chain."""

    def forward(chain, A, B):
        h = equilibrium_potential(chain, A, B)
        mean = sum(p * v for p, v in zip(chain.law, h, strict=True)) / capacity(chain, A, B)
        return Interval(mean, mean)

    naive = replace(hitting_time_by_capacity, formula=forward)
    chain = chains.rotation(4)
    case = chain, {"A": {0}, "B": {3}}, 3.0
    assert forward(chain, {0}, {3}).lower == 1
    assert chains.violations(naive, [case])
    assert not chains.violations(hitting_time_by_capacity, [case])


def test_times_are_false_without_irreducibility(chains):
    """A lies in both classes, and the law nu in one of them only: the mean is 1/(1/3) = 3."""
    chain = chains.two_classes()
    data = {"A": {0, 2}, "B": {1}}
    assert hitting_time_by_capacity.formula(chain, **data).lower == 6
    energies = hitting_time_by_energies.formula(chain, **data, f=[1, 0, 1], flow={(0, 1): 1})
    assert energies.lower == 6


def test_energies_are_false_without_reversibility(chains):
    chain = chains.rotation(5)
    A, B = {0}, {1}
    f = equilibrium_potential(chain.additive_reversibilization(), A, B)
    flow = equilibrium_flow(chain, A, B)
    assert hitting_time_by_energies.formula(chain, A=A, B=B, f=f, flow=flow).lower > 1  # E_0 = 1
