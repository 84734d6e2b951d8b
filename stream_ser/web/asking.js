// Asks the feed what the points of one stream rest on, by a connection of its own, from `start` to `stop`. The page's other
// connection knows nothing of it: what comes here is in no history, and is lost when nobody takes it.

const FIRST_DELAY_MS = 300, LAST_DELAY_MS = 5000;
const HZ = 4; // answers a second at most

export class Asking {
  /** `link` knows the address and the token; `take` gets every `why` message, `tell` a text for the person who waits. */
  constructor(link, take, tell) {
    this.link = link;
    this.take = take;
    this.tell = tell;
    this.turn = 0; // so that what an old connection still says is not heard
    this.stream = null;
    this.delay = FIRST_DELAY_MS;
    this.seen = () => this.stream !== null && (document.hidden ? this.#leave() : this.#connect());
  }

  /** Ask about a stream. */
  start(stream) {
    this.stream = stream;
    document.addEventListener("visibilitychange", this.seen); // nothing is asked that nobody looks at
    this.#connect();
  }

  stop() {
    this.stream = null;
    document.removeEventListener("visibilitychange", this.seen);
    this.#leave();
  }

  async #connect() {
    const turn = this.#leave();
    try {
      for (const asked of ["spectrogram", "attention"]) {
        const query = new URLSearchParams({ stream: this.stream, why: asked, hz: HZ });
        const admission = await this.link.ask(query);
        if (turn !== this.turn) return;
        if (admission.status === 200) return this.#open(turn, query, admission.subprotocol, asked);
        if (!admission.text.startsWith("spectrograms-")) return this.#again(admission.text);
      }
    } catch {
      if (turn === this.turn) this.#again("the connection is lost");
    }
  }

  #open(turn, query, subprotocol, asked) {
    this.tell(asked === "attention" ? "This server gives out no spectrograms: attention alone is shown." : "");
    const socket = (this.socket = this.link.socketFor(query, subprotocol));
    socket.onmessage = ({ data }) => {
      if (turn !== this.turn) return;
      this.delay = FIRST_DELAY_MS;
      const message = JSON.parse(data);
      if (message.type === "why") this.take(message);
    };
    socket.onclose = () => turn === this.turn && this.#again("the connection is lost");
  }

  #again(text) {
    this.#leave();
    this.tell(`Nothing comes: ${text}.`);
    this.timer = setTimeout(() => this.#connect(), this.delay);
    this.delay = Math.min(2 * this.delay, LAST_DELAY_MS);
  }

  #leave() {
    clearTimeout(this.timer);
    this.socket?.close();
    this.socket = null;
    return ++this.turn;
  }
}
