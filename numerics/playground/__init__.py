"""Playgrounds for the book: sliders that move formulas, computed in the page without a server.

Every number that a page shows comes from the expressions of `theory`, which `javascript` turns into
functions; ``play.js`` draws them and knows no formula. The plan of a search is a search for least
whole numbers (`theory.results.search.plan`): its loop is in ``play.js`` as well, around the same
expressions.
"""

from __future__ import annotations

import html
import itertools
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from importlib import resources
from typing import Any

import sympy

from numerics import pages
from numerics.algorithms import budget as runs
from numerics.algorithms import ppo
from numerics.playground.javascript import bounds as ends_of
from numerics.playground.javascript import condition, function
from theory import catalogue, render
from theory.bounds import all_bounds
from theory.bounds.base import FiniteChain, gap_at_least
from theory.claims import Claim, Derivation
from theory.composed import Composed
from theory.domain import Domain, Parameter, Point
from theory.family import Family, K, M, epsilon
from theory.results import budget as costs
from theory.results import policy_gradient, search
from theory.results.search import cliques_of
from theory.tightness import Tightness, expressions, walk_gap, walk_gap_at

MOST = {"K": 24, "K_1": 12, "K_2": 12, "M": 64, "M_1": 64, "M_2": 64}
"""Where the slider of an integer ends, unless a fact ends it before."""
START = {"K": 8, "K_1": 5, "K_2": 3, "M": 8, "M_1": 4, "M_2": 12}
"""Where it begins."""
DECADES = (-9, -0.02)
"""The slider of epsilon moves its decimal logarithm, in steps of `STEP`; two digits are kept."""
STEP = 0.02

HITTING = (
    "complete",
    "ring",
    "path",
    "star",
    "unequal",
    "clique/hypercube-3/gate",
    "clique/torus-3/gate",
    "clique/petersen/gate",
    "lazy-cycle/ring/gate",
    "clique/ring/in-out",
)
BUDGET = ("complete", "ring", "path", "star")
GAP = tuple(
    f"clique/{meta}/gate" for meta in ("complete", "ring", "star", "hypercube-3", "torus-3")
)


class Code(str):
    """JavaScript, in data that is otherwise JSON."""

    __slots__ = ()


def literal(value: Any) -> str:
    """Data with `Code` in it as JavaScript that may stand in a page."""
    if isinstance(value, Code):
        return str(value)
    if isinstance(value, Mapping):
        pairs = (f"{json.dumps(str(k))}: {literal(x)}" for k, x in value.items())
        return f"{{{', '.join(pairs)}}}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(literal, value))}]"
    return json.dumps(value).replace("<", "\\u003c")


def library() -> str:
    """The program of all playgrounds, ``play.js``: it defines ``play``."""
    return resources.files(__name__).joinpath("play.js").read_text(encoding="utf-8")


def _begun(text: str) -> str:
    """With a capital letter."""
    return text[:1].upper() + text[1:]


@dataclass(frozen=True)
class Playground:
    """One playground: shown as HTML that needs nothing else.

    Attributes
    ----------
    name : ``hitting-time``, ``budget`` or ``gap``.
    title : what it is, in words.
    formulas : family -> formula, in LaTeX.
    data : what ``play.js`` gets: functions and where sliders begin and end, by family.
    """

    name: str
    title: str
    formulas: Mapping[str, str]
    data: Mapping[str, Any]

    def _repr_html_(self) -> str:
        folder = resources.files(__name__)
        style = folder.joinpath("play.css").read_text(encoding="utf-8")
        mark = f"play-{self.name}"
        chosen = "".join(
            f'<option value="{html.escape(name)}">{html.escape(_begun(family["title"]))}</option>'
            for name, family in self.data["families"].items()
        )
        told = "".join(
            f'<div class="play-formula" data-family="{html.escape(name)}">'
            f'<div class="math notranslate nohighlight">\\[{html.escape(text)}\\]</div></div>'
            for name, text in self.formulas.items()
        )
        return (
            f"<style>{style}</style>"
            f'<div class="play" id="{mark}" role="group" aria-label="{html.escape(self.title)}">'
            "<noscript>This playground needs JavaScript.</noscript>"
            f'<div class="play-head"><div class="play-controls"><div class="play-field">'
            f'<label for="{mark}-family">family</label>'
            f'<select id="{mark}-family">{chosen}</select></div></div>'
            '<div class="play-side"></div></div>'
            f'<div class="play-formulas">{told}</div>'
            '<div class="play-value" role="status" aria-live="polite"></div>'
            '<div class="play-figures"></div></div>'
            f"<script>(() => {{\n{library()}\n"
            f'play.mount(document.getElementById("{mark}"), {literal(self.data)});\n'
            "})();</script>"
        )


# ---------------------------------------------------------------- what all have
def _sliders(family: Family, without: Sequence[str] = (), decade: int = -3) -> list[dict[str, Any]]:
    """The parameters of a family, in an order in which facts speak of earlier ones only.

    Parameters
    ----------
    without : parameters that nothing depends on.
    decade : where the slider of epsilon begins.
    """
    domain, found = family.domain, []
    for p in domain.parameters:
        if p.name in without:
            continue
        one = {"name": p.name, "label": _label(p.name), "meaning": p.meaning, "integer": p.integer}
        if p.integer:
            low, high = ends_of(domain, p.name)
            names = ", ".join(q.name for q in domain.parameters)
            one["low"] = Code(f"({{{names}}}) => Math.max({', '.join(low)})")
            one["high"] = Code(f"({{{names}}}) => Math.min({', '.join((*high, str(_most(p))))})")
            one["start"] = START.get(p.name, 4)
        else:
            one |= {"low": DECADES[0], "high": DECADES[1], "step": STEP, "start": decade}
        found.append(one)
    order = {"epsilon": 1, "d": 0}  # what moves most comes last
    return sorted(found, key=lambda one: order.get(str(one["name"]), -1))


def _most(parameter: Parameter) -> int:
    return MOST.get(parameter.name, 10**6)


def _label(name: str) -> str:
    """``ε_max`` as it is set: a letter, and what is below it."""
    letter, _, index = name.partition("_")
    letter = {"epsilon": "ε"}.get(letter, letter)
    return f"<i>{letter}</i>" + (f"<sub>{index}</sub>" if index else "")


def fact(text: str) -> str:
    """A fact such as ``M*epsilon <= 1`` for people."""
    for old, new in (("*", "\u202f"), ("epsilon", "ε"), (">=", "≥"), ("<=", "≤")):
        text = text.replace(old, new)
    return text


def _where(claim: Claim, family: Family) -> dict[str, Any]:
    """The facts of a claim beyond those of the family, as a test and in words."""
    facts = [f for f in claim.domain.all_facts if f not in family.domain.all_facts]
    return _facts(facts, family)


def _facts(facts: Sequence[str], family: Family) -> dict[str, Any]:
    names = ", ".join(p.name for p in family.domain.parameters)
    test = " && ".join(map(condition, facts)) or "true"
    return {"holds": Code(f"({{{names}}}) => {test}"), "facts": ", ".join(map(fact, facts))}


def _code(value: sympy.Expr, domain: Domain) -> Code:
    return Code(function(value, domain))


def _known(claim: Claim) -> sympy.Expr:
    assert claim.expression is not None, f"{claim.id} is known by bounds only"
    return claim.expression


# ---------------------------------------------------------------- hitting times
def hitting_time(names: Sequence[str] = HITTING) -> Playground:
    """Mean hitting time of a family, its bounds by T_A, and its clusters.

    Parameters
    ----------
    names : of families, see `theory.catalogue.load`.

    Raises
    ------
    NoClaim
        The time of a family is not derived, or not compared with T_A.
    """
    families, formulas, pool = {}, {}, _Pool()
    for name in names:
        family = catalogue.load(name)
        derivation = catalogue.derivation(family)
        time = derivation.claim("hitting-time")
        meta = derivation.claim("aggregated-hitting-time")
        between = derivation.claim("hitting-time-bounds")
        assert between.lower is not None
        assert between.upper is not None
        formulas[name] = pages.statement(time)
        families[name] = {
            "title": family.title,
            "parameters": _sliders(family),
            "says": f"{_begun(render.ends_text(time, family))}.",
            "command": f"metastable derive {name} --at ",
            "time": _code(_known(time), family.domain),
            "aggregated": _code(_known(meta), family.domain),
            "lower": _code(between.lower, family.domain),
            "upper": _code(between.upper, family.domain),
            "bounds": _where(between, family),
            "graph": _graph(family, pool),
        }
    data = {"kind": "hittingTime", "families": families, "graphs": pool.kept}
    return Playground("hitting-time", "Mean hitting time of a family", formulas, data)


class _Pool:
    """Lists of edges, each kept once."""

    def __init__(self) -> None:
        self.kept: list[list[int]] = []
        self._place: dict[tuple[int, ...], int] = {}

    def __call__(self, edges: tuple[int, ...]) -> int:
        if edges not in self._place:
            self._place[edges] = len(self.kept)
            self.kept.append(list(edges))
        return self._place[edges]


def _graph(family: Family, pool: _Pool, ends: bool = True) -> dict[str, Any]:
    """The sparse edges of the explicit chain at all numbers of clusters, and who starts where.

    Parameters
    ----------
    ends : whether start and target matter.

    Returns
    -------
    ``keys``, the parameters that matter; ``shapes``, their values joined by commas -> number of
    clusters, number of a list of edges, and `_ends`; ``counts``, the keys that say how many
    clusters there are; ``sizes``, the parameters that say how many states these have, the first
    clusters by the first one.
    """
    names = [p.name for p in family.domain.parameters]
    counts = [name for name in names if name in ("K", "K_1", "K_2")]
    keys = [*counts, *(name for name in names if name == "d" and ends)]
    shapes, drawn = {}, dict[tuple[Fraction, ...], list[int]]()
    for values, point in _places(family, keys):
        sort = tuple(point[k] for k in counts)
        if sort not in drawn:
            explicit = family.explicit(point)
            where = explicit.clusters
            edges = [(a, b) for a, b in explicit.transitions if where[a] != where[b]]
            states = sorted((*explicit.states[a], *explicit.states[b]) for a, b in edges)
            drawn[sort] = [len(set(where)), pool(tuple(itertools.chain.from_iterable(states)))]
        shapes[",".join(map(str, values))] = [*drawn[sort], *(_ends(family, point) if ends else ())]
    sizes = [name for name in names if name in ("M", "M_1", "M_2")]
    return {"keys": keys, "shapes": shapes, "counts": counts, "sizes": sizes}


def _ends(family: Family, point: Point) -> list[int | None]:
    """Cluster and state of the start, then of the target; None for a state that M or h changes."""
    larger = {name: x + {"M": 2, "h": 1}.get(name, 0) for name, x in point.items()}
    found: list[int | None] = []
    for end in (family.start, family.target):
        (cluster, state), other = end("", point), end("", larger)
        found += [cluster, state if other == (cluster, state) else None]
    return found


def _places(family: Family, keys: Sequence[str]) -> Iterator[tuple[tuple[int, ...], Point]]:
    """All values of some integers up to the ends of their sliders, each with a point."""
    inside, domain = family.domain.inside, family.domain
    for values in itertools.product(*(range(1, MOST.get(k, MOST["K"]) + 1) for k in keys)):
        chosen = {k: Fraction(x) for k, x in zip(keys, values, strict=True)}
        point = {p.name: {**inside, **chosen}[p.name] for p in domain.parameters}
        if domain.violated(point) is None:
            yield values, point


# ---------------------------------------------------------------- one compute budget
_SEARCH = Domain(
    (
        Parameter("M", ("M >= 2",), ""),
        Parameter("n", ("n >= 1", "n <= M"), ""),
        *(Parameter(x, (f"{x} >= 1",), "") for x in ("c", "N", "T_0", "L", "R")),
        *(
            Parameter(x, (f"{x} > 0", f"{x} < 1"), "", integer=False)
            for x in ("epsilon", "u", "g", "s")
        ),
    )
)
_ROW = Domain(
    (
        *(Parameter(x, (f"{x} > 0", f"{x} < 1"), "", integer=False) for x in ("f", "most")),
        Parameter("u", ("u >= 1",), "", integer=False),
    )
)


def _planning() -> dict[str, Any]:
    """What a plan of a search and a lifted row are computed from."""
    expressions_of = {
        "unseen": search.UNSEEN,
        "early": search.EARLY,
        "foundByOne": search.FOUND_LEAST[True],
        "foundByMany": search.FOUND_LEAST[False],
        "stayLeast": search.STAY_LEAST,
        "stayMost": search.STAY_MOST,
        "missed": search.MISSED,
    }
    most, u = sympy.symbols("most u")
    (factor,) = sympy.solve(policy_gradient.LIFTED - most, u)
    return {
        **{name: _code(value, _SEARCH) for name, value in expressions_of.items()},
        "lifted": _code(policy_gradient.LIFTED, _ROW),
        "oddsFactor": _code(factor, _ROW),
        "step": float(ppo.Config().step),
        "mostRollouts": search.MOST_ROLLOUTS,
        "delta": float(runs.Config().delta),
    }


def _kinds(family: Family) -> Code:
    """The clusters of a family, those that are alike together, as linear functions of K and M."""
    places = [(k, m) for k in (4, 5, 6, 9) for m in (4, 5, 8)]
    rows = [_kinds_at(family, *place) for place in places]
    told = []
    for same in zip(*rows, strict=True):
        parts = []
        for n, name in enumerate(("count", "size", "gates", "fan")):
            by = {place: kind[n] for place, kind in zip(places, same, strict=True)}
            of_k, of_m = by[5, 4] - by[4, 4], by[4, 5] - by[4, 4]
            value = by[4, 4] + of_k * (K - 4) + of_m * (M - 4)
            if any(value.subs({K: k, M: m}) != x for (k, m), x in by.items()):
                raise ValueError(f"{family.id}: the {name} of its clusters is not linear in K, M")
            parts.append(f"{name}: {sympy.expand(value)}")
        told.append(f"{{{', '.join(parts)}}}")
    return Code(f"({{K, M}}) => [{', '.join(told)}].filter((kind) => kind.count > 0)")


def _kinds_at(family: Family, k: int, m: int) -> list[tuple[int, int, int, int]]:
    rate = Fraction(1, 100)
    given = {"K": Fraction(k), "M": Fraction(m), "epsilon": rate}
    found = cliques_of(family, family.domain.complete(given))
    if any(kind.epsilon != rate for kind in found):
        raise ValueError(f"{family.id}: the sparse edges of a gate do not add up to epsilon")
    return [(kind.count, kind.size, kind.gates, kind.fan) for kind in found]


def budget(names: Sequence[str] = BUDGET) -> Playground:
    """Four ways to answer queries, and the steps that they take.

    Parameters
    ----------
    names : of families of uniform cliques.

    Raises
    ------
    NoClaim
        The time of a family is not derived.
    ValueError
        The clusters of a family are of kinds that change with its size.
    """
    families, formulas, pool = {}, {}, _Pool()
    for name in names:
        family = catalogue.load(name)
        derivation = catalogue.derivation(family)
        claim = derivation.claim("hitting-time")
        formulas[name] = pages.statement(claim)
        families[name] = {
            "title": family.title,
            "parameters": _sliders(family, decade=-6),
            "time": _code(_known(claim), family.domain),
            "kinds": _kinds(family),
            "graph": _graph(family, pool),
            **_distillation(derivation),
        }
    settings = runs.Config()
    zeta = (runs.normal_quantile(settings.delta) / float(settings.accuracy)) ** 2
    data = {
        "kind": "budget",
        "families": families,
        "graphs": pool.kept,
        "search": _planning(),
        "zeta": zeta,
    }
    return Playground("budget", "Four ways under one compute budget", formulas, data)


def _distillation(derivation: Derivation) -> dict[str, Any]:
    """Label steps and steps of an answer, from the break-even; nothing if it has no closed form."""
    if derivation.family.id not in costs.SPREADS:
        return {}
    pays, found = costs.distillation_pays(derivation), costs.search_pays(derivation)
    steps = pays.limit * found.hyperbola.falling / epsilon
    time = _known(derivation.claim("hitting-time"))
    domain = derivation.family.domain
    zeta = Parameter("zeta", ("zeta > 0",), "", integer=False)
    return {
        "labelSteps": _code(steps, Domain((*domain.parameters, zeta))),
        "distilled": _code(sympy.factor(sympy.cancel(time - steps / pays.value)), domain),
    }


# ---------------------------------------------------------------- gaps
def gap(names: Sequence[str] = GAP) -> Playground:
    """The spectral gap, what is proved of it, and what general theorems say.

    Parameters
    ----------
    names : of compositions of reversible chains.

    Raises
    ------
    NoClaim
        A family is no composition, or its gap is not bounded.
    """
    families, formulas, pool = {}, {}, _Pool()
    for name in names:
        family = catalogue.load(name)
        assert isinstance(family, Composed)
        derivation = catalogue.derivation(family)
        claim = derivation.claim("spectral-gap")
        assert claim.lower is not None
        assert claim.upper is not None
        rows = [
            row
            for row in expressions(family)
            if isinstance(row, Tightness) and all_bounds()[row.bound].quantity == "spectral-gap"
        ]
        walk = walk_gap(family)
        domain = family.domain.without(("d",))
        wide = Domain(
            (*domain.parameters, Parameter("g", ("g > 0",), "", integer=False)), domain.facts
        )
        formulas[name] = pages.statement(claim)
        families[name] = {
            "title": family.title,
            "parameters": _sliders(family, without=("d",)),
            "walk": _code(walk.lower, domain) if walk.exact else _walk_gaps(family),
            "gap": _code(_one(row.truth.lower for row in rows), wide),
            "ratio": _code(_known(derivation.claim("metastability-ratio")), domain),
            "lower": _code(claim.lower, domain),
            "upper": _code(claim.upper, domain),
            "proved": _where(claim, family),
            "graph": _graph(family, pool, ends=False),
            "bounds": [
                {
                    "id": f"{row.bound}-{row.side}",
                    "title": all_bounds()[row.bound].title,
                    "side": row.side,
                    "ends": [
                        _code(x, wide) for x in dict.fromkeys((row.value.lower, row.value.upper))
                    ],
                    **_facts(
                        [f for f in row.domain.all_facts if f not in family.domain.all_facts],
                        family,
                    ),
                }
                for row in rows
            ],
        }
    data = {"kind": "gap", "families": families, "graphs": pool.kept}
    return Playground("gap", "Spectral gap and its bounds", formulas, data)


def _one(values: Iterable[sympy.Expr]) -> sympy.Expr:
    """The value that all are equal to."""
    (value,) = set(values)
    return value


def _walk_gaps(family: Composed) -> Code:
    """The gap of the walk where there is no closed form of it: a table, each value within 1e-15."""
    keys = [p.name for p in family.domain.parameters if p.name == "K"]
    table = {}
    for values, point in _places(family, keys):
        walk = FiniteChain.of_explicit(family.meta.explicit(point))
        low, high = walk_gap_at(family, point)
        while high - low > low / 10**15:
            middle = (low + high) / 2
            low, high = (middle, high) if gap_at_least(walk, middle) else (low, middle)
        table[",".join(map(str, values))] = float((low + high) / 2)
    return Code(f"({{{', '.join(keys)}}}) => ({json.dumps(table)})[{'K' if keys else repr('')}]")
