"""A concrete finite Markov chain, held by its off-diagonal entries, and its file formats.

The probability of staying put is never stored and never formed as ``1 - sum`` in floating
point: when the entries that leave a cluster are of order 1e-20, that subtraction destroys
exactly the information that decides every hitting time. The off-diagonal entries are the truth,
and each diagonal entry is, by definition, what they leave over.

File formats
------------
``.csv``
    Either a square matrix without header (states are the 0-based indices ``"0"``, ``"1"``, ...)
    or rows ``from,to,probability``, with or without that header (states are the names as
    written, in order of appearance). Without the header, three numbers per row could be either;
    they are read as ``from,to,probability`` only if the names are whole numbers and the rows
    cannot be those of a square matrix. Entries are decimals or ``p/q``, read exactly. The
    diagonal may be left out, blank or zero.
``.npz``
    A square matrix written by `scipy.sparse.save_npz`; states are the 0-based indices.
``.json``
    ``{"states": ["a", "b"], "transitions": [["a", "b", "1/3"], ["b", "a", 0.25]]}``. A
    probability is a number, read exactly as the decimal it is written as, or a string as in CSV.

In each of them a nonzero diagonal is checked: the row must then sum to 1. A row may exceed 1, or
with its diagonal miss 1, by at most 1e-12 times the number of states, as rounding does, provided
that it is given in decimals; a row that contains a ``p/q`` is held to its word exactly.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import sparse
from scipy.sparse import csgraph

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

MAX_STATES = 1_000_000
"""Most states a chain may have; beyond it a file is taken to be a mistake."""

MAX_DENSE = 10_000
"""Most states for which a dense matrix is formed (0.8 GB of doubles)."""

ROUNDING = Fraction(1, 10**12)
"""Slack per state in the sum of a row that is given in decimals."""

# Long enough for any number a person or a program writes; short enough that a hostile file cannot
# make `Fraction` build an integer of a billion digits.
_MAX_DIGITS = 4000
_MAX_EXPONENT = 9999

_DECIMAL = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE]([+-]?\d+))?", re.ASCII)
_RATIO = re.compile(r"([+-]?\d+)\s*/\s*(\d+)", re.ASCII)
_WHOLE = re.compile(r"\d+", re.ASCII)


class ChainError(ValueError):
    """A chain, or a question about it, that makes no sense.

    The message is one line that names the file, the place and the remedy, fit for a terminal.
    """

    def __init__(self, message: str) -> None:
        # A path or a name may hold line breaks and escape codes; the message may not.
        printable = "".join(char if char.isprintable() else " " for char in message)
        super().__init__(" ".join(printable.split()))


@dataclass(frozen=True, eq=False)
class Chain:
    """A finite Markov chain in discrete time.

    Build one with `from_entries`, `from_floats` or `read_chain`: they check their input, the bare
    constructor does not.

    Attributes
    ----------
    states : tuple of str
        Names of the N states, distinct.
    source, target : int64 arrays, shape (E,)
        Ends of the E off-diagonal transitions of positive probability, each pair once, sorted by
        source and then by target.
    probability : float64 array, shape (E,)
        Their probabilities per step, in [0, 1], correctly rounded. An exact entry below 5e-324
        rounds to 0.0 and yet is a transition.
    exact : tuple of Fraction, or None
        The same probabilities as exact rationals; None for a chain that came as floats, whose
        exact entries are the values of those floats.
    """

    states: tuple[str, ...]
    source: IntArray
    target: IntArray
    probability: FloatArray
    exact: tuple[Fraction, ...] | None

    @classmethod
    def from_entries(
        cls, states: Iterable[str], entries: Iterable[tuple[int, int, Fraction]]
    ) -> Chain:
        """Chain from exact entries.

        Parameters
        ----------
        states : iterable of str
            Names of the states, distinct.
        entries : iterable of (int, int, Fraction)
            0-based source, 0-based target, probability >= 0. Zeros are dropped. A nonzero diagonal
            entry may be given and is then checked: its row must sum to exactly 1.

        Raises
        ------
        ChainError
            If a name or a pair repeats, an index is out of range, an entry is negative, a row sums
            to more than 1, or a row with a diagonal entry does not sum to 1.
        """
        exact = (_Entry(i, j, Fraction(value), False, 0) for i, j, value in entries)
        return _assemble("chain", tuple(states), exact)

    @classmethod
    def from_floats(
        cls,
        states: Iterable[str],
        source: npt.ArrayLike,
        target: npt.ArrayLike,
        probability: npt.ArrayLike,
    ) -> Chain:
        """Chain from floating-point entries, as `from_entries`.

        A row may exceed 1, or with its diagonal entry miss 1, by 1e-12 times the number of states.

        Parameters
        ----------
        states : iterable of str
            Names of the states, distinct.
        source, target, probability : array_like, shape (E,)
            0-based ends of the transitions, and their probabilities.

        Raises
        ------
        ChainError
            As `from_entries`; also if the arrays differ in length or a probability is not finite.
        """
        return _from_floats("chain", tuple(states), source, target, probability)

    @property
    def size(self) -> int:
        """Number N of states."""
        return len(self.states)

    def index(self, name: str) -> int:
        """0-based position of the state called `name`; ChainError if there is none."""
        try:
            return self.states.index(name)
        except ValueError:
            known = ", ".join(_show(state) for state in self.states[:5])
            more = ", ..." if self.size > 5 else ""
            raise ChainError(
                f"unknown state {_show(name)}; name one of the {self.size} states {known}{more}"
            ) from None

    def rates(self) -> FloatArray:
        """Off-diagonal probabilities as a dense (N, N) array with a zero diagonal.

        Raises
        ------
        ChainError
            If N exceeds `MAX_DENSE`.
        """
        require_dense(self)
        dense = np.zeros((self.size, self.size))
        dense[self.source, self.target] = self.probability
        return dense

    def exact_entries(self) -> Iterator[tuple[int, int, Fraction]]:
        """Off-diagonal entries (source, target, probability) as exact rationals, in order."""
        values = self.exact
        if values is None:
            values = tuple(Fraction(value) for value in self.probability.tolist())
        return zip(self.source.tolist(), self.target.tolist(), values, strict=True)

    def unreachable_from(self, targets: Collection[int]) -> tuple[int, ...]:
        """States from which the set `targets` cannot be reached, in increasing order.

        Parameters
        ----------
        targets : collection of int
            0-based states, at least one.

        Raises
        ------
        ChainError
            If `targets` is empty or holds a number that is not a state.
        """
        goals = check_targets(self, targets)
        # Search backwards from one extra node N that precedes every target.
        tail = np.concatenate([self.target, np.full(len(goals), self.size)])
        head = np.concatenate([self.source, np.array(goals, dtype=np.int64)])
        graph = _graph(tail, head, self.size + 1)
        reached = csgraph.breadth_first_order(graph, self.size, return_predecessors=False)
        missed = np.ones(self.size + 1, dtype=bool)
        missed[reached] = False
        return tuple(np.flatnonzero(missed).tolist())

    def reachable_from(self, start: int) -> tuple[int, ...]:
        """States that can be reached from `start`, itself included, in increasing order."""
        (origin,) = check_targets(self, (start,))
        reached = csgraph.breadth_first_order(
            _graph(self.source, self.target, self.size), origin, return_predecessors=False
        )
        return tuple(sorted(reached.tolist()))

    def reachable_part(self, start: int) -> Chain:
        """The chain on the states that can be reached from a state: what a walk from it sees."""
        kept = self.reachable_from(start)
        if len(kept) == self.size:
            return self
        number = {state: n for n, state in enumerate(kept)}
        entries = ((number[i], number[j], p) for i, j, p in self.exact_entries() if i in number)
        return Chain.from_entries([self.states[state] for state in kept], entries)

    def is_irreducible(self) -> bool:
        """Whether every state can be reached from every other."""
        graph = _graph(self.source, self.target, self.size)
        count, _ = csgraph.connected_components(graph, directed=True, connection="strong")
        return int(count) == 1


def read_chain(path: str | Path) -> Chain:
    """Read a chain from a ``.csv``, ``.npz`` or ``.json`` file; see the module for the formats.

    Raises
    ------
    ChainError
        For every file that cannot be read as a chain, whatever is wrong with it: one line that
        names the file, the place and the remedy.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in (".csv", ".npz", ".json"):
        raise ChainError(f"{path}: unknown kind of file; give a chain as .csv, .npz or .json")
    try:
        if path.is_dir():
            raise ChainError(f"{path}: is a directory; name a file inside it")
        if not path.exists():
            raise ChainError(f"{path}: no such file; check the path")
        if not path.is_file():
            raise ChainError(f"{path}: is not a regular file; save the chain to a file first")
        content = path.read_bytes()
    except OSError as error:
        reason = error.strerror or "input error"
        raise ChainError(f"{path}: cannot be read ({reason}); check the path") from None
    if not content:
        raise ChainError(f"{path}: the file is empty; write a chain into it")
    if suffix == ".npz":
        return _read_npz(str(path), content)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ChainError(
            f"{path}, byte {error.start}: is not UTF-8 text; save the file as UTF-8"
        ) from None
    return _read_csv(str(path), text) if suffix == ".csv" else _read_json(str(path), text)


def check_targets(chain: Chain, targets: Collection[int]) -> tuple[int, ...]:
    """The set `targets` as a sorted tuple; ChainError if empty or if one is not a state."""
    goals = tuple(sorted({int(state) for state in targets}))
    if not goals:
        raise ChainError("no target state is given; name at least one")
    for state in goals:
        if not 0 <= state < chain.size:
            raise ChainError(
                f"state number {state} does not exist; use 0 to {chain.size - 1}, one of the "
                f"{chain.size} states of the chain"
            )
    return goals


def require_reachable(chain: Chain, targets: Collection[int]) -> None:
    """ChainError unless `targets` can be reached from every state."""
    lost = chain.unreachable_from(targets)
    if lost:
        raise ChainError(
            f"unreachable target: state {_show(chain.states[lost[0]])} cannot reach it, so the "
            "mean hitting time is infinite; choose another target or add a transition"
        )


def require_irreducible(chain: Chain) -> None:
    """ChainError unless every state can be reached from every other."""
    if not chain.is_irreducible():
        from_first = set(chain.reachable_from(0))
        to_first = set(chain.unreachable_from((0,)))
        first = _show(chain.states[0])
        for state in range(chain.size):
            if state not in from_first or state in to_first:
                way = f"{_show(chain.states[state])} is not reached from {first}"
                if state in from_first:
                    way = f"{first} is not reached from {_show(chain.states[state])}"
                raise ChainError(
                    f"the chain is not irreducible: {way}; add the missing transition or keep "
                    "one recurrent class"
                )


def require_dense(chain: Chain) -> None:
    """ChainError if the chain has more than `MAX_DENSE` states."""
    if chain.size > MAX_DENSE:
        raise ChainError(
            f"{chain.size} states are too many for dense linear algebra; lump the chain to at "
            f"most {MAX_DENSE} states or simulate it"
        )


def _graph(tail: IntArray, head: IntArray, size: int) -> sparse.csr_array:
    # Ones, not probabilities: an entry that rounds to 0.0 is still a transition.
    ones = np.ones(len(tail), dtype=np.int8)
    return sparse.csr_array((ones, (tail, head)), shape=(size, size))


class _Entry(NamedTuple):
    """An entry as given: ends, value, whether written as a decimal, and its line (0: none)."""

    source: int
    target: int
    value: Fraction
    decimal: bool
    line: int


def _assemble(
    where: str,
    states: tuple[str, ...],
    entries: Iterable[_Entry],
    *,
    unit: str = "line",
    floats: bool = False,
) -> Chain:
    """The one gate through which every chain passes: check the entries and sort them."""
    size = len(states)
    _check_names(where, states)
    given: dict[tuple[int, int], Fraction] = {}
    total = [Fraction(0)] * size
    decimal = [True] * size
    line = [0] * size

    def place(number: int, state: int) -> str:
        return f"{where}, {unit} {number}" if number else f"{where}, row {_show(states[state])}"

    for entry in entries:
        i, j = entry.source, entry.target
        if not (0 <= i < size and 0 <= j < size):
            raise ChainError(
                f"{where}: transition ({i}, {j}) is out of range; number the states from 0 to "
                f"{size - 1}"
            )
        if (i, j) in given:
            raise ChainError(
                f"{place(entry.line, i)}: the pair {_show(states[i])}, {_show(states[j])} is "
                "repeated; give each transition once"
            )
        if entry.value < 0:
            raise ChainError(
                f"{place(entry.line, i)}: the probability {_about(entry.value)} from "
                f"{_show(states[i])} to {_show(states[j])} is negative; make it 0 or more"
            )
        given[i, j] = entry.value
        total[i] += entry.value
        decimal[i] &= entry.decimal
        line[i] = entry.line

    for i, row in enumerate(total):
        slack = ROUNDING * size if decimal[i] else 0
        if row > 1 + slack:
            raise ChainError(
                f"{place(line[i], i)}: the probabilities out of {_show(states[i])} sum to "
                f"{_about(row)}, above 1 by {_about(row - 1)}; lower them to sum to at most 1"
            )
        if given.get((i, i)) and row < 1 - slack:
            raise ChainError(
                f"{place(line[i], i)}: the row of {_show(states[i])} has a diagonal entry and "
                f"yet sums to {_about(row)}, below 1 by {_about(1 - row)}; correct it or leave "
                "the diagonal out"
            )

    kept = sorted((i, j) for (i, j), value in given.items() if i != j and value)
    exact = tuple(given[pair] for pair in kept)
    ends = np.array(kept, dtype=np.int64).reshape(-1, 2)
    arrays = (
        ends[:, 0].copy(),
        ends[:, 1].copy(),
        np.array([float(value) for value in exact], dtype=np.float64),
    )
    for array in arrays:
        array.setflags(write=False)
    return Chain(states, *arrays, exact=None if floats else exact)


def _check_names(where: str, states: Sequence[str]) -> None:
    if not states:
        raise ChainError(f"{where}: there are no states; give at least one")
    if len(states) > MAX_STATES:
        raise ChainError(
            f"{where}: {len(states)} states are more than {MAX_STATES}; lump the chain first"
        )
    seen: set[str] = set()
    for state in states:
        if not state:
            raise ChainError(f"{where}: a state has an empty name; name every state")
        if state in seen:
            raise ChainError(f"{where}: the state {_show(state)} is repeated; rename one of them")
        seen.add(state)


def _from_floats(
    where: str,
    states: tuple[str, ...],
    source: npt.ArrayLike,
    target: npt.ArrayLike,
    probability: npt.ArrayLike,
) -> Chain:
    tail = np.asarray(source, dtype=np.int64).ravel()
    head = np.asarray(target, dtype=np.int64).ravel()
    value = np.asarray(probability, dtype=np.float64).ravel()
    if not len(tail) == len(head) == len(value):
        raise ChainError(
            f"{where}: {len(tail)} sources, {len(head)} targets and {len(value)} probabilities; "
            "give as many of each"
        )
    bad = np.flatnonzero(~np.isfinite(value))
    if len(bad):
        at = bad[0]
        raise ChainError(
            f"{where}, row {tail[at]}, column {head[at]}: the entry {value[at]} is not a finite "
            "number; replace it by a probability"
        )
    fine = _sorted_if_fine(states, tail, head, value)
    if fine is not None:
        return Chain(states, *fine, exact=None)
    entries = (
        _Entry(i, j, Fraction(p), True, 0)
        for i, j, p in zip(tail.tolist(), head.tolist(), value.tolist(), strict=True)
    )
    return _assemble(where, states, entries, floats=True)


def _sorted_if_fine(
    states: Sequence[str], tail: IntArray, head: IntArray, value: FloatArray
) -> tuple[IntArray, IntArray, FloatArray] | None:
    """Off-diagonal entries in order, if all is well beyond doubt: what `_assemble` would keep."""
    size = len(states)
    if not 0 < size <= MAX_STATES or not all(states) or len(set(states)) < size:
        return None
    if len(tail) and (min(tail.min(), head.min()) < 0 or max(tail.max(), head.max()) >= size):
        return None
    if np.any(value < 0.0):
        return None
    key = tail * size + head
    if np.any(key[1:] <= key[:-1]):
        order = np.argsort(key, kind="stable")
        key, tail, head, value = key[order], tail[order], head[order], value[order]
        if np.any(key[1:] == key[:-1]):
            return None
    total = np.bincount(tail, weights=value, minlength=size)
    on = (tail == head) & (value > 0.0)
    slack = float(ROUNDING) * size / 2  # the sums are rounded, by far less than the other half
    if np.any(total > 1.0 + slack) or np.any(total[tail[on]] < 1.0 - slack):
        return None
    kept = (tail != head) & (value > 0.0)
    arrays = tail[kept], head[kept], value[kept]
    for array in arrays:
        array.setflags(write=False)
    return arrays


def _show(name: str) -> str:
    text = repr(name)
    return text if len(text) <= 42 else text[:40] + "...'"


def _about(value: Fraction) -> str:
    try:
        return f"{float(value):.12g}"
    except OverflowError:
        return "more than 1e308"


@lru_cache(maxsize=4096)
def parse_number(text: str) -> Fraction:
    """The exact value of a decimal or of ``p/q``; ValueError states what is wrong and the cure."""
    if len(text) > _MAX_DIGITS:
        raise ValueError(f"a number of {len(text)} characters is too long; round it")
    ratio = _RATIO.fullmatch(text)
    if ratio:
        numerator, denominator = int(ratio[1]), int(ratio[2])
        if denominator == 0:
            raise ValueError(f"{_show(text)} divides by zero; write a probability")
        return Fraction(numerator, denominator)
    decimal = _DECIMAL.fullmatch(text)
    if not decimal:
        raise ValueError(f"{_show(text)} is not a number; write a decimal or p/q")
    # Checked before `Fraction` sees it, which would expand 10**999999999 digit by digit.
    if decimal[1] and abs(int(decimal[1])) > _MAX_EXPONENT:
        raise ValueError(
            f"the exponent of {_show(text)} is out of range; keep it within {_MAX_EXPONENT}"
        )
    return Fraction(text)


def _number(text: str, place: str) -> Fraction:
    try:
        return parse_number(text)
    except ValueError as error:
        raise ChainError(f"{place}: {error}") from None


class _Line(NamedTuple):
    number: int
    fields: list[str]


def _read_csv(where: str, text: str) -> Chain:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    lines: list[_Line] = []
    try:
        for row in reader:
            fields = [field.strip() for field in row]
            if any(fields):
                lines.append(_Line(reader.line_num, fields))
    except csv.Error as error:
        raise ChainError(
            f"{where}, line {reader.line_num}: is not valid CSV ({error}); save it as plain CSV"
        ) from None
    if not lines:
        raise ChainError(f"{where}: the file is empty; write a chain into it")
    header = [field.lower() for field in lines[0].fields] == ["from", "to", "probability"]
    if header and len(lines) == 1:
        raise ChainError(f"{where}, line 1: a header and no rows; add rows from,to,probability")
    body = lines[1:] if header else lines
    width = 3 if header else len(body[0].fields)
    for line in body:
        if len(line.fields) != width:
            raise ChainError(
                f"{where}, line {line.number}: {len(line.fields)} fields where {width} are "
                "expected; give every row the same number of fields"
            )
    if header or (width == 3 and _is_list(body)):
        return _read_list(where, body)
    return _read_matrix(where, body)


def _is_list(lines: Sequence[_Line]) -> bool:
    """Whether rows of three fields without a header are from,to,probability, not a matrix."""
    named = [not (_is_numeric(a) and _is_numeric(b)) for _, (a, b, _) in lines]
    if all(named):
        return True
    ends = [end for _, (a, b, _) in lines for end in (a, b)]
    if any(_is_numeric(end) and not _WHOLE.fullmatch(end) for end in ends):
        return False
    # Whole numbers may be indices, or the zeros and ones of a matrix. Row sums tell: i + j + p
    # with p > 0 exceeds 1, as no row of a matrix does, unless i = j = 0.
    listed = [
        name or _exceeds_one(a, b, p) for name, (_, (a, b, p)) in zip(named, lines, strict=True)
    ]
    if len(lines) != 3:
        return any(listed)
    loops = [not (a + b).strip("0") for _, (a, b, _) in lines]
    return any(listed) and all(x or y for x, y in zip(listed, loops, strict=True))


def _exceeds_one(*fields: str) -> bool:
    try:
        return sum(map(parse_number, fields), Fraction(0)) > 1 + 3 * ROUNDING
    except ValueError:
        return False


def _is_numeric(field: str) -> bool:
    return not field or bool(_DECIMAL.fullmatch(field) or _RATIO.fullmatch(field))


def _read_list(where: str, lines: Sequence[_Line]) -> Chain:
    index: dict[str, int] = {}
    entries: list[_Entry] = []
    for number, (tail, head, text) in lines:
        place = f"{where}, line {number}"
        if not tail or not head:
            raise ChainError(f"{place}: a state has an empty name; name every state")
        value = _number(text, place)
        i = index.setdefault(tail, len(index))
        j = index.setdefault(head, len(index))
        entries.append(_Entry(i, j, value, "/" not in text, number))
    return _assemble(where, tuple(index), entries)


def _read_matrix(where: str, lines: Sequence[_Line]) -> Chain:
    size, width = len(lines), len(lines[0].fields)
    hint = "; for rows from,to,probability write that header" if width == 3 else ""
    if size != width:
        raise ChainError(
            f"{where}, line {lines[-1].number}: {size} rows of {width} entries are not a square "
            f"matrix; give as many rows as columns{hint}"
        )
    entries: list[_Entry] = []
    for i, (number, fields) in enumerate(lines):
        for j, text in enumerate(fields):
            if text == "0" or (i == j and not text):
                continue
            value = _number(text, f"{where}, line {number}, column {j + 1}")
            entries.append(_Entry(i, j, value, "/" not in text, number))
    try:
        return _assemble(where, tuple(map(str, range(size))), entries)
    except ChainError as error:
        raise ChainError(f"{error}{hint}") from None


def _read_npz(where: str, content: bytes) -> Chain:
    try:
        loaded = sparse.load_npz(io.BytesIO(content))
        if hasattr(loaded, "check_format"):
            # The default check trusts the index arrays, and C++ then reads past their ends.
            loaded.check_format(full_check=True)
        shape = loaded.shape
        matrix = sparse.coo_array(loaded)
        real = np.issubdtype(matrix.dtype, np.floating) or np.issubdtype(matrix.dtype, np.integer)
    except Exception:
        # A damaged archive raises whatever zipfile, zlib, numpy or scipy happen to trip over.
        raise ChainError(
            f"{where}: is not a sparse matrix; write it with scipy.sparse.save_npz"
        ) from None
    if len(shape) != 2 or shape[0] != shape[1]:
        raise ChainError(f"{where}: shape {shape} is not square; give as many rows as columns")
    if shape[0] > MAX_STATES:
        raise ChainError(
            f"{where}: {shape[0]} states are more than {MAX_STATES}; lump the chain first"
        )
    if not real:
        raise ChainError(f"{where}: entries of type {matrix.dtype}; save real floating numbers")
    states = tuple(map(str, range(shape[0])))
    row, column = matrix.coords
    return _from_floats(where, states, row, column, matrix.data)


class _Literal(str):
    """A JSON number, kept as it was written so that it can be read exactly."""


def _read_json(where: str, text: str) -> Chain:
    shape = 'write {"states": ["a", "b"], "transitions": [["a", "b", "1/3"]]}'
    try:
        document = json.loads(
            text, parse_float=_Literal, parse_int=_Literal, parse_constant=_Literal
        )
    except json.JSONDecodeError as error:
        raise ChainError(
            f"{where}, line {error.lineno}: is not valid JSON ({error.msg}); {shape}"
        ) from None
    except RecursionError:
        raise ChainError(f"{where}: JSON nested too deeply; {shape}") from None
    if not isinstance(document, dict):
        raise ChainError(f"{where}: the JSON is not an object; {shape}")
    for key in ("states", "transitions"):
        if not isinstance(document.get(key), list) or not document[key]:
            raise ChainError(f"{where}: {key!r} is not a list with something in it; {shape}")
    for number, state in enumerate(document["states"], 1):
        if not isinstance(state, str):
            raise ChainError(f"{where}, state {number}: is not a name; {shape}")
    states = tuple(map(str, document["states"]))
    index = {state: i for i, state in enumerate(states)}
    entries: list[_Entry] = []
    for number, row in enumerate(document["transitions"], 1):
        place = f"{where}, transition {number}"
        if not isinstance(row, list) or len(row) != 3 or not all(isinstance(x, str) for x in row):
            raise ChainError(f"{place}: is not [from, to, probability]; {shape}")
        for name in row[:2]:
            if name not in index:
                raise ChainError(
                    f"{place}: unknown state {_show(str(name))}; list it under 'states'"
                )
        value = _number(str(row[2]), place)
        entries.append(_Entry(index[row[0]], index[row[1]], value, "/" not in row[2], number))
    return _assemble(where, states, entries, unit="transition")
