"""Neighbourhoods in a graph, and isomorphisms of them: found, and checked edge by edge."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence, Sized
from fractions import Fraction
from typing import Any

Graph = Mapping[Any, Mapping[Any, Fraction]]
"""vertex -> neighbour -> probability of the step; what is left over is the step to itself."""


def neighbourhood(graph: Any, roots: Iterable[Any], radius: int) -> dict[Any, dict[Any, Fraction]]:
    """The subgraph on the vertices within a distance of the roots, with its probabilities."""
    near = front = set(roots)
    for _ in range(radius):
        front = {y for x in front for y in graph[x]} - near
        near = near | front
    return {x: {y: p for y, p in graph[x].items() if y in near} for x in near}


def isomorphism(
    first: Graph, second: Graph, roots: Sequence[tuple[Any, Any]]
) -> dict[Any, Any] | None:
    """A bijection of the vertices that keeps all probabilities and takes root to root, or None.

    Colours are refined by those of the neighbours until they are stable; then vertices of one
    colour are matched by trying, so that the search is complete.
    """
    if len(first) != len(second):
        return None
    colours = []
    for side, graph in enumerate((first, second)):
        named: dict[Any, Any] = {x: () for x in graph}
        for number, root in enumerate(roots):
            named[root[side]] = (*named[root[side]], number)
        colours.append(named)
    number_of: dict[Any, int] = {}
    shades = [{x: number_of.setdefault(c, len(number_of)) for x, c in n.items()} for n in colours]
    while True:
        before, number_of = len(number_of), {}
        finer = []
        for graph, old in zip((first, second), shades, strict=True):
            told = {
                x: (old[x], tuple(sorted((p, old[y]) for y, p in graph[x].items()))) for x in graph
            }
            finer.append({x: number_of.setdefault(c, len(number_of)) for x, c in told.items()})
        shades = finer
        if Counter(shades[0].values()) != Counter(shades[1].values()):
            return None
        if len(number_of) == before:
            break
    classes: dict[int, list[Any]] = {}
    for y, shade in shades[1].items():
        classes.setdefault(shade, []).append(y)
    order = _connected_order(first, shades[0], classes, [root[0] for root in roots])
    found: dict[Any, Any] = {}
    used: set[Any] = set()

    def fits(x: Any, y: Any) -> bool:
        mine = {found[z]: p for z, p in first[x].items() if z in found}
        back = {found[z]: first[z][x] for z in found if x in first[z]}
        return mine == {z: p for z, p in second[y].items() if z in used} and back == {
            z: second[z][y] for z in used if y in second[z]
        }

    choices = [iter(classes[shades[0][order[0]]])] if order else []
    while choices:
        x = order[len(choices) - 1]
        if x in found:
            used.discard(found.pop(x))
        y = next((y for y in choices[-1] if y not in used and fits(x, y)), None)
        if y is None:
            choices.pop()
            continue
        found[x] = y
        used.add(y)
        if len(found) == len(order):
            return found
        choices.append(iter(classes[shades[0][order[len(choices)]]]))
    return {} if not order else None


def _connected_order(
    graph: Graph, shade: Mapping[Any, int], classes: Mapping[int, Sized], roots: Sequence[Any]
) -> list[Any]:
    """The vertices, roots first, each if possible after a neighbour, small classes first."""
    order, seen = list(dict.fromkeys(roots)), set(roots)
    rest = sorted(graph, key=lambda x: len(classes[shade[x]]))
    queue = list(order)
    for start in [None, *rest]:
        if start is not None and start not in seen:
            seen.add(start)
            order.append(start)
            queue.append(start)
        while queue:
            x = queue.pop(0)
            for y in sorted(graph[x], key=lambda y: len(classes[shade[y]])):
                if y not in seen:
                    seen.add(y)
                    order.append(y)
                    queue.append(y)
    return order


def is_isomorphism(
    mapping: Mapping[Any, Any], first: Graph, second: Graph, roots: Sequence[tuple[Any, Any]]
) -> bool:
    """Whether a mapping is what `isomorphism` promises, checked edge by edge."""
    return (
        set(mapping) == set(first)
        and set(mapping.values()) == set(second)
        and len(first) == len(second)
        and all(mapping.get(a) == b for a, b in roots)
        and all({mapping[y]: p for y, p in first[x].items()} == second[mapping[x]] for x in first)
    )
