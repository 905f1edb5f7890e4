"""The build of the book objects to what must not pass, and to nothing else."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from numerics import bookbuild

pytestmark = pytest.mark.slow

BOOK = Path(__file__).resolve().parents[2] / "book"
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

FAULTS = {
    "unknown equation": "See {eq}`eq-nowhere`.",
    "unknown theorem": "See {prf:ref}`nowhere`.",
    "unknown citation": "See {cite:t}`nobody1900nothing`.",
    "unknown page": "See [there](nowhere.md).",
    "exception": "```{code-cell} ipython3\nraise RuntimeError('planted')\n```",
    "wrong formula": (
        "```{code-cell} ipython3\nimport sympy\n\nx = sympy.Symbol('x')\n"
        "assert sympy.simplify((x + 1) ** 2 - (x**2 + 1)) == 0\n```"
    ),
    "standard error": (
        "```{code-cell} ipython3\nimport sys\n\nprint('planted', file=sys.stderr)\n```"
    ),
    "python warning": ("```{code-cell} ipython3\nimport warnings\n\nwarnings.warn('planted')\n```"),
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


def test_clean_page_builds(book):
    (book / "page.md").write_text(HEADER + CLEAN)
    index = bookbuild.build(book, book)
    assert index == book / "_build" / "html" / "index.html"
    page = (index.parent / "page.html").read_text(encoding="utf-8")
    assert "equation-eq-square" in page
    assert (index.parent / "mathjax" / "es5" / "tex-mml-chtml.js").is_file()


@pytest.mark.parametrize("fault", FAULTS)
def test_fault_fails_the_build(book, fault):
    (book / "page.md").write_text(HEADER + CLEAN + "\n" + FAULTS[fault] + "\n")
    with pytest.raises(bookbuild.BookError, match="did not build"):
        bookbuild.build(book, book)


@pytest.mark.parametrize("fault", ["unknown equation", "standard error"])
def test_second_try_fails_too(book, fault):
    (book / "page.md").write_text(HEADER + CLEAN + "\n" + FAULTS[fault] + "\n")
    for _ in range(2):
        with pytest.raises(bookbuild.BookError, match="did not build"):
            bookbuild.build(book, book, execute="cache")


def test_source_is_left_alone(book, tmp_path_factory, vendor):
    (book / "page.md").write_text(HEADER + CLEAN)
    shutil.rmtree(book / "_build")
    before = sorted(path for path in book.rglob("*") if "__pycache__" not in path.parts)
    out = tmp_path_factory.mktemp("out")
    (out / "_build").mkdir()
    (out / "_build" / "_vendor").symlink_to(vendor)
    bookbuild.build(book, out)
    after = sorted(path for path in book.rglob("*") if "__pycache__" not in path.parts)
    assert after == before


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
