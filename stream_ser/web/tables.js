// Tables that several parts of the page have.

import { element } from "./dom.js";
import { percent, position } from "./words.js";

/** A table's head. */
export function heads(...texts) {
  return element("thead", {}, element("tr", {}, ...texts.map((text) => element("th", { scope: "col" }, text))));
}

/** The rows of a call's summary, for one of its streams; `call` has { legs, summary, consent, reason }. */
export function callRows(call, stream, labels, rate) {
  const { summary } = call;
  if (!summary) return [];
  const leg = summary.legs?.[call.legs.find((each) => each.stream === stream)?.name] ?? summary.legs?.[stream];
  const rows = [["The call", [call.reason ?? call.kind ?? call.state, `consent ${call.consent}`].join("; ")]];
  if (Number.isFinite(summary.non_talk_s)) rows.push(["Nobody talked", `${position(summary.non_talk_s)}, at most ${position(summary.longest_non_talk_s)} on end`]);
  if (!leg) return rows;
  rows.push(["Share of talk", percent(leg.talk_share)], ["Interruptions", String(leg.interruptions)]);
  if (!leg.emotion) return rows;
  rows.push(["Talk without a justified label", percent(leg.emotion.uncertain_share)]);
  for (const [label, { first_third: first, last_third: last }] of Object.entries(leg.emotion.trend)) {
    if (labels.includes(label)) rows.push([`${label}, first and last third`, `${percent(first)}, ${percent(last)}`]);
  }
  for (const [label, peak] of Object.entries(leg.emotion.peak)) {
    if (peak) rows.push([`Most ${label}`, `${percent(peak.probability)} at ${position(peak.end / rate)}`]);
  }
  return rows;
}

/** The rows of a stream's alerts, the newest first: where they begin, what they say, their peak, who has seen them. */
export function alertRows(alerts, acknowledged, rate, alarm, clock) {
  if (alerts.length === 0) return [["none", "", "", ""]];
  return alerts.map((alert) => {
    const seen = acknowledged.get(alert.id);
    return [position(alert.start / rate), alarm(alert), percent(alert.peak), seen ? `${seen.by}, ${clock(seen.at)}` : "–"];
  });
}
