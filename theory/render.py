"""Claims for people: LaTeX, sentences, and values at a point."""

from __future__ import annotations

from fractions import Fraction

import sympy

from theory import checker
from theory.chain import OrbitChain, Place, chain_from_json, leaf_at, leaves
from theory.claims import Claim, law_at, named
from theory.composed import Composed, product_law_at
from theory.composition import closed
from theory.domain import Domain, DomainError, Point, describe, evaluate, expression
from theory.enclosure import enclose
from theory.expansion import Expansion
from theory.family import Exit, Family

LARGEST_CHAIN = 2000  # states, for a chain or matrix that is written out

SYMBOLS = {
    "hitting-time": r"\mathbb{E}[\tau]",
    "hitting-time-bounds": r"\mathbb{E}[\tau]",
    "exit-time": r"\mathbb{E}[\tau_{\mathrm{exit}}]",
    "aggregated-hitting-time": r"T_A",
    "spectral-gap": r"1-\lambda_2",
    "stationary": r"\pi",
    "aggregated-matrix": r"A",
    "second-moment": r"\mathbb{E}[\tau^2]",
    "exit-law": r"\mathbb{E}[\rho^{\tau_{\mathrm{exit}}}]",
    "exact-gap": r"1-\lambda_2",
    "metastable-eigenvalues": r"1-\lambda(\mu)",
    "stochastic-complement": r"S_{kk}",
    "pseudo-spectral-gap": r"\gamma_{\mathrm{ps}}(S_{kk})",
    "metastability-ratio": r"\varrho",
    "capacity": r"\mathrm{cap}",
    "conductance": r"\Phi",
    "kemeny": r"\kappa",
}


OF_ENDS = {
    "hitting-time": "mean time",
    "second-moment": "second moment of the time",
    "exit-time": "mean time",
    "exit-law": "E[rho^time], the time",
    "aggregated-hitting-time": "mean time on the chain of the clusters",
    "capacity": "capacity",
}


def symbol(quantity: str) -> str:
    """The LaTeX symbol of a quantity."""
    best = max((k for k in SYMBOLS if quantity.startswith(k)), key=len, default="")
    return SYMBOLS.get(best, r"\mathrm{" + quantity + "}")


def latex(value: sympy.Expr) -> str:
    """An expression as LaTeX, with epsilon as a Greek letter."""
    return str(sympy.latex(value))


def claim_latex(claim: Claim) -> str:
    """What a claim says, as one displayed formula (several rows for a law or a matrix)."""
    name = symbol(claim.quantity)
    if claim.expression is not None:
        return f"{name} = {latex(claim.expression)}"
    if claim.lower is not None and claim.upper is not None:
        return rf"{latex(claim.lower)} \;\le\; {name} \;\le\; {latex(claim.upper)}"
    rows = []
    for entry in claim.entries:
        place = r"\to ".join(r"\mathtt{" + p.replace("_", r"\_") + "}" for p in entry.place)
        rows.append(rf"{name}_{{{place}}} &= {latex(entry.value)}")
    return r"\begin{aligned}" + r" \\ ".join(rows) + r"\end{aligned}"


def expansion_latex(expansion: Expansion) -> str:
    """The terms of an expansion and the bounds of its remainder, as one displayed formula."""
    name, e = symbol(expansion.claim.quantity), sympy.Symbol("epsilon")
    parts = [
        rf"\left({latex(term)}\right) {latex(e ** (expansion.first + n))}"
        for n, term in enumerate(expansion.terms)
        if term != 0
    ]
    power = latex(e ** (expansion.first + len(expansion.terms)))
    bounds = rf"{latex(expansion.lower)} \;\le\; r \;\le\; {latex(expansion.upper)}"
    bounds = bounds if expansion.lower != expansion.upper else f"r = {latex(expansion.lower)}"
    return rf"{name} = {' + '.join(parts)} + r\, {power}, \qquad {bounds}"


def domain_text(domain: Domain) -> str:
    """``integers K, M and real epsilon with K >= 2, ...``."""
    kinds = [
        (word, [p.name for p in domain.parameters if p.integer == integer])
        for word, integer in (("integers", True), ("real", False))
    ]
    names = " and ".join(f"{word} {', '.join(found)}" for word, found in kinds if found)
    return f"{names} with {', '.join(domain.all_facts)}"


def domain_latex(domain: Domain) -> str:
    """The facts of a domain as LaTeX."""
    facts = []
    for fact in domain.all_facts:
        for sign, relation in ((">=", r"\ge"), ("<=", r"\le"), (">", ">"), ("<", "<")):
            if sign in fact:
                left, right = (latex(expression(x)) for x in fact.split(sign, 1))
                facts.append(f"{left} {relation} {right}")
                break
    return r",\quad ".join(facts)


def ends_text(claim: Claim, family: Family) -> str:
    """From where to where a time is, or between what a capacity; empty for other quantities."""
    quantity = claim.quantity
    what = next((text for kind, text in OF_ENDS.items() if quantity.startswith(kind)), "")
    if not what:
        return ""
    if isinstance(family, Composed):
        if quantity.startswith("exit"):
            return f"{what} from {family.home} until the cluster is left"
        (problem,) = family.problems()
        walk = f"(clusters: {checker.place(*problem.start)} -> {problem.target})"
        if quantity.startswith("aggregated"):
            return f"{what} from one cluster to another {walk}"
        return f"{what} from {family.home} of one cluster to {family.home} of another {walk}"
    for end in (Exit("", family.problems()[0].start), *family.exits):
        if quantity == named("exit-time", end.name):
            return f"{what} from {checker.place(*end.start)} until its cluster is left"
    for problem in family.problems():
        start, target = problem.start, problem.target
        if quantity == named("aggregated-hitting-time", problem.name):
            orbits = leaves(problem.chains)[-1].orbits
            start, target = (orbits[start[0]].cluster, start[1]), orbits[target].cluster
        elif quantity not in (named(f"hitting-time{x}", problem.name) for x in ("", "-bounds")):
            continue
        return f"{what} from {checker.place(*start)} to {target}"
    return ""


def values_at(claim: Claim, family: Family, point: Point) -> dict[str, object]:
    """The claim at a point of its domain: ``value``, or ``lower_value`` and ``upper_value``.

    Raises
    ------
    DomainError
        The point is outside the claim's domain, or a matrix would be too large to write out.
    """
    known = {p.name for p in claim.domain.parameters}
    inside = {name: value for name, value in point.items() if name in known}
    fact = claim.domain.violated(inside)
    if fact is not None:
        raise DomainError(f"{claim.id} is claimed where {fact}: choose such a point")
    if claim.quantity == "stationary":
        _require_short(_orbits(leaf_at(family.problems()[0].chains, point), point), point)
        if isinstance(family, Composed):
            pairs = product_law_at(claim, inside)
            names = [" ".join(map(_place, places)) for places in pairs]
            return {"value": [[str(p) for p in pairs.values()]], "orbits": names}
        law = law_at(claim, inside)
        return {"value": [[str(p) for p in law.values()]], "orbits": [_place(x) for x in law]}
    if claim.quantity == "aggregated-matrix":
        return {"value": _aggregated_matrix(claim, family, inside)}
    if claim.quantity == "stochastic-complement":
        chain = closed(chain_from_json(claim.domain, claim.statement["chain"]))
        _require_short(_orbits(chain, inside), point)
        rows = chain.at(inside)
        value = [[str(row.get(place, 0)) for place in rows] for row in rows.values()]
        return {"value": value, "orbits": [_place(place) for place in rows]}
    parts = {"value": claim.expression, "lower_value": claim.lower, "upper_value": claim.upper}
    return {k: _number(enclose(x, inside)) for k, x in parts.items() if x is not None}


def _aggregated_matrix(claim: Claim, family: Family, point: Point) -> list[list[str]]:
    """The K x K matrix at a point, cluster by cluster, from the proved law and the definition."""
    explicit = family.explicit(point) if family.states(point) <= LARGEST_CHAIN else None
    if explicit is None:
        raise DomainError(
            f"the matrix at {describe(point)} is too large to write out: take at most "
            f"{LARGEST_CHAIN} states"
        )
    law = law_at(claim, point)
    mass = [law[family.place("", state, point)] for state in explicit.states]
    clusters = explicit.clusters
    whole: dict[int, Fraction] = {}
    for k, p in zip(clusters, mass, strict=True):
        whole[k] = whole.get(k, Fraction(0)) + p
    order = sorted(whole)
    matrix = {(k, l): Fraction(int(k == l)) for k in order for l in order}
    for (a, b), p in explicit.transitions.items():
        k, l = clusters[a], clusters[b]
        if k != l:
            share = mass[a] * p / whole[k]
            matrix[k, l] += share
            matrix[k, k] -= share
    return [[str(matrix[k, l]) for l in order] for k in order]


def _require_short(orbits: Fraction, point: Point) -> None:
    """DomainError if there are too many orbits to write out."""
    if orbits > LARGEST_CHAIN:
        raise DomainError(
            f"the law at {describe(point)} is too long to write out: take at most "
            f"{LARGEST_CHAIN} orbits"
        )


def _orbits(chain: OrbitChain, point: Point) -> Fraction:
    """Number of orbits at a point."""
    spans = [o.index for o in chain.orbits.values()]
    lengths = [evaluate(s[1] - s[0] + 1, point) for s in spans if s is not None]
    return sum(lengths, Fraction(spans.count(None)))


def _place(place: Place) -> str:
    return checker.place(place[0], None if place[1] is None else str(place[1]))


def _number(value: tuple[Fraction, Fraction]) -> str | list[str]:
    """An exact ``p/q``, or the two ends of an enclosure."""
    low, high = value
    return str(low) if low == high else [str(low), str(high)]
