// The charts, drawn by uPlot (vendor/): small lines on a card, the timeline, the plane. Colours come from the style sheet, and
// each label's line has a pattern of dashes too, so that nothing depends on telling colours apart.

import { colourNames } from "./labels.js";
import { lines, moment, trail } from "./series.js";
import { position } from "./words.js";

const DASHES = [[], [8, 4], [2, 3], [10, 3, 2, 3], [5, 2], [1, 4], [12, 6], [6, 2, 2, 2, 2, 2]];
const TRAIL = 40; // points that the plane shows
const STEPS_S = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600]; // between two marks of the time

function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}

function size(holder, height) {
  return { width: Math.max(60, Math.floor(holder.clientWidth)), height };
}

/** A piece of the line of one of the labels, for a key. */
export function sample(labels, index) {
  const made = (tag, attributes) => {
    const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
    for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
    return node;
  };
  const drawn = made("svg", { viewBox: "0 0 36 8", "aria-hidden": "true" });
  drawn.style.color = `var(--${colourNames(labels)[index]})`;
  const dashes = DASHES[index % DASHES.length].join(" ") || "none";
  drawn.append(made("line", { x1: 0, x2: 36, y1: 4, y2: 4, stroke: "currentColor", "stroke-width": 2, "stroke-dasharray": dashes }));
  return drawn;
}

/** A chart in a holder, as wide as the holder. What it shows is said by `options` and `data`; `stop` ends it. */
class Chart {
  /** `shown` is a stream or a series; `seconds` how much of it is shown. */
  constructor(holder, height, shown, seconds) {
    this.stream = this.series = shown;
    this.seconds = seconds;
    this.plot = new globalThis.uPlot({ ...size(holder, height), legend: { show: false }, ...this.options() }, this.data(), holder);
    this.observer = new ResizeObserver(() => {
      const wanted = size(holder, height);
      if (wanted.width !== this.plot.width) this.plot.setSize(wanted);
    });
    this.observer.observe(holder);
  }

  data() {
    return lines(this.stream, this.seconds);
  }

  draw() {
    this.plot.setData(this.data());
  }

  stop() {
    this.observer.disconnect();
    this.plot.destroy();
  }
}

function labelSeries(labels, width) {
  const names = colourNames(labels);
  return labels.map((label, index) => ({
    label,
    stroke: colour(names[index]),
    dash: DASHES[index % DASHES.length],
    width,
    points: { show: true, size: 2 * width + 2, fill: colour(names[index]), filter: alone },
  }));
}

/** Where a series has a value and none on either side: no line shows it, so a dot must. */
function alone(plot, place) {
  const values = plot.data[place];
  const found = [];
  for (let at = plot.series[0].idxs?.[0] ?? 0; at <= (plot.series[0].idxs?.[1] ?? values.length - 1); at += 1) {
    if (Number.isFinite(values[at]) && !Number.isFinite(values[at - 1]) && !Number.isFinite(values[at + 1])) found.push(at);
  }
  return found;
}

const PROBABILITY = { auto: false, range: () => [0, 1] };

/** The last seconds of a stream, small. */
export class Sparkline extends Chart {
  constructor(holder, stream, seconds) {
    super(holder, 40, stream, seconds);
  }

  options() {
    return {
      cursor: { show: false },
      axes: [{ show: false }, { show: false }],
      padding: [2, 0, 2, 0],
      scales: { x: { time: false, range: (plot, from, to) => [(to ?? 1) - this.seconds, to ?? 1] }, y: PROBABILITY },
      series: [{}, ...labelSeries(this.stream.labels, 1.5)],
    };
  }
}

/**
 * All probabilities over time, with what is not speech shaded, missing sound hatched, and changes of the label, alerts and marks
 * marked. `point` is told the moment under the pointer, or that arrow keys went to, and null where there is none.
 */
export class Timeline extends Chart {
  constructor(holder, series, seconds, point = () => {}) {
    super(holder, 260, series, seconds);
    this.point = point;
    this.keys = (event) => this.#step(event);
    holder.addEventListener("keydown", this.keys);
    this.holder = holder;
  }

  data() {
    return this.series.lines(this.seconds);
  }

  stop() {
    this.holder.removeEventListener("keydown", this.keys);
    super.stop();
  }

  /** Arrow keys go from one place to the next. */
  #step(event) {
    const way = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    const times = this.plot.data[0];
    if (way === undefined || times.length === 0) return;
    event.preventDefault();
    const { idx } = this.plot.cursor;
    const next = idx === null || idx === undefined ? (way < 0 ? times.length - 1 : 0) : Math.min(times.length - 1, Math.max(0, idx + way));
    this.plot.setCursor({ left: this.plot.valToPos(times[next], "x"), top: 10 });
  }

  #tell(plot) {
    const { idx } = plot.cursor;
    const t = idx === null || idx === undefined ? undefined : plot.data[0][idx];
    this.point?.(t === undefined ? null : moment(this.series, this.seconds, t, idx));
  }

  options() {
    const axis = { stroke: colour("ink"), grid: { stroke: colour("line"), width: 1 }, ticks: { stroke: colour("line") } };
    return {
      cursor: { y: false, drag: { x: false, y: false }, points: { show: true, size: 7 } },
      scales: { x: { time: false, range: (plot, from, to) => (to === null ? [0, 1] : [from, to]) }, y: PROBABILITY },
      axes: [
        { ...axis, values: (plot, marks) => marks.map(position), incrs: STEPS_S, space: 60 },
        { ...axis, values: (plot, marks) => marks.map((value) => `${Math.round(100 * value)} %`), size: 56 },
      ],
      series: [{}, ...labelSeries(this.series.labels, 2)],
      hooks: {
        drawClear: [(plot) => this.shade(plot)],
        draw: [(plot) => this.annotate(plot)],
        setCursor: [(plot) => this.#tell(plot)],
      },
    };
  }

  shade(plot) {
    const { ctx, bbox } = plot;
    ctx.save();
    ctx.beginPath();
    ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
    ctx.clip();
    for (const { from, to, state } of this.series.stretches(this.seconds)) {
      if (state === "speech") continue;
      if (to < (plot.scales.x.min ?? 0)) continue;
      ctx.fillStyle = colour(state === "silence" ? "shade" : state === "uncertain" ? "shade-light" : "shade-dark");
      const left = plot.valToPos(from, "x", true);
      ctx.fillRect(left, bbox.top, plot.valToPos(to, "x", true) - left, bbox.height);
    }
    ctx.strokeStyle = colour("ink-soft");
    ctx.setLineDash([]);
    ctx.lineWidth = devicePixelRatio;
    for (const gap of this.series.gaps) {
      const left = plot.valToPos(gap.from, "x", true), right = plot.valToPos(gap.to, "x", true);
      if (right < bbox.left) continue;
      ctx.save();
      ctx.beginPath();
      ctx.rect(left, bbox.top, right - left, bbox.height);
      ctx.clip();
      for (let at = left - bbox.height; at < right; at += 8 * devicePixelRatio) {
        ctx.beginPath();
        ctx.moveTo(at, bbox.top + bbox.height);
        ctx.lineTo(at + bbox.height, bbox.top);
        ctx.stroke();
      }
      ctx.restore();
    }
    ctx.restore();
  }

  annotate(plot) {
    const { ctx, bbox } = plot;
    let free = -Infinity; // where the next word has room
    const mark = (t, text, dash) => {
      const x = plot.valToPos(t, "x", true);
      if (x < bbox.left || x > bbox.left + bbox.width) return;
      ctx.setLineDash(dash);
      ctx.beginPath();
      ctx.moveTo(x, bbox.top);
      ctx.lineTo(x, bbox.top + bbox.height);
      ctx.stroke();
      if (x < free) return;
      ctx.fillText(text, x + 3 * devicePixelRatio, bbox.top + 2 * devicePixelRatio);
      free = x + ctx.measureText(text).width + 6 * devicePixelRatio;
    };
    ctx.save();
    ctx.strokeStyle = ctx.fillStyle = colour("ink");
    ctx.lineWidth = devicePixelRatio;
    ctx.font = `${11 * devicePixelRatio}px system-ui, sans-serif`;
    ctx.textAlign = "left";
    ctx.textBaseline = "top";
    for (const change of this.series.changes) mark(change.t, change.label, [3, 3]);
    ctx.textBaseline = "bottom";
    free = -Infinity;
    for (const { t } of this.series.alerts()) mark(t, "⚠", []);
    for (const { t } of this.series.marks) mark(t, "◆", [1, 2]);
    ctx.restore();
  }
}

/** Valence to the right, activation upwards, with the way that led here fading. */
export class Plane extends Chart {
  constructor(holder, stream) {
    super(holder, 240, stream, null);
  }

  options() {
    const axis = {
      stroke: colour("ink"),
      grid: { stroke: colour("line"), width: 1 },
      ticks: { show: false },
      splits: () => [-1, 0, 1],
      labelSize: 16,
      labelFont: "12px system-ui, sans-serif",
    };
    const whole = { auto: false, range: () => [-1, 1] };
    return {
      cursor: { show: false },
      scales: { x: { time: false, ...whole }, y: whole },
      axes: [{ ...axis, label: "valence" }, { ...axis, label: "activation", size: 30 }],
      series: [{}, { show: false }],
      hooks: { draw: [(plot) => this.dots(plot)] },
    };
  }

  data() {
    return [[-1, 1], [null, null]]; // the dots are drawn by hand: their times are no axis
  }

  dots(plot) {
    const places = trail(this.stream, TRAIL) ?? [];
    const { ctx } = plot;
    ctx.save();
    ctx.fillStyle = colour("ink");
    places.forEach(([x, y], index) => {
      const newest = index === places.length - 1;
      ctx.globalAlpha = newest ? 1 : 0.05 + (0.5 * index) / places.length;
      ctx.beginPath();
      ctx.arc(plot.valToPos(x, "x", true), plot.valToPos(y, "y", true), (newest ? 7 : 4) * devicePixelRatio, 0, 2 * Math.PI);
      ctx.fill();
    });
    ctx.restore();
  }
}
