// Which calls come first, and which are shown at all. Pure.
//
// First what is pinned; then by the gravest alert that nobody has acknowledged; then by how long it has been open; then by when
// the call began. What is over comes last.

import { openAlerts } from "./state.js";

const RANKS = { critical: 4, warning: 3, info: 2 };
const SEEN = 1; // an alert is open, and somebody has said that they know
export const ALERTS = { any: "any or none", open: "an alert is open", unseen: "nobody has acknowledged it" };

/** The alerts of a stream that are open and that nobody has acknowledged. */
export function unseen(stream) {
  return openAlerts(stream).filter((alert) => !stream.acknowledged.has(alert.id));
}

/** How urgent a stream is: { rank, since, start }; `since` in ms of wall time, Infinity where nothing alerts. */
export function urgency(stream) {
  const open = openAlerts(stream), pressing = unseen(stream);
  const rank = stream.endedAt !== null ? -1 : pressing.length ? Math.max(...pressing.map(({ severity }) => RANKS[severity] ?? RANKS.info)) : open.length ? SEEN : 0;
  const gravest = pressing.filter(({ severity }) => (RANKS[severity] ?? RANKS.info) === rank);
  const begun = (gravest.length ? gravest : rank === SEEN ? open : []).map((alert) => alertedAt(stream, alert));
  return { rank, since: Math.min(Infinity, ...begun), start: startedAt(stream) };
}

/** The names of streams in their order. `pinned` is a set of names. */
export function ordered(streams, pinned) {
  const keyed = streams.map((stream) => ({ stream, pin: pinned.has(stream.name) ? 1 : 0, ...urgency(stream) }));
  keyed.sort((a, b) => b.pin - a.pin || b.rank - a.rank || compare(a.since, b.since) || compare(a.start, b.start) || compare(a.stream.name, b.stream.name));
  return keyed.map(({ stream }) => stream.name);
}

/** Whether a stream of a call is among what is looked for: { text, label, alert, agent, queue }, each "" or what it must be. */
export function wanted(stream, call, looked) {
  const about = call?.about ?? {};
  if (looked.label && stream.held?.label !== looked.label) return false;
  if (looked.agent && about.agent !== looked.agent) return false;
  if (looked.queue && about.queue !== looked.queue) return false;
  if (looked.alert === "open" && openAlerts(stream).length === 0) return false;
  if (looked.alert === "unseen" && unseen(stream).length === 0) return false;
  const text = looked.text.trim().toLowerCase();
  if (!text) return true;
  const rules = openAlerts(stream).map((alert) => alert.rule);
  const said = [stream.name, stream.call, stream.role, stream.held?.label, about.caller, about.queue, about.agent, ...rules];
  return said.some((part) => part?.toLowerCase().includes(text));
}

/** When an alert was opened, ms of wall time by the server's clock: its id ends with the sample. */
export function alertedAt(stream, alert) {
  const sample = Number(alert.id.slice(alert.id.lastIndexOf("@") + 1));
  return startedAt(stream) + (1000 * (Number.isFinite(sample) ? sample : alert.start)) / stream.rate;
}

/** When a stream began, ms of wall time by the server's clock; by this page's where nobody said. */
export function startedAt(stream) {
  return stream.anchor === null ? stream.openedAt : Date.parse(stream.anchor);
}

function compare(a, b) {
  return a < b ? -1 : a > b ? 1 : 0;
}
