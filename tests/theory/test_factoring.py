"""Factors by FLINT are those of SymPy, and the nested text is the same function."""

import random

import pytest
import sympy

from theory import checker
from theory.factoring import factor, text

NAMES = sympy.symbols("K M K_1 epsilon d delta x j")


def expressions(seed, number):
    """Quotients of sums of products, of all depths up to 3."""
    rng = random.Random(seed)

    def grow(depth):
        if depth == 0:
            return rng.choice([*NAMES, sympy.Rational(rng.randint(-5, 5), rng.randint(1, 6))])
        a, b = grow(depth - 1), grow(depth - 1)
        whole = [a * b, a - b, a + b, *([a + b**2] if depth == 1 else [])]
        return rng.choice([*whole, *([a / b, 1 / b] if b != 0 else [])])

    return [grow(n % 4) for n in range(number)]


def test_same_as_sympy():
    for value in expressions(seed=3, number=80):
        wanted = sympy.factor(value)
        assert factor(value) == wanted
        assert str(factor(value)) == str(wanted)


def test_text_is_the_same_function():
    env = {str(x): checker.Q({(str(x),): 1}) for x in NAMES}
    for value in [sympy.factor(x) for x in expressions(seed=4, number=80)]:
        if value.has(sympy.zoo, sympy.nan):
            continue
        direct, other = (checker.parse(x, env, []) for x in (str(value), text(value)))
        assert not (direct - other).num, value


def test_factors_divide_one_by_one():
    K, M, e = NAMES[0], NAMES[1], NAMES[3]
    value = (K * M + K + 1) / (M * (K - 1) ** 2 * (1 - e)) + e
    divisors = list[checker.Q]()
    checker.parse(text(value), {n: checker.Q({(n,): 1}) for n in ("K", "M", "epsilon")}, divisors)
    assert all(len(d.num) <= 2 for d in divisors)
    assert len(divisors) == 4


@pytest.mark.parametrize("value", ["cos(K)/(2*M) + cos(K)", "sqrt(K)*(M + 1)", "1/(M - M*1.5)"])
def test_what_is_not_rational_is_left_to_sympy(value):
    value = sympy.sympify(value, locals={str(x): x for x in NAMES})
    assert factor(value) == sympy.factor(value)
    assert sympy.simplify(sympy.sympify(text(value)) - value) == 0


def test_a_vanishing_denominator_is_left_to_sympy():
    K, M = NAMES[:2]
    value = 1 / ((K + M) ** 2 - K**2 - 2 * K * M - M**2)
    assert factor(value) == sympy.factor(value)
