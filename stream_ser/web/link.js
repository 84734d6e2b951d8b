// The connection to the feed: asks for admission, opens the websocket, comes back by itself. All that is remembered of the
// numbering lies in Resume.

const FIRST_DELAY_MS = 300, LAST_DELAY_MS = 5000;
const SILENT_MS = 45_000; // three heartbeats
const STORED = "stream-ser-token"; // in sessionStorage: gone with the tab
export const SENDABLE = /^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,512}$/; // what a subprotocol may consist of
const base = new URL("../../", import.meta.url); // the page's own address, also below a proxy's path

export class Link {
  /** `take` gets every message; what it answers is what Resume says of it. `tell` gets { state, text, since }. */
  constructor(resume, take, tell) {
    this.resume = resume;
    this.take = take;
    this.tell = tell;
    this.token = sessionStorage.getItem(STORED);
    this.lostAt = null; // when the connection was lost; null while there is one
    this.turn = 0; // so that what an old connection still says is not heard
    this.delay = FIRST_DELAY_MS;
    this.tenant = null; // whose calls these are, as far as the server says
    this.history = false; // whether the server tells of calls that are over
    this.asking = false; // waiting for a token: nothing is tried before there is one
    const again = () => this.lostAt !== null && !this.asking && !document.hidden && this.start();
    addEventListener("online", again);
    document.addEventListener("visibilitychange", again); // a telephone was asleep
  }

  /** Connect now. */
  start() {
    const turn = this.#leave();
    this.asking = false;
    this.#connect(turn).catch((error) => turn === this.turn && this.#lose(error instanceof TypeError ? "" : String(error)));
  }

  /** Connect with a token, which stays in this tab. Answers what is wrong with it, or nothing. */
  use(token) {
    if (!SENDABLE.test(token)) return "This is no token: it has characters that tokens do not have, or none.";
    this.token = token;
    sessionStorage.setItem(STORED, token);
    this.start();
    return "";
  }

  /** How the feed would answer a query: { status, text, subprotocol }. At another door: how what is behind it would. */
  async ask(query, door = "web/door", token = this.token) {
    const address = new URL(door, base);
    address.search = query;
    const answer = await fetch(address, { headers: this.#headers(token), cache: "no-store", signal: AbortSignal.timeout(10_000) });
    return answer.ok ? answer.json() : { status: answer.status, text: `the server answers ${answer.status}`, subprotocol: null };
  }

  /** Ask the server for a path below /v1, with the token. Raises Error with words for people. */
  async request(path, query = {}, method = "GET") {
    const address = new URL(`v1/${path}`, base);
    address.search = new URLSearchParams(query);
    let answer;
    try {
      answer = await fetch(address, { method, headers: this.#headers(), cache: "no-store", signal: AbortSignal.timeout(30_000) });
    } catch {
      throw new Error("the server does not answer");
    }
    if (!answer.ok) throw new Error((await answer.text()).trim() || `the server answers ${answer.status}`);
    return answer;
  }

  #headers(token = this.token) {
    const headers = { "X-Page-Origin": location.origin };
    if (token) headers.Authorization = `Bearer ${token}`;
    return headers;
  }

  /** A websocket of the feed with a query, or of another path; `subprotocol` is what that answer named. */
  socketFor(query, subprotocol, path = "v1/feed", token = this.token) {
    const address = new URL(path, base);
    address.protocol = address.protocol.replace("http", "ws");
    address.search = query;
    return new WebSocket(address, token && subprotocol ? [subprotocol, `bearer.${token}`] : []);
  }

  async #connect(turn) {
    if (this.lostAt === null) this.tell({ state: "connecting" });
    const admission = await this.ask("");
    if (turn !== this.turn) return;
    if (admission.status === 401 || admission.text.startsWith("token-")) return this.#ask(admission.text);
    if (admission.status !== 200) return this.#lose(admission.text);
    this.tenant = admission.tenant;
    this.history = admission.history;
    this.#open(turn, admission.subprotocol);
  }

  #open(turn, subprotocol) {
    const socket = (this.socket = this.socketFor(this.resume.query(), subprotocol));
    socket.onopen = () => {
      if (turn !== this.turn) return;
      this.resume.opened();
      this.lostAt = null;
      this.tell({ state: "open" });
      this.#listen(turn);
    };
    socket.onmessage = ({ data }) => {
      if (turn !== this.turn) return;
      this.delay = FIRST_DELAY_MS;
      this.#listen(turn);
      const verdict = this.take(JSON.parse(data));
      if (verdict === "rejoin" || verdict === "restart") this.start();
    };
    socket.onclose = ({ reason }) => turn === this.turn && this.#lose(reason);
  }

  #listen(turn) {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => turn === this.turn && this.#lose("nothing has come for long"), SILENT_MS);
  }

  #lose(text) {
    this.#leave();
    this.lostAt ??= Date.now();
    this.tell({ state: "lost", text, since: this.lostAt });
    this.timer = setTimeout(() => this.start(), this.delay * (0.75 + Math.random() / 2));
    this.delay = Math.min(2 * this.delay, LAST_DELAY_MS);
  }

  #ask(text) {
    this.#leave();
    this.asking = true;
    this.token = null;
    sessionStorage.removeItem(STORED);
    this.lostAt ??= Date.now();
    this.tell({ state: "token", text, since: this.lostAt });
  }

  #leave() {
    clearTimeout(this.timer);
    this.socket?.close();
    this.socket = null;
    return ++this.turn;
  }
}
