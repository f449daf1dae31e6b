// The menu tree drawn: columns from left to right as callers go, a box for each node, darker where more callers come.

const HEIGHT = 74, DOWN = 14, EDGE = 14;
const NARROWEST = 208, WIDEST = 340, SIDE = 10; // a box, and what is free left and right of its texts
const NEAREST = 58, FARTHEST = 190, TRUNK = 14, BESIDE = 6; // between columns; lines part after TRUNK, labels end BESIDE the box
const SVG = "http://www.w3.org/2000/svg";

function make(name, attributes = {}, ...children) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
}

/** Measures texts as this page draws them in `place`, by the class that they have there; `""` is a way's label. */
function ruler(place) {
  const probes = Object.fromEntries(["", "fl-name", "fl-kind", "fl-says", "fl-count"].map((name) => [name, make("text", { class: name })]));
  const { "": label, ...rest } = probes;
  const trial = make("svg", { width: 0, height: 0 }, make("g", { class: "fl-lines" }, label), make("g", { class: "fl-node", "data-problems": "1" }, ...Object.values(rest)));
  place.append(trial);
  const fonts = Object.fromEntries(Object.entries(probes).map(([name, probe]) => {
    const style = getComputedStyle(probe);
    return [name, `${style.fontWeight} ${style.fontSize} ${style.fontFamily}`];
  }));
  trial.remove();
  const pen = document.createElement("canvas").getContext("2d");
  const width = (text, name) => {
    pen.font = fonts[name];
    return Math.ceil(pen.measureText(text).width) + 1;
  };
  /** As much of the text as fits into `room` pixels, with … where something is left out. */
  const cut = (text, name, room) => {
    if (width(text, name) <= room) return text;
    const signs = [...text];
    let [fits, long] = [0, signs.length];
    while (long - fits > 1) {
      const half = (fits + long) >> 1;
      if (width(`${signs.slice(0, half).join("")}…`, name) <= room) fits = half;
      else long = half;
    }
    return `${signs.slice(0, fits).join("").trimEnd()}…`;
  };
  return { width, cut };
}

/** A way in the words of the form; a key is itself. */
const wordOf = (node, way, kinds, lang) => kinds[node.kind]?.fields.find(({ name }) => name === way.way)?.label[lang] ?? way.way;

/** What stands in a node's box, whole: `heading` is name and kind in one line, the others have one each. */
function textsOf(node, nodes, own, words, kinds, lang) {
  const others = node.ways.filter((way) => !way.along && nodes[way.to] && !node.ways.some((other) => other.to === way.to && other.along));
  return {
    name: node.name,
    kind: (kinds[node.kind]?.label[lang] ?? node.kind) + (node.problems ? ` ⚠${node.problems}` : ""),
    says: node.says[lang] || node.says.ko || "",
    count: own
      ? `${words.entered} ${own.entered} · ${words.hung_up_here} ${own.hung_up}${own.failed ? ` · ${words.failed_here} ${own.failed}` : ""}`
      : node.astray ? words.astray : others.map((way) => `${wordOf(node, way, kinds, lang)}→${way.to}`).join("  "),
  };
}

/** Node → label of the way to it, for the ways by which nodes are drawn. */
function trunks(node, nodes, kinds, lang) {
  const trunk = new Map();
  for (const way of node.ways) {
    if (!nodes[way.to] || !(way.along || node.ways.some((other) => other.to === way.to && other.along))) continue;
    const word = wordOf(node, way, kinds, lang);
    trunk.set(way.to, trunk.has(way.to) ? `${trunk.get(way.to)} ${word}` : word);
  }
  return trunk;
}

const between = (least, value, most) => Math.min(most, Math.max(least, value));

/** Columns as wide as the names in them need, and as far apart as the labels between them: `left` and `wide` by column. */
function columnsOf(tree, texts, trunk, measure) {
  const wide = Array(tree.columns).fill(NARROWEST);
  const apart = Array(tree.columns).fill(NEAREST);
  for (const node of tree.nodes) {
    const { name, kind, count } = texts[node.name];
    const needed = Math.max(measure.width(name, "fl-name") + 12 + measure.width(kind, "fl-kind"), measure.width(count, "fl-count"));
    wide[node.column] = between(wide[node.column], needed + 2 * SIDE, WIDEST);
    for (const label of trunk[node.name].values()) {
      apart[node.column] = between(apart[node.column], TRUNK + BESIDE + measure.width(label, "") + BESIDE, FARTHEST);
    }
  }
  const left = [EDGE];
  for (let column = 0; column < tree.columns; column += 1) left.push(left[column] + wide[column] + apart[column]);
  return { left, wide, apart };
}

/**
 * Draw `tree` (as `GET …/draft` gives it) into `place`. `figures` by node; `words` and `kinds` as on the page;
 * `choose(name)` when a node is clicked or Enter is pressed on it.
 */
export function drawTree(place, tree, figures, words, kinds, chosen, lang, choose) {
  const measure = ruler(place);
  const top = (node) => EDGE + node.row * (HEIGHT + DOWN);
  const height = EDGE * 2 + tree.rows * (HEIGHT + DOWN);
  const most = Math.max(1, ...tree.nodes.map(({ name }) => figures[name]?.entered ?? 0));
  const nodes = Object.fromEntries(tree.nodes.map((node) => [node.name, node]));
  const texts = Object.fromEntries(tree.nodes.map((node) => [node.name, textsOf(node, nodes, figures[node.name], words, kinds, lang)]));
  const trunk = Object.fromEntries(tree.nodes.map((node) => [node.name, trunks(node, nodes, kinds, lang)]));
  const columns = columnsOf(tree, texts, trunk, measure);
  const left = (node) => columns.left[node.column];
  const last = Math.max(0, tree.columns - 1);
  const width = (tree.columns ? columns.left[last] + columns.wide[last] : EDGE) + EDGE;
  const svg = make("svg", { width, height, viewBox: `0 0 ${width} ${height}`, role: "list", "aria-label": tree.flow });
  const lines = make("g", { class: "fl-lines", "aria-hidden": "true" });
  const boxes = make("g");
  for (const node of tree.nodes) {
    for (const [to, ways] of trunk[node.name]) {
      const x1 = left(node) + columns.wide[node.column], y1 = top(node) + HEIGHT / 2;
      const x2 = left(nodes[to]), y2 = top(nodes[to]) + HEIGHT / 2;
      lines.append(make("path", { d: `M${x1} ${y1}H${x1 + TRUNK}V${y2}H${x2}` }));
      const label = make("text", { x: x2 - BESIDE, y: y2 - 6, "text-anchor": "end" });
      label.append(measure.cut(ways, "", columns.apart[node.column] - TRUNK - 2 * BESIDE), make("title", {}, `${node.name}: ${ways} → ${to}`));
      lines.append(label);
    }
  }
  for (const node of tree.nodes) {
    const own = figures[node.name];
    const share = (own?.entered ?? 0) / most;
    const group = make("g", {
      class: "fl-node", role: "listitem", tabindex: "0", "data-node": node.name, "data-problems": String(node.problems),
      "data-chosen": String(node.name === chosen), transform: `translate(${left(node)} ${top(node)})`,
    });
    const wide = columns.wide[node.column];
    const room = wide - 2 * SIDE;
    const { name, kind, says, count } = texts[node.name];
    const isOf = measure.cut(kind, "fl-kind", room * 0.6);
    group.append(
      make("rect", { width: wide, height: HEIGHT, rx: 6, class: "fl-box" }),
      make("rect", { width: wide, height: HEIGHT, rx: 6, class: "fl-heat", "fill-opacity": (share * 0.42).toFixed(3) }),
      make("text", { x: SIDE, y: 20, class: "fl-name" }, measure.cut(name, "fl-name", room - 12 - measure.width(isOf, "fl-kind"))),
      make("text", { x: wide - SIDE, y: 20, class: "fl-kind", "text-anchor": "end" }, isOf),
      make("text", { x: SIDE, y: 40, class: "fl-says" }, measure.cut(says, "fl-says", room)),
      make("text", { x: SIDE, y: 60, class: "fl-count" }, measure.cut(count, "fl-count", room)),
    );
    const whole = make("title");
    whole.textContent = [
      `${node.name} (${kinds[node.kind]?.label[lang] ?? node.kind})`,
      node.says[lang],
      ...(own ? [`${words.entered} ${own.entered}, ${words.left} ${own.left}, ${words.hung_up_here} ${own.hung_up}, ${words.failed_here} ${own.failed}`] : []),
      ...node.ways.map((way) => `${way.way} → ${way.to}`),
    ].filter(Boolean).join("\n");
    group.prepend(whole);
    group.setAttribute("aria-label", whole.textContent.replaceAll("\n", ". "));
    group.addEventListener("click", () => choose(node.name));
    group.addEventListener("keydown", (event) => {
      if (event.key === "Enter" || event.key === " ") {
        event.preventDefault();
        choose(node.name);
      }
    });
    boxes.append(group);
  }
  svg.append(lines, boxes);
  place.replaceChildren(svg);
}
