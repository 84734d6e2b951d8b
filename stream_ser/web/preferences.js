// What somebody has chosen here. Sound, notices and the name are kept by the browser; pins, which name calls, go with the tab.

const KEPT = "stream-ser-preferences", PINS = "stream-ser-pins";
const MOST_PINS = 100;

export class Preferences {
  constructor() {
    const kept = read(localStorage, KEPT, {});
    this.sound = kept.sound === true;
    this.notify = kept.notify === true;
    this.name = typeof kept.name === "string" ? kept.name.slice(0, 64) : "";
    this.pinned = new Set(read(sessionStorage, PINS, []));
  }

  /** Change some of it, and keep it. */
  set(changes) {
    Object.assign(this, changes);
    const { sound, notify, name } = this;
    write(localStorage, KEPT, { sound, notify, name });
  }

  pin(name) {
    if (!this.pinned.delete(name)) this.pinned.add(name);
    this.pinned = new Set([...this.pinned].slice(-MOST_PINS));
    write(sessionStorage, PINS, [...this.pinned]);
  }
}

function read(storage, key, otherwise) {
  try {
    return JSON.parse(storage.getItem(key)) ?? otherwise;
  } catch {
    return otherwise; // somebody else's, or storage is not allowed
  }
}

function write(storage, key, value) {
  try {
    storage.setItem(key, JSON.stringify(value));
  } catch {
    // storage is full or not allowed: it holds for this page alone
  }
}
