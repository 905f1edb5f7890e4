"""The lazy hypercube."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import ClassVar

import sympy

from theory.chain import Move, OrbitChain, Place, orbit, row
from theory.domain import Parameter, Point, expression
from theory.family import FamilyError
from theory.kernel import Kernel

LARGEST = 12  # a cluster has 2^dimension states


class Hypercube(Kernel):
    r"""States are words of bits; a step turns one bit over, or stays.

    It stays with probability 1/2, else all bits are alike.  The gate is the word of zeros, the home
    the word of ones, its antipode; the orbits are the numbers of ones.  Most states lie halfway, so
    from almost anywhere either end takes about $2^{n + 1}$ steps to find, and the start hardly
    matters.  A time is not polynomial in the dimension $n$, so each dimension is a kernel of its
    own: `hypercube-3`, `hypercube-4`, and on.
    """

    dimension: ClassVar[int] = 3
    id = f"hypercube-{dimension}"
    title = f"lazy hypercube of dimension {dimension}"
    parameters: ClassVar[tuple[Parameter, ...]] = ()

    @classmethod
    def of(cls, dimension: int) -> Hypercube:
        """The kernel of a dimension.

        Raises
        ------
        FamilyError
            It is less than 2, or above ``LARGEST``.
        """
        if not 2 <= dimension <= LARGEST:
            raise FamilyError(
                f"hypercube-{dimension}: the dimension is to lie between 2 and {LARGEST}"
            )
        own = {
            "dimension": dimension,
            "id": f"hypercube-{dimension}",
            "title": f"lazy hypercube of dimension {dimension}",
            "__doc__": cls.__doc__,
        }
        made: Hypercube = type(cls.__name__, (cls,), own)()
        return made

    def chain(self, gates: sympy.Expr | int = 1) -> OrbitChain:
        """By the number of ones."""
        top = self.dimension

        def moves(ones: int) -> list[Move]:
            share = {ones: expression("1/2")}
            share[ones - 1] = sympy.Rational(ones, 2 * top)
            share[ones + 1] = sympy.Rational(top - ones, 2 * top)
            return [Move(self._name(to), p) for to, p in share.items() if p != 0]

        levels = range(top + 1)
        return OrbitChain(
            self.domain,
            {self._name(n): orbit(sympy.binomial(top, n), "cluster") for n in levels},
            tuple(row(self._name(n), moves(n)) for n in levels),
        )

    def explicit(self, point: Point) -> Mapping[tuple[int, int], Fraction]:
        """A state is a number, its bits the word."""
        top = self.dimension
        flips = ((state, state ^ (1 << bit)) for state in range(2**top) for bit in range(top))
        return {flip: Fraction(1, 2 * top) for flip in flips}

    def place(self, state: int, point: Point, gates: int = 1) -> Place:
        """By the number of ones."""
        return self._name(state.bit_count()), None

    def _name(self, ones: int) -> str:
        return {0: "gate", self.dimension: "home"}.get(ones, f"ones-{ones}")
