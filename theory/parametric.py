"""Chains given state by state, their probabilities functions of one parameter.

Input is rows, as a file or a model checker has them: for each state its successors and their
probabilities, rational functions of one parameter (here called epsilon). Output is the mean
hitting time of a set of states, a rational function in lowest terms. Every other number in the
chain (how many clusters, how large) is a number; for all of them at once see `theory.derive`.

Method
------
1. *Lump.* The coarsest partition in which the target is a block and all states of a block have the
   same probability of moving to each block (Kemeny and Snell 1976, theorem 6.3.2) is found by
   splitting blocks until none splits, with the smaller parts as splitters (Valmari and
   Franceschinis 2010, *Simple O(m log n) Time Markov Chain Lumping*, TACAS). States with the same
   row are taken together first, which costs one hash of each row.
2. *Eliminate.* The blocks are eliminated one by one, that with the fewest paths through it first
   (Markowitz 1957), on off-diagonal weights, so that nothing is ever subtracted (Grassmann, Taksar
   and Heyman 1985; for parametric chains Daws 2004). A row may be multiplied by any polynomial:
   rows are kept over Z[epsilon], without common factor.

Why the result is exact
-----------------------
Nothing is sampled, interpolated or rounded. In step 1 a probability is the integer that its
numerator over the common denominator of all takes at epsilon = 2**b, with b so large that no sum
over a row overflows a digit (Kronecker substitution): sums and comparisons of such integers are
those of the rational functions. In step 2 all polynomials of a row have one sign for small
epsilon > 0, because no probability is negative there (this is checked), so no pivot vanishes.
`verify` proves a result once more and knows neither step: it puts the values of all states that
the start can reach into the rows as they were given.

The result holds for every epsilon at which all the probabilities are positive.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from heapq import heapify, heappop, heappush
from operator import mul
from typing import Any

import sympy
from flint import fmpz_poly

from theory.solve import NoSolution

# Successors of a state, and for each the position of its probability in the chain's table.
Row = tuple[tuple[int, ...], tuple[int, ...]]


class InvalidChain(ValueError):
    """The rows, the start or the target are no Markov chain's; one line that names the place."""


class NotProved(ValueError):
    """Values that are not the mean hitting times; one line that names the row."""


@dataclass(frozen=True)
class RationalFunction:
    """A rational function over the integers; equal functions made by `reduced` are equal objects.

    Attributes
    ----------
    numerator, denominator : coefficients from the constant one up; none for 0.
    """

    numerator: tuple[int, ...]
    denominator: tuple[int, ...] = (1,)

    def __call__(self, point: Fraction | int) -> Fraction:
        """The value at a point; ZeroDivisionError at a pole."""
        top, bottom = (
            sum((c * Fraction(point) ** n for n, c in enumerate(part)), Fraction(0))
            for part in (self.numerator, self.denominator)
        )
        return top / bottom

    def expression(self, parameter: str = "epsilon") -> sympy.Expr:
        """As a SymPy expression."""
        x = sympy.Symbol(parameter)
        top, bottom = (
            sympy.Add(*(c * x**n for n, c in enumerate(part)))
            for part in (self.numerator, self.denominator)
        )
        return top / bottom

    def __str__(self) -> str:
        return str(self.expression())


def reduced(numerator: fmpz_poly, denominator: fmpz_poly) -> RationalFunction:
    """Lowest terms, the lowest coefficient of the denominator positive."""
    common = numerator.gcd(denominator)
    top, bottom = ([int(c) for c in (part // common).coeffs()] for part in (numerator, denominator))
    if next(filter(None, bottom)) < 0:
        top, bottom = [-c for c in top], [-c for c in bottom]
    return RationalFunction(tuple(top), tuple(bottom))


def rational_function(value: object, parameter: str = "epsilon") -> RationalFunction:
    """Read an exact number, a text such as ``"(1 - epsilon)/4"``, or a SymPy expression.

    Decimals in a text are exact: 0.001 is 1/1000.

    Raises
    ------
    InvalidChain
        It is a float, no rational function, or speaks of another symbol than the parameter.
    """
    if isinstance(value, RationalFunction):
        return value
    if isinstance(value, int | Fraction):
        return reduced(fmpz_poly([value.numerator]), fmpz_poly([value.denominator]))
    if isinstance(value, float):
        raise InvalidChain(f"{value!r} is a rounded number: give a fraction or a text")
    symbol = sympy.Symbol(parameter)
    try:
        read = sympy.sympify(value, locals={parameter: symbol}, rational=True)
        parts = [sympy.Poly(part, symbol, domain="QQ") for part in sympy.fraction(read.together())]
    except (
        *(sympy.SympifyError, SyntaxError, TypeError, AttributeError),
        sympy.polys.polyerrors.BasePolynomialError,
    ):
        raise InvalidChain(f"{value!r} is no rational function of {parameter}") from None
    if parts[1].is_zero:
        raise InvalidChain(f"{value!r} divides by zero")
    (scale_top, top), (scale_bottom, bottom) = (part.clear_denoms(convert=True) for part in parts)
    return reduced(
        fmpz_poly([int(scale_bottom * c) for c in reversed(top.all_coeffs())]),
        fmpz_poly([int(scale_top * c) for c in reversed(bottom.all_coeffs())]),
    )


@dataclass(frozen=True)
class ParametricChain:
    """A finite chain of states 0, 1, ..., its probabilities functions of one parameter.

    Attributes
    ----------
    rows : for each state its successors, each once, and the positions of their probabilities in
        the table. The diagonal is a transition like any other.
    probabilities : the table: each probability that occurs, once, none of them 0.
    parameter : its name.
    """

    rows: tuple[Row, ...]
    probabilities: tuple[RationalFunction, ...]
    parameter: str = "epsilon"


def parametric_chain(
    rows: Iterable[Mapping[int, Any]], parameter: str = "epsilon"
) -> ParametricChain:
    """A chain from rows that map successors to probabilities.

    Parameters
    ----------
    rows : for each state, successor -> probability, as `rational_function` reads it; successors
        of probability 0 are left out.

    Raises
    ------
    InvalidChain
        A probability cannot be read.
    """
    position: dict[object, int | None] = {}  # as given
    table: dict[RationalFunction, int] = {}
    out = []
    for state, row in enumerate(rows):
        successors, labels = [], []
        for successor in sorted(row):
            given = row[successor]
            try:
                label = position[given]
            except KeyError:
                try:
                    value = rational_function(given, parameter)
                except InvalidChain as error:
                    raise InvalidChain(f"state {state}: {error}") from None
                label = table.setdefault(value, len(table)) if value.numerator else None
                position[given] = label
            if label is not None:
                successors.append(successor)
                labels.append(label)
        out.append((tuple(successors), tuple(labels)))
    return ParametricChain(tuple(out), tuple(table), parameter)


@dataclass(frozen=True)
class Quotient:
    """A chain lumped to blocks.

    Attributes
    ----------
    block : the block of each state; 0 is the target.
    rows : for each block the other blocks that it leads to, and the probabilities times ``scale``;
        none for block 0.
    scale : a common denominator of all probabilities.
    """

    block: tuple[int, ...]
    rows: tuple[Mapping[int, fmpz_poly], ...]
    scale: fmpz_poly


@dataclass(frozen=True)
class _Step:
    """An eliminated block: its weights to the blocks left, their sum, and its time times that."""

    block: int
    weights: Mapping[int, fmpz_poly]
    total: fmpz_poly
    time: fmpz_poly


@dataclass(frozen=True)
class HittingTime:
    """The mean hitting time of a set of states.

    Attributes
    ----------
    value : from the start.
    quotient : the lumped chain in which it was found.
    """

    value: RationalFunction
    quotient: Quotient
    _steps: Sequence[_Step] = field(repr=False, compare=False)

    @cached_property
    def values(self) -> Mapping[int, RationalFunction]:
        """From each block that can be reached from the start."""
        one = fmpz_poly([1])
        found = {0: (fmpz_poly([]), one)}
        for step in reversed(self._steps):
            common = one
            for j in step.weights:
                below = found[j][1]
                if below != common:
                    common *= below // common.gcd(below)
            top = step.time * common
            for j, weight in step.weights.items():
                above, below = found[j]
                top += weight * above if below == common else weight * above * (common // below)
            bottom = step.total * common
            divisor = top.gcd(bottom)
            found[step.block] = top // divisor, bottom // divisor
        return {block: reduced(*parts) for block, parts in found.items()}


def mean_hitting_time(chain: ParametricChain, start: int, target: Collection[int]) -> HittingTime:
    """The mean number of steps from a state to the first visit to a set of states.

    The rows of target states are not read.

    Raises
    ------
    InvalidChain
        A row is malformed, its probabilities do not sum to 1 identically, or one of them is
        negative for small values of the parameter; the start or the target is no state.
    NoSolution
        The chain can come to a state from which it never reaches the target: the mean is infinite.
    """
    if not 0 <= start < len(chain.rows):
        raise InvalidChain(f"start {start} is not a state: {_range(chain)}")
    quotient = lump(chain, target)
    steps = _eliminate(quotient, start)
    if not steps:
        return HittingTime(RationalFunction(()), quotient, steps)
    return HittingTime(reduced(steps[-1].time, steps[-1].total), quotient, steps)


# ---------------------------------------------------------------- lumping
def lump(chain: ParametricChain, target: Collection[int]) -> Quotient:
    """The coarsest strong lumping in which the target is a block.

    The rows of target states are not read.

    Raises
    ------
    InvalidChain
        As for `mean_hitting_time`.
    """
    rows: list[Row | None] = list(chain.rows)
    for state in target:
        if not 0 <= state < len(rows):
            raise InvalidChain(f"target {state} is not a state: {_range(chain)}")
        rows[state] = None
    if not target:
        raise InvalidChain(f"there is no target: {_range(chain)}")

    number: dict[Row | None, int] = {None: 0}
    twin = [number.setdefault(row, len(number)) for row in rows]
    code = _Code(chain)
    forward, backward = _transpose(chain, twin, [row for row in number if row is not None], code)
    block, members = _refine(backward)

    weight: dict[int, fmpz_poly] = {}
    lumped: list[dict[int, fmpz_poly]] = [{}]
    for b in range(1, len(members)):
        mass: dict[int, int] = {}
        for c, x in forward[next(iter(members[b]))].items():
            to = block[c]
            if to != b:
                mass[to] = mass[to] + x if to in mass else x
        for x in mass.values():
            if x not in weight:
                weight[x] = code.read(x)
        lumped.append({to: weight[x] for to, x in mass.items()})
    return Quotient(tuple([block[c] for c in twin]), tuple(lumped), code.scale)


class _Code:
    """Probabilities as integers, such that sums over a row compare as the functions do.

    Attributes
    ----------
    scale : the common denominator.
    numerators : the probabilities times that.
    values : these at 2**bits; ``one`` is that of the denominator.
    """

    def __init__(self, chain: ParametricChain) -> None:
        self.scale = fmpz_poly([1])
        parts = [
            (fmpz_poly(list(p.numerator)), fmpz_poly(list(p.denominator)))
            for p in chain.probabilities
        ]
        for number, (p, (top, below)) in enumerate(zip(chain.probabilities, parts, strict=True)):
            if not top or not below or _lowest(p.numerator) * _lowest(p.denominator) < 0:
                _refuse_probability(chain, number)
            if below != self.scale:
                self.scale *= below // self.scale.gcd(below)
        self.numerators = [top * (self.scale // below) for top, below in parts]
        longest = max((len(labels) for _, labels in chain.rows), default=0)
        self.bits = 2 + longest.bit_length() + _height([self.scale, *self.numerators])
        at = 1 << self.bits
        self.values = [int(p(at)) for p in self.numerators]
        self.one = int(self.scale(at))

    def read(self, value: int) -> fmpz_poly:
        """The polynomial with this value at 2**bits, its coefficients below 2**(bits - 1)."""
        half, mask = 1 << (self.bits - 1), (1 << self.bits) - 1
        coefficients = []
        while value:
            digit = ((value + half) & mask) - half
            coefficients.append(digit)
            value = (value - digit) >> self.bits
        return fmpz_poly(coefficients)


def _transpose(
    chain: ParametricChain, twin: list[int], rows: list[Row], code: _Code
) -> tuple[list[dict[int, int]], list[dict[int, int]]]:
    """Check the rows; coded probabilities between classes of twins, by source and by target."""
    values, one, states = code.values, code.one, len(twin)
    forward: list[dict[int, int]] = [{} for _ in range(len(rows) + 1)]
    backward: list[dict[int, int]] = [{} for _ in range(len(rows) + 1)]
    for c, row in enumerate(rows, 1):
        try:
            successors, labels = row
            classes = list(map(twin.__getitem__, successors))
            masses = list(map(values.__getitem__, labels))
            mass = dict(zip(classes, masses, strict=True))
            if len(mass) < len(classes):
                mass = dict.fromkeys(classes, 0)
                for to, x in zip(classes, masses, strict=True):
                    mass[to] += x
                sound = len(set(successors)) == len(successors)
            else:
                sound = True
        except (IndexError, ValueError):
            sound = False
        if not sound or sum(masses) != one or min(successors) < 0 or min(labels) < 0:
            _refuse_row(chain, row, states)
        forward[c] = mass
        for to, x in mass.items():
            backward[to][c] = x
    return forward, backward


def _refine(backward: list[dict[int, int]]) -> tuple[list[int], list[set[int]]]:
    """The coarsest stable partition of the classes with class 0 alone, as blocks and members.

    Rows sum to 1, so stability under all parts of a block but one, and under the block, is
    stability under all parts: the largest need not be a splitter.
    """
    block = [0] + [1] * (len(backward) - 1)
    members = [{0}, set(range(1, len(backward)))] if len(backward) > 1 else [{0}]
    queue, queued = [0], [True, False]
    while queue:
        splitter = queue.pop()
        queued[splitter] = False
        inside = members[splitter]
        if len(inside) == 1:
            mass = backward[next(iter(inside))]
        else:
            mass = {}
            for to in inside:
                for c, x in backward[to].items():
                    mass[c] = mass[c] + x if c in mass else x
        touched: dict[int, dict[int, list[int]]] = {}
        for c, x in mass.items():
            b = block[c]
            if len(members[b]) > 1:
                if b not in touched:
                    touched[b] = {x: [c]}
                elif x in touched[b]:
                    touched[b][x].append(c)
                else:
                    touched[b][x] = [c]
        for b, groups in touched.items():
            parts = list(groups.values())
            if sum(map(len, parts)) == len(members[b]):
                if len(parts) == 1:
                    continue
                parts.remove(max(parts, key=len))
            changed = [b]
            for part in parts:
                members[b].difference_update(part)
                for c in part:
                    block[c] = len(members)
                changed.append(len(members))
                members.append(set(part))
                queued.append(False)
            if not queued[b]:
                changed.remove(max(changed, key=lambda n: len(members[n])))
            for n in changed:
                if not queued[n]:
                    queued[n] = True
                    queue.append(n)
    return block, members


# ---------------------------------------------------------------- elimination
def _eliminate(quotient: Quotient, start: int) -> list[_Step]:
    """Eliminate all blocks that the start's can reach, its own last; none if it is the target."""
    first = quotient.block[start]
    out = {first: dict(quotient.rows[first])} if first else {}
    into: dict[int, set[int]] = {0: set(), first: set()}
    todo = list(out)
    while todo:
        k = todo.pop()
        for j in out[k]:
            if j not in into:
                into[j] = set()
                out[j] = dict(quotient.rows[j])
                todo.append(j)
            into[j].add(k)

    time = dict.fromkeys(out, quotient.scale)
    heap = [(len(into[k]) * len(row), k) for k, row in out.items() if k != first]
    heapify(heap)
    steps = []
    while out:
        cost, k = heappop(heap) if heap else (0, first)
        row, before = out[k], into[k]
        if heap and len(before) * len(row) > cost:
            heappush(heap, (len(before) * len(row), k))
            continue
        if not row:
            lost = quotient.block.index(k)
            raise NoSolution(
                f"from state {start} the chain can come to state {lost} and, from there, never "
                "reach the target: the mean hitting time is infinite"
            )
        del out[k]
        weights = iter(row.values())
        total = next(weights)
        for weight in weights:
            total = total + weight
        steps.append(_Step(k, row, total, time[k]))
        for j in row:
            into[j].discard(k)
        for i in before:
            time[i] = _bypass(out[i], time[i], i, steps[-1], into)
    return steps


def _bypass(
    row: dict[int, fmpz_poly], time: fmpz_poly, i: int, step: _Step, into: dict[int, set[int]]
) -> fmpz_poly:
    """Lead row i past an eliminated block, in place; its new time, with no common factor left."""
    through = row.pop(step.block)
    common = through.gcd(step.total)
    through, factor = through // common, step.total // common
    if not factor.is_one():
        for j in row:
            row[j] = row[j] * factor
        time = time * factor
    time = time + through * step.time
    for j, weight in step.weights.items():
        if j in row:
            row[j] = row[j] + through * weight
        elif j != i:
            row[j] = through * weight
            into[j].add(i)
    common = time.gcd(min(row.values(), key=len)) if row else time
    while not common.is_one():
        # Division tells sooner than a gcd whether a factor is common, and mostly it is.
        quotients = {}
        for j, weight in row.items():
            quotients[j], rest = divmod(weight, common)
            if rest:
                common = common.gcd(weight)
                break
        else:
            row.update(quotients)
            return time // common
    return time


# ---------------------------------------------------------------- proof
def verify(chain: ParametricChain, start: int, target: Collection[int], found: HittingTime) -> None:
    """Prove that the values found are the mean hitting times, from the rows alone.

    The value h of each state is that of its block. Proved are, as identities: h = 0 on the target;
    and for every other state that has a value, that its row sums to 1, leads to states with values
    only, and satisfies h = 1 + P h. No set of such states can then be closed and miss the target
    (the mean of h = 1 + P h under its stationary law would read 0 = 1), so that the target is
    reached from each, and the equations have one solution (Norris 1997, theorem 1.3.5). That
    states with one value form a block that lumps is not used.

    Raises
    ------
    NotProved
        One of these fails.
    """
    code, values, goal = _Code(chain), found.values, set(target)
    block = found.quotient.block
    if values.get(block[start]) != found.value:
        raise NotProved(f"state {start}: the value from the start is not that of its block")

    below = fmpz_poly([1])
    parts = {b: (fmpz_poly(list(v.numerator)), v.denominator) for b, v in values.items()}
    denominators = {bottom: fmpz_poly(list(bottom)) for _, bottom in parts.values()}
    for bottom in denominators.values():
        below *= bottom // below.gcd(bottom)
    cofactors = {coefficients: below // bottom for coefficients, bottom in denominators.items()}
    times = {b: top * cofactors[bottom] for b, (top, bottom) in parts.items()}

    # A polynomial with coefficients below 2**(bits - 1) that is 0 at 2**bits is 0.
    terms = max((len(row[0]) for row in chain.rows), default=0) + 2
    length = max(len(p) for p in [code.scale, *code.numerators])
    height = _height([code.scale, *code.numerators]) + _height([below, *times.values()])
    at = 1 << (2 + height + (terms * length).bit_length())
    weight = [int(p(at)) for p in code.numerators]
    scale, step = int(code.scale(at)), int(below(at)) * int(code.scale(at))
    packed = {b: int(p(at)) for b, p in times.items()}
    time = {s: packed[b] for s, b in enumerate(block) if b in packed}

    done: set[tuple[Row, int]] = set()
    laws: set[tuple[int, ...]] = set()
    for state, here in time.items():
        if state in goal:
            if here:
                raise NotProved(f"state {state} is in the target and its value is not 0")
            continue
        row = chain.rows[state]
        if (row, here) in done:
            continue
        successors, labels = row
        if labels not in laws:
            if sum(map(weight.__getitem__, labels)) != scale:
                raise NotProved(f"state {state}: its probabilities do not sum to 1")
            laws.add(labels)
        try:
            ahead = sum(
                map(mul, map(weight.__getitem__, labels), map(time.__getitem__, successors))
            )
        except KeyError as missing:
            raise NotProved(f"state {state} leads to state {missing}, which has no value") from None
        if ahead + step != scale * here:
            raise NotProved(f"state {state}: h = 1 + P h does not hold in its row")
        done.add((row, here))


# ---------------------------------------------------------------- small parts
def _lowest(coefficients: Sequence[int]) -> int:
    """The lowest coefficient that is not 0: its sign is that of the polynomial near 0+."""
    return next(filter(None, coefficients))


def _height(polynomials: Iterable[fmpz_poly]) -> int:
    """Bits of the largest coefficient."""
    return max(abs(p.height_bits()) for p in polynomials)


def _range(chain: ParametricChain) -> str:
    if not chain.rows:
        return "the chain has none"
    return f"give a number from 0 to {len(chain.rows) - 1}"


def _refuse_probability(chain: ParametricChain, number: int) -> None:
    """Say which probability is no probability, and where it stands."""
    users = (s for s, (_, labels) in enumerate(chain.rows) if number in labels)
    place, value = next((f"state {s}" for s in users), "the table"), chain.probabilities[number]
    if not any(value.denominator):
        raise InvalidChain(f"{place}: a probability has the denominator 0")
    if not any(value.numerator):
        raise InvalidChain(f"{place}: a probability is 0: leave its transitions out")
    raise InvalidChain(
        f"{place}: probability {value.expression(chain.parameter)} is negative for small values "
        f"of {chain.parameter}"
    )


def _refuse_row(chain: ParametricChain, row: Row, states: int) -> None:
    """Say what is wrong with a row, and where it stands."""
    place, (successors, labels) = f"state {chain.rows.index(row)}", row
    if len(successors) != len(labels):
        raise InvalidChain(
            f"{place}: {len(successors)} successors but {len(labels)} probabilities: give as many"
        )
    for to in successors:
        if not 0 <= to < states:
            raise InvalidChain(f"{place}: successor {to} is not a state: {_range(chain)}")
        if successors.count(to) > 1:
            raise InvalidChain(f"{place}: successor {to} stands twice: add the probabilities")
    for label in labels:
        if not 0 <= label < len(chain.probabilities):
            raise InvalidChain(f"{place}: there is no probability {label} in the table")
    total = sympy.together(
        sympy.Add(*(chain.probabilities[n].expression(chain.parameter) for n in labels))
    )
    raise InvalidChain(
        f"{place}: its probabilities sum to {sympy.cancel(total)}, not to 1: mend the row"
    )
