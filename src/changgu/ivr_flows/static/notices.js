// Notices: a sentence typed, heard, and put on the air; what came of it.

import { api, el, lang } from "/static/api.js";
import { deskTime, momentOf } from "/static/ivr_flows/desk_time.js";
import { hearButton } from "/static/ivr_flows/listen.js";
import { labelCells, tell } from "/static/ivr_flows/said.js";

const $ = (id) => document.getElementById(id);
const { words, queues, longest, zone } = JSON.parse($("notice-data").textContent);
const clock = new Intl.DateTimeFormat(lang === "ko" ? "ko-KR" : "en-GB", { dateStyle: "short", timeStyle: "short", timeZone: zone });
const fill = (text, values) => text.replace(/\{(\w+)\}/g, (_, name) => values[name] ?? "");
const REFRESH = 5_000;

function place(name) {
  if (name === "desk") return words.everybody;
  const [kind, rest] = [name.slice(0, name.indexOf(":")), name.slice(name.indexOf(":") + 1)];
  return kind === "queue" ? queues[rest] ?? rest : `${words.service} ${rest}`;
}

function stateOf(one) {
  if (one.on) return ["good", words.on];
  if (one.withdrawn_at) return ["quiet", fill(words.withdrawn_by, { by: one.withdrawn_by })];
  return Date.parse(one.starts_at) > Date.now() ? ["info", words.coming] : ["quiet", words.over];
}

async function draw() {
  const notices = await api("/api/v1/notices");
  $("notices").tBodies[0].replaceChildren(...notices.map((one) => {
    const [tone, word] = stateOf(one);
    const acts = [];
    if (one.on || (!one.withdrawn_at && Date.parse(one.starts_at) > Date.now())) {
      const off = el("button", { type: "button", class: "button small danger" }, words.take_off);
      off.addEventListener("click", async () => {
        off.disabled = true;
        try {
          await api(`/api/v1/notices/${one.id}`, { method: "DELETE" });
          tell(words.taken_off);
          await draw();
        } catch (trouble) {
          tell(trouble.message, "bad");
          off.disabled = false;
        }
      });
      acts.push(off);
    }
    return el("tr", { "data-notice": one.id }, el("td", {}, el("span", { class: "badge", "data-tone": tone }, word)), el("td", {}, ...Object.entries(one.sentences).map(([language, text]) => el("div", { lang: language }, text))), el("td", {}, one.places.map(place).join(", ")), el("td", {}, clock.format(new Date(one.starts_at))), el("td", {}, clock.format(new Date(one.ends_at))), el("td", {}, one.by), el("td", { class: "num" }, String(one.heard)), el("td", { class: "num" }, String(one.deflected)), el("td", {}, ...acts));
  }));
  labelCells($("notices"));
  $("none").hidden = notices.length > 0;
}

for (const language of ["ko", "en"]) {
  const left = document.querySelector(`[data-left="${language}"]`);
  const count = () => (left.textContent = fill(words.left, { n: longest - $(language).value.length }));
  $(language).addEventListener("input", count);
  count();
  hearButton(document.querySelector(`[data-hear="${language}"]`), () => $(language).value, () => language, tell);
}

for (const button of document.querySelectorAll("[data-hours]")) {
  button.addEventListener("click", () => {
    const begins = $("starts").value ? momentOf($("starts").value, zone) : Date.now();
    $("ends").value = deskTime(begins + Number(button.dataset.hours) * 3_600_000, zone);
  });
}

const everybody = document.querySelector('[name="place"][value="desk"]');
const others = [...document.querySelectorAll('[name="place"]')].filter((box) => box !== everybody);
everybody.addEventListener("change", () => everybody.checked && others.forEach((box) => (box.checked = false)));
for (const box of others) box.addEventListener("change", () => box.checked && (everybody.checked = false));

$("new").addEventListener("submit", async (event) => {
  event.preventDefault();
  const button = event.submitter;
  button.disabled = true;
  const sentences = Object.fromEntries(["ko", "en"].map((language) => [language, $(language).value]).filter(([, text]) => text.trim()));
  const starts = $("starts").value;
  try {
    const made = await api("/api/v1/notices", {
      method: "POST",
      body: {
        sentences,
        places: [...document.querySelectorAll('[name="place"]:checked')].map(({ value }) => value),
        ...(starts ? { starts_at: new Date(momentOf(starts, zone)).toISOString() } : {}),
        ends_at: new Date(momentOf($("ends").value, zone)).toISOString(),
      },
    });
    tell(fill(made.on ? words.on_air_now : words.comes_on_air, { until: clock.format(new Date(made.ends_at)), from: clock.format(new Date(made.starts_at)) }));
    $("ko").value = $("en").value = $("starts").value = $("ends").value = "";
    for (const language of ["ko", "en"]) $(language).dispatchEvent(new Event("input"));
    await draw();
  } catch (trouble) {
    tell(trouble.message, "bad");
  } finally {
    button.disabled = false;
  }
});

draw().then(() => (document.body.dataset.loaded = "yes"), (trouble) => tell(trouble.message, "bad"));
setInterval(() => document.hidden || document.activeElement?.closest("#notices") || draw().catch((trouble) => tell(trouble.message, "bad")), REFRESH);
