"""A kernel with a slow parameter: two blocks of a clique."""

from fractions import Fraction

import sympy

from theory.chain import OrbitChain, dense, orbit, row
from theory.domain import Parameter
from theory.kernel import Kernel

M, q = sympy.symbols("M q")


class TwoBlock(Kernel):
    """Two blocks of $M$ states; a step changes the block with probability $q$, then is uniform."""

    id = "two-block"
    title = "two-block clique"
    parameters = (
        Parameter("M", ("M >= 1",), "states of a block"),
        Parameter("q", ("q > 0", "q < 1"), "probability to change the block", integer=False),
    )

    uniform = True
    ranges = (("5*epsilon <= q",),)

    def chain(self, gates=1):
        left = {"gate": 1, "near": M - 1}
        right = {"home": 1, "far": M - 1}
        return OrbitChain(
            self.domain,
            {name: orbit(size, "cluster") for name, size in {**left, **right}.items()},
            (
                *(row(name, [*dense(1 - q, left), *dense(q, right)]) for name in left),
                *(row(name, [*dense(1 - q, right), *dense(q, left)]) for name in right),
            ),
        )

    def explicit(self, point):
        m, q = int(point["M"]), Fraction(point["q"])
        return {
            (a, b): (1 - q if (a < m) == (b < m) else q) / m
            for a in range(2 * m)
            for b in range(2 * m)
            if a != b
        }

    def place(self, state, point, gates=1):
        m = int(point["M"])
        return {0: "gate", m: "home"}.get(state, "near" if state < m else "far"), None
