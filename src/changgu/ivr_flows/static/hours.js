// Opening hours and holidays: the site's table as a form, on the air once it is saved, and who has changed it.

import { api, el, lang } from "/static/api.js";
import { hearButton } from "/static/ivr_flows/listen.js";
import { closeMeanwhile, showMeanwhile } from "/static/ivr_flows/meanwhile.js";
import { merged, same } from "/static/ivr_flows/merge.js";
import { labelCells, tell } from "/static/ivr_flows/said.js";

const $ = (id) => document.getElementById(id);
const data = JSON.parse($("hours-data").textContent);
const { words, zone } = data;
const home = `/api/v1/flows/${encodeURIComponent(data.flow)}/hours`;
const DAYS = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
const clock = new Intl.DateTimeFormat(lang === "ko" ? "ko-KR" : "en-GB", { dateStyle: "medium", timeStyle: "short", timeZone: zone });
const weekday = new Intl.DateTimeFormat(lang === "ko" ? "ko-KR" : "en-GB", { weekday: "short", timeZone: "UTC" });
const fill = (text, values) => text.replace(/\{(\w+)\}/g, (_, name) => values[name] ?? "");
const periods = (text) => text.split(",").map((one) => one.trim()).filter(Boolean);
const dated = (day) => `${day} (${weekday.format(new Date(`${day}T00:00:00Z`))})`;

let version = 0;
let calendars = [];
let asLoaded = "";
let seen = {}; // the tables that were read, before anything was typed
const tables = () => Object.fromEntries(calendars.map((one) => [one.name, one.read()]));
const written = () => JSON.stringify(tables());

function field(id, label, input, hint = "") {
  input.id = id;
  return el("div", { class: "form-row" }, el("label", { for: id }, label), input, hint && el("small", { class: "hint" }, hint));
}

function dayRow(line, body) {
  const day = el("input", { type: "date", required: true, value: line.day, "aria-label": words.day });
  const name = el("input", { required: true, maxlength: 60, value: line.name, "aria-label": words.name, autocomplete: "off" });
  const kind = el("select", { "aria-label": words.kind }, ...["holiday", "working", "hours"].map((one) => el("option", { value: one, selected: one === line.kind }, words[`kind_${one}`])));
  const hours = el("input", { value: line.hours.join(", "), placeholder: "09:00-12:00", "aria-label": words.times, autocomplete: "off" });
  const away = el("button", { type: "button", class: "button small danger", "aria-label": `${words.remove}: ${line.name || line.day}` }, words.remove);
  const row = el("tr", {}, el("td", {}, day), el("td", {}, name), el("td", {}, kind), el("td", {}, hours), el("td", {}, away));
  const show = () => {
    hours.hidden = kind.value !== "hours";
    hours.required = !hours.hidden;
  };
  kind.addEventListener("change", show);
  away.addEventListener("click", () => row.remove());
  show();
  body.append(row);
  if (body.parentElement) labelCells(body.parentElement);
  row.read = () => ({ day: day.value, name: name.value, kind: kind.value, hours: kind.value === "hours" ? periods(hours.value) : [] });
  return day;
}

/** What callers hear by this calendar; a plain word where the menu on the air does not ask it at all. */
function heardBy(name, asked) {
  if (!asked.length) return el("div", { "data-asked": name }, el("p", { class: "notice", "data-tone": "warn" }, words.asked_by_none));
  return el("div", { class: "stack", "data-asked": name }, ...asked.map(({ node, ways }) => el("div", {}, el("p", { class: "hint" }, fill(words.asked_by, { node })),
    el("ul", { class: "fl-heard" }, ...Object.entries(ways).map(([way, { to, says }]) => {
      const text = says[lang] || says.ko || "";
      const whole = text && !text.includes("{"); // what is filled in during the call cannot be heard beforehand
      const hear = whole && hearButton(el("button", { type: "button", class: "button small" }, `▶ ${words.hear}`), () => text, () => (says[lang] ? lang : "ko"), tell);
      return el("li", {}, el("b", {}, words[`when_${way}`]), " ", text ? `“${text}” ` : `${fill(words.goes_on, { to })} `, hear || null);
    })))));
}

/** Whose public holidays: the country's name in the reader's language. */
const countries = new Intl.DisplayNames([lang], { type: "region", fallback: "code" });
const country = (code) => (/^[A-Z]{2}$/.test(code) ? countries.of(code) : code);

function draw(name, table, ahead, asked) {
  const input = (value, placeholder) => el("input", { value, placeholder, autocomplete: "off", spellcheck: "false" });
  const week = DAYS.map((_, day) => input(table.week[day].join(", "), words.closed_hint));
  const lunch = input(table.lunch.join(", "), "12:00-13:00");
  const own = [...new Set(["KR", "none", table.holidays])];
  const holidays = el("select", {}, ...own.map((one) => el("option", { value: one, selected: one === table.holidays }, one === "none" ? words.none : country(one))));
  const body = el("tbody");
  for (const line of table.days) dayRow(line, body);
  const add = el("button", { type: "button", class: "button small" }, words.add_day);
  add.addEventListener("click", () => dayRow({ day: "", name: "", kind: "holiday", hours: [] }, body).focus());
  const id = (part) => `${name}-${part}`;
  $("calendars").append(el("section", { class: "card stack", "data-calendar": name },
    el("h2", {}, `${words.calendar} ${name} `, el("small", { class: "muted" }, fill(words.zone, { zone: table.zone }))),
    heardBy(name, asked),
    el("fieldset", { class: "fl-week" }, el("legend", {}, words.week), ...week.map((one, day) => field(id(DAYS[day]), words[DAYS[day]], one))),
    el("div", { class: "fl-two" }, field(id("lunch"), words.lunch, lunch), field(id("holidays"), words.holidays, holidays)),
    el("fieldset", {}, el("legend", {}, words.own_days), el("p", { class: "hint" }, words.own_hint),
      el("div", { class: "table-wrap" }, el("table", { class: "table fl-days fl-cards" }, el("thead", {}, el("tr", {}, ...[words.day, words.name, words.kind, words.times, ""].map((word) => el("th", {}, word)))), body)),
      el("div", { class: "actions" }, add)),
    el("details", {}, el("summary", {}, fill(words.ahead, { n: ahead.length })), el("ul", { class: "fl-ahead" }, ...ahead.map((one) => el("li", {}, `${dated(one.day)} ${one.name}`))))));
  labelCells(body.parentElement);
  calendars.push({ name, read: () => ({ zone: table.zone, week: week.map((one) => periods(one.value)), lunch: periods(lunch.value), holidays: holidays.value, days: [...body.rows].map((row) => row.read()) }) });
}

function drawAll(hours, shown) {
  calendars = [];
  $("calendars").replaceChildren();
  for (const [name, table] of Object.entries(shown)) draw(name, table, hours.ahead[name] ?? [], hours.asked[name] ?? []);
}

function show(hours) {
  version = hours.version;
  drawAll(hours, hours.calendars);
  [asLoaded, seen] = [written(), tables()];
  $("changes").tBodies[0].replaceChildren(...hours.changes.map((one) => el("tr", {}, el("th", { scope: "row" }, fill(words.version_n, { n: one.version })), el("td", {}, one.by), el("td", {}, clock.format(new Date(one.at))), el("td", {}, one.note))));
  labelCells($("changes"));
  $("otherwise").hidden = !hours.scheduled_otherwise.length;
  $("otherwise").textContent = fill(words.otherwise, { versions: hours.scheduled_otherwise.join(", ") });
}

// ---- what is typed, and what others have saved meanwhile

/** Tables by what their lines are about, so that two people's lines can be told apart; and back. */
const byLine = (all) => Object.fromEntries(Object.entries(all).map(([name, { week, days, ...rest }]) => [name, { ...rest, week: Object.fromEntries(DAYS.map((day, at) => [day, week[at]])), days: Object.fromEntries(days.map((line) => [line.day, line])) }]));
const inOrder = (all) => Object.fromEntries(Object.entries(all).map(([name, { week, days, ...rest }]) => [name, { ...rest, week: DAYS.map((day) => week[day]), days: Object.values(days).sort((one, other) => one.day.localeCompare(other.day)) }]));

function changed(before, after) {
  const line = (one) => (one ? `${one.name}, ${words[`kind_${one.kind}`]} ${one.hours.join(", ")}`.trim() : words.nothing);
  return Object.keys({ ...before, ...after }).flatMap((name) => {
    const [old, now] = [before[name], after[name]];
    if (!old || !now) return [el("li", {}, `${words.calendar} ${name}: ${old ? words.removed : words.added}`)];
    const said = (label, one, other) => (same(one, other) ? [] : [el("li", {}, `${label}: ${one.join?.(", ") ?? one} → ${other.join?.(", ") ?? other}`)]);
    return [
      ...DAYS.flatMap((day) => said(words[day], old.week[day].length ? old.week[day] : words.closed_hint, now.week[day].length ? now.week[day] : words.closed_hint)),
      ...said(words.lunch, old.lunch.length ? old.lunch : words.nothing, now.lunch.length ? now.lunch : words.nothing),
      ...said(words.holidays, old.holidays, now.holidays),
      ...Object.keys({ ...old.days, ...now.days }).sort().flatMap((day) => said(dated(day), line(old.days[day]), line(now.days[day]))),
    ];
  });
}

async function save() {
  const note = $("note").value;
  try {
    const hours = await api(home, { method: "PUT", body: { version, calendars: tables(), note } });
    show(hours);
    $("note").value = "";
    const isAsked = Object.values(hours.asked).some((nodes) => nodes.length);
    tell(fill(isAsked ? words.saved : words.saved_unasked, { n: hours.version }), isAsked ? "good" : "warn");
  } catch (trouble) {
    if (trouble.status !== 409 || !(await sayMeanwhile())) throw trouble;
  }
}

/** Another version has come on the air. Where it brought no other hours there is nothing to say; false: it is the same. */
async function sayMeanwhile() {
  const hours = await api(home);
  if (hours.version === version) return false;
  const [before, mine, now] = [byLine(seen), byLine(tables()), byLine(hours.calendars)];
  show(hours);
  if (same(before, now)) {
    drawAll(hours, inOrder(mine));
    await save();
    return true;
  }
  const wanted = merged(before, mine, now);
  drawAll(hours, inOrder(wanted));
  const [last] = hours.changes;
  showMeanwhile(
    fill(words.meanwhile, { by: last.by, at: clock.format(new Date(last.at)) }), words.meanwhile_close,
    [[words.meanwhile_theirs, changed(before, now), ""], [words.meanwhile_mine, changed(now, wanted), words.no_differences]],
    [
      [words.meanwhile_save, "primary", (button) => {
        closeMeanwhile();
        attempt(button, save);
      }],
      [words.meanwhile_drop, "danger", () => {
        show(hours);
        closeMeanwhile();
      }],
    ],
  );
  tell(words.meanwhile_kept, "warn");
  return true;
}

async function attempt(button, work) {
  button.disabled = true;
  try {
    await work();
  } catch (trouble) {
    tell(trouble.message, "bad");
  } finally {
    button.disabled = false;
  }
}

$("hours").addEventListener("submit", (event) => {
  event.preventDefault();
  attempt($("save"), save);
});

addEventListener("beforeunload", (event) => version && written() !== asLoaded && event.preventDefault());

api(home).then((hours) => {
  show(hours);
  document.body.dataset.loaded = "yes";
}, (trouble) => tell(trouble.message, "bad"));
