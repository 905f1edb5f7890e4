"""The lazy star."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

import sympy

from theory.chain import Move, OrbitChain, Place, dense, orbit, row
from theory.domain import Parameter, Point, expression
from theory.family import M
from theory.kernel import Kernel

HALF = expression("1/2")


class Star(Kernel):
    r"""A hub and $M - 1$ leaves; a step stays with probability 1/2, else goes along an edge.

    All reasoning passes through one central state.  The gates and the home are leaves: the hub
    would be met at every other move, so that nothing would have to be searched for, and two leaves
    are as far apart as two states can be.  Without holding the walk would alternate between hub and
    leaves.
    """

    id = "star"
    title = "lazy star"
    parameters = (Parameter("M", ("M >= 3",), "states in a cluster"),)
    several_gates = True

    def chain(self, gates: sympy.Expr | int = 1) -> OrbitChain:
        """Gates, the home, the other leaves, and the hub."""
        leaves = {"gate": gates, "home": 1, "leaf": M - 2 - gates}
        sizes = {**leaves, "hub": 1}
        hub = row("hub", [Move("hub", HALF), *dense(HALF, leaves)])
        return OrbitChain(
            self.domain,
            {name: orbit(size, "cluster") for name, size in sizes.items()},
            (*(row(name, [Move(name, HALF), Move("hub", HALF)]) for name in leaves), hub),
        )

    def explicit(self, point: Point) -> Mapping[tuple[int, int], Fraction]:
        """The hub is the last state."""
        hub = int(point["M"]) - 1
        out = {(leaf, hub): Fraction(1, 2) for leaf in range(hub)}
        return out | {(hub, leaf): Fraction(1, 2 * hub) for leaf in range(hub)}

    def place(self, state: int, point: Point, gates: int = 1) -> Place:
        """The gates come first, then the home; the hub is last."""
        if state == point["M"] - 1:
            return "hub", None
        return "gate" if state < gates else "home" if state == gates else "leaf", None
