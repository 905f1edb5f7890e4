r"""The chain watched on a set: Meyer's stochastic complement.

S_C = P_CC + P_C* (I - P_**)^-1 P_*C, * the states outside C, is the chain watched on C.

Proofs. *Law.* S_C is stochastic and irreducible as P is, and pi conditioned on C is its law: visits
to C are a chain, whose ergodic averages are those of P. With the coupling matrix
A_kl = sum_{x in C_k} pi_k(x) P(x, C_l), of law xi, pi(x) = xi_k pi_k(x) on C_k.

*Gap.* For f on C let F be f on C and E_x f(X_{tau_C}) outside. There (I - P) F = 0, and on C
(I - P) F = (I - S_C) f; so E_P(F, F) = <F, (I - P) F>_pi = pi(C) E_S(f, f). And Var_pi F, the
least over c of the mean of (F - c)^2, is at least pi(C) Var_{pi_C} f. So gap(P) <= gap(S_C).

*Restriction.* Let R_C be P restricted to C, the mass that leaves put on the diagonal, and
D = S_C - P_CC. Then E_S(f, f) = E_R(f, f) + 1/2 sum pi_C(x) D(x, y) (f(x) - f(y))^2. The last term
is >= 0 and at most sum pi_C(x) D(x, y) (f(x)^2 + f(y)^2), that is, at most
sum pi_C(x) (gamma(x) + gamma*(x)) f(x)^2: D has row sums gamma(x) = P(x, C^c), and pi_C D has
column sums pi_C(x) gamma*(x), gamma* the same for the time reversal. For f of mean 0, this is at
most 2 gamma Var f.

Reversibility is not needed, as long as the gap of a chain that is not reversible is that of
(P + P*)/2; for 1 - Re(lambda_2) the first inequality is false. Irreducibility is what makes
I - P_** invertible and the law unique.
"""

from __future__ import annotations

from collections.abc import Collection
from fractions import Fraction

from theory.bounds.base import (
    Bound,
    Data,
    FiniteChain,
    Hypothesis,
    HypothesisFails,
    Interval,
    Number,
    irreducible,
)
from theory.bounds.common import (
    Clusters,
    as_given,
    gap_bounds,
    leaving,
    partition,
    place,
    restriction,
)


def uncoupled_law(chain: FiniteChain, clusters: Clusters) -> tuple[Number, ...]:
    """The stationary law from the laws of the complements and of the coupling matrix.

    Nothing here uses the stationary law of the whole chain.

    Raises
    ------
    HypothesisFails
        The chain is not irreducible.
    """
    within = [FiniteChain(chain.watched(cluster).rows).law for cluster in clusters]
    return coupled_law(chain, clusters, within)


def coupled_law(
    chain: FiniteChain, clusters: Clusters, within: Collection[tuple[Number, ...]]
) -> tuple[Number, ...]:
    """Laws within the clusters, weighted by the law of the coupling matrix that they define.

    Parameters
    ----------
    within : for each cluster a law on its states, in increasing order.

    Raises
    ------
    HypothesisFails
        The coupling matrix is not irreducible.
    """
    at = place(clusters)
    share = {
        x: mass
        for cluster, law in zip(clusters, within, strict=True)
        for x, mass in zip(sorted(set(cluster)), law, strict=True)
    }
    weight = coupling(chain, clusters, share).law
    return tuple(weight[at[x]] * share[x] for x in chain.states)


def coupling(chain: FiniteChain, clusters: Clusters, share: dict[int, Number]) -> FiniteChain:
    """The coupling matrix of laws within the clusters, given by state."""
    at = place(clusters)
    rows: list[dict[int, Number]] = [{} for _ in clusters]
    for x, row in enumerate(chain.rows):
        for y, p in row.items():
            if at[y] != at[x]:
                rows[at[x]][at[y]] = rows[at[x]].get(at[y], 0) + share[x] * p
    return FiniteChain(tuple({y: p for y, p in row.items() if p} for row in rows))


def _law(chain: FiniteChain, clusters: Clusters, state: int) -> Interval:
    value = uncoupled_law(chain, clusters)[state]
    return Interval(value, value)


def _check_several(chain: FiniteChain, data: Data) -> None:
    states = set(data["C"])
    title = "C has two states"
    odd = sorted(states - set(chain.states), key=str)
    if odd:
        raise HypothesisFails(title, f"{odd} are no states", f"give states 0..{chain.size - 1}")
    if len(states) < 2:
        raise HypothesisFails(title, f"it has {len(states)}", "give two at least")


several = Hypothesis("C has two states", _check_several)


def _check_state(chain: FiniteChain, data: Data) -> None:
    if data["state"] not in chain.states:
        raise HypothesisFails(
            "state is a state", f"there is no {data['state']}", f"give 0..{chain.size - 1}"
        )


def _gap(chain: FiniteChain, C: Collection[int]) -> Interval:
    bounds = gap_bounds(chain.watched(C))
    assert bounds is not None  # two states at least
    return Interval(upper=as_given(chain, bounds[1]))


def _watched_gap(chain: FiniteChain, C: Collection[int]) -> Interval:
    bounds = gap_bounds(restriction(chain, C))
    assert bounds is not None  # two states at least
    halves = [set(C), set(chain.states) - set(C)]
    out, back = leaving(chain, halves), leaving(chain.reversed(), halves)
    rate = max(Fraction(out[x]) + Fraction(back[x]) for x in set(C))
    return Interval(as_given(chain, bounds[0]), as_given(chain, bounds[1] + rate))


law = Bound(
    id="stochastic-complement-law",
    title="Stationary law by uncoupling and coupling",
    statement=r"Let $C_1, \dots, C_K$ partition the states of an irreducible chain, $\pi_k$ be the "
    r"law of the stochastic complement $S_{kk} = P_{kk} + P_{k*} (I - P_{**})^{-1} P_{*k}$, and "
    r"$\xi$ that of the coupling matrix $A_{kl} = \sum_{x \in C_k} \pi_k(x) P(x, C_l)$. Then "
    r"$\pi(x) = \xi_k \pi_k(x)$ for $x \in C_k$.",
    source="C. D. Meyer 1989 (coupling theorem)",
    quantity="stationary-probability",
    sides=("lower", "upper"),
    hypotheses=(irreducible, partition, Hypothesis("state is a state", _check_state)),
    formula=_law,
    data={
        "clusters": "disjoint sets of states, two at least, that cover all",
        "state": "the state x",
    },
    equality="always: an identity",
)

gap = Bound(
    id="stochastic-complement-gap",
    title="A chain is no faster than the chain watched on a set",
    statement=r"For an irreducible chain and a set $C$ of two states or more, "
    r"$\mathrm{gap}(P) \le \mathrm{gap}(S_C)$, $S_C$ the stochastic complement. Where a chain is "
    r"not reversible, its gap is here that of $(P + P^*)/2$.",
    source="after C. D. Meyer 1989; proof with the code",
    quantity="spectral-gap",
    sides=("upper",),
    hypotheses=(irreducible, several),
    formula=_gap,
    data={"C": "a set of two states or more"},
    equality="the lazy star watched on its leaves: the slowest mode is 0 at the hub",
)

watched_gap = Bound(
    id="watched-chain-gap",
    title="Watched and restricted chain",
    statement=r"For an irreducible chain and a set $C$ of two states or more, let $S_C$ be the "
    r"stochastic complement, $R_C$ the restriction and "
    r"$2\gamma = \max_{x \in C} (P(x, C^c) + P^*(x, C^c))$. Then "
    r"$\mathrm{gap}(R_C) \le \mathrm{gap}(S_C) \le \mathrm{gap}(R_C) + 2 \gamma$. Where a chain is "
    r"not reversible, its gap is here that of the reversible chain with the same Dirichlet form.",
    source="after C. D. Meyer 1989; proof with the code",
    quantity="watched-spectral-gap",
    sides=("lower", "upper"),
    hypotheses=(irreducible, several),
    formula=_watched_gap,
    data={"C": "a set of two states or more"},
    equality="lower: a set with one gate, to which every excursion returns; upper: two states that "
    "are left alike, each excursion ending at the other",
)
