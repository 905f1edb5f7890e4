"""Expansion of a claimed value in powers of epsilon, the remainder proved between bounds."""

from __future__ import annotations

from dataclasses import dataclass

import sympy

from theory.certificates import Certificate, NoProof, certify
from theory.claims import Claim, NoClaim
from theory.domain import Domain, tidy
from theory.factoring import factor
from theory.family import epsilon

LARGEST_ORDER = 12


@dataclass(frozen=True)
class Expansion:
    """value = sum of terms[n] epsilon^(first + n) + r epsilon^(first + len(terms)).

    Attributes
    ----------
    terms : coefficients, free of epsilon.
    first : the lowest power.
    lower, upper : bounds of r on ``domain``, free of epsilon.
    """

    claim: Claim
    domain: Domain
    first: int
    terms: tuple[sympy.Expr, ...]
    lower: sympy.Expr
    upper: sympy.Expr
    certificate: Certificate


def expand(claim: Claim, order: int) -> Expansion:
    """Expand a claim's value up to a power of epsilon, on epsilon <= 1/2.

    The remainder lies between its values at epsilon = 0 and at epsilon = 1/2, if that is so.

    Parameters
    ----------
    order : the power of epsilon that the remainder carries, at most ``LARGEST_ORDER``.

    Raises
    ------
    NoClaim
        The claim states no rational value, the order is too small or too large, or the remainder
        is not shown to lie between these values.
    """
    value = claim.expression
    names = {p.name for p in claim.domain.parameters}
    if value is None or not value.is_rational_function() or "epsilon" not in names:
        raise NoClaim(f"{claim.id} has no expansion: it states no rational function of epsilon")
    top, bottom = sympy.fraction(sympy.cancel(value))
    first = _lowest(top) - _lowest(bottom)
    if not first < order <= LARGEST_ORDER:
        raise NoClaim(f"{claim.id}: the order lies in {first + 1} .. {LARGEST_ORDER}: choose one")
    domain = claim.domain.where("2*epsilon <= 1")
    rest, terms = sympy.cancel(value / epsilon**first), []
    for _ in range(order - first):
        term = factor(rest.subs(epsilon, 0))
        terms.append(tidy(term, domain))
        rest = sympy.cancel((rest - term) / epsilon)
    ends = [tidy(rest.subs(epsilon, e), domain) for e in (0, sympy.Rational(1, 2))]
    statement = {
        "kind": "expansion",
        "domain": domain.to_json(),
        "of": [claim.statement],
        "series": " + ".join(f"({x})*{_power(first + n)}" for n, x in enumerate(terms)),
        "scale": _power(order),
    }
    for lower, upper in (ends, ends[::-1]):
        bounds = {"lower": str(lower), "upper": str(upper)}
        try:
            proof = certify(statement | bounds, [claim.certificate])
        except NoProof:
            continue
        return Expansion(claim, domain, first, tuple(terms), lower, upper, proof)
    raise NoClaim(f"{claim.id}: the remainder of order {order} is not shown to be monotone")


def _power(n: int) -> str:
    """A power of epsilon, as certificates write it."""
    return f"epsilon**{n}" if n >= 0 else f"1/epsilon**{-n}"


def _lowest(polynomial: sympy.Expr) -> int:
    """The lowest power of epsilon."""
    return int(min(m[0] for m in sympy.Poly(polynomial, epsilon).monoms()))
