"""Cluster kernels: what happens inside one cluster, given by the orbits of its symmetries.

A kernel is one file with one subclass of :class:`Kernel`, in ``theory/kernels`` or anywhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import ClassVar

import sympy

from theory.chain import ONE, OrbitChain, Place
from theory.domain import Domain, Parameter, Point

GATE, HOME = "gate", "home"  # the orbit of the gates; the orbit of the state that is asked for


class Kernel:
    """An irreducible chain on the states of one cluster.

    Two orbits have names with a meaning.  ``gate``: the states from which sparse edges leave.
    ``home``: one state, the start in one cluster and the target in another.  A subclass gives the
    class attributes and the three methods; its docstring is the prose of its page.

    Attributes
    ----------
    id, title : kebab-case name, and a phrase such as "lazy cycle".
    parameters : of the kernel; none may be called K, d or epsilon.
    home : the orbit of start and target: ``home``, or ``gate`` for a kernel without the former.
    several_gates : whether :meth:`chain` takes a number of gates.
    home_is_any : whether every state but the gate can be the home, with the same rows.
    reversible : whether it satisfies detailed balance; for a file of a user's this is found out.
    uniform : whether each move to an orbit is uniform on its states, the present one included.
    ranges : sets of facts, such as ``("9*epsilon <= 1",)``, on which bounds are tried first.
    """

    id: ClassVar[str]
    title: ClassVar[str]
    parameters: ClassVar[tuple[Parameter, ...]]
    home: ClassVar[str] = HOME
    several_gates: ClassVar[bool] = False
    home_is_any: ClassVar[bool] = False
    uniform: ClassVar[bool] = False
    reversible: ClassVar[bool] = True
    ranges: ClassVar[tuple[tuple[str, ...], ...]] = ()

    @property
    def domain(self) -> Domain:
        """The ranges of the parameters."""
        return Domain(self.parameters)

    def chain(self, gates: sympy.Expr = ONE) -> OrbitChain:
        """The chain on the orbits of the symmetries that fix the gates, as a set, and the home."""
        raise NotImplementedError(f"kernel {self.id}: define chain()")

    def explicit(self, point: Point) -> Mapping[tuple[int, int], Fraction]:
        """Probability of each transition between different states 0, 1, ...; the gates first."""
        raise NotImplementedError(f"kernel {self.id}: define explicit()")

    def place(self, state: int, point: Point, gates: int = 1) -> Place:
        """The orbit of a state, and its index if it has one."""
        raise NotImplementedError(f"kernel {self.id}: define place()")
