// The line to the wallboard's feed: a snapshot, then numbered deltas; mends itself, and says how old its data are.

const SILENCE = 12_000; // the feed speaks at least every 5 s
const LONGEST_PAUSE = 8_000;
const CLOCK_MEMORY = 60_000;

/**
 * Keeps `queues`, `agents` and `totals` as the server has them.
 *
 * onChange(board, changed): after every message; `changed` names the queues and agents that moved, or is null after a
 *   snapshot, when everything may have.
 * onLine({ state: "connecting" | "live" | "stale" | "forbidden", age }): age in milliseconds of the last message.
 */
export class BoardLine {
  constructor({ onChange, onLine, url = "/api/v1/wallboard" }) {
    this.queues = {};
    this.agents = {};
    this.totals = null;
    this.seq = null;
    this.onChange = onChange;
    this.onLine = onLine;
    this.url = url;
    this.heard = null;
    this.failures = 0;
    this.offset = 0;
    this.offsetAt = -Infinity;
    this.socket = null;
    this.timer = null;
    setInterval(() => this.#watch(), 1000);
    addEventListener("online", () => this.#retryNow());
    document.addEventListener("visibilitychange", () => document.hidden || this.#retryNow());
    this.#connect();
  }

  /** The server's clock, in milliseconds. */
  now() {
    return Date.now() + this.offset;
  }

  #connect() {
    clearTimeout(this.timer);
    this.timer = null;
    const address = new URL(this.url, location.href);
    address.protocol = address.protocol === "https:" ? "wss:" : "ws:";
    const socket = new WebSocket(address);
    this.socket = socket;
    socket.onmessage = ({ data }) => socket === this.socket && this.#take(JSON.parse(data));
    socket.onclose = ({ code }) => socket === this.socket && this.#closed(code);
  }

  #take(message) {
    this.#setClock(message.at);
    if (message.type === "snapshot") {
      this.queues = message.queues;
      this.agents = message.agents;
      this.totals = message.totals;
      this.seq = message.seq;
    } else if (message.type === "delta") {
      if (message.seq !== this.seq + 1) return this.#reconnect(); // something was missed: never show a guess
      this.seq = message.seq;
      merge(this.queues, message.queues);
      merge(this.agents, message.agents);
      if (Object.keys(message.totals).length) this.totals = message.totals;
    }
    this.heard = performance.now();
    this.failures = 0;
    this.#say("live");
    const changed = message.type === "snapshot" ? null : { queues: Object.keys(message.queues), agents: Object.keys(message.agents) };
    this.onChange(this, changed);
  }

  // A message that travelled long makes the server look slow; the greatest difference of the last minute is the truest.
  #setClock(at) {
    const seen = Date.parse(at) - Date.now();
    if (seen > this.offset || performance.now() - this.offsetAt > CLOCK_MEMORY) {
      this.offset = seen;
      this.offsetAt = performance.now();
    }
  }

  #closed(code) {
    this.socket = null;
    if (code === 4401) return location.assign(`/sign-in?next=${encodeURIComponent(location.pathname)}`);
    if (code === 4403) return this.#say("forbidden");
    this.#say(this.heard === null ? "connecting" : "stale");
    const pause = code === 1012 ? 0 : Math.min(LONGEST_PAUSE, 500 * 2 ** this.failures);
    this.failures += 1;
    this.timer = setTimeout(() => this.#connect(), pause + Math.random() * 400);
  }

  #reconnect() {
    const socket = this.socket;
    this.socket = null;
    socket?.close();
    this.#connect();
  }

  #retryNow() {
    if (this.timer !== null) this.#connect();
  }

  #watch() {
    if (this.heard === null) return;
    const age = performance.now() - this.heard;
    if (this.socket?.readyState === WebSocket.OPEN && age > SILENCE) this.#reconnect(); // a dead line that nobody closed
    if (this.socket?.readyState !== WebSocket.OPEN) this.#say("stale");
  }

  #say(state) {
    this.onLine({ state, age: this.heard === null ? null : performance.now() - this.heard });
  }
}

function merge(kept, changes) {
  for (const [key, value] of Object.entries(changes)) {
    if (value === null) delete kept[key];
    else kept[key] = value;
  }
}
