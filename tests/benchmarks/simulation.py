"""Hitting times by simulation, side by side: from event to event, step by step, and what others do.

    python tests/benchmarks/simulation.py [--replicas 10000] [--repeat 5] [--dense 10,100,1000]
                                          [--json FILE]

The chain is the ring of 8 cliques of 8 states, from a bulk state to one of the clique opposite, of
mean hitting time about 64/epsilon. All run in this process, one thread each, and take turns. Times
are of the processor, so that a busy machine does not count; reported are the best and the median.

What is timed, and what is not:

- *events*: `numerics.events.hitting_times`, with finding the clusters and building the tables,
  for each epsilon.
- *steps*: `numerics.simulate.hitting_times`, with building the tables, at epsilon = 1e-3.
- *alias, one walk*: a stepper written here in Numba as one would: alias tables of doubles in flat
  arrays, xoroshiro128+, one walk after the other. Out: its tables.
- *alias, whole numbers*: the same with rows of 2^b columns and thresholds that are compared with
  the word as it comes, so that no double is formed and no branch is guessed. Out: its tables.
- *random words*: xoroshiro128+ alone, one word for each step: what no stepper with one stream can
  beat.
- *quantecon*, *deeptime*: their simulation of a path, if they are installed; they walk for a number
  of steps and know no targets. Out: making the chain.

Then the times to a standard error of 1 % of the mean, at each epsilon: for as many replicas as the
spread of a sample says. Those of *events* are measured. All others walk 64/epsilon steps for each
replica, which is minutes to ages: theirs are the measured time of a step times the steps, and
marked by a star.

Last, *events* on a ring of 4 clusters of M states with dense random kernels, no two rows alike, at
epsilon 1e-3 and 1e-300, with building the tables; the clusters are given, since random entries of
a kernel come in all sizes.

No time is asserted; the exit code is 1 if a sample mean is not where the exact mean says.
"""

from __future__ import annotations

import argparse
import importlib
import json
import math
import statistics
import sys
import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numba import njit

from numerics import elimination, events, simulate
from numerics.chain import Chain
from numerics.rows import concrete
from numerics.stattest import mean_band
from theory.family import built_in

EPSILONS = ("1e-3", "1e-5", "1e-8", "1e-300")
DENSE = ("1e-3", "1e-300")
STEPPED = EPSILONS[0]
ALARM = 1e-9
U = np.uint64


def ring(epsilon: str) -> tuple[Chain, int, int, float]:
    """The chain, start, target and exact mean."""
    family = built_in()["ring"]
    e = Fraction(epsilon)
    point = family.domain.complete(
        {"K": Fraction(8), "M": Fraction(8), "epsilon": e, "d": Fraction(4)}
    )
    chain = concrete(family.explicit(point))
    mean = (8 * (1 - e) + 2 * e) / (e * (1 - e)) * ((1 + e) * 8 + 8 * e)
    return chain, chain.index("0.2"), chain.index("4.2"), float(mean)


def dense_ring(M: int, epsilon: float) -> Chain:
    """Four clusters of M states with random kernels; the first of each leads to those beside it."""
    rng = np.random.default_rng(M)
    out, into, p = [], [], []
    for k in range(4):
        kernel = rng.random((M, M))
        kernel *= (1 - 4 * epsilon) / kernel.sum(axis=1, keepdims=True)
        i, j = np.nonzero(~np.eye(M, dtype=bool))
        out += [k * M + i, np.array([k * M, k * M])]
        into += [k * M + j, np.array([(k + 1) % 4 * M, (k - 1) % 4 * M])]
        p += [kernel[i, j], np.array([epsilon, 2 * epsilon])]
    ends = np.array([np.concatenate(out), np.concatenate(into)])
    order = np.lexsort(ends[::-1])
    source, target = ends[:, order]
    return Chain.from_floats(map(str, range(4 * M)), source, target, np.concatenate(p)[order])


def dense_kernels(sizes: list[int], replicas: int, repeat: int, wrong: list[str]) -> list[Any]:
    print("\nevents, dense kernels on a ring of 4 clusters: seconds in all, best / median")
    rows = []
    for M in sizes:
        for epsilon in DENSE:
            chain = dense_ring(M, float(epsilon))
            start, target = 1, 2 * M + 1
            clusters = [range(k * M, k * M + M) for k in range(4)]
            times = elimination.mean_hitting_times(chain, [target])
            low, high = mean_band(times.values[start], times.values.max(), replicas, ALARM)
            taken = []
            for turn in range(repeat):
                begin = time.process_time()
                rng = np.random.default_rng(turn)
                sample = events.hitting_times(
                    chain, start, [target], replicas, rng, clusters=clusters
                )
                taken.append(time.process_time() - begin)
                if not low <= sample.mean <= high:
                    wrong.append(f"events, dense, M = {M}, epsilon = {epsilon}: {sample.mean:.6g}")
            best, median = min(taken), statistics.median(taken)
            rows.append({"M": M, "epsilon": epsilon, "seconds": [best, median]})
            print(f"M = {M:5}  epsilon = {epsilon:>6}  {best:8.3f} / {median:8.3f}")
    return rows


def to_one_percent(nanoseconds: dict[str, float], spread: dict[str, float]) -> list[Any]:
    """Seconds to a standard error of 1 %, at each epsilon; `spread` is deviation over mean."""
    print("\nseconds to a standard error of 1 %; * = time of a step times the steps")
    print(f"{'sampler':21}" + "".join(f"{epsilon:>13}" for epsilon in EPSILONS))
    rows = []
    for name, cost in nanoseconds.items():
        line = f"{name:21}"
        for epsilon in EPSILONS:
            chain, start, target, mean = ring(epsilon)
            replicas = math.ceil((100 * spread[epsilon]) ** 2)
            if name == "events":
                begin = time.process_time()
                rng = np.random.default_rng(0)
                events.hitting_times(chain, start, [target], replicas, rng)
                seconds, star = time.process_time() - begin, " "
            else:
                seconds, star = 1e-9 * cost * replicas * mean, "*"
            rows.append({"sampler": name, "epsilon": epsilon, "seconds to 1 %": seconds})
            line += f"{seconds:12.3g}{star}"
        print(line)
    return rows


@njit(inline="always")
def rotated(x: Any, k: int) -> Any:
    return (x << U(k)) | (x >> U(64 - k))


@njit
def alias_walks(
    first: Any, probability: Any, own: Any, other: Any, start: int, target: int, n: int, seed: int
) -> int:
    a, b = U(seed), U(0x9E3779B97F4A7C15)
    steps = 0
    for _ in range(n):
        x = start
        while x != target:
            word = a + b
            b ^= a
            a = rotated(a, 24) ^ b ^ (b << U(16))
            b = rotated(b, 37)
            draw = (word >> U(11)) * 2.0**-53 * (first[x + 1] - first[x])
            k = int(draw)
            draw -= k
            k += first[x]
            x = own[k] if draw < probability[k] else other[k]
            steps += 1
    return steps


@njit
def whole_walks(
    bits: int, threshold: Any, own: Any, other: Any, start: int, target: int, n: int, seed: int
) -> int:
    a, b = U(seed), U(0x9E3779B97F4A7C15)
    start <<= bits
    target <<= bits
    shift = U(64 - bits)
    steps = 0
    for _ in range(n):
        x = start
        while x != target:
            word = a + b
            b ^= a
            a = rotated(a, 24) ^ b ^ (b << U(16))
            b = rotated(b, 37)
            k = x + np.int64(word >> shift)
            x = other[k] ^ ((other[k] ^ own[k]) & -np.int64(word < threshold[k]))
            steps += 1
    return steps


@njit
def words(n: int, seed: int) -> Any:
    a, b = U(seed), U(0x9E3779B97F4A7C15)
    mixed = U(0)
    for _ in range(n):
        mixed ^= a + b
        b ^= a
        a = rotated(a, 24) ^ b ^ (b << U(16))
        b = rotated(b, 37)
    return mixed


def alias_tables(matrix: Any, columns: int | None) -> tuple[Any, Any, Any, Any]:
    """Offsets, probabilities, own and other moves; rows of as many columns if that is given."""
    first, probability, own, other = [0], [], [], []
    for x, row in enumerate(matrix):
        goes = np.flatnonzero(row).tolist()
        n = columns or len(goes)
        share = [row[y] * n for y in goes] + [0.0] * (n - len(goes))
        goes += [x] * (n - len(goes))
        alias = list(goes)
        poor = [k for k in range(n) if share[k] < 1]
        rich = [k for k in range(n) if share[k] >= 1]
        left = list(share)
        while poor and rich:
            k, giver = poor.pop(), rich[-1]
            alias[k] = goes[giver]
            left[giver] -= 1 - left[k]
            share[k] = left[k]
            if left[giver] < 1:
                poor.append(rich.pop())
        probability += [min(p, 1.0) for p in share]
        own += goes
        other += alias
        first.append(len(own))
    return np.array(first), np.array(probability), np.array(own), np.array(other)


def transition_matrix(chain: Chain) -> Any:
    rates = chain.rates()
    return rates + np.diag(1 - rates.sum(axis=1))


Run = Callable[[int], int]  # seed -> steps taken
Case = tuple[str, str, Run]


def ours(replicas: int, wrong: list[str], spread: dict[str, float] | None = None) -> list[Case]:
    """Our samplers, which also check their means, and note deviation over mean in `spread`."""

    def run(name: str, epsilon: str, sampler: Any, chain: Chain, ends: Any, seed: int) -> int:
        start, target, mean = ends
        sample = sampler(chain, start, [target], replicas, np.random.default_rng(seed))
        # The longest mean time to the target is at most 9/8 of the mean from far bulk.
        low, high = mean_band(mean, 9 / 8 * mean, replicas, ALARM)
        if not low <= sample.mean <= high:
            wrong.append(f"{name}, epsilon = {epsilon}: mean {sample.mean:.6g}, not {mean:.6g}")
        if spread is not None and name == "events":
            spread[epsilon] = sample.standard_error * math.sqrt(replicas) / sample.mean
        return int(sample.events if name == "events" else sample.steps)

    cases: list[Case] = []
    for epsilon in EPSILONS:
        chain, *ends = ring(epsilon)

        def case(seed: int, epsilon: str = epsilon, chain: Chain = chain, ends: Any = ends) -> int:
            return run("events", epsilon, events.hitting_times, chain, ends, seed)

        cases.append(("events", epsilon, case))
    chain, *ends = ring(STEPPED)

    def steps(seed: int) -> int:
        sampler = simulate.hitting_times

        def bounded(*given: Any) -> Any:
            return sampler(*given, max_steps=10**12)

        return run("steps", STEPPED, bounded, chain, ends, seed)

    return [*cases, ("steps", STEPPED, steps)]


def written_here(replicas: int) -> list[Case]:
    chain, start, target, mean = ring(STEPPED)
    matrix = transition_matrix(chain)
    tables = alias_tables(matrix, None)
    bits = 4  # nine entries at most
    _, share, own, other = alias_tables(matrix, 1 << bits)
    column = np.arange(len(share)) % (1 << bits)
    cut = (column + share) * 2.0 ** (64 - bits)
    full = share >= 1.0  # where both moves are the same
    threshold = np.where(full, 0.0, cut).astype(np.uint64)
    other = np.where(full, own, other)
    total = round(replicas * mean)

    def plain(seed: int) -> int:
        return int(alias_walks(*tables, start, target, replicas, seed + 1))

    def whole(seed: int) -> int:
        return int(
            whole_walks(
                bits, threshold, own << bits, other << bits, start, target, replicas, seed + 1
            )
        )

    def bound(seed: int) -> int:
        words(total, seed + 1)
        return total

    return [
        ("alias, one walk", STEPPED, plain),
        ("alias, whole numbers", STEPPED, whole),
        ("random words", STEPPED, bound),
    ]


def peers() -> list[Case]:
    """Packages that simulate a path, as far as they are here."""
    chain, start, _, _ = ring(STEPPED)
    matrix = transition_matrix(chain)
    n = 2_000_000
    cases: list[Case] = []
    try:
        walk = importlib.import_module("quantecon").MarkovChain(matrix)
    except ImportError:
        print("quantecon is not installed", file=sys.stderr)
    else:

        def quantecon(seed: int) -> int:
            walk.simulate_indices(n, init=start, random_state=seed)
            return n

        cases.append(("quantecon", STEPPED, quantecon))
    try:
        model = importlib.import_module("deeptime.markov.msm").MarkovStateModel(matrix)
    except ImportError:
        print("deeptime is not installed", file=sys.stderr)
    else:

        def deeptime(seed: int) -> int:
            model.simulate(n, start=start, seed=seed + 1)
            return n

        cases.append(("deeptime", STEPPED, deeptime))
    return cases


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--replicas", type=int, default=10_000)
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--dense", default="10,100,1000", help="sizes of dense clusters")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    if options.replicas < 2 or options.repeat < 1:
        parser.error("take 2 replicas or more, and 1 repetition or more")
    wrong: list[str] = []
    ours(2, [])[0][2](0)  # compile
    ours(2, [])[-1][2](0)
    for _, _, run in written_here(2):
        run(0)
    spread: dict[str, float] = {}
    cases = [*ours(options.replicas, wrong, spread), *written_here(options.replicas), *peers()]
    for _, _, run in peers():
        run(0)
    seconds: list[list[float]] = [[] for _ in cases]
    units = [0] * len(cases)
    for turn in range(options.repeat):
        for number, (_, _, run) in enumerate(cases):
            start = time.process_time()
            units[number] = run(turn)
            seconds[number].append((time.process_time() - start) / units[number])
    fastest = min(min(s) for (name, _, _), s in zip(cases, seconds, strict=True) if name == "steps")
    rows = []
    mine = []
    print(f"{options.replicas} replicas, best / median of {options.repeat} turns")
    print("sampler               epsilon  ns per step or event       seconds in all   to `steps`")
    for (name, epsilon, _), unit, taken in zip(cases, units, seconds, strict=True):
        best, median = min(taken), statistics.median(taken)
        stepwise = name != "events"
        count = ring(epsilon)[3] * options.replicas if stepwise else unit
        if not stepwise:
            mine.append(best * count)
        rows.append(
            {
                "sampler": name,
                "epsilon": epsilon,
                "nanoseconds": [1e9 * best, 1e9 * median],
                "seconds": [best * count, median * count],
                "ratio_to_steps": best / fastest if stepwise else None,
            }
        )
        ratio = f"{best / fastest:8.2f}" if stepwise else ""
        print(
            f"{name:21} {epsilon:>7}  {1e9 * best:8.2f} / {1e9 * median:8.2f}   "
            f"{best * count:8.3f} / {median * count:8.3f}  {ratio}"
        )
    print(f"events: slowest epsilon to fastest {max(mine) / min(mine):.2f}")
    cost = {name: 1e9 * min(taken) for (name, _, _), taken in zip(cases, seconds, strict=True)}
    del cost["random words"]  # no sampler
    rows += to_one_percent(cost, spread)
    sizes = [int(size) for size in options.dense.split(",") if size]
    rows += dense_kernels(sizes, options.replicas, options.repeat, wrong)
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1) + "\n")
    for line in wrong:
        print(line, file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
