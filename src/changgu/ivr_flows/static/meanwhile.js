// Somebody else saved first: what they changed, what of the reader's would change, and what can be done about it.

import { el } from "/static/api.js";

/** What was said of a change that is over, or of what is no longer looked at. */
export function closeMeanwhile() {
  const place = document.getElementById("meanwhile");
  place.hidden = true;
  place.replaceChildren();
}

/** Shows the page's `#meanwhile`. `lists`: [title, lines, said when there are none]; `acts`: [word, tone, work]. */
export function showMeanwhile(title, closeWord, lists, acts) {
  const place = document.getElementById("meanwhile");
  const heading = el("h2", { tabindex: -1 }, title);
  const buttons = [...acts, [closeWord, "", closeMeanwhile]].map(([word, tone, work]) => {
    const button = el("button", { type: "button", class: `button ${tone}` }, word);
    button.addEventListener("click", () => work(button));
    return button;
  });
  place.replaceChildren(
    heading,
    el("div", { class: "fl-two" }, ...lists.map(([name, lines, none]) => el("div", {}, el("h3", {}, name), lines.length ? el("ul", { class: "fl-differences" }, ...lines) : el("p", { class: "hint" }, none)))),
    el("div", { class: "actions" }, ...buttons),
  );
  place.hidden = false;
  place.scrollIntoView({ block: "center" });
  heading.focus({ preventScroll: true });
}
