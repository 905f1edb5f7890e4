"""The gap of the explicit chain lies inside the certified bounds, at points chosen to hurt."""

from fractions import Fraction

import pytest
import sympy

from numerics.rows import concrete
from numerics.spectrum import spectral_gap
from theory.claims import Derivation, NoClaim
from theory.enclosure import enclose
from theory.family import built_in

FAMILIES = {
    name: family
    for name, family in built_in().items()
    if "spectral-gap" in Derivation(family).recipes
}
TOLERANCE = Fraction(1, 10**11)  # of the reference, relative: about N 1e-16
EPSILONS = [
    Fraction(text)
    for text in ("1/10", "1e-3", "1e-6", "1e-12", "1/2", "3/4", "9/10", "99/100", "999/1000")
]


def grid(family, clusters, members, epsilons):
    for K in clusters:
        for M in members:
            for epsilon in epsilons:
                point = {"K": Fraction(K), "M": Fraction(M), "epsilon": epsilon}
                try:
                    yield family.domain.complete(point)
                except ValueError:
                    continue


def check(family, claim, point):
    known = {p.name for p in claim.domain.parameters}
    inside = {name: x for name, x in point.items() if name in known}
    gap = Fraction(spectral_gap(concrete(family.explicit(point))))
    low, high = enclose(claim.lower, inside)[0], enclose(claim.upper, inside)[1]
    assert 0 < low * (1 - TOLERANCE) <= gap <= high * (1 + TOLERANCE), point
    assert high <= 8 * low * (1 + TOLERANCE), point
    if claim.expression is not None:
        least, most = enclose(claim.expression, inside)
        assert least * (1 - TOLERANCE) <= gap <= most * (1 + TOLERANCE), point
    return gap


def test_one_family_alone_has_no_gap(claim):
    """It says why; no other family may leave these tests unnoticed."""
    assert set(built_in()) - set(FAMILIES) == {"unequal"}
    with pytest.raises(NoClaim, match="not derived: no single state is a good pivot"):
        claim("unequal", "spectral-gap")


@pytest.mark.parametrize("name", FAMILIES)
def test_gap_lies_inside_the_bounds(name, claim):
    family = FAMILIES[name]
    bounds = claim(name, "spectral-gap")
    points = [
        *grid(family, (2, 3, 4), (2, 3), EPSILONS),
        *grid(family, (7, 12), (3, 5), (Fraction("1/10"), Fraction("1e-12"))),
        *grid(family, (5,), (8,), (Fraction("1e-9"), Fraction("97/100"))),
    ]
    assert len(points) > 20
    for point in points:
        check(family, bounds, point)


@pytest.mark.slow
@pytest.mark.parametrize("K", range(2, 13))
@pytest.mark.parametrize("name", FAMILIES)
def test_gap_lies_inside_the_bounds_on_the_whole_grid(name, K, claim):
    family = FAMILIES[name]
    bounds = claim(name, "spectral-gap")
    for point in grid(family, (K,), range(2, 9), EPSILONS):
        check(family, bounds, point)


@pytest.mark.parametrize("name", FAMILIES)
def test_gap_is_a_root_of_the_second_derivation(name, blind):
    """The path has none; on the others the smallest root is the gap."""
    module, family = blind(name), FAMILIES[name]
    if not hasattr(module, "gap_polynomial"):
        assert name == "path"
        return
    g, K = sympy.symbols("g K")
    for point in grid(family, (3, 4, 8), (3, 5), EPSILONS[::2]):
        polynomial = module.gap_polynomial(g).subs(sympy.Symbol("c"), sympy.cos(2 * sympy.pi / K))
        values = {sympy.Symbol(n): sympy.Rational(x) for n, x in point.items()}
        roots = sympy.Poly(polynomial.subs(values), g).nroots(n=60, maxsteps=500)
        gap = spectral_gap(concrete(family.explicit(point)))
        assert float(min(map(sympy.re, roots))) == pytest.approx(gap, rel=1e-12), point


def test_no_claim_speaks_of_the_distance(claim):
    """The gap does not depend on the target, so its claims must not either."""
    for name in FAMILIES:
        bounds = claim(name, "spectral-gap")
        for value in (bounds.lower, bounds.upper, bounds.expression):
            assert value is None or sympy.Symbol("d") not in value.free_symbols


@pytest.mark.parametrize("name", ["ring", "path"])
def test_long_chains(name, claim):
    """Far out, where only the bounds can be evaluated: K^2 gap tends to a number."""
    bounds = claim(name, "spectral-gap")
    scaled = []
    for K in (10**4, 10**6, 10**9):
        point = {"K": Fraction(K), "M": Fraction(5), "epsilon": Fraction(1, 1000)}
        if any(p.name == "d" for p in bounds.domain.parameters):
            point["d"] = Fraction(1)
        low, high = enclose(bounds.lower, point)[0], enclose(bounds.upper, point)[1]
        assert 0 < low < high <= 8 * low
        scaled.append(low * K * K)
    assert scaled[-1] == pytest.approx(float(scaled[-2]), rel=1e-2)
