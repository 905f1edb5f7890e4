"""Mean hitting times and spectral gaps of sparse chains up to a million states, side by side.

    python tests/benchmarks/scale.py [--sizes 1e3,1e4] [--families ring,tree,path] [--limit 60]
                                     [--repeat 3] [--epsilon 1e-10] [--figure FILE] [--json FILE]

Chains: cliques of 8 states on a ring, on a binary tree and on a path, with edges of probability
epsilon between gates. Start and target are far apart: half the ring, from the root to a leaf, from
one end to the other. Every solver runs in a process of its own, with one thread; the solvers take
turns, `--repeat` rounds of up to four solves each (of batches of solves, where one takes less than
0.2 s), and one that takes long takes fewer. The best time is reported, of the processor and by the
clock. A solver is cut when its solve has used the limit of processor time, and is then not tried on
larger chains of the family.

What is timed is the solve alone, from an input of the solver's own kind to the values. Making this
input from arrays of ends and probabilities is the column "input", by the processor.

- *metastable*: `Elimination(chain, [target]).costs()`. Input: `Chain.from_floats`, which checks the
  chain.
- *spsolve*: SciPy's (SuperLU), in its own order (COLAMD) and, as *spsolve MMD*, in that of
  MMD_AT_PLUS_A. Input: I - Q by columns, so that nothing but SuperLU is timed.
- *deeptime*: `mfpt` on a sparse matrix. Input: that matrix.
- *PyGT*: `compute_MFPT` on a sparse matrix, for one pair alone, by blocks of 1 and of 20. Input:
  the matrix.

Peak memory is `ru_maxrss` of the process: interpreter, packages, chain and solve. In parentheses
how much of it the solve added to the peak before it.

The relative error is the worst over up to 64 starts between the far one and the target. On the
ring the exact values are those of the closed form that the family derives and the checker checks;
on trees the chain is reversible, the time across an edge that disconnects it is the weight behind
it over the weight of the edge, and the time across a clique follows from resistances. The
entries of the chain are rounded and the formulas' are not; that is a few units in the last place.

Gaps, on rings: `slow_modes(chain, 1)` against `scipy.sparse.linalg.eigs` by shift and invert, on P
at 1 and, so that 1 - lambda is not rounded to multiples of 1e-16, on I - P at 0. Exact values: the
3 x 3 block of the slowest Fourier mode, with 400 digits. The last line has a gap of 1e-40.

Growth exponents are least squares of log time and of log added memory on log N, over the larger
half of the sizes, with a confidence interval of 95 %.

The exit code is 1 if one of our values is missing, or off by more than 1e-12 of itself (times) or
1e-10 (gaps). No time and no memory is asserted.
"""

from __future__ import annotations

import argparse
import importlib
import json
import math
import os
import resource
import signal
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import asdict, dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

SIZES = ("1e3", "2e3", "5e3", "1e4", "2e4", "5e4", "1e5", "2e5", "5e5", "1e6")
FAMILIES = ("ring", "tree", "path")
M = 8
STARTS = 64
SMALL_GAP = 1e-40
BATCH = 0.2  # seconds that are timed at least, in one go
TOLERANCE = {"times": 1e-12, "gap": 1e-10}
OURS, BASE = "metastable", {"times": "spsolve", "gap": "eigs of I - P"}

Array = npt.NDArray[np.float64]
Index = npt.NDArray[np.int64]
Solve = Callable[[], Any]


@dataclass(frozen=True)
class Network:
    """Cliques of M states and the edges between them, by the two gates of each."""

    family: str
    K: int
    epsilon: float
    ends: Index  # shape (edges, 2), states

    @property
    def size(self) -> int:
        return self.K * M

    @property
    def target(self) -> int:
        return self.K // 2 * M + 2 if self.family == "ring" else self.size - 1

    def starts(self) -> list[int]:
        """From far to near, in other clusters than the target."""
        if self.family == "ring":
            distances = np.unique(np.geomspace(1, self.K // 2, STARTS).astype(int))[::-1]
            return [int(self.target - d * M) for d in distances]
        line = self.ancestors()
        picks = np.unique(np.linspace(0, len(line) - 1, STARTS).astype(int))
        return [line[n] * M + M - 1 for n in picks]

    def parent(self, cluster: int) -> int:
        return cluster - 1 if self.family == "path" else (cluster - 1) // 2

    def ancestors(self) -> list[int]:
        """Clusters on the way from the root to the last cluster, which is left out."""
        line = [self.K - 1]
        while line[-1]:
            line.append(self.parent(line[-1]))
        return line[:0:-1]

    def entries(self) -> tuple[Index, Index, Array]:
        """Off-diagonal entries, sorted."""
        gate = np.zeros(self.size, np.bool_)
        gate[self.ends] = True
        state = np.arange(self.size)
        first = state // M * M
        source = np.repeat(state, M)
        target = (first[:, None] + np.arange(M)).ravel()
        probability = np.repeat(np.where(gate, (1 - self.epsilon) / M, 1 / M), M)
        kept = source != target
        source = np.concatenate([source[kept], self.ends.ravel()])
        target = np.concatenate([target[kept], self.ends[:, ::-1].ravel()])
        probability = np.concatenate([probability[kept], np.full(self.ends.size, self.epsilon)])
        order = np.lexsort((target, source))
        return source[order], target[order], probability[order]


def network(family: str, K: int, epsilon: float) -> Network:
    k = np.arange(K)
    if family == "ring":
        ends = np.column_stack([k * M, (k + 1) % K * M + 1])
    elif family == "path":
        ends = np.column_stack([k[1:] * M + 1, k[:-1] * M])
    else:  # a child's state 0, and the parent's state 1 or 2
        ends = np.column_stack([k[1:] * M, (k[1:] - 1) // 2 * M + 2 - k[1:] % 2])
    return Network(family, K, epsilon, ends.astype(np.int64))


# ---------------------------------------------------------------- exact values
def exact_times(net: Network) -> list[Fraction]:
    """Mean hitting times from the starts."""
    if net.family == "ring":
        return ring_times(net)
    epsilon = Fraction(net.epsilon)
    gates, plain = np.zeros(net.K, np.int64), np.full(net.K, M)
    np.add.at(gates, net.ends.ravel() // M, 1)
    plain -= gates
    # Weights: 1 of a gate, 1 - epsilon of any other state, epsilon of an edge between cliques. They
    # are counted in whole numbers, and those of subtrees added up from the leaves.
    for c in range(net.K - 1, 0, -1):
        gates[net.parent(c)] += gates[c]
        plain[net.parent(c)] += plain[c]

    def weight(cluster: int) -> Fraction:
        return int(gates[cluster]) + int(plain[cluster]) * (1 - epsilon)

    total, last = weight(0), net.K - 1
    resistance = 2 / (1 - epsilon)  # between two states of a clique

    def across(here: Fraction, others: Fraction) -> Fraction:
        return resistance * (here + others / 2)

    line = [*net.ancestors(), last]
    above = total - weight(last)
    onward = across(1 + above, weight(last) - 1 - (1 - epsilon))  # from the gate to the target
    found = {}
    for a, b in zip(line[-2::-1], line[:0:-1], strict=True):
        behind = total - weight(b)
        beyond = behind / epsilon + onward
        found[a] = across(1 - epsilon, behind - 1 - (1 - epsilon)) + beyond
        here = 1 + total - weight(a)
        onward = across(here, behind - 1 - here) + beyond
    return [found[start // M] for start in net.starts()]


def ring_times(net: Network) -> list[Fraction]:
    claims = importlib.import_module("theory.claims")
    family = importlib.import_module("theory.family").built_in()["ring"]
    evaluate = importlib.import_module("theory.domain").evaluate
    formula = claims.Derivation(family).claim("hitting-time").expression
    out = []
    for start in net.starts():
        d = (net.target - start) // M
        point = dict(K=net.K, M=M, d=d, epsilon=net.epsilon)
        out.append(evaluate(formula, {name: Fraction(value) for name, value in point.items()}))
    return out


def exact_gap(K: int, epsilon: Any) -> Any:
    """Of the ring, in mpmath."""
    mpmath = importlib.import_module("mpmath")
    with mpmath.workdps(400):
        epsilon, turn = mpmath.mpf(epsilon), mpmath.expjpi(mpmath.mpf(2) / K)
        block = mpmath.matrix(3, 3)
        for i in range(3):
            for j, count in enumerate((1, 1, M - 2)):
                block[i, j] = (1 - epsilon if i < 2 else 1) * mpmath.mpf(count) / M
        block[0, 1] += epsilon * turn
        block[1, 0] += epsilon / turn
        return 1 - max(x.real for x in mpmath.eig(block)[0])


# ---------------------------------------------------------------- the solvers
# Each takes the network and its entries, and gives a solve and how to read what it returns.
Entries = tuple[Index, Index, Array]


def ours(net: Network, entries: Entries) -> tuple[Solve, Any]:
    chain, reduce = our_chain(net, entries), elimination_class()
    return (
        lambda: reduce(chain, [net.target]).costs(),
        lambda found: [found.fraction(start) for start in net.starts()],
    )


def our_chain(net: Network, entries: Entries) -> Any:
    kind = importlib.import_module("numerics.chain").Chain
    return kind.from_floats(map(str, range(net.size)), *entries)


def elimination_class() -> Any:
    return importlib.import_module("numerics.elimination").Elimination


def transition(net: Network, entries: Entries) -> Any:
    source, target, probability = entries
    n = net.size
    stay = 1.0 - np.bincount(source, weights=probability, minlength=n)
    state = np.arange(n)
    ends = np.concatenate([source, state]), np.concatenate([target, state])
    return sparse.csr_array((np.concatenate([probability, stay]), ends), shape=(n, n))


def superlu(order: str) -> Callable[[Network, Entries], tuple[Solve, Any]]:
    def prepare(net: Network, entries: Entries) -> tuple[Solve, Any]:
        spsolve = importlib.import_module("scipy.sparse.linalg").spsolve
        kept = np.flatnonzero(np.arange(net.size) != net.target)
        A = (sparse.eye_array(net.size) - transition(net, entries)).tocsr()[kept][:, kept].tocsc()
        b = np.ones(net.size - 1)
        return (
            lambda: spsolve(A, b, permc_spec=order),
            lambda x: [x[start - (start > net.target)] for start in net.starts()],
        )

    return prepare


def deeptime(net: Network, entries: Entries) -> tuple[Solve, Any]:
    mfpt = importlib.import_module("deeptime.markov.tools.analysis").mfpt
    P = transition(net, entries)
    return lambda: mfpt(P, net.target), lambda x: [x[start] for start in net.starts()]


def pygt(block: int) -> Callable[[Network, Entries], tuple[Solve, Any]]:
    def prepare(net: Network, entries: Entries) -> tuple[Solve, Any]:
        times = importlib.import_module("PyGT.mfpt").compute_MFPT
        B = sparse.csr_matrix(transition(net, entries).T)
        start = net.starts()[0]
        return (
            lambda: times(net.target, start, B.copy(), np.ones(net.size), block=block),
            lambda pair: [pair[0]],
        )

    return prepare


def our_modes(net: Network, entries: Entries) -> tuple[Solve, Any]:
    slow_modes = importlib.import_module("numerics.slow_modes").slow_modes
    chain = our_chain(net, entries)
    return (
        lambda: slow_modes(chain, 1),
        lambda found: [Fraction(float(found.rates[0])) * Fraction(2) ** found.exponent],
    )


def eigs_at_one(net: Network, entries: Entries) -> tuple[Solve, Any]:
    eigs = importlib.import_module("scipy.sparse.linalg").eigs
    P = transition(net, entries).tocsc()
    v0 = np.random.default_rng(0).standard_normal(net.size)
    return (
        lambda: eigs(P, k=2, sigma=1.0, v0=v0, return_eigenvectors=False),
        lambda values: [sorted((1 - values).real)[1]],
    )


def eigs_at_zero(net: Network, entries: Entries) -> tuple[Solve, Any]:
    eigs = importlib.import_module("scipy.sparse.linalg").eigs
    A = (sparse.eye_array(net.size) - transition(net, entries)).tocsc()
    v0 = np.random.default_rng(0).standard_normal(net.size)
    return (
        lambda: eigs(A, k=2, sigma=0.0, v0=v0, return_eigenvectors=False),
        lambda values: [sorted(values.real, key=abs)[1]],
    )


SOLVERS: dict[str, dict[str, Callable[[Network, Entries], tuple[Solve, Any]]]] = {
    "times": {
        OURS: ours,
        "spsolve": superlu("COLAMD"),
        "spsolve MMD": superlu("MMD_AT_PLUS_A"),
        "deeptime": deeptime,
        "PyGT": pygt(1),
        "PyGT by 20": pygt(20),
    },
    "gap": {OURS: our_modes, "eigs of P": eigs_at_one, "eigs of I - P": eigs_at_zero},
}


# ---------------------------------------------------------------- one solver, in its own process
@dataclass
class Run:
    """What one solver did on one chain; times in seconds, memory in MiB."""

    what: str
    family: str
    states: int
    solver: str
    status: str
    input: float | None = None
    cpu: float | None = None
    wall: float | None = None
    peak: float | None = None
    added: float | None = None
    error: float | None = None


def peak_memory() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return used / 2**20 if sys.platform == "darwin" else used / 2**10


def child(what: str, solver: str, family: str, K: int, epsilon: float, limit: int) -> Run:
    warnings.simplefilter("ignore")
    prepare = SOLVERS[what][solver]
    run = Run(what, family, K * M, solver, "solved")
    try:
        small = network(family, 16, 1e-2)
        prepare(small, small.entries())[0]()  # imports, and compiles what is compiled
    except ImportError as error:
        run.status = f"absent ({error})"
        return run
    net = network(family, K, epsilon)
    entries = net.entries()
    begin = time.process_time()
    solve, read = prepare(net, entries)
    run.input = time.process_time() - begin
    before, spent, batch = peak_memory(), 0.0, 1
    for _ in range(4):
        signal.setitimer(signal.ITIMER_PROF, limit)  # its signal ends the process
        wall, cpu = time.perf_counter(), time.process_time()
        try:
            for _ in range(batch):
                found = solve()
        except (RuntimeError, ValueError, ArithmeticError, np.linalg.LinAlgError) as error:
            run.status = f"fails ({type(error).__name__})"
            return run
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)
        cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
        spent += cpu
        if run.peak is None:
            run.peak = peak_memory()
            run.added = run.peak - before
            batch = max(1, min(1000, int(BATCH / wall)))
            if batch > 1:
                continue  # too short for the clock of the processor
        run.cpu, run.wall = min(cpu / batch, run.cpu or cpu), min(wall / batch, run.wall or wall)
        if spent > limit / 10:
            break
    if what == "times":
        exact = exact_times(net)
    else:
        gap = exact_gap(K, epsilon)
        exact = [Fraction(int(gap.man)) * Fraction(2) ** int(gap.exp)]
    run.error = 0.0
    for value, true in zip(read(found), exact, strict=False):
        if not isinstance(value, Fraction) and not math.isfinite(value):
            run.error = math.inf
        else:
            run.error = max(run.error, float(abs(Fraction(value) / true - 1)))
    return run


def in_a_process(what: str, solver: str, family: str, K: int, epsilon: float, limit: int) -> Run:
    words = [what, solver, family, str(K), repr(epsilon), str(limit)]
    command = [sys.executable, __file__, "--child", *words]
    alone = {f"{name}_NUM_THREADS": "1" for name in ("OPENBLAS", "OMP", "MKL")}
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, **alone})
    if done.returncode == -signal.SIGPROF:
        return Run(what, family, K * M, solver, f"cut at {limit} s")
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or [f"code {done.returncode}"])[-1]
        return Run(what, family, K * M, solver, f"fails ({reason})")
    return Run(**json.loads(done.stdout.splitlines()[-1]))


def race(
    what: str, solvers: list[str], family: str, K: int, epsilon: float, repeat: int, limit: int
) -> dict[str, Run]:
    """The best of some rounds, in which the solvers take turns."""
    best: dict[str, Run] = {}
    for turn in range(repeat):
        for solver in solvers:
            old = best.get(solver)
            if old and (old.cpu is None or old.cpu * (turn + 1) > limit / 3):
                continue
            new = in_a_process(what, solver, family, K, epsilon, limit)
            if old and old.cpu and new.cpu:
                for name in ("input", "cpu", "wall"):
                    setattr(new, name, min(getattr(old, name), getattr(new, name)))
            best[solver] = new
    return best


# ---------------------------------------------------------------- report
def table(title: str, runs: list[Run], base: str) -> None:
    print(f"\n{title}")
    head = ("states", "solver", "input s", "cpu s", "wall s", "peak MiB (added)", "error", "ratio")
    widths = [8, 14, 8, 8, 8, 17, 9, 6]
    print("  ".join(text.rjust(width) for text, width in zip(head, widths, strict=True)))
    times = {run.states: run.cpu for run in runs if run.solver == OURS}
    for run in runs:
        row = [str(run.states), run.solver]
        if run.cpu is None or run.error is None or run.input is None or run.peak is None:
            row.append(run.status)
            row_widths = [*widths[:2], 0]
        else:
            own = times.get(run.states)
            row += [f"{run.input:.3f}", f"{run.cpu:.3f}", f"{run.wall:.3f}"]
            row += [f"{run.peak:.0f} ({run.added:.0f})", f"{run.error:.1e}"]
            row += [f"{run.cpu / own:.2f}" if own else "-"]
            row_widths = widths
        print("  ".join(x.rjust(w) for x, w in zip(row, row_widths, strict=True)))
    print(f"ratio: processor time to that of {OURS}; to beat: {base}")
    for solver in dict.fromkeys(run.solver for run in runs):
        mine = [run for run in runs if run.solver == solver]
        slopes = [
            f"{label} {slope}"
            for label, field in (("time", "cpu"), ("added memory", "added"))
            if (slope := growth(mine, field))
        ]
        if slopes:
            print(f"growth exponents in N of {solver}: {', '.join(slopes)}")
    sys.stdout.flush()


def exponents(axis: Any, runs: list[Run], field: str) -> None:
    """Write the growth exponents into a panel, in the colours of the solvers."""
    below = 0
    for number, solver in enumerate(SOLVERS["times"]):
        slope = growth([run for run in runs if run.solver == solver], field)
        if slope:
            place = dict(transform=axis.transAxes, ha="right", va="bottom", fontsize=7)
            told = "N^" + slope.partition(" (")[0]
            axis.text(0.98, 0.02 + 0.07 * below, told, color=COLOURS[number], **place)
            below += 1


def growth(runs: list[Run], field: str) -> str:
    """Slope of a log over log N on the larger half, with its interval of 95 %; 3 sizes at least."""
    points = [(run.states, getattr(run, field)) for run in runs if getattr(run, field)]
    points = points[len(points) // 2 :]
    if len(points) < 3:
        return ""
    stats = importlib.import_module("scipy.stats")
    x, y = np.log(np.array(points, dtype=float)).T
    fit = stats.linregress(x, y)
    half = stats.t.ppf(0.975, len(points) - 2) * fit.stderr
    return f"{fit.slope:.2f} +- {half:.2f} (N from {points[0][0]})"


COLOURS = ("#0a84d6", "#d55e00", "#e69f00", "#009e73", "#b36ae2", "#d6599b")
INK = "#808080"  # legible on white and on black


def draw(runs: list[Run], path: str) -> None:
    matplotlib = importlib.import_module("matplotlib")
    matplotlib.use("Agg")
    plt = importlib.import_module("matplotlib.pyplot")
    families = list(dict.fromkeys(run.family for run in runs))
    figure, axes = plt.subplots(
        2, len(families), figsize=(3.4 * len(families) + 0.6, 5.6), sharex=True, sharey="row"
    )
    axes = np.asarray(axes).reshape(2, len(families))
    for column, family in enumerate(families):
        for row, (field, label) in enumerate(
            (
                ("cpu", "processor time, s"),
                ("added", "memory that the solve adds, MiB"),
            )
        ):
            axis = axes[row, column]
            for number, solver in enumerate(SOLVERS["times"]):
                points = [
                    (run.states, getattr(run, field))
                    for run in runs
                    if (run.family, run.solver) == (family, solver) and getattr(run, field)
                ]
                if points:
                    style = dict(color=COLOURS[number], marker="osD^vP"[number], markersize=4)
                    axis.loglog(*zip(*points, strict=True), label=solver, **style)
            exponents(axis, [run for run in runs if run.family == family], field)
            axis.patch.set_alpha(0.0)
            axis.grid(color=INK, alpha=0.25, linewidth=0.6)
            axis.tick_params(colors=INK, which="both")
            for spine in axis.spines.values():
                spine.set_color(INK)
            if row == 0:
                axis.set_title(f"cliques on a {family}", color=INK, fontsize=10)
            else:
                axis.set_xlabel("states", color=INK)
            if column == 0:
                axis.set_ylabel(label, color=INK)
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(
        handles, labels, loc="upper center", ncols=len(labels), frameon=False, labelcolor=INK
    )
    figure.tight_layout(rect=(0, 0, 1, 0.94))
    figure.savefig(path, transparent=True, dpi=160)


def main() -> int:
    if sys.argv[1:2] == ["--child"]:
        what, solver, family, *numbers = sys.argv[2:]
        K, epsilon, limit = numbers
        run = child(what, solver, family, int(K), float(epsilon), int(limit))
        print(json.dumps(asdict(run)))
        return 0
    return compare()


def compare() -> int:
    parser = argparse.ArgumentParser(description="Time large sparse chains against other solvers.")
    parser.add_argument("--sizes", default=",".join(SIZES))
    parser.add_argument("--families", default=",".join(FAMILIES))
    parser.add_argument("--epsilon", type=float, default=1e-10)
    parser.add_argument("--repeat", type=int, default=3, help="rounds")
    parser.add_argument("--limit", type=int, default=60, help="seconds for one solve")
    parser.add_argument("--what", default="times,gap", help="times, gap or both")
    parser.add_argument("--figure", help="file for a figure of the times")
    parser.add_argument("--json", help="file for the figures")
    options = parser.parse_args()
    clusters = [int(float(size)) // M for size in options.sizes.split(",")]

    runs: list[Run] = []
    for what in options.what.split(","):
        for family in options.families.split(",") if what == "times" else ["ring"]:
            cut: set[str] = set()
            mine: list[Run] = []
            cases = [(K, options.epsilon) for K in clusters]
            if what == "gap":
                scale = exact_gap(1000, 1e-60) / 1e-60
                cases.append((1000, float(SMALL_GAP / scale)))
            for K, epsilon in cases:
                chosen = [name for name in SOLVERS[what] if name not in cut]
                found = race(what, chosen, family, K, epsilon, options.repeat, options.limit)
                for name, run in found.items():
                    if epsilon != options.epsilon:
                        run.family = f"ring, gap {SMALL_GAP:.0e}"
                        continue
                    if run.status.startswith(("cut", "absent")):
                        cut.add(name)
                mine += found.values()
            label = "mean hitting times" if what == "times" else "gap"
            for name in dict.fromkeys(run.family for run in mine):
                part = [run for run in mine if run.family == name]
                title = f"cliques of {M} on a {name}, {label}, epsilon {options.epsilon:.0e}"
                if name != family:
                    title = f"cliques of {M} on a {name}"
                table(title, part, BASE[what])
            runs += mine
    wrong = [
        run
        for run in runs
        if run.solver == OURS and not (run.error is not None and run.error <= TOLERANCE[run.what])
    ]
    for run in wrong:
        print(f"{OURS}, {run.what}, {run.family}, {run.states}: {run.status}, off by {run.error}")
    print("\nWRONG OR MISSING VALUES" if wrong else f"\nall values of {OURS} are right")
    if options.figure:
        draw([run for run in runs if run.what == "times"], options.figure)
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump([asdict(run) for run in runs], file, indent=1)
            file.write("\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
