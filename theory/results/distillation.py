r"""R6 with constants: a K-state model of the labels, its hitting time, and what it takes to fit it.

Distillation after Kim et al. (2025, theorem 4.3).  Each state is labelled by the representative of
its cluster; label-to-label steps are collected, a K x K softmax is fitted to them, and beta is
added to its off-diagonal logits.  Write b = exp(beta), and a_k for the probability with which the
fitted chain leaves label k.

One row.  Adding beta multiplies the odds of leaving by b: the jump law, which is the law of the
next other label, stays, and the mean holding time 1/a_k becomes 1 + (1 - a_k)/(a_k b).

The hitting time.  Let T be the mean hitting time of the fitted chain, and J its mean number of
jumps until then.  With n_k visits to label k, T = sum n_k/a_k and J = sum n_k, so that the rescaled
chain takes

    E' = sum n_k (1 + (1 - a_k)/(a_k b)) = J + (T - J)/b,

whatever the leaving probabilities are.  J belongs to the jump law alone: it is free of M and
epsilon where that is, of order K on the complete graph and the star, and of order K^2 on a ring.

The two kinds of label steps.  One-step labels estimate the aggregated matrix A, whose a_k are of
order epsilon/M: T = T_A and b = M/epsilon.  Steps between visits to the representatives follow the
trace chain, whose a_k are of order epsilon: b = 1/epsilon.  The trace chain is the original chain
watched on the representatives, so its escape probabilities are the original ones, exactly, on every
chain.  Those of A are so where the exit of a cluster does not depend on the entrance (A4).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cache

import sympy

from theory.certificates import Certificate, NoProof
from theory.chain import ExplicitChain, State, cliques
from theory.claims import Claim, Derivation, NoClaim
from theory.composed import Composed
from theory.domain import Domain, Parameter, tidy
from theory.family import K, M, clique_parameters, d, epsilon
from theory.results.order import comparison
from theory.results.search import Band, enclose

a, b, c, n, p, alpha, delta, E = sympy.symbols("a b c n p alpha delta E")

HOLDING = 1 + (1 - a) / (a * b)
"""Mean holding time of a label that the fitted chain leaves with probability a, once rescaled."""

LEAVING = a * b / (1 + (b - 1) * a)
"""Probability with which the rescaled chain leaves it, 1/`HOLDING`."""

UNREACHED = n * epsilon / (1 + n * epsilon)
"""Uniform clique, n gates: probability to leave it before meeting a given state that is no gate.

From the uniform law; epsilon at each gate.  The same is the probability to leave between two visits
to that state.
"""

SKIPPED = epsilon + (1 - epsilon) * UNREACHED
"""The same from another gate, where the clique was entered: (n + 1) epsilon/(1 + n epsilon)."""

ESCAPE_VARIATION = (n + 1) * epsilon
"""Uniform cliques, n gates left alike: the jump laws of A and of the trace chain are as close.

In total variation, row by row, whatever states are the representatives. The trace chain's next
label is the next cluster, unless that is left before its representative is met: `SKIPPED`, if that
is no gate. If representatives are gates, there are n - 1 others, and the start leaves at once with
probability epsilon: epsilon + n epsilon/(1 + (n - 1) epsilon). Both are at most (n + 1) epsilon.
"""

SAMPLES = 192 * (K - 1) ** 2 * sympy.log(2 * (E + K) / alpha) / (delta**2 * p)
"""Label steps with which E' is within a factor 1 +- delta, but for probability alpha.

K labels, E edges between them, p the least probability of one of the E + K label steps that
occur; delta <= 1.  Each of their E + K numbers is within a factor 1 +- x of its mean,
x = delta/(8 (K - 1)), but for probability 2 exp(-n p x^2/3) (Chernoff; Mitzenmacher and Upfal
2005, *Probability and Computing*, corollary 4.6).  Then all odds N_kl/N_kk are within a factor
(1 + x)/(1 - x); J and (T - J) are quotients of sums of products of at most 2 (K - 1) odds with
positive signs (Freidlin and Wentzell 1984, lemma 6.3.4), and so within that power of it
(`ratio_certificate`).
"""

NEEDED = (1 - alpha) / p
"""With fewer label steps, an edge of probability p is unseen with probability above alpha.

(1 - p)^n >= 1 - n p, and without the edge nothing is known of it.
"""

PAPER = M**2 / epsilon**2
"""The paper's upper bound of the number of label steps, up to logarithms, constant 1."""

JUMPS: Mapping[str, sympy.Expr] = {
    "complete": K - 1,
    "ring": d * (K - d),
    "path": d**2,
    "star": 2 * (K - 1),
    "unequal": sympy.Symbol("K_1") + sympy.Symbol("K_2") - 1,
}
"""Mean number of jumps J of the families that are no compositions (Aldous and Fill, ch. 5)."""


def _real(name: str, *facts: str) -> Parameter:
    return Parameter(name, facts, "", integer=False)


def _equal(left: str, right: str) -> list[str]:
    return [f"{left} <= {right}", f"{left} >= {right}"]


# ---------------------------------------------------------------- one row
@cache
def row_certificate() -> Certificate:
    """Proof about one row of the fitted chain and the same row once rescaled, for all b >= 1.

    With a in (0, 1) the probability to leave, and p <= a that of one edge: the odds of staying and
    of the edge are as said; the jump law stays; the mean holding time is `HOLDING`; no edge becomes
    less likely.
    """
    domain = Domain((_real("p", "p > 0"), _real("a", "a >= p", "a < 1"), _real("b", "b >= 1")))
    stay, leave, edge = (f"{x}/(1 + (b - 1)*a)" for x in ("(1 - a)", "a*b", "p*b"))
    claims = [
        *_equal(f"{stay} + {leave}", "1"),
        *_equal(f"{edge}/({stay})", "b*p/(1 - a)"),
        *_equal(f"{edge}/({leave})", "p/a"),
        *_equal(f"1/({leave})", "1 + (1 - a)/(a*b)"),
        f"{edge} >= p",
    ]
    return comparison(domain, claims)


# ---------------------------------------------------------------- the hitting time
@dataclass(frozen=True)
class Distilled:
    """The mean hitting time of the distilled model of a family, fitted without error.

    Attributes
    ----------
    claim : E' = J + (T_A - J)/b for all b >= 1; its certificate rests on that of T_A, and, for a
        composition, on that of J.
    jumps : J.
    order : certificate of J <= E' <= c J at b = M/epsilon (M_1 + M_2 for two sizes), where
        b >= M^2, with the least c of `MOST` that is shown; None if none is.
    """

    claim: Claim
    jumps: sympy.Expr
    order: Certificate | None


MOST = (2, 3, 4)


def distilled(derivation: Derivation) -> Distilled:
    """E' of a family by one-step labels, with certificates.

    Raises
    ------
    NoClaim
        T_A or J is not derived.
    """
    family = derivation.family
    time = derivation.claim("aggregated-hitting-time")
    premises, jump = [time.certificate], "v1"
    if isinstance(family, Composed):
        walk = Derivation(family.meta).claim("hitting-time")
        jumps = walk.expression
        premises.append(walk.certificate)
    else:
        jumps = JUMPS.get(family.id)
        jump = f"({jumps})"
    if jumps is None or time.expression is None:
        raise NoClaim(f"{family.id}: the number of jumps or T_A is not derived")
    on = time.domain
    domain = Domain((*on.parameters, _real("b", "b >= 1")), on.facts)
    value = tidy(sympy.factor(jumps + (time.expression - jumps) / b), domain)
    try:
        proof = comparison(domain, _equal(f"(v0 + (b - 1)*{jump})/b", f"({value})"), premises)
    except NoProof as error:
        raise NoClaim(f"{family.id}: {error}") from error
    name = "distilled-hitting-time"
    claim = Claim(f"{family.id}/{name}", family.id, name, domain, proof, expression=value)
    size = "(M_1 + M_2)" if family.id == "unequal" else "M"
    rescaled = f"epsilon/{size}*v0 + (1 - epsilon/{size})*{jump}"
    part, order = on.where(f"{size}*epsilon <= 1"), None
    for most in MOST:
        both = [f"{rescaled} >= {jump}", f"{rescaled} <= {most}*{jump}"]
        try:
            order = comparison(part, both, premises)
            break
        except NoProof:
            continue
    return Distilled(claim, jumps, order)


# ---------------------------------------------------------------- escapes of uniform cliques
@cache
def skip_certificate() -> Certificate:
    """Proof of `UNREACHED` and `SKIPPED` for uniform cliques of M states with n gates.

    A draw from the uniform law is the state asked for, a gate, or another; V = `UNREACHED` solves
    V = n/M (epsilon + (1 - epsilon) V) + (M - n - 1)/M V, and does so uniquely as V's factor on
    the right is below 1.  From a gate it is epsilon + (1 - epsilon) V, at most (n + 1) epsilon; and
    so is what a representative at a gate makes of it.
    """
    domain = Domain(
        (
            Parameter("n", ("n >= 1",), "gates"),
            Parameter("M", ("M >= n + 1",), "states"),
            clique_parameters(2, 2)[2],
        )
    )
    unreached, factor = "n*epsilon/(1 + n*epsilon)", "(n*(1 - epsilon) + M - n - 1)/M"
    claims = [
        *_equal(unreached, f"n*epsilon/M + {factor}*{unreached}"),
        f"{factor} < 1",
        *_equal(
            f"epsilon + (1 - epsilon)*{unreached}",
            "(n + 1)*epsilon/(1 + n*epsilon)",
        ),
        "(n + 1)*epsilon/(1 + n*epsilon) <= (n + 1)*epsilon",
        "epsilon + n*epsilon/(1 + (n - 1)*epsilon) <= (n + 1)*epsilon",
    ]
    return comparison(domain, claims)


# ---------------------------------------------------------------- how many label steps
@cache
def ratio_certificate() -> Certificate:
    """Proof of the steps that lead from x = delta/(8 (K - 1)) to a factor 1 +- delta.

    (1 - x)/(1 + x) >= 1 - 2x >= 0, whose 2 (K - 1)-th power is at least 1 - 4 (K - 1) x
    = 1 - delta/2 (Bernoulli); and 1 - delta/2 >= 1/(1 + delta), for 0 < delta <= 1.
    """
    domain = Domain(
        (Parameter("K", ("K >= 2",), "labels"), _real("delta", "delta > 0", "delta <= 1"))
    )
    x = "delta/(8*(K - 1))"
    claims = [
        f"(1 - {x})/(1 + {x}) >= 1 - 2*{x}",
        f"1 - 2*{x} >= 0",
        *_equal(f"1 - 4*(K - 1)*{x}", "1 - delta/2"),
        "1 - delta/2 >= 1/(1 + delta)",
        "1 - delta/2 >= 1 - delta",
    ]
    return comparison(domain, claims)


def samples(
    labels: int, edges: int, least: Fraction, accuracy: Fraction, failure: Fraction
) -> Band:
    """Bounds of the number of label steps that `SAMPLES` asks for.

    Parameters
    ----------
    labels, edges : K >= 2, and the number of edges between them.
    least : probability of the least likely label step that occurs, in (0, 1).
    accuracy, failure : delta in (0, 1], and alpha in (0, 1).

    Raises
    ------
    ValueError
        A number is out of range.
    """
    fits = labels >= 2 and edges >= 1 and 0 < least < 1
    if not (fits and 0 < accuracy <= 1 and 0 < failure < 1):
        raise ValueError(
            "need labels >= 2, edges >= 1, 0 < least < 1, 0 < accuracy <= 1 and 0 < failure < 1"
        )
    sizes = {"K": Fraction(labels), "E": Fraction(edges), "p": Fraction(least)}
    return enclose(SAMPLES, {**sizes, "delta": Fraction(accuracy), "alpha": Fraction(failure)})


# ---------------------------------------------------------------- where A4 fails: two rooms
ROOM_TIME = (
    (M * (1 - (1 + c) * epsilon) + (1 + c) * epsilon) * d * (K - d) * (1 + c) / (c * epsilon)
)
"""Mean time of `rooms` from the left gate of a cluster to the left gate d clusters further."""

ROOM_TIME_DISTILLED = ROOM_TIME * c / (1 + c)
"""T_A there: too small by the factor 1 + 1/c, at every epsilon."""

ROOM_EXIT = (1 + c) / (1 + 2 * c)
"""Probability to leave a cluster by the room in which one is, where A has 1/2."""

ROOM_ESCAPE = (2 + c) / (2 * (1 + c))
"""Probability to meet the nearer of two representatives first, where A has 1/2.

The representative of the start and the nearer one are the two ends of a sparse edge; the other is
in the far room of the cluster on the other side.
"""


def rooms(clusters: int, size: int, weight: Fraction, sparse: Fraction) -> ExplicitChain:
    """A ring whose clusters have two rooms each, uniform cliques with a gate: A4 fails.

    The left room's gate leads to the right room of the cluster before, the right room's gate to
    the left room of the cluster after, with probability epsilon; and the two gates of a cluster
    lead to each other with probability c epsilon.  So no epsilon is small: a cluster is left by the
    room in which it was entered with probability `ROOM_EXIT`, and A forgets that.

    Slow clusters are the same with a fixed rate kappa = c epsilon between the rooms: the error is
    of order epsilon/kappa.

    Parameters
    ----------
    clusters : K >= 3.
    size : M >= 2 states in a room; states (k, i) with i < M are the left room, gate 0.
    weight, sparse : c and epsilon > 0, (1 + c) epsilon < 1.

    Raises
    ------
    ValueError
        A number is out of range.
    """
    c_, e = Fraction(weight), Fraction(sparse)
    if clusters < 3 or size < 2 or not (c_ > 0 and e > 0 and (1 + c_) * e < 1):
        raise ValueError("need clusters >= 3, size >= 2, weight > 0, sparse > 0, and so small")
    edges = dict[tuple[State, State], Fraction]()
    for k in range(clusters):
        left, right = (2 * k, 0), (2 * k + 1, 0)
        after = (2 * ((k + 1) % clusters), 0)
        edges |= {(left, right): c_ * e, (right, left): c_ * e}
        edges |= {(right, after): e, (after, right): e}
    halves = cliques([size] * (2 * clusters), edges)
    states = tuple((k // 2, i + size * (k % 2)) for k, i in halves.states)
    return ExplicitChain(states, halves.transitions)


@cache
def room_certificate() -> Certificate:
    """Proof about `ROOM_EXIT`, `ROOM_ESCAPE` and the two times of `rooms`.

    x = `ROOM_EXIT` solves x = 1/(1 + c) + c/(1 + c) (1 - x): out at once, or by way of the other
    room.  The resistances from the start are 1 to the nearer representative and 1 + 2/c to the
    other, in units of a sparse edge.  The two errors are positive, and fall as c grows.
    """
    sizes = clique_parameters(3, 2)
    domain = Domain(
        (
            sizes[0],
            Parameter("d", ("d >= 1", "d <= K - 1"), "distance"),
            sizes[1],
            _real("c", "c > 0"),
            _real("epsilon", "epsilon > 0", "(1 + c)*epsilon < 1"),
        )
    )
    leave, escape = "(1 + c)/(1 + 2*c)", "(2 + c)/(2*(1 + c))"
    claims = [
        *_equal(leave, f"1/(1 + c) + c/(1 + c)*(1 - {leave})"),
        *_equal(f"{leave} - 1/2", "1/(2*(1 + 2*c))"),
        *_equal(escape, "(1 + 2/c)/(2 + 2/c)"),
        *_equal(f"{escape} - 1/2", "1/(2*(1 + c))"),
        f"({ROOM_TIME_DISTILLED})*(1 + 1/c) <= {ROOM_TIME}",
        f"({ROOM_TIME_DISTILLED})*(1 + 1/c) >= {ROOM_TIME}",
    ]
    return comparison(domain, claims)
