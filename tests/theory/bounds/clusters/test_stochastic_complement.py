"""Meyer's stochastic complement: the identities, and what watching does to the gap."""

import random
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from theory.bounds import stochastic_complement as module
from theory.bounds.base import FiniteChain, gap_at_least, reversible
from theory.bounds.common import leaving, restriction
from theory.bounds.stochastic_complement import gap, law, watched_gap

F = Fraction


def survey(clustered, seed, count, **how):
    rng = random.Random(seed)
    for _ in range(count):
        chain, clusters = clustered.draw(rng, **how)
        size = rng.randint(2, chain.size)
        yield chain, clusters, rng.sample(range(chain.size), size)


def false_on(bounds, cases):
    """Where a bound is false, decided exactly."""
    found = []
    for chain, clusters, C in cases:
        value = {
            law: lambda b, c=chain, k=clusters: all(
                b(c, clusters=k, state=x).lower == c.law[x] == b(c, clusters=k, state=x).upper
                for x in c.states
            ),
            # gap(P) <= upper: fails if the gap is at least a little more.
            gap: lambda b, c=chain, A=C: (
                not gap_at_least(c, b(c, C=A).upper * (1 + F(1, 10**12)) + F(1, 10**30))
            ),
            watched_gap: lambda b, c=chain, A=C: (
                gap_at_least(c.watched(A), b(c, C=A).lower)
                and not gap_at_least(
                    c.watched(A), b(c, C=A).upper * (1 + F(1, 10**12)) + F(1, 10**30)
                )
            ),
        }
        for bound in bounds:
            kind = next(original for original in value if original.id == bound.id)
            if not value[kind](bound):
                found.append((bound.id, chain.rows, clusters, C))
    return found


def by_definition(matrix, C):
    """P_CC + P_C* (I - P_**)^-1 P_*C."""
    out = [x for x in range(len(matrix)) if x not in C]
    inverse = np.linalg.inv(np.eye(len(out)) - matrix[np.ix_(out, out)])
    return matrix[np.ix_(C, C)] + matrix[np.ix_(C, out)] @ inverse @ matrix[np.ix_(out, C)]


def test_holds_on_random_chains(clustered):
    assert not false_on([law, gap, watched_gap], survey(clustered, 1, 100))


@pytest.mark.slow
def test_holds_on_thousands_of_random_chains(clustered):
    assert not false_on([law, gap, watched_gap], survey(clustered, 2, 2000))


@given(data=st.data())
@settings(max_examples=60, derandomize=True)
def test_holds_on_drawn_chains(data, drawn):
    chain = drawn(data, reversible=data.draw(st.booleans()))
    C = data.draw(st.sets(st.sampled_from(range(chain.size)), min_size=2))
    cut = data.draw(st.integers(1, chain.size - 1))
    clusters = [range(cut), range(cut, chain.size)]
    assert not false_on([law, gap, watched_gap], [(chain, clusters, C)])


def test_the_complement_is_stochastic_irreducible_and_as_reversible(chains, clustered):
    for chain, _, C in survey(clustered, 3, 60):
        C = sorted(C)
        watched = chain.watched(C)
        expected = by_definition(clustered.matrix(chain), C)
        assert clustered.matrix(watched) == pytest.approx(expected, abs=1e-9)
        assert FiniteChain(watched.rows).law == watched.law  # the former is computed from the rows
        try:
            reversible.check(chain, {})
        except ValueError:
            continue
        reversible.check(watched, {})


def test_law_of_the_matrix_of_courtois(chains):
    # Published in decimals: Courtois 1977.
    rows = [
        [0.85, 0, 0.149, 0.0009, 0, 0.00005, 0, 0.00005],
        [0.1, 0.65, 0.249, 0, 0.0009, 0.00005, 0, 0.00005],
        [0.1, 0.8, 0.0996, 0.0003, 0, 0, 0.0001, 0],
        [0, 0.0004, 0, 0.7, 0.2995, 0, 0.0001, 0],
        [0.0005, 0, 0.0004, 0.399, 0.6, 0.0001, 0, 0],
        [0, 0.00005, 0, 0, 0.00005, 0.6, 0.2499, 0.15],
        [0.00003, 0, 0.00003, 0.00004, 0, 0.1, 0.8, 0.0999],
        [0, 0.00005, 0, 0, 0.00005, 0.1999, 0.25, 0.55],
    ]
    published = [0.08928, 0.09276, 0.04049, 0.15853, 0.11894, 0.12039, 0.27780, 0.10182]
    clusters = [[0, 1, 2], [3, 4], [5, 6, 7]]
    found = module.uncoupled_law(FiniteChain.of_rows(rows), clusters)
    assert found == pytest.approx(published, abs=1e-5)


def test_the_lazy_star_attains_the_gap(clustered):
    chain = clustered.lazy_star(4)
    upper = gap(chain, C=range(1, 5)).upper
    assert upper == pytest.approx(0.5)
    assert clustered.gap(chain) == pytest.approx(0.5)


def test_one_gate_attains_the_lower_side(clustered):
    chain, clusters = clustered.dumbbell(F(1, 3), F(1, 2), F(1, 4))
    for C in clusters:
        exact = clustered.gap(chain.watched(C))
        assert watched_gap(chain, C=C).lower == pytest.approx(float(exact), rel=1e-8)


def exchange(chance):
    """States 0 and 1, left alike; what leaves 0 for 2 goes on to 1, and the other way by 3."""
    return FiniteChain.of_rows(
        [{1: F(1, 3), 2: chance}, {0: F(1, 3), 3: chance}, {1: F(1, 2)}, {0: F(1, 2)}]
    )


def test_an_exchange_attains_the_upper_side(clustered):
    chance = F(1, 5)
    chain = exchange(chance)
    value = watched_gap(chain, C=[0, 1])
    assert value.upper == pytest.approx(float(F(2, 3) + 2 * chance), rel=1e-8)
    assert clustered.gap(chain.watched([0, 1])) == pytest.approx(float(value.upper), rel=1e-8)


@pytest.mark.parametrize(
    ("bound", "side"), [(gap, "upper"), (watched_gap, "lower"), (watched_gap, "upper")]
)
def test_a_planted_factor_is_caught(chains, clustered, bound, side):
    dumbbell, clusters = clustered.dumbbell(F(1, 3), F(1, 2), F(1, 4))
    case = {
        (gap, "upper"): (clustered.lazy_star(4), None, range(1, 5)),
        (watched_gap, "lower"): (dumbbell, None, clusters[0]),
        (watched_gap, "upper"): (exchange(F(1, 5)), None, [0, 1]),
    }[bound, side]
    assert not false_on([bound], [case])
    assert false_on([chains.tightened(bound, side, F(1, 10**4))], [case])


def test_a_planted_law_is_caught(clustered, monkeypatch):
    # The restrictions in place of the complements: Simon and Ando's approximation, not the law.
    cases = list(survey(clustered, 4, 40))

    def planted(chain, clusters):
        parts = [restriction(chain, cluster).rows for cluster in clusters]
        return module.coupled_law(chain, clusters, [FiniteChain(rows).law for rows in parts])

    monkeypatch.setattr(module, "uncoupled_law", planted)
    assert sum(bool(safe(case)) for case in cases) > 10


def safe(case):
    try:
        return false_on([law], [case])
    except ValueError:  # a restriction that is not irreducible
        return []


def test_false_for_the_eigenvalues_of_a_chain_that_is_not_reversible(chains):
    chain = chains.de_bruijn(3)
    C = [0, 2, 5, 7]
    whole, watched = (
        1 - np.sort(np.linalg.eigvals(chains.matrix(c)).real)[-2] for c in (chain, chain.watched(C))
    )
    assert whole > watched + 0.1
    assert not false_on([gap], [(chain, None, C)])


def test_the_rate_of_leaving_counts_the_exits_of_the_reversal(clustered, monkeypatch):
    # What enters {0, 1} by a rare state leaves it from a common one.
    chain = FiniteChain.of_rows([{1: F(1, 100), 2: F(1, 50)}, {0: F(1, 2)}, {1: F(1, 2)}])
    case = chain, None, [0, 1]
    assert not false_on([watched_gap], [case])
    exits = leaving(chain, [{0, 1}, {2}])
    monkeypatch.setattr(module, "leaving", lambda *given: exits)
    assert false_on([watched_gap], [case])


def test_no_identity_without_irreducibility(chains, refused):
    # Two laws are stationary, and the complements, the restrictions, are the same for both.
    half = F(1, 2)
    rows, clusters = [{1: half}, {0: half}, {3: half}, {2: half}], [[0, 1], [2, 3]]
    for weight in (F(1, 3), F(1, 4)):
        whole = [weight / 2] * 2 + [(1 - weight) / 2] * 2
        chain = FiniteChain.of_rows(rows, whole)
        refused(law, "irreducible", chain, clusters=clusters, state=0)
        refused(gap, "irreducible", chain, C=[0, 1])
        refused(watched_gap, "irreducible", chain, C=[0, 1])
        assert chain.law[0] == weight / 2
    matrix = chains.matrix(chain)
    with pytest.raises(np.linalg.LinAlgError):  # no complement either: I - P_** has no inverse
        by_definition(matrix, [0, 1])


def test_refuses_other_data(clustered, refused):
    chain, clusters = clustered.dumbbell(F(1, 3), F(1, 2), F(1, 4))
    for C in ([0], [], [0, 9]):
        refused(gap, "C has two states", chain, C=C)
        refused(watched_gap, "C has two states", chain, C=C)
    refused(law, "state is a state", chain, clusters=clusters, state=4)
    refused(law, "clusters partition the states", chain, clusters=[[0], [1, 2]], state=0)
    assert replace(law, hypotheses=())(chain, clusters=clusters, state=3).lower == chain.law[3]
