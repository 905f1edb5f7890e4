"""What the judge asks of a composed family: are the rows those of its parts, and its numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Any

from numerics import elimination, exact, quantities, rows
from numerics.chain import Chain
from numerics.quantities import Number
from numerics.rows import concrete
from theory.attachment import lumping_error as attachment_error
from theory.certificates import NoProof
from theory.chain import ExplicitChain, OrbitChain, Place, leaves
from theory.claims import Claim, each
from theory.composed import (
    MODE,
    Composed,
    Pair,
    gate_and_rest,
    leaving_rows,
    merged,
    product,
    product_chain,
)
from theory.composition import closed
from theory.domain import Point
from theory.kernel import GATE

SLACK = 1e-9  # relative, for numbers that have no error bound of their own
ROUNDING = 2.0**-50  # of a float and of its error bound
Band = tuple[Fraction, Fraction]  # a value lies between these
Key = tuple[Place, ...]  # no place for a number, one for a law, two for a matrix


def row_error(claim: Claim, family: Composed, point: Point) -> str | None:
    """Why the rows that a proof is about are not those of the family at a point, or None.

    Clusters are compared state by state with the rows of kernel and attachment, the walk cluster by
    cluster with the rows of the meta-graph.
    """
    meta, cluster = family.meta, family.cluster
    problems = (*meta.problems(), meta.gap_problem())
    gap = [replace(leaf, even=meta.even) for leaf in leaves(meta.gap_problem().chains)]
    known: list[Any] = [
        cluster.chain.to_json(),
        cluster.inside.to_json(),
        merged(cluster.chain).to_json(),
        leaving_rows(cluster.chain).to_json(),
        *_coarser(cluster.chain),
        *(leaf.to_json() for p in meta.problems() for leaf in leaves(p.chains)),
        *(product(cluster.chain, leaf) for p in meta.problems() for leaf in leaves(p.chains)),
        *(leaf.to_json() for leaf in gap),
    ]
    if meta.cyclic is not None:
        known.append(meta.cyclic.to_json())
    for chain in _subjects(claim.certificate):
        if chain not in known:
            return "the certificate is about other rows than the family's"
    problem, home = meta.problems()[0], family.home
    (start, at), target = problem.start, problem.target
    for statement in _statements(claim.certificate):
        if "start" in statement:
            expected = [f"{start}.{home}", at], [f"{target}.{home}"]
            if statement["kind"] == "composed-aggregated":
                expected = [start, at], [target]
            elif claim.quantity in ("exit-time", "exit-law"):
                expected = [home, None], ["outside"]
            if expected != (statement["start"], statement["target"]):
                return "the certificate is about another start or target"
        if "walk" in statement and "pivot" in statement:
            walks = [meta.cyclic.to_json()] if meta.cyclic else [leaf.to_json() for leaf in gap]
            if any(walk not in walks for walk in each(statement["walk"])):
                return "the certificate reads the rows of the walk in another way"
    inside = {p.name: point[p.name] for p in cluster.chain.domain.parameters}
    error = attachment_error(family.attachment, family.kernel, inside)
    if error:
        return error
    outside = {p.name: point[p.name] for p in meta.domain.parameters}
    return rows.error(meta, outside, problems)


def _coarser(chain: OrbitChain) -> list[Any]:
    """The rows of gate and rest, with the moves of the walk and without, if there are any."""
    try:
        two = gate_and_rest(chain)
    except NoProof:
        return []
    return [two.to_json(), closed(two).to_json()]


def _statements(certificate: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The statement of a certificate and those of its cases."""
    statement = certificate["statement"]
    if "split" in certificate["witness"] or statement["kind"] == "comparison":
        return [s for premise in certificate["premises"] for s in _statements(premise)]
    return [statement]


def _subjects(certificate: Mapping[str, Any]) -> list[Any]:
    """All rows that a certificate speaks of."""
    statement = certificate["statement"]
    found = [c for k in ("chain", "walk") if k in statement for c in each(statement[k])]
    return found + [chain for premise in certificate["premises"] for chain in _subjects(premise)]


def pair(family: Composed, state: tuple[int, int], point: Point) -> Pair:
    """The orbit of a state's cluster, and its type."""
    cluster, member = state
    gates = family.attachment.number_of_gates(point)
    return family.meta.place_of(cluster, point), family.kernel.place(member, point, gates)


def truth(
    quantity: str,
    family: Composed,
    chain: Chain,
    explicit: ExplicitChain,
    method: str,
    point: Point,
) -> dict[Key, Band]:
    """A quantity that only composed families have, on the explicit chain: where its values lie.

    Parameters
    ----------
    chain, explicit : the same chain, as numbers and state by state.
    """
    way: quantities.Method = "exact" if method == "exact" else "float"
    states = explicit.states
    ends = [states.index(end) for end in (family.start("", point), family.target("", point))]
    if quantity == "capacity":
        return {(): _capacity(chain, ends[0], ends[1], way)}
    if quantity == "conductance":
        return _one(quantities.conductance(chain, way))
    if quantity == "kemeny":
        return _one(quantities.kemeny_constant(chain, way))
    if quantity == "exact-gap":
        return _one(quantities.additive_gap(chain, way))
    if quantity == "metastability-ratio":
        gates = [n for n, state in enumerate(states) if pair(family, state, point)[1][0] == GATE]
        return _one(quantities.metastability_ratio(chain, gates, way))
    if quantity == "metastable-eigenvalues":  # of two clusters, whose walk has the eigenvalue mu
        step = (1 - point[MODE]) / 2
        cluster = family.attachment.explicit(family.kernel, point)
        two = concrete(product_chain(*cluster, {(0, 1): step, (1, 0): step}))
        return _one(quantities.additive_gap(two, way))
    cluster_states = [n for n, (k, _) in enumerate(states) if k == states[ends[0]][0]]
    watched = quantities.stochastic_complement(chain, cluster_states, way)
    if quantity == "pseudo-spectral-gap":
        return _one(quantities.pseudo_spectral_gap(watched.value, way))
    types = [pair(family, states[n], point)[1] for n in cluster_states]
    return _by_type(watched, types)


def _by_type(watched: quantities.Answer[Chain], types: Sequence[Place]) -> dict[Key, Band]:
    """The rows of the watched chain from one state of each type to the states of each.

    What a state keeps is 1 less what it gives away, so its error is that of all it gives away,
    however little it keeps.
    """
    rows: list[dict[Place, Band]] = [{t: (Fraction(1), Fraction(1))} for t in types]
    for a, b, p in watched.value.exact_entries():
        if types[a] == types[b]:  # given away and received by the same type
            continue
        low, high = around(p, watched.relative_error_bound)
        below, above = rows[a].get(types[b], (Fraction(0), Fraction(0)))
        rows[a][types[b]] = below + low, above + high
        below, above = rows[a][types[a]]
        rows[a][types[a]] = below - high, above - low
    return {
        (here, there): band
        for here, row in zip(types, rows, strict=True)
        for there, band in row.items()
    }


def _capacity(chain: Chain, start: int, target: int, way: quantities.Method) -> Band:
    """pi(a) P_a(tau_b < tau_a^+), which needs no reversibility."""
    if way == "exact":
        mass = around(exact.stationary(chain)[start], 0.0)
    else:
        law = elimination.stationary(chain)
        mass = around(float(law.values[start]), law.relative_error_bound)
    escape = quantities.escape_probability(chain, start, (target,), way)
    low, high = around(escape.value, escape.relative_error_bound)
    return mass[0] * low, mass[1] * high


def _one(answer: quantities.Answer[Number]) -> dict[Key, Band]:
    return {(): around(answer.value, answer.relative_error_bound)}


def around(value: Number, bound: float | None) -> Band:
    """Where the true number lies, given the bound on the relative error of a positive one."""
    middle = Fraction(value)
    if bound == 0 and isinstance(value, Fraction):
        return middle, middle
    slack = middle * Fraction((SLACK if bound is None else bound) + ROUNDING)
    return middle - slack, middle + slack
