"""One compute budget: four ways to answer queries, ranked by all the steps that they generate.

A query asks for one of the targets from the start. Four ways (`theory.results.budget`):

- ``none``: generation with the model as it is.
- ``search``: one search for sparse edges, whose memory is kept; generation with the memory.
- ``rl``: one search, then PPO on the edges found; generation with the tuned model.
- ``distillation``: labels from the first steps of a search, label-to-label steps, a model of the
  labels fitted to them and rescaled (`numerics.algorithms.distill`); generation with that model,
  and back: from a state with the last label, drawn uniformly, generation with the model until the
  answer, where a step that leaves the label is replaced by another such draw (`homeward`).

What is counted is generated steps. A step of the distilled model counts as ``price`` of them.
Reading probabilities that the model holds, for exact gradients or the memory's weights, is free.

Each way is predicted from the model and its clusters, and run: its training once, and some of its
answers, whose mean stands for all.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import stats

from numerics import elimination
from numerics.algorithms import distill, ppo, search
from numerics.algorithms.task import Progress, Report, Task, Truth, require_fraction
from numerics.chain import Chain, ChainError, FloatArray
from numerics.events import Sample, find_clusters, hitting_times
from theory.results.budget import Cost, break_even, sampled_transitions

if TYPE_CHECKING:
    from matplotlib.figure import Figure

WAYS = ("none", "search", "rl", "distillation")
MOST = 10**100
"""Most queries, and the highest price: totals are doubles."""
_WIDE = 5.0  # standard errors: beyond them a simulated order is none of chance


@dataclass(frozen=True)
class Config:
    """Settings.

    Attributes
    ----------
    queries : Q >= 1, at most `MOST`.
    epsilon_max : mass of the found edges of a state, with a memory and after PPO, in (0, 1); None
        for 1/10 over the size of the largest cluster.
    delta : probability of failure that the search is planned for, in (0, 1).
    robust : search with a vote and tests.
    rounds, rollouts, T_0, T_max, T_1 : of the search, and of the one that estimates labels; what is
        None comes from a plan, as in `search.complete`.
    batch : transitions drawn for a gradient of PPO; None for exact gradients.
    accuracy : relative error of the distilled time that label steps are planned for, but for
        probability delta; in (0, 1).
    burn_in : steps of the walk before a label step, >= 0. None are needed where a state drawn
        uniformly has the law that the model settles to in its cluster.
    price : of a step of the distilled model, in steps of the model, >= 0 and at most
        `MOST`.
    answers : queries answered in the run of each way, >= 2.
    """

    queries: int = 1000
    epsilon_max: Fraction | None = None
    delta: Fraction = Fraction(1, 100)
    robust: bool = False
    rounds: int | None = None
    rollouts: int | None = None
    T_0: int | None = None
    T_max: int | None = None
    T_1: int | None = None
    batch: int | None = None
    accuracy: Fraction = Fraction(1, 10)
    burn_in: int = 0
    price: Fraction = Fraction(1)
    answers: int = 1000


@dataclass(frozen=True)
class Way:
    """One way to answer, as predicted and as run.

    Attributes
    ----------
    name : one of `WAYS`.
    expected : mean steps.
    least, most : bounds of the mean steps of training.
    spread : what the steps of training deviate by at most, but for probability `search.ALARM`.
    run : steps of training of the run, and the average of its answers.
    standard_error : of that average, as an estimate of the expected steps of an answer.
    """

    name: str
    expected: Cost
    least: float
    most: float
    spread: float
    run: Cost
    standard_error: float


@dataclass(frozen=True, eq=False)
class Result:
    """The ways and what they found.

    Attributes
    ----------
    config : settings, complete.
    ways : in the order of `WAYS`.
    found, missed, false : numbers of sparse edges, of those not found, and of false ones.
    searched, tuned, distilled : what was run.
    """

    config: Config
    ways: tuple[Way, ...]
    found: int
    missed: int
    false: int
    searched: search.Result
    tuned: ppo.Result
    distilled: distill.Result

    @property
    def ranking(self) -> tuple[Way, ...]:
        """By the expected steps of all queries; of those that tie, in the order of `WAYS`."""

        def total(way: Way) -> float:
            # What rounding tells apart is a tie.
            return float(f"{float(way.expected.total(self.config.queries)):.8e}")

        return tuple(sorted(self.ways, key=total))

    @property
    def confirmed(self) -> bool:
        """Whether no two ways come out of the run the other way round, by more than chance."""
        order, queries = self.ranking, self.config.queries
        for i, first in enumerate(order):
            for second in order[i + 1 :]:
                behind = float(first.run.total(queries) - second.run.total(queries))
                chance = _WIDE * queries * np.hypot(first.standard_error, second.standard_error)
                if {first.name, second.name} != {"search", "rl"}:  # these share one search
                    chance += first.spread + second.spread
                if behind > chance:
                    return False
        return True


def complete(task: Task, truth: Truth | None, config: Config) -> tuple[Config, Truth]:
    """Fill in what is left open; the clusters are those of the truth, or those that are found.

    Raises
    ------
    ChainError
        A setting is out of range, the model has no clusters, or the targets lie in several.
    """
    for name, least in (("queries", 1), ("answers", 2), ("burn_in", 0)):
        if getattr(config, name) < least:
            raise ChainError(
                f"{name} = {getattr(config, name)} is out of range; give {least} or more"
            )
    for name, most in (("answers", search.MOST_QUERIES), ("burn_in", distill.MOST_BURN_IN)):
        if getattr(config, name) > most:
            raise ChainError(f"{name} = {getattr(config, name)} is too large; give at most {most}")
    for name, value in (("price", config.price), ("queries", config.queries)):
        if not 0 <= value <= MOST:
            raise ChainError(f"{name} = {value} is out of range; give 0 to {float(MOST):.0e}")
    if truth is None:
        groups = find_clusters(task.model)
        label = {x: k for k, group in enumerate(groups) for x in group}
        truth = Truth.of_clusters(task.model, [label[x] for x in range(task.model.size)])
    if not truth.sparse_edges:
        raise ChainError("the model has no sparse edges, and so nothing to pay for; give another")
    if len({truth.clusters[x] for x in task.targets}) > 1:
        raise ChainError("the targets lie in several clusters; give those of one")
    largest = max(map(len, search.groups_of(truth.clusters)))
    cap = Fraction(1, 10 * largest) if config.epsilon_max is None else config.epsilon_max
    require_fraction("epsilon_max", cap, Fraction(0), Fraction(1))
    # Below that, a double of it is zero.
    for name in ("accuracy", "delta"):
        require_fraction(name, getattr(config, name), Fraction(1, 10**300), Fraction(1))
    ppo.require_batch(config.batch)
    return replace(config, epsilon_max=cap), truth


def run(
    task: Task,
    truth: Truth | None,
    config: Config,
    rng: np.random.Generator,
    progress: Progress | None = None,
) -> Result:
    """Predict what each way costs, and run it.

    Parameters
    ----------
    truth : Truth or None
        The clusters that predictions and the number of label steps are for; None for the blocks of
        the model at the widest gap between its probabilities. What is run sees no more of it.
    progress : called with a share of 1000.

    Raises
    ------
    ChainError
        As `complete`, `search.run`, `ppo.run` and `distill.run`.
    """
    settings, known = complete(task, truth, config)
    cap = settings.epsilon_max
    assert cap is not None

    def part(first: int, last: int) -> Progress:
        def told(done: int, of: int) -> None:
            if progress is not None:
                progress(first + (last - first) * done // max(of, 1), 1000)

        return told

    times = (settings.T_0, settings.T_max, settings.robust, settings.T_1, settings.delta)
    asked = search.Config(settings.rounds, settings.rollouts, *times)
    wanted = search.complete(task, asked)
    planned = search.predict(search.measured(task.model, search.groups_of(known.clusters)), wanted)
    tuning = ppo.Config(epsilon_max=cap)
    sampling = replace(tuning, batch=settings.batch)
    drawn = _transitions(task.model, known.sparse_edges, sampling)

    def solved(model: Chain) -> float:
        return float(elimination.mean_hitting_times(model, task.targets).values[task.start])

    def answered(model: Chain) -> Sample:
        return hitting_times(model, task.start, task.targets, settings.answers, rng)

    found = search.run(task, wanted, rng, part(0, 600))
    edges = tuple(found.edges)
    low, high = planned.steps
    spread = max(abs(end - planned.middle) for end in planned.band or planned.steps)
    memory = [search.reweighted(task.model, e, cap) for e in (known.sparse_edges, edges)]
    tuned = ppo.run(task, tuning, rng, known.sparse_edges)
    learnt = ppo.run(task, sampling, rng, edges, part(600, 700))
    ways = []
    for name, first, (least, most), wide, chains in (
        ("none", 0, (0.0, 0.0), 0.0, (task.model, task.model)),
        ("search", found.steps, (low, high), spread, memory),
        (
            "rl",
            found.steps + learnt.samples,
            (low + drawn[0], high + drawn[1]),
            spread + (drawn[1] - drawn[0]) / 2,
            (tuned.model, learnt.model),
        ),
    ):
        sample = answered(chains[1])
        ways.append(
            Way(
                name,
                Cost((least + most) / 2, solved(chains[0])),
                least,
                most,
                wide,
                Cost(float(first), sample.mean),
                sample.standard_error,
            )
        )
        part(700, 800)(len(ways), 3)
    distilled, way = _distillation(task, known, settings, rng, part(800, 999))
    ways.append(way)
    part(999, 1000)(1, 1)
    true = known.sparse_edges
    return Result(
        settings,
        tuple(ways),
        len(true & set(edges)),
        len(true - set(edges)),
        len(set(edges) - true),
        found,
        learnt,
        distilled,
    )


def _transitions(
    model: Chain, edges: Collection[search.Edge], config: ppo.Config
) -> tuple[float, float]:
    """Bounds of the mean number of transitions drawn for gradients."""
    if config.batch is None:
        return 0.0, 0.0
    chosen = set(edges)
    masses = [p for x, y, p in model.exact_entries() if (x, y) in chosen]
    if len({x for x, _ in chosen}) < len(chosen) or len(set(masses)) > 1:
        raise ChainError(
            "gradients from a batch are predicted where each gate has one sparse edge, all equally "
            "likely; leave the batch out"
        )
    cap, batch = config.epsilon_max, config.batch
    assert cap is not None
    if masses[0] >= cap:
        return 0.0, 0.0
    low, high = sampled_transitions(
        masses[0], cap, config.step, config.clip, model.size, batch, len(masses)
    )
    return float(low), float(high)


# ---------------------------------------------------------------- distillation
def homeward(model: Chain, members: Collection[int]) -> tuple[Chain, int]:
    """The walk from a uniform state of a set, where each step that leaves it is drawn so anew.

    Returns
    -------
    A chain on the members, in increasing order, and one more state, with which it starts: the first
    of its steps is the first draw, which generates nothing. On a uniform clique of M states it
    meets any given one after M - 1 further steps on average, whatever epsilon is.
    """
    inside = sorted(members)
    place = {x: i for i, x in enumerate(inside)}
    size = len(inside)
    rows: dict[tuple[int, int], Fraction] = {}
    leave = [Fraction(0)] * size
    for x, y, p in model.exact_entries():
        if x in place and y in place:
            rows[place[x], place[y]] = p
        elif x in place:
            leave[place[x]] += p
    for i in range(size):
        for j in range(size):
            if i != j and leave[i]:
                rows[i, j] = rows.get((i, j), Fraction(0)) + leave[i] / size
        rows[size, i] = Fraction(1, size)
    names = [*(model.states[x] for x in inside), "anywhere"]
    return Chain.from_entries(names, ((i, j, p) for (i, j), p in rows.items())), size


@dataclass(frozen=True, eq=False)
class Fitted:
    """A distilled model and the way back from its labels.

    Attributes
    ----------
    model, start, targets : the chain of the labels.
    back, first, answers : the chain `homeward` from the label of the targets.
    """

    model: Chain
    start: int
    targets: tuple[int, ...]
    back: Chain
    first: int
    answers: tuple[int, ...]

    @staticmethod
    def of(task: Task, labels: Sequence[int], model: Chain) -> Fitted:
        """From the label of each state, 0 to K - 1, and the chain of the labels."""
        goal = labels[task.targets[0]]
        members = [x for x, k in enumerate(labels) if k == goal]
        back, first = homeward(task.model, members)
        answers = tuple(members.index(x) for x in task.targets if labels[x] == goal)
        return Fitted(model, labels[task.start], (goal,), back, first, answers)

    def mean(self, price: float) -> float:
        """Steps of an answer, on average."""
        ahead = elimination.mean_hitting_times(self.model, self.targets).values[self.start]
        back = elimination.mean_hitting_times(self.back, self.answers).values[self.first]
        return price * float(ahead) + float(back) - 1.0

    def sample(self, price: float, count: int, rng: np.random.Generator) -> FloatArray:
        """Steps of some answers."""
        every = [range(self.back.size)]
        ahead = hitting_times(self.model, self.start, self.targets, count, rng)
        back = hitting_times(self.back, self.first, self.answers, count, rng, clusters=every)
        steps: FloatArray = price * ahead.times + back.times - 1.0
        return steps


def label_steps(task: Task, labels: Sequence[int], config: Config) -> tuple[int, Chain]:
    """Label steps of a plan, and the distilled model without error.

    So many that the distilled time has the accuracy asked for by its standard error, and that each
    label is left `distill.LEFT` times on average.
    """
    law = distill.one_step_law(task.model, labels, config.burn_in)
    out = law.off.sum(axis=1)
    if not out.all():
        never = task.model.states[labels.index(int(np.flatnonzero(out == 0.0)[0]))]
        raise ChainError(
            f"the cluster of state {never!r} is never left, which no label step can show; "
            "add a transition out of it"
        )
    factor = float((1.0 + law.stay / out).max())
    start, goal = labels[task.start], labels[task.targets[0]]
    error = distill.standard_error(law.off + np.diag(law.stay), 1.0, factor, start, (goal,))
    wanted = (normal_quantile(config.delta) * error / float(config.accuracy)) ** 2
    count = math.ceil(max(wanted, distill.LEFT / float(out.min())))
    if count > distill.MOST:
        raise ChainError(
            f"distillation is planned with {count:.2g} label steps, and more than "
            f"{distill.MOST:.2g} cannot be counted; raise epsilon, or the accuracy"
        )
    moves = factor * law.off
    source, target = np.nonzero(moves)
    rows = moves[source, target] / (law.stay + moves.sum(axis=1))[source]
    model = Chain.from_floats([str(k) for k in range(len(out))], source, target, rows)
    return count, model


def normal_quantile(delta: Fraction) -> float:
    """Standard errors that a normal variable exceeds with probability delta."""
    return float(stats.norm.isf(float(delta) / 2))


def _distillation(
    task: Task, truth: Truth, config: Config, rng: np.random.Generator, progress: Progress
) -> tuple[distill.Result, Way]:
    labels = np.unique(truth.clusters, return_inverse=True)[1].tolist()
    count, model = label_steps(task, labels, config)
    price, each = float(config.price), count * (config.burn_in + 1)
    given = (config.rounds, config.rollouts, config.T_0, config.burn_in)
    asked = distill.Config("one-step", count, None, config.accuracy, config.delta, *given)
    made = distill.run(task, asked, rng, progress=progress)
    used = made.config
    assert used.rounds is not None and used.rollouts is not None and used.T_0 is not None
    looks = used.rounds * used.rollouts
    answers = Fitted.of(task, made.labels, made.model).sample(price, config.answers, rng)
    query = Fitted.of(task, labels, model).mean(price)
    # What the fit misses the distilled time by adds to what chance does.
    fit = float(config.accuracy) * query / normal_quantile(config.delta)
    chance = float(answers.std(ddof=1)) / math.sqrt(len(answers))
    return made, Way(
        "distillation",
        Cost(float(looks * (used.T_0 + 1) + each), query),
        float(looks * used.T_0 + each),
        # A test after each step takes one more.
        float(2 * looks * (used.T_0 + 1) + each),
        float(looks * (used.T_0 + 1)),
        Cost(float(made.label_steps + made.steps), float(answers.mean())),
        math.hypot(chance, fit),
    )


# ---------------------------------------------------------------- report
def report(result: Result) -> Report:
    """What a run prints, writes and draws; `ranking` is by the expected total, least first.

    ``break_even_queries`` is the number of queries from which on a way costs less than ``none``;
    null for that itself, and for a way that never does.
    """
    queries, order = result.config.queries, result.ranking
    none, memory = result.ways[0].expected, result.ways[1].expected
    ranking = [_told(way, result) for way in order]
    anew = float(memory.training + memory.query) < float(none.query)
    told: dict[str, Any] = {
        "ranking": ranking,
        "queries": queries,
        "confirmed_by_simulation": result.confirmed,
        "search_for_each_query_pays": anew,
        "edges_found": result.found,
        "edges_missed": result.missed,
        "edges_false": result.false,
        "epsilon_max": str(result.config.epsilon_max),
        "delta": str(result.config.delta),
        "answers": result.config.answers,
    }
    rows = [("queries", f"{queries:,}")]
    for place, one in enumerate(ranking, 1):
        since = one["break_even_queries"]
        pays = "" if since is None else f", less than none from {math.ceil(since):,} queries on"
        parts = f"{one['training_steps']:.4g} once, {one['steps_per_query']:.4g} a query"
        rows += [
            (f"{place}. {one['strategy']}", f"{one['expected_total_steps']:.4g} steps{pays}"),
            ("   of which", parts),
            ("   in the run", f"{one['simulated_total_steps']:.4g} steps"),
        ]
    rows += [
        ("a search for each query", "pays" if anew else "does not pay"),
        ("edges found, missed, false", f"{result.found}, {result.missed}, {result.false}"),
        ("the run", "confirms the order" if result.confirmed else "has another order"),
    ]
    return Report(told, tuple(rows), lambda: _figure(result))


def _told(way: Way, result: Result) -> dict[str, Any]:
    queries = result.config.queries
    meets = {o.name: _meets(o.expected, way.expected) for o in result.ways if o is not way}
    return {
        "strategy": way.name,
        "expected_total_steps": float(way.expected.total(queries)),
        "expected_total_bounds": [
            float(training + queries * way.expected.query) for training in (way.least, way.most)
        ],
        "training_steps": float(way.expected.training),
        "steps_per_query": float(way.expected.query),
        "break_even_queries": meets.get("none"),
        "break_even_against": meets,
        "simulated_training_steps": float(way.run.training),
        "simulated_steps_per_query": float(way.run.query),
        "standard_error": way.standard_error,
        "simulated_total_steps": float(way.run.total(queries)),
    }


def _meets(first: Cost, second: Cost) -> float | None:
    """`break_even`, where queries do not cost the same up to rounding."""
    if math.isclose(first.query, second.query, rel_tol=1e-9):
        return None
    found = break_even(first, second)
    return None if found is None else float(found)


def _figure(result: Result) -> Figure:
    from matplotlib.figure import Figure

    queries = result.config.queries
    costs = [way.expected for way in result.ways]
    meets = [_meets(a, b) for a, b in itertools.permutations(costs, 2)]
    most = max([queries, *(q for q in meets if q is not None)])
    axis = np.geomspace(1.0, 10.0 * most, 200)
    figure = Figure(figsize=(5.6, 3.8), layout="constrained")
    axes = figure.subplots()
    styles = ("solid", "solid", "dashed", "solid")
    for k, (way, style) in enumerate(zip(result.ways, styles, strict=True)):
        total = float(way.expected.training) + axis * float(way.expected.query)
        axes.plot(axis, total, color=f"C{k}", linestyle=style, label=way.name)
        axes.plot(queries, float(way.run.total(queries)), "o", color=f"C{k}", markersize=5)
    axes.axvline(queries, color="C7", linewidth=1)
    axes.set(xlabel="queries", ylabel="generated steps in all", xscale="log", yscale="log")
    axes.legend()
    return figure
