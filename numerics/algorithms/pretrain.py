"""R1: a tabular softmax model is trained by gradient descent on the cross-entropy of transitions.

After Kim et al. (2025), algorithm 1: X_0 is uniform on the N states and X_1 follows the chain. The
logits W start at 0. Stage 1 descends until the edges stand out, then everything under a threshold
is cut for good; stage 2 descends on what is left until the model is accurate.

The gradient of row x is (q - p)/N, q the model's row and p that of the data: the chain itself
(population), or the empirical rows of one sample of transitions, which is then the whole batch of
every step. Rows do not mix, and entries of a row with the same p stay equal for ever, because they
start equal. So descent runs on classes of equal entries, and on one of each set of equal rows;
every one of its steps is made, and the model is the same as entry by entry.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from numba import njit
from scipy import stats

from numerics.algorithms.task import Progress, Report, Task, Truth, of_family, require_fraction
from numerics.chain import Chain, ChainError, FloatArray, IntArray
from theory.domain import Point
from theory.family import Family

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BoolArray = npt.NDArray[np.bool_]

MOST_DRAWN = 2**62
"""Most transitions that are drawn at once, the range of whole numbers that are drawn."""
_GROWTH = 1.15  # from one point of the curves to the next


@dataclass(frozen=True)
class Config:
    """Settings.

    Attributes
    ----------
    samples : transitions drawn for the empirical cross-entropy; None for the population.
    rate : learning rate eta, in (0, 2 N]; None for N, with which a row of logits moves by p - q.
    smallest : a number s in (0, 1), at most the probability of any edge (c3 epsilon of assumption
        A2); stage 1 ends once every pair seen has q >= 3 s/4 and every other q <= s/4, and cuts
        what is below s/2. None for the smallest probability in the data.
    delta : stage 2 ends once |q/p - 1| <= delta on every edge that is left; in (0, 1).
    most : most steps of both stages together.
    """

    samples: int | None = None
    rate: Fraction | None = None
    smallest: Fraction | None = None
    delta: Fraction = Fraction(1, 100)
    most: int = 10**10


@dataclass(frozen=True, eq=False)
class Curve:
    """What was recorded on the way, at P numbers of steps, all arrays of shape (P,).

    Attributes
    ----------
    steps : steps of both stages together.
    loss : excess of the cross-entropy over its least value, a mean Kullback-Leibler divergence.
    error : largest |q/p - 1| over the edges of the data that are not cut.
    weakest : smallest q over the pairs of the data that are not cut.
    strongest : largest q over all other pairs that are not cut; 0 if there are none.
    """

    steps: IntArray
    loss: FloatArray
    error: FloatArray
    weakest: FloatArray
    strongest: FloatArray


@dataclass(frozen=True, eq=False)
class Result:
    """A trained model.

    Attributes
    ----------
    model : the chain that was learned.
    stage_one, stage_two : steps of the stages.
    threshold : what was cut lay below it.
    speed : the learning rate over the number of states.
    start : q after the cut, before stage 2, shape (N, N).
    curve : both stages.
    """

    model: Chain
    stage_one: int
    stage_two: int
    threshold: float
    speed: float
    start: FloatArray = field(repr=False)
    curve: Curve = field(repr=False)

    @property
    def steps(self) -> int:
        """Steps of both stages."""
        return self.stage_one + self.stage_two

    @property
    def support(self) -> frozenset[tuple[int, int]]:
        """The transitions between different states that were kept."""
        return _edges(self.model)


def run(
    task: Task, config: Config, rng: np.random.Generator, progress: Progress | None = None
) -> Result:
    """Train a model on the transitions of the task's chain.

    Parameters
    ----------
    task : its chain is the law of the data; start and targets are not used.
    rng : draws the sample; not used for the population.
    progress : called with a share of 1000.

    Raises
    ------
    ChainError
        A setting is out of range, a state is missing from the sample, everything a state leads to
        was cut, or a stage does not end within ``config.most`` steps.
    """
    size = task.model.size
    rate = Fraction(size) if config.rate is None else config.rate
    require_fraction("rate", rate, Fraction(0), Fraction(2 * size + 1))
    if rate > 2 * size:
        raise ChainError(f"rate = {rate} is too large for {size} states; choose at most {2 * size}")
    require_fraction("delta", config.delta, Fraction(0), Fraction(1))
    data = rows(task.model)
    if config.samples is not None:
        data = _sample(data, config.samples, rng)
    smallest = float(data[data > 0].min())
    if config.smallest is not None:
        require_fraction("smallest", config.smallest, Fraction(0), Fraction(1))
        smallest = float(config.smallest)

    classes = _Classes.of(data)
    descent = _Descent(classes, float(rate / size), np.zeros(len(classes.p)), config.most)
    descent.run(smallest / 4, 3 * smallest / 4, 0.0, progress, 0)
    stage_one, threshold = descent.steps, smallest / 2
    kept = descent.q >= threshold
    number = np.cumsum(kept) - 1
    if (np.add.reduceat(kept, classes.first) == 0).any():
        raise ChainError(
            f"every transition of some state is below the threshold {threshold:.3g}; "
            "choose a smaller smallest"
        )
    left = classes.restricted(kept)
    start = np.where(kept[classes.entry], left.softmax(descent.w[kept])[number[classes.entry]], 0)
    second = _Descent(left, descent.speed, descent.w[kept], config.most, descent)
    second.run(0.0, 0.0, float(config.delta), progress, 500)
    learned = np.where(kept[classes.entry], second.q[number[classes.entry]], 0.0)
    np.fill_diagonal(learned, 0.0)
    source, target = np.nonzero(learned)
    model = Chain.from_floats(task.model.states, source, target, learned[source, target])
    curve = Curve(*(np.array(column) for column in zip(*second.record, strict=True)))
    return Result(
        model, stage_one, second.steps - stage_one, threshold, descent.speed, start, curve
    )


def rows(chain: Chain) -> FloatArray:
    """All probabilities of a chain, those of staying included, shape (N, N).

    The probability to stay is what the exact entries of a row leave, rounded once.
    """
    dense = chain.rates()
    stay = [Fraction(1)] * chain.size
    for x, _, p in chain.exact_entries():
        stay[x] -= p
    np.fill_diagonal(dense, [max(float(p), 0.0) for p in stay])
    return dense


def relative_error(true: Chain, learned: Chain) -> float:
    """Largest |q/p - 1| over the transitions of either, those that stay left out; 1 for a cut one.

    Infinite if a transition was learned that does not exist.
    """
    p, q = true.rates(), learned.rates()
    with np.errstate(divide="ignore", invalid="ignore"):
        error = np.abs(q / p - 1)
    return float(np.where((p == 0) & (q == 0), 0.0, error).max())


def report(task: Task, truth: Truth | None, config: Config, result: Result) -> Report:
    """The error, whether the support is that of the chain, and the steps of both stages."""
    true, found = _edges(task.model), result.support
    error = relative_error(task.model, result.model)
    p, q = rows(task.model), rows(result.model)
    variation = float(np.abs(p - q).sum(axis=1).max() / 2)
    sparse = None if truth is None else truth.sparse_edges
    told: dict[str, Any] = {
        "error": error,
        "support_recovered": found == true,
        "steps": result.steps,
        "steps_by_stage": [result.stage_one, result.stage_two],
        "total_variation": variation,
        "threshold": result.threshold,
        "speed": result.speed,
        "edges_missed": len(true - found),
        "edges_invented": len(found - true),
        "sparse_edges": None if sparse is None else len(sparse),
        "sparse_edges_missed": None if sparse is None else len(sparse - found),
    }
    data = "population" if config.samples is None else f"{config.samples:,} transitions"
    lines = [
        ("data", data),
        ("steps, stage 1", f"{result.stage_one:,}"),
        ("steps, stage 2", f"{result.stage_two:,}"),
        ("largest relative error of a transition", f"{error:.3g}"),
        ("largest total variation of a row", f"{variation:.3g}"),
        ("support recovered", "yes" if found == true else "no"),
    ]
    if sparse is not None:
        lines.append(("sparse edges found", f"{len(sparse & found)} of {len(sparse)}"))
    return Report(told, tuple(lines), lambda: _figure(result))


@dataclass(frozen=True)
class Exponents:
    """Powers of K, M and 1/epsilon fitted to numbers of steps, with 95 % confidence intervals.

    The fit is least squares on logarithms; the intervals are those of Student's law, and say how
    well a product of powers describes the points, which have no noise of their own.

    Attributes
    ----------
    steps : steps of the stage at each point.
    power, low, high : by symbol, "K", "M" and "1/epsilon".
    """

    steps: tuple[int, ...]
    power: dict[str, float]
    low: dict[str, float]
    high: dict[str, float]


def exponents(
    family: Family, points: Sequence[Point], config: Config, rng: np.random.Generator
) -> tuple[Exponents, Exponents]:
    """Powers of K, M and 1/epsilon in the steps of stage 1 and of stage 2.

    Parameters
    ----------
    points : complete points of a family with parameters K, M and epsilon, at least 5, of which
        each parameter takes several values.
    config : the same for all points; give ``rate``, which by default grows with K M.
    """
    results = [run(of_family(family, point)[0], config, rng) for point in points]
    columns = [[float(p["K"]), float(p["M"]), 1 / float(p["epsilon"])] for p in points]
    first, second = (
        _fit(np.log(columns), [getattr(r, name) for r in results])
        for name in ("stage_one", "stage_two")
    )
    return first, second


def _fit(logs: FloatArray, steps: Sequence[int]) -> Exponents:
    """Least squares of log steps on logarithms, with intervals."""
    design = np.column_stack([np.ones(len(steps)), logs])
    free = len(steps) - design.shape[1]
    if free < 1 or np.linalg.matrix_rank(design) < design.shape[1]:
        raise ChainError("the points do not tell K, M and epsilon apart; vary each of them")
    value = np.log(np.asarray(steps, dtype=np.float64))
    best = np.linalg.lstsq(design, value, rcond=None)[0]
    spread = float(np.sum((value - design @ best) ** 2)) / free
    error = np.sqrt(spread * np.diag(np.linalg.inv(design.T @ design)))
    width = float(stats.t.ppf(0.975, free)) * error
    names = ("K", "M", "1/epsilon")
    power, low, high = (
        dict(zip(names, column[1:].tolist(), strict=True))
        for column in (best, best - width, best + width)
    )
    return Exponents(tuple(steps), power, low, high)


# ---------------------------------------------------------------- descent on classes
@dataclass(frozen=True, eq=False)
class _Classes:
    """Entries of a row with the same target, of one of each set of equal rows.

    Attributes
    ----------
    p, size : of a class, its target and how many entries it has, shape (C,).
    first : where the classes of a row begin, shape (R,).
    count : how many rows are equal to it, shape (R,).
    entry : the class of each entry, shape (N, N).
    """

    p: FloatArray
    size: FloatArray
    first: IntArray
    count: FloatArray
    entry: IntArray

    @staticmethod
    def of(data: FloatArray) -> _Classes:
        known: dict[tuple[bytes, bytes], int] = {}
        p, size, count, first = [], [], list[int](), list[int]()
        entry, total = np.zeros(data.shape, dtype=np.int64), 0
        for x, row in enumerate(data):
            values, inverse, sizes = np.unique(row, return_inverse=True, return_counts=True)
            key = values.tobytes(), sizes.tobytes()
            if key not in known:
                known[key] = len(first)
                first.append(total)
                count.append(0)
                p.append(values)
                size.append(sizes)
                total += len(values)
            count[known[key]] += 1
            entry[x] = first[known[key]] + inverse
        return _Classes(
            np.concatenate(p),
            np.concatenate(size).astype(np.float64),
            np.array(first, dtype=np.int64),
            np.array(count, dtype=np.float64),
            entry,
        )

    def restricted(self, kept: BoolArray) -> _Classes:
        """Without some classes, the targets of each row scaled to sum to 1 again."""
        sizes = np.add.reduceat(kept.astype(np.int64), self.first)
        first = np.concatenate([[0], np.cumsum(sizes)[:-1]])
        p, size = self.p[kept], self.size[kept]
        total = np.add.reduceat(p * size, first)
        if (total == 0).any():
            raise ChainError("stage 1 kept nothing that was seen; choose a smaller smallest")
        return _Classes(p / np.repeat(total, sizes), size, first, self.count, self.entry)

    def softmax(self, w: FloatArray) -> FloatArray:
        """The model's probabilities of one entry of each class."""
        sizes = np.diff([*self.first, len(w)])
        weight = np.exp(w - np.repeat(np.maximum.reduceat(w, self.first), sizes))
        total = np.add.reduceat(weight * self.size, self.first)
        out: FloatArray = weight / np.repeat(total, sizes)
        return out


class _Descent:
    """Gradient descent from given logits, and its record; continues the count of another."""

    def __init__(
        self,
        classes: _Classes,
        speed: float,
        w: FloatArray,
        most: int,
        before: _Descent | None = None,
    ) -> None:
        self.classes, self.speed, self.w, self.most = classes, speed, w.copy(), most
        self.q = classes.softmax(self.w)
        self.steps: int = 0 if before is None else before.steps
        self.record: list[tuple[float, ...]] = [] if before is None else before.record

    def run(
        self, low: float, high: float, delta: float, progress: Progress | None, done: int
    ) -> None:
        """Descend to q <= low off the data and q >= high on it; or to |q/p - 1| <= delta."""
        begin, pause = self.steps, 1.0
        bounds = np.append(self.classes.first, len(self.w))
        still = np.zeros(len(self.classes.first), dtype=np.bool_)
        worst, share = None, 0.0
        while True:
            self._note()
            if progress is not None:
                now = self._distance(low, high, delta)
                worst = now if worst is None else max(now, worst)
                share = max(share, 1 - now / worst if worst > 0 else 1.0)
                progress(done + int(500 * share), 1000)
            chunk = min(max(int(pause), 1), self.most - self.steps)
            made = _descend(
                self.classes.p,
                self.classes.size,
                bounds,
                self.w,
                self.q,
                still,
                self.speed,
                low,
                high,
                delta,
                chunk,
            )
            self.steps += made
            self.q = self.classes.softmax(self.w)
            if made < chunk:
                self._note()
                return
            if self.steps >= self.most:
                raise ChainError(
                    f"stage {1 + done // 500} did not end within {self.most} steps; raise the "
                    "rate, smallest or delta, or allow more steps"
                )
            pause = (self.steps - begin) * (_GROWTH - 1)

    def _note(self) -> None:
        p, q, size = self.classes.p, self.q, self.classes.size
        seen = p > 0
        ratio = q[seen] / p[seen]
        # x - 1 - log x at x = q/p, so that nothing cancels near the minimum; q off the data adds.
        excess = np.where(seen, 0.0, q)
        excess[seen] = p[seen] * (ratio - 1 - np.log(ratio))
        loss = np.add.reduceat(excess * size, self.classes.first)
        count = self.classes.count
        strongest = float(q[~seen].max()) if (~seen).any() else 0.0
        self.record.append(
            (
                self.steps,
                float(loss @ count / count.sum()),
                float(np.abs(ratio - 1).max()),
                float(q[seen].min()),
                strongest,
            )
        )

    def _distance(self, low: float, high: float, delta: float) -> float:
        """0 at the end of a stage, on a logarithmic scale."""
        _, _, error, weakest, strongest = self.record[-1]
        if delta > 0:
            return max(math.log(error / delta), 0.0) if error > 0 else 0.0
        other = math.log(strongest / low) if strongest > 0 else 0.0
        return max(math.log(high / weakest), other, 0.0)


@njit(cache=True)
def _descend(
    p: FloatArray,
    size: FloatArray,
    bounds: IntArray,
    w: FloatArray,
    q: FloatArray,
    still: BoolArray,
    speed: float,
    low: float,
    high: float,
    delta: float,
    most: int,
) -> int:
    """Steps until the rule of `_Descent.run` holds in all rows, at most ``most``; changes w and q.

    A row that a step leaves as it was, bit by bit, is a fixed point: it is passed over after that.
    """
    for step in range(most):
        over = True
        for r in range(len(still)):
            a, b = bounds[r], bounds[r + 1]
            if not still[r]:
                top = w[a]
                for c in range(a + 1, b):
                    top = max(top, w[c])
                total = 0.0
                for c in range(a, b):
                    q[c] = np.exp(w[c] - top)
                    total += size[c] * q[c]
                for c in range(a, b):
                    q[c] /= total
            if over:
                for c in range(a, b):
                    if delta > 0.0:
                        over = over and abs(q[c] - p[c]) <= delta * p[c]
                    elif p[c] > 0.0:
                        over = over and q[c] >= high
                    else:
                        over = over and q[c] <= low
        if over:
            return step
        for r in range(len(still)):
            if not still[r]:
                moved = False
                for c in range(bounds[r], bounds[r + 1]):
                    old = w[c]
                    w[c] = old + speed * (p[c] - q[c])
                    moved = moved or w[c] != old
                still[r] = not moved
    return most


def _edges(chain: Chain) -> frozenset[tuple[int, int]]:
    return frozenset(zip(chain.source.tolist(), chain.target.tolist(), strict=True))


def _sample(data: FloatArray, samples: int, rng: np.random.Generator) -> FloatArray:
    """Empirical rows of transitions from uniform states."""
    size = len(data)
    if samples < 1:
        raise ChainError(f"a sample of {samples} transitions is empty; draw 1 or more")
    if samples > MOST_DRAWN:
        raise ChainError(
            f"a sample of {samples} transitions is too large; draw at most {MOST_DRAWN}"
        )
    visits = rng.multinomial(samples, np.full(size, 1 / size))
    if (visits == 0).any():
        missed = int(np.argmax(visits == 0))
        raise ChainError(
            f"state number {missed} starts none of the {samples} transitions; draw more of them"
        )
    law = data / data.sum(axis=1, keepdims=True)  # to the last digit, as the generator asks for
    counts: npt.NDArray[np.int64] = rng.multinomial(visits, law)
    return counts / visits[:, None]


def _figure(result: Result) -> Figure:
    import matplotlib.pyplot as plt

    curve = result.curve
    figure, (left, right) = plt.subplots(1, 2, figsize=(7, 3.2), layout="constrained")
    steps = np.maximum(curve.steps, 1)
    left.loglog(steps, curve.loss, label="excess loss")
    left.loglog(steps, curve.error, label="largest relative error of an edge")
    right.loglog(steps, curve.weakest, label="least likely edge")
    between = curve.strongest > 0
    right.loglog(steps[between], curve.strongest[between], label="likeliest other pair")
    right.axhline(result.threshold, color="grey", linewidth=1)
    right.set(ylabel="probability under the model")
    for axes in (left, right):
        axes.axvline(max(result.stage_one, 1), color="grey", linewidth=1, linestyle="dashed")
        axes.set(xlabel="steps")
        axes.legend(fontsize=8)
    return figure
