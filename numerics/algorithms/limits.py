"""Accuracy of learners of the logic task of R7, by what they may see: one run, table and figure.

A chain is drawn for every replicate: each of L candidate edges is truly sparse with probability
1/2, else a decoy. A learner is told nothing, the path, the path with a neighbourhood, or the graph
(`theory.results.limits`); what it is told turns candidates that are known into parts of one product
and leaves a feature for each of the others.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from functools import cache, partial
from time import process_time
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.random import Generator

from numerics.algorithms import search as rollouts
from numerics.algorithms.learners import (
    MODELS,
    MOST_INPUTS,
    FindEdges,
    Oracle,
    accuracy,
    answers,
    ask_each,
    descend,
    edges_by_search,
    edges_by_weight,
    inputs,
    one_hot,
    solve,
)
from numerics.algorithms.task import Progress, Report, Task, require_fraction
from numerics.chain import Chain, ChainError, FloatArray, IntArray
from theory.groups import Action, GroupError, named
from theory.results.limits import (
    Instance,
    accuracy_bound,
    dimension_with_access,
    told_by_neighbourhood,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

CONFIDENCE = 0.05
"""One minus the confidence of the intervals that are told."""
LEARNERS = (*MODELS, "asking")
CHECKED = 200
"""Random inputs on which a learner with the whole graph is tried."""
MOST_CLUSTERS, MOST_GAP, MOST_UNITS = 128, 64, 10000
SEARCHES = ("reading", "search")
"""Learners with the whole graph: one reads its probabilities, one searches it by rollouts."""
OPERATIONS = {"reading": "transitions read", "search": "steps generated"}


@dataclass(frozen=True)
class Config:
    """What is run.

    Attributes
    ----------
    group : as `theory.groups.named` reads it.
    lengths : numbers L >= 1 of candidates for the gradient learners; those with more than 2^16
        inputs are an error.
    gaps : distances D of the ends of a decoy on its cluster, in turn.
    radius : of the neighbourhood that a learner sees.
    aside : sparse edges off the path, which the learner without the path cannot leave out.
    steps, width : gradient steps, and hidden units.
    queries : of the learner that asks for one set after the other.
    tolerance : tau of the oracle, below 1/2.
    replicates : chains for each length and access.
    clusters : numbers K of clusters, from 2 to 128, for the learners with the graph, on 2 (K - 1)
        candidates.
    epsilon : probability of a candidate edge, below 1/4; search by rollouts needs it far below 1/M.
    delta : probability of failure that search by rollouts is planned for.
    """

    group: str = "cyclic-2"
    lengths: tuple[int, ...] = (1, 2, 3, 4, 6, 8, 10)
    gaps: tuple[int, ...] = (4, 6, 8)
    radius: int = 1
    aside: int = 2
    steps: int = 8
    queries: int = 16
    tolerance: Fraction = Fraction(3, 10)
    width: int = 16
    replicates: int = 40
    clusters: tuple[int, ...] = (2, 3, 4, 5, 6, 7, 8, 16, 32, 64)
    epsilon: Fraction = Fraction(1, 10**15)
    delta: Fraction = Fraction(1, 10**6)

    def __post_init__(self) -> None:
        for name, values, low in (
            ("lengths", self.lengths, 1),
            ("gaps", self.gaps, 1),
            ("clusters", self.clusters, 2),
        ):
            if not values or min(values) < low:
                raise ChainError(f"{name} = {values} is out of range; give numbers from {low} on")
        if max(self.clusters) > MOST_CLUSTERS or max(self.gaps) > MOST_GAP:
            raise ChainError(
                f"clusters = {self.clusters} with gaps = {self.gaps} is too large; "
                f"choose clusters up to {MOST_CLUSTERS} and gaps up to {MOST_GAP}"
            )
        for name, value, low in (
            ("radius", self.radius, 0),
            ("aside", self.aside, 0),
            ("steps", self.steps, 1),
            ("queries", self.queries, 1),
            ("width", self.width, 1),
            ("replicates", self.replicates, 1),
        ):
            if value < low:
                raise ChainError(f"{name} = {value} is out of range; choose it {low} or more")
        require_fraction("tolerance", self.tolerance, Fraction(0), Fraction(1, 2))
        require_fraction("epsilon", self.epsilon, Fraction(0), Fraction(1, 4))
        require_fraction("delta", self.delta, Fraction(0), Fraction(1))
        if max(self.width, self.replicates) > MOST_UNITS:
            raise ChainError(
                f"width = {self.width} or replicates = {self.replicates} is too large; "
                f"choose them up to {MOST_UNITS}"
            )
        if self.radius > MOST_GAP:
            raise ChainError(
                f"radius = {self.radius} is too large; choose it up to {MOST_GAP}: "
                f"all is seen from {self.falls} on"
            )
        order = self.action.order
        if order ** (max(self.lengths) + self.aside) > MOST_INPUTS:
            most = max(n for n in range(20) if order**n <= MOST_INPUTS)
            raise ChainError(
                f"lengths = {self.lengths} with aside = {self.aside} is too long for {self.group}; "
                f"choose L + aside at most {most}"
            )

    @property
    def action(self) -> Action:
        """The group.

        Raises
        ------
        ChainError
            There is no such group.
        """
        try:
            return named(self.group)
        except GroupError as error:
            raise ChainError(str(error)) from error

    def gaps_of(self, length: int) -> tuple[int, ...]:
        """The gaps of the first candidates."""
        return tuple(itertools.islice(itertools.cycle(self.gaps), length))

    @property
    def falls(self) -> int:
        """The radius from which on the neighbourhood tells everything: 2r + 1 >= every gap."""
        return max(self.gaps) // 2


@dataclass(frozen=True)
class Measured:
    """One learner at one access and length.

    Attributes
    ----------
    radius : of the neighbourhood; -1 for other accesses.
    dimension : the statistical dimension that the access leaves.
    accuracies : of each replicate, over all inputs.
    caught : share of replicates in which the adversary had to tell something.
    bound : on the mean accuracy, by the theorem.
    """

    access: str
    learner: str
    length: int
    radius: int
    dimension: int
    accuracies: tuple[float, ...]
    caught: float
    bound: float

    @property
    def mean(self) -> float:
        """The mean accuracy."""
        return float(np.mean(self.accuracies))

    @property
    def interval(self) -> tuple[float, float]:
        """Of the mean over all chains, with the confidence that is told."""
        return interval(np.array(self.accuracies), CONFIDENCE)


@dataclass(frozen=True)
class Searched:
    """A learner with the graph on one chain.

    Attributes
    ----------
    exact : share of exact answers.
    operations : transitions that were read, or steps that were generated.
    seconds : of processor time; steps that end in a law that is known are drawn at once.
    """

    learner: str
    clusters: int
    length: int
    states: int
    transitions: int
    exact: float
    operations: int
    seconds: float


@dataclass(frozen=True)
class Result:
    """What a run has measured: by length, by radius and decoys at the greatest length, by search.

    Attributes
    ----------
    by_decoys : with the path, and the first d candidates only that may be decoys: (d, measured).
    """

    config: Config
    by_length: tuple[Measured, ...]
    by_radius: tuple[Measured, ...]
    by_decoys: tuple[tuple[int, Measured], ...]
    searched: tuple[Searched, ...]


def growth(sizes: Sequence[int], values: Sequence[float]) -> float:
    """The exponent of growth: the slope of log values on log sizes, by least squares.

    Parameters
    ----------
    sizes : positive, not all the same.
    values : positive.
    """
    x, y = (np.log(np.array(v, dtype=np.float64)) for v in (sizes, values))
    return float(((x - x.mean()) * (y - y.mean())).sum() / ((x - x.mean()) ** 2).sum())


def capital(values: FloatArray, mean: FloatArray) -> tuple[FloatArray, FloatArray]:
    """What bets that the mean is more, or less, than a number have come to, from a capital of 1.

    Waudby-Smith and Ramdas (2024, *J. R. Statist. Soc. B* 86, 1-27): for independent values in
    [0, 1] whose mean is at most, or at least, the number, the expectation is at most 1; so by
    Markov's inequality a capital of 1/alarm has a probability of at most alarm.

    Parameters
    ----------
    values : shape (n,), in [0, 1].
    mean : shape (k,), in (0, 1).

    Returns
    -------
    Two arrays of shape (k,): bets on more, and on less; each the mean over several stakes.
    """
    stakes = np.linspace(0.05, 0.95, 19)[:, None, None]
    off = values[None, :, None] - mean[None, None, :]
    more = np.log1p(stakes / mean * off).sum(axis=1)
    less = np.log1p(-stakes / (1 - mean) * off).sum(axis=1)
    return np.exp(np.minimum(more, 700)).mean(axis=0), np.exp(np.minimum(less, 700)).mean(axis=0)


def interval(values: FloatArray, alarm: float) -> tuple[float, float]:
    """Confidence interval for the mean of independent values in [0, 1], by `capital`."""
    grid = np.linspace(0, 1, 1001)
    more, less = capital(values, grid[1:-1])
    kept = grid[1:-1][(more < 2 / alarm) & (less < 2 / alarm)]
    low, high = (kept[0], kept[-1]) if len(kept) else (values.mean(), values.mean())
    return max(0.0, float(low) - 0.001), min(1.0, float(high) + 0.001)


# ---------------------------------------------------------------- what a learner is given
def segments(told: Sequence[bool | None]) -> list[tuple[int, ...]]:
    """Runs of candidates known to be truly sparse, and each unknown one by itself; decoys drop out.

    The product over a run is one uniform element, as that of an unknown candidate is.
    """
    found = list[tuple[int, ...]]()
    run: tuple[int, ...] = ()
    for i, known in enumerate(told):
        if known:
            run = (*run, i)
        elif known is None:
            found += [run] * bool(run) + [(i,)]
            run = ()
    return found + [run] * bool(run)


@dataclass(frozen=True)
class Given:
    """What a learner has: a uniform element for each part, and whether it belongs to the answer.

    Attributes
    ----------
    known : for each part, whether it is known to act, or None.
    acts : for each part, whether it acts.
    """

    known: tuple[bool | None, ...]
    acts: tuple[bool, ...]


def draw(
    config: Config,
    access: str,
    length: int,
    radius: int,
    rng: Generator,
    decoys: int | None = None,
) -> Given:
    """A hidden set, uniform among those that are possible, and what the access tells of it.

    Parameters
    ----------
    decoys : with the path, how many candidates, the first, may be decoys; by default all.
    """
    if access == "none":
        count = length + config.aside
        while True:  # a set of at most L of the candidates of the graph, wherever the path is
            acts = tuple(bool(x) for x in rng.integers(2, size=count))
            if sum(acts) <= length:
                return Given((None,) * count, acts)
    true = tuple(bool(x) for x in rng.integers(2, size=length))
    if access == "path":
        open_ = length if decoys is None else decoys
        true = true[:open_] + (True,) * (length - open_)
        told = (None,) * open_ + true[open_:]
    else:
        gaps = config.gaps_of(length)
        instance = Instance(true, gaps, epsilon=config.epsilon, aside=config.aside)
        told = told_by_neighbourhood(instance, radius)
    parts = segments(told)
    return Given(tuple(told[p[0]] for p in parts), tuple(true[p[0]] for p in parts))


def chain_of(instance: Instance) -> tuple[Chain, list[tuple[int, int]]]:
    """The chain of an instance, and the ends of its candidates as states."""

    def state(vertex: tuple[int, int]) -> int:
        return vertex[0] * instance.states + vertex[1]

    size = instance.clusters * instance.states
    names = [f"{c}.{p}" for c in range(instance.clusters) for p in range(instance.states)]
    entries = [
        (i, state(y), probability)
        for i in range(size)
        for y, probability in instance[divmod(i, instance.states)].items()
    ]
    source, target, probability = zip(*entries, strict=True)
    chain = Chain.from_floats(names, source, target, [float(p) for p in probability])
    return chain, [(state(u), state(v)) for u, v in instance.candidates]


@cache
def _features(order: int, length: int) -> tuple[IntArray, FloatArray]:
    shown = inputs(order, length)
    return shown, one_hot(order, shown)


# ---------------------------------------------------------------- the run
def run(
    config: Config,
    rng: Generator,
    progress: Progress | None = None,
) -> Result:
    """Train all learners.

    Raises
    ------
    ChainError
        There is no plan for search by rollouts: epsilon is too large. This is looked at first.
    """
    _require_plan(config)
    radii = range(config.falls + 1)
    longest = max(config.lengths)
    plan: list[Callable[[], Measured]] = [
        partial(measure, config, access, kind, length, config.radius, rng)
        for length in config.lengths
        for access in ("none", "path", "neighbourhood")
        for kind in LEARNERS
    ]
    lengths = len(plan)
    plan += [
        partial(measure, config, "neighbourhood", kind, longest, radius, rng)
        for radius in radii
        for kind in ("hidden", "asking")
    ]
    radial = len(plan)
    counts = sorted({*range(0, longest, 2), longest})
    plan += [
        partial(measure, config, "path", kind, longest, -1, rng, decoys)
        for decoys in counts
        for kind in ("hidden", "asking")
    ]
    pairs = [(kind, count) for count in config.clusters for kind in SEARCHES]
    total, done = len(plan) + len(pairs), 0
    measured, searched = list[Measured](), list[Searched]()
    for part in plan:
        measured.append(part())
        done += 1
        if progress:
            progress(done, total)
    for kind, count in pairs:
        searched.append(search(config, kind, count, rng))
        done += 1
        if progress:
            progress(done, total)
    _features.cache_clear()
    both = [decoys for decoys in counts for _ in range(2)]
    return Result(
        config,
        tuple(measured[:lengths]),
        tuple(measured[lengths:radial]),
        tuple(zip(both, measured[radial:], strict=True)),
        tuple(searched),
    )


def measure(
    config: Config,
    access: str,
    learner: str,
    length: int,
    radius: int,
    rng: Generator,
    decoys: int | None = None,
) -> Measured:
    """One learner at one access and length, against the adversary; `decoys` as in `draw`."""
    action, gaps = config.action, config.gaps_of(length)
    found, caught = list[float](), 0
    for _ in range(config.replicates):
        given = draw(config, access, length, radius, rng, decoys)
        shown, features = _features(action.order, len(given.acts))
        truth = answers(action, shown, given.acts)
        oracle = Oracle(truth, action.points, float(config.tolerance))
        if learner == "asking":
            guess = _ask(config, given, shown, oracle, rng)
            found.append(float((guess == truth).mean()))
        else:
            model = MODELS[learner].draw(features.shape[1], action.points, config.width, rng)
            descend(model, features, oracle, config.steps)
            found.append(accuracy(model, features, truth))
        caught += oracle.caught > 0
    hidden = gaps if decoys is None else gaps[:decoys]
    dimension = dimension_with_access(access, hidden, radius, config.aside)
    asked = config.queries if learner == "asking" else config.steps
    bound = accuracy_bound(Fraction(dimension), action.points, asked, config.tolerance)
    return Measured(
        access,
        learner,
        length,
        radius if access == "neighbourhood" else -1,
        dimension,
        tuple(found),
        caught / config.replicates,
        bound,
    )


def _ask(config: Config, given: Given, shown: IntArray, oracle: Oracle, rng: Generator) -> IntArray:
    """Ask for the sets that are left, in random order, as long as there are queries."""
    unknown = [i for i, known in enumerate(given.known) if known is None]
    count = min(config.queries, 2 ** len(unknown))
    masks = rng.choice(2 ** len(unknown), size=count, replace=False)

    def guess(mask: int) -> IntArray:
        acts = [bool(known) for known in given.known]
        for bit, i in enumerate(unknown):
            acts[i] = bool(mask >> bit & 1)
        return answers(config.action, shown, acts)

    confirmed = ask_each(oracle, map(guess, masks.tolist()))
    return np.zeros(len(shown), np.int64) if confirmed is None else confirmed


def _problem(
    config: Config, true: tuple[bool, ...], compact: bool
) -> tuple[Task, list[tuple[int, int]]]:
    """The way to the last cluster, and the ends of the candidates."""
    gaps = config.gaps_of(len(true))
    instance = Instance(true, gaps, epsilon=config.epsilon, compact=compact)
    chain, crossings = chain_of(instance)
    last = instance.path[-1]
    return Task(chain, 0, (last[0] * instance.states + last[1],)), crossings


@contextmanager
def _planned(config: Config, states: int) -> Iterator[None]:
    """Say what to change where there is no plan for the search."""
    try:
        yield
    except ChainError as error:
        raise ChainError(
            f"epsilon = {config.epsilon} is too large for a search of {states} states that "
            f"fails with probability {config.delta}: choose a smaller one"
        ) from error


def _require_plan(config: Config) -> None:
    """ChainError unless the largest search by rollouts, which asks for most, can be planned."""
    true = (False, True) * (max(config.clusters) - 1)
    task, _ = _problem(config, true, compact=True)
    with _planned(config, task.model.size):
        rollouts.complete(task, rollouts.Config(delta=config.delta))


def search(
    config: Config, learner: str, clusters: int, rng: Generator, find: FindEdges | None = None
) -> Searched:
    """A learner with the graph: K - 1 truly sparse edges and as many decoys, in random order.

    Whoever reads does so on clusters that are alike for all sets S, the largest there are;
    rollouts, which cross a cluster many times, are given the smallest.

    Parameters
    ----------
    find : how sparse edges are found; by default as the learner's name says.
    """
    action, length = config.action, 2 * (clusters - 1)
    true = tuple(bool(x) for x in rng.permutation(np.arange(length) % 2))
    compact = learner == "search"
    task, crossings = _problem(config, true, compact)
    chain = task.model
    states, transitions = len(chain.states), len(chain.source)
    operations = transitions
    shown = rng.integers(action.order, size=(CHECKED, length))
    start = process_time()
    if find is not None:
        edges = find(task, rng)
    elif compact:
        with _planned(config, states):
            edges, operations = edges_by_search(task, rng, config.delta)
    else:
        edges = edges_by_weight(task, rng)
    guess = answers(action, shown, solve(edges, crossings))
    seconds = process_time() - start
    exact = float((guess == answers(action, shown, true)).mean())
    return Searched(learner, clusters, length, states, transitions, exact, operations, seconds)


# ---------------------------------------------------------------- the report
def report(result: Result) -> Report:
    """Table, JSON and figure of a run."""
    config = result.config
    longest = max(config.lengths)
    dimensions = {
        access: {str(n): _told(config, access, n) for n in config.lengths}
        for access in ("none", "path", "neighbourhood", "graph")
    }
    told: dict[str, Any] = {
        "group": config.group,
        "dimension": dimensions,
        "accuracy": {
            access: [_line(m) for m in result.by_length if m.access == access]
            for access in ("none", "path", "neighbourhood")
        },
        "radius": [{"radius": m.radius, **_line(m)} for m in result.by_radius],
        "decoys": [{"decoys": d, **_line(m)} for d, m in result.by_decoys],
        "falls_at_radius": config.falls,
        "chance": 1 / config.action.points,
        "confidence": 1 - CONFIDENCE,
    }
    told["accuracy"]["graph"] = [
        {
            "learner": s.learner,
            "clusters": s.clusters,
            "length": s.length,
            "states": s.states,
            "transitions": s.transitions,
            "mean": s.exact,
            "operations": s.operations,
            "seconds": s.seconds,
        }
        for s in result.searched
    ]
    told["growth"] = {learner: _growth(result, learner) for learner in SEARCHES}
    rows = [("group", config.group), ("chance", f"{1 / config.action.points:.3f}")]
    for m in result.by_length:
        if m.length == longest:
            low, high = m.interval
            name = f"{m.access}, {m.learner}, L = {m.length}"
            text = f"{m.mean:.3f} in [{low:.3f}, {high:.3f}]; dimension {m.dimension}"
            rows.append((name, f"{text}, at most {m.bound:.3f}"))
    for m in result.by_radius:
        name = f"radius {m.radius}, {m.learner}, L = {m.length}"
        rows.append((name, f"{m.mean:.3f}; dimension {m.dimension}, at most {m.bound:.3f}"))
    for decoys, m in result.by_decoys:
        name = f"decoys {decoys}, {m.learner}, L = {m.length}"
        rows.append((name, f"{m.mean:.3f}; dimension {m.dimension}, at most {m.bound:.3f}"))
    for s in result.searched:
        name = f"graph, {s.learner}, K = {s.clusters}, {s.states} states"
        work = f"{s.operations:.3g} {OPERATIONS[s.learner]}, {s.seconds:.3f} s"
        rows.append((name, f"{s.exact:.3f} exact, {work}"))
    for learner, slopes in told["growth"].items():
        if slopes:
            what = f"{OPERATIONS[learner]} as K^{slopes['operations']:.2f}"
            rows.append((f"growth, {learner}", f"{what}, time as K^{slopes['seconds']:.2f}"))
    return Report(told, tuple(rows), lambda: figure(result))


def _growth(result: Result, learner: str) -> dict[str, float]:
    """Exponents in K, by the larger half of the sizes that were tried; none from a single one."""
    found = sorted(
        (s for s in result.searched if s.learner == learner), key=lambda s: (s.clusters, s.length)
    )
    found = found[(len(found) - 1) // 2 :]
    sizes = [s.clusters for s in found]
    if len(set(sizes)) < 2:
        return {}
    return {
        "operations": growth(sizes, [s.operations for s in found]),
        # a clock may show 0
        "seconds": growth(sizes, [max(s.seconds, 1e-9) for s in found]),
    }


def _told(config: Config, access: str, length: int) -> int:
    return dimension_with_access(access, config.gaps_of(length), config.radius, config.aside)


def _line(measured: Measured) -> dict[str, Any]:
    low, high = measured.interval
    return {
        "learner": measured.learner,
        "length": measured.length,
        "dimension": measured.dimension,
        "mean": measured.mean,
        "low": low,
        "high": high,
        "caught": measured.caught,
        "bound": measured.bound,
    }


def figure(result: Result) -> Figure:
    """Accuracy against L by access; and at the greatest L against the radius, and the decoys."""
    import matplotlib.pyplot as plt

    config, longest = result.config, max(result.config.lengths)
    drawn, (left, middle, right) = plt.subplots(
        1, 3, figsize=(10, 4.4), sharey=True, width_ratios=(5, 3, 3), layout="constrained"
    )
    names = {
        "none": "nothing",
        "path": "path",
        "neighbourhood": f"neighbourhood, $r = {config.radius}$",
    }
    for number, (access, name) in enumerate(names.items()):
        for learner, style in (("hidden", "-"), ("linear", ":"), ("asking", "--")):
            lines = [m for m in result.by_length if (m.access, m.learner) == (access, learner)]
            _draw(left, [m.length + 0.12 * (number - 1) for m in lines], lines, style, number, name)
    bound = [m for m in result.by_length if (m.access, m.learner) == ("path", "hidden")]
    _bound(left, [m.length for m in bound], bound, "gradients, path: at most")
    near = {s.length: s.exact for s in result.searched if s.length <= longest}
    left.plot(list(near), list(near.values()), "C3s-", label="graph")
    left.set(xlabel="$L$", ylabel="accuracy", ylim=(0, 1.05))
    by_radius = [(m.radius, m) for m in result.by_radius]
    for axes, found, name in (
        (middle, by_radius, "radius $r$"),
        (right, result.by_decoys, "possible decoys, path"),
    ):
        for learner, number in (("hidden", 3), ("asking", 4)):
            at = [x for x, m in found if m.learner == learner]
            lines = [m for _, m in found if m.learner == learner]
            _draw(axes, at, lines, "-", number, learner)
        _bound(axes, at, lines, "asking: at most")
        axes.set(xlabel=f"{name}, $L = {longest}$")
        axes.xaxis.get_major_locator().set_params(integer=True)
    for axes in (left, middle, right):
        axes.axhline(1 / config.action.points, color="0.6", lw=1)
        axes.legend(fontsize=8, loc="lower left")
    return drawn


def _bound(axes: Any, x: list[int], lines: list[Measured], label: str) -> None:
    axes.plot(x, [m.bound for m in lines], "-.", color="0.4", lw=1, label=label)


def _draw(
    axes: Any, x: list[float] | list[int], lines: list[Measured], style: str, colour: int, name: str
) -> None:
    mean = np.array([m.mean for m in lines])
    ends = np.array([m.interval for m in lines]).reshape(-1, 2)
    spread = [np.maximum(mean - ends[:, 0], 0), np.maximum(ends[:, 1] - mean, 0)]
    label = name if style == "-" else None
    axes.errorbar(x, mean, spread, fmt=f"o{style}", color=f"C{colour}", ms=3, lw=1, label=label)
