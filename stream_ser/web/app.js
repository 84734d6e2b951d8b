// The page: messages go into the state, and four times a second the state is shown.

import { Link } from "./link.js";
import { Listening } from "./listening.js";
import { Resume } from "./resume.js";
import { clear, newState, openAlerts, prune, reduce } from "./state.js";
import { StreamView } from "./stream.js";
import { Wall } from "./wall.js";
import { mark, say } from "./dom.js";
import { alarm, linked, position } from "./words.js";

const SHOW_MS = 250;
const ANNOUNCE_MS = 4000; // a screen reader is told of alerts at most so often
const find = (id) => document.getElementById(id);

export const state = newState();
export const resume = new Resume();
const main = find("main");
const wall = new Wall(main);
let view = null; // the open stream's
let announcedAt = 0;

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

function wanted() {
  const [, kind, name] = location.hash.match(/^#\/(stream)\/(.+)$/) ?? [];
  try {
    return kind ? decodeURIComponent(name) : null;
  } catch {
    return null; // an address that somebody mistyped
  }
}

function show() {
  const now = Date.now();
  prune(state, now);
  const name = wanted();
  const stream = name === null ? undefined : state.streams.get(name);
  if (view !== null && view.stream !== stream) {
    view.stop();
    view = null;
  }
  wall.node.hidden = stream !== undefined;
  if (stream === undefined) wall.show(state, link.lostAt, now);
  else {
    view ??= new StreamView(main, stream, link);
    view.show(link.lostAt, now, state.calls.get(stream.call));
  }
  say(find("missing"), name !== null && stream === undefined ? `There is no stream ${name} now; this is all there is.` : "");
  const lost = resume.lostUnknown ? `${resume.lost} or more` : String(resume.lost);
  say(find("lost"), resume.lost || resume.lostUnknown ? `${lost} messages did not reach this page.` : "");
  const alerts = [...state.streams.values()].reduce((sum, each) => sum + openAlerts(each).length, 0);
  const title = `${alerts ? `⚠ ${alerts} · ` : ""}${stream === undefined ? "" : `${stream.name} · `}stream-ser`;
  if (document.title !== title) document.title = title;
  announce(now);
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
  if (event.key === "Escape" && wanted() !== null) {
    const card = wall.cards.get(wanted());
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
