"""What the pages of the book show of a family: text as MyST Markdown, tables and figures.

Every formula and verdict comes from the family, its claims and the judge; nothing is typed in.
Matplotlib, from the ``book`` extra, is imported only where a figure is drawn.
"""

from __future__ import annotations

import functools
import inspect
import itertools
import json
import math
import os
import re
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterable, Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import sympy

from numerics import bookbuild, claimtable, elimination, simulate
from numerics.chain import FloatArray
from numerics.claimtable import slug
from numerics.notebooks import plain
from numerics.rows import concrete
from numerics.verify import Judgement, judge
from theory import catalogue, checker, render
from theory.attachment import Attachment
from theory.bounds.base import Bound
from theory.certificates import Certificate
from theory.chain import ExplicitChain, OrbitChain, Row, chain_from_json, leaves
from theory.claims import Claim, NoClaim, last, where
from theory.composed import Composed, CompositionDerivation
from theory.composition import H2, R2, H, R
from theory.derive import start_value
from theory.domain import Domain, Point, evaluate, expression, tidy
from theory.family import Family, built_in
from theory.kernel import Kernel

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

EPSILON = r"\epsilon"
WIDE = 48  # glyphs in a line of displayed mathematics
REPLICAS = 400
COLUMNS = 78

KINDS = {
    "mean-hitting-time": "A function $h \\ge 0$, zero on the target, with $h = 1 + Ph$ off it, row "
    "by row: it is the mean hitting time.",
    "hitting-time-between": "A supersolution, $h \\ge 0$, $h \\ge 1 + Ph$ off the target, and a "
    "subsolution, $h \\le 1 + Ph$ off it and $h \\le 0$ on it.",
    "second-moment": "The same for the squares: $m = 2h - 1 + Pm$ off the target.",
    "return-time": "A mean hitting time, and one step before it.",
    "generating-function": "$m = \\rho Pm$ off the target, 1 on it; the target is reached.",
    "stationary": "A law in balance with every row, and the mean time to return to one state that "
    "is reached from all others.",
    "time-from-law": "Mean hitting times, summed against the stationary law.",
    "kemeny": "Mean times from the stationary law to a state of each sort.",
    "aggregated-matrix": "The flow between clusters under the stationary law, entry by entry.",
    "aggregated-hitting-time": "An aggregated matrix, and a mean hitting time of it.",
    "comparison": "Two proved values, and the sign of each difference on the whole domain.",
    "expansion": "The first powers of a small parameter, and bounds of the rest.",
    "capacity": "A mean hitting time, and a symmetry that exchanges its two ends.",
    "gap-lower": "A function that is positive off one state and falls fast enough on average.",
    "gap-upper": "One test function in the Dirichlet form.",
    "modes-lower": "Every mode of a chain on clusters and types, its characteristic polynomial "
    "signed beyond the bound.",
    "modes-upper": "The relaxation times of the slowest mode: their sum, and that of the squares.",
    "modes-gap": "Both at once, and how far apart they are.",
    "exact-gap": "Bounds of the gap, and its equation.",
    "spectral-gap": "A proof of a lower bound, one of an upper bound, and of how far they are "
    "apart.",
    "composed-law": "The product of the law on the clusters and that inside one.",
    "composed-aggregated": "A mean hitting time of the walk, over the rate of its steps.",
    "composed-gap": "The gap of the walk, and the time to reach the gate in one cluster.",
    "composed-mode": "The quadratic equation of an eigenvalue of the walk.",
    "composed-root": "The same for the second eigenvalue of the walk, which is proved.",
    "conductance": "A proved gap, by Cheeger's inequality; and the cut around one cluster.",
    "stochastic-complement": "Moves that leave a cluster, read as moves inside it.",
    "pseudo-gap": "The eigenvalues of the chain watched on a cluster, which is reversible.",
    "metastability-ratio": "Two escape probabilities, each from a function on the orbits.",
}
"""What the proof of each kind of statement consists of."""

HEADINGS = {
    "hitting-time": "Hitting time",
    "second-moment": "Second moment of the hitting time",
    "exit-time": "Exit time of a cluster",
    "exit-law": "Law of the exit time",
    "stationary": "Stationary law",
    "aggregated-matrix": "Aggregated matrix",
    "aggregated-hitting-time": "Hitting time of the aggregated chain",
    "hitting-time-bounds": "Comparison with the aggregated chain",
    "spectral-gap": "Spectral gap",
    "exact-gap": "Spectral gap, exactly",
    "metastable-eigenvalues": "Metastable eigenvalues",
    "stochastic-complement": "Stochastic complement of a cluster",
    "pseudo-spectral-gap": "Pseudo-spectral gap of the chain watched on a cluster",
    "metastability-ratio": "Metastability ratio",
    "capacity": "Capacity",
    "conductance": "Conductance",
    "kemeny": "Kemeny's constant",
}

SYMBOLS = {
    "second-moment": r"\mathbb{E}[\tau^2]",
    "exit-law": r"\mathbb{E}[\rho^{\tau_{\mathrm{exit}}}]",
    "exact-gap": r"1-\lambda_2",
    "metastable-eigenvalues": r"1-\lambda(\mu)",
    "stochastic-complement": "S",
    "pseudo-spectral-gap": r"\gamma_{\mathrm{ps}}",
    "metastability-ratio": "r",
    "capacity": r"\mathrm{cap}",
    "conductance": r"\Phi",
    "kemeny": r"\kappa",
}
"""Of the quantities that only composed families have."""


class Markdown(str):
    """Text that a cell shows as Markdown: as MyST in the book, without it in a notebook.

    Numbers that fill a cell of a table, such as 1.3e+10, are set as powers of ten.
    """

    __slots__ = ()

    def _repr_markdown_(self) -> str:
        set_ = _FLOAT.sub(_power_of_ten, self)
        return set_ if bookbuild.MYST in os.environ else plain(set_, _bibliography())


_FLOAT = re.compile(r"(?<=\| )(-?\d+(?:\.\d+)?)e([+-]\d+)(?= \|)")


def _power_of_ten(found: re.Match[str]) -> str:
    digits = "" if found[1] == "1" else rf"{found[1]} \times "
    return f"${digits}10^{{{int(found[2])}}}$"


def table(head: Sequence[object], rows: Iterable[Sequence[object]]) -> Markdown:
    """A table with what its cells print as."""
    lines = [head, ["---"] * len(head), *rows]
    return Markdown("\n".join(f"| {' | '.join(map(str, line))} |" for line in lines))


@functools.cache
def _bibliography() -> Path | None:
    """The folder of the book's pages, if it is there."""
    try:
        return bookbuild.pages()
    except bookbuild.BookError:
        return None


# ---------------------------------------------------------------- one family
class Page:
    """The parts of a family's page, each claim derived once.

    Parameters
    ----------
    family : a family, an id, ``kernel/meta-graph/attachment``, or the path of a family file.
    """

    def __init__(self, family: Family | str):
        self.family = catalogue.load(family) if isinstance(family, str) else family
        self.derivation = catalogue.derivation(self.family)
        self.problem = self.family.problems()[0]

    def claim(self, quantity: str = "hitting-time") -> Claim:
        """The claim for a quantity."""
        return self.derivation.claim(quantity)

    def opening(self) -> Markdown:
        """The prose of the family, its gates, its parameters and its domain."""
        prose = inspect.cleandoc(type(self.family).__doc__ or "")
        prose = prose.replace("Kim et al. (2025)", "{cite:t}`kim2025metastable`")
        lines = [prose, "", f"*Sparse edges.* {_gates(self.family.gates)}.", ""]
        lines += ["| parameter | meaning | range |", "|---|---|---|"]
        for p in self.family.domain.parameters:
            kind = "integer" if p.integer else "real"
            name = render.latex(expression(p.name))
            lines.append(f"| ${name}$ | {p.meaning} | {kind}, {_range(Domain((p,)))} |")
        return Markdown("\n".join(lines))

    def theorems(self) -> Markdown:
        """Every claim of the family as a theorem with its domain."""
        return Markdown("\n\n".join(theorem(self.claim(q)) for q in self.derivation.recipes))

    def rows(self) -> Markdown:
        """The rows of the orbit chain of the default problem, in its most general case."""
        told = inspect.getdoc(type(self.family).problems)
        own = told if told != inspect.getdoc(Family.problems) else None
        return Markdown("\n".join([*([own, ""] if own else []), row_table(self.chain())]))

    def chain(self) -> OrbitChain:
        """The orbit chain of the default problem, in its most general case."""
        return leaves(self.problem.chains)[-1]

    def certificate(self, quantity: str = "hitting-time") -> Markdown:
        """The kinds of statement in a certificate, its size, and what the checker says of it."""
        certificate = self.claim(quantity).certificate
        size = len(json.dumps(certificate))
        lines = [
            f"The certificate of `{self.family.id}/{quantity}` has {size:,} characters. "
            "It contains",
            "",
        ]
        counts: dict[str, int] = {}
        for part in parts(certificate):
            kind = part["statement"]["kind"]
            counts[kind] = counts.get(kind, 0) + 1
        lines += [f"- {n} × *{kind}*: {KINDS[kind]}" for kind, n in counts.items()]
        return Markdown("\n".join(lines))

    def judgement(self, quantity: str = "hitting-time") -> Judgement:
        """The verdict on a claim, by every method."""
        return judge(self.claim(quantity), self.family)

    def evidence(self, quantity: str = "hitting-time") -> Markdown:
        """The verdict on a claim and each piece of evidence."""
        judged = self.judgement(quantity)
        lines = [
            f"`{judged.claim.id}` is **{judged.verdict}**.",
            "",
            "| method | point | verdict | margin |",
            "|---|---|---|---|",
        ]
        for e in judged.evidence:
            at = ", ".join(f"{render.latex(expression(n))} = {x}" for n, x in e.point.items())
            margin = "" if e.margin is None else _short(e.margin)
            where = f"${at}$" if at else "all of the domain"
            lines.append(f"| {e.method} | {where} | {e.verdict} | {margin} |")
        return Markdown("\n".join(lines))

    def figure(self, **at: int) -> Figure:
        """Mean hitting time against epsilon: the formula, solves, simulations and the bounds.

        Parameters
        ----------
        at : integer parameters of the family other than its defaults.
        """
        return hitting_time_figure(self, at)


def row_table(chain: OrbitChain) -> Markdown:
    """The rows of a chain; a move that also takes a step of a walk is marked with W."""
    lines = ["| from | states | moves to, with probability |", "|---|---|---|"]
    for row in chain.rows:
        size = render.latex(chain.orbits[row.orbit].size)
        moves = ", ".join(
            _unbroken(
                f"`{_place(m.to, m.at)}` ${render.latex(m.probability)}$" + " and $W$" * m.meta
            )
            for m in row.moves
        )
        lines.append(f"| {_row_name(row)} | ${size}$ | {moves} |")
    return Markdown("\n".join(lines))


def theorem(claim: Claim, label: str | None = None) -> Markdown:
    """A claim as a theorem with its domain; by default the label is its id with a hyphen.

    Of a built-in family the theorem leads to the entry of its claim, to the certificate, the tests
    and the code.
    """
    name = label or slug(claim.id)
    body = f"For {_range(claim.domain, ',')} {_about(claim)}\n\n$$\n{statement(claim)}\n$$"
    if claim.sharp:
        at = ", ".join(f"{render.latex(expression(n))} = {x}" for n, x in claim.sharp.items())
        body += f"\n\nThe upper bound is attained at ${at}$."
    if claim.family in built_in():
        body += f"\n\n{{claim:stated}}`{claim.id}`"
    title = heading(claim.quantity)
    return Markdown(f"````{{prf:theorem}} {title}\n:label: {name}\n\n{body}\n````")


def heading(quantity: str) -> str:
    """The name of a quantity in words."""
    kind = _kind(quantity)
    rest = quantity.removeprefix(kind).strip("-").replace("-", " ")
    return ", ".join(x for x in (HEADINGS.get(kind, ""), rest) if x)


def _kind(quantity: str) -> str:
    """The quantity without the name of a problem."""
    return next((k for k in sorted(HEADINGS, key=len, reverse=True) if quantity.startswith(k)), "")


def _symbol(quantity: str) -> str:
    return SYMBOLS.get(quantity, render.symbol(quantity))


def column(name: str) -> str:
    """The head of a column: a quantity by its symbol, anything else as it is."""
    short = {
        "hitting-time-bounds": r"$\mathbb{E}[\tau]/T_A$",
        "hitting-time-bounds-threshold": r"$\epsilon^*$",
        "exact-gap": r"exact $1-\lambda_2$",
    }
    return short.get(name, f"${_symbol(name)}$" if name in HEADINGS else f"`{name}`")


def _ends_of(said: Mapping[str, Any]) -> tuple[str, str]:
    """Start and target in words, with their clusters where a walk joins these."""
    start = f"`{checker.place(*said['start'])}`" if "start" in said else ""
    target = f"`{said['target'][0]}`" if "target" in said else ""
    if "." in start and "." in target:  # a class of clusters, and a type in it
        (a, x), (b, y) = (place.strip("`").split(".") for place in (start, target))
        x, *at = x.split("[")
        return f"`{x}` in cluster `{'['.join([a, *at])}`", f"`{y}` in cluster `{b}`"
    return (
        (start, target) if start != target else (f"{start} in one", f"{target} in another cluster")
    )


def _about(claim: Claim) -> str:
    """What a claim speaks of, in words."""
    said = claim.statement
    kind = _kind(claim.quantity)
    if kind == "hitting-time-bounds":
        said = said["of"][0]
    start, target = _ends_of(said)
    return {
        "hitting-time": f"the mean time from {start} to {target} is",
        "second-moment": f"the time from {start} to {target} has the second moment",
        "hitting-time-bounds": f"the mean time from {start} to {target} is bounded by that of "
        "the aggregated chain between their clusters:",
        "exit-time": f"the mean time from {start} until the cluster is left is",
        "exit-law": f"the time from {start} until the cluster is left has the generating function",
        "exact-gap": "the gap of the full chain is",
        "metastable-eigenvalues": "an eigenvalue $\\mu$ of the walk on the clusters gives the "
        "eigenvalue $\\lambda(\\mu)$ of the full chain, with",
        "stochastic-complement": "the chain watched on one cluster has the transitions",
        "pseudo-spectral-gap": "the pseudo-spectral gap of the chain watched on one cluster is",
        "metastability-ratio": "the largest probability to reach another gate before coming back, "
        "over the least probability of another state to reach a gate before coming back, is",
        "capacity": f"the capacity between {start} and {target} is",
        "conductance": "the conductance of the full chain is bounded by",
        "kemeny": "the mean time to a state drawn from the stationary law, from any state, is",
        "stationary": "the stationary probability of state $x$ in cluster $k$ is"
        if "walk" in said
        else "the chain is reversible, and the stationary probability of one state is",
        "aggregated-matrix": "the probability of a step from a cluster to another, or to another "
        "class of clusters, is",
        "aggregated-hitting-time": f"the mean time from {start} to {target} in the chain of "
        "the clusters is",
        "spectral-gap": "the gap of the full chain "
        + ("is" if claim.expression is not None else "is bounded by"),
    }.get(kind, f"{heading(claim.quantity)} is")


def claims_table(judged: Iterable[Judgement]) -> Markdown:
    """Claims with their statement, domain, verdict, kind of certificate and margin.

    Under each claim: where it is stated, its certificate, the tests that check it and the code.
    """
    lines = ["| claim | verdict |", "|---|---|"]
    for one in judged:
        claim = one.claim
        told = [f"**{one.verdict}**", claim.statement["kind"]]
        told += [] if one.margin is None else [f"margin {_short(one.margin)}"]
        shown = "<br>".join(map(_unbroken, told))
        says = f"$\\displaystyle {statement(claim)}$<br>for {_range(claim.domain)}"
        known = claim.family in built_in()
        name = f"{{claim:entry}}`{claim.id}`" if known else f"`{claim.id}`"
        links = f"<br>{{claim:links}}`{claim.id}`" if known else ""
        lines.append(f"| {name}<br>{says}{links} | {shown} |")
    return Markdown("\n".join(lines))


def tests_table(tests: Sequence[claimtable.Test]) -> Markdown:
    """Each claim of a built-in family, and the tests that check it."""
    lines = ["| claim | tests |", "|---|---|"]
    for name in claimtable.names() if tests else ():
        links = [
            f"[{t.name.removeprefix('test_')}](#{_test_label(t)})"
            for t in tests
            if name in t.claims
        ]
        lines.append(f"| {{claim:tests}}`{name}` | {'<br>'.join(links)} |")
    return Markdown("\n".join(lines))


def source_of(test: claimtable.Test) -> Markdown:
    """A test, how many claims it checks, and its text."""
    count = len(test.claims)
    checks = f"{count} claims" if count > 1 else f"{{claim:ref}}`{test.claims[0]}`"
    source = f"```python\n{test.source}\n```"
    label = f"({_test_label(test)})="
    return Markdown(f"{label}\n`{test.id}` checks {checks}.\n\n{folded('Source', source)}")


def _test_label(test: claimtable.Test) -> str:
    return slug(test.id.removeprefix("tests/"))


def _unbroken(text: str) -> str:
    return f'<span class="text-nowrap">{text}</span>'


def _roomy(text: str) -> str:
    """The text of a cell that is not squeezed on a narrow screen."""
    return f'<span class="d-inline-block" style="min-width: 11em">{text}</span>'


def _short(margin: float) -> str:
    return f"{margin:.1e}" if margin else "0"


def parts(certificate: Certificate) -> list[Certificate]:
    """A certificate and all that it rests on."""
    return [certificate, *(part for p in certificate["premises"] for part in parts(p))]


def drift(chain: OrbitChain, row: Row, h: Mapping[str, sympy.Expr]) -> sympy.Expr:
    """(I - P) h in a row, in the parameters and the index j, in lowest terms.

    A row that serves one index only is taken at that index.
    """
    index = sympy.Symbol("j")
    out = h[row.orbit] - sum(
        m.probability * (h[m.to] if m.at is None else h[m.to].subs(index, m.at)) for m in row.moves
    )
    if row.index is not None and row.index[0] == row.index[1]:
        out = out.subs(index, row.index[0])
    fixed = {sympy.Symbol(n): expression(value) for n, value in chain.domain.values.items()}
    return sympy.cancel(out.subs(fixed))


def solution_table(chain: OrbitChain, h: Mapping[str, sympy.Expr]) -> Markdown:
    """The value of h on each orbit."""
    lines = []
    for name, value in h.items():
        index = "_j" if chain.orbits[name].index else ""
        symbol = f"h_{{{_name(name)}}}" + (f"({index[1]})" if index else "")
        lines += _factored(symbol, tidy(value, chain.domain))
    body = r" \\[0.6ex] ".join(lines)
    return Markdown(f"$$\n\\begin{{aligned}}{body}\\end{{aligned}}\n$$")


# ---------------------------------------------------------------- composed families
Found = Mapping[str, Mapping[str, Claim | NoClaim]]


def derive_all(names: Iterable[str], quantities: Iterable[str] = ()) -> Found:
    """Every claim of some families, or the reason why there is none.

    Parameters
    ----------
    names : ids of families.
    quantities : those asked for; by default all that a family has, or is said not to have.
    """
    wanted = tuple(quantities)
    found: dict[str, dict[str, Claim | NoClaim]] = {}
    for name in names:
        derivation = catalogue.derivation(catalogue.load(name))
        known = [*derivation.recipes, *derivation.family.absent]
        order = [q for q in HEADINGS if q in known] + [q for q in known if q not in HEADINGS]
        found[name] = {}
        for quantity in wanted or order:
            try:
                found[name][quantity] = derivation.claim(quantity)
            except NoClaim as error:
                found[name][quantity] = error
    return found


def status_table(rows: Found) -> Markdown:
    """What is proved: a closed form, bounds within a factor, or nothing and why.

    Parameters
    ----------
    rows : name of a row -> quantity, or whatever heads a column -> claim or the reason for none.
    """
    columns = list(dict.fromkeys(column for cells in rows.values() for column in cells))
    heads = map(column, columns)
    letters: dict[str, str] = {}

    def cell(one: Claim | NoClaim) -> str:
        if isinstance(one, Claim):
            return status(one)
        return f"*{letters.setdefault(reason(one), chr(ord('a') + len(letters)))}*"

    lines = [f"| | {' | '.join(heads)} |", "|---" * (len(columns) + 1) + "|"]
    for name, cells in rows.items():
        told = (cell(cells[x]) if x in cells else "" for x in columns)
        lines.append(f"| `{name}` | {' | '.join(told)} |")
    why = "; ".join(f"*{letter}* {text}" for text, letter in letters.items())
    return Markdown("\n".join([*lines, *(["", f"Not derived: {why}."] if why else [])]))


def status(claim: Claim) -> str:
    """``=`` for a closed form, else the factor between two bounds, ``<`` if it is no constant."""
    if claim.expression is not None or claim.entries:
        return "="
    said = claim.statement
    if "ratio" in said:
        return rf"$\times {render.latex(expression(said['ratio']))}$"
    assert claim.lower is not None and claim.upper is not None
    factor = sympy.cancel(claim.upper / claim.lower)
    return rf"$\times {render.latex(factor)}$" if factor.is_number else "$<$"


def reason(error: NoClaim) -> str:
    """Why a claim was not derived, without the name of the claim."""
    return str(error).split(": ", 2)[-1]


def walk_values(family: Family, order: int = 1) -> dict[str, sympy.Expr]:
    """What the hitting time of a composed family takes from the walk on the clusters.

    Parameters
    ----------
    order : 1, or 2 for what the second moment takes.

    Returns
    -------
    By symbol: H and R, the mean hitting and return times, and for order 2 their second moments H2
    and R2; in the most general case.
    """
    derivation = CompositionDerivation(_composed(family))
    chain, problem = leaves(derivation.cases)[-1], derivation.problem
    moments = derivation.moments(chain, order)
    return {str(x): start_value(chain, f, problem.start) for x, f in moments.items()}


def _composed(family: Family) -> Composed:
    assert isinstance(family, Composed), f"{family.id} is not composed"
    return family


def walk_moments(family: Family) -> Markdown:
    """H, R and their second moments H2 and R2 as formulas."""
    lines = []
    for name, value in walk_values(family, 2).items():
        lines += _factored(_subscript(name), value)
    body = r" \\[0.6ex] ".join(lines)
    return Markdown(f"$$\n\\begin{{aligned}}{body}\\end{{aligned}}\n$$")


def second_moment(family: Family) -> Markdown:
    """The second moment for every walk, by the moments of the walk."""
    family = _composed(family)
    value = family.cluster.second.away[family.home]
    top, bottom = sympy.fraction(sympy.cancel(value))
    parts = sympy.Poly(top, H, R, H2, R2).as_dict()
    terms = sympy.Add(
        *(
            sympy.Mul(tidy(x / bottom, family.domain), *map(sympy.Pow, (H, R, H2, R2), powers))
            for powers, x in parts.items()
        ),
        evaluate=False,
    )
    body = r" \\[0.6ex] ".join(_broken(_symbol("second-moment"), terms))
    return Markdown(f"$$\n\\begin{{aligned}}{body}\\end{{aligned}}\n$$")


def _subscript(name: str) -> str:
    """``H2`` as H with the index 2."""
    return f"{name[0]}_{name[1]}" if name[1:] else name


def cluster_values(family: Family) -> tuple[sympy.Expr, sympy.Expr]:
    """The numbers a and c for which E = a (H + c R) holds for every walk.

    Raises
    ------
    ValueError
        The mean time is not of this form.
    """
    family = _composed(family)
    value = family.cluster.mean.away[family.home]
    step = sympy.factor(sympy.cancel(value.subs({H: 1, R: 0}) - value.subs({H: 0, R: 0})))
    share = sympy.factor(sympy.cancel(value.subs({H: 0, R: 1}) / step))
    if sympy.cancel(value - step * (H + share * R)) != 0:
        raise ValueError(f"{family.id}: the mean time is not a (H + c R)")
    return tidy(step, family.domain), tidy(share, family.domain)


def walks_table(found: Found) -> Markdown:
    """Start, target, H and R of the walk of each composed family."""
    lines = ["| | from | to | $H$ | $R$ |", "|---|---|---|---|---|"]
    for name, claims in found.items():
        if isinstance(claims["hitting-time"], Claim):
            family = _composed(catalogue.load(name))
            problem = family.meta.problems()[0]
            start, target = f"`{checker.place(*problem.start)}`", f"`{problem.target}`"
            moments = walk_values(family)
            told = (f"${render.latex(moments[x])}$" for x in ("H", "R"))
            row = [f"`{family.meta.id}`", start, target, *told]
            lines.append(f"| {' | '.join(row)} |")
    return Markdown("\n".join(lines))


def clusters_table(found: Found) -> Markdown:
    """The numbers a and c of E = a (H + c R) for each kernel and attachment."""
    lines = ["| | | $a$ | $c$ |", "|---|---|---|---|"]
    for name, claims in found.items():
        if isinstance(claims["hitting-time"], Claim):
            family = _composed(catalogue.load(name))
            told = (f"$\\displaystyle {render.latex(x)}$" for x in cluster_values(family))
            names = f"| `{family.kernel.id}` | `{family.attachment.id}` |"
            lines.append(f"{names} {' | '.join(told)} |")
    return Markdown("\n".join(lines))


def parts_table(parts: Iterable[Kernel | Family | Attachment]) -> Markdown:
    """Kernels, meta-graphs or attachments: id, first sentence, parameters with their ranges."""
    lines = ["| id | | parameters |", "|---|---|---|"]
    for part in parts:
        if isinstance(part, Attachment):
            prose, parameters = part.gates[0].upper() + part.gates[1:], part.parameters
            prose = re.sub(r"\b(epsilon|theta|delta|n)\b(?!'|o)", r"$\\\1$", prose)
            prose = prose.replace(r"$\n$", "$n$").replace("1 - $\\theta$", r"$1 - \theta$")
        else:
            prose = inspect.cleandoc(type(part).__doc__ or "").split("\n\n")[0]
            prose, parameters = " ".join(prose.split()), part.domain.parameters
        ranges = "<br>".join(
            _range(Domain((p,))) if p.facts else f"${render.latex(expression(p.name))}$"
            for p in parameters
        )
        lines.append(f"| `{part.id}` | {_roomy(prose.rstrip('.'))} | {ranges} |")
    return Markdown("\n".join(lines))


def formulas(claims: Iterable[Claim]) -> Markdown:
    """Claims one after another, each with its name, its domain and its formula."""
    parts = []
    for claim in claims:
        says = f"**{heading(claim.quantity)}.** For {_range(claim.domain, ',')} {_about(claim)}"
        parts.append(f"{says}\n\n$$\n{statement(claim)}\n$$")
    return Markdown("\n\n".join(parts))


def folded(title: str, text: str) -> Markdown:
    """Text that opens at a click."""
    return Markdown(f"::::::{{dropdown}} {title}\n{text}\n::::::")


# ---------------------------------------------------------------- general theorems
def bound_link(bound: Bound) -> str:
    """A cell with the title of a general theorem, leading to where `bound_theorem` states it."""
    return _roomy(f"{{prf:ref}}`{bound.title} <bound-{bound.id}>`")


def bound_theorem(bound: Bound) -> Markdown:
    """A general theorem: statement, source, what is checked, and where it is sharp."""

    def displayed(found: re.Match[str]) -> str:
        if _letters(found[1]) <= WIDE // 2:
            return found[0]
        first, *others = found[1].split(r" \le ")
        if len(others) > 1 and _letters(found[1]) > WIDE:  # a line for each
            lines = r" \\ ".join(rf"&\le {other}" for other in others)
            return f"\n\n$$\n\\begin{{aligned}}{first} {lines}{found[2]}\\end{{aligned}}\n$$\n\n"
        return f"\n\n$$\n{found[1]}{found[2]}\n$$\n\n"

    said = re.sub(r"\$([^$]+)\$([.,;]?)", displayed, bound.statement)
    lines = [said, "", f"*Source.* {bound.source}."]
    checked = "; ".join(hypothesis.name for hypothesis in bound.hypotheses)
    lines += ["", f"*Checked.* {checked}."]
    for name, what in (("Data", bound.data), ("Optional", bound.optional)):
        if what:
            lines += ["", f"*{name}.* " + "; ".join(f"`{x}`: {y}" for x, y in what.items()) + "."]
    if bound.equality:
        lines += ["", f"*Sharp.* {bound.equality}."]
    body = "\n".join(lines)
    return Markdown(f"````{{prf:theorem}} {bound.title}\n:label: bound-{bound.id}\n\n{body}\n````")


# ---------------------------------------------------------------- formulas
def statement(claim: Claim) -> str:
    """What a claim says, in LaTeX: as `theory.render.claim_latex`, long formulas broken."""
    name = _symbol(claim.quantity)
    if claim.expression is not None:
        lines = [(name, "=", claim.expression)]
    elif claim.statement["kind"] == "comparison":
        return _comparison(claim, name)
    elif claim.lower is not None and claim.upper is not None:
        lines = [(name, r"\ge", claim.lower), (name, r"\le", claim.upper)]
    else:
        return _entries(claim, name)
    short = f"{name} = {render.latex(claim.expression or 0)}"
    if len(lines) == 1 and _width(lines[0][2]) <= WIDE and "cos" not in short:
        return short
    return _aligned(lines)


def _comparison(claim: Claim, name: str) -> str:
    """Bounds by T_A, and T_A."""
    said = claim.statement
    low, high = (
        render.latex(expression(text.split("=")[1].replace("v1", "T_A"))) for text in said["claims"]
    )
    time = expression(said["of"][1]["value"])
    return (
        rf"\begin{{aligned}} &{low} \;\le\; {name} \;\le\; {high} \\[0.6ex] "
        rf"&\text{{with}}\quad T_A = {render.latex(time)} \end{{aligned}}"
    )


def _entries(claim: Claim, name: str) -> str:
    """A law or a matrix, equal values together; what stays in a cluster is left out."""
    said = claim.statement
    if said["kind"] == "composed-law":
        parts = ((r"\pi_W", "walk", "outer"), (r"\pi_L", "chain", "law"))
        lines = [r"\pi(k, x) &= \pi_W(k)\, \pi_L(x)"]
        for symbol, chain, law in parts:
            rows = chain_from_json(claim.domain, last(said[chain])).rows
            values = [expression(x) for x in last(said[law])]
            pairs = [
                (_interval(where(r)), tidy(x, claim.domain))
                for r, x in zip(rows, values, strict=True)
            ]
            lines += _grouped(symbol, "on", pairs)
        return _stacked(lines)
    entries: dict[tuple[str, ...], sympy.Expr] = {}
    for entry in claim.entries:
        base = [re.sub(r"\[j\]$|\[(.*)\]$", r"[\1]", p) for p in entry.place]
        here = [p.split("[")[0] for p in base]
        inside = len(here) == 2 and here[0] == here[1]
        stays = inside and ("[" not in base[1] or base[1].endswith("[]"))
        if not stays or claim.quantity == "stochastic-complement":
            entries[entry.place] = entries.get(entry.place, sympy.Integer(0)) + entry.value
    pairs = [(_move(place), tidy(value, claim.domain)) for place, value in entries.items()]
    return _stacked(_grouped(name, "on" if claim.quantity == "stationary" else "for", pairs))


def _grouped(name: str, word: str, pairs: Iterable[tuple[str, sympy.Expr]]) -> list[str]:
    """Equations, one for each value, with the places that have it."""
    groups: dict[sympy.Expr, list[str]] = {}
    for place, value in pairs:
        groups.setdefault(value, []).append(place)
    lines = []
    for value, places in groups.items():
        rows: list[list[str]] = []
        for place in places:
            if not rows or sum(map(_letters, [*rows[-1], place])) > WIDE // 2:
                rows.append([])
            rows[-1].append(place)
        span = r" \\ ".join(r",\; ".join(row) for row in rows)
        block = rf"\begin{{array}}{{l}} {span} \end{{array}}"
        lines.append(rf"{name} &= {render.latex(value)} && \text{{{word}}}\;{block}")
    return lines


def _stacked(lines: Iterable[str]) -> str:
    return r"\begin{aligned}" + r" \\[1ex] ".join(lines) + r"\end{aligned}"


def _move(place: Sequence[str]) -> str:
    """A place, or two with an arrow; what the second says of the index j of the first is clear."""
    row = re.fullmatch(r"(\w+)\[(.+?)\.\.(.+)\]", place[0])
    to = re.fullmatch(r"(\w+)\[(.*\bj\b.*)\]", place[-1])
    if len(place) == 1 or row is None or to is None:
        return r"\to ".join(map(_interval, place))
    name, first, end = row.groups()
    if expression(first) == expression(end):
        at = expression(to[2]).subs(sympy.Symbol("j"), expression(first))
        return rf"{_interval(f'{name}[{first}]')}\to {_interval(f'{to[1]}[{at}]')}"
    low, high = (render.latex(expression(x)) for x in (first, end))
    return rf"{_interval(f'{name}[j]')}\to {_interval(place[1])},\; {low} \le j \le {high}"


def _interval(place: str) -> str:
    """``forward[1..K - 2]`` as LaTeX; one index once."""
    match = re.fullmatch(r"(\w+)\[(.+?)(?:\.\.(.+))?\]", place)
    if match is None:
        return _name(place)
    first, last = (None if x is None else render.latex(expression(x)) for x in match.group(2, 3))
    index = first if last in (None, first) else rf"{first} .. {last}"
    return rf"{_name(match[1])}[{index}]"


def _aligned(lines: Sequence[tuple[str, str, sympy.Expr]]) -> str:
    """Equations under one another; what is too wide is named and written out below."""
    named: dict[sympy.Symbol, sympy.Expr] = {}
    cosine, c = sympy.cos(2 * sympy.pi / sympy.Symbol("K")), sympy.Symbol("c")
    out = []
    for name, relation, value in lines:
        if value.has(cosine):
            value = value.subs(cosine, c)
            named.setdefault(c, cosine)
        root = _root(value)
        if root is not None:
            a, b = sympy.symbols("a b")
            named |= {a: root[0], b: root[1]}
            value = (a - sympy.sqrt(a**2 - 4 * b)) / 2
            out.append(rf"{name} &{relation} \frac{{a - \sqrt{{a^2 - 4b}}}}{{2}}")
            continue
        if _width(value) > WIDE:
            value = _shortened(value, named)
        out.append(rf"{name} &{relation} {render.latex(value)}")
    for n, (symbol, value) in enumerate(named.items()):
        word = "" if n else r"\text{with}\quad "
        out += _broken(word + render.latex(symbol), value)
    if len(out) == 1:
        return out[0].replace("&", "")
    return r"\begin{aligned}" + r" \\[0.6ex] ".join(out) + r"\end{aligned}"


def _factored(name: str, value: sympy.Expr) -> list[str]:
    """An equation, its numerator over several lines if it is wide."""
    if _width(value) <= WIDE:
        return [rf"{name} &= {render.latex(value)}"]
    top, bottom = sympy.fraction(value)
    lines = _broken(name, sympy.expand(top, deep=False))
    fraction = "" if bottom == 1 else rf"\frac{{1}}{{{render.latex(bottom)}}}"
    lines[0] = lines[0].replace("&= ", rf"&= {fraction} \bigl( ", 1)
    lines[-1] += r"\bigr)"
    return lines


def _root(value: sympy.Expr) -> tuple[sympy.Expr, sympy.Expr] | None:
    """a and b of value = (a - sqrt(a^2 - 4 b))/2."""
    roots = [t for t in sympy.Add.make_args(value) if t.atoms(sympy.Pow) and _irrational(t)]
    if len(roots) != 1:
        return None
    rest = value - roots[0]
    square = sympy.cancel(roots[0] ** 2)
    return sympy.factor(2 * rest), sympy.factor(sympy.cancel(rest**2 - square))


def _irrational(term: sympy.Expr) -> bool:
    return any(not p.exp.is_Integer for p in term.atoms(sympy.Pow))


def _shortened(value: sympy.Expr, named: dict[sympy.Symbol, sympy.Expr]) -> sympy.Expr:
    """The value with each of its wide factors replaced by a name."""
    out = sympy.Integer(1)
    for factor in sympy.Mul.make_args(value):
        base, exponent = factor.as_base_exp()
        if base.is_Add and _width(base) > WIDE // 2:
            known = next((s for s, x in named.items() if x == base), None)
            if known is None:
                letters = (sympy.Symbol(f"Q_{n}") for n in itertools.count(1))
                known = next(s for s in letters if s not in named)
                named[known] = base
            base = known
        out *= base**exponent
    return out


def _broken(left: str, value: sympy.Expr) -> list[str]:
    """An equation over as many lines as its terms need."""
    lines, width = [rf"{left} &= "], 0
    for n, term in enumerate(value.as_ordered_terms() if value.is_Add else [value]):
        text = render.latex(term)
        sign = "" if text.startswith("-") or n == 0 else "+ "
        if width and width + _width(term) > WIDE:
            lines.append(r"&\quad ")
            width = 0
        lines[-1] += sign + text + " "
        width += _width(term) + 2
    return lines


def _width(value: sympy.Expr) -> int:
    """About how many glyphs a formula is wide, fractions by their wider side."""
    top, bottom = sympy.fraction(value)
    return max(_glyphs(top), 0 if bottom == 1 else _glyphs(bottom))


def _glyphs(value: sympy.Expr) -> int:
    text = re.sub(r"\\(left|right|frac|,|;)|[{}^ ]", "", render.latex(value))
    text = re.sub(r"\\[a-z]+", "x", text)
    return len(text) + text.count("+") + text.count("-")


def _letters(formula: str) -> int:
    return len(re.sub(r"\\[a-z]*|[{} ]", "", formula))


def _range(domain: Domain, end: str = "") -> str:
    """The facts of a domain as inline formulas, the two ends of a parameter together."""
    facts = render.domain_latex(domain).split(r",\quad ")
    joined: list[str] = []
    for fact in facts:
        name, relation, bound = _split(fact)
        pair = next((n for n, x in enumerate(joined) if _split(x)[0] == name), None)
        before = _split(joined[pair]) if pair is not None else ("", "", "")
        if pair is not None and before[1] in (">", r"\ge") and relation in ("<", r"\le"):
            flipped = {">": "<", r"\ge": r"\le"}[before[1]]
            joined[pair] = f"{before[2]} {flipped} {name} {relation} {bound}"
        else:
            joined.append(fact)
    # a comma inside the formula never begins a line
    ends = [","] * (len(joined) - 1) + [end]
    return " ".join(f"${fact}{mark}$" for fact, mark in zip(joined, ends, strict=True))


def _split(fact: str) -> tuple[str, str, str]:
    found = re.split(r" (\\ge|\\le|<|>) ", fact)
    return (found[0], found[1], found[2]) if len(found) == 3 else (fact, "", "")


def _row_name(row: Row) -> str:
    if row.index is None:
        return f"`{row.orbit}`"
    first, last = (render.latex(x) for x in row.index)
    span = f"j = {first}" if first == last else rf"{first} \le j \le {last}"
    return f"`{row.orbit}[j]`, ${span}$"


def _gates(text: str) -> str:
    """The rule for the sparse edges, its formulas set."""
    text = re.sub(r"epsilon(/\([^)]*\))?", lambda m: f"${m[0].replace('epsilon', EPSILON)}$", text)
    text = re.sub(r"\b(l != k|k[+-]1|[kK])\b(?![^$]*\$[^$]*$)", r"$\1$", text)
    return text.replace("->", "→").replace("l != k", r"l \ne k")


def _place(orbit: str, at: sympy.Expr | None) -> str:
    return checker.place(orbit, None if at is None else str(at))


def _name(orbit: str) -> str:
    """The name of an orbit inside a formula, in the face of code."""
    return rf"\mathtt{{{orbit.replace('_', chr(92) + '_')}}}"


# ---------------------------------------------------------------- figures
def hitting_time_figure(page: Page, at: Mapping[str, int]) -> Figure:
    """See `Page.figure`."""
    import matplotlib.pyplot as plt

    family, claim = page.family, page.claim()
    fixed = _integers(family.domain, at)

    def where(epsilon: Fraction) -> dict[str, Fraction]:
        return {**fixed, "epsilon": epsilon}

    def curve(value: sympy.Expr, epsilons: FloatArray) -> FloatArray:
        names = {sympy.Symbol(n): int(x) for n, x in fixed.items()}
        function = sympy.lambdify(sympy.Symbol("epsilon"), value.subs(names))
        return np.asarray(function(epsilons), dtype=np.float64)

    figure, axes = plt.subplots()
    x = np.geomspace(1e-4, 0.95, 200)
    axes.loglog(x, curve(claim.expression, x), label="formula")
    if "" in family.comparison:
        bounds = page.claim("hitting-time-bounds")
        inside = [e for e in x if bounds.domain.violated(where(Fraction(e))) is None]
        if inside and bounds.lower is not None and bounds.upper is not None:
            z = np.array(inside)
            low, high = curve(bounds.lower, z), curve(bounds.upper, z)
            axes.fill_between(z, low, high, alpha=0.15, linewidth=0, label="bounds by $T_A$")
    solves = [Fraction(1, 10**n) for n in (4, 3, 2, 1)] + [Fraction(9, 10)]
    times = [solve_at(family, where(e)) for e in solves]
    axes.loglog([float(e) for e in solves], times, "o", fillstyle="none", label="solved")
    rng = np.random.default_rng(0)
    for n, e in enumerate((Fraction(1, 30), Fraction(1, 5), Fraction(3, 5))):
        chain = family.explicit(where(e))
        ends = (chain.states.index(s(where(e))) for s in _ends(family))
        start, target = ends
        sample = simulate.hitting_times(concrete(chain), start, [target], REPLICAS, rng)
        axes.errorbar(
            float(e), sample.mean, 2 * sample.standard_error, fmt="x", color="C1",
            label=None if n else "simulated",
        )  # fmt: skip
    axes.set(xlabel=r"$\epsilon$", ylabel=r"mean hitting time $\mathbf{E}[\tau]$")
    axes.set_title(", ".join(f"${n} = {x}$" for n, x in fixed.items()))
    axes.legend()
    return figure


def solve_at(family: Family, point: Point) -> float:
    """The mean hitting time of the explicit chain at a point, by state reduction."""
    chain = family.explicit(point)
    start, target = (chain.states.index(end(point)) for end in _ends(family))
    return float(elimination.mean_hitting_times(concrete(chain), [target]).values[start])


def _ends(family: Family) -> tuple[Callable[[Point], tuple[int, int]], ...]:
    return (lambda point: family.start("", point), lambda point: family.target("", point))


def _integers(domain: Domain, at: Mapping[str, int]) -> dict[str, Fraction]:
    """A value for each integer parameter: the one given, its default, or a small one inside."""
    usual = {"K": 6, "M": 8}
    out: dict[str, Fraction] = {}
    for p in domain.parameters:
        if not p.integer:
            continue
        if p.name in at:
            out[p.name] = Fraction(at[p.name])
        elif p.default is not None:
            out[p.name] = evaluate(expression(p.default), out)
        else:
            out[p.name] = Fraction(usual.get(p.name, 8))
    return out


def meta_graphs(families: Sequence[Family], **at: int) -> Figure:
    """The clusters of several families and the sparse edges between them."""
    import matplotlib.pyplot as plt

    columns = 2 if len(families) > 1 else 1
    count = math.ceil(len(families) / columns)
    figure, grid = plt.subplots(
        count, columns, figsize=(2.6 * columns, 2.5 * count), squeeze=False, layout="constrained"
    )
    for axes in grid.flat:
        axes.set_axis_off()
    for family, axes in zip(families, grid.flat, strict=False):
        point = {**_integers(family.domain, {"K": 5, "M": 5, **at}), "epsilon": Fraction(1, 10)}
        draw_clusters(axes, family.explicit(point))
        axes.set_title(family.title, y=0, pad=-10, fontsize=9)
    return figure


def draw_clusters(axes: Axes, chain: ExplicitChain) -> None:
    """Draw an explicit chain: states as dots, dense moves in grey, sparse edges as arrows."""
    clusters = chain.clusters
    size = {k: clusters.count(k) for k in dict.fromkeys(clusters)}
    edges = {(a, b) for a, b in chain.transitions if clusters[a] != clusters[b]}
    near = {k: {clusters[b] for a, b in edges if clusters[a] == k} for k in size}
    place = _layout(near)
    radius = 0.2 * min(
        [math.dist(place[k], place[l]) for k in size for l in size if k != l], default=1.0
    )
    facing = {k: _direction(place[k], [place[l] for l in near[k]]) for k in size}
    spot: list[tuple[float, float]] = []
    for n, k in enumerate(clusters):
        turn = 2 * math.pi * chain.states[n][1] / size[k] + facing[k]
        x, y = place[k]
        spot.append((x + radius * math.cos(turn), y + radius * math.sin(turn)))
    for a, b in chain.transitions:
        if a < b and clusters[a] == clusters[b]:
            ends = zip(spot[a], spot[b], strict=True)
            axes.plot(*ends, color="0.6", linewidth=0.6, zorder=1)
    for a, b in edges:
        arrow = {
            "arrowstyle": "-|>", "mutation_scale": 6, "linewidth": 0.8, "color": "C1",
            "shrinkA": 2, "shrinkB": 2, "connectionstyle": "arc3,rad=0.12",
        }  # fmt: skip
        axes.annotate("", spot[b], spot[a], arrowprops=arrow, zorder=2)
    axes.plot(*zip(*spot, strict=True), "o", color="C0", markersize=3, zorder=3)
    axes.set_aspect("equal")
    axes.margins(0.08)


def _layout(near: Mapping[int, set[int]]) -> dict[int, tuple[float, float]]:
    """Positions of clusters: a hub in the middle of its leaves, a path as a wave, else a circle."""
    order = list(near)
    hubs = [k for k in order if len(near[k]) == len(order) - 1]
    if len(order) > 2 and len(hubs) == 1 and sum(map(len, near.values())) == 2 * len(order) - 2:
        return {hubs[0]: (0.0, 0.0), **_circle([k for k in order if k != hubs[0]])}
    if len(order) > 2 and sum(map(len, near.values())) == 2 * len(order) - 2:
        return {k: (0.5 * n, 0.35 * (-1) ** n) for n, k in enumerate(order)}
    return _circle(order)


def _direction(here: tuple[float, float], others: Sequence[tuple[float, float]]) -> float:
    """The angle towards the middle of some points; upwards if that is where one stands."""
    x = sum(a for a, _ in others) / len(others) - here[0] if others else 0.0
    y = sum(b for _, b in others) / len(others) - here[1] if others else 0.0
    return math.atan2(y, x) if math.hypot(x, y) > 1e-9 else math.pi / 2


def _circle(order: Sequence[int]) -> dict[int, tuple[float, float]]:
    turns = {k: 2 * math.pi * n / len(order) + math.pi / 2 for n, k in enumerate(order)}
    return {k: (math.cos(turn), math.sin(turn)) for k, turn in turns.items()}


# ---------------------------------------------------------------- the command line
def shell(command: str, lines: int | None = None) -> None:
    """Run the ``metastable`` command as a reader would, and print what it prints.

    Parameters
    ----------
    command : as typed, beginning with ``metastable``.
    lines : how many lines of the output to show; all by default.
    """
    arguments = command.split()[1:]
    run = subprocess.run(
        [sys.executable, "-c", "from numerics.cli import main; main()", *arguments],
        capture_output=True,
        text=True,
        env={k: x for k, x in os.environ.items() if "COLOR" not in k}  # Jupyter forces colours
        | {"COLUMNS": str(COLUMNS), "TERM": "dumb"},
    )
    shown = (run.stdout or run.stderr).rstrip("\n").split("\n")
    print(f"$ {command}")
    for line in shown[:lines]:
        print(wrapped(line))
    if lines is not None and len(shown) > lines:
        print(f"... ({len(shown) - lines} more lines)")
    if run.returncode:
        print(f"(exit code {run.returncode})")


def wrapped(text: str, width: int = COLUMNS) -> str:
    """Text with its long lines broken, the continuations indented."""
    return "\n".join(
        textwrap.fill(line, width, subsequent_indent="      ", break_on_hyphens=False)
        if len(line) > width
        else line
        for line in text.split("\n")
    )
