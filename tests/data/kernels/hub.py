"""A kernel as a stranger writes it."""

from fractions import Fraction

import sympy

from theory.chain import Move, OrbitChain, dense, orbit, row
from theory.domain import Parameter
from theory.kernel import Kernel

M = sympy.Symbol("M")
QUARTER = sympy.Rational(1, 4)


class Hub(Kernel):
    """Lazy, and half of the moves lead to a hub."""

    id = "hub"
    title = "lazy clique with a hub"
    parameters = (Parameter("M", ("M >= 3",), "states"),)

    def chain(self, gates=1):
        sizes = {"gate": 1, "home": 1, "hub": 1, "rest": M - 3}
        return OrbitChain(
            self.domain,
            {name: orbit(size, "cluster") for name, size in sizes.items()},
            tuple(
                row(name, [Move(name, 2 * QUARTER), Move("hub", QUARTER), *dense(QUARTER, sizes)])
                for name in sizes
            ),
        )

    def explicit(self, point):
        n = int(point["M"])
        return {
            (a, b): Fraction(1, 4) / n + (Fraction(1, 4) if b == 2 else 0)
            for a in range(n)
            for b in range(n)
            if a != b
        }

    def place(self, state, point, gates=1):
        return {0: "gate", 1: "home", 2: "hub"}.get(state, "rest"), None
