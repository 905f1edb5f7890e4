"""The lazy complete bipartite graph."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

import sympy

from theory.chain import Move, OrbitChain, Place, dense, orbit, row
from theory.domain import Parameter, Point, expression
from theory.kernel import Kernel

M_1, M_2 = sympy.symbols("M_1 M_2")
HALF = expression("1/2")


class CompleteBipartite(Kernel):
    r"""Two sides, of $M_1$ and of $M_2$ states; a step goes to the other side or stays.

    It stays with probability 1/2, else it goes to a state chosen uniformly across.  The gates are
    on the side of $M_1$ states, the home is on the other.  Either side has half of the stationary
    mass, so a state of the larger side is met more rarely: the kernel parts the number of states
    from the time that it takes to find one of them.
    """

    id = "complete-bipartite"
    title = "lazy complete bipartite graph"
    parameters = (
        Parameter("M_1", ("M_1 >= 1",), "states on the side of the gates"),
        Parameter("M_2", ("M_2 >= 1",), "states on the side of the home"),
    )
    several_gates = True

    def chain(self, gates: sympy.Expr | int = 1) -> OrbitChain:
        """Gates and the rest of their side; the home and the rest of its side."""
        left = {"gate": gates, "left": M_1 - gates}
        right = {"home": 1, "right": M_2 - 1}
        return OrbitChain(
            self.domain,
            {name: orbit(size, "cluster") for name, size in (left | right).items()},
            tuple(
                row(name, [Move(name, HALF), *dense(HALF, across)])
                for side, across in ((left, right), (right, left))
                for name in side
            ),
        )

    def explicit(self, point: Point) -> Mapping[tuple[int, int], Fraction]:
        """The side of the gates comes first."""
        first, second = int(point["M_1"]), int(point["M_2"])
        pairs = [(a, first + b) for a in range(first) for b in range(second)]
        out = {(a, b): Fraction(1, 2 * second) for a, b in pairs}
        return out | {(b, a): Fraction(1, 2 * first) for a, b in pairs}

    def place(self, state: int, point: Point, gates: int = 1) -> Place:
        """The home is the first state of the second side."""
        if state < point["M_1"]:
            return "gate" if state < gates else "left", None
        return "home" if state == point["M_1"] else "right", None
