"""Composed families: their claims are proved, and what is false of them never comes back PROVED."""

import copy
from dataclasses import replace
from fractions import Fraction
from functools import cache

import pytest
import sympy

from numerics.verify import Verdict, certified, judge, same_rows
from theory.attachment import ATTACHMENTS, Gate
from theory.catalogue import derivation, load
from theory.certificates import certify
from theory.chain import leaves
from theory.claims import NoClaim
from theory.composed import Composed, CompositionDerivation
from theory.family import FamilyError
from theory.kernels import kernels
from theory.kernels.clique import Clique
from theory.meta_graphs import meta_graphs
from theory.meta_graphs.complete import Complete
from theory.meta_graphs.ring import Ring
from theory.meta_graphs.weighted_complete import WeightedComplete

MINE = (  # quantities that hold of every composition
    "hitting-time",
    "second-moment",
    "exit-time",
    "exit-law",
    "stationary",
    "aggregated-hitting-time",
    "hitting-time-bounds",
    "spectral-gap",
)
WAYS = ("exact", "float")


@cache
def known(name):
    return derivation(load(name))


def few(claim, family, n=2):
    """The smallest of some points of the claim's domain."""
    points = claim.domain.points(8, seed=1, largest=8)
    return sorted(
        points,
        key=lambda p: family.states(
            family.domain.complete(
                {k: v for k, v in p.items() if k in {q.name for q in family.domain.parameters}}
            )
        ),
    )[:n]


def verdict(name, quantity, n=2):
    chosen = known(name)
    claim = chosen.claim(quantity)
    found = judge(claim, chosen.family, WAYS, few(claim, chosen.family, n))
    return found.verdict, found.reason


# ---------------------------------------------------------------- what is proved
# `metastable verify catalogue` judges all that is derived of cliques with one gate on every
# meta-graph, and of every kernel and attachment on the ring; here are some, at fewer points.
QUICK = {
    *(("ring", q) for q in MINE),
    *(("complete", q) for q in MINE[:4]),
    *((meta, "hitting-time") for meta in meta_graphs() if meta not in ("barbell", "lollipop")),
    *((meta, "stationary") for meta in ("star", "directed-ring")),
}


@pytest.mark.parametrize(("meta", "quantity"), sorted(QUICK))
def test_clique_on_every_meta_graph(meta, quantity):
    assert verdict(f"clique/{meta}/gate", quantity) == (Verdict.PROVED, "")


# The way in is not the way out, and the rows of the time reversal would have to be guessed.
NO_LAW = {("lazy-cycle", "in-out"), ("lazy-cycle", "split")}
ATTACHED = [(k, a) for k in kernels() for a in ATTACHMENTS]
LONG = {("nested", "decoy"), ("nested", "split"), ("nested", "in-out"), ("nested", "gate")}
LONG |= {("complete-bipartite", a) for a in ("decoy", "split", "gates")}
LONG |= {
    ("hypercube-3", "decoy"),
    ("lazy-cycle", "split"),
    ("lazy-cycle", "decoy"),
    ("nested", "gates"),
}
TRIED = [(k, "complete", a) for k, a in ATTACHED] + [(k, "ring", a) for k, a in sorted(NO_LAW)]


@pytest.mark.parametrize(
    ("kernel", "meta", "attachment"),
    [
        pytest.param(*t, marks=pytest.mark.slow) if (t[0], t[2]) in LONG or t[1] == "ring" else t
        for t in TRIED
    ],
)
def test_every_kernel_and_attachment(kernel, meta, attachment):
    name = f"{kernel}/{meta}/{attachment}"
    if ATTACHMENTS[attachment].why_not(kernels()[kernel]):
        with pytest.raises(FamilyError, match="choose another attachment"):
            load(name)
        return
    assert verdict(name, "hitting-time") == (Verdict.PROVED, "")
    if (kernel, attachment) in NO_LAW:
        with pytest.raises(NoClaim, match="not reversible, and its orbits grow"):
            known(name).claim("stationary")
    else:
        assert verdict(name, "stationary") == (Verdict.PROVED, "")


# ---------------------------------------------------------------- what is false is not proved
RING = "clique/ring/gate"
SLIGHTLY = 1 + sympy.Rational(1, 10**6)
POINTS = [{"K": Fraction(4), "d": Fraction(1), "M": Fraction(3), "epsilon": Fraction(1, 3)}]


def judged(claim, family=None, ways=WAYS, points=None):
    family = family or known(RING).family
    points = points or [
        {p.name: POINTS[0][p.name] for p in claim.domain.parameters if p.name in POINTS[0]}
        | {p.name: Fraction(1, 2) for p in claim.domain.parameters if p.name not in POINTS[0]}
    ]
    return judge(claim, family, ways, points)


@pytest.mark.parametrize(
    "quantity", ["hitting-time", "exit-time", "exit-law", "aggregated-hitting-time"]
)
@pytest.mark.parametrize("ways", [(), ("exact",), ("float",)])
def test_value_slightly_off(quantity, ways):
    true = known(RING).claim(quantity)
    assert judged(true, ways=ways).verdict == Verdict.PROVED
    false = replace(true, expression=true.expression * SLIGHTLY)
    assert certified(false).verdict == Verdict.UNDECIDED
    assert judged(false, ways=ways).verdict == (Verdict.REFUTED if ways else Verdict.UNDECIDED)


@pytest.mark.parametrize("quantity", ["hitting-time-bounds", "spectral-gap"])
@pytest.mark.parametrize("side", ["lower", "upper"])
def test_bound_past_the_value(quantity, side):
    true = known(RING).claim(quantity)
    assert judged(true).verdict == Verdict.PROVED
    by = 10 if side == "lower" else sympy.Rational(1, 10)
    false = replace(true, **{side: getattr(true, side) * by})
    assert certified(false).verdict == Verdict.UNDECIDED
    assert judged(false).verdict == Verdict.REFUTED


def test_law_slightly_off():
    true = known(RING).claim("stationary")
    first = replace(true.entries[0], value=true.entries[0].value * SLIGHTLY)
    false = replace(true, entries=(first, *true.entries[1:]))
    assert judged(false).verdict == Verdict.UNDECIDED
    assert "other entries" in certified(false).reason
    swapped = replace(true, entries=tuple(reversed(true.entries)))
    assert judged(swapped).verdict == Verdict.UNDECIDED


OTHERS = [
    "clique/complete/gate",
    "clique/ring/in-out",
    "star/ring/gate",
    "clique/directed-ring/gate",
]


@pytest.mark.parametrize("quantity", ["hitting-time", "stationary", "aggregated-hitting-time"])
@pytest.mark.parametrize("other", OTHERS)
def test_certificate_of_another_family(quantity, other):
    """With the other family's value, and with the own."""
    mine, theirs = known(RING).claim(quantity), known(other).claim(quantity)
    assert judged(replace(mine, certificate=theirs.certificate)).verdict != Verdict.PROVED
    entire = replace(
        mine,
        certificate=theirs.certificate,
        expression=theirs.expression,
        entries=theirs.entries,
        domain=theirs.domain,
    )
    point = {"K": Fraction(5), "d": Fraction(2), "M": Fraction(4), "epsilon": Fraction(1, 3)}
    evidence = [certified(entire), same_rows(entire, known(RING).family, point)]
    assert evidence[0].verdict == Verdict.PROVED
    assert evidence[1].verdict == Verdict.REFUTED
    assert "rows" in evidence[1].reason or "start" in evidence[1].reason


def test_certificate_of_another_quantity():
    second = known(RING).claim("second-moment")
    for quantity in ("hitting-time", "exit-time", "exit-law", "stationary", "spectral-gap"):
        mine = replace(known(RING).claim(quantity), certificate=second.certificate)
        assert judged(mine, ways=()).verdict != Verdict.PROVED
    assert judged(replace(second, quantity="hitting-time")).verdict == Verdict.REFUTED


@pytest.mark.parametrize(
    ("what", "value"),
    [
        ("start", ["other.home", "d - 1"]),
        ("target", ["other.home"]),
        ("start", ["other.gate", "d"]),
        ("target", ["target.gate"]),
        ("chain", None),
        ("value", "1"),
    ],
)
def test_statement_about_something_else(what, value):
    true = known(RING).claim("hitting-time")
    found = copy.deepcopy(true.certificate)
    if value is None:
        value = known("clique/directed-ring/gate").claim("hitting-time").statement["chain"]
    found["statement"][what] = value
    false = replace(true, certificate=found)
    assert certified(false).verdict == Verdict.UNDECIDED
    if what != "value":
        assert same_rows(false, known(RING).family, POINTS[0]).verdict == Verdict.REFUTED
    assert judged(false).verdict != Verdict.PROVED


def test_true_statement_from_another_start():
    """From the gate instead of the home: proved, with its value, but not what is asked."""
    derivation_ = CompositionDerivation(load(RING))
    true = derivation_.claim("hitting-time")
    chain = leaves(derivation_.cases)[-1]
    functions = derivation_.functions(chain, 1, "home")
    value = functions["f"]["other.gate"].subs(sympy.Symbol("j"), sympy.Symbol("d"))
    statement = {**true.statement, "start": ["other.gate", "d"], "value": str(value)}
    texts = {"f": {name: str(x) for name, x in functions["f"].items()}}
    found = certify(statement, [], {"functions": texts})
    claim = replace(true, certificate=found, expression=value)
    assert certified(claim).verdict == Verdict.PROVED
    evidence = same_rows(claim, known(RING).family, POINTS[0])
    assert evidence.verdict == Verdict.REFUTED
    assert "another start or target" in evidence.reason
    assert judged(claim, ways=()).verdict == Verdict.REFUTED
    assert judged(claim).verdict == Verdict.REFUTED


class Uneven(Clique):
    """States that are not what the rows say: state 0 prefers state 1."""

    def explicit(self, point):
        moves = dict(super().explicit(point))
        moves[0, 1] += Fraction(1, 1000)
        moves[0, 2] -= Fraction(1, 1000)
        return moves


class Astray(Ring):
    """A walk that is not what the rows say: cluster 0 prefers one side."""

    def walk(self, point):
        moves = dict(super().walk(point))
        moves[0, 1] += Fraction(1, 1000)
        moves[0, int(point["K"]) - 1] -= Fraction(1, 1000)
        return moves


class Misplaced(Ring):
    """Start and target of the walk are one further apart."""

    def ends(self, point):
        start, target = super().ends(point)
        return (start + 1) % int(point["K"]), target


class Resting(Complete):
    """A complete graph on which the walk stays half of the time, as the rows do not say."""

    def walk(self, point):
        return {pair: p / 2 for pair, p in super().walk(point).items()}


@pytest.mark.parametrize(
    "quantity",
    [
        pytest.param(q, marks=() if q in ("hitting-time", "stationary") else pytest.mark.slow)
        for q in MINE
    ],
)
@pytest.mark.parametrize("wrong", [Uneven, Astray, Resting])
def test_rows_that_are_not_those_of_the_states(quantity, wrong):
    kernel = wrong() if issubclass(wrong, Clique) else Clique()
    meta = wrong() if not issubclass(wrong, Clique) else Ring()
    family = Composed(kernel, meta, ATTACHMENTS["gate"])
    claim = CompositionDerivation(family).claim(quantity)
    assert certified(claim).verdict == Verdict.PROVED
    found = judged(claim, family, ())
    assert found.verdict == Verdict.REFUTED
    assert found.reason


def test_ends_that_are_not_those_of_the_problem():
    family = Composed(Clique(), Misplaced(), ATTACHMENTS["gate"])
    claim = CompositionDerivation(family).claim("hitting-time")
    assert judged(claim, family).verdict == Verdict.REFUTED


def test_edges_that_are_not_those_of_the_attachment():
    class Elsewhere(Gate):
        def explicit(self, kernel, point):
            stay, _ = super().explicit(kernel, point)
            return stay, {(0, 1): point["epsilon"]}

    family = Composed(Clique(), Ring(), Elsewhere())
    claim = CompositionDerivation(family).claim("hitting-time")
    assert judged(claim, family, ()).verdict == Verdict.REFUTED


def test_gap_of_the_symmetrised_walk():
    assert verdict("clique/directed-ring/gate", "spectral-gap") == (Verdict.PROVED, "")


class Hiding(WeightedComplete):
    """Clusters that rest where the rows have them move among the others of their class."""

    def walk(self, point):
        moves = super().walk(point)
        return {(k, l): p / 100 if k and l else p for (k, l), p in moves.items()}


RESTS = {k: Fraction(v) for k, v in (("K", 6), ("M", 3), ("omega", "1/2"), ("epsilon", "1/3"))}


@pytest.fixture(scope="module")
def resting():
    family = Composed(Clique(), Hiding(), ATTACHMENTS["gate"])
    claim = CompositionDerivation(family).claim("spectral-gap")
    assert "even" in claim.statement["walk"]
    return claim, family


def test_walk_that_rests_hides_a_slow_mode(resting):
    claim, family = resting
    found = judge(claim, family, ("float",), [RESTS])
    assert found.verdict == Verdict.REFUTED


def test_rows_of_a_walk_that_rests(resting):
    claim, family = resting
    assert same_rows(claim, family, RESTS).verdict == Verdict.REFUTED
