"""Clusters on any meta-graph: what the rows of one cluster say, whatever walk joins the clusters.

States are pairs of a cluster and a state in it.  Moves inside have the rows of the kernel; a
*meta move* changes the type and lets the cluster take one step of a walk W on the meta-graph.
Write L for the chain of one cluster in which meta moves stay, and q for the probability of a meta
move.  Then, with pi the stationary law of L,

- the stationary law is that of W times pi, and the chain watched on a cluster is L;
- a cluster makes a step of W once in ``1/sum pi q`` steps on average;
- the mean time to hit a state of cluster l from cluster k is affine in H, W's mean time to hit l
  from k, and in R, its mean time to return to l.

Nothing else of W enters, so one solution and one certificate serve every meta-graph.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import sympy

from theory.chain import ONE, OrbitChain, Row, j
from theory.conjecture import potential, stationary_law
from theory.factoring import factor

H, R, H2, R2 = sympy.symbols("H R H2 R2")  # first and second moments of W's hitting, return time

Function = Mapping[str, sympy.Expr]
Charge = Callable[[Row], sympy.Expr]


def closed(chain: OrbitChain) -> OrbitChain:
    """The chain of one cluster, L: meta moves are read as moves inside."""
    rows = tuple(
        replace(r, moves=tuple(replace(m, meta=False) for m in r.moves)) for r in chain.rows
    )
    return replace(chain, rows=rows)


def leaving(row: Row) -> sympy.Expr:
    """Probability q that a step from this row is a meta move."""
    return sympy.Add(*(m.probability for m in row.moves if m.meta))


@dataclass(frozen=True)
class Times:
    """A function of cluster and type: away from the target's cluster, and in it.

    ``away`` is affine in H (and H2), the moments for the cluster; ``home`` does not depend on them.
    """

    away: Function
    home: Function


@dataclass(frozen=True)
class Cluster:
    """One cluster with its meta moves, and the type of the target."""

    chain: OrbitChain
    target: str

    @cached_property
    def inside(self) -> OrbitChain:
        """L, the chain of one cluster."""
        return closed(self.chain)

    @cached_property
    def law(self) -> tuple[sympy.Expr, ...]:
        """Stationary probability of one state under L, for each row."""
        return tuple(stationary_law(self.chain))

    @cached_property
    def step(self) -> sympy.Expr:
        """Mean number of steps between two meta moves, 1/sum pi q."""
        return factor(1 / self.mean_of(leaving))

    @cached_property
    def mean(self) -> Times:
        """Mean hitting times of the target type in another cluster."""
        a = self.step
        home = self._at_home(lambda row: 1 + leaving(row) * a * (R - 1))
        away = self._away(lambda row: 1 - leaving(row) * a, home)
        return Times({name: value + a * H for name, value in away.items()}, home)

    @cached_property
    def second(self) -> Times:
        """Second moments of the hitting times: away, they are A + B H + a^2 H2 for the step a."""
        a, times = self.step, self.mean
        constant = {name: value.subs(H, 0) for name, value in times.away.items()}
        slope = self._relative(lambda row: 2 * a - 2 * leaving(row) * a**2)

        def charge(row: Row) -> sympy.Expr:
            """Of the equation for A."""
            fixed = 2 * constant[row.orbit] - 1 + leaving(row) * a**2
            return fixed - self._landing(slope, row)

        shift = factor(a * self.mean_of(charge))  # makes that equation solvable
        slope = {name: value + shift for name, value in slope.items()}

        def entering(row: Row) -> sympy.Expr:
            """What a meta move from the target's cluster adds."""
            again = self._landing(slope, row) * (R - 1)
            return again + leaving(row) * a**2 * (R2 - 2 * R + 1)

        home = self._at_home(lambda row: 2 * times.home[row.orbit] - 1 + entering(row))
        base = self._away(charge, home)
        return Times({n: base[n] + slope[n] * H + a**2 * H2 for n in base}, home)

    def mean_of(self, charge: Charge) -> sympy.Expr:
        """The mean under L's stationary law of a charge given row by row.

        It is the charge on a way from one state back to it over the number of steps (Kac), so the
        law itself is not needed.
        """
        return factor(self._around(charge) / self._around(lambda _: ONE))

    def _around(self, charge: Charge) -> sympy.Expr:
        """The mean total charge on a way from the pivot back to it."""
        to_pivot = self._relative(charge)
        (row,) = (r for r in self.chain.rows if r.orbit == self._pivot)
        after = (m.probability * at_index(to_pivot[m.to], m.at) for m in row.moves)
        return charge(row) + sympy.Add(*after)

    # ---------------------------------------------------------------- Poisson equations of L
    def _relative(self, charge: Charge) -> dict[str, sympy.Expr]:
        """The solution of f = charge + L f off the pivot, 0 there; meta moves count as L's.

        It holds at the pivot as well if the charge has mean 0.
        """
        return potential(self.chain, {self._pivot: sympy.Integer(0)}, charge)

    @cached_property
    def _pivot(self) -> str:
        """An orbit of one state, the same for all charges."""
        singles = (n for n, o in self.chain.orbits.items() if o.size == 1 and o.index is None)
        return next(singles)

    def _at_home(self, charge: Charge) -> dict[str, sympy.Expr]:
        """The solution of f = charge + L f that is 0 at the target."""
        return potential(self.chain, {self.target: sympy.Integer(0)}, charge)

    def _away(self, charge: Charge, home: Function) -> dict[str, sympy.Expr]:
        """The solution of f = charge + L f that agrees with home, on average, where moves land."""
        free = self._relative(charge)
        row = next(r for r in self.chain.rows if leaving(r) != 0)
        shift = (self._landing(home, row) - self._landing(free, row)) / leaving(row)
        return {name: factor(value + shift) for name, value in free.items()}

    def _landing(self, function: Function, row: Row) -> sympy.Expr:
        """Sum over the meta moves of a row of probability times the value where they land."""
        values = (m.probability * at_index(function[m.to], m.at) for m in row.moves if m.meta)
        return sympy.Add(*values)


def at_index(value: sympy.Expr, at: sympy.Expr | None) -> sympy.Expr:
    """A function of a class at an index of it."""
    return value if at is None else value.subs(j, at)
