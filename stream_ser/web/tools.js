// What stands above the cards: search and filters, who one is, and how one wants to be told of alerts.

import { element, say } from "./dom.js";
import { ALERTS } from "./order.js";

const NARROW = "(max-width: 40rem)";

export class Tools {
  constructor(preferences, teller) {
    this.looked = { text: "", label: "", alert: "any", agent: "", queue: "" };
    this.search = element("input", { type: "search", id: "tool-text", placeholder: "caller, queue, call, rule" });
    this.search.addEventListener("input", () => (this.looked.text = this.search.value));
    this.choices = new Map(["label", "alert", "queue", "agent"].map((name) => [name, this.#choice(name)]));
    this.#fill("alert", Object.entries(ALERTS));
    this.name = element("input", { id: "tool-name", maxlength: "64", autocomplete: "off", placeholder: "for acknowledging" });
    this.name.value = preferences.name;
    this.name.addEventListener("change", () => preferences.set({ name: this.name.value.trim() }));
    this.problem = element("p", { class: "problem", role: "status" });
    const sound = this.#check("Sound on an alert", preferences.sound, (on) => teller.sound(on));
    const notify = this.#check("Notice on the desktop", preferences.notify, async (on) => {
      const wrong = await teller.notify(on);
      say(this.problem, wrong);
      return !wrong;
    });
    const fields = element("div", { class: "fields" }, this.#field("Search", this.search));
    for (const [name, choice] of this.choices) fields.append((choice.field = this.#field({ label: "Label", alert: "Alerts", queue: "Queue", agent: "Agent" }[name], choice)));
    fields.append(this.#field("Your name", this.name), sound, notify);
    this.node = element("details", { class: "tools" }, element("summary", {}, "Search, filter, tell me"), fields, this.problem);
    this.node.open = !matchMedia(NARROW).matches;
  }

  /** Bring what can be chosen up to what there is. */
  offer(streams, calls) {
    const of = (values) => [...new Set(values.filter(Boolean))].sort().map((value) => [value, value]);
    const open = streams.map((stream) => calls.get(stream.call)?.about ?? {});
    this.#fill("label", [["", "any"], ...of(streams.flatMap(({ labels }) => labels))]);
    for (const name of ["queue", "agent"]) {
      const offered = of(open.map((about) => about[name]));
      this.#fill(name, [["", "any"], ...offered]);
      this.choices.get(name).field.hidden = offered.length === 0 && this.looked[name] === "";
    }
  }

  /** The name to acknowledge with; asks for it where there is none. */
  who() {
    const name = this.name.value.trim();
    if (name) return name;
    this.node.open = true;
    this.name.focus();
    throw new Error("say who you are first, under “Your name” above");
  }

  #choice(name) {
    const choice = element("select", { id: `tool-${name}` });
    choice.addEventListener("change", () => (this.looked[name] = choice.value));
    return choice;
  }

  #fill(name, offered) {
    const choice = this.choices.get(name), key = JSON.stringify(offered);
    if (choice.dataset.offered === key) return;
    choice.dataset.offered = key;
    const chosen = this.looked[name];
    if (chosen && !offered.some(([value]) => value === chosen)) offered = [...offered, [chosen, chosen]]; // nobody is there now
    choice.replaceChildren(...offered.map(([value, text]) => element("option", { value }, text)));
    choice.value = chosen;
  }

  #field(text, input) {
    return element("div", {}, element("label", { for: input.id }, text), input);
  }

  #check(text, on, change) {
    const box = element("input", { type: "checkbox" });
    box.checked = on;
    box.addEventListener("change", async () => {
      if ((await change(box.checked)) === false) box.checked = false;
    });
    return element("label", { class: "check" }, box, text);
  }
}
