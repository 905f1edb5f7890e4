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

from numerics.bands import DOWN, FLOOR, BandArray, add, add_twice, normal, normal_twice
from numerics.chain import FloatArray, IntArray

Index = npt.NDArray[np.int32]


# ---------------------------------------------------------------- pattern
@njit(cache=True)
def by_columns(rows: IntArray, target: Index) -> tuple[IntArray, Index, IntArray]:
    """Columns of a square pattern given by rows: offsets, rows, and the number of each entry."""
    n = len(rows) - 1
    first = np.zeros(n + 1, np.int64)
    for j in target:
        first[j + 1] += 1
    for j in range(n):
        first[j + 1] += first[j]
    free = first[:n].copy()
    source = np.empty(len(target), np.int32)
    number = np.empty(len(target), np.int64)
    for i in range(n):
        for at in range(rows[i], rows[i + 1]):
            j = target[at]
            source[free[j]] = i
            number[free[j]] = at
            free[j] += 1
    return first, source, number


@njit(cache=True)
def symmetric(
    rows: IntArray, target: Index, columns: IntArray, source: Index
) -> tuple[IntArray, Index]:
    """Union of a pattern and its transpose, both with increasing indices in each row."""
    n = len(rows) - 1
    first = np.zeros(n + 1, np.int64)
    out = np.empty(2 * len(target), np.int32)
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
    return first, out[:used].copy()


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
@njit(cache=True)
def eliminate(
    rows: IntArray,
    row_state: Index,
    row_m: FloatArray,
    row_b: Index,
    columns: IntArray,
    column_state: Index,
    column_m: FloatArray,
    column_b: Index,
    leave: FloatArray,
    leave_b: BandArray,
    order: Index,
    begin: IntArray,
    sets: Index,
    starts: Index,
) -> tuple[IntArray, Index, IntArray, FloatArray, Index, FloatArray, Index]:
    """Eliminate every state of a chain, in a postorder of the elimination tree.

    Parameters
    ----------
    rows, row_state, row_m, row_b : off-diagonal entries by rows, in bands.
    columns, column_state, column_m, column_b : the same by columns.
    leave, leave_b : probability of a step to the targets, in bands; on return over the total.
    order : states, in postorder.
    begin, sets, starts : what `later_neighbours` and `supernodes` found.

    Returns
    -------
    first, index : per supernode its steps and then their common later neighbours, as states.
    at : per step, where its entries begin in `onward` and `into`.
    onward, onward_b : probability of the next later state when the state is left for one.
    into, into_b : entry from a later state when this one was eliminated, over the total; the total
        itself, the probability of leaving for a later state or a target, stands first.
    """
    n = len(order)
    when = np.empty(n, np.int32)
    for k in range(n):
        when[order[k]] = k
    nodes = len(starts) - 1
    first = np.zeros(nodes + 1, np.int64)
    place = np.zeros(n + 1, np.int64)
    for node in range(nodes):
        last = starts[node + 1] - 1
        size = starts[node + 1] - starts[node] + begin[last + 1] - begin[last]
        first[node + 1] = first[node] + size
        for k in range(starts[node], starts[node + 1]):
            place[k + 1] = place[k] + size - (k - starts[node])
    index = np.empty(first[nodes], np.int32)
    onward = np.empty(place[n])
    onward_b = np.empty(place[n], np.int32)
    into = np.empty(place[n])
    into_b = np.empty(place[n], np.int32)
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
    values = np.empty(4096)
    bands = np.empty(4096, np.int32)
    values_top = 0
    front = np.empty((8, 8))
    front_b = np.empty((8, 8), np.int32)
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
            front = np.empty((2 * f, 2 * f))
            front_b = np.empty((2 * f, 2 * f), np.int32)
        front[:f, :f] = 0.0
        front_b[:f, :f] = 0
        for k in range(low, high):
            state = order[k]
            for at in range(rows[state], rows[state + 1]):
                i = when[row_state[at]]
                if i >= low:
                    front[local[k], local[i]] = row_m[at]
                    front_b[local[k], local[i]] = row_b[at]
            for at in range(columns[state], columns[state + 1]):
                i = when[column_state[at]]
                if i >= high:
                    front[local[i], local[k]] = column_m[at]
                    front_b[local[i], local[k]] = column_b[at]
        for _ in range(pending[node]):
            depth -= 1
            g = sizes[depth]
            stacked_top -= g
            values_top -= g * g
            for a in range(g):
                to = local[stacked[stacked_top + a]]
                for d in range(g):
                    m = values[values_top + a * g + d]
                    if m == 0.0 or a == d:
                        continue
                    b = bands[values_top + a * g + d]
                    at = local[stacked[stacked_top + d]]
                    front[to, at], front_b[to, at] = add(front[to, at], front_b[to, at], m, b)
        for t in range(pivots):
            k = low + t
            state = order[k]
            # Leave this state for a later one or a target.
            top, found = leave_b[state], leave[state] > 0.0
            for j in range(t + 1, f):
                if front[t, j] > 0.0 and (not found or front_b[t, j] > top):
                    top, found = front_b[t, j], True
            s, lost = 0.0, 0.0
            for j in range(t, f):
                m, b = (front[t, j], front_b[t, j]) if j > t else (leave[state], leave_b[state])
                if m == 0.0 or b < top - 1:
                    continue
                if b < top:
                    m *= DOWN
                new = s + m
                part = new - s
                lost += (s - (new - part)) + (m - part)
                s = new
            s, s_b = normal(s + lost, top)
            least, plain = 1.0, True
            if leave[state] > 0.0:
                leave[state], leave_b[state] = normal(leave[state] / s, leave_b[state] - s_b)
            at = place[k]
            onward[at], onward_b[at] = leave[state], leave_b[state]
            into[at], into_b[at] = s, s_b
            for j in range(t + 1, f):
                if front[t, j] > 0.0:
                    front[t, j], front_b[t, j] = normal(front[t, j] / s, front_b[t, j] - s_b)
                    least = min(least, front[t, j])
                    plain = plain and front_b[t, j] == 0
                onward[at + j - t], onward_b[at + j - t] = front[t, j], front_b[t, j]
            for a in range(t + 1, f):
                m, b = front[a, t], front_b[a, t]
                into[at + a - t], into_b[at + a - t] = 0.0, 0
                if m == 0.0:
                    continue
                if plain and b == 0 and m * least >= FLOOR and not front_b[a, t:f].any():
                    for j in range(t + 1, f):
                        front[a, j] += m * front[t, j]
                else:
                    for j in range(t + 1, f):
                        if front[t, j] > 0.0:
                            p, p_b = normal(m * front[t, j], b + front_b[t, j])
                            front[a, j], front_b[a, j] = add(front[a, j], front_b[a, j], p, p_b)
                if leave[state] > 0.0:
                    i = index[first[node] + a]
                    p, p_b = normal(m * leave[state], b + leave_b[state])
                    leave[i], leave_b[i] = add(leave[i], leave_b[i], p, p_b)
                if s > 0.0:
                    m, b = normal(m / s, b - s_b)
                into[at + a - t], into_b[at + a - t] = m, b
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
                more = np.empty(2 * len(values) + g * g)
                more[:values_top] = values[:values_top]
                values = more
                bands = _wider_index(bands, values_top, g * g)
            for a in range(g):
                stacked[stacked_top + a] = sets[begin[high - 1] + a]
                for d in range(g):
                    values[values_top + a * g + d] = front[pivots + a, pivots + d]
                    bands[values_top + a * g + d] = front_b[pivots + a, pivots + d]
            stacked_top += g
            values_top += g * g
            sizes[depth] = g
            depth += 1
    return first, index, place, onward, onward_b, into, into_b


@njit(cache=True)
def _wider_index(old: Index, used: int, more: int) -> Index:
    new = np.empty(2 * len(old) + more, np.int32)
    new[:used] = old[:used]
    return new


# ---------------------------------------------------------------- solves
@njit(cache=True)
def solve(
    order: Index,
    starts: Index,
    first: IntArray,
    index: Index,
    place: IntArray,
    forth: FloatArray,
    forth_b: Index,
    back: FloatArray,
    back_b: Index,
    total: FloatArray,
    total_b: Index,
    value: FloatArray,
    value_b: BandArray,
) -> None:
    """Solve with what `eliminate` returned, in place.

    With `forth` the entries `into` and `back` those `onward`, the cost of a step from each state
    becomes the mean total cost; the other way round, the weight with which a walk starts in each
    state becomes the mean number of visits. `total` is `into`, where the totals stand. Sums are
    made in twice the precision: many clusters alike round alike, and would add up.
    """
    nodes = len(starts) - 1
    low = np.zeros(len(value))
    for node in range(nodes):
        for k in range(starts[node], starts[node + 1]):
            m, rest, b = value[order[k]], low[order[k]], value_b[order[k]]
            if m == 0.0:
                continue
            shift = first[node] + k - starts[node] - place[k]
            for at in range(place[k] + 1, place[k + 1]):
                if forth[at] > 0.0:
                    i = index[shift + at]
                    p, q, p_b = normal_twice(m * forth[at], rest * forth[at], b + forth_b[at])
                    value[i], low[i], value_b[i] = add_twice(
                        value[i], low[i], value_b[i], p, q, p_b
                    )
    for node in range(nodes - 1, -1, -1):
        for k in range(starts[node + 1] - 1, starts[node] - 1, -1):
            state = order[k]
            m, rest, b = 0.0, 0.0, 0
            if value[state] != 0.0:
                rate, rate_b = total[place[k]], total_b[place[k]]
                m, rest, b = normal_twice(
                    value[state] / rate, low[state] / rate, value_b[state] - rate_b
                )
            shift = first[node] + k - starts[node] - place[k]
            for at in range(place[k] + 1, place[k + 1]):
                i = index[shift + at]
                if back[at] > 0.0 and value[i] != 0.0:
                    p, q, p_b = normal_twice(
                        back[at] * value[i], back[at] * low[i], back_b[at] + value_b[i]
                    )
                    m, rest, b = add_twice(m, rest, b, p, q, p_b)
            value[state], low[state], value_b[state] = m, rest, b
    for i in range(len(value)):
        value[i], value_b[i] = normal(value[i] + low[i], value_b[i])
