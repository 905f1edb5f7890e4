"""The lone checker: its arithmetic, its sign rule, the kinds of statement, what it refuses."""

import contextlib
import json
import re
import subprocess
import sys
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st

from theory import checker
from theory.catalogue import derivation, load
from theory.certificates import Searching, completed
from theory.expansion import expand

COMPOSED = [
    *("hitting-time", "second-moment", "exit-law", "stationary", "aggregated-hitting-time"),
    *("spectral-gap", "exact-gap", "metastable-eigenvalues", "stochastic-complement"),
    *("pseudo-spectral-gap", "metastability-ratio", "capacity", "conductance", "kemeny"),
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
    ("lazy-cycle/ring/gate", "hitting-time"),
]


# ---------------------------------------------------------------- certificates by hand
def domain(integers="", reals="", facts=(), values=None):
    return {
        "integers": integers.split(),
        "reals": reals.split(),
        "facts": list(facts),
        "values": values or {},
    }


def certificate(kind, on, *premises, witness=None, **statement):
    return {
        "format": checker.FORMAT,
        "statement": {"kind": kind, "domain": on, **statement},
        "witness": witness or {},
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
            place, p, *tag = move.split(":")
            to_name, _, at = place.strip().partition("[")
            to.append([to_name, at.rstrip("]") or None, p.strip(), *tag])
        out.append({"from": name, "index": span or None, "to": to})
    return {"classes": sizes, "rows": out}


def inside(certificate, **changes):
    """The certificate with other parts of its statement."""
    return {**certificate, "statement": {**certificate["statement"], **changes}}


def proving(certificate, **changes):
    """The certificate with other parts of its witness."""
    return {**certificate, "witness": {**certificate["witness"], **changes}}


def check(found):
    """The verdict of the checker on a certificate with the best proofs of signs that are found."""
    with contextlib.suppress(LookupError, TypeError, ValueError, AttributeError, RecursionError):
        found = completed(found)  # unless it is malformed, as the checker will say
    return checker.check(found)


K2 = domain("K", facts=["K >= 2"])
P = domain(reals="p", facts=["p > 0", "p <= 1"])


def two_states(p="p", q="p"):
    return chain({"a": "1", "b": "1"}, [("a", f"a:1 - {p}; b:{p}"), ("b", f"a:{q}; b:1 - {q}")])


def functions(**given):
    return {"functions": given}


def hitting(where=P, rows=None, **changes):
    statement = {
        "chain": rows or two_states(),
        "target": ["a"],
        "start": ["b", None],
        "value": "1/p",
        **changes,
    }
    f = {"a": "0", "b": statement["value"]}
    return certificate("mean-hitting-time", where, witness=functions(f=f), **statement)


def back(time_):
    """The mean time to return, by the times to hit."""
    told = {k: v for k, v in time_["statement"].items() if k not in ("start", "value", "kind")}
    f = time_["witness"]["functions"]["f"]
    moves = [
        m for row in told["chain"]["rows"] if row["from"] == told["target"][0] for m in row["to"]
    ]
    after = []
    for to, at, p, *_ in moves:
        there = re.sub(r"\bj\b", f"({at})", f[to]) if to in f else "0"
        after.append(f"({p})*({there})")
    on = told.pop("domain")
    told["value"] = " + ".join(["1", *after])
    return certificate("return-time", on, witness=time_["witness"], **told)


def law(premise=None, weights=("1/2", "1/2"), **changes):
    premise = back(premise or hitting())
    told = premise["statement"]
    statement = {"chain": told["chain"], "law": list(weights), **changes}
    return certificate("stationary", told["domain"], premise, **statement)


def gap_lower(where=P, rows=None, value="p", values=None):
    f = values or {"a": "0", "b": "1"}
    statement = {"chain": rows or two_states(), "pivot": "a", "value": value}
    return certificate("gap-lower", where, witness=functions(f=f), **statement)


def gap_upper(premise=None, value="2*p", values=None, **changes):
    premise = premise or law()
    told, f = premise["statement"], values or {"a": "0", "b": "1"}
    m = {name: f"({x})**2" for name, x in f.items()}
    statement = {"chain": told["chain"], "value": value, **changes}
    return certificate(
        "gap-upper", told["domain"], premise, witness=functions(f=f, m=m), **statement
    )


def gap(low=None, high=None, where=P, **changes):
    low, high = low or gap_lower(), high or gap_upper()
    told = {
        "lower": low["statement"]["value"],
        "upper": high["statement"]["value"],
        "chain": low["statement"]["chain"],
        "ratio": "2",
        **changes,
    }
    return certificate("spectral-gap", where, low, high, **told)


def aggregated(**changes):
    rows = chain(
        {"a": "1", "b": "1", "c": "2"},
        [("a", "a:1 - p; b:p"), ("b", "a:p; b:1 - 2*p; c:p"), ("c", "b:p/2; c:1 - p/2")],
    )
    half = domain(reals="p", facts=["p > 0", "2*p <= 1"])
    f = {"a": "0", "b": "3/p", "c": "5/p"}
    statement = {"chain": rows, "target": ["a"], "start": ["c", None], "value": "5/p"}
    time_ = certificate("mean-hitting-time", half, witness=functions(f=f), **statement)
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
    return certificate("aggregated-matrix", half, stationary, **statement)


def meta_time(**changes):
    """The mean hitting time of the aggregated chain."""
    premise = aggregated()
    told = premise["statement"]
    statement = {"target": ["left"], "start": ["right", None], "value": "2/p"}
    f = {"left": "0", "right": "2/p"}
    rows = {"chain": told["aggregated"], **statement}
    time_ = certificate("mean-hitting-time", told["domain"], witness=functions(f=f), **rows)
    clusters = {k: told[k] for k in ("chain", "clusters", "aggregated")}
    full = {**clusters, **statement, **changes}
    return certificate("aggregated-hitting-time", told["domain"], premise, time_, **full)


CYCLE = domain("K", "p c", ["K >= 2", "p > 0", "p <= 1", "c >= -1", "c < 1"])


def cycle(side="lower", value="p*(1 - c)/2", where=None, p="p", **changes):
    """A lazy walk on the cycle of K; its gap is p (1 - c)/2 with c = cos(2 pi/K)."""
    rows = chain({"a": "1"}, [("a", f"a:1 - {p}/2; a:{p}/4:+1; a:{p}/4:-1")])
    witness = {"law": ["1"], "block": ["1", f"-(1 - {p}/2) - {p}*w/2"]}
    statement = {"chain": rows, "value": value, **changes}
    return certificate(f"modes-{side}", where or CYCLE, witness=witness, **statement)


def two_sides(**changes):
    """Both bounds of the same gap at once."""
    told = {k: v for k, v in cycle()["statement"].items() if k == "chain"}
    told |= {"lower": "p*(1 - c)/2", "upper": "p*(1 - c)/2", "ratio": "1", **changes}
    return certificate("modes-gap", CYCLE, witness=cycle()["witness"], **told)


HALVES = domain("K", "p", ["K >= 2", "p > 0", "2*p <= 1"])


def pairs(rows=None):
    """Clusters of a gate and another state, all clusters alike seen from each."""
    return rows or chain(
        {"a": "1", "b": "1"}, [("a", "b:1 - p; a:p:others"), ("b", "a:1 - p; b:p")]
    )


def block():
    n = "-1/(K - 1)"
    return {"law": ["1", "1"], "block": ["1", f"-p*({n}) - p", f"p*p*({n}) - (1 - p)**2"]}


EQUATION = {"b": "2 - p + p/(K - 1)", "c2": "(1 + p/(K - 1))*(1 - p) - (1 - p)**2"}


def root(mode_="-1/(K - 1)", rows=None, **changes):
    """The equation of a mode of two types."""
    rows = rows or checker.retagged(pairs(), others=["W"])
    inside_ = checker.retagged(rows, W=[])
    reach = hitting(HALVES, inside_, value="1/(1 - p)")
    told = {"chain": rows, "pivot": "a", "mode": mode_, **EQUATION, **changes}
    return certificate("composed-mode", HALVES, law(reach), **told)


def even(value="2*p", sizes=("2", "2"), flag=True, **changes):
    """Classes of two states that follow each other."""
    rows = {
        **two_states(),
        "classes": {n: {"size": s, "index": None} for n, s in zip("ab", sizes, strict=True)},
    }
    if flag:
        rows["even"] = "yes"
    where = domain(reals="p", facts=["p > 0", "2*p <= 1"])
    told = {"chain": rows, "value": value, **changes}
    return certificate("modes-lower", where, witness={"law": ["1", "1"]}, **told)


def compare(claims, on=K2, premises=()):
    told = [p["statement"] for p in premises]
    return certificate("comparison", on, *premises, claims=claims, of=told)


def by_cases(where, parts, e, integer=True):
    """The parts joined: what differs is given by cases."""
    told = [p["statement"] for p in parts]
    statement = {}
    for key in [k for k in told[0] if k not in ("kind", "domain")]:
        same = all(s[key] == told[0][key] for s in told)
        statement[key] = told[0][key] if same else {"by": e, "cases": [s[key] for s in told]}
    witness = {"split": e, **({"integer": "yes"} if integer else {})}
    return certificate(told[0]["kind"], where, *parts, witness=witness, **statement)


def instance(where, of, multiple="K", count="2", name="d"):
    statement = {k: v for k, v in of["statement"].items() if k not in ("kind", "domain")}
    witness = {"multiple": multiple, "of": count}
    return certificate(of["statement"]["kind"], where, of, witness=witness, some=name, **statement)


def three_or_more():
    """K >= 3 or K = 2: then 1/(K - 1) <= 1."""
    first = compare(["1/(K - 1) <= 1"], domain("K", values={"K": "2"}))
    beyond = compare(["1/(K - 1) <= 1"], domain("K", facts=["(K - 2) - 1 >= 0"]))
    return by_cases(K2, [first, beyond], "K - 2")


def slow_or_fast():
    """Rows that differ between K = 2 and K >= 3."""
    both = domain("K", facts=["K >= 2"])
    first = hitting(domain("K", values={"K": "2"}), two_states("1/2", "1/2"), value="K")
    where = domain("K", facts=["(K - 2) - 1 >= 0"])
    beyond = hitting(where, two_states("1/K", "1/K"), value="K")
    return by_cases(both, [first, beyond], "K - 2")


def halves():
    """p <= 1/2 or p >= 1/2: then (2 p - 1)^2 >= 0."""
    parts = []
    for fact in ("(2*p - 1) >= 0", "-(2*p - 1) >= 0"):
        where = domain(reals="p", facts=["p > 0", "p <= 1", fact])
        parts.append(compare(["(2*p - 1)**2 >= 0"], where))
    return by_cases(P, parts, "2*p - 1", integer=False)


def chosen(facts=("K >= 2", "2*d >= K", "2*d <= K + 1")):
    """A gap on rows that mention d, and d chosen."""
    where = domain("K d", facts=facts)
    return instance(K2, gap_lower(where, two_states("1/(2*d)", "1/2"), "1/2"))


# ---------------------------------------------------------------- more about times
def bounded(upper="1/p", lower="1/p", f=None, g=None):
    """Between the values of functions that need not be the time."""
    witness = functions(
        f={"a": "0", "b": upper, **(f or {})}, g={"a": "0", "b": lower, **(g or {})}
    )
    statement = {"chain": two_states(), "target": ["a"], "start": ["b", None]}
    bounds = {"lower": lower, "upper": upper}
    return certificate("hitting-time-between", P, witness=witness, **statement, **bounds)


def squared(value="(2 - p)/p**2", f="1/p", m="(2 - p)/p**2"):
    """The mean square of a geometric time."""
    witness = functions(f={"a": "0", "b": f}, m={"a": "0", "b": m})
    statement = {"chain": two_states(), "target": ["a"], "start": ["b", None], "value": value}
    return certificate("second-moment", P, witness=witness, **statement)


def returning(value="2", rows=None, **changes):
    """From a back to a."""
    witness = functions(f={"a": "0", "b": "1/p"})
    told = {"chain": rows or two_states(), "target": ["a"], "value": value, **changes}
    return certificate("return-time", P, witness=witness, **told)


def generating(value="p*s/(1 - s*(1 - p))", s="s", facts=("s > 0", "s < 1")):
    """E[s^tau] of a geometric time."""
    where = domain(reals="p s", facts=["p > 0", "p <= 1", *facts])
    witness = functions(f={"a": "0", "b": "1/p"}, m={"a": "1", "b": value})
    statement = {"chain": two_states(), "target": ["a"], "start": ["b", None], "value": value}
    return certificate("generating-function", where, witness=witness, s=s, **statement)


def turning(law_=("1/3", "1/3", "1/3"), back=None, **changes):
    """A circle of three states that turns one way more often: not reversible."""
    forth = chain(
        {"a": "1", "b": "1", "c": "1"},
        [("a", "b:p; c:1 - p"), ("b", "c:p; a:1 - p"), ("c", "a:p; b:1 - p")],
    )
    if back is None:
        moves = [("a", "c:p; b:1 - p"), ("b", "a:p; c:1 - p"), ("c", "b:p; a:1 - p")]
        back = chain({"a": "1", "b": "1", "c": "1"}, moves)["rows"]
    # h(b) = 1 + p h(c), h(c) = 1 + (1 - p) h(b)
    f = {"a": "0", "b": "(1 + p)/(1 - p*(1 - p))", "c": "(2 - p)/(1 - p*(1 - p))"}
    statement = {"chain": forth, "target": ["a"], "start": ["b", None], "value": f["b"]}
    where = domain(reals="p", facts=["p > 0", "p < 1"])
    time_ = certificate("mean-hitting-time", where, witness=functions(f=f), **statement)
    return law(time_, law_, **({"reversed": back} if back else {}), **changes)


# ---------------------------------------------------------------- what is built on other statements
def from_law(premise=None, value="1/(2*p)", f=None, **changes):
    """The mean time to a from the uniform law on a and b."""
    premise = premise or law()
    told = premise["statement"]
    full = {"chain": told["chain"], "target": ["a"], "value": value, **changes}
    witness = functions(f=f or {"a": "0", "b": "1/p"})
    return certificate("time-from-law", told["domain"], premise, witness=witness, **full)


def other_time(value="1/(2*p)"):
    return from_law(value=value, f={"a": "1/p", "b": "0"}, target=["b"])


def kemeny(count="1", value="1/(2*p)", premises=None, **changes):
    told = {"chain": two_states(), "target": ["a"], "home": ["b"], "count": count, "value": value}
    premises = premises or (law(), from_law(), other_time())
    return certificate("kemeny", P, *premises, **{**told, **changes})


def capacity(value="p/2", premise=None, **changes):
    premise = premise or hitting()
    told = {k: premise["statement"][k] for k in ("chain", "target", "start")}
    return certificate("capacity", P, premise, **told, value=value, **changes)


def expansion(of=None, series="1/p", scale="p", lower="0", upper="0", on=P):
    of = of or hitting()
    told = {"series": series, "scale": scale, "lower": lower, "upper": upper}
    return certificate("expansion", on, of, of=[of["statement"]], **told)


# ---------------------------------------------------------------- clusters joined by a walk
WALK = domain("K", facts=["K >= 2"])
BOTH = domain("K", "p", ["K >= 2", "p > 0", "2*p < 1"])
CLUSTER = domain(reals="p", facts=["p > 0", "2*p < 1"])


def gated(stay="1 - 2*p", leave="p:W", to="a"):
    """A gate a, which takes a step of W with probability p, and a home b."""
    return chain(
        {"a": "1", "b": "1"}, [("a", f"a:{stay}; b:p; {to}:{leave}"), ("b", "a:p; b:1 - p")]
    )


def inner_law(rows=None, weights=("1/2", "1/2"), **changes):
    rows = rows or checker.retagged(gated(), W=[])
    time_ = hitting(CLUSTER, rows)
    return law(time_, weights, **changes)


def everywhere():
    """The walk on the complete graph of K."""
    return chain({"t": "1", "o": "K - 1"}, [("t", "o:1"), ("o", "t:1/(K - 1); o:(K - 2)/(K - 1)")])


def steps(**changes):
    told = {
        "chain": everywhere(),
        "target": ["t"],
        "start": ["o", None],
        "value": "K - 1",
        **changes,
    }
    witness = functions(f={"t": "0", "o": "K - 1"})
    return certificate("mean-hitting-time", WALK, witness=witness, **told)


def outer_law():
    return law(steps(), ["1/K", "1/K"])


def product_law(premises=None, **changes):
    told = {"chain": gated(), "law": ["1/2", "1/2"], "walk": everywhere(), "outer": ["1/K", "1/K"]}
    premises = premises or (inner_law(), outer_law())
    return certificate("composed-law", BOTH, *premises, **{**told, **changes})


def of_clusters(value="2*(K - 1)/p", premises=None, **changes):
    told = {"chain": gated(), "walk": everywhere(), "target": ["t"], "start": ["o", None]}
    premises = premises or (inner_law(), steps())
    return certificate("composed-aggregated", BOTH, *premises, value=value, **{**told, **changes})


ONE = {
    "classes": {"k": {"size": "1", "index": None}},
    "rows": [{"from": "k", "index": None, "to": [["k", None, "1", "others"]]}],
}


def walk_gap(side, value="K/(K - 1)"):
    witness = {"law": ["1"], "block": ["1", "1/(K - 1)"]}
    return certificate(f"modes-{side}", WALK, witness=witness, chain=ONE, value=value)


def inner_gap(value="p", **changes):
    told = {"chain": checker.retagged(gated(), W=[]), "pivot": "a", "value": value, **changes}
    return certificate("gap-lower", CLUSTER, witness=functions(f={"a": "0", "b": "1"}), **told)


def composed_gap(premises=None, **changes):
    told = {"chain": gated(), "pivot": "a", "walk": ONE, "ratio": "3"}
    told |= {"lower": "p*K/(3*K - 2)", "upper": "p*K/(2*(K - 1))", **changes}
    premises = premises or (inner_gap(), inner_law(), walk_gap("lower"), walk_gap("upper"))
    return certificate("composed-gap", BOTH, *premises, **told)


def conductance(premises=None, **changes):
    told = {"chain": gated(), "walk": ONE, "lower": "p*K/(3*K - 2)/2", "upper": "p/2", **changes}
    premises = premises or (composed_gap(), inner_law())
    return certificate("conductance", BOTH, *premises, **told)


def mode(gap="1 - mu", where=None, **changes):
    """With g = 1 - mu: b = 2 p + p g, c2 = p^2 g."""
    where = where or domain(reals="p mu", facts=[*CLUSTER["facts"], "mu >= -1", "mu < 1"])
    told = {"chain": gated(), "pivot": "a", "mode": "mu"}
    told |= {"b": f"2*p + p*({gap})", "c2": f"p**2*({gap})", **changes}
    return certificate("composed-mode", where, inner_law(), **told)


def slow_mode(gap="K/(K - 1)", rows=None, **changes):
    told = {"chain": rows or gated(), "mode": f"1 - {gap}"} | changes
    return inside(mode(gap, BOTH), domain=BOTH, **told)


def composed_root(premises=None, gap="K/(K - 1)", **changes):
    told = {"chain": gated(), "pivot": "a", "walk": ONE, "gap": gap}
    told |= {"b": f"2*p + p*({gap})", "c2": f"p**2*({gap})", **changes}
    premises = premises or (slow_mode(gap), walk_gap("lower"), walk_gap("upper"))
    return certificate("composed-root", BOTH, *premises, **told)


def complement(rows=None):
    return certificate("stochastic-complement", CLUSTER, chain=rows or gated())


def pseudo(value="1 - (1 - 2*p)**2", premise=None, **changes):
    told = {"chain": gated(), "value": value, **changes}
    return certificate("pseudo-gap", CLUSTER, premise or inner_law(), **told)


def ratio(value="1", f=None, **changes):
    told = {"chain": gated(), "pivot": "a", "home": "b", "value": value, **changes}
    reach = hitting(CLUSTER, checker.retagged(gated(), W=[]))
    witness = functions(f=f or {"a": "1", "b": "0"})
    return certificate("metastability-ratio", CLUSTER, reach, witness=witness, **told)


def exact_gap(premises=None, **changes):
    both = bounds()
    told = {"chain": pairs(), "pivot": "a", **EQUATION}
    told |= {k: both["statement"][k] for k in ("lower", "upper", "ratio")} | changes
    return certificate("exact-gap", HALVES, *(premises or (both, root())), **told)


def bounds(**changes):
    """The sums of relaxation times 1/x of the roots x of x^2 - b x + c2."""
    b, c2 = EQUATION["b"], EQUATION["c2"]
    told = {"chain": pairs(), "lower": f"({c2})/({b})", "ratio": "2"}
    told |= {"upper": f"({b})*({c2})/(({b})**2 - 2*({c2}))", **changes}
    return certificate("modes-gap", HALVES, witness=block(), **told)


HAND: dict[str, Any] = {
    "mean-hitting-time": hitting,
    "mean-hitting-time by cases": slow_or_fast,
    "hitting-time-between": bounded,
    "hitting-time-between, not sharp": lambda: bounded("2/p", "1/(2*p)", g={"a": "-1/2"}),
    "second-moment": squared,
    "return-time": returning,
    "generating-function": generating,
    "generating-function at 1/2": lambda: generating("p/2/(1 - (1 - p)/2)", "1/2", ()),
    "stationary": law,
    "stationary, not reversible": lambda: turning(),
    "time-from-law": from_law,
    "kemeny": kemeny,
    "aggregated-matrix": aggregated,
    "aggregated-hitting-time": meta_time,
    "comparison": lambda: compare(["v0 >= 1", "v0*p <= 1"], P, [hitting()]),
    "comparison by cases": three_or_more,
    "comparison by halves": halves,
    "expansion": expansion,
    "expansion, two terms": lambda: expansion(series="1", scale="1", upper="1/p"),
    "capacity": capacity,
    "gap-lower": gap_lower,
    "gap-lower for some integer": chosen,
    "gap-upper": gap_upper,
    "spectral-gap": gap,
    "modes-lower": cycle,
    "modes-lower of even rows": even,
    "modes-upper": lambda: cycle("upper"),
    "modes-gap": two_sides,
    "modes-gap of two types": bounds,
    "exact-gap": exact_gap,
    "composed-law": product_law,
    "composed-aggregated": of_clusters,
    "composed-gap": composed_gap,
    "conductance": conductance,
    "composed-mode": mode,
    "composed-root": composed_root,
    "stochastic-complement": complement,
    "pseudo-gap": pseudo,
    "metastability-ratio": ratio,
}


# ---------------------------------------------------------------- false statements that look proved
def two_targets():
    """Two closed classes: the mean time to hit either is 0, and no law is the only one."""
    rows = chain({"a": "1", "b": "1"}, [("a", "a:1"), ("b", "b:1")])
    time_ = hitting(rows=rows, target=["a", "b"], value="0")
    return law(proving(time_, **functions(f={"a": "0", "b": "0"})), ["1/3", "2/3"])


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
    f = {"a": "0", "b": "0", "ab": "100", "s": "101"}
    found = hitting(rows=rows, target="ab", start=["s", None], value="101")
    return proving(found, **functions(f=f))


def coinciding_moves():
    """At K = 2 the moves to g[1] and to g[K - 1] are one, twice as likely as each."""
    where = domain("K", facts=["K >= 2", "K <= 2"])
    rows = chain(
        {"h": "1", "g": ("1", "1", "1")},
        [("h", "g[1]:1/4; g[K - 1]:1/4; h:1/2"), ("g", "1", "1", "h:1/4; g[1]:3/4")],
    )
    time_ = hitting(where, rows, target=["h"], start=["g", "1"], value="4")
    return law(proving(time_, **functions(f={"h": "0", "g": "4"})))


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
    time_ = hitting(K2, rows, target=["t"], start=["g", "2"], value="5")
    return proving(time_, **functions(f={"t": "0", "g": "2*j + 1"}))


def time_for_a_bound():
    """A hitting time that calls itself a lower bound of the gap: 2 for a chain whose gap is 1."""
    time_ = hitting(rows=two_states("1/2", "1/2"), value="2")
    high = gap_upper(law(hitting(rows=two_states("1/2", "1/2"), value="2")), "2")
    return gap(time_, high, ratio="1")


def ratio_of_nothing():
    """An upper bound that says by itself how far it is from the lower one."""
    high = inside(gap_upper(), lower="p", ratio="1")
    return gap(high=high, ratio="1")


def ratio_of_two():
    """An upper bound that is not the sharp one, said to be close to the lower one."""
    return two_sides(upper="p*(1 - c)")


def negative_ratio():
    """-1 and 2 p differ by a factor of at most -4."""
    return gap(low=gap_lower(value="-1"), ratio="-4")


def chosen_and_free():
    """M is chosen for the lower bound and then free again: the gap is 2/M, not at least 1/2."""
    both = domain("K M", facts=["K >= 2", "M >= 2"])
    rows = two_states("1/M", "1/M")
    tied = domain("K M", facts=["K >= 2", "M >= 2", "M <= 2"])
    low = instance(K2, gap_lower(tied, rows, "1/2"), "2", "1", "M")
    high = gap_upper(law(hitting(both, rows, value="M")), "2/M")
    return gap(low, high, both, ratio="4")


def chosen_twice():
    """The lower bound takes d = K, the upper one d = K + 1, each by its own choice."""
    low = chosen(("K >= 2", "d >= K", "d <= K"))
    rows, where = two_states("1/(2*d)", "1/2"), domain("K d", facts=["K >= 2", "d >= K", "d <= K"])
    high = gap_upper(law(hitting(where, rows, value="2"), ["d/(d + 1)", "1/(d + 1)"]), "2")
    return gap(low, instance(K2, high, "K", "1"), K2, lower="1/2", upper="2", ratio="4")


def other_cases():
    """The lower bound takes its chain by M, the upper one by K."""
    fast, slow = two_states("1/2", "1/2"), two_states("1/4", "1/4")
    both = domain("K M", facts=["K >= 2", "M >= 2"])

    def cases(name, build):
        other = "K" if name == "M" else "M"
        equal = domain("K M", facts=[f"{other} >= 2"], values={name: "2"})
        beyond = domain("K M", facts=[f"{other} >= 2", f"({name} - 2) - 1 >= 0"])
        return by_cases(both, [build(equal, fast), build(beyond, slow)], f"{name} - 2")

    def upper(where, rows):
        time_ = hitting(where, rows, value="2" if rows is fast else "4")
        return gap_upper(law(time_), "(K + 2)/(2*K)")

    low = cases("M", lambda where, rows: gap_lower(where, rows, "2/M**2"))
    return gap(low, cases("K", upper), both, ratio="M**2")


def case_of_the_last():
    """The chain of K >= 3 for K = 2 as well: the cases exchanged."""
    found = slow_or_fast()
    found["statement"]["chain"]["cases"].reverse()
    return found


def cosine_for_an_integer():
    """c is cos(2 pi/K) in the premises and an integer, -1 or 0, in the conclusion."""
    low, high = cycle(), cycle("upper")
    facts = low["statement"]["domain"]["facts"]
    return gap(low, high, domain("K c", "p", facts), ratio="1")


def cosine_chosen():
    """c an integer with c >= 0 and c <= 0: the mode at w = 0, which K = 2 has not."""
    where = domain("K c", "p", ["K >= 2", "p > 0", "p <= 1", "c >= 0", "c <= 0"])
    return cycle("upper", "p/2", where)


def parameter_for_a_mode():
    """A probability called w: the eigenvalue 1 - w + w cos(2 pi j/K) becomes 1 - w + w**2."""
    where = domain("K", "w", ["K >= 2", "w > 0", "w < 1"])
    return cycle("lower", "w - w**2", where, "(2*w)")


def ghosts():
    """A type without states carries the slow mode."""
    rows = chain(
        {"a": "1", "ghost": "0"},
        [("a", "a:1/2; a:1/2:others"), ("ghost", "ghost:999/1000; ghost:1/1000:others")],
    )
    m = "1/(K - 1)"
    x, y = f"(1/2 - {m}/2)", f"(999/1000 - {m}/1000)"
    witness = {"law": ["1", "1"], "block": ["1", f"-{x} - {y}", f"{x}*{y}"]}
    value = "1002*K/(1000004*(K - 1))"
    return certificate("modes-upper", K2, witness=witness, chain=rows, value=value)


def value_for_a_parameter():
    """A parameter called v0 takes the value of the first premise."""
    where = domain(reals="v0", facts=["v0 >= 1"])
    two = hitting(where, two_states("1/2", "1/2"), value="2")
    time_ = hitting(where, two_states("1/v0", "1/v0"), value="v0")
    return compare(["v1 <= v0"], where, [two, time_])


def function_for_a_parameter():
    """The witness leaves f out, and parameters called f and Pf take its place."""
    where = domain(reals="f Pf", facts=["f >= 1"], values={"Pf": "f - 1"})
    found = hitting(where, two_states("1/2", "1/2"), value="f")
    return proving(found, functions={})


def brackets():
    """A probability whose brackets open what stands around it: 1) + (0."""
    rows = two_states("1/2", "1/2")
    rows["rows"][1]["to"][0][2] = "1/4) + (1/4"
    return hitting(rows=rows, value="2")


def vanishing_proof():
    """K - 3 as an expression without minus, 0/0 at the one point of the domain."""
    found = compare(["K >= 3"], domain("K", facts=["K >= 2", "K <= 2"]))
    return proving(found, signs=["(u0**2 + u1)/u0"])


def proof_with_minus():
    return proving(compare(["K >= 3"]), signs=["u0 - 1"])


def proof_of_another():
    return proving(compare(["K >= 3"]), signs=["u0"])


def proof_not_strict():
    return proving(compare(["K > 2"]), signs=["u0"])


def no_value_at_two():
    return compare(["(K - 2)/(K - 2) >= 1"])


def no_value_inside():
    return compare(["1/(1/(K - 2)) >= 0"])


def any_fact():
    """K - K >= 0 holds with equality for every K, not for K = 2 only."""
    first = compare(["K < 3"], domain("K", facts=["K >= 2"], values={"K": "2"}))
    facts = ["K >= 2", "(K - K) - 1 >= 0"]
    beyond = proving(compare(["K < 3"], domain("K", facts=facts)), vacuous=facts[1])
    return by_cases(K2, [first, beyond], "K - K")


def two_roots():
    """(K - 2)(K - 3) = 0 at K = 3 too."""
    e = "(K - 2)*(K - 3)"
    first = compare(["(K - 3)**2 > 0"], domain("K", facts=["K >= 2"], values={"K": "2"}))
    where = domain("K", facts=["K >= 2", f"({e}) - 1 >= 0"])
    beyond = proving(compare(["(K - 3)**2 > 0"], where), signs=["((u1 + 1)/u0)**2"])
    return by_cases(domain("K", facts=["K >= 2", f"{e} >= 0"]), [first, beyond], e)


def gap_between_parts():
    """1/(2 p - 1) is neither >= 0 nor <= 0 at p = 1/2."""
    e, parts = "1/(2*p - 1)", []
    for fact in (f"({e}) >= 0", f"-({e}) >= 0"):
        where = domain(reals="p", facts=["p > 0", "p <= 1", fact])
        parts.append(proving(compare(["(2*p - 1)**2 > 0"], where), signs=["1/u2**2"]))
    return by_cases(P, parts, e, integer=False)


def part_of_a_real():
    """p = 0 or p >= 1: as if p were an integer."""
    first = compare(["p*(p - 1) >= 0"], domain(reals="p", values={"p": "0"}))
    beyond = compare(["p*(p - 1) >= 0"], domain(reals="p", facts=["(p) - 1 >= 0"]))
    return by_cases(domain(reals="p", facts=["p >= 0"]), [first, beyond], "p")


def no_integer():
    """At K = 3 no d satisfies (K - 3) d >= 1."""
    facts, p = ["K >= 3", "d <= 1", "(K - 3)*d >= 1"], "(K - 3)/(2*(K - 2))"
    low = gap_lower(domain("K d", facts=facts), two_states(p, p), "1/4")
    return instance(domain("K", facts=facts[:1]), low, "1", "1")


def no_room():
    """No integer d with K <= 2 d <= K where K is odd."""
    return chosen(("K >= 2", "2*d >= K", "2*d <= K"))


def half_an_integer():
    """d = K/2, an integer or not."""
    found = chosen(("K >= 2", "2*d >= K", "2*d <= K"))
    return proving(found, multiple="K/2", of="1")


def instance_of_a_time():
    """A mean time that holds for one d only."""
    where = domain("K d", facts=["K >= 2", "d >= 2", "d <= 2"])
    return instance(K2, hitting(where, two_states("1/2", "1/2"), value="2"), "2", "1")


EMPTY = domain("K", facts=["K >= 2", "K <= 1"])


def empty_cases():
    """On an empty domain nothing is shown of others that the statement carries along."""
    told = inside(compare(["K < 0"], EMPTY), parts=[compare(["K < 0"])["statement"]])
    return proving(told, vacuous="K <= 1")


def empty_instance():
    told = inside(compare(["K < 0"], EMPTY), of=compare(["K < 0"])["statement"])
    return proving(told, vacuous="K <= 1")


def empty_by_another():
    """A fact that contradicts, but is none of the domain's."""
    return proving(compare(["K < 0"]), vacuous="K <= 1")


def spoken_twice():
    """A second line that no proof stands behind."""
    told = hitting(EMPTY, value="1\n\nVERIFIED: For all integers K with K >= 2: K < 0")
    return proving(told, vacuous="K <= 1")


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


def wrong_way_round():
    """The rows of a chain that turns for its own reversal."""
    return turning(back=turning()["statement"]["chain"]["rows"])


def reversible_by_default():
    """A chain that turns, without its reversal."""
    return turning(back=[])


def gap_of_a_turning_chain():
    """A test function for a chain that is not reversible."""
    f = {"a": "0", "b": "1", "c": "1"}
    return gap_upper(turning(), "3/2", f)


def walk_in_a_law():
    """Moves of W, as if they led nowhere."""
    return law(hitting(CLUSTER, gated()))


def walk_in_a_gap():
    """The gap of the types with W is not that of the chain on clusters x types."""
    return inner_gap(chain=gated())


def walk_in_a_time():
    return hitting(CLUSTER, gated())


def step_elsewhere():
    """The walk steps from the gate to the home."""
    rows = gated(to="b", stay="1 - 2*p")
    inside_ = checker.retagged(rows, W=[])
    premises = inner_gap("2*p", chain=inside_), inner_law(inside_, ("1/3", "2/3"))
    return composed_gap((*premises, walk_gap("lower"), walk_gap("upper")), chain=rows)


def steps_from_both():
    """Two places from which the walk steps: what returns may return elsewhere."""
    rows = gated()
    rows["rows"][1]["to"][0].append("W")
    return complement(rows)


def gap_of_itself():
    """A gap of clusters x types, taken for that of a walk on the types."""
    low = composed_gap()
    told = {"walk": gated(), "lower": "p*K/(3*K - 2)/10", "ratio": "100", "upper": "1"}
    return composed_gap((inner_gap(), inner_law(), low, low), **told)


def fast_mode():
    """The equation of an eigenvalue of the walk that is not its second."""
    gap = "3/2*K/(K - 1)"
    equation = {"b": f"2*p + p*({gap})", "c2": f"p**2*({gap})"}
    return composed_root((slow_mode(gap), walk_gap("lower"), walk_gap("upper")), **equation)


def even_across_clusters():
    """Moves to the others of a class that also leave the cluster."""
    rows = {**pairs(), "even": "yes"}
    return bounds(chain=rows)


def beyond_one():
    """The gap 3/2 of the rows is not that of the classes, whose modes inside have eigenvalue 0."""
    rows = {**even()["statement"]["chain"], "rows": two_states("3/4", "3/4")["rows"]}
    return even("3/2", chain=rows)


def no_clusters_at_all():
    """Without moves to other clusters the equation is x^2 - (2 - 2 p) x = 0, its root 0 no gap."""
    rows = chain({"a": "1", "b": "1"}, [("a", "b:1 - p; a:p"), ("b", "a:1 - p; b:p")])
    equation = {"b": "2 - 2*p", "c2": "0"}
    one = root(rows=rows, **equation)
    return exact_gap((inside(bounds(), chain=rows), one), chain=rows, **equation)


def square_with_a_minus():
    """A square of what is not one: the exponent belongs to a part only."""
    return proving(compare(["K >= 3"]), signs=["u0 - (1)**2"])


def square_that_vanishes():
    """(K - 3)^2 > 0 is false at K = 3."""
    return proving(compare(["(K - 3)**2 > 0"]), signs=["(K - 3)**2"])


def odd_power():
    return proving(compare(["(K - 3)**21 >= 0"]), signs=["(K - 3)**21"])


def sort_of_others():
    """As many states like a as one likes: the others then have no mass, or less than none."""
    return kemeny(count="4")


def law_of_the_home():
    """The mean time to b, counted as if it were to a."""
    return kemeny(premises=(law(), other_time(), from_law()))


def value_of_bounds():
    """A lower bound of a gap, expanded as if it were the gap."""
    return expansion(gap(lower="p"), "p", "p", "0", "0")


ATTACKS = [
    two_targets,
    target_of_two,
    letters_for_a_list,
    coinciding_moves,
    negative_class,
    half_an_index,
    time_for_a_bound,
    ratio_of_nothing,
    ratio_of_two,
    negative_ratio,
    chosen_and_free,
    chosen_twice,
    other_cases,
    case_of_the_last,
    cosine_for_an_integer,
    cosine_chosen,
    parameter_for_a_mode,
    ghosts,
    value_for_a_parameter,
    function_for_a_parameter,
    brackets,
    vanishing_proof,
    proof_with_minus,
    proof_of_another,
    proof_not_strict,
    no_value_at_two,
    no_value_inside,
    any_fact,
    two_roots,
    gap_between_parts,
    part_of_a_real,
    no_integer,
    no_room,
    half_an_integer,
    instance_of_a_time,
    empty_cases,
    empty_instance,
    empty_by_another,
    spoken_twice,
    orphan_cluster,
    no_target,
    sum_of_one_index,
    wrong_way_round,
    reversible_by_default,
    gap_of_a_turning_chain,
    walk_in_a_law,
    walk_in_a_gap,
    walk_in_a_time,
    step_elsewhere,
    steps_from_both,
    gap_of_itself,
    fast_mode,
    even_across_clusters,
    beyond_one,
    no_clusters_at_all,
    square_with_a_minus,
    square_that_vanishes,
    odd_power,
    sort_of_others,
    law_of_the_home,
    value_of_bounds,
]


@pytest.mark.parametrize("name", HAND)
def test_certificate_by_hand(name):
    found = HAND[name]()
    assert found["statement"]["kind"] == re.split(" |,", name)[0]
    assert check(found) == found["statement"]
    assert checker.text(found["statement"]).startswith("For all ")


def test_every_kind_is_tried_by_hand():
    assert {re.split(" |,", name)[0] for name in HAND} == set(checker.RULES)


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.__name__)
def test_false_statement_is_refused(attack):
    with pytest.raises(checker.Refused):
        check(attack())


def half_as_far(name, value):
    """A true certificate by hand, with another value."""
    return inside(HAND[name](), value=value)


FALSE = {  # a true statement by hand, made false
    "time too long": lambda: proving(hitting(value="2/p"), **functions(f={"a": "0", "b": "1/p"})),
    "time of another chain": lambda: hitting(rows=two_states("p", "p/2")),
    "time at the target": lambda: hitting(start=["a", None]),
    "time to nowhere": lambda: hitting(target=["b"]),
    "time to a stranger": lambda: hitting(target=["a", "c"]),
    "time negative": lambda: hitting(rows=two_states("p", "-p"), value="-1/p"),
    "time not bounded": lambda: hitting(domain(reals="p", facts=["p >= 0", "p <= 1"])),
    "time from no index": lambda: hitting(start=["b", "0"]),
    "time beside the clusters": lambda: inside(meta_time(), chain=two_states("p/2", "p/2")),
    "row too heavy": lambda: hitting(
        rows=chain({"a": "1", "b": "1"}, [("a", "a:1"), ("b", "a:p; b:1")])
    ),
    "row missing": lambda: law(
        hitting(rows=chain({"a": "1", "b": "1"}, [("b", "a:p; b:1 - p")])), ["1/2", "1/2"]
    ),
    "row of the target missing": lambda: hitting(
        rows=chain({"a": "1", "b": "1"}, [("b", "a:p; b:1 - p")])
    ),
    "row twice": lambda: hitting(
        rows=chain(
            {"a": "1", "b": "1"}, [("a", "a:1"), ("b", "a:p; b:1 - p"), ("b", "a:p; b:1 - p")]
        )
    ),
    "chain of the cases exchanged": case_of_the_last,
    "bound too small": lambda: bounded("1/(2*p)"),
    "bound off the target": lambda: bounded(f={"a": "-1"}),
    "lower bound too large": lambda: bounded("2/p", "2/p"),
    "lower bound on the target": lambda: bounded(g={"a": "1"}),
    "square too large": lambda: half_as_far("second-moment", "2/p**2"),
    "square of another time": lambda: squared(f="2/p"),
    "square without the time": lambda: proving(squared(), functions={"m": {"a": "0", "b": "1"}}),
    "return at once": lambda: half_as_far("return-time", "1"),
    "return of another chain": lambda: returning(rows=two_states("p", "p/2")),
    "generating function at 1": lambda: generating("1", "s", ("s > 0", "s <= 1")),
    "generating function, another": lambda: proving(
        generating(), **functions(f={"a": "0", "b": "1/p"}, m={"a": "1", "b": "p"})
    ),
    "law unbalanced": lambda: law(weights=["1/3", "2/3"]),
    "law too heavy": lambda: law(weights=["1", "1"]),
    "law of another chain": lambda: inside(law(), chain=two_states("p/2", "p/2")),
    "law without a time": lambda: {**law(), "premises": []},
    "law of a turning chain": lambda: turning(("1/2", "1/4", "1/4")),
    "matrix doubled": lambda: aggregated(
        aggregated=chain(
            {"left": "1", "right": "1"},
            [("left", "left:1 - p; right:p"), ("right", "left:p; right:1 - p")],
        )
    ),
    "cluster of others": lambda: aggregated(clusters={"a": "right", "b": "left", "c": "right"}),
    "inequality false": lambda: compare(["v0 >= 2"], P, [hitting()]),
    "inequality strict": lambda: compare(["v0*p < 1"], P, [hitting()]),
    "inequality on more": lambda: compare(
        ["v0 >= 1"], domain(reals="p", facts=["p > 0"]), [hitting()]
    ),
    "inequality of others": lambda: inside(
        compare(["v0 >= 1"], P, [hitting()]), of=[gap_lower()["statement"]]
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
    "gap with a value": lambda: gap(value="2*p"),
    "gap of another": lambda: gap(chain=two_states("p/2", "p/2")),
    "gap of two": lambda: gap(
        high=gap_upper(law(hitting(rows=two_states("p/2", "p/2"), value="2/p")))
    ),
    "gap lower twice": lambda: gap(high=gap_lower(value="p/2"), upper="p/2", ratio="1"),
    "gap on more": lambda: gap(where=domain(reals="p", facts=["p > 0"])),
    "cycle below": lambda: cycle(value="p*(1 - c)"),
    "cycle above": lambda: cycle("upper", "p*(1 - c)/4"),
    "cycle by other modes": lambda: proving(cycle(), block=["1", "-(1 - p/2)"]),
    "cycle by the leading coefficient": lambda: proving(
        cycle("upper", "p*(1 - c)/4"), block=["2", "-2*(1 - p/2) - p*w"]
    ),
    "two sides apart": lambda: two_sides(ratio="1/2"),
    "two sides, lower": lambda: two_sides(lower="p*(1 - c)/4"),
    "even rows too far": lambda: even("3*p"),
    "even rows of another law": lambda: proving(even(), law=["1", "2"]),
    "cycle to one side": lambda: inside(
        cycle(), chain=chain({"a": "1"}, [("a", "a:1 - p/2; a:p/2:+1")])
    ),
    "cycle and a walk": lambda: inside(
        cycle(), chain=chain({"a": "1"}, [("a", "a:1 - p/2; a:p/4:+1; a:p/4:W")])
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
    "root of another": lambda: inside(root(), b="1"),
    "root product": lambda: root(c2="p"),
    "root from the other": lambda: root(pivot="b"),
    "root beside others": lambda: exact_gap(b="1"),
    "root of other bounds": lambda: exact_gap(lower="p"),
    "case left out": lambda: {
        **three_or_more(),
        "premises": three_or_more()["premises"][1:],
    },
    "case of others": lambda: inside(three_or_more(), claims=["K >= 3"]),
    "cases of more": lambda: inside(three_or_more(), domain=domain("K", facts=["K >= 1"])),
    "no choice": lambda: chosen(("K >= 2", "3*d >= 2*K", "3*d <= 2*K + 1")),
    "choice mentioned": lambda: instance(
        K2,
        gap_lower(domain("K d", facts=["K >= 2", "d >= 2"]), two_states("1/d", "1/d"), "1/d"),
        "2",
        "1",
    ),
    "mean from the law": lambda: from_law(value="1/p"),
    "mean from another law": lambda: from_law(chain=two_states("p/2", "p/2")),
    "kemeny too large": lambda: kemeny(value="1/p"),
    "kemeny without a law": lambda: kemeny(premises=(from_law(), from_law(), other_time())),
    "capacity doubled": lambda: capacity("p"),
    "capacity of others": lambda: inside(capacity(), start=["a", None]),
    "expansion off": lambda: expansion(series="2/p"),
    "expansion on more": lambda: expansion(on=domain(reals="p", facts=["p > 0"])),
    "expansion of another": lambda: inside(expansion(), of=[hitting(value="2/p")["statement"]]),
    "product of another law": lambda: product_law(law=["1/3", "2/3"]),
    "product of another walk": lambda: product_law(walk=two_states("1/2", "1/2")),
    "product of other rows": lambda: product_law(chain=gated("1 - 3*p", "2*p:W")),
    "product with one law": lambda: product_law((inner_law(),)),
    "clusters too fast": lambda: of_clusters("(K - 1)/p"),
    "clusters from the target": lambda: of_clusters(start=["t", None]),
    "clusters without a walk": lambda: of_clusters(chain=checker.retagged(gated(), W=[])),
    "gap of gates too large": lambda: composed_gap(lower="p"),
    "gap of gates too small": lambda: composed_gap(upper="p/4"),
    "gap of gates apart": lambda: composed_gap(ratio="1"),
    "gap from another pivot": lambda: composed_gap(pivot="b"),
    "gap of another walk": lambda: composed_gap(walk=everywhere()),
    "gap of another law": lambda: composed_gap(
        (inner_gap(), inner_law(weights=("1/3", "2/3")), walk_gap("lower"), walk_gap("upper"))
    ),
    "gap of the walk exchanged": lambda: composed_gap(
        (inner_gap(), inner_law(), walk_gap("upper"), walk_gap("lower"))
    ),
    "gap of the walk too large": lambda: composed_gap(
        (inner_gap(), inner_law(), walk_gap("lower", "2"), walk_gap("upper"))
    ),
    "conductance below": lambda: conductance(lower="p/2"),
    "conductance above": lambda: conductance(upper="p/4"),
    "conductance of another gap": lambda: conductance((gap_lower(), inner_law())),
    "mode of another equation": lambda: mode(c2="p"),
    "mode of another gate": lambda: mode(pivot="b"),
    "root of the walk, another": lambda: composed_root(gap="1"),
    "root of one bound": lambda: composed_root((slow_mode(), walk_gap("lower"))),
    "root of bounds that differ": lambda: composed_root(
        (slow_mode("1"), walk_gap("lower", "1"), walk_gap("upper")), gap="1"
    ),
    "pseudo-gap too large": lambda: pseudo("2*p"),
    "pseudo-gap of another law": lambda: pseudo(premise=inner_law(weights=("1/3", "2/3"))),
    "ratio too small": lambda: ratio("1/2"),
    "ratio of another function": lambda: ratio(f={"a": "1", "b": "1/2"}),
    "ratio of the gate": lambda: ratio(home="a"),
    "complement without a walk": lambda: complement(two_states("p", "p")),
}


@pytest.mark.parametrize("name", FALSE)
def test_false_variant_is_refused(name):
    with pytest.raises(checker.Refused):
        check(FALSE[name]())


@pytest.mark.parametrize(
    ("found", "reason"),
    [
        (any_fact, "another value"),
        (part_of_a_real, "no split"),
        (coinciding_moves, "v0.law == 1"),
        (function_for_a_parameter, "not shown: f"),
        (brackets, "not an expression"),
        (vanishing_proof, "division by zero"),
        (half_an_integer, "no integer"),
        (chosen_and_free, "some integer only"),
        (cosine_chosen, "no more"),
        (ghosts, "size > 0"),
        (walk_in_a_gap, "wrong move"),
        (walk_in_a_law, "wrong move"),
        (step_elsewhere, "f - Pf|elsewhere"),
        (steps_from_both, "exits == 1"),
        (gap_of_itself, "of kind composed-gap"),
        (even_across_clusters, "uniform or not"),
        (beyond_one, "inside a class"),
        (fast_mode, "m0 == 1 - gap"),
        (value_of_bounds, "v0"),
        (wrong_way_round, "out == mass"),
        (gap_of_a_turning_chain, "another reversed"),
    ],
    ids=lambda part: getattr(part, "__name__", ""),
)
def test_false_statements_fail_for_their_own_reason(found, reason):
    with pytest.raises(checker.Refused, match=reason):
        check(found())


@pytest.mark.parametrize(
    ("found", "reason"), [(two_roots, "another value"), (gap_between_parts, "vanish")]
)
def test_cases_fail_whatever_their_parts(found, reason):
    found = found()
    statement, told = found["statement"], [p["statement"] for p in found["premises"]]
    with pytest.raises(checker.Refused, match=reason):
        checker.by_cases(statement, found["witness"], told, Searching(statement["domain"], []))


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
def test_odd_claim_is_refused_with_little_effort(name, monkeypatch):
    monkeypatch.setattr(checker, "WORK", checker.WORK // 100)
    with pytest.raises(checker.Refused, match="." if name in BOMBS else "^(?!too much work)"):
        check(compare({**BOMBS, **ODD}[name]))


@pytest.mark.parametrize(
    ("claim", "reason"),
    [
        ("+".join(f"1/(K+{n})" for n in range(1, 400)) + " >= 0", "too much work"),
        ("(K + 1)**20*(K**20 + 1)**40 >= K**900", "too large"),
    ],
    ids=["fractions", "degree"],
)
def test_work_ends(claim, reason, monkeypatch):
    """With a tenth of the effort, and no search for a proof, to be quick."""
    monkeypatch.setattr(checker, "WORK", checker.WORK // 10)
    with pytest.raises(checker.Refused, match=reason):
        checker.check({**compare([claim]), "witness": {"signs": []}})


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
        proving(compare(["K >= 2"]), signs="0"),
        proving(compare(["K >= 2"]), signs={"K": "0"}),
        proving(compare(["K >= 2"]), signs=[None]),
        proving(compare(["K >= 2"]), signs=[["u0"]]),
        proving(compare(["K >= 2"]), signs=["K - 2"]),
        proving(compare(["K >= 2"]), signs=["u1"]),
        proving(compare(["K >= 2"]), split="K - 2"),
        proving(compare(["K >= 2"]), split="K - 2", integer="yes"),
        proving(compare(["K >= 2"]), vacuous="K >= 2"),
        deep(300),
        deep(3000),
    ],
)
def test_malformed_certificate_is_refused(broken):
    with pytest.raises(checker.Refused):
        check(broken)


@pytest.mark.parametrize(
    "content, code",
    [
        ("", 2),
        ("[]", 2),
        ("{}", 2),
        ("null", 2),
        ('{"format": "metastable-certificate/2"}', 1),
        ('{"format": "metastable-certificate/2", "witness": NaN}', 2),
        ('{"format": "metastable-certificate/2", "witness": 1.5}', 2),
        ('{"format": "metastable-certificate/2", "witness": 1}', 2),
        ('{"format": "metastable-certificate/2", "witness": 1' + "0" * 100000 + "}", 2),
        ('{"format": "metastable-certificate/2", "format": "metastable-certificate/2"}', 2),
        ('{"format": "metastable-certificate/2", "witness": true}', 1),
        ("[" * 100000, 2),
        (b"\xff\xfe", 2),
        ('{"format": "metastable-certificate/2", "statement": {"kind": "\\ud800\\n"}}', 1),
        (json.dumps(completed(compare(["K >= 2"]))), 0),
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
    by_hand = [completed(build()) for build in HAND.values()]
    assert set().union(*map(kinds, [*exported, *by_hand])) == set(checker.RULES)
    for found in [*exported, *by_hand]:
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
        for key in ("value", "lower", "upper"):
            assert found["statement"].get(key, "") in words
        for fact in found["statement"]["domain"]["facts"]:
            assert fact in words


# ---------------------------------------------------------------- arithmetic, signs and coverage
NAMES = ("a", "b", "n")
ENV = {name: checker.Q({(name,): 1}) for name in NAMES}


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
        return sympy.Add(*(c * sympy.prod(map(sympy.Symbol, m)) for m, c in p.items()))

    return poly(q.num) / sympy.prod(poly(dict(f)) ** e for f, e in q.den.items())


def exact(text):
    return sympy.sympify(text, locals={name: sympy.Symbol(name) for name in NAMES})


@settings(max_examples=150, deadline=None)
@given(expressions())
def test_expression_agrees_with_sympy(text):
    try:
        found = checker.parse(text, ENV, [])
    except checker.Refused as error:
        assert "division by zero" in str(error)
        assert exact(text).has(sympy.zoo, sympy.nan) or sympy.cancel(exact(text)).has(sympy.zoo)
    else:
        assert sympy.cancel(to_sympy(found) - exact(text)) == 0
        assert (not found.num) == (sympy.cancel(exact(text)) == 0)


BOX = domain("n", "a", ["n >= 2", "a > 0", "a < 1"])


def shown(text, strict=False, proof=None, facts=BOX["facts"]):
    """The sign of an expression by the search, or by one proof."""
    where = {**BOX, "facts": list(facts)}
    on = Searching(where, []) if proof is None else checker.Domain(where, iter([proof]))
    return on.sign(checker.parse(text, on.env, []), strict)


@settings(max_examples=300, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(-6, 9), st.integers(0, 2), st.integers(0, 2)), min_size=1, max_size=5
    ),
    st.booleans(),
)
def test_sign_rule_is_never_wrong(terms, strict):
    """What it accepts holds at points of the box; and it accepts what is plain."""
    sign = shown(" + ".join(f"({c})*n**{k}*a**{m}" for c, k, m in terms), strict)
    values = [
        sum(c * n**k * a**m for c, k, m in terms)
        for n in (2, 3, 10, 1000)
        for a in (Fraction(1, 10**6), Fraction(1, 3), Fraction(1, 2), Fraction(999999, 10**6))
    ]
    if sign:
        least = min(sign * value for value in values)
        assert least > 0 if strict else least >= 0
    if all(c > 0 for c, _, _ in terms):
        assert sign == 1


PROOFS = st.recursive(
    st.sampled_from(["u0", "u1", "u2", "1", "2", "u0/(u1 + u2)", "1/u1"]),
    lambda inner: st.tuples(inner, st.sampled_from("+*"), inner).map(
        lambda t: f"({t[0]} {t[1]} {t[2]})"
    ),
    max_leaves=6,
)


@settings(max_examples=200, deadline=None)
@given(PROOFS, st.booleans())
def test_proof_proves_what_it_is(proof, strict):
    """An expression in the facts proves itself, written in the parameters, and nothing less."""
    text = proof.replace("u0", "(n - 2)").replace("u1", "a").replace("u2", "(1 - a)")
    assert shown(text, proof=proof) == 1
    assert shown(f"-({text})", proof=proof) == -1
    assert shown(f"{text} + n", proof=proof) == 0
    if shown(text, True, proof):
        value = checker.parse(
            text, {"n": checker.Q({(): 2}), "a": checker.ONE / checker.Q({(): 3})}, []
        )
        assert value.num


def test_sign_on_the_boundary():
    assert shown("n - 2") == 1 and shown("n - 2", True) == 0
    assert shown("a", True) == shown("1 - a", True) == 1
    assert shown("0") == 1 and shown("0", True) == 0
    assert shown("a - n") == -1 and shown("n - a", True) == 1
    assert shown("a - 1/2") == 0


def test_sign_of_a_quotient():
    assert shown("n/((a - 1)*(a - n))", True) == 1
    on = Searching(BOX, [])
    for text in ("1/(n - 2) >= 0", "(n - 2)/(n - 2) >= 0", "1/(1/(n - 2)) >= 0"):
        with pytest.raises(checker.Refused, match="denominator may vanish"):
            on.holds(text)
    assert on.holds("(n - 1)/(n - 1) == 1")


@pytest.mark.parametrize(
    "proof",
    [
        "u0 - 0",
        "n",
        "u3",
        "u0 + u1/u0",  # 0/0 at n = 2
        "u0*(u1 + u2)/u0",
        "u1",
        "",
        "u0 >= 0",
        "u0/(u0*u1)*u1",
    ],
)
def test_proof_that_is_none(proof):
    """Of n - 2 >= 0, which u0 shows."""
    assert shown("n - 2", proof="u0") == shown("n - 2", proof="u0*(u1 + u2)") == 1
    with contextlib.suppress(checker.Refused):
        assert shown("n - 2", proof=proof) == 0


def test_facts_that_are_not_strict():
    assert shown("a", True, "u1") == 1
    assert shown("a", True, "u1", ["n >= 2", "a >= 0", "a < 1"]) == 0
    assert shown("a", False, "u1", ["n >= 2", "a >= 0", "a < 1"]) == 1
    with pytest.raises(checker.Refused, match="division by zero"):
        shown("n/a", False, "(u0 + 2)/u1", ["n >= 2", "a >= 0", "a < 1"])


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
    time_ = hitting(K2, rows, target=["t"], start=["g", "K"], value="1")
    time_ = proving(time_, **functions(f={"t": "0", "g": "1"}))
    if fits:
        check(time_)
    else:
        with pytest.raises(checker.Refused, match=r"first|lo|no integer"):
            check(time_)


def uniform(total="j*(j + 1)*(3*K + 1 - j)/(3*(K + 1))", value="K*(2*K + 1)/3"):
    """A walk on 0..K that stays at the ends: its law is uniform."""
    rows = chain(
        {"g": ("1", "1", "K"), "o": "1"},
        [
            ("o", "o:1/2; g[1]:1/2"),
            ("g", "1", "1", "o:1/2; g[j + 1]:1/2"),
            ("g", "2", "K - 1", "g[j - 1]:1/2; g[j + 1]:1/2"),
            ("g", "K", "K", "g[j - 1]:1/2; g[j]:1/2"),
        ],
    )
    where = domain("K", facts=["K >= 3"])
    f = {"o": "0", "g": "j*(2*K + 1 - j)"}
    statement = {"chain": rows, "target": ["o"], "start": ["g", "1"], "value": "2*K"}
    time_ = certificate("mean-hitting-time", where, witness=functions(f=f), **statement)
    found = from_law(law(time_, ["1/(K + 1)"] * 4), value, f, target=["o"])
    return proving(found, sums={"mean": [total] * 4})


def test_sums_over_an_index():
    check(uniform())
    for wrong in (uniform("j"), uniform(value="K**2"), uniform("j*(j + 1)*(3*K - j)/(3*K + 3)")):
        with pytest.raises(checker.Refused, match=r"another sum|mean"):
            check(wrong)


def test_terms_are_bounded():
    high = checker.Q({("a",) * (checker.DEGREE - 1): 1})
    with pytest.raises(checker.Refused, match="too large"):
        high * ENV["a"]
    with pytest.raises(checker.Refused, match="too large"):
        checker.Q({(): checker.HUGE - 1}) * checker.Q({(): 2})


def test_work_is_bounded(monkeypatch):
    found = completed(hitting())
    checker.check(found)
    monkeypatch.setattr(checker, "WORK", 10)
    with pytest.raises(checker.Refused, match="too much work"):
        checker.check(found)
    assert checker.left == [float("inf")]


def test_premises_are_remembered_for_one_certificate():
    """A premise that occurs twice is checked once, another with one letter changed is not."""
    both = compare(["v0 <= v1"], P, [hitting(), hitting()])
    check(both)
    wrong = json.loads(json.dumps(both))
    wrong["premises"][1]["statement"]["start"] = ["a", None]
    with pytest.raises(checker.Refused):
        check(wrong)
