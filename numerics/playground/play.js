// Draws the playgrounds. All formulas come from outside, as functions of an object of parameters;
// what stands here are sliders, logarithmic axes, and the search for a plan of a search.
const play = (() => {
  "use strict";

  // ------------------------------------------------------------------ numbers
  const SUPERSCRIPT = { "-": "⁻", 0: "⁰", 1: "¹", 2: "²", 3: "³", 4: "⁴", 5: "⁵", 6: "⁶", 7: "⁷", 8: "⁸", 9: "⁹" };
  const power = (n) => "10" + [...String(n)].map((c) => SUPERSCRIPT[c]).join("");
  const scientific = (x, digits = 6) => {
    if (x === Infinity) return "∞";
    if (x === 0) return "0";
    const [mantissa, exponent] = x.toExponential(digits - 1).split("e");
    return Number(exponent) === 0 ? mantissa : `${mantissa} × ${power(Number(exponent))}`;
  };
  // Two digits: what is shown is what is computed with.
  const rounded = (exponent) => Number(Math.pow(10, exponent).toPrecision(2));
  const short = (x) => (x >= 0.01 && x < 1e4 ? String(x) : scientific(x, 2));
  const plain = (x, digits = 3) =>
    x >= 0.01 && x < 10 ** Math.max(4, digits) ? String(Number(x.toPrecision(digits))) : scientific(x, digits);

  // ------------------------------------------------------------------ a plan of a search
  // As theory.results.search.plan: the same expressions, and doubles in the place of enclosures.
  const least = (enough, first) => {
    let high = first;
    while (!enough(high)) {
      if (high > Number.MAX_SAFE_INTEGER) return Infinity;
      high *= 2;
    }
    let low = high > first ? Math.floor(high / 2) : first - 1;
    while (high - low > 1) {
      const middle = Math.floor((low + high) / 2);
      if (enough(middle)) high = middle;
      else low = middle;
    }
    return high;
  };

  const plan = (f, kinds, epsilon) => {
    const delta = f.delta;
    const clusters = kinds.reduce((sum, kind) => sum + kind.count, 0);
    const states = kinds.reduce((sum, kind) => sum + kind.count * kind.size, 0);
    const share = (kind) => kind.size / states;
    const average = (values) =>
      kinds.reduce((sum, kind, i) => sum + kind.count * share(kind) * values[i], 0);
    const at = (kind, more) => ({ M: kind.size, n: kind.gates, c: kind.fan, epsilon, ...more });
    const found = (kind, L) => (kind.gates === 1 ? f.foundByOne : f.foundByMany)(at(kind, { L }));
    const unseen = (kind, N, T_0) => f.unseen(at(kind, { N, T_0 }));
    const losses = (N, T_0) =>
      kinds.map((kind) => Math.min(1, unseen(kind, N, T_0) + f.early(at(kind, { N, T_0 }))));
    const missed = (R, N, L, lost) =>
      kinds.reduce((sum, kind, i) => {
        const edges = kind.count * kind.gates * kind.fan;
        const g = Math.max(1 - lost[i], 0);
        return sum + edges * f.missed({ N, R, u: share(kind), g, s: found(kind, L) });
      }, 0);
    // Infinite too where a good round is rarer than doubles tell.
    const rounds = (N, L, lost) =>
      lost.some((x) => x >= 1) ? Infinity : least((R) => missed(R, N, L, lost) <= delta / 2, 1);
    const toLeave = (kind) => {
      const limit = found(kind, Infinity);
      return least((L) => found(kind, L) >= 0.9 * limit, 2);
    };

    const L = Math.max(...kinds.map(toLeave));
    let N = Math.max(1, Math.ceil(Math.log(clusters)));
    for (; N <= f.mostRollouts; N += Math.max(1, Math.floor(N / 8))) {
      let R = rounds(N, L, kinds.map(() => 0));
      let T_0 = 1;
      for (let k = 0; k < 3 && R < Infinity; k++) {
        const most = delta / (4 * R);
        T_0 = least((t) => average(kinds.map((kind) => unseen(kind, N, t))) <= most, 1);
        R = rounds(N, L, losses(N, T_0));
      }
      if (R === Infinity) continue;
      const lost = losses(N, T_0);
      if (R * average(lost) > delta / 2) continue;
      const low = kinds.map((kind, i) => (1 - lost[i]) * f.stayLeast(at(kind, { L })));
      const high = kinds.map((kind, i) => (1 - lost[i]) * f.stayMost(at(kind, { L })) + lost[i] * L);
      const steps = [low, high].map((values) => R * N * (T_0 + average(values)));
      return { rounds: R, rollouts: N, T_0, T_max: T_0 + L, steps };
    }
    return null;
  };

  // The mass of found edges once PPO stops: the last update that does not lift it above the cap.
  const lifted = (f, mass, cap) => {
    if (!(cap > mass)) return mass;
    const updates = Math.floor(Math.log(f.oddsFactor({ f: mass, most: cap })) / (2 * f.step));
    return f.lifted({ f: mass, u: Math.exp(2 * updates * f.step) });
  };

  // Steps once and for each query. Search and what rests on it are null where there is no plan.
  const ways = (data, family, p) => {
    const none = { name: "none", training: 0, query: family.time(p) };
    const found = plan(data.search, family.kinds(p), p.epsilon);
    const training = found && (found.steps[0] + found.steps[1]) / 2;
    const mass = lifted(data.search, p.epsilon, p.epsilon_max);
    const search = { name: "search", training, query: family.time({ ...p, epsilon: p.epsilon_max }) };
    const rl = { name: "rl", training, query: family.time({ ...p, epsilon: mass }) };
    const all = [none, ...(found ? [search, rl] : [])];
    if (family.labelSteps) {
      const steps = family.labelSteps({ ...p, zeta: data.zeta });
      all.push({ name: "distillation", training: steps, query: family.distilled(p) });
    }
    return { plan: found, mass, ways: all };
  };

  // From how many queries on the second way costs less; null if never.
  const breakEven = (first, second) => {
    const gain = first.query - second.query;
    if (!(gain > 1e-9 * first.query)) return null;
    return Math.max(0, (second.training - first.training) / gain);
  };

  // ------------------------------------------------------------------ elements
  const SVG = "http://www.w3.org/2000/svg";
  const made = (space) => (tag, attributes = {}, ...children) => {
    const node = space ? document.createElementNS(space, tag) : document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
    node.append(...children);
    return node;
  };
  const html = made(null);
  const svg = made(SVG);

  // ------------------------------------------------------------------ logarithmic axes
  const HEIGHT = 300;
  const MARGIN = { left: 52, right: 14, top: 12, bottom: 42 };
  let number = 0;

  const chart = (parent, x, y) => {
    const id = `play-chart-${parent.closest(".play").id}-${number++}`;
    const title = svg("title", { id: `${id}-title` });
    const desc = svg("desc", { id: `${id}-desc` });
    const view = svg("svg", { role: "img", "aria-labelledby": `${id}-title ${id}-desc` });
    const body = svg("g");
    view.append(title, desc, body);
    parent.append(view);
    return ({ lines, range, marker, level, told }) => {
      const width = Math.max(260, parent.clientWidth);
      view.setAttribute("viewBox", `0 0 ${width} ${HEIGHT}`);
      title.textContent = `${y} against ${x}, both axes logarithmic`;
      desc.textContent = told;
      body.replaceChildren();
      const shown = lines.flatMap((line) => line.points).filter(([, v]) => v > 0 && v < Infinity);
      const heights = shown.map(([, v]) => Math.log10(v));
      if (level) heights.push(Math.log10(level));
      let [low, high] = [Math.min(...heights), Math.max(...heights)];
      if (!(high - low > 1)) [low, high] = [(low + high - 1) / 2, (low + high + 1) / 2];
      [low, high] = [low - 0.04 * (high - low), high + 0.04 * (high - low)];
      const [first, last] = range.map(Math.log10);
      const right = width - MARGIN.right;
      const bottom = HEIGHT - MARGIN.bottom;
      const X = (v) => MARGIN.left + ((Math.log10(v) - first) / (last - first)) * (right - MARGIN.left);
      const Y = (v) => bottom - ((Math.log10(v) - low) / (high - low)) * (bottom - MARGIN.top);
      const ticks = (from, to, room, put) => {
        const step = Math.max(1, Math.ceil((to - from) / room));
        for (let k = Math.ceil(from / step) * step; k <= to; k += step) put(k);
      };
      const text = (content, at, more = {}) => svg("text", { ...at, ...more }, content);
      ticks(low, high, 6, (k) => {
        const h = Y(10 ** k);
        body.append(svg("line", { class: "play-grid", x1: MARGIN.left, x2: right, y1: h, y2: h }));
        body.append(text(power(k), { x: MARGIN.left - 6, y: h + 4, "text-anchor": "end" }));
      });
      ticks(first, last, width < 480 ? 5 : 10, (k) => {
        const v = X(10 ** k);
        body.append(svg("line", { class: "play-grid", x1: v, x2: v, y1: MARGIN.top, y2: bottom }));
        body.append(text(power(k), { x: v, y: bottom + 16, "text-anchor": "middle" }));
      });
      body.append(text(x, { x: (MARGIN.left + right) / 2, y: HEIGHT - 8, "text-anchor": "middle" }));
      for (const { points, mark, dash } of lines) {
        let path = "";
        let pen = "M";
        for (const [u, v] of points) {
          if (v > 0 && v < Infinity) {
            path += `${pen}${X(u).toFixed(1)} ${Y(v).toFixed(1)}`;
            pen = "L";
          } else pen = "M";
        }
        const more = dash ? { "stroke-dasharray": dash } : {};
        if (path) body.append(svg("path", { class: `play-line play-c${mark}`, d: path, ...more }));
      }
      if (level) {
        const h = Y(level);
        body.append(svg("line", { class: "play-level", x1: MARGIN.left, x2: right, y1: h, y2: h }));
      }
      for (const { at, mark, value } of marker.dots) {
        if (value > 0 && value < Infinity)
          body.append(svg("circle", { class: `play-dot play-c${mark}`, cx: X(at), cy: Y(value), r: 4 }));
      }
      if (marker.at) {
        const v = X(marker.at);
        body.append(svg("line", { class: "play-level", x1: v, x2: v, y1: MARGIN.top, y2: bottom }));
      }
    };
  };

  const key = (entries) => {
    const list = html("ul", { class: "play-key" });
    for (const { mark, dash, label } of entries) {
      const more = dash ? { "stroke-dasharray": dash } : {};
      const line = svg("line", { class: `play-line play-c${mark}`, x1: 0, x2: 26, y1: 6, y2: 6, ...more });
      const swatch = svg("svg", { viewBox: "0 0 26 12", "aria-hidden": "true" }, line);
      list.append(html("li", {}, swatch, label));
    }
    return list;
  };

  // Values of x from one to another, evenly on the logarithmic axis.
  const spread = (from, to, count = 181) => {
    const [first, last] = [Math.log10(from), Math.log10(to)];
    return Array.from({ length: count }, (_, k) => 10 ** (first + ((last - first) * k) / (count - 1)));
  };

  // ------------------------------------------------------------------ clusters
  const shape = (graph, p) => graph.shapes[graph.keys.map((name) => p[name]).join(",")];
  const clusters = (parent) => {
    const id = `play-graph-${parent.closest(".play").id}`;
    const title = svg("title", { id: `${id}-title` }, "Clusters and the sparse edges between them");
    const desc = svg("desc", { id: `${id}-desc` });
    const view = svg("svg", {
      role: "img", "aria-labelledby": `${id}-title ${id}-desc`, viewBox: "-150 -126 300 252", class: "play-graph",
    });
    const body = svg("g");
    view.append(title, desc, body);
    const caption = html("figcaption");
    parent.append(html("figure", {}, view, caption));
    return (graph, graphs, p) => {
      const [count, list, start, , target] = shape(graph, p);
      const flat = graphs[list];
      const edges = [];
      for (let k = 0; k < flat.length; k += 4) edges.push(flat.slice(k, k + 4));
      const near = Array.from({ length: count }, () => new Set());
      for (const [k, , l] of edges) near[k].add(l).size, near[l].add(k);
      const joins = near.reduce((sum, set) => sum + set.size, 0) / 2;
      const hub = count > 2 && joins === count - 1 ? near.findIndex((set) => set.size === count - 1) : -1;
      const open = joins === count - 1 && hub < 0 && count > 2; // a path leaves a gap in the circle
      const slots = count - (hub < 0 ? 0 : 1) + (open ? 1 : 0);
      let slot = 0;
      const place = near.map((_, k) => {
        if (k === hub) return [0, 0];
        const turn = (2 * Math.PI * slot++) / slots - Math.PI / 2;
        return [84 * Math.cos(turn), 84 * Math.sin(turn)];
      });
      const apart = 2 * 84 * Math.sin(Math.PI / Math.max(2, slots));
      const radius = Math.min(24, 0.4 * apart);
      // With two sizes of clusters, the first of them have the first.
      const size = (k) =>
        !graph.sizes.length ? 0 : p[graph.sizes[graph.sizes.length > 1 && k >= p[graph.counts[0]] ? 1 : 0]];
      const spot = (k, i) => {
        const [x, y] = place[k];
        const turn = Math.atan2(-y, -x) + (2 * Math.PI * i) / Math.max(size(k), 2);
        return [x + 0.74 * radius * Math.cos(turn), y + 0.74 * radius * Math.sin(turn)];
      };
      body.replaceChildren();
      const both = new Set(edges.map(String));
      const strength = (0.2 + 0.8 * (1 + Math.log10(p.epsilon) / 9)).toFixed(2);
      for (const [k, i, l, j] of edges) {
        const back = both.has(String([l, j, k, i]));
        if (back && k > l) continue;
        const [[x1, y1], [x2, y2]] = [spot(k, i), spot(l, j)];
        body.append(svg("line", { class: "play-edge", x1, y1, x2, y2, "stroke-opacity": strength }));
        if (!back) {
          const turn = Math.atan2(y2 - y1, x2 - x1);
          const tip = (side) => `${x2 - 6 * Math.cos(turn + side)},${y2 - 6 * Math.sin(turn + side)}`;
          const points = `${x2},${y2} ${tip(0.4)} ${tip(-0.4)}`;
          body.append(svg("polygon", { class: "play-tip", points, "fill-opacity": strength }));
        }
      }
      place.forEach(([x, y], k) => {
        const role = k === start ? " play-start" : k === target ? " play-target" : "";
        body.prepend(svg("circle", { class: `play-cluster${role}`, cx: x, cy: y, r: radius }));
        if (size(k) && (2 * Math.PI * 0.74 * radius) / size(k) > 3)
          for (let i = 0; i < size(k); i++) {
            const [cx, cy] = spot(k, i);
            body.append(svg("circle", { class: "play-state", cx, cy, r: 1.4 }));
          }
        if (role) {
          const [u, v] = k === hub ? [0, -1] : [x / 84, y / 84];
          const at = {
            x: x + u * (radius + 5),
            y: y + v * (radius + 9) + 4,
            "text-anchor": u > 0.2 ? "start" : u < -0.2 ? "end" : "middle",
          };
          body.append(svg("text", at, k === start ? "start" : "target"));
        }
      });
      const told = `${count} clusters, ${edges.length} sparse edges`;
      caption.textContent = `${told}; a stronger line is a likelier edge.`;
      const ends = `The start is in cluster ${start}, the target in cluster ${target}.`;
      desc.textContent = start === undefined ? `${told}.` : `${told}. ${ends}`;
    };
  };

  // ------------------------------------------------------------------ controls
  const mount = (root, data) => {
    const select = root.querySelector("select");
    const controls = root.querySelector(".play-controls");
    const value = root.querySelector(".play-value");
    const p = {};
    const extra = kinds[data.kind].sliders || [];
    let sliders = [];

    const refresh = () => {
      const family = data.families[select.value];
      for (const one of sliders) one.settle(family);
      for (const formula of root.querySelectorAll(".play-formula"))
        formula.classList.toggle("play-chosen", formula.dataset.family === select.value);
      value.replaceChildren(...show(family, select.value, p));
    };

    const show = kinds[data.kind].show(root, data, refresh);

    const slider = (one) => {
      const id = `${root.id}-${one.name}`;
      const label = html("label", { for: id });
      label.innerHTML = one.label;
      if (one.meaning) label.append(html("span", { class: "play-meaning" }, ` ${one.meaning}`));
      const input = html("input", { type: "range", id });
      const output = html("output", { for: id });
      if (!one.integer) {
        input.min = one.low;
        input.max = one.high;
        input.step = one.step;
        input.value = p[one.name] ? Math.log10(p[one.name]) : one.start;
      } else {
        input.step = 1;
        input.max = 1e6; // until the facts are known
        input.value = p[one.name] ?? one.start;
      }
      const settle = () => {
        if (one.integer) {
          input.min = one.low(p);
          input.max = Math.max(one.low(p), one.high(p));
        }
        p[one.name] = one.integer ? Number(input.value) : rounded(Number(input.value));
        const told = one.integer ? String(p[one.name]) : short(p[one.name]);
        output.textContent = told;
        input.setAttribute("aria-valuetext", told);
      };
      input.addEventListener("input", refresh);
      controls.append(html("div", { class: "play-field play-slider" }, label, input, output));
      return { settle };
    };

    const choose = () => {
      for (const old of controls.querySelectorAll(".play-slider")) old.remove();
      const family = data.families[select.value];
      sliders = [...family.parameters, ...extra].map(slider);
      refresh();
    };
    select.addEventListener("change", choose);
    let width = root.clientWidth;
    new ResizeObserver(() => {
      if (root.clientWidth !== width) {
        width = root.clientWidth;
        refresh();
      }
    }).observe(root);
    choose();
  };

  const line = (name, x, more = "", digits = 6) => {
    const number = html("span", { class: "play-number", "data-name": name, "data-value": String(x) });
    number.textContent = digits > 4 ? scientific(x, digits) : plain(x, digits);
    return [number, more];
  };
  const T_A = () => html("span", {}, html("i", {}, "T"), html("sub", {}, "A"));
  const tau = () => html("span", {}, "𝔼[", html("i", {}, "τ"), "]");
  const row = (label, ...parts) => html("p", {}, html("span", { class: "play-what" }, label), ...parts);
  const table = (head, rows) => {
    const cells = (tag, list) => html("tr", {}, ...list.map((x, k) => html(tag, k ? {} : { scope: tag === "th" ? "col" : "row" }, x)));
    const body = html("tbody", {}, ...rows.map((list) => cells("td", list)));
    return html("div", { class: "play-table" }, html("table", {}, html("thead", {}, cells("th", head)), body));
  };
  const EPSILON = [1e-9, 0.95];
  // Curves turn near 1, where the logarithmic axis has few points.
  const epsilons = [...spread(EPSILON[0], 0.4), ...Array.from({ length: 56 }, (_, k) => 0.4 + 0.01 * k)];

  // ------------------------------------------------------------------ the three playgrounds
  const hittingTime = (root, data) => {
    const figures = root.querySelector(".play-figures");
    const graph = clusters(root.querySelector(".play-side"));
    const draw = chart(figures, "ε", "Mean hitting time and its bounds");
    figures.append(key([
      { mark: 0, label: "mean hitting time" },
      { mark: 1, dash: "6 3", label: html("span", {}, "upper bound c₂ ", T_A()) },
      { mark: 2, dash: "2 3", label: html("span", {}, "lower bound c₁ ", T_A()) },
    ]));
    return (family, name, p) => {
      const inside = family.bounds.holds(p);
      const at = (f, needs) => (epsilon) => {
        const q = { ...p, epsilon };
        return [epsilon, needs && !family.bounds.holds(q) ? NaN : f(q)];
      };
      const time = family.time(p);
      const [low, high] = [family.lower(p), family.upper(p)];
      const dots = [{ at: p.epsilon, value: time, mark: 0 }];
      if (inside) dots.push({ at: p.epsilon, value: low, mark: 2 }, { at: p.epsilon, value: high, mark: 1 });
      const axis = epsilons;
      draw({
        lines: [
          { points: axis.map(at(family.upper, true)), mark: 1, dash: "6 3" },
          { points: axis.map(at(family.lower, true)), mark: 2, dash: "2 3" },
          { points: axis.map(at(family.time, false)), mark: 0 },
        ],
        range: EPSILON,
        marker: { dots },
        told: `At ε = ${short(p.epsilon)} the mean hitting time is ${scientific(time)} steps.`,
      });
      graph(family.graph, data.graphs, p);
      const meta = family.aggregated(p);
      const point = family.parameters.map((one) => `${one.name}=${p[one.name]}`).join(",");
      const out = [
        row("", tau(), " = ", ...line("time", time, " steps")),
        row("", T_A(), " = ", ...line("aggregated", meta), ", ", tau(), "/", T_A(), " = ", ...line("ratio", time / meta, "", 4)),
      ];
      out.push(
        inside
          ? row("bounds: ", ...line("lower", low), " ≤ ", tau(), " ≤ ", ...line("upper", high))
          : row(`The bounds are claimed where ${family.bounds.facts}: not here.`)
      );
      const [, , k, i, l, j] = shape(family.graph, p);
      const says = i === null || j === null ? family.says : `From state ${i} of cluster ${k} to state ${j} of cluster ${l}.`;
      out.push(html("p", { class: "play-note" }, `${says} `, html("code", {}, family.command + point)));
      return out;
    };
  };

  const budget = (root, data) => {
    const figures = root.querySelector(".play-figures");
    const graph = clusters(root.querySelector(".play-side"));
    const draw = chart(figures, "queries", "Generated steps in all");
    const NAMES = { none: "no search", search: "search", rl: "reinforcement learning", distillation: "distillation" };
    const MARKS = { none: [0, ""], search: [1, "8 3"], rl: [2, "2 3"], distillation: [3, "8 3 2 3"] };
    figures.append(key(Object.entries(NAMES).map(([way, label]) => ({ mark: MARKS[way][0], dash: MARKS[way][1], label }))));
    const range = [1, 1e9];
    return (family, name, p) => {
      const asked = p.epsilon_max;
      p.epsilon_max = Math.max(p.epsilon, p.epsilon_max);
      const { plan: found, ways: all, mass } = ways(data, family, p);
      const answers = (way) => Math.max(0, Math.floor((p.budget - way.training) / way.query));
      const best = all.reduce((a, b) => (answers(b) > answers(a) ? b : a));
      const axis = spread(...range, 121);
      draw({
        lines: all.map((way) => ({
          points: axis.map((queries) => [queries, way.training + queries * way.query]),
          mark: MARKS[way.name][0],
          dash: MARKS[way.name][1],
        })),
        range,
        level: p.budget,
        marker: {
          dots: all
            .map((way) => ({ at: (p.budget - way.training) / way.query, value: p.budget, mark: MARKS[way.name][0] }))
            .filter((dot) => dot.at >= range[0] && dot.at <= range[1]),
        },
        told: `With ${short(p.budget)} steps, ${NAMES[best.name]} answers most queries, ${scientific(answers(best), 3)}.`,
      });
      graph(family.graph, data.graphs, p);
      const none = all[0];
      const cell = (way, what, x, digits) => (x === null ? "never" : line(`${way.name}-${what}`, x, "", digits)[0]);
      const rows = all.map((way) => [
        NAMES[way.name],
        cell(way, "training", way.training, 4),
        cell(way, "query", way.query, 4),
        way === none ? "" : cell(way, "pays", breakEven(none, way), 3),
        cell(way, "answers", answers(way), 3),
      ]);
      const out = [
        row(
          `With ${short(p.budget)} steps, ${NAMES[best.name]} answers most: `,
          ...line("most", answers(best), " queries.", 3)
        ),
        table(["way", "steps once", "steps a query", "pays from query", "answers"], rows),
      ];
      const notes = [];
      if (p.epsilon_max !== asked) notes.push(`ε_max is at least ε: taken as ${short(p.epsilon_max)}.`);
      if (found)
        notes.push(
          `The search: ${found.rounds} rounds of ${found.rollouts} rollouts, T₀ = ${found.T_0}, ` +
            `at most ${scientific(found.T_max, 4)} steps each. PPO ends at the mass ${scientific(mass, 4)}.`
        );
      else notes.push("Rollouts leave a cluster before it is seen: no search is planned at this ε.");
      if (!family.labelSteps) notes.push("Distillation has no closed form on this family.");
      out.push(html("p", { class: "play-note" }, notes.join(" ")));
      return out;
    };
  };

  const gap = (root, data, refresh) => {
    const figures = root.querySelector(".play-figures");
    const graph = clusters(root.querySelector(".play-side"));
    const draw = chart(figures, "ε", "The spectral gap and bounds of it");
    const legend = html("div", { class: "play-choices" });
    figures.append(legend);
    const drawFactors = chart(figures, "ε", "By which factor the bounds miss");
    const chosen = new Set([
      "canonical-paths-by-resistance-lower", "cheeger-lower", "cheeger-cut-upper",
      "state-decomposition-sharp-lower", "projection-restriction-sharp-lower",
    ]);
    const DASHES = ["8 3", "2 3", "8 3 2 3", "12 4", "4 2", "1 3", "6 2 1 2", "10 2 2 2", "3 5", "14 3"];
    return (family, name, p) => {
      const q = { ...p, g: family.walk(p) };
      graph(family.graph, data.graphs, p);
      const truth = family.gap(q);
      const factor = (bound, value, of) => (bound.side === "lower" ? of / value : value / of);
      const axis = epsilons;
      const places = axis.map((epsilon) => ({ ...q, epsilon }));
      const marked = family.bounds.map((bound, n) => ({ ...bound, mark: 1 + (n % 8), dash: DASHES[n % DASHES.length] }));
      const shown = marked.filter((bound) => chosen.has(bound.id));
      const curve = (f, where) => places.map((r) => [r.epsilon, where(r) ? f(r) : NaN]);
      const lines = shown.flatMap((bound) =>
        bound.ends.map((f) => ({ points: curve(f, bound.holds), mark: bound.mark, dash: bound.dash }))
      );
      const truths = { points: curve(family.gap, () => true), mark: 0 };
      draw({
        lines: [...lines, truths],
        range: EPSILON,
        marker: { dots: [{ at: p.epsilon, value: truth, mark: 0 }] },
        told: `At ε = ${short(p.epsilon)} the gap is ${scientific(truth)}.`,
      });
      const factors = shown.flatMap((bound) =>
        bound.ends.map((f) => ({
          points: curve((r) => Math.max(1, factor(bound, f(r), family.gap(r))), bound.holds),
          mark: bound.mark,
          dash: bound.dash,
        }))
      );
      drawFactors({
        lines: factors.length ? factors : [{ points: axis.map((x) => [x, 1]), mark: 0 }],
        range: EPSILON,
        marker: { dots: [], at: p.epsilon },
        told: `The factors at ε = ${short(p.epsilon)} stand in the table.`,
      });
      if (legend.dataset.family !== name) {
        legend.dataset.family = name;
        legend.replaceChildren(html("p", { class: "play-what" }, "theorems to draw:"));
        for (const bound of marked) {
          const id = `${root.id}-${bound.id}`;
          const box = html("input", { type: "checkbox", id });
          box.checked = chosen.has(bound.id);
          box.addEventListener("change", () => {
            if (box.checked) chosen.add(bound.id);
            else chosen.delete(bound.id);
            refresh();
          });
          const swatch = key([{ mark: bound.mark, dash: bound.dash, label: "" }]).querySelector("svg");
          legend.append(html("div", {}, box, html("label", { for: id }, swatch, `${bound.title}, ${bound.side} bound`)));
        }
      }
      const out = [
        row("1 − λ₂ = ", ...line("gap", truth)),
        family.proved.holds(p)
          ? row("proved for all sizes: ", ...line("lower", family.lower(p)), " ≤ 1 − λ₂ ≤ ", ...line("upper", family.upper(p)))
          : row(`The proved bounds are claimed where ${family.proved.facts}: not here.`),
        row("metastability ratio: ", ...line("metastability", family.ratio(p))),
      ];
      const cells = marked.map((bound) => {
        if (!bound.holds(p)) return [bound.title, bound.side, `needs ${bound.facts}`, ""];
        const values = bound.ends.map((f, k) => line(`${bound.id}-${k}`, f(q), "", 4)[0]);
        const missed = bound.ends.map((f) => Math.max(1, factor(bound, f(q), truth)));
        missed.sort((a, b) => a - b);
        const ends = missed.map((x, k) => line(`${bound.id}-factor-${k}`, x, "", 4)[0]);
        const joined = (list) => html("span", {}, ...list.flatMap((x, k) => (k ? [" to ", x] : [x])));
        return [bound.title, bound.side, joined(values), joined(ends)];
      });
      out.push(table(["theorem", "side", "bound", "misses by"], cells));
      return out;
    };
  };

  const STEPS = { integer: false, low: 3, high: 15, step: 0.05, start: 10 };
  const kinds = {
    hittingTime: { show: hittingTime },
    budget: {
      show: budget,
      sliders: [
        { name: "epsilon_max", label: "<i>ε</i><sub>max</sub>", meaning: "mass after lifting", integer: false, low: -6, high: -0.3, step: 0.02, start: -1.9 },
        { name: "budget", label: "budget", meaning: "generated steps in all", ...STEPS },
      ],
    },
    gap: { show: gap },
  };

  return { mount, plan, ways, lifted, breakEven, scientific };
})();
