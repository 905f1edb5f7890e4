"""A family of a user's, in one file and with no other edit: formula, certificate and bounds."""

import json
import sys
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest
import sympy

from numerics import cli, exact
from numerics.rows import concrete
from theory.certificates import NoProof
from theory.chain import OrbitChain, leaves, orbit, row, row_faults, sparse
from theory.derive import law_certificate, solved
from theory.domain import Domain, Parameter, evaluate, expression
from theory.family import FamilyError, built_in, load

TRIANGLE = Path(__file__).parents[1] / "data" / "triangle.py"
SPIDER = '''
"""A hub of m states and n leaves of 2 m states; nothing here is called K, M or epsilon."""

from theory.chain import ExplicitChain, OrbitChain, cliques, dense, orbit, row, sparse
from theory.domain import Domain, Parameter, expression
from theory.family import Exit, Family, Pivot, Problem, Range

n, m, q = (expression(name) for name in ("n", "m", "q"))
one = expression(1)


class Spider(Family):
    """Leaves around a hub of another size."""

    id = "spider"
    title = "Spider"
    gates = "state 0 of a leaf <-> state 0 of the hub"
    domain = Domain(
        (
            Parameter("n", ("n >= 2",), "leaves"),
            Parameter("m", ("m >= 2",), "states of the hub, half those of a leaf"),
            Parameter("q", ("q > 0", "q < 1"), "mass on the sparse edges", integer=False),
        )
    )
    exits = (Exit("hub", ("hub_bulk", None)),)
    comparison = {"": Range(("m*q <= 1",), "1", "4")}
    pivot = Pivot("hub_gate", bound="q/(2*m + q)")

    def problems(self):
        home = {"target": one, "home_gate": one, "home_bulk": 2 * m - 2}
        hub = {"hub_gate": one, "hub_bulk": m - 1}
        leaf = {"gate": one, "bulk": 2 * m - 1}
        onward = [sparse("home_gate", q / n), sparse("gate", q * (n - 1) / n)]
        chain = OrbitChain(
            self.domain,
            {name: orbit(size, "home") for name, size in home.items()}
            | {name: orbit(size, "hub") for name, size in hub.items()}
            | {name: orbit((n - 1) * size, "leaf") for name, size in leaf.items()},
            (
                row("target", dense(one, home)),
                row("home_bulk", dense(one, home)),
                row("home_gate", [*dense(1 - q, home), sparse("hub_gate", q)]),
                row("hub_bulk", dense(one, hub)),
                row("hub_gate", [*dense(1 - q, hub), *onward]),
                row("bulk", dense(one, leaf)),
                row("gate", [*dense(1 - q, leaf), sparse("hub_gate", q)]),
            ),
        )
        return (Problem("", chain, ("bulk", None), "target"),)

    def explicit(self, point):
        count, mass = int(point["n"]), point["q"]
        edges = {((k, 0), (0, 0)): mass for k in range(1, count + 1)}
        edges |= {((0, 0), (k, 0)): mass / count for k in range(1, count + 1)}
        return cliques([int(point["m"])] + [2 * int(point["m"])] * count, edges)

    def place(self, problem, state, point):
        k, i = state
        if k == 0:
            return ("hub_gate" if i == 0 else "hub_bulk"), None
        if k == 1:
            return {0: "home_gate", 1: "target"}.get(i, "home_bulk"), None
        return ("gate" if i == 0 else "bulk"), None

    def start(self, problem, point):
        return 2, 1
'''


@pytest.fixture
def run(monkeypatch, capsys):
    """``run("derive", file)`` -> exit code, stdout, stderr."""

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["metastable", *map(str, arguments)])
        with pytest.raises(SystemExit) as stop:
            cli.main()
        told = capsys.readouterr()
        return stop.value.code or 0, told.out, told.err

    return call


@pytest.fixture
def spider(tmp_path):
    file = tmp_path / "spider.py"
    file.write_text(SPIDER)
    return file


def test_formula(spider, run):
    """Half the commute time: weight times resistance of two bridges and the cliques they end in."""
    code, out, err = run("derive", spider, "--json")
    assert (code, err) == (0, "")
    told = json.loads(out)
    assert (told["family"], told["certificate"]["verdict"]) == ("spider", "PROVED")
    assert told["parameters"] == ["n", "m", "q"]
    n, m, q = sympy.symbols("n m q")
    # with unit conductances in a leaf its gate has weight 2 m/(1 - q), as has 1/n of the hub's;
    # a bridge has resistance (1 - q)/(2 m q)
    leaf = 2 * m * (2 * m - 1 + 1 / (1 - q))
    hub = n * 2 * m * (m - 1 + 1 / (1 - q))
    resistance = 2 * (2 / (2 * m) + (1 - q) / (2 * m * q))
    assert sympy.simplify(expression(told["expression"]) - (n * leaf + hub) * resistance / 2) == 0


def test_formula_against_the_explicit_chain(spider, run):
    family = load(str(spider))
    told = json.loads(run("derive", spider, "--json")[1])
    for point in family.domain.points(8, seed=1):
        explicit = family.explicit(point)
        start, target = (
            explicit.states.index(end)
            for end in (family.start("", point), family.target("", point))
        )
        time = exact.mean_hitting_times(concrete(explicit), [target])[start]
        assert evaluate(expression(told["expression"]), point) == time
    at = "n=1000000,m=7,q=1e-9"
    value = json.loads(run("derive", spider, "--json", "--at", at)[1])["value"]
    assert Fraction(value) > 10**15


def test_certificate(spider, run, tmp_path):
    for quantity in ("hitting-time", "hitting-time-bounds"):
        proof = tmp_path / f"{quantity}.json"
        code, _, err = run("derive", spider, "--quantity", quantity, "--certificate", proof)
        assert (code, err) == (0, "")
        code, out, err = run("check", proof)
        assert (code, err) == (0, "")
        assert out.startswith("VERIFIED: For all integers n, m and reals q")
        assert "all that is shown" in out
        code, out, err = run("check", proof, "--family", spider)
        assert (code, err) == (0, "")
        assert f"It is the claim spider/{quantity}." in out
    other = tmp_path / "other.py"
    other.write_text(SPIDER.replace("n >= 2", "n >= 3"))  # another domain, hence another claim
    code, out, err = run("check", proof, "--family", other)
    assert (code, err) == (1, "")
    assert "REFUSED: this is not the statement of the claim" in out


def test_all_claims(spider, run, tmp_path):
    report = tmp_path / "report.json"
    code, out, err = run("verify", spider, "--json", report)
    assert (code, err) == (0, "")
    rows = {row["quantity"]: row for row in json.loads(report.read_text())}
    assert {"hitting-time", "exit-time-hub", "hitting-time-bounds", "spectral-gap"} <= set(rows)
    assert {row["verdict"] for row in rows.values()} == {"PROVED"}
    assert f"{len(rows)} of {len(rows)} claims PROVED" in out


def test_chain_that_is_not_reversible(run, tmp_path):
    """Its law is proved by the rows of the time reversal; of the gap the reason is told."""
    report = tmp_path / "report.json"
    code, out, err = run("verify", TRIANGLE, "--json", report)
    assert (code, err) == (0, "")
    rows = {row["quantity"]: row["verdict"] for row in json.loads(report.read_text())}
    assert {"stationary", "aggregated-matrix", "hitting-time-bounds"} <= set(rows)
    assert set(rows.values()) == {"PROVED"}
    assert "spectral-gap  the chain is not reversible" in out


def test_wrong_law_of_a_chain_that_is_not_reversible_is_refused():
    problem = load(str(TRIANGLE)).problems()[0]
    (chain,) = leaves(problem.chains)
    solution = solved(chain, problem.target)
    assert "reversed" in law_certificate(chain, solution)["statement"]
    wrong = replace(solution, law=(2 * solution.law[0], *solution.law[1:]))
    with pytest.raises(NoProof):
        law_certificate(chain, wrong)


def test_wrong_explicit_chain_is_refuted_with_a_command_that_reproduces_it(tmp_path, run):
    file = tmp_path / "wrong.py"
    file.write_text(SPIDER.replace("mass / count for", "mass / (count + 1) for"))
    code, out, err = run("verify", f"{file}/hitting-time", "--seed", 3)
    assert (code, err) == (1, "")
    assert "REFUTED" in out
    again = next(line.split() for line in out.splitlines() if "reproduce:" in line)
    assert again[1:] == ["metastable", "verify", f"{file}/hitting-time", "--seed", "3"]
    assert run(*again[2:]) == (code, out, err)


def test_what_is_not_derived_is_undecided(tmp_path, run):
    """Bounds that do not hold are no claim: said in one line, and never passed over."""
    file = tmp_path / "far.py"
    file.write_text(SPIDER.replace('"1", "4"', '"1", "1"'))
    code, out, err = run("derive", file, "--quantity", "hitting-time-bounds")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "spider/hitting-time-bounds: not derived" in err
    code, out, _ = run("verify", f"{file}/hitting-time-bounds")
    assert code == 1
    assert "UNDECIDED" in out
    assert "0 of 1 claims PROVED" in out


# ---------------------------------------------------------------- the skeleton
def test_skeleton_derives_and_verifies_as_it_stands(tmp_path, run):
    file = tmp_path / "my family.py"
    code, out, err = run("new", file)
    assert (code, err) == (0, "")
    assert f"metastable derive {file}" in out.replace("'", "")
    assert load(str(file)).id == "my-family"
    code, out, err = run("derive", file)
    assert (code, err) == (0, "")
    assert "PROVED by a certificate" in out
    code, out, err = run("verify", file)
    assert (code, err) == (0, ""), out
    assert "7 of 7 claims PROVED" in out


@pytest.mark.parametrize(
    "name", ["a.py", "Ring-2.py", "it's.py", '"""quoted.py', "back\\slash.py", "{x}.py"]
)
def test_skeleton_runs_under_any_name(name, tmp_path, run):
    file = tmp_path / name
    assert run("new", file)[0] == 0
    assert load(str(file)).id not in built_in()


@pytest.mark.parametrize("name", ["a.txt", "ring.py", "a", "nowhere/a.py"])
def test_skeleton_is_refused(name, tmp_path, run):
    code, out, err = run("new", tmp_path / name)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert not (tmp_path / name).exists()


def test_skeleton_never_overwrites(spider, run):
    code, out, err = run("new", spider)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "nothing was written" in err
    assert spider.read_text() == SPIDER


# ---------------------------------------------------------------- mistakes of beginners
@pytest.fixture
def changed(tmp_path, run):
    def write(*changes):
        file = tmp_path / "mine.py"
        assert run("new", file)[0] == 0
        text = file.read_text()
        for old, new in changes:
            assert old in text, old
            text = text.replace(old, new)
        file.write_text(text)
        return file

    return write


def test_a_row_may_sum_to_1_by_a_fact():
    def faults(*facts, more="0"):
        domain = Domain((Parameter("M", facts, "states"),))
        moves = [sparse("one", expression("M/2") + expression(more))]
        chain = OrbitChain(domain, {"one": orbit(1, "all")}, (row("one", moves),))
        return list(row_faults(chain, {"M"}))

    assert faults("M >= 2", "M <= 2") == []
    assert faults("M >= 3") == ["the row of 'one' misses 1 by M/2 - 1: mend its probabilities"]
    for stranger in ("j", "w"):
        assert faults("M >= 2", "M <= 2", more=stranger)[-1].startswith("the row of 'one' misses 1")


def test_bounds_too_far_apart_are_told(changed, run):
    mode = changed(('"bulk": "1 + epsilon"', '"bulk": "5 + epsilon"'))
    code, out, err = run("derive", mode, "--quantity", "spectral-gap")
    assert (code, out) == (2, "")
    assert (
        "the bounds are not shown to lie within a factor 8; at M=2,L=2,epsilon=1/1000 they " in err
    )
    assert "narrow the domain, or give another pivot or slow_mode" in err


def test_a_comparison_that_fails_is_told(changed, run):
    times = changed(('"1", "5")', '"1", "2")'))
    code, out, err = run("derive", times, "--quantity", "hitting-time-bounds")
    assert (code, out) == (2, "")
    assert "1*T_A <= E[tau] <= 2*T_A is not shown where L*epsilon <= 1" in err
    assert "give comparison another Range" in err


def test_a_wrong_subsolution_names_the_row(changed, run):
    plain = 'Problem("", chain, ("bulk", None), "target")'
    sides = "supersolution={x: '9*L/epsilon' for x in chain.orbits}"
    below = "subsolution={x: '0' if x == 'target' else '9*L/epsilon' for x in chain.orbits}"
    file = changed((plain, f"{plain[:-1]}, {sides}, {below})"))
    code, out, err = run("derive", file)
    assert (code, out) == (2, "")
    assert "in the row of " in err


def test_a_certificate_of_ones_own_says_how_to_compare_it(changed, run, tmp_path):
    file, proof = changed(), tmp_path / "proof.json"
    assert run("derive", file, "--certificate", proof)[0] == 0
    out = run("check", proof)[1]
    assert "To compare it with the claim mine/hitting-time, name the family with --family." in out
    assert "It is the claim mine/hitting-time." in run("check", proof, "--family", file)[1]


# ---------------------------------------------------------------- files that are no family
def test_two_files_of_one_name(tmp_path):
    for folder, title in (("one", "First"), ("two", "Second")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "s.py").write_text(SPIDER.replace('"Spider"', f'"{title}"'))
    assert load(str(tmp_path / "one" / "s.py")).title == "First"
    assert load(str(tmp_path / "two" / "s.py")).title == "Second"
    assert load(str(tmp_path / "one" / "s.py")).title == "First"


def test_mended_file_is_read_anew(spider):
    assert load(str(spider)).title == "Spider"
    spider.write_text(SPIDER.replace('"Spider"', '"A longer title"'))
    assert load(str(spider)).title == "A longer title"


def test_file_may_import_others_families(tmp_path):
    file = tmp_path / "mine.py"
    file.write_text("from theory.families.ring import Ring\n" + SPIDER)
    assert load(str(file)).id == "spider"


def test_imported_family_is_not_the_file_s_own(tmp_path):
    file = tmp_path / "mine.py"
    file.write_text("from theory.families.ring import Ring\n")
    with pytest.raises(FamilyError, match="found none"):
        load(str(file))
