// Shows the definition behind a figure: on hover and on focus, dismissed by Escape, never cut off by a table's edge.

const tip = document.createElement("div");
tip.id = "definition";
tip.className = "definition";
tip.setAttribute("role", "tooltip");
tip.popover = "manual";
document.body.append(tip);

let shown = null;

function show(button) {
  if (shown === button || !button.dataset.definition) return;
  hide();
  shown = button;
  tip.textContent = button.dataset.definition;
  button.setAttribute("aria-describedby", tip.id);
  tip.showPopover();
  const at = button.getBoundingClientRect();
  const size = tip.getBoundingClientRect();
  const below = at.bottom + 6 + size.height <= innerHeight;
  tip.style.left = `${Math.max(8, Math.min(at.left, innerWidth - size.width - 8))}px`;
  tip.style.top = `${below ? at.bottom + 6 : Math.max(8, at.top - size.height - 6)}px`;
}

function hide() {
  if (!shown) return;
  shown.removeAttribute("aria-describedby");
  shown = null;
  tip.hidePopover();
}

const of = (event) => event.target.closest?.(".define");
document.addEventListener("pointerover", (event) => (of(event) ? show(of(event)) : event.target === tip || hide()));
document.addEventListener("focusin", (event) => (of(event) ? show(of(event)) : hide()));
document.addEventListener("focusout", hide);
document.addEventListener("keydown", (event) => event.key === "Escape" && hide());
addEventListener("scroll", hide, { capture: true, passive: true });
