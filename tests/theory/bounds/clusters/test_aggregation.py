"""Errors of aggregation: of stationary laws and of hitting times."""

import random
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from theory.bounds import aggregation as module
from theory.bounds.aggregation import (
    aggregated_law,
    entrance_laws,
    hitting_time,
    hitting_time_by_commuting,
    law_error,
    perturbation,
    sensitivity,
)
from theory.bounds.base import FiniteChain, HypothesisFails, mean_hitting_times
from theory.bounds.common import aggregated, conditioned, place

F = Fraction
TIMES = [hitting_time, hitting_time_by_commuting]


def distance(a, b):
    return sum(abs(p - q) for p, q in zip(a, b, strict=True))


def mean_time(chain, start, target):
    """The mean hitting time itself, exact."""
    times = mean_hitting_times(chain, target)
    law = {start: 1} if isinstance(start, int) else start
    return sum(p * times[x] for x, p in law.items())


def group_inverse(matrix):
    """(I - P + 1 pi)^-1 - 1 pi."""
    size = len(matrix)
    equations = np.vstack([(np.eye(size) - matrix).T, np.ones(size)])
    law = np.linalg.lstsq(equations, np.eye(size + 1)[-1], rcond=None)[0]
    projection = np.ones((size, 1)) * law
    return np.linalg.inv(np.eye(size) - matrix + projection) - projection


# ---------------------------------------------------------------- sensitivity
def disturbed(rng, chain):
    """Another irreducible chain on the same states, near by or not."""
    part = F(1, rng.choice([2, 10, 1000]))
    rows = []
    for x, row in enumerate(chain.rows):
        drawn = [rng.randint(0, 5) if y != x else 0 for y in chain.states]
        total = sum(drawn) or 1
        rows.append(
            {
                y: (1 - part) * row.get(y, 0) + part * F(drawn[y], total)
                for y in chain.states
                if y != x
            }
        )
    return FiniteChain.of_rows(rows)


def perturbations(clustered, seed, count):
    rng = random.Random(seed)
    for _ in range(count):
        chain, _ = clustered.draw(rng)
        other = disturbed(rng, chain)
        yield chain, {"other": other}, distance(chain.law, other.law)


def extreme(rng, size):
    """A chain and one whose rows are moved alike, along the farthest rows of the group inverse."""
    drawn = [[rng.randint(1, 9) for _ in range(size)] for _ in range(size)]
    other = FiniteChain.of_rows([[F(w, sum(row)) for w in row] for row in drawn])
    inverse = group_inverse(np.array([[w / sum(row) for w in row] for row in drawn]))
    far = np.abs(inverse[:, None] - inverse[None]).sum(axis=2)
    i, j = (int(n) for n in np.unravel_index(far.argmax(), far.shape))
    shift = min(F(row[i], sum(row)) for row in drawn) / 2
    rows = [[F(w, sum(row)) for w in row] for row in drawn]
    for row in rows:
        row[i] -= shift
        row[j] += shift
    chain = FiniteChain.of_rows(rows)
    return chain, {"other": other}, distance(chain.law, other.law)


def test_sensitivity_is_that_of_the_group_inverse(clustered):
    rng = random.Random(1)
    for _ in range(60):
        chain, _ = clustered.draw(rng)
        inverse = group_inverse(clustered.matrix(chain))
        expected = np.abs(inverse[:, None] - inverse[None]).sum(axis=2).max() / 2
        assert float(sensitivity(chain)) == pytest.approx(expected, rel=1e-6)


def test_perturbation_holds_on_random_chains(chains, clustered):
    cases = list(perturbations(clustered, 2, 150))
    assert not chains.violations(perturbation, cases, 0)


@pytest.mark.slow
def test_perturbation_holds_on_thousands_of_random_chains(chains, clustered):
    assert not chains.violations(perturbation, perturbations(clustered, 3, 2000), 0)


def test_perturbation_is_attained_by_every_positive_chain(chains):
    rng = random.Random(4)
    for _ in range(40):
        case = extreme(rng, rng.randint(2, 5))
        assert perturbation(case[0], **case[1]).upper == case[2]
        assert chains.violations(chains.tightened(perturbation, "upper", F(1, 10**9)), [case], 0)


def test_perturbation_false_where_the_other_chain_is_reducible(refused):
    half = F(1, 2)
    chain = FiniteChain.of_rows([{1: half}, {0: half}, {1: F(1, 100)}], [half, half, 0])
    other = FiniteChain.of_rows([{1: half}, {0: half}, {}], [0, 0, 1])
    refused(perturbation, "other is irreducible on the same states", chain, other=other)
    assert distance(chain.law, other.law) == 2
    # Each class of the other chain has sensitivity 1 at most, and the rows are 1/50 apart.
    inverse = group_inverse_of_pieces()
    assert np.abs(inverse[:, None] - inverse[None]).sum(axis=2).max() / 2 * (1 / 50) < 1


def group_inverse_of_pieces():
    """The group inverse of I - P for P = [[1/2, 1/2], [1/2, 1/2]] beside an absorbing state."""
    matrix = np.array([[0.5, 0.5, 0], [0.5, 0.5, 0], [0, 0, 1]])
    generator = np.eye(3) - matrix
    inverse = np.linalg.pinv(generator)  # symmetric, so the group inverse
    assert generator @ inverse @ generator == pytest.approx(generator)
    return inverse


def test_perturbation_refuses_another_size(chains, refused):
    name = "other is irreducible on the same states"
    refused(perturbation, name, chains.rotation(3), other=chains.rotation(4))


# ---------------------------------------------------------------- stationary law
def completed(rng, chain, clusters):
    """Irreducible completions of the blocks P_kk, what leaves put at random."""
    blocks = []
    for cluster in clusters:
        rows = []
        for x in cluster:
            left = sum(p for y, p in chain.rows[x].items() if y not in cluster)
            drawn = [rng.randint(1, 5) for _ in cluster]
            rows.append(
                {
                    n: chain.rows[x].get(y, 0) + left * F(drawn[n], sum(drawn))
                    for n, y in enumerate(cluster)
                    if y != x
                }
            )
        blocks.append(FiniteChain.of_rows(rows))
    return blocks


def laws(clustered, seed, count):
    rng = random.Random(seed)
    while count:
        chain, clusters = clustered.draw(rng)
        blocks = completed(rng, chain, clusters) if rng.random() < 0.6 else None
        try:
            found = aggregated_law(chain, clusters, blocks)
        except HypothesisFails:
            continue
        count -= 1
        yield chain, {"clusters": clusters, "blocks": blocks}, distance(found, chain.law)


def one_way(chance):
    """Two pairs, each left alike for the first state of the other; blocks that use the second."""
    inside = [(F(1, 3), F(1, 5)), (F(1, 3), F(1, 5))]
    rows = []
    for k, (there, back) in enumerate(inside):
        first, enter = 2 * k, 2 - 2 * k
        rows += [{first + 1: there, enter: chance}, {first: back, enter: chance}]
    blocks = [FiniteChain.of_rows([{1: there + chance}, {0: back}]) for there, back in inside]
    chain, clusters = FiniteChain.of_rows(rows), [[0, 1], [2, 3]]
    error = distance(aggregated_law(chain, clusters, blocks), chain.law)
    return chain, {"clusters": clusters, "blocks": blocks}, error


def test_law_error_holds_on_random_chains(chains, clustered):
    assert not chains.violations(law_error, laws(clustered, 5, 150), 0)


@pytest.mark.slow
def test_law_error_holds_on_thousands_of_random_chains(chains, clustered):
    assert not chains.violations(law_error, laws(clustered, 6, 2000), 0)


@given(data=st.data())
@settings(max_examples=60, derandomize=True)
def test_law_error_holds_on_drawn_chains(data, drawn, chains):
    chain = drawn(data, reversible=data.draw(st.booleans()))
    cut = data.draw(st.integers(1, chain.size - 1))
    clusters = [range(cut), range(cut, chain.size)]
    blocks = completed(random.Random(cut), chain, clusters)
    error = distance(aggregated_law(chain, clusters, blocks), chain.law)
    case = chain, {"clusters": clusters, "blocks": blocks}, error
    assert not chains.violations(law_error, [case], 0)


def test_law_error_is_attained(chains):
    for chance in (F(1, 3), F(1, 50), F(1, 10**6)):
        case = one_way(chance)
        assert law_error(case[0], **case[1]).upper == case[2]
        assert chains.violations(chains.tightened(law_error, "upper", F(1, 10**9)), [case], 0)


def test_law_error_is_of_the_order_of_the_coupling(clustered):
    bounds = [
        law_error(*pair[:1], clusters=pair[1]).upper
        for pair in (clustered.cliques("path", 3, 3, F(1, 10**n)) for n in (4, 5, 6))
    ]
    assert bounds[0] / bounds[1] == pytest.approx(10, rel=0.01)
    assert bounds[1] / bounds[2] == pytest.approx(10, rel=0.01)


def test_law_error_of_the_matrix_of_courtois():
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
    chain, clusters = FiniteChain.of_rows(rows), [[0, 1, 2], [3, 4], [5, 6, 7]]
    error = distance(aggregated_law(chain, clusters), chain.law)
    bound = law_error(chain, clusters=clusters).upper
    assert 1e-4 < error < bound < 0.05


def misjudged(rare):
    """A pair left alike, for 2 from state 0 and for 3 from the rare state 1; the block doubles 1.

    So the way to 3 is taken for twice as likely as it is, and 3 is where half of the mass lies.
    """
    chain = FiniteChain.of_rows(
        [{1: rare, 2: rare}, {0: F(1, 2), 3: rare}, {0: 1}, {0: 2 * rare**2}]
    )
    blocks = [FiniteChain.of_rows([{1: 2 * rare}, {0: F(1, 2)}]), *[FiniteChain.of_rows([{}])] * 2]
    clusters = [[0, 1], [2], [3]]
    error = distance(aggregated_law(chain, clusters, blocks), chain.law)
    return chain, {"clusters": clusters, "blocks": blocks}, error


def test_a_law_error_without_its_second_stage_is_caught(chains, monkeypatch):
    case = misjudged(F(1, 1000))
    assert not chains.violations(law_error, [case], 0)
    real = module.sensitivity
    for part in (0, F(2, 5)):
        monkeypatch.setattr(
            module, "sensitivity", lambda c, part=part: real(c) * (part if c.size == 3 else 1)
        )
        assert chains.violations(law_error, [case], 0)


def test_a_sensitivity_that_is_halved_is_caught(chains, monkeypatch):
    case = one_way(F(1, 50))
    real = module.sensitivity
    monkeypatch.setattr(module, "sensitivity", lambda chain: real(chain) / 2)
    assert chains.violations(law_error, [case], 0)


def test_law_error_false_with_blocks_that_do_not_complete(chains, refused):
    chain, data, _ = one_way(F(1, 50))
    data["blocks"] = [FiniteChain.of_rows([{1: F(1, 50)}, {0: F(1, 2)}])] * 2
    refused(law_error, "blocks complete the clusters", chain, **data)
    error = distance(aggregated_law(chain, **data), chain.law)
    assert error > law_error.formula(chain, **data).upper
    data["blocks"] = data["blocks"][:1]
    refused(law_error, "blocks complete the clusters", chain, **data)


def test_law_error_false_with_reducible_blocks(refused):
    # States 0 and 1 meet only by way of 2; as a cluster they fall apart, and each has its law.
    chain = FiniteChain.of_rows([{2: F(1, 100)}, {2: F(1, 10)}, {0: F(1, 4), 1: F(1, 4)}])
    clusters = [[0, 1], [2]]
    refused(law_error, "blocks are irreducible", chain, clusters=clusters)
    pieces = [FiniteChain.of_rows([{}, {}], law) for law in ([1, 0], [0, 1])]
    single = FiniteChain.of_rows([{}])
    found = [aggregated_law(chain, clusters, [piece, single]) for piece in pieces]
    # I - P is 0 on the pieces, and so is its group inverse: the bound would be 0 for both.
    assert distance(*found) > 1


def test_law_error_false_with_a_reducible_coupling(refused):
    half = F(1, 2)
    chain = FiniteChain.of_rows([{1: half}, {0: half}, {3: half}, {2: half}], [half, half, 0, 0])
    clusters = [[0, 1], [2, 3]]
    refused(law_error, "coupling is irreducible", chain, clusters=clusters)
    # Nothing leaves a cluster, so the bound would be 0; but (0, 0, 1/2, 1/2) is stationary too.
    with pytest.raises(HypothesisFails):
        law_error.formula(chain, clusters)


# ---------------------------------------------------------------- hitting times
def crossings(clustered, seed, count):
    """Chains, with starts and targets of every kind."""
    rng = random.Random(seed)
    for _ in range(count):
        chain, clusters = clustered.draw(rng)
        k, l = rng.sample(range(len(clusters)), 2)
        starts = [
            rng.choice(clusters[k]),
            conditioned(chain, clusters[k]),
            entrance_laws(chain, clusters)[0][k],
        ]
        some = rng.sample(clusters[l], rng.randint(1, len(clusters[l])))
        for start in starts:
            for target in (clusters[l], some):
                data = {"clusters": clusters, "start": start, "target": target}
                yield chain, data, mean_time(chain, start, target)


def test_times_hold_on_random_chains(chains, clustered):
    cases = list(crossings(clustered, 7, 40))
    for bound in TIMES:
        assert not chains.violations(bound, cases, 0)


@pytest.mark.slow
def test_times_hold_on_thousands_of_random_chains(chains, clustered):
    cases = list(crossings(clustered, 8, 1500))
    for bound in TIMES:
        assert not chains.violations(bound, cases, 0)


@given(data=st.data())
@settings(max_examples=60, derandomize=True)
def test_times_hold_on_drawn_chains(data, drawn, chains):
    chain = drawn(data, reversible=data.draw(st.booleans()))
    cut = data.draw(st.integers(1, chain.size - 1))
    given = {
        "clusters": [range(cut), range(cut, chain.size)],
        "start": data.draw(st.integers(0, cut - 1)),
        "target": {data.draw(st.integers(cut, chain.size - 1))},
    }
    case = chain, given, mean_time(chain, given["start"], given["target"])
    for bound in TIMES:
        assert not chains.violations(bound, [case], 0)


def test_times_in_floats(chains, clustered):
    for chain, data, _ in crossings(clustered, 9, 10):
        for bound in TIMES:
            exact, found = bound(chain, **data), bound(chains.floats(chain), **data)
            # The lower side is a difference, so only as accurate as its parts.
            assert found.upper == pytest.approx(float(exact.upper), rel=1e-8)
            assert found.lower == pytest.approx(float(exact.lower), abs=1e-8 * found.upper)
            assert isinstance(found.lower, float)


@pytest.mark.parametrize("graph", ["complete", "star"])
def test_one_entrance_to_each_cluster_makes_the_time_exact(clustered, graph):
    for eps in (F(9, 10), F(1, 100)):
        chain, clusters = clustered.cliques(graph, 4, 3, eps)
        time = mean_hitting_times(aggregated(chain, clusters), {2})[1]
        for bound in TIMES:
            found = bound(chain, clusters=clusters, start=3, target=clusters[2])  # state 0 of 1
            assert found.lower == found.upper == time == mean_time(chain, 3, clusters[2])


def test_single_states_make_the_time_exact(clustered):
    rng = random.Random(10)
    for _ in range(20):
        chain, _ = clustered.draw(rng)
        singles = [[x] for x in chain.states]
        for bound in TIMES:
            found = bound(chain, clusters=singles, start=0, target=[1])
            assert found.lower == found.upper == mean_time(chain, 0, [1])


def corridor():
    """A pair entered at 0 alone and left at 1 alone; the target is 2."""
    return FiniteChain.of_rows([{1: F(1, 3)}, {0: F(1, 4), 2: F(1, 5)}, {0: F(1, 7)}])


def dead_end():
    """A pair entered at 0 and left at 0, with a state 1 behind; the target is 2."""
    return FiniteChain.of_rows([{1: F(1, 3), 2: F(1, 5)}, {0: F(1, 40)}, {0: F(1, 7)}])


def one_sided(side):
    chain = corridor() if side == "lower" else dead_end()
    data = {"clusters": [[0, 1], [2]], "start": 1, "target": [2]}
    return chain, data, mean_time(chain, 1, [2])


@pytest.mark.parametrize("side", ["lower", "upper"])
def test_each_side_is_attained(chains, side):
    case = one_sided(side)
    assert getattr(hitting_time(case[0], **case[1]), side) == case[2]
    planted = chains.tightened(hitting_time, side, F(1, 10**9))
    assert chains.violations(planted, [case], 0)


@pytest.mark.parametrize("graph", ["complete", "ring", "path", "star"])
def test_the_families_follow_the_chain_of_their_clusters(clustered, graph):
    """c1 T_A <= E <= c2 T_A with c1 and c2 near 1, of an error of order eps."""
    K, M = 5, 3
    errors = []
    for eps in (F(1, 10**4), F(1, 10**6)):
        chain, clusters = clustered.cliques(graph, K, M, eps)
        end = 2 if graph == "ring" else K - 1
        start, target = M - 1 + (M if graph == "star" else 0), [end * M + M - 1]
        time = mean_hitting_times(aggregated(chain, clusters), {end})[start // M]
        for bound in TIMES:
            found = bound(chain, clusters=clusters, start=start, target=target)
            assert found.contains(mean_time(chain, start, target))
            errors.append((found.upper - found.lower) / time)
    assert max(errors[2:]) < F(1, 1000)
    assert errors[0] / errors[2] == pytest.approx(100, rel=0.05)
    assert errors[1] / errors[3] == pytest.approx(100, rel=0.05)


def test_commute_times_nearly_bound_the_times_within(clustered):
    # Almost all the time of the pair 0, 1 passes from one visit of 0 to the next.
    chain = FiniteChain.of_rows([{2: F(9, 10), 1: F(1, 100)}, {0: 1}, {0: F(1, 10**6)}])
    scale = module.commute_scale(chain, [0, 1])
    assert 0.99 < mean_time(chain, 0, [1]) / scale < 1


def caught(chains, clustered, bound=hitting_time):
    return chains.violations(bound, crossings(clustered, 11, 60), 0)


def test_an_entrance_law_of_moves_out_is_caught(chains, clustered, monkeypatch):
    assert not caught(chains, clustered)
    real = module.entrance_laws
    monkeypatch.setattr(
        module, "entrance_laws", lambda chain, clusters: real(chain.reversed(), clusters)
    )
    with pytest.raises((AssertionError, KeyError)):
        assert not caught(chains, clustered)


def test_times_within_that_are_halved_are_caught(chains, clustered, monkeypatch):
    real = module._within
    monkeypatch.setattr(module, "_within", lambda *given: real(*given) / 2)
    assert chains.violations(hitting_time, [one_sided("upper")], 0)


def test_an_error_without_the_jumps_is_caught(chains, clustered, monkeypatch):
    monkeypatch.setattr(module, "harmonic", lambda chain, boundary, source: [0] * chain.size)
    assert caught(chains, clustered)


def test_times_after_the_entry_left_out_are_caught(chains, clustered):
    def planted(chain, clusters, start, target):
        at = place(clusters)
        end = clusters[at[next(iter(target))]]
        return hitting_time.formula(chain, clusters, start, end)

    assert caught(chains, clustered, replace(hitting_time, formula=planted))


def test_a_commute_scale_without_the_mass_is_caught(chains, clustered, monkeypatch):
    real = module.commute_scale
    monkeypatch.setattr(module, "commute_scale", lambda chain, c: real(chain, c) * chain.mass(c))
    assert caught(chains, clustered, hitting_time_by_commuting)


@pytest.mark.parametrize("bound", TIMES, ids=lambda bound: bound.id)
def test_times_false_with_other_data(clustered, refused, bound):
    chain, clusters = clustered.cliques("path", 3, 3, F(1, 100))
    unguarded = replace(bound, hypotheses=())
    start_name = "start is a state or a law on one cluster"
    target_name = "target lies in one other cluster"
    broken = [
        (start_name, {0: F(1, 2), 8: F(1, 2)}, [5]),  # from the far end too
        (start_name, {0: F(1, 2)}, [5]),  # half a law
        (target_name, 8, [0, 5]),  # the nearer cluster counts
        (target_name, 1, [0]),  # in its own cluster, at the only entrance
    ]
    for name, start, target in broken:
        data = {"clusters": clusters, "start": start, "target": target}
        refused(bound, name, chain, **data)
    half = {"clusters": clusters, "start": {0: F(1, 2)}, "target": [5]}
    assert not unguarded(chain, **half).contains(mean_time(chain, {0: F(1, 2)}, [5]))
    for start, target in ((8, [0, 5]), (1, [0])):
        found = unguarded(chain, clusters=clusters, start=start, target=target)
        assert not found.contains(mean_time(chain, start, target))
    for name, start, target in ((start_name, 9, [5]), (start_name, {}, [5]), (target_name, 0, [])):
        refused(bound, name, chain, clusters=clusters, start=start, target=target)


def test_times_false_with_a_start_on_two_clusters(clustered):
    # From both ends of a lopsided path; the formula takes the start to lie where 0 lies.
    chain, clusters = clustered.cliques("path", 4, 2 + 1, F(1, 100))
    start = {0: F(1, 10), 9: F(9, 10)}
    data = {"clusters": clusters, "start": start, "target": clusters[2]}
    unguarded = replace(hitting_time, hypotheses=())
    assert not unguarded(chain, **data).contains(mean_time(chain, start, clusters[2]))


@pytest.mark.parametrize("bound", TIMES, ids=lambda bound: bound.id)
def test_no_time_without_irreducibility(refused, bound):
    # Two closed classes, each with a state in both clusters: from 0, state 3 is never hit.
    half = F(1, 2)
    chain = FiniteChain.of_rows([{2: half}, {3: half}, {0: half}, {1: half}], [F(1, 4)] * 4)
    data = {"clusters": [[0, 1], [2, 3]], "start": 0, "target": [3]}
    refused(bound, "irreducible", chain, **data)
    with pytest.raises(HypothesisFails, match=r"target is reached|irreducible"):
        bound.formula(chain, **data)


def test_refuses_what_is_no_partition(clustered, refused):
    chain, _ = clustered.cliques("path", 3, 3, F(1, 100))
    for bound, data in ((law_error, {}), *((b, {"start": 0, "target": [5]}) for b in TIMES)):
        for clusters in ([[0, 1, 2], [3, 4, 5]], [[0, 1, 2], [2, 3, 4, 5, 6, 7, 8]]):
            refused(bound, "clusters partition the states", chain, clusters=clusters, **data)
