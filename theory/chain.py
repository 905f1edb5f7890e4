"""Chains: symbolic on orbits, explicit at a point, and the test that the one lumps to the other.

An orbit chain is given by *generic rows*: one row serves all indices j of a class in a range, so
that a chain with any number K of clusters is a finite object.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import sympy

from theory.domain import Domain, Point, evaluate, expression

State = tuple[int, int]  # cluster k, member i; both count from 0
Place = tuple[str, int | None]  # class, index
j = sympy.Symbol("j")  # the index inside a class
ONE = sympy.Integer(1)


@dataclass(frozen=True)
class Orbit:
    """States that a symmetry moves onto one another, one orbit for each index in a range.

    Attributes
    ----------
    size : number of states in the orbit (for each index).
    cluster : the cluster, or the set of like clusters, in which they lie.
    index : first and last j, or None for a single orbit.
    """

    size: sympy.Expr
    cluster: str
    index: tuple[sympy.Expr, sympy.Expr] | None = None


@dataclass(frozen=True)
class Move:
    """A transition to an orbit.

    ``sparse`` if it leaves the cluster; ``meta`` if the type becomes ``to`` while the cluster makes
    one step of a walk on the clusters that the rows leave open.
    """

    to: str
    probability: sympy.Expr
    at: sympy.Expr | None = None
    sparse: bool = False
    meta: bool = False


@dataclass(frozen=True)
class Row:
    """The transitions from one orbit, for all j in a range."""

    orbit: str
    moves: tuple[Move, ...]
    index: tuple[sympy.Expr, sympy.Expr] | None = None


@dataclass(frozen=True)
class OrbitChain:
    """A chain on orbits with symbolic rows, on a domain of its parameters."""

    domain: Domain
    orbits: Mapping[str, Orbit]
    rows: tuple[Row, ...]
    even: bool = False  # a move to an orbit is uniform on it, or on its other states

    def on(self, domain: Domain) -> OrbitChain:
        """The same rows on another domain."""
        return replace(self, domain=domain)

    def to_json(self) -> dict[str, object]:
        """The form that certificates carry."""

        def span(index: tuple[sympy.Expr, sympy.Expr] | None) -> list[str] | None:
            return None if index is None else [str(index[0]), str(index[1])]

        return {
            "classes": {
                name: {"size": str(o.size), "index": span(o.index)}
                for name, o in self.orbits.items()
            },
            "rows": [
                {
                    "from": row.orbit,
                    "index": span(row.index),
                    "to": [
                        [m.to, None if m.at is None else str(m.at), str(m.probability)]
                        + (["W"] if m.meta else [])
                        for m in row.moves
                    ],
                }
                for row in self.rows
            ],
            **({"even": "yes"} if self.even else {}),
        }

    def states(self, point: Point) -> int:
        """Number of states at a point."""
        count = Fraction(0)
        for o in self.orbits.values():
            first, last = o.index or (sympy.Integer(0), sympy.Integer(0))
            count += (evaluate(last - first, point) + 1) * evaluate(o.size, point)
        return int(count)

    def at(self, point: Point) -> dict[Place, dict[Place, Fraction]]:
        """All rows at a point, exact; orbits of size 0 are left out."""
        out: dict[Place, dict[Place, Fraction]] = {}
        for row in self.rows:
            for index in indices(row.index, point):
                here = with_index(point, index)
                if evaluate(self.orbits[row.orbit].size, here) == 0:
                    continue
                moves: dict[Place, Fraction] = {}
                for move in row.moves:
                    p = evaluate(move.probability, here)
                    if p:
                        to = move.to, None if move.at is None else int(evaluate(move.at, here))
                        moves[to] = moves.get(to, Fraction(0)) + p
                out[row.orbit, index] = moves
        return out


@dataclass(frozen=True)
class Cases:
    """A chain by cases of an integer fact: equality, or one more."""

    domain: Domain
    fact: str
    parts: tuple[Chains, ...]


Chains = OrbitChain | Cases


def leaves(chains: Chains) -> list[OrbitChain]:
    """The chains of all cases, the most general one last."""
    if isinstance(chains, OrbitChain):
        return [chains]
    return [leaf for part in chains.parts for leaf in leaves(part)]


def leaf_at(chains: Chains, point: Point) -> OrbitChain:
    """The case that holds at a point."""
    return next(leaf for leaf in leaves(chains) if leaf.domain.violated(point) is None)


def indices(index: tuple[sympy.Expr, sympy.Expr] | None, point: Point) -> Sequence[int | None]:
    """The values of j in a range at a point; None alone if there is no index."""
    if index is None:
        return [None]
    return range(int(evaluate(index[0], point)), int(evaluate(index[1], point)) + 1)


def orbit(size: object, cluster: str, first: object = None, last: object = None) -> Orbit:
    """An orbit; its index runs from ``first`` to ``last`` if these are given."""
    index = None if first is None else (expression(str(first)), expression(str(last)))
    return Orbit(expression(str(size)), cluster, index)


def row(name: str, moves: Iterable[Move], first: object = None, last: object = None) -> Row:
    """A row; it serves j from ``first`` to ``last`` if these are given.

    A probability may also be an int or a Fraction.
    """
    index = None if first is None else (expression(str(first)), expression(str(last)))
    exact = (
        replace(m, probability=expression(str(m.probability)))
        if isinstance(m.probability, int | Fraction)
        else m
        for m in moves
    )
    return Row(name, tuple(exact), index)


def dense(
    mass: sympy.Expr, members: Mapping[str, sympy.Expr], at: sympy.Expr | None = None
) -> list[Move]:
    """Mass spread uniformly over the states of a clique, given as orbit -> number of states."""
    total = sympy.Add(*members.values())
    return [Move(name, mass * size / total, at) for name, size in members.items()]


def sparse(to: str, probability: sympy.Expr, at: sympy.Expr | None = None) -> Move:
    """A sparse edge, or several to one orbit taken together."""
    return Move(to, probability, at, sparse=True)


@dataclass(frozen=True)
class ExplicitChain:
    """A chain at a point, state by state, exact.

    Attributes
    ----------
    states : all states (k, i).
    transitions : off-diagonal probabilities by pair of positions in ``states``.
    """

    states: tuple[State, ...]
    transitions: Mapping[tuple[int, int], Fraction]

    @property
    def clusters(self) -> tuple[int, ...]:
        """The cluster of each state."""
        return tuple(k for k, _ in self.states)


def cliques(sizes: Sequence[int], edges: Mapping[tuple[State, State], Fraction]) -> ExplicitChain:
    """Cliques with sparse edges; the rest of a state's mass is uniform on its own clique."""
    states = tuple((k, i) for k, size in enumerate(sizes) for i in range(size))
    position = {state: n for n, state in enumerate(states)}
    out: dict[tuple[int, int], Fraction] = {}
    left = dict.fromkeys(states, Fraction(1))
    for (source, target), p in edges.items():
        pair = position[source], position[target]
        out[pair] = out.get(pair, Fraction(0)) + p
        left[source] -= p
    for k, i in states:
        for other in range(sizes[k]):
            if other != i:
                pair = position[k, i], position[k, other]
                out[pair] = out.get(pair, Fraction(0)) + left[k, i] / sizes[k]
    return ExplicitChain(states, out)


def lumping_error(
    explicit: ExplicitChain,
    quotient: OrbitChain,
    point: Point,
    place: Callable[[State], Place],
) -> str | None:
    """Why the explicit chain does not lump to the quotient at a point, or None if it does.

    Strong lumpability (Kemeny and Snell 1976, theorem 6.3.2): every state of an orbit has the same
    probability of moving to each orbit, and it is the one in the quotient's row.
    """
    places = [place(state) for state in explicit.states]
    rows = quotient.at(point)
    if set(places) != set(rows):
        odd = sorted(set(places) ^ set(rows), key=str)
        return f"the orbits of the states do not match the rows: {odd}"
    mass: list[dict[Place, Fraction]] = [{} for _ in places]
    stay = [Fraction(1)] * len(places)
    for (a, b), p in explicit.transitions.items():
        mass[a][places[b]] = mass[a].get(places[b], Fraction(0)) + p
        stay[a] -= p
    for n, state in enumerate(explicit.states):
        if stay[n]:
            mass[n][places[n]] = mass[n].get(places[n], Fraction(0)) + stay[n]
        if {k: v for k, v in mass[n].items() if v} != rows[places[n]]:
            return f"state {state}: its moves differ from the row of orbit {places[n]}"
        size = evaluate(quotient.orbits[places[n][0]].size, with_index(point, places[n][1]))
        if size != places.count(places[n]):
            return f"orbit {places[n]} has {places.count(places[n])} states, not {size}"
    return None


def row_faults(chain: OrbitChain, names: Collection[str]) -> Iterator[str]:
    """What is wrong with sizes and rows that someone has written, with a remedy.

    Parameters
    ----------
    names : of the parameters, and of what else may stand in them.
    """
    known = ", ".join(chain.orbits)
    for name, here in chain.orbits.items():
        yield from _inexact(here.size, {*names, "j"}, f"the size of {name!r}")
    for row in chain.rows:
        for to in (row.orbit, *(move.to for move in row.moves)):
            if to not in chain.orbits:
                yield f"unknown orbit {to!r}: give one of {known}"
                return
        for move in row.moves:
            where = f"the move from {row.orbit!r} to {move.to!r}"
            yield from _inexact(move.probability, {*names, "j"}, where)
            indexed = chain.orbits[move.to].index is not None
            if indexed and move.at is None:
                yield (
                    f"{where} needs an index: give it at=.., the j that it leads to; a move cannot "
                    "spread over several"
                )
            if not indexed and move.at is not None:
                yield f"{where} needs no index: leave out at"
        excess = sympy.cancel(sympy.Add(*(move.probability for move in row.moves)) - 1)
        if excess != 0 and not _vanishes(excess, chain, row):
            yield f"the row of {row.orbit!r} misses 1 by {excess}: mend its probabilities"
    for name, here in chain.orbits.items():
        own = [row for row in chain.rows if row.orbit == name]
        if not own:
            yield f"orbit {name!r} has no row: add it"
        if not here.index and len(own) > 1:
            yield f"orbit {name!r} has {len(own)} rows: keep one"


def _vanishes(value: sympy.Expr, chain: OrbitChain, row: Row) -> bool:
    """Whether an expression that is not 0 by its form is 0 on a row at a point, as by a fact."""
    point = chain.domain.inside
    names = {symbol.name for symbol in value.free_symbols}
    places = [with_index(point, index) for index in indices(row.index, point)]
    return all(names <= {*place} and evaluate(value, place) == 0 for place in places)


def _inexact(value: Any, names: Collection[str], where: str) -> Iterator[str]:
    """What keeps a value from being an expression in plain symbols, without floats."""
    if not isinstance(value, sympy.Expr):
        yield f"{where} has the {type(value).__name__} {value}: write sympy.Rational(1, 4)"
        return
    for number in sorted(value.atoms(sympy.Float)):
        exact = Fraction(str(number))
        remedy = f"write sympy.Rational({exact.numerator}, {exact.denominator})"
        yield f"{where} has the float {float(exact)}: {remedy}"
    for symbol in sorted(value.free_symbols, key=str):
        if symbol.name not in names:
            yield f"{where}: {symbol} is not a parameter: add Parameter({symbol.name!r}, ..)"
        elif symbol != sympy.Symbol(symbol.name):
            yield (
                f"{where}: the symbol {symbol} has assumptions: write sympy.Symbol({symbol.name!r})"
            )


def with_index(point: Point, index: int | None) -> Point:
    """The point, with j set."""
    return point if index is None else {**point, "j": Fraction(index)}


def chain_from_json(domain: Domain, data: Mapping[str, Any]) -> OrbitChain:
    """The orbit chain in a certificate; clusters and sparse edges are not marked there."""

    def span(index: Sequence[str] | None) -> tuple[sympy.Expr, sympy.Expr] | None:
        return None if index is None else (expression(index[0]), expression(index[1]))

    orbits = {
        name: Orbit(expression(info["size"]), "", span(info["index"]))
        for name, info in data["classes"].items()
    }
    rows = tuple(
        Row(
            r["from"],
            tuple(
                Move(
                    to,
                    expression(p),
                    None if at is None else expression(at),
                    meta="W" in tag,
                )
                for to, at, p, *tag in r["to"]
            ),
            span(r["index"]),
        )
        for r in data["rows"]
    )
    return OrbitChain(domain, orbits, rows)
