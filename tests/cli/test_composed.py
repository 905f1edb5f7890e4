"""Composed families at the command line: ids of the form kernel/meta-graph/attachment."""

import json
from fractions import Fraction

import pytest

from theory.domain import evaluate, expression

RING = "clique/ring/gate"
# H = d (K - d) and R = K are the walk's mean times to the target's cluster and back to it.
BY_WALK = "(M*(1 - epsilon) + epsilon)*(H*(1 - epsilon) + 2*R*epsilon)/(epsilon*(1 - epsilon))"

KERNEL = '''"""A clique of a user's."""

from theory.kernels import kernels


class Mine(type(kernels()["clique"])):
    """Cliques again."""

    id = "mine"
'''
META_GRAPH = '''"""A ring of four clusters."""

from theory.meta_graphs.edge_list import EdgeList


class Mine(EdgeList):
    """Around."""

    id = "four"
    title = "ring of four"
    edges = ((0, 1), (1, 2), (2, 3), (3, 0))
    start_cluster, target_cluster = 2, 0
'''


def object_of(told):
    code, out, err = told
    assert (code, err) == (0, "")
    return json.loads(out)


def value_at(run, family, at):
    return Fraction(object_of(run("derive", family, "--at", at, "--json"))["value"])


def by_walk(H, R, M, epsilon):
    values = {"H": H, "R": R, "M": M, "epsilon": epsilon}
    return evaluate(expression(BY_WALK), {name: Fraction(x) for name, x in values.items()})


# ---------------------------------------------------------------- derive
@pytest.mark.parametrize(
    ("at", "d"),
    [
        ("K=8,M=5,epsilon=1/1000", 4),
        ("K=7,M=2,epsilon=999/1000", 3),
        ("K=7,M=3,epsilon=1/3,d=5", 5),
        ("K=3,M=2,epsilon=0.25", 1),
        ("K=1000001,M=9,epsilon=1e-30", 500000),
    ],
)
def test_value_is_that_of_the_theory(at, d, run):
    told = object_of(run("derive", RING, "--at", at, "--json"))
    assert (told["family"], told["quantity"]) == (RING, "hitting-time")
    assert set(told["parameters"]) == set(told["at"]) == {"K", "d", "M", "epsilon"}
    point = {name: Fraction(x) for name, x in told["at"].items()}
    assert point["d"] == d
    H = d * (point["K"] - d)
    value = by_walk(H, point["K"], point["M"], point["epsilon"])
    assert told["value"] == str(value)
    assert evaluate(expression(told["expression"]), point) == value
    assert told["certificate"]["verdict"] == "PROVED"


def test_ports_are_the_family_with_a_short_name(run):
    for short in ("ring", "path"):
        known = object_of(run("derive", short, "--json", "--at", "K=5,M=4,epsilon=1/7"))
        told = object_of(run("derive", f"clique/{short}/ports", "--json", "--at", known_at(known)))
        for key in known.keys() - {"arguments"}:
            assert told[key] == known[key], key
    gates = object_of(run("derive", RING, "--json", "--at", "K=5,M=4,epsilon=1/7"))
    assert gates["value"] != value_at(run, "ring", "K=5,M=4,epsilon=1/7")


def known_at(told):
    return ",".join(f"{name}={x}" for name, x in told["at"].items())


def test_complete_graph_of_cliques_has_two_names(run):
    at = "K=6,M=4,epsilon=2/9"
    assert value_at(run, "clique/complete/gate", at) == value_at(run, "complete", at)


def test_parts_in_files(run, tmp_path):
    """A path has slashes of its own: in the kernel's place, in the meta-graph's, in both."""
    (tmp_path / "deep").mkdir()
    kernel, meta = tmp_path / "deep" / "kernel.py", tmp_path / "deep" / "meta.py"
    kernel.write_text(KERNEL)
    meta.write_text(META_GRAPH)
    at, value = "M=3,epsilon=1/5", by_walk(4, 4, 3, "1/5")
    assert value_at(run, f"{kernel}/ring/gate", f"K=4,d=2,{at}") == value
    for first, name in (("clique", "clique/four/gate"), (kernel, "mine/four/gate")):
        told = object_of(run("derive", f"{first}/{meta}/gate", "--at", at, "--json"))
        assert told["family"] == name
        assert Fraction(told["value"]) == value
    assert run("verify", f"{kernel}/{meta}/gate/hitting-time", "--method", "exact")[0] == 0


# ---------------------------------------------------------------- certificates
def test_certificate_round_trip(run, tmp_path):
    proof = tmp_path / "proof.json"
    assert run("derive", RING, "--certificate", proof)[0] == 0
    code, out, err = run("check", proof)
    assert (code, err) == (0, "")
    assert out.startswith("VERIFIED: For all integers K, d, M and reals epsilon with K >= 3")
    assert out.endswith(f"It is the claim {RING}/hitting-time.\n")
    whole = json.loads(proof.read_text())
    value = whole["statement"]["value"]
    statement = {**whole["statement"], "value": f"{value} + epsilon"}
    proof.write_text(json.dumps({**whole, "statement": statement}))
    code, out, err = run("check", proof)
    assert (code, err) == (1, "")
    assert out.startswith("REFUSED: ")
    assert out.count("\n") == 1
    for other in (f"{RING}/exit-time", "clique/complete/gate/hitting-time", "ring/hitting-time"):
        proof.write_text(json.dumps({**whole, "claim": other}))
        code, out, err = run("check", proof)
        assert (code, err) == (1, "")
        assert out.endswith(f"REFUSED: this is not the statement of the claim {other}\n")


def test_certificate_of_parts_that_are_not_built_in(run, tmp_path):
    """What it names is neither taken for granted nor run."""
    proof, kernel = tmp_path / "proof.json", tmp_path / "kernel.py"
    assert run("derive", RING, "--certificate", proof)[0] == 0
    whole = json.loads(proof.read_text())
    ran = tmp_path / "ran"
    kernel.write_text(f"import pathlib\npathlib.Path({str(ran)!r}).touch()\n{KERNEL}")
    parts = (f"{kernel}/ring/gate", "mine/ring/gate", "clique/ring/nothing", "nested/ring/gates")
    for name in (*parts, str(kernel)):
        proof.write_text(json.dumps({**whole, "claim": f"{name}/hitting-time"}))
        code, out, err = run("check", proof)
        assert (code, err) == (0, "")
        assert "the statement above is all that is shown" in out
    assert not ran.exists()
    proof.write_text(json.dumps({**whole, "claim": "mine/ring/gate/hitting-time"}))
    code, out, err = run("check", proof, "--family", f"{kernel}/ring/gate")
    assert (code, err) == (0, "")
    assert out.endswith("It is the claim mine/ring/gate/hitting-time.\n")
    assert ran.exists()


# ---------------------------------------------------------------- verify and simulate
def test_verify(run, tmp_path):
    file = tmp_path / "report.json"
    code, out, err = run("verify", "clique/star/gate/hitting-time", "--json", file)
    assert (code, err) == (0, "")
    assert out.endswith("1 of 1 claims PROVED\n")
    (row,) = json.loads(file.read_text())
    assert row["claim"] == "clique/star/gate/hitting-time"
    assert (row["family"], row["quantity"]) == ("clique/star/gate", "hitting-time")
    assert (row["verdict"], row["reason"]) == ("PROVED", "")
    assert row["method"] == "certificate, rows, exact, float, simulation"


def test_verify_under_the_long_name(run):
    code, out, err = run("verify", "clique/ring/ports/exit-time", "--method", "exact")
    assert (code, err) == (0, "")
    assert out.split()[:2] == ["PROVED", "ring/exit-time"]


def test_simulate(run):
    """The seed is fixed, and five standard errors are far from the times of other ends."""
    at = "K=6,M=3,epsilon=1/2"
    asked = ("simulate", RING, "--at", at, "--replicas", 4000, "--seed", 7, "--json")
    told = object_of(run(*asked))
    assert (told["replicas"], told["seed"]) == (4000, 7)
    assert object_of(run(*asked)) | {"arguments": 0} == told | {"arguments": 0}
    band = 5 * told["standard_error"]
    assert abs(told["mean"] - value_at(run, RING, at)) < band
    assert abs(told["mean"] - value_at(run, RING, f"{at},d=1")) > 2 * band
    assert abs(told["mean"] - value_at(run, "ring", at)) > 2 * band
    ends = ("--from", "1.1", "--to", "0.1")  # state 1 of a cluster beside the target's
    near = object_of(run(*asked, *ends))
    assert abs(near["mean"] - value_at(run, RING, f"{at},d=1")) < 5 * near["standard_error"]
