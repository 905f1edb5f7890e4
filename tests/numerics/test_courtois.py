"""Courtois's (1977) 8-state nearly completely decomposable matrix, against published figures."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from numerics import elimination, exact
from numerics.chain import Chain, ChainError, read_chain
from numerics.spectrum import blocks, degree_of_coupling, eigenvalues

PUBLISHED_LAW = (0.08928, 0.09276, 0.04049, 0.15853, 0.11894, 0.12039, 0.27780, 0.10182)
PUBLISHED_BLOCKS = ((0, 1, 2), (3, 4), (5, 6, 7))


@pytest.fixture(scope="module")
def courtois() -> Chain:
    return read_chain(Path(__file__).parents[1] / "data" / "courtois.csv")


def test_matrix_is_read_exactly(courtois: Chain) -> None:
    assert courtois.size == 8
    assert courtois.is_irreducible()
    entries = {(i, j): p for i, j, p in courtois.exact_entries()}
    assert entries[0, 7] == Fraction(5, 100_000)
    assert len(entries) == 33


def test_stationary_law(courtois: Chain) -> None:
    law = exact.stationary(courtois)
    assert sum(law) == 1
    assert tuple(round(float(p), 5) for p in law) == PUBLISHED_LAW
    solution = elimination.stationary(courtois)
    for value, p in zip(solution.values.tolist(), law, strict=True):
        assert abs(Fraction(value) - p) <= Fraction(solution.relative_error_bound) * p


def test_blocks(courtois: Chain) -> None:
    # The published blocks hold for any threshold between the sparse and the dense entries.
    for threshold in (Fraction(9, 10_000), 0.01, 0.0995):
        assert blocks(courtois, threshold) == PUBLISHED_BLOCKS
    assert blocks(courtois, 0.0) == (tuple(range(8)),)
    assert len(blocks(courtois, 0.9)) == 8
    with pytest.raises(ChainError, match="threshold"):
        blocks(courtois, 1.0)


def test_degree_of_coupling(courtois: Chain) -> None:
    assert degree_of_coupling(courtois, PUBLISHED_BLOCKS) == Fraction(1, 1000)
    assert degree_of_coupling(courtois, [range(8)]) == 0
    for wrong in ([range(7)], [range(8), [0]], [range(9)]):
        with pytest.raises(ChainError, match="partition"):
            degree_of_coupling(courtois, wrong)


def test_eigenvalues(courtois: Chain) -> None:
    values = eigenvalues(courtois)
    assert values.shape == (8,)
    assert abs(values[0] - 1) < 1e-14
    assert np.round(values[1:3], 7).tolist() == [0.9998000, 0.9984948]
    assert np.all(np.diff(values.real) <= 0)
    transition = courtois.rates()
    np.fill_diagonal(transition, 1 - transition.sum(axis=1))
    assert abs(values.sum() - np.trace(transition)) < 1e-13
