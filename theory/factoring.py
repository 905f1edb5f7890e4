"""Rational functions in factors: the same expressions as ``sympy.factor``, in less time.

SymPy brings a sum over one denominator and factors it on Python's own integers and dictionaries;
here FLINT does that, on packed polynomials in several variables.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache, reduce
from operator import mul

import sympy
from flint import Ordering, fmpz_mpoly, fmpz_mpoly_ctx

Fraction = tuple[fmpz_mpoly, fmpz_mpoly]  # in lowest terms


class _Irrational(ValueError):
    """It is no rational function of symbols, or divides by zero."""


@lru_cache(maxsize=4096)
def factor(value: sympy.Expr) -> sympy.Expr:
    """Lowest terms, in irreducible factors: what ``sympy.factor`` writes.

    What is no rational function of symbols over the rationals is left to SymPy.
    """
    value = sympy.sympify(value)
    if value.is_Rational or value.is_Symbol:
        return value
    try:
        return Ring(frozenset(value.free_symbols)).factor(value)
    except _Irrational:
        return sympy.factor(value)


def text(value: sympy.Expr) -> str:
    """A rational function as certificates write what the checker reads often.

    The numerator is nested, so that few long sums are formed; the factors of the denominator divide
    it one by one, so that functions with factors in common are added without those.
    """
    value = sympy.sympify(value)
    try:
        return Ring(frozenset(value.free_symbols)).text(value)
    except _Irrational:
        return str(value)


class Ring:
    """Polynomials over the integers in some symbols, these in SymPy's order."""

    def __init__(self, symbols: frozenset[sympy.Symbol]):
        self.symbols, self.context = _context(symbols)
        self.numbers = {s: self.context.gen(n) for n, s in enumerate(self.symbols)}
        self.one = self.context.constant(1)
        self._known: dict[sympy.Expr, Fraction] = {}

    def factor(self, value: sympy.Expr) -> sympy.Expr:
        """An expression in these symbols, in factors."""
        (above, top), (below, bottom) = map(self._factors, self.read(value))
        if not above:
            return sympy.Integer(0)
        parts = [f**n for f, n in top] + [f ** (-n) for f, n in bottom]
        return _scaled(sympy.Rational(above, below), sympy.Mul(*parts))

    def text(self, value: sympy.Expr) -> str:
        """An expression in these symbols: factors, each nested, divided by factors."""
        above, below = list[str](), list[str]()
        for part in sympy.Mul.make_args(value):
            base, n = (part, sympy.Integer(1)) if part.is_Rational else part.as_base_exp()
            if not n.is_Integer:
                raise _Irrational
            top, bottom = self.read(base)
            if not (bottom.is_one() or part.is_Rational):  # a sum of quotients
                return self.text(self.factor(value))
            for p, e in ((top, n), (bottom, -n)):
                if not p.is_one():
                    (above if e > 0 else below).extend([self.nested(p)] * abs(int(e)))
        return "/".join(["*".join(above) or "1", *below])

    def nested(self, p: fmpz_mpoly) -> str:
        """A polynomial with common factors taken out (Horner), as a factor of a product."""
        found = nested({m: int(c) for m, c in p.to_dict().items()}, list(map(str, self.symbols)))
        return f"({found})" if re.search(r"[^\w]", found) else found

    def read(self, value: sympy.Expr) -> Fraction:
        """Numerator and denominator of an expression, without common factor."""
        if value not in self._known:
            self._known[value] = self._read(value)
        return self._known[value]

    def _read(self, value: sympy.Expr) -> Fraction:
        if value.is_Rational:
            return self.context.constant(int(value.p)), self.context.constant(int(value.q))
        if value.is_Symbol:
            return self.numbers[value], self.one
        if value.is_Pow and value.exp.is_Integer:
            top, bottom = self.read(value.base)
            n = int(value.exp)
            if n < 0 and not top:
                raise _Irrational
            return (top**n, bottom**n) if n >= 0 else (bottom**-n, top**-n)
        if value.is_Mul:
            pairs = [self.read(x) for x in value.args]
            return self._reduced(*(reduce(mul, part) for part in zip(*pairs, strict=True)))
        if value.is_Add:
            pairs = [self.read(x) for x in value.args]
            common = self.one
            for _, bottom in pairs:
                if bottom != common:
                    common *= bottom // common.gcd(bottom)
            top = sum((above * (common // below) for above, below in pairs), 0 * self.one)
            return self._reduced(top, common)
        raise _Irrational

    def _reduced(self, top: fmpz_mpoly, bottom: fmpz_mpoly) -> Fraction:
        divisor = top.gcd(bottom)
        return (top, bottom) if divisor.is_one() else (top // divisor, bottom // divisor)

    def _factors(self, p: fmpz_mpoly) -> tuple[int, list[tuple[sympy.Expr, int]]]:
        number, found = self._split(p)
        return number, [(self.write(q), n) for q, n in found]

    def _split(self, p: fmpz_mpoly) -> tuple[int, list[tuple[fmpz_mpoly, int]]]:
        """The number in front, and the factors, the first coefficient of each positive."""
        if not p:
            return 0, []
        number, found = p.factor()
        factors = []
        for q, n in found:
            if q.leading_coefficient() < 0:
                q, number = -q, number * (-1) ** n
            factors.append((q, n))
        return int(number), factors

    def write(self, p: fmpz_mpoly) -> sympy.Expr:
        """A polynomial as a sum of monomials."""
        terms = (
            sympy.Mul(int(c), *(s**n for s, n in zip(self.symbols, powers, strict=True) if n))
            for powers, c in p.terms()
        )
        return sympy.Add(*terms)


@lru_cache(maxsize=256)
def _context(symbols: frozenset[sympy.Symbol]) -> tuple[tuple[sympy.Symbol, ...], fmpz_mpoly_ctx]:
    """Symbols in the order in which SymPy would take them for the variables of a polynomial."""
    ordered = sympy.Poly(sympy.Add(*symbols)).gens if symbols else ()
    return ordered, fmpz_mpoly_ctx.get([str(s) for s in ordered], Ordering.lex)


def _scaled(number: sympy.Rational, product: sympy.Expr) -> sympy.Expr:
    """A number times a product of factors, not multiplied out if that is one sum."""
    if product.is_Add and number not in (1, -1):
        return sympy.Mul(number, product, evaluate=False)
    return number * product


def nested(p: Mapping[tuple[int, ...], int], names: Sequence[str]) -> str:
    """A polynomial, given by exponents, with common factors taken out (Horner)."""
    uses = [sum(1 for m in p if m[n]) for n in range(len(names))]
    if len(p) <= 1 or max(uses) <= 1:
        parts = [_term(m, c, names) for m, c in p.items()]
    else:
        most = max(range(len(names)), key=uses.__getitem__)
        least = min(m[most] for m in p if m[most])
        inside = {_lowered(m, most, least): c for m, c in p.items() if m[most]}
        rest = {m: c for m, c in p.items() if not m[most]}
        power = f"{names[most]}**{least}" if least > 1 else names[most]
        parts = [f"{power}*({nested(inside, names)})", *([nested(rest, names)] if rest else [])]
    return " + ".join(parts).replace("+ -", "- ") if parts else "0"


def _term(powers: tuple[int, ...], c: int, names: Sequence[str]) -> str:
    letters = [f"{x}**{n}" if n > 1 else x for x, n in zip(names, powers, strict=True) if n]
    if c in (1, -1) and letters:
        return "-" * (c < 0) + "*".join(letters)
    return "*".join([str(c), *letters])


def _lowered(powers: tuple[int, ...], at: int, by: int) -> tuple[int, ...]:
    return (*powers[:at], powers[at] - by, *powers[at + 1 :])
