"""Sweeps: what a case is, what is computed, what is kept, and workers that die."""

import csv
import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from numerics import elimination, exact, quantities, simulate, spectrum, sweep
from numerics.chain import read_chain
from numerics.rows import concrete
from theory.catalogue import load
from theory.skeleton import skeleton

distributed = pytest.importorskip("distributed")
parquet = pytest.importorskip("pyarrow.parquet")

COURTOIS = Path(__file__).parents[1] / "data" / "courtois.csv"
ALL = """
seed = 5
[[grid]]
family = "ring"
quantity = ["hitting-time", "exit-time"]
method = ["exact", "float", "simulation", "closed-form"]
replicas = 50
seeds = [0, 1]
[grid.parameters]
K = 4
M = 3
epsilon = ["1/10", 0.25]
"""
# A family that writes down each computation and then does what its file "orders" says.
LOGGING = """
    def start(self, problem, point):
        import os, pathlib, signal, time
        here = pathlib.Path(__file__).parent
        key = str(point["epsilon"])
        with (here / "log").open("a") as log:
            log.write(f"{key} {os.getpid()}\\n")
        orders = json.loads((here / "orders").read_text())
        time.sleep(orders.get("sleep", 0))
        order = orders.get(key)
        if order == "die":
            os.kill(os.getpid(), signal.SIGKILL)
        if order == "die once" and (here / "log").read_text().count(key + " ") == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        if order == "exit":
            raise SystemExit(3)
        if order == "raise":
            raise KeyError("a\\nb")
        return 0, 1
"""


@pytest.fixture
def config(tmp_path):
    """``config(text)``: the configuration that a file with this text holds."""

    def read(text, name="sweep.toml"):
        (tmp_path / name).write_text(text)
        return sweep.read_config(tmp_path / name)

    return read


@pytest.fixture
def logged(tmp_path, config):
    """``logged(10, {...})``: ten cases of a family that logs and obeys, with the numbers n/100."""

    def read(count, orders=None, methods=("exact",), first=1):
        source = skeleton("mine.py", "mine")
        head, _, _ = source.partition("    def start(")
        (tmp_path / "mine.py").write_text(f"import json\n{head}{LOGGING}")
        (tmp_path / "orders").write_text(json.dumps(orders or {}))
        (tmp_path / "log").touch()
        numbers = ", ".join(f'"{n}/101"' for n in range(first, first + count))
        return config(
            f"[[grid]]\nfamily = 'mine.py'\nmethod = {list(methods)}\n"
            f"[grid.parameters]\nM = 3\nL = 3\nepsilon = [{numbers}]\n"
        )

    return read


@pytest.fixture(scope="module")
def cluster():
    """The address of a real cluster of two processes."""
    with distributed.LocalCluster(
        n_workers=2,
        threads_per_worker=1,
        dashboard_address="127.0.0.1:0",
        scheduler_kwargs={"dashboard": False},
        silence_logs=50,
    ) as local:
        yield local.scheduler_address


def compute(case):
    return sweep.compute(case)


def run(*arguments, **options):
    return sweep.run(*arguments, **options)


def log_of(config):
    """The computations that were begun: the number of the case, and the process."""
    lines = Path(config.file).with_name("log").read_text().splitlines()
    return [(key, int(pid)) for key, pid in map(str.split, lines)]


def values(results):
    return {r.case.key: (r.value, r.double, r.standard_error, r.failure) for r in results}


# ---------------------------------------------------------------- what a case is
def test_a_grid_is_the_product_of_its_lists(config):
    cases = config(ALL).cases
    assert len(cases) == 2 * 2 * (3 + 2)
    assert len({case.key for case in cases}) == len(cases)
    assert {case.parameters["epsilon"] for case in cases} == {Fraction(1, 10), Fraction(1, 4)}
    assert {case.parameters["d"] for case in cases} == {2}  # the default, filled in
    simulated = [case for case in cases if case.method == "simulation"]
    assert {(case.seed, case.replicas) for case in simulated} == {(0, 50), (1, 50)}
    assert {case.seed for case in cases if case not in simulated} == {None}


@pytest.mark.parametrize("number", ['"1e-3"', "1e-3", "0.001", '"1/1000"', '["1e-3", 0.001_0]'])
def test_one_number_is_one_case(number, config):
    def of(epsilon):
        lines = "[[grid]]\nfamily = 'complete'\nmethod = 'exact'\n[grid.parameters]\nK=2\nM=2\n"
        return config(f"{lines}epsilon = {epsilon}").cases

    (case,) = of(number)
    assert case.key == of('"2/2000"')[0].key
    assert case.key != of('"1/1001"')[0].key


def test_what_a_case_depends_on(config, logged):
    seeded = {case.key: case for case in config(ALL).cases}
    others = {case.key: case for case in config(ALL.replace("seed = 5", "seed = 6")).cases}
    kept = [case.method for key, case in seeded.items() if key in others]
    assert sorted(set(kept)) == ["closed-form", "exact", "float"]
    assert len(kept) == 12
    before = logged(1).cases[0]
    file = Path(before.location)
    file.write_text(file.read_text() + "\n")
    after = sweep.read_config(file.with_name("sweep.toml")).cases[0]
    assert before.key != after.key
    assert replace(after, digest=before.digest).key == before.key


def test_seeds_are_those_of_the_cases(config):
    cases = [case for case in config(ALL).cases if case.method == "simulation"]
    draws = {case.rng.integers(2**63) for case in cases}
    assert len(draws) == len(cases)
    words = [int(cases[0].key[n : n + 8], 16) for n in range(0, 64, 8)]
    sequence = np.random.SeedSequence(5, spawn_key=words)
    assert cases[0].rng.integers(2**63) == np.random.default_rng(sequence).integers(2**63)


# ---------------------------------------------------------------- what is computed
def test_values_of_a_family(config):
    found = {}
    for case in config(ALL).cases:
        result = compute(case)
        assert result.failure is None
        found[case.quantity, case.method, case.parameters["epsilon"], case.seed] = result
    family = load("ring")
    for (quantity, method, epsilon, _), result in found.items():
        point = result.case.parameters
        explicit = family.explicit(point)
        chain, states = concrete(explicit), explicit.states
        start, goals = states.index((0, 2)), [states.index((2, 2))]
        if quantity == "exit-time":
            goals = [n for n, (k, _) in enumerate(states) if k != 0]
        truth = exact.mean_hitting_times(chain, goals)[start]
        if method in ("exact", "closed-form"):
            assert Fraction(result.value) == truth
            assert (result.double, result.error_bound) == (float(truth), 0)
        elif method == "float":
            bound = result.error_bound
            assert bound == elimination.mean_hitting_times(chain, goals).relative_error_bound
            assert abs(Fraction(result.double) - truth) <= Fraction(bound) * truth
            assert float(result.value) == result.double
        else:
            sample = simulate.hitting_times(chain, start, goals, 50, result.case.rng)
            assert (result.double, result.standard_error) == (sample.mean, sample.standard_error)
            assert abs(result.double - truth) < 8 * sample.standard_error
            other = found[quantity, method, epsilon, 1 - result.case.seed]
            assert other.double != result.double
    assert len(found) == 20


def test_other_quantities(config):
    cases = config(
        "[[grid]]\nfamily = 'star'\nmethod = ['exact', 'float', 'closed-form']\n"
        "quantity = ['hitting-time-hub-to-leaf', 'exit-time-hub']\n"
        "[grid.parameters]\nK = 3\nM = 3\nepsilon = '1/7'\n"
        "[[grid]]\nfamily = 'path'\nmethod = ['exact', 'float']\n"
        "quantity = ['second-moment', 'kemeny']\n"
        "[grid.parameters]\nK = 3\nM = 3\nepsilon = '1/7'\n"
        "[[grid]]\nfamily = 'path'\nmethod = 'float'\nquantity = 'spectral-gap'\n"
        "[grid.parameters]\nK = 3\nM = 3\nepsilon = '1/7'\n"
    ).cases
    results = [compute(case) for case in cases]
    assert [r.failure for r in results] == [None] * 11
    told = {(r.case.quantity, r.case.method): r for r in results}
    for quantity in ("hitting-time-hub-to-leaf", "exit-time-hub", "second-moment", "kemeny"):
        rational = Fraction(told[quantity, "exact"].value)
        assert told[quantity, "float"].double == pytest.approx(float(rational), rel=1e-12)
        if (quantity, "closed-form") in told:
            assert Fraction(told[quantity, "closed-form"].value) == rational
    family, point = load("path"), cases[-1].parameters
    explicit = family.explicit(point)
    chain = concrete(explicit)
    assert told["spectral-gap", "float"].double == spectrum.additive_gap(chain)
    assert told["spectral-gap", "float"].error_bound is None
    assert (
        Fraction(told["kemeny", "exact"].value) == quantities.kemeny_constant(chain, "exact").value
    )
    ends = [explicit.states.index(end) for end in (family.start("", point), (2, 2))]
    moments = quantities.second_moments(chain, [ends[1]], "exact").value
    assert Fraction(told["second-moment", "exact"].value) == moments[ends[0]]


def test_an_irrational_closed_form_is_an_enclosure(config):
    (case,) = config(
        "[[grid]]\nfamily = 'ring'\nmethod = 'closed-form'\nquantity = 'spectral-gap'\n"
        "[grid.parameters]\nK = 5\nM = 3\nepsilon = '1/7'\n"
    ).cases
    result = compute(case)
    if result.failure is None:
        low, high = map(Fraction, result.value.strip("[]").split(", "))
        assert low < high
        assert low <= Fraction(result.double) * (1 + Fraction(1, 10**12))
    else:
        assert "not one: ask for another quantity" in result.failure


def test_values_of_a_chain(config):
    cases = config(
        f"[[grid]]\nfamily = '{COURTOIS}'\nmethod = ['exact', 'float']\nfrom = '0'\n"
        "to = ['6', '7']\n"
    ).cases
    chain = read_chain(COURTOIS)
    truth = exact.mean_hitting_times(chain, [6, 7])[0]
    rational, double = map(compute, cases)
    assert Fraction(rational.value) == truth
    assert double.double == pytest.approx(float(truth), rel=1e-12)


def test_values_out_of_the_range_of_a_double(config, tmp_path):
    steps = [f"s{n},s{n + 1},1e-300\ns{n + 1},s{n},1/2\n" for n in range(20)]
    (tmp_path / "chain.csv").write_text("from,to,probability\n" + "".join(steps))
    huge = "[[grid]]\nfamily = 'chain.csv'\nmethod = ['exact', 'float']\nfrom = 's0'\nto = 's20'\n"
    rational, double = map(compute, config(huge).cases)
    limit = sys.get_int_max_str_digits()
    assert len(rational.value) > limit  # str() of such an integer is refused
    assert rational.double is None
    assert "exceeds 1.8e308" in double.failure


# ---------------------------------------------------------------- failures
def test_failures_are_recorded_and_stop_nothing(config, logged, cluster, tmp_path):
    asked = logged(4, {"1/101": "exit", "3/101": "raise"})
    results = run(asked, cluster)
    failures = [r.failure for r in results]
    assert failures[1::2] == [None, None]
    assert failures[0].endswith("SystemExit: 3: mend the family")
    assert failures[2].endswith("KeyError: 'a\\nb': mend the family")
    assert all(f"{tmp_path / 'mine.py'}, line " in f for f in failures[::2])
    assert [r.value is None for r in results] == [True, False, True, False]
    (tmp_path / "trap.csv").write_text("a,b,1/2\na,t,1/2\nb,a,1\n")
    (tmp_path / "far.csv").write_text("a,c,1/2\nc,a,1\nb,a,1\n")
    trap = "method = ['exact', 'float', 'simulation']\nreplicas = 2\nfrom = 'a'\nto = 'b'\n"
    chains = f"[[grid]]\nfamily = ['trap.csv', 'far.csv']\n{trap}"
    budget = (
        "[[grid]]\nfamily = 'ring'\nmethod = ['simulation', 'exact', 'float']\nreplicas = 9\n"
        "max-steps = 10\n[grid.parameters]\nK = [3, 130, 3000]\nM = 4\nepsilon = '1/10'\n"
    )
    asked = config(chains + budget)
    told = {str(r.case): r for r in run(asked, cluster)}
    reasons = [r.failure for name, r in told.items() if ".csv" in name]
    assert all("unreachable target" in reason for reason in reasons)
    assert len(reasons) == 6
    ring = {name: r for name, r in told.items() if ".csv" not in name}
    assert all(
        "within 10 steps" in r.failure
        for n, r in ring.items()
        if "simulation" in n and "3000" not in n
    )
    assert ring["ring K=3,M=4,epsilon=1/10,d=1 hitting-time exact"].failure is None
    assert (
        "too many for exact" in ring["ring K=130,M=4,epsilon=1/10,d=65 hitting-time exact"].failure
    )
    assert ring["ring K=130,M=4,epsilon=1/10,d=65 hitting-time float"].failure is None
    assert all("too many to write out" in r.failure for n, r in ring.items() if "3000" in n)
    assert all("\n" not in (r.failure or "") for r in told.values())


def test_a_file_that_changes_meanwhile_is_refused(logged):
    (case,) = logged(1).cases
    file = Path(case.location)
    file.write_text(file.read_text() + "\n")
    assert "mine.py: changed since the sweep began" in compute(case).failure
    file.unlink()
    assert "mine.py" in compute(case).failure


# ---------------------------------------------------------------- runs
def test_neither_order_nor_workers_matter(config, cluster, tmp_path):
    asked = config(ALL)
    one_by_one = [compute(case) for case in asked.cases]
    shuffled = list(asked.cases)
    random.Random(3).shuffle(shuffled)
    seen: list[sweep.Result] = []
    spread = run(replace(asked, cases=tuple(shuffled)), cluster, seen.append)
    assert values(spread) == values(one_by_one)
    assert [r.case for r in spread] == shuffled
    assert values(seen) == values(spread)
    assert run(asked, cluster, seen.append, store=asked.store) == sorted(
        spread, key=lambda r: asked.cases.index(r.case)
    )
    assert len(seen) == len(shuffled)


def test_what_is_stored_is_not_computed_again(logged, cluster):
    asked = logged(6)
    first = run(replace(asked, cases=asked.cases[:4]), cluster)
    assert len(log_of(asked)) == 4
    again = run(asked, cluster)
    assert len(log_of(asked)) == 6
    assert len({key for key, _ in log_of(asked)}) == 6
    assert again[:4] == first
    assert run(asked, "tcp://127.0.0.1:9") == again  # there is nothing to ask of Dask


@pytest.mark.slow
def test_a_scheduler_that_is_lost(logged, capfd):
    """It is told in one line, and what was finished is kept."""
    asked, source = (
        logged(40, {"sleep": 0.2}),
        (
            "import sys\n"
            "from distributed import LocalCluster\n"
            "with LocalCluster(2, threads_per_worker=1, dashboard_address='127.0.0.1:0',\n"
            "        scheduler_kwargs={'dashboard': False}, silence_logs=50) as cluster:\n"
            "    print(cluster.scheduler_address, flush=True)\n"
            "    sys.stdin.read()\n"
        ),
    )
    kinds: dict[str, Any] = {
        "stdin": subprocess.PIPE,
        "stdout": subprocess.PIPE,
        "stderr": subprocess.DEVNULL,
    }
    with subprocess.Popen([sys.executable, "-c", source], text=True, **kinds) as server:
        seen: list[sweep.Result] = []

        def stop(result):
            seen.append(result)
            server.kill()

        assert server.stdout is not None
        with pytest.raises(sweep.SweepError, match="the Dask scheduler is lost: start the sweep"):
            run(asked, server.stdout.readline().strip(), stop)
    kept = sweep.read_results(asked.store)
    assert values(kept) == values(seen)
    assert 1 <= len(kept) < 40
    assert capfd.readouterr().err == ""


def test_no_scheduler(logged):
    with pytest.raises(sweep.SweepError, match="no Dask scheduler answers: start one"):
        run(logged(1), "nonsense://127.0.0.1:9")


# ---------------------------------------------------------------- the store
def test_results_come_back_as_they_were(config, tmp_path):
    made = [compute(case) for case in config(ALL).cases[:9]]
    made.append(
        sweep._failed(made[0].case.__class__("a", {}, "b", "exact", "x", ("y",)), "no", 1.5)
    )
    with sweep.Store(tmp_path / "s.sqlite") as store:
        for result in made:
            store.add(result)
            # In a transaction of its own: any other connection sees it at once.
            assert result in sweep.read_results(tmp_path / "s.sqlite")
            other = sqlite3.connect(tmp_path / "s.sqlite")
            assert other.execute("PRAGMA journal_mode").fetchone() == ("wal",)
            other.close()
        assert store.keys() == {r.case.key for r in made}
        with pytest.raises(sweep.SweepError, match="UNIQUE"):
            store.add(made[0])
    read = sweep.read_results(tmp_path / "s.sqlite")
    assert sorted(map(repr, read)) == sorted(
        repr(replace(r, case=replace(r.case, location=""))) for r in made
    )
    assert {r.case.key for r in read} == {r.case.key for r in made}


def test_one_process_at_a_time(tmp_path):
    file = tmp_path / "s.sqlite"
    with sweep.Store(file):
        with pytest.raises(sweep.SweepError, match=r"s\.sqlite: another sweep writes"):
            sweep.Store(file)
        assert sweep.read_results(file) == []  # to read is always allowed
    with sweep.Store(file) as store:
        assert store.keys() == set()


def test_what_is_no_store(tmp_path):
    (tmp_path / "text").write_text("no database " * 100)
    other = sqlite3.connect(tmp_path / "other")
    other.execute("CREATE TABLE results (x)")
    other.commit()
    other.close()
    content = (tmp_path / "other").read_bytes()
    (tmp_path / "empty").touch()
    for name, words in (
        ("text", "not a database"),
        ("other", "no store of sweeps"),
        ("no/where", "no such file"),
        (".", "unable to open|is a directory"),
    ):
        with pytest.raises(sweep.SweepError, match=words):
            sweep.Store(tmp_path / name)
    for name in ("text", "other", "missing", "empty"):
        with pytest.raises(sweep.SweepError, match=name):
            sweep.read_results(tmp_path / name)
    assert (tmp_path / "other").read_bytes() == content


def test_exports_read_back_equal(config, tmp_path):
    made = [compute(case) for case in config(ALL).cases]
    made.append(replace(made[0], case=replace(made[0].case, quantity="x"), value=None, double=None))
    made[-1] = replace(made[-1], failure="one line, with a comma", error_bound=None)
    sweep.export(made, tmp_path / "t.parquet")
    sweep.export(made, tmp_path / "t.csv")
    rows = parquet.read_table(tmp_path / "t.parquet").to_pylist()
    assert [sweep._result(row) for row in rows] == made
    with (tmp_path / "t.csv").open(newline="") as file:
        told = list(csv.DictReader(file))
    texts = [{k: "" if v is None else str(v) for k, v in row.items()} for row in rows]
    assert told == texts
    assert [row["key"] for row in rows] == [r.case.key for r in made]
    assert sorted(p.suffix for p in tmp_path.iterdir()) == [".csv", ".parquet", ".toml"]
    with pytest.raises(sweep.SweepError, match=r"end its name in \.parquet or \.csv"):
        sweep.export(made, tmp_path / "t.xlsx")


# ---------------------------------------------------------------- workers that die
@pytest.mark.slow
def test_two_workers_die_and_the_sweep_is_finished(logged):
    asked = logged(24, {"sleep": 0.05})
    killed: set[int] = set()

    def kill(_):
        if len(killed) < 2:
            pid = next(p for _, p in reversed(log_of(asked)) if p not in killed)
            os.kill(pid, signal.SIGKILL)
            killed.add(pid)

    results = run(asked, None, kill, workers=2)
    assert len(killed) == 2
    assert [r.failure for r in results] == [None] * 24
    assert values(results) == values([compute(case) for case in asked.cases])
    assert len({pid for _, pid in log_of(asked)} - {os.getpid()}) > 2


@pytest.mark.slow
def test_a_case_that_kills_its_workers_fails_alone(logged):
    asked = logged(8, {"3/101": "die", "5/101": "die once"})
    results = run(asked, workers=2)
    failures = {str(r.case.parameters["epsilon"]): r.failure for r in results if r.failure}
    assert list(failures) == ["3/101"]
    assert "each worker that computed it died" in failures["3/101"]
    begun = [key for key, _ in log_of(asked)]
    assert begun.count("3/101") > 2
    assert begun.count("5/101") >= 2
