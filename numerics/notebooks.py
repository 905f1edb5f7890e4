"""A page of the book as a Jupyter notebook, with the MyST of the page turned into plain Markdown.

A notebook shows CommonMark, dollar formulas and HTML. Directives and roles are rewritten in these:
theorems begin in bold, proofs and whatever folds become ``<details>``, citations name their source.
"""

from __future__ import annotations

import functools
import html
import re
import unicodedata
from collections.abc import Mapping
from pathlib import Path
from typing import Any

HEADER = re.compile(r"\A---\n(.*?)\n---\n", re.DOTALL)
FENCE = re.compile(
    r"^(?P<fence>`{3,}|:{3,})\{(?P<name>[\w:-]+)\} ?(?P<title>[^\n]*)\n"
    r"(?P<body>.*?)^(?P=fence)[ ]*$",
    re.DOTALL | re.MULTILINE,
)
OPTION = re.compile(r"\A:([\w-]+):[ ]*([^\n]*)\n")
ROLE = re.compile(r"\{([\w:-]+)\}`([^`]+)`")
TARGET = re.compile(r"^\([\w-]+\)=\n", re.MULTILINE)
LINK = re.compile(r"\[([^\]]*)\]\(([^)\s#]*)(#[^)\s]*)?\)")
INSTALL = "pip install 'metastable[book]'"


def is_notebook(text: str) -> bool:
    """Tell whether a page has cells."""
    header = HEADER.match(text)
    return header is not None and "file_format: mystnb" in header[1]


def title_of(text: str) -> str:
    """The first heading of a page."""
    found = re.search(r"^# (.+)$", text, re.MULTILINE)
    return found[1].strip() if found else ""


def notebook(page: Path, source: Path) -> dict[str, Any]:
    """Make a notebook of a page.

    Parameters
    ----------
    page : Path
        A MyST file with cells.
    source : Path
        The folder of the book, for the titles of other pages and the references.

    Returns
    -------
    dict
        The notebook, as ``json.dump`` writes it; no cell has been run.
    """
    text = page.read_text(encoding="utf-8")
    title = title_of(text)
    note = (
        f"*This is the page “{title}” of the book of metastable, as a notebook. It runs where the "
        f"package is installed with what the book needs, `{INSTALL}`; what it prints and draws "
        "appears when it is run.*"
    )
    cells = [_markdown(note)]
    for kind, body in _pieces(HEADER.sub("", text, count=1)):
        if kind == "code":
            options, code = _options(body)
            cells.append(_code(code.strip("\n"), options))
            caption = options.get("mystnb", {}).get("figure", {}).get("caption")
            if caption:
                cells.append(_markdown(plain(f"*Figure.* {caption}", source)))
        elif body.strip():
            cells.append(_markdown(plain(_relinked(body, page, source), source)))
    for number, cell in enumerate(cells):
        cell["id"] = f"cell-{number}"
    return {
        "cells": cells,
        "metadata": {
            "kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"},
            "language_info": {"name": "python"},
        },
        "nbformat": 4,
        "nbformat_minor": 5,
    }


def _pieces(text: str) -> list[tuple[str, str]]:
    """The cells and what stands between them; a cell inside another fence is shown, not run."""
    out: list[tuple[str, str]] = []
    last = 0
    for found in FENCE.finditer(text):
        if found["name"] == "code-cell":
            out += [("text", text[last : found.start()]), ("code", found["body"])]
            last = found.end()
    return [*out, ("text", text[last:])]


def _options(body: str) -> tuple[dict[str, Any], str]:
    """The metadata of a cell and its code."""
    header = HEADER.match(body)
    if header is not None:
        import yaml

        return yaml.safe_load(header[1]) or {}, body[header.end() :]
    options: dict[str, Any] = {}
    while (found := OPTION.match(body)) is not None:
        options[found[1]] = re.findall(r"[\w-]+", found[2])
        body = body[found.end() :]
    return options, body


def _markdown(text: str) -> dict[str, Any]:
    return {"cell_type": "markdown", "metadata": {}, "source": _lines(text.strip("\n"))}


def _code(code: str, metadata: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "cell_type": "code",
        "metadata": dict(metadata),
        "source": _lines(code),
        "execution_count": None,
        "outputs": [],
    }


def _lines(text: str) -> list[str]:
    return text.splitlines(keepends=True)


def _relinked(text: str, page: Path, source: Path) -> str:
    """Links to other pages lead to their notebooks, and bear their titles."""

    def link(found: re.Match[str]) -> str:
        words, file, place = found.groups()
        target = (page.parent / file).resolve()
        if not file:  # a place on this page
            return words
        if target.suffix != ".md" or not target.is_file():
            return found[0]
        other = target.read_text(encoding="utf-8")
        words = words or title_of(other)
        if not is_notebook(other):
            return f"*{words}*"
        return f"[{words}]({file.removesuffix('.md')}.ipynb{place or ''})"

    return LINK.sub(link, text)


def plain(text: str, source: Path | None = None) -> str:
    """MyST as the Markdown that notebooks show.

    Parameters
    ----------
    text : str
        Directives and roles among Markdown.
    source : Path, optional
        The folder of the book, for the names behind citations and labels; without it they stay
        as they are written.
    """
    text = TARGET.sub("", text)
    while True:  # from the outside in
        done = FENCE.sub(lambda found: _directive(found, source), text)
        if done == text:
            break
        text = done
    return ROLE.sub(lambda found: _role(found[1], found[2], source), text)


def _directive(found: re.Match[str], source: Path | None) -> str:
    name, title, body = found["name"], found["title"].strip(), found["body"]
    options = {}
    while (option := OPTION.match(body)) is not None:
        options[option[1]] = option[2].strip()
        body = body[option.end() :]
    body = body.strip("\n")
    kind = name.rpartition(":")[2]
    if kind == "math":
        label = options.get("label")
        tag = rf" \tag{{{label.removeprefix('eq-')}}}" if label else ""
        return f"$$\n{body}{tag}\n$$"
    if kind in ("proof", "dropdown"):
        words = ROLE.sub(lambda role: _role(role[1], role[2], source), title) or kind.capitalize()
        return f"<details><summary>{words}</summary>\n\n{body}\n\n</details>"
    if name.startswith("prf:"):
        return f"**{kind.capitalize()}{f' ({title})' if title else ''}.**\n\n{body}"
    if kind == "bibliography":
        return "\n".join(f"- {entry.told}" for entry in _references(source).values())
    if kind in ("raw", "image", "figure"):
        return body if kind == "raw" else f"*{options.get('alt', title)}*\n\n{body}"
    heading = title if kind == "admonition" else f"{kind.capitalize()} {title}".strip()
    return f"**{heading}.**\n\n{body}"


def _role(name: str, said: str, source: Path | None) -> str:
    if name == "math":
        return f"${said}$"
    if name.startswith("cite"):
        known = _references(source)
        names = [known[key].cited if key in known else key for key in re.split(r"\s*,\s*", said)]
        return "; ".join(names if name != "cite:p" else [f"[{x}]" for x in names])
    if name == "eq":
        return f"({said.removeprefix('eq-')})"
    words = re.fullmatch(r"(.*\S)\s*<[^>]*>", said)
    if words is not None:
        return words[1]
    if name == "prf:ref":
        return f"*{_titles(source).get(said, said.replace('-', ' '))}*"
    if name == "claim:stated":
        return f"*Claim* `{said}`"
    return f"`{said}`"


@functools.cache
def _titles(source: Path | None) -> Mapping[str, str]:
    """The titles of theorems that the pages write out, by label."""
    found: dict[str, str] = {}
    for page in sorted(source.rglob("*.md")) if source is not None else ():
        for fence in FENCE.finditer(page.read_text(encoding="utf-8")):
            label = re.match(r":label: *(\S+)", fence["body"])
            if label is not None and fence["name"].startswith("prf:"):
                kind = fence["name"].rpartition(":")[2]
                found[label[1]] = fence["title"].strip() or kind.capitalize()
    return found


class Reference:
    """An entry of ``references.bib``, as far as a notebook names it.

    Attributes
    ----------
    cited : str
        Authors and year, as in the text.
    told : str
        Authors, year, title and where it appeared.
    """

    def __init__(self, fields: Mapping[str, str]):
        surnames = [name.partition(",")[0] for name in fields["author"].split(" and ")]
        short = " and ".join(surnames) if len(surnames) < 3 else f"{surnames[0]} et al."
        self.cited = f"{short} ({fields['year']})"
        where = ("journal", "booktitle", "publisher", "note")
        place = next((fields[x] for x in where if x in fields), "")
        doi = fields.get("doi")
        self.told = f"{', '.join(surnames)} ({fields['year']}). *{fields['title']}*. {place}"
        self.told += f". <https://doi.org/{doi}>" if doi else "."


@functools.cache
def _references(source: Path | None) -> Mapping[str, Reference]:
    """The entries of the book's bibliography, by key."""
    if source is None or not (source / "references.bib").is_file():
        return {}
    text = (source / "references.bib").read_text(encoding="utf-8")
    found = {}
    for entry in re.finditer(r"^@\w+\{([^,]+),\n(.*?)^\}", text, re.DOTALL | re.MULTILINE):
        fields = re.findall(r"^\s*(\w+)\s*=\s*(?:\{(.*)\}|\"(.*)\"),?$", entry[2], re.MULTILINE)
        found[entry[1]] = Reference({name: _letters(a or b) for name, a, b in fields})
    return found


ACCENTS = {"'": "\u0301", "`": "\u0300", '"': "\u0308", "^": "\u0302", "~": "\u0303", "H": "\u030b"}


def _letters(text: str) -> str:
    """The few TeX accents of names, and braces removed."""

    def accented(found: re.Match[str]) -> str:
        letter = found[2].replace("\\i", "i")
        return unicodedata.normalize("NFC", letter + ACCENTS[found[1]])

    text = re.sub(r"\{?\\(['`\"^~H])\s*\{?(\\i|\w)\}?\}?", accented, text)
    return html.unescape(text.replace("{", "").replace("}", "").replace("--", "–"))
