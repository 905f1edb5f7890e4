"""The only judge: from a claim, a method and a point to evidence, and from evidence to a verdict.

A claim is PROVED when the lone checker accepts its certificate, the statement it has verified is
the claim, the rows in that statement are those of explicit chains, and no number contradicts it.
"""

from __future__ import annotations

import decimal
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from fractions import Fraction
from typing import Any

import numpy as np
import sympy

from numerics import composed, elimination, events, exact, quantities, rows, simulate, spectrum
from numerics.chain import Chain, ChainError
from numerics.composed import Band, Key, around
from numerics.rows import concrete
from numerics.stattest import mean_band
from theory import checker
from theory.chain import (
    ExplicitChain,
    State,
    chain_from_json,
    leaf_at,
    leaves,
)
from theory.claims import Claim, case_at, each, entries_of, law_at, stated
from theory.composed import ARGUMENT, Composed, complement_entries, product_entries, product_law_at
from theory.derive import exit_chain
from theory.domain import Point, describe, evaluate, expression
from theory.enclosure import enclose
from theory.family import Exit, Family

# Quantities that are eigenvalues, and those that only composed families have.
EIGENVALUES = ("spectral-gap", "exact-gap", "metastable-eigenvalues", "pseudo-spectral-gap")
OF_COMPOSED = (
    *EIGENVALUES[1:],
    *("stochastic-complement", "metastability-ratio", "capacity", "conductance", "kemeny"),
)
MOST_STATES = 200  # of a composed family's explicit chain
_MOST_STATES = {
    "conductance": quantities.MAX_CUTS,  # found by looking at every set of states
    **dict.fromkeys((*EIGENVALUES, "metastability-ratio", "kemeny"), 60),
}
METHODS = ("exact", "float", "simulation")
ALARM = 5e-10  # false-alarm rate of one simulated comparison
REPLICAS = 2000
MOST_STEPS = 10**8  # of all replicas together


class Verdict(StrEnum):
    """What is known of a claim."""

    PROVED = "PROVED"
    CONSISTENT = "CONSISTENT"
    REFUTED = "REFUTED"
    UNDECIDED = "UNDECIDED"


@dataclass(frozen=True)
class Evidence:
    """One check of a claim.

    Attributes
    ----------
    claim : id of the claim.
    method : ``certificate``, ``rows``, ``exact``, ``float`` or ``simulation``.
    point : the parameters, empty for a certificate.
    verdict : PROVED (certificates only), CONSISTENT, REFUTED, or UNDECIDED.
    margin : for bounds the smallest relative distance to a bound, for identities the largest
        relative deviation, absolute where the number may be 0; None where there is nothing to
        measure.
    false_fail_rate : probability that a true claim fails this check.
    seed : of the random numbers, if there were any.
    reason : one line, empty if all is well.
    """

    claim: str
    method: str
    point: Mapping[str, Fraction]
    verdict: Verdict
    margin: float | None = None
    false_fail_rate: float = 0.0
    seed: int | None = None
    reason: str = ""


@dataclass(frozen=True)
class Judgement:
    """The verdict on a claim and the evidence for it."""

    claim: Claim
    verdict: Verdict
    evidence: tuple[Evidence, ...]

    @property
    def margin(self) -> float | None:
        """Smallest margin of a bound, largest deviation of an identity."""
        margins = [e.margin for e in self.evidence if e.margin is not None]
        pick = max if self.claim.lower is None else min
        return pick(margins) if margins else None

    @property
    def reason(self) -> str:
        """The first reason why it is not PROVED, or nothing."""
        return next((e.reason for e in self.evidence if e.reason), "")


def judge(
    claim: Claim,
    family: Family,
    methods: Sequence[str] = METHODS,
    points: Sequence[Point] | None = None,
    seed: int = 0,
) -> Judgement:
    """Check a claim by its certificate and by every method at every point.

    Parameters
    ----------
    methods : some of ``METHODS``; numerics alone never yields PROVED.
    points : by default a corner and some others of the claim's domain.
    seed : of the simulations.
    """
    points = claim.domain.points(4, seed=1) if points is None else points
    evidence = [certified(claim), *(same_rows(claim, family, point) for point in points)]
    for method in methods:
        if not applies(method, claim.quantity):
            continue
        if isinstance(family, Composed):
            most = _MOST_STATES.get(claim.quantity, MOST_STATES)
            points = [p for p in points if family.states(_complete(family, p)) <= most]
        chosen = points
        if method == "simulation" and points:
            chosen = [_shortest(claim, points)]
        evidence += [measure(claim, family, method, point, seed) for point in chosen]
    return Judgement(claim, _verdict(evidence), tuple(evidence))


def _shortest(claim: Claim, points: Sequence[Point]) -> Point:
    """The point at which there is least to simulate."""
    value = claim.expression if claim.upper is None else claim.upper
    return points[0] if value is None else min(points, key=lambda p: enclose(value, p)[1])


def applies(method: str, quantity: str) -> bool:
    """Whether a method can say something of a quantity.

    Eigenvalues are not rational, and only times from a start are simulated.
    """
    kind = _split(quantity)[0]
    if method == "exact":
        return kind not in EIGENVALUES
    return method == "float" or kind in ("hitting-time", "hitting-time-bounds", "exit-time")


def _verdict(evidence: Sequence[Evidence]) -> Verdict:
    verdicts = {e.verdict for e in evidence}
    for verdict in (Verdict.REFUTED, Verdict.UNDECIDED, Verdict.PROVED):
        if verdict in verdicts:
            return verdict
    return Verdict.CONSISTENT


def certified(claim: Claim) -> Evidence:
    """Have the lone checker verify the certificate, and compare its statement with the claim."""

    def no(reason: str) -> Evidence:
        return Evidence(claim.id, "certificate", {}, Verdict.UNDECIDED, reason=reason)

    try:
        statement = checker.check(claim.certificate)
    except checker.Refused as error:
        return no(f"the certificate is refused: {error}")
    told, ours = statement["domain"], claim.domain.to_json()
    facts = {*told["facts"]} - {"c >= -1", "c < 1"}  # c = cos(2 pi/K) always
    if facts != set(claim.domain.all_facts):
        return no(f"it is proved for {', '.join(sorted(facts))}")
    reals = [name for name in told["reals"] if name != "c"]
    if {**told, "facts": ours["facts"], "reals": reals} != ours:
        return no("it is proved for other parameters")
    kinds = _KINDS[_split(claim.quantity)[0]]
    if statement["kind"] not in kinds:
        return no(f"the certificate is of kind {statement['kind']}, not {kinds[0]}")
    listed = _ENTRIES.get(statement["kind"])
    if claim.entries != (listed(statement, claim.domain) if listed else ()):
        return no("it is proved with other entries")
    said = _said(statement)
    for name in ("expression", "lower", "upper"):
        value = getattr(claim, name)
        if (value is None) != (name not in said):
            return no(f"the certificate and the claim do not both state {name}")
        if value is not None and sympy.simplify(said[name] - value) != 0:
            return no(f"it is proved with {name} = {said[name]}")
    return Evidence(claim.id, "certificate", {}, Verdict.PROVED)


_KINDS = {  # what proves a quantity: of a family given by its rows, of a composed one
    "hitting-time": ("mean-hitting-time", "hitting-time-between"),
    "second-moment": ("second-moment",),
    "exit-time": ("mean-hitting-time",),
    "exit-law": ("generating-function",),
    "aggregated-hitting-time": ("aggregated-hitting-time", "composed-aggregated"),
    "hitting-time-bounds": ("comparison",),
    "stationary": ("stationary", "composed-law"),
    "aggregated-matrix": ("aggregated-matrix",),
    "spectral-gap": ("spectral-gap", "modes-gap", "exact-gap", "composed-gap"),
    "exact-gap": ("composed-root",),
    "metastable-eigenvalues": ("composed-mode",),
    "stochastic-complement": ("stochastic-complement",),
    "pseudo-spectral-gap": ("pseudo-gap",),
    "metastability-ratio": ("metastability-ratio",),
    "capacity": ("capacity",),
    "conductance": ("conductance",),
    "kemeny": ("kemeny",),
}


_ENTRIES = {  # kinds that state several values
    "stationary": entries_of,
    "aggregated-matrix": entries_of,
    "composed-law": product_entries,
    "stochastic-complement": complement_entries,
}


def _said(told: Mapping[str, Any]) -> dict[str, sympy.Expr]:
    """The values that a statement states, under the names that claims give them."""
    if told["kind"] != "comparison":
        return stated(told)
    value, bounds = expression(told["of"][1]["value"]), {}
    for text in told["claims"]:
        form = re.fullmatch(r"v0 (>=|<=) ([\d/]+)\*v1", text)
        if form is not None:
            bounds["lower" if form[1] == ">=" else "upper"] = expression(form[2]) * value
    return bounds


# ---------------------------------------------------------------- rows
def same_rows(claim: Claim, family: Family, point: Point) -> Evidence:
    """Compare the rows that the certificate is about with the explicit chain at a point."""
    full = _complete(family, point)
    kinds = [k for k in _KINDS[_split(claim.quantity)[0]] if k.startswith("composed-")]
    if isinstance(family, Composed) and kinds and claim.statement["kind"] not in kinds:
        reason: str | None = "the certificate is about a part of the family"
    elif isinstance(family, Composed):
        reason = composed.row_error(claim, family, full)
    else:
        reason = _row_error(claim, family, full)
    verdict = Verdict.CONSISTENT if reason is None else Verdict.REFUTED
    return Evidence(claim.id, "rows", point, verdict, reason=reason or "")


def _complete(family: Family, point: Point) -> dict[str, Fraction]:
    """The family's parameters at a point of a claim, which may have others beside."""
    names = {p.name for p in family.domain.parameters}
    return family.domain.complete({k: v for k, v in point.items() if k in names})


def _row_error(claim: Claim, family: Family, point: Point) -> str | None:
    problems, expected = family.problems(), _expected_rows(claim, family)
    if any(chain not in expected for chain in _roots(claim.certificate)):
        return "the certificate is about other rows than the family's"
    if _subjects(claim.certificate) != _expected_subjects(claim, family):
        return "the certificate is about another start, target or chain"
    gap = _split(claim.quantity)[0] == "spectral-gap"
    return rows.error(family, point, (*problems, *([family.gap_problem()] if gap else [])))


def _expected_rows(claim: Claim, family: Family) -> list[Any]:
    """The chains from which a proof of the claim may start."""
    kind, name = _split(claim.quantity)
    problems = {p.name: p for p in family.problems()}
    if kind == "exit-time":
        end = _exit(family, name)
        domain = family.domain.where(*end.facts)
        return [exit_chain(leaves(problems[""].chains)[-1], end.start, domain).to_json()]
    if kind == "spectral-gap" and family.cyclic is not None:
        return [family.cyclic.to_json()]
    if kind == "spectral-gap":
        chains = leaves(family.gap_problem().chains)
        return [replace(leaf, even=family.even).to_json() for leaf in chains]
    return [leaf.to_json() for leaf in leaves(problems[name].chains)]


def _expected_subjects(claim: Claim, family: Family) -> list[Any]:
    """Of the hitting times in a claim: start, target, and whether on the chain of the clusters."""
    kind, name = _split(claim.quantity)
    if kind == "exit-time":
        return [[[_exit(family, name).start[0], None], ["outside"], False]]
    problem = next((p for p in family.problems() if p.name == name), None)
    times = ("hitting-time", "aggregated-hitting-time", "hitting-time-bounds")
    if problem is None or kind not in times:
        return []
    orbits = leaves(problem.chains)[-1].orbits
    start, at = problem.start
    own = [[start, at], [problem.target], False]
    meta = [[orbits[start].cluster, at], [orbits[problem.target].cluster], True]
    return {"hitting-time": [own], "aggregated-hitting-time": [meta]}.get(kind, [own, meta])


def _subjects(certificate: Mapping[str, Any]) -> list[Any]:
    """Of the hitting times that a certificate compares or concludes with, in order."""
    statement, split = certificate["statement"], "split" in certificate["witness"]
    if statement["kind"] in (*_TIMES, "aggregated-hitting-time"):
        return [[statement["start"], statement["target"], statement["kind"] not in _TIMES]]
    if statement["kind"] != "comparison":
        return []
    parts = [_subjects(p) for p in certificate["premises"] if "vacuous" not in p["witness"]]
    alike = split and all(part == parts[0] for part in parts)
    return parts[0] if parts and alike else [subject for part in parts for subject in part]


_TIMES = ("mean-hitting-time", "hitting-time-between")


def _roots(certificate: Mapping[str, Any]) -> list[Any]:
    """The chains that a proof starts from."""
    if certificate["statement"]["kind"] == "comparison":
        return [chain for premise in certificate["premises"] for chain in _roots(premise)]
    return each(certificate["statement"]["chain"])


# ---------------------------------------------------------------- numbers
def measure(claim: Claim, family: Family, method: str, point: Point, seed: int = 0) -> Evidence:
    """Compare a claim with the explicit chain at a point, by a method that applies to it."""
    full = {**point, **_complete(family, point)}
    try:
        truth = _truth(claim.quantity, family, method, full, seed)
    except ChainError as error:
        return Evidence(claim.id, method, point, Verdict.UNDECIDED, reason=str(error))
    try:
        margin, reason = _compare(claim, point, truth)
    except LookupError:  # a certificate of another kind was put in its place
        wrong = "the certificate does not state the values of the claim"
        return Evidence(claim.id, method, point, Verdict.UNDECIDED, reason=wrong)
    simulated = method == "simulation"
    return Evidence(
        claim.id,
        method,
        point,
        Verdict.REFUTED if reason else Verdict.CONSISTENT,
        margin,
        ALARM if simulated else 0.0,
        seed if simulated else None,
        reason,
    )


def _compare(claim: Claim, point: Point, truth: Mapping[Key, Band]) -> tuple[float | None, str]:
    """Margin, and the reason of a refutation if there is one."""
    bounds: list[float] = []
    errors: list[float] = []
    claimed = _claimed(claim, point)
    for key, (low, high) in truth.items():
        where = " -> ".join(checker.place(name, _text(index)) for name, index in key)
        where = f"{claim.quantity} {where} at {describe(point)}".replace("  ", " ")
        if claim.lower is not None and claim.upper is not None:
            below, above = enclose(claim.lower, point)[0], enclose(claim.upper, point)[1]
            bounds += [_ratio(high, below) - 1, 1 - _ratio(low, above)]
            if below > high:
                told = _show(high, below)
                return bounds[0], f"{where} is {told[0]}, below the lower bound {told[1]}"
            if above < low:
                told = _show(low, above)
                return bounds[1], f"{where} is {told[0]}, above the upper bound {told[1]}"
        if claimed:
            least, most = claimed.get(key, (Fraction(0), Fraction(0)))
            ours, theirs = (least + most) / 2, (low + high) / 2
            # A value that may be 0 has no relative deviation.
            errors.append(abs(_ratio(ours, theirs) - 1 if low > 0 else float(ours - theirs)))
            if least > high or most < low:
                told = _show(theirs, least)
                return errors[-1], f"{where} is {told[0]}, not {told[1]}"
    if bounds:
        return min(bounds), ""
    return (max(errors), "") if errors else (None, "")


def _claimed(claim: Claim, point: Point) -> dict[Key, Band]:
    """The exact values that a claim states."""
    if claim.expression is not None:
        return {(): enclose(claim.expression, point)}
    if _composed(claim):
        return {key: (p, p) for key, p in product_law_at(claim, point).items()}
    if claim.quantity == "stationary":
        return {(place,): (p, p) for place, p in law_at(claim, point).items()}
    if claim.quantity == "stochastic-complement":
        chain = chain_from_json(claim.domain, claim.statement["chain"])
        return {(a, b): (p, p) for a, row in chain.at(point).items() for b, p in row.items()}
    if claim.quantity == "aggregated-matrix":
        chain = chain_from_json(
            claim.domain, case_at(claim.certificate, point)["statement"]["aggregated"]
        )
        return {(a, b): (p, p) for a, row in chain.at(point).items() for b, p in row.items()}
    return {}


def _composed(claim: Claim) -> bool:
    """Whether a claim is the product law of a composed family."""
    return bool(claim.statement["kind"] == "composed-law")


def _truth(quantity: str, family: Family, method: str, point: Point, seed: int) -> dict[Key, Band]:
    """The quantity on the explicit chain, by a method that applies to it."""
    chain, explicit = _concrete(family, point)
    kind, name = _split(quantity)
    if isinstance(family, Composed) and kind in OF_COMPOSED:
        return composed.truth(kind, family, chain, explicit, method, point)
    if kind == "spectral-gap":
        return {(): around(spectrum.additive_gap(chain), None)}
    if kind in ("stationary", "aggregated-matrix"):
        return _of_law(kind, family, method, point)
    if kind == "aggregated-hitting-time":
        clusters = explicit.clusters
        meta = _aggregated(chain, clusters, _law(chain, method))
        start, target = family.start(name, point), family.target(name, point)
        return {(): _hitting(meta, method, start[0], [target[0]], seed)}
    if kind in ("exit-time", "exit-law"):
        start = _exit_start(family, name, point)
        targets = [n for n, (k, _) in enumerate(explicit.states) if k != start[0]]
        if kind == "exit-law":
            return {
                (): _exit_law(chain, method, explicit.states.index(start), targets, point[ARGUMENT])
            }
        return {(): _hitting(chain, method, explicit.states.index(start), targets, seed)}
    start, target = family.start(name, point), family.target(name, point)
    states = explicit.states
    if kind == "second-moment":
        moments = quantities.second_moments(chain, [states.index(target)], _way(method))
        return {(): _answered(moments, states.index(start))}
    return {(): _hitting(chain, method, states.index(start), [states.index(target)], seed)}


def _split(quantity: str) -> tuple[str, str]:
    """``exit-time-hub`` as (``exit-time``, ``hub``)."""
    for kind in ("aggregated-hitting-time", "hitting-time-bounds", "hitting-time", "exit-time"):
        if quantity == kind or quantity.startswith(f"{kind}-"):
            return kind, quantity.removeprefix(kind).removeprefix("-")
    return quantity, ""


def _concrete(family: Family, point: Point) -> tuple[Chain, ExplicitChain]:
    explicit = family.explicit(point)
    return concrete(explicit), explicit


def _hitting(chain: Chain, method: str, start: int, targets: list[int], seed: int) -> Band:
    if method == "exact":
        value = exact.mean_hitting_times(chain, targets)[start]
        return value, value
    solution = elimination.mean_hitting_times(chain, targets)
    mean = float(solution.values[start])
    if method == "float":
        return around(mean, solution.relative_error_bound)
    rng = np.random.default_rng(seed)
    sample: simulate.Sample | events.Sample
    if mean * REPLICAS <= MOST_STEPS:
        sample = simulate.hitting_times(
            chain, start, targets, REPLICAS, rng, max_steps=10 * MOST_STEPS
        )
    else:  # so many steps take from second to years: from event to event, the law is the same
        sample = events.hitting_times(chain, start, targets, REPLICAS, rng)
    # the claim must lie where the average would be, were the claim the mean
    low, high = mean_band(mean, float(solution.values.max()), REPLICAS, ALARM)
    return Fraction(sample.mean + mean - high), Fraction(sample.mean + mean - low)


def _way(method: str) -> quantities.Method:
    return "exact" if method == "exact" else "float"


def _answered(answer: quantities.Answer[Any], start: int) -> Band:
    """One value of several, with the error bound of all."""
    return around(answer.value[start], answer.relative_error_bound)


def _exit_law(
    chain: Chain, method: str, start: int, targets: list[int], argument: Fraction
) -> Band:
    return _answered(quantities.generating_function(chain, targets, argument, _way(method)), start)


def _law(chain: Chain, method: str) -> tuple[Band, ...]:
    if method == "exact":
        return tuple((x, x) for x in exact.stationary(chain))
    solution = elimination.stationary(chain)
    return tuple(around(float(x), solution.relative_error_bound) for x in solution.values)


def _of_law(kind: str, family: Family, method: str, point: Point) -> dict[Key, Band]:
    chain, explicit = _concrete(family, point)
    law = _law(chain, method)
    if kind == "stationary":
        out: dict[Key, Band] = {}
        for state, (low, high) in zip(explicit.states, law, strict=True):
            key: Key = (
                composed.pair(family, state, point)
                if isinstance(family, Composed)
                else (family.place("", state, point),)
            )
            before = out.get(key, (low, high))
            out[key] = min(low, before[0]), max(high, before[1])
        return out
    places = [family.place("", state, point) for state in explicit.states]
    orbits = leaf_at(family.problems()[0].chains, point).orbits
    label = {
        k: (orbits[name].cluster, index)
        for (k, _), (name, index) in zip(explicit.states, places, strict=True)
    }
    matrix: dict[Key, Band] = {}
    meta = _aggregated(chain, explicit.clusters, law)
    count = {place: list(label.values()).count(place) for place in label.values()}
    for k, l, p in (*meta.exact_entries(), *_diagonal(meta)):
        key = label[k], label[l]
        low, high = matrix.get(key, (Fraction(0), Fraction(0)))
        share = p / count[label[k]]
        slack = share * Fraction(1, 10**12) if method == "float" else Fraction(0)
        matrix[key] = low + share - slack, high + share + slack
    return {key: band for key, band in matrix.items() if band[1] > 0}


def _diagonal(chain: Chain) -> list[tuple[int, int, Fraction]]:
    stay = [Fraction(1)] * chain.size
    for a, _, p in chain.exact_entries():
        stay[a] -= p
    return [(k, k, p) for k, p in enumerate(stay)]


def _aggregated(chain: Chain, clusters: Sequence[int], law: Sequence[Band]) -> Chain:
    """The chain of the clusters, A_kl = sum over x in C_k of pi_k(x) P(x, C_l)."""
    mass: dict[int, Fraction] = {}
    flow: dict[tuple[int, int], Fraction] = {}
    middle = [(low + high) / 2 for low, high in law]
    for k, p in zip(clusters, middle, strict=True):
        mass[k] = mass.get(k, Fraction(0)) + p
    for a, b, p in chain.exact_entries():
        pair = clusters[a], clusters[b]
        if pair[0] != pair[1]:
            flow[pair] = flow.get(pair, Fraction(0)) + middle[a] * p
    names = [str(k) for k in sorted(mass)]
    return Chain.from_entries(names, ((k, l, f / mass[k]) for (k, l), f in flow.items()))


def _exit(family: Family, name: str) -> Exit:
    ends = (Exit("", family.problems()[0].start), *family.exits)
    return next(end for end in ends if end.name == name)


def _exit_start(family: Family, name: str, point: Point) -> State:
    """A state in the orbit from which an exit time is asked."""
    if isinstance(family, Composed):
        return family.start("", point)
    orbit, at = _exit(family, name).start
    index = None if at is None else int(evaluate(expression(at), point))
    states = family.explicit(point).states
    return next(s for s in states if family.place("", s, point) == (orbit, index))


def _ratio(a: Fraction, b: Fraction) -> float:
    return float(a / b) if b else (1.0 if a == b else float("inf"))


def _show(*values: Fraction) -> list[str]:
    """Numbers for people, with as many digits as tell different ones apart."""
    if all(value.denominator < 10**6 for value in values):
        return [str(value) for value in values]
    digits = 12
    while True:
        context = decimal.Context(prec=digits)
        told = [f"{context.divide(v.numerator, v.denominator):g}" for v in values]
        if len(set(told)) == len(set(values)):
            return told
        digits += 4


def _text(index: int | None) -> str | None:
    return None if index is None else str(index)
