// One call that is over, as the server has stored it: the same for everyone. Its summary, and for each stream the whole trajectory,
// alerts and who has seen them, marks and notices, and files to save.

import { element, fill, mark, say } from "./dom.js";
import { ask, save } from "./history.js";
import { stored } from "./series.js";
import { alertRows, callRows, heads } from "./tables.js";
import { TimePart } from "./timepart.js";
import { alarm, clock, dated, percent, position } from "./words.js";

const FORMATS = [["csv", "CSV"], ["csv-excel", "CSV for Excel"], ["jsonl", "JSON lines"], ["textgrid", "Praat TextGrid"], ["vtt", "WebVTT"], ["rttm", "RTTM"], ["audacity", "Audacity labels"]];
const RATE = 16_000;

export class CallView {
  /** `run` says which of the calls of that name; null for the newest. */
  constructor(root, name, run, link) {
    this.name = name;
    this.run = run;
    this.link = link;
    this.times = []; // the streams' timelines
    this.title = element("h2", { tabindex: "-1" }, name);
    this.about = element("p", { class: "whose" });
    this.when = element("p");
    this.note = element("p", { class: "quiet", role: "status" }, "Asking the server…");
    this.summary = element("tbody");
    this.streams = element("div");
    this.node = element("article", { id: "call" }, element("p", {}, element("a", { href: "#/" }, "← all streams")), this.title, this.about, this.when, this.note,
      element("table", {}, this.summary), this.streams);
    root.append(this.node);
    this.title.focus();
    this.#load();
  }

  async #load() {
    const path = `calls/${encodeURIComponent(this.name)}`;
    try {
      const which = this.run === null ? {} : { run: this.run };
      const call = await ask(this.link, path, which);
      this.#head(call);
      for (const { stream } of call.streams) {
        const told = await ask(this.link, `${path}/trajectory`, { stream, run: call.run });
        if (!this.node.isConnected) return;
        this.#stream(told);
      }
      say(this.note, call.streams.length ? "" : "No voice of this call was analysed.");
      mark(this.node, "data-loaded", "yes");
    } catch (error) {
      say(this.note, `This call cannot be had: ${error.message}`);
    }
  }

  #head(call) {
    const { caller, queue, agent } = call.about;
    say(this.title, caller ?? call.call);
    say(this.about, [caller && `call ${call.call}`, queue && `queue ${queue}`, agent && `with ${agent}`, `consent ${call.consent}`].filter(Boolean).join(" · "));
    const ended = call.ended === null ? "It goes on." : `${call.state} ${dated(Date.parse(call.ended))}, after ${position(call.duration_s)}.`;
    say(this.when, `Began ${dated(Date.parse(call.opened))}. ${ended[0].toUpperCase()}${ended.slice(1)}`);
    this.call = call;
  }

  #stream(told) {
    const { hello } = told;
    const note = told.each > 1 ? `Each place is the mean of ${told.each} points.` : "";
    const time = new TimePart(stored(told), [], note);
    const alerts = element("tbody"), marks = element("ul"), notices = element("ul"), rows = element("tbody");
    const acknowledged = new Map(told.acknowledgements.map(({ id, by, time: at }) => [id, { by, at: Date.parse(at) }]));
    fill(alerts, alertRows(told.alerts.toReversed(), acknowledged, RATE, alarm, clock));
    marks.append(...told.marks.map(({ t, text }) => element("li", {}, `${position(t)}: ${text}`)));
    notices.append(...told.notices.map(({ level, text }) => element("li", {}, `${level}: ${text}`)));
    const shares = told.end ? Object.entries(told.end.summary.share).map(([label, share]) => [`Points labelled ${label}`, percent(share)]) : [];
    fill(rows, [...callRows(this.call, hello.stream, hello.labels, RATE), ...shares]);
    const files = element("div", { class: "spans" }, ...FORMATS.map(([form, words]) => this.#saving(hello.stream, form, words)));
    const part = (head, node, shown) => {
      const made = element("div", {}, element("h4", {}, head), node);
      made.hidden = !shown;
      return made;
    };
    this.streams.append(element("section", {}, element("h3", {}, `${hello.role ?? "speaker"}: ${hello.stream}`), ...time.parts,
      element("div", { class: "parts" },
        part("Alerts", element("table", {}, heads("From", "Alert", "Peak", "Acknowledged"), alerts), true),
        part("In figures", element("table", {}, rows), rows.rows.length > 0),
        part("Marks", marks, told.marks.length > 0),
        part("Notices", notices, told.notices.length > 0)),
      element("h4", {}, "Save as"), files,
      element("details", {}, element("summary", {}, "Details"), element("p", { class: "quiet" },
        `model ${hello.model.name} (${hello.model.digest}) on ${hello.engine}${told.end ? `; ${told.end.points} points, ${told.end.dropped} windows never computed` : ""}`))));
    time.draw();
    this.times.push(time);
  }

  #saving(stream, form, words) {
    const button = element("button", { type: "button" }, words);
    button.addEventListener("click", () => save(this.link, this.name, this.call.run, stream, form).then(() => say(this.note, ""), (error) => say(this.note, `Not saved: ${error.message}`)));
    return button;
  }

  restyle() {
    for (const time of this.times) {
      time.restyle();
      time.draw();
    }
  }

  stop() {
    for (const time of this.times) time.restyle();
    this.node.remove();
  }
}
