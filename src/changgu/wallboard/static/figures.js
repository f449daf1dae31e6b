// How figures and states are written, the same on the wallboard and on the floor page.

import { clock, el } from "/static/api.js";

const data = JSON.parse(document.getElementById("board-data").textContent);
export const { tiles, small, columns, other_ways: otherWays, seats, choices, words, zone } = data;
const { states, reasons, departures, repairs } = data;
const ALERT_LASTS = 15 * 60_000; // a repair is news for a quarter of an hour

/** "{n}초" with n = 12 */
export const fill = (text, values) => text.replace(/\{(\w+)\}/g, (whole, key) => values[key] ?? whole);

/** A rate with one digit after the point, a time as a clock, a dash where nothing has happened yet. */
export function figure(unit, value, now) {
  if (value === null || value === undefined) return "–";
  if (unit === "rate") return value === 0 || value === 1 ? `${value * 100}%` : `${(value * 100).toFixed(1)}%`;
  if (unit === "seconds") return clock(Math.round(value));
  if (unit === "since") return clock((now - Date.parse(value)) / 1000);
  return String(value);
}

/** "", "warn" or "bad" */
export function level(tile, value, now) {
  if (value === null || value === undefined) return "";
  const number = tile.unit === "since" ? (now - Date.parse(value)) / 1000 : value;
  const past = (limit) => limit !== null && (tile.lower_is_bad ? number < limit : number >= limit);
  return past(tile.bad) ? "bad" : past(tile.warn) ? "warn" : "";
}

/** 휴식 says more than 이석: the reason stands for the state when there is one. */
export function stateWord(state, reason) {
  return state === "not_ready" && reason ? reasons[reason] : states[state];
}

export function seatWord(seat) {
  return states[seat] ?? reasons[seat];
}

/** How many agents are in a state, or out for a reason. */
export const seatCount = (totals, seat) => (seat in states ? totals.states[seat] : (totals.reasons[seat] ?? 0));

export const seatState = (seat) => (seat in states ? seat : "not_ready");

export function definition(tile) {
  return el("button", { type: "button", class: "define", "data-definition": tile.definition }, tile.name);
}

export function badge(state, reason) {
  return el("span", { class: "badge", "data-state": state }, stateWord(state, reason));
}

/** Write only what differs: a wall of numbers redrawn ten times a second must cost nothing. */
export function write(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** Shows how the line is: live, or how old what you see is. */
export function showLine(node, { state, age }) {
  const seconds = Math.floor((age ?? 0) / 1000);
  const old = seconds < 120 ? fill(words.seconds_ago, { n: seconds }) : fill(words.minutes_ago, { n: Math.floor(seconds / 60) });
  node.dataset.stateOfLine = state;
  document.body.classList.toggle("is-stale", state === "stale");
  write(node, state === "stale" ? fill(words.stale, { age: old }) : words[state]);
}

/** The sentence of one alert. */
function alertSentence(alert, name) {
  if (alert.kind === "desk_full") return words.alert_desk_full;
  if (alert.kind === "reason_limit") return fill(words.alert_reason_limit, { name, reason: reasons[alert.what] ?? alert.what });
  return fill(words.alert_repaired, { name, what: repairs[alert.what] ?? alert.what }).trim();
}

/** What somebody should look at: who is away for too long, as long as they are, what was repaired lately, and whether callers are refused. */
export function drawAlerts(list, totals, agents, now) {
  const shown = totals.alerts.filter((alert) => (alert.kind === "reason_limit" ? agents[alert.agent]?.overdue : now - Date.parse(alert.at) < ALERT_LASTS));
  const told = new Set();
  const lines = shown.flatMap((alert) => {
    const name = agents[alert.agent]?.name ?? alert.agent ?? "";
    const what = alertSentence(alert, name);
    if (told.has(what)) return [];
    told.add(what);
    return [what];
  });
  const mark = lines.join("\n");
  if (list.dataset.mark === mark) return;
  list.dataset.mark = mark;
  list.replaceChildren(...lines.slice(0, 4).map((line) => el("li", {}, line)));
}

/** One line for each reason for which callers were led another way or refused, the most frequent first. */
export function drawWhy(body, none, totals) {
  const names = [...new Set([...Object.keys(totals.overflowed), ...Object.keys(totals.refused_by)])];
  const often = (name) => (totals.overflowed[name] ?? 0) + (totals.refused_by[name] ?? 0);
  names.sort((a, b) => often(b) - often(a) || a.localeCompare(b));
  const mark = names.map((name) => `${name} ${totals.overflowed[name]} ${totals.refused_by[name]}`).join();
  if (body.dataset.mark === mark) return;
  body.dataset.mark = mark;
  body.replaceChildren(...names.map((name) => el("tr", {}, el("th", { scope: "row" }, departures[name] ?? name), el("td", { class: "num" }, String(totals.overflowed[name] ?? 0)), el("td", { class: "num" }, String(totals.refused_by[name] ?? 0)))));
  body.closest("table").hidden = names.length === 0;
  none.hidden = names.length > 0;
}

/** The heads by state, all agents together first. */
export function drawHeads(list, totals) {
  if (!list.children.length) {
    list.append(el("li", { class: "wb-head-all" }, el("b"), el("span", {}, words.all_agents)));
    for (const seat of seats) list.append(el("li", { "data-seat": seat, "data-state": seatState(seat) }, el("b"), el("span", { class: "badge", "data-state": seatState(seat) }, seatWord(seat))));
  }
  const counts = [totals.agents, ...seats.map((seat) => seatCount(totals, seat))];
  counts.forEach((count, i) => {
    write(list.children[i].firstChild, String(count));
    list.children[i].classList.toggle("is-zero", count === 0);
  });
}

/** One row per queue and one for all of them; cells keep their nodes. */
export class QueueTable {
  constructor(head, body, shown = columns) {
    this.body = body;
    this.columns = shown;
    this.extra = head.dataset.extra ?? null;
    this.rows = new Map();
    const cells = this.columns.map((column) => el("th", { class: "num", scope: "col" }, definition(column)));
    if (this.extra) cells.push(el("th", { class: "num", scope: "col" }, this.extra));
    head.append(el("tr", {}, el("th", { scope: "col" }, document.getElementById("queues-title")?.textContent ?? ""), ...cells));
  }

  draw(queues, totals, now) {
    const names = Object.keys(queues);
    for (const [name, row] of this.rows) {
      if (name !== "" && !(name in queues)) {
        row.remove();
        this.rows.delete(name);
      }
    }
    for (const name of names) this.#fill(name, queues[name].title, queues[name], now);
    if (names.length) this.#fill("", words.total, totals, now);
  }

  #fill(name, title, figures, now) {
    let row = this.rows.get(name);
    if (!row) {
      row = el("tr", { class: name === "" ? "wb-total" : "" }, el("th", { scope: "row" }), ...this.columns.map(() => el("td", { class: "num" })));
      if (this.extra) row.append(el("td", { class: "num" }));
      this.rows.set(name, row);
      if (name === "") this.body.append(row);
      else this.body.insertBefore(row, this.rows.get("") ?? null);
    }
    write(row.cells[0], title);
    this.columns.forEach((column, i) => {
      const cell = row.cells[i + 1];
      const value = figures[column.figure];
      cell.dataset.level = level(column, value, now);
      write(cell, figure(column.unit, value, now));
    });
    if (this.extra) write(row.cells[this.columns.length + 1], name === "" ? `${figures.states.ready} / ${figures.signed_in}` : `${figures.agents_ready} / ${figures.agents_signed_in}`);
  }
}
