"""Claims: what is asserted of a family, where it holds, who says so, and the proof."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import cached_property, partial
from typing import Any

import sympy

from theory import checker
from theory.certificates import Certificate, NoProof, by_cases
from theory.chain import OrbitChain, Place, Row, chain_from_json, indices, leaves, with_index
from theory.conjecture import NoClosedForm
from theory.derive import (
    aggregate,
    between_certificate,
    compare,
    exit_chain,
    law_certificate,
    solve,
    solved,
)
from theory.domain import Domain, Point, domain_from_json, evaluate, expression
from theory.family import Exit, Family, Pivot, Problem
from theory.spectrum import (
    cyclic_gap,
    gap_by_test_function,
    gap_from_pivot,
    gap_of_even_rows,
    two_sided,
    without,
)

OURS = "derived here, after Kim et al. (2025)"


@dataclass(frozen=True)
class Entry:
    """One value of a quantity that has several, and the orbit or pair of clusters it belongs to."""

    place: tuple[str, ...]
    value: sympy.Expr


@dataclass(frozen=True)
class Claim:
    """An identity or a two-sided bound for one quantity of one family.

    Attributes
    ----------
    id : ``family/quantity``.
    domain : where it holds.
    certificate : its proof object; its statement is what the claim says, in the checker's form.
    expression : the exact value, or None.
    lower, upper : bounds, or None where there is only an exact value.
    sharp : a point at which the upper bound is attained, where one is known.
    entries : the values of a quantity with several (stationary law, aggregated matrix).
    source : where the statement comes from.
    """

    id: str
    family: str
    quantity: str
    domain: Domain
    certificate: Certificate
    expression: sympy.Expr | None = None
    lower: sympy.Expr | None = None
    upper: sympy.Expr | None = None
    entries: tuple[Entry, ...] = ()
    sharp: Mapping[str, Fraction] = field(default_factory=dict)
    source: str = OURS

    @property
    def statement(self) -> Mapping[str, Any]:
        """What the certificate has to prove."""
        statement: Mapping[str, Any] = self.certificate["statement"]
        return statement


class NoClaim(ValueError):
    """The quantity is unknown for this family, or neither formula nor bound was found."""


class Derivation:
    """Derives the claims of one family, each once, on demand."""

    def __init__(self, family: Family):
        self.family = family
        self.problems = {problem.name: problem for problem in family.problems()}
        self._claims: dict[str, Claim] = {}

    @cached_property
    def recipes(self) -> Mapping[str, Callable[[], Claim]]:
        """Quantity -> how to derive it; the default quantity first."""
        problems = self.problems.values()
        exits = (Exit("", self.problems[""].start), *self.family.exits)
        found: dict[str, Callable[[], Claim]] = {
            **{named("hitting-time", p.name): partial(self._hitting, p) for p in problems},
            **{named("exit-time", e.name): partial(self._exit, e) for e in exits},
            "stationary": self._stationary,
            "aggregated-matrix": self._aggregated,
            **{
                named("aggregated-hitting-time", p.name): partial(self._aggregated_hitting, p)
                for p in problems
            },
            **{
                named("hitting-time-bounds", name): partial(self._comparison, name)
                for name in self.family.comparison
            },
            "spectral-gap": self._gap,
        }
        return {name: recipe for name, recipe in found.items() if name not in self.family.absent}

    def claim(self, quantity: str) -> Claim:
        """Derive and prove the claim for a quantity.

        Raises
        ------
        NoClaim
            One line: the quantity is unknown, or what was tried and failed.
        """
        if quantity in self.family.absent:
            reason = self.family.absent[quantity]
            raise NoClaim(f"{self.family.id}/{quantity}: not derived: {reason}")
        if quantity not in self.recipes:
            known = ", ".join([*self.recipes, *self.family.absent])
            raise NoClaim(f"unknown quantity {quantity!r} of {self.family.id}: give one of {known}")
        if quantity not in self._claims:
            try:
                self._claims[quantity] = self.recipes[quantity]()
            except (NoProof, NoClosedForm) as error:
                raise NoClaim(f"{self.family.id}/{quantity}: not derived: {error}") from error
        return self._claims[quantity]

    def _new(self, quantity: str, domain: Domain, certificate: Certificate, **parts: Any) -> Claim:
        family = self.family.id
        return Claim(f"{family}/{quantity}", family, quantity, domain, certificate, **parts)

    # ------------------------------------------------------------ hitting and exit times
    def _hitting(self, problem: Problem) -> Claim:
        if problem.supersolution and problem.subsolution:
            return self._hitting_between(problem)
        try:
            value, certificate = solve(problem.chains, problem.target, problem.start)
        except NoClosedForm as error:
            remedy = "give the Problem a supersolution and a subsolution, for bounds"
            raise NoClosedForm(f"{error}: {remedy}") from error
        name = named("hitting-time", problem.name)
        return self._new(name, self.family.domain, certificate, expression=value)

    def _hitting_between(self, problem: Problem) -> Claim:
        given = {"upper": problem.supersolution, "lower": problem.subsolution}
        functions = {
            side: {name: expression(text) for name, text in values.items()}
            for side, values in given.items()
        }
        certificate = between_certificate(problem.chains, problem.target, problem.start, functions)
        name, bounds = named("hitting-time", problem.name), stated(certificate["statement"])
        return self._new(name, self.family.domain, certificate, **bounds)

    def _exit(self, exit_: Exit) -> Claim:
        problem = self.problems[""]
        domain = self.family.domain.where(*exit_.facts)
        chain = leaves(problem.chains)[-1]
        inside = exit_chain(chain, exit_.start, domain)
        value, certificate = solve(inside, "outside", (exit_.start[0], None))
        return self._new(named("exit-time", exit_.name), domain, certificate, expression=value)

    # ------------------------------------------------------------ stationary law and aggregation
    def _stationary(self) -> Claim:
        problem = self.problems[""]
        reversal = problem.reversal or None
        certificate = by_cases(
            problem.chains, lambda c: law_certificate(c, solved(c, problem.target), reversal)
        )
        entries = entries_of(certificate["statement"], self.family.domain)
        return self._new("stationary", self.family.domain, certificate, entries=entries)

    def _aggregated(self) -> Claim:
        problem = self.problems[""]
        _, certificate = aggregate(problem.chains, problem.target)
        entries = entries_of(certificate["statement"], self.family.domain)
        return self._new("aggregated-matrix", self.family.domain, certificate, entries=entries)

    def _aggregated_hitting(self, problem: Problem) -> Claim:
        chains, aggregation = aggregate(problem.chains, problem.target)
        orbits = leaves(problem.chains)[-1].orbits
        start = orbits[problem.start[0]].cluster, problem.start[1]
        value, certificate = solve(chains, orbits[problem.target].cluster, start, aggregation)
        name = named("aggregated-hitting-time", problem.name)
        return self._new(name, self.family.domain, certificate, expression=value)

    def _comparison(self, name: str) -> Claim:
        wanted = self.family.comparison[name]
        domain = self.family.domain.where(*wanted.facts)
        time = self.claim(named("hitting-time", name))
        meta = self.claim(named("aggregated-hitting-time", name))
        claims = [f"v0 >= {wanted.lower}*v1", f"v0 <= {wanted.upper}*v1"]
        try:
            certificate = compare(domain, claims, [time.certificate, meta.certificate])
        except NoProof as error:
            where = ", ".join(wanted.facts)
            raise NoProof(
                f"{wanted.lower}*T_A <= E[tau] <= {wanted.upper}*T_A is not shown where {where} "
                f"({error}): give comparison another Range, of other facts or factors"
            ) from error
        assert meta.expression is not None
        return self._new(
            named("hitting-time-bounds", name),
            domain,
            certificate,
            lower=expression(wanted.lower) * meta.expression,
            upper=expression(wanted.upper) * meta.expression,
            sharp={name: Fraction(value) for name, value in wanted.sharp.items()},
        )

    # ------------------------------------------------------------ spectral gap
    @cached_property
    def gap_bounds(self) -> tuple[Certificate, Certificate, Certificate | None]:
        """Certificates of a lower and an upper bound of the gap, and of its value if it factors."""
        family = self.family
        if family.cyclic is not None:
            return cyclic_gap(family.domain.without(family.drop), family.cyclic)
        problem = family.gap_problem()
        general = leaves(problem.chains)[-1]
        if family.even:
            general = replace(general, even=True)
            problem = replace(problem, chains=general)
            lower = gap_of_even_rows(general, solved(general, problem.target))
        else:
            lower = self._gap_from_some_pivot()
        slow = family.slow_mode or solved(general, problem.target).values
        upper = gap_by_test_function(family, problem, {n: str(x) for n, x in slow.items()})
        return lower, upper, None

    def _gap(self) -> Claim:
        family, (lower, upper, root) = self.family, self.gap_bounds
        domain = family.domain.without(family.drop)
        facts = family.pivot.facts if family.pivot and family.drop and not family.cyclic else ()
        wide = family.domain.where(*facts) if facts else domain
        certificate = two_sided(wide, lower, upper, root)
        if facts:
            certificate = without(family.drop, family.domain, certificate, facts)
        return self._new("spectral-gap", domain, certificate, **stated(certificate["statement"]))

    def _gap_from_some_pivot(self) -> Certificate:
        problem = self.family.gap_problem()
        if self.family.pivot is not None:
            return gap_from_pivot(self.family, problem, self.family.pivot)
        chain = leaves(problem.chains)[-1]
        singles = [n for n, o in chain.orbits.items() if o.size == 1 and o.index is None]
        failure = NoProof("no orbit is a single state")
        for name in singles:
            try:
                return gap_from_pivot(self.family, problem, Pivot(name))
            except NoProof as error:
                failure = error
        raise failure


def named(quantity: str, suffix: str) -> str:
    """``hitting-time`` or ``hitting-time-hub-to-leaf``."""
    return f"{quantity}-{suffix}" if suffix else quantity


def stated(statement: Mapping[str, Any]) -> dict[str, sympy.Expr]:
    """The value or the bounds in a statement, under the names that claims give them."""
    cosine = {sympy.Symbol("c"): sympy.cos(2 * sympy.pi / sympy.Symbol("K"))}
    keys = {"expression": "value", "lower": "lower", "upper": "upper"}
    found = {n: expression(statement[k]).subs(cosine) for n, k in keys.items() if k in statement}
    if "c2" in statement:  # the smaller root of x^2 - b x + c2
        b, c2 = (expression(statement[k]).subs(cosine) for k in ("b", "c2"))
        found["expression"] = (b - sympy.sqrt(b**2 - 4 * c2)) / 2
    if statement["kind"] in ("spectral-gap", "modes-gap") and found["lower"] == found["upper"]:
        found["expression"] = found["lower"]
    return found


def entries_of(statement: Mapping[str, Any], domain: Domain) -> tuple[Entry, ...]:
    """The values in a statement of a law or a matrix, of its most general case."""
    chain, law, meta = (last(statement.get(key)) for key in ("chain", "law", "aggregated"))
    if statement["kind"] == "stationary":
        rows = chain_from_json(domain, chain).rows
        law = map(expression, law)
        return tuple(Entry((where(r),), x) for r, x in zip(rows, law, strict=True))
    rows = chain_from_json(domain, meta).rows
    return tuple(
        Entry((where(r), checker.place(m.to, None if m.at is None else str(m.at))), m.probability)
        for r in rows
        for m in r.moves
    )


def last(part: Any) -> Any:
    """A part of a statement in its most general case."""
    while isinstance(part, dict) and "cases" in part:
        part = part["cases"][-1]
    return part


def each(part: Any) -> list[Any]:
    """What a part of a statement is in each case."""
    if isinstance(part, dict) and "cases" in part:
        return [leaf for case in part["cases"] for leaf in each(case)]
    return [part]


def where(row: Row) -> str:
    """The states of a row: ``bulk`` or ``bulk[1..K - 1]``."""
    return row.orbit if row.index is None else f"{row.orbit}[{row.index[0]}..{row.index[1]}]"


def law_at(claim: Claim, point: Point) -> dict[Place, Fraction]:
    """Stationary probability of one state of each orbit at a point.

    Parameters
    ----------
    claim : of the stationary law, or one whose proof contains it (the aggregated matrix).
    """
    part = case_at(claim.certificate, point)
    while part["statement"]["kind"] != "stationary":
        part = case_at(part["premises"][0], point)
    statement = part["statement"]
    return values_of_rows(
        chain_from_json(claim.domain, statement["chain"]), statement["law"], point
    )


def case_at(certificate: Certificate, point: Point) -> Certificate:
    """The part of a proof by cases that speaks of a point."""
    while "split" in certificate["witness"]:
        parts = certificate["premises"]
        domains = [domain_from_json(p["statement"]["domain"]) for p in parts]
        certificate = next(p for p, d in zip(parts, domains, strict=True) if not d.violated(point))
    return certificate


def values_of_rows(chain: OrbitChain, texts: Sequence[str], point: Point) -> dict[Place, Fraction]:
    """Values given row by row, at a point; orbits of size 0 are left out."""
    law: dict[Place, Fraction] = {}
    for row, text in zip(chain.rows, texts, strict=True):
        for index in indices(row.index, point):
            here = with_index(point, index)
            if evaluate(chain.orbits[row.orbit].size, here):
                law[row.orbit, index] = evaluate(expression(text), here)
    return law
