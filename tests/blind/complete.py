"""Complete family: closed forms from an electrical network.

The chain is reversible: give every edge inside a clique (loops included) conductance 1, so a
bulk state has weight M; a gate puts mass (1 - epsilon)/M on each clique edge, so its weight is
M/(1 - epsilon), and a gate-gate edge has conductance M epsilon/((1 - epsilon)(K - 1)).
Total weight: W = K M B with B = M - 1 + 1/(1 - epsilon).

Hitting time: swapping the two clusters swaps start and target, so E[tau] is half the commute
time W R. A unit clique has resistance 2/M between two states; the gates form a complete graph
on K nodes with conductance c, resistance 2/(K c); cliques hang on by their gate alone, so
R = 2/M + 2 (K - 1)(1 - epsilon)/(K M epsilon) + 2/M.

Exit time: from the bulk every step inside the clique is a fresh uniform draw, also after a gate
that failed to leave. A draw is a gate that leaves next with probability epsilon/M, so M/epsilon
draws are needed on average, and one more step crosses.

Aggregated chain: every other cluster moves to the target with the same probability, so T_A is
the inverse of that entry.

Gap: vectors supported on one bulk and summing to 0 there have eigenvalue 0. On the cluster-sums
the permutation action of the K clusters leaves a trivial part (1 and epsilon (M - 1)/M) and a
standard part where a gate sees the other gates with factor -1/(K - 1); its 2 x 2 block has trace
1 - epsilon/M - epsilon/(K - 1) and determinant -(M - 1) epsilon/(M (K - 1)). Its characteristic
polynomial is negative at epsilon (M - 1)/M and at 0, so its larger root is lambda_2.
"""

import sympy

K, M, epsilon = sympy.symbols("K M epsilon")

# Weight of one cluster in units of M.
_cluster_weight = M - 1 + 1 / (1 - epsilon)
# Stationary weight of one cluster when a gate has weight 1.
_gate_unit = 1 + (M - 1) * (1 - epsilon)

STATIONARY: dict[str, sympy.Expr] = {
    "gate": 1 / (K * _gate_unit),
    "bulk": (1 - epsilon) / (K * _gate_unit),
}

AGGREGATED: dict[str, sympy.Expr] = {
    "cluster-to-other-cluster": epsilon / ((K - 1) * _gate_unit),
}

FORMULAS: dict[str, sympy.Expr] = {
    "hitting-time": K * _cluster_weight * (2 + (K - 1) * (1 - epsilon) / (K * epsilon)),
    "exit-time": 1 + M / epsilon,
    "aggregated-hitting-time": (K - 1) * _gate_unit / epsilon,
}

_minus_linear = 1 + epsilon / M + epsilon / (K - 1)
_constant = epsilon * K / (M * (K - 1))

GAP: sympy.Expr = (_minus_linear - sympy.sqrt(_minus_linear**2 - 4 * _constant)) / 2


def gap_polynomial(g: sympy.Expr) -> sympy.Expr:
    """Return the quadratic in g whose smallest root is the spectral gap."""
    return g**2 - _minus_linear * g + _constant
