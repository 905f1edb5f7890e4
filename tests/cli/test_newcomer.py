"""A stranger's kernel at the command line: from a skeleton to all quantities and their checks."""

import json
import re
import shutil
from fractions import Fraction
from pathlib import Path

import pytest

from numerics import cli
from theory import composed
from theory.catalogue import load
from theory.kernels import find

BEFORE = ("hitting-time", "aggregated-hitting-time")  # what the bounds are about
KERNELS = Path(__file__).parents[1] / "data" / "kernels"


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """The kernels lie in the folder in which the command runs."""
    for file in KERNELS.glob("*.py"):
        shutil.copy(file, tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


# ---------------------------------------------------------------- derive
def test_from_where_to_where(run):
    out = run("derive", "hub.py/ring/gate")[1]
    assert "  mean time from home of one cluster to home of another (clusters: other[d] -> " in out
    out = run("derive", "hub.py/ring/gate", "-q", "exit-time")[1]
    assert "  mean time from home until the cluster is left\n" in out
    out = run("derive", "star", "-q", "hitting-time-hub-to-leaf")[1]
    assert re.search(r"\n  mean time from \S+ to \S+\n", out)
    assert "  mean time from" not in run("derive", "complete", "-q", "stationary")[1]


def test_home_at_the_gate_is_printed(run, folder):
    text = (folder / "hub.py").read_text()
    text = text.replace('"home"', '"bulk"').replace(
        '    id = "hub"', '    id = "hub"\n    home = "gate"'
    )
    (folder / "hub.py").write_text(text)
    assert (
        "mean time from gate of one cluster to gate of another"
        in run("derive", "hub.py/ring/gate")[1]
    )


def test_watched_cluster_in_json_and_at_a_point(run):
    at = "K=5,M=2,N=3,epsilon=1/10"
    call = "derive", "core.py/ring/gate", "-q", "stochastic-complement", "--at", at
    told = json.loads(run(*call, "--json")[1])
    assert len(told["moves"]) == len(told["expression"]) == len(set(map(tuple, told["moves"])))
    assert told["orbits"] == ["gate", "core", "home", "rim"]
    value = [[Fraction(p) for p in row] for row in told["value"]]
    assert [sum(row) for row in value] == [1] * 4
    assert value[0] == [
        Fraction(1, 10) + Fraction(9, 40),
        Fraction(9, 40),
        Fraction(3, 20),
        Fraction(3, 10),
    ]
    assert value[2] == [Fraction(1, 2), Fraction(1, 2), 0, 0]
    assert f"value at {at}: [[13/40, 9/40, 3/20, 3/10]," in run(*call)[1]


def test_irrational_values_are_decimals(run):
    call = "derive", "clique/ring/gate", "-q", "spectral-gap", "--at", "K=5,M=4,epsilon=1/10"
    out = run(*call)[1]
    (text,) = re.findall(r"^lower value at \S+: (\S+) \(exact enclosure with --json\)$", out, re.M)
    low, high = map(Fraction, json.loads(run(*call, "--json")[1])["lower_value"])
    assert abs(Fraction(text) - (low + high) / 2) < Fraction(text) / 10**14
    assert "(1 - cos(2*pi/K))" in out
    assert "(cos(2*pi/K) - 1)" not in out


def test_all_quantities(run):
    call = "derive", "clique/complete/in-out", "-q", "all", "--at", "K=4,M=3,epsilon=1/10"
    code, out, err = run(*call)
    assert (code, err) == (0, "")
    for quantity in ("hitting-time", "stationary", "capacity"):
        assert f"clique/complete/in-out/{quantity}, for integers K, M and real epsilon" in out
    assert "\nvalue at K=4,M=3,epsilon=1/10: " in out
    gap = "clique/complete/in-out/spectral-gap: not derived: the chain is not reversible: "
    assert f"\nNOT DERIVED  {gap}" in out
    told = json.loads(run(*call, "--json")[1])
    assert {"hitting-time", "stationary", "capacity"} <= {one["quantity"] for one in told}
    assert all(one["certificate"]["verdict"] == "PROVED" for one in told)
    assert all("value" in one or "lower_value" in one or "rho" in one["domain"] for one in told)
    assert "spectral-gap" not in {one["quantity"] for one in told}


# ---------------------------------------------------------------- what is refused
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (
            "derive hub.py",
            "hub.py: this file holds a kernel: write hub.py/META-GRAPH/ATTACHMENT, such as "
            "hub.py/ring/gate",
        ),
        ("derive hub.py/ring", "write hub.py/ring/ATTACHMENT, such as hub.py/ring/gate"),
        ("derive clique/ring", "write clique/ring/ATTACHMENT"),
        ("derive nothing", "or KERNEL/META-GRAPH/ATTACHMENT such as clique/ring/gate"),
        ("derive hub.py/ring/gate -q all --certificate c.json", "are of one quantity"),
        ("derive clique/ring/gates -q nothing", "conductance, kemeny"),
        ("verify clique/ring/gates/kemeny", "not derived: it needs one gate to a cluster"),
        ("new hub.py --kernel", "hub.py exists"),
        ("new clique.py --kernel", "clique is a built-in kernel"),
    ],
)
def test_remedies(arguments, words, refuses):
    assert words in refuses(*arguments.split())


def test_help_speaks_of_compositions(run):
    out = " ".join(run("derive", "--help")[1].split())
    assert "KERNEL/META-GRAPH/ATTACHMENT" in re.sub(r"\W*\n\W*", "", out)


# ---------------------------------------------------------------- verify
@pytest.fixture
def everywhere(monkeypatch):
    """Bounds are tried on the whole domain alone, where most cannot be shown."""
    monkeypatch.setattr(composed, "RANGES", ((),))
    recipes = vars(composed.CompositionDerivation)["recipes"].func
    few = ("exit-time", "stochastic-complement", "hitting-time-bounds", "spectral-gap")
    needed = property(lambda self: {q: r for q, r in recipes(self).items() if q in (*few, *BEFORE)})
    monkeypatch.setattr(composed.CompositionDerivation, "recipes", needed)


def test_what_is_not_derived_is_no_failure_of_a_composition(run, folder, everywhere):
    code, out, _ = run("verify", "clique/complete/gate", "--method", "float", "--json", "c.json")
    assert code == 0, out
    for quantity, reason in (
        ("hitting-time-bounds", "E[tau] <= 4 T_A is not shown on any of the ranges tried: all"),
        ("spectral-gap", "the bounds of the gap are not shown to be within a factor of 8 on any"),
    ):
        assert f"NOT DERIVED  clique/complete/gate/{quantity}  {reason}" in out
    told = json.loads((folder / "c.json").read_text())
    assert {claim["verdict"] for claim in told} == {"PROVED"}
    assert not {"hitting-time-bounds", "spectral-gap"} & {claim["quantity"] for claim in told}
    assert {"exit-time", "stochastic-complement"} <= {claim["quantity"] for claim in told}


def test_what_is_not_derived_is_a_failure_of_its_claim(run, everywhere):
    code, out, _ = run("verify", "core.py/complete/gate/hitting-time-bounds")
    assert code == 1
    assert out.startswith("UNDECIDED ")
    assert "0 of 1 claims PROVED" in out


def test_what_is_not_derived_is_a_failure_of_the_catalogue(run, everywhere, monkeypatch):
    entry = load("clique/complete/gate"), ("exit-time", "hitting-time-bounds")
    monkeypatch.setattr(cli, "catalogue", lambda: [entry])
    code, out, _ = run("verify", "catalogue", "--method", "float")
    assert code == 1
    assert "1 of 2 claims PROVED" in out


# ---------------------------------------------------------------- a skeleton
def test_skeleton_of_a_kernel(run):
    code, out, err = run("new", "mine.py", "--kernel")
    assert (code, err) == (0, "")
    assert out == "wrote mine.py; now: metastable derive mine.py/ring/gate\n"
    assert find("mine.py").id == "mine"
    assert run("derive", "mine.py/ring/gate")[0] == 0
    claims = [f"mine.py/ring/gate/{q}" for q in ("hitting-time", "spectral-gap", "exact-gap")]
    code, out, _ = run("verify", *claims)
    assert code == 0, out
    assert "3 of 3 claims PROVED" in out


@pytest.mark.slow
def test_skeleton_of_a_kernel_verifies_in_all(run):
    run("new", "mine.py", "--kernel")
    for family in ("mine.py/ring/gate", "mine.py/star/in-out"):
        code, out, _ = run("verify", family)
        assert code == 0, out
