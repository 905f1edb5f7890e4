"""What the picture shows is the trajectory, and it can be stopped, read aloud and left still."""

import itertools
import json
import math
import re
import shutil
import xml.etree.ElementTree as ET
from fractions import Fraction
from html import unescape
from pathlib import Path

import numpy as np
import pytest

from numerics import animation
from numerics.chain import ChainError
from numerics.rows import concrete
from theory.chain import cliques
from theory.family import built_in

STEPS = 480


def ring(epsilon="1/20", K=6, M=5):
    family = built_in()["ring"]
    given = {"K": Fraction(K), "M": Fraction(M), "epsilon": Fraction(epsilon)}
    return family.explicit(family.domain.complete(given))


@pytest.fixture(scope="module")
def explicit():
    return ring()


@pytest.fixture(scope="module")
def shown(explicit):
    return animation.walk(explicit, (0, 2), STEPS, np.random.default_rng(0))


def data(fragment):
    """What the script is given."""
    (text,) = re.findall(r'data-trajectory="([^"]*)"', fragment)
    return json.loads(unescape(text))


def picture(fragment):
    """The drawing as a tree."""
    (text,) = re.findall(r"<svg.*</svg>", fragment, re.DOTALL)
    return ET.fromstring(text)


def jumps(clusters):
    return sum(a != b for a, b in itertools.pairwise(clusters))


# ---------------------------------------------------------------- what must hold of a fragment
def check_steps(fragment, explicit):
    """Every step shown is one that the chain can take, between states where they are drawn."""
    told = data(fragment)
    stay = [Fraction(1)] * len(explicit.states)
    for (a, _), p in explicit.transitions.items():
        stay[a] -= p
    for a, b in itertools.pairwise(told["walk"]):
        assert stay[a] > 0 if a == b else (a, b) in explicit.transitions, (a, b)
    assert tuple(told["cluster"]) == explicit.clusters
    dots = [
        (float(dot.get("cx")), float(dot.get("cy")))
        for dot in picture(fragment).iter("circle")
        if dot.get("class") == "state"
    ]
    assert dots == [tuple(place) for place in told["place"]]
    assert len(set(dots)) == len(explicit.states)


def check_staircase(fragment):
    """The staircase and the words say what the trajectory does."""
    told = data(fragment)
    clusters = [told["cluster"][x] for x in told["walk"]]
    (stairs,) = (p for p in picture(fragment).iter("polyline") if p.get("class") == "stairs")
    points = [tuple(map(float, pair.split(","))) for pair in stairs.get("points").split()]
    levels = sorted({y for _, y in points}, reverse=True)
    assert [levels.index(y) for _, y in points[::2]] == rank(clusters)
    assert [y for _, y in points[::2]] == [y for _, y in points[1::2]]
    assert all(a < b for (a, _), (b, _) in zip(points[::2], points[1::2], strict=True))
    for text in (fragment, picture(fragment).get("aria-label")):
        assert f"{jumps(clusters)} times in all" in text
    assert f"{len(clusters) - 1} steps, {jumps(clusters)} of them" in fragment


def rank(values):
    order = sorted(set(values))
    return [order.index(x) for x in values]


def altered(fragment, change):
    """The fragment with other data."""
    told = data(fragment)
    change(told)
    text = json.dumps(told).replace('"', "&quot;")
    return re.sub(r'data-trajectory="[^"]*"', f'data-trajectory="{text}"', fragment)


# ---------------------------------------------------------------- it does
def test_shows_the_trajectory(shown, explicit):
    rng = np.random.default_rng(0)
    start = explicit.states.index((0, 2))
    visited = animation.trajectory(concrete(explicit), start, STEPS, rng)
    assert data(shown.html)["walk"] == visited.tolist()
    assert len(visited) == STEPS + 1
    assert visited[0] == start
    check_steps(shown.html, explicit)
    check_staircase(shown.html)


@pytest.mark.parametrize(("K", "M"), [(2, 3), (3, 4), (9, 3)])
def test_other_rings(K, M):
    explicit = ring("1/3", K, M)
    one = animation.walk(explicit, (1, 0), 200, np.random.default_rng(1))
    check_steps(one.html, explicit)
    check_staircase(one.html)


def test_a_planted_step_is_seen(shown, explicit):
    def across(told):
        told["walk"][100] = (told["walk"][99] + len(explicit.states) // 2) % len(explicit.states)

    with pytest.raises(AssertionError):
        check_steps(altered(shown.html, across), explicit)
    with pytest.raises(AssertionError):
        check_staircase(altered(shown.html, across))


def test_a_planted_place_is_seen(shown, explicit):
    def aside(told):
        told["place"][3][0] += 1

    with pytest.raises(AssertionError):
        check_steps(altered(shown.html, aside), explicit)


def test_the_seed_decides(explicit, shown):
    again = animation.walk(explicit, (0, 2), STEPS, np.random.default_rng(0))
    other = animation.walk(explicit, (0, 2), STEPS, np.random.default_rng(1))
    assert again.html == shown.html
    assert data(other.html)["walk"] != data(shown.html)["walk"]


def frequencies_differ(explicit, law):
    """The largest deviation of the moves of a long walk from the rows of a chain, in Hoeffding's.

    A value above 1 has, for a right law and that many visits, a probability below 1e-9 (a union
    over at most 100 rows and states).
    """
    chain, size = concrete(explicit), len(explicit.states)
    visited = animation.trajectory(chain, 0, 40_000, np.random.default_rng(2))
    counts = np.zeros((size, size))
    np.add.at(counts, (visited[:-1], visited[1:]), 1)
    P = concrete(law).rates()
    np.fill_diagonal(P, 1 - P.sum(axis=1))
    visits = counts.sum(axis=1)
    deviation = np.abs(counts / visits[:, None] - P).max(axis=1)
    return (deviation * np.sqrt(2 * visits / math.log(2 * 100 * 100 / 1e-9))).max()


def test_the_law_of_a_step():
    assert frequencies_differ(ring("1/5", 3, 3), ring("1/5", 3, 3)) < 1
    assert frequencies_differ(ring("1/5", 3, 3), ring("2/5", 3, 3)) > 1


# ---------------------------------------------------------------- for every reader
def test_is_described_and_asks_for_nothing(shown):
    svg = picture(shown.html)
    assert svg.get("role") == "img"
    assert svg.get("aria-label") == shown.description == repr(shown)
    assert "prefers-reduced-motion" in shown.html
    assert re.search(r'<button type="button"[^>]*>Play</button>', shown.html)
    assert not re.search(r"https?:|src=|@import|fetch\(", shown.html)
    assert "currentColor" in shown.html
    assert 'data-theme="dark"' in shown.html


def test_two_on_a_page(explicit):
    one, two = (
        animation.walk(explicit, (0, 0), 5, np.random.default_rng(0), name) for name in ("a", "b")
    )
    for text, mine in ((one.html, "a"), (two.html, "b")):
        assert set(re.findall(r' id="(\w)', text)) == {mine}


@pytest.mark.parametrize(
    ("start", "steps", "words"),
    [((9, 0), 10, "no state"), ((0, 0), 0, "1 or more"), ((0, 0), -1, "1 or more")],
)
def test_refusals(explicit, start, steps, words):
    with pytest.raises(ChainError, match=words):
        animation.walk(explicit, start, steps, np.random.default_rng(0))


def test_one_cluster_is_refused():
    with pytest.raises(ChainError, match="two or more"):
        animation.walk(cliques([4], {}), (0, 0), 10, np.random.default_rng(0))


# ---------------------------------------------------------------- in a browser
@pytest.mark.browser
class TestMotion:
    """Chromium, without a network."""

    @pytest.fixture(params=["no-preference", "reduce"])
    def tab(self, request, shown, tmp_path):
        api = pytest.importorskip("playwright.sync_api")
        file = tmp_path / "page.html"
        file.write_text(f'<!doctype html><html data-theme="light"><body>{shown.html}</body></html>')
        executable = shutil.which("chromium") or "/usr/bin/chromium"
        assert Path(executable).exists(), "Chromium is missing: apt-get install chromium"
        with api.sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                executable_path=executable, args=["--no-sandbox", "--disable-gpu"]
            )
            tab = browser.new_page(reduced_motion=request.param)
            tab.motion = request.param
            tab.goto(file.as_uri())
            yield tab
            browser.close()

    def test_moves_only_where_it_may(self, tab):
        moves = tab.motion == "no-preference"
        tab.wait_for_timeout(1000)
        assert tab.inner_text(".play") == ("Pause" if moves else "Play")
        assert tab.inner_text(".told").startswith(f"{STEPS} steps") != moves

    def test_starts_and_stops_by_keyboard(self, tab, shown):
        tab.focus(".play")
        if tab.inner_text(".play") == "Pause":
            tab.keyboard.press("Space")
        for _ in range(2):
            assert tab.inner_text(".play") == "Play"
            tab.keyboard.press("Enter")
            assert tab.inner_text(".play") == "Pause"
            tab.wait_for_timeout(600)
            tab.keyboard.press("Space")
        told = tab.inner_text(".told")
        step = int(told.split()[0])
        assert 0 < step < STEPS
        tab.wait_for_timeout(400)
        assert tab.inner_text(".told") == told
        known = data(shown.html)
        x, y = known["place"][known["walk"][step]]
        walker = tab.locator(".walker")
        assert [float(walker.get_attribute(name)) for name in ("cx", "cy")] == [x, y]
        behind = [known["cluster"][n] for n in known["walk"][: step + 1]]
        assert f"{jumps(behind)} of them" in told
