"""R4: the edges that search found are made likelier, by PPO-Clip or by plain policy gradient.

After Kim et al. (2025), algorithm 3: the advantage of a transition is 1 if search found it, else 0,
X_0 is uniform, and the logits of the softmax model climb the surrogate by the *sign* of its
gradient. The gradient is exact, or estimated from transitions drawn from the model.

Choices of ours. A round of PPO ends when the clip has taken the gradient away in every row; the
next one starts from the model reached. A row is left alone for good when the next update would
lift the mass of its found edges, in all, above epsilon_max: on the families that is their epsilon.
Beside it stands plain policy gradient, which moves by the gradient itself; from a sample that is
REINFORCE (Williams 1992, *Machine Learning* 8, 229-256), without baseline.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt
from numba import njit

from numerics import elimination
from numerics.algorithms.pretrain import MOST_DRAWN, rows
from numerics.algorithms.task import Progress, Report, Task, Truth, require_fraction
from numerics.chain import Chain, ChainError, FloatArray, IntArray

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BoolArray = npt.NDArray[np.bool_]
Method = Literal["ppo", "policy-gradient"]

_GROWTH = 1.15  # from one point of the record to the next, for plain gradients


@dataclass(frozen=True)
class Config:
    """Settings.

    Attributes
    ----------
    epsilon_max : what the mass of the found edges out of a state may not exceed, in (0, 1); None
        for 1/(10 D), D the largest number of transitions out of a state to others. Where the size M
        of the clusters is known, 1/(10 M) is the usual choice.
    method : ``ppo``, or ``policy-gradient`` (REINFORCE if ``batch`` is given).
    step : step eta of the logits in an update of PPO, > 0.
    clip : PPO holds ratios to the model of the round back at 1 + clip; > 0.
    rate : learning rate of the plain gradient, > 0; None for N, with which the logits of a row
        move by the gradient of the mass of its found edges.
    batch : transitions from uniform states drawn for each round, or for each plain update; None
        for exact gradients.
    most : most updates. Exact runs must end within it; sampled ones are stopped there.
    """

    epsilon_max: Fraction | None = None
    method: Method = "ppo"
    step: Fraction = Fraction(1, 10)
    clip: Fraction = Fraction(1, 5)
    rate: Fraction | None = None
    batch: int | None = None
    most: int = 10**9


@dataclass(frozen=True, eq=False)
class Result:
    """A tuned model.

    Attributes
    ----------
    model : the chain after all updates.
    epsilon_max : the cap that was used.
    updates : updates made, one at a time in all rows together.
    rounds : models from which transitions were drawn, or expectations taken.
    samples : transitions drawn.
    finished : whether every row with found edges has reached the cap, but for less than an update.
    states : the R states with found edges.
    before, after : mass of the found edges of each, shape (R,).
    variation : total variation between the old and the new row of each, shape (R,).
    moved : number of updates in which the row took part, shape (R,).
    record : updates, and the least and the largest mass over the rows then.
    """

    model: Chain
    epsilon_max: float
    updates: int
    rounds: int
    samples: int
    finished: bool
    states: tuple[int, ...]
    before: FloatArray
    after: FloatArray
    variation: FloatArray
    moved: IntArray
    record: tuple[tuple[int, float, float], ...] = field(repr=False)


def run(
    task: Task,
    config: Config,
    rng: np.random.Generator,
    found: Collection[tuple[int, int]],
    progress: Progress | None = None,
) -> Result:
    """Lift the found edges of the task's model.

    Parameters
    ----------
    found : pairs of different 0-based states, transitions of the model: what search recorded. They
        may miss sparse edges and hold others.
    rng : draws the batches; not used with exact gradients.
    progress : called with a share of 1000.

    Raises
    ------
    ChainError
        A setting is out of range, nothing or no transition was found, or an exact run does not end
        within ``config.most`` updates.
    """
    policy = _Policy.of(task.model, found)
    cap = _cap(task.model, config)
    for name in ("step", "clip", "rate"):
        value = getattr(config, name)
        if value is not None and not value > 0:
            raise ChainError(f"{name} = {value} is out of range; choose it above 0")
    require_batch(config.batch)
    if config.method not in ("ppo", "policy-gradient"):
        raise ChainError(f"unknown method {config.method!r}; give ppo or policy-gradient")
    rate = Fraction(task.model.size) if config.rate is None else config.rate
    climb = _Climb(policy, cap, config, progress)
    if config.method == "ppo":
        _ppo(climb, rng)
    elif config.batch is None:
        _plain(climb, float(rate / task.model.size))
    else:
        _reinforce(climb, float(rate), rng)
    if not climb.over and config.batch is None:
        raise ChainError(
            f"the cap is not reached within {config.most} updates; raise the step, the rate, or "
            "the number of updates"
        )
    q = climb.q
    return Result(
        policy.chain(task.model, q),
        cap,
        climb.updates,
        climb.rounds,
        climb.rounds * (config.batch or 0),
        climb.over,
        policy.states,
        policy.mass(policy.p),
        policy.mass(q),
        np.maximum(q - policy.p, 0.0).sum(axis=1),
        climb.moved,
        tuple(climb.record),
    )


def require_batch(batch: int | None) -> None:
    """ChainError unless so many transitions can be drawn at once."""
    if batch is not None and batch < 1:
        raise ChainError(f"a batch of {batch} transitions is empty; draw 1 or more")
    if batch is not None and batch > MOST_DRAWN:
        raise ChainError(f"a batch of {batch} transitions is too large; draw at most {MOST_DRAWN}")


def report(task: Task, truth: Truth | None, config: Config, result: Result) -> Report:
    """Mass of the found edges and mean hitting time, before and after.

    ``epsilon_before`` and ``epsilon_after`` are the largest over the states with found edges, and
    ``tv_per_row`` is the largest total variation of a row.
    """
    times = [
        elimination.mean_hitting_times(chain, task.targets).values[task.start]
        for chain in (task.model, result.model)
    ]
    lifted = _lifted(task.model, result)
    false = None if truth is None else len(lifted - truth.sparse_edges)
    missed = None if truth is None else len(truth.sparse_edges - lifted)
    told: dict[str, Any] = {
        "epsilon_before": float(result.before.max()),
        "epsilon_after": float(result.after.max()),
        "epsilon_max": result.epsilon_max,
        "updates": result.updates,
        "rounds": result.rounds,
        "samples": result.samples,
        "finished": result.finished,
        "hitting_time_before": float(times[0]),
        "hitting_time_after": float(times[1]),
        "tv_per_row": float(result.variation.max()),
        "edges_lifted": len(lifted),
        "edges_lifted_falsely": false,
        "edges_missed": missed,
    }
    lines = [
        ("mass of found edges, before", f"{told['epsilon_before']:.4g}"),
        ("mass of found edges, after", f"{told['epsilon_after']:.4g}"),
        ("its limit", f"{result.epsilon_max:.4g}"),
        ("updates", f"{result.updates:,}"),
        ("mean hitting time, before", f"{times[0]:.6g}"),
        ("mean hitting time, after", f"{times[1]:.6g}"),
        ("largest total variation of a row", f"{told['tv_per_row']:.4g}"),
    ]
    if result.samples:
        lines.insert(4, ("transitions drawn", f"{result.samples:,}"))
    if not result.finished:
        lines.append(("stopped", "before every row had reached the limit"))
    if truth is not None:
        lines.append(("edges lifted falsely, and missed", f"{false}, {missed}"))
    return Report(told, tuple(lines), lambda: _figure(result))


# ---------------------------------------------------------------- the rows that are updated
@dataclass(frozen=True, eq=False)
class _Policy:
    """The R rows with found edges, padded to their L most entries; the state's own is one of them.

    Attributes
    ----------
    states : the rows.
    place : target of each entry, shape (R, L).
    p : probabilities, 0 where padded, shape (R, L).
    found : whether the entry was found, shape (R, L).
    size : number N of states.
    """

    states: tuple[int, ...]
    place: IntArray
    p: FloatArray
    found: BoolArray
    size: int

    @staticmethod
    def of(model: Chain, found: Collection[tuple[int, int]]) -> _Policy:
        pairs = set(zip(model.source.tolist(), model.target.tolist(), strict=True))
        if not found:
            raise ChainError("no edge was found, so there is nothing to learn; search longer")
        for x, y in found:
            if (x, y) not in pairs:
                raise ChainError(f"({x}, {y}) is no transition of the model; drop it from the set")
        dense = rows(model)
        states = tuple(sorted({x for x, _ in found}))
        entries = [np.flatnonzero(dense[x]) for x in states]
        longest = max(map(len, entries))
        place = np.zeros((len(states), longest), dtype=np.int64)
        p = np.zeros(place.shape)
        is_found = np.zeros(place.shape, dtype=np.bool_)
        chosen = set(found)
        for r, (x, own) in enumerate(zip(states, entries, strict=True)):
            place[r, : len(own)], p[r, : len(own)] = own, dense[x, own]
            is_found[r, : len(own)] = [(x, int(y)) in chosen for y in own]
        return _Policy(states, place, p / p.sum(axis=1, keepdims=True), is_found, model.size)

    def mass(self, q: FloatArray) -> FloatArray:
        """Mass of the found edges of each row."""
        total: FloatArray = np.where(self.found, q, 0.0).sum(axis=1)
        return total

    def chain(self, model: Chain, q: FloatArray) -> Chain:
        """The model with new rows."""
        dense = model.rates()
        for r, x in enumerate(self.states):
            own = self.p[r] > 0
            dense[x, self.place[r, own]] = q[r, own]
            dense[x, x] = 0.0
        source, target = np.nonzero(dense)
        return Chain.from_floats(model.states, source, target, dense[source, target])


class _Climb:
    """The logits, which rows have reached the cap, and the record."""

    def __init__(
        self, policy: _Policy, cap: float, config: Config, progress: Progress | None
    ) -> None:
        self.policy, self.cap, self.config, self.progress = policy, cap, config, progress
        with np.errstate(divide="ignore"):
            self.w = np.log(policy.p)
        self.q = policy.p.copy()
        mass = policy.mass(policy.p)
        # A row without other entries has nothing to take mass from.
        self.done = (mass >= cap) | (policy.found | (policy.p == 0)).all(axis=1)
        self.moved = np.zeros(len(mass), dtype=np.int64)
        self.updates = self.rounds = 0
        self.record = list[tuple[int, float, float]]()
        self.note()

    @property
    def over(self) -> bool:
        return bool(self.done.all())

    @property
    def spent(self) -> bool:
        return self.updates >= self.config.most

    def note(self) -> None:
        mass = self.policy.mass(self.q)
        self.record.append((self.updates, float(mass.min()), float(mass.max())))
        if self.progress is not None:
            first = self.record[0][1]
            way = np.log(self.cap / first) if first < self.cap else 1.0
            share = min(max(np.log(mass.min() / first) / way, 0.0), 1.0)
            self.progress(1000 if self.over else int(1000 * share), 1000)

    def move(self, change: FloatArray) -> bool:
        """Add to the logits of the rows that stay within the cap; whether any moved."""
        wanted = ~self.done & (change != 0).any(axis=1)
        with np.errstate(invalid="ignore"):
            w = np.where(wanted[:, None], self.w + change, self.w)
        q = _softmax(w)
        fits = wanted & (self.policy.mass(q) <= self.cap)
        self.done |= wanted & ~fits
        self.w[fits], self.q[fits] = w[fits], q[fits]
        self.moved += fits
        return bool(fits.any())

    def draw(self, rng: np.random.Generator) -> FloatArray:
        """How often each found edge occurs in a batch from uniform states, shape (R, L)."""
        assert self.config.batch is not None
        law = np.where(self.policy.found, self.q, 0.0).ravel() / self.policy.size
        counts = rng.multinomial(self.config.batch, [*law, 1 - law.sum()])[:-1]
        return counts.reshape(self.q.shape).astype(np.float64)


def _softmax(w: FloatArray) -> FloatArray:
    weight = np.exp(w - w.max(axis=1, keepdims=True))
    out: FloatArray = weight / weight.sum(axis=1, keepdims=True)
    return out


def _ppo(climb: _Climb, rng: np.random.Generator) -> None:
    """Rounds of sign-gradient ascent on the clipped surrogate."""
    policy, config = climb.policy, climb.config
    step, top = float(config.step), 1 + float(config.clip)
    while not climb.over and not climb.spent:
        old = climb.q.copy()
        # The weight of a found edge: its probability, or its share of the sample.
        weight = np.where(policy.found, old, 0.0)
        if config.batch is not None:
            weight = climb.draw(rng) / config.batch
        climb.rounds += 1
        before = climb.updates
        while not climb.spent:
            with np.errstate(invalid="ignore", divide="ignore"):
                ratio = np.where(weight > 0, climb.q / old, 0.0)
            pull = np.where(ratio < top, weight * ratio, 0.0)
            # d/dw_z of sum_y pull_y log q_y: a found edge pulls itself up and all others down.
            gradient = pull - climb.q * pull.sum(axis=1, keepdims=True)
            if not climb.move(step * np.sign(gradient)):
                break
            climb.updates += 1
            climb.note()
        if config.batch is not None and climb.updates == before:
            climb.updates += 1  # a batch without news is an update that changes nothing
    climb.note()


def _reinforce(climb: _Climb, rate: float, rng: np.random.Generator) -> None:
    """Plain gradient steps estimated from batches."""
    assert climb.config.batch is not None
    pause = 1.0
    while not climb.over and not climb.spent:
        share = climb.draw(rng) / climb.config.batch
        climb.rounds += 1
        climb.updates += 1
        if share.any():
            climb.move(rate * (share - climb.q * share.sum(axis=1, keepdims=True)))
        if climb.updates >= pause or climb.over:
            climb.note()
            pause = climb.updates * _GROWTH


def _plain(climb: _Climb, speed: float) -> None:
    """Exact plain gradient steps, on classes of equal entries, once for equal rows."""
    policy = climb.policy
    known: dict[tuple[bytes, ...], int] = {}
    same = np.zeros(len(policy.states), dtype=np.int64)
    p, size, found, bounds, member = [], [], [], [0], []
    for r in range(len(policy.states)):
        pairs = np.column_stack([policy.p[r], policy.found[r]])
        values, inverse, sizes = np.unique(pairs, axis=0, return_inverse=True, return_counts=True)
        key = values.tobytes(), sizes.tobytes()
        if key not in known:
            known[key] = len(known)
            p.append(values[:, 0])
            found.append(values[:, 1])
            size.append(np.where(values[:, 0] > 0, sizes, 0))
            bounds.append(bounds[-1] + len(values))
        same[r] = known[key]
        member.append(inverse.ravel() + bounds[same[r]])
    with np.errstate(divide="ignore"):
        w = np.log(np.concatenate(p))
    first = [int(np.argmax(same == k)) for k in range(len(known))]
    done, moved = climb.done[first].copy(), np.zeros(len(known), dtype=np.int64)
    copies: FloatArray = np.concatenate(size).astype(np.float64)
    marks, ends = np.concatenate(found) > 0, np.array(bounds, dtype=np.int64)
    pause = 1.0
    while not done.all() and climb.updates < climb.config.most:
        chunk = min(int(pause), climb.config.most - climb.updates)
        climb.updates += _climb_plainly(
            copies, marks, ends, w, done, moved, speed, climb.cap, chunk
        )
        climb.done, climb.moved = done[same], moved[same]
        climb.w = w[np.array(member)]
        climb.q = _softmax(climb.w)
        climb.note()
        pause = max(1.0, climb.updates * (_GROWTH - 1))
    climb.rounds = climb.updates


@njit(cache=True)
def _climb_plainly(
    size: FloatArray,
    found: BoolArray,
    bounds: IntArray,
    w: FloatArray,
    done: BoolArray,
    moved: IntArray,
    speed: float,
    cap: float,
    most: int,
) -> int:
    """Updates until all rows are done, at most ``most``; changes w, done and moved."""
    longest = 0
    for r in range(len(done)):
        longest = max(longest, bounds[r + 1] - bounds[r])
    q, new = np.zeros(longest), np.zeros(longest)
    made = 0
    for _ in range(most):
        any_moved = False
        for r in range(len(done)):
            if done[r]:
                continue
            a, b = bounds[r], bounds[r + 1]
            total, mass = 0.0, 0.0
            for c in range(a, b):
                q[c - a] = np.exp(w[c])
                total += size[c] * q[c - a]
            for c in range(a, b):
                q[c - a] /= total
                if found[c]:
                    mass += size[c] * q[c - a]
            total, lifted = 0.0, 0.0
            for c in range(a, b):
                gain = 1.0 - mass if found[c] else -mass
                new[c - a] = w[c] + speed * q[c - a] * gain if size[c] > 0 else w[c]
                weight = size[c] * np.exp(new[c - a])
                total += weight
                if found[c]:
                    lifted += weight
            if lifted > cap * total:
                done[r] = True
                continue
            for c in range(a, b):
                w[c] = new[c - a]
            moved[r] += 1
            any_moved = True
        if not any_moved:
            break
        made += 1
    return made


def _cap(model: Chain, config: Config) -> float:
    if config.epsilon_max is None:
        degree = int(np.bincount(model.source, minlength=model.size).max())
        return float(Fraction(1, 10 * degree))
    require_fraction("epsilon_max", config.epsilon_max, Fraction(0), Fraction(1))
    return float(config.epsilon_max)


def _lifted(model: Chain, result: Result) -> frozenset[tuple[int, int]]:
    """Transitions that are likelier than before, to more than rounding."""
    old, new = model.rates(), result.model.rates()
    pairs = np.nonzero(new > old * (1 + 1e-9))
    return frozenset(zip(*(ends.tolist() for ends in pairs), strict=True))


def _figure(result: Result) -> Figure:
    import matplotlib.pyplot as plt

    updates, least, most = map(np.array, zip(*result.record, strict=True))
    figure, axes = plt.subplots(figsize=(5, 3.2), layout="constrained")
    axes.plot(updates, most, label="largest over the rows")
    axes.plot(updates, least, linestyle="dashed", label="least")
    axes.axhline(result.epsilon_max, color="grey", linewidth=1, label="limit")
    axes.set(xlabel="updates", ylabel="mass of the found edges", yscale="log")
    if len(updates) > 1 and updates[-1] > 1000:
        axes.set(xscale="symlog")
    axes.legend()
    return figure
