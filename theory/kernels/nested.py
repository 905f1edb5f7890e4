"""Clusters of clusters."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

import sympy

from theory.chain import Move, OrbitChain, Place, dense, orbit, row
from theory.domain import Parameter, Point
from theory.family import M
from theory.kernel import Kernel

K_1, epsilon_1 = sympy.symbols("K_1 epsilon_1")
ONE = sympy.Integer(1)


class Nested(Kernel):
    r"""Two levels: a cluster is itself made of $K_1$ cliques of $M$ states.

    Each inner clique has a door, and a door leads to each other door with probability
    $\epsilon_1/(K_1 - 1)$; the rest of a state's mass is uniform on its own clique.  The gate of
    the cluster is the door of one inner clique: it takes the mass of the outer edges first, the
    inner ones share what is left.  The home is an ordinary state of another inner clique.  So a
    way from home to home climbs both levels, and with $\epsilon \ll \epsilon_1$ time has three
    scales: steps, inner and outer escapes.
    """

    id = "nested"
    title = "cliques within clusters"
    parameters = (
        Parameter("K_1", ("K_1 >= 3",), "inner cliques of a cluster"),
        Parameter("M", ("M >= 2",), "states in an inner clique"),
        Parameter(
            "epsilon_1",
            ("epsilon_1 > 0", "epsilon_1 < 1"),
            "probability of an inner sparse step at a door",
            integer=False,
        ),
    )

    def chain(self, gates: sympy.Expr | int = 1) -> OrbitChain:
        """The inner cliques of the gate and of the home, and the others together."""
        doors = {"gate": ONE, "door": ONE, "other-door": K_1 - 2}
        cliques = (
            {"gate": ONE, "near": M - 1},
            {"door": ONE, "home": ONE, "room": M - 2},
            {"other-door": K_1 - 2, "other-room": (K_1 - 2) * (M - 1)},
        )

        def moves(name: str, clique: Mapping[str, sympy.Expr]) -> list[Move]:
            if name not in doors:
                return dense(ONE, clique)
            step = epsilon_1 / (K_1 - 1)
            across = {to: size - int(to == name) for to, size in doors.items()}
            out = [Move(to, step * size) for to, size in across.items() if size != 0]
            return [*dense(1 - epsilon_1, clique), *out]

        return OrbitChain(
            self.domain,
            {name: orbit(size, "cluster") for clique in cliques for name, size in clique.items()},
            tuple(row(name, moves(name, clique)) for clique in cliques for name in clique),
        )

    def explicit(self, point: Point) -> Mapping[tuple[int, int], Fraction]:
        """State m of inner clique k has the number k M + m; state 0 of each is its door."""
        count, size, across = int(point["K_1"]), int(point["M"]), point["epsilon_1"]
        out: dict[tuple[int, int], Fraction] = {}
        for k in range(count):
            for m in range(size):
                rest = 1 - across if m == 0 else Fraction(1)
                for other in range(size):
                    if other != m:
                        out[k * size + m, k * size + other] = rest / size
            for other in range(count):
                if other != k:
                    out[k * size, other * size] = across / (count - 1)
        return out

    def place(self, state: int, point: Point, gates: int = 1) -> Place:
        """The gate is the door of inner clique 0, the home is state 1 of inner clique 1."""
        clique, member = divmod(state, int(point["M"]))
        if clique == 0:
            return "gate" if member == 0 else "near", None
        if clique == 1:
            return {0: "door", 1: "home"}.get(member, "room"), None
        return "other-door" if member == 0 else "other-room", None
