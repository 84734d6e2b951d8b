// The wall: a card for each stream, and the calls that are over.

import { Sparkline } from "./charts.js";
import { element, fill, mark, say } from "./dom.js";
import { openAlerts, staleness } from "./state.js";
import { alarm, clock, percent, position, said, whose } from "./words.js";

class Card {
  constructor(stream) {
    this.stream = stream;
    const id = `card-${Card.made = (Card.made ?? 0) + 1}`;
    this.name = element("a", { href: `#/stream/${encodeURIComponent(stream.name)}`, id, "aria-describedby": `${id}-now` }, stream.name);
    this.whose = element("p", { class: "whose" }, whose(stream));
    this.prefix = element("span", { class: "quiet" });
    this.said = element("span", { class: "said" });
    this.confidence = element("span", { class: "confidence" });
    this.meter = element("span", { class: "meter", "aria-hidden": "true" }, element("span"));
    this.alerts = element("p", { class: "badge" });
    this.stale = element("p", { class: "stale" });
    this.holder = element("div", { class: "spark", "aria-hidden": "true" });
    this.node = element(
      "li",
      { class: "card" },
      element("h3", {}, this.name),
      this.whose,
      element("p", { class: "now", id: `${id}-now` }, this.prefix, this.said, " ", this.confidence),
      this.meter,
      this.holder,
      this.alerts,
      this.stale,
    );
  }

  show(lostAt, now) {
    const { stream } = this;
    const point = stream.last;
    const labelled = point !== null && point.label !== null;
    say(this.prefix, labelled ? "expressed: " : "");
    say(this.said, said(point));
    say(this.confidence, labelled ? percent(point.confidence) : "");
    mark(this.said, "class", labelled ? `said c${stream.labels.indexOf(point.label) % 8}` : "said none");
    this.meter.firstChild.style.width = labelled ? `${Math.round(100 * point.confidence)}%` : "0";
    const open = openAlerts(stream);
    say(this.alerts, open.length ? `⚠ ${open.map(alarm).join("; ")}` : "");
    mark(this.node, "data-alert", open.length ? open.at(-1).severity : null);
    const old = staleness(stream, lostAt, now);
    const over = stream.endedAt === null ? "" : `ended${stream.end === null ? " without a word" : `: ${stream.end.reason}`} at ${clock(stream.endedAt)}`;
    say(this.stale, old === null ? over : `stale since ${clock(old.since)}: ${old.why}`);
    mark(this.node, "data-stale", old === null ? null : "yes");
    mark(this.node, "data-ended", stream.endedAt === null ? null : "yes");
    mark(this.node, "data-points", stream.count);
    if (!this.node.isConnected || (stream.count === this.drawn && this.spark !== undefined)) return;
    this.spark ??= new Sparkline(this.holder, stream);
    this.spark.draw();
    this.drawn = stream.count;
  }

  restyle() {
    this.spark?.stop();
    this.spark = undefined;
  }

  stop() {
    this.restyle();
    this.node.remove();
  }
}

export class Wall {
  constructor(root) {
    this.count = element("p", { class: "quiet" });
    this.list = element("ul", { class: "cards", "aria-label": "Streams" });
    this.calls = element("tbody");
    this.over = element(
      "section",
      { "aria-labelledby": "over", class: "scroll", tabindex: "0" },
      element("h2", { id: "over" }, "Calls that are over"),
      element("table", {}, heads("Call", "How it ended", "Length", "Share of talk", "Expressed by the customer, most", "Alerts"), this.calls),
    );
    this.node = element("div", { id: "wall" }, element("h2", { class: "unseen" }, "Streams"), this.count, this.list, this.over);
    root.append(this.node);
    this.cards = new Map();
  }

  show(state, lostAt, now) {
    for (const [name, card] of this.cards) {
      if (state.streams.get(name) === card.stream) continue;
      card.stop();
      this.cards.delete(name);
    }
    let alerts = 0, open = 0;
    for (const [name, stream] of state.streams) {
      let card = this.cards.get(name);
      if (card === undefined) {
        card = new Card(stream);
        this.cards.set(name, card);
        this.list.append(card.node);
      }
      card.show(lostAt, now);
      alerts += openAlerts(stream).length;
      open += stream.endedAt === null;
    }
    say(this.count, state.streams.size === 0 ? "No stream is open. Cards appear here when one begins."
      : `${open} open, ${state.streams.size - open} ended; ${alerts} ${alerts === 1 ? "alert" : "alerts"} open.`);
    const over = [...state.calls.values()].filter((call) => call.endedAt !== null).reverse();
    this.over.hidden = over.length === 0;
    fill(this.calls, over.map(callRow));
  }

  restyle() {
    for (const card of this.cards.values()) card.restyle();
  }
}

/** A table's head. */
export function heads(...texts) {
  return element("thead", {}, element("tr", {}, ...texts.map((text) => element("th", { scope: "col" }, text))));
}

function callRow(call) {
  const { summary } = call;
  const legs = Object.values(summary?.legs ?? {});
  const customer = legs.find((leg) => leg.role === "customer" && leg.emotion);
  const shares = Object.entries(customer?.emotion.share ?? {}).filter(([, share]) => share !== null);
  shares.sort(([, a], [, b]) => b - a);
  const opened = summary?.alerts_opened;
  return [
    call.name,
    call.reason ?? call.kind,
    summary ? position(summary.duration_s) : "–",
    legs.map((leg) => `${leg.role} ${percent(leg.talk_share)}`).join(", ") || "–",
    shares.slice(0, 2).map(([label, share]) => `${label} ${percent(share)}`).join(", ") || "–",
    opened ? String(opened.info + opened.warning + opened.critical) : "–",
  ];
}
