"""Chains given as rows: against closed forms, SymPy, numbers at points, and planted errors."""

import random
import re
from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest
import sympy
from flint import fmpz_poly

from theory.parametric import (
    HittingTime,
    InvalidChain,
    NotProved,
    ParametricChain,
    Quotient,
    RationalFunction,
    lump,
    mean_hitting_time,
    parametric_chain,
    rational_function,
    reduced,
    verify,
)
from theory.solve import NoSolution

EPSILON = sympy.Symbol("epsilon")
POINTS = [Fraction(1, 1000), Fraction(2, 7), Fraction(9, 10)]


def solved(chain, start, target):
    found = mean_hitting_time(chain, start, target)
    verify(chain, start, target, found)
    return found


# ---------------------------------------------------------------- the families of theory.md
def cliques(K, M, edges):
    """Cliques with sparse edges given as (cluster, member) -> {(cluster, member): text}."""
    rows = []
    for k in range(K):
        for i in range(M):
            sparse = {l * M + other: p for (l, other), p in edges(k, i).items()}
            dense = f"(1 - epsilon)/{M}" if sparse else f"1/{M}"
            rows.append({k * M + other: dense for other in range(M)} | sparse)
    return parametric_chain(rows)


def ring(K, M):
    def edges(k, i):
        return {0: {((k + 1) % K, 1): "epsilon"}, 1: {((k - 1) % K, 0): "epsilon"}}.get(i, {})

    return cliques(K, M, edges)


def complete(K, M):
    def edges(k, i):
        return {(l, 0): f"epsilon/{K - 1}" for l in range(K) if l != k and i == 0}

    return cliques(K, M, edges)


@pytest.mark.parametrize("K", [2, 3, 4, 5, 8])
@pytest.mark.parametrize("M", [3, 4, 7])
def test_ring(K, M):
    chain, e = ring(K, M), EPSILON
    for d in range(1, K):
        time = (M * (1 - e) + 2 * e) / (e * (1 - e)) * ((1 + e) * d * (K - d) / 2 + K * e)
        assert solved(chain, 2, [d * M + 2]).value == rational_function(time)


@pytest.mark.parametrize("K", [2, 3, 5, 8])
@pytest.mark.parametrize("M", [2, 3, 6])
def test_complete(K, M):
    e = EPSILON
    time = (M * (1 - e) + e) * ((K - 1) + (K + 1) * e) / (e * (1 - e))
    assert solved(complete(K, M), 1, [M + 1]).value == rational_function(time)


@pytest.mark.parametrize(("K", "M"), [(4, 4), (16, 5), (40, 4)])
def test_blocks_of_families(K, M):
    """On a ring a reflection about the target is left, on a complete graph all but the target's."""
    assert len(lump(ring(K, M), [K // 2 * M + 2]).rows) == 3 * K // 2 + 2
    assert len(lump(complete(K, M), [M + 1]).rows) == 5


def test_many_levels():
    K, M, e = 300, 4, EPSILON
    d = K // 2
    time = (M * (1 - e) + 2 * e) / (e * (1 - e)) * ((1 + e) * d * (K - d) / 2 + K * e)
    assert solved(ring(K, M), 2, [d * M + 2]).value == rational_function(time)


# ---------------------------------------------------------------- random chains
def random_function(rng):
    """A function that is a probability on (0, 1)."""
    n = rng.randint(2, 9)
    return rng.choice(
        [
            f"epsilon/{n}",
            f"epsilon**2/{n}",
            f"1/({n} + epsilon)",
            f"(1 - epsilon)/({n} + epsilon**2)",
            f"1/{n}",
            f"{n}/(100*{n} + 7)*epsilon*(1 - epsilon)",
        ]
    )


def random_chain(n, seed, out=3):
    """Each state has a few successors and one more that takes the rest; 0 can be reached."""
    rng = random.Random(seed)
    rows: list[dict[int, sympy.Expr]] = []
    for state in range(n):
        row: dict[int, sympy.Expr] = {}
        for to in rng.sample(range(n), min(out, n)):
            row[to] = sympy.sympify(random_function(rng)) / out
        rest = 1 - sum(row.values())
        last = rng.randrange(max(state, 1))
        row[last] = row.get(last, 0) + rest
        rows.append(row)
    return rows


def by_elimination(rows, start, target, point):
    """Mean hitting time at a point: Gauss with fractions, on the rows."""
    states = [s for s in range(len(rows)) if s not in target]
    matrix = []
    for s in states:
        p = [Fraction(0)] * len(rows)
        for to, value in rows[s].items():
            p[to] = rational_function(value)(point)
        matrix.append([(s == t) - p[t] for t in states] + [Fraction(1)])
    for n in range(len(states)):
        pivot = next(r for r in range(n, len(states)) if matrix[r][n])
        matrix[n], matrix[pivot] = matrix[pivot], matrix[n]
        matrix[n] = [x / matrix[n][n] for x in matrix[n]]
        for r in range(len(states)):
            if r != n and matrix[r][n]:
                factor = matrix[r][n]
                matrix[r] = [x - factor * y for x, y in zip(matrix[r], matrix[n], strict=True)]
    return matrix[states.index(start)][-1]


@pytest.mark.parametrize("seed", range(12))
def test_random_chains_at_points(seed):
    n = 2 + seed
    rows = random_chain(n, seed)
    target = [0] if seed % 3 else [0, (n - 1) // 2]
    value = solved(parametric_chain(rows), n - 1, target).value
    for point in POINTS:
        assert value(point) == by_elimination(rows, n - 1, target, point)


@pytest.mark.parametrize("seed", range(6))
def test_random_chains_by_sympy(seed):
    n = 3 + seed // 2
    rows = random_chain(n, 100 + seed, out=2)
    h = sympy.symbols(f"h:{n}")
    equations = [h[0]] + [
        h[s] - 1 - sympy.Add(*(p * h[to] for to, p in rows[s].items())) for s in range(1, n)
    ]
    (solution,) = sympy.linsolve(equations, h)
    found = solved(parametric_chain(rows), n - 1, [0])
    assert found.value == rational_function(solution[n - 1])
    for state, block in enumerate(found.quotient.block):
        if block in found.values:
            assert found.values[block] == rational_function(solution[state])


# ---------------------------------------------------------------- lumping
def blow_up(rows, seed):
    """Each state but 0 becomes several, and its mass into them is spread at random, row by row.

    Returns the rows, shuffled, and the old state of each.
    """
    rng = random.Random(seed)
    old = [0] + [s for s in range(1, len(rows)) for _ in range(rng.randint(1, 4))]
    rest = old[1:]
    rng.shuffle(rest)
    old = [0, *rest]
    places = {s: [n for n, o in enumerate(old) if o == s] for s in range(len(rows))}
    out = []
    for s in old:
        row = {}
        for to, p in rows[s].items():
            weights = [rng.randint(0, 3) for _ in places[to]]
            if not any(weights):
                weights[0] = 1
            for place, weight in zip(places[to], weights, strict=True):
                row[place] = p * sympy.Rational(weight, sum(weights))
        out.append(row)
    return out, old


def by_rounds(rows, target):
    """The coarsest lumping with the target apart: signatures over and over, nothing shared."""
    values = [{to: rational_function(p) for to, p in row.items()} for row in rows]
    block = [int(s not in target) for s in range(len(rows))]
    while True:
        signatures = []
        for s, row in enumerate(values):
            mass: dict[int, Fraction] = {}
            for to, p in row.items():
                mass[block[to]] = mass.get(block[to], 0) + p(Fraction(3, 1000003))
            mass = {b: x for b, x in mass.items() if x}
            signatures.append((block[s], frozenset(() if s in target else mass.items())))
        names = {x: n for n, x in enumerate(dict.fromkeys(signatures))}
        refined = [names[x] for x in signatures]
        if len(set(refined)) == len(set(block)):
            return block
        block = refined


def same_partition(one, other):
    return len(set(zip(one, other, strict=True))) == len(set(one)) == len(set(other))


@pytest.mark.parametrize("seed", range(10))
def test_lumping_finds_the_coarsest(seed):
    small = random_chain(3 + seed % 5, 200 + seed, out=2)
    rows, old = blow_up(small, seed)
    chain = parametric_chain(rows)
    block = lump(chain, [0]).block
    assert same_partition(block, by_rounds(rows, [0]))
    assert len(set(zip(block, old, strict=True))) == len(set(old))  # no finer than planted
    start = old.index(len(small) - 1)
    value = solved(chain, start, [0]).value
    assert value == solved(parametric_chain(small), len(small) - 1, [0]).value


def test_lumping_splits_in_both_directions():
    """A walk on a cycle: distances from the target, found one after another."""
    n = 31
    half = {
        s: {(s + 1) % n: "epsilon/2", (s - 1) % n: "epsilon/2", s: "1-epsilon"} for s in range(n)
    }
    chain = parametric_chain([half[s] for s in range(n)])
    block = lump(chain, [0]).block
    assert same_partition(block, [min(s, n - s) for s in range(n)])
    for s in range(n):
        assert solved(chain, s, [0]).value == rational_function(s * (n - s) / EPSILON)


def test_sums_that_agree_lump():
    """Rows written differently, with equal masses: 1/3 + epsilon/2 in one piece or in two."""
    rows: list[dict[int, Any]] = [
        {0: 1},
        {0: "1/3 + epsilon/2", 1: "2/3 - epsilon/2"},
        {0: "1/3 + epsilon/2", 1: "1/6 - epsilon", 2: "1/2 + epsilon/2"},
        {0: "1/3 + epsilon", 1: "2/3 - epsilon"},
    ]
    assert lump(parametric_chain(rows), [0]).block[1:3] == (1, 1)
    assert len(lump(parametric_chain(rows), [0]).rows) == 3


def test_large_coefficients():
    """A thousand successors and huge coefficients of both signs do not run into one another."""
    n, huge = 1000, 10**30 + 57
    rows: list[dict[int, Any]] = [{0: 1}, {}, *[{0: "epsilon", 1: "1 - epsilon"}] * (n - 2)]
    rows[1] = {
        s: f"1/{n - 2} + ({huge}*epsilon**3 - {huge}*epsilon**2)*({(-1) ** s})/{n}"
        for s in range(2, n)
    }
    found = solved(parametric_chain(rows), 1, [0])
    assert len(found.quotient.rows) == 3
    assert found.value == rational_function(2 / EPSILON)


# ---------------------------------------------------------------- starts, targets, refusals
STEP = "1 - epsilon"


def test_start_in_target():
    found = solved(parametric_chain([{0: 1}, {0: "epsilon", 1: STEP}]), 0, [0])
    assert found.value == RationalFunction(())
    assert found.value(Fraction(1, 2)) == 0
    assert str(found.value) == "0"


def test_single_state():
    assert solved(parametric_chain([{0: 1}]), 0, [0]).value == RationalFunction(())


def test_all_states_are_targets():
    chain = parametric_chain([{1: 1}, {0: 1}])
    assert solved(chain, 1, [0, 1]).value == RationalFunction(())


def test_rows_of_targets_do_not_matter():
    out = [{0: "epsilon", 1: STEP}]
    values = {solved(parametric_chain([row, *out]), 1, [0]).value for row in ({0: 1}, {1: 1})}
    assert values == {rational_function("1/epsilon")}


def test_states_beyond_reach_do_not_matter():
    chain = parametric_chain([{0: 1}, {0: "epsilon", 1: STEP}, {2: 1}, {1: "1/2", 2: "1/2"}])
    found = solved(chain, 1, [0])
    assert found.value == rational_function("1/epsilon")
    assert found.quotient.block[2] not in found.values
    assert found.quotient.block[3] not in found.values


@pytest.mark.parametrize(
    "rows",
    [
        [{0: 1}, {1: 1}],
        [{0: 1}, {0: "epsilon", 2: STEP}, {2: 1}],
        [{0: 1}, {0: "epsilon", 2: STEP}, {3: 1}, {2: STEP, 3: "epsilon"}],
        [
            {0: 1},
            {0: "epsilon", 2: STEP},
            {3: 1},
            {4: 1},
            {2: "1/2", 3: "epsilon/2", 4: "(1 - epsilon)/2"},
        ],
    ],
)
def test_infinite_mean_is_refused(rows):
    with pytest.raises(NoSolution, match=r"from state 1 the chain can come to state \d+") as caught:
        mean_hitting_time(parametric_chain(rows), 1, [0])
    state = int(re.findall(r"to state (\d+)", str(caught.value))[0])
    assert state in ({1} if len(rows) == 2 else set(range(2, len(rows))))
    assert "\n" not in str(caught.value)


HALF = RationalFunction((1,), (2,))
ONE = RationalFunction((1,))
GOOD = (((0,), (1,)), ((0, 1), (0, 0)))


@pytest.mark.parametrize(
    ("rows", "start", "target", "message"),
    [
        (GOOD, 2, [0], "start 2 is not a state: give a number from 0 to 1"),
        (GOOD, -1, [0], "start -1 is not a state: give a number from 0 to 1"),
        (GOOD, 1, [2], "target 2 is not a state: give a number from 0 to 1"),
        (GOOD, 1, [0, -1], "target -1 is not a state: give a number from 0 to 1"),
        (GOOD, 1, [], "there is no target: give a number from 0 to 1"),
        ((), 0, [0], "start 0 is not a state: the chain has none"),
        (
            (GOOD[0], ((0, 1), (0, 1))),
            1,
            [0],
            "state 1: its probabilities sum to 3/2, not to 1: mend the row",
        ),
        (
            (GOOD[0], ((), ())),
            1,
            [0],
            "state 1: its probabilities sum to 0, not to 1: mend the row",
        ),
        (
            (*GOOD, ((0, 3), (0, 0))),
            1,
            [0],
            "state 2: successor 3 is not a state: give a number from 0 to 2",
        ),
        (
            (*GOOD, ((0, -2), (0, 0))),
            1,
            [0],
            "state 2: successor -2 is not a state: give a number from 0 to 2",
        ),
        (
            (*GOOD, ((0, 0), (0, 0))),
            1,
            [0],
            "state 2: successor 0 stands twice: add the probabilities",
        ),
        (
            (*GOOD, ((0, 1), (1,))),
            1,
            [0],
            "state 2: 2 successors but 1 probabilities: give as many",
        ),
        (
            (*GOOD, ((0,), (0, 0))),
            1,
            [0],
            "state 2: 1 successors but 2 probabilities: give as many",
        ),
        (
            (*GOOD, ((0, 1), (0, 2))),
            1,
            [0],
            "state 2: there is no probability 2 in the table",
        ),
        (
            (*GOOD, ((0, 1), (0, -2))),
            1,
            [0],
            "state 2: there is no probability -2 in the table",
        ),
    ],
)
def test_bad_input_is_refused(rows, start, target, message):
    with pytest.raises(InvalidChain) as caught:
        mean_hitting_time(ParametricChain(rows, (HALF, ONE)), start, target)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (
            RationalFunction((0, -1)),
            "state 1: probability -epsilon is negative for small values of epsilon",
        ),
        (
            RationalFunction((2, 1), (0, -1)),
            "state 1: probability -(epsilon + 2)/epsilon is negative for small values of epsilon",
        ),
        (RationalFunction(()), "state 1: a probability is 0: leave its transitions out"),
        (RationalFunction((0, 0)), "state 1: a probability is 0: leave its transitions out"),
        (RationalFunction((1,), ()), "state 1: a probability has the denominator 0"),
        (RationalFunction((1,), (0,)), "state 1: a probability has the denominator 0"),
    ],
)
def test_bad_probability_is_refused(value, message):
    chain = ParametricChain((((0,), (0,)), ((0, 1), (0, 1))), (HALF, value))
    with pytest.raises(InvalidChain) as caught:
        lump(chain, [0])
    assert str(caught.value) == message


def test_row_sums_hold_identically_and_not_at_a_point():
    rows: list[dict[int, Any]] = [
        {0: 1},
        {0: "epsilon", 1: "1 - epsilon**2"},
    ]  # 1 at epsilon = 0 and at epsilon = 1
    with pytest.raises(InvalidChain, match="state 1: its probabilities sum to"):
        lump(parametric_chain(rows), [0])


# ---------------------------------------------------------------- reading
@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (0, RationalFunction(())),
        (1, ONE),
        (Fraction(2, 4), HALF),
        ("0.5", HALF),
        ("5e-1", HALF),
        ("(1 - epsilon)/(2 - 2*epsilon)", HALF),
        (sympy.Rational(1, 2), HALF),
        ("(1 - epsilon)/4", RationalFunction((1, -1), (4,))),
        ("-1/(epsilon - 1)", RationalFunction((1,), (1, -1))),
        (EPSILON**2 / 6 / (1 + EPSILON / 3), RationalFunction((0, 0, 1), (6, 2))),
        (HALF, HALF),
    ],
)
def test_functions_are_read_in_lowest_terms(given, expected):
    value = rational_function(given)
    assert value == expected
    assert rational_function(value.expression()) == value


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (0.5, "0.5 is a rounded number: give a fraction or a text"),
        ("delta/2", "'delta/2' is no rational function of epsilon"),
        ("sqrt(epsilon)", "'sqrt(epsilon)' is no rational function of epsilon"),
        ("1/(epsilon - epsilon)", "'1/(epsilon - epsilon)' is no rational function of epsilon"),
        ("1/((1 + epsilon)**2 - 1 - 2*epsilon - epsilon**2)", "divides by zero"),
        ("epsilon +", "'epsilon +' is no rational function of epsilon"),
        (None, "None is no rational function of epsilon"),
    ],
)
def test_other_things_are_not_read(given, message):
    with pytest.raises(InvalidChain) as caught:
        parametric_chain([{0: 1}, {0: given}])
    assert str(caught.value).startswith("state 1: ")
    assert str(caught.value).endswith(message)


def test_rows_are_read_into_a_table():
    chain = parametric_chain([{1: "1/2", 0: Fraction(1, 2), 2: 0}, {0: 1}, {2: "x", 0: "1-x"}], "x")
    assert chain.rows == (((0, 1), (0, 0)), ((0,), (1,)), ((0, 2), (2, 3)))
    assert chain.probabilities == (
        HALF,
        ONE,
        RationalFunction((1, -1)),
        RationalFunction((0, 1)),
    )
    assert solved(chain, 2, [0]).value == RationalFunction((1,), (1, -1))


def test_values_at_points():
    value = reduced(fmpz_poly([1, 0, 3]), fmpz_poly([0, 2, -2]))
    assert value(Fraction(1, 2)) == Fraction(7, 2)
    assert value(3) == Fraction(-28, 12)
    with pytest.raises(ZeroDivisionError):
        value(1)
    assert sympy.simplify(value.expression("x").subs("x", 3)) == sympy.Rational(-7, 3)


# ---------------------------------------------------------------- proofs catch errors
@pytest.fixture(scope="module")
def proved():
    chain = ring(4, 4)
    return chain, mean_hitting_time(chain, 2, [10])


def forged(found, values=None, block=None):
    """A result with other values or blocks."""
    values = dict(found.values) if values is None else values
    block = found.quotient.block if block is None else block
    copy = HittingTime(values.get(block[2], ONE), replace(found.quotient, block=block), ())
    vars(copy)["values"] = values
    return copy


def test_an_honest_copy_is_proved(proved):
    chain, found = proved
    verify(chain, 2, [10], forged(found))


def test_each_wrong_value_is_caught(proved):
    chain, found = proved
    for block, value in found.values.items():
        for wrong in (value.expression() + 1, value.expression() * (1 + EPSILON)):
            if rational_function(wrong) == value:  # 0 * anything on the target
                continue
            values = {**found.values, block: rational_function(wrong)}
            with pytest.raises(NotProved):
                verify(chain, 2, [10], forged(found, values))


def test_a_multiple_is_caught(proved):
    chain, found = proved
    values = {b: rational_function(2 * v.expression()) for b, v in found.values.items()}
    with pytest.raises(NotProved, match="h = 1 \\+ P h"):
        verify(chain, 2, [10], forged(found, values))


def test_a_shift_is_caught(proved):
    """h + 1 satisfies every row off the target."""
    chain, found = proved
    values = {b: rational_function(v.expression() + 1) for b, v in found.values.items()}
    with pytest.raises(NotProved, match="is in the target and its value is not 0"):
        verify(chain, 2, [10], forged(found, values))


@pytest.mark.parametrize("bits", range(0, 90, 3))
def test_agreement_at_one_point_is_no_identity(proved, bits):
    """The proof evaluates at a power of 2: a value that is right there alone does not pass."""
    chain, found = proved
    block = found.quotient.block[2]
    wrong = rational_function(found.value.expression() + (EPSILON - 2**bits) / 7)
    with pytest.raises(NotProved):
        verify(chain, 2, [10], forged(found, {**found.values, block: wrong}))


def test_each_wrong_block_is_caught(proved):
    chain, found = proved
    block = found.quotient.block
    for state in range(len(block)):
        for other in set(block) - {block[state]}:
            moved = (*block[:state], other, *block[state + 1 :])
            with pytest.raises(NotProved):
                verify(chain, 2, [10], forged(found, block=moved))


def test_a_missing_value_is_caught(proved):
    chain, found = proved
    for block in set(found.values) - {found.quotient.block[2]}:
        values = {b: v for b, v in found.values.items() if b != block}
        with pytest.raises(NotProved, match="which has no value"):
            verify(chain, 2, [10], forged(found, values))


def test_a_value_of_another_state_is_caught(proved):
    chain, found = proved
    with pytest.raises(NotProved, match="is not that of its block"):
        verify(chain, 3 * 4, [10], found)


def test_the_proof_is_about_the_rows_given(proved):
    chain, found = proved
    other = replace(chain, probabilities=(*chain.probabilities[:-1], HALF))
    with pytest.raises(NotProved):
        verify(other, 2, [10], found)


def test_rows_that_do_not_sum_to_one_are_not_proved():
    """h = 1 + P h holds with P = 1/2 and h = 2, but the row is no probability law."""
    chain = ParametricChain(GOOD, (RationalFunction((1,), (4,)), ONE))
    quotient = Quotient((0, 1), ({}, {}), fmpz_poly([1]))
    value = RationalFunction((4,), (3,))
    result = HittingTime(value, quotient, ())
    vars(result)["values"] = {0: RationalFunction(()), 1: value}
    with pytest.raises(NotProved, match="do not sum to 1"):
        verify(chain, 1, [0], result)
