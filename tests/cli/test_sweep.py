"""The sweep command: good input, bad input, and whatever can be killed."""

import contextlib
import json
import os
import pty
import random
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from numerics import sweep
from theory.skeleton import skeleton

distributed = pytest.importorskip("distributed")
parquet = pytest.importorskip("pyarrow.parquet")

COMMAND = [sys.executable, "-c", "from numerics.cli import main; main()", "sweep"]
RING = """
[[grid]]
family = "ring"
method = ["exact", "simulation"]
replicas = 20
[grid.parameters]
K = 3
M = 3
epsilon = ["1/10", "1/20"]
"""
# A family that writes down each computation, and takes its time.
LOGGED = """
    def start(self, problem, point):
        import os, pathlib, time
        here = pathlib.Path(__file__).parent
        with (here / "log").open("a") as log:
            log.write(f"{point['epsilon']} {os.getpid()}\\n")
        time.sleep(float((here / "seconds").read_text()))
        return 0, 1
"""


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


@pytest.fixture
def ring(tmp_path):
    (tmp_path / "sweep.toml").write_text(RING)
    return tmp_path / "sweep.toml"


@pytest.fixture
def logged(tmp_path):
    """``logged(30, 0.1)``: a configuration of thirty cases that take a tenth of a second each."""

    def write(count, seconds):
        head, _, _ = skeleton("mine.py", "mine").partition("    def start(")
        (tmp_path / "mine.py").write_text(head + LOGGED)
        (tmp_path / "seconds").write_text(str(seconds))
        (tmp_path / "log").touch()
        numbers = ", ".join(f'"{n}/1009"' for n in range(1, count + 1))
        (tmp_path / "sweep.toml").write_text(
            "[[grid]]\nfamily = 'mine.py'\nmethod = 'exact'\n"
            f"[grid.parameters]\nM = 3\nL = 3\nepsilon = [{numbers}]\n"
        )
        return tmp_path / "sweep.toml"

    return write


class Started:
    """The command in a process group of its own, which is killed at the end come what may."""

    def __init__(self, config, *arguments, stderr=subprocess.PIPE):
        self.config = Path(config)
        self.process = subprocess.Popen(
            [*COMMAND, str(config), *map(str, arguments)],
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
            start_new_session=True,
        )
        assert self.process.stdout is not None
        self.out = self.process.stdout
        self.lines: list[str] = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.signal(signal.SIGKILL)
        self.process.communicate()

    def signal(self, number):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, number)

    def read(self, count):
        """Read so many lines of what it prints, or all if they are fewer."""
        for _ in range(count):
            line = self.out.readline()
            if line:
                self.lines.append(line.rstrip("\n"))

    def finish(self):
        """Exit code and what it says on stderr."""
        out, err = self.process.communicate(timeout=300)
        self.lines += out.splitlines()
        return self.process.returncode, err

    @property
    def printed(self):
        """The cases that it has told of as finished."""
        return {line.split("epsilon=")[1].split()[0] for line in self.lines if "epsilon=" in line}


# It has imported all that the command needs, and forks a process for each start of it.
SERVER = """
import json, os, sys
import distributed
from numerics.cli import main
for line in sys.stdin:
    told = json.loads(line)
    child = os.fork()
    if not child:
        os.setsid()
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(os.open(told["out"], os.O_WRONLY), 1)
        os.dup2(os.open(told["err"], os.O_WRONLY), 2)
        sys.argv[1:] = told["arguments"]
        try:
            main()
        except SystemExit as end:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(end.code or 0)
        os._exit(0)
    print(child, flush=True)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


@pytest.fixture(scope="module")
def server():
    with subprocess.Popen(
        [sys.executable, "-c", SERVER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        yield process
        process.kill()


class Forked(Started):
    """The same by the server, which takes no time to start, so that many starts are cheap."""

    def __init__(self, server, config, *arguments):
        self.config, self.server, self.lines = Path(config), server, []
        files = [self.config.with_name(name) for name in ("out", "err")]
        for file in files:
            file.write_text("")
        self.out, self.err = (file.open() for file in files)
        told = dict(zip(("out", "err"), map(str, files), strict=True))
        self._tell({**told, "arguments": ["sweep", str(config), *map(str, arguments)]})
        self.pid, self.code = int(server.stdout.readline()), None

    def _tell(self, told):
        print(json.dumps(told), file=self.server.stdin, flush=True)

    def __exit__(self, *_):
        self.signal(signal.SIGKILL)
        self.finish()
        self.out.close()
        self.err.close()

    def signal(self, number):
        if self.code is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, number)

    def read(self, count):
        wanted = len(self.lines) + count
        while len(self.lines) < wanted:
            line = self.out.readline()
            if line.endswith("\n"):
                self.lines.append(line.rstrip("\n"))
            else:
                self.out.seek(self.out.tell() - len(line))  # half a line so far
                if select.select([self.server.stdout], [], [], 0.01)[0]:
                    return  # it has ended

    def finish(self):
        if self.code is None:
            self.code = int(self.server.stdout.readline())
        self.lines += self.out.read().splitlines()
        return self.code, self.err.read()


def stored(config):
    store = config.with_suffix(".sqlite")
    results = sweep.read_results(store) if store.exists() and store.stat().st_size else []
    assert len({str(r.case.parameters["epsilon"]) for r in results}) == len(results)
    return {str(r.case.parameters["epsilon"]): r for r in results}


def begun(config):
    return [line.split()[0] for line in config.with_name("log").read_text().splitlines()]


# ---------------------------------------------------------------- good input
def test_help_teaches(run):
    code, out, err = run("sweep", "--help")
    assert (code, err) == (0, "")
    words = " ".join(out.split())
    for word in ("CONFIG", "--scheduler", "--store", "--export", "--workers", "[[grid]]"):
        assert word in words
    for key in (*sweep._TOP, *sweep._GRID):
        assert f" {key} = " in words or f"[{key}]" in words or f"[grid.{key}]" in words, key
        assert key in sweep.__doc__


@pytest.mark.parametrize("source", ["help", "module"])
def test_the_documented_configuration_is_sound(source, run, tmp_path):
    if source == "help":
        text = run("sweep", "--help")[1]
        text = text[text.index("seed = ") : text.index("A chain (")]
    else:
        text = sweep.__doc__.partition("::\n")[2].partition("Every key")[0]
    text = "\n".join(line.strip() for line in text.splitlines())
    (tmp_path / "chain.csv").write_text("A,B,1/2\nA,C,1/2\nB,A,1\nC,A,1\n")
    text = text.replace('"mine.py"', '"complete"')  # a file would be one with the same parameters
    (tmp_path / "sweep.toml").write_text(text)
    config = sweep.read_config(tmp_path / "sweep.toml")
    assert config.seed == 7
    assert {case.method for case in config.cases} == set(sweep.METHODS)
    assert len(config.cases) >= 2 * 2 * 2 * (3 + 3)


def test_a_sweep_and_its_continuation(ring, cluster, run):
    table = ring.with_name("t.parquet")
    code, out, err = run("sweep", ring, "--scheduler", cluster, "--export", table)
    assert (code, err) == (0, "")  # no bar in a pipe
    *lines, last = out.splitlines()
    assert last.startswith("4 cases, 0 of them from before: 4 done, 0 failed, ")
    results = sweep.read_results(ring.with_suffix(".sqlite"))
    assert sorted(lines) == sorted(f"{r.case}: {r.value}  ({r.seconds:.2f} s)" for r in results)
    assert len(lines) == 4
    rows = parquet.read_table(table).to_pylist()
    assert [sweep._result(row) for row in rows] == results
    code, out, err = run("sweep", ring, "--scheduler", cluster)
    assert (code, err, out.count("\n")) == (0, "", 1)
    assert out.startswith("4 cases, 4 of them from before: 4 done, 0 failed, ")
    assert sweep.read_results(ring.with_suffix(".sqlite")) == results


def test_failures_are_told_and_the_exit_code_is_1(tmp_path, cluster, run):
    (tmp_path / "trap.csv").write_text("a,b,1/2\na,t,1/2\nb,a,1\n")
    config = tmp_path / "sweep.toml"
    config.write_text(
        "[[grid]]\nfamily = 'trap.csv'\nmethod = ['exact', 'float']\nfrom = 'a'\nto = ['b']\n"
        "[[grid]]\nfamily = 'trap.csv'\nmethod = 'float'\nfrom = 'a'\nto = ['b', 't']\n"
    )
    store, table = tmp_path / "other.sqlite", tmp_path / "t.csv"
    for before in (0, 3):  # a failure is kept, too
        code, out, err = run(
            *("sweep", config, "--scheduler", cluster, "--store", store, "--export", table)
        )
        assert (code, err) == (1, "")
        *lines, last = out.splitlines()
        assert len([line for line in lines if ": FAILED: unreachable target" in line]) == (
            2 if before == 0 else 0
        )
        assert last.startswith(f"3 cases, {before} of them from before: 1 done, 2 failed, ")
    assert table.read_text().count("\n") == 4
    assert not config.with_suffix(".sqlite").exists()


def test_progress_bar_on_a_terminal(ring, cluster):
    master, slave = pty.openpty()
    with Started(ring, "--scheduler", cluster, stderr=slave) as started:
        os.close(slave)
        drawn = b""
        while True:
            try:
                part = os.read(master, 4096)
            except OSError:  # all ends are closed
                break
            drawn += part
        assert started.finish()[0] == 0
    os.close(master)
    assert b"4/4" in drawn or b"3/4" in drawn
    assert b"-:--:--" in drawn or b"0:00:0" in drawn
    assert len(started.lines) == 5  # what is printed goes where it belongs, bar or no bar
    assert b"hitting-time exact" not in drawn


# ---------------------------------------------------------------- bad input
GRID = "[[grid]]\nfamily = 'ring'\nmethod = 'exact'\n"
POINT = "[grid.parameters]\nK = 3\nM = 3\nepsilon = '1/10'\n"
CHAIN = "[[grid]]\nfamily = 'chain.csv'\nmethod = 'exact'\n"
BAD: dict[str, tuple[str | bytes, str]] = {
    "empty": ("", "key 'grid': none found: write one table [[grid]]"),
    "no grid": ("seed = 1\n", "key 'grid': none found"),
    "grid not an array": ("[grid]\nfamily = 'ring'\n", "key 'grid': none found"),
    "grid of numbers": ("grid = [1]\n", "key 'grid': none found"),
    "syntax": ("[[grid]\n", "not TOML: "),
    "deep": ("x = " + "[" * 5000, "not TOML: "),
    "long number": ("seed = " + "9" * 5000, "not TOML: "),
    "repeated key": ("seed = 1\nseed = 2\n", "not TOML: "),
    "not text": (b"\xff\xfe\x00", "not UTF-8 text: save it"),
    "unknown key": (
        "sed = 1\n" + GRID + POINT,
        "key 'sed': unknown: give one of seed, store, grid",
    ),
    "unknown key of a grid": (GRID + "replica = 2\n" + POINT, "grid 1, key 'replica': unknown"),
    "seed": ("seed = 1.5\n" + GRID + POINT, "key 'seed': 1.5 found: write an integer from 0"),
    "negative seed": ("seed = -1\n" + GRID + POINT, "key 'seed': -1 found"),
    "true seed": ("seed = true\n" + GRID + POINT, "key 'seed': True found"),
    "large seed": (f"seed = {2**63}\n" + GRID + POINT, "key 'seed': 9223372036854775808 found"),
    "list of seeds": ("seed = [1]\n" + GRID + POINT, "key 'seed': a list found"),
    "store": ("store = 3\n" + GRID + POINT, "key 'store': 3 found: write the name of a file"),
    "store is the file": ("store = 'sweep.toml'\n" + GRID + POINT, "key 'store': that is this"),
    "store nowhere": ("store = 'no/s'\n" + GRID + POINT, "no/s: cannot be written"),
    "no family": ("[[grid]]\nmethod = 'exact'\n", "grid 1, key 'family': missing: write an id"),
    "second grid": (GRID + POINT + "[[grid]]\n", "grid 2, key 'method': missing"),
    "unknown family": (
        GRID.replace("ring", "rink") + POINT,
        "key 'family': unknown family 'rink': give one of complete",
    ),
    "empty family": (GRID.replace("'ring'", "''") + POINT, "key 'family': '' found"),
    "family missing": (GRID.replace("ring", "a.py") + POINT, "a.py: no such file or directory"),
    "family broken": (GRID.replace("ring", "bad.py") + POINT, "bad.py, line 2: the file does not"),
    "unknown kernel": (GRID.replace("ring", "x/ring/gate") + POINT, "unknown kernel 'x'"),
    "no method": ("[[grid]]\nfamily = 'ring'\n" + POINT, "key 'method': missing: write one of"),
    "no methods": (GRID.replace("'exact'", "[]") + POINT, "key 'method': the list is empty"),
    "unknown method": (GRID.replace("exact", "guess") + POINT, "key 'method': unknown 'guess'"),
    "method not a text": (GRID.replace("'exact'", "[3]") + POINT, "key 'method': 3 found"),
    "unknown quantity": (
        GRID + "quantity = 'speed'\n" + POINT,
        "key 'quantity': 'speed' is unknown to method exact of ring: give one of hitting-time, ",
    ),
    "irrational": (
        GRID + "quantity = 'spectral-gap'\n" + POINT,
        "key 'quantity': 'spectral-gap' is unknown to method exact of ring",
    ),
    "no replicas": (
        GRID.replace("exact", "simulation") + POINT,
        "key 'replicas': missing: write an integer from 2",
    ),
    "one replica": (GRID + "replicas = 1\n" + POINT, "key 'replicas': 1 found"),
    "seeds": (GRID + "seeds = [1, 'x']\n" + POINT, "key 'seeds': 'x' found"),
    "steps": (GRID + "max-steps = 0\n" + POINT, "key 'max-steps': 0 found"),
    "ends of a family": (GRID + "from = 'a'\n" + POINT, "key 'from': ring is no chain"),
    "no parameters": (GRID, "key 'parameters': ring: parameter K is missing"),
    "parameters not a table": (GRID + "parameters = 3\n", "key 'parameters': 3 found: write a"),
    "unknown parameter": (GRID + POINT + "L = 3\n", "unknown parameter 'L'"),
    "no values": (GRID + POINT + "d = []\n", "key 'parameters.d': the list is empty"),
    "not a number": (GRID + POINT.replace("1/10", "x"), "key 'parameters.epsilon': 'x' is not a"),
    "divides by zero": (GRID + POINT.replace("1/10", "1/0"), "'1/0' divides by zero"),
    "nan": (GRID + POINT.replace("'1/10'", "nan"), "'nan' is not a number"),
    "true": (GRID + POINT.replace("'1/10'", "true"), "key 'parameters.epsilon': True found"),
    "date": (GRID + POINT.replace("'1/10'", "2020-01-01"), "key 'parameters.epsilon': datetime"),
    "outside": (
        GRID + POINT.replace("'1/10'", "['1/2', 1]"),
        "key 'parameters': ring: K=3,M=3,epsilon=1,d=1 is outside the domain: it needs epsilon < 1",
    ),
    "too many": (
        GRID + POINT.replace("K = 3", f"K = {[3] * 2000}").replace("M = 3", f"M = {[3] * 2000}"),
        "over 1000000 cases: split the sweep",
    ),
    "chain missing": (
        CHAIN.replace("chain", "none") + "from = 'a'\nto = 'b'\n",
        "none.csv: no such",
    ),
    "chain broken": (CHAIN.replace("chain", "bad") + "from = 'a'\nto = 'b'\n", "bad.csv, line 1"),
    "no start": (CHAIN + "to = 'b'\n", "key 'from': missing: write a state"),
    "no target": (CHAIN + "from = 'a'\n", "key 'to': missing: write a state"),
    "unknown state": (
        CHAIN + "from = 'a'\nto = ['b', 'z']\n",
        "key 'to': chain.csv has no state 'z'",
    ),
    "point of a chain": (CHAIN + POINT, "key 'parameters': chain.csv is a chain"),
    "closed form of a chain": (
        CHAIN.replace("exact", "closed-form") + "from = 'a'\nto = 'b'\n",
        "key 'method': closed-form is of families",
    ),
    "exit of a chain": (
        CHAIN + "quantity = 'exit-time'\nfrom = 'a'\nto = 'b'\n",
        "key 'quantity': 'exit-time' is unknown to method exact of a chain: give one of hitting",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_configurations(case, refuses, tmp_path, monkeypatch):
    content, words = BAD[case]
    monkeypatch.chdir(tmp_path)
    Path("chain.csv").write_text("a,b,1\nb,a,1\n")
    Path("bad.csv").write_text("a,b,x\nb,a,1\n")
    Path("bad.py").write_text("x = 1\nraise ValueError('a\\nb')\n")
    file = Path("sweep.toml")
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    before = sorted(Path().iterdir())
    said = refuses("sweep", "sweep.toml")
    assert words in said
    assert "sweep.toml: " in said or "cannot be written" in said
    assert len(said) < 1000
    assert sorted(p for p in Path().iterdir() if p.name != "__pycache__") == before


def test_bad_arguments(refuses, ring, monkeypatch):
    monkeypatch.chdir(ring.parent)
    assert "missing.toml: no such file" in refuses("sweep", "missing.toml")
    assert "is a directory" in refuses("sweep", ".")
    assert "Missing argument" in refuses("sweep")
    assert "--workers" in refuses("sweep", ring, "--workers", 0)
    said = refuses("sweep", ring, "--workers", 2, "--scheduler", "tcp://127.0.0.1:9")
    assert "leave it out with --scheduler" in said
    assert "end its name in .parquet or .csv" in refuses("sweep", ring, "--export", "t.xlsx")
    assert "no/t.csv: cannot be written" in refuses("sweep", ring, "--export", "no/t.csv")
    assert "no/s: cannot be written" in refuses("sweep", ring, "--store", "no/s")
    Path("text").write_text("no database " * 100)
    assert "text: file is not a database" in refuses("sweep", ring, "--store", "text")
    assert "no Dask scheduler answers" in refuses("sweep", ring, "--scheduler", "x://1")


# ---------------------------------------------------------------- kills
def killed_and_continued(config, count, kills, seed, start=None, idle=lambda: None):
    """Kill a sweep so many times at random, then let it finish; check what was kept, each time.

    `start` gives the command for the n-th time, and `idle` waits till nothing runs for it.
    """
    start = start or (lambda n: Started(config, "--workers", 2))
    rng = random.Random(seed)
    phases = []
    for n in range(kills):
        known = stored(config)
        first = len(begun(config))
        with start(n) as started:
            if n % 4 == 3:
                time.sleep(rng.uniform(0, 1))  # perhaps before it has begun
            else:
                started.read(rng.randint(1, max(1, count // (kills + 1))))
                time.sleep(rng.uniform(0, 0.3))
            started.signal(signal.SIGKILL)
            started.finish()
        idle()
        after = stored(config)
        assert started.printed <= set(after), "a finished case is lost"
        assert known.items() <= after.items(), "a result has changed"
        phases.append((known, begun(config)[first:]))
    first = len(begun(config))
    known = stored(config)
    with start(kills) as started:
        assert started.finish() == (0, "")
    phases.append((known, begun(config)[first:]))
    for known, computed in phases:
        assert not set(known) & set(computed), "a finished case is computed again"
        assert len(set(computed)) == len(computed), "a case is computed twice"
    final = stored(config)
    assert set(final) == {f"{n}/1009" for n in range(1, count + 1)}
    assert all(r.failure is None for r in final.values())
    assert started.printed == set(final) - set(known)
    return phases


def test_a_kill_loses_nothing(logged):
    phases = killed_and_continued(logged(30, 0.1), 30, kills=1, seed=1)
    assert phases[1][0], "it was killed before anything was finished"
    assert len(phases[1][1]) < 30


@pytest.mark.slow
def test_many_kills_lose_nothing(logged, server, cluster):
    """Twenty kills: of the command with all its workers, or beside workers that live on."""
    config = logged(120, 0.05)

    def start(n):
        own = ("--workers", 2) if n % 9 == 4 else ("--scheduler", cluster)
        return Forked(server, config, *own)

    with distributed.Client(cluster, set_as_default=False) as client:

        def callers(dask_scheduler):
            return [name for name in dask_scheduler.clients if name.startswith("Client")]

        def idle():
            while len(client.run_on_scheduler(callers)) > 1:
                time.sleep(0.01)
            while any(client.run(lambda dask_worker: len(dask_worker.state.executing)).values()):
                time.sleep(0.01)

        killed_and_continued(config, 120, 20, 3, start, idle)


@pytest.mark.slow
def test_ctrl_c_ends_at_once_and_loses_nothing(logged):
    config = logged(4, 0)
    with Started(config, "--workers", 2) as started:
        assert started.finish() == (0, "")
    config = logged(40, 1000)  # would take hours
    with Started(config, "--workers", 2) as started:
        while len(begun(config)) < 6:
            time.sleep(0.05)
        started.signal(signal.SIGINT)
        assert started.finish() == (130, "metastable: interrupted\n")
    assert set(stored(config)) == {f"{n}/1009" for n in range(1, 5)}
    assert gone(config)


def gone(config):
    """Whether all workers end, sooner or later."""
    pids = {line.split()[1] for line in config.with_name("log").read_text().splitlines()}

    def runs(pid):
        try:
            return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
        except OSError:
            return False

    for _ in range(600):
        if not any(map(runs, pids)):
            return True
        time.sleep(0.1)
    return False


@pytest.mark.slow
def test_workers_do_not_outlive_the_command_nor_is_the_store_shared(logged):
    config = logged(40, 1000)
    with Started(config, "--workers", 2) as started:
        while len(begun(config)) < 2:
            time.sleep(0.05)
        with Started(config) as other:
            code, err = other.finish()
        assert (code, other.lines) == (2, [])
        assert err.startswith(f"metastable: {config.with_suffix('.sqlite')}: another sweep writes")
        assert err.count("\n") == 1
        started.process.kill()  # the command alone; what it started has to notice
        started.process.wait()
        assert gone(config)
    with sweep.Store(config.with_suffix(".sqlite")) as store:  # the lock went with the process
        assert store.keys() == set()
