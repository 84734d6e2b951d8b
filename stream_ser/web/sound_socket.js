// The connection that carries sound from the page, by the plain protocol of /v1/audio. Nothing goes over it before `open` is
// called, and that is called only when somebody has agreed.

const PIECE = 24_000; // samples in one message: half a second at 48 kHz, 48 kB where 64 may come
const BEHIND_S = 4; // of live sound, not yet taken by the network, with which it is given up

export class SoundSocket {
  /** `accepted` gets the name of the stream, `ended` a text once, or "" where this side ended it. */
  constructor(link, admission, token, accepted, ended) {
    this.link = link;
    this.admission = admission;
    this.token = token;
    this.accepted = accepted;
    this.ended = ended;
    this.isOpen = false;
    this.why = "";
  }

  /** Say hello. `parameters` say what is brought. */
  open(call, rate, parameters) {
    this.rate = rate;
    const socket = (this.socket = this.link.socketFor("", this.admission.subprotocol, "v1/audio", this.token));
    socket.binaryType = "arraybuffer";
    const hello = { type: "hello", call, role: "unknown", rate, channels: 1, encoding: "s16le", consent: "given", parameters };
    socket.onopen = () => socket.send(JSON.stringify(hello));
    socket.onmessage = ({ data }) => this.#take(JSON.parse(data));
    socket.onclose = ({ code, reason }) => this.#close(code, reason);
  }

  /** How many bytes the network has not taken yet. */
  get waiting() {
    return this.socket?.bufferedAmount ?? 0;
  }

  /** Send samples (Int16Array). Live sound that the network does not take ends the connection, for else memory would fill. */
  send(samples, live = true) {
    if (!this.isOpen) return;
    if (live && this.waiting > 2 * BEHIND_S * this.rate) {
      this.#end(`The network takes less than there is to send: ${BEHIND_S} s wait. Nothing is sent any more.`);
      return;
    }
    for (let at = 0; at < samples.length; at += PIECE) this.socket.send(samples.subarray(at, at + PIECE));
  }

  pause(paused) {
    if (this.isOpen) this.socket.send(JSON.stringify({ type: paused ? "pause" : "resume" }));
  }

  /** Say goodbye: what was sent is still analysed. */
  close() {
    if (this.isOpen) this.socket.send(JSON.stringify({ type: "close" }));
    else this.socket?.close();
    this.#end("");
  }

  #take(message) {
    if (message.type === "accepted") {
      this.isOpen = true;
      this.accepted(message.stream ?? `${message.call}/${message.legs[0].name}`);
    } else if (message.type === "refused") {
      this.why = `The server refused the sound: ${message.code}: ${message.text}.`;
    } else if (message.type === "leaving") {
      this.#end("The server is about to stop. Nothing is sent any more; begin again when it is back.");
    } else if (message.type === "closed") {
      this.socket.close();
    }
  }

  #close(code, reason) {
    this.#end(this.why || (code === 1000 ? "The server has ended the stream." : reason ? `The server has ended the stream: ${reason}.`
      : "The connection is lost. What was heard until then stands; begin again."));
  }

  #end(text) {
    const { ended } = this;
    this.isOpen = false;
    this.ended = () => {};
    if (text) this.socket?.close();
    ended(text);
  }
}
