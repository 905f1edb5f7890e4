r"""R3 with constants: what search finds, what it flags falsely, what it costs, and what it gains.

Search after Kim et al. (2025, Proposition 3.3). In each of R rounds a start is drawn uniformly from
all states, and N rollouts leave it. The states that the rollouts of a round see in their first T_0
steps estimate the cluster of the start; after that, the first transition with which a rollout
leaves the estimate is recorded as a sparse edge. A rollout ends when it has recorded, or at time
T_max. A round is *good* if no rollout has left the cluster by time T_0 and all its states are seen.
In a good round the estimate is the cluster, so what is recorded is a sparse edge.

Here the clusters are uniform cliques: M states, n of them gates, c sparse edges of equal
probability out of a gate, epsilon in all. Then, with x = n epsilon/M,

- a rollout from a uniform state survives t steps with probability (1 - x)^t, and one from a state
  that is no gate with (1 - x)^(t - 1), t >= 1;
- a round is bad with a probability that inclusion and exclusion over the unseen states gives
  (`bad`), and which is at most M (1 - 1/M)^(N T_0 + 1) + N T_0 x (`UNSEEN` and `EARLY_BOUND`);
- wherever it is at time T_0, a rollout of a good round records a given edge of its cluster with a
  probability between `FOUND_LEAST` and `FOUND_MOST`. Given where they are, the rollouts are
  independent, so a good round misses the edge with probability at most (1 - s)^N;
- the number of steps of a rollout of a good round is between two geometric laws, truncated.

The robust search takes a vote of the rollouts, and tests each transition that it would record: one
more rollout from its end has T_1 steps to come back to the estimate. If it does, the end is taken
into the estimate and the rollout goes on.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property, lru_cache
from typing import Protocol

import sympy
from flint import ctx

from theory.certificates import Certificate, NoProof
from theory.claims import Derivation, NoClaim
from theory.domain import Point
from theory.enclosure import ball, ends
from theory.family import Family, K, M, epsilon
from theory.results.order import comparison
from theory.results.policy_gradient import tradeoff

n, c, N, T_0, T_1, T_max, R, u, g, s, L = sympy.symbols("n c N T_0 T_1 T_max R u g s L")
_X = n * epsilon / M
ONE = sympy.Integer(1)

UNSEEN = M * (1 - 1 / M) ** (N * T_0 + 1)
"""Bound of the probability that a state is unseen and no rollout has left by time T_0."""

EARLY = 1 - (M - n + n * (1 - epsilon) ** N) / M * (1 - _X) ** (N * (T_0 - 1))
"""Probability that some rollout of a round leaves the cluster by time T_0 >= 1, exactly."""

EARLY_BOUND = N * T_0 * _X
"""Upper bound of `EARLY`."""

LEFT = 1 - (1 - _X) ** (L - 1)
"""Probability to leave the cluster within L >= 1 steps from a state that is no gate, exactly."""

FOUND_LEAST = {True: LEFT / c, False: (1 - epsilon) * LEFT / (n * c)}
"""Least probability, over the state at time T_0, to leave by a given edge within L steps.

By whether the cluster has one gate: it is attained off the gate, or at another gate.
"""

FOUND_MOST = epsilon / c + (1 - epsilon) * LEFT / (n * c)
"""Largest probability of the same, attained at the gate of the edge."""

STAY_LEAST = 1 + (1 - epsilon) * LEFT / _X
"""Mean of min(exit time, L) from a gate: the least over the state at time T_0."""

STAY_MOST = 1 + LEFT / _X
"""Mean of min(exit time, L) from a state that is no gate: the largest."""

MISSED = (1 - u * g * (1 - (1 - s) ** N)) ** R
"""Bound of the probability to miss one edge: u of a start in its cluster, g of a good round."""

UNMET = (1 - 1 / M) ** T_1
"""Bound, over pairs of states, that a rollout neither meets the other in T_1 steps nor leaves."""

LEAVES = epsilon + T_1 * _X
"""Bound, over states, of the probability to leave within T_1 steps."""


@lru_cache
def bad(size: int, gates: int) -> sympy.Expr:
    """Probability of a bad round for a cluster of M states and n gates, in epsilon, N, T_0 >= 1.

    By inclusion and exclusion over the a states and b gates that no rollout sees: the paths of
    the rollouts are then products of the same sums, from the common start.
    """
    good = sympy.Integer(0)
    for a in range(size - gates + 1):
        for b in range(gates + 1):
            seen = size - a - b
            plain, doors = size - gates - a, gates - b
            ways = (-1) ** (a + b) * math.comb(size - gates, a) * math.comb(gates, b)
            first = (plain + doors * (1 - epsilon) ** N) / size
            inner = (plain + doors * (1 - epsilon)) / size
            if seen:
                last = sympy.Rational(seen, size) ** N
                good += ways * first * inner ** (N * (T_0 - 1)) * last
    return 1 - good


# ---------------------------------------------------------------- values with certainty
def enclose(value: sympy.Expr, point: Point, bits: int = 60) -> tuple[Fraction, Fraction]:
    """Rational bounds of an expression at a point, by ball arithmetic.

    `theory.enclosure.enclose` is exact where the value is rational; here powers of a probability
    may be too high for that.

    Parameters
    ----------
    bits : the bounds agree in about so many, unless the value is 0.
    """
    before, precision = ctx.prec, 128
    try:
        while True:
            ctx.prec = precision
            found = ball(value, point)
            if found.rel_accuracy_bits() >= bits or precision >= 2**14:
                return ends(found)
            precision *= 2
    finally:
        ctx.prec = before


# ---------------------------------------------------------------- clusters
Band = tuple[Fraction, Fraction]


class Kind(Protocol):
    """What a plan needs to know of clusters that are alike; all bounds are for the worst case."""

    @property
    def count(self) -> int:
        """How many there are."""

    @property
    def size(self) -> int:
        """Number of states of one."""

    @property
    def edges(self) -> int:
        """Number of sparse edges out of one."""

    def unseen(self, rollouts: int, steps: int) -> Fraction:
        """Upper bound that a state is unseen in so many steps and no rollout has left."""

    def early(self, rollouts: int, steps: int) -> Fraction:
        """Upper bound that one of the rollouts has left within so many steps."""

    def found(self, steps: int) -> Fraction:
        """Lower bound, over states and edges, to leave by the edge within so many steps."""

    def stay(self, steps: int) -> Band:
        """Bounds, over states, of the mean of min(exit time, steps)."""

    def unmet(self, steps: int) -> Fraction:
        """Upper bound, over pairs, that a rollout neither gets from one to the other nor leaves."""

    def leaves(self, steps: int) -> Fraction:
        """Upper bound, over states, to leave within so many steps."""


@dataclass(frozen=True)
class Cliques:
    """Uniform cliques that are alike, exactly.

    Attributes
    ----------
    count : how many.
    size, gates, fan : M >= 2, n >= 1 and c >= 1; no gate's sparse edges differ in probability.
    epsilon : mass of the sparse edges of a gate, in (0, 1).
    """

    count: int
    size: int
    gates: int
    fan: int
    epsilon: Fraction

    @property
    def edges(self) -> int:
        """Number n c of sparse edges out of one."""
        return self.gates * self.fan

    @cached_property
    def point(self) -> dict[str, Fraction]:
        """Values of M, n, c and epsilon."""
        sizes = {"M": self.size, "n": self.gates, "c": self.fan}
        return {**{name: Fraction(x) for name, x in sizes.items()}, "epsilon": self.epsilon}

    def at(self, value: sympy.Expr, **more: int) -> Band:
        """Bounds of an expression for these clusters."""
        return enclose(value, {**self.point, **{k: Fraction(x) for k, x in more.items()}})

    def bad(self, rollouts: int, steps: int) -> Band:
        """The probability of a bad round, exactly."""
        return self.at(bad(self.size, self.gates), N=rollouts, T_0=steps)

    def unseen(self, rollouts: int, steps: int) -> Fraction:
        """By `UNSEEN`."""
        return self.at(UNSEEN, N=rollouts, T_0=steps)[1]

    def early(self, rollouts: int, steps: int) -> Fraction:
        """By `EARLY`."""
        return self.at(EARLY, N=rollouts, T_0=steps)[1]

    def found(self, steps: int) -> Fraction:
        """By `FOUND_LEAST`."""
        return self.at(FOUND_LEAST[self.gates == 1], L=steps)[0]

    def stay(self, steps: int) -> Band:
        """By `STAY_LEAST` and `STAY_MOST`."""
        return self.at(STAY_LEAST, L=steps)[0], self.at(STAY_MOST, L=steps)[1]

    def unmet(self, steps: int) -> Fraction:
        """By `UNMET`."""
        return self.at(UNMET, T_1=steps)[1]

    def leaves(self, steps: int) -> Fraction:
        """By `LEAVES`."""
        return self.at(LEAVES, T_1=steps)[1]


def cliques_of(family: Family, point: Point) -> tuple[Cliques, ...]:
    """The clusters of a family at a point, those that are alike together.

    Raises
    ------
    NoClaim
        A cluster is not a uniform clique with sparse edges of equal probability out of each gate.
    """
    explicit = family.explicit(point)
    where = explicit.clusters
    rows: list[dict[int, Fraction]] = [{} for _ in where]
    for (a, b), p in explicit.transitions.items():
        if p:
            rows[a][b] = p
    members: dict[int, list[int]] = {}
    for state, cluster in enumerate(where):
        members.setdefault(cluster, []).append(state)
    found: dict[tuple[int, int, int, Fraction], int] = {}
    for cluster, states in members.items():
        gates = set[tuple[int, Fraction]]()
        number = 0
        for x in states:
            out = [p for y, p in rows[x].items() if where[y] != cluster]
            mass = sum(out, Fraction(0))
            inside = {rows[x].get(y, Fraction(0)) for y in states if y != x}
            if inside != {(1 - mass) / len(states)} or len(set(out)) > 1:
                raise NoClaim(
                    f"{family.id}: cluster {cluster} is no uniform clique, or unevenly left"
                )
            if out:
                number += 1
                gates.add((len(out), mass))
        if len(gates) != 1:
            raise NoClaim(f"{family.id}: the gates of cluster {cluster} are not alike")
        kind = (len(states), number, *gates.pop())
        found[kind] = found.get(kind, 0) + 1
    return tuple(Cliques(count, *kind) for kind, count in found.items())


# ---------------------------------------------------------------- plans
@dataclass(frozen=True)
class Plan:
    """Settings of a search with what they are certain to do.

    Attributes
    ----------
    rounds, rollouts, T_0, T_max, T_1 : R, N and the times; T_1 is None without tests.
    missed : upper bound of the probability that a sparse edge is not found.
    false : upper bound of the probability that a transition inside a cluster is taken for one.
    steps : bounds of the expected number of generated steps, all rollouts together; without the
        steps of the tests.
    """

    rounds: int
    rollouts: int
    T_0: int
    T_max: int
    T_1: int | None
    missed: Fraction
    false: Fraction
    steps: Band

    @property
    def robust(self) -> bool:
        """Whether recorded transitions are tested."""
        return self.T_1 is not None


MOST_ROLLOUTS = 1024


def missed(
    kinds: Sequence[Kind],
    rounds: int,
    rollouts: int,
    steps: int,
    lost: Sequence[Fraction],
    passes: Fraction = Fraction(1),
) -> Fraction:
    """Upper bound of the probability that an edge is not recorded, by the coupons' union bound.

    Parameters
    ----------
    steps : of a rollout after time T_0.
    lost : for each kind, the largest probability that a round is bad.
    passes : least probability that a test does not prevent the record.
    """
    states = sum(k.count * k.size for k in kinds)
    total = Fraction(0)
    for kind, loss in zip(kinds, lost, strict=True):
        if not kind.edges:
            continue
        point = {
            "N": Fraction(rollouts),
            "R": Fraction(rounds),
            "u": Fraction(kind.size, states),
            "g": max(1 - loss, Fraction(0)),
            "s": passes * kind.found(steps),
        }
        total += kind.count * kind.edges * enclose(MISSED, point)[1]
    return total


def false_alarm(kinds: Sequence[Kind], rounds: int, rollouts: int, T_0: int) -> Fraction:
    """Upper bound of the probability that some round is bad."""
    return rounds * _average(kinds, _losses(kinds, rollouts, T_0))


def _losses(kinds: Sequence[Kind], rollouts: int, T_0: int) -> list[Fraction]:
    return [min(Fraction(1), k.unseen(rollouts, T_0) + k.early(rollouts, T_0)) for k in kinds]


def _average(kinds: Sequence[Kind], values: Sequence[Fraction]) -> Fraction:
    """Over the clusters, each with the chance of a start in it."""
    states = sum(k.count * k.size for k in kinds)
    return sum(
        (Fraction(k.count * k.size, states) * v for k, v in zip(kinds, values, strict=True)),
        Fraction(0),
    )


def expected_steps(
    kinds: Sequence[Kind],
    rounds: int,
    rollouts: int,
    T_0: int,
    T_max: int,
    lost: Sequence[Fraction] | None = None,
) -> Band:
    """Bounds of the expected number of generated steps, those of tests left out.

    A rollout of a bad round takes between T_0 and T_max steps.

    Parameters
    ----------
    lost : for each kind, the largest probability that a round is bad; by default without a vote.
    """
    lost = _losses(kinds, rollouts, T_0) if lost is None else lost
    low, high = list[Fraction](), list[Fraction]()
    for kind, loss in zip(kinds, lost, strict=True):
        least, most = kind.stay(T_max - T_0)
        low.append((1 - loss) * least)
        high.append((1 - loss) * most + loss * (T_max - T_0))
    runs = rounds * rollouts
    return runs * (T_0 + _average(kinds, low)), runs * (T_0 + _average(kinds, high))


def mistakes(kinds: Sequence[Kind], rollouts: int, T_0: int, T_1: int) -> list[Fraction]:
    """For each kind, a bound of how often a robust round errs: an expected number, or 1 at most.

    The round errs if half of its rollouts leave by time T_0, so that the vote may see another
    cluster, or if a state is taken for one outside. What is tested is a state that half of the
    rollouts have not seen, or one of another cluster that a test has taken in. Of N events, each
    of probability q whatever the others, half happen with probability at most (4 q)^(N/2).
    """
    half, found = (rollouts + 1) // 2, list[Fraction]()
    taken = max(k.leaves(T_1) for k in kinds)
    wrongly = max(k.unmet(T_1) for k in kinds) + taken
    most = max(k.size for k in kinds)
    for kind in kinds:
        out = kind.leaves(T_0)
        blind = kind.unmet(T_0) + out
        if 4 * blind >= 1 or 2 * taken >= 1:
            found.append(Fraction(1))
            continue
        tests = kind.size * (4 * blind) ** half + most * taken / (1 - taken)
        found.append(min(Fraction(1), rollouts * tests * wrongly + (4 * out) ** half))
    return found


def plan(
    kinds: Sequence[Kind], delta: Fraction, robust: bool = False, certain: bool = True
) -> Plan:
    """Settings with which search finds exactly E_s, but for probability ``delta``.

    Half of delta is for edges that are missed, half for false ones. T_max leaves each rollout a
    chance of 9/10 to record; N is the smallest from log K on with which a plan exists.

    Parameters
    ----------
    kinds : the clusters; all together 2 or more.
    delta : in (0, 1).
    robust : with a vote and tests.
    certain : refuse if ``false`` cannot be made half of delta at most; otherwise the plan tells
        what it is, N being log K (3 with tests), and T_0 such that a state is unseen in some round
        with probability delta/4 at most.

    Raises
    ------
    NoClaim
        No settings are certain to do it, since rollouts leave too soon.
    """
    delta = Fraction(delta)
    if not 0 < delta < 1:
        raise NoClaim(f"delta = {delta} is no probability of failure: give one between 0 and 1")
    if not any(k.edges for k in kinds):
        raise NoClaim("there are no sparse edges to find: give clusters that can be left")
    clusters = sum(k.count for k in kinds)
    steps = max(_time_to_leave(k) for k in kinds if k.edges)
    rollouts = max(1, math.ceil(math.log(clusters)))
    last: Plan | None = None
    while rollouts <= MOST_ROLLOUTS:
        found = (_robust if robust else _plain)(kinds, delta, rollouts, steps, last)
        if found is not None and (found.false <= delta / 2 or not certain):
            return found
        last = found or last
        rollouts += max(1, rollouts // 8)
    remedy = "take a larger delta" if robust else "ask for a robust plan, or take a larger delta"
    raise NoClaim(
        f"rollouts leave a cluster before it is seen: no plan for delta = {delta}: {remedy}"
    )


def _time_to_leave(kind: Kind) -> int:
    """Steps within which a rollout leaves with probability 9/10 at least, from the worst state."""
    # All edges are found together 9/10 of what they are in the long run: that is, when another
    # 2**200 times as long changes nothing. The least double is above 2**-1075.
    limit = kind.found(2**200)
    for power in range(400, 1300, 200):
        last, limit = limit, kind.found(2 ** min(power, 1080))
        if limit <= last * Fraction(1001, 1000):
            break
    return _least(lambda steps: kind.found(steps) >= limit * Fraction(9, 10), 2)


def _plain(
    kinds: Sequence[Kind], delta: Fraction, rollouts: int, steps: int, last: Plan | None
) -> Plan | None:
    # First as if no round were bad; then T_0 is known and the rounds are counted again. What is
    # sought lies near the last plan's, with fewer rollouts.
    lost = [Fraction(0)] * len(kinds)
    near, T_0 = (last.rounds, last.T_0) if last else (1, 1)
    rounds = _rounds(kinds, delta / 2, rollouts, steps, lost, near=near)
    for _ in range(3):
        if rounds is None:
            return None
        T_0 = _time_to_see(kinds, rollouts, delta / (4 * rounds), T_0)
        lost = _losses(kinds, rollouts, T_0)
        rounds = _rounds(kinds, delta / 2, rollouts, steps, lost, near=rounds)
    if rounds is None:
        return None
    false = false_alarm(kinds, rounds, rollouts, T_0)
    return Plan(
        rounds,
        rollouts,
        T_0,
        T_0 + steps,
        None,
        missed(kinds, rounds, rollouts, steps, lost),
        false,
        expected_steps(kinds, rounds, rollouts, T_0, T_0 + steps),
    )


def _time_to_see(kinds: Sequence[Kind], rollouts: int, most: Fraction, near: int) -> int:
    """Least T_0 with which a round misses a state with a probability of so much at most."""
    return _least(
        lambda t: _average(kinds, [k.unseen(rollouts, t) for k in kinds]) <= most, 1, near
    )


def _robust(
    kinds: Sequence[Kind], delta: Fraction, rollouts: int, steps: int, last: Plan | None
) -> Plan | None:
    rollouts = max(rollouts, 3)
    # One rollout alone is to miss a state with probability 1/64 at most, so that the vote sees all.
    T_0 = _least(lambda t: all(k.unmet(t) <= Fraction(1, 64) for k in kinds), 1)
    T_1 = _least(lambda t: all(k.unmet(t) <= delta / 1000 for k in kinds), 1)
    errs = mistakes(kinds, rollouts, T_0, T_1)
    passes = 1 - max(k.leaves(T_1) for k in kinds)
    total = T_0 + steps
    # An edge is recorded unless the round errs: a - w >= (1 - w/a) a.
    lost = [
        min(Fraction(1), w / (1 - (1 - passes * k.found(total)) ** rollouts)) if k.edges else w
        for k, w in zip(kinds, errs, strict=True)
    ]
    near = last.rounds if last else 1
    rounds = _rounds(kinds, delta / 2, rollouts, total, lost, passes, near)
    if rounds is None:
        return None
    early = [min(Fraction(1), k.early(rollouts, T_0) + w) for k, w in zip(kinds, errs, strict=True)]
    return Plan(
        rounds,
        rollouts,
        T_0,
        total,
        T_1,
        missed(kinds, rounds, rollouts, total, lost, passes),
        rounds * _average(kinds, errs),
        expected_steps(kinds, rounds, rollouts, T_0, total, early),
    )


def _rounds(
    kinds: Sequence[Kind],
    delta: Fraction,
    rollouts: int,
    steps: int,
    lost: Sequence[Fraction],
    passes: Fraction = Fraction(1),
    near: int = 1,
) -> int | None:
    """Least number of rounds that misses an edge with probability delta at most."""
    if any(loss >= 1 for loss in lost):
        return None
    return _least(
        lambda rounds: missed(kinds, rounds, rollouts, steps, lost, passes) <= delta, 1, near
    )


def _least(enough: Callable[[int], bool], first: int, near: int = 1) -> int:
    """Least whole number from ``first`` on that is enough, where all larger ones are too.

    It is sought from ``near`` on, in steps that double.
    """
    high, step = max(first, near), 1
    if enough(high):
        low = high - 1
        while low >= first and enough(low):
            step *= 2
            low, high = max(first - 1, low - step), low
    else:
        low, high = high, 2 * high
        while not enough(high):
            low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high


# ---------------------------------------------------------------- how many records are needed
def coupons(edges: int, delta: Fraction) -> Band:
    """|E_s| log(|E_s|/delta): so many recorded edges, all alike, miss one with probability delta.

    m records miss one of E equally likely edges with probability at most E (1 - 1/E)^m
    <= E exp(-m/E).
    """
    point = {"E": Fraction(edges), "delta": Fraction(delta)}
    E, d = sympy.symbols("E delta")
    return enclose(E * sympy.log(E / d), point)


def rollouts_of_the_paper(clusters: int) -> Band:
    """K log^2 K, the number of rollouts R N with R = K log K and N = log K, constants 1.

    It is less than K (K - 1), since log K <= sqrt(K) - 1/sqrt(K) (equal at K = 1, and the
    derivative of the difference is (sqrt(K) - 1)^2/(2 K sqrt(K))), so (log K)^2 <= (K - 1)^2/K
    < K - 1. So rollouts that record one edge each cannot find K (K - 1) edges, however they fall.
    """
    return enclose(K * sympy.log(K) ** 2, {"K": Fraction(clusters)})


# ---------------------------------------------------------------- what the memory gains
@dataclass(frozen=True)
class SpeedUp:
    """What reweighting the sparse edges from epsilon to epsilon_max gains.

    With the odds y = epsilon/(1 - epsilon), E[tau] = A/y + B + C y: the hyperbola of `tradeoff`,
    whose turning point `turning_certificates` prove.

    Attributes
    ----------
    A, B, C : free of epsilon, A and C positive.
    value : E[tau](epsilon)/E[tau](epsilon_max).
    condition : zero where the speed-up is largest: C e^2 - A (1 - e)^2 in e = epsilon_max.
    turning : odds at which it is largest, sqrt(A/C).
    identity : certificate of E[tau] = A/y + B + C y and of A > 0, B >= 0, C > 0.
    order : certificate of A <= y E[tau] <= 4 A on a range of epsilon, or None.
    range : that range.
    """

    A: sympy.Expr
    B: sympy.Expr
    C: sympy.Expr
    value: sympy.Expr
    condition: sympy.Expr
    turning: sympy.Expr
    identity: Certificate
    order: Certificate | None
    range: tuple[str, ...]


RANGES = (("(M + 1)*epsilon <= 1",), ("(M + 1)*epsilon <= 1", "(K + 1)*epsilon <= 1"))
epsilon_max = sympy.Symbol("epsilon_max")


def speed_up(derivation: Derivation) -> SpeedUp:
    """The speed-up of a family by the memory of its sparse edges, where all of them are found.

    Raises
    ------
    NoClaim
        As `tradeoff`, or if the mean time falls throughout.
    """
    found = tradeoff(derivation)
    family, claim = derivation.family, derivation.claim("hitting-time")
    assert claim.expression is not None
    A, B, C = found.falling, found.constant, found.rising
    if C == 0:
        raise NoClaim(f"{family.id}: the mean time falls throughout, so that nothing turns")
    odds = epsilon / (1 - epsilon)
    order, facts = None, tuple[str, ...]()
    for facts in RANGES:
        names = {p.name for p in family.domain.parameters}
        if {str(x) for f in facts for x in family.domain.gap(f).free_symbols} <= names:
            part = family.domain.where(*facts)
            both = [f"({odds})*v0 >= {A}", f"({odds})*v0 <= 4*({A})"]
            try:
                order = comparison(part, both, [claim.certificate])
                break
            except NoProof:
                continue
    later = claim.expression.subs(epsilon, epsilon_max)
    return SpeedUp(
        A,
        B,
        C,
        sympy.factor(claim.expression / later),
        sympy.expand(C * epsilon_max**2 - A * (1 - epsilon_max) ** 2),
        sympy.sqrt(found.turning),
        found.claim.certificate,
        order,
        facts if order else (),
    )
