"""Random chains with clusters, and the examples that the theorems on clusters are tried on."""

from fractions import Fraction

import numpy as np
import pytest

from theory.bounds.base import FiniteChain, gap_enclosure
from theory.chain import cliques

F = Fraction
WEAK = [1, 1, 3, 10, 100, 1000, 10**5]


class Clustered:
    """Generators of chains with a partition of their states."""

    def draw(self, rng, largest=6, reversible=None):
        """A chain, as a rule nearly decomposable, and its clusters; rational."""
        reversible = rng.random() < 0.5 if reversible is None else reversible
        size = rng.randint(3, largest)
        K = rng.randint(2, min(4, size - 1))
        at = [*range(K), *(rng.randrange(K) for _ in range(size - K))]
        weak = F(1, rng.choice(WEAK))
        order = rng.sample(range(size), size)
        needed = set(zip(order, order[1:] + order[:1], strict=True))
        spread = rng.choice([0, 0, 2])
        density = rng.choice([0.2, 0.5, 1])
        weight = {}
        for x in range(size):
            for y in range(size):
                if x != y and ((x, y) in needed or rng.random() < density):
                    w = rng.randint(1, 20) * F(1, 10 ** rng.randint(0, spread))
                    weight[x, y] = w if at[x] == at[y] else w * weak
                    if reversible:
                        weight[y, x] = weight[x, y]
        rows = []
        for x in range(size):
            row = {y: w for (a, y), w in weight.items() if a == x}
            total = sum(row.values()) * (1 + rng.choice([0, 0, F(1, 3), 2]))
            rows.append({y: w / total for y, w in row.items()})
        return FiniteChain.of_rows(rows), [[x for x in range(size) if at[x] == k] for k in range(K)]

    def cover(self, rng, chain, clusters):
        """The clusters, each with some other states added."""
        return [{*c, *(x for x in chain.states if rng.random() < 0.3)} for c in clusters]

    def dumbbell(self, rare, inside, outside):
        """Bulks 0 and 3 behind gates 1 and 2 of relative mass ``rare``; and the clusters."""
        rows = [
            {1: rare * inside},
            {0: inside, 2: outside},
            {1: outside, 3: inside},
            {2: rare * inside},
        ]
        return FiniteChain.of_rows(rows), [[0, 1], [2, 3]]

    def cliques(self, graph, K, M, eps):
        """The families of the project, from their definition; and the clusters."""
        edges: dict = {}
        for k in range(K):
            if graph == "complete":
                edges |= {((k, 0), (j, 0)): eps / (K - 1) for j in range(K) if j != k}
            elif graph == "star" and k:
                edges |= {((k, 0), (0, 0)): eps, ((0, 0), (k, 0)): eps / (K - 1)}
            elif graph == "ring" or (graph == "path" and k < K - 1):
                after = (k + 1) % K
                edges |= {((k, 0), (after, 1)): eps, ((after, 1), (k, 0)): eps}
        chain = FiniteChain.of_explicit(cliques([M] * K, edges))
        return chain, [list(range(k * M, (k + 1) * M)) for k in range(K)]

    def lazy_star(self, leaves):
        """A hub 0 and its leaves, each step taken with probability 1/2."""
        half = F(1, 2)
        hub = {y: half / leaves for y in range(1, leaves + 1)}
        return FiniteChain.of_rows([hub, *({0: half} for _ in range(leaves))])

    def matrix(self, chain):
        return np.array(
            [[float(chain.probability(x, y)) for y in chain.states] for x in chain.states]
        )

    def symmetric_gap(self, matrix, law):
        """The gap of (P + P*)/2, by a dense symmetric solver."""
        flow = np.asarray(law)[:, None] * matrix
        form = -(flow + flow.T) / 2
        np.fill_diagonal(form, 0)
        np.fill_diagonal(form, -form.sum(axis=1))
        root = np.sqrt(np.asarray(law))
        return float(np.linalg.eigvalsh(form / root[:, None] / root)[1])

    def gap(self, chain):
        """The gap of an exact chain, of (P + P*)/2 in general, to nine digits."""
        low, high = gap_enclosure(chain)
        return (low + high) / 2


@pytest.fixture(scope="session")
def clustered():
    return Clustered()


@pytest.fixture
def refused():
    """``refused(bound, name, chain, ...)``: the hypothesis is refused by name, in one line."""

    def check(bound, name, chain, **data):
        assert name in {hypothesis.name for hypothesis in bound.hypotheses}
        with pytest.raises(ValueError, match=f"^hypothesis '{name}' fails: [^\n]+; [^\n]+$"):
            bound(chain, **data)

    return check
