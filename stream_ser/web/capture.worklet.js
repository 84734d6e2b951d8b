// Runs in the browser's audio thread: mixes what comes to one channel and hands it on in blocks of 20 ms, as it was captured.
// Without an input it hands on silence at the same pace: a clock that goes on in a hidden tab, where timers do not.

const FRAMES = Math.round(sampleRate * 0.02);

class Capture extends AudioWorkletProcessor {
  #block = new Float32Array(FRAMES);
  #filled = 0;

  process([channels], [[output]]) {
    const frames = channels[0]?.length ?? output.length;
    for (let frame = 0; frame < frames; frame++) {
      let sum = 0;
      for (const channel of channels) sum += channel[frame];
      this.#block[this.#filled++] = channels.length ? sum / channels.length : 0;
      if (this.#filled === FRAMES) this.#handOn();
    }
    return true; // the output stays silent: nothing is played
  }

  #handOn() {
    this.port.postMessage(this.#block, [this.#block.buffer]); // which leaves nothing here
    this.#block = new Float32Array(FRAMES);
    this.#filled = 0;
  }
}

registerProcessor("capture", Capture);
