r"""The error of aggregation: of the stationary law (Simon-Ando, Courtois), and of hitting times.

Sensitivity of a stationary law. The ergodicity coefficient of the group inverse of I - P is
tau(P) = 1/2 max_{i,j} sum_l pi(l) |m_il - m_jl|, m_il = E_i tau_l (m_ll = 0): by
(I - P)^#_jl = pi(l) (c_l - m_jl) it is half the largest L^1 distance of two of its rows. From
pi - pi' = pi (P - P') (I - P')^#, ||pi - pi'||_1 <= tau(P') max_x ||P(x, .) - P'(x, .)||_1.

Law by aggregation. Each P_kk is completed to a stochastic matrix B_k >= P_kk of law v_k; xi~ is the
law of the coupling matrix A~ of the v_k, and pi~ = sum_k xi~_k v_k. Let gamma_k be the largest
probability of leaving C_k, and w_k the largest L^1 distance of two rows of C_k in the lumped
matrix P(x, C_l). With d_k = min(2, 2 gamma_k tau(B_k)),
||pi - pi~||_1 <= max_k d_k + tau(A~) max_k d_k w_k/2.
Proof. The stochastic complement S_k, of law pi_k, and B_k are both P_kk plus something >= 0 with
the same row sums, so their rows are 2 gamma_k apart at most, and ||pi_k - v_k||_1 <= d_k. So row k
of A - A~, (pi_k - v_k) P(., C_l), is at most d_k w_k/2 long, and ||xi - xi~||_1 is at most
tau(A~) max_k d_k w_k/2. Last, ||pi - pi~||_1 <= sum_k xi_k ||pi_k - v_k||_1 + ||xi - xi~||_1.
Irreducibility of P itself is not needed: the argument holds for each of its stationary laws, with
any completion of P_kk in place of S_k where S_k is not defined.

Hitting times by aggregation. Let h(x) = E_x tau_{C_l}, and nu_k be the law on C_k of the entry by a
stationary move from outside, nu_jk that of a move from C_j. Stationarity of pi on C_k, k != l, says
sum over moves into C_k of flow times h(end) = pi(C_k) + sum over moves out of flow times h(end).
Divided by pi(C_k) A_k, A_k = sum_{m != k} A_km, with a_k the mean of h under nu_k,
    A_k a_k = 1 + sum_{m != k, l} A_km (a_m + e_km),   e_km = sum_y (nu_km - nu_m)(y) h(y).
Without the e_km these are the equations of t_k, the hitting time of l by A. So a_k - t_k is the
mean of the sum of e_ij over the jumps i -> j != l that A makes from k before l. For x, y in C_j,
h(x) <= E_x min(tau_y, tau_{C_l}) + h(y), so h varies on C_j by H_j = max E_x min(tau_y, tau_{C_l})
at most, and |e_ij| <= TV(nu_ij, nu_j) H_j. From a law mu on C_k instead of nu_k the mean differs by
TV(mu, nu_k) H_k at most. And tau_B for B in C_l is tau_{C_l} plus the time from the entry into C_l.
No condition on the size of anything enters. If each cluster is entered by the same law whence ever
one comes, as by a single gate, then E_{nu_k} tau_{C_l} = t_k exactly.

Commute times. With S_j the stochastic complement of C_j, E_x tau_y is the sum over z in C_j of the
visits of S_j to z before y, times the mean time r(z) from z until C_j is visited again. The visits
are at most pi_j(z) c_j, c_j the largest commute time of S_j, and sum_z pi_j(z) r(z) = 1/pi(C_j)
(Kac). So E_x tau_y <= c_j/pi(C_j).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence

from theory.bounds.base import (
    Bound,
    Data,
    FiniteChain,
    Hypothesis,
    HypothesisFails,
    Interval,
    Number,
    harmonic,
    irreducible,
    mean_hitting_times,
)
from theory.bounds.common import (
    Clusters,
    absolute,
    add,
    aggregated,
    leaving,
    partition,
    place,
    zero,
)
from theory.bounds.stochastic_complement import coupled_law, coupling

Start = int | Mapping[int, Number]
Blocks = Sequence[FiniteChain]


# ---------------------------------------------------------------- sensitivity of a law
def sensitivity(chain: FiniteChain) -> Number:
    """tau(P), half the largest L^1 distance of two rows of the group inverse of I - P.

    Raises
    ------
    HypothesisFails
        The chain is not irreducible.
    """
    law = chain.law
    times = [mean_hitting_times(chain, {y}) for y in chain.states]
    return max(
        add(chain, (p * absolute(m[x] - m[y]) for p, m in zip(law, times, strict=True))) / 2
        for x in chain.states
        for y in range(x + 1)
    )


def _distance(chain: FiniteChain, other: FiniteChain) -> Number:
    """The largest L^1 distance between rows of two chains on the same states."""
    return max(
        add(
            chain,
            (absolute(chain.probability(x, y) - other.probability(x, y)) for y in chain.states),
        )
        for x in chain.states
    )


def _perturbation(chain: FiniteChain, other: FiniteChain) -> Interval:
    return Interval(upper=sensitivity(other) * _distance(chain, other))


def _check_other(chain: FiniteChain, data: Data) -> None:
    other: FiniteChain = data["other"]
    if other.size != chain.size:
        raise HypothesisFails(
            "other is irreducible on the same states",
            f"it has {other.size} states, not {chain.size}",
            "give a chain on the same states",
        )
    _rename("other is irreducible on the same states", other, "it")


def _rename(name: str, chain: FiniteChain, what: str) -> None:
    """Check that a chain is irreducible, as a hypothesis of another name."""
    try:
        irreducible.check(chain, {})
    except HypothesisFails as error:
        detail = str(error).partition(" fails: ")[2].partition(";")[0]
        raise HypothesisFails(
            name, f"{what} is reducible: {detail}", "add the missing transitions"
        ) from None


perturbation = Bound(
    id="law-perturbation",
    title="Perturbation of the stationary law",
    statement=r"Let $P'$ be irreducible on the states of $P$, and $\tau(P')$ half the largest "
    r"$L^1$ distance of two rows of $(I - P')^\#$. Then every stationary law of $P$ satisfies "
    r"$\|\pi - \pi'\|_1 \le \tau(P') \max_x \|P(x, \cdot) - P'(x, \cdot)\|_1$.",
    source="E. Seneta 1988; survey: G. E. Cho and C. D. Meyer 2001",
    quantity="law-distance",
    sides=("upper",),
    hypotheses=(Hypothesis("other is irreducible on the same states", _check_other),),
    formula=_perturbation,
    data={"other": "the chain P'"},
    equality="all rows moved by the same multiple of e_i - e_j, i and j the rows of the "
    "group inverse that are farthest apart",
)


# ---------------------------------------------------------------- law by aggregation
def aggregated_law(
    chain: FiniteChain, clusters: Clusters, blocks: Blocks | None = None
) -> tuple[Number, ...]:
    """The approximation pi~ of the stationary law.

    Parameters
    ----------
    blocks : irreducible chains on the clusters, states in increasing order, at least P_kk entry by
        entry; the restrictions unless given.

    Raises
    ------
    HypothesisFails
        A block or the coupling matrix is not irreducible.
    """
    return coupled_law(chain, clusters, [block.law for block in _blocks(chain, clusters, blocks)])


def _blocks(chain: FiniteChain, clusters: Clusters, blocks: Blocks | None) -> Blocks:
    if blocks is not None:
        return blocks
    rows = []
    for cluster in clusters:
        number = {x: n for n, x in enumerate(sorted(set(cluster)))}
        rows.append(
            tuple({number[y]: p for y, p in chain.rows[x].items() if y in number} for x in number)
        )
    return [FiniteChain(block) for block in rows]


def _coupling(chain: FiniteChain, clusters: Clusters, blocks: Blocks) -> FiniteChain:
    share = {
        x: mass
        for cluster, block in zip(clusters, blocks, strict=True)
        for x, mass in zip(sorted(set(cluster)), block.law, strict=True)
    }
    return coupling(chain, clusters, share)


def _law_error(chain: FiniteChain, clusters: Clusters, blocks: Blocks | None = None) -> Interval:
    parts = _blocks(chain, clusters, blocks)
    out = leaving(chain, clusters)
    at = place(clusters)
    inner, outer = zero(chain), zero(chain)
    for cluster, block in zip(clusters, parts, strict=True):
        if len(set(cluster)) == 1:
            continue
        d = min(2 * max(out[x] for x in cluster) * sensitivity(block), 2)
        lumped = []
        for x in set(cluster):
            row = [zero(chain)] * len(clusters)
            for y in chain.states:
                row[at[y]] += chain.probability(x, y)
            lumped.append(row)
        spread = max(
            add(chain, (absolute(a - b) for a, b in zip(row, other, strict=True)))
            for row in lumped
            for other in lumped
        )
        inner = max(inner, d)
        outer = max(outer, d * spread / 2)
    bound = inner + sensitivity(_coupling(chain, clusters, parts)) * outer
    return Interval(upper=min(bound, zero(chain) + 2))


def _check_blocks(chain: FiniteChain, data: Data) -> None:
    name = "blocks complete the clusters"
    if data.get("blocks") is None:
        return
    clusters, blocks = data["clusters"], data["blocks"]
    if [block.size for block in blocks] != [len(set(cluster)) for cluster in clusters]:
        raise HypothesisFails(
            name, "their sizes are not the clusters'", "give one for each cluster"
        )
    for k, (cluster, block) in enumerate(zip(clusters, blocks, strict=True)):
        kept = sorted(set(cluster))
        for a, x in enumerate(kept):
            for b, y in enumerate(kept):
                have, need = block.probability(a, b), chain.probability(x, y)
                # Against 1, not against each other: a float diagonal is a rounded difference.
                if need - have > (0 if chain.exact and block.exact else 1e-12):
                    raise HypothesisFails(
                        name,
                        f"block {k} has {have} from {x} to {y}, less than {need}",
                        "add to the entries of P within the cluster, and take nothing away",
                    )


def _check_irreducible_blocks(chain: FiniteChain, data: Data) -> None:
    for k, block in enumerate(_blocks(chain, data["clusters"], data.get("blocks"))):
        _rename("blocks are irreducible", block, f"block {k}")


def _check_coupling(chain: FiniteChain, data: Data) -> None:
    clusters = data["clusters"]
    blocks = _blocks(chain, clusters, data.get("blocks"))
    _rename("coupling is irreducible", _coupling(chain, clusters, blocks), "the coupling matrix")


law_error = Bound(
    id="aggregation-law",
    title="Aggregation error of the stationary law",
    statement=r"Let $C_1, \dots, C_K$ partition the states, $B_k \ge P_{kk}$ be irreducible "
    r"stochastic matrices of laws $v_k$, $\tilde\xi$ the law of their coupling matrix $\tilde A$ "
    r"and $\tilde\pi = \sum_k \tilde\xi_k v_k$. With $\gamma_k = \max_{x \in C_k} P(x, C_k^c)$, "
    r"$w_k = \max_{x, y \in C_k} \sum_l |P(x, C_l) - P(y, C_l)|$, $\tau$ half the largest $L^1$ "
    r"distance of two rows of the group inverse of $I - \cdot$, and "
    r"$d_k = \min(2, 2 \gamma_k \tau(B_k))$ (0 for a single state), "
    r"$\|\pi - \tilde\pi\|_1 \le \max_k d_k + \tau(\tilde A) \max_k d_k w_k/2$.",
    source="after H. A. Simon and A. Ando 1961 and P.-J. Courtois 1977; proof with the code",
    quantity="aggregation-error",
    sides=("upper",),
    hypotheses=(
        partition,
        Hypothesis("blocks complete the clusters", _check_blocks),
        Hypothesis("blocks are irreducible", _check_irreducible_blocks),
        Hypothesis("coupling is irreducible", _check_coupling),
    ),
    formula=_law_error,
    data={"clusters": "disjoint sets of states, two at least, that cover all"},
    optional={"blocks": "the chains B_k, states in increasing order; default: the restrictions"},
    equality="clusters left alike from all their states and entered at one state, and "
    "blocks that put the mass that leaves on another, the two farthest apart in the group inverse",
)


# ---------------------------------------------------------------- hitting times by aggregation
def entrance_laws(
    chain: FiniteChain, clusters: Clusters
) -> tuple[list[dict[int, Number]], dict[tuple[int, int], dict[int, Number]]]:
    """The laws nu_k, and nu_jk by pair (j, k) with a move from C_j to C_k."""
    at = place(clusters)
    whole: list[dict[int, Number]] = [{} for _ in clusters]
    pairs: dict[tuple[int, int], dict[int, Number]] = {}
    for x, y, q in chain.flows():
        if at[x] != at[y]:
            for law in (whole[at[y]], pairs.setdefault((at[x], at[y]), {})):
                law[y] = law.get(y, 0) + q
    return [_normalised(law) for law in whole], {k: _normalised(law) for k, law in pairs.items()}


def _normalised(weights: Mapping[int, Number]) -> dict[int, Number]:
    total = sum(weights.values())
    return {x: w / total for x, w in weights.items()}


def variation(chain: FiniteChain, a: Mapping[int, Number], b: Mapping[int, Number]) -> Number:
    """Total variation distance of two laws on states."""
    return add(chain, (absolute(a.get(x, 0) - b.get(x, 0)) for x in a.keys() | b.keys())) / 2


def _within(chain: FiniteChain, cluster: Collection[int], target: Collection[int]) -> Number:
    """H_j = max over x, y in the cluster of E_x min(tau_y, tau_target)."""
    times = [mean_hitting_times(chain, {y, *target}) for y in set(cluster)]
    return max(time[x] for time in times for x in set(cluster))


def commute_scale(chain: FiniteChain, cluster: Collection[int]) -> Number:
    """c_j/pi(C_j), c_j the largest commute time of the stochastic complement of the cluster."""
    watched = chain.watched(cluster)
    times = [mean_hitting_times(watched, {y}) for y in watched.states]
    return max(times[x][y] + times[y][x] for x in watched.states for y in watched.states) / (
        chain.mass(cluster)
    )


def _hitting(
    chain: FiniteChain,
    clusters: Clusters,
    start: Start,
    target: Collection[int],
    scale: Callable[[Collection[int]], Number],
    after: Callable[[Collection[int], Collection[int]], tuple[Number, Number]],
) -> Interval:
    law = {start: zero(chain) + 1} if isinstance(start, int) else start
    at = place(clusters)
    k, end = at[next(iter(law))], at[next(iter(target))]
    A = aggregated(chain, clusters)
    whole, pairs = entrance_laws(chain, clusters)
    spread = [zero(chain) if j == end else scale(cluster) for j, cluster in enumerate(clusters)]
    drift = [
        add(A, (p * variation(chain, pairs[i, j], whole[j]) * spread[j] for j, p in row.items()))
        for i, row in enumerate(A.rows)
    ]
    boundary = {end: zero(chain)}
    time = mean_hitting_times(A, {end})[k]
    error = harmonic(A, boundary, drift)[k] + variation(chain, law, whole[k]) * spread[k]
    least, most = zero(chain), zero(chain)
    if not set(target) >= whole[end].keys():
        least, most = after(whole[end].keys(), clusters[end])
    return Interval(max(time - error + least, zero(chain)), time + error + most)


def _by_hitting(
    chain: FiniteChain, clusters: Clusters, start: Start, target: Collection[int]
) -> Interval:
    end = clusters[place(clusters)[next(iter(target))]]

    def after(gates: Collection[int], cluster: Collection[int]) -> tuple[Number, Number]:
        times = mean_hitting_times(chain, set(target))
        return min(times[z] for z in gates), max(times[z] for z in gates)

    return _hitting(
        chain, clusters, start, target, lambda cluster: _within(chain, cluster, end), after
    )


def _by_commuting(
    chain: FiniteChain, clusters: Clusters, start: Start, target: Collection[int]
) -> Interval:
    return _hitting(
        chain,
        clusters,
        start,
        target,
        lambda cluster: commute_scale(chain, cluster),
        lambda gates, cluster: (zero(chain), commute_scale(chain, cluster)),
    )


def _check_start(chain: FiniteChain, data: Data) -> None:
    name = "start is a state or a law on one cluster"
    start = data["start"]
    law = {start: 1} if isinstance(start, int) else start
    at = place(data["clusters"])
    if not law or not set(law) <= set(at):
        raise HypothesisFails(name, f"{sorted(law)} are not states", f"give 0..{chain.size - 1}")
    if any(p < 0 for p in law.values()) or abs(sum(law.values()) - 1) > (
        0 if chain.exact else 1e-12
    ):
        raise HypothesisFails(name, "the masses do not make a law", "give masses that sum to 1")
    if len({at[x] for x in law}) > 1:
        raise HypothesisFails(name, "it lies on several clusters", "take one cluster at a time")


def _check_target(chain: FiniteChain, data: Data) -> None:
    name = "target lies in one other cluster"
    start, target = data["start"], set(data["target"])
    first = start if isinstance(start, int) else next(iter(start))
    at = place(data["clusters"])
    if not target or not target <= set(at):
        raise HypothesisFails(name, f"{sorted(target)} are not states", "give some states")
    found = {at[y] for y in target}
    if len(found) > 1:
        raise HypothesisFails(
            name, "it lies in several clusters", "merge them, or take one of them"
        )
    if at[first] in found:
        raise HypothesisFails(name, "the start lies in the same one", "take another cluster")


SETTING = (
    r"Let $C_1, \dots, C_K$ partition the states of an irreducible chain, $A$ be the aggregated "
    r"chain, $t_k$ its mean time from $k$ to hit $l \ne k$, and $\nu_k$, $\nu_{jk}$ the laws "
    r"on $C_k$ of the entry by a stationary move from outside, from $C_j$. For a law "
    r"$\mu$ on $C_k$ and $B \subseteq C_l$ let $e = \mathrm{TV}(\mu, \nu_k) H_k + "
    r"\mathbb{E} \sum \mathrm{TV}(\nu_{ij}, \nu_j) H_j$, "
    r"the sum over the jumps $i \to j \ne l$ that $A$ makes from $k$ before $l$. "
)

hitting_time = Bound(
    id="aggregation-hitting-time",
    title="Hitting time between clusters by aggregation",
    statement=SETTING
    + r"With $H_j = \max_{x, y \in C_j} \mathbb{E}_x \min(\tau_y, \tau_{C_l})$ and $z$ over the "
    + r"states of $C_l$ that can be entered from outside, "
    + r"$t_k - e + \min_z \mathbb{E}_z \tau_B \le "
    + r"\mathbb{E}_\mu \tau_B \le t_k + e + \max_z \mathbb{E}_z \tau_B$. "
    + r"If entries do not depend on whence they come, $\mathbb{E}_{\nu_k} \tau_{C_l} = t_k$.",
    source="after H. A. Simon and A. Ando 1961; proof with the code",
    quantity="mean-hitting-time",
    sides=("lower", "upper"),
    hypotheses=(
        irreducible,
        partition,
        Hypothesis("start is a state or a law on one cluster", _check_start),
        Hypothesis("target lies in one other cluster", _check_target),
    ),
    formula=_by_hitting,
    data={
        "clusters": "disjoint sets of states, two at least, that cover all",
        "start": "a state, or masses by state of one cluster",
        "target": "a set of states of another cluster",
    },
    equality="both sides: start by the entrance law, every cluster with one entrance; clusters of "
    "one state. Lower: from the exit of a pair that is entered at its other state. Upper: from the "
    "state behind the one gate of a pair",
)

hitting_time_by_commuting = Bound(
    id="aggregation-hitting-time-commute",
    title="Hitting time between clusters by commute times within them",
    statement=SETTING
    + r"With $H_j = c_j/\pi(C_j)$, $c_j$ the largest commute time of the stochastic complement of "
    + r"$C_j$, $t_k - e \le \mathbb{E}_\mu \tau_B \le t_k + e + H_l$, where $H_l$ may be left out "
    + r"if $C_l$ is entered in $B$ only.",
    source="after H. A. Simon and A. Ando 1961; proof with the code",
    quantity="mean-hitting-time",
    sides=("lower", "upper"),
    hypotheses=hitting_time.hypotheses,
    formula=_by_commuting,
    data=hitting_time.data,
    equality="as for H_j = max E_x min(tau_y, tau_C_l) where clusters have one entrance",
)
