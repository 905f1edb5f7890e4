"""A walk among clusters as a picture that moves: a drawing in SVG and a few lines of JavaScript.

Every position that is drawn is that of a state of the simulated trajectory. The picture asks for
nothing from outside, takes its colours from the page, light or dark, and stands still until it is
asked to move where a reader prefers less motion. Without scripts it shows the whole trajectory.
"""

from __future__ import annotations

import html
import itertools
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from numerics.chain import Chain, ChainError, IntArray, check_targets
from numerics.rows import concrete
from theory.chain import ExplicitChain

WIDTH, RING, STRIP = 480, 330, 96  # the drawing above, and cluster against time below it
LEFT, RIGHT, TOP = 78, 10, 22  # margins of the lower part
RADIUS, CLUSTER = 122, 31  # of the circle of clusters, and of one cluster
RATE = 16  # steps shown in a second
TRAIL = 12  # steps that leave a trace behind the walker


def trajectory(chain: Chain, start: int, steps: int, rng: np.random.Generator) -> IntArray:
    """Simulate the states that a chain visits, step by step.

    Parameters
    ----------
    chain : Chain
        Chain of N states.
    start : int
        0-based start.
    steps : int
        Number n >= 1 of steps.
    rng : numpy.random.Generator
        Source of n uniform numbers; the same state of it gives the same trajectory.

    Returns
    -------
    int64 array, shape (n + 1,)
        The start, and the state after each step.

    Raises
    ------
    ChainError
        If `steps` is below 1, or there is no state `start`.
    """
    if steps < 1:
        raise ChainError(f"a trajectory of {steps} steps does not move; ask for 1 or more")
    (here,) = check_targets(chain, (start,))
    first = np.searchsorted(chain.source, np.arange(chain.size + 1))
    visited = np.empty(steps + 1, dtype=np.int64)
    visited[0] = here
    for n, u in enumerate(rng.random(steps)):
        row = slice(first[here], first[here + 1])
        # A number beyond the last partial sum falls on the diagonal: the walk stays.
        move = int(np.searchsorted(np.cumsum(chain.probability[row]), u, side="right"))
        if move < row.stop - row.start:
            here = int(chain.target[row][move])
        visited[n + 1] = here
    return visited


@dataclass(frozen=True)
class Animation:
    """A trajectory of a chain whose clusters lie on a circle, as a fragment of HTML.

    Attributes
    ----------
    description : str
        What is seen, in words.
    html : str
        The picture, its buttons, style and script; `name` in it is unique on a page.
    """

    description: str
    html: str

    def __repr__(self) -> str:
        return self.description

    def _repr_html_(self) -> str:
        return self.html


def walk(
    explicit: ExplicitChain,
    start: tuple[int, int],
    steps: int,
    rng: np.random.Generator,
    name: str = "walk",
) -> Animation:
    """Simulate a chain, and draw the walk as a picture that moves.

    Parameters
    ----------
    explicit : ExplicitChain
        Chain of K >= 2 clusters; they are drawn on a circle, the first at the top.
    start : (int, int)
        Cluster and member at which the walk starts.
    steps : int
        Number of steps, >= 1.
    rng : numpy.random.Generator
        Source of the trajectory.
    name : str
        Prefix of the identifiers in the fragment, unique on a page.

    Raises
    ------
    ChainError
        If there is no such start, or `steps` is below 1.
    """
    if start not in explicit.states:
        raise ChainError(f"there is no state {start}; give a cluster and a member of it")
    visited = trajectory(concrete(explicit), explicit.states.index(start), steps, rng).tolist()
    clusters = explicit.clusters
    crossed = sum(clusters[a] != clusters[b] for a, b in itertools.pairwise(visited))
    count = len(set(clusters))
    description = (
        f"A walk of {steps} steps on {count} cliques of states that lie on a circle. It moves "
        "about inside one clique for a long time, and seldom crosses to a neighbouring one, "
        f"{crossed} times in all. Below, the clique against time is a staircase of {crossed} jumps."
    )
    body = _drawing(explicit) + _staircase([clusters[x] for x in visited], count, name)
    x, y = places(explicit)[visited[-1]]
    data = json.dumps({"place": places(explicit), "cluster": clusters, "walk": visited})
    return Animation(
        description,
        f'<div class="walk" id="{name}" data-trajectory="{html.escape(data)}">\n'
        f"<style>{_STYLE}</style>\n"
        f'<svg viewBox="0 0 {WIDTH} {RING + STRIP}" role="img" '
        f'aria-label="{html.escape(description)}">\n{body}'
        f'<polyline class="trail" points=""/>\n'
        f'<circle class="walker" r="6.5" cx="{x}" cy="{y}"/>\n</svg>\n'
        f'<p><button type="button" class="play">Play</button> '
        f'<span class="told">{steps} steps, {crossed} of them to another clique</span></p>\n'
        f"<script>({_SCRIPT})"
        f"(document.getElementById({json.dumps(name)}), {json.dumps(_constants())})</script>\n"
        "</div>",
    )


def places(explicit: ExplicitChain) -> list[tuple[float, float]]:
    """Where each state is drawn, in the units of the picture; y grows downwards.

    Raises
    ------
    ChainError
        If there is one cluster only.
    """
    size = {k: explicit.clusters.count(k) for k in dict.fromkeys(explicit.clusters)}
    if len(size) < 2:
        raise ChainError("one cluster has no neighbours; draw a chain of two or more")
    middle = WIDTH / 2, RING / 2
    turns = {k: 2 * math.pi * n / len(size) - math.pi / 2 for n, k in enumerate(size)}
    found = []
    for k, i in explicit.states:
        inner = turns[k] + math.pi + 2 * math.pi * (i - 0.5) / size[k]
        found.append(
            (
                round(middle[0] + RADIUS * math.cos(turns[k]) + CLUSTER * math.cos(inner), 1),
                round(middle[1] + RADIUS * math.sin(turns[k]) + CLUSTER * math.sin(inner), 1),
            )
        )
    return found


def _drawing(explicit: ExplicitChain) -> str:
    """States, moves inside a cluster and sparse edges, each pair once."""
    at, clusters = places(explicit), explicit.clusters
    lines = []
    for a, b in sorted({tuple(sorted(pair)) for pair in explicit.transitions}):
        kind = "easy" if clusters[a] == clusters[b] else "hard"
        (x, y), (z, w) = at[a], at[b]
        lines.append(f'<line class="{kind}" x1="{x}" y1="{y}" x2="{z}" y2="{w}"/>\n')
    dots = (f'<circle class="state" r="4" cx="{x}" cy="{y}"/>\n' for x, y in at)
    return "".join([*lines, *dots])


def _staircase(clusters: Sequence[int], count: int, name: str) -> str:
    """The cluster against time, behind a window that the script opens from the left."""
    points = [
        f"{_time(n + shift, len(clusters))},{_level(k, count)}"
        for n, k in enumerate(clusters)
        for shift in (0, 1)
    ]
    inner = WIDTH - LEFT - RIGHT
    labels = (
        f'<text x="{LEFT - 8}" y="{_level(k, count) + 4}" text-anchor="end">{k}</text>\n'
        for k in (0, count - 1)
    )
    return (
        f'<clipPath id="{name}-seen"><rect class="seen" x="{LEFT}" y="{RING}" '
        f'width="{inner}" height="{STRIP}"/></clipPath>\n'
        f'<text x="0" y="{RING + STRIP / 2 + 9}">clique</text>\n{"".join(labels)}'
        f'<polyline class="stairs" clip-path="url(#{name}-seen)" points="{" ".join(points)}"/>\n'
    )


def _time(n: int, length: int) -> float:
    return round(LEFT + (WIDTH - LEFT - RIGHT) * n / length, 2)


def _level(cluster: int, count: int) -> float:
    return round(RING + TOP + (STRIP - TOP - 8) * (1 - cluster / (count - 1)), 1)


def _constants() -> dict[str, float]:
    return {"left": LEFT, "width": WIDTH - LEFT - RIGHT, "rate": RATE, "trail": TRAIL}


_STYLE = """
.walk { --walker: #a0522d; --ease: #888; margin: 1rem 0; }
html[data-theme="dark"] .walk { --walker: #f0b27a; --ease: #999; }
html[data-theme="dark"] body .bd-content div.cell_output div.text_html:has(> .walk) {
  background: none; color: inherit; }
.walk svg { display: block; width: 100%; max-width: 34rem; height: auto; margin: 0 auto; }
.walk line { stroke: var(--ease); stroke-width: 0.8; opacity: 0.6; }
.walk line.hard { stroke: var(--walker); stroke-dasharray: 5 4; stroke-width: 1.6; opacity: 1; }
.walk .state { fill: currentColor; opacity: 0.75; }
.walk .walker { fill: var(--walker); stroke: currentColor; stroke-width: 1.5; }
.walk .trail { fill: none; stroke: var(--walker); stroke-width: 2.5; opacity: 0.55; }
.walk .stairs { fill: none; stroke: var(--walker); stroke-width: 1.6; }
.walk text { fill: currentColor; font: 15px sans-serif; }
.walk p { text-align: center; }
.walk button { color: inherit; background: none; border: 1px solid; border-radius: 4px;
  padding: 0.3rem 1.1rem; min-width: 6rem; min-height: 2.4rem; }
.walk button:focus-visible { outline: 3px solid var(--walker); outline-offset: 2px; }
.walk .told { display: inline-block; min-width: 17rem; font-variant-numeric: tabular-nums; }
"""

_SCRIPT = """(root, {left, width, rate, trail}) => {
  const {place, cluster, walk} = JSON.parse(root.dataset.trajectory), last = walk.length - 1;
  const part = name => root.querySelector("." + name);
  const button = part("play"), told = part("told"), window_ = part("seen");
  let step = last, since = null, asked = false;
  const draw = () => {
    const [x, y] = place[walk[step]];
    part("walker").setAttribute("cx", x);
    part("walker").setAttribute("cy", y);
    const behind = step === last ? [] : walk.slice(Math.max(0, step - trail), step + 1);
    part("trail").setAttribute("points", behind.map(n => place[n].join()).join(" "));
    window_.setAttribute("width", (width * (step + 1)) / walk.length);
    let hard = 0;
    for (let n = 0; n < step; n++) hard += cluster[walk[n]] !== cluster[walk[n + 1]];
    told.textContent = step + " steps, " + hard + " of them to another clique";
  };
  const advance = now => {
    if (since === null) return;
    if (now - since > 1000) since = now;  // nothing was drawn meanwhile: the page was hidden
    const steps = Math.floor((now - since) * rate / 1000);
    if (steps > 0) {
      step = Math.min(last, step + steps);
      since += steps * 1000 / rate;
      draw();
    }
    if (step === last) pause(); else requestAnimationFrame(advance);
  };
  const pause = () => { since = null; button.textContent = "Play"; };
  const play = () => {
    if (step === last) step = 0;
    since = performance.now();
    button.textContent = "Pause";
    draw();
    requestAnimationFrame(advance);
  };
  button.addEventListener("click", () => {
    asked = true;
    if (since === null) play(); else pause();
  });
  if (matchMedia("(prefers-reduced-motion: reduce)").matches) return;
  const seen = new IntersectionObserver(entries => {
    const visible = entries.some(entry => entry.isIntersecting);
    if (visible && since === null && !asked) play();
    if (!visible && since !== null && !asked) pause();
  }, {threshold: 0.5});
  seen.observe(root);
}"""
