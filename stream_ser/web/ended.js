// The calls that are over: from the server, where it keeps them, page by page and the same for everyone; otherwise those that this
// page has seen end.

import { element, fill, mark, say } from "./dom.js";
import { ask } from "./history.js";
import { clock, dated, percent, position } from "./words.js";
import { heads } from "./tables.js";

const PAGE = 20;
const AGAIN_MS = 1000; // calls that end together are asked for together
const TRIES_MS = 5000; // after a failure

export class EndedCalls {
  constructor(link) {
    this.link = link;
    this.calls = []; // as the server listed them
    this.next = null;
    this.seen = -1; // how many calls had ended when it was last asked for
    this.body = element("tbody");
    this.note = element("p", { class: "quiet", role: "status" });
    this.more = element("button", { type: "button" }, "Older calls");
    this.more.addEventListener("click", () => this.#load(this.next));
    this.filters = this.#filters();
    this.table = element("div", { class: "scroll", tabindex: "0" }, element("table", {}, this.body));
    this.node = element("section", { "aria-labelledby": "over" }, element("h2", { id: "over" }, "Calls that are over"), this.filters, this.table, this.note, this.more);
  }

  show(state, now) {
    if (!this.link.history) return this.#showSeen(state);
    if (state.ended !== this.seen && now >= (this.due ??= now + (this.seen < 0 ? 0 : AGAIN_MS))) {
      this.seen = state.ended;
      this.due = undefined;
      this.#load(null);
    }
    this.node.hidden = this.calls.length === 0 && !this.#filtered() && !this.note.textContent;
    this.filters.hidden = false;
    this.more.hidden = this.next === null;
  }

  #filters() {
    const label = element("input", { id: "over-label", placeholder: "angry", size: "10" });
    const share = element("select", { id: "over-share" }, ...[0, 0.1, 0.25, 0.5].map((least) => element("option", { value: String(least) }, least ? `at least ${percent(least)}` : "any")));
    const alert = element("select", { id: "over-alert" }, ...["", "info", "warning", "critical"].map((severity) => element("option", { value: severity }, severity ? `${severity} or graver` : "any or none")));
    const since = element("input", { id: "over-from", type: "datetime-local" });
    const until = element("input", { id: "over-to", type: "datetime-local" });
    this.asked = { label, share, alert, since, until };
    const field = (text, input) => element("div", {}, element("label", { for: input.id }, text), input);
    const node = element("div", { class: "fields" }, field("Begun from", since), field("to", until), field("Label", label), field("its share", share), field("Alerts", alert));
    node.hidden = true;
    node.addEventListener("change", () => this.#load(null));
    return node;
  }

  #filtered() {
    return Object.values(this.asked).some((input) => input.value && input.value !== "0");
  }

  async #load(after) {
    const { label, share, alert, since, until } = this.asked;
    const turn = (this.turn = (this.turn ?? 0) + 1); // what was asked for before is old
    const query = { state: "over", limit: String(PAGE) };
    if (label.value.trim()) Object.assign(query, { label: label.value.trim(), share: share.value });
    if (alert.value) query.alert = alert.value;
    if (since.value) query.from = new Date(since.value).toISOString();
    if (until.value) query.to = new Date(until.value).toISOString();
    if (after !== null) query.after = after;
    try {
      const told = await ask(this.link, "calls", query);
      if (turn !== this.turn) return;
      this.calls = after === null ? told.calls : [...this.calls, ...told.calls];
      this.next = told.next;
      say(this.note, this.calls.length === 0 && this.#filtered() ? (told.next ? "None among the newest; look at older ones." : "No call is so.") : "");
      this.#draw();
    } catch (error) {
      if (turn !== this.turn) return;
      say(this.note, `These calls cannot be had: ${error.message}`);
      if (after === null) setTimeout(() => (this.seen = -2), TRIES_MS);
    }
  }

  #draw() {
    this.#head("Call", "Began", "Length", "How it ended", "Expressed by the customer, most", "Alerts");
    fill(this.body, this.calls.map((call) => ["", dated(Date.parse(call.opened)), position(call.duration_s ?? NaN), call.state, most(call.share), sum(call.alerts)]));
    this.calls.forEach((call, index) => {
      const cell = this.body.rows[index].cells[0];
      const wanted = `#/call/${encodeURIComponent(call.call)}?run=${call.run}`; // a name may have been used before
      const title = [call.about.caller ?? call.call, call.about.queue && `queue ${call.about.queue}`].filter(Boolean).join(" · ");
      if (cell.firstElementChild?.getAttribute("href") !== wanted) cell.replaceChildren(element("a", { href: wanted }));
      say(cell.firstElementChild, title);
    });
    mark(this.node, "data-calls", this.calls.length);
  }

  #showSeen(state) {
    const over = [...state.calls.values()].filter((call) => call.endedAt !== null).reverse();
    this.more.hidden = true;
    this.node.hidden = over.length === 0;
    this.#head("Call", "How it ended", "Ended", "Length", "Expressed by the customer, most", "Alerts");
    fill(this.body, over.map((call) => [
      call.about.caller ?? call.name, call.reason ?? call.kind, clock(call.overAt), call.summary ? position(call.summary.duration_s) : "–",
      most(shares(call.summary)), call.summary ? sum(call.summary.alerts_opened) : "–",
    ]));
    say(this.note, over.length ? "Only what this page has seen end: this server keeps no calls." : "");
  }

  #head(...texts) {
    if (this.headed === texts.join()) return;
    this.headed = texts.join();
    this.body.parentNode.tHead?.remove();
    this.body.parentNode.prepend(heads(...texts));
    this.body.replaceChildren();
  }
}

function shares(summary) {
  const customer = Object.values(summary?.legs ?? {}).find((leg) => leg.role === "customer" && leg.emotion);
  return customer?.emotion.share ?? {};
}

function most(share) {
  const known = Object.entries(share).filter(([, value]) => value !== null).sort(([, a], [, b]) => b - a);
  return known.slice(0, 2).map(([label, value]) => `${label} ${percent(value)}`).join(", ") || "–";
}

function sum(alerts) {
  if (!alerts) return "–";
  const told = ["critical", "warning", "info"].filter((severity) => alerts[severity]).map((severity) => `${alerts[severity]} ${severity}`);
  return told.join(", ") || "none";
}
