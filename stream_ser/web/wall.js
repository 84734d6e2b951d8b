// The wall: a card for each stream, those that need someone first, and the calls that are over.
//
// The order never changes under somebody's pointer, nor while a key has put the focus among the cards: what would move waits, and
// new cards come last, until the pointer is elsewhere.

import { Card } from "./card.js";
import { element, say } from "./dom.js";
import { EndedCalls } from "./ended.js";
import { Empty } from "./empty.js";
import { acknowledge } from "./history.js";
import { ordered, unseen, wanted } from "./order.js";
import { openAlerts } from "./state.js";
import { Tools } from "./tools.js";

export class Wall {
  constructor(root, link, preferences, teller, demo) {
    this.preferences = preferences;
    this.tools = new Tools(preferences, teller);
    this.count = element("p", { class: "quiet" });
    this.waiting = element("p", { class: "quiet", role: "status" });
    this.list = element("ul", { class: "cards", "aria-label": "Streams" });
    this.over = new EndedCalls(link);
    this.empty = new Empty(demo);
    this.node = element("div", { id: "wall" }, element("h2", { class: "unseen" }, "Streams"), this.tools.node, this.count, this.waiting, this.empty.node, this.list, this.over.node);
    root.append(this.node);
    this.cards = new Map();
    this.order = [];
    this.pointed = false;
    this.list.addEventListener("pointerenter", ({ pointerType }) => (this.pointed = pointerType !== "touch"));
    this.list.addEventListener("pointerleave", () => (this.pointed = false));
    this.does = {
      pin: (name) => preferences.pin(name),
      acknowledge: (stream) => {
        const by = this.tools.who();
        return Promise.all(unseen(stream).map((alert) => acknowledge(link, stream.name, alert.id, by)));
      },
    };
  }

  show(state, lostAt, now) {
    for (const [name, card] of this.cards) {
      if (state.streams.get(name) === card.stream) continue;
      card.stop();
      this.cards.delete(name);
    }
    const streams = [...state.streams.values()];
    this.tools.offer(streams, state.calls);
    this.#arrange(streams.filter((stream) => wanted(stream, state.calls.get(stream.call), this.tools.looked)));
    for (const name of this.order) {
      const stream = state.streams.get(name);
      this.cards.get(name).show(state.calls.get(stream.call), this.preferences.pinned.has(name), lostAt, now);
    }
    const alerts = streams.reduce((total, stream) => total + openAlerts(stream).length, 0);
    const open = streams.filter(({ endedAt }) => endedAt === null).length;
    const hidden = streams.length - this.order.length;
    say(this.count, streams.length === 0 ? ""
      : `${open} open, ${streams.length - open} ended; ${alerts} ${alerts === 1 ? "alert" : "alerts"} open${hidden ? `; ${hidden} not shown by the filter` : ""}.`);
    this.empty.node.hidden = streams.length > 0;
    this.tools.node.hidden = streams.length === 0;
    this.over.show(state, now);
  }

  /** Put the cards of these streams, and no others, in their order, if that may change now. */
  #arrange(streams) {
    const wished = ordered(streams, this.preferences.pinned);
    const held = this.order.filter((name) => this.cards.has(name));
    const next = this.#held() ? [...held, ...wished.filter((name) => !held.includes(name))] : wished;
    const moves = next.filter((name, index) => name !== wished[index]).length;
    say(this.waiting, moves ? `The order waits while you are here; ${moves} ${moves === 1 ? "card" : "cards"} would move.` : "");
    const shown = new Set(next);
    for (const [name, card] of this.cards) if (!shown.has(name)) card.node.remove();
    next.forEach((name, index) => {
      const card = this.#card(streams, name);
      const here = this.list.children[index];
      if (here !== card.node) this.list.insertBefore(card.node, here ?? null);
    });
    this.order = next;
  }

  #card(streams, name) {
    let card = this.cards.get(name);
    if (card === undefined) {
      card = new Card(streams.find((stream) => stream.name === name), this.does);
      this.cards.set(name, card);
    }
    return card;
  }

  #held() {
    return this.pointed || (this.list.contains(document.activeElement) && document.activeElement.matches(":focus-visible"));
  }

  restyle() {
    for (const card of this.cards.values()) card.restyle();
  }
}
