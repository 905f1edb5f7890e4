"""Re-checks a proof of the dimension for every L, with the standard library alone.

The certificate lists permutations of the points 0, 1, ...; each candidate shows one of them, each
as probable as often as it is listed, independently. It names a base point and a number b.

What is checked, by going through all permutations and all pairs of answers: one candidate that acts
takes an answer p to q with probability (1 - b)/n, plus b if p = q. The n answers are the points
that the base point is moved to.

Why it is enough. Let k(p, q) = (n 1{p = q} - 1)/(n - 1). Its mean over a uniform point is 0, so the
mean of k(g p, q) over what a candidate shows is b k(p, q), and so is that of k(p, g q), as k is
symmetric; and k(g p, g q) = k(p, q), as g is a permutation. Take the mean over the candidates of
k(answer of S, answer of T) = <v_S, v_T>, the last one first: each that belongs to one of the sets
only is a factor b, and k(base, base) = 1 is left. So <v_S, v_T> = b^|S symmetric difference T|, the
sum of |<v_S, v_T>| over T is (1 + |b|)^L for each S, and the dimension is (2/(1 + |b|))^L.
If b = 0 and a candidate belongs to S alone, the answer of S is uniform whatever the other
candidates show, so that observables of mean 0 do not correlate either.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from fractions import Fraction
from typing import Any

NUMBER = re.compile(r"-?\d{1,300}(/[1-9]\d{0,299})?", re.ASCII)


class Refused(Exception):
    """The certificate does not prove its statement."""


def need(condition: bool, reason: str) -> None:
    """Refuse the certificate unless the condition holds."""
    if not condition:
        raise Refused(reason)


def check(certificate: Mapping[str, Any]) -> str:
    """The statement that is proved.

    Parameters
    ----------
    certificate : ``shown``, ``base`` and ``b``, a fraction as text.

    Raises
    ------
    Refused
        It is not of this form, or the law of one step is another one.
    """
    need(set(certificate) == {"shown", "base", "b"}, "give shown, base and b, and nothing else")
    shown, base, text = certificate["shown"], certificate["base"], certificate["b"]
    need(isinstance(shown, list) and len(shown) > 0, "no permutations are shown")
    need(all(isinstance(g, list) for g in shown), "a permutation is not a list")
    points = list(range(len(shown[0])))
    for g in shown:
        need(all(type(p) is int for p in g), "a point is not a whole number")
        need(sorted(g) == points, f"{g} does not permute the points of the first one")
    need(type(base) is int and base in points, "the base is no point")
    need(isinstance(text, str) and NUMBER.fullmatch(text) is not None, "b is no fraction")
    b = Fraction(text)
    answers = [base]
    for p in answers:  # grows while it is read
        answers += sorted({g[p] for g in shown} - set(answers))
    n, m = len(answers), len(shown)
    need(n >= 2, "there is one answer only")
    for p in answers:
        for q in answers:
            count = sum(1 for g in shown if g[p] == q)
            need(
                count * n == m * ((1 - b) + (b * n if p == q else 0)),
                f"from answer {p} to {q} the probability is {count}/{m}, which is not that of b",
            )
    law = "1 if S = T and else 0" if b == 0 else f"({b})^|S symmetric difference T|"
    return (
        f"For every L >= 0 and all sets S and T of L candidates, each of which shows one of the "
        f"{m} permutations of {len(points)} points that are listed, with {n} answers from the "
        f"point {base}: <v_S, v_T> is {law}, so the dimension of the 2^L sets is "
        f"({2 / (1 + abs(b))})^L."
    )
