"""Subtraction-free elimination of large sparse chains, in an order that makes few new entries.

The arithmetic is that of `numerics.elimination`: off-diagonal entries only, numbers as
``m * 2**(512 b)``. States are eliminated in an approximate minimum-degree order (Amestoy, Davis
and Duff 1996, *SIAM J. Matrix Anal. Appl.* 17, 886-905). When a state is eliminated, what it adds
to its later neighbours is a small dense matrix; these are kept on a stack and added up along the
elimination tree (Duff and Reid 1983, *ACM Trans. Math. Softw.* 9, 302-325). Time and memory grow
almost linearly with N where clusters are bounded and the meta-graph has small separators.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

from numerics.bands import (
    DOWN,
    BandArray,
    add_twice,
    fused,
    inverse_twice,
    multiply_twice,
    normal_twice,
)
from numerics.chain import FloatArray, IntArray

Index = npt.NDArray[np.int32]


# ---------------------------------------------------------------- pattern
def by_rows(
    source: IntArray, target: IntArray, number: Index
) -> tuple[IntArray, Index, Index, Index]:
    """Rows of the entries, given in order, that lie between numbered states; the others have -1.

    Returns offsets, columns, which entry each is, and the entries from numbered states to others.
    """
    column, entry = np.empty(len(source), np.int32), np.empty(len(source), np.int32)
    rows = np.zeros(int(number.max()) + 2, np.int64)
    used, last = _by_rows(source, target, number, rows, column, entry)
    return rows, column[:used], entry[:used], entry[last:][::-1]


@njit(cache=True)
def _by_rows(
    source: IntArray, target: IntArray, number: Index, rows: IntArray, column: Index, entry: Index
) -> tuple[int, int]:
    used, last = 0, len(source)
    for e in range(len(source)):
        i, j = number[source[e]], number[target[e]]
        if i >= 0 and j >= 0:
            column[used] = j
            entry[used] = e
            used += 1
            rows[i + 1] = used
        elif i >= 0:
            last -= 1
            entry[last] = e
    for i in range(1, len(rows)):
        rows[i] = max(rows[i], rows[i - 1])
    return used, last


def by_columns(rows: IntArray, target: Index) -> tuple[IntArray, Index, Index]:
    """Columns of a square pattern given by rows: offsets, rows, and the number of each entry."""
    first = np.zeros(len(rows), np.int64)
    source, number = np.empty(len(target), np.int32), np.empty(len(target), np.int32)
    _by_columns(rows, target, first, source, number)
    return first, source, number


@njit(cache=True)
def _by_columns(
    rows: IntArray, target: Index, first: IntArray, source: Index, number: Index
) -> None:
    n = len(rows) - 1
    for j in target:
        first[j + 1] += 1
    for j in range(n):
        first[j + 1] += first[j]
    free = first[:n].copy()
    for i in range(n):
        for at in range(rows[i], rows[i + 1]):
            j = target[at]
            source[free[j]] = i
            number[free[j]] = at
            free[j] += 1


def symmetric(
    rows: IntArray, target: Index, columns: IntArray, source: Index
) -> tuple[IntArray, Index]:
    """Union of a pattern and its transpose, both with increasing indices in each row."""
    if np.array_equal(target, source) and np.array_equal(rows, columns):
        return rows, target
    first, out = np.zeros(len(rows), np.int64), np.empty(2 * len(target), np.int32)
    _symmetric(rows, target, columns, source, first, out)
    return first, out[: first[-1]]


@njit(cache=True)
def _symmetric(
    rows: IntArray,
    target: Index,
    columns: IntArray,
    source: Index,
    first: IntArray,
    out: Index,
) -> None:
    n = len(rows) - 1
    used = 0
    for i in range(n):
        a, b = rows[i], columns[i]
        while a < rows[i + 1] or b < columns[i + 1]:
            left = target[a] if a < rows[i + 1] else n
            right = source[b] if b < columns[i + 1] else n
            out[used] = min(left, right)
            used += 1
            a += left <= right
            b += right <= left
        first[i + 1] = used


# ---------------------------------------------------------------- order
@njit(cache=True)
def minimum_degree(first: IntArray, neighbour: Index) -> Index:
    """States in an approximate minimum-degree order.

    Parameters
    ----------
    first, neighbour : a symmetric pattern without diagonal, by rows; `neighbour` is overwritten.

    Notes
    -----
    A state not yet eliminated has, in its slice of `neighbour`, first the elements it belongs to
    (an element is the set of later neighbours of an eliminated state), then the neighbours that no
    element accounts for.
    """
    n = len(first) - 1
    begin = first[:n].copy()  # of the slice
    elements = np.zeros(n, np.int32)  # how many elements stand first
    length = (first[1:] - first[:n]).astype(np.int32)
    degree = length.copy()
    member = np.empty(max(16, 2 * len(neighbour)), np.int32)  # the elements, one after another
    used = 0
    of = np.zeros(n, np.int64)  # where an element begins in `member`
    size = np.zeros(n, np.int32)  # its length; 0 once it is part of another
    done = np.zeros(n, np.bool_)
    mark = np.full(n, -1, np.int32)  # last state eliminated next to this one
    outside = np.zeros(n, np.int32)  # members of an element that are not next to the pivot
    seen = np.full(n, -1, np.int32)
    head = np.full(n + 1, -1, np.int32)  # states by degree, in doubly linked lists
    after = np.full(n, -1, np.int32)
    before = np.full(n, -1, np.int32)
    for i in range(n - 1, -1, -1):
        after[i] = head[degree[i]]
        if after[i] >= 0:
            before[after[i]] = i
        head[degree[i]] = i
    order = np.empty(n, np.int32)
    least = 0
    for step in range(n):
        while head[least] < 0:
            least += 1
        p = head[least]
        head[least] = after[p]
        if after[p] >= 0:
            before[after[p]] = -1
        order[step] = p
        done[p] = True
        # The new element: all that p is next to.
        start = used
        room = length[p] - elements[p]
        for at in range(begin[p], begin[p] + elements[p]):
            room += size[neighbour[at]]
        if used + room > len(member):
            wider = np.empty(2 * len(member) + room, np.int32)
            wider[:used] = member[:used]
            member = wider
        mark[p] = step
        for at in range(begin[p], begin[p] + length[p]):
            e = neighbour[at]
            if at < begin[p] + elements[p]:
                for m in range(of[e], of[e] + size[e]):
                    i = member[m]
                    if not done[i] and mark[i] != step:
                        mark[i] = step
                        member[used] = i
                        used += 1
                size[e] = 0
            elif not done[e] and mark[e] != step:
                mark[e] = step
                member[used] = e
                used += 1
        of[p] = start
        size[p] = used - start
        # How much of each other element lies outside the new one.
        for m in range(start, used):
            i = member[m]
            for at in range(begin[i], begin[i] + elements[i]):
                e = neighbour[at]
                if size[e] > 0:
                    if seen[e] != step:
                        seen[e] = step
                        outside[e] = size[e]
                    outside[e] -= 1
        for m in range(start, used):
            i = member[m]
            if before[i] >= 0:
                after[before[i]] = after[i]
            else:
                head[degree[i]] = after[i]
            if after[i] >= 0:
                before[after[i]] = before[i]
            # Drop what the new element accounts for, and put the new element first.
            bound = size[p] - 1
            write = begin[i]
            kept = 0
            old_elements, old_length = elements[i], length[i]
            held = -1  # an entry that has to make room for the new element
            for at in range(begin[i], begin[i] + old_length):
                e = neighbour[at]
                if at < begin[i] + old_elements:
                    if size[e] == 0 or (seen[e] == step and outside[e] == 0):
                        continue
                    bound += outside[e]
                    kept += 1
                else:
                    if done[e] or mark[e] == step:
                        continue
                    bound += 1
                neighbour[write] = e
                write += 1
            elements[i] = kept + 1
            if write > begin[i] + kept:
                held = neighbour[begin[i] + kept]
            neighbour[begin[i] + kept] = p
            if held >= 0:
                neighbour[write] = held
            length[i] = write - begin[i] + 1
            bound = min(bound, n - step - 2)
            bound = min(bound, degree[i] + size[p] - 1)
            degree[i] = bound
            before[i] = -1
            after[i] = head[bound]
            if after[i] >= 0:
                before[after[i]] = i
            head[bound] = i
            least = min(least, bound)
    return order


@njit(cache=True)
def elimination_tree(first: IntArray, neighbour: Index, order: Index) -> Index:
    """Parent of each step of an elimination, the first of its later neighbours; -1 at a root.

    Liu (1986), *ACM Trans. Math. Softw.* 12, 127-148.
    """
    n = len(order)
    step = np.empty(n, np.int32)
    for k in range(n):
        step[order[k]] = k
    parent = np.full(n, -1, np.int32)
    ancestor = np.full(n, -1, np.int32)
    for k in range(n):
        state = order[k]
        for at in range(first[state], first[state + 1]):
            i = step[neighbour[at]]
            while i != -1 and i < k:
                above = ancestor[i]
                ancestor[i] = k
                if above == -1:
                    parent[i] = k
                i = above
    return parent


@njit(cache=True)
def postorder(parent: Index) -> Index:
    """Steps of an elimination tree, children before parents and subtrees in one piece."""
    n = len(parent)
    head = np.full(n, -1, np.int32)
    after = np.full(n, -1, np.int32)
    for k in range(n - 1, -1, -1):
        if parent[k] >= 0:
            after[k] = head[parent[k]]
            head[parent[k]] = k
    out = np.empty(n, np.int32)
    stack = np.empty(n, np.int32)
    count = 0
    for root in range(n):
        if parent[root] >= 0:
            continue
        top = 0
        stack[0] = root
        while top >= 0:
            k = stack[top]
            child = head[k]
            if child >= 0:
                head[k] = after[child]
                top += 1
                stack[top] = child
            else:
                out[count] = k
                count += 1
                top -= 1
    return out


def in_postorder(order: Index, parent: Index) -> tuple[Index, Index]:
    """The same elimination along its tree: the state, and the parent, of each step."""
    steps = postorder(parent)
    number = np.empty_like(steps)
    number[steps] = np.arange(len(steps), dtype=np.int32)
    above = parent[steps]
    return order[steps], np.where(above >= 0, number[above], -1).astype(np.int32)


# ---------------------------------------------------------------- which entries there will be
@njit(cache=True)
def later_neighbours(
    first: IntArray, neighbour: Index, order: Index, parent: Index
) -> tuple[IntArray, Index]:
    """Per step of a postordered elimination, the steps it will have entries with, by rows."""
    n = len(order)
    step = np.empty(n, np.int32)
    for k in range(n):
        step[order[k]] = k
    head = np.full(n, -1, np.int32)
    after = np.full(n, -1, np.int32)
    mark = np.full(n, -1, np.int32)
    begin = np.zeros(n + 1, np.int64)
    out = np.empty(len(neighbour) + n, np.int32)
    used = 0
    for k in range(n):
        room = first[order[k] + 1] - first[order[k]]
        child = head[k]
        while child >= 0:
            room += begin[child + 1] - begin[child]
            child = after[child]
        if used + room > len(out):
            wider = np.empty(2 * len(out) + room, np.int32)
            wider[:used] = out[:used]
            out = wider
        mark[k] = k
        for at in range(first[order[k]], first[order[k] + 1]):
            i = step[neighbour[at]]
            if i > k and mark[i] != k:
                mark[i] = k
                out[used] = i
                used += 1
        child = head[k]
        while child >= 0:
            for at in range(begin[child], begin[child + 1]):
                i = out[at]
                if mark[i] != k:
                    mark[i] = k
                    out[used] = i
                    used += 1
            child = after[child]
        begin[k + 1] = used
        if parent[k] >= 0:
            after[k] = head[parent[k]]
            head[parent[k]] = k
    return begin, out[:used]


@njit(cache=True)
def supernodes(begin: IntArray, parent: Index) -> Index:
    """First steps of runs of steps that share their later neighbours, and the number of steps."""
    n = len(parent)
    children = np.zeros(n, np.int32)
    for k in range(n):
        if parent[k] >= 0:
            children[parent[k]] += 1
    starts = np.empty(n + 1, np.int32)
    count = 0
    for k in range(n):
        joined = (
            k > 0
            and parent[k - 1] == k
            and children[k] == 1
            and begin[k + 1] - begin[k] == begin[k] - begin[k - 1] - 1
        )
        if not joined:
            starts[count] = k
            count += 1
    starts[count] = n
    return starts[: count + 1]


# ---------------------------------------------------------------- elimination
Twice = tuple[FloatArray, FloatArray, BandArray]
Factor = tuple[IntArray, Index, Twice, Twice]


def eliminate(
    rows: tuple[IntArray, Index, Index],
    columns: tuple[IntArray, Index, Index],
    given: Twice,
    leave: Twice,
    order: Index,
    begin: IntArray,
    sets: Index,
    starts: Index,
) -> Factor:
    """Eliminate every state of a chain, in a postorder of the elimination tree.

    Numbers are in twice the precision, a double and a far smaller one, with a band: clusters that
    are alike round alike, and along a path of many that would add up.

    Parameters
    ----------
    rows : offsets, columns, and which of the given entries each entry of the pattern is.
    columns : offsets, rows, and the place of each entry among those by rows.
    given : off-diagonal entries; where all are doubles in band 0, the other two parts are empty.
    leave : probability of a step to the targets; overwritten.
    order : states, in postorder.
    begin, sets, starts : what `later_neighbours` and `supernodes` found.

    Returns
    -------
    first, index : per supernode its steps and then their common later neighbours, as states.
    onward : probability of the next later state when the state is left for one, from
        ``begin[k] + k`` on for step k; that of a target stands first.
    into : entry from a later state when this one was eliminated, over the probability of leaving
        for a later state or a target; 1 over that stands first, or 0 if it is 0.
    """
    last = starts[1:] - 1
    first = np.zeros(len(starts), np.int64)
    np.cumsum(np.diff(starts) + begin[last + 1] - begin[last], out=first[1:])
    index = np.empty(first[-1], np.int32)
    onward, into = _eliminate(
        *rows, *columns, *given, *leave, order, begin, sets, starts, first, index
    )
    return first, index, onward, into


# Where no entry of a row or column is smaller, products of three numbers stay in band 0.
_SAFE = 2.0**-80


@njit(cache=True)
def _flat_pivot(front: FloatArray, front_l: FloatArray, t: int, f: int) -> bool:
    """`_pivot` where all bands are 0; False, and nothing is done, where they would not stay 0."""
    s, s_l, least = 0.0, 0.0, 1.0
    for j in range(t + 1, f + 1):
        m = front[t, j]
        if m > 0.0:
            least = min(least, m)
            new = s + m
            part = new - s
            s_l += (s - (new - part)) + (m - part) + front_l[t, j]
            s = new
    for a in range(t + 1, f):
        if front[a, t] > 0.0:
            least = min(least, front[a, t])
    if s == 0.0 or least < _SAFE:
        return False
    s, s_l, _ = inverse_twice(*normal_twice(s, s_l, 0))
    front[t, t], front_l[t, t] = s, s_l
    for j in range(t + 1, f + 1):
        p = front[t, j] * s
        low = fused(front[t, j], s, -p) + (front[t, j] * s_l + front_l[t, j] * s)
        front[t, j] = p + low
        front_l[t, j] = low - (front[t, j] - p)
    for a in range(t + 1, f):
        m, rest = front[a, t], front_l[a, t]
        if m == 0.0:
            continue
        for j in range(t + 1, f + 1):
            p = m * front[t, j]
            low = fused(m, front[t, j], -p) + (m * front_l[t, j] + rest * front[t, j])
            old = front[a, j]
            new = old + p
            part = new - old
            front_l[a, j] += ((old - (new - part)) + (p - part)) + low
            front[a, j] = new
        p = m * s
        low = fused(m, s, -p) + (m * s_l + rest * s)
        front[a, t] = p + low
        front_l[a, t] = low - (front[a, t] - p)
    return True


@njit(cache=True)
def _pivot(front: FloatArray, front_l: FloatArray, front_b: Index, t: int, f: int) -> None:
    """Eliminate state t of a front.

    Row t becomes what is left for, column t what comes in over the total, and the diagonal 1 over
    the total.
    """
    top, found = 0, False
    for j in range(t + 1, f + 1):
        if front[t, j] > 0.0 and (not found or front_b[t, j] > top):
            top, found = front_b[t, j], True
    s, s_l, s_b = 0.0, 0.0, top
    for j in range(t + 1, f + 1):
        m, rest = front[t, j], front_l[t, j]
        if m == 0.0 or front_b[t, j] < top - 1:
            continue
        if front_b[t, j] < top:
            m, rest = m * DOWN, rest * DOWN
        new = s + m
        part = new - s
        s_l += (s - (new - part)) + (m - part) + rest
        s = new
    if found:
        s, s_l, s_b = inverse_twice(*normal_twice(s, s_l, s_b))
    front[t, t], front_l[t, t], front_b[t, t] = s, s_l, s_b
    for j in range(t + 1, f + 1):
        if front[t, j] > 0.0:
            front[t, j], front_l[t, j], front_b[t, j] = multiply_twice(
                front[t, j], front_l[t, j], front_b[t, j], s, s_l, s_b
            )
    for a in range(t + 1, f):
        m, rest, b = front[a, t], front_l[a, t], front_b[a, t]
        if m == 0.0:
            continue
        for j in range(t + 1, f + 1):
            if front[t, j] > 0.0:
                p, p_l, p_b = multiply_twice(m, rest, b, front[t, j], front_l[t, j], front_b[t, j])
                front[a, j], front_l[a, j], front_b[a, j] = add_twice(
                    front[a, j], front_l[a, j], front_b[a, j], p, p_l, p_b
                )
        front[a, t], front_l[a, t], front_b[a, t] = multiply_twice(m, rest, b, s, s_l, s_b)


@njit(cache=True)
def _eliminate(
    rows: IntArray,
    row_state: Index,
    row_entry: Index,
    columns: IntArray,
    column_state: Index,
    column_place: Index,
    given: FloatArray,
    given_l: FloatArray,
    given_b: Index,
    leave: FloatArray,
    leave_l: FloatArray,
    leave_b: BandArray,
    order: Index,
    begin: IntArray,
    sets: Index,
    starts: Index,
    first: IntArray,
    index: Index,
) -> tuple[Twice, Twice]:
    n, size = len(order), len(sets) + len(order)
    plain = len(given_l) == 0
    onward, onward_l, onward_b = np.empty(size), np.empty(size), np.empty(size, np.int32)
    into, into_l, into_b = np.empty(size), np.empty(size), np.empty(size, np.int32)
    when = np.empty(n, np.int32)
    for k in range(n):
        when[order[k]] = k
    nodes = len(starts) - 1
    local = np.full(n, -1, np.int32)
    pending = np.zeros(nodes, np.int32)  # what eliminated states add, waiting on the stack
    owner = np.empty(n, np.int32)
    for node in range(nodes):
        for k in range(starts[node], starts[node + 1]):
            owner[k] = node
    stacked = np.empty(1024, np.int32)
    stacked_top = 0
    sizes = np.empty(nodes + 1, np.int32)
    depth = 0
    values, lows = np.empty(4096), np.empty(4096)
    bands = np.empty(4096, np.int32)
    values_top = 0
    # Rows and columns of a supernode; the last column is for steps to the targets.
    front, front_l = np.empty((8, 9)), np.empty((8, 9))
    front_b = np.empty((8, 9), np.int32)
    for node in range(nodes):
        low, high = starts[node], starts[node + 1]
        pivots = high - low
        f = 0
        for k in range(low, high):
            local[k] = f
            index[first[node] + f] = order[k]
            f += 1
        for at in range(begin[high - 1], begin[high]):
            local[sets[at]] = f
            index[first[node] + f] = order[sets[at]]
            f += 1
        if f > len(front):
            front, front_l = np.empty((2 * f, 2 * f + 1)), np.empty((2 * f, 2 * f + 1))
            front_b = np.empty((2 * f, 2 * f + 1), np.int32)
        flat = True  # every band in the front is 0
        for a in range(f):
            for d in range(f):
                front[a, d], front_l[a, d], front_b[a, d] = 0.0, 0.0, 0
            i = index[first[node] + a]
            front[a, f], front_l[a, f], front_b[a, f] = leave[i], leave_l[i], leave_b[i]
            flat = flat and leave_b[i] == 0
        for k in range(low, high):
            state = order[k]
            for at in range(rows[state], rows[state + 1]):
                i = when[row_state[at]]
                if i >= low:
                    a, d, e = local[k], local[i], row_entry[at]
                    front[a, d] = given[e]
                    if not plain:
                        front_l[a, d], front_b[a, d] = given_l[e], given_b[e]
                        flat = flat and given_b[e] == 0
            for at in range(columns[state], columns[state + 1]):
                i = when[column_state[at]]
                if i >= high:
                    a, d, e = local[i], local[k], row_entry[column_place[at]]
                    front[a, d] = given[e]
                    if not plain:
                        front_l[a, d], front_b[a, d] = given_l[e], given_b[e]
                        flat = flat and given_b[e] == 0
        for _ in range(pending[node]):
            depth -= 1
            g = sizes[depth]
            stacked_top -= g
            values_top -= g * g
            for a in range(g):
                to = local[stacked[stacked_top + a]]
                for d in range(g):
                    i = values_top + a * g + d
                    if values[i] > 0.0 and a != d:
                        at = local[stacked[stacked_top + d]]
                        front[to, at], front_l[to, at], front_b[to, at] = add_twice(
                            front[to, at],
                            front_l[to, at],
                            front_b[to, at],
                            values[i],
                            lows[i],
                            bands[i],
                        )
                        flat = flat and front_b[to, at] == 0
        for t in range(pivots):
            at = begin[low + t] + low + t
            flat = flat and _flat_pivot(front, front_l, t, f)
            if not flat:
                _pivot(front, front_l, front_b, t, f)
            for j in range(t + 1, f + 1):
                to = at + (j - t if j < f else 0)
                onward[to], onward_l[to], onward_b[to] = front[t, j], front_l[t, j], front_b[t, j]
            for a in range(t, f):
                to = at + a - t
                into[to], into_l[to], into_b[to] = front[a, t], front_l[a, t], front_b[a, t]
        for a in range(pivots, f):
            i = index[first[node] + a]
            leave[i], leave_l[i], leave_b[i] = normal_twice(
                front[a, f], front_l[a, f], front_b[a, f]
            )
        # Keep what it adds, for the next supernode above.
        g = f - pivots
        if g > 0:
            above = n
            for at in range(begin[high - 1], begin[high]):
                above = min(above, sets[at])
            pending[owner[above]] += 1
            if stacked_top + g > len(stacked):
                stacked = _wider_index(stacked, stacked_top, g)
            if values_top + g * g > len(values):
                values = _wider(values, values_top, g * g)
                lows = _wider(lows, values_top, g * g)
                bands = _wider_index(bands, values_top, g * g)
            for a in range(g):
                stacked[stacked_top + a] = sets[begin[high - 1] + a]
                for d in range(g):
                    i = values_top + a * g + d
                    values[i], lows[i], bands[i] = normal_twice(
                        front[pivots + a, pivots + d],
                        front_l[pivots + a, pivots + d],
                        front_b[pivots + a, pivots + d],
                    )
            stacked_top += g
            values_top += g * g
            sizes[depth] = g
            depth += 1
    return (onward, onward_l, onward_b), (into, into_l, into_b)


@njit(cache=True)
def _wider(old: FloatArray, used: int, more: int) -> FloatArray:
    new = np.empty(2 * len(old) + more)
    new[:used] = old[:used]
    return new


@njit(cache=True)
def _wider_index(old: Index, used: int, more: int) -> Index:
    new = np.empty(2 * len(old) + more, np.int32)
    new[:used] = old[:used]
    return new


# ---------------------------------------------------------------- solves
@njit(cache=True)
def solve(
    order: Index,
    begin: IntArray,
    starts: Index,
    first: IntArray,
    index: Index,
    forth: FloatArray,
    forth_l: FloatArray,
    forth_b: Index,
    back: FloatArray,
    back_l: FloatArray,
    back_b: Index,
    stay: FloatArray,
    stay_l: FloatArray,
    stay_b: Index,
    value: FloatArray,
    low: FloatArray,
    value_b: BandArray,
) -> None:
    """Solve with what `eliminate` returned, in place.

    With `forth` the entries `into` and `back` those `onward`, the cost of a step from each state
    becomes the mean total cost; the other way round, the weight with which a walk starts in each
    state becomes the mean number of visits. `stay` is `into`, where the mean numbers of steps
    that a stay takes stand.
    """
    nodes = len(starts) - 1
    for node in range(nodes):
        for k in range(starts[node], starts[node + 1]):
            m, rest, b = value[order[k]], low[order[k]], value_b[order[k]]
            if m == 0.0:
                continue
            shift = first[node] - starts[node] - begin[k]
            for at in range(begin[k] + k + 1, begin[k + 1] + k + 1):
                if forth[at] > 0.0:
                    i = index[shift + at]
                    p, q, p_b = multiply_twice(m, rest, b, forth[at], forth_l[at], forth_b[at])
                    value[i], low[i], value_b[i] = add_twice(
                        value[i], low[i], value_b[i], p, q, p_b
                    )
    for node in range(nodes - 1, -1, -1):
        for k in range(starts[node + 1] - 1, starts[node] - 1, -1):
            state = order[k]
            m, rest, b = 0.0, 0.0, 0
            if value[state] != 0.0:
                at = begin[k] + k
                m, rest, b = multiply_twice(
                    value[state], low[state], value_b[state], stay[at], stay_l[at], stay_b[at]
                )
            shift = first[node] - starts[node] - begin[k]
            for at in range(begin[k] + k + 1, begin[k + 1] + k + 1):
                i = index[shift + at]
                if back[at] > 0.0 and value[i] != 0.0:
                    p, q, p_b = multiply_twice(
                        back[at], back_l[at], back_b[at], value[i], low[i], value_b[i]
                    )
                    m, rest, b = add_twice(m, rest, b, p, q, p_b)
            value[state], low[state], value_b[state] = m, rest, b
