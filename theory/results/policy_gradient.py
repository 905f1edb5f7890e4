"""R4 with constants: what sign-gradient ascent does to a row, and what it does to the hitting time.

Kim et al. (2025, proposition 3.4) lift the found edges from epsilon to epsilon_max by PPO-Clip with
sign-gradient ascent on softmax logits, and the model moves by o(1/M) a row.  Here, after them, with
X_0 uniform and the advantage 1{(x, y) was found}:

One row.  Let the found edges out of a state have the mass f in all.  The gradient of the surrogate
is positive in their logits and negative in all others of the row, so an update of step eta adds eta
to the former and takes eta from the latter: the odds f/(1 - f) are multiplied by exp(2 eta).  All
ratios to the old model are equal among the found edges, so the clip holds them back together.

The hitting time.  In the odds o = epsilon/(1 - epsilon) of the sparse edges of a gate, the mean
hitting time of a family is a hyperbola A/o + B + C o: the way to the target's cluster, and what
leaving that cluster too early costs.  It falls up to o = sqrt(A/C) and rises beyond.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cache

import sympy

from theory.certificates import Certificate, NoProof
from theory.claims import Claim, Derivation, NoClaim
from theory.domain import Domain, Parameter, tidy
from theory.family import epsilon
from theory.results.order import comparison

f, u, o, n, eta = sympy.symbols("f u o n eta")
Number = Fraction | int


# ---------------------------------------------------------------- one row
LIFTED = f * u / (1 - f + f * u)
"""Mass of the found edges once their odds have been multiplied by u = exp(2 n eta)."""


def mass_after(mass: sympy.Expr = f, updates: sympy.Expr = n, step: sympy.Expr = eta) -> sympy.Expr:
    """Mass of the found edges of a row after some updates: f u/(1 - f + f u), u = exp(2 n eta).

    An edge of the row has its share of that mass throughout, and what was not found is scaled by
    1/(1 - f + f u).
    """
    return LIFTED.subs({f: mass, u: sympy.exp(2 * updates * step)}, simultaneous=True)


def updates_to(mass: Number, most: Number, step: Number) -> int:
    """The largest number of updates that keeps the mass of the found edges at ``most``, exactly.

    Parameters
    ----------
    mass, most : in (0, 1); 0 if the mass is there already.
    step : eta > 0.

    Raises
    ------
    ValueError
        A number is out of range.
    """
    low, high, eta_ = (sympy.Rational(Fraction(x)) for x in (mass, most, step))
    if not (0 < low < 1 and 0 < high < 1 and eta_ > 0):
        raise ValueError("need 0 < mass < 1, 0 < most < 1 and step > 0")
    if high <= low:
        return 0
    # The logarithm of a rational number other than 1 is irrational: no ties.
    return int(sympy.floor(sympy.log(high * (1 - low) / (low * (1 - high))) / (2 * eta_)))


def updates_until_clipped(mass: Number, clip: Number, step: Number) -> int | None:
    """Updates of a row until its ratios reach 1 + clip and the gradient vanishes; None if never.

    Parameters
    ----------
    mass : of the found edges under the old model, in (0, 1).
    clip, step : > 0.

    Raises
    ------
    ValueError
        A number is out of range.
    """
    low, top, eta_ = (sympy.Rational(Fraction(x)) for x in (mass, 1 + Fraction(clip), step))
    if not (0 < low < 1 and top > 1 and eta_ > 0):
        raise ValueError("need 0 < mass < 1, clip > 0 and step > 0")
    if top * low >= 1:
        return None
    return int(sympy.ceiling(sympy.log(top * (1 - low) / (1 - top * low)) / (2 * eta_)))


def plain_updates(
    mass: Number, most: Number, speed: Number, edges: int = 1, others: int | None = None
) -> tuple[sympy.Expr, sympy.Expr]:
    """Bounds of the updates of plain policy gradient that lift found edges past a mass.

    The gradient of the mass f in the logits is of order f itself: it starts small, and the number
    of updates is of order 1/(speed * f), not of order log(1/f).

    Parameters
    ----------
    mass, most : of the d found edges of a row, all alike, in all; 0 < mass < most <= 1/2.
    speed : how far a row moves at gradient 1, > 0: the learning rate over the number of states.
    edges : d.
    others : the number m of other entries, if these are alike too; None whatever they are.

    Returns
    -------
    lower <= the first number of updates with a mass > ``most`` <= upper.

    Notes
    -----
    Let l be the log-odds of f.  The logit of a found edge rises by speed f (1 - f)/d, and that of
    another entry falls by between 0 and speed f (1 - f), by speed f (1 - f)/m if they are alike.
    So l rises by between a and b times 1/G'(l), where G(l) = 2 sinh l + 2 l, a = speed/d and
    b = speed (1/d + 1), or a = b = speed (1/d + 1/m).  For l <= 0, G' falls, and by no more than a
    factor exp(-b/4) within a step, as |(log G')'| <= 1 and G' >= 4: so G rises by at most b a step,
    and by at least a exp(-b/4).  Gradient flow with others alike has G = G_0 + a t.

    Raises
    ------
    ValueError
        A number is out of range.
    """
    low, high, v = (sympy.Rational(Fraction(x)) for x in (mass, most, speed))
    if not (0 < low < high <= sympy.Rational(1, 2) and v > 0 and edges > 0):
        raise ValueError("need 0 < mass < most <= 1/2, speed > 0 and edges > 0")

    def g(p: sympy.Expr) -> sympy.Expr:
        odds = p / (1 - p)
        return odds - 1 / odds + 2 * sympy.log(odds)

    way = g(high) - g(low)
    fast = v * (sympy.Rational(1, edges) + (1 if others is None else sympy.Rational(1, others)))
    slow = v / edges if others is None else fast
    return way / fast, way * sympy.exp(fast / 4) / slow + 1


def _real(name: str, *facts: str) -> Parameter:
    return Parameter(name, facts, "", integer=False)


@cache
def row_certificate() -> Certificate:
    """Proof about one row, in f in (0, 1) and u >= 1, the factor of the odds.

    The odds of the found edges are multiplied by u; their mass rises and stays below 1; what the
    found edges gain is what the others lose, so that either is the total variation of the row; and
    no ratio to the old model exceeds u.
    """
    domain = Domain((_real("f", "f > 0", "f < 1"), _real("u", "u >= 1")))
    lifted, fallen = "f*u/(1 - f + f*u)", "(1 - f)/(1 - f + f*u)"
    equal = [
        (f"{lifted}", f"{fallen}*u*f/(1 - f)"),
        (f"{lifted} - f", f"(1 - f) - {fallen}"),
    ]
    claims = [f"{a} {sign} {b}" for a, b in equal for sign in (">=", "<=")]
    claims += [f"{lifted} >= f", f"{lifted} < 1", f"{lifted} <= u*f"]
    return comparison(domain, claims)


@cache
def variation_certificate() -> Certificate:
    """Proof that a row whose found mass ends at most at e moves by f' - f <= e - f <= D (e - p).

    D is the number of found edges of the row, p the probability of the least likely, D p <= f.
    """
    domain = Domain(
        (
            Parameter("D", ("D >= 1",), "found edges out of a state"),
            _real("p", "p > 0"),
            _real("f", "f >= D*p"),
            _real("g", "g >= f"),
            _real("e", "e >= g"),
        )
    )
    return comparison(domain, ["g - f <= e - f", "e - f <= D*(e - p)"])


# ---------------------------------------------------------------- the hitting time
@dataclass(frozen=True)
class Tradeoff:
    """The mean hitting time as a hyperbola in the odds o of the sparse edges of a gate.

    Attributes
    ----------
    claim : E[tau] = falling/o + constant + rising * o with o = epsilon/(1 - epsilon), the three
        coefficients free of epsilon, falling > 0, constant >= 0 and rising > 0 or 0 throughout: its
        certificate rests on that of the hitting time.
    falling, constant, rising : the coefficients A, B, C.
    """

    claim: Claim
    falling: sympy.Expr
    constant: sympy.Expr
    rising: sympy.Expr

    @property
    def turning(self) -> sympy.Expr:
        """The square A/C of the odds at which E[tau] is least; infinite if it falls throughout."""
        if self.rising == 0:
            return sympy.oo
        return tidy(sympy.factor(self.falling / self.rising), self.claim.domain)

    @property
    def least(self) -> sympy.Expr:
        """The least mean hitting time over all epsilon, B + 2 sqrt(A C)."""
        return self.constant + 2 * sympy.sqrt(sympy.factor(self.falling * self.rising))

    @property
    def gain(self) -> sympy.Expr:
        """E[tau] at odds o over its least value.

        At small o it is about A/(o (B + 2 sqrt(A C))): what search and reweighting can win at most.
        """
        return (self.falling / o + self.constant + self.rising * o) / self.least

    @property
    def latex(self) -> str:
        """The hyperbola."""
        terms = [
            f"\\frac{{{sympy.latex(self.falling)}}}{{o}}",
            f"\\left({sympy.latex(self.constant)}\\right)",
            f"{sympy.latex(self.rising)}\\, o",
        ]
        return " + ".join(terms)


def tradeoff(derivation: Derivation) -> Tradeoff:
    """The mean hitting time of a family as a hyperbola in its odds, with a certificate.

    Raises
    ------
    NoClaim
        The hitting time is not derived, or is no such hyperbola, or the signs are not shown.
    """
    family = derivation.family
    time = derivation.claim("hitting-time")
    if time.expression is None:
        raise NoClaim(f"{family.id}: the time is known by bounds only")
    scaled = sympy.cancel(sympy.together(o * time.expression.subs(epsilon, o / (1 + o))))
    if sympy.denom(scaled).has(o) or sympy.degree(sympy.numer(scaled), o) > 2:
        raise NoClaim(f"{family.id}: the hitting time is no hyperbola in the odds of epsilon")
    found = [sympy.cancel(scaled.coeff(o, k)) for k in range(3)]
    if sympy.cancel(sum(c * o**k for k, c in enumerate(found)) - scaled) != 0:
        poly = sympy.Poly(sympy.numer(scaled), o)
        found = [sympy.cancel(poly.coeff_monomial(o**k) / sympy.denom(scaled)) for k in range(3)]
    falling, constant, rising = (tidy(sympy.factor(c), time.domain) for c in found)
    texts = [f"({c})" for c in (falling, constant, rising)]
    value = f"{texts[0]}*(1 - epsilon)/epsilon + {texts[1]} + {texts[2]}*epsilon/(1 - epsilon)"
    claims = [f"v0 >= {value}", f"v0 <= {value}", f"{texts[0]} > 0", f"{texts[1]} >= 0"]
    claims.append(f"{texts[2]} {'>=' if rising == 0 else '>'} 0")
    try:
        proof = comparison(time.domain, claims, [time.certificate])
    except NoProof as error:
        raise NoClaim(f"{family.id}: {error}") from error
    name = "hitting-time-tradeoff"
    told = sympy.sympify(value, locals={str(s): s for s in time.expression.free_symbols})
    claim = Claim(f"{family.id}/{name}", family.id, name, family.domain, proof, expression=told)
    return Tradeoff(claim, falling, constant, rising)


@cache
def turning_certificates() -> tuple[Certificate, Certificate]:
    """Proofs about a hyperbola A/o + B + C o at two odds s <= t: it is lower at t, and higher.

    The first holds where C s t <= A, so on all of o <= sqrt(A/C); the second where C s t >= A, so
    beyond.  Together: lifting the odds from s to t > s shortens the mean time if and only if
    C s t < A, and leaves it the same if C s t = A.
    """
    bare = [_real("C", "C > 0"), _real("s", "s > 0"), _real("t", "t >= s")]
    below = Domain((*bare, _real("A", "A >= C*s*t")))
    beyond = Domain((*bare, _real("A", "A <= C*s*t", "A > 0")))
    claims = [f"A/t + C*t {sign} A/s + C*s" for sign in ("<=", ">=")]
    return comparison(below, claims[:1]), comparison(beyond, claims[1:])
