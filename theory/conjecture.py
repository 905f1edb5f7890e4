"""From generic rows to a closed form in the parameters and the cluster index.

Where the number of orbits grows with K, a solution is *conjectured* to be a polynomial in the index
j on each class, of a degree that is raised until the generic and boundary equations can all be met;
its coefficients come from one exact linear solve.  That it is the solution is not believed: it is
proved afterwards, by the certificate.
"""

from __future__ import annotations

from collections.abc import Mapping

import sympy
from sympy.polys.rings import PolyElement, ring

from theory.chain import Move, OrbitChain, Row, j
from theory.domain import expression
from theory.solve import NoSolution, fraction_field, solve_linear

LARGEST_DEGREE = 4


class NoClosedForm(ValueError):
    """No solution is polynomial in the index up to the largest degree tried."""


def hitting_times(chain: OrbitChain, target: str) -> dict[str, sympy.Expr]:
    """Mean time to hit the target orbit from each class, in the parameters and j.

    Solves h = 0 on the target, h = 1 + P h elsewhere (Norris 1997, theorem 1.3.5).

    Raises
    ------
    NoClosedForm
        The solution is not polynomial in j up to degree ``LARGEST_DEGREE``.
    """
    for degree in range(LARGEST_DEGREE + 1):
        try:
            return _solve(chain, target, degree)
        except NoSolution:
            if not any(o.index for o in chain.orbits.values()):
                break
    raise NoClosedForm(f"no polynomial in j up to degree {LARGEST_DEGREE} solves the rows")


def _solve(chain: OrbitChain, target: str, degree: int) -> dict[str, sympy.Expr]:
    """The coefficients of polynomials in j that meet the generic equation of every row."""
    fixed = _fixed(chain)
    names = [sympy.Symbol(p.name) for p in chain.domain.parameters]
    field = fraction_field([name for name in names if name not in fixed])
    polynomials, index = ring("j", field)
    powers = {
        name: range(degree + 1 if o.index else 1)
        for name, o in chain.orbits.items()
        if name != target
    }
    unknowns = [(name, n) for name, span in powers.items() for n in span]
    number = {unknown: count for count, unknown in enumerate(unknowns)}

    def at_index(value: sympy.Expr, at: PolyElement) -> PolyElement:
        """An expression in the parameters and j, at another j."""
        coefficients = sympy.Poly(sympy.sympify(value).subs(fixed), j).all_coeffs()
        terms = enumerate(reversed(coefficients))
        return sum((field.from_sympy(c) * _power(at, n) for n, c in terms), polynomials.zero)

    def equation(row: Row, here: PolyElement) -> dict[int, PolyElement]:
        """h(here) - sum of p h(there) = 1, by unknown."""
        parts = [(row.orbit, here, polynomials.one)]
        for move in row.moves:
            there = here if move.at is None else at_index(move.at, here)
            parts.append((move.to, there, -at_index(move.probability, here)))
        terms = {len(unknowns): polynomials.one}
        for name, at, factor in parts:
            for n in powers.get(name, ()):
                key = number[name, n]
                terms[key] = terms.get(key, polynomials.zero) + factor * _power(at, n)
        return terms

    equations: list[dict[int, object]] = []
    for row in chain.rows:
        length = _length(row, fixed)
        if row.orbit == target or length == 0:  # in this case the row serves no state
            continue
        alone = row.index is not None and length == 1
        terms = equation(row, at_index(row.index[0], index) if row.index and alone else index)
        degrees = {m for p in terms.values() for m in p}
        equations += [{n: p.get(m, field.zero) for n, p in terms.items()} for m in degrees]
    values = solve_linear(equations, len(unknowns), field)
    out: dict[str, sympy.Expr] = {target: sympy.Integer(0)}
    for (name, n), value in zip(unknowns, values, strict=True):
        out[name] = out.get(name, sympy.Integer(0)) + sympy.factor(value) * j**n
    return out


def _power(x: PolyElement, n: int) -> PolyElement:
    return x**n if n else x.ring.one  # SymPy's rings refuse 0**0


def _fixed(chain: OrbitChain) -> dict[sympy.Symbol, sympy.Expr]:
    return {sympy.Symbol(k): expression(v) for k, v in chain.domain.values.items()}


def _length(row: Row, fixed: Mapping[sympy.Symbol, sympy.Expr]) -> sympy.Expr:
    """How many indices a row serves."""
    if row.index is None:
        return sympy.Integer(1)
    return sympy.expand((row.index[1] - row.index[0] + 1).subs(fixed))


def stationary_law(chain: OrbitChain) -> list[sympy.Expr]:
    """Stationary probability of one state for each row, by detailed balance along the rows.

    Assumes a reversible chain whose law is constant over the range of each row; the certificate
    proves it or fails.  Normalised to total mass 1.
    """
    fixed = _fixed(chain)
    weight: dict[int, sympy.Expr] = {0: sympy.Integer(1)}
    todo = [0]
    while todo:
        a = todo.pop()
        source = chain.rows[a]
        for move in source.moves:
            for b, other in enumerate(chain.rows):
                if b in weight or not _lands(source, move, other, fixed):
                    continue
                back = [m for m in other.moves if m.to == source.orbit and _returns(m.at, move.at)]
                forth = [m for m in source.moves if (m.to, m.at) == (move.to, move.at)]
                if back:
                    flow = _mass(forth) * chain.orbits[source.orbit].size
                    backflow = _mass(back) * chain.orbits[other.orbit].size
                    weight[b] = sympy.cancel(weight[a] * flow / backflow)
                    todo.append(b)
    if len(weight) < len(chain.rows):
        raise NoClosedForm("the rows are not joined by pairs of opposite moves")
    total = sympy.Integer(0)
    for n, row in enumerate(chain.rows):
        total += _length(row, fixed) * chain.orbits[row.orbit].size * weight[n]
    total = sympy.factor(total.subs(fixed))
    return [sympy.factor(weight[n] / total) for n in range(len(chain.rows))]


def _mass(moves: list[Move]) -> sympy.Expr:
    return sympy.Add(*(m.probability for m in moves))


def _lands(row: Row, move: Move, other: Row, fixed: Mapping[sympy.Symbol, sympy.Expr]) -> bool:
    """Whether a move of the row may land in the range of the other row."""
    if other.orbit != move.to:
        return False
    if move.at is None or other.index is None:
        return move.at is None and other.index is None
    first, last = [move.at.subs(j, e) for e in row.index] if row.index else [move.at] * 2
    beyond = first - other.index[1], other.index[0] - last
    return not any(bool(sympy.expand(x.subs(fixed)).is_positive) for x in beyond)


def _returns(back: sympy.Expr | None, at: sympy.Expr | None) -> bool:
    if back is None or at is None or not at.has(j) or not back.has(j):
        return True
    return bool(sympy.expand(back.subs(j, at) - j) == 0)
