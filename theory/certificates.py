"""Builds certificates: statements with the witnesses that let the lone checker re-verify them.

A witness is found by running the checker's own rules with *every* chart that the facts of a domain
allow, and keeping those that were used.  Nothing here is trusted: what counts is the verdict of
:func:`theory.checker.check` on the finished certificate.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from functools import cache
from typing import Any

import sympy

from theory import checker
from theory.chain import Cases, Chains, OrbitChain
from theory.domain import Domain

Certificate = dict[str, Any]
MOST_CHARTS = 400
MOST_RAISED, POWERS = 2, ("1", "4")


class NoProof(ValueError):
    """No certificate was found for a statement (which may be true all the same)."""


def certify(
    statement: Mapping[str, Any],
    premises: list[Certificate] | None = None,
    witness: Mapping[str, Any] | None = None,
) -> Certificate:
    """Complete a statement to a certificate.

    Raises
    ------
    NoProof
        The checker's rules do not prove the statement with any chart that was tried.
    """
    premises = premises or []
    if statement["kind"] == "cases":
        statement = {**statement, "parts": [p["statement"] for p in premises]}
    kind = checker.KINDS[statement["kind"]]
    told = [p["statement"] for p in premises]
    full = {**(witness or {}), "charts": _charts}
    shown = dict(witness or {})
    try:
        domain = kind(statement, full, told)
    except checker.Refused as error:
        wrong = []
        with suppress(checker.Refused):  # a domain that cannot be read is not empty
            domain = checker.Domain(statement["domain"], _charts)
            wrong = [text for text, (q, _) in domain.facts.items() if domain.sign(-q, True)]
        if not wrong:
            raise NoProof(f"{statement['kind']}: {error}") from error
        shown, premises = {"vacuous": wrong[0]}, []
    return {
        "format": checker.FORMAT,
        "statement": dict(statement),
        "witness": {**shown, "charts": domain.used},
        "premises": premises,
    }


def by_cases(chains: Chains, build: Callable[[OrbitChain], Certificate]) -> Certificate:
    """A certificate for each case, joined into one for the whole domain."""
    if isinstance(chains, OrbitChain):
        return build(chains)
    return join(chains, [by_cases(part, build) for part in chains.parts])


def join(cases: Cases, parts: list[Certificate]) -> Certificate:
    """The statement on the whole domain from those on its parts."""
    statement = {
        "kind": "cases",
        "domain": cases.domain.to_json(),
        "fact": cases.fact,
    }
    return certify(statement, parts)


def by_splitting(
    domain: Domain, build: Callable[[Domain], Certificate], depth: int = 2
) -> Certificate:
    """Try the whole domain; where no proof is found, split it and try the parts.

    The smallest value of an integer is split off, or the range of epsilon is halved.
    """
    try:
        return build(domain)
    except NoProof as failure:
        for statement, parts in _splits(domain) if depth else ():
            try:
                return certify(statement, [by_splitting(p, build, depth - 1) for p in parts])
            except NoProof:
                continue
        raise failure


def _splits(domain: Domain) -> Iterator[tuple[dict[str, Any], tuple[Domain, Domain]]]:
    """Ways to cover the domain by two parts: the last facts first, since they are the tightest."""
    data = {"kind": "cases", "domain": domain.to_json()}
    free = {p.name: sympy.Symbol(p.name) for p in domain.parameters if p.name not in domain.values}
    integers = {free[p.name] for p in domain.parameters if p.integer and p.name in free}
    for fact in reversed(domain.all_facts):
        gap = domain.gap(fact)
        for symbol in sorted(gap.free_symbols & integers, key=str):
            slope = sympy.expand(gap).coeff(symbol)
            if gap.free_symbols <= integers and abs(slope) == 1:
                value = str(sympy.expand(symbol - gap / slope))
                yield data | {"fact": fact}, domain.split(fact, {str(symbol): value})
                break
    for parameter in domain.parameters:
        if not parameter.integer and f"{parameter.name} > 0" in domain.all_facts:
            by = f"2*{parameter.name} - 1"
            yield data | {"by": by}, (domain.where(f"{by} >= 0"), domain.where(f"-({by}) >= 0"))


# ---------------------------------------------------------------- charts
Fact = tuple[str, sympy.Expr, bool]  # text, the expression that is >= 0, whether it is > 0


class _Charts:
    """The charts that some facts allow, made as they are asked for."""

    def __init__(self, facts: tuple[Fact, ...], names: tuple[str, ...], reals: tuple[str, ...]):
        self._made: list[Any] = []
        charts = itertools.islice(_enumerate(facts, names, reals), MOST_CHARTS)
        self._more = itertools.chain(charts, self._raised())

    def _raised(self) -> Iterator[Any]:
        """The first charts again, with a power of 1 + the sum of the slacks as a factor."""
        for chart, power in itertools.product(self._made[:MOST_RAISED], POWERS):
            yield {**chart, "raise": power}

    def __iter__(self) -> Iterator[Any]:
        number = 0
        while True:
            if number == len(self._made):
                chart = next(self._more, None)
                if chart is None:
                    return
                self._made.append(chart)
            yield self._made[number]
            number += 1


_make_charts = cache(_Charts)


def _charts(domain: checker.Domain) -> _Charts:
    facts = tuple((text, _sympy(q), strict) for text, (q, strict) in domain.facts.items())
    names = tuple(n for n, q in domain.env.items() if q.num == checker.variable(n) and not q.den)
    return _make_charts(facts, names, tuple(domain.reals))


def _enumerate(
    facts: tuple[Fact, ...], names: tuple[str, ...], reals: tuple[str, ...]
) -> Iterator[Any]:
    """Charts with one slack a parameter, those from the most facts about the index first."""
    real = [sympy.Symbol(n) for n in names if n in reals]
    whole = [sympy.Symbol(n) for n in names if n not in reals]
    linear = [f for f in facts if not f[1].has(*real)] if real else list(facts)
    linear.sort(key=lambda f: not f[0].startswith("j "))
    options = [list(_real_slacks(r, facts, len(whole) + n)) for n, r in enumerate(real)]
    chosen_sets = itertools.combinations(linear, len(whole))
    solved = [(c, s) for c in chosen_sets if (s := _solve_linear(c, whole)) is not None]
    for chosen, solution in sorted(solved, key=lambda pair: _falls(pair[1])):
        slack = {f"u{n}": [f[0], ""] for n, f in enumerate(chosen)}
        for picks in itertools.product(*options):
            found, slacks = dict(solution), dict(slack)
            for r, (top, bottom, value) in zip(real, picks, strict=True):
                slacks[f"u{len(slacks)}"] = [top, bottom]
                found[r] = value.subs(found)
            yield {"slack": slacks, "map": {str(name): str(value) for name, value in found.items()}}


def _solve_linear(
    facts: tuple[Fact, ...], unknowns: list[sympy.Symbol]
) -> dict[sympy.Symbol, sympy.Expr] | None:
    """The unknowns in terms of u0, u1, ..., or None if the facts do not determine them."""
    size = len(unknowns)
    slope = sympy.Matrix(size, size, lambda i, k: facts[i][1].coeff(unknowns[k]))
    if size and slope.det() == 0:
        return None
    inverse = slope.inv() if size else slope
    zero = dict.fromkeys(unknowns, 0)
    right = [sympy.Symbol(f"u{n}") - f[1].subs(zero) for n, f in enumerate(facts)]
    return {u: sum(inverse[i, k] * right[k] for k in range(size)) for i, u in enumerate(unknowns)}


def _falls(solution: dict[sympy.Symbol, sympy.Expr]) -> bool:
    """Whether some unknown falls with a slack: such a chart is tried last."""
    return any(value.coeff(u) < 0 for value in solution.values() for u in value.free_symbols)


def _real_slacks(
    r: sympy.Symbol, facts: tuple[Fact, ...], number: int
) -> Iterator[tuple[str, str, sympy.Expr]]:
    """Slacks that determine r: a fact over a strict one that bounds r on the other side, or one."""
    mine = [f for f in facts if f[1].has(r)]
    u = sympy.Symbol(f"u{number}")
    pairs = [
        (top, bottom)
        for top in mine
        for bottom in mine
        if bottom[2] and _rises(top, r) != _rises(bottom, r)
    ]
    for top, bottom in [*pairs, *((top, ("", sympy.Integer(1), True)) for top in mine)]:
        equation = sympy.expand(top[1] - u * bottom[1])  # linear in r
        slope, rest = equation.coeff(r), equation.subs(r, 0)
        sign = -1 if slope.subs({s: 1 for s in slope.free_symbols}) < 0 else 1
        if sympy.expand(equation - slope * r - rest) == 0 and slope != 0:
            yield top[0], bottom[0], sympy.expand(-sign * rest) / sympy.expand(sign * slope)


def _rises(fact: Fact, r: sympy.Symbol) -> bool:
    slope = sympy.diff(fact[1], r)
    return bool(slope.subs({s: 1 for s in slope.free_symbols}) > 0)


def _sympy(q: checker.Q) -> sympy.Expr:
    def poly(p: checker.Poly) -> sympy.Expr:
        terms = []
        for monomial, c in p.items():
            factors = [
                sympy.Symbol(checker.names[v]) ** e for v, e in checker.exponents(monomial).items()
            ]
            terms.append(sympy.Mul(c, *factors))
        return sympy.Add(*terms)

    return sympy.expand(poly(q.num) / poly(q.bottom()))


def prove_nonnegative(domain: Domain, value: sympy.Expr) -> bool:
    """Whether the checker's sign rule shows value >= 0 on the domain, with some chart."""
    on = checker.Domain(domain.to_json(), _charts)
    return on.sign(checker.parse(str(sympy.together(value)), on.env))
