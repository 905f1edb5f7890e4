"""Roots that round up, and gaps where there is little to bound."""

from fractions import Fraction

import pytest

from theory.bounds.base import FiniteChain
from theory.bounds.common import gap_bounds, root_above

F = Fraction


@pytest.mark.parametrize("value", [F(2), F(1, 3), F(10**40 + 1), F(1, 10**40 + 7)])
def test_a_root_is_rounded_up_a_little(value):
    root = root_above(value)
    assert value < root**2 < value * (1 + F(1, 2**60))


def test_a_root_that_is_rational_is_exact():
    assert [root_above(F(n, 9)) for n in (0, 1, 4)] == [0, F(1, 3), F(2, 3)]
    assert root_above(2.25) == 1.5


def test_gaps_of_one_state_and_of_pieces(chains):
    assert gap_bounds(FiniteChain.of_rows([{}])) is None
    assert gap_bounds(chains.two_classes()) == (F(0), F(0))
    bounds = gap_bounds(chains.two_state(F(1, 3), F(1, 4)))
    assert bounds is not None
    assert bounds[0] <= F(7, 12) <= bounds[1]
