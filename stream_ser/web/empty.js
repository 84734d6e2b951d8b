// What stands where no stream is: which command brings a first one, and a demo.

import { element } from "./dom.js";

export class Empty {
  constructor(demo) {
    this.button = element("button", { type: "button" }, "Show a demo");
    this.button.addEventListener("click", () => demo.start());
    const command = (text) => element("code", {}, text);
    this.node = element("section", { class: "empty" },
      element("p", {}, "No stream is open. Cards appear here when one begins. On the machine that serves this page,"),
      element("ul", {},
        element("li", {}, command("stream-ser live"), " listens to the microphone,"),
        element("li", {}, command("stream-ser replay FILE"), " plays a recording,"),
        element("li", {}, command("stream-ser serve"), " takes calls; ", command("python demos/call.py ws://HOST:PORT FILE"), " brings one.")),
      element("p", {}, this.button, " plays the bundled recording's trajectory in this page alone: nothing is sent or stored."));
  }
}
