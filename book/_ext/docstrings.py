"""Read ``name : phrase`` in a docstring as a description, where the phrase is not a type.

numpydoc puts the type after the colon and the description below it. The docstrings of `theory`, and
lines with nothing below them, have the description itself there.
"""

import re

SECTIONS = {"Attributes", "Parameters"}
FIELD = re.compile(r"([\w, ]+?) : (.+)")


def describe(app, what, name, obj, options, lines):
    """Rewrite the lines of one docstring in place."""
    out, inside = [], False
    for n, line in enumerate(lines):
        below = lines[n + 1] if n + 1 < len(lines) else ""
        if set(below) == {"-"}:
            inside = line in SECTIONS
        field = FIELD.fullmatch(line) if inside else None
        if field and (name.startswith("theory.") or not below.startswith(" ")):
            out += [field[1], f"    {field[2]}"]
        else:
            out.append(line)
    lines[:] = out


def setup(app):
    """Connect to Sphinx, before napoleon."""
    app.connect("autodoc-process-docstring", describe, priority=400)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
