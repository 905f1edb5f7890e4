"""Building the book: MathJax beside the pages, then Jupyter Book with every warning an error."""

import base64
import contextlib
import hashlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from numerics import claimtable, notebooks, processes

MYST = "METASTABLE_MYST"
"""The environment variable that tells the cells of a page that the book is being built."""

NOTEBOOKS = "notebooks"
"""The folder of the site that holds the pages as notebooks."""

MATHJAX = "mathjax@3.2.2"
"""The npm package that sets the formulas. Version 4 fetches its fonts from a content network."""

_MATHJAX_SHA512 = (
    "Bt+SSVU8eBG27zChVewOicYs7Xsdt40qm4+UpHyX7k0/O9NliPc+x77k1/FEsPsjKPZGJvtRZM1vO+geW0OhGw=="
)
_MATHJAX_ENTRY = PurePosixPath("es5/tex-mml-chtml.js")
_NPM_SECONDS = 120
_CELL_SECONDS = 1800  # a busy machine is no failure
_READER = {"name": "myst_nb_md", "type": "plugin"}
# Sphinx writes these itself, last, and would silently replace a chapter.
_TAKEN = ("search", "genindex", "py-modindex", "prf-prf")
# Sphinx reads one page after the other; this runs the cells of as many pages as there are
# processors, and what fails or cannot start is left to Sphinx, which reports it.
_EXECUTE = "import sys; from numerics import bookbuild; bookbuild.run_cells(*sys.argv[1:])"
# What a page may ask for; the rest of the package is other builds of the same program.
_MATHJAX_PARTS = (
    "LICENSE",
    str(_MATHJAX_ENTRY),
    "es5/input/",
    "es5/output/chtml/",
    "es5/a11y/",
    "es5/sre/",
    "es5/ui/",
)


class BookError(Exception):
    """The book cannot be built; the message is one line that names the remedy."""


def pages() -> Path:
    """Find the folder that holds the book's pages.

    Returns
    -------
    Path
        The copy inside an installed wheel (``numerics/_book``), or ``book`` of a checkout.

    Raises
    ------
    BookError
        If neither is there.
    """
    package = Path(__file__).resolve().parent
    for folder in (package / "_book", package.parent / "book"):
        if (folder / "_config.yml").is_file():
            return folder
    raise BookError("the book's pages are not installed: install metastable again")


def fetch_mathjax(vendor: Path) -> None:
    """Put MathJax into a folder, unless it is there already.

    Parameters
    ----------
    vendor : Path
        The folder that is to hold ``mathjax``.

    Raises
    ------
    BookError
        If npm is missing, cannot fetch the package, or hands over another one.
    """
    home = vendor / "mathjax"
    if (home / _MATHJAX_ENTRY).is_file():
        return
    npm = shutil.which("npm")
    if npm is None:
        raise BookError(
            f"npm is needed once, to fetch {MATHJAX}: install Node.js with npm, "
            f"or unpack that npm package into {home}"
        )
    vendor.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=vendor) as scratch:
        try:
            subprocess.run(
                [npm, "pack", "--silent", "--fetch-retries=1", MATHJAX],
                cwd=scratch,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=_NPM_SECONDS,
                check=True,
            )
        except (OSError, subprocess.SubprocessError):
            raise BookError(
                f"npm could not fetch {MATHJAX}: check the network, "
                f"or unpack that npm package into {home}"
            ) from None
        (archive_file,) = Path(scratch).glob("*.tgz")
        digest = hashlib.sha512(archive_file.read_bytes()).digest()
        if base64.b64encode(digest).decode() != _MATHJAX_SHA512:
            raise BookError(f"npm handed over another {MATHJAX} than the known one: try again")
        unpacked = Path(scratch, "mathjax")
        with tarfile.open(archive_file) as archive:
            for member in archive:
                name = member.name.removeprefix("package/")
                content = archive.extractfile(member) if name.startswith(_MATHJAX_PARTS) else None
                if content is not None:
                    target = unpacked / name
                    target.parent.mkdir(parents=True, exist_ok=True)
                    target.write_bytes(content.read())
        if not home.exists():
            unpacked.rename(home)


def build(source: Path, out: Path, *, execute: str = "force") -> Path:
    """Build the book as HTML that works without a network.

    Every page is executed; a warning, a failing cell, a dangling reference or text on a cell's
    standard error fails the build. The build itself writes nothing into `source`, so that an
    installed copy stays as it is.

    Parameters
    ----------
    source : Path
        The folder with ``_config.yml`` and ``_toc.yml``; see `pages`.
    out : Path
        The folder that receives ``_build/html``, and ``_build/_vendor`` with MathJax.
    execute : {"force", "cache"}, optional
        Build everything from nothing, or read and run only the pages that changed since the last
        build that succeeded. That build sees no change in the packages that a page imports, nor
        what a changed page breaks on another one: it is for writing prose.

    Returns
    -------
    Path
        The first page, ``index.html``.

    Raises
    ------
    BookError
        If a tool is missing or the build fails.
    """
    if execute not in ("force", "cache"):
        raise BookError(f"execute is 'force' or 'cache', not {execute!r}")
    if not (source / "_config.yml").is_file():
        raise BookError(f"{source} holds no book: name a folder with _config.yml and _toc.yml")
    for name in _TAKEN:
        if (source / f"{name}.md").exists():
            raise BookError(f"{source / name}.md: Sphinx has a page of that name: rename yours")
    if importlib.util.find_spec("jupyter_book") is None:
        raise BookError("Jupyter Book is not installed: pip install 'metastable[book]'")

    source, work = source.resolve(), out.resolve() / "_build"
    html, cells, done = work / "html", work / ".jupyter_cache", work / ".done.json"
    files, state = _pages(source), _state(source)
    if execute == "force" or not _continues(done, state):
        # Sphinx repeats no warning about a page that it has already read, so that pages may stay
        # only after a build without any.
        for stale in (html, work / ".doctrees"):
            shutil.rmtree(stale, ignore_errors=True)
    done.unlink(missing_ok=True)
    fetch_mathjax(work / "_vendor")
    if execute == "force":
        shutil.rmtree(cells, ignore_errors=True)
    downloads = cells / "downloads"  # with the cells that write there: both are kept or neither
    shutil.rmtree(downloads / NOTEBOOKS, ignore_errors=True)
    for page in files:
        file = (downloads / NOTEBOOKS / page.relative_to(source)).with_suffix(".ipynb")
        file.parent.mkdir(parents=True, exist_ok=True)
        text = json.dumps(notebooks.notebook(page, source), indent=1, ensure_ascii=False)
        file.write_text(text + "\n", encoding="utf-8")
    environment = os.environ | {
        "MATPLOTLIBRC": str(source / "_ext" / "matplotlibrc"),
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",
        "JUPYTER_PATH": str(_kernel(work / "jupyter")),
        MYST: "1",
        claimtable.DOWNLOADS: str(downloads),
    }
    subprocess.run(
        [sys.executable, "-c", _EXECUTE, str(cells), *map(str, files)],
        stdin=subprocess.DEVNULL,
        env=environment,
    )
    run = subprocess.run(
        [
            sys.executable,
            "-c",
            "from jupyter_book.cli.main import main; main(prog_name='jupyter-book')",
            *("build", str(source), "--path-output", str(out), "-W", "--keep-going", "-n"),
        ],
        stdin=subprocess.DEVNULL,
        env=environment,
    )
    index = html / "index.html"
    if run.returncode != 0 or not index.is_file():
        raise BookError(
            f"the book did not build (exit code {run.returncode}): mend what is reported above"
        )
    done.write_text(json.dumps(state), encoding="utf-8")
    return index


def run_cells(cache: str, *pages: str) -> None:
    """Run the cells of pages, unless the cache knows them, on all processors.

    Parameters
    ----------
    cache : str
        A folder of jupyter-cache, where the outputs go.
    *pages : str
        Files in MyST Markdown.
    """
    from jupyter_cache import get_cache  # of the extra "book"

    project = get_cache(cache)
    # A long page at the end would leave the other processors idle.
    ordered = sorted(pages, key=lambda page: Path(page).stat().st_size, reverse=True)
    added = [project.add_nb_to_project(page, read_data=_READER) for page in ordered]
    jobs = [(cache, page.pk) for page in added]
    for _ in processes.shared(_run_page, jobs, os.cpu_count() or 1):
        pass


def _run_page(job: tuple[str, int]) -> Iterator[None]:
    """Run the cells of one page: a failure is met again, and told, by Sphinx."""
    from jupyter_cache import get_cache
    from jupyter_cache.executors import load_executor

    cache, page = job
    with contextlib.suppress(Exception):
        executor = load_executor("local-serial", get_cache(cache))
        executor.run_and_cache(filter_pks=[page], timeout=_CELL_SECONDS)
    yield


def _kernel(home: Path) -> Path:
    """A folder with the kernel of this Python, which prints no warnings of its own.

    Its socket is open to this machine alone, and its messages are signed.
    """
    folder = home / "kernels" / "python3"
    folder.mkdir(parents=True, exist_ok=True)
    start = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    spec = {"argv": [*start, "--log-level=ERROR"], "display_name": "Python 3", "language": "python"}
    (folder / "kernel.json").write_text(json.dumps(spec), encoding="utf-8")
    return home


def _pages(source: Path) -> list[Path]:
    """The pages with cells."""
    return [
        page
        for page in sorted(source.rglob("*.md"))
        if "_build" not in page.relative_to(source).parts
        and notebooks.is_notebook(page.read_text(encoding="utf-8"))
    ]


def _state(source: Path) -> dict[str, list[str] | str]:
    """The names of all pages, and a digest of what shapes every one of them."""
    files = [path for path in sorted(source.rglob("*")) if path.is_file()]
    files = [path for path in files if not {"_build", "__pycache__"} & set(path.parts)]
    digest = hashlib.sha256()
    for path in files:
        if path.suffix != ".md":
            digest.update(path.read_bytes())
    names = [str(path.relative_to(source)) for path in files if path.suffix == ".md"]
    return {"pages": names, "digest": digest.hexdigest()}


def _continues(done: Path, state: dict[str, list[str] | str]) -> bool:
    """Whether the last build succeeded, with the same configuration and no page that is gone."""
    try:
        before = json.loads(done.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return before["digest"] == state["digest"] and set(before["pages"]) <= set(state["pages"])
