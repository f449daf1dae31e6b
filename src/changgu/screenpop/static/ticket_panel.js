// The ticket of the call in hand: opened by itself or by the agent, filled in while talking, never lost on the way.

import { api, el } from "/static/api.js";
import { hour, say } from "/static/screenpop/words.js";

const $ = (id) => document.getElementById(id);
const english = document.body.dataset.lang === "en";
const choices = JSON.parse($("ticket-choices").textContent);
const FIELDS = ["kind", "grade", "title", "description"];

export class TicketPanel {
  constructor(problem) {
    this.problem = problem;
    this.number = null;
    this.call = null;
    this.dirty = false;
    this.shape = null;
  }

  /** Follow the desk: the call's newest ticket, or how it will come to one. */
  draw({ call, pop }) {
    const ticket = pop?.call_tickets.at(-1) ?? null;
    if (ticket && ticket.number !== this.number) {
      this.#leave();
      this.call = pop.call;
      this.number = ticket.number;
      this.shape = "form";
      this.#load(ticket.number);
      return;
    }
    if (ticket) return;
    if (this.number && this.dirty && (!call || call.call === this.call)) return;
    const shape = !call || call.stage === "ringing" ? "none" : call.ticket_policy === "automatic" ? "opening" : "ask";
    if (shape === this.shape && call?.call === this.call) return;
    this.#leave();
    this.call = call?.call ?? null;
    this.shape = shape;
    this.number = null;
    $("ticket-link").hidden = true;
    if (shape === "ask" || shape === "opening") $("ticket-body").replaceChildren(...this.#offer(shape));
    else $("ticket-body").replaceChildren(el("p", { class: "muted" }, say("desk.ticket_none")));
  }

  /** Open one now (F6); does nothing when there is one. */
  async make() {
    if (this.number || !this.call || this.shape === "none" || this.making) return;
    this.making = true;
    try {
      const ticket = await api("/api/v1/tickets", { method: "POST", body: { call: this.call } });
      this.number = ticket.number;
      this.shape = "form";
      this.#fill(ticket);
    } catch (trouble) {
      this.problem(trouble.message);
    } finally {
      this.making = false;
    }
  }

  async save() {
    const form = $("ticket-form");
    if (!form || this.saving) return;
    this.saving = true;
    const number = this.number;
    const body = Object.fromEntries(FIELDS.map((name) => [name, form.elements[name].value || (name === "description" ? "" : null)]));
    this.dirty = false;
    try {
      await api(`/api/v1/tickets/${number}`, { method: "PATCH", body });
      this.#mark(null);
      if (this.number === number) this.#said(say("desk.ticket_saved", { time: hour(Date.now() / 1000) }), "good");
    } catch (trouble) {
      this.dirty = true;
      if (this.number === number) {
        this.#mark(trouble.field);
        this.#said(trouble.message, "bad");
      } else {
        this.problem(`${say("desk.ticket_kept", { number })} ${trouble.message}`);
      }
    } finally {
      this.saving = false;
    }
  }

  /** A new call comes while the last ticket still has unsaved words: save them as they are. */
  #leave() {
    if (this.number && this.dirty) this.save();
    this.dirty = false;
  }

  #offer(shape) {
    const button = el("button", { type: "button", class: "button primary", id: "make-ticket" }, say("desk.ticket_make"), " ", el("kbd", { class: "kbd" }, "F6"));
    button.addEventListener("click", () => this.make());
    return shape === "ask" ? [button] : [el("p", { class: "muted", role: "status" }, say("desk.ticket_opening"))];
  }

  async #load(number) {
    try {
      const ticket = await api(`/api/v1/tickets/${number}`);
      if (number === this.number) this.#fill(ticket);
    } catch (trouble) {
      $("ticket-body").replaceChildren(el("p", { class: "problem" }, trouble.message));
    }
  }

  #fill(ticket) {
    $("ticket-link").hidden = false;
    $("ticket-link").href = `/tickets/${ticket.number}`;
    $("ticket-link").target = "_blank";
    $("ticket-link").textContent = say("desk.ticket_open_page");
    const pick = (name, label, options, chosen) =>
      row(name, label, el("select", { id: `ticket-${name}`, name }, el("option", { value: "" }, "–"),
        ...options.map(([code, ko, en]) => el("option", { value: code, selected: code === chosen }, english ? en : ko))));
    const title = el("input", { id: "ticket-title-field", name: "title", maxlength: 200, autocomplete: "off" });
    title.value = ticket.title ?? "";
    const note = el("textarea", { id: "ticket-description", name: "description", rows: 6, placeholder: say("desk.ticket_note_hint") });
    note.value = ticket.description ?? "";
    const form = el(
      "form",
      { id: "ticket-form", class: "form" },
      el("p", { class: "ticket-number mono" }, spaced(String(ticket.number))),
      el("div", { class: "grid cols-2" },
        pick("kind", say("desk.ticket_kind"), choices.kinds, ticket.kind),
        pick("grade", say("desk.ticket_grade"), choices.grades, ticket.grade)),
      row("title-field", say("desk.ticket_title"), title),
      row("description", say("desk.ticket_note"), note),
      el("div", { class: "actions" },
        el("button", { class: "button primary" }, say("desk.ticket_save"), " ", el("kbd", { class: "kbd" }, "Ctrl+S")),
        el("span", { id: "ticket-said", role: "status" })),
    );
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.save();
    });
    form.addEventListener("input", () => {
      this.dirty = true;
      this.#said(say("desk.ticket_unsaved"), "");
    });
    this.dirty = false;
    $("ticket-body").replaceChildren(form);
  }

  #said(text, tone) {
    const said = $("ticket-said");
    if (!said) return;
    said.textContent = text;
    said.className = tone === "bad" ? "problem" : "muted";
  }

  #mark(field) {
    for (const marked of document.querySelectorAll("#ticket-form .invalid")) marked.classList.remove("invalid");
    if (field) $("ticket-form")?.elements[field]?.closest(".form-row").classList.add("invalid");
  }
}

function row(name, label, control) {
  return el("div", { class: "form-row" }, el("label", { for: `ticket-${name}` }, label), control);
}

/** 1234567 → 123 4567: as one reads it out. */
function spaced(number) {
  return number.length === 7 ? `${number.slice(0, 3)} ${number.slice(3)}` : number;
}
