// Samples: what goes over the wire, how loud it is, and the rate that a sound file's header names. Pure.

const FULL = 32768; // of 16 bits
const FLOOR_DB = -120;
export const LOWEST_RATE = 8000, HIGHEST_RATE = 48_000; // what /v1/audio takes
const DECODED_AT = 48_000; // where a file's own rate is not known

/** Floats in [-1, 1] as signed 16 bits; every platform that has a browser is little-endian, as the wire is. */
export function toS16(floats) {
  const samples = new Int16Array(floats.length);
  for (let at = 0; at < floats.length; at++) {
    samples[at] = Math.max(-FULL, Math.min(FULL - 1, Math.round(floats[at] * FULL)));
  }
  return samples;
}

/** The mean of channels of floats. */
export function mix(channels) {
  if (channels.length === 1) return channels[0];
  const mono = new Float32Array(channels[0].length);
  for (const channel of channels) for (let at = 0; at < mono.length; at++) mono[at] += channel[at];
  for (let at = 0; at < mono.length; at++) mono[at] /= channels.length;
  return mono;
}

/** RMS and peak of floats, dB below full scale; -120 for digital silence. */
export function level(floats) {
  let energy = 0, peak = 0;
  for (const value of floats) {
    energy += value * value;
    peak = Math.max(peak, Math.abs(value));
  }
  return { rms: decibels(Math.sqrt(energy / (floats.length || 1))), peak: decibels(peak) };
}

function decibels(value) {
  return value > 0 ? Math.max(FLOOR_DB, 20 * Math.log10(value)) : FLOOR_DB;
}

/**
 * At which rate to have a browser decode a file, from its first bytes (Uint8Array): its own, so that the browser's resampler,
 * which is a poor one, has nothing to do; the nearest that can be sent where it is lower or higher; 48 kHz where nobody knows.
 */
export function decodingRate(head) {
  const rate = nativeRate(head);
  return rate === null ? DECODED_AT : Math.max(LOWEST_RATE, Math.min(HIGHEST_RATE, rate));
}

/** The rate that the header of a WAV, FLAC, Ogg or MP3 file names; null for others. */
export function nativeRate(head) {
  const view = new DataView(head.buffer, head.byteOffset, head.byteLength);
  const mark = (at, text) => at + text.length <= head.length && [...text].every((letter, index) => head[at + index] === letter.charCodeAt(0));
  if (mark(0, "RIFF") && mark(8, "WAVE")) return wavRate(view, mark);
  if (mark(0, "fLaC") && head.length >= 21) return (view.getUint32(18) >>> 12) || null; // 20 bits of STREAMINFO
  if (mark(0, "OggS")) return oggRate(view, mark);
  return mp3Rate(head);
}

function wavRate(view, mark) {
  for (let at = 12; at + 16 <= view.byteLength;) {
    if (mark(at, "fmt ")) return view.getUint32(at + 12, true) || null;
    const size = view.getUint32(at + 4, true);
    at += 8 + size + (size % 2);
  }
  return null;
}

function oggRate(view, mark) {
  const at = 27 + (view.byteLength > 27 ? view.getUint8(26) : 0); // behind the first page's table
  if (mark(at, "\x01vorbis") && at + 16 <= view.byteLength) return view.getUint32(at + 12, true) || null;
  return mark(at, "OpusHead") ? 48_000 : null; // Opus always decodes to 48 kHz
}

const MP3_RATES = { 3: [44_100, 48_000, 32_000], 2: [22_050, 24_000, 16_000], 0: [11_025, 12_000, 8000] }; // MPEG 1, 2, 2.5

function mp3Rate(head) {
  let at = 0;
  if (head[0] === 0x49 && head[1] === 0x44 && head[2] === 0x33 && head.length >= 10) { // ID3: seven bits a byte
    at = 10 + ((head[6] << 21) | (head[7] << 14) | (head[8] << 7) | head[9]);
  }
  const layered = head[at] === 0xff && (head[at + 1] & 0xe0) === 0xe0 && (head[at + 1] & 0x06) !== 0;
  return layered ? (MP3_RATES[(head[at + 1] >> 3) & 3]?.[(head[at + 2] >> 2) & 3] ?? null) : null;
}
