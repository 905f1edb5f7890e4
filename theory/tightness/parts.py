"""What the general theorems need of a composition, each once: times, laws, gaps and routes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction
from functools import cached_property
from itertools import pairwise
from typing import Any, NamedTuple

import sympy
from sympy import Max

from theory.attachment import Decoy, Gate
from theory.bounds import canonical_paths
from theory.bounds.base import FiniteChain, Number
from theory.certificates import NoProof
from theory.chain import Move, Orbit, OrbitChain, Row, leaves
from theory.claims import NoClaim
from theory.composed import MODE, Composed, CompositionDerivation, law_of_chain
from theory.composition import H, R, leaving
from theory.conjecture import hitting_times, potential
from theory.derive import law_of
from theory.domain import Domain, Parameter, expression, tidy
from theory.kernel import GATE, HOME
from theory.spectrum import gap_from_orbit
from theory.tightness.spans import ONE, ZERO, Span, known, rationalised, rising

g, D = sympy.symbols("g D")
WALK = (
    Parameter("H", ("H >= 1",), "mean time of the walk from start to target", integer=False),
    Parameter("R", ("R > 1",), "mean time of the walk to return to the target", integer=False),
    Parameter("g", ("g > 0", "g <= 2"), "spectral gap of the walk", integer=False),
    Parameter("D", ("D >= 2",), "neighbours of a cluster, all taken alike"),
)
"""The numbers of a walk on the clusters."""


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


class Parts:
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
        try:
            return "reversed" not in law_of_chain(self.cluster.inside)["statement"]
        except NoProof:
            return False

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
            return rising(lambda x: self.eigenvalue(1 - x), self.walk_gap)
        self.need_balance()
        claim = self.derivation.claim("spectral-gap")
        assert claim.lower is not None
        assert claim.upper is not None
        return Span(claim.lower, claim.upper, claim.domain.facts)

    @cached_property
    def outer_gap(self) -> Span:
        """The gap of the aggregated chain."""
        return rising(lambda x: x / self.step, self.walk_gap)

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
        found = rising(lambda x: x * (2 - x), self.gap)
        return replace(found, facts=(*found.facts, fact))

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
        found = {self.to_gate[HOME], times[GATE], times[other_orbit(orbits)]}
        return Max(*(tidy(x, self.domain) for x in found))

    @cached_property
    def commute(self) -> sympy.Expr:
        """The largest commute time of L."""
        self.need_alike()
        ends = self.to_gate[HOME] + self.to_home[GATE]
        others = 2 * self.to_home[other_orbit(self.cluster.chain.orbits)]
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


def other_orbit(orbits: Mapping[str, Orbit]) -> str:
    """The orbit of the states that are neither gate nor home."""
    return next(name for name in orbits if name not in (GATE, HOME, "outside"))


def _routes(walk: FiniteChain) -> Routes:
    """The shortest paths of a walk in numbers, chosen as `canonical_paths.shortest_paths` does."""
    law = [rational(p) for p in walk.law]
    edges = {(k, l): rational(walk.flow(k, l)) for k in walk.states for l in walk.rows[k]}
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


def rational(value: Number) -> sympy.Expr:
    """A fraction as SymPy has it."""
    exact = Fraction(value)
    return sympy.Rational(exact.numerator, exact.denominator)
