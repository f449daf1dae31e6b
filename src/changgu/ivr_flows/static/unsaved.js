// What a supervisor has typed at the menu and not saved yet: kept while they look elsewhere, named before it is lost.

import { el } from "/static/api.js";
import { NodeForm } from "/static/ivr_flows/node_form.js";

/** The form as it would be written; what cannot be written yet counts as something else than what was there. */
function written(form) {
  try {
    return JSON.stringify(form.read());
  } catch (trouble) {
    return trouble.message;
  }
}

export class Unsaved {
  #data;
  #lang;
  #tell;
  #forms = new Map();

  constructor(data, lang, tell) {
    this.#data = data;
    this.#lang = lang;
    this.#tell = tell;
  }

  /** The form of a node of the draft: as it was left, if something was typed into it; else as the draft has it. */
  open(part, node, names, titles) {
    const name = part ? `${part}/${node.name}` : node.name;
    const kept = this.#forms.get(name);
    if (kept && written(kept.form) !== kept.before) {
      kept.form.learn(names, titles);
      return kept;
    }
    const form = new NodeForm(this.#data, this.#lang, this.#tell);
    const fields = el("fieldset", { class: "form" }, ...form.draw(node, names, titles));
    const opened = { form, fields, before: written(form) };
    this.#forms.set(name, opened);
    return opened;
  }

  /** The node was saved, taken away or is to be as the draft has it; without a name: every node. */
  forget(part, name) {
    if (name === undefined) this.#forms.clear();
    else this.#forms.delete(part ? `${part}/${name}` : name);
  }

  /** Names of the nodes whose forms hold something that is not saved. */
  nodes() {
    return [...this.#forms].filter(([, one]) => written(one.form) !== one.before).map(([name]) => name);
  }
}
