"""Parameters and their ranges as data: they drive validation, sampling, sign proofs and pages."""

from __future__ import annotations

import itertools
import keyword
import math
import random
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import cached_property, lru_cache
from typing import Any

import sympy

from theory.factoring import factor

Point = Mapping[str, Fraction]

# Values of a real parameter to try, as parts of its range.
FRACTIONS = (
    Fraction(1, 1000),
    Fraction(1, 17),
    Fraction(1, 4),
    Fraction(3, 7),
    Fraction(9, 10),
)
# What expressions and certificates use for themselves.
RESERVED = re.compile(r"[cjwxyz]|u\d+|pi|cos|sqrt|floor")

_RELATION = re.compile(r"(.+?)(>=|<=|>|<)(.+)")


class DomainError(ValueError):
    """A parameter is unknown, missing or outside its range; the message is one line."""


@lru_cache(maxsize=4096)
def expression(text: str | int | sympy.Expr) -> sympy.Expr:
    """Read an expression; every name in it is a plain symbol."""
    if isinstance(text, sympy.Expr):
        return text
    names = set(re.findall(r"[A-Za-z_]\w*", str(text))) - {"sqrt", "cos", "pi", "floor"}
    return sympy.sympify(str(text), locals={name: sympy.Symbol(name) for name in names})


def evaluate(value: sympy.Expr, point: Point) -> Fraction:
    """The exact value of a rational expression at a point.

    Raises
    ------
    DomainError
        A parameter is missing, or the expression divides by zero there.
    """
    if value.has(sympy.floor):  # in a default such as floor(K/2)
        value = value.replace(
            sympy.floor, lambda part: sympy.Integer(math.floor(evaluate(part, point)))
        )
    names, numerator, denominator = _compiled(value)
    try:
        arguments = [point[name] for name in names]
        return Fraction(numerator(*arguments)) / Fraction(denominator(*arguments))
    except (KeyError, ZeroDivisionError) as error:
        raise DomainError(f"{value} has no value at {describe(point)}") from error


@lru_cache(maxsize=4096)
def _compiled(value: sympy.Expr) -> tuple[tuple[str, ...], Callable[..., int], Callable[..., int]]:
    """Names, numerator and denominator: integer polynomials, so that evaluation stays exact."""
    symbols = sorted(value.free_symbols, key=str)
    top, bottom = sympy.together(value).as_numer_denom()
    functions = (sympy.lambdify(symbols, part, modules=[]) for part in (top, bottom))
    return tuple(map(str, symbols)), *functions


def describe(point: Point) -> str:
    """``K=8,M=5,epsilon=1/1000``, as the command line reads it; small powers of ten as 1e-30."""
    shown = ((name, re.sub(r"^1/10{7,}$", _power_of_ten, str(x))) for name, x in point.items())
    return ",".join(f"{name}={value}" for name, value in shown)


def _power_of_ten(found: re.Match[str]) -> str:
    return f"1e-{found[0].count('0')}"


@dataclass(frozen=True)
class Parameter:
    """One symbol, with the facts that bound it.

    Attributes
    ----------
    name : the symbol, a Python identifier.
    facts : inequalities such as ``"K >= 2"`` or ``"d <= K - 1"``.
    meaning : a phrase for people.
    integer : whether it ranges over integers (else over reals).
    default : expression used where a point leaves it out; None if it must be given.
    """

    name: str
    facts: tuple[str, ...]
    meaning: str
    integer: bool = True
    default: str | None = None


@dataclass(frozen=True)
class Domain:
    """All points that satisfy the facts of the parameters and the extra ``facts``.

    ``values`` fixes integer parameters to expressions in the others: the part of a proof by cases.
    """

    parameters: tuple[Parameter, ...]
    facts: tuple[str, ...] = ()
    values: Mapping[str, str] = field(default_factory=dict)

    @property
    def all_facts(self) -> tuple[str, ...]:
        """Facts of the parameters, then the extra ones."""
        return (*(f for p in self.parameters for f in p.facts), *self.facts)

    def where(self, *facts: str) -> Domain:
        """The subdomain on which further facts hold."""
        return replace(self, facts=(*self.facts, *facts))

    def without(self, names: Sequence[str]) -> Domain:
        """The domain of the other parameters, whatever these are."""
        kept = tuple(p for p in self.parameters if p.name not in names)
        return Domain(kept, self.facts, self.values)

    def to_json(self) -> dict[str, object]:
        """The form that certificates carry."""
        return {
            "integers": [p.name for p in self.parameters if p.integer],
            "reals": [p.name for p in self.parameters if not p.integer],
            "facts": list(self.all_facts),
            "values": dict(self.values),
        }

    def split(self, fact: str, value: Mapping[str, str]) -> tuple[Domain, Domain]:
        """The part where the integer fact ``a >= b`` is an equality, and where a >= b + 1.

        ``value`` solves the equality for one parameter.
        """
        kept = tuple(f for f in self.all_facts if f != fact)
        bare = tuple(replace(p, facts=()) for p in self.parameters)
        beyond = f"({difference(fact)}) - 1 >= 0"
        return (
            Domain(bare, kept, {**value, **self.values}),
            Domain(bare, (*kept, beyond), self.values),
        )

    def violated(self, point: Point) -> str | None:
        """The first fact that a complete point breaks, or None."""
        for parameter in self.parameters:
            if parameter.integer and point[parameter.name].denominator != 1:
                return f"{parameter.name} is an integer"
        for fact in self.all_facts:
            gap = evaluate(self.gap(fact), point)
            if gap < 0 or (gap == 0 and not _closed(fact)):
                return fact
        for name, value in self.values.items():
            if point[name] != evaluate(expression(value), point):
                return f"{name} = {value}"
        return None

    @cached_property
    def inside(self) -> dict[str, Fraction]:
        """One point of the domain with small integers.

        Raises
        ------
        DomainError
            None was found.
        """
        return next(self._points(9))

    def gap(self, fact: str) -> sympy.Expr:
        """a - b for a fact ``a >= b``: nonnegative where it holds."""
        return expression(difference(fact))

    def contains(self, point: Point) -> bool:
        """Whether the point has exactly these parameters and satisfies every fact."""
        return {p.name for p in self.parameters} == set(point) and self.violated(point) is None

    def complete(self, given: Point) -> dict[str, Fraction]:
        """Fill in defaults and check every fact.

        Raises
        ------
        DomainError
            Names the unknown, missing or violated parameter and the remedy.
        """
        known = [p.name for p in self.parameters]
        for name in given:
            if name not in known:
                raise DomainError(f"unknown parameter {name!r}: give one of {', '.join(known)}")
        point = dict(given)
        for parameter in self.parameters:
            if parameter.name not in point:
                if parameter.default is None:
                    raise DomainError(
                        f"parameter {parameter.name} is missing: add {parameter.name}=..."
                    )
                point[parameter.name] = evaluate(expression(parameter.default), point)
        fact = self.violated(point)
        if fact is not None:
            raise DomainError(f"{describe(point)} is outside the domain: it needs {fact}")
        return {name: point[name] for name in known}

    def points(self, n: int, seed: int = 0, largest: int = 6) -> list[dict[str, Fraction]]:
        """n points of the domain with integers up to ``largest``: corners first, then at random."""
        grid = list(self._points(largest))
        order = sorted(grid, key=lambda p: sum(p[q.name] for q in self.parameters if q.integer))
        corners = order[: max(1, n // 3)]
        rest = [p for p in grid if p not in corners]
        random.Random(seed).shuffle(rest)
        return (corners + rest)[:n]

    def _points(self, largest: int) -> Iterator[dict[str, Fraction]]:
        """A grid of points; a wider one where there is none."""
        for top, scale in ((largest, 1), (3 * largest, 1), (largest, 1000), (3 * largest, 10**6)):
            grid = self._grid(top, Fraction(1, scale))
            first = next(grid, None)
            if first is not None:
                return itertools.chain([first], grid)
        facts = ", ".join(self.all_facts)
        raise DomainError(f"no point found with {facts}: mend the facts, they may contradict")

    def _require_integers(self) -> None:
        """Refuse an integer whose own facts leave reals alone: a search for a point is long."""
        for p in self.parameters:
            if p.integer and self._between_integers(p):
                raise DomainError(
                    f"no point found with {', '.join(self.all_facts)}: no integer {p.name} lies "
                    "there: write Parameter(.., integer=False) for a real one"
                )

    def _between_integers(self, parameter: Parameter) -> bool:
        """Whether the facts leave reals for a parameter alone, and no integer."""
        low, high = self._bounds(parameter)
        if low is None or high is None or not low < high <= low + 1:
            return False
        x = sympy.Symbol(parameter.name)
        facts = tuple(f for f in self.all_facts if self.gap(f).free_symbols == {x})
        alone = Domain((replace(parameter, facts=facts),))
        integers = range(math.ceil(low), math.floor(high) + 1)
        return not any(alone.contains({parameter.name: Fraction(n)}) for n in integers)

    def _grid(self, largest: int, scale: Fraction) -> Iterator[dict[str, Fraction]]:
        choices = [self._choices(p, largest, scale) for p in self.parameters]
        names = [p.name for p in self.parameters]
        rules: list[list[tuple[sympy.Expr, str]]] = [[] for _ in range(len(names) + 1)]
        for value, relation in [
            *((self.gap(fact), ">=" if _closed(fact) else ">") for fact in self.all_facts),
            *((expression(v) - sympy.Symbol(name), "==") for name, v in self.values.items()),
        ]:  # each is looked at as soon as its parameters are chosen
            last = max((names.index(str(x)) + 1 for x in value.free_symbols), default=0)
            rules[last].append((value, relation))

        def allowed(point: Point, chosen: int) -> bool:
            for value, relation in rules[chosen]:
                gap = evaluate(value, point)
                if gap < 0 or (gap == 0 and relation == ">") or (gap > 0 and relation == "=="):
                    return False
            return True

        def extended(point: dict[str, Fraction]) -> Iterator[dict[str, Fraction]]:
            chosen = len(point)
            if not allowed(point, chosen):  # nor is any point that agrees with it so far
                return
            if chosen == len(names):
                yield point
                return
            for value in choices[chosen]:
                yield from extended({**point, names[chosen]: value})

        yield from extended({})

    def _choices(self, parameter: Parameter, largest: int, scale: Fraction) -> list[Fraction]:
        """Values of a parameter to try, within the bounds that the facts give it alone."""
        low, high = self._bounds(parameter)
        if parameter.integer:
            first = 0 if low is None else math.ceil(low)
            return [Fraction(n) for n in range(first, max(largest, first + largest // 2) + 1)]
        spread = [x * scale for x in FRACTIONS]
        if (low is None or low <= 0) and (high is None or high > spread[0]):
            return spread
        if high is None:
            return [(low or 0) + x for x in spread]
        return [high - x if low is None else low + x * (high - low) for x in spread]

    def _bounds(self, parameter: Parameter) -> tuple[Fraction | None, Fraction | None]:
        """The tightest numbers that linear facts about one parameter alone put around it."""
        x, lows, highs = sympy.Symbol(parameter.name), list[Fraction](), list[Fraction]()
        for gap in map(self.gap, self.all_facts):
            if gap.free_symbols == {x} and gap.is_polynomial(x) and sympy.degree(gap, x) == 1:
                slope, rest = (
                    Fraction(int(c.p), int(c.q)) for c in sympy.Poly(gap, x).all_coeffs()
                )
                (lows if slope > 0 else highs).append(-rest / slope)
        return max(lows, default=None), min(highs, default=None)

    def strangers(self, fact: str) -> set[str]:
        """The names in a fact that are no parameters."""
        return {str(x) for x in self.gap(fact).free_symbols} - {p.name for p in self.parameters}

    def require_sound(self) -> None:
        """Refuse names and facts that make no sense, and a domain without points.

        Raises
        ------
        DomainError
            Says which name or fact is wrong, and the remedy.
        """
        names = [p.name for p in self.parameters]
        for name in names:
            if not name.isidentifier() or keyword.iskeyword(name) or RESERVED.fullmatch(name):
                raise DomainError(f"{name!r} cannot name a parameter: choose another name")
            if names.count(name) > 1:
                raise DomainError(f"two parameters are called {name!r}: rename one")
        texts = [*self.all_facts, *(p.default for p in self.parameters if p.default is not None)]
        for text in texts:
            try:
                value = self.gap(text) if text in self.all_facts else expression(text)
                unknown = {str(symbol) for symbol in value.free_symbols} - set(names)
            except (sympy.SympifyError, SyntaxError, TypeError, AttributeError) as error:
                raise DomainError(f"{text!r} cannot be read: write it as in Python") from error
            if unknown:
                raise DomainError(f"{text!r} speaks of {min(unknown)}, which is no parameter")
        self._require_integers()
        self._points(9)


def domain_from_json(data: Mapping[str, Any]) -> Domain:
    """The domain in a certificate."""
    parameters = tuple(
        Parameter(name, (), "", integer=kind == "integers")
        for kind in ("integers", "reals")
        for name in data[kind]
    )
    return Domain(parameters, tuple(data["facts"]), dict(data["values"]))


def tidy(value: sympy.Expr, domain: Domain) -> sympy.Expr:
    """Lowest terms, collected in the integers, factors positive inside the domain if possible."""
    try:
        inside = domain.inside
    except DomainError:  # an empty case of a proof: any form will do
        inside = {}
    at = {sympy.Symbol(n): sympy.Rational(x.numerator, x.denominator) for n, x in inside.items()}
    integers = [sympy.Symbol(p.name) for p in domain.parameters if p.integer]

    def write(value: sympy.Expr, *more: sympy.Expr) -> sympy.Expr:
        sign, factors = factor(value).as_coeff_Mul()
        parts = list(more)
        for part in sympy.Mul.make_args(factors):
            base, exponent = part.as_base_exp()
            if base.is_Add and base.subs(at).is_negative and exponent.is_Integer:
                base, sign = sympy.expand(-base), sign * (-1) ** exponent
            parts.append(collect(base) ** exponent)
        return sympy.Mul(sign, *parts)

    def collect(base: sympy.Expr) -> sympy.Expr:
        present = [s for s in integers if base.has(s)]
        if not base.is_Add or not present or base.free_symbols <= set(integers):
            return base
        terms = sympy.Poly(base, *present).terms()
        powers = [[s**e for s, e in zip(present, m, strict=True)] for m, _ in terms]
        return sympy.Add(*(write(c, *p) for (_, c), p in zip(terms, powers, strict=True)))

    return write(value)


def difference(fact: str) -> str:
    """a - b for ``a >= b`` (b - a for ``a <= b``), as text."""
    left, relation, right = _relation(fact)
    return f"({left}) - ({right})" if relation[0] == ">" else f"({right}) - ({left})"


def _closed(fact: str) -> bool:
    return len(_relation(fact)[1]) == 2


def _relation(fact: str) -> tuple[str, str, str]:
    match = _RELATION.fullmatch(fact)
    if match is None:
        raise DomainError(f"{fact!r} is not a fact: write it as 'K >= 2'")
    return match[1].strip(), match[2], match[3].strip()
