"""What `metastable solve` and `simulate` say of a chain file, against exact arithmetic."""

import json
from fractions import Fraction

import pytest

from numerics import exact, quantities
from numerics.chain import read_chain
from numerics.stattest import Budget, mean_band

BUDGET = Budget(2e-9)
ENDS = ("--from", "0", "--to", "7")


@pytest.mark.parametrize(
    "quantity", ["hitting-time", "second-moment", "variance", "escape-probability", "kemeny"]
)
def test_quantities(run, courtois, quantity):
    chain = read_chain(courtois)
    true = {
        "hitting-time": lambda: exact.mean_hitting_times(chain, [7])[0],
        "second-moment": lambda: quantities.second_moments(chain, [7], "exact").value[0],
        "variance": lambda: quantities.variances(chain, [7], "exact").values[0],
        "escape-probability": lambda: quantities.escape_probability(chain, 0, [7], "exact").value,
        "kemeny": lambda: exact.kemeny_constant(chain),
    }[quantity]()
    ends = () if quantity == "kemeny" else ENDS
    code, out, err = run("solve", courtois, "--quantity", quantity, *ends, "--json")
    assert (code, err) == (0, "")
    told = json.loads(out)
    key = "mean_hitting_time" if quantity == "hitting-time" else quantity.replace("-", "_")
    assert abs(Fraction(told[key]) / true - 1) <= told["relative_error_bound"] < 1e-11


def test_gap_past_the_range_of_a_double(run, tmp_path):
    """Two states that swap at rate 1e-400: the gap is 2e-400."""
    file = tmp_path / "slow.csv"
    file.write_text("from,to,probability\na,b,1e-400\nb,a,1e-400\n")
    code, out, err = run("solve", file, "--quantity", "spectral-gap", "--json")
    assert (code, err) == (0, "")
    told = json.loads(out)["spectral_gap"]
    assert told.endswith("e-400")
    assert float(told.removesuffix("e-400")) == pytest.approx(2, rel=1e-12)


def test_a_quantity_that_makes_no_sense(run, courtois):
    for quantity, words in (
        ("spectral-gap", "not reversible"),
        ("gap", "give one of hitting-time, second-moment"),
    ):
        code, out, err = run("solve", courtois, "--quantity", quantity)
        assert (code, out, err.count("\n")) == (2, "", 1)
        assert words in err


def test_time_that_does_not_vary(run, tmp_path):
    file = tmp_path / "certain.csv"
    file.write_text("a,b,1\nb,c,1\nc,a,1\n")
    ends = ("--from", "a", "--to", "c")
    code, out, err = run("solve", file, "--quantity", "variance", *ends)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "digits of the variance cancel" in err


@pytest.mark.parametrize("method", ["events", "steps"])
def test_simulate_by_both_methods(run, courtois, method):
    """In the band of the true mean, and the same seed gives the same numbers."""
    chain = read_chain(courtois)
    means = [float(h) for h in exact.mean_hitting_times(chain, [7])]
    low, high = mean_band(means[0], max(means), 2000, BUDGET.spend(1e-9))
    arguments = ("simulate", courtois, *ENDS, "--replicas", 2000, "--seed", 5, "--json")
    answers = [run(*arguments, "--method", method) for _ in range(2)]
    assert answers[0] == answers[1]
    told = json.loads(answers[0][1])
    assert told["method"] == method
    assert low < told["mean"] < high
    assert told["mean"] == pytest.approx(told["steps"] / 2000, rel=1e-15)


def test_simulate_at_any_epsilon(run):
    at = "K=8,M=8,epsilon=1e-300"
    code, out, err = run("simulate", "ring", "--at", at, "--replicas", 50, "--seed", 1, "--json")
    assert (code, err) == (0, "")
    assert 1e300 < json.loads(out)["mean"] < 1e303
    code, out, err = run(
        "simulate", "ring", "--at", at, "--replicas", 50, "--seed", 1, "--method", "walk"
    )
    assert (code, out, err.count("\n")) == (2, "", 1)
