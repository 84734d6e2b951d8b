// What the page remembers of the feed's numbering, so that it can come back: docs/protocol.md, "Coming back".
// Pure: no socket, no clock.

const UNNUMBERED = new Set(["hello", "heartbeat", "snapshot"]);

/**
 * Bookkeeping over all connections of one page.
 *
 * `take` says what to do with a message:
 * - "take": it is new;
 * - "skip": the page has it;
 * - "standing": how things stand, which may be known already;
 * - "reset": another run of a feed without history; forget everything, then take it;
 * - "rejoin": connect again, now with a place in history, to see what came shortly before;
 * - "restart": another run of a feed with history: forget everything, then as "rejoin".
 */
export class Resume {
  /** `back` is how many messages before the first one are asked for, where the feed keeps history. */
  constructor(back = 1000) {
    this.back = back;
    this.epoch = undefined; // undefined: nothing heard yet; null: the feed keeps no history
    this.seq = 0; // number of the last message dealt with
    this.lost = 0; // messages that were due and will not come
    this.lostUnknown = false; // and some whose number nobody knows
    this.floor = 0; // what is missing up to here was never promised: it was before this page
    this.fresh = false; // nothing has come over this connection yet
    this.anchors = new Map(); // stream -> wall time of its first sample, for feeds without history
  }

  /** The query with which to connect. */
  query() {
    const asked = new URLSearchParams({ snapshot: "1" });
    if (typeof this.epoch === "string") {
      asked.set("last_seq", String(this.seq));
      asked.set("epoch", this.epoch);
    }
    return asked.toString();
  }

  /** A new connection is open. */
  opened() {
    this.fresh = true;
  }

  /** Deal with one message, in the order of their coming. */
  take(message) {
    if (message.type === "snapshot") return "standing";
    const fresh = this.fresh;
    this.fresh = false;
    const { seq } = message;
    if ("epoch" in message) {
      const known = this.epoch !== undefined;
      const other = known && (message.epoch !== this.epoch || (fresh && this.epoch !== null && seq < this.seq));
      if (!known || other) return this.#begin(message, other);
      if (fresh && message.epoch === null && message.type === "hello") {
        const same = this.anchors.get(message.stream) === message.anchor && seq >= this.seq;
        if (!same) return this.#begin(message, true);
        this.lost += seq - this.seq;
      }
    }
    if (message.type === "hello") this.#remember(message);
    if (message.type === "end") this.anchors.delete(message.stream);
    if (!UNNUMBERED.has(message.type) && seq <= this.seq) return "skip";
    if (message.type === "dropped" || (message.type === "missed" && message.last > this.floor)) {
      if (message.count === null) this.lostUnknown = true;
      else this.lost += message.count;
    }
    this.seq = Math.max(this.seq, seq);
    return "take";
  }

  #begin(message, other) {
    this.epoch = message.epoch;
    this.anchors.clear();
    if (message.type === "hello") this.#remember(message);
    if (typeof this.epoch === "string" && message.seq > 0 && this.back > 0) {
      this.floor = message.seq;
      this.seq = Math.max(0, message.seq - this.back);
      return other ? "restart" : "rejoin";
    }
    this.floor = this.seq = message.seq;
    return other ? "reset" : "take";
  }

  #remember(hello) {
    if (typeof this.epoch !== "string") this.anchors.set(hello.stream, hello.anchor);
  }
}
