r"""How much the general theorems lose on a family: as expressions, and the data for a point.

A bound misses by a *factor* of at least 1: the true value over a lower bound, an upper bound over
the true value.  `expressions` writes bound, true value and factor in the parameters of a composed
family, wherever what a theorem needs has a closed form there, and says why where it has none.
`points.setting` gives the same data for any family at a point, so that the two can be held against
each other.

Notation.  W is the walk on the clusters, H its mean time from the start's cluster to the target's,
w the law of W at the target's cluster, and g_W its gap.  L is the chain of one cluster in which
sparse moves stay, and a the mean number of steps between two sparse moves, so that the aggregated
chain is A = I + (W - I)/a, of gap g_W/a, and T_A = a H.  What follows from it:

- With one gate, cut and restriction leave L: the restriction to a cluster is L, and so is the
  stochastic complement (see `theory.composition`).
- A function that is constant on clusters has the Dirichlet form of W over a.  So by commute times
  (Chandra et al. 1989) its least value between two clusters that a symmetry exchanges is 1/(2 T_A).
- The flow of W's potential, carried from gate to gate, has the energy 2 T_A; each end adds the
  resistance of the one edge between home and gate.
- From cluster k, an excursion of W ends in cluster l before k with probability 1/(2 w H), and it
  has 1/(2 w) steps on average until it ends in either: both are the commute time again.
- A walk that takes each of D neighbours alike, all clusters alike: two neighbours restricted to
  each other are a walk of two states with the eigenvalue 1 - 2/D, and the chain H of the overlaps
  of all such pairs has the eigenvalues (1 + those of W)/2 and 0, so the gap g_W/2.
- Between states of two clusters a shortest path goes by the gates; so the congestion needs the
  shortest paths of W alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

import sympy
from sympy import Max

from theory.bounds import all_bounds
from theory.bounds.base import Bound, FiniteChain
from theory.bounds.common import gap_bounds
from theory.certificates import NoProof
from theory.claims import NoClaim
from theory.composed import Composed, CompositionDerivation
from theory.conjecture import NoClosedForm
from theory.domain import Domain, Point
from theory.family import Family
from theory.tightness.parts import Parts, g
from theory.tightness.spans import ONE, Span, known, leading_term
from theory.tightness.theorems import RECIPES, WITHOUT


@dataclass(frozen=True)
class Tightness:
    """One side of a theorem on one family.

    Attributes
    ----------
    bound : the theorem's id.
    side : "lower" or "upper".
    value, truth : the bound, and what it bounds; neither is simplified.
    domain : where both hold.

    Where the gap of the walk on the clusters is not rational, or known by bounds only, they are
    written in it, as ``g``, and rise in it.
    """

    bound: str
    side: str
    value: Span
    truth: Span
    domain: Domain

    @cached_property
    def factor(self) -> Span:
        """True value/lower bound or upper bound/true value, at least 1; not simplified.

        It is infinite where the true value is 0, or where the bound says nothing.
        """
        value, truth = self.value, self.truth
        facts = tuple(dict.fromkeys((*value.facts, *truth.facts)))
        if value is truth:
            return known(ONE, facts)
        if truth.lower == 0:
            return known(sympy.oo, facts)
        top, bottom = (truth, value) if self.side == "lower" else (value, truth)
        high = top.upper / bottom.lower
        if value.exact and truth.exact:
            return known(high, facts)
        # No true bound misses by less than 1.
        low = sympy.factor(top.lower / bottom.upper)
        return Span(Max(ONE, low), high, facts)

    @cached_property
    def leading(self) -> Span:
        """c epsilon^n, to which the factor tends as epsilon -> 0; its limit where n = 0."""
        return self.factor.each(lambda x: leading_term(x, self.domain))

    @property
    def by_gap(self) -> bool:
        """Whether the walk's gap is left as g."""
        return any(x.has(g) for x in (self.value.lower, self.value.upper, self.truth.lower))


def walk_gap(family: Composed) -> Span:
    """What is proved of the gap of the walk, of (W + W*)/2 if it is not reversible.

    Raises
    ------
    NoClaim
        Nothing is.
    """
    claim = CompositionDerivation(family).meta.claim("spectral-gap")
    if claim.expression is not None:
        return known(claim.expression, claim.domain.facts)
    assert claim.lower is not None
    assert claim.upper is not None
    return Span(claim.lower, claim.upper, claim.domain.facts)


def walk_gap_at(family: Composed, point: Point) -> tuple[Fraction, Fraction]:
    """Rational bounds of the gap of the walk at a point, of (W + W*)/2 if it is not reversible."""
    walk = FiniteChain.of_explicit(family.meta.explicit(point))
    bounds = gap_bounds(walk)
    assert bounds is not None  # two clusters at least
    return bounds


@dataclass(frozen=True)
class NoExpression:
    """A theorem without a closed form on a family, and why, in one sentence."""

    bound: str
    reason: str


def expressions(family: Family, in_walk: bool = False) -> tuple[Tightness | NoExpression, ...]:
    """What every theorem says of a composed family, one row a side, in the order of the bounds.

    Parameters
    ----------
    in_walk : write everything in the numbers of the walk on the clusters, H, R, g and D, instead of
        their values: it then holds for every walk with the symmetries that each row needs.

    Raises
    ------
    NoClaim
        The family is not a composition.
    """
    if not isinstance(family, Composed):
        raise NoClaim(
            f"{family.id}: no expressions: they come from the parts of a composition, so give one "
            "as kernel/meta-graph/attachment"
        )
    parts = Parts(family, in_walk)
    found: list[Tightness | NoExpression] = []
    for bound in all_bounds().values():
        try:
            found += _sides(parts, bound)
        except (NoClaim, NoProof, NoClosedForm) as error:
            found.append(NoExpression(bound.id, _reason(error)))
    return tuple(found)


def _sides(parts: Parts, bound: Bound) -> list[Tightness]:
    if not parts.reversible and any(h.name == "reversible" for h in bound.hypotheses):
        raise NoClaim("hypothesis 'reversible' fails")
    recipe = RECIPES.get(bound.id)
    if recipe is None:
        raise NoClaim(WITHOUT.get(bound.id, "no closed form of the bound is known here"))
    values, truth = recipe(parts)
    rows = []
    for side in bound.sides:
        value = values[side]
        domain = parts.domain.where(*dict.fromkeys((*value.facts, *truth.facts)))
        rows.append(Tightness(bound.id, side, value, truth, domain))
    return rows


def _reason(error: ValueError) -> str:
    """The reason in the message of a claim that was not derived."""
    return str(error).partition(": not derived: ")[2] or str(error)
