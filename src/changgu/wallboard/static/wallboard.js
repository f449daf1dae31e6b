// The wallboard: big figures, every queue, every agent; readable from across the room.

import { clock, el } from "/static/api.js";
import { BoardLine } from "/static/wallboard/board.js";
import { drawEmergency } from "/static/wallboard/emergency.js";
import { QueueTable, definition, drawAlerts, drawHeads, figure, fill, level, showLine, small, stateWord, tiles, words, write, zone } from "/static/wallboard/figures.js";

const $ = (id) => document.getElementById(id);
const ROOMY = 30; // agents that fit on a wall in large letters
const ORDER = ["talking", "hold", "reserved", "wrap_up", "ready", "not_ready", "unreachable"];

const big = tiles.map((tile) => addTile($("tiles"), "wb-tile", tile));
const little = small.map((tile) => addTile($("small"), "wb-little", tile));
const queueTable = new QueueTable($("queue-head"), $("queues"));
const cards = new Map();

const line = new BoardLine({ onChange: () => requestDraw(), onLine: (state) => showLine($("status"), state) });
let asked = false;

function requestDraw() {
  if (asked) return;
  asked = true;
  requestAnimationFrame(() => {
    asked = false;
    draw();
  });
}

setInterval(() => line.totals && document.body.classList.contains("is-stale") === false && draw(), 1000);
setInterval(tick, 1000);
tick();

$("full").addEventListener("click", () => (document.fullscreenElement ? document.exitFullscreen() : document.documentElement.requestFullscreen()));

function addTile(parent, kind, tile) {
  const number = el("b");
  const word = el("em");
  const node = el("div", { class: kind }, definition(tile), number, word);
  parent.append(node);
  return { tile, node, number, word };
}

function draw() {
  const now = line.now();
  const totals = line.totals;
  for (const { tile, node, number, word } of [...big, ...little]) {
    const value = totals[tile.figure];
    const how = level(tile, value, now);
    node.dataset.level = how;
    write(number, figure(tile.unit, value, now));
    write(word, how ? words[how] : "");
  }
  queueTable.draw(line.queues, totals, now);
  drawEmergency($("emergency"), totals.emergency, line.agents, now);
  drawHeads($("heads"), totals);
  drawAlerts($("alerts"), totals, line.agents, now);
  drawAgents(now);
  write($("day"), fill(words.day, { day: totals.day }));
}

function drawAgents(now) {
  const shown = Object.entries(line.agents).filter(([, agent]) => agent.state !== "logged_out");
  shown.sort(([, a], [, b]) => ORDER.indexOf(a.state) - ORDER.indexOf(b.state) || (a.reason ?? "").localeCompare(b.reason ?? "") || a.since.localeCompare(b.since));
  const present = new Set(shown.map(([login]) => login));
  for (const [login, card] of cards) {
    if (!present.has(login)) {
      card.remove();
      cards.delete(login);
    }
  }
  shown.forEach(([login, agent], place) => {
    let card = cards.get(login);
    if (!card) {
      card = el("li", { class: "wb-agent" }, el("b"), el("time"), el("span", { class: "badge" }), el("small"));
      cards.set(login, card);
    }
    if ($("agents").children[place] !== card) $("agents").insertBefore(card, $("agents").children[place] ?? null);
    const [name, time, state, about] = card.children;
    card.dataset.state = state.dataset.state = agent.state;
    write(name, agent.name);
    write(time, clock((now - Date.parse(agent.since)) / 1000));
    write(state, stateWord(agent.state, agent.reason));
    const next = agent.next_state ? `${words.next}: ${stateWord(agent.next_state, agent.next_reason)}` : "";
    write(about, agent.overdue ? words.overdue : next || (line.queues[agent.call_queue]?.title ?? ""));
    card.classList.toggle("is-overdue", agent.overdue);
  });
  $("agents").classList.toggle("is-dense", shown.length > ROOMY);
  $("nobody").hidden = shown.length > 0;
}

function tick() {
  const now = new Date(line.now());
  write($("clock"), now.toLocaleTimeString(document.documentElement.lang, { hour: "2-digit", minute: "2-digit", hour12: false, timeZone: zone }));
}
