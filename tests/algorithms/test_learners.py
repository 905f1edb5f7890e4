"""Learners and their oracle: exact identities and counts; nothing here rests on chance."""

import itertools
from fractions import Fraction

import numpy as np
import pytest

from numerics.algorithms.learners import (
    MODELS,
    Hidden,
    Oracle,
    accuracy,
    answers,
    ask_each,
    descend,
    edges_by_weight,
    eliminate,
    inputs,
    one_hot,
    solve,
)
from numerics.algorithms.task import Task, Truth, of_family
from numerics.chain import Chain, ChainError
from theory.family import built_in
from theory.groups import bits, cyclic, symmetric
from theory.results.limits import share_caught


def sets(length):
    return list(itertools.product([False, True], repeat=length))


def test_inputs_are_all_sequences_once():
    assert sorted(map(tuple, inputs(3, 2).tolist())) == list(itertools.product(range(3), repeat=2))
    assert inputs(5, 0).shape == (1, 0)
    with pytest.raises(ChainError, match="too many"):
        inputs(2, 17)


def test_the_first_crossed_acts_first():
    action = symmetric(3)
    for shown in inputs(6, 2):
        point = action.moves[shown[1]][action.moves[shown[0]][0]]
        assert answers(action, shown[None, :], [True, True]) == [point]
    told = {tuple(answers(action, inputs(6, 2), s)) for s in sets(2)}
    assert len(told) == 4
    other = answers(action, inputs(6, 2)[:, ::-1], [True, True])
    assert (other != answers(action, inputs(6, 2), [True, True])).any()


def test_one_hot_marks_one_element_each():
    marks = one_hot(3, inputs(3, 2))
    assert (marks.sum(axis=1) == 3).all()
    assert (marks[:, -1] == 1).all()
    assert len(np.unique(marks, axis=0)) == 9


# ---------------------------------------------------------------- the oracle
@pytest.mark.parametrize("seed", [None, 5])
@pytest.mark.parametrize("tolerance", [0.0, 0.1, 0.6])
def test_answers_are_within_the_tolerance(seed, tolerance):
    rng = np.random.default_rng(2)
    action = symmetric(3)
    shown = inputs(6, 2)
    told = 0
    for inside in sets(2):
        truth = answers(action, shown, inside)
        noise = None if seed is None else np.random.default_rng(seed)
        oracle = Oracle(truth, 3, tolerance, noise)
        for _ in range(20):
            query = rng.standard_normal((len(shown), 3))
            scale = np.sqrt(((query - query.mean(axis=1, keepdims=True)) ** 2).mean())
            exact = query[np.arange(len(shown)), truth].mean()
            error = abs(oracle.answer(query) - exact)
            assert error <= tolerance * scale * (1 + 1e-9) + 1e-12
            told += error > 1e-9
        assert oracle.queries == 20
        if tolerance == 0:
            assert oracle.caught == 20
    assert (told > 0) == (tolerance > 0)


def test_a_negative_tolerance_is_refused():
    with pytest.raises(ChainError, match="tolerance"):
        Oracle(np.zeros(2, np.int64), 2, -0.1)


@pytest.mark.parametrize("kind", MODELS)
def test_the_adversary_tells_of_no_more_sets_than_the_theorem_allows(kind):
    """An exact count over all sets, with one start of the learner."""
    action, length, steps, tolerance = cyclic(2), 8, 4, Fraction(1, 2)
    shown = inputs(2, length)
    features = one_hot(2, shown)
    caught, right = [], []
    for inside in sets(length):
        truth = answers(action, shown, inside)
        oracle = Oracle(truth, 2, float(tolerance))
        model = MODELS[kind].draw(features.shape[1], 2, 8, np.random.default_rng(3))
        descend(model, features, oracle, steps)
        caught.append(oracle.caught > 0)
        right.append(accuracy(model, features, truth))
    most = share_caught(Fraction(2**length), 2, steps, tolerance)
    assert most == Fraction(16, 256)
    assert np.mean(caught) <= most
    # The mean square advantage of one guess over all sets is at most that of the theorem.
    free = np.array(right)[~np.array(caught)]
    assert ((free - 0.5) ** 2).sum() <= 0.25 * (1 + 1e-9)


def test_a_correlated_learner_is_caught_as_often_as_the_theorem_allows():
    """The sum of 1/tau^2 sets as one query reaches the bound: it is sharp."""
    shown = inputs(2, 6)
    count = 16
    truths = [answers(cyclic(2), shown, s) for s in sets(6)]
    query = np.zeros((len(shown), 2))
    for truth in truths[:count]:
        query[np.arange(len(shown)), truth] += 1
    caught = 0
    for truth in truths:
        oracle = Oracle(truth, 2, 1 / np.sqrt(count) * (1 - 1e-9))
        oracle.answer(query)
        caught += oracle.caught
    assert caught == count == 64 * share_caught(Fraction(64), 2, 1, Fraction(1, 4))


# ---------------------------------------------------------------- gradients
@pytest.mark.parametrize("kind", MODELS)
def test_gradients_and_scales(kind):
    rng = np.random.default_rng(7)
    features = one_hot(3, inputs(3, 2))
    model = MODELS[kind].draw(features.shape[1], 3, 4, rng)
    weights = rng.standard_normal((9, 3))
    parameters = [model.inner, model.outer] if isinstance(model, Hidden) else [model.weights]
    size = sum(p.size for p in parameters)

    def value():
        return float((weights * model.scores(model.units(features))).sum())

    numeric = np.zeros(size)
    for i in range(size):
        step = np.zeros(size)
        step[i] = 1e-6
        model.move(step)
        above = value()
        model.move(-2 * step)
        numeric[i] = (above - value()) / 2e-6
        model.move(step)
    assert np.allclose(numeric, model.pull(features, model.units(features), weights), atol=1e-6)

    squares = 0.0
    for x in range(9):
        rows = []
        for a in range(3):
            one = np.zeros((9, 3))
            one[x, a] = 1
            rows.append(model.pull(features, model.units(features), one))
        squares += ((np.array(rows) - np.mean(rows, axis=0)) ** 2).sum() / 27
    assert model.scale(features, model.units(features)) == pytest.approx(np.sqrt(squares))


@pytest.mark.parametrize("kind", MODELS)
def test_gradient_learners_learn_what_is_local(kind):
    """One candidate that acts is learnt exactly by every learner, also from an adversary."""
    action = symmetric(3)
    shown = inputs(6, 3)
    truth = answers(action, shown, [False, True, False])
    features = one_hot(6, shown)
    model = MODELS[kind].draw(features.shape[1], 3, 8, np.random.default_rng(1))
    descend(model, features, Oracle(truth, 3, 0.1), 40)
    assert accuracy(model, features, truth) == 1


def test_a_hidden_layer_learns_a_product_of_two_exactly_told_averages():
    shown = inputs(2, 2)
    truth = answers(cyclic(2), shown, [True, True])
    right = {}
    for kind in MODELS:
        model = MODELS[kind].draw(5, 2, 16, np.random.default_rng(1))
        features = one_hot(2, shown)
        descend(model, features, Oracle(truth, 2, 0.0), 60)
        right[kind] = accuracy(model, features, truth)
    assert right["hidden"] == 1
    assert right["linear"] <= 0.75


# ---------------------------------------------------------------- the other learners
@pytest.mark.parametrize("action", [cyclic(2), cyclic(3), symmetric(3)], ids=lambda a: a.id)
def test_asking_for_every_set_finds_it(action):
    shown = inputs(action.order, 3)
    guesses = [answers(action, shown, s) for s in sets(3)]
    for truth in guesses:
        oracle = Oracle(truth, action.points, 0.49)
        assert np.array_equal(np.asarray(ask_each(oracle, guesses)), truth)
        assert oracle.queries <= 8
        rest = [g for g in guesses if (g != truth).any()]
        assert ask_each(Oracle(truth, action.points, 0.49), rest) is None


@pytest.mark.parametrize("modulus", [2, 3, 7])
def test_elimination_needs_no_graph(modulus):
    """The dimension is 2^20 and L + 30 examples are enough: it bounds averages, not examples."""
    rng = np.random.default_rng(11)
    length = 20
    inside = tuple(bool(x) for x in rng.integers(2, size=length))
    shown = rng.integers(modulus, size=(length + 30, length))
    truth = answers(cyclic(modulus), shown, inside)
    assert eliminate(shown, truth, modulus) == inside
    assert eliminate(shown[: length - 1], truth[: length - 1], modulus) is None
    wrong = truth.copy()
    wrong[0] = (wrong[0] + 1) % modulus
    assert eliminate(shown, wrong, modulus) is None
    if modulus > 2:  # a solution, but not a set
        assert eliminate(shown, 2 * truth % modulus, modulus) is None


def test_search_finds_the_sparse_edges_of_families():
    for name, at in (("ring", {"K": 5, "M": 4}), ("star", {"K": 4, "M": 3})):
        family = built_in()[name]
        point = family.domain.complete(
            {k: Fraction(v) for k, v in at.items()} | {"epsilon": Fraction(1, 10**4)}
        )
        task, truth = of_family(family, point)
        assert edges_by_weight(task, np.random.default_rng(0)) == truth.sparse_edges


def test_what_is_read_leaves_out_decoys():
    # Two cycles of four states, joined by 0-4, and a decoy 1-3 in the first.
    cycle = [(c + i, c + (i + 1) % 4) for c in (0, 4) for i in range(4)]
    weak = [(0, 4), (1, 3)]
    entries = [(a, b, Fraction(1, 4)) for x, y in cycle for a, b in ((x, y), (y, x))]
    entries += [(a, b, Fraction(1, 1000)) for x, y in weak for a, b in ((x, y), (y, x))]
    task = Task(Chain.from_entries(map(str, range(8)), entries), 0, (7,))
    truth = Truth.of_clusters(task.model, [0] * 4 + [1] * 4)
    rng = np.random.default_rng(0)
    assert edges_by_weight(task, rng) == truth.sparse_edges == {(0, 4), (4, 0)}
    crossings = [(1, 3), (0, 4)]
    assert solve(edges_by_weight(task, rng), crossings) == (False, True)
    everything = zip(task.model.source.tolist(), task.model.target.tolist(), strict=True)
    assert solve(frozenset(everything), crossings) == (True, True)


def test_bits_are_seen_whole():
    action = bits(2)
    truth = answers(action, inputs(4, 2), [True, True])
    assert np.bincount(truth).tolist() == [4, 4, 4, 4]
