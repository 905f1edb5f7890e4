"""Alterations of certificates: each is refused, or proves another statement that is true.

An altered certificate is given the best proofs of signs that the search finds.  Whatever the
checker still accepts is put to a judge that shares nothing with it: every statement of
the altered certificate is evaluated at points of its own domain, with the chain that its own rows
give there, in floating point.
"""

import contextlib
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
from scipy.sparse.csgraph import connected_components

from theory import checker
from theory.catalogue import derivation as derivation_of
from theory.catalogue import load
from theory.certificates import completed
from theory.family import built_in
from theory.spectrum import gap_by_test_function

DRIFT = Path(__file__).parents[1] / "data" / "drift.py"
COUNTS = {  # alterations of each certificate, in the default run
    "complete/hitting-time": 30,
    "complete/exit-time": 20,
    "drift/hitting-time": 20,
    "complete/stationary": 30,
    "complete/aggregated-matrix": 20,
    "complete/aggregated-hitting-time": 20,
    "complete/hitting-time-bounds": 10,
    "complete/spectral-gap": 20,
    "ring/hitting-time": 20,
    "ring/exit-time": 20,
    "ring/stationary": 10,
    "ring/aggregated-matrix": 3,
    "ring/spectral-gap": 3,
    "star/hitting-time": 25,
    "star/hitting-time-leaf-to-hub": 25,
    "star/stationary": 20,
    "star/aggregated-matrix": 15,
    "star/hitting-time-bounds": 10,
    "star/spectral-gap": 20,
    "path/hitting-time": 6,
    "path/exit-time-interior": 20,
    "path/gap-upper": 3,
    "unequal/hitting-time": 15,
    "unequal/stationary": 10,
}
COMPOSED = {
    "clique/ring/gate/hitting-time": 15,
    "clique/ring/gate/second-moment": 4,
    "clique/ring/gate/exit-law": 20,
    "clique/ring/gate/stationary": 15,
    "clique/ring/gate/aggregated-hitting-time": 15,
    "clique/ring/gate/hitting-time-bounds": 4,
    "clique/ring/gate/spectral-gap": 15,
    "clique/ring/gate/exact-gap": 15,
    "clique/ring/gate/metastable-eigenvalues": 15,
    "clique/ring/gate/stochastic-complement": 15,
    "clique/ring/gate/pseudo-spectral-gap": 15,
    "clique/ring/gate/metastability-ratio": 15,
    "clique/ring/gate/capacity": 8,
    "clique/ring/gate/conductance": 10,
    "clique/ring/gate/kemeny": 5,
    "clique/complete/gate/hitting-time": 15,
    "clique/complete/gate/second-moment": 6,
    "clique/complete/gate/spectral-gap": 15,
    "clique/ring/in-out/stationary": 10,
    "clique/complete/in-out/hitting-time": 10,
    "clique/ring/gates/hitting-time": 3,
    "clique/directed-ring/gate/stationary": 10,
    "clique/directed-ring/gate/spectral-gap": 10,
    "clique/complete-bipartite/gate/spectral-gap": 10,
    "complete-bipartite/complete/gate/hitting-time": 4,
    "lazy-cycle/ring/gate/hitting-time": 3,
}
COUNTS |= COMPOSED
MORE = {  # further ones, in the slow run
    **{name: (count + 1) // 2 for name, count in COUNTS.items()},
    "ring/hitting-time-bounds": 10,
    "path/stationary": 10,
    "path/aggregated-matrix": 2,
    "path/aggregated-hitting-time": 2,
    "path/spectral-gap": 1,
    "path/hitting-time-bounds": 1,
    "clique/barbell/gate/hitting-time": 5,
    "clique/barbell/gate/stationary": 5,
    "clique/barbell/gate/spectral-gap": 5,
    "nested/complete/gate/hitting-time": 10,
    "nested/ring/gate/stationary": 10,
    "lazy-cycle/ring/gate/stationary": 15,
    "clique/ring/split/hitting-time": 10,
    "clique/ring/decoy/hitting-time": 10,
}
TOLERANCE = 1e-7
MALFORMED = (LookupError, TypeError, ValueError, AttributeError, RecursionError)


@cache
def derivation(family):
    return derivation_of(load(str(DRIFT) if family == "drift" else family))


def sibling(name):
    """The certificates by hand of the file next to this one."""
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


BY_HAND = sibling("test_checker").HAND
COUNTS |= {f"by hand/{name}": 12 for name in BY_HAND}
MORE |= {f"by hand/{name}": 48 for name in BY_HAND}


def bare(found):
    """A certificate without its proofs of signs."""
    witness = {k: v for k, v in found["witness"].items() if k != "signs"}
    return {**found, "witness": witness, "premises": [bare(p) for p in found["premises"]]}


@cache
def original(name):
    family, quantity = name.rsplit("/", 1)
    if name.startswith("by hand/"):
        return json.dumps(BY_HAND[name.removeprefix("by hand/")]())
    known = derivation(family)
    if quantity == "gap-upper":  # by cases
        found = gap_by_test_function(known.family, known.problems[""], known.family.slow_mode)
    else:
        found = known.claim(quantity).certificate
    return json.dumps(bare(found))


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


NAMES = {"target", "start", "from", "pivot", "clusters", "integers", "reals", "some", "vacuous"}
FIXED = {"format", "premises", "of", "integer", "even"}


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
    elif path[-1] == "kind":
        new, everywhere = rng.choice(sorted(checker.RULES)), False
    elif path[-1] == 3 and "to" in path:
        new, everywhere = rng.choice(["+1", "-1", "others", "W"]), False
    elif re.fullmatch(r"[A-Za-z]\w*", old) and (
        NAMES & set(map(str, path)) or (path[-1] == 0 and "to" in path)
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


def alterations(name):
    """Different alterations of a certificate, without end."""
    rng, seen = random.Random(zlib.crc32(name.encode())), {original(name)}
    whole = json.loads(original(name))
    paths = [p for p in sites(whole) if p and p[-1] not in FIXED]
    paths = [p for p in paths if not isinstance(at(whole, p), dict)]
    said = [p for p in paths if p[0] == "statement"]
    while True:
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


WALKS = [
    np.array([[0.0, 1.0], [1.0, 0.0]]),
    np.array([[3 / 4, 1 / 4], [1 / 3, 2 / 3]]),
    np.array([[1 / 2, 1 / 2, 0], [1 / 4, 1 / 2, 1 / 4], [0, 1 / 2, 1 / 2]]),
]
REALS = [Fraction(x) for x in ("-1/2", "0", "1/50", "1/3", "1/2", "6/7", "1", "3/2")]


def points(domain, most, largest=5):
    """Points of a domain: its corners, and what lies beyond those of an unaltered one."""
    integers = [n for n in domain["integers"] if n not in domain.get("values", {})]
    fixed = {"c", *domain.get("values", {})}
    reals = [n for n in domain["reals"] if n not in fixed]
    choices = [list(map(Fraction, range(largest)))] * len(integers) + [REALS] * len(reals)
    found = []
    grid = list(itertools.islice(itertools.product(*choices), 60000))
    random.Random(0).shuffle(grid)
    for values in grid[:6000]:
        free = dict(zip([*integers, *reals], values, strict=True))
        if "c" in domain["reals"]:
            env = inside({**domain, "facts": []}, free)
            if env is None or env.get("K", 0) < 1:
                continue
            free["c"] = min(math.cos(2 * math.pi / env["K"]), 1 - 1e-12)
        env = inside(domain, free)
        if env is not None:
            found.append(env)
    if not found and largest == 5:
        return points(domain, most, 8)
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


def ranges(index, env):
    """All values of the indices of a class or a row: none, one or two."""
    ends = [whole(x, env) for x in index or ()]
    spans = [range(a, b + 1) for a, b in zip(ends[::2], ends[1::2], strict=True)]
    return list(itertools.product(*spans))


def with_place(env, place):
    return env | {n: Fraction(x) for n, x in zip("ji", place, strict=False)}


def at_index(index, env):
    texts = [] if index is None else [index] if isinstance(index, str) else index
    return tuple(whole(x, env) for x in texts)


def explicit(chain, env, tag=None):
    """States, the row that serves each, and the matrix; with a tag, of these moves alone."""
    rows: dict[Any, Any] = {}
    for n, row in enumerate(chain["rows"]):
        for place in ranges(row["index"], env):
            ensure((row["from"], place) not in rows, "two rows for one state")
            rows[row["from"], place] = n
    there = {(a, x) for a, c in chain["classes"].items() for x in ranges(c["index"], env)}
    ensure(there == set(rows), f"the rows do not serve the states at {env}")
    states = list(rows)
    position = {state: i for i, state in enumerate(states)}
    matrix, some = np.zeros((len(states), len(states))), np.zeros((len(states), len(states)))
    for state, n in rows.items():
        here = with_place(env, state[1])
        for to, index, p, *tags in chain["rows"][n]["to"]:
            place = to, at_index(index, here)
            ensure(place in position, f"a move to {place}, which does not exist")
            matrix[position[state], position[place]] += float(number(p, here))
            ensure(number(p, here) >= 0, "a negative probability")
            if tags == [tag]:
                some[position[state], position[place]] += float(number(p, here))
    ensure(np.allclose(matrix.sum(axis=1), 1), "a row does not sum to 1")
    return states, [rows[s] for s in states], matrix if tag is None else some


def stationary_law(matrix):
    n = len(matrix)
    equations = np.vstack([matrix.T - np.eye(n), np.ones(n)])
    law, _, rank, _ = np.linalg.lstsq(equations, np.append(np.zeros(n), 1), rcond=None)
    ensure(rank == n and np.allclose(equations[:-1] @ law, 0), "no stationary law, or several")
    return law


def quotient_gap(chain, env):
    """1 - the second largest eigenvalue of the rows, None if they are not reversible."""
    return gap_of(explicit(chain, env)[2])


def place_of(states, start, env):
    return states.index((start[0], at_index(start[1], env)))


def times(chain, target, env):
    """States, matrix, and the first two moments of the time to hit the target."""
    states, _, matrix = explicit(chain, env)
    ensure(not any(m[3:] for row in chain["rows"] for m in row["to"]), "moves of a walk")
    target = [i for i, (name, _) in enumerate(states) if name in target]
    ensure(target, "no target")
    off = [i for i in range(len(states)) if i not in target]
    time, square = np.zeros(len(states)), np.zeros(len(states))
    if off:
        system = np.eye(len(off)) - matrix[np.ix_(off, off)]
        time[off] = np.linalg.solve(system, np.ones(len(off)))
        square[off] = np.linalg.solve(system, 2 * time[off] - 1)
        ensure(np.linalg.cond(system) < 1e12, "the target is not reached")
    ensure(min(time) >= 0, "no mean time")
    return states, matrix, target, time, square


def near(value, truth):
    ensure(abs(value - truth) <= 1e-6 * (1 + abs(truth)), f"{value} is not {truth}")


def judge_time(s, env):
    chain = s["aggregated"] if s["kind"] == "aggregated-hitting-time" else s["chain"]
    states, matrix, target, time, square = times(chain, s["target"], env)
    kind, value = s["kind"], float(number(s["value"], env)) if "value" in s else 0
    if kind == "generating-function":
        x = float(number(s["s"], env))
        ensure(0 < x <= 1, "no generating function")
        off, f = [i for i in range(len(states)) if i not in target], np.ones(len(states))
        inner = np.eye(len(off)) - x * matrix[np.ix_(off, off)]
        f[off] = np.linalg.solve(inner, x * matrix[np.ix_(off, target)].sum(axis=1))
        near(value, f[place_of(states, s["start"], env)])
    elif kind == "return-time":
        (one,) = target
        near(value, (1 + matrix @ time)[one])
    elif kind == "time-from-law":
        near(value, masses(s["chain"], env) @ time)
    elif kind == "hitting-time-between":
        truth = time[place_of(states, s["start"], env)]
        ensure(0 < number(s["lower"], env) <= truth + TOLERANCE, "the time is less")
        ensure(number(s["upper"], env) >= truth - TOLERANCE, "the time is more")
    else:
        found = square if kind == "second-moment" else time
        near(value, found[place_of(states, s["start"], env)])


def masses(chain, env):
    """Of the rows' states together: the stationary law of the lumped chain."""
    return stationary_law(explicit(chain, env)[2])


def judge_capacity(s, env):
    """Where the capacity is that of start and target: 1/(the commute time)."""
    states, _, _, time, _ = times(s["chain"], s["target"], env)
    near(float(number(s["value"], env)), 1 / (2 * time[place_of(states, s["start"], env)]))


def judge_kemeny(s, env):
    """If the states are of two sorts: the mean time to one drawn from the law."""
    count, law = number(s["count"], env), masses(s["chain"], env)
    states, _, _, to_one, _ = times(s["chain"], s["target"], env)
    _, _, _, to_other, _ = times(s["chain"], s["home"], env)
    share = float(count) * law[place_of(states, (s["target"][0], None), env)]
    ensure(share <= 1 + TOLERANCE, "more than all states are like the one")
    value = share * (law @ to_one) + (1 - share) * (law @ to_other)
    near(float(number(s["value"], env)), value)


def judge_expansion(s, env):
    value = number(s["of"][0]["value"], env) - number(s["series"], env)
    low, high = (number(s[k], env) * number(s["scale"], env) for k in ("lower", "upper"))
    ensure(low - TOLERANCE <= value <= high + TOLERANCE, "the remainder is not between")


# ---------------------------------------------------------------- of clusters that a walk joins
def joint(chain, kernel, env):
    """The matrix on clusters x types."""
    tags = {tag for row in chain["rows"] for _, _, _, *more in row["to"] for tag in more}
    ensure(tags <= {"W"}, "unknown moves")
    whole_, outer = explicit(chain, env)[2], explicit(chain, env, "W")[2]
    return np.kron(np.eye(len(kernel)), whole_ - outer) + np.kron(kernel, outer)


def walk_of(chain, env):
    """The matrix of a walk, given by rows or by moves on Z_K x types."""
    if any(m[3:] for row in chain["rows"] for m in row["to"]):
        return cyclic(chain, env)
    return explicit(chain, env)[2]


def judge_product(s, env):
    """Of a law on clusters x types."""
    laws = []
    for chain, law in ((s["walk"], s["outer"]), (s["chain"], s["law"])):
        states, rows, _ = explicit(chain, env)
        each = []
        for (name, place), row in zip(states, rows, strict=True):
            here = with_place(env, place)
            size = number(chain["classes"][name]["size"], here)
            each.append(float(size * number(law[row], here)))
        laws.append(each)
    law, matrix = np.kron(*laws), joint(s["chain"], walk_of(s["walk"], env), env)
    ensure(np.allclose(law @ matrix, law) and math.isclose(sum(law), 1), "another law")


def rate_of(chain, env):
    return masses(chain, env) @ explicit(chain, env, "W")[2].sum(axis=1)


def judge_clusters(s, env):
    states, matrix, target, _, _ = times(s["walk"], s["target"], env)
    slow = np.eye(len(matrix)) + rate_of(s["chain"], env) * (matrix - np.eye(len(matrix)))
    off, time = [i for i in range(len(matrix)) if i not in target], np.zeros(len(matrix))
    time[off] = np.linalg.solve(np.eye(len(off)) - slow[np.ix_(off, off)], np.ones(len(off)))
    near(float(number(s["value"], env)), time[place_of(states, s["start"], env)])


def gap_of(matrix):
    """The gap of a reversible matrix, None of another; a chain in two parts has none to close."""
    if np.linalg.matrix_rank(matrix - np.eye(len(matrix)), tol=1e-12) < len(matrix) - 1:
        return 0.0
    law = stationary_law(matrix)
    flow = law[:, None] * matrix
    if not np.allclose(flow, flow.T):
        return None
    some = law > 1e-14
    root = np.sqrt(law[some])
    values = root[:, None] * matrix[np.ix_(some, some)] / root[None, :]
    values = np.sort(np.linalg.eigvalsh((values + values.T) / 2))
    return 1 - values[-2] if len(values) > 1 else None


def smaller_root(s, env):
    b, c = float(number(s["b"], env)), float(number(s["c2"], env))
    return (b - math.sqrt(max(0, b * b - 4 * c))) / 2


def judge_composed(s, env):
    """Bounds or the equation of the gap, on the rows, where the parameters of the walk suffice."""
    try:
        gap = gap_of(joint(s["chain"], walk_of(s["walk"], env), env))
    except (NameError, KeyError):  # the walk has a parameter of its own
        gap = None
    if "b" in s:
        ensure(gap is None or math.isclose(gap, smaller_root(s, env), abs_tol=1e-7), "another gap")
        return
    lower, upper = number(s["lower"], env), number(s["upper"], env)
    if s["kind"] == "conductance":
        near(float(upper), rate_of(s["chain"], env))
        ensure(gap is None or lower <= gap / 2 + TOLERANCE, "the gap is smaller")
        return
    ensure(0 < lower <= upper + TOLERANCE, "the bounds contradict each other")
    ensure(upper <= number(s["ratio"], env) * lower + TOLERANCE, "the bounds are further apart")
    ensure(gap is None or lower <= gap + TOLERANCE, "the gap is smaller")
    ensure(gap is None or upper >= gap - TOLERANCE, "the gap is larger")


def judge_mode(s, env):
    """Two clusters whose walk has the eigenvalue."""
    mode = float(number(s["mode"], env))
    kernel = np.array([[(1 + mode) / 2, (1 - mode) / 2], [(1 - mode) / 2, (1 + mode) / 2]])
    matrix, x = joint(s["chain"], kernel, env), 1 - smaller_root(s, env)
    ensure(abs(np.linalg.det(matrix - x * np.eye(len(matrix)))) < 1e-7, "no eigenvalue")


def watched(chain, kernel, env):
    """The chain watched on the first cluster."""
    matrix = joint(chain, kernel, env)
    n = len(matrix) // len(kernel)
    rest = np.eye(len(matrix) - n) - matrix[n:, n:]
    return matrix[:n, :n] + matrix[:n, n:] @ np.linalg.solve(rest, matrix[n:, :n])


def judge_complement(s, env):
    """Of an irreducible chain; of another the statement says nothing."""
    for kernel in WALKS:
        whole = joint(s["chain"], kernel, env)
        parts = connected_components(whole > 0, connection="strong")[0]
        if parts == 1:
            here = watched(s["chain"], kernel, env)
            ensure(np.allclose(here, explicit(s["chain"], env)[2]), "another chain")


def judge_pseudo(s, env):
    matrix = explicit(s["chain"], env)[2]
    law = stationary_law(matrix)
    back = matrix.T * law[None, :] / law[:, None]
    gap = gap_of(back @ matrix)
    ensure(gap is not None and abs(float(number(s["value"], env)) - gap) < 1e-7, "another gap")


def judge_ratio(s, env):
    states, _, inner = explicit(s["chain"], env)
    leave = explicit(s["chain"], env, "W")[2]
    pivot, home = (place_of(states, (s[k], None), env) for k in ("pivot", "home"))
    off = [i for i in range(len(states)) if i not in (pivot, home)]
    reach = np.zeros(len(states))
    reach[pivot] = 1
    if off:
        system = np.eye(len(off)) - inner[np.ix_(off, off)]
        reach[off] = np.linalg.solve(system, inner[np.ix_(off, [pivot])][:, 0])
    near(float(number(s["value"], env)), leave[pivot].sum() / (inner[home] @ reach))


def judge_law(s, env):
    states, rows, matrix = explicit(s["chain"], env)
    masses = []
    for (name, place), row in zip(states, rows, strict=True):
        here = with_place(env, place)
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


def cyclic(chain, env):
    """The matrix of a chain on Z_K x states of types, uniform in each type."""
    K = int(env["K"])
    sizes = {a: whole(info["size"], env) for a, info in chain["classes"].items()}
    ensure(K >= 2 and min(sizes.values()) >= 1, "no such chain")
    states = [(k, a, i) for k in range(K) for a in sizes for i in range(sizes[a])]
    matrix = np.zeros((len(states), len(states)))
    moves = [(row["from"], *move) for row in chain["rows"] for move in row["to"]]
    for a, b, index, p, *tag in moves:
        ensure(index is None, "an index")
        shift = tag[0] if tag else "0"
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
    return matrix


def judge_modes(s, env):
    if not any(m[3:] for row in s["chain"]["rows"] for m in row["to"]):
        gap = quotient_gap(s["chain"], env)
    else:
        gap = gap_of(cyclic(s["chain"], env))
        ensure(gap is not None, "not reversible")
    low, high = (
        (s.get("value") if s["kind"] == f"modes-{k}" else s.get(k)) for k in ("lower", "upper")
    )
    ensure(not low or gap is None or number(low, env) <= gap + TOLERANCE, "the gap is smaller")
    ensure(not high or number(high, env) >= gap - TOLERANCE, "the gap is larger")
    if "ratio" in s:
        apart = number(s["ratio"], env) * number(low, env) - number(high, env)
        ensure(apart >= -TOLERANCE, "the bounds are further apart")
    ensure("b" not in s or abs(smaller_root(s, env) - gap) < 1e-7, "another gap")


def judge_bounds(s, env):
    lower, upper, ratio = (number(s[key], env) for key in ("lower", "upper", "ratio"))
    ensure(lower <= upper + TOLERANCE, "the bounds contradict each other")
    ensure(upper <= ratio * lower + TOLERANCE, "the bounds are further apart")
    value = number(s.get("value", s["lower"]), env)
    ensure(lower - TOLERANCE <= value <= upper + TOLERANCE, "the value is not between the bounds")


def judge_comparison(s, env):
    values = {
        f"v{n}": number(told["value"], env) for n, told in enumerate(s["of"]) if "value" in told
    }
    ensure(all(holds(claim, {**env, **values}) for claim in s["claims"]), "an inequality fails")


def case_at(part, env):
    """A part of a statement, in the case that applies at a point."""
    while isinstance(part, dict) and "by" in part:
        n = whole(part["by"], env)
        ensure(n >= 0, f"no case applies at {env}")
        part = part["cases"][min(n, len(part["cases"]) - 1)]
    return part


def judge_at(s, env):
    """Judge a statement at a point, by the case that applies there and for some integer."""
    here = {key: case_at(part, env) for key, part in s.items() if key != "some"}
    if "some" not in s:
        JUDGES[s["kind"]](here, env)
        return
    for n in range(-3, 12):
        try:
            JUDGES[s["kind"]](here, {**env, s["some"]: Fraction(n)})
        except (Wrong, IndexError, KeyError, ValueError, np.linalg.LinAlgError):
            continue
        return
    raise Wrong(f"no {s['some']} at {env}")


JUDGES = {
    **dict.fromkeys(
        (
            *("mean-hitting-time", "hitting-time-between", "second-moment", "return-time"),
            *("generating-function", "time-from-law", "aggregated-hitting-time"),
        ),
        judge_time,
    ),
    "stationary": judge_law,
    "kemeny": judge_kemeny,
    "aggregated-matrix": judge_matrix,
    "comparison": judge_comparison,
    "expansion": judge_expansion,
    "capacity": judge_capacity,
    "gap-lower": judge_lower,
    "gap-upper": judge_upper,
    **dict.fromkeys(("modes-lower", "modes-upper", "modes-gap", "exact-gap"), judge_modes),
    "spectral-gap": judge_bounds,
    "composed-law": judge_product,
    "composed-aggregated": judge_clusters,
    **dict.fromkeys(("composed-gap", "conductance", "composed-root"), judge_composed),
    "composed-mode": judge_mode,
    "stochastic-complement": judge_complement,
    "pseudo-gap": judge_pseudo,
    "metastability-ratio": judge_ratio,
}


def judge(found, most=6):
    """Raise Wrong if some statement of the certificate is false at a point."""
    statement = found["statement"]
    tried = points(statement["domain"], most)
    for env in tried:
        try:
            judge_at(statement, env)
        except np.linalg.LinAlgError as error:
            raise Wrong("the target is not reached") from error
    return len(tried) + sum(judge(premise, most) for premise in found.get("premises", []))


# ---------------------------------------------------------------- the tests
def outcome(name, first, last):
    """How many alterations are refused, and how many prove what they say."""
    refused = accepted = 0
    for found in itertools.islice(alterations(name), first, last):
        try:
            found = completed(found)
            statement = checker.check(found)
        except (checker.Refused, *MALFORMED):
            refused += 1
            with pytest.raises(checker.Refused):
                checker.check(found)
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
    found = completed(json.loads(original(name)))
    assert checker.check(found) == found["statement"]
    assert judge(found, 2) > 0


@pytest.mark.parametrize("name", COUNTS)
def test_altered_certificate_proves_nothing_false(name):
    refused, accepted = outcome(name, 0, COUNTS[name])
    assert refused + accepted == COUNTS[name]
    assert refused >= (0.25 if name.startswith("by hand") else 0.6) * COUNTS[name]


@pytest.mark.slow
@pytest.mark.parametrize("name", MORE)
def test_more_altered_certificates_prove_nothing_false(name):
    done = COUNTS.get(name, 0)
    refused, accepted = outcome(name, done, done + MORE[name])
    assert refused + accepted == MORE[name]


def kinds(found):
    return {found["statement"]["kind"]}.union(*map(kinds, found["premises"]))


def test_alterations_are_many_and_of_every_kind():
    assert sum(COUNTS.values()) >= 1100
    assert sum(COUNTS.values()) + sum(MORE.values()) >= 3300
    assert {*built_in(), "drift", "by hand"} <= {name.split("/")[0] for name in COUNTS}
    found = [json.loads(original(name)) for name in COUNTS]
    assert set().union(*map(kinds, found)) == set(checker.RULES)


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
    "types": ("ring/spectral-gap", ("chain", "rows", 0, "to", 0, 2), "epsilon"),
    "lower": ("complete/spectral-gap", ("lower",), "2*epsilon/M"),
    "root": ("complete/spectral-gap", ("c2",), "epsilon/M"),
}


def verdict(found):
    """Of the checker on a certificate with the best proofs of signs that are found."""
    with contextlib.suppress(*MALFORMED):
        found = completed(found)
    return checker.check(found)


@pytest.mark.parametrize("name", ALTERED)
def test_alteration_of_the_statement_is_refused(name):
    """In the statement alone, and with every copy of it in what the certificate builds on."""
    source, path, new = ALTERED[name]
    found = json.loads(original(source))
    old = at(found["statement"], path)
    assert old != new
    put(found["statement"], path, new)
    with pytest.raises(checker.Refused):
        verdict(found)
    if re.search("[a-z]", old):
        with pytest.raises(checker.Refused):
            verdict(replaced(json.loads(original(source)), old, new))


@pytest.mark.parametrize("drop", range(9))
def test_missing_row_is_refused(drop):
    found = json.loads(original("ring/stationary"))
    for certificate in (found, found["premises"][0]):
        del certificate["statement"]["chain"]["rows"][drop]
    del found["statement"]["law"][drop]
    with pytest.raises(checker.Refused):
        verdict(found)


@pytest.mark.parametrize("drop", range(1, 6))  # K >= 2 follows from 1 <= d <= K - 1
def test_missing_fact_is_refused(drop):
    found = json.loads(original("ring/hitting-time"))
    del found["statement"]["domain"]["facts"][drop]
    with pytest.raises(checker.Refused):
        verdict(found)


@pytest.mark.parametrize(
    "name",
    [
        "ring/hitting-time",
        "star/stationary",
        "complete/spectral-gap",
        "clique/ring/gate/stochastic-complement",
        "clique/ring/gate/exact-gap",
    ],
)
def test_the_judge_sees_what_is_false(name):
    """A judge that never objects would prove nothing."""
    objections = 0
    for found in itertools.islice(alterations(name), 30):
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
    assert objections >= 10


@pytest.mark.parametrize(
    "name", ["complete/hitting-time", "complete/spectral-gap", "star/stationary"]
)
def test_altered_proof_of_a_sign_is_refused_or_shows_the_same(name):
    """Proofs dropped, exchanged or changed: what is still accepted is the true statement."""
    rng, whole = random.Random(3), completed(json.loads(original(name)))
    refused = 0
    for _ in range(60):
        found = copy.deepcopy(whole)
        part = rng.choice([found, *found["premises"]])
        signs = part["witness"]["signs"]
        n = rng.randrange(len(signs))
        way = rng.choice(["drop", "swap", "change"])
        if way == "drop":
            del signs[n]
        elif way == "swap":
            k = rng.randrange(len(signs))
            signs[n], signs[k] = signs[k], signs[n]
        else:
            signs[n] = changed_expression(signs[n], rng)
        try:
            assert checker.check(found) == whole["statement"]
        except checker.Refused:
            refused += 1
    assert refused > 30
