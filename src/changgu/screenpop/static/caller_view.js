// The middle of the desktop: who calls, how they came here, and what there was before.

import { api, clock, el } from "/static/api.js";
import { gradeName } from "/static/screenpop/codes.js";
import { day, hour, say, ticketNumber } from "/static/screenpop/words.js";

const $ = (id) => document.getElementById(id);

export class CallerView {
  /** @param wish sends a wish to the desk and shows its trouble */
  constructor(wish) {
    this.wish = wish;
    this.shown = null;
    this.call = null;
    $("find").addEventListener("input", () => this.#searchSoon());
    $("find").addEventListener("keydown", (event) => {
      if (event.key === "ArrowDown") {
        $("found").querySelector("button")?.focus();
        event.preventDefault();
      }
    });
  }

  /** Draw what the desk says; nothing is redrawn that has not changed, so that focus and selection stay. */
  draw({ agent, state, call, pop }) {
    this.agent = agent;
    if (pop?.call !== this.call) {
      this.call = pop?.call ?? null;
      this.#closeFinder();
      $("remember").checked = false;
    }
    const picture = JSON.stringify(pop ? [pop] : [state.state, state.missed_at]);
    if (picture === this.shown) return;
    this.shown = picture;
    const kind = pop?.identification.kind;
    $("history").hidden = kind !== "known" && kind !== "unknown"; // nothing is known of nobody: that is not "none"
    $("tickets").parentElement.hidden = kind !== "known";
    $("context").hidden = !pop;
    $("own").hidden = Boolean(pop);
    if (!pop) {
      this.#ownCalls();
      $("caller-body").replaceChildren(...nobody(state));
      $("finder").hidden = true;
      return;
    }
    $("caller-body").replaceChildren(...this.#who(pop));
    $("context").replaceChildren(...context(pop));
    $("tickets").replaceChildren(ticketTable(pop.tickets));
    $("past-calls").replaceChildren(callTable(pop.past_calls));
  }

  openFinder() {
    if (!this.call) return;
    $("finder").hidden = false;
    $("find").focus();
  }

  #closeFinder() {
    $("finder").hidden = true;
    $("find").value = "";
    $("found").replaceChildren();
  }

  /** Between calls: the agent's own last ones, with the tickets that may still want a word. */
  async #ownCalls() {
    try {
      const { items } = await api(`/api/v1/calls?agent=${encodeURIComponent(this.agent.login)}&limit=10`);
      $("own-calls").replaceChildren(ownTable(items, this.agent.queues));
    } catch (trouble) {
      $("own-calls").replaceChildren(el("p", { class: "empty" }, trouble.message));
    }
  }

  #who(pop) {
    const who = pop.identification;
    const numbered = Boolean(pop.number_shown);
    $("remember-row").hidden = !numbered;
    switch (who.kind) {
      case "known": {
        $("finder").hidden = true;
        const again = el("button", { type: "button", class: "button small quiet" }, say("desk.not_this"));
        again.addEventListener("click", () => this.wish({ do: "reject", call: pop.call }).then(() => this.openFinder()));
        return [
          head(who.person.name, [who.person.title, who.person.department].filter(Boolean).join(" · "), pop.number_shown),
          facts(who.person),
          el(
            "p",
            { class: "caller-links" },
            el("span", { class: "badge", "data-tone": "good" }, say(who.confidence === "confirmed" ? "desk.confirmed" : "desk.by_number")),
            el("a", { href: `/people/${who.person.id}`, target: "_blank" }, say("desk.open_person")),
            again,
          ),
        ];
      }
      case "several":
        return [
          head(say("desk.several", { count: who.candidates.length }), say("desk.several_hint"), pop.number_shown),
          el("ul", { class: "people" }, ...who.candidates.map((person) => this.#choice(person, false))),
          this.#otherwise(),
        ];
      case "unknown":
        $("finder").hidden = false;
        return [head(pop.number_shown, say("desk.unknown"), null, "warn"), el("p", { class: "muted" }, say("desk.unknown_hint"))];
      case "withheld":
        $("finder").hidden = false;
        return [head(say("desk.withheld"), "", null, "warn"), el("p", { class: "muted" }, say("desk.withheld_hint"))];
      case "not_looked_up":
        $("finder").hidden = false;
        return [
          head(pop.number_shown, say("desk.not_looked_up"), null, "bad"),
          el("p", { class: "muted" }, say("desk.not_looked_up_hint")),
        ];
      default:
        return [head(pop.number_shown, say("desk.looking_up"), null)];
    }
  }

  #otherwise() {
    const button = el("button", { type: "button", class: "button small quiet" }, say("desk.not_this"));
    button.addEventListener("click", () => this.openFinder());
    return el("p", {}, button);
  }

  #choice(person, found) {
    const before = person.confirmed_before ? say("desk.confirmed_before", { count: person.confirmed_before }) : "";
    const button = el(
      "button",
      { type: "button", class: "person", "data-person": person.id },
      el("b", {}, [person.name, person.title].filter(Boolean).join(" ")),
      el("span", {}, [person.department, person.location].filter(Boolean).join(" · ")),
      el("small", { class: "muted" }, [person.employee_number, before].filter(Boolean).join(" · ")),
    );
    button.addEventListener("click", () => {
      const remember = found && !$("remember-row").hidden && $("remember").checked;
      this.wish({ do: "confirm", call: this.call, person: String(person.id), remember }).then(() => this.#closeFinder());
    });
    return el("li", {}, button);
  }

  #searchSoon() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.#search(), 200);
  }

  async #search() {
    const text = $("find").value.trim();
    this.searching?.abort();
    if (!text) {
      $("found").replaceChildren();
      return;
    }
    this.searching = new AbortController();
    try {
      const answer = await api(`/api/v1/people?q=${encodeURIComponent(text)}&limit=8`, { signal: this.searching.signal });
      const people = answer.items.map((person) => this.#choice(person, true));
      $("found").replaceChildren(...(people.length ? people : [el("li", { class: "muted" }, say("desk.search_none"))]));
    } catch (trouble) {
      if (trouble.name !== "AbortError") $("found").replaceChildren(el("li", { class: "problem" }, trouble.message));
    }
  }
}

function nobody(state) {
  const ready = state?.state === "ready";
  const lines = [];
  if (state?.missed_at) {
    const first = state.missed_by ? "_by" : "";
    const key = state.missed_why === "no_answer" ? "desk.missed" : `desk.missed_${state.missed_why}${first}`;
    const tone = state.missed_why === "answered_elsewhere" ? "info" : "warn";
    lines.push(el("p", { class: "notice", "data-tone": tone }, say(key, { time: hour(state.missed_at), agent: state.missed_by })));
  }
  const hint = state?.state === "unreachable" ? "desk.unreachable_hint" : ready ? "desk.waiting_hint" : "desk.not_waiting_hint";
  lines.push(
    el("div", { class: "nobody" }, el("strong", {}, say(ready ? "desk.waiting" : "desk.not_waiting")), el("p", { class: "muted" }, say(hint))),
  );
  return lines;
}

function head(name, below, number, tone = null) {
  return el(
    "div",
    { class: "who", "data-tone": tone },
    el("div", {}, el("strong", { class: "who-name" }, name ?? ""), below ? el("span", { class: "who-below" }, below) : null),
    number ? el("span", { class: "who-number" }, number) : null,
  );
}

function facts(person) {
  const rows = [
    ["department", person.department],
    ["employee_number", person.employee_number],
    ["location", person.location],
    ["computer", person.computer],
    ["assets", person.assets.join("\n")],
    ["numbers", person.numbers.join("\n")],
    ["email", person.email],
  ];
  return el(
    "dl",
    { class: "caller-facts" },
    ...rows
      .filter(([, value]) => value)
      .map(([name, value]) => el("div", {}, el("dt", {}, say(`desk.${name}`)), el("dd", {}, value))),
  );
}

function context(pop) {
  const steps = pop.menu_path.filter((step) => step.key !== null); // the tree's root is everybody's beginning
  const path = steps.length
    ? el(
        "ol",
        { class: "path" },
        ...steps.map((step) => el("li", {}, el("kbd", { class: "kbd" }, step.key), ` ${step.title}`)),
      )
    : say("desk.no_path");
  const part = (key, value) => el("div", {}, el("dt", {}, say(`desk.${key}`)), el("dd", {}, value));
  return [
    part("queue", el("b", {}, pop.queue_title)),
    part("waited", el("b", {}, clock(pop.waited_seconds))),
    part("path", path),
    part("dialled", pop.dialled),
  ];
}

function ticketTable(tickets) {
  if (!tickets.length) return el("p", { class: "empty" }, say("desk.no_tickets"));
  return table(
    ["ticket_number", "ticket_title", "ticket_state", "ticket_opened"],
    tickets.map((ticket) => [
      el("a", { href: `/tickets/${ticket.number}`, target: "_blank", class: "mono nowrap" }, ticketNumber(ticket.number)),
      el("span", {}, ticket.grade ? el("small", { class: "muted nowrap" }, `${gradeName(ticket.grade)} `) : null, ticket.title),
      el("span", { class: "badge", "data-tone": ticket.open ? "info" : "quiet" }, ticket.state),
      el("span", { class: "nowrap" }, ticket.opened_at ? day(ticket.opened_at) : ""),
    ]),
  );
}

function callTable(calls) {
  if (!calls.length) return el("p", { class: "empty" }, say("desk.no_past_calls"));
  return table(
    ["call_at", "queue", "call_outcome", "call_agent", "call_talk"],
    calls.map((call) => [
      el("a", { href: `/calls/${encodeURIComponent(call.call)}`, target: "_blank", class: "nowrap" }, day(call.started_at)),
      call.queue,
      el("span", { class: "badge", "data-tone": call.outcome === "answered" ? "good" : "warn" }, say(`outcome.${call.outcome}`)),
      call.agent ?? "",
      el("span", { class: "num" }, call.talk_seconds === null ? "" : clock(call.talk_seconds)),
    ]),
  );
}

function ownTable(calls, titles) {
  if (!calls.length) return el("p", { class: "empty" }, say("desk.no_past_calls"));
  return table(
    ["call_at", "caller", "queue", "call_outcome", "call_talk", "ticket_short"],
    calls.map((call) => [
      el("a", { href: `/calls/${encodeURIComponent(call.id)}`, class: "nowrap" }, day(Date.parse(call.arrived_at) / 1000)),
      [call.person?.name, call.person?.department].filter(Boolean).join(" · ") || call.caller || say("desk.withheld"),
      titles[call.queue] ?? call.queue ?? "",
      el("span", { class: "badge", "data-tone": call.outcome === "answered" ? "good" : "quiet" }, say(`outcome.${call.outcome ?? "open"}`)),
      el("span", { class: "num" }, call.talk_seconds === null ? "" : clock(call.talk_seconds)),
      el("span", {}, ...call.tickets.map((number) => el("a", { href: `/tickets/${number}`, class: "mono nowrap" }, `${ticketNumber(number)} `))),
    ]),
  );
}

function table(names, rows) {
  return el(
    "table",
    { class: "table" },
    el("thead", {}, el("tr", {}, ...names.map((name) => el("th", { scope: "col" }, say(`desk.${name}`))))),
    el("tbody", {}, ...rows.map((cells) => el("tr", {}, ...cells.map((cell) => el("td", {}, cell))))),
  );
}
