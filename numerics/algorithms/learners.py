"""Learners of the logic task of R7: by averages, by gradients, by elimination and by search.

The task is that of `theory.results.limits`: candidate i of a path shows an element x_i of a group,
and the answer is the product over a hidden set S applied to a base point. Learners that see only
averages over (x, answer), with an error of tau, are bounded by the statistical dimension; one that
sees the graph finds S and is exact.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from math import sqrt

import numpy as np
from numpy.random import Generator
from scipy import sparse
from scipy.sparse import csgraph

from numerics.algorithms import search
from numerics.algorithms.task import Task
from numerics.chain import ChainError, FloatArray, IntArray
from theory.groups import Action

MOST_INPUTS = 2**16
"""Most inputs x over which averages are taken exactly."""

FindEdges = Callable[[Task, Generator], frozenset[tuple[int, int]]]
"""From a task, whose model may be sampled and read, to its sparse edges, as pairs of states."""


# ---------------------------------------------------------------- inputs and answers
def inputs(order: int, length: int) -> IntArray:
    """All sequences of elements.

    Returns
    -------
    int64 array, shape (order^length, length).

    Raises
    ------
    ChainError
        There are more than `MOST_INPUTS`.
    """
    if order**length > MOST_INPUTS:
        raise ChainError(
            f"{order}^{length} inputs are too many: choose a smaller group or length "
            f"(at most {MOST_INPUTS} inputs)"
        )
    grid = np.indices((order,) * length, dtype=np.int64)
    return (
        np.ascontiguousarray(grid.reshape(length, -1).T) if length else np.zeros((1, 0), np.int64)
    )


def answers(action: Action, shown: IntArray, inside: Sequence[bool], base: int = 0) -> IntArray:
    """The point to which the base point is moved by the elements inside S, the first first.

    Parameters
    ----------
    shown : shape (X, L), elements.
    inside : L truth values.

    Returns
    -------
    int64 array, shape (X,).
    """
    moves = np.array(action.moves)
    point = np.full(len(shown), base, dtype=np.int64)
    for i in np.flatnonzero(np.asarray(inside, dtype=bool)):
        point = moves[shown[:, i], point]
    return point


def one_hot(order: int, shown: IntArray) -> FloatArray:
    """Local features: which element each candidate shows, and a constant.

    Returns
    -------
    float64 array, shape (X, L * order + 1), of 0 and 1.
    """
    marks = (shown[:, :, None] == np.arange(order)).astype(np.float64)
    return np.hstack([marks.reshape(len(shown), -1), np.ones((len(shown), 1))])


# ---------------------------------------------------------------- the oracle
class Oracle:
    """Averages over (x, answer), within a tolerance.

    A query is a function g of (x, answer), or a vector of them; its scale is the root of the sum of
    the mean squares of g less its mean over the answers at each x. That is at most the norm of
    g - E_0 g in the theorem, where E_0 takes the answer uniform and independent of x: a function of
    x alone tells nothing. The oracle may err by ``tolerance`` times the scale, in the Euclidean
    norm.

    Parameters
    ----------
    truth : shape (X,), the answers to all inputs, in 0 .. n - 1.
    points : n.
    tolerance : tau >= 0.
    rng : None for the adversary, which answers E_0 g, free of the truth, whenever it may; else each
        answer is the true one plus noise of the largest norm allowed, in a random direction.

    Attributes
    ----------
    queries : how many there were.
    caught : to how many of them E_0 g was no valid answer.
    """

    def __init__(
        self, truth: IntArray, points: int, tolerance: float, rng: Generator | None = None
    ) -> None:
        if not tolerance >= 0:
            raise ChainError(f"tolerance = {tolerance} is out of range; choose it 0 or more")
        self.tolerance, self.rng = tolerance, rng
        self.excess = np.full((len(truth), points), -1 / points)
        self.excess[np.arange(len(truth)), truth] += 1
        self.queries = self.caught = 0

    def answer(self, query: FloatArray) -> float:
        """E g for one function g of (x, answer), shape (X, n)."""
        centred = query - query.mean(axis=1, keepdims=True)
        scale = sqrt(float((centred**2).mean()))
        told = self.excess_of(lambda weights: np.array([(weights * query).sum()]), scale)
        return float(query.mean() + told[0])

    def excess_of(self, pull: Callable[[FloatArray], FloatArray], scale: float) -> FloatArray:
        """E g - E_0 g for a vector of functions g.

        Parameters
        ----------
        pull : takes weights w, shape (X, n), to the sums over (x, a) of w(x, a) g(x, a).
        scale : of the query.
        """
        self.queries += 1
        told = pull(self.excess) / len(self.excess)
        allowed = self.tolerance * scale
        hidden = float(np.linalg.norm(told)) <= allowed
        self.caught += not hidden
        if self.rng is None:
            return np.zeros_like(told) if hidden else told
        noise = self.rng.standard_normal(told.shape)
        return np.asarray(told + noise * (allowed / np.linalg.norm(noise)))


# ---------------------------------------------------------------- gradient learners
@dataclass
class Linear:
    """Scores that are linear in the features: W f(x), one for each answer."""

    weights: FloatArray

    @classmethod
    def draw(cls, features: int, points: int, width: int, rng: Generator) -> Linear:
        """Small random weights."""
        return cls(rng.standard_normal((points, features)) * 0.01)

    def units(self, f: FloatArray) -> FloatArray:
        """What the scores are linear in: the features."""
        return f

    def scores(self, units: FloatArray) -> FloatArray:
        """Shape (X, n)."""
        return np.asarray(units @ self.weights.T)

    def pull(self, f: FloatArray, units: FloatArray, weights: FloatArray) -> FloatArray:
        """The gradient of the sum of weights, shape (X, n), times scores."""
        return np.asarray((weights.T @ f).ravel())

    def scale(self, f: FloatArray, units: FloatArray) -> float:
        """Of the gradients of the scores, as a query."""
        return sqrt((1 - 1 / len(self.weights)) * float((f**2).sum(axis=1).mean()))

    def move(self, step: FloatArray) -> None:
        """Add a step to the weights."""
        self.weights += step.reshape(self.weights.shape)


@dataclass
class Hidden:
    """One hidden layer: V (tanh(U f(x)), 1)."""

    inner: FloatArray
    outer: FloatArray

    @classmethod
    def draw(cls, features: int, points: int, width: int, rng: Generator) -> Hidden:
        """Random weights, so that units and scores are of order 1."""
        inner = rng.standard_normal((width, features)) / sqrt(max(1, features) / 4)
        return cls(inner, rng.standard_normal((points, width + 1)) / sqrt(width))

    def units(self, f: FloatArray) -> FloatArray:
        """What the scores are linear in: the hidden layer, and a constant."""
        return np.hstack([np.tanh(f @ self.inner.T), np.ones((len(f), 1))])

    def scores(self, units: FloatArray) -> FloatArray:
        """Shape (X, n)."""
        return np.asarray(units @ self.outer.T)

    def pull(self, f: FloatArray, units: FloatArray, weights: FloatArray) -> FloatArray:
        """The gradient of the sum of weights, shape (X, n), times scores."""
        back = (weights @ self.outer[:, :-1]) * (1 - units[:, :-1] ** 2)
        return np.concatenate([(back.T @ f).ravel(), (weights.T @ units).ravel()])

    def scale(self, f: FloatArray, units: FloatArray) -> float:
        """Of the gradients of the scores, as a query."""
        spread = self.outer[:, :-1].var(axis=0)
        inner = (f**2).sum(axis=1) * (((1 - units[:, :-1] ** 2) ** 2) @ spread)
        outer = (1 - 1 / len(self.outer)) * (units**2).sum(axis=1)
        return sqrt(float((inner + outer).mean()))

    def move(self, step: FloatArray) -> None:
        """Add a step to the weights."""
        cut = self.inner.size
        self.inner += step[:cut].reshape(self.inner.shape)
        self.outer += step[cut:].reshape(self.outer.shape)


Model = Linear | Hidden
MODELS: dict[str, type[Linear] | type[Hidden]] = {"linear": Linear, "hidden": Hidden}


def descend(
    model: Model, features: FloatArray, oracle: Oracle, steps: int, rate: float = 0.1
) -> None:
    """Gradient descent on the cross-entropy, in place; the part with the answers is asked for.

    The gradient is E[sum_a p_a(x) d z_a(x)] - E[d z_answer(x)]; the first mean is free of the
    answers. Steps are those of Adam (Kingma and Ba 2015), a function of the gradients so far.
    """
    first = second = np.zeros(())
    count, points = oracle.excess.shape
    for t in range(1, steps + 1):
        units = model.units(features)
        scores = model.scores(units)
        share = np.exp(scores - scores.max(axis=1, keepdims=True))
        share /= share.sum(axis=1, keepdims=True)
        pull = partial(model.pull, features, units)
        known = pull(share - 1 / points) / count
        asked = oracle.excess_of(pull, model.scale(features, units))
        gradient = known - asked
        first = 0.9 * first + 0.1 * gradient
        second = 0.99 * second + 0.01 * gradient**2
        mean, square = first / (1 - 0.9**t), second / (1 - 0.99**t)
        model.move(-rate * mean / (np.sqrt(square) + 1e-12))


def accuracy(model: Model, features: FloatArray, truth: IntArray) -> float:
    """Share of the inputs whose highest score is that of the answer."""
    scores = model.scores(model.units(features))
    return float((scores.argmax(axis=1) == truth).mean())


# ---------------------------------------------------------------- other learners
def ask_each(oracle: Oracle, guesses: Iterable[IntArray]) -> IntArray | None:
    """The first of some guesses of the answers that the oracle confirms, one query each, or None.

    With uniform actions and a tolerance below 1/2 no wrong guess is confirmed and S is, so that
    as many queries as the dimension are enough.
    """
    for guess in guesses:
        query = np.zeros_like(oracle.excess)
        query[np.arange(len(guess)), guess] = 1
        least = query.mean()
        if oracle.answer(query) - least > (1 - least) / 2:
            return guess
    return None


def eliminate(shown: IntArray, truth: IntArray, modulus: int) -> tuple[bool, ...] | None:
    """The set S for Z/p from examples: linear equations sum_(i in S) x_i = answer mod p.

    No statistical query: it combines single examples, so the dimension does not bound it. About L
    examples are enough.

    Parameters
    ----------
    shown : shape (s, L).
    truth : shape (s,).
    modulus : a prime p.

    Returns
    -------
    L truth values, or None if the examples leave S open or are no such equations.
    """
    rows = np.hstack([shown, truth[:, None]]) % modulus
    length = shown.shape[1]
    for column in range(length):
        found = np.flatnonzero(rows[column:, column])
        if not len(found):
            return None
        swap = column + int(found[0])
        rows[[column, swap]] = rows[[swap, column]]
        rows[column] = rows[column] * pow(int(rows[column, column]), -1, modulus) % modulus
        others = np.arange(len(rows)) != column
        rows[others] = (rows[others] - rows[others, column, None] * rows[column]) % modulus
    values = rows[:length, -1]
    if rows[length:, -1].any() or (values > 1).any():
        return None
    return tuple(bool(x) for x in values)


def edges_by_weight(task: Task, rng: Generator) -> frozenset[tuple[int, int]]:
    """Sparse edges by following the graph, in time proportional to its size.

    Transitions at least as probable as the geometric mean of the largest and the smallest one are
    followed; what they connect is a cluster, and the others are sparse if they leave one.
    """
    model = task.model
    p = model.probability
    cut = sqrt(float(p.max()) * float(p.min()))
    strong = p >= cut
    ends = (model.source[strong], model.target[strong])
    n = len(model.states)
    graph = sparse.coo_array((np.ones(len(ends[0])), ends), shape=(n, n))
    _, cluster = csgraph.connected_components(graph, directed=False)
    leaves = cluster[model.source] != cluster[model.target]
    pairs = zip(model.source[leaves].tolist(), model.target[leaves].tolist(), strict=True)
    return frozenset(pairs)


def edges_by_search(
    task: Task, rng: Generator, delta: Fraction = Fraction(1, 10**6)
) -> tuple[frozenset[tuple[int, int]], int]:
    """Sparse edges by rollouts, and the steps generated: the search of R3, planned for delta.

    Raises
    ------
    ChainError
        There is no plan: edges between clusters are not rare enough.
    """
    found = search.run(task, search.Config(delta=delta), rng)
    return frozenset(found.edges), found.steps


def solve(
    edges: frozenset[tuple[int, int]], crossings: Sequence[tuple[int, int]]
) -> tuple[bool, ...]:
    """Which candidates of a path are truly sparse, by the edges found; `answers` then is exact.

    Parameters
    ----------
    crossings : the ends of each candidate, as states of the model.
    """
    return tuple(crossing in edges for crossing in crossings)
