"""Two clique sizes on the complete meta-graph: closed forms from an electrical network.

K_1 cliques of M_1 states and K_2 cliques of M_2 states, N = K_1 + K_2 clusters, every gate joined
to every other with probability epsilon/(N - 1).

Stationary law: a gate goes to another gate as often as that one comes back, so balance across
these edges gives every gate the same weight, whatever the size of its clique: take it as 1.
Inside a clique of M states the gate sends (1 - epsilon)/M to a bulk state and that state sends 1/M
back, so a bulk state has weight 1 - epsilon. A cluster weighs w_i = 1 + (M_i - 1)(1 - epsilon), the
whole W = K_1 w_1 + K_2 w_2.

Hitting time: swapping the two clusters of the first size swaps start and target, so E[tau] is half
the commute time W R. Each end adds the resistance of a clique on M_1 states with conductance
(1 - epsilon)/M_1 on each edge, that is 2/(1 - epsilon); the gates form a complete graph on N nodes
with conductance epsilon/(N - 1), so two of them are 2 (N - 1)/(N epsilon) apart. Every other clique
hangs on by its gate alone and carries no current: its size enters through W only.

Exit times: from the bulk every step inside the clique is a fresh uniform draw, also after a gate
that failed to leave. A draw is a gate that leaves next with probability epsilon/M, so M/epsilon
draws are needed on average, and one more step crosses; M is the size of the clique left.

Aggregated chain: a cluster of weight w_i sends the flow epsilon/(N - 1) of its gate to each other
cluster. Between two clusters of the first size the same swap gives half the commute time,
W/2 times the resistance 2 (N - 1)/(N epsilon) of the gates alone.
"""

from fractions import Fraction

import sympy

Matrix = list[list[Fraction]]

K_1, K_2, M_1, M_2, epsilon = sympy.symbols("K_1 K_2 M_1 M_2 epsilon")

_clusters = K_1 + K_2
# Weight of a cluster of either size when a gate has weight 1, and of the whole chain.
_first = 1 + (M_1 - 1) * (1 - epsilon)
_second = 1 + (M_2 - 1) * (1 - epsilon)
_whole = K_1 * _first + K_2 * _second
# Half the resistance between two gates.
_half_resistance = (_clusters - 1) / (_clusters * epsilon)

STATIONARY: dict[str, sympy.Expr] = {
    "gate": 1 / _whole,
    "bulk": (1 - epsilon) / _whole,
}

AGGREGATED: dict[str, sympy.Expr] = {
    "first-to-other-cluster": epsilon / ((_clusters - 1) * _first),
    "second-to-other-cluster": epsilon / ((_clusters - 1) * _second),
}

FORMULAS: dict[str, sympy.Expr] = {
    "hitting-time": _whole * (2 / (1 - epsilon) + _half_resistance),
    "exit-time": 1 + M_1 / epsilon,
    "exit-time-second": 1 + M_2 / epsilon,
    "aggregated-hitting-time": _whole * _half_resistance,
}


def blocks(sizes: list[int]) -> list[range]:
    """Return the rows of each cluster, clusters one after the other."""
    starts = [sum(sizes[:k]) for k in range(len(sizes))]
    return [range(start, start + size) for start, size in zip(starts, sizes, strict=True)]


def chain(sizes: list[int], gate_exit: Fraction) -> Matrix:
    """Return the chain on cliques of the given sizes, all gates joined pairwise."""
    clusters = blocks(sizes)
    matrix = [[Fraction(0)] * sum(sizes) for _ in range(sum(sizes))]
    for own in clusters:
        for state in own:
            out = gate_exit if state == own[0] else Fraction(0)
            for other in own:
                matrix[state][other] = (1 - out) / len(own)
        for neighbour in clusters:
            if neighbour != own:
                matrix[own[0]][neighbour[0]] = gate_exit / (len(sizes) - 1)
    return matrix


def aggregated(matrix: Matrix, law: list[Fraction], clusters: list[range]) -> Matrix:
    """Return the chain on clusters of any sizes: one step from the law given the cluster."""
    return [
        [
            sum((law[x] * matrix[x][y] for x in own for y in other), Fraction(0))
            / sum((law[x] for x in own), Fraction(0))
            for other in clusters
        ]
        for own in clusters
    ]
