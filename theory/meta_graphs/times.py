"""Times of a meta-graph's walk beside the hitting time: to return, and Kemeny's."""

from __future__ import annotations

from fractions import Fraction

import sympy
from flint import fmpq, fmpq_mat

from theory.chain import OrbitChain, j, leaf_at, leaves
from theory.conjecture import hitting_times
from theory.domain import Point, evaluate, expression, tidy
from theory.meta_graph import MetaGraph


def return_times(meta: MetaGraph) -> tuple[tuple[OrbitChain, sympy.Expr], ...]:
    """R, the mean time to return to the target, for each case of the chain.

    One step, and the mean of the hitting times from where it leads; equals 1/pi(target) (Kac 1947).
    """
    (problem,) = meta.problems()
    return tuple((leaf, _return_time(leaf, problem.target)) for leaf in leaves(problem.chains))


def return_time(meta: MetaGraph, point: Point) -> Fraction:
    """R at a point."""
    (problem,) = meta.problems()
    return evaluate(_return_time(leaf_at(problem.chains, point), problem.target), point)


def _return_time(chain: OrbitChain, target: str) -> sympy.Expr:
    values = hitting_times(chain, target)
    (start,) = (r for r in chain.rows if r.orbit == target)
    times = (
        m.probability * (values[m.to] if m.at is None else values[m.to].subs(j, m.at))
        for m in start.moves
    )
    fixed = {sympy.Symbol(n): expression(x) for n, x in chain.domain.values.items()}
    return tidy((1 + sympy.Add(*times)).subs(fixed), chain.domain)


def kemeny(meta: MetaGraph, point: Point) -> Fraction:
    """Kemeny's constant at a point: the mean time to hit a state drawn from the stationary law.

    It does not depend on the start.  It is the trace of (I - W + 1 pi)^-1, less 1 (Kemeny and Snell
    1976, theorem 4.4.10), and needs no reversibility.
    """
    walk = meta.walk(point)
    size = 1 + max(k for pair in walk for k in pair)
    generator = [[fmpq(0)] * size for _ in range(size)]  # I - W
    for (k, l), p in walk.items():
        share = fmpq(p.numerator, p.denominator)
        generator[k][l] -= share
        generator[k][k] += share
    # pi (I - W) = 0 in all columns but the first, and sum pi = 1
    balance = [[fmpq(1)] * size, *(list(column) for column in [*zip(*generator, strict=True)][1:])]
    unit = fmpq_mat(size, 1, [fmpq(int(n == 0)) for n in range(size)])
    law = fmpq_mat(balance).solve(unit).entries()
    shifted = [[x + p for x, p in zip(row, law, strict=True)] for row in generator]
    fundamental = fmpq_mat(shifted).inv()
    trace = sum((fundamental[k, k] for k in range(size)), fmpq(-1))
    return Fraction(int(trace.p), int(trace.q))
