"""Clusters in a row between two others, and cases of how many there are."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import sympy

from theory.chain import Cases, Chains, Move, Row, j, row, sparse
from theory.domain import Domain, expression

HALF = expression("1/2")


def by_number(
    domain: Domain,
    fact: str,
    name: str,
    values: Sequence[sympy.Expr],
    chain: Callable[[Domain, int], Chains],
    number: int = 0,
) -> Chains:
    """Cases of a number that a fact says is not negative: 0, 1, and on, and all from some number.

    Parameters
    ----------
    name, values : a parameter, and its values where the number is 0, 1, and on.
    chain : the chain on a part of the domain, for a number; the last stands for all from it on.
    """
    if number == len(values):
        return chain(domain, number)
    here, beyond = domain.split(fact, {name: str(values[number])})
    rest = by_number(beyond, beyond.all_facts[-1], name, values, chain, number + 1)
    return Cases(domain, fact, (chain(here, number), rest))


def corridor(
    name: str, ends: Iterable[Move], first: sympy.Expr, last: sympy.Expr, several: bool = True
) -> list[Row]:
    """Rows of the clusters first .. last between two others: of several, or of one alone.

    Parameters
    ----------
    ends : the moves out, before the first and after the last.
    """
    before, after = ends
    if not several:
        return [row(name, [before, after], first, last)]
    back, onward = (sparse(name, HALF, i) for i in (j - 1, j + 1))
    return [
        row(name, [before, onward], first, first),
        row(name, [back, onward], first + 1, last - 1),
        row(name, [back, after], last, last),
    ]
