"""The uniform clique."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

import sympy

from theory.chain import OrbitChain, Place, dense, orbit, row
from theory.domain import Parameter, Point
from theory.family import M
from theory.kernel import Kernel


class Clique(Kernel):
    r"""Every step goes to a state chosen uniformly among all $M$, the present one included.

    The easiest of reasoning: one step mixes, and the only thing to look for is the gate.
    """

    id = "clique"
    title = "uniform clique"
    parameters = (Parameter("M", ("M >= 2",), "states in a cluster"),)
    several_gates = True
    home_is_any = True
    uniform = True

    def chain(self, gates: sympy.Expr | int = 1) -> OrbitChain:
        """Gates, the home, and the rest."""
        members = {"gate": gates, "home": 1, "bulk": M - 1 - gates}
        return OrbitChain(
            self.domain,
            {name: orbit(size, "cluster") for name, size in members.items()},
            tuple(row(name, dense(sympy.Integer(1), members)) for name in members),
        )

    def explicit(self, point: Point) -> Mapping[tuple[int, int], Fraction]:
        """Uniform on the M states."""
        size = int(point["M"])
        pairs = ((a, b) for a in range(size) for b in range(size))
        return {(a, b): Fraction(1, size) for a, b in pairs if a != b}

    def place(self, state: int, point: Point, gates: int = 1) -> Place:
        """The gates come first, then the home."""
        return "gate" if state < gates else "home" if state == gates else "bulk", None
