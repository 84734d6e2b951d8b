// How the page says things. Pure.

const SAID = {
  warming: "listening, not enough sound yet",
  silence: "silence",
  uncertain: "speech, no label justified",
  stale: "sound is missing",
  paused: "paused",
};
const ROLES = { customer: "customer", agent: "agent", unknown: "speaker unknown" };

/** What a point says, in words: the label, or the state where there is none. */
export function said(point) {
  if (point === null) return "waiting for sound";
  return point.label ?? SAID[point.state] ?? point.state;
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

/** Whose voice, of which call. */
export function whose(stream) {
  const parts = [];
  if (stream.role !== null && stream.role !== undefined) parts.push(ROLES[stream.role] ?? stream.role);
  if (stream.call !== null && stream.call !== undefined) parts.push(`call ${stream.call}`);
  return parts.join(" · ") || stream.source.kind;
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
