"""Cliques on a ring."""

from __future__ import annotations

from theory.chain import (
    ExplicitChain,
    OrbitChain,
    Place,
    State,
    cliques,
    dense,
    j,
    orbit,
    row,
    sparse,
)
from theory.domain import Domain, Parameter, Point, expression
from theory.family import Cyclic, Family, K, M, Problem, Range, clique_parameters, d, epsilon


class Ring(Family):
    r"""Clusters in a circle, each with a way forward and a way back.

    State 0 of cluster $k$ leads to state 1 of cluster $k+1$ and state 1 leads to state 0 of
    cluster $k-1$, with probability $\epsilon$ each.  Seen from afar the chain is a simple random
    walk on a cycle of $K$ sites that takes one step in about $M/(2\epsilon)$: hence the product
    $d(K-d)$ of the two ways round, and an order $K^2M/\epsilon$ between opposite clusters, a factor
    $K$ above the rate $KM/\epsilon$.
    """

    id = "ring"
    title = "Ring of cliques"
    gates = (
        "state 0 of k -> state 1 of k+1 and state 1 of k -> state 0 of k-1, mod K, "
        "probability epsilon each"
    )
    domain = Domain(
        (
            *clique_parameters(2, 3),
            Parameter(
                "d", ("d >= 1", "d <= K - 1"), "distance of the target", default="floor(K/2)"
            ),
        )
    )
    cyclic = Cyclic(
        types={"forward": "1", "backward": "1", "bulk": "M - 2"},
        law={"forward": "1", "backward": "1", "bulk": "1 - epsilon"},
        moves=(
            ("forward", "forward", "0", "(1 - epsilon)/M"),
            ("forward", "backward", "0", "(1 - epsilon)/M"),
            ("forward", "bulk", "0", "(1 - epsilon)*(M - 2)/M"),
            ("forward", "backward", "+1", "epsilon"),
            ("backward", "forward", "0", "(1 - epsilon)/M"),
            ("backward", "backward", "0", "(1 - epsilon)/M"),
            ("backward", "bulk", "0", "(1 - epsilon)*(M - 2)/M"),
            ("backward", "forward", "-1", "epsilon"),
            ("bulk", "forward", "0", "1/M"),
            ("bulk", "backward", "0", "1/M"),
            ("bulk", "bulk", "0", "(M - 2)/M"),
        ),
    )
    drop = ("d",)
    comparison = {
        "": Range(("M*epsilon <= 1",), "1", "4", {"K": "2", "M": "3", "epsilon": "1/3", "d": "1"})
    }

    def problems(self) -> tuple[Problem, ...]:
        """State 2 of cluster 0 to state 2 of cluster d; j counts clusters from the target on."""
        one, last = expression(1), K - 1
        home = {
            "target": one,
            "home_forward": one,
            "home_backward": one,
            "home_bulk": M - 3,
        }
        away = {"forward": one, "backward": one, "bulk": M - 2}
        chain = OrbitChain(
            self.domain,
            {name: orbit(size, "home") for name, size in home.items()}
            | {name: orbit(size, "away", 1, last) for name, size in away.items()},
            (
                row("target", dense(one, home)),
                row("home_bulk", dense(one, home)),
                row("home_forward", [*dense(1 - epsilon, home), sparse("backward", epsilon, one)]),
                row("home_backward", [*dense(1 - epsilon, home), sparse("forward", epsilon, last)]),
                row("bulk", dense(one, away, j), 1, last),
                row(
                    "forward",
                    [*dense(1 - epsilon, away, j), sparse("backward", epsilon, j + 1)],
                    1,
                    K - 2,
                ),
                row(
                    "forward",
                    [*dense(1 - epsilon, away, j), sparse("home_backward", epsilon)],
                    last,
                    last,
                ),
                row(
                    "backward",
                    [*dense(1 - epsilon, away, j), sparse("home_forward", epsilon)],
                    1,
                    1,
                ),
                row(
                    "backward",
                    [*dense(1 - epsilon, away, j), sparse("forward", epsilon, j - 1)],
                    2,
                    last,
                ),
            ),
        )
        return (Problem("", chain, ("bulk", str(K - d)), "target"),)

    def explicit(self, point: Point) -> ExplicitChain:
        """K cliques in a circle."""
        size, eps = int(point["K"]), point["epsilon"]
        forward = {((k, 0), ((k + 1) % size, 1)): eps for k in range(size)}
        backward = {((k, 1), ((k - 1) % size, 0)): eps for k in range(size)}
        return cliques([int(point["M"])] * size, forward | backward)

    def place(self, problem: str, state: State, point: Point) -> Place:
        """The target is state 2 of cluster d."""
        k, i = state
        index = (k - int(point["d"])) % int(point["K"])
        if index == 0:
            return {0: "home_forward", 1: "home_backward", 2: "target"}.get(i, "home_bulk"), None
        return self.type(state), index

    def start(self, problem: str, point: Point) -> State:
        """State 2 of cluster 0."""
        return 0, 2

    def type(self, state: State) -> str:
        """Forward gate, backward gate or bulk."""
        return {0: "forward", 1: "backward"}.get(state[1], "bulk")
