"""R6 in theory: the rescaled chain, its hitting time, its escapes, and how many label steps."""

import itertools
import json
import math
import random
from fractions import Fraction

import pytest
import sympy
from scipy import stats

from numerics import exact, quantities
from numerics.algorithms.task import of_family
from numerics.chain import Chain
from numerics.rows import concrete
from theory import checker
from theory.catalogue import derivation, load
from theory.claims import NoClaim
from theory.domain import evaluate
from theory.results import distillation as theory

FAMILIES = {
    "complete": {"K": 5, "M": 4},
    "ring": {"K": 5, "M": 5, "d": 2},
    "star": {"K": 5, "M": 3},
    "unequal": {"K_1": 2, "K_2": 3, "M_1": 2, "M_2": 5},
    "clique/torus-3/gate": {"M": 3},
    "clique/ring/in-out": {"K": 4, "M": 3, "d": 1},
    "star/ring/gate": {"K": 4, "M": 4, "d": 2},
}
SIZES = {"K_1": 3, "K_2": 2, "M_1": 3, "M_2": 2}
SLOW = {
    "path": {"K": 5, "M": 3, "d": 3},
    "lazy-cycle/ring/gate": {"K": 4, "M": 6, "d": 1, "h": 3},
}
EPSILONS = [Fraction(1, 3), Fraction(1, 10**4), Fraction(1, 10**9)]


def at(name, epsilon, sizes):
    family = load(name)
    given = {k: Fraction(v) for k, v in sizes.items()} | {"epsilon": Fraction(epsilon)}
    return family, family.domain.complete(given)


def random_chain(size, seed):
    """Strongly connected, with leaving probabilities of many sizes."""
    draw = random.Random(seed)
    entries = []
    for k in range(size):
        out = [draw.randrange(0, 9) for _ in range(size)]
        out[(k + 1) % size] += 1
        total = sum(out) * draw.choice((2, 30, 1000))
        entries += [(k, l, Fraction(x, total)) for l, x in enumerate(out) if l != k and x]
    return Chain.from_entries(map(str, range(size)), entries)


def leaving(chain):
    found = [Fraction(0)] * chain.size
    for k, _, p in chain.exact_entries():
        found[k] += p
    return found


def rescaled(chain, b):
    """From the definition: beta on the off-diagonal logits, then the softmax."""
    out = leaving(chain)
    entries = [
        (k, l, b * p / (1 - out[k] + b * out[k]))  # weights e^logit: 1 - a, and b p
        for k, l, p in chain.exact_entries()
    ]
    return Chain.from_entries(chain.states, entries)


def jump_chain(chain):
    out = leaving(chain)
    return Chain.from_entries(
        chain.states, ((k, l, p / out[k]) for k, l, p in chain.exact_entries())
    )


def aggregated(chain, clusters):
    groups = [[x for x, c in enumerate(clusters) if c == k] for k in range(max(clusters) + 1)]
    return quantities.aggregated_matrix(chain, groups, "exact").value


def time(chain, start, goal):
    return exact.mean_hitting_times(chain, (goal,))[start]


def jump_rows(chain):
    out = leaving(chain)
    rows = [[Fraction(0)] * chain.size for _ in out]
    for k, l, p in chain.exact_entries():
        rows[k][l] = p / out[k]
    return rows


def variation(first, second):
    rows = zip(jump_rows(first), jump_rows(second), strict=True)
    return max(sum(abs(x - y) for x, y in zip(*pair, strict=True)) / 2 for pair in rows)


def meets_first(chain, start, one, other):
    """P_start(one is met before other), exactly."""
    return quantities.committor(chain, (one,), (other,), "exact").value[start]


# ---------------------------------------------------------------- one row
@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("b", [Fraction(1), Fraction(7, 2), Fraction(10**6)])
def test_rescaling_keeps_the_jumps_and_shortens_the_stay(seed, b):
    chain = random_chain(5, seed)
    after = rescaled(chain, b)
    assert jump_rows(after) == jump_rows(chain)
    before, later = leaving(chain), leaving(after)
    for x, y in zip(before, later, strict=True):
        at_ = {"a": x, "b": b}
        assert evaluate(theory.LEAVING, at_) == y == 1 / evaluate(theory.HOLDING, at_)
        assert evaluate(theory.LEAVING, {"a": x, "b": b + 1}) != y
        assert y / (1 - y) == b * x / (1 - x)


@pytest.mark.parametrize("seed", range(6))
def test_the_hitting_time_is_a_sum_of_jumps_and_stays(seed):
    """E' = J + (T - J)/b, whatever the leaving probabilities."""
    chain = random_chain(6, seed)
    T, J = time(chain, 0, 4), time(jump_chain(chain), 0, 4)
    assert len(set(leaving(chain))) > 1
    for b in (Fraction(1), Fraction(9, 4), Fraction(10**5)):
        found = time(rescaled(chain, b), 0, 4)
        assert found == J + (T - J) / b
        assert found != J + T / b
    # One leaving probability for all does not do: T is no multiple of J here.
    a = leaving(chain)[0]
    assert T * a != J


@pytest.mark.parametrize(
    "name", [*FAMILIES, *(pytest.param(n, marks=pytest.mark.slow) for n in SLOW)]
)
def test_distilled_times_of_families(name, derivations):
    """The certified expression is what the aggregated matrix gives, rescaled; exactly."""
    sizes = (FAMILIES | SLOW)[name]
    found = theory.distilled(derivations.get(name) or derivation(load(name)))
    proof = found.claim.certificate
    assert checker.check(proof) == proof["statement"]
    for epsilon in EPSILONS:
        family, point = at(name, epsilon, sizes)
        task, truth = of_family(family, point)
        chain = aggregated(task.model, truth.clusters)
        start, goal = (truth.clusters[x] for x in (task.start, task.targets[0]))
        assert evaluate(found.jumps, point) == time(jump_chain(chain), start, goal)
        for b in (Fraction(1), Fraction(3), 1 / epsilon**2):
            value = evaluate(found.claim.expression, {**point, "b": b})
            assert value == time(rescaled(chain, b), start, goal)
            more = evaluate(found.claim.expression, {**point, "b": b * Fraction(101, 100)})
            assert more != value
    altered = json.loads(json.dumps(proof))
    altered["statement"]["claims"][0] += " - epsilon"
    with pytest.raises(checker.Refused):
        checker.check(altered)


@pytest.mark.parametrize("name", theory.JUMPS)
def test_numbers_of_jumps(name):
    """Of the jump chain of the aggregated matrix, exactly: free of epsilon and of the sizes."""
    for sizes in ((FAMILIES | SLOW)[name], {"K": 6, "M": 4, "d": 2, **SIZES}):
        names = {p.name for p in load(name).domain.parameters}
        for epsilon in EPSILONS[:2]:
            own = {n: x for n, x in sizes.items() if n in names}
            family, point = at(name, epsilon, own)
            task, truth = of_family(family, point)
            chain = jump_chain(aggregated(task.model, truth.clusters))
            start, goal = (truth.clusters[x] for x in (task.start, task.targets[0]))
            assert time(chain, start, goal) == evaluate(theory.JUMPS[name], point)


def test_the_orders_that_are_proved(derivations):
    """2 J at b = M/epsilon, 3 J for star-shaped clusters; of order K, or K^2 on a ring."""
    for name, most in {"complete": 2, "ring": 2, "star": 2, "star/ring/gate": 3}.items():
        found = theory.distilled(derivations.get(name) or derivation(load(name)))
        assert found.order is not None
        assert checker.check(found.order) == found.order["statement"]
        assert f"<= {most}*" in found.order["statement"]["claims"][1]
        altered = json.loads(json.dumps(found.order))
        altered["statement"]["claims"][1] = altered["statement"]["claims"][1].replace(
            f"<= {most}*", f"<= {most - 1}*"
        )
        with pytest.raises(checker.Refused):
            checker.check(altered)
    K, M, d, b, e = sympy.symbols("K M d b epsilon")
    ring = theory.distilled(derivations["ring"]).claim.expression
    full = theory.distilled(derivations["complete"]).claim.expression
    assert sympy.cancel(full - (K - 1) * (1 + M * (1 - e) / (b * e))) == 0
    assert sympy.cancel(ring - d * (K - d) * (1 + M * (1 - e) / (2 * b * e))) == 0


def test_what_is_not_derived_is_refused():
    with pytest.raises(NoClaim):
        theory.distilled(derivation(load("lazy-cycle/ring/in-out")))


CERTIFICATES = [
    theory.row_certificate,
    theory.skip_certificate,
    theory.ratio_certificate,
    theory.room_certificate,
]


@pytest.mark.parametrize("make", CERTIFICATES)
def test_certificates(make):
    proof = make()
    assert checker.check(proof) == proof["statement"]
    for number, claim in enumerate(proof["statement"]["claims"]):
        sign = next(s for s in (" <= ", " >= ", " < ") if s in claim)
        left, right = claim.split(sign)
        shifted = f"{left}{sign}{right} {'-' if '<' in sign else '+'} 2"
        altered = json.loads(json.dumps(proof))
        altered["statement"]["claims"][number] = shifted
        with pytest.raises(checker.Refused):
            checker.check(altered)


# ---------------------------------------------------------------- escapes
CLIQUES = {
    "complete": ({"K": 4, "M": 4}, 1),
    "ring": ({"K": 5, "M": 4}, 2),
    "path": ({"K": 4, "M": 4}, 2),
    "clique/ring/gates": ({"K": 4, "M": 5, "n": 3}, 3),
    "clique/ring/in-out": ({"K": 4, "M": 3}, 1),
}


@pytest.mark.parametrize("name", CLIQUES)
def test_cliques_have_uniform_escape(name):
    """A and the trace chain jump alike but for (n + 1) epsilon, whatever the representatives."""
    sizes, gates = CLIQUES[name]
    seen = []
    for epsilon in EPSILONS:
        family, point = at(name, epsilon, sizes)
        explicit = family.explicit(point)
        task, truth = of_family(family, point)
        meta = aggregated(task.model, truth.clusters)
        most = evaluate(theory.ESCAPE_VARIATION, {"n": Fraction(gates), "epsilon": epsilon})
        for i in range(int(point["M"])):
            chosen = [n for n, (_, j) in enumerate(explicit.states) if j == i]
            trace = exact.watched(task.model, chosen)
            found = variation(meta, trace)
            assert found <= most
            seen.append(found / epsilon)
    # Of order epsilon where there are several gates, and zero on the complete graph.
    assert (max(seen) == 0) == (name == "complete")
    if name != "complete":
        assert max(seen) > Fraction(1, 4)


def test_what_is_skipped():
    """`UNREACHED` and `SKIPPED`, by hitting probabilities on one clique."""
    M, n, epsilon = 6, 3, Fraction(1, 7)
    out = M  # a state outside, absorbing
    entries = [
        (x, y, ((1 - epsilon) if x < n else Fraction(1)) / M)
        for x, y in itertools.permutations(range(M), 2)
    ]
    entries += [(x, out, epsilon) for x in range(n)] + [(out, 0, Fraction(1, 2))]
    chain = Chain.from_entries(map(str, range(M + 1)), entries)
    away = quantities.committor(chain, (out,), (M - 1,), "exact").value
    point = {"n": Fraction(n), "epsilon": epsilon}
    assert sum(away[:M]) / M == evaluate(theory.UNREACHED, point)
    assert away[0] == evaluate(theory.SKIPPED, point)
    wrong = {"n": Fraction(n + 1), "epsilon": epsilon}
    assert away[0] != evaluate(theory.SKIPPED, wrong)


def test_the_trace_chain_of_the_complete_graph_leaves_at_rate_epsilon():
    """Order epsilon, free of M: log(1/epsilon) rescales it; A is M times slower."""
    for M in (3, 9):
        epsilon = Fraction(1, 50)
        family, point = at("complete", epsilon, {"K": 4, "M": M})
        task, truth = of_family(family, point)
        trace = exact.watched(task.model, [k * M for k in range(4)])
        assert set(leaving(trace)) == {epsilon}
        meta = aggregated(task.model, truth.clusters)
        assert set(leaving(meta)) == {epsilon / (M * (1 - epsilon) + epsilon)}
        # b = 1/epsilon gives J (2 - epsilon), and would leave A's chain at J (1 + M (1 - epsilon)).
        assert time(rescaled(trace, 1 / epsilon), 0, 1) == 3 * (2 - epsilon)
        assert time(rescaled(meta, 1 / epsilon), 0, 1) == 3 * (1 + M * (1 - epsilon))
        # Other representatives, V = n epsilon/(1 + n epsilon) to leave, less what comes back.
        others = exact.watched(task.model, [k * M + 1 for k in range(4)])
        once = epsilon / (1 + epsilon)
        assert all(Fraction(1, 2) * once < a < once for a in leaving(others))


def test_the_trace_keeps_escape_probabilities_on_any_chain():
    chain = random_chain(8, 11)
    kept = [0, 3, 5, 6]
    trace = exact.watched(chain, kept)
    for k, l, m in itertools.permutations(range(4), 3):
        before = meets_first(chain, kept[k], kept[l], kept[m])
        assert meets_first(trace, k, l, m) == before
        assert meets_first(rescaled(trace, Fraction(50)), k, l, m) == before
    merged = aggregated(chain, (0, 0, 1, 1, 2, 2, 3, 3))  # no clusters at all: A is wrong
    assert meets_first(merged, 0, 1, 2) != meets_first(chain, 0, 3, 5)


# ---------------------------------------------------------------- two rooms: A4 fails
ROOMS = [(4, 2, "1/9", "1/3", 1), (5, 3, "1", "1/1000", 2), (6, 2, "40", "1/100000000", 3)]


def room_problem(K, M, c, epsilon):
    explicit = theory.rooms(K, M, Fraction(c), Fraction(epsilon))
    return concrete(explicit), explicit.clusters


@pytest.mark.parametrize("K, M, c, epsilon, d", ROOMS)
def test_two_rooms_exactly(K, M, c, epsilon, d):
    chain, clusters = room_problem(K, M, c, epsilon)
    point = {"K": K, "M": M, "c": Fraction(c), "epsilon": Fraction(epsilon), "d": d}
    point = {name: Fraction(x) for name, x in point.items()}
    left = [2 * M * k for k in range(K)]
    right = [2 * M * k + M for k in range(K)]
    meta = aggregated(chain, clusters)
    true = time(chain, left[0], left[d])
    assert true == evaluate(theory.ROOM_TIME, point)
    assert time(meta, 0, d) == evaluate(theory.ROOM_TIME_DISTILLED, point)
    assert time(meta, 0, d) * (1 + 1 / point["c"]) == true
    # Out by the left room, from the left room, and as A has it.
    outside = [x for x, k in enumerate(clusters) if k != 1]
    before, after = ([x for x in outside if clusters[x] == k] for k in (0, 2))
    others = [x for x in outside if clusters[x] not in (0, 2)]
    exits = quantities.committor(chain, before, [*after, *others], "exact").value
    assert {exits[x] for x in range(2 * M, 3 * M)} == {evaluate(theory.ROOM_EXIT, point)}
    assert jump_rows(meta)[1][0] == jump_rows(meta)[1][2] == Fraction(1, 2)
    # Representatives: from left gate 1 to right gate 0, one sparse edge away, or to right gate 2.
    assert meets_first(chain, left[1], right[0], right[2]) == evaluate(theory.ROOM_ESCAPE, point)
    # Alike ones hide it, for the resistances between them are equal.
    assert meets_first(chain, left[1], left[0], left[2]) == Fraction(1, 2)


def test_the_trace_of_two_rooms_is_right_where_one_step_labels_are_not():
    """In its own clock: mean steps between visits by Kac's formula times its hitting time."""
    K, M, c, epsilon = 5, 3, Fraction(1, 4), Fraction(1, 10**6)
    chain, clusters = room_problem(K, M, c, epsilon)
    left = [2 * M * k for k in range(K)]
    law = exact.stationary(chain)
    trace = exact.watched(chain, left)
    wait = 1 / sum(law[x] for x in left)
    assert time(trace, 0, 2) * wait == time(chain, left[0], left[2])
    assert time(aggregated(chain, clusters), 0, 2) * 5 == time(chain, left[0], left[2])


def test_slow_clusters_lose_order_epsilon_over_their_rate():
    kappa = Fraction(1, 1000)
    for epsilon in (Fraction(1, 10**4), Fraction(1, 10**6)):
        c = kappa / epsilon
        chain, clusters = room_problem(4, 2, c, epsilon)
        lost = time(chain, 0, 4) / time(aggregated(chain, clusters), 0, 1) - 1
        assert lost == epsilon / kappa


@pytest.mark.parametrize(
    "wrong", [(2, 2, 1, "1/9"), (3, 1, 1, "1/9"), (3, 2, 0, "1/9"), (3, 2, 8, "1/9")]
)
def test_rooms_out_of_range(wrong):
    K, M, c, epsilon = wrong
    with pytest.raises(ValueError, match="need clusters"):
        theory.rooms(K, M, Fraction(c), Fraction(epsilon))


# ---------------------------------------------------------------- how many label steps
@pytest.mark.parametrize("labels", [2, 3, 8, 40])
@pytest.mark.parametrize("delta", [Fraction(1), Fraction(1, 3), Fraction(1, 1000)])
def test_ratios_stay_within_the_accuracy(labels, delta):
    def within(x):
        ratio = ((1 + x) / (1 - x)) ** (2 * (labels - 1))
        return ratio <= 1 + delta and 1 / ratio >= 1 - delta

    x = delta / (8 * (labels - 1))
    assert within(x)
    assert not within(4 * x)


@pytest.mark.parametrize("seed", range(5))
def test_times_move_no_more_than_the_odds_allow(seed):
    """Odds within a factor r change J and E' by at most its 2 (K - 1)-th power, exactly."""
    draw = random.Random(seed)
    chain, r, b = random_chain(5, seed), Fraction(11, 10), Fraction(20)
    out = leaving(chain)

    def with_odds(factors):
        odds = {(k, l): f * p / (1 - out[k]) for (k, l, p), f in zip(entries, factors, strict=True)}
        total = [sum((x for (k, _), x in odds.items() if k == n), Fraction(1)) for n in range(5)]
        return Chain.from_entries(
            chain.states, ((k, l, x / total[k]) for (k, l), x in odds.items())
        )

    entries = list(chain.exact_entries())
    assert list(with_odds([1] * len(entries)).exact_entries()) == entries
    true = [time(jump_chain(chain), 0, 3), time(rescaled(chain, b), 0, 3)]
    worst = Fraction(1)
    for _ in range(20):
        other = with_odds([draw.choice((1 / r, r)) for _ in entries])
        found = [time(jump_chain(other), 0, 3), time(rescaled(other, b), 0, 3)]
        for x, y in zip(true, found, strict=True):
            worst = max(worst, x / y, y / x)
    assert 1 < worst <= r**8


@pytest.mark.parametrize("p", [0.3, 1e-3, 1e-9])
def test_the_number_of_label_steps_does_what_it_says(p):
    """Chernoff's bound against the exact binomial law, for one of the E + K numbers."""
    labels, edges, delta, alpha = 4, 6, Fraction(1, 5), Fraction(1, 100)
    low, high = theory.samples(labels, edges, Fraction(p), delta, alpha)
    assert low <= high <= low * Fraction(1000001, 1000000)
    value = 192 * 9 * math.log(2 * 10 / 0.01) / (0.04 * p)
    assert float(high) == pytest.approx(value, rel=1e-12)
    n, x = math.ceil(high), 0.2 / 24
    law = stats.binom(n, p)
    outside = law.cdf(math.ceil(n * p * (1 - x)) - 1) + law.sf(math.floor(n * p * (1 + x)))
    assert outside <= 0.01 / 10
    few = stats.binom(n // 20, p)
    n //= 20
    assert few.cdf(math.ceil(n * p * (1 - x)) - 1) + few.sf(math.floor(n * p * (1 + x))) > 0.001


def test_fewer_label_steps_than_needed_see_nothing():
    p, alpha = Fraction(1, 10**5), Fraction(1, 3)
    needed = evaluate(theory.NEEDED, {"p": p, "alpha": alpha})
    assert float(1 - p) ** int(needed - 1) > alpha
    assert float(1 - p) ** int(10 * needed) < alpha


def test_the_paper_s_bound_is_not_needed():
    """M^2/epsilon^2 exceeds what is enough by a factor that grows like M/epsilon."""
    shares = []
    for k in (6, 8, 10):
        epsilon = Fraction(1, 10**k)
        p = epsilon / (16 * (16 * (1 - epsilon) + epsilon))
        _, enough = theory.samples(16, 32, p, Fraction(1, 20), Fraction(1, 100))
        paper = evaluate(theory.PAPER, {"M": Fraction(16), "epsilon": epsilon})
        shares.append(paper / enough)
    assert shares[1] / shares[0] == pytest.approx(100, rel=1e-3)
    assert shares[2] / shares[1] == pytest.approx(100, rel=1e-3)


def test_the_paper_s_bound_has_no_room_for_many_clusters():
    """Without K in it, M^2/epsilon^2 is too few label steps once K exceeds M/epsilon on a ring."""
    M, epsilon, alpha = Fraction(4), Fraction(1, 10**4), Fraction(1, 100)
    paper = evaluate(theory.PAPER, {"M": M, "epsilon": epsilon})
    for factor, enough in ((Fraction(1, 2), True), (Fraction(2), False)):
        K = factor * M / epsilon
        p = epsilon / (M * (1 - epsilon) + 2 * epsilon) / K
        needed = evaluate(theory.NEEDED, {"p": p, "alpha": alpha})
        assert (needed <= paper) == enough


@pytest.mark.parametrize(
    "wrong",
    [
        (1, 1, "1/2", "1/2", "1/2"),
        (2, 0, "1/2", "1/2", "1/2"),
        (2, 1, "1", "1/2", "1/2"),
        (2, 1, "1/2", "2", "1/2"),
        (2, 1, "1/2", "1/2", "0"),
    ],
)
def test_samples_out_of_range(wrong):
    labels, edges, *rest = wrong
    with pytest.raises(ValueError, match="need labels"):
        theory.samples(labels, edges, *map(Fraction, rest))
