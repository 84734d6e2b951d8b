// The page listens: the panel with the button that asks for the microphone, and the place for a sound file. It shows what would be
// sent, asks whether everybody agrees, and only then sends; then it leads to the stream's view.

import { element, mark, say } from "./dom.js";
import { SENDABLE } from "./link.js";
import { forbidden, Microphone, whyNot } from "./microphone.js";
import { level, toS16 } from "./pcm.js";
import { decode, FileSender } from "./sound_file.js";
import { SoundSocket } from "./sound_socket.js";
import { position, printable } from "./words.js";

const DOOR = "web/sound";
const STORED = "stream-ser-sound-token"; // in sessionStorage: gone with the tab
const QUIETEST_DB = -60; // the left end of the meter
const LOUD_DB = -1; // of a peak: clipping is near
const SHOWN_MS = 100; // how often the meter moves
const ZERO_BLOCKS = 100; // of digital silence, after which something is said: 2 s
const LOOKS = 100; // for the stream among those of the feed: 10 s

export class Listening {
  /** Puts the panel behind `root`. `link` knows the server, `state` its streams. */
  constructor(root, link, state) {
    this.link = link;
    this.state = state;
    this.token = sessionStorage.getItem(STORED);
    const button = (text, pressed) => {
      const made = element("button", { type: "button" }, text);
      made.addEventListener("click", () => pressed());
      return made;
    };
    this.listen = button("Listen with a microphone", () => this.#prepare(() => this.#openMicrophone()));
    this.file = element("input", { type: "file", id: "sound-file", accept: "audio/*,video/*" });
    this.file.addEventListener("change", () => this.file.files.length && this.#prepareFile(this.file.files[0]));
    this.start = element("div", { class: "start" }, this.listen, element("label", { for: "sound-file" }, "or a sound file, here or dropped on this page:"), this.file);
    this.meter = element("meter", { min: QUIETEST_DB, max: 0, low: -45, high: -6, optimum: -20, "aria-label": "Level of the sound" });
    this.about = element("p", { id: "sound-about" });
    this.level = element("p", { class: "level" }, this.meter, element("span", { class: "quiet" }));
    this.consent = element("p", { id: "sound-consent" });
    this.agree = button("All agree: send it", () => this.#send(false));
    this.agreeAtOnce = button("All agree: send it at once", () => this.#send(true));
    this.pause = button("Pause", () => this.#pause());
    this.stop = button("Stop", () => this.#end("", this.phase === "ready" ? "Nothing was sent." : "Nothing is sent any more."));
    this.actions = element("p", { class: "actions" }, this.agree, this.agreeAtOnce, this.pause, this.stop);
    this.told = element("p", { id: "sound-told", role: "alert" });
    this.secret = element("input", { type: "password", id: "sound-token", autocomplete: "off", spellcheck: "false", required: "" });
    this.form = element("form", { autocomplete: "off", hidden: "" },
      element("label", { for: "sound-token" }, "To send sound, this server asks for a publisher's token"), this.secret, element("button", { type: "submit" }, "Use it"));
    this.form.addEventListener("submit", (event) => this.#useToken(event));
    this.node = element("section", { id: "listening", "aria-label": "Listen" }, this.start, this.form, this.about, this.level, this.consent, this.actions, this.told);
    root.after(this.node); // behind what people watch, and at the bottom of the window as long as it asks or sends
    this.#drops();
    addEventListener("pagehide", () => this.#end(""));
    this.#show("idle");
  }

  /** Show what the phase needs: idle, opening (a microphone, a file), ready (nothing is sent yet), sending. */
  #show(phase) {
    this.phase = phase;
    const busy = phase === "ready" || phase === "sending";
    this.start.hidden = busy;
    this.listen.disabled = this.file.disabled = phase === "opening";
    this.about.hidden = this.actions.hidden = !busy;
    this.level.hidden = !busy || this.microphone === undefined;
    this.consent.hidden = this.agree.hidden = phase !== "ready";
    this.agreeAtOnce.hidden = phase !== "ready" || this.sound === undefined || !this.admission?.at_once;
    this.pause.hidden = phase !== "sending" || this.microphone === undefined;
    this.node.dataset.phase = phase;
    say(this.stop, phase === "ready" ? "Do not send" : "Stop");
    say(this.agree, this.sound === undefined ? "All agree: send it" : "All agree: send it as it was spoken");
  }

  /** Ask the server whether it would take sound, then do what leads to it. */
  async #prepare(open) {
    if (this.phase !== "idle") return;
    this.#say("");
    try {
      this.key = this.token ?? this.link.token;
      this.admission = await this.link.ask("", DOOR, this.key);
    } catch {
      return this.#say("The server cannot be reached.");
    }
    const { status, text } = this.admission;
    this.form.hidden = !text.startsWith("token-");
    if (!this.form.hidden) {
      this.again = open;
      this.secret.focus();
      return this.#say(this.token === null ? "" : text);
    }
    if (status === 404) return this.#say("This server takes no sound. stream-ser live --browser does, and live, replay and serve.");
    if (status !== 200) return this.#say(`The server takes no sound now: ${text}`);
    await open();
  }

  #useToken(event) {
    event.preventDefault();
    const token = this.secret.value.trim();
    this.secret.value = "";
    if (!SENDABLE.test(token)) return this.#say("This is no token: it has characters that tokens do not have, or none.");
    this.token = token;
    sessionStorage.setItem(STORED, token);
    this.#prepare(this.again);
  }

  async #openMicrophone() {
    const reason = forbidden();
    if (reason !== null) return this.#say(reason);
    this.#show("opening");
    try {
      const held = (text) => this.#say(text);
      this.microphone = await Microphone.open((block) => this.#hear(block), (text) => this.#end(text), held);
    } catch (error) {
      this.#show("idle");
      return this.#say(whyNot(error));
    }
    const { name, rate, processed } = this.microphone;
    this.zeros = this.shownAt = 0;
    say(this.about, `${name}, ${rate} Hz.${processed.length ? ` The browser changes the voice (${processed.join(", ")}), so the level says little.` : ""} Nothing is sent yet.`);
    this.#askConsent("what this microphone hears goes", "can be heard");
  }

  #prepareFile(file) {
    this.#prepare(async () => {
      this.#show("opening");
      try {
        this.sound = await decode(file);
      } catch (error) {
        this.#show("idle");
        return this.#say(error.message);
      } finally {
        this.file.value = "";
      }
      say(this.about, `${this.sound.name}, ${position(this.sound.seconds)}, ${this.sound.rate} Hz. Nothing is sent yet.`);
      this.#askConsent("the sound of this file goes", "speaks in it");
    });
  }

  #askConsent(what, who) {
    const days = this.admission.stored_days;
    const kept = days === null || days === undefined ? "" : ` They are stored for ${days} days.`;
    say(this.consent, `If you agree, ${what} to ${location.host}, where a model estimates which emotion listeners would perceive in the voice. `
      + `The sound is not stored. Whoever may watch this page sees the estimates.${kept} Everyone who ${who} must know this and agree.`);
    this.#show("ready");
    this.agree.focus();
  }

  #send(atOnce) {
    const { microphone, sound } = this;
    const call = `browser-${[...crypto.getRandomValues(new Uint8Array(4))].map((byte) => byte.toString(16).padStart(2, "0")).join("")}`;
    const parameters = sound ? { source: "recording", name: sound.name, duration_s: String(sound.seconds) } : { source: "microphone", device: printable(microphone.name) };
    this.socket = new SoundSocket(this.link, this.admission, this.key, (stream) => this.#accepted(stream, atOnce), (text) => this.#end(text));
    this.sent = 0;
    this.paused = false;
    say(this.pause, "Pause");
    this.#show("sending");
    this.#tellSent();
    this.socket.open(call, (sound ?? microphone).rate, parameters);
  }

  #accepted(stream, atOnce) {
    this.#goTo(stream);
    if (this.sound === undefined) return;
    const moved = (seconds) => {
      this.sent = seconds;
      this.#tellSent();
    };
    this.sender = new FileSender(this.sound, this.socket, moved, () => this.#end("", "All of the file was sent."));
    if (atOnce) this.sender.atOnce();
    else this.sender.paced().catch((error) => this.#end(error.message));
  }

  /** Open the stream's view as soon as the feed has told of it. */
  #goTo(stream) {
    let looks = 0;
    clearInterval(this.going);
    this.going = setInterval(() => {
      const there = this.state.streams.has(stream);
      if (!there && ++looks < LOOKS) return;
      clearInterval(this.going);
      if (there) location.hash = `#/stream/${encodeURIComponent(stream)}`;
      else this.#say(`The sound is taken as ${stream}, but this page is not shown it: a viewer's token may be needed, of the same tenant.`);
    }, SHOWN_MS);
  }

  #hear(block) {
    if (this.phase === "sending" && this.socket.isOpen) {
      this.socket.send(this.paused ? new Int16Array(block.length) : toS16(block)); // time goes on in a pause, the voice does not
      this.sent += block.length / this.microphone.rate;
    }
    const now = performance.now();
    const heard = level(block);
    this.zeros = heard.peak > -120 ? 0 : this.zeros + 1;
    this.peak = Math.max(this.peak ?? QUIETEST_DB, heard.peak);
    if (now - this.shownAt < SHOWN_MS) return;
    this.meter.value = Math.max(QUIETEST_DB, heard.rms);
    const hint = this.zeros >= ZERO_BLOCKS ? ", nothing but digital zeros: is it muted?" : this.peak > LOUD_DB ? ", too loud: turn it down" : "";
    say(this.level.lastChild, ` ${String(Math.round(heard.rms)).replace("-", "−")} dBFS${hint}`);
    this.shownAt = now;
    this.peak = undefined;
    if (this.phase === "sending") this.#tellSent();
  }

  #tellSent() {
    const { sound } = this;
    const what = sound ? `${sound.name}: ${position(this.sent)} of ${position(sound.seconds)} sent.` : `Listening for ${position(this.sent)}.`;
    say(this.about, this.paused ? `Paused: nothing of the voice is sent. ${what}` : what);
  }

  #pause() {
    this.paused = !this.paused;
    this.socket.pause(this.paused);
    say(this.pause, this.paused ? "Go on" : "Pause");
  }

  /** Let go of everything, and say why. */
  #end(text, done = "") {
    const { socket, sender, microphone } = this;
    this.socket = this.sender = this.microphone = this.sound = undefined;
    sender?.stop();
    microphone?.stop();
    socket?.close();
    if (microphone === undefined && socket === undefined && this.phase === "idle") return;
    this.#show("idle");
    this.#say(text || done, text !== "");
  }

  #say(text, wrong = true) {
    say(this.told, text);
    mark(this.told, "data-wrong", wrong ? "yes" : null);
  }

  #drops() {
    const over = (event) => [...(event.dataTransfer?.items ?? [])].some((item) => item.kind === "file");
    addEventListener("dragover", (event) => {
      if (!over(event)) return;
      event.preventDefault(); // else the browser would leave the page for the file
      this.node.dataset.over = "yes";
    });
    addEventListener("dragleave", () => delete this.node.dataset.over);
    addEventListener("drop", (event) => {
      if (!over(event)) return;
      event.preventDefault();
      delete this.node.dataset.over;
      const [file] = event.dataTransfer.files;
      if (this.phase === "idle" && file) this.#prepareFile(file);
    });
  }
}
