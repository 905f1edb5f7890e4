"""The playgrounds of the built book, moved by mouse and keyboard: they show what Python says.

The pages are those of `test_pages`; METASTABLE_BOOK and METASTABLE_SCREENSHOTS are read as there.
"""

import math
import os
import re
from fractions import Fraction
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from numerics import playground
from numerics.algorithms import budget as runs
from theory import catalogue
from theory.composed import Composed
from theory.domain import evaluate
from theory.results.search import cliques_of, plan
from theory.tightness import Tightness, expressions, walk_gap
from theory.tightness.spans import value_at

pytestmark = pytest.mark.browser

ROOT = Path(__file__).resolve().parents[2]
BOOK = Path(os.environ.get("METASTABLE_BOOK") or ROOT / "book" / "_build" / "html").resolve()
SCREENSHOTS = os.environ.get("METASTABLE_SCREENSHOTS")
NAMES = ("hitting-time", "budget", "gap")
DESK, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}
TYPESET = "() => window.MathJax?.startup?.promise?.then(() => true)"

# Contrast (WCAG 2.2) of every piece of text and of every line drawn with what is behind it.
CONTRAST = """(root) => {
    const parse = (c) => (c.match(/[\\d.]+/g) || []).map(Number);
    const linear = (v) => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
    const light = ([r, g, b]) => 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
    const ground = (node) => {
        for (let n = node; n; n = n.parentElement) {
            const c = parse(getComputedStyle(n).backgroundColor);
            if (c.length === 3 || c[3] > 0.5) return c;
        }
        return [255, 255, 255];
    };
    const ratio = (a, b) => {
        const [x, y] = [light(a), light(b)].sort((p, q) => q - p);
        return (x + 0.05) / (y + 0.05);
    };
    const texts = [], lines = [];
    for (const node of root.querySelectorAll("*")) {
        const style = getComputedStyle(node);
        if (style.visibility === "hidden") continue;
        if (node.closest("mjx-container, noscript, option")) continue;
        const own = [...node.childNodes].some((n) => n.nodeType === 3 && n.data.trim());
        if (node.matches("svg text")) texts.push(ratio(parse(style.fill), ground(node)));
        else if (own && !node.closest("svg")) texts.push(ratio(parse(style.color), ground(node)));
        else if (node.matches(".play-line")) lines.push(ratio(parse(style.stroke), ground(node)));
    }
    return [Math.min(...texts), Math.min(...lines), texts.length, lines.length];
}"""


class Page:
    """One playground in a tab without a network."""

    def __init__(self, browser, name, size=DESK, scheme="light"):
        self.noise: list[str] = []
        self.tab = browser.new_page(viewport=size, color_scheme=scheme)
        self.tab.route("**/*", self._answer)
        self.tab.on("console", lambda m: self.noise.extend([m.text] if m.type == "error" else []))
        self.tab.on("pageerror", lambda e: self.noise.append(str(e)))
        page = BOOK / f"play-{name}.html"
        assert page.is_file(), f"no page {page}: build the book first (make book)"
        self.tab.goto(page.as_uri(), wait_until="networkidle")
        self.tab.evaluate(TYPESET)
        self.mark = f"#play-{name}"

    def _answer(self, route):
        if urlsplit(route.request.url).scheme in ("file", "data", "blob"):
            route.continue_()
        else:
            self.noise.append(route.request.url)
            route.abort()

    def choose(self, family):
        self.tab.select_option(f"{self.mark}-family", family)

    def move(self, name, value):
        """Set a slider, of a real parameter to a decimal logarithm."""
        self.tab.locator(f"{self.mark}-{name}").fill(str(value))

    def number(self, name):
        """A number that is shown, as the double behind it, and as it is told."""
        found = self.tab.locator(f"{self.mark} [data-name='{name}']").first
        return float(found.get_attribute("data-value")), found.text_content()

    def text(self):
        return self.tab.locator(f"{self.mark} .play-value").text_content()

    def drawn(self):
        """All lines of all figures."""
        return self.tab.eval_on_selector_all(
            f"{self.mark} svg[role=img] :is(path, line, circle)",
            "list => list.map(x => x.outerHTML).join()",
        )


@pytest.fixture(params=NAMES)
def name(request):
    return request.param


@pytest.fixture
def opened(browser):
    pages = []

    def open_(name, size=DESK, scheme="light"):
        pages.append(Page(browser, name, size, scheme))
        return pages[-1]

    yield open_
    for page in pages:
        page.tab.close()


def told(text):
    """The number in ``5.60790 × 10⁴``."""
    digits = str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789")
    mantissa, _, exponent = text.partition(" × 10")
    return float(f"{mantissa}e{exponent.translate(digits) or 0}")


def shown(page, name, exact):
    """Whether a number is the exact one: to nine digits behind the page, to its own on it."""
    value, text = page.number(name)
    assert value == pytest.approx(float(exact), rel=1e-9)
    assert told(text) == pytest.approx(float(exact), rel=1e-2 if len(text) < 7 else 1e-3)


def rate(decade):
    """The number that a slider of decades stands for, as the page reads it."""
    return Fraction(float(f"{10**decade:.1e}"))


# ---------------------------------------------------------------- what they show
@pytest.mark.parametrize(
    ("family", "sizes"),
    [
        ("complete", {"K": 11, "M": 5}),
        ("ring", {"K": 12, "M": 9, "d": 3}),
        ("unequal", {"K_1": 3, "K_2": 7, "M_1": 4, "M_2": 30}),
        ("clique/petersen/gate", {"M": 17}),
    ],
)
def test_hitting_times(opened, family, sizes):
    page = opened("hitting-time")
    page.choose(family)
    for name, value in sizes.items():
        page.move(name, value)
    chosen = catalogue.load(family)
    derivation = catalogue.derivation(chosen)
    bounds = derivation.claim("hitting-time-bounds")
    for decade in (-1.3, -4.0, -9.0):
        page.move("epsilon", decade)
        point = {**{k: Fraction(x) for k, x in sizes.items()}, "epsilon": rate(decade)}
        shown(page, "time", evaluate(derivation.claim("hitting-time").expression, point))
        shown(
            page,
            "aggregated",
            evaluate(derivation.claim("aggregated-hitting-time").expression, point),
        )
        if (
            bounds.domain.violated({p.name: point[p.name] for p in bounds.domain.parameters})
            is None
        ):
            shown(page, "lower", evaluate(bounds.lower, point))
            shown(page, "upper", evaluate(bounds.upper, point))
        else:
            assert "not here" in page.text()
    assert page.noise == []


def test_ways(opened):
    page = opened("budget")
    page.choose("ring")
    for name, value in (("K", 6), ("M", 5), ("d", 2), ("epsilon", -7), ("epsilon_max", -2)):
        page.move(name, value)
    page.move("budget", 12)
    family = catalogue.load("ring")
    given = {"K": 6, "M": 5, "epsilon": rate(-7), "d": 2}
    point = {k: Fraction(x) for k, x in given.items()}
    time = catalogue.derivation(family).claim("hitting-time").expression
    query = evaluate(time, point)
    lifted = evaluate(time, {**point, "epsilon": rate(-2)})
    steps = sum(plan(cliques_of(family, point), runs.Config().delta).steps) / 2
    shown(page, "none-query", query)
    shown(page, "search-query", lifted)
    shown(page, "search-training", steps)
    shown(page, "search-pays", steps / (query - lifted))
    shown(page, "search-answers", math.floor((Fraction(10**12) - steps) / lifted))
    shown(page, "none-answers", math.floor(Fraction(10**12) / query))
    assert page.noise == []


def test_gaps(opened):
    page = opened("gap")
    page.choose("clique/ring/gate")
    page.move("K", 9)
    page.move("M", 6)
    page.move("epsilon", -5)
    family = catalogue.load("clique/ring/gate")
    point = {"K": Fraction(9), "M": Fraction(6), "epsilon": rate(-5)}
    assert isinstance(family, Composed)
    g = value_at(walk_gap(family).lower, point)[0]
    rows = [row for row in expressions(family) if isinstance(row, Tightness)]
    (row,) = (row for row in rows if row.bound == "projection-restriction-sharp")
    wide = {**point, "g": g}
    shown(page, "gap", value_at(row.truth.lower, wide)[0])
    shown(page, "projection-restriction-sharp-lower-0", value_at(row.value.lower, wide)[0])
    shown(page, "projection-restriction-sharp-lower-factor-0", value_at(row.factor.upper, wide)[0])
    shown(page, "metastability", 2 * point["epsilon"])
    assert page.noise == []


def test_a_wrong_value_is_seen(opened):
    """The comparison objects to a page whose number is off by a millionth."""
    page = opened("hitting-time")
    value, _ = page.number("time")
    page.tab.eval_on_selector(
        "[data-name='time']", "(x) => { x.dataset.value = String(x.dataset.value * (1 + 1e-6)) }"
    )
    with pytest.raises(AssertionError):
        shown(page, "time", value)


# ---------------------------------------------------------------- sliders and families
def test_every_slider_moves_something(opened, name):
    page = opened(name)
    families = page.tab.eval_on_selector_all("select option", "list => list.map(x => x.value)")
    known = {"hitting-time": playground.HITTING, "budget": playground.BUDGET, "gap": playground.GAP}
    assert families == list(known[name])
    for family in families:
        page.choose(family)
        chosen = page.tab.locator(f"{page.mark} .play-chosen")
        assert chosen.count() == 1 and chosen.get_attribute("data-family") == family
        assert chosen.locator("mjx-container").bounding_box()["height"] > 15
        page.move("epsilon", -6)
        for slider in page.tab.locator(f"{page.mark} input[type=range]").all():
            low, high = (float(slider.get_attribute(end)) for end in ("min", "max"))
            now, seen = slider.input_value(), set()
            for value in (low, round((low + high) / 2), high):
                slider.fill(f"{value:g}")
                seen.add(page.text())
                assert "NaN" not in page.text() + page.drawn()
            # On a ring, as far one way as the other is the same.
            assert len(seen) > 1, (family, slider.get_attribute("id"))
            slider.fill(now)
    assert page.noise == []


def test_distance_stays_in_the_domain(opened):
    """Fewer clusters than the target is away: it comes nearer."""
    page = opened("hitting-time")
    page.choose("ring")
    page.move("K", 20)
    page.move("d", 19)
    page.move("K", 4)
    assert page.tab.locator(f"{page.mark}-d").input_value() == "3"
    assert "d=3" in page.text()


def test_memory_is_at_least_epsilon(opened):
    page = opened("budget")
    page.move("epsilon", -3)
    page.move("epsilon_max", -6)
    assert "ε_max is at least ε" in page.text()


def test_keyboard(opened, name):
    page = opened(name)
    select = page.tab.locator(f"{page.mark}-family")
    select.focus()
    page.tab.keyboard.press("Tab")
    at = "document.activeElement.id"
    assert page.tab.evaluate(at) == f"play-{name}-K"
    before, value = page.text(), page.tab.locator(f"{page.mark}-K").input_value()
    page.tab.keyboard.press("ArrowRight")
    assert int(page.tab.locator(f"{page.mark}-K").input_value()) == int(value) + 1
    assert page.text() != before
    assert page.tab.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"


def test_words_for_those_who_do_not_see(opened, name):
    page = opened(name)
    for field in page.tab.locator(f"{page.mark} :is(input, select)").all():
        assert page.tab.locator(f"label[for='{field.get_attribute('id')}']").count() == 1
    images = page.tab.locator(f"{page.mark} svg[role=img]").all()
    assert images
    for image in images:
        title, desc = (image.locator(tag).first.text_content() for tag in ("title", "desc"))
        assert title
        assert re.search(r"\d", desc)
    assert page.tab.locator(f"{page.mark} [aria-live=polite]").count() == 1


def test_theorems_can_be_chosen(opened):
    page = opened("gap")
    before = page.drawn()
    page.tab.locator(f"{page.mark} .play-choices input").first.check()
    assert len(page.drawn()) > len(before)


# ---------------------------------------------------------------- themes and widths
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [DESK, PHONE], ids=["desk", "phone"])
def test_legible(opened, name, scheme, size):
    page = opened(name, size, scheme)
    assert page.tab.evaluate("document.documentElement.dataset.theme") == scheme
    text, line, texts, lines = page.tab.eval_on_selector(page.mark, CONTRAST)
    assert texts > 20 and lines > 2
    assert text >= 4.5  # WCAG 2.2, 1.4.3
    assert line >= 3  # 1.4.11
    content, window = page.tab.evaluate("[document.documentElement.scrollWidth, window.innerWidth]")
    assert content <= window
    small = page.tab.eval_on_selector_all(
        f"{page.mark} svg[role=img] text",
        "list => Math.min(...list.map(x => x.getBoundingClientRect().height))",
    )
    assert small >= 10
    if SCREENSHOTS:
        Path(SCREENSHOTS).mkdir(parents=True, exist_ok=True)
        file = Path(SCREENSHOTS, f"play-{name}-{scheme}-{size['width']}.png")
        page.tab.screenshot(path=file, full_page=True, animations="disabled")


def test_pale_text_is_seen(opened):
    page = opened("gap")
    page.tab.add_style_tag(content=".play-value p { color: #ccc !important; }")
    assert page.tab.eval_on_selector(page.mark, CONTRAST)[0] < 4.5


def test_nothing_is_left_in_the_open(opened, name):
    """One script in the page, which defines no name that others see."""
    page = opened(name)
    scripts = page.tab.eval_on_selector_all(
        "script:not([src])", "list => list.filter(x => x.text.includes('play.mount')).length"
    )
    assert scripts == 1
    assert page.tab.evaluate("typeof window.play") == "undefined"
