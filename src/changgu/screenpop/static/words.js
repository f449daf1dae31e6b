// The page's words in the reader's language, and the few ways in which it writes times and numbers.

const words = JSON.parse(document.getElementById("words").textContent);
const english = document.body.dataset.lang === "en";

/** `say("desk.several", { count: 3 })` */
export function say(key, parts = {}) {
  return (words[key] ?? key).replace(/\{(\w+)\}/g, (_, name) => parts[name] ?? "");
}

/** 14:03 */
export function hour(instant) {
  return new Date(instant * 1000).toLocaleTimeString(english ? "en-GB" : "ko-KR", { hour: "2-digit", minute: "2-digit", hour12: false });
}

/** 11-20 14:03, or 14:03 today */
export function day(instant) {
  const when = new Date(instant * 1000);
  const two = (n) => String(n).padStart(2, "0");
  const date = `${two(when.getMonth() + 1)}-${two(when.getDate())}`;
  if (when.toDateString() === new Date().toDateString()) return hour(instant);
  return when.getFullYear() === new Date().getFullYear() ? `${date} ${hour(instant)}` : `${when.getFullYear()}-${date}`;
}

/** 1000018 → 100-0018, as every page shows a ticket's number. */
export function ticketNumber(number) {
  return `${number.slice(0, 3)}-${number.slice(3)}`;
}
