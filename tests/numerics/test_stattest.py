"""Bands alarm as rarely as they say, catch what they say, and the suite alarms rarely enough."""

import ast
import math
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from scipy import stats

from numerics import verify
from numerics.stattest import (
    Budget,
    bounded_mean_band,
    bounded_mean_size,
    law_distance,
    law_limit,
    law_size,
    mean_band,
    mean_size,
    survival_band,
    tilted_band,
    tilted_size,
    two_sample_distance,
    two_sample_limit,
    two_sample_size,
)
from theory.catalogue import catalogue
from theory.claims import Derivation
from theory.family import built_in

HERE = Path(__file__).parents[1]
SUITE = 1e-6
"""Probability that any test of the whole suite fails though nothing is wrong."""

BUDGET = Budget(1e-7)
P = 0.05  # of geometric times, whose laws are all known
MEAN = 1 / P
WRONG = 0.06
RUNS, RATE, MISS = 2000, 0.01, 0.01


def survival(p: float, t: npt.ArrayLike) -> np.ndarray:
    tail: np.ndarray = (1 - p) ** np.maximum(np.asarray(t), 0)
    return tail


def cumulant(p: float, s: float) -> float:
    # log of p e^s / (1 - (1 - p) e^s)
    rest = -math.expm1(s + math.log1p(-p))
    return math.log(p) + s - math.log(rest) if rest > 0 else math.inf


def truncated(p: float, limit: int) -> float:
    return float(survival(p, np.arange(limit)).sum())


def tilted(p: float, s: float) -> float:
    return math.exp(cumulant(p, -s))


def times(rng: np.random.Generator, p: float, *shape: int) -> np.ndarray:
    return rng.geometric(p, size=shape).astype(np.float64)


@dataclass(frozen=True)
class Tool:
    """An assertion on samples of geometric times: does it alarm, and the size that it needs."""

    alarms: Callable[[np.ndarray, np.random.Generator, float], np.ndarray]  # (runs, n) -> (runs,)
    size: Callable[[float, float], int]  # alarm, miss


def outside(statistic: np.ndarray, band: tuple[float, float]) -> np.ndarray:
    return (statistic < band[0]) | (statistic > band[1])


STEEP = 0.9 * -math.log1p(-P)
LIMIT, TIME, TILT = 30, 25, 0.1
TOOLS = {
    "mean": Tool(
        lambda x, _, a: outside(x.mean(axis=1), mean_band(MEAN, MEAN, x.shape[1], a)),
        partial(mean_size, MEAN, MEAN, 1 / WRONG, 1 / WRONG),
    ),
    "tilted cumulant": Tool(
        lambda x, _, a: outside(
            x.mean(axis=1), tilted_band(partial(cumulant, P), STEEP, x.shape[1], a)
        ),
        partial(tilted_size, partial(cumulant, P), partial(cumulant, WRONG), STEEP),
    ),
    "truncated mean": Tool(
        lambda x, _, a: outside(
            np.minimum(x, LIMIT).mean(axis=1),
            bounded_mean_band(truncated(P, LIMIT), LIMIT, x.shape[1], a),
        ),
        partial(bounded_mean_size, truncated(P, LIMIT), truncated(WRONG, LIMIT), LIMIT),
    ),
    "tilted time": Tool(
        lambda x, _, a: outside(
            np.exp(-TILT * x).mean(axis=1), bounded_mean_band(tilted(P, TILT), 1, x.shape[1], a)
        ),
        partial(bounded_mean_size, tilted(P, TILT), tilted(WRONG, TILT), 1),
    ),
    "survival": Tool(
        lambda x, _, a: outside(
            (x > TIME).mean(axis=1), survival_band(float(survival(P, TIME)), x.shape[1], a)
        ),
        partial(bounded_mean_size, float(survival(P, TIME)), float(survival(WRONG, TIME)), 1),
    ),
    "law": Tool(
        lambda x, _, a: np.array(
            [law_distance(row, partial(survival, P)) > law_limit(len(row), a) for row in x]
        ),
        partial(
            law_size,
            float(np.abs(survival(P, np.arange(99)) - survival(WRONG, np.arange(99))).max()),
        ),
    ),
    "two samples": Tool(
        lambda x, rng, a: np.array(
            [
                two_sample_distance(row, other) > two_sample_limit(len(row), len(row), a)
                for row, other in zip(x, times(rng, P, *x.shape), strict=True)
            ]
        ),
        partial(
            two_sample_size,
            float(np.abs(survival(P, np.arange(99)) - survival(WRONG, np.arange(99))).max()),
        ),
    ),
}


# ---------------------------------------------------------------- calibration
@pytest.mark.parametrize("name", TOOLS)
def test_calibration(name):
    """2000 true statements: alarms are binomial with a rate of at most 0.01."""
    rng = np.random.default_rng(1)
    tool = TOOLS[name]
    most = stats.binom(RUNS, RATE).isf(BUDGET.spend(2e-9))
    assert stats.binom(RUNS, 6 * RATE).cdf(most) < 1e-6  # alarms too frequent would fail here
    assert np.count_nonzero(tool.alarms(times(rng, P, RUNS, 500), rng, RATE)) <= most


@pytest.mark.parametrize("name", TOOLS)
def test_power(name):
    """At the sample size that it asks for, a tool misses a wrong law with probability <= 0.01."""
    rng = np.random.default_rng(2)
    tool = TOOLS[name]
    size = tool.size(1e-4, MISS)
    assert size < 20_000
    assert tool.size(1e-8, MISS) > size < tool.size(1e-4, MISS / 100)
    missed = 100 - np.count_nonzero(tool.alarms(times(rng, WRONG, 100, size), rng, 1e-4))
    assert missed <= stats.binom(100, MISS).isf(BUDGET.spend(2e-9))
    # The bound is no more than some times what is needed: a tenth of the sample does not do.
    few = tool.alarms(times(rng, WRONG, 100, size // 10), rng, 1e-4)
    assert np.count_nonzero(few) < 70


def test_exact_bands_are_exact():
    """Alarms of the bands with exact tails are as frequent as said, up to what is discrete."""
    n, p = 400, 0.3
    low, high = (round(end * n) for end in survival_band(p, n, RATE))
    law = stats.binom(n, p)
    assert law.cdf(low - 1) <= RATE / 2 < law.cdf(low)
    assert law.sf(high) <= RATE / 2 < law.sf(high - 1)
    # Those shares whose interval of Clopper and Pearson contains p.
    inside = [
        k
        for k in range(80, 161)
        if stats.binomtest(k, n).proportion_ci(1 - RATE).low
        <= p
        <= stats.binomtest(k, n).proportion_ci(1 - RATE).high
    ]
    assert (inside[0], inside[-1]) == (low, high)
    # Chernoff's bounds contain them, and are not much wider.
    wide = bounded_mean_band(p, 1, n, RATE)
    assert wide[0] <= low / n <= high / n <= wide[1]
    assert wide[1] - wide[0] < 1.4 * (high - low) / n


def test_tilting_is_sharper_than_moments():
    for n in (50, 1000):
        rough = mean_band(MEAN, MEAN, n, 1e-6)
        fine = tilted_band(partial(cumulant, P), STEEP, n, 1e-6)
        assert rough[0] < fine[0] < MEAN < fine[1] < rough[1]
    # and close to the exact band, of a negative binomial sum
    tails = [5e-7, 1 - 5e-7]
    low, high = 1 + stats.nbinom(1000, P).ppf(tails) / 1000
    assert fine[0] < low < high < fine[1] < MEAN + 1.2 * (high - MEAN)


def test_bands_at_the_ends():
    assert survival_band(0.0, 10, 0.01) == (0, 0)
    assert survival_band(1.0, 10, 0.01) == (1, 1)
    assert bounded_mean_band(0.0, 5, 10, 0.01) == (0, 0)
    assert bounded_mean_band(5.0, 5, 10, 0.01) == (5, 5)
    assert bounded_mean_band(1e-9, 1, 3, 0.01)[0] == 0
    assert bounded_mean_band(0.5, 1, 1, 1e-3) == (0, 1)


def test_distances():
    assert two_sample_distance([1, 2, 3], [1, 2, 3]) == 0
    assert two_sample_distance([1, 1], [2, 2, 2]) == 1
    assert two_sample_distance([1, 2], [2, 3, 3, 3]) == pytest.approx(0.75)
    # A law on 1, 2, ... against samples: at the jumps, and between them.
    assert law_distance([1, 2], lambda t: np.clip(1 - t / 2, 0, 1)) == 0
    assert law_distance([4], lambda t: np.clip(1 - t / 4, 0, 1)) == pytest.approx(0.75)
    assert law_distance([1], lambda t: np.clip(1 - t / 4, 0, 1)) == pytest.approx(0.75)


def test_two_samples_of_other_sizes():
    """Massart's inequality for each sample; and at 457 the sharp one is not known to hold."""
    assert two_sample_limit(457, 457, 0.01) == law_limit(457, 0.005) * 2
    assert two_sample_limit(458, 458, 0.01) < 0.72 * two_sample_limit(457, 457, 0.01)
    assert two_sample_limit(100, 900, 0.01) == law_limit(100, 0.005) + law_limit(900, 0.005)
    rng = np.random.default_rng(3)
    found = [two_sample_distance(times(rng, P, 60), times(rng, P, 300)) for _ in range(RUNS)]
    alarms = np.count_nonzero(np.array(found) > two_sample_limit(60, 300, RATE))
    assert alarms <= stats.binom(RUNS, RATE).isf(BUDGET.spend(2e-9))


def test_mean_band_of_times_near_the_end_of_the_doubles():
    assert mean_band(1e300, 2e300, 500, 1e-6) == pytest.approx(
        [1e300 * end for end in mean_band(1, 2, 500, 1e-6)], rel=1e-12
    )


def test_refuses():
    for call in (
        lambda: Budget(0),
        lambda: Budget(1),
        lambda: mean_band(2, 1, 5, 0.1),
        lambda: mean_band(1, 1, 5, 1),
        lambda: tilted_band(partial(cumulant, P), 0, 5, 0.1),
        lambda: bounded_mean_band(2, 1, 5, 0.1),
        lambda: survival_band(1.5, 5, 0.1),
        lambda: law_limit(0, 0.1),
        lambda: two_sample_limit(1, 0, 0.1),
        lambda: mean_size(1, 1, 1, 1, 0.1, 0.1),
        lambda: law_size(0, 0.1, 0.1),
        lambda: law_size(0.1, 0.1, 0.7),
        lambda: law_size(1e-10, 0.1, 0.1),
    ):
        with pytest.raises(ValueError, match=r"need|total|too small"):
            call()


# ---------------------------------------------------------------- the whole suite
def test_budget():
    budget = Budget(1e-6)
    assert budget.spend(4e-7) == 4e-7
    assert [budget.spend(1e-7) for _ in range(6)] == [1e-7] * 6
    with pytest.raises(ValueError, match="1e-06 of 1e-06 are spent"):
        budget.spend(1e-12)
    with pytest.raises(ValueError, match="does not fit"):
        Budget(1e-6).spend(-1e-9)


JUDGED = 300  # distinct comparisons with a simulation that the judge makes in all tests together
FAMILIES = 40  # such comparisons in test_families.py
# Simulations from which nothing statistical is asserted, or by rules given in the file.
WITHOUT = {
    "cli/test_commands.py": "runs the command",
    "cli/test_composed.py": "one fixed seed, and a band of five standard errors: shows no law",
    "cli/test_sweep.py": "runs the command",
    "numerics/test_sweep.py": "compares runs of one seed",
    "theory/test_families.py": "counted below",
    "benchmarks/simulation.py": "asserts nothing",
}


def totals(folder: Path) -> Iterator[tuple[str, float]]:
    """Every Budget(total), and every total called FALSE_ALARMS, of the tests, with its file."""
    for file in sorted(folder.rglob("*.py")):
        for node in ast.parse(file.read_text()).body:
            if not isinstance(node, ast.Assign):
                continue
            value, (name, *_) = node.value, node.targets
            if (
                isinstance(value, ast.Call)
                and isinstance(value.func, ast.Name)
                and value.func.id == "Budget"
            ):
                yield file.relative_to(folder).as_posix(), ast.literal_eval(value.args[0])
            if isinstance(name, ast.Name) and name.id == "FALSE_ALARMS":
                yield file.relative_to(folder).as_posix(), ast.literal_eval(value)


def test_suite_alarms_falsely_with_probability_below_one_in_a_million():
    """By the union bound; what is run twice with one seed alarms twice or not at all."""
    spent = dict(totals(HERE))
    assert spent["numerics/test_stattest.py"] == BUDGET.total
    claims = [(f.id, q) for f in built_in().values() for q in Derivation(f).recipes]
    claims += [(family.id, q) for family, quantities in catalogue() for q in quantities]
    judged = {claim for claim in claims if verify.applies("simulation", claim[1])}
    # leaves room for the families that tests make up
    assert len(judged) < JUDGED / 2
    text = (HERE / "theory" / "test_families.py").read_text()
    (alarm,) = map(float, re.findall(r"^ALARM = (\S+)$", text, re.MULTILINE))
    total = sum(spent.values()) + JUDGED * verify.ALARM + FAMILIES * alarm
    assert total <= SUITE
    # No file that simulates is left out.
    uses = re.compile(
        r"^(from|import) numerics.*\b(simulate|events|stattest)\b|\bsimulation\b", re.M
    )
    files = {f.relative_to(HERE).as_posix(): f.read_text() for f in HERE.rglob("*.py")}
    users = {name for name, text in files.items() if uses.search(text)}
    assert {"numerics/test_events.py", "numerics/test_simulate.py"} <= users
    assert users - set(spent) <= set(WITHOUT)
