"""Hover notes: the first time that a page uses a term of the notation, it says what it means.

The terms are the rows of the first table in ``notation.md``. A note opens under the pointer, at a
touch, and when the term has the keyboard's focus; a screen reader reads it with the term.
"""

import html
import re
from pathlib import Path

from docutils import nodes
from sphinx.errors import ExtensionError
from sphinx.transforms.post_transforms import SphinxPostTransform

PAGE = "notation"
LETTERS = {
    "epsilon": "ε",
    "lambda": "λ",
    "tau": "τ",
    "pi": "π",
    "ge": "≥",
    "le": "≤",
    "dots": "…",
    "min": "min",
    "max": "max",
    "sum": "∑",
    "in": "∈",
    "colon": ":",
}
# Where a term is a name, a link or code, it is left alone.
ELSEWHERE = (
    nodes.title,
    nodes.reference,
    nodes.literal,
    nodes.caption,
    nodes.table,
    nodes.raw,
    nodes.strong,
    nodes.Admonition,
)


def words(tex):
    """A formula in letters, for a note is plain text."""
    tex = re.sub(r"\\(text|mathrm|mathbb|mathcal)\{([^}]*)\}", r"\2", tex)
    tex = re.sub(r"\\([a-z]+) ?", lambda found: LETTERS.get(found[1], found[0]), tex)
    tex = re.sub(r"\\([{},;])", r"\1", tex)
    tex = re.sub(r"([_^])\{([^{}]*)\}", r"\1\2", tex)
    if "\\" in tex:
        raise ExtensionError(f"{PAGE}.md: {tex!r} cannot be said in a note: add it to notes.py")
    return tex


def terms(source):
    """The rows of the first table: formulas and words, each with its meaning."""
    formulas, phrases = {}, {}
    page = Path(source, f"{PAGE}.md")
    text = page.read_text(encoding="utf-8") if page.is_file() else ""
    table = re.search(r"^\|---.*\n((?:\|.*\n)+)", text, re.MULTILINE)
    for row in table[1].splitlines() if table else ():
        left, meaning = (cell.strip() for cell in row.strip("|").split("|", 1))
        meaning = re.sub(r"\{math\}`([^`]*)`", lambda found: words(found[1]), meaning)
        meaning = re.sub(r"\*([^*]+)\*", r"\1", meaning.strip(" |"))
        known = re.findall(r"\{math\}`([^`]*)`", left)
        formulas |= {re.sub(r"\s+", "", formula): meaning for formula in known}
        if not known:
            phrases[left] = meaning
    return formulas, phrases


class Notes(SphinxPostTransform):
    """Add the notes to one page."""

    default_priority = 900
    formats = ("html",)

    def run(self):
        """Walk through the page; each term gets one note, at its first place."""
        if self.env.docname == PAGE:
            return
        formulas, phrases = self.app.hover_notes
        formulas, phrases = dict(formulas), dict(phrases)
        for node in list(self.document.findall()):
            if isinstance(node, nodes.math):
                meaning = formulas.pop(re.sub(r"\s+", "", node.astext()), None)
                if meaning is not None and not self.elsewhere(node):
                    said = words(node.astext())
                    node.replace_self([start(said, meaning), node.deepcopy(), end()])
            elif isinstance(node, nodes.Text) and phrases and not self.elsewhere(node):
                self.annotate(node, phrases)

    @staticmethod
    def elsewhere(node):
        """Whether a note does not belong there."""
        parent, inside = node.parent, False
        while parent is not None:
            if isinstance(parent, ELSEWHERE):
                return True
            inside = inside or isinstance(parent, nodes.paragraph)
            parent = parent.parent
        return not inside

    @staticmethod
    def annotate(node, phrases):
        """Put notes around the words of a text that are terms."""
        text, out, last = node.astext(), [], 0
        pattern = "|".join(map(re.escape, sorted(phrases, key=len, reverse=True)))
        for found in re.finditer(rf"(?<![\w-])({pattern})s?(?![\w-])", text):
            meaning = phrases.pop(found[1], None)
            if meaning is not None:
                before = nodes.Text(text[last : found.start()])
                out += [before, start(found[0], meaning), nodes.Text(found[0]), end()]
                last = found.end()
        if out:
            node.parent.replace(node, [*out, nodes.Text(text[last:])])


def start(said, meaning):
    """The beginning of a term with a note."""
    meaning = html.escape(meaning)
    label = f"{html.escape(said)}: {meaning}"
    opening = f'<span class="hover-note" tabindex="0" role="note" aria-label="{label}"'
    return nodes.raw("", f'{opening} data-note="{meaning}">', format="html")


def end():
    """The end of it."""
    return nodes.raw("", "</span>", format="html")


def read(app):
    """Read the notation once."""
    app.hover_notes = terms(app.srcdir)


def setup(app):
    """Connect to Sphinx."""
    app.connect("builder-inited", read)
    app.add_post_transform(Notes)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
