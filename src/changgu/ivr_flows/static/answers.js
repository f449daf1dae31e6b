// Conditions, and the answers that a caller may speak: rows of fields for what stands as lists in the text.

import { el } from "/static/api.js";

const listed = (text) => text.split(",").map((one) => one.trim()).filter(Boolean);
const isText = (one) => typeof one === "string";
const isMapping = (one) => one !== null && typeof one === "object" && !Array.isArray(one);
/** Whether these can stand in one box with commas between them. */
const fitsABox = (texts) => texts.every((one) => isText(one) && one.trim() && !one.includes(","));

function input(label, value, more = {}) {
  const box = el("input", { type: "text", autocomplete: "off", spellcheck: "false", "aria-label": label, placeholder: label, ...more });
  box.value = value ?? "";
  return box;
}

function select(label, names, value, title) {
  const box = el("select", { "aria-label": label }, ...names.map((name) => el("option", { value: name }, title(name))));
  box.value = value;
  return box;
}

/** Rows that look alike are told apart by their numbers, where their buttons are only heard. */
export function numberRows(rows, words) {
  rows.forEach((row, at) => {
    const number = words.row_n.replace("{n}", at + 1);
    row.setAttribute("role", "group");
    row.setAttribute("aria-label", number);
    for (const button of row.querySelectorAll("[data-act]")) button.setAttribute("aria-label", `${button.dataset.act}: ${number}`);
  });
}

/** Takes a row away; the keyboard goes on at the row beside it, or at `more`, which adds one. */
export function takeAway(row, more) {
  const beside = [row.nextElementSibling, row.previousElementSibling].find((one) => one?.className === row.className);
  row.remove();
  (beside?.querySelector("[data-away]") ?? more).focus();
}

/** Rows that can be added, taken away and, where their order counts, moved up; `row(value)` gives parts and a reader. */
function rows(words, values, row, addWord, hint, ordered = false) {
  const group = el("div", { class: "fl-answers" }, el("small", { class: "hint" }, hint));
  const entries = [];
  const number = () => numberRows(group.querySelectorAll(".fl-answer"), words);
  const inOrder = () => entries.sort(([one], [other]) => (one.compareDocumentPosition(other) & Node.DOCUMENT_POSITION_FOLLOWING ? -1 : 1));
  const add = (value) => {
    const { parts, read } = row(value);
    const up = el("button", { type: "button", class: "button small quiet", title: words.move_up, "data-act": words.move_up }, "↑");
    const away = el("button", { type: "button", class: "button small quiet", "data-act": words.remove, "data-away": "" }, "✕");
    const whole = el("div", { class: "fl-answer" }, ...parts, el("div", { class: "fl-answer-acts" }, ordered ? up : null, away));
    const entry = [whole, read];
    entries.push(entry);
    up.addEventListener("click", () => {
      if (whole.previousElementSibling?.matches(".fl-answer")) whole.previousElementSibling.before(whole);
      number();
      up.focus();
    });
    away.addEventListener("click", () => {
      entries.splice(entries.indexOf(entry), 1);
      takeAway(whole, more);
      number();
    });
    group.insertBefore(whole, more);
    number();
    return parts[0];
  };
  const more = el("button", { type: "button", class: "button small" }, `+ ${addWord}`);
  more.addEventListener("click", () => add(undefined).focus());
  group.append(more);
  for (const value of values) add(value);
  return [group, () => inOrder().map(([, read], at) => read(at + 1)).filter((one) => one !== undefined)];
}

/** `[control, reader]` for tests of a condition; null for what only the text can say. `choice(target)`: where one leads. */
export function testRows({ words, lang, comparisons, suggested }, value, choice) {
  const names = Object.keys(comparisons);
  const comparisonOf = (test) => names.filter((name) => name in test);
  const fits = (test) =>
    isMapping(test) && isText(test.value) && isText(test.go) && comparisonOf(test).length === 1 && Object.keys(test).length === 3 &&
    comparisonOf(test).every((name) => (name === "one_of" ? Array.isArray(test[name]) && fitsABox(test[name]) : isText(test[name])));
  const tests = value ?? [];
  if (!Array.isArray(tests) || !tests.every(fits)) return null;
  const row = (test) => {
    const before = test ? comparisonOf(test)[0] : "is";
    const against = test?.[before];
    const name = input(words.value_name, test?.value, { list: suggested });
    const comparison = select(words.comparison, names, before, (one) => comparisons[one][lang]);
    const text = input(words.against, before === "known" ? "" : Array.isArray(against) ? against.join(", ") : against);
    const known = select(words.against, ["true", "false"], before === "known" ? against : "true", (one) => (one === "true" ? words.yes : words.no));
    const [go, goes] = choice(test?.go);
    go.setAttribute("aria-label", words.leads_to);
    const show = () => {
      known.hidden = comparison.value !== "known";
      text.hidden = !known.hidden;
    };
    comparison.addEventListener("change", show);
    show();
    const read = (at) => {
      const [called, to] = [name.value.trim(), goes()];
      if (!called && to === undefined && !text.value.trim()) return undefined;
      const how = comparison.value;
      const other = how === "known" ? known.value : how === "one_of" ? listed(text.value) : text.value.trim();
      const missing = (how !== "is" && how !== "is_not" && !other.length) || !called || to === undefined;
      if (missing) throw new Error(words.test_missing.replace("{n}", at));
      return { value: called, [how]: other, go: to };
    };
    return { parts: [name, comparison, text, known, el("span", { class: "fl-answer-go" }, el("span", { "aria-hidden": "true" }, "→"), go)], read };
  };
  const [group, read] = rows(words, tests, row, words.add_test, words.tests_hint, true);
  return [group, () => {
    const found = read();
    return found.length ? found : undefined;
  }];
}

/** `[control, reader]` for the words that are listened for; null for what only the text can say. */
export function grammarRows({ words }, value) {
  const [kind, ...rest] = value === undefined ? ["choices"] : isMapping(value) ? Object.keys(value) : [];
  const choices = (kind === "choices" && value?.choices) || [];
  const span = (kind === "digits" && value?.digits) || [];
  const wordsOf = (one) => (Array.isArray(one.words) ? one.words : [one.words]);
  const fits = (one) => isMapping(one) && Object.keys(one).sort().join() === "key,value,words" && isText(one.value) && isText(one.key) && fitsABox(wordsOf(one));
  if (rest.length || !["choices", "digits"].includes(kind) || !Array.isArray(choices) || !choices.every(fits) || !Array.isArray(span) || ![0, 2].includes(span.length)) return null;
  const what = select(words.grammar_kind, ["choices", "digits"], kind, (one) => words[`grammar_${one}`]);
  const [least, most] = [words.fewest, words.most].map((label, at) => input(label, span[at], { type: "number", min: 1, max: 32 }));
  const digits = el("div", { class: "fl-two" }, ...[[words.fewest, least], [words.most, most]].map(([label, box]) => el("label", {}, label, box)));
  const row = (one) => {
    const said = input(words.spoken_words, one && wordsOf(one).join(", "), { class: "fl-answer-wide" });
    const [key, means] = [input(words.key, one?.key, { maxlength: 1 }), input(words.means, one?.value)];
    const read = (at) => {
      const [spoken, pressed, meant] = [listed(said.value), key.value.trim(), means.value.trim()];
      if (!spoken.length && !pressed && !meant) return undefined;
      if (!spoken.length || !pressed || !meant) throw new Error(words.answer_missing.replace("{n}", at));
      return { value: meant, words: one && isText(one.words) && spoken.length === 1 ? spoken[0] : spoken, key: pressed };
    };
    return { parts: [said, key, el("span", { class: "fl-answer-go" }, el("span", { "aria-hidden": "true" }, "→"), means)], read };
  };
  const [answers, readAnswers] = rows(words, choices, row, words.add_answer, words.answers_hint);
  const show = () => {
    digits.hidden = what.value !== "digits";
    answers.hidden = !digits.hidden;
  };
  what.addEventListener("change", show);
  show();
  return [el("div", { class: "fl-answers" }, what, answers, digits), () => {
    if (what.value === "choices") {
      const found = readAnswers();
      return found.length || value?.choices ? { choices: found } : undefined;
    }
    if (!least.value && !most.value) return undefined;
    if (!least.value || !most.value) throw new Error(words.span_missing);
    return { digits: [least.value, most.value] };
  }];
}
