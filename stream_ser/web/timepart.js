// The timeline with what belongs to it: how much is shown, in words too; a key; the values at the pointer or the arrow keys.

import { sample, Timeline } from "./charts.js";
import { element, mark, say } from "./dom.js";
import { momentWords, position } from "./words.js";

const LEGEND = "Shaded: silence; lightly: speech without a justified label; darkly: nothing is known. Lines have holes where the model was "
  + "not asked. Hatched: sound is missing. Upright dashes: the label became another. ⚠: an alert's evidence begins. ◆: somebody marked it.";
const HINT = "Point at the chart, or go along it with the arrow keys, for its values.";

export class TimePart {
  /** `spans` are what can be shown, [seconds, words]; none where all of it is. `note` is said beside the range. */
  constructor(series, spans = [], note = "") {
    this.series = series;
    this.note = note;
    this.seconds = spans.length ? 120 : Infinity;
    this.holder = element("div", { class: "chart", role: "img", tabindex: "0" });
    this.range = element("p", { class: "quiet" });
    this.readout = element("p", { class: "readout", role: "status" }, HINT);
    this.buttons = spans.map(([seconds, text]) => {
      const button = element("button", { type: "button", "aria-pressed": String(seconds === this.seconds) }, text);
      button.addEventListener("click", () => this.zoom(seconds));
      return [seconds, button];
    });
    const choice = element("div", { class: "spans", role: "group", "aria-label": "How much the timeline shows" }, ...this.buttons.map(([, button]) => button));
    choice.hidden = spans.length === 0;
    const key = element("ul", { class: "key" }, ...series.labels.map((label, index) => element("li", {}, sample(series.labels, index), ` ${label}`)));
    this.parts = [choice, this.range, this.holder, this.readout, key, element("p", { class: "quiet" }, LEGEND)];
  }

  zoom(seconds) {
    this.seconds = seconds;
    for (const [span, button] of this.buttons) mark(button, "aria-pressed", String(span === seconds));
    if (this.timeline) this.timeline.seconds = seconds;
    this.draw();
  }

  draw() {
    const { series } = this;
    this.timeline ??= new Timeline(this.holder, series, this.seconds, (moment) => say(this.readout, moment === null ? HINT : momentWords(moment, series.labels)));
    this.timeline.draw();
    const end = series.end(), begin = Math.max(series.begin(), end - this.seconds);
    say(this.range, `Shown: ${position(begin)} to ${position(end)}${series.begin() > 0 ? `; this page keeps it from ${position(series.begin())} on` : ""}.${this.note ? ` ${this.note}` : ""}`);
    const change = series.changes.at(-1);
    mark(this.holder, "aria-label",
      `Probabilities of ${series.labels.join(", ")} over time. ${change ? `Last change: ${change.label} at ${position(change.t)}.` : "No label yet."}`);
  }

  restyle() {
    this.timeline?.stop();
    this.timeline = undefined;
  }
}
