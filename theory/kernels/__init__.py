"""Cluster kernels, one file each; a file added here is found without any other edit."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
from collections.abc import Collection, Mapping, Sequence
from fractions import Fraction
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import sympy

from theory.attachment import ATTACHMENTS, Gates
from theory.chain import (
    ONE,
    ExplicitChain,
    OrbitChain,
    Place,
    indices,
    lumping_error,
    row_faults,
    with_index,
)
from theory.domain import DomainError, Parameter, Point, describe, evaluate
from theory.family import FamilyError, place_in_family, run
from theory.kernel import GATE, HOME, Kernel

# What the other parts of a composed family call theirs: parameters, and the moments of a walk.
TAKEN = {"K", "d", "H", "R", "H2", "R2"} | {
    p.name for attachment in ATTACHMENTS.values() for p in attachment.parameters
}
SAMPLE = 4  # points at which a user's rows are compared with the explicit kernel


@cache
def kernels() -> Mapping[str, Kernel]:
    """The built-in kernels, by id."""
    found = {}
    for info in sorted(pkgutil.iter_modules(__path__), key=lambda i: i.name):
        module = importlib.import_module(f"{__name__}.{info.name}")
        kernel = _only_class(module, module.__name__)()
        found[kernel.id] = kernel
    return found


def find(name: str) -> Kernel:
    """A built-in kernel by id, such as ``clique`` or ``hypercube-5``, or the one in a Python file.

    Raises
    ------
    FamilyError
        Unknown id, no such file, a file that does not run, or that has no kernel, several, or one
        whose parts do not fit together; the message is one line.
    """
    if name in kernels():
        return kernels()[name]
    stem, _, number = name.rpartition("-")
    for kernel in kernels().values():  # some stand for one kernel for each number
        if hasattr(kernel, "of") and number.isdecimal() and kernel.id.rpartition("-")[0] == stem:
            made: Kernel = kernel.of(int(number))
            return made
    path = Path(name)
    if path.suffix != ".py":
        known = ", ".join(kernels())
        raise FamilyError(f"unknown kernel {name!r}: give one of {known}, or a path to a .py file")
    if not path.is_file():
        raise FamilyError(
            f"{name}: no such file: give the path of a Python file with a kernel in it"
        )
    own = _only_class(run(path), name)
    try:
        kernel = own()
        _require_sound(kernel)
        own.reversible = kernel.reversible and all(
            _balanced(kernel.explicit(point)) for point in kernel.domain.points(SAMPLE, largest=5)
        )
    except (FamilyError, DomainError) as error:
        where = place_in_family(error) or name
        raise FamilyError(f"{where}: kernel {own.__name__}: {error}") from error
    except Exception as error:  # whatever a user's file raises
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        where = place_in_family(error) or name
        raise FamilyError(f"{where}: kernel {own.__name__} fails: {reason}") from error
    return kernel


def _only_class(module: ModuleType, where: str) -> type[Kernel]:
    classes = [
        value
        for value in vars(module).values()
        if inspect.isclass(value)
        and issubclass(value, Kernel)
        and value.__module__ == module.__name__
    ]
    if len(classes) != 1:
        names = ", ".join(c.__name__ for c in classes) or "none"
        raise FamilyError(
            f"{where}: expected one subclass of Kernel, found {names}: keep exactly one"
        )
    for name in ("id", "title", "parameters"):
        if not hasattr(classes[0], name):
            raise FamilyError(
                f"{where}: kernel {classes[0].__name__} has no {name}: add the attribute"
            )
    for method in ("chain", "explicit", "place"):
        if getattr(classes[0], method) is getattr(Kernel, method):
            raise FamilyError(f"{where}: kernel {classes[0].__name__} has no {method}(): define it")
    return classes[0]


def need(condition: object, wrong: str) -> None:
    """Refuse a kernel."""
    if not condition:
        raise FamilyError(wrong)


def _require_sound(kernel: Kernel) -> None:
    """Refuse a kernel whose parts are not of their kinds or do not fit together."""
    for name in ("id", "title"):
        need(isinstance(getattr(kernel, name), str), f"{name} is not a text: write it in quotes")
    plain = re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", kernel.id) is not None
    need(plain, f"the id {kernel.id!r} is not kebab-case: use a-z, 0-9 and single hyphens")
    need(kernel.id not in kernels(), f"{kernel.id!r} is a built-in kernel: choose another id")
    given: Any = kernel.parameters  # whatever a user's file has there
    kinds = isinstance(given, tuple) and all(isinstance(p, Parameter) for p in given)
    need(kinds, "parameters is not a tuple of Parameter: write (Parameter(..),)")
    for p in kernel.parameters:
        need(p.name not in TAKEN, f"the name {p.name} is taken: choose another for the parameter")
        facts: Any = p.facts
        texts = isinstance(facts, tuple) and all(isinstance(fact, str) for fact in facts)
        need(texts, f"the facts of {p.name} are no tuple of texts: write ({str(facts)!r},)")
    kernel.domain.require_sound()
    need(
        kernel.home == HOME or not kernel.several_gates,
        f"several_gates needs a home that is no gate: leave out home = {kernel.home!r}",
    )
    _require_ranges(kernel)
    _require_rows(kernel, ONE)
    _require_lumping(kernel, kernel.domain.points(SAMPLE, largest=5))
    if kernel.several_gates:
        number = Gates()
        _require_rows(kernel, sympy.Symbol("n"))
        _require_lumping(kernel, number.domain(kernel).points(2 * SAMPLE, largest=5))


def _require_ranges(kernel: Kernel) -> None:
    """The ranges are tuples of facts between parameters."""
    given: Any = kernel.ranges
    kinds = isinstance(given, tuple) and all(
        isinstance(facts, tuple) and all(isinstance(fact, str) for fact in facts) for facts in given
    )
    need(kinds, 'ranges is not a tuple of tuples of texts: write (("9*epsilon <= 1",),)')
    for fact in (fact for facts in kernel.ranges for fact in facts):
        odd = kernel.domain.strangers(fact) - TAKEN
        need(not odd, f"ranges: {fact!r} speaks of {min(odd, default='')}, which is no parameter")


def _require_rows(kernel: Kernel, gates: sympy.Expr) -> None:
    """Gate and home are states, all orbits are known and have one row, and these sum to 1."""
    rows = kernel.chain() if gates == 1 else kernel.chain(gates)
    need(isinstance(rows, OrbitChain), "chain() gives no OrbitChain: return OrbitChain(..)")
    need(GATE in rows.orbits, f"no orbit is called {GATE!r}: name the one that edges leave from")
    need(
        not (kernel.home_is_any and kernel.home == GATE),
        f"home_is_any = True, but home = {GATE!r}: leave either out",
    )
    need(kernel.home in (GATE, HOME), f"home is {kernel.home!r}: it is {HOME!r} or {GATE!r}")
    need(
        kernel.home in rows.orbits,
        f"no orbit is called {HOME!r}: name one so, or set home = {GATE!r}",
    )
    need(
        kernel.home == HOME or HOME not in rows.orbits,
        f"home = {GATE!r}, but an orbit is called {HOME!r}: rename it, or leave out home",
    )
    for name, size in ((GATE, gates), (HOME, ONE)):
        if name in rows.orbits:
            here = rows.orbits[name]
            need(here.index is None, f"the orbit {name!r} has an index: leave it out")
            need(
                sympy.expand(here.size - size) == 0,
                f"the orbit {name!r} has size {here.size}, not {size}: give it that size",
            )
    names = {p.name for p in kernel.parameters} | {str(x) for x in gates.free_symbols}
    fault = next(row_faults(rows, names), "")
    need(not fault, fault)
    for row in rows.rows:
        outward = any(m.sparse or m.meta for m in row.moves)
        need(not outward, f"the row of {row.orbit!r} leaves the cluster: keep its moves inside")


class _Numbers(dict[str, Fraction]):
    """A point that says what is wrong where a parameter is asked for that it has not."""

    def __missing__(self, name: str) -> Fraction:
        if name in TAKEN:
            raise FamilyError(f"{name} is not a parameter of the kernel: leave it out")
        raise FamilyError(f"{name} is not a parameter: add Parameter({name!r}, ..)")


def _require_numbers(rows: OrbitChain, point: Point, at: str) -> None:
    """At a point sizes are numbers of states, and the rows probabilities, one row each."""
    for name, here in rows.orbits.items():
        for index in indices(here.index, point):
            size = evaluate(here.size, with_index(point, index))
            need(
                size.denominator == 1 and size >= 0,
                f"orbit {name!r} has size {here.size} = {size} {at}: mend the size or the range",
            )
    seen: set[Place] = set()
    for row in rows.rows:
        for index in indices(row.index, point):
            place = row.orbit, index
            need(place not in seen, f"orbit {row.orbit!r} has two rows for j = {index} {at}")
            seen.add(place)
    for (name, _), moves in rows.at(point).items():
        for (to, _), p in moves.items():
            need(p >= 0, f"the row of {name!r} has the probability {p} to {to!r} {at}: mend it")


def _require_lumping(kernel: Kernel, points: Collection[Point]) -> None:
    """At the points the states 0, 1, ... lump to the rows, and each is reached from all."""
    for point in points:
        at = f"at {describe(point)}" if point else "at the one point of its domain"
        gates = int(point.get("n", 1))
        rows = kernel.chain(sympy.Integer(gates)) if "n" in point else kernel.chain()
        _require_numbers(rows, point, at)
        numbers = _Numbers({k: v for k, v in point.items() if k not in TAKEN})
        moves: Any = kernel.explicit(numbers)
        no = f"explicit() {at} is no mapping of pairs to Fractions in (0, 1]"
        need(isinstance(moves, Mapping), f"{no}: return {{(0, 1): Fraction(1, 4), ..}}")
        for pair, p in moves.items():
            told = f"{no}: {pair} has the {type(p).__name__} {p}"
            need(isinstance(p, Fraction | int), f"{told}: write Fraction(1, 4)")
            need(0 < p <= 1, f"{told}: mend it, or leave it out")
        number = 1 + max((i for pair in moves for i in pair), default=0)
        need(
            {i for pair in moves for i in pair} == set(range(number)) and number > 1,
            f"explicit() {at} has not the states 0, 1, ...: number them from 0 without gaps",
        )
        need(all(a != b for a, b in moves), f"explicit() {at} has a loop: leave it out")
        for state in range(number):
            total = sum((p for (a, _), p in moves.items() if a == state), Fraction(0))
            need(
                total <= 1, f"the row of state {state} {at} sums to {total}: it is to be at most 1"
            )
        places = [kernel.place(state, _Numbers(point), gates) for state in range(number)]
        first = [p[0] == GATE for p in places]
        need(first == sorted(first, reverse=True), f"the gates are not the first states {at}")

        def place(state: tuple[int, int], places: list[Place] = places) -> Place:
            return places[state[1]]

        states = tuple((0, state) for state in range(number))
        wrong = lumping_error(ExplicitChain(states, moves), rows, point, place)
        need(wrong is None, f"explicit() and chain() differ {at}: {wrong}: mend either")
        if kernel.uniform:
            _require_uniform(moves, places, at)
        if kernel.home_is_any and gates == 1 and kernel.home == HOME:
            _require_alike(ExplicitChain(states, moves), rows, places, point, at)
        for pairs in (moves, [(b, a) for a, b in moves]):
            reached = {0}
            while more := {b for a, b in pairs if a in reached} - reached:
                reached |= more
            stuck = min(set(range(number)) - reached, default=None)
            need(stuck is None, f"reducible {at}: no way joins states 0 and {stuck} both ways")


def _require_uniform(
    moves: Mapping[tuple[int, int], Fraction], places: Sequence[Place], at: str
) -> None:
    """Each state goes to all states of an orbit alike, itself included."""
    for a, here in enumerate(places):
        row = [moves.get((a, b), Fraction(0)) for b in range(len(places))]
        row[a] = 1 - sum(row, Fraction(0))
        for there in set(places):
            different = {p for p, place in zip(row, places, strict=True) if place == there}
            need(
                len(different) == 1,
                f"uniform = True, but {at} a state of {here[0]!r} does not go to all states of "
                f"{there[0]!r} alike: leave it out",
            )


def _require_alike(
    chain: ExplicitChain, rows: OrbitChain, places: Sequence[Place], point: Point, at: str
) -> None:
    """Every state but the gate has the rows of the home when the two change places."""
    home = next(state for state, place in enumerate(places) if place[0] == HOME)
    for other in range(len(places)):
        if places[other][0] != GATE:
            swapped = list(places)
            swapped[home], swapped[other] = places[other], places[home]

            def place(state: tuple[int, int], places: list[Place] = swapped) -> Place:
                return places[state[1]]

            need(
                lumping_error(chain, rows, point, place) is None,
                f"home_is_any = True, but {at} state {other} is not like the home, state {home}: "
                "leave it out",
            )


def _balanced(moves: Mapping[tuple[int, int], Fraction]) -> bool:
    """Whether an irreducible chain satisfies detailed balance, with weights found along a tree."""
    weight, ahead = {0: Fraction(1)}, [0]
    onward: dict[int, list[int]] = {}
    for a, b in moves:
        onward.setdefault(a, []).append(b)
    for a in ahead:
        for b in onward[a]:
            if (b, a) not in moves:
                return False
            if b not in weight:
                weight[b] = weight[a] * moves[a, b] / moves[b, a]
                ahead.append(b)
    return all(weight[a] * p == weight[b] * moves[b, a] for (a, b), p in moves.items())
