"""No algorithm sees more than a chain: one that is sealed serves them all.

The sealed chain raises whenever anything is read that a chain does not have, such as clusters or
sparse edges; its states are in random order, under names that tell nothing; and nothing of what is
hidden is passed to a run.
"""

from dataclasses import fields
from fractions import Fraction
from functools import partial
from typing import Any

import numpy as np
import pytest

from numerics.algorithms import budget, distill, ppo, pretrain, registry, search, strategies
from numerics.algorithms.task import Task, of_family
from numerics.chain import Chain
from theory.catalogue import load

EPSILON = Fraction(1, 10**6)


class Sealed(Chain):
    """A chain that raises when what it does not hold is read."""

    def __getattr__(self, name):
        raise PermissionError(f"{name} is hidden")


def sealed(epsilon=EPSILON):
    """A ring in random order, and the sparse edges that no algorithm is given."""
    family = load("ring")
    point = family.domain.complete({"K": Fraction(4), "M": Fraction(4), "epsilon": epsilon})
    task, truth = of_family(family, point)
    order = np.random.default_rng(3).permutation(task.model.size).tolist()
    entries = [(order[x], order[y], p) for x, y, p in task.model.exact_entries()]
    plain = Chain.from_entries([f"s{n}" for n in range(task.model.size)], entries)
    model = Sealed(**{f.name: getattr(plain, f.name) for f in fields(plain) if f.init})
    edges = frozenset((order[x], order[y]) for x, y in truth.sparse_edges)
    return Task(model, order[task.start], tuple(order[y] for y in task.targets)), edges


def rng():
    return np.random.default_rng(1)


def pretrained(task, **settings):
    return pretrain.run(task, pretrain.Config(**settings), rng()).support


def searched(task, **settings):
    return set(search.run(task, search.Config(**settings), rng()).edges)


def tuned(task, **settings):
    """Of the edges that a search of the same task has found."""
    return ppo.run(task, ppo.Config(**settings), rng(), searched(task)).states


def distilled(task, data):
    return set(distill.run(task, distill.Config(data), rng()).labels)


def told(task, name, **settings):
    """As the command runs it, report included, without the truth."""
    algorithm = registry.ALGORITHMS[name]
    return algorithm.run(task, None, algorithm.settings(**settings), rng(), None).told


def restarted(task):
    law, place = strategies.Law.of_hitting(task.model, task.targets)
    limit, _ = strategies.best_restart(law, int(place[task.start]))
    return strategies.restarts(task, limit, 3, rng())


EDGES, STATES = sealed()[1], {x for x, _ in sealed()[1]}

RUNS: dict[str, Any] = {
    "pretrain": (lambda t: pretrained(t) >= EDGES),
    "pretrain, sampled": (lambda t: pretrained(t, samples=10**9) >= EDGES),
    "search": (lambda t: searched(t) == EDGES),
    "search, robust": (lambda t: searched(t, robust=True) == EDGES),
    "search, with queries": (lambda t: searched(t, queries=5) == EDGES),
    "ppo": (lambda t: set(tuned(t)) == STATES),
    "ppo, sampled": (lambda t: set(tuned(t, batch=10**7)) == STATES),
    "policy gradient": (lambda t: set(tuned(t, method="policy-gradient")) == STATES),
    "reinforce": (
        lambda t: set(tuned(t, method="policy-gradient", batch=10**7, most=2000)) == STATES
    ),
    "distill, one-step": (lambda t: len(distilled(t, "one-step")) == 4),
    "distill, trace": (lambda t: len(distilled(t, "trace")) == 4),
    "best of n": (lambda t: (strategies.best_of(t, 3, 4, rng()).times > 0).all()),
    "restart": (lambda t: (restarted(t).times > 0).all()),
    "beam": (lambda t: strategies.beam(t, t.model.size, 100, rng()).steps is not None),
    "budget": (lambda t: len(budget.run(t, None, budget.Config(answers=20), rng()).ways) == 4),
    **{
        f"metastable run {name}": partial(told, name=name)
        for name, algorithm in registry.ALGORITHMS.items()
        if algorithm.needs_task
    },
}


@pytest.mark.parametrize("name", RUNS)
def test_a_sealed_chain_is_enough(name):
    assert RUNS[name](sealed()[0])


@pytest.mark.parametrize("hidden", ["clusters", "sparse_edges", "labels", "family"])
def test_the_seal_holds(hidden):
    with pytest.raises(PermissionError, match="is hidden"):
        getattr(sealed()[0].model, hidden)


@pytest.mark.parametrize("name", RUNS)
def test_a_run_that_peeks_is_caught(name, monkeypatch):
    """Each run draws from its model or reads the entries: let that ask for the clusters too."""
    monkeypatch.setattr(Sealed, "size", property(lambda chain: len(chain.clusters)))
    with pytest.raises(PermissionError, match="clusters is hidden"):
        RUNS[name](sealed()[0])
