// The agent's desktop: shows what the desk's stream says, turns keys and buttons into wishes, and carries the browser phone.

import { api, clock } from "/static/api.js";
import { CallerView } from "/static/screenpop/caller_view.js";
import { codesLoaded } from "/static/screenpop/codes.js";
import { INCOMING, quiet, ring } from "/static/screenpop/ring.js";
import { DeskStream } from "/static/screenpop/stream.js";
import { TicketPanel } from "/static/screenpop/ticket_panel.js";
import { day, say } from "/static/screenpop/words.js";

const $ = (id) => document.getElementById(id);
await codesLoaded;
const stream = new DeskStream("/desk/ws");
const caller = new CallerView(wish);
const ticket = new TicketPanel(problem);
const title = document.title;
let phone = null;
let otherTab = false;
let phoneWanted = false;
let stage = "none";

stream.addEventListener("change", () => draw());
setInterval(tick, 500);

/** Ask the desk for something and show why not, if not. Never a box over a talking agent: one line that goes away. */
async function wish(body) {
  try {
    await stream.wish(body);
    problem(null);
  } catch (refusal) {
    problem(refusal.message === "link" ? say("desk.failed_link") : refusal.message);
    throw refusal;
  }
}

const ask = (body) => wish(body).catch(() => {});

function problem(text) {
  clearTimeout(problem.timer);
  $("problem").hidden = !text;
  $("problem").textContent = text ?? "";
  if (text) problem.timer = setTimeout(() => problem(null), 12000);
}

// --- drawing -------------------------------------------------------------------------------------------------------

function draw() {
  const desk = stream.desk;
  drawLink();
  if (!desk.agent) return;
  if (!desk.agent.seat) {
    $("link").hidden = false;
    $("link").textContent = say("desk.no_seat");
    $("desk").hidden = true;
    return;
  }
  $("desk").hidden = false;
  const now = desk.call?.stage ?? "none";
  $("desk").dataset.stage = now;
  drawState(desk);
  drawUnanswered(desk.unanswered);
  drawPhone(desk);
  caller.draw(desk);
  ticket.draw(desk);
  if (now !== stage) stageChanged(stage, now, desk);
  notifyOnce(desk);
  stage = now;
  if (desk.agent.phone === "browser" && !phoneWanted) {
    phoneWanted = true;
    startPhone(desk.agent);
  }
  tick();
}

function drawLink() {
  const bad = stream.link !== "up";
  $("link").hidden = !bad;
  $("link").textContent = bad ? say(`desk.link_${stream.link}`) : "";
  $("desk").inert = stream.link === "signed_out" || stream.link === "forbidden";
}

/** Voice mail and fax that nobody has replied to in time. */
function drawUnanswered(waiting) {
  $("unanswered").hidden = !waiting;
  $("unanswered-word").textContent = waiting ? say("desk.unanswered", { count: waiting.count, time: day(waiting.since) }) : "";
}

function stateWord(state, reason) {
  return state === "not_ready" && reason ? say(`reason.${reason}`) : say(`state.${state}`);
}

function drawState({ agent, state }) {
  $("now").dataset.state = state.state;
  $("now-word").textContent = stateWord(state.state, state.reason);
  $("next").hidden = !state.requested;
  $("next-word").textContent = state.requested ? stateWord(state.requested, state.requested_reason) : "";
  $("next-by").textContent = state.requested_by ? saidBy(state.requested_by, state.requested_why) : "";
  show("by", state.by ? saidBy(state.by, state.why) : "");
  show("overdue", state.overdue ? say("desk.overdue", { state: stateWord(state.state, state.reason) }) : "");
  $("longer").hidden = state.state !== "wrap_up";
  $("go-ready-word").textContent = say(
    state.state === "wrap_up" ? "desk.end_wrap_up" : state.state === "logged_out" ? "desk.start_ready" : "desk.go_ready",
  );
  $("go-ready").disabled = state.state === "ready" || (busy(state) && !state.requested);
  $("pause-word").textContent = say(busy(state) || state.state === "wrap_up" ? "desk.pause_after" : "desk.pause");
  for (const button of document.querySelectorAll("[data-reason]")) {
    const reason = button.dataset.reason;
    const chosen = (state.state === "not_ready" && state.reason === reason) || (state.requested === "not_ready" && state.requested_reason === reason);
    button.setAttribute("aria-pressed", String(chosen));
  }
  $("sign-off").hidden = state.state === "logged_out";
  $("my-queues").replaceChildren(...Object.values(agent.queues).map((queue) => Object.assign(document.createElement("span"), { className: "chip", textContent: queue })));
  $("notify").hidden = !("Notification" in window) || Notification.permission !== "default";
}

/** Who put the agent into a state, and why. */
const saidBy = (by, why) => say(why ? "desk.by_why" : "desk.by", { by, why });

/** Show or hide a line that is read out when it comes; written only when it differs, so that it is read out once. */
function show(id, text) {
  $(id).hidden = !text;
  if ($(id).textContent !== text) $(id).textContent = text;
}

function busy(state) {
  return ["reserved", "talking", "hold"].includes(state.state);
}

function drawPhone({ agent, state, call }) {
  const browser = agent.phone === "browser";
  const [key, tone] = line(browser, state);
  $("line").textContent = say(`desk.${key}`);
  $("line").dataset.tone = tone;
  const trouble = browser ? (otherTab ? "desk.browser_other_tab" : phone?.trouble ? `phone.${phone.trouble}` : null) : null;
  $("phone-trouble").hidden = !trouble;
  $("phone-trouble").textContent = trouble ? say(trouble) : "";
  const now = phoneStage(call);
  const live = LIVE.includes(now);
  $("stage").hidden = now === "none";
  $("stage").dataset.stage = now;
  $("stage-word").textContent = now === "none" ? "" : say(`desk.stage_${now}`);
  $("stage-what").textContent = { ringing: say("desk.ringing_for"), talking: say("desk.talking_for"), hold: say("desk.hold_for"), ended: say("desk.talked") }[now] ?? "";
  const ringing = now === "ringing";
  $("controls").hidden = !(live || (ringing && browser));
  $("lift").hidden = !(ringing && !browser);
  $("answer").hidden = !(ringing && browser);
  $("answer").disabled = phone?.call?.stage !== "ringing";
  $("hold").hidden = !["talking", "hold"].includes(call?.stage); // the music comes from the desk
  $("hold").setAttribute("aria-pressed", String(now === "hold"));
  $("hold").firstElementChild.textContent = say(now === "hold" ? "desk.resume" : "desk.hold");
  const muted = Boolean(phone?.call?.muted);
  $("mute").hidden = !(live && browser && phone?.call);
  $("mute").setAttribute("aria-pressed", String(muted));
  $("mute").firstElementChild.textContent = say(muted ? "desk.unmute" : "desk.mute");
  $("hang-up").hidden = !live;
  $("keypad").hidden = !(live && browser && phone?.call);
}

const LIVE = ["answered", "talking", "hold"];

/** The call as the desk has it; while the desk is silent (the PBX goes on without it) as the phone in this page has it. */
function phoneStage(call) {
  const desk = call?.stage ?? "none";
  if (desk !== "none" && desk !== "ended") return desk;
  return phone?.call ? { ringing: "ringing", talking: "talking" }[phone.call.stage] ?? "answered" : desk;
}

function line(browser, state) {
  if (!browser) {
    if (state.phone_reachable === null) return ["phone_unknown", "quiet"];
    return state.phone_reachable ? ["phone_registered", "good"] : ["phone_lost", "bad"];
  }
  if (otherTab) return ["browser_off", "quiet"];
  return { online: ["browser_online", "good"], connecting: ["browser_connecting", "warn"], offline: ["browser_offline", "bad"] }[phone?.line] ?? ["browser_connecting", "quiet"];
}

/** Durations: every one from an instant of the service to the service's present. */
function tick() {
  const { state, call } = stream.desk;
  if (!state) return;
  const now = stream.now();
  const left = state.wrap_up_ends_at === null ? null : state.wrap_up_ends_at - now;
  $("now-what").textContent = say(left === null ? "desk.since" : left > 0 ? "desk.wrap_up_left" : "desk.wrap_up_over");
  $("now-clock").textContent = state.since === null ? "" : left === null ? clock(now - state.since) : `−${clock(Math.max(0, Math.ceil(left)))}`;
  if (call?.stage !== phoneStage(call)) {
    $("stage-clock").textContent = phone?.call?.since ? clock((Date.now() - phone.call.since) / 1000) : "";
    return;
  }
  if (!call) return;
  const clocks = {
    ringing: () => now - call.offered_at,
    answered: () => 0,
    talking: () => now - call.connected_at,
    hold: () => now - call.hold_since,
    ended: () => (call.connected_at === null ? 0 : call.ended_at - call.connected_at),
  };
  $("stage-clock").textContent = clock(clocks[call.stage]());
}

// --- what happens when the call moves on ----------------------------------------------------------------------------

function stageChanged(before, after, desk) {
  const name = callerName(desk.pop);
  document.title = after === "ringing" ? `☎ ${name} · ${title}` : title;
  $("announce").textContent = after === "none" ? "" : `${say(`desk.stage_${after}`)} ${after === "ringing" ? name : ""}`;
  if (after === "ended" && phone?.call?.stage === "talking") setTimeout(() => stream.desk.call?.stage === "ended" && phone.hangUp(), 1500);
  if (after !== "ringing") {
    quiet();
    notifyOnce.shown?.close();
  } else if (desk.agent.phone !== "browser") {
    ring(INCOMING); // a second bell beside the telephone's; a browser phone rings when its own call is there
  }
}

function callerName(pop) {
  const who = pop?.identification;
  if (who?.kind === "known") return `${who.person.name} ${who.person.department}`.trim();
  if (who?.kind === "several") return say("desk.several", { count: who.candidates.length });
  return pop?.number_shown ?? say("desk.withheld");
}

/** Once per offer, and only when the page cannot be seen. */
function notifyOnce({ call, pop }) {
  if (!call || call.stage !== "ringing" || !pop || pop.call !== call.call || notifyOnce.call === call.call) return;
  if (pop.identification.kind === "looking_up") return;
  notifyOnce.call = call.call;
  document.title = `☎ ${callerName(pop)} · ${title}`;
  if (!document.hidden || !("Notification" in window) || Notification.permission !== "granted") return;
  const body = say("desk.notify_body", { queue: pop.queue_title, waited: clock(pop.waited_seconds) });
  const shown = new Notification(say("desk.notify_title", { who: callerName(pop) }), { body, tag: call.call, requireInteraction: true });
  shown.addEventListener("click", () => {
    window.focus();
    shown.close();
  });
  notifyOnce.shown = shown;
}

// --- the browser phone -----------------------------------------------------------------------------------------------

async function startPhone(agent) {
  let parts;
  let account;
  try {
    parts = await import("/static/screenpop/phone.js");
    await parts.onlyTab(`changgu-phone-${agent.login}`, () => {
      otherTab = true;
      draw();
    });
    otherTab = false;
    account = await api("/api/v1/phone/credentials");
  } catch (trouble) {
    problem(trouble.status ? trouble.message : say("desk.browser_missing"));
    return;
  }
  phone = new parts.BrowserPhone(account, { sound: $("sound"), microphone: window.changguMicrophone ?? parts.SPEECH });
  phone.addEventListener("change", () => {
    draw();
    if (phone.call?.stage === "ringing") ring(INCOMING);
    else if (stage !== "ringing") quiet();
  });
  addEventListener("pagehide", () => phone.stop());
  phone.start();
  phone.prepare();
}

const answer = () => phone?.answer();
const hold = () => ask({ do: stream.desk.call?.stage === "hold" ? "resume" : "hold" });
const mute = () => phone?.mute(!phone.call?.muted);

/** The desk ends the call; the phone does it itself when the desk knows of none, or cannot be reached. */
function hangUp() {
  if (stream.link === "up" && LIVE.includes(stream.desk.call?.stage)) ask({ do: "hang_up" });
  else phone?.hangUp();
}

const ready = () => ask({ do: "ready" });
const longer = (seconds) => ask({ do: "more_wrap_up", seconds });

// --- buttons and keys --------------------------------------------------------------------------------------------------

$("go-ready").addEventListener("click", ready);
$("sign-off").addEventListener("click", () => ask({ do: "sign_out" }));
$("answer").addEventListener("click", answer);
$("hold").addEventListener("click", hold);
$("mute").addEventListener("click", mute);
$("hang-up").addEventListener("click", hangUp);
$("notify").addEventListener("click", () => Notification.requestPermission().then(draw));
const reasons = [...document.querySelectorAll("[data-reason]")];
for (const button of reasons) button.addEventListener("click", () => ask({ do: "not_ready", reason: button.dataset.reason }));
for (const button of document.querySelectorAll("[data-longer]")) button.addEventListener("click", () => longer(Number(button.dataset.longer)));
for (const button of document.querySelectorAll("[data-key]")) button.addEventListener("click", () => phone?.press(button.dataset.key));

const visible = (id) => !$(id).hidden && !$("controls").hidden;
const KEYS = {
  F2: () => $("go-ready").disabled || ready(),
  F4: () => visible("answer") && answer(),
  F6: () => ticket.make(),
  F7: () => $("longer").hidden || longer(60),
  F8: () => visible("hold") && hold(),
  F9: () => visible("mute") && mute(),
  F10: () => visible("hang-up") && hangUp(),
};

addEventListener("keydown", (event) => {
  if (event.repeat) return;
  const plain = !event.ctrlKey && !event.altKey && !event.metaKey && !event.shiftKey;
  const digit = /^(?:Digit|Numpad)([1-5])$/.exec(event.code);
  if (plain && event.key in KEYS) {
    event.preventDefault();
    KEYS[event.key]();
  } else if (event.altKey && !event.ctrlKey && digit) {
    event.preventDefault();
    reasons[digit[1] - 1].click();
  } else if (event.altKey && event.code === "KeyF") {
    event.preventDefault();
    caller.openFinder();
  } else if ((event.ctrlKey || event.metaKey) && event.code === "KeyS") {
    event.preventDefault();
    ticket.save();
  }
});

// Unsaved words are worth one question; a conversation is, too, when the phone is this very page.
addEventListener("beforeunload", (event) => {
  if (ticket.dirty || phone?.call) event.preventDefault();
});
