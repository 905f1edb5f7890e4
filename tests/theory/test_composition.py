"""Times in a composed chain, from the rows of one cluster, against the chain itself.

The chains are built state by state in ``tests/blind/composition.py``, which also derives the mean
time with one gate a second time, by renewal.
"""

from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cache

import pytest
import sympy

from theory.attachment import ATTACHMENTS
from theory.chain import Move, Orbit, OrbitChain, Row, indices, j, with_index
from theory.composition import H2, R2, Cluster, H, R
from theory.domain import Domain, evaluate
from theory.family import epsilon
from theory.kernels import find, kernels

KERNELS = [*kernels(), "hypercube-4"]
PAIRS = [
    (name, a.id) for name in KERNELS for a in ATTACHMENTS.values() if a.why_not(find(name)) is None
]
# what takes more than a few seconds to derive in symbols: means, and second moments
LONG_MEAN = {("nested", "decoy"), ("nested", "split")}
LONG = {(name, a) for name in ("hypercube-4", "lazy-cycle", "nested") for a in ATTACHMENTS}
LONG |= {(name, a) for name in KERNELS for a in ("decoy", "gates", "split")}
# second moments that take minutes: the rows at points are checked, the symbols are not
MINUTES = {(name, a) for name in ("nested", "lazy-cycle") for a in ("decoy", "split")}
MINUTES |= {("complete-bipartite", "decoy")}
VALUES = (  # of the parameters of the attachments
    {"epsilon": "1/3", "delta": "2/7", "theta": "3/5", "n": "1"},
    {"epsilon": "9/10", "delta": "1/50", "theta": "19/20", "n": "2"},
    {"epsilon": "1/1000", "delta": "6/7", "theta": "1/9", "n": "3"},
)
SOME = ("one way round",)


def marked(pairs, long):
    return [pytest.param(*p, marks=pytest.mark.slow) if p in long else p for p in pairs]


@dataclass(frozen=True)
class Case:
    """A kernel, an attachment and a point, and the walks to try there."""

    kernel: str
    attachment: str
    point: dict[str, Fraction]
    walks: tuple[str, ...]


@cache
def cluster(kernel, attachment):
    """With all parameters symbols."""
    return Cluster(ATTACHMENTS[attachment].chain(find(kernel)), "home")


def cases(definitions, kernel, attachment):
    """The points of a kernel with values for the attachment; all walks at the first one."""
    definition, names = definitions.KERNELS[kernel], ATTACHMENTS[attachment].parameters
    domain = ATTACHMENTS[attachment].domain(find(kernel))
    points = (definition.points * 3)[:3]
    found: list[Case] = []
    for own, values in zip(points, VALUES, strict=True):
        point = own | {p.name: Fraction(values[p.name]) for p in names}
        if "n" in point:
            point["n"] = Fraction(max(1, min(int(point["n"]), definition.most_gates(own) - 1)))
        if domain.violated(point) is None:
            found.append(
                Case(kernel, attachment, point, SOME if found else tuple(definitions.WALKS))
            )
    assert found
    return found


def rational(x):
    return sympy.Rational(x.numerator, x.denominator)


def numbers(chain, point):
    """The chain with numbers for its parameters, one orbit for each index."""

    def name_at(name, at):
        return name if at is None else f"{name}.{at}"

    def orbit_of(name, at):
        size = evaluate(chain.orbits[name].size, with_index(point, at))
        return Orbit(rational(size), "cluster")

    rows, orbits = [], {}
    for r in chain.rows:
        for index in indices(r.index, point):
            here = with_index(point, index)
            moves = [
                Move(
                    name_at(m.to, None if m.at is None else evaluate(m.at, here)),
                    rational(evaluate(m.probability, here)),
                    meta=m.meta,
                )
                for m in r.moves
            ]
            rows.append(Row(name_at(r.orbit, index), tuple(moves)))
            orbits[rows[-1].orbit] = orbit_of(r.orbit, index)
    return OrbitChain(Domain(()), orbits, tuple(rows))


def reader(times, point):
    """Away or at home, the value of a function on the orbits at a place, given H, R, H2, R2."""
    at = {sympy.Symbol(name): rational(x) for name, x in point.items()}
    terms = {}
    for here, function in (("away", times.away), ("home", times.home)):
        for name, value in function.items():
            terms[here, name] = sympy.Poly(sympy.sympify(value).subs(at), j, H, R, H2, R2).terms()

    def read(here, place, *moments):
        name, index = place
        if (here, name) not in terms:  # an index has become part of the name
            name, index = f"{name}.{index}", None
        values = (Fraction(index or 0), *moments)
        total = Fraction(0)
        for powers, coefficient in terms[here, name]:
            term = Fraction(int(coefficient.p), int(coefficient.q))
            for value, power in zip(values, powers, strict=True):
                term *= value**power
            total += term
        return total

    return read


def differences(definitions, case, *functions):
    """Where moments (mean, then second) are not those of the explicit chain, from any state."""
    definition, kernel = definitions.KERNELS[case.kernel], find(case.kernel)
    matrix = definition.matrix(case.point)
    gates = int(case.point.get("n", 1))
    home = definition.home(case.point, gates)
    inside, leaving = definitions.ATTACHMENTS[case.attachment](matrix, home, case.point)
    places = [kernel.place(i, case.point, gates) for i in range(len(matrix))]
    assert places[home] == ("home", None)
    reads = [reader(function, case.point) for function in functions]
    found = []
    for name in case.walks:
        walk = definitions.WALKS[name]
        whole = definitions.composed(inside, leaving, walk)
        for target in range(len(walk)):
            means, squares = definitions.moments(walk, target)
            back = definitions.return_moments(walk, target)
            exact = definitions.moments(whole, target * len(matrix) + home)
            for k in range(len(walk)):
                known = means[k], back[0], squares[k], back[1]
                here = "home" if k == target else "away"
                for i, place in enumerate(places):
                    state = k * len(matrix) + i
                    for moment, read in enumerate(reads):
                        if read(here, place, *known) != exact[moment][state]:
                            found.append((case.point, name, target, k, place, moment))
    return found


@pytest.mark.parametrize(("kernel", "attachment"), [p for p in PAIRS if p[0] in kernels()])
def test_moments_with_numbers(definitions, kernel, attachment):
    """Mean and second moment from every state to every home, solved with numbers in the rows."""
    for case in cases(definitions, kernel, attachment)[:2]:
        part = Cluster(numbers(cluster(kernel, attachment).chain, case.point), "home")
        assert differences(definitions, case, part.mean, part.second) == []


@pytest.mark.parametrize(("kernel", "attachment"), marked(PAIRS, LONG_MEAN))
def test_mean_with_symbols(definitions, kernel, attachment):
    """One formula for all points."""
    times = cluster(kernel, attachment).mean
    for case in cases(definitions, kernel, attachment):
        assert differences(definitions, replace(case, walks=SOME), times) == []


@pytest.mark.parametrize(
    ("kernel", "attachment"), marked([p for p in PAIRS if p not in MINUTES], LONG)
)
def test_second_moment_with_symbols(definitions, kernel, attachment):
    part = cluster(kernel, attachment)
    for case in cases(definitions, kernel, attachment):
        case = replace(case, walks=SOME)
        assert differences(definitions, case, part.mean, part.second) == []


@pytest.mark.parametrize("kernel", KERNELS)
def test_mean_by_renewal(definitions, kernel):
    """The formula with one gate, derived without the rows."""
    a, b, p = definitions.TIMES[kernel]
    part = cluster(kernel, "gate")
    assert sympy.cancel(part.step - definitions.step(p)) == 0
    assert sympy.cancel(part.mean.away["home"] - definitions.mean(a, b, p)) == 0
    assert sympy.cancel(part.mean.home["gate"] - definitions.from_gate(a, b, p)) == 0
    odds = epsilon * p * (a + b) / (1 - epsilon)
    assert sympy.cancel(part.mean.away["home"] - part.step * (H + R * odds)) == 0


@pytest.mark.parametrize("kernel", KERNELS)
def test_times_of_kernels(definitions, kernel):
    """What the renewal argument starts from."""
    definition = definitions.KERNELS[kernel]
    for point in definition.points:
        at = {sympy.Symbol(name): rational(x) for name, x in point.items()}
        matrix = definition.matrix(point)
        assert all(sum(row) == 1 for row in matrix)
        home = definition.home(point, 1)
        exact = (
            definitions.moments(matrix, 0)[0][home],
            definitions.moments(matrix, home)[0][0],
            definitions.law(matrix)[0],
        )
        assert [x.subs(at) for x in definitions.TIMES[kernel]] == [rational(x) for x in exact]


def test_complete_graph_of_cliques():
    """The formula that opens the project: cliques, their gates joined pairwise."""
    K, M = sympy.symbols("K M")
    value = cluster("clique", "gate").mean.away["home"].subs({H: K - 1, R: K})
    known = (M * (1 - epsilon) + epsilon) * (K - 1 + (K + 1) * epsilon) / (epsilon * (1 - epsilon))
    assert sympy.cancel(value - known) == 0


@pytest.fixture(scope="module")
def definitions(blind):
    return blind("composition")
