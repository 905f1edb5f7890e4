"""Every page of the built book, seen as a reader sees it: in a browser, without a network.

The pages are those under ``book/_build/html``, or under the folder that the environment variable
METASTABLE_BOOK names. Where METASTABLE_SCREENSHOTS names a folder, a picture of every page goes
there, in light, in dark and at the width of a phone.
"""

import io
import itertools
import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import nbformat
import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import sync_playwright
from typer.testing import CliRunner

from numerics import cli
from numerics.claimtable import CERTIFICATES, TABLE, names, slug
from numerics.notebooks import is_notebook
from theory import catalogue, checker
from theory.claims import Derivation

pytestmark = pytest.mark.browser

ROOT = Path(__file__).resolve().parents[2]
BOOK = Path(os.environ.get("METASTABLE_BOOK") or ROOT / "book" / "_build" / "html").resolve()
SCREENSHOTS = os.environ.get("METASTABLE_SCREENSHOTS")

# Parts of the site that are not pages: the theme's own files, and the program that sets formulas.
NOT_PAGES = {"_static", "_sources", "mathjax"}
PAGES = sorted(
    path.relative_to(BOOK).as_posix()
    for path in BOOK.rglob("*.html")
    if path.relative_to(BOOK).parts[0] not in NOT_PAGES
)

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

# What a reader would see of a formula that was never set. Code is exempt.
RAW_TEX = re.compile(r"\\[A-Za-z]+|\\[()\[\]{}]|\$\$|\$[^\s$][^$\n]*\$")

# Markup that was read as text or code: an inner fence as long as the outer one ends the outer.
RAW_FENCE = re.compile(r"^\s*(?:`{3,}|:{3,}).*", re.MULTILINE)
# Roles that were read as text; in code, braces before a quote are a format.
RAW_ROLE = re.compile(r"\{[a-z:-]+\}`[^`]*`|:[a-z:]+:`")

TYPESET = "() => window.MathJax?.startup?.promise?.then(() => true)"

FINDINGS = """() => {
    const copy = document.body.cloneNode(true);
    const hidden = "pre, code, script, style, noscript, template, mjx-container";
    copy.querySelectorAll(hidden).forEach(node => node.remove());
    return {
        text: document.title + "\\n" + copy.textContent,
        all: document.body.textContent,
        formulas: document.querySelectorAll(".math").length,
        unset: [...document.querySelectorAll(".math")]
            .filter(node => !node.querySelector("mjx-container")).map(node => node.textContent),
        errors: [...document.querySelectorAll("mjx-merror")]
            .map(node => node.getAttribute("data-mjx-error") || node.textContent),
        images: [...document.images].map(
            image => [image.getAttribute("src"), image.getAttribute("alt"), image.naturalWidth]),
    };
}"""

# Contrast of each visible text with what is behind it, by the WCAG's formula.
CONTRASTS = """() => {
    const canvas = document.createElement("canvas").getContext("2d", {willReadFrequently: true});
    const parsed = new Map();
    const rgba = colour => {
        if (!parsed.has(colour)) {
            canvas.clearRect(0, 0, 1, 1);
            canvas.fillStyle = colour;
            canvas.fillRect(0, 0, 1, 1);
            const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data;
            parsed.set(colour, [r, g, b, a / 255]);
        }
        return parsed.get(colour);
    };
    const over = (top, below) =>
        [0, 1, 2].map(i => top[3] * top[i] + (1 - top[3]) * below[i]).concat(1);
    const light = colour => [0.2126, 0.7152, 0.0722].reduce((sum, weight, i) => {
        const x = colour[i] / 255;
        return sum + weight * (x <= 0.03928 ? x / 12.92 : ((x + 0.055) / 1.055) ** 2.4);
    }, 0);
    const grounds = new Map([[null, [255, 255, 255, 1]]]);
    const behind = element => {
        if (!grounds.has(element)) {
            const own = rgba(getComputedStyle(element).backgroundColor);
            grounds.set(element, over(own, own[3] === 1 ? own : behind(element.parentElement)));
        }
        return grounds.get(element);
    };
    const dim = [];
    const seen = new Set();
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
        const element = walker.currentNode.parentElement;
        if (!walker.currentNode.textContent.trim() || seen.has(element)) continue;
        seen.add(element);
        if (!element.checkVisibility({opacityProperty: true, visibilityProperty: true})) continue;
        if (element.closest("script, style, noscript, [aria-hidden=true], mjx-assistive-mml"))
            continue;
        const style = getComputedStyle(element);
        const ground = behind(element);
        const [a, b] = [light(over(rgba(style.color), ground)), light(ground)];
        const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
        const size = parseFloat(style.fontSize);
        const large = size >= 24 || (size >= 18.66 && parseInt(style.fontWeight) >= 700);
        if (ratio < (large ? 3 : 4.5))
            dim.push(`${ratio.toFixed(2)} ${element.tagName} ${element.className}: `
                + walker.currentNode.textContent.trim().slice(0, 40));
    }
    return dim;
}"""

# Colours and places that are on their way are not yet what a reader sees.
AT_ONCE = "* { transition: none !important; animation: none !important }"

WIDTHS = "() => [document.documentElement.scrollWidth, window.innerWidth]"

DESK = {"width": 1280, "height": 900}
PHONE = {"width": 375, "height": 740}


class Anchors(HTMLParser):
    """The targets of a page, and what it refers to."""

    def __init__(self, path):
        super().__init__()
        self.names, self.links, self.assets = set(), [], []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        self.names.update(attrs[key] for key in ("id", "name") if attrs.get(key))
        if tag == "a" and attrs.get("href"):
            self.links.append(attrs["href"])
        elif tag == "link" and attrs.get("href"):
            self.assets.append(attrs["href"])
        elif tag in ("script", "img", "iframe", "source", "video") and attrs.get("src"):
            self.assets.append(attrs["src"])


@dataclass
class Visit:
    """What one page showed and asked for."""

    outside: list = field(default_factory=list)
    console: list = field(default_factory=list)
    found: dict = field(default_factory=dict)
    dim: dict = field(default_factory=dict)
    dark_figures: dict = field(default_factory=dict)
    phone_width: tuple = ()


@pytest.fixture(scope="module")
def browser():
    executable = shutil.which("chromium") or "/usr/bin/chromium"
    assert Path(executable).exists(), "Chromium is missing: apt-get install chromium"
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=executable, args=FLAGS)
        yield chromium
        chromium.close()


def ink(picture):
    """The largest contrast with the ground in a picture, and how much of it stands out, in all.

    The ground is the colour that is there most.
    """
    with Image.open(io.BytesIO(picture)) as image:
        pixels = np.asarray(image.convert("RGB"), dtype=np.uint32).reshape(-1, 3)
    # One number a pixel: rows would be sorted far more slowly.
    weights = np.array([1 << 16, 1 << 8, 1], dtype=np.uint32)
    packed, counts = np.unique(pixels @ weights, return_counts=True)
    parts = (packed[:, None] >> np.array([16, 8, 0], dtype=np.uint32) & 255) / 255
    parts = np.where(parts <= 0.03928, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
    light = parts @ np.array([0.2126, 0.7152, 0.0722])
    ground = light[counts.argmax()]
    ratios = (np.maximum(light, ground) + 0.05) / (np.minimum(light, ground) + 0.05)
    return float(ratios.max()), float(counts[ratios >= 3].sum() / counts.sum())


def look(browser, site, page):
    """Open a page of a site at a desk and on a phone; take pictures where they are wanted."""
    visit = Visit()

    def answer(route):
        if urlsplit(route.request.url).scheme in ("file", "data", "blob"):
            route.continue_()
        else:
            visit.outside.append(route.request.url)
            route.abort()

    tab = browser.new_page(viewport=DESK, color_scheme="light")
    tab.route("**/*", answer)
    tab.on("console", lambda m: visit.console.extend([m.text] if m.type == "error" else []))
    tab.on("pageerror", lambda e: visit.console.append(str(e)))
    tab.on("requestfailed", lambda r: visit.console.append(f"failed: {r.url}"))
    tab.goto((site / page).as_uri(), wait_until="networkidle")
    tab.evaluate(TYPESET)
    visit.found = tab.evaluate(FINDINGS)
    tab.add_style_tag(content=AT_ONCE)
    for scheme in ("light", "dark"):
        tab.emulate_media(color_scheme=scheme)
        tab.wait_for_function("s => document.documentElement.dataset.theme === s", arg=scheme)
        visit.dim[scheme] = tab.evaluate(CONTRASTS)
    for image in tab.locator("main img").all():
        visit.dark_figures[image.get_attribute("src")] = ink(image.screenshot())
    tab.set_viewport_size(PHONE)
    visit.phone_width = tuple(tab.evaluate(WIDTHS))
    if SCREENSHOTS:
        Path(SCREENSHOTS).mkdir(parents=True, exist_ok=True)
        for size, scheme in itertools.product((DESK, PHONE), ("light", "dark")):
            tab.emulate_media(color_scheme=scheme)
            tab.set_viewport_size(size)
            name = f"{page.removesuffix('.html').replace('/', '-')}-{scheme}-{size['width']}.png"
            tab.screenshot(path=Path(SCREENSHOTS, name), full_page=True, animations="disabled")
    tab.close()
    return visit


def broken_references(site, page, parsed):
    """List the links, scripts, styles and images of a page that lead nowhere inside the site."""

    def anchors(path):
        if path not in parsed:
            parsed[path] = Anchors(path)
        return parsed[path]

    here = site / page
    broken = []
    for reference in anchors(here).links + anchors(here).assets:
        parts = urlsplit(reference)
        if parts.scheme in ("http", "https") and reference in anchors(here).links:
            continue  # a link that a reader may follow, not something the page loads
        if parts.scheme == "mailto" or parts.scheme == "data":
            continue
        target = (here.parent / unquote(parts.path)).resolve() if parts.path else here
        if parts.scheme or parts.netloc or not target.is_file():
            broken.append(reference)
        elif target.suffix == ".html" and parts.fragment:
            known = anchors(target).names
            broken += [reference] if unquote(parts.fragment) not in known else []
    return broken


def raw_tex(visit):
    """List the pieces of TeX that a reader sees as such."""
    return RAW_TEX.findall(visit.found["text"]) + visit.found["unset"]


def raw_myst(visit):
    """List the directives, in the text or in a code block, and the roles that a reader sees."""
    return RAW_FENCE.findall(visit.found["all"]) + RAW_ROLE.findall(visit.found["text"])


def nameless_images(visit):
    """List the images without words for those who do not see them; a file's name is none."""
    return [
        source
        for source, alt, _ in visit.found["images"]
        if alt is None or not alt.strip() or re.fullmatch(r"\S+\.(png|svg|jpe?g|gif|webp)", alt)
    ]


@pytest.fixture(scope="module")
def visits():
    return {}


@pytest.fixture(scope="module")
def parsed():
    return {}


@pytest.fixture
def visit(browser, visits, page):
    if page not in visits:
        visits[page] = look(browser, BOOK, page)
    return visits[page]


def test_there_are_pages():
    assert PAGES, f"no page under {BOOK}: build the book first (make book)"
    assert "index.html" in PAGES


def open_page(browser, page, **options):
    """A tab on a page, everything set."""
    tab = browser.new_page(viewport=DESK, **options)
    tab.goto((BOOK / page).as_uri(), wait_until="networkidle")
    tab.evaluate(TYPESET)
    tab.add_style_tag(content=AT_ONCE)
    return tab


THEOREM = re.compile(r'class="proof theorem admonition" id="[^"]+">\s*<p[^>]*>(.*?)</p>', re.DOTALL)


def theorems():
    """The first page with a theorem of each name."""
    found: dict[str, str] = {}
    for page in PAGES:
        for title in THEOREM.findall((BOOK / page).read_text(encoding="utf-8")):
            name = re.search(r"\((.*)\)\s*$", re.sub(r"<[^>]*>", "", title), re.DOTALL)
            if name is not None and "\\" not in name[1]:
                found.setdefault(name[1], page)
    return found


def test_search_finds_theorems_by_name(browser):
    named = theorems()
    once = [name for name in named if len(re.findall(r"[A-Za-z]{4,}", name)) >= 2]
    assert len(once) >= 10
    tab = open_page(browser, "index.html")
    for name in once[:: max(1, len(once) // 8)]:
        page = named[name]
        tab.goto((BOOK / "search.html").as_uri() + f"?q={name}")
        tab.wait_for_selector("#search-results li a")
        results = tab.locator("#search-results li a").evaluate_all("all => all.map(a => a.href)")
        assert any(urlsplit(x).path.endswith(f"/{page}") for x in results), (name, results)
    tab.goto((BOOK / "search.html").as_uri() + "?q=zyzzyva")
    tab.wait_for_function("document.body.textContent.includes('did not match')")
    assert tab.locator("#search-results li a").count() == 0
    tab.close()


# ---------------------------------------------------------------- the keyboard alone
# The theme outlines the arrow inside a summary, not the summary.
FOCUS = """() => {
    const at = document.activeElement;
    const seen = element => {
        const style = getComputedStyle(element);
        const box = element.getBoundingClientRect();
        return box.width > 0 && box.height > 0 && box.bottom > 0 && box.top < innerHeight
            && (style.outlineStyle !== "none" && parseFloat(style.outlineWidth) > 0
                || style.boxShadow !== "none");
    };
    return {tag: at.tagName, text: at.textContent.trim().slice(0, 40), classes: at.className,
            href: at.getAttribute("href"), inside: !!at.closest("main"),
            seen: [at, ...(at.tagName === "SUMMARY" ? at.children : [])].some(seen)};
}"""


def tabs(tab, count, key="Tab"):
    """What has the focus after each press of a key."""
    for _ in range(count):
        tab.keyboard.press(key)
        yield tab.evaluate(FOCUS)


def test_skip_link_comes_first_and_leads_to_the_text(browser):
    tab = open_page(browser, "claims.html")
    first = next(tabs(tab, 1))
    assert first["tag"] in ("A", "BUTTON")
    assert "Skip" in first["text"]
    tab.keyboard.press("Enter")
    assert next(tabs(tab, 1))["inside"]
    tab.close()


def test_tab_reaches_everything_and_is_seen(browser):
    tab = open_page(browser, "claims.html")
    links = tab.locator("nav.bd-links a:visible").evaluate_all(
        "all => all.map(a => a.getAttribute('href'))"
    )
    assert len(links) >= 20
    reached = list(tabs(tab, len(links) + 40))
    assert [one for one in reached if not one["seen"]] == []
    assert set(links) <= {one["href"] for one in reached}
    assert any("search" in str(one["classes"]) for one in reached)
    assert any("notebooks/claims.ipynb" in str(one["href"]) for one in reached)
    tab.close()


def test_a_link_is_followed_by_enter(browser):
    tab = open_page(browser, "index.html")
    for one in tabs(tab, 80):
        if one["href"] == "claims.html":
            break
    with tab.expect_navigation():
        tab.keyboard.press("Enter")
    assert tab.url.endswith("/claims.html")
    tab.close()


def test_search_by_keyboard(browser):
    tab = open_page(browser, "index.html")
    tab.keyboard.press("Control+k")
    tab.wait_for_function("document.activeElement.matches('input[type=search]')")
    tab.keyboard.type("hitting time")
    with tab.expect_navigation():
        tab.keyboard.press("Enter")
    tab.wait_for_selector("#search-results li a")
    tab.close()


def first_with(pattern):
    """The first page whose text has a pattern."""
    found = [p for p in PAGES if re.search(pattern, (BOOK / p).read_text(encoding="utf-8"))]
    assert found, f"no page has {pattern}"
    return found[0]


def test_proof_unfolds_by_keyboard(browser):
    tab = open_page(browser, first_with('<details class="proof">'))
    proof = tab.locator("details.proof").first
    content = proof.locator(".proof-content")
    assert not content.is_visible()
    proof.locator("summary").focus()
    tab.keyboard.press("Enter")
    assert content.is_visible()
    assert content.inner_text().strip()
    tab.keyboard.press("Space")
    assert not content.is_visible()
    tab.close()


def test_note_opens_with_the_focus(browser):
    tab = open_page(browser, first_with('class="hover-note"'))
    note = tab.locator(".hover-note").first
    shown = "node => getComputedStyle(node, '::after').content"
    assert note.evaluate(shown) == "none"
    note.focus()
    assert note.evaluate(shown) == json.dumps(note.get_attribute("data-note"), ensure_ascii=False)
    said, meaning = note.get_attribute("aria-label"), note.get_attribute("data-note")
    assert said.endswith(f": {meaning}")
    assert "\\" not in said
    tab.close()


# ---------------------------------------------------------------- claims and downloads
@pytest.fixture(scope="module")
def table():
    return json.loads((BOOK / TABLE).read_text(encoding="utf-8"))


def linked(page):
    """Where the links of a page lead, from the top of the site."""
    folder = (BOOK / page).parent
    return {
        os.path.relpath((folder / unquote(urlsplit(x).path)).resolve(), BOOK)
        + (f"#{urlsplit(x).fragment}" if urlsplit(x).fragment else "")
        for x in Anchors(BOOK / page).links
        if not urlsplit(x).scheme
    }


def stating(claim):
    """The pages with a theorem that says what the claim says."""
    place = re.compile(rf'id="stated-{slug(claim)}-\d+"')
    return [p for p in PAGES if place.search((BOOK / p).read_text(encoding="utf-8"))]


@pytest.mark.parametrize("claim", names())
def test_claim_is_linked_both_ways(claim, table):
    pages = stating(claim)
    assert pages, f"no page states {claim}"
    file, entry, tests = (
        f"{CERTIFICATES}/{slug(claim)}.json",
        f"claims.html#entry-{slug(claim)}",
        f"tests.html#tests-{slug(claim)}",
    )
    code = f"_modules/theory/families/{claim.split('/')[0]}.html"
    for page in pages:
        assert {file, entry, tests} <= linked(page)
        assert any(x.startswith(f"{code}#") for x in linked(page))
    listed = linked("claims.html")
    assert {file, tests} <= listed
    assert all(any(x.startswith(f"{page}#stated-{slug(claim)}-") for x in listed) for page in pages)
    assert entry in linked("tests.html")  # from the tests
    assert entry in linked("api.html")  # from the documentation of the code
    (told,) = (x for x in table["claims"] if x["claim"] == claim)
    assert told["verdict"] == "PROVED"
    assert told["page"] == entry  # from the certificate, by the name of its claim
    assert told["certificate"]["claim"] == claim
    assert json.loads((BOOK / file).read_text(encoding="utf-8")) == told["certificate"]


def test_table_is_offered_and_complete(table):
    assert TABLE in linked("claims.html")
    assert [told["claim"] for told in table["claims"]] == names()


def test_check_accepts_every_certificate(table, tmp_path, monkeypatch):
    derivations: dict[str, Derivation] = {}
    monkeypatch.setattr(
        cli,
        "derivation_of",
        lambda family: derivations.setdefault(family.id, catalogue.derivation(family)),
    )
    for told in table["claims"]:
        file = tmp_path / "proof.json"
        file.write_text(json.dumps(told["certificate"]))
        run = CliRunner().invoke(cli.app, ["check", str(file)])
        assert run.exit_code == 0, run.output
        assert f"It is the claim {told['claim']}." in run.output
        assert told["statement"] in run.output
    altered = table["claims"][0]["certificate"] | {"claim": table["claims"][1]["claim"]}
    file.write_text(json.dumps(altered))
    assert CliRunner().invoke(cli.app, ["check", str(file)]).exit_code == 1


def test_lone_checker_accepts_a_certificate(tmp_path):
    lone = shutil.copy(checker.__file__, tmp_path)
    file = BOOK / CERTIFICATES / f"{slug(names()[0])}.json"
    run = subprocess.run([sys.executable, "-I", lone, str(file)], capture_output=True, text=True)
    assert run.returncode == 0, run.stdout + run.stderr


def test_pages_with_cells_are_notebooks():
    sources = {
        path.relative_to(BOOK / "_sources").with_suffix("").as_posix()
        for path in (BOOK / "_sources").rglob("*.md")
        if is_notebook(path.read_text(encoding="utf-8"))
    }
    files = {
        path.relative_to(BOOK / "notebooks").with_suffix("").as_posix(): path
        for path in (BOOK / "notebooks").rglob("*.ipynb")
    }
    assert set(files) == sources
    for page, path in files.items():
        nbformat.validate(nbformat.read(path, as_version=4))
        assert f"notebooks/{page}.ipynb" in linked(f"{page}.html")


# ---------------------------------------------------------------- page by page


@pytest.mark.parametrize("page", PAGES)
class TestPage:
    def test_asks_no_outside_host(self, visit):
        assert visit.outside == []

    def test_console_is_quiet(self, visit):
        assert visit.console == []

    def test_formulas_are_set(self, visit):
        assert visit.found["errors"] == []
        assert raw_tex(visit) == []

    def test_directives_are_carried_out(self, visit, page):
        if not page.startswith("_modules/"):  # there the source of a module is shown as it is
            assert raw_myst(visit) == []

    def test_references_resolve(self, parsed, page):
        assert broken_references(BOOK, page, parsed) == []

    def test_images_are_there_and_described(self, visit):
        assert nameless_images(visit) == []
        assert [source for source, _, width in visit.found["images"] if width == 0] == []

    @pytest.mark.parametrize("scheme", ["light", "dark"])
    def test_text_is_legible(self, visit, scheme):
        assert visit.dim[scheme] == []

    def test_figures_are_legible_in_the_dark(self, visit):
        pale = {
            source: (contrast, share)
            for source, (contrast, share) in visit.dark_figures.items()
            if contrast < 4.5 or share < 0.003
        }
        assert pale == {}

    def test_fits_a_phone(self, visit):
        content, window = visit.phone_width
        assert content <= window


def test_some_page_has_formulas(browser, visits):
    for page in PAGES:
        if page not in visits:
            visits[page] = look(browser, BOOK, page)
    assert any(visit.found["formulas"] for visit in visits.values())


FAULTS = """
    <p>Half of it is \\frac{1}{2}.</p>
    <p><span class="math">\\(\\frac{1\\)</span></p>
    <p><span class="math">\\(\\nosuchcommand x\\)</span></p>
    <p><span class="math">\\(\\begin{nosuchplace}\\end{nosuchplace}\\)</span></p>
    <pre>```{code-cell}
    never_executed()</pre>
    <p><a href="nowhere.html">a</a> <a href="search.html#nowhere">b</a></p>
    <p><img src="_static/file.png"><img src="_static/file.png" alt="_static/file.png"></p>
    <p style="width: 900px">wide</p>
    <p style="color: #999">dim in the light</p>
    <p style="color: #444">dim in the dark</p>
    <p><img class="dark-light" alt="Dark ink on black." src="ink.png"></p>
    <script>console.error("planted"); fetch("https://example.org/planted.js");</script>
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """A copy of the book with a page that breaks every rule."""
    site = tmp_path_factory.mktemp("faulty") / "html"
    shutil.copytree(BOOK, site)
    page = site / "search.html"
    text = page.read_text(encoding="utf-8")
    assert "</main>" in text
    page.write_text(text.replace("</main>", FAULTS + "</main>"), encoding="utf-8")
    Image.new("RGB", (40, 40), "#151515").save(site / "ink.png")
    return site


@pytest.fixture(scope="module")
def faulty(browser, site):
    return look(browser, site, "search.html")


class TestTeeth:
    """The checks above object to a page that breaks each of them."""

    def test_outside_host(self, faulty):
        assert "https://example.org/planted.js" in faulty.outside

    def test_console(self, faulty):
        assert "planted" in faulty.console

    def test_bad_formulas(self, faulty):
        errors = "\n".join(faulty.found["errors"])
        assert "nosuchcommand" in errors
        assert "nosuchplace" in errors
        assert "\\(\\frac{1\\)" in faulty.found["unset"]
        assert "\\frac" in raw_tex(faulty)

    def test_stray_directive(self, faulty):
        assert [line.strip() for line in raw_myst(faulty)] == ["```{code-cell}"]

    def test_dead_links(self, site):
        assert broken_references(site, "search.html", {}) == ["nowhere.html", "search.html#nowhere"]

    def test_nameless_images(self, faulty):
        assert nameless_images(faulty) == ["_static/file.png"] * 2

    def test_dim_text(self, faulty):
        assert [x.split(": ")[1] for x in faulty.dim["light"]] == ["dim in the light"]
        assert "dim in the dark" in [x.split(": ")[1] for x in faulty.dim["dark"]]

    def test_dim_figure(self, faulty):
        contrast, share = faulty.dark_figures["ink.png"]
        assert contrast < 7
        assert share < 0.003

    def test_too_wide(self, faulty):
        content, window = faulty.phone_width
        assert content > window
