// The supervisor's hand on one agent: a state that holds at once, with its reason, and the queues the agent serves.

import { api, el } from "/static/api.js";
import { choices, fill, stateWord, words } from "/static/wallboard/figures.js";

const LONGEST_WHY = 200;

/** One panel at a time, in a row of its own below the agent's; what was typed is kept while the floor moves on. */
export class AgentPanel {
  #login = null;
  #row = null;
  #opener = null;

  /** `tell(text, tone)` says what came of it. */
  constructor(tell) {
    this.tell = tell;
  }

  toggle(login, agent, queues, below, opener) {
    const again = this.#login === login;
    this.close();
    if (again || !agent) return;
    this.#login = login;
    this.#opener = opener;
    this.#row = el("tr", { class: "floor-panel" }, el("td", { colspan: below.cells.length }, el("div", { class: "floor-acts" }, this.#states(agent), this.#queues(agent, queues))));
    this.#row.addEventListener("keydown", ({ key }) => key === "Escape" && (opener.focus(), this.close()));
    below.after(this.#row);
    opener.setAttribute("aria-expanded", "true");
    this.#row.querySelector("input").focus();
  }

  close(login = this.#login) {
    if (login === null || login !== this.#login) return;
    this.#row.remove();
    this.#opener.setAttribute("aria-expanded", "false");
    this.#login = this.#row = this.#opener = null;
  }

  #states({ name }) {
    const why = el("input", { type: "text", maxlength: LONGEST_WHY, id: "force-why", autocomplete: "off" });
    const buttons = choices.map(([state, reason]) => {
      const button = el("button", { type: "button", class: "button" }, stateWord(state, reason));
      button.addEventListener("click", () => this.#carryOut(button, "force", "POST", { state, ...(reason ? { reason } : {}), why: why.value }, (now) => {
        const held = now.state === state ? words.floor_forced : words.floor_forced_later;
        return fill(held, { name, state: stateWord(state, reason) });
      }));
      return button;
    });
    return el("fieldset", {}, el("legend", {}, fill(words.floor_force, { name })), el("div", { class: "form-row" }, el("label", { for: "force-why" }, words.floor_force_why), why), el("div", { class: "actions" }, ...buttons));
  }

  #queues({ name, queues: served }, queues) {
    const boxes = Object.entries(queues).map(([queue, { title }]) => {
      const box = el("input", { type: "checkbox", value: queue, checked: served.includes(queue), disabled: true });
      return [box, el("label", { class: "floor-queue" }, box, ` ${title}`)];
    });
    const skills = el("input", { type: "text", id: "agent-skills", autocomplete: "off", disabled: true });
    const save = el("button", { type: "button", class: "button primary", disabled: true }, words.floor_save);
    const login = this.#login;
    api("/api/v1/agents").then(({ items }) => {
      const listed = items.find((one) => one.login === login); // without what an emergency plan adds
      skills.value = listed?.skills.join(", ") ?? "";
      for (const [box] of boxes) {
        box.checked = listed?.queues.includes(box.value) ?? false;
        box.disabled = false;
      }
      skills.disabled = save.disabled = false;
    }).catch((trouble) => this.tell(trouble.message, "bad"));
    save.addEventListener("click", () => {
      const wanted = boxes.filter(([box]) => box.checked).map(([box]) => box.value);
      const known = skills.value.split(",").map((skill) => skill.trim()).filter(Boolean);
      this.#carryOut(save, "", "PATCH", { queues: wanted, skills: known }, () => fill(words.floor_moved, { name }));
    });
    return el("fieldset", {}, el("legend", {}, fill(words.floor_move, { name })), el("div", { class: "floor-queues" }, ...boxes.map(([, label]) => label)), el("div", { class: "form-row" }, el("label", { for: "agent-skills" }, words.floor_skills), skills), el("div", { class: "actions" }, save));
  }

  async #carryOut(button, what, method, body, said) {
    const login = this.#login;
    const opener = this.#opener;
    button.disabled = true;
    try {
      const now = await api(`/api/v1/agents/${encodeURIComponent(login)}${what && `/${what}`}`, { method, body });
      this.tell(said(now));
      this.close(login);
      opener.focus();
    } catch (trouble) {
      this.tell(trouble.message, "bad");
      button.disabled = false;
    }
  }
}
