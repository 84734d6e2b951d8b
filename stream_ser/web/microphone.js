// The browser's microphone, as plain as the browser gives it, and in words why it does not.

const WORKLET = new URL("./capture.worklet.js", import.meta.url);
const PROCESSING = ["echoCancellation", "noiseSuppression", "autoGainControl"];
const AWAKE_MS = 3000; // for the browser's sound to begin
const MOST_HZ = 48_000; // what /v1/audio takes

/** What keeps this page from listening whatever anybody presses, in words; null where nothing does. */
export function forbidden() {
  if (navigator.mediaDevices?.getUserMedia) return null;
  if (isSecureContext) return "This browser has no way to a microphone. A current Chrome, Edge, Firefox or Safari has.";
  return `A browser lets a page listen only over https, or where it comes from this machine itself. This one came from ${location.origin}. `
    + "Open it over https; or, if stream-ser runs on another machine that you can log in to, "
    + `ssh -L ${location.port || 80}:127.0.0.1:${location.port || 80} ${location.hostname}, and open http://localhost:${location.port || 80}/.`;
}

/** Why the browser gave no microphone, and what to do, in words. */
export function whyNot(error) {
  switch (error.name) {
    case "NotAllowedError":
      return /system/i.test(error.message)
        ? "The operating system does not let this browser listen. Allow it there (macOS, Windows: privacy, microphone), then press again."
        : "The browser was not allowed to listen. Allow the microphone for this page, at the left of the address, then press again. "
          + "If nothing can be allowed there, the page lies in a frame or behind a proxy that forbids it (Permissions-Policy).";
    case "NotFoundError": return "This machine has no microphone. Connect one, then press again.";
    case "NotReadableError": return "The microphone cannot be opened: another program may be using it. End that, then press again.";
    default: return `The microphone cannot be had: ${error.name}: ${error.message}`;
  }
}

/** Ask for a microphone without processing; where a browser cannot do without, with as little as it can. */
async function ask() {
  const exact = Object.fromEntries(PROCESSING.map((name) => [name, { exact: false }])); // a bare false is only a wish
  try {
    return await navigator.mediaDevices.getUserMedia({ audio: exact });
  } catch (error) {
    if (error.name !== "OverconstrainedError") throw error;
    return navigator.mediaDevices.getUserMedia({ audio: Object.fromEntries(PROCESSING.map((name) => [name, false])) });
  }
}

/** A running AudioContext. Its own rate, unless that is more than can be sent. Throws where the browser does not let it run. */
export async function runningContext() {
  let context = new AudioContext();
  if (context.sampleRate > MOST_HZ) {
    await context.close();
    context = new AudioContext({ sampleRate: MOST_HZ });
  }
  const late = new Promise((_, refuse) => setTimeout(refuse, AWAKE_MS, new Error("the browser's sound does not begin; press again")));
  try {
    await Promise.race([context.resume(), late]); // without a gesture it would stay suspended, in silence
    await context.audioWorklet.addModule(WORKLET);
  } catch (error) {
    context.close();
    throw error;
  }
  return context;
}

/** A node that calls `take` with a Float32Array of one channel, every 20 ms of its context. */
export function captureNode(context, take) {
  const node = new AudioWorkletNode(context, "capture");
  node.port.onmessage = ({ data }) => take(data);
  node.connect(context.destination); // what leads nowhere need not be run
  return node;
}

/** An open microphone; `stop` lets go of it. */
export class Microphone {
  /** `take` gets blocks of floats, `ended` a text when the microphone is gone, `held` a text or "" when the browser holds it up. */
  static async open(take, ended, held) {
    const stream = await ask(); // first: a context that is made before may have another device's rate
    try {
      return new Microphone(stream, await runningContext(), take, ended, held);
    } catch (error) {
      for (const track of stream.getTracks()) track.stop();
      throw error;
    }
  }

  constructor(stream, context, take, ended, held) {
    this.context = context;
    this.rate = context.sampleRate;
    [this.track] = stream.getAudioTracks();
    this.name = this.track.label || "microphone";
    const settings = this.track.getSettings();
    this.processed = PROCESSING.filter((name) => settings[name]); // what the browser does to the voice all the same
    context.createMediaStreamSource(stream).connect(captureNode(context, take));
    this.track.onended = () => ended("The microphone is gone: it was unplugged, or the permission was withdrawn.");
    const look = () => held(this.track.muted ? "The system has muted the microphone."
      : context.state === "running" || context.state === "closed" ? "" : "The browser has stopped its sound for now.");
    this.track.onmute = this.track.onunmute = context.onstatechange = look;
  }

  stop() {
    this.track.onended = this.track.onmute = this.track.onunmute = this.context.onstatechange = null;
    this.track.stop();
    this.context.close();
  }
}
