"""Values at a point: an exact rational, or a rational enclosure where the value is irrational."""

from __future__ import annotations

from fractions import Fraction

import sympy
from flint import arb, ctx, fmpq

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
            ball = _ball(value, point)
            low, high = _rational(ball.lower()), _rational(ball.upper())
            if high - low <= WIDTH * min(abs(low), abs(high)):
                return low, high
            precision *= 2
    finally:
        ctx.prec = before


def _ball(value: sympy.Expr, point: Point) -> arb:
    if value.is_Rational:
        return arb(fmpq(int(value.p), int(value.q)))
    if value.is_Symbol:
        x = point[value.name]
        return arb(fmpq(x.numerator, x.denominator))
    if value == sympy.pi:
        return arb.pi()
    parts = [_ball(argument, point) for argument in value.args]
    if value.is_Add:
        total = arb(0)
        for part in parts:
            total += part
        return total
    if value.is_Mul:
        total = arb(1)
        for part in parts:
            total *= part
        return total
    if isinstance(value, sympy.cos):
        return parts[0].cos()
    if value.is_Pow and value.exp.is_Integer:
        return parts[0] ** int(value.exp)
    if value.is_Pow and value.exp == sympy.Rational(1, 2):
        return parts[0].sqrt()
    if value.is_Pow and value.exp == sympy.Rational(-1, 2):
        return parts[0].rsqrt()
    raise ValueError(f"no ball arithmetic for {value.func.__name__}")


def _rational(x: arb) -> Fraction:
    mantissa, exponent = x.man_exp()
    return Fraction(int(mantissa)) * Fraction(2) ** int(exponent)
