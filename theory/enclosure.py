"""Values at a point: an exact rational, or a rational enclosure where the value is irrational."""

from __future__ import annotations

import math
from fractions import Fraction

import sympy
from flint import arb, ctx, fmpq, fmpz

from theory.domain import Point, evaluate

WIDTH = Fraction(1, 10**17)  # largest relative width of an enclosure


def enclose(value: sympy.Expr, point: Point) -> tuple[Fraction, Fraction]:
    """Rational bounds of a value, equal if it is rational in the parameters.

    Square roots and cosines are enclosed by ball arithmetic, at a precision that is raised until
    the relative width is at most ``WIDTH``.

    Raises
    ------
    DomainError
        A parameter is missing, or the expression has no value there.
    """
    rational = all(p.exp.is_Integer for p in value.atoms(sympy.Pow)) and not value.has(sympy.cos)
    if rational:
        exact = evaluate(value, point)
        return exact, exact
    precision = 128
    before = ctx.prec
    try:
        while True:
            ctx.prec = precision
            low, high = ends(ball(value, point))
            if high - low <= WIDTH * min(abs(low), abs(high)):
                return low, high
            precision *= 2
    finally:
        ctx.prec = before


def ball(value: sympy.Expr, point: Point) -> arb:
    """A ball around the value, at the precision of the context (Johansson 2017, Arb).

    Powers may have symbols in the exponent; at the point it is an integer, 1/2 or -1/2.

    Raises
    ------
    ValueError
        The expression has a function or an exponent that is not served.
    """
    if value.is_Rational:
        return arb(fmpq(int(value.p), int(value.q)))
    if value.is_Symbol:
        x = Fraction(point[value.name])
        return arb(fmpq(x.numerator, x.denominator))
    if value == sympy.pi:
        return arb.pi()
    if value.is_Pow:
        base, exponent = ball(value.base, point), evaluate(value.exp, point)
        if exponent.denominator == 1:
            return base ** int(exponent)
        if abs(exponent) == Fraction(1, 2):
            return base.sqrt() if exponent > 0 else base.rsqrt()
        raise ValueError(f"no ball arithmetic for the exponent of {value}")
    parts = [ball(argument, point) for argument in value.args]
    if value.is_Add:
        return sum(parts[1:], parts[0])
    if value.is_Mul:
        return math.prod(parts[1:], start=parts[0])
    if isinstance(value, sympy.cos):
        return parts[0].cos()
    if isinstance(value, sympy.log):
        return parts[0].log()
    raise ValueError(f"no ball arithmetic for {value.func.__name__}")


def ends(x: arb) -> tuple[Fraction, Fraction]:
    """The ends of a ball."""
    low, high = (end.man_exp() for end in (x.lower(), x.upper()))
    return _scaled(*low), _scaled(*high)


def _scaled(mantissa: fmpz, exponent: fmpz) -> Fraction:
    return Fraction(int(mantissa)) * Fraction(2) ** int(exponent)
