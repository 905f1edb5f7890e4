"""Cluster kernels: rows, explicit chains, laws, and files of users'.

The kernels and attachments are written once more, from their definitions, in
``tests/blind/composition.py``.
"""

from dataclasses import replace
from fractions import Fraction

import pytest
import sympy

from theory.attachment import ATTACHMENTS
from theory.chain import ExplicitChain, indices, lumping_error, with_index
from theory.conjecture import stationary_law
from theory.domain import evaluate
from theory.family import FamilyError
from theory.kernels import find, kernels
from theory.kernels.orbits import FromOrbits

KERNELS = [*kernels(), "hypercube-2", "hypercube-5"]
PAIRS = [
    (name, a.id)
    for name in kernels()
    for a in ATTACHMENTS.values()
    if a.why_not(find(name)) is None
]
EXTRA = {"epsilon": Fraction(2, 7), "delta": Fraction(1, 3), "theta": Fraction(4, 5)}


@pytest.fixture(scope="module")
def definitions(blind):
    return blind("composition")


def points_of(kernel):
    return kernel.domain.points(6, seed=3, largest=7)


def gates_at(kernel, definitions, point):
    """The numbers of gates that there may be."""
    most = definitions.KERNELS[kernel.id].most_gates(point) if kernel.several_gates else 1
    return range(1, most + 1)


def as_chain(moves):
    """The kernel alone, as one cluster."""
    size = 1 + max(i for pair in moves for i in pair)
    return ExplicitChain(tuple((0, i) for i in range(size)), moves)


def off_diagonal(matrix):
    return {
        (a, b): p for a, row in enumerate(matrix) for b, p in enumerate(row) if a != b and p != 0
    }


def wrong_lumping(kernel, rows, moves, point, gates):
    return lumping_error(
        as_chain(moves), rows, point, lambda state: kernel.place(state[1], point, gates)
    )


def test_registry():
    assert set(kernels()) == {
        "clique",
        "clique-without-loops",
        "complete-bipartite",
        "hypercube-3",
        "lazy-cycle",
        "nested",
        "orbits",
        "star",
    }
    for name, kernel in kernels().items():
        assert kernel.id == name
        assert kernel.__doc__
        assert kernel.title
        kernel.domain.require_sound()
        assert {"gate", "home"} <= set(kernel.chain().orbits)


@pytest.mark.parametrize("name", KERNELS)
def test_rows_sum_to_one(name):
    kernel = find(name)
    for gates in (1, sympy.Symbol("n")) if kernel.several_gates else (1,):
        for row in kernel.chain(gates).rows:
            assert sympy.cancel(sympy.Add(*(m.probability for m in row.moves)) - 1) == 0


@pytest.mark.parametrize("name", KERNELS)
def test_explicit_lumps(name, definitions):
    """At all numbers of gates; no state is left out, no probability is negative."""
    kernel = find(name)
    for point in points_of(kernel):
        moves = kernel.explicit(point)
        assert all(p > 0 for p in moves.values())
        for gates in gates_at(kernel, definitions, point) if name in kernels() else (1,):
            rows = kernel.chain(sympy.Integer(gates))
            assert wrong_lumping(kernel, rows, moves, point, gates) is None, (point, gates)


@pytest.mark.parametrize("name", sorted(kernels()))
def test_explicit_is_the_definition(name, definitions):
    kernel, definition = find(name), definitions.KERNELS[name]
    for point in (*definition.points, *points_of(kernel)):
        assert kernel.explicit(point) == off_diagonal(definition.matrix(point))
        for gates in gates_at(kernel, definitions, point):
            places = [
                kernel.place(i, point, gates)[0] for i in range(len(definition.matrix(point)))
            ]
            assert places[:gates] == ["gate"] * gates
            assert places.count("gate") == gates
            assert [i for i, place in enumerate(places) if place == "home"] == [
                definition.home(point, gates)
            ]


@pytest.mark.parametrize("name", KERNELS)
def test_irreducible_and_aperiodic(name):
    """Some power of the matrix has no zero (Wielandt 1950: at most that of (n-1)^2 + 1)."""
    kernel = find(name)
    for point in points_of(kernel):
        chain = as_chain(kernel.explicit(point))
        size = len(chain.states)
        onward = [{b for (a, b) in chain.transitions if a == state} for state in range(size)]
        for state in range(size):
            if sum(p for (a, _), p in chain.transitions.items() if a == state) < 1:
                onward[state].add(state)
        reached = [{state} for state in range(size)]
        for _ in range((size - 1) ** 2 + 1):
            if all(len(here) == size for here in reached):
                break
            reached = [set().union(*(onward[b] for b in here)) for here in reached]
        assert all(len(here) == size for here in reached), point


@pytest.mark.parametrize("name", sorted(kernels()))
def test_stationary_law(name, definitions):
    """Row by row, and with several gates where there may be."""
    kernel, definition = find(name), definitions.KERNELS[name]
    for point in definition.points:
        exact = definitions.law(definition.matrix(point))
        for gates in gates_at(kernel, definitions, point):
            rows = kernel.chain(sympy.Integer(gates))
            found = {}
            for row, law in zip(rows.rows, stationary_law(rows), strict=True):
                for index in indices(row.index, point):
                    found[row.orbit, index] = evaluate(law, with_index(point, index))
            places = (kernel.place(state, point, gates) for state in range(len(exact)))
            assert [found[place] for place in places] == exact, (point, gates)


@pytest.mark.parametrize(("name", "attachment"), PAIRS)
def test_attachment_lumps(name, attachment, definitions):
    """Moves inside and moves that leave, each on its own, and both as defined."""
    kernel, rule = find(name), ATTACHMENTS[attachment]
    definition, define = definitions.KERNELS[name], definitions.ATTACHMENTS[attachment]
    count = 0
    for own in definition.points:
        for gates in gates_at(kernel, definitions, own) if attachment == "gates" else (1,):
            values = {**EXTRA, "n": Fraction(gates)}
            point = own | {p.name: values[p.name] for p in rule.parameters}
            if rule.domain(kernel).violated(point) is not None:
                continue
            count += 1
            inside, leaving = rule.explicit(kernel, point)
            matrix, out = define(definition.matrix(own), definition.home(own, gates), point)
            assert ({k: p for k, p in inside.items() if p}, leaving) == (off_diagonal(matrix), out)
            rows = rule.chain(kernel)
            for meta, moves in ((False, inside), (True, leaving)):
                part = replace(
                    rows,
                    rows=tuple(
                        replace(r, moves=tuple(m for m in r.moves if m.meta is meta))
                        for r in rows.rows
                    ),
                )
                expected = lumped(kernel, moves, matrix, point, gates, meta)
                assert part.at(point) == expected, (point, meta)
    assert count


def lumped(kernel, moves, matrix, point, gates, meta):
    """The mass from each place to each, which must not depend on the state; zeros left out."""
    places = [kernel.place(state, point, gates) for state in range(len(matrix))]
    out: dict[object, dict[object, Fraction]] = {}
    for state, here in enumerate(places):
        row: dict[object, Fraction] = {}
        for (a, b), p in moves.items():
            if a == state and p:
                row[places[b]] = row.get(places[b], Fraction(0)) + p
        if not meta and matrix[state][state]:  # what the moves inside leave at the state
            row[here] = row.get(here, Fraction(0)) + matrix[state][state]
        assert out.setdefault(here, row) == row
    return out


# ---------------------------------------------------------------- files of users'
PLAIN = '''
from fractions import Fraction

from theory.chain import Move, OrbitChain, orbit, row
from theory.domain import Parameter, expression
from theory.kernel import Kernel

m, half = expression("m"), expression("1/2")


class Flower(Kernel):
    """A gate in the middle, a home and m petals around it; half of the time it rests."""

    id = "flower"
    title = "flower"
    parameters = (Parameter("m", ("m >= 1",), "petals"),)

    def chain(self, gates=1):
        rest = {name: Move(name, half) for name in ("gate", "home", "petal")}
        away = [Move("home", half / (m + 1)), Move("petal", half * m / (m + 1))]
        return OrbitChain(
            self.domain,
            {"gate": orbit(1, "c"), "home": orbit(1, "c"), "petal": orbit(m, "c")},
            (
                row("gate", [rest["gate"], *away]),
                row("home", [rest["home"], Move("gate", half)]),
                row("petal", [rest["petal"], Move("gate", half)]),
            ),
        )

    def explicit(self, point):
        n = int(point["m"]) + 1
        out = {(i, 0): Fraction(1, 2) for i in range(1, n + 1)}
        return out | {(0, i): Fraction(1, 2 * n) for i in range(1, n + 1)}

    def place(self, state, point, gates=1):
        return ("gate", "home", "petal")[min(state, 2)], None
'''
TABLE = '''
from theory.domain import Parameter
from theory.kernels.orbits import FromOrbits


class Rooms(FromOrbits):
    """Two rooms."""

    id = "rooms"
    title = "two rooms"
    parameters = (Parameter("m", ("m >= 2",), "states of the second room"),)
    sizes = {"gate": "1", "room": "m", "home": "1"}
    table = {
        "gate": {"gate": "1/2", "room": "1/2"},
        "room": {"gate": "1/m", "room": "1 - 2/m", "home": "1/m"},
        "home": {"room": "1"},
    }
    reversible = True
'''
# what is changed in which file, and what the message must say
WRONG = [
    (
        PLAIN,
        "class Flower(Kernel):",
        "class Flower:",
        "expected one subclass of Kernel, found none",
    ),
    (PLAIN, "class Flower", "class Other(Kernel):\n    pass\n\n\nclass Flower", "Other, Flower"),
    (PLAIN, '    title = "flower"\n', "", "has no title: add the attribute"),
    (PLAIN, "def place", "def position", "has no place(): define it"),
    (PLAIN, "def explicit(self, point):", "def explicit(self, point)", "mend the syntax"),
    (PLAIN, "half = expression", "half = expresion", "line 8: the file does not run"),
    (PLAIN, 'id = "flower"', "id = 7", "id is not a text"),
    (PLAIN, 'id = "flower"', 'id = "A flower"', "not kebab-case"),
    (PLAIN, 'id = "flower"', 'id = "star"', "'star' is a built-in kernel"),
    (PLAIN, '"petals"),)', '"petals"))', "not a tuple of Parameter"),
    (PLAIN, '(Parameter("m", ("m >= 1",), "petals"),)', '[("m", 1)]', "not a tuple of Parameter"),
    (PLAIN, 'Parameter("m", ("m >= 1",)', 'Parameter("m", ("m >= a",)', "speaks of a"),
    (PLAIN, 'Parameter("m"', 'Parameter("K"', "the name K is taken"),
    (PLAIN, "return OrbitChain(", "return (", "chain() gives no OrbitChain"),
    (PLAIN, '"gate": orbit(1, "c")', '"gate": orbit(2, "c")', "'gate' has size 2, not 1"),
    (PLAIN, '"home": orbit(1, "c")', '"home": orbit(1, "c", 1, 3)', "'home' has an index"),
    (PLAIN, '"gate": orbit(1, "c")', '"gates": orbit(1, "c")', "no orbit is called 'gate'"),
    (
        PLAIN,
        'Move("gate", half)]),\n            ),',
        'Move("door", half)]),\n            ),',
        "'door'",
    ),
    (PLAIN, 'row("petal", [rest["petal"], Move("gate", half)]),\n', "", "'petal' has no row"),
    (PLAIN, "half / (m + 1)", "half / m", "the row of 'gate' misses 1 by 1/(2*m**2 + 2*m)"),
    (PLAIN, "half / (m + 1))", "half / (m + 1), sparse=True)", "'gate' leaves the cluster"),
    (PLAIN, "Move(name, half)", "Move(name, half, m)", "needs no index"),
    (PLAIN, "Fraction(1, 2 * n)", "0.5 / n", "no mapping of pairs to Fractions"),
    (PLAIN, "Fraction(1, 2 * n)", "Fraction(1, 3 * n)", "explicit() and chain() differ at m=1"),
    (PLAIN, "Fraction(1, 2 * n)", "Fraction(2)", "no mapping of pairs to Fractions in (0, 1]"),
    (PLAIN, "Fraction(1, 2 * n)", "Fraction(1)", "the row of state 0 at m=1 sums to 2"),
    (PLAIN, "return out |", "return {(0, 0): Fraction(1, 2)} | out |", "has a loop: leave it out"),
    (
        PLAIN,
        "return out |",
        "return {(0, 2): Fraction(1), (2, 0): Fraction(1)} or",
        "has not the states 0, 1, ...: number them",
    ),
    (
        PLAIN,
        '("gate", "home", "petal")[min(state, 2)]',
        '("home", "gate", "petal")[min(state, 2)]',
        "the gates are not the first states",
    ),
    (PLAIN, 'm, half = expression("m")', 'm, half = expression("k")', "k"),
    (
        PLAIN,
        'int(point["m"])',
        'int(point["M"])',
        "line 32: kernel Flower: M is not a parameter: add Parameter('M', ..)",
    ),
    (
        PLAIN,
        'title = "flower"',
        'title = "flower"\n    several_gates = True',
        "'gate' has size 1, not n",
    ),
    (TABLE, '"room": "1/2"}', '"rom": "1/2"}', "unknown orbit 'rom' in the table"),
    (TABLE, '"home": {"room": "1"},\n', "", "orbit 'home' has no row in the table"),
    (TABLE, '"1 - 2/m"', '"1 - 1/m"', "the row of 'room' misses 1 by 1/m"),
    (
        TABLE,
        '"gate": "1/m", "room": "1 - 2/m"',
        '"gate": "-1/m", "room": "1"',
        "negative probability",
    ),
    (
        TABLE,
        '"home": {"room": "1"}',
        '"home": {"room": "1/2", "gate": "1/2"}',
        "no balance between gate and room: set reversible = False",
    ),
    (
        TABLE,
        '"gate": "1", "room": "m", "home": "1"',
        '"room": "m", "gate": "1", "home": "1"',
        "give the size of gate first",
    ),
    (
        TABLE.replace("reversible = True", ""),
        '"home": {"room": "1"}',
        '"home": {"home": "1"}',
        "reducible at m=2: no way joins states 0 and 3 both ways",
    ),
    (TABLE, '("m >= 2",)', '("m >= 1",)', "negative"),
]


@pytest.fixture
def write(tmp_path):
    def call(text):
        file = tmp_path / "mine.py"
        file.write_text(text)
        return str(file)

    return call


@pytest.mark.parametrize(("text", "name"), [(PLAIN, "flower"), (TABLE, "rooms")])
def test_file_of_a_user(text, name, write):
    kernel = find(write(text))
    assert kernel.id == name


@pytest.mark.parametrize(("text", "old", "new", "told"), WRONG, ids=[w[3][:40] for w in WRONG])
def test_wrong_file(text, old, new, told, write):
    """Each fault alone, in a file that is right without it: one line with file and fault."""
    assert old in text
    file = write(text.replace(old, new, 1))
    with pytest.raises(FamilyError) as stop:
        find(file)
    message = str(stop.value)
    assert told in message
    assert file in message
    assert "\n" not in message


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("clik", "unknown kernel 'clik': give one of clique, "),
        ("star-4", "unknown kernel 'star-4'"),
        ("hypercube", "unknown kernel 'hypercube'"),
        ("hypercube-1", "between 2 and 12"),
        ("hypercube-x", "unknown kernel"),
        ("nowhere.py", "no such file"),
    ],
)
def test_unknown(name, told):
    with pytest.raises(FamilyError, match=told):
        find(name)


def test_hypercubes():
    """One class, a kernel for each dimension; each keeps its own number."""
    five, four = find("hypercube-5"), find("hypercube-4")
    assert (five.id, four.id, find("hypercube-3").id) == (
        "hypercube-5",
        "hypercube-4",
        "hypercube-3",
    )
    assert len(five.chain().orbits) == 6
    assert "dimension 4" in four.title
    assert four.__doc__


def test_balance_of_a_table():
    """The table of the built-in kernel goes round one way: a claim of balance is refused."""

    class Claimed(FromOrbits):
        reversible = True

    with pytest.raises(FamilyError, match="no balance between gate and corridor"):
        Claimed()
