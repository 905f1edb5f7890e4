"""Ring family: closed forms from an electrical network and a Fourier transform.

The chain is reversible: clique edges (loops included) get conductance 1, so a bulk state has
weight M and each of the two gates of a cluster M/(1 - epsilon); a bridge has resistance
b = (1 - epsilon)/(M epsilon). Total weight: W = K M B with B = M - 2 + 2/(1 - epsilon).

Hitting time: the map k -> d - k that also swaps the members 0 and 1 preserves the chain and
exchanges start and target, so E[tau] = W R/2. A unit clique equals a star of M resistors 1/M
around an extra centre, so the centres form a cycle with resistances r = 2/M + b and
R = 1/M + r d (K - d)/K + 1/M. For K = 2 the two bridges are the two sides of this cycle.

Exit time: inside the clique every step is a fresh uniform draw, a draw is a gate that leaves
next with probability 2 epsilon/M, and one more step crosses.

Aggregated chain: a lazy symmetric walk with probability a to either side, T_A = d (K - d)/(2 a).
For K = 2 both sides are the same cluster and the one entry is 2 a.

Gap: in the Fourier mode t the functions of (gate 0, gate 1, bulk) are mapped by S + u v^T, with
S exchanging the gates with factors epsilon e^{it}, epsilon e^{-it}, u = (1 - epsilon,
1 - epsilon, 1), v = (1, 1, M - 2)/M. The determinant lemma gives, with c = cos t,
p(x) = x (x^2 - epsilon^2) - (2 (1 - epsilon) x (x + epsilon c) + (M - 2)(x^2 - epsilon^2))/M.
For x > 0 it decreases in c, so among t != 0 the largest root belongs to c = cos(2 pi/K); as
p(epsilon) <= 0 that root is at least epsilon, above epsilon (M - 2)/M and -epsilon (the other
roots at t = 0) and above 0 (bulk vectors of sum 0). Put x = 1 - g and multiply by -M.
"""

import sympy

K, M, epsilon, d = sympy.symbols("K M epsilon d")
# Stands for cos(2 pi / K), so that the polynomial stays rational in all its symbols.
c = sympy.Symbol("c")

_cluster_weight = M - 2 + 2 / (1 - epsilon)
_gate_unit = 2 + (M - 2) * (1 - epsilon)

STATIONARY: dict[str, sympy.Expr] = {
    "gate": 1 / (K * _gate_unit),
    "bulk": (1 - epsilon) / (K * _gate_unit),
}

# Per bridge: for K = 2 the two bridges join the same clusters and the entry is twice this.
AGGREGATED: dict[str, sympy.Expr] = {
    "cluster-to-each-neighbour": epsilon / _gate_unit,
}

FORMULAS: dict[str, sympy.Expr] = {
    "hitting-time": _cluster_weight * (K + d * (K - d) * (1 + epsilon) / (2 * epsilon)),
    "exit-time": 1 + M / (2 * epsilon),
    "aggregated-hitting-time": d * (K - d) * _gate_unit / (2 * epsilon),
}


def gap_polynomial(g: sympy.Expr, cosine: sympy.Expr = c) -> sympy.Expr:
    """Return the cubic in g whose smallest root is the gap when cosine is cos(2 pi/K)."""
    x = 1 - g
    difference = x**2 - epsilon**2
    return sympy.expand(
        2 * (1 - epsilon) * x * (x + epsilon * cosine) + (M - 2) * difference - M * x * difference
    )
