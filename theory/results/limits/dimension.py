"""Correlations and dimensions by enumeration; nothing here knows a closed form."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache, partial

from theory.groups import Action
from theory.results.limits.problem import Problem, members

NEITHER, FIRST, SECOND, BOTH = range(4)
"""To which of two sets a candidate belongs."""


def gram_by_enumeration(problem: Problem, candidates: int) -> list[list[Fraction]]:
    """All correlations, from the answers of all 2^L sets to all x.  Nothing is assumed.

    Returns
    -------
    Rows S and columns T, sets as bits.
    """
    laws = [problem.law(i) for i in range(candidates)]
    shown = list(itertools.product(*laws))
    moves = problem.action.moves
    answers = []
    for mask in range(2**candidates):
        inside = tuple(members(mask))
        told = []
        for x in shown:
            point = problem.base
            for i in inside:
                point = moves[x[i]][point]
            told.append(point)
        answers.append(told)
    kernel = problem.kernel
    gram = [[Fraction(0)] * len(answers) for _ in answers]
    for s, first in enumerate(answers):
        for t in range(s + 1):
            pairs = Counter(zip(first, answers[t], strict=True))
            value = sum(c * kernel[p][q] for (p, q), c in pairs.items()) / Fraction(len(shown))
            gram[s][t] = gram[t][s] = value
    return gram


@dataclass(frozen=True)
class Enumeration:
    """The correlations of all pairs of sets, counted.

    Attributes
    ----------
    pairs : value -> number of ordered pairs (S, T) with this correlation.
    rows : sum over T of the absolute correlations with S -> number of S.
    """

    pairs: Mapping[Fraction, int]
    rows: Mapping[Fraction, int]

    @property
    def dimension(self) -> Fraction:
        """The statistical dimension of all 2^L sets."""
        return sum(self.rows.values()) / max(self.rows)


def enumeration(problem: Problem, candidates: int) -> Enumeration:
    """All 4^L pairs, for larger L: sets that lead to the same laws of answers are merged.

    For a set S the law of the pair of answers is kept for every T, as a count of equal laws; two
    sets S with equal counts have equal rows.
    """
    n = problem.action.points
    start = tuple(int(p == q == problem.base) for p in range(n) for q in range(n))
    classes = Counter({frozenset({start: 1}.items()): 1})
    scale = 1
    for i in range(candidates):
        law = Counter(problem.law(i))
        scale *= law.total()
        step = cache(partial(_pushed, problem.action, law))
        after: Counter[frozenset[tuple[tuple[int, ...], int]]] = Counter()
        for row, number in classes.items():
            for letters in ((NEITHER, SECOND), (FIRST, BOTH)):
                new_row: Counter[tuple[int, ...]] = Counter()
                for weights, count in row:
                    for letter in letters:
                        new_row[step(letter, weights)] += count
                after[frozenset(new_row.items())] += number
        classes = after
    flat = [x for line in problem.kernel for x in line]
    pairs, rows = Counter[Fraction](), Counter[Fraction]()
    for row, number in classes.items():
        total_row = Fraction(0)
        for weights, count in row:
            value = (
                sum((w * k for w, k in zip(weights, flat, strict=True) if w), Fraction(0)) / scale
            )
            pairs[value] += count * number
            total_row += count * abs(value)
        rows[total_row] += number
    return Enumeration(dict(pairs), dict(rows))


def _pushed(
    action: Action, law: Counter[int], letter: int, weights: tuple[int, ...]
) -> tuple[int, ...]:
    """The weights of the pairs of answers after one more candidate."""
    n, new = action.points, [0] * len(weights)
    for at, weight in enumerate(weights):
        if weight:
            p, q = divmod(at, n)
            for g, count in law.items():
                x = action.moves[g][p] if letter in (FIRST, BOTH) else p
                y = action.moves[g][q] if letter in (SECOND, BOTH) else q
                new[x * n + y] += weight * count
    return tuple(new)


def dimension(gram: Sequence[Sequence[Fraction]]) -> Fraction:
    """The statistical dimension of hypotheses with these correlations."""
    return len(gram) / max(sum(map(abs, row), Fraction(0)) for row in gram)


def hypothesis_tests(gram: Sequence[Sequence[Fraction]], samples: int) -> int:
    """SDA(m): the largest q with mean correlation <= 1/m on every event of probability >= 1/q^2.

    Brennan et al. (2021), for two hypotheses drawn uniformly and independently; the correlations
    given are those of dD_S/dD_0 - 1, which is v_S times the root of n - 1.

    Raises
    ------
    ValueError
        No correlation exceeds 1/m, so that every q will do.
    """
    values = sorted((x for row in gram for x in row), reverse=True)
    if values[0] * samples <= 1:
        raise ValueError(f"no correlation exceeds 1/{samples}: take more samples")
    sums = list(itertools.accumulate(values, initial=Fraction(0)))

    def fits(q: int) -> bool:
        # The mean over the k largest values falls with k, so the smallest event is the worst; it
        # may take a part of an atom, since an event may be drawn with further chance.
        size = Fraction(len(values), q * q)
        whole = min(math.floor(size), len(values))
        part = values[whole] * (size - whole) if whole < size else Fraction(0)
        return (sums[whole] + part) * samples <= size

    if not fits(1):
        return 0
    high = 2
    while fits(high):
        high *= 2
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    return low
