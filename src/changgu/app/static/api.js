// How a page asks the service for something: JSON in, JSON out, and trouble said in the reader's language.

export const lang = document.body?.dataset.lang ?? "ko";

/** A refusal, with the sentence to show and the field it is about (or null). */
export class ApiTrouble extends Error {
  constructor(status, error) {
    super(error?.[lang] ?? error?.ko ?? (lang === "ko" ? "처리하지 못했습니다." : "That did not work."));
    this.status = status;
    this.field = error?.field ?? null;
  }
}

/** `await api("/api/v1/agents/kim/state", { method: "POST", body: { state: "ready" } })` */
export async function api(path, { method = "GET", body, signal } = {}) {
  let answer;
  try {
    answer = await fetch(path, {
      method,
      signal,
      credentials: "same-origin",
      headers: { Accept: "application/json", ...(body === undefined ? {} : { "Content-Type": "application/json" }) },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
  } catch (reason) {
    if (reason.name === "AbortError") throw reason;
    throw new ApiTrouble(0, { ko: "서버에 연결할 수 없습니다.", en: "The server cannot be reached." });
  }
  if (answer.status === 401) {
    location.assign(`/sign-in?next=${encodeURIComponent(location.pathname + location.search)}`);
  }
  const content = answer.headers.get("content-type")?.includes("json") ? await answer.json() : null;
  if (!answer.ok) throw new ApiTrouble(answer.status, content?.error);
  return content;
}

/** `0:07`, `12:03`, `1:02:03` */
export function clock(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  const pad = (n) => String(n).padStart(2, "0");
  const hours = Math.floor(whole / 3600);
  const minutes = Math.floor((whole % 3600) / 60);
  return hours ? `${hours}:${pad(minutes)}:${pad(whole % 60)}` : `${minutes}:${pad(whole % 60)}`;
}

/** Make an element: `el("td", { class: "num" }, "12")`; text is never parsed as HTML. */
export function el(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (key === "text") element.textContent = value;
    else element.setAttribute(key, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}
