"""Bounds by super- and subsolutions, and the signs that charts alone do not show."""

import re
from fractions import Fraction
from pathlib import Path

import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st

from numerics import exact
from numerics.rows import concrete
from numerics.verify import Verdict, judge
from theory import certificates, checker
from theory.claims import Derivation, NoClaim
from theory.domain import evaluate
from theory.family import load

DRIFT = Path(__file__).parents[1] / "data" / "drift.py"


@pytest.fixture(scope="module")
def drift():
    family = load(str(DRIFT))
    return family, Derivation(family).claim("hitting-time")


def changed(tmp_path, *pairs):
    text = DRIFT.read_text()
    for old, new in pairs:
        assert old in text
        text = text.replace(old, new)
    file = tmp_path / "changed.py"
    file.write_text(text)
    return load(str(file))


# ---------------------------------------------------------------- super- and subsolutions
def test_bounds_hold_and_are_proved(drift):
    family, claim = drift
    assert judge(claim, family, methods=("exact",)).verdict == Verdict.PROVED
    for point in family.domain.points(12, seed=3):
        chain = concrete(family.explicit(point))
        names = family.explicit(point).states
        target = names.index(family.target("", point))
        time = exact.mean_hitting_times(chain, [target])[names.index(family.start("", point))]
        assert 0 < evaluate(claim.lower, point) <= time <= evaluate(claim.upper, point)


def test_bounds_are_a_factor_of_two_apart_for_many_clusters(drift):
    _, claim = drift
    K, epsilon = sympy.symbols("K epsilon")
    ratio = sympy.limit(claim.upper / claim.lower, K, sympy.oo)
    assert sympy.limit(ratio, epsilon, 0) == 2


def test_there_is_no_closed_form_to_be_found(tmp_path):
    pattern = re.findall(r"\n *supersolution=.*\n *subsolution=.*\n", DRIFT.read_text())
    family = changed(tmp_path, (pattern[0], "\n"))
    with pytest.raises(NoClaim, match="give the Problem a supersolution and a subsolution"):
        Derivation(family).claim("hitting-time")


@pytest.mark.parametrize(
    "change",
    [
        ("steep = (2 * M", "steep = (Rational(19, 10) * M"),  # falls too little on average
        ("flat = (M - epsilon", "flat = (Rational(11, 10) * M - epsilon"),
        ("supersolution=candidate(steep)", "supersolution=candidate(flat)"),
        ("subsolution=candidate(flat)", "subsolution=candidate(steep)"),
        ('{"target": 0', '{"target": 1'),  # a subsolution is at most 0 there
        ('{"target": 0', '{"target": -1'),  # a supersolution at least 0
    ],
)
def test_what_is_no_bound_is_not_claimed(tmp_path, change):
    imported = ("import sympy", "import sympy\nfrom sympy import Rational")
    with pytest.raises(NoClaim, match="hitting-time-between"):
        Derivation(changed(tmp_path, imported, change)).claim("hitting-time")


def test_missing_orbit_is_named(tmp_path):
    family = changed(tmp_path, ('"end_bulk": bulk, ', ""))
    with pytest.raises(NoClaim, match="no value on end_bulk"):
        Derivation(family).claim("hitting-time")


@pytest.mark.parametrize(
    ("part", "key", "value"),
    [
        ("statement", "lower", "1"),  # a weaker bound than the function shows
        ("statement", "upper", "K*M/epsilon"),
        ("statement", "target", ["end_gate"]),
        ("statement", "start", ["gate", "0"]),
        ("statement", "start", ["bulk", "K"]),
        ("witness", "signs", []),
    ],
)
def test_altered_certificate_is_refused(drift, part, key, value):
    certificate = drift[1].certificate
    assert checker.check(certificate) == certificate["statement"]
    with pytest.raises(checker.Refused):
        checker.check({**certificate, part: {**certificate[part], key: value}})


def test_what_cannot_be_read_is_no_proof():
    on = {"integers": ["K"], "reals": [], "facts": ["K*q >= 1"], "values": {}}
    statement = {"kind": "comparison", "domain": on, "claims": ["K >= 1"], "of": []}
    with pytest.raises(certificates.NoProof, match="unknown name or operation"):
        certificates.certify(statement)


# ---------------------------------------------------------------- in one variable
def interval(*facts):
    return certificates.Searching(
        {"integers": [], "reals": ["p"], "facts": list(facts), "values": {}}, []
    )


def shown(domain, text, strict=False):
    return domain.sign(checker.parse(text, domain.env, []), strict) > 0


@pytest.mark.parametrize(
    ("facts", "text", "strict", "holds"),
    [
        (("p > 0", "p < 1"), "p", True, True),
        (("p >= 0", "p < 1"), "p", True, False),
        (("p >= 0", "p < 1"), "p", False, True),
        (("p > 0", "p < 1"), "p**2 - p + 24/100", False, False),
        (("p > 0", "p < 1"), "p**2 - p + 28/100", True, True),
        (("p > 0", "p < 1"), "1/(p - 1)", False, False),
        (("p > 0", "p < 1"), "1/(1 - p)", True, True),
        (("p > 0", "p <= 1"), "1/(1 - p)", False, False),  # a pole at the end
        (("2*p > 1", "p < 1"), "(p - 1)/(p - 3)", True, True),
        (("p > 2",), "p**3 - 8", True, True),
        (("p < -2",), "-(p**3) - 8", True, True),
        (("p > 0",), "p**2 - p + 1", True, True),
        ((), "p", False, False),
    ],
)
def test_one_variable(facts, text, strict, holds):
    assert shown(interval(*facts), text, strict) == holds


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.integers(-6, 6), min_size=2, max_size=5).filter(lambda c: c[0] and any(c[1:])),
    st.fractions(-2, 2, max_denominator=6),
    st.fractions(Fraction(1, 6), 3, max_denominator=6),
    st.booleans(),
)
def test_one_variable_against_sympy(numbers, low, width, strict):
    """It says yes only of what SymPy's root isolation confirms."""
    p, high = sympy.Symbol("p"), low + width
    value = sympy.Poly(list(reversed(numbers)), p)
    ends = [sympy.Rational(x.numerator, x.denominator) for x in (low, high)]
    inside = value.count_roots(*ends) - sum(value.eval(x) == 0 for x in ends)
    middle = value.eval(sum(ends) / 2)
    told = shown(interval(f"p >= {low}", f"p <= {high}"), str(value.as_expr()), strict)
    if inside or middle < 0 or (strict and any(value.eval(x) == 0 for x in ends)):
        assert not told
    if min(numbers) > 0 and low > 0:
        assert told


SQUARES = "(p**2 - 2/5)**2 + 4/5*(p - 5/8)**2 + 11/400"


def proved(text, proof, strict=True):
    domain = checker.Domain(
        {"integers": [], "reals": ["p"], "facts": [], "values": {}}, iter([proof])
    )
    return domain.sign(checker.parse(text, domain.env, []), strict) > 0


def test_squares():
    """p^4 - p + 1/2 > 0 everywhere, as a sum of squares and a positive number."""
    assert proved("p**4 - p + 1/2 + 0*p", SQUARES.replace("11/400", "11/400"))
    assert not proved("p**4 - p + 1/3", SQUARES)
    assert not proved("(p - 1)**2", "(p - 1)**2")
    assert proved("(p - 1)**2", "(p - 1)**2", strict=False)
    for wrong in ("-(p - 1)**2", "(p - 1)**3", "0 - (p - 1)**2", "1/(p - 1)**2"):
        try:
            assert not proved(wrong, wrong, strict=False)
        except checker.Refused:
            continue


# ---------------------------------------------------------------- powers of 1 + the sum
def test_degree_is_raised():
    """p**2 - p + 1 has a negative coefficient; times 1 + p it is p**3 + 1."""
    data = {"integers": ["K"], "reals": ["p"], "facts": ["K >= 0", "p > 0"], "values": {}}
    domain = certificates.Searching(data, [])
    assert shown(domain, "p**2 - p + 1 + K", strict=True)
    assert any("/" in proof for proof in domain.proofs)
    assert not shown(domain, "p**2 - 2*p + 1 - K/1000")
