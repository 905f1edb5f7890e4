"""R7: dimensions by enumeration and in closed form, their certificates, isomorphisms, and the run.

Statistical checks: at most 100 in all, each with a false-alarm rate of 1e-9, so 1e-7 together; the
seeds are fixed.
"""

import copy
import itertools
import json
import math
from collections import Counter
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from flint import fmpq, fmpq_mat

from numerics.algorithms.learners import answers, edges_by_weight, inputs
from numerics.algorithms.limits import (
    LEARNERS,
    Config,
    capital,
    chain_of,
    draw,
    interval,
    measure,
    report,
    run,
    search,
    segments,
)
from numerics.algorithms.task import Truth
from numerics.chain import ChainError
from theory import checker
from theory.certificates import NoProof, certify
from theory.domain import evaluate
from theory.groups import GroupError, bits, cyclic, from_table, listed, quaternion, symmetric
from theory.results.limits import (
    LEVELS,
    Instance,
    Refused,
    accuracy_bound,
    alike,
    ambiguous,
    basis_case,
    biased,
    biased_case,
    check_orthogonality,
    claims,
    correlation,
    cyclic_case,
    dimension,
    dimension_by_views,
    dimension_with_access,
    enumeration,
    fully_correlated_case,
    gram_by_enumeration,
    hypothesis_tests,
    is_isomorphism,
    isomorphism,
    neighbourhood,
    observed_case,
    on_or_off,
    one_element_case,
    orthogonality,
    seen_from_path,
    share_caught,
    structured,
    structured_count,
    structured_dimension,
    told_by_neighbourhood,
    uniform,
    uniform_case,
)

ALARM = 1e-9
FALSE_ALARMS = 1e-7  # of all random checks here
F = Fraction
SIGN = (1, -1, -1, 1, 1, -1)  # of the permutations of three points, in order
OWN = from_table("symmetric-3 on itself", symmetric(3).table)
SWAP, TURN = 2, 3  # (0 1) and a cycle of three
# Case, L by brute force, L by enumeration up to merging.
CASES = [
    *(
        (uniform_case(a), {2: 5, 3: 4, 4: 3, 5: 3, 6: 3, 8: 2, 24: 2, 120: 1}[a.order], 14)
        for a in listed().values()
    ),
    (observed_case(cyclic(2), (1, -1)), 5, 14),
    (observed_case(cyclic(3), (0, 1, -1)), 4, 14),
    (observed_case(cyclic(3), (3, -1, -2)), 4, 14),
    (observed_case(symmetric(3), (2, -1, -1)), 3, 14),
    (observed_case(symmetric(4), (0, 1, 1, -2)), 2, 14),
    (observed_case(OWN, SIGN), 3, 14),
    (biased_case(cyclic(2), F(1, 3)), 3, 14),
    (biased_case(cyclic(3), F(1, 2)), 3, 12),
    (biased_case(bits(2), F(1, 2)), 2, 10),
    (biased_case(symmetric(3), F(1, 2)), 2, 10),
    (biased_case(symmetric(4), F(1, 2)), 1, 6),
    *((cyclic_case(cyclic(m), m), 4, n) for m, n in ((2, 14), (3, 14), (4, 12), (5, 10))),
    (basis_case(bits(2), 2), 4, 14),
    (basis_case(bits(3), 3), 4, 10),
    (one_element_case(symmetric(3), SWAP), 4, 14),
    (one_element_case(symmetric(3), TURN), 4, 14),
    (one_element_case(symmetric(4), 9), 4, 10),
    (fully_correlated_case(OWN, TURN, SIGN), 4, 10),
]
IDS = [f"{case.id}{i}" for i, (case, _, _) in enumerate(CASES)]


# ---------------------------------------------------------------- dimensions
@pytest.mark.parametrize(("case", "small", "large"), CASES, ids=IDS)
def test_brute_force_equals_the_closed_form(case, small, large):
    for L in range(1, small + 1):
        gram = gram_by_enumeration(case.problem, L)
        closed = [[case.closed(s, t) for t in range(2**L)] for s in range(2**L)]
        assert gram == closed
        assert dimension(gram) == case.dimension(L)
        found = enumeration(case.problem, L)
        assert found.dimension == case.dimension(L)
        assert found.pairs == Counter(x for row in gram for x in row)
        assert found.rows == Counter(sum(map(abs, row)) for row in gram)
    for s, t in itertools.islice(itertools.product(range(2**small), repeat=2), 0, None, 7):
        assert correlation(case.problem, s, t) == gram[s][t]


@pytest.mark.parametrize(("case", "small", "large"), CASES, ids=IDS)
def test_enumeration_equals_the_closed_form_up_to_fourteen(case, small, large):
    for L in {small, (small + large) // 2, large}:
        found = enumeration(case.problem, L)
        assert sum(found.pairs.values()) == 4**L
        assert sum(found.rows.values()) == 2**L
        assert found.dimension == case.dimension(L)


@pytest.mark.slow
@pytest.mark.parametrize("case", [c for c, _, _ in CASES], ids=IDS)
def test_enumeration_equals_the_closed_form_at_every_length(case):
    for L in range(1, 15 if case.problem.action.order <= 8 else 11):
        assert enumeration(case.problem, L).dimension == case.dimension(L)


def test_the_listed_groups_are_all_there():
    ids = {case.id for case, _, _ in CASES}
    assert {f"uniform {name}" for name in listed()} <= ids
    assert len(listed()) == 11


def test_a_wrong_closed_form_is_seen():
    problem = biased(cyclic(3), F(1, 2))
    gram = gram_by_enumeration(problem, 3)
    wrong = [[F(1, 2) ** (s.bit_count() + t.bit_count()) for t in range(8)] for s in range(8)]
    assert gram != wrong
    assert dimension(gram) != F(2**3)
    assert enumeration(biased(cyclic(3), F(1, 4)), 6).dimension != enumeration(problem, 6).dimension


def test_uniform_actions_are_uncorrelated_whatever_the_table():
    """A group under other names of its elements, and any mean-zero observable."""
    rng = np.random.default_rng(4)
    for action in (quaternion(), OWN):
        names = rng.permutation(action.order).tolist()
        back = [names.index(i) for i in range(action.order)]
        table = [
            [names[action.table[back[a]][back[b]]] for b in range(action.order)]
            for a in range(action.order)
        ]
        values = rng.integers(-5, 6, size=action.order).tolist()
        values[0] -= sum(values)
        problem = uniform(from_table("renamed", table), values)
        gram = gram_by_enumeration(problem, 2)
        assert all(gram[s][t] == 0 for s in range(4) for t in range(4) if s != t)
        assert all(gram[s][s] == 1 for s in (1, 2, 3))


def test_an_observable_with_a_mean_correlates_everything():
    """Counter-example: that the observable has mean zero cannot be left out."""
    with pytest.raises(GroupError, match="mean 0"):
        uniform(cyclic(3), (1, 1, 0))
    with pytest.raises(GroupError, match="mean 0"):
        uniform(cyclic(3), (0, 0, 0))
    with pytest.raises(GroupError, match="mean 0"):
        uniform(cyclic(3), (1, -1))


def test_generators_on_or_off_may_correlate_fully():
    """Counter-examples in S_3: sets that differ, and no query tells them apart."""
    unseen = fully_correlated_case(OWN, TURN, SIGN)  # even: the sign does not see it
    assert [unseen.dimension(n) for n in (1, 5, 50)] == [1, 1, 1]
    # The first candidate fixes the base point, the second moves it.
    problem = on_or_off(symmetric(3), [1, SWAP])
    gram = gram_by_enumeration(problem, 4)
    assert gram[0][1] == gram[0b0010][0b0011] == 1
    assert gram[0b0010][0b0110] < 1
    assert dimension(gram) < 2**4
    with pytest.raises(GroupError, match="no action moves"):
        on_or_off(symmetric(3), [1])


def test_mixed_generators_by_representations():
    """Brute force against products of averages in the representation on pairs of points."""
    for action, elements in ((symmetric(3), [1, SWAP, 5]), (symmetric(4), [1, 2, 6, 23])):
        problem = on_or_off(action, elements)
        gram = gram_by_enumeration(problem, 5)
        for s, t in itertools.islice(itertools.product(range(32), repeat=2), 0, None, 5):
            assert correlation(problem, s, t) == gram[s][t]
        assert enumeration(problem, 5).dimension == dimension(gram)


def test_sets_drawn_from_a_family():
    for L in (1, 2, 5, 8, 11, 14):
        for block in (2, 3):
            families, counts = structured(L, block), structured_count(L, block)
            assert set(families) == set(counts)
            for name, family in families.items():
                assert len(set(family)) == len(family) == counts[name]
    # All pairs are uncorrelated (by enumeration), so the dimension is the number of sets.
    assert enumeration(uniform(symmetric(3)), 14).pairs == {1: 2**14, 0: 4**14 - 2**14}
    gram = gram_by_enumeration(uniform(cyclic(2)), 5)
    for name, family in structured(5).items():
        assert structured_dimension(family, lambda s, t: gram[s][t]) == structured_count(5)[name]
    growth = {name: structured_count(28)[name] / structured_count(14)[name] for name in families}
    assert growth["single"] == growth["beginning"] == 2
    assert growth["interval"] < 4
    assert growth["one in each block"] == 2**7


def test_without_decoys_nothing_is_hidden():
    """Only the candidates that may be decoys count: none, and the dimension is 1."""
    gram = gram_by_enumeration(uniform(cyclic(3)), 4)
    for sure in range(16):
        family = [s for s in range(16) if s & sure == sure]
        told = structured_dimension(family, lambda s, t: gram[s][t])
        assert told == 2 ** (4 - sure.bit_count())


def test_hypothesis_tests_by_hand():
    """SDA of uncorrelated hypotheses is floor(sqrt(d/m)); of equal ones 0 for m >= 2."""
    for d in (4, 9, 20):
        gram = [[F(s == t) for t in range(d)] for s in range(d)]
        for m in (2, 3, 4, 7):
            assert hypothesis_tests(gram, m) == math.isqrt(d // m)
        with pytest.raises(ValueError, match="no correlation"):
            hypothesis_tests(gram, 1)
    same = [[F(1)] * 5 for _ in range(5)]
    assert hypothesis_tests(same, 2) == 0
    biased_gram = gram_by_enumeration(biased(cyclic(2), F(1, 2)), 4)
    assert hypothesis_tests(biased_gram, 4) < math.isqrt(16 // 4)


# ---------------------------------------------------------------- the theorem
def queries_of(problem, L):
    """All queries with values 1 and -1, as centred vectors over (x, answer), and the hypotheses."""
    action = problem.action
    shown = list(itertools.product(*(problem.law(i) for i in range(L))))
    n = action.points
    truths = []
    for mask in range(2**L):
        told = []
        for x in shown:
            p = problem.base
            for i in range(L):
                if mask >> i & 1:
                    p = action.moves[x[i]][p]
            told.append(p)
        truths.append(told)
    for signs in itertools.product((-1, 1), repeat=len(shown) * n):
        rows = [signs[i * n : i * n + n] for i in range(len(shown))]
        yield rows, truths


def test_no_query_tells_of_more_sets_than_the_theorem_allows():
    for problem in (uniform(cyclic(2)), biased(cyclic(2), F(1, 2)), on_or_off(cyclic(3), [1])):
        L = 2
        dim = dimension(gram_by_enumeration(problem, L))
        n = problem.action.points
        worst = F(0)
        for rows, truths in itertools.islice(queries_of(problem, L), 0, 4096, 3):
            scale = sum((v - F(sum(row), n)) ** 2 for row in rows for v in row) / (len(rows) * n)
            if scale == 0:
                continue
            null = F(sum(map(sum, rows)), len(rows) * n)
            shifts = [
                (sum(row[a] for row, a in zip(rows, truth, strict=True)) / F(len(rows)) - null) ** 2
                for truth in truths
            ]
            # For every tolerance at once: the k-th largest shift.
            for k, square in enumerate(sorted(shifts, reverse=True), 1):
                if square:
                    worst = max(worst, k / F(2**L) * square * dim / ((n - 1) * scale))
        assert worst <= 1
        assert worst > F(1, 4)
    # Sharp where the hypotheses are uncorrelated: half the bound would be false.
    assert share_caught(F(4), 2, 1, F(1)) == F(1, 4)


def positive(matrix):
    """Whether a symmetric rational matrix is positive semidefinite, by its characteristic signs."""
    size = len(matrix)
    flint = fmpq_mat(size, size, [fmpq(x.numerator, x.denominator) for row in matrix for x in row])
    c = flint.charpoly()
    return all((-1) ** (size - i) * c[i] >= 0 for i in range(size + 1))


@pytest.mark.parametrize(
    "problem",
    [
        uniform(cyclic(2)),
        biased(symmetric(3), F(1, 2)),
        on_or_off(cyclic(3), [1]),
        on_or_off(bits(2), [1, 2]),
        on_or_off(symmetric(3), [1, SWAP]),
    ],
    ids=["uniform", "biased", "cyclic", "bits", "mixed"],
)
def test_the_largest_row_bounds_the_gram_matrix(problem):
    """Schur's test, the one inequality in the proof: R I - B and B are positive semidefinite."""
    gram = gram_by_enumeration(problem, 2 if problem.action.order == 6 else 3)
    row = max(sum(map(abs, line)) for line in gram)

    def below(r):
        return [[r * (i == j) - x for j, x in enumerate(line)] for i, line in enumerate(gram)]

    assert positive(below(row))
    assert positive(gram)
    assert not positive(below(F(9, 10)))


# ---------------------------------------------------------------- certificates
@pytest.mark.parametrize("action", listed().values(), ids=listed())
def test_orthogonality_for_every_length_is_certified(action):
    certificate = json.loads(json.dumps(orthogonality(uniform(action))))
    told = check_orthogonality(certificate)
    assert f"{action.order} elements" in told
    assert len(certificate["states"]) == 2  # the kernel and 0


def altered(certificate):
    """One change at a time, each of which makes the certificate false."""
    for place in ("arrows", "states", "table", "moves"):
        for i, line in enumerate(certificate[place]):
            for j in range(len(line)):
                new = copy.deepcopy(certificate)
                if place == "arrows":
                    new[place][i][j] = (line[j] + 1) % len(certificate["states"])
                elif place == "states":
                    new[place][i][j][j] = str(Fraction(line[j][j]) + 1)
                else:
                    new[place][i][j] = (line[j] + 1) % len(line)
                yield new
    for law in ([0], [1], [0, 0, 1], [0, 0, 1, 2]):
        new = copy.deepcopy(certificate)
        new["law"] = law
        yield new


def test_every_alteration_is_refused():
    certificate = orthogonality(uniform(cyclic(3)))
    count = 0
    for new in altered(certificate):
        with pytest.raises(Refused):
            check_orthogonality(new)
        count += 1
    assert count > 30


def test_no_certificate_where_hypotheses_correlate():
    with pytest.raises(GroupError, match="do not repeat"):
        orthogonality(biased(cyclic(3), F(1, 2)))
    with pytest.raises(GroupError, match="one law"):
        orthogonality(on_or_off(symmetric(3), [1, SWAP]))
    with pytest.raises(Refused, match="correlation"):
        check_orthogonality(orthogonality(fully_correlated_case(OWN, TURN, SIGN).problem))
    with pytest.raises(Refused, match="not the kernel of the whole answer"):
        check_orthogonality(orthogonality(uniform(cyclic(4), (1, 1, -1, -1))))


def test_parity_on_or_off_is_certified_too():
    """The barrier of parities: Z/2, one generator on or off, is the uniform case."""
    assert "uncorrelated" in check_orthogonality(orthogonality(on_or_off(cyclic(2), [1])))


@pytest.mark.parametrize("name", claims())
def test_claims_are_accepted_by_the_checker(name):
    claim = claims()[name]
    assert checker.check(claim.certificate) == claim.statement
    assert checker.text(claim.statement).startswith("For all ")


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("error", "r >= 4*n", "r >= 3*n"),
        ("error", "4*n*q <= r**2*t**2", "3*n*q <= r**2*t**2"),
        ("queries", "a*r >= 2", "a*r >= 1"),
        ("steps", "a*r >= 2", "a*r >= 1"),
        ("growth", "b < 1", "b <= 1"),
        ("apart", "D >= 2*r + 2", "D >= 2*r + 1"),
        ("meet", "D <= 2*r + 1", "D <= 2*r + 2"),
        ("size", "K <= L + 1", "K <= 3*L"),
    ],
)
def test_claims_with_a_weaker_fact_are_not_shown(name, old, new):
    statement = json.loads(json.dumps(claims()[name].statement).replace(old, new))
    assert statement != claims()[name].statement
    with pytest.raises((NoProof, checker.Refused)):
        certify(statement)


def test_the_bound_of_the_run_is_that_of_the_claims():
    """accuracy_bound is at most 3/(2n) where the claim says so, and is not far below."""
    for n in (2, 3, 5):
        r, t = F(4 * n), F(1, 4)
        dim, queries = r**2 * (n - 1), math.floor(r**2 * t**2 / (4 * n))
        assert accuracy_bound(dim, n, queries, t) <= 3 / (2 * n)
    assert accuracy_bound(F(1), 2, 1, F(1, 4)) == 1
    # The best guess without a query takes at each x the commonest answer over all sets.
    for action, L in ((cyclic(2), 3), (cyclic(3), 2), (symmetric(3), 2)):
        shown = inputs(action.order, L)
        every = itertools.product([False, True], repeat=L)
        told = np.array([answers(action, shown, inside) for inside in every])
        counts = [np.bincount(column, minlength=action.points).max() for column in told.T]
        best = np.mean(counts) / len(told)
        assert 1 / action.points < best <= accuracy_bound(F(2**L), action.points, 0, F(1))
    point = {"r": F(8), "t": F(1, 4), "a": F(1, 2)}
    least = evaluate(claims()["queries"].lower, point)
    assert least == 1
    assert share_caught(F(64), 2, int(least), F(1, 4)) == F(1, 4)


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


# ---------------------------------------------------------------- the run
def test_capital_is_fair_and_grows_where_the_claim_is_false():
    """Its expectation over all outcomes of eight coins is 1, so Markov's inequality applies."""
    for m in (0.2, 0.5, 0.9):
        total = np.zeros(2)
        for outcome in itertools.product((0.0, 1.0), repeat=8):
            ones = sum(outcome)
            chance = m**ones * (1 - m) ** (8 - ones)
            total += chance * np.ravel(capital(np.array(outcome), np.array([m])))
        assert total == pytest.approx([1, 1])
    more, less = capital(np.full(60, 0.9), np.array([0.5]))
    assert more[0] > 1 / ALARM
    assert less[0] < 1
    low, high = interval(np.full(40, 0.5), 0.05)
    assert low < 0.5 < high
    assert high - low < 0.2
    assert interval(np.ones(40), 0.05)[1] == 1


def beats(measured):
    """Whether accuracies show a mean above the bound, at the false-alarm rate ALARM."""
    if measured.bound >= 1:
        return False
    values, bound = np.array(measured.accuracies), np.array([measured.bound])
    return bool(capital(values, bound)[0][0] >= 1 / ALARM)


@pytest.mark.parametrize(
    ("group", "lengths", "steps"),
    [
        ("cyclic-2", (2, 6, 8), 4),
        ("cyclic-3", (2, 6), 2),
        ("symmetric-3", (2, 5), 1),
        ("bits-2", (2, 5), 1),
    ],
)
def test_no_local_learner_beats_chance_by_more_than_its_bound(group, lengths, steps):
    config = Config(
        group, lengths, steps=steps, queries=steps, tolerance=F(12, 25), replicates=30, aside=0
    )
    rng = np.random.default_rng(20)
    bounded = 0
    for length in lengths:
        for access in ("none", "path", "neighbourhood"):
            for learner in LEARNERS:
                found = measure(config, access, learner, length, 1, rng)
                assert not beats(found)
                bounded += found.bound < 0.8
    assert bounded >= 9


@pytest.mark.slow
def test_no_local_learner_beats_its_bound_at_fourteen():
    config = Config(lengths=(14,), replicates=40, aside=1)
    rng = np.random.default_rng(21)
    for access in ("path", "neighbourhood"):
        for learner in LEARNERS:
            found = measure(config, access, learner, 14, 1, rng)
            assert found.bound < 0.54
            assert not beats(found)


def test_a_learner_that_peeks_is_seen():
    """Planted: the neighbourhood of a radius that tells all, held to the bound of the path."""
    config = Config(lengths=(8,), steps=4, tolerance=F(2, 5), replicates=60)
    rng = np.random.default_rng(22)
    honest = measure(config, "path", "hidden", 8, 1, rng)
    peeking = measure(config, "neighbourhood", "linear", 8, config.falls, rng)
    assert honest.bound < 0.7
    assert not beats(honest)
    assert beats(replace(honest, accuracies=peeking.accuracies))


def test_the_barrier_falls_with_the_radius_and_not_before():
    config = Config(
        lengths=(9,), gaps=(6, 8), replicates=12, queries=8, tolerance=F(2, 5), steps=16
    )
    rng = np.random.default_rng(23)
    by_radius = {r: measure(config, "neighbourhood", "asking", 9, r, rng) for r in range(5)}
    assert [m.dimension for m in by_radius.values()] == [2**9, 2**9, 2**9, 2**4, 1]
    assert by_radius[2].mean < 0.8
    assert by_radius[4].accuracies == (1.0,) * 12
    finer = replace(config, tolerance=F(1, 10))
    for learner in LEARNERS:
        found = measure(finer, "neighbourhood", learner, 9, config.falls, rng)
        assert found.accuracies == (1.0,) * 12
    enough = replace(config, queries=2**4)
    assert measure(enough, "neighbourhood", "asking", 9, 3, rng).accuracies == (1.0,) * 12


def test_what_is_drawn():
    config = Config()
    rng = np.random.default_rng(5)
    for _ in range(30):
        given = draw(config, "none", 3, 1, rng)
        assert len(given.acts) == 5
        assert sum(given.acts) <= 3
        given = draw(config, "neighbourhood", 6, 3, rng)
        assert all(k is None or k == a for k, a in zip(given.known, given.acts, strict=True))
        assert sum(k is None for k in given.known) == len(ambiguous(config.gaps_of(6), 3))
    assert segments([True, True, None, False, True, None, None]) == [(0, 1), (2,), (4,), (5,), (6,)]
    assert segments([False, False]) == []


@pytest.mark.parametrize("group", ["cyclic-2", "symmetric-3", "symmetric-5", "quaternion"])
def test_the_learner_with_the_graph_is_exact(group):
    config = Config(group, (1,), aside=0)
    rng = np.random.default_rng(6)
    for clusters in (2, 3, 5, 8, 16, 64) if group == "symmetric-3" else (2, 5, 8):
        found = search(config, clusters, rng, edges_by_weight)
        assert found.exact == 1
        assert found.length == 2 * (clusters - 1)
        most = claims()["size"].upper
        assert found.transitions <= evaluate(most, {"L": F(found.length), "s": F(1), "D": F(8)})


def edges(task):
    return edges_by_weight(task, np.random.default_rng(0))


def test_a_search_that_misses_an_edge_is_seen():
    config = Config("cyclic-3", (1,))
    rng = np.random.default_rng(7)
    exact = [
        search(config, 5, rng, lambda task, r: frozenset(sorted(edges(task))[1:])).exact
        for _ in range(5)
    ]
    assert min(exact) < 1


SMALL = Config(
    lengths=(1, 2, 5), replicates=6, clusters=(2, 4), steps=5, queries=4, gaps=(4,), aside=1
)


def test_a_run_is_told_in_full_and_depends_on_the_seed_alone():
    seen = []
    results = [
        run(SMALL, np.random.default_rng(9), lambda done, total: seen.append((done, total)))
        for _ in range(2)
    ]
    told = [report(r).told for r in results]
    for one in told:
        for line in one["accuracy"]["graph"]:
            assert line.pop("seconds") >= 0
    assert told[0] == told[1]
    assert json.loads(json.dumps(told[0])) == told[0]
    assert set(told[0]["dimension"]) == set(told[0]["accuracy"]) == set(LEVELS)
    assert told[0]["dimension"]["none"] == {"1": 3, "2": 7, "5": 63}
    assert told[0]["dimension"]["path"] == {"1": 2, "2": 4, "5": 32}
    assert set(told[0]["dimension"]["graph"].values()) == {1}
    assert all(line["mean"] == 1 for line in told[0]["accuracy"]["graph"])
    for access in ("none", "path", "neighbourhood"):
        lines = told[0]["accuracy"][access]
        assert [(m["learner"], m["length"]) for m in lines] == [
            (learner, n) for n in (1, 2, 5) for learner in LEARNERS
        ]
        assert all(m["low"] <= m["mean"] <= m["high"] for m in lines)
    half = len(seen) // 2
    assert seen[:half] == [(i + 1, half) for i in range(half)]
    rows = dict(report(results[0]).rows)
    assert rows["group"] == "cyclic-2"
    assert any(name.startswith("graph, K = 4") for name in rows)


def test_the_figure_is_drawn():
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    drawn = report(run(SMALL, np.random.default_rng(9))).figure()
    assert [axes.get_xlabel() for axes in drawn.axes] == ["$L$", "radius, $L = 5$"]
    legend = drawn.axes[0].get_legend()
    assert legend is not None
    assert len(legend.get_texts()) >= 4
    plt.close(drawn)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"group": "cyclic-1"}, "out of range"),
        ({"group": "nothing"}, "unknown group"),
        ({"lengths": ()}, "lengths"),
        ({"lengths": (40,)}, "too long"),
        ({"group": "symmetric-5", "lengths": (3,)}, "at most 2"),
        ({"gaps": (0,)}, "gaps"),
        ({"radius": -1}, "radius"),
        ({"steps": 0}, "steps"),
        ({"queries": 0}, "queries"),
        ({"tolerance": F(1, 2)}, "tolerance"),
        ({"epsilon": F(1, 2)}, "epsilon"),
        ({"clusters": (1,)}, "clusters"),
    ],
)
def test_settings_out_of_range_are_refused(change, reason):
    with pytest.raises(ChainError, match=reason) as failure:
        Config(**change)
    assert "\n" not in str(failure.value)
