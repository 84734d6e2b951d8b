// What the page knows, made of the feed's messages. Pure: no document, no socket; the time comes as an argument (ms).
//
// Invariants: memory is bounded, whatever comes. Each stream keeps POINTS points and short lists; what is over leaves after
// KEPT_MS, or before where there are more than MOST_STREAMS streams.

import { append, Ring } from "./ring.js";

export const POINTS = 1200; // of each stream: ten minutes at two points a second
export const MOST_STREAMS = 400;
export const MOST_CALLS = 400;
export const KEPT_MS = 10 * 60_000; // how long what is over stays
export const STATES = ["warming", "silence", "speech", "uncertain", "stale", "paused"];
export const STAGES = ["capture_ms", "wait_ms", "compute_ms", "smooth_ms", "publish_ms", "age_ms", "lag_ms"];
export const T = 0, STATE = 1, FIRST = 2; // columns of a stream's ring; then labels, dimensions
const LEDGERS = 120, LISTED = 200, ALERTS = 50, NOTICES = 20, EVENTS = 20;

export function newState() {
  return { streams: new Map(), calls: new Map(), events: [], fresh: [], ended: 0 };
}

/** Forget everything: the feed is another run. */
export function clear(state) {
  state.streams.clear();
  state.calls.clear();
  state.events.length = state.fresh.length = 0;
}

/** Take one message. `standing` says that it tells how things stand and may be known; what is known changes nothing. */
export function reduce(state, message, now, standing = false) {
  if (message.type === "hello") return open(state, message, now);
  if (message.type === "call") return takeCall(state, message, now);
  const stream = state.streams.get(message.stream);
  if (stream === undefined || (standing && isKnown(stream, message))) return;
  stream.seq = Math.max(stream.seq, message.seq);
  switch (message.type) {
    case "point": return takePoint(stream, message, now);
    case "gap":
      stream.heardAt = now;
      return append(stream.gaps, { from: message.start / stream.rate, to: message.t, reason: message.reason }, LISTED);
    case "mark": return append(stream.marks, { t: message.t, text: message.text }, LISTED);
    case "acknowledgement":
      stream.acknowledged.set(message.id, { by: message.by, at: Date.parse(message.time) });
      return;
    case "notice": return append(stream.notices, { level: message.level, text: message.text }, NOTICES);
    case "alert": return takeAlert(state, stream, message, standing);
    case "end":
      stream.endedAt = now;
      stream.end = message;
      stream.overAt = stream.anchor === null ? null : Date.parse(stream.anchor) + 1000 * message.duration_s;
  }
}

/** Let go of what has been over for long, and of what is too much. */
export function prune(state, now) {
  for (const [map, most] of [[state.streams, MOST_STREAMS], [state.calls, MOST_CALLS]]) {
    for (const [name, item] of map) if (item.endedAt !== null && now - item.endedAt > KEPT_MS) map.delete(name);
    if (map.size <= most) continue;
    const oldest = [...map].sort(([, a], [, b]) => (a.endedAt ?? Infinity) - (b.endedAt ?? Infinity) || a.openedAt - b.openedAt);
    for (const [name] of oldest.slice(0, map.size - most)) map.delete(name);
  }
}

/** Why and since when what is shown of a stream is old; null where it is not. `lostAt` is when the connection was lost, or null. */
export function staleness(stream, lostAt, now) {
  if (stream.endedAt !== null) return null;
  if (lostAt !== null) return { since: Math.min(lostAt, stream.heardAt), why: "the connection is lost" };
  const patience = Math.max(2000 * (stream.hop / stream.rate), 1000);
  return now - stream.heardAt > patience ? { since: stream.heardAt, why: "nothing has come" } : null;
}

/** The alerts of a stream that are open. */
export function openAlerts(stream) {
  return stream.endedAt === null ? [...stream.alerts.values()].filter((alert) => alert.kind !== "cleared") : [];
}

function open(state, hello, now) {
  const known = state.streams.get(hello.stream);
  if (known !== undefined && known.endedAt === null && known.anchor === hello.anchor) return;
  state.streams.delete(hello.stream);
  state.streams.set(hello.stream, {
    name: hello.stream,
    call: hello.call,
    role: hello.role,
    labels: hello.labels,
    dimensions: hello.dimensions,
    rate: hello.sample_rate,
    hop: hello.hop,
    window: hello.window,
    model: hello.model.name,
    engine: hello.engine,
    source: hello.source,
    anchor: hello.anchor,
    seq: hello.seq, // of what was last told of it
    openedAt: now,
    heardAt: now, // when sound, or that it is missing, was last told of
    endedAt: null, // by this page's clock: for how long it stays
    overAt: null, // by the server's clock: when it ended; null where nobody said
    end: null,
    held: null, // the last label: { label, confidence, t }
    count: 0, // points taken
    ring: new Ring(POINTS, FIRST + hello.labels.length + hello.dimensions.length),
    last: null, // the newest point
    gaps: [],
    changes: [], // where the label became another: { t, label, confidence }
    alerts: new Map(),
    acknowledged: new Map(), // by the alert's id: { by, at }
    marks: [], // { t, text }
    notices: [],
    ledgers: [],
  });
}

/** Whether the model was asked about a point: otherwise its probabilities are no result. */
export function judged(point) {
  return (point.state === "speech" || point.state === "uncertain") && Object.values(point.raw).some((value) => value !== null);
}

function isKnown(stream, message) {
  if (message.type === "acknowledgement") return stream.acknowledged.has(message.id);
  const known = message.type === "point" ? stream.last : stream.alerts.get(message.id);
  return known !== null && known !== undefined && known.seq >= message.seq;
}

function takePoint(stream, point, now) {
  const { labels, dimensions } = stream;
  stream.heardAt = now;
  stream.count += 1;
  stream.last = point;
  stream.ring.push([
    point.t,
    STATES.indexOf(point.state),
    ...labels.map((name) => (judged(point) ? point.smoothed[name] : null)),
    ...dimensions.map((name) => point.dimensions[name]),
  ]);
  append(stream.ledgers, point.ledger, LEDGERS);
  if (point.label !== null) stream.held = { label: point.label, confidence: point.confidence, t: point.t };
  if (point.label !== null && stream.changes.at(-1)?.label !== point.label) {
    append(stream.changes, { t: point.t, label: point.label, confidence: point.confidence }, LISTED);
  }
}

function takeAlert(state, stream, alert, standing) {
  const known = stream.alerts.has(alert.id);
  stream.alerts.delete(alert.id);
  stream.alerts.set(alert.id, alert); // the newest is the last
  for (const [id, old] of stream.alerts) {
    if (stream.alerts.size <= ALERTS) break;
    if (old === alert) continue;
    stream.alerts.delete(id);
    stream.acknowledged.delete(id);
  }
  if (alert.kind !== "opened" || known) return;
  append(state.fresh, { stream: stream.name, alert }, EVENTS);
  if (!standing) append(state.events, { stream: stream.name, alert }, EVENTS);
}

function takeCall(state, message, now) {
  const over = message.kind !== "opened";
  const known = state.calls.get(message.call);
  if (known !== undefined && message.seq <= known.seq) return;
  if (over) state.ended += 1;
  const said = Object.values(message.about ?? {}).some((text) => text !== null);
  state.calls.delete(message.call);
  state.calls.set(message.call, {
    name: message.call,
    seq: message.seq,
    kind: message.kind,
    legs: message.legs,
    consent: message.consent,
    reason: message.reason,
    summary: message.summary,
    about: said || known === undefined ? (message.about ?? {}) : known.about,
    openedAt: known?.openedAt ?? now,
    endedAt: over ? now : null, // by this page's clock: for how long it stays
    overAt: over ? Date.parse(message.time) : null, // by the server's
  });
  if (message.kind !== "interrupted") return;
  for (const { stream: name } of message.legs) {
    const stream = state.streams.get(name);
    if (stream === undefined || stream.endedAt !== null) continue;
    stream.endedAt = now; // its end never came
    stream.overAt = Date.parse(message.time);
  }
}
