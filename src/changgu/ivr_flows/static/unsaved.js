// What a supervisor has typed at the menu and not saved yet: kept while they look elsewhere, named before it is lost.

import { el } from "/static/api.js";
import { merged, same } from "/static/ivr_flows/merge.js";
import { NodeForm } from "/static/ivr_flows/node_form.js";

/** The fields of a form; undefined while it cannot be written. */
function fieldsOf(form) {
  try {
    return form.read();
  } catch {
    return undefined;
  }
}

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

  /** The form of a node of the draft: as it was left, if something was typed into it; else as the draft has it. What
   * others changed in the draft meanwhile is taken over where nothing was typed. */
  open(part, node, around) {
    const name = part ? `${part}/${node.name}` : node.name;
    const kept = this.#forms.get(name);
    const typed = kept && written(kept.form) !== kept.before;
    const mine = typed && !same(kept.node.fields, node.fields) ? fieldsOf(kept.form) : undefined;
    if (typed && mine === undefined) {
      kept.form.learn(around);
      return kept;
    }
    const draw = (fields) => {
      const form = new NodeForm(this.#data, this.#lang, this.#tell);
      return { form, drawn: form.draw({ ...node, fields }, around) };
    };
    const { form, drawn } = draw(mine ? merged(kept.base, mine, node.fields) : node.fields);
    const plain = mine ? draw(node.fields).form : form;
    const opened = { form, fields: el("fieldset", { class: "form" }, ...drawn), node, base: plain.readable(), before: written(plain) };
    this.#forms.set(name, opened);
    return opened;
  }

  /** What is to be saved of a node: what was typed, on top of the draft as it is now. Throws like the form. */
  wish(part, name, now) {
    const kept = this.#forms.get(part ? `${part}/${name}` : name);
    const mine = kept.form.read();
    kept.sent = { base: mine, before: written(kept.form) };
    return now ? merged(kept.base, mine, now.fields) : mine;
  }

  /** What was last wished is in the draft; what was typed since is not. */
  saved(part, name) {
    const kept = this.#forms.get(part ? `${part}/${name}` : name);
    if (!kept) return;
    if (written(kept.form) === kept.sent.before) this.forget(part, name);
    else Object.assign(kept, kept.sent);
  }

  /** The node was taken away, or is to be as the draft has it; without a name: every node. */
  forget(part, name) {
    if (name === undefined) this.#forms.clear();
    else this.#forms.delete(part ? `${part}/${name}` : name);
  }

  /** Names of the nodes whose forms hold something that is not saved. */
  nodes() {
    return [...this.#forms].filter(([, one]) => written(one.form) !== one.before).map(([name]) => name);
  }
}
