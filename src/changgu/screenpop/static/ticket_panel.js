// The ticket of the call in hand: opened by itself or by the agent, filled in while talking, never lost on the way.

import { api, el } from "/static/api.js";
import { grades } from "/static/screenpop/codes.js";
import { hour, say, ticketNumber } from "/static/screenpop/words.js";

const $ = (id) => document.getElementById(id);
/** 접수 건 판별 (ENUM-04) */
const KINDS = ["inquiry", "incident", "service_request", "complaint"];
/** Words that the service has not taken yet, by ticket or call; they outlive the next call and a reload. */
const DRAFTS = `changgu-ticket-drafts-${$("desk").dataset.login}`;
const FIELDS = ["kind", "grade", "title", "description"];

export class TicketPanel {
  constructor(problem) {
    this.problem = problem;
    this.number = null;
    this.call = null;
    this.dirty = false;
    this.shape = null;
    this.deskCall = null;
    this.resumedDuring = undefined;
    this.drafts = new Map(JSON.parse(sessionStorage.getItem(DRAFTS) ?? "[]"));
    this.#showDrafts();
  }

  /** Follow the desk: the call's newest ticket, or how it will come to one. */
  draw({ call, pop }) {
    this.deskCall = call?.call ?? null;
    if (this.resumedDuring === this.deskCall) return; // an older ticket is being finished
    this.resumedDuring = undefined;
    const ticket = pop?.call_tickets.at(-1) ?? null;
    if (ticket && ticket.number !== this.number) {
      if (this.dirty && this.call === pop.call && !this.number) return; // being written by hand: the agent's words first
      this.#leave();
      this.call = pop.call;
      this.number = ticket.number;
      this.shape = "form";
      this.#load(ticket.number);
      return;
    }
    if (ticket) return;
    if (this.shape === "form" && (!call || call.call === this.call)) return;
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

  /** Begin one by hand (F6); it exists once it is saved, because a ticket is classified when it is recorded. */
  make() {
    if (this.number || !this.call || this.shape === "none" || $("ticket-form")) return;
    this.shape = "form";
    this.#fill({});
    $("ticket-form").elements.kind.focus();
  }

  async save() {
    const form = $("ticket-form");
    if (!form || this.saving) return;
    this.saving = true;
    const draft = this.#draft(form);
    this.dirty = false;
    try {
      const saved = await this.#send(draft);
      if (!this.#shows(form)) return;
      this.number = saved.number;
      this.#numbered(saved.number);
      this.#mark(null);
      this.#said(this.dirty ? say("desk.ticket_unsaved") : say("desk.ticket_saved", { time: hour(Date.now() / 1000) }));
      if (!this.dirty) this.resumedDuring = undefined;
    } catch (trouble) {
      if (!this.#shows(form)) return; // kept when the form was left
      this.dirty = true;
      this.#mark(trouble.field);
      this.#said(trouble.message, "bad");
    } finally {
      this.saving = false;
    }
  }

  #draft(form) {
    const body = Object.fromEntries(FIELDS.map((name) => [name, form.elements[name].value || (name === "description" ? "" : null)]));
    return { number: this.number, call: this.call, body };
  }

  async #send(draft) {
    const saved = draft.number
      ? await api(`/api/v1/tickets/${draft.number}`, { method: "PATCH", body: draft.body })
      : await api("/api/v1/tickets", { method: "POST", body: { ...draft.body, call: draft.call } });
    this.drafts.delete(draft.number ?? draft.call);
    this.#showDrafts();
    return saved;
  }

  #showDrafts() {
    sessionStorage.setItem(DRAFTS, JSON.stringify([...this.drafts]));
    $("ticket-kept").replaceChildren(
      ...[...this.drafts.values()].map((draft) => {
        const button = el("button", { type: "button", class: "button small" }, say("desk.ticket_resume", { number: draft.number ? ticketNumber(draft.number) : (draft.body.title ?? "") }));
        button.addEventListener("click", () => this.#resume(draft));
        return el("p", {}, button);
      }),
    );
  }

  #resume(draft) {
    this.#leave();
    this.resumedDuring = this.deskCall;
    this.number = draft.number;
    this.call = draft.call;
    this.shape = "form";
    this.#fill({ ...draft.body, number: draft.number });
    this.dirty = true;
    this.#said(say("desk.ticket_unsaved"));
  }

  #shows(form) {
    return $("ticket-form") === form;
  }

  #numbered(number) {
    $("ticket-link").hidden = false;
    $("ticket-link").href = `/tickets/${number}`;
    $("ticket-link").target = "_blank";
    $("ticket-link").textContent = say("desk.ticket_open_page");
    document.querySelector(".ticket-number").textContent = ticketNumber(String(number));
  }

  /** The panel turns to something else: words not yet saved are kept first, then sent as they are. */
  #leave() {
    const form = $("ticket-form");
    if (this.dirty && form) {
      const draft = this.#draft(form);
      this.drafts.set(draft.number ?? draft.call, draft);
      this.#showDrafts();
      this.#send(draft).catch((trouble) => this.problem(`${say("desk.ticket_kept", { number: draft.number ? ticketNumber(draft.number) : "" })} ${trouble.message}`));
    }
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
    const pick = (name, label, options, chosen) =>
      row(name, label, el("select", { id: `ticket-${name}`, name }, el("option", { value: "" }, "–"),
        ...options.map(([code, name]) => el("option", { value: code, selected: code === chosen }, name))));
    const title = el("input", { id: "ticket-title-field", name: "title", maxlength: 200, autocomplete: "off" });
    title.value = ticket.title ?? "";
    const note = el("textarea", { id: "ticket-description", name: "description", rows: 6, placeholder: say("desk.ticket_note_hint") });
    note.value = ticket.description ?? "";
    const form = el(
      "form",
      { id: "ticket-form", class: "form" },
      el("p", { class: "ticket-number mono" }),
      el("div", { class: "grid cols-2" },
        pick("kind", say("desk.ticket_kind"), KINDS.map((kind) => [kind, say(`desk.kind_${kind}`)]), ticket.kind),
        pick("grade", say("desk.ticket_grade"), grades(), ticket.grade)),
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
      this.#said(say("desk.ticket_unsaved"));
    });
    this.dirty = false;
    $("ticket-body").replaceChildren(form);
    if (ticket.number) this.#numbered(ticket.number);
  }

  #said(text, tone = "good") {
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
