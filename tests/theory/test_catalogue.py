"""The catalogue: what every composition has, what it lacks and why, and expansions."""

import json
import random
from fractions import Fraction

import pytest
import sympy

from theory import checker
from theory.attachment import ATTACHMENTS
from theory.catalogue import catalogue, compositions, derivation, load
from theory.claims import Derivation, NoClaim
from theory.domain import evaluate
from theory.expansion import LARGEST_ORDER, expand
from theory.family import FamilyError
from theory.kernels import kernels
from theory.meta_graphs import meta_graphs

QUANTITIES = {
    *("hitting-time", "second-moment", "exit-time", "exit-law", "stationary"),
    *("aggregated-hitting-time", "hitting-time-bounds", "spectral-gap", "exact-gap"),
    *("metastable-eigenvalues", "stochastic-complement", "pseudo-spectral-gap"),
    *("metastability-ratio", "capacity", "conductance", "kemeny"),
    "hitting-time-bounds-threshold",
}
PLAIN = [f"clique/{name}/gate" for name in meta_graphs()]
DERIVED: dict[str, Derivation] = {}


def derived(name):
    return DERIVED.setdefault(name, derivation(load(name)))


def test_there_is_a_catalogue():
    assert len(kernels()) >= 8
    assert len(meta_graphs()) >= 14
    assert len(ATTACHMENTS) >= 5
    entries = {family.id: quantities for family, quantities in catalogue()}
    assert set(PLAIN) <= set(entries)
    for kernel in kernels().values():
        for attachment in ATTACHMENTS.values():
            if attachment.why_not(kernel) is None:
                assert "hitting-time" in entries[f"{kernel.id}/ring/{attachment.id}"]
    assert len(list(compositions())) == len(meta_graphs()) * sum(
        a.why_not(k) is None for k in kernels().values() for a in ATTACHMENTS.values()
    )


@pytest.mark.parametrize("name", PLAIN)
def test_each_quantity_is_there_or_absent_for_a_reason(name):
    found = derived(name)
    recipes, absent = set(found.recipes), found.family.absent
    assert recipes | set(absent) == QUANTITIES
    assert not recipes & set(absent)
    assert {"hitting-time", "spectral-gap", "stationary", "hitting-time-bounds"} <= recipes
    for quantity, reason in absent.items():
        assert len(reason.split()) > 3
        with pytest.raises(NoClaim, match=reason.split(":")[0][:30]):
            found.claim(quantity)


@pytest.mark.parametrize("name", PLAIN)
def test_bounds_are_close(name):
    """Hitting times within a factor 4 of T_A, gaps within a factor 8, where they are claimed."""
    bounds = derived(name).claim("hitting-time-bounds")
    factor = sympy.simplify(bounds.upper / bounds.lower)
    assert factor.is_number
    assert 1 < factor <= 4
    gap = derived(name).claim("spectral-gap")
    assert int(gap.statement["ratio"]) <= 8
    point = gap.domain.points(3, seed=5)[-1]
    if "K" not in point or not gap.lower.has(sympy.cos):
        assert 0 < evaluate(gap.lower, point) <= evaluate(gap.upper, point)


def test_all_of_the_range_up_to_the_inverse_size():
    """Where T_A bounds the hitting time by pure numbers the range contains all of M eps <= 3/7."""
    for name in PLAIN:
        facts = derived(name).claim("hitting-time-bounds").domain.facts
        known = {"2*epsilon <= 1", "7*epsilon <= 3", "M*epsilon <= 1"}
        known |= {"3*epsilon <= 1", "K*epsilon <= 1"} if "directed" in name else set()
        assert set(facts) <= known, name


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("cliques/ring/gate", "unknown kernel 'cliques'"),
        ("clique/rings/gate", "unknown meta-graph 'rings'"),
        ("hypercube-3/ring/gates", "no exchangeable gates"),
        ("clique/ring/door", "door"),
        ("./no.py/ring/gate", "no such file"),
    ],
)
def test_unknown_parts(name, words):
    with pytest.raises(FamilyError, match=words.replace(".", r"\.")) as error:
        load(name)
    assert "\n" not in str(error.value)


def test_names_of_the_spine():
    assert load("clique/ring/ports") is load("ring")
    assert load("clique/path/ports") is load("path")
    for name in ("complete", "star"):
        short, long = (derived(n).claim("hitting-time") for n in (name, f"clique/{name}/gate"))
        assert sympy.simplify(short.expression - long.expression) == 0


# ---------------------------------------------------------------- the rate
def test_threshold_of_the_rate():
    """E <= 4 T_A exactly up to eps = 3 H/(3 H + 2 R), for uniform cliques with one gate."""
    epsilon = sympy.Symbol("epsilon")
    for meta, H, R in (("complete", "K - 1", "K"), ("ring", "d*(K - d)", "K"), ("star", "1", "1")):
        found = derived(f"clique/{meta}/gate")
        ratio = found.claim("hitting-time").expression
        ratio /= found.claim("aggregated-hitting-time").expression
        h, r = sympy.sympify(H), sympy.sympify(R)
        assert sympy.simplify(ratio - 1 - 2 * epsilon * r / (h * (1 - epsilon))) == 0
        assert sympy.simplify(ratio.subs(epsilon, 3 * h / (3 * h + 2 * r)) - 4) == 0


# ---------------------------------------------------------------- expansions
EXPANDED = [
    *(("complete", "hitting-time", n) for n in (0, 1, 3)),
    ("ring", "hitting-time", 2),
    ("clique/ring/gate", "kemeny", 2),
    ("clique/ring/gate", "second-moment", 1),
    ("star", "hitting-time", 1),
]


@pytest.mark.parametrize(("name", "quantity", "order"), EXPANDED)
def test_expansion(name, quantity, order):
    claim = derived(name).claim(quantity)
    found = expand(claim, order)
    epsilon = sympy.Symbol("epsilon")
    powers = range(found.first, order)
    assert len(found.terms) == len(powers)
    total = sum(t * epsilon**n for t, n in zip(found.terms, powers, strict=True))
    rest = (claim.expression - total) / epsilon**order
    assert sympy.limit(sympy.cancel(rest), epsilon, 0).is_finite is not False
    for point in found.domain.points(6, seed=2):
        low, value, high = (evaluate(x, point) for x in (found.lower, rest, found.upper))
        assert low <= value <= high
    assert checker.check(found.certificate) == found.certificate["statement"]


@pytest.mark.parametrize("field", ["series", "scale", "lower", "upper"])
def test_altered_expansion_is_refused(field):
    found = expand(derived("complete").claim("hitting-time"), 2)
    altered = json.loads(json.dumps(found.certificate))
    statement = altered["statement"]
    if field == "series":
        statement["series"] += " + 1"
    elif field == "scale":
        statement["scale"] = "K"
    else:
        statement[field] = f"({statement[field]}) {'+' if field == 'lower' else '-'} M"
    with pytest.raises(checker.Refused):
        checker.check(altered)


@pytest.mark.parametrize(
    ("name", "quantity", "order", "words"),
    [
        ("complete", "hitting-time", LARGEST_ORDER + 1, "order lies in"),
        ("complete", "hitting-time", -1, "order lies in"),
        ("ring", "spectral-gap", 2, "no rational function"),
    ],
)
def test_no_expansion(name, quantity, order, words):
    with pytest.raises(NoClaim, match=words):
        expand(derived(name).claim(quantity), order)


# ---------------------------------------------------------------- alterations of the other kinds
@pytest.mark.parametrize(
    "quantity",
    [
        *("exact-gap", "metastable-eigenvalues", "pseudo-spectral-gap", "metastability-ratio"),
        *("capacity", "conductance", "kemeny", "stochastic-complement"),
    ],
)
def test_altered_statement_is_refused(quantity):
    """A value that is changed by a factor or a term is not what the witness proves."""
    claim = derived("clique/ring/gate").claim(quantity)
    assert checker.check(claim.certificate) == claim.statement
    keys = [k for k in ("value", "lower", "upper", "b", "mode") if k in claim.statement]
    for key in keys:
        for change in ("({})*2", "({}) + epsilon**3", "({}) - 1"):
            altered = json.loads(json.dumps(claim.certificate))
            altered["statement"][key] = change.format(altered["statement"][key])
            with pytest.raises(checker.Refused):
                checker.check(altered)
    rng = random.Random(7)
    rows = claim.statement.get("chain", {}).get("rows", [])
    for _ in range(6 if rows else 0):
        altered = json.loads(json.dumps(claim.certificate))
        row = rng.choice(altered["statement"]["chain"]["rows"])
        move = rng.choice(row["to"])
        move[2] = f"({move[2]})*{Fraction(rng.choice([2, 3, 5, 8, 9]), 7)}"
        with pytest.raises(checker.Refused):
            checker.check(altered)
