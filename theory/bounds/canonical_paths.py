"""Canonical paths: the spectral gap from below by the congestion of a choice of paths.

For every ordered pair x != y a path from x to y is chosen, along transitions of positive
probability. The main form is Sinclair's, in which a path counts by its number of steps; that of
Diaconis and Stroock counts it by the sum of 1/Q(e) over its steps e. A transition that a path
takes twice counts twice.

Neither reversibility nor laziness is needed: write f(y) - f(x) as a sum along the path from x to
y; by Cauchy and Schwarz, Var(f) <= B E(f, f), and E(f, f) = <f, (I - P) f> for every P. So
1 - Re lambda >= 1/B for every eigenvalue but the first 1, and for a reversible chain this is the
gap. Of |lambda| it says nothing: the chain that alternates between two states has B = 1/2 and
lambda_2 = -1. Irreducibility is needed: a transient state has no mass and so no congestion, but it
adds an eigenvalue.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise

from theory.bounds.base import (
    Bound,
    Data,
    FiniteChain,
    Hypothesis,
    HypothesisFails,
    Interval,
    Number,
    irreducible,
)

Paths = Mapping[tuple[int, int], Sequence[int]]
Step = tuple[int, int]


def shortest_paths(chain: FiniteChain) -> dict[tuple[int, int], tuple[int, ...]]:
    """A path with the fewest steps for every ordered pair x != y that has one.

    Of several it is the one found first, going by increasing states: not the best choice where
    there are many, as congestion falls when paths are spread over them.
    """
    found: dict[tuple[int, int], tuple[int, ...]] = {}
    for x in chain.states:
        paths: dict[int, tuple[int, ...]] = {x: (x,)}
        queue = [x]
        for y in queue:
            for z in chain.rows[y]:
                if z not in paths:
                    paths[z] = (*paths[y], z)
                    queue.append(z)
        found.update({(x, y): path for y, path in paths.items() if y != x})
    return found


def _pairs(chain: FiniteChain) -> Iterator[tuple[int, int]]:
    return ((x, y) for x in chain.states for y in chain.states if x != y)


def _check_pairs(chain: FiniteChain, data: Data) -> None:
    odd = set(data.get("paths", ())) - set(_pairs(chain))
    if odd:
        raise HypothesisFails(
            "a path for every pair", f"{min(odd)} is no pair of two states", "leave it out"
        )
    for x, y in _pairs(chain) if "paths" in data else ():
        path = data["paths"].get((x, y), ())
        if len(path) < 2 or (path[0], path[-1]) != (x, y):
            raise HypothesisFails(
                "a path for every pair",
                f"none goes from {x} to {y}",
                "give one for every ordered pair of states, its ends included",
            )


def _check_steps(chain: FiniteChain, data: Data) -> None:
    for x, y in _pairs(chain) if "paths" in data else ():
        for u, v in pairwise(data["paths"][x, y]):
            if u not in chain.states or v not in chain.rows[u]:
                raise HypothesisFails(
                    "paths follow transitions",
                    f"the path from {x} to {y} goes from {u} to {v}, and P does not",
                    "take a path of positive probability",
                )


def _load(
    chain: FiniteChain, paths: Paths | None, length: Callable[[list[Step]], Number]
) -> dict[Step, Number]:
    """For every transition on a path, the sum of pi(x) pi(y) length(path) over its paths."""
    load: dict[Step, Number] = {}
    for (x, y), path in (shortest_paths(chain) if paths is None else paths).items():
        steps = list(pairwise(path))
        weight = chain.law[x] * chain.law[y] * length(steps)
        for step in steps:
            load[step] = load.get(step, 0) + weight
    return load


def _sinclair(chain: FiniteChain, paths: Paths | None = None) -> Interval:
    load = _load(chain, paths, len)
    return Interval(1 / max(value / chain.flow(*step) for step, value in load.items()))


def _diaconis_stroock(chain: FiniteChain, paths: Paths | None = None) -> Interval:
    load = _load(chain, paths, lambda steps: sum(1 / chain.flow(*step) for step in steps))
    return Interval(1 / max(load.values()))


_QUANTITY = "spectral-gap"
_HYPOTHESES = (
    irreducible,
    Hypothesis("a path for every pair", _check_pairs),
    Hypothesis("paths follow transitions", _check_steps),
)
_OPTIONAL = {"paths": "(x, y) -> states of a path from x to y; shortest paths unless given"}
_GAP = (
    r"for every eigenvalue $\lambda$ of $P$ but the simple eigenvalue 1, $1 - \mathrm{Re}\,\lambda "
    r"\ge 1/B$; for a reversible chain, $1 - \lambda_2 \ge 1/B$."
)

canonical_paths = Bound(
    id="canonical-paths",
    title="Canonical paths",
    statement=(
        r"With a path $\gamma_{xy}$ of $|\gamma_{xy}|$ steps for every $x \ne y$ and $B = \max_e "
        r"\frac{1}{Q(e)} \sum_{\gamma_{xy} \ni e} \pi(x)\,\pi(y)\,|\gamma_{xy}|$, " + _GAP
    ),
    source="Sinclair 1992, Theorem 5",
    quantity=_QUANTITY,
    sides=("lower",),
    hypotheses=_HYPOTHESES,
    formula=_sinclair,
    optional=_OPTIONAL,
    equality="every two-state chain, and the chain that draws from its law at every step",
)

canonical_paths_by_resistance = Bound(
    id="canonical-paths-by-resistance",
    title="Canonical paths, weighted by resistance",
    statement=(
        r"With a path $\gamma_{xy}$ for every $x \ne y$ and $B = \max_e \sum_{\gamma_{xy} \ni e} "
        r"\pi(x)\,\pi(y) \sum_{e' \in \gamma_{xy}} \frac{1}{Q(e')}$, " + _GAP
    ),
    source="Diaconis and Stroock 1991, Proposition 1",
    quantity=_QUANTITY,
    sides=("lower",),
    hypotheses=_HYPOTHESES,
    formula=_diaconis_stroock,
    optional=_OPTIONAL,
    equality="as for canonical-paths",
)
