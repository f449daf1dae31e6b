// Sentences heard as callers hear them: one at a time, in the desk's own voice.

import { ApiTrouble } from "/static/api.js";

const player = new Audio();
let address = null;

/** Plays the sentence; resolves once it sounds. Throws an `ApiTrouble` when it cannot be spoken. */
export async function hear(text, language) {
  const answer = await fetch("/api/v1/speech", {
    method: "POST",
    credentials: "same-origin",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ text, language }),
  });
  if (!answer.ok) {
    const said = answer.headers.get("content-type")?.includes("json") ? await answer.json() : null;
    throw new ApiTrouble(answer.status, said?.error);
  }
  if (address) URL.revokeObjectURL(address);
  address = URL.createObjectURL(await answer.blob());
  player.src = address;
  await player.play();
}

/** A button that plays what `sentence()` gives; what goes wrong is said by `tell(text, tone)`. */
export function hearButton(button, sentence, language, tell) {
  button.addEventListener("click", async () => {
    const text = sentence().trim();
    if (!text) return;
    button.disabled = true;
    button.dataset.heard = "";
    try {
      await hear(text, language());
      button.dataset.heard = "yes";
    } catch (trouble) {
      tell(trouble.message, "bad");
    } finally {
      button.disabled = false;
    }
  });
  return button;
}
