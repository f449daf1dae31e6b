// A SIP phone inside a page: registers, rings, talks. It knows nothing of the desk around it.
//
// States of the line: "off", "connecting", "online" (registered, or ready to call), "offline" (tries again by itself).
// States of the call: null, or { direction, stage: "ringing" | "dialling" | "talking", muted, since, failure }.

import JsSIP from "/static/vendor/jssip.js";

/** Seconds after which a registration is renewed, and after which a lost line is tried again. */
const REGISTER_EXPIRES = 120;
const FIRST_RETRY = 3;
const LAST_RETRY = 15;

export const SPEECH = { echoCancellation: true, noiseSuppression: true, autoGainControl: true };

/** Calls `then` once the audio of a connection can flow, now or later. */
function whenConnected(connection, then) {
  if (connection.connectionState === "connected") {
    then();
    return;
  }
  const look = () => {
    if (connection.connectionState !== "connected") return;
    connection.removeEventListener("connectionstatechange", look);
    then();
  };
  connection.addEventListener("connectionstatechange", look);
}

export class BrowserPhone extends EventTarget {
  /**
   * @param account { user, password, websocket }  the path on this server, and who we are to the PBX
   * @param options register: false for a phone that only calls out; sound: the <audio> that the other side is heard from;
   *                microphone: constraints, such as tests need to send a clean tone
   */
  constructor(account, { register = true, sound, microphone = SPEECH }) {
    super();
    this.line = "off";
    this.call = null;
    this.trouble = null;
    this.sound = sound;
    this.microphone = microphone;
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    this.domain = location.hostname;
    this.agent = new JsSIP.UA({
      sockets: [new JsSIP.WebSocketInterface(`${scheme}://${location.host}${account.websocket}`)],
      uri: `sip:${account.user}@${this.domain}`,
      password: account.password,
      register,
      register_expires: REGISTER_EXPIRES,
      session_timers: false,
      connection_recovery_min_interval: FIRST_RETRY,
      connection_recovery_max_interval: LAST_RETRY,
      user_agent: "changgu browser phone",
    });
    this.agent.on("connecting", () => this.#line("connecting"));
    this.agent.on("connected", () => this.#line(register ? "connecting" : "online"));
    this.agent.on("disconnected", () => this.#line(this.line === "off" ? "off" : "offline"));
    this.agent.on("registered", () => this.#line("online"));
    this.agent.on("unregistered", () => this.#line(this.line === "off" ? "off" : "connecting"));
    this.agent.on("registrationFailed", () => {
      this.#line("offline");
      // The line itself is fine (the PBX may be loading its phones after a restart), so nobody else tries again.
      this.retry = setTimeout(() => this.line === "offline" && this.agent.isConnected() && this.agent.register(), 3000);
    });
    this.agent.on("newRTCSession", ({ originator, session }) => this.#took(originator, session));
  }

  start() {
    this.line = "connecting";
    this.agent.start();
    this.#changed();
  }

  /** Leave the network; a call in progress ends. */
  stop() {
    clearTimeout(this.retry);
    this.line = "off";
    this.agent.stop();
    this.#changed();
  }

  /** Ask for the microphone once, so that nobody is asked while a caller waits. False when there is none to be had. */
  async prepare() {
    if (!navigator.mediaDevices) {
      this.trouble = "insecure";
    } else {
      try {
        const stream = await navigator.mediaDevices.getUserMedia({ audio: this.microphone });
        for (const track of stream.getTracks()) track.stop();
        this.trouble = null;
      } catch (reason) {
        this.trouble = reason.name === "NotAllowedError" ? "denied" : "no_microphone";
      }
    }
    this.#changed();
    return this.trouble === null;
  }

  dial(number) {
    if (this.session) return;
    this.agent.call(`sip:${number}@${this.domain}`, this.#media());
  }

  answer() {
    if (this.call?.direction === "in" && this.call.stage === "ringing") this.session.answer(this.#media());
  }

  hangUp() {
    if (this.session && !this.session.isEnded()) this.session.terminate();
  }

  mute(wanted) {
    if (!this.session || this.call.stage !== "talking") return;
    if (wanted) this.session.mute({ audio: true });
    else this.session.unmute({ audio: true });
    this.call.muted = wanted;
    this.#changed();
  }

  /** A key, sent as RFC 4733 events in the audio stream: what menus listen for. Keys pressed before it flows follow. */
  press(key) {
    if (this.call?.stage === "dialling") this.early.push(key);
    else if (this.call?.stage === "talking") this.session.sendDTMF(key, { transportType: "RFC2833", duration: 120 });
  }

  #media() {
    return {
      mediaConstraints: { audio: this.microphone, video: false },
      pcConfig: { iceServers: [] },
      rtcOfferConstraints: { offerToReceiveAudio: true, offerToReceiveVideo: false },
    };
  }

  #took(originator, session) {
    if (this.session) {
      session.terminate({ status_code: 486 });
      return;
    }
    this.session = session;
    const incoming = originator === "remote";
    this.call = { direction: incoming ? "in" : "out", stage: incoming ? "ringing" : "dialling", muted: false, since: null };
    const hear = (connection) =>
      connection.addEventListener("track", ({ streams, track }) => {
        this.sound.srcObject = streams[0] ?? new MediaStream([track]);
        this.sound.play().catch(() => this.#trouble("silent"));
      });
    if (session.connection) hear(session.connection);
    else session.on("peerconnection", ({ peerconnection }) => hear(peerconnection));
    // One address is enough on this network; waiting for every candidate costs the caller seconds.
    let gathering;
    session.on("icecandidate", ({ ready }) => {
      clearTimeout(gathering);
      gathering = setTimeout(ready, 300);
    });
    this.early = [];
    // The call is accepted before the audio has its keys (DTLS); until then nobody is heard, and no key arrives.
    session.on("confirmed", () =>
      whenConnected(session.connection, () => {
        if (this.session !== session) return;
        this.call.stage = "talking";
        this.call.since = Date.now();
        for (const key of this.early.splice(0)) this.press(key);
        this.#changed();
      }),
    );
    session.on("getusermediafailed", (reason) => this.#trouble(reason?.name === "NotAllowedError" ? "denied" : "no_microphone"));
    const over = ({ cause, originator: by }) => {
      clearTimeout(gathering);
      this.session = null;
      this.call = null;
      this.sound.srcObject = null;
      this.dispatchEvent(new CustomEvent("over", { detail: { cause, by } }));
      this.#changed();
    };
    session.on("ended", over);
    session.on("failed", over);
    this.#changed();
  }

  #trouble(what) {
    this.trouble = what;
    this.#changed();
  }

  #line(state) {
    if (state === "online" && this.line !== "online") this.trouble = this.trouble === "silent" ? null : this.trouble;
    this.line = state;
    this.#changed();
  }

  #changed() {
    this.dispatchEvent(new Event("change"));
  }
}

/** Hold a name for as long as this page lives; at most one tab of a browser has it. Resolves when we do. */
export function onlyTab(name, waiting) {
  return new Promise((have) => {
    if (!navigator.locks) {
      have();
      return;
    }
    navigator.locks.request(name, { ifAvailable: true }, (lock) => {
      if (!lock) {
        waiting();
        navigator.locks.request(name, () => hold(have));
        return undefined;
      }
      return hold(have);
    });
  });
}

function hold(have) {
  have();
  return new Promise(() => {});
}
