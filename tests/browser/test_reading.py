"""The book is searched, and read by the keyboard alone."""

import json
import os
import re
from pathlib import Path
from urllib.parse import urlsplit

import pytest

pytestmark = pytest.mark.browser

ROOT = Path(__file__).resolve().parents[2]
BOOK = Path(os.environ.get("METASTABLE_BOOK") or ROOT / "book" / "_build" / "html").resolve()
PAGES = sorted(
    path.relative_to(BOOK).as_posix()
    for path in BOOK.rglob("*.html")
    if path.relative_to(BOOK).parts[0] not in {"_modules", "_static", "_sources", "mathjax"}
)

TYPESET = "() => window.MathJax?.startup?.promise?.then(() => true)"

# Colours and places that are on their way are not yet what a reader sees.
AT_ONCE = "* { transition: none !important; animation: none !important }"

DESK = {"width": 1280, "height": 900}


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
