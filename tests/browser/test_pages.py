"""Every page of the built book, seen as a reader sees it: in a browser, without a network.

The pages are those under ``book/_build/html``, or under the folder that the environment variable
METASTABLE_BOOK names. Where METASTABLE_SCREENSHOTS names a folder, a picture of every page goes
there, in light, in dark and at the width of a phone.
"""

import io
import itertools
import os
import re
import shutil
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import numpy as np
import pytest
from PIL import Image

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


class EachPage:
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


# Each half for a processor of its own, with `--dist loadscope`.
@pytest.mark.parametrize("page", PAGES[::2])
class TestOddPages(EachPage):
    pass


@pytest.mark.parametrize("page", PAGES[1::2])
class TestEvenPages(EachPage):
    pass


def test_a_page_with_formulas_has_formulas(browser):
    """Else nothing of the above would be said of any."""
    place = re.compile(r'class="math\b')
    page = next(p for p in PAGES if place.search((BOOK / p).read_text(encoding="utf-8")))
    assert look(browser, BOOK, page).found["formulas"]


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
