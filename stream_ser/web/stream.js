// One stream: what is expressed now, over time and on the plane; alerts, changes, the ledger, and its summary when it is over.

import { endedWords } from "./card.js";
import { Plane } from "./charts.js";
import { element, fill, mark, say } from "./dom.js";
import { tint } from "./labels.js";
import { live, quantiles, trail } from "./series.js";
import { judged, STAGES, staleness } from "./state.js";
import { alertRows, callRows, heads } from "./tables.js";
import { TimePart } from "./timepart.js";
import { Why } from "./why.js";
import { alarm, clock, duration, percent, position, said, signed, titleOf, whose } from "./words.js";

const SPANS = [[30, "30 s"], [120, "2 min"], [Infinity, "all kept"]];
const STAGE_WORDS = {
  capture_ms: "captured to arrived",
  wait_ms: "waited for the model",
  compute_ms: "in the model",
  smooth_ms: "until the trajectory had it",
  publish_ms: "until it was published",
  age_ms: "age: complete window to published",
  lag_ms: "lag: sound not yet in a point",
};

export class StreamView {
  constructor(root, stream, link) {
    this.stream = stream;
    this.title = element("h2", { tabindex: "-1" }, stream.name);
    this.about = element("p", { class: "whose" });
    this.stale = element("p", { class: "stale" });
    this.said = element("p", { class: "big" });
    this.text = element("p", { class: "words" });
    this.now = element("tbody");
    this.time = new TimePart(live(stream), SPANS);
    this.planeHolder = element("div", { class: "chart plane", role: "img", "aria-label": "Plane of valence and activation" });
    this.planeText = element("p", { class: "quiet" });
    this.alerts = element("tbody");
    this.changes = element("tbody");
    this.ledger = element("tbody");
    this.notices = element("ul");
    this.summary = element("tbody");
    this.nowHead = element("h3", { id: "part-now" }, "Expressed now");
    this.marks = element("ul");
    this.dropped = element("p", { class: "quiet" });
    const part = (name, ...children) => {
      const id = `part-${name.toLowerCase().replaceAll(" ", "-")}`;
      return element("section", { "aria-labelledby": id }, element("h3", { id }, name), ...children);
    };
    this.why = new Why(stream, link);
    this.planePart = part("Valence and activation", this.planeHolder, this.planeText);
    this.summaryPart = part("Summary", element("table", {}, this.summary));
    this.noticePart = part("Notices", this.notices);
    this.markPart = part("Marks", this.marks);
    const engineering = element("details", { class: "engineering" }, element("summary", {}, "Details"),
      element("p", { class: "quiet" }, `stream ${stream.name}${stream.call ? `, call ${stream.call}` : ""} · model ${stream.model} on ${stream.engine} · source ${stream.source.name}`),
      this.dropped,
      part("Where the time went", element("table", { class: "ledger" }, heads("Stage", "Last", "p50", "p95"), this.ledger)));
    this.node = element(
      "article",
      { id: "stream" },
      element("p", {}, element("a", { href: "#/" }, "← all streams")),
      this.title, this.about, this.stale,
      element("div", { class: "parts" },
        element("section", { "aria-labelledby": "part-now" }, this.nowHead, this.said, element("table", { class: "bars" }, heads("Label", "Perceived", ""), this.now), this.text),
        this.planePart),
      part("Over time", ...this.time.parts),
      part("Why", ...this.why.parts),
      this.summaryPart,
      element("div", { class: "parts" },
        part("Alerts", element("table", {}, heads("From", "Alert", "Peak", "Acknowledged"), this.alerts)),
        part("Changes of the label", element("table", {}, heads("At", "Label", "Confidence"), this.changes)),
        this.markPart,
        this.noticePart),
      engineering,
    );
    root.append(this.node);
    this.title.focus();
  }

  /** `call` is the call that the stream is a leg of, as far as it is known. */
  show(lostAt, now, call) {
    const { stream } = this;
    const old = staleness(stream, lostAt, now);
    const over = stream.endedAt === null ? "" : `This stream ${endedWords(stream)}. What follows is how it stood.`;
    say(this.title, titleOf(stream, call));
    say(this.about, whose(stream, call));
    say(this.nowHead, stream.endedAt === null ? "Expressed now" : "Expressed at the end");
    say(this.stale, old === null ? over : `Stale since ${clock(old.since)}: ${old.why}. What follows is how it stood then.`);
    mark(this.node, "data-stale", old === null ? null : "yes");
    mark(this.node, "data-points", stream.count);
    const shown = `${stream.count} ${stream.seq} ${call?.seq} ${stream.endedAt}`;
    if (shown === this.shown && this.time.timeline !== undefined) return;
    this.shown = shown;
    this.call = call;
    this.#figures();
    this.#charts();
  }

  #figures() {
    const { stream } = this;
    const point = stream.last;
    say(this.said, `${said(point, stream.endedAt !== null)}${point?.label ? ` ${percent(point.confidence)}` : ""}${point ? `, at ${position(point.t)}` : ""}`);
    say(this.text, point?.text ? `Words as understood: ${point.text}` : "");
    const known = point !== null && judged(point);
    const share = (label) => (known ? point.smoothed[label] : NaN); // what judged nothing must not look like a result
    fill(this.now, stream.labels.map((label) => [label, percent(share(label)), ""]));
    stream.labels.forEach((label, index) => {
      const cell = this.now.rows[index].cells[2];
      if (cell.firstChild === null) cell.append(element("span", { class: "bar", "aria-hidden": "true" }));
      tint(cell.firstChild, point?.label ? stream.labels : [], label);
      cell.firstChild.style.width = known ? `${Math.round(100 * share(label))}%` : "0";
    });
    fill(this.alerts, alertRows([...stream.alerts.values()].reverse(), stream.acknowledged, stream.rate, alarm, clock));
    fill(this.changes, stream.changes.slice(-12).reverse().map((change) => [position(change.t), change.label, percent(change.confidence)]));
    fill(this.ledger, STAGES.map((stage) => {
      const told = quantiles(stream, stage);
      return [STAGE_WORDS[stage], duration(told?.last), duration(told?.p50), duration(told?.p95)];
    }));
    this.markPart.hidden = stream.marks.length === 0;
    this.marks.replaceChildren(...stream.marks.map(({ t, text }) => element("li", {}, `${position(t)}: ${text}`)));
    this.noticePart.hidden = stream.notices.length === 0;
    this.notices.replaceChildren(...stream.notices.map(({ level, text }) => element("li", {}, `${level}: ${text}`)));
    this.#sum();
  }

  #sum() {
    const { end } = this.stream;
    const rows = [];
    if (end !== null) {
      rows.push(
        ["Ended", end.error ?? end.reason],
        ["Length", position(end.duration_s)],
        ["Speech", position(end.summary.speech_s)],
        ["Silence", position(end.summary.silence_s)],
        ...Object.entries(end.summary.share).map(([label, share]) => [`Points labelled ${label}`, percent(share)]),
      );
      say(this.dropped, `${end.points} points, ${end.dropped} windows never computed; age, p95: ${duration(end.summary.ledger.age_ms?.p95)}`);
    }
    if (this.call) rows.push(...callRows(this.call, this.stream.name, this.stream.labels, this.stream.rate));
    this.summaryPart.hidden = rows.length === 0;
    fill(this.summary, rows);
  }

  #charts() {
    const { stream } = this;
    this.time.draw();
    const places = trail(stream, 1);
    this.planePart.hidden = places === null;
    if (places === null) return;
    this.plane ??= new Plane(this.planeHolder, stream);
    this.plane.draw();
    const [here] = places;
    say(this.planeText, here ? `valence ${signed(here[0])}, activation ${signed(here[1])}, each from −1 to 1` : stream.endedAt === null ? "nothing now" : "nothing at the end");
  }

  restyle() {
    this.time.restyle();
    this.plane?.stop();
    this.plane = undefined;
    this.why.restyle();
  }

  stop() {
    this.restyle();
    this.why.stop();
    this.node.remove();
  }
}
