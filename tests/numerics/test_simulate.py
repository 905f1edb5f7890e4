"""Monte Carlo against exact laws and exact means, with the false-alarm rates stated."""

from collections.abc import Callable, Sequence
from fractions import Fraction
from itertools import combinations

import numpy as np
import pytest
from scipy import stats

from numerics import elimination, simulate
from numerics.chain import Chain, ChainError
from numerics.simulate import BudgetError, Sample, hitting_times
from numerics.stattest import Budget, law_distance, law_limit, mean_band

BUDGET = Budget(1e-7)
FALSE_ALARM = 1e-8
REPLICAS = 40_000


def two_states(p: Fraction) -> Chain:
    return Chain.from_entries("ab", [(0, 1, p), (1, 0, Fraction(1, 2))])


def geometric_band(p: float) -> tuple[float, float]:
    """Where the mean of REPLICAS geometric times lies, but for a chance of FALSE_ALARM.

    Exact: the sum of R geometric times of success probability p, less R, is negative binomial.
    """
    tails = [FALSE_ALARM / 2, 1 - FALSE_ALARM / 2]
    low, high = stats.nbinom(REPLICAS, p).ppf(tails)
    return 1 + low / REPLICAS, 1 + high / REPLICAS


@pytest.mark.parametrize("p", [Fraction(1, 2), Fraction(1, 100), Fraction(1)])
def test_mean_of_geometric_times(p: Fraction) -> None:
    sample = hitting_times(two_states(p), 0, [1], REPLICAS, np.random.default_rng(1))
    BUDGET.spend(FALSE_ALARM)
    low, high = geometric_band(float(p))
    assert low <= sample.mean <= high
    # A probability that is 4 % too large is caught, and so is one that is 4 % too small.
    if p < 1:
        for wrong in (p * Fraction(104, 100), p * Fraction(96, 100)):
            sample = hitting_times(two_states(wrong), 0, [1], REPLICAS, np.random.default_rng(1))
            assert not low <= sample.mean <= high


def test_whole_distribution_on_the_complete_graph() -> None:
    n = 6
    pairs = [(i, j) for a, b in combinations(range(n), 2) for i, j in ((a, b), (b, a))]
    chain = Chain.from_entries(map(str, range(n)), [(i, j, Fraction(1, n - 1)) for i, j in pairs])
    times = hitting_times(chain, 2, [0], REPLICAS, np.random.default_rng(2)).times
    law, wrong = stats.geom(1 / (n - 1)), stats.geom(0.22)
    limit = law_limit(REPLICAS, BUDGET.spend(FALSE_ALARM))
    assert law_distance(times, law.sf) <= limit < law_distance(times, wrong.sf)


def test_mean_on_clusters(cluster_row: Callable[[Sequence[int], Fraction, int], Chain]) -> None:
    chain = cluster_row((4, 6, 3), Fraction(1, 10), 4)
    targets = [chain.size - 1, chain.size - 2]
    sample = hitting_times(chain, 0, targets, REPLICAS, np.random.default_rng(3))
    values = elimination.mean_hitting_times(chain, targets).values
    alarm = BUDGET.spend(FALSE_ALARM)
    low, high = mean_band(values[0], values.max(), REPLICAS, alarm)
    assert low <= sample.mean <= high
    low, high = mean_band(1.12 * values[0], 1.12 * values.max(), REPLICAS, alarm)
    assert not low <= sample.mean <= high


def table_law(chain: Chain, state: int) -> dict[int, Fraction]:
    """The law of one step, read off the alias table exactly; -1 stands for a target."""
    threshold, moves, places = simulate._tables(chain, [chain.size - 1])
    bits = 64 - places[state] % 64
    first, columns = places[state] // 64, 2 ** int(bits)
    law: dict[int, Fraction] = {}
    for k in range(columns):
        start = k * 2**64 // columns
        below = int(threshold[first + k]) - start
        other, kept = moves[:, first + k].tolist()
        if other == kept:
            below = 2**64 // columns  # the threshold says nothing
        assert 0 <= below <= 2**64 // columns
        for move, mass in ((kept, below), (other, 2**64 // columns - below)):
            law[move] = law.get(move, Fraction(0)) + Fraction(mass, 2**64)
    return {move: mass for move, mass in law.items() if mass}


@pytest.mark.parametrize("seed", range(5))
def test_tables_hold_the_rows_exactly(
    seed: int, cluster_row: Callable[[Sequence[int], Fraction, int], Chain]
) -> None:
    """Every probability, of rows of all lengths, to the last of 62 digits."""
    chain = cluster_row((2 + seed, 9, 4, 3), Fraction(1, 10 ** (seed + 1)), seed)
    places = simulate._tables(chain, [chain.size - 1])[2].tolist()
    unit = Fraction(1, 2**62)
    for state in range(chain.size - 1):
        law = table_law(chain, state)
        assert sum(law.values()) == 1
        row = chain.source == state
        staying = Fraction(1)
        for target, p in zip(chain.target[row], chain.probability[row], strict=True):
            found = law.pop(places[target])
            assert found == Fraction(float(p)) // unit * unit
            staying -= found
        assert law.pop(places[state], Fraction(0)) == staying
        assert not law


def test_words_are_those_of_the_published_generator() -> None:
    """xoroshiro128++ written once more, in whole numbers, against one lane of a walk on coins."""
    mask = 2**64 - 1

    def turned(x: int, k: int) -> int:
        return (x << k | x >> 64 - k) & mask

    threshold, moves, _ = simulate._tables(two_states(Fraction(3, 4)), [1])
    a, b = (int(word) for word in simulate.seed(np.random.default_rng(8), 4)[:2])
    expected = []
    for _ in range(3):
        steps, hit = 0, False
        while not hit:
            word = (turned(a + b & mask, 17) + a) & mask
            b ^= a
            a, b = turned(a, 49) ^ b ^ (b << 21 & mask), turned(b, 28)
            column = word >> 63
            hit = moves[int(word < int(threshold[column])), column] < 0
            steps += 1
        expected.append(steps)
    rng = np.random.default_rng(8)
    # Fewer replicas than lanes walk one by one.
    times = hitting_times(two_states(Fraction(3, 4)), 0, [1], 3, rng).times
    assert times.tolist() == expected


@pytest.mark.parametrize("replicas", [2, 3, 4, 5, 7, 40_000])
def test_all_lanes_count(replicas: int) -> None:
    """Certain steps: every replica takes as many, however many walk side by side."""
    row = [(i, i + 1, Fraction(1)) for i in range(6)]
    sample = hitting_times(
        Chain.from_entries("abcdefg", row), 1, [6], replicas, np.random.default_rng(0)
    )
    assert sample.times.tolist() == [5] * replicas
    assert sample.steps == 5 * replicas


def test_sample_statistics() -> None:
    sample = Sample(np.array([1, 2, 6]), 9)
    assert sample.mean == 3.0
    assert sample.standard_error == pytest.approx(np.sqrt(7 / 3))


def test_same_seed_same_sample_and_start_on_target() -> None:
    chain = two_states(Fraction(1, 10))
    first = hitting_times(chain, 0, [1], 100, np.random.default_rng(5))
    again = hitting_times(chain, 0, [1], 100, np.random.default_rng(5))
    other = hitting_times(chain, 0, [1], 100, np.random.default_rng(6))
    assert first.times.tolist() == again.times.tolist() != other.times.tolist()
    assert first.steps == first.times.sum()
    assert hitting_times(chain, 1, [1], 3, np.random.default_rng(0)).times.tolist() == [0, 0, 0]


def test_chunks_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    chain = two_states(Fraction(1, 10))
    whole = hitting_times(chain, 0, [1], 50, np.random.default_rng(7))
    monkeypatch.setattr("numerics.simulate._CHUNK", 7)
    reports: list[int] = []
    parts = hitting_times(chain, 0, [1], 50, np.random.default_rng(7), progress=reports.append)
    assert parts.times.tolist() == whole.times.tolist()
    assert reports == sorted(reports)
    assert reports[-1] == 50
    assert len(reports) >= whole.steps // 7


def test_budget() -> None:
    chain = two_states(Fraction(1, 10**12))
    with pytest.raises(BudgetError, match=r"^0 of 10 replicas .* 5000000 steps; raise the budget"):
        hitting_times(chain, 0, [1], 10, np.random.default_rng(0), max_steps=5_000_000)
    # A budget that is just enough is enough, and one step less is not.
    steps = hitting_times(two_states(Fraction(1, 3)), 0, [1], 10, np.random.default_rng(1)).steps
    for budget in (steps, steps - 1):
        rng = np.random.default_rng(1)
        if budget == steps:
            hitting_times(two_states(Fraction(1, 3)), 0, [1], 10, rng, max_steps=budget)
        else:
            with pytest.raises(BudgetError, match="9 of 10"):
                hitting_times(two_states(Fraction(1, 3)), 0, [1], 10, rng, max_steps=budget)


def test_refuses() -> None:
    rng = np.random.default_rng(0)
    trap = Chain.from_entries(
        "abc", [(0, 1, Fraction(1, 2)), (0, 2, Fraction(1, 2)), (2, 1, Fraction(1))]
    )
    with pytest.raises(ChainError, match="from state 'a' the chain can get to 'b'"):
        hitting_times(trap, 0, [2], 10, rng)
    # The trap does not matter to a start that cannot fall into it.
    assert hitting_times(trap, 2, [1], 10, rng).mean == 1.0
    with pytest.raises(ChainError, match="2 or more"):
        hitting_times(trap, 0, [1], 1, rng)
    with pytest.raises(ChainError, match="allows no step"):
        hitting_times(trap, 0, [1], 2, rng, max_steps=0)
    with pytest.raises(ChainError, match="state number 3"):
        hitting_times(trap, 3, [1], 2, rng)
