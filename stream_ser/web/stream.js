// One stream: what is expressed now, over time and on the plane; alerts, changes, the ledger, and its summary when it is over.

import { Plane, sample, Timeline } from "./charts.js";
import { element, fill, mark, say } from "./dom.js";
import { quantiles, trail } from "./series.js";
import { STAGES, staleness } from "./state.js";
import { Why } from "./why.js";
import { alarm, clock, duration, percent, position, said, signed, whose } from "./words.js";
import { heads } from "./wall.js";

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
    this.about = element("p", { class: "whose" }, `${whose(stream)} · model ${stream.model} on ${stream.engine} · source ${stream.source.name}`);
    this.stale = element("p", { class: "stale" });
    this.said = element("p", { class: "big" });
    this.text = element("p", { class: "words" });
    this.now = element("tbody");
    this.timeHolder = element("div", { class: "chart", role: "img" });
    this.planeHolder = element("div", { class: "chart plane", role: "img", "aria-label": "Plane of valence and activation" });
    this.planeText = element("p", { class: "quiet" });
    this.alerts = element("tbody");
    this.changes = element("tbody");
    this.ledger = element("tbody");
    this.notices = element("ul");
    this.summary = element("tbody");
    this.key = element("ul", { class: "key" }, ...stream.labels.map((label, index) => element("li", {}, sample(index), ` ${label}`)));
    this.seconds = 120;
    this.spans = element("div", { class: "spans", role: "group", "aria-label": "How much the timeline shows" });
    for (const [seconds, text] of SPANS) {
      const button = element("button", { type: "button", "aria-pressed": String(seconds === this.seconds) }, text);
      button.addEventListener("click", () => this.zoom(seconds));
      this.spans.append(button);
    }
    const part = (name, ...children) => {
      const id = `part-${name.toLowerCase().replaceAll(" ", "-")}`;
      return element("section", { "aria-labelledby": id }, element("h3", { id }, name), ...children);
    };
    this.why = new Why(stream, link);
    this.planePart = part("Valence and activation", this.planeHolder, this.planeText);
    this.summaryPart = part("Summary", element("table", {}, this.summary));
    this.noticePart = part("Notices", this.notices);
    const legend = "Shaded: silence; lightly: speech without a justified label; darkly, with holes in the lines: nothing is known. "
      + "Hatched: sound is missing. Upright dashes: the label became another. ⚠: an alert's evidence begins.";
    this.node = element(
      "article",
      { id: "stream" },
      element("p", {}, element("a", { href: "#/" }, "← all streams")),
      this.title, this.about, this.stale,
      element("div", { class: "parts" },
        part("Expressed now", this.said, element("table", { class: "bars" }, heads("Label", "Perceived", ""), this.now), this.text),
        this.planePart),
      part("Over time", this.spans, this.timeHolder, this.key, element("p", { class: "quiet" }, legend)),
      part("Why", ...this.why.parts),
      this.summaryPart,
      element("div", { class: "parts" },
        part("Alerts", element("table", {}, heads("From", "Alert", "Peak"), this.alerts)),
        part("Changes of the label", element("table", {}, heads("At", "Label", "Confidence"), this.changes)),
        part("Where the time went", element("table", { class: "ledger" }, heads("Stage", "Last", "p50", "p95"), this.ledger)),
        this.noticePart),
    );
    root.append(this.node);
    this.title.focus();
  }

  zoom(seconds) {
    this.seconds = seconds;
    SPANS.forEach(([span], index) => mark(this.spans.children[index], "aria-pressed", String(span === seconds)));
    if (this.timeline) this.timeline.seconds = seconds;
    this.timeline?.draw();
  }

  /** `call` is the call that the stream is a leg of, as far as it is known. */
  show(lostAt, now, call) {
    const { stream } = this;
    const old = staleness(stream, lostAt, now);
    const over = stream.endedAt === null ? "" : `This stream ended at ${clock(stream.endedAt)}. What follows is how it stood.`;
    say(this.stale, old === null ? over : `Stale since ${clock(old.since)}: ${old.why}. What follows is how it stood then.`);
    mark(this.node, "data-stale", old === null ? null : "yes");
    mark(this.node, "data-points", stream.count);
    const shown = `${stream.count} ${stream.seq} ${call?.seq}`;
    if (shown === this.shown && this.timeline !== undefined) return;
    this.shown = shown;
    this.call = call;
    this.#figures();
    this.#charts();
  }

  #figures() {
    const { stream } = this;
    const point = stream.last;
    say(this.said, `${said(point)}${point?.label ? ` ${percent(point.confidence)}` : ""}${point ? `, at ${position(point.t)}` : ""}`);
    say(this.text, point?.text ? `Words as understood: ${point.text}` : "");
    fill(this.now, stream.labels.map((label) => [label, percent(point?.smoothed[label]), ""]));
    stream.labels.forEach((label, index) => {
      const cell = this.now.rows[index].cells[2];
      if (cell.firstChild === null) cell.append(element("span", { class: `bar c${index % 8}`, "aria-hidden": "true" }));
      cell.firstChild.style.width = `${Math.round(100 * (point?.smoothed[label] ?? 0))}%`;
    });
    const alerts = [...stream.alerts.values()].reverse();
    fill(this.alerts, alerts.length ? alerts.map((alert) => [position(alert.start / stream.rate), alarm(alert), percent(alert.peak)]) : [["none", "", ""]]);
    fill(this.changes, stream.changes.slice(-12).reverse().map((change) => [position(change.t), change.label, percent(change.confidence)]));
    fill(this.ledger, STAGES.map((stage) => {
      const told = quantiles(stream, stage);
      return [STAGE_WORDS[stage], duration(told?.last), duration(told?.p50), duration(told?.p95)];
    }));
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
        ["Points", `${end.points}, and ${end.dropped} windows never computed`],
        ["Age, p95", duration(end.summary.ledger.age_ms?.p95)],
      );
    }
    rows.push(...this.#sumOfCall());
    this.summaryPart.hidden = rows.length === 0;
    fill(this.summary, rows);
  }

  #sumOfCall() {
    const { call, stream } = this;
    if (!call?.summary) return [];
    const { summary } = call;
    const leg = summary.legs?.[call.legs.find((each) => each.stream === stream.name)?.name] ?? summary.legs?.[stream.name];
    const rows = [["The call", `${call.reason ?? call.kind}; consent ${call.consent}`]];
    if (Number.isFinite(summary.non_talk_s)) rows.push(["Nobody talked", `${position(summary.non_talk_s)}, at most ${position(summary.longest_non_talk_s)} on end`]);
    if (!leg) return rows;
    rows.push(["Share of talk", percent(leg.talk_share)], ["Interruptions", String(leg.interruptions)]);
    if (!leg.emotion) return rows;
    rows.push(["Talk without a justified label", percent(leg.emotion.uncertain_share)]);
    for (const [label, { first_third: first, last_third: last }] of Object.entries(leg.emotion.trend)) {
      if (stream.labels.includes(label)) rows.push([`${label}, first and last third`, `${percent(first)}, ${percent(last)}`]);
    }
    for (const [label, peak] of Object.entries(leg.emotion.peak)) {
      if (peak) rows.push([`Most ${label}`, `${percent(peak.probability)} at ${position(peak.end / stream.rate)}`]);
    }
    return rows;
  }

  #charts() {
    const { stream } = this;
    this.timeline ??= new Timeline(this.timeHolder, stream, this.seconds);
    this.timeline.draw();
    const change = stream.changes.at(-1);
    mark(this.timeHolder, "aria-label",
      `Probabilities of ${stream.labels.join(", ")} over time. ${change ? `Last change: ${change.label} at ${position(change.t)}.` : "No label yet."}`);
    const places = trail(stream, 1);
    this.planePart.hidden = places === null;
    if (places === null) return;
    this.plane ??= new Plane(this.planeHolder, stream);
    this.plane.draw();
    const [here] = places;
    say(this.planeText, here ? `valence ${signed(here[0])}, activation ${signed(here[1])}, each from −1 to 1` : "nothing now");
  }

  restyle() {
    this.timeline?.stop();
    this.plane?.stop();
    this.timeline = this.plane = undefined;
    this.why.restyle();
  }

  stop() {
    this.restyle();
    this.why.stop();
    this.node.remove();
  }
}
