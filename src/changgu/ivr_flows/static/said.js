// What a page says of what was just done, in sight wherever its reader is; and of a table's cells, where rows are cards.

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

/** On a narrow screen a row is a card (`fl-cards`): every cell is given the word of its column to stand before it. */
export function labelCells(table) {
  const words = [...table.tHead.rows[0].cells].map((cell) => cell.textContent.trim());
  for (const row of table.tBodies[0].rows) [...row.cells].forEach((cell, column) => (cell.dataset.label = words[column]));
}
