"""Correlations and dimensions in closed form, for every L."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from theory.groups import Action
from theory.results.limits.dimension import BOTH, FIRST, NEITHER, dimension
from theory.results.limits.problem import Law, Problem, biased, members, on_or_off, uniform


def correlation(problem: Problem, first: int, second: int) -> Fraction:
    """One correlation, for any L: a product of averages in the representation on pairs of points.

    <v_S, v_T> is the entry at (base, base) of the product, over the candidates, of the averages of
    rho(x) (x) rho(x), rho(x) (x) 1 or 1 (x) rho(x), applied to the kernel.
    """
    value: Mapping[tuple[int, int], Fraction] = {
        (p, q): k for p, line in enumerate(problem.kernel) for q, k in enumerate(line)
    }
    for i in sorted(members(first | second), reverse=True):
        letter = (first >> i & 1) + 2 * (second >> i & 1)
        value = averaged(problem.action, problem.law(i), letter, value)
    return value[problem.base, problem.base]


def averaged(
    action: Action, law: Law, letter: int, value: Mapping[tuple[int, int], Fraction]
) -> dict[tuple[int, int], Fraction]:
    """The mean over one candidate's element of a function of the two answers."""
    counts, m = Counter(law), len(law)
    moves = [(action.moves[g], c) for g, c in counts.items()]
    if letter == NEITHER:
        return dict(value)
    return {
        (p, q): sum(
            c * value[move[p] if letter in (FIRST, BOTH) else p, move[q] if letter > FIRST else q]
            for move, c in moves
        )
        / Fraction(m)
        for p, q in value
    }


def biased_correlation(bias: Fraction, first: int, second: int) -> Fraction:
    """b^|S symmetric difference T|, whatever the group; 1 at S = T, also for b = 0."""
    return Fraction(bias ** (first ^ second).bit_count())


def biased_dimension(bias: Fraction, candidates: int) -> Fraction:
    """(2/(1 + b))^L, whatever the group; 2^L for uniform actions, b = 0."""
    return Fraction((2 / (1 + bias)) ** candidates)


def cyclic_correlation(m: int, first: int, second: int) -> Fraction:
    """Generator 1 of Z/m, on or off: (m P(Bin(a, 1/2) = Bin(b, 1/2) mod m) - 1)/(m - 1).

    Here a = |S minus T| and b = |T minus S|; by characters, the sum over k = 1 .. m - 1 of
    cos(pi k/m)^(a + b) cos(pi k (a - b)/m), over m - 1.
    """
    a, b = (first & ~second).bit_count(), (second & ~first).bit_count()
    return _cyclic(m, a, b)


def _cyclic(m: int, a: int, b: int) -> Fraction:
    agree = sum(math.comb(a + b, k) for k in range(b % m, a + b + 1, m))
    return (Fraction(m * agree, 2 ** (a + b)) - 1) / (m - 1)


def cyclic_dimension(m: int, candidates: int) -> Fraction:
    """Of the generator 1 of Z/m, on or off."""

    def row(size: int) -> Fraction:
        rest = candidates - size
        return sum(
            (
                math.comb(size, a) * math.comb(rest, b) * abs(_cyclic(m, a, b))
                for a in range(size + 1)
                for b in range(rest + 1)
            ),
            Fraction(0),
        )

    return Fraction(2**candidates) / max(map(row, range(candidates + 1)))


def basis_correlation(k: int, first: int, second: int) -> Fraction:
    """(Z/2)^k, candidate i the basis vector i mod k, on or off: (2^e - 1)/(2^k - 1).

    Here e is the number of coordinates at which S and T have the same candidates.
    """
    differ = {i % k for i in members(first ^ second)}
    return Fraction(2 ** (k - len(differ)) - 1, 2**k - 1)


def basis_dimension(k: int, candidates: int) -> Fraction:
    """(2^k - 1)/(prod_j (1 + 2^-c_j) - 1), with c_j candidates at coordinate j.

    Of order 2^(L/k): only the candidates at one coordinate hide one another.
    """
    counts = [len(range(j, candidates, k)) for j in range(k)]
    product = math.prod((1 + Fraction(1, 2**c) for c in counts), start=Fraction(1))
    return Fraction((2**k - 1) / (product - 1))


@dataclass(frozen=True)
class Case:
    """A problem with its closed form.

    Attributes
    ----------
    closed : (S, T) -> correlation, sets as bits.
    dimension : L -> the dimension of all 2^L sets.
    """

    id: str
    problem: Problem
    closed: Callable[[int, int], Fraction]
    dimension: Callable[[int], Fraction]


def uniform_case(action: Action) -> Case:
    """Uniform actions, the whole answer: all sets are uncorrelated."""
    return Case(
        f"uniform {action.id}",
        uniform(action),
        lambda s, t: Fraction(s == t),
        lambda n: Fraction(2**n),
    )


def observed_case(action: Action, observable: Sequence[int]) -> Case:
    """Uniform actions and one observable: uncorrelated, the empty set with a norm of its own."""
    problem = uniform(action, observable)
    empty = problem.kernel[problem.base][problem.base]
    return Case(
        f"observed {action.id}",
        problem,
        lambda s, t: Fraction(s == t) * (Fraction(1) if s else empty),
        lambda n: 2**n / (max(empty, Fraction(1)) if n else empty),
    )


def biased_case(action: Action, bias: Fraction) -> Case:
    """Actions that are neutral with probability b, else uniform."""
    return Case(
        f"biased {action.id}",
        biased(action, bias),
        lambda s, t: biased_correlation(bias, s, t),
        lambda n: biased_dimension(bias, n),
    )


def cyclic_case(action: Action, m: int) -> Case:
    """The element 1 of a cyclic group of order m, on or off."""
    return Case(
        f"on or off {action.id}",
        on_or_off(action, [1]),
        lambda s, t: cyclic_correlation(m, s, t),
        lambda n: cyclic_dimension(m, n),
    )


def basis_case(action: Action, k: int) -> Case:
    """The basis vectors of (Z/2)^k in turn, on or off."""
    return Case(
        f"on or off {action.id}",
        on_or_off(action, [2**j for j in range(k)]),
        lambda s, t: basis_correlation(k, s, t),
        lambda n: basis_dimension(k, n),
    )


def one_element_case(action: Action, element: int) -> Case:
    """One element, on or off: what is moved goes round its cycle, so it is that of Z/m."""
    problem = on_or_off(action, [element])
    m = len(problem.answers)
    name = f"on or off {action.id}, a cycle of {m}"
    return Case(
        name, problem, lambda s, t: cyclic_correlation(m, s, t), lambda n: cyclic_dimension(m, n)
    )


def fully_correlated_case(action: Action, element: int, observable: Sequence[int]) -> Case:
    """An element on or off that the observable does not see: all hypotheses are the same."""
    problem = on_or_off(action, [element], observable)
    value = problem.kernel[problem.base][problem.base]
    return Case(f"unseen {action.id}", problem, lambda s, t: value, lambda n: 1 / value)


# ---------------------------------------------------------------- sets drawn from a family
def structured(candidates: int, block: int = 2) -> dict[str, list[int]]:
    """Families of sets of candidates: with uniform actions the dimension is their number.

    Parameters
    ----------
    block : L is cut into blocks of this size, the last one maybe smaller, with one truly sparse
        edge in each.
    """
    L = candidates
    blocks = [range(i, min(i + block, L)) for i in range(0, L, block)]
    return {
        "all": list(range(2**L)),
        "one in each block": [sum(1 << i for i in c) for c in itertools.product(*blocks)],
        "half": [s for s in range(2**L) if s.bit_count() == L // 2],
        "even": [s for s in range(2**L) if s.bit_count() % 2 == 0],
        "interval": [(1 << j) - (1 << i) for i in range(L) for j in range(i + 1, L + 1)],
        "beginning": [(1 << j) - 1 for j in range(1, L + 1)],
        "single": [1 << i for i in range(L)],
    }


def structured_count(candidates: int, block: int = 2) -> dict[str, int]:
    """How many sets the families of `structured` have, L >= 1."""
    L = candidates
    return {
        "all": 2**L,
        "one in each block": block ** (L // block) * max(L % block, 1),
        "half": math.comb(L, L // 2),
        "even": 2 ** (L - 1),
        "interval": L * (L + 1) // 2,
        "beginning": L,
        "single": L,
    }


def structured_dimension(family: Sequence[int], closed: Callable[[int, int], Fraction]) -> Fraction:
    """The dimension of a family of sets, from the correlations."""
    return dimension([[closed(s, t) for t in family] for s in family])
