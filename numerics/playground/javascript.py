"""Expressions as JavaScript that loses no digits, whatever the size of epsilon.

A double has 53 bits, and a difference of two near numbers has fewer that are right. So what is
written has no differences: every polynomial factor is expanded in quantities that are not negative
on the domain, and it is printed if its coefficients then have one sign. These quantities are

- x and 1 - x for a number x between 0 and 1, such as epsilon (the Bernstein form; 1 - x is rounded
  once);
- K - 2 for an integer K >= 2, and K - 1 - d for d <= K - 1: integers are exact below 2^53;
- sin(t/2)^2 and cos(t/2)^2 for cos(t) = 1 - 2 sin(t/2)^2;
- (1 - x)^n = exp(n log1p(-x)) and 1 - (1 - x)^n = -expm1(n log1p(-x)) for a power n that is no
  number.

A value is then right up to a few roundings (Higham 2002, *Accuracy and Stability of Numerical
Algorithms*, section 3.1). Under a square root alone a difference is left if it has to be: there it
is b^2 - 4 c, and the root is added to b, so that only the error relative to b^2 counts.
"""

from __future__ import annotations

import itertools

import sympy
from sympy import Max, Min
from sympy.printing.jscode import JavascriptCodePrinter

from theory.domain import Domain, difference, expression
from theory.tightness.spans import rationalised

HALF = sympy.Rational(1, 2)
RAISED = 4  # how often a Bernstein form is raised by a degree before it is given up
LARGEST = 1000  # bits of an integer: beyond, a double is infinite


class Cancels(ValueError):
    """An expression for which no form without differences was found."""


def condition(fact: str) -> str:
    """A fact such as ``M*epsilon <= 1`` in JavaScript."""
    return f"{_plain(expression(difference(fact)))} >= 0"


def bounds(domain: Domain, name: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The least and the largest values of an integer parameter, by facts linear in it.

    Returns
    -------
    Two tuples of JavaScript expressions in the parameters that come before it.
    """
    x = sympy.Symbol(name)
    earlier = {p.name for p in domain.parameters[: [p.name for p in domain.parameters].index(name)]}
    lows: list[str] = []
    highs: list[str] = []
    for gap in map(domain.gap, domain.all_facts):
        if not gap.has(x) or not {str(s) for s in gap.free_symbols - {x}} <= earlier:
            continue
        slope = gap.coeff(x, 1)
        end = _plain(sympy.expand(x - gap / slope))
        (lows if slope > 0 else highs).append(end)
    return tuple(lows), tuple(highs)


def _plain(value: sympy.Expr) -> str:
    """As SymPy prints it."""
    return str(JavascriptCodePrinter().doprint(value))


def function(value: sympy.Expr, domain: Domain) -> str:
    """A JavaScript function of an object with the parameters of an expression.

    Parameters
    ----------
    value : rational, with square roots, cosines, maxima, minima, logarithms of numbers >= 1 and
        powers of numbers in [0, 1] with symbols in the exponent.
    domain : of all its symbols.

    Raises
    ------
    Cancels
        Some difference could not be removed.
    """
    writer = _Writer(domain)
    text = _plain(writer.value(value))
    lines = [f"const {name} = {code};" for code, name in writer.local.items()]
    names = ", ".join(sorted(str(x) for x in value.free_symbols))
    return f"({{{names}}}) => {{ {' '.join([*lines, f'return {text};'])} }}"


def _code(text: str) -> sympy.Symbol:
    """JavaScript that stands for itself."""
    return sympy.Symbol(text, nonnegative=True)


Image = dict[sympy.Symbol, sympy.Expr]


class _Writer:
    """Rewrites expressions over a domain in quantities that are not negative.

    Attributes
    ----------
    units : number in [0, 1], or its stand-in -> the code of the number, and of 1 minus it.
    codes : stand-in for another quantity that is not negative -> its code.
    charts : ways to write the other parameters in such quantities, the shortest first.
    local : code of what occurs more than once -> its name.
    """

    def __init__(self, domain: Domain):
        self.domain = domain
        self.integers = {sympy.Symbol(p.name) for p in domain.parameters if p.integer}
        self.units: dict[sympy.Symbol, tuple[sympy.Symbol, sympy.Symbol]] = {}
        self.codes: Image = {}
        self.local: dict[str, str] = {}
        gaps = [sympy.expand(domain.gap(f)) for f in domain.all_facts]
        gaps = [x for x in gaps if x.is_polynomial() and sympy.total_degree(x) == 1]
        least: Image = {}
        most: Image = {}
        for gap in (x for x in gaps if len(x.free_symbols) == 1):
            (x,) = gap.free_symbols
            end = x - gap / gap.coeff(x)
            side, choose = (least, max) if gap.coeff(x) > 0 else (most, min)
            side[x] = choose(side.get(x, end), end)
        for p in domain.parameters:
            x = sympy.Symbol(p.name)
            if least.get(x) == 0 and most.get(x) == 1:
                self.units[x] = _code(p.name), _code(f"(1 - {p.name})")
        kept = {x: end for x, end in least.items() if x not in self.units and end >= 0}
        plain = {x: _code(str(x)) for x in kept}
        above = {
            x: plain[x] if end == 0 else end + _code(f"({_plain(x - end)})")
            for x, end in kept.items()
        }
        joined = dict(above)
        for gap in (x for x in gaps if len(x.free_symbols) == 2):
            # d <= K - 1 makes K = d + 1 + (K - 1 - d).
            for low, high in itertools.permutations(gap.free_symbols & set(kept), 2):
                if gap.coeff(high) == 1 and gap.coeff(low) == -1:
                    joined[high] = above[low] + (high - low - gap) + _code(f"({_plain(gap)})")
        self.charts = (plain, joined, above) if joined != above else (plain, above)

    # -------------------------------------------------------------------- any expression
    def value(self, value: sympy.Expr, strict: bool = True) -> sympy.Expr:
        """The same value in quantities that are not negative.

        Raises
        ------
        Cancels
            As `function`, unless differences may stay.
        """
        value = _turned(sympy.sympify(value))
        while True:
            part = next((x for x in _special(value) if not any(map(_is_special, _below(x)))), None)
            if part is None:
                break
            value = value.xreplace({part: self._stand_in(part)})
        other = value.atoms(sympy.Function)
        if other:
            raise Cancels(f"{min(other, key=str)} is not served")
        sign, factors = sympy.factor(sympy.together(value)).as_coeff_Mul()
        out = sympy.Integer(1)
        for factor in sympy.Mul.make_args(factors):
            base, exponent = factor.as_base_exp()
            flipped, base = self._polynomial(base, strict)
            sign *= flipped**exponent
            out *= base**exponent
        return _small(sign) * out

    def _stand_in(self, part: sympy.Expr) -> sympy.Expr:
        """A symbol for a root, a power, a cosine, a maximum; it has none of these inside."""
        mark = sympy.Dummy(positive=True)
        if isinstance(part, sympy.cos):
            half = _plain(part.args[0] / 2)
            sine, cosine = (self._local(f"Math.{name}({half})") for name in ("sin", "cos"))
            self.units[mark] = self._local(f"{sine}*{sine}"), self._local(f"{cosine}*{cosine}")
            return 1 - 2 * mark
        if part.is_Pow and abs(part.exp) == HALF:
            self.codes[mark] = self._local(f"Math.sqrt({_plain(self.value(part.base, False))})")
            return mark if part.exp > 0 else 1 / mark
        if part.is_Pow:
            loss, times = (_plain(self.value(x)) for x in (1 - part.base, part.exp))
            power = self._local(f"({times})*Math.log1p(-({loss}))")
            self.units[mark] = (
                self._local(f"Math.exp({power})"),
                self._local(f"-Math.expm1({power})"),
            )
            return mark
        if isinstance(part, sympy.log):
            self.codes[mark] = self._local(f"Math.log1p({_plain(self.value(part.args[0] - 1))})")
            return mark
        name = "max" if isinstance(part, Max) else "min"
        inside = ", ".join(_plain(self.value(x)) for x in part.args)
        self.codes[mark] = self._local(f"Math.{name}({inside})")
        return mark

    def _local(self, code: str) -> sympy.Symbol:
        return _code(self.local.setdefault(code, f"v{len(self.local)}"))

    # -------------------------------------------------------------------- polynomials
    def _polynomial(self, value: sympy.Expr, strict: bool) -> tuple[int, sympy.Expr]:
        """The sign of a polynomial, and its absolute value as a sum without differences.

        Integers are the exception: what is a polynomial in them alone is exact as it is, as long as
        its terms are below 2^53.
        """
        whole = value.free_symbols <= self.integers
        if whole and sympy.total_degree(value) <= 1:
            return 1, value
        inside = [x for x in self.units if value.has(x)]
        pairs = {x: sympy.symbols("_a _b", cls=sympy.Dummy) for x in inside}
        marks = {x: sympy.Dummy() for x in self.codes}
        codes = {marks[x]: code for x, code in self.codes.items()}
        for x in inside:
            codes |= zip(pairs[x], self.units[x], strict=True)
        ways = []
        for chart in self.charts:
            atoms = {code: sympy.Dummy() for x in chart.values() for code in x.free_symbols}
            image = {x: y.xreplace(atoms) for x, y in chart.items()}
            names = codes | {mark: code for code, mark in atoms.items()}
            poly = sympy.expand(value.xreplace(marks).xreplace(image))
            for x in inside:
                a, b = pairs[x]
                terms = sympy.Poly(poly, x)
                powers = ((c, k, terms.degree() - k) for (k,), c in terms.terms())
                poly = sympy.expand(sum(c * a**k * (a + b) ** j for c, k, j in powers))
            ways.append((poly, names))
        for n in range(RAISED if inside else 1):
            for poly, names in ways:
                raised = sympy.expand(poly * sympy.Mul(*((a + b) ** n for a, b in pairs.values())))
                signs = {_positive(t) for t in sympy.Add.make_args(raised)}
                if len(signs) == 1:
                    sign = 1 if signs == {True} else -1
                    return sign, _named(sign * raised, names)
        if whole:
            return 1, value
        if strict:
            raise Cancels(f"{value} is a difference on {', '.join(self.domain.all_facts)}")
        poly, names = ways[0]
        up = sympy.Add(*(t for t in sympy.Add.make_args(poly) if _positive(t)))
        return 1, _named(up, names) - _named(up - poly, names)


def _turned(value: sympy.Expr) -> sympy.Expr:
    """b - sqrt(b^2 - 4 c) as 4 c/(b + sqrt(b^2 - 4 c)); anything else as it is."""
    roots = [x for x in value.atoms(sympy.Pow) if x.exp == HALF]
    if len(roots) != 1 or not value.is_Add:
        return value
    slope = value.coeff(roots[0])
    return rationalised(value) if slope.is_number and slope < 0 else value


def _special(value: sympy.Expr) -> list[sympy.Expr]:
    return sorted(filter(_is_special, sympy.preorder_traversal(value)), key=str)


def _below(value: sympy.Expr) -> list[sympy.Expr]:
    return [x for y in value.args for x in sympy.preorder_traversal(y)]


def _is_special(value: sympy.Expr) -> bool:
    if value.is_Pow:
        return not value.exp.is_Integer
    return isinstance(value, sympy.cos | sympy.log | Max | Min)


def _positive(term: sympy.Expr) -> bool:
    return bool(term.as_coeff_Mul()[0] > 0)


def _named(poly: sympy.Expr, names: Image) -> sympy.Expr:
    """A sum of terms as it is printed: the code in the place of each stand-in."""
    for term in sympy.Add.make_args(poly):
        _small(term.as_coeff_Mul()[0])
    return poly.xreplace(names)


def _small(number: sympy.Expr) -> sympy.Expr:
    """A rational number with a double near it."""
    if max(int(number.p).bit_length(), int(number.q).bit_length()) > LARGEST:
        raise Cancels(f"{number} is too long for a double")
    return number
