"""The lone checker: its arithmetic, its sign rule, the kinds of statement, what it refuses."""

import json
import subprocess
import sys
import time
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st

from theory import checker
from theory.catalogue import derivation, load
from theory.expansion import expand

COMPOSED = [
    *("hitting-time", "second-moment", "exit-law", "stationary", "aggregated-hitting-time"),
    *("spectral-gap", "exact-gap", "stochastic-complement", "pseudo-spectral-gap"),
    *("metastability-ratio", "capacity", "conductance", "kemeny"),
]
QUANTITIES = [  # every kind of statement
    ("ring", "hitting-time"),
    ("ring", "stationary"),
    ("star", "aggregated-matrix"),
    ("complete", "aggregated-hitting-time"),
    ("complete", "hitting-time-bounds"),
    ("path", "hitting-time"),
    ("complete", "spectral-gap"),
    ("ring", "spectral-gap"),
    ("star", "spectral-gap"),
    (str(Path(__file__).parents[1] / "data" / "drift.py"), "hitting-time"),
    *(("clique/ring/gate", quantity) for quantity in COMPOSED),
    ("clique/complete-bipartite/gate", "spectral-gap"),
]


# ---------------------------------------------------------------- certificates by hand
def domain(integers="", reals="", facts=(), values=None):
    return {
        "integers": integers.split(),
        "reals": reals.split(),
        "facts": list(facts),
        "values": values or {},
    }


def chart(**images):
    """``K=("u0 + 2", "K >= 2")``: the image of a parameter and the fact its slack comes from."""
    slack, number = {}, 0
    for _, *facts in images.values():
        for fact in facts:
            top, _, bottom = fact.partition(" / ")
            slack[f"u{number}"] = [top, bottom]
            number += 1
    return {"slack": slack, "map": {name: image for name, (image, *_) in images.items()}}


def certificate(kind, on, *premises, charts=(), witness=None, **statement):
    return {
        "format": checker.FORMAT,
        "statement": {"kind": kind, "domain": on, **statement},
        "witness": {**(witness or {}), "charts": list(charts)},
        "premises": list(premises),
    }


def chain(classes, rows):
    """``{"a": "1", "b": ("1", "0", "K")}`` and ``[("a", "b[0]:1"), ("b", "0", "K", "a:1")]``."""
    sizes = {
        name: {"size": size, "index": None}
        if isinstance(size, str)
        else {"size": size[0], "index": list(size[1:])}
        for name, size in classes.items()
    }
    out = []
    for name, *span, moves in rows:
        to = []
        for move in moves.split(";"):
            place, p = move.split(":")
            to_name, _, at = place.strip().partition("[")
            to.append([to_name, at.rstrip("]") or None, p.strip()])
        out.append({"from": name, "index": span or None, "to": to})
    return {"classes": sizes, "rows": out}


def inside(certificate, **changes):
    """The certificate with other parts of its statement."""
    return {**certificate, "statement": {**certificate["statement"], **changes}}


def proving(certificate, **changes):
    """The certificate with other parts of its witness."""
    return {**certificate, "witness": {**certificate["witness"], **changes}}


K2 = domain("K", facts=["K >= 2"])
K_CHART = chart(K=("u0 + 2", "K >= 2"))
P = domain(reals="p", facts=["p > 0", "p <= 1"])
P_CHART = chart(p=("1/(1 + u0)", "p <= 1 / p > 0"))
P_HALF = chart(p=("1 - u0", "p <= 1"))


def two_states(p="p", q="p"):
    return chain({"a": "1", "b": "1"}, [("a", f"a:1 - {p}; b:{p}"), ("b", f"a:{q}; b:1 - {q}")])


def hitting(where=P, rows=None, charts=(P_CHART, P_HALF), **changes):
    statement = {
        "chain": rows or two_states(),
        "target": ["a"],
        "start": ["b", None],
        "value": "1/p",
        **changes,
    }
    values = {"a": "0", "b": statement["value"]}
    return certificate(
        "mean-hitting-time", where, charts=charts, witness={"values": values}, **statement
    )


def law(premise=None, weights=("1/2", "1/2"), **changes):
    premise = premise or hitting()
    told = premise["statement"]
    return certificate(
        "stationary",
        told["domain"],
        premise,
        charts=premise["witness"]["charts"],
        chain=told["chain"],
        law=list(weights),
        **changes,
    )


def gap_lower(where=P, rows=None, value="p", charts=(P_CHART, P_HALF), values=None):
    return certificate(
        "gap-lower",
        where,
        charts=charts,
        witness={"values": values or {"a": "0", "b": "1"}},
        chain=rows or two_states(),
        pivot="a",
        value=value,
    )


def gap_upper(premise=None, value="2*p", values=None, **changes):
    premise = premise or law()
    told = premise["statement"]
    return certificate(
        "gap-upper",
        told["domain"],
        premise,
        charts=premise["witness"]["charts"],
        witness={"values": values or {"a": "0", "b": "1"}},
        chain=told["chain"],
        value=value,
        **changes,
    )


def gap(low=None, high=None, where=P, charts=(P_CHART, P_HALF), **changes):
    low, high = low or gap_lower(), high or gap_upper()
    told = {
        "lower": checker.conclusion(low["statement"])["value"],
        "upper": checker.conclusion(high["statement"])["value"],
        "chains": checker.chains(low["statement"]),
        "ratio": "2",
        **changes,
    }
    return certificate("spectral-gap", where, low, high, charts=charts, **told)


def aggregated(**changes):
    rows = chain(
        {"a": "1", "b": "1", "c": "2"},
        [("a", "a:1 - p; b:p"), ("b", "a:p; b:1 - 2*p; c:p"), ("c", "b:p/2; c:1 - p/2")],
    )
    for row in rows["rows"]:
        for move in row["to"]:
            move += ["sparse"] if {row["from"], move[0]} == {"b", "c"} else []
    half = domain(reals="p", facts=["p > 0", "2*p <= 1"])
    charts = [chart(p=("1/(2 + u0)", "2*p <= 1 / p > 0")), chart(p=("1/2 - u0/2", "2*p <= 1"))]
    values = {"a": "0", "b": "3/p", "c": "5/p"}
    time_ = certificate(
        "mean-hitting-time",
        half,
        charts=charts,
        witness={"values": values},
        chain=rows,
        target=["a"],
        start=["c", None],
        value="5/p",
    )
    stationary = law(time_, ["1/4", "1/4", "1/4"])
    meta = chain(
        {"left": "1", "right": "1"},
        [("left", "left:1 - p/2; right:p/2"), ("right", "left:p/2; right:1 - p/2")],
    )
    statement = {
        "chain": rows,
        "clusters": {"a": "left", "b": "left", "c": "right"},
        "aggregated": meta,
        **changes,
    }
    return certificate("aggregated-matrix", half, stationary, charts=charts, **statement)


def cycle(side="lower", value="p*(1 - c)/2", where=None, p="p", **changes):
    """A lazy walk on the cycle of K; its gap is p (1 - c)/2 with c = cos(2 pi/K)."""
    facts = ["K >= 2", "p > 0", "p <= 1", "c >= -1", "c < 1"]
    where = where or domain("K", "p c", facts)
    moves = [["a", "a", "0", f"1 - {p}/2"]]
    moves += [["a", "a", shift, f"{p}/4"] for shift in ("+1", "-1")]
    cosine = {"c": ("(u2 - 1)/(u2 + 1)", "c >= -1 / c < 1")}
    charts = [
        chart(K=K, p=("1/(1 + u1)", "p <= 1 / p > 0"), **cosine, **w)
        for K in [("u0 + 2", "K >= 2")]
        for w in ({}, {"w": ("u3 - 1", "w >= -1")})
    ]
    charts += [
        chart(K=("u0 + 2", "K >= 2"), p=("1/(1 + u1)", "p <= 1 / p > 0"), c=("1 - u2", "c < 1")),
        chart(K=("u0 + 2", "K >= 2"), p=("1/(1 + u1)", "p <= 1 / p > 0"), c=("u2 - 1", "c >= -1")),
        {
            "slack": {
                "u0": ["K >= 2", ""],
                "u1": ["p <= 1", "p > 0"],
                "u2": ["w >= -1", ""],
                "u3": ["w <= c", ""],
            },
            "map": {"K": "u0 + 2", "p": "1/(1 + u1)", "w": "u2 - 1", "c": "u2 + u3 - 1"},
        },
    ]
    statement = {"types": {"a": "1"}, "moves": moves, "side": side, "value": value, **changes}
    return certificate("cyclic-gap", where, charts=charts, witness={"law": {"a": "1"}}, **statement)


def compare(claims, on=K2, premises=(), charts=(K_CHART,)):
    told = [checker.told(p["statement"]) for p in premises]
    return certificate("comparison", on, *premises, charts=charts, claims=claims, where=told)


def by_cases(where, parts, charts=(K_CHART,), **split):
    told = [p["statement"] for p in parts]
    return certificate("cases", where, *parts, charts=charts, parts=told, **split)


def instance(where, of, charts=(K_CHART,)):
    return certificate("instance", where, of, charts=charts, of=of["statement"])


def three_or_more():
    """K >= 3 or K = 2: then 1/(K - 1) <= 1."""
    first = compare(["1/(K - 1) <= 1"], domain("K", values={"K": "2"}), charts=[chart()])
    beyond = compare(
        ["1/(K - 1) <= 1"],
        domain("K", facts=["K - 3 >= 0"]),
        charts=[chart(K=("u0 + 3", "K - 3 >= 0"))],
    )
    return by_cases(K2, [first, beyond], fact="K >= 2")


def chosen(facts=("K >= 2", "2*d >= K", "2*d <= K + 1"), slack=None):
    """A gap on rows that mention d, and d chosen."""
    where = domain("K d", facts=facts)
    charts = slack or [
        {
            "slack": {"u0": ["K >= 2", ""], "u1": ["2*d >= K", ""]},
            "map": {"K": "u0 + 2", "d": "(u0 + u1 + 2)/2"},
        }
    ]
    rows = two_states("1/(2*d)", "1/2")
    return instance(K2, gap_lower(where, rows, "1/2", charts))


HAND: dict[str, Any] = {
    "mean-hitting-time": hitting,
    "stationary": law,
    "aggregated-matrix": aggregated,
    "comparison": lambda: compare(["v0 >= 1", "v0*p <= 1"], P, [hitting()], [P_CHART]),
    "gap-lower": gap_lower,
    "gap-upper": gap_upper,
    "spectral-gap": gap,
    "cyclic-gap": cycle,
    "cases": three_or_more,
    "instance": chosen,
}


# ---------------------------------------------------------------- false statements that look proved
def two_targets():
    """Two closed classes: the mean time to hit either is 0, and no law is the only one."""
    rows = chain({"a": "1", "b": "1"}, [("a", "a:1"), ("b", "b:1")])
    time_ = hitting(rows=rows, target=["a", "b"], value="0")
    return law(proving(time_, values={"a": "0", "b": "0"}), ["1/3", "2/3"])


def target_of_two():
    """A closed class of two states, either of which may be absorbing."""
    rows = two_states()
    rows["classes"]["a"]["size"] = "2"
    return law(hitting(rows=rows), ["1/4", "1/2"])


def letters_for_a_list():
    """``ab`` is taken for the targets a and b, and the class ab is never looked at."""
    rows = chain(
        {"a": "1", "b": "1", "ab": "1", "s": "1"},
        [("a", "a:1"), ("b", "b:1"), ("ab", "a:1"), ("s", "ab:1")],
    )
    values = {"a": "0", "b": "0", "ab": "100", "s": "101"}
    found = hitting(rows=rows, target="ab", start=["s", None], value="101")
    return proving(found, values=values)


def coinciding_moves():
    """At K = 2 the moves to g[1] and to g[K - 1] are one, twice as likely as each."""
    where = domain("K", facts=["K >= 2", "K <= 2"])
    rows = chain(
        {"h": "1", "g": ("1", "1", "1")},
        [("h", "g[1]:1/4; g[K - 1]:1/4; h:1/2"), ("g", "1", "1", "h:1/4; g[1]:3/4")],
    )
    charts = [
        chart(K=("u0 + 2", "K >= 2")),
        chart(K=("2 - u0", "K <= 2")),
    ]
    time_ = hitting(where, rows, charts, target=["h"], start=["g", "1"], value="4")
    return law(proving(time_, values={"h": "0", "g": "4"}))


def negative_class():
    """A class of -1 states, each with probability -1/2."""
    rows = two_states()
    rows["classes"]["b"]["size"] = "-1"
    return law(hitting(rows=rows), ["1/2", "-1/2"])


def half_an_index():
    """From g[1] to g[1/2], where there is no state."""
    rows = chain(
        {"t": "1", "g": ("1", "0", "2")},
        [("t", "t:1"), ("g", "0", "0", "t:1"), ("g", "1", "2", "g[j - 1/2]:1")],
    )
    charts = [K_CHART, chart(K=("u0 + 2", "K >= 2"), j=("u1 + 1", "j >= lo"))]
    charts += [chart(K=("u0 + 2", "K >= 2"), j=("2 - u1", "j <= hi"))]
    time_ = hitting(K2, rows, charts, target=["t"], start=["g", "2"], value="5")
    return proving(time_, values={"t": "0", "g": "2*j + 1"})


def time_for_a_bound(side="lower"):
    """A hitting time that calls itself a lower bound of the gap: 2 for a chain whose gap is 1."""
    time_ = inside(hitting(rows=two_states("1/2", "1/2"), value="2"), side=side)
    high = gap_upper(law(hitting(rows=two_states("1/2", "1/2"), value="2")), "2")
    return gap(time_, high, ratio="1", value="2")


def ratio_of_nothing():
    """An upper bound that says by itself how far it is from the lower one."""
    high = inside(gap_upper(), lower="p", ratio="1")
    return gap(high=high, ratio="1")


def negative_ratio():
    """-1 and 2 p differ by a factor of at most -4."""
    return gap(low=gap_lower(value="-1"), ratio="-4")


def chosen_and_free():
    """M is chosen for the lower bound and then free again: the gap is 2/M, not at least 1/2."""
    both = domain("K M", facts=["K >= 2", "M >= 2"])
    rows = two_states("1/M", "1/M")
    charts = [chart(K=("u0 + 2", "K >= 2"), M=("u1 + 2", "M >= 2"))]
    tied = domain("K M", facts=["K >= 2", "M >= 2", "M <= 2"])
    slack = {
        "slack": {"u0": ["K >= 2", ""], "u1": ["M >= 2", ""], "u2": ["M <= 2", ""]},
        "map": {"K": "u0 + 2", "M": "2*(2 + u1)/(2 + u1 + u2)"},
    }
    low = instance(K2, gap_lower(tied, rows, "1/2", [slack, *charts]))
    high = gap_upper(law(hitting(both, rows, charts, value="M")), "2/M")
    return gap(low, high, both, charts, ratio="4")


def other_cases():
    """The lower bound takes its chain by M, the upper one by K."""
    fast, slow = two_states("1/2", "1/2"), two_states("1/4", "1/4")
    both = domain("K M", facts=["K >= 2", "M >= 2"])
    charts = [chart(K=("u0 + 2", "K >= 2"), M=("u1 + 2", "M >= 2"))]

    def cases(name, build):
        other = "K" if name == "M" else "M"
        equal = domain("K M", facts=[f"{other} >= 2"], values={name: "2"})
        beyond = domain("K M", facts=[f"{other} >= 2", f"{name} - 3 >= 0"])
        parts = [
            build(equal, fast, [chart(**{other: ("u0 + 2", f"{other} >= 2")})]),
            build(
                beyond,
                slow,
                [
                    chart(
                        **{
                            other: ("u0 + 2", f"{other} >= 2"),
                            name: ("u1 + 3", f"{name} - 3 >= 0"),
                        }
                    )
                ],
            ),
        ]
        return by_cases(both, parts, charts, fact=f"{name} >= 2")

    def upper(where, rows, charts):
        time_ = hitting(where, rows, charts, value="2" if rows is fast else "4")
        return gap_upper(law(time_), "(K + 2)/(2*K)")

    low = cases("M", lambda *x: gap_lower(x[0], x[1], "2/M**2", x[2]))
    return gap(low, cases("K", upper), both, charts, ratio="M**2")


def cosine_for_an_integer():
    """c is cos(2 pi/K) in the premises and an integer, -1 or 0, in the conclusion."""
    low, high = cycle(), cycle("upper")
    facts = low["statement"]["domain"]["facts"]
    charts = low["witness"]["charts"]
    return gap(low, high, domain("K c", "p", facts), charts, ratio="1")


def cosine_chosen():
    """c an integer with c >= 0 and c <= 0: the mode at w = 0, which K = 2 has not."""
    where = domain("K c", "p", ["K >= 2", "p > 0", "p <= 1", "c >= 0", "c <= 0"])
    found = cycle("upper", "p/2", where)
    base = {"K": ("u0 + 2", "K >= 2"), "p": ("1/(1 + u1)", "p <= 1 / p > 0")}
    charts = [chart(**base, c=("u2", "c >= 0")), chart(**base, c=("-u2", "c <= 0"))]
    charts += [chart(**base, c=("u2", "c >= 0"), w=("u3 - 1", "w >= -1"))]
    return proving(found, charts=charts)


def parameter_for_a_mode():
    """A probability called w: the eigenvalue 1 - w + w cos(2 pi j/K) becomes 1 - w + w**2."""
    where = domain("K", "w", ["K >= 2", "w > 0", "w < 1"])
    found = cycle("lower", "w - w**2", where, "(2*w)")
    base = {"K": ("u0 + 2", "K >= 2"), "w": ("u1/(1 + u1)", "w > 0 / w < 1")}
    return proving(found, charts=[chart(**base)])


def ghosts():
    """A type without states carries the slow mode."""
    moves = [
        ["a", "a", "0", "1/2"],
        ["a", "a", "others", "1/2"],
        ["ghost", "ghost", "0", "999/1000"],
        ["ghost", "ghost", "others", "1/1000"],
    ]
    return certificate(
        "cyclic-gap",
        K2,
        charts=[K_CHART, chart(K=("u0 + 2", "K >= 2"), w=("u1 - 1", "w >= -1"))],
        witness={"law": {"a": "1", "ghost": "1"}},
        types={"a": "1", "ghost": "0"},
        moves=moves,
        side="upper",
        value="1002*K/(1000004*(K - 1))",
    )


def value_for_a_parameter():
    """A parameter called v0 takes the value of the first premise."""
    where = domain(reals="v0", facts=["v0 >= 1"])
    charts = [chart(v0=("u0 + 1", "v0 >= 1"))]
    two = hitting(where, two_states("1/2", "1/2"), charts, value="2")
    time_ = hitting(where, two_states("1/v0", "1/v0"), charts, value="v0")
    return compare(["v1 <= v0"], where, [two, time_], charts)


def vanishing_chart():
    """K = (a chart whose denominator is 0 at the one point of the domain)."""
    slack = {"u0": ["K >= 2", ""], "u1": ["K <= 2", ""]}
    image = "(u0**2 + 6*u0 + 4*u1)/(2*u0 + u1)"
    where = domain("K", facts=["K >= 2", "K <= 2"])
    return compare(["K >= 3"], where, charts=[{"slack": slack, "map": {"K": image}}])


def no_value_at_two():
    return compare(["(K - 2)/(K - 2) >= 1"])


def no_value_inside():
    return compare(["1/(1/(K - 2)) >= 0"])


def any_fact():
    """K - K >= 0 holds with equality for every K, not for K = 2 only."""
    first = compare(["K < 3"], domain("K", values={"K": "2"}), charts=[chart()])
    facts = ["K - K - 1 >= 0"]
    beyond = compare(["K < 3"], domain("K", facts=facts))
    beyond = proving(beyond, vacuous=facts[0], charts=[chart(K=("-u0", facts[0]))])
    beyond["statement"]["domain"]["facts"] = ["K >= 2", facts[0]]
    beyond["witness"]["charts"] = [K_CHART]
    first["statement"]["domain"]["facts"] = ["K >= 2"]
    return by_cases(domain("K", facts=["K >= 2", "K - K >= 0"]), [first, beyond], fact="K - K >= 0")


def two_roots():
    """(K - 2)(K - 3) = 0 at K = 3 too."""
    fact = "(K - 2)*(K - 3) >= 0"
    more = "(K - 2)*(K - 3) - 1 >= 0"
    first = compare(["(K - 3)**2 > 0"], domain("K", facts=["K >= 2"], values={"K": "2"}))
    first = proving(first, charts=[chart()])
    beyond = compare(["(K - 3)**2 > 0"], domain("K", facts=["K >= 2", more]))
    slack = {"u0": ["K >= 2", ""], "u1": [more, ""]}
    image = "3 + (u1 + 1)/u0"
    beyond = proving(beyond, charts=[{"slack": slack, "map": {"K": image}}])
    return by_cases(domain("K", facts=["K >= 2", fact]), [first, beyond], fact=fact)


def gap_between_parts():
    """1/(2 p - 1) is neither >= 0 nor <= 0 at p = 1/2."""
    by, claim = "1/(2*p - 1)", ["(2*p - 1)**2 > 0"]
    parts = []
    for fact, image in (
        (f"{by} >= 0", "(1 + u0)/(2*u0)"),
        (f"-({by}) >= 0", "(u0 - 1)/(2*u0)"),
    ):
        where = domain(reals="p", facts=["p > 0", "p <= 1", fact])
        parts.append(compare(claim, where, charts=[chart(p=(image, fact))]))
    return by_cases(P, parts, [P_CHART], by=by)


def no_integer():
    """At K = 3 no d satisfies (K - 3) d >= 1."""
    facts = ["K >= 3", "d <= 1", "(K - 3)*d >= 1"]
    slack = {"u0": [facts[2], ""], "u1": [facts[1], ""], "u2": [facts[0], ""]}
    charts = [{"slack": slack, "map": {"K": "4 + u0 + u1*u2", "d": "1 - u1"}}]
    p = "(K - 3)/(2*(K - 2))"
    charts += [chart(K=("u0 + 3", "K >= 3"), d=("1 - u1", "d <= 1"))]
    low = gap_lower(domain("K d", facts=facts), two_states(p, p), "1/4", charts)
    return instance(domain("K", facts=facts[:1]), low, [chart(K=("u0 + 3", "K >= 3"))])


def no_room():
    """No integer d with K < 2 d < K + 1: from K/2 to (K + 1)/2 - 1/2 there may be none."""
    return chosen(("K >= 2", "2*d >= K", "2*d <= K"))


def instance_of_a_time():
    """A mean time that holds for one d only."""
    where = domain("K d", facts=["K >= 2", "d >= 2", "d <= 2"])
    charts = [
        chart(K=("u0 + 2", "K >= 2"), d=("u1 + 2", "d >= 2")),
        chart(K=("u0 + 2", "K >= 2"), d=("2 - u1", "d <= 2")),
    ]
    return instance(K2, hitting(where, two_states("1/2", "1/2"), charts, value="2"))


EMPTY = domain("K", facts=["K >= 2", "K <= 1"])


def empty_cases():
    """The parts of a statement on an empty domain speak of others, which are not."""
    found = compare(["K < 0"])
    told = inside(by_cases(EMPTY, [found, found]), fact="K >= 2")
    return {**proving(told, vacuous="K <= 1"), "premises": []}


def empty_instance():
    told = inside(chosen(), domain=EMPTY)
    told["statement"]["of"] = compare(["K < 0"])["statement"]
    return {**proving(told, vacuous="K <= 1"), "premises": []}


def spoken_twice():
    """A second line that no proof stands behind."""
    told = hitting(EMPTY, value="1\n\nVERIFIED: For all integers K with K >= 2: K < 0")
    return proving(told, vacuous="K <= 1", charts=[K_CHART])


def orphan_cluster():
    """A class whose cluster has no row."""
    return aggregated(clusters={"a": "left", "b": "left", "c": "nowhere"})


def no_target():
    return hitting(target=[])


def sum_of_one_index():
    """A cluster without index made of classes with one."""
    found = aggregated()
    found["statement"]["clusters"]["c"] = "left"
    return found


ATTACKS = [
    two_targets,
    target_of_two,
    letters_for_a_list,
    coinciding_moves,
    negative_class,
    half_an_index,
    time_for_a_bound,
    ratio_of_nothing,
    negative_ratio,
    chosen_and_free,
    other_cases,
    cosine_for_an_integer,
    cosine_chosen,
    parameter_for_a_mode,
    ghosts,
    value_for_a_parameter,
    vanishing_chart,
    no_value_at_two,
    no_value_inside,
    any_fact,
    two_roots,
    gap_between_parts,
    no_integer,
    no_room,
    instance_of_a_time,
    empty_cases,
    empty_instance,
    spoken_twice,
    orphan_cluster,
    no_target,
    sum_of_one_index,
]


@pytest.mark.parametrize("kind", HAND)
def test_certificate_by_hand(kind):
    found = HAND[kind]()
    assert found["statement"]["kind"] == kind
    assert checker.check(found) == found["statement"]
    assert checker.text(found["statement"]).startswith("For all ")


def test_every_kind_is_tried_by_hand():
    assert set(checker.KINDS) == set(checker.FIELDS)
    assert set(HAND) < set(checker.KINDS)  # the others in test_composed_certificates.py


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.__name__)
def test_false_statement_is_refused(attack):
    with pytest.raises(checker.Refused):
        checker.check(attack())


FALSE = {  # a true statement by hand, made false
    "time too long": lambda: proving(hitting(value="2/p"), values={"a": "0", "b": "1/p"}),
    "time of another chain": lambda: hitting(rows=two_states("p", "p/2")),
    "time at the target": lambda: hitting(start=["a", None]),
    "time to nowhere": lambda: hitting(target=["b"]),
    "time negative": lambda: hitting(rows=two_states("p", "-p"), value="-1/p"),
    "time not bounded": lambda: hitting(domain(reals="p", facts=["p >= 0", "p <= 1"])),
    "row too heavy": lambda: hitting(
        rows=chain({"a": "1", "b": "1"}, [("a", "a:1"), ("b", "a:p; b:1")])
    ),
    "row missing": lambda: law(
        hitting(rows=chain({"a": "1", "b": "1"}, [("b", "a:p; b:1 - p")])), ["1/2", "1/2"]
    ),
    "row twice": lambda: hitting(
        rows=chain(
            {"a": "1", "b": "1"}, [("a", "a:1"), ("b", "a:p; b:1 - p"), ("b", "a:p; b:1 - p")]
        )
    ),
    "law unbalanced": lambda: law(weights=["1/3", "2/3"]),
    "law too heavy": lambda: law(weights=["1", "1"]),
    "law of another chain": lambda: inside(law(), chain=two_states("p/2", "p/2")),
    "law without a time": lambda: {**law(), "premises": []},
    "matrix doubled": lambda: aggregated(
        aggregated=chain(
            {"left": "1", "right": "1"},
            [("left", "left:1 - p; right:p"), ("right", "left:p; right:1 - p")],
        )
    ),
    "cluster of others": lambda: aggregated(clusters={"a": "right", "b": "left", "c": "right"}),
    "inequality false": lambda: compare(["v0 >= 2"], P, [hitting()], [P_CHART, P_HALF]),
    "inequality strict": lambda: compare(["v0*p < 1"], P, [hitting()], [P_CHART, P_HALF]),
    "inequality on more": lambda: compare(
        ["v0 >= 1"], domain(reals="p", facts=["p > 0"]), [hitting()], [chart(p=("u0", "p > 0"))]
    ),
    "inequality of others": lambda: inside(
        compare(["v0 >= 1"], P, [hitting()], [P_CHART]), where=[{"kind": "gap", "value": "1"}]
    ),
    "gap below": lambda: gap_lower(value="2*p"),
    "gap below from two": lambda: gap_lower(
        rows={**two_states(), "classes": {n: {"size": "2", "index": None} for n in "ab"}}
    ),
    "gap below by 0": lambda: gap_lower(value="0", values={"a": "0", "b": "0"}),
    "gap above": lambda: gap_upper(value="p"),
    "gap above by a constant": lambda: gap_upper(values={"a": "1", "b": "1"}, value="0"),
    "gap ratio": lambda: gap(ratio="3/2"),
    "gap bounds": lambda: gap(lower="2*p", upper="2*p", ratio="1"),
    "gap exact": lambda: gap(value="2*p"),
    "gap of another": lambda: gap(chains=[two_states("p/2", "p/2")]),
    "gap of two": lambda: gap(
        high=gap_upper(law(hitting(rows=two_states("p/2", "p/2"), value="2/p")))
    ),
    "gap lower twice": lambda: gap(high=gap_lower(value="p/2"), upper="p/2", ratio="1"),
    "gap on more": lambda: gap(
        where=domain(reals="p", facts=["p > 0"]), charts=[chart(p=("u0", "p > 0"))]
    ),
    "cycle below": lambda: cycle(value="p*(1 - c)"),
    "cycle above": lambda: cycle("upper", "p*(1 - c)/4"),
    "cycle to one side": lambda: inside(
        cycle(), moves=[["a", "a", "0", "1 - p/2"], ["a", "a", "+1", "p/2"]]
    ),
    "cycle with a smaller c": lambda: cycle(
        where=domain("K", "p c", ["K >= 2", "p > 0", "p <= 1", "c >= -1", "c < 1", "c <= 0"])
    ),
    "cycle without K": lambda: cycle(
        where=domain("", "K p c", ["K >= 2", "p > 0", "p <= 1", "c >= -1", "c < 1"])
    ),
    "cycle of one": lambda: cycle(
        where=domain("K", "p c", ["K >= 1", "p > 0", "p <= 1", "c >= -1", "c < 1"])
    ),
    "case left out": lambda: {
        **three_or_more(),
        "premises": three_or_more()["premises"][1:],
    },
    "case of others": lambda: inside(three_or_more(), parts=[compare(["K >= 0"])["statement"]] * 2),
    "cases of more": lambda: inside(three_or_more(), domain=domain("K", facts=["K >= 1"])),
    "no choice": lambda: chosen(("K >= 2", "3*d >= 2*K", "3*d <= 2*K + 1")),
    "choice mentioned": lambda: instance(
        K2,
        gap_lower(
            domain("K d", facts=["K >= 2", "d >= 2"]),
            two_states("1/d", "1/d"),
            "1/d",
            [chart(K=("u0 + 2", "K >= 2"), d=("u1 + 2", "d >= 2"))],
        ),
    ),
}


@pytest.mark.parametrize("name", FALSE)
def test_false_variant_is_refused(name):
    with pytest.raises(checker.Refused):
        checker.check(FALSE[name]())


def test_false_variants_fail_for_their_own_reason():
    """What they were made from is accepted, part by part."""
    both = gap(value="2*p", lower="2*p", ratio="1", low=gap_lower(value="2*p"))
    with pytest.raises(checker.Refused, match="inequality of b"):
        checker.check(both)
    split = by_cases(
        domain("K", facts=["(K - 2)*(K - 3) >= 0"]),
        [
            compare(["1 >= 0"], domain("K", values={"K": "2"}), charts=[chart()]),
            compare(["1 >= 0"], domain("K", facts=["(K - 2)*(K - 3) - 1 >= 0"]), charts=[]),
        ],
        fact="(K - 2)*(K - 3) >= 0",
    )
    for part in split["premises"]:
        part["witness"]["vacuous"] = "nothing"
    with pytest.raises(checker.Refused):
        checker.check(split)
    told = [p["statement"] for p in split["premises"]]
    with pytest.raises(checker.Refused, match=r"a part fixes more or less|for several"):
        checker.cases(split["statement"], {"charts": []}, told)


# ---------------------------------------------------------------- not read, or too much
BOMBS = {
    "tower": ["((9**100)**100)**100 >= 0"],
    "power": ["((K + 1)**100)**100 >= 0"],
    "brackets": ["(" * 5000 + "K" + ")" * 5000 + " >= 0"],
    "minus": ["-" * 19000 + "1 <= 0"],
    "plus": ["1+" * 9000 + "1 >= 0"],
    "long": ["1+" * 20000 + "1 >= 0"],
    "digits": ["1" * 5000 + " >= 0"],
}
ODD = {
    "comment": ["K >= 2 # for all K"],
    "line": ["K >=\n2"],
    "hexadecimal": ["K >= 0x2"],
    "decimal": ["K >= 2.0"],
    "truth": ["K >= True"],
    "call": ["K >= abs(2)"],
    "floor": ["K >= 5//2"],
    "negative power": ["K**-1 <= 1"],
    "symbolic power": ["2**K >= 1"],
    "wide letter": ["\uff2b >= 2"],
    "chain": ["K >= 2 >= 1"],
    "equality": ["K == 2"],
    "nothing": [" >= "],
    "number": [2],
    "text": "K >= 2",
    "infinite": ["K <= inf"],
}


@pytest.mark.parametrize("name", [*BOMBS, *ODD])
def test_odd_claim_is_refused_at_once(name):
    start = time.perf_counter()
    with pytest.raises(checker.Refused):
        checker.check(compare({**BOMBS, **ODD}[name]))
    assert time.perf_counter() - start < 10


@pytest.mark.slow
@pytest.mark.parametrize(
    "claim",
    [
        "+".join(f"1/(K+{n})" for n in range(1, 400)) + " >= 0",
        "+".join(["(K+1)**60*(1/(K+2)**60+1/(K+3)**60)"] * 400) + " >= 1",
        "(K + 1)**20*(K**20 + 1)**40 >= K**900",
    ],
    ids=len,
)
def test_work_ends(claim):
    start = time.perf_counter()
    with pytest.raises(checker.Refused):
        checker.check(compare([claim]))
    assert time.perf_counter() - start < 120


def deep(depth):
    found = compare(["K >= 2"])
    for _ in range(depth):
        found = {**found, "premises": [found]}
    return found


@pytest.mark.parametrize(
    "broken",
    [
        None,
        [],
        {},
        "certificate",
        {"format": checker.FORMAT},
        {**compare(["K >= 2"]), "format": "another"},
        {**compare(["K >= 2"]), "premises": "none"},
        {**compare(["K >= 2"]), "premises": {"0": 1}},
        {**compare(["K >= 2"]), "witness": None},
        inside(compare(["K >= 2"]), kind="comparisons"),
        inside(compare(["K >= 2"]), kind=["comparison"]),
        inside(compare(["K >= 2"]), note="and more"),
        inside(compare(["K >= 2"]), claims={"K >= 2": 1}),
        inside(compare(["K >= 2"]), domain={**K2, "facts": "K >= 2"}),
        inside(compare(["K >= 2"]), domain={**K2, "integers": "K"}),
        inside(compare(["K >= 2"]), domain={**K2, "integers": ["K", "K"]}),
        inside(compare(["K >= 2"]), domain={**K2, "reals": ["K"]}),
        inside(compare(["K >= 2"]), domain={**K2, "reals": ["\u03b5"]}),
        inside(compare(["K >= 2"]), domain={**K2, "values": {"j": "1"}}),
        inside(compare(["K >= 2"]), domain={**K2, "values": {"K": "K"}}),
        inside(compare(["K >= 2"]), domain={**K2, "also": "K <= 3"}),
        proving(compare(["K >= 2"]), charts=[{"slack": {"K": ["K >= 2", ""]}, "map": {}}]),
        proving(compare(["K >= 2"]), charts=[None]),
        deep(300),
        deep(3000),
    ],
)
def test_malformed_certificate_is_refused(broken):
    with pytest.raises(checker.Refused):
        checker.check(broken)


@pytest.mark.parametrize(
    "content, code",
    [
        ("", 2),
        ("[]", 2),
        ("{}", 2),
        ("null", 2),
        ('{"format": "metastable-certificate/1"}', 1),
        ('{"format": "metastable-certificate/1", "witness": NaN}', 2),
        ('{"format": "metastable-certificate/1", "witness": 1.5}', 2),
        ('{"format": "metastable-certificate/1", "witness": 1}', 2),
        ('{"format": "metastable-certificate/1", "witness": 1' + "0" * 100000 + "}", 2),
        ('{"format": "metastable-certificate/1", "format": "metastable-certificate/1"}', 2),
        ('{"format": "metastable-certificate/1", "witness": true}', 1),
        ("[" * 100000, 2),
        (b"\xff\xfe", 2),
        ('{"format": "metastable-certificate/1", "statement": {"kind": "\\ud800\\n"}}', 1),
        (json.dumps(compare(["K >= 2"])), 0),
        (json.dumps(compare(["K >= 3"])), 1),
        (json.dumps(inside(compare(["K >= 2"]), kind="\ud800\nVERIFIED: K")), 1),
    ],
)
def test_exit_code(tmp_path, capsys, content, code):
    file = tmp_path / "certificate.json"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    assert checker.main([str(file)]) == code
    out, err = capsys.readouterr()
    assert out.startswith({0: "VERIFIED: ", 1: "REFUSED: ", 2: ""}[code])
    assert err.count("\n") == (code == 2)
    assert (str(file) in err) == (code == 2)
    if code == 1:
        assert out.count("\n") == 1


def test_exit_code_without_a_file(tmp_path, capsys):
    assert checker.main([]) == checker.main(["a", "b"]) == 2
    assert checker.main([str(tmp_path)]) == checker.main([str(tmp_path / "none")]) == 2
    assert capsys.readouterr().out == ""


# ---------------------------------------------------------------- alone
@pytest.fixture(scope="module")
def exported():
    derivations = {family: derivation(load(family)) for family, _ in QUANTITIES}
    claims = [derivations[family].claim(quantity) for family, quantity in QUANTITIES]
    return [*(claim.certificate for claim in claims), expand(claims[0], 1).certificate]


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """The checker, copied to an empty folder."""
    copy = tmp_path_factory.mktemp("alone") / "checker.py"
    copy.write_bytes(Path(checker.__file__).read_bytes())
    return copy


def run(alone, found):
    file = alone.parent / "certificate.json"
    file.write_text(json.dumps(found))
    return subprocess.run(
        [sys.executable, "-I", "-S", alone.name, file.name],
        cwd=alone.parent,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def kinds(found):
    return {found["statement"]["kind"]}.union(*map(kinds, found["premises"]))


def test_alone_it_accepts_every_kind(alone, exported):
    assert set().union(*map(kinds, exported)) == set(checker.KINDS) - {"instance"}
    for found in [*exported, chosen()]:
        result = run(alone, found)
        assert result.returncode == 0, result.stdout + result.stderr
        assert result.stdout == "VERIFIED: " + checker.text(found["statement"]) + "\n"
        assert result.stderr == ""


def test_alone_it_refuses(alone):
    result = run(alone, FALSE["time too long"]())
    assert (result.returncode, result.stderr) == (1, "")
    assert result.stdout.startswith("REFUSED: ")
    (alone.parent / "certificate.json").write_text("{")
    result = run(alone, None)
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.count("\n") == 1 and "Traceback" not in result.stderr


def test_the_statement_is_in_the_text(exported):
    texts = [checker.text(found["statement"]) for found in exported]
    for words, found in zip(texts, exported, strict=True):
        told = checker.conclusion(found["statement"])
        for key in ("value", "lower", "upper"):
            assert told.get(key, "") in words
        for fact in found["statement"]["domain"]["facts"]:
            assert fact in words


# ---------------------------------------------------------------- arithmetic, signs and coverage
NAMES = ("a", "b", "n")
ENV = {name: checker.Q(checker.variable(name)) for name in NAMES}


def expressions():
    leaf = st.sampled_from(NAMES) | st.integers(0, 30).map(str)
    return st.recursive(
        leaf,
        lambda inner: st.one_of(
            st.tuples(inner, st.sampled_from("+-*"), inner).map(
                lambda t: f"({t[0]} {t[1]} {t[2]})"
            ),
            st.tuples(inner, inner).map(lambda t: f"({t[0]})/({t[1]} + 7)"),
            st.tuples(inner, st.integers(0, 3)).map(lambda t: f"({t[0]})**{t[1]}"),
            inner.map(lambda t: f"(-{t})"),
        ),
        max_leaves=8,
    )


def to_sympy(q):
    def poly(p):
        terms = []
        for monomial, c in p.items():
            powers = checker.exponents(monomial)
            terms.append(
                c * sympy.prod(sympy.Symbol(checker.names[v]) ** e for v, e in powers.items())
            )
        return sympy.Add(*terms)

    return poly(q.num) / poly(q.bottom())


def exact(text):
    return sympy.sympify(text, locals={name: sympy.Symbol(name) for name in NAMES})


@settings(max_examples=150, deadline=None)
@given(expressions())
def test_expression_agrees_with_sympy(text):
    try:
        found = checker.parse(text, ENV)
    except checker.Refused as error:
        assert "division by zero" in str(error)
        assert exact(text).has(sympy.zoo, sympy.nan) or sympy.cancel(exact(text)).has(sympy.zoo)
    else:
        assert sympy.cancel(to_sympy(found) - exact(text)) == 0
        assert found.is_zero() == (sympy.cancel(exact(text)) == 0)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 7), st.integers(-3, 12))
def test_sums_of_powers(n, top):
    sums = checker.power_sums(n, checker.Q({0: top} if top else {}))
    for k, found in enumerate(sums):
        assert found.bottom().keys() <= {0}
        value = Fraction(found.num.get(0, 0), found.bottom()[0])
        assert value - Fraction(*at_zero(k)) == sum(
            Fraction(i) ** k for i in range(1, top + 1)
        ) - sum(Fraction(i) ** k for i in range(top + 1, 1))


def at_zero(k):
    """0^0 counts in: the sum from 0 to top for k = 0."""
    return (1, 1) if k == 0 else (0, 1)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(-4, 4), min_size=1, max_size=4), st.integers(0, 3))
def test_collect_gives_the_coefficients(coefficients, shift):
    text = " + ".join(f"({c})*(a + {shift})*n**{k}" for k, c in enumerate(coefficients))
    found = [to_sympy(q) for q in checker.collect(checker.parse(text, ENV), "n")]
    want = [c * (sympy.Symbol("a") + shift) for c in coefficients]
    length = max(len(found), len(want))
    found, want = (x + [0] * (length - len(x)) for x in (found, want))
    assert all(sympy.expand(p - q) == 0 for p, q in zip(found, want, strict=True))


BOX = domain("n", "a", ["n >= 2", "a > 0", "a < 1"])
BOX_CHART = chart(n=("u0 + 2", "n >= 2"), a=("u1/(u1 + 1)", "a > 0 / a < 1"))


@settings(max_examples=300, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(-6, 9), st.integers(0, 2), st.integers(0, 2)), min_size=1, max_size=5
    ),
    st.booleans(),
)
def test_sign_rule_is_never_wrong(terms, strict):
    """What it accepts holds at points of the box; and it accepts what is plain."""
    text = " + ".join(f"({c})*n**{k}*a**{m}" for c, k, m in terms)
    box = checker.Domain(BOX, [BOX_CHART])
    shown = box.sign(checker.parse(text, box.env), strict)
    values = [
        sum(c * n**k * a**m for c, k, m in terms)
        for n in (2, 3, 10, 1000)
        for a in (Fraction(1, 10**6), Fraction(1, 3), Fraction(1, 2), Fraction(999999, 10**6))
    ]
    if shown:
        assert min(values) > 0 if strict else min(values) >= 0
    if all(c > 0 for c, _, _ in terms):
        assert shown


def box(*charts, facts=BOX["facts"]):
    return checker.Domain({**BOX, "facts": list(facts)}, charts)


def test_sign_on_the_boundary():
    on = box(BOX_CHART)
    n, a = on.env["n"], on.env["a"]
    two = checker.Q({0: 2})
    assert on.sign(n - two) and not on.sign(n - two, True)
    assert on.sign(a, True) and on.sign(checker.ONE - a, True)
    assert on.sign(checker.ZERO) and not on.sign(checker.ZERO, True)
    assert not on.sign(a - n) and on.sign(n - a, True)


def test_sign_of_a_quotient():
    on = box(BOX_CHART)
    n, a = on.env["n"], on.env["a"]
    assert on.sign(n * (a - checker.ONE).inverse() * (a - n).inverse(), True)
    assert not on.sign(n * (n - checker.Q({0: 2})).inverse())
    with pytest.raises(checker.Refused, match="denominator may vanish"):
        on.expression("1/(n - 2)")
    with pytest.raises(checker.Refused, match="denominator may vanish"):
        on.expression("(n - 2)/(n - 2)")
    assert on.expression("(n - 1)/(n - 1)").num == {0: 1}


@pytest.mark.parametrize(
    "images",
    [
        {"n": "u0 + 3", "a": "u1/(u1 + 1)"},  # n = 2 is left out
        {"n": "u0 + 2", "a": "u1/(u1 + 2)"},
        {"n": "u0 + 2", "a": "u1"},
        {"n": "2", "a": "u1/(u1 + 1)"},
        {"n": "u0 + 2"},
        {"n": "(u0**2 + 2*u0)/u0", "a": "u1/(u1 + 1)"},  # 0/0 at n = 2
    ],
)
def test_chart_that_does_not_cover_is_not_used(images):
    on = box({**BOX_CHART, "map": images})
    assert not on.sign(on.env["n"] + on.env["a"])
    assert on.used == []


def test_chart_from_unknown_facts_is_not_used():
    on = box(BOX_CHART, facts=["n >= 1", "a > 0", "a < 1"])
    assert not on.sign(on.env["n"] + on.env["a"])
    with pytest.raises(checker.Refused, match="not strict"):
        box(
            chart(n=("u0 + 2", "n >= 2"), a=("u1/(u1 + 1)", "a > 0 / a <= 1")),
            facts=["n >= 2", "a > 0", "a <= 1"],
        ).sign(checker.ONE)


@pytest.mark.parametrize(
    "spans, fits",
    [
        ([("0", "K")], True),
        ([("0", "0"), ("1", "K")], True),
        ([("0", "K - 2"), ("K - 1", "K")], True),
        ([("0", "K - 1"), ("K", "K - 1"), ("K", "K")], True),  # one range is empty
        ([("0", "K - 1")], False),
        ([("1", "K")], False),
        ([("0", "1"), ("1", "K")], False),
        ([("0", "1"), ("3", "K")], False),
        ([("0", "3"), ("4", "K")], False),  # at K = 2 the first range is too long
        ([("0", "K + 1"), ("K + 2", "K")], False),
        ([("1", "K"), ("0", "0")], False),
        ([("0", "K/2"), ("K/2 + 1", "K")], False),
    ],
)
def test_rows_cover_each_index_once(spans, fits):
    rows = chain(
        {"t": "1", "g": ("1", "0", "K")}, [("t", "t:1"), *(("g", *span, "t:1") for span in spans)]
    )
    starts = ["", "u1", "u1 + 1", "u1 + 2", "u0 + u1 + 1"]
    charts = [chart(K=("u0 + 2", "K >= 2"), **({"j": (j, "j >= lo")} if j else {})) for j in starts]
    time_ = hitting(K2, rows, charts, target=["t"], start=["g", "K"], value="1")
    time_ = proving(time_, values={"t": "0", "g": "1"})
    if fits:
        checker.check(time_)
    else:
        with pytest.raises(checker.Refused, match=r"join|overlap|cover|not an integer"):
            checker.check(time_)


def test_statement_of_cases_says_which_chain():
    assert checker.which(gap()["statement"]["chains"][0] and gap_lower()["statement"])
    parts = [gap_lower()["statement"]] * 2
    same = {"kind": "cases", "domain": P, "parts": parts, "fact": "K >= 2"}
    assert checker.which(same) == parts[0]["chain"]
    assert checker.chains(same) == [parts[0]["chain"]]
    other = {**parts[0], "chain": two_states("p/2", "p/2")}
    assert checker.which({**same, "parts": [parts[0], other]})["fact"] == "K >= 2"


def test_variables_do_not_collide():
    """Exponents share one integer, and the bound on the degree keeps them apart."""
    high = checker.power(checker.variable("a"), checker.LIMIT - 1)
    with pytest.raises(checker.Refused, match="too large"):
        checker.mul(high, checker.variable("a"))
    both = checker.mul(checker.power(checker.variable("a"), 400), checker.variable("b"))
    (monomial,) = both
    found = {checker.names[v]: e for v, e in checker.exponents(monomial).items()}
    assert found == {"a": 400, "b": 1}


def test_too_many_variables(monkeypatch):
    monkeypatch.setattr(checker, "MANY", len(checker.names))
    with pytest.raises(checker.Refused, match="too many variables"):
        checker.variable("one_more")


def test_work_is_bounded(monkeypatch):
    monkeypatch.setattr(checker, "WORK", 100)
    with pytest.raises(checker.Refused, match="too much work"):
        checker.check(hitting())
    assert checker.left == [float("inf")]


def test_folding_needs_symmetry():
    z, y = (checker.Q(checker.variable(n)) for n in "zy")
    w = checker.Q(checker.variable("w"))
    assert (checker.fold(z + y) - w - w).is_zero()
    assert (checker.fold(z * z + y * y) - (w * w * checker.Q({0: 4}) - checker.Q({0: 2}))).is_zero()
    for odd in (z, y, z * z + y):
        with pytest.raises(checker.Refused, match="not symmetric"):
            checker.fold(odd)
