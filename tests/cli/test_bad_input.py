"""Bad input: one line on stderr that says what and where, exit code 2, nothing on stdout."""

import os
import textwrap

import numpy as np
import pytest
import scipy.sparse

from theory.skeleton import skeleton

GOOD = skeleton("mine.py", "mine")


# ---------------------------------------------------------------- arguments
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ("nothing", "No such command 'nothing'"),
        ("derive", "Missing argument 'FAMILY'"),
        ("derive ring --nothing", "No such option: --nothing"),
        ("derive ring path", "unexpected extra argument"),
        ("derive nothing", "unknown family 'nothing': give one of complete, path, ring, star"),
        ("derive missing.py", "missing.py: no such file"),
        (
            "derive ring --quantity nothing",
            "unknown quantity 'nothing' of ring: give one of hitting",
        ),
        ("derive ring --at", "requires an argument"),
        ("derive complete --certificate nowhere/c.json", "nowhere/c.json: cannot be written"),
        ("derive complete --certificate .", ".: cannot be written"),
        (
            "derive unequal --quantity spectral-gap",
            "unequal/spectral-gap: not derived: no single state is a good pivot",
        ),
        ("verify unequal/spectral-gap", "unknown claim 'unequal/spectral-gap'"),
        ("derive clicky/ring/gate", "unknown kernel 'clicky': give one of clique, "),
        ("derive missing.py/ring/gate", "missing.py: no such file"),
        ("derive clique/rink/gate", "unknown meta-graph 'rink': give one of "),
        ("derive clique/no/missing.py/gate", "no/missing.py: no such file"),
        (
            "derive clique/ring/gait",
            "clique/ring/gait: unknown attachment 'gait': give one of gate, in-out, gates, ",
        ),
        ("derive star/ring/ports", "star/ring/ports: unknown attachment 'ports': give one of "),
        (
            "derive nested/ring/gates",
            "nested/ring/gates: the kernel nested has no exchangeable gates: choose another",
        ),
        ("derive clique/ring", "unknown family 'clique/ring'"),
        ("derive clique/ring/", "unknown family 'clique/ring/'"),
        ("derive /ring/gate", "unknown family '/ring/gate'"),
        ("derive clique//gate", "unknown"),
        ("derive clique/ring/gate --at K=2,M=2,epsilon=1/2", "it needs K >= 3"),
        ("derive clique/ring/gate --at K=5,M=2,epsilon=1/2,n=1", "unknown parameter 'n'"),
        ("derive clique/ring/gate --quantity nothing", "unknown quantity 'nothing' of clique/ring"),
        ("verify clique/ring/gate/nothing", "unknown claim 'clique/ring/gate/nothing'"),
        ("verify clicky/ring/gate/hitting-time", "unknown kernel 'clicky'"),
        ("verify nested/ring/gates/hitting-time", "the kernel nested has no exchangeable gates"),
        ("verify clique/ring/gait", "unknown family 'clique/ring'"),
        ("simulate clique/ring/gate --replicas 5 --seed 1", "choose a point: --at K=..,d=..,M=.."),
        ("simulate clique/rink/gate --replicas 5 --seed 1", "unknown meta-graph 'rink'"),
        ("verify nothing", "unknown family 'nothing'"),
        ("verify ring/nothing", "unknown claim 'ring/nothing': ring has hitting-time"),
        ("verify nothing/hitting-time", "unknown family 'nothing'"),
        ("verify --method nothing", "unknown method 'nothing': give one of exact, float"),
        ("verify --json nowhere/c.json", "nowhere/c.json: cannot be written"),
        ("verify --seed x", "seed"),
        ("check missing.json", "missing.json: no such file or directory: check the path"),
        ("check .", ".: is a directory: check the path"),
        ("solve missing.csv --from a --to b", "missing.csv: no such file"),
        ("solve . --from a --to b", "unknown kind of file"),
        ("solve chain.txt --from a --to b", "unknown kind of file"),
        ("simulate complete --replicas 5 --seed 1", "choose a point: --at K=..,M=..,epsilon=.."),
        ("simulate complete --replicas 5", "seed"),
        ("simulate complete --seed 1", "replicas"),
        ("simulate complete --replicas 1 --seed 1 --at K=2,M=2,epsilon=1/2", "2"),
        ("simulate complete --replicas 5 --seed -1 --at K=2,M=2,epsilon=1/2", "0"),
        ("simulate complete --replicas 5 --seed 1 --at K=1000,M=1000,epsilon=1/2", "too many"),
        ("simulate complete --replicas 5 --seed 1 --at K=2,M=2,epsilon=1/2 --from 7.7", "'7.7'"),
        ("simulate missing.csv --replicas 5 --seed 1", "missing.csv: no such file"),
    ],
)
def test_arguments(arguments, words, refuses, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    said = refuses(*arguments.split(" "))
    assert words.lower() in said.lower()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("at", "words"),
    [
        ("K=0,M=5,epsilon=1/10", "outside the domain: it needs"),
        ("K=1,M=5,epsilon=1/10,d=1", "it needs K >= 2"),
        ("K=-3,M=5,epsilon=1/10", "outside the domain"),
        ("K=5/2,M=5,epsilon=1/10", "K is an integer"),
        ("K=5,M=2,epsilon=1/10", "it needs M >= 3"),
        ("K=5,M=5,epsilon=0", "it needs epsilon > 0"),
        ("K=5,M=5,epsilon=1", "it needs epsilon < 1"),
        ("K=5,M=5,epsilon=-1/10", "it needs epsilon > 0"),
        ("K=5,M=5,epsilon=1.0000001", "it needs epsilon < 1"),
        ("K=5,M=5,epsilon=1/10,d=5", "it needs d <= K - 1"),
        ("K=5,M=5,epsilon=1/10,d=0", "it needs d >= 1"),
        ("K=5,M=5,epsilon=nan", "'nan' is not a number"),
        ("K=5,M=5,epsilon=inf", "'inf' is not a number"),
        ("K=inf,M=5,epsilon=1/10", "'inf' is not a number"),
        ("K=5,M=5,epsilon=1/0", "'1/0' divides by zero"),
        ("K=5,M=5,epsilon=x", "'x' is not a number"),
        ("K=5,M=5,epsilon=1/x", "'1/x' is not a number"),
        ("K=5,M=5,epsilon=", "'' is not a number"),
        ("K=5,M=5,epsilon=0x1p-3", "is not a number"),
        ("K=5,M=5,epsilon=1_0", "is not a number"),
        ("K=٣,M=5,epsilon=1/10", "is not a number"),
        ("K=5,M=5,epsilon=1e-999999999", "exponent"),
        ("K=1e999999999,M=5,epsilon=1/10", "exponent"),
        ("K=" + "9" * 5000 + ",M=5,epsilon=1/10", "too long"),
        ("K=5,M=5,epsilon=1/10,L=1", "unknown parameter 'L': give one of K, M, epsilon, d"),
        ("K=5,M=5,eps=1/10", "unknown parameter 'eps'"),
        ("K=5,K=5,M=5,epsilon=1/10", "K is given twice"),
        ("K=5,M=5", "parameter epsilon is missing: add epsilon=..."),
        ("M=5,epsilon=1/10", "parameter K is missing"),
        ("K", "write it as K=8,M=5,epsilon=1/1000"),
        ("", "write it as K=8"),
        (",", "write it as K=8"),
        ("K=5,,M=5", "write it as K=8"),
        ("K=5;M=5", "is not a number"),
        ("K==5,M=5,epsilon=1/10", "is not a number"),
        ("=5", "write it as K=8"),
        ("5", "write it as K=8"),
        ("K=5,M=5,epsilon=1/10\nd=1", "is not a number"),
        ("K=__import__('os').getpid(),M=5,epsilon=1/10", "is not a number"),
    ],
)
def test_points(at, words, refuses):
    said = refuses("derive", "ring", "--at", at)
    assert words in said
    if "outside" in said:
        assert "K=" in said
    assert len(said) < 700


def test_points_of_smaller_domains(refuses):
    said = refuses("derive", "complete", "-q", "hitting-time-bounds", "--at", "K=2,M=9,epsilon=1/2")
    assert "claimed where M*epsilon <= 1" in said
    said = refuses("derive", "path", "-q", "exit-time-interior", "--at", "K=4,M=3,epsilon=1/2,d=1")
    assert "claimed where d >= 2" in said


def test_what_is_too_large_to_write_out(refuses):
    at = "K=1000000,M=5,epsilon=1/10"
    assert "too large" in refuses("derive", "ring", "-q", "aggregated-matrix", "--at", at)
    assert "too long" in refuses("derive", "ring", "-q", "stationary", "--at", at)


# ---------------------------------------------------------------- chains
CHAINS: dict[str, tuple[str | bytes, str]] = {
    "sum above 1": ("a,b,3/4\na,c,1/2\nb,a,1\nc,a,1\n", "sum to 1.25"),
    "negative": ("a,b,-1/2\nb,a,1\n", "negative"),
    "not a number": ("from,to,probability\na,b,half\nb,a,1\n", "line 2: 'half' is not a number"),
    "nan": ("a,b,nan\nb,a,1\n", ""),
    "nan in a line": ("from,to,probability\na,b,nan\nb,a,1\n", "line 2: 'nan' is not a number"),
    "inf": ("from,to,probability\na,b,inf\nb,a,1\n", "line 2: 'inf' is not a number"),
    "divides by zero": ("from,to,probability\na,b,1/0\nb,a,1\n", "line 2: '1/0' divides by zero"),
    "huge exponent": ("from,to,probability\na,b,1e-999999999\n", "exponent"),
    "unreachable": ("a,c,1/2\nc,a,1\nb,a,1\n", "unreachable target"),
    "trap": ("a,b,1/2\na,t,1/2\nb,a,1\n", "unreachable target"),
    "unknown state": ("a,c,1\nc,a,1\n", "unknown state 'b'"),
    "repeated pair": ("a,b,1/2\na,b,1/4\nb,a,1\n", "line 2: the pair 'a', 'b' is repeated"),
    "empty": ("", "the file is empty"),
    "binary": (b"\x00\xff\xfe\x93NUMPY", "is not UTF-8 text"),
    "blank": ("\n\n", ""),
    "not square": ("0.5,0.5\n1,0\n0,1\n", ""),
    "html": ("<html><body>404</body></html>", ""),
}


@pytest.mark.parametrize("case", CHAINS)
def test_chains(case, refuses, tmp_path):
    content, words = CHAINS[case]
    file = tmp_path / "chain.csv"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    for arguments in (("solve", file), ("simulate", file, "--replicas", 3, "--seed", 1)):
        said = refuses(*arguments, "--from", "a", "--to", "b")
        assert words in said
        if words not in ("unreachable target", "unknown state 'b'"):
            assert str(file) in said


def test_archives(refuses, tmp_path):
    whole = tmp_path / "whole.npz"
    scipy.sparse.save_npz(whole, scipy.sparse.csr_array(np.eye(2)[::-1]))
    content = whole.read_bytes()
    arrays = tmp_path / "arrays.npz"
    np.savez(arrays, x=np.eye(2))
    objects = tmp_path / "objects.npz"
    np.savez(objects, data=np.array([{}], dtype=object), format=np.array("csr"))
    bad = [arrays, objects]
    for name, part in (
        ("half.npz", content[: len(content) // 2]),
        ("head.npz", content[:10]),
        ("garbled.npz", content[:60] + b"\xff" * 40 + content[100:]),
        ("text.npz", b"a,b,1\n"),
        ("empty.npz", b""),
    ):
        bad.append(tmp_path / name)
        bad[-1].write_bytes(part)
    for file in bad:
        assert str(file) in refuses("solve", file, "--from", "0", "--to", "1")
    for text in ("", "[]", "{}", "{", "null", '{"states": 3, "transitions": []}', "[" * 100_000):
        file = tmp_path / "chain.json"
        file.write_text(text)
        assert str(file) in refuses("solve", file, "--from", "0", "--to", "1")


def test_chain_without_ends(refuses, courtois):
    assert "--from A --to B" in refuses("solve", courtois)
    assert "--from A --to B" in refuses("solve", courtois, "--from", "0")
    assert "--from A --to B" in refuses("solve", courtois, "--to", "0")
    assert "unknown state '9'" in refuses("solve", courtois, "--from", "0", "--to", "1,9")
    assert "unknown state ''" in refuses("solve", courtois, "--from", "0", "--to", "")
    assert "unknown quantity 'x'" in refuses("solve", courtois, "--quantity", "x")
    said = refuses("simulate", courtois, "--replicas", 3, "--seed", 1, "--at", "K=3")
    assert "--at belongs to a family" in said
    assert "--from A --to B" in refuses("simulate", courtois, "--replicas", 3, "--seed", 1)


def test_stationary_law_of_a_reducible_chain(refuses, tmp_path):
    file = tmp_path / "chain.csv"
    file.write_text("a,b,1\nb,a,1\nc,d,1\nd,c,1\n")
    assert "not irreducible" in refuses("solve", file, "-q", "stationary")


# ---------------------------------------------------------------- certificates
@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x00\x01\x02\xff",
        b"hello",
        b"[]",
        b"{}",
        b"null",
        b'"text"',
        b'{"format": "another"}',
        b'{"format": 1',
        b"[" * 100_000,
        b"1" * 10_000,
        '{"format": "metastable"}'.encode("utf-16"),
    ],
)
def test_certificates(content, refuses, tmp_path):
    file = tmp_path / "proof.json"
    file.write_bytes(content)
    said = refuses("check", file)
    assert f"{file}: not a certificate" in said


def test_certificate_that_names_no_claim(refuses, run, tmp_path):
    file = tmp_path / "proof.json"
    assert run("derive", "complete", "--certificate", file)[0] == 0
    file.write_text(file.read_text().replace('"complete/hitting-time"', '"complete/nothing"'))
    code, _, err = run("check", file)
    assert (code, err.count("\n")) == (2, 1)
    assert "unknown quantity 'nothing'" in err
    code, _, err = run("check", file, "--family", tmp_path / "missing.py")
    assert (code, err.count("\n")) == (2, 1)


# ---------------------------------------------------------------- families in files
def but(old, new):
    """The skeleton, which is a good family, with a change."""
    assert old in GOOD
    return GOOD.replace(old, new)


RETURN = 'return (Problem("", chain, ("bulk", None), "target"),)'
GATE = '[*dense(1 - epsilon, first), sparse("far_gate", epsilon)]'
DOES_NOT_RUN = "mine.py, line 2: the file does not run: "
FAMILY_FILES = {
    "empty": ("", "expected one subclass of Family, found none: keep exactly one"),
    "nothing": ("x = 1\n", "found none"),
    "two families": (GOOD + "\n\nclass Other(Dumbbell):\n    ...\n", "found Dumbbell, Other"),
    "syntax": ("class A(:\n", "mine.py, line 1: "),
    "indentation": ("def f():\nreturn\n", "mine.py, line 2: "),
    "null bytes": (b"x = 1\x00", "mine.py"),
    "binary": (b"\x89PNG\r\n\x1a\n\xff\xfe", "mine.py"),
    "raises": ("x = 1\nraise ValueError('a\\nb')\n", DOES_NOT_RUN + "ValueError: a b"),
    "raises below": ("import sympy\nsympy.sympify('1 +')\n", DOES_NOT_RUN),
    "exits": ("import sys\nsys.exit(0)\n", DOES_NOT_RUN + "SystemExit"),
    "exits with text": ("raise SystemExit('bye')\n", "SystemExit: bye"),
    "odd exception": ("class E(BaseException): ...\nraise E\n", DOES_NOT_RUN + "E"),
    "recursion": ("def f(): f()\nf()\n", "RecursionError"),
    "missing import": ("import nothing_of_that_name\n", "ModuleNotFoundError"),
    "no id": (but('    id = "mine"\n', ""), "has no id: add the attribute"),
    "no gates": (but("    gates = ", "    gaits = "), "has no gates"),
    "no domain": (but("    domain = Domain(", "    domains = Domain("), "has no domain"),
    "no place": (but("def place(", "def places("), "has no place(): define it"),
    "no start": (but("def start(", "def starts("), "has no start(): define it"),
    "no explicit": (but("def explicit(", "def explicits("), "has no explicit()"),
    "no problems": (but("def problems(", "def problem("), "has no problems()"),
    "id of another": (but('id = "mine"', 'id = "ring"'), "'ring' is a built-in family"),
    "id not a text": (but('id = "mine"', "id = 3"), "id is not a text"),
    "id with a slash": (but('id = "mine"', 'id = "a/b"'), "is not kebab-case"),
    "domain not a domain": (but("domain = Domain(", "domain = tuple("), "is not a Domain"),
    "empty domain": (but('"M >= 2"', '"M >= 2", "M < 2"'), "no point found with M >= 2, M < 2"),
    "no fact": (but('"M >= 2"', '"M = 2"'), "'M = 2' is not a fact"),
    "fact of a stranger": (but('"M >= 2"', '"M >= N"'), "speaks of N"),
    "reserved name": (but('Parameter("M"', 'Parameter("j"'), "'j' cannot name a parameter"),
    "problems raises": (
        but("        first = {", "        {}[3]\n        first = {"),
        "KeyError: 3: mend the family",
    ),
    "problems exits": (
        but("        first = {", "        raise SystemExit(0)\n        first = {"),
        "SystemExit: 0: mend the family",
    ),
    "problems returns nothing": (but(RETURN, "None"), "no tuple of Problem"),
    "problems returns a problem": (but(RETURN, RETURN[:-2] + ")"), "no tuple of Problem"),
    "problems returns an empty tuple": (but(RETURN, "return ()"), "no tuple of Problem"),
    "named first problem": (but('Problem(""', 'Problem("x"'), "the first problem has a name"),
    "problem without a chain": (but("chain, (", "first, ("), "a problem has no chain"),
    "unknown target": (but('"target"),)', '"goal"),)'), "unknown orbit 'goal'"),
    "unknown start": (but('("bulk", None)', '("bulb", None)'), "unknown orbit 'bulb'"),
    "unknown orbit in a row": (
        but('sparse("far_gate"', 'sparse("farther"'),
        "unknown orbit 'farther'",
    ),
    "target of several": (but('"target"),)', '"far_bulk"),)'), "is not one state"),
    "row left out": (but('row("far_bulk", dense(one, second)),', ""), "'far_bulk' has no row"),
    "rows do not sum to 1": (
        but("(1 - epsilon, first)", "(one, first)"),
        "the row of 'gate' misses 1 by epsilon: mend its probabilities",
    ),
    "parameter left out": (
        but('"far_gate", epsilon)', '"far_gate", epsilon * expression("s"))'),
        "the move from 'gate' to 'far_gate': s is not a parameter: add Parameter('s', ..)",
    ),
    "float": (
        but('"far_gate", epsilon)', '"far_gate", 0.3 * epsilon)'),
        "the move from 'gate' to 'far_gate' has the float 0.3: write sympy.Rational(3, 10)",
    ),
    "no index": (
        but('orbit(size, "second")', 'orbit(size, "second", 0, 3)'),
        "the move from 'gate' to 'far_gate' needs an index: give it at=..",
    ),
    "index too many": (
        but('"far_gate", epsilon)', '"far_gate", epsilon, at=one)'),
        "the move from 'gate' to 'far_gate' needs no index: leave out at",
    ),
    "misspelt mode": (
        but('"far_bulk": "-1', '"far_bul": "-1'),
        "slow_mode: unknown orbit 'far_bul': give one of gate, bulk, target, far_gate, far_bulk",
    ),
    "mode of too few": (
        but('        "far_bulk": "-1 - epsilon",\n', ""),
        "slow_mode has no value for the orbit 'far_bulk': add it",
    ),
    "comparison of a stranger": (
        but('"L*epsilon <= 1"', '"N*epsilon <= 1"'),
        "the comparison with T_A: 'N*epsilon <= 1' speaks of N, which is no parameter",
    ),
    "real left an integer": (
        but('edge", integer=False', 'edge"'),
        "no integer epsilon lies there",
    ),
    "negative probability": (
        but(GATE, '[*dense(1 + epsilon, first), sparse("far_gate", -epsilon)]'),
        "not derived",
    ),
    "unreachable target": (but(GATE, "dense(one, first)"), "not derived"),
}


@pytest.mark.parametrize("case", FAMILY_FILES)
def test_family_files(case, refuses, tmp_path, monkeypatch):
    content, words = FAMILY_FILES[case]
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "mine.py"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    said = refuses("derive", "mine.py")
    assert words in said
    assert "mine" in said
    if "not derived" not in words:
        assert refuses("verify", "mine.py") == said
        assert refuses("check", "mine.py") != ""


def test_family_that_fails_at_a_point(tmp_path, run, refuses):
    """Code that runs late is named by its file and line all the same."""
    file = tmp_path / "late.py"
    file.write_text(GOOD.replace("        eps = point", "        1 / 0\n        eps = point"))
    assert run("derive", file)[0] == 0  # a formula needs no explicit chain
    for arguments in (
        ("verify", file),
        ("simulate", file, "--at", "M=3,L=3,epsilon=1/2", "--replicas", 3, "--seed", 1),
    ):
        said = refuses(*arguments)
        assert f"{file}, line " in said
        assert "ZeroDivisionError" in said
        assert "mend the family" in said


def test_family_file_that_is_a_folder(tmp_path, refuses):
    (tmp_path / "folder.py").mkdir()
    assert "no such file" in refuses("derive", tmp_path / "folder.py")
    assert "unknown family" in refuses("derive", tmp_path)
    assert "unknown family" in refuses("derive", tmp_path / "folder")


def test_control_characters_are_not_repeated(refuses):
    said = refuses("derive", "a\nb\x1b[31mc")
    assert said.isprintable()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read and write everything")
def test_permissions(tmp_path, refuses):
    file = tmp_path / "proof.json"
    file.write_text("{}")
    file.chmod(0)
    assert "permission denied" in refuses("check", file)
    assert "no permission" in refuses("derive", "complete", "--certificate", file)


def test_interrupt_is_not_swallowed(run, tmp_path):
    file = tmp_path / "mine.py"
    file.write_text(textwrap.dedent("raise KeyboardInterrupt\n"))
    assert run("derive", file) == (130, "", "metastable: interrupted\n")
