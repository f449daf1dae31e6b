// What differs between two versions of the menu, one line for each thing.

import { el } from "/static/api.js";

const TONES = { added: "good", removed: "bad", changed: "info" };

function fieldOf(kinds, lang, kind, field) {
  const [name, ...rest] = field.split(" ");
  const known = kinds[kind]?.fields.find((one) => one.name === name);
  return [known?.label[lang] ?? name, ...rest].join(" ");
}

/** `found`: differences as the service gives them; `data`: words and kinds of the page. */
export function differenceLines(found, { words, kinds }, lang) {
  return found.map((one) => {
    const whole = one.what === "hours" ? words.hours_table : one.what === "sentence" ? `${words.sentence} ${one.name}` : one.what === "flow" ? `${words.part} ${one.name}` : one.name;
    const changes = one.changes.filter(({ field }) => field !== "kind" || one.how === "changed").map(({ field, before, after }) => {
      const name = field && `${fieldOf(kinds, lang, one.kind, field)}: `;
      const way = one.how === "added" ? after : one.how === "removed" ? before : `${before || words.nothing} → ${after || words.nothing}`;
      return el("li", {}, name, way);
    });
    return el("li", {}, el("b", {}, whole), " ", el("span", { class: "badge", "data-tone": TONES[one.how] }, words[one.how]), changes.length ? el("ul", {}, ...changes) : null);
  });
}
