// The page's logic without a page: `node --test tests/web/logic.mjs`.

import assert from "node:assert/strict";
import { test } from "node:test";

import { decodingRate, level, mix, nativeRate, toS16 } from "../../stream_ser/web/pcm.js";
import { at, columnsS, described, named, read, rowsHz } from "../../stream_ser/web/reason.js";
import { Resume } from "../../stream_ser/web/resume.js";
import { Ring, append } from "../../stream_ser/web/ring.js";
import { colourNames } from "../../stream_ser/web/labels.js";
import { alertedAt, ordered, unseen, urgency, wanted } from "../../stream_ser/web/order.js";
import { lines, live, moment, quantiles, stored, stretches, trail } from "../../stream_ser/web/series.js";
import {
  clear, judged, KEPT_MS, MOST_STREAMS, newState, openAlerts, POINTS, prune, reduce, staleness,
} from "../../stream_ser/web/state.js";
import { alarm, duration, linked, momentWords, percent, position, printable, said, titleOf, whose } from "../../stream_ser/web/words.js";

const LEDGER = { capture_ms: null, wait_ms: 1, compute_ms: 2, smooth_ms: 3, publish_ms: 4, age_ms: 5, lag_ms: 6 };

function hello(stream = "a", seq = 0, more = {}) {
  return {
    type: "hello", seq, epoch: "e", stream, call: null, role: null, labels: ["angry", "sad"],
    dimensions: ["activation", "valence"], sample_rate: 16000, hop: 8000, window: 32000, model: { name: "m" },
    engine: "onnx", source: { kind: "microphone", name: "USB" }, anchor: "2026-11-21T03:00:00.000Z", ...more,
  };
}

function point(seq, number = seq, more = {}) {
  const t = 2 + number / 2;
  return {
    type: "point", seq, stream: "a", start: 0, end: 16000 * t, t, state: "speech", label: "angry", confidence: 0.75,
    raw: { angry: 0.75, sad: 0.25 }, smoothed: { angry: 0.75, sad: 0.25 }, dimensions: { activation: 0.5, valence: -0.5 }, text: null, ledger: LEDGER, ...more,
  };
}

function alert(seq, kind = "opened", id = "rule@1") {
  const reason = kind === "cleared" ? "below" : null;
  return { type: "alert", seq, stream: "a", kind, id, rule: "anger rising", severity: "warning", start: 16000, peak: 0.8, reason };
}

function heard(...messages) {
  const state = newState();
  for (const message of messages) reduce(state, message, 1000);
  return state;
}

test("points make up a stream, and a label that becomes another is a change", () => {
  const state = heard(hello(), point(1), point(2), point(3, 3, { label: "sad" }), point(4, 4, { label: null, state: "silence" }), point(5, 5, { label: "sad" }));
  const stream = state.streams.get("a");
  assert.equal(stream.count, 5);
  assert.deepEqual(stream.changes.map(({ t, label }) => [t, label]), [[2.5, "angry"], [3.5, "sad"]]);
  assert.equal(stream.seq, 5);
});

test("what stands is taken once", () => {
  const state = heard(hello(), point(1), alert(2));
  reduce(state, point(1), 2000, true);
  reduce(state, alert(2), 2000, true);
  assert.equal(state.streams.get("a").count, 1);
  assert.equal(state.streams.get("a").heardAt, 1000);
  assert.equal(state.events.length, 1);
});

test("who joins late learns the last point and the open alerts, whatever their numbers", () => {
  const state = heard(hello("a", 9));
  reduce(state, point(9), 1000, true);
  reduce(state, alert(4), 1000, true);
  const stream = state.streams.get("a");
  assert.deepEqual([stream.count, stream.last.seq, openAlerts(stream).length, state.events.length], [1, 9, 1, 0]);
});

test("a hello again changes nothing, and that of another run begins anew", () => {
  const state = heard(hello(), point(1), hello("a", 1));
  assert.equal(state.streams.get("a").count, 1);
  reduce(state, hello("a", 1, { anchor: "2026-11-21T04:00:00.000Z" }), 1000);
  assert.equal(state.streams.get("a").count, 0);
});

test("an alert is open until it is cleared or its stream ends, and is told of once", () => {
  const state = heard(hello(), alert(1), alert(2, "updated"));
  const stream = state.streams.get("a");
  assert.equal(openAlerts(stream).length, 1);
  assert.equal(state.events.length, 1);
  reduce(state, alert(3, "cleared"), 1000);
  assert.equal(openAlerts(stream).length, 0);
  assert.equal(stream.alerts.get("rule@1").kind, "cleared");
  reduce(state, alert(4, "opened", "rule@2"), 1000);
  reduce(state, { type: "end", seq: 5, stream: "a", summary: {} }, 1000);
  assert.equal(openAlerts(stream).length, 0);
});

test("a stream is stale after two hops without news, or with the connection", () => {
  const stream = heard(hello(), point(1)).streams.get("a");
  assert.equal(staleness(stream, null, 2000), null);
  assert.deepEqual(staleness(stream, null, 2001), { since: 1000, why: "nothing has come" });
  assert.equal(staleness(stream, 1500, 1600).since, 1000);
  stream.endedAt = 1;
  assert.equal(staleness(stream, 1500, 99999), null);
});

test("memory is bounded whatever comes", () => {
  const state = newState();
  reduce(state, hello(), 0);
  for (let seq = 1; seq <= POINTS + 100; seq++) {
    reduce(state, point(seq, seq, { label: seq % 2 ? "angry" : "sad" }), seq);
    reduce(state, { type: "gap", seq, stream: "a", start: 0, end: 1, t: 1, reason: "" }, seq);
    reduce(state, { type: "notice", seq, stream: "a", level: "info", text: "" }, seq);
    reduce(state, alert(seq, "opened", `rule@${seq}`), seq);
  }
  const stream = state.streams.get("a");
  assert.equal(stream.ring.length, POINTS);
  assert.equal(stream.count, POINTS + 100);
  assert.deepEqual([stream.changes, stream.gaps, stream.notices, stream.ledgers, state.events].map(({ length }) => length), [200, 200, 20, 120, 20]);
  assert.equal(stream.alerts.size, 50);
  for (let number = 0; number < MOST_STREAMS + 50; number++) reduce(state, hello(`s${number}`), 5000 + number);
  prune(state, 6000);
  assert.equal(state.streams.size, MOST_STREAMS);
  assert.ok(!state.streams.has("a"));
});

test("what is over leaves after a while", () => {
  const state = heard(hello(), { type: "end", seq: 1, stream: "a" });
  const call = { type: "call", seq: 2, call: "c", kind: "ended", legs: [], summary: null };
  reduce(state, call, 1000);
  prune(state, 1000 + KEPT_MS);
  assert.deepEqual([state.streams.size, state.calls.size], [1, 1]);
  prune(state, 1001 + KEPT_MS);
  assert.deepEqual([state.streams.size, state.calls.size], [0, 0]);
});

test("an interrupted call ends its streams, and a call is taken once", () => {
  const state = heard(hello("a", 0, { call: "c" }));
  const call = { type: "call", seq: 2, call: "c", kind: "interrupted", time: "2026-11-21T03:10:00.000Z", legs: [{ stream: "a" }, { stream: null }], summary: null };
  reduce(state, call, 3000);
  assert.equal(state.streams.get("a").endedAt, 3000);
  assert.equal(state.streams.get("a").overAt, Date.parse(call.time), "by the server's clock");
  reduce(state, { ...call, kind: "opened", seq: 1 }, 4000, true);
  assert.equal(state.calls.get("c").kind, "interrupted");
  clear(state);
  assert.equal(state.streams.size + state.calls.size, 0);
});

test("lines have holes where nothing is known", () => {
  const gap = { type: "gap", seq: 3, stream: "a", start: 16000 * 3.25, end: 16000 * 3.5, t: 3.5, reason: "lost" };
  const state = heard(hello(), point(1), point(2), gap, point(4, 3), point(5, 6), point(6, 7, { state: "stale", label: null }), point(7, 8));
  const [times, angry] = lines(state.streams.get("a"), Infinity);
  assert.deepEqual(times, [2.5, 3, 3.375, 3.5, 4.25, 5, 5.5, 6]);
  assert.deepEqual(angry, [0.75, 0.75, null, 0.75, null, 0.75, null, 0.75]);
  assert.deepEqual(lines(state.streams.get("a"), 1)[0], [5, 5.5, 6]);
  assert.deepEqual(stretches(state.streams.get("a"), Infinity), [
    { from: 2, to: 3.5, state: "speech" }, { from: 4.5, to: 5, state: "speech" },
    { from: 5, to: 5.5, state: "stale" }, { from: 5.5, to: 6, state: "speech" },
  ]);
  assert.deepEqual(lines(heard(hello()).streams.get("a"), 30), [[], [], []]);
});

test("the plane has what the model rates, and nothing where it rates nothing", () => {
  const silent = point(2, 2, { dimensions: { activation: null, valence: null }, state: "silence", label: null });
  assert.deepEqual(trail(heard(hello(), point(1), silent).streams.get("a"), 10), [[-0.5, 0.5]]);
  assert.equal(trail(heard(hello("a", 0, { dimensions: [] }), point(1)).streams.get("a"), 10), null);
});

test("quantiles are of what is there", () => {
  const stream = heard(hello(), point(1), point(2)).streams.get("a");
  assert.deepEqual(quantiles(stream, "age_ms"), { last: 5, p50: 5, p95: 5 });
  assert.equal(quantiles(stream, "capture_ms"), null);
});

test("a ring keeps the newest rows", () => {
  const ring = new Ring(3, 2);
  for (let number = 0; number < 5; number++) ring.push([number, null]);
  assert.deepEqual([0, 1, 2].map((row) => ring.at(row, 0)), [2, 3, 4]);
  assert.ok(Number.isNaN(ring.at(0, 1)));
  const list = [];
  for (let number = 0; number < 5; number++) append(list, number, 2);
  assert.deepEqual(list, [3, 4]);
});

test("the first connection goes back a little where there is history, and then on", () => {
  const resume = new Resume(10);
  assert.equal(resume.query(), "snapshot=1");
  resume.opened();
  assert.equal(resume.take(hello("a", 25)), "rejoin");
  assert.equal(resume.query(), "snapshot=1&last_seq=15&epoch=e");
  resume.opened();
  assert.equal(resume.take({ type: "missed", seq: 17, epoch: "e", first: 16, last: 17, count: 2 }), "take");
  assert.equal(resume.lost, 0, "what was before the page is not lost to it");
  assert.equal(resume.take(hello("a", 17)), "take");
  for (let seq = 18; seq <= 25; seq++) assert.equal(resume.take(point(seq)), "take");
  assert.equal(resume.take(hello("a", 25)), "take");
  assert.equal(resume.take({ type: "snapshot", seq: 25, message: point(25) }), "standing");
  assert.equal(resume.seq, 25);
});

test("after a break it asks for what followed, and takes nothing twice", () => {
  const resume = new Resume(0);
  resume.opened();
  resume.take(hello("a", 4));
  resume.take(point(5));
  resume.opened();
  assert.equal(resume.query(), "snapshot=1&last_seq=5&epoch=e");
  assert.equal(resume.take(hello("a", 5)), "take");
  assert.equal(resume.take(point(5)), "skip");
  assert.equal(resume.take(point(6)), "take");
  assert.equal(resume.take({ type: "dropped", seq: 9, epoch: "e", first: 7, last: 9, count: 3 }), "take");
  assert.equal(resume.take({ type: "missed", seq: 11, epoch: "e", first: 10, last: 11, count: null }), "take");
  assert.deepEqual([resume.lost, resume.lostUnknown, resume.seq], [3, true, 11]);
  assert.equal(resume.take({ type: "heartbeat", seq: 12, epoch: "e" }), "take");
  assert.equal(resume.seq, 12);
});

test("another epoch, and one that has lost its end, is another run", () => {
  for (const next of [hello("a", 3, { epoch: "f" }), hello("a", 3)]) {
    const resume = new Resume(2);
    resume.opened();
    resume.take(hello("a", 0));
    resume.take(point(5));
    resume.opened();
    assert.equal(resume.take(next), "restart");
    assert.equal(resume.query(), `snapshot=1&last_seq=1&epoch=${next.epoch}`);
  }
});

test("without history what is missed is counted if it is the same run", () => {
  const begin = () => {
    const resume = new Resume();
    resume.opened();
    assert.equal(resume.take(hello("a", 0, { epoch: null })), "take");
    resume.take(point(1));
    resume.opened();
    assert.equal(resume.query(), "snapshot=1");
    return resume;
  };
  const same = begin();
  assert.equal(same.take(hello("a", 4, { epoch: null })), "take");
  assert.equal(same.lost, 3);
  for (const other of [hello("b", 4, { epoch: null }), hello("a", 0, { epoch: null }), hello("a", 4, { epoch: null, anchor: null })]) {
    const resume = begin();
    assert.equal(resume.take(other), "reset");
    assert.deepEqual([resume.lost, resume.seq], [0, other.seq]);
  }
});

function why(...maps) {
  const base = { type: "why", seq: 1, stream: "a", start: 16000, end: 48000, state: "speech", label: "sad", confidence: 0.62 };
  return { ...base, maps, spectrogram: null };
}

function map(name, bytes, more = {}) {
  const values = btoa(String.fromCharCode(...bytes));
  return { name, of: null, rows: 2, columns: bytes.length / 2, hz: [0, 1000, 4000], seconds: [0.02, 1.98], low: 0, high: 1, values, ...more };
}

test("a map has its strength where it lies, and none elsewhere", () => {
  const reason = read(why(map("bottom_up", [0, 0, 0, 0, 255, 51])), 16000);
  assert.deepEqual([reason.from, reason.to], [1, 3]);
  const [told] = reason.maps;
  const close = (seen, wanted) => assert.ok(Math.abs(seen - wanted) < 1e-6, `${seen} is not ${wanted}`);
  close(at(told, 2000, 1), 1);
  close(at(told, 2000, 1.9), 0.2);
  for (const [hz, second] of [[500, 1], [5000, 1], [2000, 0.01], [2000, 1.99]]) close(at(told, hz, second), 0);
  const [hz, seconds] = [rowsHz(reason, 64), columnsS(reason, 4)];
  assert.ok(hz.every((value, row) => row === 0 || value < hz[row - 1]) && hz[0] < 8000 && hz[63] > 0);
  assert.deepEqual(seconds, [0.25, 0.75, 1.25, 1.75]);
});

test("what a picture shows is said in words", () => {
  const say = (...maps) => {
    const reason = read(why(...maps), 16000);
    return described(reason, reason.maps[0] ?? null);
  };
  assert.equal(
    say(map("bottom_up", [0, 0, 0, 0, 255, 85])),
    "sad 62 %, window 1.0 to 3.0 s. Bottom-up: where the model looks. Most at 2.0 s and 2500 Hz. "
      + "First third of the window 0 %, second 75 %, last 25 %.",
  );
  assert.match(say(map("top_down", [0, 255, 0, 0, 0, 0], { of: "sad", low: -3, high: -1 })), /Nothing speaks for sad\.$/);
  assert.match(say(map("attention", [0, 255], { rows: 1, columns: 2, hz: null })), /Most at 2\.5 s, at all frequencies alike\./);
  assert.match(say(), /This model has no attention to show\.$/);
  assert.equal(named(null), "the sound alone");
  const weak = read(why(map("top_down", [0, 128, 255, 0, 0, 0], { of: "sad", low: -1, high: 1 })), 16000).maps[0];
  assert.ok(weak.strengths[0] === 0 && weak.strengths[2] === 1, "what speaks against a label is not lit");
});

function alerting(name, more = {}) {
  const { at = 0, severity = "warning", seen = false, anchor = "2026-11-21T03:00:00.000Z" } = more;
  const state = heard(hello(name, 0, { anchor }));
  const stream = state.streams.get(name);
  if (severity !== null) reduce(state, { ...alert(1, "opened", `rule@${at * 16000}`), stream: name, severity }, 1000);
  if (seen) reduce(state, { type: "acknowledgement", seq: 2, stream: name, id: `rule@${at * 16000}`, by: "Kim", time: anchor }, 1000);
  return stream;
}

test("who needs someone comes first: by alert, then by how long, then by start", () => {
  const streams = [
    alerting("quiet, later", { severity: null, anchor: "2026-11-21T04:00:00.000Z" }),
    alerting("quiet", { severity: null }),
    alerting("seen", { seen: true, severity: "critical" }),
    alerting("info", { severity: "info" }),
    alerting("a warned lately", { at: 60 }),
    alerting("warned for long", { at: 10 }),
    alerting("critical", { at: 90, severity: "critical" }),
  ];
  const over = alerting("over");
  over.endedAt = 1;
  const expected = ["critical", "warned for long", "a warned lately", "info", "seen", "quiet", "quiet, later", "over"];
  assert.deepEqual(ordered([over, ...streams], new Set()), expected);
  assert.deepEqual(ordered([over, ...streams].reverse(), new Set()), expected, "whatever the order they came in");
  assert.deepEqual(ordered(streams, new Set(["quiet"]))[0], "quiet");
  assert.equal(alertedAt(streams[4], streams[4].alerts.get("rule@960000")), Date.parse("2026-11-21T03:01:00.000Z"));
  assert.deepEqual(urgency(streams[1]), { rank: 0, since: Infinity, start: Date.parse("2026-11-21T03:00:00.000Z") });
});

test("an acknowledgement is taken once, and an alert that somebody has seen is pressing no more", () => {
  const stream = alerting("a", { seen: true });
  assert.equal(unseen(stream).length, 0);
  assert.equal(openAlerts(stream).length, 1);
  assert.deepEqual(stream.acknowledged.get("rule@0"), { by: "Kim", at: Date.parse("2026-11-21T03:00:00.000Z") });
});

test("streams are found by label, alert, agent, queue and any word", () => {
  const stream = alerting("c-1/customer");
  stream.held = { label: "angry" };
  const call = { about: { caller: "C. 4711", queue: "north", agent: "Desk 7" } };
  const none = { text: "", label: "", alert: "any", agent: "", queue: "" };
  const found = (looked) => wanted(stream, call, { ...none, ...looked });
  for (const looked of [{}, { text: " 4711 " }, { text: "NORTH" }, { text: "rising" }, { label: "angry" }, { alert: "open" }, { alert: "unseen" }, { agent: "Desk 7" }, { queue: "north" }]) {
    assert.ok(found(looked), JSON.stringify(looked));
  }
  for (const looked of [{ text: "nobody" }, { label: "sad" }, { agent: "Desk 8" }, { queue: "south" }]) assert.ok(!found(looked), JSON.stringify(looked));
  assert.ok(!wanted(alerting("a", { seen: true }), undefined, { ...none, alert: "unseen" }));
  assert.ok(!wanted(alerting("a", { severity: null }), undefined, { ...none, alert: "open" }));
});

test("what judged nothing is no result", () => {
  const nothing = { angry: null, sad: null };
  const states = ["warming", "silence", "stale", "paused"].map((state) => point(1, 1, { state, label: null, raw: nothing }));
  const dropped = point(1, 1, { state: "uncertain", label: null, raw: nothing });
  assert.ok([...states, dropped].every((one) => !judged(one)));
  assert.ok(judged(point(1)) && judged(point(1, 1, { state: "uncertain", label: null })));
  const stream = heard(hello(), point(1), point(2, 2, { state: "silence", label: null, raw: nothing })).streams.get("a");
  assert.deepEqual(lines(stream, Infinity)[1], [0.75, null]);
  assert.deepEqual(stream.held, { label: "angry", confidence: 0.75, t: 2.5 }, "the last label is held through silence");
});

test("a moment of a timeline has the values there, or says why there are none", () => {
  const stream = heard(hello(), point(1), point(2, 2, { state: "silence", label: null, raw: { angry: null, sad: null } })).streams.get("a");
  const say = (t, index) => momentWords(moment(live(stream), Infinity, t, index), ["angry", "sad"]);
  assert.equal(say(2.5, 0), "at 0:02.5: angry 75 %, sad 25 %");
  assert.equal(say(3, 1), "at 0:03.0: silence");
  assert.equal(momentWords({ t: 3, state: null, shares: null }, []), "at 0:03.0: nothing is known");
});

test("what is stored is drawn like what is live", () => {
  const told = {
    hello: { labels: ["angry", "sad"] }, length_s: 4, t: [1, 2, 3], smoothed: { angry: [null, 0.75, 0.5], sad: [null, 0.25, 0.5] },
    segments: [[0, 1, "warming", null, null], [1, 2, "speech", "angry", 0.75], [2, 3, "gap", null, null], [3, 4, "speech", "angry", 0.5]],
    alerts: [{ start: 16000, severity: "warning", rule: "r" }], marks: [{ t: 2, text: "note" }],
  };
  const series = stored(told);
  assert.deepEqual(series.lines(), [[1, 2, 3], [null, 0.75, 0.5], [null, 0.25, 0.5]]);
  assert.deepEqual(series.changes, [{ t: 1, label: "angry", confidence: 0.75 }]);
  assert.deepEqual(series.alerts(), [{ t: 1, text: "warning: r" }]);
  assert.deepEqual([series.begin(), series.end(), series.gaps.length, series.stretches()[2].state], [0, 4, 1, "stale"]);
});

test("a label has its colour whatever others there are", () => {
  assert.deepEqual(colourNames(["sad", "calm", "angry"]), ["label-sad", "label-other-0", "label-angry"]);
  assert.equal(new Set(colourNames(Array.from({ length: 8 }, (_, at) => `label ${at}`))).size, 8);
});

test("words", () => {
  assert.deepEqual([percent(0.746), percent(null), percent(NaN)], ["75 %", "–", "–"]);
  assert.deepEqual([position(61.9), position(3661)], ["1:01", "1:01:01"]);
  assert.deepEqual([duration(1.234), duration(12.34), duration(123.4), duration(undefined)], ["1.23 ms", "12.3 ms", "123 ms", "–"]);
  assert.equal(said(null), "waiting for sound");
  assert.equal(said({ label: null, state: "uncertain" }), "speech, no label justified");
  assert.equal(said({ label: "angry", state: "speech" }), "angry");
  assert.equal(said(null, true), "no sound came");
  const stream = { name: "c/customer", role: "customer", call: "c", source: { kind: "call" } };
  assert.equal(whose(stream), "customer · call c");
  assert.equal(whose(stream, { about: { caller: "C.", queue: "north", agent: "Kim" } }), "customer · queue north · with Kim");
  assert.deepEqual([titleOf(stream), titleOf(stream, { about: { caller: "C." } })], ["c/customer", "C."]);
  assert.equal(alarm({ severity: "warning", rule: "r", kind: "cleared", reason: "gap" }), "warning: r, over (gap)");
  assert.match(linked({ state: "lost", text: "", since: 0 }), /^Not connected since .*\. Trying again by itself\.$/);
});

function bytes(...parts) {
  return new Uint8Array(parts.flatMap((part) => (typeof part === "string" ? [...part].map((letter) => letter.charCodeAt(0)) : part)));
}

function little(value) {
  return [value & 255, (value >> 8) & 255, (value >> 16) & 255, value >>> 24];
}

test("samples are rounded, never wrapped, and whole again after 16 bits", () => {
  assert.deepEqual([...toS16([0, 0.5, -0.5, 1, -1, 2, -2, 1 / 32768, 0.4 / 32768])], [0, 16384, -16384, 32767, -32768, 32767, -32768, 1, 0]);
  const every = Int16Array.from({ length: 65_536 }, (_, value) => value - 32_768);
  assert.deepEqual(toS16(Float32Array.from(every, (value) => value / 32_768)), every);
});

test("channels are averaged, and one is left alone", () => {
  const [left, right] = [Float32Array.of(1, 0, -0.5), Float32Array.of(0, 0, 0.5)];
  assert.deepEqual([...mix([left, right])], [0.5, 0, 0]);
  assert.equal(mix([left]), left);
  assert.deepEqual([...left], [1, 0, -0.5], "the channels stay as they were");
});

test("the level is in dB below full scale, and silence has a floor", () => {
  assert.deepEqual(level(new Float32Array(10)), { rms: -120, peak: -120 });
  assert.deepEqual(level([]), { rms: -120, peak: -120 });
  const sine = Float32Array.from({ length: 480 }, (_, at) => 0.5 * Math.sin((2 * Math.PI * at) / 48));
  assert.ok(Math.abs(level(sine).rms - -9.03) < 0.01);
  assert.ok(Math.abs(level(sine).peak - -6.02) < 0.01);
});

test("a file's rate is read from its header, wherever that lies", () => {
  const fmt = (rate) => ["fmt ", little(16), [1, 0, 1, 0], little(rate), little(2 * rate), [2, 0, 16, 0]];
  assert.equal(nativeRate(bytes("RIFF", little(0), "WAVE", ...fmt(22_050))), 22_050);
  assert.equal(nativeRate(bytes("RIFF", little(0), "WAVE", "LIST", little(3), "abc", [0], ...fmt(8000))), 8000);
  assert.equal(nativeRate(bytes("RIFF", little(0), "WAVE", "LIST", little(3))), null);
  assert.equal(nativeRate(bytes("fLaC", [0, 0, 0, 34], new Array(10).fill(0), [0x0a, 0xc4, 0x42, 0xf0])), 44_100);
  assert.equal(nativeRate(bytes("OggS", new Array(22).fill(0), [1], [30], "\x01vorbis", little(0), [1], little(32_000))), 32_000);
  assert.equal(nativeRate(bytes("OggS", new Array(22).fill(0), [1], [19], "OpusHead", [1, 1, 0, 0], little(16_000))), 48_000);
  assert.equal(nativeRate(bytes([0xff, 0xf3, 0x48, 0xc4])), 16_000);
  assert.equal(nativeRate(bytes("ID3", [4, 0, 0], [0, 0, 1, 2], new Array(130).fill(0), [0xff, 0xfb, 0x90, 0x64])), 44_100);
  for (const other of [bytes(), bytes("RIFF"), bytes("fLaC"), bytes("OggS"), bytes("ID3"), bytes([0xff]), bytes("....ftypM4A ")]) {
    assert.equal(nativeRate(other), null);
    assert.equal(decodingRate(other), 48_000);
  }
  assert.equal(decodingRate(bytes("RIFF", little(0), "WAVE", ...fmt(96_000))), 48_000);
  assert.equal(decodingRate(bytes("RIFF", little(0), "WAVE", ...fmt(6000))), 8000);
});

test("a file's name is sent without what the wire refuses", () => {
  assert.equal(printable("Gespräch 1 – März.flac"), "Gespräch 1 – März.flac");
  assert.equal(printable("a\u0000b\u202ec\nd"), "a·b·c·d");
  assert.equal(printable("x".repeat(300)).length, 120);
  assert.equal(printable("😀".repeat(121)), "😀".repeat(120), "no half of a character");
  assert.equal(printable("  "), "");
});
