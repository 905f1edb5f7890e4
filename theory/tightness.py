r"""How much the general theorems lose on a family: as expressions, and the data for a point.

A bound misses by a *factor* of at least 1: the true value over a lower bound, an upper bound over
the true value.  `expressions` writes bound, true value and factor in the parameters of a composed
family, wherever what a theorem needs has a closed form there, and says why where it has none.
`setting` gives the same data for any family at a point, so that the two can be held against each
other.

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

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property
from itertools import pairwise
from typing import Any, NamedTuple

import sympy
from sympy import Max, Min

from theory.attachment import Decoy, Gate
from theory.bounds import all_bounds, canonical_paths
from theory.bounds.aggregation import sensitivity
from theory.bounds.base import (
    Bound,
    FiniteChain,
    Number,
    equilibrium_potential,
)
from theory.bounds.common import aggregated, gap_bounds, place
from theory.bounds.thomson import equilibrium_flow
from theory.certificates import NoProof, prove_nonnegative
from theory.chain import Move, Orbit, OrbitChain, Row, leaves
from theory.claims import NoClaim
from theory.composed import MODE, Composed, CompositionDerivation
from theory.composition import H, R, leaving
from theory.conjecture import NoClosedForm, hitting_times, potential
from theory.derive import Solved, law_of
from theory.derive import reversible as in_balance
from theory.domain import Domain, Parameter, Point, expression, tidy
from theory.enclosure import enclose
from theory.family import Family, K, M, epsilon
from theory.kernel import GATE, HOME
from theory.spectrum import gap_from_orbit

ONE, ZERO = sympy.Integer(1), sympy.Integer(0)
g, D = sympy.symbols("g D")
WALK = (
    Parameter("H", ("H >= 1",), "mean time of the walk from start to target", integer=False),
    Parameter("R", ("R > 1",), "mean time of the walk to return to the target", integer=False),
    Parameter("g", ("g > 0", "g <= 2"), "spectral gap of the walk", integer=False),
    Parameter("D", ("D >= 2",), "neighbours of a cluster, all taken alike"),
)
"""The numbers of a walk on the clusters."""


# ---------------------------------------------------------------- data for every theorem
class Setting(NamedTuple):
    """A chain of a family at a point, and data for every theorem, by name."""

    chain: FiniteChain
    data: Mapping[str, Any]


DATA = {
    "clusters": "the clusters",
    "S": "the target's cluster",
    "C": "the target's cluster",
    "sets": "the pairs of neighbouring clusters",
    "A": "the start",
    "B": "the target",
    "start": "the start",
    "target": "the target",
    "state": "the target",
    "f": "the potential of the aggregated chain between the clusters of start and target, constant "
    "on each cluster",
    "flow": "the flow of that potential, led inside the clusters along shortest paths",
    "other": "the chain at nine tenths of epsilon",
    "t": "20",
    "n": "20",
    "delta": "1/4",
}
"""What each theorem is given, by the name of the data."""

SETS = {
    "quasi-stationary-exit-time": "all but the target's cluster",
    "mean-hitting-time-from-stationarity": "the target's cluster",
    "survival-probability-continuous": "the target's cluster",
    "survival-probability-steps": "the target's cluster",
}
"""What A is, by quantity, where it is not the start."""

SLOWER = Fraction(9, 10)


def setting(family: Family, point: Point) -> Setting:
    """The exact chain of a family at a point of its domain, with the data in ``DATA``.

    Raises
    ------
    DomainError
        The point is outside the family's domain.
    """
    point = family.domain.complete(point)
    explicit = family.explicit(point)
    chain = FiniteChain.of_explicit(explicit)
    ends = (family.start("", point), family.target("", point))
    start, target = map(explicit.states.index, ends)
    where = explicit.clusters
    clusters = [[x for x in chain.states if where[x] == k] for k in sorted(set(where))]
    at = place(clusters)
    joined = aggregated(chain, clusters)
    level = equilibrium_potential(joined, {at[start]}, {at[target]})
    near = {tuple(sorted((k, l))) for k in joined.states for l in joined.rows[k]}
    slower = family.explicit({**point, "epsilon": point["epsilon"] * SLOWER})
    home = set(clusters[at[target]])
    return Setting(
        chain,
        {
            "clusters": clusters,
            "S": home,
            "C": home,
            "sets": [clusters[k] + clusters[l] for k, l in sorted(near)],
            "A": {start},
            "B": {target},
            "start": start,
            "target": {target},
            "state": target,
            "f": [level[at[x]] for x in chain.states],
            "flow": carried_flow(chain, clusters, start, target),
            "other": FiniteChain.of_explicit(slower),
            "t": 20,
            "n": 20,
            "delta": Fraction(1, 4),
        },
    )


def given(bound: Bound, data: Mapping[str, Any]) -> dict[str, Any]:
    """What a theorem is given, out of the data of a setting; A is a cluster where `SETS` says so.

    Raises
    ------
    KeyError
        The theorem asks for something that no setting has.
    """
    mine = {name: data[name] for name in bound.data}
    if bound.quantity in SETS:
        inside = data["S"]
        everything = {x for cluster in data["clusters"] for x in cluster}
        mine["A"] = everything - inside if SETS[bound.quantity].startswith("all") else inside
    return mine


def about(bound: Bound) -> str:
    """What a theorem is given, in words."""
    words = [
        f"{name}: {SETS.get(bound.quantity, DATA[name]) if name == 'A' else DATA[name]}"
        for name in bound.data
    ]
    return "; ".join(words)


def carried_flow(
    chain: FiniteChain, clusters: Sequence[Sequence[int]], start: int, target: int
) -> dict[tuple[int, int], Number]:
    """A unit flow from start to target: between clusters that of the aggregated potential.

    Between two clusters it is spread in proportion to the flow of the chain, taken both ways;
    inside a cluster what comes in is led to where it leaves along shortest paths.

    Parameters
    ----------
    chain : irreducible.
    start, target : states of two clusters.
    """
    at = place(clusters)
    both = chain.additive_reversibilization()
    between = equilibrium_flow(aggregated(both, clusters), {at[start]}, {at[target]})
    edges = {(x, y): q for x, y, q in both.flows() if at[x] < at[y]}
    total: dict[tuple[int, int], Number] = {}
    for (x, y), q in edges.items():
        pair = at[x], at[y]
        total[pair] = total.get(pair, 0) + q
    flow: dict[tuple[int, int], Number] = {}
    rest = [Fraction(int(x == start) - int(x == target)) for x in chain.states]
    for (x, y), q in edges.items():
        amount = Fraction(between[at[x], at[y]] * q / total[at[x], at[y]])
        flow[x, y] = amount
        rest[x] -= amount
        rest[y] += amount
    paths = canonical_paths.shortest_paths(chain)
    for cluster in clusters:
        sources = [x for x in cluster if rest[x] > 0]
        for y in (y for y in cluster if rest[y] < 0):
            while rest[y] < 0:
                x = sources[-1]
                amount = min(rest[x], -rest[y])
                rest[x] -= amount
                rest[y] += amount
                for step in zip(paths[x, y], paths[x, y][1:], strict=False):
                    flow[step] = flow.get(step, 0) + amount
                if rest[x] == 0:
                    sources.pop()
    return flow


# ---------------------------------------------------------------- expressions
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
    parts = _Parts(family, in_walk)
    found: list[Tightness | NoExpression] = []
    for bound in all_bounds().values():
        try:
            found += _sides(parts, bound)
        except (NoClaim, NoProof, NoClosedForm) as error:
            found.append(NoExpression(bound.id, _reason(error)))
    return tuple(found)


def _sides(parts: _Parts, bound: Bound) -> list[Tightness]:
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


# ---------------------------------------------------------------- spans
def known(value: sympy.Expr, facts: tuple[str, ...] = ()) -> Span:
    """An exact value."""
    return Span(value, value, facts)


def _rising(f: Callable[..., sympy.Expr], *spans: Span) -> Span:
    """A function that rises in every argument."""
    facts = tuple(dict.fromkeys(fact for span in spans for fact in span.facts))
    low = f(*(span.lower for span in spans))
    exact = all(span.exact for span in spans)
    return Span(low, low if exact else f(*(span.upper for span in spans)), facts)


def _over(span: Span) -> Span:
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


class Over(NamedTuple):
    """An edge of W, and sums over the pairs (a, b) of clusters whose shortest path has it.

    ``edge`` is law times probability; the sums are of w_a w_b times 1, the length of the path,
    1/w_a + 1/w_b, and the sum of 1/edge along the path.
    """

    edge: sympy.Expr
    mass: sympy.Expr
    length: sympy.Expr
    inverse: sympy.Expr
    resistance: sympy.Expr


class End(NamedTuple):
    """A cluster of mass w, and sums over the shortest paths from it, or those to it.

    ``others`` counts them; the sums are of the other end's mass, times length and sum of 1/edge.
    """

    w: sympy.Expr
    others: sympy.Expr
    length: sympy.Expr
    resistance: sympy.Expr


class Routes(NamedTuple):
    """The shortest paths of a walk."""

    edges: tuple[Over, ...]
    ends: tuple[End, ...]


# ---------------------------------------------------------------- what the theorems need
class _Parts:
    """The ingredients of the theorems on one composition, each once.

    Raises
    ------
    NoClaim
        By every property, where the composition has no closed form of it.
    """

    def __init__(self, family: Composed, in_walk: bool = False):
        self.family = family
        self.in_walk = in_walk
        inside = family.attachment.domain(family.kernel)
        own = Domain((*inside.parameters, *WALK), inside.facts)
        self.domain = own if in_walk else family.domain
        self.derivation = CompositionDerivation(family)
        self.cluster = family.cluster
        self.chain = leaves(self.derivation.problem.chains)[-1]
        self.one_gate = isinstance(family.attachment, Gate) or type(family.attachment) is Decoy
        self.alike = isinstance(family.attachment, Gate) and family.kernel.home_is_any

    @cached_property
    def balanced(self) -> bool:
        """Whether L is reversible; an attachment may spoil what the kernel has."""
        f = self.family
        if not f.kernel.reversible or f.attachment.one_way:
            return False
        chain = self.cluster.inside
        target = next(n for n, o in chain.orbits.items() if o.size == 1 and o.index is None)
        try:
            in_balance(chain, Solved(tuple(law_of(chain)), target, hitting_times(chain, target)))
        except NoProof:
            return False
        return True

    @property
    def reversible(self) -> bool:
        """Whether L and the walk are."""
        return self.balanced and not self.family.meta.symmetrised

    def need_balance(self) -> None:
        """L is reversible."""
        if not self.balanced:
            raise NoClaim("the moves inside a cluster are not reversible")

    def value(self, quantity: str) -> sympy.Expr:
        """The exact value of a claim."""
        value = self.derivation.claim(quantity).expression
        assert value is not None
        return value

    @cached_property
    def time(self) -> sympy.Expr:
        """E[tau]."""
        if self.in_walk:
            return self.cluster.mean.away[self.family.home]
        return self.value("hitting-time")

    @cached_property
    def aggregated(self) -> sympy.Expr:
        """T_A."""
        return self.step * H if self.in_walk else self.value("aggregated-hitting-time")

    @cached_property
    def capacity(self) -> sympy.Expr:
        """cap(start, target), where a symmetry exchanges the two."""
        value = self.value("capacity")  # it says why there is none
        return 1 / (2 * self.time) if self.in_walk else value

    def need_one_gate(self) -> None:
        """The cluster is left and entered at one gate."""
        if not self.one_gate:
            raise NoClaim(f"with the attachment {self.family.attachment.id} it has no closed form")

    def need_alike(self) -> None:
        """All states of a cluster beside its gate are alike."""
        self.need_one_gate()
        if not self.alike:
            raise NoClaim("the states of a cluster beside its gate are not all alike")

    @property
    def by_blocks(self) -> bool:
        """Whether all eigenvalues are roots of quadratics, one for each eigenvalue of W."""
        return self.alike and "metastable-eigenvalues" in self.derivation.recipes

    # ------------------------------------------------------------ the walk
    @cached_property
    def w(self) -> sympy.Expr:
        """The law of W at the target's cluster."""
        if self.in_walk:
            return 1 / R
        target = self.derivation.problem.target
        number = next(n for n, row in enumerate(self.chain.rows) if row.orbit == target)
        return law_of(self.chain)[number]

    @cached_property
    def w_start(self) -> sympy.Expr:
        """The law of W at the start's cluster."""
        if self.family.meta.ends_alike:
            return self.w
        orbit, index = self.derivation.problem.start
        if index is not None:
            raise NoClaim("the stationary mass of the start's cluster differs with its place")
        number = next(n for n, row in enumerate(self.chain.rows) if row.orbit == orbit)
        return law_of(self.chain)[number]

    @cached_property
    def H(self) -> sympy.Expr:
        """W's mean time from the start's cluster to the target's."""
        return H if self.in_walk else sympy.factor(self.aggregated / self.step)

    @cached_property
    def walk_gap(self) -> Span:
        """W's gap: a rational number, else g; its bounds where there are no blocks."""
        claim = self.derivation.meta.claim("spectral-gap")
        if self.in_walk:
            return known(g)
        value = claim.expression
        if value is not None and value.is_rational_function():
            return known(value, claim.domain.facts)
        if self.by_blocks:
            return known(g)
        assert claim.lower is not None
        assert claim.upper is not None
        return Span(claim.lower, claim.upper, claim.domain.facts)

    @cached_property
    def degree(self) -> sympy.Expr:
        """The number of neighbours of a cluster, all taken alike, all clusters alike."""
        meta = self.family.meta
        if self.in_walk:
            return D
        if not meta.clusters_alike or meta.symmetrised:
            raise NoClaim("the clusters are not all alike, or the walk is not reversible")
        # Symmetries that fix a cluster reach all of an orbit alike from there.
        row = next(r for r in self.chain.rows if r.orbit == self.derivation.problem.target)
        shares = {sympy.factor(m.probability / self.chain.orbits[m.to].size) for m in row.moves}
        if len(shares) > 1 or any(m.to == row.orbit for m in row.moves):
            raise NoClaim("the neighbours of a cluster are not taken alike")
        return 1 / shares.pop()

    def need_ends_alike(self) -> None:
        """A symmetry of W exchanges start and target, so their commute time is twice H."""
        if not self.family.meta.ends_alike or self.family.meta.symmetrised:
            raise NoClaim("no symmetry exchanges start and target")

    def need_loopless(self) -> None:
        """Every sparse move leaves its cluster: W never stays."""
        meta = self.family.meta
        for point in (meta.domain.inside, *meta.domain.points(2, seed=1, largest=6)):
            stay: dict[int, Fraction] = {}
            for (k, _), p in meta.walk(point).items():
                stay[k] = stay.get(k, Fraction(1)) - p
            if any(stay.values()):
                raise NoClaim("the walk may stay where it is")

    @property
    def stay(self) -> sympy.Expr:
        """The largest eigenvalue of W killed at the target, where it is the only one."""
        if self.in_walk:
            raise NoClaim("it changes with the walk")
        target = self.derivation.problem.target
        others = [r for r in self.chain.rows if r.orbit != target]
        if len(others) > 1 or others[0].index is not None:
            raise NoClaim("W killed at the target has no largest eigenvalue in closed form here")
        return sympy.Add(*(m.probability for m in others[0].moves if m.to == others[0].orbit))

    @property
    def all_neighbours(self) -> bool:
        """Whether every cluster is a neighbour of every other."""
        if self.in_walk:
            raise NoClaim("it changes with the walk")
        return bool(sympy.factor(self.degree + 1 - 1 / self.w) == 0)

    @cached_property
    def routes(self) -> Routes:
        """Sums along the shortest paths of W."""
        meta = self.family.meta
        if not meta.domain.parameters:
            return _routes(FiniteChain.of_explicit(meta.explicit({})))
        if not self.all_neighbours:
            raise NoClaim("the shortest paths of this walk are not given in symbols")
        w, edge = self.w, self.w / self.degree
        over = Over(edge, mass=w**2, length=w**2, inverse=2 * w, resistance=w**2 / edge)
        end = End(w, others=self.degree, length=1 - w, resistance=(1 - w) / edge)
        return Routes((over,), (end,))

    # ------------------------------------------------------------ one cluster
    @cached_property
    def law(self) -> dict[str, sympy.Expr]:
        """Stationary probability of one state under L, by orbit (the last row of each)."""
        rows = self.cluster.chain.rows
        return {r.orbit: p for r, p in zip(rows, self.cluster.law, strict=True)}

    @property
    def step(self) -> sympy.Expr:
        """The mean number of steps between two sparse moves."""
        return self.cluster.step

    @cached_property
    def rate(self) -> sympy.Expr:
        """The largest probability of a sparse move."""
        self.need_one_gate()
        return next(leaving(r) for r in self.cluster.chain.rows if r.orbit == GATE)

    @cached_property
    def inner_gap(self) -> Span:
        """The gap of L, which is also the restriction: exact, or between two bounds."""
        self.need_one_gate()
        self.need_balance()
        if self.alike and "pseudo-spectral-gap" in self.derivation.recipes:
            # 1 - (gap - 1)^2, and the other eigenvalues are 0.
            self.derivation.claim("pseudo-spectral-gap")
            return known(tidy(2 - self._inner_trace, self.domain))
        kappa = gap_from_orbit(self.cluster.inside, GATE)
        row = next(r for r in self.cluster.inside.rows if r.orbit == GATE)
        mass = self.law[GATE]
        away = sympy.Add(*(m.probability for m in row.moves if m.to != GATE))
        upper = tidy(away / (1 - mass), self.domain)
        return Span(expression(str(kappa["statement"]["value"])), upper)

    @cached_property
    def _inner_trace(self) -> sympy.Expr:
        chain = self.derivation.two_classes
        return sympy.Add(*(m.probability for r in chain.rows for m in r.moves if m.to == r.orbit))

    @cached_property
    def to_gate(self) -> dict[str, sympy.Expr]:
        """Mean times of L to reach the gate."""
        return hitting_times(self.cluster.inside.on(self.domain), GATE)

    @cached_property
    def to_home(self) -> dict[str, sympy.Expr]:
        """Mean times of L to reach the home."""
        return hitting_times(self.cluster.inside.on(self.domain), self.family.home)

    @cached_property
    def entrances(self) -> dict[str, sympy.Expr]:
        """The law of the orbit at which a sparse move enters a cluster."""
        sizes = self.cluster.chain.orbits
        found: dict[str, sympy.Expr] = {}
        for row, p in zip(self.cluster.chain.rows, self.cluster.law, strict=True):
            for m in row.moves:
                if m.meta:
                    mass = sizes[row.orbit].size * p * m.probability * self.step
                    found[m.to] = sympy.factor(found.get(m.to, ZERO) + mass)
        return found

    def edge(self, start: str, end: str) -> sympy.Expr:
        """The probability under L of a move between two states, where ``end`` is one state."""
        row = next(r for r in self.cluster.inside.rows if r.orbit == start)
        p = sympy.Add(*(m.probability for m in row.moves if m.to == end))
        if p == 0 or self.cluster.chain.orbits[end].size != 1 or row.index is not None:
            raise NoClaim("home and gate are not neighbours")
        return sympy.factor(p)

    # ------------------------------------------------------------ the whole chain
    @cached_property
    def gap(self) -> Span:
        """The gap, of (P + P*)/2 in general: that of the block of W's gap, as x rises with it."""
        if self.by_blocks:
            return _rising(lambda x: self.eigenvalue(1 - x), self.walk_gap)
        self.need_balance()
        claim = self.derivation.claim("spectral-gap")
        assert claim.lower is not None
        assert claim.upper is not None
        return Span(claim.lower, claim.upper, claim.domain.facts)

    @cached_property
    def outer_gap(self) -> Span:
        """The gap of the aggregated chain."""
        return _rising(lambda x: x / self.step, self.walk_gap)

    @cached_property
    def pseudo_gap(self) -> Span:
        """gamma_ps = gap (2 - gap), where no eigenvalue is larger in modulus than lambda_2.

        The two eigenvalues of a block add up to its trace, and the larger one is at least the
        probability that a state beside the gate moves to such a state, hence at least the second
        eigenvalue of L; so it is enough that the trace is >= 0 for the eigenvalue -1 of W.
        """
        self.value("metastable-eigenvalues")
        self.need_alike()
        sparse = self.rate
        trace = tidy(self._inner_trace - 2 * sparse, self.domain)
        fact = f"{sympy.fraction(trace)[0]} >= 0"
        rising = _rising(lambda x: x * (2 - x), self.gap)
        return replace(rising, facts=(*rising.facts, fact))

    def eigenvalue(self, mode: sympy.Expr) -> sympy.Expr:
        """1 - x for the larger eigenvalue x of the block of an eigenvalue of a walk."""
        value = self.value("metastable-eigenvalues")
        self.need_alike()
        return rationalised(value.subs(sympy.Symbol(MODE), mode))

    @cached_property
    def within(self) -> sympy.Expr:
        """H_k of the start's cluster: the largest E_x min(tau_y, tau_l) over x and y in it."""
        self.need_alike()
        self.need_ends_alike()
        reached, steps = 1 / (2 * self.w * self.H), 1 / (2 * self.w)
        sparse = {row.orbit: leaving(row) for row in self.cluster.chain.rows}
        rows = []
        for row in self.cluster.chain.rows:
            q = sparse[row.orbit]
            moves = [m for m in row.moves if not m.meta]
            if q != 0:
                back = Move(GATE, sympy.factor(q * (1 - reached)))
                moves += [back, Move("outside", sympy.factor(q * reached))]
            rows.append(replace(row, moves=tuple(moves)))
        rows.append(Row("outside", (Move("outside", ONE),)))
        orbits = {**self.cluster.chain.orbits, "outside": Orbit(ONE, "outside")}
        chain = OrbitChain(self.domain, orbits, tuple(rows))
        times = potential(
            chain,
            {HOME: ZERO, "outside": ZERO},
            lambda row: 1 + sparse.get(row.orbit, ZERO) * (steps - 1) * self.step,
        )
        found = {self.to_gate[HOME], times[GATE], times[_other(orbits)]}
        return Max(*(tidy(x, self.domain) for x in found))

    @cached_property
    def commute(self) -> sympy.Expr:
        """The largest commute time of L."""
        self.need_alike()
        ends = self.to_gate[HOME] + self.to_home[GATE]
        others = 2 * self.to_home[_other(self.cluster.chain.orbits)]
        return Max(*(tidy(x, self.domain) for x in (ends, others)))

    @cached_property
    def energy(self) -> sympy.Expr:
        """The energy of the flow from gate to gate, with the edges of home and gate at the ends."""
        self.need_one_gate()
        self.need_balance()
        self.need_ends_alike()
        total = 2 * self.aggregated
        if self.family.home != GATE:
            total += 2 / (self.w * self.law[HOME] * self.edge(HOME, GATE))
        return tidy(total, self.domain)


def _other(orbits: Mapping[str, Orbit]) -> str:
    """The orbit of the states that are neither gate nor home."""
    return next(name for name in orbits if name not in (GATE, HOME, "outside"))


def _routes(walk: FiniteChain) -> Routes:
    """The shortest paths of a walk in numbers, chosen as `canonical_paths.shortest_paths` does."""
    law = [_number(p) for p in walk.law]
    edges = {(k, l): _number(walk.flow(k, l)) for k in walk.states for l in walk.rows[k]}
    over = dict.fromkeys(edges, (ZERO, ZERO, ZERO, ZERO))
    ends = dict.fromkeys(((k, way) for k in walk.states for way in (0, 1)), (ZERO, ZERO))

    def add(old: tuple[sympy.Expr, ...], *new: sympy.Expr) -> Any:
        return tuple(x + y for x, y in zip(old, new, strict=True))

    for pair, path in canonical_paths.shortest_paths(walk).items():
        steps = list(pairwise(path))
        a, b = (law[k] for k in pair)
        length, resistance = len(steps), sympy.Add(*(1 / edges[step] for step in steps))
        for step in steps:
            over[step] = add(over[step], a * b, a * b * length, a + b, a * b * resistance)
        for way, other in ((0, b), (1, a)):
            here = pair[way], way
            ends[here] = add(ends[here], other * length, other * resistance)
    others = sympy.Integer(walk.size - 1)
    return Routes(
        tuple(Over(edges[step], *sums) for step, sums in over.items()),
        tuple(End(law[k], others, *sums) for (k, _), sums in ends.items()),
    )


def _number(value: Number) -> sympy.Expr:
    """A fraction as SymPy has it."""
    exact = Fraction(value)
    return sympy.Rational(exact.numerator, exact.denominator)


# ---------------------------------------------------------------- the theorems
Found = tuple[Mapping[str, Span], Span]  # the sides of a bound, and the true value


def _by_aggregation(parts: _Parts) -> Found:
    """What is left after the entry is the time from gate to home, in the whole chain."""

    def ends() -> tuple[sympy.Expr, sympy.Expr]:
        after = parts.cluster.mean.home[GATE].subs(R, 1 / parts.w)
        return after, after

    return _aggregation(parts, lambda: parts.within, ends)


def _by_commuting(parts: _Parts) -> Found:
    """Every cluster counts by the largest commute time within it."""
    return _aggregation(
        parts,
        lambda: parts.commute / parts.w_start,
        lambda: (ZERO, parts.commute / parts.w),
    )


def _aggregation(
    parts: _Parts,
    scale: Callable[[], sympy.Expr],
    after: Callable[[], tuple[sympy.Expr, sympy.Expr]],
) -> Found:
    """T_A, the error at the start, and what is left after the entry."""
    low = high = parts.aggregated
    at_home = parts.entrances.get(parts.family.home, ZERO)
    if at_home != 1:
        parts.need_alike()
        error = (1 - at_home) * scale()
        least, most = after()
        low, high = Max(ZERO, low - error + least), high + error + most
    return {"lower": known(low), "upper": known(high)}, known(parts.time)


def _aggregation_law(parts: _Parts) -> Found:
    """The blocks are L, so that nothing is lost: the true error is 0."""
    parts.need_alike()
    parts.need_loopless()
    gate, home = parts.law[GATE], parts.law[HOME]
    there, back = parts.to_gate[HOME], parts.to_home[GATE]
    across = parts.to_home[_other(parts.cluster.chain.orbits)]
    number = sympy.factor((1 - gate) / home)
    apart = Max(back - across, across - back)
    mixed = gate * there + home * back + (number - 1) * home * apart
    inner = Min(2, 2 * parts.rate * Max(home * across, mixed / 2))
    meta = parts.family.meta
    if not meta.domain.parameters:
        spread = _number(sensitivity(FiniteChain.of_explicit(meta.explicit({}))))
    elif parts.all_neighbours:
        spread = parts.w * parts.H
    else:
        raise NoClaim("the group inverse of this walk is not given in symbols")
    value = Min(2, inner * (1 + parts.step * spread * parts.rate))
    return {"upper": known(value)}, known(ZERO)


def _mean_from_law(parts: _Parts) -> Found:
    """To the target's cluster: T_A from a gate, and from elsewhere the time to the gate before."""
    rate = parts.eigenvalue(parts.stay)
    lower = _rising(lambda x: Max(0, 1 / rate - 1 / x), parts.gap)
    upper = known((1 - parts.w) / rate)
    reach = parts.cluster.mean_of(lambda row: parts.to_gate[row.orbit])
    truth = (1 - parts.w) * (parts.aggregated + reach)
    return {"lower": lower, "upper": upper}, known(tidy(truth, parts.domain))


def _exit(parts: _Parts) -> Found:
    """From the target's cluster; the walk that ends with a step off it has the eigenvalue 0."""
    parts.need_loopless()
    upper = _rising(lambda x: x / (1 - parts.w), _over(parts.gap))
    return {"lower": known(parts.step), "upper": upper}, known(1 / parts.eigenvalue(ZERO))


def _canonical(parts: _Parts) -> Found:
    """A path has the edges of W between the gates, and one more at either end off a gate."""
    parts.need_alike()
    gate, home, into = parts.law[GATE], parts.law[HOME], parts.edge(HOME, GATE)
    rest, across = 1 - gate, parts.edge(_other(parts.cluster.chain.orbits), HOME)
    loads = [(e.length + 2 * rest * e.mass) * parts.step / e.edge for e in parts.routes.edges]
    for end in parts.routes.ends:
        loads.append((end.length + (1 - end.w) * (1 + rest) + end.w * gate) / into)
        loads.append(end.w * home / across)
    return {"lower": known(1 / Max(*_distinct(loads)))}, parts.gap


def _by_resistance(parts: _Parts) -> Found:
    """The same paths; an edge inside a cluster of mass w has the resistance 1/(w pi(x) L(x, y))."""
    parts.need_alike()
    gate, home, into = parts.law[GATE], parts.law[HOME], parts.edge(HOME, GATE)
    rest, across = 1 - gate, parts.edge(_other(parts.cluster.chain.orbits), HOME)
    loads = [
        parts.step * e.resistance + rest / (home * into) * e.inverse for e in parts.routes.edges
    ]
    for end in parts.routes.ends:
        inside = (1 - end.w + end.w * (rest * end.others + gate)) / into
        loads.append(inside + end.w * home * parts.step * end.resistance)
        loads.append(end.w * home / across)
    return {"lower": known(1 / Max(*_distinct(loads)))}, parts.gap


def _distinct(loads: Sequence[sympy.Expr]) -> list[sympy.Expr]:
    """Each once."""
    return list(dict.fromkeys(map(sympy.factor, loads)))


def _identity_of_time(parts: _Parts) -> Found:
    time = known(parts.time)
    return {"lower": time, "upper": time}, time


def _energies(parts: _Parts) -> Found:
    """The test function and the flow of the walk."""
    capacity = parts.capacity
    mass = parts.w * parts.law[parts.family.home]
    lower = 2 * mass * parts.aggregated
    upper = (1 - mass) * parts.energy
    return {"lower": known(lower), "upper": known(upper)}, known(1 / (2 * capacity))


def _cheeger(parts: _Parts) -> Found:
    """The conductance lies between half the gap, by the theorem, and the cut around a cluster."""
    claim = parts.derivation.claim("conductance")
    gap = parts.gap
    phi = Span(gap.lower / 2, claim.upper, (*gap.facts, *claim.domain.facts))
    lower, upper = _rising(lambda x: x**2 / 2, phi), _rising(lambda x: 2 * x, phi)
    return {"lower": lower, "upper": upper}, gap


def _cut(parts: _Parts) -> Found:
    parts.need_one_gate()
    parts.need_loopless()
    return {"upper": known(1 / (parts.step * (1 - parts.w)))}, parts.gap


def _overlaps(parts: _Parts) -> tuple[sympy.Expr, Span, sympy.Expr]:
    """g, h and Theta for the pairs of neighbouring clusters."""
    D = parts.degree
    if D.is_number and D < 2:
        raise NoClaim("two clusters make one pair, and two sets are needed")
    facts = () if D.is_number else (f"{D} >= 2",)
    walk = replace(parts.walk_gap, facts=(*parts.walk_gap.facts, *facts))
    return parts.eigenvalue(1 - 2 / D), _rising(lambda x: x / 2, walk), D


def _decomposition(parts: _Parts) -> Found:
    g, h, D = _overlaps(parts)
    return {"lower": _rising(lambda x: g * x / D**2, h)}, parts.gap


def _decomposition_sharp(parts: _Parts) -> Found:
    """Both ends of a transition inside a cluster lie in D pairs."""
    g, h, D = _overlaps(parts)
    return {"lower": _rising(lambda x: g * x / (D * (x + 2 - 2 / D)), h)}, parts.gap


def _projection(parts: _Parts) -> Found:
    parts.need_loopless()
    lower = _rising(
        lambda inner, outer: Min(outer / 3, inner * outer / (3 * parts.rate + outer)),
        parts.inner_gap,
        parts.outer_gap,
    )
    return {"lower": lower}, parts.gap


def _projection_sharp(parts: _Parts) -> Found:
    parts.need_loopless()

    def root(inner: sympy.Expr, outer: sympy.Expr) -> sympy.Expr:
        total = sympy.factor(inner + 2 * parts.rate + outer)
        return 2 * inner * outer / (total + sympy.sqrt(total**2 - 4 * inner * outer))

    return {"lower": _rising(root, parts.inner_gap, parts.outer_gap)}, parts.gap


def _law(parts: _Parts) -> Found:
    parts.derivation.claim("stationary")
    value = known(tidy(parts.w * parts.law[parts.family.home], parts.domain))
    return {"lower": value, "upper": value}, value


def _complement_gap(parts: _Parts) -> Found:
    return {"upper": parts.inner_gap}, parts.gap


def _watched_gap(parts: _Parts) -> Found:
    """Watched and restricted chain are the same, L."""
    parts.need_loopless()
    inner = parts.inner_gap
    return {"lower": inner, "upper": _rising(lambda x: x + 2 * parts.rate, inner)}, inner


def _capacity_above(parts: _Parts) -> Found:
    capacity = parts.capacity
    return {"upper": known(1 / (2 * parts.aggregated))}, known(capacity)


def _capacity_below(parts: _Parts) -> Found:
    capacity = parts.capacity
    return {"lower": known(1 / parts.energy)}, known(capacity)


def _pseudo(parts: _Parts) -> Found:
    value = parts.pseudo_gap
    return {"lower": value, "upper": value}, value


def _watched_pseudo(parts: _Parts) -> Found:
    return {"lower": parts.pseudo_gap}, known(parts.value("pseudo-spectral-gap"))


RECIPES: Mapping[str, Callable[[_Parts], Found]] = {
    "aggregation-hitting-time": _by_aggregation,
    "aggregation-hitting-time-commute": _by_commuting,
    "aggregation-law": _aggregation_law,
    "aldous-brown-mean": _mean_from_law,
    "aldous-brown-exit-time": _exit,
    "canonical-paths": _canonical,
    "canonical-paths-by-resistance": _by_resistance,
    "hitting-time-by-capacity": _identity_of_time,
    "hitting-time-by-energies": _energies,
    "cheeger": _cheeger,
    "cheeger-cut": _cut,
    "state-decomposition": _decomposition,
    "state-decomposition-sharp": _decomposition_sharp,
    "dirichlet-principle": _capacity_above,
    "thomson-principle": _capacity_below,
    "pseudo-spectral-gap-reversible": _pseudo,
    "watched-pseudo-spectral-gap": _watched_pseudo,
    "projection-restriction": _projection,
    "projection-restriction-sharp": _projection_sharp,
    "stochastic-complement-law": _law,
    "stochastic-complement-gap": _complement_gap,
    "watched-chain-gap": _watched_gap,
}
"""How bound and true value are written, by theorem."""

_OVER_TIME = (
    "it is about every time, and the true value is a sum of powers of all eigenvalues: its factor "
    "changes with time"
)
WITHOUT = {
    "law-perturbation": "it needs the farthest rows of the group inverse of the whole chain, which "
    "change with the point",
    "aldous-brown-survival": _OVER_TIME,
    "aldous-brown-survival-steps": _OVER_TIME,
    "aldous-brown-exponential": _OVER_TIME,
    "pseudo-spectral-gap-contraction": "it needs the distance of two rows of a power of the chain, "
    "which has no closed form in the number of steps",
    "pseudo-spectral-gap-distance": _OVER_TIME,
    "pseudo-spectral-gap-mixing": "the mixing time is the first integer that passes a threshold, "
    "not a closed form",
    "pseudo-spectral-gap-variance": _OVER_TIME,
    "pseudo-spectral-gap-variance-sharp": _OVER_TIME,
}
"""Why there is no expression, whatever the composition."""
