// A newcomer's phone: one button that calls the desk.

import { api, clock } from "/static/api.js";
import { RINGBACK, quiet, ring } from "/static/screenpop/ring.js";
import { say } from "/static/screenpop/words.js";

const $ = (id) => document.getElementById(id);
let phone = null;
let number = $("visitor").dataset.number;
let said = null;

function draw() {
  const call = phone?.call ?? null;
  const stage = call?.stage ?? (phone?.line === "online" ? "ready" : phone?.line === "offline" ? "offline" : "connecting");
  $("visitor").dataset.stage = stage;
  $("status").textContent = !call && stage === "ready" && said ? say(said) : say(`phone.${stage}`);
  $("call").hidden = Boolean(call);
  $("call").disabled = stage !== "ready";
  $("in-call").hidden = !call;
  $("keys").hidden = stage !== "talking";
  $("mute").disabled = stage !== "talking";
  $("mute").setAttribute("aria-pressed", String(Boolean(call?.muted)));
  $("mute").textContent = say(call?.muted ? "phone.unmute" : "phone.mute");
  $("clock").hidden = !call?.since;
  $("trouble").hidden = !phone?.trouble;
  $("trouble").textContent = phone?.trouble ? say(`phone.${phone.trouble}`) : "";
  if (stage === "dialling") ring(RINGBACK);
  else quiet();
  tick();
}

function tick() {
  const since = phone?.call?.since;
  if (since) $("clock").textContent = clock((Date.now() - since) / 1000);
}

function press(key) {
  if (phone?.call?.stage !== "talking") return;
  phone.press(key);
  $("pressed").textContent += key;
}

$("call").addEventListener("click", async () => {
  said = null;
  $("pressed").textContent = "";
  if (await phone.prepare()) phone.dial(number);
});
$("hang-up").addEventListener("click", () => phone.hangUp());
$("mute").addEventListener("click", () => phone.mute(!phone.call?.muted));
for (const button of document.querySelectorAll("[data-key]")) button.addEventListener("click", () => press(button.dataset.key));
addEventListener("keydown", ({ key, ctrlKey, altKey, metaKey }) => {
  if (!ctrlKey && !altKey && !metaKey && /^[0-9*#]$/.test(key)) press(key);
});
setInterval(tick, 500);

try {
  const [{ BrowserPhone, SPEECH }, account] = await Promise.all([import("/static/screenpop/phone.js"), api("/phone/account")]);
  number = account.number;
  phone = new BrowserPhone(account, { register: false, sound: $("sound"), microphone: window.changguMicrophone ?? SPEECH });
  phone.addEventListener("change", draw);
  phone.addEventListener("over", ({ detail }) => {
    said = { Busy: "phone.busy", Unavailable: "phone.busy", Terminated: "phone.ended", Canceled: "phone.ended" }[detail.cause] ?? "phone.failed";
  });
  addEventListener("pagehide", () => phone.stop());
  phone.start();
} catch (trouble) {
  $("trouble").hidden = false;
  $("trouble").textContent = trouble.status ? trouble.message : say("phone.failed");
}
