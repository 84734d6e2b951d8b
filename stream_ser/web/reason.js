// What a point rests on, decoded and sampled on one grid of time and frequency, and said in words. Pure.
//
// All pictures share one frequency axis, the spectrogram's, which is even in mels; a map is nothing where its network does not hear.

import { percent, position } from "./words.js";

const FLOOR_DB = 55; // below a window's loudest cell: what is quieter is drawn as silence
const BANDS = 32, TOP_HZ = 8000;
const NAMES = {
  bottom_up: () => "bottom-up: where the model looks",
  top_down: (of) => `top-down: what speaks for ${of}`,
  attention: () => "attention: what weighs more",
};
export const ALONE = "the sound alone";

/** A `why` message as the page uses it: times in seconds of the stream, pictures with their strengths from 0 to 1. */
export function read(message, rate) {
  return {
    from: message.start / rate,
    to: message.end / rate,
    state: message.state,
    label: message.label,
    confidence: message.confidence,
    maps: message.maps.map(picture),
    spectrogram: message.spectrogram === null ? null : picture(message.spectrogram),
  };
}

function picture(told) {
  const bytes = Uint8Array.from(atob(told.values), (letter) => letter.charCodeAt(0));
  const values = Float32Array.from(bytes, (byte) => told.low + (byte / 255) * (told.high - told.low));
  const highest = values.reduce((most, value) => Math.max(most, value), -Infinity);
  const strength = told.name === "spectrogram" ? (value) => (value - highest + FLOOR_DB) / FLOOR_DB : (value) => (highest > 0 ? value / highest : 0);
  return { ...told, values, highest, strengths: values.map((value) => Math.min(1, Math.max(0, strength(value)))) };
}

/** The frequencies of so many rows, highest first. */
export function rowsHz(reason, count) {
  const edges = reason.spectrogram?.hz ?? melEdges();
  return Array.from({ length: count }, (_, row) => {
    const place = ((count - row - 0.5) / count) * (edges.length - 1);
    const below = Math.min(Math.floor(place), edges.length - 2);
    return edges[below] + (place - below) * (edges[below + 1] - edges[below]);
  });
}

/** The seconds of so many columns, from the window's first sample. */
export function columnsS(reason, count) {
  return Array.from({ length: count }, (_, column) => ((column + 0.5) / count) * (reason.to - reason.from));
}

/** The strength of a picture at a frequency and a second from the window's first sample; 0 where it has none. */
export function at(told, hz, second) {
  const [begin, end] = told.seconds;
  const column = Math.floor(((second - begin) / (end - begin)) * told.columns);
  if (column < 0 || column >= told.columns) return 0;
  const row = told.hz === null ? 0 : told.hz.findIndex((edge) => edge > hz) - 1;
  return row < 0 ? 0 : told.strengths[row * told.columns + column];
}

/** What is shown, in a few words. */
export function named(told) {
  return told === null ? ALONE : (NAMES[told.name]?.(told.of) ?? told.name);
}

/** All that the picture shows, for those who do not see it. */
export function described(reason, told) {
  const head = `${reason.label === null ? reason.state : `${reason.label} ${percent(reason.confidence)}`}, window ${seconds(reason.from)} to ${seconds(reason.to)} s.`;
  if (told === null && reason.maps.length === 0) return `${head} This model has no attention to show.`;
  if (told === null) return `${head} The sound alone.`;
  if (told.of !== null && told.highest <= 0) return `${head} Nothing speaks for ${told.of}.`;
  const cell = told.strengths.indexOf(Math.max(...told.strengths));
  const [row, column] = [Math.floor(cell / told.columns), cell % told.columns];
  const [begin, end] = told.seconds;
  const moment = seconds(reason.from + begin + ((column + 0.5) / told.columns) * (end - begin));
  const pitch = told.hz === null ? ", at all frequencies alike" : ` and ${Math.round((told.hz[row] + told.hz[row + 1]) / 20) * 10} Hz`;
  const parts = thirds(told).map(percent);
  const name = named(told);
  return `${head} ${name[0].toUpperCase()}${name.slice(1)}. Most at ${moment} s${pitch}. First third of the window ${parts[0]}, second ${parts[1]}, last ${parts[2]}.`;
}

/** How what is lit is shared out over the window's thirds. */
function thirds(told) {
  const sums = [0, 0, 0];
  told.strengths.forEach((strength, cell) => (sums[Math.floor((3 * (cell % told.columns)) / told.columns)] += strength));
  const all = sums[0] + sums[1] + sums[2];
  return sums.map((sum) => sum / all);
}

function seconds(value) {
  return value < 60 ? value.toFixed(1) : `${position(value)}.${Math.floor(10 * (value % 1))}`;
}

/** Edges of bands that are even in mels (Slaney's: linear to 1 kHz), for maps that come without a spectrogram. */
function melEdges() {
  const log = Math.log(6.4) / 27;
  const top = 15 + Math.log(TOP_HZ / 1000) / log;
  return Array.from({ length: BANDS + 1 }, (_, edge) => {
    const mel = (top * edge) / BANDS;
    return mel < 15 ? (mel * 200) / 3 : 1000 * Math.exp((mel - 15) * log);
  });
}
