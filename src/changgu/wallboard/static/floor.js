// The floor: every agent with what they are doing, and the supervisor's hand on their state.

import { api, clock, el } from "/static/api.js";
import { BoardLine } from "/static/wallboard/board.js";
import { AgentPanel } from "/static/wallboard/agent_panel.js";
import { EmergencySwitch, drawEmergency } from "/static/wallboard/emergency.js";
import { QueueTable, badge, choices, drawAlerts, drawHeads, drawWhy, figure, fill, otherWays, showLine, stateWord, words, write } from "/static/wallboard/figures.js";

const $ = (id) => document.getElementById(id);
const rows = new Map();
const queueTable = new QueueTable($("queue-head"), $("queues"));
const waysTable = new QueueTable($("ways-head"), $("ways"), otherWays);
const panel = new AgentPanel(tell);
const emergencies = new EmergencySwitch($("emergency-card"), tell, () => line.now());
const line = new BoardLine({ onChange: draw, onLine: (state) => showLine($("status"), state) });

$("find").addEventListener("input", () => line.totals && draw());
$("state-filter").addEventListener("change", () => line.totals && draw());
setInterval(() => line.totals && !document.body.classList.contains("is-stale") && drawTimes(), 1000);

function draw() {
  drawHeads($("heads"), line.totals);
  drawEmergency($("emergency"), line.totals.emergency, line.agents, line.now());
  emergencies.draw(line.totals.emergency);
  drawAgents();
  drawTimes();
}

function drawAgents() {
  for (const [login, row] of rows) {
    if (!(login in line.agents)) {
      panel.close(login);
      row.node.remove();
      rows.delete(login);
    }
  }
  let shown = 0;
  for (const [login, agent] of Object.entries(line.agents)) {
    const row = rows.get(login) ?? addRow(login);
    const titles = agent.queues.map((name) => line.queues[name]?.title ?? name);
    row.agent = agent;
    const mark = `${agent.state}/${agent.reason}/${agent.next_state}/${agent.next_reason}/${agent.overdue}/${agent.by}/${agent.why}`;
    if (row.mark !== mark) {
      row.mark = mark;
      row.state.replaceChildren(badge(agent.state, agent.reason));
      if (agent.overdue) row.state.append(" ", el("strong", { class: "problem" }, words.overdue));
      if (agent.by) row.state.append(" ", el("small", { class: "muted" }, fill(words.floor_by, { by: line.agents[agent.by]?.name ?? agent.by }) + (agent.why ? `: ${agent.why}` : "")));
      row.next.replaceChildren(...(agent.next_state ? [badge(agent.next_state, agent.next_reason)] : []));
    }
    write(row.name, agent.name);
    write(row.serves, titles.join(", "));
    write(row.phone, agent.phone === null ? words.floor_phone_unknown : agent.phone ? words.floor_phone_yes : words.floor_phone_no);
    write(row.desktop, agent.desktop === false && agent.state !== "logged_out" ? words.floor_desktop_gone : "");
    row.phone.className = agent.phone === false ? "problem" : "muted";
    write(row.handled, String(agent.handled));
    write(row.aht, figure("seconds", agent.aht));
    if (row.call.dataset.call !== (agent.call ?? "")) {
      row.call.dataset.call = agent.call ?? "";
      row.call.replaceChildren(...(agent.call ? [el("a", { href: `/calls/${encodeURIComponent(agent.call)}`, "aria-label": words.floor_open_call }, line.queues[agent.call_queue]?.title ?? "…")] : []));
    }
    const wanted = `${login} ${agent.name} ${titles.join(" ")}`.toLowerCase().includes($("find").value.trim().toLowerCase());
    const state = $("state-filter").value;
    row.node.hidden = !wanted || (state !== "" && state !== agent.state);
    if (!row.node.hidden) shown += 1;
    else panel.close(login);
  }
  $("nobody").hidden = shown > 0;
  write($("nobody"), rows.size ? words.floor_none : words.floor_no_agents);
}

function drawTimes() {
  const now = line.now();
  for (const { agent, time } of rows.values()) write(time, agent.since ? clock((now - Date.parse(agent.since)) / 1000) : "–");
  queueTable.draw(line.queues, line.totals, now);
  waysTable.draw(line.queues, line.totals, now);
  drawAlerts($("alerts"), line.totals, line.agents, now);
  drawWhy($("why"), $("why-none"), line.totals);
}

function addRow(login) {
  const row = { name: el("b"), state: el("td"), time: el("td", { class: "num" }), next: el("td"), call: el("td"), serves: el("td", { class: "floor-serves" }), phone: el("span"), desktop: el("small", { class: "problem" }), handled: el("td", { class: "num" }), aht: el("td", { class: "num" }) };
  const select = el("select", { class: "fit", "aria-label": `${words.floor_change}: ${login}` }, el("option", { value: "" }, words.floor_choose));
  choices.forEach(([state, reason], i) => select.append(el("option", { value: i }, stateWord(state, reason))));
  const button = el("button", { type: "button", class: "button small" }, words.floor_apply);
  button.addEventListener("click", () => select.value !== "" && change(login, choices[select.value], button, select));
  const act = el("button", { type: "button", class: "button small", "aria-expanded": "false" }, words.floor_act);
  act.setAttribute("aria-label", `${words.floor_act}: ${login}`);
  act.addEventListener("click", () => panel.toggle(login, line.agents[login], line.queues, row.node, act));
  row.node = el("tr", {}, el("th", { scope: "row" }, row.name, " ", el("small", { class: "muted" }, login)), row.state, row.time, row.next, row.call, row.serves, el("td", {}, row.phone, " ", row.desktop), row.handled, row.aht, el("td", {}, el("div", { class: "actions floor-change" }, select, button, act)));
  rows.set(login, row);
  $("agents").append(row.node);
  return row;
}

async function change(login, [state, reason], button, select) {
  button.disabled = true;
  try {
    await api(`/api/v1/agents/${encodeURIComponent(login)}/state`, { method: "POST", body: reason ? { state, reason } : { state } });
    tell(fill(words.floor_changed, { name: line.agents[login]?.name ?? login, state: stateWord(state, reason) }));
    select.value = "";
  } catch (trouble) {
    tell(trouble.message, "bad");
  } finally {
    button.disabled = false;
  }
}

function tell(text, tone = "good") {
  const said = $("said");
  said.dataset.tone = tone;
  said.textContent = text;
  said.hidden = false;
}
