"""Cliques of several sizes on the complete meta-graph."""

from __future__ import annotations

from fractions import Fraction
from itertools import accumulate

import sympy

from theory.chain import (
    ExplicitChain,
    Move,
    OrbitChain,
    Place,
    State,
    cliques,
    dense,
    orbit,
    row,
    sparse,
)
from theory.domain import Domain, Parameter, Point, expression
from theory.family import Exit, Family, FamilyError, Problem, Range, epsilon

KINDS = ("first", "second", "third", "fourth")


class Unequal(Family):
    r"""Some parts of the argument are easy and small, others are large.

    $K_1$ cliques of $M_1$ states and $K_2$ cliques of $M_2$ states; as on the complete graph of
    equal cliques, state 0 of each is its gate, and a sparse edge of probability
    $\epsilon/(K_1+K_2-1)$ leads from every gate to every other.  Start and target lie in clusters
    of the first size.  What counts is the mean size: a few large clusters delay the answer as much
    as many small ones of the same total.  There are two sizes; ``unequal-3`` and ``unequal-4`` have
    three and four.
    """

    id = "unequal"
    title = "Complete graph of cliques of two sizes"
    gates = "state 0 of k -> state 0 of each l != k, probability epsilon/(K_1 + K_2 - 1)"
    domain = Domain(())
    numbered = True
    absent = {
        "spectral-gap": "no single state is a good pivot where clusters of two sizes are all joined"
    }
    exits = (Exit("second", ("second_bulk", None)),)

    def __init__(self, kinds: int = 2):
        if not 2 <= kinds <= len(KINDS):
            raise FamilyError(f"unequal-{kinds}: give 2 to {len(KINDS)} sizes")
        self.kinds = KINDS[:kinds]
        self.id = "unequal" if kinds == 2 else f"unequal-{kinds}"
        word = ("two", "three", "four")[kinds - 2]
        self.title = f"Complete graph of cliques of {word} sizes"
        numbers = range(1, kinds + 1)
        everyone = " + ".join(f"K_{n}" for n in numbers)
        self.gates = f"state 0 of k -> state 0 of each l != k, probability epsilon/({everyone} - 1)"
        counts = [
            Parameter(f"K_{n}", (f"K_{n} >= {2 if n == 1 else 1}",), f"clusters of the {kind} size")
            for n, kind in zip(numbers, self.kinds, strict=True)
        ]
        sizes = [
            Parameter(f"M_{n}", (f"M_{n} >= 2",), f"states in a cluster of the {kind} size")
            for n, kind in zip(numbers, self.kinds, strict=True)
        ]
        rate = Parameter(
            "epsilon", ("epsilon > 0", "epsilon < 1"), "mass of the sparse edges", integer=False
        )
        self.domain = Domain((*counts, *sizes, rate))
        self.count = [sympy.Symbol(p.name) for p in counts]
        self.size = [sympy.Symbol(p.name) for p in sizes]
        sharp = {"K_1": "2", "K_2": "1", "M_1": "2", "M_2": "2", "epsilon": "1/2"}
        facts = tuple(f"M_{n}*epsilon <= 1" for n in numbers)
        self.comparison = {"": Range(facts, "1", "4", sharp if kinds == 2 else {})}

    def problems(self) -> tuple[Problem, ...]:
        """State 1 of a cluster of the first size to state 1 of another."""
        one, others = expression(1), sympy.Add(*self.count) - 1
        members = {
            kind: {f"{kind}_gate": one, f"{kind}_bulk": size - 1}
            for kind, size in zip(self.kinds, self.size, strict=True)
        }
        home = {"target": one, "home_gate": one, "home_bulk": self.size[0] - 2}
        clusters = {kind: count - int(kind == "first") for kind, count in self._counts()}

        def gate(own: str) -> list[Move]:
            """Sparse moves to the gates of other clusters."""
            return [
                sparse(f"{kind}_gate", epsilon * (count - int(kind == own)) / others)
                for kind, count in clusters.items()
            ]

        rows = [
            row("target", dense(one, home)),
            row("home_gate", [*dense(1 - epsilon, home), *gate("home")]),
            row("home_bulk", dense(one, home)),
        ]
        orbits = {name: orbit(size, "home") for name, size in home.items()}
        for kind, inside in members.items():
            to_home = sparse("home_gate", epsilon / others)
            rows.append(row(f"{kind}_gate", [*dense(1 - epsilon, inside), to_home, *gate(kind)]))
            rows.append(row(f"{kind}_bulk", dense(one, inside)))
            orbits |= {n: orbit(clusters[kind] * size, kind) for n, size in inside.items()}
        chain = OrbitChain(self.domain, orbits, tuple(rows))
        return (Problem("", chain, ("first_bulk", None), "target"),)

    def _counts(self) -> list[tuple[str, sympy.Expr]]:
        return list(zip(self.kinds, self.count, strict=True))

    def explicit(self, point: Point) -> ExplicitChain:
        """Clusters of the first size come first, then those of the second, and so on."""
        sizes = [
            int(point[str(size)])
            for count, size in zip(self.count, self.size, strict=True)
            for _ in range(int(point[str(count)]))
        ]
        share = point["epsilon"] / Fraction(len(sizes) - 1)
        pairs = ((k, l) for k in range(len(sizes)) for l in range(len(sizes)))
        return cliques(sizes, {((k, 0), (l, 0)): share for k, l in pairs if k != l})

    def place(self, problem: str, state: State, point: Point) -> Place:
        """The target is state 1 of cluster 0."""
        k, i = state
        if k == 0:
            return {0: "home_gate", 1: "target"}.get(i, "home_bulk"), None
        last = accumulate(int(point[str(count)]) for count in self.count)
        kind = next(kind for kind, end in zip(self.kinds, last, strict=True) if k < end)
        return f"{kind}_{'gate' if i == 0 else 'bulk'}", None

    def start(self, problem: str, point: Point) -> State:
        """State 1 of cluster 1."""
        return 1, 1
