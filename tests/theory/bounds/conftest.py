"""Random explicit chains, and how a bound is tried on many of them."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import strategies as st

from numerics.chain import Chain
from theory.bounds.base import FiniteChain, Interval

SLACK = 1e-9  # for rounding, in the numerics that a bound is held against


class Chains:
    """Generators of chains, conversions, and surveys."""

    def reversible(self, rng, size, lazy=False):
        """Random conductances on a random connected graph, over up to five orders of magnitude."""
        weight = {}
        spread = rng.choice([0, 0, 2, 5])
        density = rng.random()
        for x in range(1, size):
            joined = rng.randrange(x)
            for y in range(x):
                if y == joined or rng.random() < density:
                    scale = Fraction(1, 10 ** rng.randint(0, spread))
                    weight[x, y] = weight[y, x] = rng.randint(1, 30) * scale
        rows = []
        for x in range(size):
            total = sum(w for (a, _), w in weight.items() if a == x)
            total *= 1 + rng.choice([0, 0, Fraction(1, 3), 2]) if not lazy else 2
            rows.append({y: weight[x, y] / total for y in range(size) if (x, y) in weight})
        return FiniteChain.of_rows(rows)

    def general(self, rng, size):
        """A random irreducible chain, as a rule far from reversible."""
        order = rng.sample(range(size), size)
        after = dict(zip(order, order[1:] + order[:1], strict=True))
        spread = rng.choice([0, 0, 2, 5])
        density = rng.random()
        rows = []
        for x in range(size):
            row = {
                y: rng.randint(1, 30) * Fraction(1, 10 ** rng.randint(0, spread))
                for y in range(size)
                if y != x and (y == after[x] or rng.random() < density)
            }
            total = sum(row.values()) * (1 + rng.choice([0, Fraction(1, 3), 2]))
            rows.append({y: w / total for y, w in row.items()})
        return FiniteChain.of_rows(rows)

    def proper_set(self, rng, size):
        return set(rng.sample(range(size), rng.randint(1, size - 1)))

    def disjoint_sets(self, rng, size):
        states = rng.sample(range(size), size)
        a = rng.randint(1, size - 1)
        return set(states[:a]), set(states[a : rng.randint(a + 1, size)])

    def floats(self, chain):
        """The same chain in floats, its law computed anew."""
        return FiniteChain.of_rows([{y: float(p) for y, p in row.items()} for row in chain.rows])

    def concrete(self, chain):
        """The same chain for the numerics."""
        entries = [(x, y, p) for x, row in enumerate(chain.rows) for y, p in row.items()]
        if chain.exact:
            return Chain.from_entries(map(str, chain.states), entries)
        return Chain.from_floats(map(str, chain.states), *zip(*entries, strict=True))

    def matrix(self, chain):
        return np.array(
            [[float(chain.probability(x, y)) for y in chain.states] for x in chain.states]
        )

    def spectral_gap(self, chain):
        """Smallest 1 - Re lambda over all eigenvalues but one 1, by a dense solver."""
        values = np.linalg.eigvals(self.matrix(chain))
        return float(1 - np.sort(values.real)[-2])

    def case(self, chain, truth, **data):
        return chain, data, truth

    def violations(self, bound, cases, slack=SLACK):
        """The cases (chain, data, true value) in which a bound is false."""
        return [case for case in cases if not bound(case[0], **case[1]).contains(case[2], slack)]

    def tightened(self, bound, side, part):
        """A bound with an error planted: one side moved inwards by a part of its size."""

        def formula(chain, **data):
            value = bound.formula(chain, **data)
            if side == "lower":
                return Interval(value.lower + part * abs(value.lower), value.upper)
            return Interval(value.lower, value.upper - part * abs(value.upper))

        return replace(bound, formula=formula)

    # Chains that theorems are tried on in several files.

    def two_state(self, p, q):
        """0 to 1 with probability p, back with probability q."""
        return FiniteChain.of_rows([{1: Fraction(p)}, {0: Fraction(q)}])

    def hypercube(self, dimension):
        """The walk that flips one bit in each step."""
        step = Fraction(1, dimension)
        return FiniteChain.of_rows(
            [{x ^ (1 << b): step for b in range(dimension)} for x in range(2**dimension)]
        )

    def de_bruijn(self, bits):
        """Words of bits; in each step a random bit is shifted in. All eigenvalues but 1 are 0."""
        mask = 2**bits - 1
        rows = [{(2 * x + b) & mask: Fraction(1, 2) for b in range(2)} for x in range(2**bits)]
        return FiniteChain.of_rows(rows)

    def rotation(self, size):
        """The cycle that only goes round."""
        return FiniteChain.of_rows([{(x + 1) % size: 1} for x in range(size)])

    def transient(self, rate):
        """States 0 and 1, drawn anew in each step, and a state 2 that is left at a small rate."""
        half = Fraction(1, 2)
        return FiniteChain.of_rows([{1: half}, {0: half}, {0: Fraction(rate)}], [half, half, 0])

    def two_classes(self):
        """A pair of states and a single one, not connected; the law is given."""
        third = Fraction(1, 3)
        return FiniteChain.of_rows([{1: third}, {0: third}, {}], [third] * 3)


@pytest.fixture(scope="session")
def chains():
    return Chains()


@st.composite
def small_chains(draw, reversible):
    """A chain that Hypothesis may shrink: up to five states, small integer weights."""
    size = draw(st.integers(2, 5))
    weights = st.integers(0, 9)
    rows = [[0] * size for _ in range(size)]
    for x in range(size):
        for y in range(x + 1 if reversible else size):
            if x != y:
                joined = abs(x - y) == 1 if reversible else y == (x + 1) % size
                rows[x][y] = draw(weights) + joined
                if reversible:
                    rows[y][x] = rows[x][y]
    totals = [sum(row) + draw(weights) for row in rows]
    return FiniteChain.of_rows(
        [[Fraction(w, total) for w in row] for row, total in zip(rows, totals, strict=True)]
    )


@pytest.fixture(scope="session")
def drawn():
    """``drawn(data, reversible=True)`` draws a chain inside a Hypothesis test."""
    return lambda data, reversible: data.draw(small_chains(reversible))
