// Keeps a page of calls true while it is open, and fetches the parts that other rooms put on it.

/** Fetch a page of ours as a document, or null when there is nothing (404) or no way to ask now. */
async function page(address) {
  try {
    const answer = await fetch(address, { credentials: "same-origin", headers: { Accept: "text/html" } });
    return answer.ok && !answer.redirected ? new DOMParser().parseFromString(await answer.text(), "text/html") : null;
  } catch {
    return null;
  }
}

/** Whether this piece of the page is left alone: nobody looks, or somebody is in it or selects text. */
function busy(piece) {
  return document.hidden || piece.contains(document.activeElement) || !getSelection().isCollapsed;
}

/** Put the fresh #live in place of the old one. */
async function refresh() {
  const old = document.querySelector("#live[data-live]");
  if (!old) return;
  const fresh = busy(old) ? null : (await page(location.href))?.querySelector("#live");
  if (fresh && fresh.outerHTML !== old.outerHTML) old.replaceWith(document.adoptNode(fresh));
  const again = document.querySelector("#live[data-live]");
  if (again) setTimeout(refresh, Number(again.dataset.live) * 1000);
}

const SLOT_AGAIN = 10; // seconds after which a part that is not there yet is asked for again, while the call goes on

/** Fetch a part; one that says when to look again (data-again, seconds), or is not there yet, is kept true. */
async function fill(slot, asked = false) {
  const part = asked && busy(slot) ? null : await page(slot.dataset.slot);
  if (part) {
    slot.replaceChildren(...[...part.body.childNodes].map((node) => document.adoptNode(node)));
    slot.hidden = false;
  }
  const again = slot.querySelector("[data-again]")?.dataset.again;
  const awaited = slot.hidden && document.querySelector("#live[data-live]");
  if (again || awaited) setTimeout(() => fill(slot, true), Number(again ?? SLOT_AGAIN) * 1000);
}

for (const slot of document.querySelectorAll("[data-slot]")) await fill(slot);

const first = document.querySelector("#live[data-live]");
if (first) setTimeout(refresh, Number(first.dataset.live) * 1000);
