"""Finite groups by their tables, and their actions on finite sets, in plain integers.

Elements are 0 .. m - 1 and points 0 .. n - 1. ``table[a][b]`` is the product ab, and
``moves[a][p]`` the image of the point p under a, with moves[ab] = moves[a] after moves[b].
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TypeVar

Table = tuple[tuple[int, ...], ...]
LARGEST = 1000
Point = TypeVar("Point", bound=Hashable)


class GroupError(ValueError):
    """No group, or no action of one; the message is one line."""


@dataclass(frozen=True)
class Action:
    """A finite group that acts transitively on a finite set. Checked when it is made.

    Attributes
    ----------
    id : a name such as ``symmetric-4``.
    table : m x m products of elements.
    moves : m permutations of n >= 2 points.

    Raises
    ------
    GroupError
        An axiom fails; the message names elements for which it does.
    """

    id: str
    table: Table
    moves: Table

    def __post_init__(self) -> None:
        check_group(self.id, self.table)
        check_action(self.id, self.table, self.moves)

    @property
    def order(self) -> int:
        """The number m of elements."""
        return len(self.table)

    @property
    def points(self) -> int:
        """The number n of points."""
        return len(self.moves[0])

    @property
    def identity(self) -> int:
        """The neutral element."""
        return self.table.index(tuple(range(self.order)))


def check_group(name: str, table: Table) -> None:
    """Refuse a table that is not that of a group, naming the axiom.

    Associativity by Light's test (Clifford and Preston 1961, *The Algebraic Theory of Semigroups*,
    section 1.2): the elements a with (xa)y = x(ay) for all x and y are closed under products, so it
    is enough to try generators.
    """
    m = len(table)
    full = list(range(m))
    if not 0 < m <= LARGEST or any(len(row) != m for row in table):
        raise GroupError(f"{name}: not a square table of 1 to {LARGEST} elements: mend its rows")
    for number, row in enumerate((*table, *zip(*table, strict=True))):
        if sorted(row) != full:
            side = "row" if number < m else "column"
            raise GroupError(f"{name}: {side} {number % m} is no permutation of 0..{m - 1}")
    if not any(table[e] == tuple(full) == tuple(row[e] for row in table) for e in full):
        raise GroupError(f"{name}: no neutral element: some row and its column must be 0..{m - 1}")
    for a in generators(table):
        for x, row in enumerate(table):
            left, right = table[row[a]], [row[b] for b in table[a]]
            if list(left) != right:
                y = next(y for y in full if left[y] != right[y])
                raise GroupError(f"{name}: not associative: ({x}*{a})*{y} is not {x}*({a}*{y})")


def generators(table: Table) -> list[int]:
    """Elements whose products are all elements, chosen greedily."""
    chosen, reached = list[int](), set[int]()
    for a in range(len(table)):
        if a not in reached:
            chosen.append(a)
            reached = orbit(chosen, lambda x: (table[x][g] for g in chosen))
    return chosen


def orbit(start: Sequence[Point], moves: Callable[[Point], Iterable[Point]]) -> set[Point]:
    """All that is reached from a start, when ``moves`` gives what is reached in one step."""
    reached, new = set(start), list(start)
    while new:
        x = new.pop()
        for y in moves(x):
            if y not in reached:
                reached.add(y)
                new.append(y)
    return reached


def check_action(name: str, table: Table, moves: Table) -> None:
    """Refuse what is not a transitive action of a group on at least two points."""
    n = len(moves[0]) if moves else 0
    if len(moves) != len(table) or n < 2:
        raise GroupError(f"{name}: give each element a permutation of at least two points")
    if any(sorted(move) != list(range(n)) for move in moves):
        raise GroupError(f"{name}: an element does not permute the points 0..{n - 1}")
    for a, b in itertools.product(range(len(table)), repeat=2):
        if moves[table[a][b]] != tuple(moves[a][p] for p in moves[b]):
            raise GroupError(f"{name}: {a}*{b} does not act as {a} after {b}")
    if {move[0] for move in moves} != set(range(n)):
        raise GroupError(f"{name}: not transitive: some point is not reached from point 0")


# ---------------------------------------------------------------- the listed ones
def from_table(name: str, table: Sequence[Sequence[int]]) -> Action:
    """A group by its table, acting on itself from the left."""
    rows = tuple(tuple(row) for row in table)
    return Action(name, rows, rows)


@cache
def cyclic(m: int) -> Action:
    """Z/m acting on itself."""
    return from_table(f"cyclic-{m}", [[(a + b) % m for b in range(m)] for a in range(m)])


@cache
def bits(k: int) -> Action:
    """(Z/2)^k acting on itself; an element is the number with these bits."""
    return from_table(f"bits-{k}", [[a ^ b for b in range(2**k)] for a in range(2**k)])


@cache
def symmetric(n: int) -> Action:
    """All permutations of n points, in lexicographic order, acting on these."""
    elements = list(itertools.permutations(range(n)))
    number = {g: i for i, g in enumerate(elements)}
    table = tuple(tuple(number[tuple(a[p] for p in b)] for b in elements) for a in elements)
    return Action(f"symmetric-{n}", table, tuple(elements))


def quaternion() -> Action:
    """The eight quaternions 1, i, j, k and their negatives, acting on themselves."""
    unit = [[(0, 1), (1, 1), (2, 1), (3, 1)], [(1, 1), (0, -1), (3, 1), (2, -1)]]
    unit += [[(2, 1), (3, -1), (0, -1), (1, 1)], [(3, 1), (2, 1), (1, -1), (0, -1)]]
    signs = [1, -1]

    def product(a: int, b: int) -> int:
        base, sign = unit[a % 4][b % 4]
        return base + 4 * signs.index(sign * signs[a // 4] * signs[b // 4])

    return from_table("quaternion", [[product(a, b) for b in range(8)] for a in range(8)])


def listed() -> dict[str, Action]:
    """The groups of the page, by name."""
    actions = [*map(cyclic, range(2, 7)), *map(bits, (2, 3)), *map(symmetric, (3, 4, 5))]
    return {action.id: action for action in (*actions, quaternion())}


BUILDERS = {"cyclic": (cyclic, 2, 100), "bits": (bits, 1, 6), "symmetric": (symmetric, 2, 5)}


def named(text: str) -> Action:
    """``cyclic-M``, ``bits-K``, ``symmetric-N``, ``quaternion``, or a JSON file with a table.

    Raises
    ------
    GroupError
        Unknown, out of range, or no group.
    """
    if text == "quaternion":
        return quaternion()
    found = re.fullmatch(r"([a-z]+)-(\d{1,4})", text)
    if found and found[1] in BUILDERS:
        build, low, high = BUILDERS[found[1]]
        if not low <= int(found[2]) <= high:
            raise GroupError(
                f"{text} is out of range: choose {found[1]}-{low} to {found[1]}-{high}"
            )
        return build(int(found[2]))
    if not text.endswith(".json"):
        known = "cyclic-M, bits-K, symmetric-N, quaternion or a file TABLE.json"
        raise GroupError(f"unknown group {text!r}: give {known}")
    wrong = f"{text}: not a JSON list of rows of whole numbers: mend the file"
    try:
        table = json.loads(Path(text).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise GroupError(wrong) from error
    rows = table if isinstance(table, list) else [table]
    if not all(isinstance(r, list) and all(type(x) is int for x in r) for r in rows):
        raise GroupError(wrong)
    return from_table(Path(text).stem, rows)
