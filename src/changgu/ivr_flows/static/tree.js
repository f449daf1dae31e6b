// The menu tree drawn: columns from left to right as callers go, a box for each node, darker where more callers come.

const WIDTH = 208, HEIGHT = 74, ACROSS = 58, DOWN = 14, EDGE = 14;
const SVG = "http://www.w3.org/2000/svg";

function make(name, attributes = {}, ...children) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
}

function cut(text, length) {
  let room = length;
  let kept = "";
  for (const sign of text) {
    room -= sign.charCodeAt(0) > 0x2e80 ? 1.75 : 1; // Hangul is nearly two letters wide
    if (room < 0) return `${kept}…`;
    kept += sign;
  }
  return kept;
}

/**
 * Draw `tree` (as `GET …/draft` gives it) into `place`. `figures` by node; `words` as on the page; `choose(name)` when
 * a node is clicked or Enter is pressed on it.
 */
export function drawTree(place, tree, figures, words, chosen, lang, choose) {
  const left = (node) => EDGE + node.column * (WIDTH + ACROSS);
  const top = (node) => EDGE + node.row * (HEIGHT + DOWN);
  const width = EDGE * 2 + tree.columns * WIDTH + Math.max(0, tree.columns - 1) * ACROSS;
  const height = EDGE * 2 + tree.rows * (HEIGHT + DOWN);
  const most = Math.max(1, ...tree.nodes.map(({ name }) => figures[name]?.entered ?? 0));
  const nodes = Object.fromEntries(tree.nodes.map((node) => [node.name, node]));
  const svg = make("svg", { width, height, viewBox: `0 0 ${width} ${height}`, role: "list", "aria-label": tree.flow });
  const lines = make("g", { class: "fl-lines", "aria-hidden": "true" });
  const boxes = make("g");
  for (const node of tree.nodes) {
    const trunk = new Map();
    for (const way of node.ways) {
      const target = nodes[way.to];
      if (!target) continue;
      const along = way.along || node.ways.some((other) => other.to === way.to && other.along);
      if (!along) continue;
      trunk.set(way.to, [...(trunk.get(way.to) ?? []), way.way]);
    }
    for (const [to, ways] of trunk) {
      const x1 = left(node) + WIDTH, y1 = top(node) + HEIGHT / 2;
      const x2 = left(nodes[to]), y2 = top(nodes[to]) + HEIGHT / 2;
      const middle = x1 + 14;
      lines.append(make("path", { d: `M${x1} ${y1}H${middle}V${y2}H${x2}` }));
      const label = make("text", { x: x2 - 6, y: y2 - 6, "text-anchor": "end" });
      label.textContent = ways.join(" ");
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
    const box = make("rect", { width: WIDTH, height: HEIGHT, rx: 6, class: "fl-box" });
    const heat = make("rect", { width: WIDTH, height: HEIGHT, rx: 6, class: "fl-heat", "fill-opacity": (share * 0.42).toFixed(3) });
    const name = make("text", { x: 10, y: 20, class: "fl-name" });
    name.textContent = cut(node.name, 18);
    const kind = make("text", { x: WIDTH - 10, y: 20, class: "fl-kind", "text-anchor": "end" });
    kind.textContent = cut(node.kind + (node.problems ? ` ⚠${node.problems}` : ""), 16);
    const says = make("text", { x: 10, y: 40, class: "fl-says" });
    says.textContent = cut(node.says[lang] || node.says.ko || "", 29);
    const others = node.ways.filter((way) => !way.along && nodes[way.to] && !node.ways.some((other) => other.to === way.to && other.along));
    const count = make("text", { x: 10, y: 60, class: "fl-count" });
    count.textContent = own
      ? `${words.entered} ${own.entered} · ${words.hung_up_here} ${own.hung_up}${own.failed ? ` · ${words.failed_here} ${own.failed}` : ""}`
      : node.astray ? words.astray : others.length ? cut(others.map((way) => `${way.way}→${way.to}`).join("  "), 34) : "";
    group.append(box, heat, name, kind, says, count);
    const whole = make("title");
    whole.textContent = [
      `${node.name} (${node.kind})`,
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
