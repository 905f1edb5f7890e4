"""A kernel as a stranger writes it."""

from fractions import Fraction

import sympy

from theory.chain import OrbitChain, dense, orbit, row
from theory.domain import Parameter
from theory.kernel import Kernel

M, N = sympy.symbols("M N")
ONE = sympy.Integer(1)


class Core(Kernel):
    """From the rim a step goes to the core, from the core to either half the time."""

    id = "core"
    title = "core and rim"
    parameters = (Parameter("M", ("M >= 1",), "core"), Parameter("N", ("N >= 1",), "rim"))

    def chain(self, gates=1):
        core, rim = {"gate": 1, "core": M - 1}, {"home": 1, "rim": N - 1}
        sizes = {**core, **rim}
        both = [*dense(ONE / 2, core), *dense(ONE / 2, rim)]
        return OrbitChain(
            self.domain,
            {name: orbit(size, "cluster") for name, size in sizes.items()},
            (*(row(x, both) for x in core), *(row(x, dense(ONE, core)) for x in rim)),
        )

    def explicit(self, point):
        m, n = int(point["M"]), int(point["N"])
        core, rim = range(m), range(m, m + n)
        moves = {(a, b): Fraction(1, 2 * m) for a in core for b in core if a != b}
        moves |= {(a, b): Fraction(1, 2 * n) for a in core for b in rim}
        return moves | {(b, a): Fraction(1, m) for a in core for b in rim}

    def place(self, state, point, gates=1):
        m = int(point["M"])
        return {0: "gate", m: "home"}.get(state, "core" if state < m else "rim"), None
