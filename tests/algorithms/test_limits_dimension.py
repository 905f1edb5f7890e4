"""R7: dimensions by three enumerations and in closed form, and the proofs for every length.

*Literal*: all sets at all inputs, nothing assumed. *Pair by pair*: each of the 4^L pairs of sets by
itself, with the mean over the inputs taken one candidate after the other. *Merged*, that of the
package: pairs with one law of answers are counted. None of them knows a closed form.
"""

import copy
import itertools
import json
import math
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from theory.groups import GroupError, bits, cyclic, from_table, listed, quaternion, symmetric
from theory.results.limits import (
    basis_case,
    biased,
    biased_case,
    correlation,
    cyclic_case,
    dimension,
    enumeration,
    fully_correlated_case,
    gram_by_enumeration,
    hypothesis_tests,
    observed_case,
    on_or_off,
    one_element_case,
    product_form,
    product_form_check,
    structured,
    structured_count,
    structured_dimension,
    uniform,
    uniform_case,
)

F = Fraction
SIGN = (1, -1, -1, 1, 1, -1)  # of the permutations of three points, in order
OWN = from_table("symmetric-3 on itself", symmetric(3).table)
SWAP, TURN = 2, 3  # (0 1) and a cycle of three
LONGEST = 14


def cycle_of(action, g):
    """How many points the base point goes through."""
    point, length = action.moves[g][0], 1
    while point:
        point, length = action.moves[g][point], length + 1
    return length


def one_element_cases(action):
    """An element for each length of the cycle of the base point."""
    chosen = {cycle_of(action, g): g for g in range(action.order)}
    return [one_element_case(action, g) for m, g in sorted(chosen.items()) if m > 1]


CASES = [
    *(uniform_case(a) for a in listed().values()),
    *(observed_case(a, [2 * p - a.points + 1 for p in range(a.points)]) for a in listed().values()),
    *(biased_case(a, F(1, 2)) for a in listed().values()),
    *(case for a in listed().values() for case in one_element_cases(a)),
    observed_case(cyclic(3), (3, -1, -2)),
    observed_case(symmetric(4), (0, 1, 1, -2)),
    observed_case(OWN, SIGN),
    biased_case(cyclic(2), F(1, 3)),
    *(cyclic_case(cyclic(m), m) for m in (2, 3, 4, 5)),
    basis_case(bits(2), 2),
    basis_case(bits(3), 3),
    fully_correlated_case(OWN, TURN, SIGN),
]
IDS = [f"{case.id}{i}" for i, case in enumerate(CASES)]
all_cases = pytest.mark.parametrize("case", CASES, ids=IDS)


def longest_length(case):
    """Up to which length the merged enumeration goes; smaller where the group is large."""
    return 10 if case.id == "biased symmetric-5" else LONGEST


def quick_length(case):
    """The same, where it takes no more than a fraction of a second."""
    if case.id.startswith("biased") and case.problem.action.order > 2:
        return {8: 8, 24: 6, 120: 4}.get(case.problem.action.order, 9)
    return LONGEST


# ---------------------------------------------------------------- literally
def entries(problem, L):
    """How many numbers the literal enumeration holds."""
    inputs = math.prod(len(problem.law(i)) for i in range(L))
    return 2**L * inputs * problem.action.points


def literal(problem, L):
    """Integers and what they are over: the correlations, from all answers to all inputs."""
    laws = [np.array(problem.law(i)) for i in range(L)]
    shown = [x.ravel() for x in np.meshgrid(*laws, indexing="ij")]
    moves = np.array(problem.action.moves)
    told = np.full((1, shown[0].size), problem.base)
    for x in shown:
        told = np.concatenate([told, moves[x, told]])
    if problem.observable:
        scale = math.lcm(*(v.denominator for v in problem.observable))
        values = np.array([int(v * scale) for v in problem.observable])
        seen = values[told].astype(np.float64)
        over = F(int((values**2).sum()), len(values)) * shown[0].size
        return (seen @ seen.T).astype(np.int64), over
    n = len(problem.answers)
    marks = np.hstack([(told == p).astype(np.float64) for p in problem.answers])
    agree = (marks @ marks.T).astype(np.int64)
    return n * agree - shown[0].size, F((n - 1) * shown[0].size)


# ---------------------------------------------------------------- pair by pair
def scaled(problem):
    """The kernel as integers with their denominator, and a matrix of integers for each letter."""
    n, kernel = problem.action.points, problem.kernel
    over = math.lcm(*(x.denominator for row in kernel for x in row))
    start = np.array([[int(x * over) for x in row] for row in kernel]).ravel()
    steps = []
    for law in problem.laws:
        pairs = np.zeros((4, n * n, n * n), dtype=np.int64)
        for g in law:
            move = np.array(problem.action.moves[g])
            p, q = (x.ravel() for x in np.meshgrid(range(n), range(n), indexing="ij"))
            for letter in range(4):  # bit 0: it belongs to S; bit 1: to T
                to = (move[p] if letter & 1 else p) * n + (move[q] if letter & 2 else q)
                np.add.at(pairs[letter], (p * n + q, to), 1)
        common = int(np.gcd.reduce(pairs.ravel()))
        steps.append((pairs // common, len(law) // common))
    return start, over, steps


def blocks(problem, L):
    """For each beginning of S, integers [beginning of T, end of S, end of T], and the denominator.

    Each is the law of the pair of answers after the first half times the mean of the kernel over
    the second half: one product of matrices for all pairs. Exact, as no partial sum of the
    products exceeds the largest integer of its type.
    """
    start, over, steps = scaled(problem)
    n = problem.action.points
    half = L // 2
    scale = math.prod(steps[i % len(steps)][1] for i in range(L))
    largest = scale * int(np.abs(start).max())
    assert largest < 2**63, "too large for integers of 64 bits: take a smaller length"
    kind = np.float64 if largest < 2**53 else np.int64
    law = np.zeros((1, 1, n * n), dtype=kind)
    law[0, 0, problem.base * n + problem.base] = 1
    for i in range(half):
        size, pairs = len(law), steps[i % len(steps)][0].astype(kind)
        new = np.empty((2, size, 2, size, n * n), dtype=kind)
        for s, t in itertools.product((0, 1), repeat=2):
            new[s, :, t] = law @ pairs[s + 2 * t]
        law = new.reshape(2 * size, 2 * size, n * n)
    mean = start.astype(kind).reshape(1, 1, n * n)
    for i in reversed(range(half, L)):
        size, pairs = len(mean), steps[i % len(steps)][0].astype(kind)
        new = np.empty((size, 2, size, 2, n * n), dtype=kind)
        for s, t in itertools.product((0, 1), repeat=2):
            new[:, s, :, t] = mean @ pairs[s + 2 * t].T
        mean = new.reshape(2 * size, 2 * size, n * n)
    ends = len(mean)
    flat = np.ascontiguousarray(mean.reshape(-1, n * n).T)
    over_all = F(scale * over)
    return ((line @ flat).reshape(-1, ends, ends) for line in law), over_all


def pairwise(problem, L):
    """The matrix of all correlations as integers, sets as bits, and what they are over."""
    found, over = blocks(problem, L)
    cube = np.array([block.astype(np.int64) for block in found])  # S low, T low, S high, T high
    return cube.transpose(2, 0, 3, 1).reshape(2**L, 2**L), over


def pairwise_dimension(problem, L):
    """The statistical dimension of all 2^L sets, from the sums over T for each S."""
    found, over = blocks(problem, L)
    largest = 0
    for block in found:
        size = np.abs(block, out=block)
        rows = size.sum(axis=(0, 2), dtype=np.float64)
        assert rows.max() < 2**62
        if rows.max() >= 2**52:  # otherwise each sum is a whole number, and exact
            rows = size.astype(np.int64).sum(axis=(0, 2))
        largest = max(largest, int(rows.max()))
    return 2**L * over / largest


@all_cases
def test_three_enumerations_and_the_closed_form_agree(case):
    problem = case.problem
    for L in range(1, LONGEST + 1):
        if entries(problem, L) > 2**21 or L > 6:
            break
        (numbers, over), (others, below) = literal(problem, L), pairwise(problem, L)
        assert F(over) == below or (numbers * int(below) == others * int(over)).all()
        sets = range(2**L)
        assert (numbers == [[int(case.closed(s, t) * over) for t in sets] for s in sets]).all()
        rows = np.abs(numbers).sum(axis=1)
        assert case.dimension(L) == F(2**L) * over / int(rows.max())
        merged = enumeration(problem, L)
        assert merged.dimension == case.dimension(L)
        counted = zip(*np.unique(numbers, return_counts=True), strict=True)
        assert merged.pairs == {int(x) / over: int(n) for x, n in counted}
        assert merged.rows == {
            int(x) / over: int(n) for x, n in zip(*np.unique(rows, return_counts=True), strict=True)
        }
    assert L > 1


@all_cases
def test_pair_by_pair_at_nine(case):
    assert pairwise_dimension(case.problem, 9) == case.dimension(9)


@all_cases
def test_merged_up_to_fourteen(case):
    for L in {min(9, quick_length(case)), quick_length(case)}:
        found = enumeration(case.problem, L)
        assert sum(found.pairs.values()) == 4**L
        assert sum(found.rows.values()) == 2**L
        assert found.dimension == case.dimension(L)


SAMPLE = ["uniform symmetric-4", "biased cyclic-2", "on or off cyclic-5", "on or off bits-3"]
SAMPLE += ["unseen symmetric-3 on itself", "observed symmetric-3"]


@pytest.mark.slow
@pytest.mark.parametrize("name", SAMPLE)
def test_pair_by_pair_at_fourteen(name):
    case = next(c for c in CASES if c.id.startswith(name))
    assert pairwise_dimension(case.problem, LONGEST) == case.dimension(LONGEST)


@pytest.mark.slow
@all_cases
def test_merged_at_every_length(case):
    for L in range(1, longest_length(case) + 1):
        assert enumeration(case.problem, L).dimension == case.dimension(L)


def test_every_listed_group_has_every_case():
    ids = {case.id for case in CASES}
    assert len(listed()) == 11
    for name, action in listed().items():
        assert {f"{kind} {name}" for kind in ("uniform", "observed", "biased")} <= ids
        lengths = {cycle_of(action, g) for g in range(action.order)} - {1}
        assert {f"on or off {name}, a cycle of {m}" for m in lengths} <= ids


def test_a_wrong_closed_form_is_seen():
    problem = biased(cyclic(3), F(1, 2))
    gram = gram_by_enumeration(problem, 3)
    wrong = [[F(1, 2) ** (s.bit_count() + t.bit_count()) for t in range(8)] for s in range(8)]
    assert gram != wrong
    assert dimension(gram) != F(2**3)
    assert enumeration(biased(cyclic(3), F(1, 4)), 6).dimension != enumeration(problem, 6).dimension


def test_uniform_actions_are_uncorrelated_whatever_the_table():
    """A group under other names of its elements, and any mean-zero observable."""
    rng = np.random.default_rng(4)
    for action in (quaternion(), OWN):
        names = rng.permutation(action.order).tolist()
        back = [names.index(i) for i in range(action.order)]
        table = [
            [names[action.table[back[a]][back[b]]] for b in range(action.order)]
            for a in range(action.order)
        ]
        values = rng.integers(-5, 6, size=action.order).tolist()
        values[0] -= sum(values)
        problem = uniform(from_table("renamed", table), values)
        gram = gram_by_enumeration(problem, 2)
        assert all(gram[s][t] == 0 for s in range(4) for t in range(4) if s != t)
        assert all(gram[s][s] == 1 for s in (1, 2, 3))


def test_an_observable_with_a_mean_correlates_everything():
    """Counter-example: that the observable has mean zero cannot be left out."""
    with pytest.raises(GroupError, match="mean 0"):
        uniform(cyclic(3), (1, 1, 0))
    with pytest.raises(GroupError, match="mean 0"):
        uniform(cyclic(3), (0, 0, 0))
    with pytest.raises(GroupError, match="mean 0"):
        uniform(cyclic(3), (1, -1))


def test_generators_on_or_off_may_correlate_fully():
    """Counter-examples in S_3: sets that differ, and no query tells them apart."""
    unseen = fully_correlated_case(OWN, TURN, SIGN)  # even: the sign does not see it
    assert [unseen.dimension(n) for n in (1, 5, 50)] == [1, 1, 1]
    # The first candidate fixes the base point, the second moves it.
    problem = on_or_off(symmetric(3), [1, SWAP])
    gram = gram_by_enumeration(problem, 4)
    assert gram[0][1] == gram[0b0010][0b0011] == 1
    assert gram[0b0010][0b0110] < 1
    assert dimension(gram) < 2**4
    with pytest.raises(GroupError, match="no action moves"):
        on_or_off(symmetric(3), [1])


def test_mixed_generators_by_representations():
    """Brute force against products of averages in the representation on pairs of points."""
    for action, elements in ((symmetric(3), [1, SWAP, 5]), (symmetric(4), [1, 2, 6, 23])):
        problem = on_or_off(action, elements)
        gram = gram_by_enumeration(problem, 5)
        for s, t in itertools.islice(itertools.product(range(32), repeat=2), 0, None, 5):
            assert correlation(problem, s, t) == gram[s][t]
        assert enumeration(problem, 5).dimension == dimension(gram)


def test_sets_drawn_from_a_family():
    for L in (1, 2, 5, 8, 11, 14):
        for block in (2, 3):
            families, counts = structured(L, block), structured_count(L, block)
            assert set(families) == set(counts)
            for name, family in families.items():
                assert len(set(family)) == len(family) == counts[name]
    assert enumeration(uniform(symmetric(3)), 14).pairs == {1: 2**14, 0: 4**14 - 2**14}
    for action in listed().values():
        numbers, over = pairwise(uniform(action), 9)
        for name, family in structured(9).items():
            rows = np.abs(numbers[np.ix_(family, family)]).sum(axis=1)
            assert len(family) * over / int(rows.max()) == structured_count(9)[name]
    growth = {name: structured_count(28)[name] / structured_count(14)[name] for name in families}
    assert growth["single"] == growth["beginning"] == 2
    assert growth["interval"] < 4
    assert growth["one in each block"] == 2**7


def test_without_decoys_nothing_is_hidden():
    """Only the candidates that may be decoys count: none, and the dimension is 1."""
    gram = gram_by_enumeration(uniform(cyclic(3)), 4)
    for sure in range(16):
        family = [s for s in range(16) if s & sure == sure]
        told = structured_dimension(family, lambda s, t: gram[s][t])
        assert told == 2 ** (4 - sure.bit_count())


def test_hypothesis_tests_by_hand():
    """SDA of uncorrelated hypotheses is floor(sqrt(d/m)); of equal ones 0 for m >= 2."""
    for d in (4, 9, 20):
        gram = [[F(s == t) for t in range(d)] for s in range(d)]
        for m in (2, 3, 4, 7):
            assert hypothesis_tests(gram, m) == math.isqrt(d // m)
        with pytest.raises(ValueError, match="no correlation"):
            hypothesis_tests(gram, 1)
    same = [[F(1)] * 5 for _ in range(5)]
    assert hypothesis_tests(same, 2) == 0
    biased_gram = gram_by_enumeration(biased(cyclic(2), F(1, 2)), 4)
    assert hypothesis_tests(biased_gram, 4) < math.isqrt(16 // 4)


# ---------------------------------------------------------------- a proof for every L
PROVED = [uniform_case(a) for a in listed().values()]
PROVED += [biased_case(a, b) for a in listed().values() for b in (F(1, 3), F(1, 2))]
PROVED += [cyclic_case(cyclic(2), 2)]  # the barrier of parities: one generator, on or off


@pytest.mark.parametrize("case", PROVED, ids=[f"{c.id}{i}" for i, c in enumerate(PROVED)])
def test_the_product_form_is_proved_for_every_length(case):
    problem = case.problem
    certificate = json.loads(json.dumps(product_form(problem)))
    assert certificate["shown"] == [list(problem.action.moves[g]) for g in problem.laws[0]]
    told = product_form_check.check(certificate)
    assert told.endswith(f"the dimension of the 2^L sets is ({case.dimension(1)})^L.")
    b = F(certificate["b"])
    assert all(case.closed(s, t) == b ** (s ^ t).bit_count() for s in range(8) for t in range(8))


def test_no_product_form_where_hypotheses_correlate_otherwise():
    for problem in (
        on_or_off(cyclic(3), [1]),
        on_or_off(symmetric(3), [TURN]),
        on_or_off(bits(2), [3, 1]),
        on_or_off(symmetric(3), [1, SWAP]),
        uniform(OWN, SIGN),
    ):
        with pytest.raises(GroupError, match="no product form"):
            product_form(problem)


def test_every_alteration_of_a_proof_is_refused():
    for problem in (uniform(symmetric(3)), biased(cyclic(4), F(1, 2)), uniform(bits(2))):
        good = product_form(problem)
        for i, g in enumerate(good["shown"]):
            for a, b in itertools.combinations(range(len(g)), 2):
                new = copy.deepcopy(good)
                line = new["shown"][i]
                line[a], line[b] = line[b], line[a]
                with pytest.raises(product_form_check.Refused, match="not that of b"):
                    product_form_check.check(new)
            for lines in (good["shown"][:i] + good["shown"][i + 1 :], [*good["shown"], g]):
                with pytest.raises(product_form_check.Refused, match="not that of b"):
                    product_form_check.check(good | {"shown": lines})
        for wrong in ("1", "-1", "1/5", "-1/3", "2/3"):
            with pytest.raises(product_form_check.Refused, match="not that of b"):
                product_form_check.check(good | {"b": wrong})


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"shown": []}, "no permutations"),
        ({"shown": [[]]}, "no point"),
        ({"shown": [[0, 1], [1, 1]]}, "does not permute"),
        ({"shown": [[0, 1], [1, 0, 2]]}, "does not permute"),
        ({"shown": [[0, 1], [-1, 0]]}, "does not permute"),
        ({"shown": [[0, 1], [True, False]]}, "not a whole number"),
        ({"shown": [[0, 1], [1.0, 0.0]]}, "not a whole number"),
        ({"shown": [[0, 1]]}, "one answer"),
        ({"shown": [[0, 1], "10"]}, "not a list"),
        ({"base": -1}, "no point"),
        ({"base": 2}, "no point"),
        ({"base": True}, "no point"),
        ({"b": 0}, "no fraction"),
        ({"b": "0/0"}, "no fraction"),
        ({"b": "0.5e9"}, "no fraction"),
        ({"arrows": [[0]]}, "nothing else"),
    ],
)
def test_what_is_no_proof_is_refused(change, reason):
    good = product_form(uniform(cyclic(2)))
    assert product_form_check.check(good)
    with pytest.raises(product_form_check.Refused, match=reason):
        product_form_check.check(good | change)


def test_the_check_runs_alone(tmp_path):
    """A copy of the one file, elsewhere, without the package."""
    source = Path(product_form_check.__file__)
    copied = tmp_path / "alone.py"
    copied.write_text(source.read_text())
    code = "import json, alone; print(alone.check(json.load(open('proof.json'))))"
    (tmp_path / "proof.json").write_text(json.dumps(product_form(uniform(cyclic(3)))))
    run = subprocess.run(
        [sys.executable, "-S", "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert run.stdout.strip() == product_form_check.check(product_form(uniform(cyclic(3))))


def test_a_proof_holds_for_observables_too():
    """Where b = 0, no observable of mean 0 correlates: the docstring's last sentence."""
    for action in (cyclic(4), symmetric(3), quaternion()):
        assert product_form(uniform(action))["b"] == "0"
        observable = [p - F(action.points - 1, 2) for p in range(action.points)]
        gram, _ = literal(uniform(action, observable), 3)
        assert (gram == np.diag(np.diag(gram))).all()
