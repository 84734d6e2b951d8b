// The part of a stream's view that shows what the model looked at: off until somebody switches it on.
//
// A canvas and not the chart library: a picture of cells is no line over time. Grey is sound, amber is where the model looked,
// and a line goes round what has more than half of the strongest, so that nothing depends on telling colours apart.

import { Asking } from "./asking.js";
import { element, mark, say } from "./dom.js";
import { at, columnsS, described, named, read, rowsHz } from "./reason.js";
import { position } from "./words.js";

const HEIGHT = 280, LEFT = 56, BELOW = 22, STRIP = 26; // CSS pixels
const ROWS = 64, COLUMNS = 100; // as many cells as are drawn
const TICKS_HZ = [100, 250, 500, 1000, 2000, 4000, 8000];
const MUCH = 0.5;

export class Why {
  constructor(stream, link) {
    this.stream = stream;
    this.reason = null;
    this.turns = 0; // which map is shown
    this.button = element("button", { type: "button", "aria-pressed": "false" }, "Show what the model looks at");
    this.next = element("button", { type: "button" }, "Next map");
    this.canvas = element("canvas", { role: "img", "aria-label": "", "aria-describedby": "why-text" });
    this.said = element("p", { id: "why-text" });
    this.note = element("p", { class: "quiet", role: "status" });
    this.shown = element("div", { class: "why" }, this.note, this.canvas, this.said);
    this.shown.hidden = this.next.hidden = true;
    this.about = element("p", { class: "quiet" },
      "Attention says where a network weighed sound more. It does not say why a voice sounds as it does, and it is no ground for a decision about a person.");
    this.parts = [element("div", { class: "spans" }, this.button, this.next), this.shown, this.about];
    this.asking = new Asking(link, (message) => this.take(message), (text) => say(this.note, text || this.waiting()));
    this.button.addEventListener("click", () => this.toggle());
    this.next.addEventListener("click", () => { this.turns += 1; this.draw(); });
    this.observer = new ResizeObserver(() => this.draw());
  }

  toggle() {
    const on = this.shown.hidden;
    this.shown.hidden = !on;
    mark(this.button, "aria-pressed", String(on));
    if (!on) return this.#forget();
    say(this.note, this.waiting());
    this.observer.observe(this.shown);
    this.asking.start(this.stream.name);
  }

  /** What to say while there is nothing to show. */
  waiting() {
    return this.reason === null ? "Waiting for a window with speech." : "";
  }

  take(message) {
    this.reason = read(message, this.stream.rate);
    if (this.note.textContent === "Waiting for a window with speech.") say(this.note, "");
    this.draw();
  }

  draw() {
    const { reason } = this;
    if (reason === null || this.shown.hidden) return;
    const choices = [...reason.maps, ...(reason.spectrogram ? [null] : [])];
    const told = choices.length ? choices[this.turns % choices.length] : null;
    this.next.hidden = choices.length < 2;
    mark(this.shown, "data-map", told?.name ?? "none");
    mark(this.canvas, "aria-label", `Spectrogram with ${named(told)}`);
    say(this.said, described(reason, told));
    this.canvas.hidden = told === null && reason.spectrogram === null;
    if (!this.canvas.hidden) this.#paint(reason, told);
  }

  restyle() {
    this.draw();
  }

  stop() {
    this.#forget();
  }

  #forget() {
    this.asking.stop();
    this.observer.disconnect();
    this.reason = null;
    this.next.hidden = true;
    say(this.said, "");
    this.canvas.width = this.canvas.height = 0;
  }

  #paint(reason, told) {
    const scale = devicePixelRatio, width = Math.max(160, this.shown.clientWidth);
    this.canvas.width = Math.round(width * scale);
    this.canvas.height = Math.round(HEIGHT * scale);
    const ctx = this.canvas.getContext("2d");
    ctx.scale(scale, scale);
    const strip = told !== null && told.hz === null ? STRIP : 0;
    const box = { x: LEFT, y: 6, width: width - LEFT - 4, height: HEIGHT - BELOW - 6 - strip };
    const hz = rowsHz(reason, ROWS), seconds = columnsS(reason, COLUMNS);
    const lit = hz.map((row) => seconds.map((second) => (told === null || strip ? 0 : at(told, row, second))));
    cells(ctx, box, reason, hz, seconds, lit);
    outline(ctx, box, lit);
    if (strip) bars(ctx, { ...box, y: box.y + box.height + 2, height: strip - 4 }, told, seconds);
    axes(ctx, box, strip, reason, hz);
  }
}

function colour(name) {
  const text = getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
  return [1, 3, 5].map((from) => parseInt(text.slice(from, from + 2), 16));
}

/** The sound in grey, and over it what the model looked at. */
function cells(ctx, box, reason, hz, seconds, lit) {
  const [ground, ink, heat] = ["card", "ink", "heat"].map(colour);
  const image = new ImageData(COLUMNS, ROWS);
  hz.forEach((row, y) => seconds.forEach((second, x) => {
    const level = reason.spectrogram ? at(reason.spectrogram, row, second) : 0;
    const share = 0.85 * lit[y][x];
    ground.forEach((dark, part) => {
      const grey = dark + 0.9 * level * (ink[part] - dark);
      image.data[4 * (y * COLUMNS + x) + part] = grey + share * (heat[part] - grey);
    });
    image.data[4 * (y * COLUMNS + x) + 3] = 255;
  }));
  const small = new OffscreenCanvas(COLUMNS, ROWS);
  small.getContext("2d").putImageData(image, 0, 0);
  ctx.imageSmoothingEnabled = false;
  ctx.drawImage(small, box.x, box.y, box.width, box.height);
}

/** A line round the cells that have more than half of the strongest. */
function outline(ctx, box, lit) {
  const much = (y, x) => (lit[y]?.[x] ?? 0) >= MUCH;
  const [wide, tall] = [box.width / COLUMNS, box.height / ROWS];
  ctx.beginPath();
  for (let y = 0; y <= ROWS; y += 1) {
    for (let x = 0; x <= COLUMNS; x += 1) {
      const [left, top] = [box.x + x * wide, box.y + y * tall];
      if (much(y, x) !== much(y - 1, x)) { ctx.moveTo(left, top); ctx.lineTo(left + wide, top); }
      if (much(y, x) !== much(y, x - 1)) { ctx.moveTo(left, top); ctx.lineTo(left, top + tall); }
    }
  }
  ctx.strokeStyle = css("ink");
  ctx.lineWidth = 1;
  ctx.stroke();
}

/** Weights of time alone, below the sound. */
function bars(ctx, box, told, seconds) {
  ctx.fillStyle = css("heat");
  const wide = box.width / seconds.length;
  seconds.forEach((second, x) => {
    const height = box.height * at(told, 0, second);
    ctx.fillRect(box.x + x * wide, box.y + box.height - height, wide, height);
  });
}

function axes(ctx, box, strip, reason, hz) {
  ctx.fillStyle = ctx.strokeStyle = css("ink");
  ctx.font = "12px system-ui, sans-serif";
  ctx.textBaseline = "middle";
  ctx.textAlign = "right";
  let free = -Infinity; // where the next name has room
  for (const tick of TICKS_HZ.toReversed()) {
    const row = hz.reduce((best, value, index) => (Math.abs(value - tick) < Math.abs(hz[best] - tick) ? index : best), 0);
    const y = Math.max(10, box.y + ((row + 0.5) / ROWS) * box.height);
    if (y < free) continue;
    ctx.fillText(tick < 1000 ? `${tick} Hz` : `${tick / 1000} kHz`, LEFT - 6, y);
    free = y + 14;
  }
  if (strip) ctx.fillText("weight", LEFT - 6, box.y + box.height + strip / 2);
  ctx.textBaseline = "top";
  ctx.textAlign = "center";
  const step = box.width > 360 ? 0.5 : 1;
  for (let second = Math.ceil(reason.from / step) * step; second <= reason.to; second += step) {
    const x = box.x + ((second - reason.from) / (reason.to - reason.from)) * box.width;
    ctx.fillRect(x, box.y + box.height + strip, 1, 4);
    const text = `${position(second)}${step < 1 ? `.${Math.round(10 * (second % 1))}` : ""}`;
    ctx.fillText(text, Math.min(x, box.x + box.width - 14), box.y + box.height + strip + 6);
  }
}

function css(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}
