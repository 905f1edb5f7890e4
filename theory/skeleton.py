"""The files that ``metastable new`` writes: commented, of a family or a kernel."""

import re

SKELETON = '''"""Two cliques of different sizes, joined by one sparse edge each way.

Derive it:    metastable derive {name}
Check it:     metastable verify {name}
"""

from theory.chain import ExplicitChain, OrbitChain, Place, State, cliques, dense, orbit, row, sparse
from theory.domain import Domain, Parameter, Point, expression
from theory.family import Family, Problem, Range

# 1. The symbols. Any names will do; each is a number in the certificate.
M, L, epsilon = (expression(name) for name in ("M", "L", "epsilon"))
one = expression(1)


class Dumbbell(Family):
    r"""Two cliques, of $M$ and of $L$ states, whose gates lead to one another.

    The text of this docstring opens the family's page: say what the chain is and why it matters.
    """

    id = "{id}"
    title = "Dumbbell"
    gates = "state 0 of either clique -> state 0 of the other, probability epsilon"

    # 2. Where the formulas are to hold. Facts are inequalities between the parameters.
    domain = Domain(
        (
            Parameter("M", ("M >= 2",), "states of the first clique"),
            Parameter("L", ("L >= M", "L <= 2*M"), "states of the second clique"),
            Parameter("epsilon", ("epsilon > 0", "epsilon < 1"), "sparse edge", integer=False),
        )
    )

    # Where the K-state chain of the clusters tells the time: T_A <= E[tau] <= 5 T_A.  The numbers
    # are proved or refused, so try others.
    comparison = {{"": Range(("L*epsilon <= 1",), "1", "5")}}

    # A guess of the slowest mode, one value for each orbit: it bounds the spectral gap from above.
    # It may be left out; then the hitting times take its place, and the bound may be too weak.
    slow_mode = {{
        "bulk": "1 + epsilon",
        "gate": "1 - epsilon",
        "far_gate": "epsilon - 1",
        "far_bulk": "-1 - epsilon",
        "target": "-1 - epsilon",
    }}

    # 3. The chain on orbits: which states are alike, seen from the target, and how many they are.
    #    Each orbit lies in a cluster. One with an index j, as in theory/families/path.py, is
    #    orbit(size, cluster, 0, K - 1), its rows row(name, moves, 0, K - 1), and a move to it names
    #    the j it leads to: sparse(name, epsilon, at=j + 1).
    def problems(self):
        first = {{"gate": one, "bulk": M - 1}}
        second = {{"target": one, "far_gate": one, "far_bulk": L - 2}}
        chain = OrbitChain(
            self.domain,
            {{name: orbit(size, "first") for name, size in first.items()}}
            | {{name: orbit(size, "second") for name, size in second.items()}},
            (
                # dense(mass, members): the mass spread evenly over a clique
                row("bulk", dense(one, first)),
                row("gate", [*dense(1 - epsilon, first), sparse("far_gate", epsilon)]),
                row("target", dense(one, second)),
                row("far_bulk", dense(one, second)),
                row("far_gate", [*dense(1 - epsilon, second), sparse("gate", epsilon)]),
            ),
        )
        return (Problem("", chain, ("bulk", None), "target"),)

    # 4. The same chain state by state, from its definition. Everything is checked against it.
    def explicit(self, point: Point) -> ExplicitChain:
        eps = point["epsilon"]
        edges = {{((0, 0), (1, 0)): eps, ((1, 0), (0, 0)): eps}}
        return cliques([int(point["M"]), int(point["L"])], edges)

    # 5. Which orbit a state lies in, and a state to start from.
    def place(self, problem: str, state: State, point: Point) -> Place:
        k, i = state
        if k == 0:
            return ("gate" if i == 0 else "bulk"), None
        return {{0: "far_gate", 1: "target"}}.get(i, "far_bulk"), None

    def start(self, problem: str, point: Point) -> State:
        return 0, 1
'''


KERNEL = '''"""A lazy clique with a hub: what happens inside one cluster.

Derive it:    metastable derive {name}/ring/gate
All of it:    metastable derive {name}/ring/gate --quantity all
Check it:     metastable verify {name}/ring/gate
"""

from fractions import Fraction

import sympy

from theory.chain import Move, OrbitChain, dense, orbit, row
from theory.domain import Parameter
from theory.kernel import Kernel

# 1. The symbols: plain ones, without assumptions.
M, p = sympy.symbols("M p")


class Hub(Kernel):
    r"""With probability $p$ a step leads to the hub, else to any of the $M$ states alike.

    The text of this docstring is the prose of the kernel: say what it is and why it matters.
    """

    id = "{id}"
    title = "clique with a hub"

    # 2. Where the formulas are to hold. A parameter is an integer unless it says otherwise. The
    #    names K, d and epsilon are taken: these belong to the meta-graph and to the sparse edges.
    parameters = (
        Parameter("M", ("M >= 3",), "states of a cluster"),
        Parameter("p", ("p > 0", "p < 1"), "probability to be drawn to the hub", integer=False),
    )

    # Where bounds of the hitting time and of the gap are tried first. They are proved or refused,
    # so try others; the line may be left out.
    ranges = (("10*epsilon <= 1",),)

    # Each move to an orbit is uniform on its states, the present one included: with it, more is
    # derived. If you are not sure, leave it out.
    uniform = True

    # 3. The orbits: states that are alike, seen from gate and home, and how many they are. Two
    #    names are fixed: sparse edges leave from "gate"; times are asked from "home" to "home", one
    #    state of each cluster. A kernel without a home says so: home = "gate".
    def chain(self, gates=1):
        sizes = {{"gate": 1, "home": 1, "hub": 1, "rest": M - 3}}
        return OrbitChain(
            self.domain,
            {{name: orbit(size, "cluster") for name, size in sizes.items()}},
            # One row for each orbit. dense(mass, sizes) spreads the mass evenly over all states.
            tuple(row(name, [Move("hub", p), *dense(1 - p, sizes)]) for name in sizes),
        )

    # 4. The same state by state, at given numbers: the probability of each move between different
    #    states 0, 1, ..., the gate first. Everything is checked against it.
    def explicit(self, point):
        size, drawn = int(point["M"]), point["p"]
        return {{
            (a, b): (1 - drawn) / size + (drawn if b == 2 else 0)
            for a in range(size)
            for b in range(size)
            if a != b
        }}

    # 5. Which orbit a state lies in; the second entry is the index of an orbit that has one.
    def place(self, state, point, gates=1):
        return {{0: "gate", 1: "home", 2: "hub"}}.get(state, "rest"), None
'''


def skeleton(name: str, identifier: str) -> str:
    """The text of a new family file called ``name``, with the family's id."""
    return SKELETON.format(name=_quotable(name), id=identifier)


def kernel_skeleton(name: str, identifier: str) -> str:
    """The text of a new kernel file called ``name``, with the kernel's id."""
    return KERNEL.format(name=_quotable(name), id=identifier)


def _quotable(name: str) -> str:
    """The name, if it may stand between quotes."""
    return name if re.fullmatch(r"[^\\\"]+", name) else "FILE.py"
