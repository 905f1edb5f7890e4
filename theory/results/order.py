"""Orders of magnitude with constants: lower * order <= value <= upper * order on a domain.

The order of a positive rational function is read off its leading terms; the two constants are pure
numbers, and the lone checker proves them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

import sympy

from theory.certificates import Certificate, NoProof, certify, prove_nonnegative
from theory.domain import Domain, evaluate, expression

LOWER = tuple(map(Fraction, ["1", "3/4", "1/2", "1/3", "1/4", "1/8", "1/16", "1/32", "1/64"]))
UPPER = tuple(map(Fraction, ["1", "3/2", "2", "3", "4", "8", "16", "32", "64"]))
ONE = sympy.Integer(1)
MOST_TRIED = 3


@dataclass(frozen=True)
class Order:
    """A value between two multiples of an order of magnitude.

    Attributes
    ----------
    value : what is measured.
    order : a rational function of the sizes, 1 if the value lies between pure numbers.
    lower, upper : pure numbers with lower * order <= value <= upper * order on ``domain``.
    certificate : its proof, of kind comparison.
    """

    value: sympy.Expr
    order: sympy.Expr
    lower: Fraction
    upper: Fraction
    domain: Domain
    certificate: Certificate

    @property
    def latex(self) -> str:
        """Both inequalities."""
        low, high = (sympy.Rational(x.numerator, x.denominator) for x in (self.lower, self.upper))
        name = sympy.latex(self.order)
        sides = [
            sympy.latex(x) if self.order == 1 else name if x == 1 else f"{sympy.latex(x)}\\,{name}"
            for x in (low, high)
        ]
        return rf"{sides[0]} \le {sympy.latex(self.value)} \le {sides[1]}"


def typical(
    domain: Domain, given: Mapping[str, str] | None = None
) -> tuple[Domain, dict[sympy.Symbol, sympy.Expr]]:
    """The domain with every optional parameter about its default: the farthest target, for one.

    Parameters
    ----------
    given : values of some integers, instead of a default or of the size that it halves.

    Returns
    -------
    The domain, where ``floor(K/2)`` is between K/3 and K/2 and any other default a value; and what
    each such parameter amounts to for large sizes.
    """
    facts, values = list[str](), dict(given or {})
    about = dict[sympy.Symbol, sympy.Expr]()
    for p in domain.parameters:
        if p.default is None or p.name in values:
            continue
        if p.default.startswith("floor(") and p.default.endswith("/2)"):
            size = p.default[6:-3]
            if size in values:
                continue
            facts += [f"2*{p.name} <= {size}", f"3*{p.name} >= {size}"]
            about[sympy.Symbol(p.name)] = sympy.Symbol(size) / 2
        else:
            values[p.name] = p.default
            about[sympy.Symbol(p.name)] = expression(p.default)
    bare = tuple(replace(p, facts=()) for p in domain.parameters)
    first = Domain(bare, (*facts, *domain.all_facts), domain.values)  # charts try these first
    return with_values(first if facts else domain, values), about


def with_values(domain: Domain, values: Mapping[str, str]) -> Domain:
    """The part of a domain on which some integers are given expressions in the others."""
    return replace(domain, values={**domain.values, **values})


def leading(value: sympy.Expr, sizes: Sequence[sympy.Symbol]) -> sympy.Expr:
    """The terms of a rational function that no other term outgrows, each with coefficient 1."""
    parts = []
    for part in sympy.fraction(sympy.cancel(value)):
        monomials = sympy.Poly(part, *sizes).monoms() if sizes else [()]
        top = [
            m
            for m in monomials
            if not any(n != m and all(a >= b for a, b in zip(n, m, strict=True)) for n in monomials)
        ]
        parts.append(
            sympy.Add(*(sympy.Mul(*map(sympy.Pow, sizes, m)) for m in top)) if sizes else ONE
        )
    return sympy.factor(parts[0] / parts[1])


def sizes_of(domain: Domain) -> list[sympy.Symbol]:
    """The parameters without a value of their own that have no upper bound or are integers."""
    bounded = {
        "epsilon",
        *(p.name for p in domain.parameters if f"{p.name} < 1" in domain.all_facts),
    }
    return [
        sympy.Symbol(p.name)
        for p in domain.parameters
        if p.name not in domain.values and p.name not in bounded
    ]


def comparison(
    domain: Domain, claims: Sequence[str], premises: Sequence[Certificate] = ()
) -> Certificate:
    """Certificate of inequalities between expressions and the values v0, v1, ... of premises.

    Raises
    ------
    NoProof
        An inequality is not shown.
    """
    statement = {
        "kind": "comparison",
        "domain": domain.to_json(),
        "claims": list(claims),
        "of": [p["statement"] for p in premises],
    }
    return certify(statement, premises)


def order_of(
    value: sympy.Expr,
    domain: Domain,
    about: Mapping[sympy.Symbol, sympy.Expr] | None = None,
    order: sympy.Expr | None = None,
    premise: Certificate | None = None,
    factor: str = "1",
) -> Order:
    """Enclose a positive rational function by multiples of its order.

    Parameters
    ----------
    about : what a parameter amounts to for large sizes, as :func:`typical` gives it.
    order : another order to try; by default the leading terms.
    premise, factor : the proof of ``value/factor``, if it is what a certificate concludes with.

    Raises
    ------
    NoProof
        No two pure numbers of ``LOWER`` and ``UPPER`` are shown.
    """
    if order is None:
        free = {s: x for s, x in (about or {}).items()}
        kept = [s for s in sizes_of(domain) if s not in free]
        order = leading(_at_zero(value.subs(free)), kept)
    low, high = _range(value / order, domain)
    told = "({})/({})".format(*sympy.fraction(sympy.factor(order)))
    text = str(sympy.factor(value)) if premise is None else f"({factor})*v0"
    premises = [] if premise is None else [premise]

    def shown(number: Fraction, relation: str) -> bool:
        try:
            comparison(domain, [f"{text} {relation} ({number})*{told}"], premises)
        except NoProof:
            return False
        return True

    lows = [x for x in LOWER if x <= low][:MOST_TRIED]
    highs = [x for x in UPPER if x >= high][:MOST_TRIED]
    lower = next((x for x in lows if shown(x, ">=")), None)
    upper = lower and next((x for x in highs if shown(x, "<=")), None)
    if lower is None or upper is None:
        raise NoProof(f"{value} is not shown to be of order {order}")
    claims = [f"{text} >= ({lower})*{told}", f"{text} <= ({upper})*{told}"]
    return Order(value, order, lower, upper, domain, comparison(domain, claims, premises))


def _at_zero(value: sympy.Expr) -> sympy.Expr:
    """The value as epsilon tends to 0, which has a finite limit."""
    return sympy.cancel(value).subs(sympy.Symbol("epsilon"), 0)


def _range(value: sympy.Expr, domain: Domain) -> tuple[Fraction, Fraction]:
    """The least and the largest of the values at some points."""
    if not value.free_symbols:
        number = evaluate(value, {})
        return number, number
    bare = _of(value, replace(domain, values={}), domain.values)
    kept = {p.name for p in bare.parameters}
    found = []
    for point in bare.points(60, seed=4, largest=8 if len(kept) < 5 else 5):
        own = {n: evaluate(expression(x), point) for n, x in domain.values.items() if n in kept}
        here = point | own
        if bare.violated(here) is None:
            found.append(evaluate(value, here))
    return min(found), max(found)


def _of(value: sympy.Expr, domain: Domain, values: Mapping[str, str]) -> Domain:
    """The domain of the parameters on which a value depends, and of those tied to them by facts."""
    ties = [{str(x) for x in domain.gap(fact).free_symbols} for fact in domain.all_facts]
    ties += [{n, *map(str, expression(x).free_symbols)} for n, x in values.items()]
    names = {str(x) for x in value.free_symbols}
    while more := {n for tie in ties if tie & names for n in tie} - names:
        names |= more
    kept = tuple(replace(p, facts=()) for p in domain.parameters if p.name in names)
    facts = (f for f in domain.all_facts if {str(x) for x in domain.gap(f).free_symbols} <= names)
    return Domain(kept, tuple(facts))


def extreme(values: Sequence[sympy.Expr], domain: Domain, largest: bool) -> sympy.Expr:
    """The least or largest of some functions where one of them is so throughout, else Min or Max.

    The comparison of two is a sign that the checker's rules show on the whole domain.
    """
    distinct = list(dict.fromkeys(map(sympy.factor, values)))
    sign = 1 if largest else -1

    def beats(a: sympy.Expr, b: sympy.Expr) -> bool:
        return a is b or prove_nonnegative(domain, sympy.factor(sign * (a - b)))

    for value in distinct:
        if all(beats(value, other) for other in distinct):
            return value
    return (sympy.Max if largest else sympy.Min)(*distinct)
