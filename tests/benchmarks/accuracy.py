"""Digits of mean hitting times and stationary laws, side by side with other packages.

    python tests/benchmarks/accuracy.py [--epsilons 1e-2,1e-8] [--seeds 5] [--json FILE]

Chains: rings of K uniform cliques of M states, (K, M) = (8, 8) and (16, 32), and random chains of
four to six dense clusters of 2 to 8 states, in a row and with chords, with entries of order epsilon
between them. The off-diagonal entries are doubles, and they are the chain: the reference is the
exact rational solution for these very doubles, and no one is charged for rounding the input. Every
package is given the same matrix, its diagonal the double nearest to what the row leaves over.

The figure in the tables is the worst relative error, over all starts and all targets for the mean
hitting times and over all states for the stationary law; for the random chains also over all seeds.
On the ring of 512 states the others are asked for the targets of one cluster (those of the other
clusters differ by a rotation), and PyGT on every ring for a sample of pairs, as it takes one
elimination for each pair. "fails": an exception, or a value that is not a finite number.

- *metastable*: `numerics.elimination`, `hitting_matrix` and `stationary`.
- *NumPy*: `numpy.linalg.solve` on I - Q for each target, and on the transpose of I - P with one
  equation replaced by the sum of the law.
- *SciPy*: `scipy.sparse.linalg.spsolve` on the same systems.
- *deeptime*: `mfpt` for each target, and `stationary_distribution`.
- *PyDTMC*: `MarkovChain.mean_first_passage_times_to` for each target, and `MarkovChain.pi`.
- *QuantEcon*: `MarkovChain.stationary_distributions`; it has no mean hitting times.
- *PyGT*: `compute_MFPT` for each pair, by blocks of 1 (its default there) and of 20 (the default of
  `blockGT`, which it calls); it has no stationary law of a transition matrix.

References: on random chains `numerics.exact`; on the rings the same on the exact quotient by their
symmetries, which is checked to be one.

The exit code is 1 if one of our values is off by more than 1e-13 of itself. Nothing is timed.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.metadata
import json
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property, partial
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse
import scipy.sparse.linalg

from numerics import elimination, exact
from numerics.chain import Chain

EPSILONS = ("1e-2", "1e-4", "1e-8", "1e-12", "1e-16", "1e-50", "1e-150", "1e-300")
RINGS = ((8, 8), (16, 32))
TOLERANCE = 1e-13
PAIRS = 300  # most pairs that PyGT is asked for
LARGE = 100  # states beyond which the others are asked for a part of the targets

OURS = "metastable"
Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Case:
    """A chain with the exact answers, each as the sum of two doubles."""

    chain: Chain
    hitting: tuple[Array, Array]  # shape (N, N): from the row to the column
    law: tuple[Array, Array]
    some_targets: Sequence[int]

    @cached_property
    def transition(self) -> Array:
        """The matrix, its diagonal rounded once."""
        P = self.chain.rates()
        stay = [Fraction(1)] * self.chain.size
        for i, _, p in self.chain.exact_entries():
            stay[i] -= p
        np.fill_diagonal(P, [float(max(p, Fraction(0))) for p in stay])
        return P


# ---------------------------------------------------------------- chains and exact answers
def ring(K: int, M: int, epsilon: float) -> Chain:
    """State i of cluster k is number k M + i; its states 0 and 1 lead to the next and the last."""
    entries = {}
    for k in range(K):
        for i in range(M):
            stay = (1 - epsilon) / M if i < 2 else 1 / M
            entries.update({(k * M + i, k * M + j): stay for j in range(M) if j != i})
        entries[k * M, (k + 1) % K * M + 1] = epsilon
        entries[k * M + 1, (k - 1) % K * M] = epsilon
    return from_entries(K * M, entries)


def random_clusters(epsilon: float, seed: int) -> Chain:
    rng = np.random.default_rng(seed)
    sizes = rng.integers(2, 9, size=rng.integers(4, 7))
    bounds = [0, *np.cumsum(sizes).tolist()]
    clusters = [range(a, b) for a, b in pairwise(bounds)]
    joined = [*pairwise(range(len(clusters))), (0, int(rng.integers(2, len(clusters))))]
    entries = {}
    for a, b in joined:
        for here, there in ((clusters[a], clusters[b]), (clusters[b], clusters[a])):
            pair = int(rng.choice(here)), int(rng.choice(there))
            entries[pair] = epsilon * rng.uniform(0.01, 0.1)
    for cluster in clusters:
        for i in cluster:
            weights = rng.uniform(0.02, 1, size=len(cluster))
            weights *= (1 - 0.1 * 2 * len(joined) * epsilon) / weights.sum()
            entries.update({(i, j): w for j, w in zip(cluster, weights, strict=True) if j != i})
    return from_entries(bounds[-1], entries)


def from_entries(size: int, entries: dict[tuple[int, int], float]) -> Chain:
    ends = np.array(list(entries))
    return Chain.from_floats(map(str, range(size)), ends[:, 0], ends[:, 1], list(entries.values()))


def in_two(values: Sequence[Fraction]) -> tuple[Array, Array]:
    """Rationals as sums of two doubles."""
    high = [float(x) for x in values]
    low = [float(x - Fraction(h)) for x, h in zip(values, high, strict=True)]
    return np.array(high), np.array(low)


def quotient(chain: Chain, label: Sequence[int]) -> Chain:
    """The chain of the labels, exactly; an error if the labels do not form one."""
    rows: list[dict[int, Fraction]] = [{} for _ in label]
    for i, j, p in chain.exact_entries():
        if label[i] != label[j]:
            rows[i][label[j]] = rows[i].get(label[j], Fraction(0)) + p
    common: dict[int, dict[int, Fraction]] = {}
    for state, row in enumerate(rows):
        if common.setdefault(label[state], row) != row:
            raise AssertionError(f"states with the label {label[state]} differ")
    names = map(str, range(len(common)))
    return Chain.from_entries(names, [(a, b, p) for a in common for b, p in common[a].items()])


def ring_case(K: int, M: int, epsilon: float) -> Case:
    chain = ring(K, M, epsilon)
    N = K * M
    k, i = np.divmod(np.arange(N), M)
    columns = []
    for target in range(3):  # of cluster 0; the states from 2 on are alike
        label = 3 * k + np.minimum(i, 2)
        label[target] = 3 * K
        _, dense = np.unique(label, return_inverse=True)
        lumped = quotient(chain, dense.tolist())
        times = in_two(exact.mean_hitting_times(lumped, [int(dense[target])]))
        columns.append([part[dense] for part in times])
    hitting = np.empty((N, N)), np.empty((N, N))
    for target in range(N):
        own, kind = target % M, min(target % M, 2)
        swapped = np.where(i == own, kind, np.where(i == kind, own, i))
        turned = (k - target // M) % K * M + swapped
        for part in range(2):
            hitting[part][:, target] = columns[kind][part][turned]
    lumped = quotient(chain, np.minimum(i, 2).tolist())
    counts = K, K, K * (M - 2)
    shares = [p / count for p, count in zip(exact.stationary(lumped), counts, strict=True)]
    law = [part[np.minimum(i, 2)] for part in in_two(shares)]
    some = range(N) if N <= LARGE else range(M)
    return Case(chain, hitting, (law[0], law[1]), some)


def random_case(seed: int, epsilon: float) -> Case:
    chain = random_clusters(epsilon, seed)
    columns = [in_two(exact.mean_hitting_times(chain, [y])) for y in range(chain.size)]
    hitting = tuple(np.column_stack([column[part] for column in columns]) for part in range(2))
    law = in_two(exact.stationary(chain))
    return Case(chain, (hitting[0], hitting[1]), law, range(chain.size))


def worst(found: Array, reference: tuple[Array, Array]) -> float:
    """Largest relative error, 0 compared with 0; nan if a value is not finite."""
    high, low = reference
    if not np.isfinite(found).all():
        return float("nan")
    with np.errstate(over="ignore"):
        error = np.abs((found - high) - low)
    scale = np.where(high > 0, high, 1.0)
    return float(np.max(error / scale))


# ---------------------------------------------------------------- the packages
class Metastable:
    name = OURS

    def hitting(self, case: Case) -> float:
        found = np.column_stack([s.values for s in elimination.hitting_matrix(case.chain)])
        return worst(found, case.hitting)

    def law(self, case: Case) -> float:
        return worst(elimination.stationary(case.chain).values, case.law)


class Peer:
    """A package that finds all mean hitting times to one target, and the stationary law."""

    name: str

    def to_target(self, P: Array, target: int) -> Array:
        raise NotImplementedError

    def stationary(self, P: Array) -> Array:
        raise NotImplementedError

    def hitting(self, case: Case) -> float:
        targets = list(case.some_targets)
        found = np.column_stack([self.to_target(case.transition.copy(), y) for y in targets])
        high, low = case.hitting
        return worst(found, (high[:, targets], low[:, targets]))

    def law(self, case: Case) -> float:
        return worst(self.stationary(case.transition.copy()), case.law)


class NumPy(Peer):
    name = "NumPy"

    def solve(self, A: Array, b: Array) -> Array:
        return np.asarray(np.linalg.solve(A, b), np.float64)

    def to_target(self, P: Array, target: int) -> Array:
        free = np.arange(len(P)) != target
        out = np.zeros(len(P))
        out[free] = self.solve(np.eye(len(P) - 1) - P[free][:, free], np.ones(len(P) - 1))
        return out

    def stationary(self, P: Array) -> Array:
        A = (np.eye(len(P)) - P).T
        A[-1] = 1.0
        return self.solve(A, np.eye(len(P))[-1])


class SciPy(NumPy):
    name = "SciPy"

    def solve(self, A: Array, b: Array) -> Array:
        found: Array = scipy.sparse.linalg.spsolve(scipy.sparse.csc_array(A), b)
        return found


class Deeptime(Peer):
    name = "deeptime"

    def __init__(self) -> None:
        self.analysis: Any = importlib.import_module("deeptime.markov.tools.analysis")

    def to_target(self, P: Array, target: int) -> Array:
        return np.asarray(self.analysis.mfpt(P, target))

    def stationary(self, P: Array) -> Array:
        return np.asarray(self.analysis.stationary_distribution(P))


class PyDTMC(Peer):
    name = "PyDTMC"

    def __init__(self) -> None:
        self.package: Any = importlib.import_module("pydtmc")

    def hitting(self, case: Case) -> float:
        chain = self.package.MarkovChain(case.transition.copy())
        targets = list(case.some_targets)
        found = [np.asarray(chain.mean_first_passage_times_to(y), float) for y in targets]
        high, low = case.hitting
        return worst(np.column_stack(found), (high[:, targets], low[:, targets]))

    def stationary(self, P: Array) -> Array:
        (law,) = self.package.MarkovChain(P).pi
        return np.asarray(law)


class QuantEcon(Peer):
    name = "QuantEcon"

    def __init__(self) -> None:
        self.package: Any = importlib.import_module("quantecon")

    def hitting(self, case: Case) -> float:
        raise NotImplementedError

    def stationary(self, P: Array) -> Array:
        (law,) = self.package.MarkovChain(P).stationary_distributions
        return np.asarray(law)


class PyGT(Peer):
    block = 1

    def __init__(self) -> None:
        self.name = f"PyGT, blocks of {self.block}"
        self.mfpt: Any = importlib.import_module("PyGT.mfpt")

    def hitting(self, case: Case) -> float:
        n = case.chain.size
        pairs = np.array([(x, y) for x in range(n) for y in range(x)])
        most = PAIRS if n <= LARGE else PAIRS // 50
        if len(pairs) > most and n > 50:
            pairs = np.random.default_rng(n).choice(pairs, most, replace=False)
        B = case.transition.T.copy()  # its columns are those of the starts
        error = 0.0
        for x, y in pairs.tolist():
            found = self.mfpt.compute_MFPT(y, x, B.copy(), np.ones(n), block=self.block)
            for (start, target), value in zip([(x, y), (y, x)], found, strict=True):
                high, low = (part[start, target] for part in case.hitting)
                error = max(error, worst(np.array([value]), (np.array([high]), np.array([low]))))
                if np.isnan(value):
                    return float("nan")
        return error


class PyGTByBlocks(PyGT):
    block = 20


PACKAGES: dict[str, tuple[Callable[[], Any], ...]] = {
    "metastable": (Metastable,),
    "numpy": (NumPy,),
    "scipy": (SciPy,),
    "deeptime": (Deeptime,),
    "PyDTMC": (PyDTMC,),
    "quantecon": (QuantEcon,),
    "PyGT": (PyGT, PyGTByBlocks),
}


def available() -> Iterator[Any]:
    """What can be imported; what cannot is printed with the reason."""
    for distribution, kinds in PACKAGES.items():
        try:
            packages = [kind() for kind in kinds]
            print(distribution, importlib.metadata.version(distribution))
            yield from packages
        except Exception as error:  # whatever an import trips over
            print(f"{distribution} is absent: {type(error).__name__}: {error}")


def figure(measure: Callable[[Case], float], case: Case) -> float | None:
    """Worst relative error; nan if it fails, None if the package has no such function."""
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            return measure(case)
    except NotImplementedError:
        return None
    except Exception:
        return float("nan")


# ---------------------------------------------------------------- report
def cell(value: float | None) -> str:
    if value is None:
        return "-"
    return "fails" if np.isnan(value) else f"{value:.1e}"


def largest(values: list[float | None]) -> float | None:
    known = [v for v in values if v is not None]
    if not known:
        return None
    return float("nan") if np.isnan(known).any() else max(known)


def main() -> int:
    parser = argparse.ArgumentParser(description="Compare digits with other packages.")
    parser.add_argument("--epsilons", default=",".join(EPSILONS))
    parser.add_argument("--seeds", type=int, default=5, help="number of random chains")
    parser.add_argument("--json", help="file for the figures")
    options = parser.parse_args()
    epsilons = [float(text) for text in options.epsilons.split(",")]

    packages = list(available())
    chains: dict[str, list[Callable[[float], Case]]] = {
        f"ring of {K} cliques of {M}": [partial(ring_case, K, M)] for K, M in RINGS
    }
    title = f"{options.seeds} random chains"
    chains[title] = [partial(random_case, seed) for seed in range(options.seeds)]

    records, ours = [], 0.0
    for title, builders in chains.items():
        errors: dict[tuple[str, str, float], float | None] = {}
        for epsilon in epsilons:
            cases = [build(epsilon) for build in builders]
            for package in packages:
                for quantity in ("hitting", "law"):
                    measure = getattr(package, quantity)
                    error = largest([figure(measure, case) for case in cases])
                    errors[quantity, package.name, epsilon] = error
                    records.append(
                        dict(
                            chain=title,
                            quantity=quantity,
                            package=package.name,
                            epsilon=epsilon,
                            error=cell(error),
                        )
                    )
                    if package.name == OURS and error is not None:
                        ours = error if np.isnan(error) else max(ours, error)
        for quantity, what in (("hitting", "mean hitting times"), ("law", "stationary law")):
            print(f"\n{title}, {what}: worst relative error")
            print("".join(["epsilon".ljust(20)] + [f"{e:.0e}".rjust(9) for e in epsilons]))
            for package in packages:
                row = [errors[quantity, package.name, epsilon] for epsilon in epsilons]
                if any(error is not None for error in row):
                    print("".join([package.name.ljust(20)] + [cell(x).rjust(9) for x in row]))
        sys.stdout.flush()
    fine = ours <= TOLERANCE
    print(f"\n{OURS}: at most {ours:.1e}", "" if fine else f"EXCEEDS {TOLERANCE:.0e}")
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump(records, file, indent=1)
            file.write("\n")
    return 0 if fine else 1


if __name__ == "__main__":
    sys.exit(main())
