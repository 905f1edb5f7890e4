"""The build of the book objects to what must not pass, and to nothing else."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from numerics import bookbuild
from numerics.claimtable import names

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
BOOK = ROOT / "book"
INFRASTRUCTURE = ("_config.yml", "_ext", "references.bib")

HEADER = """\
---
file_format: mystnb
kernelspec:
  name: python3
---

# A page

An equation,

```{math}
:label: eq-square
(x + 1)^2 = x^2 + 2 x + 1 .
```

"""

CLEAN = """\
which is {eq}`eq-square`, after {cite:t}`kim2025metastable`.

```{code-cell} ipython3
import sympy

x = sympy.Symbol("x")
assert sympy.simplify((x + 1) ** 2 - (x**2 + 2 * x + 1)) == 0
```

```{bibliography}
```
"""

# What is reported, while the build goes on with the next page.
WARNED = {
    "unknown equation": "See {eq}`eq-nowhere`.",
    "unknown theorem": "See {prf:ref}`nowhere`.",
    "unknown citation": "See {cite:t}`nobody1900nothing`.",
    "unknown page": "See [there](nowhere.md).",
    "standard error": (
        "```{code-cell} ipython3\nimport sys\n\nprint('planted', file=sys.stderr)\n```"
    ),
    "python warning": ("```{code-cell} ipython3\nimport warnings\n\nwarnings.warn('planted')\n```"),
    "figure without words": (
        "```{code-cell} ipython3\nimport matplotlib.pyplot as plt\n\nplt.plot([0, 1]);\n```"
    ),
    "drawing without words": "<svg width='9' height='9'></svg>",
    "unknown claim": "See {claim:ref}`nowhere/hitting-time`.",
}
# What ends the build at once.
RAISED = "```{code-cell} ipython3\nraise RuntimeError('planted')\n```"
WORDS = "---\nmystnb:\n  image:\n    alt: A line.\n---\n"

PROVED = """\
After {cite:t}`kim2025metastable`.

```{code-cell} ipython3
from numerics.pages import Page, theorem

page = Page("complete")
assert page.judgement().verdict == "PROVED", page.judgement().reason
theorem(page.claim())
```

```{bibliography}
```
"""
# One place of the code, what to make of it there, and what the page then says.
CHANGES = {
    "closed form": (
        "theory/claims.py",
        "        family = self.family.id\n",
        "        family = self.family.id\n"
        "        if 'expression' in parts:\n"
        "            parts['expression'] *= 1 + sympy.Symbol('epsilon') / 1000\n",
        "AssertionError",
    ),
    "row of a family": (
        "theory/families/complete.py",
        "epsilon / (K - 1)",
        "epsilon / K",
        "not shown: total == 1",
    ),
}


@pytest.fixture(scope="session")
def vendor(tmp_path_factory):
    """MathJax, fetched once."""
    folder = tmp_path_factory.mktemp("vendor")
    bookbuild.fetch_mathjax(folder)
    return folder


@pytest.fixture
def book(tmp_path, vendor):
    """The infrastructure of the book, for one page that is still to be written."""
    for name in INFRASTRUCTURE:
        copy = shutil.copytree if (BOOK / name).is_dir() else shutil.copy
        copy(BOOK / name, tmp_path / name)
    (tmp_path / "_toc.yml").write_text("format: jb-book\nroot: page\n")
    (tmp_path / "_build").mkdir()
    (tmp_path / "_build" / "_vendor").symlink_to(vendor)
    return tmp_path


def of_claims(stated, listed):
    """The lines of a page which states these claims, and of one which lists those."""
    lines = [*(f"- {{claim:entry}}`{x}`" for x in listed), ""]
    return "\n".join([*lines, *(f"- {{claim:stated}}`{x}`" for x in stated), ""])


def files(folder):
    return sorted(path for path in folder.rglob("*") if "__pycache__" not in path.parts)


def test_clean_page_builds(book, tmp_path_factory, vendor):
    """And leaves its source alone, when it is built elsewhere."""
    figure = WARNED["figure without words"].replace("ipython3\n", f"ipython3\n{WORDS}")
    claims = of_claims(names(), names())
    (book / "page.md").write_text("\n".join([HEADER, CLEAN, figure, "", claims]))
    shutil.rmtree(book / "_build")
    before = files(book)
    out = tmp_path_factory.mktemp("out")
    (out / "_build").mkdir()
    (out / "_build" / "_vendor").symlink_to(vendor)
    index = bookbuild.build(book, out)
    assert files(book) == before
    assert index == out / "_build" / "html" / "index.html"
    page = (index.parent / "page.html").read_text(encoding="utf-8")
    assert "equation-eq-square" in page
    assert 'alt="A line."' in page
    assert (index.parent / "mathjax" / "es5" / "tex-mml-chtml.js").is_file()


def test_faults_fail_the_build(book, capfd):
    """A page for each fault: one report, of -W, is enough to fail a build, and each has its own."""
    pages = {fault.replace(" ", "-"): text for fault, text in WARNED.items()}
    entries = "".join(f"  - file: {page}\n" for page in ["harmless", *pages])
    (book / "_toc.yml").write_text(f"format: jb-book\nroot: page\nchapters:\n{entries}")
    (book / "page.md").write_text(HEADER + CLEAN)
    for page, text in {"harmless": "No fault.", **pages}.items():
        words = HEADER.replace("eq-square", f"eq-{page}") + text + "\n"
        (book / f"{page}.md").write_text(words)
    with pytest.raises(bookbuild.BookError, match="did not build"):
        bookbuild.build(book, book)
    told = "".join(capfd.readouterr())
    assert set(re.findall(r"/([a-z-]+)\.md\b.*(?:WARNING|ERROR)", told)) == set(pages)


def test_cell_that_raises_fails_the_build(book, capfd):
    (book / "page.md").write_text(HEADER + CLEAN + "\n" + RAISED + "\n")
    with pytest.raises(bookbuild.BookError, match="did not build"):
        bookbuild.build(book, book)
    assert "planted" in "".join(capfd.readouterr())


@pytest.mark.parametrize("change", CHANGES)
def test_changed_code_fails_the_build(book, tmp_path_factory, monkeypatch, capfd, change):
    code = tmp_path_factory.mktemp("code")
    shutil.copytree(ROOT / "theory", code / "theory")
    file, old, new, said = CHANGES[change]
    text = (code / file).read_text(encoding="utf-8")
    assert old in text
    (code / file).write_text(text.replace(old, new), encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(code), str(ROOT)]))
    (book / "page.md").write_text(HEADER + PROVED)
    with pytest.raises(bookbuild.BookError, match="did not build"):
        bookbuild.build(book, book)
    assert said in "".join(capfd.readouterr())


def test_claim_without_page_fails_the_build(book, capfd):
    first, *_, last = names()
    page = of_claims(names()[:-1], names()[1:])
    (book / "page.md").write_text("\n".join([HEADER, CLEAN, page]))
    with pytest.raises(bookbuild.BookError, match="did not build"):
        bookbuild.build(book, book)
    told = "".join(capfd.readouterr())
    assert f"{last} is stated on no page" in told
    assert f"{first} has no entry" in told
    assert f"{names()[1]} " not in told


def test_cached_build_reads_what_changed(book):
    shutil.copy(BOOK / "_config.yml", book)
    toc = "format: jb-book\nroot: page\nchapters:\n  - file: other\n  - file: third\n"
    (book / "_toc.yml").write_text(toc)
    (book / "page.md").write_text(HEADER + CLEAN)
    (book / "other.md").write_text("# Other\n\nIt was so.\n")
    (book / "third.md").write_text("# Third\n\nAs before.\n")
    html = bookbuild.build(book, book).parent
    read = {page: (book / "_build/.doctrees" / f"{page}.doctree") for page in ("other", "third")}
    before = {page: file.stat().st_mtime_ns for page, file in read.items()}

    (book / "other.md").write_text("# Other\n\nIt is so.\n")
    bookbuild.build(book, book, execute="cache")
    assert "It is so." in (html / "other.html").read_text(encoding="utf-8")
    after = {page: file.stat().st_mtime_ns for page, file in read.items()}
    assert [page for page in read if after[page] != before[page]] == ["other"]

    # What shapes every page, or takes one away, is a reason to read all of them.
    (book / "third.md").unlink()
    (book / "_toc.yml").write_text(toc.replace("  - file: third\n", ""))
    bookbuild.build(book, book, execute="cache")
    assert not (html / "third.html").exists()


def test_second_try_fails_too(book, capfd):
    toc = "format: jb-book\nroot: page\nchapters:\n  - file: other\n"
    (book / "_toc.yml").write_text(toc)
    (book / "page.md").write_text(HEADER + CLEAN + "\n" + WARNED["standard error"] + "\n")
    (book / "other.md").write_text(f"# Other\n\n{WARNED['unknown equation']}\n")
    for _ in range(2):
        with pytest.raises(bookbuild.BookError, match="did not build"):
            bookbuild.build(book, book, execute="cache")
        told = "".join(capfd.readouterr())
        assert set(re.findall(r"/([a-z-]+)\.md\b.*(?:WARNING|ERROR)", told)) == {"page", "other"}


def test_without_npm_one_line_names_the_remedy(tmp_path):
    code = (
        "import sys; from pathlib import Path; from numerics import bookbuild\n"
        "try:\n    bookbuild.fetch_mathjax(Path(sys.argv[1]))\n"
        "except bookbuild.BookError as error:\n    print(error)"
    )
    run = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)],
        env={**os.environ, "PATH": str(tmp_path)},
        cwd=BOOK.parent,
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stdout.count("\n") == 1
    assert "install Node.js" in run.stdout
    assert str(tmp_path / "mathjax") in run.stdout


def test_no_book_is_one_line(tmp_path):
    with pytest.raises(bookbuild.BookError, match="holds no book"):
        bookbuild.build(tmp_path, tmp_path)


def test_page_that_sphinx_would_replace_is_refused(tmp_path):
    shutil.copy(BOOK / "_config.yml", tmp_path)
    (tmp_path / "search.md").write_text(HEADER + CLEAN)
    with pytest.raises(bookbuild.BookError, match="Sphinx has a page of that name: rename"):
        bookbuild.build(tmp_path, tmp_path)
