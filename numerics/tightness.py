"""How tight the general theorems are: at points, against true values; and their tables.

The bounds are exact and come from `theory.bounds`, with the data of `theory.tightness.points`. The
true values are computed from the matrix in floating point, by other means than the bounds.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import sympy
from scipy.linalg import expm

from numerics import elimination, quantities
from numerics.chain import Chain, FloatArray
from numerics.pages import Markdown, bound_link
from theory import render
from theory.bounds import all_bounds
from theory.bounds.aggregation import aggregated_law
from theory.bounds.base import Bound, FiniteChain, HypothesisFails, Number
from theory.domain import Point
from theory.family import Family
from theory.tightness import NoExpression, Tightness
from theory.tightness.points import given, setting
from theory.tightness.spans import Span

USUAL = {"K": 4, "M": 4, "d": 2, "K_1": 2, "K_2": 2, "M_1": 3, "M_2": 5}
"""Values of parameters at which tables are made."""
TINY = 1e-12
"""What counts as zero beside quantities that are about one or more in size."""
MOST_STEPS = 10**6


@dataclass(frozen=True)
class Row:
    """One side of a theorem at a point.

    Attributes
    ----------
    value, truth : the bound, and what it bounds.
    factor : true value/lower bound or upper bound/true value; infinite for a lower bound of 0, and
        for an upper bound of what is 0.
    """

    bound: str
    side: str
    value: Number
    truth: float
    factor: float


@dataclass(frozen=True)
class Refusal:
    """A theorem that does not apply at a point: the hypothesis that fails, and the message."""

    bound: str
    hypothesis: str
    message: str


def usual_point(family: Family, epsilon: Fraction) -> Point:
    """`USUAL`, as far as the domain has it, at an epsilon; else a point inside.

    Raises
    ------
    DomainError
        The domain has no such point.
    """
    found = {**family.domain.inside, "epsilon": epsilon}
    for name, value in USUAL.items():
        wanted = {**found, name: Fraction(value)}
        if name in found and family.domain.violated(wanted) is None:
            found = wanted
    return family.domain.complete(found)


def table(family: Family, point: Point) -> list[Row | Refusal]:
    """Every theorem at a point of a family, one row a side, in the order of the bounds.

    A theorem about lazy chains is asked about (I + P)/2.

    Raises
    ------
    DomainError
        The point is outside the family's domain.
    """
    chain, data = setting(family, point)
    rows: list[Row | Refusal] = []
    for bound in all_bounds().values():
        here = _lazy(chain) if any(h.name == "lazy" for h in bound.hypotheses) else chain
        mine = given(bound, data)
        try:
            interval = bound(here, **mine)
        except HypothesisFails as error:
            rows.append(Refusal(bound.id, error.hypothesis, str(error)))
            continue
        value = truth(bound, here, mine)
        for side in bound.sides:
            told = interval.lower if side == "lower" else interval.upper
            rows.append(Row(bound.id, side, told, value, _factor(side, float(told), value)))
    return rows


def _factor(side: str, told: float, value: float) -> float:
    if side == "lower":
        return value / told if told > 0 else math.inf
    return told / value if value > TINY else math.inf


def _lazy(chain: FiniteChain) -> FiniteChain:
    """(I + P)/2."""
    return FiniteChain.of_rows([{y: p / 2 for y, p in row.items()} for row in chain.rows])


# ---------------------------------------------------------------- true values
def truth(bound: Bound, chain: FiniteChain, data: Mapping[str, Any]) -> float:
    """The true value of what a bound is about; the gap of (P + P*)/2 where P is not reversible.

    Parameters
    ----------
    chain : irreducible.
    data : what the bound was given.

    Raises
    ------
    ValueError
        No true value is known here of the bound's quantity.
    """
    if bound.quantity not in TRUTHS:
        raise ValueError(f"no true value of {bound.quantity} is known: add it to TRUTHS")
    return float(TRUTHS[bound.quantity](_Exact(chain), data))


class _Exact:
    """One chain in the forms that the true values need."""

    def __init__(self, chain: FiniteChain):
        self.finite = chain
        entries = [(x, y, Fraction(p)) for x, row in enumerate(chain.rows) for y, p in row.items()]
        self.chain = Chain.from_entries(map(str, chain.states), entries)
        self.matrix = np.array(
            [[float(chain.probability(x, y)) for y in chain.states] for x in chain.states]
        )
        self.law: FloatArray = elimination.stationary(self.chain).values

    def power(self, n: int) -> FloatArray:
        """P^n."""
        return np.asarray(np.linalg.matrix_power(self.matrix, n))

    def times(self, targets: Iterable[int]) -> FloatArray:
        """Mean hitting times of a set."""
        return elimination.mean_hitting_times(self.chain, sorted(targets)).values

    def watched(self, states: Iterable[int]) -> Chain:
        """The chain watched on a set."""
        return quantities.stochastic_complement(self.chain, sorted(states)).value

    def away(self, A: Iterable[int]) -> tuple[FloatArray, FloatArray]:
        """P and the law off a set."""
        rest = [x for x in range(len(self.law)) if x not in set(A)]
        return self.matrix[np.ix_(rest, rest)], self.law[rest]

    def distance(self, n: int) -> float:
        """The largest total variation distance to the law after n steps."""
        return float(np.abs(self.power(n) - self.law).sum(axis=1).max() / 2)


Data = Mapping[str, Any]


def _hitting_time(x: _Exact, data: Data) -> float:
    if "start" in data:
        return float(x.times(data["target"])[data["start"]])
    (a,) = data["A"]
    return float(x.times(data["B"])[a])


def _exit_time(x: _Exact, data: Data) -> float:
    inner, _ = x.away(data["A"])
    green = np.linalg.inv(np.eye(len(inner)) - inner)
    return float(max(np.linalg.eigvals(green).real))


def _survival(x: _Exact, data: Data) -> float:
    inner, law = x.away(data["A"])
    return float(law @ expm((inner - np.eye(len(inner))) * float(data["t"])).sum(axis=1))


def _survival_steps(x: _Exact, data: Data) -> float:
    inner, law = x.away(data["A"])
    return float(law @ np.linalg.matrix_power(inner, data["n"]).sum(axis=1))


def _capacity(x: _Exact, data: Data) -> float:
    (a,) = data["A"]
    return float(x.law[a]) * float(quantities.escape_probability(x.chain, a, data["B"]).value)


def _law_distance(x: _Exact, data: Data) -> float:
    return float(np.abs(x.law - _Exact(data["other"]).law).sum())


def _aggregation_error(x: _Exact, data: Data) -> float:
    found = [float(p) for p in aggregated_law(x.finite, data["clusters"])]
    return float(np.abs(x.law - found).sum())


def _mixing_time(x: _Exact, data: Data) -> float:
    power, n = np.eye(len(x.law)), 0
    while np.abs(power - x.law).sum(axis=1).max() / 2 > float(data["delta"]):
        power, n = power @ x.matrix, n + 1
        if n > MOST_STEPS:
            raise ValueError(
                f"the chain does not mix within {MOST_STEPS} steps: take a larger rate"
            )
    return n


def _sum_variance(x: _Exact, data: Data) -> float:
    f = np.array([float(value) for value in data["f"]])
    f, n = f - x.law @ f, data["n"]
    terms = [x.law @ (f * (x.power(k) @ f)) for k in range(n)]
    return float(n * terms[0] + 2 * sum((n - k) * terms[k] for k in range(1, n)))


TRUTHS: Mapping[str, Callable[[_Exact, Data], Any]] = {
    "spectral-gap": lambda x, data: quantities.additive_gap(x.chain).value,
    "watched-spectral-gap": lambda x, data: quantities.additive_gap(x.watched(data["C"])).value,
    "pseudo-spectral-gap": lambda x, data: quantities.pseudo_spectral_gap(x.chain).value,
    "watched-pseudo-spectral-gap": lambda x, data: (
        quantities.pseudo_spectral_gap(x.watched(data["C"])).value
    ),
    "mean-hitting-time": _hitting_time,
    "mean-hitting-time-from-stationarity": lambda x, data: x.law @ x.times(data["A"]),
    "quasi-stationary-exit-time": _exit_time,
    "survival-probability-continuous": _survival,
    "survival-probability-steps": _survival_steps,
    "capacity": _capacity,
    "stationary-probability": lambda x, data: x.law[data["state"]],
    "law-distance": _law_distance,
    "aggregation-error": _aggregation_error,
    "distance-to-stationarity": lambda x, data: x.distance(data["n"]),
    "mixing-time": _mixing_time,
    "sum-variance": _sum_variance,
}
"""The true value of each quantity that a bound is about."""


# ---------------------------------------------------------------- tables
def points_table(columns: Mapping[str, Sequence[list[Row | Refusal]]]) -> Markdown:
    """Factors at points: a column a family, in a cell one factor a point.

    Parameters
    ----------
    columns : title -> the tables of a family at some points.
    """
    known = sorted(all_bounds().values(), key=lambda bound: bound.quantity)
    lines = [_head(columns)]
    for bound in known:
        for side in bound.sides:
            cells = []
            for tables in columns.values():
                found = [_at(rows, bound.id, side) for rows in tables]
                cells.append(",<br>".join(dict.fromkeys(found) if found[0][0] == "*" else found))
            lines.append(f"| {bound_link(bound)} | {side} | {' | '.join(cells)} |")
    return Markdown("\n".join(lines))


def _head(columns: Mapping[str, Any]) -> str:
    return f"| | | {' | '.join(columns)} |\n{'|---' * (len(columns) + 2)}|"


def _at(rows: Sequence[Row | Refusal], bound: str, side: str) -> str:
    for row in rows:
        if row.bound == bound and isinstance(row, Refusal):
            return f"*{row.hypothesis}*"
        if row.bound == bound and isinstance(row, Row) and row.side == side:
            return _digits(row.factor)
    raise ValueError(f"the table has no {side} side of {bound}")


def _digits(x: float) -> str:
    if math.isinf(x):
        return r"$\infty$"
    rounded = f"{float(f'{x:.3g}'):,.0f}".replace(",", "\u202f")
    return f"{x:.3g}" if x < 1000 else rounded


def leading_table(columns: Mapping[str, Sequence[Tightness | NoExpression]]) -> Markdown:
    """The leading term of every factor as epsilon -> 0: a column a family, ``–`` for none."""
    lines = [_head(columns)]
    for bound in sorted(all_bounds().values(), key=lambda bound: bound.quantity):
        for side in bound.sides:
            found = [_side(rows, bound.id, side) for rows in columns.values()]
            if any(isinstance(row, Tightness) for row in found):
                cells = " | ".join("–" if row is None else _span(row.leading) for row in found)
                lines.append(f"| {bound_link(bound)} | {side} | {cells} |")
    return Markdown("\n".join(lines))


def _side(rows: Sequence[Tightness | NoExpression], bound: str, side: str) -> Tightness | None:
    for row in rows:
        if isinstance(row, Tightness) and (row.bound, row.side) == (bound, side):
            return row
    return None


def _span(span: Span) -> str:
    low, high = (render.latex(x) for x in (span.lower, span.upper))
    return f"${low}$" if span.exact else f"${low}$ … ${high}$"


def expression_list(rows: Sequence[Tightness | NoExpression]) -> Markdown:
    """Bound and factor of every row in full, as displayed formulas."""
    lines = []
    for row in rows:
        if isinstance(row, Tightness):
            value, factor = (x.written(row.domain) for x in (row.value, row.factor))
            lines += [f"**{bound_link(all_bounds()[row.bound])}, {row.side}.**", ""]
            lines += [f"$$\n{_formula('B', value)}\n$$", "", f"$$\n{_formula('F', factor)}\n$$", ""]
    return Markdown("\n".join(lines))


def _formula(name: str, span: Span) -> str:
    """``B = ...``, or bounds of it, roots shared by name."""
    low, high = span.lower, span.upper
    roots = sorted(
        {x for y in (low, high) for x in y.atoms(sympy.Pow) if not x.exp.is_Integer},
        key=sympy.default_sort_key,
    )
    inner = dict.fromkeys(sorted({x.base for x in roots}, key=sympy.default_sort_key))
    names = {
        base: sympy.Symbol(f"s_{n}" if len(inner) > 1 else "s") for n, base in enumerate(inner, 1)
    }
    low, high = (y.xreplace({x: names[x.base] ** (2 * x.exp) for x in roots}) for y in (low, high))
    main = (
        f"{name} = {render.latex(low)}"
        if span.exact
        else (rf"{render.latex(low)} \le {name} \le {render.latex(high)}")
    )
    where = [rf"{render.latex(s)}^2 = {render.latex(base)}" for base, s in names.items()]
    if not where:
        return main
    return r"\begin{gathered}" + main + "".join(rf" \\ {x}" for x in where) + r"\end{gathered}"


def reasons_table(columns: Mapping[str, Sequence[Tightness | NoExpression]]) -> Markdown:
    """Why there is no expression: a line for a theorem and a reason, with the families."""
    found: dict[tuple[str, str], list[str]] = {}
    for name, rows in columns.items():
        for row in rows:
            if isinstance(row, NoExpression):
                found.setdefault((row.bound, row.reason), []).append(name)
    lines = ["| | on | why there is no expression |", "|---|---|---|"]
    for (bound, reason), names in sorted(found.items()):
        on = "all" if len(names) == len(columns) else ", ".join(names)
        lines.append(f"| {bound_link(all_bounds()[bound])} | {on} | {reason} |")
    return Markdown("\n".join(lines))
