"""Solving chains given as rows, side by side with stormpy and SymPy.

    python tests/benchmarks/rows.py [--sizes 4x4,8x8] [--repeat 15] [--limit 60] [--json FILE]

Chains: cliques on a ring and on a complete graph, K clusters of M states, epsilon symbolic, with
the start and target of the families. Every solver is given the same transitions, one by one, and
none is told of cliques or clusters.

What is timed, and what is not:

- *metastable*: `theory.parametric.mean_hitting_time` on a `ParametricChain`: plain tuples of
  successors and of positions in a table of probabilities. In: checking the rows, lumping,
  elimination, the value in lowest terms. Out: writing the tuples.
- *with proof*: the same, then the values of all states, then `verify`, which puts them into every
  row. The ratios are of this one.
- *stormpy + bisimulation*: `perform_bisimulation` on a sparse parametric model, then
  `model_checking` of the expected number of steps, for the initial state only. Out: the model
  (matrix, labels, rewards) and parsing the property.
- *stormpy*: the same without bisimulation.
- *linsolve*: SymPy's, on one equation for each state. Out: writing the equations.

Times are of the processor, so that a busy machine does not count; every solver is one thread. A
solver is first tried in a process of its own, and cut at the limit (its preparation counts there);
it is then not tried on larger chains of the family. The others take turns in this process; reported
are the best and the median time. One that takes long takes fewer turns, as many as fit into a
quarter of the limit.

The last lines are what no solver of rows can give: the answer for all K, M and d, derived from
the family and proved by the checker, for the first time in a process of its own.

All answers are compared exactly, with each other and with the formula; the exit code is 1 if two
differ or one of ours is missing. No time is asserted.
"""

from __future__ import annotations

import argparse
import gc
import importlib
import json
import multiprocessing
import resource
import signal
import statistics
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import sympy

from theory import checker
from theory.claims import Derivation
from theory.family import built_in
from theory.parametric import (
    ParametricChain,
    RationalFunction,
    mean_hitting_time,
    parametric_chain,
    rational_function,
    verify,
)

SIZES = ((4, 4), (8, 8), (16, 16), (32, 32), (64, 64), (1024, 4))
FAMILIES = ("complete", "ring")
OURS, PROVED = "metastable", "with proof"
STORM, STORM_ALONE, LINSOLVE = "stormpy + bisimulation", "stormpy", "linsolve"
PEERS = (OURS, PROVED, STORM, STORM_ALONE, LINSOLVE)

Solve = Callable[[], RationalFunction]


@dataclass(frozen=True)
class Case:
    """A chain with its start and target."""

    family: str
    K: int
    M: int
    chain: ParametricChain
    start: int
    target: int

    @property
    def transitions(self) -> int:
        return sum(len(successors) for successors, _ in self.chain.rows)


@dataclass(frozen=True)
class Timing:
    """What one solver did on one chain; times in seconds."""

    family: str
    K: int | None
    M: int | None
    states: int | None
    transitions: int | None
    solver: str
    best: float | None
    median: float | None
    runs: int
    status: str
    ratio_of_best: float | None = None
    ratio_of_median: float | None = None


def build(family: str, K: int, M: int) -> Case:
    """The rows, state i of cluster k being number k M + i."""
    rows: list[dict[int, object]] = []
    for k in range(K):
        for i in range(M):
            edges: dict[int, object] = {}
            if family == "complete" and i == 0:
                edges = {l * M: f"epsilon/{K - 1}" for l in range(K) if l != k}
            elif family == "ring" and i == 0:
                edges = {(k + 1) % K * M + 1: "epsilon"}
            elif family == "ring" and i == 1:
                edges = {(k - 1) % K * M: "epsilon"}
            stay = f"(1 - epsilon)/{M}" if edges else f"1/{M}"
            rows.append({k * M + other: stay for other in range(M)} | edges)
    start, target = (1, M + 1) if family == "complete" else (2, K // 2 * M + 2)
    return Case(family, K, M, parametric_chain(rows), start, target)


# ---------------------------------------------------------------- the solvers
def ours(case: Case) -> Solve:
    return lambda: mean_hitting_time(case.chain, case.start, [case.target]).value


def proved(case: Case) -> Solve:
    def solve() -> RationalFunction:
        found = mean_hitting_time(case.chain, case.start, [case.target])
        verify(case.chain, case.start, [case.target], found)
        return found.value

    return solve


class Storm:
    """Models and answers of stormpy (2.0 or later), through its numbers and storage modules."""

    def __init__(self) -> None:
        self.stormpy = importlib.import_module("stormpy")
        self.storage = importlib.import_module("stormpy.developer.storage")
        self.cln = importlib.import_module("stormpy.numbers.developer.cln")
        self.transformations = importlib.import_module("stormpy.transformations")
        self.kind = self.stormpy.RationalFunction
        self.epsilon = importlib.import_module("stormpy.numbers").Variable("epsilon")
        self.steps = self.stormpy.parse_properties('R{"steps"}=? [F "target"]')[0]

    def number(self, value: RationalFunction) -> Any:
        return self.kind(self.polynomial(value.numerator), self.polynomial(value.denominator))

    def polynomial(self, coefficients: tuple[int, ...]) -> Any:
        total = self.cln.Polynomial(self.cln.Rational(0))
        power = self.cln.Polynomial(self.cln.Rational(1))
        for c in coefficients:
            total = total + power * self.cln.Rational(c)
            power = power * self.cln.Polynomial(self.epsilon)
        if total.is_constant():
            return self.cln.FactorizedPolynomial(total.constant_part())
        return self.cln.FactorizedPolynomial(total, self.cln.factorization_cache)

    def model(self, case: Case) -> Any:
        values = [self.number(p) for p in case.chain.probabilities]
        sources: list[int] = []
        targets: list[int] = []
        entries: list[Any] = []
        for state, (successors, labels) in enumerate(case.chain.rows):
            sources += [state] * len(successors)
            targets += successors
            entries += [values[n] for n in labels]
        builder = self.storage.SparseMatrixBuilder[self.kind]()
        builder.add_next_values(sources, targets, entries)
        size = len(case.chain.rows)
        labelling = self.storage.StateLabeling(size)
        for name, state in (("init", case.start), ("target", case.target)):
            labelling.add_label(name)
            labelling.add_label_to_state(name, state)
        one = self.number(RationalFunction((1,)))
        rewards = self.storage.SparseRewardModel[self.kind]
        return self.storage.SparseDtmc(
            self.storage.SparseModelComponents(
                transition_matrix=builder.build(),
                state_labeling=labelling,
                reward_models={"steps": rewards(optional_state_reward_vector=[one] * size)},
            )
        )

    def lumped(self, case: Case) -> Solve:
        model = self.model(case)
        return lambda: self.check(self.transformations.perform_bisimulation(model, [self.steps]))

    def alone(self, case: Case) -> Solve:
        model = self.model(case)
        return lambda: self.check(model)

    def check(self, model: Any) -> Any:
        result = self.stormpy.model_checking(model, self.steps, only_initial_states=True)
        return result.get_value(model.initial_states[0])


def linsolve(case: Case) -> Solve:
    """The unknown of the target is left out."""
    unknowns = sympy.symbols(f"h:{len(case.chain.rows)}")
    probabilities = [p.expression() for p in case.chain.probabilities]
    equations = [
        sympy.Add(
            unknowns[state],
            -1,
            *(
                -probabilities[n] * unknowns[to]
                for to, n in zip(successors, labels, strict=True)
                if to != case.target
            ),
        )
        for state, (successors, labels) in enumerate(case.chain.rows)
        if state != case.target
    ]
    others = [h for state, h in enumerate(unknowns) if state != case.target]
    place = others.index(unknowns[case.start])

    def solve() -> Any:
        (solution,) = sympy.linsolve(equations, others)
        return solution[place]

    return solve


def canonical(answer: object) -> RationalFunction:
    """An answer of any solver, in lowest terms."""
    if isinstance(answer, RationalFunction | sympy.Expr):
        return rational_function(answer)
    return rational_function(str(answer).replace("^", "**"))


# ---------------------------------------------------------------- timing
def timed(solve: Solve) -> tuple[float, object]:
    gc.collect()
    begin = time.process_time()
    answer = solve()
    return time.process_time() - begin, answer


def attempt(work: Callable[[], object], limit: int) -> Any:
    """What the work returns in a process of its own; TimeoutError, or EOFError if it fails."""

    def run() -> None:
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_CPU, (limit, limit + 5))
        sender.send(work())

    context = multiprocessing.get_context("fork")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=run)
    process.start()
    sender.close()
    try:
        return receiver.recv()
    except EOFError:
        process.join()
        if process.exitcode == -signal.SIGXCPU:
            raise TimeoutError from None
        raise
    finally:
        process.join()


def race(
    case: Case, solvers: Mapping[str, Callable[[Case], Solve]], repeat: int, limit: int
) -> tuple[list[Timing], dict[str, RationalFunction]]:
    """Times and answers of the solvers on one chain; one that fails or is cut has no time."""

    def first(prepare: Callable[[Case], Solve]) -> tuple[float, RationalFunction]:
        seconds, answer = timed(prepare(case))
        return seconds, canonical(answer)

    times: dict[str, list[float]] = {name: [] for name in PEERS}
    status = dict.fromkeys(PEERS, "not tried")
    answers, turns, ready = {}, {}, {}
    for name, prepare in solvers.items():
        try:
            seconds, answers[name] = attempt(partial(first, prepare), limit)
        except TimeoutError:
            status[name] = f"cut at {limit} s"
            continue
        except EOFError:
            status[name] = "failed"
            continue
        status[name] = "solved"
        turns[name] = max(1, min(repeat, int(limit / 4 / max(seconds, 1e-6))))
        if turns[name] == 1:
            times[name].append(seconds)
        else:
            ready[name] = prepare(case)
    for turn in range(repeat):
        for name, solve in ready.items():
            if turn < turns[name]:
                times[name].append(timed(solve)[0])

    base = times[PROVED]
    out = []
    for name in PEERS:
        own = times[name]
        out.append(
            Timing(
                case.family,
                case.K,
                case.M,
                len(case.chain.rows),
                case.transitions,
                name,
                min(own, default=None),
                statistics.median(own) if own else None,
                len(own),
                status[name],
                min(base) / min(own) if own and base else None,
                statistics.median(base) / statistics.median(own) if own and base else None,
            )
        )
    return out, answers


def derive(family: str) -> tuple[float, str]:
    """Derive and check the hitting time for all parameters; seconds, and the formula as text."""
    begin = time.process_time()
    claim = Derivation(built_in()[family]).claim("hitting-time")
    checker.check(claim.certificate)
    return time.process_time() - begin, str(claim.expression)


# ---------------------------------------------------------------- report
def cell(timing: Timing) -> str:
    if timing.best is None or timing.median is None:
        return timing.status
    return f"{1e3 * timing.best:.3g} / {1e3 * timing.median:.3g}"


def line(values: list[str]) -> str:
    return "  ".join(
        text.ljust(width) if n == 0 else text.rjust(width)
        for n, (text, width) in enumerate(zip(values, WIDTHS, strict=True))
    ).rstrip()


WIDTHS = (8, 5, 3, 11, 15, 15, 22, 12, 15, 12)
HEADER = [
    *("family", "K", "M", "transitions", OURS, PROVED, STORM, "ratio"),
    *(STORM_ALONE, LINSOLVE),
]


def main() -> int:
    parser = argparse.ArgumentParser(description="Time solving from rows against other solvers.")
    parser.add_argument("--sizes", default=",".join(f"{K}x{M}" for K, M in SIZES))
    parser.add_argument("--repeat", type=int, default=15, help="turns of each solver")
    parser.add_argument("--limit", type=int, default=60, help="seconds for one solver")
    parser.add_argument("--json", help="file for the figures")
    options = parser.parse_args()
    try:
        storm = Storm()
    except ModuleNotFoundError:
        print("stormpy is missing: pip install '.[benchmark]'", file=sys.stderr)
        return 2
    peers: dict[str, Callable[[Case], Solve]] = {
        **{OURS: ours, PROVED: proved},
        **{STORM: storm.lumped, STORM_ALONE: storm.alone, LINSOLVE: linsolve},
    }

    formulas = {}
    records: list[Timing] = []
    for family in FAMILIES:
        seconds, formulas[family] = attempt(partial(derive, family), options.limit)
        records.append(
            Timing(
                family, None, None, None, None, "derive and check", seconds, seconds, 1, "proved"
            )
        )
    derived = list(records)

    print(f"stormpy {storm.stormpy.__version__}, SymPy {sympy.__version__}")
    print("best / median in ms; ratio: with proof to stormpy + bisimulation, best / median")
    print(line(HEADER), flush=True)
    agree, worst = True, 0.0
    for family in FAMILIES:
        cut: set[str] = set()
        for K, M in (tuple(map(int, size.split("x"))) for size in options.sizes.split(",")):
            case = build(family, K, M)
            chosen = {name: solver for name, solver in peers.items() if name not in cut}
            timings, answers = race(case, chosen, options.repeat, options.limit)
            records += timings
            by_name = {timing.solver: timing for timing in timings}
            cut |= {name for name in chosen if by_name[name].best is None}

            at = {"K": K, "M": M, "d": K // 2}
            answers["formula"] = rational_function(sympy.sympify(formulas[family]).subs(at))
            if len(set(answers.values())) > 1 or not {OURS, PROVED} <= set(answers):
                agree = False
                for name, answer in answers.items():
                    print(f"  {name}: {answer}")
            storm_lumped = by_name[STORM]
            ratio = "-"
            if storm_lumped.ratio_of_best is not None:
                ratio = f"{storm_lumped.ratio_of_best:.2f} / {storm_lumped.ratio_of_median:.2f}"
                worst = max(worst, storm_lumped.ratio_of_best)
            print(
                line(
                    [family, str(K), str(M), str(case.transitions)]
                    + [cell(by_name[name]) for name in (OURS, PROVED, STORM)]
                    + [ratio]
                    + [cell(by_name[name]) for name in (STORM_ALONE, LINSOLVE)]
                ),
                flush=True,
            )
    for timing in derived:
        row = [timing.family, "all", "all", "-", "-", cell(timing).partition(" ")[0]]
        print(line([*row, "-", "-", "-", "-"]))
    print(f"largest ratio of best times: {worst:.2f}")
    print("all answers agree exactly" if agree else "ANSWERS DIFFER OR ARE MISSING")
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump([asdict(record) for record in records], file, indent=1)
            file.write("\n")
    return 0 if agree else 1


if __name__ == "__main__":
    sys.exit(main())
