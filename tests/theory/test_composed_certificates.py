"""Certificates about clusters that a walk W joins: by hand, attacked, and altered at random.

What the checker accepts of an altered certificate is put to a judge that builds clusters x types
from the rows of the statement and solves the chain in floating point.
"""

import copy
import importlib.util
import itertools
import json
import math
import random
import re
import zlib
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from theory import catalogue, certificates, checker


def beside(name):
    """A copy of another module of tests in this folder, for its helpers."""
    spec = importlib.util.spec_from_file_location(
        f"helpers_{name}", Path(__file__).parent / f"{name}.py"
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


hand, alter = beside("test_checker"), beside("test_alterations")
domain, inside, proving = hand.domain, hand.inside, hand.proving

# ---------------------------------------------------------------- certificates by hand
E = ["e > 0", "e < 1"]
CLUSTER = domain(reals="e", facts=E)
WALK = domain("K", facts=["K >= 2"])
BOTH = domain("K", "e", ["K >= 2", *E])
HR = domain(reals="e H R", facts=[*E, "H >= 1", "R >= 1"])
HR2 = domain(reals="e H R H2 R2", facts=[*HR["facts"], "H2 >= 1", "R2 >= 1"])


def rows(classes, lines):
    """As ``chain`` of the other module; a move to ``gate*`` takes a step of W."""
    found = hand.chain(classes, lines)
    for row in found["rows"]:
        for move in row["to"]:
            if move[0].endswith("*"):
                move[0] = move[0][:-1]
                move.append("W")
    return found


def pair(p="(1 - e)/2", leave="e", to="g"):
    """Clusters of a gate g and a home h; the gate takes a step of W with probability e."""
    stay = f"g:1 - ({leave}) - ({p})" if p != "(1 - e)/2" else "g:(1 - e)/2"
    return rows(
        {"g": "1", "h": "1"}, [("g", f"{stay}; h:{p}; {to}*:{leave}"), ("h", "g:1/2; h:1/2")]
    )


def complete():
    """The walk on the complete graph of K."""
    return hand.chain(
        {"t": "1", "o": "K - 1"}, [("t", "o:1"), ("o", "t:1/(K - 1); o:(K - 2)/(K - 1)")]
    )


def proof(kind, on, *premises, witness=None, **statement):
    """A certificate with some charts of its domain."""
    charts = list(itertools.islice(certificates._charts(checker.Domain(on, [])), 60))
    return hand.certificate(kind, on, *premises, charts=charts, witness=witness, **statement)


GATE = "2*(1 + (2 - e)*(R - 1))/(1 - e)"  # from the gate of the target's cluster
SLOPE = "(2 - e)/e"
AWAY = f"{SLOPE}*H + {GATE}"


def every(value=f"{AWAY} + 2", chain=None, on=HR, away=None, home=None, **changes):
    """The mean time to the home of another cluster, for every walk."""
    witness = {
        "functions": {"f": home or {"g": GATE, "h": "0"}},
        "away": {"f": away or {"g": AWAY, "h": f"{AWAY} + 2"}},
    }
    told = {"chain": chain or pair(), "target": ["h"], "start": ["h", None], "value": value}
    return proof("mean-hitting-time", on, witness=witness, **{**told, **changes})


def steps(kind="mean-hitting-time", value="K - 1", chain=None, on=WALK, values=None, **changes):
    """A time of W on the complete graph."""
    ends = {} if kind.startswith("return") else {"start": ["o", None]}
    told = {"chain": chain or complete(), "target": ["t"], **ends, "value": value}
    values = values or {"t": "0", "o": "K - 1"}
    second = {"m": {"t": "0", "o": "(K - 1)*(2*K - 3)"}} if "second" in kind else {}
    witness = {"functions": {"f": values, **second}}
    return proof(kind, on, witness=witness, **{**told, **changes})


def back():
    return steps("return-time", "K")


TO = {"chain": complete(), "target": ["t"], "start": ["o", None]}
ON_COMPLETE = "(2 - e)*(K - 1 + (K + 1)*e)/(e*(1 - e))"


def on_walk(first=None, own=None, on=BOTH, meta=None, value=ON_COMPLETE, **changes):
    """The same time for the complete graph."""
    first = first or every()
    told = {k: v for k, v in first["statement"].items() if k not in ("kind", "domain")}
    own = [steps(), back()] if own is None else own
    told |= {"meta": meta or TO, "value": value, **changes}
    return proof(first["statement"]["kind"], on, first, *own, **told)


def law(chain=None, on=CLUSTER, weights=("1/(2 - e)", "(1 - e)/(2 - e)"), time=None, **changes):
    chain = chain or checker.untagged(pair())
    time = time or proof(
        "mean-hitting-time",
        on,
        witness={"values": {"g": "0", "h": "2"}},
        chain=chain,
        target=["g"],
        start=["h", None],
        value="2",
    )
    return proof("stationary", on, time, chain=chain, law=list(weights), **changes)


def walk_law(on=WALK):
    return proof("stationary", on, steps(on=on), chain=complete(), law=["1/K", "1/K"])


def product(**changes):
    told = {
        "chain": pair(),
        "law": ["1/(2 - e)", "(1 - e)/(2 - e)"],
        "meta": {"chain": complete(), "law": ["1/K", "1/K"]},
        **changes,
    }
    return proof("composed-law", BOTH, law(), walk_law(), **told)


def of_clusters(walk=None, on=BOTH, **changes):
    told = {"chain": pair(), "meta": TO, "value": "(2 - e)*(K - 1)/e", **changes}
    return proof("composed-aggregated", on, law(), walk or steps(), **told)


def kappa(chain=None, pivot="g", values=None, value="1/2", on=CLUSTER):
    chain = chain or checker.untagged(pair())
    values = values or {"g": "0", "h": "1"}
    return proof("gap-lower", on, witness={"values": values}, chain=chain, pivot=pivot, value=value)


def walk_below():
    """The gap of the walk on the complete graph is K/(K - 1), more than is shown."""
    return proof("even-gap", WALK, walk_law(), chain=complete(), value="1")


def walk_above(premise=None, chain=None):
    return proof(
        "gap-upper",
        WALK,
        premise or walk_law(),
        witness={"values": {"t": "1", "o": "0"}},
        chain=chain or complete(),
        value="K/(K - 1)",
    )


def gap(low=None, weights=None, below=None, above=None, on=BOTH, **changes):
    told = {
        "chain": pair(),
        "pivot": "g",
        "lower": "e/(2 + e)",
        "upper": "e/(2 - e)*K/(K - 1)",
        "ratio": "6",
        "meta": [complete()],
        "even": "yes",
        **changes,
    }
    told = {k: v for k, v in told.items() if v is not None}
    premises = (low or kappa(), weights or law(), below or walk_below(), above or walk_above())
    return proof("composed-gap", on, *premises, **told)


def leaving(s="s", value=None, on=None, m=None):
    """The generating function of the time to leave a cluster."""
    outside = hand.chain(
        {"g": "1", "h": "1", "x": "1"},
        [("g", "g:(1 - e)/2; h:(1 - e)/2; x:e"), ("h", "g:1/2; h:1/2"), ("x", "x:1")],
    )
    on = on or domain(reals="e s", facts=[*E, "s > 0", "s <= 1"])
    bottom = "(2 - s*(2 - e))"  # det(1 - s P) is this over 2
    m = m or {"g": f"e*s*(2 - s)/{bottom}", "h": f"e*s**2/{bottom}", "x": "1"}
    functions = {"f": {"g": "(2 - e)/e", "h": "(2 - e)/e + 2", "x": "0"}, "m": m}
    return proof(
        "generating-function",
        on,
        witness={"functions": functions},
        chain=outside,
        target=["x"],
        start=["h", None],
        s=s,
        value=value or m["h"],
    )


HAND: dict[str, Any] = {
    "every walk": every,
    "one walk": on_walk,
    "second moment of W": lambda: steps("second-moment", "(K - 1)*(2*K - 3)"),
    "return": back,
    "second moment of the return": lambda: steps(
        "return-second-moment", "1 + 2*(K - 1) + (K - 1)*(2*K - 3)"
    ),
    "leaving": leaving,
    "law": product,
    "clusters": of_clusters,
    "even gap": walk_below,
    "gap": gap,
}


@pytest.mark.parametrize("name", HAND)
def test_certificate_by_hand(name):
    found = HAND[name]()
    assert checker.check(found) == found["statement"]


# ---------------------------------------------------------------- false statements that look proved
def one_type(p="1"):
    """Clusters of one state, which take a step of W each time: the time is H."""
    return rows({"a": "1"}, [("a", f"a*:{p}" if p == "1" else f"a*:{p}; a:1 - {p}")])


def of_one_type(value="H", away=None, on=None, p="1", first_moment=None):
    on = on or domain(reals="H R", facts=["H >= 1", "R >= 1"])
    return every(
        value,
        one_type(p),
        on,
        {"a": away or value},
        {"a": "0"},
        target=["a"],
        start=["a", None],
    )


def number_tied_to_h():
    """With K = H + 2 a function that bends with H looks straight; the time is H, not 5 H - 4."""
    on = domain("K", "H R", ["H >= 1", "R >= 1"], {"K": "H + 2"})
    return of_one_type("5*H - 4", "5*H - 4*(1 - (K - 2 - H))*(H/(K - 2))", on)


def fact_about_h():
    return of_one_type(on=domain("K", "H R", ["H >= 1", "R >= 1", "K >= H"]))


def no_fact_about_r():
    return of_one_type(on=domain(reals="H R", facts=["H >= 1"]))


def rows_that_depend_on_h():
    """Of which cluster is H, in the rows?"""
    return every(chain=pair(leave="e/H", p="(1 - e/H)/2"))


def rows_that_depend_on_r():
    """True while R is a letter; for one walk it would be a letter that nobody explains."""
    gate, away = (re.sub(r"\be\b", "(e/R)", text) for text in (GATE, AWAY))
    functions = {"g": away, "h": f"{away} + 2"}
    chain = pair(leave="e/R", p="(1 - e/R)/2")
    return every(f"{away} + 2", chain, HR, functions, {"g": gate, "h": "0"})


def h_as_an_integer():
    return of_one_type(on=domain("H", "R", ["H >= 1", "R >= 1"]))


def quadratic():
    """F(H) = F(H - 1) + 1 + c (2 H - 1) with c = 0 at no H: H^2 is no time."""
    return of_one_type("H**2")


def bends():
    """H (H + 1)/2 has the mean H (H - 1)/2 a step later if W were not random."""
    return every(away={"g": f"{AWAY} + H*(H - 1)", "h": f"{AWAY} + 2 + H*(H - 1)"})


def h_divides():
    return of_one_type("H", "H**2/(H + 1) + H/(H + 1)")


def h_divides_unseen():
    return every(away={"g": f"{AWAY} + 0*(1/H)", "h": f"{AWAY} + 2 + (H - H)/(H + 1)"})


def home_depends_on_h():
    chain = pair()
    chain["rows"].reverse()
    return every(chain=chain, home={"g": GATE, "h": "H - 1"})


def home_gate_depends_on_h():
    return every(home={"g": f"{GATE} + H", "h": "0"})


def target_at_a_price():
    home = {"g": f"{GATE} + 1", "h": "1"}
    return every(away={"g": f"{AWAY} + 1", "h": f"{AWAY} + 3"}, home=home)


def other_landing():
    """The functions differ where a move from another cluster lands."""
    more = {"g": f"{AWAY} + 1", "h": f"{AWAY} + 3"}
    return every(f"{AWAY} + 3", away=more)


def negative_time():
    return of_one_type("H - 2")


def no_tag():
    """Without W the home of another cluster is out of reach."""
    return every(chain=checker.untagged(pair()), on=HR)


def more_tags():
    """The step to the home leaves the cluster as well."""
    chain = pair()
    chain["rows"][0]["to"][1].append("W")
    return every(chain=chain)


def tag_beside(tag):
    chain = pair()
    chain["rows"][0]["to"][0].append(tag)
    return every(chain=chain)


def move_in_letters():
    """``g0eW`` is printed as a move of W, and was once taken for one inside."""
    chain = rows(
        {"g": ("1", "0", "0"), "h": "1"},
        [("g", "0", "0", "h:1 - 2*e; g[0]:e; g[0]:e"), ("h", "g[0]:1")],
    )
    chain["rows"][0]["to"][1] = "g0eW"
    chain["rows"][0]["to"][2].append("W")
    on = {**HR, "facts": ["e > 0", "3*e < 1", *HR["facts"][2:]]}
    gate = "(1 + (2 - 2*e)*(R - 1))/(1 - 2*e)"
    away = f"(2 - 2*e)/e*H + {gate}"
    functions = {"g": away, "h": f"{away} + 1"}
    return every(f"{away} + 1", chain, on, functions, {"g": gate, "h": "0"})


def of_two_targets():
    return every(target=["h", "g"])


def to_a_class_of_two():
    chain = pair()
    chain["classes"]["h"]["size"] = "2"
    return every(chain=chain)


def generating_function_of_walk():
    found = leaving()
    return inside(found, chain=pair(), target=["h"])


def return_to_a_home():
    found = inside(every(), kind="return-time")
    del found["statement"]["start"]
    return found


def moment_left_open():
    """R is no parameter of the chain: it is K on the complete graph, not what one likes."""
    on = domain("K", "e R", [*BOTH["facts"], "R >= 1"])
    value = AWAY.replace("*H", "*(K - 1)") + " + 2"
    return on_walk(own=[steps()], on=on, value=value)


def probability_called_h():
    """1/p is the time at probability p; at p = 1/H it is H, which then becomes W's."""
    chain = hand.two_states("1/H", "1/H")
    first = proof(
        "mean-hitting-time",
        domain(reals="H", facts=["H >= 1"]),
        witness={"values": {"a": "0", "b": "H"}},
        chain=chain,
        target=["a"],
        start=["b", None],
        value="H",
    )
    return on_walk(first, [steps()], WALK, value="K - 1")


def walk_of_premise(**changes):
    return on_walk(meta={**TO, **changes})


def walk_to_itself():
    """From the target's cluster to itself the formula would give a time that is too long."""
    meta = {**TO, "start": ["t", None]}
    return on_walk(own=[steps(start=["t", None], value="0"), back()], meta=meta, value="GONE")


def walk_to_a_class():
    """The others are one class: to hit it is not to hit a cluster."""
    walk = {"chain": complete(), "target": ["o"], "start": ["t", None]}
    time = steps(target=["o"], start=["t", None], value="1", values={"t": "1", "o": "0"})
    return of_clusters(time, meta=walk, value="(2 - e)/e")


def walk_to_either():
    """Two targets, of which the text would name one."""
    chain = hand.chain(
        {"t": "1", "u": "1", "o": "1"}, [("t", "o:1"), ("u", "o:1"), ("o", "t:1/2; u:1/2")]
    )
    values = {"t": "0", "u": "0", "o": "1"}
    time = steps(chain=chain, target=["t", "u"], value="1", values=values)
    meta = {"chain": chain, "target": ["t", "u"], "start": ["o", None]}
    return of_clusters(time, meta=meta, value="(2 - e)/e")


def walk_of_a_walk():
    """A time for every walk, taken for that of one walk."""
    first = every(AWAY, start=["g", None])
    meta = {k: first["statement"][k] for k in ("chain", "target", "start")}
    on = domain("K", "e H R", [*HR["facts"], "K >= 2"])
    return of_clusters(first, on, meta=meta, value=f"({AWAY})*(2 - e)/e")


def second_moment_of_another(first_function="K - 1"):
    """The equation of the second moment with a first moment of its own: 4 (K - 1)^2, say."""
    functions = {
        "f": {"t": "0", "o": first_function},
        "m": {"t": "0", "o": "(K - 1)*(4*(K - 1) - 1)"},
    }
    return proving(steps("second-moment", "(K - 1)*(4*(K - 1) - 1)"), functions=functions)


def law_of_walk_moves():
    """A law of rows with moves of W, as if they led nowhere."""
    return law(chain=pair(), on=HR, time=every(start=["g", None], value=AWAY))


def law_of_other_rows():
    return product(chain=pair(leave="e/2", p="(1 - e)/2"))


def moves_elsewhere():
    """W moves from the home: the gate's bound says nothing of them."""
    chain = pair()
    for move in chain["rows"][0]["to"]:
        del move[3:]
    chain["rows"][1]["to"][1].append("W")
    return gap(chain=chain)


def enters_elsewhere():
    chain = pair()
    chain["rows"][0]["to"][2].pop()
    chain["rows"][0]["to"][1].append("W")
    return gap(chain=chain)


def other_pivot():
    low = kappa(pivot="h", values={"g": "1", "h": "0"}, value="(1 - e)/2")
    return gap(low)


def turning():
    """Three states in a circle, one way round: not reversible."""
    return hand.chain(
        {"g": "1", "h": "1", "i": "1"},
        [("g", "g:1/2; h:1/2"), ("h", "h:1/2; i:1/2"), ("i", "i:1/2; g:1/2")],
    )


def turning_law():
    time = proof(
        "mean-hitting-time",
        WALK,
        witness={"values": {"g": "0", "h": "4", "i": "2"}},
        chain=turning(),
        target=["g"],
        start=["h", None],
        value="4",
    )
    back = hand.chain(
        {"g": "1", "h": "1", "i": "1"},
        [("g", "g:1/2; i:1/2"), ("h", "h:1/2; g:1/2"), ("i", "i:1/2; h:1/2")],
    )
    return proof("stationary", WALK, time, chain=turning(), law=["1/3"] * 3, reversed=back["rows"])


def not_reversible():
    """A law that needs the reversed rows, for the bound of the gap."""
    found = hand.gap_upper(turning_law(), "1", {"g": "1", "h": "0", "i": "0"})
    found["witness"]["charts"] = [hand.K_CHART]
    return found


def clusters_not_reversible():
    found = law()
    return gap(weights=inside(found, reversed=found["statement"]["chain"]["rows"]))


def even_by_name():
    """The rows of the classes alone: clusters of a class may fall apart."""
    return gap(even=None)


def states_of_a_type():
    """Types of several states hide functions of which the moves say nothing."""
    moves = [["a", "a", shift, "1/2"] for shift in ("+1", "-1")]
    sides = [hand.cycle(s, "1 - c", p="2") for s in ("lower", "upper")]
    for side in sides:
        side["statement"].update(types={"a": "2"}, moves=moves)
    sides = [s["statement"] for s in sides]
    low, weights = kappa()["statement"], law()["statement"]
    found = gap(meta=[moves], even=None)["statement"]
    checker.composed_gap(found, {"charts": []}, [low, weights, *sides])


def two_walks():
    """The bound from above is one of a walk of two clusters."""
    chain = hand.two_states("1/2", "1/2")
    ends = {"target": ["a"], "start": ["b", None], "value": "2", "values": {"a": "0", "b": "2"}}
    above = hand.gap_upper(law(chain, WALK, ["1/2"] * 2, steps(chain=chain, **ends)), "1")
    above["witness"]["charts"] = [hand.K_CHART]
    checker.check(above)
    return gap(above=above)


def too_good():
    return gap(lower="e/2", upper="e/(2 - e)*K/(K - 1)")


def too_near():
    return gap(ratio="3")


def above_too_low():
    return gap(upper="e/2*K/(K - 1)")


def s_out_of_range():
    on = domain(reals="e s", facts=[*E, "s > 0", "s <= 11/10"])
    return leaving(on=on)


def s_of_the_parameters():
    """s = 1 + e is above 1, where the mean may not exist."""
    value = "1"
    return leaving("1 + e", value, CLUSTER, {"g": "1", "h": "1", "x": "1"})


def parameters_of_one_name():
    """M of the kernel and M of the walk are one, and a fact about the one is one about both."""
    walk = json.loads(json.dumps(steps()).replace("K", "M"))
    meta = json.loads(json.dumps(TO).replace("K", "M"))
    on = domain("M", "e", ["M >= 1", *E])
    return on_walk(own=[walk, walk], on=on, meta=meta)


def fixed_elsewhere():
    """What is proved for K = 3, for all K."""
    three = domain("K", values={"K": "3"})
    own = [steps(on=three), steps("return-time", "K", on=three)]
    return on_walk(own=own)


UNKNOWN = "an unknown tag"
OF_W = "H and R are moments of W"
LANDING = "the functions do not meet"
ATTACKS = [
    (number_tied_to_h, OF_W),
    (fact_about_h, OF_W),
    (no_fact_about_r, OF_W),
    (h_as_an_integer, OF_W),
    (rows_that_depend_on_h, "the rows depend on W"),
    (rows_that_depend_on_r, "the rows depend on W"),
    (quadratic, "not affine"),
    (bends, "not affine"),
    (h_divides, "H divides"),
    (h_divides_unseen, "a denominator may vanish"),
    (home_depends_on_h, "a function inside depends on H"),
    (home_gate_depends_on_h, LANDING),
    (target_at_a_price, "the function is not 0 at the target"),
    (other_landing, LANDING),
    (negative_time, LANDING),
    (no_tag, "the equation of g is not met"),
    (more_tags, LANDING),
    (lambda: tag_beside("sparse"), UNKNOWN),
    (lambda: tag_beside("w"), UNKNOWN),
    (lambda: tag_beside(["W"]), UNKNOWN),
    (move_in_letters, UNKNOWN),
    (of_two_targets, "too many values"),
    (to_a_class_of_two, "the target is not one state"),
    (generating_function_of_walk, OF_W),
    (return_to_a_home, "no such time"),
    (moment_left_open, "a moment of W is a parameter"),
    (probability_called_h, "not a statement for every walk"),
    (lambda: walk_of_premise(chain=hand.two_states()), "KeyError"),
    (lambda: walk_of_premise(law=["1"]), "not the parts of a walk"),
    (walk_to_itself, "the walk does not lead to another cluster"),
    (walk_to_a_class, "the walk does not lead to another cluster"),
    (walk_to_either, "too many values"),
    (walk_of_a_walk, "a moment of W is a parameter"),
    (lambda: on_walk(own=[steps(), steps()]), "a premise of the wrong kind"),
    (lambda: on_walk(own=[steps()]), "unknown name R"),
    (lambda: on_walk(own=[]), "unknown name H"),
    (
        lambda: on_walk(own=[steps(value="1", start=["t", None])]),
        "the value at the start is another",
    ),
    (lambda: on_walk(value=f"{ON_COMPLETE} + 1"), "another value"),
    (lambda: on_walk(start=["g", None]), "another statement"),
    (lambda: on_walk(chain=pair(leave="e/2", p="(1 - e)/2")), "another statement"),
    (second_moment_of_another, "the second equation"),
    (lambda: second_moment_of_another("2*(K - 1)"), "the equation of o is not met"),
    (law_of_walk_moves, "moves of a walk"),
    (law_of_other_rows, "another law"),
    (lambda: product(law=["1/2", "1/2"]), "another law"),
    (lambda: product(meta={"chain": complete(), "law": ["1/2", "1/2"]}), "another walk"),
    (lambda: product(chain=checker.untagged(pair())), "no walk"),
    (lambda: of_clusters(value="(2 - e)*K/e"), "another value"),
    (moves_elsewhere, "W moves elsewhere"),
    (enters_elsewhere, "W moves elsewhere"),
    (other_pivot, "another pivot"),
    (lambda: gap(pivot="h"), "another pivot"),
    (lambda: gap(kappa(hand.two_states("1/2", "1/2"), "a", {"a": "0", "b": "1"})), "other rows"),
    (not_reversible, "the chain is not reversible"),
    (clusters_not_reversible, "premises of other kinds"),
    (even_by_name, "another reading of the rows"),
    (states_of_a_type, "a cluster is one state of W"),
    (two_walks, "another walk"),
    (too_good, "the lower bound is not shown"),
    (too_near, "the bounds are further apart"),
    (above_too_low, "the upper bound is not shown"),
    (s_out_of_range, "s is not in"),
    (s_of_the_parameters, "s is not in"),
    (parameters_of_one_name, "the domain is larger"),
    (fixed_elsewhere, "the domain is larger than a premise's"),
]


@pytest.mark.parametrize(
    ("attack", "reason"), ATTACKS, ids=[f"{n}-{a.__name__}" for n, (a, _) in enumerate(ATTACKS)]
)
def test_false_statement_is_refused(attack, reason):
    with pytest.raises(checker.Refused, match=reason):
        checker.check(attack())


# ---------------------------------------------------------------- what is printed
def said(found):
    return checker.text(checker.check(found))


def test_text_of_a_time_says_which_walk():
    assert "H, R (H2, R2) the first (second) moments of its time" in said(every())
    assert "any irreducible walk W on finitely many clusters" in said(every())
    one = said(on_walk())
    assert "any irreducible" not in one
    assert "of the walk W to t from o on the rows\n    t (size 1) -> o with 1" in one
    assert "g (W) with e" in one
    assert one.startswith("For all integers K and reals e with K >= 2, e > 0, e < 1: the mean")


def test_text_of_a_law_says_reversible_only_if_it_is():
    assert "is reversible with one stationary law" in said(law())
    text = said(turning_law())
    assert "reversible" not in text
    assert "has one stationary law" in text


@pytest.mark.parametrize("word", ["yes", ""])
def test_text_of_a_gap_says_how_it_is_read(word):
    text = said(gap(even=word))
    assert "each move to a class of clusters uniform, or on the others" in text
    assert "every reversible chain of clusters" in text
    assert "P and W here stand for (P + P*)/2 and (W + W*)/2" not in text
    text = said(gap(even=word, symmetrised=word))
    assert "P and W here stand for (P + P*)/2 and (W + W*)/2" in text
    own = {"lower": "1", "upper": "K/(K - 1)", "ratio": "2", "chains": [complete()]}
    text = said(proof("spectral-gap", WALK, walk_below(), walk_above(), even=word, **own))
    assert "each move to a class uniform on its states or on the others of them" in text


def test_text_of_a_gap_says_what_c_is():
    claim = catalogue.derivation(catalogue.load("clique/ring/gate")).claim("spectral-gap")
    text = said(claim.certificate)
    assert "with c = cos(2*pi/K)" in text
    assert "joined at their gates by the walk W on Z_K x types" in text


def test_parts_by_cases_are_printed_with_their_walks():
    """Two parts that conclude the same of different walks: each is read out."""
    claim = catalogue.derivation(catalogue.load("clique/barbell/gate")).claim("hitting-time")
    statement = claim.statement
    assert statement["kind"] == "cases"
    text = checker.text(statement)
    assert text.count("a step of the walk W to target from inside") == text.count("- For all") - 1


# ---------------------------------------------------------------- random alterations
COUNTS = {  # alterations of each certificate in the default run
    "clique/ring/gate/hitting-time": 40,
    "clique/ring/gate/second-moment": 12,
    "clique/ring/gate/exit-law": 40,
    "clique/ring/gate/stationary": 30,
    "clique/ring/gate/aggregated-hitting-time": 30,
    "clique/ring/gate/hitting-time-bounds": 12,
    "clique/ring/gate/spectral-gap": 30,
    "clique/complete/gate/hitting-time": 40,
    "clique/complete/gate/second-moment": 20,
    "clique/complete/gate/spectral-gap": 30,
    "clique/ring/in-out/stationary": 30,
    "clique/complete/in-out/hitting-time": 40,
    "clique/ring/gates/hitting-time": 15,
    "clique/directed-ring/gate/stationary": 30,
    "clique/directed-ring/gate/spectral-gap": 30,
    "clique/complete-bipartite/gate/spectral-gap": 20,
    "complete-bipartite/complete/gate/hitting-time": 15,
    "clique/barbell/gate/aggregated-hitting-time": 8,
}
MORE = {
    **{name: 5 * count for name, count in COUNTS.items()},
    "clique/barbell/gate/hitting-time": 40,
    "clique/barbell/gate/stationary": 40,
    "clique/barbell/gate/spectral-gap": 20,
    "nested/complete/gate/hitting-time": 40,
    "nested/ring/gate/stationary": 40,
    "lazy-cycle/ring/gate/hitting-time": 60,
    "lazy-cycle/ring/gate/stationary": 60,
    "lazy-cycle/complete/gate/second-moment": 20,
    "clique/ring/split/hitting-time": 60,
    "clique/ring/decoy/hitting-time": 60,
}
WALKS = (  # to try for every walk: one way round, to and fro with rests, three with ties
    np.roll(np.eye(4), 1, axis=1),
    np.array([[0.25, 0.75], [0.5, 0.5]]),
    np.array([[0.1, 0.2, 0.7], [0.6, 0.4, 0], [0.3, 0.3, 0.4]]),
)
Wrong, ensure, number, explicit = alter.Wrong, alter.ensure, alter.number, alter.explicit


@cache
def original(name):
    family, quantity = name.rsplit("/", 1)
    found = catalogue.derivation(catalogue.load(family)).claim(quantity)
    return json.dumps(found.certificate)


def other_points(own, on, most):
    """Points of a domain without the moments of W; beyond the corners if there are none there."""
    on = copy.deepcopy(on)
    on["reals"] = [n for n in on["reals"] if n not in checker.MOMENTS]
    on["facts"] = [f for f in on["facts"] if not checker.OF_WALK.search(f)]
    names = [n for n in (*on["integers"], *on["reals"]) if n not in on["values"]]
    found = own(on, most) if len(names) < 5 else []
    rng = random.Random(3)
    for _ in range(0 if found else 3000):
        free: dict[str, Any] = {n: Fraction(rng.randrange(10)) for n in on["integers"]}
        free |= {n: rng.choice(alter.REALS) for n in on["reals"]}
        if "c" in free:
            clusters = number(on["values"].get("K", str(free.get("K", 0))), free)
            free["c"] = math.cos(2 * math.pi / clusters) if clusters else 2
        env = alter.inside(on, free)
        if env is not None and len(found) < most:
            found.append(env)
    return found


def split(chain, env):
    """States of a cluster, the rows that serve them, moves inside, and moves tagged W."""
    states, served, matrix = explicit(chain, env)
    away = np.zeros_like(matrix)
    for i, ((_, index), n) in enumerate(zip(states, served, strict=True)):
        here = env if index is None else {**env, "j": Fraction(index)}
        for to, at, p, *tag in chain["rows"][n]["to"]:
            if tag == ["W"]:
                place = to, None if at is None else alter.whole(at, here)
                away[i, states.index(place)] += float(number(p, here))
    return states, served, matrix - away, away


def composed(walk, chain, env):
    states, _, stay, away = split(chain, env)
    return states, np.kron(np.eye(len(walk)), stay) + np.kron(walk, away)


def moments(matrix, targets):
    """First and second moment of the time to hit."""
    off = [i for i in range(len(matrix)) if i not in targets]
    first, second = np.zeros(len(matrix)), np.zeros(len(matrix))
    system = np.eye(len(off)) - matrix[np.ix_(off, off)]
    if off:
        first[off] = np.linalg.solve(system, np.ones(len(off)))
        second[off] = np.linalg.solve(system, 2 * first[off] - 1)
    ensure(min(first) >= 0, "no mean time")
    return first, second


def back_to(matrix, target):
    first, second = moments(matrix, [target])
    after = matrix[target]
    return 1 + after @ first, 1 + 2 * after @ first + after @ second


def near(value, truth):
    ensure(abs(value - truth) <= 1e-6 * (1 + abs(truth)), f"{value} is not {truth}")


def place_of(states, start, env):
    name, at = start
    return states.index((name, None if at is None else alter.whole(at, env)))


def judge_time(s, env):
    """Of a chain, of clusters on one walk, or of clusters on any."""
    which, kind = int("second" in s["kind"]), s["kind"]
    if not checker.tagged(s["chain"]):
        states, _, matrix = explicit(s["chain"], env, s["target"])
        targets = [i for i, (name, _) in enumerate(states) if name in s["target"]]
        if kind.startswith("return"):
            (target,) = targets
            return near(float(number(s["value"], env)), back_to(matrix, target)[which])
        times = moments(matrix, targets)[which]
        if kind == "generating-function":
            off = [i for i in range(len(states)) if i not in targets]
            r, times = float(number(s["s"], env)), np.ones(len(states))
            ensure(0 < r <= 1, "s is out of range")
            into = matrix[np.ix_(off, targets)].sum(axis=1)
            times[off] = np.linalg.solve(np.eye(len(off)) - r * matrix[np.ix_(off, off)], r * into)
        return near(float(number(s["value"], env)), times[place_of(states, s["start"], env)])
    for walk in WALKS if "meta" not in s else [None]:
        here, starts, to = dict(env), [], 0
        if walk is None:
            clusters, _, walk = explicit(s["meta"]["chain"], env)
            (state,) = s["meta"]["target"]
            to = place_of(clusters, (state, None), env)
            starts = [place_of(clusters, s["meta"]["start"], env)]
        first, second = moments(walk, [to])
        back = back_to(walk, to)
        states, matrix = composed(walk, s["chain"], env)
        target = to * len(states) + place_of(states, (s["target"][0], None), env)
        times = moments(matrix, [target])[which]
        for k in starts or (k for k in range(len(walk)) if k != to):
            ensure(k != to, "the same cluster")
            if not starts:
                four = first[k], back[0], second[k], back[1]
                here |= dict(zip(("H", "R", "H2", "R2"), four, strict=True))
            start = k * len(states) + place_of(states, s["start"], env)
            near(float(number(s["value"], here)), times[start])
    return None


def masses(s, env):
    """The law of a chain, state by state."""
    states, served, matrix = explicit(s["chain"], env)
    law = []
    for (name, j), n in zip(states, served, strict=True):
        here = env if j is None else {**env, "j": Fraction(j)}
        size = number(s["chain"]["classes"][name]["size"], here)
        law.append(float(size * number(s["law"][n], here)))
    return np.array(law), matrix


def judge_stationary(s, env):
    law, matrix = masses(s, env)
    ensure(np.allclose(law, alter.stationary_law(matrix), atol=1e-9), "another law")
    flow = law[:, None] * matrix
    ensure("reversed" in s or np.allclose(flow, flow.T), "not reversible")


def judge_product(s, env):
    inner, _ = masses(s, env)
    outer, walk = masses(s["meta"], env)
    law, (_, matrix) = np.kron(outer, inner), composed(walk, s["chain"], env)
    ensure(np.allclose(law @ matrix, law, atol=1e-9) and abs(law.sum() - 1) < 1e-9, "another law")


def judge_clusters(s, env):
    _, _, stay, away = split(s["chain"], env)
    rate = alter.stationary_law(stay + away) @ away.sum(axis=1)
    clusters, _, walk = explicit(s["meta"]["chain"], env, s["meta"]["target"])
    (state,) = s["meta"]["target"]
    target = place_of(clusters, (state, None), env)
    chain = np.eye(len(walk)) + rate * (walk - np.eye(len(walk)))
    start = place_of(clusters, s["meta"]["start"], env)
    ensure(start != target, "the same cluster")
    near(float(number(s["value"], env)), moments(chain, [target])[0][start])


def judge_gap(s, env):
    """Against the rows, where functions that are not constant on classes are not seen."""
    lower, upper, ratio = (float(number(s[key], env)) for key in ("lower", "upper", "ratio"))
    ensure(0 < lower <= upper + 1e-9 and upper <= ratio * lower + 1e-9, "bounds")
    gaps = []
    for meta in s["meta"]:
        walks: list[Any] = []
        if isinstance(meta, list):
            walk = np.zeros((int(env["K"]), int(env["K"])))
            for _, _, shift, p in meta:
                others = range(1, len(walk)) if shift == "others" else [int(shift)]
                for k, step in itertools.product(range(len(walk)), others):
                    walk[k, (k + step) % len(walk)] += float(number(p, env)) / len(others)
            walks = [walk]
        else:
            words = set(re.findall(r"\b[A-Za-z]\w*", str(meta))) - set(env) - {"j"}
            free = sorted(words & {"d", "s", "a", "b"})
            for values in itertools.product(range(6), repeat=len(free)):
                point = {**env, **{n: Fraction(v) for n, v in zip(free, values, strict=True)}}
                try:
                    walks.append(explicit(meta, point)[2])
                except (Wrong, KeyError, NameError):
                    continue
        for walk in walks:
            try:
                _, matrix = composed(walk, s["chain"], env)
                law = alter.stationary_law(matrix)
            except Wrong:
                continue
            flow = law[:, None] * matrix
            if np.allclose(flow, flow.T) and min(law) > 0:
                root = np.sqrt(law)
                symmetric = root[:, None] * matrix / root[None, :]
                gaps.append(1 - np.sort(np.linalg.eigvalsh((symmetric + symmetric.T) / 2))[-2])
    fits = [lower - 1e-7 <= gap <= upper + 1e-7 for gap in gaps]
    ensure(not fits or any(fits), f"the gap is one of {gaps}, not in [{lower}, {upper}]")


alter.points = (lambda own: lambda on, most: other_points(own, on, most))(alter.points)
alter.original = original
alter.JUDGES = {
    **alter.JUDGES,
    **dict.fromkeys((*checker.TIMES, "generating-function"), judge_time),
    "stationary": judge_stationary,
    "composed-law": judge_product,
    "composed-aggregated": judge_clusters,
    "composed-gap": judge_gap,
    "even-gap": alter.judge_lower,
}


def moves_in(found):
    """Paths of all moves of rows."""
    for path in alter.sites(found):
        if len(path) > 1 and path[-2] == "to" and isinstance(alter.at(found, path), list):
            yield path


def certificates_in(found, path=()):
    yield path
    for n, premise in enumerate(found["premises"]):
        yield from certificates_in(premise, (*path, "premises", n))


def rearranged(found, others, rng):
    """Tags put on or taken off, premises exchanged, flags, walks and values from elsewhere."""
    found = copy.deepcopy(found)
    where = rng.choice(list(certificates_in(found)))
    one = alter.at(found, where)
    statement = one["statement"]
    way = rng.choice(["tag", "tag", "premise", "flag", "meta", "value", "borrow"])
    if way == "tag":
        move = alter.at(found, rng.choice(list(moves_in(found))))
        old = json.dumps(move)
        new = [*move[:3], *rng.choice([[], ["W"], ["sparse"], ["W", "W"]])]
        if rng.random() < 0.5:
            return json.loads(json.dumps(found).replace(old, json.dumps(new)))
        move[:] = new
    elif way == "premise" and one["premises"]:
        one["premises"] = alter.changed_list(one["premises"], rng)
    elif way == "flag":
        flag = rng.choice(["even", "symmetrised", "reversed", "meta"])
        if flag in statement:
            del statement[flag]
        else:
            statement[flag] = "yes"
    elif way == "meta" and "meta" in statement:
        metas = [c["statement"]["meta"] for c in others if "meta" in c["statement"]]
        statement["meta"] = rng.choice(metas)
    elif way == "value" and statement["domain"]["integers"]:
        name = rng.choice(statement["domain"]["integers"])
        statement["domain"]["values"] = {name: rng.choice(["3", "4", "H + 2", "R", "epsilon"])}
    elif way == "borrow":
        donor = rng.choice(others)
        like = [alter.at(donor, p) for p in certificates_in(donor)]
        like = [c for c in like if c["statement"]["kind"] == statement["kind"]]
        if not where or not like:
            return None
        alter.put(found, where, copy.deepcopy(rng.choice(like)))
    return found


def outcome(name, count):
    """How many alterations are refused and accepted; what is accepted has to be true."""
    rng, refused, accepted = random.Random(zlib.crc32(name.encode()) + 1), 0, 0
    others = [json.loads(original(n)) for n in list(COUNTS)[:6]]
    known = json.loads(original(name))
    changed = list(alter.alterations(name, count - count // 3))
    while len(changed) < count:
        found = rearranged(known, others, rng)
        if found is not None and found != known:
            changed.append(found)
    for found in changed:
        try:
            statement = checker.check(found)
        except checker.Refused:
            refused += 1
            continue
        accepted += 1
        try:
            alter.judge(found, 3)
        except Wrong as error:
            raise AssertionError(f"accepted, but {error}: {checker.text(statement)}") from error
    return refused, accepted


@pytest.mark.parametrize("name", COUNTS)
def test_unaltered_certificate_is_accepted_and_true(name):
    found = json.loads(original(name))
    assert checker.check(found) == found["statement"]
    assert alter.judge(found, 2) > 0


@pytest.mark.parametrize("name", COUNTS)
def test_altered_certificate_proves_nothing_false(name):
    refused, accepted = outcome(name, COUNTS[name])
    assert refused + accepted == COUNTS[name]
    assert refused >= 0.5 * COUNTS[name]


@pytest.mark.slow
@pytest.mark.parametrize("name", MORE)
def test_more_altered_certificates_prove_nothing_false(name):
    refused, accepted = outcome(name, MORE[name])
    assert refused + accepted == MORE[name]


PAST = {  # a true certificate, and another value that the judge has to see
    "clique/ring/gate/hitting-time": "value",
    "clique/ring/gate/second-moment": "value",
    "clique/ring/gate/exit-law": "value",
    "clique/ring/gate/aggregated-hitting-time": "value",
    "clique/ring/gate/spectral-gap": "lower",
    "clique/complete/gate/spectral-gap": "upper",
}


@pytest.mark.parametrize("name", PAST)
def test_the_judge_sees_what_is_false(name):
    for rest in ("*101/100", "*99/100"):
        found = json.loads(original(name))
        value = found["statement"][PAST[name]]
        if PAST[name] != "value":
            rest = "*20" if PAST[name] == "lower" else "/20"
        found["statement"][PAST[name]] = f"({value}){rest}"
        found["premises"] = []
        with pytest.raises(Wrong):
            alter.judge(found)


@pytest.mark.parametrize("name", ["clique/ring/gate/stationary", "clique/ring/in-out/stationary"])
def test_the_judge_sees_another_law(name):
    for part in ("law", "meta"):
        found = json.loads(original(name))
        law = found["statement"]["law"] if part == "law" else found["statement"]["meta"]["law"]
        law[0] = f"({law[0]})*2"
        found["premises"] = []
        with pytest.raises(Wrong, match="another law"):
            alter.judge(found)


def test_alterations_are_many():
    assert sum(COUNTS.values()) >= 400
    assert sum(MORE.values()) >= 2000
