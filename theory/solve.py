"""Exact linear algebra over fraction fields.

SymPy's ``Matrix.inv`` and ``Matrix.solve`` do not end on symbolic systems of this size; reduction
over a fraction field, with every entry in lowest terms, takes milliseconds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import sympy
from sympy.polys.domains import QQ, Domain
from sympy.polys.matrices import DomainMatrix


class NoSolution(ValueError):
    """The linear system is inconsistent or does not determine its unknowns."""


def fraction_field(symbols: Sequence[sympy.Symbol]) -> Domain:
    """Rational functions in the symbols over the rationals (the rationals if there are none)."""
    return QQ.frac_field(*symbols) if symbols else QQ


def solve_linear(
    equations: Sequence[Mapping[int, object]], unknowns: int, field: Domain
) -> list[sympy.Expr]:
    """Solve equations sum_n a_n x_n = a_unknowns over a field.

    Parameters
    ----------
    equations : coefficients by number of the unknown; number ``unknowns`` is the right-hand side.

    Raises
    ------
    NoSolution
        There is no solution, or more than one.
    """
    rows = [[e.get(n, field.zero) for n in range(unknowns + 1)] for e in equations]
    matrix = DomainMatrix(rows, (len(rows), unknowns + 1), field).to_sparse()
    reduced, pivots = matrix.rref()
    if pivots != tuple(range(unknowns)):
        raise NoSolution("the equations do not have exactly one solution")
    return [field.to_sympy(reduced[n, unknowns].element) for n in range(unknowns)]
