"""Checks that bite: what is false or unproved must never come back PROVED."""

from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest
import sympy

from numerics import exact, verify
from numerics.chain import Chain
from numerics.rows import concrete
from numerics.spectrum import spectral_gap
from numerics.verify import Verdict, certified, judge, measure, same_rows
from theory import checker
from theory.chain import ExplicitChain, leaf_at, leaves
from theory.claims import Derivation, NoClaim
from theory.domain import evaluate
from theory.enclosure import enclose
from theory.families.complete import Complete
from theory.families.ring import Ring
from theory.family import built_in

FAMILIES = built_in()
WITH_GAP = [name for name, f in FAMILIES.items() if "spectral-gap" not in f.absent]
CLAIMS = [(f.id, quantity) for f in FAMILIES.values() for quantity in Derivation(f).recipes]
BOUNDS = [(f, q) for f, q in CLAIMS if q.startswith("hitting-time-bounds")]
TIMES = [
    (f, q)
    for f, q in CLAIMS
    if q.startswith(("hitting-time", "exit-time", "aggregated-h")) and (f, q) not in BOUNDS
]
SLIGHTLY = sympy.Rational(1, 10**6)


@pytest.fixture(autouse=True)
def remembered(monkeypatch, accepted):
    """The same certificate object is checked once a session; an altered one is another object."""
    check = checker.check

    def once(certificate):
        if id(certificate) not in accepted:
            accepted[id(certificate)] = check(certificate), certificate
        return accepted[id(certificate)][0]

    monkeypatch.setattr(checker, "check", once)


@pytest.fixture(scope="session")
def accepted():
    """What the checker has accepted, with the certificate so that its id stays its own."""
    return {}


def number(value):
    value = Fraction(value)
    return sympy.Rational(value.numerator, value.denominator)


# ---------------------------------------------------------------- bounds past their sharp point
@pytest.mark.parametrize(("name", "quantity"), BOUNDS)
def test_upper_bound_is_attained_and_no_less_will_do(name, quantity, claim):
    family, bound = FAMILIES[name], claim(name, quantity)
    assert bound.sharp, "name a point at which the bound is attained"
    assert bound.domain.contains(bound.sharp)
    attained = measure(bound, family, "exact", bound.sharp)
    assert (attained.verdict, attained.margin) == (Verdict.CONSISTENT, 0.0)
    tighter = replace(bound, upper=bound.upper * (1 - SLIGHTLY))
    for method in ("exact", "float"):
        evidence = measure(tighter, family, method, bound.sharp)
        assert evidence.verdict == Verdict.REFUTED
        assert "above the upper bound" in evidence.reason
        judgement = judge(tighter, family, (method,), [bound.sharp])
        assert judgement.verdict == Verdict.REFUTED
        assert "upper" in judgement.reason
    assert certified(tighter).verdict == Verdict.UNDECIDED  # proved is another number


@pytest.mark.parametrize(("name", "quantity"), BOUNDS)
def test_lower_bound_is_approached_and_no_more_will_do(name, quantity, claim):
    family, bound = FAMILIES[name], claim(name, quantity)
    tighter = replace(bound, lower=bound.lower * (1 + SLIGHTLY))
    point = {**bound.sharp, "epsilon": Fraction(1, 10**9)}
    for method in ("exact", "float"):
        assert measure(bound, family, method, point).verdict == Verdict.CONSISTENT
        evidence = measure(tighter, family, method, point)
        assert evidence.verdict == Verdict.REFUTED
        assert "below the lower bound" in evidence.reason
    assert certified(tighter).verdict == Verdict.UNDECIDED


@pytest.mark.parametrize("name", WITH_GAP)
@pytest.mark.parametrize("side", ["lower", "upper"])
def test_gap_bound_past_the_gap_is_refuted(name, side, claim):
    family, bound = FAMILIES[name], claim(name, "spectral-gap")
    for point in bound.domain.points(3, seed=3, largest=5):
        full = family.domain.complete(point)
        gap = spectral_gap(concrete(family.explicit(full)))
        least, most = enclose(getattr(bound, side), point)
        scale = number(gap) / number((least + most) / 2)
        past = scale * (1 - SLIGHTLY if side == "upper" else 1 + SLIGHTLY)
        tighter = replace(bound, expression=None, **{side: getattr(bound, side) * past})
        evidence = measure(tighter, family, "float", point)
        assert evidence.verdict == Verdict.REFUTED, point
        assert f"the {side} bound" in evidence.reason
        assert judge(tighter, family, ("float",), [point]).verdict == Verdict.REFUTED


# ---------------------------------------------------------------- closed forms, one coefficient off
def perturbed(formula):
    """The formula with one coefficient of its numerator changed by 1, for each in turn."""
    top, bottom = sympy.fraction(sympy.together(formula))
    poly = sympy.Poly(top)
    for powers, _ in poly.terms():
        monomial = sympy.prod(x**n for x, n in zip(poly.gens, powers, strict=True))
        yield (top + monomial) / bottom


@pytest.mark.parametrize(("name", "quantity"), TIMES)
def test_closed_form_with_a_wrong_coefficient(name, quantity, claim):
    family, true = FAMILIES[name], claim(name, quantity)
    points = true.domain.points(2, seed=4, largest=4)
    wrongs = [replace(true, expression=wrong) for wrong in perturbed(true.expression)]
    assert wrongs
    for wrong in wrongs:
        for point in points:
            assert measure(wrong, family, "exact", point).verdict == Verdict.REFUTED
    assert measure(wrongs[-1], family, "float", points[0]).verdict == Verdict.REFUTED
    assert judge(wrongs[-1], family, (), points[:1]).verdict == Verdict.UNDECIDED
    assert judge(wrongs[-1], family, ("exact",), points[:1]).verdict == Verdict.REFUTED


@pytest.mark.parametrize("name", ["complete", "star"])
def test_exact_gap_slightly_off(name, claim):
    family, true = FAMILIES[name], claim(name, "spectral-gap")
    wrong = replace(true, expression=true.expression * (1 + SLIGHTLY))
    assert certified(wrong).verdict == Verdict.UNDECIDED
    assert judge(wrong, family, ("float",)).verdict == Verdict.REFUTED


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize("quantity", ["stationary", "aggregated-matrix"])
def test_entry_slightly_off(name, quantity, claim):
    true = claim(name, quantity)
    first, *rest = true.entries
    wrong = replace(true, entries=(replace(first, value=first.value * (1 + SLIGHTLY)), *rest))
    assert certified(true).verdict == Verdict.PROVED
    assert certified(wrong).verdict == Verdict.UNDECIDED


# ---------------------------------------------------------------- rows
def swapped(chain):
    """The chain with the moves of two orbits exchanged; their names."""
    plain = [row for row in chain.rows if row.index is None]
    a = plain[0]
    b = next(row for row in plain if row.moves != a.moves)
    moves = {a.orbit: b.moves, b.orbit: a.moves}
    rows = tuple(
        replace(r, moves=moves[r.orbit]) if r.orbit in moves and r.index is None else r
        for r in chain.rows
    )
    return replace(chain, rows=rows)


@pytest.mark.parametrize("name", FAMILIES)
def test_two_states_of_the_quotient_swapped(name, claim):
    family, asked = FAMILIES[name], claim(name, "hitting-time")
    certificate = asked.certificate
    while certificate["premises"]:
        certificate = certificate["premises"][-1]
    assert checker.check(certificate)
    chain = swapped(leaves(family.problems()[0].chains)[-1])
    altered = {**certificate, "statement": {**certificate["statement"], "chain": chain.to_json()}}
    with pytest.raises(checker.Refused):
        checker.check(altered)
    evidence = same_rows(replace(asked, certificate=altered), family, family.domain.inside)
    assert evidence.verdict == Verdict.REFUTED
    assert "other rows" in evidence.reason


def test_proof_about_swapped_rows_does_not_pass():
    """A family whose quotient is not that of its chain: proofs may be found, claims not."""

    class Swapped(Complete):
        def problems(self):
            (problem,) = super().problems()
            return (replace(problem, chains=swapped(problem.chains)),)

    family = Swapped()
    found = Derivation(family).claim("hitting-time")
    assert certified(found).verdict == Verdict.PROVED  # of these rows it is true
    judgement = judge(found, family)
    assert judgement.verdict == Verdict.REFUTED
    assert "differ from the row of orbit" in judgement.reason


def crooked(family, factor=Fraction(1, 2)):
    """The family, with one sparse edge of its explicit chain halved."""

    base: Any = type(family)

    class Crooked(base):  # type: ignore[misc]
        def explicit(self, point):
            chain = super().explicit(point)
            clusters, moves = chain.clusters, dict(chain.transitions)
            edge = next((a, b) for a, b in moves if clusters[a] != clusters[b])
            moves[edge] *= factor
            return ExplicitChain(chain.states, moves)

    return Crooked()


@pytest.mark.parametrize(("name", "quantity"), CLAIMS)
def test_explicit_chain_that_differs_from_its_rows(name, quantity, claim):
    asked = claim(name, quantity)
    point = asked.domain.points(1)[0]
    assert same_rows(asked, FAMILIES[name], point).verdict == Verdict.CONSISTENT
    evidence = same_rows(asked, crooked(FAMILIES[name]), point)
    assert evidence.verdict == Verdict.REFUTED
    assert same_rows(asked, crooked(FAMILIES[name], Fraction(1)), point).verdict != Verdict.REFUTED


def test_explicit_chain_that_differs_is_refuted_by_the_judge(claim):
    for name, quantity in (("complete", "spectral-gap"), ("star", "stationary")):
        judgement = judge(claim(name, quantity), crooked(FAMILIES[name]), ())
        assert judgement.verdict == Verdict.REFUTED


def test_chain_that_differs_only_far_out_is_found(claim):
    """The rows are compared at several points, not at the smallest alone."""

    class Late(Ring):
        def explicit(self, point):
            family = crooked(FAMILIES["ring"]) if point["K"] > 3 else FAMILIES["ring"]
            return family.explicit(point)

    assert judge(claim("ring", "hitting-time"), Late(), ()).verdict == Verdict.REFUTED


# ---------------------------------------------------------------- the gap of a quotient
@pytest.mark.parametrize("K", [3, 5, 16])
def test_gap_of_a_quotient_is_no_lower_bound(K, claim, blind):
    """Seen from the hub the leaves are one orbit; the slowest mode, leaf against leaf, is lost."""
    family, true = FAMILIES["star"], claim("star", "spectral-gap")
    problem = next(p for p in family.problems() if p.name == "leaf-to-hub")
    point = {"K": Fraction(K), "M": Fraction(3), "epsilon": Fraction(1, 50)}
    rows = leaf_at(problem.chains, point).at(point)
    order = list(rows)
    entries = [
        (order.index(a), order.index(b), p)
        for a, row in rows.items()
        for b, p in row.items()
        if a != b
    ]
    quotient = spectral_gap(Chain.from_entries(map(str, order), entries))
    full = spectral_gap(concrete(family.explicit(point)))
    assert quotient > 1.9 * full
    # In symbols the quotient is a pair of clusters.
    pair = blind("complete").GAP.subs(sympy.Symbol("K"), 2)
    assert float(enclose(pair, point)[0]) == pytest.approx(quotient, rel=1e-12)
    for wrong in (pair, number(Fraction(quotient) * (1 - Fraction(1, 10**9)))):
        offered = replace(true, lower=wrong, upper=2 * wrong, expression=None)
        evidence = measure(offered, family, "float", point)
        assert evidence.verdict == Verdict.REFUTED
        assert "below the lower bound" in evidence.reason
        assert judge(offered, family, ("float",), [point]).verdict == Verdict.REFUTED
        assert judge(offered, family, (), [point]).verdict == Verdict.UNDECIDED


# ---------------------------------------------------------------- no proof, no PROVED
@pytest.mark.parametrize(("name", "quantity"), CLAIMS)
def test_numbers_alone_never_prove(name, quantity, claim):
    true = claim(name, quantity)
    point = true.domain.points(1)[0]
    for method in verify.METHODS:
        if verify.applies(method, quantity):
            assert measure(true, FAMILIES[name], method, point).verdict == Verdict.CONSISTENT
    assert same_rows(true, FAMILIES[name], point).verdict == Verdict.CONSISTENT


def test_verdict_of_several_pieces_of_evidence():
    def verdict(*verdicts):
        return verify._verdict([verify.Evidence("", "", {}, v) for v in verdicts])

    proved, good, bad, open_ = (
        Verdict.PROVED,
        Verdict.CONSISTENT,
        Verdict.REFUTED,
        Verdict.UNDECIDED,
    )
    assert verdict() == verdict(good, good) == good
    assert verdict(good, proved) == proved
    assert verdict(good, proved, open_) == verdict(open_, good) == open_
    assert verdict(open_, proved, bad, good) == bad


OTHERS = [
    ("complete/hitting-time", "complete/aggregated-hitting-time"),
    ("complete/hitting-time", "complete/exit-time"),
    ("complete/hitting-time", "ring/hitting-time"),
    ("complete/hitting-time", "complete/stationary"),
    ("complete/exit-time", "star/exit-time"),
    ("star/hitting-time", "star/hitting-time-hub-to-leaf"),
    ("ring/aggregated-hitting-time", "ring/hitting-time"),
    ("star/hitting-time-bounds", "star/hitting-time-bounds-hub-to-leaf"),
    ("complete/hitting-time-bounds", "complete/hitting-time"),
    ("complete/hitting-time-bounds", "complete/spectral-gap"),
    ("complete/spectral-gap", "star/spectral-gap"),
    ("complete/spectral-gap", "complete/hitting-time-bounds"),
    ("star/spectral-gap", "star/stationary"),
    ("complete/stationary", "complete/aggregated-matrix"),
    ("complete/stationary", "complete/hitting-time"),
    ("complete/stationary", "star/stationary"),
    ("complete/stationary", "complete/spectral-gap"),
    ("ring/aggregated-matrix", "ring/stationary"),
    ("ring/aggregated-matrix", "complete/aggregated-matrix"),
]


@pytest.mark.parametrize(("ours", "other"), OTHERS)
def test_certificate_of_another_claim(ours, other, claim):
    mine, proof = claim(*ours.split("/")), claim(*other.split("/")).certificate
    evidence = certified(replace(mine, certificate=proof))
    assert evidence.verdict == Verdict.UNDECIDED
    assert evidence.reason
    wrong = replace(mine, certificate=proof)
    assert judge(wrong, FAMILIES[mine.family], ()).verdict in (Verdict.UNDECIDED, Verdict.REFUTED)


@pytest.mark.parametrize(
    ("ours", "other"),
    [
        ("star/exit-time", "star/exit-time-hub"),
        ("path/hitting-time", "complete/hitting-time"),
        ("star/hitting-time", "star/aggregated-hitting-time"),
    ],
)
def test_certificate_of_another_start_with_our_value(ours, other, claim):
    """The value is right, but it is proved for other states: that is no proof of the claim."""
    mine, theirs = claim(*ours.split("/")), claim(*other.split("/"))
    borrowed = replace(mine, certificate=theirs.certificate, expression=theirs.expression)
    assert judge(borrowed, FAMILIES[mine.family], ()).verdict != Verdict.PROVED


@pytest.mark.parametrize("name", WITH_GAP)
def test_part_of_a_gap_proof_is_no_gap_proof(name, claim):
    """The premises of the two-sided statement prove one side each."""
    true = claim(name, "spectral-gap")
    whole = true.certificate
    while "split" in whole["witness"]:
        whole = whole["premises"][0]
    for part in whole["premises"]:
        evidence = certified(replace(true, certificate=part))
        assert evidence.verdict == Verdict.UNDECIDED, part["statement"]["kind"]


@pytest.mark.parametrize("certificate", [{}, {"format": checker.FORMAT}, {"format": "other"}])
def test_no_certificate(certificate, claim):
    true = claim("complete", "hitting-time")
    assert certified(replace(true, certificate=certificate)).verdict == Verdict.UNDECIDED


def test_claim_that_states_more_than_is_proved(claim):
    gap, law = claim("ring", "spectral-gap"), claim("ring", "stationary")
    assert certified(replace(gap, expression=gap.lower)).verdict == Verdict.UNDECIDED
    assert certified(replace(law, expression=gap.lower)).verdict == Verdict.UNDECIDED
    assert certified(replace(law, entries=())).verdict == Verdict.UNDECIDED
    bounds = claim("ring", "hitting-time-bounds")
    assert certified(replace(bounds, expression=bounds.lower)).verdict == Verdict.UNDECIDED


def test_claim_on_a_larger_domain_than_proved(claim):
    true = claim("complete", "hitting-time-bounds")
    larger = replace(true, domain=FAMILIES["complete"].domain)
    assert certified(larger).verdict == Verdict.UNDECIDED


# ---------------------------------------------------------------- counter-examples
def ratio(family, problem, point, claim):
    """E[tau]/T_A, the time from the explicit chain."""
    explicit = family.explicit(point)
    start, target = (
        explicit.states.index(end)
        for end in (family.start(problem, point), family.target(problem, point))
    )
    time = exact.mean_hitting_times(concrete(explicit), [target])[start]
    suffix = f"-{problem}" if problem else ""
    meta = claim(family.id, f"aggregated-hitting-time{suffix}").expression
    return time / evaluate(meta, point)


def at(**numbers):
    return {name: Fraction(value) for name, value in numbers.items()}


def test_ratio_is_five_where_m_epsilon_is_one(claim):
    """So c2/c1 <= 4 is false on all of epsilon <= 1/M."""
    complete, star = FAMILIES["complete"], FAMILIES["star"]
    assert ratio(complete, "", at(K=2, M=2, epsilon="1/2"), claim) == 5
    for K in (3, 4, 9):
        assert ratio(star, "leaf-to-hub", at(K=K, M=2, epsilon="1/2"), claim) == 5
    for family, problem, point in (
        (complete, "", at(K=2, M=2, epsilon="1/2")),
        (star, "leaf-to-hub", at(K=3, M=2, epsilon="1/2")),
    ):
        bound = claim(family.id, f"hitting-time-bounds{'-' if problem else ''}{problem}")
        assert bound.domain.violated(point) == "epsilon <= 3/7"
        wider = replace(bound, domain=family.domain.where("M*epsilon <= 1"))
        assert judge(wider, family, ("exact",), [point]).verdict == Verdict.REFUTED


def test_ratio_on_the_path_grows_with_its_length(claim):
    """So pure constants fail on epsilon <= 1/M, and K*epsilon <= 1 is asked for."""
    path = FAMILIES["path"]
    values = [ratio(path, "", at(K=K, M=3, epsilon="1/3", d=1), claim) for K in (3, 6, 9, 12, 24)]
    assert values[0] == Fraction(25, 7)
    assert values == sorted(values)
    assert values[-1] > 15
    bound = claim("path", "hitting-time-bounds")
    far = at(K=24, M=3, epsilon="1/3", d=1)
    assert bound.domain.violated(far) == "K*epsilon <= 1"
    wider = replace(bound, domain=path.domain.where("M*epsilon <= 1"))
    assert measure(wider, path, "exact", far).verdict == Verdict.REFUTED
    assert ratio(path, "", at(K=24, M=3, epsilon="1/3", d=23), claim) < 4


def test_false_bounds_are_not_derived():
    class Greedy(Complete):
        comparison = {"": replace(FAMILIES["complete"].comparison[""], facts=("M*epsilon <= 1",))}

    with pytest.raises(NoClaim, match="not derived"):
        Derivation(Greedy()).claim("hitting-time-bounds")
