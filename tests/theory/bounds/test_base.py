"""The explicit chain that bounds work on, and how bounds are found."""

import pkgutil
import random
import re
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from numerics import elimination
from numerics.spectrum import spectral_gap
from theory import bounds
from theory.bounds.base import (
    Bound,
    FiniteChain,
    HypothesisFails,
    Interval,
    at_most,
    equilibrium_potential,
    gap_at_least,
    gap_enclosure,
    harmonic,
    killing_rate_enclosure,
    mean_hitting_times,
    same,
)
from theory.family import built_in

HALF, THIRD = Fraction(1, 2), Fraction(1, 3)


def test_rows_may_be_maps_or_lists_and_diagonals_are_what_is_left():
    by_map = FiniteChain.of_rows([{1: HALF}, {0: THIRD, 1: 1}])
    by_list = FiniteChain.of_rows([[0, HALF], [THIRD, 0]])
    assert by_map.rows == by_list.rows
    assert by_map.probability(1, 1) == 1 - THIRD
    assert by_map.law == (Fraction(2, 5), Fraction(3, 5))
    assert by_map.exact
    floats = FiniteChain.of_rows([{1: 0.5}, {0: THIRD}])
    assert not floats.exact
    assert isinstance(floats.rows[1][0], float)


@pytest.mark.parametrize(
    ("rows", "law", "message"),
    [
        ([], None, "at least one row"),
        ([{1: HALF}], None, r"row 0: there is no state 1; give 0\.\.0"),
        ([{1: -HALF}, {}], None, "row 0: entry 1 is -1/2"),
        ([{1: float("nan")}, {}], None, "entry 1 is nan"),
        ([{1: HALF, 2: 2 * THIRD}, {}, {}], None, "row 0 exceeds 1"),
        ([{1: 0.5, 2: 0.5 + 1e-9}, {}, {}], None, "row 0 exceeds 1"),
        ([{1: HALF}, {0: HALF}], [HALF], "no law on 2 states"),
        ([{1: HALF}, {0: HALF}], [HALF, THIRD], "no law on 2 states"),
        ([{1: HALF}, {0: HALF}], [Fraction(3, 2), -HALF], "no law on 2 states"),
        ([{1: HALF}, {0: HALF}], [THIRD, 2 * THIRD], "not stationary at state 0"),
    ],
)
def test_what_is_no_chain_is_refused(rows, law, message):
    with pytest.raises(ValueError, match=message) as refusal:
        FiniteChain.of_rows(rows, law)
    assert "\n" not in str(refusal.value)


def test_rounding_may_lift_a_row_of_floats_over_one():
    assert (
        FiniteChain.of_rows([{1: 0.5, 2: 0.5 + 1e-13}, {0: 1.0}, {0: 1.0}]).probability(0, 0) == 0
    )


@pytest.mark.parametrize("name", ["complete", "ring", "path", "star"])
def test_explicit_chains_of_families(name, chains):
    family = built_in()[name]
    explicit = family.explicit({"K": Fraction(4), "M": Fraction(3), "epsilon": Fraction(1, 7)})
    chain = FiniteChain.of_explicit(explicit)
    assert chain.size == len(explicit.states)
    for (x, y), p in explicit.transitions.items():
        assert chain.probability(x, y) == p
    low, high = gap_enclosure(chain.additive_reversibilization())
    assert low < high
    P = chains.matrix(chain)
    law = np.array([float(p) for p in chain.law])
    assert law @ P == pytest.approx(law)


def test_linear_algebra_against_dense_and_accurate_solvers(chains):
    rng = random.Random(1)
    for number in range(200):
        make = chains.reversible if number % 2 else chains.general
        chain = make(rng, rng.randint(2, 7))
        if rng.random() < 0.5:
            chain = chains.floats(chain)
        concrete = chains.concrete(chain)
        law = elimination.stationary(concrete).values
        assert [float(p) for p in chain.law] == pytest.approx(law.tolist(), rel=1e-12)
        A = chains.proper_set(rng, chain.size)
        times = elimination.mean_hitting_times(concrete, A).values
        found = [float(t) for t in mean_hitting_times(chain, A)]
        assert found == pytest.approx(times.tolist(), rel=1e-12)
        P, rest = chains.matrix(chain), [x for x in chain.states if x not in A]
        watched = chain.watched(A)
        kept = sorted(A)
        inverse = np.linalg.inv(np.eye(len(rest)) - P[np.ix_(rest, rest)])
        complement = P[np.ix_(kept, kept)] + P[np.ix_(kept, rest)] @ inverse @ P[np.ix_(rest, kept)]
        assert chains.matrix(watched) == pytest.approx(complement, abs=1e-10)
        FiniteChain.of_rows(watched.rows, watched.law)  # the law is stationary


def test_potentials_solve_their_equations_exactly(chains):
    rng = random.Random(2)
    for _ in range(60):
        chain = chains.general(rng, rng.randint(2, 7))
        A, B = chains.disjoint_sets(rng, chain.size)
        h = equilibrium_potential(chain, A, B)
        for x in chain.states:
            step = sum(chain.probability(x, y) * h[y] for y in chain.states)
            assert h[x] == (1 if x in A else 0 if x in B else step)


def test_elimination_is_accurate_where_subtraction_is_not():
    tiny = 1e-20
    chain = FiniteChain.of_rows([{1: 0.5, 2: tiny}, {0: 0.5}, {0: 1.0}])
    exact = FiniteChain.of_rows([{y: Fraction(p) for y, p in row.items()} for row in chain.rows])
    assert mean_hitting_times(chain, {2})[1] == pytest.approx(
        float(mean_hitting_times(exact, {2})[1]), rel=1e-14
    )
    assert chain.law[2] == pytest.approx(float(exact.law[2]), rel=1e-14)


def test_states_that_reach_no_boundary():
    chain = FiniteChain.of_rows([{1: HALF, 2: HALF}, {}, {3: 1}, {2: 1}])
    assert equilibrium_potential(chain, {1}, {0}) == (0, 1, 0, 0)
    assert harmonic(chain, {1: 1}) == (HALF, 1, 0, 0)
    with pytest.raises(HypothesisFails, match=r"state 2 does not reach \[1\]"):
        mean_hitting_times(chain, {1})


def test_time_reversal_and_additive_reversibilization(chains):
    rng = random.Random(3)
    for _ in range(40):
        chain = chains.general(rng, rng.randint(2, 6))
        back, symmetric = chain.reversed(), chain.additive_reversibilization()
        f = [Fraction(rng.randint(-9, 9)) for _ in chain.states]
        for x in chain.states:
            for y in chain.states:
                assert back.flow(x, y) == chain.flow(y, x)
                assert 2 * symmetric.flow(x, y) == chain.flow(x, y) + chain.flow(y, x)
        form = symmetric.dirichlet_form(f)
        assert form == chain.dirichlet_form(f) == back.dirichlet_form(f)
        # E(f, f) = <f, (I - P) f>
        step = [sum(chain.probability(x, y) * f[y] for y in chain.states) for x in chain.states]
        assert form == sum(p * a * (a - b) for p, a, b in zip(chain.law, f, step, strict=True))
    with pytest.raises(HypothesisFails, match=r"positive law.*pi\(2\) is 0"):
        chains.transient(HALF).reversed()


def test_flows_between_sets(chains):
    chain = chains.general(random.Random(4), 6)
    S = {0, 2, 5}
    rest = set(chain.states) - S
    assert chain.flow_between(S, rest) == chain.flow_between(rest, S)
    assert chain.flow_between(S, rest) == sum(chain.flow(x, y) for x in S for y in rest)
    assert chain.mass(S) + chain.mass(rest) == 1


def test_gap_is_decided_exactly_at_the_gap_itself(chains):
    for chain, gap in [
        (chains.two_state(Fraction(1, 5), THIRD), Fraction(8, 15)),
        (chains.hypercube(3), Fraction(2, 3)),
        (FiniteChain.of_rows([[Fraction(1, 4)] * 4] * 4), Fraction(1)),
    ]:
        assert gap_at_least(chain, gap)
        assert not gap_at_least(chain, gap + Fraction(1, 10**30))
        low, high = gap_enclosure(chain)
        assert low <= gap <= high


def test_gap_enclosures_hold_the_accurate_gap(chains):
    rng = random.Random(5)
    for number in range(60):
        chain = chains.reversible(rng, rng.randint(2, 7))
        if number % 2:
            chain = chains.floats(chain)
        low, high = gap_enclosure(chain)
        accurate = spectral_gap(chains.concrete(chain)) if chain.exact else None
        if accurate:
            assert float(low) * (1 - 1e-12) <= accurate <= float(high) * (1 + 1e-12)
        assert 0 <= high - low <= low / 2**30


def test_rates_of_chains_that_have_none_are_refused(chains):
    for enclosure in (gap_enclosure, lambda chain: killing_rate_enclosure(chain, {0})):
        with pytest.raises(HypothesisFails, match="irreducible"):
            enclosure(chains.two_classes())
    with pytest.raises(HypothesisFails, match="one state"):
        gap_enclosure(FiniteChain.of_rows([{}]))
    with pytest.raises(HypothesisFails, match="A is a proper set"):
        killing_rate_enclosure(chains.two_state(HALF, HALF), {0, 1})


def test_comparisons_are_exact_for_rationals_and_relative_for_floats():
    close = 1 + Fraction(1, 10**12)
    assert not same(Fraction(1), close)
    assert same(1.0, close)
    assert same(1e-30, 1e-30 * (1 + 1e-12))
    assert not same(1e-30, 2e-30)
    assert at_most(1.0 + 1e-12, 1.0)
    assert not at_most(close, Fraction(1))


def test_intervals_contain():
    assert Interval(1, 2).contains(1)
    assert not Interval(1, 2).contains(Fraction(2001, 1000))
    assert Interval(1, 2).contains(Fraction(2001, 1000), 1e-2)
    assert not Interval(1, 2).contains(Fraction(98, 100), 1e-2)
    assert Interval(upper=2).contains(-5)
    assert Interval(1).contains(float("inf"))
    assert Interval(-1).contains(-1.001, 1e-2)
    assert not Interval(1, 2).contains(float("nan"))


def test_every_bound_is_found_and_says_what_it_is():
    found = bounds.all_bounds()
    assert {"cheeger", "canonical-paths", "dirichlet-principle", "thomson-principle"} <= set(found)
    assert {"hitting-time-by-capacity", "aldous-brown-mean"} <= set(found)
    for name, bound in found.items():
        assert re.fullmatch(r"[a-z]+(-[a-z0-9]+)*", name)
        assert bound.title
        assert bound.statement.count("$") % 2 == 0
        assert "\n" not in bound.statement
        assert re.search(r"\d{4}|proof|principles", bound.source), name
        assert bound.sides
        assert set(bound.sides) <= {"lower", "upper"}
        assert not set(bound.data) & set(bound.optional)
        assert len({hypothesis.name for hypothesis in bound.hypotheses}) == len(bound.hypotheses)


def test_a_file_that_is_added_is_found(tmp_path, monkeypatch):
    source = Path(bounds.__file__).parent / "cheeger.py"
    copy = source.read_text(encoding="utf-8").replace('id="cheeger', 'id="added')
    (tmp_path / "added.py").write_text(copy, encoding="utf-8")
    monkeypatch.setattr(bounds, "__path__", [*bounds.__path__, str(tmp_path)])
    bounds.all_bounds.cache_clear()
    try:
        assert isinstance(bounds.all_bounds()["added-cut"], Bound)
        (tmp_path / "again.py").write_text(copy, encoding="utf-8")
        bounds.all_bounds.cache_clear()
        with pytest.raises(ValueError, match="two bounds have the id added"):
            bounds.all_bounds()
    finally:
        bounds.all_bounds.cache_clear()
        for name in ("added", "again"):
            sys.modules.pop(f"theory.bounds.{name}", None)
            vars(bounds).pop(name, None)


def test_every_file_has_a_bound_or_serves_others():
    bounds.all_bounds()  # imports them all
    for module in pkgutil.iter_modules(bounds.__path__):
        members = vars(sys.modules[f"theory.bounds.{module.name}"]).values()
        has = any(isinstance(value, Bound) for value in members)
        assert has or module.name in {"base", "common"}, module.name
