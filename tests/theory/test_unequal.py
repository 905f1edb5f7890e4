"""Clusters of several sizes: any number of kinds, and sizes all different."""

from fractions import Fraction

import pytest
import sympy

from numerics import exact
from numerics.rows import concrete
from numerics.verify import Verdict, judge
from theory import catalogue
from theory.chain import cliques
from theory.claims import Derivation
from theory.domain import evaluate, expression
from theory.family import FamilyError


def complete_of(sizes, epsilon):
    share = epsilon / (len(sizes) - 1)
    ends = range(len(sizes))
    return cliques(sizes, {((k, 0), (l, 0)): share for k in ends for l in ends if k != l})


def closed_form(sizes, epsilon):
    """The proved formula of two sizes, in their number N and total alone."""
    n, total = len(sizes), sum(sizes)
    weight = total * (1 - epsilon) + n * epsilon
    return (n - 1 + (n + 1) * epsilon) * weight / (epsilon * (1 - epsilon) * n)


@pytest.mark.parametrize("sizes", [(2, 2, 2), (2, 3, 5, 7, 11), (9, 4, 4, 3, 2, 6), (5, 5, 50, 2)])
@pytest.mark.parametrize("epsilon", [Fraction(1, 7), Fraction(1, 10**9), Fraction(9, 10)])
def test_there_and_back_only_number_and_total_count(sizes, epsilon):
    """Sizes all different: half the commute time; the time itself where both ends are alike."""
    explicit = complete_of(sizes, epsilon)
    chain = concrete(explicit)
    ends = [explicit.states.index((k, 1)) for k in (0, 1)]
    times = [exact.mean_hitting_times(chain, [ends[1 - k]])[ends[k]] for k in (0, 1)]
    assert sum(times) == 2 * closed_form(sizes, epsilon)
    assert (times[0] == times[1]) == (sizes[0] == sizes[1])


def test_two_and_three_sizes_have_that_formula():
    for name, kinds in (("unequal", 2), ("unequal-3", 3)):
        claim = Derivation(catalogue.load(name)).claim("hitting-time")
        K = [sympy.Symbol(f"K_{n + 1}") for n in range(kinds)]
        M = [sympy.Symbol(f"M_{n + 1}") for n in range(kinds)]
        n, total = sum(K), sum(k * m for k, m in zip(K, M, strict=True))
        e = sympy.Symbol("epsilon")
        weight = total * (1 - e) + n * e
        general = (n - 1 + (n + 1) * e) * weight / (e * (1 - e) * n)
        assert sympy.simplify(claim.expression - general) == 0


def test_three_sizes_are_proved():
    family = catalogue.load("unequal-3")
    claims = Derivation(family)
    points = [
        family.domain.complete({k: expression_value(v) for k, v in point.items()})
        for point in (
            {"K_1": 2, "K_2": 1, "K_3": 1, "M_1": 2, "M_2": 3, "M_3": 4, "epsilon": "1/5"},
            {"K_1": 3, "K_2": 2, "K_3": 1, "M_1": 4, "M_2": 2, "M_3": 6, "epsilon": "1/90"},
        )
    ]
    for quantity in ("hitting-time", "exit-time", "stationary", "aggregated-hitting-time"):
        judged = judge(claims.claim(quantity), family, methods=("exact",), points=points)
        assert judged.verdict == Verdict.PROVED, judged.reason


def expression_value(text):
    return evaluate(expression(str(text)), {})


@pytest.mark.parametrize("name", ["unequal-1", "unequal-5", "unequal-0"])
def test_number_of_sizes_is_refused(name):
    with pytest.raises(FamilyError, match="give 2 to 4 sizes"):
        catalogue.load(name)


@pytest.mark.parametrize("name", ["ring-3", "unequal-x", "unequal--3"])
def test_other_names_are_unknown(name):
    with pytest.raises(FamilyError, match="unknown family"):
        catalogue.load(name)
