"""Cliques on a path on which every sparse step leads onward twice as often as back."""

import sympy

from theory.chain import OrbitChain, cliques, dense, j, orbit, row, sparse
from theory.domain import Domain, Parameter, expression
from theory.family import Family, Problem

K, M, epsilon = (expression(name) for name in ("K", "M", "epsilon"))
one = expression(1)


def end_times(slope):
    """What makes the function exact in the last cluster, if it falls by slope a cluster before."""
    gate = sympy.Symbol("gate")
    bulk = (M + gate) / 2
    inside = gate / M + (M - 2) / M * bulk
    step = 1 + (1 - epsilon / 2) * inside + epsilon / 2 * (gate + slope)
    (gate,) = sympy.solve(gate - step, gate)
    return gate, (M + gate) / 2


def candidate(slope):
    gate, bulk = end_times(slope)
    here = gate + slope * (K - 1 - j)
    values = {"target": 0, "end_gate": gate, "end_bulk": bulk, "gate": here, "bulk": here + M}
    return {name: str(sympy.factor(value)) for name, value in values.items()}


class Drift(Family):
    """The mean time grows like K M/epsilon, but it is no polynomial in K: it has powers of 1/2."""

    id = "drift"
    title = "Path with drift"
    gates = "state 0 of k -> state 0 of k + 1 with epsilon, of k - 1 with epsilon/2"
    domain = Domain(
        (
            Parameter("K", ("K >= 3",), "clusters"),
            Parameter("M", ("M >= 3",), "states of a cluster"),
            Parameter("epsilon", ("epsilon > 0", "2*epsilon < 1"), "onward", integer=False),
        )
    )
    comparison = {}

    def problems(self):
        size = {"gate": one, "bulk": M - 1}
        end = {"target": one, "end_gate": one, "end_bulk": M - 2}
        span = 0, K - 2
        back, on = epsilon / 2, epsilon
        chain = OrbitChain(
            self.domain,
            {name: orbit(n, "cluster", *span) for name, n in size.items()}
            | {name: orbit(n, "end") for name, n in end.items()},
            (
                row("bulk", dense(one, size, j), *span),
                row("gate", [*dense(1 - on, size, j), sparse("gate", on, j + 1)], 0, 0),
                row(
                    "gate",
                    [
                        *dense(1 - on - back, size, j),
                        sparse("gate", on, j + 1),
                        sparse("gate", back, j - 1),
                    ],
                    1,
                    K - 3,
                ),
                row(
                    "gate",
                    [
                        *dense(1 - on - back, size, j),
                        sparse("end_gate", on),
                        sparse("gate", back, j - 1),
                    ],
                    K - 2,
                    K - 2,
                ),
                row("target", dense(one, end)),
                row("end_bulk", dense(one, end)),
                row("end_gate", [*dense(1 - back, end), sparse("gate", back, K - 2)]),
            ),
        )
        steep = (2 * M - 3 * epsilon * (M - 1)) / epsilon
        flat = (M - epsilon * (M - 1)) / epsilon
        return (
            Problem(
                "",
                chain,
                ("bulk", "0"),
                "target",
                supersolution=candidate(steep),
                subsolution=candidate(flat),
            ),
        )

    def explicit(self, point):
        count, onward = int(point["K"]), point["epsilon"]
        edges = {((k, 0), (k + 1, 0)): onward for k in range(count - 1)}
        edges |= {((k + 1, 0), (k, 0)): onward / 2 for k in range(count - 1)}
        return cliques([int(point["M"])] * count, edges)

    def place(self, problem, state, point):
        k, i = state
        if k == point["K"] - 1:
            return {0: "end_gate", 1: "target"}.get(i, "end_bulk"), None
        return ("gate" if i == 0 else "bulk"), k

    def start(self, problem, point):
        return 0, 1
