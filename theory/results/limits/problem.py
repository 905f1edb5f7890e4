"""What the candidates of a path show, and what is seen of the answer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

from theory.groups import Action, GroupError, orbit

Law = tuple[int, ...]
"""Elements of a group, each as probable as often as it stands there."""
Kernel = tuple[tuple[Fraction, ...], ...]


@dataclass(frozen=True)
class Problem:
    """Which actions the candidates show, and what is seen of the answer.

    Attributes
    ----------
    action : the group and the points.
    laws : candidate i shows an element of ``laws[i % len(laws)]``.
    observable : a number for each point; () for the whole answer.
    base : the point that is moved.

    Raises
    ------
    GroupError
        There is one answer only, or an observable is 0 or has a mean other than 0.
    """

    action: Action
    laws: tuple[Law, ...]
    observable: tuple[Fraction, ...] = ()
    base: int = 0

    def __post_init__(self) -> None:
        values = self.observable
        if values and (len(values) != self.action.points or sum(values) != 0 or not any(values)):
            raise GroupError("give the observable a number for each point, of mean 0, not all 0")
        if not values and len(self.answers) < 2:
            raise GroupError("no action moves the base point: choose another one")

    @cached_property
    def answers(self) -> tuple[int, ...]:
        """The points that the base point may be moved to."""
        moves = [self.action.moves[g] for law in self.laws for g in law]
        return tuple(sorted(orbit([self.base], lambda p: (move[p] for move in moves))))

    @cached_property
    def kernel(self) -> Kernel:
        """k with <v_S, v_T> = E k(answer of S, answer of T)."""
        points = range(self.action.points)
        if self.observable:
            mean = sum(x * x for x in self.observable) / Fraction(len(points))
            return tuple(tuple(x * y / mean for y in self.observable) for x in self.observable)
        n = len(self.answers)
        return tuple(
            tuple(
                Fraction(n * (p == q) - 1, n - 1) if p in self.answers else Fraction(0)
                for q in points
            )
            for p in points
        )

    def law(self, candidate: int) -> Law:
        """The law of the element that a candidate shows."""
        return self.laws[candidate % len(self.laws)]


def uniform(action: Action, observable: Sequence[int | Fraction] = ()) -> Problem:
    """Every candidate shows a uniform element."""
    law = tuple(range(action.order))
    return Problem(action, (law,), tuple(map(Fraction, observable)))


def biased(action: Action, bias: Fraction) -> Problem:
    """A candidate shows the neutral element with probability b, else a uniform element."""
    if not 0 <= bias < 1:
        raise GroupError(f"the bias {bias} is out of range: choose it from 0 to below 1")
    m, up, down = action.order, bias.numerator, bias.denominator
    law = [g for g in range(m) for _ in range(down - up)] + [action.identity] * (up * m)
    return Problem(action, (tuple(law),))


def on_or_off(
    action: Action, elements: Sequence[int], observable: Sequence[int | Fraction] = ()
) -> Problem:
    """A candidate shows its own fixed element or the neutral one, with probability 1/2 each."""
    laws = tuple((action.identity, g) for g in elements)
    return Problem(action, laws, tuple(map(Fraction, observable)))


def members(mask: int) -> Iterator[int]:
    """The elements of a set of candidates, written as the bits of a number."""
    return (i for i in range(mask.bit_length()) if mask >> i & 1)
