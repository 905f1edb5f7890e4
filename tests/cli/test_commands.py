"""What every command does with good input, by its contract."""

import json
import os
import pty
import shutil
import subprocess
import sys
from fractions import Fraction
from importlib.metadata import version
from pathlib import Path
from unittest.mock import MagicMock

import numpy as np
import pytest
import scipy.sparse
import sympy

from numerics import cli, exact, processes
from numerics.chain import read_chain
from theory.attachment import ATTACHMENTS
from theory.claims import Derivation
from theory.domain import evaluate, expression
from theory.enclosure import enclose
from theory.family import built_in
from theory.kernels import kernels
from theory.meta_graphs import meta_graphs

AT = "K=4,M=3,epsilon=1/10"
POINT = {"K": Fraction(4), "M": Fraction(3), "epsilon": Fraction(1, 10)}
DERIVED = {
    *("family", "quantity", "parameters", "latex", "domain", "source", "certificate"),
    *("version", "arguments"),
}
UNEQUAL_AT = "K_1=2,K_2=3,M_1=3,M_2=5,epsilon=1/10"
COMMANDS = (
    *("families", "new", "derive", "verify", "check", "solve", "simulate", "run", "sweep", "book"),
)


def object_of(told):
    code, out, err = told
    assert (code, err) == (0, "")
    return json.loads(out)


def signed(told, *arguments):
    """Every object carries the version and the arguments."""
    assert told["version"] == version("metastable")
    assert told["arguments"] == [str(a) for a in arguments]
    return told


# ---------------------------------------------------------------- the installed command
def installed(*arguments, **options):
    command = Path(sys.executable).with_name("metastable")
    found = str(command) if command.exists() else shutil.which("metastable")
    assert found, "the command is not installed"
    return subprocess.run(
        [found, *map(str, arguments)], capture_output=True, text=True, timeout=300, **options
    )


def test_installed_command(tmp_path):
    proof = tmp_path / "proof.json"
    done = installed("derive", "complete", "--json", "--at", AT, "--certificate", proof)
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["value"] == "980/9"
    altered = json.loads(proof.read_text())
    altered["statement"]["value"] += " + 1"
    proof.write_text(json.dumps(altered))
    done = installed("check", proof)
    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout.startswith("REFUSED: ")
    done = installed("derive", "--nothing")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "metastable: No such option: --nothing Try 'metastable --help'.\n"


def test_command_without_arguments_teaches():
    done = installed()
    assert (done.returncode, done.stderr) == (0, "")
    for command in COMMANDS:
        assert command in done.stdout


def test_progress_bar_on_a_terminal_only(tmp_path):
    arguments = ("verify", "complete/exit-time", "--method", "exact")
    assert installed(*arguments).stderr == ""
    command = Path(sys.executable).with_name("metastable")
    if not command.exists():
        pytest.skip("no command beside the interpreter")
    master, slave = pty.openpty()
    environment = {**os.environ, "TERM": "xterm"}
    done = subprocess.run(
        [command, *arguments],
        stdout=subprocess.PIPE,
        stderr=slave,
        env=environment,
        timeout=300,
        check=True,
    )
    os.close(slave)
    drawn = os.read(master, 100_000)
    os.close(master)
    assert b"complete/exit-time" in drawn
    assert done.stdout.endswith(b"1 of 1 claims PROVED\n")


def test_broken_pipe_is_quiet():
    command = Path(sys.executable).with_name("metastable")
    code = f"{command} families | head -1; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", code], capture_output=True, text=True, timeout=300)
    assert done.stdout == "complete: Complete graph of cliques\n"
    assert "Traceback" not in done.stderr


# ---------------------------------------------------------------- help
@pytest.mark.parametrize("command", COMMANDS)
def test_help_teaches(command, run):
    code, out, err = run(command, "--help")
    assert (code, err) == (0, "")
    assert "Usage" in out
    assert command in out
    assert len(out.splitlines()) > 8
    options = {
        "derive": ("--quantity", "--at", "--latex", "--json", "--certificate", "1/1000"),
        "verify": ("--method", "exact | float | simulation", "--json", "--seed"),
        "check": ("--family", "certificate"),
        "solve": ("--quantity", "--from", "--to", "stationary", ".csv"),
        "simulate": ("--replicas", "--seed", "--at", "--from", "--to", "--method"),
        "run": ("--seed", "--at", "--from", "--to", "--set", "--json", "--figure"),
        "sweep": ("--scheduler", "--store", "--export", "--workers"),
        "families": ("--json",),
        "new": ("skeleton",),
        "book": ("--open",),
    }
    for option in options[command]:
        assert option in " ".join(out.split()), option


def test_help_of_all(run):
    code, out, err = run("--help")
    assert (code, err) == (0, "")
    for line in ("metastable families", "metastable derive ring", "metastable solve chain.csv"):
        assert line in out
    assert run()[:2] == (0, out)


# ---------------------------------------------------------------- families
def titles_of_parts():
    """Of which families are composed."""
    return {
        "kernels": {name: kernel.title for name, kernel in kernels().items()},
        "meta_graphs": {name: meta.title for name, meta in meta_graphs().items()},
        "attachments": {name: attachment.title for name, attachment in ATTACHMENTS.items()},
    }


def test_families(run):
    code, out, err = run("families")
    assert (code, err) == (0, "")
    *blocks, composed = out.strip("\n").split("\n\n")
    assert [b.partition(":")[0] for b in blocks] == list(built_in())
    assert max(map(len, out.splitlines())) <= 100
    for block, family in zip(blocks, built_in().values(), strict=True):
        words = " ".join(block.split())
        assert family.title in words
        assert family.gates in words
        assert ", ".join(family.domain.all_facts) in words
        assert words.endswith(f"quantities {', '.join(Derivation(family).recipes)}")
        assert "-> target" in words
        for parameter in family.domain.parameters:
            assert f"{parameter.name}: {parameter.meaning}" in words
    first, *lines = composed.splitlines()
    assert first.startswith("kernel/meta-graph/attachment, such as clique/ring/gate")
    kinds = [line[:14].strip() for line in lines if line[:14].strip()]
    assert kinds == ["kernels", "meta-graphs", "attachments"]
    words = " ".join(" ".join(lines).split())
    for titles in titles_of_parts().values():
        for name, title in titles.items():
            assert f" {name}: {title}" in words
    assert "weighted edges to the target (K, omega; from other -> target)" in words


def test_families_json(run):
    told = signed(object_of(run("families", "--json")), "families", "--json")
    parts = titles_of_parts()
    assert set(told) == {"families", *parts, "version", "arguments"}
    assert {kind: told[kind] for kind in parts} == parts
    found = {f["id"]: f for f in told["families"]}
    assert set(found) == set(built_in())
    for family in found.values():
        assert {"parameters", "domain", "gates", "start", "target", "quantities"} <= set(family)
    assert found["ring"]["parameters"][3]["default"] == "floor(K/2)"
    assert found["star"]["quantities"][0] == "hitting-time"
    assert [n for n in found if "spectral-gap" not in found[n]["quantities"]] == ["unequal"]


# ---------------------------------------------------------------- derive
def test_derive(run):
    code, out, err = run("derive", "ring")
    assert (code, err) == (0, "")
    assert "for integers K, M, d and real epsilon with K >= 2, M >= 3" in out
    assert "PROVED by a certificate of kind mean-hitting-time" in out


@pytest.mark.parametrize("name", ["complete", "ring", "star"])
def test_derive_json(name, run):
    arguments = ("derive", name, "--json")
    told = signed(object_of(run(*arguments)), *arguments)
    assert set(told) == DERIVED | {"expression"}
    assert (told["family"], told["quantity"]) == (name, "hitting-time")
    assert told["parameters"] == [p.name for p in built_in()[name].domain.parameters]
    assert set(told["certificate"]) == {"kind", "verdict", "statement"}
    assert told["certificate"]["verdict"] == "PROVED"
    assert told["certificate"]["statement"].startswith("For all integers K, M")
    read = sympy.sympify(told["expression"])
    names = set(told["parameters"])
    assert {str(s) for s in read.free_symbols} <= names
    assert read.free_symbols <= {sympy.Symbol(n) for n in names}  # no assumptions: plain symbols
    assert told["latex"].startswith(r"\mathbb{E}[\tau] = ")


def test_derive_json_of_every_quantity(run):
    told = object_of(run("families", "--json"))
    quantities = {f["id"]: f["quantities"] for f in told["families"]}
    for name, at in (("complete", AT), ("star", AT), ("unequal", UNEQUAL_AT)):
        for quantity in quantities[name]:
            told = object_of(run("derive", name, "--quantity", quantity, "--json", "--at", at))
            two = {"lower", "upper", "lower_value", "upper_value"}
            extra = set(told) - DERIVED - {"at", "value", "expression", "orbits", "clusters"}
            assert extra <= two
            bounded = quantity == "spectral-gap" or quantity.startswith("hitting-time-bounds")
            assert bool(extra) == bounded
            parts = [told[key] for key in ("expression", "lower", "upper") if key in told]
            for part in parts:
                for row in part if isinstance(part, list) else [[part]]:
                    for entry in row:
                        sympy.sympify(entry)


def test_at_is_exact(run):
    told = object_of(run("derive", "complete", "--json", "--at", AT))
    assert told["at"] == {"K": "4", "M": "3", "epsilon": "1/10"}
    value = evaluate(expression(told["expression"]), POINT)
    assert told["value"] == f"{value.numerator}/{value.denominator}"
    assert value == Fraction(980, 9)  # 2.8 * 3.5/0.09
    assert f"value at {AT}: {told['value']}" in run("derive", "complete", "--at", AT)[1]


def test_two_sizes(run):
    """2*(3 - 2/10) + 3*(5 - 4/10) weights of a gate, times 2/(9/10) + 4*10/5."""
    told = object_of(run("derive", "unequal", "--json", "--at", UNEQUAL_AT))
    assert Fraction(told["value"]) == Fraction("19.4") * (Fraction(20, 9) + 8)
    assert told["at"] == {"K_1": "2", "K_2": "3", "M_1": "3", "M_2": "5", "epsilon": "1/10"}


def test_at_names_the_parameters_of_the_quantity_too(run):
    """Of the law of an exit time: E[rho^time] at rho."""
    call = "derive", "clique/ring/gate", "-q", "exit-law", "--at"
    code, out, err = run(*call, "K=5,d=2,M=3,epsilon=1/40,rho=3/5")
    assert (code, err) == (0, "")
    assert "value at K=5,d=2,M=3,epsilon=1/40,rho=3/5: 1/135" in out
    code, out, err = run(*call, "K=5,d=2,M=3,epsilon=1/40")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "parameter rho is missing: add it, --at K=5,d=2,M=3,epsilon=1/40,rho=..." in err
    code, out, err = run(*call, "K=5,d=2,M=3,epsilon=1/40,rho=3/5,z=1")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "unknown parameter 'z': give one of K, d, M, epsilon, rho" in err


def test_at_in_other_spellings(run):
    spelled = ("1/1000", "0.001", "1e-3", "1E-3", ".001", "10e-4", "2/2000", "+0.001", " 1/1000 ")
    answers = set()
    for text in spelled:
        told = object_of(run("derive", "ring", "--json", "--at", f"K=8,M=5,epsilon={text}"))
        answers.add((told["value"], told["at"]["epsilon"], told["at"]["d"]))
    ((_, epsilon, d),) = answers
    assert (epsilon, d) == ("1/1000", "4")
    assert run("derive", "ring", "--at", "M = 5, epsilon = 1/1000, K = 8")[0] == 0


def test_at_far_out(run):
    large = {"K": "1000000", "M": "5"}  # of clusters and states, one size or two
    for name, family in built_in().items():
        asked = [p.name for p in family.domain.parameters if p.name[0] in large]
        assert len(asked) in (2, 4)
        at = ",".join([*(f"{n}={large[n[0]]}" for n in asked), "epsilon=1/1000"])
        told = object_of(run("derive", name, "--json", "--at", at))
        assert Fraction(told["value"]) > 10**9
    at = f"K=1{'0' * 40},M=3,epsilon=1e-400"
    assert Fraction(object_of(run("derive", "ring", "--json", "--at", at))["value"]) > 10**400


@pytest.mark.parametrize(("name", "at"), [("complete", AT), ("ring", "K=7,M=3,epsilon=1e-9")])
def test_irrational_value_is_a_narrow_enclosure(name, at, run, claim):
    told = object_of(run("derive", name, "--quantity", "spectral-gap", "--json", "--at", at))
    bounds, point = claim(name, "spectral-gap"), {n: Fraction(x) for n, x in told["at"].items()}
    found = {key: told[key] for key in ("value", "lower_value", "upper_value") if key in told}
    assert len(found) == 2 + (name == "complete")
    assert any(isinstance(value, list) for value in found.values())
    for key, value in found.items():
        low, high = (Fraction(x) for x in (value if isinstance(value, list) else [value] * 2))
        assert 0 < low <= high
        assert high - low < low / 10**15
        formula = getattr(bounds, "expression" if key == "value" else key.removesuffix("_value"))
        assert (low, high) == enclose(formula, point)


def test_matrices(run):
    asked = ("--json", "--at", "K=4,M=3,epsilon=1/2")
    told = object_of(run("derive", "ring", "--quantity", "aggregated-matrix", *asked))
    matrix = [[Fraction(x) for x in row] for row in told["value"]]
    assert [len(row) for row in matrix] == [4] * 4
    assert all(sum(row) == 1 for row in matrix)
    assert matrix[0][1] == matrix[1][0] == Fraction(1, 5)
    assert matrix[0][2] == 0
    told = object_of(run("derive", "star", "--quantity", "stationary", "--json", "--at", AT))
    assert len(told["value"][0]) == len(told["orbits"])


def test_latex(run):
    code, out, err = run("derive", "complete", "--latex")
    assert (code, err) == (0, "")
    assert out.startswith(r"\mathbb{E}[\tau] = ")
    assert r"\epsilon" in out
    assert out.count("\n") == 1


# ---------------------------------------------------------------- verify and check
def test_verify(run, tmp_path):
    file = tmp_path / "report.json"
    arguments = ("verify", "complete", "star/spectral-gap", "--json", file)
    code, out, err = run(*arguments)
    assert (code, err) == (0, "")
    assert out.endswith("8 of 8 claims PROVED\n")
    lines = out.splitlines()[:-1]
    rows = json.loads(file.read_text())
    assert isinstance(rows, list)
    for line, row in zip(lines, rows, strict=True):
        keys = {"claim", "family", "quantity", "verdict", "method", "margin", "certificate"}
        assert set(row) == keys | {"reason", "version", "arguments"}
        signed(row, *arguments)
        assert row["claim"] == f"{row['family']}/{row['quantity']}"
        assert (row["verdict"], row["reason"]) == ("PROVED", "")
        assert "certificate, rows" in row["method"]
        assert row["certificate"]["statement"].startswith("For all")
        assert line.split()[:2] == ["PROVED", row["claim"]]


@pytest.mark.parametrize("method", ["exact", "float", "simulation"])
def test_verify_by_one_method(method, run, tmp_path):
    file = tmp_path / "report.json"
    told = run("verify", "complete/hitting-time", "--method", method, "--json", file, "--seed", 5)
    assert told[0] == 0
    assert json.loads(file.read_text())[0]["method"] == f"certificate, rows, {method}"


def test_verify_by_processes_tells_the_same(run, monkeypatch):
    """In the same order, though the claims of a family are done together."""
    claims = "complete/hitting-time", "star/exit-time-hub", "complete/exit-time"
    alone = run("verify", *claims, "--method", "float")
    monkeypatch.setattr(cli, "MANY", 2)
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    shared = MagicMock(wraps=processes.shared)
    monkeypatch.setattr(processes, "shared", shared)
    assert run("verify", *claims, "--method", "float") == alone
    shared.assert_called_once()
    assert alone[0] == 0
    assert "3 of 3 claims PROVED" in alone[1]


def test_check(run, tmp_path):
    proof = tmp_path / "proof.json"
    assert run("derive", "complete", "--certificate", proof)[0] == 0
    code, out, err = run("check", proof)
    assert (code, err) == (0, "")
    assert out.startswith("VERIFIED: For all integers K, M and reals epsilon with K >= 2")
    assert out.endswith("It is the claim complete/hitting-time.\n")
    whole = json.loads(proof.read_text())
    for alter in (
        lambda c: c["statement"].update(value="1 + " + c["statement"]["value"]),
        lambda c: c["statement"]["chain"]["rows"].pop(),
        lambda c: c["statement"]["domain"]["facts"].remove("K >= 2"),
        lambda c: c["witness"].clear(),
        lambda c: c.pop("witness"),
        lambda c: c["statement"].update(kind="proof"),
        lambda c: c["witness"]["functions"]["f"].update(gate="0"),
    ):
        altered = json.loads(json.dumps(whole))
        alter(altered)
        proof.write_text(json.dumps(altered))
        code, out, err = run("check", proof)
        assert (code, err) == (1, "")
        assert out.startswith("REFUSED: ")
        assert out.count("\n") == 1


def test_check_of_a_true_statement_that_is_another(run, tmp_path):
    """A proof of one claim that is labelled as that of another."""
    proof = tmp_path / "proof.json"
    run("derive", "complete", "--certificate", proof)
    whole = json.loads(proof.read_text())
    proof.write_text(json.dumps({**whole, "claim": "ring/hitting-time"}))
    code, out, err = run("check", proof)
    assert (code, err) == (1, "")
    assert "VERIFIED: " in out
    assert out.endswith("REFUSED: this is not the statement of the claim ring/hitting-time\n")
    for label in ({"claim": "mine/hitting-time"}, {}):
        proof.write_text(json.dumps({**{k: v for k, v in whole.items() if k != "claim"}, **label}))
        code, out, err = run("check", proof)
        assert (code, err) == (0, "")
        assert "the statement above is all that is shown" in out


# ---------------------------------------------------------------- solve
LAW = (0.08928, 0.09276, 0.04049, 0.15853, 0.11894, 0.12039, 0.27780, 0.10182)


def test_solve_courtois(run, courtois):
    arguments = ("solve", courtois, "--quantity", "stationary", "--json")
    told = signed(object_of(run(*arguments)), *arguments)
    assert set(told) == {"stationary", "method", "relative_error_bound", "version", "arguments"}
    assert tuple(round(p, 5) for p in told["stationary"].values()) == LAW
    assert list(told["stationary"]) == [str(n) for n in range(8)]
    code, out, err = run("solve", courtois, "-q", "stationary")
    assert (code, err) == (0, "")
    assert "0.0892" in out


def test_solve_hitting_time(run, courtois):
    arguments = ("solve", courtois, "--from", 0, "--to", "6,7", "--json")
    told = signed(object_of(run(*arguments)), *arguments)
    keys = {"from", "to", "mean_hitting_time", "method", "relative_error_bound"}
    assert set(told) == keys | {"version", "arguments"}
    assert (told["from"], told["to"]) == ("0", ["6", "7"])
    truth = exact.mean_hitting_times(read_chain(courtois), [6, 7])[0]
    error = abs(Fraction(told["mean_hitting_time"]) - truth)
    assert error <= Fraction(told["relative_error_bound"]) * truth
    code, out, err = run("solve", courtois, "--from", 0, "--to", "6,7")
    assert (code, err) == (0, "")
    assert str(told["mean_hitting_time"]) in out


def test_solve_every_format(run, tmp_path):
    matrix = np.array([[0.0, 0.25, 0.0], [0.5, 0.0, 0.125], [0.0, 1.0, 0.0]])
    scipy.sparse.save_npz(tmp_path / "chain.npz", scipy.sparse.csr_array(matrix))
    (tmp_path / "matrix.csv").write_text("\n".join(",".join(map(str, r)) for r in matrix))
    rows = [(a, b, matrix[a, b]) for a in range(3) for b in range(3) if matrix[a, b]]
    names = "xyz"
    triples = "".join(f"{names[a]},{names[b]},{p}\n" for a, b, p in rows)
    (tmp_path / "rows.csv").write_text("from,to,probability\n" + triples)
    transitions = [[names[a], names[b], str(p)] for a, b, p in rows]
    told = {"states": list(names), "transitions": transitions}
    (tmp_path / "chain.json").write_text(json.dumps(told))
    numbers, letters = ("--from", "0", "--to", "2"), ("--from", "x", "--to", "z")
    for file, ends in (
        ("chain.npz", numbers),
        ("matrix.csv", numbers),
        ("rows.csv", letters),
        ("chain.json", letters),
    ):
        told = object_of(run("solve", tmp_path / file, *ends, "--json"))
        assert told["mean_hitting_time"] == pytest.approx(28, rel=1e-15)


def test_solve_past_the_range_of_a_double(run, tmp_path):
    """Tiny entries: numbers that no double holds come as decimal strings."""
    file = tmp_path / "tiny.csv"
    file.write_text("a,b,1e-320\nb,a,1/2\nb,c,1e-100\nc,b,1\n")
    told = object_of(run("solve", file, "--from", "a", "--to", "c", "--json"))
    truth = exact.mean_hitting_times(read_chain(file), [2])[0]
    text = told["mean_hitting_time"]
    assert isinstance(text, str)
    assert abs(Fraction(text) / truth - 1) < Fraction(1, 10**15)
    assert told["relative_error_bound"] < 1e-13
    told = object_of(run("solve", file, "--from", "a", "--to", "b", "--json"))
    assert abs(Fraction(told["mean_hitting_time"]) / 10**320 - 1) < Fraction(1, 10**15)
    told = object_of(run("solve", file, "--from", "b", "--to", "b", "--json"))
    assert told["mean_hitting_time"] == 0
    law = object_of(run("solve", file, "-q", "stationary", "--json"))["stationary"]
    expected = exact.stationary(read_chain(file))
    for value, p in zip(law.values(), expected, strict=True):
        assert abs(Fraction(value) / p - 1) < Fraction(1, 10**15)
    assert isinstance(law["b"], str)
    assert "e+" in run("solve", file, "--from", "a", "--to", "c")[1]


def test_solve_looks_only_where_the_chain_can_go(run, tmp_path):
    file = tmp_path / "island.csv"
    file.write_text("a,b,1/2\nb,a,1/2\nc,d,1\n")
    told = object_of(run("solve", file, "--from", "a", "--to", "b", "--json"))
    assert told["mean_hitting_time"] == 2
    told = object_of(run("solve", file, "--from", "a", "--to", "b, d", "--json"))
    assert told["mean_hitting_time"] == 2


def test_state_names_with_commas_and_spaces(run, tmp_path):
    file = tmp_path / "names.csv"
    file.write_text('from,to,probability\n"a,b",c d,1/4\nc d,"a,b",1\n')
    told = object_of(run("solve", file, "--from", "c d", "--to", "a,b", "--json"))
    assert told["to"] == ["a,b"]
    told = object_of(run("solve", file, "--from", "a,b", "--to", "c d", "--json"))
    assert told["mean_hitting_time"] == 4


# ---------------------------------------------------------------- simulate
def test_simulate(run, courtois):
    """Two hundred replicas of a known mean; nothing here is a statistical test."""
    arguments = ("simulate", "complete", "--at", AT, "--replicas", 200, "--seed", 1, "--json")
    told = signed(object_of(run(*arguments)), *arguments)
    keys = {"mean", "standard_error", "replicas", "seed", "steps", "method", "version", "arguments"}
    assert set(told) == keys
    assert (told["replicas"], told["seed"]) == (200, 1)
    assert told["mean"] == told["steps"] / 200
    assert told["standard_error"] > 0
    assert object_of(run(*arguments)) == told
    assert object_of(run(*arguments[:-2], 2, "--json"))["steps"] != told["steps"]
    code, out, err = run("simulate", courtois, "--from", 0, "--to", 2, "--replicas", 3, "--seed", 0)
    assert (code, err) == (0, "")
    assert "3 replicas, seed 0" in out
    ends = ("--from", "0.0", "--to", "1.0,2.0")
    assert object_of(run(*arguments, *ends))["steps"] > 0
