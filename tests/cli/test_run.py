"""`metastable run`: tables, JSON with the keys of the contract, figures, and bad input."""

import json
import math

import pytest

KEYS = {
    "search": {"edges_found", "edges_true", "steps", "predicted_steps"},
    "ppo": {
        *("epsilon_before", "epsilon_after", "updates"),
        *("hitting_time_before", "hitting_time_after", "tv_per_row"),
    },
    "pretrain": {"error", "support_recovered", "steps"},
    "distill": {"hitting_time", "predicted", "escape_error", "samples"},
    "budget": {"ranking", "queries"},
}
AT = {
    "search": "K=4,M=4,epsilon=1e-6",
    "ppo": "K=4,M=5,epsilon=1e-5",
    "pretrain": "K=3,M=3,epsilon=1/50",
    "distill": "K=4,M=4,epsilon=1e-5",
    "budget": "K=4,M=4,epsilon=1e-7",
}


@pytest.mark.parametrize("algorithm", KEYS)
def test_run_writes_what_the_contract_says(run, tmp_path, algorithm):
    told, figure = tmp_path / "told.json", tmp_path / "figure.svg"
    arguments = ("run", algorithm, "ring", "--at", AT[algorithm], "--seed", 1)
    code, out, err = run(*arguments, "--json", told, "--figure", figure)
    assert (code, err) == (0, "")
    assert len(out.splitlines()) > 4
    found = json.loads(told.read_text())
    assert {"version", "arguments", "seed", *KEYS[algorithm]} <= set(found)
    assert figure.read_text().count("<svg") == 1
    again = tmp_path / "again.json"
    assert run(*arguments, "--json", again)[0] == 0
    same = json.loads(again.read_text())
    assert {k: same[k] for k in KEYS[algorithm]} == {k: found[k] for k in KEYS[algorithm]}


def test_search_finds_all_and_counts_as_predicted(run, tmp_path):
    told = tmp_path / "told.json"
    at = "K=4,M=4,epsilon=1e-6"
    assert run("run", "search", "complete", "--at", at, "--seed", 3, "--json", told)[0] == 0
    found = json.loads(told.read_text())
    assert found["edges_found"] == found["edges_true"] == 12
    assert 0.8 < found["steps"] / found["predicted_steps"] < 1.25


def test_cap_is_that_of_the_contract(run, tmp_path):
    """1/(10 M) by default, or what --at says; a gate with 3 sparse edges has 7 ways out, not M."""
    told = tmp_path / "told.json"
    for more, cap in (("", 1 / 50), (",epsilon_max=1/20", 1 / 20)):
        at = f"K=4,M=5,epsilon=1e-5{more}"
        assert run("run", "ppo", "complete", "--at", at, "--seed", 1, "--json", told)[0] == 0
        found = json.loads(told.read_text())
        assert found["epsilon_max"] == cap
        assert cap * 0.8 < float(found["epsilon_after"]) <= cap


def test_distilled_time_is_the_predicted_one(run, tmp_path):
    told = tmp_path / "told.json"
    at = ("--at", "K=4,M=4,epsilon=1e-6", "--set", "data=trace", "--set", "beta=12")
    assert run("run", "distill", "complete", *at, "--seed", 3, "--json", told)[0] == 0
    found = json.loads(told.read_text())
    assert found["labels"] == found["clusters"] == 4
    assert abs(found["hitting_time"] / found["predicted"] - 1) < 0.05
    # Of the trace, whose rows leave with probability epsilon: 3 jumps, 1/(b epsilon) stays each.
    assert abs(found["predicted"] / (3 * (1 + (1e6 - 1) / math.exp(12))) - 1) < 1e-6
    assert found["escape_error"] <= found["escape_bound"] < 0.1


def test_distil_a_chain_file(run, courtois, tmp_path):
    told = tmp_path / "told.json"
    ends = ("--from", 0, "--to", 7)
    arguments = ("run", "distill", courtois, *ends, "--seed", 1, "--set", "samples=100000000")
    settings = ("rounds=60", "rollouts=9", "T_0=40", "burn_in=500")
    pairs = [word for text in settings for word in ("--set", text)]
    code, _, err = run(*arguments, *pairs, "--json", told)
    assert (code, err) == (0, "")
    found = json.loads(told.read_text())
    assert found["labels"] == 3
    assert found["clusters"] is None


def test_budget_ranks_four_ways(run, tmp_path):
    """1000 queries by default; few are answered best without search, most by distillation."""
    told, first = tmp_path / "told.json", []
    for more in ((), ("--queries", 1), ("--queries", 10**9)):
        arguments = ("run", "budget", "ring", "--at", AT["budget"], "--seed", 1, *more)
        assert run(*arguments, "--json", told)[0] == 0
        found = json.loads(told.read_text())
        assert found["queries"] == (more[1] if more else 1000)
        assert found["epsilon_max"] == "1/40"
        ways = {one["strategy"]: one for one in found["ranking"]}
        assert set(ways) == {"none", "search", "rl", "distillation"}
        assert all(float(one["expected_total_steps"]) > 0 for one in ways.values())
        assert 0 < float(ways["search"]["break_even_queries"]) < 100
        first.append(found["ranking"][0]["strategy"])
    assert first == ["search", "none", "distillation"]


def test_run_on_a_chain_file(run, courtois, tmp_path):
    told = tmp_path / "told.json"
    ends = ("--from", 0, "--to", 7)
    arguments = ("run", "pretrain", courtois, *ends, "--seed", 1, "--set", "delta=1/2")
    code, _, err = run(*arguments, "--json", told)
    assert (code, err) == (0, "")
    assert json.loads(told.read_text())["support_recovered"] is True


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("guess", "ring", "--seed", 1), "unknown algorithm 'guess'"),
        (("search", "--seed", 1), "needs a family or a chain"),
        (("search", "ring", "--seed", 1), "choose a point"),
        (("search", "nowhere.csv", "--seed", 1), "nowhere.csv"),
        (("search", "ring", "--at", "K=3,M=3,epsilon=2", "--seed", 1), "outside the domain"),
        (("limits", "ring", "--seed", 1), "leave the family"),
        (
            ("ppo", "ring", "--at", AT["ppo"], "--seed", 1, "--queries", 3),
            "leave --queries out",
        ),
        (
            ("budget", "ring", "--at", AT["budget"], "--seed", 1, "--queries", 0),
            "queries = 0 is out of range",
        ),
        (
            ("search", "ring", "--at", AT["search"], "--seed", 1, "--set", "rounds"),
            "write --set NAME=VALUE",
        ),
        (
            ("search", "ring", "--at", AT["search"], "--seed", 1, "--set", "speed=3"),
            "unknown setting 'speed'",
        ),
        (
            ("search", "ring", "--at", AT["search"], "--seed", 1, "--set", "rounds=1/2"),
            "not a whole number",
        ),
        (
            ("distill", "ring", "--at", AT["distill"], "--seed", 1, "--set", "data=both"),
            "unknown data 'both'",
        ),
        (
            ("search", "ring", "--at", AT["search"], "--seed", 1, "--figure", "f.txt"),
            "a figure ends in",
        ),
    ],
)
def test_bad_input_is_one_line(run, arguments, words):
    code, out, err = run("run", *arguments)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert words in err
