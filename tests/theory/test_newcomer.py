"""A stranger's kernels: what is accepted, what is refused and how, and what is derived of them."""

import itertools
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from numerics import verify
from theory.catalogue import derivation, load
from theory.claims import NoClaim
from theory.composed import Composed
from theory.domain import evaluate
from theory.family import FamilyError
from theory.kernels import find, kernels

FILES = Path(__file__).parents[1] / "data" / "kernels"
HUB, CORE, DRIFT = ((FILES / f"{name}.py").read_text() for name in ("hub", "core", "drift"))


@pytest.fixture
def kernel(tmp_path):
    """Write a kernel, with changes; the path of its file."""

    def write(text, *changes):
        for old, new in changes:
            assert old in text, old
            text = text.replace(old, new)
        file = tmp_path / "kernel.py"
        file.write_text(text)
        return str(file)

    return write


@pytest.fixture
def of(kernel):
    """What is derived of a kernel on a ring, one gate to a cluster."""
    return lambda text, *changes: derivation(load(f"{kernel(text, *changes)}/ring/gate"))


# ---------------------------------------------------------------- the chain watched on a cluster
@pytest.mark.parametrize("name", [*kernels(), "core", "drift"])
def test_watched_cluster_by_all_methods(name, of):
    """Also states that never stay, of which floating point knows no more than an absolute error."""
    own = {"core": CORE, "drift": DRIFT}
    found = of(own[name]) if name in own else derivation(load(f"{name}/ring/gate"))
    judged = verify.judge(found.claim("stochastic-complement"), found.family)
    assert judged.verdict == verify.Verdict.PROVED, judged.reason
    assert judged.margin is not None and judged.margin < 1e-9
    assert {"exact", "float"} <= {e.method for e in judged.evidence}


def test_wrong_watched_cluster_is_refuted():
    """The error of the diagonal is absolute, but not so large as to hide a wrong entry."""
    name = "clique-without-loops/ring/gate"
    right, other = (derivation(load(x)) for x in (name, "clique/ring/gate"))
    claim = right.claim("stochastic-complement")
    for method in ("exact", "float"):
        point = claim.domain.points(3, seed=1)[-1]
        assert verify.measure(claim, other.family, method, point).verdict == "REFUTED"
    key = (("home", None), ("home", None))
    stay: Any = {key: (Fraction(1, 10**12), Fraction(2, 10**12))}
    margin, reason = verify._compare(claim, point, stay)
    assert margin == 1
    assert "home -> home" in reason
    assert reason.endswith(" is 1.5e-12, not 0")


def test_different_numbers_are_printed_differently():
    third = Fraction(1, 3)
    for power in (10, 15, 40):
        told = verify._show(third, third + Fraction(1, 10**power))
        assert told[0] != told[1]
        assert abs(Fraction(told[1]) - third) < Fraction(2, 10**power)
    assert verify._show(third, Fraction(1, 2)) == ["1/3", "1/2"]


def test_moves_to_one_orbit_are_one_entry(of):
    entries = of(HUB).claim("stochastic-complement").entries
    places = [entry.place for entry in entries]
    assert len(set(places)) == len(places)
    point = {"M": Fraction(5), "epsilon": Fraction(1, 7), "K": Fraction(4), "d": Fraction(1)}
    for name, rows in itertools.groupby(entries, key=lambda e: e.place[0]):
        assert sum(evaluate(e.value, point) for e in rows) == 1, name


# ---------------------------------------------------------------- home
def test_a_misspelled_home_is_refused(kernel):
    wrong = kernel(HUB, ('"home"', '"hom"'))
    with pytest.raises(FamilyError, match="no orbit is called 'home': name one so, or set home = "):
        load(f"{wrong}/ring/gate")


def test_home_at_the_gate_is_said(kernel):
    fallback = ('    id = "hub"', '    id = "hub"\n    home = "gate"')
    file = kernel(HUB, ('"home"', '"bulk"'), fallback)
    family = load(f"{file}/ring/gate")
    assert isinstance(family, Composed) and family.home == "gate"
    with pytest.raises(FamilyError, match="an orbit is called 'home': rename it"):
        find(kernel(HUB, fallback))
    with pytest.raises(FamilyError, match="home is 'rest': it is 'home' or 'gate'"):
        find(kernel(HUB, (fallback[0], '    id = "hub"\n    home = "rest"')))


# ---------------------------------------------------------------- what is refused
REFUSED = {
    "real parameter": (
        (DRIFT, (", integer=False", "")),
        "no integer q lies there: write Parameter(.., integer=False) for a real one",
    ),
    "contradiction": ((HUB, ('("M >= 3",)', '("M >= 3", "M <= 2")')), "they may contradict"),
    "facts no tuple": ((HUB, ('("M >= 3",)', '("M >= 3")')), "write ('M >= 3',)"),
    "undeclared in rows": (
        (HUB, ('Move("hub", QUARTER)', 'Move("hub", QUARTER * sympy.Symbol("w"))')),
        "w is not a parameter: add Parameter('w', ..)",
    ),
    "undeclared in sizes": (
        (HUB, ('"rest": M - 3', '"rest": sympy.Symbol("N") - 3')),
        "the size of 'rest': N is not a parameter: add Parameter('N', ..)",
    ),
    "undeclared in explicit": (
        (HUB, ('int(point["M"])', 'int(point["N"])')),
        "N is not a parameter: add Parameter('N', ..)",
    ),
    "taken in explicit": (
        (HUB, ('int(point["M"])', 'int(point["K"])')),
        "K is not a parameter of the kernel: leave it out",
    ),
    "assumptions": (
        (HUB, ('sympy.Symbol("M")', 'sympy.Symbol("M", positive=True)')),
        "the symbol M has assumptions: write sympy.Symbol('M')",
    ),
    "negative": (
        (HUB, ("2 * QUARTER", "4 * QUARTER"), ('"hub", QUARTER', '"hub", -QUARTER')),
        "the row of 'gate' has the probability -1/6 to 'hub' at M=3: mend it",
    ),
    "negative in explicit": (
        (HUB, ("Fraction(1, 4) if b", "-Fraction(1, 4) if b")),
        "in (0, 1]: (0, 2) has the Fraction -1/6: mend it, or",
    ),
    "float in rows": (
        (HUB, ('"hub", QUARTER', '"hub", 0.25')),
        "the move from 'gate' to 'hub' has the float 0.25: write sympy.Rational(1, 4)",
    ),
    "float in explicit": (
        (HUB, ("Fraction(1, 4) / n", "0.25 / n")),
        "(0, 1) has the float 0.08333333333333333: write Fraction(1, 4)",
    ),
    "two rows": ((HUB, ("in sizes\n", 'in [*sizes, "hub"]\n')), "orbit 'hub' has 2 rows: keep one"),
    "negative size": (
        (CORE, ('"rim": N - 1', '"rim": N - 2')),
        "orbit 'rim' has size N - 2 = -1 at M=1,N=1: mend the size or the range",
    ),
    "not uniform": (
        (HUB, ('    id = "hub"', '    id = "hub"\n    uniform = True')),
        "uniform = True, but at M=5 a state of 'rest' does not go to all states of 'rest' alike",
    ),
    "not alike": (
        (HUB, ('    id = "hub"', '    id = "hub"\n    home_is_any = True')),
        "home_is_any = True, but at M=3 state 2 is not like the home, state 1: leave it out",
    ),
    "ranges": (
        (HUB, ('    id = "hub"', '    id = "hub"\n    ranges = (("N*epsilon <= 1",),)')),
        "ranges: 'N*epsilon <= 1' speaks of N, which is no parameter",
    ),
    "ranges no tuple": (
        (HUB, ('    id = "hub"', '    id = "hub"\n    ranges = ("epsilon <= 1/9",)')),
        'write (("9*epsilon <= 1",),)',
    ),
}


@pytest.mark.parametrize("mistake", REFUSED)
def test_mistakes_are_told_in_one_line_with_the_file_and_the_remedy(mistake, kernel):
    (text, *changes), words = REFUSED[mistake]
    file = kernel(text, *changes)
    with pytest.raises(FamilyError) as error:
        load(f"{file}/ring/gate")
    assert str(error.value).startswith(file)
    assert words in str(error.value)
    assert "\n" not in str(error.value)


def test_attachment_that_does_not_fit_names_the_file(kernel):
    file = kernel(HUB)
    with pytest.raises(FamilyError, match=r"kernel\.py/ring/gates: the kernel hub has no exch"):
        load(f"{file}/ring/gates")


def test_numbers_may_be_ints_and_fractions(kernel):
    exact = kernel(HUB, ("QUARTER = sympy.Rational(1, 4)", "QUARTER = Fraction(1, 4)"))
    plain = derivation(load(f"{kernel(HUB)}/ring/gate")).claim("hitting-time")
    again = kernel(HUB, ("QUARTER = sympy.Rational(1, 4)", "QUARTER = Fraction(1, 4)"))
    assert exact == again
    assert (
        derivation(load(f"{again}/ring/gate")).claim("hitting-time").expression == plain.expression
    )


# ---------------------------------------------------------------- what is derived, or why not
def test_gap_where_the_longest_time_depends_on_the_point():
    """Far from the gate for q < 1/2, near it for q > 1/2; slow, but where epsilon is below q."""
    claim = derivation(load(f"{FILES / 'two_block.py'}/complete/gate")).claim("spectral-gap")
    assert verify.judge(claim, load(f"{FILES / 'two_block.py'}/complete/gate")).verdict == (
        verify.Verdict.PROVED
    )
    assert "5*epsilon <= q" in claim.domain.all_facts
    point = {"K": Fraction(3), "M": Fraction(3), "q": Fraction(2, 3), "epsilon": Fraction(1, 9)}
    assert claim.lower is not None and claim.upper is not None
    lower, upper = (evaluate(x, point) for x in (claim.lower, claim.upper))
    assert 0 < lower <= upper <= 8 * lower


def test_a_kernel_that_is_not_reversible_is_found_out(kernel):
    assert find(kernel(HUB)).reversible
    assert find(kernel(CORE)).reversible
    assert not find(kernel(DRIFT)).reversible
    absent = load(f"{kernel(DRIFT)}/ring/gate").absent
    assert absent["spectral-gap"] == "the kernel drift is not reversible"


def test_a_decoy_may_break_the_balance(kernel):
    found = derivation(load(f"{kernel(CORE)}/ring/decoy"))
    with pytest.raises(NoClaim, match="the chain of one cluster is not reversible"):
        found.claim("spectral-gap")


def test_capacity_needs_no_reversibility(of):
    found = of(DRIFT)
    judged = verify.judge(found.claim("capacity"), found.family)
    assert judged.verdict == verify.Verdict.PROVED, judged.reason
    point = found.family.domain.points(4, seed=1)[-1]
    doubled = replace(found.claim("capacity"), expression=2 * found.claim("capacity").expression)
    for method in ("exact", "float"):
        assert verify.measure(doubled, found.family, method, point).verdict == "REFUTED"


def test_the_hub_has_its_comparison(of):
    claim = of(HUB).claim("hitting-time-bounds")
    assert claim.domain.facts[-1] == "4*epsilon <= 1"


def test_ranges_of_a_kernel_come_first(of):
    ranges = (
        '    id = "core"',
        '    id = "core"\n    ranges = (("N <= M", "4*epsilon <= 1"),)',
    )
    claim = of(CORE, ranges).claim("hitting-time-bounds")
    assert claim.domain.facts[-2:] == ("N <= M", "4*epsilon <= 1")


def test_reasons_are_words(of):
    found = of(CORE)
    with pytest.raises(
        NoClaim, match=r"E\[tau\] <= 4 T_A is not shown on any of the ranges tried: "
    ):
        found.claim("hitting-time-bounds")
    for quantity, words in {
        "metastability-ratio": "it needs a kernel whose states are all alike but for the gate",
        "exact-gap": "does not say that its moves are uniform",
    }.items():
        assert words in found.family.absent[quantity]
    several = load("clique/ring/gates").absent["kemeny"]
    assert several == "it needs one gate to a cluster, not gates"
