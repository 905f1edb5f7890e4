"""What holds for the project as a whole: who may import whom, and what may stand in its files."""

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

TOP_LEVEL = {
    *("theory", "numerics", "book", "tests"),
    *("pyproject.toml", "README.md", "LICENSE", "CITATION.cff", "CHANGELOG.md", "CONTRIBUTING.md"),
    *("Makefile", ".ci", ".gitignore", ".editorconfig", ".pre-commit-config.yaml"),
}

# The exact room holds no float: neither the other room nor what that one is built on.
FORBIDDEN_IN_THEORY = {"numerics", "numpy", "scipy", "numba", "book", "tests"}

# Written so that no pattern matches itself.
PRIVATE = {
    "a machine's path": r"(?<![\w./}])/(work|root|home|Users)/\w|/tmp/(dev)\b",
    "a registry's address": r"(pypi|npmjs|pythonhosted)\.(org|com)|(deb|ftp)\.debian\.org",
}


def project_files():
    """Every file that is or would be committed."""
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    names = sorted(set(listing.stdout.split("\0")) - {""})
    return [name for name in names if (ROOT / name).is_file()]


def imported_roots(path):
    """Top-level names of the absolute imports anywhere in a file."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"), str(path))):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield (node.module or "").partition(".")[0]


def private_lines(text):
    """What in a text belongs to a machine or to a registry."""
    return [
        f"{what}: {line.strip()}"
        for line in text.splitlines()
        for what, pattern in PRIVATE.items()
        if re.search(pattern, line)
    ]


THEORY = sorted((ROOT / "theory").rglob("*.py"))


def test_there_is_theory():
    assert THEORY


@pytest.mark.parametrize("path", THEORY, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_theory_imports_no_floating_point(path):
    assert FORBIDDEN_IN_THEORY.isdisjoint(imported_roots(path))


def test_theory_loads_no_floating_point():
    code = (
        "import importlib, pkgutil, sys, theory\n"
        "for module in pkgutil.walk_packages(theory.__path__, 'theory.'):\n"
        "    importlib.import_module(module.name)\n"
        f"print(sorted({FORBIDDEN_IN_THEORY!r} & set(sys.modules)))"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert run.stdout.strip() == "[]"


def test_packages_are_typed():
    for package in ("theory", "numerics"):
        assert (ROOT / package / "__init__.py").is_file()
        assert (ROOT / package / "py.typed").is_file()


def test_versions_agree():
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    citation = re.findall(r"^version: (\S+)$", (ROOT / "CITATION.cff").read_text(), re.MULTILINE)
    changes = re.findall(r"^## \[(\d\S*)\]", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert citation == [version]
    assert changes[0] == version


def test_license_is_there():
    text = (ROOT / "LICENSE").read_text()
    assert text.startswith("MIT License")
    assert "the metastable authors" in text


def test_top_level_is_the_agreed_one():
    assert {name.partition("/")[0] for name in project_files()} == TOP_LEVEL


def test_ci_can_be_run():
    assert (ROOT / ".ci" / "run").stat().st_mode & 0o111


def test_no_file_names_a_machine_or_a_registry():
    found = {}
    for name in project_files():
        try:
            lines = private_lines((ROOT / name).read_text(encoding="utf-8"))
        except UnicodeDecodeError:
            continue
        if lines:
            found[name] = lines
    assert found == {}


def test_private_lines_are_recognised():
    for line in (
        "see /" + "work/main",
        "/" + "tmp/dev/bin",
        "from py" + "pi.org",
        "(/" + "root/x)",
    ):
        assert private_lines(line), line
    for line in ("framework/main", "https://example.org/work/x", "the square root/x"):
        assert not private_lines(line), line
