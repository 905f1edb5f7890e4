"""The Family interface, and how families are found.

A family is one file with one subclass of :class:`Family`: a built-in one in ``theory/families``,
or a file of a user's anywhere.  Everything else (formulas, bounds, proofs, checks, pages) follows.
"""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import pkgutil
import re
import sys
import traceback
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar

import sympy

from theory.chain import (
    Cases,
    Chains,
    ExplicitChain,
    OrbitChain,
    Place,
    Row,
    State,
    leaf_at,
    leaves,
    row_faults,
)
from theory.domain import Domain, DomainError, Parameter, Point
from theory.kernel import Kernel

_PREFIX = "family_of_user_"  # of the names of modules that are files of users


class FamilyError(ValueError):
    """A family is missing or its file is wrong; the message is one line."""


@dataclass(frozen=True)
class Problem:
    """From where to where, and the orbits of the symmetries that fix the target.

    Attributes
    ----------
    name : "" for the family's own problem, else a kebab-case suffix.
    chains : the orbit chain, by cases if its rows differ.
    reversal : rows of the time reversal, on the same ranges, of a chain that is not reversible.
    start, target : orbits (the start with its index), the target a single state.
    supersolution, subsolution : orbit -> a function h, in the parameters and the index j, for a
        chain without closed form: h >= 0 and h >= 1 + P h off the target; h <= 0 on the target and
        h <= 1 + P h off it.  Their values at the start are claimed as bounds of the hitting time.
    """

    name: str
    chains: Chains
    start: tuple[str, str | None]
    target: str
    reversal: tuple[Row, ...] = ()
    supersolution: Mapping[str, str] = field(default_factory=dict)
    subsolution: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Exit:
    """A further cluster whose exit time is asked: from an orbit of the default problem."""

    name: str
    start: tuple[str, str | None]
    facts: tuple[str, ...] = ()


@dataclass(frozen=True)
class Cyclic:
    """The chain as one on Z_K x types, moves depending on the shift of the cluster only.

    Attributes
    ----------
    types : type -> number of states of it in a cluster.
    law : type -> stationary weight of one state, up to a common factor.
    moves : (from, to, shift, probability), the shift one of "0", "+1", "-1", "others"
        (spread evenly over the other clusters); inside the target type the mass is uniform.
    """

    types: Mapping[str, str]
    law: Mapping[str, str]
    moves: tuple[tuple[str, str, str, str], ...]

    def to_json(self) -> dict[str, object]:
        """The form that certificates carry: a chain on the types, its moves marked by the shift."""
        rows = [
            {
                "from": source,
                "index": None,
                "to": [
                    [to, None, p] + ([] if shift == "0" else [shift])
                    for a, to, shift, p in self.moves
                    if a == source
                ],
            }
            for source in self.types
        ]
        classes = {name: {"size": size, "index": None} for name, size in self.types.items()}
        return {"classes": classes, "rows": rows}


@dataclass(frozen=True)
class Pivot:
    """A single state from which the spectral gap is bounded below, where the parameters allow.

    Attributes
    ----------
    orbit : an orbit of size 1 without index.
    facts : further facts under which the bound is taken; they choose the parameters in
        :attr:`Family.drop`, which the bound does not mention.
    bound : a lower bound; by default 1/(the longest mean time to hit the pivot).
    function : orbit -> a function phi > 0 with (I - P) phi >= bound * phi off the pivot; by default
        the mean time to hit the pivot.
    """

    orbit: str
    facts: tuple[str, ...] = ()
    bound: str = ""
    function: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Range:
    """Where lower * T_A <= E[tau] <= upper * T_A is claimed, with pure numbers.

    Attributes
    ----------
    facts : inequalities that cut the range out of the family's domain.
    lower, upper : the numbers.
    sharp : a point of the range at which E[tau] = upper * T_A, where one is known.
    """

    facts: tuple[str, ...]
    lower: str
    upper: str
    sharp: Mapping[str, str] = field(default_factory=dict)


class Family:
    """A cluster kernel, a graph on K clusters and sparse edges between them.

    A subclass gives the class attributes and the two methods :meth:`problems` and
    :meth:`explicit`; its docstring is the prose of its page.
    """

    id: str
    title: str
    gates: str
    domain: Domain
    exits: ClassVar[tuple[Exit, ...]] = ()
    pivot: ClassVar[Pivot | None] = None
    slow_mode: ClassVar[Mapping[str, str]] = {}
    drop: ClassVar[
        tuple[str, ...]
    ] = ()  # a parameter of the problem that the gap does not depend on
    cyclic: ClassVar[Cyclic | None] = None
    even: ClassVar[bool] = False  # moves to an orbit are uniform on it, or on its other states
    symmetrised: ClassVar[bool] = False  # cyclic is about (P + P*)/2, P* the time reversal
    numbered: ClassVar[bool] = False  # ``id-3`` is the family made with the argument 3
    absent: Mapping[str, str] = {}  # a quantity that is not derived, and why
    comparison: Mapping[str, Range] = {"": Range(("M*epsilon <= 1",), "1", "4")}

    def problems(self) -> tuple[Problem, ...]:
        """Hitting problems, the default one first."""
        raise NotImplementedError(f"family {self.id}: define problems()")

    def gap_problem(self) -> Problem:
        """The problem whose rows show the spectral gap; its target need not be asked for."""
        return self.problems()[0]

    def explicit(self, point: Point) -> ExplicitChain:
        """Every state and transition at a point, from the definition."""
        raise NotImplementedError(f"family {self.id}: define explicit()")

    def states(self, point: Point) -> int:
        """Number of states of the explicit chain at a point, without building it."""
        return leaf_at(self.problems()[0].chains, point).states(point)

    def place(self, problem: str, state: State, point: Point) -> Place:
        """The orbit of a state in the named problem."""
        raise NotImplementedError(f"family {self.id}: define place()")

    def start(self, problem: str, point: Point) -> State:
        """A state in the start orbit of the named problem."""
        raise NotImplementedError(f"family {self.id}: define start()")

    def target(self, problem: str, point: Point) -> State:
        """The target state: the one state of the target orbit."""
        (orbit,) = (p.target for p in self.problems() if p.name == problem)
        states = self.explicit(point).states
        return next(s for s in states if self.place(problem, s, point)[0] == orbit)

    def type(self, state: State) -> str:
        """The type of a state in :attr:`cyclic`."""
        raise NotImplementedError(f"family {self.id}: define type()")


def clique_parameters(smallest_K: int, smallest_M: int) -> tuple[Parameter, Parameter, Parameter]:
    """K clusters of M states and epsilon in (0, 1)."""
    return (
        Parameter("K", (f"K >= {smallest_K}",), "number of clusters"),
        Parameter("M", (f"M >= {smallest_M}",), "states in a cluster"),
        Parameter(
            "epsilon", ("epsilon > 0", "epsilon < 1"), "mass of a sparse edge", integer=False
        ),
    )


K, M, epsilon, d = sympy.symbols("K M epsilon d")


@cache
def built_in() -> Mapping[str, Family]:
    """All families of ``theory/families``, by id."""
    package = importlib.import_module("theory.families")
    found = {}
    for info in sorted(pkgutil.iter_modules(package.__path__), key=lambda i: i.name):
        module = importlib.import_module(f"theory.families.{info.name}")
        family = _only_family(module, module.__name__)
        found[family.id] = family
    return found


def load(name: str) -> Family:
    """A built-in family by id, or the one family in a Python file.

    Raises
    ------
    FamilyError
        Unknown id, no such file, a file that does not run, or that has no family or several.
    """
    if name in built_in():
        return built_in()[name]
    base, _, number = name.rpartition("-")
    if number.isdecimal() and base in built_in() and built_in()[base].numbered:
        make: Any = type(built_in()[base])
        family: Family = make(int(number))
        return family
    path = Path(name)
    if path.suffix != ".py":
        known = ", ".join(built_in())
        raise FamilyError(
            f"unknown family {name!r}: give one of {known}, a path to a .py file, or "
            "KERNEL/META-GRAPH/ATTACHMENT such as clique/ring/gate"
        )
    if not path.is_file():
        raise FamilyError(
            f"{name}: no such file: give the path of a Python file with a family in it"
        )
    family = _only_family(run(path), str(path))
    _require_sound(family, str(path))
    return family


def place_in_family(error: BaseException) -> str | None:
    """The file and line of a family of a user's in which an error arose, or None."""
    place = None
    for frame, line in traceback.walk_tb(error.__traceback__):
        if frame.f_globals.get("__name__", "").startswith(_PREFIX):
            place = f"{frame.f_code.co_filename}, line {line}"
    return place


def run(path: Path) -> ModuleType:
    """Run a file of a user's and return its module.

    Raises
    ------
    FamilyError
        It is not a Python file, or does not run; the message names the line.
    """
    spec = importlib.util.spec_from_file_location(f"{_PREFIX}{path.stem}", path)
    if spec is None or spec.loader is None:
        raise FamilyError(f"{path}: not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    try:
        spec.loader.exec_module(module)
    except KeyboardInterrupt:
        raise
    except SyntaxError as error:
        line = f", line {error.lineno}" if error.lineno else ""
        raise FamilyError(
            f"{error.filename or path}{line}: {error.msg}: mend the syntax"
        ) from error
    except BaseException as error:
        where = place_in_family(error) or path
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        raise FamilyError(f"{where}: the file does not run: {reason}") from error
    return module


def _only_family(module: ModuleType, where: str) -> Family:
    classes = [
        value
        for value in vars(module).values()
        if inspect.isclass(value)
        and issubclass(value, Family)
        and value.__module__ == module.__name__
    ]
    if len(classes) != 1:
        names = ", ".join(c.__name__ for c in classes) or "none"
        own = [c for c in vars(module).values() if getattr(c, "__module__", "") == module.__name__]
        if not classes and any(inspect.isclass(c) and issubclass(c, Kernel) for c in own):
            raise FamilyError(
                f"{where}: this file holds a kernel: write {where}/META-GRAPH/ATTACHMENT, such as "
                f"{where}/ring/gate"
            )
        raise FamilyError(
            f"{where}: expected one subclass of Family, found {names}: keep exactly one"
        )
    family = classes[0]
    for name in ("id", "title", "gates", "domain"):
        if not hasattr(family, name):
            raise FamilyError(f"{where}: family {family.__name__} has no {name}: add the attribute")
    for method in ("problems", "explicit", "place", "start"):
        if getattr(family, method) is getattr(Family, method):
            raise FamilyError(f"{where}: family {family.__name__} has no {method}(): define it")
    return family()


def _require_sound(family: Family, where: str) -> None:
    """Refuse a family whose parts are not of their kinds or do not fit together."""

    def need(condition: object, wrong: str) -> None:
        if not condition:
            raise FamilyError(f"{where}: family {type(family).__name__}: {wrong}")

    for name in ("id", "title", "gates"):
        need(isinstance(getattr(family, name), str), f"{name} is not a text: write it in quotes")
    plain = re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", family.id) is not None
    need(plain, f"the id {family.id!r} is not kebab-case: use a-z, 0-9 and single hyphens")
    need(family.id not in built_in(), f"{family.id!r} is a built-in family: choose another id")
    ranges = isinstance(family.domain, Domain)
    need(ranges, "domain is not a Domain: write Domain((Parameter(..),))")
    try:
        family.domain.require_sound()
    except DomainError as error:
        raise FamilyError(f"{where}: family {type(family).__name__}: {error}") from error
    problems: Any = family.problems()  # whatever a user's file returns
    kinds = isinstance(problems, tuple) and all(isinstance(p, Problem) for p in problems)
    need(kinds and problems, "problems() gives no tuple of Problem: write (Problem(..),)")
    names = [p.name for p in problems]
    need(names[0] == "", 'the first problem has a name: call it ""')
    need(len(set(names)) == len(names), "two problems have one name: choose another")
    for problem in problems:
        chains = isinstance(problem.chains, OrbitChain | Cases)
        need(chains, "a problem has no chain: give an OrbitChain")
        for chain in leaves(problem.chains):
            fault = next(row_faults(chain, {p.name for p in chain.domain.parameters}), "")
            need(not fault, fault)
            known = ", ".join(chain.orbits)
            for name in (problem.target, problem.start[0]):
                need(name in chain.orbits, f"unknown orbit {name!r}: give one of {known}")
        target = leaves(problem.chains)[-1].orbits[problem.target]
        single = target.size == 1 and target.index is None
        need(single, f"the target {problem.target!r} is not one state: give it size 1")
    orbits = [*leaves(family.gap_problem().chains)[-1].orbits] if family.slow_mode else []
    for name in (*family.slow_mode, *orbits):
        need(name in orbits, f"slow_mode: unknown orbit {name!r}: give one of {', '.join(orbits)}")
        need(name in family.slow_mode, f"slow_mode has no value for the orbit {name!r}: add it")
    for fact in (fact for compared in family.comparison.values() for fact in compared.facts):
        odd = family.domain.strangers(fact)
        need(
            not odd,
            f"the comparison with T_A: {fact!r} speaks of {min(odd, default='')}, which is no "
            """parameter: write comparison = {"": Range((facts of yours,), "1", "4")}, or {} """
            "for none",
        )
    if family.cyclic is not None:
        need(type(family).type is not Family.type, "cyclic needs type(): define it")
