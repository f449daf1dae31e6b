// What a page says of what was just done: it stays in sight wherever the reader is on the page, until it is put away.

import { el } from "/static/api.js";

/** Shows `text` in the page's `#said`; `tone` is good, warn or bad. Trouble is read aloud at once. */
export function tell(text, tone = "good") {
  const said = document.getElementById("said");
  const away = el("button", { type: "button", class: "fl-away", "aria-label": said.dataset.close });
  away.addEventListener("click", () => (said.hidden = true));
  said.dataset.tone = tone;
  said.setAttribute("aria-live", tone === "good" ? "polite" : "assertive");
  said.hidden = false;
  said.replaceChildren(el("span", {}, text), away);
}
