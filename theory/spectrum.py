"""The spectral gap of the full chain: by blocks where there are symmetries, else by bounds.

The gap is 1 - lambda_2, lambda_2 the second largest eigenvalue; all chains here are reversible.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import sympy

from theory import checker
from theory.certificates import Certificate, NoProof, by_cases, by_splitting, certify
from theory.chain import Cases, Chains, OrbitChain, j, leaves
from theory.conjecture import hitting_times
from theory.derive import Solved, reversible, solved
from theory.domain import Domain, Parameter, evaluate, expression, tidy
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
    x, w = sympy.symbols("x w")
    value, slope, curve = (sympy.diff(block, x, n).subs(x, 1) for n in range(3))
    first = slope / value
    second = first**2 - curve / value
    wide = domain
    if block.has(w):
        wide = Domain((*domain.parameters, COSINE))
        first, second = (y.subs(w, sympy.Symbol("c")) for y in (first, second))
    statement = {
        "kind": "cyclic-gap",
        "domain": wide.to_json(),
        "types": dict(cyclic.types),
        "moves": [list(move) for move in cyclic.moves],
    }
    witness = {"law": dict(cyclic.law)}
    lower = {**statement, "side": "lower", "value": str(tidy(1 / first, wide))}
    upper = {
        **statement,
        "side": "upper",
        "value": str(tidy(first / second, wide)),
        "lower": lower["value"],
        "ratio": str(len(cyclic.types)),
    }
    root = None
    if sympy.degree(block, x) == 2:
        a0, a1, _ = reversed(sympy.Poly(block, x).all_coeffs())
        b, c = (str(tidy(y, wide)) for y in (2 + a1, 1 + a1 + a0))
        closed = f"(({b}) - sqrt(({b})**2 - 4*({c})))/2"
        root = certify({**statement, "side": "root", "b": b, "c": c, "value": closed}, [], witness)
    return certify(lower, [], witness), certify(upper, [], witness), root


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
            certificate = by_cases(chains, partial(_pivot_certificate, pivot, values, bound))
        except NoProof as error:
            failure = error
        else:
            return _drop(family, certificate)
    raise failure


def gap_of_even_rows(chain: OrbitChain, solution: Solved) -> Certificate:
    """Lower bound 1, for rows whose own eigenvalues but one are <= 0."""
    statement = {
        "kind": "even-gap",
        "domain": chain.domain.to_json(),
        "chain": chain.to_json(),
        "value": "1",
    }
    return certify(statement, [reversible(chain, solution)])


def gap_from_orbit(chain: OrbitChain, pivot: str) -> Certificate:
    """Lower bound 1/H for one chain, with H the longest mean time to hit an orbit of one state."""
    values = hitting_times(chain, pivot)
    for bound in _shortest(chain, values, pivot):
        try:
            return _pivot_certificate(Pivot(pivot), values, bound, chain)
        except NoProof as error:
            failure = error
    raise failure


def _shortest(chain: OrbitChain, values: Mapping[str, sympy.Expr], pivot: str) -> list[sympy.Expr]:
    """Inverse hitting times from each class, at the ends of its range, shortest first."""
    times = [
        values[name] if end is None else values[name].subs(j, end)
        for name, orbit in chain.orbits.items()
        for end in orbit.index or (None,)
        if name != pivot
    ]
    times.sort(key=lambda time: evaluate(time, chain.domain.inside), reverse=True)
    return [tidy(1 / time, chain.domain) for time in times]


def _pivot_certificate(
    pivot: Pivot, values: Mapping[str, sympy.Expr], bound: sympy.Expr, chain: OrbitChain
) -> Certificate:
    statement = {
        "kind": "gap-lower",
        "domain": chain.domain.to_json(),
        "chain": chain.to_json(),
        "pivot": pivot.orbit,
        "value": str(bound),
    }
    witness = {"values": {n: str(values[n]) for n in chain.orbits}}
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
    bound = tidy(_rayleigh(general, solution, values, some), family.domain.without(family.drop))

    def build(chain: OrbitChain) -> Certificate:
        own = Solved(tuple(solved(chain, problem.target).law), problem.target, solution.values)
        statement = {
            "kind": "gap-upper",
            "domain": chain.domain.to_json(),
            "chain": chain.to_json(),
            "value": str(bound),
        }
        witness = {"values": {n: str(values[n]) for n in chain.orbits}}
        return certify(statement, [reversible(chain, own)], witness)

    return _drop(family, by_cases(problem.chains, build))


def _rayleigh(
    chain: OrbitChain,
    solution: Solved,
    f: Mapping[str, sympy.Expr],
    some: Mapping[sympy.Symbol, int],
) -> sympy.Expr:
    """E(f, f)/Var f at some values of parameters that it does not depend on."""
    mean = square = energy = sympy.Integer(0)
    for row, probability in zip(chain.rows, solution.law, strict=True):
        mass = chain.orbits[row.orbit].size * probability
        here = f[row.orbit]
        steps = sympy.Integer(0)
        for move in row.moves:
            there = f[move.to] if move.at is None else f[move.to].subs(j, move.at)
            steps += move.probability * (there - here) ** 2
        parts = [(mass * y).subs(some) for y in (here, here**2, steps / 2)]
        if row.index is not None:
            parts = [power_sum(y, *(end.subs(some) for end in row.index)) for y in parts]
        mean, square, energy = (a + b for a, b in zip((mean, square, energy), parts, strict=True))
    mean, square, energy = (sympy.factor(y) for y in (mean, square, energy))
    return energy / sympy.factor(square - mean**2)


def power_sum(value: sympy.Expr, first: sympy.Expr, last: sympy.Expr) -> sympy.Expr:
    """Sum over j from first to last of a polynomial in j (Faulhaber, by Bernoulli polynomials)."""
    total = sympy.Integer(0)
    for (n,), coefficient in sympy.Poly(value, j).terms():
        span = sympy.bernoulli(n + 1, last + 1) - sympy.bernoulli(n + 1, first)
        total += coefficient * span / (n + 1)
    return total


def _where(chains: Chains, facts: tuple[str, ...]) -> Chains:
    if isinstance(chains, OrbitChain):
        return chains.on(chains.domain.where(*facts))
    parts = tuple(_where(part, facts) for part in chains.parts)
    return Cases(chains.domain.where(*facts), chains.fact, parts)


def _drop(family: Family, certificate: Certificate) -> Certificate:
    """The statement without the integers that it does not mention."""
    if not family.drop:
        return certificate
    free = family.domain.without(family.drop)
    statement = {"kind": "instance", "domain": free.to_json(), "of": certificate["statement"]}
    return certify(statement, [certificate])


def two_sided(
    domain: Domain, lower: Certificate, upper: Certificate, root: Certificate | None = None
) -> Certificate:
    """Both bounds together, with the smallest of some ratios that is proved between them."""
    if "c" in lower["statement"]["domain"]["reals"]:
        domain = Domain((*domain.parameters, COSINE))
    premises = [lower, upper, *([root] if root else [])]
    values = [checker.conclusion(p["statement"])["value"] for p in premises]
    statement: dict[str, Any] = {
        "kind": "spectral-gap",
        "domain": domain.to_json(),
        "lower": values[0],
        "upper": values[1],
        "chains": checker.chains(lower["statement"]),
    }
    if root or values[0] == values[1]:
        statement["value"] = values[-1]
    if checker.conclusion(lower["statement"])["kind"] == "even-gap":
        statement["even"] = "yes"
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
    raise failure
