"""Clusters tied by their gates: explicit matrices, and the mean time from home to home.

Everything is written from the definitions of the kernels and attachments in words.  The clusters
make a walk W; H is its mean time to hit the target's cluster, R its mean return time there.

*Mean.*  In a cluster let a be the kernel's mean time from home to gate, b from gate to home, and p
its stationary probability of the gate.  The gate is the only way out, so time is renewed at each
visit.

1.  A visit to the gate ends with a sparse step with probability epsilon; else the kernel moves and
    comes back to the gate after 1/p steps on average (Kac).  Before a sparse step there are
    (1 - epsilon)/epsilon such excursions, so from gate to gate of the next cluster it takes
    s = 1 + (1 - epsilon)/(epsilon p).
2.  From a home elsewhere it takes a to the gate, and s H to the gate of the target's cluster.
3.  There an excursion meets the home with probability r = 1/(p (a + b)) (Aldous and Fill,
    *Reversible Markov Chains and Random Walks on Graphs*, corollary 2.8, which holds without
    reversibility) and takes b r on average until it is at home or back at the gate: by renewal,
    that time over r is b.  Leaving costs 1 + (R - 1) s and ends at the gate.  So the time G from
    the gate satisfies
    G = epsilon (1 + (R - 1) s + G) + (1 - epsilon) (b r + (1 - r) G), that is
    G = b + epsilon (1 + (R - 1) s)/((1 - epsilon) r).
4.  In the sum a + s H + G the times a and b cancel, and what is left is
    s (H + R epsilon/((1 - epsilon) r)).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import product

import flint
import sympy

Matrix = list[list[Fraction]]
Point = Mapping[str, Fraction]
Leaving = Mapping[tuple[int, int], Fraction]

H, R, M, M_1, M_2, K_1, epsilon, epsilon_1, h = sympy.symbols(
    "H R M M_1 M_2 K_1 epsilon epsilon_1 h"
)


# ---------------------------------------------------------------- the mean time
def step(p: sympy.Expr, leave: sympy.Expr = epsilon) -> sympy.Expr:
    """s, from the gate of a cluster to that of the next."""
    return 1 + (1 - leave) / (leave * p)


def from_gate(
    a: sympy.Expr,
    b: sympy.Expr,
    p: sympy.Expr,
    leave: sympy.Expr = epsilon,
    back: sympy.Expr = R,
) -> sympy.Expr:
    """G, from the gate of the target's cluster to its home."""
    r = 1 / (p * (a + b))
    return b + leave * (1 + (back - 1) * step(p, leave)) / ((1 - leave) * r)


def mean(a: sympy.Expr, b: sympy.Expr, p: sympy.Expr) -> sympy.Expr:
    """From the home of one cluster to the home of another, with one gate."""
    return a + step(p) * H + from_gate(a, b, p)


def hypercube_times(n: int) -> tuple[sympy.Expr, sympy.Expr, sympy.Expr]:
    """From one end to the other, by the time u to have one more bit turned."""
    total = u = sympy.Integer(0)
    for ones in range(n):
        up, down = sympy.Rational(n - ones, 2 * n), sympy.Rational(ones, 2 * n)
        u = (1 + down * u) / up  # up u = 1 + down u', u' the time to make good for the bit lost
        total += u
    return total, total, sympy.Rational(1, 2**n)


def nested_times() -> tuple[sympy.Expr, sympy.Expr, sympy.Expr]:
    """The same two steps one level down: the doors are the gates of K_1 cliques."""
    s, other = step(1 / M, epsilon_1), K_1 - 1
    b = s * other + from_gate(M, M, 1 / M, epsilon_1, K_1)
    # at the doors every state has 1 - epsilon_1 of the flow that it has elsewhere
    p = 1 / (K_1 * (1 + (M - 1) * (1 - epsilon_1)))
    return M + s * other, b, p


# kernel -> a, b, p.  On a graph of m edges the lazy commute time is 4 m times the resistance.
TIMES: dict[str, tuple[sympy.Expr, sympy.Expr, sympy.Expr]] = {
    "clique": (M, M, 1 / M),
    "clique-without-loops": (M - 1, M - 1, 1 / M),
    "complete-bipartite": (2 * (2 * M_1 - 1), 2 * (2 * M_2 - 1), 1 / (2 * M_1)),
    "hypercube-3": hypercube_times(3),
    "hypercube-4": hypercube_times(4),
    "lazy-cycle": (2 * h * (M - h), 2 * h * (M - h), 1 / M),
    "nested": nested_times(),
    # to the home from gate w = 3/2 + v, corridor v = 2 + w/3 + 2u/3, hall u = 8/3 + 2v/3, so
    # v = 77/4; the masses of gate, home, corridor, hall are as 15, 8, 36, 32
    "orbits": (sympy.Integer(2), sympy.Rational(83, 4), sympy.Rational(15, 91)),
    "star": (4 * (M - 1), 4 * (M - 1), 1 / (2 * (M - 1))),
}


# ---------------------------------------------------------------- kernels, state by state
def uniform(point: Point) -> Matrix:
    size = int(point["M"])
    return [[Fraction(1, size)] * size for _ in range(size)]


def uniform_on_others(point: Point) -> Matrix:
    size = int(point["M"])
    return [[Fraction(int(a != b), size - 1) for b in range(size)] for a in range(size)]


def lazy(neighbours: Sequence[Sequence[int]]) -> Matrix:
    """Half the mass stays, half goes to the neighbours alike."""
    size = len(neighbours)
    rows = [[Fraction(int(a == b), 2) for b in range(size)] for a in range(size)]
    for a, others in enumerate(neighbours):
        for b in others:
            rows[a][b] += Fraction(1, 2 * len(others))
    return rows


def cycle(point: Point) -> Matrix:
    size = int(point["M"])
    return lazy([[(a - 1) % size, (a + 1) % size] for a in range(size)])


def star(point: Point) -> Matrix:
    hub = int(point["M"]) - 1
    return lazy([*([hub] for _ in range(hub)), range(hub)])


def bipartite(point: Point) -> Matrix:
    one, two = range(int(point["M_1"])), range(int(point["M_2"]))
    across = [len(one) + b for b in two]
    return lazy([*(across for _ in one), *(one for _ in two)])


def hypercube(n: int) -> Callable[[Point], Matrix]:
    words = list(product((0, 1), repeat=n))

    def near(word: tuple[int, ...]) -> list[int]:
        apart = (sum(x != y for x, y in zip(word, other, strict=True)) for other in words)
        return [b for b, distance in enumerate(apart) if distance == 1]

    return lambda point: lazy([near(word) for word in words])


def nested(point: Point) -> Matrix:
    states = list(product(range(int(point["K_1"])), range(int(point["M"]))))
    out = point["epsilon_1"]

    def entry(here: tuple[int, int], there: tuple[int, int]) -> Fraction:
        if here[0] == there[0]:
            return (1 - out if here[1] == 0 else 1) / point["M"]
        return out / (point["K_1"] - 1) if here[1] == there[1] == 0 else Fraction(0)

    return [[entry(here, there) for there in states] for here in states]


def corridor_and_hall(point: Point) -> Matrix:
    """Gate, home, two states of the corridor, four of the hall; in units of 1/96."""
    gate = [32, 0, 32, 32, 0, 0, 0, 0]
    home = [48, 48, 0, 0, 0, 0, 0, 0]
    corridor = [16, 0, 24, 24, 8, 8, 8, 8]
    hall = [0, 12, 12, 12, 15, 15, 15, 15]
    return [[Fraction(x, 96) for x in row] for row in [gate, home, *[corridor] * 2, *[hall] * 4]]


@dataclass(frozen=True)
class Definition:
    """A kernel: its matrix, its home given the number of gates, and some points."""

    matrix: Callable[[Point], Matrix]
    home: Callable[[Point, int], int]
    points: tuple[Point, ...]
    most_gates: Callable[[Point], int] = lambda point: 1


def at(**values: int | str) -> Point:
    return {name: Fraction(value) for name, value in values.items()}


KERNELS: dict[str, Definition] = {
    "clique": Definition(
        uniform, lambda p, n: n, (at(M=2), at(M=3), at(M=5)), lambda p: int(p["M"]) - 1
    ),
    "clique-without-loops": Definition(
        uniform_on_others, lambda p, n: n, (at(M=3), at(M=4), at(M=6)), lambda p: int(p["M"]) - 2
    ),
    "complete-bipartite": Definition(
        bipartite,
        lambda p, n: int(p["M_1"]),
        (at(M_1=1, M_2=1), at(M_1=2, M_2=3), at(M_1=4, M_2=2)),
        lambda p: int(p["M_1"]),
    ),
    "hypercube-3": Definition(hypercube(3), lambda p, n: 7, (at(),)),
    "hypercube-4": Definition(hypercube(4), lambda p, n: 15, (at(),)),
    "lazy-cycle": Definition(
        cycle, lambda p, n: int(p["h"]), (at(M=6, h=3), at(M=7, h=4), at(M=9, h=4), at(M=9, h=3))
    ),
    "nested": Definition(
        nested,
        lambda p, n: int(p["M"]) + 1,
        (
            at(K_1=3, M=2, epsilon_1="1/3"),
            at(K_1=3, M=3, epsilon_1="5/7"),
            at(K_1=4, M=2, epsilon_1="1/100"),
        ),
    ),
    "orbits": Definition(corridor_and_hall, lambda p, n: 1, (at(),)),
    "star": Definition(
        star, lambda p, n: n, (at(M=3), at(M=4), at(M=6)), lambda p: int(p["M"]) - 2
    ),
}


# ---------------------------------------------------------------- attachments, state by state
def scaled(matrix: Matrix, factors: Mapping[int, Fraction]) -> Matrix:
    return [[factors.get(a, 1) * x for x in row] for a, row in enumerate(matrix)]


def one_gate(matrix: Matrix, home: int, point: Point) -> tuple[Matrix, Leaving]:
    return scaled(matrix, {0: 1 - point["epsilon"]}), {(0, 0): point["epsilon"]}


def in_out(matrix: Matrix, home: int, point: Point) -> tuple[Matrix, Leaving]:
    return scaled(matrix, {0: 1 - point["epsilon"]}), {(0, home): point["epsilon"]}


def several(matrix: Matrix, home: int, point: Point) -> tuple[Matrix, Leaving]:
    gates, out = range(int(point["n"])), point["epsilon"]
    return scaled(matrix, dict.fromkeys(gates, 1 - out)), {(g, g): out for g in gates}


def split(matrix: Matrix, home: int, point: Point) -> tuple[Matrix, Leaving]:
    out, part = point["epsilon"], point["theta"]
    inside = scaled(matrix, {0: 1 - out})
    return inside, {(0, home): out * part, (0, 0): out * (1 - part)}


def decoy(matrix: Matrix, home: int, point: Point) -> tuple[Matrix, Leaving]:
    """First epsilon, then delta of what is left, then the kernel."""
    out, lure = point["epsilon"], point["delta"]
    inside = scaled(matrix, {0: (1 - out) * (1 - lure), home: 1 - lure})
    inside[0][home] += (1 - out) * lure
    inside[home][0] += lure
    return inside, {(0, 0): out}


ATTACHMENTS: dict[str, Callable[[Matrix, int, Point], tuple[Matrix, Leaving]]] = {
    "gate": one_gate,
    "in-out": in_out,
    "gates": several,
    "split": split,
    "decoy": decoy,
}


# ---------------------------------------------------------------- walks, and exact answers
def rational(*rows: str) -> Matrix:
    return [[Fraction(x) for x in row.split()] for row in rows]


WALKS: dict[str, Matrix] = {
    "complete of 3": rational("0 1/2 1/2", "1/2 0 1/2", "1/2 1/2 0"),
    "path of 3": rational("0 1 0", "1/2 0 1/2", "0 1 0"),
    "path of 4": rational("0 1 0 0", "1/2 0 1/2 0", "0 1/2 0 1/2", "0 0 1 0"),
    "one way round": rational("0 4/5 1/5", "2/9 0 7/9", "1/2 1/2 0"),
    "with holding": rational("1/4 1/2 1/4", "1/7 0 6/7", "2/3 0 1/3"),
}


def composed(inside: Matrix, leaving: Leaving, walk: Matrix) -> Matrix:
    """State i of cluster k has the number k len(inside) + i."""
    size, clusters = len(inside), len(walk)
    rows = [[Fraction(0)] * (size * clusters) for _ in range(size * clusters)]
    for k in range(clusters):
        for a, row in enumerate(inside):
            for b, x in enumerate(row):
                rows[k * size + a][k * size + b] += x
        for other, w in enumerate(walk[k]):
            for (a, b), x in leaving.items():
                rows[k * size + a][other * size + b] += w * x
    return rows


def fraction(value: flint.fmpq) -> Fraction:
    return Fraction(int(value.p), int(value.q))


def moments(matrix: Matrix, target: int) -> tuple[list[Fraction], list[Fraction]]:
    """First and second moments of the time to hit a state, from each state (0 from the target)."""
    kept = [a for a in range(len(matrix)) if a != target]
    system = flint.fmpq_mat(
        [
            [
                flint.fmpq(x.numerator, x.denominator)
                for x in (int(a == b) - matrix[a][b] for b in kept)
            ]
            for a in kept
        ]
    )
    first = system.solve(flint.fmpq_mat([[1] for _ in kept]))
    second = system.solve(flint.fmpq_mat([[2 * first[n, 0] - 1] for n in range(len(kept))]))
    times, squares = [Fraction(0)] * len(matrix), [Fraction(0)] * len(matrix)
    for n, a in enumerate(kept):
        times[a], squares[a] = fraction(first[n, 0]), fraction(second[n, 0])
    return times, squares


def return_moments(matrix: Matrix, state: int) -> tuple[Fraction, Fraction]:
    """First and second moments of the return time to a state."""
    times, squares = moments(matrix, state)
    row = matrix[state]
    first = sum((p * (1 + t) for p, t in zip(row, times, strict=True)), Fraction(0))
    both = zip(row, times, squares, strict=True)
    return first, sum((p * (1 + 2 * t + u) for p, t, u in both), Fraction(0))


def law(matrix: Matrix) -> list[Fraction]:
    """The stationary law: balance at all states but the last, and total mass 1."""
    size = len(matrix)
    rows = [[matrix[b][a] - int(a == b) for b in range(size)] for a in range(size - 1)]
    rows.append([Fraction(1)] * size)
    exact = [[flint.fmpq(x.numerator, x.denominator) for x in row] for row in rows]
    right = [[0]] * (size - 1) + [[1]]
    solution = flint.fmpq_mat(exact).solve(flint.fmpq_mat(right))
    return [fraction(solution[a, 0]) for a in range(size)]
