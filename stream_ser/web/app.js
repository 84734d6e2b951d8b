// The page: messages go into the state, and four times a second the state is shown.

import { CallView } from "./call.js";
import { Demo } from "./demo.js";
import { Link } from "./link.js";
import { Listening } from "./listening.js";
import { unseen } from "./order.js";
import { Preferences } from "./preferences.js";
import { Resume } from "./resume.js";
import { clear, newState, openAlerts, prune, reduce } from "./state.js";
import { StreamView } from "./stream.js";
import { Teller } from "./tell.js";
import { Wall } from "./wall.js";
import { mark, say } from "./dom.js";
import { alarm, linked, position } from "./words.js";

const SHOW_MS = 250;
const ANNOUNCE_MS = 4000; // a screen reader is told of alerts at most so often
const find = (id) => document.getElementById(id);

export const state = newState();
export const resume = new Resume();
export const preferences = new Preferences();
export const teller = new Teller(preferences);
const main = find("main");
let announcedAt = 0;
let admitted = false; // whether a token that is needed has been shown

function take(message) {
  const verdict = resume.take(message);
  if (verdict === "skip" || verdict === "rejoin") return verdict;
  if (verdict === "reset" || verdict === "restart") clear(state);
  if (verdict === "restart") return verdict;
  const standing = verdict === "standing";
  reduce(state, standing ? message.message : message, Date.now(), standing);
  return verdict;
}

function tell(told) {
  say(find("link"), linked(told));
  if (told.state === "open") {
    admitted = true;
    say(find("tenant"), link.tenant === null || link.tenant === "local" ? "" : `Calls of ${link.tenant}`);
  }
  mark(document.body, "data-link", told.state);
  const form = find("token");
  const asked = told.state === "token";
  if (asked) say(find("token-why"), told.text.replace(/^token-missing: .*/, ""));
  if (asked && form.hidden) {
    form.hidden = false;
    find("token-text").focus();
  } else if (told.state === "open") form.hidden = true;
}

export const link = new Link(resume, take, tell);
const demo = new Demo((message) => reduce(state, message, Date.now()));
const wall = new Wall(main, link, preferences, teller, demo);
let view = null; // the open stream's, or the open call's

/** What the address asks for: a kind and a name; the wall where it asks for nothing that is known. */
function wanted() {
  const [, kind, name, run] = location.hash.match(/^#\/(stream|call)\/([^?]+)(?:\?run=(\d+))?$/) ?? [];
  try {
    return { kind: kind ?? null, name: kind ? decodeURIComponent(name) : null, run: run ?? null };
  } catch {
    return { kind: null, name: null, run: null }; // an address that somebody mistyped
  }
}

function show() {
  const now = Date.now();
  prune(state, now);
  const { kind, name, run } = wanted();
  const stream = kind === "stream" ? state.streams.get(name) : undefined;
  const call = kind === "call" && admitted ? name : null;
  if (view !== null && (view.stream !== stream || (view instanceof CallView && (view.name !== call || view.run !== run)))) {
    view.stop();
    view = null;
  }
  wall.node.hidden = stream !== undefined || call !== null;
  if (stream !== undefined) {
    view ??= new StreamView(main, stream, link);
    view.show(link.lostAt, now, state.calls.get(stream.call));
  } else if (call !== null) view ??= new CallView(main, call, run, link);
  else wall.show(state, link.lostAt, now);
  say(find("missing"), kind === "stream" && stream === undefined ? `There is no stream ${name} now; this is all there is.` : "");
  const lost = resume.lostUnknown ? `${resume.lost} or more` : String(resume.lost);
  say(find("lost"), resume.lost || resume.lostUnknown ? `${lost} messages did not reach this page.` : "");
  const alerts = [...state.streams.values()].reduce((sum, each) => sum + openAlerts(each).length, 0);
  const title = `${alerts ? `⚠ ${alerts} · ` : ""}${stream === undefined ? "" : `${stream.name} · `}stream-ser`;
  if (document.title !== title) document.title = title;
  announce(now);
  for (const { stream: of, alert } of state.fresh.splice(0)) {
    const alerting = state.streams.get(of);
    if (alerting && unseen(alerting).some(({ id }) => id === alert.id)) teller.tell(alerting, alert, state.calls.get(alerting.call));
  }
}

function announce(now) {
  if (state.events.length === 0 || now - announcedAt < ANNOUNCE_MS) return;
  announcedAt = now;
  const told = state.events.splice(0).map(({ stream, alert }) => `${stream}: ${alarm(alert)}, at ${position(alert.t)}`);
  say(find("announcements"), told.length > 3 ? `${told.length} new alerts, the last: ${told.at(-1)}` : told.join(". "));
}

find("token").addEventListener("submit", (event) => {
  event.preventDefault();
  const field = find("token-text");
  const wrong = link.use(field.value.trim());
  if (!wrong) field.value = "";
  say(find("token-why"), wrong);
});
addEventListener("hashchange", show);
addEventListener("keydown", (event) => {
  if (event.key === "Escape" && wanted().kind !== null) {
    const card = wall.cards.get(wanted().name);
    location.hash = "#/";
    show();
    card?.name.focus();
  }
});
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
  wall.restyle();
  view?.restyle();
});

setInterval(show, SHOW_MS);
new Listening(main, link, state);
link.start();
