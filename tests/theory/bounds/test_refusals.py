"""Every hypothesis of every bound, broken: the refusal names it, the place and a remedy."""

import math
import random
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from theory.bounds import aldous_brown, canonical_paths, capacity, cheeger, dirichlet, thomson
from theory.bounds.base import Bound, FiniteChain, HypothesisFails, reversible

MODULES = [aldous_brown, canonical_paths, capacity, cheeger, dirichlet, thomson]
BOUNDS = {
    value.id: value
    for module in MODULES
    for value in vars(module).values()
    if isinstance(value, Bound)
}
HALF, THIRD = Fraction(1, 2), Fraction(1, 3)

# A chain that meets every hypothesis of every bound, and data for it.
GOOD = FiniteChain.of_rows([{1: THIRD}, {0: Fraction(1, 4), 2: Fraction(1, 4)}, {1: THIRD}])
PATHS = {
    (0, 1): [0, 1],
    (0, 2): [0, 1, 2],
    (1, 0): [1, 0],
    (1, 2): [1, 2],
    (2, 1): [2, 1],
    (2, 0): [2, 1, 0],
}
DATA: dict[str, Any] = {
    "A": {0},
    "B": {2},
    "S": {0},
    "f": [1, HALF, 0],
    "flow": {(0, 1): 1, (1, 2): 1},
    "t": 3,
    "n": 3,
}

ROUND = FiniteChain.of_rows([{1: HALF}, {2: HALF}, {0: HALF}])
APART = FiniteChain.of_rows([{1: THIRD}, {0: THIRD}, {}], [THIRD] * 3)
MOMENTARY = FiniteChain.of_rows([{1: 1}, {0: THIRD}, {0: 1}], [Fraction(1, 4), Fraction(3, 4), 0])
HASTY = FiniteChain.of_rows([{1: Fraction(3, 5)}, {0: HALF, 2: HALF}, {1: Fraction(3, 5)}])
SETS = "A and B are disjoint sets"

# hypothesis -> chain, changed data, and what the message must say of the place
BREAKS: dict[str, list[tuple[FiniteChain, dict[str, Any], str]]] = {
    "irreducible": [(APART, {}, "state 0 does not reach state 2")],
    "reversible": [(ROUND, {}, "between states 0 and 1")],
    "lazy": [(HASTY, {}, "state 0 stays put with probability 2/5")],
    "positive law": [(MOMENTARY, {}, "pi(2) is 0")],
    "2 to 20 states": [
        (FiniteChain.of_rows([[Fraction(1, 21)] * 21] * 21), {}, "21"),
        (FiniteChain.of_rows([{}]), {}, "1"),
    ],
    "A is a proper set": [
        (GOOD, {"A": set()}, "no state"),
        (GOOD, {"A": {0, 1, 2}}, "every state"),
        (GOOD, {"A": {0, 5}}, "[5]"),
    ],
    "S is a proper set": [(GOOD, {"S": set()}, "no state")],
    "0 < pi(S) < 1": [(MOMENTARY, {"S": {2}}, "pi(S) is 0"), (MOMENTARY, {"S": {0, 1}}, "is 1")],
    "gap is a lower bound": [
        (GOOD, {"gap": HALF}, "1/2"),
        (GOOD, {"gap": 0}, "0"),
        (GOOD, {"gap": -1}, "-1"),
    ],
    "t is a time": [(GOOD, {"t": -1}, "-1"), (GOOD, {"t": float("nan")}, "nan")],
    "n is a number of steps": [(GOOD, {"n": -1}, "-1"), (GOOD, {"n": HALF}, "1/2")],
    "a path for every pair": [
        (GOOD, {"paths": {k: v for k, v in PATHS.items() if k != (2, 0)}}, "from 2 to 0"),
        (GOOD, {"paths": {**PATHS, (0, 2): [0, 1]}}, "from 0 to 2"),
        (GOOD, {"paths": {**PATHS, (1, 1): [1, 0, 1]}}, "(1, 1) is no pair"),
        (GOOD, {"paths": {**PATHS, (0, 2): []}}, "from 0 to 2"),
    ],
    "paths follow transitions": [
        (GOOD, {"paths": {**PATHS, (0, 2): [0, 2]}}, "from 0 to 2 goes from 0 to 2"),
        (GOOD, {"paths": {**PATHS, (0, 2): [0, 7, 2]}}, "goes from 0 to 7"),
        (GOOD, {"paths": {**PATHS, (0, 1): [0, 0, 1]}}, "goes from 0 to 0"),
    ],
    SETS: [
        (GOOD, {"B": {0, 2}}, "both contain [0]"),
        (GOOD, {"B": set()}, "B is empty"),
        (GOOD, {"A": {-1}}, "[-1] in A"),
    ],
    "f is a test function": [
        (GOOD, {"f": [HALF, HALF, 0]}, "f is 1/2 at state 0 of A"),
        (GOOD, {"f": [1, HALF, HALF]}, "f is 1/2 at state 2 of B"),
        (GOOD, {"f": [1, 0]}, "2 values"),
        (GOOD, {"f": [1.0, 0.5, float("nan")]}, "at state 2 of B"),
    ],
    "flow is a unit flow": [
        (GOOD, {"flow": {(0, 1): HALF, (1, 2): HALF}}, "1/2 leaves A"),
        (GOOD, {"flow": {(0, 1): 1, (1, 2): HALF}}, "1 enters state 1 and 1/2 leaves"),
        (GOOD, {"flow": {(0, 2): 1}}, "between 0 and 2"),
        (GOOD, {"flow": {(0, 1): -1, (1, 2): -1}}, "-1 leaves A"),
    ],
}
# What each theorem needs; that less is not enough is shown, where it is so, beside its other tests.
ALDOUS_BROWN = ["irreducible", "reversible", "A is a proper set", "gap is a lower bound"]
TIME, STEPS = "t is a time", "n is a number of steps"
PATHS_NEED = ["irreducible", "a path for every pair", "paths follow transitions"]
TEST, UNIT = "f is a test function", "flow is a unit flow"
NEEDS = {
    "cheeger": ["2 to 20 states", "positive law", "reversible"],
    "cheeger-cut": ["reversible", "S is a proper set", "0 < pi(S) < 1"],
    "canonical-paths": PATHS_NEED,
    "canonical-paths-by-resistance": PATHS_NEED,
    "dirichlet-principle": ["reversible", SETS, TEST],
    "thomson-principle": [SETS, UNIT],
    "hitting-time-by-capacity": ["irreducible", SETS],
    "hitting-time-by-energies": ["irreducible", "reversible", SETS, TEST, UNIT],
    "aldous-brown-mean": ALDOUS_BROWN,
    "aldous-brown-exit-time": ALDOUS_BROWN,
    "aldous-brown-survival": [*ALDOUS_BROWN, TIME],
    "aldous-brown-survival-steps": [*ALDOUS_BROWN, "lazy", STEPS],
    "aldous-brown-exponential": [*ALDOUS_BROWN, TIME],
}
CASES = [
    (BOUNDS[name], hypothesis, n)
    for name, hypotheses in NEEDS.items()
    for hypothesis in hypotheses
    for n in range(len(BREAKS[hypothesis]))
]


def arguments(bound, **changed):
    data = {**{name: DATA[name] for name in bound.data}, **changed}
    return {name: value for name, value in data.items() if name in {*bound.data, *bound.optional}}


@pytest.mark.parametrize("bound", BOUNDS.values(), ids=BOUNDS)
def test_accepts_what_meets_its_hypotheses(bound):
    for chain in (
        GOOD,
        FiniteChain.of_rows([{y: float(p) for y, p in r.items()} for r in GOOD.rows]),
    ):
        value = bound(chain, **arguments(bound))
        assert (value.lower > -math.inf) == ("lower" in bound.sides)
        assert (value.upper < math.inf) == ("upper" in bound.sides)


@pytest.mark.parametrize(
    ("bound", "name", "n"), CASES, ids=[f"{b.id}: {h}, {n}" for b, h, n in CASES]
)
def test_refuses_by_name(bound, name, n):
    chain, changed, place = BREAKS[name][n]
    with pytest.raises(HypothesisFails) as refusal:
        bound(chain, **arguments(bound, **changed))
    message = str(refusal.value)
    assert refusal.value.hypothesis == name
    assert message.startswith(f"hypothesis '{name}' fails: ")
    assert place in message.split("; ")[0]
    assert message.split("; ")[1]
    assert "\n" not in message


def test_states_exactly_what_it_needs():
    found = {name: [hypothesis.name for hypothesis in b.hypotheses] for name, b in BOUNDS.items()}
    assert found == NEEDS


def test_reversibility_is_decided_as_by_the_definition(chains):
    rng = random.Random(1)
    refused = 0
    for number in range(300):
        make = chains.general if number % 2 else chains.reversible
        chain = make(rng, rng.randint(2, 4))
        if number % 3 == 0:
            chain = chains.floats(chain)
        flow = np.array([[float(chain.flow(x, y)) for y in chain.states] for x in chain.states])
        if np.allclose(flow, flow.T, rtol=1e-9, atol=0):
            reversible.check(chain, {})
        else:
            refused += 1
            with pytest.raises(HypothesisFails, match="reversible"):
                cheeger.cheeger(chain)
    assert 50 < refused < 150


def test_a_law_that_is_not_determined_is_refused():
    chain = FiniteChain.of_rows(APART.rows)
    with pytest.raises(HypothesisFails, match="'irreducible' fails: state 0 does not reach"):
        cheeger.cheeger_cut(chain, S={0})


def test_floats_are_checked_to_a_tolerance():
    off = 1e-12  # rounding
    nearly = FiniteChain.of_rows([{1: 0.25, 2: 0.25}, {0: 0.25, 2: 0.25}, {0: 0.25, 1: 0.25 + off}])
    assert cheeger.cheeger(nearly).upper == pytest.approx(1)
    off = 1e-6  # no rounding
    not_so = FiniteChain.of_rows([{1: 0.25, 2: 0.25}, {0: 0.25, 2: 0.25}, {0: 0.25, 1: 0.25 + off}])
    with pytest.raises(HypothesisFails, match="reversible"):
        cheeger.cheeger(not_so)
    exact = FiniteChain.of_rows([{y: Fraction(p) for y, p in row.items()} for row in nearly.rows])
    with pytest.raises(HypothesisFails, match="reversible"):
        cheeger.cheeger(exact)


def test_data_that_are_missing_or_not_taken_are_named():
    with pytest.raises(TypeError, match=r"^cheeger-cut lacks \['S'\]: give S$"):
        cheeger.cheeger_cut(GOOD)
    with pytest.raises(TypeError, match=r"^cheeger does not take \['S'\]: give nothing"):
        cheeger.cheeger(GOOD, S={0})
    with pytest.raises(TypeError, match=r"does not take \['flow'\]: give A, gap \(optional\)$"):
        aldous_brown.mean(GOOD, A={0}, flow={})
