"""Domains as data, exact evaluation, and enclosures."""

from fractions import Fraction

import mpmath
import pytest
import sympy
from hypothesis import given
from hypothesis import strategies as st

from theory.domain import Domain, DomainError, Parameter, describe, evaluate, expression, tidy
from theory.enclosure import enclose
from theory.family import built_in

K, M, epsilon, d = sympy.symbols("K M epsilon d")
FAMILIES = built_in()


def domain(*facts, **parameters):
    """``domain("K >= 2", K=int, epsilon=float)``."""
    made = tuple(Parameter(n, (), "", integer=kind is int) for n, kind in parameters.items())
    return Domain(made, facts)


RING = FAMILIES["ring"].domain
NUMBERS = st.fractions(min_value=-3, max_value=9, max_denominator=50)


# ---------------------------------------------------------------- membership
@given(K=NUMBERS, M=NUMBERS, epsilon=NUMBERS, d=NUMBERS)
def test_contains_is_the_conjunction_of_the_facts(K, M, epsilon, d):
    whole = all(x.denominator == 1 for x in (K, M, d))
    inside = whole and K >= 2 and M >= 3 and 0 < epsilon < 1 and 1 <= d <= K - 1
    point = {"K": K, "M": M, "epsilon": epsilon, "d": d}
    assert RING.contains(point) == inside
    if inside:
        assert RING.complete(point) == point
    else:
        with pytest.raises(DomainError, match=r"outside the domain: it needs \S"):
            RING.complete(point)


def test_contains_asks_for_exactly_the_parameters():
    point = {"K": Fraction(2), "M": Fraction(3), "epsilon": Fraction(1, 2), "d": Fraction(1)}
    assert RING.contains(point)
    assert not RING.contains({**point, "L": Fraction(1)})
    assert not RING.contains({n: x for n, x in point.items() if n != "d"})


@pytest.mark.parametrize(
    ("fact", "inside", "outside"),
    [
        ("x < 1", "999/1000", "1"),
        ("x <= 1", "1", "1001/1000"),
        ("x > 1", "1001/1000", "1"),
        ("x >= 1", "1", "999/1000"),
        ("2*x**2 <= 1", "7/10", "71/100"),
        ("1/x >= 2", "1/2", "51/100"),
    ],
)
def test_edges(fact, inside, outside):
    where = domain(fact, x=float)
    assert where.contains({"x": Fraction(inside)})
    assert not where.contains({"x": Fraction(outside)})
    assert where.violated({"x": Fraction(outside)}) == fact


@pytest.mark.parametrize("fact", ["x = 1", "x", "", "x != 1"])
def test_not_a_fact(fact):
    with pytest.raises(DomainError, match="write it as 'K >= 2'"):
        domain(fact, x=float).contains({"x": Fraction(1)})


# ---------------------------------------------------------------- completion
def test_defaults():
    given_ = {"K": Fraction(7), "M": Fraction(3), "epsilon": Fraction(1, 9)}
    assert RING.complete(given_)["d"] == 3
    assert FAMILIES["path"].domain.complete(given_)["d"] == 6
    assert list(RING.complete(dict(reversed(given_.items())))) == ["K", "M", "epsilon", "d"]


@pytest.mark.parametrize(
    ("default", "value"), [("floor(K/2)", 3), ("floor(K/2) + 1", 4), ("2*floor(K/3) - 1", 3)]
)
def test_default_with_floor(default, value):
    where = Domain(
        (Parameter("K", ("K >= 1",), ""), Parameter("d", ("d >= 0",), "", default=default))
    )
    assert where.complete({"K": Fraction(7)})["d"] == value


@pytest.mark.parametrize(
    ("given_", "words"),
    [
        ({"L": 1}, "unknown parameter 'L': give one of K, M, epsilon, d"),
        ({"K": 3}, "parameter M is missing: add M=..."),
        ({}, "parameter K is missing"),
        ({"K": 1, "M": 3, "epsilon": "1/2", "d": 1}, "it needs K >= 2"),
        ({"K": "5/2", "M": 3, "epsilon": "1/2", "d": 1}, "it needs K is an integer"),
        ({"K": 3, "M": 3, "epsilon": "1/2", "d": 3}, "it needs d <= K - 1"),
    ],
)
def test_completion_names_what_is_wrong(given_, words):
    with pytest.raises(DomainError) as caught:
        RING.complete({name: Fraction(value) for name, value in given_.items()})
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


# ---------------------------------------------------------------- points
@pytest.mark.parametrize("name", FAMILIES)
def test_points_are_inside_distinct_and_the_same_each_time(name):
    where = FAMILIES[name].domain
    points = where.points(30, seed=4)
    assert len(points) == 30
    assert all(where.contains(p) for p in points)
    assert len({tuple(p.items()) for p in points}) == 30
    assert points == where.points(30, seed=4)
    assert points != where.points(30, seed=5)


@pytest.mark.parametrize("name", FAMILIES)
def test_corners_come_first(name):
    where = FAMILIES[name].domain

    def size(point):
        return sum(point[p.name] for p in where.parameters if p.integer)

    everything = where.points(10**6)
    smallest = min(map(size, everything))
    for n in (1, 3, 9):
        points = where.points(n)
        corners = points[: max(1, n // 3)]
        assert [size(p) for p in corners] == [smallest] * len(corners)
    assert where.points(3)[0] == where.points(30)[0] == everything[0]


def test_points_where_the_ranges_start_late_or_are_narrow():
    assert domain("K >= 50", K=int).points(2)[0] == {"K": 50}
    for facts in (
        ("x > 3", "x < 7/2"),
        ("x >= 100",),
        ("x <= -4",),
        ("x > 0", "10**4*x < 1"),
        ("x > 0", "10**7*K*x <= 1"),
    ):
        where = domain("K >= 1", *facts, K=int, x=float)
        points = where.points(4)
        assert len(points) == 4
        assert all(where.contains(p) for p in points)
        assert where.contains(where.inside)


@pytest.mark.parametrize(
    "facts", [("K >= 3", "K <= 2"), ("K >= 1", "2*K <= 1"), ("K > 4", "K < 5")]
)
def test_no_points(facts):
    where = domain(*facts, K=int)
    for ask in (lambda: where.points(1), lambda: where.inside, where.require_sound):
        with pytest.raises(DomainError, match="no point found with"):
            ask()


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ((Parameter("j", (), ""),), "cannot name"),
        ((Parameter("c", (), ""),), "cannot name"),
        ((Parameter("u0", (), ""),), "cannot name"),
        ((Parameter("lambda", (), ""),), "cannot name"),
        ((Parameter("a b", (), ""),), "cannot name"),
        ((Parameter("K", (), ""), Parameter("K", (), "")), "two parameters"),
        ((Parameter("K", ("K >= L",), ""),), "speaks of L"),
        ((Parameter("K", ("K >=",), ""),), "cannot be read"),
        ((Parameter("K", ("K = 2",), ""),), "not a fact"),
        ((Parameter("K", ("K >= (2",), ""),), "cannot be read"),
        ((Parameter("K", ("K >= 2",), "", default="L"),), "speaks of L"),
    ],
)
def test_unsound(parameters, words):
    with pytest.raises(DomainError, match=words):
        Domain(parameters).require_sound()


def test_built_in_domains_are_sound():
    for family in FAMILIES.values():
        family.domain.require_sound()


# ---------------------------------------------------------------- parts
@given(K=st.integers(0, 9), d=st.integers(-1, 9))
def test_split_covers_and_does_not_overlap(K, d):
    where = domain("K >= 2", "d >= 1", "d <= K - 1", K=int, d=int)
    equal, beyond = where.split("d <= K - 1", {"K": "d + 1"})
    point = {"K": Fraction(K), "d": Fraction(d)}
    assert equal.contains(point) == (where.contains(point) and d == K - 1)
    assert beyond.contains(point) == (where.contains(point) and d < K - 1)


def test_where_and_without():
    inner = RING.where("M*epsilon <= 1")
    assert inner.all_facts[:-1] == RING.all_facts
    point = {"K": Fraction(2), "M": Fraction(3), "epsilon": Fraction(1, 2), "d": Fraction(1)}
    assert RING.contains(point)
    assert inner.violated(point) == "M*epsilon <= 1"
    rest = RING.without(("d",))
    assert [p.name for p in rest.parameters] == ["K", "M", "epsilon"]
    assert not any("d" in fact.split() for fact in rest.all_facts)


# ---------------------------------------------------------------- values
@given(
    x=st.fractions(max_denominator=10**40),
    y=st.fractions(min_value=1, max_denominator=10**40),
)
def test_evaluation_is_exact(x, y):
    value = expression("(a**3 - 2*a*b + 1/3)/(b**2 + 1) - a/b")
    exact = (x**3 - 2 * x * y + Fraction(1, 3)) / (y**2 + 1) - x / y
    assert evaluate(value, {"a": x, "b": y}) == exact
    assert enclose(value, {"a": x, "b": y}) == (exact, exact)


def test_evaluation_at_a_pole_or_without_a_parameter():
    value = expression("1/(1 - epsilon)")
    with pytest.raises(DomainError, match="has no value at epsilon=1"):
        evaluate(value, {"epsilon": Fraction(1)})
    with pytest.raises(DomainError, match="has no value"):
        evaluate(value, {})


@pytest.mark.parametrize("name", ["E", "I", "S", "N", "Q", "beta", "gamma", "zeta", "pi1"])
def test_names_that_sympy_uses_itself_are_plain(name):
    assert expression(name) == sympy.Symbol(name)
    assert evaluate(expression(f"{name}**2/2"), {name: Fraction(3)}) == Fraction(9, 2)


IRRATIONAL = {
    "sqrt(x)": mpmath.sqrt,
    "1/sqrt(x)": lambda x: 1 / mpmath.sqrt(x),
    "x - sqrt(x**2 - x/10**6)": lambda x: x - mpmath.sqrt(x**2 - x / 10**6),
    "1 - cos(2*pi/x)": lambda x: 1 - mpmath.cos(2 * mpmath.pi / x),
    "(1 - cos(2*pi/x))/(2 + cos(2*pi/x)*x)": lambda x: (
        (1 - mpmath.cos(2 * mpmath.pi / x)) / (2 + mpmath.cos(2 * mpmath.pi / x) * x)
    ),
}


@pytest.mark.parametrize("text", IRRATIONAL)
@given(x=st.integers(3, 10**12))
def test_enclosures_are_tight_and_true(text, x):
    low, high = enclose(expression(text), {"x": Fraction(x)})
    assert 0 <= high - low < Fraction(1, 10**15) * low
    with mpmath.workdps(80):
        true = IRRATIONAL[text](mpmath.mpf(x))
        below, above = (mpmath.mpf(y.numerator) / y.denominator for y in (low, high))
        assert below <= true * (1 + mpmath.mpf(10) ** -60)
        assert above >= true * (1 - mpmath.mpf(10) ** -60)


def test_enclosure_of_a_tiny_difference():
    """Digits cancel; the precision is raised until they do not matter."""
    value = expression("1 - sqrt(1 - x)")
    low, high = enclose(value, {"x": Fraction(1, 10**200)})
    assert low <= Fraction(1, 2 * 10**200) * (1 + Fraction(1, 10**100))
    assert 0 < high - low < low / 10**15


@pytest.mark.parametrize(("text", "value"), [("sqrt(x)", 2), ("x + sqrt(9*x)", 10)])
def test_enclosure_of_a_root_that_is_rational(text, value):
    low, high = enclose(expression(text), {"x": Fraction(4)})
    assert low <= value <= high
    assert high - low <= low / 10**15


@pytest.mark.parametrize(
    ("name", "quantity"),
    [
        (f.id, quantity)
        for f in FAMILIES.values()
        for quantity in ("hitting-time-bounds", "spectral-gap")
        if quantity not in f.absent
    ],
)
def test_enclosures_of_the_claims(name, quantity, claim):
    bounds = claim(name, quantity)
    points = bounds.domain.points(5, seed=9)
    assert len(points) == 5
    for point in points:
        for value in (bounds.lower, bounds.upper, bounds.expression):
            if value is not None:
                low, high = enclose(value, point)
                assert 0 < low <= high
                assert high - low < low / 10**15


@given(a=st.integers(-9, 9), b=st.integers(1, 9), c=st.integers(-9, 9), e=st.integers(1, 4))
def test_tidy_changes_the_form_only(a, b, c, e):
    value = (a * K * M * (1 - epsilon) + b * epsilon + c) / (b * (1 - epsilon) ** e * K)
    where = FAMILIES["complete"].domain
    assert sympy.simplify(tidy(value, where) - value) == 0


def test_description_reads_back():
    point = {"K": Fraction(8), "epsilon": Fraction(1, 1000)}
    assert describe(point) == "K=8,epsilon=1/1000"
