"""What a dimension leaves to a learner: queries, steps and error, as claims with certificates."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction

from theory.certificates import certify
from theory.claims import Claim
from theory.domain import Domain, Parameter, expression


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
