/** One run of the panel: its socket, what came over it, and the line style that tells it from others. */
import { Feed } from "./feed.js";
import { FINAL } from "./header.js";
import { History } from "./history.js";

const KEYS = "ABCDEFGH";
const DASHES = [[], [7, 4], [2, 3], [11, 3, 2, 3], [16, 5], [5, 2, 1, 2], [1, 4], [14, 3, 2, 3, 2, 3]];

/** A run that is drawn; the panel hears of what changed. */
export class Contender {
  constructor(panel, id, base) {
    /** @type {import("./panel.js").Panel} */
    this.panel = panel;
    this.id = id;
    this.base = base;
    /** @type {History | null} */
    this.history = null;
    /** @type {any} */
    this.status = null;
    /** @type {string | null} */
    this.state = null;
    /** What is wrong with the connection, as the header knows it. */
    this.link = "";
    /** @type {Pick<Feed, "final" | "ended" | "send" | "close"> | null} */
    this.feed = null;
    /** @type {number[]} */
    this.checkpoints = [];
    this.listen();
  }

  /** Its place among those drawn gives its key and its dash. */
  call(label, place) {
    this.label = label;
    this.place = place;
    this.key = KEYS[place % KEYS.length];
    this.dash = DASHES[place % DASHES.length];
  }

  /** The server's description of the run, once it has come. */
  get run() {
    return this.history?.run ?? null;
  }

  /** The newest step known. */
  get step() {
    return Math.max(this.status?.step ?? 0, this.history?.rows.last() ?? 0);
  }

  get final() {
    return FINAL.has(this.state);
  }

  /** The rows that a chart draws: evaluations, or live rows with the finer ones of a zoomed range. */
  rows(sparse) {
    if (!this.history) return null;
    return sparse ? this.history.evaluations : (this.history.detail ?? this.history.rows);
  }

  listen() {
    this.feed?.close();
    const asked = {
      base: this.base,
      run: this.id,
      since: () => this.history?.rows.last() ?? 0,
      onText: (message) => this.receive(message),
      onRows: (rows) => this.take(rows),
      onLink: (link) => this.panel.linked(this, link),
    };
    this.feed = this.panel.connect?.(asked) ?? new Feed(asked);
  }

  receive(message) {
    if (message.type === "run") this.begin(message);
    if (message.type === "status") this.follow(message);
    if (message.type === "checkpoints") this.keep(message.steps ?? []);
    if (message.type === "events" && this.history) {
      this.history.change(message.rows ?? [], message.known ?? 0);
      this.run.title = message.title ?? this.run.title;
      this.panel.began(this, false);
      this.panel.mark(false, false);
    }
    if (message.type === "evaluations" && this.history) {
      this.history.evaluate(message.rows ?? []);
      this.panel.mark(true, true);
    }
  }

  begin(run) {
    // After a reconnect the same run goes on: what is held stays.
    const goesOn = this.history?.continues(run);
    const anew = goesOn ? this.history.describe(run) : true;
    if (!goesOn) this.history = new History(run, this.panel.choices.smoothing);
    this.panel.began(this, anew);
  }

  follow(status) {
    const before = this.state;
    this.status = status;
    this.state = status.state;
    if (this.feed) this.feed.final = this.final;
    this.panel.followed(this, before);
  }

  keep(steps) {
    this.checkpoints = steps;
    this.panel.kept(this);
  }

  take(rows) {
    const { history, panel } = this;
    if (!history || (rows.detail && !panel.choices.zoom)) return;
    if (!(rows.detail ? history.refine(rows) : history.append(rows))) return;
    panel.mark(false, !rows.detail);
  }

  close() {
    this.feed?.close();
    this.feed = null;
  }
}
