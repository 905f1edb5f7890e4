"""Claims: an entry for each, with links to and from theorems, certificates, tests and code.

Roles, each with the id of a claim of a built-in family:

- ``claim:ref`` leads to its entry;
- ``claim:stated`` is what a theorem ends with: the page states the claim, and links lead on;
- ``claim:entry`` is its entry, ``claim:links`` what that entry leads to;
- ``claim:tests`` is where the tests that check it are listed.

A claim that has an entry and is stated on no page fails the build, and so does one without entry.
"""

import functools
import re

from docutils import nodes
from sphinx.domains import Domain
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective, SphinxRole

from numerics.claimtable import CERTIFICATES, TABLE, names, slug
from theory.family import built_in

LOGGER = logging.getLogger(__name__)


class ClaimLine(nodes.General, nodes.Inline, nodes.Element):
    """What a role leaves behind until all pages have been read."""


class ClaimRole(SphinxRole):
    """One of the roles above."""

    def run(self):
        """Note where the claim is, and leave the rest for later."""
        kind = self.name.partition(":")[2]
        domain = self.env.get_domain("claim")
        target = f"{kind}-{slug(self.text)}"
        if kind in ("ref", "stated"):
            target += f"-{self.env.new_serialno('claim')}"
        domain.places.append((kind, self.text, self.env.docname, target))
        where = {"ids": [target], "classes": ["claim-line"] if kind in ("stated", "links") else []}
        node = ClaimLine(kind=kind, claim=self.text, **where)
        if self.text not in domain.known():
            return [node], [
                self.inliner.reporter.warning(
                    f"no built-in family has the claim {self.text!r}", line=self.lineno
                )
            ]
        return [node], []


class ClaimDomain(Domain):
    """Where claims are stated and listed."""

    name = "claim"
    label = "Claims"
    roles = {kind: ClaimRole() for kind in ("ref", "stated", "entry", "links", "tests")}
    initial_data = {"places": [], "written": {}}
    data_version = 1

    @property
    def places(self):
        """Kind of role, claim, page, and the name of the place."""
        return self.data["places"]

    @staticmethod
    @functools.cache
    def known():
        """The claims of built-in families, each with its family."""
        return {claim: built_in()[claim.split("/")[0]] for claim in names()}

    def clear_doc(self, docname):
        """Forget a page that is read again."""
        self.data["places"] = [place for place in self.places if place[2] != docname]

    def merge_domaindata(self, docnames, otherdata):
        """Take over what another process has read."""
        self.places.extend(place for place in otherdata["places"] if place[2] in docnames)

    def found(self, claim, *kinds):
        """Pages and places of a claim, the first on each page."""
        first = {}
        for kind, name, docname, target in self.places:
            if name == claim and kind in kinds:
                first.setdefault(docname, target)
        return list(first.items())

    def check_consistency(self):
        """Every claim of a built-in family has an entry, and a page that states it."""
        entries = {claim: page for kind, claim, page, _ in self.places if kind == "entry"}
        for claim, page in entries.items():
            if not self.found(claim, "stated"):
                LOGGER.warning(f"the claim {claim} is stated on no page", location=page)
        if entries:
            for claim in self.known().keys() - entries.keys():
                LOGGER.warning(f"the claim {claim} has no entry", location=next(iter(entries)))


def link(app, docname, page, target, words, literal=False):
    """A link to a place of the site."""
    uri = app.builder.get_relative_uri(docname, page) if page != docname else ""
    inner = nodes.literal(words, words) if literal else nodes.inline(words, words)
    return nodes.reference("", "", inner, internal=True, refuri=uri + (target and f"#{target}"))


def download(app, docname, file, words):
    """A link to a file at the top of the site."""
    top = "../" * docname.count("/")
    out = nodes.reference("", words, internal=False, refuri=top + file)
    out["classes"].append("download")
    return out


def code(app, docname, claim):
    """A link to the class of the family."""
    family = type(ClaimDomain.known()[claim])
    page = "_modules/" + family.__module__.replace(".", "/")
    return link(app, docname, page, family.__qualname__, "code")


def resolve(app, doctree, docname):
    """Write out what the roles stand for."""
    domain = app.env.get_domain("claim")
    for node in list(doctree.findall(ClaimLine)):
        kind, claim = node["kind"], node["claim"]
        out = nodes.inline("", "", ids=node["ids"], classes=node["classes"])
        node.replace_self(out)
        if claim not in domain.known():
            out += nodes.literal(claim, claim)
            continue
        entry = domain.found(claim, "entry")
        tests = domain.found(claim, "tests")
        certificate = download(app, docname, f"{CERTIFICATES}/{slug(claim)}.json", "certificate")
        parts = []
        if kind in ("ref", "stated", "tests") and entry:
            parts.append(link(app, docname, *entry[0], claim, literal=True))
        elif kind != "links":
            parts.append(nodes.literal(claim, claim))
        if kind == "stated":
            parts.insert(0, nodes.inline("Claim ", "Claim "))
        if kind == "links":
            for page, target in domain.found(claim, "stated"):
                parts.append(link(app, docname, page, target, app.env.titles[page].astext()))
        if kind in ("stated", "links") and entry:
            parts.append(certificate)
            parts += [link(app, docname, *tests[0], "tests")] if tests else []
            parts.append(code(app, docname, claim))
        for number, part in enumerate(parts):
            if number and not (kind == "stated" and number == 1):
                out += nodes.Text(" · ")
            out += part


def changed(app, env):
    """The pages with entries are written again when a claim is stated elsewhere than before."""
    domain = env.get_domain("claim")
    titles = {page: title.astext() for page, title in env.titles.items()}
    now = {
        claim: [(page, target, titles[page]) for page, target in domain.found(claim, "stated")]
        for kind, claim, _, _ in domain.places
        if kind == "entry"
    }
    before, domain.data["written"] = domain.data["written"], now
    if before == now:
        return []
    return sorted({page for kind, _, page, _ in domain.places if kind == "entry"})


def name_claims(app, what, name, obj, options, lines):
    """The documentation of a family names its claims."""
    of_family = {type(family): key for key, family in built_in().items()}
    if what == "class" and obj in of_family:
        text = re.sub(r"\$([^$]+)\$", r":math:`\1`", "\n".join(lines))
        claims = [x for x in ClaimDomain.known() if x.split("/")[0] == of_family[obj]]
        told = ", ".join(f":claim:ref:`{claim}`" for claim in claims)
        lines[:] = [*text.split("\n"), "", f"Claims: {told}.", ""]


class Families(SphinxDirective):
    """The classes of all built-in families."""

    def run(self):
        """Leave it to autodoc."""
        lines = []
        for family in built_in().values():
            cls = type(family)
            lines += [f".. autoclass:: {cls.__module__}.{cls.__qualname__}", ""]
        self.state_machine.insert_input(lines, "built-in families")
        return []


class Table(SphinxRole):
    """A link to the table of all claims."""

    def run(self):
        """Make the link."""
        return [download(self.env.app, self.env.docname, TABLE, self.text)], []


def setup(app):
    """Connect to Sphinx."""
    app.add_node(ClaimLine)
    app.add_domain(ClaimDomain)
    app.add_role("claim-table", Table())
    app.add_directive("built-in-families", Families)
    app.connect("doctree-resolved", resolve)
    app.connect("env-updated", changed)
    app.connect("autodoc-process-docstring", name_claims, priority=300)
    return {
        "version": "1",
        "env_version": 1,
        "parallel_read_safe": True,
        "parallel_write_safe": True,
    }
