"""Values that are known, or lie between two expressions: their forms, limits and growth."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import sympy
from sympy import Max, Min

from theory.bounds.base import Number
from theory.certificates import prove_nonnegative
from theory.domain import Domain, Point, expression, tidy
from theory.enclosure import enclose
from theory.family import K, M, epsilon

ONE, ZERO = sympy.Integer(1), sympy.Integer(0)

Enclosure = tuple[Number, Number]


@dataclass(frozen=True)
class Span:
    """lower <= value <= upper on a domain that ``facts`` cut out; equal where it is known."""

    lower: sympy.Expr
    upper: sympy.Expr
    facts: tuple[str, ...] = ()

    @property
    def exact(self) -> bool:
        """Whether the value is known."""
        return bool(self.lower == self.upper)

    def each(self, f: Callable[[sympy.Expr], sympy.Expr]) -> Span:
        """A function of both ends."""
        low = f(self.lower)
        return replace(self, lower=low, upper=low if self.exact else f(self.upper))

    def written(self, domain: Domain) -> Span:
        """In lowest terms, with factors that are positive on the domain."""
        return self.each(lambda value: simplified(value, domain))

    def at(self, point: Point, gap: tuple[Fraction, Fraction] | None = None) -> Enclosure:
        """Rational bounds at a point, infinite where the value is.

        Parameters
        ----------
        gap : rational bounds of the walk's gap, where the expression is in g; it must rise in g.
        """
        low, high = (point, point) if gap is None else ({**point, "g": g} for g in gap)
        return value_at(self.lower, low)[0], value_at(self.upper, high)[1]


def known(value: sympy.Expr, facts: tuple[str, ...] = ()) -> Span:
    """An exact value."""
    return Span(value, value, facts)


def rising(f: Callable[..., sympy.Expr], *spans: Span) -> Span:
    """A function that rises in every argument."""
    facts = tuple(dict.fromkeys(fact for span in spans for fact in span.facts))
    low = f(*(span.lower for span in spans))
    exact = all(span.exact for span in spans)
    return Span(low, low if exact else f(*(span.upper for span in spans)), facts)


def over(span: Span) -> Span:
    """1 over a positive value."""
    return Span(1 / span.upper, 1 / span.lower, span.facts)


def rationalised(value: sympy.Expr) -> sympy.Expr:
    """(b - sqrt(b^2 - 4 c))/2 as 2 c/(b + sqrt(b^2 - 4 c)), which nowhere cancels."""
    roots = [x for x in value.atoms(sympy.Pow) if x.exp == sympy.Rational(1, 2)]
    if len(roots) != 1:
        return value
    (root,) = roots
    mark = sympy.Dummy()
    marked = sympy.expand(value.xreplace({root: mark}))
    slope, rest = marked.coeff(mark, 1), marked.coeff(mark, 0)
    c = sympy.factor(rest**2 - slope**2 * root.base)
    return c / (sympy.factor(rest) - slope * root)


# ---------------------------------------------------------------- values, limits, growth
def value_at(value: sympy.Expr, point: Point) -> tuple[Number, Number]:
    """Rational bounds of an expression at a point; maxima and minima are decided there."""
    while value.has(Max, Min):
        part = next(x for x in value.atoms(Max, Min) if not any(y.has(Max, Min) for y in x.args))
        best = max if isinstance(part, Max) else min
        value = value.xreplace({part: best(part.args, key=lambda x: value_at(x, point))})
    if value in (sympy.oo, sympy.zoo):
        return math.inf, math.inf
    return enclose(value, point)


def simplified(value: sympy.Expr, domain: Domain) -> sympy.Expr:
    """In lowest terms, roots, maxima and minima with what is in them alike."""
    if value.has(sympy.zoo, sympy.oo, sympy.nan):
        return value
    parts = [x for x in value.atoms(sympy.Pow, Max, Min) if _irrational(x)]
    names: dict[sympy.Expr, sympy.Expr] = {}
    back: dict[sympy.Symbol, sympy.Expr] = {}
    for x in parts:
        if any(x != y and y.has(x) for y in parts):
            continue
        name = sympy.Dummy(positive=True)
        if isinstance(x, Max | Min):
            names[x] = name
            back[name] = _extreme(type(x), [simplified(y, domain) for y in x.args], domain)
        else:
            outside, inside = _root(simplified(x.base, domain), domain)
            names[x] = (outside * name) ** (2 * x.exp)
            back[name] = sympy.sqrt(inside)
    return tidy(value.xreplace(names), domain).xreplace(back)


def _root(value: sympy.Expr, domain: Domain) -> tuple[sympy.Expr, sympy.Expr]:
    """a and b with sqrt(value) = a sqrt(b), a positive on the domain."""
    outside, inside = ONE, ONE
    for factor in sympy.Mul.make_args(sympy.factor(value)):
        base, n = factor.as_base_exp()
        if factor.is_Rational:
            inside *= factor
        elif n.is_Integer and n % 2 == 0 and _nonnegative(base, domain):
            outside *= base ** (n / 2)
        elif n.is_Integer and n % 2 == 0 and _nonnegative(-base, domain):
            outside *= (-base) ** (n / 2)
        else:
            inside *= factor
    return outside, inside


def _irrational(value: sympy.Expr) -> bool:
    return isinstance(value, Max | Min) or not value.exp.is_Integer


def _extreme(kind: Any, values: Sequence[sympy.Expr], domain: Domain) -> sympy.Expr:
    """A maximum or minimum without the terms that others are proved to pass everywhere."""
    kept = list(dict.fromkeys(values))
    for x in list(kept):
        for y in kept:
            ahead = y - x if kind is Max else x - y
            if x != y and _nonnegative(ahead, domain):
                kept.remove(x)
                break
    return kind(*kept)


def _nonnegative(value: sympy.Expr, domain: Domain) -> bool:
    """Whether a rational expression is proved to be >= 0 on a domain; False if that fails."""
    names = {sympy.Symbol(p.name) for p in domain.parameters}
    if not value.free_symbols <= names or value.has(Max, Min, sympy.cos):
        return False
    if not value.is_rational_function():
        return False
    return prove_nonnegative(domain, sympy.factor(value))


def leading_term(value: sympy.Expr, domain: Domain) -> sympy.Expr:
    """c epsilon^n with value ~ c epsilon^n as epsilon -> 0 from above, c free of epsilon.

    Raises
    ------
    ValueError
        Leading terms cancel under a root.
    """
    term, order = _leading(value, domain)
    return simplified(term, domain) * epsilon ** sympy.Rational(order.numerator, order.denominator)


def _leading(value: sympy.Expr, domain: Domain) -> tuple[sympy.Expr, Fraction]:
    """c and n."""
    if not value.has(epsilon):
        return value, Fraction(0)
    if isinstance(value, Max | Min):
        return _leading_extreme(value, domain)
    if not any(map(_irrational, value.atoms(sympy.Pow, Max, Min))):
        top, bottom = sympy.fraction(sympy.cancel(sympy.together(value)))
        (a, up), (b, down) = (_lowest(x) for x in (top, bottom))
        return a / b, Fraction(up - down)
    if value.is_Mul:
        pairs = [_leading(x, domain) for x in value.args]
        return sympy.Mul(*(c for c, _ in pairs)), sum((n for _, n in pairs), Fraction(0))
    if value.is_Pow:
        c, n = _leading(value.base, domain)
        power = n * Fraction(int(value.exp.p), int(value.exp.q))
        outside, inside = _root(simplified(c, domain), domain)
        return outside ** (2 * value.exp) * inside**value.exp, power
    if value.is_Add:
        pairs = [_leading(x, domain) for x in value.args]
        least = min(n for _, n in pairs)
        total = sympy.factor(sympy.Add(*(c for c, n in pairs if n == least)))
        if total != 0:
            return total, least
    raise ValueError(f"the leading terms of {value} cancel")


def _lowest(polynomial: sympy.Expr) -> tuple[sympy.Expr, int]:
    """Coefficient and degree of the lowest power of epsilon."""
    terms = sympy.Poly(polynomial, epsilon).terms()
    (n,), c = min(terms, key=lambda term: term[0])
    return sympy.factor(c), int(n)


def _leading_extreme(value: sympy.Expr, domain: Domain) -> tuple[sympy.Expr, Fraction]:
    """Of a maximum or minimum of numbers > 0, or of one that is cut off at 0."""
    pairs = [_leading(x, domain) for x in value.args if x != 0]
    orders = [n for _, n in pairs]
    first = min(orders) if isinstance(value, Max) else max(orders)
    terms = [simplified(c, domain) for c, n in pairs if n == first]
    return _extreme(type(value), [*terms, *([ZERO] if ZERO in value.args else [])], domain), first


def growth(value: sympy.Expr, domain: Domain) -> sympy.Expr:
    """The leading term in K, then in M, of an expression; the distance d as by default.

    Parameters
    ----------
    value : free of epsilon, as a limit is.
    domain : it holds the default of d.

    Raises
    ------
    ValueError
        The expression holds a maximum of terms whose order is not compared here.
    """
    for p in domain.parameters:
        if p.default is not None:
            text = p.default.replace("floor", "")
            value = value.subs(sympy.Symbol(p.name), expression(text))
    u = sympy.Symbol("u", positive=True)
    small = 1 - u**2 / 2 + u**4 / 24
    value = value.xreplace({sympy.cos(2 * sympy.pi / K): small.subs(u, 2 * sympy.pi / K)})
    for name in (K, M):
        if not value.has(name):
            continue
        if value.has(Max, Min, sympy.cos) or not value.is_rational_function(name):
            raise ValueError(f"the order of {value} in {name} is not read off")
        top, bottom = (
            sympy.Poly(x, name) for x in sympy.fraction(sympy.cancel(sympy.together(value)))
        )
        value = top.LC() / bottom.LC() * name ** (top.degree() - bottom.degree())
    return sympy.factor(value)
