// Tells of new alerts by sound and by the desktop's notices, where somebody asked for them. Both are off until then.

import { alarm, titleOf } from "./words.js";

const BEEPS = { critical: 3, warning: 2, info: 1 };
const PITCH_HZ = 880, BEEP_S = 0.12, PAUSE_S = 0.1;

export class Teller {
  constructor(preferences) {
    this.preferences = preferences;
    this.told = 0; // alerts that were told of, by either way
    this.context = null;
  }

  /** Switch sound on or off. Must be called from a click: browsers let no page sound without one. */
  async sound(on) {
    if (on) {
      this.context ??= new AudioContext();
      await this.context.resume();
      this.#beep(1);
    }
    this.preferences.set({ sound: on });
  }

  /** Switch notices on or off; gives what went wrong, or nothing. */
  async notify(on) {
    if (on && !("Notification" in globalThis)) return "This browser has no notices here: they need https, or localhost.";
    if (on && (await Notification.requestPermission()) !== "granted") return "This browser does not allow notices for this page.";
    this.preferences.set({ notify: on });
    return "";
  }

  /** Tell of one new alert of a stream of a call. */
  tell(stream, alert, call) {
    const { sound, notify } = this.preferences;
    if (!sound && !notify) return;
    this.told += 1;
    if (sound) this.#beep(BEEPS[alert.severity] ?? 1);
    if (notify && globalThis.Notification?.permission === "granted") {
      const note = new Notification(`⚠ ${alarm(alert)}`, { body: titleOf(stream, call), tag: `${stream.name} ${alert.id}` });
      note.onclick = () => {
        focus();
        location.hash = `#/stream/${encodeURIComponent(stream.name)}`;
        note.close();
      };
    }
  }

  #beep(count) {
    if (this.context === null && navigator.userActivation?.hasBeenActive === false) return; // reloaded: silent until a click
    this.context ??= new AudioContext();
    const { context } = this;
    if (context.state === "suspended") context.resume();
    for (let number = 0; number < count; number += 1) {
      const oscillator = new OscillatorNode(context, { frequency: PITCH_HZ }), gain = new GainNode(context, { gain: 0 });
      const begin = context.currentTime + number * (BEEP_S + PAUSE_S);
      gain.gain.setTargetAtTime(0.2, begin, 0.01);
      gain.gain.setTargetAtTime(0, begin + BEEP_S - 0.03, 0.01);
      oscillator.connect(gain).connect(context.destination);
      oscillator.start(begin);
      oscillator.stop(begin + BEEP_S);
    }
  }
}
