"""Make every page work without a network: MathJax from the site itself, no Thebe, own downloads."""

import os
from pathlib import Path

from numerics.bookbuild import NOTEBOOKS
from numerics.claimtable import DOWNLOADS


def configure(app, config):
    """Serve what `numerics.bookbuild` put beside the pages: MathJax, notebooks, certificates."""
    build = Path(app.outdir).parent
    config.html_extra_path += [str(build / "_vendor"), os.environ[DOWNLOADS]]


def offer_notebook(app, pagename, templatename, context, doctree):
    """Put a button on top of each page that there is as a notebook."""
    file = Path(os.environ[DOWNLOADS], NOTEBOOKS, f"{pagename}.ipynb")
    if file.is_file():
        context["header_buttons"].append(
            {
                "type": "link",
                "url": context["pathto"](f"{NOTEBOOKS}/{pagename}.ipynb", resource=True),
                "tooltip": "Download this page as a notebook",
                "icon": "fas fa-download",
                "text": "",
                "label": "notebook-button",
            }
        )


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
    app.connect("html-page-context", offer_notebook, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
