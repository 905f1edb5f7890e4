"""The lazy cycle."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

import sympy

from theory.chain import Move, OrbitChain, Place, j, orbit, row
from theory.domain import Parameter, Point, expression
from theory.family import M
from theory.kernel import Kernel

h = sympy.Symbol("h")
HALF, QUARTER = expression("1/2"), expression("1/4")


class LazyCycle(Kernel):
    r"""States $0, \dots, M - 1$ on a circle; a step goes to either neighbour, or stays.

    It stays with probability 1/2, and goes each way with probability 1/4.  It takes of
    order $M^2$ steps to mix where a clique takes one: with $\epsilon$ above $1/M$ a cluster may be
    left before its states have become alike.

    The gate is state 0, the home is state $h$.  Both arcs between them have at least two states, so
    that one set of rows holds for every $M$ and $h$.  The orbits are single states, indexed by
    their number $j$; times are polynomials in $j$ on each arc.
    """

    id = "lazy-cycle"
    title = "lazy cycle"
    parameters = (
        Parameter("M", ("M >= 6",), "states in a cluster"),
        Parameter("h", ("h >= 3", "h <= M - 3"), "steps from gate to home", default="floor(M/2)"),
    )

    def chain(self, gates: sympy.Expr | int = 1) -> OrbitChain:
        """The arcs: ``up`` has the states below h, ``down`` those above."""

        def up(at: object) -> Move:
            return Move("up", QUARTER, expression(str(at)))

        def down(at: object) -> Move:
            return Move("down", QUARTER, expression(str(at)))

        gate, home, rest = Move("gate", QUARTER), Move("home", QUARTER), Move("up", HALF, j)
        still = Move("down", HALF, j)
        return OrbitChain(
            self.domain,
            {
                "gate": orbit(1, "cluster"),
                "home": orbit(1, "cluster"),
                "up": orbit(1, "cluster", 1, h - 1),
                "down": orbit(1, "cluster", h + 1, M - 1),
            },
            (
                row("gate", [Move("gate", HALF), up(1), down(M - 1)]),
                row("up", [rest, gate, up(j + 1)], 1, 1),
                row("up", [rest, up(j - 1), up(j + 1)], 2, h - 2),
                row("up", [rest, up(j - 1), home], h - 1, h - 1),
                row("home", [Move("home", HALF), up(h - 1), down(h + 1)]),
                row("down", [still, home, down(j + 1)], h + 1, h + 1),
                row("down", [still, down(j - 1), down(j + 1)], h + 2, M - 2),
                row("down", [still, down(j - 1), gate], M - 1, M - 1),
            ),
        )

    def explicit(self, point: Point) -> Mapping[tuple[int, int], Fraction]:
        """To either neighbour."""
        size = int(point["M"])
        return {(a, (a + s) % size): Fraction(1, 4) for a in range(size) for s in (1, -1)}

    def place(self, state: int, point: Point, gates: int = 1) -> Place:
        """The index of a state is its number."""
        if state in (0, point["h"]):
            return "gate" if state == 0 else "home", None
        return "up" if state < point["h"] else "down", state
