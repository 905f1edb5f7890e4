"""What the sources of the book promise, without building it: notebooks, references, toc, notes."""

import importlib.util
import json
import os
import re
import unicodedata
from pathlib import Path

import pytest
import yaml

from numerics import notebooks
from theory.family import built_in

ROOT = Path(__file__).resolve().parents[1]
BOOK = ROOT / "book"
PAGES = [
    path.relative_to(BOOK).with_suffix("").as_posix()
    for path in sorted(BOOK.rglob("*.md"))
    if "_build" not in path.relative_to(BOOK).parts
]
CHAPTERS = [p for p in PAGES if notebooks.is_notebook((BOOK / f"{p}.md").read_text("utf-8"))]
# Run as a reader would; METASTABLE_NOTEBOOKS=all runs every one.
RUN = ["families/complete", "your-own-family"]


def test_every_page_is_in_the_table_of_contents():
    def files(items):
        for item in items:
            yield item["file"]
            yield from files(item.get("sections", []))

    toc = yaml.safe_load((BOOK / "_toc.yml").read_text(encoding="utf-8"))
    listed = [toc["root"], *(page for part in toc["parts"] for page in files(part["chapters"]))]
    assert sorted(listed) == sorted(PAGES)


@pytest.mark.parametrize("family", built_in())
def test_every_family_has_a_page_with_its_theorems(family):
    text = (BOOK / "families" / f"{family}.md").read_text(encoding="utf-8")
    assert f'Page("{family}")' in text
    assert "page.theorems()" in text


# ---------------------------------------------------------------- notebooks
def markdown(notebook):
    return "\n\n".join("".join(c["source"]) for c in notebook["cells"] if "outputs" not in c)


@pytest.mark.parametrize("page", CHAPTERS)
def test_notebook_of_a_page(page):
    text = (BOOK / f"{page}.md").read_text(encoding="utf-8")
    notebook = notebooks.notebook(BOOK / f"{page}.md", BOOK)
    code = [c for c in notebook["cells"] if c["cell_type"] == "code"]
    assert len(code) == len(re.findall(r"^```\{code-cell\}", text, re.MULTILINE))
    for cell in code:
        compile("".join(cell["source"]), page, "exec")
    told = re.sub(r"`[^`\n]*`", "", markdown(notebook))
    assert re.findall(r"\{[a-z:-]+\}`|^[`:]{3,}\{.*|^:label:.*", told, re.MULTILINE) == []
    assert f"# {notebooks.title_of(text)}" in told


MYST = """\
(a-place)=
## A heading

See {prf:ref}`one <label>`, {eq}`eq-square`, {cite:t}`kim2025metastable` and {math}`x^2`.

````{prf:theorem} Squares
:label: squares

It is

```{math}
:label: eq-square
x^2 = 1 .
```
````

````{prf:proof}
By {math}`x = 1`.
````

::::::{dropdown} More
Text.
::::::
"""

PLAIN = """\
## A heading

See one, (square), Kim et al. (2025) and $x^2$.

**Theorem (Squares).**

It is

$$
x^2 = 1 . \\tag{square}
$$

<details><summary>Proof</summary>

By $x = 1$.

</details>

<details><summary>More</summary>

Text.

</details>
"""


def test_directives_and_roles_are_rewritten():
    assert notebooks.plain(MYST, BOOK) == PLAIN


def test_links_lead_to_notebooks(tmp_path):
    (tmp_path / "one.md").write_text(
        "---\nfile_format: mystnb\n---\n\n# One\n\n[](two.md) [](no.md)"
    )
    (tmp_path / "two.md").write_text("---\nfile_format: mystnb\n---\n\n# Two\n")
    (tmp_path / "no.md").write_text("# No cells\n")
    told = markdown(notebooks.notebook(tmp_path / "one.md", tmp_path))
    assert "[Two](two.ipynb) *No cells*" in told


@pytest.mark.slow
@pytest.mark.parametrize(
    "page", CHAPTERS if os.environ.get("METASTABLE_NOTEBOOKS") == "all" else RUN
)
def test_notebook_runs_in_a_folder_of_its_own(page, tmp_path, monkeypatch):
    import nbformat
    from nbclient import NotebookClient

    text = json.dumps(notebooks.notebook(BOOK / f"{page}.md", BOOK))
    notebook = nbformat.reads(text, as_version=4)
    nbformat.validate(notebook)
    monkeypatch.delenv("METASTABLE_MYST", raising=False)
    NotebookClient(
        notebook, timeout=1800, resources={"metadata": {"path": str(tmp_path)}}
    ).execute()
    shown = [
        "".join(output["data"]["text/markdown"])
        for cell in notebook.cells
        for output in cell.get("outputs", [])
        if "text/markdown" in output.get("data", {})
    ]
    assert shown or page not in RUN  # some pages print or draw, and say nothing in Markdown
    told = re.sub(r"```.*?```|`[^`\n]*`", "", "\n".join(shown), flags=re.DOTALL)
    assert re.findall(r"\{[a-z:-]+\}`|\{prf:.*", told) == []


# ---------------------------------------------------------------- references
SOURCE = re.compile(
    r"((?:[A-Z]\.(?:-?[A-Z]\.)* )*[A-Z][\w'-]+(?:(?:, and |, | and )(?:[A-Z]\.(?:-?[A-Z]\.)* )*"
    r"(?:den )?[A-Z][\w'-]+)*)(?: et al\.)?,? \(?((?:18|19|20)\d\d)\b"
)


def bare(text):
    """Without accents, TeX or capitals."""
    text = re.sub(r"\\[a-zA-Z]?|[{}'`\"^~]", "", text)
    text = unicodedata.normalize("NFKD", text)
    return "".join(c for c in text if not unicodedata.combining(c)).lower()


def entries():
    text = (BOOK / "references.bib").read_text(encoding="utf-8")
    return {x[1]: x[0] for x in re.finditer(r"^@\w+\{([^,]+),\n.*?^\}", text, re.S | re.M)}


def sources(text):
    """Authors and year of each source that a text names."""
    text = re.sub(r"\s+", " ", re.sub(r"^\s*#", " ", text, flags=re.MULTILINE))
    for authors, year in SOURCE.findall(text):
        names = re.split(r", and |, | and ", authors)
        yield [bare(re.sub(r"\b[A-Z]\.-?|\bden ", "", x)).strip() for x in names], year


def without_entry(text):
    """The sources of a text that the bibliography lacks."""
    known = [
        (bare(author[1]), e)
        for e in entries().values()
        if (author := re.search(r"author\s*= (.*)", e)) is not None
    ]
    return [
        (names, year)
        for names, year in sources(text)
        if not any(all(n in authors for n in names) and year in e for authors, e in known)
    ]


@pytest.mark.parametrize("package", ["theory", "numerics"])
def test_sources_that_the_code_names_are_in_the_bibliography(package):
    lacking = {}
    for path in sorted((ROOT / package).rglob("*.py")):
        found = without_entry(path.read_text(encoding="utf-8"))
        if found:
            lacking[path.relative_to(ROOT).as_posix()] = found
    assert lacking == {}


def test_a_source_without_entry_is_found():
    assert without_entry("By Nobody and Noone 1999, or\n# A. Kac 1947.") == [
        (["nobody", "noone"], "1999")
    ]


def test_references_are_well_formed():
    for key, entry in entries().items():
        assert re.search(r"^  year\s*= \{(18|19|20)\d\d\},$", entry, re.MULTILINE), key
        doi = re.search(r"^  doi\s*= \{(.*)\},$", entry, re.MULTILINE)
        assert doi is None or re.fullmatch(r"10\.\d{4,5}/\S+", doi[1]), key
    assert list(entries()) == sorted(entries())
    cited = {
        key
        for page in PAGES
        for keys in re.findall(r"\{cite:[tp]\}`([^`]+)`", (BOOK / f"{page}.md").read_text("utf-8"))
        for key in re.split(r"\s*,\s*", keys)
    }
    assert cited <= entries().keys()


# ---------------------------------------------------------------- hover notes
def test_notation_can_be_said_in_notes():
    spec = importlib.util.spec_from_file_location("notes", BOOK / "_ext" / "notes.py")
    assert spec is not None
    assert spec.loader is not None
    notes = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(notes)
    formulas, phrases = notes.terms(BOOK)
    assert {"K", "M", r"\epsilon", "T_A"} <= formulas.keys()
    assert {"gate", "orbit", "sparse edge"} <= phrases.keys()
    for said in (*formulas.values(), *phrases.values()):
        assert said
        assert not re.search(r"[\\{}$`]", said)
    with pytest.raises(Exception, match="cannot be said"):
        notes.words(r"\nosuchcommand x")
