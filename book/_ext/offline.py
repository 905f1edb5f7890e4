"""Make every page work without a network: MathJax from the site itself, no Thebe."""

from pathlib import Path


def configure(app, config):
    """Serve the MathJax that `numerics.bookbuild` fetched."""
    config.html_extra_path.append(str(Path(app.outdir).parent / "_vendor"))


def setup(app):
    """Connect to Sphinx."""
    # sphinx_thebe would put a script on every page that fails where no kernel is offered.
    for listeners in app.events.listeners.values():
        listeners[:] = [x for x in listeners if x.handler.__module__ != "sphinx_thebe"]
    # Its style sheet, which nothing copies any longer, would be a dead reference.
    sheets = app.registry.css_files
    sheets[:] = [sheet for sheet in sheets if sheet[0] != "sphinx-thebe.css"]
    # A formula may come from the output of a cell, so that Sphinx does not see it.
    app.set_html_assets_policy("always")
    app.connect("config-inited", configure)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
