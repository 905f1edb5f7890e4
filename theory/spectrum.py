"""The spectral gap of the full chain: by blocks where there are symmetries, else by bounds.

The gap is 1 - lambda_2, lambda_2 the second largest eigenvalue; all chains here are reversible.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import sympy

from theory.certificates import Certificate, NoProof, by_cases, by_splitting, certify
from theory.chain import Cases, Chains, Move, Orbit, OrbitChain, Row, j, leaves
from theory.composition import closed
from theory.conjecture import hitting_times
from theory.derive import Solved, law_certificate, polynomial_sum, running_sums, solved
from theory.domain import Domain, Parameter, describe, evaluate, expression, tidy
from theory.factoring import factor, text
from theory.family import Cyclic, Family, Pivot, Problem

COSINE = Parameter("c", ("c >= -1", "c < 1"), "cos(2 pi/K)", integer=False)
RATIOS = ("1", "2", "3", "4", "8")


# ---------------------------------------------------------------- blocks on Z_K x types
def cyclic_gap(
    domain: Domain, cyclic: Cyclic
) -> tuple[Certificate, Certificate, Certificate | None]:
    """Lower bound, upper bound and, for two types, the exact gap of a chain on Z_K x types.

    With S_p the sum of the p-th powers of the relaxation times of the slowest block, that is
    trace (I - B)^-p, the gap lies between 1/S_1 and S_1/S_2: each relaxation time is at most S_1,
    and the largest is at least S_2/S_1.
    """
    block = _characteristic(cyclic)
    x, w, c = sympy.symbols("x w c")
    value, slope, curve = (sympy.diff(block, x, n).subs(x, 1).subs(w, c) for n in range(3))
    first = slope / value
    second = first**2 - curve / value
    wide = Domain((*domain.parameters, COSINE)) if block.has(w) else domain
    chain = cyclic.to_json()
    statement = {"domain": wide.to_json(), "chain": chain}
    witness: dict[str, Any] = {
        "law": [cyclic.law[name] for name in cyclic.types],
        "block": [str(y) for y in sympy.Poly(block, x).all_coeffs()],
    }
    lower = {**statement, "kind": "modes-lower", "value": str(tidy(1 / first, wide))}
    upper = {**statement, "kind": "modes-upper", "value": str(tidy(first / second, wide))}
    pivots = [a for a, b, s, _ in cyclic.moves if s == "others" and a == b]
    root = None
    if sympy.degree(block, x) == 2 and not block.has(w) and pivots:
        a0, a1, _ = reversed(sympy.Poly(block, x).all_coeffs())
        b, c2 = (str(tidy(y, wide)) for y in (2 + a1, 1 + a1 + a0))
        root = _two_types(cyclic, wide, {"pivot": pivots[0], "b": b, "c2": c2})
    return certify(lower, [], witness), certify(upper, [], witness), root


def _two_types(cyclic: Cyclic, domain: Domain, equation: Mapping[str, str]) -> Certificate:
    """The equation of the modes of two types, for a walk to any other cluster alike."""
    orbits = {a: Orbit(expression(size), "cluster") for a, size in cyclic.types.items()}
    rows = tuple(
        Row(
            a, tuple(Move(b, expression(p), meta=s != "0") for x, b, s, p in cyclic.moves if x == a)
        )
        for a in cyclic.types
    )
    chain = OrbitChain(domain, orbits, rows)
    statement = {
        "kind": "composed-mode",
        "domain": domain.to_json(),
        "chain": chain.to_json(),
        "mode": "-1/(K - 1)",
        **equation,
    }
    inside = closed(chain)
    return certify(statement, [law_certificate(inside, solved(inside, equation["pivot"]))])


def _characteristic(cyclic: Cyclic) -> sympy.Expr:
    """det(x - B) of a mode other than the constant one, in x and w = cos(2 pi j/K)."""
    x, w, z = sympy.symbols("x w z")
    order = list(cyclic.types)
    symbol = {"0": 1, "+1": z, "-1": 1 / z, "others": -1 / (sympy.Symbol("K") - 1)}
    block = sympy.zeros(len(order))
    for a, b, shift, p in cyclic.moves:
        block[order.index(a), order.index(b)] += expression(p) * symbol[shift]
    determinant = sympy.expand((x * sympy.eye(len(order)) - block).det(method="berkowitz"))
    return sympy.expand(determinant.coeff(z, 0) + 2 * w * determinant.coeff(z, 1))


# ---------------------------------------------------------------- from a pivot, by a test function
def gap_from_pivot(family: Family, problem: Problem, pivot: Pivot) -> Certificate:
    """Lower bound from one state: 1/H with H at least the mean time to hit it from anywhere."""
    chains = _where(problem.chains, pivot.facts)
    general = leaves(chains)[-1]
    values = {name: expression(x) for name, x in pivot.function.items()}
    values = values or hitting_times(general, pivot.orbit)
    bounds = [expression(pivot.bound)] if pivot.bound else _shortest(general, values, pivot.orbit)
    for bound in bounds:
        try:
            certificate = by_cases(chains, partial(pivot_certificate, pivot, values, bound))
        except NoProof as error:
            failure = error
        else:
            return certificate
    raise failure


def gap_of_even_rows(chain: OrbitChain, solution: Solved) -> Certificate:
    """Lower bound 1, for rows whose own eigenvalues but one are <= 0."""
    statement = {
        "kind": "modes-lower",
        "domain": chain.domain.to_json(),
        "chain": chain.to_json(),
        "value": "1",
    }
    return certify(statement, [], {"law": [str(x) for x in solution.law]})


def gap_from_orbit(chain: OrbitChain, pivot: str) -> Certificate:
    """Lower bound 1/H for one chain, with H the longest mean time to hit an orbit of one state."""
    values = hitting_times(chain, pivot)
    for bound in _shortest(chain, values, pivot):
        try:
            return pivot_certificate(Pivot(pivot), values, bound, chain)
        except NoProof as error:
            failure = error
    raise failure


def _shortest(chain: OrbitChain, values: Mapping[str, sympy.Expr], pivot: str) -> list[sympy.Expr]:
    """Inverse hitting times from each class, at the ends of its range, shortest first.

    Which time is the longest may depend on the point: the last one is the inverse of the sum.
    """
    times = [
        values[name] if end is None else values[name].subs(j, end)
        for name, orbit in chain.orbits.items()
        for end in orbit.index or (None,)
        if name != pivot
    ]
    times.sort(key=lambda time: evaluate(time, chain.domain.inside), reverse=True)
    whole = [] if len(times) == 1 else [sympy.Add(*dict.fromkeys(times))]
    return [tidy(1 / time, chain.domain) for time in (*times, *whole)]


def pivot_certificate(
    pivot: Pivot, values: Mapping[str, sympy.Expr], bound: sympy.Expr, chain: OrbitChain
) -> Certificate:
    """Lower bound of one chain, by a function that is positive off the pivot."""
    statement = {
        "kind": "gap-lower",
        "domain": chain.domain.to_json(),
        "chain": chain.to_json(),
        "pivot": pivot.orbit,
        "value": str(bound),
    }
    witness = {"functions": {"f": {n: text(values[n]) for n in chain.orbits}}}
    return by_splitting(
        chain.domain,
        lambda part: certify({**statement, "domain": part.to_json()}, [], witness),
    )


def gap_by_test_function(family: Family, problem: Problem, test: Mapping[str, str]) -> Certificate:
    """Upper bound E(f, f)/Var f for a function given per orbit, in the parameters and j."""
    general = leaves(problem.chains)[-1]
    solution = solved(general, problem.target)
    values = {name: expression(text) for name, text in test.items()}
    inside = general.domain.inside
    some = {sympy.Symbol(n): int(inside[n]) for n in family.drop}  # any value will do
    value = _rayleigh(general, solution.law, values, some)
    bound = tidy(value, family.domain.without(family.drop))

    def build(chain: OrbitChain) -> Certificate:
        own = Solved(tuple(solved(chain, problem.target).law), problem.target, solution.values)
        statement = {
            "kind": "gap-upper",
            "domain": chain.domain.to_json(),
            "chain": chain.to_json(),
            "value": str(bound),
        }
        here = {n: values[n] for n in chain.orbits}
        columns = zip(*_terms(chain, own.law, here), strict=True)
        sums = [running_sums(chain, column) for column in columns]
        witness = {
            "functions": {"f": {n: str(f) for n, f in here.items()}},
            "sums": dict(zip(("mean", "square", "energy"), sums, strict=True)),
        }
        law = law_certificate(chain, own)
        if "reversed" in law["statement"]:
            raise NoProof("the chain is not reversible: only a gap of reversible ones is derived")
        return certify(statement, [law], witness)

    return by_cases(problem.chains, build)


def _terms(
    chain: OrbitChain, law: Sequence[sympy.Expr], f: Mapping[str, sympy.Expr]
) -> list[tuple[sympy.Expr, sympy.Expr, sympy.Expr]]:
    """Mass times f, f^2 and f (f - Pf), for each row."""
    terms = []
    for row, probability in zip(chain.rows, law, strict=True):
        mass, here = chain.orbits[row.orbit].size * probability, f[row.orbit]
        step = here
        for move in row.moves:
            there = f[move.to] if move.at is None else f[move.to].subs(j, move.at)
            step -= move.probability * there
        terms.append((mass * here, mass * here**2, mass * here * step))
    return terms


def _rayleigh(
    chain: OrbitChain,
    law: Sequence[sympy.Expr],
    f: Mapping[str, sympy.Expr],
    some: Mapping[sympy.Symbol, int],
) -> sympy.Expr:
    """E(f, f)/Var f at some values of parameters that it does not depend on."""
    sums = [sympy.Integer(0)] * 3
    for row, terms in zip(chain.rows, _terms(chain, law, f), strict=True):
        parts = [y.subs(some) for y in terms]
        if row.index is not None:
            parts = [polynomial_sum(y, *(end.subs(some) for end in row.index)) for y in parts]
        sums = [a + b for a, b in zip(sums, parts, strict=True)]
    mean, square, energy = (factor(y) for y in sums)
    return energy / factor(square - mean**2)


def _where(chains: Chains, facts: tuple[str, ...]) -> Chains:
    if isinstance(chains, OrbitChain):
        return chains.on(chains.domain.where(*facts))
    parts = tuple(_where(part, facts) for part in chains.parts)
    return Cases(chains.domain.where(*facts), chains.fact, parts)


def without(
    drop: Sequence[str],
    domain: Domain,
    certificate: Certificate,
    facts: Sequence[str],
    more: Sequence[str] = (),
) -> Certificate:
    """The statement without the integer that it does not mention, which the facts choose.

    Parameters
    ----------
    domain : of the statement, without ``facts`` and with ``more``.
    """
    (name,) = drop
    statement = {**certificate["statement"], "some": name}

    def build(part: Domain) -> Certificate:
        failure = NoProof(f"no value of {name} is found")
        for multiple, of in _choices(part, name, facts):
            try:
                full = {**statement, "domain": part.to_json()}
                return certify(full, [certificate], {"multiple": multiple, "of": of})
            except NoProof as error:
                failure = error
        raise failure

    free = domain.without(drop).where(*more)
    if "c" in certificate["statement"]["domain"]["reals"]:
        free = Domain((*free.parameters, COSINE), free.facts)
    return by_splitting(free, build)


def _choices(domain: Domain, name: str, facts: Sequence[str]) -> Iterator[tuple[str, str]]:
    """a and n, one of a/n, (a + 1)/n, .. being an integer, from a fact n*name >= a."""
    for gap in map(domain.gap, facts):
        n, rest = gap.coeff(sympy.Symbol(name)), gap.subs(sympy.Symbol(name), 0)
        if n.is_Integer and n > 0:
            yield str(-rest), str(n)
            yield str(math.ceil(evaluate(-rest / n, domain.inside))), "1"


def two_sided(
    domain: Domain, lower: Certificate, upper: Certificate, root: Certificate | None = None
) -> Certificate:
    """Both bounds together, with the smallest of some ratios that is proved between them."""
    if "c" in lower["statement"]["domain"]["reals"]:
        domain = Domain((*domain.parameters, COSINE))
    premises = [lower, upper]
    statement: dict[str, Any] = {
        "kind": "spectral-gap",
        "domain": domain.to_json(),
        "lower": lower["statement"]["value"],
        "upper": upper["statement"]["value"],
        "chain": lower["statement"]["chain"],
    }
    if upper["statement"]["kind"] == "modes-upper":
        ratio = str(len(statement["chain"]["classes"]))
        statement |= {"kind": "modes-gap", "ratio": ratio}
        both = certify(statement, [], {k: upper["witness"][k] for k in ("law", "block")})
        if root is None:
            return both
        parts = {key: root["statement"][key] for key in ("pivot", "b", "c2")}
        return certify({**statement, **parts, "kind": "exact-gap"}, [both, root])
    for depth, ratio in (*((0, ratio) for ratio in RATIOS), (2, RATIOS[-1])):
        try:
            return by_splitting(
                domain,
                lambda part, r=ratio: certify(  # type: ignore[misc]
                    {**statement, "domain": part.to_json(), "ratio": r}, premises
                ),
                depth,
            )
        except NoProof as error:
            failure = error
    inside = domain.inside
    ends = (evaluate(expression(statement[side]), inside) for side in ("lower", "upper"))
    raise NoProof(
        f"the bounds are not shown to lie within a factor {RATIOS[-1]}; at {describe(inside)} they "
        f"are {' and '.join(f'{float(x):.3g}' for x in ends)}: narrow the domain, or give another "
        "pivot or slow_mode"
    ) from failure
