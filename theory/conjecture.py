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

from theory.chain import OrbitChain, j
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
    fixed = {sympy.Symbol(k): expression(v) for k, v in chain.domain.values.items()}
    names = [
        sympy.Symbol(p.name) for p in chain.domain.parameters if p.name not in chain.domain.values
    ]
    field = fraction_field(names)
    polynomials, index = ring("j", field)
    number = {
        (name, n): count
        for count, (name, n) in enumerate(
            (name, n)
            for name, o in chain.orbits.items()
            if name != target
            for n in range(degree + 1 if o.index else 1)
        )
    }

    def convert(value: sympy.Expr, at: PolyElement) -> PolyElement:
        """An expression in the parameters and j, with j replaced."""
        value = sympy.sympify(value).subs(fixed)
        out = polynomials.zero
        for n, coefficient in enumerate(reversed(sympy.Poly(value, j).all_coeffs())):
            out += field.from_sympy(coefficient) * (at**n if n else polynomials.one)
        return out

    equations: list[dict[int, object]] = []
    for row in chain.rows:
        if row.orbit == target:
            continue
        here = index
        if row.index is not None:
            length = sympy.expand((row.index[1] - row.index[0]).subs(fixed))
            if length == -1:  # no state in this case
                continue
            if length == 0:
                here = convert(row.index[0], index)
        terms: dict[int, PolyElement] = {len(number): polynomials.one}

        def collect(name: str, at: PolyElement, factor: PolyElement, terms=terms) -> None:  # type: ignore[no-untyped-def]
            if name != target:
                for n in range(degree + 1 if chain.orbits[name].index else 1):
                    key = number[name, n]
                    terms[key] = terms.get(key, polynomials.zero) + (
                        factor * at**n if n else factor
                    )

        collect(row.orbit, here, polynomials.one)
        for move in row.moves:
            at = here if move.at is None else convert(move.at, here)
            collect(move.to, at, -convert(move.probability, here))
        powers = {m for p in terms.values() for m in p.keys()}
        equations += [{n: p.get(m, field.zero) for n, p in terms.items()} for m in powers]
    values = solve_linear(equations, len(number), field)
    out: dict[str, sympy.Expr] = {target: sympy.Integer(0)}
    for (name, n), value in zip(number, values, strict=True):
        out[name] = out.get(name, sympy.Integer(0)) + sympy.factor(value) * j**n
    return out


def stationary_law(chain: OrbitChain) -> list[sympy.Expr]:
    """Stationary probability of one state for each row, by detailed balance along the rows.

    Assumes a reversible chain whose law is constant over the range of each row; the certificate
    proves it or fails.  Normalised to total mass 1.
    """
    fixed = {sympy.Symbol(k): expression(v) for k, v in chain.domain.values.items()}
    weight: dict[int, sympy.Expr] = {0: sympy.Integer(1)}
    todo = [0]
    while todo:
        a = todo.pop()
        source = chain.rows[a]
        for move in source.moves:
            for b, other in enumerate(chain.rows):
                if (
                    b in weight
                    or other.orbit != move.to
                    or not _lands(source, move.at, other, fixed)
                ):
                    continue
                back = [m for m in other.moves if m.to == source.orbit and _returns(m.at, move.at)]
                forth = [m for m in source.moves if m.to == move.to and m.at == move.at]
                if back:
                    flow = sum(m.probability for m in forth) * chain.orbits[source.orbit].size
                    backflow = sum(m.probability for m in back) * chain.orbits[other.orbit].size
                    weight[b] = sympy.cancel(weight[a] * flow / backflow)
                    todo.append(b)
    if len(weight) < len(chain.rows):
        raise NoClosedForm("the rows are not joined by pairs of opposite moves")
    total = sympy.Integer(0)
    for n, row in enumerate(chain.rows):
        count = 1 if row.index is None else row.index[1] - row.index[0] + 1
        total += count * chain.orbits[row.orbit].size * weight[n]
    total = sympy.factor(total.subs(fixed))
    return [sympy.factor(weight[n] / total) for n in range(len(chain.rows))]


def _lands(
    row: object, at: sympy.Expr | None, other: object, fixed: Mapping[sympy.Symbol, sympy.Expr]
) -> bool:
    """Whether a move from some j of the row may land in the other row's range."""
    span, target = row.index, other.index  # type: ignore[attr-defined]
    if at is None or target is None:
        return at is None and target is None
    ends = [at.subs(j, e) for e in span] if span else [at, at]
    beyond = (
        sympy.expand((ends[0] - target[1]).subs(fixed)),
        sympy.expand((target[0] - ends[1]).subs(fixed)),
    )
    return not any(x.is_number and x > 0 for x in beyond)


def _returns(back: sympy.Expr | None, at: sympy.Expr | None) -> bool:
    if back is None or at is None or not at.has(j) or not back.has(j):
        return True
    return bool(sympy.expand(back.subs(j, at) - j) == 0)
