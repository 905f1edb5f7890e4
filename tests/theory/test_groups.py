"""Groups by tables: what is a group is taken, and what is none is refused with its reason."""

import itertools
import json
from dataclasses import replace

import pytest

from theory.groups import (
    GroupError,
    bits,
    check_group,
    cyclic,
    from_table,
    generators,
    listed,
    named,
    quaternion,
    symmetric,
)


@pytest.mark.parametrize("action", listed().values(), ids=listed())
def test_the_axioms_hold_for_all_triples(action):
    table, e = action.table, action.identity
    some = range(action.order) if action.order <= 24 else range(0, action.order, 7)
    for a, b, c in itertools.product(some, repeat=3):
        assert table[table[a][b]][c] == table[a][table[b][c]]
    assert all(table[e][a] == a == table[a][e] for a in range(action.order))
    for a, b in itertools.product(some, repeat=2):
        for p in range(action.points):
            assert action.moves[table[a][b]][p] == action.moves[a][action.moves[b][p]]


def test_orders_and_points():
    told = {name: (action.order, action.points) for name, action in listed().items()}
    assert told["cyclic-6"] == (6, 6)
    assert told["bits-3"] == (8, 8)
    assert told["symmetric-5"] == (120, 5)
    assert told["quaternion"] == (8, 8)
    assert {f"symmetric-{n}" for n in (3, 4, 5)} < set(told)


def test_groups_are_what_their_names_say():
    def commutes(table):
        return all(
            table[a][b] == table[b][a] for a, b in itertools.combinations(range(len(table)), 2)
        )

    def involutions(action):
        return sum(action.table[a][a] == action.identity for a in range(action.order)) - 1

    assert commutes(cyclic(5).table)
    assert commutes(bits(3).table)
    assert involutions(bits(3)) == 7
    assert involutions(cyclic(6)) == 1
    assert not commutes(symmetric(3).table)
    assert involutions(symmetric(4)) == 9
    assert not commutes(quaternion().table)
    assert involutions(quaternion()) == 1
    assert len(generators(symmetric(4).table)) < 24


# A loop of order 5, a Latin square with a neutral element that is not associative.
LOOP = [[0, 1, 2, 3, 4], [1, 0, 3, 4, 2], [2, 4, 0, 1, 3], [3, 2, 4, 0, 1], [4, 3, 1, 2, 0]]


@pytest.mark.parametrize(
    ("table", "reason"),
    [
        (LOOP, "not associative"),
        ([[0, 1], [1, 1]], "row 1"),
        ([[0, 1], [0, 1]], "column 0"),
        ([[0, 1], [1]], "not a square"),
        ([], "not a square"),
        ([[1, 2, 0], [0, 1, 2], [2, 0, 1]], "no neutral element"),
        ([[0, 2], [2, 0]], "no permutation"),
    ],
)
def test_what_is_no_group_is_refused(table, reason):
    with pytest.raises(GroupError, match=reason):
        check_group("given", tuple(map(tuple, table)))


def test_every_single_change_of_a_table_is_refused():
    table = symmetric(3).table
    for a, b, value in itertools.product(range(6), repeat=3):
        if table[a][b] != value:
            rows = [list(row) for row in table]
            rows[a][b] = value
            with pytest.raises(GroupError):
                from_table("changed", rows)


def test_what_is_no_action_is_refused():
    action = symmetric(3)
    swapped = (action.moves[1], action.moves[0], *action.moves[2:])
    with pytest.raises(GroupError, match="does not act as"):
        replace(action, moves=swapped)
    with pytest.raises(GroupError, match="not transitive"):
        replace(cyclic(2), moves=((0, 1), (0, 1)))
    with pytest.raises(GroupError, match="does not permute"):
        replace(cyclic(2), moves=((0, 1), (0, 0)))
    with pytest.raises(GroupError, match="at least two"):
        replace(cyclic(2), moves=((0, 1),))


def test_names_and_files(tmp_path):
    assert named("cyclic-7") == cyclic(7)
    assert named("symmetric-4") is symmetric(4)
    file = tmp_path / "klein.json"
    file.write_text(json.dumps(bits(2).table))
    assert named(str(file)).moves == bits(2).moves
    for text, reason in (
        ("cyclic-1", "out of range"),
        ("symmetric-6", "out of range"),
        ("monster", "unknown group"),
        (str(tmp_path / "none.json"), "not a JSON list"),
    ):
        with pytest.raises(GroupError, match=reason) as failure:
            named(text)
        assert "\n" not in str(failure.value)
    for content in ("[[0, 1], 3]", "[[0.5]]", "{", "7", "[[true]]"):
        file.write_text(content)
        with pytest.raises(GroupError, match=r"not a JSON list"):
            named(str(file))
