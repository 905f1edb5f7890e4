"""Chains and their file formats: what is read, and what is refused and how."""

import io
import json
import os
import zipfile
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from numerics.chain import MAX_DENSE, Chain, ChainError, read_chain


def entries(chain: Chain) -> dict[tuple[str, str], Fraction]:
    return {(chain.states[i], chain.states[j]): p for i, j, p in chain.exact_entries()}


def write(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


THIRD, HALF = Fraction(1, 3), Fraction(1, 2)

GOOD_CSV = {
    "matrix": ("0.5,0.5\n1/3,2/3\n", {("0", "1"): HALF, ("1", "0"): THIRD}),
    "matrix, zero diagonal": ("0,0.5\n1/3,0\n", {("0", "1"): HALF, ("1", "0"): THIRD}),
    "matrix, blank diagonal": (",0.5\n1/3,\n", {("0", "1"): HALF, ("1", "0"): THIRD}),
    "BOM and CRLF": ("\ufeff.5,.5\r\n1 / 3,2/3\r\n\r\n", {("0", "1"): HALF, ("1", "0"): THIRD}),
    "one state": ("1\n", {}),
    "header": ("from,to,probability\na,b,1/3\nb,a,5e-1\n", {("a", "b"): THIRD, ("b", "a"): HALF}),
    "BOM and header": ("\ufeffFrom, To, Probability\r\na,b,1/3\r\n", {("a", "b"): THIRD}),
    "no header": ("a,b,1/3\nb,a,.5\nb,b,.5\n", {("a", "b"): THIRD, ("b", "a"): HALF}),
    "quoted names": ('"a, b","say ""c""",1/3\n', {("a, b", 'say "c"'): THIRD}),
    "header and numbers": ("from,to,probability\n0,0,0.5\n0,1,0.5\n1,0,1\n", None),
    "three rows of indices": ("0,1,1/3\n1,2,1/2\n2,0,1\n", None),
    "four rows of indices": ("0,0,.5\n0,1,.5\n1,0,.25\n1,1,.75\n", None),
    "indices and names": ("0,1,.5\n1,goal,.5\n0,goal,.5\ngoal,0,1\n", None),
    "three by three": ("0,1,0\n0,0,1\n1,0,0\n", {("0", "1"): 1, ("1", "2"): 1, ("2", "0"): 1}),
    "tiny": ("from,to,probability\na,b,1e-400\n", {("a", "b"): Fraction(1, 10**400)}),
}


@pytest.mark.parametrize("case", GOOD_CSV)
def test_reads_csv_exactly(case: str, tmp_path: Path) -> None:
    text, expected = GOOD_CSV[case]
    if expected is None:
        rows = [line.split(",") for line in text.splitlines() if not line.startswith("from")]
        expected = {(a, b): Fraction(p) for a, b, p in rows if a != b}
    assert entries(read_chain(write(tmp_path, "chain.csv", text))) == expected


def test_transition_below_the_range_of_a_double_still_connects(tmp_path: Path) -> None:
    path = write(tmp_path, "tiny.csv", "from,to,probability\na,b,1e-400\nb,a,1\n")
    chain = read_chain(path)
    assert chain.probability[0] == 0.0
    assert chain.is_irreducible()
    assert chain.unreachable_from([1]) == ()


def test_states_are_in_order_of_appearance(tmp_path: Path) -> None:
    chain = read_chain(write(tmp_path, "c.csv", "z,b,0.5\na,z,1\nb,c,1\n"))
    assert chain.states == ("z", "b", "a", "c")


def test_reads_json(tmp_path: Path) -> None:
    text = (
        '{"states": ["a", "b", 7], "transitions": [["a","b","1/3"], ["b","a",0.1], ["b",7,1e-9]]}'
    )
    chain = read_chain(write(tmp_path, "chain.JSON", text))
    assert chain.states == ("a", "b", "7")
    assert entries(chain) == {
        ("a", "b"): THIRD,
        ("b", "a"): Fraction(1, 10),
        ("b", "7"): Fraction(1, 10**9),
    }


@pytest.mark.parametrize("form", ["coo", "csr", "csc", "bsr", "dia"])
@pytest.mark.parametrize("make", [sparse.coo_array, sparse.coo_matrix])
def test_reads_every_sparse_form(form: str, make: type, tmp_path: Path) -> None:
    matrix = np.array([[0.9, 0.1, 0.0], [0.0, 0.5, 0.5], [0.25, 0.0, 0.0]])
    sparse.save_npz(tmp_path / "chain.npz", make(matrix).asformat(form))
    chain = read_chain(tmp_path / "chain.npz")
    assert chain.exact is None
    np.testing.assert_array_equal(chain.rates(), matrix - np.diag(np.diag(matrix)))
    assert entries(chain)["0", "1"] == Fraction(0.1)


def npz(matrix: Any) -> bytes:
    buffer = io.BytesIO()
    sparse.save_npz(buffer, matrix)
    return buffer.getvalue()


def arrays(**named: Any) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, **named)
    return buffer.getvalue()


def archive(name: str, content: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        file.writestr(name, content)
    return buffer.getvalue()


GOOD_NPZ = npz(sparse.csr_array(np.full((30, 30), 1 / 40)))
LIST = "from,to,probability\n"
STATES = '{"states": ["a", "b"], "transitions": '
# Suffix, content, and words that the message must contain.
BAD: dict[str, tuple[str, str | bytes, tuple[str, ...]]] = {
    "row above 1": ("csv", "0.5,0.5\n0.6,0.5\n", ("line 2", "sum to 1.1", "lower")),
    "row above 1, rows": ("csv", "a,b,0.7\na,c,0.7\n", ("line 2", "'a'", "1.4")),
    "row just above 1": ("csv", "0.5,0.500000000003\n0,1\n", ("line 1", "above 1 by 3e-12")),
    "ratio row just above 1": ("csv", "1/2,0.5000000000001\n0,1\n", ("line 1", "above 1")),
    "row below 1": ("csv", "0.5,0.4\n0,1\n", ("line 1", "diagonal", "0.9")),
    "huge row": ("csv", "0,1e400\n1,0\n", ("line 1", "more than 1e308")),
    "three by three above 1": ("csv", "0,1,.5\n1,0,0\n0,0,1\n", ("line 1", "1.5", "header")),
    "negative": ("csv", "1.5,-0.5\n0,1\n", ("line 1", "negative")),
    "negative, rows": ("csv", "a,b,-1/3\n", ("line 1", "negative")),
    "word": ("csv", "0.5,x\n0,1\n", ("line 1, column 2", "'x' is not a number")),
    "word, three by three": ("csv", "0,1,0\n0,x,0\n0,0,1\n", ("line 2", "'x'")),
    "word for a probability": ("csv", LIST + "a,b,c\n", ("line 2", "'c' is not a number")),
    "blank off the diagonal": ("csv", "0.5,\n0,1\n", ("line 1, column 2", "not a number")),
    "nan": ("csv", "0.5,nan\n0,1\n", ("line 1, column 2", "not a number")),
    "inf": ("csv", "a,b,inf\n", ("line 1", "not a number")),
    "over zero": ("csv", "a,b,1/0\n", ("line 1", "divides by zero")),
    "underscore": ("csv", "a,b,0.1_0\n", ("line 1", "not a number")),
    "foreign digits": ("csv", "a,b,\u0660.\u0665\n", ("line 1", "not a number")),
    "huge exponent": ("csv", "a,b,1e-999999999\n", ("line 1", "exponent")),
    "huger exponent": ("csv", "0,1e999999999\n1,0\n", ("line 1", "exponent")),
    "huge integer": ("csv", "a,b,1/" + "9" * 10**5 + "\n", ("line 1", "too long")),
    "repeated pair": ("csv", "a,b,.1\nb,a,.1\na,b,.2\n", ("line 3", "repeated")),
    "repeated zero": ("csv", "a,b,0\nb,a,.1\na,b,.2\n", ("line 3", "repeated")),
    "empty name": ("csv", LIST + ",b,.1\n", ("line 2", "empty name")),
    "empty": ("csv", "", ("empty",)),
    "blank": ("csv", "\ufeff\r\n \n", ("empty",)),
    "binary": ("csv", bytes(range(256)), ("not UTF-8",)),
    "zeros": ("csv", b"\0" * 100, ("line 1",)),
    "UTF-16": ("csv", "0.5,0.5\n".encode("utf-16"), ("byte 0", "UTF-8")),
    "not UTF-8": ("csv", b"caf\xe9,b,1/2\n", ("byte 3", "UTF-8")),
    "ragged": ("csv", "0.5,0.5\n1\n", ("line 2", "1 fields")),
    "ragged rows": ("csv", LIST + "a,b\n", ("line 2", "2 fields")),
    "not square": ("csv", "0.5,0.5\n0.5,0.5\n0,1\n", ("square",)),
    "two by three": ("csv", "0.5,0.5,0\n0.2,0.3,0.5\n", ("square", "header")),
    "two by three, whole": ("csv", "0,1,0\n1,0,0\n", ("square", "header")),
    "header only": ("csv", LIST, ("no rows",)),
    "open quote": ("csv", '"a,b,0.5\n', ("line 1", "CSV")),
    "long field": ("csv", "a" * 200_000 + ",b,0.5\n", ("line 1", "CSV")),
    "line break in a name": ("csv", LIST + '"a\nb",c,2\n', ("line 3", r"a\nb")),
    "npz truncated": ("npz", GOOD_NPZ[:-40], ("sparse", "save_npz")),
    "npz corrupt": ("npz", GOOD_NPZ[:200] + bytes(50) + GOOD_NPZ[250:], ("sparse",)),
    "npz empty": ("npz", b"", ("empty",)),
    "npz garbage": ("npz", bytes(range(256)), ("sparse",)),
    "npz dense": ("npz", arrays(a=np.eye(2)), ("sparse",)),
    "npz pickle": ("npz", arrays(format=np.array([{}], dtype=object)), ("sparse",)),
    "npz of nothing": ("npz", archive("format.npy", b"no array"), ("sparse",)),
    "npz not square": ("npz", npz(sparse.csr_array(np.full((2, 3), 0.1))), ("(2, 3)", "square")),
    "npz complex": ("npz", npz(sparse.csr_array(np.full((2, 2), 0.1j))), ("complex128",)),
    "npz nan": (
        "npz",
        npz(sparse.csr_array(np.array([[0, np.nan], [1, 0]]))),
        ("row 0, column 1", "nan"),
    ),
    "npz inf": (
        "npz",
        npz(sparse.csr_array(np.array([[0, 1], [np.inf, 0]]))),
        ("row 1, column 0", "inf"),
    ),
    "npz negative": (
        "npz",
        npz(sparse.csr_array(np.array([[0, -0.5], [1, 0]]))),
        ("row '0'", "negative"),
    ),
    "npz above 1": (
        "npz",
        npz(sparse.csr_array(np.array([[0, 0.5], [0.7, 0.7]]))),
        ("row '1'", "1.4"),
    ),
    "npz below 1": (
        "npz",
        npz(sparse.csr_array(np.array([[0.4, 0.5], [1, 0]]))),
        ("row '0'", "0.9"),
    ),
    "npz huge": ("npz", npz(sparse.coo_array((2**40, 2**40))), ("more than 1000000",)),
    "npz no states": ("npz", npz(sparse.coo_array((0, 0))), ("no states",)),
    "npz repeated": (
        "npz",
        npz(sparse.coo_array(([0.1, 0.2], ([0, 0], [1, 1])), shape=(2, 2))),
        ("repeated",),
    ),
    "npz index out of range": (
        "npz",
        arrays(
            format=np.array(b"csr"),
            shape=np.array([2, 2]),
            data=np.array([0.5]),
            indices=np.array([10**9]),
            indptr=np.array([0, 1, 1]),
        ),
        ("sparse",),
    ),
    "npz row pointer out of range": (
        "npz",
        arrays(
            format=np.array(b"csr"),
            shape=np.array([2, 2]),
            data=np.array([0.5]),
            indices=np.array([0]),
            indptr=np.array([0, 10**9, 1]),
        ),
        ("sparse",),
    ),
    "json malformed": ("json", STATES, ("line 1", "not valid JSON")),
    "json deep": ("json", "[" * 10**5, ("states",)),
    "json list": ("json", "[1, 2]", ("not an object",)),
    "json without transitions": ("json", '{"states": ["a"]}', ("'transitions'",)),
    "json empty transitions": ("json", STATES + "[]}", ("'transitions'",)),
    "json states not a list": ("json", '{"states": "ab", "transitions": [1]}', ("'states'",)),
    "json state not a name": ("json", '{"states": [null], "transitions": [1]}', ("state 1",)),
    "json repeated state": (
        "json",
        '{"states": ["a", "a"], "transitions": [["a", "a", 1]]}',
        ("'a' is repeated",),
    ),
    "json pair": ("json", STATES + '[["a", "b"]]}', ("transition 1", "not [from")),
    "json boolean": ("json", STATES + '[["a", "b", true]]}', ("transition 1",)),
    "json NaN": ("json", STATES + '[["a", "b", NaN]]}', ("transition 1", "'NaN' is not")),
    "json unknown state": ("json", STATES + '[["a", "c", 1]]}', ("transition 1", "'c'")),
    "json above 1": ("json", STATES + '[["b", "a", 1], ["b", "b", 1]]}', ("transition 2", "2")),
    "json huge exponent": ("json", STATES + '[["a", "b", 1e999999999]]}', ("exponent",)),
    "json huge integer": ("json", STATES + '[["a", "b", ' + "9" * 10**5 + "]]}", ("too long",)),
    "json binary": ("json", b"\x80\x81", ("UTF-8",)),
    "unknown suffix": ("txt", "0.5,0.5\n0.5,0.5\n", (".csv, .npz or .json",)),
    "no suffix": ("", "0.5,0.5\n0.5,0.5\n", (".csv, .npz or .json",)),
}


def refusal(path: Path) -> str:
    """The message with which a file is refused: one short line that names the file."""
    with pytest.raises(ChainError) as caught:
        read_chain(path)
    message = str(caught.value)
    assert message.isprintable()
    assert len(message) < len(str(path)) + 250
    assert ";" in message, "a remedy follows the fault"
    return message


@pytest.mark.parametrize("case", BAD)
def test_refuses_in_one_line(case: str, tmp_path: Path) -> None:
    suffix, content, words = BAD[case]
    path = write(tmp_path, "chain." + suffix if suffix else "chain", content)
    message = refusal(path)
    assert message.startswith(str(path))
    for word in words:
        assert word in message


def test_refuses_what_is_not_a_file(tmp_path: Path) -> None:
    (tmp_path / "folder.csv").mkdir()
    assert "directory" in refusal(tmp_path / "folder.csv")
    assert "no such file" in refusal(tmp_path / "missing.csv")
    assert "no such file" in refusal(tmp_path / "bad\nname.csv")
    assert "cannot be read" in refusal(tmp_path / ("long" * 100 + ".csv"))
    os.mkfifo(tmp_path / "pipe.csv")
    assert "regular file" in refusal(tmp_path / "pipe.csv")


@settings(max_examples=300, deadline=None, derandomize=True)
@given(content=st.binary(max_size=60), suffix=st.sampled_from(["csv", "json", "npz"]))
def test_bytes_are_read_or_refused(
    content: bytes, suffix: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = write(tmp_path_factory.getbasetemp(), f"bytes.{suffix}", content)
    try:
        read_chain(path)
    except ChainError:
        refusal(path)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(
    rows=st.lists(
        st.lists(st.sampled_from(["0", "1", "0.5", "1/2", "a", "-1", "nan", "2", ""]), max_size=4),
        max_size=4,
    )
)
def test_tables_are_read_or_refused(
    rows: list[list[str]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    text = "\n".join(",".join(row) for row in rows)
    path = write(tmp_path_factory.getbasetemp(), "table.csv", text)
    try:
        chain = read_chain(path)
    except ChainError:
        refusal(path)
    else:
        assert all(p > 0 for p in entries(chain).values())


def test_slack_is_for_decimals_and_grows_with_the_row(tmp_path: Path) -> None:
    for size in (2, 20):
        for factor, good in ((Fraction(9, 10), True), (Fraction(11, 10), False)):
            entry = 1 + factor * size / 10**12
            decimal = f"{entry.numerator * 10**15 // entry.denominator}e-15"
            for text, accepted in ((decimal, good), (str(entry), False)):
                rows = [["0"] * size for _ in range(size)]
                rows[0][1] = text
                path = write(tmp_path, "c.csv", "\n".join(map(",".join, rows)))
                if accepted:
                    assert entries(read_chain(path)) == {("0", "1"): Fraction(decimal)}
                else:
                    assert "above 1" in refusal(path)


names = st.text(
    st.characters(codec="utf-8", exclude_categories=("Cc", "Zs", "Zl", "Zp")), min_size=1
)


@st.composite
def exact_chains(draw: st.DrawFn) -> Chain:
    states = draw(st.lists(names, min_size=2, max_size=5, unique=True))
    size = len(states)
    weight = st.integers(0, 20)
    weights = draw(
        st.lists(st.lists(weight, min_size=size, max_size=size), min_size=size, max_size=size)
    )
    return Chain.from_entries(
        states,
        [
            (i, j, Fraction(w, sum(row)))
            for i, row in enumerate(weights)
            for j, w in enumerate(row)
            if w
        ],
    )


@settings(max_examples=100, deadline=None, derandomize=True)
@given(chain=exact_chains())
def test_round_trips(chain: Chain, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.getbasetemp()
    expected = entries(chain)

    document = {
        "states": chain.states,
        "transitions": [[a, b, str(p)] for (a, b), p in expected.items()],
    }
    if expected:
        again = read_chain(write(folder, "trip.json", json.dumps(document)))
        assert again.states == chain.states
        assert again.exact == chain.exact

        quoted = ['"' + name.replace('"', '""') + '"' for name in chain.states]
        rows = [f"{quoted[i]},{quoted[j]},{p}" for i, j, p in chain.exact_entries()]
        text = "from,to,probability\r\n" + "\r\n".join(rows)
        assert entries(read_chain(write(folder, "trip.csv", text))) == expected

    dense = [["0"] * chain.size for _ in range(chain.size)]
    for i, j, p in chain.exact_entries():
        dense[i][j] = str(p)
    again = read_chain(write(folder, "matrix.csv", "\n".join(map(",".join, dense))))
    assert again.states == tuple(map(str, range(chain.size)))
    assert list(again.exact_entries()) == list(chain.exact_entries())

    sparse.save_npz(folder / "trip.npz", sparse.csr_array(chain.rates()))
    np.testing.assert_array_equal(read_chain(folder / "trip.npz").rates(), chain.rates())


@pytest.mark.parametrize(
    ("states", "rows", "word"),
    [
        ("", [], "no states"),
        ("aa", [], "repeated"),
        ("ab", [(0, 2, HALF)], "out of range"),
        ("ab", [(-1, 1, HALF)], "out of range"),
        ("ab", [(0, 1, HALF), (0, 1, THIRD)], "repeated"),
        ("ab", [(0, 1, -HALF)], "negative"),
        ("ab", [(0, 1, HALF), (0, 0, THIRD)], "below 1"),
        ("ab", [(0, 1, 1 + Fraction(1, 10**40))], "above 1 by 1e-40"),
    ],
)
def test_from_entries_refuses(states: str, rows: list, word: str) -> None:
    with pytest.raises(ChainError, match=word):
        Chain.from_entries(states, rows)


def test_from_floats_refuses_arrays_of_different_lengths() -> None:
    with pytest.raises(ChainError, match="as many of each"):
        Chain.from_floats("ab", [0], [1], [0.5, 0.5])


def test_chain_is_sorted_and_read_only() -> None:
    chain = Chain.from_entries(
        "abc", [(2, 0, HALF), (0, 2, THIRD), (0, 1, HALF), (1, 1, Fraction(1))]
    )
    assert chain.source.tolist() == [0, 0, 2]
    assert chain.target.tolist() == [1, 2, 0]
    assert chain.exact == (HALF, THIRD, HALF)
    assert chain.size == 3
    with pytest.raises(ValueError, match="read-only"):
        chain.probability[0] = 1.0


def test_index_names_known_states() -> None:
    chain = Chain.from_entries(map(str, range(9)), [])
    assert chain.index("7") == 7
    with pytest.raises(ChainError, match=r"unknown state 'x'; .*'0', .*'4', \.\.\.$"):
        chain.index("x")


def test_reachability() -> None:
    one = Fraction(1)
    chain = Chain.from_entries("abcd", [(0, 1, one), (1, 2, one), (2, 1, one)])
    assert chain.unreachable_from([2]) == (3,)
    assert chain.unreachable_from([0, 3]) == (1, 2)
    assert chain.unreachable_from([3]) == (0, 1, 2)
    assert chain.reachable_from(0) == (0, 1, 2)
    assert not chain.is_irreducible()
    assert Chain.from_entries("ab", [(0, 1, one), (1, 0, one)]).is_irreducible()
    with pytest.raises(ChainError, match="at least one"):
        chain.unreachable_from([])
    with pytest.raises(ChainError, match="state number 4"):
        chain.unreachable_from([4])


def test_dense_arrays_are_bounded() -> None:
    chain = Chain.from_entries(map(str, range(MAX_DENSE + 1)), [])
    with pytest.raises(ChainError, match="too many"):
        chain.rates()
