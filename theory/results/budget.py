r"""When search, reinforcement learning or distillation pays for itself, all steps counted.

Four ways to answer Q queries with one model, each with steps to be generated once, t, and steps for
each query, q: in all t + Q q.

- *none*: the model as it is; t = 0, and q = E[tau](epsilon).
- *search*: once, with a memory that is kept; t = S, q = E[tau](epsilon_max).
- *rl*: search, and then policy gradient on what was found; q is that of the mass reached, and t
  is S and the transitions drawn for gradients, none if these are exact.
- *distillation*: t is what labels and label-to-label steps cost, and q the time of the distilled
  model and of the way from its last label to the answer, in which no sparse edge is crossed.

The second of two ways pays for itself from Q* = (t_b - t_a)/(q_a - q_b) queries on.

The orders
----------
In the odds o = epsilon/(1 - epsilon) E[tau] = A/o + B + C o (`policy_gradient.tradeoff`), and on a
range of epsilon A <= o E[tau] <= 4 A, which is certified for a family (`search.speed_up`). Compared
with such a way, which needs no steps before, one with X of them and 2 q o < A has

    X o/(4 A) <= Q* <= 2 X o/A                                                `order_certificates`

so that Q* is free of epsilon where X o is. With a memory q = E[tau](epsilon_max) is small enough
once the odds of epsilon_max are 8 times those of epsilon (`memory_certificate`), and a search of W
rollouts takes between (4/5) W m/o and 3 W m/o steps, m/epsilon being the mean time to leave a
cluster (`steps_certificates`). So search pays for itself after

    W m/(5 A) <= Q* <= 6 W m/A

queries, whatever epsilon and epsilon_max are: a query without search takes as long as A/m exits
from a cluster, and a search as W of them. Neither depends on the size M of the clusters.

After a search, distillation has the memory to beat: H = E[tau](epsilon_max) of order A/r in the
odds r of epsilon_max, so that with o replaced by r the same certificates give a Q* of order X r/A.
With X of order A/o that is of order r/o, much later; unless X is S at most, when it pays at once.
PPO has the memory to beat as well, and never does in steps: it pays for the same search, and ends
at or below the same epsilon_max, where the time is no shorter (`turning_certificates`).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache

import sympy
from flint import fmpq, fmpq_mat

from theory.certificates import Certificate
from theory.claims import Derivation, NoClaim
from theory.domain import Domain, Parameter, tidy
from theory.family import K, M, d, epsilon
from theory.results.order import Order, comparison, order_of, typical
from theory.results.policy_gradient import (
    Tradeoff,
    mass_after,
    tradeoff,
    updates_to,
    updates_until_clipped,
)
from theory.results.search import Band, Cliques, Plan, enclose, speed_up

Number = Fraction | float


# ---------------------------------------------------------------- two straight lines
@dataclass(frozen=True)
class Cost:
    """What a way to answer costs, in generated steps.

    Attributes
    ----------
    training : to be generated once.
    query : for each query, on average.
    """

    training: Number
    query: Number

    def total(self, queries: Number) -> Number:
        """Expected steps of all."""
        return self.training + queries * self.query


def break_even(first: Cost, second: Cost) -> Number | None:
    """The number of queries from which on the second way costs less than the first.

    (t_b - t_a)/(q_a - q_b); 0 if it costs less from the first on, None if it does not in the end.
    """
    gain, more = first.query - second.query, second.training - first.training
    if not gain > 0:
        return None
    return more / gain if more > 0 else 0


def _real(name: str, *facts: str) -> Parameter:
    return Parameter(name, facts, "", integer=False)


@cache
def break_even_certificates() -> tuple[Certificate, Certificate]:
    """Proofs that t + Q q < s + Q p for Q > Q* = (t - s)/(p - q), and > for Q < Q*; p > q."""
    bare = [
        _real("s", "s >= 0"),
        _real("q", "q >= 0"),
        _real("p", "p > q"),
        _real("Q", "Q >= 0"),
    ]
    found = []
    for sign, relation in (("<", "<"), (">", ">")):
        fact = f"t - s {sign} Q*(p - q)"
        domain = Domain((*bare, _real("t")), (fact,))
        found.append(comparison(domain, [f"t + Q*q {relation} s + Q*p"]))
    return found[0], found[1]


@cache
def order_certificates() -> tuple[Certificate, Certificate]:
    """Proofs that X o/(4 A) <= X/(H - q) for H <= 4 A/o, and <= 2 X o/A for H >= A/o, 2 q o < A."""
    bare = [_real("o", "o > 0"), _real("q", "q >= 0"), _real("X", "X >= 0")]
    near = Domain((*bare, _real("H", "H > q"), _real("A", "A >= o*H/4")))
    far = Domain((*bare, _real("A", "A > 2*q*o"), _real("H", "H >= A/o")))
    low = comparison(near, ["X/(H - q) >= X*o/(4*A)"])
    high = comparison(far, ["X/(H - q) <= 2*X*o/A"])
    return low, high


@cache
def memory_certificate() -> Certificate:
    """Proof that H <= 4 A/r, odds r > 8 o >= 0 give 2 H o < A: a memory is worth what it finds."""
    domain = Domain(
        (
            _real("o", "o > 0"),
            _real("r", "r > 8*o"),
            _real("H", "H > 0"),
            _real("A", "A >= r*H/4"),
        )
    )
    return comparison(domain, ["2*H*o < A"])


@cache
def steps_certificates() -> tuple[Certificate, Certificate]:
    """Proofs that W rollouts take S <= 3 W m/o steps, and S >= (4/5) W m/o.

    m/epsilon is the mean time of a rollout to leave its cluster, and o <= 1/2 the odds of epsilon.
    Above, S <= W (T + m/epsilon) with T epsilon <= m: T holds the T_0 steps of estimation, 1, and
    what bad rounds add on average. Below, S >= W g l m/o: a share g >= 8/9 of rounds is good, and
    a rollout of these leaves its cluster by T_max with probability l >= 9/10 or more.
    """
    bare = [_real("W", "W >= 0"), _real("m", "m > 0"), _real("o", "o <= 1/2", "o > 0")]
    times = [_real("T", "T*o <= m*(1 + o)"), _real("S", "S <= W*(T + m*(1 + o)/o)")]
    high = comparison(Domain((*bare, *times)), ["S <= 3*W*m/o"])
    shares = [_real("g", "g >= 8/9"), _real("l", "l >= 9/10"), _real("S", "S >= W*g*l*m/o")]
    low = comparison(Domain((*bare, *shares)), ["S >= 4/5*W*m/o"])
    return high, low


# ---------------------------------------------------------------- search, per family
S, epsilon_max = sympy.symbols("S epsilon_max")


@dataclass(frozen=True)
class SearchPays:
    """From how many queries on a search with a memory pays for itself.

    Attributes
    ----------
    value : Q* = S/(E[tau](epsilon) - E[tau](epsilon_max)), S the steps of the search; in the odds
        the difference is (1/o - 1/r) (A - C o r).
    hyperbola : E[tau] in the odds, with its certificate.
    order : certificate of A <= o E[tau] <= 4 A on a range of epsilon.
    range : that range; epsilon_max is to lie in it too.
    exits : A/m, where m/epsilon is the mean time to leave the start's cluster for small epsilon: a
        query costs so many exits, and a search as many as it has rollouts.
    """

    value: sympy.Expr
    hyperbola: Tradeoff
    order: Certificate
    range: tuple[str, ...]
    exits: sympy.Expr


def search_pays(derivation: Derivation) -> SearchPays:
    """When search pays for itself on a family, in closed form, and the proof of its order.

    Raises
    ------
    NoClaim
        As `speed_up`, or if the order of the hitting time is not shown.
    """
    gain, hyperbola = speed_up(derivation), tradeoff(derivation)
    leave = derivation.claim("exit-time").expression
    if gain.order is None:
        raise NoClaim(f"{derivation.family.id}: the order of the hitting time is not shown")
    if leave is None:
        raise NoClaim(f"{derivation.family.id}: the exit time is known by bounds only")
    domain = derivation.family.domain
    before, after = (e / (1 - e) for e in (epsilon, epsilon_max))
    m = sympy.cancel(epsilon * leave).subs(epsilon, 0)
    return SearchPays(
        S / ((1 / before - 1 / after) * (gain.A - gain.C * before * after)),
        hyperbola,
        gain.order,
        gain.range,
        tidy(sympy.factor(gain.A / m), domain),
    )


def mean_exit(kinds: Sequence[Cliques]) -> Fraction:
    """m: the mean time to leave the cluster of a uniform state, for small epsilon, is m/epsilon.

    The mean of M/n over the states, of clusters with M states of which n are gates.
    """
    states = sum(k.count * k.size for k in kinds)
    total = sum((Fraction(k.count * k.size**2, k.gates) for k in kinds), Fraction(0))
    return total / states


def rollouts(kind: Cliques, delta: Fraction, made: Plan) -> Band:
    """Bounds of the number W = R N of rollouts of a plan for clusters that are all alike.

    With E = |E_s| edges, s the least probability to record a given one, g that of a good round
    and v = 1 - (1 - s)^N, the plan takes the least R with E (1 - g v/K)^R <= delta/2. As
    p <= -log(1 - p) <= p/(1 - p), it is between log(2 E/delta) (K/(g v) - 1) and
    log(2 E/delta) K/(g v) + 1; and v is between N s/(1 + N s) and the least of 1 and N s. So
    W <= log(2 E/delta) K (N + 1/s)/g + N: of order |E_s| log |E_s| if N is of order 1/s at most.

    Parameters
    ----------
    kind : with all clusters.
    delta : that the plan is for.
    made : a plan without tests.
    """
    labels, N, E = kind.count, made.rollouts, kind.count * kind.edges
    point = {"E": Fraction(E), "delta": Fraction(delta)}
    low, high = enclose(sympy.log(2 * sympy.Symbol("E") / sympy.Symbol("delta")), point)
    s = kind.found(made.T_max - made.T_0)
    loss = kind.unseen(N, made.T_0) + kind.early(N, made.T_0)
    good = 1 - min(loss, Fraction(1))
    return low * (labels * max(Fraction(N), 1 / s) - N), high * labels * (N + 1 / s) / good + N


# ---------------------------------------------------------------- distillation
SPREADS: Mapping[str, sympy.Expr] = {
    "complete": (K + 2) * (4 * K - 7) / (4 * K**2),
    "ring": (
        16 * d * (K - d) * ((K - 2 * d) ** 2 + d * (K - d)) + 20 * K**2 - 70 * d * (K - d) - 11
    )
    / (30 * K * d * (K - d)),
    "star": K - 2 + sympy.Rational(1, 16) + (K + 1) / (16 * (K - 1) ** 2),
}
"""`spread` of families whose clusters are all left alike, in closed form."""


def spread(jumps: Sequence[Sequence[Fraction]], start: int, targets: Collection[int]) -> Fraction:
    """What a fit of label steps costs: V, with n = zeta K V/a of them for K labels.

    Each label is left with probability a, small, and so often started from; b = 1/a rescales, so
    that each is held for two steps. For a relative standard error r of the distilled time, zeta
    = 1/r^2 (more for more certainty). With n_k visits to label k, j_k jumps from there to the
    targets, and Var_k(j) over the next jump, the delta method gives, to first order in 1/n,

        V = sum n_k^2 (Var_k(j) + 1/4)/j^2.

    Parameters
    ----------
    jumps : K x K, the jump law of the labels, zero on the diagonal.
    start, targets : labels; start is none of the targets.
    """
    inside = [k for k in range(len(jumps)) if k not in targets]
    size = len(inside)
    matrix = fmpq_mat(
        size, size, [fmpq(int(k == l)) - _flint(jumps[k][l]) for k in inside for l in inside]
    )
    ones = fmpq_mat(size, 1, [fmpq(1)] * size)
    unit = fmpq_mat(size, 1, [fmpq(int(k == start)) for k in inside])
    ahead, visits = matrix.solve(ones), matrix.transpose().solve(unit)
    times = [Fraction(0)] * len(jumps)
    for i, k in enumerate(inside):
        times[k] = _rational(ahead[i, 0])
    total = Fraction(0)
    for i, k in enumerate(inside):
        mean = times[k] - 1
        square = sum((p * t**2 for p, t in zip(jumps[k], times, strict=True)), Fraction(0))
        total += _rational(visits[i, 0]) ** 2 * (square - mean**2 + Fraction(1, 4))
    return total / times[start] ** 2


zeta = sympy.Symbol("zeta")


@dataclass(frozen=True)
class DistillationPays:
    """From how many queries on distillation pays for itself, beside no search.

    Attributes
    ----------
    value : Q* = X/(E[tau] - q), with X = zeta K V m/epsilon label steps and q = (2 - epsilon/m) J
        + M - 1 steps of an answer, J jumps ahead of it, the last M - 1 within its cluster.
    limit : zeta K V/J, to which it tends with epsilon.
    order : of K V/J, with its certificate; d is K/2 where there is a d.
    """

    value: sympy.Expr
    limit: sympy.Expr
    order: Order


def distillation_pays(derivation: Derivation) -> DistillationPays:
    """When distillation pays for itself on a family with an entry in `SPREADS`, in closed form.

    Estimating the labels is left out: it costs no step of order 1/epsilon.

    Raises
    ------
    NoClaim
        As `search_pays`, or if the family has no such entry.
    """
    name = derivation.family.id
    if name not in SPREADS:
        raise NoClaim(
            f"{name}: no spread of a fit in closed form: give one of {', '.join(SPREADS)}"
        )
    found = search_pays(derivation)
    hyperbola, jumps, odds = found.hyperbola, found.exits, epsilon / (1 - epsilon)
    time = hyperbola.falling / odds + hyperbola.constant + hyperbola.rising * odds
    m = sympy.cancel(hyperbola.falling / jumps)
    steps = zeta * K * SPREADS[name] * m / epsilon
    query = (2 - epsilon / m) * jumps + M - 1
    share = sympy.cancel(K * SPREADS[name] / jumps)
    domain = derivation.family.domain
    named = {p.name for p in domain.parameters}
    part, about = typical(domain, {"d": "K/2"} if "d" in named else {})
    order = order_of(sympy.cancel(share.subs(d, K / 2)), part, about)
    return DistillationPays(steps / (time - query), zeta * share, order)


def _flint(value: Fraction) -> fmpq:
    return fmpq(Fraction(value).numerator, Fraction(value).denominator)


def _rational(value: fmpq) -> Fraction:
    return Fraction(int(value.p), int(value.q))


# ---------------------------------------------------------------- gradients from a sample
def sampled_transitions(
    mass: Fraction,
    most: Fraction,
    step: Fraction,
    clip: Fraction,
    states: int,
    batch: int,
    rows: int,
) -> Band:
    """Bounds of the mean number of transitions that PPO draws, each row having one found edge.

    A round draws a batch from uniform states, and a row moves if its found edge is in it, which at
    mass f has probability p = 1 - (1 - f/N)^B; it then moves until it is clipped. Let f_1, f_2,
    ... be the masses from which it does. One row needs 1/p_1 + 1/p_2 + ... rounds on average. Of
    r rows, whatever their dependence, the slowest waits in each phase for 1 + (1 + log r) N/(B f)
    rounds at most, since 1 - p <= exp(-B f/N).

    Parameters
    ----------
    mass, most : of the found edge, before and after at most; 0 < mass < most < 1.
    step, clip : of the updates.
    states, batch : N and B.
    rows : r, number of rows with a found edge, each with the same mass.
    """
    f, B, r = sympy.symbols("f B r")
    number = Fraction(states)
    wait = 1 + enclose(sympy.log(r), {"r": Fraction(rows)})[1]
    low = high = Fraction(0)
    for here in _phases(Fraction(mass), Fraction(most), Fraction(step), Fraction(clip)):
        drawn = enclose(1 - (1 - f) ** B, {"f": here / number, "B": Fraction(batch)})[1]
        low += 1 / drawn
        high += 1 + wait * number / (batch * here)
    return batch * low, batch * high


def _phases(mass: Fraction, most: Fraction, step: Fraction, clip: Fraction) -> list[Fraction]:
    """The masses at which a row waits to be drawn, to 30 digits."""
    total, made, found = updates_to(mass, most, step), 0, [mass]
    while True:
        run = updates_until_clipped(found[-1], clip, step)
        # A row that is clipped at its last update is drawn once more before it is left alone.
        if run is None or made + run > total:
            return found
        made += run
        start, eta_ = (sympy.Rational(x.numerator, x.denominator) for x in (mass, step))
        found.append(Fraction(str(sympy.N(mass_after(start, made, eta_), 30))))
