"""Path family: closed forms from the potential of a unit current.

The chain is reversible: clique edges (loops included) get conductance 1, so a bulk state has
weight M and a gate M/(1 - epsilon); a bridge has resistance b = (1 - epsilon)/(M epsilon). In
units of M an end cluster weighs E = M - 1 + 1/(1 - epsilon) and an interior one
I = M - 2 + 2/(1 - epsilon). (The unused member of an end cluster is a bulk state.)

Hitting time: E_x tau_y = sum_z w_z (R_xy + R_yz - R_xz)/2, and the bracket is the potential of z
when a unit current runs from x to y with y at 0. In a clique that current enters at one state
(1/M above the common level) and leaves at another (1/M below). The level of cluster j <= d is
m_j = 1/M + (d - j)(2/M + b); beyond d no current runs and the potential is that of the gate of
cluster d, the level 1/M. Offsets: in an interior cluster both current states are gates and
cancel; in cluster 0 they give M/M - 1/(1 - epsilon), in cluster d the opposite, and cancel too.
Hence E[tau] = M (E m_0 + I (m_1 + ... + m_{d-1}) + (rest) / M), all clusters sharing the 1/M:
E[tau] = 2 E + (K - 2) I + (2 + M b)(d E + I d (d - 1)/2), with 2 + M b = (1 + epsilon)/epsilon.

Exit time: inside a clique every step is a fresh uniform draw, a draw is a gate that leaves next
with probability epsilon/M at an end, 2 epsilon/M inside, and one more step crosses.

Aggregated chain: a birth-death chain; the step j -> j + 1 takes the mass of clusters 0..j divided
by the flow across one bridge. With gate mass 1 the flow is epsilon and the masses are
(1 - epsilon) E and (1 - epsilon) I, and T_A sums these quotients over j < d.
"""

import sympy

K, M, epsilon, d = sympy.symbols("K M epsilon d")

_end_weight = M - 1 + 1 / (1 - epsilon)
_interior_weight = M - 2 + 2 / (1 - epsilon)
_end_unit = 1 + (M - 1) * (1 - epsilon)
_interior_unit = 2 + (M - 2) * (1 - epsilon)
_total_unit = 2 * _end_unit + (K - 2) * _interior_unit

STATIONARY: dict[str, sympy.Expr] = {
    "gate": 1 / _total_unit,
    "bulk": (1 - epsilon) / _total_unit,
}

# For K = 2 both clusters are ends and only the first entry occurs.
AGGREGATED: dict[str, sympy.Expr] = {
    "end-to-neighbour": epsilon / _end_unit,
    "interior-to-each-neighbour": epsilon / _interior_unit,
}

FORMULAS: dict[str, sympy.Expr] = {
    "hitting-time": (
        2 * _end_weight
        + (K - 2) * _interior_weight
        + (1 + epsilon) / epsilon * (d * _end_weight + _interior_weight * d * (d - 1) / 2)
    ),
    "exit-time": 1 + M / epsilon,
    "exit-time-interior": 1 + M / (2 * epsilon),
    "aggregated-hitting-time": (d * _end_unit + _interior_unit * d * (d - 1) / 2) / epsilon,
}
