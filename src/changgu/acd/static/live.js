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

/** Put the fresh #live in place of the old one; leave it alone while somebody is in it or selects text. */
async function refresh() {
  const old = document.querySelector("#live[data-live]");
  if (!old) return;
  const busy = document.hidden || old.contains(document.activeElement) || !getSelection().isCollapsed;
  const fresh = busy ? null : (await page(location.href))?.querySelector("#live");
  if (fresh && fresh.outerHTML !== old.outerHTML) old.replaceWith(document.adoptNode(fresh));
  const again = document.querySelector("#live[data-live]");
  if (again) setTimeout(refresh, Number(again.dataset.live) * 1000);
}

/** Fetch a part; one that says when to look again (data-again, seconds) is kept true. */
async function fill(slot) {
  const part = await page(slot.dataset.slot);
  if (part) {
    slot.replaceChildren(...[...part.body.childNodes].map((node) => document.adoptNode(node)));
    slot.hidden = false;
  }
  const again = slot.querySelector("[data-again]");
  if (again) setTimeout(() => fill(slot), Number(again.dataset.again) * 1000);
}

for (const slot of document.querySelectorAll("[data-slot]")) await fill(slot);

const first = document.querySelector("#live[data-live]");
if (first) setTimeout(refresh, Number(first.dataset.live) * 1000);
