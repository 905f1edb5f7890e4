"""Whether the rows that theory speaks of are those of the explicit chain at a point."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from functools import partial

from numerics import exact
from numerics.chain import Chain
from theory.chain import ExplicitChain, Place, State, leaf_at, lumping_error
from theory.domain import Point, evaluate, expression
from theory.family import Cyclic, Family, Problem


def concrete(explicit: ExplicitChain) -> Chain:
    """The explicit chain as a concrete one; state (k, i) is called ``k.i``."""
    names = [f"{k}.{i}" for k, i in explicit.states]
    return Chain.from_entries(names, ((a, b, p) for (a, b), p in explicit.transitions.items()))


def error(family: Family, point: Point, problems: Sequence[Problem]) -> str | None:
    """Why the explicit chain does not have the rows of the problems, or None if it has."""
    explicit = family.explicit(point)
    for problem in problems:
        place = partial(family.place, problem.name, point=point)
        wrong = lumping_error(explicit, leaf_at(problem.chains, point), point, place)
        if wrong is None and family.even:
            wrong = _uneven(explicit, place)
        if wrong:
            return wrong
    return None if family.cyclic is None else _cyclic_error(family, family.cyclic, point)


def _uneven(explicit: ExplicitChain, place: Callable[[State], Place]) -> str | None:
    """A state whose moves to an orbit are not uniform on it, or on its other states."""
    members: dict[Place, list[int]] = {}
    stay = [Fraction(1)] * len(explicit.states)
    for (a, _), p in explicit.transitions.items():
        stay[a] -= p
    for n, state in enumerate(explicit.states):
        members.setdefault(place(state), []).append(n)
    for n, state in enumerate(explicit.states):
        for orbit, others in members.items():
            moves = {explicit.transitions.get((n, m), Fraction(0)) for m in others if m != n}
            rests = n in others and moves and stay[n] > min(moves)  # longer than on its like
            if len(moves) > 1 or rests:
                return f"the moves of state {state} to the orbit {orbit} are not even"
    return None


def _cyclic_error(family: Family, cyclic: Cyclic, point: Point) -> str | None:
    """Whether the explicit chain differs from the moves on Z_K x types."""
    explicit, K = family.explicit(point), int(point["K"])
    transitions: Mapping[tuple[int, int], Fraction] = explicit.transitions
    if family.symmetrised:
        both = exact.additive_reversibilisation(concrete(explicit))
        transitions = {(a, b): p for a, b, p in both.exact_entries()}
    sizes = {name: evaluate(expression(size), point) for name, size in cyclic.types.items()}
    expected: dict[tuple[int, int], Fraction] = {}
    by_place: dict[tuple[int, str], list[int]] = {}
    for n, (k, i) in enumerate(explicit.states):
        by_place.setdefault((k, family.type((k, i))), []).append(n)
    for (k, kind), members in by_place.items():
        if len(members) != sizes[kind]:
            return f"type {kind} has {len(members)} states in a cluster, not {sizes[kind]}"
        for source, target, shift, text in cyclic.moves:
            if source != kind:
                continue
            p = evaluate(expression(text), point)
            others = [x for x in range(K) if x != k]
            clusters = others if shift == "others" else [(k + int(shift)) % K]
            for cluster in clusters:
                for n in members:
                    for m in by_place.get((cluster, target), []):
                        share = p / len(clusters) / sizes[target]
                        expected[n, m] = expected.get((n, m), Fraction(0)) + share
    off = {pair: p for pair, p in expected.items() if p and pair[0] != pair[1]}
    return None if off == transitions else "the chain differs from its moves on Z_K x types"
