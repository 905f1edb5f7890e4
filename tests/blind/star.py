"""Star family: closed forms from an electrical network.

The chain is reversible: clique edges (loops included) get conductance 1 in a leaf and K - 1 in
the hub, so that the two ends of a bridge agree on its resistance b = (1 - epsilon)/(M epsilon).
In units of M a leaf weighs B = M - 1 + 1/(1 - epsilon), the hub (K - 1) B, W = 2 (K - 1) M B.

Leaf to leaf: exchanging the two leaves exchanges start and target, so E[tau] = W R/2 with
R = 2 (2/M + b), because all bridges meet in the one gate of the hub; 2 + M b = (1 + e)/e with
e = epsilon.
Hub to leaf: E_x tau_y sums weight times potential of a unit current x -> y, y at 0: the target
leaf's bulk is at 1/M and its gate at 2/M, which gives M - 2 + 2/(1 - e); the hub's gate and all
other leaves are at 2/M + b, weight M (2 K - 3) B; the hub's bulk is higher by 1/(M (K - 1)), its
start by twice that, which adds M. Sum: 2 B + (2 K - 3) B (1 + e)/e.
Leaf to hub: the commute time W R, R = 2/M + b + 2/(M (K - 1)), minus the time hub to leaf.

Exit time: inside a clique every step is a fresh uniform draw, a draw is a gate that leaves next
with probability e/M, and one more step crosses; leaf and hub alike.

Aggregated chain: with a = probability leaf -> hub = probability to leave the hub, a round hub to
leaf takes 1/a, and all but the last of a mean of K - 1 rounds also take 1/a to come back.

Gap: antisymmetric functions on two leaves do not see the hub; their 2 x 2 block (gate, bulk) has
determinant 0 and trace 1 - e/M. The functions equal on all leaves form the complete family with
two clusters, whose gap polynomial g^2 - (1 + e + e/M) g + 2 e/M equals (1 - e) e/M > 0 at
g = e/M, which lies below the midpoint of its roots. So e/M is the gap.
"""

import sympy

K, M, epsilon = sympy.symbols("K M epsilon")

_leaf_weight = M - 1 + 1 / (1 - epsilon)
_gate_unit = 1 + (M - 1) * (1 - epsilon)
_step = (1 + epsilon) / epsilon

STATIONARY: dict[str, sympy.Expr] = {
    "hub-gate": 1 / (2 * _gate_unit),
    "hub-bulk": (1 - epsilon) / (2 * _gate_unit),
    "leaf-gate": 1 / (2 * (K - 1) * _gate_unit),
    "leaf-bulk": (1 - epsilon) / (2 * (K - 1) * _gate_unit),
}

AGGREGATED: dict[str, sympy.Expr] = {
    "leaf-to-hub": epsilon / _gate_unit,
    "hub-to-each-leaf": epsilon / ((K - 1) * _gate_unit),
}

FORMULAS: dict[str, sympy.Expr] = {
    "hitting-time": 2 * (K - 1) * _leaf_weight * _step,
    "hitting-time-hub-to-leaf": _leaf_weight * (2 + (2 * K - 3) * _step),
    "hitting-time-leaf-to-hub": _leaf_weight * (2 + _step),
    "exit-time": 1 + M / epsilon,
    "exit-time-hub": 1 + M / epsilon,
    "aggregated-hitting-time": 2 * (K - 1) * _gate_unit / epsilon,
    "aggregated-hitting-time-hub-to-leaf": (2 * K - 3) * _gate_unit / epsilon,
    "aggregated-hitting-time-leaf-to-hub": _gate_unit / epsilon,
}

GAP: sympy.Expr = epsilon / M


def gap_polynomial(g: sympy.Expr) -> sympy.Expr:
    """Return the product of both blocks' factors, in g; its smallest root is the gap."""
    return (g - epsilon / M) * (g**2 - (1 + epsilon + epsilon / M) * g + 2 * epsilon / M)
