"""The claims as data: a table in JSON, a file for each certificate, and which tests check what."""

from __future__ import annotations

import functools
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from numerics.verify import Judgement
from theory import checker, render
from theory.claims import Claim, Derivation
from theory.family import built_in

TABLE = "claims.json"
CERTIFICATES = "certificates"
DOWNLOADS = "METASTABLE_DOWNLOADS"
"""The environment variable that names the folder of the files that readers may download."""

# Collected, not run: what a test asks of the fixtures that derive claims, it checks.
_COLLECT = """
import ast, inspect, json, sys, textwrap
import pytest

def constant(node):
    return node.value if isinstance(node, ast.Constant) else None

def asked(call):
    # claim(family, quantity), or derivations[family].claim(quantity)
    function, arguments = call.func, [constant(x) for x in call.args]
    if isinstance(function, ast.Name) and function.id == "claim" and len(arguments) == 2:
        yield arguments
    elif isinstance(function, ast.Attribute) and function.attr == "claim" and arguments:
        if isinstance(function.value, ast.Subscript):
            yield [constant(function.value.slice), arguments[0]]

class Collector:
    found = []
    def pytest_collection_modifyitems(self, items):
        for item in items:
            if {"claim", "derivations"} & set(item.fixturenames):
                parameters = getattr(getattr(item, "callspec", None), "params", {}).values()
                body = ast.parse(textwrap.dedent(inspect.getsource(item.function))).body[0].body
                nodes = [node for part in body for node in ast.walk(part)]
                calls = [x for node in nodes if isinstance(node, ast.Call) for x in asked(node)]
                words = [x for node in nodes if isinstance(x := constant(node), str)]
                given = [x for x in parameters if isinstance(x, str)]
                self.found.append([item.nodeid.split("[")[0], given, words, calls])

collector = Collector()
code = pytest.main(["--collect-only", "-qq", "-m", "", "-p", "no:cacheprovider",
                    *sys.argv[1:]], plugins=[collector])
print(json.dumps([int(code), collector.found]))
"""


def slug(claim: str) -> str:
    """The id of a claim as a label or the name of a file."""
    return re.sub(r"[^A-Za-z0-9]+", "-", claim)


def names() -> list[str]:
    """The ids of all claims of built-in families; nothing is derived."""
    return [f"{n}/{q}" for n, family in built_in().items() for q in Derivation(family).recipes]


def all_claims() -> Mapping[str, list[Claim]]:
    """Every claim of every built-in family, by family."""
    found = {}
    for name, family in built_in().items():
        derivation = Derivation(family)
        found[name] = [derivation.claim(quantity) for quantity in derivation.recipes]
    return found


def record(judged: Judgement) -> dict[str, Any]:
    """What the table says of one claim: statement, domain, verdict, certificate."""
    claim = judged.claim
    return {
        "claim": claim.id,
        "family": claim.family,
        "quantity": claim.quantity,
        "statement": checker.text(claim.statement),
        "latex": render.claim_latex(claim),
        "domain": render.domain_latex(claim.domain),
        "source": claim.source,
        "verdict": judged.verdict,
        "margin": judged.margin,
        "page": f"claims.html#entry-{slug(claim.id)}",
        "file": f"{CERTIFICATES}/{slug(claim.id)}.json",
        "certificate": {**claim.certificate, "claim": claim.id},
    }


def write(judged: Iterable[Judgement], folder: Path | None = None) -> Path:
    """Write the table, and each certificate as `metastable check` reads it.

    Parameters
    ----------
    judged : iterable of Judgement
        Claims with their verdicts.
    folder : Path, optional
        Where to; by default the folder that the build of the book names, else the present one.

    Returns
    -------
    Path
        The table.
    """
    folder = Path(os.environ.get(DOWNLOADS, ".")) if folder is None else folder
    (folder / CERTIFICATES).mkdir(parents=True, exist_ok=True)
    records = [record(one) for one in judged]
    for told in records:
        text = json.dumps(told["certificate"], indent=1) + "\n"
        (folder / told["file"]).write_text(text, encoding="utf-8")
    table = {"version": version("metastable"), "claims": records}
    (folder / TABLE).write_text(json.dumps(table) + "\n", encoding="utf-8")
    return folder / TABLE


# ---------------------------------------------------------------- tests
@dataclass(frozen=True)
class Test:
    """A test and the claims that it checks.

    Attributes
    ----------
    id : ``file::function``, from the top of the project.
    claims : ids.
    source : its text.
    """

    __test__ = False  # pytest, which sees it in its own tests

    id: str
    claims: tuple[str, ...]
    source: str

    @property
    def name(self) -> str:
        """The function."""
        return self.id.rpartition("::")[2]


@functools.cache
def tests() -> tuple[Test, ...]:
    """The tests that check claims of built-in families, as pytest collects them.

    Returns
    -------
    tuple of Test
        Empty where the tests are not at hand: an installed package comes without them.

    Raises
    ------
    RuntimeError
        pytest could not collect them.
    """
    root = Path(__file__).resolve().parents[1]
    files = [
        str(path)
        for path in sorted(root.glob("tests/theory/**/test_*.py"))
        if re.search(r"def test_\w+\([^)]*\b(claim|derivations)\b", path.read_text("utf-8"))
    ]
    if not files or not (root / "pyproject.toml").is_file():
        return ()
    run = subprocess.run(
        [sys.executable, "-c", _COLLECT, *files], cwd=root, capture_output=True, text=True
    )
    try:
        code, found = json.loads(run.stdout.splitlines()[-1])
    except (IndexError, ValueError):
        code, found = 1, []
    if code:
        raise RuntimeError(f"the tests cannot be collected: run pytest in {root.name}")
    checked: dict[str, set[str]] = {}
    for test, given, words, calls in found:
        checked.setdefault(test, set()).update(_asked(given, words, calls))
    return tuple(
        Test(test, tuple(sorted(claims)), _source(root, test))
        for test, claims in checked.items()
        if claims
    )


def _asked(
    given: Iterable[str], words: Iterable[str], calls: Iterable[tuple[str | None, str | None]]
) -> set[str]:
    """The claims that a test asks for.

    What a call names is asked for; where it has a variable, that is a parameter of the test if one
    fits, or else runs over what the test names.
    """
    known = {name: set(Derivation(family).recipes) for name, family in built_in().items()}
    given, words = set(given), set(words)
    found = set()
    for family, quantity in calls:
        for name in [family] if family is not None else given & set(known) or words & set(known):
            fits = known.get(name, set())
            those = {quantity} if quantity is not None else given & fits or words
            found |= {f"{name}/{one}" for one in those & fits}
    return found


def _source(root: Path, test: str) -> str:
    """The text of a test function with its decorators."""
    import ast

    file, name = test.split("::")
    text = (root / file).read_text(encoding="utf-8")
    (function,) = (
        n for n in ast.walk(ast.parse(text)) if isinstance(n, ast.FunctionDef) and n.name == name
    )
    first = min([function.lineno, *(d.lineno for d in function.decorator_list)])
    return "\n".join(text.splitlines()[first - 1 : function.end_lineno])
