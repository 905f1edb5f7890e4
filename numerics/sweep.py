r"""Grids of cases on Dask, their results in a store that survives a kill.

A configuration is a TOML file::

    seed = 7                          # of all simulations; 0 if left out
    store = "results.sqlite"          # this file's name with .sqlite if left out

    [[grid]]
    family = ["ring", "mine.py"]      # ids, compositions, files; paths are relative to this file
    quantity = "hitting-time"         # the default
    method = ["exact", "float", "simulation", "closed-form"]
    replicas = 200                    # of a simulation, which needs it
    seeds = [0, 1, 2]                 # one independent simulation for each; [0] if left out
    max-steps = 1000000000            # of a simulation, over all replicas; the default
    [grid.parameters]
    K = [4, 8]
    M = 5
    epsilon = ["1e-3", "1/500"]       # exact: 1/1000, 0.001 and 1e-3 are one number

    [[grid]]
    family = "chain.csv"              # a chain, in any format of `numerics.chain.read_chain`
    method = ["exact", "float"]
    from = "A"
    to = ["B", "C"]

Every key but ``from`` and ``to`` takes one value or a list; each grid is the product of its lists.
Methods ``exact``, ``float`` and ``simulation`` work on the explicit chain and know the quantities
hitting-time, exit-time (both of every problem that a family poses), second-moment, spectral-gap and
kemeny, as far as `numerics.verify.applies` lets them; of a chain, all but exit-time.
``closed-form`` evaluates the claim that theory derives, for any quantity that is one number.

A case is known by a hash of all that determines its value, a file's content included. Two cases
that agree in it are one. A simulation draws from ``SeedSequence(seed, spawn_key=hash)``, so no
order of the cases and no number of workers changes a result.

The store is SQLite with one row for each finished case, written by this process alone, each in a
transaction of its own as soon as the case is finished. Whatever is killed, whenever, a finished
case is kept and skipped the next time, a failed one too. The store must lie on a local disk: over
a network file system neither its log nor its lock is safe.
"""

from __future__ import annotations

import csv
import fcntl
import hashlib
import itertools
import json
import logging
import os
import re
import signal
import sqlite3
import subprocess
import sys
import threading
import time
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from fractions import Fraction
from functools import cached_property, lru_cache
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from flint import fmpq

from numerics import elimination, exact, quantities, simulate, spectrum
from numerics.chain import Chain, ChainError, parse_number, read_chain
from numerics.rows import concrete
from numerics.verify import applies
from theory import render
from theory.catalogue import derivation, load
from theory.chain import ExplicitChain
from theory.claims import Derivation, NoClaim, named
from theory.domain import DomainError, Point, describe, evaluate, expression
from theory.family import Exit, Family, FamilyError, place_in_family

METHODS = ("exact", "float", "simulation", "closed-form")
MOST_CASES = 10**6
MOST_EXACT_STATES = 500
DEFAULT_STEPS = 10**9

_CHAIN_FILES = (".csv", ".npz", ".json")
_LARGEST = 2**63 - 1  # the integers of SQLite and of Parquet
_OF_A_PAIR = ("hitting-time", "second-moment")  # quantities that need a start and targets
_OF_A_CHAIN = (*_OF_A_PAIR, "spectral-gap", "kemeny")
_COMPOSITION = re.compile(r"(?P<kernel>.+?\.py|[^/]+)/(?P<meta>.+)/(?P<attachment>[^/]+)")


class SweepError(ValueError):
    """A configuration, a store or a scheduler does not serve; the message is one line."""


@dataclass(frozen=True)
class Case:
    """One computation: what is asked of which chain, and how it is to be answered.

    Attributes
    ----------
    family : id of a family, or the file of a family or a chain, as the configuration names it.
    parameters : exact, all parameters of a family in its order; empty for a chain.
    quantity, method : kebab-case; one of `METHODS`.
    start, targets : names of states of a chain; None and empty otherwise.
    seed, replicas, max_steps : of a simulation, None otherwise; `seed` is the case's own.
    sweep_seed : the seed of the whole configuration, None unless simulated.
    digest : SHA-256 of the files that `family` names; empty for what is built in.
    location : `family` with absolute paths; no part of what the case is.
    """

    family: str
    parameters: Mapping[str, Fraction]
    quantity: str
    method: str
    start: str | None = None
    targets: tuple[str, ...] = ()
    seed: int | None = None
    replicas: int | None = None
    max_steps: int | None = None
    sweep_seed: int | None = None
    digest: str = ""
    location: str = field(default="", compare=False)

    @cached_property
    def key(self) -> str:
        """SHA-256 of the case, in hexadecimal."""
        told = json.dumps(_case_columns(self), sort_keys=True)
        return hashlib.sha256(told.encode()).hexdigest()

    @property
    def rng(self) -> np.random.Generator:
        """The case's own source of randomness."""
        words = np.frombuffer(bytes.fromhex(self.key), dtype=">u4").tolist()
        return np.random.default_rng(np.random.SeedSequence(self.sweep_seed or 0, spawn_key=words))

    def __str__(self) -> str:
        ends = f"{self.start} -> {','.join(self.targets)}" if self.targets else ""
        seed = "" if self.seed is None else f"seed {self.seed}"
        parts = (self.family, describe(self.parameters), ends, self.quantity, self.method, seed)
        return " ".join(part for part in parts if part)


@dataclass(frozen=True)
class Result:
    """What came of a case.

    Attributes
    ----------
    case : the case.
    value : exact text: ``p/q``; ``[p/q, p/q]`` for an enclosure; the shortest decimal of a double;
        None if the case failed.
    double : the value as a double, the middle of an enclosure; None if it failed or is out of the
        range of a double.
    standard_error : of a simulated mean, else None.
    error_bound : bound on the relative error of `value`, 0 if exact, None where none is known.
    seconds : that the computation took.
    version : of this package, where the case was computed.
    finished : ISO 8601, UTC.
    failure : None, or in one line why there is no value.
    """

    case: Case
    value: str | None
    double: float | None
    standard_error: float | None
    error_bound: float | None
    seconds: float
    version: str
    finished: str
    failure: str | None = None


@dataclass(frozen=True)
class Config:
    """A configuration that has been read and found sound.

    Attributes
    ----------
    file : where it was read.
    seed : of all simulations.
    store : file of the results.
    cases : each once, in the order of the grids.
    """

    file: str
    seed: int
    store: Path
    cases: tuple[Case, ...]


# ---------------------------------------------------------------- configuration
_KEYS = {
    "seed": "an integer from 0 to 2^63 - 1",
    "store": "the name of a file, in quotes",
    "grid": "one table [[grid]] or more",
    "family": "an id or a file, in quotes, or a list of them",
    "parameters": "a table of numbers, or of lists of numbers",
    "quantity": "a quantity, in quotes, or a list of them",
    "method": f"one of {', '.join(METHODS)}, in quotes, or a list of them",
    "seeds": "an integer from 0 to 2^63 - 1, or a list of them",
    "replicas": "an integer from 2 to 2^63 - 1, or a list of them",
    "max-steps": "an integer from 1 to 2^63 - 1",
    "from": "a state, in quotes",
    "to": "a state, in quotes, or a list of them",
}
_TOP, _GRID = tuple(_KEYS)[:3], tuple(_KEYS)[3:]


class _Decimal(str):
    """A number with a point or an exponent, as it was written: TOML would round it to a double."""


@dataclass(frozen=True)
class _Table:
    """A table of the configuration, and where it stands."""

    place: str
    entries: Mapping[str, Any]

    def error(self, key: str, wrong: str) -> SweepError:
        return SweepError(f"{self.place}key {key!r}: {wrong}")

    def require_known(self, known: Sequence[str]) -> None:
        for key in self.entries:
            if key not in known:
                raise self.error(key, f"unknown: give one of {', '.join(known)}")

    def many(self, key: str, default: Any, kind: type, least: int = 0) -> list[Any]:
        """The value of a key as a list; its items are of one kind, and integers are in range."""
        if key not in self.entries and default is None:
            raise self.error(key, f"missing: write {_KEYS[key]}")
        found = self.entries.get(key, default)
        items = found if isinstance(found, list) else [found]
        for item in items:
            sensible = least <= item <= _LARGEST if isinstance(item, int) else str(item).strip()
            if type(item) is not kind or not sensible:
                raise self.error(key, f"{_shown(item)} found: write {_KEYS[key]}")
        if not items:
            raise self.error(key, f"the list is empty: write {_KEYS[key]}")
        return items

    def one(self, key: str, default: Any, kind: type, least: int = 0) -> Any:
        """The value of a key that takes no list."""
        if isinstance(self.entries.get(key), list):
            raise self.error(key, f"a list found: write {_KEYS[key]}")
        return self.many(key, default, kind, least)[0]


def read_config(file: str | Path) -> Config:
    """Read and validate a configuration; its families are loaded, nothing is computed.

    Raises
    ------
    SweepError
        In one line: the file, the place and the remedy.
    OSError
        The file cannot be read.
    """
    path = Path(file)
    try:
        text = path.read_bytes().decode()
        data = tomllib.loads(text, parse_float=lambda x: _Decimal(x.replace("_", "")))
    except UnicodeDecodeError as error:
        raise SweepError(f"{file}: not UTF-8 text: save it as TOML in UTF-8") from error
    except (ValueError, RecursionError) as error:
        raise SweepError(f"{file}: not TOML: {error}: mend that place") from error
    table = _Table(f"{file}: ", data)
    table.require_known(_TOP)
    seed = table.one("seed", 0, int)
    store = path.parent / table.one("store", path.with_suffix(".sqlite").name, str)
    if store == path:
        raise table.error("store", "that is this very file: choose another name")
    grids = table.entries.get("grid")
    if not isinstance(grids, list) or not grids or not all(isinstance(g, dict) for g in grids):
        raise table.error("grid", f"none found: write {_KEYS['grid']}")
    cases: dict[str, Case] = {}
    for number, grid in enumerate(grids, 1):
        for case in _cases(_Table(f"{file}: grid {number}, ", grid), path.parent, seed):
            cases[case.key] = case
            if len(cases) > MOST_CASES:
                raise table.error("grid", f"over {MOST_CASES} cases: split the sweep")
    return Config(str(file), seed, store, tuple(cases.values()))


def _cases(table: _Table, folder: Path, sweep_seed: int) -> Iterator[Case]:
    """The cases of a grid."""
    table.require_known(_GRID)
    methods = table.many("method", None, str)
    for method in methods:
        if method not in METHODS:
            raise table.error("method", f"unknown {method!r}: write {_KEYS['method']}")
    replicas = table.many("replicas", None if "simulation" in methods else 2, int, 2)
    seeds = table.many("seeds", 0, int)
    steps = table.one("max-steps", DEFAULT_STEPS, int, 1)
    asked = table.many("quantity", "hitting-time", str)
    axes = _axes(table)
    for name in table.many("family", None, str):
        for shared in _subjects(table, name, folder, axes, asked, methods):
            if shared["method"] == "simulation":
                for seed, runs in itertools.product(seeds, replicas):
                    own = {"seed": seed, "replicas": runs, "max_steps": steps}
                    yield Case(**shared, **own, sweep_seed=sweep_seed)
            else:
                yield Case(**shared)


def _axes(table: _Table) -> dict[str, list[Fraction]]:
    """The values of each parameter."""
    given = table.entries.get("parameters", {})
    if not isinstance(given, dict):
        raise table.error("parameters", f"{_shown(given)} found: write {_KEYS['parameters']}")
    axes: dict[str, list[Fraction]] = {}
    for name, found in given.items():
        key = f"parameters.{name}"
        items = found if isinstance(found, list) else [found]
        if not items:
            raise table.error(key, "the list is empty: write a number into it")
        axes[name] = []
        for item in items:
            if type(item) not in (int, str, _Decimal):
                raise table.error(key, f"{_shown(item)} found: write numbers, such as '1/1000'")
            try:
                axes[name].append(Fraction(item) if type(item) is int else parse_number(item))
            except ValueError as error:
                raise table.error(key, str(error)) from error
    return axes


def _subjects(
    table: _Table,
    name: str,
    folder: Path,
    axes: Mapping[str, Sequence[Fraction]],
    asked: Sequence[str],
    methods: Sequence[str],
) -> Iterator[dict[str, Any]]:
    """What the cases of one family or chain have in common, whatever the seeds."""
    location, files = _located(name, folder)
    try:
        digest = _digest(files)
        if Path(name).suffix in _CHAIN_FILES:
            yield from _of_a_chain(table, name, location, digest, asked, methods)
            return
        family = load(location)
    except OSError as error:
        wrong = f"{error.filename}: {(error.strerror or str(error)).lower()}: mend the path"
        raise table.error("family", wrong) from error
    except (ChainError, FamilyError) as error:
        raise table.error("family", str(error)) from error
    for key in ("from", "to"):
        if key in table.entries:
            raise table.error(key, f"{name} is no chain and has its own ends: leave it out")
    pairs = [(q, method) for q in asked for method in methods if _answers(table, family, method, q)]
    sizes = [len(values) for values in axes.values()]
    if np.prod([float(n) for n in (len(pairs), *sizes)]) > MOST_CASES:
        raise table.error("parameters", f"over {MOST_CASES} cases: split the sweep")
    for values in itertools.product(*axes.values()):
        try:
            point = family.domain.complete(dict(zip(axes, values, strict=True)))
        except DomainError as error:
            raise table.error("parameters", f"{name}: {error}") from error
        for quantity, method in pairs:
            yield {
                "family": name,
                "parameters": point,
                "quantity": quantity,
                "method": method,
                "digest": digest,
                "location": location,
            }


def _answers(table: _Table, family: Family, method: str, quantity: str) -> bool:
    """Whether a method can find a quantity of a family; SweepError if it cannot."""
    if method == "closed-form":
        known = tuple(derivation(family).recipes)
    else:
        known = tuple(q for q in _numeric(family) if applies(method, q))
    if quantity not in known:
        wrong = f"{quantity!r} is unknown to method {method} of {family.id}"
        raise table.error("quantity", f"{wrong}: give one of {', '.join(known)}")
    return True


def _numeric(family: Family) -> tuple[str, ...]:
    """Quantities that are computed from an explicit chain."""
    problems = [named(kind, p.name) for kind in _OF_A_PAIR for p in family.problems()]
    exits = [named("exit-time", e.name) for e in (Exit("", ("", None)), *family.exits)]
    return (*problems, *exits, "spectral-gap", "kemeny")


def _of_a_chain(
    table: _Table,
    name: str,
    location: str,
    digest: str,
    asked: Sequence[str],
    methods: Sequence[str],
) -> Iterator[dict[str, Any]]:
    if "parameters" in table.entries:
        raise table.error("parameters", f"{name} is a chain and has its numbers: leave it out")
    chain = read_chain(location)
    for quantity, method in itertools.product(asked, methods):
        if method == "closed-form":
            raise table.error("method", f"closed-form is of families, {name} is a chain: choose")
        known = [q for q in _OF_A_CHAIN if applies(method, q)]
        if quantity not in known:
            wrong = f"{quantity!r} is unknown to method {method} of a chain"
            raise table.error("quantity", f"{wrong}: give one of {', '.join(known)}")
        ends: dict[str, Any] = {}
        if quantity in _OF_A_PAIR:
            start, targets = table.one("from", None, str), table.many("to", None, str)
            for key, states in (("from", [start]), ("to", targets)):
                for state in states:
                    if state not in chain.states:
                        wrong = f"{name} has no state {state!r}: write a state as it does"
                        raise table.error(key, wrong)
            ends = {"start": start, "targets": tuple(dict.fromkeys(targets))}
        yield {
            "family": name,
            "parameters": {},
            "quantity": quantity,
            "method": method,
            "digest": digest,
            "location": location,
            **ends,
        }


def _located(name: str, folder: Path) -> tuple[str, list[str]]:
    """The name with absolute paths, and the files in it."""

    def absolute(part: str) -> str:
        return str((folder / part).resolve())

    if Path(name).suffix in (".py", *_CHAIN_FILES):
        return absolute(name), [absolute(name)]
    parts = _COMPOSITION.fullmatch(name)
    if parts is None:
        return name, []
    here = [absolute(p) if p.endswith(".py") else p for p in (parts["kernel"], parts["meta"])]
    files = [place for place in here if place.endswith(".py")]
    return "/".join((*here, parts["attachment"])), files


def _digest(files: Iterable[str]) -> str:
    """SHA-256 of what the files hold; empty if there is no file."""
    hashes = [hashlib.sha256(Path(file).read_bytes()).hexdigest() for file in files]
    return hashlib.sha256("".join(hashes).encode()).hexdigest() if hashes else ""


def _shown(item: object) -> str:
    text = item if isinstance(item, _Decimal) else repr(item)
    return text if len(text) <= 60 else f"{text[:57]}..."


# ---------------------------------------------------------------- one case
@dataclass(frozen=True)
class _Value:
    value: Fraction | float | tuple[Fraction, Fraction]
    standard_error: float | None = None
    error_bound: float | None = None


def compute(case: Case) -> Result:
    """Compute a case; whatever goes wrong is its failure.

    This is what a worker runs. It needs the files that `Case.location` names, unchanged.
    """
    begin = time.perf_counter()
    try:
        found = _value(case)
    except BaseException as error:  # a family file may raise anything; none ends the worker
        return _failed(case, _reason(error), time.perf_counter() - begin)
    seconds = time.perf_counter() - begin
    value, now = found.value, datetime.now(UTC).isoformat(timespec="microseconds")
    double: float | None
    if isinstance(value, float):
        told, double = repr(value), value
    elif isinstance(value, tuple):
        told = f"[{_text(value[0])}, {_text(value[1])}]"
        double = _double((value[0] + value[1]) / 2)
    else:
        told, double = _text(value), _double(value)
    return Result(
        case,
        told,
        double,
        found.standard_error,
        found.error_bound,
        seconds,
        version("metastable"),
        now,
    )


def _failed(case: Case, reason: str, seconds: float) -> Result:
    now = datetime.now(UTC).isoformat(timespec="microseconds")
    return Result(case, None, None, None, None, seconds, version("metastable"), now, reason)


def _reason(error: BaseException) -> str:
    kind = f"{type(error).__name__}: {error}"
    place = place_in_family(error)
    if isinstance(error, (SweepError, ChainError, DomainError, FamilyError, NoClaim)):
        kind = str(error)
    elif place is not None:
        kind = f"{place}: {kind}: mend the family"
    return " ".join("".join(c if c.isprintable() else " " for c in kind).split())


def _text(value: Fraction) -> str:
    return str(fmpq(value.numerator, value.denominator))  # str() of an int stops at 4300 digits


def _double(value: Fraction) -> float | None:
    """The nearest double, or None out of its range."""
    try:
        double = float(value)
    except OverflowError:
        return None
    return None if abs(double) < np.finfo(np.float64).tiny and value else double


def _value(case: Case) -> _Value:
    if Path(case.family).suffix in _CHAIN_FILES:
        chain = _chain(case.location, case.digest)
        start = 0 if case.start is None else chain.index(case.start)
        return _measured(case, chain, case.quantity, start, [chain.index(t) for t in case.targets])
    whole = _derivation(case.location, case.digest)
    family, point = whole.family, case.parameters
    if case.method == "closed-form":
        return _closed_form(case, whole)
    if family.states(point) > render.LARGEST_CHAIN:
        raise ChainError(
            f"{family.states(point)} states are too many to write out: take at most "
            f"{render.LARGEST_CHAIN}, or the closed form"
        )
    explicit = family.explicit(point)
    kind, start, goals = _ends(family, explicit, point, case.quantity)
    return _measured(case, concrete(explicit), kind, start, goals)


@lru_cache(maxsize=2)
def _chain(location: str, digest: str) -> Chain:
    _require_unchanged([location], digest)
    return read_chain(location)


@lru_cache(maxsize=8)
def _derivation(location: str, digest: str) -> Derivation:
    if digest:
        _require_unchanged(_located(location, Path())[1], digest)
    return derivation(load(location))


def _require_unchanged(files: list[str], digest: str) -> None:
    """A store must not call by one hash what two files have said."""
    if _digest(files) != digest:
        raise SweepError(f"{', '.join(files)}: changed since the sweep began: start it anew")


def _closed_form(case: Case, whole: Derivation) -> _Value:
    claim = whole.claim(case.quantity)
    told = render.values_at(claim, whole.family, case.parameters).get("value")
    if isinstance(told, str):
        return _Value(Fraction(told), error_bound=0.0)
    if isinstance(told, list) and isinstance(told[0], str):
        low, high = map(Fraction, told)
        error = float((high - low) / min(abs(low), abs(high))) if low * high > 0 else None
        return _Value((low, high), error_bound=error)
    raise NoClaim(f"{claim.id}: has bounds or several values, not one: ask for another quantity")


def _ends(
    family: Family, explicit: ExplicitChain, point: Point, quantity: str
) -> tuple[str, int, list[int]]:
    """The kind of a quantity, and the start and targets that its suffix names."""
    states = explicit.states
    for kind in _OF_A_PAIR:
        for problem in family.problems():
            if quantity == named(kind, problem.name):
                ends = family.start(problem.name, point), family.target(problem.name, point)
                return kind, states.index(ends[0]), [states.index(ends[1])]
    if not quantity.startswith("exit-time"):
        return quantity, 0, []
    start = family.start("", point)
    for end in family.exits:
        if quantity == named("exit-time", end.name):
            fact = family.domain.where(*end.facts).violated(point)
            if fact is not None:
                raise DomainError(f"{quantity} is asked where {fact}: choose such a point")
            orbit, at = end.start
            index = None if at is None else int(evaluate(expression(at), point))
            start = next(s for s in states if family.place("", s, point) == (orbit, index))
    outside = [n for n, (k, _) in enumerate(states) if k != start[0]]
    return "hitting-time", states.index(start), outside


def _measured(case: Case, chain: Chain, kind: str, start: int, goals: list[int]) -> _Value:
    """A quantity of a concrete chain, by the method of the case."""
    if case.method == "exact" and chain.size > MOST_EXACT_STATES:
        raise ChainError(
            f"{chain.size} states are too many for exact arithmetic: take at most "
            f"{MOST_EXACT_STATES}, or method float"
        )
    way: quantities.Method = "exact" if case.method == "exact" else "float"
    if kind == "spectral-gap":
        return _Value(float(spectrum.additive_gap(chain)))
    if kind == "kemeny":
        answer = quantities.kemeny_constant(chain, way)
        return _Value(answer.value, error_bound=answer.relative_error_bound)
    part, a, inside = _reached(chain, start, goals)
    if case.method == "simulation":
        assert case.replicas is not None and case.max_steps is not None
        sample = simulate.hitting_times(
            part, a, inside, case.replicas, case.rng, max_steps=case.max_steps
        )
        return _Value(sample.mean, standard_error=sample.standard_error)
    if kind == "second-moment":
        moments = quantities.second_moments(part, inside, way)
        return _Value(moments.value[a], error_bound=moments.relative_error_bound)
    if way == "exact":
        return _Value(exact.mean_hitting_times(part, inside)[a], error_bound=0.0)
    solution = elimination.mean_hitting_times(part, inside)
    return _Value(float(solution.values[a]), error_bound=solution.relative_error_bound)


def _reached(chain: Chain, start: int, goals: Sequence[int]) -> tuple[Chain, int, list[int]]:
    """The chain on the states that the start leads to."""
    part = chain.reachable_part(start)
    inside = [part.index(chain.states[b]) for b in goals if chain.states[b] in part.states]
    if not inside:
        name = chain.states[start]
        raise ChainError(f"unreachable target: no path from {name!r} to it; choose another target")
    return part, part.index(chain.states[start]), inside


# ---------------------------------------------------------------- the store
_COLUMNS = {  # of the table of results: those of the case, then those of its result
    "key": "TEXT PRIMARY KEY",
    "family": "TEXT",
    "parameters": "TEXT",
    "quantity": "TEXT",
    "method": "TEXT",
    "start": "TEXT",
    "targets": "TEXT",
    "seed": "INTEGER",
    "replicas": "INTEGER",
    "max_steps": "INTEGER",
    "sweep_seed": "INTEGER",
    "digest": "TEXT",
    "value": "TEXT",
    "double": "REAL",
    "standard_error": "REAL",
    "error_bound": "REAL",
    "seconds": "REAL",
    "version": "TEXT",
    "finished": "TEXT",
    "failure": "TEXT",
}
_OF_RESULT = tuple(_COLUMNS)[12:]
_APPLICATION = 0x6D657461  # marks the file as ours


def _case_columns(case: Case) -> dict[str, Any]:
    """A case as it stands in the store, and as it is hashed."""
    return {
        "family": case.family,
        "parameters": json.dumps({name: _text(x) for name, x in case.parameters.items()}),
        "quantity": case.quantity,
        "method": case.method,
        "start": case.start,
        "targets": json.dumps(case.targets),
        "seed": case.seed,
        "replicas": case.replicas,
        "max_steps": case.max_steps,
        "sweep_seed": case.sweep_seed,
        "digest": case.digest,
    }


def _row(result: Result) -> dict[str, Any]:
    told = {name: getattr(result, name) for name in _OF_RESULT}
    return {"key": result.case.key, **_case_columns(result.case), **told}


def _result(row: Mapping[str, Any]) -> Result:
    told = {name: row[name] for name in tuple(_COLUMNS)[1:12]}
    told["parameters"] = {n: Fraction(x) for n, x in json.loads(told["parameters"]).items()}
    told["targets"] = tuple(json.loads(told["targets"]))
    return Result(Case(**told), **{name: row[name] for name in _OF_RESULT})


class Store:
    """The results of sweeps in a SQLite file, which one process at a time may open.

    Raises
    ------
    SweepError
        The file is no store, cannot be opened, or another process has it open.
    """

    def __init__(self, file: str | Path):
        self.file = Path(file)
        # A lock on a file of its own, which the kernel drops with the process, however that ends.
        # On the store itself it would get into the way of SQLite's, which let others read.
        lock = self.file.with_name(f"{self.file.name}.lock")
        try:
            self._lock = os.open(lock, os.O_RDWR | os.O_CREAT, 0o666)
        except OSError as error:
            wrong = (error.strerror or str(error)).lower()
            raise SweepError(f"{lock}: {wrong}: choose another store") from error
        self._rows: sqlite3.Connection | None = None
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._rows = _connect(self.file)
            self._execute("PRAGMA journal_mode = WAL")
            self._execute("PRAGMA synchronous = FULL")  # outlasts a power cut, too
            self._execute(f"PRAGMA application_id = {_APPLICATION}")
            columns = ", ".join(f"{name} {kind}" for name, kind in _COLUMNS.items())
            self._execute(f"CREATE TABLE IF NOT EXISTS results ({columns})")
        except BlockingIOError as error:
            self.__exit__()
            raise SweepError(
                f"{file}: another sweep writes to this store: wait until it has ended, or choose "
                "another with --store"
            ) from error
        except BaseException:
            self.__exit__()
            raise

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *_: object) -> None:
        if self._rows is not None:
            self._rows.close()
        os.close(self._lock)

    def _execute(self, statement: str, row: Mapping[str, Any] | None = None) -> Any:
        """Execute a statement as a transaction of its own."""
        assert self._rows is not None
        try:
            return self._rows.execute(statement, row or {})
        except sqlite3.Error as error:
            raise SweepError(f"{self.file}: {error}: mend that, or choose another store") from error

    def keys(self) -> set[str]:
        """The keys of all finished cases."""
        return {row["key"] for row in self._execute("SELECT key FROM results")}

    def add(self, result: Result) -> None:
        """Write a result in a transaction of its own; it is on disk when this returns."""
        marks = ", ".join(f":{name}" for name in _COLUMNS)
        self._execute(f"INSERT INTO results VALUES ({marks})", _row(result))

    def results(self) -> list[Result]:
        """All results, in the order of their cases."""
        return _all(self._execute)


def _connect(file: Path) -> sqlite3.Connection:
    """Open a file that is a store, or that is empty."""
    rows = None
    try:
        # Without implicit transactions: each statement is one of its own.
        rows = sqlite3.connect(file, isolation_level=None)
        rows.row_factory = sqlite3.Row
        (tables,) = rows.execute("SELECT count(*) FROM sqlite_schema").fetchone()
        (application,) = rows.execute("PRAGMA application_id").fetchone()
        if not tables or application == _APPLICATION:
            return rows
        wrong = "a database, but no store of sweeps"
    except sqlite3.Error as error:
        wrong = str(error)
    if rows is not None:
        rows.close()
    raise SweepError(f"{file}: {wrong}: choose another store")


def _all(execute: Callable[[str], Any]) -> list[Result]:
    order = "family, quantity, method, parameters, start, targets, seed, replicas, key"
    return [_result(row) for row in execute(f"SELECT * FROM results ORDER BY {order}")]


def read_results(store: str | Path) -> list[Result]:
    """All results in a store, in the order of their cases, also while a sweep writes to it.

    Raises
    ------
    SweepError
        There is no such store.
    """
    if not Path(store).is_file():
        raise SweepError(f"{store}: no such store: run a sweep first")
    rows = _connect(Path(store))
    try:
        return _all(rows.execute)
    except sqlite3.Error as error:
        raise SweepError(f"{store}: {error}: run a sweep first") from error
    finally:
        rows.close()


def export(results: Iterable[Result], file: str | Path) -> None:
    """Write results as a table, one row each: Parquet or CSV, by the file's name.

    The columns are those of the store; ``parameters`` and ``targets`` are JSON texts.

    Raises
    ------
    SweepError
        The name ends in neither .parquet nor .csv, or pyarrow is missing.
    """
    path = Path(file)
    require_exportable(path)
    rows = [_row(result) for result in results]
    part = path.with_name(f".{path.name}.{os.getpid()}")  # never half a table under its name
    try:
        if path.suffix == ".csv":
            with part.open("w", newline="", encoding="utf-8") as out:
                writer = csv.DictWriter(out, _COLUMNS)
                writer.writeheader()
                writer.writerows(rows)
        else:
            arrow: Any = import_module("pyarrow")
            kinds = {"TEXT": arrow.string(), "INTEGER": arrow.int64(), "REAL": arrow.float64()}
            schema = arrow.schema([(n, kinds[kind.split()[0]]) for n, kind in _COLUMNS.items()])
            table = arrow.Table.from_pylist(rows, schema=schema)
            import_module("pyarrow.parquet").write_table(table, part)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def require_exportable(file: Path) -> None:
    """SweepError unless `export` can write such a file."""
    if file.suffix not in (".parquet", ".csv"):
        raise SweepError(f"{file}: a table is Parquet or CSV: end its name in .parquet or .csv")
    if file.suffix == ".parquet":
        _require("pyarrow")


def _require(package: str) -> Any:
    try:
        return import_module(package)
    except ImportError as error:
        raise SweepError(
            f"{package} is not installed: install the extra, pip install 'metastable[sweep]'"
        ) from error


# ---------------------------------------------------------------- the sweep
def run(
    config: Config | str | Path,
    scheduler: str | None = None,
    on_result: Callable[[Result], None] | None = None,
    *,
    store: str | Path | None = None,
    workers: int | None = None,
) -> list[Result]:
    """Compute the cases of a configuration that its store lacks, and keep each as it finishes.

    Parameters
    ----------
    config : a configuration, or its file.
    scheduler : address of a Dask scheduler, whose workers can import this package and find the
        files of the configuration; by default processes of this machine.
    on_result : called with each new result, once it is stored.
    store : a file in place of the configuration's.
    workers : number of processes; by default one for each core. Not with `scheduler`.

    Returns
    -------
    list of Result
        One for each case, in the order of the configuration.

    Raises
    ------
    SweepError
        The configuration or the store is not sound, or there is no such scheduler, or it is lost.
    """
    if not isinstance(config, Config):
        config = read_config(config)
    with Store(config.store if store is None else store) as kept:
        known = kept.keys()
        left = [case for case in config.cases if case.key not in known]
        if left:
            with _client(scheduler, min(workers or os.cpu_count() or 1, len(left))) as client:
                for result in _computed(client, left):
                    kept.add(result)
                    if on_result is not None:
                        on_result(result)
        stored = {result.case.key: result for result in kept.results()}
        return [stored[case.key] for case in config.cases]


@contextmanager
def _client(scheduler: str | None, workers: int) -> Iterator[Any]:
    """A Dask client of a scheduler, or of as many processes."""
    distributed = _require("distributed")
    if scheduler is None:
        with _local_cluster(workers) as address, _client(address, 0) as client:
            yield client
        return
    try:
        client = distributed.Client(scheduler, set_as_default=False)
    except (OSError, ValueError, TypeError) as error:
        raise SweepError(
            f"{scheduler}: no Dask scheduler answers: start one with 'dask scheduler' and give its "
            "address, such as tcp://127.0.0.1:8786"
        ) from error
    log = logging.getLogger("distributed")
    level = log.level
    log.setLevel(logging.CRITICAL)  # what goes wrong is told once, as a failure or a SweepError
    try:
        with client:
            yield client
    finally:
        log.setLevel(level)


# A process of its own, because it can be killed at once with all that it has started, its workers
# ignore a Ctrl-C that is meant for the sweep, and they do not run the main script of the caller.
# It ends itself when the caller is gone.
_CLUSTER = """
import json, logging, os, signal, sys
signal.signal(signal.SIGINT, signal.SIG_IGN)
told = json.loads(sys.stdin.readline())
sys.path[:] = told["path"]
answer = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)  # what a family prints is no answer
import dask
from distributed import LocalCluster
dask.config.set({
    "distributed.scheduler.allowed-failures": 1,  # then it is computed alone
    "distributed.deploy.lost-worker-timeout": "1 day",  # till it has restarted
})
with LocalCluster(
    n_workers=told["workers"],
    threads_per_worker=1,
    dashboard_address="127.0.0.1:0",  # any port; the usual one may be taken
    scheduler_kwargs={"dashboard": False},
    silence_logs=logging.CRITICAL,
) as cluster:
    print(cluster.scheduler_address, file=answer, flush=True)
    sys.stdin.read()  # till the caller is gone
    os._exit(1)
"""


@contextmanager
def _local_cluster(workers: int) -> Iterator[str]:
    """The address of a Dask cluster of processes of this machine."""
    _require("distributed")
    quiet = os.environ.get("PYTHONWARNINGS"), "ignore:::multiprocessing.resource_tracker"
    server = subprocess.Popen(
        [sys.executable, "-c", _CLUSTER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        # what is left when the cluster is killed is tidied up, which is no news
        env={**os.environ, "PYTHONWARNINGS": ",".join(filter(None, quiet))},
    )
    assert server.stdin is not None and server.stdout is not None
    with server:
        try:
            print(json.dumps({"path": sys.path, "workers": workers}), file=server.stdin, flush=True)
            address = server.stdout.readline().strip()
            if not address:
                raise SweepError(
                    "no local Dask cluster has started: see above, or give --scheduler"
                )
            yield address
        finally:
            # Its workers end when they find it gone. To close it in good order takes seconds, and
            # brings nothing: Dask itself removes the working folders that it finds orphaned.
            server.kill()


def _computed(client: Any, cases: Iterable[Case]) -> Iterator[Result]:
    """The results of the cases as they come; a Ctrl-C is met here, between two looks at Dask."""
    with _noted_interrupt() as interrupted:

        def finished(cases: Iterable[Case], why: str) -> Iterator[tuple[Case, Result | None]]:
            asked = {_submit(client, case, why): case for case in cases}
            coming = _require("distributed").as_completed(list(asked), loop=client.loop)
            while not coming.is_empty():
                if interrupted:
                    raise KeyboardInterrupt
                if coming.has_ready():
                    future = next(coming)
                    case = asked.pop(future)
                    yield case, _outcome(future, case)
                else:
                    time.sleep(_LOOK)

        suspects = []
        for case, result in finished(cases, "sweep"):
            if result is None:
                suspects.append(case)
            else:
                yield result
        # Dask blames the death of a worker on each case that waited there. What kills a worker
        # when nothing else runs is guilty.
        for suspect in suspects:
            for case, result in finished([suspect], "alone"):
                why = "each worker that computed it died (out of memory?)"
                yield result or _failed(case, why, 0.0)


_LOOK = 0.02  # seconds from one look for finished cases to the next


@contextmanager
def _noted_interrupt() -> Iterator[list[bool]]:
    """A list that a Ctrl-C fills. Raised inside Dask, an exception may be lost or leave a lock."""
    interrupted: list[bool] = []
    if threading.current_thread() is not threading.main_thread():
        yield interrupted  # a signal reaches the main thread only
        return
    before = signal.signal(signal.SIGINT, lambda *_: interrupted.append(True))
    try:
        yield interrupted
    finally:
        signal.signal(signal.SIGINT, before)


def _submit(client: Any, case: Case, why: str) -> Any:
    return client.submit(compute, case, key=f"{why}-{case.key}", pure=False)


def _outcome(future: Any, case: Case) -> Result | None:
    """What came of a case, or None if workers died of it or beside it."""
    distributed = _require("distributed")
    try:
        result: Result = future.result()
        return result
    except distributed.KilledWorker:
        return None
    except Exception as error:
        if future.cancelled():
            raise SweepError(
                "the Dask scheduler is lost: start the sweep again, it continues"
            ) from error
        return _failed(case, _reason(error), 0.0)
