// Opening hours and holidays: the site's table as a form, on the air once it is saved, and who has changed it.

import { api, el, lang } from "/static/api.js";
import { hearButton } from "/static/ivr_flows/listen.js";
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

function show(hours) {
  version = hours.version;
  calendars = [];
  $("calendars").replaceChildren();
  for (const [name, table] of Object.entries(hours.calendars)) draw(name, table, hours.ahead[name], hours.asked[name]);
  asLoaded = written();
  $("changes").tBodies[0].replaceChildren(...hours.changes.map((one) => el("tr", {}, el("th", { scope: "row" }, fill(words.version_n, { n: one.version })), el("td", {}, one.by), el("td", {}, clock.format(new Date(one.at))), el("td", {}, one.note))));
  labelCells($("changes"));
  $("otherwise").hidden = !hours.scheduled_otherwise.length;
  $("otherwise").textContent = fill(words.otherwise, { versions: hours.scheduled_otherwise.join(", ") });
}

$("hours").addEventListener("submit", async (event) => {
  event.preventDefault();
  $("save").disabled = true;
  try {
    const hours = await api(home, { method: "PUT", body: { version, calendars: tables(), note: $("note").value } });
    show(hours);
    $("note").value = "";
    const isAsked = Object.values(hours.asked).some((nodes) => nodes.length);
    tell(fill(isAsked ? words.saved : words.saved_unasked, { n: hours.version }), isAsked ? "good" : "warn");
  } catch (trouble) {
    tell(trouble.message, "bad");
  } finally {
    $("save").disabled = false;
  }
});

addEventListener("beforeunload", (event) => version && written() !== asLoaded && event.preventDefault());

api(home).then((hours) => {
  show(hours);
  document.body.dataset.loaded = "yes";
}, (trouble) => tell(trouble.message, "bad"));
