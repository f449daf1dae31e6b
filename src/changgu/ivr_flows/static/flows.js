// The menu: its tree with callers' figures, one node at a time as a form, the text, versions and who put them on the air.

import { api, el, lang } from "/static/api.js";
import { momentOf } from "/static/ivr_flows/desk_time.js";
import { differenceLines } from "/static/ivr_flows/differences.js";
import { hearButton } from "/static/ivr_flows/listen.js";
import { closeMeanwhile, showMeanwhile } from "/static/ivr_flows/meanwhile.js";
import { same } from "/static/ivr_flows/merge.js";
import { NodeForm } from "/static/ivr_flows/node_form.js";
import { labelCells, tell } from "/static/ivr_flows/said.js";
import { drawTree } from "/static/ivr_flows/tree.js";
import { Unsaved } from "/static/ivr_flows/unsaved.js";

const TITLE = 14; // characters of what a node says, in lists of nodes

const $ = (id) => document.getElementById(id);
const data = JSON.parse($("flow-data").textContent);
const { words, how, standing, zone } = data;
const home = `/api/v1/flows/${encodeURIComponent(data.flow)}`;
const unsaved = new Unsaved(data, lang, tell);

let flow = null; // versions and publications
let tree = null; // what is drawn: the draft, or a version
let paths = { nodes: {}, whole: {} };
let chosen = null;
let adding = null; // the form of a node that is to be made

const fill = (text, values) => text.replace(/\{(\w+)\}/g, (_, name) => values[name] ?? "");
const percent = (share) => (share === null || share === undefined ? "–" : `${(share * 100).toFixed(1)} %`);
const clock = new Intl.DateTimeFormat(lang === "ko" ? "ko-KR" : "en-GB", { dateStyle: "medium", timeStyle: "short", timeZone: zone });
const moment = (text) => clock.format(new Date(text));

async function attempt(button, work) {
  if (button) button.disabled = true;
  try {
    await work();
  } catch (trouble) {
    tell(trouble.message, "bad");
  } finally {
    if (button) button.disabled = false;
  }
}

/**
 * Writes to the draft as it was looked at: `send(revision)`. When somebody else was faster, nothing is lost: the draft is
 * read again under what was typed, and a panel says what they changed and what `mine()` would change now.
 */
async function change(send, after, mine = null, drop = null) {
  const { part, version } = tree;
  const isHere = () => tree.part === part && tree.version === version;
  try {
    const next = await send(tree.revision);
    closeMeanwhile();
    after(next);
  } catch (trouble) {
    if (trouble.status !== 409 || !isHere() || !(await sayMeanwhile(send, after, mine, drop))) throw trouble;
  }
}

/** False when the draft is as it was: then there is another reason. */
async function sayMeanwhile(send, after, mine, drop) {
  const seen = { text: tree.text, sentences: tree.sentences };
  const next = await api(`${home}/draft${inPart("?")}`);
  if (next.revision === tree.revision) return false;
  show(next);
  const found = await api(`${home}/draft/meanwhile`, { method: "POST", body: { part: tree.part, seen, mine: mine && mine() } });
  const worded = next.text !== seen.text; // also where no node and no sentence differs, or none can be read
  if (mine && !worded && same(next.sentences, seen.sentences)) { // other flows, or the hours: nothing that is looked at here
    await change(send, after, mine, drop);
    return true;
  }
  const again = (button) => attempt(button, async () => {
    closeMeanwhile();
    await change(send, after, mine, drop);
  });
  const away = () => {
    drop();
    closeMeanwhile();
    draw();
  };
  showMeanwhile(
    found.meanwhile.length ? fill(words.meanwhile, { by: found.by, at: moment(found.at) }) : words.meanwhile_changed, words.meanwhile_close,
    [[words.meanwhile_theirs, differenceLines(found.meanwhile, data, lang), worded ? words.meanwhile_wording : words.meanwhile_elsewhere], ...(mine ? [[words.meanwhile_mine, differenceLines(found.mine, data, lang), [undefined, next.text].includes(mine().text) ? words.no_differences : words.meanwhile_wording]] : [])],
    [...(mine ? [[words.meanwhile_save, "primary", again]] : []), ...(drop ? [[words.meanwhile_drop, "danger", away]] : [])],
  );
  tell(words.meanwhile_kept, "warn");
  return true;
}

const isDraft = () => tree.version === 0;
const inPart = (start) => (tree?.part ? `${start}part=${encodeURIComponent(tree.part)}` : "");
/** Callers' figures of what is drawn: nodes of a sub-flow are counted as `flow/node`. */
const figuresHere = () => {
  const before = tree.part ? `${tree.part}/` : "";
  return Object.fromEntries(Object.entries(paths.nodes).filter(([name]) => name.startsWith(before)).map(([name, one]) => [name.slice(before.length), one]));
};

// ---- the tree

function show(next) {
  const other = !tree || tree.version !== next.version || tree.part !== next.part;
  tree = next;
  if (other) {
    adding = null;
    closeMeanwhile();
  }
  if (!tree.nodes.some(({ name }) => name === chosen)) chosen = null;
  draw();
  if (other) toTheStart();
}

/** A tall tree is shown from its first node on, not from an empty corner. */
function toTheStart() {
  const place = $("tree");
  const first = place.querySelector(`[data-node="${CSS.escape(tree.start)}"]`);
  if (!first) return;
  const [box, frame] = [first.getBoundingClientRect(), place.getBoundingClientRect()];
  place.scrollTop += box.top - frame.top - (frame.height - box.height) / 2;
  place.scrollLeft += box.left - frame.left - 12;
}

function draw() {
  drawTree($("tree"), tree, figuresHere(), words, data.kinds, chosen, lang, choose);
  drawProblems();
  drawParts();
  drawByNode();
  drawSentences();
  if (!typedText()) $("text").value = isDraft() ? (textOfDraft = tree.text) : tree.text;
  $("text").readOnly = !isDraft();
  for (const id of ["save-text", "add-node", "publish-now", "anew"]) $(id).disabled = !isDraft();
  $("draft-state").textContent = isDraft() ? (tree.revision ? fill(words.draft_changed, { by: tree.by, at: moment(tree.at), base: tree.base }) : words.draft_same) : words.read_only;
  if (flow?.pilot_number) $("pilot").textContent = $("pilot").dataset[tree.problems.some(({ severity }) => severity === "error") ? "unfit" : "fit"];
  drawNode();
  sayUnsaved();
  attempt(null, compare);
}

// ---- what is typed and not saved

let textOfDraft = null; // as the draft had it when it was drawn into the box
/** Whether the text of the draft was changed in its box; an older version's text there is nobody's work. */
const typedText = () => textOfDraft !== null && !$("text").readOnly && $("text").value !== textOfDraft;
/** Boxes of sentences that say something else than the draft. */
const typedSentences = () => [...$("sentence-list").querySelectorAll("textarea[data-saved]")].filter((box) => box.value !== box.dataset.saved);
/** Everything that would be lost or left out, as its reader knows it. */
const notSaved = () => [...unsaved.nodes(), ...typedSentences().map((box) => box.getAttribute("aria-label")), ...(typedText() ? [words.as_text] : [])];

function sayUnsaved() {
  const list = notSaved();
  $("unsaved").hidden = !list.length;
  $("unsaved").textContent = list.length ? fill(words.unsaved, { what: list.join(", ") }) : "";
  const form = $("node").querySelector("form");
  const here = form && unsaved.nodes().includes(form.dataset.of);
  for (const mark of $("node").querySelectorAll("[data-when-unsaved]")) mark.hidden = !here;
  sayLost();
}

/** Changes of nodes, and of whole sub-flows, that others have taken out of the draft: no form can be opened for them. */
function sayLost() {
  const place = $("lost");
  const isLost = (name) => {
    const [part, node] = name.includes("/") ? name.split("/") : ["", name];
    return part === tree.part ? !tree.nodes.some((one) => one.name === node) : part && !tree.parts.includes(part);
  };
  const lost = isDraft() ? unsaved.nodes().filter(isLost) : [];
  if (place.dataset.lost === lost.join()) return;
  place.dataset.lost = lost.join();
  place.hidden = !lost.length;
  place.replaceChildren(...lost.map((name) => {
    const [part, node] = name.includes("/") ? name.split("/") : ["", name];
    const anew = el("button", { type: "button", class: "button small", "aria-label": `${words.save_anew}: ${name}` }, words.save_anew);
    const drop = el("button", { type: "button", class: "button small danger", "aria-label": `${words.drop}: ${name}` }, words.drop);
    const forget = () => unsaved.forget(part, node);
    anew.addEventListener("click", () => attempt(anew, () => saveNode(part, node)));
    drop.addEventListener("click", forget);
    return el("div", { class: "notice", "data-tone": "warn" }, el("p", {}, fill(words.lost, { node: name })), el("div", { class: "actions" }, part === tree.part ? anew : null, drop));
  }));
}

/** Throws when something else than `own` is typed and not saved: saving would put it out of step, publishing would leave it out. */
function nothingElse(why, own = () => false) {
  const list = notSaved().filter((one) => !own(one));
  if (list.length) throw new Error(fill(why, { what: list.join(", ") }));
}

for (const news of ["input", "change", "click"]) document.addEventListener(news, () => tree && sayUnsaved());
addEventListener("beforeunload", (event) => tree && notSaved().length && event.preventDefault());

function drawParts() {
  const parts = $("part");
  parts.hidden = !tree.parts.length;
  parts.replaceChildren(el("option", { value: "" }, words.main_tree), ...tree.parts.map((name) => el("option", { value: name }, name)));
  parts.value = tree.part;
}

function drawByNode() {
  const rows = Object.entries(paths.nodes).sort(([, one], [, other]) => other.entered - one.entered).map(([name, one]) => {
    const here = tree.nodes.some((node) => (tree.part ? `${tree.part}/${node.name}` : node.name) === name);
    const named = here ? el("button", { type: "button", class: "fl-link" }, name) : name;
    if (here) named.addEventListener("click", () => choose(tree.part ? name.slice(tree.part.length + 1) : name));
    return el("tr", {}, el("th", { scope: "row" }, named), ...[one.entered, one.left, one.contained, one.hung_up, one.failed, percent(one.drop_out)].map((value) => el("td", { class: "num" }, String(value))));
  });
  $("by-node").tBodies[0].replaceChildren(...rows);
  $("no-nodes").hidden = rows.length > 0;
}

function drawSentences() {
  const typed = Object.fromEntries(typedSentences().map((box) => [box.getAttribute("aria-label"), box.value]));
  const names = [...new Set(Object.values(tree.sentences).flatMap((said) => Object.keys(said)))].sort();
  $("sentence-list").replaceChildren(...names.map((name) => el("fieldset", { class: "fl-sentence", disabled: !isDraft() }, el("legend", {}, name), ...Object.keys(tree.sentences).map((language) => {
    const text = el("textarea", { lang: language, rows: 2, "aria-label": `${name} (${language})` });
    const saved = tree.sentences[language][name] ?? "";
    text.value = isDraft() ? typed[`${name} (${language})`] ?? saved : saved;
    if (isDraft()) text.dataset.saved = saved;
    const heard = hearButton(el("button", { type: "button", class: "button small" }, `▶ ${words.hear}`), () => text.value, () => language, tell);
    const save = el("button", { type: "button", class: "button small", "aria-label": `${words.save_sentence}: ${name} (${language})` }, words.save_sentence);
    save.addEventListener("click", () => attempt(save, async () => {
      if (typedText()) throw new Error(fill(words.save_first, { what: words.as_text }));
      const box = () => $("sentence-list").querySelector(`textarea[aria-label="${CSS.escape(`${name} (${language})`)}"]`) ?? text;
      let sent;
      await change(
        (revision) => {
          sent = box().value;
          return api(`${home}/draft/sentences/${language}/${encodeURIComponent(name)}`, { method: "PUT", body: { text: sent, revision } });
        },
        (next) => {
          box().dataset.saved = sent;
          show(next);
          tell(fill(words.saved, { node: name }));
        },
        () => ({ sentence: { language, name, text: box().value } }),
        () => (box().value = box().dataset.saved),
      );
    }));
    return el("div", { class: "fl-area" }, text, el("div", { class: "actions" }, heard, save));
  }))));
}

function choose(name) {
  [chosen, adding] = [name, null];
  for (const group of $("tree").querySelectorAll("[data-node]")) group.dataset.chosen = String(group.dataset.node === name);
  drawNode();
  $("panel").scrollIntoView({ block: "nearest" });
}

function drawProblems() {
  const place = $("problems");
  place.replaceChildren(...tree.problems.map((problem) => {
    const words_of = `${fill(words.line, { line: problem.line })} ${problem.node ? `${problem.node}: ` : ""}${problem[lang]}`;
    const text = problem.node ? el("button", { type: "button" }, words_of) : el("span", {}, words_of);
    if (problem.node) text.addEventListener("click", () => choose(problem.node));
    const bad = problem.severity === "error";
    return el("li", {}, el("span", { class: "badge", "data-tone": bad ? "bad" : "warn" }, bad ? words.error : words.warning), " ", text);
  }));
  if (!tree.problems.length) place.append(el("li", {}, el("span", { class: "badge", "data-tone": "good" }, words.problems_none)));
}

// ---- one node

/** Names of values that this tree speaks of, to be suggested where one is asked for. */
function valuesHere() {
  const found = [...JSON.stringify(tree.nodes.map(({ fields }) => fields)).matchAll(/\{([a-z][a-z0-9_.]*)[:}]/g)].map(([, name]) => name);
  for (const { kind, fields } of tree.nodes) {
    for (const { name, form } of data.kinds[kind]?.fields ?? []) {
      if (form === "value" && typeof fields[name] === "string") found.push(fields[name]);
      if (form === "values" && fields[name]) found.push(...Object.keys(fields[name]));
      if (form === "tests" && Array.isArray(fields[name])) found.push(...fields[name].map(({ value }) => value));
    }
  }
  return [...new Set(found.filter((name) => typeof name === "string"))].sort();
}

/** What people know a node by: what it says, or what kind it is; its name in the file stands behind it. */
function titles() {
  return Object.fromEntries(tree.nodes.map(({ name, kind, says }) => {
    const words = says[lang] || says.ko || data.kinds[kind]?.label[lang] || "";
    return [name, words.length > TITLE ? `${words.slice(0, TITLE - 1)}…` : words];
  }));
}

/** What was typed of a node goes to the draft; one that is not there, or no longer, is made. */
async function saveNode(part, node) {
  if (typedText()) throw new Error(fill(words.save_first, { what: words.as_text }));
  const wish = () => unsaved.wish(part, node, tree.nodes.find(({ name }) => name === node));
  await change(
    (revision) => api(`${home}/draft/nodes/${encodeURIComponent(node)}`, { method: "PUT", body: { fields: wish(), revision, part } }),
    (next) => {
      unsaved.saved(part, node);
      show(next);
      tell(fill(words.saved, { node }));
    },
    () => ({ node, fields: wish() }),
    () => unsaved.forget(part, node),
  );
}

function drawNode() {
  if (adding) {
    $("node-title").textContent = words.new_node;
    if (!$("node").contains(adding)) $("node").replaceChildren(adding);
    return;
  }
  const node = tree.nodes.find(({ name }) => name === chosen);
  $("node-title").textContent = node ? node.name : words.choose_node;
  if (!node) return $("node").replaceChildren();
  const own = figuresHere()[node.name];
  const figures = own ? el("p", { class: "fl-figures" }, ...[["entered", own.entered], ["left", own.left], ["hung_up_here", own.hung_up], ["failed_here", own.failed]].map(([word, times]) => el("span", {}, `${words[word]} `, el("b", {}, String(times)))), el("span", {}, percent(own.drop_out))) : null;
  const problems = tree.problems.filter((problem) => problem.node === node.name).map((problem) => el("p", { class: problem.severity === "error" ? "problem" : "hint" }, problem[lang]));
  const days = own ? el("details", {}, el("summary", {}, words.each_day), el("div", { class: "table-wrap" })) : null;
  days?.addEventListener("toggle", () => days.open && drawDays(node.name, days.querySelector("div")));
  const around = { names: tree.nodes.map(({ name }) => name), titles: titles(), values: valuesHere(), sentences: tree.sentences };
  let fields;
  if (isDraft()) ({ fields } = unsaved.open(tree.part, node, around));
  else fields = el("fieldset", { class: "form", disabled: true }, ...new NodeForm(data, lang, tell).draw(node, around));
  const save = el("button", { class: "button primary", disabled: !isDraft() }, words.save);
  const remove = el("button", { type: "button", class: "button danger", disabled: !isDraft() }, words.delete);
  const drop = el("button", { type: "button", class: "button", hidden: true, "data-when-unsaved": "" }, words.drop);
  const mark = el("p", { class: "notice", "data-tone": "warn", hidden: true, "data-when-unsaved": "" }, words.unsaved_here);
  const whole = el("form", { class: "form", "data-of": tree.part ? `${tree.part}/${node.name}` : node.name }, fields, mark, el("div", { class: "actions" }, save, drop, remove));
  drop.addEventListener("click", () => {
    unsaved.forget(tree.part, node.name);
    drawNode();
    sayUnsaved();
  });
  whole.addEventListener("submit", (event) => {
    event.preventDefault();
    attempt(save, () => saveNode(tree.part, node.name));
  });
  remove.addEventListener("click", () => attempt(remove, () => change(
    (revision) => api(`${home}/draft/nodes/${encodeURIComponent(node.name)}?revision=${revision}${inPart("&")}`, { method: "DELETE" }),
    (next) => {
      unsaved.forget(tree.part, node.name);
      show(next);
      tell(fill(words.deleted, { node: node.name }));
    },
  )));
  $("node").replaceChildren(...[figures, days, ...problems, whole].filter(Boolean));
}

async function drawDays(name, place) {
  const rows = await api(`${home}/paths/${encodeURIComponent(tree.part ? `${tree.part}/${name}` : name)}?${period()}`);
  const table = el("table", { class: "table" }, el("thead", {}, el("tr", {}, ...["", words.version_n.replace("{n}", ""), words.entered, words.left, words.hung_up_here, words.failed_here].map((word) => el("th", {}, word)))));
  const body = el("tbody");
  for (const { day, version, figures } of rows) body.append(el("tr", {}, el("th", { scope: "row" }, day), ...[version, figures.entered, figures.left, figures.hung_up, figures.failed].map((value) => el("td", { class: "num" }, String(value)))));
  table.append(body);
  place.replaceChildren(table);
}

$("add-node").addEventListener("click", () => {
  const name = el("input", { id: "new-name", required: true, pattern: "[A-Za-z0-9_\\-]{1,64}", title: words.name_rule, "aria-describedby": "new-name-rule", autocomplete: "off", spellcheck: "false" });
  const kind = el("select", { id: "new-kind" }, ...Object.entries(data.kinds).map(([one, about]) => el("option", { value: one }, `${about.label[lang]} (${one})`)));
  const make = el("button", { class: "button primary" }, words.new_node);
  const whole = el("form", { class: "form" }, el("div", { class: "form-row" }, el("label", { for: "new-name" }, words.name), name, el("small", { class: "hint", id: "new-name-rule" }, words.name_rule)), el("div", { class: "form-row" }, el("label", { for: "new-kind" }, words.kind), kind), el("div", { class: "actions" }, make));
  whole.addEventListener("submit", (event) => {
    event.preventDefault();
    attempt(make, async () => {
      const part = tree.part;
      const wish = () => ({ node: name.value, fields: { kind: kind.value } });
      let made;
      await change(
        (revision) => {
          made = wish();
          return api(`${home}/draft/nodes/${encodeURIComponent(made.node)}`, { method: "PUT", body: { fields: made.fields, revision, part } });
        },
        (next) => {
          [chosen, adding] = [made.node, null];
          show(next);
        },
        wish,
        () => (adding = null),
      );
    });
  });
  adding = whole;
  drawNode();
  name.focus();
});

$("save-text").addEventListener("click", ({ target }) => attempt(target, async () => {
  nothingElse(words.save_first, (one) => one === words.as_text);
  const part = tree.part;
  let sent;
  await change(
    (revision) => {
      sent = $("text").value;
      return api(`${home}/draft`, { method: "PUT", body: { text: sent, revision, part } });
    },
    (next) => {
      textOfDraft = sent;
      show(next);
      tell(fill(words.saved, { node: words.draft }));
    },
    () => ({ text: $("text").value }),
    () => (textOfDraft = null),
  );
}));

// ---- figures

function period() {
  const days = Number($("period").value);
  const day = (back) => new Intl.DateTimeFormat("en-CA", { timeZone: zone }).format(new Date(Date.now() - back * 86_400_000));
  return `first=${day(days - 1)}&last=${day(0)}`;
}

async function readPaths() {
  const version = tree && tree.version ? `&version=${tree.version}` : "";
  paths = await api(`${home}/paths?${period()}${version}`);
  $("visits").textContent = String(paths.whole.entered);
  $("containment").textContent = percent(paths.whole.containment);
  $("drop-out").textContent = percent(paths.whole.drop_out);
  $("failed").textContent = String(paths.whole.failed);
  const rows = paths.days.map(({ day, figures }) => el("tr", {}, el("th", { scope: "row" }, day), ...[figures.entered, figures.contained, figures.left, figures.hung_up, figures.failed, percent(figures.containment), percent(figures.drop_out)].map((value) => el("td", { class: "num" }, String(value)))));
  $("days").tBodies[0].replaceChildren(...rows.reverse());
  $("no-days").hidden = rows.length > 0;
}

$("period").addEventListener("change", () => attempt(null, async () => {
  await readPaths();
  draw();
}));

// ---- versions

function takeFlow(next) {
  flow = next;
  $("on-air").textContent = flow.on_air === null ? "–" : fill(words.version_n, { n: flow.on_air });
  const shown = $("shown").value || "0";
  $("shown").replaceChildren(
    el("option", { value: "0" }, words.draft),
    ...flow.versions.map(({ number }) => el("option", { value: String(number) }, number === flow.on_air ? fill(words.on_air_n, { n: number }) : fill(words.version_n, { n: number }))),
  );
  $("shown").value = shown;
  const rows = flow.publications.map((one) => {
    const version = flow.versions.find(({ number }) => number === one.version);
    const ahead = !one.withdrawn_at && Date.parse(one.effective_at) > Date.now();
    const last = flow.publications.filter((other) => !other.withdrawn_at && other.version === one.version && Date.parse(other.effective_at) <= Date.now())[0];
    const state = one.withdrawn_at ? ["quiet", words.withdrawn.replace("{by}", one.withdrawn_by)] : ahead ? ["info", standing.scheduled] : version.standing === "on_air" && last?.id === one.id ? ["good", standing.on_air] : ["quiet", standing.past];
    const acts = [];
    const act = (word, work, tone = "") => {
      const button = el("button", { type: "button", class: `button small ${tone}`, "aria-label": `${word}: ${fill(words.version_n, { n: one.version })}` }, word);
      button.addEventListener("click", () => attempt(button, work));
      acts.push(button);
    };
    act(words.look, () => lookAt(one.version));
    act(words.compare, async () => {
      compared = true;
      $("compare-before").value = String(one.version);
      $("compare-after").value = String(one.version === flow.on_air ? 0 : flow.on_air);
      await compare();
      $("compare").scrollIntoView({ block: "nearest" });
    });
    act(words.to_draft, async () => {
      const draft = await api(`${home}/draft`);
      if (!mayDrop(draft.revision)) return;
      begun(await api(`${home}/draft/anew`, { method: "POST", body: { revision: draft.revision, version: one.version } }));
    });
    if (ahead) act(words.withdraw, async () => {
      takeFlow(await api(`${home}/publications/${one.id}`, { method: "DELETE" }));
      tell(fill(words.withdrawn, { by: "" }));
    }, "danger");
    else if (version.standing !== "on_air" && !one.withdrawn_at) act(words.roll_back, async () => {
      takeFlow(await api(`${home}/versions/${one.version}/roll-back`, { method: "POST", body: { note: $("note").value } }));
      tell(fill(words.rolled_back, { n: one.version }));
    }, "danger");
    return el("tr", {}, el("th", { scope: "row" }, fill(words.version_n, { n: one.version })), el("td", {}, el("span", { class: "badge", "data-tone": state[0] }, state[1])), el("td", {}, how[one.how]), el("td", {}, one.by), el("td", {}, moment(one.effective_at)), el("td", {}, one.note || one.why_withdrawn), el("td", {}, el("div", { class: "actions" }, ...acts)));
  });
  $("versions").tBodies[0].replaceChildren(...rows);
  labelCells($("versions"));
  drawCompared();
}

// ---- two versions held against each other

const called = (number) => (number ? fill(number === flow.on_air ? words.on_air_n : words.version_n, { n: number }) : words.draft);

let compared = false; // whether somebody chose what to compare; until then: what is on the air, with the draft

function drawCompared() {
  for (const [id, other] of [["compare-before", flow.on_air], ["compare-after", 0]]) {
    const before = (compared && $(id).value) || String(other ?? 0);
    $(id).replaceChildren(...[0, ...flow.versions.map(({ number }) => number)].map((number) => el("option", { value: String(number) }, called(number))));
    $(id).value = before;
  }
}

async function compare() {
  const found = await api(`${home}/differences?before=${$("compare-before").value || 0}&after=${$("compare-after").value || 0}`);
  const lines = differenceLines(found.differences, data, lang);
  $("differences").replaceChildren(...lines);
  $("no-differences").hidden = lines.length > 0;
}

for (const id of ["compare-before", "compare-after"]) $(id).addEventListener("change", () => {
  compared = true;
  attempt(null, compare);
});

async function lookAt(number, part = "") {
  const typed = [...(typedText() ? [words.as_text] : []), ...(number ? typedSentences().map((box) => box.getAttribute("aria-label")) : [])];
  if (typed.length) {
    $("shown").value = String(tree.version);
    $("part").value = tree.part;
    throw new Error(fill(words.save_first, { what: typed.join(", ") }));
  }
  const of = part ? `?part=${encodeURIComponent(part)}` : "";
  show(await api((number ? `${home}/versions/${number}` : `${home}/draft`) + of));
  $("shown").value = String(number);
  await readPaths();
  draw();
}

$("shown").addEventListener("change", () => attempt(null, () => lookAt(Number($("shown").value))));

$("part").addEventListener("change", () => attempt(null, () => lookAt(tree.version, $("part").value)));

$("publish").addEventListener("submit", (event) => {
  event.preventDefault();
  attempt($("publish-now"), async () => {
    nothingElse(words.save_before_publishing);
    const at = $("at").value;
    const when = at ? { at: new Date(momentOf(at, zone)).toISOString() } : {};
    await change(
      (revision) => api(`${home}/publish`, { method: "POST", body: { revision, note: $("note").value, ...when } }),
      (next) => {
        takeFlow(next);
        tell(fill(at ? words.scheduled : words.published, { n: next.versions[0].number, at: at && moment(when.at) }));
        $("note").value = $("at").value = "";
        attempt(null, () => lookAt(0));
      },
    );
  });
});

/** What is in the draft, saved or only typed, cannot be had back: whoever throws it away is asked. */
const mayDrop = (revision) => !(revision || notSaved().length) || confirm(words.drop_draft);

/** The draft begins again: `next` is what it is now. */
function begun(next) {
  unsaved.forget();
  closeMeanwhile();
  [textOfDraft, adding] = [null, null];
  $("sentence-list").replaceChildren();
  show(next);
  $("shown").value = "0";
  tell(fill(words.began_anew, { n: next.base }));
}

$("anew").addEventListener("click", ({ target }) => attempt(target, async () => {
  if (!mayDrop(tree.revision)) return;
  await change((revision) => api(`${home}/draft/anew`, { method: "POST", body: { revision } }), begun);
}));

attempt(null, async () => {
  takeFlow(await api(home));
  await lookAt(0);
  document.body.dataset.loaded = "yes";
});
