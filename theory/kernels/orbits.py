"""A kernel brought as a table: orbits, their sizes, and the probabilities between them."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import ClassVar

import sympy

from theory.chain import Move, OrbitChain, Place, orbit, row
from theory.conjecture import stationary_law
from theory.domain import Parameter, Point, evaluate, expression
from theory.family import FamilyError
from theory.kernel import Kernel

Table = Mapping[str, Mapping[str, str]]


class FromOrbits(Kernel):
    r"""A walk through a corridor and a hall, with a short way back from the home to the gate.

    Any lumped kernel may be brought like this one: a subclass in a file of its own gives `id`,
    `title`, `sizes` and `table`, and `parameters` if there are any.  The explicit chain is the
    simplest one with that lumping: a move to an orbit goes to each of its states alike.

    Attributes
    ----------
    sizes : orbit -> number of its states; `gate` first, which has one, as has `home`.
    table : orbit -> orbit -> probability, numbers or expressions in the parameters; what is left
        out is 0.
    reversible : whether detailed balance is claimed.
    """

    id = "orbits"
    title = "corridor and hall with a way back"
    parameters: ClassVar[tuple[Parameter, ...]] = ()
    sizes: ClassVar[Mapping[str, str]] = {"gate": "1", "home": "1", "corridor": "2", "hall": "4"}
    table: ClassVar[Table] = {
        "gate": {"gate": "1/3", "corridor": "2/3"},
        "corridor": {"corridor": "1/2", "gate": "1/6", "hall": "1/3"},
        "hall": {"hall": "5/8", "corridor": "1/4", "home": "1/8"},
        "home": {"home": "1/2", "gate": "1/2"},
    }
    reversible: ClassVar[bool] = False

    def __init__(self) -> None:
        """Check the table.

        Raises
        ------
        FamilyError
            An orbit is unknown or lacks a row, a row does not sum to 1, a probability is negative,
            or the claimed balance does not hold.
        """
        self._need(next(iter(self.sizes), "") == "gate", "give the size of gate first")
        for name in (*self.table, *(to for moves in self.table.values() for to in moves)):
            known = ", ".join(self.sizes)
            self._need(
                name in self.sizes, f"unknown orbit {name!r} in the table: give one of {known}"
            )
        for name in self.sizes:
            self._need(name in self.table, f"orbit {name!r} has no row in the table: add it")
            masses = [expression(p) for p in self.table[name].values()]
            excess = sympy.cancel(sympy.Add(*masses) - 1)
            self._need(excess == 0, f"the row of {name!r} misses 1 by {excess}: mend it")
            low = min(evaluate(p, self.domain.inside) for p in masses)
            self._need(low >= 0, f"the row of {name!r} has a negative probability: mend it")
        if self.reversible:
            self._require_balance()

    def _require_balance(self) -> None:
        """Detailed balance of the lumped chain; the explicit one then has it too."""
        chain = self.chain()
        mass = dict(zip(self.sizes, stationary_law(chain), strict=True))
        flow = {
            (a, b): chain.orbits[a].size * mass[a] * expression(p)
            for a, moves in self.table.items()
            for b, p in moves.items()
        }
        for a, b in flow:
            back = flow.get((b, a), sympy.Integer(0))
            claim = "set reversible = False or mend the table"
            self._need(
                sympy.cancel(flow[a, b] - back) == 0, f"no balance between {a} and {b}: {claim}"
            )

    def _need(self, condition: bool, wrong: str) -> None:
        if not condition:
            raise FamilyError(f"kernel {type(self).__name__}: {wrong}")

    def chain(self, gates: sympy.Expr | int = 1) -> OrbitChain:
        """The table."""
        return OrbitChain(
            self.domain,
            {name: orbit(size, "cluster") for name, size in self.sizes.items()},
            tuple(
                row(name, [Move(to, expression(p)) for to, p in self.table[name].items()])
                for name in self.sizes
            ),
        )

    def explicit(self, point: Point) -> Mapping[tuple[int, int], Fraction]:
        """Uniform within each orbit."""
        places = self._places(point)
        out: dict[tuple[int, int], Fraction] = {}
        for a, source in enumerate(places):
            for b, target in enumerate(places):
                p = self.table[source].get(target)
                if a != b and p is not None:
                    out[a, b] = evaluate(expression(p), point) / places.count(target)
        return {pair: p for pair, p in out.items() if p}

    def place(self, state: int, point: Point, gates: int = 1) -> Place:
        """Orbit by orbit, in the order of the sizes."""
        return self._places(point)[state], None

    def _places(self, point: Point) -> list[str]:
        """The orbit of each state."""
        counts = ((n, int(evaluate(expression(size), point))) for n, size in self.sizes.items())
        return [name for name, count in counts for _ in range(count)]
