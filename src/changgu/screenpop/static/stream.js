// The one ordered stream between this page and the desk: everything shown comes from it, nothing is worked out here.

const FIRST_RETRY = 500;
const LAST_RETRY = 8000;
/** The service says something at least every 15 seconds. */
const DEAD_AFTER = 35000;
const SIGNED_OUT = 4401;
const FORBIDDEN = 4403;

export class DeskStream extends EventTarget {
  constructor(path) {
    super();
    this.url = `${location.protocol === "https:" ? "wss" : "ws"}://${location.host}${path}`;
    this.link = "connecting";
    this.desk = { agent: null, state: null, call: null, pop: null };
    this.ahead = 0;
    this.wait = FIRST_RETRY;
    this.wishes = new Map();
    this.names = 0;
    addEventListener("online", () => this.link !== "up" && this.#again(0));
    this.#connect();
  }

  /** The service's clock, in seconds; a page with a wrong clock still shows the right duration. */
  now() {
    return Date.now() / 1000 + this.ahead;
  }

  /** Ask for something; resolves when it is done, rejects with an Error in the reader's language. */
  wish(body) {
    return new Promise((done, refused) => {
      if (this.socket?.readyState !== WebSocket.OPEN) {
        refused(new Error("link"));
        return;
      }
      const id = String(++this.names);
      this.wishes.set(id, { done, refused });
      this.socket.send(JSON.stringify({ ...body, id }));
    });
  }

  #connect() {
    clearTimeout(this.timer);
    const socket = new WebSocket(this.url);
    this.socket = socket;
    this.seq = 0;
    this.#watch();
    socket.addEventListener("message", ({ data }) => socket === this.socket && this.#heard(JSON.parse(data)));
    socket.addEventListener("close", ({ code }) => socket === this.socket && this.#closed(code));
  }

  #heard(message) {
    this.#watch();
    if (message.seq !== this.seq + 1) {
      this.#again(0);
      return;
    }
    this.seq = message.seq;
    this.ahead = message.at - Date.now() / 1000;
    switch (message.type) {
      case "hello":
        this.desk = { agent: message.agent, state: message.state, call: message.call, pop: message.pop };
        this.wait = FIRST_RETRY;
        this.link = "up";
        break;
      case "state":
      case "call":
      case "pop":
      case "unanswered":
        this.desk[message.type] = message[message.type];
        break;
      case "done":
        this.#settle(message.id)?.done();
        return;
      case "error":
        this.#settle(message.id)?.refused(new Error(document.body.dataset.lang === "en" ? message.en : message.ko));
        return;
      default:
        return;
    }
    this.dispatchEvent(new CustomEvent("change", { detail: message.type }));
  }

  #settle(id) {
    const wish = this.wishes.get(id);
    this.wishes.delete(id);
    return wish;
  }

  #watch() {
    clearTimeout(this.dead);
    this.dead = setTimeout(() => this.#again(0), DEAD_AFTER);
  }

  #closed(code) {
    clearTimeout(this.dead);
    for (const { refused } of this.wishes.values()) refused(new Error("link"));
    this.wishes.clear();
    if (code === SIGNED_OUT || code === FORBIDDEN) {
      this.link = code === SIGNED_OUT ? "signed_out" : "forbidden";
    } else {
      this.link = "down";
      this.#again(this.wait * (0.75 + Math.random() / 2));
      this.wait = Math.min(this.wait * 2, LAST_RETRY);
    }
    this.dispatchEvent(new CustomEvent("change", { detail: "link" }));
  }

  #again(delay) {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => {
      const old = this.socket;
      this.socket = null;
      old?.close();
      this.#connect();
    }, delay);
  }
}
