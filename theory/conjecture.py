"""From generic rows to a closed form in the parameters and the cluster index.

Where the number of orbits grows with K, a solution is *conjectured* to be a polynomial in the index
j on each class, of a degree that is raised until the generic and boundary equations can all be met;
its coefficients come from one exact linear solve.  That it is the solution is not believed: it is
proved afterwards, by the certificate.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction

import sympy
from sympy.polys.rings import PolyElement, ring

from theory.chain import ONE, Move, OrbitChain, Place, Row, indices, j, with_index
from theory.domain import evaluate, expression
from theory.factoring import factor
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
    return potential(chain, {target: sympy.Integer(0)}, lambda _: sympy.Integer(1))


def potential(
    chain: OrbitChain,
    boundary: Mapping[str, sympy.Expr],
    charge: Callable[[Row], sympy.Expr],
    discount: sympy.Expr = ONE,
) -> dict[str, sympy.Expr]:
    """The function with given boundary values and f = charge + discount P f elsewhere.

    Parameters
    ----------
    boundary : value on each orbit of the boundary.
    charge : the charge of a row, an expression in the parameters (other symbols may occur) and j.

    Raises
    ------
    NoClosedForm
        It is not polynomial in j up to degree ``LARGEST_DEGREE``.
    """
    for degree in range(LARGEST_DEGREE + 1):
        try:
            return _solve(chain, boundary, charge, discount, degree)
        except NoSolution:
            if not any(o.index for o in chain.orbits.values()):
                break
    raise NoClosedForm(f"no polynomial in j up to degree {LARGEST_DEGREE} solves the rows")


def _solve(
    chain: OrbitChain,
    boundary: Mapping[str, sympy.Expr],
    charge: Callable[[Row], sympy.Expr],
    discount: sympy.Expr,
    degree: int,
) -> dict[str, sympy.Expr]:
    """The coefficients of polynomials in j that meet the generic equation of every row."""
    fixed = _fixed(chain)
    used = [discount, *boundary.values(), *(charge(row) for row in chain.rows)]
    names = {sympy.Symbol(p.name) for p in chain.domain.parameters}
    names |= {s for value in used for s in sympy.sympify(value).free_symbols} - {j}
    field = fraction_field(sorted(names - set(fixed), key=str))
    polynomials, index = ring("j", field)
    powers = {
        name: range(degree + 1 if o.index else 1)
        for name, o in chain.orbits.items()
        if name not in boundary
    }
    unknowns = [(name, n) for name, span in powers.items() for n in span]
    number = {unknown: count for count, unknown in enumerate(unknowns)}

    def at_index(value: sympy.Expr, at: PolyElement) -> PolyElement:
        """An expression in the parameters and j, at another j."""
        coefficients = sympy.Poly(sympy.sympify(value).subs(fixed), j).all_coeffs()
        terms = enumerate(reversed(coefficients))
        return sum((field.from_sympy(c) * _power(at, n) for n, c in terms), polynomials.zero)

    def equation(row: Row, here: PolyElement) -> dict[int, PolyElement]:
        """f(here) - discount * sum of p f(there) = charge, by unknown."""
        parts = [(row.orbit, here, polynomials.one)]
        rate = at_index(discount, here)
        for move in row.moves:
            there = here if move.at is None else at_index(move.at, here)
            parts.append((move.to, there, -rate * at_index(move.probability, here)))
        terms = {len(unknowns): at_index(charge(row), here)}
        for name, at, weight in parts:
            if name in boundary:
                known = weight * at_index(boundary[name], at)
                terms[len(unknowns)] = terms[len(unknowns)] - known
            for n in powers.get(name, ()):
                key = number[name, n]
                terms[key] = terms.get(key, polynomials.zero) + weight * _power(at, n)
        return terms

    equations: list[dict[int, object]] = []
    for row in chain.rows:
        length = _length(row, fixed)
        if row.orbit in boundary or length == 0:  # in this case the row serves no state
            continue
        alone = row.index is not None and length == 1
        terms = equation(row, at_index(row.index[0], index) if row.index and alone else index)
        degrees = {m for p in terms.values() for m in p}
        equations += [{n: p.get(m, field.zero) for n, p in terms.items()} for m in degrees]
    values = solve_linear(equations, len(unknowns), field)
    out: dict[str, sympy.Expr] = dict(boundary)
    for (name, n), value in zip(unknowns, values, strict=True):
        out[name] = out.get(name, sympy.Integer(0)) + factor(value) * j**n
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
    """Stationary probability of one state for each row, normalised to total mass 1.

    By global balance where the orbits are finitely many.  Else by detailed balance along the rows,
    which assumes a reversible chain whose law is constant over the range of each row, or the
    uniform law; the certificate proves it or fails.
    """
    if not any(orbit.index for orbit in chain.orbits.values()):
        return _by_global_balance(chain)
    try:
        return _by_detailed_balance(chain)
    except NoClosedForm:
        uniform = _scaled_to_one(chain, [sympy.Integer(1)] * len(chain.rows))
        if _balanced(chain, uniform):
            return uniform
        raise


def _by_global_balance(chain: OrbitChain) -> list[sympy.Expr]:
    """The mass m of each orbit solves m = m P, sum m = 1; a state has its part of it."""
    fixed = _fixed(chain)
    field = fraction_field(
        [s for p in chain.domain.parameters if (s := sympy.Symbol(p.name)) not in fixed]
    )
    number = {row.orbit: n for n, row in enumerate(chain.rows)}
    sizes = [field.from_sympy(chain.orbits[row.orbit].size.subs(fixed)) for row in chain.rows]
    equations: list[dict[int, object]] = [{n: -field.one} for n in range(len(number))]
    for n, row in enumerate(chain.rows):
        for move in row.moves:
            target = equations[number[move.to]]
            p = field.from_sympy(sympy.sympify(move.probability).subs(fixed))
            target[n] = target.get(n, field.zero) + p
    equations.append(dict.fromkeys(range(len(number) + 1), field.one))
    masses = solve_linear(equations, len(number), field)
    return [
        factor(m / field.to_sympy(size)) if size else sympy.Integer(0)
        for m, size in zip(masses, sizes, strict=True)
    ]


def _by_detailed_balance(chain: OrbitChain) -> list[sympy.Expr]:
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
    law = _scaled_to_one(chain, [weight[n] for n in range(len(chain.rows))])
    if not _balanced(chain, law):
        raise NoClosedForm("the chain is not reversible, and its orbits grow in number")
    return law


def _scaled_to_one(chain: OrbitChain, weights: list[sympy.Expr]) -> list[sympy.Expr]:
    """Weights of one state, for each row, over their total."""
    fixed, total = _fixed(chain), sympy.Integer(0)
    for row, weight in zip(chain.rows, weights, strict=True):
        total += _length(row, fixed) * chain.orbits[row.orbit].size * weight
    total = factor(total.subs(fixed))
    return [factor(weight / total) for weight in weights]


def _balanced(chain: OrbitChain, law: list[sympy.Expr]) -> bool:
    """Whether the law is stationary at one point: a first test, before a proof is tried."""
    point = chain.domain.inside
    mass: dict[Place, Fraction] = {}
    for row, value in zip(chain.rows, law, strict=True):
        for index in indices(row.index, point):
            here = with_index(point, index)
            mass[row.orbit, index] = evaluate(chain.orbits[row.orbit].size * value, here)
    flow = dict.fromkeys(mass, Fraction(0))
    for place, moves in chain.at(point).items():
        for to, p in moves.items():
            flow[to] += mass[place] * p
    return flow == mass


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
