"""Three cliques in a triangle with a drift: a chain that is not reversible."""

from theory.chain import ExplicitChain, OrbitChain, Place, State, cliques, dense, orbit, row, sparse
from theory.domain import Domain, Parameter, Point, expression
from theory.family import Family, Problem, Range

M, epsilon = (expression(name) for name in ("M", "epsilon"))
one = expression(1)


class Triangle(Family):
    r"""Three cliques whose gates lead clockwise with epsilon and back with half of it."""

    id = "triangle"
    title = "Triangle with a drift"
    gates = "gate k -> gate k+1, probability epsilon; gate k -> gate k-1, probability epsilon/2"
    domain = Domain(
        (
            Parameter("M", ("M >= 2",), "states of a clique"),
            Parameter("epsilon", ("epsilon > 0", "epsilon <= 1/2"), "sparse edge", integer=False),
        )
    )
    comparison = {"": Range(("M*epsilon <= 1",), "1", "12")}

    def problems(self):
        zero = {"gate0": one, "bulk0": M - 1}
        first = {"target": one, "gate1": one, "bulk1": M - 2}
        second = {"gate2": one, "bulk2": M - 1}
        left = 1 - 3 * epsilon / 2
        chain = OrbitChain(
            self.domain,
            {n: orbit(s, "c0") for n, s in zero.items()}
            | {n: orbit(s, "c1") for n, s in first.items()}
            | {n: orbit(s, "c2") for n, s in second.items()},
            (
                row("bulk0", dense(one, zero)),
                row(
                    "gate0",
                    [*dense(left, zero), sparse("gate1", epsilon), sparse("gate2", epsilon / 2)],
                ),
                row("target", dense(one, first)),
                row("bulk1", dense(one, first)),
                row(
                    "gate1",
                    [*dense(left, first), sparse("gate2", epsilon), sparse("gate0", epsilon / 2)],
                ),
                row("bulk2", dense(one, second)),
                row(
                    "gate2",
                    [*dense(left, second), sparse("gate0", epsilon), sparse("gate1", epsilon / 2)],
                ),
            ),
        )
        return (Problem("", chain, ("bulk0", None), "target"),)

    def explicit(self, point: Point) -> ExplicitChain:
        eps = point["epsilon"]
        edges = {}
        for k in range(3):
            edges[(k, 0), ((k + 1) % 3, 0)] = eps
            edges[(k, 0), ((k - 1) % 3, 0)] = eps / 2
        return cliques([int(point["M"])] * 3, edges)

    def place(self, problem: str, state: State, point: Point) -> Place:
        k, i = state
        if k == 1:
            return {0: "gate1", 1: "target"}.get(i, "bulk1"), None
        return (f"gate{k}" if i == 0 else f"bulk{k}"), None

    def start(self, problem: str, point: Point) -> State:
        return 0, 1
