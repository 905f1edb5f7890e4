"""The uniform clique without loops."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

import sympy

from theory.chain import Move, OrbitChain, Place, orbit, row
from theory.domain import Parameter, Point
from theory.family import M
from theory.kernel import Kernel


class CliqueWithoutLoops(Kernel):
    r"""Every step goes to a state chosen uniformly among the $M - 1$ others.

    The random walk on the complete graph.  It never waits, so it finds the gate in $M - 1$ steps
    on average where the clique with loops takes $M$: what a clique loses by laziness.
    """

    id = "clique-without-loops"
    title = "uniform clique without loops"
    parameters = (Parameter("M", ("M >= 3",), "states in a cluster"),)
    several_gates = True

    def chain(self, gates: sympy.Expr | int = 1) -> OrbitChain:
        """Gates, the home, and the rest."""
        members = {"gate": gates, "home": 1, "bulk": M - 1 - gates}

        def others(name: str) -> list[Move]:
            rest = {to: size - int(to == name) for to, size in members.items()}
            return [Move(to, size / (M - 1)) for to, size in rest.items() if size != 0]

        return OrbitChain(
            self.domain,
            {name: orbit(size, "cluster") for name, size in members.items()},
            tuple(row(name, others(name)) for name in members),
        )

    def explicit(self, point: Point) -> Mapping[tuple[int, int], Fraction]:
        """Uniform on the other states."""
        size = int(point["M"])
        pairs = ((a, b) for a in range(size) for b in range(size))
        return {(a, b): Fraction(1, size - 1) for a, b in pairs if a != b}

    def place(self, state: int, point: Point, gates: int = 1) -> Place:
        """The gates come first, then the home."""
        return "gate" if state < gates else "home" if state == gates else "bulk", None
