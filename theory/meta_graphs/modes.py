"""Test functions for the spectral gap of a walk given in numbers.

Both come from inverse iteration in exact arithmetic and are rounded at the end: they are guesses
for a certificate, which proves the bound that they give.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction

from flint import fmpq, fmpq_mat

from theory.chain import OrbitChain, Place
from theory.family import Pivot

STEPS = 30
UNIT = 10**6  # values are rounded to this part of the largest
Rows = Mapping[Place, Mapping[Place, Fraction]]


def pivot_at(chain: OrbitChain, name: str) -> Pivot:
    """The pivot at an orbit, with a function that is nearly the slowest mode of the rest.

    The walk killed at the pivot loses mass at a rate that bounds the gap from below; it is the best
    bound that a pivot can give.

    Parameters
    ----------
    chain : without parameters, of single orbits; the pivot of one state.
    """
    rows = chain.at({})
    others = [place for place in rows if place[0] != name]
    green = _laplacian(rows, others).inv()
    times = _times(green, [Fraction(1)] * len(others))
    parts = _joined(rows, others)
    values = times
    for _ in range(STEPS):
        values = _rounded(_times(green, values), parts)
    found = {}
    for guess in (values, times):  # the times serve where rounding spoils the mode
        f = dict(zip(others, guess, strict=True)) | {(name, None): Fraction(0)}
        if all(f[x] for x in others):
            rates = (1 - sum(p * f[to] for to, p in rows[x].items()) / f[x] for x in others)
            found[min(rates)] = {place[0]: str(value) for place, value in f.items()}
    rate = max(found)
    bound = 1000 / Fraction(-(-1000 // rate))  # rounded down
    return Pivot(name, bound=str(bound), function=found[rate])


def nearest(chain: OrbitChain, masses: Mapping[Place, Fraction]) -> str:
    """The state that is hit soonest from where that takes longest.

    The mean time to hit y from x is (Z_yy - Z_xy)/pi_y with Z = (I - P + 1 pi)^-1 (Kemeny and Snell
    1976, theorem 4.4.7).

    Parameters
    ----------
    chain : without parameters, of single states.
    masses : stationary mass of each, up to a factor.
    """
    rows = chain.at({})
    places, total = list(rows), sum(masses.values(), Fraction(0))
    size = len(places)
    law = [masses[place] / total for place in places]
    ones = fmpq_mat(size, 1, [fmpq(1)] * size)
    projection = ones * fmpq_mat(1, size, [fmpq(p.numerator, p.denominator) for p in law])
    z = (_laplacian(rows, places) + projection).inv()

    def longest(y: int) -> fmpq:
        return max((z[y, y] - z[x, y]) / projection[0, y] for x in range(size))

    return places[min(range(size), key=longest)][0]


def slow_mode(chain: OrbitChain, masses: Mapping[Place, Fraction], target: str) -> dict[str, str]:
    """A function that is nearly an eigenfunction of the second largest eigenvalue.

    The iteration starts from the target, and again from values without symmetry: the first finds
    simple numbers where it finds the mode.

    Parameters
    ----------
    chain : without parameters, of single orbits, reversible.
    masses : stationary mass of each orbit, up to a factor.
    """
    rows = chain.at({})
    places = list(rows)
    inverse = _laplacian(rows, places[1:]).inv()
    law = [masses[place] for place in places]
    total = sum(law, Fraction(0))

    def centred(f: Sequence[Fraction]) -> list[Fraction]:
        mean = sum((p * x for p, x in zip(law, f, strict=True)), Fraction(0)) / total
        return [x - mean for x in f]

    def energy(f: Sequence[Fraction]) -> Fraction:
        here = dict(zip(places, f, strict=True))
        flows = (
            mass * p * (here[to] - here[x]) ** 2
            for x, mass in zip(places, law, strict=True)
            for to, p in rows[x].items()
        )
        squares = (p * x * x for p, x in zip(law, centred(f), strict=True))
        return sum(flows, Fraction(0)) / sum(squares, Fraction(0))

    found = []
    for start in (
        [Fraction(place[0] == target) for place in places],
        [Fraction((7 * n * n + n) % 31 - 15) for n in range(len(places))],
    ):
        f = centred(start)
        for _ in range(STEPS):
            f = centred([Fraction(0), *_times(inverse, f[1:])])
            f = centred(_rounded(f, [range(len(f))]))
        simple = [x.limit_denominator(100) for x in f]
        found += [simple, f]
    best = min((f for f in found if len(set(f)) > 1), key=energy)
    return {place[0]: str(x) for place, x in zip(places, best, strict=True)}


def _laplacian(rows: Rows, places: Sequence[Place]) -> fmpq_mat:
    """I - P on some places."""
    entries = [[(1 if x == y else 0) - rows[x].get(y, Fraction(0)) for y in places] for x in places]
    size = len(places)
    return fmpq_mat(size, size, [fmpq(p.numerator, p.denominator) for row in entries for p in row])


def _times(matrix: fmpq_mat, vector: Sequence[Fraction]) -> list[Fraction]:
    column = fmpq_mat(len(vector), 1, [fmpq(x.numerator, x.denominator) for x in vector])
    return [Fraction(int(x.p), int(x.q)) for x in (matrix * column).entries()]


def _joined(rows: Rows, places: Sequence[Place]) -> list[list[int]]:
    """The parts of the places, by number, that the others keep apart."""
    parts: list[list[int]] = []
    left = dict.fromkeys(range(len(places)))
    while left:
        part = [next(iter(left))]
        for n in part:
            left.pop(n, None)
            near = rows[places[n]]
            part += [k for k in left if k not in part and places[k] in near]
        parts.append(part)
    return parts


def _rounded(values: Sequence[Fraction], parts: Sequence[Sequence[int]]) -> list[Fraction]:
    """The values over the largest of their part, rounded."""
    out = list(values)
    for part in parts:
        largest = max(abs(values[n]) for n in part)
        for n in part:
            out[n] = Fraction(round(values[n] / largest * UNIT), UNIT)
    return out
