"""Monte Carlo against exact laws and exact means, with the false-alarm rates stated."""

from collections.abc import Callable, Sequence
from fractions import Fraction
from itertools import combinations

import numpy as np
import pytest
from scipy import stats

from numerics import elimination
from numerics.chain import Chain, ChainError
from numerics.simulate import BudgetError, Sample, hitting_times

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
    law = stats.geom(1 / (n - 1))
    cells = np.arange(1, 25)
    observed = [*(np.count_nonzero(times == t) for t in cells), np.count_nonzero(times > 24)]
    expected = REPLICAS * np.array([*law.pmf(cells), law.sf(24)])
    assert stats.chisquare(observed, expected).pvalue > FALSE_ALARM
    shifted = REPLICAS * np.array([*stats.geom(0.21).pmf(cells), stats.geom(0.21).sf(24)])
    assert stats.chisquare(observed, shifted).pvalue < FALSE_ALARM


def test_mean_on_clusters(cluster_row: Callable[[Sequence[int], Fraction, int], Chain]) -> None:
    """Normal bound: 40 000 replicas, and 5.73 standard errors for a false-alarm rate of 1e-8."""
    chain = cluster_row((4, 6, 3), Fraction(1, 10), 4)
    targets = [chain.size - 1, chain.size - 2]
    sample = hitting_times(chain, 0, targets, REPLICAS, np.random.default_rng(3))
    mean = elimination.mean_hitting_times(chain, targets).values[0]
    band = stats.norm.isf(FALSE_ALARM / 2) * sample.standard_error
    assert abs(sample.mean - mean) <= band
    assert abs(sample.mean - 1.05 * mean) > band


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
