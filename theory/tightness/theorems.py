"""How each general theorem is written on a composition: its bound, and what it bounds."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import sympy
from sympy import Max, Min

from theory.bounds.aggregation import sensitivity
from theory.bounds.base import FiniteChain
from theory.claims import NoClaim
from theory.composition import R
from theory.domain import tidy
from theory.kernel import GATE, HOME
from theory.tightness.parts import Parts, other_orbit, rational
from theory.tightness.spans import ZERO, Span, known, over, rising

Found = tuple[Mapping[str, Span], Span]  # the sides of a bound, and the true value


def _by_aggregation(parts: Parts) -> Found:
    """What is left after the entry is the time from gate to home, in the whole chain."""

    def ends() -> tuple[sympy.Expr, sympy.Expr]:
        after = parts.cluster.mean.home[GATE].subs(R, 1 / parts.w)
        return after, after

    return _aggregation(parts, lambda: parts.within, ends)


def _by_commuting(parts: Parts) -> Found:
    """Every cluster counts by the largest commute time within it."""
    return _aggregation(
        parts,
        lambda: parts.commute / parts.w_start,
        lambda: (ZERO, parts.commute / parts.w),
    )


def _aggregation(
    parts: Parts,
    scale: Callable[[], sympy.Expr],
    after: Callable[[], tuple[sympy.Expr, sympy.Expr]],
) -> Found:
    """T_A, the error at the start, and what is left after the entry."""
    low = high = parts.aggregated
    at_home = parts.entrances.get(parts.family.home, ZERO)
    if at_home != 1:
        parts.need_alike()
        error = (1 - at_home) * scale()
        least, most = after()
        low, high = Max(ZERO, low - error + least), high + error + most
    return {"lower": known(low), "upper": known(high)}, known(parts.time)


def _aggregation_law(parts: Parts) -> Found:
    """The blocks are L, so that nothing is lost: the true error is 0."""
    parts.need_alike()
    parts.need_loopless()
    gate, home = parts.law[GATE], parts.law[HOME]
    there, back = parts.to_gate[HOME], parts.to_home[GATE]
    across = parts.to_home[other_orbit(parts.cluster.chain.orbits)]
    number = sympy.factor((1 - gate) / home)
    apart = Max(back - across, across - back)
    mixed = gate * there + home * back + (number - 1) * home * apart
    inner = Min(2, 2 * parts.rate * Max(home * across, mixed / 2))
    meta = parts.family.meta
    if not meta.domain.parameters:
        spread = rational(sensitivity(FiniteChain.of_explicit(meta.explicit({}))))
    elif parts.all_neighbours:
        spread = parts.w * parts.H
    else:
        raise NoClaim("the group inverse of this walk is not given in symbols")
    value = Min(2, inner * (1 + parts.step * spread * parts.rate))
    return {"upper": known(value)}, known(ZERO)


def _mean_from_law(parts: Parts) -> Found:
    """To the target's cluster: T_A from a gate, and from elsewhere the time to the gate before."""
    rate = parts.eigenvalue(parts.stay)
    lower = rising(lambda x: Max(0, 1 / rate - 1 / x), parts.gap)
    upper = known((1 - parts.w) / rate)
    reach = parts.cluster.mean_of(lambda row: parts.to_gate[row.orbit])
    truth = (1 - parts.w) * (parts.aggregated + reach)
    return {"lower": lower, "upper": upper}, known(tidy(truth, parts.domain))


def _exit(parts: Parts) -> Found:
    """From the target's cluster; the walk that ends with a step off it has the eigenvalue 0."""
    parts.need_loopless()
    upper = rising(lambda x: x / (1 - parts.w), over(parts.gap))
    return {"lower": known(parts.step), "upper": upper}, known(1 / parts.eigenvalue(ZERO))


def _canonical(parts: Parts) -> Found:
    """A path has the edges of W between the gates, and one more at either end off a gate."""
    parts.need_alike()
    gate, home, into = parts.law[GATE], parts.law[HOME], parts.edge(HOME, GATE)
    rest, across = 1 - gate, parts.edge(other_orbit(parts.cluster.chain.orbits), HOME)
    loads = [(e.length + 2 * rest * e.mass) * parts.step / e.edge for e in parts.routes.edges]
    for end in parts.routes.ends:
        loads.append((end.length + (1 - end.w) * (1 + rest) + end.w * gate) / into)
        loads.append(end.w * home / across)
    return {"lower": known(1 / Max(*_distinct(loads)))}, parts.gap


def _by_resistance(parts: Parts) -> Found:
    """The same paths; an edge inside a cluster of mass w has the resistance 1/(w pi(x) L(x, y))."""
    parts.need_alike()
    gate, home, into = parts.law[GATE], parts.law[HOME], parts.edge(HOME, GATE)
    rest, across = 1 - gate, parts.edge(other_orbit(parts.cluster.chain.orbits), HOME)
    loads = [
        parts.step * e.resistance + rest / (home * into) * e.inverse for e in parts.routes.edges
    ]
    for end in parts.routes.ends:
        inside = (1 - end.w + end.w * (rest * end.others + gate)) / into
        loads.append(inside + end.w * home * parts.step * end.resistance)
        loads.append(end.w * home / across)
    return {"lower": known(1 / Max(*_distinct(loads)))}, parts.gap


def _distinct(loads: Sequence[sympy.Expr]) -> list[sympy.Expr]:
    """Each once."""
    return list(dict.fromkeys(map(sympy.factor, loads)))


def _identity_of_time(parts: Parts) -> Found:
    time = known(parts.time)
    return {"lower": time, "upper": time}, time


def _energies(parts: Parts) -> Found:
    """The test function and the flow of the walk."""
    capacity = parts.capacity
    mass = parts.w * parts.law[parts.family.home]
    lower = 2 * mass * parts.aggregated
    upper = (1 - mass) * parts.energy
    return {"lower": known(lower), "upper": known(upper)}, known(1 / (2 * capacity))


def _cheeger(parts: Parts) -> Found:
    """The conductance lies between half the gap, by the theorem, and the cut around a cluster."""
    claim = parts.derivation.claim("conductance")
    gap = parts.gap
    phi = Span(gap.lower / 2, claim.upper, (*gap.facts, *claim.domain.facts))
    lower, upper = rising(lambda x: x**2 / 2, phi), rising(lambda x: 2 * x, phi)
    return {"lower": lower, "upper": upper}, gap


def _cut(parts: Parts) -> Found:
    parts.need_one_gate()
    parts.need_loopless()
    return {"upper": known(1 / (parts.step * (1 - parts.w)))}, parts.gap


def _overlaps(parts: Parts) -> tuple[sympy.Expr, Span, sympy.Expr]:
    """g, h and Theta for the pairs of neighbouring clusters."""
    D = parts.degree
    if D.is_number and D < 2:
        raise NoClaim("two clusters make one pair, and two sets are needed")
    facts = () if D.is_number else (f"{D} >= 2",)
    walk = replace(parts.walk_gap, facts=(*parts.walk_gap.facts, *facts))
    return parts.eigenvalue(1 - 2 / D), rising(lambda x: x / 2, walk), D


def _decomposition(parts: Parts) -> Found:
    g, h, D = _overlaps(parts)
    return {"lower": rising(lambda x: g * x / D**2, h)}, parts.gap


def _decomposition_sharp(parts: Parts) -> Found:
    """Both ends of a transition inside a cluster lie in D pairs."""
    g, h, D = _overlaps(parts)
    return {"lower": rising(lambda x: g * x / (D * (x + 2 - 2 / D)), h)}, parts.gap


def _projection(parts: Parts) -> Found:
    parts.need_loopless()
    lower = rising(
        lambda inner, outer: Min(outer / 3, inner * outer / (3 * parts.rate + outer)),
        parts.inner_gap,
        parts.outer_gap,
    )
    return {"lower": lower}, parts.gap


def _projection_sharp(parts: Parts) -> Found:
    parts.need_loopless()

    def root(inner: sympy.Expr, outer: sympy.Expr) -> sympy.Expr:
        total = sympy.factor(inner + 2 * parts.rate + outer)
        return 2 * inner * outer / (total + sympy.sqrt(total**2 - 4 * inner * outer))

    return {"lower": rising(root, parts.inner_gap, parts.outer_gap)}, parts.gap


def _law(parts: Parts) -> Found:
    parts.derivation.claim("stationary")
    value = known(tidy(parts.w * parts.law[parts.family.home], parts.domain))
    return {"lower": value, "upper": value}, value


def _complement_gap(parts: Parts) -> Found:
    return {"upper": parts.inner_gap}, parts.gap


def _watched_gap(parts: Parts) -> Found:
    """Watched and restricted chain are the same, L."""
    parts.need_loopless()
    inner = parts.inner_gap
    return {"lower": inner, "upper": rising(lambda x: x + 2 * parts.rate, inner)}, inner


def _capacity_above(parts: Parts) -> Found:
    capacity = parts.capacity
    return {"upper": known(1 / (2 * parts.aggregated))}, known(capacity)


def _capacity_below(parts: Parts) -> Found:
    capacity = parts.capacity
    return {"lower": known(1 / parts.energy)}, known(capacity)


def _pseudo(parts: Parts) -> Found:
    value = parts.pseudo_gap
    return {"lower": value, "upper": value}, value


def _watched_pseudo(parts: Parts) -> Found:
    return {"lower": parts.pseudo_gap}, known(parts.value("pseudo-spectral-gap"))


RECIPES: Mapping[str, Callable[[Parts], Found]] = {
    "aggregation-hitting-time": _by_aggregation,
    "aggregation-hitting-time-commute": _by_commuting,
    "aggregation-law": _aggregation_law,
    "aldous-brown-mean": _mean_from_law,
    "aldous-brown-exit-time": _exit,
    "canonical-paths": _canonical,
    "canonical-paths-by-resistance": _by_resistance,
    "hitting-time-by-capacity": _identity_of_time,
    "hitting-time-by-energies": _energies,
    "cheeger": _cheeger,
    "cheeger-cut": _cut,
    "state-decomposition": _decomposition,
    "state-decomposition-sharp": _decomposition_sharp,
    "dirichlet-principle": _capacity_above,
    "thomson-principle": _capacity_below,
    "pseudo-spectral-gap-reversible": _pseudo,
    "watched-pseudo-spectral-gap": _watched_pseudo,
    "projection-restriction": _projection,
    "projection-restriction-sharp": _projection_sharp,
    "stochastic-complement-law": _law,
    "stochastic-complement-gap": _complement_gap,
    "watched-chain-gap": _watched_gap,
}
"""How bound and true value are written, by theorem."""

_OVER_TIME = (
    "it is about every time, and the true value is a sum of powers of all eigenvalues: its factor "
    "changes with time"
)
WITHOUT = {
    "law-perturbation": "it needs the farthest rows of the group inverse of the whole chain, which "
    "change with the point",
    "aldous-brown-survival": _OVER_TIME,
    "aldous-brown-survival-steps": _OVER_TIME,
    "aldous-brown-exponential": _OVER_TIME,
    "pseudo-spectral-gap-contraction": "it needs the distance of two rows of a power of the chain, "
    "which has no closed form in the number of steps",
    "pseudo-spectral-gap-distance": _OVER_TIME,
    "pseudo-spectral-gap-mixing": "the mixing time is the first integer that passes a threshold, "
    "not a closed form",
    "pseudo-spectral-gap-variance": _OVER_TIME,
    "pseudo-spectral-gap-variance-sharp": _OVER_TIME,
}
"""Why there is no expression, whatever the composition."""
