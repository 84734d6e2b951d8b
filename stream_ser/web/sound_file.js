// A sound file that somebody drops on the page: decoded by the browser, here, and then sent as samples: as it was spoken, or at
// once. The file itself goes nowhere.

import { captureNode, runningContext } from "./microphone.js";
import { decodingRate, mix, toS16 } from "./pcm.js";
import { printable } from "./words.js";

const MOST_BYTES = 50 * 2 ** 20; // a browser decodes a file as a whole, into many times its size
const PIECE_S = 0.5;
const WAITING_BYTES = 2 ** 20; // that the network has not taken: no more is given to it
const LOOK_MS = 20;
const BLOCK_S = 0.02; // of the browser's sound, which is the clock
const TICK_MS = 100; // of the other clock

/** Decode a File: { name, rate, samples, seconds }. Throws an Error with a text for a person. */
export async function decode(file) {
  if (file.size > MOST_BYTES) {
    throw new Error(`${file.name} has ${Math.round(file.size / 2 ** 20)} MB, and a browser can decode ${MOST_BYTES / 2 ** 20} at most at once. `
      + "Play it on the machine where it is: stream-ser replay FILE.");
  }
  const bytes = await file.arrayBuffer();
  const rate = decodingRate(new Uint8Array(bytes));
  let sound;
  try {
    sound = await new OfflineAudioContext(1, 1, rate).decodeAudioData(bytes);
  } catch {
    throw new Error(`${file.name} is no sound that this browser can decode. WAV, FLAC, Ogg, MP3 and most of what phones record can be.`);
  }
  if (sound.length === 0) throw new Error(`${file.name} has no sound in it.`);
  const channels = Array.from({ length: sound.numberOfChannels }, (_, channel) => sound.getChannelData(channel));
  return { name: printable(file.name) || "recording", rate, samples: toS16(mix(channels)), seconds: sound.duration };
}

/** Sends a decoded file over a SoundSocket. `moved` gets the seconds that were sent; `done` is called behind the last. */
export class FileSender {
  constructor(sound, socket, moved, done) {
    Object.assign(this, { sound, socket, moved, done, at: 0, over: false });
  }

  /** Send as fast as the network and the server take it. */
  atOnce() {
    while (!this.over && this.socket.waiting < WAITING_BYTES) this.#send(this.at + PIECE_S * this.sound.rate);
    if (!this.over) this.timer = setTimeout(() => this.atOnce(), LOOK_MS);
  }

  /** Send as it was spoken. The browser's sound keeps the time where it may: timers of a hidden tab stand still. */
  async paced() {
    if (typeof AudioWorkletNode === "undefined") { // on a page that came by http from elsewhere
      const began = performance.now();
      this.timer = setInterval(() => this.#send(Math.round((performance.now() - began) / 1000 * this.sound.rate)), TICK_MS);
      return;
    }
    this.context = await runningContext();
    if (this.over) return this.stop(); // somebody has pressed it meanwhile
    let blocks = 0;
    captureNode(this.context, () => {
      blocks += 1;
      if (!this.over) this.#send(Math.round(blocks * BLOCK_S * this.sound.rate));
    });
  }

  stop() {
    this.over = true;
    clearInterval(this.timer); // or the timeout that it is
    this.context?.close();
    this.context = undefined;
  }

  #send(until) {
    const { samples, rate } = this.sound;
    const end = Math.min(samples.length, until);
    this.socket.send(samples.subarray(this.at, end), false);
    this.at = end;
    this.moved(end / rate);
    if (this.over || end < samples.length) return;
    this.stop();
    this.done();
  }
}
