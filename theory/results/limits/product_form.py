"""A proof that correlations are b^|S symmetric difference T|, for every L; see the check."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from theory.groups import GroupError
from theory.results.limits.problem import Problem


def product_form(problem: Problem) -> dict[str, Any]:
    """A certificate for the whole answer, to be read by `product_form_check.check`.

    Raises
    ------
    GroupError
        The candidates differ, or one candidate does not leave the answer with probability b and
        else make it uniform; then no number b will do.
    """
    if len(problem.laws) > 1 or problem.observable:
        raise GroupError("no product form is known: give one law, and the whole answer")
    shown = [problem.action.moves[g] for g in problem.laws[0]]
    n, m = len(problem.answers), len(shown)
    counts = [[sum(g[p] == q for g in shown) for q in problem.answers] for p in problem.answers]
    # P(stay) = b + (1 - b)/n, if there is such a b
    bias = (Fraction(n * counts[0][0], m) - 1) / (n - 1)
    stay, move = bias + (1 - bias) / n, (1 - bias) / n
    for p, row in enumerate(counts):
        if any(Fraction(c, m) != (stay if p == q else move) for q, c in enumerate(row)):
            raise GroupError("no product form: one candidate neither leaves the answer nor mixes")
    return {"shown": [list(g) for g in shown], "base": problem.base, "b": str(bias)}
