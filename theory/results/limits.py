"""R7 with constants: what local information leaves to a learner that asks for averages.

The task, after Kim et al. (2025, section 5).  A path crosses L candidate edges.  Candidate i shows
an element x_i of a finite group; if it is truly sparse it moves the answer by x_i, and if it is a
decoy, an edge inside a cluster, it does nothing.  The answer is the product over the truly sparse
ones, a hidden set S, applied to a base point; the first that is crossed acts first.

The dimension, ours.  A hypothesis S is the law D_S of (x, answer).  Against the law D_0 under which
the answer is uniform on the points that it may take, and independent of x, it is the function
v_S = (dD_S/dD_0 - 1)/sqrt(n - 1) in L^2(D_0), where n is the number of these points; ||v_S|| = 1.
For a mean-zero observable phi of the answer, v_S(x) = phi(answer)/(mean of phi^2)^(1/2) instead.
The *statistical dimension* of a finite set H of hypotheses is

    dim H = |H| / max_S sum_T |<v_S, v_T>|,

the inverse of the largest average correlation: |H| if they are uncorrelated, 1 if they are all the
same.  *With access to side information* I, a function of the hypothesis, it is the least dim of the
sets {S : I(S) = i} that a value i leaves.

Theorem (queries).  Let a query be a function g of (x, answer) with ||g - E_0 g|| <= 1 in L^2(D_0),
or a vector of functions with the sum of their squared norms at most 1.  At most |H|/(D tau^2)
hypotheses have |E_S g - E_0 g| > tau, where D = dim H/(n - 1), or dim H for one observable.  So an
oracle that may err by tau answers E_0 g, free of S, to all q queries of a learner, but for a share
q/(D tau^2) of hypotheses.

Proof.  With c_S = <g, v_S> and B the Gram matrix, (sum c_S^2)^2 = <g, sum c_S v_S>^2
<= ||sum c_S v_S||^2 = c B c <= (max row sum of |B|) sum c_S^2 (Cauchy-Schwarz, then Schur's test).
For a vector of functions, sum these over its entries.

This is the argument of Blum et al. (1994) in the form of Szorenyi (2009); average correlations are
those of Feldman et al. (2017), and `hypothesis_tests` is the SDA of Brennan et al. (2021).
"""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Sized
from dataclasses import dataclass
from fractions import Fraction
from functools import cache, cached_property, partial
from typing import Any

from theory.certificates import certify
from theory.claims import Claim
from theory.domain import Domain, Parameter, expression
from theory.groups import Action, GroupError, check_action, check_group, orbit

Law = tuple[int, ...]
"""Elements of a group, each as probable as often as it stands there."""
Kernel = tuple[tuple[Fraction, ...], ...]
NEITHER, FIRST, SECOND, BOTH = range(4)
"""To which of two sets a candidate belongs."""


# ---------------------------------------------------------------- the problem
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


# ---------------------------------------------------------------- by enumeration
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


# ---------------------------------------------------------------- in closed form
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


# ---------------------------------------------------------------- a proof for every L
def orthogonality(problem: Problem) -> dict[str, Any]:
    """A certificate that <v_S, v_T> is 1 if S = T and else 0, for every L and all sets S and T.

    It is a finite automaton.  Its states are functions of two answers, the kernel first; reading a
    candidate that belongs to neither, the first, the second or both sets, it passes to the mean of
    the function over that candidate's element.  `check_orthogonality` re-checks every arrow.

    Raises
    ------
    GroupError
        More than 50 states: no finite proof of this kind was found.
    """
    law = problem.laws[0]
    if len(problem.laws) > 1:
        raise GroupError("the candidates have different laws: give one law")
    start = {(p, q): k for p, row in enumerate(problem.kernel) for q, k in enumerate(row)}
    states, arrows = [start], list[list[int]]()
    for state in states:
        line = []
        for letter in range(4):
            after = averaged(problem.action, law, letter, state)
            if after not in states:
                states.append(after)
            line.append(states.index(after))
        arrows.append(line)
        if len(states) > 50:
            raise GroupError("the functions do not repeat: no finite proof of this kind")
    n = problem.action.points
    return {
        "table": [list(row) for row in problem.action.table],
        "moves": [list(row) for row in problem.action.moves],
        "law": list(law),
        "base": problem.base,
        "states": [[[str(f[p, q]) for q in range(n)] for p in range(n)] for f in states],
        "arrows": arrows,
    }


class Refused(Exception):
    """The certificate does not prove its statement."""


def check_orthogonality(certificate: Mapping[str, Any]) -> str:
    """Re-check a certificate of `orthogonality`, and return the statement that it proves.

    Raises
    ------
    Refused
        An axiom of the group, an arrow or a value is wrong.
    """
    table, moves = (tuple(map(tuple, certificate[key])) for key in ("table", "moves"))
    try:
        check_group("table", table)
        check_action("moves", table, moves)
    except GroupError as error:
        raise Refused(str(error)) from error
    law, base, arrows = (certificate[key] for key in ("law", "base", "arrows"))
    states = [[[Fraction(x) for x in row] for row in f] for f in certificate["states"]]
    points = range(len(moves[0]))
    for state, line in zip(states, arrows, strict=True):
        for letter, to in enumerate(line):
            first, second = letter in (FIRST, BOTH), letter in (SECOND, BOTH)
            for p, q in itertools.product(points, points):
                images = ((moves[g][p] if first else p, moves[g][q] if second else q) for g in law)
                if sum(state[x][y] for x, y in images) != len(law) * states[to][p][q]:
                    raise Refused(f"arrow {letter} of state {states.index(state)} is wrong")
    # Words are read from the last candidate back; what counts is the state and whether S and T
    # differ so far.
    seen, new = {(0, False)}, [(0, False)]
    while new:
        at, differ = new.pop()
        if states[at][base][base] != (0 if differ else 1):
            raise Refused(f"the correlation is {states[at][base][base]} at state {at}")
        for letter, to in enumerate(arrows[at]):
            step = (to, differ or letter in (FIRST, SECOND))
            if step not in seen:
                seen.add(step)
                new.append(step)
    _check_kernel(states[0], moves, law, base)
    n = len(orbit([base], lambda p: (moves[g][p] for g in law)))
    return (
        f"For every L >= 0: for the {len(table)} elements of this group acting on {len(points)} "
        f"points, the laws of (x, answer) of the 2^L sets are uncorrelated, with n = {n} answers."
    )


def _check_kernel(
    kernel: list[list[Fraction]], moves: Sequence[Sequence[int]], law: Sequence[int], base: int
) -> None:
    """Refuse a first state that is not the kernel of the whole answer."""
    answers = orbit([base], lambda p: (moves[g][p] for g in law))
    n = len(answers)
    for p, q in itertools.product(answers, answers):
        if kernel[p][q] * (n - 1) != n * (p == q) - 1:
            raise Refused("the first state is not the kernel of the whole answer")


# ---------------------------------------------------------------- lower bounds as claims
def _claim(
    name: str,
    parameters: Sequence[Parameter],
    facts: Sequence[str],
    claims: Sequence[str],
    **values: str,
) -> Claim:
    domain = Domain(tuple(parameters), tuple(facts))
    statement = {
        "kind": "comparison",
        "domain": domain.to_json(),
        "claims": list(claims),
        "of": [],
    }
    bounds = {side: expression(text) for side, text in values.items()}
    return Claim(f"limits/{name}", "limits", name, domain, certify(statement), **bounds)


POINTS = Parameter("n", ("n >= 2",), "number of answers")
TOLERANCE = Parameter("t", ("t > 0",), "tolerance of the oracle", integer=False)
QUERIES = Parameter("q", ("q >= 0",), "number of queries", integer=False)
ROOT = Parameter("r", ("r > 0",), "root of D = dim/(n - 1)", integer=False)
GAIN = Parameter("a", ("a*r >= 2",), "mean accuracy beyond 1/n", integer=False)


def error_claim() -> Claim:
    """With few queries the mean accuracy over the hypotheses is at most 3/(2n).

    By the theorem the accuracy is at most 1/n + q/(D t^2) + 1/sqrt(D); here D = r^2.
    """
    root = Parameter("r", ("r >= 4*n",), "root of D = dim/(n - 1)", integer=False)
    return _claim(
        "error",
        (POINTS, root, TOLERANCE, QUERIES),
        ("4*n*q <= r**2*t**2",),
        ("1/n + q/(r**2*t**2) + 1/r <= 3/(2*n)",),
        upper="3/(2*n)",
    )


def queries_claim() -> Claim:
    """An accuracy of 1/n + a, a >= 2/sqrt(D), takes at least D t^2 a/2 queries."""
    return _claim(
        "queries",
        (ROOT, TOLERANCE, GAIN, Parameter("q", (), "number of queries", integer=False)),
        ("q/(r**2*t**2) + 1/r >= a",),
        ("q >= r**2*t**2*a/2",),
        lower="r**2*t**2*a/2",
    )


def steps_claim() -> Claim:
    """The same for gradient steps: steps times precision, P = 1/t^2, is at least D a/2.

    A gradient is one query, a vector of functions: an oracle errs by t times the root of the sum of
    the mean squares of its entries.
    """
    precision = Parameter("P", ("P > 0",), "1/t^2", integer=False)
    return _claim(
        "steps",
        (ROOT, precision, GAIN, Parameter("T", (), "number of gradient steps", integer=False)),
        ("T*P/r**2 + 1/r >= a",),
        ("T*P >= r**2*a/2",),
        lower="r**2*a/2",
    )


def growth_claim() -> Claim:
    """Each further candidate multiplies the dimension of biased actions by more than 1."""
    bias = Parameter("b", ("b >= 0", "b < 1"), "probability of a neutral action", integer=False)
    return _claim(
        "growth",
        (bias,),
        (),
        ("2/(1 + b) >= 1 + (1 - b)/2", "2/(1 + b) > 1", "2/(1 + b) <= 2"),
        lower="1 + (1 - b)/2",
        upper="2",
    )


def apart_claim() -> Claim:
    """Where D >= 2r + 2, what is seen of two stretches of a path is disjoint and not adjacent."""
    return _claim("apart", _places(), ("D >= 2*r + 2",), ("(e + D - r) - (e + r) >= 2",), lower="2")


def meet_claim() -> Claim:
    """Where D <= 2r + 1, the stretches overlap or are adjacent: a decoy closes a cycle in sight."""
    return _claim("meet", _places(), ("D <= 2*r + 1",), ("(e + D - r) - (e + r) <= 1",), upper="1")


def _places() -> tuple[Parameter, ...]:
    return (
        Parameter("r", ("r >= 0",), "radius"),
        Parameter("e", ("e >= 0",), "where a stretch ends"),
        Parameter("D", ("D >= 1",), "distance to the next stretch"),
    )


def size_claim() -> Claim:
    """The whole graph is small: its states and transitions, for all gaps D and stretches w."""
    return _claim(
        "size",
        (
            Parameter("L", ("L >= 1",), "candidates"),
            Parameter("K", ("K >= 1", "K <= L + 1"), "clusters"),
            Parameter("s", ("s >= 0",), "length of a stretch"),
            Parameter("D", ("D >= 1",), "distance of the ends of a decoy"),
        ),
        (),
        (
            "K*(L + 1)*(s + D) <= (L + 1)**2*(s + D)",
            "2*K*(L + 1)*(s + D) + 2*L <= 3*(L + 1)**2*(s + D)",
        ),
        upper="3*(L + 1)**2*(s + D)",
    )


def claims() -> dict[str, Claim]:
    """All claims of this page, by name."""
    made = (
        error_claim(),
        queries_claim(),
        steps_claim(),
        growth_claim(),
        apart_claim(),
        meet_claim(),
        size_claim(),
    )
    return {claim.quantity: claim for claim in made}


def share_caught(dim: Fraction, answers: int, queries: int, tolerance: Fraction) -> Fraction:
    """The most hypotheses, as a share, of which any of the queries tells, by the theorem."""
    return min(Fraction(1), queries * (answers - 1) / (dim * tolerance**2))


def accuracy_bound(dim: Fraction, answers: int, queries: int, tolerance: Fraction) -> float:
    """The most accuracy, mean over the hypotheses: 1/n + q/(D t^2) + (1 - 1/n)/sqrt(dim).

    A guess that is free of S has the advantage <g, D_S/D_0 - 1> with ||g||^2 = (1 - 1/n)/n, and by
    the theorem its mean square over S is at most (1 - 1/n)^2/dim.
    """
    caught = share_caught(dim, answers, queries, tolerance)
    return min(1.0, 1 / answers + float(caught) + (1 - 1 / answers) / math.sqrt(dim))


# ---------------------------------------------------------------- graphs
Vertex = tuple[int, int]
Graph = Mapping[Any, Mapping[Any, Fraction]]
"""vertex -> neighbour -> probability of the step; what is left over is the step to itself."""


@dataclass(frozen=True)
class Instance:
    """A chain with a path whose candidate edges are truly sparse, or decoys.

    Clusters are lazy cycles: from a state one step either way, with probability 1/4 each.  In each
    cluster that it enters the path walks a stretch of w steps and leaves by candidate i, from
    position e_i, to position e_i + D_i, where the next stretch starts: of the next cluster if i is
    truly sparse, of the same one if it is a decoy.  So the ends of decoy i are D_i apart on the
    cycle.  Every candidate has probability epsilon, either way.

    Attributes
    ----------
    true : for each candidate, whether it is truly sparse.
    gaps : D_i >= 1 of each candidate.
    walk : w >= 0.
    epsilon : 0 < epsilon <= 1/4.
    aside : further sparse edges out of the first cluster, off the path.

    Raises
    ------
    ValueError
        A number is out of its range.
    """

    true: tuple[bool, ...]
    gaps: tuple[int, ...]
    walk: int = 1
    epsilon: Fraction = Fraction(1, 1000)
    aside: int = 0

    def __post_init__(self) -> None:
        if len(self.true) != len(self.gaps) or not self.gaps or min(self.gaps) < 1:
            raise ValueError("give every candidate a gap of at least 1")
        if self.walk < 0 or self.aside < 0 or not 0 < self.epsilon <= Fraction(1, 4):
            raise ValueError("need walk >= 0, aside >= 0 and 0 < epsilon <= 1/4")

    @cached_property
    def starts(self) -> tuple[int, ...]:
        """Where the L + 1 stretches start on the cycle."""
        return tuple(itertools.accumulate((self.walk + gap for gap in self.gaps), initial=0))

    @property
    def states(self) -> int:
        """M, the number of states in a cluster."""
        return self.starts[-1] + self.walk + max(2, max(self.gaps)) * (self.aside + 1)

    @property
    def diameter(self) -> int:
        """Of a cluster."""
        return self.states // 2

    @property
    def clusters(self) -> int:
        """K: those on the path, and one for each edge off it."""
        return 1 + sum(self.true) + self.aside

    @cached_property
    def candidates(self) -> tuple[tuple[Vertex, Vertex], ...]:
        """The two ends of each candidate."""
        levels = list(itertools.accumulate(self.true, initial=0))
        return tuple(
            ((levels[i], self.starts[i] + self.walk), (levels[i + 1], self.starts[i + 1]))
            for i in range(len(self.true))
        )

    @cached_property
    def path(self) -> tuple[Vertex, ...]:
        """The vertices of the path, in order."""
        levels = itertools.accumulate(self.true, initial=0)
        stretches = zip(levels, self.starts, strict=True)
        return tuple((c, s + j) for c, s in stretches for j in range(self.walk + 1))

    @cached_property
    def weak(self) -> Mapping[Vertex, tuple[Vertex, ...]]:
        """vertex -> the other ends of its edges of probability epsilon."""
        end, step = self.starts[-1] + self.walk, max(2, max(self.gaps))
        first = self.clusters - self.aside
        off = [((0, end + (j + 1) * step), (first + j, 0)) for j in range(self.aside)]
        found: dict[Vertex, tuple[Vertex, ...]] = {}
        for u, v in (*self.candidates, *off):
            found[u] = (*found.get(u, ()), v)
            found[v] = (*found.get(v, ()), u)
        return found

    def __getitem__(self, vertex: Vertex) -> dict[Vertex, Fraction]:
        """The steps from a vertex to others."""
        cluster, at = vertex
        steps = {(cluster, (at + move) % self.states): Fraction(1, 4) for move in (1, -1)}
        for other in self.weak.get(vertex, ()):
            steps[other] = steps.get(other, Fraction(0)) + self.epsilon
        return steps

    def cluster_graph(self) -> dict[Vertex, dict[Vertex, Fraction]]:
        """All vertices with their steps."""
        return {(c, p): self[c, p] for c in range(self.clusters) for p in range(self.states)}


def neighbourhood(graph: Any, roots: Iterable[Any], radius: int) -> dict[Any, dict[Any, Fraction]]:
    """The subgraph on the vertices within a distance of the roots, with its probabilities."""
    near = front = set(roots)
    for _ in range(radius):
        front = {y for x in front for y in graph[x]} - near
        near = near | front
    return {x: {y: p for y, p in graph[x].items() if y in near} for x in near}


def isomorphism(
    first: Graph, second: Graph, roots: Sequence[tuple[Any, Any]]
) -> dict[Any, Any] | None:
    """A bijection of the vertices that keeps all probabilities and takes root to root, or None.

    Colours are refined by those of the neighbours until they are stable; then vertices of one
    colour are matched by trying, so that the search is complete.
    """
    if len(first) != len(second):
        return None
    colours = []
    for side, graph in enumerate((first, second)):
        named: dict[Any, Any] = {x: () for x in graph}
        for number, root in enumerate(roots):
            named[root[side]] = (*named[root[side]], number)
        colours.append(named)
    number_of: dict[Any, int] = {}
    shades = [{x: number_of.setdefault(c, len(number_of)) for x, c in n.items()} for n in colours]
    while True:
        before, number_of = len(number_of), {}
        finer = []
        for graph, old in zip((first, second), shades, strict=True):
            told = {
                x: (old[x], tuple(sorted((p, old[y]) for y, p in graph[x].items()))) for x in graph
            }
            finer.append({x: number_of.setdefault(c, len(number_of)) for x, c in told.items()})
        shades = finer
        if Counter(shades[0].values()) != Counter(shades[1].values()):
            return None
        if len(number_of) == before:
            break
    classes: dict[int, list[Any]] = {}
    for y, shade in shades[1].items():
        classes.setdefault(shade, []).append(y)
    order = _connected_order(first, shades[0], classes, [root[0] for root in roots])
    found: dict[Any, Any] = {}
    used: set[Any] = set()

    def fits(x: Any, y: Any) -> bool:
        mine = {found[z]: p for z, p in first[x].items() if z in found}
        back = {found[z]: first[z][x] for z in found if x in first[z]}
        return mine == {z: p for z, p in second[y].items() if z in used} and back == {
            z: second[z][y] for z in used if y in second[z]
        }

    choices = [iter(classes[shades[0][order[0]]])] if order else []
    while choices:
        x = order[len(choices) - 1]
        if x in found:
            used.discard(found.pop(x))
        y = next((y for y in choices[-1] if y not in used and fits(x, y)), None)
        if y is None:
            choices.pop()
            continue
        found[x] = y
        used.add(y)
        if len(found) == len(order):
            return found
        choices.append(iter(classes[shades[0][order[len(choices)]]]))
    return {} if not order else None


def _connected_order(
    graph: Graph, shade: Mapping[Any, int], classes: Mapping[int, Sized], roots: Sequence[Any]
) -> list[Any]:
    """The vertices, roots first, each if possible after a neighbour, small classes first."""
    order, seen = list(dict.fromkeys(roots)), set(roots)
    rest = sorted(graph, key=lambda x: len(classes[shade[x]]))
    queue = list(order)
    for start in [None, *rest]:
        if start is not None and start not in seen:
            seen.add(start)
            order.append(start)
            queue.append(start)
        while queue:
            x = queue.pop(0)
            for y in sorted(graph[x], key=lambda y: len(classes[shade[y]])):
                if y not in seen:
                    seen.add(y)
                    order.append(y)
                    queue.append(y)
    return order


def is_isomorphism(
    mapping: Mapping[Any, Any], first: Graph, second: Graph, roots: Sequence[tuple[Any, Any]]
) -> bool:
    """Whether a mapping is what `isomorphism` promises, checked edge by edge."""
    return (
        set(mapping) == set(first)
        and set(mapping.values()) == set(second)
        and len(first) == len(second)
        and all(mapping.get(a) == b for a, b in roots)
        and all({mapping[y]: p for y, p in first[x].items()} == second[mapping[x]] for x in first)
    )


def seen_from_path(instance: Instance, radius: int) -> dict[Vertex, dict[Vertex, Fraction]]:
    """What a learner with a neighbourhood of the path is shown; it is also told the path."""
    return neighbourhood(instance, instance.path, radius)


def alike(first: Instance, second: Instance, radius: int) -> dict[Vertex, Vertex] | None:
    """An isomorphism of what is seen from two paths, from path to path, or None."""
    roots = list(zip(first.path, second.path, strict=True))
    return isomorphism(seen_from_path(first, radius), seen_from_path(second, radius), roots)


def told_by_neighbourhood(instance: Instance, radius: int) -> tuple[bool | None, ...]:
    """For each candidate what its neighbourhood tells: truly sparse, a decoy, or None.

    It is compared with those of the same path on which only this candidate is truly sparse, or a
    decoy; the gaps are known to the learner, the rest is not.
    """
    told = list[bool | None]()
    for i, gap in enumerate(instance.gaps):
        both = [
            Instance((kind,), (gap,), instance.walk, instance.epsilon) for kind in (True, False)
        ]
        views = [seen_from_path(one, radius) for one in both]
        roots = list(zip(both[0].path, both[1].path, strict=True))
        if isomorphism(views[0], views[1], roots) is not None:
            told.append(None)
            continue
        u, v = instance.candidates[i]
        bare = _without_candidates(instance, radius)
        told.append(v not in orbit_of(u, bare))
    return tuple(told)


def _without_candidates(instance: Instance, radius: int) -> Graph:
    """What is seen, without the edges of probability epsilon."""
    view = seen_from_path(instance, radius)
    cut = Fraction(1, 4)
    return {x: {y: p for y, p in steps.items() if p >= cut} for x, steps in view.items()}


def orbit_of(start: Any, graph: Graph) -> set[Any]:
    """All vertices that are reached from one."""
    reached, new = {start}, [start]
    while new:
        for y in graph[new.pop()]:
            if y not in reached:
                reached.add(y)
                new.append(y)
    return reached


def ambiguous(gaps: Sequence[int], radius: int) -> tuple[int, ...]:
    """The candidates whose neighbourhoods tell nothing: those with D_i >= 2r + 2."""
    return tuple(i for i, gap in enumerate(gaps) if gap >= 2 * radius + 2)


LEVELS = ("none", "path", "neighbourhood", "graph")


def dimension_with_access(level: str, gaps: Sequence[int], radius: int = 0, aside: int = 0) -> int:
    """The statistical dimension with access to side information, for uniform actions.

    Parameters
    ----------
    level : ``none``: the path crosses some L of the L + aside candidates of the graph, so that any
        set of at most L of them is possible; ``path``: any set of the L on the path;
        ``neighbourhood``: what lies within ``radius`` of it is seen too; ``graph``: all of it.
    """
    L = len(gaps)
    if level == "none":
        return sum(math.comb(L + aside, k) for k in range(L + 1))
    if level == "path":
        return int(2**L)
    if level == "neighbourhood":
        return int(2 ** len(ambiguous(gaps, radius)))
    if level == "graph":
        return 1
    raise ValueError(f"unknown access {level!r}: give one of {', '.join(LEVELS)}")


def dimension_by_views(problem: Problem, gaps: Sequence[int], radius: int) -> Fraction:
    """The same for a neighbourhood, by isomorphisms of all pairs and by enumeration."""
    L = len(gaps)
    gram = gram_by_enumeration(problem, L)
    classes: list[list[int]] = []
    instances = [
        Instance(tuple(bool(s >> i & 1) for i in range(L)), tuple(gaps)) for s in range(2**L)
    ]
    for s, one in enumerate(instances):
        for group in classes:
            if alike(instances[group[0]], one, radius) is not None:
                group.append(s)
                break
        else:
            classes.append([s])
    return min(dimension([[gram[s][t] for t in group] for s in group]) for group in classes)
