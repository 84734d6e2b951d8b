// A demo: the trajectory of the bundled recording, as it was heard once, played in this page alone at the speed of the recording.

const STEP_MS = 250;

export class Demo {
  /** `take` gets each message when its time has come. */
  constructor(take) {
    this.take = take;
    this.timer = undefined;
  }

  async start() {
    if (this.timer !== undefined) return;
    this.timer = 0; // it is being fetched
    try {
      const answer = await fetch(new URL("demo.json", import.meta.url));
      const messages = await answer.json();
      const anchor = new Date().toISOString();
      this.#play(messages.map((message) => (message.type === "hello" ? { ...message, anchor } : message)));
    } catch {
      this.timer = undefined; // the button can be pressed again
    }
  }

  #play(messages) {
    const begun = performance.now();
    let next = 0;
    const step = () => {
      const t = (performance.now() - begun) / 1000;
      while (next < messages.length && (messages[next].t ?? 0) <= t) {
        const message = messages[next++];
        if (message.type === "end" && t < message.duration_s) {
          next -= 1;
          break;
        }
        this.take(message);
      }
      if (next < messages.length) return;
      clearInterval(this.timer);
      this.timer = undefined;
    };
    this.timer = setInterval(step, STEP_MS);
    step();
  }
}
