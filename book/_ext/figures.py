"""Every image and drawing says in words what it shows: one that does not fails the build."""

import re

from docutils import nodes
from sphinx.util import logging

LOGGER = logging.getLogger(__name__)
FILE = re.compile(r"\S+\.(png|svg|jpe?g|gif|webp)")
TAG = re.compile(r"<(img|svg|canvas)\b[^>]*>", re.IGNORECASE)
WORDS = {
    "img": re.compile(r"\balt=(\"[^\"]*\S[^\"]*\"|'[^']*\S[^']*')"),
    "svg": re.compile(r"\baria-(label|labelledby|hidden)="),
    "canvas": re.compile(r"\baria-(label|labelledby|hidden)="),
}


def check(app, doctree, docname):
    """Warn of every image without words; the name of a file is none."""
    for image in doctree.findall(nodes.image):
        alt = image.get("alt", "").strip()
        if not alt or FILE.fullmatch(alt):
            LOGGER.warning("an image without alt text", location=image if image.line else docname)
    for raw in doctree.findall(nodes.raw):
        if raw.get("format") == "html":
            for tag in TAG.finditer(raw.astext()):
                if not WORDS[tag[1].lower()].search(tag[0]):
                    LOGGER.warning(f"a <{tag[1]}> without words for it", location=docname)


def setup(app):
    """Connect to Sphinx."""
    app.connect("doctree-resolved", check, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
