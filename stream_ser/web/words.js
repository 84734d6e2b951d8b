// How the page says things. Pure.

const SAID = {
  warming: "listening, not enough sound yet",
  silence: "silence",
  uncertain: "speech, no label justified",
  stale: "sound is missing",
  paused: "paused",
};
const ROLES = { customer: "customer", agent: "agent", unknown: "speaker unknown" };

/** What a point says, in words: the label, or the state where there is none. `over`: nothing more comes. */
export function said(point, over = false) {
  if (point === null) return over ? "no sound came" : "waiting for sound";
  return point.label ?? stateWord(point.state);
}

/** A state in words. */
export function stateWord(state) {
  return SAID[state] ?? state;
}

/** Whom a stream is about, in the few words by which people know it; its name where nobody said. */
export function titleOf(stream, call) {
  return call?.about?.caller ?? stream.name;
}

/** A share in whole per cent; a dash where nothing is known. */
export function percent(share) {
  return Number.isFinite(share) ? `${Math.round(100 * share)} %` : "–";
}

/** Seconds of a stream as minutes and seconds, with hours where there are any. */
export function position(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const two = (number) => String(number).padStart(2, "0");
  return hours ? `${hours}:${two(minutes)}:${two(rest)}` : `${minutes}:${two(rest)}`;
}

/** A moment with its date, as calendars here show it. */
export function dated(ms) {
  return new Date(ms).toLocaleString([], { dateStyle: "medium", timeStyle: "medium" });
}

/** A moment as the clock on the wall shows it. */
export function clock(ms) {
  return new Date(ms).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: "2-digit" });
}

/** Milliseconds, as many digits as matter. */
export function duration(ms) {
  return Number.isFinite(ms) ? `${ms < 10 ? ms.toFixed(2) : ms < 100 ? ms.toFixed(1) : Math.round(ms)} ms` : "–";
}

/** A number from −1 to 1. */
export function signed(value) {
  return value.toFixed(2).replace("-", "−");
}

/** Whose voice, in which queue, with whom; the call's id only where nothing else is known of it. */
export function whose(stream, call) {
  const parts = [];
  const { queue, agent, caller } = call?.about ?? {};
  if (stream.role !== null && stream.role !== undefined) parts.push(ROLES[stream.role] ?? stream.role);
  if (queue) parts.push(`queue ${queue}`);
  if (agent) parts.push(`with ${agent}`);
  if (!queue && !agent && !caller && stream.call !== null && stream.call !== undefined) parts.push(`call ${stream.call}`);
  return parts.join(" · ") || stream.source.kind;
}

/** One moment of a timeline in words: when, what is going on, and every probability where the model was asked. */
export function momentWords({ t, state, shares }, labels) {
  const head = `at ${position(t)}.${Math.floor(10 * (t % 1))}`;
  if (shares === null) return `${head}: ${state === null ? "nothing is known" : stateWord(state)}`;
  const told = labels.map((label, index) => `${label} ${percent(shares[index] ?? NaN)}`).join(", ");
  return `${head}: ${told}${state === "uncertain" ? " (no label justified)" : ""}`;
}

/** An alert in one line. */
export function alarm(alert) {
  const over = alert.kind === "cleared" ? `, over (${alert.reason})` : "";
  return `${alert.severity}: ${alert.rule}${over}`;
}

/** How the connection stands. */
export function linked({ state, text, since }) {
  if (state === "open") return "Connected.";
  if (state === "connecting") return "Connecting…";
  if (state === "token") return "A token is needed.";
  return `Not connected since ${clock(since)}${text ? `: ${text}` : ""}. Trying again by itself.`;
}

/** A name that somebody else gave, without what the wire refuses: unprintable characters, and too many. */
export function printable(name) {
  return [...name.replace(/[^\p{L}\p{M}\p{N}\p{P}\p{S} ]/gu, "·")].slice(0, 120).join("").trim();
}
