"""A kernel as a stranger writes it."""

import sympy

from theory.chain import OrbitChain, dense, orbit, row
from theory.domain import Parameter
from theory.kernel import Kernel

M, q = sympy.symbols("M q")


class Drift(Kernel):
    """Three classes of $M$ states; a step goes to the next with probability $q$, else back."""

    id = "drift"
    title = "circle of three classes"
    parameters = (
        Parameter("M", ("M >= 1",), "states of a class"),
        Parameter("q", ("q > 0", "q < 1"), "probability to go on", integer=False),
    )

    def chain(self, gates=1):
        classes = [{"gate": 1, "first": M - 1}, {"home": 1, "second": M - 1}, {"third": M}]
        return OrbitChain(
            self.domain,
            {name: orbit(size, "cluster") for c in classes for name, size in c.items()},
            tuple(
                row(name, [*dense(q, classes[(i + 1) % 3]), *dense(1 - q, classes[i - 1])])
                for i in range(3)
                for name in classes[i]
            ),
        )

    def explicit(self, point):
        m, q = int(point["M"]), point["q"]
        return {
            (a, b): (q if (b // m - a // m) % 3 == 1 else 1 - q) / m
            for a in range(3 * m)
            for b in range(3 * m)
            if a // m != b // m
        }

    def place(self, state, point, gates=1):
        m = int(point["M"])
        return {0: "gate", m: "home"}.get(state, ["first", "second", "third"][state // m]), None
