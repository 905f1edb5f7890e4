"""A1-A4 for composed families: which of them hold, and with what constants.

A1 dense clusters, A2 sparse edges, A3 the task, A4 uniform escape, after Kim et al. (2025).  The
constants are functions of the parameters; an assumption is met where they lie between pure numbers
on epsilon <= 1/2.
"""

from __future__ import annotations

import itertools
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from typing import TypeVar

import sympy

from theory.attachment import Gate, Gates
from theory.certificates import Certificate, NoProof, prove_nonnegative
from theory.chain import OrbitChain, j, leaves
from theory.claims import NoClaim
from theory.composed import CompositionDerivation, law_of_chain
from theory.conjecture import NoClosedForm, hitting_times
from theory.domain import Domain, Point, evaluate, expression, tidy
from theory.family import Pivot, epsilon
from theory.kernel import GATE, Kernel
from theory.meta_graph import MetaGraph
from theory.results.order import Order, extreme, order_of, typical
from theory.results.rate import HALF, size
from theory.spectrum import gap_from_orbit, pivot_certificate

ONE = sympy.Integer(1)
SMALL = tuple(map(sympy.Integer, range(1, 7)))
T = TypeVar("T", bound=Hashable)
POINTS = 12  # at which a formula read off by comparison is checked


class Status(StrEnum):
    """What becomes of an assumption."""

    MET = "met"
    VARIES = "varies"  # with a constant that depends on the sizes
    BROKEN = "broken"
    OPEN = "open"


@dataclass(frozen=True)
class Constant:
    """A constant of an assumption.

    Attributes
    ----------
    symbol : its name, in LaTeX.
    value : a function of the parameters.
    bound : ``>=`` if the constant is only known to be at least the value, else ``=``.
    backing : what it rests on.
    order : its size between two multiples of a function of the sizes, if that is shown.
    """

    symbol: str
    value: sympy.Expr
    backing: str
    bound: str = "="
    order: Order | None = None

    def at(self, point: Point) -> Fraction:
        """The value at a point, exactly."""
        if isinstance(self.value, sympy.Min | sympy.Max):
            pick = min if isinstance(self.value, sympy.Min) else max
            return pick(evaluate(part, point) for part in self.value.args)
        return evaluate(self.value, point)

    @property
    def latex(self) -> str:
        """The constant and its value."""
        return rf"{self.symbol} {'=' if self.bound == '=' else chr(92) + 'ge'} {_latex(self.value)}"


@dataclass(frozen=True)
class Finding:
    """One assumption for one family."""

    name: str
    status: Status
    constants: tuple[Constant, ...]
    reason: str

    @property
    def latex(self) -> str:
        """The constants, side by side."""
        return r",\quad ".join(c.latex for c in self.constants)


def assumptions(derivation: CompositionDerivation) -> dict[str, Finding]:
    """A1 to A4 of a composed family."""
    found = (a(derivation) for a in (dense_clusters, sparse_edges, task, uniform_escape))
    return {finding.name: finding for finding in found}


def _latex(value: sympy.Expr) -> str:
    return str(sympy.latex(value))


# ---------------------------------------------------------------- A1
def dense_clusters(derivation: CompositionDerivation) -> Finding:
    """A1: a pseudo-spectral gap gamma of S_kk, and c1/M <= pi_k(x) <= c2/M."""
    family = derivation.family
    inside = family.cluster.inside
    domain, about = _half(inside.domain)
    try:
        law_of_chain(inside)
        law = family.cluster.law
    except (NoProof, NoClosedForm) as error:
        return Finding("A1", Status.OPEN, (), f"the law of a cluster is not derived: {error}")
    masses = [sympy.factor(size(inside) * mass) for mass in law]
    backing = "stationary law of the chain watched on a cluster"
    constants = [
        _measured(
            symbol, extreme(masses, inside.domain, largest), backing, domain, about, largest=largest
        )
        for symbol, largest in (("c_1", False), ("c_2", True))
    ]
    try:
        value, bound, rests = _gap(derivation)
    except NoClaim as error:
        return Finding("A1", Status.OPEN, tuple(constants), f"no bound of gamma: {error}")
    constants.insert(0, _measured(r"\gamma", value, rests, domain, about, bound))
    loose = [c for c in constants if c.order is None or c.order.order != 1]
    if not loose:
        reason = "gamma, c_1 and c_2 lie between pure numbers on epsilon <= 1/2"
        return Finding("A1", Status.MET, tuple(constants), reason)
    told = ", ".join(
        f"{c.symbol.strip(chr(92))} "
        + (f"is of order {c.order.order}" if c.order else "is no one function")
        for c in loose
    )
    reason = told.replace("gamma is", "the bound of gamma is" if bound == ">=" else "gamma is")
    return Finding("A1", Status.VARIES, tuple(constants), reason)


def _half(domain: Domain) -> tuple[Domain, Mapping[sympy.Symbol, sympy.Expr]]:
    usual, about = typical(domain)
    return usual.where(HALF), about


def _measured(
    symbol: str,
    value: sympy.Expr,
    backing: str,
    domain: Domain,
    about: Mapping[sympy.Symbol, sympy.Expr],
    bound: str = "=",
    largest: bool | None = None,
) -> Constant:
    """A constant with its order; of several functions the largest or least is measured by each."""
    try:
        order = None if value.has(sympy.Min, sympy.Max) else order_of(value, domain, about)
    except NoProof:
        order = None
    return Constant(symbol, tidy(value, domain) if order else value, backing, bound, order)


def _gap(derivation: CompositionDerivation) -> tuple[sympy.Expr, str, str]:
    """A value or bound of gamma_ps(S_kk), and what it rests on.

    For reversible S with eigenvalues in [2 s - 1, 1 - g] beside 1, gamma_ps >= 1 - max lambda^2
    (r = 1) is at least min(g, 2 s), s the least probability to stay, and g <= 1.
    """
    family = derivation.family
    if "pseudo-spectral-gap" not in family.absent:
        claim = derivation.claim("pseudo-spectral-gap")
        assert claim.expression is not None
        return claim.expression, "=", f"claim {claim.id}"
    if not family.kernel.reversible or not isinstance(family.attachment, Gate | Gates):
        raise NoClaim("S_kk is not reversible, or its moves are changed by the attachment")
    inside = family.cluster.inside
    if inside.orbits[GATE].size != 1:
        raise NoClaim("a cluster has several gates, and no state to measure the gap from")
    stays = holding(family.kernel)
    least = extreme(list(stays.values()), family.kernel.domain, False)
    if least == 0:
        raise NoClaim("a state is left at every step, so that the least eigenvalue is not bounded")
    premise = _gap_of_cluster(inside)
    gap = expression(premise["statement"]["value"])
    value = extreme([gap, 2 * least], inside.domain, False)
    return value, ">=", "gap-lower of the cluster, and the least probability to stay"


def _gap_of_cluster(inside: OrbitChain) -> Certificate:
    """A lower bound of the gap: one over the longest time to the gate, or over N^2 or 2 N^2.

    Where an orbit has an index the longest time is at no end of its range.
    """
    if not any(o.index for o in inside.orbits.values()):
        return gap_from_orbit(inside, GATE)
    times, number = hitting_times(inside, GATE), size(inside)
    for longest in (number**2, 2 * number**2):
        try:
            return pivot_certificate(Pivot(GATE), times, 1 / longest, inside)
        except NoProof:
            continue
    raise NoClaim("the time to the gate is not shown to be within twice the square of the size")


def holding(kernel: Kernel) -> dict[str, sympy.Expr]:
    """The probability to stay, for one state of each orbit with one gate.

    It is the probability to move to the own orbit, that over its size, or 0: the one that the
    explicit kernel has at every point of a sample.

    Raises
    ------
    NoClaim
        None of these fits.
    """
    chain, found = kernel.chain(), dict[str, sympy.Expr]()
    points = kernel.domain.points(POINTS, largest=7) if kernel.parameters else [{}]
    for row in chain.rows:
        own = [m.probability for m in row.moves if m.to == row.orbit and m.at in (None, j)]
        mass = sympy.Add(*own)
        for value in (sympy.Integer(0), mass / chain.orbits[row.orbit].size, mass):
            known = ((_stays(kernel, p, row.orbit), p) for p in points)
            if all(not left or left == {evaluate(value, p)} for left, p in known):
                found[row.orbit] = value
                break
        else:
            raise NoClaim(f"the probability to stay in {row.orbit} is not read off its row")
    return found


def _stays(kernel: Kernel, point: Point, orbit: str) -> set[Fraction]:
    moves = kernel.explicit(point)
    left: dict[int, Fraction] = {}
    for (a, _), p in moves.items():
        left[a] = left.get(a, Fraction(0)) + p
    return {1 - p for a, p in left.items() if kernel.place(a, point)[0] == orbit}


# ---------------------------------------------------------------- A2
def sparse_edges(derivation: CompositionDerivation) -> Finding:
    """A2: edges between c3 epsilon and c4 epsilon, n_out exits of a cluster, d_out of a state."""
    family = derivation.family
    cluster, meta = family.cluster.chain, family.meta
    try:
        walk, degree = edges(meta)
    except NoClaim as error:
        return Finding("A2", Status.OPEN, (), str(error))
    types = [
        (row.orbit, m.probability / epsilon) for row in cluster.rows for m in row.moves if m.meta
    ]
    exits = sum((cluster.orbits[n].size for n in dict.fromkeys(n for n, _ in types)), 0 * ONE)
    landings = max(
        sum(1 for n, _ in types if n == name) for name in dict.fromkeys(n for n, _ in types)
    )
    weights = [sympy.factor(share * w) for _, share in types for w in walk]
    domain, about = typical(family.domain)
    backing = f"rows of the walk, its {len(walk)} kinds of edges counted at {POINTS} points"
    values = {
        "c_3": extreme(weights, family.domain, False),
        "c_4": extreme(weights, family.domain, True),
        r"n_{\mathrm{out}}": sympy.factor(exits),
        r"d_{\mathrm{out}}": landings * degree,
    }
    constants = tuple(_measured(n, x, backing, domain, about) for n, x in values.items())
    loose = [c for c in constants if c.order is None or c.order.order != 1]
    if not loose:
        reason = "edges have order epsilon, and exits are bounded, by pure numbers"
        return Finding("A2", Status.MET, constants, reason)
    names = {"c_3": "the least edge over epsilon", "c_4": "the largest edge over epsilon"}
    names |= {r"n_{\mathrm{out}}": "n_out", r"d_{\mathrm{out}}": "d_out"}
    told = ", ".join(
        f"{names[c.symbol]} is {'of order ' + str(c.order.order) if c.order else c.value}"
        for c in loose
    )
    free = all(c.symbol == r"n_{\mathrm{out}}" for c in loose)
    return Finding("A2", Status.VARIES if free else Status.BROKEN, constants, told)


def edges(meta: MetaGraph) -> tuple[list[sympy.Expr], sympy.Expr]:
    """The probabilities of single edges of a walk, and the most edges out of a cluster.

    A row gives the probability to move to an orbit; that of one edge is a part of it, by the number
    of neighbours in the orbit, which is guessed from sizes and compared with the walk at points.

    Raises
    ------
    NoClaim
        The numbers of neighbours are no simple functions of sizes.
    """
    chain = leaves(meta.problems()[0].chains)[-1]
    points = meta.domain.points(POINTS, largest=7) if meta.domain.parameters else [{}]
    counted = [_neighbours(meta, point) for point in points]
    found, degrees = list[sympy.Expr](), list[sympy.Expr]()
    for row in chain.rows:
        degree = sympy.Integer(0)
        for m in row.moves:
            here, there = (chain.orbits[n].size for n in (row.orbit, m.to))
            guesses = [
                there,
                there - 1,
                sympy.cancel(there / here),
                *map(sympy.Integer, range(1, 7)),
            ]
            number = next((g for g in guesses if _fits(g, row.orbit, m.to, points, counted)), None)
            if chain.orbits[m.to].index:
                number = ONE if there == 1 else None  # the index tells the clusters apart
            if number is None:
                raise NoClaim(f"edges from {row.orbit} to {m.to} are not counted by sizes")
            found.append(sympy.factor(m.probability / number))
            degree += number
        degrees.append(degree)
    return list(dict.fromkeys(found)), extreme(degrees, meta.domain, True)


Counts = Mapping[tuple[str, str], set[int]]


def _neighbours(meta: MetaGraph, point: Point) -> Counts:
    """How many clusters of an orbit are next to one of another."""
    walk = meta.walk(point)
    near: dict[int, list[str]] = {}
    for k, l in walk:
        near.setdefault(k, []).append(meta.place_of(l, point)[0])
    found: dict[tuple[str, str], set[int]] = {}
    for k, names in near.items():
        for name in set(names):
            found.setdefault((meta.place_of(k, point)[0], name), set()).add(names.count(name))
    return found


def _fits(
    number: sympy.Expr, here: str, there: str, points: Sequence[Point], counted: Sequence[Counts]
) -> bool:
    """Whether each cluster of an orbit has that many neighbours in another, at every point."""
    pairs = (
        (counts.get((here, there)), point) for counts, point in zip(counted, points, strict=True)
    )
    return all(found is None or found == {evaluate(number, point)} for found, point in pairs)


# ---------------------------------------------------------------- A3
def task(derivation: CompositionDerivation) -> Finding:
    """A3: the least number of sparse edges from start to target, against the number of clusters."""
    family = derivation.family
    meta = family.meta
    clusters = size(leaves(meta.problems()[0].chains)[-1])
    try:
        value, backing = distance(meta)
    except NoClaim as error:
        return Finding("A3", Status.OPEN, (), str(error))
    shortest = Constant(r"\ell", value, backing)
    usual, about = typical(meta.domain)
    fixed = {sympy.Symbol(n): expression(x) for n, x in usual.values.items()}
    far = sympy.sympify(value.subs(fixed))
    half = {s: x for s, x in about.items() if s not in fixed}
    if far.has(sympy.Min):  # of d and K - d, with d at most K/2
        far = next(a for a in far.args if _least(a, far, usual))
    if not clusters.free_symbols:
        reason = f"one graph, of {clusters} clusters: an order in K says nothing of it"
        return Finding("A3", Status.MET, (shortest,), reason)
    share = sympy.factor(far / clusters)
    try:
        order = order_of(share, usual, half)
    except NoProof:
        return Finding("A3", Status.OPEN, (shortest,), f"the order of {share} is not shown")
    told = Constant(r"\ell/K", share, backing, order=order)
    if order.order == 1:
        reason = f"at least {order.lower} K sparse edges from the farthest start"
        return Finding("A3", Status.MET, (shortest, told), reason)
    way = "1 sparse edge" if far == 1 else f"{far} sparse edges"
    reason = f"{way} from start to target, and K is of order {1 / order.order} times that"
    return Finding("A3", Status.BROKEN, (shortest, told), reason)


def _least(value: sympy.Expr, least: sympy.Expr, domain: Domain) -> bool:
    return all(prove_nonnegative(domain, sympy.expand(other - value)) for other in least.args)


def distance(meta: MetaGraph) -> tuple[sympy.Expr, str]:
    """The least number of steps of the walk from its start to its target, and what it rests on.

    Where no orbit has an index it is the distance in the graph of orbits, exactly.  Else an affine
    function of the sizes, or the lesser of two, is fitted to searches at points.

    Raises
    ------
    NoClaim
        No such function fits.
    """
    problem = meta.problems()[0]
    chain = leaves(problem.chains)[-1]
    if not any(o.index for o in chain.orbits.values()):
        steps = {row.orbit: [m.to for m in row.moves] for row in chain.rows}
        reached = _search(steps, problem.start[0], problem.target)
        return sympy.Integer(reached), "search in the graph of orbits"
    points = meta.domain.points(40, seed=3, largest=9)
    known = []
    for point in points:
        near: dict[int, list[int]] = {}
        for k, l in meta.walk(point):
            near.setdefault(k, []).append(l)
        known.append(_search(near, *meta.ends(point)))
    names = [sympy.Symbol(p.name) for p in meta.domain.parameters if p.integer]
    slopes = itertools.product(range(-1, 3), repeat=len(names))
    lines = [sympy.Add(c, *map(sympy.Mul, slope, names)) for slope in slopes for c in range(-2, 3)]
    values = {line: [evaluate(line, point) for point in points] for line in lines}
    above = [
        line for line, v in values.items() if all(a >= b for a, b in zip(v, known, strict=True))
    ]
    tried = [(line,) for line in above] + list(itertools.combinations(above, 2))
    for lesser in tried:
        if all(min(values[x][n] for x in lesser) == b for n, b in enumerate(known)):
            return sympy.Min(*lesser), f"fitted to searches at {len(points)} points"
    raise NoClaim("the distance is no affine function of the sizes, and no lesser of two")


def _search(near: Mapping[T, Sequence[T]], start: T, target: T) -> int:
    """The number of steps from a start to a target, breadth first."""
    reached, front, steps = {start}, [start], 0
    while target not in reached:
        front = [b for a in front for b in near[a] if b not in reached]
        reached |= set(front)
        steps += 1
    return steps


# ---------------------------------------------------------------- A4
def uniform_escape(derivation: CompositionDerivation) -> Finding:
    """A4: how much the law of the edge by which a cluster is left varies with the start in it.

    The variation is the largest distance in total variation between two such laws.  From one gate
    there is one law.  With n gates, exchangeable, h(x) = P_x(left at gate i) - P_x(left at gate j)
    vanishes at all states that an exchange of i and j fixes, so that at gate i it is
    D = epsilon/(1 - p + q), with p the probability to stay at a gate and q that of a move from one
    gate to another, both inside.
    """
    family = derivation.family
    zero = sympy.Integer(0)
    if not isinstance(family.attachment, Gates):
        constant = Constant(r"\delta", zero, "rows of a cluster: one state is left from")
        return Finding("A4", Status.MET, (constant,), "every exit is from the one gate")
    kernel, n = family.kernel, sympy.Symbol("n")
    try:
        stays = holding(kernel)[GATE]
    except NoClaim as error:
        return Finding("A4", Status.OPEN, (), str(error))
    row = next(r for r in kernel.chain(n).rows if r.orbit == GATE)
    to_gates = sympy.Add(*(m.probability for m in row.moves if m.to == GATE))
    across = sympy.factor((to_gates - stays) / (n - 1))
    value = tidy(epsilon / (1 - (1 - epsilon) * (stays - across)), family.domain)
    constant = Constant(r"\delta", value, "an exchange of two gates", "=")
    reason = "the gate at which one starts is left from a little more often, by order epsilon"
    return Finding("A4", Status.MET, (constant,), f"{reason} (for n >= 2)")
