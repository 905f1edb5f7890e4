"""Proofs that fold: a ``prf:proof`` opens at a click or a key, and needs no script for it."""

from docutils import nodes
from sphinx_proof.nodes import proof_node


def fold(app, doctree):
    """Put the proof into ``<details>``; its first word, which sphinx-proof adds, is the summary."""
    for proof in list(doctree.findall(proof_node)):
        (content,) = proof.children
        first = next(iter(content.findall(nodes.Text)))
        first.parent.replace(first, nodes.Text(first.astext().removeprefix("Proof. ")))
        start = '<details class="proof"><summary>Proof</summary>'
        proof.replace_self(
            [
                nodes.raw("", start, format="html"),
                nodes.container("", *content.children, classes=["proof-content"]),
                nodes.raw("", "</details>", format="html"),
            ]
        )


def setup(app):
    """Connect to Sphinx."""
    app.connect("doctree-read", fold)
    return {"env_version": 1, "parallel_read_safe": True, "parallel_write_safe": True}
