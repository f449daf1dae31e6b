// One node of the menu as a form, made of what the flow language says about its kind.

import { el } from "/static/api.js";
import { grammarRows, numberRows, takeAway, testRows } from "/static/ivr_flows/answers.js";
import { hearButton } from "/static/ivr_flows/listen.js";

const OWN = "\u0000own";
const VALUE = "\u0000value";
const DIGITS = "\u0000digits";
const SUGGESTED = "f-suggested";

/** Which of the three a prompt is that is no name; nothing for what only the text can say. */
function madeOf(prompt) {
  const fields = Object.keys(prompt);
  if (fields.every((one) => ["text", "ko", "en"].includes(one))) return OWN;
  if ("value" in prompt && fields.every((one) => ["value", "as"].includes(one))) return VALUE;
  return fields.join() === "digits" ? DIGITS : null;
}

/** `read()` gives the fields as they are to be written; it throws an `Error` whose message is for the reader. */
export class NodeForm {
  constructor(data, lang, tell) {
    this.kinds = data.kinds;
    this.sentences = data.sentences;
    this.queues = data.queues;
    this.comparisons = data.comparisons;
    this.ways = data.ways;
    this.always = data.known;
    this.words = data.words;
    this.lang = lang;
    this.tell = tell;
  }

  /**
   * Every control for `node`, one of `tree.nodes`, in its tree: `names` of nodes and their `titles`, `values` that are
   * suggested where one is asked for, and `sentences` of prompts as this version says them.
   */
  draw(node, { names, titles, values, sentences }) {
    this.names = names;
    this.titles = titles;
    this.catalogue = { ...this.sentences[this.lang], ...sentences[this.lang] };
    this.leading = [];
    this.kind = this.kinds[node.kind];
    this.readers = [];
    this.kept = {};
    const known = this.kind?.fields ?? [];
    const rows = known.map((field) => this.#field(field, node.fields[field.name]));
    for (const [name, value] of Object.entries(node.fields)) {
      if (name !== "kind" && !known.some((field) => field.name === name)) this.kept[name] = value;
    }
    const about = this.kind ? this.kind[this.lang] : this.words.unknown_kind;
    this.node = node;
    const called = this.kind ? [el("b", {}, this.kind.label[this.lang]), " ", el("small", { class: "mono muted" }, node.kind), " · "] : [];
    const suggested = el("datalist", { id: SUGGESTED }, ...[...new Set([...this.always, ...values])].map((name) => el("option", { value: name })));
    return [el("p", { class: "hint" }, ...called, about), ...rows, suggested];
  }

  /** Nodes that are there meanwhile can be led to as well; what is chosen stays chosen. */
  learn({ names, titles }) {
    this.names = names;
    this.titles = titles;
    for (const select of this.leading) {
      const known = new Set([...select.options].map(({ value }) => value));
      select.append(...names.filter((name) => !known.has(name)).map((name) => el("option", { value: name }, this.#titled(name, titles))));
    }
  }

  read() {
    const fields = { kind: this.node.kind };
    for (const [name, reader] of this.readers) {
      const value = reader();
      if (value !== undefined) fields[name] = value;
    }
    return { ...fields, ...this.kept };
  }

  /** As `read`, with null for what cannot be written as it stands. */
  readable() {
    const fields = this.readers.map(([name, reader]) => {
      try {
        return [name, reader()];
      } catch {
        return [name, null];
      }
    });
    return { kind: this.node.kind, ...Object.fromEntries(fields.filter(([, value]) => value !== undefined)), ...this.kept };
  }

  #field(field, value) {
    const id = `f-${field.name}`;
    const [control, reader] = this.#control(field, value, id);
    this.readers.push([field.name, reader]);
    const grouped = !control.matches("input, select, textarea");
    const label = el(grouped ? "span" : "label", grouped ? { id: `${id}-label`, class: "fl-label" } : { for: id }, field.label[this.lang], field.required ? " *" : "", " ", el("small", { class: "mono muted" }, field.name));
    if (grouped) {
      control.setAttribute("role", "group");
      control.setAttribute("aria-labelledby", `${id}-label`);
    }
    return el("div", { class: "form-row", "data-field": field.name }, label, control, el("small", { class: "hint" }, field[this.lang]));
  }

  #control(field, value, id) {
    switch (field.form) {
      case "said":
        return this.#said(value);
      case "node":
        return this.#choice(id, this.names, value, field, this.titles);
      case "one_of":
        return this.#choice(id, field.options, value, field);
      case "flag":
        return this.#choice(id, ["true", "false"], value, field, { true: this.words.yes, false: this.words.no });
      case "keys":
        return this.#rows(value, (target) => this.#choice("", this.names, target, { required: true }, this.titles), true);
      case "languages":
      case "values":
        return this.#rows(value, (text) => this.#text("", text, {}), field.form === "languages");
      case "skills":
        return this.#list(id, value);
      case "tests":
        return testRows({ words: this.words, lang: this.lang, comparisons: this.comparisons, suggested: SUGGESTED }, value, (target) => this.#choice("", this.names, target, { required: true }, this.titles)) ?? this.#raw(id, value);
      case "grammar":
        return grammarRows({ words: this.words }, value) ?? this.#raw(id, value);
      case "value":
        return this.#text(id, value, field, { list: SUGGESTED });
      case "name":
        return field.name === "queue" ? this.#choice(id, Object.keys(this.queues), value, field, this.queues) : this.#text(id, value, field);
      case "whole":
      case "seconds":
        return this.#text(id, value, field, { type: "number", min: field.least, max: field.most, step: field.form === "whole" ? 1 : 0.1 });
      case "key":
        return this.#text(id, value, field, { maxlength: 1, pattern: "[0-9*#]" });
      default:
        return this.#text(id, value, field);
    }
  }

  #text(id, value, field, more = {}) {
    const input = el("input", { id: id || null, type: "text", autocomplete: "off", required: field.required, ...more });
    input.value = value ?? "";
    return [input, () => (input.value.trim() === "" ? undefined : input.value.trim())];
  }

  #choice(id, names, value, field, titles = {}) {
    const select = el("select", { id: id || null });
    const every = value !== undefined && !names.includes(value) ? [value, ...names] : names;
    if (!field.required || value === undefined) select.append(el("option", { value: "" }, field.required ? "–" : this.words.default));
    for (const name of every) select.append(el("option", { value: name }, this.#titled(name, titles)));
    select.value = value ?? "";
    if (names === this.names) this.leading.push(select);
    return [select, () => (select.value === "" ? undefined : select.value)];
  }

  #titled(name, titles) {
    if (!titles[name]) return name;
    return titles[name] === name || name === "true" || name === "false" ? titles[name] : `${titles[name]} (${name})`;
  }

  #list(id, value) {
    const [input] = this.#text(id, Array.isArray(value) ? value.join(", ") : value, {});
    return [input, () => {
      const listed = input.value.split(",").map((one) => one.trim()).filter(Boolean);
      return listed.length ? listed : undefined;
    }];
  }

  #raw(id, value) {
    const area = el("textarea", { id, spellcheck: "false", class: "mono" });
    area.value = value === undefined ? "" : JSON.stringify(value, null, 1);
    return [area, () => {
      if (area.value.trim() === "") return undefined;
      try {
        return JSON.parse(area.value);
      } catch {
        throw new Error(`${id.slice(2)}: ${this.words.not_json}`);
      }
    }];
  }

  /** Key or name beside what it stands for; rows can be added and removed. */
  #rows(value, control, keys) {
    const group = el("div");
    const rows = [];
    const add = (name, inner) => {
      const input = el("input", { type: "text", autocomplete: "off", "aria-label": keys ? this.words.key : this.words.name, ...(keys ? { maxlength: 1 } : {}) });
      input.value = name;
      const [field, reader] = control(inner);
      field.setAttribute("aria-label", `${name} ${this.words.leads_to}`);
      const remove = el("button", { type: "button", class: "button small quiet", "aria-label": `${this.words.remove}: ${name}`, "data-away": "" }, "✕");
      const row = el("div", { class: keys ? "fl-row" : "fl-row wide" }, input, field, remove);
      const entry = [input, reader];
      rows.push(entry);
      remove.addEventListener("click", () => {
        rows.splice(rows.indexOf(entry), 1);
        takeAway(row, more);
      });
      group.insertBefore(row, more);
      return input;
    };
    const more = el("button", { type: "button", class: "button small" }, `+ ${this.words.add_key}`);
    more.addEventListener("click", () => add("", undefined).focus());
    group.append(more);
    for (const [name, inner] of Object.entries(value ?? {})) add(name, inner);
    return [group, () => {
      const found = {};
      for (const [input, reader] of rows) {
        const name = input.value.trim();
        const inner = reader();
        if (!name && inner === undefined) continue;
        if (!name) throw new Error(keys ? this.words.key_missing : this.words.name_missing);
        if (inner === undefined) throw new Error(`${name}: ${this.words.way_missing}`);
        if (name in found) throw new Error(`${name}: ${this.words.key_twice}`);
        found[name] = inner;
      }
      return Object.keys(found).length ? found : undefined;
    }];
  }

  /** Prompts in order: sentences that have a name, and sentences written here; each can be heard at once. */
  #said(value) {
    const group = el("div", { class: "fl-said" });
    const readers = [];
    const catalogue = this.catalogue;
    const number = () => numberRows(group.querySelectorAll(".fl-prompt"), this.words);
    const add = (prompt) => {
      const named = typeof prompt === "string";
      const made = named ? OWN : madeOf(prompt);
      const odd = made === null; // it stays as it is written
      const select = el("select", { "aria-label": this.words.heard_here });
      select.append(el("option", { value: OWN }, odd ? JSON.stringify(prompt) : this.words.own_sentence), el("option", { value: VALUE }, this.words.read_value), el("option", { value: DIGITS }, this.words.read_digits));
      for (const name of Object.keys(catalogue)) select.append(el("option", { value: name }, name));
      if (named && !(prompt in catalogue)) select.append(el("option", { value: prompt }, `${prompt} ?`));
      select.value = named ? prompt : made ?? OWN;
      const texts = named || made !== OWN ? {} : { ko: prompt.text ?? prompt.ko ?? "", en: prompt.en ?? "" };
      const areas = ["ko", "en"].map((language) => {
        const area = el("textarea", { lang: language, "aria-label": `${this.words.own_sentence} (${language})`, maxlength: 2000, placeholder: language });
        area.value = texts[language] ?? "";
        const hearIt = hearButton(el("button", { type: "button", class: "button small" }, `▶ ${this.words.hear}`), () => area.value, () => language, this.tell);
        return { language, area, whole: el("div", { class: "fl-area" }, area, hearIt) };
      });
      const sentence = el("p", { class: "muted" });
      const value = el("input", { type: "text", autocomplete: "off", spellcheck: "false", list: SUGGESTED, "aria-label": this.words.value_name, placeholder: this.words.value_name });
      value.value = made === VALUE ? prompt.value : "";
      const spoken = made === VALUE ? prompt.as ?? "text" : "digits";
      const ways = Object.entries({ ...(spoken in this.ways ? {} : { [spoken]: { [this.lang]: `${spoken} ?` } }), ...this.ways });
      const way = el("select", { "aria-label": this.words.spoken_as }, ...ways.map(([one, label]) => el("option", { value: one }, label[this.lang])));
      way.value = spoken;
      const digits = el("input", { type: "text", autocomplete: "off", inputmode: "numeric", "aria-label": this.words.read_digits });
      digits.value = made === DIGITS ? prompt.digits : "";
      const reading = el("div", { class: "fl-area" }, value, way);
      const hearNamed = hearButton(el("button", { type: "button", class: "button small" }, `▶ ${this.words.hear}`), () => catalogue[select.value] ?? "", () => this.lang, this.tell);
      const remove = el("button", { type: "button", class: "button small quiet", "data-act": this.words.remove, "data-away": "" }, "✕");
      const row = el("div", { class: "fl-prompt" }, select, hearNamed, remove, sentence, reading, digits, ...areas.map(({ whole }) => whole));
      const show = () => {
        const own = select.value === OWN;
        reading.hidden = select.value !== VALUE;
        digits.hidden = select.value !== DIGITS;
        sentence.textContent = catalogue[select.value] ?? "";
        sentence.hidden = hearNamed.hidden = own || !reading.hidden || !digits.hidden;
        for (const { whole } of areas) whole.hidden = !own || odd;
      };
      select.addEventListener("change", show);
      show();
      const reader = () => {
        if (select.value === VALUE) return value.value.trim() ? { value: value.value.trim(), ...(way.value === "text" && !("as" in Object(prompt)) ? {} : { as: way.value }) } : undefined;
        if (select.value === DIGITS) return digits.value.trim() ? { digits: digits.value.trim() } : undefined;
        if (select.value !== OWN) return select.value;
        if (odd) return prompt;
        const written = Object.fromEntries(areas.map(({ language, area }) => [language, area.value.trim()]).filter(([, text]) => text));
        const languages = Object.keys(written);
        if (!languages.length) return undefined;
        return languages.length === 1 && languages[0] === "ko" && !("ko" in Object(prompt)) ? { text: written.ko } : written;
      };
      readers.push(reader);
      remove.addEventListener("click", () => {
        readers.splice(readers.indexOf(reader), 1);
        takeAway(row, more);
        number();
      });
      group.insertBefore(row, more);
      number();
      return areas[0].area;
    };
    const more = el("button", { type: "button", class: "button small" }, `+ ${this.words.add_sentence}`);
    more.addEventListener("click", () => add({ text: "" }).focus());
    group.append(more);
    for (const prompt of value === undefined ? [] : Array.isArray(value) ? value : [value]) add(prompt);
    return [group, () => {
      const said = readers.map((reader) => reader()).filter((one) => one !== undefined);
      return said.length === 0 ? undefined : said.length === 1 ? said[0] : said;
    }];
  }
}
