"""Cliques on a path."""

from __future__ import annotations

from typing import ClassVar

from theory.chain import (
    Cases,
    ExplicitChain,
    Move,
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
from theory.family import Exit, Family, K, M, Pivot, Problem, Range, clique_parameters, d, epsilon


class Path(Family):
    r"""Clusters in a row: the plainest picture of a long chain of thought.

    As the ring, without the edge that closes it: state 1 of cluster 0 and state 0 of cluster $K-1$
    have no sparse edge.  The way to a far target costs order $d^2M/\epsilon$.  Near the target the
    path holds a surprise: the walk overshoots, wanders through the $K-1-d$ clusters behind the
    target and returns, and the excursions add a term of relative order $K\epsilon$ to the hitting
    time.  Comparison with the $K$-state chain therefore holds with pure constants only while
    $\epsilon\le\min(1/3,1/K)$, which contains the range $\epsilon\le\min(1/M,1/K)$.
    """

    id = "path"
    title = "Path of cliques"
    gates = (
        "state 0 of k -> state 1 of k+1 and state 1 of k -> state 0 of k-1 where these exist, "
        "probability epsilon each"
    )
    domain = Domain(
        (
            *clique_parameters(2, 3),
            Parameter("d", ("d >= 1", "d <= K - 1"), "cluster of the target", default="K - 1"),
        )
    )
    exits = (Exit("interior", ("left_bulk", "d - 1"), ("d >= 2",)),)
    # From the gate in the middle.  The bound is 1/(time from the left end at d = K/2 + time across
    # the middle cluster at d = (K + 1)/3), which is no less than the time from either end.
    pivot = Pivot(
        "home_backward",
        facts=("2*d >= K - 1", "2*d <= K"),
        bound=(
            "24*epsilon*(1 - epsilon)/(M*(1 - epsilon)*(3*K**2*(1 + epsilon)"
            " + 2*K*(3 + 13*epsilon) - 40*epsilon)"
            " + 2*epsilon*(3*K**2*(1 + epsilon) + 20*K*epsilon - 64*epsilon))"
        ),
    )
    slow_mode: ClassVar = {  # the number of the cluster, the gates drawn towards their neighbours
        "target": "d",
        "home_bulk": "d",
        "home_forward": "d + epsilon/(1 + epsilon)",
        "home_backward": "d - epsilon/(1 + epsilon)",
        "left_bulk": "j",
        "left_forward": "j + epsilon/(1 + epsilon)",
        "left_backward": "j - epsilon/(1 + epsilon)",
        "right_bulk": "j",
        "right_forward": "j + epsilon/(1 + epsilon)",
        "right_backward": "j - epsilon/(1 + epsilon)",
    }
    drop = ("d",)
    comparison = {
        "": Range(
            ("K*epsilon <= 1", "3*epsilon <= 1"),
            "1",
            "25/7",
            {"K": "3", "M": "3", "epsilon": "1/3", "d": "1"},
        )
    }

    def problems(self) -> tuple[Problem, ...]:
        """State 2 of cluster 0 to state 2 of cluster d; j is the number of the cluster."""
        end, beyond = self.domain.split("d <= K - 1", {"K": "d + 1"})
        chains = Cases(
            self.domain, "d <= K - 1", (self._chain(end, False), self._chain(beyond, True))
        )
        return (Problem("", chains, ("left_bulk", "0"), "target"),)

    def _chain(self, domain: Domain, right: bool) -> OrbitChain:
        """Clusters 0..d-1 on the left, d, and d+1..K-1 on the right if there are any."""
        one, zero = expression(1), expression(0)
        home = {"target": one, "home_forward": one, "home_backward": one, "home_bulk": M - 3}
        arm = {"forward": one, "backward": one, "bulk": M - 2}

        def side(name: str, rest: object, *more: Move) -> list[Move]:
            members = {f"{name}_{orbit_name}": size for orbit_name, size in arm.items()}
            return [*dense(expression(str(rest)), members, j), *more]

        orbits = {name: orbit(size, "home") for name, size in home.items()}
        orbits |= {f"left_{name}": orbit(size, "left", 0, d - 1) for name, size in arm.items()}
        onward = [sparse("right_backward", epsilon, d + 1)] if right else []
        rows = [
            row("target", dense(one, home)),
            row("home_bulk", dense(one, home)),
            row("home_forward", [*dense(1 - epsilon if right else one, home), *onward]),
            row(
                "home_backward",
                [*dense(1 - epsilon, home), sparse("left_forward", epsilon, d - 1)],
            ),
            row("left_bulk", side("left", 1), 0, d - 1),
            row(
                "left_forward",
                side("left", 1 - epsilon, sparse("left_backward", epsilon, j + 1)),
                0,
                d - 2,
            ),
            row(
                "left_forward",
                side("left", 1 - epsilon, sparse("home_backward", epsilon)),
                d - 1,
                d - 1,
            ),
            row("left_backward", side("left", 1), zero, zero),
            row(
                "left_backward",
                side("left", 1 - epsilon, sparse("left_forward", epsilon, j - 1)),
                1,
                d - 1,
            ),
        ]
        if right:
            orbits |= {f"right_{n}": orbit(size, "right", d + 1, K - 1) for n, size in arm.items()}
            rows += [
                row("right_bulk", side("right", 1), d + 1, K - 1),
                row(
                    "right_forward",
                    side("right", 1 - epsilon, sparse("right_backward", epsilon, j + 1)),
                    d + 1,
                    K - 2,
                ),
                row("right_forward", side("right", 1), K - 1, K - 1),
                row(
                    "right_backward",
                    side("right", 1 - epsilon, sparse("home_forward", epsilon)),
                    d + 1,
                    d + 1,
                ),
                row(
                    "right_backward",
                    side("right", 1 - epsilon, sparse("right_forward", epsilon, j - 1)),
                    d + 2,
                    K - 1,
                ),
            ]
        return OrbitChain(domain, orbits, tuple(rows))

    def explicit(self, point: Point) -> ExplicitChain:
        """K cliques in a row."""
        size, eps = int(point["K"]), point["epsilon"]
        forward = {((k, 0), (k + 1, 1)): eps for k in range(size - 1)}
        backward = {((k + 1, 1), (k, 0)): eps for k in range(size - 1)}
        return cliques([int(point["M"])] * size, forward | backward)

    def place(self, problem: str, state: State, point: Point) -> Place:
        """The target is state 2 of cluster d."""
        k, i = state
        kind = {0: "forward", 1: "backward"}.get(i, "bulk")
        if k == int(point["d"]):
            return "target" if i == 2 else f"home_{kind}", None
        return f"{'left' if k < int(point['d']) else 'right'}_{kind}", k

    def start(self, problem: str, point: Point) -> State:
        """State 2 of cluster 0."""
        return 0, 2
