"""The explicit chain of each family and exact answers by rational elimination."""

from collections.abc import Collection
from fractions import Fraction

Vector = list[Fraction]
Matrix = list[Vector]
State = tuple[int, int]
SparseEdges = dict[State, dict[State, Fraction]]


def index(state: State, members: int) -> int:
    """Return the row of (cluster, member) in the matrix."""
    cluster, member = state
    return cluster * members + member


def chain(clusters: int, members: int, edges: SparseEdges) -> Matrix:
    """Put each state's mass off its sparse edges uniformly on its own clique."""
    size = clusters * members
    matrix = [[Fraction(0)] * size for _ in range(size)]
    for cluster in range(clusters):
        for member in range(members):
            row = matrix[index((cluster, member), members)]
            out = edges.get((cluster, member), {})
            share = (1 - sum(out.values(), Fraction(0))) / members
            for other in range(members):
                row[index((cluster, other), members)] += share
            for target, probability in out.items():
                row[index(target, members)] += probability
    return matrix


def complete_chain(clusters: int, members: int, epsilon: Fraction) -> Matrix:
    """Join all gates pairwise."""
    edges: SparseEdges = {
        (k, 0): {(other, 0): epsilon / (clusters - 1) for other in range(clusters) if other != k}
        for k in range(clusters)
    }
    return chain(clusters, members, edges)


def ring_chain(clusters: int, members: int, epsilon: Fraction) -> Matrix:
    """Join member 0 of each cluster with member 1 of the next, indices modulo the number."""
    edges: SparseEdges = {}
    for k in range(clusters):
        edges[(k, 0)] = {((k + 1) % clusters, 1): epsilon}
        edges[(k, 1)] = {((k - 1) % clusters, 0): epsilon}
    return chain(clusters, members, edges)


def path_chain(clusters: int, members: int, epsilon: Fraction) -> Matrix:
    """Join member 0 of each cluster with member 1 of the next, without wrap-around."""
    edges: SparseEdges = {}
    for k in range(clusters - 1):
        edges[(k, 0)] = {(k + 1, 1): epsilon}
        edges[(k + 1, 1)] = {(k, 0): epsilon}
    return chain(clusters, members, edges)


def star_chain(clusters: int, members: int, epsilon: Fraction) -> Matrix:
    """Join the gate of each leaf with the gate of the hub, which is cluster 0."""
    edges: SparseEdges = {(leaf, 0): {(0, 0): epsilon} for leaf in range(1, clusters)}
    edges[(0, 0)] = {(leaf, 0): epsilon / (clusters - 1) for leaf in range(1, clusters)}
    return chain(clusters, members, edges)


def solve(matrix: Matrix, right: Vector) -> Vector:
    """Solve a regular square system by Gauss-Jordan elimination."""
    size = len(matrix)
    rows = [[*row, value] for row, value in zip(matrix, right, strict=True)]
    for column in range(size):
        pivot = next(i for i in range(column, size) if rows[i][column] != 0)
        rows[column], rows[pivot] = rows[pivot], rows[column]
        scale = rows[column][column]
        rows[column] = [value / scale for value in rows[column]]
        for i in range(size):
            factor = rows[i][column]
            if i != column and factor != 0:
                rows[i] = [
                    a - factor * b if b else a for a, b in zip(rows[i], rows[column], strict=True)
                ]
    return [row[size] for row in rows]


def mean_time_to_leave(matrix: Matrix, start: int, kept: Collection[int]) -> Fraction:
    """Return the expected number of steps from start until the chain is outside kept."""
    states = sorted(kept)
    system = [[Fraction(int(i == j)) - matrix[i][j] for j in states] for i in states]
    return solve(system, [Fraction(1)] * len(states))[states.index(start)]


def hitting_time(matrix: Matrix, start: int, target: int) -> Fraction:
    """Return the expected number of steps from start to target."""
    kept = [i for i in range(len(matrix)) if i != target]
    return mean_time_to_leave(matrix, start, kept)


def exit_time(matrix: Matrix, members: int, start: State) -> Fraction:
    """Return the expected number of steps until the chain stands in another cluster."""
    kept = [index((start[0], member), members) for member in range(members)]
    return mean_time_to_leave(matrix, index(start, members), kept)


def stationary(matrix: Matrix) -> Vector:
    """Return the stationary law: balance at all states but one, and total mass 1."""
    size = len(matrix)
    system = [[matrix[j][i] - int(i == j) for j in range(size)] for i in range(size - 1)]
    system.append([Fraction(1)] * size)
    return solve(system, [Fraction(0)] * (size - 1) + [Fraction(1)])


def aggregated(matrix: Matrix, law: Vector, members: int) -> Matrix:
    """Return the chain on clusters: one step from the law conditioned on a cluster."""
    size = len(matrix)
    blocks = [range(first, first + members) for first in range(0, size, members)]
    result: Matrix = []
    for block in blocks:
        mass = sum((law[x] for x in block), Fraction(0))
        result.append(
            [
                sum((law[x] * matrix[x][y] for x in block for y in other), Fraction(0)) / mass
                for other in blocks
            ]
        )
    return result


def eigenvalues_above(matrix: Matrix, law: Vector, level: Fraction) -> int:
    """Count the eigenvalues above level of a chain reversible for law.

    The form diag(law) (level - matrix) is symmetric, so by Sylvester's law the number of its
    negative pivots is the number of eigenvalues above level.
    """
    size = len(matrix)
    form = [
        [law[i] * (level * int(i == j) - matrix[i][j]) for j in range(size)] for i in range(size)
    ]
    if any(form[i][j] != form[j][i] for i in range(size) for j in range(i)):
        raise ValueError("the chain is not reversible for this law")
    negative = 0
    for column in range(size):
        pivot = form[column][column]
        if pivot == 0:
            raise ValueError("a leading minor vanishes, take another level")
        negative += pivot < 0
        for i in range(column + 1, size):
            factor = form[i][column] / pivot
            if factor:
                for j in range(column, size):
                    form[i][j] -= factor * form[column][j]
    return negative
