"""Add the book's own style sheet, static/book.css."""

from pathlib import Path


def add_static_path(app):
    """Let the HTML builder copy the style sheet."""
    app.config.html_static_path.append(str(Path(__file__).parent / "static"))


def setup(app):
    """Connect to Sphinx."""
    app.connect("builder-inited", add_static_path)
    app.add_css_file("book.css", priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
