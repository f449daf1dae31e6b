// Emergency plans: what is on, told to everybody, and the supervisor's switch for them.

import { api, el } from "/static/api.js";
import { fill, words, write, zone } from "/static/wallboard/figures.js";

const LONGEST_WHY = 200;
const LENGTHS = [30, 60, 120, 240, 480, 1440]; // minutes from now

/** `14:05`, with the day when it is another than today. */
function moment(iso, now) {
  const day = (at) => new Date(at).toLocaleDateString("sv", { timeZone: zone });
  const time = new Date(iso).toLocaleTimeString(document.documentElement.lang, { hour: "2-digit", minute: "2-digit", hour12: false, timeZone: zone });
  return day(iso) === day(now) ? time : `${day(iso).slice(5).replace("-", "/")} ${time}`;
}

/** The plan that is on, since when, by whom, why and until when; hidden while none is. */
export function drawEmergency(node, on, agents, now) {
  node.hidden = !on;
  if (!on) return write(node, "");
  const since = fill(words.emergency_since, { time: moment(on.since, now), by: agents[on.by]?.name ?? on.by });
  const until = on.until ? fill(words.emergency_until, { time: moment(on.until, now) }) : words.emergency_open_end;
  write(node, [`${words.emergency_on}: ${on.title}`, since, on.why, until].filter(Boolean).join(" · "));
}

/** `2시간`, `30분` */
function length(minutes) {
  return minutes % 60 ? fill(words.emergency_minutes, { n: minutes }) : fill(words.emergency_hours, { n: minutes / 60 });
}

/** The switch on the floor page: one button for each plan, and one that ends the plan that is on. */
export class EmergencySwitch {
  #card;
  #body;
  #tell;
  #now;
  #mark = null;
  #waits = false;

  /** `tell(text, tone)` says what came of it; `now()` is the server's clock in milliseconds. */
  constructor(card, tell, now) {
    this.#card = card;
    this.#body = card.querySelector("[data-plans]");
    this.#tell = tell;
    this.#now = now;
    document.addEventListener("visibilitychange", () => document.hidden || this.#load());
    card.addEventListener("focusout", ({ relatedTarget }) => this.#waits && !card.contains(relatedTarget) && this.#load());
  }

  /** Look again when another plan is on than was drawn last. */
  draw(on) {
    const mark = JSON.stringify(on ?? null);
    if (mark === this.#mark) return;
    this.#mark = mark;
    this.#load();
  }

  async #load() {
    try {
      this.#show(await api("/api/v1/emergency"));
    } catch (trouble) {
      this.#mark = null;
      this.#tell(trouble.message, "bad");
    }
  }

  #show({ on, plans }) {
    this.#waits = this.#card.contains(document.activeElement) && document.activeElement.matches("input, select");
    if (this.#waits) return; // somebody is giving a reason; drawn when they are done
    this.#card.dataset.tone = on ? "bad" : "";
    const rows = plans.map((plan) => this.#plan(plan, on?.plan === plan.name));
    if (on) rows.unshift(this.#ending(on));
    this.#card.hidden = rows.length === 0; // a desk without plans is not told of them at every look
    this.#body.replaceChildren(...rows);
  }

  #ending(on) {
    const why = this.#input("emergency-end-why", words.emergency_end_why, "");
    const button = el("button", { type: "button", class: "button danger big" }, words.emergency_off);
    button.addEventListener("click", () => this.#ask(button, "DELETE", undefined, fill(words.emergency_is_off, { title: on.title }), why.input.value));
    return el("div", { class: "emergency-plan is-on" }, el("h3", {}, fill(words.emergency_now, { title: on.title })), el("div", { class: "form inline" }, why.row, button));
  }

  #plan(plan, isOn) {
    const why = this.#input(`emergency-why-${plan.name}`, words.emergency_why, "");
    const planned = plan.lasts_seconds ? fill(words.emergency_planned, { length: length(Math.round(plan.lasts_seconds / 60)) }) : words.emergency_open_end;
    const end = el("select", { id: `emergency-end-${plan.name}` }, el("option", { value: "" }, planned), ...LENGTHS.map((minutes) => el("option", { value: minutes }, fill(words.emergency_after, { length: length(minutes) }))));
    const button = el("button", { type: "button", class: "button primary big", "aria-label": `${isOn ? words.emergency_change : words.emergency_turn_on}: ${plan.title}` }, isOn ? words.emergency_change : words.emergency_turn_on);
    button.addEventListener("click", () => {
      const until = end.value ? new Date(this.#now() + Number(end.value) * 60_000).toISOString() : null;
      this.#ask(button, "PUT", { plan: plan.name, why: why.input.value, until }, fill(words.emergency_is_on, { title: plan.title }));
    });
    const changes = plan.changes.map((change) => el("li", { class: "mono" }, change));
    if (plan.notice) changes.push(el("li", {}, `${words.emergency_notice}: ${Object.values(plan.notice.sentences).join(" / ")}`));
    return el("div", { class: "emergency-plan" },
      el("h3", {}, plan.title, " ", el("small", { class: "muted" }, plan.name)),
      plan.instructions && el("p", {}, plan.instructions),
      el("details", {}, el("summary", {}, fill(words.emergency_changes, { n: changes.length })), el("ul", {}, ...changes)),
      el("div", { class: "form inline" }, why.row, el("div", { class: "form-row" }, el("label", { for: end.id }, words.emergency_end), end), button));
  }

  #input(id, label, value) {
    const input = el("input", { type: "text", id, maxlength: LONGEST_WHY, autocomplete: "off", value });
    return { input, row: el("div", { class: "form-row emergency-why" }, el("label", { for: id }, label), input) };
  }

  async #ask(button, method, body, said, why = "") {
    button.disabled = true;
    try {
      const path = why ? `/api/v1/emergency?why=${encodeURIComponent(why)}` : "/api/v1/emergency";
      const now = await api(path, { method, body });
      this.#mark = null;
      this.#show(now);
      this.#tell(now.trouble ?? said, now.trouble ? "warn" : "good");
    } catch (trouble) {
      this.#tell(trouble.message, "bad");
      button.disabled = false;
    }
  }
}
