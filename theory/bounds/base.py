"""What the general theorems share: a finite chain, its hypotheses, and a bound as data.

All code here is generic in its numbers. On a chain of rationals everything is exact, and the
hypotheses are checked exactly; on a chain of floats they are checked to the relative tolerance
`TOLERANCE`. Linear systems are solved by subtraction-free elimination (Grassmann, Taksar and
Heyman 1985, *Operations Research* 33, 1107-1116), which is accurate entry by entry in floats too.

Conventions
-----------
pi is the stationary law, of total mass 1; Q(x, y) = pi(x) P(x, y) its flow, and Q(S, T) the sum
over x in S and y in T. E(f, f) = 1/2 sum_{x, y} Q(x, y) (f(x) - f(y))^2 is the Dirichlet form. The
gap is 1 - lambda_2, lambda_2 the second largest eigenvalue of P, P reversible. With tau_A the
hitting and tau+_A the return time of A, cap(A, B) = sum_{x in A} pi(x) P_x(tau_B < tau+_A).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property, partial
from typing import Any, NamedTuple

from flint import fmpq

from theory.chain import ExplicitChain

Number = Fraction | float
Rows = Sequence[Mapping[int, Number] | Sequence[Number]]

TOLERANCE = 1e-10
"""Relative difference up to which two floats count as equal when a hypothesis is checked."""

ROUNDING = 1e-12
"""Most by which a row of floats may exceed 1, for each of its entries."""


class HypothesisFails(ValueError):
    """A theorem does not apply; the message, one line, names the hypothesis, the place, a remedy.

    Attributes
    ----------
    hypothesis : the name of the hypothesis, as in `Bound.hypotheses`.
    """

    def __init__(self, hypothesis: str, where: str, remedy: str):
        self.hypothesis = hypothesis
        super().__init__(f"hypothesis '{hypothesis}' fails: {where}; {remedy}")


def _size(value: Number) -> Number:
    return value if value >= 0 else -value


def same(a: Number, b: Number) -> bool:
    """Whether a = b: exactly for rationals, up to the relative `TOLERANCE` if one is a float."""
    if isinstance(a, float) or isinstance(b, float):
        return _size(a - b) <= TOLERANCE * max(_size(a), _size(b))
    return a == b


def at_most(a: Number, b: Number) -> bool:
    """Whether a <= b, or the two are the same."""
    return a <= b or same(a, b)


@dataclass(frozen=True)
class Interval:
    """What a bound says of a quantity: lower <= quantity <= upper; infinite where it says nothing.

    An identity has lower = upper.
    """

    lower: Number = -math.inf
    upper: Number = math.inf

    def contains(self, value: Number, slack: Number = 0) -> bool:
        """Whether a value lies between the bounds, each widened by ``slack`` of its size."""
        low, high = self.lower, self.upper
        above = low <= value or low - value <= slack * _size(low)
        below = value <= high or value - high <= slack * _size(high)
        return above and below


@dataclass(frozen=True, eq=False)
class FiniteChain:
    """A chain on states 0..N-1, N >= 1; make one with `of_rows` or `of_explicit`.

    Attributes
    ----------
    rows : the positive off-diagonal probabilities of each state; the diagonal is what they leave.
    given_law : a stationary law where one was given, else None.
    """

    rows: tuple[Mapping[int, Number], ...]
    given_law: tuple[Number, ...] | None = None

    @classmethod
    def of_rows(cls, rows: Rows, law: Sequence[Number] | None = None) -> FiniteChain:
        """A chain from rows, checked.

        Parameters
        ----------
        rows : one for each state: probabilities by target, or as a list of N numbers. Diagonal
            entries are ignored, as the off-diagonal ones determine them. Integers and fractions
            are exact; one float anywhere makes all numbers floats.
        law : a stationary law; needed only where the chain has several. It is checked.

        Raises
        ------
        ValueError
            No rows, an entry is negative or outside the chain, a row exceeds 1, or the law is not
            a stationary law of the chain.
        """
        entries = [dict(row) if isinstance(row, Mapping) else dict(enumerate(row)) for row in rows]
        numbers = [p for row in entries for p in row.values()] + list(law or ())
        number = float if any(isinstance(p, float) for p in numbers) else Fraction
        if not entries:
            raise ValueError("a chain needs a state: give at least one row")
        kept = []
        for x, row in enumerate(entries):
            for y, p in row.items():
                if not 0 <= y < len(entries):
                    raise ValueError(f"row {x}: there is no state {y}; give 0..{len(entries) - 1}")
                if not 0 <= p <= 2:  # refuses a nan too; the sum is checked below
                    raise ValueError(f"row {x}: entry {y} is {p}; give a probability")
            kept.append({y: number(p) for y, p in sorted(row.items()) if y != x and p})
            slack = ROUNDING * len(entries) if number is float else 0
            if sum(kept[-1].values()) > 1 + slack:
                raise ValueError(
                    f"row {x} exceeds 1: make its off-diagonal entries sum to 1 at most"
                )
        chain = cls(tuple(kept), None if law is None else tuple(number(p) for p in law))
        if law is not None:
            chain._check_law()
        return chain

    @classmethod
    def of_explicit(cls, chain: ExplicitChain, law: Sequence[Number] | None = None) -> FiniteChain:
        """The exact chain of a family at a point; states are positions in ``chain.states``."""
        rows: list[dict[int, Number]] = [{} for _ in chain.states]
        for (x, y), p in chain.transitions.items():
            rows[x][y] = p
        return cls.of_rows(rows, law)

    def _check_law(self) -> None:
        law = self.law
        if len(law) != self.size or any(p < 0 for p in law) or not same(sum(law), 1):
            raise ValueError(f"the law is no law on {self.size} states: give masses that sum to 1")
        inflow: list[Number] = [0] * self.size
        for _, y, q in self.flows():
            inflow[y] += q
        for x in self.states:
            if not same(inflow[x], law[x] * self.exit(x)):
                raise ValueError(
                    f"the law is not stationary at state {x}: leave it out or correct it"
                )

    @property
    def size(self) -> int:
        """The number N of states."""
        return len(self.rows)

    @property
    def states(self) -> range:
        """The states 0..N-1."""
        return range(self.size)

    @cached_property
    def exact(self) -> bool:
        """Whether all numbers are fractions."""
        given = [p for row in self.rows for p in row.values()] + list(self.given_law or ())
        return all(isinstance(p, Fraction) for p in given)

    def probability(self, x: int, y: int) -> Number:
        """P(x, y); on the diagonal what the rest of the row leaves."""
        zero = Fraction(0) if self.exact else 0.0
        return max(1 - self.exit(x), zero) if x == y else self.rows[x].get(y, zero)

    def exit(self, x: int) -> Number:
        """The probability of leaving x in one step."""
        return sum(self.rows[x].values(), Fraction(0) if self.exact else 0.0)

    @cached_property
    def law(self) -> tuple[Number, ...]:
        """The stationary law: the given one, else that of the irreducible chain.

        Raises
        ------
        HypothesisFails
            No law was given and the chain is not irreducible.
        """
        if self.given_law is not None:
            return self.given_law
        irreducible.check(self, {})
        _, steps = _eliminate(self, range(1))
        weight: list[Number] = [Fraction(1) if self.exact else 1.0] * self.size
        for step in reversed(steps):
            weight[step.state] = sum(weight[x] * p for x, p in step.entries.items()) / step.exit
        total = sum(weight)
        return tuple(w / total for w in weight)

    def mass(self, states: Iterable[int]) -> Number:
        """Pi of a set of states."""
        return sum((self.law[x] for x in set(states)), Fraction(0) if self.exact else 0.0)

    def flow(self, x: int, y: int) -> Number:
        """Q(x, y) = pi(x) P(x, y)."""
        return self.law[x] * self.probability(x, y)

    def flows(self) -> Iterator[tuple[int, int, Number]]:
        """All x != y with P(x, y) > 0, and Q(x, y)."""
        for x, row in enumerate(self.rows):
            for y, p in row.items():
                yield x, y, self.law[x] * p

    @cached_property
    def rational_law(self) -> tuple[fmpq, ...]:
        """The stationary law; floats as the rationals they are."""
        return tuple(_rational(p) for p in self.law)

    @cached_property
    def rational_flows(self) -> tuple[tuple[int, int, fmpq], ...]:
        """The flows; floats as the rationals they are."""
        return tuple((x, y, _rational(q)) for x, y, q in self.flows())

    def flow_between(self, source: Collection[int], target: Collection[int]) -> Number:
        """Q(S, T) for disjoint S and T."""
        S, T = set(source), set(target)
        flows = (self.law[x] * p for x in S for y, p in self.rows[x].items() if y in T)
        return sum(flows, Fraction(0) if self.exact else 0.0)

    def dirichlet_form(self, f: Sequence[Number]) -> Number:
        """E(f, f), for P or, the same, for its additive reversibilization."""
        return sum(q * (f[x] - f[y]) ** 2 for x, y, q in self.flows()) / 2

    def reversed(self) -> FiniteChain:
        """The time reversal P*(x, y) = Q(y, x)/pi(x).

        Raises
        ------
        HypothesisFails
            The stationary law is not positive.
        """
        positive_law.check(self, {})
        rows: list[dict[int, Number]] = [{} for _ in self.states]
        for x, y, q in self.flows():
            rows[y][x] = q / self.law[y]
        return FiniteChain(tuple(rows), self.law)

    def additive_reversibilization(self) -> FiniteChain:
        """The reversible chain (P + P*)/2, of the same law and Dirichlet form (Fill 1991)."""
        back = self.reversed()
        rows = []
        for there, here in zip(self.rows, back.rows, strict=True):
            ends = sorted(set(there) | set(here))
            rows.append({y: (there.get(y, 0) + here.get(y, 0)) / 2 for y in ends})
        return FiniteChain(tuple(rows), self.law)

    def watched(self, states: Collection[int]) -> FiniteChain:
        """The irreducible chain watched on a set, its states renumbered in increasing order.

        Its transition matrix is the stochastic complement P_CC + P_C* (I - P_**)^-1 P_*C (Meyer
        1989), its law pi conditioned on the set.
        """
        irreducible.check(self, {})
        kept = sorted(set(states))
        number = {x: n for n, x in enumerate(kept)}
        rows, _ = _eliminate(self, kept)
        total = self.mass(kept)
        return FiniteChain(
            tuple({number[y]: p for y, p in sorted(rows[x].items())} for x in kept),
            tuple(self.law[x] / total for x in kept),
        )

    def reach(self, start: int) -> frozenset[int]:
        """The states that can be reached from a state, itself included."""
        found = {start}
        queue = [start]
        for x in queue:
            new = [y for y in self.rows[x] if y not in found]
            found.update(new)
            queue += new
        return frozenset(found)


class _Step(NamedTuple):
    """The elimination of one state: where it went, and whence it was entered, at that moment."""

    state: int
    exit: Number
    shares: dict[int, Number]
    entries: dict[int, Number]
    source: Number


def _eliminate(
    chain: FiniteChain, keep: Collection[int], source: Sequence[Number] | None = None
) -> tuple[list[dict[int, Number]], list[_Step]]:
    """Watch the chain off one state after another; only adds, multiplies and divides.

    ``source`` is the right-hand side of (I - P) h = source, which is reduced along. Every state
    must reach those that are kept.
    """
    rows = [dict(row) for row in chain.rows]
    into: list[set[int]] = [set() for _ in chain.states]
    for x, row in enumerate(rows):
        for y in row:
            into[y].add(x)
    right: list[Number] = list(source or [0] * chain.size)
    left = set(keep)
    steps = []
    for k in sorted(set(chain.states) - left, reverse=True):
        total = sum(rows[k].values())
        shares = {y: p / total for y, p in rows[k].items()}
        share = right[k] / total
        entries = {}
        for x in into[k]:
            p = rows[x].pop(k)
            entries[x] = p
            for y, part in shares.items():
                if y != x:
                    rows[x][y] = rows[x].get(y, 0) + p * part
                    into[y].add(x)
            right[x] += p * share
        for y in shares:
            into[y].discard(k)
        steps.append(_Step(k, total, shares, entries, share))
    return rows, steps


def harmonic(
    chain: FiniteChain, boundary: Mapping[int, Number], source: Sequence[Number] | None = None
) -> tuple[Number, ...]:
    """The least h >= 0 with h given on a set and (I - P) h = source off it.

    Parameters
    ----------
    chain : any chain.
    boundary : values >= 0 on a nonempty set of states; every other state that can reach a
        positive source must reach the set.
    source : values >= 0 off the boundary, one for each state; 0 unless given.

    Raises
    ------
    HypothesisFails
        A state with a positive source cannot reach the boundary, so that h is infinite.
    """
    into: list[list[int]] = [[] for _ in chain.states]
    for x, row in enumerate(chain.rows):
        for y in row:
            into[y].append(x)
    queue = list(boundary)
    reaching = set(queue)
    for y in queue:
        new = [x for x in into[y] if x not in reaching]
        reaching.update(new)
        queue += new
    lost = [x for x in chain.states if x not in reaching]
    if source is not None and any(source[x] for x in lost):
        raise HypothesisFails(
            "target is reached",
            f"state {lost[0]} does not reach {sorted(boundary)}",
            "take a target that is reached from everywhere",
        )
    fixed = {**boundary, **dict.fromkeys(lost, Fraction(0) if chain.exact else 0.0)}
    _, steps = _eliminate(chain, fixed, source)
    value: list[Number] = [fixed.get(x, 0) for x in chain.states]
    for step in reversed(steps):
        value[step.state] = sum((p * value[y] for y, p in step.shares.items()), step.source)
    return tuple(value)


def equilibrium_potential(
    chain: FiniteChain, A: Collection[int], B: Collection[int]
) -> tuple[Number, ...]:
    """h_{A,B}(x) = P_x(tau_A < tau_B) for disjoint A and B; 0 where neither is reached."""
    one, zero = (Fraction(1), Fraction(0)) if chain.exact else (1.0, 0.0)
    return harmonic(chain, {**dict.fromkeys(A, one), **dict.fromkeys(B, zero)})


def capacity(chain: FiniteChain, A: Collection[int], B: Collection[int]) -> Number:
    """cap(A, B) = sum_{x in A} pi(x) P_x(tau_B < tau+_A), for disjoint A and B."""
    escape = equilibrium_potential(chain, B, A)
    return sum(
        (chain.law[x] * p * escape[y] for x in set(A) for y, p in chain.rows[x].items()),
        Fraction(0) if chain.exact else 0.0,
    )


def mean_hitting_times(chain: FiniteChain, A: Collection[int]) -> tuple[Number, ...]:
    """E_x tau_A for all x, in steps; A must be reached from everywhere."""
    one, zero = (Fraction(1), Fraction(0)) if chain.exact else (1.0, 0.0)
    return harmonic(chain, dict.fromkeys(A, zero), [one] * chain.size)


def gap_at_least(chain: FiniteChain, bound: Number) -> bool:
    """Whether E(f, f) >= bound * Var_pi(f) for all f, decided exactly.

    The best such number is the gap of a reversible chain, of (P + P*)/2 in general. Floats are
    taken as the rationals they are; time grows as N^3, and the length of the rationals with N.
    """
    # Both sides are free of constants, so f may vanish on the last state.
    free = range(chain.size - 1)
    law = [chain.rational_law[x] for x in free]
    g = _rational(bound)
    return _nonnegative(
        chain,
        free,
        [
            [g * (a * b - (a if x == y else 0)) for y, b in enumerate(law)]
            for x, a in enumerate(law)
        ],
    )


def killing_rate_at_least(chain: FiniteChain, A: Collection[int], bound: Number) -> bool:
    """Whether E(f, f) >= bound * pi(f^2) for all f that vanish on A, decided exactly.

    For a reversible chain the best such number is 1 - rho, rho the largest eigenvalue of P on
    the complement of A: the rate at which A is hit from the quasi-stationary law.
    """
    free = [x for x in chain.states if x not in set(A)]
    law = [chain.rational_law[x] for x in free]
    g = _rational(bound)
    return _nonnegative(
        chain,
        free,
        [[-g * a if x == y else fmpq(0) for y in range(len(law))] for x, a in enumerate(law)],
    )


def _nonnegative(chain: FiniteChain, free: Sequence[int], form: list[list[fmpq]]) -> bool:
    """Whether E + form >= 0 on the functions that vanish outside ``free``.

    A symmetric matrix is positive semidefinite if and only if elimination meets no negative
    pivot, and a zero pivot only in a zero row.
    """
    place = {x: n for n, x in enumerate(free)}
    for x, y, q in chain.rational_flows:
        half = q / 2
        for z in (x, y):
            if z in place:
                form[place[z]][place[z]] += half
        if x in place and y in place:
            form[place[x]][place[y]] -= half
            form[place[y]][place[x]] -= half
    for k in range(len(form) - 1, -1, -1):
        pivot, row = form[k][k], form[k]
        if pivot < 0 or (pivot == 0 and any(row[y] != 0 for y in range(k))):
            return False
        for x in range(k):
            if row[x] != 0:
                factor = row[x] / pivot
                for y in range(x + 1):
                    form[x][y] -= factor * row[y]
                    form[y][x] = form[x][y]
    return True


WIDTH = Fraction(1, 2**30)
"""Largest relative width of an enclosure of a rate."""


def gap_enclosure(chain: FiniteChain) -> tuple[Fraction, Fraction]:
    """Rational bounds of the gap (of (P + P*)/2, if P is not reversible), found by bisection.

    Raises
    ------
    HypothesisFails
        The chain is not irreducible, so that the gap may be 0, or has one state.
    """
    irreducible.check(chain, {})
    if chain.size < 2:
        raise HypothesisFails("two states", "the chain has one state", "give a larger chain")
    return _bisect(partial(gap_at_least, chain))


def killing_rate_enclosure(chain: FiniteChain, A: Collection[int]) -> tuple[Fraction, Fraction]:
    """Rational bounds of the killing rate of a proper set A, found by bisection.

    Raises
    ------
    HypothesisFails
        The chain is not irreducible, so that the rate may be 0, or A is not a proper set.
    """
    irreducible.check(chain, {})
    proper_set("A").check(chain, {"A": A})
    return _bisect(partial(killing_rate_at_least, chain, A))


def _bisect(at_least: Callable[[Number], bool]) -> tuple[Fraction, Fraction]:
    """Bounds of the largest number in (0, 2] for which the test holds."""
    low = Fraction(2)
    while not at_least(low):
        low /= 2
    high = min(2 * low, Fraction(2))
    while high - low > WIDTH * low:
        middle = (low + high) / 2
        if at_least(middle):
            low = middle
        else:
            high = middle
    return low, high


def _rational(value: Number) -> fmpq:
    exact = Fraction(value)
    return fmpq(exact.numerator, exact.denominator)


Data = Mapping[str, Any]


@dataclass(frozen=True)
class Hypothesis:
    """A condition on a chain and on what a theorem is given beside it.

    Attributes
    ----------
    name : how refusals call it.
    check : raises `HypothesisFails` with that name if a chain, with the data, breaks it.
    """

    name: str
    check: Callable[[FiniteChain, Data], None]


def _check_irreducible(chain: FiniteChain, data: Data) -> None:
    forward = chain.reach(0)
    if len(forward) < chain.size:
        x, y = 0, min(set(chain.states) - forward)
    else:
        back = [x for x in chain.states if 0 not in chain.reach(x)]
        if not back:
            return
        x, y = back[0], 0
    raise HypothesisFails(
        "irreducible",
        f"state {x} does not reach state {y}",
        "take one closed class, or add the missing transitions",
    )


def _check_reversible(chain: FiniteChain, data: Data) -> None:
    for x, y, q in chain.flows():
        if not same(q, chain.flow(y, x)):
            raise HypothesisFails(
                "reversible",
                f"detailed balance fails between states {x} and {y}",
                "correct the entries, or take the additive reversibilization (P + P*)/2",
            )


def _check_lazy(chain: FiniteChain, data: Data) -> None:
    for x in chain.states:
        if not at_most(2 * chain.exit(x), 1):
            raise HypothesisFails(
                "lazy",
                f"state {x} stays put with probability {chain.probability(x, x)}, less than 1/2",
                "take the lazy chain (I + P)/2",
            )


def _check_positive_law(chain: FiniteChain, data: Data) -> None:
    for x, p in enumerate(chain.law):
        if not p > 0:
            raise HypothesisFails(
                "positive law", f"pi({x}) is {p}", "leave out the states without stationary mass"
            )


irreducible = Hypothesis("irreducible", _check_irreducible)
reversible = Hypothesis("reversible", _check_reversible)
lazy = Hypothesis("lazy", _check_lazy)
positive_law = Hypothesis("positive law", _check_positive_law)


def proper_set(name: str) -> Hypothesis:
    """The data ``name`` is a set of states, not empty and not all of them."""
    title = f"{name} is a proper set"

    def check(chain: FiniteChain, data: Data) -> None:
        states = set(data[name])
        if not states <= set(chain.states):
            odd = sorted(states - set(chain.states), key=str)
            raise HypothesisFails(title, f"{odd} are no states", f"give states 0..{chain.size - 1}")
        if len(states) in (0, chain.size):
            what = "no state" if not states else "every state"
            raise HypothesisFails(title, f"it contains {what}", "give some states, not all")

    return Hypothesis(title, check)


def disjoint_sets(first: str, second: str) -> Hypothesis:
    """Two data are sets of states, neither empty, with no state in common."""
    title = f"{first} and {second} are disjoint sets"

    def check(chain: FiniteChain, data: Data) -> None:
        A, B = set(data[first]), set(data[second])
        for name, states in ((first, A), (second, B)):
            if not states or not states <= set(chain.states):
                odd = sorted(states - set(chain.states), key=str)
                where = f"{odd} in {name} are no states" if odd else f"{name} is empty"
                raise HypothesisFails(title, where, f"give states 0..{chain.size - 1}")
        if A & B:
            where = f"both contain {sorted(A & B)}"
            raise HypothesisFails(title, where, "take these states out of one of them")

    return Hypothesis(title, check)


@dataclass(frozen=True, eq=False)
class Bound:
    """A general theorem as data, and as a function of any chain that meets its hypotheses.

    Attributes
    ----------
    id : kebab-case, unique among all bounds.
    title : its name.
    statement : the theorem, in Markdown with LaTeX.
    source : author, year and theorem.
    quantity : what it bounds, kebab-case: ``spectral-gap``, ``capacity``, ``mean-hitting-time``...
    sides : which of "lower" and "upper" it gives.
    hypotheses : checked in this order before every use.
    formula : ``formula(chain, **data)``, the numeric form; it checks nothing.
    data : name -> what is needed beside the chain.
    optional : name -> what may be given beside the chain.
    equality : where a side is attained; "" if not known.
    """

    id: str
    title: str
    statement: str
    source: str
    quantity: str
    sides: tuple[str, ...]
    hypotheses: tuple[Hypothesis, ...]
    formula: Callable[..., Interval]
    data: Mapping[str, str] = field(default_factory=dict)
    optional: Mapping[str, str] = field(default_factory=dict)
    equality: str = ""

    def __call__(self, chain: FiniteChain, **data: Any) -> Interval:
        """The bound for a chain.

        Raises
        ------
        HypothesisFails
            The chain or the data break a hypothesis.
        TypeError
            Data are missing, or are not what this bound takes.
        """
        missing, odd = set(self.data) - set(data), set(data) - {*self.data, *self.optional}
        if missing or odd:
            what = f"lacks {sorted(missing)}" if missing else f"does not take {sorted(odd)}"
            takes = ", ".join([*self.data, *(f"{name} (optional)" for name in self.optional)])
            raise TypeError(f"{self.id} {what}: give {takes or 'nothing beside the chain'}")
        for hypothesis in self.hypotheses:
            hypothesis.check(chain, data)
        return self.formula(chain, **data)
