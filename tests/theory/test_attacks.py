"""False statements dressed as proved ones: by names, printing, parts, ranges and walks."""

import importlib.util
import json
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import sympy

from numerics import verify
from theory import checker
from theory.catalogue import derivation, load
from theory.certificates import completed
from theory.composed import Composed


def sibling(name):
    """The certificates by hand of the file next to this one."""
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


by = sibling("test_checker")


# ---------------------------------------------------------------- signs and names
def square_with_a_pole():
    """K - 4 = (2 - K) (1/(K - 2))**2 + (K - 2) ((3 - K)/(K - 2))**2, which is 0/0 at K = 2."""
    one_point = by.domain("K", facts=["K >= 2", "K <= 2"])
    proof = "u1*((1 - 0)/u0)**2 + u0*((1 - u0)/u0)**2"
    return by.proving(by.compare(["K >= 4"], one_point), signs=[proof])


def kind_for_a_parameter():
    """A claim about a parameter called kind is read as one about the word after "kind"."""
    where = by.domain("kind comparison", facts=["comparison >= 100"])
    return by.compare(["kind >= 100"], where)


def index_in_a_bound():
    """A bound 1/j that differs from row to row: the gap is 1/K."""
    rows = by.chain(
        {"o": "1", "g": ("1", "1", "K")}, [("o", "o:1"), ("g", "1", "K", "o:1/j; g[j]:1 - 1/j")]
    )
    f = by.functions(f={"o": "0", "g": "1"})
    return by.certificate("gap-lower", by.K2, witness=f, chain=rows, pivot="o", value="1/j")


def index_in_an_argument():
    rows = by.chain({"o": "1", "g": ("1", "1", "K")}, [("o", "o:1"), ("g", "1", "K", "o:1")])
    f = by.functions(f={"o": "0", "g": "1"}, m={"o": "1", "g": "1/j"})
    told = {"chain": rows, "target": ["o"], "start": ["g", "1"], "s": "1/j", "value": "1"}
    return by.certificate("generating-function", by.K2, witness=f, **told)


def integer_for_the_cosine():
    """An integer c is -1 or 0, whatever K is."""
    return by.cycle(where=by.domain("K c", "p", by.CYCLE["facts"]))


def some_number_of_clusters():
    """K chosen, so that c is the cosine of nothing."""
    where = by.domain(reals="p c", facts=by.CYCLE["facts"][1:])
    return by.instance(where, by.cycle(), "2", "1", "K")


# ---------------------------------------------------------------- what is printed
def letters_for_a_start():
    """``b0`` is read as the place b[0], and printed like the class b0."""
    rows = by.chain(
        {"b": ("1", "0", "1"), "b0": "1", "a": "1"},
        [("a", "a:1"), ("b", "0", "1", "a:1"), ("b0", "b[0]:1")],
    )
    found = by.hitting(rows=rows, start="b0", value="1")
    return by.proving(found, **by.functions(f={"a": "0", "b": "1", "b0": "2"}))


def more_cases_than_parts():
    """The last case, "or more", is one of which nothing is proved."""
    found = by.slow_or_fast()
    found["statement"]["chain"]["cases"].append(by.two_states("1", "1"))
    return found


def halves_of_a_value():
    """p/2 where 2 p >= 1, printed as where 2 p - 1 is 0."""
    parts = []
    for fact, n in (("(2*p - 1) >= 0", 2), ("-(2*p - 1) >= 0", 4)):
        where = by.domain(reals="p", facts=["p > 0", "p <= 1", fact])
        parts.append(by.gap_lower(where, value=f"p/{n}"))
    return by.by_cases(by.P, parts, "2*p - 1", integer=False)


def longer_law():
    return by.law(weights=["1/2", "1/2", "99"])


def law_unsaid():
    return by.proving(by.law(weights=[]), law=["1/2", "1/2"])


def with_a_tag(tag, found=None):
    """The step from the gate to the home tagged besides."""
    found = found or by.complement(by.gated())
    found["statement"]["chain"]["rows"][0]["to"][1].append(tag)
    return found


def tag_in_pieces():
    found = by.cycle()
    found["statement"]["chain"]["rows"][0]["to"][1][3:] = ["+", "1"]
    return found


def move_in_letters():
    """``a0pW`` is printed like a move of W, and would be read as one."""
    rows = by.chain({"a": ("1", "0", "0")}, [("a", "0", "0", "a[0]:1 - p; a[0]:p:W")])
    rows["rows"][0]["to"][1] = "a0pW"
    return by.complement(rows)


def uniform_unsaid():
    """Gap 1 if moves are uniform on a class of two; else either state may be for ever."""
    rows = {"a": {"size": "2", "index": None}}
    still = {"classes": rows, "rows": [{"from": "a", "index": None, "to": [["a", None, "1"]]}]}
    told = {"chain": still, "value": "1"}
    return by.certificate("modes-lower", by.P, witness={"law": ["1"]}, **told)


def bounds_of_modes():
    """Uniform moves in the premises, any that lump in the conclusion."""
    return by.gap(by.cycle(), by.cycle("upper"), by.CYCLE, ratio="1")


def two_values():
    """An expansion of the first of two values that are printed."""
    first, other = by.hitting(), by.hitting(value="1/p")
    told = {"series": "1/p", "scale": "p", "lower": "0", "upper": "0"}
    of = [first["statement"], by.gap_lower()["statement"]]
    return by.certificate("expansion", by.P, first, by.gap_lower(), of=of, **told) | {
        "premises": [other, by.gap_lower()]
    }


# ---------------------------------------------------------------- rows, ranges and sums
def three_indices():
    """The third index is not printed, and no sum runs over it."""
    at = ["0", "0"] * 2 + ["0", "1"]
    rows = by.chain({"o": "1", "g": ("1", *at)}, [("o", "o:1"), ("g", *at, "o:1")])
    found = by.hitting(by.K2, rows, target=["o"], start=["g", ["0"] * 3], value="1")
    return by.proving(found, **by.functions(f={"o": "0", "g": "1"}))


def number_tied_to_a_real():
    """With K = p + 2 the range 0..K has no last state."""
    where = by.domain("K", "p", ["p > 0", "p <= 1"], {"K": "p + 2"})
    rows = by.chain({"t": "1", "g": ("1", "0", "K")}, [("t", "t:1"), ("g", "0", "K", "t:1")])
    found = by.hitting(where, rows, target=["t"], start=["g", "0"], value="1")
    return by.proving(found, **by.functions(f={"t": "0", "g": "1"}))


def sum_over_nothing(pole=" + 1/(K - 2)"):
    """Sums over 2..K - 1, which is empty at K = 2, by differences that are not defined there."""
    found = json.loads(json.dumps(by.uniform()).replace("K >= 3", "K >= 2"))
    found["witness"]["sums"]["mean"][2] += pole
    return found


def price_at_the_target():
    found = by.hitting(value="1/p + 1")
    return by.proving(found, **by.functions(f={"a": "1", "b": "1/p + 1"}))


def scale_below_zero():
    """1/p = 1/p + 1/2 - r with r between 1 and 0."""
    return by.expansion(series="1/p + 1/2", scale="-1", lower="1", upper="0")


# ---------------------------------------------------------------- clusters joined by a walk
def tagged(build, **changes):
    """A statement about rows without a walk, of rows with one."""
    return by.inside(build(), chain=by.gated(), domain=by.CLUSTER, **changes)


def ratio_to_itself():
    """From x itself, as if it were no x."""
    return by.ratio("p", f={"a": "1", "b": "1"}, home="a")


def ratio_of_two_gates():
    """Two states to a gate, one of which may follow the other."""
    rows = by.chain({"a": "2", "b": "1"}, [("a", "b:p; a:1 - p"), ("b", "a:p; b:1 - p")])
    rows["classes"]["a"]["size"] = "2"
    reach = by.hitting(by.CLUSTER, rows)
    told = {"chain": rows, "pivot": "a", "home": "b", "value": "0"}
    f = by.functions(f={"a": "1", "b": "0"})
    return by.certificate("metastability-ratio", by.CLUSTER, reach, witness=f, **told)


def pseudo_gap_of_others():
    """Moves to the other states of a class have eigenvalues below 0."""
    rows = {**by.gated(), "even": "yes"}
    return by.pseudo(premise=by.inner_law(checker.retagged(rows, W=[])), chain=rows)


def steps_from_home():
    """W moves from the home: the gate's bound says nothing of them."""
    rows = by.gated()
    del rows["rows"][0]["to"][2][3:]
    rows["rows"][1]["to"][1].append("W")
    return by.composed_gap(chain=rows)


def enters_elsewhere():
    rows = by.gated()
    del rows["rows"][0]["to"][2][3:]
    rows["rows"][0]["to"][1].append("W")
    return by.composed_gap(chain=rows)


def gap_of_other_clusters():
    kappa = by.inner_gap("1/2", chain=by.two_states("1/2", "1/2"))
    return by.composed_gap((kappa, by.inner_law(), by.walk_gap("lower"), by.walk_gap("upper")))


def clusters_not_reversible():
    found = by.inner_law()
    found = by.inside(found, reversed=found["statement"]["chain"]["rows"])
    return by.composed_gap((by.inner_gap(), found, by.walk_gap("lower"), by.walk_gap("upper")))


def two_walks():
    """The bound from above is one of a walk of two clusters."""
    above = by.gap_upper(by.law(by.hitting(by.WALK, by.two_states("1/2", "1/2"), value="2")), "1")
    return by.composed_gap((by.inner_gap(), by.inner_law(), by.walk_gap("lower"), above))


def states_of_a_cluster():
    """A type of the walk with two states hides functions of which the moves say nothing."""
    rows = {**by.ONE, "classes": {"k": {"size": "2", "index": None}}}
    sides = [by.inside(by.walk_gap(side), chain=rows) for side in ("lower", "upper")]
    return by.composed_gap((by.inner_gap(), by.inner_law(), *sides), walk=rows)


def even_by_name():
    """The reading of the rows of W is part of what is proved of them."""
    rows = {**by.everywhere(), "even": "yes"}
    low = by.certificate("modes-lower", by.WALK, witness={"law": ["1", "1"]}, chain=rows, value="1")
    high = by.gap_upper(by.outer_law(), "K/(K - 1)", {"t": "1", "o": "0"})
    premises = by.inner_gap(), by.inner_law(), low, high
    return by.composed_gap(premises, walk=by.everywhere(), ratio="100")


def law_of_moves_that_lead_out():
    return by.product_law((by.law(by.hitting(by.CLUSTER, by.gated())), by.outer_law()))


def walk_of_a_walk():
    """A time on rows that a walk joins, taken for that of a walk."""
    time = by.hitting(by.CLUSTER, by.gated())
    ends = {"target": ["a"], "start": ["b", None]}
    return by.of_clusters("2/p**2", (by.inner_law(), time), walk=by.gated(), **ends)


def one_name_for_two():
    """K of the walk is at least 2."""
    return by.inside(
        by.of_clusters(), domain=by.domain("K", "p", ["K >= 1", *by.BOTH["facts"][1:]])
    )


def fixed_elsewhere():
    """What is proved for K = 3, for all K."""
    three = by.inside(by.steps(), domain=by.domain("K", values={"K": "3"}))
    return by.of_clusters(premises=(by.inner_law(), three))


def other_names_elsewhere():
    return by.of_clusters(walk=by.two_states())


def two_exits():
    """Who leaves from the one state may return to the other: nothing stays."""
    moves = [("a", "a:1 - 2*p; b:p; a:p:W"), ("b", "a:p; b:1 - 2*p; b:p:W")]
    return pseudo_of(by.chain({"a": "1", "b": "1"}, moves))


def pseudo_of(rows):
    return by.pseudo(premise=by.inner_law(checker.retagged(rows, W=[])), chain=rows)


def gap_of_nothing():
    """The gap of no state at all is at most -1."""
    told = {"chain": {"classes": {}, "rows": []}, "value": "-1"}
    return by.certificate("modes-upper", by.K2, witness={"law": [], "block": ["1"]}, **told)


def sentence_in_a_value():
    """On an empty domain nothing is read, and everything is printed."""
    found = by.hitting(
        by.EMPTY, value="1 on every chain. Moreover K is 0 for all integers K. It is"
    )
    return by.proving(found, vacuous="K <= 1")


def power_of_a_half():
    """A power of 100**4 in a denominator."""
    return by.compare(["((((1/2)**100)**100)**100)**100 >= 0"])


def long_terms():
    """A million terms of 460 letters each."""
    sums = {v: "(" + "+".join(f"{v}**{k}" for k in range(32)) + ")" for v in "abde"}
    text = "g**100*g**100*{a}*{b}*({d}*{e}*g**99)*0 >= 0".format_map(sums)
    return by.compare([text], by.domain(reals="a b d e g"))


ATTACKS = {
    two_exits: "exits == 1",
    gap_of_nothing: "how many types",
    sentence_in_a_value: "not plain text",
    power_of_a_half: "too large",
    long_terms: "too",
    square_with_a_pole: "division by zero",
    kind_for_a_parameter: "not shown: ",
    index_in_a_bound: "unknown name",
    index_in_an_argument: "unknown name",
    integer_for_the_cosine: "c is no more",
    some_number_of_clusters: "K is not free",
    letters_for_a_start: "no start",
    more_cases_than_parts: "other parts than cases",
    halves_of_a_value: "conclude different things",
    longer_law: "no law",
    law_unsaid: "no law",
    tag_in_pieces: "wrong move",
    move_in_letters: "wrong move",
    uniform_unsaid: "uniform or not",
    bounds_of_modes: "of kind modes-upper",
    two_values: "other premises",
    three_indices: "no range",
    number_tied_to_a_real: "no integers",
    sum_over_nothing: "denominator may vanish",
    price_at_the_target: "f == 0",
    scale_below_zero: "scale > 0",
    ratio_to_itself: "other == 0",
    ratio_of_two_gates: "single == 1",
    pseudo_gap_of_others: "classes == 2",
    steps_from_home: "another chain|elsewhere",
    enters_elsewhere: "another chain|elsewhere",
    gap_of_other_clusters: "another chain",
    clusters_not_reversible: "another reversed",
    two_walks: "another chain",
    states_of_a_cluster: "inside a class",
    even_by_name: "another chain",
    law_of_moves_that_lead_out: "wrong move",
    walk_of_a_walk: "wrong move",
    one_name_for_two: "a larger domain",
    fixed_elsewhere: "other parameters",
    other_names_elsewhere: "another chain",
}


MORE: dict[str, Callable[[], object]] = {
    "index out of range": lambda: by.proving(
        by.hitting(
            by.K2,
            by.chain(
                {"t": "1", "g": ("1", "0", "K")}, [("t", "t:1"), ("g", "0", "K", "g[j - 1]:1")]
            ),
            target=["t"],
            start=["g", "K"],
            value="K + 1",
        ),
        **by.functions(f={"t": "0", "g": "j + 1"}),
    ),
    "index not served": lambda: by.proving(
        by.hitting(
            by.K2,
            by.chain(
                {"t": "1", "g": ("1", "0", "K")},
                [("t", "t:1"), *(("g", n, n, "t:1") for n in "01")],
            ),
            target=["t"],
            start=["g", "K"],
            value="1 + 4*K*(K - 1)",
        ),
        **by.functions(f={"t": "0", "g": "1 + 4*j*(j - 1)"}),
    ),
    "row too light": lambda: by.hitting(
        by.domain(reals="p", facts=["p > 0", "2*p <= 1"]),
        by.chain({"a": "1", "b": "1"}, [("a", "a:1"), ("b", "a:p; b:1 - 2*p")]),
        value="1/(2*p)",
    ),
    "probability below 0": lambda: by.hitting(
        rows=by.chain({"a": "1", "b": "1"}, [("a", "a:1"), ("b", "a:1 + p; b:-p")]),
        value="1/(1 + p)",
    ),
    **{f"a move tagged {t!r}": partial(with_a_tag, t) for t in ("sparse", "w", ["W"], "", "+1")},
    "generating function of a walk": lambda: tagged(by.generating),
    "second moment of a walk": lambda: tagged(by.squared),
    "return of a walk": lambda: tagged(by.returning),
    "bounds of a walk": lambda: tagged(by.bounded),
    "gap of a walk": lambda: tagged(by.gap_lower),
    "law with another outer one": lambda: by.product_law(outer=["1/2", "1/2"]),
    "clusters with one premise": lambda: by.of_clusters(premises=(by.inner_law(),)),
    "clusters with two times": lambda: by.of_clusters(premises=(by.steps(), by.steps())),
    "clusters without premises": lambda: by.inside(by.of_clusters(), value="1") | {"premises": []},
    "clusters from another start": lambda: by.of_clusters(
        premises=(by.inner_law(), by.steps(start=["t", None], value="0"))
    ),
    "clusters of other rows": lambda: by.of_clusters(chain=by.gated("1 - 3*p", "2*p:W")),
    "clusters with a law": lambda: by.of_clusters(law=["1"]),
    "s above 1": lambda: by.generating(facts=("s > 0", "10*s <= 11")),
    "s of the parameters": lambda: by.generating("1", "1 + p", ()),
    "gates too good": lambda: by.composed_gap(lower="p/2", upper="p*K/(2*(K - 1))"),
}


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.__name__)
def test_attack_is_refused_for_its_own_reason(attack):
    with pytest.raises(checker.Refused, match=ATTACKS[attack]):
        by.check(attack())


@pytest.mark.parametrize("name", MORE)
def test_attack_is_refused(name):
    with pytest.raises(checker.Refused):
        by.check(MORE[name]())


def test_sum_over_nothing_is_nothing():
    by.check(sum_over_nothing(""))


def test_tagged_moves_to_classes_are_said_to_be_uniform():
    assert "uniform on it)" in checker.text(by.bounds()["statement"])
    assert "or on its other states" in checker.text(by.even()["statement"])
    assert "uniform" not in checker.text(by.hitting()["statement"])


def test_labels_called_cases_are_all_printed():
    """Clusters of classes called "by" and "cases" are no proof by cases."""
    told = by.inside(by.aggregated(), clusters={"by": "K", "cases": "left", "c": "right"})
    assert "(by: K, cases: left, c: right)" in checker.text(told["statement"])


def test_effort_of_sums_and_copies_is_counted(monkeypatch):
    monkeypatch.setattr(checker, "WORK", 10**5)
    where = by.domain(reals="a b y", values={"y": "(a + b)**99"})
    sums = completed(by.compare(["(" + "+".join(["y"] * 400) + ")*0 >= 0"], where))
    within = {**by.compare([]), "witness": {"signs": [], "note": "-" * 10**4}}
    for _ in range(30):
        within = {**by.compare([]), "witness": {"signs": []}, "premises": [within]}
    for found in (sums, within):
        with pytest.raises(checker.Refused, match="too much work"):
            checker.check(found)


def test_memory_is_bounded(monkeypatch):
    """What runs out of memory is refused in a line."""
    monkeypatch.setattr(checker, "prove", lambda *_: [0] * 10**18)
    with pytest.raises(checker.Refused, match="MemoryError"):
        checker.check(by.compare(["K >= 2"]) | {"witness": {"signs": []}})


# ---------------------------------------------------------------- false claims before the judge
def offered(family, quantity, statement=(), witness=(), **changes):
    """A claim with another statement and witness in its certificate."""
    claim = derivation(load(family)).claim(quantity)
    found = claim.certificate
    told, shown = {**found["statement"], **dict(statement)}, {**found["witness"], **dict(witness)}
    return replace(claim, certificate={**found, "statement": told, "witness": shown, **changes})


def rows_error(claim):
    family = load(claim.family)
    return verify.same_rows(claim, family, claim.domain.points(1)[0]).reason


def test_judge_reads_the_whole_domain():
    """A claim that is proved for K = 2 alone, and true at all points that are tried."""
    true = offered("complete", "hitting-time")
    off = true.expression + sympy.prod(sympy.Symbol("K") - k for k in range(2, 40))
    on = {**true.statement["domain"], "values": {"K": "2"}}
    told = {"value": str(off), "domain": on}
    found = offered("complete", "hitting-time", told).certificate
    del found["witness"]["signs"]
    false = replace(true, expression=off, certificate=completed(found))
    checker.check(false.certificate)
    assert verify.certified(true).verdict == verify.Verdict.PROVED
    assert "other parameters" in verify.certified(false).reason


def test_judge_reads_the_rows_of_the_statement():
    """Rows that the statement is about, not those of premises by the look of the witness."""
    other = by.two_states()
    claim = offered("complete", "hitting-time", {"chain": other}, {"multiple": "1"}, premises=[])
    assert "other rows" in rows_error(claim)


def test_judge_reads_parts_that_are_all_empty():
    part = {"statement": {"kind": "comparison"}, "witness": {"vacuous": ""}, "premises": []}
    told = {"kind": "comparison"}
    claim = offered("complete", "hitting-time", told, {"split": "K"}, premises=[part])
    assert "another start" in rows_error(claim)


def test_judge_tells_a_cluster_from_what_is_composed_of_it():
    family = load("clique/complete/gate")
    assert isinstance(family, Composed)
    told = {"kind": "spectral-gap", "chain": family.cluster.inside.to_json()}
    claim = offered("clique/complete/gate", "spectral-gap", told, premises=[])
    assert "part of the family" in rows_error(claim)
