"""Alterations of real certificates: each is refused, or proves another statement that is true.

Whatever the checker still accepts is put to a judge that shares nothing with it: every statement of
the altered certificate is evaluated at points of its own domain, with the chain that its own rows
give there, in floating point.
"""

import copy
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

from theory import checker
from theory.claims import Derivation
from theory.family import built_in, load
from theory.spectrum import gap_by_test_function

DRIFT = Path(__file__).parents[1] / "data" / "drift.py"
COUNTS = {  # alterations of each certificate in the default run
    "complete/hitting-time": 60,
    "complete/exit-time": 40,
    "drift/hitting-time": 40,
    "complete/stationary": 60,
    "complete/aggregated-matrix": 40,
    "complete/aggregated-hitting-time": 40,
    "complete/hitting-time-bounds": 20,
    "complete/spectral-gap": 40,
    "ring/hitting-time": 40,
    "ring/exit-time": 40,
    "ring/stationary": 20,
    "ring/aggregated-matrix": 6,
    "ring/spectral-gap": 6,
    "star/hitting-time": 50,
    "star/hitting-time-leaf-to-hub": 50,
    "star/stationary": 40,
    "star/aggregated-matrix": 30,
    "star/hitting-time-bounds": 20,
    "star/spectral-gap": 40,
    "path/hitting-time": 12,
    "path/exit-time-interior": 40,
    "path/gap-upper": 6,
    "unequal/hitting-time": 30,
    "unequal/stationary": 20,
}
MORE = {  # in the slow run
    **{name: 2 * count for name, count in COUNTS.items()},
    "ring/hitting-time-bounds": 20,
    "path/stationary": 20,
    "path/aggregated-matrix": 6,
    "path/aggregated-hitting-time": 6,
    "path/spectral-gap": 5,
    "path/hitting-time-bounds": 4,
}
TOLERANCE = 1e-7


@cache
def derivation(family):
    return Derivation(load(str(DRIFT)) if family == "drift" else built_in()[family])


@cache
def original(name):
    family, quantity = name.split("/")
    known = derivation(family)
    if quantity == "gap-upper":  # an instance, by cases, of a bound by a test function
        found = gap_by_test_function(known.family, known.problems[""], known.family.slow_mode)
    else:
        found = known.claim(quantity).certificate
    return json.dumps(found)


# ---------------------------------------------------------------- alterations
def sites(value, path=()):
    """Paths of everything inside a certificate."""
    yield path
    if isinstance(value, dict | list):
        for key, part in value.items() if isinstance(value, dict) else enumerate(value):
            yield from sites(part, (*path, key))


def at(value, path):
    for key in path:
        value = value[key]
    return value


def put(value, path, new):
    at(value, path[:-1])[path[-1]] = new


def replaced(value, old, new):
    """The value with one text replaced wherever it stands alone."""
    if isinstance(value, dict):
        return {replaced(k, old, new): replaced(v, old, new) for k, v in value.items()}
    if isinstance(value, list):
        return [replaced(v, old, new) for v in value]
    return new if value == old else value


def changed_number(text, rng):
    """Another integer somewhere in an expression."""
    numbers = list(re.finditer(r"\b\d+\b", text))
    if not numbers:
        return f"2*({text})"
    m = rng.choice(numbers)
    other = int(m[0]) + rng.choice([-1, 1]) if int(m[0]) else 1
    return f"{text[: m.start()]}{other}{text[m.end() :]}"


def changed_expression(text, rng):
    signs = [i for i, c in enumerate(text) if c in "+-"]
    names = sorted(set(re.findall(r"[A-Za-z_]\w*", text)) - {"sqrt"})
    ways = ["number", "number", "twice", "more", "less"]
    ways += ["sign", "sign"] * bool(signs) + ["name"] * bool(names) + ["power"] * ("**2" in text)
    way = rng.choice(ways)
    if way == "number":
        return changed_number(text, rng)
    if way == "sign":
        i = rng.choice(signs)
        return text[:i] + ("-" if text[i] == "+" else "+") + text[i + 1 :]
    if way == "name":
        name = rng.choice(names)
        other = rng.choice([f"2*{name}", f"({name} + 1)", f"{name}**2", "1", "0"])
        return re.sub(rf"\b{name}\b", other, text, count=rng.choice([0, 1]))
    if way == "power":
        return text.replace("**2", "**3", 1)
    return {"twice": "2*({})", "more": "{} + 1", "less": "({})/2"}[way].format(text)


def parts_of(fact):
    found = re.fullmatch(r"([^<>=]+?) *(>=|<=|>|<) *([^<>=]+)", fact)
    assert found is not None, fact
    return found.groups()


def changed_fact(text, rng):
    left, relation, right = parts_of(text)
    ways = [
        f"{left} {relation} {changed_number(right, rng)}",
        f"{left} + 1 {relation} {right}",
        f"{left} - 1 {relation} {right}",
        f"{right} {relation} {left}",
        f"{left} {relation[0]} {right}" if len(relation) == 2 else f"{left} {relation}= {right}",
    ]
    return rng.choice([w for w in ways if w != text])


def changed_list(value, rng):
    """One part less, two parts exchanged, one part twice, or the halves of two parts mixed."""
    way = rng.choice(["drop", "swap", "twice", "mix"])
    i = rng.randrange(len(value))
    k = rng.randrange(len(value))
    value = copy.deepcopy(value)
    if way == "drop":
        del value[i]
    elif way == "swap":
        value[i], value[k] = value[k], value[i]
    elif way == "twice":
        value.insert(k, copy.deepcopy(value[i]))
    elif all(isinstance(v, dict) for v in value):
        for key in set(value[i]) & set(value[k]) & {"to"}:
            value[i][key], value[k][key] = value[k][key], value[i][key]
    return value


NAMES = {"target", "start", "from", "pivot", "clusters", "integers", "reals", "fact", "vacuous"}
FIXED = {"format", "slack", "premises", "parts", "of", "where", "chains"}


def altered(found, said, rest, rng):
    """One alteration: of an expression, fact, name or list, in one place or wherever it stands."""
    path = rng.choice(said if rng.random() < 0.7 else rest)
    old = at(found, path)
    everywhere = rng.random() < 0.5
    if old is None:
        new, everywhere = rng.choice(["0", "1"]), False
    elif isinstance(old, list):
        if not old:
            return None
        new = changed_list(old, rng)
    elif "facts" in path or "claims" in path:
        new = changed_fact(old, rng)
    elif path[-1] in ("kind", "side"):
        choice = ["lower", "upper", "root"] if path[-1] == "side" else sorted(checker.KINDS)
        new, everywhere = rng.choice(choice), False
    elif old in ("0", "+1", "-1", "others") and "moves" in path:
        new, everywhere = rng.choice(["0", "+1", "-1", "others"]), False
    elif re.fullmatch(r"[A-Za-z]\w*", old) and (
        NAMES & set(map(str, path)) or path[-1] == 0 or path[-1] == 3
    ):
        others = {p[p.index("classes") + 1] for p in said if "classes" in p} - {old}
        new, everywhere = rng.choice(sorted(others) or ["K"]), False
    elif "facts" in path[-2:] or re.search("[<>]", old):
        new = changed_fact(old, rng)
    else:
        new = changed_expression(old, rng)
    if new == old:
        return None
    if everywhere and isinstance(old, str):
        return replaced(found, old, new)
    if everywhere:  # a list, and its copies in what the certificate builds on
        text, part = json.dumps(found), json.dumps(old)
        return json.loads(text.replace(part, json.dumps(new)))
    found = copy.deepcopy(found)
    put(found, path, new)
    return found


def alterations(name, count):
    """``count`` different alterations of a certificate."""
    rng, seen = random.Random(zlib.crc32(name.encode())), {original(name)}
    whole = json.loads(original(name))
    paths = [p for p in sites(whole) if p and p[-1] not in FIXED]
    paths = [p for p in paths if not isinstance(at(whole, p), dict)]
    said = [p for p in paths if p[0] == "statement"]
    while len(seen) <= count:
        found = altered(whole, said, paths, rng)
        text = json.dumps(found)
        if found is not None and text not in seen:
            seen.add(text)
            yield found


# ---------------------------------------------------------------- the judge
class Wrong(Exception):
    """A statement is false at a point, or does not make sense there."""


@cache
def compiled(text):
    return compile(re.sub(r"\b\d+\b", r"Fraction(\g<0>)", text.strip()), text, "eval")


def number(text, env):
    names = {"Fraction": Fraction, "sqrt": math.sqrt, "__builtins__": {}}
    try:
        return eval(compiled(text), names, env)
    except ZeroDivisionError as error:
        raise Wrong(f"{text} has no value at {env}") from error


def holds(fact, env):
    left, relation, right = parts_of(fact)
    a, b = number(left, env), number(right, env)
    slack = 0 if isinstance(a - b, Fraction) else TOLERANCE * (abs(a) + abs(b) + 1)
    gap = a - b if relation[0] == ">" else b - a
    return gap >= -slack if relation[1:] else gap > -slack


def inside(domain, free):
    """The point with the values of the domain, or None if it is not in it."""
    env = {n: free[n] for n in free if n not in domain.get("values", {})}
    for name, text in domain.get("values", {}).items():
        env[name] = number(text, env)
        if name in domain["integers"] and env[name].denominator != 1:
            return None
    try:
        return env if all(holds(f, env) for f in domain["facts"]) else None
    except Wrong:
        return None


REALS = [Fraction(x) for x in ("-1/2", "0", "1/50", "1/3", "1/2", "6/7", "1", "3/2")]


def points(domain, most):
    """Points of a domain: its corners, and what lies beyond those of an unaltered one."""
    integers = [n for n in domain["integers"] if n not in domain.get("values", {})]
    reals = [n for n in domain["reals"] if n not in domain.get("values", {}) and n != "c"]
    choices = [list(map(Fraction, range(5)))] * len(integers) + [REALS] * len(reals)
    found = []
    for values in itertools.product(*choices):
        free = dict(zip([*integers, *reals], values, strict=True))
        if "c" in domain["reals"]:
            if free.get("K", 0) < 1:
                continue
            free["c"] = math.cos(2 * math.pi / free["K"])
            free["c"] = min(free["c"], 1 - 1e-12)
        env = inside(domain, free)
        if env is not None:
            found.append(env)
    odd = [e for e in found if not usual(e)]
    rest = [e for e in found if usual(e)]
    random.Random(1).shuffle(odd)
    random.Random(2).shuffle(rest)
    return odd[: most // 2] + rest[: most - len(odd[: most // 2])]


def usual(env):
    return env.get("K", 9) >= 3 and env.get("M", 9) >= 3 and 0 < env.get("epsilon", 0.5) < 1


def close(a, b):
    return abs(a - b) <= TOLERANCE * (1 + abs(a) + abs(b))


def ensure(condition, reason):
    if not condition:
        raise Wrong(reason)


def whole(text, env):
    found = number(text, env)
    ensure(found == int(found), f"{text} is not an integer at {env}")
    return int(found)


def explicit(chain, env, absorbing=()):
    """States, the row that serves each, and the matrix."""
    rows: dict[Any, Any] = {}
    for n, row in enumerate(chain["rows"]):
        span = row["index"] and range(whole(row["index"][0], env), whole(row["index"][1], env) + 1)
        for j in span or ([None] if row["index"] is None else []):
            ensure((row["from"], j) not in rows, "two rows for one state")
            rows[row["from"], j] = n
    for name, data in chain["classes"].items():
        span = data["index"] and range(
            whole(data["index"][0], env), whole(data["index"][1], env) + 1
        )
        for j in span or ([None] if data["index"] is None else []):
            if name in absorbing:
                rows.setdefault((name, j), None)
            ensure((name, j) in rows, f"no row for {name}[{j}] at {env}")
        for place in rows:
            ensure(
                place[0] != name or (place[1] in span if span is not None else place[1] is None),
                "a row for no state",
            )
    states = list(rows)
    ensure(all(name in chain["classes"] for name, _ in states), "a row of no class")
    position = {state: i for i, state in enumerate(states)}
    matrix = np.zeros((len(states), len(states)))
    for state, n in rows.items():
        if n is None:
            matrix[position[state], position[state]] = 1
            continue
        here = env if state[1] is None else {**env, "j": Fraction(state[1])}
        for to, index, p, *_ in chain["rows"][n]["to"]:
            place = to, None if index is None else whole(index, here)
            ensure(place in position, f"a move to {place}, which does not exist")
            matrix[position[state], position[place]] += float(number(p, here))
            ensure(number(p, here) >= 0, "a negative probability")
    ensure(np.allclose(matrix.sum(axis=1), 1), "a row does not sum to 1")
    return states, [rows[s] for s in states], matrix


def stationary_law(matrix):
    n = len(matrix)
    equations = np.vstack([matrix.T - np.eye(n), np.ones(n)])
    law, _, rank, _ = np.linalg.lstsq(equations, np.append(np.zeros(n), 1), rcond=None)
    ensure(rank == n and np.allclose(equations[:-1] @ law, 0), "no stationary law, or several")
    return law


def quotient_gap(chain, env):
    """1 - the second largest eigenvalue of the rows, None if they are not reversible."""
    _, _, matrix = explicit(chain, env)
    law = stationary_law(matrix)
    flow = law[:, None] * matrix
    if not np.allclose(flow, flow.T):
        return None
    some = law > 1e-14
    root = np.sqrt(law[some])
    symmetric = root[:, None] * matrix[np.ix_(some, some)] / root[None, :]
    values = np.sort(np.linalg.eigvalsh((symmetric + symmetric.T) / 2))
    return 1 - values[-2] if len(values) > 1 else None


def judge_time(s, env):
    time = time_from_start(s, env)
    value = float(number(s["value"], env))
    ensure(abs(value - time) <= 1e-6 * (1 + abs(value)), f"{value} is not {time}")


def judge_between(s, env):
    time = time_from_start(s, env)
    lower, upper = (float(number(s[side], env)) for side in ("lower", "upper"))
    slack = 1e-6 * (1 + abs(time))
    ensure(lower <= time + slack, f"{lower} is above {time}")
    ensure(upper >= time - slack, f"{upper} is below {time}")


def time_from_start(s, env):
    states, _, matrix = explicit(s["chain"], env, s["target"])
    off = [i for i, (name, _) in enumerate(states) if name not in s["target"]]
    name, index = s["start"]
    start = states.index((name, None if index is None else whole(index, env)))
    time = np.zeros(len(states))
    if off:
        time[off] = np.linalg.solve(np.eye(len(off)) - matrix[np.ix_(off, off)], np.ones(len(off)))
    ensure(min(time) >= 0, "no mean time")
    return time[start]


def judge_law(s, env):
    states, rows, matrix = explicit(s["chain"], env)
    masses = []
    for (name, j), row in zip(states, rows, strict=True):
        here = env if j is None else {**env, "j": Fraction(j)}
        masses.append(float(number(s["chain"]["classes"][name]["size"], here)))
        masses[-1] *= float(number(s["law"][row], here))
    ensure(np.allclose(masses, stationary_law(matrix), atol=1e-9), "another law")


def judge_matrix(s, env):
    states, _, matrix = explicit(s["chain"], env)
    clusters, _, meta = explicit(s["aggregated"], env)
    law, label = stationary_law(matrix), [(s["clusters"][n], j) for n, j in states]
    ensure(set(label) == set(clusters), "other clusters")
    member = np.array([[x == c for x in label] for c in clusters], float)
    flow = member @ (law[:, None] * matrix) @ member.T
    ensure(np.allclose(flow / (member @ law)[:, None], meta), "another matrix")


def judge_lower(s, env):
    gap = quotient_gap(s["chain"], env)
    ensure(gap is None or number(s["value"], env) <= gap + TOLERANCE, "the gap is smaller")


def judge_upper(s, env):
    gap = quotient_gap(s["chain"], env)
    ensure(gap is not None and number(s["value"], env) >= gap - TOLERANCE, "the gap is larger")


def judge_cycle(s, env):
    K, sizes = int(env["K"]), {a: whole(size, env) for a, size in s["types"].items()}
    ensure(K >= 2 and min(sizes.values()) >= 1, "no such chain")
    states = [(k, a, i) for k in range(K) for a in sizes for i in range(sizes[a])]
    matrix = np.zeros((len(states), len(states)))
    for a, b, shift, p in s["moves"]:
        steps = {"others": range(1, K)}.get(shift) or [int(shift)]
        each = float(number(p, env)) / len(steps) / sizes[b]
        ensure(each >= 0, "a negative probability")
        for x, (k, kind, _) in enumerate(states):
            for y, (to, other, _) in enumerate(states):
                matrix[x, y] += (
                    each
                    * (kind == a and other == b)
                    * sum((k + step - to) % K == 0 for step in steps)
                )
    ensure(np.allclose(matrix.sum(axis=1), 1), "a row does not sum to 1")
    law = stationary_law(matrix)
    flow = law[:, None] * matrix
    ensure(np.allclose(flow, flow.T), "not reversible")
    root = np.sqrt(law)
    gap = 1 - np.sort(np.linalg.eigvalsh(root[:, None] * matrix / root[None, :]))[-2]
    value = number(s["value"], env)
    ensure(s["side"] == "lower" or value >= gap - TOLERANCE, "the gap is larger")
    ensure(s["side"] == "upper" or value <= gap + TOLERANCE, "the gap is smaller")


def judge_bounds(s, env):
    lower, upper, ratio = (number(s[key], env) for key in ("lower", "upper", "ratio"))
    ensure(lower <= upper + TOLERANCE, "the bounds contradict each other")
    ensure(upper <= ratio * lower + TOLERANCE, "the bounds are further apart")
    value = number(s.get("value", s["lower"]), env)
    ensure(lower - TOLERANCE <= value <= upper + TOLERANCE, "the value is not between the bounds")


def judge_comparison(s, env):
    values = {
        f"v{n}": number(told["value"], env) for n, told in enumerate(s["where"]) if "value" in told
    }
    ensure(all(holds(claim, {**env, **values}) for claim in s["claims"]), "an inequality fails")


def judge_cases(s, env):
    ensure(any(inside(part["domain"], env) for part in s["parts"]), f"no case holds at {env}")


def judge_instance(s, env):
    (name,) = set(s["of"]["domain"]["integers"]) - set(s["domain"]["integers"])
    some = (inside(s["of"]["domain"], {**env, name: Fraction(n)}) for n in range(-30, 30))
    ensure(any(some), f"no {name} at {env}")


JUDGES = {
    "mean-hitting-time": judge_time,
    "hitting-time-between": judge_between,
    "stationary": judge_law,
    "aggregated-matrix": judge_matrix,
    "gap-lower": judge_lower,
    "gap-upper": judge_upper,
    "cyclic-gap": judge_cycle,
    "spectral-gap": judge_bounds,
    "comparison": judge_comparison,
    "cases": judge_cases,
    "instance": judge_instance,
}


def judge(found, most=6):
    """Raise Wrong if some statement of the certificate is false at a point."""
    statement = found["statement"]
    tried = points(statement["domain"], most)
    for env in tried:
        try:
            JUDGES[statement["kind"]](statement, env)
        except np.linalg.LinAlgError as error:
            raise Wrong("the target is not reached") from error
    return len(tried) + sum(judge(premise, most) for premise in found.get("premises", []))


# ---------------------------------------------------------------- the tests
def outcome(name, count):
    """How many alterations are refused, and how many prove what they say."""
    refused = accepted = 0
    for found in alterations(name, count):
        try:
            statement = checker.check(found)
        except checker.Refused:
            refused += 1
            continue
        accepted += 1
        assert statement == found["statement"]
        try:
            judge(found)
        except Wrong as error:
            raise AssertionError(f"accepted, but {error}: {checker.text(statement)}") from error
    return refused, accepted


@pytest.mark.parametrize("name", COUNTS)
def test_unaltered_certificate_is_accepted_and_true(name):
    found = json.loads(original(name))
    assert checker.check(found) == found["statement"]
    assert judge(found, 2) > 0


@pytest.mark.parametrize("name", COUNTS)
def test_altered_certificate_proves_nothing_false(name):
    refused, accepted = outcome(name, COUNTS[name])
    assert refused + accepted == COUNTS[name]
    assert refused >= 0.6 * COUNTS[name]


@pytest.mark.slow
@pytest.mark.parametrize("name", MORE)
def test_more_altered_certificates_prove_nothing_false(name):
    refused, accepted = outcome(name, MORE[name])
    assert refused + accepted == MORE[name]


def kinds(found):
    return {found["statement"]["kind"]}.union(*map(kinds, found["premises"]))


def test_alterations_are_many_and_of_every_kind():
    assert sum(COUNTS.values()) >= 600
    assert sum(MORE.values()) >= 1400
    assert {name.split("/")[0] for name in COUNTS} == {*built_in(), "drift"}
    found = [json.loads(original(name)) for name in COUNTS]
    missing = set(checker.KINDS) - set().union(*map(kinds, found))
    assert missing == OF_COMPOSITIONS  # altered in test_composed_certificates and test_catalogue


OF_COMPOSITIONS = {
    *("second-moment", "return-time", "return-second-moment", "generating-function"),
    *("composed-law", "composed-aggregated", "composed-gap", "composed-root", "even-gap"),
    *("capacity", "conductance", "kemeny", "kemeny-walk", "metastability-ratio"),
    *("stochastic-complement", "pseudo-gap", "expansion"),
}

ALTERED = {  # of the ring's hitting time, unless another is named
    "value": ("ring/hitting-time", ("value",), "2*epsilon*(1 - epsilon)"),
    "row": ("ring/hitting-time", ("chain", "rows", 2, "to", 4, 2), "2*epsilon"),
    "size": ("ring/stationary", ("chain", "classes", "bulk", "size"), "M - 1"),
    "range": ("ring/hitting-time", ("chain", "rows", 4, "index", 1), "K - 2"),
    "class range": ("ring/hitting-time", ("chain", "classes", "bulk", "index", 1), "K"),
    "start": ("ring/hitting-time", ("start", 0), "forward"),
    "start index": ("ring/hitting-time", ("start", 1), "d + 1"),
    "target": ("ring/hitting-time", ("target", 0), "home_bulk"),
    "law": ("ring/stationary", ("law", 0), "1/K"),
    "entry": ("complete/aggregated-matrix", ("aggregated", "rows", 0, "to", 0, 2), "epsilon/M"),
    "claim": ("star/hitting-time-bounds", ("claims", 1), "v0 <= 29/10*v1"),
    "lower claim": ("star/hitting-time-bounds", ("claims", 0), "v0 >= 11/10*v1"),
    "epsilon": ("ring/hitting-time", ("domain", "facts", 3), "epsilon <= 1"),
    "clusters": ("complete/hitting-time", ("domain", "facts", 0), "K >= 1"),
    "states": ("star/stationary", ("domain", "facts", 1), "M >= 1"),
    "distance": ("ring/hitting-time", ("domain", "facts", 5), "d <= K"),
    "range of claim": ("star/hitting-time-bounds", ("domain", "facts", 4), "M*epsilon <= 2"),
    "ratio": ("complete/spectral-gap", ("ratio",), "1"),
    "ratio of blocks": ("ring/spectral-gap", ("ratio",), "2"),
    "types": ("ring/spectral-gap", ("chains", 0, 0, 3), "epsilon"),
    "lower": ("complete/spectral-gap", ("lower",), "2*epsilon/M"),
    "root": ("complete/spectral-gap", ("value",), "epsilon/M"),
}


@pytest.mark.parametrize("name", ALTERED)
def test_alteration_of_the_statement_is_refused(name):
    """In the statement alone, and with every copy of it in what the certificate builds on."""
    source, path, new = ALTERED[name]
    found = json.loads(original(source))
    old = at(found["statement"], path)
    assert old != new
    put(found["statement"], path, new)
    with pytest.raises(checker.Refused):
        checker.check(found)
    if re.search("[a-z]", old):
        with pytest.raises(checker.Refused):
            checker.check(replaced(json.loads(original(source)), old, new))


@pytest.mark.parametrize("drop", range(9))
def test_missing_row_is_refused(drop):
    found = json.loads(original("ring/stationary"))
    for certificate in (found, found["premises"][0]):
        del certificate["statement"]["chain"]["rows"][drop]
    del found["statement"]["law"][drop]
    with pytest.raises(checker.Refused):
        checker.check(found)


@pytest.mark.parametrize("drop", range(1, 6))  # K >= 2 follows from 1 <= d <= K - 1
def test_missing_fact_is_refused(drop):
    found = json.loads(original("ring/hitting-time"))
    del found["statement"]["domain"]["facts"][drop]
    with pytest.raises(checker.Refused):
        checker.check(found)


def test_the_judge_sees_what_is_false():
    """A judge that never objects would prove nothing."""
    objections = 0
    for name in ("ring/hitting-time", "star/stationary", "complete/spectral-gap"):
        for found in alterations(name, 30):
            try:
                judge(found, 3)
            except (
                Wrong,
                AssertionError,
                AttributeError,
                LookupError,
                NameError,
                TypeError,
                ValueError,
            ):
                objections += 1
    assert objections >= 45
