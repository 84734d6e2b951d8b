// One stream on the wall: whom it is about, what is expressed, how it went lately, and what somebody should look at.

import { Sparkline } from "./charts.js";
import { element, mark, say } from "./dom.js";
import { tint } from "./labels.js";
import { startedAt, unseen } from "./order.js";
import { openAlerts, staleness } from "./state.js";
import { alarm, clock, percent, position, said, stateWord, titleOf, whose } from "./words.js";

export const SPARK_S = 30;

export class Card {
  /** `tools` is what the card's buttons do: { pin(name), acknowledge(stream) → promise }. */
  constructor(stream, tools) {
    this.stream = stream;
    const id = `card-${Card.made = (Card.made ?? 0) + 1}`;
    this.name = element("a", { href: `#/stream/${encodeURIComponent(stream.name)}`, id, "aria-describedby": `${id}-now` });
    this.whose = element("p", { class: "whose" });
    this.times = element("p", { class: "whose" });
    this.prefix = element("span", { class: "quiet" });
    this.said = element("span", { class: "said" });
    this.confidence = element("span", { class: "confidence" });
    this.state = element("span", { class: "state" });
    this.meter = element("span", { class: "meter", "aria-hidden": "true" }, element("span"));
    this.alerts = element("p", { class: "badge" });
    this.seen = element("p", { class: "quiet" });
    this.stale = element("p", { class: "stale" });
    this.problem = element("p", { class: "problem", role: "status" });
    this.holder = element("div", { class: "spark", "aria-hidden": "true" });
    this.pin = element("button", { type: "button", "aria-pressed": "false" }, "Pin");
    this.known = element("button", { type: "button" }, "Acknowledge");
    this.pin.addEventListener("click", () => tools.pin(stream.name));
    this.known.addEventListener("click", () => this.#acknowledge(tools));
    const ids = element("details", {}, element("summary", {}, "ids"), `stream ${stream.name}${stream.call ? `, call ${stream.call}` : ""}`);
    const scaled = element("div", { class: "scaled", "aria-hidden": "true" },
      element("div", { class: "scale" }, element("span", {}, "100 %"), element("span", {}, "0 %")), this.holder,
      element("div", { class: "below" }, element("span", {}, `last ${SPARK_S} s`), element("span", {}, "probability")));
    this.node = element("li", { class: "card" }, element("h3", {}, this.name), this.whose, this.times,
      element("p", { class: "now", id: `${id}-now` }, this.prefix, this.said, " ", this.confidence, this.state),
      this.meter, scaled, this.alerts, this.seen, this.stale, this.problem,
      element("div", { class: "tools-of" }, this.known, this.pin, ids));
  }

  /** `call` is what is known of its call; `pinned` whether somebody wants it first; `lostAt` when the connection was lost. */
  show(call, pinned, lostAt, now) {
    const { stream } = this;
    say(this.name, titleOf(stream, call));
    say(this.whose, whose(stream, call));
    const begun = stream.anchor === null ? "" : `since ${clock(startedAt(stream))}, `;
    say(this.times, stream.last === null ? begun.replace(/, $/, "") : `${begun}${position(stream.last.t)} of sound`);
    this.#says();
    this.#alerts();
    mark(this.pin, "aria-pressed", String(pinned));
    const old = staleness(stream, lostAt, now);
    say(this.stale, old === null ? endedWords(stream) : `stale since ${clock(old.since)}: ${old.why}`);
    mark(this.node, "data-stale", old === null ? null : "yes");
    mark(this.node, "data-ended", stream.endedAt === null ? null : "yes");
    mark(this.node, "data-points", stream.count);
    if (!this.node.isConnected || (stream.count === this.drawn && this.spark !== undefined)) return;
    this.spark ??= new Sparkline(this.holder, stream, SPARK_S);
    this.spark.draw();
    this.drawn = stream.count;
  }

  /** The label; while nobody speaks the last one, dimmed, and beside it what is going on. */
  #says() {
    const { stream } = this;
    const { last, held } = stream;
    const labelled = last !== null && last.label !== null;
    const shown = labelled ? last : held;
    const over = stream.endedAt !== null;
    say(this.prefix, shown === null ? "" : labelled && !over ? "expressed: " : "last expressed: ");
    say(this.said, shown === null ? said(last, over) : shown.label);
    say(this.confidence, labelled ? percent(last.confidence) : "");
    say(this.state, shown === null || (labelled && !over) ? "" : over ? "over" : stateWord(last.state));
    mark(this.said, "class", shown === null ? "said none" : labelled && !over ? "said" : "said held");
    tint(this.said, stream.labels, shown?.label);
    this.meter.firstChild.style.width = labelled && !over ? `${Math.round(100 * last.confidence)}%` : "0";
  }

  #alerts() {
    const open = openAlerts(this.stream), pressing = unseen(this.stream);
    say(this.alerts, open.length ? `⚠ ${open.map(alarm).join("; ")}` : "");
    const seen = open.map(({ id }) => this.stream.acknowledged.get(id)).filter((one) => one !== undefined);
    say(this.seen, seen.map(({ by, at }) => `acknowledged by ${by} at ${clock(at)}`).join("; "));
    mark(this.node, "data-alert", pressing.length ? pressing.at(-1).severity : null);
    mark(this.node, "data-seen", open.length && !pressing.length ? "yes" : null);
    this.known.hidden = pressing.length === 0;
    if (pressing.length === 0) say(this.problem, "");
  }

  async #acknowledge(tools) {
    this.known.disabled = true;
    try {
      await tools.acknowledge(this.stream);
      say(this.problem, "");
    } catch (error) {
      say(this.problem, `Not acknowledged: ${error.message}`);
    } finally {
      this.known.disabled = false;
    }
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

/** How a stream that is over ended; nothing of one that goes on. The time is the server's. */
export function endedWords(stream) {
  if (stream.endedAt === null) return "";
  const how = stream.end === null ? " without a word" : `: ${stream.end.reason}`;
  return `ended${how}${stream.overAt === null ? "" : ` at ${clock(stream.overAt)}`}`;
}
