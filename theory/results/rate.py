"""R2 and R5 with constants: the order of the hitting time, and where it is that of the clusters.

As epsilon tends to 0, epsilon E[tau] converges; Kim et al. (2025, theorem 3.2) give the order
K M/epsilon, logarithms aside.  Here the limit, its order with two constants, and the exact range of
epsilon on which E[tau] <= 4 T_A are derived for each family, after Kim et al. (2025).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import sympy

from theory.certificates import Certificate, NoProof
from theory.chain import OrbitChain, leaves
from theory.claims import Claim, Derivation, NoClaim
from theory.domain import Domain, Point, evaluate, expression, tidy
from theory.family import epsilon
from theory.results.order import (
    Order,
    comparison,
    leading,
    order_of,
    sizes_of,
    typical,
)

if TYPE_CHECKING:
    from theory.composed import CompositionDerivation

FACTOR = 4
HALF = "2*epsilon <= 1"


def size(chain: OrbitChain) -> sympy.Expr:
    """The number of states of a chain on orbits."""
    total = sympy.Integer(0)
    for orbit in chain.orbits.values():
        if orbit.index is None:
            total += orbit.size
        else:
            j, (first, last) = sympy.Symbol("j"), orbit.index
            total += sympy.summation(orbit.size, (j, first, last))
    return sympy.factor(total)


# ---------------------------------------------------------------- the order of the hitting time
@dataclass(frozen=True)
class Rate:
    """The order of the mean hitting time as epsilon tends to 0.

    Attributes
    ----------
    clusters, states : K and M, the number of clusters and of states in each.
    domain : where it is stated: the start one step from the target, or the farthest, and
        epsilon <= 1/2.
    limit : of epsilon E[tau]/(K M), as epsilon tends to 0.
    order : epsilon T_A between two multiples of its order, which is free of epsilon; with
        T_A <= E[tau] <= 4 T_A below the threshold, E[tau] is of this order over epsilon there.
    usual : epsilon T_A between two multiples of K M, or None if it is not of that order.
    escape : a size and the limit, 0 or infinite, of ``limit`` as that size grows, where ``usual``
        is None and one size shows it.
    """

    family: str
    clusters: sympy.Expr
    states: sympy.Expr
    domain: Domain
    limit: sympy.Expr
    order: Order
    usual: Order | None
    escape: tuple[str, sympy.Expr] | None

    @property
    def latex(self) -> str:
        """The order of E[tau]."""
        return rf"\mathbb{{E}}[\tau] \asymp {sympy.latex(self.order.order / epsilon)}"


def rate(
    derivation: CompositionDerivation,
    near: bool = False,
    facts: Sequence[str] = (),
    values: Mapping[str, str] = MappingProxyType({}),
) -> Rate:
    """The order of the mean hitting time of a composed family, with constants.

    Parameters
    ----------
    near : the start one step from the target (d = 1), for a family with a distance d; by default it
        is at the distance that the family has unless asked otherwise, mostly the farthest.
    facts, values : further restrictions, such as ``omega >= 1`` or M at ``2*h``.

    Raises
    ------
    NoClaim
        A part is not derived, no two pure numbers are shown, or there is no distance to set.
    """
    family = derivation.family
    time, meta = derivation.claim("hitting-time"), derivation.claim("aggregated-hitting-time")
    if time.expression is None or meta.expression is None:
        raise NoClaim(f"{family.id}: the time is known by bounds only")
    domain, about = _place(derivation, near, values)
    domain = domain.where(HALF, *facts)
    fixed = {sympy.Symbol(n): expression(x) for n, x in domain.values.items()}
    clusters = size(leaves(family.meta.problems()[0].chains)[-1])
    states = size(family.cluster.chain)

    def measured(order: sympy.Expr | None) -> Order:
        value = (epsilon * meta.expression).subs(fixed)
        return order_of(value, domain, about, order, meta.certificate, "epsilon")

    limit = sympy.factor(sympy.cancel(epsilon * time.expression).subs(epsilon, 0).subs(fixed))
    share = sympy.factor(limit / (clusters * states).subs(fixed))
    try:
        order = measured(None)
    except NoProof as error:
        raise NoClaim(f"{family.id}: {error}") from error
    usual = leading((clusters * states).subs(fixed), sizes_of(domain))
    escape = _escape(share.subs(about), sizes_of(domain), about)
    like = None
    if escape is None:
        try:
            like = measured(usual)
        except NoProof:
            like = None
    share = tidy(share, family.domain)
    return Rate(family.id, clusters, states, domain, share, order, like, escape)


def _place(
    derivation: Derivation, near: bool, values: Mapping[str, str]
) -> tuple[Domain, dict[sympy.Symbol, sympy.Expr]]:
    """The domain with the start where it is asked for."""
    domain = derivation.family.domain
    if near and "d" not in (p.name for p in domain.parameters):
        raise NoClaim(f"{derivation.family.id}: start and target have no distance d")
    return typical(domain, {**values, **({"d": "1"} if near else {})})


def _escape(
    share: sympy.Expr, sizes: list[sympy.Symbol], about: Mapping[sympy.Symbol, sympy.Expr]
) -> tuple[str, sympy.Expr] | None:
    """A size with which a function grows or falls without bound."""
    for symbol in (s for s in sizes if s not in about):
        end = sympy.limit(share, symbol, sympy.oo)
        if end in (0, sympy.oo):
            return str(symbol), end
    return None


# ---------------------------------------------------------------- thresholds
@dataclass(frozen=True)
class Threshold:
    """The value of epsilon at which a ratio reaches a number, exactly.

    Attributes
    ----------
    value : ratio <= number if and only if epsilon <= value; it may exceed 1.
    below, above : the claims on either side, each with a certificate.
    """

    number: Fraction
    value: sympy.Expr
    below: Claim
    above: Claim

    @property
    def latex(self) -> str:
        """The value."""
        return rf"\epsilon^* = {sympy.latex(self.value)}"


def threshold(derivation: Derivation, factor: int | Fraction = FACTOR) -> Threshold:
    """The exact epsilon* with E[tau] <= factor * T_A if and only if epsilon <= epsilon*.

    Parameters
    ----------
    factor : above 1.

    Raises
    ------
    NoClaim
        A part is not derived; E[tau] = T_A on the whole domain, so that there is no threshold; or
        the difference is not linear in epsilon.
    """
    factor = Fraction(factor)
    if factor <= 1:
        raise NoClaim(f"the factor {factor} is at most 1: give one above 1, since E[tau] >= T_A")
    time, meta = derivation.claim("hitting-time"), derivation.claim("aggregated-hitting-time")
    if time.expression is None or meta.expression is None:
        raise NoClaim(f"{derivation.family.id}: the time is known by bounds only")
    ratio = sympy.cancel(time.expression / meta.expression)
    if ratio == 1:
        raise NoClaim(f"{derivation.family.id}: the mean time is T_A exactly, at every epsilon")
    top, slope, value = _linear(ratio, factor, derivation)
    proof = [time.certificate, meta.certificate]
    name = "hitting-time-bounds-threshold"
    low, high = (["v0 >= 1*v1", f"v0 <= {factor}*v1"], [f"v0 >= {factor}*v1"])
    times = sympy.Rational(factor.numerator, factor.denominator) * meta.expression
    domain = derivation.family.domain
    inside, below = _on_side(domain, top, slope, "<=", low, proof)
    outside, above = _on_side(domain, top, slope, ">=", high, proof)
    bounds = {"lower": meta.expression, "upper": times}
    return Threshold(
        factor,
        value,
        _claim(derivation, name, inside, below, **bounds),
        _claim(derivation, f"{name}-passed", outside, above, lower=times),
    )


def threshold_order(
    derivation: Derivation,
    found: Threshold,
    near: bool = False,
    values: Mapping[str, str] = MappingProxyType({}),
) -> Order:
    """The order of a threshold in the sizes: 1 if its range is free of them, 1/M for slow clusters.

    Parameters
    ----------
    near, values : as for :func:`rate`.

    Raises
    ------
    NoClaim
        No two pure numbers are shown.
    """
    domain, about = _place(derivation, near, values)
    kept = tuple(p for p in domain.parameters if p.name != "epsilon")
    free = Domain(kept, tuple(f for f in domain.facts if "epsilon" not in f), domain.values)
    fixed = {sympy.Symbol(n): expression(x) for n, x in domain.values.items()}
    try:
        return order_of(sympy.factor(found.value.subs(fixed)), free, about)
    except NoProof as error:
        raise NoClaim(f"{derivation.family.id}: {error}") from error


def ratio_threshold(derivation: Derivation, bound: Fraction | int = 1) -> Threshold:
    """The exact epsilon* with the metastability ratio <= bound if and only if epsilon <= epsilon*.

    Raises
    ------
    NoClaim
        The ratio is not derived, or not linear in epsilon.
    """
    bound = Fraction(bound)
    claim = derivation.claim("metastability-ratio")
    assert claim.expression is not None
    ratio, number = claim.expression, sympy.Rational(bound.numerator, bound.denominator)
    top, slope, value = _linear(ratio, bound, derivation)
    name, domain = "metastability-ratio-threshold", derivation.family.domain
    inside, below = _on_side(domain, top, slope, "<=", [f"v0 <= {bound}"], [claim.certificate])
    outside, above = _on_side(domain, top, slope, ">=", [f"v0 >= {bound}"], [claim.certificate])
    zero = sympy.Integer(0)
    return Threshold(
        bound,
        value,
        _claim(derivation, name, inside, below, lower=zero, upper=number),
        _claim(derivation, f"{name}-passed", outside, above, lower=number),
    )


def _linear(
    ratio: sympy.Expr, number: Fraction, derivation: Derivation
) -> tuple[sympy.Expr, sympy.Expr, sympy.Expr]:
    """a, b and a/b such that ratio <= number means b epsilon <= a; the ratio grows from below."""
    family = derivation.family
    rest = sympy.Rational(number.numerator, number.denominator) - ratio
    top = sympy.Poly(sympy.numer(sympy.cancel(sympy.together(rest))), epsilon)
    if top.degree() != 1:
        raise NoClaim(f"{family.id}: the threshold is no rational function of the sizes")
    slope, start = top.all_coeffs()
    point = {**family.domain.inside, "epsilon": Fraction(1, 10**9)}
    if evaluate(start, point) < 0:
        slope, start = -slope, -start
    return (
        sympy.expand(start),
        sympy.expand(-slope),
        tidy(sympy.factor(-start / slope), family.domain),
    )


def _on_side(
    domain: Domain,
    top: sympy.Expr,
    slope: sympy.Expr,
    relation: str,
    claims: list[str],
    premises: list[Certificate],
) -> tuple[Domain, Certificate]:
    """The part of a domain with slope * epsilon <= top, or >= top, and the proof there."""
    fact = f"({slope})*epsilon {relation} {top}"
    part = domain.where(fact)
    try:
        return part, comparison(part, claims, premises)
    except NoProof as error:
        raise NoClaim(f"the side {relation} of the threshold is not shown: {error}") from error


def _claim(
    derivation: Derivation, quantity: str, domain: Domain, certificate: Certificate, **values: Any
) -> Claim:
    family = derivation.family.id
    return Claim(f"{family}/{quantity}", family, quantity, domain, certificate, **values)


# ---------------------------------------------------------------- phase diagram
@dataclass(frozen=True)
class Phase:
    """The regions of a plane of sizes and epsilon, by exact values.

    Attributes
    ----------
    rate : E[tau] <= 4 T_A.
    metastable : the metastability ratio is below 1; None where it is not derived.
    order : E[tau] lies between the multiples of its order that :class:`Rate` gives.
    """

    rate: bool
    metastable: bool | None
    order: bool


def phases(
    derivation: CompositionDerivation, points: Sequence[Point], found: Rate | None = None
) -> list[Phase]:
    """The regions in which points of a family's domain lie, in exact arithmetic.

    Parameters
    ----------
    points : complete points of the family's domain.
    found : the order that is asked for; by default :func:`rate` finds it.

    Raises
    ------
    NoClaim
        The time is not derived.
    """
    found = found or rate(derivation)
    time, meta = (
        derivation.claim(q).expression for q in ("hitting-time", "aggregated-hitting-time")
    )
    try:
        ratio = derivation.claim("metastability-ratio").expression
    except NoClaim:
        ratio = None
    low, high = found.order.lower, FACTOR * found.order.upper
    out = []
    for point in points:
        mean, clusters = evaluate(time, point), evaluate(meta, point)
        unit = evaluate(found.order.order, point) / point["epsilon"]
        below = None if ratio is None else evaluate(ratio, point) < 1
        out.append(Phase(mean <= FACTOR * clusters, below, low * unit <= mean <= high * unit))
    return out
