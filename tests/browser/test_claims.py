"""Claims in the built book: linked with pages, tests and code both ways, and offered as files."""

import json
import os
import re
import shutil
import subprocess
import sys
from html import unescape
from pathlib import Path
from urllib.parse import unquote, urlsplit

import nbformat
import pytest
from typer.testing import CliRunner

from numerics import cli
from numerics.claimtable import CERTIFICATES, TABLE, names, slug
from numerics.notebooks import is_notebook
from theory import catalogue, checker
from theory.claims import Derivation

pytestmark = pytest.mark.browser

ROOT = Path(__file__).resolve().parents[2]
BOOK = Path(os.environ.get("METASTABLE_BOOK") or ROOT / "book" / "_build" / "html").resolve()
PAGES = sorted(
    path.relative_to(BOOK).as_posix()
    for path in BOOK.rglob("*.html")
    if path.relative_to(BOOK).parts[0] not in {"_modules", "_static", "_sources", "mathjax"}
)
LINK = re.compile(r'<a\b[^>]*\shref="([^"]+)"')


@pytest.fixture(scope="module")
def table():
    return json.loads((BOOK / TABLE).read_text(encoding="utf-8"))


def linked(page):
    """Where the links of a page lead, from the top of the site."""
    folder = (BOOK / page).parent
    return {
        os.path.relpath((folder / unquote(urlsplit(x).path)).resolve(), BOOK)
        + (f"#{urlsplit(x).fragment}" if urlsplit(x).fragment else "")
        for x in map(unescape, LINK.findall((BOOK / page).read_text(encoding="utf-8")))
        if not urlsplit(x).scheme
    }


def stating(claim):
    """The pages with a theorem that says what the claim says."""
    place = re.compile(rf'id="stated-{slug(claim)}-\d+"')
    return [p for p in PAGES if place.search((BOOK / p).read_text(encoding="utf-8"))]


@pytest.mark.parametrize("claim", names())
def test_claim_is_linked_both_ways(claim, table):
    pages = stating(claim)
    assert pages, f"no page states {claim}"
    file, entry, tests = (
        f"{CERTIFICATES}/{slug(claim)}.json",
        f"claims.html#entry-{slug(claim)}",
        f"tests.html#tests-{slug(claim)}",
    )
    code = f"_modules/theory/families/{claim.split('/')[0]}.html"
    for page in pages:
        assert {file, entry, tests} <= linked(page)
        assert any(x.startswith(f"{code}#") for x in linked(page))
    listed = linked("claims.html")
    assert {file, tests} <= listed
    assert all(any(x.startswith(f"{page}#stated-{slug(claim)}-") for x in listed) for page in pages)
    assert entry in linked("tests.html")  # from the tests
    assert entry in linked("api.html")  # from the documentation of the code
    (told,) = (x for x in table["claims"] if x["claim"] == claim)
    assert told["verdict"] == "PROVED"
    assert told["page"] == entry  # from the certificate, by the name of its claim
    assert told["certificate"]["claim"] == claim
    assert json.loads((BOOK / file).read_text(encoding="utf-8")) == told["certificate"]


def test_table_is_offered_and_complete(table):
    assert TABLE in linked("claims.html")
    assert [told["claim"] for told in table["claims"]] == names()


def test_check_accepts_every_certificate(table, tmp_path, monkeypatch):
    derivations: dict[str, Derivation] = {}
    monkeypatch.setattr(
        cli,
        "derivation_of",
        lambda family: derivations.setdefault(family.id, catalogue.derivation(family)),
    )
    for told in table["claims"]:
        file = tmp_path / "proof.json"
        file.write_text(json.dumps(told["certificate"]))
        run = CliRunner().invoke(cli.app, ["check", str(file)])
        assert run.exit_code == 0, run.output
        assert f"It is the claim {told['claim']}." in run.output
        assert told["statement"] in run.output
    altered = table["claims"][0]["certificate"] | {"claim": table["claims"][1]["claim"]}
    file.write_text(json.dumps(altered))
    assert CliRunner().invoke(cli.app, ["check", str(file)]).exit_code == 1


def test_lone_checker_accepts_a_certificate(tmp_path):
    lone = shutil.copy(checker.__file__, tmp_path)
    file = BOOK / CERTIFICATES / f"{slug(names()[0])}.json"
    run = subprocess.run([sys.executable, "-I", lone, str(file)], capture_output=True, text=True)
    assert run.returncode == 0, run.stdout + run.stderr


def test_pages_with_cells_are_notebooks():
    sources = {
        path.relative_to(BOOK / "_sources").with_suffix("").as_posix()
        for path in (BOOK / "_sources").rglob("*.md")
        if is_notebook(path.read_text(encoding="utf-8"))
    }
    files = {
        path.relative_to(BOOK / "notebooks").with_suffix("").as_posix(): path
        for path in (BOOK / "notebooks").rglob("*.ipynb")
    }
    assert set(files) == sources
    for page, path in files.items():
        nbformat.validate(nbformat.read(path, as_version=4))
        assert f"notebooks/{page}.ipynb" in linked(f"{page}.html")
