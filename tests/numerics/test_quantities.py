"""Quantities by both routes: against each other, their definitions, and published facts."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import chain as joined
from itertools import combinations, pairwise, product
from math import comb, cos, pi

import numpy as np
import pytest

from numerics import elimination, exact, quantities, spectrum
from numerics.chain import Chain, ChainError
from numerics.quantities import Answer, Method

ClusterRow = Callable[[Sequence[int], Fraction, int], Chain]
GraphWalk = Callable[[int, Iterable[tuple[int, int]]], Chain]
METHODS: tuple[Method, ...] = ("exact", "float")


def from_weights(weights: Sequence[Sequence[Fraction]]) -> Chain:
    """The chain that moves in proportion to the weights of a row, its diagonal included."""
    size = len(weights)
    return Chain.from_entries(
        map(str, range(size)),
        [(i, j, w / sum(row)) for i, row in enumerate(weights) for j, w in enumerate(row) if w],
    )


def dense(size: int, seed: int) -> Chain:
    rng = np.random.default_rng(seed)
    return from_weights(
        [[Fraction(int(w)) for w in rng.integers(1, 30, size)] for _ in range(size)]
    )


def sparse(size: int, seed: int) -> Chain:
    """Irreducible, not reversible, with few transitions and hardly a loop."""
    rng = np.random.default_rng(seed)
    weights = rng.integers(1, 30, (size, size)) * (rng.random((size, size)) < 0.3)
    for i in range(size):
        weights[i, i] *= rng.random() < 0.2
        weights[i, (i + 1) % size] += 1
    return from_weights([[Fraction(int(w)) for w in row] for row in weights])


def reversible(size: int, epsilon: Fraction, seed: int) -> Chain:
    """Three clusters with symmetric random weights; those into the n-th are of order epsilon^n."""
    rng = np.random.default_rng(seed)
    weights = [[Fraction(0)] * size for _ in range(size)]
    for i, j in combinations(range(size), 2):
        apart = 3 * j // size - 3 * i // size
        weight = Fraction(int(rng.integers(1, 30)))
        if apart:
            weight *= epsilon ** (3 * j // size) if rng.random() < 0.5 else 0
        weights[i][j] = weights[j][i] = weight
    weights[0][-1] = weights[-1][0] = epsilon**2
    for i in range(size):
        weights[i][i] = Fraction(int(rng.integers(1, 30)))
    return from_weights(weights)


def floats(size: int, seed: int) -> Chain:
    rng = np.random.default_rng(seed)
    rates = rng.random((size, size)) / size * 10.0 ** -rng.integers(0, 14, (size, size))
    source, target = np.nonzero(~np.eye(size, dtype=bool))
    return Chain.from_floats(map(str, range(size)), source, target, rates[source, target])


def cycle(size: int, forward: Fraction, back: Fraction) -> Chain:
    ahead = [(i, (i + 1) % size, forward) for i in range(size)]
    behind = [(i, (i - 1) % size, back) for i in range(size)]
    return Chain.from_entries(map(str, range(size)), ahead + behind)


def transition(chain: Chain) -> np.ndarray:
    rates = chain.rates()
    np.fill_diagonal(rates, 1.0 - rates.sum(axis=1))
    return rates


def numbers(answer: Answer) -> list:
    """The numbers of an answer, whatever its kind."""
    if isinstance(answer.value, Chain):
        n = answer.value.size
        rows = [[Fraction(0)] * n for _ in range(n)]
        for i, j, p in answer.value.exact_entries():
            rows[i][j] = p
        return [*joined(*rows)]
    return [*answer.value] if isinstance(answer.value, tuple) else [answer.value]


def check(answer: Answer, reference: Answer) -> None:
    """Within the bound that comes with it, and far better in practice."""
    error = worst_error(answer, reference)
    assert answer.relative_error_bound is not None
    assert error <= answer.relative_error_bound < 1e-12
    assert error < 3e-15


def worst_error(answer: Answer, reference: Answer) -> float:
    """Largest relative error; zeros must agree."""
    worst = Fraction(0)
    for value, true in zip(numbers(answer), numbers(reference), strict=True):
        assert isinstance(true, Fraction)
        if true == 0:
            assert value == 0
        else:
            worst = max(worst, abs(Fraction(value) - true) / true)
    return float(worst)


def flattened(answer: Answer) -> Answer:
    return Answer(tuple(joined(*answer.value)), answer.relative_error_bound)


# ---------------------------------------------------------------- the two routes
Call = Callable[[Chain, Method], Answer]
ANY: dict[str, Call] = {
    "second moments": lambda c, m: quantities.second_moments(c, [c.size - 1, 2], m),
    "committor": lambda c, m: quantities.committor(c, [1, 2], [0, c.size - 1], m),
    "absorption": lambda c, m: flattened(
        quantities.absorption_probabilities(c, [0, 3, c.size - 1], m)
    ),
    "mean visits": lambda c, m: quantities.mean_visits(c, 1, [0, c.size - 1], m),
    "aggregated matrix": lambda c, m: quantities.aggregated_matrix(
        c, [range(3), range(3, 5), range(5, c.size)], m
    ),
    "second moments to one": lambda c, m: quantities.second_moments(c, [0], m),
    "return": lambda c, m: quantities.return_second_moment(c, 1, m),
    "generating function": lambda c, m: quantities.generating_function(c, [0], Fraction(2, 3), m),
    "generating function near 1": lambda c, m: quantities.generating_function(
        c, [0, 3], 1 - Fraction(1, 10**13), m
    ),
    "exit": lambda c, m: quantities.generating_function(
        c, quantities.outside(c, range(4)), Fraction(99, 100), m
    ),
    "Kemeny": lambda c, m: quantities.kemeny_constant(c, m),
    "complement": lambda c, m: quantities.stochastic_complement(c, range(4), m),
    "trace": lambda c, m: quantities.stochastic_complement(c, [1, 4, 8], m),
    "whole": lambda c, m: quantities.stochastic_complement(c, range(c.size), m),
    "escape": lambda c, m: quantities.escape_probability(c, 0, [c.size - 1], m),
    "escape to a set": lambda c, m: quantities.escape_probability(c, 5, [0, 8], m),
    "metastability": lambda c, m: quantities.metastability_ratio(c, [1, 4, 8], m),
    "conductance": lambda c, m: quantities.conductance(c, m),
}
REVERSIBLE: dict[str, Call] = {
    "capacity": lambda c, m: quantities.capacity(c, [0, 5], [c.size - 1, 1], m),
    "capacity of halves": lambda c, m: quantities.capacity(c, range(5), range(5, c.size), m),
    "resistance": lambda c, m: quantities.effective_resistance(c, 0, c.size - 1, m),
}


@pytest.mark.parametrize("quantity", ANY)
@pytest.mark.parametrize("exponent", [1, 6, 12, 40, 120])
def test_routes_agree_at_any_epsilon(quantity: str, exponent: int, cluster_row: ClusterRow) -> None:
    chain = cluster_row((4, 4, 3), Fraction(1, 10**exponent), exponent)
    check(ANY[quantity](chain, "float"), ANY[quantity](chain, "exact"))


@pytest.mark.parametrize("quantity", ANY)
@pytest.mark.parametrize(
    "chain",
    [dense(9, 0), dense(14, 1), sparse(9, 2), sparse(14, 3), floats(10, 4), floats(13, 5)],
    ids=["dense9", "dense14", "sparse9", "sparse14", "floats10", "floats13"],
)
def test_routes_agree_on_chains_of_many_kinds(quantity: str, chain: Chain) -> None:
    check(ANY[quantity](chain, "float"), ANY[quantity](chain, "exact"))


@pytest.mark.parametrize("quantity", REVERSIBLE)
@pytest.mark.parametrize("exponent", [0, 2, 12, 80])
def test_routes_agree_on_reversible_chains(quantity: str, exponent: int) -> None:
    chain = reversible(12, Fraction(1, 10**exponent), exponent)
    check(REVERSIBLE[quantity](chain, "float"), REVERSIBLE[quantity](chain, "exact"))


def blurred(blur: float, signs: Sequence[int], seed: int) -> type:
    """An elimination that is wrong by up to `blur` in every number, and says so."""
    rng = np.random.default_rng(seed)

    class Blurred(elimination.Elimination):
        def _solution(self, *arguments):
            found = super()._solution(*arguments)
            noise = 1 + blur * rng.choice(signs, found.mantissa.shape)
            bound = (1 + 1e-9) * blur
            return replace(found, mantissa=found.mantissa * noise, relative_error_bound=bound)

    return Blurred


@pytest.mark.parametrize("quantity", [*ANY, *REVERSIBLE])
@pytest.mark.parametrize("signs", [(-1,), (1,), (-1, 1)])
def test_error_bounds_are_compounded(
    quantity: str, signs: Sequence[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    chain = reversible(9, Fraction(1, 10), 0)
    call = {**ANY, **REVERSIBLE}[quantity]
    monkeypatch.setattr(elimination, "Elimination", blurred(1e-3, signs, 0))
    found = call(chain, "float")
    assert found.relative_error_bound is not None
    assert worst_error(found, call(chain, "exact")) <= found.relative_error_bound < 4.5e-3


@pytest.mark.parametrize("exponent", [1, 12, 120])
def test_kernels_keep_to_their_bounds(exponent: int, cluster_row: ClusterRow) -> None:
    chain = cluster_row((4, 6, 5), Fraction(1, 10**exponent), exponent)
    for y, times in enumerate(elimination.hitting_matrix(chain)):
        found = Answer(times.numbers(), times.relative_error_bound)
        check(found, Answer(exact.mean_hitting_times(chain, [y]), 0.0))
    escapes = elimination.escape_probabilities(chain, [0, 4, 10])
    visits = exact.expected_visits(chain, [0, 4, 10])
    found = Answer(escapes.numbers(), escapes.relative_error_bound)
    check(found, Answer(tuple(1 / n if n else Fraction(0) for n in visits), 0.0))


@pytest.mark.parametrize("exponent", [0, 2, 12, 80])
def test_all_relaxation_rates_are_accurate_however_far_they_spread(exponent: int) -> None:
    chain = reversible(12, Fraction(1, 10**exponent), exponent)
    found = quantities.relaxation_rates(chain, 12)
    reference = quantities.relaxation_rates(chain, 12, "exact")
    assert reference.relative_error_bound is not None
    assert reference.relative_error_bound < 1e-30
    assert worst_error(found, reference) < 1e-14
    assert found.value[0] == 0
    assert found.value[1] == pytest.approx(spectrum.spectral_gap(chain), rel=1e-13, abs=0)
    if exponent == 80:
        assert found.value[1] < 1e-150 < found.value[2] < 1e-70 < 0.1 < found.value[3]


@pytest.mark.parametrize("exponent", [1, 12, 40])
def test_gaps_of_chains_that_are_not_reversible(exponent: int, cluster_row: ClusterRow) -> None:
    chain = cluster_row((4, 4, 3), Fraction(1, 10**exponent), exponent)
    found = quantities.additive_gap(chain)
    assert worst_error(found, quantities.additive_gap(chain, "exact")) < 1e-14
    cluster = exact.watched(chain, range(4))
    gap = quantities.pseudo_spectral_gap(cluster)
    assert worst_error(gap, quantities.pseudo_spectral_gap(cluster, "exact")) < 1e-14
    assert float(gap.value) > 0.1


@pytest.mark.parametrize("exponent", [1, 2])
def test_pseudo_gap_of_a_nearly_decomposable_chain(exponent: int, cluster_row: ClusterRow) -> None:
    chain = cluster_row((4, 3, 3), Fraction(1, 10**exponent), exponent)
    found = quantities.pseudo_spectral_gap(chain)
    assert worst_error(found, quantities.pseudo_spectral_gap(chain, "exact")) < 1e-13


# ---------------------------------------------------------------- moments and transforms
def survival(chain: Chain, targets: Sequence[int], steps: int) -> np.ndarray:
    """P_x(tau > t) for each state x (columns) and t < steps (rows), by powers."""
    inside = transition(chain)
    inside[:, list(targets)] = 0.0
    alive = np.ones(chain.size)
    alive[list(targets)] = 0.0
    rows = []
    for _ in range(steps):
        rows.append(alive)
        alive = inside @ alive
        alive[list(targets)] = 0.0
    return np.array(rows)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("chain", [dense(7, 0), sparse(7, 1)], ids=["dense", "sparse"])
def test_moments_and_transform_are_sums_over_the_law_of_the_time(
    chain: Chain, method: Method
) -> None:
    alive = survival(chain, [0, 2], 3000)
    assert alive[-1].max() < 1e-30
    t = np.arange(len(alive))[:, None]
    second = numbers(quantities.second_moments(chain, [0, 2], method))
    np.testing.assert_allclose(
        np.array(second, dtype=float), ((2 * t + 1) * alive).sum(axis=0), rtol=1e-12
    )
    for s in (Fraction(1, 7), Fraction(9, 10)):
        found = numbers(quantities.generating_function(chain, [0, 2], s, method))
        # sum of s^t P(tau = t) = 1 - (1 - s) sum of s^t P(tau > t)
        expected = 1 - (1 - float(s)) * (float(s) ** t * alive).sum(axis=0)
        np.testing.assert_allclose(np.array(found, dtype=float), expected, rtol=1e-12)


@pytest.mark.parametrize("exponent", [1, 12])
def test_second_moment_is_the_curvature_of_the_generating_function(
    exponent: int, cluster_row: ClusterRow
) -> None:
    chain = cluster_row((4, 3), Fraction(1, 10**exponent), 1)
    step = Fraction(1, 10**80)
    at = quantities.generating_function(chain, [0], 1 - step, "exact").value
    means = exact.mean_hitting_times(chain, [0])
    moments = quantities.second_moments(chain, [0], "exact").value
    for g, mean, moment in zip(at[1:], means[1:], moments[1:], strict=True):
        factorial = 2 * (Fraction(g) - 1 + step * mean) / step**2
        assert float((factorial + mean) / Fraction(moment)) == pytest.approx(1, rel=1e-15)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("p", [Fraction(1, 3), Fraction(1, 10**30), Fraction(1)])
def test_geometric_time(p: Fraction, method: Method) -> None:
    chain = Chain.from_entries("ab", [(0, 1, p), (1, 0, Fraction(1, 2))])
    second = quantities.second_moments(chain, [1], method).value
    assert float(second[0]) == pytest.approx(float((2 - p) / p**2), rel=1e-14, abs=0)
    assert second[1] == 0
    s = Fraction(3, 4)
    at = quantities.generating_function(chain, [1], s, method).value
    assert float(at[0]) == pytest.approx(float(p * s / (1 - (1 - p) * s)), rel=1e-14, abs=0)
    assert at[1] == 1


@pytest.mark.parametrize("chain", [dense(6, 3), sparse(7, 4)], ids=["dense", "sparse"])
def test_second_moment_of_the_return_time_after_kac(chain: Chain) -> None:
    law = exact.stationary(chain)
    for state in range(chain.size):
        mean = sum(
            p * h for p, h in zip(law, exact.mean_hitting_times(chain, [state]), strict=True)
        )
        found = quantities.return_second_moment(chain, state, "exact").value
        assert found == (2 * mean + 1) / law[state]


def test_return_to_a_state_that_is_not_left() -> None:
    chain = Chain.from_entries("ab", [(1, 0, Fraction(1, 2))])
    assert quantities.return_second_moment(chain, 0, "exact").value == 1
    assert quantities.return_second_moment(chain, 0).value == 1


# ---------------------------------------------------------------- Kemeny's constant
@pytest.mark.parametrize(
    "chain",
    [dense(8, 0), sparse(9, 1), reversible(9, Fraction(1, 50), 2)],
    ids=["dense", "sparse", "reversible"],
)
def test_kemeny_from_every_start_and_from_eigenvalues(chain: Chain) -> None:
    found = quantities.kemeny_constant(chain, "exact").value
    law = exact.stationary(chain)
    columns = [exact.mean_hitting_times(chain, [y]) for y in range(chain.size)]
    for x in range(chain.size):
        assert sum(p * column[x] for p, column in zip(law, columns, strict=True)) == found
    others = spectrum.eigenvalues(chain)[1:]
    assert float(found) == pytest.approx((1 / (1 - others)).sum().real, rel=1e-11)


def hypercube(dimension: int) -> list[tuple[int, int]]:
    pairs = product(range(2**dimension), range(dimension))
    return [(i, i | 1 << bit) for i, bit in pairs if not i >> bit & 1]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("n", [4, 7])
def test_kemeny_of_graphs(n: int, method: Method, graph_walk: GraphWalk) -> None:
    def kemeny(size: int, edges: Iterable[tuple[int, int]]) -> float:
        return float(quantities.kemeny_constant(graph_walk(size, edges), method).value)

    around = [(i, (i + 1) % n) for i in range(n)]
    assert kemeny(n, combinations(range(n), 2)) == pytest.approx((n - 1) ** 2 / n, rel=1e-14)
    assert kemeny(n, around) == pytest.approx((n**2 - 1) / 6, rel=1e-14)
    assert kemeny(n, [(0, leaf) for leaf in range(1, n)]) == pytest.approx(n - 1.5, rel=1e-14)
    path = sum(1 / (1 - cos(pi * k / (n - 1))) for k in range(1, n))
    assert kemeny(n, pairwise(range(n))) == pytest.approx(path, rel=1e-13)
    cube = sum(comb(4, k) * 4 / (2 * k) for k in range(1, 5))
    assert kemeny(16, hypercube(4)) == pytest.approx(cube, rel=1e-14)


# ---------------------------------------------------------------- watched chains
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("states", [[0], [1, 4, 8], range(4), range(9)])
def test_complement_by_its_formula_and_meyer(states: Sequence[int], method: Method) -> None:
    chain = sparse(9, 5)
    kept, rest = list(states), [i for i in range(9) if i not in states]
    found = quantities.stochastic_complement(chain, kept, method).value
    p = transition(chain)
    inverse = np.linalg.inv(np.eye(len(rest)) - p[np.ix_(rest, rest)])
    expected = p[np.ix_(kept, kept)] + p[np.ix_(kept, rest)] @ inverse @ p[np.ix_(rest, kept)]
    np.testing.assert_allclose(transition(found), expected, rtol=1e-12, atol=1e-15)
    assert found.states == tuple(chain.states[i] for i in kept)
    if method == "exact":
        law = exact.stationary(chain)
        mass = sum(law[i] for i in kept)
        assert exact.stationary(found) == tuple(law[i] / mass for i in kept)


def test_watching_twice_is_watching_once(cluster_row: ClusterRow) -> None:
    chain = cluster_row((4, 3, 3), Fraction(1, 1000), 3)
    some = exact.watched(chain, [0, 2, 5, 6, 9])
    once, twice = exact.watched(chain, [2, 6, 9]), exact.watched(some, [1, 3, 4])
    assert [*twice.exact_entries()] == [*once.exact_entries()]
    assert twice.states == once.states


def test_trace_of_a_reversible_chain_is_reversible() -> None:
    chain = reversible(12, Fraction(1, 10**9), 1)
    representatives = [1, 6, 10]
    trace = exact.watched(chain, representatives)
    law = exact.reversible_law(chain)
    mass = sum(law[i] for i in representatives)
    assert exact.reversible_law(trace) == tuple(law[i] / mass for i in representatives)


# ---------------------------------------------------------------- escape and capacity
@pytest.mark.parametrize("chain", [dense(7, 6), sparse(8, 7)], ids=["dense", "sparse"])
def test_escape_probability_and_commute_time(chain: Chain) -> None:
    law = exact.stationary(chain)
    there = [exact.mean_hitting_times(chain, [y]) for y in range(chain.size)]
    for x, y in product(range(chain.size), repeat=2):
        if x != y:
            commute = there[y][x] + there[x][y]
            found = quantities.escape_probability(chain, x, [y], "exact").value
            assert found == 1 / (law[x] * commute)


def test_escape_to_a_set_by_walking() -> None:
    chain = sparse(8, 8)
    walk = transition(chain)
    mass = walk[3].copy()
    reached = 0.0
    for _ in range(4000):
        reached += mass[[0, 6]].sum()
        mass[[0, 3, 6]] = 0.0
        mass = mass @ walk
    for method in METHODS:
        found = quantities.escape_probability(chain, 3, [0, 6], method).value
        assert float(found) == pytest.approx(reached, rel=1e-12)


@pytest.mark.parametrize("exponent", [1, 12])
def test_capacity_is_symmetric_monotone_and_one_over_commute_time(exponent: int) -> None:
    chain = reversible(9, Fraction(1, 10**exponent), exponent)
    there, back = (exact.mean_hitting_times(chain, [y]) for y in (8, 0))
    resistance = quantities.effective_resistance(chain, 0, 8, "exact").value
    assert resistance == there[0] + back[8]
    a, b = [0, 3], [8, 2]
    cap = quantities.capacity(chain, a, b, "exact").value
    assert cap == quantities.capacity(chain, b, a, "exact").value
    assert cap < quantities.capacity(chain, [*a, 4], b, "exact").value
    # Dirichlet's principle: any other function from 1 on A to 0 on B has a larger form.
    law = exact.reversible_law(chain)
    rng = np.random.default_rng(0)
    for _ in range(5):
        h = [Fraction(int(v), 10) for v in rng.integers(0, 11, chain.size)]
        for i in range(chain.size):
            h[i] = Fraction(1) if i in a else Fraction(0) if i in b else h[i]
        form = sum(law[i] * p * (h[i] - h[j]) ** 2 for i, j, p in chain.exact_entries()) / 2
        assert form > cap


@pytest.mark.parametrize("method", METHODS)
def test_resistance_of_graphs(method: Method, graph_walk: GraphWalk) -> None:
    def resistance(size: int, edges: Iterable[tuple[int, int]], x: int, y: int) -> float:
        chain = graph_walk(size, edges)
        return float(quantities.effective_resistance(chain, x, y, method).value)

    n = 7
    for d in range(1, n):
        around = [(i, (i + 1) % n) for i in range(n)]
        assert resistance(n, around, 0, d) == pytest.approx(2 * d * (n - d), rel=1e-14)
        assert resistance(n, pairwise(range(n)), 0, d) == pytest.approx(2 * (n - 1) * d, rel=1e-14)
    complete = resistance(n, combinations(range(n), 2), 1, 2)
    assert complete == pytest.approx(2 * (n - 1), rel=1e-14)
    for dimension, time in ((2, 4), (3, 10), (4, 64 / 3)):
        size = 2**dimension
        there_and_back = resistance(size, hypercube(dimension), 0, size - 1)
        assert there_and_back == pytest.approx(2 * time, rel=1e-14)


# ---------------------------------------------------------------- metastability
def test_metastability_ratio_is_a_supremum_over_pairs() -> None:
    chain = sparse(8, 9)
    chosen, rest = [0, 3, 5], [1, 2, 4, 6, 7]
    ratios = [
        Fraction(
            quantities.escape_probability(chain, x, [z for z in chosen if z != x], "exact").value
        )
        / Fraction(quantities.escape_probability(chain, y, chosen, "exact").value)
        for x, y in product(chosen, rest)
    ]
    for method in METHODS:
        found = quantities.metastability_ratio(chain, chosen, method).value
        assert float(found) == pytest.approx(float(max(ratios)), rel=1e-14)
    assert quantities.metastability_ratio(chain, chosen, "exact").value == max(ratios)


def test_metastability_ratio_vanishes_with_epsilon(cluster_row: ClusterRow) -> None:
    def ratio(exponent: int, chosen: Sequence[int]) -> float:
        chain = cluster_row((4, 3, 3), Fraction(1, 10**exponent), 5)
        return float(quantities.metastability_ratio(chain, chosen).value)

    assert ratio(12, [0, 4, 7]) == pytest.approx(1e-6 * ratio(6, [0, 4, 7]), rel=1e-4)
    assert ratio(12, [0, 1, 4, 7]) > 0.1


# ---------------------------------------------------------------- conductance
@pytest.mark.parametrize("size", [2, 3, 6])
def test_conductance_by_the_definition(size: int) -> None:
    for chain in (dense(size, size), sparse(size, size + 1), reversible(6, Fraction(1, 9), size)):
        law = exact.stationary(chain)
        flow = {(i, j): law[i] * p for i, j, p in chain.exact_entries()}
        ratios = []
        for count in range(1, chain.size):
            for inside in combinations(range(chain.size), count):
                mass = sum(law[i] for i in inside)
                if mass <= Fraction(1, 2):
                    out = sum(q for (i, j), q in flow.items() if i in inside and j not in inside)
                    ratios.append(out / mass)
        assert quantities.conductance(chain, "exact").value == min(ratios)
        assert float(quantities.conductance(chain).value) == pytest.approx(
            float(min(ratios)), rel=1e-14, abs=0
        )


@pytest.mark.parametrize("method", METHODS)
def test_conductance_of_graphs_and_cheeger(method: Method, graph_walk: GraphWalk) -> None:
    def phi(chain: Chain) -> float:
        return float(quantities.conductance(chain, method).value)

    for n in (4, 8):
        complete = graph_walk(n, combinations(range(n), 2))
        assert phi(complete) == pytest.approx(n / (2 * (n - 1)), rel=1e-14)
    assert phi(graph_walk(18, [(i, (i + 1) % 18) for i in range(18)])) == pytest.approx(1 / 9)
    assert phi(graph_walk(8, hypercube(3))) == pytest.approx(1 / 3, rel=1e-14)
    for exponent in (0, 3, 12):
        chain = reversible(12, Fraction(1, 10**exponent), 7)
        gap = spectrum.spectral_gap(chain)
        assert phi(chain) ** 2 / 2 <= gap <= 2 * phi(chain)


# ---------------------------------------------------------------- eigenvalues
@pytest.mark.parametrize("method", METHODS)
def test_relaxation_rates_with_multiplicities(method: Method, graph_walk: GraphWalk) -> None:
    found = quantities.relaxation_rates(graph_walk(16, hypercube(4)), 16, method).value
    expected = [k / 2 for k in range(5) for _ in range(comb(4, k))]
    np.testing.assert_allclose(np.array(found, dtype=float), expected, atol=1e-14)
    found = quantities.relaxation_rates(
        graph_walk(9, [(i, (i + 1) % 9) for i in range(9)]), 4, method
    ).value
    expected = [1 - cos(2 * pi * k / 9) for k in (0, 1, 1, 2)]
    np.testing.assert_allclose(np.array(found, dtype=float), expected, atol=1e-14)
    assert quantities.relaxation_rates(Chain.from_entries("a", []), 1, method).value == (0,)


def test_rates_do_not_depend_on_the_numbering() -> None:
    chain = reversible(15, Fraction(1, 10**30), 4)
    order = np.random.default_rng(1).permutation(chain.size)
    entries = [(int(order[i]), int(order[j]), p) for i, j, p in chain.exact_entries()]
    shuffled = Chain.from_entries(chain.states, entries)
    np.testing.assert_allclose(
        spectrum.relaxation_rates(shuffled, 15), spectrum.relaxation_rates(chain, 15), rtol=1e-14
    )


def reversal(chain: Chain) -> np.ndarray:
    """P*, from a stationary law found by powers of the lazy chain."""
    walk = transition(chain)
    law = np.linalg.matrix_power((walk + np.eye(chain.size)) / 2, 2**14)[0]
    back: np.ndarray = walk.T * law[None, :] / law[:, None]
    return back


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("chain", [dense(6, 0), sparse(7, 2), sparse(9, 10)], ids=["d", "s", "t"])
def test_gaps_by_the_definition(chain: Chain, method: Method) -> None:
    walk, back = transition(chain), reversal(chain)
    additive = np.sort(np.linalg.eigvals((walk + back) / 2).real)
    found = float(quantities.additive_gap(chain, method).value)
    assert found == pytest.approx(1 - additive[-2], rel=1e-11)
    assert exact.reversible_law(exact.additive_reversibilisation(chain)) == exact.stationary(chain)

    def term(r: int) -> float:
        both = np.linalg.matrix_power(back, r) @ np.linalg.matrix_power(walk, r)
        return float(1 - np.sort(np.linalg.eigvals(both).real)[-2]) / r

    best = max(term(r) for r in range(1, 300))
    assert best > 1 / 300
    assert float(quantities.pseudo_spectral_gap(chain, method).value) == pytest.approx(
        best, rel=1e-10
    )


def lazy_at_one(size: int) -> Chain:
    """Around a cycle, one way, with a pause at one state: no power below N contracts at all."""
    entries = [(i, (i + 1) % size, Fraction(1)) for i in range(1, size)]
    return Chain.from_entries(map(str, range(size)), [*entries, (0, 1, Fraction(1, 2))])


def test_first_powers_may_be_worth_nothing() -> None:
    chain = lazy_at_one(9)
    values = [float(quantities.pseudo_spectral_gap(chain, method).value) for method in METHODS]
    assert values[0] == pytest.approx(values[1], rel=1e-13, abs=0)
    walk, back = transition(chain), reversal(chain)
    first = np.linalg.eigvals(back @ walk).real
    assert (first > 1 - 1e-12).sum() > 1  # the first gap is 0
    gaps = [
        1 - np.sort(np.linalg.eigvals(np.linalg.matrix_power(back, r) @ power).real)[-2]
        for r, power in ((r, np.linalg.matrix_power(walk, r)) for r in range(1, 200))
    ]
    best = max(gap / r for r, gap in enumerate(gaps, 1))
    assert best > 1 / 200
    assert values[0] == pytest.approx(best, rel=1e-9)
    assert values[0] > 2 * gaps[0]


@pytest.mark.parametrize("method", METHODS)
def test_pseudo_gap_in_closed_form(method: Method) -> None:
    def pseudo(chain: Chain) -> float:
        return float(quantities.pseudo_spectral_gap(chain, method).value)

    biased = cycle(7, Fraction(2, 3), Fraction(1, 6))  # normal, so r = 1 is best
    second = abs(1 / 6 + 2 / 3 * np.exp(2j * pi / 7) + 1 / 6 * np.exp(-2j * pi / 7))
    assert pseudo(biased) == pytest.approx(1 - second**2, rel=1e-13)
    symmetric = reversible(6, Fraction(1, 100), 3)
    rates = spectrum.relaxation_rates(symmetric, 6)
    assert pseudo(symmetric) == pytest.approx(
        min(r * (2 - r) for r in rates[1:].tolist()), rel=1e-13
    )
    assert pseudo(cycle(5, Fraction(1), Fraction(0))) == 0
    assert pseudo(cycle(6, Fraction(1, 3), Fraction(2, 3))) == 0
    independent = from_weights([[Fraction(w) for w in (1, 2, 3)]] * 3)
    assert pseudo(independent) == pytest.approx(1, rel=1e-14)
    tiny = Fraction(1, 10**200)
    steep = Chain.from_entries("ab", [(0, 1, tiny), (1, 0, tiny)])
    assert pseudo(steep) == pytest.approx(4e-200, rel=1e-13, abs=0)


def test_additive_gap_in_closed_form() -> None:
    for method in METHODS:
        rotation = quantities.additive_gap(cycle(8, Fraction(1), Fraction(0)), method).value
        assert float(rotation) == pytest.approx(1 - cos(pi / 4), rel=1e-14)
    chain = reversible(9, Fraction(1, 10**20), 5)
    assert spectrum.additive_gap(chain) == pytest.approx(
        spectrum.spectral_gap(chain), rel=1e-15, abs=0
    )


@pytest.mark.parametrize("bits", [8, 24, 60])
def test_low_precision_is_raised_not_trusted(bits: int, monkeypatch: pytest.MonkeyPatch) -> None:
    chain = sparse(9, 10)
    expected = spectrum.pseudo_spectral_gap(chain)
    monkeypatch.setattr("numerics.spectrum._FIRST_PRECISION", bits)
    assert spectrum.pseudo_spectral_gap(chain) == pytest.approx(expected, rel=1e-13, abs=0)


def test_too_many_powers_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    chain = lazy_at_one(9)
    monkeypatch.setattr("numerics.spectrum.MOST_POWERS", 3)
    monkeypatch.setattr("numerics.exact.MOST_POWERS", 3)
    for method in METHODS:
        with pytest.raises(ChainError, match=r"more than 3 powers .*; take it of the stochastic"):
            quantities.pseudo_spectral_gap(chain, method)


# ---------------------------------------------------------------- refusals
GOOD = dense(4, 0)
ONE = Chain.from_entries("a", [])
ONE_WAY = Chain.from_entries(
    "abc", [(0, 1, Fraction(1)), (1, 0, Fraction(1, 2)), (1, 2, Fraction(1, 4))]
)
REFUSED: dict[str, tuple[Callable[[Method], object], str]] = {
    "no target": (lambda m: quantities.second_moments(GOOD, [], m), "name at least one"),
    "unknown target": (lambda m: quantities.second_moments(GOOD, [7], m), "number 7 .* use 0 to 3"),
    "lost": (lambda m: quantities.second_moments(ONE_WAY, [0], m), "unreachable target: state 'c'"),
    "lost return": (lambda m: quantities.return_second_moment(ONE_WAY, 0, m), "state 'c'"),
    "lost transform": (
        lambda m: quantities.generating_function(ONE_WAY, [0], Fraction(1, 2), m),
        "state 'c' cannot reach it",
    ),
    "s = 1": (
        lambda m: quantities.generating_function(GOOD, [0], Fraction(1), m),
        r"s = 1 is out of range; .* 0 < s < 1",
    ),
    "s = 0": (lambda m: quantities.generating_function(GOOD, [0], Fraction(0), m), "0 < s < 1"),
    "never left": (lambda m: quantities.outside(GOOD, range(4)), "leave a state out"),
    "reducible": (lambda m: quantities.kemeny_constant(ONE_WAY, m), "not irreducible"),
    "unseen": (lambda m: quantities.stochastic_complement(ONE_WAY, [0], m), "'c' cannot reach"),
    "nothing to watch": (lambda m: quantities.stochastic_complement(GOOD, [], m), "at least one"),
    "both ends": (lambda m: quantities.escape_probability(GOOD, 1, [0, 1], m), "'1' is at both"),
    "no escape": (lambda m: quantities.escape_probability(ONE_WAY, 2, [0], m), "state 'c'"),
    "capacity": (
        lambda m: quantities.capacity(GOOD, [0], [1], m),
        "not reversible: .* '1' and '2'",
    ),
    "capacity, reducible": (lambda m: quantities.capacity(ONE_WAY, [0], [1], m), "irreducible"),
    "no resistance": (lambda m: quantities.effective_resistance(GOOD, 1, 1, m), "both ends"),
    "one representative": (
        lambda m: quantities.metastability_ratio(GOOD, [0, 0], m),
        "1 representatives of 4 .* two or more",
    ),
    "all representatives": (
        lambda m: quantities.metastability_ratio(GOOD, range(4), m),
        "not every",
    ),
    "ratio, reducible": (
        lambda m: quantities.metastability_ratio(ONE_WAY, [0, 1], m),
        "irreducible",
    ),
    "too many sets": (lambda m: quantities.conductance(dense(21, 0), m), "21 states .* 2 to 20"),
    "no set": (lambda m: quantities.conductance(ONE, m), "1 states .* 2 to 20"),
    "cut, reducible": (lambda m: quantities.conductance(ONE_WAY, m), "irreducible"),
    "no rate": (lambda m: quantities.relaxation_rates(GOOD, 0, m), "ask for 1 to 4"),
    "five rates": (lambda m: quantities.relaxation_rates(GOOD, 5, m), "ask for 1 to 4"),
    "rates": (lambda m: quantities.relaxation_rates(GOOD, 2, m), "not reversible"),
    "one state": (lambda m: quantities.additive_gap(ONE, m), "at least two states"),
    "gap, reducible": (lambda m: quantities.additive_gap(ONE_WAY, m), "irreducible"),
    "one state again": (lambda m: quantities.pseudo_spectral_gap(ONE, m), "at least two states"),
    "pseudo, reducible": (lambda m: quantities.pseudo_spectral_gap(ONE_WAY, m), "irreducible"),
}


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("case", REFUSED)
def test_refuses_in_one_line(case: str, method: Method) -> None:
    call, message = REFUSED[case]
    with pytest.raises(ChainError, match=message) as refusal:
        call(method)
    assert ";" in str(refusal.value)  # the remedy follows


def test_beyond_the_range_of_a_double_numbers_are_rationals() -> None:
    tiny = Fraction(1, 10**160)
    far = Chain.from_entries("abc", [(0, 1, tiny), (1, 2, tiny), (2, 0, Fraction(1))])
    half = Fraction(1, 2)
    for call in (
        lambda method: quantities.second_moments(far, [2], method),
        lambda method: quantities.return_second_moment(far, 2, method),
        lambda method: quantities.generating_function(far, [2], half, method),
    ):
        found, reference = call("float"), call("exact")
        check(found, reference)
        values = found.value if isinstance(found.value, tuple) else (found.value,)
        assert isinstance(values[0], Fraction) and values[0] != 0
    rare = Chain.from_entries("abc", [(0, 1, tiny), (1, 2, tiny), (1, 0, half), (2, 0, 2 * half)])
    found = quantities.escape_probability(rare, 0, [2])
    check(found, quantities.escape_probability(rare, 0, [2], "exact"))
    assert 0 < found.value < Fraction(1, 10**319)


def test_doubles_out_of_range_are_refused() -> None:
    tiny, half = Fraction(1, 10**160), Fraction(1, 2)
    rare = Chain.from_entries("abc", [(0, 1, tiny), (1, 2, tiny), (1, 0, half), (2, 0, 2 * half)])
    with pytest.raises(ChainError, match="an entry of the stochastic complement is out"):
        quantities.stochastic_complement(rare, [0, 2])
    slow = reversible(6, Fraction(1, 10**200), 1)
    with pytest.raises(ChainError, match=r"rate is below 2\.2e-308"):
        quantities.relaxation_rates(slow, 2)
    assert 0 < quantities.relaxation_rates(slow, 2, "exact").value[1] < Fraction(1, 10**308)


@pytest.mark.parametrize("costs", [[Fraction(1)] * 3, [Fraction(1)] * 3 + [Fraction(-1)]])
def test_costs_are_checked(costs: list[Fraction]) -> None:
    with pytest.raises(ChainError, match="not 4 numbers"):
        elimination.expected_costs(GOOD, [0], costs)


def test_costs_of_any_size() -> None:
    sizes = [Fraction(0), Fraction(10**200), Fraction(1, 10**290), Fraction(0)]
    found = Answer(tuple(elimination.expected_costs(GOOD, [0], sizes).values.tolist()), None)
    assert worst_error(found, Answer(exact.expected_costs(GOOD, [0], sizes), 0.0)) < 1e-15


def test_float_rows_that_pass_one_by_rounding() -> None:
    """Three thirds in doubles, scaled up: the chain is accepted, and so is what it gives."""
    third = np.nextafter(1 / 3, 1)
    pairs = [(i, j) for i in range(4) for j in range(4) if i != j]
    source, target = [i for i, _ in pairs], [j for _, j in pairs]
    chain = Chain.from_floats("abcd", source, target, [third] * 12)
    assert sum(p for i, _, p in chain.exact_entries() if i == 0) > 1
    calls: list[Callable[[Method], Answer]] = [
        lambda m: quantities.stochastic_complement(chain, [0, 1, 2], m),
        lambda m: quantities.second_moments(chain, [0], m),
        lambda m: quantities.generating_function(chain, [0], Fraction(2, 3), m),
        lambda m: quantities.conductance(chain, m),
    ]
    for call in calls:
        assert worst_error(call("float"), call("exact")) < 1e-14
    assert float(quantities.additive_gap(chain).value) == pytest.approx(4 / 3)
    assert float(quantities.pseudo_spectral_gap(chain).value) == pytest.approx(8 / 9)


# ---------------------------------------------------------------- what cancels
@pytest.mark.parametrize("exponent", [0, 2, 12, 80])
def test_what_cancels_comes_with_its_error(exponent: int) -> None:
    chain = reversible(9, Fraction(1, 10**exponent), exponent)
    pairs = [
        (quantities.variances(chain, [0, 4], m), quantities.fundamental_matrix(chain, m))
        for m in METHODS
    ]
    (exact_variance, exact_rows), (variance, rows) = pairs
    for found, true in zip([variance, *rows], [exact_variance, *exact_rows], strict=True):
        for v, error, condition, t in zip(
            found.values, found.error_bound, found.condition, true.values, strict=True
        ):
            assert abs(v - t) <= error
            if condition < 1e3:
                assert abs(v - t) <= Fraction(1, 10**12) * abs(t)


def test_digits_that_cancel_are_not_claimed() -> None:
    """The time of a cycle that turns one way hardly varies, and only roundings are left of it."""
    rare = Fraction(1, 10**14)
    chain = Chain.from_entries("abcd", [(i, (i + 1) % 4, 1 - rare) for i in range(4)])
    true, found = (quantities.variances(chain, [0], m) for m in METHODS)
    assert min(found.condition[1:]) > 1e13
    for v, t, error in zip(found.values, true.values, found.error_bound, strict=True):
        assert abs(v - t) <= error
    certain = Chain.from_entries("abcd", [(i, (i + 1) % 4, Fraction(1)) for i in range(4)])
    assert quantities.variances(certain, [0], "exact").values == (Fraction(0),) * 4
    assert quantities.variances(certain, [0], "exact").condition[1:] == (float("inf"),) * 3


def test_variances_and_fundamental_matrix_by_their_definitions() -> None:
    chain = dense(6, 3)
    matrix = transition(chain)
    law = np.array([float(p) for p in exact.stationary(chain)])
    expected = np.linalg.inv(np.eye(6) - matrix + law[None, :])
    rows = quantities.fundamental_matrix(chain)
    np.testing.assert_allclose([[float(z) for z in r.values] for r in rows], expected, rtol=1e-10)
    inverse = np.linalg.inv(np.eye(5) - matrix[1:, 1:])
    h = inverse.sum(axis=1)
    variance = (2 * inverse - np.eye(5)) @ h - h**2
    found = [float(v) for v in quantities.variances(chain, [0]).values[1:]]
    np.testing.assert_allclose(found, variance, rtol=1e-10)
    np.testing.assert_allclose(
        [float(v) for v in quantities.mean_visits(chain, 2, [0]).value[1:]],
        inverse[:, 1],
        rtol=1e-12,
    )


def test_absorption_probabilities_add_up() -> None:
    chain = sparse(8, 2)
    rows = quantities.absorption_probabilities(chain, [1, 4, 6], "exact").value
    assert [sum(column) for column in zip(*rows, strict=True)] == [1] * 8
    assert quantities.absorption_probabilities(chain, [4], "exact").value == ((1,) * 8,)


@pytest.mark.parametrize(
    ("clusters", "message"),
    [([[0, 1], [1, 2]], "in two clusters"), ([[0], [1]], "in no cluster"), ([[0], [7]], "state")],
)
def test_clusters_are_a_partition(clusters, message: str) -> None:
    with pytest.raises(ChainError, match=message):
        quantities.aggregated_matrix(cycle(3, Fraction(1, 2), Fraction(1, 4)), clusters)
