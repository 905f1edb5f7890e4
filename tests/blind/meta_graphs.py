"""Walks on small graphs: second derivations, from the graphs and from published formulas.

All walks but the directed ring step along an edge with probability proportional to its weight.
Write w for the total weight of the edges (of a graph: their number), d_x for the weight at x.

Return times.  1/pi(x) = 2w/d_x.
Hitting times on trees.  Across an edge, away from the side on which all edges together weigh v,
takes 2v/(weight of the edge) + 1 steps (Aldous and Fill, chapter 5, lemma 5.1: the essential edge
lemma).
Inside a complete graph on m vertices, to the one that holds the rest: one try in m - 1 succeeds.
Other hitting times.  E_x tau_y = sum over z of d_z (R_xy + R_yz - R_xz)/2, R the effective
resistance; or, on a group, sum over the characters of (1 - Re chi(x - y))/(1 - lambda).

- path, K vertices, the target at an end: d edges, of which the k-th from there has K - 1 - k behind
  it: sum of 2(K - 1 - k) + 1 = d(2(K - 1) - d).  Eigenvalues
  cos(pi k/(K - 1)).
- star: leaf -> hub 1, hub -> leaf 2(K - 2) + 1.  Eigenvalues 1, 0, -1.
- complete bipartite, sides a (with start and target) and b: every second step draws from side a.
  Eigenvalues 1, 0, -1.
- weighted complete: a step finds the target with probability omega/(omega + K - 2).  Beside 1 the
  eigenvalues are -omega/(omega + K - 2) (by the trace of the walk on target and others) and
  -1/(omega + K - 2), K - 2 times.
- lollipop, m vertices and a path of s more: m - 1 steps to the joint, then s edges, edge k (from 0)
  with m(m - 1)/2 + k behind it.
- barbell, joints 2s edges apart: m - 1, then 2s edges as on the lollipop, then from the joint into
  the second complete graph: by resistances (2/m inside it) m - 1 + (4/m)(m(m - 1)/2 + 2s).
- directed ring: d steps, and K to return.  Eigenvalues: the K-th roots of unity; the symmetrised
  walk is the ring's.
- torus of side r: all 4 neighbours are alike, so E tau from one is the return time less 1.
- hypercube of dimension n: from the antipode the characters of odd weight k count twice, and
  1 - lambda = 2k/n, so E tau = sum over odd k of binomial(n, k) n/k (Aldous and Fill, chapter 5,
  example 15, by another way).
- tree, b branches, depth n: an edge below a vertex of level k has (b^(n - k + 1) - b)/(b - 1) edges
  under it.
- Petersen: strongly regular, adjacency eigenvalues 3, 1 (5 times), -2 (4 times); neighbours of a
  vertex are alike.

Kemeny's constant.  Sum of 1/(1 - lambda) over the eigenvalues but 1, or
sum over pairs x < y of d_x d_y R_xy/(2w) (Kemeny and Snell 1976; Levene and Loizou 2002), which
serves where resistances are plain: R = distance on a tree, 2/m inside a complete graph of m.
"""

from collections.abc import Mapping
from fractions import Fraction
from itertools import combinations, pairwise
from typing import Any

import sympy

K, d, a, b, m, s, omega = sympy.symbols("K d a b m s omega")
Edges = dict[tuple[Any, Any], Fraction]
ONE = Fraction(1)

FORMULAS: dict[str, dict[str, sympy.Expr]] = {
    "complete": {"hitting-time": K - 1, "return-time": K, "gap": K / (K - 1)},
    "ring": {
        "hitting-time": d * (K - d),
        "return-time": K,
        "gap": 1 - sympy.cos(2 * sympy.pi / K),
        "kemeny": (K**2 - 1) / 6,
    },
    "path": {
        "hitting-time": d * (2 * (K - 1) - d),
        "return-time": 2 * (K - 1),
        "gap": 1 - sympy.cos(sympy.pi / (K - 1)),
        "kemeny": (2 * (K - 1) ** 2 + 1) / 6,
    },
    "star": {
        "hitting-time": 2 * K - 2,
        "return-time": 2 * K - 2,
        "gap": sympy.Integer(1),
        "kemeny": K - sympy.Rational(3, 2),
    },
    "complete-bipartite": {
        "hitting-time": 2 * a,
        "return-time": 2 * a,
        "gap": sympy.Integer(1),
        "kemeny": a + b - sympy.Rational(3, 2),
    },
    "weighted-complete": {
        "hitting-time": 1 + (K - 2) / omega,
        "return-time": 2 + (K - 2) / omega,
        "gap": sympy.Piecewise(
            (1 + omega / (omega + K - 2), sympy.Or(omega <= 1, sympy.Eq(K, 2))),
            (1 + 1 / (omega + K - 2), True),
        ),
        "kemeny": (omega + K - 2) / (2 * omega + K - 2)
        + (K - 2) * (omega + K - 2) / (omega + K - 1),
    },
    "lollipop": {
        "hitting-time": m - 1 + s * m * (m - 1) + s**2,
        "return-time": m * (m - 1) + 2 * s,
    },
    "barbell": {
        "hitting-time": 4 * (m - 1) + 2 * s * m * (m - 1) + 4 * s**2 + 8 * s / m,
        "return-time": (2 * m * (m - 1) + 4 * s) / (m - 1),
    },
    "directed-ring": {
        "hitting-time": d,
        "return-time": K,
        "gap": 1 - sympy.cos(2 * sympy.pi / K),
        "kemeny": (K - 1) / 2,
    },
    "petersen": {
        "hitting-time": sympy.Integer(9),
        "return-time": sympy.Integer(10),
        "gap": sympy.Rational(2, 3),
        "kemeny": sympy.Rational(99, 10),
    },
}


def hypercube(n: int) -> dict[str, sympy.Expr]:
    """Formulas at one dimension."""
    odd = range(1, n + 1, 2)
    return {
        "hitting-time": sum(sympy.Rational(sympy.binomial(n, k) * n, k) for k in odd),
        "return-time": sympy.Integer(2**n),
        "gap": sympy.Rational(2, n),
        "kemeny": sum(sympy.Rational(sympy.binomial(n, k) * n, 2 * k) for k in range(1, n + 1)),
    }


def torus(r: int) -> dict[str, sympy.Expr]:
    """Formulas at one side."""
    return {
        "hitting-time": sympy.Integer(r**2 - 1),
        "return-time": sympy.Integer(r**2),
        "gap": (1 - sympy.cos(2 * sympy.pi / r)) / 2,
    }


def tree(n: int) -> dict[str, sympy.Expr]:
    """Formulas at one depth; b is the number of branches."""
    under = [sum(b**i for i in range(1, n - k + 1)) for k in range(1, n + 1)]
    return {
        "hitting-time": sum((2 * v + 1 for v in under), sympy.Integer(0)),
        "return-time": 2 * sum((b**i for i in range(n)), sympy.Integer(0)),
    }


def formulas(name: str) -> Mapping[str, sympy.Expr]:
    """The formulas of a graph, by quantity."""
    if name in FORMULAS:
        return FORMULAS[name]
    kind, number = name.rsplit("-", 1)
    return {"hypercube": hypercube, "torus": torus, "tree": tree}[kind](int(number))


# ---------------------------------------------------------------- the graphs themselves
def graph(name: str, values: Mapping[str, Fraction]) -> tuple[Edges, object, object]:
    """Edges with weights, start and target, with vertices named as comes naturally."""
    at = {key: int(value) for key, value in values.items() if key != "omega"}
    kind, _, number = name.rpartition("-")
    if number.isdigit():
        return {"hypercube": _hypercube, "torus": _torus, "tree": _tree}[kind](int(number), at)
    size = at.get("K", 0)
    if name == "path":
        return {(k, k + 1): ONE for k in range(size - 1)}, at["d"], 0
    if name == "ring":
        return {(k, (k + 1) % size): ONE for k in range(size)}, 0, at["d"]
    if name == "complete":
        return _clique(range(size)), 0, 1
    if name == "star":
        return {("hub", k): ONE for k in range(size - 1)}, 0, 1
    if name == "complete-bipartite":
        return (
            {(("left", x), ("right", y)): ONE for x in range(at["a"]) for y in range(at["b"])},
            ("left", 0),
            ("left", 1),
        )
    if name == "weighted-complete":
        heavy = {("target", k): values["omega"] for k in range(size - 1)}
        return {**_clique(range(size - 1)), **heavy}, 0, "target"
    if name == "lollipop":
        head = [*range(at["m"] - 1), "joint"]
        stick = ["joint", *(("stick", k) for k in range(at["s"]))]
        rod = {pair: ONE for pair in pairwise(stick)}
        return {**_clique(head), **rod}, 0, stick[-1]
    if name == "barbell":
        bells = [[*((side, k) for k in range(at["m"] - 1)), (side, "joint")] for side in "LR"]
        between = [bells[0][-1], *range(2 * at["s"] - 1), bells[1][-1]]
        bar: Edges = {pair: ONE for pair in pairwise(between)}
        return {**_clique(bells[0]), **_clique(bells[1]), **bar}, ("L", 0), ("R", 0)
    if name == "petersen":  # pairs out of five, joined if disjoint
        pairs = list(combinations(range(5), 2))
        joined = {(x, y): ONE for x, y in combinations(pairs, 2) if not set(x) & set(y)}
        return joined, (0, 1), (2, 3)
    raise KeyError(name)


def _clique(vertices) -> Edges:
    return dict.fromkeys(combinations(list(vertices), 2), ONE)


def _hypercube(n: int, _) -> tuple[Edges, object, object]:
    words = range(2**n)
    edges: Edges = {(x, y): ONE for x, y in combinations(words, 2) if (x ^ y).bit_count() == 1}
    return edges, 2**n - 1, 0


def _torus(r: int, _) -> tuple[Edges, object, object]:
    square = [(x, y) for x in range(r) for y in range(r)]
    right: Edges = {((x, y), ((x + 1) % r, y)): ONE for x, y in square}
    up: Edges = {((x, y), (x, (y + 1) % r)): ONE for x, y in square}
    return {**right, **up}, (0, 1), (0, 0)


def _tree(n: int, at: Mapping[str, int]) -> tuple[Edges, object, object]:
    edges: Edges = {}
    level: list[tuple[int, ...]] = [()]
    for _ in range(n):
        below = [(*word, k) for word in level for k in range(at["b"])]
        edges |= {(word[:-1], word): ONE for word in below}
        level = below
    return edges, level[0], ()


def matrix(name: str, values: Mapping[str, Fraction]) -> tuple[list[list[Fraction]], int, int]:
    """The walk as a matrix, and the rows of start and target."""
    if name == "directed-ring":
        size = int(values["K"])
        turn = [[Fraction(int(y == (x + 1) % size)) for y in range(size)] for x in range(size)]
        return turn, 0, int(values["d"])
    edges, start, target = graph(name, values)
    vertices = list(dict.fromkeys(v for pair in edges for v in pair))
    number = {v: n for n, v in enumerate(vertices)}
    weight = [[Fraction(0)] * len(vertices) for _ in vertices]
    for (x, y), w in edges.items():
        weight[number[x]][number[y]] += w
        weight[number[y]][number[x]] += w
    walk = [[w / sum(row) for w in row] for row in weight]
    return walk, number[start], number[target]


def kemeny_by_resistances(name: str, values: Mapping[str, Fraction]) -> Fraction:
    """Sum over pairs of d_x d_y R_xy/(2w), on the graphs made of trees and complete graphs."""
    edges, _, _ = graph(name, values)
    vertices = list(dict.fromkeys(v for pair in edges for v in pair))
    clique = {"lollipop": Fraction(2), "barbell": Fraction(2)}.get(name)
    length = dict[tuple[object, object], Fraction]()
    degree = dict.fromkeys(vertices, 0)
    for x, y in edges:
        degree[x] += 1
        degree[y] += 1
    for x, y in edges:
        both = [z for z in vertices if {(x, z), (z, x)} & set(edges)]
        inside = any({(y, z), (z, y)} & set(edges) for z in both)  # in a triangle: in the clique
        r = clique / values["m"] if clique and inside else ONE
        length[x, y] = length[y, x] = r
    for v in vertices:
        length[v, v] = Fraction(0)
    far = Fraction(10**9)
    for z in vertices:  # all ways (Floyd): the shortest, for blocks meet in single vertices
        for x in vertices:
            for y in vertices:
                way = length.get((x, z), far) + length.get((z, y), far)
                if way < length.get((x, y), far):
                    length[x, y] = way
    pairs = combinations(vertices, 2)
    return sum((degree[x] * degree[y] * length[x, y] for x, y in pairs), Fraction(0)) / (
        2 * len(edges)
    )
