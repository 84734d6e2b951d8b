// What the charts draw, made of a stream's ring. Pure. Times are seconds of the stream.

import { FIRST, STATE, STATES, T } from "./state.js";

const SAMPLE_RATE = 16_000;
const SHOWN = new Set(["speech", "uncertain", "silence"].map((name) => STATES.indexOf(name)));

/**
 * Columns for a line chart of the last `seconds`: [times, probabilities of label 0, of label 1, …].
 * Where nothing is known there is a row of nulls, so that no line is drawn across it.
 */
export function lines(stream, seconds) {
  const { ring, labels } = stream;
  const hop = stream.hop / stream.rate;
  const columns = Array.from({ length: labels.length + 1 }, () => []);
  const hole = (t) => columns.forEach((column, index) => column.push(index === 0 ? t : null));
  let gap = 0;
  for (let row = firstRow(stream, seconds); row < ring.length; row++) {
    const t = ring.at(row, T);
    const before = columns[0].at(-1);
    if (before !== undefined) {
      while (gap < stream.gaps.length && middle(stream.gaps[gap]) <= before) gap++;
      if (gap < stream.gaps.length && middle(stream.gaps[gap]) < t) hole(middle(stream.gaps[gap]));
      else if (t - before > 1.5 * hop) hole((before + t) / 2);
    }
    if (!SHOWN.has(ring.at(row, STATE))) {
      hole(t);
      continue;
    }
    columns[0].push(t);
    for (let index = 0; index < labels.length; index++) {
      const value = ring.at(row, FIRST + index);
      columns[index + 1].push(Number.isNaN(value) ? null : value); // the model was not asked
    }
  }
  return columns;
}

/** Stretches of one state, of the last `seconds`: [{ from, to, state }]. A point stands for the hop before it. */
export function stretches(stream, seconds) {
  const { ring } = stream;
  const hop = stream.hop / stream.rate;
  const found = [];
  for (let row = firstRow(stream, seconds); row < ring.length; row++) {
    const t = ring.at(row, T);
    const state = STATES[ring.at(row, STATE)];
    const last = found.at(-1);
    if (last !== undefined && last.state === state && t - last.to < 1.5 * hop) last.to = t;
    else found.push({ from: t - hop, to: t, state });
  }
  return found;
}

/** What a timeline draws of a stream that the page follows: its last points. */
export function live(stream) {
  return {
    labels: stream.labels,
    lines: (seconds) => lines(stream, seconds),
    stretches: (seconds) => stretches(stream, seconds),
    gaps: stream.gaps,
    changes: stream.changes,
    marks: stream.marks,
    alerts: () => [...stream.alerts.values()].map((alert) => ({ t: alert.start / stream.rate, text: `${alert.severity}: ${alert.rule}` })),
    begin: () => (stream.ring.length ? Math.max(0, stream.ring.at(0, T) - stream.hop / stream.rate) : 0),
    end: () => stream.last?.t ?? 0,
  };
}

/** What a timeline draws of a stream that the server has stored: all of it, thinned. `told` is what /v1/calls/…/trajectory says. */
export function stored(told) {
  const { labels } = told.hello;
  const columns = [told.t, ...labels.map((label) => told.smoothed[label])];
  const parts = told.segments.map(([from, to, state, label, confidence]) => ({ from, to, state, label, confidence }));
  const changes = [];
  for (const { from, label, confidence } of parts) {
    if (label !== null && changes.at(-1)?.label !== label) changes.push({ t: from, label, confidence });
  }
  return {
    labels,
    lines: () => columns,
    stretches: () => parts.map((part) => (part.state === "gap" ? { ...part, state: "stale" } : part)),
    gaps: parts.filter(({ state }) => state === "gap"),
    changes,
    marks: told.marks,
    alerts: () => told.alerts.map((alert) => ({ t: alert.start / SAMPLE_RATE, text: `${alert.severity}: ${alert.rule}` })),
    begin: () => 0,
    end: () => told.length_s,
  };
}

/** What a timeline says of one moment: time, state, and the probabilities where the model was asked. */
export function moment(series, seconds, t, index) {
  const place = series.stretches(seconds).find(({ from, to }) => from < t && t <= to);
  const shares = series.lines(seconds).slice(1).map((column) => column[index] ?? null);
  return { t, state: place?.state ?? null, shares: shares.every((share) => share === null) ? null : shares };
}

/** The last `count` places on the plane of valence and activation, oldest first: [[x, y], …]; null where there is no plane. */
export function trail(stream, count) {
  const names = stream.dimensions;
  const x = names.indexOf("valence");
  const y = names.includes("activation") ? names.indexOf("activation") : names.indexOf("arousal");
  if (x < 0 || y < 0) return null;
  const { ring, labels } = stream;
  const places = [];
  for (let row = Math.max(0, ring.length - count); row < ring.length; row++) {
    const place = [x, y].map((index) => ring.at(row, FIRST + labels.length + index));
    if (place.every(Number.isFinite) && SHOWN.has(ring.at(row, STATE))) places.push(place);
  }
  return places;
}

/** Quantiles of one stage of the ledger over the last points, ms: { last, p50, p95 }; null where no point has it. */
export function quantiles(stream, stage) {
  const values = stream.ledgers.map((ledger) => ledger[stage]).filter((value) => value !== null && value !== undefined);
  if (values.length === 0) return null;
  const last = values.at(-1);
  values.sort((a, b) => a - b);
  const rank = (share) => values[Math.min(values.length - 1, Math.floor(share * values.length))];
  return { last, p50: rank(0.5), p95: rank(0.95) };
}

function firstRow(stream, seconds) {
  const { ring } = stream;
  if (ring.length === 0) return 0;
  const since = ring.at(ring.length - 1, T) - seconds;
  let low = 0, high = ring.length - 1; // times grow: search by halves
  while (low < high) {
    const between = (low + high) >> 1;
    if (ring.at(between, T) < since) low = between + 1;
    else high = between;
  }
  return low;
}

function middle(gap) {
  return (gap.from + gap.to) / 2;
}
