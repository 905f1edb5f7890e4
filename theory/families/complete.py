"""Cliques on the complete meta-graph."""

from __future__ import annotations

from fractions import Fraction

from theory.chain import ExplicitChain, OrbitChain, Place, State, cliques, dense, orbit, row, sparse
from theory.domain import Domain, Point, expression
from theory.family import Cyclic, Family, K, M, Problem, Range, clique_parameters, epsilon


class Complete(Family):
    r"""Every cluster is one sparse step away from every other.

    State 0 of each clique is its gate.  From the gate of cluster $k$ a sparse edge of probability
    $\epsilon/(K-1)$ leads to the gate of each other cluster.  There is no detour to take and no
    distance to cover: all of the difficulty is to find the gate ($M$ trials), to dare to leave
    ($1/\epsilon$ trials), and then to be sent to the right one of $K-1$ clusters.  This is
    the graph on which the rate $KM/\epsilon$ of Kim et al. (2025) is met with constants near 1.
    It breaks two of the assumptions: a path to the answer may cross a single sparse edge (A3), and
    a sparse edge has probability $\epsilon/(K-1)$, not of order $\epsilon$ (A2).
    """

    id = "complete"
    title = "Complete graph of cliques"
    gates = "state 0 of k -> state 0 of each l != k, probability epsilon/(K-1)"
    domain = Domain(clique_parameters(2, 2))
    cyclic = Cyclic(
        types={"gate": "1", "bulk": "M - 1"},
        law={"gate": "1", "bulk": "1 - epsilon"},
        moves=(
            ("gate", "gate", "0", "(1 - epsilon)/M"),
            ("gate", "bulk", "0", "(1 - epsilon)*(M - 1)/M"),
            ("gate", "gate", "others", "epsilon"),
            ("bulk", "gate", "0", "1/M"),
            ("bulk", "bulk", "0", "(M - 1)/M"),
        ),
    )
    comparison = {
        "": Range(
            ("M*epsilon <= 1", "epsilon <= 3/7"),
            "1",
            "4",
            {"K": "2", "M": "2", "epsilon": "3/7"},
        )
    }

    def problems(self) -> tuple[Problem, ...]:
        """State 1 of a cluster to state 1 of another."""
        home = {"target": expression(1), "home_gate": expression(1), "home_bulk": M - 2}
        other = {"gate": expression(1), "bulk": M - 1}
        chain = OrbitChain(
            self.domain,
            {
                "target": orbit(1, "home"),
                "home_gate": orbit(1, "home"),
                "home_bulk": orbit(M - 2, "home"),
                "gate": orbit(K - 1, "other"),
                "bulk": orbit((K - 1) * (M - 1), "other"),
            },
            (
                row("target", dense(expression(1), home)),
                row("home_gate", [*dense(1 - epsilon, home), sparse("gate", epsilon)]),
                row("home_bulk", dense(expression(1), home)),
                row(
                    "gate",
                    [
                        *dense(1 - epsilon, other),
                        sparse("home_gate", epsilon / (K - 1)),
                        sparse("gate", epsilon * (K - 2) / (K - 1)),
                    ],
                ),
                row("bulk", dense(expression(1), other)),
            ),
        )
        return (Problem("", chain, ("bulk", None), "target"),)

    def explicit(self, point: Point) -> ExplicitChain:
        """K cliques, their gates joined pairwise."""
        size, eps = int(point["K"]), point["epsilon"]
        edges = {
            ((k, 0), (other, 0)): eps / Fraction(size - 1)
            for k in range(size)
            for other in range(size)
            if other != k
        }
        return cliques([int(point["M"])] * size, edges)

    def place(self, problem: str, state: State, point: Point) -> Place:
        """The target is state 1 of cluster 0."""
        k, i = state
        if k == 0:
            return {0: "home_gate", 1: "target"}.get(i, "home_bulk"), None
        return "gate" if i == 0 else "bulk", None

    def start(self, problem: str, point: Point) -> State:
        """State 1 of cluster 1."""
        return 1, 1

    def type(self, state: State) -> str:
        """Gate or bulk."""
        return "gate" if state[1] == 0 else "bulk"
