"""Distillation into a model of the labels, after Kim et al. (2025, Algorithm 4).

Each state gets the label of its cluster, whose representative is the first of its states; label
steps are counted; the softmax of K x K logits that fits them best has the shares as its rows; and
beta, added to all off-diagonal logits, rescales time. With N_kl steps from k to l and b = exp(beta)
the distilled chain goes from k to l with probability b N_kl/(N_kk + b sum N_km), m other than k.

Labels are estimated, unless they are given: search estimates a cluster in each of its rounds, with
the vote of the robust search, and two states are alike if a majority of the rounds that saw the one
that was seen less saw both; labels are the connected components. A state that no round has seen
gets the label of the first labelled state that a walk from it meets.

Two kinds of label steps. *One-step labels*: X_0 is the end of a walk of `burn_in` steps from a
uniform state, and X_1 one step further; both are replaced by their labels. Its off-diagonals are of
order epsilon/M. *Trace*: from a representative, drawn uniformly, to the next visit of one. Its
off-diagonals are of order epsilon.

Choices of ours. Label steps are independent, so that their numbers are multinomial: they are drawn
by that law, at a cost free of epsilon, which the definition allows since nothing else is used of
the walks. Of the model the run uses nothing but such samples; only default settings of the search
read its probabilities. If no number of label steps is given, it is doubled until the hitting time
has the relative standard error asked for, estimated from the counts alone (`standard_error`), and
each label that can be met before the answer has been left often. By default b is the largest mean
holding time in the fit, of order M/epsilon with one-step labels and 1/epsilon with the trace; so no
label is held longer than two steps on average.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from scipy import sparse, stats
from scipy.sparse import csgraph

from numerics import elimination
from numerics.algorithms import search
from numerics.algorithms.task import Progress, Report, Task, Truth, require_fraction
from numerics.chain import Chain, ChainError, FloatArray, IntArray
from numerics.events import find_clusters, hitting_times
from numerics.quantities import aggregated_matrix

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Data = Literal["one-step", "trace"]

FIRST = 1024  # label steps that are drawn first
LEFT = 100  # how often a label is left before its jumps are relied on
MOST_BURN_IN = 10**7  # each step is taken by itself
MOST = 2**62  # most label steps, the range of whole numbers that are drawn


@dataclass(frozen=True)
class Config:
    """Settings.

    Attributes
    ----------
    data : ``one-step`` or ``trace``.
    samples : label steps, >= 1; None to double them until `accuracy` is reached.
    beta : added to the off-diagonal logits, >= 0; None for the logarithm of the largest mean
        holding time in the fit.
    accuracy, delta : relative error of the hitting time that is aimed at, but for probability
        delta; both in (0, 1).
    rounds, rollouts, T_0 : of the search that estimates the labels, >= 1; what is None comes from
        a plan for ``delta``, as in `search.complete`.
    burn_in : steps of the walk before a one-step label, >= 0; None for T_0, or for 0 if the labels
        are given.
    """

    data: Data = "one-step"
    samples: int | None = None
    beta: Fraction | None = None
    accuracy: Fraction = Fraction(1, 50)
    delta: Fraction = Fraction(1, 100)
    rounds: int | None = None
    rollouts: int | None = None
    T_0: int | None = None
    burn_in: int | None = None


@dataclass(frozen=True, eq=False)
class Result:
    """A distilled model.

    Attributes
    ----------
    config : the settings, complete but for `samples`, and those of a search if there was none.
    labels : the label of each of the N states, 0 to K - 1.
    representatives : the first state of each label.
    counts : int64 array, shape (K, K)
        Label steps by start and end.
    samples : their number.
    steps : generated steps of the original model; for the trace, their mean number.
    label_steps : generated steps with which the labels were estimated.
    logits : array, shape (K, K)
        Of the best softmax: logarithms of the shares; minus infinity where none was seen.
    beta : what was added to the off-diagonal logits.
    model : the distilled chain, its states named after the representatives.
    start, targets : labels of the task's start and answers.
    """

    config: Config
    labels: tuple[int, ...]
    representatives: tuple[int, ...]
    counts: IntArray
    samples: int
    steps: float
    label_steps: int
    logits: FloatArray
    beta: float
    model: Chain
    start: int
    targets: tuple[int, ...]


# ---------------------------------------------------------------- labels
def estimate_labels(
    task: Task, config: Config, rng: np.random.Generator, progress: Progress | None = None
) -> tuple[tuple[int, ...], search.Result]:
    """Labels of all states from the estimates that a search makes of clusters.

    Returns
    -------
    The label of each state, numbered in the order of their first states; and the search, whose
    rollouts have ended right after their first T_0 steps.

    Raises
    ------
    ChainError
        As `search.complete`.
    """
    settings = _search_settings(task, config)
    found = search.run(task, settings, rng, progress)
    size = task.model.size
    rounds = [np.array(e, dtype=np.int64) for e in found.estimates]
    if not any(map(len, rounds)):
        raise ChainError("no state was seen by most rollouts of a round; raise T_0")
    seen = sparse.lil_array((len(rounds), size), dtype=np.int64)
    for r, estimate in enumerate(rounds):
        seen[r, estimate] = 1
    together = (seen.T @ seen).tocoo()
    often: IntArray = np.asarray(seen.sum(axis=0)).ravel()
    x, y = together.coords
    alike = 2 * together.data > np.minimum(often[x], often[y])
    graph = sparse.coo_array((np.ones(alike.sum()), (x[alike], y[alike])), shape=(size, size))
    part = csgraph.connected_components(graph, directed=False)[1]
    known = np.flatnonzero(often)
    labels = np.full(size, -1, dtype=np.int64)
    labels[known] = part[known]
    for state in np.flatnonzero(often == 0).tolist():
        met = hitting_times(task.model, state, known.tolist(), 2, rng)
        labels[state] = part[met.states[0]]
    return _numbered(labels.tolist()), found


def _search_settings(task: Task, config: Config) -> search.Config:
    """The settings of a search that votes and ends with the first T_0 steps of each rollout."""
    asked = search.Config(config.rounds, config.rollouts, config.T_0, delta=config.delta)
    if None not in (asked.rounds, asked.rollouts, asked.T_0):
        asked = replace(asked, T_max=int(asked.T_0 or 0) + 1)  # nothing is left to plan
    try:
        settings = search.complete(task, replace(asked, robust=True, T_1=1))
    except ChainError:
        # Where no test can be planned, as when epsilon is large, a plan without tests may do.
        settings = search.complete(task, asked)
        rollouts = config.rollouts or max(3, int(settings.rollouts or 0))
        settings = replace(settings, rollouts=rollouts)
    last = int(settings.T_0 or 0) + 1
    return replace(settings, T_max=last, robust=True, T_1=1)


def _numbered(labels: Sequence[int]) -> tuple[int, ...]:
    """The same labels, numbered 0, 1, ... in the order of their first states."""
    order: dict[int, int] = {}
    return tuple(order.setdefault(label, len(order)) for label in labels)


# ---------------------------------------------------------------- label steps
@dataclass(frozen=True, eq=False)
class Law:
    """The law of a label step.

    Attributes
    ----------
    off : array, shape (K, K), zero on the diagonal
        Probability that a label step goes from k to l.
    stay : array, shape (K,)
        That it starts and ends at k.
    cost : mean number of generated steps that one takes.
    """

    off: FloatArray
    stay: FloatArray
    cost: float

    def draw(self, count: int, rng: np.random.Generator) -> IntArray:
        """Numbers of so many independent label steps by start and end, shape (K, K)."""
        # Rare ones first, so that none is lost in a remainder.
        rare = float(self.off.sum())
        moved = int(rng.binomial(count, min(rare, 1.0)))
        out = np.zeros(self.off.shape, dtype=np.int64)
        if moved:
            share = self.off.ravel() / rare
            out = rng.multinomial(moved, share / share.sum()).reshape(self.off.shape)
        if moved < count:
            out = out + np.diag(rng.multinomial(count - moved, self.stay / self.stay.sum()))
        return out


def one_step_law(model: Chain, labels: Sequence[int], burn_in: int) -> Law:
    """The law of one-step labels after a walk from a uniform state."""
    law = np.full(model.size, 1.0 / model.size)
    leave = np.bincount(model.source, model.probability, minlength=model.size)
    for _ in range(burn_in):
        flow = law[model.source] * model.probability
        law = law * (1.0 - leave) + np.bincount(model.target, flow, minlength=model.size)
    of = np.asarray(labels)
    count = int(of.max()) + 1
    k, l = of[model.source], of[model.target]
    flow = np.where(k != l, law[model.source] * model.probability, 0.0)
    off = np.bincount(k * count + l, flow, minlength=count**2).astype(np.float64)
    off = off.reshape(count, count)
    stay = np.bincount(of, law, minlength=count) - off.sum(axis=1)
    return Law(off, np.maximum(stay, 0.0), burn_in + 1.0)


def trace_law(model: Chain, representatives: Sequence[int]) -> Law:
    """The law of steps between visits to the representatives, which start at each as often."""
    count = len(representatives)
    rows = np.array(elimination.watched(model, representatives).rows, dtype=np.float64)
    off = rows / count
    # The mean time between visits, averaged over the starts.
    ahead = elimination.mean_hitting_times(model, representatives).values
    wait = np.bincount(model.source, model.probability * ahead[model.target], minlength=model.size)
    stay = np.maximum(1.0 / count - off.sum(axis=1), 0.0)
    return Law(off, stay, 1.0 + float(wait[list(representatives)].mean()))


# ---------------------------------------------------------------- the fit
def rescaled(counts: IntArray, factor: float, names: Sequence[str]) -> Chain:
    """The chain with the odds N_kl/N_kk times a factor b = exp(beta)."""
    stay = np.diag(counts).astype(np.float64)
    moves = factor * (counts - np.diag(np.diag(counts)))
    total = stay + moves.sum(axis=1)
    source, target = np.nonzero(moves)
    return Chain.from_floats(names, source, target, moves[source, target] / total[source])


def standard_error(
    law: FloatArray, samples: float, factor: float, start: int, targets: Sequence[int]
) -> float:
    """Relative standard error of the distilled hitting time, to first order in 1/samples.

    With odds o_kl = P_kl/P_kk and o_k their sum, E' = sum n_k (1 + 1/(b o_k)), and its derivative
    in log o_kl is n_k o_kl/o_k (h_l - sum_m h_m o_km/o_k - 1/(b o_k)), h the times from each label.
    The logarithms of N_kl and N_kk have variances 1/(n P_kl) and 1/(n P_kk); what they have in
    common cancels in the odds.

    Parameters
    ----------
    law : array, shape (K, K)
        Probabilities P_kl of label steps, or numbers of them in proportion.
    samples : n > 0.
    factor : b, taken as fixed.

    Returns
    -------
    float
        0 if the start is a target; infinite if the targets cannot be reached.
    """
    if start in targets:
        return 0.0
    share = law / law.sum()
    stay = np.diag(share)
    moves = share - np.diag(stay)
    out = moves.sum(axis=1)
    seen = _before(moves, start, targets)
    if seen is None or (out[seen] == 0).any():
        return math.inf
    jumps = moves[np.ix_(seen, seen)] / out[seen, None]
    held = stay[seen] / (factor * out[seen])
    inverse = np.linalg.inv(np.eye(len(seen)) - jumps)
    times = np.zeros(len(law))
    times[seen] = inverse @ (1.0 + held)
    visits = inverse[int(np.flatnonzero(seen == start)[0])]
    chance = moves[seen] / out[seen, None]
    slope = visits[:, None] * chance * (times[None, :] - (chance @ times + held)[:, None])
    with np.errstate(divide="ignore", invalid="ignore"):
        each = np.where(moves[seen] > 0, slope**2 / moves[seen], 0.0).sum(axis=1)
        common = np.where(held > 0, slope.sum(axis=1) ** 2 / stay[seen], 0.0)
    here = times[start]
    return math.sqrt(float((each + common).sum()) / samples) / float(here)


def _before(moves: FloatArray, start: int, targets: Sequence[int]) -> IntArray | None:
    """Labels that can be met before the targets; None if one of them cannot lead to these."""
    names = [str(k) for k in range(len(moves))]
    open_ends = moves / max(float(moves.sum()), 1.0)
    open_ends[list(targets)] = 0.0
    source, target = np.nonzero(open_ends)
    graph = Chain.from_floats(names, source, target, open_ends[source, target])
    seen = set(graph.reachable_from(start))
    if seen & set(graph.unreachable_from(targets)):
        return None
    return np.array(sorted(seen - set(targets)), dtype=np.int64)


# ---------------------------------------------------------------- the run
def run(
    task: Task,
    config: Config,
    rng: np.random.Generator,
    labels: Sequence[int] | None = None,
    progress: Progress | None = None,
) -> Result:
    """Distil the task's model.

    Parameters
    ----------
    labels : the label of each state, any whole numbers; estimated by default.
    progress : called with the rounds of the search that are done, and of how many.

    Raises
    ------
    ChainError
        A setting is out of range, the labels do not fit the model or are all the same, or no way
        to the target's label was seen within `MOST` label steps, as when a label is never left.
    """
    _require(task, config, labels)
    label_steps = 0
    if labels is None:
        chosen, found = estimate_labels(task, config, rng, progress)
        label_steps = found.steps
        used = found.config
        config = replace(config, rounds=used.rounds, rollouts=used.rollouts, T_0=used.T_0)
    else:
        chosen = _numbered(labels)
    count = max(chosen) + 1
    if count == 1:
        raise ChainError("all states have one label, which leaves nothing to distil; lower T_0")
    if config.burn_in is None:
        config = replace(config, burn_in=0 if labels is not None else config.T_0)
    first = tuple(chosen.index(k) for k in range(count))
    start, targets = chosen[task.start], tuple(sorted({chosen[y] for y in task.targets}))
    if config.data == "trace":
        law = trace_law(task.model, first)
    else:
        law = one_step_law(task.model, chosen, int(config.burn_in or 0))
    counts = _collect(law, config, start, targets, rng)
    samples = int(counts.sum())
    total = counts.sum(axis=1)
    out = total - np.diag(counts)
    with np.errstate(divide="ignore", invalid="ignore"):
        logits = np.log(counts / total[:, None])
        holding = np.where(out > 0, total / out, 1.0)
    beta = float(np.log(holding.max()) if config.beta is None else config.beta)
    names = [task.model.states[x] for x in first]
    model = rescaled(counts, math.exp(beta), names)
    steps = samples * law.cost
    parts = (first, counts, samples, steps, label_steps, logits, beta, model, start, targets)
    return Result(config, chosen, *parts)


def _require(task: Task, config: Config, labels: Sequence[int] | None) -> None:
    """ChainError for settings out of range."""
    if config.data not in ("one-step", "trace"):
        raise ChainError(f"unknown data {config.data!r}; give one-step or trace")
    for name in ("accuracy", "delta"):
        require_fraction(name, getattr(config, name), Fraction(0), Fraction(1))
    if config.samples is not None and not 1 <= config.samples <= MOST:
        raise ChainError(f"samples = {config.samples} is out of range; choose 1 to {MOST}")
    if config.beta is not None and not 0 <= config.beta <= 700:
        raise ChainError(f"beta = {config.beta} is out of range; choose it between 0 and 700")
    if config.burn_in is not None and not 0 <= config.burn_in <= MOST_BURN_IN:
        raise ChainError(
            f"burn_in = {config.burn_in} is out of range; choose it between 0 and {MOST_BURN_IN}"
        )
    if labels is not None and len(labels) != task.model.size:
        raise ChainError(f"{len(labels)} labels for {task.model.size} states; give one for each")


def _collect(
    law: Law, config: Config, start: int, targets: Sequence[int], rng: np.random.Generator
) -> IntArray:
    """Draw label steps, as many as asked for or until the counts are good enough."""
    if config.samples is not None:
        return law.draw(config.samples, rng)
    wanted = float(config.accuracy) / float(stats.norm.isf(float(config.delta) / 2))
    counts = law.draw(FIRST, rng)
    while not _enough(counts, config.beta, wanted, start, targets):
        samples = int(counts.sum())
        if samples > MOST // 2:
            raise ChainError(
                f"{samples} label steps do not show how the labels are left, and more cannot be "
                "counted; raise epsilon, take the trace, or give the number of samples"
            )
        counts = counts + law.draw(samples, rng)
    return counts


def _enough(
    counts: IntArray, beta: Fraction | None, wanted: float, start: int, targets: Sequence[int]
) -> bool:
    out = counts.sum(axis=1) - np.diag(counts)
    seen = _before((counts - np.diag(np.diag(counts))).astype(np.float64), start, targets)
    if start in targets:
        seen = np.arange(len(out))  # nothing is asked of the time, and so of every label
    if seen is None or (out[seen] < LEFT).any():
        return False
    held = counts.sum(axis=1)[out > 0] / out[out > 0]
    factor = held.max() if beta is None else math.exp(beta)
    return standard_error(counts.astype(np.float64), counts.sum(), factor, start, targets) <= wanted


# ---------------------------------------------------------------- prediction and report
def jump_law(chain: Chain) -> FloatArray:
    """The law of the next other state, as a (K, K) array with a zero diagonal."""
    dense = chain.rates()
    total = dense.sum(axis=1, keepdims=True)
    out: FloatArray = np.divide(dense, total, out=np.zeros_like(dense), where=total > 0)
    return out


def escapes(chain: Chain) -> FloatArray:
    """P_k(l is met before k is met again | k is left), shape (K, K), nan on the diagonal.

    Free of how long the chain stays, so that chains with other clocks can be compared; entrywise
    accurate but for a few roundings.

    Raises
    ------
    ChainError
        If the chain is not irreducible.
    """
    dense = chain.rates()
    found = np.full(dense.shape, np.nan)
    for l in range(chain.size):
        others = np.arange(chain.size) != l
        escape = elimination.escape_probabilities(chain, (l,)).values
        found[others, l] = escape[others] / dense[others].sum(axis=1)
    return found


def trace_of(model: Chain, representatives: Sequence[int]) -> Chain:
    """The model watched on some states."""
    rows = elimination.watched(model, representatives).rows
    dense = np.array(rows, dtype=np.float64)
    source, target = np.nonzero(dense)
    names = [model.states[x] for x in representatives]
    return Chain.from_floats(names, source, target, dense[source, target])


def variation(first: Chain, second: Chain) -> float:
    """Largest total variation between two jump laws, over the rows."""
    return float(np.abs(jump_law(first) - jump_law(second)).sum(axis=1).max() / 2)


def escape_bound(original: Chain, other: Chain) -> float:
    """What the escape probabilities of two chains of K states differ by at most.

    Let h be those of `other` as a function of the state, between 0 and 1. Along a path of
    `original` its mean changes by at most the variation of the jump laws a jump, until k or l is
    met; so the bound is that variation times the largest mean number of jumps from k until k or
    l is met.
    """
    jumps, longest = jump_law(original), 0.0
    for k in range(original.size):
        for l in range(original.size):
            rest = np.setdiff1d(np.arange(original.size), (k, l))
            inside = np.eye(len(rest)) - jumps[np.ix_(rest, rest)]
            more = np.linalg.solve(inside, np.ones(len(rest)))
            longest = max(longest, 1.0 + float(jumps[k, rest] @ more)) if k != l else longest
    return longest * variation(original, other)


def hitting_time(chain: Chain, start: int, targets: Sequence[int]) -> float:
    """Mean hitting time of a chain; ChainError if the targets are out of reach."""
    part = chain.reachable_part(start) if start not in targets else chain
    place = [part.states.index(chain.states[y]) for y in targets if chain.states[y] in part.states]
    if not place:
        raise ChainError(
            "no way from the label of the start to that of a target was seen; draw more samples"
        )
    times = elimination.mean_hitting_times(part, place)
    return float(times.values[part.states.index(chain.states[start])])


def predict(
    task: Task, clusters: Sequence[Sequence[int]], data: Data, factor: float
) -> tuple[float, float]:
    """E' = J + (T - J)/b for a fit without error, and J.

    Parameters
    ----------
    clusters : a partition of the states.
    data : ``one-step`` for T = T_A, ``trace`` for the chain watched on the first states.
    factor : b.
    """
    groups = [sorted(group) for group in clusters]
    where = {x: k for k, group in enumerate(groups) for x in group}
    if data == "trace":
        chain = trace_of(task.model, [group[0] for group in groups])
    else:
        chain = aggregated_matrix(task.model, groups).value
    start, targets = where[task.start], sorted({where[y] for y in task.targets})
    if start in targets:
        return 0.0, 0.0
    time = hitting_time(chain, start, targets)
    rows = jump_law(chain)
    source, target = np.nonzero(rows)
    walk = Chain.from_floats(chain.states, source, target, rows[source, target])
    jumps = hitting_time(walk, start, targets)
    return jumps + (time - jumps) / factor, jumps


def report(task: Task, truth: Truth | None, config: Config, result: Result) -> Report:
    """The distilled hitting time and escape probabilities, beside those of theory.

    ``escape_error`` is the largest difference between an escape probability of the distilled chain
    and that of the model between the same representatives, both given that the representative is
    left for another. Without the truth the prediction is for the blocks of the model at the widest
    gap between its probabilities.
    """
    groups = search.groups_of(truth.clusters) if truth else find_clusters(task.model)
    factor, used = math.exp(result.beta), result.config
    time = hitting_time(result.model, result.start, result.targets)
    predicted, jumps = predict(task, groups, used.data, factor)
    original = float(elimination.mean_hitting_times(task.model, task.targets).values[task.start])
    trace = trace_of(task.model, result.representatives)
    error: float | None = None
    bound: float | None = None
    if result.model.is_irreducible() and trace.is_irreducible():
        gaps = np.abs(escapes(result.model) - escapes(trace))
        error, bound = float(np.nanmax(gaps)), escape_bound(trace, result.model)
    spread = standard_error(
        result.counts.astype(np.float64), result.samples, factor, result.start, result.targets
    )
    wrong = None if truth is None else mislabelled(result.labels, truth.clusters)
    told: dict[str, Any] = {
        "hitting_time": time,
        "predicted": predicted,
        "jumps": jumps,
        "hitting_time_original": original,
        "relative_standard_error": spread,
        "escape_error": error,
        "escape_bound": bound,
        "samples": result.samples,
        "steps": result.steps,
        "label_steps": result.label_steps,
        "labels": len(result.representatives),
        "clusters": len(groups) if truth else None,
        "mislabelled": wrong,
        "beta": result.beta,
        "data": used.data,
    }
    known = "" if truth is None else f" for {len(groups)} clusters"
    rows = [
        ("labels", f"{len(result.representatives)}{known}"),
        ("label steps", f"{result.samples:,}, {used.data}"),
        ("generated steps", f"{result.steps + result.label_steps:.6g}"),
        ("beta", f"{result.beta:.6g}"),
        ("mean hitting time, original", f"{original:.6g}"),
        ("mean hitting time, distilled", f"{time:.6g}, standard error {spread:.2g} of it"),
        ("predicted", f"{predicted:.6g}, of which {jumps:.6g} jumps"),
    ]
    if error is not None:
        rows.append(("error of escape probabilities", f"{error:.2g}, at most {bound:.2g}"))
    if wrong is not None:
        rows.insert(1, ("states with a wrong label", str(wrong)))
    return Report(told, tuple(rows), lambda: _figure(result, trace))


def mislabelled(labels: Sequence[int], clusters: Sequence[int]) -> int:
    """States that are with others than those of their cluster, or without some of them.

    Of the states of a cluster, those count as right that share its most frequent label, if most of
    the states with this label are of the cluster.
    """
    size = max(clusters) + 1, max(labels) + 1
    both = np.zeros(size, dtype=np.int64)
    np.add.at(both, (np.asarray(clusters), np.asarray(labels)), 1)
    best, owner = both.argmax(axis=1), both.argmax(axis=0)
    right = sum(int(both[k, l]) for k, l in enumerate(best.tolist()) if owner[l] == k)
    return len(labels) - right


def _figure(result: Result, trace: Chain) -> Figure:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.2, 3.4), layout="constrained")
    left, right = figure.subplots(1, 2)
    with np.errstate(divide="ignore"):
        shares = np.log10(np.exp(result.logits))
    image = left.imshow(np.where(np.isfinite(shares), shares, np.nan), cmap="viridis")
    figure.colorbar(image, ax=left, label="logarithm (base 10) of the share")
    left.set(xlabel="to label", ylabel="from label", title="label steps")
    if result.model.is_irreducible() and trace.is_irreducible():
        pairs = [chain[~np.isnan(chain)] for chain in (escapes(trace), escapes(result.model))]
        right.plot([0, 1], [0, 1], color="C7", linewidth=1)
        right.plot(*pairs, ".", markersize=4)
    right.set(xlabel="original", ylabel="distilled", title="escape probabilities")
    return figure
