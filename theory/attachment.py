"""Attachments: how sparse edges are tied to the states of a cluster.

An attachment changes the rows of a kernel so that some moves also take one step of the meta-graph's
walk from cluster to cluster.  Which walk that is stays open: the rows serve every meta-graph.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction
from typing import ClassVar

import sympy

from theory.chain import Move, OrbitChain, Place, Row, with_index
from theory.domain import Domain, Parameter, Point, evaluate
from theory.family import epsilon
from theory.kernel import GATE, HOME, Kernel

Transitions = Mapping[tuple[int, int], Fraction]
EPSILON = Parameter(
    "epsilon", ("epsilon > 0", "epsilon < 1"), "probability of a sparse step at a gate", False
)
n, delta, theta = sympy.symbols("n delta theta")


class Attachment:
    """One way to tie sparse edges to a cluster.

    Attributes
    ----------
    id, title : kebab-case name, and a phrase.
    gates : the rule in words.
    parameters : beside those of the kernel.
    """

    id: ClassVar[str]
    title: ClassVar[str]
    gates: ClassVar[str]
    parameters: ClassVar[tuple[Parameter, ...]] = (EPSILON,)
    one_way: ClassVar[bool] = False  # whether the chain is not reversible even where the walk is

    def why_not(self, kernel: Kernel) -> str | None:
        """Why the attachment does not fit a kernel, or None."""
        return None

    def domain(self, kernel: Kernel) -> Domain:
        """Parameters of the kernel and of the attachment."""
        return Domain((*kernel.parameters, *self.parameters))

    def chain(self, kernel: Kernel) -> OrbitChain:
        """The rows of a cluster; a move with ``meta`` takes a step of the meta-graph's walk."""
        return self._chain(kernel, kernel.chain(), [Move(GATE, epsilon, meta=True)])

    def _chain(self, kernel: Kernel, inside: OrbitChain, leaving: list[Move]) -> OrbitChain:
        rows = tuple(
            _scaled(r, 1 - epsilon, leaving) if r.orbit == GATE else r for r in inside.rows
        )
        return OrbitChain(self.domain(kernel), inside.orbits, rows)

    def explicit(self, kernel: Kernel, point: Point) -> tuple[Transitions, Transitions]:
        """Inside moves, and moves that leave: (i, i') when the cluster takes a step of its walk."""
        inside = kernel.explicit(point)
        return _weighted(inside, {0: 1 - point["epsilon"]}), {(0, 0): point["epsilon"]}

    def number_of_gates(self, point: Point) -> int:
        """How many gates a cluster has."""
        return 1

    def _home(self, kernel: Kernel, point: Point) -> int:
        """The number of the home state."""
        states = {a for pair in kernel.explicit(point) for a in pair}
        here = self.number_of_gates(point)
        return next((i for i in sorted(states) if kernel.place(i, point, here)[0] == HOME), 0)


class Gate(Attachment):
    """Sparse edges join the gates of the clusters."""

    id = "gate"
    title = "one gate"
    gates = "from the gate of a cluster to the gate of a neighbouring one, epsilon in all"


class InOut(Attachment):
    """A cluster is left at its gate and entered at its home; the way back is another one.

    The chain is not reversible, whatever the meta-graph.
    """

    id = "in-out"
    one_way = True
    title = "separate gates in and out"
    gates = "from the gate of a cluster to the home of a neighbouring one, epsilon in all"

    def why_not(self, kernel: Kernel) -> str | None:
        """It needs a home that is not the gate."""
        if HOME not in kernel.chain().orbits:
            return f"the kernel {kernel.id} has no home beside its gate"
        return None

    def chain(self, kernel: Kernel) -> OrbitChain:
        """Out at the gate, in at the home."""
        return self._chain(kernel, kernel.chain(), [Move(HOME, epsilon, meta=True)])

    def explicit(self, kernel: Kernel, point: Point) -> tuple[Transitions, Transitions]:
        """Out at the gate, in at the home."""
        inside = _weighted(kernel.explicit(point), {0: 1 - point["epsilon"]})
        return inside, {(0, self._home(kernel, point)): point["epsilon"]}


class Gates(Attachment):
    """Each of n gates of a cluster is joined to its like in the neighbouring clusters."""

    id = "gates"
    title = "n gates"
    gates = "from each of n gates of a cluster to the same gate of a neighbouring one, epsilon each"
    parameters = (EPSILON, Parameter("n", ("n >= 1",), "gates of a cluster"))

    def why_not(self, kernel: Kernel) -> str | None:
        """The gates must be exchangeable."""
        if not kernel.several_gates:
            return f"the kernel {kernel.id} has no exchangeable gates"
        return None

    def domain(self, kernel: Kernel) -> Domain:
        """The gates leave room for the other orbits."""
        sizes = [o.size for o in kernel.chain(n).orbits.values() if o.size.has(n) and o.size != n]
        return super().domain(kernel).where(*(f"{size} >= 1" for size in sizes))

    def chain(self, kernel: Kernel) -> OrbitChain:
        """n gates."""
        return self._chain(kernel, kernel.chain(n), [Move(GATE, epsilon, meta=True)])

    def explicit(self, kernel: Kernel, point: Point) -> tuple[Transitions, Transitions]:
        """States 0 .. n - 1 are gates."""
        number = self.number_of_gates(point)
        inside = _weighted(
            kernel.explicit(point), dict.fromkeys(range(number), 1 - point["epsilon"])
        )
        return inside, {(i, i): point["epsilon"] for i in range(number)}

    def number_of_gates(self, point: Point) -> int:
        """n."""
        return int(point["n"])


class Split(InOut):
    """Two sparse edges of unequal weight lead from a gate to each neighbouring cluster."""

    id = "split"
    one_way = True
    title = "two sparse edges a gate, of unequal weight"
    gates = (
        "from the gate of a cluster to a neighbouring one, epsilon in all: to its home with weight "
        "theta, to its gate with weight 1 - theta"
    )
    parameters = (
        EPSILON,
        Parameter("theta", ("theta > 0", "theta < 1"), "weight of the edge to the home", False),
    )

    def chain(self, kernel: Kernel) -> OrbitChain:
        """To the gate or the home of the next cluster."""
        edges = {GATE: epsilon * (1 - theta), HOME: epsilon * theta}
        leaving = [Move(to, p, meta=True) for to, p in edges.items()]
        return self._chain(kernel, kernel.chain(), leaving)

    def explicit(self, kernel: Kernel, point: Point) -> tuple[Transitions, Transitions]:
        """To the gate or the home of the next cluster."""
        inside = _weighted(kernel.explicit(point), {0: 1 - point["epsilon"]})
        weight, home = point["theta"], self._home(kernel, point)
        return inside, {
            (0, 0): point["epsilon"] * (1 - weight),
            (0, home): point["epsilon"] * weight,
        }


class Decoy(InOut):
    """Beside the sparse edge of the gate stands an edge of low probability that leads nowhere new.

    Gate and home of a cluster are joined by a further edge, taken with probability delta instead of
    an ordinary move.  Seen from the gate it looks like a sparse edge.
    """

    id = "decoy"
    one_way = False
    title = "one gate and a decoy"
    gates = (
        "from the gate of a cluster to the gate of a neighbouring one, epsilon in all; between "
        "gate and home of a cluster a decoy of probability delta"
    )
    parameters = (
        EPSILON,
        Parameter("delta", ("delta > 0", "delta < 1"), "probability of the decoy", False),
    )

    def chain(self, kernel: Kernel) -> OrbitChain:
        """The decoy joins gate and home."""
        inside = kernel.chain()
        other = {GATE: HOME, HOME: GATE}
        rows = tuple(
            _scaled(r, 1 - delta, [Move(other[r.orbit], delta)]) if r.orbit in other else r
            for r in inside.rows
        )
        changed = replace(inside, rows=rows)
        return self._chain(kernel, changed, [Move(GATE, epsilon, meta=True)])

    def explicit(self, kernel: Kernel, point: Point) -> tuple[Transitions, Transitions]:
        """The decoy joins states gate and home."""
        home, decoy = self._home(kernel, point), point["delta"]
        inside = dict(_weighted(kernel.explicit(point), {0: 1 - decoy, home: 1 - decoy}))
        for pair in ((0, home), (home, 0)):
            inside[pair] = inside.get(pair, Fraction(0)) + decoy
        return _weighted(inside, {0: 1 - point["epsilon"]}), {(0, 0): point["epsilon"]}


ATTACHMENTS: Mapping[str, Attachment] = {
    a.id: a for a in (Gate(), InOut(), Gates(), Split(), Decoy())
}


def _scaled(row: Row, rest: sympy.Expr, more: list[Move]) -> Row:
    """The moves of a row scaled to the mass that others leave."""
    moves = tuple(replace(m, probability=rest * m.probability) for m in row.moves)
    return replace(row, moves=(*moves, *more))


def _weighted(inside: Transitions, rest: Mapping[int, Fraction]) -> Transitions:
    return {(a, b): p * rest.get(a, Fraction(1)) for (a, b), p in inside.items()}


def lumping_error(attachment: Attachment, kernel: Kernel, point: Point) -> str | None:
    """Why the states of one cluster do not lump to the attachment's rows, or None if they do.

    Moves inside the cluster and moves that leave it are compared separately; the sizes of the
    orbits are counted.
    """
    gates, (inside, leaving) = attachment.number_of_gates(point), attachment.explicit(kernel, point)
    chain = attachment.chain(kernel)
    states = sorted({i for pair in (*inside, *leaving) for i in pair})
    place = {i: kernel.place(i, point, gates) for i in states}
    for meta, moves in ((False, inside), (True, leaving)):
        rows = tuple(
            replace(r, moves=tuple(m for m in r.moves if m.meta is meta)) for r in chain.rows
        )
        wanted = replace(chain, rows=rows).at(point)
        if set(wanted) != set(place.values()):
            return f"the orbits of the states do not match the rows: {set(place.values())}"
        for i in states:
            mass: dict[Place, Fraction] = {}
            for (a, b), p in moves.items():
                if a == i and p:
                    mass[place[b]] = mass.get(place[b], Fraction(0)) + p
            if not meta:  # what is left stays
                rest = 1 - sum(p for pair, p in (*inside.items(), *leaving.items()) if pair[0] == i)
                mass[place[i]] = mass.get(place[i], Fraction(0)) + rest
            if {k: p for k, p in mass.items() if p} != wanted[place[i]]:
                return f"state {i}: its moves differ from the row of orbit {place[i]}"
    for name, index in set(place.values()):
        count = list(place.values()).count((name, index))
        if evaluate(chain.orbits[name].size, with_index(point, index)) != count:
            return f"orbit {name} has {count} states in a cluster, not {chain.orbits[name].size}"
    return None
