"""R1 with constants: how many steps gradient descent takes to find and to weigh the sparse edges.

Kim et al. (2025, theorem 3.1) bound the steps of stage 1, before edges under a threshold are cut,
by order K M^2/epsilon^2 up to logarithms, and those of stage 2 by K M/epsilon^2.  Here, after them,
on the population loss L(W) = E[-log p_W(X_1 | X_0)] with X_0 uniform on N states and W = 0 at the
start: a row of logits moves by ``speed`` * (p - q) a step, where p is the row of the data, q that
of the model, and speed = eta/N for the learning rate eta.  Rows move independently.

Stage 1 ends once every edge has q >= 3 s/4 and every other pair q <= s/4, where s is the smallest
probability of an edge: a threshold of s/2 then recovers the support.  Stage 2 ends once every q/p
is within delta of 1.  The bounds are those of a number of steps; they are sympy expressions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from typing import Any

import sympy

from theory.certificates import Certificate
from theory.domain import Domain, Parameter
from theory.results.order import comparison

Number = Any  # a Fraction, int, float or sympy number, read exactly

FASTEST = 2
"""Largest speed for which the bounds hold: the gradient of a row has Lipschitz constant 1/2."""


@dataclass(frozen=True)
class Steps:
    """Bounds of a number of steps: lower <= steps <= upper."""

    lower: sympy.Expr
    upper: sympy.Expr


def _exact(*numbers: Number) -> list[sympy.Expr]:
    return [x if isinstance(x, sympy.Expr) else sympy.Rational(Fraction(x)) for x in numbers]


def _require(speed: sympy.Expr) -> None:
    if speed.is_number and not 0 < speed <= FASTEST:
        raise ValueError(f"a row that moves {speed} at gradient 1 is outside (0, {FASTEST}]")


def even_row(states: Number, even: Number, speed: Number, level: Number) -> Steps:
    """Steps of stage 1 until a row that is uniform on its support is small elsewhere.

    Parameters
    ----------
    states, even : N, and the number m < N of entries with p = 1/m; the others are 0.
    speed : in (0, 2].
    level : in (0, 1/N); the steps are those to q <= level on the entries with p = 0.

    Returns
    -------
    With c = speed N/m and F = 1/level - N + (N - m) log((1/level - N + m)/m): from
    F exp(-c/N)/c to F/c + 1.

    Notes
    -----
    The gap r between the two logits is all there is.  As 1/m - q_1 + q_0 = N q_0/m and
    q_0 = 1/(m exp(r) + N - m) (:func:`row_certificate`), a step adds c/F'(r) to it, where
    F(r) = m (exp(r) - 1) + (N - m) r.  F' grows, by a factor exp(c/N) at most within a step, since
    F' >= N.  So F grows by at least c a step, and at most by c exp(c/N); gradient flow has F = c t.
    """
    n, m, v, low = _exact(states, even, speed, level)
    _require(v)
    c = v * n / m
    way = 1 / low - n + (n - m) * sympy.log((1 / low - n + m) / m)
    return Steps(way * sympy.exp(-c / n) / c, way / c + 1)


def separation(probability: Number, speed: Number, ratio: Number = 3) -> sympy.Expr:
    """Fewest steps after which an edge can be ``ratio`` times as likely as a pair without edge.

    Parameters
    ----------
    probability : p > 0 of the edge; its row has an entry with p = 0.
    speed : in (0, 2].
    ratio : > 1.

    Returns
    -------
    log(ratio)/(speed * p): N log(3)/(eta epsilon) steps at least, whatever the threshold.

    Notes
    -----
    The gap of the two logits grows by speed (p - q + q_0) a step, and q >= q_0 throughout, since
    q - q_0 <= gap/2 for a softmax and so a step takes from the gap no more than there is of it.
    """
    p, v, r = _exact(probability, speed, ratio)
    _require(v)
    return sympy.log(r) / (v * p)


MARGIN = sympy.log(sympy.Rational(4, 3)) - sympy.Rational(1, 4)
"""KL(p || q) <= MARGIN * s forces q >= 3 s/4 on every edge, and q <= s/4 off them."""


def excess(
    row: Sequence[Number], states: Number, speed: Number, steps: Number, level: Number
) -> sympy.Expr:
    """Upper bound of KL(p || q) of a row after some steps of stage 1, for any level w > 0.

    Parameters
    ----------
    row : the positive probabilities of a row, with its own state; they sum to 1.
    states : N.
    speed : v in (0, 2].
    steps : n >= 1.
    level : w; any gives a bound.

    Returns
    -------
    log(1 + (N - m) w) + sum_y log(p_y/w)^2/(2 v n), over the m edges.

    Notes
    -----
    Descent by a step v <= 2 on a convex function whose gradient has Lipschitz constant 1/2
    satisfies f(W_n) - f(V) <= |W_0 - V|^2/(2 v n) for *every* V (Nesterov 2004, *Introductory
    Lectures on Convex Optimization*, section 2.1).  Take V = log p on the edges and log w
    elsewhere, and shift the start, which changes no probability, to log w.
    """
    n, v, time, low = _exact(states, speed, steps, level)
    _require(v)
    values = _exact(*row)
    push = sum(sympy.log(p / low) ** 2 for p in values)
    return sympy.log(1 + (n - len(values)) * low) + push / (2 * v * time)


def recovery(row: Sequence[Number], states: Number, speed: Number, smallest: Number) -> sympy.Expr:
    """Steps after which a row recovers its support, whatever the row: an upper bound.

    Parameters
    ----------
    row, states, speed : as for :func:`excess`.
    smallest : s, at most each of the probabilities.

    Returns
    -------
    sum_y log(p_y/w)^2/(v a s), over the edges, with w = a s/(2 (N - m)), m the number of edges and
    a = log(4/3) - 1/4; if N = m, with w the geometric mean of the p_y.  For a row of M entries this
    is of order N M log(N/(M s))^2/(eta s), K M^2/epsilon up to logarithms: the paper's K M^2, and
    one power of epsilon less.

    Notes
    -----
    By :func:`excess` KL(p || q) <= a s in the end, a s/2 for either term.  That suffices: the mass
    off the support is at most KL, and an edge with q < 3 p/4 alone makes KL > p a.
    """
    n, v, s = _exact(states, speed, smallest)
    _require(v)
    values = _exact(*row)
    others = n - len(values)
    if others == 0:
        low = sympy.exp(sum(map(sympy.log, values)) / len(values))
    else:
        low = MARGIN * s / (2 * others)
    return sum(sympy.log(p / low) ** 2 for p in values) / (v * MARGIN * s)


def correction(
    mass: Number, start: Number, even: Number, sparse: Number, speed: Number, delta: Number
) -> Steps:
    """Steps of stage 2 of a row with sparse edges alike, and dense ones alike.

    Parameters
    ----------
    mass : f in (0, 1), of the sparse edges under the data; the m dense ones share 1 - f.
    start : their mass under the model when stage 2 starts, in (0, 1), not f.
    even, sparse : the numbers m and d of dense and of sparse edges.
    speed : with c = speed (1/d + 1/m) < 4.
    delta : the largest relative error in the end, in (0, 1).

    Returns
    -------
    With G(x) = ((1 - f) log x + f log(1 - x) - log|x - f|)/(f (1 - f)) and D its increase from
    the start to |x - f| = delta min(f, 1 - f): from (1 - c b) D/c to D/c + 1, where b <= 1/4 bounds
    x (1 - x) between start and f.  So of order N d log(1/delta)/(eta epsilon).

    Notes
    -----
    The log-odds l of the mass x move by c (f - x) a step; dG/dl = 1/(f - x)
    (:func:`row_certificate`), and gradient flow has G = G_0 + c t.  As x has slope x (1 - x) in l,
    a step leaves between 1 - c b and 1 of |f - x|, of the same sign, so that G grows by c at least
    and by c/(1 - c b) at most.

    Raises
    ------
    ValueError
        The step size is too large.
    """
    f, x, m, d, v, error = _exact(mass, start, even, sparse, speed, delta)
    c = v * (1 / d + 1 / m)
    if c >= 4:
        raise ValueError(f"a speed of {v} is too large for stage 2: c = {c} is not below 4")
    rest = error * sympy.Min(f, 1 - f)
    if abs(x - f) <= rest:
        return Steps(sympy.Integer(0), sympy.Integer(0))

    def g(y: sympy.Expr) -> sympy.Expr:
        logs = (1 - f) * sympy.log(y) + f * sympy.log(1 - y) - sympy.log(abs(y - f))
        return logs / (f * (1 - f))

    end = f + rest if x > f else f - rest
    far = max(x, f)
    b = far * (1 - far) if far < sympy.Rational(1, 2) else sympy.Rational(1, 4)
    way = g(end) - g(x)
    return Steps((1 - c * b) * way / c, way / c + 1)


@cache
def row_certificate() -> Certificate:
    """Proof of the two identities behind the closed forms.

    In m > 0, k = N/m >= 1 and g = exp(r) >= 1, the step of :func:`even_row`; and in f and h with
    0 < h < f < 1, the partial fractions whose integral is G of :func:`correction`.
    """
    facts = {"m": ["m > 0"], "k": ["k >= 1"], "g": ["g >= 1"]}
    facts |= {"f": ["f > 0", "f < 1"], "h": ["h > 0", "h < f"]}
    domain = Domain(tuple(Parameter(n, tuple(own), "", False) for n, own in facts.items()))
    zero = "1/(m*g + k*m - m)"
    parts = "((1 - f)/h - f/(1 - h) + 1/(f - h))/(f*(1 - f))"
    pairs = [
        (f"1/m - g*{zero} + {zero}", f"k*{zero}"),
        (parts, "1/(h*(1 - h)*(f - h))"),
    ]
    claims = [f"{a} {sign} {b}" for a, b in pairs for sign in (">=", "<=")]
    return comparison(domain, claims)
